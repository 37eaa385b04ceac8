/* SPDX-License-Identifier: ISC
 *
 * input_prefix: log_line_prefix, compiled to a list of items and matched against lines.
 *
 * Matching backtracks: an escape of free text (%u, %a, …) ends where the literal behind it is
 * found, and when what follows does not fit, where it is found next.  A line begins an entry
 * when the prefix fits and a severity follows it.  Behind %q a line of a background process
 * may stop.  A field with a width (%-12u) takes so many bytes, with blanks on one side, or more;
 * blanks in front of one without are skipped, since an inferred prefix has no widths.
 */
#include "input_formats.h"
#include "input_words.h"

#define MAX_ITEMS 64
#define MAX_FIELD 256 /* free text is looked for no further than this */
#define MAX_WIDTH 1000

struct item {
	char kind; /* the escape's letter; 0: literal */
	char stop; /* of a text in front of a literal: where that begins; 0: another kind of item */
	uint16_t to;	/* of a text: offset of the entry's field; 0: it is not kept */
	uint16_t width; /* at least so many bytes; 0: none is given */
	bool is_left;	/* of a width: the blanks are behind the text */
	bool is_shared; /* digits that end it may be those that begin what follows */
	struct str lit;
};

struct log_prefix {
	char *text;
	struct item item[MAX_ITEMS];
	int items;
	int q;		/* index of the item behind %q; -1: there is none */
	bool has_width; /* of some item */
};

/* --- compiling ----------------------------------------------------------------- */

static bool compile(struct log_prefix *p, struct err *why)
{
	const char *s = p->text;

	p->q = -1;
	while (*s) {
		if (p->items >= MAX_ITEMS)
			return err_set(why, "the prefix has more than %d parts", MAX_ITEMS);
		struct item *it = &p->item[p->items];
		size_t n = strcspn(s, "%");
		if (n > 0) {
			*it = (struct item){.lit = {s, n}};
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
			*it = (struct item){.lit = {s, 1}};
			p->items++;
		} else {
			*it = (struct item){
				.kind = *s, .width = (uint16_t)width, .is_left = is_left};
			p->has_width |= width > 0;
			p->items++;
		}
		s++;
	}
	return true;
}

static void set_shared(struct log_prefix *p)
{
	for (int i = 0; i + 1 < p->items; i++)
		p->item[i].is_shared =
			p->item[i].kind && strchr("plxPQvc", p->item[i].kind) &&
			(p->item[i + 1].kind || isxdigit((unsigned char)*p->item[i + 1].lit.p));
}

