/* SPDX-License-Identifier: ISC
 *
 * report_html: one file that needs nothing else: the JSON report, the script that shows it, the
 * chart library (Debian's libjs-chart.js), the style sheet.
 *
 * A content security policy names the hashes of exactly these scripts and this style: nothing
 * else runs, whatever a statement in the log contains.  The JSON stands in a script element of
 * type application/json, where only `</script` and `<!--` could end it: `<` is written as \u003c.
 */
#include "report.h"

#include "report_assets.h"

#include <jansson.h>
#include <math.h>

struct sink {
	FILE *to;
};

/* JSON inside a script element: no `<` ever reaches the parser of HTML. */
static int put_json(const char *p, size_t n, void *ctx)
{
	struct sink *s = ctx;
	const char *end = p + n;

	while (p < end) {
		const char *lt = memchr(p, '<', (size_t)(end - p));
		size_t plain = (size_t)((lt ? lt : end) - p);
		fwrite(p, 1, plain, s->to);
		p += plain;
		if (lt) {
			fputs("\\u003c", s->to);
			p++;
		}
	}
	return 0;
}

static void put_asset(FILE *to, const struct report_asset *a)
{
	fwrite(a->text, 1, a->size, to);
}

/* A sketch is for merging; a picture needs a quarter of a power of two: [row, count, …] with
 * row = floor(4 log2 µs). */
static json_t *histogram(const json_t *sketch)
{
	json_t *out = json_array();
	int64_t row = -1, sum = 0;

	for (size_t i = 0; i + 1 < json_array_size(sketch); i += 2) {
		uint64_t low =
			sketch_bucket_low((uint32_t)json_integer_value(json_array_get(sketch, i)));
		int64_t at = low ? (int64_t)floor(log2((double)low) * 4) : 0;
		if (at != row && sum > 0) {
			js_add(out, js_int(row));
			js_add(out, js_int(sum));
			sum = 0;
		}
		row = at;
		sum += json_integer_value(json_array_get(sketch, i + 1));
	}
	if (sum > 0) {
		js_add(out, js_int(row));
		js_add(out, js_int(sum));
	}
	return out;
}

static void keep_first(json_t *array, size_t n)
{
	while (json_array_size(array) > n)
		json_array_remove(array, json_array_size(array) - 1);
}

static void cut_text(json_t *o, const char *key, size_t most)
{
	struct str s = js_get_str(o, key);

	if (s.n > most) {
		struct text t = {0};
		text_str(&t, utf8_before(s, most));
		text_puts(&t, " …");
		js_set(o, key, js_str(text_slice(&t)));
		text_release(&t);
	}
}

/* --- time ------------------------------------------------------------------------------- */

#define ROWS_MAX 1500
#define SPARKS	 32

static int64_t at_of(const json_t *list, size_t i, const char *key)
{
	return js_get_int(json_array_get(list, i), key);
}

static void span(const json_t *list, const char *key, int64_t *first, int64_t *last)
{
	*first = INT64_MAX;
	*last = INT64_MIN;
	for (size_t i = 0; i < json_array_size(list); i++) {
		int64_t at = at_of(list, i, key);
		*first = at < *first ? at : *first;
		*last = at > *last ? at : *last;
	}
}

static void add_numbers(json_t *into, const json_t *from, const char *but)
{
	const char *key;
	json_t *v;

	json_object_foreach((json_t *)(uintptr_t)from, key, v)
	{
		json_t *had = json_object_get(into, key);
		if (json_is_integer(v) && strcmp(key, but) != 0)
			js_set(into, key, js_int(json_integer_value(had) + json_integer_value(v)));
		else if (json_is_real(v))
			js_set(into, key, js_real(json_number_value(had) + json_number_value(v)));
	}
	v = json_object_get(from, "heat");
	json_t *heat = json_object_get(into, "heat");
	for (size_t i = 0; i < json_array_size(v); i++) {
		int64_t n = json_integer_value(json_array_get(v, i));
		if (i < json_array_size(heat))
			n += json_integer_value(json_array_get(heat, i));
		else
			js_add(heat, js_int(0));
		json_array_set_new(heat, i, js_int(n));
	}
}

/* Rows of a series are put together until a picture's worth is left; how many make one. */
static int64_t fewer_rows(json_t *tree, const char *series, const char *key, int64_t step)
{
	json_t *list = json_object_get(tree, series), *out = json_array();
	int64_t first, last;
	struct map rows = {0};

	span(list, key, &first, &last);
	while (json_array_size(list) && (last - first) / step >= ROWS_MAX)
		step = step < 60 ? step * 5 > 60 ? 60 : step * 5 : step * 2;
	for (size_t i = 0; i < json_array_size(list); i++) {
		json_t *m = json_array_get(list, i);
		int64_t at = js_get_int(m, key) / step * step;
		uint32_t *row = map_put(&rows, (uint64_t)at);
		if (*row != MAP_NONE) {
			add_numbers(json_array_get(out, *row), m, key);
			continue;
		}
		*row = (uint32_t)json_array_size(out);
		js_set(m, key, js_int(at));
		js_add(out, json_incref(m));
	}
	js_set(tree, series, out);
	map_release(&rows);
	return step;
}

