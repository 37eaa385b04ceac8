/* SPDX-License-Identifier: ISC
 *
 * The text format of EXPLAIN -> a plan, by indentation.
 *
 *	Limit  (cost=… rows=… width=…) (actual time=… rows=… loops=…)     the root
 *	  ->  Sort  (…)                      an arrow deeper than its parent's: a child
 *	        Sort Key: a                  belongs to the node above it
 *	        InitPlan 1 (returns $0)      names the node that follows, which is deeper
 *	          ->  Seq Scan on t  (…)
 *	Planning Time: 0.1 ms                not deeper than the root: belongs to the plan
 *
 * Lines that a terminal or a mail broke are put together again first: a line goes on while its
 * parentheses or quotes are open, and a line that is nothing we know continues the one before.
 */
#include "plan.h"

#include <ctype.h>
#include <math.h>

#define MAX_DEPTH 400

/* Node types that may stand alone on a line when COSTS are OFF; a scan names what it reads. */
static const char *const bare[] = {
	"Aggregate", "Append", "BitmapAnd", "BitmapOr", "Finalize ", "Gather", "GroupAggregate",
	"Group", "Hash", "HashAggregate", "HashSetOp", "Incremental Sort", "Limit", "LockRows",
	"Materialize", "Memoize", "Merge ", "MixedAggregate", "Nested Loop", "Partial ", "ProjectSet",
	"Recursive Union", "Result", "SetOp ", "Sort", "Unique", "WindowAgg", "Gather Merge",
};
static const char *const with_on[] = {
	"Bitmap Heap Scan on ", "Bitmap Index Scan on ", "CTE Scan on ", "Custom Scan (",
	"Delete on ", "Foreign Scan on ", "Function Scan on ", "Index Only Scan ", "Index Scan ",
	"Insert on ", "Merge on ", "Parallel ", "Sample Scan on ", "Seq Scan on ",
	"Subquery Scan on ", "Table Function Scan on ", "Tid Scan on ", "Tid Range Scan on ",
	"Update on ", "Values Scan on ", "WorkTable Scan on ",
};

struct level { /* an open node */
	struct plan_node *node;
	size_t column; /* of its arrow; the root's is its own minus 6 */
};

struct reader {
	struct arena *a;
	struct plan *p;
	struct level level[MAX_DEPTH];
	size_t depth;
	size_t root_column;
	struct plan_node *last; /* properties belong to it */
	struct str label;	/* "InitPlan 1 (returns $0)" of the next node */
	size_t label_column;
	bool in_planning; /* below "Planning:" */
	bool in_jit;
	size_t worker_column; /* deeper lines belong to the worker; SIZE_MAX: to the node */
	bool is_indented; /* some child was deeper than the root: indentation can be trusted */
};

/* --- lines ----------------------------------------------------------------------- */

static size_t indent_of(struct str s)
{
	size_t i = 0;

	while (i < s.n && s.p[i] == ' ')
		i++;
	return i;
}

static bool has_measure(struct str s)
{
	return str_find(s, "(cost=") < s.n || str_find(s, "(actual ") < s.n ||
	       str_find(s, "(never executed)") < s.n;
}

static bool begins_with_any(struct str s, const char *const *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (str_starts(s, list[i]))
			return true;
	return false;
}

static bool is_bare_node(struct str s)
{
	struct str word;

	if (begins_with_any(s, with_on, ARRAY_LEN(with_on)))
		return true;
	for (size_t i = 0; i < ARRAY_LEN(bare); i++) {
		word = str_of(bare[i]);
		if (str_starts(s, bare[i]) && (s.n == word.n || word.p[word.n - 1] == ' ' ||
					       str_starts(str_skip(s, word.n), " Left Join") ||
					       str_starts(str_skip(s, word.n), " Join") ||
					       str_ends(s, " Join") || str_is(word, "HashSetOp")))
			return str_find(s, ":") == s.n;
	}
	return false;
}

