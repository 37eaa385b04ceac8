/* SPDX-License-Identifier: ISC
 *
 * pgassay advise: a workload from logs, SQL files or pg_stat_statements -> the indexes it would
 * be better with.  What is superfluous among those there are the rules say (IX002 to IX004).
 */
#include "db.h"
#include "main.h"
#include "sql_text.h"

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

static void take_statement(void *ctx, const struct db_row *r)
{
	int64_t calls = db_int(r, 0);
	double ms = db_real(r, 1);
	struct shape *s = facts_statement(ctx, db_get(r, 2), (struct place){0});

	if (s == NULL || calls < 1)
		return;
	s->calls += (uint64_t)calls - 1;
	sketch_add_n(&s->time, (uint64_t)(ms * 1000 / (double)calls), (uint64_t)calls);
}

static bool read_statements(struct options *o, struct facts *f)
{
	struct err why;
	struct db *db = db_open(o->dsn, &why);
	bool ok = db && db_each(db, sql_assay_statements, NULL, 0, take_statement, f, &why);

	if (!ok)
		fprintf(stderr,
			"pgassay: %s\npgassay: without files the workload is read from "
			"pg_stat_statements\n",
			why.text);
	db_close(&db);
	return ok;
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
	ok = ok && (o->file.n ? read_logs(o, &in, f) : read_statements(o, f));
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
