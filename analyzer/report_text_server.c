/* SPDX-License-Identifier: ISC
 *
 * report_text_server: for a terminal: the slowest calls, transactions, locks, errors, who sent
 * what when, and the server's own work.
 */
#include "report_text.h"

#define ROWS 10 /* of each table; the JSON report has all */

static struct str who(struct report *r, uint32_t user, uint32_t db, uint32_t app)
{
	struct str u = facts_name(r->facts, user), d = facts_name(r->facts, db),
		   a = facts_name(r->facts, app);

	return utf8_clean(&r->arena,
		arena_printf(&r->arena, "%.*s%s%.*s%s%.*s", STR_ARGS(u), d.n ? "@" : "",
			STR_ARGS(d), a.n ? "/" : "", STR_ARGS(a)));
}

static const char *at(int64_t ts, char buf[32])
{
	if (ts)
		time_format(ts, buf, 32);
	else
		buf[0] = '\0';
	return buf;
}

/* --- slowest calls ---------------------------------------------------------------------- */

struct slow {
	const struct shape *shape;
	const struct sample *call;
};

static int slower(const void *pa, const void *pb)
{
	const struct sample *a = ((const struct slow *)pa)->call,
			    *b = ((const struct slow *)pb)->call;

	if (a->usec != b->usec)
		return a->usec > b->usec ? -1 : 1;
	return (a->at.line > b->at.line) - (a->at.line < b->at.line);
}

static void print_samples(struct out *o)
{
	struct report *r = o->r;
	VEC(struct slow) all = {0};

	for (size_t i = 0; i < r->shapes; i++) {
		const struct shape *s = r->facts->shape.at[r->shape[i]];
		for (uint32_t k = 0; k < s->samples; k++)
			if (s->slow[k].usec >= 0)
				*VEC_PUSH(&all) = (struct slow){s, &s->slow[k]};
	}
	if (all.n) {
		qsort(all.at, all.n, sizeof(*all.at), slower);
		text_heading(o, "Slowest calls");
	}
	for (size_t i = 0; i < all.n && i < ROWS; i++) {
		const struct sample *x = all.at[i].call;
		struct str params = report_params(r, x->params);
		char when[32];
		fprintf(o->to, "%10.*s  %s  %.*s  %s%.*s%s\n",
			STR_ARGS(report_duration(r, (double)x->usec)), at(x->ts, when),
			STR_ARGS(who(r, x->user, x->db, x->app)), text_ink(o, INK_DIM),
			STR_ARGS(report_place(r, &x->at)), text_ink(o, INK_NONE));
		text_wrapped(o, report_sample(r, all.at[i].shape, x, 300), 12);
		if (params.n)
			text_wrapped(o,
				arena_printf(&r->arena, "parameters: %.*s",
					STR_ARGS(str_before(params, 300))),
				12);
	}
	VEC_RELEASE(&all);
}

/* --- transactions ----------------------------------------------------------------------- */

static void print_tx(struct out *o, const struct tx *t)
{
	struct report *r = o->r;
	char when[32];

	fprintf(o->to, "%10.*s  idle %8.*s  %5.*s statements  %s  %.*s%s  %s%.*s%s\n",
		STR_ARGS(report_duration(r, (double)t->usec)),
		STR_ARGS(report_duration(r, t->usec > t->busy ? (double)(t->usec - t->busy) : 0)),
		STR_ARGS(report_count(r, t->statements)), at(t->begin, when),
		STR_ARGS(who(r, t->user, t->db, t->app)), t->rolled_back ? ", rolled back" : "",
		text_ink(o, INK_DIM), STR_ARGS(report_place(r, &t->at)), text_ink(o, INK_NONE));
	text_shape(o, t->shape, 12);
}

static void print_transactions(struct out *o)
{
	static const char *const heads[TX_ORDERS] = {"Transactions with the most statements",
		"Longest transactions", "Longest idle in transaction"};
	struct report *r = o->r;
	const struct tx_facts *x = &r->facts->tx;

	if (x->count == 0)
		return;
	text_heading(o, "Transactions");
	fprintf(o->to,
		"  %.*s, %.*s rolled back, %.1f statements each; p50 %.*s, p95 %.*s, max %.*s\n",
		STR_ARGS(report_count(r, x->count)), STR_ARGS(report_count(r, x->rollbacks)),
		(double)x->statements / (double)x->count,
		STR_ARGS(report_duration(r, sketch_quantile(&x->time, .5))),
		STR_ARGS(report_duration(r, sketch_quantile(&x->time, .95))),
		STR_ARGS(report_duration(r, (double)x->time.max)));
	fprintf(o->to, "  idle in transaction: %.*s in all, p95 %.*s, max %.*s\n",
		STR_ARGS(report_duration(r, (double)x->idle.sum)),
		STR_ARGS(report_duration(r, sketch_quantile(&x->idle, .95))),
		STR_ARGS(report_duration(r, (double)x->idle.max)));
	for (int k = 0; k < TX_ORDERS; k++) {
		if (x->tops[k])
			text_heading(o, heads[k]);
		for (uint32_t i = 0; i < x->tops[k] && i < 3; i++)
			print_tx(o, &x->top[k][i]);
	}
}

