/* SPDX-License-Identifier: ISC
 *
 * From words to the row of a table.  Besides the two tables there are the parameters that
 * drivers ask for or set without being told to (they are shown and otherwise ignored), and
 * the words of transactions, which have no effect here.
 */
#include "console_inner.h"

#include <ctype.h>
#include <strings.h>

struct console_ops console_ops;

/* --- parameters of drivers ----------------------------------------------------------- */

struct parameter {
	const char *name, *value, *columns;
};

static const struct parameter parameters[] = {
	{"client_encoding", "UTF-8", "client_encoding s"},
	{"server_encoding", "UTF-8", "server_encoding s"},
	{"default_transaction_isolation", "read committed", "default_transaction_isolation s"},
	{"transaction_isolation", "read committed", "transaction_isolation s"},
	{"default_transaction_read_only", "off", "default_transaction_read_only s"},
	{"transaction_read_only", "off", "transaction_read_only s"},
	{"in_hot_standby", "off", "in_hot_standby s"},
	{"standard_conforming_strings", "on", "standard_conforming_strings s"},
	{"datestyle", "ISO", "datestyle s"},
	{"intervalstyle", "postgres", "intervalstyle s"},
	{"timezone", "GMT", "timezone s"},
	{"extra_float_digits", "1", "extra_float_digits s"},
	{"application_name", "", "application_name s"},
	{"statement_timeout", "0", "statement_timeout s"},
	{"lock_timeout", "0", "lock_timeout s"},
	{"idle_in_transaction_session_timeout", "0", "idle_in_transaction_session_timeout s"},
	{"search_path", "\"$user\", public", "search_path s"},
	{"bytea_output", "hex", "bytea_output s"},
	{"client_min_messages", "notice", "client_min_messages s"},
	{"session_authorization", "", "session_authorization s"},
	{"server_version", CONSOLE_PGBOUNCER_VERSION "/bouncer", "server_version s"},
	{"jit", "off", "jit s"},
	{"row_security", "on", "row_security s"},
};

static const struct parameter *parameter_find(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(parameters); i++)
		if (strcasecmp(parameters[i].name, name) == 0)
			return &parameters[i];
	return NULL;
}

/* SHOW's parameter, also in the words of the standard. */
static const struct parameter *parameter_shown(const struct words *w)
{
	if (words_is(w, 1, "transaction") && words_is(w, 2, "isolation") && words_is(w, 3, "level"))
		return parameter_find("transaction_isolation");
	if (words_is(w, 1, "time") && words_is(w, 2, "zone"))
		return parameter_find("timezone");
	return w->n == 2 ? parameter_find(w->word[1]) : NULL;
}

/* --- transactions -------------------------------------------------------------------- */

static const struct quiet {
	const char *word, *tag;
	char status;
} quiet_words[] = {
	{"begin", "BEGIN", 'T'},
	{"start", "START TRANSACTION", 'T'},
	{"commit", "COMMIT", 'I'},
	{"end", "COMMIT", 'I'},
	{"rollback", "ROLLBACK", 'I'},
	{"abort", "ROLLBACK", 'I'},
	{"discard", "DISCARD ALL", 0},
	{"reset", "RESET", 0},
	{"deallocate", "DEALLOCATE", 0},
	{"close", "CLOSE CURSOR", 0},
	{"unlisten", "UNLISTEN", 0},
};

static const struct quiet *quiet_find(const struct words *w)
{
	for (size_t i = 0; i < ARRAY_LEN(quiet_words); i++)
		if (words_is(w, 0, quiet_words[i].word))
			return &quiet_words[i];
	return NULL;
}

/* --- finding --------------------------------------------------------------------------- */

static const struct console_row *row_find(const struct console_row *table, const char *name)
{
	for (; table->name; table++)
		if (strcasecmp(table->name, name) == 0)
			return table;
	return NULL;
}

static bool is_show(const struct words *w)
{
	return words_is(w, 0, "show") || words_is(w, 0, "select");
}

/* Names of ours that may be two words: RESET QUERIES, SHOW QUERIES USERS. */
static const struct console_row *find_in_two(const struct words *w, int *first)
{
	char name[40];

	if (words_is(w, 0, "reset") && words_is(w, 1, "queries")) {
		*first = 2;
		return row_find(console_commands, "reset_queries");
	}
	if (!is_show(w) || w->n < 3 || !words_is(w, 1, "queries"))
		return NULL;
	*first = 3;
	snprintf(name, sizeof name, "queries_%s", w->word[2]);
	return row_find(console_shows, name);
}

