/* SPDX-License-Identifier: ISC
 *
 * main_database: what --schema and --dsn add: keys and types for the rules, and the indexes the
 * dearest statements would be better with, each checked with the planner (advise_workload.c).
 */
#include "advise.h"
#include "db.h"
#include "main.h"
#include "schema_live.h"
#include "sql_text.h"

#include <signal.h>

/* What an index must take off the workload's cost; less where the user has said what bytes may be
 * had for it. */
#define MIN_GAIN	0.05
#define MIN_GAIN_BUDGET 0.01

struct schema *options_schema(const struct options *o, bool *ok)
{
	struct schema *s = schema_new();
	struct err why = {""};
	struct db *db = NULL;

	*ok = true;
	if (o->schema && !schema_read_dump(s, o->schema, &why))
		*ok = false;
	if (*ok && o->dsn) {
		db = db_open(o->dsn, &why);
		*ok = db && schema_read_live(s, db, &why);
		db_close(&db);
	}
	if (!*ok)
		fprintf(stderr, "pgassay: %s\n", why.text);
	if (!*ok || (!o->schema && !o->dsn))
		schema_free(&s);
	return s;
}

static void take_statement(void *ctx, const struct db_row *r)
{
	struct log_totals t = {.calls = db_real(r, 1),
		.rows = db_real(r, 2),
		.total_ms = db_real(r, 3),
		.min_ms = db_real(r, 4),
		.max_ms = db_real(r, 5),
		.stddev_ms = db_real(r, 6),
		.plan_ms = db_real(r, 7)};

	facts_totals(ctx, db_get(r, 0), &t, (struct place){0, 0});
}

bool options_statements(const struct options *o, struct facts *f)
{
	struct err why = {""};
	struct db *db = db_open(o->dsn, &why);
	bool ok = db && db_each(db, sql_assay_statements, NULL, 0, take_statement, f, &why);

	if (!ok)
		fprintf(stderr,
			"pgassay: %s\npgassay: without files the workload is read from "
			"pg_stat_statements\n",
			why.text);
	db_close(&db);
	return ok;
}

/* --- indexes ------------------------------------------------------------------------------ */

static bool is_judged(const struct index_advice *x, const struct workload_result *r)
{
	size_t known = 0;

	for (size_t q = 0; q < x->query.n; q++)
		for (size_t i = 0; i < r->judged.n; i++)
			known += r->judged.at[i] == x->query.at[q];
	return known > 0 && known == x->query.n;
}

/* What a plan alone suggested goes where the planner has been asked about all its statements: the
 * answer is among those from `first` on, or in a note why it is not. */
static void drop_judged(struct findings *f, size_t first, const struct workload_result *r)
{
	size_t kept = 0;

	for (size_t i = 0; i < f->index.n; i++) {
		struct index_advice *x = &f->index.at[i];
		bool drop = i < first && is_judged(x, r);

		for (size_t k = 0; k < f->at.n; k++)
			if (f->at.at[k].index == (int)i)
				f->at.at[k].index = drop ? -1 : (int)kept;
		if (drop)
			index_advice_release(x);
		else
			f->index.at[kept++] = *x;
	}
	f->index.n = kept;
}

static void link_findings(struct findings *f)
{
	for (size_t i = 0; i < f->at.n; i++)
		for (size_t k = 0; k < f->index.n; k++)
			for (size_t q = 0; q < f->index.at[k].query.n; q++)
				if (f->index.at[k].query.at[q] == f->at.at[i].shape)
					f->at.at[i].index = (int)k;
}

static void announce(const char *text)
{
	fprintf(stderr, "pgassay: %s\n", text);
}

/* Ends as the signal would have ended us, had nothing been to clean up. */
static void die_of(int sig)
{
	fprintf(stderr, "pgassay: stopped by a signal; the database is as it was\n");
	signal(sig, SIG_DFL);
	raise(sig);
}

bool options_advise(struct options *o, struct facts *f, const struct schema *schema,
	struct findings *found, struct report *r)
{
	struct workload_limits limits = {
		.gain = o->min_gain >= 0 ? o->min_gain / 100
			: o->budget > 0	 ? MIN_GAIN_BUDGET
					 : MIN_GAIN,
		.is_gain_scaled = o->min_gain<0, .bytes = o->budget> 0 ? (uint64_t)o->budget : 0,
		.indexes = o->max_indexes > 0 ? (size_t)o->max_indexes : 0,
		.scratch = o->scratch,
		.dsn = o->dsn,
		.scratch_bytes = o->scratch_size == 0  ? INT64_MAX
				 : o->scratch_size > 0 ? (uint64_t)o->scratch_size
						       : 1000000000,
		.is_dry = o->dry_run,
		.mask = options_mask(o),
		.announce = r->command && strcmp(r->command, "advise") == 0 ? announce : NULL,
	};
	struct workload_result result;
	size_t first = found->index.n;
	struct err why;
	struct db *db;

	if (!o->dsn || !schema)
		return false;
	db = db_open(o->dsn, &why);
	if (!db) {
		fprintf(stderr, "pgassay: %s\n", why.text);
		return false;
	}
	report_order(r);
	db_heed_signals();
	result = advise_workload(db, f, r->shape, r->shapes, schema, &limits, found);
	if (db_stop_signal())
		die_of(db_stop_signal());
	if (result.lost.n) {
		fprintf(stderr, "pgassay: %.*s\n", STR_ARGS(result.lost));
		workload_result_release(&result);
		db_close(&db);
		return false;
	}
	drop_judged(found, first, &result);
	link_findings(found);
	if (result.note.n)
		*VEC_PUSH(&r->note) = (struct report_note){SEVERITY_INFO, result.note};
	if (result.ran)
		*VEC_PUSH(&r->note) = (struct report_note){
			result.slower ? SEVERITY_WARNING : SEVERITY_INFO,
			arena_printf(&r->arena,
				"%zu queries were run in the copy: %.1f ms without, %.1f ms with "
				"the new indexes; %zu became slower",
				result.ran, result.ms_before, result.ms_after, result.slower)};
	if (result.queries)
		*VEC_PUSH(&r->note) = (struct report_note){SEVERITY_INFO,
			arena_printf(&r->arena,
				"%zu queries, %zu candidate indexes, %zu plans asked of the "
				"planner; the indexes chosen bring the workload's cost to %.1f %%",
				result.queries, result.candidates, result.asked,
				result.before > 0 ? 100 * result.after / result.before : 100)};
	for (size_t i = 0; i < result.say.n; i++)
		*VEC_PUSH(&r->note) = (struct report_note){
			result.say.at[i].is_warning ? SEVERITY_WARNING : SEVERITY_INFO,
			result.say.at[i].text};
	workload_result_release(&result);
	db_close(&db);
	return true;
}
