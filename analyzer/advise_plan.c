/* SPDX-License-Identifier: ISC
 *
 * A plan -> the indexes it asks for, from the plan alone.
 *
 * Three questions at each scan of a table:
 *	filter	rows read and thrown away: the filter's columns, equality first, then the order
 *		a LIMIT above wants, else one range
 *	join	a table read whole for the few rows the other side of a join asks for: the join's
 *		columns and the filter's equalities
 *	order	all rows sorted for the first few, or grouped by nothing but the columns read
 * A scan that is small, or whose rows are mostly wanted, gets no advice.
 */
#include "advise.h"

#include <ctype.h>
#include <math.h>

#include "advise_scan.h"
#include "plan_rule.h"
#include "schema.h"
#include "sql.h"

#define WANTED_PART	 0.25 /* more than this of the rows: reading all is right */
#define MIN_PART	 0.01 /* of the plan's time: less is not worth an index */
#define BRIN_BYTES	 (1 << 30)
#define BRIN_CORRELATION 0.9
#define INCLUDE_WIDTH	 64 /* bytes of a row's output that may ride along */

struct advisor {
	struct arena *a;
	const struct plan *p;
	const struct schema *schema;
	struct candidates *out;
};

static const struct schema_table *table_of(const struct advisor *v, const struct plan_node *n)
{
	return v->schema && n ? schema_find(v->schema, n->schema, n->relation) : NULL;
}

/* --- making a candidate ---------------------------------------------------------------------- */

static bool has_key(const struct candidate *c, struct str expr)
{
	for (size_t i = 0; i < c->keys; i++)
		if (str_eq(c->key[i].expr, expr))
			return true;
	return false;
}

static void add_key(struct candidate *c, const struct want *w)
{
	if (c->keys < INDEX_KEYS_MAX && !has_key(c, w->expr))
		c->key[c->keys++] = (struct index_key){.expr = w->expr,
			.is_expr = w->is_expr,
			.is_assumed = w->is_assumed,
			.opclass = w->opclass};
}

static struct candidate begin(const struct scan *s)
{
	return (struct candidate){.schema = s->n->schema,
		.table = s->n->relation,
		.method = "btree",
		.node = s->n->number};
}

/* Temporary tables are gone before the index helps anyone; catalogs are not ours. */
static bool is_out_of_reach(const struct plan_node *n)
{
	return str_starts(n->schema, "pg_temp") || str_starts(n->schema, "pg_catalog") ||
	       str_starts(n->relation, "pg_");
}

static bool is_off(const struct plan_node *n)
{
	double est = fmax(plan_num(n->plan_rows), 1), rows = fmax(plan_num(n->rows), 1);

	return fmax(est, rows) >= 100 &&
	       (rows / est >= 10 || (est / rows >= 10 && !is_cut_short(n)));
}

/* A partition's index belongs on the partitioned table: the schema names it, or the planner's
 * alias for the part, "measurement_3" of measurement_y2024, does. */
static void raise_to_parent(const struct advisor *v, const struct scan *s, struct candidate *c)
{
	const struct plan_node *n = s->n;
	const struct schema_table *t = table_of(v, n);
	struct str base = plan_whole_alias(n);

	for (int i = 0; t && t->parent.n && i < 16; i++) {
		t = schema_find(v->schema, t->schema, t->parent);
		if (t)
			c->table = t->name;
	}
	if (t || base.n == n->alias.n)
		return;
	if (n->relation.n > base.n + 1 && str_starts(n->relation, arena_cstr(v->a, base)) &&
		n->relation.p[base.n] == '_' &&
		(base.n > 2 || isdigit((unsigned char)n->relation.p[base.n + 1])))
		c->table = base; /* "t" may be what the query calls the table t_events */
}

/* A range of a huge table whose rows lie in its order: a BRIN index is a thousandth in size. */
static bool is_brin(const struct advisor *v, const struct scan *s, const struct candidate *c)
{
	const struct schema_table *t = table_of(v, s->n);
	int at = t && c->keys == 1 ? schema_column_of(t, c->key[0].expr) : -1;

	return at >= 0 && t->bytes >= BRIN_BYTES && c->where.n == 0 && c->key[0].opclass == NULL &&
	       fabs(t->column.at[at].correlation) >= BRIN_CORRELATION;
}

