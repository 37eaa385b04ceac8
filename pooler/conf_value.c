/* SPDX-License-Identifier: ISC
 *
 * Text to value and back, by the row of the table.
 *
 * PgBouncer's habits are kept: a bare number of a time counts seconds (or what the row's
 * unit says) and may have a fraction, switches are 0 and 1, words ignore case.  Beyond
 * them we read `250ms`, `10s`, `5min`, `1h`, `2d`, and `64kB`, `8MB`, `1GB`.  What cannot
 * be read is never guessed at: "1O" or "5 m" is an error that says what would do.
 */
#include "conf_own.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <math.h>
#include <strings.h>

struct unit {
	const char *word;
	double factor;
};

static const struct unit time_units[] = {
	{"us", 1},
	{"ms", 1e3},
	{"s", 1e6},
	{"sec", 1e6},
	{"min", 60e6},
	{"h", 3600e6},
	{"d", 86400e6},
};
static const struct unit size_units[] = {
	{"B", 1},
	{"bytes", 1},
	{"kB", 1024},
	{"MB", 1024.0 * 1024},
	{"GB", 1024.0 * 1024 * 1024},
	{"TB", 1024.0 * 1024 * 1024 * 1024},
};

/* A hundred years: more is a slip of the pen, and sums of times stay far from overflow. */
#define TIME_MAX (100 * 365.25 * 86400e6)

static double unit_factor(const struct unit *units, size_t n, const char *word, bool nocase)
{
	for (size_t i = 0; i < n; i++)
		if ((nocase ? strcasecmp : strcmp)(units[i].word, word) == 0)
			return units[i].factor;
	return 0;
}

/* A decimal number with an optional fraction; *end is behind it.  Neither hex nor "inf"
 * nor "nan", which strtod would take. */
static bool number_parse(const char *text, double *out, const char **end)
{
	char *stop;
	const char *p = text + (*text == '-' || *text == '+');

	if (!isdigit((unsigned char)*p) && !(*p == '.' && isdigit((unsigned char)p[1])))
		return false;
	if (p[0] == '0' && (p[1] == 'x' || p[1] == 'X'))
		return false;
	errno = 0;
	*out = strtod(text, &stop);
	*end = stop;
	return errno == 0 && isfinite(*out);
}

/* A number and a unit: "10", "10s", "1.5 h".  `bare` is the factor of no unit. */
static bool quantity_parse(const char *text, const struct unit *units, size_t n, bool nocase,
	double bare, double *out)
{
	const char *end;
	double number, factor = bare;

	if (!number_parse(text, &number, &end))
		return false;
	while (*end == ' ' || *end == '\t')
		end++;
	if (*end)
		factor = unit_factor(units, n, end, nocase);
	*out = number * factor;
	return factor != 0;
}

static double bare_time_factor(const struct conf_setting *s)
{
	return s->unit ? unit_factor(time_units, ARRAY_LEN(time_units), s->unit, false) : 1e6;
}

static bool bool_parse(const char *text, bool *out)
{
	static const char *const yes[] = {"1", "on", "true", "yes"};
	static const char *const no[] = {"0", "off", "false", "no"};
	size_t digits = strspn(text, "0123456789");

	for (size_t i = 0; i < ARRAY_LEN(yes); i++) {
		if (strcasecmp(text, yes[i]) == 0 || strcasecmp(text, no[i]) == 0) {
			*out = strcasecmp(text, yes[i]) == 0;
			return true;
		}
	}
	/* PgBouncer's switches are ints, of which any but 0 is on. */
	*out = strspn(text, "0") != digits;
	return digits > 0 && digits < 10 && !text[digits];
}

static bool int_parse(const char *text, int base, int *out)
{
	char *end;
	long n;

	if (!isdigit((unsigned char)text[text[0] == '-' || text[0] == '+']))
		return false;
	errno = 0;
	n = strtol(text, &end, base);
	*out = (int)n;
	return !errno && !*end && n >= INT_MIN && n <= INT_MAX;
}

