/* SPDX-License-Identifier: ISC
 *
 * pgassay: reads what was logged and says what to change.
 */
#include "main.h"
#include "sql.h"

const struct command commands[] = {
	{"log", "FILE…", "slow query logs: PostgreSQL's or pgsluice's; report and findings",
		CMD_LOG, run_log,
		"Reads logs (stderr, csvlog, jsonlog, pgsluice's query log; compressed or not; - "
		"is\n"
		"stdin; a directory is its files) and reports where the time goes and what to "
		"change.\n"
		"\n"
		"  pgassay log /var/log/postgresql/postgresql-15-main.log\n"
		"  pgassay log --format json -o report.json --jobs 4 logs/*.gz\n"
		"  pgassay log --dsn 'dbname=shop' --fail-on warning queries.jsonl\n"
		"  pgassay log --state seen.json --store 'dbname=stats' /var/log/postgresql\n"
		"\n"
		"Several files are read as one log, in the order of their time.\n"
		"\n"
		"For a full picture the server needs log_min_duration_statement = 0 and %p or %c "
		"in\n"
		"log_line_prefix; `pgassay log --doctor FILE` says what is missing.\n"},
	{"lint", "FILE.sql…", "SQL text, no database needed", CMD_LINT, run_lint,
		"Checks the statements of SQL files (or stdin, -).  With --schema FILE.sql (a "
		"pg_dump -s)\n"
		"or --dsn it knows keys, types and indexes and says less, and more surely.\n"
		"\n"
		"  pgassay lint queries/*.sql\n"
		"  echo \"SELECT * FROM users WHERE lower(email) = 'x'\" | pgassay lint -\n"},
	{"plan", "FILE…", "EXPLAIN output in any format: findings and index DDL", CMD_PLAN,
		run_plan,
		"Reads plans (text, JSON, YAML, XML; from a file, a log's auto_explain or stdin) "
		"and\n"
		"shows where the time goes, what is wrong and which index would help.\n"
		"\n"
		"A plan may be pasted as it stands somewhere: psql's tables with any \\pset "
		"(borders,\n"
		"\\x, wrapped, HTML, LaTeX, AsciiDoc, troff, CSV) and the statements around them; "
		"cells\n"
		"of pgAdmin, DBeaver, DataGrip; rows as Python, Ruby, JavaScript, PHP, Go print "
		"them;\n"
		"Markdown, mails (quoted, wrapped), Slack, Jira, comments, diffs, numbered lines; "
		"several\n"
		"plans in one paste, or a part of one.\n"
		"\n"
		"  psql -c 'EXPLAIN (ANALYZE, BUFFERS) SELECT …' | pgassay plan\n"
		"  pgassay plan --format json plan.txt\n"
		"  xclip -o | pgassay plan\n"
		"  pgassay plan --schema schema.sql postgresql.log.gz\n"},
	{"advise", "FILE…", "index advice for a whole workload, checked with HypoPG", CMD_ADVISE,
		run_advise,
		"Reads a workload (logs, SQL files ending in .sql, or without files the "
		"database's\n"
		"pg_stat_statements) and finds the indexes it would be better with under a "
		"budget.\n"
		"The planner is asked about each (extension hypopg); nothing is created or "
		"executed.\n"
		"\n"
		"  pgassay advise --dsn 'dbname=shop' --budget 500MB postgresql.log\n"
		"  pgassay advise --dsn 'dbname=shop' queries.sql\n"},
	{"merge", "REPORT…", "JSON reports of many hosts or days -> one", CMD_MERGE, run_merge,
		"Combines JSON reports into the report one run over all the logs would have made: "
		"counts\n"
		"and sums exactly, quantiles by merging the sketches the reports hold.\n"
		"\n"
		"  pgassay merge -f html -o fleet.html host-*.json\n"
		"  ssh db1 pgassay log -f json LOG | pgassay merge - db2.json\n"},
	{"diff", "BASE HEAD", "what changed between two JSON reports: new, worse, fixed", CMD_DIFF,
		run_diff,
		"Compares two JSON reports, of the branch and of the pull request: new, gone and "
		"changed\n"
		"statements, calls per test, rows, times with confidence intervals, plans, "
		"findings. "
		"Two\n"
		"runs of one commit give no change that counts.  Fails from warnings on, unless "
		"--fail-on or\n"
		".pgassay.conf says otherwise.\n"
		"\n"
		"  pgassay log -f json -o head.json queries.jsonl\n"
		"  pgassay diff base.json head.json\n"
		"  pgassay diff -f markdown base.json head.json > comment.md\n"},
	{"rules", "[ID…]", "every rule, with a bad and a good example", CMD_RULES, run_rules,
		"Lists the rules, or explains the ones named.\n"
		"\n"
		"  pgassay rules\n"
		"  pgassay rules NP001 missing-limit\n"},
	{NULL, NULL, NULL, 0, NULL, NULL},
};

