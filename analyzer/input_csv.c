/* SPDX-License-Identifier: ISC
 *
 * input_csv: csvlog of PostgreSQL 9.4 to 18 (23, 24 or 26 columns; later ones only append).
 *
 * A record begins at a line that has the shape of its first seven columns.  Inside a quoted
 * field quotes are doubled, so a statement that quotes a log line does not look like one; the
 * start is told from the line alone, and a record that lost its end spoils nothing but itself.
 * Fields are unescaped in place.
 */
#include "input_formats.h"

enum {
	COL_TIME,
	COL_USER,
	COL_DB,
	COL_PID,
	COL_HOST,
	COL_SESSION,
	COL_LINE,
	COL_TAG,
	COL_START,
	COL_VXID,
	COL_XID,
	COL_SEVERITY,
	COL_STATE,
	COL_MESSAGE,
	COL_DETAIL,
	COL_HINT,
	COL_INTERNAL,
	COL_INTERNAL_POS,
	COL_CONTEXT,
	COL_QUERY,
	COL_QUERY_POS,
	COL_LOCATION,
	COL_APP,
	COL_BACKEND,
	COL_LEADER,
	COL_QUERY_ID,
	COLUMNS
};

/* The columns before the session's start, by which a record's first line is known. */
struct head {
	int64_t ts;
	const char *at[COL_START + 1]; /* where each column begins */
	bool doubled;		       /* a quote stands in one of them */
};

/* Steps over one field of a record's head; NULL when it is not one. */
static const char *head_field(const char *p, const char *end, bool digits, struct head *h)
{
	if (p < end && *p == '"') {
		for (p++; p < end; p++)
			if (*p == '"') {
				if (p + 1 >= end || p[1] != '"')
					break;
				h->doubled = true;
				p++;
			}
		p++;
		return p < end && *p == ',' ? p + 1 : NULL;
	}
	while (p < end && *p != ',') {
		if (digits && !isxdigit((unsigned char)*p) && *p != '.')
			return NULL;
		if (*p == '"')
			return NULL;
		p++;
	}
	return p < end ? p + 1 : NULL;
}

static bool read_head(const char *line, size_t n, struct head *h)
{
	const char *p, *end = line + n;

	if (n < 30 || line[0] < '0' || line[0] > '9' || line[4] != '-')
		return false;
	size_t t = time_parse(line, n, &h->ts);
	if (t == 0 || t >= n || line[t] != ',')
		return false;
	h->doubled = false;
	h->at[COL_TIME] = line;
	p = h->at[COL_USER] = line + t + 1;
	/* the tag is "TAG", "" or nothing */
	for (int i = COL_USER; i <= COL_TAG; i++) {
		p = head_field(p, end, i == COL_PID || i == COL_SESSION || i == COL_LINE, h);
		if (!p)
			return false;
		h->at[i + 1] = p;
	}
	return p < end && (isdigit((unsigned char)*p) || *p == ',');
}

bool csv_starts(const struct log_format *f, const char *line, size_t n)
{
	struct head h;

	(void)f;
	return read_head(line, n, &h);
}

enum log_severity severity_of(struct str w)
{
	enum log_severity sev = SEV_NONE;
	enum log_part part;
	char probe[40];

	if (w.n == 0 || w.n > 32)
		return SEV_NONE;
	memcpy(probe, w.p, w.n);
	memcpy(probe + w.n, ":  ", 3);
	return message_severity(probe, w.n + 3, &sev, &part) ? sev : SEV_NONE;
}

/* Reads one field at *pp, unescaped in place; false at the end of the record. */
static bool next_field(char **pp, char *end, struct str *out)
{
	char *p = *pp, *to;

	if (p >= end)
		return false;
	if (*p == ',') {
		*out = (struct str){p, 0};
		*pp = p + 1;
		return true;
	}
	if (*p != '"') {
		char *comma = memchr(p, ',', (size_t)(end - p));
		char *stop = comma ? comma : end;
		*out = (struct str){p, (size_t)(stop - p)};
		*pp = comma ? comma + 1 : end;
		return true;
	}
	char *from = ++p;
	char *q = memchr(p, '"', (size_t)(end - p));
	if (q && (q + 1 >= end || q[1] != '"')) { /* nothing to unescape */
		*out = (struct str){from, (size_t)(q - from)};
		*pp = q + 1 < end ? q + 2 : end;
		return true;
	}
	for (to = from; q; q = memchr(p, '"', (size_t)(end - p))) {
		if (to != p)
			memmove(to, p, (size_t)(q - p));
		to += q - p;
		if (q + 1 >= end || q[1] != '"') {
			*out = (struct str){from, (size_t)(to - from)};
			*pp = q + 1 < end ? q + 2 : end;
			return true;
		}
		*to++ = '"';
		p = q + 2;
	}
	if (to != p) /* cut off: take what is there */
		memmove(to, p, (size_t)(end - p));
	*out = (struct str){from, (size_t)(to - from + (end - p))};
	*pp = end;
	return true;
}

