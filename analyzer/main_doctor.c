/* SPDX-License-Identifier: ISC
 *
 * main_doctor: `pgassay log --doctor`: what the log is, what it lacks, and what to set so that
 * every finding becomes possible.
 */
#include "main.h"

#include <errno.h>
#include <unistd.h>

struct doctor {
	const struct input *in;
	const struct facts *f;
	bool ill;
};

static void good(const char *what)
{
	printf("  ok    %s\n", what);
}

static void bad(struct doctor *d, const char *what, const char *cure)
{
	d->ill = true;
	printf("  LACKS %s\n        -> %s\n", what, cure);
}

/* Why nothing could be made of a file. */
static void say_unknown(const struct input_file *x)
{
	if (x->bytes == 0 && x->path && strcmp(x->path, "-") != 0 && access(x->path, R_OK) != 0)
		printf("  -> %s: read it as the server's user, or give yourself the right "
		       "(log_file_mode = 0640)\n",
			strerror(errno));
	else if (x->bytes == 0)
		printf("  -> the file is empty: logging_collector = on writes to log_directory "
		       "(SELECT pg_current_logfile() names the file)\n");
	else if (x->is_binary)
		printf("  -> this is no text: a log as the server wrote it, or packed (gz, bz2, "
		       "xz, "
		       "zst, lz4, zip, tar)\n");
	else
		printf("  -> give --prefix (SHOW log_line_prefix on the server) or --input; if the "
		       "messages are in\n     a language that is not read, set lc_messages = "
		       "'C'\n");
}

static void say_files(const struct doctor *d)
{
	for (size_t i = 0; i < d->in->file.n; i++) {
		const struct input_file *x = d->in->file.at[i];
		printf("%s: %s, %llu bytes, %llu line%s\n", x->name,
			x->format ? x->format->name : "NOT RECOGNISED",
			(unsigned long long)x->bytes, (unsigned long long)x->lines,
			x->lines == 1 ? "" : "s");
		if (x->format && x->format->prefix)
			printf("  log_line_prefix = '%s' fits %d %% of the lines with a severity\n",
				prefix_text(x->format->prefix), x->prefix_fit);
		if (x->prefix_doubt)
			printf("  -> of this prefix: %s\n", x->prefix_doubt);
		if (x->prefix_seen)
			printf("  -> --prefix '%s', or leave it out: that is what the lines look "
			       "like\n",
				x->prefix_seen);
		if (!x->format)
			say_unknown(x);
	}
}

static void say_classes(const struct doctor *d)
{
	uint64_t all = 0;

	for (int c = 0; c < LOG_CLASSES; c++)
		all += d->in->bytes[c];
	printf("every byte:\n");
	for (int c = 0; c < LOG_CLASSES; c++)
		if (d->in->bytes[c])
			printf("  %-15s %12llu bytes %5.1f %%  %llu %s\n",
				log_class_name((enum log_class)c),
				(unsigned long long)d->in->bytes[c],
				100 * (double)d->in->bytes[c] / (double)all,
				(unsigned long long)d->in->entries[c],
				d->in->entries[c] == 1 ? "entry" : "entries");
}

/* Why there is none: what the log itself says of it. */
static const char *no_statement(const struct doctor *d)
{
	if (d->f->min_duration[0] == '-')
		return "statements: log_min_duration_statement was set to -1, says the log";
	if (d->in->entries[LOG_STATEMENT])
		return "statements: durations alone are logged (log_duration), without a text";
	if (d->in->entries[LOG_ERROR])
		return "statements: only those that failed are logged";
	return "statements";
}

static void say_statements(struct doctor *d)
{
	const struct facts *f = d->f;

	if (f->statements == 0)
		bad(d, no_statement(d), "log_min_duration_statement = 0, or pgsluice's query_log");
	else if (f->no_duration == f->statements)
		bad(d, "durations: statements are logged by log_statement alone",
			"log_min_duration_statement = 0 instead of log_statement = all");
	else if (facts_is_sampled(f))
		bad(d, "statements that sampling left out: counts are lower bounds",
			"log_statement_sample_rate = 1, log_transaction_sample_rate = 0, "
			"log_min_duration_statement = 0");
	else if (facts_has_threshold(f) && f->min_duration[0])
		bad(d, "fast statements: log_min_duration_statement is above 0, says the log",
			"log_min_duration_statement = 0; counts are lower bounds and N+1 loops are "
			"not seen");
	else if (facts_has_threshold(f))
		bad(d, "fast statements: none took less than a millisecond",
			"log_min_duration_statement = 0; with a threshold or sampling "
			"(log_statement_sample_rate) counts are lower bounds and N+1 loops are not "
			"seen");
	else
		good("statements with their durations, fast ones too");
}

static void say_settings(struct doctor *d)
{
	const struct facts *f = d->f;

	printf("what findings need:\n");
	say_statements(d);
	if (f->has_session)
		good("which session sent a statement");
	else
		bad(d, "the session of a statement: N+1 and transactions cannot be told",
			"log_line_prefix = '%m [%p] %q%u@%d/%a '");
	if (f->has_tx || f->has_vxid)
		good("transactions");
	else
		bad(d, "transactions: no BEGIN was logged, no %v in the prefix",
			"log_min_duration_statement = 0, and %v in log_line_prefix");
	if (f->has_params)
		good("parameters of prepared statements");
	else
		printf("  note  no parameters of prepared statements (log_parameter_max_length = "
		       "0, or "
		       "the clients inline their values)\n");
	if (f->group.n == 0)
		bad(d, "users, databases, applications", "%u, %d and %a in log_line_prefix");
	if (f->lang)
		printf("  note  the messages are in another language (%s): read as PostgreSQL "
		       "15's\n        catalogue words them; what another release words otherwise "
		       "counts as 'other'\n        -> lc_messages = 'C'\n",
			f->lang);
	if (f->has_rows)
		good("rows returned (pgsluice's query log)");
	else
		printf("  note  rows returned are not in PostgreSQL's logs: missing LIMITs are "
		       "told from "
		       "the text; pgsluice's query log has them\n");
}

enum exit_status doctor(const struct input *in, const struct facts *f)
{
	struct doctor d = {.in = in, .f = f};

	say_files(&d);
	say_classes(&d);
	say_settings(&d);
	return d.f->statements ? EXIT_CLEAN : EXIT_INPUT;
}
