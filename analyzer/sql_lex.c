/* SPDX-License-Identifier: ISC
 *
 * sql_lex: the literal-stripping lexer: comments, operators, punctuation, and the loop over a
 * statement's tokens.
 */
#include "sql_lex_own.h"

/* --- comments ---------------------------------------------------------------- */

static void lex_note_comment(struct lex *x, const unsigned char *from, const unsigned char *to)
{
	struct sql_place c = {(uint32_t)(from - x->text), (uint32_t)(to > from ? to - from : 0)};

	x->out->traits |= SQL_HAS_COMMENT;
	if (!x->out->first_comment.len)
		x->out->first_comment = c;
	x->out->last_comment = c;
}

static void lex_line_comment(struct lex *x)
{
	const unsigned char *from = x->p + 2;
	const unsigned char *e = memchr(x->p, '\n', (size_t)(x->end - x->p));

	x->p = e ? e : x->end;
	lex_note_comment(x, from, x->p);
}

static void lex_block_comment(struct lex *x)
{
	const unsigned char *from = x->p + 2, *p = from;
	uint32_t deep = 1;

	while (p < x->end && deep > 0) {
		const unsigned char *s = memchr(p, '/', (size_t)(x->end - p));
		if (!s) {
			p = x->end;
			break;
		}
		if (s > p && s[-1] == '*') {
			deep--;
			p = s + 1;
		} else if (s + 1 < x->end && s[1] == '*') {
			deep++;
			p = s + 2;
		} else {
			p = s + 1;
		}
		if (deep > x->out->comment_depth)
			x->out->comment_depth = deep;
	}
	if (!x->out->comment_depth)
		x->out->comment_depth = 1;
	if (deep > 0)
		x->out->traits |= SQL_IS_TRUNCATED;
	x->p = p;
	lex_note_comment(x, from, deep > 0 ? p : p - 2);
}

/* --- operators and punctuation --------------------------------------------------- */

static inline bool is_op(unsigned char c)
{
	static const bool op[256] = {['+'] = true,
		['-'] = true,
		['*'] = true,
		['/'] = true,
		['<'] = true,
		['>'] = true,
		['='] = true,
		['~'] = true,
		['!'] = true,
		['@'] = true,
		['#'] = true,
		['%'] = true,
		['^'] = true,
		['&'] = true,
		['|'] = true,
		['`'] = true,
		['?'] = true};
	return op[c];
}

/* Placeholders of drivers and templates: ?, %s, %(name)s. */
static bool lex_foreign_placeholder(struct lex *x)
{
	const unsigned char *p = x->p;
	size_t left = (size_t)(x->end - p);

	if (!lex_wants_operand(x))
		return false;
	if (*p == '?' && (left == 1 || !is_op(p[1]))) {
		x->p++;
	} else if (*p == '%' && left > 1 && p[1] == 's' && (left == 2 || !is_name(p[2]))) {
		x->p += 2;
	} else if (*p == '%' && left > 3 && p[1] == '(') {
		const unsigned char *e = memchr(p, ')', left < 80 ? left : 80);
		if (!e || e + 1 >= x->end || e[1] != 's')
			return false;
		x->p = e + 2;
	} else {
		return false;
	}
	x->out->traits |= SQL_HAS_PLACEHOLDER;
	lex_placeholder(x);
	return true;
}

/* `%s` and `%(name)s` behind an operator: `a=%s`. */
static bool lex_is_template(const struct lex *x, const unsigned char *p)
{
	size_t left = (size_t)(x->end - p);

	return *p == '%' && left > 1 &&
	       ((p[1] == 's' && (left == 2 || !is_name(p[2]))) || p[1] == '(');
}

