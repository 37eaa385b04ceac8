/* SPDX-License-Identifier: ISC
 *
 * report_csv: one table of the report, all its rows, numbers without units; RFC 4180.
 *
 * A text that a spreadsheet would take for a formula (= + - @ at its beginning) stands behind a
 * single quote: a statement or an application's name is written by whoever may connect.
 */
#include "report.h"

static void field(FILE *to, struct str s)
{
	fputc('"', to);
	if (s.n > 1 && strchr("=+-@\t\r", *s.p))
		fputc('\'', to);
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '"')
			fputc('"', to);
		fputc(s.p[i], to);
	}
	fputc('"', to);
}

/* One more field of a row, behind its comma. */
static void more(FILE *to, struct str s)
{
	fputc(',', to);
	field(to, s);
}

static void more_name(struct report *r, FILE *to, uint32_t name)
{
	more(to, utf8_clean(&r->arena, facts_name(r->facts, name)));
}

static void more_time(FILE *to, int64_t ts)
{
	char buf[32] = "";

	if (ts)
		time_format(ts, buf, sizeof(buf));
	fprintf(to, ",%s", buf);
}

static const char *shape_id(const struct report *r, uint32_t shape)
{
	return shape == NO_SHAPE ? "" : r->facts->shape.at[shape]->id;
}

static void end_row(FILE *to)
{
	fputs("\r\n", to);
}

#define QUANTILES "total_ms,mean_ms,stddev_ms,min_ms,p50_ms,p90_ms,p95_ms,p99_ms,p999_ms,max_ms"

static void quantiles(FILE *to, const struct sketch *s)
{
	static const double qs[] = {.5, .9, .95, .99, .999};

	fprintf(to, ",%.3f,%.3f,%.3f,%.3f", (double)s->sum / 1e3, sketch_mean(s) / 1e3,
		sketch_stddev(s) / 1e3, (double)s->min / 1e3);
	for (size_t q = 0; q < ARRAY_LEN(qs); q++)
		fprintf(to, ",%.3f", sketch_quantile(s, qs[q]) / 1e3);
	fprintf(to, ",%.3f", (double)s->max / 1e3);
}

static void shapes(struct report *r, FILE *to)
{
	for (size_t i = 0; i < r->shapes; i++) {
		const struct shape *s = r->facts->shape.at[r->shape[i]];
		size_t finds = 0;
		for (size_t k = 0; k < r->findings->at.n; k++)
			finds += r->findings->at.at[k].shape == r->shape[i];
		fprintf(to, "%s,%s,%llu", s->id, sql_verb_name(s->verb),
			(unsigned long long)s->calls);
		quantiles(to, &s->time);
		fprintf(to, ",%.3f,%llu,%llu,%llu,%.3f,%zu", (double)s->plan_usec / 1e3,
			(unsigned long long)s->rows, (unsigned long long)s->errors,
			(unsigned long long)s->temp_bytes, (double)s->lock_usec / 1e3, finds);
		more(to, report_shape_sql(r, s));
		fprintf(to, ",%llu,%llu,%llu,%llu,%.3f", (unsigned long long)s->cancels,
			(unsigned long long)s->temp_files, (unsigned long long)s->temp_largest,
			(unsigned long long)s->lock_waits, (double)s->lock_longest / 1e3);
		end_row(to);
	}
}

static void samples(struct report *r, FILE *to)
{
	for (size_t i = 0; i < r->shapes; i++) {
		const struct shape *s = r->facts->shape.at[r->shape[i]];
		for (uint32_t k = 0; k < s->samples; k++) {
			const struct sample *x = &s->slow[k];
			fprintf(to, "%s,%.3f", s->id, (double)x->usec / 1e3);
			more_time(to, x->ts);
			more_name(r, to, x->user);
			more_name(r, to, x->db);
			more_name(r, to, x->app);
			more(to, report_place(r, &x->at));
			more(to, report_sample(r, s, x, 0));
			more(to, report_params(r, x->params));
			end_row(to);
		}
	}
}

