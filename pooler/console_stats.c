/* SPDX-License-Identifier: ISC
 *
 * SHOW STATS and its kin.  Totals are read from the lanes' counters, which any thread may
 * do.  Averages are over the time since the last but one tick of stats_period, so that they
 * span between one and two periods, as PgBouncer's; each tick also writes the log_stats line.
 */
#include "console_inner.h"

/* What a database had counted at the last tick and at the one before it. */
struct past {
	struct list link;
	char *database; /* NULL: all */
	struct stats newer, older;
};

static struct list pasts;
static usec_t newer_at, older_at; /* monotonic */
static ev_timer tick;

static const struct field {
	const char *total; /* TOTALS' word */
	size_t offset;
	char kind; /* of its average: 's' a second, 'x' 'q' 'w' per transaction, query, assignment
		    */
} fields[] = {
	{"server_assignment_count", offsetof(struct stats, server_assignment_count), 's'},
	{"xact_count", offsetof(struct stats, xact_count), 's'},
	{"query_count", offsetof(struct stats, query_count), 's'},
	{"client_bytes", offsetof(struct stats, bytes_received), 's'},
	{"server_bytes", offsetof(struct stats, bytes_sent), 's'},
	{"xact_time", offsetof(struct stats, xact_time), 'x'},
	{"query_time", offsetof(struct stats, query_time), 'q'},
	{"wait_time", offsetof(struct stats, wait_time), 'w'},
	{"ps_client_parse_count", offsetof(struct stats, client_parse_count), 's'},
	{"ps_server_parse_count", offsetof(struct stats, server_parse_count), 's'},
	{"ps_bind_count", offsetof(struct stats, bind_count), 's'},
};

static uint64_t field_get(const struct stats *s, size_t i)
{
	uint64_t v;

	memcpy(&v, (const char *)s + fields[i].offset, sizeof v);
	return v;
}

/* All that a database (NULL: the process) has counted. */
static void gather(const char *database, struct stats *out)
{
	struct list *l;

	memset(out, 0, sizeof *out);
	hub_stats_of_gone(database, out);
	list_each (l, &hub.pools) {
		struct pool *p = list_entry(l, struct pool, link);

		if (database && strcmp(p->database, database) != 0)
			continue;
		for (int i = 0; i < p->n_lanes; i++)
			stats_merge(out, &p->lanes[i]->stats);
	}
}

static struct past *past_of(const char *database)
{
	struct list *l;
	struct past *p;

	list_each (l, &pasts) {
		p = list_entry(l, struct past, link);
		if (database == p->database ||
			(database && p->database && strcmp(database, p->database) == 0))
			return p;
	}
	p = mem_zalloc(sizeof *p);
	p->database = database ? mem_strdup(database) : NULL;
	list_push_back(&pasts, &p->link);
	return p;
}

static uint64_t average(const struct stats *now, const struct stats *old, usec_t span, size_t i)
{
	uint64_t grown, by;

	/* its last pool went and it counts from 0 again */
	if (stats_get(&now->server_assignment_count) < stats_get(&old->server_assignment_count))
		return 0;
	grown = field_get(now, i);
	grown -= grown < field_get(old, i) ? grown : field_get(old, i);
	switch (fields[i].kind) {
	case 'x':
		by = now->xact_count - old->xact_count;
		break;
	case 'q':
		by = now->query_count - old->query_count;
		break;
	case 'w':
		by = now->server_assignment_count - old->server_assignment_count;
		break;
	default:
		return span ? (uint64_t)((double)grown * (double)USEC_SEC / (double)span) : 0;
	}
	return by ? grown / by : 0;
}

/* --- ticks -------------------------------------------------------------------------- */

static void log_stats(const struct past *all)
{
	usec_t span = newer_at - older_at;
	uint64_t v[ARRAY_LEN(fields)];

	for (size_t i = 0; i < ARRAY_LEN(fields); i++)
		v[i] = average(&all->newer, &all->older, span, i);
	log_line(LOG_PART_MAIN, LOG_LEVEL_INFO,
		"stats: %llu xacts/s, %llu queries/s, %llu client parses/s, %llu server parses/s, "
		"%llu binds/s, in %llu B/s, out %llu B/s, xact %llu us, query %llu us, wait %llu "
		"us",
		(unsigned long long)v[1], (unsigned long long)v[2], (unsigned long long)v[8],
		(unsigned long long)v[9], (unsigned long long)v[10], (unsigned long long)v[3],
		(unsigned long long)v[4], (unsigned long long)v[5], (unsigned long long)v[6],
		(unsigned long long)v[7]);
}

