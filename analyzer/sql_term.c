/* SPDX-License-Identifier: ISC
 *
 * sql_term: one side of a comparison: a column, what it is wrapped in, or a value.
 *
 * "Wrapped" is about what an index on the column could not see through: the outermost thing
 * that stands between the column and the operator gives the wrap.
 */
#include "sql.h"
#include "sql_build.h"

/* Of the server and its extensions; one may come from pg_proc.provolatile. */
static const char *const volatile_functions[] = {"random", "clock_timestamp", "timeofday",
	"nextval", "setval", "currval", "lastval", "gen_random_uuid", "gen_random_bytes",
	"gen_salt", "uuid_generate_v1", "uuid_generate_v1mc", "uuid_generate_v4", "pg_sleep",
	"pg_sleep_for", "pg_sleep_until", "setseed", "set_config", "current_query",
	"pg_current_wal_lsn", "pg_current_wal_insert_lsn", "pg_current_wal_flush_lsn",
	"pg_last_wal_receive_lsn", "pg_last_wal_replay_lsn", "pg_last_xact_replay_timestamp",
	"pg_is_in_recovery", "pg_advisory_lock", "pg_advisory_xact_lock", "pg_try_advisory_lock",
	"pg_try_advisory_xact_lock", "pg_advisory_unlock", "pg_relation_size", "pg_table_size",
	"pg_total_relation_size", "pg_database_size", "txid_status", "pg_xact_commit_timestamp"};

bool build_is_volatile(struct str name)
{
	for (size_t i = 0; i < ARRAY_LEN(volatile_functions); i++)
		if (str_is(name, volatile_functions[i]))
			return true;
	return false;
}

/* --- columns ---------------------------------------------------------------- */

struct sql_col build_column(const struct sql_node *ref)
{
	size_t n = node_len(ref, "fields");
	struct sql_col c = {.rel = -1, .loc = node_loc(ref)};

	c.name = n ? str_of(node_str(node_item(ref, "fields", n - 1), "sval")) : STR("");
	c.qual = n > 1 ? str_of(node_str(node_item(ref, "fields", n - 2), "sval")) : STR("");
	return c;
}

struct scan {
	struct sql_side *s;
	size_t cols, params;
	bool subquery, is_volatile;
};

static enum walk scan_node(void *ctx, const struct sql_path *at)
{
	struct scan *x = ctx;
	const struct sql_node *n = at->node;

	if (node_is(n, "SubLink")) {
		x->subquery = true;
		return WALK_PRUNE;
	}
	if (node_is(n, "ColumnRef")) {
		if (x->cols++ == 0)
			x->s->col = build_column(n);
	} else if (node_is(n, "ParamRef")) {
		x->params++;
	} else if (node_is(n, "FuncCall") && build_is_volatile(node_last_name(n, "funcname"))) {
		x->is_volatile = true;
	}
	return WALK_ON;
}

/* --- wraps -------------------------------------------------------------------- */

static struct str type_name(struct arena *a, const struct sql_node *cast)
{
	const struct sql_node *t = node_get(cast, "type_name");
	struct str s = node_last_name(t, "names");

	return node_len(t, "array_bounds") ? arena_printf(a, "%.*s[]", STR_ARGS(s)) : s;
}

static enum sql_wrap wrap_function(struct sql_side *s, const struct sql_node *n)
{
	static const struct {
		const char *name;
		enum sql_wrap wrap;
	} known[] = {
		{"date_trunc", WRAP_TRUNC},
		{"extract", WRAP_EXTRACT},
		{"date_part", WRAP_EXTRACT},
		{"timezone", WRAP_TIMEZONE},
		{"concat", WRAP_CONCAT},
		{"concat_ws", WRAP_CONCAT},
		{"jsonb_extract_path", WRAP_JSON},
		{"jsonb_extract_path_text", WRAP_JSON},
		{"json_extract_path", WRAP_JSON},
		{"json_extract_path_text", WRAP_JSON},
	};

	s->by = node_last_name(n, "funcname");
	for (size_t i = 0; i < ARRAY_LEN(known); i++)
		if (str_is(s->by, known[i].name))
			return known[i].wrap;
	return WRAP_FUNC;
}

static enum sql_wrap wrap_operator(struct sql_side *s, const struct sql_node *n)
{
	s->by = node_last_name(n, "name");
	if (strcmp(node_enum(n, "kind"), "AEXPR_NULLIF") == 0) {
		s->by = STR("nullif");
		return WRAP_COALESCE;
	}
	if (strcmp(node_enum(n, "kind"), "AEXPR_OP") != 0)
		return WRAP_BOOL;
	if (str_is(s->by, "||"))
		return WRAP_CONCAT;
	if (str_is(s->by, "->") || str_is(s->by, "->>") || str_is(s->by, "#>") ||
		str_is(s->by, "#>>"))
		return WRAP_JSON;
	if (str_is(s->by, "=") || str_is(s->by, "<") || str_is(s->by, ">") || str_is(s->by, "<=") ||
		str_is(s->by, ">=") || str_is(s->by, "<>"))
		return WRAP_BOOL;
	return WRAP_ARITH;
}

