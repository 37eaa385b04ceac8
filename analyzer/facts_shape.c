/* SPDX-License-Identifier: ISC
 *
 * facts_shape: the table of shapes, and what one call adds to its row.
 */
#include "facts_build.h"

#include <math.h>

/* FROM pg_class, …; pgbench's tables are none of the catalogs. */
static bool reads_catalog(struct str norm)
{
	size_t at = str_find(norm, "from pg_");

	return (at < norm.n && !str_starts(str_skip(norm, at), "from pgbench")) ||
	       str_find(norm, "information_schema.") < norm.n;
}

/* The table whose rows the statement locks until its transaction ends; 0: none, or several. */
static uint64_t locked_table(const struct shape *s)
{
	const char *word = s->verb == SQL_UPDATE   ? "update "
			   : s->verb == SQL_DELETE ? "delete from "
						   : " from ";
	size_t at = str_find(s->norm, word), n = 0;

	if (at == s->norm.n || (s->verb != SQL_UPDATE && s->verb != SQL_DELETE &&
				       !(s->lex.traits & SQL_HAS_FOR_UPDATE)))
		return 0;
	if (str_find(s->norm, "nowait") < s->norm.n || str_find(s->norm, "skip locked") < s->norm.n)
		return 0; /* it waits for nobody */
	struct str table = str_skip(s->norm, at + strlen(word));
	if (str_starts(table, "only "))
		table = str_skip(table, 5);
	while (n < table.n && table.p[n] != ' ' && table.p[n] != ',' && table.p[n] != '(')
		n++;
	return n ? str_hash(str_before(table, n)) | 1 : 0;
}

uint32_t shape_index(struct facts *f, struct str sql, const struct sql_shape *lex, bool cut)
{
	uint32_t *at = map_put(&f->shape_of, lex->hash);
	char norm[TEXT_MAX];
	struct sql_shape again;

	if (LIKELY(*at != MAP_NONE))
		return *at;
	struct shape *s = ARENA_NEW(&f->arena, struct shape);
	size_t n = sql_lex(sql.p, sql.n, &again, norm, sizeof(norm));
	s->hash = lex->hash;
	snprintf(s->id, sizeof(s->id), "%016llx", (unsigned long long)lex->hash);
	s->verb = lex->verb;
	s->lex = *lex;
	s->norm = arena_str(&f->arena, (struct str){norm, n});
	s->example = arena_str(&f->arena, str_before(sql, TEXT_MAX));
	s->is_cut = cut || sql.n > TEXT_MAX || (lex->traits & SQL_IS_TRUNCATED);
	s->max_limit = s->max_offset = SQL_ABSENT;
	s->counts = str_find(s->norm, "count(") < s->norm.n;
	s->is_aside =
		s->verb == SQL_SELECT &&
		(!(lex->traits & SQL_HAS_FROM) || str_find(s->norm, " pg_catalog.") < s->norm.n ||
			reads_catalog(s->norm));
	s->is_mutex =
		s->verb == SQL_LOCK || (s->is_aside && str_find(s->norm, "advisory_") < s->norm.n);
	s->locks = s->is_aside ? 0 : locked_table(s);
	if (lex->limit == SQL_PARAM)
		s->limit_param = params_behind(s->example, "limit");
	if (lex->offset == SQL_PARAM)
		s->offset_param = params_behind(s->example, "offset");
	*at = (uint32_t)f->shape.n;
	*VEC_PUSH(&f->shape) = s;
	return (uint32_t)f->shape.n - 1;
}

struct shape *facts_shape(struct facts *f, struct str sql, const struct sql_shape *lex)
{
	uint32_t at = shape_index(f, sql, lex, false); /* may move f->shape.at */

	return f->shape.at[at];
}

struct shape *facts_statement(struct facts *f, struct str sql, struct place at)
{
	struct sql_shape lex;
	struct shape *s;

	sql_lex(sql.p, sql.n, &lex, NULL, 0);
	s = facts_shape(f, sql, &lex);
	s->calls++;
	f->statements++;
	shape_place(s, at);
	shape_limits(s, &lex, STR_NONE);
	tags_note(f, s, sql, &lex, at, true);
	return s;
}

struct shape *facts_text(struct facts *f, struct str sql, struct place at)
{
	struct shape *s = facts_statement(f, sql, at);
	uint32_t *where = map_put(&f->variant_of, str_hash(sql));
	struct variant *v;

	if (*where == MAP_NONE) {
		*where = (uint32_t)f->variant.n;
		v = VEC_PUSH(&f->variant);
		memset(v, 0, sizeof(*v));
		v->shape = map_get(&f->shape_of, s->hash);
		v->text = arena_str(&f->arena, sql);
	} else {
		v = &f->variant.at[*where];
	}
	v->calls++;
	if (v->places < PLACE_MAX)
		v->place[v->places++] = at;
	*VEC_PUSH(&f->listed) = (struct listed){v->text, v->shape, at};
	return s;
}