/* --- locks ------------------------------------------------------------------------------ */

static int longer_wait(const void *pa, const void *pb)
{
	const struct wait_edge *a = *(const struct wait_edge *const *)pa,
			       *b = *(const struct wait_edge *const *)pb;

	if (a->usec != b->usec)
		return a->usec > b->usec ? -1 : 1;
	return (a->at.line > b->at.line) - (a->at.line < b->at.line);
}

static void print_waits(struct out *o)
{
	struct report *r = o->r;
	VEC(const struct wait_edge *) all = {0};

	for (size_t i = 0; i < r->facts->wait.n; i++)
		if (r->facts->wait.at[i].waits)
			*VEC_PUSH(&all) = &r->facts->wait.at[i];
	if (all.n) {
		qsort(all.at, all.n, sizeof(*all.at), longer_wait);
		text_heading(o, "Lock waits: who waited for whom");
	}
	for (size_t i = 0; i < all.n && i < ROWS; i++) {
		const struct wait_edge *w = all.at[i];
		fprintf(o->to, "%10.*s in %.*s waits of\n",
			STR_ARGS(report_duration(r, (double)w->usec)),
			STR_ARGS(report_count(r, w->waits)));
		text_shape(o, w->waiter, 12);
		if (w->holder != NO_SHAPE) {
			fprintf(o->to, "%10s for a session whose latest statement was\n", "");
			text_shape(o, w->holder, 12);
		}
	}
	VEC_RELEASE(&all);
}

static void print_deadlocks(struct out *o)
{
	struct report *r = o->r;

	if (r->facts->deadlock.n)
		text_heading(o, "Deadlocks");
	for (size_t i = 0; i < r->facts->deadlock.n && i < ROWS; i++) {
		const struct deadlock *d = &r->facts->deadlock.at[i];
		fprintf(o->to, "%9.*s x  %.*s\n", STR_ARGS(report_count(r, d->count)),
			STR_ARGS(report_place(r, &d->at)));
		for (uint32_t k = 0; k < d->sides; k++) {
			const struct deadlock_side *s = &d->side[k];
			fprintf(o->to, "%12sprocess %lld waited for process %lld: %.*s\n", "",
				(long long)s->pid, (long long)s->blocked_by,
				STR_ARGS(utf8_clean(&r->arena, s->lock)));
			text_shape(o, s->shape, 14);
		}
	}
}

/* --- errors ----------------------------------------------------------------------------- */

static void print_errors(struct out *o)
{
	struct report *r = o->r;
	struct sqlstate_count *c;
	size_t n = report_sqlstates(r, &c);

	if (n == 0)
		return;
	text_heading(o, "Errors by SQLSTATE");
	for (size_t i = 0; i < n && i < ROWS; i++)
		fprintf(o->to, "%9.*s  %-5s %s\n", STR_ARGS(report_count(r, c[i].count)),
			*c[i].state ? c[i].state : "?", sqlstate_name(c[i].state));
	text_heading(o, "Errors");
	for (size_t i = 0; i < r->facts->fault.n && i < 2 * ROWS; i++) {
		const struct fault *f = &r->facts->fault.at[i];
		fprintf(o->to, "%9.*s  %s %s %.*s (%.*s)\n", STR_ARGS(report_count(r, f->count)),
			log_severity_name(f->severity), f->state, STR_ARGS(report_fault(r, f)),
			STR_ARGS(report_place(r, &f->at)));
	}
}

/* --- groups ----------------------------------------------------------------------------- */

static int by_time(const void *pa, const void *pb)
{
	const struct group *a = *(const struct group *const *)pa,
			   *b = *(const struct group *const *)pb;

	if (a->kind == GROUP_HOUR)
		return (a->name > b->name) - (a->name < b->name);
	if (a->time.sum != b->time.sum)
		return a->time.sum > b->time.sum ? -1 : 1;
	if (a->calls != b->calls)
		return a->calls > b->calls ? -1 : 1;
	return (a->name > b->name) - (a->name < b->name);
}

static void print_group(struct out *o, const struct group *g)
{
	static const double qs[] = {.5, .95, .99, .999};
	struct report *r = o->r;

	fprintf(o->to, "%-24.*s %9.*s %6.*s %10.*s", (int)24, report_group_name(r, g).p,
		STR_ARGS(report_count(r, g->calls)), STR_ARGS(report_count(r, g->errors)),
		STR_ARGS(report_duration(r, (double)g->time.sum)));
	if (g->time.total) {
		fprintf(o->to, " %9.*s", STR_ARGS(report_duration(r, sketch_mean(&g->time))));
		for (size_t k = 0; k < ARRAY_LEN(qs); k++)
			fprintf(o->to, " %9.*s",
				STR_ARGS(report_duration(r, sketch_quantile(&g->time, qs[k]))));
		fprintf(o->to, " %9.*s", STR_ARGS(report_duration(r, (double)g->time.max)));
	}
	fputc('\n', o->to);
}