/* What the plan shows, so that an index stands with its reason also where no rule fires. */
static const char *evidence(const struct advisor *v, const struct scan *s)
{
	struct plan_check say = {.p = v->p, .a = v->a};
	const struct plan_node *n = s->n;

	if (v->p->is_analyzed)
		return arena_printf(v->a, "node %zu reads %s rows of %.*s%s and keeps %s",
			n->number, say_count(&say, s->read), STR_ARGS(n->relation),
			node_loops(n) > 1 && !n->is_parallel ? " each time" : "",
			say_count(&say, s->kept))
			.p;
	if (v->p->has_cost)
		return arena_printf(v->a,
			"node %zu is expected to find %s rows of %.*s for %.0f %% of the cost",
			n->number, say_count(&say, plan_num(n->plan_rows)), STR_ARGS(n->relation),
			n->share * 100)
			.p;
	return arena_printf(v->a, "asked for by node %zu", n->number).p;
}

static bool is_assumed(const struct candidate *c)
{
	bool any = false;

	for (size_t i = 0; i < c->keys; i++)
		any |= c->key[i].is_assumed;
	return any;
}

static void add(struct advisor *v, const struct scan *s, struct candidate *c, double weight,
	const char *why)
{
	const struct plan_node *n = s->n;

	if (c->keys == 0 || is_out_of_reach(n))
		return;
	c->weight = weight;
	c->statistics_first = v->p->is_analyzed && is_off(n);
	raise_to_parent(v, s, c);
	/* One whose parent is not known gets an index of its own. */
	c->is_partition = n->up && !str_eq(c->table, n->relation) &&
			  (n->up->kind == PLAN_APPEND || n->up->kind == PLAN_MERGE_APPEND);
	if (c->replaces.n == 0 && candidate_existing(v->a, v->schema, c).n)
		return;
	c->why = arena_printf(v->a, "%s; %s%s%s%s", why, evidence(v, s),
		is_assumed(c)
			? "; if the column is a timestamptz, which the plan does not tell: of "
			  "a timestamp the server takes no such index"
			: "",
		c->statistics_first ? "; the estimate is far off: ANALYZE first and "
				      "see whether the plan is still bad"
				    : "",
		c->is_partition ? "; on the partitioned table this locks out writes while it "
				  "builds: without that, ON ONLY it, then CONCURRENTLY on each "
				  "partition, then ALTER INDEX … ATTACH PARTITION"
				: "");
	candidate_finish(v->a, c, !c->is_partition);
	candidates_add(v->out, c);
}

/* The sort's keys, when all are this relation's: how many were added. */
static size_t add_order(struct advisor *v, const struct scan *s, struct candidate *c,
	const struct plan_prop *list)
{
	struct index_key key[INDEX_KEYS_MAX];
	size_t n = 0;

	for (size_t i = 0; list && i < list->values; i++) {
		if (n == INDEX_KEYS_MAX ||
			(!wants_key(v->a, s->w.table, list->value[i], s->n->alias, s->n->relation,
				 &key[n]) &&
				!wants_key(v->a, s->w.table, list->value[i], plan_whole_alias(s->n),
					STR_NONE, &key[n])))
			return 0;
		n++;
	}
	if (c->keys + n > INDEX_KEYS_MAX)
		return 0;
	for (size_t i = 0; i < n; i++)
		if (!has_key(c, key[i].expr)) /* bound by an equality: its order is no matter */
			c->key[c->keys++] = key[i];
	return n;
}

