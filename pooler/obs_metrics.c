/* SPDX-License-Identifier: ISC
 *
 * A snapshot as metrics.  Families follow the OpenMetrics rules: all samples of a family
 * together, counters end in _total, base units are seconds and bytes.
 *
 * The label sets are bounded: the POOLS_MAX busiest pools have labels of their own, the
 * others are added up as database="other", user="other"; error classes are those of the
 * table in obs.h; shapes of statements are never labels.
 */
#include "obs_http.h"

#include <dirent.h>
#include <sys/resource.h>
#include <unistd.h>

#define POOLS_MAX 200

/* Upper edges of the histograms' buckets, in microseconds. */
static const uint64_t edges[] = {100, 250, 500, 1000, 2500, 5000, 10000, 25000, 50000, 100000,
	250000, 500000, 1000000, 2500000, 5000000, 10000000, 30000000, 60000000};

struct metrics {
	struct buf *out;
	bool openmetrics;
};

enum family { COUNTER, GAUGE, HISTOGRAM, INFO };

static void put_help(struct buf *out, const char *help)
{
	for (; *help; help++) {
		if (*help == '\\' || *help == '\n')
			buf_put_u8(out, '\\');
		buf_put_u8(out, *help == '\n' ? 'n' : (uint8_t)*help);
	}
}

/* The head of a family: name without prefix and _total. */
static void family(struct metrics *m, const char *name, const char *unit, enum family type,
	const char *help)
{
	static const char *const word[] = {"counter", "gauge", "histogram", "info"};
	const char *u = unit[0] ? "_" : "", *end = "";
	const char *t = word[type];

	if (!m->openmetrics && type == COUNTER)
		end = "_total"; /* the older format names what it then shows */
	if (!m->openmetrics && type == INFO) {
		end = "_info";
		t = "gauge";
	}
	buf_printf(m->out, "# HELP pgsluice_%s%s%s%s ", name, u, unit, end);
	put_help(m->out, help);
	buf_printf(m->out, "\n# TYPE pgsluice_%s%s%s%s %s\n", name, u, unit, end, t);
	if (m->openmetrics && unit[0])
		buf_printf(m->out, "# UNIT pgsluice_%s_%s %s\n", name, unit, unit);
}

static void put_label(struct buf *out, const char *name, const char *value)
{
	size_t left = strlen(value), n;

	buf_printf(out, "%s=\"", name);
	for (; left; value += n, left -= n) {
		n = utf8_len(value, left);
		if (*value == '"' || *value == '\\' || *value == '\n')
			buf_put_u8(out, '\\');
		if (!n) /* one such byte and no scraper would take the page */
			buf_put_str(out, UTF8_INSTEAD);
		else if (*value == '\n')
			buf_put_u8(out, 'n');
		else
			buf_put(out, value, n);
		n = n ? n : 1;
	}
	buf_put_u8(out, '"');
}

/* name{database="…",user="…"[,label="value"]} */
static void sample(struct metrics *m, const char *name, const char *unit, const char *suffix,
	const struct obs_pool_row *p, const char *label, const char *value)
{
	buf_printf(m->out, "pgsluice_%s%s%s%s", name, unit[0] ? "_" : "", unit, suffix);
	if (p || label) {
		buf_put_u8(m->out, '{');
		if (p) {
			put_label(m->out, "database", p->database);
			buf_put_u8(m->out, ',');
			put_label(m->out, "user", p->user);
		}
		if (p && label)
			buf_put_u8(m->out, ',');
		if (label)
			put_label(m->out, label, value);
		buf_put_u8(m->out, '}');
	}
	buf_put_u8(m->out, ' ');
}

static void put_count(struct metrics *m, uint64_t v)
{
	buf_printf(m->out, "%llu\n", (unsigned long long)v);
}

static void put_seconds(struct metrics *m, uint64_t us)
{
	buf_printf(m->out, "%llu.%06u\n", us / USEC_SEC, (unsigned)(us % USEC_SEC));
}

static void put_single(struct metrics *m, const char *name, const char *unit, enum family type,
	const char *help, uint64_t v)
{
	family(m, name, unit, type, help);
	sample(m, name, unit, type == COUNTER ? "_total" : "", NULL, NULL, NULL);
	put_count(m, v);
}