void facts_unchanged(struct facts *f, struct str sql, struct place at)
{
	*VEC_PUSH(&f->listed) = (struct listed){arena_str(&f->arena, sql), NO_SHAPE, at};
}

/* A number of a table, as a count: what makes no sense is none. */
static uint64_t whole(double v)
{
	return v >= 0 && v < 1e15 ? (uint64_t)llround(v) : 0;
}

void facts_totals(struct facts *f, struct str sql, const struct log_totals *t, struct place at)
{
	uint64_t calls = whole(t->calls), usec = whole(t->total_ms * 1000);
	double mean = calls ? (double)usec / (double)calls : 0, dev = t->stddev_ms * 1000;
	struct sketch part = {0};
	struct shape *s;

	if (calls == 0)
		return;
	s = facts_statement(f, sql, at);
	f->has_totals = true;
	f->statements += calls - 1;
	s->calls += calls - 1;
	sketch_add_n(&part, usec / calls, calls);
	part.sum = usec;
	part.min = whole(t->min_ms * 1000);
	part.max = whole(t->max_ms * 1000);
	if (part.max < usec / calls) /* 9.4 has neither; a reset of them leaves zeros */
		part.min = part.max = usec / calls;
	part.sum2 = (double)calls * ((dev >= 0 && dev < 1e15 ? dev * dev : 0) + mean * mean);
	sketch_merge(&s->time, &part);
	sketch_release(&part);
	s->plan_usec += whole(t->plan_ms * 1000);
	s->rows += whole(t->rows);
	s->rows_calls += calls;
	if (whole(t->rows) / calls > s->max_rows)
		s->max_rows = whole(t->rows) / calls;
}

void facts_tally(struct shape *s, enum group_kind kind, uint32_t name, uint64_t calls,
	uint64_t usec)
{
	unsigned char *at = &s->tally_at[(name * GROUP_KINDS + kind) % sizeof(s->tally_at)];
	size_t i = *at;

	if (i >= s->tally.n || s->tally.at[i].name != name || s->tally.at[i].kind != kind)
		for (i = 0; i < s->tally.n; i++)
			if (s->tally.at[i].name == name && s->tally.at[i].kind == kind)
				break;
	if (i == s->tally.n) {
		if (i >= TALLY_MAX)
			return;
		*VEC_PUSH(&s->tally) = (struct tally){.name = name, .kind = kind};
	}
	*at = (unsigned char)i;
	s->tally.at[i].calls += calls;
	s->tally.at[i].usec += usec;
}

void shape_place(struct shape *s, struct place at)
{
	if (s->places < PLACE_MAX)
		s->place[s->places++] = at;
}

/* LIMIT and OFFSET as they were in a call: literals, or the parameter's value. */
void shape_limits(struct shape *s, const struct sql_shape *lex, struct str params)
{
	if (lex->limit > s->max_limit)
		s->max_limit = lex->limit;
	if (lex->offset > s->max_offset)
		s->max_offset = lex->offset;
	if (lex->longest_list > s->longest_list)
		s->longest_list = lex->longest_list;
	if (lex->longest_list && lex->longest_list <= 64 * ARRAY_LEN(s->arities))
		s->arities[(lex->longest_list - 1) / 64] |= 1ull << (lex->longest_list - 1) % 64;
	if (params.n)
		s->params_seen++;
}

static void sample_free(struct sample *s)
{
	free(s->sql);
	free(s->params);
}

/* Keeps the slowest; of equals the first. */
void shape_sample(struct shape *s, const struct session *who, const struct open *o)
{
	uint32_t at = s->samples;

	while (at > 0 && s->slow[at - 1].usec < o->usec)
		at--;
	if (at >= SAMPLE_MAX || !who->sql.n)
		return;
	if (s->samples == SAMPLE_MAX)
		sample_free(&s->slow[SAMPLE_MAX - 1]);
	else
		s->samples++;
	memmove(&s->slow[at + 1], &s->slow[at], (s->samples - 1 - at) * sizeof(s->slow[0]));
	s->slow[at] = (struct sample){.usec = o->usec,
		.ts = o->ts,
		.at = o->at,
		.user = who->user,
		.db = who->db,
		.app = who->app,
		.sql = str_dup(text_slice(&who->sql)),
		.params = who->params.n ? str_dup(text_slice(&who->params)) : NULL};
}

void shape_release(struct shape *s)
{
	for (uint32_t i = 0; i < s->samples; i++)
		sample_free(&s->slow[i]);
	draw_free(&s->draw);
	sketch_release(&s->time);
	VEC_RELEASE(&s->tally);
	VEC_RELEASE(&s->sent);
	VEC_RELEASE(&s->mark);
	VEC_RELEASE(&s->hour);
	free(s->plan);
}
