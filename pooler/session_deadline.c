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

static usec_t next_deadline(const struct client *c)
{
	const struct pool_settings *set = &c->lane->set;
	usec_t at = USEC_NEVER;

	switch ((enum client_state)c->state) {
	case CLIENT_LOGIN:
		return after(c->since, set->query_wait_timeout);
	case CLIENT_IDLE:
		return c->saw_request || set->client_idle_timeout
			       ? after(c->since, set->client_idle_timeout)
			       : USEC_NEVER;
	case CLIENT_WAITING:
		at = after(c->waiter.since, set->query_wait_timeout);
		if (!c->notified)
			at = earlier(at, after(c->waiter.since, set->query_wait_notify));
		return at;
	case CLIENT_LINKED:
		if (c->replication && is_busy(c))
			break; /* a stream has no end that one could wait for */
		if (c->xact_since)
			at = after(c->xact_since, set->transaction_timeout);
		if (is_busy(c))
			at = earlier(at, after(c->since, set->query_timeout));
		else if (c->server && c->server->ledger.state.status != 'I')
			at = earlier(at, after(c->since, set->idle_transaction_timeout));
		else
			at = earlier(at, after(c->since, set->client_idle_timeout));
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

/* A notice to a client that waits: for what, and who has it. */
static void notify(struct client *c, usec_t now)
{
	struct lane *l = c->lane;
	struct buf b = {0};
	char message[200], detail[300];

	c->notified = true;
	snprintf(message, sizeof message,
		"no server connection available, waiting for %.1f s for one of %d in pool \"%s\" "
		"of user \"%s\"",
		(double)(now - c->waiter.since) / USEC_SEC, l->set.limits.max_open,
		l->pool->database, l->pool->user);
	if (l->shard.n_busy) {
		const struct server *s = CONTAINER_OF(list_first(&l->shard.busy, struct slot, link),
			struct server, slot);

		snprintf(detail, sizeof detail,
			"%d are in use (the longest by client C-%llu, for %.1f s), %d being "
			"opened, %d clients wait",
			l->shard.n_busy, s->client ? (unsigned long long)s->client->id : 0ULL,
			(double)(now - s->lent) / USEC_SEC, l->shard.n_dialing, l->shard.n_waiting);
	} else {
		snprintf(detail, sizeof detail, "%d are being opened, %d clients wait%s%s",
			l->shard.n_dialing, l->shard.n_waiting,
			l->shard.paused ? ", the pool is paused" : "",
			l->last_error ? "; the last login to the server failed" : "");
	}
	wire_put_error(&b, 'N', "NOTICE", "00000", message, detail, NULL);
	client_send(c, b.data, b.len);
	buf_free(&b);
}

static void check_deadlines(struct client *c, usec_t now)
{
	const struct pool_settings *set = &c->lane->set;
	struct stats *st = &c->lane->stats;

	switch ((enum client_state)c->state) {
	case CLIENT_LOGIN:
		if (now >= after(c->since, set->query_wait_timeout)) {
			stats_add(&st->query_wait_timeouts, 1);
			client_close(c, CLOSE_QUERY_WAIT_TIMEOUT, c->lane->last_error);
		}
		break;
	case CLIENT_IDLE:
		if (now >= after(c->since, set->client_idle_timeout)) {
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
		if (c->xact_since && now >= after(c->xact_since, set->transaction_timeout)) {
			stats_add(&st->transaction_timeouts, 1);
			client_close(c, CLOSE_TRANSACTION_TIMEOUT, NULL);
		} else if (is_busy(c)) {
			if (now >= after(c->since, set->query_timeout)) {
				stats_add(&st->query_timeouts, 1);
				client_close(c, CLOSE_QUERY_TIMEOUT, NULL);
			}
		} else if (c->server && c->server->ledger.state.status != 'I') {
			if (now >= after(c->since, set->idle_transaction_timeout)) {
				stats_add(&st->idle_transaction_timeouts, 1);
				client_close(c, CLOSE_IDLE_TRANSACTION_TIMEOUT, NULL);
			}
		} else if (now >= after(c->since, set->client_idle_timeout)) {
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
	if (c->state != CLIENT_CLOSED)
		client_arm(c);
}