static void lex_operator(struct lex *x)
{
	const unsigned char *from = x->p, *p = from;
	bool special = false;

	if (lex_foreign_placeholder(x))
		return;
	while (p < x->end && is_op(*p) && !(p[0] == '-' && p + 1 < x->end && p[1] == '-') &&
		!(p[0] == '/' && p + 1 < x->end && p[1] == '*')) {
		if (p > from && ((*p == '?' && strchr("=<>", p[-1])) || lex_is_template(x, p)))
			break;
		special |= *p != '+' && *p != '-' && *p != '*' && *p != '/' && *p != '<' &&
			   *p != '>' && *p != '=';
		p++;
	}
	while (!special && p > from + 1 && (p[-1] == '-' || p[-1] == '+'))
		p--;
	size_t n = (size_t)(p - from);
	if (n == 1 && *from == '-' && lex_wants_operand(x) && p < x->end &&
		(is_digit(*p) || (*p == '.' && p + 1 < x->end && is_digit(p[1])))) {
		x->p = p;
		lex_digits(x, from); /* a sign is part of the number */
		return;
	}
	x->p = p;
	lex_end_rows(x);
	if (n == 1 && *from == '*' && x->prev != T_LIT && x->prev != T_CLOSE)
		x->out->traits |= SQL_HAS_STAR;
	x->out->chain++;
	if (!(n == 1 && *from == '*' && x->prev == T_DOT))
		lex_space(x);
	lex_put(x, (const char *)from, n);
	lex_token(x, T_OP);
	if (n >= 2 && from[n - 1] == '>' && (from[0] == '-' || from[0] == '#'))
		x->note = NOTE_JSON_KEY;
	else if (from[0] == '~' || (n > 1 && from[0] == '!' && from[1] == '~'))
		x->note = NOTE_REGEX;
}

static void lex_colon(struct lex *x)
{
	const unsigned char *p = x->p;
	size_t left = (size_t)(x->end - p);

	if (left > 1 && p[1] == ':') {
		x->p += 2;
		x->out->chain++;
		lex_put(x, "::", 2);
		lex_token(x, T_CAST);
		return;
	}
	if (left > 1 && is_name_start(p[1]) && lex_wants_operand(x)) {
		for (x->p++; x->p < x->end && is_name(*x->p);)
			x->p++;
		x->out->traits |= SQL_HAS_PLACEHOLDER;
		lex_placeholder(x);
		return;
	}
	if (left > 1 && (p[1] == '\'' || p[1] == '"') && lex_wants_operand(x))
		x->out->traits |= SQL_HAS_PLACEHOLDER; /* psql's :'name' */
	size_t n = left > 1 && p[1] == '=' ? 2 : 1;
	x->p += n;
	lex_space(x);
	lex_put(x, (const char *)p, n);
	lex_token(x, T_OP);
}

static void lex_semicolon(struct lex *x)
{
	x->p++;
	lex_end_rows(x);
	if (x->prev == T_START)
		return;
	lex_put1(x, ';');
	lex_put1(x, ' ');
	x->depth = 0;
	memset(&x->level[0], 0, sizeof(x->level[0]));
	x->names = false;
	lex_token(x, T_START);
}

static void lex_dot(struct lex *x)
{
	if (x->p + 1 < x->end && is_digit(x->p[1]) && x->prev != T_WORD && x->prev != T_CLOSE) {
		lex_digits(x, x->p);
		return;
	}
	x->p++;
	lex_put1(x, '.');
	lex_token(x, T_DOT);
}

/* Bytes no token of SQL begins with: kept, so that garbage has a shape too. */
static void lex_other(struct lex *x)
{
	unsigned char c = *x->p++;

	if (c == 0)
		x->out->traits |= SQL_HAS_NUL;
	lex_space(x);
	lex_put1(x, c < 0x20 || c == 0x7f ? '.' : (char)c);
	lex_token(x, T_OP);
}

/* A statement that begins with neither a word nor a parenthesis: garbage, or a fragment. */
static inline void lex_wordless(struct lex *x)
{
	if (x->prev == T_START) {
		lex_verb(x, "", 0);
		x->prev = T_OPEN;
	}
}

