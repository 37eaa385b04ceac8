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

/* A page of a thousand shapes stays below 2 MB: long texts are cut, the rest keeps its numbers. */
static void cut_texts(json_t *shapes)
{
	size_t i, k;
	json_t *s, *x;
	size_t most = json_array_size(shapes) > 300 ? 400 : 4000;

	json_array_foreach(shapes, i, s)
	{
		json_t *samples = json_object_get(s, "samples");
		if (i >= 300)
			json_array_clear(samples);
		json_array_foreach(samples, k, x)
		{
			struct str sql = js_get_str(x, "sql");
			if (sql.n > most)
				js_set(x, "sql", js_str(str_before(sql, most)));
		}
		struct str sql = js_get_str(s, "sql");
		if (sql.n > most)
			js_set(s, "sql", js_str(str_before(sql, most)));
	}
}

void report_html(struct report *r, FILE *to)
{
	json_t *tree = report_tree(r);
	struct sink sink = {to};

	cut_texts(json_object_get(tree, "shapes"));
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
