/* SPDX-License-Identifier: ISC
 *
 * sql_parse: text -> tree, guarded against what crashes or stalls libpg_query 15.
 *
 * libpg_query checks no stack and its scanner is quadratic in nested comments.  So the lexer
 * looks first: its counts bound the recursion (GUARD_CHAIN levels fit the stack of
 * sql_run_deep() several times), comments are blanked with spaces (which keeps every offset),
 * and a NUL byte, where libpg_query would silently stop, is refused.
 *
 * What fails is tried again with placeholders of drivers replaced by same-length operands.
 * Callers remember failures by shape: this file keeps no state.
 */
#include "sql.h"
#include "sql_build.h"

#include <pthread.h>

#define DEEP_STACK   ((size_t)256 << 20)
#define GUARD_LENGTH ((size_t)4 << 20)
#define GUARD_CHAIN  20000
#define GUARD_DEPTH  4000

/* --- the deep thread ---------------------------------------------------------- */

struct deep {
	int (*fn)(void *arg);
	void *arg;
	int result;
};

static void *deep_main(void *arg)
{
	struct deep *d = arg;

	d->result = d->fn(d->arg);
	return NULL;
}

int sql_run_deep(int (*fn)(void *arg), void *arg)
{
	struct deep d = {.fn = fn, .arg = arg};
	pthread_attr_t attr;
	pthread_t thread;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, DEEP_STACK);
	if (pthread_create(&thread, &attr, deep_main, &d) != 0) {
		fprintf(stderr, "pgassay: cannot start a thread with a %zu MB stack\n",
			DEEP_STACK >> 20);
		exit(75);
	}
	pthread_attr_destroy(&attr);
	pthread_join(thread, NULL);
	return d.result;
}

/* --- guards and the retry ladder ------------------------------------------------------ */

static bool guard(struct str text, const struct sql_shape *s, struct err *why)
{
	if (text.n > GUARD_LENGTH)
		return err_set(why, "longer than %zu MB", GUARD_LENGTH >> 20);
	if (s->traits & SQL_HAS_NUL || (text.n && memchr(text.p, 0, text.n)))
		return err_set(why, "contains a NUL byte");
	if (s->depth > GUARD_DEPTH)
		return err_set(why, "nested %u levels deep", s->depth);
	if (s->chain > GUARD_CHAIN)
		return err_set(why, "a chain of %u operators", s->chain);
	return true;
}

static char *blank_end_of_comment(char *p, char *end)
{
	unsigned deep = 0;

	while (p < end) {
		if (p + 1 < end && p[0] == '/' && p[1] == '*') {
			deep++;
			p += 2;
		} else if (p + 1 < end && p[0] == '*' && p[1] == '/') {
			p += 2;
			if (--deep == 0)
				break;
		} else {
			p++;
		}
	}
	return p;
}

static char *skip_quoted(char *p, char *end, char q, bool backslash)
{
	for (p++; p < end; p++) {
		if (backslash && *p == '\\')
			p++;
		else if (*p == q && p + 1 < end && p[1] == q)
			p++;
		else if (*p == q)
			return p + 1;
	}
	return end;
}

static char *skip_dollar(char *p, char *end)
{
	char *t = p + 1;

	while (t < end && (*t == '_' || (*t & 0x80) || (*t >= '0' && *t <= '9' && t > p + 1) ||
				  ((*t | 0x20) >= 'a' && (*t | 0x20) <= 'z')))
		t++;
	if (t >= end || *t != '$')
		return p + 1;
	size_t n = (size_t)(t - p) + 1;
	char *e = memmem(t + 1, (size_t)(end - t - 1), p, n);
	return e ? e + n : end;
}

/* Comments become blanks; quoted text is stepped over. */
void build_blank_comments(char *text, size_t n)
{
	char *p = text, *end = text + n, *from;

	while (p < end) {
		from = p;
		if (*p == '\'' || *p == '"')
			p = skip_quoted(p, end, *p,
				*p == '\'' && p > text && (p[-1] | 0x20) == 'e' &&
					(p < text + 2 ||
						!((p[-2] | 0x20) >= 'a' && (p[-2] | 0x20) <= 'z')));
		else if (*p == '$')
			p = skip_dollar(p, end);
		else if (*p == '-' && p + 1 < end && p[1] == '-') {
			p = memchr(p, '\n', (size_t)(end - p));
			p = p ? p : end;
			memset(from, ' ', (size_t)(p - from));
		} else if (*p == '/' && p + 1 < end && p[1] == '*') {
			p = blank_end_of_comment(p, end);
			memset(from, ' ', (size_t)(p - from));
		} else
			p++;
	}
}

