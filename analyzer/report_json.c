/* SPDX-License-Identifier: ISC
 *
 * report_json: the contract of DESIGN and docs/report.schema.json: keys may be added, never
 * changed.  Times are milliseconds.  What is not about a shape: report_json_server.c.
 */
#include "report_json.h"

#include <jansson.h>

double json_ms(double usec)
{
	return usec / 1000;
}

json_t *json_time(int64_t ts)
{
	char buf[32];

	if (!ts)
		return json_null();
	time_format(ts, buf, sizeof(buf));
	return json_string(buf);
}

void json_quantiles(json_t *o, const struct sketch *s)
{
	static const struct {
		const char *key;
		double q;
	} qs[] = {{"p50_ms", .5}, {"p90_ms", .9}, {"p95_ms", .95}, {"p99_ms", .99},
		{"p999_ms", .999}};

	if (s->total == 0)
		return;
	js_set(o, "total_ms", js_real(json_ms((double)s->sum)));
	js_set(o, "mean_ms", js_real(json_ms(sketch_mean(s))));
	js_set(o, "stddev_ms", js_real(json_ms(sketch_stddev(s))));
	js_set(o, "min_ms", js_real(json_ms((double)s->min)));
	for (size_t i = 0; i < ARRAY_LEN(qs); i++)
		js_set(o, qs[i].key, js_real(json_ms(sketch_quantile(s, qs[i].q))));
	js_set(o, "max_ms", js_real(json_ms((double)s->max)));
}

/* The sketch itself, so that reports can be merged: bucket, count, bucket, count … */
json_t *json_sketch(const struct sketch *s)
{
	json_t *a = json_array();

	for (uint32_t i = 0; i < s->n; i++)
		if (s->count[i]) {
			js_add(a, js_int(s->lo + i));
			js_add(a, js_int((int64_t)s->count[i]));
		}
	return a;
}

json_t *json_places(struct report *r, const struct place *p, uint32_t n)
{
	json_t *a = json_array();

	for (uint32_t i = 0; i < n; i++) {
		json_t *o = json_object();
		struct str name = report_place(r, &p[i]);
		const char *colon = memrchr(name.p, ':', name.n);
		js_set(o, "file", js_str((struct str){name.p, (size_t)(colon - name.p)}));
		js_set(o, "line", js_int((int64_t)p[i].line));
		js_add(a, o);
	}
	return a;
}

static json_t *json_input(struct report *r)
{
	struct input *in = r->input;
	json_t *o = json_object(), *classes = json_object(), *files = json_array();
	uint64_t bytes = 0, entries = 0;

	for (int c = 0; in && c < LOG_CLASSES; c++) {
		bytes += in->bytes[c];
		entries += c == LOG_CONTINUATION || c == LOG_NOT_UNDERSTOOD ? 0 : in->entries[c];
		js_set(classes, log_class_name((enum log_class)c), js_int((int64_t)in->bytes[c]));
	}
	js_set(o, "bytes", js_int((int64_t)bytes));
	js_set(o, "entries", js_int((int64_t)entries));
	js_set(o, "statements", js_int((int64_t)r->facts->statements));
	js_set(o, "shapes", js_int((int64_t)r->shapes));
	js_set(o, "unparsed_shapes", js_int((int64_t)r->unparsed));
	js_set(o, "not_understood_bytes", js_int(in ? (int64_t)in->bytes[LOG_NOT_UNDERSTOOD] : 0));
	js_set(o, "without_duration", js_int((int64_t)r->facts->no_duration));
	js_set(o, "lower_bounds",
		json_boolean(r->facts->lower_bounds || facts_has_threshold(r->facts) ||
			     facts_is_sampled(r->facts)));
	js_set(o, "by_class", classes);
	js_set(o, "first", json_time(r->facts->first_ts));
	js_set(o, "last", json_time(r->facts->last_ts));
	for (size_t i = 0; in && i < in->file.n; i++) {
		const struct input_file *f = in->file.at[i];
		json_t *x = json_object();
		js_set(x, "name", js_str(str_of(f->name)));
		js_set(x, "format", f->format ? js_str(str_of(f->format->name)) : json_null());
		if (f->format && f->format->prefix) {
			js_set(x, "prefix", js_str(str_of(prefix_text(f->format->prefix))));
			js_set(x, "prefix_fit", js_int(f->prefix_fit));
			if (f->prefix_doubt)
				js_set(x, "prefix_doubt", js_str(str_of(f->prefix_doubt)));
		}
		js_set(x, "bytes", js_int((int64_t)f->bytes));
		js_set(x, "lines", js_int((int64_t)f->lines));
		js_add(files, x);
	}
	js_set(o, "files", files);
	return o;
}

