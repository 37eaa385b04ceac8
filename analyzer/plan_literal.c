/* SPDX-License-Identifier: ISC
 *
 * A plan as a program printed it -> the plan.  Drivers hand over rows, and what people paste is
 * their language's way to show a value:
 *
 *	[('Limit  (cost=…)',), ('  ->  Sort …',)]	Python's tuples
 *	[{"QUERY PLAN"=>"Limit  (cost=…)"}, …]		Ruby's hashes, node-postgres' objects
 *	{"level":"info","plan":"Limit  …\n  ->  …"}	a string in a program's log
 *	INSERT INTO x VALUES ('Limit  (cost=…)');	DataGrip's export
 *	string(31) "Limit  (cost=…)"			PHP's var_dump
 *	[{'Plan': {'Node Type': 'Limit', …}}]		a JSON plan that was parsed
 *
 * Two readings: the strings that hold a plan become lines, or the value becomes JSON.  The text
 * is left alone when a plan stands outside of the strings, or a quote is none of this grammar.
 */
#include "plan.h"

#include <ctype.h>

struct literals {
	struct str all; /* the paste */
	size_t at;
	int depth;	 /* open brackets */
	bool is_escaped; /* \n and its kin mean what they do in a program */
};

struct literal {
	struct str raw;	      /* between the quotes */
	size_t begin, end;    /* with its quotes and prefix */
	char quote;	      /* 0: PHP told the length, nothing is escaped */
	bool is_key, is_more; /* names what follows; goes on the string before */
};

static bool has(struct str s, const char *what)
{
	return str_find(s, what) < s.n;
}

static size_t skip_blanks(struct str s, size_t at)
{
	while (at < s.n && isspace((unsigned char)s.p[at]))
		at++;
	return at;
}

/* --- where a string begins and ends ----------------------------------------------------- */

/* May a string begin at `at`?  Behind a bracket, a comma, "=>", "=" or at a line's begin. */
static bool may_begin(struct str s, size_t at)
{
	size_t i = at;

	if (i > 0 && strchr("bruf", s.p[i - 1]) && (i == 1 || !isalnum((unsigned char)s.p[i - 2])))
		i--;
	if (i == 0 || strchr("[({,=>:\n\t", s.p[i - 1]))
		return true;
	while (i > 0 && s.p[i - 1] == ' ')
		i--;
	return i == 0 || strchr("[({,=>:\n", s.p[i - 1]);
}

static bool ends_here(struct str s, size_t behind)
{
	struct str rest = str_skip(s, behind);
	size_t at = 0;

	if (rest.n == 0 || strchr(",])};>\r\n", rest.p[0]))
		return true;
	while (at < rest.n && rest.p[at] == ' ')
		at++;
	rest = str_skip(rest, at);
	return rest.n == 0 || str_starts(rest, "=>") || strchr("]})\n", rest.p[0]) ||
	       (rest.p[0] == ':' && !str_starts(rest, "::"));
}

/* The string whose opening quote is at l->at; false: a quote in it is neither escaped, doubled
 * nor its end. */
static bool read_string(struct literals *l, struct literal *x)
{
	struct str s = l->all;
	char q = s.p[l->at];
	size_t i = l->at + 1;

	*x = (struct literal){.begin = l->at, .quote = q};
	for (; i < s.n; i++) {
		if (l->is_escaped && s.p[i] == '\\') {
			i++;
			continue;
		}
		if (s.p[i] != q)
			continue;
		if (i + 1 < s.n && s.p[i + 1] == q) {
			i++;
			continue;
		}
		if (!ends_here(s, i + 1))
			return false;
		break;
	}
	if (i >= s.n)
		return false;
	x->raw = (struct str){s.p + l->at + 1, i - l->at - 1};
	x->end = i + 1;
	return true;
}

/* string(31) "…" */
static bool read_counted(struct literals *l, struct literal *x)
{
	struct str rest = str_skip(l->all, l->at);
	size_t n = 0, at = strlen("string(");

	if (!str_starts(rest, "string("))
		return false;
	for (; at < rest.n && isdigit((unsigned char)rest.p[at]) && n < rest.n; at++)
		n = n * 10 + (size_t)(rest.p[at] - '0');
	if (!str_starts(str_skip(rest, at), ") \"") || at + 3 + n >= rest.n ||
		rest.p[at + 3 + n] != '"')
		return false;
	*x = (struct literal){.raw = {rest.p + at + 3, n}, .begin = l->at};
	x->end = l->at + at + 3 + n + 1;
	return true;
}