static bool is_word(char c)
{
	return c == '_' || (c & 0x80) || (c >= '0' && c <= '9') ||
	       ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
}

/* Names of parameters, each with a number of its own, behind those that have one. */
struct parameters {
	struct str at[99];
	int n, numbered;
};

static int greatest_number(const char *text, size_t n)
{
	int max = 0;

	for (size_t i = 0; i + 1 < n; i++)
		if (text[i] == '$' && text[i + 1] >= '1' && text[i + 1] <= '9' &&
			(i == 0 || !is_word(text[i - 1]))) {
			int k = (int)strtol(text + i + 1, NULL, 10);
			max = k > max ? k : max;
		}
	return max;
}

/* $n for the name, blanks up to the end of what stood there. */
static void put_parameter(struct parameters *names, struct str name, char *from, char *end)
{
	char number[16];
	int i = 0;

	while (i < names->n && !str_eq(names->at[i], name))
		i++;
	if (i == names->n && i < (int)ARRAY_LEN(names->at))
		names->at[names->n++] = name;
	int n = snprintf(number, sizeof(number), "$%d", names->numbered + i + 1);
	if (n > end - from)
		n = snprintf(number, sizeof(number), "$1");
	memset(from, ' ', (size_t)(end - from));
	memcpy(from, number, (size_t)n);
}

/* sqlc.arg(name), sqlc.narg('name'), sqlc.slice('names'), sqlc.embed(t): where it ends; NULL: it is
 * something else.  `text` is what was there, `p` its copy in which parameters are put. */
static char *substitute_sqlc(struct parameters *names, const char *text, char *p, char *end)
{
	static const char *const calls[] = {"sqlc.arg(", "sqlc.narg(", "sqlc.slice("};
	char *close = memchr(p, ')', (size_t)(end - p));
	size_t n = close ? (size_t)(close - p) : 0;

	for (size_t i = 0; close && i < ARRAY_LEN(calls); i++) {
		size_t len = strlen(calls[i]);
		if (n <= len || memcmp(p, calls[i], len) != 0)
			continue;
		struct str name = str_trim((struct str){text + len, n - len});
		if (name.n > 2 && (name.p[0] == '\'' || name.p[0] == '"'))
			name = (struct str){name.p + 1, name.n - 2};
		put_parameter(names, name, p, close + 1);
		return close + 1;
	}
	if (close && n > 11 && memcmp(p, "sqlc.embed(", 11) == 0) { /* all columns of a table */
		memmove(p, p + 11, n - 11);
		memset(p + n - 11, ' ', 12);
		memcpy(p + n - 11, ".*", 2);
		return close + 1;
	}
	return NULL;
}

/* Parameters as sqlc and Npgsql write them.  The grammar takes @name for the operator @, absolute
 * value, over a column, which people set apart by a blank. */
static bool substitute_named(struct str original, char *text, size_t n)
{
	char *p = text, *end = text + n, *from;
	struct parameters names = {.numbered = greatest_number(text, n)};
	bool any = false;

	while (p < end) {
		from = p;
		if (*p == '\'' || *p == '"') {
			p = skip_quoted(p, end, *p, false);
		} else if (*p == 's' && end - p > 12 && memcmp(p, "sqlc.", 5) == 0 &&
			   (p == text || !is_word(p[-1]))) {
			p = substitute_sqlc(&names, original.p + (p - text), p, end);
			any |= p != NULL;
			p = p ? p : from + 5;
		} else if (*p == '@' && p + 1 < end && is_word(p[1]) &&
			   (p == text || (!is_word(p[-1]) && !strchr("+-*/<>=~!@#%^&|`?", p[-1])) ||
				   (p[-1] == '=' && (p - 1 == text || !strchr("<>~!", p[-2]))))) {
			for (p++; p < end && is_word(*p);)
				p++;
			put_parameter(&names,
				(struct str){
					original.p + (from - text) + 1, (size_t)(p - from) - 1},
				from, p);
			any = true;
		} else {
			p++;
		}
	}
	return any;
}

/* document ? 'key': an operator, for no placeholder stands before a literal. */
static bool is_before_literal(const char *p, const char *end)
{
	while (p < end && (*p == ' ' || *p == '\t' || *p == '\n'))
		p++;
	return p < end && *p == '\'';
}

