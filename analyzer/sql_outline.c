/* SPDX-License-Identifier: ISC
 *
 * sql_outline: a statement's tree -> what rules and the index adviser ask about.
 *
 * One outline per query level.  Subqueries anywhere (FROM, WITH, conditions, outputs) become
 * outlines of their own in sub[], with the role they play; column references are bound to the
 * FROM item they name where the text alone says so (qualified, or only one item there).
 */
#include "sql.h"
#include "sql_build.h"

static void build_query(struct arena *a, const struct sql_node *n, struct sql_outline *o);

static struct sql_outline *new_outline(struct arena *a, struct sql_outline *up, enum sql_role role)
{
	struct sql_outline *o = ARENA_NEW(a, struct sql_outline);

	o->up = up;
	o->role = role;
	o->setop = "";
	return o;
}

/* The subqueries so far: those below look among them for the CTEs they name. */
static void keep_sub(struct build *b, struct sql_outline *s)
{
	*VEC_PUSH(&b->sub) = s;
	b->o->sub = b->sub.at;
	b->o->subs = b->sub.n;
}

static struct sql_outline *add_sub(struct build *b, const struct sql_node *query,
	enum sql_role role)
{
	struct sql_outline *s = new_outline(b->a, b->o, role);

	build_query(b->a, query, s);
	keep_sub(b, s);
	return s;
}

/* --- aggregates ----------------------------------------------------------------- */

bool build_is_aggregate(const struct sql_node *f)
{
	static const char known[] =
		" count sum avg min max array_agg string_agg json_agg jsonb_agg "
		"json_object_agg jsonb_object_agg bool_and bool_or every bit_and "
		"bit_or stddev stddev_pop stddev_samp variance var_pop var_samp "
		"corr covar_pop covar_samp xmlagg range_agg grouping any_value ";
	struct str name = node_last_name(f, "funcname");
	char probe[40];

	if (!node_is(f, "FuncCall") || node_get(f, "over"))
		return false;
	if (node_int(f, "agg_star") || node_int(f, "agg_distinct") ||
		node_int(f, "agg_within_group") || node_get(f, "agg_filter") ||
		node_len(f, "agg_order"))
		return true;
	if (name.n == 0 || name.n > 30)
		return false;
	snprintf(probe, sizeof(probe), " %.*s ", STR_ARGS(name));
	return strstr(known, probe) != NULL;
}

struct hunt {
	struct build *b;
	bool aggregate, window;
	enum sql_role role;
};

/* Subqueries inside an expression become outlines; aggregates and windows are noted. */
static enum walk hunt_node(void *ctx, const struct sql_path *at)
{
	struct hunt *h = ctx;
	const struct sql_node *n = at->node;

	if (node_is(n, "SubLink")) {
		const char *type = node_enum(n, "sub_link_type");
		enum sql_role role =
			strcmp(type, "EXISTS_SUBLINK") == 0  ? ROLE_EXISTS
			: strcmp(type, "ARRAY_SUBLINK") == 0 ? ROLE_ARRAY
			: strcmp(type, "ANY_SUBLINK") == 0 || strcmp(type, "ALL_SUBLINK") == 0
				? ROLE_IN
				: ROLE_SCALAR;
		add_sub(h->b, node_get(n, "subselect"), role);
		sql_walk(node_get(n, "testexpr"), hunt_node, h);
		return WALK_PRUNE;
	}
	if (node_is(n, "ParamRef"))
		h->b->o->has_params = true;
	if (node_is(n, "FuncCall")) {
		h->aggregate |= build_is_aggregate(n);
		h->window |= node_get(n, "over") != NULL;
	}
	return WALK_ON;
}

static struct hunt hunt(struct build *b, const struct sql_node *n)
{
	struct hunt h = {.b = b};

	sql_walk(n, hunt_node, &h);
	return h;
}

/* --- FROM -------------------------------------------------------------------------- */

