/* SPDX-License-Identifier: ISC
 *
 * What a text must look like, beyond being a text: ports, addresses, lists of known words.
 * A row of the table names its check; a check that fails says what is allowed.
 */
#include "conf_own.h"

#include <ctype.h>
#include <strings.h>
#include <syslog.h>

/* Copies one word of a list, cut to the room there is: a word that long fits no table. */
static void word_copy(char *to, size_t room, const char *word, size_t n)
{
	if (n >= room)
		n = room - 1;
	memcpy(to, word, n);
	to[n] = '\0';
}

static int word_index(const char *const *words, size_t n, const char *word)
{
	for (size_t i = 0; i < n; i++)
		if (strcasecmp(words[i], word) == 0)
			return (int)i;
	return -1;
}

static void say_words(struct buf *out, const char *const *words, size_t n)
{
	for (size_t i = 0; i < n; i++)
		buf_printf(out, "%s%s", i ? ", " : "", words[i]);
}

static bool is_port(const char *text, size_t n)
{
	long port = 0;

	if (n == 0 || n > 5)
		return false;
	for (size_t i = 0; i < n; i++) {
		if (!isdigit((unsigned char)text[i]))
			return false;
		port = port * 10 + (text[i] - '0');
	}
	return port >= 1 && port <= 65535;
}

bool check_ports(const char *text, struct buf *allowed)
{
	const char *word;
	size_t n;

	while ((word = conf_list_next(&text, &n))) {
		if (!is_port(word, n)) {
			buf_put_str(allowed, "must be a port from 1 to 65535, or several of them "
					     "separated by commas");
			return false;
		}
	}
	return true;
}

bool check_host_port(const char *text, struct buf *allowed)
{
	const char *colon = strrchr(text, ':');
	bool bracket = text[0] == '[';
	bool ok = colon && colon > text && is_port(colon + 1, strlen(colon + 1));

	/* An IPv6 address stands in brackets, or its last group would pass for the port. */
	if (ok && bracket)
		ok = colon[-1] == ']' && colon > text + 2;
	else if (ok)
		ok = !memchr(text, ':', (size_t)(colon - text));
	if (!ok)
		buf_put_str(allowed,
			"must be ADDRESS:PORT, such as 127.0.0.1:9127, *:9127 or [::1]:9127");
	return ok;
}

/* --- log levels ------------------------------------------------------------- */

/* In the order of enum log_part and enum log_level. */
static const char *const part_words[LOG_PART_COUNT] = {
	"main", "conf", "net", "auth", "pool", "session", "dial", "console", "obs"};
static const char *const level_words[] = {"fatal", "error", "warning", "info", "debug", "noise"};

static bool log_level_parse(const char *word, size_t n, int *part, int *level)
{
	const char *eq = memchr(word, '=', n);
	char a[16], b[16];
	size_t an, bn;

	if (!eq)
		return false;
	an = (size_t)(eq - word);
	while (an > 0 && isblank((unsigned char)word[an - 1]))
		an--;
	bn = n - (size_t)(eq - word) - 1;
	for (eq++; bn > 0 && isblank((unsigned char)*eq); eq++)
		bn--;
	word_copy(a, sizeof a, word, an);
	word_copy(b, sizeof b, eq, bn);
	*part = word_index(part_words, LOG_PART_COUNT, a);
	*level = word_index(level_words, ARRAY_LEN(level_words), b);
	return *part >= 0 && *level > 0;
}

bool check_log_levels(const char *text, struct buf *allowed)
{
	const char *word;
	size_t n;
	int part, level;

	while ((word = conf_list_next(&text, &n))) {
		if (log_level_parse(word, n, &part, &level))
			continue;
		buf_put_str(allowed, "must be a list of PART=LEVEL with a part of ");
		say_words(allowed, part_words, LOG_PART_COUNT);
		buf_put_str(allowed, " and a level of ");
		say_words(allowed, level_words + 1, ARRAY_LEN(level_words) - 1);
		return false;
	}
	return true;
}

void log_levels_apply(const char *list, enum log_level level[LOG_PART_COUNT])
{
	const char *word;
	size_t n;
	int part, l;

	while ((word = conf_list_next(&list, &n)))
		if (log_level_parse(word, n, &part, &l))
			level[part] = (enum log_level)l;
}

/* --- lists of known words ---------------------------------------------------- */

static const char *const facility_words[] = {"auth", "authpriv", "daemon", "user", "local0",
	"local1", "local2", "local3", "local4", "local5", "local6", "local7"};
static const int facility_numbers[] = {LOG_AUTH, LOG_AUTHPRIV, LOG_DAEMON, LOG_USER, LOG_LOCAL0,
	LOG_LOCAL1, LOG_LOCAL2, LOG_LOCAL3, LOG_LOCAL4, LOG_LOCAL5, LOG_LOCAL6, LOG_LOCAL7};

int syslog_facility_number(const char *word)
{
	int i = word_index(facility_words, ARRAY_LEN(facility_words), word);

	return i < 0 ? -1 : facility_numbers[i];
}

static bool check_words(const char *text, const char *const *words, size_t n, struct buf *allowed)
{
	if (word_index(words, n, text) >= 0)
		return true;
	buf_put_str(allowed, "must be one of ");
	say_words(allowed, words, n);
	return false;
}

bool check_syslog_facility(const char *text, struct buf *allowed)
{
	return check_words(text, facility_words, ARRAY_LEN(facility_words), allowed);
}

bool check_session_attrs(const char *text, struct buf *allowed)
{
	static const char *const words[] = {
		"any", "read-write", "read-only", "primary", "standby", "prefer-standby"};

	return check_words(text, words, ARRAY_LEN(words), allowed);
}

bool check_channel_binding(const char *text, struct buf *allowed)
{
	static const char *const words[] = {"disable", "prefer", "require"};

	return check_words(text, words, ARRAY_LEN(words), allowed);
}

bool check_tls_protocols(const char *text, struct buf *allowed)
{
	if (conf_tls_versions(text))
		return true;
	buf_put_str(allowed, "must be a list of secure, all, tlsv1.0, tlsv1.1, tlsv1.2, tlsv1.3 "
			     "that leaves one of them; a ! in front takes one away");
	return false;
}

bool check_no_console(const char *text, struct buf *allowed)
{
	if (!conf_is_console(text))
		return true;
	buf_put_str(allowed, "this is the name of the console, which holds no users");
	return false;
}
