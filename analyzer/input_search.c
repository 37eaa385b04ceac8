/* SPDX-License-Identifier: ISC
 *
 * input_search: every way in which a line may be read by a prefix, and which is the likeliest.
 *
 * Fields of fixed form are tried at their longest first, free text at its shortest; a way in which
 * nothing is odd ends the search.  A field with a width takes so many bytes, with blanks on one
 * side, or more; blanks in front of one without are skipped, since an inferred prefix has no
 * widths.  Behind %q the line of a background process stops.  What belongs to a client is there as
 * a whole or, in the line of a background process, not at all.
 */
#include "input_prefix.h"
#include "input_words.h"

#define TRIES 4096 /* several texts in a row could be tried without bound */

struct way {
	struct prefix_fields f;
	unsigned odd;
	uint8_t filled, empty; /* of the fields that only clients have */
};

struct search {
	const struct log_prefix *p;
	const char *line;
	size_t n;
	unsigned tries;
	bool found, wants_rival;
	uint16_t end[MAX_ITEMS], best_end[MAX_ITEMS]; /* of each item */
	struct way best;
	int len; /* of the prefix and the severity */
	enum log_severity severity;
	enum log_part part;
	int rival;
};

static void go(struct search *s, int i, size_t at, const struct way *w);

static bool is_hopeless(const struct search *s, const struct way *w)
{
	return s->tries == 0 ||
	       (s->found && (s->wants_rival ? w->odd > s->best.odd : w->odd >= s->best.odd));
}

static bool says_the_same(const struct prefix_fields *a, const struct prefix_fields *b)
{
	return a->ts == b->ts && a->line_num == b->line_num && a->session == b->session &&
	       a->pid == b->pid && str_eq(a->user, b->user) && str_eq(a->db, b->db) &&
	       str_eq(a->app, b->app) && str_eq(a->host, b->host) && str_eq(a->vxid, b->vxid) &&
	       str_eq(a->sqlstate, b->sqlstate);
}

/* The first item that ends elsewhere than in the best way. */
static int first_apart(const struct search *s)
{
	for (int i = 0; i < s->p->items; i++)
		if (s->end[i] != s->best_end[i])
			return i;
	return 0;
}

/* A severity must follow. */
static void finish(struct search *s, size_t at, const struct way *way)
{
	enum log_severity severity;
	enum log_part part;
	struct way w = *way;
	size_t len = message_severity(s->line + at, s->n - at, &severity, &part);

	if (len == 0 && at < s->n && s->line[at] == ' ') { /* blanks a padded field left */
		while (at < s->n && s->line[at] == ' ')
			at++;
		len = message_severity(s->line + at, s->n - at, &severity, &part);
		w.odd += ODD_SLIGHT;
	}
	if (w.filled)
		w.odd += w.empty * ODD_VERY;
	if (len == 0 || is_hopeless(s, &w))
		return;
	if (s->found && w.odd == s->best.odd) {
		if (s->rival < 0 && !says_the_same(&w.f, &s->best.f))
			s->rival = first_apart(s);
		return;
	}
	s->found = true;
	s->rival = -1;
	s->best = w;
	s->len = (int)(at + len);
	s->severity = severity;
	s->part = part;
	memcpy(s->best_end, s->end, sizeof(s->end));
}

/* What is odd in a field that has nothing; -1: it cannot. */
static int odd_when_empty(const struct prefix_item *it)
{
	if (field_is_client(it->kind) || strchr("vPQ", it->kind))
		return 0;
	return strchr("blL", it->kind) || it->width ? ODD : -1;
}

/* Item i is v, which ends at `end`. */
static void take(struct search *s, int i, struct str v, size_t end, const struct way *w)
{
	const struct prefix_item *it = &s->p->item[i];
	struct way next = *w;
	int odd = v.n ? 0 : odd_when_empty(it);

	if (s->tries == 0 || odd < 0)
		return;
	s->tries--;
	if (v.n && !field_value(it->kind, v, &next.f, &next.odd))
		return;
	next.odd += (unsigned)odd;
	if (field_is_client(it->kind)) {
		next.filled += v.n > 0;
		next.empty += v.n == 0;
	}
	s->end[i] = (uint16_t)end;
	if (!is_hopeless(s, &next))
		go(s, i + 1, end, &next);
}

/* What a field that is shorter than its width has; STR_NONE: it is as long or longer. */
static struct str padded(const struct prefix_item *it, const char *s, size_t n)
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

/* Most literals are one byte: nothing is won by a call. */
static inline const char *find_literal(const char *p, size_t n, struct str lit)
{
	if (lit.n != 1)
		return memmem(p, n, lit.p, lit.n);
	for (const char *end = p + n; p < end; p++)
		if (*p == *lit.p)
			return p;
	return NULL;
}

