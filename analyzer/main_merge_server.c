/* SPDX-License-Identifier: ISC
 *
 * main_merge_server: the part of a JSON report that report_json_server.c wrote, added up.
 */
#include "main_merge.h"

#include <math.h>

/* "2024-01-05 10:00" */
static uint32_t hour_of(struct str name)
{
	char full[32];
	int64_t t = 0;

	snprintf(full, sizeof(full), "%.*s:00", (int)(name.n < 16 ? name.n : 16),
		name.p ? name.p : "");
	return time_parse(full, strlen(full), &t) ? (uint32_t)(t / 3600000000LL) : 0;
}

static void add_times(struct sketch *into, const json_t *o)
{
	struct sketch part = {0};

	report_read_sketch(o, &part);
	sketch_merge(into, &part);
	sketch_release(&part);
}

static void read_groups(struct merger *m, const json_t *by)
{
	for (int k = 0; k < GROUP_KINDS; k++) {
		size_t i;
		json_t *x;
		json_array_foreach(json_object_get(by, group_kind_name((enum group_kind)k)), i, x)
		{
			struct str name = js_get_str(x, "name");
			uint32_t id =
				k == GROUP_HOUR ? hour_of(name) : names_id(&m->facts->names, name);
			struct group *g = facts_group(m->facts, (enum group_kind)k, id);
			add_times(&g->time, x);
			g->calls += (uint64_t)js_get_int(x, "calls");
			g->errors += (uint64_t)js_get_int(x, "errors");
			g->sessions += (uint64_t)js_get_int(x, "sessions");
		}
	}
}

static enum log_severity severity_named(struct str name)
{
	for (int s = SEV_NONE; s <= SEV_PANIC; s++)
		if (str_is(name, log_severity_name((enum log_severity)s)))
			return (enum log_severity)s;
	return SEV_NONE;
}

static void read_faults(struct merger *m, const json_t *list)
{
	size_t i;
	json_t *x;

	json_array_foreach(list, i, x)
	{
		uint32_t shape = merge_shape(m, js_get_str(x, "shape"), NULL);
		struct fault *y = facts_fault(m->facts, js_get_str(x, "sqlstate"),
			js_get_str(x, "message"), severity_named(js_get_str(x, "severity")));
		if (y->count == 0) {
			y->state_inferred = json_is_true(json_object_get(x, "sqlstate_inferred"));
			y->at = merge_place(m, json_object_get(x, "locations"));
		}
		if (y->shape == NO_SHAPE)
			y->shape = shape;
		merge_widen(&y->first_ts, &y->last_ts, x);
		y->count += (uint64_t)js_get_int(x, "count");
	}
}

static void read_server(struct server_facts *s, const json_t *o)
{
	s->connections += (uint64_t)js_get_int(o, "connections");
	s->disconnections += (uint64_t)js_get_int(o, "disconnections");
	s->session_usec += (uint64_t)llround(js_get_real(o, "session_s") * 1e6);
	s->checkpoints += (uint64_t)js_get_int(o, "checkpoints");
	s->checkpoint_buffers += (uint64_t)js_get_int(o, "checkpoint_buffers");
	s->checkpoint_usec += (uint64_t)llround(js_get_real(o, "checkpoint_s") * 1e6);
	s->checkpoint_warnings += (uint64_t)js_get_int(o, "checkpoint_warnings");
	s->vacuums += (uint64_t)js_get_int(o, "autovacuums");
	s->analyzes += (uint64_t)js_get_int(o, "autoanalyzes");
	s->temp_files += (uint64_t)js_get_int(o, "temp_files");
	s->temp_bytes += (uint64_t)js_get_int(o, "temp_bytes");
	s->lock_waits += (uint64_t)js_get_int(o, "lock_waits");
	s->lock_usec += (uint64_t)llround(js_get_real(o, "lock_wait_s") * 1e6);
	s->deadlocks += (uint64_t)js_get_int(o, "deadlocks");
	s->cancels += (uint64_t)js_get_int(o, "cancels");
	s->vacuum_usec += (uint64_t)llround(js_get_real(o, "autovacuum_s") * 1e6);
	s->idle_timeouts += (uint64_t)js_get_int(o, "idle_in_transaction_timeouts");
	for (int c = 0; c < CANCEL_CAUSES; c++) {
		char key[40];
		snprintf(key, sizeof(key), "cancels_%s", cancel_cause_name((enum cancel_cause)c));
		s->cancel_by[c] += (uint64_t)js_get_int(o, key);
	}
}

