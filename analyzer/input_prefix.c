/* SPDX-License-Identifier: ISC
 *
 * input_prefix: log_line_prefix, compiled to a list of items and matched against lines.
 *
 * A line begins an entry when the prefix fits and a severity follows it.  Nearly every line goes
 * straight: each field ends where its bytes or the literal behind it say.  Where they do not, or
 * a field is empty, padded or odd, every way to read the line is weighed (input_search.c).
 */
#include "input_prefix.h"
#include "input_words.h"

#define MAX_WIDTH 1000

/* --- compiling ----------------------------------------------------------------- */

static bool compile(struct log_prefix *p, struct err *why)
{
	const char *s = p->text;

	p->q = -1;
	while (*s) {
		if (p->items >= MAX_ITEMS)
			return err_set(why, "the prefix has more than %d parts", MAX_ITEMS);
		struct prefix_item *it = &p->item[p->items];
		size_t n = strcspn(s, "%");
		if (n > 0) {
			*it = (struct prefix_item){.lit = {s, n}};
			p->items++;
			s += n;
			continue;
		}
		unsigned width = 0;
		bool is_left = *++s == '-';
		for (s += is_left; *s >= '0' && *s <= '9'; s++)
			width = width < MAX_WIDTH ? width * 10 + (unsigned)(*s - '0') : width;
		if (width >= MAX_WIDTH)
			return err_set(why, "a field of the prefix is wider than %d bytes",
				MAX_WIDTH - 1);
		if (!*s)
			return err_set(why, "the prefix ends in a lone %%");
		if (!strchr("abcdehilmnpqrstuvxLPQ%", *s))
			return err_set(why, "%%%c is no escape of log_line_prefix", *s);
		if (*s == 'q')
			p->q = p->items;
		else if (*s == '%') {
			*it = (struct prefix_item){.lit = {s, 1}};
			p->items++;
		} else {
			*it = (struct prefix_item){
				.kind = *s, .width = (uint16_t)width, .is_left = is_left};
			p->items++;
		}
		s++;
	}
	return true;
}

/* %t beside %m or %n says less than they do, in lines that have both. */
static void set_best_time(struct log_prefix *p)
{
	for (int t = 0; t < p->items; t++)
		for (int i = 0; i < p->items && p->item[t].kind == 't'; i++)
			if ((p->item[i].kind == 'm' || p->item[i].kind == 'n') &&
				(p->q < 0 || i < p->q || t >= p->q))
				p->item[t].kind = 's';
}

/* Does what stands behind such a field tell where it ends? */
static bool is_plain(const struct prefix_item *it, const struct prefix_item *next)
{
	char c;

	if (it->width || (next && next->kind))
		return false;
	if (!next) /* a severity follows: a word in capitals */
		return strchr("nplxPQcve", it->kind) != NULL;
	c = *next->lit.p;
	if (strchr("tms", it->kind))
		return !isupper((unsigned char)c) && !isdigit((unsigned char)c);
	if (strchr("plxPQvc", it->kind))
		return !isxdigit((unsigned char)c) && c != '.' && c != '/';
	if (it->kind == 'h' || it->kind == 'L')
		return !isalnum((unsigned char)c) && !strchr(".:-_%/", c);
	return true;
}

static void set_plain(struct log_prefix *p)
{
	p->is_plain = true;
	for (int i = 0; i < p->items; i++)
		if (p->item[i].kind &&
			!is_plain(&p->item[i], i + 1 < p->items ? &p->item[i + 1] : NULL))
			p->is_plain = false;
}

/* What match_straight() asks of every line. */
static void set_stops(struct log_prefix *p)
{
	for (int i = 0; i + 1 < p->items; i++) {
		struct prefix_item *it = &p->item[i];
		if (!it->kind || !field_is_text(it->kind) || strchr("hrL", it->kind) || it[1].kind)
			continue;
		it->stop = *it[1].lit.p;
		it->to = it->kind == 'u'   ? offsetof(struct log_entry, user)
			 : it->kind == 'd' ? offsetof(struct log_entry, db)
			 : it->kind == 'a' ? offsetof(struct log_entry, app)
					   : 0;
	}
}

struct log_prefix *prefix_new(const char *text, struct err *why)
{
	struct log_prefix *p = mem_zalloc(sizeof(*p));

	p->text = mem_strdup(text);
	if (!compile(p, why))
		prefix_free(&p);
	else {
		set_best_time(p);
		set_stops(p);
		set_plain(p);
	}
	return p;
}

void prefix_free(struct log_prefix **p)
{
	if (*p) {
		free((*p)->text);
		free(*p);
		*p = NULL;
	}
}

const char *prefix_text(const struct log_prefix *p)
{
	return p->text;
}

/* --- matching --------------------------------------------------------------------- */

/* What a line that does not fit after all has set. */
struct fields {
	int64_t ts, line_num;
	uint64_t session;
	int32_t pid;
	struct str user, db, app, host, vxid, sqlstate;
};

