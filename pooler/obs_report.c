/* SPDX-License-Identifier: ISC
 *
 * The stores of all workers as one table.  Rows are copied one by one under each store's
 * lock, which is held for that long only; then equal shapes become one, and the table is
 * sorted by what cost most.
 */
#include "obs_queries_inner.h"

#include <time.h>

static void stats_copy(struct query_stats *into, const struct query_stats *from)
{
	uint64_t first = stats_get(&from->first), last = stats_get(&from->last);
	uint64_t waited = into->wait.count, calls;

	hist_merge(&into->wait, &from->wait);
	hist_merge(&into->server, &from->server);
	waited = into->wait.count - waited;
	calls = stats_get(&from->calls);
	if (calls > waited) /* those that did not wait */
		hist_add_n(&into->wait, 0, calls - waited);
	into->calls += calls;
	into->rows += stats_get(&from->rows);
	into->errors += stats_get(&from->errors);
	into->bytes_in += stats_get(&from->bytes_in);
	into->bytes_out += stats_get(&from->bytes_out);
	if (first && (!into->first || first < into->first))
		into->first = first;
	if (last > into->last)
		into->last = last;
}

/* A new row of the table; its text is NULL. */
static struct query_row *row_new(struct query_table *t, size_t *size)
{
	if (t->count == *size) {
		*size = *size ? 2 * *size : 64;
		t->row = mem_realloc(t->row, *size * sizeof *t->row);
	}
	memset(&t->row[t->count], 0, sizeof t->row[0]);
	return &t->row[t->count++];
}

static void put_shape(struct query_row *to, const struct shape_row *r)
{
	uint64_t longest = stats_get(&r->run_longest), before = stats_get(&r->before);

	stats_copy(&to->s, &r->s);
	to->runs += stats_get(&r->runs);
	to->run_calls += stats_get(&r->run_calls);
	if (longest > to->run_longest)
		to->run_longest = longest;
	if (before)
		to->before = before;
}

static void read_shapes(struct queries *q, struct query_table *t, size_t *size,
	struct query_row *other)
{
	for (size_t i = 0; i < q->max; i++) {
		const struct shape_row *r = &q->rows[i];
		pthread_mutex_lock(&q->lock);
		if (i >= __atomic_load_n(&q->count, __ATOMIC_ACQUIRE)) {
			pthread_mutex_unlock(&q->lock);
			break;
		}
		if (stats_get(&r->s.calls)) {
			struct query_row *to = row_new(t, size);
			to->shape = r->shape;
			to->text = mem_strndup(r->text, r->text_len);
			put_shape(to, r);
		}
		pthread_mutex_unlock(&q->lock);
	}
	pthread_mutex_lock(&q->lock);
	put_shape(other, &q->other);
	pthread_mutex_unlock(&q->lock);
}

static void read_groups(struct queries *q, int which, struct query_table *t, size_t *size,
	struct query_row *other)
{
	for (size_t i = 0; i <= 2 * GROUP_MAX; i++) {
		const struct group_row *g = &q->groups[i];
		pthread_mutex_lock(&q->lock);
		if (i > __atomic_load_n(&q->group_count, __ATOMIC_ACQUIRE)) {
			pthread_mutex_unlock(&q->lock);
			break;
		}
		if (stats_get(&g->s.calls) && g->name[which]) {
			struct query_row *to = row_new(t, size);
			to->text = mem_strdup(g->name[which]);
			stats_copy(&to->s, &g->s);
		} else if (stats_get(&g->s.calls)) {
			stats_copy(&other->s, &g->s);
		}
		pthread_mutex_unlock(&q->lock);
	}
}

static int by_identity(const void *a, const void *b)
{
	const struct query_row *x = a, *y = b;

	if (x->shape != y->shape)
		return x->shape < y->shape ? -1 : 1;
	return x->shape ? 0 : strcmp(x->text, y->text);
}

static int by_cost(const void *a, const void *b)
{
	const struct query_row *x = a, *y = b;

	if (x->s.server.sum != y->s.server.sum)
		return x->s.server.sum > y->s.server.sum ? -1 : 1;
	return by_identity(a, b);
}

static void row_release(struct query_row *r)
{
	free(r->text);
	hist_release(&r->s.wait);
	hist_release(&r->s.server);
}

/* What several workers saw becomes one row. */
static void unite(struct query_table *t)
{
	size_t n = 0;

	if (t->count)
		qsort(t->row, t->count, sizeof t->row[0], by_identity);
	for (size_t i = 0; i < t->count; i++) {
		struct query_row *r = &t->row[i], *to = n ? &t->row[n - 1] : NULL;
		if (!to || by_identity(to, r) != 0) {
			t->row[n++] = *r;
			continue;
		}
		stats_copy(&to->s, &r->s);
		to->runs += r->runs;
		to->run_calls += r->run_calls;
		if (r->run_longest > to->run_longest)
			to->run_longest = r->run_longest;
		if (r->before)
			to->before = r->before;
		row_release(r);
	}
	t->count = n;
}

void queries_report(struct queries *const *q, size_t n, enum query_table_kind kind,
	struct query_table *out)
{
	struct query_row other = {.other = true};
	size_t size = 0;