/* The row of a statement, and where its arguments begin; NULL: none. */
static const struct console_row *find(const struct words *w, int *first)
{
	const struct console_row *row = find_in_two(w, first);

	if (row)
		return row;
	*first = is_show(w) ? 2 : 1;
	if (is_show(w))
		return w->n > 1 ? row_find(console_shows, w->word[1]) : NULL;
	return w->kind[0] == WORD_BARE || w->kind[0] == WORD_QUOTED
		       ? row_find(console_commands, w->word[0])
		       : NULL;
}

static const char *columns_of(const struct console_row *row)
{
	return row->old_columns && hub.conf && hub.conf->p.console_old_columns ? row->old_columns
									       : row->columns;
}

const char *request_columns(const struct words *w)
{
	const struct console_row *row;
	const struct parameter *p;
	int first;

	row = find(w, &first);
	if (row)
		return columns_of(row);
	p = is_show(w) ? parameter_shown(w) : NULL;
	return p ? p->columns : NULL;
}

/* --- requests ----------------------------------------------------------------------------- */

struct request *request_new(struct console *c, const struct words *w)
{
	struct request *q = mem_zalloc(sizeof *q);
	const char *base = w->bytes;

	q->session = c;
	q->words = *w;
	for (int i = 0; i < w->n; i++)
		q->words.word[i] = q->words.bytes + (w->word[i] - base);
	list_init(&q->link);
	return q;
}

void request_free(struct request *q)
{
	list_del(&q->link);
	answer_release(&q->answer);
	free(q);
}

void request_done(struct request *q)
{
	struct console *c = q->session;

	if (c) {
		c->running = NULL;
		message_answered(c, q);
	}
	request_free(q);
	if (c)
		console_advance(c);
}

void request_fail(struct request *q, const char *sqlstate, const char *hint, const char *fmt, ...)
{
	struct buf text = {0};
	va_list ap;
	char who[160];

	va_start(ap, fmt);
	buf_vprintf(&text, fmt, ap);
	va_end(ap);
	free(q->answer.message);
	free(q->answer.hint);
	q->answer.sqlstate = sqlstate ? sqlstate : "08P01";
	q->answer.message = mem_strdup(buf_cstr(&text));
	q->answer.hint = hint ? mem_strdup(hint) : NULL;
	buf_free(&text);
	if (q->session)
		log_line(LOG_PART_CONSOLE, LOG_LEVEL_WARNING, "%s: console: %s",
			login_who(q->session->login, who, sizeof who), q->answer.message);
}

void request_notice(struct request *q, const char *fmt, ...)
{
	struct buf text = {0};
	va_list ap;

	va_start(ap, fmt);
	buf_vprintf(&text, fmt, ap);
	va_end(ap);
	wire_put_error(&q->answer.notices, 'N', "NOTICE", "00000", buf_cstr(&text), NULL, NULL);
	buf_free(&text);
}

const char *request_arg(const struct request *q, int i)
{
	return q->first + i < q->words.n ? q->words.word[q->first + i] : "";
}

/* --- running --------------------------------------------------------------------------------- */

/* How far two words are apart (Levenshtein), at most `most` + 1. */
static unsigned distance(const char *a, const char *b, unsigned most)
{
	unsigned row[40], last, keep;
	size_t n = strlen(b), m = strlen(a);

	if (n >= ARRAY_LEN(row) || m >= ARRAY_LEN(row))
		return most + 1;
	for (size_t j = 0; j <= n; j++)
		row[j] = (unsigned)j;
	for (size_t i = 1; i <= m; i++) {
		last = row[0];
		row[0] = (unsigned)i;
		for (size_t j = 1; j <= n; j++) {
			unsigned cost = strncasecmp(&a[i - 1], &b[j - 1], 1) != 0;

			keep = row[j];
			cost += last;
			if (row[j] + 1 < cost)
				cost = row[j] + 1;
			if (row[j - 1] + 1 < cost)
				cost = row[j - 1] + 1;
			row[j] = cost;
			last = keep;
		}
	}
	return row[n];
}

