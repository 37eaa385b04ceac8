/* SPDX-License-Identifier: ISC
 *
 * pgassay merge: the JSON reports of many hosts or days -> the report one run would have made.
 *
 * Counts, sums and sketches are those of the union, exactly: the sketches are in the reports.
 * Findings of the same rule on the same shape become one; samples are the slowest of all.  What
 * a report does not hold (other samples, the schema) cannot come back.
 */
#include "main.h"
#include "main_merge.h"

#include <jansson.h>
#include <math.h>

/* --- one shape -------------------------------------------------------------------- */

uint64_t merge_usec(const json_t *o, const char *key)
{
	return (uint64_t)llround(js_get_real(o, key) * 1000);
}

static enum sql_verb verb_of(struct str name)
{
	for (int v = 0; v < SQL_VERBS; v++)
		if (str_is(name, sql_verb_name((enum sql_verb)v)))
			return (enum sql_verb)v;
	return SQL_OTHER;
}

uint32_t merge_shape(struct merger *m, struct str id, const json_t *o)
{
	struct facts *f = m->facts;
	char hex[17] = "";
	uint32_t *at;

	if (id.n != 16)
		return NO_SHAPE;
	memcpy(hex, id.p, 16);
	uint64_t hash = strtoull(hex, NULL, 16);
	at = map_put(&f->shape_of, hash);
	if (*at == MAP_NONE) {
		struct shape *s = ARENA_NEW(&f->arena, struct shape);
		*at = (uint32_t)f->shape.n;
		*VEC_PUSH(&f->shape) = s;
		s->hash = hash;
		memcpy(s->id, hex, sizeof(hex));
		s->norm = s->example = STR("");
		s->max_limit = s->max_offset = SQL_ABSENT;
	}
	struct shape *s = f->shape.at[*at];
	if (o && !s->norm.n) {
		s->norm = s->example = arena_str(&f->arena, js_get_str(o, "sql"));
		s->verb = verb_of(js_get_str(o, "verb"));
	}
	return *at;
}

int64_t merge_time(const json_t *o, const char *key)
{
	struct str s = js_get_str(o, key);
	int64_t t = 0;

	return s.n && time_parse(s.p, s.n, &t) ? t : 0;
}

void merge_widen(int64_t *first, int64_t *last, const json_t *o)
{
	int64_t a = merge_time(o, "first"), b = merge_time(o, "last");

	if (a && (!*first || a < *first))
		*first = a;
	if (b > *last)
		*last = b;
}

/* Files of the reports get a place in the merged report's own list. */
static uint32_t file_of(struct merger *m, struct str name)
{
	for (size_t i = 0; i < m->in->file.n; i++)
		if (str_is(name, m->in->file.at[i]->name))
			return (uint32_t)i;
	struct input_file *f = mem_zalloc(sizeof(*f));
	f->name = str_dup(name);
	*VEC_PUSH(&m->in->file) = f;
	return (uint32_t)m->in->file.n - 1;
}

static uint32_t read_places(struct merger *m, const json_t *list, struct place *out, uint32_t n)
{
	size_t i;
	json_t *x;

	json_array_foreach(list, i, x) if (n < PLACE_MAX) out[n++] =
		(struct place){file_of(m, js_get_str(x, "file")), (uint64_t)js_get_int(x, "line")};
	return n;
}

struct place merge_place(struct merger *m, const json_t *list)
{
	struct place one[PLACE_MAX] = {{0, 0}};

	read_places(m, list, one, 0);
	return one[0];
}

static void read_samples(struct merger *m, struct shape *s, const json_t *list)
{
	size_t i;
	json_t *x;

	json_array_foreach(list, i, x)
	{
		int64_t usec =
			json_is_null(json_object_get(x, "ms")) ? -1 : (int64_t)merge_usec(x, "ms");
		struct str params = js_get_str(x, "parameters");
		uint32_t at = s->samples;
		while (at > 0 && s->slow[at - 1].usec < usec)
			at--;
		if (at >= SAMPLE_MAX)
			continue;
		if (s->samples == SAMPLE_MAX) {
			free(s->slow[SAMPLE_MAX - 1].sql);
			free(s->slow[SAMPLE_MAX - 1].params);
		} else {
			s->samples++;
		}
		memmove(&s->slow[at + 1], &s->slow[at], (s->samples - 1 - at) * sizeof(s->slow[0]));
		s->slow[at] = (struct sample){.usec = usec,
			.ts = merge_time(x, "time"),
			.user = names_id(&m->facts->names, js_get_str(x, "user")),
			.db = names_id(&m->facts->names, js_get_str(x, "database")),
			.app = names_id(&m->facts->names, js_get_str(x, "application")),
			.sql = str_dup(js_get_str(x, "sql")),
			.params = params.p ? str_dup(params) : NULL};
		s->slow[at].at = merge_place(m, json_object_get(x, "locations"));
	}
}

