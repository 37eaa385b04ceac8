/* SPDX-License-Identifier: ISC
 *
 * sql_lex_fold: the window that tokens are written to, and the lists and rows that are folded
 * in it (sql_lex_own.h says how).
 */
#include "sql_lex_own.h"

static void lex_drop_folds(struct lex *x)
{
	for (unsigned i = 0; i < LEVELS && i <= x->depth; i++) {
		x->level[i].fold = FOLD_NONE;
		x->level[i].in_values = false;
		x->level[i].prev_end = x->level[i].row_end = 0;
	}
}

static uint32_t lex_hold(const struct lex *x)
{
	uint32_t hold = x->used;

	for (unsigned i = 0; i < LEVELS && i <= x->depth; i++) {
		const struct level *l = &x->level[i];
		if (l->in_values && l->row_end && l->row < hold)
			hold = l->row;
		if (l->fold) {
			uint32_t from = l->prev_end ? l->prev : l->elem;
			if (from < hold)
				hold = from;
		}
	}
	return hold;
}

static void lex_shift(struct lex *x, uint32_t n)
{
	if (x->normlen < x->normcap) {
		size_t room = x->normcap - x->normlen, take = n < room ? n : room;
		memcpy(x->norm + x->normlen, x->w, take);
		x->normlen += take;
	}
	memmove(x->w, x->w + n, x->used - n);
	x->used -= n;
	for (unsigned i = 0; i < LEVELS && i <= x->depth; i++) {
		struct level *l = &x->level[i];
		l->elem -= n;
		l->prev -= n;
		l->prev_end -= l->prev_end ? n : 0;
		l->row -= n;
		l->row_end -= l->row_end ? n : 0;
	}
}

/* Makes room: hashes whole blocks that can no longer be undone. */
void lex_flush(struct lex *x)
{
	uint32_t hold = lex_hold(x), n = 0;

	if (hold < BLOCK) {
		lex_drop_folds(x);
		hold = x->used;
	}
	for (; n + BLOCK <= hold; n += BLOCK)
		x->hash = sql_hash_bytes(x->w + n, BLOCK, x->hash);
	lex_shift(x, n);
}

void lex_put_in_parts(struct lex *x, const char *s, size_t n)
{
	while (n > 0) {
		if (x->used >= WINDOW)
			lex_flush(x);
		size_t room = WINDOW - x->used, take = n < room ? n : room;
		memcpy(x->w + x->used, s, take);
		x->used += (uint32_t)take;
		s += take;
		n -= take;
	}
}

void lex_end_open_rows(struct lex *x)
{
	struct level *l = lex_level(x);

	if (l && l->in_values && l->row_end) {
		if (l->row_folded)
			lex_put(x, ", ...", 5);
		l->in_values = false;
		l->row_end = 0;
		if (x->prev == T_COMMA)
			x->prev = T_CLOSE;
	}
}

/* --- lists ------------------------------------------------------------------------------ */

void lex_open(struct lex *x, char c)
{
	struct level *l = lex_level(x);
	enum fold fold = FOLD_NONE;
	enum kw key = x->key;

	if (c == '(' && l && l->in_values && (key == KW_VALUES || x->prev == T_COMMA))
		fold = FOLD_ROW;
	else if (l)
		lex_end_rows(x);
	if (c == '(' && key == KW_IN)
		fold = FOLD_LIST;
	if (c == '[' && (key == KW_ARRAY || (l && l->fold == FOLD_LIST && x->prev != T_WORD)))
		fold = FOLD_LIST;
	if (key == KW_ANY)
		x->out->traits |= SQL_HAS_ANY;
	if (!(x->prev == T_WORD || (c == '[' && (x->prev == T_CLOSE || key == KW_ARRAY))))
		lex_space(x);
	uint32_t row = x->used;
	lex_put1(x, c);
	x->depth++;
	if (x->depth > x->out->depth)
		x->out->depth = x->depth;
	l = lex_level(x);
	if (l) {
		memset(l, 0, sizeof(*l));
		l->fold = fold;
		l->elem = fold == FOLD_ROW ? row : x->used;
	}
	lex_token(x, T_OPEN);
}

/* The current element of a list is complete: undo it when it repeats the one before. */
static void lex_fold(struct lex *x, struct level *l)
{
	uint32_t n = x->used - l->elem;

	l->count++;
	if (l->prev_end && l->prev_end - l->prev == n &&
		memcmp(x->w + l->prev, x->w + l->elem, n) == 0) {
		x->used = l->prev_end;
		return;
	}
	l->distinct++;
	l->prev = l->elem;
	l->prev_end = x->used;
}

static void lex_close_list(struct lex *x, struct level *l)
{
	lex_fold(x, l);
	if (l->count > x->out->longest_list)
		x->out->longest_list = l->count;
	if (l->distinct == 1 && l->prev_end - l->prev == 1 && x->w[l->prev] == '?') {
		x->used = l->prev;
		lex_put(x, "...", 3);
	}
}

void lex_close(struct lex *x, char c)
{
	struct level *l = lex_level(x);
	enum fold fold = FOLD_NONE;
	uint32_t row = 0;

	lex_end_rows(x);
	if (x->prev == T_COMMA && x->used > 0 && x->w[x->used - 1] == ' ')
		x->used--;
	if (l && l->fold == FOLD_LIST && x->prev != T_OPEN) {
		lex_close_list(x, l);
		if (c == ')')
			x->out->traits |= SQL_HAS_IN_LIST;
	}
	if (l && l->fold == FOLD_ROW) {
		fold = FOLD_ROW;
		row = l->elem;
	}
	lex_put1(x, c);
	if (l)
		l->fold = FOLD_NONE;
	x->depth -= x->depth > 0;
	l = lex_level(x);
	if (fold == FOLD_ROW && l && l->in_values) {
		uint32_t n = x->used - row;
		l->rows++;
		x->out->rows++;
		if (l->row_end && l->row_end - l->row == n &&
			memcmp(x->w + l->row, x->w + row, n) == 0) {
			x->used = l->row_end;
			l->row_folded = true;
		} else {
			l->row = row;
			l->row_end = x->used;
		}
	}
	lex_token(x, T_CLOSE);
}

void lex_comma(struct lex *x)
{
	struct level *l = lex_level(x);

	x->p++;
	if (l && l->in_values && l->row_end && x->prev == T_CLOSE) {
		/* between rows; when the next token opens no row this was no row list */
		lex_put(x, ", ", 2);
		lex_token(x, T_COMMA);
		return;
	}
	if (l && l->fold == FOLD_LIST)
		lex_fold(x, l);
	lex_put(x, ", ", 2);
	l = lex_level(x);
	if (l && l->fold == FOLD_LIST)
		l->elem = x->used;
	lex_token(x, T_COMMA);
}
