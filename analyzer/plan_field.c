/* SPDX-License-Identifier: ISC
 *
 * What stands in one line of the text format: a node's property, a worker's measures, or one of
 * the plan's own lines below the tree.
 */
#include "plan_text.h"

#include <math.h>

/* --- properties -------------------------------------------------------------------- */

/* "shared hit=5 read=3, temp read=1 written=2" */
static void set_buffers(struct plan_node *n, struct str s)
{
	struct part {
		const char *name;
		double *hit, *read, *dirtied, *written;
	} parts[] = {
		{"shared ", &n->hit, &n->read, &n->dirtied, &n->written},
		{"local ", &n->local_hit, &n->local_read, &n->local_dirtied, &n->local_written},
		{"temp ", NULL, &n->temp_read, NULL, &n->temp_written},
	};

	for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
		struct str p = str_skip(s, str_find(s, parts[i].name));

		p = str_before(p, str_find(p, ","));
		if (p.n == 0)
			continue;
		if (parts[i].hit)
			*parts[i].hit = plan_num(text_number(p, "hit="));
		*parts[i].read = plan_num(text_number(p, "read="));
		if (parts[i].dirtied)
			*parts[i].dirtied = plan_num(text_number(p, "dirtied="));
		*parts[i].written = plan_num(text_number(p, "written="));
	}
}

/* "shared read=1.2 write=0.3, temp write=4.5"; before PostgreSQL 15 only "read=1.2" */
static void set_timings(struct plan_node *n, struct str s)
{
	struct part {
		const char *name;
		double *read, *write;
	} parts[] = {
		{"shared ", &n->shared_io_read_ms, &n->shared_io_write_ms},
		{"shared/local ", &n->shared_io_read_ms, &n->shared_io_write_ms},
		{"local ", &n->local_io_read_ms, &n->local_io_write_ms},
		{"temp ", &n->temp_io_read_ms, &n->temp_io_write_ms},
		{"", &n->io_read_ms, &n->io_write_ms},
	};

	while (s.n) {
		struct str one = str_trim(str_before(s, str_find(s, ",")));
		size_t i = 0;

		while (!str_starts(one, parts[i].name))
			i++;
		*parts[i].read = plan_num(text_number(one, "read="));
		*parts[i].write = plan_num(text_number(one, "write="));
		s = str_skip(s, str_find(s, ",") + 1);
	}
}

/* "quicksort  Memory: 25kB", "external merge  Disk: 1234kB", "top-N heapsort  Memory: 26kB" */
static void set_sort(struct str *method, struct str *type, double *kb, struct str s)
{
	size_t disk = str_find(s, "Disk: "), memory = str_find(s, "Memory: ");
	size_t cut = disk < memory ? disk : memory;

	*method = str_trim(str_before(s, cut));
	if (cut == s.n)
		return;
	*type = disk < memory ? STR("Disk") : STR("Memory");
	*kb = text_number(s, disk < memory ? "Disk: " : "Memory: ");
}

static void set_hash(struct plan_node *n, struct str s)
{
	size_t batches = str_find(s, "Batches: ");
	struct str b = str_skip(s, batches);

	n->buckets = n->buckets_planned = text_number(s, "Buckets: ");
	if (!isnan(text_number(str_before(s, batches), "(originally ")))
		n->buckets_planned = text_number(s, "(originally ");
	n->batches = n->batches_planned = text_number(b, "Batches: ");
	if (!isnan(text_number(b, "(originally ")))
		n->batches_planned = text_number(b, "(originally ");
	n->peak_kb = text_number(s, "Memory Usage: ");
}

void field_set_worker_sort(struct plan_worker *w, struct str s)
{
	set_sort(&w->sort_method, &w->sort_type, &w->sort_kb, str_skip(s, strlen("Sort Method: ")));
}