bool plan_text_begins(struct str line)
{
	struct str s = str_trim(line);

	if (s.n == 0 || !(isupper((unsigned char)s.p[0])))
		return false;
	if (has_measure(s))
		return str_find(s, ": ") > str_find(s, " (") && !str_starts(s, "Query Text");
	return is_bare_node(s);
}

/* "Key: " at the beginning: letters, blanks and what else stands in EXPLAIN's keys. */
static size_t key_length(struct str s)
{
	size_t i = 0;

	if (s.n == 0 || !isupper((unsigned char)s.p[0]))
		return 0;
	while (i < s.n && i < 60 && (isalnum((unsigned char)s.p[i]) || strchr(" -/()_", s.p[i])))
		i++;
	if (i == 0 || i >= s.n || s.p[i] != ':')
		return 0;
	return i + 1 == s.n || s.p[i + 1] == ' ' ? i : 0;
}

static bool is_label(struct str s)
{
	return ((str_starts(s, "InitPlan ") || str_starts(s, "SubPlan ")) && s.n > 8 &&
		str_find(s, ":") == s.n) ||
	       (str_starts(s, "CTE ") && !str_starts(s, "CTE Scan")) || str_is(s, "InitPlan") ||
	       str_is(s, "SubPlan");
}

static bool is_footer(struct str s)
{
	static const char *const keys[] = {
		"Planning Time:", "Planning time:", "Execution Time:", "Execution time:",
		"Total runtime:", "Planning:", "JIT:", "Settings:", "Query Identifier:",
		"Serialization:", "Trigger ", "Planning Memory:",
	};

	return begins_with_any(s, keys, ARRAY_LEN(keys));
}

static bool is_arrow(struct str s)
{
	return str_starts(s, "->");
}

/* Does the line begin something of its own, or go on with the one before? */
static bool begins_new(struct str s)
{
	return is_arrow(s) || is_label(s) || is_footer(s) || key_length(s) > 0 ||
	       (str_starts(s, "Worker ") && s.n > 7 && isdigit((unsigned char)s.p[7]));
}

/* Open parentheses of the text so far, quotes heeded; *quote is the quote that is open. */
static int open_parens(struct str s, int open, char *quote)
{
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];

		if (*quote) {
			if (c == *quote)
				*quote = 0;
		} else if (c == '\'' || c == '"') {
			*quote = c;
		} else {
			open += c == '(' ? 1 : c == ')' ? -1 : 0;
		}
	}
	return open;
}

/* The logical line from *at on, broken lines joined; *at is left behind it. */
static struct str next_line(struct reader *r, const struct plan_lines *l, size_t *at)
{
	struct str s = l->line.at[*at].text;
	struct text joined = {0};
	char quote = 0;
	int open = open_parens(s, 0, &quote);

	(*at)++;
	for (int more = 0; *at < l->line.n && more < 200; more++, (*at)++) {
		struct str next = l->line.at[*at].text, n = str_trim(next);
		bool was_cut = l->width && l->line.at[*at - 1].text.n >= l->width;
		bool goes_on = open > 0 || quote || (was_cut && !begins_new(n));

		if (n.n == 0 || is_arrow(n) || (goes_on && begins_new(n) && key_length(n) && !quote))
			break;
		if (!goes_on)
			goes_on = str_starts(n, "(actual ") || str_starts(n, "(never executed") ||
				  str_starts(n, "(cost=") ||
				  (indent_of(next) > r->root_column && !begins_new(n) &&
				   !plan_text_begins(n));
		if (!goes_on)
			break;
		if (joined.n == 0)
			text_str(&joined, s);
		if (!was_cut)
			text_puts(&joined, quote ? "\n" : " ");
		text_str(&joined, quote ? next : n);
		open = open_parens(quote ? next : n, open, &quote);
	}
	s = arena_str(r->a, joined.n ? text_slice(&joined) : s); /* the plan borrows from it */
	text_release(&joined);
	return s;
}

