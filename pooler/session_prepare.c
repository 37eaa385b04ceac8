/* SPDX-License-Identifier: ISC
 *
 * Prepared statements.  Three tables:
 *
 *   relay    text and types -> struct prepared   one object for all who prepared the same
 *   client   its own name   -> struct prepared
 *   server   number         -> struct prepared   what that connection has: session_held.c
 *
 * They decide nothing: who rewrites messages is session_statement.c.  A client's table is open
 * addressed with linear probing, at most two thirds full; the relay's is chained.
 */
#include "session.h"
#include "session_number.h"

/* --- the relay's table ------------------------------------------------------ */

static atomic_ullong bytes_total; /* of all relays: max_prepared_bytes */

unsigned long long prepared_bytes_total(void)
{
	return atomic_load_explicit(&bytes_total, memory_order_relaxed);
}

void prepared_forget_lane(struct prepared_table *t, const struct lane *l)
{
	for (size_t i = 0; i < t->size; i++)
		for (struct prepared *p = t->slot[i]; p; p = p->next)
			if (p->valid == l)
				p->valid = NULL;
}

static uint32_t hash_bytes(const void *p, size_t n)
{
	const unsigned char *s = p;
	uint64_t h = 0x9E3779B97F4A7C15u ^ n, v;

	for (; n >= 8; n -= 8, s += 8) {
		memcpy(&v, s, 8);
		h = (h ^ v) * 0xBF58476D1CE4E5B9u;
		h ^= h >> 29;
	}
	v = 0;
	memcpy(&v, s, n);
	h = (h ^ v) * 0x94D049BB133111EBu;
	return (uint32_t)(h ^ (h >> 32));
}

