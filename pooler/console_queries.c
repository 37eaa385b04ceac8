/* SPDX-License-Identifier: ISC
 *
 * SHOW QUERIES and its like for users, databases and applications; SHOW LATENCY;
 * RESET_QUERIES.  They read the workers' stores beside them and ask nobody.
 *
 *	SHOW QUERIES 10                  the ten shapes that cost most server time
 *	SHOW QUERIES_APPLICATIONS        the same by application_name
 */
#include "console_inner.h"
#include "obs_queries.h"

/* --- QUERIES ---------------------------------------------------------------- */

static void put_query(struct request *q, const struct query_row *r, bool shapes)
{
	struct row out = row_begin(&q->answer.rows);
	struct buf cell = {0};

	for (size_t i = 0; i < query_column_count; i++) {
		if (query_columns[i].shapes_only && !shapes)
			continue;
		cell.len = 0;
		query_cell(r, i, &cell);
		if (cell.len == 0 && i != 1) /* the text of a group may be empty: no name */
			row_text(&out, NULL);
		else
			row_textn(&out, buf_cstr(&cell), cell.len);
	}
	row_end(&out);
	buf_free(&cell);
}

static void show(struct request *q, enum query_table_kind kind)
{
	const char *arg = request_arg(q, 0);
	char *end;
	unsigned long most = strtoul(arg, &end, 10);
	struct query_table t;

	if (arg[0] && (*end || most == 0)) {
		request_fail(q, "08P01", "SHOW QUERIES 10", "\"%s\" is not a number of rows", arg);
		request_done(q);
		return;
	}
	if (hub.conf->p.track_queries == TRACK_QUERIES_OFF)
		request_notice(q, "track_queries is off: nothing is counted now");
	queries_report(hub.queries, (size_t)hub.n_relays, kind, &t);
	for (size_t i = 0; i < t.count; i++)
		if (!arg[0] || i < most || t.row[i].other)
			put_query(q, &t.row[i], kind == QUERIES_SHAPES);
	query_table_release(&t);
	q->answer.tag = "SHOW";
	request_done(q);
}

void show_queries(struct request *q)
{
	show(q, QUERIES_SHAPES);
}

void show_queries_users(struct request *q)
{
	show(q, QUERIES_USERS);
}

void show_queries_databases(struct request *q)
{
	show(q, QUERIES_DATABASES);
}

void show_queries_applications(struct request *q)
{
	show(q, QUERIES_APPLICATIONS);
}

void run_reset_queries(struct request *q)
{
	for (int i = 0; i < hub.n_relays; i++)
		queries_reset(hub.queries[i]);
	q->answer.tag = "RESET_QUERIES";
	request_done(q);
}

/* --- LATENCY ---------------------------------------------------------------- */

static void put_hist(struct row *r, const struct hist *h)
{
	row_uint(r, h->count);
	row_uint(r, h->count ? h->sum / h->count : 0);
	row_uint(r, hist_quantile(h, 0.5));
	row_uint(r, hist_quantile(h, 0.95));
	row_uint(r, hist_quantile(h, 0.99));
	row_uint(r, h->max);
}

void show_latency(struct request *q)
{
	struct list *l;

	list_each (l, &hub.pools) {
		struct pool *p = list_entry(l, struct pool, link);
		struct hist wait = {0}, server = {0};
		struct row r;

		for (int i = 0; i < p->n_lanes; i++) {
			lane_waits(p->lanes[i], &wait);
			hist_merge(&server, &p->lanes[i]->server);
		}
		r = row_begin(&q->answer.rows);
		row_text(&r, p->database);
		row_text(&r, p->user);
		put_hist(&r, &wait);
		put_hist(&r, &server);
		row_end(&r);
		hist_release(&wait);
		hist_release(&server);
	}
	q->answer.tag = "SHOW";
	request_done(q);
}