static struct sql_outline *find_cte(struct sql_outline *o, struct str name)
{
	for (; o; o = o->up)
		for (size_t i = 0; i < o->subs; i++)
			if (o->sub[i]->role == ROLE_CTE && str_eq(o->sub[i]->cte, name))
				return o->sub[i];
	return NULL;
}

/* FROM r inside WITH RECURSIVE r AS (…): the rows of the turn before, which no index holds. */
static bool names_itself(const struct sql_outline *o, struct str name)
{
	for (; o; o = o->up)
		if (o->role == ROLE_CTE && o->is_recursive && str_eq(o->cte, name))
			return true;
	return false;
}

static struct sql_rel *add_table(struct build *b, const struct sql_node *n)
{
	struct sql_rel r = {.kind = REL_TABLE, .node = n, .loc = node_loc(n)};
	struct str alias = str_of(node_str(node_get(n, "alias"), "aliasname"));

	r.schema = str_of(node_str(n, "schemaname"));
	r.name = str_of(node_str(n, "relname"));
	r.alias = alias.n ? alias : r.name;
	if (r.schema.n == 0 && (r.sub = find_cte(b->o, r.name)) != NULL) {
		r.kind = REL_CTE;
		r.sub->uses++;
	} else if (r.schema.n == 0 && names_itself(b->o, r.name)) {
		r.kind = REL_OTHER;
	}
	struct sql_rel *to = VEC_PUSH(&b->rel);
	*to = r;
	return to;
}

static void add_from(struct build *b, const struct sql_node *n, enum sql_join join, bool nullable);

static enum sql_join join_of(const struct sql_node *n)
{
	const char *type = node_enum(n, "jointype");

	if (strcmp(type, "JOIN_LEFT") == 0)
		return JOIN_LEFT;
	if (strcmp(type, "JOIN_RIGHT") == 0)
		return JOIN_RIGHT;
	if (strcmp(type, "JOIN_FULL") == 0)
		return JOIN_FULL;
	if (!node_get(n, "quals") && !node_len(n, "using_clause") && !node_int(n, "is_natural"))
		return JOIN_CROSS;
	return JOIN_INNER;
}

static void add_join(struct build *b, const struct sql_node *n, enum sql_join outer, bool nullable)
{
	enum sql_join join = join_of(n);
	size_t first;

	add_from(b, node_get(n, "larg"), outer,
		nullable || join == JOIN_RIGHT || join == JOIN_FULL);
	first = b->rel.n;
	add_from(b, node_get(n, "rarg"), join, nullable || join == JOIN_LEFT || join == JOIN_FULL);
	for (size_t i = first; i < b->rel.n && i < first + 1; i++)
		b->rel.at[i].is_natural =
			node_int(n, "is_natural") || node_len(n, "using_clause") > 0;
	hunt(b, node_get(n, "quals"));
	build_conds(b, node_get(n, "quals"), CLAUSE_ON, join);
}

static void add_from(struct build *b, const struct sql_node *n, enum sql_join join, bool nullable)
{
	struct sql_rel r = {.join = join, .nullable = nullable, .node = n};
	const struct sql_node *alias = node_get(n, "alias");

	if (!n)
		return;
	if (node_is(n, "JoinExpr")) {
		add_join(b, n, join, nullable);
		return;
	}
	if (node_is(n, "RangeVar")) {
		struct sql_rel *to = add_table(b, n);
		to->join = join;
		to->nullable = nullable;
		return;
	}
	if (node_is(n, "RangeTableSample")) {
		add_from(b, node_get(n, "relation"), join, nullable);
		return;
	}
	r.alias = str_of(node_str(alias, "aliasname"));
	r.name = STR("");
	r.loc = node_start(n);
	r.lateral = node_int(n, "lateral") != 0;
	r.kind = REL_OTHER;
	if (node_is(n, "RangeSubselect")) {
		const struct sql_node *q = node_get(n, "subquery");
		r.kind = node_len(q, "values_lists") ? REL_VALUES : REL_SUBQUERY;
		r.sub = add_sub(b, q, ROLE_FROM);
	} else if (node_is(n, "RangeFunction")) {
		const struct sql_node *f = node_item(node_item(n, "functions", 0), "items", 0);
		r.kind = REL_FUNCTION;
		r.name = node_last_name(f, "funcname");
		r.alias = r.alias.n ? r.alias : r.name;
		hunt(b, f);
	}
	*VEC_PUSH(&b->rel) = r;
}

