/* SPDX-License-Identifier: ISC
 *
 * main_merge_server: the part of a JSON report that report_json_server.c wrote, added up.
 */
#include "main_merge.h"

#include <math.h>

/* "2024-01-05 10:00" */
static int64_t hour_of(struct str name)
{
	char full[32];
	int64_t t = 0;

	snprintf(full, sizeof(full), "%.*s:00", (int)(name.n < 16 ? name.n : 16),
		name.p ? name.p : "");
	return time_parse(full, strlen(full), &t) ? t / 3600000000LL : 0;
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
			struct group *g =
				k == GROUP_HOUR ? facts_hour(m->facts, hour_of(name) * 3600000000LL)
						: facts_group(m->facts, (enum group_kind)k,
							  names_id(&m->facts->names, name));
			add_times(&g->time, x);
			g->calls += (uint64_t)js_get_int(x, "calls");
			g->errors += (uint64_t)js_get_int(x, "errors");
			g->sessions += (uint64_t)js_get_int(x, "sessions");
			g->ended += (uint64_t)js_get_int(x, "sessions_ended");
			g->session_usec += (uint64_t)llround(js_get_real(x, "session_s") * 1e6);
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

static void read_counters(const struct counter *c, void *to, const json_t *o)
{
	for (; c->key; c++) {
		double scale = c->unit == UNIT_TIME ? 1e6 : c->unit == UNIT_MS ? 1e3 : 1;
		counter_add(c, to, (uint64_t)llround(js_get_real(o, c->key) * scale));
	}
}

static void read_kinds(struct facts *f, enum kind_of of, const json_t *list)
{
	size_t i;
	json_t *x;

	json_array_foreach(list, i, x)
	{
		struct kind_count *k = facts_kind(f, of, js_get_str(x, "name"));
		k->count += (uint64_t)js_get_int(x, "count");
		k->usec += merge_usec(x, "ms");
	}
}

static void add_slot(struct slot *m, const json_t *x)
{
	size_t k;
	json_t *n;

	m->calls += (uint64_t)js_get_int(x, "calls");
	m->usec += merge_usec(x, "ms");
	m->errors += (uint64_t)js_get_int(x, "errors");
	m->connections += (uint64_t)js_get_int(x, "connections");
	m->disconnections += (uint64_t)js_get_int(x, "disconnections");
	m->reads += (uint64_t)js_get_int(x, "reads");
	m->writes += (uint64_t)js_get_int(x, "writes");
	m->cancels += (uint64_t)js_get_int(x, "cancels");
	m->temp_files += (uint64_t)js_get_int(x, "temp_files");
	m->temp_bytes += (uint64_t)js_get_int(x, "temp_bytes");
	m->checkpoints += (uint64_t)js_get_int(x, "checkpoints");
	m->lock_usec += merge_usec(x, "lock_ms");
	json_array_foreach(json_object_get(x, "heat"), k, n) if (k < HEAT_ROWS) m->heat[k] +=
		(uint32_t)json_integer_value(n);
}

/* Seconds where the report has them; the minutes say the same. */
static void read_series(struct facts *f, const json_t *o)
{
	const json_t *seconds = json_object_get(o, "seconds");
	const json_t *minutes = json_object_get(o, "minutes");
	int64_t step = js_get_int(o, "minute_step");
	size_t i;
	json_t *x;

	if (!seconds && json_array_size(minutes))
		series_coarsen(&f->series, step > 1 ? step * 60 : 60);
	json_array_foreach(seconds ? seconds : minutes, i, x)
	{
		int64_t at = seconds ? js_get_int(x, "second") : js_get_int(x, "minute") * 60;
		add_slot(facts_slot(f, at * 1000000), x);
	}
	if (seconds) /* what has no time is in the minutes alone */
		json_array_foreach(minutes, i, x) if (js_get_int(x, "minute") == 0)
			add_slot(&f->timeless, x);
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
		read_counters(vacuum_counters, v, x);
	}
}

void merge_server(struct merger *m, const json_t *o)
{
	if (json_array_size(json_object_get(json_object_get(o, "by"), "hours")))
		facts_hours_coarsen(m->facts, js_get_int(o, "hour_step"));
	read_groups(m, json_object_get(o, "by"));
	read_faults(m, json_object_get(o, "errors"));
	read_counters(server_counters, &m->facts->server, json_object_get(o, "server"));
	read_kinds(m->facts, KIND_CHECKPOINT_CAUSE, json_object_get(o, "checkpoint_causes"));
	read_kinds(m->facts, KIND_LOCK, json_object_get(o, "lock_types"));
	add_times(&m->facts->server.sessions, json_object_get(o, "sessions"));
	read_transactions(m, json_object_get(o, "transactions"));
	read_waits(m, json_object_get(o, "waits"));
	read_deadlocks(m, json_object_get(o, "deadlocks"));
	read_vacuums(m->facts, json_object_get(o, "autovacuum"));
	read_series(m->facts, o);
}
