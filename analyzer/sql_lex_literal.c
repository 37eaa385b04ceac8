/* SPDX-License-Identifier: ISC
 *
 * sql_lex_literal: what a statement loses: strings, numbers, parameters and placeholders.
 */
#include "sql_lex_own.h"

/* A name's byte in lower case; 0: no name goes on here. */
/* clang-format off */
const unsigned char sql_lower[256] = {
	['$'] = '$', ['_'] = '_', ['0'] = '0', ['1'] = '1', ['2'] = '2', ['3'] = '3', ['4'] = '4',
	['5'] = '5', ['6'] = '6', ['7'] = '7', ['8'] = '8', ['9'] = '9', ['a'] = 'a', ['b'] = 'b',
	['c'] = 'c', ['d'] = 'd', ['e'] = 'e', ['f'] = 'f', ['g'] = 'g', ['h'] = 'h', ['i'] = 'i',
	['j'] = 'j', ['k'] = 'k', ['l'] = 'l', ['m'] = 'm', ['n'] = 'n', ['o'] = 'o', ['p'] = 'p',
	['q'] = 'q', ['r'] = 'r', ['s'] = 's', ['t'] = 't', ['u'] = 'u', ['v'] = 'v', ['w'] = 'w',
	['x'] = 'x', ['y'] = 'y', ['z'] = 'z', ['A'] = 'a', ['B'] = 'b', ['C'] = 'c', ['D'] = 'd',
	['E'] = 'e', ['F'] = 'f', ['G'] = 'g', ['H'] = 'h', ['I'] = 'i', ['J'] = 'j', ['K'] = 'k',
	['L'] = 'l', ['M'] = 'm', ['N'] = 'n', ['O'] = 'o', ['P'] = 'p', ['Q'] = 'q', ['R'] = 'r',
	['S'] = 's', ['T'] = 't', ['U'] = 'u', ['V'] = 'v', ['W'] = 'w', ['X'] = 'x', ['Y'] = 'y',
	['Z'] = 'z', [128] = 128, [129] = 129, [130] = 130, [131] = 131, [132] = 132, [133] = 133,
	[134] = 134, [135] = 135, [136] = 136, [137] = 137, [138] = 138, [139] = 139, [140] = 140,
	[141] = 141, [142] = 142, [143] = 143, [144] = 144, [145] = 145, [146] = 146, [147] = 147,
	[148] = 148, [149] = 149, [150] = 150, [151] = 151, [152] = 152, [153] = 153, [154] = 154,
	[155] = 155, [156] = 156, [157] = 157, [158] = 158, [159] = 159, [160] = 160, [161] = 161,
	[162] = 162, [163] = 163, [164] = 164, [165] = 165, [166] = 166, [167] = 167, [168] = 168,
	[169] = 169, [170] = 170, [171] = 171, [172] = 172, [173] = 173, [174] = 174, [175] = 175,
	[176] = 176, [177] = 177, [178] = 178, [179] = 179, [180] = 180, [181] = 181, [182] = 182,
	[183] = 183, [184] = 184, [185] = 185, [186] = 186, [187] = 187, [188] = 188, [189] = 189,
	[190] = 190, [191] = 191, [192] = 192, [193] = 193, [194] = 194, [195] = 195, [196] = 196,
	[197] = 197, [198] = 198, [199] = 199, [200] = 200, [201] = 201, [202] = 202, [203] = 203,
	[204] = 204, [205] = 205, [206] = 206, [207] = 207, [208] = 208, [209] = 209, [210] = 210,
	[211] = 211, [212] = 212, [213] = 213, [214] = 214, [215] = 215, [216] = 216, [217] = 217,
	[218] = 218, [219] = 219, [220] = 220, [221] = 221, [222] = 222, [223] = 223, [224] = 224,
	[225] = 225, [226] = 226, [227] = 227, [228] = 228, [229] = 229, [230] = 230, [231] = 231,
	[232] = 232, [233] = 233, [234] = 234, [235] = 235, [236] = 236, [237] = 237, [238] = 238,
	[239] = 239, [240] = 240, [241] = 241, [242] = 242, [243] = 243, [244] = 244, [245] = 245,
	[246] = 246, [247] = 247, [248] = 248, [249] = 249, [250] = 250, [251] = 251, [252] = 252,
	[253] = 253, [254] = 254, [255] = 255,
};
/* clang-format on */

void lex_note_limit(struct lex *x, int64_t v, uint32_t literal)
{
	if (x->key == KW_LIMIT && x->depth <= x->limit_depth) {
		x->out->limit = v;
		x->out->limit_lit = literal;
		x->limit_depth = x->depth;
	} else if (x->key == KW_OFFSET && x->depth <= x->offset_depth) {
		x->out->offset = v;
		x->out->offset_lit = literal;
		x->offset_depth = x->depth;
	}
}

int64_t lex_number(const unsigned char *p, size_t n)
{
	int64_t v = 0;

	for (size_t i = 0; i < n; i++) {
		if (p[i] < '0' || p[i] > '9' || v > INT64_MAX / 10 - 10)
			return SQL_EXPR;
		v = v * 10 + (p[i] - '0');
	}
	return v;
}

enum pattern lex_like_pattern(const unsigned char *body, size_t n)
{
	if (n > 0 && (body[0] == '%' || body[0] == '_'))
		return PATTERN_OPEN;
	return memchr(body, '%', n) || memchr(body, '_', n) ? PATTERN_ANCHORED : PATTERN_NONE;
}

enum pattern lex_regex_pattern(const unsigned char *body, size_t n)
{
	return n > 0 && body[0] == '^' ? PATTERN_ANCHORED : PATTERN_OPEN;
}