static void add_with(struct build *b, const struct sql_node *with)
{
	for (size_t i = 0; i < node_len(with, "ctes"); i++) {
		const struct sql_node *c = node_item(with, "ctes", i);
		struct sql_outline *s = new_outline(b->a, b->o, ROLE_CTE);
		s->cte = str_of(node_str(c, "ctename"));
		s->is_recursive = node_int(with, "recursive") != 0;
		s->is_materialized =
			strcmp(node_enum(c, "ctematerialized"), "CTEMaterializeAlways") == 0;
		build_query(b->a, node_get(c, "ctequery"), s);
		keep_sub(b, s);
	}
}

/* --- outputs, order, limit ---------------------------------------------------------- */

static struct sql_target make_target(struct build *b, const struct sql_node *res)
{
	const struct sql_node *v = node_get(res, "val");
	struct sql_target t = {.name = str_of(node_str(res, "name")), .node = res};
	size_t n = node_len(v, "fields");
	struct hunt h = hunt(b, v);

	t.has_aggregate = h.aggregate;
	b->o->has_aggregate |= h.aggregate;
	b->o->has_window |= h.window;
	if (node_is(v, "ColumnRef") && n && node_is(node_item(v, "fields", n - 1), "A_Star")) {
		t.kind = TARGET_STAR;
		t.val.node = v;
		t.val.col.rel = -1;
		t.val.col.loc = node_loc(v);
		t.val.col.qual =
			n > 1 ? str_of(node_str(node_item(v, "fields", n - 2), "sval")) : STR("");
		return t;
	}
	t.val = sql_side(b->a, v);
	if (t.val.kind == SIDE_COLUMN && t.name.n == 0)
		t.name = t.val.col.name;
	t.kind = h.aggregate		      ? TARGET_AGGREGATE
		 : h.window		      ? TARGET_WINDOW
		 : t.val.kind == SIDE_COLUMN  ? TARGET_COLUMN
		 : t.val.kind == SIDE_QUERY   ? TARGET_QUERY
		 : t.val.kind == SIDE_WRAPPED ? TARGET_EXPR
					      : TARGET_CONST;
	return t;
}

static void add_targets(struct build *b, const struct sql_node *n, const char *list)
{
	for (size_t i = 0; i < node_len(n, list); i++)
		*VEC_PUSH(&b->target) = make_target(b, node_item(n, list, i));
}

static void add_sets(struct build *b, const struct sql_node *n, const char *list)
{
	for (size_t i = 0; i < node_len(n, list); i++) {
		struct sql_target t = make_target(b, node_item(n, list, i));
		t.assigned = true;
		t.name = str_of(node_str(node_item(n, list, i), "name"));
		*VEC_PUSH(&b->set) = t;
	}
}

static enum sql_bound bound(struct build *b, const struct sql_node *n, int64_t *value, int *param)
{
	struct sql_side s;

	if (!n)
		return BOUND_NONE;
	s = sql_side(b->a, n);
	hunt(b, n);
	if (s.kind == SIDE_PARAM) {
		*param = s.param;
		return BOUND_PARAM;
	}
	if (s.kind == SIDE_CONST && s.is_null)
		return BOUND_NONE; /* LIMIT ALL */
	if (s.kind == SIDE_CONST && str_to_i64(s.value, value))
		return BOUND_CONST;
	return BOUND_EXPR;
}

