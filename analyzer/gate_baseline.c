/* SPDX-License-Identifier: ISC
 *
 * gate_baseline: findings that are known, one a line, so that only new ones count.
 *
 *	# a comment belongs to the line below it; those before an empty line to the file
 *	NP001 0123456789abcdef shop/views.py  select * from authors where id = ?
 *	shape fedcba9876543210 select ...
 *
 * The first two words count; the rest is for people, and stays as it is while the finding is
 * known.  Lines are sorted and hold nothing that another's change could touch, so two branches'
 * files merge.  The file is written whole beside the old one and put in its place.
 */
#include "gate.h"

#include <errno.h>
#include <unistd.h>

static struct str first_word(struct str *rest)
{
	size_t n = 0;

	while (n < rest->n && rest->p[n] != ' ' && rest->p[n] != '\t')
		n++;
	struct str word = str_before(*rest, n);
	*rest = str_trim(str_skip(*rest, n));
	return word;
}

static bool is_hex(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!(s.p[i] >= '0' && s.p[i] <= '9') && !(s.p[i] >= 'a' && s.p[i] <= 'f'))
			return false;
	return s.n == 16;
}

static struct str join(struct arena *a, struct str above, struct str line)
{
	return above.n ? arena_printf(a, "%.*s%.*s\n", STR_ARGS(above), STR_ARGS(line))
		       : arena_printf(a, "%.*s\n", STR_ARGS(line));
}

static bool read_line(struct gate *g, const char *file, struct str line, uint32_t number,
	struct str *comment)
{
	struct known k = {.text = line, .line = number, .comment = *comment};
	struct str rest = line;

	if (line.n == 0) { /* comments so far are the file's */
		if (comment->n && g->known.n == 0)
			g->head = arena_printf(&g->arena, "%.*s%.*s", STR_ARGS(g->head),
				STR_ARGS(*comment));
		*comment = g->known.n == 0 ? STR_NONE : *comment;
		return true;
	}
	if (line.p[0] == '#') {
		*comment = join(&g->arena, *comment, line);
		return true;
	}
	k.rule = first_word(&rest);
	k.print = first_word(&rest);
	if (!is_hex(k.print)) {
		fprintf(stderr,
			"pgassay: %s:%u: a line is RULE FINGERPRINT (16 hex digits) and a text, "
			"not "
			"\"%.60s\"%s\n",
			file, number, arena_cstr(&g->arena, line),
			str_starts(line, "<<<<") || str_starts(line, "====") ||
					str_starts(line, ">>>>")
				? ": keep both sides of the merge conflict"
				: "");
		return false;
	}
	*comment = STR_NONE;
	*VEC_PUSH(&g->known) = k;
	return true;
}

bool baseline_read(struct gate *g, const char *file)
{
	FILE *f = fopen(file, "re");
	char *line = NULL;
	size_t cap = 0;
	ssize_t n;
	struct str comment = STR_NONE;
	uint32_t number = 0;
	bool ok = true;

	if (!f) {
		fprintf(stderr,
			"pgassay: baseline %s: %s; --write-baseline makes it of what is found "
			"now\n",
			file, strerror(errno));
		return false;
	}
	while ((n = getline(&line, &cap, f)) >= 0) {
		struct str s = arena_str(&g->arena, str_trim((struct str){line, (size_t)n}));
		ok = read_line(g, file, s, ++number, &comment) && ok;
	}
	if (g->known.n == 0 && comment.n)
		g->head = arena_printf(&g->arena, "%.*s%.*s", STR_ARGS(g->head), STR_ARGS(comment));
	ok = !ferror(f) && ok;
	free(line);
	fclose(f);
	return ok;
}

static struct known *find_known(struct gate *g, const char *rule, const char *print)
{
	for (size_t i = 0; i < g->known.n; i++)
		if (str_is(g->known.at[i].print, print) && str_is(g->known.at[i].rule, rule))
			return &g->known.at[i];
	return NULL;
}

bool baseline_knows(struct gate *g, const char *rule, const char *print)
{
	struct known *k = find_known(g, rule, print);

	if (k)
		k->is_met = true;
	return k != NULL;
}

void baseline_apply(struct gate *g, struct facts *f, struct findings *fs,
	const enum severity *severity)
{
	size_t n = fs->at.n;
	struct str path;
	bool in_root = g->baseline && gate_path(g, str_of(g->baseline), &path);

	for (size_t i = 0; i < n; i++) {
		struct finding *x = &fs->at.at[i];
		struct known *k = find_known(g, x->rule->id, x->fingerprint);
		if (!k)
			continue;
		k->is_met = true;
		if (!x->suppressed) {
			x->suppressed = true;
			x->suppress_reason = STR("known: it is in the baseline");
		}
	}
	for (size_t i = 0; i < g->known.n && !g->is_partial && g->baseline; i++) {
		const struct known *k = &g->known.at[i];
		struct finding *said;
		if (k->is_met || str_is(k->rule, "shape"))
			continue;
		said = gate_find(fs, f, severity, "GT013",
			"%.*s %.*s of the baseline is not found any more", STR_ARGS(k->rule),
			STR_ARGS(k->print));
		if (!said)
			continue;
		said->at = in_root ? path : str_of(g->baseline);
		said->at_line = k->line;
		said->key = k->print;
	}
}