/* The columns of the head, which was read to find the record's start. */
static int head_columns(const struct head *h, struct str *col)
{
	for (int i = 0; i < COL_START; i++) {
		const char *from = h->at[i], *to = h->at[i + 1] - 1;
		bool quoted = to > from + 1 && *from == '"';
		col[i] = (struct str){from + quoted, (size_t)(to - from) - (quoted ? 2 : 0)};
	}
	return COL_START;
}

static bool csv_record(const struct head *h, char *p, char *end, struct log_entry *e)
{
	struct str col[COLUMNS];
	int n = 0;

	while (end > p && (end[-1] == '\n' || end[-1] == '\r'))
		end--;
	if (!h->doubled) {
		n = head_columns(h, col);
		p += h->at[n] - h->at[0];
	}
	while (n < COLUMNS && next_field(&p, end, &col[n]))
		n++;
	if (n <= COL_MESSAGE)
		return false;
	for (int i = n; i < COLUMNS; i++)
		col[i] = STR_NONE;
	int64_t num = 0;
	e->ts = h->ts;
	e->user = col[COL_USER];
	e->db = col[COL_DB];
	e->pid = str_to_i64(col[COL_PID], &num) ? (int32_t)num : 0;
	e->host = str_before(col[COL_HOST], col[COL_HOST].n);
	const char *colon = col[COL_HOST].n ? memrchr(col[COL_HOST].p, ':', col[COL_HOST].n) : NULL;
	if (colon)
		e->host.n = (size_t)(colon - e->host.p);
	e->session = col[COL_SESSION].n ? str_hash(col[COL_SESSION]) | 1 : 0;
	e->line_num = str_to_i64(col[COL_LINE], &num) ? num : 0;
	e->vxid = col[COL_VXID];
	e->severity = severity_of(col[COL_SEVERITY]);
	e->sqlstate = col[COL_STATE];
	e->message = col[COL_MESSAGE];
	e->detail = col[COL_DETAIL];
	e->hint = col[COL_HINT];
	e->internal = col[COL_INTERNAL];
	e->context = col[COL_CONTEXT];
	e->query = col[COL_QUERY].n ? col[COL_QUERY] : STR_NONE;
	e->app = col[COL_APP];
	entry_session(e);
	message_classify(e);
	return true;
}

/* The end of the line at p, behind its newline. */
static char *line_end(char *p, char *end)
{
	char *nl = memchr(p, '\n', (size_t)(end - p));

	return nl ? nl + 1 : end;
}

void csv_parse(const struct log_format *f, struct chunk *c)
{
	char *p = c->p, *end = c->p + c->n, *next, *stop = line_end(p, end), *after;
	struct head heads[2], *head = &heads[0], *ahead = &heads[1], *spare;
	uint64_t line = c->line;
	bool known = false; /* a record begins at p: the one before it was ended by it */

	(void)f;
	for (; p < end; p = next, stop = after) { /* p up to stop: a line */
		uint64_t first = line++;
		next = stop;
		after = line_end(next, end);
		if (!known && !read_head(p, (size_t)(stop - p), head)) {
			chunk_orphan(c, first, (size_t)(stop - p));
			continue;
		}
		for (; next < end; next = after, after = line_end(next, end), line++)
			if (*next >= '0' && *next <= '9' &&
				read_head(next, (size_t)(after - next), ahead))
				break;
		struct log_entry *e = chunk_entry(c, first, (size_t)(stop - p));
		e->cont = (uint32_t)(next - stop);
		if (!csv_record(head, p, next, e))
			e->class = LOG_NOT_UNDERSTOOD;
		known = true;
		spare = head;
		head = ahead;
		ahead = spare;
	}
	c->lines = line - c->line;
}

int csv_score(const char *p, size_t n)
{
	const char *end = p + n, *nl;
	int lines = 0, hits = 0;

	for (; p < end && lines < 50; p = nl + 1) {
		nl = memchr(p, '\n', (size_t)(end - p));
		if (!nl)
			break;
		lines++;
		hits += csv_starts(NULL, p, (size_t)(nl - p));
	}
	if (hits == 0)
		return 0;
	return hits * 10 >= lines ? 95 : 80;
}