static void read_order(struct build *b, const struct sql_node *n)
{
	struct sql_outline *o = b->o;

	o->orders = node_len(n, "sort_clause");
	o->order = ARENA_ARRAY(b->a, struct sql_order, o->orders + 1);
	for (size_t i = 0; i < o->orders; i++) {
		const struct sql_node *s = node_item(n, "sort_clause", i);
		const char *nulls = node_enum(s, "sortby_nulls");
		struct sql_order *to = &o->order[i];
		int64_t pos;
		hunt(b, node_get(s, "node"));
		to->by = sql_side(b->a, node_get(s, "node"));
		to->desc = strcmp(node_enum(s, "sortby_dir"), "SORTBY_DESC") == 0;
		to->nulls_given = strcmp(nulls, "SORTBY_NULLS_DEFAULT") != 0;
		to->nulls_first =
			to->nulls_given ? strcmp(nulls, "SORTBY_NULLS_FIRST") == 0 : to->desc;
		if (to->by.kind == SIDE_CONST && !to->by.is_string &&
			str_to_i64(to->by.value, &pos))
			to->position = (int)pos;
	}
}

static void read_tail(struct build *b, const struct sql_node *n)
{
	struct sql_outline *o = b->o;

	read_order(b, n);
	o->limit = bound(b, node_get(n, "limit_count"), &o->limit_value, &o->limit_param);
	o->offset = bound(b, node_get(n, "limit_offset"), &o->offset_value, &o->offset_param);
	for (size_t i = 0; i < node_len(n, "locking_clause"); i++) {
		const char *wait = node_enum(node_item(n, "locking_clause", i), "wait_policy");
		o->is_locking = true;
		o->skip_locked |= strcmp(wait, "LockWaitSkip") == 0;
		o->no_wait |= strcmp(wait, "LockWaitError") == 0;
	}
}

/* --- statements ------------------------------------------------------------------------ */

static void build_select(struct build *b, const struct sql_node *n)
{
	struct sql_outline *o = b->o;
	const char *op = node_enum(n, "op");

	o->verb = SQL_SELECT;
	add_with(b, node_get(n, "with_clause"));
	if (strcmp(op, "SETOP_NONE") != 0 && *op) {
		o->is_setop = true;
		o->setop = op + strlen("SETOP_");
		o->setop_all = node_int(n, "all") != 0;
		add_sub(b, node_get(n, "larg"), ROLE_ARM);
		add_sub(b, node_get(n, "rarg"), ROLE_ARM);
		read_tail(b, n);
		return;
	}
	o->value_rows = node_len(n, "values_lists");
	o->is_values = o->value_rows > 0;
	for (size_t i = 0; i < node_len(n, "from_clause"); i++)
		add_from(b, node_item(n, "from_clause", i), JOIN_NONE, false);
	add_targets(b, n, "target_list");
	hunt(b, node_get(n, "where_clause"));
	build_conds(b, node_get(n, "where_clause"), CLAUSE_WHERE, JOIN_NONE);
	o->has_group = node_len(n, "group_clause") > 0;
	o->groups = node_len(n, "group_clause");
	o->group = ARENA_ARRAY(b->a, struct sql_side, o->groups + 1);
	for (size_t i = 0; i < o->groups; i++)
		o->group[i] = sql_side(b->a, node_item(n, "group_clause", i));
	o->has_having = node_get(n, "having_clause") != NULL;
	struct hunt h = hunt(b, node_get(n, "having_clause"));
	o->has_aggregate |= h.aggregate;
	build_conds(b, node_get(n, "having_clause"), CLAUSE_HAVING, JOIN_NONE);
	o->is_distinct = node_len(n, "distinct_clause") > 0;
	o->is_distinct_on = o->is_distinct && node_item(n, "distinct_clause", 0) != NULL;
	read_tail(b, n);
}