/* "Worker 0:  actual time=… rows=… loops=…", "Worker 0:  Sort Method: quicksort  Memory: 25kB" */
void field_set_worker(struct reader *r, struct plan_node *n, struct str s)
{
	double number = text_number(s, "Worker ");
	struct plan_worker *w = n->worker.n ? &n->worker.at[n->worker.n - 1] : NULL;
	struct str rest = str_trim(str_skip(s, str_find(s, ":") + 1));

	if (w == NULL || w->number != number) {
		struct plan_worker *list = ARENA_ARRAY(r->a, struct plan_worker, n->worker.n + 1);

		if (n->worker.n)
			memcpy(list, n->worker.at, n->worker.n * sizeof(*list));
		n->worker.at = list;
		w = &list[n->worker.n++];
		*w = (struct plan_worker){number, NAN, NAN, NAN, NAN, STR_NONE, STR_NONE};
	}
	if (str_starts(rest, "actual ")) {
		if (str_find(rest, "time=") < rest.n)
			w->total_ms = text_number(rest, "..");
		w->rows = text_number(rest, "rows=");
		w->loops = text_number(rest, "loops=");
	} else if (str_starts(rest, "Sort Method: ")) {
		field_set_worker_sort(w, rest);
	}
}

/* Splits "a, f(b, c) DESC" at its top-level commas. */
static void add_list(struct arena *a, struct plan_node *n, struct str key, struct str s)
{
	size_t from = 0;
	int open = 0;
	char quote = 0;

	for (size_t i = 0; i <= s.n; i++) {
		char c = i < s.n ? s.p[i] : ',';

		if (quote) {
			quote = c == quote ? 0 : quote;
			if (i < s.n)
				continue;
		} else if (c == '\'' || c == '"') {
			quote = c;
		} else if (strchr("([{", c)) {
			open++;
		} else if (strchr(")]}", c)) {
			open--;
		}
		if (c == ',' && (open == 0 || i == s.n)) {
			struct str item = str_trim((struct str){s.p + from, i - from});

			if (item.n)
				plan_node_add(a, n, key, item);
			from = i + 1;
		}
	}
}

static void set_memoize(struct plan_node *n, struct str s)
{
	n->cache_hits = text_number(s, "Hits: ");
	n->cache_misses = text_number(s, "Misses: ");
	n->cache_evictions = text_number(s, "Evictions: ");
	n->cache_overflows = text_number(s, "Overflows: ");
	n->peak_kb = text_number(s, "Memory Usage: ");
}

/* "1  Sort Method: quicksort  Average Memory: 26kB  Peak Memory: 26kB", likewise "Disk" */
static void set_sort_groups(struct reader *r, struct plan_node *n, struct str key, struct str s)
{
	static const char *const where[] = {"Memory", "Disk"};
	struct str stem = str_of(arena_cstr(r->a, key));
	size_t methods = str_find(s, "Sort Method");
	struct str m = str_skip(str_skip(s, methods), str_find(str_skip(s, methods), ": ") + 2);
	struct text name = {0};

	plan_node_set(r->a, n, arena_printf(r->a, "%.*s.Group Count", STR_ARGS(stem)),
		str_before(s, str_find(s, " ")));
	add_list(r->a, n, arena_printf(r->a, "%.*s.Sort Methods Used", STR_ARGS(stem)),
		arena_str(r->a, str_before(m, str_find(m, "  "))));
	for (size_t i = 0; i < ARRAY_LEN(where); i++)
		for (int peak = 0; peak < 2; peak++) {
			double kb;

			text_clear(&name);
			text_printf(&name, "%s %s: ", peak ? "Peak" : "Average", where[i]);
			kb = text_number(s, name.p);
			if (!isnan(kb))
				plan_node_set(r->a, n,
					arena_printf(r->a, "%.*s.Sort Space %s.%s Sort Space Used",
						STR_ARGS(stem), where[i],
						peak ? "Peak" : "Average"),
					arena_printf(r->a, "%.0f", kb));
		}
	text_release(&name);
}

