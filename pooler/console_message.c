/* SPDX-License-Identifier: ISC
 *
 * The protocol of a console session: simple Query, with several statements, and the extended
 * protocol without parameters.  Drivers that prepare everything (asyncpg, JDBC, lib/pq) work
 * as they would with PostgreSQL; PgBouncer would close their connection.
 */
#include "console_inner.h"

#include <arpa/inet.h>

/* A prepared statement; a portal. */
struct statement {
	struct list link;
	char *name, *text;
};

struct portal {
	struct list link;
	char *name, *text;
	uint16_t *formats;
	unsigned n_formats;
	bool ran;
	struct answer answer; /* when it ran */
	size_t off;	      /* how much of its rows was sent */
	uint32_t limit;	      /* of the running Execute */
};

/* --- small things ------------------------------------------------------------------ */

static void put_error(struct console *c, const char *sqlstate, const char *message,
	const char *hint)
{
	wire_put_error(&c->out, 'E', "ERROR", sqlstate, message, NULL, hint);
}

/* In the extended protocol everything up to Sync is skipped behind an error. */
static void fail(struct console *c, const char *sqlstate, const char *message, const char *hint)
{
	put_error(c, sqlstate, message, hint);
	c->skipping = true;
}

static void protocol_end(struct console *c, const char *message)
{
	wire_put_error(&c->out, 'E', "FATAL", "08P01", message, NULL, NULL);
	if (conn_send(&c->conn, c->out.data + c->sent, c->out.len - c->sent) < 0)
		c->out.len = 0; /* it is gone: nothing to say */
	console_close(c, message);
}

static void statement_free(struct statement *s)
{
	list_del(&s->link);
	free(s->name);
	free(s->text);
	free(s);
}

static void portal_free(struct portal *p)
{
	list_del(&p->link);
	answer_release(&p->answer);
	free(p->formats);
	free(p->name);
	free(p->text);
	free(p);
}

static struct statement *statement_find(struct console *c, const char *name)
{
	struct list *l;

	list_each (l, &c->statements) {
		struct statement *s = list_entry(l, struct statement, link);

		if (strcmp(s->name, name) == 0)
			return s;
	}
	return NULL;
}

static struct portal *portal_find(struct console *c, const char *name)
{
	struct list *l;

	list_each (l, &c->portals) {
		struct portal *p = list_entry(l, struct portal, link);

		if (strcmp(p->name, name) == 0)
			return p;
	}
	return NULL;
}

static unsigned length(const struct list *head)
{
	unsigned n = 0;

	for (const struct list *l = head->next; l != head; l = l->next)
		n++;
	return n;
}

void message_init(struct console *c)
{
	list_init(&c->statements);
	list_init(&c->portals);
}

static void drop_portals(struct console *c)
{
	while (!list_empty(&c->portals))
		portal_free(list_first(&c->portals, struct portal, link));
}

void message_release(struct console *c)
{
	drop_portals(c);
	while (!list_empty(&c->statements))
		statement_free(list_first(&c->statements, struct statement, link));
}

/* The first statement of a text; *more: there is another.  false: it is empty. */
static bool first_statement(const char *text, struct words *w, bool *more)
{
	const char *end = text + strlen(text);
	bool any = words_next(w, &text, end);
	struct words *other;

	*more = false;
	if (any && text < end) {
		other = mem_alloc(sizeof *other);
		*more = words_next(other, &text, end);
		free(other);
	}
	return any;
}

/* --- answers -------------------------------------------------------------------------- */

static void put_answer_error(struct console *c, const struct answer *a)
{
	wire_put_error(&c->out, 'E', "ERROR", a->sqlstate ? a->sqlstate : "08P01", a->message,
		a->detail, a->hint);
}

/* Rows of a portal from where it stands, up to its limit; true: all are sent. */
static bool put_rows(struct console *c, struct portal *p)
{
	uint32_t n = 0;

	while (p->off < p->answer.rows.len) {
		const char *row = p->answer.rows.data + p->off;
		size_t size = wire_message_size(row);

		if (p->limit && n == p->limit)
			return false;
		answer_put_row(&c->out, row, size, p->answer.columns, p->formats, p->n_formats);
		p->off += size;
		n++;
	}
	return true;
}

static void put_portal(struct console *c, struct portal *p)
{
	if (!put_rows(c, p)) {
		wire_put_bare(&c->out, 's');
		return;
	}
	wire_put_complete(&c->out, p->answer.tag ? p->answer.tag : "SHOW");
}

static void take_status(struct console *c, const struct answer *a)
{
	if (a->status)
		c->status = a->status;
}