static void groups(struct report *r, FILE *to)
{
	for (size_t i = 0; i < r->facts->group.n; i++) {
		const struct group *g = &r->facts->group.at[i];
		if (g->kind == GROUP_KINDS)
			continue;
		fputs(group_kind_name(g->kind), to);
		more(to, report_group_name(r, g));
		fprintf(to, ",%llu,%llu,%llu", (unsigned long long)g->calls,
			(unsigned long long)g->errors, (unsigned long long)g->sessions);
		quantiles(to, &g->time);
		fprintf(to, ",%llu,%.6f", (unsigned long long)g->ended,
			(double)g->session_usec / 1e6);
		end_row(to);
	}
}

#define SERIES                                                                                     \
	"calls,ms,reads,writes,errors,connections,temp_bytes,lock_ms,checkpoints,"                 \
	"disconnections,cancels,temp_files"

static void rows_of(const struct series *s, FILE *to)
{
	for (size_t i = 0; i < s->row.n; i++) {
		const struct slot *m = &s->row.at[i];
		char at[32];
		time_format(m->at * s->step * 1000000, at, sizeof(at));
		fprintf(to, "%s,%llu,%.3f,%llu,%llu,%llu,%llu,%llu,%.3f,%llu,%llu,%llu,%llu", at,
			(unsigned long long)m->calls, (double)m->usec / 1e3,
			(unsigned long long)m->reads, (unsigned long long)m->writes,
			(unsigned long long)m->errors, (unsigned long long)m->connections,
			(unsigned long long)m->temp_bytes, (double)m->lock_usec / 1e3,
			(unsigned long long)m->checkpoints, (unsigned long long)m->disconnections,
			(unsigned long long)m->cancels, (unsigned long long)m->temp_files);
		end_row(to);
	}
}

static void minutes(struct report *r, FILE *to)
{
	rows_of(&r->facts->minutes, to);
}

static void seconds(struct report *r, FILE *to)
{
	if (r->facts->series.step == 1)
		rows_of(&r->facts->series, to);
}

static void errors(struct report *r, FILE *to)
{
	for (size_t i = 0; i < r->facts->fault.n; i++) {
		const struct fault *f = &r->facts->fault.at[i];
		fprintf(to, "%llu,%s,%s,%s", (unsigned long long)f->count,
			log_severity_name(f->severity), f->state, shape_id(r, f->shape));
		more(to, report_place(r, &f->at));
		more(to, report_fault(r, f));
		end_row(to);
	}
}

static void transactions(struct report *r, FILE *to)
{
	for (int k = 0; k < TX_ORDERS; k++)
		for (uint32_t i = 0; i < r->facts->tx.tops[k]; i++) {
			const struct tx *t = &r->facts->tx.top[k][i];
			fprintf(to, "%s,%.3f,%.3f,%llu,%d", tx_order_name((enum tx_order)k),
				(double)t->usec / 1e3, (double)t->busy / 1e3,
				(unsigned long long)t->statements, t->rolled_back);
			more_time(to, t->begin);
			more_name(r, to, t->user);
			more_name(r, to, t->db);
			more_name(r, to, t->app);
			more(to, report_place(r, &t->at));
			fprintf(to, ",%s", shape_id(r, t->shape));
			end_row(to);
		}
}

static void waits(struct report *r, FILE *to)
{
	for (size_t i = 0; i < r->facts->wait.n; i++) {
		const struct wait_edge *w = &r->facts->wait.at[i];
		fprintf(to, "%llu,%.3f,%llu,%s,%s", (unsigned long long)w->waits,
			(double)w->usec / 1e3, (unsigned long long)w->deadlocks,
			shape_id(r, w->waiter), shape_id(r, w->holder));
		more(to, utf8_clean(&r->arena, w->lock));
		more(to, report_place(r, &w->at));
		end_row(to);
	}
}

static void counter(FILE *to, const struct counter *c, const void *of)
{
	uint64_t v = counter_get(c, of);

	if (c->unit == UNIT_TIME || c->unit == UNIT_MS)
		fprintf(to, ",%.*f", c->unit == UNIT_TIME ? 6 : 3,
			(double)v / (c->unit == UNIT_TIME ? 1e6 : 1e3));
	else
		fprintf(to, ",%llu", (unsigned long long)v);
}