/* Reads into *v and, for what has a size, into *n in the row's unit for the range. */
static bool scalar_parse(const struct conf_setting *s, const char *text, union conf_value *v,
	double *n)
{
	const char *end;
	double d;

	*n = NAN;
	switch (s->type) {
	case CONF_BOOL:
		return bool_parse(text, &v->b);
	case CONF_INT:
		if (s->zero && strcasecmp(text, s->zero) == 0)
			v->i = 0;
		else if (!int_parse(text, 10, &v->i))
			return false;
		*n = v->i;
		return true;
	case CONF_OCTAL:
		if (text[0] != '0' || !int_parse(text, 8, &v->i))
			return false;
		*n = v->i;
		return true;
	case CONF_NUMBER:
		if (!number_parse(text, &v->number, &end) || *end)
			return false;
		*n = v->number;
		return true;
	case CONF_SIZE:
		if (!quantity_parse(text, size_units, ARRAY_LEN(size_units), true, 1, n))
			return false;
		d = floor(*n);
		v->size = d < 9e18 && d > -9e18 ? (int64_t)d : INT64_MAX;
		return true;
	case CONF_TIME:
		d = bare_time_factor(s);
		if (!quantity_parse(text, time_units, ARRAY_LEN(time_units), false, d, n))
			return false;
		if (*n > TIME_MAX)
			return false;
		v->time = *n > 0 ? (usec_t)(*n + 0.5) : 0;
		*n /= d;
		return true;
	case CONF_WORD:
		for (v->i = 0; s->words[v->i]; v->i++)
			if (strcasecmp(s->words[v->i], text) == 0)
				return true;
		return false;
	case CONF_STRING:
	case CONF_LIST:
	case CONF_FILE:
	case CONF_SECRET:
		v->text = text;
		return true;
	}
	return false;
}

static void near_offer_unit(struct near *near, const struct conf_setting *s, const char *text)
{
	const struct unit *units = s->type == CONF_TIME ? time_units : size_units;
	size_t n = s->type == CONF_TIME ? ARRAY_LEN(time_units) : ARRAY_LEN(size_units);
	const char *unit = text + strspn(text, "0123456789. \t");

	near->word = unit;
	for (size_t i = 0; *unit && unit != text && i < n; i++)
		near_offer(near, units[i].word);
}

bool value_parse(const struct conf_setting *s, const char *text, union conf_value *v,
	struct buf *err)
{
	struct near near = {.word = text};
	struct buf allowed = {0};
	double n;
	bool ok = scalar_parse(s, text, v, &n);

	if (ok && !isnan(n))
		ok = n >= s->min && (s->max == 0 || n <= s->max);
	if (ok && s->check && v->text[0] && !s->check(text, &allowed)) {
		buf_printf(err, "%s = \"%s\": %s", s->name, text, buf_cstr(&allowed));
		buf_free(&allowed);
		return false;
	}
	buf_free(&allowed);
	if (ok)
		return true;
	value_print_allowed(s, &allowed);
	buf_printf(err, "%s = \"%s\": must be %s", s->name, text, buf_cstr(&allowed));
	buf_free(&allowed);
	if (s->type == CONF_WORD) {
		for (size_t i = 0; s->words[i]; i++)
			near_offer(&near, s->words[i]);
	} else if (s->type == CONF_TIME || s->type == CONF_SIZE) {
		near_offer_unit(&near, s, text);
	}
	near_print(&near, err);
	if (strstr(text, " ;") || strstr(text, " #") || strstr(text, "\t;") || strstr(text, "\t#"))
		buf_put_str(err, "; a comment needs a line of its own");
	return false;
}

static void print_range(const struct conf_setting *s, const char *unit, struct buf *out)
{
	if (s->max != 0)
		buf_printf(out, " from %.15g to %.15g%s%s", s->min, s->max, *unit ? " " : "", unit);
	else
		buf_printf(out, " of at least %.15g", s->min);
}

void value_print_allowed(const struct conf_setting *s, struct buf *out)
{
	switch (s->type) {
	case CONF_BOOL:
		buf_put_str(out, "0 or 1 (off, on)");
		return;
	case CONF_INT:
		buf_put_str(out, "a whole number");
		print_range(s, "", out);
		if (s->zero)
			buf_printf(out, ", or \"%s\"", s->zero);
		return;
	case CONF_OCTAL:
		buf_printf(out, "an octal number with a leading 0, up to 0%o", (unsigned)s->max);
		return;
	case CONF_NUMBER:
		buf_put_str(out, "a number");
		print_range(s, "", out);
		return;
	case CONF_SIZE:
		buf_put_str(out, "a size");
		print_range(s, "bytes", out);
		buf_put_str(out, ", in bytes or with a unit: kB, MB, GB, TB");
		return;
	case CONF_TIME:
		buf_put_str(out, "a time");
		print_range(s, s->unit, out);
		buf_printf(out, ", in %s or with a unit: us, ms, s, min, h, d",
			strcmp(s->unit, "ms") == 0 ? "milliseconds" : "seconds");
		return;
	case CONF_WORD:
		buf_put_str(out, "one of ");
		for (size_t i = 0; s->words[i]; i++)
			buf_printf(out, "%s%s", i ? ", " : "", s->words[i]);
		return;
	case CONF_LIST:
		buf_put_str(out, "a list, separated by commas");
		return;
	case CONF_FILE:
		buf_put_str(out, "a path");
		return;
	case CONF_STRING:
	case CONF_SECRET:
		buf_put_str(out, "a text");
		return;
	}
}

