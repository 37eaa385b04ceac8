/* SPDX-License-Identifier: ISC
 *
 * A snapshot as the status page's JSON.  Totals are since the start; `recent` and the
 * quantiles are of the time since the snapshot before, so that the page shows what is, not
 * what was on average.
 */
#include "obs_http.h"

#include <jansson.h>
#include <time.h>

#define TOP_QUERIES 25

static json_t *number(uint64_t v)
{
	return json_integer((json_int_t)(v > INT64_MAX ? INT64_MAX : v));
}

static uint64_t less(uint64_t a, uint64_t b)
{
	return a > b ? a - b : 0;
}

/* {"p50": …} of what was added since; all microseconds. */
static json_t *quantiles(const struct hist *now, const struct hist *before)
{
	struct hist h = {0};
	json_t *j = json_object();

	hist_merge(&h, now);
	if (before)
		hist_subtract(&h, before);
	json_object_set_new(j, "count", number(h.count));
	json_object_set_new(j, "mean", number(h.count ? h.sum / h.count : 0));
	json_object_set_new(j, "p50", number(hist_quantile(&h, 0.5)));
	json_object_set_new(j, "p95", number(hist_quantile(&h, 0.95)));
	json_object_set_new(j, "p99", number(hist_quantile(&h, 0.99)));
	json_object_set_new(j, "max", number(hist_quantile(&h, 1)));
	hist_release(&h);
	return j;
}

static const struct obs_pool_row *same_pool(const struct obs_snapshot *s,
	const struct obs_pool_row *p)
{
	for (size_t i = 0; s && i < s->pool_count; i++)
		if (strcmp(s->pool[i].database, p->database) == 0 &&
			strcmp(s->pool[i].user, p->user) == 0)
			return &s->pool[i];
	return NULL;
}

static json_t *counts(const struct obs_pool_row *p)
{
	json_t *j = json_object(), *e = json_object();

	for (size_t i = 0; i < stats_row_count; i++) {
		uint64_t v;
		memcpy(&v, (const char *)&p->stats + stats_rows[i].offset, sizeof v);
		json_object_set_new(j, stats_rows[i].field, number(v));
	}
	for (size_t i = 0; i < stats_error_count; i++)
		if (p->stats.errors[i])
			json_object_set_new(e, stats_error_class[i], number(p->stats.errors[i]));
	json_object_set_new(j, "errors", e);
	return j;
}

static json_t *pool(const struct obs_pool_row *p, const struct obs_pool_row *before, double seconds)
{
	static const struct stats none;
	const struct stats *b = before ? &before->stats : &none;
	json_t *j = json_pack("{s:s%,s:s%,s:s,s:b,s:b,s:i}", "database", p->database,
		strlen(p->database), "user", p->user, strlen(p->user), "mode",
		p->mode ? p->mode : "", "paused", (int)p->paused, "disabled", (int)p->disabled,
		"max_open", (int)p->max_open);

	if (!j) /* a name that is not UTF-8 */
		j = json_pack("{s:s,s:s,s:s,s:i}", "database", "?", "user", "?", "mode",
			p->mode ? p->mode : "", "max_open", (int)p->max_open);
	json_object_set_new(j, "clients",
		json_pack("{s:i,s:i,s:i,s:i}", "active", (int)p->cl_active, "waiting",
			(int)p->cl_waiting, "idle", (int)p->cl_idle, "cancel", (int)p->cl_cancel));
	json_object_set_new(j, "servers",
		json_pack("{s:i,s:i,s:i,s:i,s:i,s:i}", "active", (int)p->sv_active, "idle",
			(int)p->sv_idle, "used", (int)p->sv_used, "tested", (int)p->sv_tested,
			"login", (int)p->sv_login, "cancel", (int)p->sv_cancel));
	json_object_set_new(j, "maxwait_us", number(p->maxwait_us));
	if (p->error) {
		json_t *error = json_string(p->error);

		json_object_set_new(j, "error",
			error ? error : json_string("the server refuses our login"));
	}
	json_object_set_new(j, "wait_us", quantiles(&p->wait, before ? &before->wait : NULL));
	json_object_set_new(j, "server_us", quantiles(&p->server, before ? &before->server : NULL));
	json_object_set_new(j, "recent",
		json_pack("{s:f,s:f,s:f,s:f,s:f}", "transactions_s",
			(double)less(p->stats.xact_count, b->xact_count) / seconds, "queries_s",
			(double)less(p->stats.query_count, b->query_count) / seconds, "received_s",
			(double)less(p->stats.bytes_received, b->bytes_received) / seconds,
			"sent_s", (double)less(p->stats.bytes_sent, b->bytes_sent) / seconds,
			"busy", (double)less(p->stats.xact_time, b->xact_time) / 1e6 / seconds));
	json_object_set_new(j, "totals", counts(p));
	return j;
}

