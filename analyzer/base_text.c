/* SPDX-License-Identifier: ISC
 *
 * base_text: slices, growable bytes, interned names, errors.
 */
#include "base.h"

#include "sql_lex.h"

bool str_is_nocase(struct str a, const char *s)
{
	return a.n == strlen(s) && (a.n == 0 || strncasecmp(a.p, s, a.n) == 0);
}

int str_cmp(struct str a, struct str b)
{
	size_t n = a.n < b.n ? a.n : b.n;
	int c = n ? memcmp(a.p, b.p, n) : 0;

	return c ? c : (a.n > b.n) - (a.n < b.n);
}

static bool is_blank(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

struct str str_trim(struct str a)
{
	while (a.n && is_blank(a.p[0])) {
		a.p++;
		a.n--;
	}
	while (a.n && is_blank(a.p[a.n - 1]))
		a.n--;
	return a;
}

struct str str_before(struct str a, size_t n)
{
	return (struct str){a.p, n < a.n ? n : a.n};
}

size_t str_find(struct str a, const char *needle)
{
	const char *at = a.n ? memmem(a.p, a.n, needle, strlen(needle)) : NULL;

	return at ? (size_t)(at - a.p) : a.n;
}

uint64_t str_hash(struct str a)
{
	return sql_hash_bytes(a.p ? a.p : "", a.n, 0);
}

bool str_to_i64(struct str a, int64_t *v)
{
	bool minus = a.n > 0 && a.p[0] == '-';
	int64_t r = 0;

	a = str_skip(a, minus);
	if (a.n == 0 || a.n > 19)
		return false;
	for (size_t i = 0; i < a.n; i++) {
		int digit = a.p[i] - '0';
		if (digit < 0 || digit > 9 || r > (INT64_MAX - digit) / 10)
			return false;
		r = r * 10 + digit;
	}
	*v = minus ? -r : r;
	return true;
}

struct str arena_str(struct arena *a, struct str s)
{
	if (!s.p)
		return s;
	char *p = arena_alloc(a, s.n + 1);
	memcpy(p, s.p, s.n);
	p[s.n] = '\0';
	return (struct str){p, s.n};
}

char *arena_cstr(struct arena *a, struct str s)
{
	char *p = arena_alloc(a, s.n + 1);

	if (s.n)
		memcpy(p, s.p, s.n);
	p[s.n] = '\0';
	return p;
}

struct str arena_printf(struct arena *a, const char *fmt, ...)
{
	va_list ap, again;

	va_start(ap, fmt);
	va_copy(again, ap);
	int n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	char *p = arena_alloc(a, (size_t)n + 1);
	vsnprintf(p, (size_t)n + 1, fmt, again);
	va_end(again);
	return (struct str){p, (size_t)n};
}

char *str_dup(struct str s)
{
	char *p = mem_alloc(s.n + 1);

	if (s.n)
		memcpy(p, s.p, s.n);
	p[s.n] = '\0';
	return p;
}

/* --- growable bytes ------------------------------------------------------------ */

static void text_room(struct text *t, size_t more)
{
	size_t cap = t->cap ? t->cap : 64;

	if (t->cap - t->n > more)
		return;
	while (cap - t->n <= more)
		cap *= 2;
	t->p = mem_realloc(t->p, cap);
	t->cap = cap;
}

void text_add(struct text *t, const void *p, size_t n)
{
	text_room(t, n);
	if (n)
		memcpy(t->p + t->n, p, n);
	t->n += n;
	t->p[t->n] = '\0';
}

void text_str(struct text *t, struct str s)
{
	text_add(t, s.p, s.n);
}

void text_puts(struct text *t, const char *s)
{
	text_add(t, s, strlen(s));
}

void text_char(struct text *t, char c)
{
	text_add(t, &c, 1);
}

void text_vprintf(struct text *t, const char *fmt, va_list ap)
{
	va_list again;

	va_copy(again, ap);
	int n = vsnprintf(NULL, 0, fmt, again);
	va_end(again);
	text_room(t, (size_t)n);
	vsnprintf(t->p + t->n, (size_t)n + 1, fmt, ap);
	t->n += (size_t)n;
}

void text_printf(struct text *t, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	text_vprintf(t, fmt, ap);
	va_end(ap);
}

void text_pad(struct text *t, char c, size_t n)
{
	text_room(t, n);
	memset(t->p + t->n, c, n);
	t->n += n;
	t->p[t->n] = '\0';
}

void text_clear(struct text *t)
{
	t->n = 0;
	if (t->p)
		t->p[0] = '\0';
}

void text_release(struct text *t)
{
	free(t->p);
	memset(t, 0, sizeof(*t));
}

struct str text_slice(const struct text *t)
{
	return (struct str){t->p ? t->p : "", t->n};
}

/* --- UTF-8 ------------------------------------------------------------------------ */

/* Length of the valid character at p, 0 when there is none. */
static size_t utf8_char(const unsigned char *p, size_t n)
{
	unsigned char c = p[0];

	if (c < 0x80)
		return (c >= 0x20 && c != 0x7f) || c == '\t' || c == '\n' ? 1 : 0;
	size_t len = c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : 2;
	if (c < 0xc2 || c > 0xf4 || len > n)
		return 0;
	for (size_t i = 1; i < len; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	if ((c == 0xe0 && p[1] < 0xa0) || (c == 0xed && p[1] > 0x9f) ||
		(c == 0xf0 && p[1] < 0x90) || (c == 0xf4 && p[1] > 0x8f))
		return 0;
	return len;
}

struct str utf8_before(struct str a, size_t n)
{
	if (n >= a.n)
		return a;
	while (n > 0 && ((unsigned char)a.p[n] & 0xc0) == 0x80)
		n--;
	return str_before(a, n);
}

struct str utf8_clean(struct arena *a, struct str s)
{
	const unsigned char *p = (const unsigned char *)s.p;
	size_t i = 0, len;

	while (i < s.n && (len = utf8_char(p + i, s.n - i)) > 0)
		i += len;
	if (i == s.n)
		return s;
	char *out = arena_alloc(a, s.n * 3 + 1), *to = out;
	for (i = 0; i < s.n; i += len) {
		len = utf8_char(p + i, s.n - i);
		if (len > 0) {
			memcpy(to, p + i, len);
			to += len;
		} else {
			len = 1;
			if (p[i] == '\r')
				continue;
			memcpy(to, "\xef\xbf\xbd", 3);
			to += 3;
		}
	}
	*to = '\0';
	return (struct str){out, (size_t)(to - out)};
}

/* --- names -------------------------------------------------------------------------- */

/* Two names of one hash would share a slot: the key is moved on until it is free or equal. */
static uint64_t names_key(const struct names *t, struct str name)
{
	uint64_t key = str_hash(name);

	for (;; key++) {
		uint32_t id = map_get(&t->map, key);
		if (id == MAP_NONE || str_eq(t->name.at[id], name))
			return key;
	}
}

uint32_t names_id(struct names *t, struct str name)
{
	uint32_t *id = map_put(&t->map, names_key(t, name));

	if (*id == MAP_NONE) {
		*id = (uint32_t)t->name.n;
		*VEC_PUSH(&t->name) = name.p ? arena_str(&t->arena, name) : STR("");
		return (uint32_t)t->name.n - 1;
	}
	return *id;
}

uint32_t names_find(const struct names *t, struct str name)
{
	return map_get(&t->map, names_key(t, name));
}

void names_release(struct names *t)
{
	arena_release(&t->arena);
	map_release(&t->map);
	VEC_RELEASE(&t->name);
}

/* --- errors --------------------------------------------------------------------------- */

bool err_set(struct err *e, const char *fmt, ...)
{
	va_list ap;

	if (!e)
		return false;
	va_start(ap, fmt);
	vsnprintf(e->text, sizeof(e->text), fmt, ap);
	va_end(ap);
	return false;
}