/* The next string from l->at on.  False: there is none, or (*bad) the text is no such value. */
static bool next_literal(struct literals *l, struct literal *x, bool *bad)
{
	struct str s = l->all;
	size_t before = l->at;

	for (; l->at < s.n; l->at++) {
		char c = s.p[l->at];

		if (c == 's' && read_counted(l, x))
			break;
		l->depth += strchr("[({", c) && c ? 1 : strchr("])}", c) && c ? -1 : 0;
		if ((c == '"' || c == '\'' || c == '`') && may_begin(s, l->at)) {
			if (!read_string(l, x)) {
				*bad = true;
				return false;
			}
			break;
		}
	}
	if (l->at >= s.n)
		return false;
	x->is_more = l->depth > 0 && before > 0 && skip_blanks(s, before) == l->at;
	l->at = x->end;
	s = str_skip(s, skip_blanks(s, l->at));
	s = str_starts(s, "]") ? str_skip(s, 1) : s;
	x->is_key = str_starts(s, "=>") || (str_starts(s, ":") && !str_starts(s, "::"));
	return true;
}

/* --- what a string means ------------------------------------------------------------------ */

static size_t hex_digits(struct str s, size_t at, size_t n, unsigned *code)
{
	size_t i;

	*code = 0;
	for (i = 0; i < n && at + i < s.n && isxdigit((unsigned char)s.p[at + i]); i++) {
		char c = s.p[at + i];

		*code = *code * 16 + (unsigned)(c <= '9' ? c - '0' : (c | 32) - 'a' + 10);
	}
	return i;
}

static void put_code(struct text *out, unsigned c)
{
	if (c < 0x80) {
		text_char(out, (char)c);
	} else if (c < 0x800) {
		text_char(out, (char)(0xc0 | c >> 6));
		text_char(out, (char)(0x80 | (c & 63)));
	} else {
		text_char(out, (char)(0xe0 | c >> 12));
		text_char(out, (char)(0x80 | (c >> 6 & 63)));
		text_char(out, (char)(0x80 | (c & 63)));
	}
}

/* The escape behind the backslash at s.p[at]; answers the bytes it takes with it. */
static size_t put_escape(struct text *out, struct str s, size_t at)
{
	static const char names[] = "ntrbf", means[] = "\n\t\r\b\f";
	char c = at + 1 < s.n ? s.p[at + 1] : '\\';
	const char *known = strchr(names, c);
	unsigned code;
	size_t n;

	if (c == 'x' && (n = hex_digits(s, at + 2, 2, &code)) == 2) {
		text_char(out, (char)code); /* a byte of Python's bytes */
		return 4;
	}
	if (c == 'u' && (n = hex_digits(s, at + 2, 4, &code)) == 4 && code) {
		put_code(out, code);
		return 6;
	}
	text_char(out, known && c ? means[known - names] : c);
	return 2;
}

static void put_meaning(struct text *out, const struct literals *l, const struct literal *x)
{
	for (size_t i = 0; i < x->raw.n; i++) {
		char c = x->raw.p[i];

		if (c == '\\' && x->quote && l->is_escaped)
			i += put_escape(out, x->raw, i) - 1;
		else
			text_char(out, c);
		if (c == x->quote && c)
			i++; /* doubled */
	}
}

/* Escapes are, when every backslash is followed by what a program writes there: a pattern's
 * "\d" in pgAdmin's cell is none. */
static bool has_escapes(struct str s)
{
	for (size_t i = 0; i + 1 < s.n; i++) {
		if (s.p[i] != '\\')
			continue;
		i++;
		if (!strchr("\"'`\\/ntrux0#$", s.p[i]) || s.p[i] == 0)
			return false;
	}
	return true;
}

static bool holds_plan(struct str s)
{
	return has(s, "  (cost=") || has(s, "  (actual ") || has(s, "  ->  ") ||
	       has(s, "\"Node Type\"") || has(s, "<Node-Type>") || has(s, "Node Type: \"") ||
	       has(s, " Scan on ") || (str_starts(s, "Result") && str_find(s, "\n") == s.n);
}

