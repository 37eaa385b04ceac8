/* SPDX-License-Identifier: ISC
 *
 * report_json_server: the part of the JSON report that is about the server and its clients:
 * errors, groups, time series, transactions, locks, maintenance.
 */
#include "report_json.h"

static json_t *json_shape_id(const struct report *r, uint32_t shape)
{
	return shape != NO_SHAPE ? js_str(str_of(r->facts->shape.at[shape]->id)) : json_null();
}

struct str report_group_name(struct report *r, const struct group *g)
{
	char at[32];

	if (g->kind != GROUP_HOUR)
		return utf8_clean(&r->arena, facts_name(r->facts, g->name));
	time_format((int64_t)g->name * 3600000000LL, at, sizeof(at));
	return arena_printf(&r->arena, "%.16s", at);
}

static json_t *json_groups(struct report *r)
{
	json_t *o = json_object();

	for (int k = 0; k < GROUP_KINDS; k++)
		js_set(o, group_kind_name((enum group_kind)k), json_array());
	for (size_t i = 0; i < r->facts->group.n; i++) {
		const struct group *g = &r->facts->group.at[i];
		if (g->kind == GROUP_KINDS)
			continue;
		json_t *x = json_object();
		js_set(x, "name", js_str(report_group_name(r, g)));
		js_set(x, "calls", js_int((int64_t)g->calls));
		json_quantiles(x, &g->time);
		js_set(x, "sketch", json_sketch(&g->time));
		json_set_if(x, "errors", g->errors);
		json_set_if(x, "sessions", g->sessions);
		json_set_if(x, "sessions_ended", g->ended);
		if (g->ended)
			js_set(x, "session_s", js_real((double)g->session_usec / 1e6));
		js_add(json_object_get(o, group_kind_name(g->kind)), x);
	}
	return o;
}

static json_t *json_faults(struct report *r)
{
	json_t *a = json_array();

	for (size_t i = 0; i < r->facts->fault.n; i++) {
		const struct fault *f = &r->facts->fault.at[i];
		json_t *o = json_object();
		js_set(o, "sqlstate", *f->state ? js_str(str_of(f->state)) : json_null());
		if (f->state_inferred && *f->state)
			js_set(o, "sqlstate_inferred", json_true());
		js_set(o, "severity", js_str(str_of(log_severity_name(f->severity))));
		js_set(o, "message", js_str(report_fault(r, f)));
		js_set(o, "count", js_int((int64_t)f->count));
		js_set(o, "shape", json_shape_id(r, f->shape));
		js_set(o, "first", json_time(f->first_ts));
		js_set(o, "last", json_time(f->last_ts));
		js_set(o, "locations", json_places(r, &f->at, 1));
		js_add(a, o);
	}
	return a;
}

size_t report_sqlstates(struct report *r, struct sqlstate_count **out)
{
	struct facts *f = r->facts;
	struct sqlstate_count *c = ARENA_ARRAY(&r->arena, struct sqlstate_count, f->fault.n + 1);
	size_t n = 0, k;

	for (size_t i = 0; i < f->fault.n; i++) {
		for (k = 0; k < n && strcmp(c[k].state, f->fault.at[i].state) != 0;)
			k++;
		if (k == n)
			c[n++].state = f->fault.at[i].state;
		c[k].count += f->fault.at[i].count;
	}
	for (size_t i = 1; i < n; i++) /* few; the most frequent first */
		for (k = i; k > 0 && c[k - 1].count < c[k].count; k--) {
			struct sqlstate_count t = c[k];
			c[k] = c[k - 1];
			c[k - 1] = t;
		}
	*out = c;
	return n;
}

static json_t *json_sqlstates(struct report *r)
{
	struct sqlstate_count *c;
	size_t n = report_sqlstates(r, &c);
	json_t *a = json_array();

	for (size_t i = 0; i < n; i++) {
		json_t *o = json_object();
		js_set(o, "sqlstate", *c[i].state ? js_str(str_of(c[i].state)) : json_null());
		js_set(o, "condition", js_str(str_of(sqlstate_name(c[i].state))));
		js_set(o, "count", js_int((int64_t)c[i].count));
		js_add(a, o);
	}
	return a;
}