/* --- node lines -------------------------------------------------------------------- */

static struct str unquoted(struct arena *a, struct str s)
{
	char *out;
	size_t n = 0;

	if (s.n < 2 || s.p[0] != '"' || s.p[s.n - 1] != '"')
		return s;
	out = arena_alloc(a, s.n);
	for (size_t i = 1; i + 1 < s.n; i++) {
		out[n++] = s.p[i];
		if (s.p[i] == '"')
			i++;
	}
	return (struct str){out, n};
}

/* Cuts the next name off *s: up to a blank (or `stop`), quotes heeded. */
static struct str take_name(struct arena *a, struct str *s, char stop)
{
	size_t i = 0;
	bool quoted = false;
	struct str name;

	while (i < s->n && (quoted || (s->p[i] != ' ' && s->p[i] != stop))) {
		quoted ^= s->p[i] == '"';
		i++;
	}
	name = str_before(*s, i);
	*s = str_skip(*s, i < s->n && s->p[i] == stop ? i + 1 : i);
	return unquoted(a, name);
}

/* "schema.name alias" into the node. */
static void set_source(struct reader *r, struct plan_node *n, struct str s)
{
	struct str first, second = STR_NONE;
	size_t before = s.n;

	s = str_trim(s);
	before = s.n;
	first = take_name(r->a, &s, '.');
	if (before > s.n && s.p[-1] == '.')
		second = take_name(r->a, &s, ' ');
	s = str_trim(s);
	if (second.n) {
		n->schema = first;
		first = second;
	}
	if (s.n && s.p[0] != '(')
		n->alias = take_name(r->a, &s, ' ');
	if (str_starts(n->type, "Function Scan"))
		n->function = first;
	else if (str_starts(n->type, "Table Function"))
		n->table_function = first;
	else if (str_starts(n->type, "CTE Scan") || str_starts(n->type, "WorkTable"))
		n->cte = first;
	else if (str_starts(n->type, "Bitmap Index Scan"))
		n->index = first;
	else if (str_starts(n->type, "Subquery Scan") || str_starts(n->type, "Values Scan"))
		n->alias = first;
	else
		n->relation = first;
}

static bool take_prefix(struct str *s, const char *prefix)
{
	if (!str_starts(*s, prefix))
		return false;
	*s = str_skip(*s, strlen(prefix));
	return true;
}

static void set_aggregate(struct plan_node *n, struct str *type)
{
	static const char *const names[][2] = {{"GroupAggregate", "Sorted"},
					       {"HashAggregate", "Hashed"},
					       {"MixedAggregate", "Mixed"},
					       {"Aggregate", "Plain"}};

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (str_is(*type, names[i][0])) {
			n->strategy = str_of(names[i][1]);
			*type = STR("Aggregate");
			if (n->partial_mode.n == 0)
				n->partial_mode = STR("Simple");
			return;
		}
	if (take_prefix(type, "HashSetOp ") || take_prefix(type, "SetOp ")) {
		n->strategy = type->p[-6] == 'h' ? STR("Hashed") : STR("Sorted");
		n->command = *type;
		*type = STR("SetOp");
	}
}

static void set_join(struct plan_node *n, struct str *type)
{
	static const char *const stems[][2] = {
		{"Hash ", "Hash Join"}, {"Merge ", "Merge Join"}, {"Nested Loop ", "Nested Loop"}};

	if (str_is(*type, "Nested Loop") || str_is(*type, "Hash Join") ||
	    str_is(*type, "Merge Join")) {
		n->join = STR("Inner");
		return;
	}
	if (!str_ends(*type, " Join"))
		return;
	for (size_t i = 0; i < ARRAY_LEN(stems); i++)
		if (str_starts(*type, stems[i][0])) {
			struct str kind = str_skip(*type, strlen(stems[i][0]));

			n->join = str_before(kind, kind.n - 5);
			*type = str_of(stems[i][1]);
			return;
		}
}

