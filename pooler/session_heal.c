/* SPDX-License-Identifier: ISC
 *
 * Statements whose columns have changed.  After ALTER TABLE a server connection that had
 * prepared a statement fails it for good ("cached plan must not change result type"), and
 * one that had not prepares it with the new columns.  Both are ours to set right, since it
 * is us who share statements among connections and clients.
 *
 * So the statement gets a new number, which every connection prepares anew.  A client that
 * prepared it before:
 *
 *   - asks for a description with each use: is served.  If the stale plan failed first, what
 *     it had sent is sent once more and it never sees the error, provided that it was a
 *     transaction of its own (one batch, up to Sync, nothing open before it) of which
 *     nothing was done yet;
 *   - does not ask: believes to know the columns, and would take new rows for old ones.  It
 *     gets PostgreSQL's error, prepares again (JDBC and asyncpg do that by themselves), and
 *     is served.
 *
 * To know that columns have changed before rows of another shape are on their way, the
 * first use on a connection by a client of the second kind waits for a description, and
 * goes on if that is the one clients were told (prepared.columns).
 */
#include "session.h"
#include "session_meaning.h"

/* Note of a Describe that is asked again: ParameterDescription comes before the failure. */
#define HEAL_DESCRIBED 1

/* The schema was changed, perhaps by a program that does not come through us: who prepares a text
 * from now on gets what a Parse finds now.  (A lone one may just have been used under another
 * search_path.) */
static void is_new_schema(const struct server *s, const struct prepared *p)
{
	if (!meaning_is_lone(p->meaning))
		meaning_schema_changed(s->lane);
}

static bool is_stale_plan(const char *body, size_t len)
{
	struct wire_error e;

	/* messages are translated, the name of the routine is not */
	return wire_read_error(body, len, &e) && e.sqlstate && strcmp(e.sqlstate, "0A000") == 0 &&
	       e.routine && strcmp(e.routine, "RevalidateCachedQuery") == 0;
}

/* One message of the batch, the statement's old name in it replaced.  NULL: not understood. */
static const char *put_again(struct buf *b, const char *p, const char *end, const char *name)
{
	uint32_t size = end - p >= (ptrdiff_t)WIRE_HEADER ? wire_message_size(p) : 0;
	const char *next = p + size, *at = p + WIRE_HEADER;
	size_t from;

	if (size == 0 || next > end)
		return NULL;
	if (*p != 'B' && !(*p == 'D' && *at == 'S')) {
		buf_put(b, p, size);
		return next;
	}
	from = wire_begin(b, *p);
	if (*p == 'B') {
		const char *portal = wire_cstr(&at, next);

		if (!portal)
			return NULL;
		buf_put_cstr(b, portal);
	} else {
		buf_put_u8(b, (uint8_t)*at++);
	}
	if (!wire_cstr(&at, next))
		return NULL;
	buf_put_cstr(b, name);
	buf_put(b, at, (size_t)(next - at));
	wire_end(b, from);
	return next;
}

static bool note_again(struct ledger *l, const char *p, uint32_t number)
{
	switch (*p) {
	case 'B':
		return ledger_push(l, ENTRY_BIND, 0, number);
	case 'D':
		if (p[WIRE_HEADER] == 'P')
			return ledger_push(l, ENTRY_DESCRIBE_PORTAL, 0, 0);
		if (!ledger_push(l, ENTRY_DESCRIBE_STATEMENT, 0, number))
			return false;
		ledger_note_last(l, HEAL_DESCRIBED);
		return true;
	case 'E':
		return ledger_push(l, ENTRY_EXECUTE, 0, 0);
	case 'S':
		return ledger_push(l, ENTRY_SYNC, 0, 0);
	}
	return false;
}

/* Prepares it under its new number and sends the batch behind that.  False: it cannot be. */
static bool send_again(struct server *s, struct prepared *fresh)
{
	struct buf b = {0};
	const char *p = s->again.data, *end = p + s->again.len;
	uint32_t number = (uint32_t)fresh->number;
	char name[PREPARED_NAME];
	bool ok;

	if (server_statement_has(s, fresh))
		return false; /* cannot be: who else would have prepared it here meanwhile? */
	prepared_name(name, fresh->number);
	prepared_put_parse(&b, name, fresh);
	ok = ledger_push(&s->ledger, ENTRY_PARSE, ENTRY_OURS | ENTRY_TAGGED, number);
	while (ok && p < end) {
		ok = note_again(&s->ledger, p, number);
		p = ok ? put_again(&b, p, end, name) : NULL;
		ok = p != NULL;
	}
	if (ok) {
		server_statement_put(s, fresh);
		s->batch++;
		stats_add(&s->lane->stats.server_parse_count, 1);
		server_send(s, b.data, b.len);
	}
	buf_free(&b);
	return ok;
}