/* Output columns that would make the scan index-only, when they are few and narrow. */
static void add_include(struct advisor *v, const struct scan *s, struct candidate *c)
{
	const struct plan_prop *output = plan_prop(s->n, "Output");
	struct str extra[INDEX_KEYS_MAX];
	size_t n = 0;

	if (output == NULL || plan_num(s->n->plan_width) > INCLUDE_WIDTH || output->values > 6 ||
		s->kept < 1000)
		return;
	for (size_t i = 0; i < output->values; i++) {
		struct index_key key;

		if (!wants_key(v->a, s->w.table, output->value[i], s->n->alias, s->n->relation,
			    &key) ||
			key.is_expr)
			return;
		if (!has_key(c, key.expr) && n < 4)
			extra[n++] = key.expr;
		else if (!has_key(c, key.expr))
			return;
	}
	/* The filter's columns are read too. */
	for (size_t i = 0; i < s->w.n; i++)
		if (!has_key(c, s->w.at[i].expr))
			return;
	memcpy(c->include, extra, n * sizeof(*extra));
	c->includes = n;
}

/* --- the three questions ------------------------------------------------------------------------
 */

static const struct want *first_range(const struct wants *w)
{
	const struct want *found = NULL;

	for (size_t i = 0; i < w->n; i++)
		if (w->at[i].arm == 0 &&
			(w->at[i].kind == WANT_RANGE || w->at[i].kind == WANT_PREFIX) &&
			(found == NULL || (found->is_expr && !w->at[i].is_expr)))
			found = &w->at[i];
	return found;
}

static void add_equalities(const struct wants *w, struct candidate *c, bool joins)
{
	for (size_t i = 0; i < w->n; i++)
		if (w->at[i].kind == WANT_EQ && w->at[i].arm == 0 && (joins || !w->at[i].is_join))
			add_key(c, &w->at[i]);
}

/* Flags become the index's predicate, or its key when there is nothing else; that a column is
 * there does when nothing else is asked for at all. */
static void add_flags(struct advisor *v, const struct wants *w, struct candidate *c)
{
	struct text t = {0};
	enum want_kind kind = WANT_THERE;

	for (size_t i = 0; i < w->n; i++)
		if (c->keys || w->at[i].kind == WANT_BOOL)
			kind = WANT_BOOL;
	for (size_t i = 0; i < w->n; i++) {
		if (w->at[i].kind != kind)
			continue;
		if (t.n)
			text_puts(&t, " AND ");
		text_str(&t, w->at[i].predicate);
		if (c->keys == 0)
			add_key(c, &w->at[i]);
	}
	if (t.n)
		c->where = arena_str(v->a, text_slice(&t));
	text_release(&t);
}

/* Operators with a method of their own, and ORs: an index each. */
static void ask_others(struct advisor *v, const struct scan *s, double weight)
{
	for (size_t i = 0; i < s->w.n; i++) {
		const struct want *w = &s->w.at[i];
		struct candidate c = begin(s);

		if (w->kind != WANT_OTHER && w->arm == 0)
			continue;
		add_key(&c, w);
		if (w->method)
			c.method = w->method;
		add(v, s, &c, weight,
			w->arm ? "one arm of an OR; with an index for each arm the bitmaps are "
				 "combined"
			: strcmp(c.method, "gin") == 0
				? (w->opclass && strcmp(w->opclass, "gin_trgm_ops") == 0
						  ? "a pattern that no B-tree serves (needs the "
						    "extension pg_trgm)"
						  : "an operator that a GIN index serves")
			: strcmp(c.method, "hash") == 0
				? "equality of values too long for a B-tree's entries"
				: "an operator that a GiST index serves");
	}
}