/* What stands before the parentheses: "Parallel Index Scan Backward using i on s.t x". */
static void set_title(struct reader *r, struct plan_node *n, struct str s)
{
	static const char *const verbs[] = {"Insert", "Update", "Delete", "Merge"};
	size_t on, using;
	struct str rest = STR_NONE, type;

	s = str_trim(s);
	on = str_find(s, " on ");
	using = str_find(s, " using ");
	type = str_before(s, using < on ? using : on);
	if (using < on) {
		rest = str_skip(s, using + 7);
		n->index = take_name(r->a, &rest, ' ');
		rest = take_prefix(&rest, "on ") || take_prefix(&rest, " on ") ? rest : STR_NONE;
	} else if (on < s.n) {
		rest = str_skip(s, on + 4);
	}
	n->is_parallel = take_prefix(&type, "Parallel ");
	take_prefix(&type, "Async ");
	if (take_prefix(&type, "Partial "))
		n->partial_mode = STR("Partial");
	else if (take_prefix(&type, "Finalize "))
		n->partial_mode = STR("Finalize");
	if (str_ends(type, " Backward")) {
		type = str_before(type, type.n - 9);
		n->direction = STR("Backward");
	} else if (using < s.n) {
		n->direction = STR("Forward");
	}
	set_aggregate(n, &type);
	set_join(n, &type);
	for (size_t i = 0; i < ARRAY_LEN(verbs); i++)
		if (str_is(type, verbs[i])) {
			n->operation = type;
			type = STR("ModifyTable");
		} else if (str_starts(type, "Foreign ") && str_ends(type, verbs[i])) {
			n->operation = str_of(verbs[i]);
			type = STR("Foreign Scan");
		}
	if (take_prefix(&type, "Custom Scan (")) {
		n->provider = str_before(type, str_find(type, ")"));
		type = STR("Custom Scan");
	}
	n->type = arena_str(r->a, type);
	if (rest.n)
		set_source(r, n, rest);
}

static double after(struct str s, const char *key)
{
	size_t at = str_find(s, key);
	char copy[40];
	struct str v;

	if (at >= s.n)
		return NAN;
	v = str_before(str_skip(s, at + strlen(key)), sizeof(copy) - 1);
	memcpy(copy, v.p, v.n);
	copy[v.n] = 0;
	return strtod(copy, NULL);
}

/* "cost=1.00..2.00 rows=3 width=4" or "actual time=0.1..0.2 rows=3 loops=1" */
static void set_measures(struct plan_node *n, struct str s)
{
	size_t cost = str_find(s, "(cost="), actual = str_find(s, "(actual ");
	struct str c = str_skip(s, cost);

	if (cost < s.n) {
		c = str_before(c, str_find(c, ")"));
		n->startup_cost = after(c, "cost=");
		n->total_cost = after(c, "..");
		n->plan_rows = after(c, "rows=");
		n->plan_width = after(c, "width=");
	}
	if (actual < s.n) {
		struct str v = str_skip(s, actual);

		v = str_before(v, str_find(v, ")"));
		if (str_find(v, "time=") < v.n) {
			n->startup_ms = after(v, "time=");
			n->total_ms = after(v, "..");
		}
		n->rows = after(v, "rows=");
		n->loops = after(v, "loops=");
	}
	if (str_find(s, "(never executed)") < s.n)
		n->is_never = true;
}

static void name_label(struct reader *r, struct plan_node *n)
{
	struct str s = r->label;

	if (s.n == 0)
		return;
	n->subplan = s;
	n->relationship = str_starts(s, "SubPlan") ? STR("SubPlan") : STR("InitPlan");
	r->label = STR_NONE;
}