	out->row = NULL;
	out->count = 0;
	for (size_t i = 0; i < n; i++) {
		if (__atomic_load_n(&q[i]->reset_asked, __ATOMIC_ACQUIRE))
			continue;
		if (kind == QUERIES_SHAPES)
			read_shapes(q[i], out, &size, &other);
		else
			read_groups(q[i], (int)kind - 1, out, &size, &other);
	}
	unite(out);
	if (out->count)
		qsort(out->row, out->count, sizeof out->row[0], by_cost);
	if (other.s.calls) {
		other.text = mem_strdup("other");
		if (out->count == size)
			out->row = mem_realloc(out->row, (size + 1) * sizeof out->row[0]);
		out->row[out->count++] = other;
	} else {
		row_release(&other);
	}
}

void query_table_release(struct query_table *t)
{
	for (size_t i = 0; i < t->count; i++)
		row_release(&t->row[i]);
	free(t->row);
	t->row = NULL;
	t->count = 0;
}

/* --- columns ---------------------------------------------------------------- */

enum column {
	C_SHAPE,
	C_TEXT,
	C_CALLS,
	C_ROWS,
	C_ERRORS,
	C_SERVER_TOTAL,
	C_SERVER_MEAN,
	C_SERVER_P50,
	C_SERVER_P95,
	C_SERVER_P99,
	C_SERVER_MAX,
	C_WAIT_TOTAL,
	C_WAIT_MEAN,
	C_WAIT_P50,
	C_WAIT_P95,
	C_WAIT_P99,
	C_WAIT_MAX,
	C_BYTES_IN,
	C_BYTES_OUT,
	C_FIRST,
	C_LAST,
	C_RUNS,
	C_RUN_CALLS,
	C_RUN_LONGEST,
	C_BEFORE,
};

const struct query_column query_columns[] = {
	[C_SHAPE] = {"shape", false, true},
	[C_TEXT] = {"query", false, false},
	[C_CALLS] = {"calls", true, false},
	[C_ROWS] = {"rows", true, false},
	[C_ERRORS] = {"errors", true, false},
	[C_SERVER_TOTAL] = {"server_us_total", true, false},
	[C_SERVER_MEAN] = {"server_us_mean", true, false},
	[C_SERVER_P50] = {"server_us_p50", true, false},
	[C_SERVER_P95] = {"server_us_p95", true, false},
	[C_SERVER_P99] = {"server_us_p99", true, false},
	[C_SERVER_MAX] = {"server_us_max", true, false},
	[C_WAIT_TOTAL] = {"wait_us_total", true, false},
	[C_WAIT_MEAN] = {"wait_us_mean", true, false},
	[C_WAIT_P50] = {"wait_us_p50", true, false},
	[C_WAIT_P95] = {"wait_us_p95", true, false},
	[C_WAIT_P99] = {"wait_us_p99", true, false},
	[C_WAIT_MAX] = {"wait_us_max", true, false},
	[C_BYTES_IN] = {"bytes_in", true, false},
	[C_BYTES_OUT] = {"bytes_out", true, false},
	[C_FIRST] = {"first_seen", false, false},
	[C_LAST] = {"last_seen", false, false},
	[C_RUNS] = {"n_plus_one", true, true},
	[C_RUN_CALLS] = {"n_plus_one_calls", true, true},
	[C_RUN_LONGEST] = {"n_plus_one_longest", true, true},
	[C_BEFORE] = {"n_plus_one_parent", false, true},
};
const size_t query_column_count = ARRAY_LEN(query_columns);

static void put_time(struct buf *out, uint64_t wall)
{
	time_t t = (time_t)(wall / USEC_SEC);
	struct tm tm;
	char text[64];

	if (!wall)
		return;
	localtime_r(&t, &tm);
	buf_put(out, text, strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S %Z", &tm));
}

static uint64_t time_cell(const struct hist *h, unsigned which)
{
	switch (which) {
	case 0:
		return h->sum;
	case 1:
		return h->count ? h->sum / h->count : 0;
	case 2:
		return hist_quantile(h, 0.5);
	case 3:
		return hist_quantile(h, 0.95);
	case 4:
		return hist_quantile(h, 0.99);
	default:
		return h->max;
	}
}

static uint64_t number_cell(const struct query_row *r, size_t column)
{
	switch (column) {
	case C_CALLS:
		return r->s.calls;
	case C_ROWS:
		return r->s.rows;
	case C_ERRORS:
		return r->s.errors;
	case C_BYTES_IN:
		return r->s.bytes_in;
	case C_BYTES_OUT:
		return r->s.bytes_out;
	case C_RUNS:
		return r->runs;
	case C_RUN_CALLS:
		return r->run_calls;
	case C_RUN_LONGEST:
		return r->run_longest;
	default:
		if (column >= C_WAIT_TOTAL)
			return time_cell(&r->s.wait, (unsigned)(column - C_WAIT_TOTAL));
		return time_cell(&r->s.server, (unsigned)(column - C_SERVER_TOTAL));
	}
}

void query_cell(const struct query_row *r, size_t column, struct buf *out)
{
	if (query_columns[column].number)
		buf_printf(out, "%llu", (unsigned long long)number_cell(r, column));
	else if (column == C_TEXT)
		buf_put_str(out, r->text);
	else if (column == C_FIRST || column == C_LAST)
		put_time(out, column == C_FIRST ? r->s.first : r->s.last);
	else if (column == C_SHAPE ? r->shape != 0 : r->before != 0)
		buf_printf(out, "%016llx",
			(unsigned long long)(column == C_SHAPE ? r->shape : r->before));
}