/* Placeholders libpg_query does not know, replaced by operands of the same length. */
static bool substitute(char *text, size_t n)
{
	char *p = text, *end = text + n, *from;
	bool any = false;

	while (p < end) {
		from = p;
		if (*p == '\'' || *p == '"') {
			p = skip_quoted(p, end, *p, false);
		} else if (*p == '?' && !(p + 1 < end && strchr("|&?", p[1])) &&
			   !is_before_literal(p + 1, end)) {
			*p++ = '0';
			any = true;
		} else if (*p == '%' && p + 1 < end && p[1] == 's') {
			memcpy(p, "$1", 2);
			p += 2;
			any = true;
		} else if (*p == '%' && p + 1 < end && p[1] == '(') {
			char *e = memchr(p, ')', (size_t)(end - p));
			if (!e || e + 1 >= end)
				return any;
			memset(p, ' ', (size_t)(e + 2 - p));
			memcpy(p, "$1", 2);
			p = e + 2;
			any = true;
		} else if ((*p == '#' || *p == '$') && p + 1 < end && p[1] == '{') {
			char *e = memchr(p, '}', (size_t)(end - p)); /* of MyBatis, of templates */
			if (!e)
				return any;
			memset(p, ' ', (size_t)(e + 1 - p));
			memcpy(p, "$1", 2);
			p = e + 1;
			any = true;
		} else if (*p == ':' && p + 1 < end && (p[1] == '\'' || p[1] == '"') &&
			   (p == text || p[-1] != ':')) { /* psql: a literal, an identifier */
			*p++ = ' ';
			any = true;
			if (*p == '\'') {
				p = skip_quoted(from = p, end, '\'', false);
				memset(from, ' ', (size_t)(p - from));
				memcpy(from, "$1", 2);
			}
		} else if (*p == ':' && p + 1 < end && is_word(p[1]) &&
			   (p == text || (p[-1] != ':' && !is_word(p[-1])))) {
			for (p++; p < end && is_word(*p);)
				p++;
			memset(from, ' ', (size_t)(p - from));
			memcpy(from, "$1", 2);
			any = true;
		} else {
			p++;
		}
	}
	return any;
}

struct sql_tree *sql_parse(struct arena *a, struct str text, struct err *why)
{
	struct sql_shape shape;
	const struct sql_node *root;
	bool substituted = false;

	sql_lex(text.p, text.n, &shape, NULL, 0);
	if (!guard(text, &shape, why))
		return NULL;
	char *copy = arena_cstr(a, text);
	if (shape.traits & SQL_HAS_COMMENT)
		build_blank_comments(copy, text.n);
	if (memchr(copy, '@', text.n) || strstr(copy, "sqlc."))
		substituted = substitute_named(text, copy, text.n);
	root = import_tree(a, copy, false, why);
	if (!root && (shape.traits & SQL_HAS_PLACEHOLDER || strchr(copy, '{')) &&
		substitute(copy, text.n)) {
		struct err again;
		root = import_tree(a, copy, false, &again);
		substituted |= root != NULL;
	}
	if (!root)
		return NULL;
	struct sql_tree *t = ARENA_NEW(a, struct sql_tree);
	t->text = arena_str(a, text);
	t->root = root;
	t->statements = node_len(root, "stmts");
	t->substituted = substituted;
	return t;
}

const struct sql_node *sql_statement(const struct sql_tree *t, size_t i)
{
	return node_get(node_item(t->root, "stmts", i), "stmt");
}

struct str sql_statement_text(const struct sql_tree *t, size_t i)
{
	const struct sql_node *raw = node_item(t->root, "stmts", i);
	struct str s = str_skip(t->text, (size_t)node_int(raw, "stmt_location"));
	int64_t n = node_int(raw, "stmt_len");

	return str_trim(n > 0 ? str_before(s, (size_t)n) : s);
}

const struct sql_node *sql_parse_expr(struct arena *a, struct str expr, struct err *why)
{
	struct str q = arena_printf(a, "SELECT %.*s", STR_ARGS(expr));
	struct sql_tree *t = sql_parse(a, q, why);

	if (!t)
		return NULL;
	const struct sql_node *s = sql_statement(t, 0);
	if (t->statements != 1 || !node_is(s, "SelectStmt") || node_len(s, "target_list") != 1 ||
		node_len(s, "from_clause") > 0) {
		err_set(why, "not one expression");
		return NULL;
	}
	return node_get(node_item(s, "target_list", 0), "val");
}
