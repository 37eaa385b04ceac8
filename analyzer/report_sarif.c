/* SPDX-License-Identifier: ISC
 *
 * report_sarif: SARIF 2.1.0, as GitHub's code scanning and IDEs read it.
 *
 * Every rule is declared, found or not, so that its index and its page never move.  GitHub
 * refuses more than 25,000 results and shows 5,000, so the 5,000 that matter most are written
 * and a notification tells how many are not.  Results carry our fingerprint, also under
 * GitHub's own key: an alert stays the same one when lines move.
 */
#include "report.h"

#include <ctype.h>
#include <jansson.h>

#define RESULTS_MAX   5000
#define LOCATIONS_MAX 1000

static const char *level_of(enum severity s)
{
	static const char *const names[] = {"none", "note", "warning", "error"};

	return names[s];
}

static json_t *text_of(struct str s)
{
	json_t *o = json_object();

	js_set(o, "text", js_str(s));
	return o;
}

static json_t *json_rule(struct report *r, const struct rule *rule)
{
	static const char *const scopes[] = {
		"statement", "statement", "sequence", "log", "schema", "plan", "gate"};
	json_t *o = json_object(), *conf = json_object(), *props = json_object(),
	       *tags = json_array(), *help;

	js_set(o, "id", js_str(str_of(rule->id)));
	js_set(o, "name", js_str(str_of(rule->name)));
	js_set(o, "shortDescription", text_of(str_of(rule->title)));
	js_set(o, "fullDescription", text_of(str_of(rule->why)));
	help = text_of(arena_printf(&r->arena, "%s\n\n%s\n\nbad: %s\ngood: %s", rule->why,
		rule->fix, rule->bad, rule->good));
	js_set(help, "markdown",
		js_str(arena_printf(&r->arena,
			"%s\n\n**Fix:** %s\n\n~~~sql\n-- bad\n%s\n-- good\n%s\n~~~\n", rule->why,
			rule->fix, rule->bad, rule->good)));
	js_set(o, "help", help);
	js_set(conf, "enabled", json_boolean(rule->severity != SEVERITY_OFF));
	js_set(conf, "level", js_str(str_of(level_of(rule->severity))));
	js_set(o, "defaultConfiguration", conf);
	js_add(tags, js_str(STR("sql")));
	js_add(tags, js_str(STR("performance")));
	js_add(tags, js_str(str_of(scopes[rule->scope])));
	js_set(props, "tags", tags);
	js_set(o, "properties", props);
	return o;
}

/* A path as a URI reference. */
static struct str uri_of(struct report *r, struct str path)
{
	struct text t = {0};

	for (size_t i = 0; i < path.n; i++) {
		unsigned char c = (unsigned char)path.p[i];
		if (c < 0x80 && (isalnum(c) || strchr("-._~/!$&'()*+,;=@", c)) && c)
			text_char(&t, (char)c);
		else
			text_printf(&t, "%%%02X", c);
	}
	struct str out = arena_str(&r->arena, text_slice(&t));
	text_release(&t);
	return out;
}

static json_t *json_location(struct report *r, struct str path, uint64_t line)
{
	json_t *o = json_object(), *physical = json_object(), *artifact = json_object(),
	       *region = json_object();

	js_set(artifact, "uri", js_str(uri_of(r, path)));
	js_set(artifact, "uriBaseId", js_str(STR("%SRCROOT%")));
	js_set(physical, "artifactLocation", artifact);
	js_set(region, "startLine", js_int(line ? (int64_t)line : 1));
	js_set(physical, "region", region);
	js_set(o, "physicalLocation", physical);
	return o;
}

/* The place itself, and the other statements of SQL files. */
static json_t *json_locations(struct report *r, const struct finding *x)
{
	struct gate_place at = report_where(r, x);
	json_t *a = json_array();

	js_add(a, json_location(r, at.path, at.line));
	for (uint32_t i = 1; at.where == WHERE_SQL && i < x->places && i < LOCATIONS_MAX; i++) {
		struct str path, name = report_place(r, &x->place[i]);
		const char *colon = memrchr(name.p, ':', name.n);
		if (gate_path(r->gate, str_before(name, (size_t)(colon - name.p)), &path))
			js_add(a, json_location(r, path, x->place[i].line));
	}
	return a;
}