/* The text a literal leaves: `?`, or its wildcard class where a pattern is expected. */
static void lex_put_literal(struct lex *x, const unsigned char *body, size_t n, bool string)
{
	static const char *const like[] = {
		[PATTERN_NONE] = "'?'", [PATTERN_OPEN] = "'%?'", [PATTERN_ANCHORED] = "'?%'"};

	if (string && (x->key == KW_LIKE || x->note & NOTE_REGEX))
		x->out->telling = lex_mix_telling(x->out->telling, x->out->literals);
	if (string && x->key == KW_LIKE) {
		enum pattern c = lex_like_pattern(body, n);
		lex_put(x, like[c], strlen(like[c]));
	} else if (string && (x->note & NOTE_REGEX) &&
		   lex_regex_pattern(body, n) == PATTERN_ANCHORED) {
		lex_put(x, "'^?'", 4);
	} else {
		lex_put1(x, '?');
	}
}

void lex_literal(struct lex *x, const unsigned char *from, const unsigned char *body, size_t n,
	bool string)
{
	if (string && (x->note & NOTE_STRING)) { /* 'a' newline 'b' is one literal */
		x->out->lit_hash ^= sql_hash_bytes(body, n, x->out->literals + 1);
		if (x->nlit > 0)
			x->lit[x->nlit - 1].len =
				(uint32_t)(x->p - x->text) - x->lit[x->nlit - 1].off;
		return;
	}
	lex_end_rows(x);
	x->out->literals++;
	x->out->lit_hash = lex_mix_literal(x->out->lit_hash, body, n, x->out->literals);
	if (x->nlit < x->litcap)
		x->lit[x->nlit++] =
			(struct sql_place){(uint32_t)(from - x->text), (uint32_t)(x->p - from)};
	if (x->note & NOTE_JSON_KEY) {
		x->out->telling = lex_mix_telling(x->out->telling, x->out->literals);
		x->extra = mum(x->extra ^ sql_hash_bytes(body, n, 7), 0xd6e8feb86659fd93ULL);
	}
	if (x->key == KW_PASSWORD)
		x->out->traits |= SQL_HAS_PASSWORD;
	if (string)
		lex_note_limit(x, SQL_EXPR, 0);
	else
		lex_note_limit(x, lex_number(body, n), x->out->literals);
	lex_space(x);
	lex_put_literal(x, body, n, string);
	lex_token(x, T_LIT);
	x->note = string ? NOTE_STRING : 0;
}

/* A quoted run from x->p (behind the opening quote): to behind the closing one. */
size_t lex_quoted(struct lex *x, unsigned char q, bool backslash)
{
	const unsigned char *body = x->p;

	for (;;) {
		const unsigned char *e = memchr(x->p, q, (size_t)(x->end - x->p));
		if (backslash) {
			const unsigned char *stop = e ? e : x->end;
			const unsigned char *b = memchr(x->p, '\\', (size_t)(stop - x->p));
			if (b) {
				x->p = b + 2 < x->end ? b + 2 : x->end;
				continue;
			}
		}
		if (!e) {
			x->p = x->end;
			x->out->traits |= SQL_IS_TRUNCATED;
			return (size_t)(x->end - body);
		}
		x->p = e + 1;
		if (x->p >= x->end || *x->p != q)
			return (size_t)(e - body);
		x->p++;
	}
}

void lex_string(struct lex *x, const unsigned char *from, bool backslash)
{
	const unsigned char *body = ++x->p;
	size_t n = lex_quoted(x, '\'', backslash);

	lex_literal(x, from, body, n, true);
}

void lex_digits(struct lex *x, const unsigned char *from)
{
	const unsigned char *body = x->p;

	while (x->p < x->end) {
		unsigned char c = *x->p;
		if ((c == '+' || c == '-') && (x->p[-1] | 0x20) == 'e' && x->p > body + 1 &&
			(body[1] | 0x20) != 'x' && x->p + 1 < x->end && is_digit(x->p[1])) {
			x->p++;
			continue;
		}
		if (c == '.' && x->p + 1 < x->end && x->p[1] == '.')
			break;
		if (!is_digit(c) && c != '.' && !is_name_start(c))
			break;
		x->p++;
	}
	lex_literal(x, from, body, (size_t)(x->p - body), false);
}

void lex_placeholder(struct lex *x)
{
	lex_end_rows(x);
	lex_note_limit(x, SQL_PARAM, 0);
	lex_space(x);
	lex_put1(x, '?');
	lex_token(x, T_LIT);
}

/* `$1`, `$tag$ … $tag$`, or a lone dollar. */
void lex_dollar(struct lex *x)
{
	const unsigned char *from = x->p, *t = from + 1;
	uint32_t n = 0;

	if (t < x->end && is_digit(*t)) {
		for (; t < x->end && is_digit(*t); t++)
			n = n < 100000 ? n * 10 + (*t - '0') : n;
		x->p = t;
		if (n > x->out->params)
			x->out->params = n;
		lex_placeholder(x);
		return;
	}
	while (t < x->end && is_name(*t) && *t != '$')
		t++;
	if (t >= x->end || *t != '$') {
		x->p++;
		lex_space(x);
		lex_put1(x, '$');
		lex_token(x, T_OP);
		return;
	}
	size_t tag = (size_t)(t - from) + 1;
	const unsigned char *body = t + 1;
	const unsigned char *e = memmem(body, (size_t)(x->end - body), from, tag);
	if (!e) {
		x->out->traits |= SQL_IS_TRUNCATED;
		e = x->end;
		x->p = x->end;
	} else {
		x->p = e + tag;
	}
	x->note &= (unsigned char)~NOTE_STRING;
	lex_literal(x, from, body, (size_t)(e - body), true);
	x->note = 0;
}