static void name_relationship(struct plan_node *up, struct plan_node *n)
{
	size_t inputs = 0;

	if (n->relationship.n)
		return;
	for (size_t i = 0; i < up->children; i++)
		inputs += plan_is_input(up->child[i]);
	switch (up->kind) {
	case PLAN_APPEND:
	case PLAN_MERGE_APPEND:
	case PLAN_BITMAP_AND:
	case PLAN_BITMAP_OR:
		n->relationship = STR("Member");
		return;
	case PLAN_SUBQUERY_SCAN:
		n->relationship = STR("Subquery");
		return;
	default: /* the rest has an outer and perhaps an inner input */
		n->relationship = inputs ? STR("Inner") : STR("Outer");
	}
}

static struct plan_node *read_node(struct reader *r, struct str s, size_t column, int line)
{
	struct plan_node *n = plan_node_new(r->a);
	size_t cut = s.n, from = r->label.n ? r->label_column : column;
	static const char *const marks[] = {"  (cost=", "  (actual ", "  (never executed)",
					    " (cost=", " (actual ", " (never executed)"};

	for (size_t i = 0; i < ARRAY_LEN(marks); i++)
		if (str_find(s, marks[i]) < cut)
			cut = str_find(s, marks[i]);
	n->line = line;
	set_title(r, n, str_before(s, cut));
	set_measures(n, str_skip(s, cut));
	name_label(r, n);
	plan_node_settle(n);
	r->is_indented |= column > 0;
	while (r->depth > 1 && r->level[r->depth - 1].column >= from)
		r->depth--;
	if (r->depth > 0) {
		struct plan_node *up = r->level[r->depth - 1].node;

		name_relationship(up, n);
		plan_node_adopt(r->a, up, n);
	}
	if (r->depth < MAX_DEPTH)
		r->level[r->depth++] = (struct level){n, column};
	r->last = n;
	r->worker_column = SIZE_MAX;
	r->in_planning = r->in_jit = false;
	return n;
}

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
			*parts[i].hit = plan_num(after(p, "hit="));
		*parts[i].read = plan_num(after(p, "read="));
		if (parts[i].dirtied)
			*parts[i].dirtied = plan_num(after(p, "dirtied="));
		*parts[i].written = plan_num(after(p, "written="));
	}
}

static void set_timings(struct plan_node *n, struct str s)
{
	struct str shared = str_skip(s, str_find(s, "shared "));

	if (shared.n == 0) {
		n->io_read_ms = plan_num(after(s, "read="));
		n->io_write_ms = plan_num(after(s, "write="));
		return;
	}
	shared = str_before(shared, str_find(shared, ","));
	n->shared_io_read_ms = plan_num(after(shared, "read="));
	n->shared_io_write_ms = plan_num(after(shared, "write="));
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
	*kb = after(s, disk < memory ? "Disk: " : "Memory: ");
}

static void set_hash(struct plan_node *n, struct str s)
{
	size_t batches = str_find(s, "Batches: ");
	struct str b = str_skip(s, batches);

	n->buckets = n->buckets_planned = after(s, "Buckets: ");
	if (!isnan(after(str_before(s, batches), "(originally ")))
		n->buckets_planned = after(s, "(originally ");
	n->batches = n->batches_planned = after(b, "Batches: ");
	if (!isnan(after(b, "(originally ")))
		n->batches_planned = after(b, "(originally ");
	n->peak_kb = after(s, "Memory Usage: ");
}

static void set_worker_sort(struct plan_worker *w, struct str s)
{
	set_sort(&w->sort_method, &w->sort_type, &w->sort_kb, str_skip(s, strlen("Sort Method: ")));
}