static void ask_filter(struct advisor *v, const struct scan *s)
{
	struct candidate c = begin(s);
	const struct want *range = first_range(&s->w);
	bool wants_order = s->sort && s->limit && plan_outer(s->limit) &&
			   above(s->sort, PLAN_LIMIT) == s->limit;
	double weight = scan_weight(v->p, s->n);
	bool is_selective = s->kept <= WANTED_PART * s->read || is_cut_short(s->n);
	size_t ordered = 0;

	add_equalities(&s->w, &c, true);
	if (!is_selective && !wants_order)
		return;
	if (wants_order) {
		struct candidate with = c;

		ordered = add_order(v, s, &with, plan_prop(s->sort, "Sort Key"));
		if (ordered && (range == NULL || str_eq(with.key[c.keys].expr, range->expr))) {
			c = with;
			weight += scan_weight(v->p, s->sort);
			range = NULL;
		}
	}
	if (range) {
		bool is_row = range->kind == WANT_RANGE;

		add_key(&c, range);
		/* ROW(a, b) > …: the further columns stand right behind the first. */
		for (size_t i = 0; is_row && i + 1 < s->w.n; i++)
			if (&s->w.at[i] == range && s->w.at[i + 1].kind == WANT_RANGE && s->limit &&
				!is_selective)
				add_key(&c, &s->w.at[i + 1]);
	}
	if (is_selective)
		ask_others(v, s, weight);
	if (c.keys == 0 && !is_selective)
		return;
	add_flags(v, &s->w, &c);
	if (c.keys == 0)
		return;
	if (range && !ordered && is_brin(v, s, &c)) {
		c.method = "brin";
		add(v, s, &c, weight,
			"a range of a huge table whose rows lie in this order: a thousandth of a "
			"B-tree's size");
		return;
	}
	add_include(v, s, &c);
	add(v, s, &c, weight,
		ordered ? "serves the filter and gives the order, so that LIMIT can stop early"
			: "finds the filter's rows without reading the others");
}

/* --- max(a), min(a) -------------------------------------------------------------------- */

struct extremes { /* what a statement's text takes the maximum or minimum of */
	struct arena *a;
	struct str of[INDEX_KEYS_MAX];
	size_t n;
};

static enum walk note_extreme(void *ctx, const struct sql_path *at)
{
	struct extremes *x = ctx;
	const struct sql_node *n = at->node;
	struct str name;

	if (!node_is(n, "FuncCall") || x->n == ARRAY_LEN(x->of) || node_len(n, "args") != 1)
		return WALK_ON;
	name = node_last_name(n, "funcname");
	if (str_is(name, "max") || str_is(name, "min"))
		x->of[x->n++] = sql_deparse(x->a, node_item(n, "args", 0));
	return WALK_ON;
}

/* All that the aggregate puts out, if it is nothing but extremes; else what the text asks for. */
static void find_extremes(struct advisor *v, const struct plan_node *aggregate, struct extremes *x)
{
	const struct plan_prop *output = plan_prop(aggregate, "Output");
	struct sql_tree *tree;

	x->a = v->a;
	for (size_t i = 0; output && i < output->values && x->n < ARRAY_LEN(x->of); i++) {
		struct str s = str_trim(output->value[i]);

		if (!str_ends(s, ")") || (!str_starts(s, "max(") && !str_starts(s, "min("))) {
			x->n = 0;
			return;
		}
		x->of[x->n++] = (struct str){s.p + 4, s.n - 5};
	}
	tree = x->n == 0 && output == NULL && v->p->query.n ? sql_parse(v->a, v->p->query, NULL)
							    : NULL;
	if (tree && tree->statements == 1)
		sql_walk(tree->root, note_extreme, x);
}

/* The first or last entry of an index is the answer: nothing else need be read. */
static void ask_extremes(struct advisor *v, const struct scan *s)
{
	struct extremes x = {0};

	if (s->group == NULL || s->group->kind != PLAN_AGGREGATE ||
		plan_prop(s->group, "Group Key"))
		return;
	for (const struct plan_node *up = s->n->up; up != s->group; up = up->up)
		if (plan_is_join(up))
			return;
	find_extremes(v, s->group, &x);
	for (size_t i = 0; i < x.n; i++) {
		struct candidate c = begin(s);
		struct index_key key;

		add_equalities(&s->w, &c, false);
		if (c.keys == INDEX_KEYS_MAX || c.keys < s->w.n ||
			!wants_key(v->a, s->w.table, x.of[i], s->n->alias, s->n->relation, &key) ||
			has_key(&c, key.expr))
			continue;
		c.key[c.keys++] = key;
		add(v, s, &c, scan_weight(v->p, s->n) + scan_weight(v->p, s->group),
			"its first or last entry is the maximum or minimum");
	}
}