json_t *json_counter(const struct counter *c, const void *of)
{
	uint64_t v = counter_get(c, of);

	switch (c->unit) {
	case UNIT_TIME:
		return js_real((double)v / 1e6);
	case UNIT_MS:
		return js_real((double)v / 1e3);
	case UNIT_COUNT:
	case UNIT_BYTES:
		break;
	}
	return js_int((int64_t)v);
}

static json_t *json_counters(const struct counter *c, const void *of)
{
	json_t *o = json_object();

	for (; c->key; c++)
		js_set(o, c->key, json_counter(c, of));
	return o;
}

static json_t *json_kinds(const struct facts *f, enum kind_of of)
{
	json_t *a = json_array();

	for (size_t i = 0; i < f->kind.n; i++) {
		const struct kind_count *k = &f->kind.at[i];
		if (k->of != of)
			continue;
		json_t *o = json_object();
		js_set(o, "name", js_str(k->name));
		js_set(o, "count", js_int((int64_t)k->count));
		js_set(o, "ms", js_real(json_ms((double)k->usec)));
		js_add(a, o);
	}
	return a;
}

/* The rows of a series; `key`: what `at` is called. */
static json_t *json_series(const struct series *s, const char *key, int64_t unit)
{
	json_t *a = json_array();

	for (size_t i = 0; i < s->row.n; i++) {
		const struct slot *m = &s->row.at[i];
		json_t *o = json_object(), *heat = json_array();
		js_set(o, key, js_int(m->at * unit));
		js_set(o, "calls", js_int((int64_t)m->calls));
		js_set(o, "ms", js_real(json_ms((double)m->usec)));
		js_set(o, "errors", js_int((int64_t)m->errors));
		js_set(o, "connections", js_int((int64_t)m->connections));
		json_set_if(o, "disconnections", m->disconnections);
		js_set(o, "reads", js_int((int64_t)m->reads));
		js_set(o, "writes", js_int((int64_t)m->writes));
		json_set_if(o, "cancels", m->cancels);
		json_set_if(o, "temp_files", m->temp_files);
		json_set_if(o, "temp_bytes", m->temp_bytes);
		json_set_if(o, "checkpoints", m->checkpoints);
		if (m->lock_usec)
			js_set(o, "lock_ms", js_real(json_ms((double)m->lock_usec)));
		int last = HEAT_ROWS;
		while (last > 0 && m->heat[last - 1] == 0)
			last--;
		for (int k = 0; k < last; k++)
			js_add(heat, js_int(m->heat[k]));
		js_set(o, "heat", heat);
		js_add(a, o);
	}
	return a;
}

static json_t *json_tx(struct report *r, const struct tx *t)
{
	json_t *o = json_object();

	js_set(o, "begin", json_time(t->begin));
	js_set(o, "ms", js_real(json_ms((double)t->usec)));
	js_set(o, "busy_ms", js_real(json_ms((double)t->busy)));
	js_set(o, "statements", js_int((int64_t)t->statements));
	js_set(o, "rolled_back", json_boolean(t->rolled_back));
	js_set(o, "user", js_str(facts_name(r->facts, t->user)));
	js_set(o, "database", js_str(facts_name(r->facts, t->db)));
	js_set(o, "application", js_str(facts_name(r->facts, t->app)));
	js_set(o, "shape", json_shape_id(r, t->shape));
	js_set(o, "locations", json_places(r, &t->at, 1));
	return o;
}

/* Times of many, with the sketch that lets reports be merged. */
static json_t *json_times(const struct sketch *s)
{
	json_t *o = json_object();

	js_set(o, "count", js_int((int64_t)s->total));
	json_quantiles(o, s);
	js_set(o, "sketch", json_sketch(s));
	return o;
}

