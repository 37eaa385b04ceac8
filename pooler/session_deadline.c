/* SPDX-License-Identifier: ISC
 *
 * A client's deadlines.  One lazy timer for all kinds: when it fires, check_deadlines() looks
 * which of them has passed and arms it for the next.
 */
#include "session.h"

static struct relay *relay_of(const struct client *c)
{
	return c->lane->relay;
}

static usec_t after(usec_t since, usec_t span)
{
	return span ? since + span : USEC_NEVER;
}

static usec_t earlier(usec_t a, usec_t b)
{
	return a < b ? a : b;
}

/* Is a statement of this client running? */
static bool is_busy(const struct client *c)
{
	return c->server && (c->server->ledger.len > 0 || c->left);
}

/* Does it still wait, though it has a connection, for the answer to a question of ours? */
static bool is_set_up(const struct client *c)
{
	return c->server && c->server->setup;
}

static usec_t next_deadline(const struct client *c)
{
	const struct pool_settings *set = &c->lane->set;
	usec_t at = USEC_NEVER;

	switch ((enum client_state)c->state) {
	case CLIENT_LOGIN:
		return after(c->waiter.since, set->query_wait_timeout);
	case CLIENT_IDLE:
		if (UNLIKELY(c->begin != NULL)) /* in a transaction that holds no server yet */
			return earlier(after(c->xact_since, set->transaction_timeout),
				after(c->waiter.since, set->idle_transaction_timeout));
		return c->saw_request || set->client_idle_timeout
			       ? after(c->waiter.since, set->client_idle_timeout)
			       : USEC_NEVER;
	case CLIENT_WAITING:
		at = after(c->waiter.since, set->query_wait_timeout);
		if (!c->notified)
			at = earlier(at, after(c->waiter.since, set->query_wait_notify));
		return at;
	case CLIENT_LINKED:
		if (c->replication && is_busy(c))
			break; /* a stream has no end that one could wait for */
		if (is_set_up(c))
			return after(c->waiter.since, set->query_wait_timeout);
		if (c->xact_since)
			at = after(c->xact_since, set->transaction_timeout);
		if (is_busy(c))
			at = earlier(at, after(c->waiter.since, set->query_timeout));
		else if (c->server && c->server->ledger.state.status != 'I')
			at = earlier(at, after(c->waiter.since, set->idle_transaction_timeout));
		else
			at = earlier(at, after(c->waiter.since, set->client_idle_timeout));
		return at;
	case CLIENT_CLOSED:
		break;
	}
	return USEC_NEVER;
}

void client_arm_timer(struct client *c)
{
	timer_ensure(&relay_of(c)->w.timers, &c->timer, next_deadline(c));
}

/* What stands between a waiting client and a connection, besides that all are in use. */
static void put_obstacle(struct buf *b, const struct lane *l)
{
	const struct pool *p = l->pool;

	if (l->shard.paused)
		buf_put_str(b, "; the pool is paused");
	if (l->shard.starved == p->db_cap)
		buf_printf(b, "; max_db_connections = %d of database \"%s\" is reached",
			atomic_load(&p->db_cap->max), p->database);
	else if (l->shard.starved == p->user_cap)
		buf_printf(b, "; max_user_connections = %d of user \"%s\" is reached",
			atomic_load(&p->user_cap->max), p->user);
	else if (l->shard.starved == p->line_cap)
		buf_printf(b, "; max_open = %d of database \"%s\" is reached by its users together",
			atomic_load(&p->line_cap->max), p->database);
	if (l->last_error)
		buf_printf(b, "; the last login to the server failed: %s", l->last_error);
}

/* A notice to a client that waits: for what, and who has it. */
static void notify(struct client *c, usec_t now)
{
	struct lane *l = c->lane;
	struct buf b = {0}, detail = {0};
	char message[200];

	c->notified = true;
	snprintf(message, sizeof message,
		"no server connection available, waiting for %.1f s for one of %d in pool \"%s\" "
		"of user \"%s\"",
		(double)(now - c->waiter.since) / USEC_SEC, l->set.limits.max_open,
		l->pool->database, l->pool->user);
	buf_printf(&detail, "%d in use", l->shard.n_busy);
	if (l->shard.n_busy) {
		const struct server *s = CONTAINER_OF(list_first(&l->shard.busy, struct slot, link),
			struct server, slot);

		if (s->client)
			buf_printf(&detail, " (the longest by client C-%llu, for %.1f s)",
				(unsigned long long)s->client->id,
				(double)(now - s->lent) / USEC_SEC);
	}
	buf_printf(&detail, ", %d being opened, %d clients wait", l->shard.n_dialing,
		l->shard.n_waiting);
	put_obstacle(&detail, l);
	wire_put_error(&b, 'N', "NOTICE", "00000", message, buf_cstr(&detail), NULL);
	client_send(c, b.data, b.len);
	buf_free(&b);
	buf_free(&detail);
}