static void vacuums(struct report *r, FILE *to)
{
	for (size_t i = 0; i < r->facts->vacuum.n; i++) {
		const struct vacuumed *v = &r->facts->vacuum.at[i];
		field(to, utf8_clean(&r->arena, v->table));
		for (const struct counter *c = vacuum_counters; c->key; c++)
			counter(to, c, v);
		end_row(to);
	}
}

static void server(struct report *r, FILE *to)
{
	for (const struct counter *c = server_counters; c->key; c++) {
		field(to, str_of(c->group));
		more(to, str_of(c->what));
		fprintf(to, ",%s", c->key);
		counter(to, c, &r->facts->server);
		end_row(to);
	}
}

static void kinds(struct report *r, FILE *to)
{
	for (size_t i = 0; i < r->facts->kind.n; i++) {
		const struct kind_count *k = &r->facts->kind.at[i];
		fputs(k->of == KIND_LOCK ? "lock" : "checkpoint cause", to);
		more(to, utf8_clean(&r->arena, k->name));
		fprintf(to, ",%llu,%.3f", (unsigned long long)k->count, (double)k->usec / 1e3);
		end_row(to);
	}
}

static void findings(struct report *r, FILE *to)
{
	for (size_t i = 0; i < r->findings->at.n; i++) {
		const struct finding *x = &r->findings->at.at[i];
		if (x->suppressed)
			continue;
		fprintf(to, "%s,%s,%s,%s,%llu", x->rule->id, severity_name(x->severity),
			confidence_name(x->confidence), shape_id(r, x->shape),
			(unsigned long long)x->count);
		more(to, x->places ? report_place(r, &x->place[0]) : STR(""));
		more(to, x->message);
		more(to, x->fix_sql.p ? report_sql(r, x->fix_sql, 0) : STR(""));
		end_row(to);
	}
}

const struct report_table report_tables[] = {
	{"shapes", "every statement's numbers (the default)",
		"id,verb,calls," QUANTILES
		",planning_ms,rows,errors,temp_bytes,lock_ms,findings,sql,cancels,temp_files,"
		"temp_largest_bytes,lock_waits,lock_longest_ms",
		shapes},
	{"samples", "the slowest calls of each statement, with parameters",
		"id,ms,time,user,database,application,location,sql,parameters", samples},
	{"groups", "users, databases, applications, hosts, hours",
		"kind,name,calls,errors,sessions," QUANTILES ",sessions_ended,session_s", groups},
	{"minutes", "the time series; of months by hour, of years by day", "minute," SERIES,
		minutes},
	{"seconds", "the same by second, of a log of at most half an hour", "second," SERIES,
		seconds},
	{"errors", "errors by message", "count,severity,sqlstate,id,location,message", errors},
	{"transactions", "the busiest, the longest, the idlest",
		"order,ms,busy_ms,statements,rolled_back,begin,user,database,application,location,"
		"id",
		transactions},
	{"waits", "who waited for whose locks", "waits,ms,deadlocks,waiter,holder,lock,location",
		waits},
	{"vacuums", "autovacuum by table",
		"table,vacuums,analyzes,ms,rows_removed,rows_not_yet_removable,pages_removed,"
		"index_scans,buffer_hits,buffer_misses,buffers_dirtied,wal_bytes",
		vacuums},
	{"server", "sessions, checkpoints, temporary files, cancellations, messages by level, …",
		"group,what,key,value", server},
	{"kinds", "locks by type, causes of checkpoints", "of,name,count,ms", kinds},
	{"findings", "what the rules found",
		"rule,severity,confidence,id,count,location,message,fix", findings},
	{NULL, NULL, NULL, NULL},
};

const struct report_table *report_table_find(const char *name)
{
	for (const struct report_table *t = report_tables; t->name; t++)
		if (strcmp(t->name, name) == 0)
			return t;
	return NULL;
}

void report_csv(struct report *r, FILE *to)
{
	const struct report_table *t = report_table_find(r->opt.table ? r->opt.table : "shapes");

	fprintf(to, "%s\r\n", t->head);
	t->rows(r, to);
}
