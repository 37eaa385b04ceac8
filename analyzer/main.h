/* SPDX-License-Identifier: ISC
 *
 * main: the command line.
 *
 *   main.c           which command
 *   main_options.c   the table of options: parsing, usage
 *   main_man.c       the manual page, from the same tables
 *   main_store.c     --store: reports into PostgreSQL
 *   main_log.c, main_lint.c, main_rules.c, …   one command each
 *
 * To add a command: a row in commands[] (main.c), a file, its bit in enum command_bit where an
 * option is only for some.
 */
#ifndef ANALYZER_MAIN_H
#define ANALYZER_MAIN_H

#include "base.h"
#include "report.h"

enum exit_status {
	EXIT_CLEAN = 0,
	EXIT_FINDINGS = 1,
	EXIT_USAGE = 2,
	EXIT_INPUT = 3,
	EXIT_FAILED = 75 /* I/O or an internal failure */
};

struct exit_row {
	enum exit_status status;
	const char *what;
};
extern const struct exit_row exit_rows[]; /* ends with a NULL text */

enum command_bit {
	CMD_LOG = 1,
	CMD_LINT = 2,
	CMD_PLAN = 4,
	CMD_ADVISE = 8,
	CMD_DIFF = 16,
	CMD_RULES = 32,
	CMD_MERGE = 64,
	CMD_ALL = 127
};

#define FAIL_ON_UNSET ((enum severity)(SEVERITY_ERROR + 1)) /* --fail-on was not given */

struct options {
	enum command_bit command;
	const char *sort;
	const char *format, *table, *output, *config, *schema, *dsn, *scratch, *baseline,
		*write_baseline;
	const char *since, *until, *db, *user, *app, *literals, *prefix, *input, *state, *store,
		*store_as;
	enum severity fail_on;
	VEC(const char *) rule; /* --rule ID=severity, in order */
	VEC(const char *) file;
	int64_t top, jobs, max_unparsed, max_indexes, chunk; /* -1: not given */
	int64_t budget, scratch_size;			     /* bytes; -1: not given */
	double min_gain;				     /* percent; -1: not given */
	bool follow, doctor, dry_run, verify, changed_only, no_color, help, as_gate;
	const char *base;
	struct gate gate;	 /* with .pgassay.conf, read by options_parse() */
	enum severity *severity; /* for each row of rules[]; made by options_rules() */
};

/* Reads argv (behind the command); errors go to stderr.  false: wrong usage. */
bool options_parse(struct options *o, enum command_bit command, int argc, char **argv);
void options_usage(FILE *to, enum command_bit command);
void options_print_man(FILE *to);
/* pgassay(1). */
void man_print(FILE *to);
/* Counts the statements of a file of SQL, with a gate those that have changed; false: it cannot
 * be read (said on stderr). */
bool lint_file(struct facts *f, struct input *in, const char *name, struct gate *g);
void options_release(struct options *o);
/* Are literals masked: asked for, or the format's custom. */
bool options_mask(const struct options *o);
/* Writes the report where --format and -o say; the exit status by --fail-on. */
enum exit_status options_report(struct options *o, struct report *r);
/* --store: the report goes into tables; false: it did not (said on stderr). */
bool options_store(const struct options *o, struct report *r);
/* The workload as pg_stat_statements of --dsn has it; false: it cannot be read (said on stderr). */
bool options_statements(const struct options *o, struct facts *f);
/* The schema --schema or --dsn names; *ok false: it could not be read (said on stderr). */
struct schema *options_schema(const struct options *o, bool *ok);

/* --verify: compares each loop with its fix in the database of --dsn; false: there is none, or it
 * cannot be asked (said on stderr). */
bool options_verify(const struct options *o, struct findings *found);

/* What a database adds: the indexes the dearest shapes would be better with (--dsn); false:
 * there is no database to ask, or no more.  A signal that came meanwhile ends the process once what
 * was made (--scratch) is gone. */
bool options_advise(struct options *o, struct facts *f, const struct schema *schema,
	struct findings *found, struct report *r);

enum exit_status doctor(const struct input *in, const struct facts *f);

/* The slowest plan auto_explain logged of each statement: findings and indexes; the "plans" of
 * the report, owned by the caller. */
struct json_t *plans_of_log(struct options *o, struct facts *f, const struct schema *schema,
	struct findings *found);

struct command {
	const char *name, *args, *what;
	enum command_bit bit;
	enum exit_status (*run)(struct options *o);
	const char *help; /* teaches: what it does, an example or two */
};
extern const struct command commands[]; /* ends with a NULL name */

enum exit_status run_log(struct options *o);
enum exit_status run_lint(struct options *o);
enum exit_status run_plan(struct options *o);
enum exit_status run_advise(struct options *o);
enum exit_status run_rules(struct options *o);
enum exit_status run_merge(struct options *o);
enum exit_status run_diff(struct options *o);

#endif
