/* SPDX-License-Identifier: ISC
 *
 * input_message: a message's text -> its class and, where it carries one, its statement.
 *
 * English is matched first and directly; other languages by the tables of input_words.c and
 * input_catalog.c.
 */
#include "input_words.h"

#include <ctype.h>

static const char *const class_names[LOG_CLASSES] = {
	[LOG_NOT_UNDERSTOOD] = "not_understood",
	[LOG_STATEMENT] = "statement",
	[LOG_PLAN] = "plan",
	[LOG_ERROR] = "error",
	[LOG_CONNECTION] = "connection",
	[LOG_CHECKPOINT] = "checkpoint",
	[LOG_AUTOVACUUM] = "autovacuum",
	[LOG_LOCK] = "lock",
	[LOG_TEMP_FILE] = "temp_file",
	[LOG_DETAIL] = "detail",
	[LOG_OTHER] = "other",
	[LOG_CONTINUATION] = "continuation",
};

const char *log_class_name(enum log_class c)
{
	return class_names[c];
}

const char *log_severity_name(enum log_severity s)
{
	static const char *const names[] = {
		"", "DEBUG", "INFO", "NOTICE", "WARNING", "LOG", "ERROR", "FATAL", "PANIC"};

	return names[s];
}

/* --- severity ------------------------------------------------------------------- */

static const struct word_mark english[] = {
	{"LOG:", SEV_LOG, PART_MESSAGE},
	{"DETAIL:", SEV_NONE, PART_DETAIL},
	{"STATEMENT:", SEV_NONE, PART_STATEMENT},
	{"ERROR:", SEV_ERROR, PART_MESSAGE},
	{"CONTEXT:", SEV_NONE, PART_CONTEXT},
	{"HINT:", SEV_NONE, PART_HINT},
	{"WARNING:", SEV_WARNING, PART_MESSAGE},
	{"NOTICE:", SEV_NOTICE, PART_MESSAGE},
	{"FATAL:", SEV_FATAL, PART_MESSAGE},
	{"QUERY:", SEV_NONE, PART_QUERY},
	{"LOCATION:", SEV_NONE, PART_LOCATION},
	{"PANIC:", SEV_PANIC, PART_MESSAGE},
	{"BACKTRACE:", SEV_NONE, PART_BACKTRACE},
	{"INFO:", SEV_INFO, PART_MESSAGE},
	{"DEBUG:", SEV_DEBUG, PART_MESSAGE},
	{"DEBUG1:", SEV_DEBUG, PART_MESSAGE},
	{"DEBUG2:", SEV_DEBUG, PART_MESSAGE},
	{"DEBUG3:", SEV_DEBUG, PART_MESSAGE},
	{"DEBUG4:", SEV_DEBUG, PART_MESSAGE},
	{"DEBUG5:", SEV_DEBUG, PART_MESSAGE},
};

static size_t match_mark(const struct word_mark *m, size_t count, const char *p, size_t n,
	enum log_severity *sev, enum log_part *part)
{
	for (size_t i = 0; i < count; i++) {
		size_t len = strlen(m[i].text);
		if (n < len || p[0] != m[i].text[0] || memcmp(p, m[i].text, len) != 0)
			continue;
		*sev = m[i].severity;
		*part = m[i].part;
		if (len < n && p[len] != ' ')
			continue;
		while (len < n && p[len] == ' ')
			len++;
		return len;
	}
	return 0;
}

size_t message_severity(const char *p, size_t n, enum log_severity *sev, enum log_part *part)
{
	if (n >= 4 && memcmp(p, "LOG:", 4) == 0 && (n == 4 || p[4] == ' ')) {
		size_t len = n >= 6 && p[5] == ' ' ? 6 : n >= 5 ? 5 : 4;
		*sev = SEV_LOG;
		*part = PART_MESSAGE;
		return len;
	}
	if (n < 3)
		return 0;
	if ((p[0] >= 'A' && p[0] <= 'Z')) {
		size_t len = match_mark(english, ARRAY_LEN(english), p, n, sev, part);
		if (len > 0)
			return len;
	} else if (!(p[0] & 0x80)) {
		return 0;
	}
	return match_mark(word_marks, word_mark_count, p, n, sev, part);
}

/* --- statements ------------------------------------------------------------------- */

/* "12.345" -> 12345 µs; how many bytes the number has, 0: none. */
static size_t milliseconds(const char *p, size_t n, int64_t *usec)
{
	int64_t ms = 0, us = 0, unit = 100;
	size_t i = 0;

	for (; i < n && p[i] >= '0' && p[i] <= '9' && i < 15; i++)
		ms = ms * 10 + (p[i] - '0');
	if (i == 0)
		return 0;
	if (i < n && (p[i] == '.' || p[i] == ','))
		for (i++; i < n && p[i] >= '0' && p[i] <= '9'; i++, unit /= 10)
			us += (p[i] - '0') * unit;
	*usec = ms * 1000 + us;
	return i;
}

