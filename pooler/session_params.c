/* SPDX-License-Identifier: ISC
 *
 * Session parameters as shared, immutable sets: see session_params.h.  The relay's table makes
 * equal sets one object.
 */
#include "session.h"
#include "wire_text.h"

#include <strings.h>

/* Reported by the server, but nobody can set them. */
static const char *const fixed[] = {"server_version", "server_encoding", "integer_datetimes",
	"is_superuser", "session_authorization", "in_hot_standby"};

bool param_is_settable(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(fixed); i++)
		if (strcasecmp(name, fixed[i]) == 0)
			return false;
	return true;
}

static uint32_t hash_text(uint32_t h, const char *s)
{
	for (; *s; s++)
		h = (h ^ (uint8_t)*s) * 16777619u;
	return (h ^ 0xff) * 16777619u;
}

static bool same(const struct params *p, const struct param *item, size_t n)
{
	if (p->count != n)
		return false;
	for (size_t i = 0; i < n; i++)
		if (p->item[i].hash != item[i].hash || strcmp(p->item[i].name, item[i].name) ||
			strcmp(p->item[i].value, item[i].value) ||
			p->item[i].reported != item[i].reported)
			return false;
	return true;
}

static uint64_t meaning_of(const struct params *p)
{
	struct buf b = {0};
	uint64_t hash;

	for (size_t i = 0; i < p->count; i++)
		if (wire_text_is_read_under(p->item[i].name)) {
			buf_put_cstr(&b, p->item[i].name);
			buf_put_cstr(&b, p->item[i].value);
		}
	hash = hash_keyed(b.data, b.len);
	buf_free(&b);
	return hash;
}

static void grow(struct param_table *t)
{
	size_t size = t->size ? t->size * 2 : 64;
	struct params **slot = mem_zalloc(size * sizeof(struct params *));

	for (size_t i = 0; i < t->size; i++) {
		struct params *p = t->slot[i], *next;

		for (; p; p = next) {
			next = p->next;
			p->next = slot[p->hash & (size - 1)];
			slot[p->hash & (size - 1)] = p;
		}
	}
	free(t->slot);
	t->slot = slot;
	t->size = size;
}

/* The set of these items, new or shared; the caller owns one reference. */
static struct params *intern(struct param_table *t, const struct param *item, size_t n)
{
	uint32_t hash = 0;
	size_t bytes = 0;
	struct params *p;
	char *text;

	for (size_t i = 0; i < n; i++)
		hash += item[i].hash;
	if (t->count >= t->size)
		grow(t);
	for (p = t->slot[hash & (t->size - 1)]; p; p = p->next)
		if (p->hash == hash && same(p, item, n))
			return params_ref(p);
	for (size_t i = 0; i < n; i++)
		bytes += strlen(item[i].name) + strlen(item[i].value) + 2;
	p = mem_alloc(sizeof *p + n * sizeof *item + bytes);
	memset(&p->greeting, 0, sizeof p->greeting);
	p->refs = 1;
	p->hash = hash;
	p->count = n;
	text = (char *)(p->item + n);
	for (size_t i = 0; i < n; i++) {
		size_t name = strlen(item[i].name) + 1, value = strlen(item[i].value) + 1;

		p->item[i].name = memcpy(text, item[i].name, name);
		p->item[i].value = memcpy(text + name, item[i].value, value);
		p->item[i].hash = item[i].hash;
		p->item[i].reported = item[i].reported;
		text += name + value;
	}
	p->meaning = meaning_of(p);
	p->next = t->slot[hash & (t->size - 1)];
	t->slot[hash & (t->size - 1)] = p;
	t->count++;
	return p;
}

struct params *params_empty(struct param_table *t)
{
	return intern(t, NULL, 0);
}

struct params *params_ref(struct params *p)
{
	p->refs++;
	return p;
}

void params_drop(struct param_table *t, struct params **pp)
{
	struct params *p = *pp, **at;

	*pp = NULL;
	if (!p || --p->refs > 0)
		return;
	for (at = &t->slot[p->hash & (t->size - 1)]; *at != p; at = &(*at)->next)
		;
	*at = p->next;
	t->count--;
	buf_free(&p->greeting);
	free(p);
}

static const struct param *find(const struct params *p, const char *name)
{
	for (size_t i = 0; i < p->count; i++)
		if (strcasecmp(p->item[i].name, name) == 0)
			return &p->item[i];
	return NULL;
}

size_t params_bytes(const struct params *p)
{
	size_t bytes = 0;

	for (size_t i = 0; i < p->count; i++)
		bytes += strlen(p->item[i].name) + strlen(p->item[i].value) + 2;
	return bytes;
}