bool heal_sees_parameters(struct server *s, const char *body, size_t len)
{
	const struct entry *head = ledger_head(&s->ledger);
	uint64_t hash = hash_keyed(body, len);
	bool described = head && head->kind == ENTRY_DESCRIBE_STATEMENT;
	bool again = described && head->note == HEAL_DESCRIBED;
	struct prepared *p = described ? server_statement_find(s, head->tag) : NULL;

	if (p)
		prepared_learn_types(p, body, len);

	if (again && hash != s->parameters)
		server_close(s, CLOSE_INTEGRITY,
			"the parameters of a statement changed while it was being described");
	s->parameters = hash;
	return !again;
}

/* Is what failed the first of a batch that we still have, and nothing behind it? */
static bool can_repeat(const struct server *s)
{
	const struct ledger *l = &s->ledger;

	return s->again.len && s->client && l->len == s->again_entries && l->state.status == 'I' &&
	       ledger_at(l, l->len - 1)->kind == ENTRY_SYNC && !s->client->left && !s->asked_cancel;
}

bool heal_stale_plan(struct server *s, const char *body, size_t len)
{
	const struct entry *head = ledger_head(&s->ledger);
	struct prepared_table *table = &s->lane->relay->prepared;
	struct prepared *old, *fresh;
	struct ledger_event ev;
	char who[128];
	bool repeat;

	if (!head || head->flags ||
		(head->kind != ENTRY_BIND && head->kind != ENTRY_DESCRIBE_STATEMENT) ||
		!is_stale_plan(body, len))
		return false;
	old = server_statement_find(s, head->tag);
	if (!old) { /* the unnamed one: to be parsed again before it is bound again */
		prepared_drop(table, &s->unnamed);
		return false;
	}
	repeat = can_repeat(s);
	/* what another connection has renewed already is not stale because this one was late */
	fresh = old->stale ? prepared_served(table, old) : prepared_renew(table, old);
	is_new_schema(s, old);
	log_line(LOG_PART_SESSION, LOG_LEVEL_DEBUG,
		"%s: the plan of PGSLUICE_%llu is stale: prepared anew as PGSLUICE_%llu%s",
		server_who(s, who, sizeof who), (unsigned long long)old->number,
		(unsigned long long)fresh->number, repeat ? " and sent again" : "");
	if (!repeat)
		return false;
	/* the server skips to the Sync, whose answer the client must not see */
	if (ledger_reply(&s->ledger, 'E', '?', &ev, NULL, NULL) != LEDGER_FORWARD ||
		s->ledger.len != 1) {
		server_close(s, CLOSE_INTEGRITY, "a batch to be repeated is not what it was");
		return true;
	}
	ledger_own_head(&s->ledger);
	if (!send_again(s, fresh))
		server_close(s, CLOSE_INTEGRITY, "a batch could not be repeated");
	buf_free(&s->again);
	return true;
}

/* --- columns ------------------------------------------------------------------------- */

/* What PostgreSQL compares of a description: names, types, lengths and modifiers; 0: there
 * is no whole description. */
static uint64_t hash_columns(char type, const char *body, size_t len)
{
	const char *p = body + 2, *end = body + len;
	struct buf b = {0};
	uint64_t hash = 0;

	if (type == 'n')
		return PREPARED_NO_ROWS;
	for (unsigned n = len < 2 ? 0 : wire_u16(body); n > 0; n--) {
		const char *name = wire_cstr(&p, end);

		if (!name || end - p < 18) {
			buf_free(&b);
			return 0;
		}
		buf_put_cstr(&b, name);
		buf_put(&b, p + 6, 10); /* behind the table's oid and the column's number */
		p += 18;
	}
	hash = hash_keyed(b.data, b.len) | 1;
	buf_free(&b);
	return hash;
}

void heal_sees_columns(struct server *s, const struct entry *e, char type, const char *body,
	size_t len)
{
	struct prepared *p = server_statement_find(s, e->tag), *fresh;
	uint64_t hash = p ? hash_columns(type, body, len) : 0;

	if (e->flags & ENTRY_OURS)
		s->describing = false;
	if (!hash || p->stale)
		return;
	if (!p->columns)
		p->columns = hash;
	if (p->columns == hash)
		return;
	fresh = prepared_renew(&s->lane->relay->prepared, p);
	fresh->columns = hash;
	is_new_schema(s, p);
	if (s->client && !(e->flags & ENTRY_OURS))
		client_statement_move(s->client, p->number, fresh);
}

void heal_put_refusal(struct buf *b)
{
	static const char fields[] =
		"SERROR\0VERROR\0C0A000\0Mcached plan must not change result type\0"
		"HIts columns have changed since this client prepared it: prepare it again.\0"
		"RRevalidateCachedQuery\0";
	size_t at = wire_begin(b, 'E');

	buf_put(b, fields, sizeof fields); /* with the NUL that ends them */
	wire_end(b, at);
}