static void print_groups(struct out *o, enum group_kind kind, const char *head, size_t most)
{
	struct report *r = o->r;
	VEC(const struct group *) all = {0};

	for (size_t i = 0; i < r->facts->group.n; i++)
		if (r->facts->group.at[i].kind == kind && r->facts->group.at[i].calls)
			*VEC_PUSH(&all) = &r->facts->group.at[i];
	if (all.n) {
		qsort(all.at, all.n, sizeof(*all.at), by_time);
		text_heading(o, head);
		fprintf(o->to, "%s%-24s %9s %6s %10s %9s %9s %9s %9s %9s %9s%s\n",
			text_ink(o, INK_DIM), "", "calls", "errors", "total", "mean", "p50", "p95",
			"p99", "p99.9", "max", text_ink(o, INK_NONE));
	}
	for (size_t i = 0; i < all.n && i < most; i++)
		print_group(o, all.at[i]);
	if (all.n > most)
		fprintf(o->to, "  … and %zu more\n", all.n - most);
	VEC_RELEASE(&all);
}

/* --- the server ------------------------------------------------------------------------- */

static void print_autovacuum(struct out *o)
{
	struct report *r = o->r;

	for (size_t i = 0; i < r->facts->vacuum.n && i < ROWS; i++) {
		const struct vacuumed *v = &r->facts->vacuum.at[i];
		fprintf(o->to,
			"  %.*s: vacuumed %llu x, analyzed %llu x, %.*s, %.*s rows removed\n",
			STR_ARGS(utf8_clean(&r->arena, v->table)), (unsigned long long)v->vacuums,
			(unsigned long long)v->analyzes,
			STR_ARGS(report_duration(r, (double)v->usec)),
			STR_ARGS(report_count(r, v->tuples)));
	}
}

static void print_own_work(struct out *o)
{
	struct report *r = o->r;
	const struct server_facts *s = &r->facts->server;

	if (s->connections || s->disconnections)
		fprintf(o->to,
			"  connections: %.*s; sessions ended: %.*s, p50 %.*s, p95 %.*s, max %.*s\n",
			STR_ARGS(report_count(r, s->connections)),
			STR_ARGS(report_count(r, s->disconnections)),
			STR_ARGS(report_duration(r, sketch_quantile(&s->sessions, .5))),
			STR_ARGS(report_duration(r, sketch_quantile(&s->sessions, .95))),
			STR_ARGS(report_duration(r, (double)s->sessions.max)));
	if (s->checkpoints)
		fprintf(o->to, "  checkpoints: %.*s, %.*s buffers, %.*s%s\n",
			STR_ARGS(report_count(r, s->checkpoints)),
			STR_ARGS(report_count(r, s->checkpoint_buffers)),
			STR_ARGS(report_duration(r, (double)s->checkpoint_usec)),
			s->checkpoint_warnings ? "; too frequent: raise max_wal_size" : "");
	if (s->temp_files)
		fprintf(o->to, "  temporary files: %.*s, %.*s\n",
			STR_ARGS(report_count(r, s->temp_files)),
			STR_ARGS(report_bytes(r, (double)s->temp_bytes)));
	if (s->lock_waits)
		fprintf(o->to, "  lock waits: %.*s, %.*s; deadlocks: %.*s\n",
			STR_ARGS(report_count(r, s->lock_waits)),
			STR_ARGS(report_duration(r, (double)s->lock_usec)),
			STR_ARGS(report_count(r, s->deadlocks)));
	for (int c = 0; c < CANCEL_CAUSES; c++)
		if (s->cancel_by[c])
			fprintf(o->to, "  cancelled, %s: %.*s\n",
				cancel_cause_name((enum cancel_cause)c),
				STR_ARGS(report_count(r, s->cancel_by[c])));
	if (s->idle_timeouts)
		fprintf(o->to, "  terminated for idling in a transaction: %.*s\n",
			STR_ARGS(report_count(r, s->idle_timeouts)));
	print_autovacuum(o);
}

void text_server(struct out *o)
{
	const struct server_facts *s = &o->r->facts->server;

	print_samples(o);
	print_transactions(o);
	print_waits(o);
	print_deadlocks(o);
	print_errors(o);
	print_groups(o, GROUP_USER, "Users", ROWS);
	print_groups(o, GROUP_DB, "Databases", ROWS);
	print_groups(o, GROUP_APP, "Applications", ROWS);
	print_groups(o, GROUP_HOST, "Hosts", ROWS);
	print_groups(o, GROUP_HOUR, "Hours (UTC)", 48);
	if (s->connections || s->disconnections || s->checkpoints || s->temp_files ||
		s->lock_waits || s->cancels || s->idle_timeouts || o->r->facts->vacuum.n) {
		text_heading(o, "Server");
		print_own_work(o);
	}
}