void field_set(struct reader *r, struct plan_node *n, struct str s)
{
	static const char *const lists[] = {"Sort Key", "Presorted Key", "Group Key", "Hash Key",
		"Output", "Conflict Arbiter Indexes"};
	struct str key = str_before(s, text_key_length(s)), v = str_trim(str_skip(s, key.n + 1));

	for (size_t i = 0; i < ARRAY_LEN(lists); i++)
		if (str_is(key, lists[i])) {
			add_list(r->a, n, key, v);
			return;
		}
	if (str_is(key, "Buffers"))
		set_buffers(n, v);
	else if (str_is(key, "I/O Timings"))
		set_timings(n, v);
	else if (str_is(key, "Sort Method"))
		set_sort(&n->sort_method, &n->sort_type, &n->sort_kb, v);
	else if (str_is(key, "Buckets"))
		set_hash(n, s);
	else if (str_is(key, "Batches")) {
		n->agg_batches = text_number(s, "Batches: ");
		n->peak_kb = text_number(s, "Memory Usage: ");
		n->disk_kb = text_number(s, "Disk Usage: ");
	} else if (str_is(key, "Planned Partitions")) {
		n->planned_partitions = text_number(s, "Planned Partitions: ");
		n->agg_batches = text_number(s, "Batches: ");
		n->peak_kb = text_number(s, "Memory Usage: ");
		n->disk_kb = text_number(s, "Disk Usage: ");
	} else if (str_is(key, "Heap Blocks")) {
		n->exact_blocks = plan_num(text_number(v, "exact="));
		n->lossy_blocks = plan_num(text_number(v, "lossy="));
	} else if (str_is(key, "Hits")) {
		set_memoize(n, s);
	} else if (str_is(key, "WAL")) {
		n->wal_records = plan_num(text_number(v, "records="));
		n->wal_fpi = plan_num(text_number(v, "fpi="));
		n->wal_bytes = plan_num(text_number(v, "bytes="));
		n->wal_full = text_number(v, "buffers full=");
	} else if (str_is(key, "Tuples")) { /* of MERGE */
		n->tuples_inserted = plan_num(text_number(v, "inserted="));
		n->tuples_updated = plan_num(text_number(v, "updated="));
		n->tuples_deleted = plan_num(text_number(v, "deleted="));
		n->tuples_skipped = plan_num(text_number(v, "skipped="));
	} else if (str_is(key, "Storage")) { /* "Memory  Maximum Storage: 17kB" */
		n->storage_kb = text_number(v, "Maximum Storage: ");
		plan_node_set(r->a, n, key, arena_str(r->a, str_before(v, str_find(v, "  "))));
	} else if (str_is(key, "Sampling")) {
		size_t open = str_find(v, " (");

		size_t seed = str_find(v, ") REPEATABLE (");

		plan_node_set(r->a, n, STR("Sampling Method"),
			arena_str(r->a, str_before(v, open)));
		if (seed < v.n) {
			struct str s_ = str_skip(v, seed + strlen(") REPEATABLE ("));

			plan_node_set(r->a, n, STR("Repeatable Seed"),
				arena_str(r->a, str_before(s_, s_.n ? s_.n - 1 : 0)));
			v = str_before(v, seed + 1);
		}
		v = str_skip(v, open + 2);
		add_list(r->a, n, STR("Sampling Parameters"),
			arena_str(r->a, str_before(v, v.n ? v.n - 1 : 0)));
	} else if (str_is(key, "Full-sort Groups") || str_is(key, "Pre-sorted Groups")) {
		set_sort_groups(r, n, key, v);
	} else {
		plan_node_set(r->a, n, key, arena_str(r->a, v));
	}
}

void field_set_target(struct reader *r, struct plan_node *n, struct str s)
{
	struct str key = str_before(s, text_key_length(s)), v = str_trim(str_skip(s, key.n + 1));

	plan_node_add(r->a, n, arena_printf(r->a, "Target Tables.%.*s", STR_ARGS(key)),
		arena_str(r->a, v));
}

/* --- the plan's own lines ------------------------------------------------------------ */