static void ask_order(struct advisor *v, const struct scan *s)
{
	struct candidate c = begin(s);
	bool spilled = s->sort && str_is(s->sort->sort_type, "Disk");

	if (s->w.n == 0 && s->sort && (s->limit || spilled)) {
		if (add_order(v, s, &c, plan_prop(s->sort, "Sort Key")))
			add(v, s, &c, scan_weight(v->p, s->n) + scan_weight(v->p, s->sort),
				s->limit ? "gives the order, so that LIMIT can stop early"
					 : "gives the order without a sort on disk");
		return;
	}
	/* Grouped by the only columns read: the index alone is enough. */
	if (s->group && plan_num(s->n->plan_width) > 0) {
		const struct plan_prop *key = plan_prop(s->group, "Group Key");
		size_t n;

		if (key == NULL || plan_num(s->n->plan_width) > 16 * (double)key->values)
			return;
		add_equalities(&s->w, &c, false);
		if (c.keys == 0 && s->w.n > 0)
			return;
		n = add_order(v, s, &c, key);
		if (n)
			add(v, s, &c, scan_weight(v->p, s->n) + scan_weight(v->p, s->group),
				"holds all that the grouping reads, in its order");
	}
}

/* The scan below, reached without changing the rows. */
static const struct plan_node *scan_below(const struct plan_node *n)
{
	while (n && !scan_is_of_table(n)) {
		if (n->kind != PLAN_HASH && n->kind != PLAN_SORT && n->kind != PLAN_MATERIALIZE &&
			n->kind != PLAN_MEMOIZE && n->kind != PLAN_GATHER &&
			n->kind != PLAN_GATHER_MERGE)
			return NULL;
		n = plan_outer(n);
	}
	return n && n->kind == PLAN_SEQ_SCAN ? n : NULL;
}

static double rows_of(const struct advisor *v, const struct plan_node *n)
{
	if (!v->p->is_analyzed)
		return plan_num(n->plan_rows);
	/* Within a parallel part each process has its share. */
	return plan_num(n->rows) * (n->is_parallel ? node_loops(n) : 1);
}

static void ask_join_of(struct advisor *v, const struct plan_node *join,
	const struct plan_node *from, const struct plan_node *other)
{
	static const char *const conds[] = {"Hash Cond", "Merge Cond", "Join Filter"};
	const struct plan_node *n = from ? scan_below(from) : NULL;
	struct scan s = {.n = n, .w.table = table_of(v, n)};
	struct candidate c;
	double asked;

	if (n == NULL || other == NULL || n->is_never)
		return;
	scan_count(v->p, &s);
	if (scan_is_small(v->p, &s))
		return;
	for (size_t i = 0; i < ARRAY_LEN(conds); i++)
		wants_add(v->a, &s.w, plan_get(v->a, join, conds[i]), plan_whole_alias(n),
			n->relation);
	if (s.w.n == 0)
		return;
	asked = rows_of(v, other);
	if (join->kind != PLAN_NESTED_LOOP &&
		(asked * 10 > s.read || rows_of(v, join) * 8 > s.read))
		return; /* so many look-ups cost more than reading it once */
	c = begin(&s);
	add_equalities(&s.w, &c, true);
	if (c.keys == 0) {
		const struct want *range = first_range(&s.w);

		if (range)
			add_key(&c, range);
	}
	s.w.n = 0;
	wants_add(v->a, &s.w, plan_get(v->a, n, "Filter"), n->alias, n->relation);
	if (c.keys && s.kept < 0.5 * s.read)
		add_equalities(&s.w, &c, true);
	add(v, &s, &c, scan_weight(v->p, n),
		"finds the rows that the other side of the join asks for");
}

static void ask_join(struct advisor *v, const struct plan_node *join, const struct plan_node *from,
	const struct plan_node *other)
{
	if (from == NULL || (from->kind != PLAN_APPEND && from->kind != PLAN_MERGE_APPEND)) {
		ask_join_of(v, join, from, other);
		return;
	}
	for (size_t i = 0; i < from->children; i++)
		ask_join_of(v, join, from->child[i], other);
}

