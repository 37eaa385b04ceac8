/* SPDX-License-Identifier: ISC
 *
 * EXPLAIN's XML -> JSON values.  The subset PostgreSQL writes: elements and text, no attributes
 * that matter, no CDATA.  An element becomes
 *	a string	when it holds no elements
 *	an array	when it is named for many (<Plans><Plan/>…) or holds <Item>s
 *	an object	otherwise, its members' names as they stand ("Node-Type")
 * An <explain> becomes an array of its queries.
 */
#include "plan.h"

#include <jansson.h>

#define MAX_DEPTH 2000

struct xml {
	struct arena a;
	struct str s; /* what is left */
	struct err *why;
};

struct tag {
	struct str name;
	bool is_end, is_empty;
};

/* The next tag that is no comment or declaration; what stands before it goes to *text. */
static bool next_tag(struct xml *x, struct tag *tag, struct text *text)
{
	for (;;) {
		size_t lt = str_find(x->s, "<"), gt;

		if (text)
			text_str(text, str_before(x->s, lt));
		x->s = str_skip(x->s, lt);
		gt = str_find(x->s, ">");
		if (gt == x->s.n)
			return err_set(x->why, "the XML ends too early");
		*tag = (struct tag){.name = (struct str){x->s.p + 1, gt - 1}};
		x->s = str_skip(x->s, gt + 1);
		if (tag->name.n == 0 || tag->name.p[0] == '!' || tag->name.p[0] == '?')
			continue;
		if (tag->name.p[0] == '/') {
			tag->is_end = true;
			tag->name = str_skip(tag->name, 1);
		} else if (str_ends(tag->name, "/")) {
			tag->is_empty = true;
			tag->name.n--;
		}
		for (size_t i = 0; i < tag->name.n; i++)
			if (strchr(" \t\r\n", tag->name.p[i]))
				tag->name.n = i;
		return true;
	}
}

static struct str decoded(struct xml *x, struct str s)
{
	static const struct {
		const char *entity;
		char is;
	} entities[] = {{"&lt;", '<'}, {"&gt;", '>'}, {"&amp;", '&'}, {"&quot;", '"'},
		{"&apos;", '\''}, {"&#x0d;", '\r'}, {"&#39;", '\''}};
	char *out = arena_alloc(&x->a, s.n + 1);
	size_t n = 0;

	while (s.n) {
		size_t used = 1;

		out[n] = s.p[0];
		for (size_t i = 0; s.p[0] == '&' && i < ARRAY_LEN(entities); i++)
			if (str_starts(s, entities[i].entity)) {
				out[n] = entities[i].is;
				used = strlen(entities[i].entity);
			}
		n++;
		s = str_skip(s, used);
	}
	return (struct str){out, n};
}

/* <Plans> holds <Plan>s, <Sort-Key> holds <Item>s */
static bool is_many(struct str of, struct str item)
{
	return str_is(item, "Item") || str_is(of, "explain") ||
	       (of.n == item.n + 1 && of.p[of.n - 1] == 's' &&
		       str_eq(str_before(of, item.n), item));
}

static bool has_memory_method(json_t *methods)
{
	size_t i;
	json_t *m;

	json_array_foreach(methods, i,
		m) if (json_is_string(m) &&
		       strncmp(json_string_value(m), "external", 8) != 0) return true;
	return false;
}

/* A tag's name as JSON's key: blanks for dashes.  XML names the two groups of an incremental
 * sort, and memory and disk in them, by the same tag each: the first is the full sort, and memory
 * comes before disk. */
static const char *key_of(struct xml *x, json_t *within, struct str tag)
{
	char *key = arena_cstr(&x->a, utf8_clean(&x->a, tag));

	if (strcmp(key, "Incremental-Sort-Groups") == 0)
		return json_object_get(within, "Full-sort Groups") ? "Pre-sorted Groups"
								   : "Full-sort Groups";
	if (strcmp(key, "Sort-Space") == 0)
		return !json_object_get(within, "Sort Space Memory") &&
				       has_memory_method(json_object_get(within,
					       "Sort Methods Used"))
			       ? "Sort Space Memory"
			       : "Sort Space Disk";
	for (char *c = key; *c; c++)
		if (*c == '-')
			*c = ' ';
	return key;
}

static json_t *element(struct xml *x, struct str name, int depth)
{
	struct text text = {0};
	struct tag tag;
	json_t *v = NULL;

	if (depth > MAX_DEPTH) {
		err_set(x->why, "the XML is nested too deep");
		return NULL;
	}
	for (;;) {
		json_t *inner;

		if (!next_tag(x, &tag, &text))
			goto fail;
		if (tag.is_end)
			break;
		if (v == NULL)
			v = is_many(name, tag.name) ? json_array() : json_object();
		inner = tag.is_empty ? json_string("") : element(x, tag.name, depth + 1);
		if (inner == NULL)
			goto fail;
		if (json_is_array(v))
			js_add(v, inner);
		else
			js_set(v, key_of(x, v, tag.name), inner);
	}
	if (!str_eq(tag.name, name)) {
		err_set(x->why, "the XML closes %.*s where %.*s is open", STR_ARGS(tag.name),
			STR_ARGS(name));
		goto fail;
	}
	if (v == NULL)
		v = js_str(decoded(x, text_slice(&text)));
	text_release(&text);
	return v;
fail:
	text_release(&text);
	json_decref(v);
	return NULL;
}

json_t *plan_xml_read(struct str text, size_t *used, struct err *why)
{
	struct xml x = {.s = text, .why = why};
	struct tag tag;
	json_t *v = NULL;

	*used = text.n;
	if (next_tag(&x, &tag, NULL) && !tag.is_end && !tag.is_empty)
		v = element(&x, tag.name, 0);
	if (v)
		*used = text.n - x.s.n;
	arena_release(&x.a);
	return v;
}
