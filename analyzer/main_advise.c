/* SPDX-License-Identifier: ISC
 *
 * pgassay advise: a workload from logs, SQL files or pg_stat_statements -> the indexes it would
 * be better with.  What is superfluous among those there are the rules say (IX002 to IX004).
 */
#include "main.h"

static bool is_sql(const char *name)
{
	return str_ends(str_of(name), ".sql");
}

static bool read_logs(struct options *o, struct input *in, struct facts *f)
{
	struct input_sink sink = facts_sink(f);
	struct err why;
	bool any = false;

	in->opt.prefix = o->prefix;
	in->opt.format = o->input;
	in->opt.jobs = 1;
	f->draws_calls = true;
	for (size_t i = 0; i < o->file.n; i++) {
		if (is_sql(o->file.at[i]))
			continue;
		any = true;
		if (!input_add(in, o->file.at[i], &why)) {
			fprintf(stderr, "pgassay: %s\n", why.text);
			return false;
		}
	}
	if (any && !input_run(in, &sink, &why)) {
		fprintf(stderr, "pgassay: %s\n", why.text);
		return false;
	}
	facts_finish(f);
	for (size_t i = 0; i < o->file.n; i++)
		if (is_sql(o->file.at[i]) && !lint_file(f, in, o->file.at[i], NULL))
			return false;
	return true;
}

enum exit_status run_advise(struct options *o)
{
	struct input in = {0};
	struct facts *f = facts_new(&in);
	struct findings found = {0};
	struct report r = {.facts = f, .findings = &found, .input = &in, .command = "advise"};
	struct rule_options ro = {.severity = o->severity};
	enum exit_status status = EXIT_USAGE;
	struct schema *schema = NULL;
	bool ok = o->dsn != NULL;

	if (!ok)
		fprintf(stderr,
			"pgassay: which database?  `pgassay advise --dsn 'dbname=…' FILE…`\n");
	ok = ok && (o->file.n ? read_logs(o, &in, f) : options_statements(o, f));
	if (ok)
		schema = options_schema(o, &ok);
	if (ok && f->statements == 0) {
		fprintf(stderr, "pgassay: no statement was found in the input\n");
		status = EXIT_INPUT;
	} else if (ok) {
		rules_run(f, schema, &ro, &found, &r.unparsed);
		if (options_advise(o, f, schema, &found, &r)) {
			status = options_report(o, &r);
		} else {
			status = EXIT_FAILED;
		}
		report_release(&r);
	}
	findings_release(&found);
	schema_free(&schema);
	facts_free(&f);
	input_release(&in);
	return status;
}