static json_t *json_transactions(struct report *r)
{
	const struct tx_facts *x = &r->facts->tx;
	json_t *o = json_object();

	js_set(o, "count", js_int((int64_t)x->count));
	js_set(o, "rollbacks", js_int((int64_t)x->rollbacks));
	js_set(o, "statements", js_int((int64_t)x->statements));
	js_set(o, "time", json_times(&x->time));
	js_set(o, "idle", json_times(&x->idle));
	for (int k = 0; k < TX_ORDERS; k++) {
		json_t *a = json_array();
		for (uint32_t i = 0; i < x->tops[k]; i++)
			js_add(a, json_tx(r, &x->top[k][i]));
		js_set(o, tx_order_name((enum tx_order)k), a);
	}
	return o;
}

static json_t *json_waits(struct report *r)
{
	json_t *a = json_array();

	for (size_t i = 0; i < r->facts->wait.n; i++) {
		const struct wait_edge *w = &r->facts->wait.at[i];
		json_t *o = json_object();
		js_set(o, "waiter", json_shape_id(r, w->waiter));
		js_set(o, "holder", json_shape_id(r, w->holder));
		js_set(o, "waits", js_int((int64_t)w->waits));
		js_set(o, "ms", js_real(json_ms((double)w->usec)));
		js_set(o, "deadlocks", js_int((int64_t)w->deadlocks));
		js_set(o, "lock", w->lock.p ? js_str(w->lock) : json_null());
		js_set(o, "locations", json_places(r, &w->at, 1));
		js_add(a, o);
	}
	return a;
}

static json_t *json_deadlocks(struct report *r)
{
	json_t *a = json_array();

	for (size_t i = 0; i < r->facts->deadlock.n; i++) {
		const struct deadlock *d = &r->facts->deadlock.at[i];
		json_t *o = json_object(), *sides = json_array();
		js_set(o, "count", js_int((int64_t)d->count));
		js_set(o, "first", json_time(d->first_ts));
		js_set(o, "last", json_time(d->last_ts));
		for (uint32_t k = 0; k < d->sides; k++) {
			const struct deadlock_side *s = &d->side[k];
			json_t *x = json_object();
			js_set(x, "pid", js_int(s->pid));
			js_set(x, "blocked_by", js_int(s->blocked_by));
			js_set(x, "lock", s->lock.p ? js_str(s->lock) : json_null());
			js_set(x, "shape", json_shape_id(r, s->shape));
			js_add(sides, x);
		}
		js_set(o, "processes", sides);
		js_set(o, "locations", json_places(r, &d->at, 1));
		js_add(a, o);
	}
	return a;
}

static json_t *json_vacuums(const struct facts *f)
{
	json_t *a = json_array();

	for (size_t i = 0; i < f->vacuum.n; i++) {
		const struct vacuumed *v = &f->vacuum.at[i];
		json_t *o = json_object();
		js_set(o, "table", js_str(v->table));
		for (const struct counter *c = vacuum_counters; c->key; c++)
			js_set(o, c->key, json_counter(c, v));
		js_add(a, o);
	}
	return a;
}

void json_add_server(struct report *r, json_t *o)
{
	js_set(o, "errors", json_faults(r));
	js_set(o, "sqlstates", json_sqlstates(r));
	js_set(o, "by", json_groups(r));
	js_set(o, "hour_step", js_int(r->facts->hour_step ? r->facts->hour_step : 1));
	js_set(o, "server", json_counters(server_counters, &r->facts->server));
	js_set(o, "checkpoint_causes", json_kinds(r->facts, KIND_CHECKPOINT_CAUSE));
	js_set(o, "lock_types", json_kinds(r->facts, KIND_LOCK));
	js_set(o, "sessions", json_times(&r->facts->server.sessions));
	js_set(o, "transactions", json_transactions(r));
	js_set(o, "waits", json_waits(r));
	js_set(o, "deadlocks", json_deadlocks(r));
	js_set(o, "autovacuum", json_vacuums(r->facts));
	js_set(o, "minute_step", js_int(r->facts->minutes.step / 60));
	js_set(o, "minutes",
		json_series(&r->facts->minutes, "minute", r->facts->minutes.step / 60));
	if (r->facts->series.step == 1)
		js_set(o, "seconds", json_series(&r->facts->series, "second", 1));
}
