/* SPDX-License-Identifier: ISC
 *
 * input_detect: the table of formats, and which of them a file is in.
 */
#include "input_detect.h"
#include "input_formats.h"

const struct log_format log_formats[] = {
	{.name = "pgsluice",
		.what = "pgsluice's query log (jsonlog with the key pooler)",
		.starts = json_starts,
		.parse = json_parse,
		.score = pooler_score,
		.is_pooler = true},
	{.name = "jsonlog",
		.what = "PostgreSQL's jsonlog, 15 and later",
		.starts = json_starts,
		.parse = json_parse,
		.score = json_score},
	{.name = "csvlog",
		.what = "PostgreSQL's csvlog, 9.4 to 18",
		.starts = csv_starts,
		.parse = csv_parse,
		.score = csv_score},
	{.name = "pg_stat_statements",
		.what = "pg_stat_statements, a CSV with a header; without FILE: live, by --dsn",
		.starts = totals_starts,
		.parse = totals_parse,
		.score = totals_score},
	{.name = "journal",
		.what = "journalctl -o export",
		.starts = journal_starts,
		.parse = journal_parse,
		.unwrap = journal_unwrap,
		.pieces = true,
		.score = journal_score},
	{.name = "cloud",
		.what = "JSON lines of Cloud SQL, Azure, CloudNativePG, journalctl -o json",
		.starts = json_starts,
		.parse = cloud_parse,
		.unwrap = cloud_unwrap,
		.score = cloud_score},
	{.name = "logplex",
		.what = "Heroku's log drain",
		.starts = wrap_starts,
		.parse = wrap_parse,
		.unwrap = logplex_unwrap,
		.pieces = true,
		.score = logplex_score},
	{.name = "syslog",
		.what = "syslog, RFC 3164 and 5424, split lines joined",
		.starts = wrap_starts,
		.parse = wrap_parse,
		.unwrap = syslog_unwrap,
		.pieces = true,
		.score = syslog_score},
	{.name = "pgbouncer",
		.what = "PgBouncer's own log (connections and errors; it has no statements)",
		.starts = bouncer_starts,
		.parse = bouncer_parse,
		.score = bouncer_score},
	{.name = "stderr",
		.what = "PostgreSQL's plain log, with --prefix or the prefix inferred",
		.starts = stderr_starts,
		.parse = stderr_parse,
		.score = stderr_score},
	{.name = NULL},
};

const struct log_format *log_format_find(const char *name)
{
	for (const struct log_format *f = log_formats; f->name; f++)
		if (strcmp(f->name, name) == 0)
			return f;
	return NULL;
}

static bool set_prefix(struct input_file *f, const struct input_options *opt, const char *p,
	size_t n, struct err *why)
{
	if (!opt->prefix) {
		f->own.prefix = prefix_infer(p, n, &f->prefix_fit);
		if (f->own.prefix)
			f->prefix_doubt = prefix_doubt(f->own.prefix, true, p, n);
		return f->own.prefix != NULL && f->prefix_fit >= 50;
	}
	struct log_prefix *given = prefix_new(opt->prefix, why);
	f->own.prefix = given;
	if (!given)
		return false;
	f->prefix_fit = prefix_share(given, p, n);
	f->prefix_doubt = prefix_doubt(given, false, p, n);
	if (f->prefix_fit < 50) {
		int seen_fit = 0;
		struct log_prefix *seen = prefix_infer(p, n, &seen_fit);
		if (seen_fit >= 90)
			f->prefix_seen = mem_strdup(prefix_text(seen));
		prefix_free(&seen);
	}
	return true;
}

/* Bytes that no text has: more than one of a hundred. */
static bool is_binary(const char *p, size_t n)
{
	size_t odd = 0;

	for (size_t i = 0; i < n; i++)
		odd += (unsigned char)p[i] < 0x20 && !(p[i] >= '\t' && p[i] <= '\r') &&
		       p[i] != 0x1b;
	return odd * 100 > n;
}

/* The prefix of the lines inside another log's lines: inferred from the unwrapped ones. */
static void set_inner_prefix(struct input_file *f, const struct input_options *opt, const char *p,
	size_t n)
{
	const char *end = p + n, *nl;
	struct arena scratch = {0};
	struct text lines = {0};

	f->prefix_fit = 100;
	for (; p < end && lines.n < 100000; p = nl + 1) {
		struct log_entry e;
		struct str inner;
		memset(&e, 0, sizeof(e));
		nl = memchr(p, '\n', (size_t)(end - p));
		if (!nl)
			break;
		if (!f->own.unwrap(&scratch, p, (size_t)(nl - p), &e, &inner))
			continue;
		size_t close = str_starts(inner, "[") ? str_find(inner, "] ") : inner.n;
		if (close < inner.n && close < 16)
			inner = str_skip(inner, close + 2);
		text_str(&lines, inner);
		text_char(&lines, '\n');
	}
	if (opt->prefix)
		f->own.prefix = prefix_new(opt->prefix, NULL);
	else if (lines.n)
		f->own.prefix = prefix_infer(lines.p, lines.n, &f->prefix_fit);
	if (f->own.prefix && lines.n)
		f->prefix_doubt = prefix_doubt(f->own.prefix, !opt->prefix, lines.p, lines.n);
	text_release(&lines);
	arena_release(&scratch);
}

bool detect_format(struct input_file *f, const struct input_options *opt, const char *p, size_t n,
	struct err *why)
{
	const struct log_format *best = opt->format ? log_format_find(opt->format) : NULL;
	int top = 0;

	if (!opt->format && f->known_format && (best = log_format_find(f->known_format)) != NULL) {
		f->own = *best;
		f->format = &f->own;
		f->prefix_fit = 100;
		const char *prefix = opt->prefix ? opt->prefix : f->known_prefix;
		f->own.prefix = prefix ? prefix_new(prefix, why) : NULL;
		return !opt->prefix || f->own.prefix;
	}

	if (opt->format && !best)
		return err_set(why, "there is no input format \"%s\"", opt->format);
	for (const struct log_format *k = log_formats; k->name && !best && n > 0; k++) {
		int score = strcmp(k->name, "stderr") == 0 && opt->prefix ? 61 : k->score(p, n);
		if (score > top) {
			top = score;
			f->format = k;
		}
	}
	if (best)
		f->format = best;
	if (!f->format) { /* not recognised: all its bytes are counted as such */
		f->is_binary = is_binary(p, n);
		return true;
	}
	f->own = *f->format;
	f->format = &f->own;
	if (f->own.unwrap)
		set_inner_prefix(f, opt, p, n);
	if (f->own.parse == stderr_parse && !set_prefix(f, opt, p, n, why)) {
		if (opt->prefix)
			return false;
		f->format = NULL;
		f->is_binary = is_binary(p, n);
	}
	return true;
}
