/* SPDX-License-Identifier: ISC
 *
 * pgassay rules: the catalogue, for people (text), for the documentation (markdown) and for
 * programs (json).
 */
#include "main.h"

#include <jansson.h>

static const struct {
	unsigned bit;
	const char *text;
} evidence[] = {
	{NEED_TREE, "the statement's text"},
	{NEED_SEQUENCE, "a log with sessions"},
	{NEED_LOG, "a log"},
	{NEED_SCHEMA, "the schema (--schema or --dsn)"},
	{NEED_PLAN, "a plan"},
	{NEED_STATS, "statistics (--dsn)"},
};

static const struct {
	unsigned bit;
	const char *text;
} uses[] = {
	{USES_SCHEMA, "the schema"},
	{USES_LOG, "what the log shows"},
	{USES_PLAN, "plans"},
};

static void print_needs(const struct rule *r)
{
	const char *sep = "";

	if (r->scope == SCOPE_GATE)
		printf("nothing but what the gate is told (pgassay.conf(5))");
	for (size_t i = 0; i < ARRAY_LEN(evidence); i++)
		if (r->needs & evidence[i].bit) {
			printf("%s%s", sep, evidence[i].text);
			sep = ", ";
		}
	sep = "; is surer with ";
	for (size_t i = 0; i < ARRAY_LEN(uses); i++)
		if (r->needs & uses[i].bit) {
			printf("%s%s", sep, uses[i].text);
			sep = ", ";
		}
	putchar('\n');
}

static void explain(const struct rule *r)
{
	printf("%s %s (%s)\n%s\n\n", r->id, r->name, severity_name(r->severity), r->title);
	printf("why:      %s\nfix:      %s\n", r->why, r->fix);
	printf("needs:    ");
	print_needs(r);
	printf("sure:     %s\n", r->confidence);
	printf("bad:      %s\ngood:     %s\n", r->bad, r->good);
	printf("suppress: -- pgassay:ignore %s REASON (in the SQL); [suppress] or [rules] of "
	       ".pgassay.conf; --rule %s=off\n",
		r->id, r->id);
}

/* docs/rules.md */
static void print_markdown(void)
{
	printf("# Rules\n\nWritten by `make docs` from the table that the program checks by; "
	       "`pgassay rules ID` prints one of them.\n\n"
	       "A finding is *certain* (true from the text alone, or proved by schema, statistics "
	       "or the log), *likely* (true unless something unusual was not seen) or *possible* "
	       "(worth a look).  `--fail-on` counts certain and likely ones.  A rule is silent "
	       "where the evidence it needs is missing.  Suppress one "
	       "statement with a comment, `-- pgassay:ignore ID REASON`; more with `.pgassay.conf` "
	       "(pgassay.conf(5)) or `--rule ID=off`.  How sure a rule is, and on what that "
	       "depends, stands beside it; "
	       "tests hold every finding of the rules' cases to it.\n\n"
	       "| rule | severity | finds | confidence |\n|---|---|---|---|\n");
	for (const struct rule *r = rules; r->id; r++)
		printf("| %s %s | %s | %s | %s |\n", r->id, r->name, severity_name(r->severity),
			r->title, r->confidence);
	for (const struct rule *r = rules; r->id; r++) {
		printf("\n## %s %s\n\n%s\n\nFix: %s\n\nNeeds ", r->id, r->name, r->why, r->fix);
		print_needs(r);
		printf("\nConfidence: %s.\n", r->confidence);
		printf("\n```\n-- bad\n%s\n-- good\n%s\n```\n", r->bad, r->good);
	}
}

static void print_json(void)
{
	json_t *a = json_array();

	for (const struct rule *r = rules; r->id; r++) {
		json_t *o = json_object();
		js_set(o, "id", js_str(str_of(r->id)));
		js_set(o, "name", js_str(str_of(r->name)));
		js_set(o, "severity", js_str(str_of(severity_name(r->severity))));
		js_set(o, "confidence", js_str(str_of(r->confidence)));
		js_set(o, "title", js_str(str_of(r->title)));
		js_set(o, "why", js_str(str_of(r->why)));
		js_set(o, "fix", js_str(str_of(r->fix)));
		js_set(o, "bad", js_str(str_of(r->bad)));
		js_set(o, "good", js_str(str_of(r->good)));
		js_add(a, o);
	}
	json_dumpf(a, stdout, JSON_INDENT(1));
	putchar('\n');
	json_decref(a);
}

enum exit_status run_rules(struct options *o)
{
	for (size_t i = 0; i < o->file.n; i++) {
		const struct rule *r = rule_by_id(o->file.at[i]);
		if (!r) {
			fprintf(stderr, "pgassay: there is no rule \"%s\"\n", o->file.at[i]);
			return EXIT_USAGE;
		}
		if (i)
			putchar('\n');
		explain(r);
	}
	if (o->file.n)
		return EXIT_CLEAN;
	if (o->format && strcmp(o->format, "json") == 0) {
		print_json();
		return EXIT_CLEAN;
	}
	if (o->format && strcmp(o->format, "markdown") == 0) {
		print_markdown();
		return EXIT_CLEAN;
	}
	for (const struct rule *r = rules; r->id; r++)
		printf("%-6s %-26s %-8s %s\n", r->id, r->name, severity_name(r->severity),
			r->title);
	return EXIT_CLEAN;
}