static void prepared_grow(struct prepared_table *t)
{
	size_t size = t->size ? t->size * 2 : 256;
	struct prepared **slot = mem_zalloc(size * sizeof(struct prepared *));

	for (size_t i = 0; i < t->size; i++) {
		struct prepared *p = t->slot[i], *next;

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

/* Who prepares the text now does not get this one. */
static bool is_past(const struct prepared *p)
{
	return prepared_is_stale(p) || p->doubted || (p->served && p->served->doubted);
}

static struct prepared *find_any(const struct prepared_table *t, const char *body, size_t len,
	uint32_t hash, uint64_t meaning, bool past)
{
	struct prepared *p = t->size ? t->slot[hash & (t->size - 1)] : NULL;

	while (p && (p->hash != hash || p->body_len != len || p->meaning != meaning ||
			    is_past(p) != past || memcmp(p->body, body, len) != 0))
		p = p->next;
	return p;
}

static struct prepared *find(const struct prepared_table *t, const char *body, size_t len,
	uint32_t hash, uint64_t meaning)
{
	return find_any(t, body, len, hash, meaning, false);
}

struct prepared *prepared_find(const struct prepared_table *t, const char *body, size_t len,
	uint64_t meaning)
{
	return find(t, body, len, hash_bytes(body, len), meaning);
}

void prepared_doubt(struct prepared *p, const char *sqlstate)
{
	static const char *const states[] = {"22003", "22P02", "22P03"};

	p->doubted |= strncmp(sqlstate, "42", 2) == 0;
	for (size_t i = 0; i < ARRAY_LEN(states); i++)
		p->doubted |= strcmp(sqlstate, states[i]) == 0;
}

/* The body without the comments around its text, in *core.  False: there are none. */
static bool put_core(struct buf *core, const char *body, size_t len, size_t *from)
{
	size_t text = strnlen(body, len), to;

	if (LIKELY(!wire_text_core(body, text, from, &to)))
		return false;
	buf_put(core, body + *from, to - *from);
	buf_put(core, body + text, len - text);
	return true;
}

struct prepared *prepared_find_served(struct prepared_table *t, const char *body, size_t len,
	uint64_t meaning)
{
	struct prepared *p = prepared_find(t, body, len, meaning);
	struct buf core = {0};
	size_t from;

	if (!p && put_core(&core, body, len, &from))
		p = prepared_find(t, core.data, core.len, meaning);
	buf_free(&core);
	return p ? prepared_served(t, p) : NULL;
}

/* Where it counts, beside the texts of the process's numbers. */
static void count_bytes(struct prepared_table *t, const struct prepared *p, bool more)
{
	uint64_t bytes = sizeof *p + p->body_len;

	t->bytes += more ? bytes : -bytes;
	if (t->together)
		bytes += number_bytes(p->body_len);
	atomic_fetch_add_explicit(&bytes_total, more ? bytes : -bytes, memory_order_relaxed);
}

/* `stale`: the number it had; or 0 */
static struct prepared *prepared_new(struct prepared_table *t, const char *body, size_t len,
	uint32_t hash, uint64_t meaning, uint64_t stale)
{
	struct prepared *p;

	if (t->count >= t->size)
		prepared_grow(t);
	p = mem_zalloc(sizeof *p + len);
	p->refs = 1;
	p->hash = hash;
	p->meaning = meaning;
	p->number = t->together ? number_take(hash, body, len, meaning, stale) : ++t->last_number;
	p->body_len = len;
	memcpy(p->body, body, len);
	p->text_len = strnlen(p->body, len);
	p->effects = wire_text_effects(p->body, p->text_len);
	p->next = t->slot[hash & (t->size - 1)];
	t->slot[hash & (t->size - 1)] = p;
	t->count++;
	count_bytes(t, p, true);
	return p;
}

/* As PostgreSQL counts them for the position of an error. */
static uint16_t characters(const char *p, size_t n)
{
	size_t count = 0;

	for (size_t i = 0; i < n; i++)
		count += (p[i] & 0xC0) != 0x80;
	return count < NOTE_REFUSED ? (uint16_t)count : NOTE_REFUSED - 1;
}

struct prepared *prepared_intern(struct prepared_table *t, const char *body, size_t len,
	uint64_t meaning)
{
	uint32_t hash = hash_bytes(body, len);
	struct prepared *p = find(t, body, len, hash, meaning), *past;
	struct buf core = {0};
	size_t from;

	if (p) {
		p->refs++;
		return p;
	}
	past = find_any(t, body, len, hash, meaning, true);
	p = prepared_new(t, body, len, hash, meaning, past ? past->number : 0);
	if (put_core(&core, body, len, &from)) {
		p->served = prepared_intern(t, core.data, core.len, meaning);
		p->shift = characters(body, from);
		buf_free(&core);
	}
	return p;
}

/* Makes the way shorter, which grows with every renewal; but what is not stale itself keeps
 * its link to what is (prepared_is_stale). */
struct prepared *prepared_served_far(struct prepared_table *t, struct prepared *p)
{
	if (!p->stale && p->served->served)
		p = p->served;
	while (p->served->served) {
		struct prepared *near = p->served;

		p->served = near->served;
		p->served->refs++;
		prepared_drop(t, &near);
	}
	return p->served;
}

struct prepared *prepared_renew(struct prepared_table *t, struct prepared *p)
{
	struct prepared *fresh;

	p = prepared_served(t, p);
	p->stale = true;
	fresh = find(t, p->body, p->body_len, p->hash, p->meaning);
	if (fresh)
		fresh->refs++;
	else
		fresh = prepared_new(t, p->body, p->body_len, p->hash, p->meaning, p->number);
	if (p->n_types && !fresh->types) {
		fresh->types = mem_alloc(p->n_types * sizeof *p->types);
		memcpy(fresh->types, p->types, p->n_types * sizeof *p->types);
		fresh->n_types = p->n_types;
	}
	p->served = fresh;
	return fresh;
}

void prepared_learn_types(struct prepared *p, const char *body, size_t len)
{
	size_t n = len < 2 ? 0 : wire_u16(body);

	if (p->types || !n || len != 2 + 4 * n)
		return;
	p->types = mem_alloc(n * sizeof *p->types);
	for (p->n_types = 0; p->n_types < n; p->n_types++)
		p->types[p->n_types] = wire_u32(body + 2 + 4 * p->n_types);
}

void prepared_drop(struct prepared_table *t, struct prepared **pp)
{
	struct prepared *p = *pp, **at;

	*pp = NULL;
	if (!p || --p->refs > 0)
		return;
	for (at = &t->slot[p->hash & (t->size - 1)]; *at != p; at = &(*at)->next)
		;
	*at = p->next;
	t->count--;
	count_bytes(t, p, false);
	if (t->together)
		number_drop(p->hash, p->body, p->body_len, p->meaning);
	free(p->types);
	prepared_drop(t, &p->served);
	free(p);
}

size_t prepared_name(char out[PREPARED_NAME], uint64_t number)
{
	static const char prefix[] = "PGSLUICE_";
	char digits[20], *d = digits + sizeof digits;
	size_t n;

	/* by hand: it is done for every Bind, and printf takes ten times as long */
	do
		*--d = (char)('0' + number % 10);
	while (number /= 10);
	n = (size_t)(digits + sizeof digits - d);
	memcpy(out, prefix, sizeof prefix - 1);
	memcpy(out + sizeof prefix - 1, d, n);
	out[sizeof prefix - 1 + n] = '\0';
	return sizeof prefix - 1 + n;
}

void prepared_put_parse(struct buf *b, const char *name, const struct prepared *p)
{
	size_t at = wire_begin(b, 'P');

	buf_put_cstr(b, name);
	if (p->n_types) {
		/* as whoever prepared it was told, whatever a Parse would find now */
		buf_put(b, p->body, p->text_len + 1);
		buf_put_u16(b, (uint16_t)p->n_types);
		for (size_t i = 0; i < p->n_types; i++)
			buf_put_u32(b, p->types[i]);
	} else {
		buf_put(b, p->body, p->body_len);
	}
	wire_end(b, at);
}

/* --- a client's names --------------------------------------------------------- */

struct named {
	char *name; /* NULL: free */
	uint32_t hash;
	uint32_t serial; /* counts what this client prepared */
	struct prepared *p;
};

struct client_statements {
	size_t count, size, bytes;
	uint32_t last_serial;
	struct named *slot;
};

static struct named *named_at(const struct client_statements *m, const char *name, uint32_t hash)
{
	size_t i = hash & (m->size - 1);

	while (m->slot[i].name && (m->slot[i].hash != hash || strcmp(m->slot[i].name, name)))
		i = (i + 1) & (m->size - 1);
	return &m->slot[i];
}

static void named_grow(struct client_statements *m)
{
	struct named *old = m->slot;
	size_t size = m->size;

	m->size = size ? size * 2 : 8;
	m->slot = mem_zalloc(m->size * sizeof *m->slot);
	for (size_t i = 0; i < size; i++)
		if (old[i].name)
			*named_at(m, old[i].name, old[i].hash) = old[i];
	free(old);
}

/* Shared or not, each client is charged for the whole. */
static size_t named_bytes(const char *name, const struct prepared *p)
{
	return strlen(name) + sizeof(struct named) + sizeof *p + p->body_len;
}

bool client_statement_put(struct client *c, const char *name, struct prepared *p)
{
	struct client_statements *m = c->statements;
	uint32_t hash = hash_bytes(name, strlen(name));
	struct named *at;

	if (!m)
		m = c->statements = mem_zalloc(sizeof *m);
	if ((m->count + 1) * 3 > m->size * 2)
		named_grow(m);
	at = named_at(m, name, hash);
	if (at->name)
		return false;
	at->name = mem_strdup(name);
	at->hash = hash;
	at->p = p;
	at->serial = ++m->last_serial;
	m->count++;
	m->bytes += named_bytes(name, p);
	return true;
}

struct prepared *client_statement_get(const struct client *c, const char *name)
{
	if (!c->statements)
		return NULL;
	return named_at(c->statements, name, hash_bytes(name, strlen(name)))->p;
}

/* Frees the place and closes the gap: whoever probed past it must still be found. */
static void named_remove(struct client *c, struct named *at)
{
	struct client_statements *m = c->statements;
	size_t hole = (size_t)(at - m->slot), i;

	m->bytes -= named_bytes(at->name, at->p);
	m->count--;
	free(at->name);
	at->name = NULL;
	prepared_drop(&c->lane->relay->prepared, &at->p);
	for (i = (hole + 1) & (m->size - 1); m->slot[i].name; i = (i + 1) & (m->size - 1)) {
		size_t home = m->slot[i].hash & (m->size - 1);

		if (((i - home) & (m->size - 1)) >= ((i - hole) & (m->size - 1))) {
			m->slot[hole] = m->slot[i];
			m->slot[i].name = NULL;
			m->slot[i].p = NULL;
			hole = i;
		}
	}
}

bool client_statement_remove(struct client *c, const char *name)
{
	struct named *at;

	if (!c->statements)
		return false;
	at = named_at(c->statements, name, hash_bytes(name, strlen(name)));
	if (!at->name)
		return false;
	named_remove(c, at);
	return true;
}

/* Is, or was, this its number on servers?  (As the ledger has it.) */
static bool is_called(const struct prepared *p, uint64_t number)
{
	while (p && (uint32_t)p->number != (uint32_t)number)
		p = p->served;
	return p != NULL;
}

static struct named *newest_called(struct client_statements *m, uint64_t number)
{
	struct named *newest = NULL;

	for (size_t i = 0; m && i < m->size; i++)
		if (m->slot[i].name && is_called(m->slot[i].p, number) &&
			(!newest || m->slot[i].serial > newest->serial))
			newest = &m->slot[i];
	return newest;
}

const char *client_statement_name(const struct client *c, uint64_t number)
{
	const struct named *at = newest_called(c->statements, number);

	return at ? at->name : NULL;
}

uint32_t client_statement_serial(const struct client *c, const char *name)
{
	return named_at(c->statements, name, hash_bytes(name, strlen(name)))->serial;
}

bool client_statement_restore(struct client *c, const char *name, struct prepared *p,
	uint32_t serial)
{
	if (!client_statement_put(c, name, p))
		return false;
	named_at(c->statements, name, hash_bytes(name, strlen(name)))->serial = serial;
	return true;
}

void client_statement_forget(struct client *c, uint64_t number)
{
	struct named *at = newest_called(c->statements, number);

	if (at)
		named_remove(c, at);
}

void client_statement_move(struct client *c, uint64_t number, struct prepared *fresh)
{
	struct named *at = newest_called(c->statements, number);

	if (!at)
		return;
	c->statements->bytes += fresh->body_len - at->p->body_len;
	prepared_drop(&c->lane->relay->prepared, &at->p);
	at->p = fresh;
	fresh->refs++;
}

void client_statements_clear(struct client *c)
{
	struct client_statements *m = c->statements;

	if (!m)
		return;
	for (size_t i = 0; i < m->size; i++) {
		if (!m->slot[i].name)
			continue;
		free(m->slot[i].name);
		prepared_drop(&c->lane->relay->prepared, &m->slot[i].p);
	}
	free(m->slot);
	free(m);
	c->statements = NULL;
}

size_t client_statement_count(const struct client *c)
{
	return c->statements ? c->statements->count : 0;
}

size_t client_statement_bytes(const struct client *c)
{
	return c->statements ? c->statements->bytes : 0;
}