/* --- pools ------------------------------------------------------------------ */

static void put_pool_counters(struct metrics *m, const struct obs_pool_row *pool, size_t n)
{
	for (size_t i = 0; i < stats_row_count; i++) {
		const struct stats_row *row = &stats_rows[i];
		family(m, row->metric, row->unit, COUNTER, row->help);
		for (size_t k = 0; k < n; k++) {
			uint64_t v;
			memcpy(&v, (const char *)&pool[k].stats + row->offset, sizeof v);
			sample(m, row->metric, row->unit, "_total", &pool[k], NULL, NULL);
			if (strcmp(row->unit, "seconds") == 0)
				put_seconds(m, v);
			else
				put_count(m, v);
		}
	}
	family(m, "errors", "", COUNTER,
		"Errors that servers sent, by the class of their SQLSTATE");
	for (size_t k = 0; k < n; k++) {
		for (size_t c = 0; c < stats_error_count; c++) {
			if (!pool[k].stats.errors[c])
				continue;
			sample(m, "errors", "", "_total", &pool[k], "class", stats_error_class[c]);
			put_count(m, pool[k].stats.errors[c]);
		}
	}
}

static void put_pool_gauges(struct metrics *m, const struct obs_pool_row *pool, size_t n)
{
	family(m, "pool_clients", "", GAUGE, "Clients of the pool, by what they do");
	for (size_t k = 0; k < n; k++) {
		const struct obs_pool_row *p = &pool[k];
		const struct {
			const char *state;
			uint32_t v;
		} s[] = {{"active", p->cl_active}, {"waiting", p->cl_waiting}, {"idle", p->cl_idle},
			{"cancel", p->cl_cancel}};
		for (size_t i = 0; i < ARRAY_LEN(s); i++) {
			sample(m, "pool_clients", "", "", p, "state", s[i].state);
			put_count(m, s[i].v);
		}
	}
	family(m, "pool_servers", "", GAUGE, "Server connections of the pool, by what they do");
	for (size_t k = 0; k < n; k++) {
		const struct obs_pool_row *p = &pool[k];
		const struct {
			const char *state;
			uint32_t v;
		} s[] = {{"active", p->sv_active}, {"idle", p->sv_idle}, {"used", p->sv_used},
			{"tested", p->sv_tested}, {"login", p->sv_login}, {"cancel", p->sv_cancel}};
		for (size_t i = 0; i < ARRAY_LEN(s); i++) {
			sample(m, "pool_servers", "", "", p, "state", s[i].state);
			put_count(m, s[i].v);
		}
	}
	family(m, "pool_max_open", "", GAUGE,
		"Server connections that the pool may have (max_open)");
	for (size_t k = 0; k < n; k++) {
		sample(m, "pool_max_open", "", "", &pool[k], NULL, NULL);
		put_count(m, pool[k].max_open);
	}
	family(m, "pool_maxwait", "seconds", GAUGE, "How long the first in the queue has waited");
	for (size_t k = 0; k < n; k++) {
		sample(m, "pool_maxwait", "seconds", "", &pool[k], NULL, NULL);
		put_seconds(m, pool[k].maxwait_us);
	}
	family(m, "pool_login_failing", "", GAUGE,
		"1 while the last login to the server failed: the log and the status page say why");
	for (size_t k = 0; k < n; k++) {
		sample(m, "pool_login_failing", "", "", &pool[k], NULL, NULL);
		put_count(m, pool[k].error != NULL);
	}
	family(m, "pool_paused", "", GAUGE, "1 while the pool is paused");
	for (size_t k = 0; k < n; k++) {
		sample(m, "pool_paused", "", "", &pool[k], NULL, NULL);
		put_count(m, pool[k].paused);
	}
}