static bool in_transaction(const struct client *c)
{
	return c->begin || (c->server && c->server->ledger.state.status != 'I');
}

static void check_transaction(struct client *c, usec_t now)
{
	const struct pool_settings *set = &c->lane->set;
	struct stats *st = &c->lane->stats;

	if (c->xact_since && now >= after(c->xact_since, set->transaction_timeout)) {
		stats_add(&st->transaction_timeouts, 1);
		client_close(c, CLOSE_TRANSACTION_TIMEOUT, NULL);
	} else if (!is_busy(c) && in_transaction(c) &&
		   now >= after(c->waiter.since, set->idle_transaction_timeout)) {
		stats_add(&st->idle_transaction_timeouts, 1);
		client_close(c, CLOSE_IDLE_TRANSACTION_TIMEOUT, NULL);
	}
}

static void check_deadlines(struct client *c, usec_t now)
{
	const struct pool_settings *set = &c->lane->set;
	struct stats *st = &c->lane->stats;

	switch ((enum client_state)c->state) {
	case CLIENT_LOGIN:
		if (now >= after(c->waiter.since, set->query_wait_timeout)) {
			stats_add(&st->query_wait_timeouts, 1);
			client_close(c, CLOSE_QUERY_WAIT_TIMEOUT, c->lane->last_error);
		}
		break;
	case CLIENT_IDLE:
		if (UNLIKELY(c->begin != NULL))
			check_transaction(c, now);
		else if (now >= after(c->waiter.since, set->client_idle_timeout)) {
			stats_add(&st->client_idle_timeouts, 1);
			client_close(c, CLOSE_CLIENT_IDLE_TIMEOUT, NULL);
		}
		break;
	case CLIENT_WAITING:
		if (now >= after(c->waiter.since, set->query_wait_timeout)) {
			stats_add(&st->query_wait_timeouts, 1);
			client_close(c, CLOSE_QUERY_WAIT_TIMEOUT, c->lane->last_error);
		} else if (!c->notified && now >= after(c->waiter.since, set->query_wait_notify)) {
			notify(c, now);
		}
		break;
	case CLIENT_LINKED:
		if (c->replication && is_busy(c))
			break;
		if (is_set_up(c)) {
			if (now >= after(c->waiter.since, set->query_wait_timeout)) {
				stats_add(&st->query_wait_timeouts, 1);
				client_close(c, CLOSE_QUERY_WAIT_TIMEOUT,
					"its server connection does not answer the pooler");
			}
			break;
		}
		check_transaction(c, now);
		if (c->state == CLIENT_CLOSED)
			return;
		if (is_busy(c)) {
			if (now >= after(c->waiter.since, set->query_timeout)) {
				stats_add(&st->query_timeouts, 1);
				client_close(c, CLOSE_QUERY_TIMEOUT, NULL);
			}
		} else if (!in_transaction(c) &&
			   now >= after(c->waiter.since, set->client_idle_timeout)) {
			stats_add(&st->client_idle_timeouts, 1);
			client_close(c, CLOSE_CLIENT_IDLE_TIMEOUT, NULL);
		}
		break;
	case CLIENT_CLOSED:
		break;
	}
}

void client_deadline(struct timer *t)
{
	struct client *c = CONTAINER_OF(t, struct client, timer);

	if (c->state == CLIENT_CLOSED)
		return;
	check_deadlines(c, relay_of(c)->w.now);
	if (c->state != CLIENT_CLOSED && UNLIKELY(conn_has_pending(&c->conn)))
		client_continue(c); /* others had their turn */
	if (c->state != CLIENT_CLOSED)
		client_arm_timer(c);
}
