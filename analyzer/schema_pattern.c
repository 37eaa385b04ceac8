/* SPDX-License-Identifier: ISC
 *
 * schema_pattern: what an index can do with a pattern: look up one string, a range of strings
 * that begin alike, or nothing.  The rules are those of PostgreSQL's planner, which takes the
 * longest beginning that every matching string has.
 */
#include "schema.h"

struct scan {
	const char *p, *end;
	size_t fixed; /* characters every match begins with */
	bool nocase;
	char escape; /* of LIKE; 0: none */
};

/* Does the character stand for another one, too, without regard to case? */
static bool varies(const struct scan *s, char c)
{
	return s->nocase && ((c & 0x80) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'));
}

static enum schema_pattern verdict(const struct scan *s, bool ended)
{
	if (ended)
		return PATTERN_EXACT;
	return s->fixed ? PATTERN_PREFIX : PATTERN_NONE;
}

static enum schema_pattern like(struct scan *s)
{
	for (; s->p < s->end; s->p++, s->fixed++) {
		char c = *s->p;
		if ((c == '%' || c == '_') && c != s->escape)
			return verdict(s, false);
		if (s->escape && c == s->escape && s->p + 1 < s->end)
			c = *++s->p;
		if (varies(s, c))
			return verdict(s, false);
	}
	return verdict(s, true);
}

static bool is_quantifier(const struct scan *s, const char *p)
{
	return p < s->end && (*p == '*' || *p == '?' || *p == '{');
}

/* One literal character of a regular expression at s->p; false: what stands there is none. */
static bool literal(struct scan *s, char *c, const char *stops)
{
	const char *p = s->p;

	if (*p == '\\') {
		if (p + 1 >= s->end || (p[1] >= '0' && p[1] <= '9') ||
			(p[1] >= 'a' && p[1] <= 'z') || (p[1] >= 'A' && p[1] <= 'Z'))
			return false;
		*c = p[1];
		s->p = p + 2;
		return true;
	}
	if (*p == '[' && p + 2 < s->end && p[2] == ']' && p[1] != '^' && p[1] != '\\') {
		*c = p[1];
		s->p = p + 3;
		return true;
	}
	if (strchr(stops, *p))
		return false;
	*c = *p;
	s->p = p + 1;
	return true;
}

/* (ab|ac): what all arms begin with. */
static void common_part(struct scan *s, const char *close)
{
	const char *first = s->p + (close - s->p > 2 && s->p[1] == '?' && s->p[2] == ':' ? 3 : 1);
	size_t same = 0;

	for (bool all = true; all; same++)
		for (const char *arm = first; arm && all;
			arm = memchr(arm, '|', (size_t)(close - arm))) {
			arm += *arm == '|';
			all = arm + same < close && arm[same] == first[same] &&
			      !strchr("|%_.*+?{}[]\\^$", first[same]) && !varies(s, first[same]) &&
			      !is_quantifier(s, arm + same + 1);
		}
	s->fixed += same - 1;
}

/* Characters up to the first that may be something else; groups are seen through. */
static bool fixed_part(struct scan *s, const char *stops)
{
	while (s->p < s->end) {
		char c;
		if (*s->p == '(') {
			size_t n = s->p + 2 < s->end && s->p[1] == '?' && s->p[2] == ':' ? 3 : 1;
			const char *close = memchr(s->p, ')', (size_t)(s->end - s->p));
			if (!close || is_quantifier(s, close + 1) ||
				memchr(s->p + 1, '(', (size_t)(close - s->p - 1)))
				return false;
			if (memchr(s->p, '|', (size_t)(close - s->p))) {
				common_part(s, close);
				return false;
			}
			s->p += n;
			continue;
		}
		if (*s->p == ')') {
			s->p++;
			continue;
		}
		if (*s->p == '+' && s->fixed) /* the character before it stands once at least */
			return false;
		if (!literal(s, &c, stops) || varies(s, c) || is_quantifier(s, s->p))
			return false;
		s->fixed++;
	}
	return true;
}

/* Alternatives outside of groups. */
static bool has_arms(const struct scan *s)
{
	int deep = 0;

	for (const char *p = s->p; p < s->end; p++) {
		deep += *p == '(';
		deep -= *p == ')';
		if (*p == '|' && deep == 0)
			return true;
	}
	return false;
}

static enum schema_pattern regex(struct scan *s)
{
	if (s->end - s->p > 4 && memcmp(s->p, "***:", 4) == 0) /* what it is anyway */
		s->p += 4;
	size_t n = (size_t)(s->end - s->p);
	bool start = n > 1 && memcmp(s->p, "\\A", 2) == 0;
	if (n == 0 || (*s->p != '^' && !start) || has_arms(s))
		return PATTERN_NONE;
	s->p += start ? 2 : 1;
	if (s->end - s->p > 1 && memcmp(s->p, "\\m", 2) == 0) /* a word begins: nothing is read */
		s->p += 2;
	bool whole = fixed_part(s, ".*+?{}[]|$^\\");
	bool ended = !whole && s->p + 1 == s->end && *s->p == '$';
	return verdict(s, ended);
}

static enum schema_pattern similar(struct scan *s)
{
	if (has_arms(s))
		return PATTERN_NONE;
	if (s->escape != '\\') /* what it escapes is not looked at */
		return s->p < s->end && (*s->p == '%' || *s->p == '_') ? PATTERN_NONE
								       : PATTERN_PREFIX;
	return verdict(s, fixed_part(s, "%_*+?{}[]|\\"));
}

/* The pattern itself, from under its cast; NULL: not a literal. */
static const struct sql_node *literal_of(const struct sql_node *n, char *escape)
{
	while (node_is(n, "TypeCast") || node_is(n, "CollateClause"))
		n = node_get(n, "arg");
	if (node_is(n, "FuncCall") && str_is(node_last_name(n, "funcname"), "similar_to_escape") &&
		node_len(n, "args") == 1)
		n = node_item(n, "args", 0);
	struct str f = node_is(n, "FuncCall") ? node_last_name(n, "funcname") : STR("");
	if ((str_is(f, "like_escape") || str_is(f, "similar_to_escape")) &&
		node_is(node_item(n, "args", 1), "A_Const")) {
		const char *e = node_str(node_get(node_item(n, "args", 1), "sval"), "sval");
		*escape = e[0] && e[1] ? '\\' : e[0];
		n = node_item(n, "args", 0);
	}
	return node_is(n, "A_Const") && node_get(n, "sval") ? n : NULL;
}

/* Literals joined with || are one to the planner: into `t`; false: there is something else. */
static bool join_literals(const struct sql_node *n, char *escape, struct text *t)
{
	if (node_is(n, "A_Expr") && str_is(node_last_name(n, "name"), "||"))
		return join_literals(node_get(n, "lexpr"), escape, t) &&
		       join_literals(node_get(n, "rexpr"), escape, t);
	if (node_is(n, "FuncCall") && str_is(node_last_name(n, "funcname"), "similar_to_escape") &&
		node_len(n, "args") == 1 && node_is(node_item(n, "args", 0), "A_Expr"))
		return join_literals(node_item(n, "args", 0), escape, t);
	if (node_is(n, "FuncCall") && node_len(n, "args") == 1 && /* wildcards have no case */
		(str_is(node_last_name(n, "funcname"), "lower") ||
			str_is(node_last_name(n, "funcname"), "upper")))
		return join_literals(node_item(n, "args", 0), escape, t);
	const struct sql_node *one = literal_of(n, escape);
	if (one)
		text_puts(t, node_str(node_get(one, "sval"), "sval"));
	return one != NULL;
}

static enum walk find_late(void *ctx, const struct sql_path *at)
{
	static const char *const late[] = {
		"concat", "concat_ws", "format", "to_char", "now", "current_setting", "version"};
	const struct sql_node *n = at->node;
	bool is = node_is(n, "SubLink") || node_is(n, "SQLValueFunction");

	(void)ctx;
	for (size_t i = 0; node_is(n, "FuncCall") && i < ARRAY_LEN(late); i++)
		is |= str_is(node_last_name(n, "funcname"), late[i]);
	return is ? WALK_STOP : WALK_ON;
}

/* What hangs on settings, the time or a subquery is calculated when the statement runs, after it
 * was planned. */
static bool is_late(const struct sql_node *n)
{
	return sql_walk(n, find_late, NULL);
}

static enum schema_pattern pattern_of(const struct sql_cond *k, struct str v, char escape);

/* A pattern that is not known to its end: can no value make it one with a fixed beginning?  `v`
 * is the part known. */
static bool is_open(const struct sql_cond *k, struct str v)
{
	if (k->pred == PRED_ILIKE || str_is(k->op, "~*"))
		return true; /* letters vary; digits alone are rare */
	if (!v.n)
		return false;
	return k->pred == PRED_REGEX ? v.p[0] != '^' : v.p[0] == '%' || v.p[0] == '_';
}

/* $1 || '%': whatever comes first, it is no more than a prefix. */
static bool ends_in_wildcard(const struct sql_node *n)
{
	char escape = '\\';
	const struct sql_node *last =
		node_is(n, "A_Expr") && str_is(node_last_name(n, "name"), "||")
			? literal_of(node_get(n, "rexpr"), &escape)
			: NULL;

	return last && node_str(node_get(last, "sval"), "sval")[0] == '%';
}

enum schema_pattern schema_pattern(const struct sql_cond *k)
{
	char escape = '\\';
	struct text t = {0};
	enum schema_pattern p = PATTERN_UNKNOWN;

	if (is_late(k->right.node) || (k->op.n && k->op.p[0] == '!'))
		return PATTERN_NONE;
	if (join_literals(k->right.node, &escape, &t))
		p = pattern_of(k, text_slice(&t), escape);
	else if (is_open(k, text_slice(&t)))
		p = PATTERN_NONE;
	else if (str_is(k->op, "^@") || (k->pred == PRED_LIKE && ends_in_wildcard(k->right.node)))
		p = PATTERN_PREFIX;
	text_release(&t);
	return p;
}

static enum schema_pattern pattern_of(const struct sql_cond *k, struct str v, char escape)
{
	struct scan s = {v.p ? v.p : "", (v.p ? v.p : "") + v.n, 0, false, escape};
	s.nocase = k->pred == PRED_ILIKE || str_is(k->op, "~*");
	switch ((int)k->pred) {
	case PRED_LIKE:
	case PRED_ILIKE:
		return like(&s);
	case PRED_REGEX:
		return k->op.n && k->op.p[0] == '~' ? regex(&s) : PATTERN_NONE;
	case PRED_SIMILAR:
		return similar(&s);
	}
	return v.n ? PATTERN_PREFIX : PATTERN_NONE; /* ^@ */
}