static void lex_parenthesis(struct lex *x, unsigned char c)
{
	x->p++;
	if (c == ')' || c == ']')
		lex_close(x, (char)c);
	else if (x->prev == T_START) /* (SELECT …) UNION …: the verb is inside */
		lex_put1(x, (char)c);
	else
		lex_open(x, (char)c);
}

static bool lex_comment(struct lex *x, unsigned char c)
{
	if (x->p + 1 >= x->end)
		return false;
	if (c == '-' && x->p[1] == '-')
		lex_line_comment(x);
	else if (c == '/' && x->p[1] == '*')
		lex_block_comment(x);
	else
		return false;
	return true;
}

static void lex_symbol(struct lex *x, unsigned char c)
{
	if (c == ',')
		lex_comma(x);
	else if (c == '.')
		lex_dot(x);
	else if (c == '(' || c == ')' || c == '[' || c == ']')
		lex_parenthesis(x, c);
	else if (c == ':')
		lex_colon(x);
	else if (c == ';')
		lex_semicolon(x);
	else if (c == '"')
		lex_quoted_name(x, x->p);
	else if (c == '$')
		lex_dollar(x);
	else
		lex_other(x);
}

static inline void lex_next(struct lex *x)
{
	unsigned char c = *x->p;

	if (is_name_start(c)) {
		lex_word_or_prefix(x);
		return;
	}
	if (is_op(c)) {
		if (!lex_comment(x, c)) {
			lex_wordless(x);
			lex_operator(x);
		}
		return;
	}
	if (c != ';' && c != '(' && c != '"')
		lex_wordless(x);
	if (is_digit(c))
		lex_digits(x, x->p);
	else if (c == '\'')
		lex_string(x, x->p, false);
	else
		lex_symbol(x, c);
}

static void lex_finish(struct lex *x)
{
	uint32_t n = 0;

	lex_end_rows(x);
	if (x->depth > 0)
		x->out->traits |= SQL_IS_TRUNCATED;
	while (x->used > 0 && (x->w[x->used - 1] == ' ' || x->w[x->used - 1] == ';'))
		x->used--;
	if (x->normlen < x->normcap) {
		size_t room = x->normcap - x->normlen, take = x->used < room ? x->used : room;
		memcpy(x->norm + x->normlen, x->w, take);
		x->normlen += take;
	}
	for (; n + BLOCK <= x->used; n += BLOCK)
		x->hash = sql_hash_bytes(x->w + n, BLOCK, x->hash);
	x->hash = sql_hash_bytes(x->w + n, x->used - n, x->hash ^ x->extra);
	x->out->hash = x->hash ? x->hash : 1;
}

size_t sql_lex_places(const char *text, size_t len, struct sql_shape *out, char *norm,
	size_t normcap, struct sql_place *lit, size_t litcap, size_t *nlit)
{
	struct lex x;

	memset(&x, 0, offsetof(struct lex, level) + sizeof(struct level));
	memset(out, 0, sizeof(*out));
	out->limit = out->offset = SQL_ABSENT;
	x.text = x.p = (const unsigned char *)text;
	x.end = x.p + len;
	x.out = out;
	x.norm = norm;
	x.normcap = norm ? normcap : 0;
	x.lit = lit;
	x.litcap = lit ? litcap : 0;
	x.limit_depth = x.offset_depth = UINT32_MAX;
	while (x.p < x.end) {
		unsigned char c = *x.p;
		if (c == ' ' || (c >= '\t' && c <= '\r'))
			x.p++;
		else
			lex_next(&x);
	}
	lex_finish(&x);
	if (nlit)
		*nlit = x.nlit;
	return x.normlen;
}

size_t sql_lex(const char *text, size_t len, struct sql_shape *out, char *norm, size_t normcap)
{
	return sql_lex_places(text, len, out, norm, normcap, NULL, 0, NULL);
}