/* A foreign key's trigger that takes time looks up the referencing table. */
static void ask_triggers(struct advisor *v)
{
	for (size_t i = 0; i < v->p->trigger.n; i++) {
		const struct plan_trigger *t = &v->p->trigger.at[i];
		struct str s = t->constraint, table, column;
		struct candidate c = {.method = "btree"};
		size_t cut;

		/* Only the default name, table_column_fkey, says what it is about. */
		if (!str_ends(s, "_id_fkey") || plan_num(t->ms) < 1 ||
			!trigger_lacks_index(v->p, t))
			continue;
		s = str_before(s, s.n - 5);
		for (cut = s.n - 3; cut > 0 && s.p[cut - 1] != '_'; cut--)
			;
		if (cut < 2)
			continue;
		table = str_before(s, cut - 1);
		column = str_skip(s, cut);
		c.table = table;
		c.key[c.keys++].expr = sql_quote_ident(v->a, column);
		c.weight = t->ms;
		c.why = arena_printf(v->a,
			"the foreign key %.*s is checked row by row (table and "
			"column are taken from its name)",
			STR_ARGS(t->constraint));
		if (candidate_existing(v->a, v->schema, &c).n)
			continue;
		candidate_finish(v->a, &c, true);
		candidates_add(v->out, &c);
	}
}

/* --- all of it
 * ------------------------------------------------------------------------------------ */

static void want_conditions(struct advisor *v, struct scan *s)
{
	static const char *const conditions[] = {"Index Cond", "Recheck Cond", "Filter"};

	for (size_t i = 0; i < ARRAY_LEN(conditions); i++)
		wants_add(v->a, &s->w, plan_get(v->a, s->n, conditions[i]), s->n->alias,
			s->n->relation);
}

/* An index is in use: advice only when it finds far more than is kept, or is walked whole. */
static bool is_well_served(const struct advisor *v, const struct scan *s)
{
	const struct plan_node *n = s->n;

	if (n->kind == PLAN_SEQ_SCAN || scan_is_walked(v->p, n))
		return false;
	return !v->p->is_analyzed || !plan_prop(n, "Filter") ||
	       (s->kept * 4 > s->read && !is_cut_short(n));
}

static void ask_scan(struct advisor *v, const struct plan_node *n)
{
	struct scan s = {.n = n, .w.table = table_of(v, n)};

	if (n->is_never)
		return;
	scan_count(v->p, &s);
	if (scan_is_walked(v->p, n)) /* entries, by their price */
		s.read = fmax(s.read, plan_num(n->total_cost) * 40);
	if (scan_is_small(v->p, &s) ||
		(v->p->is_timed && n->share < MIN_PART && s.kept > 0.1 * s.read) ||
		is_well_served(v, &s))
		return;
	want_conditions(v, &s);
	scan_look_up(&s);
	if (s.w.n)
		ask_filter(v, &s);
	if (n->kind == PLAN_SEQ_SCAN) {
		ask_order(v, &s);
		ask_extremes(v, &s);
	}
}

static int by_weight(const void *a, const void *b)
{
	const struct candidate *x = a, *y = b;
	int order;

	if (x->weight != y->weight)
		return x->weight > y->weight ? -1 : 1;
	order = str_cmp(x->table, y->table);
	return order ? order : str_cmp(x->ddl, y->ddl);
}

void advise_plan(struct arena *a, const struct plan *p, const struct schema *schema,
	struct candidates *out)
{
	struct advisor v = {.a = a, .p = p, .schema = schema, .out = out};

	for (size_t i = 0; i < p->nodes; i++) {
		const struct plan_node *n = p->node[i];

		if (scan_is_of_table(n))
			ask_scan(&v, n);
		if (plan_is_join(n)) {
			ask_join(&v, n, plan_outer(n), plan_inner(n));
			ask_join(&v, n, plan_inner(n), plan_outer(n));
		}
	}
	ask_triggers(&v);
	if (out->at.n > 1)
		qsort(out->at.at, out->at.n, sizeof(*out->at.at), by_weight);
}