static void put_histogram(struct metrics *m, const char *name, const struct obs_pool_row *p,
	const struct hist *h)
{
	uint64_t all = hist_count_below(h, UINT64_MAX);
	char edge[32];

	for (size_t i = 0; i < ARRAY_LEN(edges); i++) {
		snprintf(edge, sizeof edge, "%g", (double)edges[i] / USEC_SEC);
		sample(m, name, "seconds", "_bucket", p, "le", edge);
		put_count(m, hist_count_below(h, edges[i]));
	}
	sample(m, name, "seconds", "_bucket", p, "le", "+Inf");
	put_count(m, all);
	sample(m, name, "seconds", "_count", p, NULL, NULL);
	put_count(m, all);
	sample(m, name, "seconds", "_sum", p, NULL, NULL);
	put_seconds(m, h->sum);
}

/* --- process ---------------------------------------------------------------- */

static void put_workers(struct metrics *m, const struct obs_snapshot *s)
{
	char index[24];

	family(m, "worker_loop_lag", "seconds", GAUGE,
		"The longest turn of the worker's loop in the last 30 to 60 seconds");
	for (size_t i = 0; i < s->worker_count; i++) {
		snprintf(index, sizeof index, "%zu", i);
		sample(m, "worker_loop_lag", "seconds", "", NULL, "worker", index);
		put_seconds(m, s->worker[i].lag_max_us);
	}
	family(m, "worker_ticks", "", COUNTER, "Turns of the worker's loop");
	for (size_t i = 0; i < s->worker_count; i++) {
		snprintf(index, sizeof index, "%zu", i);
		sample(m, "worker_ticks", "", "_total", NULL, "worker", index);
		put_count(m, s->worker[i].ticks);
	}
	family(m, "worker_clients", "", GAUGE, "Clients of the worker");
	for (size_t i = 0; i < s->worker_count; i++) {
		snprintf(index, sizeof index, "%zu", i);
		sample(m, "worker_clients", "", "", NULL, "worker", index);
		put_count(m, s->worker[i].clients);
	}
	family(m, "worker_servers", "", GAUGE, "Server connections of the worker");
	for (size_t i = 0; i < s->worker_count; i++) {
		snprintf(index, sizeof index, "%zu", i);
		sample(m, "worker_servers", "", "", NULL, "worker", index);
		put_count(m, s->worker[i].servers);
	}
}

static uint64_t resident_bytes(void)
{
	unsigned long long size = 0, resident = 0;
	FILE *f = fopen("/proc/self/statm", "re");

	if (!f)
		return 0;
	if (fscanf(f, "%llu %llu", &size, &resident) != 2)
		resident = 0;
	fclose(f);
	return resident * (uint64_t)sysconf(_SC_PAGESIZE);
}

static uint64_t open_descriptors(void)
{
	uint64_t n = 0;
	DIR *d = opendir("/proc/self/fd");

	if (!d)
		return 0;
	while (readdir(d))
		n++;
	closedir(d);
	return n > 3 ? n - 3 : 0; /* ., .. and the directory itself */
}

static void put_process(struct metrics *m, const struct obs_snapshot *s)
{
	const struct obs_process *p = &s->process;
	struct rusage u;
	struct rlimit limit;

	family(m, "build", "", INFO, "Version of the program");
	sample(m, "build", "", "_info", NULL, "version", p->version ? p->version : "");
	put_count(m, 1);
	put_single(m, "up", "", GAUGE, "1 while the process is well", p->healthy);
	put_single(m, "ready", "", GAUGE, "1 while it takes clients", p->ready);
	family(m, "start_time", "seconds", GAUGE, "When the process started, since 1970");
	sample(m, "start_time", "seconds", "", NULL, NULL, NULL);
	put_seconds(m, p->started);
	put_single(m, "clients", "", GAUGE, "Client connections", p->clients);
	put_single(m, "clients_login", "", GAUGE, "Client connections that are logging in",
		p->clients_login);
	put_single(m, "max_client_conn", "", GAUGE, "Client connections that there may be",
		p->max_client_conn);
	put_single(m, "login_failures", "", COUNTER, "Clients that did not get in",
		p->login_failures);
	put_single(m, "auth_failures", "", COUNTER, "Clients that did not prove who they are",
		p->auth_failures);
	put_single(m, "tls_handshakes", "", COUNTER, "TLS handshakes with clients",
		p->tls_handshakes);
	put_single(m, "tls_failures", "", COUNTER, "TLS handshakes that failed", p->tls_failures);
	put_single(m, "query_log_lines", "", COUNTER, "Lines of the query log", p->qlog.lines);
	put_single(m, "query_log_written", "bytes", COUNTER, "Bytes of the query log",
		p->qlog.bytes);
	put_single(m, "query_log_dropped", "", COUNTER, "Statements that the query log lost",
		p->qlog.dropped);
	put_single(m, "query_log_write_errors", "", COUNTER, "Writes of the query log that failed",
		p->qlog.write_errors);
	if (getrusage(RUSAGE_SELF, &u) == 0) {
		family(m, "cpu", "seconds", COUNTER, "Processor time, user and system");
		sample(m, "cpu", "seconds", "_total", NULL, NULL, NULL);
		put_seconds(m, (uint64_t)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * USEC_SEC +
				       (uint64_t)(u.ru_utime.tv_usec + u.ru_stime.tv_usec));
	}
	put_single(m, "resident_memory", "bytes", GAUGE, "Memory that is resident",
		resident_bytes());
	put_single(m, "open_fds", "", GAUGE, "Open descriptors", open_descriptors());
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0)
		put_single(m, "max_fds", "", GAUGE, "Descriptors that there may be",
			limit.rlim_cur);
}

