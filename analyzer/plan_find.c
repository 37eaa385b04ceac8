/* SPDX-License-Identifier: ISC
 *
 * Where plans begin and end in a text, and in which of the four formats they are.
 *
 * Four beginnings are looked for, line by line: "{" or "[" that leads to a "Plan" (JSON),
 * "<explain" (XML), "- Plan:" and its kin (YAML), and a line that only a plan's root can be
 * (text).  A log's "duration: … plan:" and "Query Text: …" before it are remembered for it.
 */
#include "plan.h"

#include <jansson.h>
#include <math.h>

struct finder {
	struct arena *a;
	const struct plan_lines *l;
	struct plan_list found; /* by the reader at work; handed over by settle() */
	void (*on_plan)(void *ctx, struct arena *a, struct plan *p);
	void *ctx;
	struct plan_counts *counts;
	bool is_stream; /* a plan is gone once it was handed over */
	bool is_log;	/* as a server wrote it: nobody has put anything around the lines */
	size_t at;
	double duration_ms; /* of the plan that follows; NAN */
	struct text query;  /* likewise */
	bool in_query;
	struct text joined; /* a JSON or XML plan in one piece */
};

static void note_broken(struct finder *f, const char *format, const struct err *why)
{
	if (f->counts->broken++ == 0)
		err_set(&f->counts->why, "line %d: a plan in %s that cannot be read: %s",
			f->l->line.at[f->at].number, format, why->text);
}

/* Completes the plans just found with what the log said before them, and hands them over. */
static void settle(struct finder *f, enum plan_format format, int line)
{
	for (size_t i = 0; i < f->found.plan.n; i++) {
		struct plan *p = f->found.plan.at[i];

		p->format = format;
		p->line = line;
		p->duration_ms = f->duration_ms;
		if (p->query.n == 0 && f->query.n)
			p->query = arena_str(f->a, str_trim(text_slice(&f->query)));
		plan_measure(f->a, p);
		f->counts->plans++;
		f->on_plan(f->ctx, f->a, p);
	}
	f->found.plan.n = 0;
	if (f->is_stream)
		arena_reset(f->a);
	f->duration_ms = NAN;
	f->in_query = false;
	text_clear(&f->query);
}

/* --- JSON -------------------------------------------------------------------------- */

struct braces {
	long depth;
	bool in_string, escaped;
};

/* The bytes that matter to the nesting. */
static const bool is_mark[256] = {
	['"'] = true, ['{'] = true, ['['] = true, ['}'] = true, [']'] = true};

/* Where the value ends in s, s.n when it goes on. */
static size_t scan_braces(struct braces *b, struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (b->in_string) {
			if (b->escaped)
				b->escaped = false;
			else if (c == '\\')
				b->escaped = true;
			else if (c == '"')
				b->in_string = false;
			continue;
		}
		if (!is_mark[c])
			continue;
		if (c == '"')
			b->in_string = true;
		else if (c == '{' || c == '[')
			b->depth++;
		else if (--b->depth <= 0)
			return i + 1;
	}
	return s.n;
}

/* A whole member of an object that tells nothing, as the text format leaves it out: a false, or
 * no blocks of a kind.  They are half of what a plan with BUFFERS is. */
static bool says_nothing(struct str s)
{
	const char *quote;
	struct str name, value;

	if (s.n < 12 || s.p[0] != '"' || s.p[s.n - 1] != ',')
		return false;
	quote = memchr(s.p + 1, '"', s.n - 1);
	if (quote == NULL)
		return false;
	name = str_before(s, (size_t)(quote - s.p));
	value = str_skip(s, name.n + 1);
	return str_is(value, ": false,") || (str_is(value, ": 0,") && str_ends(name, " Blocks"));
}

/* Joins the lines of the value that begins at f->at; answers the line behind it, 0 when it has
 * no end. A string that was broken at the edge of a terminal is put together again. */
static size_t join_json(struct finder *f)
{
	struct braces b = {0};
	bool was_in_string = false;

	text_clear(&f->joined);
	for (size_t i = f->at; i < f->l->line.n; i++) {
		struct str s = f->l->line.at[i].text;
		size_t end;

		/* Indentation is half of the text and dear to the parser. */
		if (!was_in_string)
			while (s.n && s.p[0] == ' ')
				s = str_skip(s, 1);
		if (!was_in_string && says_nothing(s))
			continue;
		end = scan_braces(&b, s);
		text_str(&f->joined, str_before(s, end));
		if (b.depth <= 0)
			return i + 1;
		was_in_string = b.in_string;
	}
	return 0;
}

static bool is_json_start(struct str s)
{
	s = str_trim(s);
	if (s.n == 0 || (s.p[0] != '{' && s.p[0] != '['))
		return false;
	s = str_trim(str_skip(s, 1));
	return s.n == 0 || s.p[0] == '{' || s.p[0] == '[' || s.p[0] == '"';
}