/* A statement of a simple Query is done. */
static void query_answered(struct console *c, struct answer *a)
{
	buf_put(&c->out, a->notices.data, a->notices.len);
	if (a->message) {
		put_answer_error(c, a);
		c->query_at = c->query_end; /* the rest is not done */
		return;
	}
	if (a->columns) {
		answer_put_description(&c->out, a->columns, NULL, 0);
		buf_put(&c->out, a->rows.data, a->rows.len);
	}
	wire_put_complete(&c->out, a->tag ? a->tag : "SHOW");
	take_status(c, a);
}

static void portal_answered(struct console *c, struct portal *p, struct answer *a)
{
	buf_put(&c->out, a->notices.data, a->notices.len);
	if (a->message) {
		put_answer_error(c, a);
		c->skipping = true;
		return;
	}
	take_status(c, a);
	p->ran = true;
	p->answer = *a;
	memset(a, 0, sizeof *a);
	put_portal(c, p);
}

void message_answered(struct console *c, struct request *q)
{
	struct portal *p = c->executing;

	c->executing = NULL;
	if (p)
		portal_answered(c, p, &q->answer);
	else
		query_answered(c, &q->answer);
}

static void run(struct console *c, const struct words *w)
{
	struct request *q = request_new(c, w);

	c->running = q;
	request_run(q);
}

/* --- simple -------------------------------------------------------------------------------- */

/* The next statement of the Query that runs, or its end. */
static void next_statement(struct console *c)
{
	struct words w;

	if (words_next(&w, &c->query_at, c->query_end)) {
		c->query_any = true;
		run(c, &w);
		return;
	}
	if (!c->query_any)
		wire_put_bare(&c->out, 'I');
	wire_put_ready(&c->out, c->status);
	free(c->query);
	c->query = NULL;
}

static void on_query(struct console *c, const char *body, size_t len)
{
	const char *p = body, *text = wire_cstr(&p, body + len);

	if (!text) {
		protocol_end(c, "invalid Query message");
		return;
	}
	drop_portals(c);
	c->query = mem_strdup(text);
	c->query_at = c->query;
	c->query_end = c->query + strlen(c->query);
	c->query_any = false;
	next_statement(c);
}

/* --- extended -------------------------------------------------------------------------------- */

static void on_parse(struct console *c, const char *body, size_t len)
{
	const char *p = body, *end = body + len;
	const char *name = wire_cstr(&p, end), *text = name ? wire_cstr(&p, end) : NULL;
	struct statement *s;
	struct words w;
	bool more;

	if (!text) {
		protocol_end(c, "invalid Parse message");
		return;
	}
	s = statement_find(c, name);
	if (s && *name) {
		fail(c, "42P05", "a prepared statement of that name exists", NULL);
		return;
	}
	if (s)
		statement_free(s);
	if (length(&c->statements) >= CONSOLE_NAMES_MAX) {
		fail(c, "54000", "too many prepared statements for the console",
			"Close some, or use the simple protocol.");
		return;
	}
	first_statement(text, &w, &more);
	if (more) {
		fail(c, "42601", "cannot insert multiple commands into a prepared statement",
			"Send them one by one, or all in one simple Query.");
		return;
	}
	s = mem_zalloc(sizeof *s);
	s->name = mem_strdup(name);
	s->text = mem_strdup(text);
	list_push_back(&c->statements, &s->link);
	wire_put_bare(&c->out, '1');
}

static bool take_u16(const char **p, const char *end, uint16_t *out)
{
	if (end - *p < 2)
		return false;
	memcpy(out, *p, 2);
	*out = ntohs(*out);
	*p += 2;
	return true;
}

/* The formats, parameters and result formats of Bind into the portal.  0 fine, else which
 * complaint. */
static const char *read_bind(struct portal *o, const char *p, const char *end)
{
	uint16_t n, format;

	if (!take_u16(&p, end, &n))
		return "invalid Bind message";
	for (unsigned i = 0; i < n; i++)
		if (!take_u16(&p, end, &format))
			return "invalid Bind message";
	if (!take_u16(&p, end, &n))
		return "invalid Bind message";
	if (n > 0)
		return "the console takes no parameters";
	if (!take_u16(&p, end, &n))
		return "invalid Bind message";
	o->formats = mem_zalloc((n + 1U) * sizeof *o->formats);
	o->n_formats = n;
	for (unsigned i = 0; i < n; i++) {
		if (!take_u16(&p, end, &o->formats[i]))
			return "invalid Bind message";
		if (o->formats[i] > 1)
			return "unsupported result format";
	}
	return NULL;
}

