/* SPDX-License-Identifier: ISC
 *
 * A condition as EXPLAIN prints it, taken apart for the rules.
 *
 * EXPLAIN puts each operator with its two sides in parentheses, "((a = 1) AND (lower(b) ~~ 'x%'))",
 * so that counting parentheses outside of quotes finds the conjuncts, and in each the one operator
 * that stands outside of all others.
 */
#include "plan_rule.h"

#include <ctype.h>

/* The length of what stands at s and is not to be looked into: a group, a quoted text or name. */
static size_t whole_length(struct str s)
{
	char quote = 0;
	int open = 0;

	for (size_t i = 0; i < s.n; i++) {
		char ch = s.p[i];

		if (quote) {
			quote = ch == quote ? 0 : quote;
		} else if (ch == '\'' || ch == '"') {
			quote = ch;
		} else {
			open += ch == '(' || ch == '[' ? 1 : ch == ')' || ch == ']' ? -1 : 0;
		}
		if (quote == 0 && open <= 0)
			return i + 1;
	}
	return s.n;
}

/* Where word stands outside of all groups and quotes; s.n: nowhere. */
static size_t find_outside(struct str s, const char *word)
{
	for (size_t i = 0; i < s.n; i += whole_length(str_skip(s, i)))
		if (str_starts(str_skip(s, i), word))
			return i;
	return s.n;
}

static struct str without_group(struct str s)
{
	s = str_trim(s);
	while (s.n > 1 && s.p[0] == '(' && s.p[s.n - 1] == ')' && whole_length(s) == s.n)
		s = str_trim((struct str){s.p + 1, s.n - 2});
	return s;
}

static size_t operator_length(struct str s)
{
	size_t n = 0;

	while (n < s.n && strchr("+-*/<>=~!@#%^&|`?", s.p[n]))
		n++;
	return n && n < s.n && s.p[n] == ' ' ? n : 0;
}

static struct plan_conjunct conjunct_of(struct str s)
{
	s = without_group(s);
	if (find_outside(s, " OR ") < s.n)
		return (struct plan_conjunct){s, STR("OR"), STR_NONE};
	for (size_t i = 0; i < s.n; i += whole_length(str_skip(s, i))) {
		struct str rest = str_skip(s, i);
		size_t n = rest.p[0] == ' ' ? operator_length(str_skip(rest, 1)) : 0;

		if (n)
			return (struct plan_conjunct){str_before(s, i),
				str_before(str_skip(rest, 1), n), str_trim(str_skip(rest, n + 2))};
		if (str_starts(rest, " IS "))
			return (struct plan_conjunct){
				str_before(s, i), STR("IS"), str_trim(str_skip(rest, 4))};
	}
	return (struct plan_conjunct){s, STR_NONE, STR_NONE};
}

size_t plan_conjuncts(struct str condition, struct plan_conjunct *out, size_t max)
{
	struct str s = without_group(condition);
	size_t n = 0;

	while (s.n && n < max) {
		size_t at = find_outside(s, " AND ");

		out[n++] = conjunct_of(str_before(s, at));
		s = str_skip(s, at < s.n ? at + 5 : at);
	}
	return n;
}

bool plan_is_constant(struct str side)
{
	if (str_starts(side, "ANY ("))
		side = str_skip(side, 5);
	side = without_group(side);
	return side.n &&
	       (side.p[0] == '\'' || side.p[0] == '-' || isdigit((unsigned char)side.p[0]) ||
		       str_is(side, "true") || str_is(side, "false"));
}

static size_t name_length(struct str s)
{
	size_t n = 0;

	if (s.n && s.p[0] == '"')
		return whole_length(s);
	while (n < s.n && (isalnum((unsigned char)s.p[n]) || s.p[n] == '_' || s.p[n] == '$' ||
				  (s.p[n] & 0x80)))
		n++;
	return n && isdigit((unsigned char)s.p[0]) ? 0 : n;
}

/* "(name)::text" is what EXPLAIN prints of a varchar column. */
struct str plan_column(struct str side, struct str *owner)
{
	struct str s = side;
	size_t n;

	*owner = STR_NONE;
	if (str_ends(s, ")::text") && s.p[0] == '(' && whole_length(s) == s.n - 6)
		s = (struct str){s.p + 1, s.n - 8};
	n = name_length(s);
	if (n && n < s.n && s.p[n] == '.') {
		*owner = str_before(s, n);
		s = str_skip(s, n + 1);
		n = name_length(s);
	}
	return n == s.n ? s : STR_NONE;
}

struct str plan_unqualified(struct arena *a, struct str expr, struct str owner)
{
	struct text t = {0};
	struct str out;

	for (size_t i = 0; i < expr.n;) {
		struct str rest = str_skip(expr, i);
		size_t n = expr.p[i] == '\'' ? whole_length(rest) : name_length(rest);

		if (n && expr.p[i] != '\'' && n + 1 < rest.n && rest.p[n] == '.' &&
			str_eq(str_before(rest, n), owner)) {
			i += n + 1;
			continue;
		}
		n = n ? n : 1;
		text_str(&t, str_before(rest, n));
		i += n;
	}
	out = arena_str(a, text_slice(&t));
	text_release(&t);
	return out;
}