/* jansson's values live in an arena that is forgotten with the document: a log of plans has
 * millions of them.  Nothing else of jansson is used in between. */
static struct arena document;

static void *take_document(size_t n)
{
	return arena_alloc(&document, n);
}

static void leave_document(void *p)
{
	(void)p;
}

static bool read_document(struct finder *f, struct str text, json_error_t *error, bool *parsed)
{
	json_malloc_t usual_malloc;
	json_free_t usual_free;
	json_t *doc;
	bool any;

	json_get_alloc_funcs(&usual_malloc, &usual_free);
	json_set_alloc_funcs(take_document, leave_document);
	doc = json_loadb(text.p, text.n, JSON_ALLOW_NUL, error);
	*parsed = doc != NULL;
	any = doc && plan_tree_read(f->a, doc, &f->found) > 0;
	json_decref(doc);
	json_set_alloc_funcs(usual_malloc, usual_free);
	arena_reset(&document);
	return any;
}

static void read_json(struct finder *f)
{
	size_t end = join_json(f);
	int line = f->l->line.at[f->at].number;
	struct str joined = text_slice(&f->joined);
	bool looks = str_find(joined, "\"Node Type\"") < joined.n;
	json_error_t error;
	bool parsed;
	struct err why;

	if (!looks || end == 0) {
		err_set(&why, "it has no end");
		if (looks)
			note_broken(f, "JSON", &why);
		f->at = looks || end == 0 ? f->at + 1 : end;
		return;
	}
	if (!read_document(f, joined, &error, &parsed)) {
		err_set(&why, "%s", parsed ? "no plan in it" : error.text);
		note_broken(f, "JSON", &why);
	}
	f->at = end;
	settle(f, PLAN_JSON, line);
}

/* --- XML and YAML -------------------------------------------------------------------- */

static void read_xml(struct finder *f)
{
	size_t end = f->at;
	int line = f->l->line.at[f->at].number;
	size_t used;
	struct err why = {{0}};
	json_t *doc;

	text_clear(&f->joined);
	while (end < f->l->line.n) {
		struct str s = f->l->line.at[end].text;

		text_str(&f->joined, s);
		if (!f->l->line.at[end++].is_full)
			text_char(&f->joined, '\n');
		if (str_find(s, "</explain>") < s.n)
			break;
	}
	doc = plan_xml_read(text_slice(&f->joined), &used, &why);
	if (doc == NULL || plan_tree_read(f->a, doc, &f->found) == 0)
		note_broken(f, "XML", &why);
	json_decref(doc);
	f->at = doc ? end : f->at + 1;
	settle(f, PLAN_XML, line);
}

/* What only EXPLAIN writes at the beginning of a list's item. */
static bool is_yaml_plan(struct str s)
{
	return str_is(s, "- Plan:") || str_starts(s, "- Query Text: \"") ||
	       str_starts(s, "- Query Text:\"") || str_starts(s, "- Query Identifier:");
}

static bool is_yaml_start(struct str s)
{
	s = str_trim(s);
	return is_yaml_plan(s) || str_is(s, "Plan:") || str_starts(s, "Query Text: \"");
}

static void read_yaml(struct finder *f)
{
	size_t before = f->at;
	int line = f->l->line.at[f->at].number;
	struct err why = {{0}};
	json_t *doc = plan_yaml_read(f->l, &f->at, &why);

	if (doc == NULL || plan_tree_read(f->a, doc, &f->found) == 0) {
		size_t after = f->at;

		f->at = before;
		if (is_yaml_plan(str_trim(f->l->line.at[before].text)))
			note_broken(f, "YAML", &why);
		else /* "Plan:" is also what people write above a plan */
			after = before + 1;
		f->at = after;
	}
	json_decref(doc);
	settle(f, PLAN_YAML, line);
}

/* --- text ---------------------------------------------------------------------------- */

/* "… duration: 12.3 ms  plan:" */
static bool note_duration(struct finder *f, struct str s)
{
	size_t at = str_find(s, "duration: ");
	char copy[32];
	struct str v;

	if (at == s.n || !str_ends(str_trim(s), "plan:"))
		return false;
	v = str_before(str_skip(s, at + 10), sizeof(copy) - 1);
	memcpy(copy, v.p, v.n);
	copy[v.n] = 0;
	f->duration_ms = strtod(copy, NULL);
	f->in_query = false;
	text_clear(&f->query);
	return true;
}

/* The lines of "Query Text: …", up to the plan's root. */
static bool note_query(struct finder *f, struct str s)
{
	struct str t = str_trim(s);

	if (str_starts(t, "Query Text:")) {
		f->in_query = true;
		text_clear(&f->query);
		text_str(&f->query, str_trim(str_skip(t, 11)));
		return true;
	}
	if (!f->in_query)
		return false;
	if (f->query.n > 1u << 20) {
		f->in_query = false;
		return false;
	}
	text_char(&f->query, '\n');
	text_str(&f->query, t);
	return true;
}