static json_t *json_result(struct report *r, const struct finding *x)
{
	json_t *o = json_object(), *prints = json_object(), *props = json_object();

	js_set(o, "ruleId", js_str(str_of(x->rule->id)));
	js_set(o, "ruleIndex", js_int(x->rule - rules));
	js_set(o, "level", js_str(str_of(level_of(x->severity))));
	js_set(o, "message", text_of(report_words(r, x)));
	js_set(o, "locations", json_locations(r, x));
	js_set(prints, "pgassay/v1", js_str(str_of(x->fingerprint)));
	js_set(prints, "primaryLocationLineHash",
		js_str(arena_printf(&r->arena, "%s:1", x->fingerprint)));
	js_set(o, "partialFingerprints", prints);
	js_set(props, "confidence", js_str(str_of(confidence_name(x->confidence))));
	js_set(props, "count", js_int((int64_t)x->count));
	if (x->tests)
		js_set(props, "tests", js_str(report_tests(r, x)));
	if (x->fix_sql.n)
		js_set(props, "fix", js_str(report_sql(r, x->fix_sql, 0)));
	js_set(o, "properties", props);
	return o;
}

static json_t *json_notification(struct str text, const char *level)
{
	json_t *o = json_object();

	js_set(o, "level", js_str(str_of(level)));
	js_set(o, "message", text_of(text));
	return o;
}

static json_t *json_invocation(struct report *r, size_t more)
{
	json_t *o = json_object(), *notes = json_array();

	js_set(o, "executionSuccessful", json_true());
	for (size_t i = 0; i < r->note.n; i++)
		js_add(notes,
			json_notification(r->note.at[i].text, level_of(r->note.at[i].severity)));
	if (more)
		js_add(notes,
			json_notification(
				arena_printf(&r->arena,
					"%zu more findings are not listed; those listed are the "
					"most important",
					more),
				"warning"));
	js_set(o, "toolExecutionNotifications", notes);
	return o;
}

void report_sarif(struct report *r, FILE *to)
{
	json_t *top = json_object(), *runs = json_array(), *run = json_object(),
	       *tool = json_object(), *driver = json_object(), *list = json_array(),
	       *results = json_array(), *calls = json_array(), *automation = json_object();
	size_t more = 0;

	js_set(driver, "name", js_str(STR("pgassay")));
	js_set(driver, "version", js_str(STR(PGSLUICE_VERSION)));
	js_set(driver, "semanticVersion", js_str(STR(PGSLUICE_VERSION)));
	for (const struct rule *rule = rules; rule->id; rule++)
		js_add(list, json_rule(r, rule));
	js_set(driver, "rules", list);
	js_set(tool, "driver", driver);
	for (size_t i = 0; i < r->findings->at.n; i++) {
		const struct finding *x = &r->findings->at.at[i];
		if (report_is_shown(x) && json_array_size(results) < RESULTS_MAX)
			js_add(results, json_result(r, x));
		else
			more += report_is_shown(x);
	}
	js_set(run, "tool", tool);
	js_set(automation, "id", js_str(arena_printf(&r->arena, "pgassay/%s/", r->command)));
	js_set(run, "automationDetails", automation);
	js_add(calls, json_invocation(r, more));
	js_set(run, "invocations", calls);
	js_set(run, "results", results);
	js_add(runs, run);
	js_set(top, "$schema", js_str(STR("https://json.schemastore.org/sarif-2.1.0.json")));
	js_set(top, "version", js_str(STR("2.1.0")));
	js_set(top, "runs", runs);
	json_dumpf(top, to, JSON_INDENT(1));
	fputc('\n', to);
	json_decref(top);
}
