/* SPDX-License-Identifier: ISC
 *
 * EXPLAIN's YAML -> JSON values.  The subset PostgreSQL writes: mappings and lists by
 * indentation, plain numbers, strings quoted as JSON quotes them.
 */
#include "plan.h"

#include <jansson.h>

#define MAX_DEPTH 500

struct yaml {
	const struct plan_lines *l;
	size_t at;	 /* the next line */
	struct str rest; /* what is left of it behind "- "s already taken */
	size_t column;	 /* where rest begins */
	bool is_done;
};

static void look(struct yaml *y)
{
	while (y->at < y->l->line.n) {
		struct str s = y->l->line.at[y->at].text;
		struct str t = str_trim(s);

		if (t.n) {
			y->column = 0;
			while (y->column < s.n && s.p[y->column] == ' ')
				y->column++;
			y->rest = t;
			return;
		}
		y->at++;
	}
	y->is_done = true;
	y->rest = STR_NONE;
}

static void next(struct yaml *y)
{
	y->at++;
	look(y);
}

static json_t *scalar(struct str s)
{
	json_t *v;

	s = str_trim(s);
	if (s.n > 1 && (s.p[0] == '"' || s.p[0] == '[')) { /* PostgreSQL writes them as in JSON */
		v = json_loadb(s.p, s.n, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
		if (v)
			return v;
		s = (struct str){s.p + 1, s.n - (s.p[s.n - 1] == '"' ? 2 : 1)};
	}
	return js_str(s);
}

/* The colon that ends the key: the first that a blank or the end follows. */
static size_t key_end(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] == ':' && (i + 1 == s.n || s.p[i + 1] == ' '))
			return i;
	return s.n;
}

static bool is_item(struct str s)
{
	return str_starts(s, "- ") || str_is(s, "-");
}

static json_t *value(struct yaml *y, size_t column, int depth);

static json_t *list(struct yaml *y, size_t column, int depth)
{
	json_t *items = json_array();

	while (!y->is_done && y->column == column && is_item(y->rest)) {
		struct str inner = str_skip(y->rest, 1);
		size_t blanks = 1;

		while (inner.n && inner.p[0] == ' ') {
			inner = str_skip(inner, 1);
			blanks++;
		}
		if (inner.n == 0) {
			next(y);
			js_add(items,
				y->column > column ? value(y, y->column, depth + 1) : json_null());
			continue;
		}
		y->rest = inner;
		y->column = column + blanks;
		js_add(items, value(y, y->column, depth + 1));
	}
	return items;
}

static json_t *mapping(struct yaml *y, size_t column, int depth)
{
	json_t *object = json_object();

	while (!y->is_done && y->column == column && !is_item(y->rest)) {
		size_t colon = key_end(y->rest);
		struct arena a = {0};
		char *key;
		struct str v;

		if (colon == y->rest.n)
			break;
		v = str_before(y->rest, colon);
		if (v.n > 1 && v.p[0] == '"' && v.p[v.n - 1] == '"')
			v = (struct str){v.p + 1, v.n - 2};
		key = arena_cstr(&a, utf8_clean(&a, v));
		v = str_trim(str_skip(y->rest, colon + 1));
		if (v.n) {
			js_set(object, key, scalar(v));
			next(y);
		} else {
			next(y);
			if (!y->is_done &&
				(y->column > column || (y->column == column && is_item(y->rest))))
				js_set(object, key, value(y, y->column, depth + 1));
		}
		arena_release(&a);
	}
	return object;
}

static json_t *value(struct yaml *y, size_t column, int depth)
{
	json_t *v;

	if (depth < MAX_DEPTH) {
		if (is_item(y->rest))
			return list(y, column, depth);
		if (key_end(y->rest) < y->rest.n && y->rest.p[0] != '"' && y->rest.p[0] != '[')
			return mapping(y, column, depth);
	}
	v = scalar(y->rest);
	next(y);
	return v;
}

json_t *plan_yaml_read(const struct plan_lines *l, size_t *at, struct err *why)
{
	struct yaml y = {.l = l, .at = *at};
	json_t *v;

	look(&y);
	if (y.is_done) {
		err_set(why, "no YAML there");
		return NULL;
	}
	v = value(&y, y.column, 0);
	*at = y.at > *at ? y.at : *at + 1;
	return v;
}