static inline struct fields fields_of(const struct log_entry *e)
{
	return (struct fields){e->ts, e->line_num, e->session, e->pid, e->user, e->db, e->app,
		e->host, e->vxid, e->sqlstate};
}

static void take_back(struct log_entry *e, const struct fields *f)
{
	e->ts = f->ts;
	e->line_num = f->line_num;
	e->session = f->session;
	e->pid = f->pid;
	e->user = f->user;
	e->db = f->db;
	e->app = f->app;
	e->host = f->host;
	e->vxid = f->vxid;
	e->sqlstate = f->sqlstate;
}

/* A field of free text: up to the literal behind it; 0: not so simple. */
static inline size_t straight_text(const struct prefix_item *it, const char *s, size_t n,
	struct log_entry *e)
{
	size_t len = 0, limit = n < MAX_FIELD ? n : MAX_FIELD;

	if (*s == '[' && (len = word_unknown(s, n)) > 0)
		return len;
	while (len < limit && s[len] != it->stop)
		len++;
	if (len == limit || s[len - (len > 0)] <= ' ')
		return 0;
	if (it->to)
		*(struct str *)(void *)((char *)e + it->to) = (struct str){s, len};
	else if (!field_is_vocabulary(it->kind, (struct str){s, len}))
		return 0;
	return len;
}

static inline size_t straight_number(const char *s, size_t n, uint32_t *v)
{
	size_t len = 0;

	*v = 0;
	for (; len < n && len < 10 && s[len] >= '0' && s[len] <= '9'; len++)
		*v = *v * 10 + (uint32_t)(s[len] - '0');
	return len < 10 ? len : 0;
}

/* The other fields of fixed form. */
static size_t straight_value(char kind, const char *s, size_t n, struct log_entry *e)
{
	struct prefix_fields f = {0};
	unsigned odd = 0;
	size_t len = field_most(kind, s, n);

	if (len == 0 || !field_value(kind, (struct str){s, len}, &f, &odd) || odd)
		return 0;
	if (kind == 'n')
		e->ts = f.ts;
	else if (kind == 'v')
		e->vxid = f.vxid;
	else if (kind == 'e')
		e->sqlstate = f.sqlstate;
	else if (kind == 'c') {
		e->session = f.session;
		e->pid = e->pid ? e->pid : f.pid;
	}
	return len;
}

static inline size_t straight_field(const struct prefix_item *it, const char *s, size_t n,
	struct log_entry *e)
{
	int64_t ts;
	uint32_t number;
	size_t len;

	if (it->stop)
		return straight_text(it, s, n, e);
	switch (it->kind) {
	case 'm':
	case 't':
		return time_parse(s, n, &e->ts);
	case 's':
		return time_parse(s, n, &ts);
	case 'p':
		len = straight_number(s, n, &number);
		e->pid = (int32_t)(number & INT32_MAX);
		return len;
	case 'l':
		len = straight_number(s, n, &number);
		e->line_num = number;
		return len;
	case 'h':
		return field_host(s, n, false, &e->host);
	case 'r':
		len = field_host(s, n, true, &e->host);
		return len && (s[len - 1] == ')' || s[len - 1] == ']') ? len : 0;
	}
	return it->kind == 'L' ? 0 : straight_value(it->kind, s, n, e);
}

/* The way nearly every line goes: no field is empty, padded or odd.  -1: it is not. */
static int match_straight(const struct log_prefix *p, const char *line, size_t n,
	struct log_entry *e)
{
	const struct prefix_item *end = p->item + p->items;
	size_t at = 0, len;

	for (const struct prefix_item *it = p->item; it < end; it++, at += len) {
		const char *from = line + at;
		if (at >= n)
			return -1;
		if (it->kind == 0) {
			len = it->lit.n;
			if (n - at < len)
				return -1;
			for (size_t i = 0; i < len; i++)
				if (from[i] != it->lit.p[i])
					return -1;
			continue;
		}
		len = *from == ' ' ? 0 : straight_field(it, from, n - at, e);
		if (len == 0)
			return -1;
	}
	len = message_severity(line + at, n - at, &e->severity, &e->part);
	return len > 0 ? (int)(at + len) : -1;
}

int prefix_match(const struct log_prefix *p, const char *line, size_t n, struct log_entry *e)
{
	char kind = p->items && p->q != 0 && !p->item[0].width ? p->item[0].kind : 0;

	/* Most lines that continue an entry are told by their first byte. */
	if (n == 0 || line[0] == '\t')
		return -1;
	if ((kind == 'm' || kind == 't' || kind == 'n') && !(line[0] >= '0' && line[0] <= '9'))
		return -1;
	if (p->is_plain) {
		struct fields was = fields_of(e);
		int r = match_straight(p, line, n, e);
		if (LIKELY(r >= 0))
			return r;
		take_back(e, &was);
	}
	return prefix_search(p, line, n, e, NULL);
}