/* The time a shape took in each of SPARKS equal parts of the log, in milliseconds. */
static json_t *sparks(const json_t *hours, int64_t first, int64_t last)
{
	double part[SPARKS] = {0};
	json_t *out = json_array();
	int64_t n = last - first + 1;

	for (size_t i = 0; i < json_array_size(hours); i++) {
		const json_t *h = json_array_get(hours, i);
		part[(js_get_int(h, "hour") - first) * (n < SPARKS ? n : SPARKS) / n] +=
			js_get_real(h, "ms");
	}
	for (int i = 0; i < (n < SPARKS ? n : SPARKS); i++)
		js_add(out, js_int((int64_t)part[i]));
	return out;
}

/* [[hour, calls, ms], …] */
static json_t *flat_hours(const json_t *hours)
{
	json_t *out = json_array();

	for (size_t i = 0; i < json_array_size(hours); i++) {
		const json_t *h = json_array_get(hours, i);
		json_t *row = json_array();
		js_add(row, js_int(js_get_int(h, "hour")));
		js_add(row, js_int(js_get_int(h, "calls")));
		js_add(row, js_real(js_get_real(h, "ms")));
		js_add(out, row);
	}
	return out;
}

static void shrink_hours(json_t *shapes)
{
	int64_t first = INT64_MAX, last = INT64_MIN, a, b;
	size_t i;
	json_t *s;

	json_array_foreach(shapes, i, s)
	{
		span(json_object_get(s, "hours"), "hour", &a, &b);
		first = a < first ? a : first;
		last = b > last ? b : last;
	}
	json_array_foreach(shapes, i, s)
	{
		const json_t *hours = json_object_get(s, "hours");
		size_t n = json_array_size(hours);
		if (i < 400 && n && last > first)
			js_set(s, "spark", sparks(hours, first, last));
		js_set(s, "hours", i < 60 && n <= 400 ? flat_hours(hours) : json_array());
	}
}

/* A page of a thousand shapes stays below 2 MB: the dearest hundred keep everything, the others
 * their numbers, a shorter text and one sample. */
static void shrink(json_t *shapes)
{
	size_t i, k;
	json_t *s, *x;

	json_array_foreach(shapes, i, s)
	{
		json_t *samples = json_object_get(s, "samples");
		size_t most = i < 100 ? 4000 : 300;
		js_set(s, "hist", i < 300 ? histogram(json_object_get(s, "sketch")) : json_array());
		json_object_del(s, "sketch");
		if (i >= 100)
			json_object_del(s, "calls_by");
		keep_first(samples, i < 100 ? 3 : i < 300 ? 1 : 0);
		keep_first(json_object_get(s, "locations"), i < 100 ? 5 : i < 300 ? 1 : 0);
		json_array_foreach(samples, k, x) cut_text(x, "sql", most);
		cut_text(s, "sql", most);
	}
}

#define FINDINGS_MAX   1000
#define FINDINGS_WHOLE 250 /* the others lose their evidence */
#define GROUPS_MAX     400

static void shrink_findings(json_t *findings)
{
	size_t i;
	json_t *x;

	json_array_foreach(findings, i, x)
	{
		if (i < FINDINGS_WHOLE)
			continue;
		js_set(x, "evidence", json_object());
		keep_first(json_object_get(x, "locations"), 1);
	}
}

static int dearer(const void *pa, const void *pb)
{
	double a = js_get_real(*(json_t *const *)pa, "total_ms"),
	       b = js_get_real(*(json_t *const *)pb, "total_ms");

	return (a < b) - (a > b);
}

/* Thousands of hosts or hours: the dearest are kept. */
static json_t *few_groups(const json_t *list)
{
	size_t n = json_array_size(list);
	json_t **row = mem_alloc((n + 1) * sizeof(*row)), *out = json_array();

	for (size_t i = 0; i < n; i++)
		row[i] = json_array_get(list, i);
	if (n > GROUPS_MAX)
		qsort(row, n, sizeof(*row), dearer);
	for (size_t i = 0; i < n && i < GROUPS_MAX; i++) {
		json_object_del(row[i], "sketch");
		js_add(out, json_incref(row[i]));
	}
	free(row);
	return out;
}

