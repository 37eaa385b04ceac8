/* SPDX-License-Identifier: ISC
 *
 * report_gitlab: GitLab's Code Quality report: an array of issues; an empty one is a pass.
 *
 * GitLab shows one issue of each fingerprint, which is why ours are unique within a report.
 * Like CI servers elsewhere it has to fetch and keep the file, so it ends at 5,000 issues, the
 * most important first; an issue in the place of the last one tells how many there are more.
 */
#include "report.h"

#include <jansson.h>

#define ISSUES_MAX 5000

static json_t *json_issue(struct str name, struct str description, struct str print,
	const char *severity, struct str path, uint32_t line)
{
	json_t *o = json_object(), *location = json_object(), *lines = json_object(),
	       *categories = json_array();

	js_set(o, "type", js_str(STR("issue")));
	js_set(o, "check_name", js_str(name));
	js_set(o, "description", js_str(description));
	js_set(o, "fingerprint", js_str(print));
	js_set(o, "severity", js_str(str_of(severity)));
	js_add(categories, js_str(STR("Performance")));
	js_set(o, "categories", categories);
	js_set(location, "path", js_str(path));
	js_set(lines, "begin", js_int(line));
	js_set(location, "lines", lines);
	js_set(o, "location", location);
	return o;
}

static json_t *json_of(struct report *r, const struct finding *x)
{
	static const char *const names[] = {"info", "info", "minor", "critical"};
	const char *severity = names[x->severity];
	struct gate_place at = report_where(r, x);

	if (x->severity == SEVERITY_WARNING && x->confidence >= CONF_LIKELY)
		severity = "major";
	return json_issue(arena_printf(&r->arena, "%s %s", x->rule->id, x->rule->name),
		report_words(r, x), str_of(x->fingerprint), severity, at.path, at.line);
}

void report_gitlab(struct report *r, FILE *to)
{
	json_t *a = json_array();
	size_t shown = 0;
	struct gate_place last = {.path = STR(""), .line = 1};

	for (size_t i = 0; i < r->findings->at.n; i++)
		shown += report_is_shown(&r->findings->at.at[i]);
	size_t most = shown > ISSUES_MAX ? ISSUES_MAX - 1 : shown;
	for (size_t i = 0; i < r->findings->at.n && json_array_size(a) < most; i++)
		if (report_is_shown(&r->findings->at.at[i])) {
			js_add(a, json_of(r, &r->findings->at.at[i]));
			last = report_where(r, &r->findings->at.at[i]);
		}
	if (shown > most)
		js_add(a, json_issue(STR("pgassay"),
				  arena_printf(&r->arena,
					  "%zu more findings are not listed; those listed are the "
					  "most "
					  "important",
					  shown - most),
				  STR("more-findings"), "info", last.path, last.line));
	json_dumpf(a, to, JSON_INDENT(1));
	fputc('\n', to);
	json_decref(a);
}