/* `NAME: SQL` behind parse, bind, execute. */
static void named_statement(struct log_entry *e, struct str rest)
{
	size_t colon = str_find(rest, ": ");

	if (colon == rest.n) {
		e->name = str_trim(rest);
		if (str_ends(e->name, ":")) /* an empty statement */
			e->name.n--;
		return;
	}
	e->name = str_before(rest, colon);
	e->sql = str_skip(rest, colon + 2);
}

/* The next four are inlined so that, for English, every comparison is with a constant. */
#define FOLDED static inline __attribute__((always_inline))

FOLDED bool phase_word(struct str *rest, const char *word)
{
	if (!*word || !str_starts(*rest, word))
		return false;
	*rest = str_skip(*rest, strlen(word));
	if (rest->n && rest->p[0] == ' ')
		*rest = str_skip(*rest, 1);
	return true;
}

static const struct word_phrase english_phrase = {"en", "duration", " ms",
	"  statement: ", "statement: ", "parse", "bind", "execute", "execute fetch from",
	"parameters: ", "prepare: "};

/* What follows a duration, or stands alone: which phase, which statement. */
FOLDED bool statement_text(struct log_entry *e, struct str rest, const struct word_phrase *w)
{
	if (phase_word(&rest, w->parse))
		e->phase = PHASE_PARSE;
	else if (phase_word(&rest, w->bind))
		e->phase = PHASE_BIND;
	else if (phase_word(&rest, w->fetch))
		e->phase = PHASE_FETCH;
	else if (phase_word(&rest, w->execute))
		e->phase = PHASE_EXECUTE;
	else
		return false;
	named_statement(e, rest);
	return true;
}

FOLDED bool duration(struct log_entry *e, const struct word_phrase *w)
{
	struct str m = e->message, rest;
	size_t head = strlen(w->duration), n;

	if (!str_starts(m, w->duration))
		return false;
	rest = str_skip(m, head);
	while (rest.n && (rest.p[0] == ':' || rest.p[0] == ' '))
		rest = str_skip(rest, 1);
	n = milliseconds(rest.p, rest.n, &e->usec);
	if (n == 0)
		return false;
	rest = str_skip(rest, n);
	if (!str_starts(rest, w->unit))
		return false;
	rest = str_skip(rest, strlen(w->unit));
	e->class = LOG_STATEMENT;
	if (str_starts(rest, w->statement)) {
		e->phase = PHASE_SIMPLE;
		e->sql = str_skip(rest, strlen(w->statement));
		return true;
	}
	rest = str_trim(rest);
	if (str_starts(rest, "plan:")) {
		e->class = LOG_PLAN;
		e->phase = PHASE_PLAN;
		e->plan = str_skip(rest, strlen("plan:"));
		return true;
	}
	if (!statement_text(e, rest, w))
		e->phase = PHASE_DURATION;
	return true;
}

FOLDED bool statement_only(struct log_entry *e, const struct word_phrase *w)
{
	if (e->severity != SEV_LOG && e->severity != SEV_NONE)
		return false;
	if (str_starts(e->message, w->statement_only)) {
		e->phase = PHASE_SIMPLE;
		e->sql = str_skip(e->message, strlen(w->statement_only));
	} else if (!str_starts(e->message, w->execute) || !statement_text(e, e->message, w) ||
		   !e->sql.p) {
		e->phase = PHASE_NONE;
		return false;
	}
	e->class = LOG_STATEMENT;
	return true;
}

/* --- other classes ------------------------------------------------------------------- */

static const struct {
	const char *head;
	enum log_class class;
} heads[] = {
	{"connection ", LOG_CONNECTION},
	{"disconnection: ", LOG_CONNECTION},
	{"replication connection ", LOG_CONNECTION},
	{"could not receive data from client", LOG_CONNECTION},
	{"unexpected EOF on client connection", LOG_CONNECTION},
	{"checkpoint ", LOG_CHECKPOINT},
	{"restartpoint ", LOG_CHECKPOINT},
	{"checkpoints are occurring too frequently", LOG_CHECKPOINT},
	{"automatic vacuum", LOG_AUTOVACUUM},
	{"automatic aggressive vacuum", LOG_AUTOVACUUM},
	{"automatic analyze", LOG_AUTOVACUUM},
	{"temporary file: ", LOG_TEMP_FILE},
};

static enum log_class other_class(const struct log_entry *e)
{
	struct str m = e->message;

	if (e->severity >= SEV_ERROR)
		return LOG_ERROR;
	for (size_t i = 0; i < ARRAY_LEN(heads); i++)
		if (m.n && m.p[0] == heads[i].head[0] && str_starts(m, heads[i].head))
			return heads[i].class;
	if (str_starts(m, "process ") &&
		(str_find(m, " still waiting for ") < m.n || str_find(m, " acquired ") < m.n ||
			str_find(m, " failed to acquire ") < m.n ||
			str_find(m, " detected deadlock ") < m.n ||
			str_find(m, " avoided deadlock ") < m.n))
		return LOG_LOCK;
	return LOG_OTHER;
}