static json_t *query(const struct query_row *r)
{
	struct buf b = {0};
	json_t *j = json_object();

	for (size_t i = 0; i < query_column_count; i++) {
		json_t *v;
		b.len = 0;
		if (r->other && query_columns[i].shapes_only)
			continue;
		query_cell(r, i, &b);
		v = query_columns[i].number ? number(strtoull(buf_cstr(&b), NULL, 10))
					    : json_stringn(buf_cstr(&b), b.len);
		if (!v) /* a text that is not UTF-8 */
			v = json_string("?");
		json_object_set_new(j, query_columns[i].name, v);
	}
	buf_free(&b);
	return j;
}

static json_t *queries(const struct obs_snapshot *s)
{
	struct query_table t;
	json_t *j = json_array();

	if (s->query_count == 0)
		return j;
	queries_report(s->queries, s->query_count, QUERIES_SHAPES, &t);
	for (size_t i = 0; i < t.count; i++)
		if (i < TOP_QUERIES || t.row[i].other)
			json_array_append_new(j, query(&t.row[i]));
	query_table_release(&t);
	return j;
}

static json_t *workers(const struct obs_snapshot *s)
{
	json_t *j = json_array();

	for (size_t i = 0; i < s->worker_count; i++) {
		const struct obs_worker_row *w = &s->worker[i];
		json_array_append_new(j,
			json_pack("{s:i,s:i,s:I,s:I}", "clients", (int)w->clients, "servers",
				(int)w->servers, "ticks", (json_int_t)w->ticks, "lag_max_us",
				(json_int_t)w->lag_max_us));
	}
	return j;
}

void status_put(struct buf *out, const struct obs_snapshot *now, const struct obs_snapshot *before)
{
	const struct obs_process *p = &now->process;
	usec_t wall = clock_wall();
	double seconds = before ? (double)(now->taken - before->taken) / 1e6
				: (double)less(wall, p->started) / 1e6;
	json_t *j, *pools = json_array();
	char *text;

	if (seconds < 0.001)
		seconds = 0.001;
	for (size_t i = 0; i < now->pool_count; i++)
		json_array_append_new(pools,
			pool(&now->pool[i], same_pool(before, &now->pool[i]), seconds));
	j = json_pack("{s:s,s:I,s:f,s:f,s:b,s:b,s:s,s:i,s:i,s:i}", "version",
		p->version ? p->version : "", "now", (json_int_t)(wall / USEC_SEC), "uptime_s",
		(double)less(wall, p->started) / 1e6, "window_s", seconds, "healthy",
		(int)p->healthy, "ready", (int)p->ready, "reason", p->reason ? p->reason : "",
		"clients", (int)p->clients, "clients_login", (int)p->clients_login,
		"max_client_conn", (int)p->max_client_conn);
	json_object_set_new(j, "login_failures", number(p->login_failures));
	json_object_set_new(j, "integrity_closes", number(p->integrity_closes));
	json_object_set_new(j, "query_log",
		json_pack("{s:I,s:I,s:I,s:I}", "lines", (json_int_t)p->qlog.lines, "bytes",
			(json_int_t)p->qlog.bytes, "dropped", (json_int_t)p->qlog.dropped,
			"write_errors", (json_int_t)p->qlog.write_errors));
	json_object_set_new(j, "pools", pools);
	json_object_set_new(j, "workers", workers(now));
	json_object_set_new(j, "queries", queries(now));
	text = json_dumps(j, JSON_COMPACT);
	buf_put_str(out, text ? text : "{}");
	free(text);
	json_decref(j);
}