static bool read_text(struct finder *f)
{
	int line = f->l->line.at[f->at].number;
	struct str s = f->l->line.at[f->at].text;
	struct plan *p;

	/* In a statement's text only a line with a measure can be the root. */
	if (f->in_query && str_find(s, "(cost=") == s.n && str_find(s, "(actual ") == s.n)
		return false;
	p = plan_text_read(f->a, f->l, &f->at);
	if (p == NULL)
		return false;
	*VEC_PUSH(&f->found.plan) = p;
	settle(f, PLAN_TEXT, line);
	return true;
}

static void find(struct finder *f, struct str text, int first_line)
{
	struct arena frame = {0};
	struct plan_lines lines = {0};

	if (f->is_log)
		plan_split(&frame, text, &lines);
	else
		plan_unframe(&frame, text, &lines);
	for (size_t i = 0; i < lines.line.n; i++)
		lines.line.at[i].number += first_line;
	f->l = &lines;
	f->at = 0;
	while (f->at < lines.line.n) {
		struct str s = lines.line.at[f->at].text, t = str_trim(s);

		if (t.n == 0 || note_duration(f, s))
			f->at++;
		else if (is_json_start(t))
			read_json(f);
		else if (str_find(t, "<explain") < t.n)
			read_xml(f);
		else if (is_yaml_start(t))
			read_yaml(f);
		else if (!plan_text_begins(t) || !read_text(f)) {
			note_query(f, s);
			f->at++;
		}
	}
	VEC_RELEASE(&lines.line);
	arena_release(&frame);
}

static void release(struct finder *f)
{
	arena_release(&document);
	VEC_RELEASE(&f->found.plan);
	text_release(&f->query);
	text_release(&f->joined);
}

static void keep(void *ctx, struct arena *a, struct plan *p)
{
	struct plan_list *out = ctx;

	(void)a;
	*VEC_PUSH(&out->plan) = p;
}

void plan_find(struct arena *a, struct str text, struct plan_list *out)
{
	struct plan_counts counts = {0};
	struct finder f = {
		.a = a, .on_plan = keep, .ctx = out, .counts = &counts, .duration_ms = NAN};

	find(&f, text, 0);
	release(&f);
	out->broken += counts.broken;
	if (counts.broken && out->broken == counts.broken)
		out->why = counts.why;
}

/* --- logs of any size ------------------------------------------------------------------- */

#define WINDOW ((size_t)4 << 20)

/* How much of the text to take at once: up to a line that announces a plan, beyond WINDOW. */
static size_t window(struct str text)
{
	static const char mark[] = "plan:\n";
	const char *hit;

	if (text.n <= WINDOW)
		return text.n;
	hit = memmem(text.p + WINDOW, text.n - WINDOW, mark, sizeof(mark) - 1);
	while (hit && hit > text.p && hit[-1] != '\n')
		hit--;
	return hit && hit > text.p ? (size_t)(hit - text.p) : text.n;
}

/* A message of a server, or so long a log that nobody has pasted it: the plan follows its head
 * as auto_explain wrote it.  Most of the time would go into looking for what is not there. */
static bool is_log(struct str text)
{
	static const char *const plans[] = {"{", "Query Text: ", "Query Text:\"", "<explain "};
	struct str s = str_skip(text, str_find(text, " plan:\n"));

	if (text.n < WINDOW / 4 && !str_starts(text, "duration: "))
		return false;
	s = str_trim(str_skip(s, strlen(" plan:\n")));
	for (size_t i = 0; i < ARRAY_LEN(plans); i++)
		if (str_starts(s, plans[i]))
			return true;
	return false;
}

void plan_each(struct str text, void (*on_plan)(void *ctx, struct arena *a, struct plan *p),
	void *ctx, struct plan_counts *counts)
{
	struct arena arena = {0};
	struct finder f = {.a = &arena,
		.on_plan = on_plan,
		.ctx = ctx,
		.counts = counts,
		.is_stream = true,
		.is_log = is_log(text),
		.duration_ms = NAN};
	int line = 0;

	*counts = (struct plan_counts){0};
	while (text.n) {
		struct str part = str_before(text, window(text));

		find(&f, part, line);
		text = str_skip(text, part.n);
		for (const char *p = part.p; text.n && p < part.p + part.n; line++) {
			p = memchr(p, '\n', (size_t)(part.p + part.n - p));
			if (p++ == NULL)
				break;
		}
	}
	release(&f);
	arena_release(&arena);
}

void plan_list_release(struct plan_list *l)
{
	VEC_RELEASE(&l->plan);
	*l = (struct plan_list){0};
}