/* Since 16 the list's name begins like a sentence; in German it always did. */
static const char *const capital_parameters[] = {"Parameters: ", "Parámetros: ", "Paramètres : ",
	"Parametri: ", "Параметры: ", "Parametrar: ", "Параметри: "};

struct str message_params(struct str detail)
{
	if (str_starts(detail, "parameters: "))
		return str_skip(detail, strlen("parameters: "));
	for (size_t i = 0; i < ARRAY_LEN(capital_parameters); i++)
		if (str_starts(detail, capital_parameters[i]))
			return str_skip(detail, strlen(capital_parameters[i]));
	for (size_t i = 0; i < word_phrase_count; i++)
		if (str_starts(detail, word_phrases[i].parameters))
			return str_skip(detail, strlen(word_phrases[i].parameters));
	return STR_NONE;
}

struct str message_prepared(struct str detail)
{
	if (str_starts(detail, "prepare: "))
		return str_skip(detail, strlen("prepare: "));
	for (size_t i = 0; i < word_phrase_count; i++)
		if (str_starts(detail, word_phrases[i].prepare))
			return str_skip(detail, strlen(word_phrases[i].prepare));
	return STR_NONE;
}

struct str message_prepare_body(struct str d)
{
	struct str body;

	for (size_t i = 0; i + 4 < d.n; i++)
		if (isspace((unsigned char)d.p[i]) && strncasecmp(d.p + i + 1, "as", 2) == 0 &&
			isspace((unsigned char)d.p[i + 3])) {
			body = str_trim(str_skip(d, i + 4));
			return str_before(body, body.n - str_ends(body, ";"));
		}
	return STR_NONE;
}

/* `EXECUTE p(1)`: the statement is in the detail, "prepare: PREPARE p AS …". */
static void prepared_text(struct log_entry *e)
{
	struct str body = message_prepare_body(message_prepared(e->detail));

	if (body.n == 0)
		return;
	e->params = e->sql;
	e->sql = body;
}

static __attribute__((noinline)) bool other_language(struct log_entry *e)
{
	for (size_t i = 0; i < word_phrase_count; i++)
		if (duration(e, &word_phrases[i]) || statement_only(e, &word_phrases[i])) {
			e->lang = word_phrases[i].lang;
			return true;
		}
	return false;
}

void message_classify(struct log_entry *e)
{
	bool known = false;

	e->usec = -1;
	if (e->severity <= SEV_LOG) {
		known = duration(e, &english_phrase) || statement_only(e, &english_phrase);
		known = known || other_language(e);
	}
	if (!known)
		e->class = other_class(e);
	if (e->class == LOG_STATEMENT && e->detail.n) {
		e->params = message_params(e->detail);
		if (e->phase == PHASE_SIMPLE)
			prepared_text(e);
	}
	if (!e->sql.p && e->query.p)
		e->sql = e->query;
}

void message_translate(struct arena *a, struct log_entry *e)
{
	const char *lang = NULL;

	if (e->class == LOG_DETAIL && e->part == PART_DETAIL) {
		if (!str_starts(e->detail, english_phrase.parameters))
			lang = catalog_english(a, &e->detail, false);
	} else if ((e->class == LOG_OTHER || e->class == LOG_ERROR || e->class == LOG_CHECKPOINT) &&
		   e->message.n) { /* "checkpoint" is Spanish, too */
		lang = catalog_english(a, &e->message, e->severity >= SEV_ERROR);
		if (lang && e->detail.n)
			(void)catalog_english(a, &e->detail, false);
		if (lang)
			message_classify(e);
	}
	if (lang)
		e->lang = lang;
}

/* --- parameters --------------------------------------------------------------------- */

struct str message_param(struct arena *a, struct str list, int want)
{
	size_t i = 0;

	for (int k = 1; i < list.n; k++) {
		while (i < list.n && list.p[i] != '=') /* $n = */
			i++;
		i += 2;
		if (i >= list.n)
			break;
		if (list.p[i] != '\'') { /* NULL */
			if (k == want)
				return STR_NONE;
			while (i < list.n && list.p[i] != ',')
				i++;
			continue;
		}
		size_t from = ++i;
		while (i < list.n &&
			(list.p[i] != '\'' || (i + 1 < list.n && list.p[i + 1] == '\'')))
			i += list.p[i] == '\'' ? 2 : 1;
		if (k == want) {
			char *out = arena_alloc(a, i - from + 1), *to = out;
			for (size_t j = from; j < i; j++) {
				*to++ = list.p[j];
				j += list.p[j] == '\'' ? 1 : 0;
			}
			*to = '\0';
			return (struct str){out, (size_t)(to - out)};
		}
		i++;
	}
	return STR_NONE;
}