static const char *nearest(const struct console_row *table, const char *word)
{
	const char *best = NULL;
	unsigned least = 3;

	for (; table->name; table++) {
		unsigned d = distance(word, table->name, least);

		if (d < least && d < strlen(word)) {
			least = d;
			best = table->name;
		}
	}
	return best;
}

/* Names of the tables, as an operator writes them. */
#define NAME_SIZE 40

static const char *upper(const char *s, char name[NAME_SIZE])
{
	size_t n = 0;

	for (; s[n] && n + 1 < NAME_SIZE; n++)
		name[n] = (char)toupper((unsigned char)s[n]);
	name[n] = '\0';
	return name;
}

void request_invalid(struct request *q, const char *hint)
{
	request_fail(q, NULL, hint, "invalid command '%s', use SHOW HELP;", q->words.text);
}

static void not_understood(struct request *q)
{
	const struct words *w = &q->words;
	bool show = is_show(w);
	const char *best = NULL;
	char hint[200], name[NAME_SIZE];

	if (w->error) {
		request_fail(q, NULL, "SHOW HELP lists the commands.", "invalid command: %s",
			w->error);
		return;
	}
	if (show && w->n > 1)
		best = nearest(console_shows, w->word[1]);
	else if (!show)
		best = nearest(console_commands, w->word[0]);
	if (best)
		snprintf(hint, sizeof hint, "Did you mean %s%s? SHOW HELP lists all commands.",
			show ? "SHOW " : "", upper(best, name));
	else
		snprintf(hint, sizeof hint, "SHOW HELP lists all commands.");
	request_invalid(q, hint);
}

/* SHOW of a driver's parameter. */
static void run_parameter(struct request *q, const struct parameter *p)
{
	struct row r;

	q->answer.columns = p->columns;
	r = row_begin(&q->answer.rows);
	row_text(&r, p->value);
	row_end(&r);
	q->answer.tag = "SHOW";
	request_done(q);
}

/* SET of a driver's parameter, also SET SESSION, SET TIME ZONE, SET TRANSACTION …; true: it
 * was one. */
static bool run_ignored_set(struct request *q)
{
	const struct words *w = &q->words;
	int i = 1;

	if (words_is(w, i, "session") || words_is(w, i, "local"))
		i++;
	if (i >= w->n)
		return false;
	if (!words_is(w, i, "transaction") && !words_is(w, i, "characteristics") &&
		!words_is(w, i, "names") &&
		!(words_is(w, i, "time") && words_is(w, i + 1, "zone")) &&
		!parameter_find(w->word[i]))
		return false;
	q->answer.tag = "SET";
	request_notice(q, "SET ignored");
	request_done(q);
	return true;
}

static bool arguments_fit(struct request *q)
{
	const struct console_row *row = q->row;
	int n = q->words.n - q->first;
	char hint[200], name[NAME_SIZE];

	if (n >= row->min_args && n <= row->max_args)
		return true;
	snprintf(hint, sizeof hint, "Write %s%s%s%s.", is_show(&q->words) ? "SHOW " : "",
		upper(row->name, name), row->args ? " " : "", row->args ? row->args : "");
	request_invalid(q, hint);
	return false;
}

void request_run(struct request *q)
{
	const struct words *w = &q->words;
	const struct parameter *p;
	const struct quiet *quiet;

	if (w->error) {
		not_understood(q);
		request_done(q);
		return;
	}
	if (words_is(w, 0, "set") && run_ignored_set(q))
		return;
	p = is_show(w) ? parameter_shown(w) : NULL;
	if (p) {
		run_parameter(q, p);
		return;
	}
	q->row = find(w, &q->first);
	if (!q->row) {
		quiet = quiet_find(w);
		if (quiet) {
			q->answer.tag = quiet->tag;
			q->answer.status = quiet->status;
		} else {
			not_understood(q);
		}
		request_done(q);
		return;
	}
	q->answer.columns = columns_of(q->row);
	if (q->row->right == RIGHT_ADMIN && !q->session->login->admin) {
		request_fail(q, NULL, "Only users in admin_users may do that.",
			"admin access needed");
		request_done(q);
	} else if (!arguments_fit(q)) {
		request_done(q);
	} else {
		q->row->run(q);
	}
}
