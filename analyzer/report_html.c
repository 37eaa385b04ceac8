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
		text_str(&t, str_before(s, most));
		text_puts(&t, " …");
		js_set(o, key, js_str(text_slice(&t)));
		text_release(&t);
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
		json_object_del(s, "calls_by");
		keep_first(samples, i < 100 ? 3 : i < 300 ? 1 : 0);
		keep_first(json_object_get(s, "locations"), i < 100 ? 5 : 1);
		json_array_foreach(samples, k, x) cut_text(x, "sql", most);
		cut_text(s, "sql", most);
	}
}

void report_html(struct report *r, FILE *to)
{
	json_t *tree = report_tree(r);
	struct sink sink = {to};

	shrink(json_object_get(tree, "shapes"));
	fprintf(to,
		"<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
		"<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
		"script-src 'sha256-%s' 'sha256-%s'; style-src 'sha256-%s'; img-src data:; "
		"base-uri 'none'; form-action 'none'\">\n"
		"<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
		"<meta name=\"generator\" content=\"pgassay " PGSLUICE_VERSION "\">\n"
		"<title>pgassay %s</title>\n<style>",
		report_chart_js.sha256, report_html_js.sha256, report_html_css.sha256, r->command);
	put_asset(to, &report_html_css);
	fputs("</style>\n</head>\n<body>\n<noscript>This report draws itself with JavaScript; "
	      "`--format markdown` needs none.</noscript>\n"
	      "<script type=\"application/json\" id=\"data\">",
		to);
	json_dump_callback(tree, put_json, &sink, JSON_COMPACT | JSON_REAL_PRECISION(9));
	fputs("</script>\n<script>", to);
	put_asset(to, &report_chart_js);
	fputs("</script>\n<script>", to);
	put_asset(to, &report_html_js);
	fputs("</script>\n</body>\n</html>\n", to);
	json_decref(tree);
}