/* "Worker 0:  actual time=… rows=… loops=…", "Worker 0:  Sort Method: quicksort  Memory: 25kB" */
static void set_worker(struct reader *r, struct plan_node *n, struct str s)
{
	double number = after(s, "Worker ");
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
			w->total_ms = after(rest, "..");
		w->rows = after(rest, "rows=");
		w->loops = after(rest, "loops=");
	} else if (str_starts(rest, "Sort Method: ")) {
		set_worker_sort(w, rest);
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
	n->cache_hits = after(s, "Hits: ");
	n->cache_misses = after(s, "Misses: ");
	n->cache_evictions = after(s, "Evictions: ");
	n->cache_overflows = after(s, "Overflows: ");
	n->peak_kb = after(s, "Memory Usage: ");
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
			kb = after(s, name.p);
			if (!isnan(kb))
				plan_node_set(r->a, n,
					      arena_printf(r->a, "%.*s.Sort Space %s.%s Sort Space Used",
							   STR_ARGS(stem), where[i],
							   peak ? "Peak" : "Average"),
					      arena_printf(r->a, "%.0f", kb));
		}
	text_release(&name);
}

static void set_property(struct reader *r, struct plan_node *n, struct str s)
{
	static const char *const lists[] = {"Sort Key", "Presorted Key", "Group Key", "Output",
					    "Conflict Arbiter Indexes"};
	struct str key = str_before(s, key_length(s)), v = str_trim(str_skip(s, key.n + 1));

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
		n->agg_batches = after(s, "Batches: ");
		n->peak_kb = after(s, "Memory Usage: ");
		n->disk_kb = after(s, "Disk Usage: ");
	} else if (str_is(key, "Planned Partitions")) {
		n->planned_partitions = after(s, "Planned Partitions: ");
		n->agg_batches = after(s, "Batches: ");
		n->peak_kb = after(s, "Memory Usage: ");
		n->disk_kb = after(s, "Disk Usage: ");
	} else if (str_is(key, "Heap Blocks")) {
		n->exact_blocks = plan_num(after(v, "exact="));
		n->lossy_blocks = plan_num(after(v, "lossy="));
	} else if (str_is(key, "Hits")) {
		set_memoize(n, s);
	} else if (str_is(key, "WAL")) {
		n->wal_records = plan_num(after(v, "records="));
		n->wal_fpi = plan_num(after(v, "fpi="));
		n->wal_bytes = plan_num(after(v, "bytes="));
	} else if (str_is(key, "Sampling")) {
		size_t open = str_find(v, " (");

		plan_node_set(r->a, n, STR("Sampling Method"), arena_str(r->a, str_before(v, open)));
		v = str_skip(v, open + 2);
		add_list(r->a, n, STR("Sampling Parameters"),
			 arena_str(r->a, str_before(v, v.n ? v.n - 1 : 0)));
	} else if (str_is(key, "Full-sort Groups") || str_is(key, "Pre-sorted Groups")) {
		set_sort_groups(r, n, key, v);
	} else {
		plan_node_set(r->a, n, key, arena_str(r->a, v));
	}
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
	*t = (struct plan_trigger){.ms = after(s, "time="), .calls = after(s, "calls=")};
	head = str_skip(head, 8);
	on = str_find(head, " on ");
	if (on < head.n) {
		t->relation = arena_str(r->a, str_skip(head, on + 4));
		head = str_before(head, on);
	}
	if (take_prefix(&head, "for constraint "))
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
static bool read_footer(struct reader *r, struct str s)
{
	struct plan *p = r->p;

	r->in_jit = r->in_jit && !is_footer(s);
	r->in_planning = r->in_planning && !is_footer(s);
	if (str_starts(s, "Planning Time:") || str_starts(s, "Planning time:"))
		p->planning_ms = after(s, "ime: ");
	else if (str_starts(s, "Execution Time:") || str_starts(s, "Execution time:"))
		p->execution_ms = after(s, "ime: ");
	else if (str_starts(s, "Total runtime:"))
		p->execution_ms = after(s, "runtime: ");
	else if (str_starts(s, "Planning:"))
		r->in_planning = true;
	else if (str_starts(s, "JIT:"))
		r->in_jit = true;
	else if (str_starts(s, "Settings:"))
		add_settings(r, str_trim(str_skip(s, 9)));
	else if (str_starts(s, "Query Identifier:"))
		p->query_id = arena_str(r->a, str_trim(str_skip(s, 17)));
	else if (str_starts(s, "Trigger "))
		add_trigger(r, s);
	else if (r->in_jit && str_starts(s, "Functions:"))
		p->jit_functions = after(s, "Functions: ");
	else if (r->in_jit && str_starts(s, "Timing:"))
		p->jit_ms = after(s, "Total ");
	else if (r->in_jit && str_starts(s, "Options:"))
		return true;
	else if (r->in_planning && (str_starts(s, "Buffers:") || str_starts(s, "Memory:"))) {
		if (str_starts(s, "Buffers:")) {
			p->planning_hit = plan_num(after(s, "hit="));
			p->planning_read = plan_num(after(s, "read="));
		}
	} else if (r->in_planning && str_starts(s, "I/O Timings:"))
		return true;
	else
		return is_footer(s);
	return true;
}