static void read_minutes(struct facts *f, const json_t *list)
{
	size_t i, k;
	json_t *x, *n;

	json_array_foreach(list, i, x)
	{
		struct minute *m = facts_minute(f, js_get_int(x, "minute") * 60000000);
		m->calls += (uint64_t)js_get_int(x, "calls");
		m->usec += merge_usec(x, "ms");
		m->errors += (uint64_t)js_get_int(x, "errors");
		m->connections += (uint64_t)js_get_int(x, "connections");
		m->reads += (uint64_t)js_get_int(x, "reads");
		m->writes += (uint64_t)js_get_int(x, "writes");
		m->temp_bytes += (uint64_t)js_get_int(x, "temp_bytes");
		m->checkpoints += (uint64_t)js_get_int(x, "checkpoints");
		m->lock_usec += merge_usec(x, "lock_ms");
		json_array_foreach(json_object_get(x, "heat"), k, n) if (k < HEAT_ROWS)
			m->heat[k] += (uint32_t)json_integer_value(n);
	}
}

static void read_transactions(struct merger *m, const json_t *o)
{
	struct tx_facts *t = &m->facts->tx;
	size_t i;
	json_t *x;

	t->count += (uint64_t)js_get_int(o, "count");
	t->rollbacks += (uint64_t)js_get_int(o, "rollbacks");
	t->statements += (uint64_t)js_get_int(o, "statements");
	add_times(&t->time, json_object_get(o, "time"));
	add_times(&t->idle, json_object_get(o, "idle"));
	for (int k = 0; k < TX_ORDERS; k++)
		json_array_foreach(json_object_get(o, tx_order_name((enum tx_order)k)), i, x)
		{
			struct tx one = {.begin = merge_time(x, "begin"),
				.usec = merge_usec(x, "ms"),
				.busy = merge_usec(x, "busy_ms"),
				.statements = (uint64_t)js_get_int(x, "statements"),
				.rolled_back = json_is_true(json_object_get(x, "rolled_back")),
				.user = names_id(&m->facts->names, js_get_str(x, "user")),
				.db = names_id(&m->facts->names, js_get_str(x, "database")),
				.app = names_id(&m->facts->names, js_get_str(x, "application")),
				.shape = merge_shape(m, js_get_str(x, "shape"), NULL),
				.at = merge_place(m, json_object_get(x, "locations"))};
			facts_add_tx(m->facts, (enum tx_order)k, &one);
		}
}

static void read_waits(struct merger *m, const json_t *list)
{
	size_t i;
	json_t *x;

	json_array_foreach(list, i, x)
	{
		struct wait_edge *w =
			facts_wait(m->facts, merge_shape(m, js_get_str(x, "waiter"), NULL),
				merge_shape(m, js_get_str(x, "holder"), NULL));
		if (!w->waits && !w->deadlocks) {
			struct str lock = js_get_str(x, "lock");
			w->lock = lock.p ? arena_str(&m->facts->arena, lock) : STR_NONE;
			w->at = merge_place(m, json_object_get(x, "locations"));
		}
		w->waits += (uint64_t)js_get_int(x, "waits");
		w->usec += merge_usec(x, "ms");
		w->deadlocks += (uint64_t)js_get_int(x, "deadlocks");
	}
}

static void read_deadlocks(struct merger *m, const json_t *list)
{
	struct facts *f = m->facts;
	size_t i, k;
	json_t *x, *y;

	json_array_foreach(list, i, x)
	{
		struct deadlock d = {.count = (uint64_t)js_get_int(x, "count"),
			.at = merge_place(m, json_object_get(x, "locations"))};
		merge_widen(&d.first_ts, &d.last_ts, x);
		json_array_foreach(json_object_get(x, "processes"), k, y) if (k < DEADLOCK_SIDES)
		{
			struct str lock = js_get_str(y, "lock");
			d.side[d.sides++] = (struct deadlock_side){.pid = js_get_int(y, "pid"),
				.blocked_by = js_get_int(y, "blocked_by"),
				.lock = lock.p ? arena_str(&f->arena, lock) : STR_NONE,
				.shape = merge_shape(m, js_get_str(y, "shape"), NULL)};
		}
		d.key = facts_deadlock_key(f, &d);
		facts_deadlock(f, &d);
	}
}

static void read_vacuums(struct facts *f, const json_t *list)
{
	size_t i;
	json_t *x;

	json_array_foreach(list, i, x)
	{
		struct vacuumed *v = facts_vacuumed(f, js_get_str(x, "table"));
		v->vacuums += (uint64_t)js_get_int(x, "vacuums");
		v->analyzes += (uint64_t)js_get_int(x, "analyzes");
		v->usec += merge_usec(x, "ms");
		v->tuples += (uint64_t)js_get_int(x, "tuples_removed");
	}
}

void merge_server(struct merger *m, const json_t *o)
{
	read_groups(m, json_object_get(o, "by"));
	read_faults(m, json_object_get(o, "errors"));
	read_server(&m->facts->server, json_object_get(o, "server"));
	add_times(&m->facts->server.sessions, json_object_get(o, "sessions"));
	read_transactions(m, json_object_get(o, "transactions"));
	read_waits(m, json_object_get(o, "waits"));
	read_deadlocks(m, json_object_get(o, "deadlocks"));
	read_vacuums(m->facts, json_object_get(o, "autovacuum"));
	read_minutes(m->facts, json_object_get(o, "minutes"));
}