/* The literal that must stand behind item i; NULL: something else may. */
static const struct str *literal_behind(const struct search *s, int i)
{
	const struct prefix_item *next = &s->p->item[i + 1];

	return i + 1 < s->p->items && i + 1 != s->p->q && next->kind == 0 ? &next->lit : NULL;
}

/* Free text: ends where a literal is found, or where something else fits. */
static void take_text(struct search *s, int i, size_t at, size_t least, const struct way *w)
{
	const struct prefix_item *it = &s->p->item[i];
	const char *from = s->line + at;
	size_t most = field_most(it->kind, from, s->n - at);
	const struct str *literal = literal_behind(s, i);
	size_t unknown = *from == '[' ? word_unknown(from, s->n - at) : 0;

	if (unknown) /* in Russian it has the slash in it that may stand behind it */
		take(s, i, (struct str){from, unknown}, at + unknown, w);
	for (size_t len = least; len <= most && !is_hopeless(s, w); len++) {
		if (literal) {
			const char *hit = find_literal(from + len, most - len, *literal);
			if (!hit)
				return;
			len = (size_t)(hit - from);
		}
		take(s, i, (struct str){from, len}, at + len, w);
	}
}

/* Fields of fixed form and hosts: the longest first. */
static void take_fixed(struct search *s, int i, size_t at, size_t least, const struct way *w)
{
	const struct prefix_item *it = &s->p->item[i];
	const struct str *literal = literal_behind(s, i);
	bool is_host = strchr("hrL", it->kind) != NULL;
	struct str host;
	size_t most = is_host ? field_host(s->line + at, s->n - at, it->kind == 'r', &host)
			      : field_most(it->kind, s->line + at, s->n - at);

	least = least > field_least(it->kind) ? least : field_least(it->kind);
	for (size_t len = most + 1; len-- > least && !is_hopeless(s, w);)
		if (!literal || (at + len < s->n && s->line[at + len] == *literal->p))
			take(s, i, (struct str){s->line + at, len}, at + len, w);
}

/* Item i, which begins here. */
static void take_item(struct search *s, int i, size_t at, const struct way *w)
{
	const struct prefix_item *it = &s->p->item[i];
	const char *from = s->line + at;

	if (it->width) {
		struct str in = padded(it, from, s->n - at);
		if (in.p)
			take(s, i, in, at + it->width, w);
	}
	if (field_is_text(it->kind) && !strchr("hrL", it->kind))
		take_text(s, i, at, it->width, w);
	else
		take_fixed(s, i, at, it->width, w);
	if (it->kind == 'h' || it->kind == 'r') /* a host's name with other marks in it */
		take_text(s, i, at, it->width, w);
}

static void go(struct search *s, int i, size_t at, const struct way *way)
{
	const struct log_prefix *p = s->p;
	struct way w = *way;

	for (;; i++) {
		if (i == p->q) { /* a background process stops here */
			finish(s, at, &w);
			w.filled++;
		}
		if (i == p->items) {
			finish(s, at, &w);
			return;
		}
		struct str lit = p->item[i].lit;
		if (p->item[i].kind)
			break;
		if (s->n - at < lit.n || memcmp(s->line + at, lit.p, lit.n) != 0)
			return;
		at += lit.n;
		s->end[i] = (uint16_t)at;
	}
	take_item(s, i, at, &w);
	if (at < s->n && s->line[at] == ' ' && !p->item[i].width && p->item[i].kind != 'a') {
		while (at < s->n && s->line[at] == ' ')
			at++;
		w.odd += ODD_SLIGHT;
		if (!is_hopeless(s, &w))
			take_item(s, i, at, &w);
	}
}

int prefix_search(const struct log_prefix *p, const char *line, size_t n, struct log_entry *e,
	int *rival)
{
	struct search s;
	struct way w = {0};

	if (n > UINT16_MAX)
		n = UINT16_MAX;
	s.p = p;
	s.line = line;
	s.n = n;
	s.tries = TRIES;
	s.found = false;
	s.wants_rival = rival != NULL;
	s.rival = -1;
	memset(s.end, 0, sizeof(s.end));
	go(&s, 0, 0, &w);
	if (rival)
		*rival = s.tries == 0 ? first_apart(&s) : s.found ? s.rival : -1;
	if (!s.found)
		return -1;
	const struct prefix_fields *f = &s.best.f;
	e->severity = s.severity;
	e->part = s.part;
	e->ts = f->ts ? f->ts : e->ts; /* what is around the line may have said it */
	e->line_num = f->line_num ? f->line_num : e->line_num;
	e->session = f->session ? f->session : e->session;
	e->pid = f->pid ? f->pid : e->pid;
	e->user = f->user.n ? f->user : e->user;
	e->db = f->db.n ? f->db : e->db;
	e->app = f->app.n ? f->app : e->app;
	e->host = f->host.n ? f->host : e->host;
	e->vxid = f->vxid.n ? f->vxid : e->vxid;
	e->sqlstate = f->sqlstate.n ? f->sqlstate : e->sqlstate;
	return s.len;
}
