/* SPDX-License-Identifier: ISC
 *
 * input_time: timestamps of logs -> microseconds since 1970, UTC.
 *
 * A server writes its zone by name, and names are ambiguous: the table holds those that
 * log_timezone settings give, each with the meaning PostgreSQL's own default set has.  A name
 * that is not there counts as UTC: differences stay right, which is what the analysis needs.
 */
#include "input.h"

#include <time.h>

static const struct zone {
	char name[6];
	short minutes;
} zones[] = {
	{"UTC", 0},
	{"GMT", 0},
	{"Z", 0},
	{"UCT", 0},
	{"WET", 0},
	{"WEST", 60},
	{"BST", 60},
	{"IST", 330},
	{"CET", 60},
	{"CEST", 120},
	{"MET", 60},
	{"MEST", 120},
	{"EET", 120},
	{"EEST", 180},
	{"SAST", 120},
	{"MSK", 180},
	{"MSD", 240},
	{"JST", 540},
	{"KST", 540},
	{"HKT", 480},
	{"SGT", 480},
	{"PHT", 480},
	{"AWST", 480},
	{"ACST", 570},
	{"ACDT", 630},
	{"AEST", 600},
	{"AEDT", 660},
	{"NZST", 720},
	{"NZDT", 780},
	{"EST", -300},
	{"EDT", -240},
	{"CST", -360},
	{"CDT", -300},
	{"MST", -420},
	{"MDT", -360},
	{"PST", -480},
	{"PDT", -420},
	{"AKST", -540},
	{"AKDT", -480},
	{"HST", -600},
	{"BRT", -180},
	{"ART", -180},
	{"AST", -240},
	{"ADT", -180},
	{"NST", -210},
	{"NDT", -150},
};

static inline int two(const char *p)
{
	return (p[0] - '0') * 10 + (p[1] - '0');
}

static inline bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static inline bool digits(const char *p, int n)
{
	for (int i = 0; i < n; i++)
		if (!is_digit(p[i]))
			return false;
	return true;
}

static int64_t days_from_civil(int y, int m, int d)
{
	y -= m <= 2;
	int64_t era = (y >= 0 ? y : y - 399) / 400;
	int64_t yoe = y - era * 400, doy = (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 1;

	return era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
}

/* Fraction of a second at p: its length and microseconds. */
static size_t fraction(const char *p, size_t n, int64_t *usec)
{
	int64_t unit = 100000;
	size_t i = 1;

	*usec = 0;
	if (n > 4 && p[0] == '.' && digits(p + 1, 3) && !is_digit(p[4])) { /* as servers write it */
		*usec = ((p[1] - '0') * 100 + two(p + 2)) * 1000;
		return 4;
	}
	if (n < 2 || (p[0] != '.' && p[0] != ',') || p[1] < '0' || p[1] > '9')
		return 0;
	for (; i < n && p[i] >= '0' && p[i] <= '9'; i++, unit /= 10)
		*usec += (p[i] - '0') * unit;
	return i;
}

/* Minutes of a zone by its name of up to five letters; the last one asked is remembered. */
static int named_zone(const char *p, size_t n)
{
	static __thread struct zone memo;
	struct zone z = {{0}, 0};

	memcpy(z.name, p, n);
	if (memcmp(z.name, memo.name, sizeof(z.name)) == 0)
		return memo.minutes;
	for (size_t k = 0; k < ARRAY_LEN(zones); k++)
		if (memcmp(zones[k].name, z.name, sizeof(z.name)) == 0)
			z.minutes = zones[k].minutes;
	memo = z;
	return z.minutes;
}

/* How long the longest zone is that the letters begin with; five when none is known. */
static size_t known_zone(const char *p, size_t n)
{
	size_t best = 0;

	for (size_t k = 0; k < ARRAY_LEN(zones); k++) {
		size_t len = strlen(zones[k].name);
		if (len > best && len >= 3 && len <= n && memcmp(zones[k].name, p, len) == 0)
			best = len;
	}
	return best ? best : 5;
}

bool time_is_zone(struct str name)
{
	for (size_t k = 0; k < ARRAY_LEN(zones); k++)
		if (str_is(name, zones[k].name))
			return true;
	return false;
}

/* The zone at p ("UTC", "+02", "-0330", "+02:00", "Z"): its length and minutes. */
static size_t zone(const char *p, size_t n, int *minutes)
{
	size_t i = 0;

	*minutes = 0;
	if (n >= 4 && memcmp(p, "UTC", 3) == 0 && !(p[3] >= 'A' && p[3] <= 'Z'))
		return 3;
	if (n >= 3 && (p[0] == '+' || p[0] == '-') && digits(p + 1, 2)) {
		int m = two(p + 1) * 60;
		i = 3;
		if (n >= 6 && p[3] == ':' && digits(p + 4, 2)) {
			m += two(p + 4);
			i = 6;
		} else if (n >= 5 && digits(p + 3, 2)) {
			m += two(p + 3);
			i = 5;
		}
		*minutes = p[0] == '-' ? -m : m;
		return i;
	}
	while (i < n && i < 6 && p[i] >= 'A' && p[i] <= 'Z')
		i++;
	if (i == 6) /* longer than any zone: "CETLOG:", a prefix that ends in %m */
		i = known_zone(p, i);
	*minutes = named_zone(p, i);
	return i;
}

/* The last minute seen, per thread: most lines of a log share it with the line before. */
static __thread struct {
	char text[16];
	int64_t sec;
} memo;

static inline bool minute(const char *p, int64_t *sec)
{
	if (memcmp(memo.text, p, 16) == 0) {
		*sec = memo.sec;
		return true;
	}
	if (!digits(p, 4) || (p[4] != '-' && p[4] != '/') || !digits(p + 5, 2) || p[7] != p[4] ||
		!digits(p + 8, 2) || (p[10] != ' ' && p[10] != 'T') || !digits(p + 11, 2) ||
		p[13] != ':' || !digits(p + 14, 2))
		return false;
	int y = two(p) * 100 + two(p + 2), m = two(p + 5), d = two(p + 8);
	if (m < 1 || m > 12 || d < 1 || d > 31 || y < 1970)
		return false;
	*sec = days_from_civil(y, m, d) * 86400 + two(p + 11) * 3600 + two(p + 14) * 60;
	memcpy(memo.text, p, 16);
	memo.sec = *sec;
	return true;
}

size_t time_parse(const char *p, size_t n, int64_t *usec)
{
	int64_t sec, frac;
	size_t at = 19;
	int minutes = 0;

	if (n < 19 || !minute(p, &sec) || p[16] != ':' || !digits(p + 17, 2))
		return 0;
	sec += two(p + 17);
	at += fraction(p + at, n - at, &frac);
	size_t gap = at < n && p[at] == ' ' ? 1 : 0;
	size_t z = zone(p + at + gap, n - at - gap, &minutes);
	if (z > 0)
		at += gap + z;
	*usec = (sec - minutes * 60) * 1000000 + frac;
	return at;
}

void time_format(int64_t usec, char *out, size_t size)
{
	time_t t = (time_t)(usec / 1000000);
	struct tm tm;

	gmtime_r(&t, &tm);
	if (strftime(out, size, "%Y-%m-%d %H:%M:%S", &tm) == 0 && size)
		out[0] = '\0';
}