const char *params_value(const struct params *p, const char *name)
{
	const struct param *item = p ? find(p, name) : NULL;

	return item ? item->value : NULL;
}

static struct param made_item(const char *name, const char *value, bool reported)
{
	struct param item = {.name = name, .value = value, .reported = reported};

	item.hash = hash_text(hash_text(2166136261u, name), value);
	return item;
}

struct params *params_with(struct param_table *t, struct params *p, const char *name,
	const char *value, bool reported)
{
	const struct param *old = find(p, name);
	struct params *made;
	struct param *item;
	size_t n = 0;

	if (old && strcmp(old->value, value) == 0 && (old->reported || !reported))
		return p;
	item = mem_alloc((p->count + 1) * sizeof *item);
	for (size_t i = 0; i < p->count; i++) {
		if (!old && n == i && strcasecmp(name, p->item[i].name) < 0)
			item[n++] = made_item(name, value, reported);
		if (&p->item[i] == old)
			item[n++] = made_item(old->name, value, old->reported || reported);
		else
			item[n++] = p->item[i];
	}
	if (!old && n == p->count)
		item[n++] = made_item(name, value, reported);
	made = intern(t, item, n);
	free(item);
	params_drop(t, &p);
	return made;
}

static void put_literal(struct buf *b, const char *s)
{
	/* E'' whatever standard_conforming_strings says */
	buf_put_str(b, "E'");
	for (; *s; s++) {
		if (*s == '\'' || *s == '\\')
			buf_put_u8(b, (uint8_t)*s);
		buf_put_u8(b, (uint8_t)*s);
	}
	buf_put_u8(b, '\'');
}

static void put_identifier(struct buf *b, const char *s)
{
	/* "a.b" is two names for a custom parameter */
	buf_put_u8(b, '"');
	for (; *s; s++) {
		if (*s == '.') {
			buf_put_str(b, "\".\"");
			continue;
		}
		if (*s == '"')
			buf_put_u8(b, '"');
		buf_put_u8(b, (uint8_t)*s);
	}
	buf_put_u8(b, '"');
}

static void put_set(struct buf *sql, const char *name, const char *value)
{
	/* set_config takes every kind of value as it was reported, also lists */
	buf_put_str(sql, "SELECT pg_catalog.set_config(");
	put_literal(sql, name);
	buf_put_u8(sql, ',');
	put_literal(sql, value);
	buf_put_str(sql, ",false);");
}

/* Who the session speaks for: decides what else it may set. */
#define ROLE "role"

static bool is_who(const char *name)
{
	return strcasecmp(name, PARAM_WHO) == 0 || strcasecmp(name, ROLE) == 0;
}

static bool differ(const char *a, const char *b)
{
	return a != b && (!a || !b || strcmp(a, b) != 0);
}

/* What turns `from` into `to`, but for who it speaks for. */
static void put_settings(struct buf *sql, const struct params *from, const struct params *to,
	bool anew)
{
	if (anew)
		buf_put_str(sql, "RESET ALL;");
	for (size_t i = 0; i < from->count && !anew; i++) {
		const struct param *f = &from->item[i];

		if (f->reported || is_who(f->name) || find(to, f->name))
			continue;
		buf_put_str(sql, "RESET ");
		put_identifier(sql, f->name);
		buf_put_u8(sql, ';');
	}
	for (size_t i = 0; i < to->count; i++) {
		const struct param *want = &to->item[i];

		if (!is_who(want->name) && param_is_settable(want->name) &&
			(anew || differ(want->value, params_value(from, want->name))))
			put_set(sql, want->name, want->value);
	}
}

bool params_put_change(struct buf *sql, const struct params *from, const struct params *to,
	const char *who, bool anew)
{
	const char *was = params_value(from, ROLE), *is = params_value(to, ROLE);
	bool other = who && differ(params_value(from, PARAM_WHO), who);
	struct buf settings = {0};
	bool back;

	put_settings(&settings, from, to, anew);
	/* first as the one who logged in, who may set what the roles between may not */
	back = was && (other || settings.len || differ(was, is));
	if (back)
		buf_put_str(sql, "RESET ROLE;");
	if (other)
		buf_put_str(sql, "RESET SESSION AUTHORIZATION;");
	buf_put(sql, settings.data, settings.len);
	if (other)
		put_set(sql, PARAM_WHO, who);
	if (is && (back || !was))
		put_set(sql, ROLE, is);
	other = other || back || settings.len || (is && !was);
	buf_free(&settings);
	return other;
}

const struct buf *params_greeting(struct params *p)
{
	if (!p->greeting.len)
		for (size_t i = 0; i < p->count; i++)
			if (p->item[i].reported)
				wire_put_parameter(&p->greeting, p->item[i].name, p->item[i].value);
	return &p->greeting;
}
