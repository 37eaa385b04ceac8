/* SPDX-License-Identifier: ISC
 *
 * rule_find: findings, from a check's word to the ordered list.
 */
#include "rule.h"

#include <jansson.h>

const char *severity_name(enum severity s)
{
	static const char *const names[] = {"off", "info", "warning", "error"};

	return names[s];
}

const char *confidence_name(enum confidence c)
{
	static const char *const names[] = {"possible", "likely", "certain"};

	return names[c];
}

bool severity_parse(const char *word, enum severity *s)
{
	if (strcmp(word, "never") == 0) {
		*s = SEVERITY_OFF;
		return true;
	}
	for (int i = SEVERITY_OFF; i <= SEVERITY_ERROR; i++)
		if (strcmp(word, severity_name((enum severity)i)) == 0) {
			*s = (enum severity)i;
			return true;
		}
	return false;
}

/* Where the application sent it from: the longest run's place, else the shape's busiest. */
static void find_origin(const struct rule_check *c, struct finding *x)
{
	const struct origin *from = NULL;

	if (c->run && c->run->origin != NO_ORIGIN)
		from = &c->facts->origin.at[c->run->origin];
	else if (c->shape && c->facts)
		from = shape_origin(c->facts, c->shape);
	if (from && from->file)
		x->source_file = facts_name(c->facts, from->file);
	if (from && from->action)
		x->source_action = facts_name(c->facts, from->action);
	x->source_line = from ? from->line : 0;
	if (c->run) {
		x->tests = c->run->tests;
		memcpy(x->test, c->run->test, sizeof(x->test));
	} else {
		x->tests = c->shape ? shape_tests(c->facts, c->shape_at, x->test) : 0;
	}
}

struct finding *rule_find(struct rule_check *c, enum confidence conf, const char *fmt, ...)
{
	struct findings *fs = c->findings;
	struct finding *x = VEC_PUSH(&fs->at);
	struct text t = {0};
	va_list ap;

	memset(x, 0, sizeof(*x));
	va_start(ap, fmt);
	text_vprintf(&t, fmt, ap);
	va_end(ap);
	x->rule = c->rule;
	x->severity = c->severity;
	x->confidence = conf;
	x->shape = c->shape ? c->shape_at : NO_SHAPE;
	x->message = arena_str(&fs->arena, text_slice(&t));
	x->evidence = json_object();
	x->index = -1;
	x->key = STR("");
	text_release(&t);
	if (c->run) {
		x->count = c->run->calls;
		x->weight = (double)(c->run->usec + c->run->gap_usec);
		x->places = c->run->places;
		memcpy(x->place, c->run->place, sizeof(x->place));
	} else if (c->variant) {
		x->count = c->variant->calls;
		x->places = c->variant->places;
		memcpy(x->place, c->variant->place, sizeof(x->place));
	} else if (c->shape) {
		x->count = c->shape->calls;
		x->weight = (double)c->shape->time.sum;
		x->places = c->shape->places;
		memcpy(x->place, c->shape->place, sizeof(x->place));
	}
	find_origin(c, x);
	return x;
}

static uint64_t identity(const struct finding *x)
{
	return str_hash(x->message) * 31 + str_hash(x->key) * 7 + x->shape * 131u +
	       (uint64_t)(x->rule - rules);
}

void findings_join(struct findings *f, struct map *seen, size_t from)
{
	size_t to = from;

	for (size_t i = from; i < f->at.n; i++) {
		struct finding *x = &f->at.at[i];
		uint32_t *at = map_put(seen, identity(x));
		bool full = *at < from && f->at.at[*at].places + x->places > PLACE_MAX;
		if (*at == MAP_NONE || full) { /* every place is told */
			*at = (uint32_t)to;
			f->at.at[to++] = *x;
			continue;
		}
		struct finding *same = &f->at.at[*at];
		if (*at >= from) { /* said twice of one text */
			json_decref(x->evidence);
			continue;
		}
		same->count += x->count;
		for (uint32_t k = 0; k < x->places; k++)
			same->place[same->places++] = x->place[k];
		json_decref(x->evidence);
	}
	f->at.n = to;
}

/* Is it a statement or an expression that PostgreSQL's grammar takes? */
static bool is_sql(struct str sql)
{
	struct arena a = {0};
	struct err why;
	bool ok = sql_parse(&a, sql, &why) != NULL || sql_parse_expr(&a, sql, &why) != NULL;

	arena_release(&a);
	return ok;
}

/* A rewrite that does not parse is not printed. */
void finding_fix(struct findings *fs, struct finding *x, struct str sql, const char *note, ...)
{
	struct text t = {0};
	va_list ap;

	va_start(ap, note);
	text_vprintf(&t, note, ap);
	va_end(ap);
	x->fix_sql = sql.n && is_sql(sql) ? arena_str(&fs->arena, sql) : STR_NONE;
	x->fix_note = t.n ? arena_str(&fs->arena, text_slice(&t)) : STR_NONE;
	text_release(&t);
}

void finding_int(struct finding *x, const char *key, int64_t v)
{
	js_set(x->evidence, key, js_int(v));
}

void finding_real(struct finding *x, const char *key, double v)
{
	js_set(x->evidence, key, js_real(v));
}

void finding_str(struct finding *x, const char *key, struct str v)
{
	js_set(x->evidence, key, js_str(v));
}

bool finding_has(const struct finding *x, const char *key)
{
	return json_object_get(x->evidence, key) != NULL;
}

/* --- order and gate ------------------------------------------------------------------ */

static int compare(const void *pa, const void *pb)
{
	const struct finding *a = pa, *b = pb;

	if (a->severity != b->severity)
		return a->severity > b->severity ? -1 : 1;
	if (a->confidence != b->confidence)
		return a->confidence > b->confidence ? -1 : 1;
	if (a->weight < b->weight || a->weight > b->weight)
		return a->weight > b->weight ? -1 : 1;
	int c = strcmp(a->rule->id, b->rule->id);
	if (c)
		return c;
	if (a->shape != b->shape)
		return a->shape < b->shape ? -1 : 1;
	return str_cmp(a->message, b->message);
}

void findings_sort(struct findings *f)
{
	if (f->at.n > 1)
		qsort(f->at.at, f->at.n, sizeof(*f->at.at), compare);
}

bool findings_fail(const struct findings *f, enum severity gate)
{
	for (size_t i = 0; i < f->at.n && gate != SEVERITY_OFF; i++) {
		const struct finding *x = &f->at.at[i];
		if (!x->suppressed && x->severity >= gate && x->confidence >= CONF_LIKELY)
			return true;
	}
	return false;
}

void index_advice_release(struct index_advice *x)
{
	VEC_RELEASE(&x->query);
	VEC_RELEASE(&x->gain);
	VEC_RELEASE(&x->replaces);
	VEC_RELEASE(&x->online);
}

void findings_release(struct findings *f)
{
	for (size_t i = 0; i < f->at.n; i++)
		json_decref(f->at.at[i].evidence);
	for (size_t i = 0; i < f->index.n; i++)
		index_advice_release(&f->index.at[i]);
	VEC_RELEASE(&f->at);
	VEC_RELEASE(&f->index);
	arena_release(&f->arena);
}