static void on_bind(struct console *c, const char *body, size_t len)
{
	const char *p = body, *end = body + len, *complaint;
	const char *portal = wire_cstr(&p, end), *name = portal ? wire_cstr(&p, end) : NULL;
	struct statement *s;
	struct portal *o;

	if (!name) {
		protocol_end(c, "invalid Bind message");
		return;
	}
	s = statement_find(c, name);
	if (!s) {
		fail(c, "26000", "that prepared statement does not exist", NULL);
		return;
	}
	o = portal_find(c, portal);
	if (o)
		portal_free(o);
	if (length(&c->portals) >= CONSOLE_NAMES_MAX) {
		fail(c, "54000", "too many portals for the console", NULL);
		return;
	}
	o = mem_zalloc(sizeof *o);
	o->name = mem_strdup(portal);
	o->text = mem_strdup(s->text);
	list_push_back(&c->portals, &o->link);
	complaint = read_bind(o, p, end);
	if (complaint) {
		portal_free(o);
		fail(c, "08P01", complaint, "Write the value into the command.");
		return;
	}
	wire_put_bare(&c->out, '2');
}

static void describe(struct console *c, const char *text, const struct portal *o)
{
	struct words w;
	const char *columns;
	bool more;

	columns = first_statement(text, &w, &more) && !w.error ? request_columns(&w) : NULL;
	if (columns)
		answer_put_description(&c->out, columns, o ? o->formats : NULL,
			o ? o->n_formats : 0);
	else
		wire_put_bare(&c->out, 'n');
}

/* Describe and Close name a statement ('S') or a portal ('P'). */
static void on_describe_close(struct console *c, char type, const char *body, size_t len)
{
	const char *p = body + 1, *name = len > 1 ? wire_cstr(&p, body + len) : NULL;
	struct statement *s = name && *body == 'S' ? statement_find(c, name) : NULL;
	struct portal *o = name && *body == 'P' ? portal_find(c, name) : NULL;

	if (!name) {
		protocol_end(c, "invalid Describe or Close message");
		return;
	}
	if (type == 'C') {
		if (s)
			statement_free(s);
		if (o)
			portal_free(o);
		wire_put_bare(&c->out, '3');
	} else if (s) {
		size_t at = wire_begin(&c->out, 't');

		buf_put_u16(&c->out, 0);
		wire_end(&c->out, at);
		describe(c, s->text, NULL);
	} else if (o) {
		describe(c, o->text, o);
	} else {
		fail(c, *body == 'P' ? "34000" : "26000", "there is nothing of that name", NULL);
	}
}

static void on_execute(struct console *c, const char *body, size_t len)
{
	const char *p = body, *end = body + len, *name = wire_cstr(&p, end);
	struct portal *o;
	struct words w;
	uint32_t limit;
	bool more;

	if (!name || end - p < 4) {
		protocol_end(c, "invalid Execute message");
		return;
	}
	o = portal_find(c, name);
	if (!o) {
		fail(c, "34000", "that portal does not exist", NULL);
		return;
	}
	memcpy(&limit, p, sizeof limit);
	o->limit = ntohl(limit);
	if (o->ran) {
		put_portal(c, o);
	} else if (!first_statement(o->text, &w, &more)) {
		wire_put_bare(&c->out, 'I');
	} else {
		c->executing = o;
		run(c, &w);
	}
}

/* --- all of them -------------------------------------------------------------------------------
 */

static void on_message(struct console *c, char type, const char *body, size_t len)
{
	if (c->skipping && type != 'S' && type != 'X' && type != 'Q')
		return;
	switch (type) {
	case 'Q':
		c->skipping = false;
		on_query(c, body, len);
		break;
	case 'P':
		on_parse(c, body, len);
		break;
	case 'B':
		on_bind(c, body, len);
		break;
	case 'D':
	case 'C':
		on_describe_close(c, type, body, len);
		break;
	case 'E':
		on_execute(c, body, len);
		break;
	case 'S':
		c->skipping = false;
		if (c->status == 'I')
			drop_portals(c);
		wire_put_ready(&c->out, c->status);
		break;
	case 'H': /* all is sent at once anyway */
		break;
	case 'X':
		console_close(c, "client close request");
		break;
	case 'F':
		fail(c, "0A000", "the console has no functions", "SHOW HELP lists what it has.");
		wire_put_ready(&c->out, c->status);
		c->skipping = false;
		break;
	default:
		protocol_end(c, "invalid message type for the console");
	}
}

bool message_next(struct console *c)
{
	size_t size;

	if (c->query) {
		next_statement(c);
		return true;
	}
	if (c->in.len < WIRE_HEADER)
		return false;
	size = wire_message_size(c->in.data);
	if (size == 0 || size > CONSOLE_INPUT_MAX) {
		protocol_end(c, "message too large for the console");
		return false;
	}
	if (c->in.len < size)
		return false;
	c->last_request = clock_wall();
	on_message(c, c->in.data[0], c->in.data + WIRE_HEADER, size - WIRE_HEADER);
	if (c->closed)
		return false;
	buf_drop_front(&c->in, size);
	return true;
}