static void add_target_table(struct build *b, const struct sql_node *n)
{
	const struct sql_node *rel = node_get(n, "relation");

	if (rel) {
		struct sql_rel *r = add_table(b, rel);
		r->kind = REL_TABLE;
		r->is_target = true;
	}
}

static void build_insert(struct build *b, const struct sql_node *n)
{
	const struct sql_node *conflict = node_get(n, "on_conflict_clause");

	b->o->verb = SQL_INSERT;
	add_with(b, node_get(n, "with_clause"));
	add_target_table(b, n);
	add_sets(b, n, "cols");
	if (node_get(n, "select_stmt")) {
		struct sql_outline *s = add_sub(b, node_get(n, "select_stmt"), ROLE_INSERT);
		b->o->value_rows = s->value_rows;
		b->o->is_values = s->is_values;
		b->o->has_params |= s->has_params;
	}
	b->o->has_conflict = conflict != NULL;
	if (conflict) {
		add_sets(b, conflict, "target_list");
		hunt(b, node_get(conflict, "where_clause"));
	}
	add_targets(b, n, "returning_list");
}

static void build_change(struct build *b, const struct sql_node *n)
{
	bool update = node_is(n, "UpdateStmt");
	const char *from = update ? "from_clause" : "using_clause";

	b->o->verb = update ? SQL_UPDATE : SQL_DELETE;
	add_with(b, node_get(n, "with_clause"));
	add_target_table(b, n);
	if (update)
		add_sets(b, n, "target_list");
	for (size_t i = 0; i < node_len(n, from); i++)
		add_from(b, node_item(n, from, i), JOIN_NONE, false);
	hunt(b, node_get(n, "where_clause"));
	build_conds(b, node_get(n, "where_clause"), CLAUSE_WHERE, JOIN_NONE);
	add_targets(b, n, "returning_list");
}

static void build_other(struct build *b, const struct sql_node *n)
{
	static const struct {
		const char *kind;
		enum sql_verb verb;
	} kinds[] = {
		{"ExplainStmt", SQL_EXPLAIN},
		{"CopyStmt", SQL_COPY},
		{"DeclareCursorStmt", SQL_DECLARE},
		{"PrepareStmt", SQL_PREPARE},
		{"CreateTableAsStmt", SQL_DDL},
		{"ViewStmt", SQL_DDL},
		{"ExecuteStmt", SQL_EXECUTE},
		{"VariableSetStmt", SQL_SET},
		{"VariableShowStmt", SQL_SHOW},
		{"TruncateStmt", SQL_TRUNCATE},
		{"LockStmt", SQL_LOCK},
		{"CallStmt", SQL_CALL},
		{"DoStmt", SQL_DO},
		{"VacuumStmt", SQL_MAINTAIN},
		{"FetchStmt", SQL_FETCH},
		{"ClosePortalStmt", SQL_CLOSE},
		{"DiscardStmt", SQL_DISCARD},
		{"ListenStmt", SQL_LISTEN},
		{"NotifyStmt", SQL_LISTEN},
		{"DeallocateStmt", SQL_DEALLOCATE},
		{"TransactionStmt", SQL_BEGIN},
	};
	const struct sql_node *q = node_get(n, "query");

	b->o->verb = SQL_DDL;
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		if (node_is(n, kinds[i].kind))
			b->o->verb = kinds[i].verb;
	if (node_is(n, "MergeStmt")) {
		b->o->verb = SQL_MERGE;
		add_with(b, node_get(n, "with_clause"));
		add_target_table(b, n);
		add_from(b, node_get(n, "source_relation"), JOIN_NONE, false);
		hunt(b, node_get(n, "join_condition"));
		build_conds(b, node_get(n, "join_condition"), CLAUSE_ON, JOIN_INNER);
	}
	if (q)
		add_sub(b, q, ROLE_INNER);
}