/* The strings of the paste, one a line, when they are what holds the plan. */
static bool read_rows(struct literals *l, struct text *rows)
{
	struct text outside = {0}, value = {0};
	struct literal x;
	size_t from = 0;
	bool bad = false, any = false;

	text_puts(&outside, "");
	while (next_literal(l, &x, &bad)) {
		text_str(&outside, str_before(str_skip(l->all, from), x.begin - from));
		from = x.end;
		text_clear(&value);
		put_meaning(&value, l, &x);
		if (x.is_key) {
			bad |= str_is(text_slice(&value), "Node Type");
			continue;
		}
		any |= holds_plan(text_slice(&value));
		if (x.is_more && rows->n)
			rows->n--;
		text_str(rows, text_slice(&value));
		text_char(rows, '\n');
	}
	text_str(&outside, str_skip(l->all, from));
	any = any && !bad && !holds_plan(text_slice(&outside));
	text_release(&outside);
	text_release(&value);
	return any;
}

/* --- a JSON plan that a program had parsed -------------------------------------------------- */

static void put_json_string(struct text *out, struct str s)
{
	text_char(out, '"');
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (c == '"' || c == '\\')
			text_printf(out, "\\%c", c);
		else if (c < ' ')
			text_printf(out, "\\u%04x", c);
		else
			text_char(out, (char)c);
	}
	text_char(out, '"');
}

/* What stands between strings: brackets, numbers, words, arrows. */
static void put_between(struct text *out, struct str s)
{
	static const char *const words[][2] = {{"True", "true"}, {"False", "false"},
		{"None", "null"}, {"nil", "null"}, {"undefined", "null"}, {"=>", ":"}, {"(", "["},
		{")", "]"}};

	while (s.n) {
		size_t n = 0, i = 0;

		while (n < s.n && (isalnum((unsigned char)s.p[n]) || s.p[n] == '_'))
			n++;
		while (i < ARRAY_LEN(words) &&
			!(str_starts(s, words[i][0]) && (n == 0 || strlen(words[i][0]) == n)))
			i++;
		if (i < ARRAY_LEN(words)) {
			text_puts(out, words[i][1]);
			n = strlen(words[i][0]);
		} else if (n && s.n > n && s.p[n] == ':' && isalpha((unsigned char)s.p[0])) {
			put_json_string(out, str_before(s, n)); /* JavaScript: Plan: {…} */
		} else {
			n = n ? n : 1;
			/* no comma before the end */
			if (s.p[0] != ',' || !strchr("])}", s.p[skip_blanks(s, 1) % s.n]))
				text_str(out, str_before(s, n));
		}
		s = str_skip(s, n);
	}
}

static bool read_value(struct literals *l, struct text *json)
{
	struct text value = {0};
	struct literal x;
	size_t from = 0;
	bool bad = false;

	while (next_literal(l, &x, &bad)) {
		if (!x.is_more || from == 0) {
			if (from)
				put_json_string(json, text_slice(&value));
			put_between(json, str_before(str_skip(l->all, from), x.begin - from));
			text_clear(&value);
		}
		put_meaning(&value, l, &x);
		from = x.end;
	}
	if (from)
		put_json_string(json, text_slice(&value));
	put_between(json, str_skip(l->all, from));
	text_release(&value);
	return !bad;
}

/* --- the paste ------------------------------------------------------------------------------ */

/* Does what EXPLAIN writes stand in the paste without a quote before it?  Asked first: a log of
 * plans is long. */
static bool stands_free(struct str s)
{
	static const char *const marks[] = {
		"  (cost=", "->  ", "<Node-Type>", "\"Node Type\": \"", "- Plan:"};

	for (size_t i = 0; i < ARRAY_LEN(marks); i++) {
		size_t at = str_find(s, marks[i]), from = at;

		if (at == s.n)
			continue;
		while (from > 0 && !strchr("\n\"'", s.p[from - 1]))
			from--;
		if (from == 0 || s.p[from - 1] == '\n')
			return true;
	}
	return false;
}

/* A CSV's cell doubles its quotes, and nothing else is special in it. */
static bool is_csv(struct str s)
{
	return has(s, "\"\"Node Type\"\"") || (has(s, "\"\"") && !has(s, "\\\""));
}

struct str plan_unquote(struct arena *a, struct str text)
{
	struct literals l = {.all = text, .is_escaped = has_escapes(text) && !is_csv(text)};
	bool is_value = has(text, "'Node Type'") || has(text, "\"Node Type\" =>") ||
			has(text, "\"Node Type\"=>");
	struct text out = {0};
	bool any;

	if (!is_value && (stands_free(text) || !(holds_plan(text) || has(text, "Node Type")) ||
				 (!memchr(text.p, '"', text.n) && !memchr(text.p, '\'', text.n))))
		return text;
	text_puts(&out, "");
	any = is_value ? read_value(&l, &out) : read_rows(&l, &out);
	if (any)
		text = arena_str(a, text_slice(&out));
	text_release(&out);
	return text;
}
