/* SPDX-License-Identifier: ISC
 *
 * input_syslog: what syslog daemons write (RFC 3164 and 5424, with or without the priority, the
 * time in ISO form as rsyslog may), and Heroku's logplex.
 */
#include "input_formats.h"

static size_t skip_priority(const char *p, size_t n)
{
	size_t i = 1;

	if (n < 3 || p[0] != '<')
		return 0;
	while (i < n && i < 5 && isdigit((unsigned char)p[i]))
		i++;
	return i < n && p[i] == '>' ? i + 1 : 0;
}

/* "Jan  5 10:11:12": no year; the log's own prefix usually has the real time. */
static size_t bsd_time(const char *p, size_t n, int64_t *ts)
{
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	char iso[32];

	if (n < 15 || p[3] != ' ' || p[6] != ' ' || p[9] != ':' || p[12] != ':')
		return 0;
	for (int m = 0; m < 12; m++)
		if (memcmp(p, months + m * 3, 3) == 0) {
			snprintf(iso, sizeof(iso), "2000-%02d-%c%c %.8s", m + 1,
				p[4] == ' ' ? '0' : p[4], p[5], p + 7);
			return time_parse(iso, strlen(iso), ts) ? 15 : 0;
		}
	return 0;
}

static const char *word(const char **p, const char *end, size_t *n)
{
	const char *from = *p, *e;

	e = memchr(from, ' ', (size_t)(end - from));
	*n = (size_t)((e ? e : end) - from);
	*p = e ? e + 1 : end;
	return from;
}

/* `postgres[1234]:` -> the pid; 0: another program's line. */
static bool tag(const char *t, size_t n, struct log_entry *e)
{
	const char *open = memchr(t, '[', n);

	if (!open)
		return false;
	e->pid = number_at(open + 1, t + n, false);
	return e->pid > 0;
}

bool syslog_unwrap(struct arena *a, const char *line, size_t n, struct log_entry *e,
	struct str *inner)
{
	const char *p = line + skip_priority(line, n), *end = line + n, *t;
	bool version = false;
	size_t len, i;

	(void)a;
	if (end - p > 2 && p[0] == '1' && p[1] == ' ') { /* RFC 5424 */
		version = true;
		p += 2;
	}
	len = bsd_time(p, (size_t)(end - p), &e->ts);
	if (!len)
		len = time_parse(p, (size_t)(end - p), &e->ts);
	if (!len || p + len >= end || p[len] != ' ')
		return false;
	p += len + 1;
	word(&p, end, &i); /* host */
	t = word(&p, end, &i);
	if (version) { /* application, pid, message id, structured data */
		t = word(&p, end, &i);
		e->pid = number_at(t, t + i, false);
		word(&p, end, &i);
		if (p < end && *p == '[') {
			const char *close = memmem(p, (size_t)(end - p), "] ", 2);
			p = close ? close + 2 : end;
		} else {
			word(&p, end, &i);
		}
		if (e->pid <= 0)
			return false;
	} else if (!tag(t, i, e)) {
		return false;
	}
	*inner = (struct str){p, (size_t)(end - p)};
	return p < end;
}

/* No plain log's prefix begins like that. */
bool syslog_has_header(const char *p, size_t n)
{
	size_t skip = skip_priority(p, n);
	int64_t ts;

	if (skip > 0 || bsd_time(p, n, &ts))
		return true;
	return n > 19 && p[10] == 'T' && time_parse(p, n, &ts) > 19;
}

int syslog_score(const char *p, size_t n)
{
	const char *end = p + n, *nl;
	int lines = 0, hits = 0;

	for (; p < end && lines < 60; p = nl + 1) {
		struct log_entry e;
		struct str inner;
		memset(&e, 0, sizeof(e));
		nl = memchr(p, '\n', (size_t)(end - p));
		if (!nl)
			break;
		bool hit = syslog_unwrap(NULL, p, (size_t)(nl - p), &e, &inner) && inner.n > 4 &&
			   inner.p[0] == '[' && isdigit((unsigned char)inner.p[1]);
		hits += hit;
		lines += hit ||
			 !syslog_has_header(p, (size_t)(nl - p)); /* others' lines do not count */
	}
	return lines && hits * 2 > lines ? 85 : 0;
}

/* --- Heroku ------------------------------------------------------------------------- */

/* 2024-01-05T10:11:12.345678+00:00 app[postgres.1234]: [DATABASE] [5-1] … LOG:  … */
bool logplex_unwrap(struct arena *a, const char *line, size_t n, struct log_entry *e,
	struct str *inner)
{
	const char *p = line, *end = line + n;
	size_t len = time_parse(p, n, &e->ts), i;

	(void)a;
	if (!len || p + len + 4 >= end || memcmp(p + len, " app[", 5) != 0)
		return false;
	p += len + 1;
	const char *t = word(&p, end, &i), *dot = memchr(t, '.', i);
	if (i < 8 || (memcmp(t, "app[post", 8) != 0 && memcmp(t, "app[hero", 8) != 0))
		return false;
	e->pid = dot ? number_at(dot + 1, t + i, false) : 0;
	if (p + 1 < end && *p == '[' && !isdigit((unsigned char)p[1]))
		word(&p, end, &i);
	if (end - p > 7 && memcmp(p, "source=", 7) == 0)
		e->class = LOG_OTHER; /* metrics */
	*inner = (struct str){p, (size_t)(end - p)};
	return true;
}

/* A line of the database among the applications' and the router's. */
int logplex_score(const char *p, size_t n)
{
	const char *end = p + n, *nl;

	for (; p < end; p = nl + 1) {
		struct log_entry e;
		struct str inner;
		memset(&e, 0, sizeof(e));
		nl = memchr(p, '\n', (size_t)(end - p));
		nl = nl ? nl : end;
		if (logplex_unwrap(NULL, p, (size_t)(nl - p), &e, &inner))
			return 90;
	}
	return 0;
}