/* What match_straight() asks of every line. */
static void set_stops(struct log_prefix *p)
{
	for (int i = 0; i + 1 < p->items; i++) {
		struct item *it = &p->item[i];
		if (!it->kind || strchr("tmsnplxPQcvehr", it->kind) || it[1].kind)
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
		set_stops(p);
		set_shared(p);
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

/* --- fields of a fixed form ------------------------------------------------------ */

static size_t skip_digits(const char *s, size_t n)
{
	size_t i = 0;

	while (i < n && s[i] >= '0' && s[i] <= '9')
		i++;
	return i;
}

static int64_t number(const char *s, size_t n)
{
	int64_t v = 0;

	for (size_t i = 0; i < n && i < 18; i++)
		v = v * 10 + (s[i] - '0');
	return v;
}

/* In small letters: behind the last of them may stand DETAIL or ERROR. */
static size_t hex_digits(const char *s, size_t n)
{
	size_t i = 0;

	while (i < n && (isdigit((unsigned char)s[i]) || (s[i] >= 'a' && s[i] <= 'f')))
		i++;
	return i;
}

/* %c: 5f3c1a2b.4d2 */
static size_t field_session(const char *s, size_t n, struct log_entry *e)
{
	size_t a = hex_digits(s, n),
	       b = a < n && s[a] == '.' ? hex_digits(s + a + 1, n - a - 1) : 0;

	if (a == 0 || b == 0)
		return 0;
	e->session = str_hash((struct str){s, a + 1 + b}) | 1;
	if (!e->pid)
		e->pid = number_at(s + a + 1, s + a + 1 + b, true);
	return a + 1 + b;
}

/* %v: 3/1234 */
static size_t field_vxid(const char *s, size_t n, struct log_entry *e)
{
	size_t a = skip_digits(s, n), b = 0;

	if (a > 0 && a < n && s[a] == '/')
		b = skip_digits(s + a + 1, n - a - 1);
	if (b == 0)
		return 0;
	e->vxid = (struct str){s, a + 1 + b};
	return a + 1 + b;
}

/* %n: 1704449472.345 */
static size_t field_epoch(const char *s, size_t n, struct log_entry *e)
{
	size_t a = skip_digits(s, n), b = 0;

	if (a < 9 || a > 11 || a >= n || s[a] != '.')
		return 0;
	b = skip_digits(s + a + 1, n - a - 1);
	b = b < 3 ? b : 3;
	e->ts = number(s, a) * 1000000 + number(s + a + 1, b) * 1000;
	return a + 1 + b;
}

/* %h, %r: a host, "[local]", an address; %r adds (port). */
static size_t field_host(const char *s, size_t n, bool port, struct log_entry *e)
{
	size_t i = 0, h;

	if (n >= 7 && memcmp(s, "[local]", 7) == 0) {
		e->host = (struct str){s, 7};
		return 7;
	}
	while (i < n && (isalnum((unsigned char)s[i]) || strchr(".:-_%/", s[i])))
		i++;
	while (i > 0 && s[i - 1] == ':') /* a colon at the end is the prefix's own */
		i--;
	h = i;
	if (port && i < n && s[i] == '(') {
		size_t d = skip_digits(s + i + 1, n - i - 1);
		if (d > 0 && i + 1 + d < n && s[i + 1 + d] == ')')
			i += d + 2;
	}
	e->host = (struct str){s, h};
	return i;
}

/* --- matching --------------------------------------------------------------------- */

static int match_from(const struct log_prefix *p, int i, const char *line, size_t n, size_t at,
	struct log_entry *e);

/* The end of the prefix: a severity must follow. */
static int match_end(const char *line, size_t n, size_t at, struct log_entry *e)
{
	size_t len = message_severity(line + at, n - at, &e->severity, &e->part);

	if (len == 0 && at < n && line[at] == ' ') { /* blanks a padded field left */
		while (at < n && line[at] == ' ')
			at++;
		len = message_severity(line + at, n - at, &e->severity, &e->part);
	}
	return len > 0 ? (int)(at + len) : -1;
}

static void set_text(struct log_entry *e, char kind, struct str v)
{
	if (v.n && (v.p[0] <= ' ' || v.p[v.n - 1] <= ' '))
		v = str_trim(v);
	if (v.n && v.p[0] == '[' && word_unknown(v.p, v.n) == v.n)
		v = STR_NONE; /* where csvlog has nothing */
	if (kind == 'u')
		e->user = v;
	else if (kind == 'd')
		e->db = v;
	else if (kind == 'a')
		e->app = v;
	else if (kind == 'h' || kind == 'r')
		e->host = v;
}

/* Tries left for the line at hand: several fields of free text in a row backtrack without
 * bound on a line that does not fit. */
#define TRIES 4096
static __thread unsigned tries;

/* Most literals are one byte, and most fields short: nothing is won by a call. */
static inline const char *find_literal(const char *p, size_t n, struct str lit)
{
	if (lit.n != 1)
		return memmem(p, n, lit.p, lit.n);
	for (const char *end = p + n; p < end; p++)
		if (*p == *lit.p)
			return p;
	return NULL;
}

/* Free text: ends at the next literal, or where a field of fixed form takes over. */
static int match_text(const struct log_prefix *p, int i, const char *line, size_t n, size_t at,
	struct log_entry *e)
{
	char kind = p->item[i].kind;
	size_t limit = n - at < MAX_FIELD ? n : at + MAX_FIELD;
	bool literal = i + 1 < p->items && p->item[i + 1].kind == 0;
	size_t unknown = at < n && line[at] == '[' ? word_unknown(line + at, n - at) : 0;

	if (unknown) { /* in Russian it has the slash in it that may stand behind it */
		int r = match_from(p, i + 1, line, n, at + unknown, e);
		if (r >= 0)
			return r;
	}
	for (size_t end = at; end <= limit && tries > 0; end++, tries--) {
		if (literal) {
			struct str lit = p->item[i + 1].lit;
			const char *hit = find_literal(line + end, limit - end, lit);
			if (!hit)
				return -1;
			end = (size_t)(hit - line);
		}
		int r = match_from(p, i + 1, line, n, end, e);
		if (r >= 0) {
			set_text(e, kind, (struct str){line + at, end - at});
			return r;
		}
	}
	return -1;
}

static inline size_t match_fixed(char kind, const char *s, size_t n, struct log_entry *e,
	bool *known)
{
	size_t len = 0;
	int64_t ts;

	*known = true;
	switch (kind) {
	case 't':
	case 'm':
		len = time_parse(s, n, &e->ts);
		return len;
	case 's':
		return time_parse(s, n, &ts);
	case 'n':
		return field_epoch(s, n, e);
	case 'p':
		len = skip_digits(s, n);
		e->pid = len ? (int32_t)number(s, len) : 0;
		return len;
	case 'l':
		len = skip_digits(s, n);
		e->line_num = len ? number(s, len) : 0;
		return len;
	case 'x':
	case 'P':
		return skip_digits(s, n);
	case 'Q':
		len = n && s[0] == '-';
		return len + skip_digits(s + len, n - len);
	case 'c':
		return field_session(s, n, e);
	case 'v':
		return field_vxid(s, n, e);
	case 'e':
		while (len < 5 && len < n && isalnum((unsigned char)s[len]))
			len++;
		if (len < 5)
			return 0;
		e->sqlstate = (struct str){s, len};
		return len;
	}
	*known = false;
	return 0;
}

/* Fields of fixed form that may be empty: background processes, no client. */
static bool may_be_empty(char kind)
{
	return kind == 'v' || kind == 'P' || kind == 'l' || kind == 'Q';
}

/* What a field that is shorter than its width has; STR_NONE: it is as long or longer. */
static struct str padded(const struct item *it, const char *s, size_t n)
{
	struct str in = {s, it->width};

	if (n < in.n || s[it->is_left ? in.n - 1 : 0] != ' ')
		return STR_NONE;
	while (in.n && it->is_left && in.p[in.n - 1] == ' ')
		in.n--;
	while (in.n && !it->is_left && *in.p == ' ')
		in = str_skip(in, 1);
	return in;
}

/* Is that, all of it, what such a field has?  Any may have nothing. */
static bool fills(char kind, struct str in, struct log_entry *e)
{
	bool known;

	if (in.n == 0)
		return true;
	size_t len = match_fixed(kind, in.p, in.n, e, &known);
	if (known)
		return len == in.n;
	if ((kind != 'h' && kind != 'r') || field_host(in.p, in.n, kind == 'r', e) != in.n)
		set_text(e, kind, in);
	return true;
}

static int match_padded(const struct log_prefix *p, int i, const char *line, size_t n, size_t at,
	struct log_entry *e)
{
	const struct item *it = &p->item[i];
	struct str in = padded(it, line + at, n - at);
	struct log_entry try = *e;

	if (!in.p || tries == 0)
		return -1;
	tries--;
	if (!fills(it->kind, in, &try))
		return -1;
	int r = match_from(p, i + 1, line, n, at + it->width, &try);
	if (r >= 0)
		*e = try;
	return r;
}

/* Digits behind which more may stand that are not the field's: as many of the `most` as leave
 * something that fits. */
static int match_shared(const struct log_prefix *p, int i, const char *line, size_t n, size_t at,
	size_t most, struct log_entry *e)
{
	char kind = p->item[i].kind;
	bool known;

	for (size_t len = most; (len > 0 || may_be_empty(kind)) && tries > 0; len--) {
		struct log_entry try = *e;
		tries--;
		if (len == 0 || match_fixed(kind, line + at, len, &try, &known) == len) {
			int r = match_from(p, i + 1, line, n, at + len, &try);
			if (r >= 0) {
				*e = try;
				return r;
			}
		}
		if (len == 0)
			break;
	}
	return -1;
}

/* A host may be followed by what could be its own: a full stop, letters, digits. */
static int match_host(const struct log_prefix *p, int i, const char *line, size_t n, size_t at,
	struct log_entry *e)
{
	bool port = p->item[i].kind == 'r';
	struct log_entry try = *e;
	size_t most = field_host(line + at, n - at, port, &try);

	for (size_t len = most; tries > 0; len--, tries--) {
		try = *e;
		if (field_host(line + at, len, port, &try) == len) {
			int r = match_from(p, i + 1, line, n, at + len, &try);
			if (r >= 0) {
				*e = try;
				return r;
			}
		}
		if (len == 0)
			break;
	}
	return -1;
}

static int match_from(const struct log_prefix *p, int i, const char *line, size_t n, size_t at,
	struct log_entry *e)
{
	for (; i < p->items; i++) {
		const struct item *it = &p->item[i];
		bool known;
		if (it->width) {
			int r = match_padded(p, i, line, n, at, e);
			if (r >= 0)
				return r;
		}
		if (it->kind == 0) {
			if (n - at >= it->lit.n && memcmp(line + at, it->lit.p, it->lit.n) == 0)
				at += it->lit.n;
			else
				break;
			continue;
		}
		size_t pad = at;
		while (pad < n && line[pad] == ' ' && it->kind != 'a')
			pad++;
		if (it->is_shared) {
			struct log_entry try = *e;
			size_t most = match_fixed(it->kind, line + pad, n - pad, &try, &known);
			int r = match_shared(p, i, line, n, pad, most, e);
			if (r >= 0)
				return r;
			if (most > 0)
				break;
		}
		size_t len = match_fixed(it->kind, line + pad, n - pad, e, &known);
		if (len > 0 && may_be_empty(it->kind) && line[at] == ' ') {
			/* digits behind a blank: its own, or the next field's */
			int r = match_from(p, i + 1, line, n, pad + len, e);
			if (r >= 0)
				return r;
			len = 0;
		}
		if (known && (len > 0 || may_be_empty(it->kind))) {
			at = len > 0 ? pad + len : at;
			continue;
		}
		if (known)
			break;
		if (it->kind == 'r' || it->kind == 'h') {
			int r = match_host(p, i, line, n, pad, e);
			if (r >= 0)
				return r;
		}
		int r = match_text(p, i, line, n, at, e);
		if (r >= 0)
			return r;
		break;
	}
	if (i < p->items) /* a field did not fit: a background process stops at %q */
		return p->q >= 0 && i >= p->q ? -2 : -1;
	return match_end(line, n, at, e);
}

/* Everything up to %q, then a severity. */
static int match_short(const struct log_prefix *p, const char *line, size_t n, struct log_entry *e)
{
	struct log_prefix head = *p;

	head.items = p->q;
	head.q = -1;
	return match_from(&head, 0, line, n, 0, e);
}

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

/* A field of free text, as match_text() tries it first: up to the literal behind it; 0: not so
 * simple. */
static inline size_t straight_text(const struct item *it, const char *s, size_t n,
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
	return len;
}

static inline size_t straight_field(const struct item *it, const char *s, size_t n,
	struct log_entry *e)
{
	size_t len = 0;
	bool known;

	if (it->stop)
		return straight_text(it, s, n, e);
	if (it->kind == 'm' || it->kind == 't')
		return time_parse(s, n, &e->ts);
	if (it->kind == 'p') {
		int32_t pid = 0;
		for (; len < n && len < 10 && s[len] >= '0' && s[len] <= '9'; len++)
			pid = (int32_t)((uint32_t)pid * 10 + (uint32_t)(s[len] - '0'));
		e->pid = pid;
		return len < 10 ? len : 0;
	}
	if (it->kind == 'h' || it->kind == 'r')
		return field_host(s, n, it->kind == 'r', e);
	return match_fixed(it->kind, s, n, e, &known);
}

/* The way nearly every line goes: no field is empty or padded, and what match_from() would try
 * first is right.  -1: it is not. */
static int match_straight(const struct log_prefix *p, const char *line, size_t n,
	struct log_entry *e)
{
	const struct item *end = p->item + p->items;
	size_t at = 0, len;

	for (const struct item *it = p->item; it < end; it++, at += len) {
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
	return match_end(line, n, at, e);
}

int prefix_match(const struct log_prefix *p, const char *line, size_t n, struct log_entry *e)
{
	char kind = p->items ? p->item[0].kind : 0;
	int r;

	/* Most lines that continue an entry are told by their first byte. */
	if (n == 0 || line[0] == '\t')
		return -1;
	if ((kind == 'm' || kind == 't' || kind == 'n') && !(line[0] >= '0' && line[0] <= '9'))
		return -1;
	struct fields was = fields_of(e);
	r = p->has_width ? -1 : match_straight(p, line, n, e);
	if (LIKELY(r >= 0))
		return r;
	take_back(e, &was);
	tries = TRIES;
	r = match_from(p, 0, line, n, 0, e);
	tries = TRIES;
	if (r < 0 && p->q >= 0)
		r = match_short(p, line, n, e);
	return r < 0 ? -1 : r;
}