static void take(struct past *p)
{
	p->older = p->newer;
	gather(p->database, &p->newer);
}

static bool has_pool(const char *database)
{
	struct list *l;

	list_each (l, &hub.pools)
		if (strcmp(list_entry(l, struct pool, link)->database, database) == 0)
			return true;
	return false;
}

static void forget(struct past *p)
{
	list_del(&p->link);
	free(p->database);
	free(p);
}

static void on_tick(struct ev_loop *loop, ev_timer *t, int revents)
{
	struct list *l, *next;

	(void)loop;
	(void)t;
	(void)revents;
	older_at = newer_at;
	newer_at = clock_mono();
	list_each (l, &hub.pools)
		past_of(list_entry(l, struct pool, link)->database);
	list_each_safe (l, next, &pasts) {
		struct past *p = list_entry(l, struct past, link);

		if (p->database && !has_pool(p->database))
			forget(p);
		else
			take(p);
	}
	if (hub.conf->p.log_stats)
		log_stats(past_of(NULL));
}

static double period(void)
{
	usec_t p = hub.conf->p.stats_period;

	return (double)(p ? p : 60 * USEC_SEC) / USEC_SEC;
}

void console_stats_start(void)
{
	list_init(&pasts);
	past_of(NULL);
	newer_at = older_at = clock_mono();
	ev_timer_init(&tick, on_tick, period(), period());
	ev_timer_start(hub.front.loop, &tick);
}

void console_stats_reload(void)
{
	if (tick.repeat == period())
		return;
	tick.repeat = period();
	ev_timer_again(hub.front.loop, &tick);
}

/* --- SHOW ------------------------------------------------------------------------------ */

enum { TOTALS = 1, AVERAGES = 2 };

static void put_database(struct request *q, const char *database, unsigned what)
{
	struct row r = row_begin(&q->answer.rows);
	struct stats now = {0}, none = {0};
	const struct stats *old = &none;
	usec_t span = clock_mono() - older_at;

	row_text(&r, database);
	if (!conf_is_console(database)) {
		gather(database, &now);
		old = &past_of(database)->older;
	}
	for (size_t i = 0; i < ARRAY_LEN(fields) && (what & TOTALS); i++)
		row_uint(&r, field_get(&now, i));
	for (size_t i = 0; i < ARRAY_LEN(fields) && (what & AVERAGES); i++)
		row_uint(&r, average(&now, old, span, i));
	if (what == (TOTALS | AVERAGES) && hub.conf->p.console_old_columns)
		row_uint(&r, stats_get(&now.query_count));
	row_end(&r);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Every database that has or had a pool, by name; the console's among them. */
static void put_databases(struct request *q, unsigned what)
{
	const char **names;
	size_t n = 1;
	struct list *l;

	list_each (l, &hub.pools)
		n++;
	names = mem_alloc(n * sizeof *names);
	n = 0;
	names[n++] = "pgbouncer";
	list_each (l, &hub.pools)
		names[n++] = list_entry(l, struct pool, link)->database;
	qsort(names, n, sizeof *names, by_name);
	for (size_t i = 0; i < n; i++)
		if (i == 0 || strcmp(names[i], names[i - 1]) != 0)
			put_database(q, names[i], what);
	free(names);
	q->answer.tag = "SHOW";
	request_done(q);
}

void show_stats(struct request *q)
{
	put_databases(q, TOTALS | AVERAGES);
}

void show_stats_totals(struct request *q)
{
	put_databases(q, TOTALS);
}

void show_stats_averages(struct request *q)
{
	put_databases(q, AVERAGES);
}

void show_totals(struct request *q)
{
	usec_t span = clock_mono() - older_at;
	struct stats now;
	char name[64];

	gather(NULL, &now);
	for (int avg = 0; avg < 2; avg++)
		for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
			struct row r = row_begin(&q->answer.rows);

			snprintf(name, sizeof name, "%s_%s", avg ? "avg" : "total",
				fields[i].total);
			row_text(&r, name);
			row_uint(&r, avg ? average(&now, &past_of(NULL)->older, span, i)
					 : field_get(&now, i));
			row_end(&r);
		}
	q->answer.tag = "SHOW";
	request_done(q);
}
