/* SPDX-License-Identifier: ISC
 *
 * pgassay log: logs -> facts -> findings -> report.
 */
#include "db.h"
#include "main.h"
#include "sql_text.h"

#include <jansson.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

static volatile int stopped;

/* The first one ends the reading, the second one the process. */
static void on_interrupt(int sig)
{
	stopped = 1;
	signal(sig, SIG_DFL);
}

/* --- progress --------------------------------------------------------------------- */

struct progress {
	struct timespec start, last;
	bool shown;
};

static double seconds(const struct timespec *a, const struct timespec *b)
{
	return (double)(b->tv_sec - a->tv_sec) + (double)(b->tv_nsec - a->tv_nsec) / 1e9;
}

static void show_progress(void *ctx, uint64_t done, uint64_t total)
{
	struct progress *p = ctx;
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	if (seconds(&p->last, &now) < 0.3)
		return;
	p->last = now;
	p->shown = true;
	double rate = (double)done / 1e6 / (seconds(&p->start, &now) + 1e-9);
	fprintf(stderr, "\r%.0f MB, %.0f MB/s", (double)done / 1e6, rate);
	if (total > done && rate > 0)
		fprintf(stderr, ", %.0f s left", (double)(total - done) / 1e6 / rate);
	fputs("   ", stderr);
}

/* --- the command --------------------------------------------------------------------- */

static bool time_option(const char *text, const char *name, int64_t *to)
{
	char full[40];

	if (!text)
		return true;
	snprintf(full, sizeof(full), "%s%s", text, strlen(text) == 10 ? " 00:00:00" : "");
	if (time_parse(full, strlen(full), to))
		return true;
	fprintf(stderr,
		"pgassay: --%s takes a time like 2024-01-31 or \"2024-01-31 12:00:00\", not "
		"\"%s\"\n",
		name, text);
	return false;
}

static bool set_input(struct options *o, struct input *in, struct facts *f)
{
	struct err why;

	if (o->gate.conf.test_names)
		f->test_names = strcmp(o->gate.conf.test_names, "always") == 0	? TEST_NAMES_ALWAYS
				: strcmp(o->gate.conf.test_names, "never") == 0 ? TEST_NAMES_NEVER
										: TEST_NAMES_AUTO;
	in->opt.prefix = o->prefix;
	in->opt.format = o->input;
	in->opt.jobs = o->jobs > 0 ? (int)o->jobs : 1;
	in->opt.chunk = o->chunk > 0 ? (size_t)o->chunk << 10 : 0;
	in->opt.stop = &stopped;
	in->opt.follow = o->follow;
	in->opt.state = o->state;
	f->draws_calls = o->dsn != NULL;
	f->only_db = str_of(o->db);
	f->only_user = str_of(o->user);
	f->only_app = str_of(o->app);
	if (!time_option(o->since, "since", &f->since) ||
		!time_option(o->until, "until", &f->until))
		return false;
	if (o->file.n == 0 && o->dsn && o->input && strcmp(o->input, "pg_stat_statements") == 0)
		return options_statements(o, f);
	if (o->file.n == 0) {
		fprintf(stderr, "pgassay: which log?  `pgassay log FILE…`, or - for stdin\n");
		return false;
	}
	for (size_t i = 0; i < o->file.n; i++)
		if (!input_add(in, o->file.at[i], &why)) {
			fprintf(stderr, "pgassay: %s\n", why.text);
			return false;
		}
	return true;
}

/* Was the input understood?  An empty report must not look like a clean one. */
static enum exit_status understood(struct options *o, const struct input *in, const struct facts *f)
{
	uint64_t bytes = 0, lost = in->bytes[LOG_NOT_UNDERSTOOD];
	int64_t most = o->max_unparsed < 0 ? 50 : o->max_unparsed;

	for (int c = 0; c < LOG_CLASSES; c++)
		bytes += in->bytes[c];
	for (size_t i = 0; i < in->file.n; i++)
		if (in->file.at[i]->prefix_doubt)
			fprintf(stderr, "pgassay: %s: log_line_prefix '%s': %s\n",
				in->file.at[i]->name, prefix_text(in->file.at[i]->format->prefix),
				in->file.at[i]->prefix_doubt);
	for (size_t i = 0; i < in->file.n; i++)
		if (in->file.at[i]->prefix_seen)
			fprintf(stderr,
				"pgassay: %s: --prefix '%s' fits %d %% of the lines; they look "
				"like "
				"'%s'\n",
				in->file.at[i]->name, o->prefix, in->file.at[i]->prefix_fit,
				in->file.at[i]->prefix_seen);
	if (bytes > 0 && lost * 100 > bytes * (uint64_t)most) {
		fprintf(stderr,
			"pgassay: %.0f %% of the input was not understood; try --prefix, --input, "
			"or "
			"--doctor\n",
			(double)lost * 100 / (double)bytes);
		return EXIT_INPUT;
	}
	if (f->statements == 0) {
		fprintf(stderr,
			"pgassay: no statement was found in the input; --doctor says why\n");
		return EXIT_INPUT;
	}
	return EXIT_CLEAN;
}

static enum exit_status analyse(struct options *o, struct input *in, struct facts *f)
{
	struct findings found = {0};
	struct report r = {.facts = f, .findings = &found, .input = in, .command = "log"};
	struct rule_options ro = {.severity = o->severity};
	enum exit_status status;
	bool ok;
	struct schema *schema = options_schema(o, &ok);

	if (!ok)
		return EXIT_USAGE;
	r.opt.title = o->file.n ? o->file.at[0] : "pg_stat_statements";
	rules_run(f, schema, &ro, &found, &r.unparsed);
	r.plans = plans_of_log(o, f, schema, &found);
	options_advise(o, f, schema, &found, &r);
	bool verified = !o->verify || options_verify(o, &found);
	status = verified ? options_report(o, &r) : EXIT_USAGE;
	if (!options_store(o, &r))
		status = EXIT_FAILED;
	if (status == EXIT_CLEAN)
		status = understood(o, in, f);
	json_decref(r.plans);
	report_release(&r);
	findings_release(&found);
	schema_free(&schema);
	return status;
}

enum exit_status run_log(struct options *o)
{
	struct input in = {0};
	struct facts *f = facts_new(&in);
	struct input_sink sink = facts_sink(f);
	struct progress progress = {0};
	enum exit_status status = EXIT_USAGE;
	struct err why = {""};

	signal(SIGINT, on_interrupt);
	signal(SIGTERM, on_interrupt);
	if (set_input(o, &in, f)) {
		clock_gettime(CLOCK_MONOTONIC, &progress.start);
		progress.last = progress.start;
		if (isatty(2)) {
			in.opt.progress = show_progress;
			in.opt.progress_ctx = &progress;
		}
		bool ok = input_run(&in, &sink, &why);
		if (progress.shown)
			fputs("\r\033[K", stderr);
		if (!ok)
			fprintf(stderr, "pgassay: %s\n", why.text);
		if (stopped && !o->follow)
			fputs("pgassay: interrupted: the report is of what was read until then\n",
				stderr);
		facts_finish(f);
		status = o->doctor ? doctor(&in, f) : analyse(o, &in, f);
		if (!ok && status == EXIT_CLEAN)
			status = EXIT_INPUT;
		if (ok && !o->doctor && status != EXIT_FAILED && status != EXIT_USAGE &&
			!input_remember(&in, &why)) {
			fprintf(stderr, "pgassay: %s\n", why.text);
			status = EXIT_FAILED;
		}
	}
	facts_free(&f);
	input_release(&in);
	return status;
}