/* --- writing --------------------------------------------------------------------------------- */

struct row {
	struct str rule, print, text, comment;
};

struct rows {
	VEC(struct row) at;
};

static int by_rule(const void *pa, const void *pb)
{
	const struct row *a = pa, *b = pb;
	int c = str_cmp(a->rule, b->rule);

	return c ? c : str_cmp(a->print, b->print);
}

static void add_row(struct gate *g, struct rows *rows, const char *rule, struct str print,
	struct str path, struct str sql)
{
	const struct known *k = find_known(g, rule, arena_cstr(&g->arena, print));
	struct row r = {str_of(rule), print, STR_NONE, k ? k->comment : STR_NONE};

	sql = utf8_clean(&g->arena, str_before(sql, 100));
	r.text = k ? k->text
		   : arena_printf(&g->arena, "%s %.*s %.*s%s%.*s", rule, STR_ARGS(print),
			     STR_ARGS(path), path.n && sql.n ? "  " : "", STR_ARGS(sql));
	char *line = arena_cstr(&g->arena, str_trim(r.text));
	for (char *p = line; *p; p++)
		*p = *p == '\n' || *p == '\r' ? ' ' : *p;
	r.text = str_of(line);
	*VEC_PUSH(&rows->at) = r;
}

static void gather(struct gate *g, const struct facts *f, const struct findings *fs,
	struct rows *rows)
{
	for (size_t i = 0; i < fs->at.n; i++) {
		const struct finding *x = &fs->at.at[i];
		bool known = x->suppressed && str_starts(x->suppress_reason, "known");
		struct gate_place at;
		if ((x->suppressed && !known) || (x->rule->scope == SCOPE_GATE && x->at.n))
			continue;
		at = gate_place(g, f, x);
		add_row(g, rows, x->rule->id, str_of(x->fingerprint),
			at.where == WHERE_SOURCE || at.where == WHERE_SQL ? at.path : STR("-"),
			x->shape != NO_SHAPE ? f->shape.at[x->shape]->norm
			: x->key.n	     ? x->key
					     : x->message);
	}
	for (size_t i = 0; g->conf.limit[LIMIT_NEW_SHAPES].value >= 0 && i < f->shape.n; i++)
		if (f->shape.at[i]->calls)
			add_row(g, rows, "shape", canonical_id(&g->arena, f->shape.at[i]), STR_NONE,
				f->shape.at[i]->norm);
	if (rows->at.n > 1)
		qsort(rows->at.at, rows->at.n, sizeof(*rows->at.at), by_rule);
}

static bool put_rows(struct gate *g, const struct rows *rows, FILE *to)
{
	if (g->head.n)
		fprintf(to, "%.*s\n", STR_ARGS(g->head));
	else
		fputs("# Findings that are known: they do not fail a build.  Written by pgassay\n"
		      "# --write-baseline; the first two words of a line count.  Comments "
		      "stay.\n\n",
			to);
	for (size_t i = 0; i < rows->at.n; i++) {
		const struct row *r = &rows->at.at[i];
		if (i && str_eq(rows->at.at[i - 1].print, r->print) &&
			str_eq(rows->at.at[i - 1].rule, r->rule))
			continue;
		fprintf(to, "%.*s%.*s\n", STR_ARGS(r->comment), STR_ARGS(r->text));
	}
	return fflush(to) == 0 && !ferror(to);
}

bool baseline_write(struct gate *g, const struct facts *f, const struct findings *fs)
{
	struct str beside = arena_printf(&g->arena, "%s.new", g->write_baseline);
	struct rows rows = {0};
	FILE *to = fopen(beside.p, "we");
	bool ok = to != NULL;

	if (ok) {
		gather(g, f, fs, &rows);
		ok = put_rows(g, &rows, to);
		ok = fclose(to) == 0 && ok;
		ok = ok && rename(beside.p, g->write_baseline) == 0;
	}
	if (ok)
		fprintf(stderr, "pgassay: %s: %zu lines\n", g->write_baseline, rows.at.n);
	else
		fprintf(stderr, "pgassay: %s: %s\n", g->write_baseline, strerror(errno));
	if (!ok && to)
		unlink(beside.p);
	VEC_RELEASE(&rows.at);
	return ok;
}