/* One logical line below the root. False: the plan ended before it. */
static bool read_line(struct reader *r, struct str line, int number)
{
	struct str s = str_trim(line);
	size_t column = indent_of(line);

	if (is_arrow(s)) {
		s = str_trim(str_skip(s, 2));
		read_node(r, s, column, number);
		return true;
	}
	if (is_footer(s) || r->in_jit || r->in_planning)
		return read_footer(r, s);
	if (column < r->root_column || (column == r->root_column && !key_length(s) && !is_label(s)))
		return false;
	if (str_starts(s, "Worker ") && s.n > 7 && isdigit((unsigned char)s.p[7])) {
		set_worker(r, r->last, s);
		r->worker_column = column;
		return true;
	}
	if (column > r->worker_column) {
		if (str_starts(s, "Sort Method: "))
			set_worker_sort(&r->last->worker.at[r->last->worker.n - 1], s);
		return true;
	}
	r->worker_column = SIZE_MAX;
	if (is_label(s)) {
		r->label = arena_str(r->a, s);
		r->label_column = column;
		return true;
	}
	if (key_length(s) == 0)
		return column > r->root_column; /* shown nowhere, but no end */
	if (column <= r->root_column && r->is_indented)
		return false;
	set_property(r, r->last, s);
	return true;
}

/* A bare "Limit" is a plan's root only when a plan's line follows. */
static bool is_root(const struct plan_lines *l, size_t at)
{
	struct str s = l->line.at[at].text, next;

	if (has_measure(s) || begins_with_any(str_trim(s), with_on, ARRAY_LEN(with_on)))
		return true;
	if (str_is(str_trim(s), "Result"))
		return at + 1 == l->line.n || indent_of(l->line.at[at + 1].text) > indent_of(s);
	if (at + 1 == l->line.n)
		return false;
	next = l->line.at[at + 1].text;
	return is_arrow(str_trim(next)) ||
	       (key_length(str_trim(next)) && indent_of(next) > indent_of(s));
}

struct plan *plan_text_read(struct arena *a, const struct plan_lines *l, size_t *at)
{
	struct reader r = {.a = a};
	size_t first = *at;
	struct str line = l->line.at[first].text;

	if (!plan_text_begins(line) || !is_root(l, first))
		return NULL;
	r.p = plan_new(a);
	r.p->format = PLAN_TEXT;
	r.p->line = l->line.at[first].number;
	r.root_column = indent_of(line);
	line = next_line(&r, l, at);
	r.p->root = read_node(&r, str_trim(line), 0, r.p->line);
	r.level[0].column = 0;
	while (*at < l->line.n) {
		size_t here = *at;

		if (str_trim(l->line.at[here].text).n == 0) {
			(*at)++;
			continue;
		}
		line = next_line(&r, l, at);
		if (!read_line(&r, line, l->line.at[here].number)) {
			*at = here;
			break;
		}
	}
	return r.p;
}