static void add_trigger(struct reader *r, struct str s)
{
	struct plan *p = r->p;
	struct plan_trigger *list = ARENA_ARRAY(r->a, struct plan_trigger, p->trigger.n + 1), *t;
	struct str head = str_before(s, str_find(s, ":"));
	size_t on;

	if (p->trigger.n)
		memcpy(list, p->trigger.at, p->trigger.n * sizeof(*list));
	p->trigger.at = list;
	t = &list[p->trigger.n++];
	*t = (struct plan_trigger){
		.ms = text_number(s, "time="), .calls = text_number(s, "calls=")};
	head = str_skip(head, 8);
	on = str_find(head, " on ");
	if (on < head.n) {
		t->relation = arena_str(r->a, str_skip(head, on + 4));
		head = str_before(head, on);
	}
	if (text_take(&head, "for constraint "))
		t->constraint = arena_str(r->a, head);
	else
		t->name = arena_str(r->a, str_before(head, str_find(head, " for constraint")));
}

/* "work_mem = '1MB', enable_seqscan = 'off'" */
static void add_settings(struct reader *r, struct str s)
{
	struct plan *p = r->p;

	while (s.n) {
		size_t eq = str_find(s, " = '"), end;
		struct plan_setting *list;

		if (eq == s.n)
			return;
		list = ARENA_ARRAY(r->a, struct plan_setting, p->setting.n + 1);
		if (p->setting.n)
			memcpy(list, p->setting.at, p->setting.n * sizeof(*list));
		p->setting.at = list;
		list[p->setting.n].name = arena_str(r->a, str_trim(str_before(s, eq)));
		s = str_skip(s, eq + 4);
		end = str_find(s, "'");
		list[p->setting.n++].value = arena_str(r->a, str_before(s, end));
		s = str_trim(str_skip(s, end + 1));
		if (str_starts(s, ","))
			s = str_skip(s, 1);
	}
}

/* Lines below the tree. False: the line does not belong to a plan. */
bool field_set_footer(struct reader *r, struct str s)
{
	struct plan *p = r->p;

	if (text_is_footer(s))
		r->part = PART_TREE;
	if (str_starts(s, "Planning Time:") || str_starts(s, "Planning time:"))
		p->planning_ms = text_number(s, "ime: ");
	else if (str_starts(s, "Execution Time:") || str_starts(s, "Execution time:"))
		p->execution_ms = text_number(s, "ime: ");
	else if (str_starts(s, "Total runtime:"))
		p->execution_ms = text_number(s, "runtime: ");
	else if (str_starts(s, "Planning:"))
		r->part = PART_PLANNING;
	else if (str_starts(s, "JIT:"))
		r->part = PART_JIT;
	else if (str_starts(s, "Settings:"))
		add_settings(r, str_trim(str_skip(s, 9)));
	else if (str_starts(s, "Query Identifier:"))
		p->query_id = arena_str(r->a, str_trim(str_skip(s, 17)));
	else if (str_starts(s, "Trigger "))
		add_trigger(r, s);
	else if (r->part == PART_JIT && str_starts(s, "Functions:"))
		p->jit_functions = text_number(s, "Functions: ");
	else if (r->part == PART_JIT && str_starts(s, "Timing:"))
		p->jit_ms = text_number(s, "Total ");
	else if (r->part == PART_JIT && str_starts(s, "Options:"))
		return true;
	else if (str_starts(s, "Serialization:"))
		r->part = PART_SERIALIZATION;
	else if (r->part == PART_PLANNING && str_starts(s, "Buffers:")) {
		p->planning_hit = plan_num(text_number(s, "hit="));
		p->planning_read = plan_num(text_number(s, "read="));
	} else if (r->part == PART_PLANNING || r->part == PART_SERIALIZATION)
		return str_starts(s, "Buffers:") || str_starts(s, "Memory:") ||
		       str_starts(s, "I/O Timings:");
	else if (text_is_footer(s)) /* an extension's: known by its head, shown nowhere */
		r->part = PART_ASIDE;
	else
		return false;
	return true;
}