static void read_hours(struct shape *s, const json_t *list, int64_t step)
{
	size_t i;
	json_t *x;

	shape_hours_coarsen(s, step);
	json_array_foreach(list, i, x)
	{
		struct shape_hour *h = facts_shape_hour(s, js_get_int(x, "hour"));
		uint64_t most = merge_usec(x, "max_ms");
		h->calls += (uint64_t)js_get_int(x, "calls");
		h->usec += merge_usec(x, "ms");
		h->max = most > h->max ? most : h->max;
	}
}

static void read_tally(struct merger *m, struct shape *s, const json_t *by)
{
	static const char *const kinds[] = {"user", "database", "application", "host"};
	const char *name;
	json_t *n;

	for (int k = GROUP_USER; k <= GROUP_HOST; k++)
		json_object_foreach(json_object_get(by, kinds[k]), name, n)
			facts_tally(s, (enum group_kind)k, names_id(&m->facts->names, str_of(name)),
				(uint64_t)json_integer_value(n), 0);
}

static uint64_t most(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static void read_shape(struct merger *m, const json_t *o)
{
	uint32_t at = merge_shape(m, js_get_str(o, "id"), o);
	struct sketch time = {0};
	struct shape *s;

	if (at == NO_SHAPE)
		return;
	s = m->facts->shape.at[at];
	report_read_sketch(o, &time);
	sketch_merge(&s->time, &time);
	sketch_release(&time);
	s->calls += (uint64_t)js_get_int(o, "calls");
	s->plan_usec += merge_usec(o, "planning_ms");
	s->errors += (uint64_t)js_get_int(o, "errors");
	s->cancels += (uint64_t)js_get_int(o, "cancels");
	s->temp_files += (uint64_t)js_get_int(o, "temp_files");
	s->temp_bytes += (uint64_t)js_get_int(o, "temp_bytes");
	s->lock_waits += (uint64_t)js_get_int(o, "lock_waits");
	s->lock_usec += merge_usec(o, "lock_ms");
	s->temp_largest = most(s->temp_largest, (uint64_t)js_get_int(o, "temp_largest_bytes"));
	s->lock_longest = most(s->lock_longest, merge_usec(o, "lock_longest_ms"));
	if (json_object_get(o, "rows")) {
		uint64_t most = (uint64_t)js_get_int(o, "max_rows");
		s->rows += (uint64_t)js_get_int(o, "rows");
		s->rows_calls += (uint64_t)js_get_int(o, "calls");
		s->max_rows = most > s->max_rows ? most : s->max_rows;
		s->bytes_in += (uint64_t)js_get_int(o, "bytes_in");
		s->bytes_out += (uint64_t)js_get_int(o, "bytes_out");
		s->wait_usec += merge_usec(o, "wait_ms");
	}
	merge_widen(&s->first_ts, &s->last_ts, o);
	read_hours(s, json_object_get(o, "hours"), js_get_int(o, "hour_step"));
	if (js_get_str(o, "unparsed").p && !s->unparsed.p) {
		s->unparsed = arena_str(&m->facts->arena, js_get_str(o, "unparsed"));
		m->unparsed++;
	}
	s->places = read_places(m, json_object_get(o, "locations"), s->place, s->places);
	read_samples(m, s, json_object_get(o, "samples"));
	read_tally(m, s, json_object_get(o, "calls_by"));
}

/* --- findings ------------------------------------------------------------------------ */

static struct finding *same_finding(struct findings *f, const struct rule *r, uint32_t shape,
	struct str message)
{
	for (size_t i = 0; i < f->at.n; i++)
		if (f->at.at[i].rule == r && f->at.at[i].shape == shape &&
			(shape != NO_SHAPE || str_eq(f->at.at[i].message, message)))
			return &f->at.at[i];
	return NULL;
}

static void read_finding(struct merger *m, const json_t *o)
{
	struct str id = js_get_str(o, "rule"), fix = js_get_str(json_object_get(o, "fix"), "sql"),
		   note = js_get_str(json_object_get(o, "fix"), "note");
	const struct rule *rule = id.p ? rule_by_id(id.p) : NULL;
	uint32_t shape = merge_shape(m, js_get_str(o, "shape"), NULL);
	struct finding *x;

	if (!rule)
		return;
	x = same_finding(m->found, rule, shape, js_get_str(o, "message"));
	if (x) {
		x->count += (uint64_t)js_get_int(o, "count");
		return;
	}
	struct rule_check c = {.rule = rule, .findings = m->found, .facts = m->facts};
	severity_parse(js_get_str(o, "severity").p, &c.severity);
	enum confidence sure = str_is(js_get_str(o, "confidence"), "certain")  ? CONF_CERTAIN
			       : str_is(js_get_str(o, "confidence"), "likely") ? CONF_LIKELY
									       : CONF_POSSIBLE;
	x = rule_find(&c, sure, "%.*s", STR_ARGS(js_get_str(o, "message")));
	x->shape = shape;
	x->count = (uint64_t)js_get_int(o, "count");
	x->weight = shape != NO_SHAPE ? (double)m->facts->shape.at[shape]->time.sum : 0;
	json_decref(x->evidence);
	x->evidence = json_deep_copy(json_object_get(o, "evidence"));
	x->places = read_places(m, json_object_get(o, "locations"), x->place, 0);
	struct str print = js_get_str(o, "fingerprint");
	if (print.n == 16)
		memcpy(x->fingerprint, print.p, 16);
	const json_t *source = json_object_get(o, "source");
	if (source)
		x->source_file = arena_str(&m->found->arena, js_get_str(source, "file"));
	x->source_line = (uint32_t)js_get_int(source, "line");
	x->tests = 0;
	for (size_t i = 0; i < json_array_size(json_object_get(o, "tests")); i++) {
		json_t *t = json_array_get(json_object_get(o, "tests"), i);
		names_least(m->facts, x->test, &x->tests, TESTS_MAX,
			names_id(&m->facts->names, str_of(json_string_value(t))));
	}
	finding_fix(m->found, x, fix, "%.*s", STR_ARGS(note));
}

static void read_report(struct merger *m, const json_t *o)
{
	const json_t *input = json_object_get(o, "input"), *classes;
	size_t i;
	json_t *x;

	json_array_foreach(json_object_get(input, "files"), i, x) file_of(m, js_get_str(x, "name"));
	json_array_foreach(json_object_get(o, "shapes"), i, x) read_shape(m, x);
	json_array_foreach(json_object_get(o, "findings"), i, x) read_finding(m, x);
	merge_server(m, o);
	m->facts->statements += (uint64_t)js_get_int(input, "statements");
	m->facts->no_duration += (uint64_t)js_get_int(input, "without_duration");
	merge_widen(&m->facts->first_ts, &m->facts->last_ts, input);
	m->facts->lower_bounds |= json_is_true(json_object_get(input, "lower_bounds"));
	classes = json_object_get(input, "by_class");
	for (int c = 0; c < LOG_CLASSES; c++)
		m->in->bytes[c] += (uint64_t)js_get_int(classes, log_class_name((enum log_class)c));
	m->in->entries[LOG_OTHER] += (uint64_t)js_get_int(input, "entries");
	m->facts->has_session = true; /* what a report lacked it has said itself */
}

enum exit_status run_merge(struct options *o)
{
	struct input in = {0};
	struct findings found = {0};
	struct facts *f = facts_new(&in);
	struct merger m = {.facts = f, .found = &found, .in = &in};
	struct report r = {.facts = f, .findings = &found, .input = &in, .command = "merge"};
	enum exit_status status = EXIT_CLEAN;

	if (o->file.n == 0) {
		fprintf(stderr, "pgassay: which reports?  `pgassay merge REPORT.json…`\n");
		status = EXIT_USAGE;
	}
	for (size_t i = 0; i < o->file.n && status == EXIT_CLEAN; i++) {
		bool is_stdin = strcmp(o->file.at[i], "-") == 0;
		json_error_t e;
		json_t *report =
			is_stdin ? json_loadf(stdin, 0, &e) : json_load_file(o->file.at[i], 0, &e);
		if (js_get_int(report, "version") != 1 || !json_object_get(report, "shapes")) {
			fprintf(stderr, "pgassay: %s is not a JSON report of pgassay\n",
				o->file.at[i]);
			status = EXIT_INPUT;
		} else {
			read_report(&m, report);
		}
		json_decref(report);
	}
	if (status == EXIT_CLEAN) {
		series_finish(f);
		r.unparsed = m.unparsed;
		status = options_report(o, &r);
		if (!options_store(o, &r))
			status = EXIT_FAILED;
		report_release(&r);
	}
	findings_release(&found);
	facts_free(&f);
	input_release(&in);
	return status;
}