static enum sql_wrap wrap_of(struct arena *a, struct sql_side *s, const struct sql_node *n)
{
	if (node_is(n, "TypeCast")) {
		s->by = type_name(a, n);
		return WRAP_CAST;
	}
	if (node_is(n, "FuncCall"))
		return wrap_function(s, n);
	if (node_is(n, "A_Expr"))
		return wrap_operator(s, n);
	if (node_is(n, "CoalesceExpr")) {
		s->by = STR("coalesce");
		return WRAP_COALESCE;
	}
	if (node_is(n, "MinMaxExpr")) {
		s->by = strcmp(node_enum(n, "op"), "IS_LEAST") == 0 ? STR("least")
								    : STR("greatest");
		return WRAP_COALESCE;
	}
	if (node_is(n, "CaseExpr")) {
		s->by = STR("case");
		return WRAP_CASE;
	}
	if (node_is(n, "CollateClause")) {
		s->by = node_last_name(n, "collname");
		return WRAP_COLLATE;
	}
	if (node_is(n, "A_Indirection"))
		return WRAP_JSON;
	if (node_is(n, "RowExpr"))
		return WRAP_ROW;
	if (node_is(n, "BoolExpr") || node_is(n, "NullTest") || node_is(n, "BooleanTest"))
		return WRAP_BOOL;
	return WRAP_OTHER;
}

/* --- values ----------------------------------------------------------------------- */

static void side_const(struct arena *a, struct sql_side *s, const struct sql_node *n)
{
	const struct sql_node *v;

	s->kind = SIDE_CONST;
	if (node_int(n, "isnull")) {
		s->is_null = true;
	} else if ((v = node_get(n, "sval")) != NULL) {
		s->is_string = true;
		s->value = str_of(node_str(v, "sval"));
	} else if ((v = node_get(n, "fval")) != NULL) {
		s->value = str_of(node_str(v, "fval"));
	} else if ((v = node_get(n, "boolval")) != NULL) {
		s->is_bool = true;
		s->value = node_int(v, "boolval") ? STR("true") : STR("false");
	} else if ((v = node_get(n, "bsval")) != NULL) {
		s->is_string = true;
		s->value = str_of(node_str(v, "bsval"));
	} else {
		v = node_get(n, "ival");
		s->value = arena_printf(a, "%lld", (long long)node_int(v, "ival"));
	}
}

/* A literal or parameter, perhaps cast, perhaps negated. */
static bool side_value(struct arena *a, struct sql_side *s, const struct sql_node *n)
{
	if (node_is(n, "TypeCast")) {
		if (!side_value(a, s, node_get(n, "arg")))
			return false;
		s->cast = type_name(a, n);
		return true;
	}
	if (node_is(n, "A_Const")) {
		side_const(a, s, n);
		return true;
	}
	if (node_is(n, "ParamRef")) {
		s->kind = SIDE_PARAM;
		s->param = (int)node_int(n, "number");
		return true;
	}
	if (node_is(n, "A_Expr") && !node_get(n, "lexpr") &&
		str_is(node_last_name(n, "name"), "-")) {
		const struct sql_node *arg = node_get(n, "rexpr");
		if (!node_is(arg, "A_Const"))
			return false;
		side_const(a, s, arg);
		s->value = arena_printf(a, "-%.*s", STR_ARGS(s->value));
		return !s->is_string;
	}
	return false;
}

static bool side_list(struct sql_side *s, const struct sql_node *n)
{
	const char *field = node_is(n, "A_ArrayExpr") ? "elements" : "items";
	struct arena scratch = {0};
	bool values = true;

	if (node_is(n, "TypeCast"))
		return side_list(s, node_get(n, "arg"));
	if (!node_is(n, "A_ArrayExpr") && !node_is(n, "List"))
		return false;
	for (size_t i = 0; i < node_len(n, field) && values; i++) {
		struct sql_side item = {0};
		values = side_value(&scratch, &item, node_item(n, field, i));
		s->is_null |= item.is_null;
	}
	arena_release(&scratch);
	s->list = node_len(n, field);
	return values;
}

struct sql_side sql_side(struct arena *a, const struct sql_node *n)
{
	struct sql_side s = {.node = n, .col = {.rel = -1, .loc = -1}};
	struct scan x = {.s = &s};

	if (!n)
		return s;
	if (node_is(n, "ColumnRef")) {
		s.kind = SIDE_COLUMN;
		s.cols = 1;
		s.col = build_column(n);
		return s;
	}
	if (side_value(a, &s, n))
		return s;
	memset(&s.cast, 0, sizeof(s.cast));
	if (side_list(&s, n)) {
		s.kind = SIDE_LIST;
		return s;
	}
	if (node_is(n, "SubLink")) {
		s.kind = SIDE_QUERY;
		return s;
	}
	sql_walk(n, scan_node, &x);
	s.cols = x.cols;
	s.is_volatile = x.is_volatile;
	if (x.cols == 0) {
		s.kind = x.subquery ? SIDE_QUERY : SIDE_STABLE;
		return s;
	}
	s.kind = SIDE_WRAPPED;
	s.wrap = wrap_of(a, &s, n);
	return s;
}