/* A text, but for what follows a password= inside it (LDAP options, a query that calls
 * dblink): that is nobody's business. */
static void print_text(const char *text, struct buf *out)
{
	static const char *const marks[] = {"password=", "passwd="};
	const char *secret = NULL;
	size_t skip;

	for (size_t i = 0; i < ARRAY_LEN(marks) && !secret; i++) {
		secret = strcasestr(text, marks[i]);
		if (secret)
			secret += strlen(marks[i]);
	}
	if (!secret) {
		buf_put_str(out, text);
		return;
	}
	skip = strcspn(secret, " \t;&");
	buf_put(out, text, (size_t)(secret - text));
	buf_put_str(out, "********");
	print_text(secret + skip, out);
}

void value_print(const struct conf_setting *s, const union conf_value *v, struct buf *out)
{
	switch (s->type) {
	case CONF_BOOL:
		buf_put_str(out, v->b ? "1" : "0");
		return;
	case CONF_INT:
	case CONF_OCTAL: /* decimal, as SHOW CONFIG has always had it */
		if (s->zero && v->i == 0)
			buf_put_str(out, s->zero);
		else
			buf_printf(out, "%d", v->i);
		return;
	case CONF_NUMBER:
		buf_printf(out, "%.15g", v->number);
		return;
	case CONF_SIZE:
		buf_printf(out, "%lld", (long long)v->size);
		return;
	case CONF_TIME:
		buf_printf(out, "%.15g", (double)v->time / bare_time_factor(s));
		return;
	case CONF_WORD:
		buf_put_str(out, s->words[v->i]);
		return;
	case CONF_SECRET:
		buf_put_str(out, v->text && *v->text ? "********" : "");
		return;
	case CONF_STRING:
	case CONF_LIST:
	case CONF_FILE:
		print_text(v->text ? v->text : "", out);
		return;
	}
}

static size_t kind_size(unsigned kind)
{
	static const size_t size[] = {
		[CONF_ABSENT] = 0,
		[CONF_KIND_BOOL] = sizeof(bool),
		[CONF_KIND_INT] = sizeof(int),
		[CONF_KIND_SIZE] = sizeof(int64_t),
		[CONF_KIND_TIME] = sizeof(usec_t),
		[CONF_KIND_NUMBER] = sizeof(double),
		[CONF_KIND_TEXT] = sizeof(const char *),
	};

	return size[kind];
}

void value_load(const void *base, struct conf_at at, union conf_value *v)
{
	memset(v, 0, sizeof *v);
	memcpy(v, (const char *)base + at.offset, kind_size(at.kind));
}

void value_store(void *base, struct conf_at at, const union conf_value *v)
{
	memcpy((char *)base + at.offset, v, kind_size(at.kind));
}

void value_unset(struct conf_at at, union conf_value *v)
{
	memset(v, 0, sizeof *v);
	switch ((enum conf_kind)at.kind) {
	case CONF_KIND_INT:
		v->i = CONF_UNSET;
		return;
	case CONF_KIND_SIZE:
		v->size = CONF_UNSET;
		return;
	case CONF_KIND_TIME:
		v->time = CONF_UNSET_TIME;
		return;
	case CONF_KIND_NUMBER:
		v->number = CONF_UNSET;
		return;
	case CONF_KIND_TEXT:
	case CONF_KIND_BOOL: /* is never overridden */
	case CONF_ABSENT:
		return;
	}
}

bool value_equal(struct conf_at at, const union conf_value *a, const union conf_value *b)
{
	if (at.kind != CONF_KIND_TEXT)
		return memcmp(a, b, kind_size(at.kind)) == 0;
	return a->text == b->text || (a->text && b->text && strcmp(a->text, b->text) == 0);
}

bool value_is_unset(struct conf_at at, const union conf_value *v)
{
	union conf_value unset;

	value_unset(at, &unset);
	return at.kind != CONF_KIND_BOOL && value_equal(at, v, &unset);
}