static void set_samples(struct report *r, json_t *o, const struct shape *s)
{
	json_t *a = json_array();

	for (uint32_t i = 0; i < s->samples; i++) {
		const struct sample *x = &s->slow[i];
		json_t *k = json_object();
		struct str params = report_params(r, x->params);
		js_set(k, "ms", x->usec >= 0 ? js_real(json_ms((double)x->usec)) : json_null());
		js_set(k, "time", json_time(x->ts));
		js_set(k, "sql", js_str(report_sample(r, s, x, 0)));
		if (params.p)
			js_set(k, "parameters", js_str(params));
		js_set(k, "user", js_str(facts_name(r->facts, x->user)));
		js_set(k, "database", js_str(facts_name(r->facts, x->db)));
		js_set(k, "application", js_str(facts_name(r->facts, x->app)));
		js_set(k, "locations", json_places(r, &x->at, 1));
		js_add(a, k);
	}
	js_set(o, "samples", a);
}

void json_set_if(json_t *o, const char *key, uint64_t v)
{
	if (v)
		js_set(o, key, js_int((int64_t)v));
}

static json_t *json_hours(const struct shape *s)
{
	json_t *a = json_array();

	for (size_t i = 0; i < s->hour.n; i++) {
		const struct shape_hour *h = &s->hour.at[i];
		json_t *o = json_object();
		js_set(o, "hour", js_int(h->hour));
		js_set(o, "calls", js_int((int64_t)h->calls));
		js_set(o, "ms", js_real(json_ms((double)h->usec)));
		js_set(o, "max_ms", js_real(json_ms((double)h->max)));
		js_add(a, o);
	}
	return a;
}

static json_t *json_shape(struct report *r, const struct shape *s)
{
	json_t *o = json_object(), *by = json_object();
	static const char *const kinds[] = {"user", "database", "application", "host"};

	js_set(o, "id", js_str(str_of(s->id)));
	js_set(o, "sql", js_str(report_shape_sql(r, s)));
	js_set(o, "verb", js_str(str_of(sql_verb_name(s->verb))));
	js_set(o, "calls", js_int((int64_t)s->calls));
	json_quantiles(o, &s->time);
	if (s->plan_usec)
		js_set(o, "planning_ms", js_real(json_ms((double)s->plan_usec)));
	if (s->rows_calls) {
		js_set(o, "rows", js_int((int64_t)s->rows));
		js_set(o, "max_rows", js_int((int64_t)s->max_rows));
		js_set(o, "bytes_in", js_int((int64_t)s->bytes_in));
		js_set(o, "bytes_out", js_int((int64_t)s->bytes_out));
		js_set(o, "wait_ms", js_real(json_ms((double)s->wait_usec)));
	}
	json_set_if(o, "errors", s->errors);
	json_set_if(o, "cancels", s->cancels);
	json_set_if(o, "temp_files", s->temp_files);
	json_set_if(o, "temp_bytes", s->temp_bytes);
	json_set_if(o, "temp_largest_bytes", s->temp_largest);
	json_set_if(o, "lock_waits", s->lock_waits);
	if (s->lock_usec)
		js_set(o, "lock_ms", js_real(json_ms((double)s->lock_usec)));
	if (s->lock_longest)
		js_set(o, "lock_longest_ms", js_real(json_ms((double)s->lock_longest)));
	js_set(o, "first", json_time(s->first_ts));
	js_set(o, "last", json_time(s->last_ts));
	if (s->unparsed.p)
		js_set(o, "unparsed", js_str(report_reason(r, s->unparsed)));
	for (size_t i = 0; i < s->tally.n; i++) {
		const struct tally *t = &s->tally.at[i];
		json_t *k = json_object_get(by, kinds[t->kind]);
		struct text name = {0};
		if (!k) {
			k = json_object();
			js_set(by, kinds[t->kind], k);
		}
		text_str(&name, utf8_clean(&r->arena, facts_name(r->facts, t->name)));
		text_char(&name, '\0');
		js_set(k, name.p, js_int((int64_t)t->calls));
		text_release(&name);
	}
	js_set(o, "calls_by", by);
	js_set(o, "hours", json_hours(s));
	if (s->hour_step > 1)
		js_set(o, "hour_step", js_int(s->hour_step));
	js_set(o, "locations", json_places(r, s->place, s->places));
	set_samples(r, o, s);
	js_set(o, "sketch", json_sketch(&s->time));
	return o;
}

