/* SPDX-License-Identifier: ISC
 *
 * input_totals: pg_stat_statements as CSV (\copy … TO … CSV HEADER): one row per statement, with
 * how often it ran and how long in all.
 *
 * The header says which column is which.  Nothing tells a row's beginning from a line inside a
 * quoted statement, so the file is one chunk (up to 32 MB).
 */
#include "input_formats.h"

static const struct {
	const char *name;
	size_t at; /* of struct log_totals, doubles; SIZE_MAX: the query */
} columns[] = {
	{"query", SIZE_MAX},
	{"calls", offsetof(struct log_totals, calls)},
	{"rows", offsetof(struct log_totals, rows)},
	{"total_exec_time", offsetof(struct log_totals, total_ms)},
	{"total_time", offsetof(struct log_totals, total_ms)},
	{"total_ms", offsetof(struct log_totals, total_ms)},
	{"min_exec_time", offsetof(struct log_totals, min_ms)},
	{"min_time", offsetof(struct log_totals, min_ms)},
	{"max_exec_time", offsetof(struct log_totals, max_ms)},
	{"max_time", offsetof(struct log_totals, max_ms)},
	{"stddev_exec_time", offsetof(struct log_totals, stddev_ms)},
	{"stddev_time", offsetof(struct log_totals, stddev_ms)},
	{"total_plan_time", offsetof(struct log_totals, plan_ms)},
};

#define FIELDS 80

/* One record at p: its fields, unescaped in place; returns where the next begins. */
static char *record(char *p, char *end, struct str *field, size_t *n)
{
	*n = 0;
	while (p < end) {
		char *from = p, *to = p;
		if (*p == '"') {
			for (from = to = ++p; p < end; p++) {
				if (*p == '"' && p + 1 < end && p[1] == '"')
					p++;
				else if (*p == '"')
					break;
				*to++ = *p;
			}
			p += p < end;
		} else {
			while (p < end && *p != ',' && *p != '\n' && *p != '\r')
				p++;
			to = p;
		}
		if (*n < FIELDS)
			field[(*n)++] = (struct str){from, (size_t)(to - from)};
		while (p < end && *p != ',' && *p != '\n')
			p++;
		if (p < end && *p++ == '\n')
			break;
	}
	return p;
}

bool totals_starts(const struct log_format *f, const char *line, size_t n)
{
	struct str s = {line, n};

	(void)f;
	return str_find(s, "query") < n && str_find(s, "calls") < n && str_find(s, "total") < n &&
	       str_find(s, " ") == n;
}

static double number(struct str s)
{
	char buf[40];
	size_t n = s.n < sizeof(buf) - 1 ? s.n : sizeof(buf) - 1;

	memcpy(buf, s.p, n);
	buf[n] = '\0';
	return strtod(buf, NULL);
}

static void row(struct log_entry *e, struct log_totals *t, const struct str *field, const int *what,
	size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (what[i] < 0)
			continue;
		size_t at = columns[what[i]].at;
		double v = at == SIZE_MAX ? 0 : number(field[i]);
		if (at == SIZE_MAX)
			e->sql = field[i];
		else
			memcpy((char *)t + at, &v, sizeof(v));
	}
	if (e->sql.n && t->calls > 0) {
		e->class = LOG_STATEMENT;
		e->totals = t;
	}
}

void totals_parse(const struct log_format *f, struct chunk *c)
{
	char *p = c->p, *end = c->p + c->n;
	struct str field[FIELDS];
	int what[FIELDS];
	size_t n, head = 0;
	uint64_t line = c->line;

	(void)f;
	while (p < end) {
		char *from = p;
		uint64_t first = line;
		p = record(p, end, field, &n);
		struct log_entry *e = chunk_entry(c, first, (size_t)(p - from));
		line++;
		if (head == 0) {
			head = n;
			e->class = LOG_OTHER;
			for (size_t i = 0; i < n; i++) {
				what[i] = -1;
				for (size_t k = 0; k < ARRAY_LEN(columns); k++)
					if (str_is(field[i], columns[k].name))
						what[i] = (int)k;
			}
		} else if (n == head) {
			row(e, ARENA_NEW(&c->arena, struct log_totals), field, what, n);
		}
	}
	c->lines = line - c->line;
}

int totals_score(const char *p, size_t n)
{
	const char *nl = memchr(p, '\n', n);

	return totals_starts(NULL, p, nl ? (size_t)(nl - p) : n) ? 96 : 0;
}