/* Elsewhere a sketch is not drawn. */
static void drop_sketches(json_t *tree)
{
	json_t *list = json_object_get(tree, "by");

	for (int k = 0; k < GROUP_KINDS; k++) {
		const char *key = group_kind_name((enum group_kind)k);
		js_set(list, key, few_groups(json_object_get(list, key)));
	}
	json_t *sessions = json_object_get(tree, "sessions");
	js_set(sessions, "hist", histogram(json_object_get(sessions, "sketch")));
	json_object_del(sessions, "sketch");
	list = json_object_get(tree, "transactions");
	json_object_del(json_object_get(list, "time"), "sketch");
	json_object_del(json_object_get(list, "idle"), "sketch");
}

/* What the other formats for people print too, in the same words. */
static void add_words(struct report *r, json_t *tree)
{
	json_t *figures = json_array(), *verbs = json_array(), *columns = json_array();
	struct figure *f;
	struct verb_sum *v;
	size_t n = report_figures(r, &f);

	for (size_t i = 0; i < n; i++) {
		json_t *o = json_object();
		js_set(o, "group", js_str(str_of(f[i].group)));
		js_set(o, "what", js_str(str_of(f[i].what)));
		js_set(o, "text", js_str(f[i].text));
		js_add(figures, o);
	}
	n = report_verbs(r, &v);
	for (size_t i = 0; i < n; i++) {
		json_t *o = json_object();
		js_set(o, "verb", js_str(str_of(sql_verb_name(v[i].verb))));
		js_set(o, "calls", js_int((int64_t)v[i].calls));
		js_set(o, "ms", js_real((double)v[i].usec / 1e3));
		js_set(o, "errors", js_int((int64_t)v[i].errors));
		js_add(verbs, o);
	}
	for (const struct counter *c = vacuum_counters; c->key; c++) {
		json_t *o = json_object();
		js_set(o, "key", js_str(str_of(c->key)));
		js_set(o, "what", js_str(str_of(c->what)));
		js_set(o, "unit",
			js_str(c->unit == UNIT_MS	? STR("ms")
				: c->unit == UNIT_BYTES ? STR("bytes")
							: STR("count")));
		js_add(columns, o);
	}
	js_set(tree, "figures", figures);
	js_set(tree, "verbs", verbs);
	js_set(tree, "vacuum_columns", columns);
}

#define SHAPES_MAX 2000 /* a page of ten thousand is no page; the JSON report has all */

void report_html(struct report *r, FILE *to)
{
	json_t *tree = report_tree(r);
	struct sink sink = {to};

	add_words(r, tree);
	keep_first(json_object_get(tree, "shapes"), SHAPES_MAX);
	shrink_hours(json_object_get(tree, "shapes"));
	shrink(json_object_get(tree, "shapes"));
	int64_t step = js_get_int(tree, "minute_step");
	js_set(tree, "minute_step", js_int(fewer_rows(tree, "minutes", "minute", step)));
	if (json_object_get(tree, "seconds"))
		fewer_rows(tree, "seconds", "second", 1);
	drop_sketches(tree);
	json_t *findings = json_object_get(tree, "findings");
	js_set(tree, "findings_total", js_int((int64_t)json_array_size(findings)));
	keep_first(findings, FINDINGS_MAX);
	shrink_findings(findings);
	fprintf(to,
		"<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
		"<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
		"script-src 'sha256-%s' 'sha256-%s' 'sha256-%s'; style-src 'sha256-%s' "
		"'sha256-%s'; "
		"img-src data:; "
		"base-uri 'none'; form-action 'none'\">\n"
		"<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
		"<meta name=\"generator\" content=\"pgassay " PGSLUICE_VERSION "\">\n"
		"<title>pgassay %s</title>\n<style>",
		report_chart_js.sha256, report_plan_js.sha256, report_html_js.sha256,
		report_html_css.sha256, report_plan_css.sha256, r->command);
	put_asset(to, &report_html_css);
	fputs("</style>\n<style>", to);
	put_asset(to, &report_plan_css);
	fputs("</style>\n</head>\n<body>\n<noscript>This report draws itself with JavaScript; "
	      "`--format markdown` needs none.</noscript>\n"
	      "<script type=\"application/json\" id=\"data\">",
		to);
	json_dump_callback(tree, put_json, &sink, JSON_COMPACT | JSON_REAL_PRECISION(9));
	fputs("</script>\n<script>", to);
	put_asset(to, &report_chart_js);
	fputs("</script>\n<script>", to);
	put_asset(to, &report_plan_js);
	fputs("</script>\n<script>", to);
	put_asset(to, &report_html_js);
	fputs("</script>\n</body>\n</html>\n", to);
	json_decref(tree);
}