static json_t *json_names(struct report *r, const uint32_t *name, uint32_t n)
{
	json_t *a = json_array();

	for (uint32_t i = 0; i < n; i++)
		js_add(a, js_str(facts_name(r->facts, name[i])));
	return a;
}

/* The tests of a suite, each with its calls of each shape: what `pgassay diff` compares. */
static json_t *json_tests(struct report *r)
{
	json_t *a = json_array();

	for (size_t i = 0; i < r->facts->test.n; i++) {
		const struct test *t = &r->facts->test.at[i];
		json_t *o = json_object(), *calls = json_object();
		js_set(o, "name", js_str(facts_name(r->facts, t->name)));
		js_set(o, "runs", js_int((int64_t)t->runs));
		js_set(o, "queries", js_int((int64_t)t->queries));
		js_set(o, "ms", js_real(json_ms((double)t->usec)));
		for (uint32_t k = t->first; k != UINT32_MAX; k = r->facts->test_call.at[k].next) {
			const struct test_call *c = &r->facts->test_call.at[k];
			js_set(calls, r->facts->shape.at[c->shape]->id, js_int((int64_t)c->calls));
		}
		js_set(o, "calls", calls);
		js_add(a, o);
	}
	return a;
}

static json_t *json_finding(struct report *r, const struct finding *x)
{
	json_t *o = json_object(), *fix = json_object();

	js_set(o, "rule", js_str(str_of(x->rule->id)));
	js_set(o, "name", js_str(str_of(x->rule->name)));
	js_set(o, "severity", js_str(str_of(severity_name(x->severity))));
	js_set(o, "confidence", js_str(str_of(confidence_name(x->confidence))));
	js_set(o, "message", js_str(x->message));
	js_set(o, "shape",
		x->shape != NO_SHAPE ? js_str(str_of(r->facts->shape.at[x->shape]->id))
				     : json_null());
	js_set(o, "count", js_int((int64_t)x->count));
	js_set(o, "evidence", json_incref(x->evidence));
	js_set(o, "locations", json_places(r, x->place, x->places));
	if (x->source_file.p) {
		json_t *src = json_object();
		js_set(src, "file", js_str(x->source_file));
		js_set(src, "line", js_int(x->source_line));
		js_set(o, "source", src);
	}
	js_set(fix, "sql", x->fix_sql.p ? js_str(report_sql(r, x->fix_sql, 0)) : json_null());
	js_set(fix, "note", x->fix_note.p ? js_str(x->fix_note) : json_null());
	if (x->source_action.n)
		js_set(o, "action", js_str(x->source_action));
	js_set(o, "fingerprint", js_str(str_of(x->fingerprint)));
	js_set(o, "tests", json_names(r, x->test, x->tests));
	js_set(o, "fix", fix);
	js_set(o, "index", x->index >= 0 ? js_int(x->index) : json_null());
	return o;
}

static json_t *json_strings(const struct str *s, size_t n)
{
	json_t *a = json_array();

	for (size_t i = 0; i < n; i++)
		js_add(a, js_str(s[i]));
	return a;
}

static json_t *json_index(struct report *r, const struct index_advice *x)
{
	static const char *const status[] = {"unvalidated", "validated", "existing"};
	json_t *o = json_object(), *q = json_array(), *costs = json_array();

	js_set(o, "ddl", js_str(x->ddl));
	js_set(o, "table", js_str(x->table));
	js_set(o, "method", js_str(x->method));
	js_set(o, "columns", json_strings(x->column, x->columns));
	js_set(o, "include", json_strings(x->include, x->includes));
	js_set(o, "where", x->where.p ? js_str(x->where) : json_null());
	js_set(o, "status", js_str(str_of(status[x->status])));
	js_set(o, "cost_before", x->cost_before >= 0 ? js_real(x->cost_before) : json_null());
	js_set(o, "cost_after", x->cost_after >= 0 ? js_real(x->cost_after) : json_null());
	js_set(o, "size_bytes", x->size_bytes >= 0 ? js_int(x->size_bytes) : json_null());
	if (x->size_least >= 0) {
		js_set(o, "size_least_bytes", js_int(x->size_least));
		js_set(o, "size_most_bytes", js_int(x->size_most));
	}
	for (size_t i = 0; i < x->query.n; i++)
		js_add(q, js_str(str_of(r->facts->shape.at[x->query.at[i]]->id)));
	js_set(o, "queries", q);
	for (size_t i = 0; i < x->gain.n; i++) {
		json_t *one = json_object();

		js_set(one, "before", js_real(x->gain.at[i].before));
		js_set(one, "after", js_real(x->gain.at[i].after));
		js_add(costs, one);
	}
	js_set(o, "query_costs", costs);
	js_set(o, "replaces", json_strings(x->replaces.at, x->replaces.n));
	js_set(o, "online", json_strings(x->online.at, x->online.n));
	js_set(o, "why", js_str(x->why));
	return o;
}

