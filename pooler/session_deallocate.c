/* SPDX-License-Identifier: ISC
 *
 * DEALLOCATE in a text, of statements that were prepared by the protocol: the server is told our
 * names of them, and both sides forget them.  The other statements of the text stay as they are.
 */
#include "session_meaning.h"
#include "session_message.h"

/* DEALLOCATE of one: its name in *out; the text stays as it is when the client has none such. */
static bool deallocate_one(struct message *m, const char *name, struct buf *out, bool *renamed)
{
	struct prepared *p = client_statement_get(m->c, name);
	char ours[PREPARED_NAME];

	*renamed = p != NULL;
	if (!p)
		return true;
	p = prepared_served(&m->c->lane->relay->prepared, p);
	prepared_name(ours, p->number);
	/* Its own text might fail by now (a table is gone), and a Query behind a failed Parse
	 * is skipped. */
	if (!server_statement_has(m->s, p) && !statement_put_empty(m, ours))
		return false;
	buf_printf(out, "DEALLOCATE \"%s\"", ours);
	server_statement_remove(m->s, p->number);
	m->s->stale_names =
		true; /* should it fail, or never be executed, the server still has it */
	client_statement_remove(m->c, name);
	return true;
}

static void deallocate_all(struct message *m)
{
	client_statements_clear(m->c);
	server_statements_clear(m->s);
	m->s->stale_names = true;
}

bool statement_rewrite_deallocate(struct message *m, const char *sql, size_t len, struct buf *out)
{
	const char *p = sql, *end = sql + len, *kept = sql;
	char name[WIRE_TEXT_NAME];

	if (m->s->ledger.state.status == 'E')
		return true; /* in a failed transaction it fails as well, and nothing goes */
	while (p < end) {
		size_t size = wire_text_statement(p, (size_t)(end - p));
		bool renamed = false;

		switch (wire_text_deallocates(p, size, name)) {
		case TEXT_DEALLOCATES_NOTHING:
			break;
		case TEXT_DEALLOCATES_ALL:
			deallocate_all(m);
			break;
		case TEXT_DEALLOCATES_ONE:
			buf_put(out, kept, (size_t)(p - kept));
			if (!deallocate_one(m, name, out, &renamed))
				return false;
			kept = renamed ? p + size : p;
			break;
		}
		p += size;
		if (p < end)
			p++; /* the semicolon */
	}
	if (kept == sql)
		out->len = 0; /* as it was */
	else
		buf_put(out, kept, (size_t)(end - kept));
	return true;
}

enum step deallocate_bind(struct message *m, const struct prepared *p, uint64_t *number)
{
	struct prepared_table *table = &m->c->lane->relay->prepared;
	struct prepared *ours;
	struct buf body = {0};
	bool ok = statement_rewrite_deallocate(m, p->body, p->text_len, &body);

	if (ok && body.len) {
		buf_put_u8(&body, 0);
		buf_put_u16(&body, 0);
		ours = prepared_intern(table, body.data, body.len, 0);
		ok = statement_ensure(m, ours);
		*number = ours->number;
		prepared_drop(table, &ours);
	}
	buf_free(&body);
	return ok ? STEP_DONE : STEP_CLOSED;
}