/* --- binding columns to FROM items --------------------------------------------------------- */

static void bind_side(struct sql_outline *o, struct sql_side *s)
{
	struct sql_col *c = &s->col;

	if (s->cols == 0 || c->rel != -1)
		return;
	if (c->qual.n) {
		for (size_t i = 0; i < o->rels; i++)
			if (str_eq(o->rel[i].alias, c->qual))
				c->rel = (int)i;
		/* The outer query's own FROM may not be read yet; but whose else could it be? */
		if (c->rel == -1 && o->up)
			c->rel = -2;
	} else if (o->rels == 1) {
		c->rel = 0;
	}
}

static void bind_cond(struct sql_outline *o, struct sql_cond *c)
{
	bind_side(o, &c->left);
	bind_side(o, &c->right);
	bind_side(o, &c->upper);
	for (size_t i = 0; i < c->arms; i++)
		bind_cond(o, &c->arm[i]);
}

static void bind_outline(struct sql_outline *o)
{
	for (size_t i = 0; i < o->conds; i++)
		bind_cond(o, &o->cond[i]);
	for (size_t i = 0; i < o->targets; i++)
		bind_side(o, &o->target[i].val);
	for (size_t i = 0; i < o->sets; i++)
		bind_side(o, &o->set[i].val);
	for (size_t i = 0; i < o->orders; i++)
		bind_side(o, &o->order[i].by);
	for (size_t i = 0; i < o->groups; i++)
		bind_side(o, &o->group[i]);
}

#define MOVE(b, v, field, count)                                                                   \
	do {                                                                                       \
		(b)->o->field = arena_alloc((b)->a, ((b)->v.n + 1) * sizeof(*(b)->v.at));          \
		if ((b)->v.n)                                                                      \
			memcpy((b)->o->field, (b)->v.at, (b)->v.n * sizeof(*(b)->v.at));           \
		(b)->o->count = (b)->v.n;                                                          \
		VEC_RELEASE(&(b)->v);                                                              \
	} while (0)

/* The outline of the query a SubLink holds. */
static void attach_query(struct sql_outline *o, struct sql_side *s)
{
	const struct sql_node *q = node_get(s->node, "subselect");

	for (size_t i = 0; q && i < o->subs; i++)
		if (o->sub[i]->node == q)
			s->sub = o->sub[i];
}

static void attach_queries(struct sql_outline *o, struct sql_cond *c)
{
	attach_query(o, &c->left);
	attach_query(o, &c->right);
	for (size_t i = 0; i < c->arms; i++)
		attach_queries(o, &c->arm[i]);
}

static void build_query(struct arena *a, const struct sql_node *n, struct sql_outline *o)
{
	struct build b = {.a = a, .o = o};

	b.o->node = n;
	if (node_is(n, "SelectStmt"))
		build_select(&b, n);
	else if (node_is(n, "InsertStmt"))
		build_insert(&b, n);
	else if (node_is(n, "UpdateStmt") || node_is(n, "DeleteStmt"))
		build_change(&b, n);
	else
		build_other(&b, n);
	MOVE(&b, rel, rel, rels);
	MOVE(&b, cond, cond, conds);
	MOVE(&b, target, target, targets);
	MOVE(&b, set, set, sets);
	MOVE(&b, sub, sub, subs);
	bind_outline(b.o);
	for (size_t i = 0; i < b.o->conds; i++)
		attach_queries(b.o, &b.o->cond[i]);
	for (size_t i = 0; i < b.o->targets; i++)
		attach_query(b.o, &b.o->target[i].val);
	for (size_t i = 0; i < b.o->subs; i++)
		b.o->has_params |= b.o->sub[i]->has_params;
}

struct sql_outline *sql_outline(struct arena *a, const struct sql_node *stmt)
{
	struct sql_outline *o = new_outline(a, NULL, ROLE_TOP);

	build_query(a, stmt, o);
	return o;
}