/* What somebody excused or the baseline knows: that it is there, and why it does not count. */
static json_t *json_suppressed(struct report *r)
{
	json_t *a = json_array();

	for (size_t i = 0; i < r->findings->at.n; i++) {
		const struct finding *x = &r->findings->at.at[i];
		json_t *o;
		if (!x->suppressed)
			continue;
		o = json_object();
		js_set(o, "rule", js_str(str_of(x->rule->id)));
		js_set(o, "fingerprint", js_str(str_of(x->fingerprint)));
		js_set(o, "reason", js_str(x->suppress_reason));
		js_add(a, o);
	}
	return a;
}

json_t *report_tree(struct report *r)
{
	json_t *o = json_object(), *shapes = json_array(), *finds = json_array(),
	       *indexes = json_array(), *notes = json_array();

	js_set(o, "version", js_int(1));
	js_set(o, "tool", js_str(STR("pgassay " PGSLUICE_VERSION)));
	js_set(o, "command", js_str(str_of(r->command)));
	js_set(o, "input", json_input(r));
	js_set(o, "quantile_error", js_real(SKETCH_ERROR));
	for (size_t i = 0; i < r->note.n; i++)
		js_add(notes, js_str(r->note.at[i].text));
	js_set(o, "notes", notes);
	for (size_t i = 0; i < r->shapes; i++)
		js_add(shapes, json_shape(r, r->facts->shape.at[r->shape[i]]));
	js_set(o, "shapes", shapes);
	for (size_t i = 0; i < r->findings->at.n; i++)
		if (!r->findings->at.at[i].suppressed)
			js_add(finds, json_finding(r, &r->findings->at.at[i]));
	js_set(o, "findings", finds);
	js_set(o, "suppressed", json_suppressed(r));
	for (size_t i = 0; i < r->findings->index.n; i++)
		js_add(indexes, json_index(r, &r->findings->index.at[i]));
	js_set(o, "indexes", indexes);
	js_set(o, "plans", r->plans ? json_incref(r->plans) : json_array());
	json_add_server(r, o);
	if (r->facts->test.n)
		js_set(o, "tests", json_tests(r));
	return o;
}

struct sink {
	struct text text;
	FILE *to;
};

/* jansson hands out every bracket and blank by itself: they are gathered. */
static int put(const char *p, size_t n, void *to)
{
	struct sink *s = to;

	text_add(&s->text, p, n);
	if (s->text.n >= 65536) {
		fwrite(s->text.p, 1, s->text.n, s->to);
		text_clear(&s->text);
	}
	return 0;
}

#define COMPACT (JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(15))

/* One line for each element of a list, without blanks: a sketch has hundreds of numbers, and with a
 * line for each the report was more white space than content. */
static void put_list(struct sink *s, const json_t *list)
{
	size_t i, n = json_array_size(list);

	text_puts(&s->text, n ? "[\n" : "[]");
	for (i = 0; i < n; i++) {
		json_dump_callback(json_array_get(list, i), put, s, COMPACT);
		text_puts(&s->text, i + 1 < n ? ",\n" : "\n]");
	}
}

void report_json(struct report *r, FILE *to)
{
	json_t *o = report_tree(r), *v;
	struct sink s = {.to = to};
	const char *key, *between = "{\n";

	json_object_foreach(o, key, v)
	{
		text_printf(&s.text, "%s\"%s\":", between, key);
		if (json_is_array(v))
			put_list(&s, v);
		else
			json_dump_callback(v, put, &s, COMPACT);
		between = ",\n";
	}
	text_puts(&s.text, "\n}\n");
	fwrite(s.text.p, 1, s.text.n, to);
	text_release(&s.text);
	json_decref(o);
}