/* --- all -------------------------------------------------------------------- */

static int by_traffic(const void *a, const void *b)
{
	const struct obs_pool_row *x = a, *y = b;

	if (x->stats.query_count != y->stats.query_count)
		return x->stats.query_count > y->stats.query_count ? -1 : 1;
	return 0;
}

/* Beyond POOLS_MAX pools, the quieter ones become one row; shallow copies, but `other`. */
static size_t bound(const struct obs_snapshot *s, struct obs_pool_row *pool,
	struct obs_pool_row *other)
{
	static char name[] = "other";

	if (s->pool_count)
		memcpy(pool, s->pool, s->pool_count * sizeof *pool);
	if (s->pool_count <= POOLS_MAX)
		return s->pool_count;
	qsort(pool, s->pool_count, sizeof *pool, by_traffic);
	other->database = other->user = name;
	for (size_t i = POOLS_MAX; i < s->pool_count; i++) {
		const struct obs_pool_row *p = &pool[i];
		other->cl_active += p->cl_active;
		other->cl_waiting += p->cl_waiting;
		other->cl_idle += p->cl_idle;
		other->cl_cancel += p->cl_cancel;
		other->sv_active += p->sv_active;
		other->sv_idle += p->sv_idle;
		other->sv_used += p->sv_used;
		other->sv_tested += p->sv_tested;
		other->sv_login += p->sv_login;
		other->sv_cancel += p->sv_cancel;
		other->max_open += p->max_open;
		if (p->maxwait_us > other->maxwait_us)
			other->maxwait_us = p->maxwait_us;
		stats_merge(&other->stats, &p->stats);
		hist_merge(&other->wait, &p->wait);
		hist_merge(&other->server, &p->server);
	}
	pool[POOLS_MAX] = *other;
	return POOLS_MAX + 1;
}

void metrics_put(struct buf *out, const struct obs_snapshot *s, bool openmetrics)
{
	struct metrics m = {out, openmetrics};
	struct obs_pool_row other = {0};
	struct obs_pool_row *pool = mem_alloc((s->pool_count + 1) * sizeof *pool);
	size_t n = bound(s, pool, &other);

	put_process(&m, s);
	put_workers(&m, s);
	put_pool_gauges(&m, pool, n);
	put_pool_counters(&m, pool, n);
	family(&m, "client_wait", "seconds", HISTOGRAM,
		"How long clients waited for a server, per transaction");
	for (size_t k = 0; k < n; k++)
		put_histogram(&m, "client_wait", &pool[k], &pool[k].wait);
	family(&m, "statement", "seconds", HISTOGRAM, "How long servers worked, per statement");
	for (size_t k = 0; k < n; k++)
		put_histogram(&m, "statement", &pool[k], &pool[k].server);
	if (openmetrics)
		buf_put_str(out, "# EOF\n");
	hist_release(&other.wait);
	hist_release(&other.server);
	free(pool);
}