const struct exit_row exit_rows[] = {
	{EXIT_CLEAN, "nothing at or above --fail-on"},
	{EXIT_FINDINGS, "findings"},
	{EXIT_USAGE, "wrong usage or configuration"},
	{EXIT_INPUT, "the input could not be understood"},
	{EXIT_FAILED, "an I/O or internal failure"},
	{0, NULL},
};

static void usage(FILE *to)
{
	fputs("pgassay reads PostgreSQL logs, SQL and plans, and says what to change.\n\nusage:\n",
		to);
	for (const struct command *c = commands; c->name; c++)
		fprintf(to, "  pgassay %-7s %-10s %s\n", c->name, c->args, c->what);
	fputs("  pgassay --print-sample       a .pgassay.conf with every key explained\n"
	      "\n`pgassay COMMAND --help` explains a command and its options.\n"
	      "\nexit status:\n",
		to);
	for (const struct exit_row *e = exit_rows; e->what; e++)
		fprintf(to, "  %-3d %s\n", e->status, e->what);
}

struct call {
	int argc;
	char **argv;
};

static int run(void *arg)
{
	struct call *call = arg;
	struct options o = {0};

	for (const struct command *c = commands; c->name; c++) {
		if (strcmp(c->name, call->argv[1]) != 0)
			continue;
		if (!options_parse(&o, c->bit, call->argc - 2, call->argv + 2)) {
			options_release(&o);
			return EXIT_USAGE;
		}
		enum exit_status status = EXIT_CLEAN;
		if (o.help) {
			printf("usage: pgassay %s [option…] %s\n\n%s\noptions:\n", c->name, c->args,
				c->help);
			options_usage(stdout, c->bit);
		} else {
			status = c->run(&o);
		}
		options_release(&o);
		return status;
	}
	fprintf(stderr, "pgassay: there is no command \"%s\"; `pgassay --help` lists them\n",
		call->argv[1]);
	return EXIT_USAGE;
}

int main(int argc, char **argv)
{
	struct call call = {argc, argv};

	if (argc == 2 && strcmp(argv[1], "--version") == 0) {
		printf("pgassay %s\n", PGSLUICE_VERSION);
		return EXIT_CLEAN;
	}
	if (argc == 2 && strcmp(argv[1], "--print-sample") == 0) {
		gate_print_sample(stdout);
		return EXIT_CLEAN;
	}
	if (argc == 2 && strcmp(argv[1], "--print-man") == 0) {
		man_print(stdout);
		return EXIT_CLEAN;
	}
	if (argc == 2 && strcmp(argv[1], "--print-man=conf") == 0) {
		gate_print_man(stdout);
		return EXIT_CLEAN;
	}
	if (argc == 2 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "help") == 0)) {
		usage(stdout);
		return EXIT_CLEAN;
	}
	if (argc < 2) {
		usage(stderr);
		return EXIT_USAGE;
	}
	return sql_run_deep(run, &call);
}
