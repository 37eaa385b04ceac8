/* SPDX-License-Identifier: ISC
 *
 * schema_type: the type of an expression, and what comparing two types does to the column.
 *
 * PostgreSQL chooses an operator by both sides' types.  An index helps only when that operator
 * is of the index's family, which it is when the other side has the column's type, a type of
 * the same family (int2, int4, int8), or one that is cast to it.  In all other cases it is the
 * column that is cast, row by row.  What is not known is "", and nothing is said of it.
 */
#include "schema.h"

static const struct {
	const char *type, *family;
	int rank; /* within the numbers: int2 < int4 < … < float8 */
} types[] = {
	{"int2", "integer", 1}, {"int4", "integer", 2}, {"int8", "integer", 3},
	{"numeric", "numeric", 4}, {"float4", "float", 5}, {"float8", "float", 6},
	{"date", "datetime", 0}, {"timestamp", "datetime", 0}, {"timestamptz", "datetime", 0},
	{"time", "time", 0}, {"timetz", "timetz", 0}, {"interval", "interval", 0},
	{"text", "text", 0}, {"varchar", "text", 0}, {"name", "text", 0}, {"bpchar", "bpchar", 0},
	{"citext", "citext", 0}, {"inet", "network", 0}, {"cidr", "network", 0}, {"bit", "bit", 0},
	{"varbit", "bit", 0}, {"oid", "oid", 0}, {"regclass", "oid", 0}, {"regtype", "oid", 0},
	{"regproc", "oid", 0}, {"regprocedure", "oid", 0}, {"regrole", "oid", 0},
	{"regnamespace", "oid", 0}, {"char", "char", 0}, /* the one of one byte, "char" */
};

static int row_of(struct str type)
{
	for (size_t i = 0; i < ARRAY_LEN(types); i++)
		if (str_is(type, types[i].type))
			return (int)i;
	return -1;
}

bool schema_type_is_text(struct str type)
{
	int i = row_of(type);

	return i >= 0 &&
	       (strcmp(types[i].family, "text") == 0 || strcmp(types[i].family, "bpchar") == 0 ||
		       strcmp(types[i].family, "citext") == 0);
}

bool schema_type_is_relabel(struct str from, struct str to)
{
	int a = row_of(from), b = row_of(to);

	if (str_eq(from, to) || (str_is(from, "cidr") && str_is(to, "inet")))
		return true;
	if (a < 0 || b < 0 || strcmp(types[a].family, types[b].family) != 0)
		return false;
	return strcmp(types[a].family, "oid") == 0 ||
	       (strcmp(types[a].family, "text") == 0 && !str_is(from, "name") &&
		       !str_is(to, "name"));
}

enum schema_fit schema_fit(struct str column, struct str value)
{
	int c = row_of(column), v = row_of(value);

	if (!column.n || !value.n)
		return FIT_UNKNOWN;
	if (str_is(value, "unknown") || str_eq(column, value))
		return FIT_DIRECT;
	if (c < 0 || v < 0)
		return FIT_UNKNOWN;
	const char *cf = types[c].family, *vf = types[v].family;
	if (strcmp(cf, vf) == 0)
		return str_is(column, "bit") ? FIT_CASTS : FIT_DIRECT; /* bit = varbit */
	if (strcmp(vf, "oid") == 0 || strcmp(cf, "oid") == 0)	       /* an integer becomes one */
		return strcmp(cf, "integer") == 0   ? FIT_CASTS
		       : strcmp(vf, "integer") == 0 ? FIT_DIRECT
						    : FIT_UNKNOWN;
	if (strcmp(cf, "char") == 0)
		return strcmp(vf, "text") == 0 || strcmp(vf, "bpchar") == 0 ? FIT_CASTS
									    : FIT_UNKNOWN;
	if (types[c].rank && types[v].rank)
		return types[c].rank > types[v].rank ? FIT_DIRECT : FIT_CASTS;
	if (str_is(column, "varchar") && strcmp(vf, "bpchar") == 0)
		return FIT_CASTS;    /* char = char, by way of the column */
	if (strcmp(cf, "text") == 0) /* citext = text is that of text */
		return strcmp(vf, "bpchar") == 0 || strcmp(vf, "citext") == 0 ? FIT_DIRECT
									      : FIT_UNKNOWN;
	if (strcmp(cf, "bpchar") == 0)
		return str_is(value, "varchar")				      ? FIT_DIRECT
		       : strcmp(vf, "text") == 0 || strcmp(vf, "citext") == 0 ? FIT_CASTS
									      : FIT_UNKNOWN;
	if (strcmp(cf, "citext") == 0)
		return strcmp(vf, "text") == 0 || strcmp(vf, "bpchar") == 0 ? FIT_CASTS
									    : FIT_UNKNOWN;
	if (strcmp(cf, "time") == 0)
		return strcmp(vf, "timetz") == 0 || strcmp(vf, "interval") == 0 ? FIT_CASTS
										: FIT_UNKNOWN;
	if (strcmp(vf, "time") == 0 && (strcmp(cf, "timetz") == 0 || strcmp(cf, "interval") == 0))
		return FIT_DIRECT;
	return FIT_UNKNOWN;
}

bool schema_fit_family(struct str method, struct str opclass, struct str column, struct str value)
{
	int c = row_of(column), v = row_of(value);

	if (c < 0 || v < 0 || str_eq(column, value))
		return true;
	if (str_is(column, "float4") &&
		types[v].rank) /* every number but a float4 comes as float8 */
		v = row_of(STR("float8"));
	bool dates = strcmp(types[c].family, "datetime") == 0;
	bool same = strcmp(types[c].family, types[v].family) == 0;
	if (str_is(column, "name")) /* its BRIN knows names only */
		return !str_is(method, "brin");
	if (!same || (!dates && !types[c].rank))
		return true;
	if (str_is(method, "gist") || str_is(method, "gin") || str_ends(opclass, "_bloom_ops"))
		return false;
	return !(dates && str_is(method, "hash"));
}

/* --- the type of an expression -------------------------------------------------------- */

struct typing {
	const struct schema *s;
	struct arena *a;
	const struct sql_outline *o;
};

static struct str type_of(const struct typing *t, const struct sql_node *n);

struct str schema_type_name(struct arena *a, const struct schema *s, const struct sql_node *t)
{
	static const char *const alias[][2] = {{"serial", "int4"}, {"bigserial", "int8"},
		{"smallserial", "int2"}, {"int", "int4"}, {"integer", "int4"}, {"bigint", "int8"},
		{"smallint", "int2"}, {"boolean", "bool"}, {"decimal", "numeric"},
		{"serial4", "int4"}, {"serial8", "int8"}, {"serial2", "int2"}};
	struct str n = node_last_name(t, "names");

	for (size_t i = 0; i < ARRAY_LEN(alias); i++)
		if (str_is(n, alias[i][0]))
			n = str_of(alias[i][1]);
	for (size_t i = 0; s && i < s->domain.n; i++)
		if (str_eq(s->domain.at[i].name, n))
			n = s->domain.at[i].base;
	return node_len(t, "array_bounds") ? arena_printf(a, "%.*s[]", STR_ARGS(n))
					   : arena_str(a, n);
}

static struct str element_of(struct str type)
{
	return str_ends(type, "[]") ? str_before(type, type.n - 2) : STR("");
}

static struct str type_of_const(const struct sql_node *n)
{
	const struct sql_node *f = node_get(n, "fval");
	struct str v = f ? str_of(node_str(f, "fval")) : STR("");
	int64_t big;

	if (node_int(n, "isnull") || node_get(n, "sval"))
		return STR("unknown");
	if (node_get(n, "boolval"))
		return STR("bool");
	if (node_get(n, "bsval"))
		return STR("bit");
	if (f)
		return str_to_i64(v, &big) ? STR("int8") : STR("numeric");
	return STR("int4");
}

struct str schema_type_common(struct str a, struct str b)
{
	int x = row_of(a), y = row_of(b);

	if (str_is(a, "unknown") || !a.n)
		return b;
	if (str_is(b, "unknown") || !b.n || str_eq(a, b))
		return a;
	if (x < 0 || y < 0)
		return STR("");
	if (types[x].rank && types[y].rank)
		return types[x].rank > types[y].rank ? a : b;
	if (strcmp(types[x].family, "datetime") == 0 && strcmp(types[y].family, "datetime") == 0)
		return str_is(a, "timestamptz") || str_is(b, "timestamptz") ? STR("timestamptz")
									    : STR("timestamp");
	if (schema_type_is_text(a) && schema_type_is_text(b))
		return STR("text");
	if (strcmp(types[x].family, "integer") == 0 && strcmp(types[y].family, "oid") == 0)
		return b;
	if (strcmp(types[x].family, "oid") == 0 && strcmp(types[y].family, "integer") == 0)
		return a;
	if (strcmp(types[x].family, "time") == 0 && strcmp(types[y].family, "timetz") == 0)
		return b;
	return strcmp(types[x].family, "timetz") == 0 && strcmp(types[y].family, "time") == 0
		       ? a
		       : STR("");
}

static bool is_time(struct str t)
{
	return str_is(t, "date") || str_is(t, "timestamp") || str_is(t, "timestamptz");
}

static struct str type_of_arithmetic(struct str op, struct str l, struct str r)
{
	int x = row_of(l), y = row_of(r);

	if (str_is(l, "unknown"))
		l = r;
	else if (str_is(r, "unknown"))
		r = l;
	if (x >= 0 && y >= 0 && types[x].rank && types[y].rank) {
		bool mixed = !str_eq(l, r) && (str_is(l, "float4") || str_is(r, "float4") ||
						      str_is(l, "float8") || str_is(r, "float8"));
		return mixed ? STR("float8") : schema_type_common(l, r);
	}
	if (is_time(l) && is_time(r) && str_is(op, "-"))
		return str_is(l, "date") && str_is(r, "date") ? STR("int4") : STR("interval");
	if (is_time(l) && str_is(r, "interval"))
		return str_is(l, "date") ? STR("timestamp") : l;
	if (str_is(l, "interval") && is_time(r))
		return str_is(r, "date") ? STR("timestamp") : r;
	if (str_is(l, "date") && y >= 0 && types[y].rank)
		return l;
	if (str_is(l, "date") && str_is(r, "time"))
		return STR("timestamp");
	if (str_is(l, "interval") || str_is(r, "interval"))
		return str_is(l, "time") ? l : STR("interval");
	return str_eq(l, r) ? l : STR("");
}

static bool is_boolean_operator(struct str op)
{
	static const char *const ops[] = {"=", "<", ">", "<=", ">=", "<>", "!=", "~", "~*", "!~",
		"!~*", "~~", "!~~", "~~*", "!~~*", "@>", "<@", "&&", "@@", "?", "?|", "?&", "@?",
		"^@", "-|-", "~=", "<<|", "|>>", "&<", "&>", "&<|", "|&>", "<@>"};

	for (size_t i = 0; i < ARRAY_LEN(ops); i++)
		if (str_is(op, ops[i]))
			return true;
	return false;
}

/* That of the left side, as the operator = takes it. */
static struct str type_of_nullif(struct str l, struct str r)
{
	int x = row_of(l), y = row_of(r);

	if (str_is(l, "unknown"))
		return str_is(r, "unknown") ? STR("text") : r;
	return x >= 0 && y >= 0 && strcmp(types[x].family, types[y].family) != 0
		       ? schema_type_common(l, r)
		       : l;
}

static struct str type_of_operator(const struct typing *t, const struct sql_node *n)
{
	struct str op = node_last_name(n, "name");
	const struct sql_node *left = node_get(n, "lexpr"), *right = node_get(n, "rexpr");

	if (strcmp(node_enum(n, "kind"), "AEXPR_NULLIF") == 0)
		return type_of_nullif(type_of(t, left), type_of(t, right));
	if (strcmp(node_enum(n, "kind"), "AEXPR_OP") != 0 || is_boolean_operator(op))
		return STR("bool");
	struct str l = left ? type_of(t, left) : STR(""), r = type_of(t, right);
	if (!left)
		return str_is(op, "-") || str_is(op, "+") ? r : STR("");
	if (str_is(op, "->>") || str_is(op, "#>>") || (str_is(op, "->") && str_is(l, "hstore")))
		return STR("text");
	if (str_is(op, "->") || str_is(op, "#>") || str_is(op, "#-"))
		return l;
	if (str_is(op, "||")) {
		if (str_ends(l, "[]") || str_is(l, "jsonb"))
			return l;
		return str_ends(r, "[]") || str_is(r, "jsonb") ? r : STR("text");
	}
	return type_of_arithmetic(op, l, r);
}

/* "=": the type of the first argument; ">": of the second. */
static const char *const functions[][2] = {{"now", "timestamptz"},
	{"transaction_timestamp", "timestamptz"}, {"statement_timestamp", "timestamptz"},
	{"clock_timestamp", "timestamptz"}, {"to_timestamp", "timestamptz"}, {"to_date", "date"},
	{"make_date", "date"}, {"date", "date"}, {"extract", "numeric"}, {"date_part", "float8"},
	{"age", "interval"}, {"make_interval", "interval"}, {"random", "float8"},
	{"to_number", "numeric"}, {"lower", "text"}, {"upper", "text"}, {"initcap", "text"},
	{"btrim", "text"}, {"ltrim", "text"}, {"rtrim", "text"}, {"substring", "text"},
	{"substr", "text"}, {"left", "text"}, {"right", "text"}, {"replace", "text"},
	{"translate", "text"}, {"reverse", "text"}, {"repeat", "text"}, {"concat", "text"},
	{"concat_ws", "text"}, {"to_char", "text"}, {"md5", "text"}, {"split_part", "text"},
	{"regexp_replace", "text"}, {"lpad", "text"}, {"rpad", "text"}, {"format", "text"},
	{"quote_literal", "text"}, {"current_setting", "text"}, {"encode", "text"},
	{"length", "int4"}, {"char_length", "int4"}, {"character_length", "int4"},
	{"octet_length", "int4"}, {"array_length", "int4"}, {"cardinality", "int4"},
	{"array_upper", "int4"}, {"array_lower", "int4"}, {"strpos", "int4"}, {"ascii", "int4"},
	{"position", "int4"}, {"jsonb_array_length", "int4"}, {"json_array_length", "int4"},
	{"count", "int8"}, {"nextval", "int8"}, {"currval", "int8"}, {"abs", "="}, {"mod", "="},
	{"min", "="}, {"max", "="}, {"pi", "float8"}, {"cbrt", "float8"}, {"degrees", "float8"},
	{"radians", "float8"}, {"sin", "float8"}, {"cos", "float8"}, {"tan", "float8"},
	{"atan2", "float8"}, {"div", "numeric"}, {"width_bucket", "int4"}, {"version", "text"},
	{"chr", "text"}, {"json_typeof", "text"}, {"jsonb_typeof", "text"},
	{"gen_random_uuid", "uuid"}, {"date_trunc", ">"}, {"jsonb_extract_path_text", "text"},
	{"json_extract_path_text", "text"}, {"make_timestamp", "timestamp"},
	{"make_timestamptz", "timestamptz"}, {"to_tsvector", "tsvector"}, {"to_tsquery", "tsquery"},
	{"plainto_tsquery", "tsquery"}, {"sign", "="}, {"starts_with", "bool"},
	{"isfinite", "bool"}, {"isempty", "bool"}, {"int4range", "int4range"},
	{"int8range", "int8range"}, {"numrange", "numrange"}, {"daterange", "daterange"},
	{"tsrange", "tsrange"}, {"tstzrange", "tstzrange"}, {"host", "text"}, {"masklen", "int4"},
	{"string_to_array", "text[]"}, {"regexp_split_to_array", "text[]"}, {"quote_ident", "text"},
	{"quote_nullable", "text"}, {"array_to_string", "text"}, {"to_hex", "text"},
	{"overlay", "text"}, {"normalize", "text"}, {"string_agg", "text"}, {"timeofday", "text"},
	{"pg_typeof", "regtype"}, {"to_regclass", "regclass"}, {"make_time", "time"},
	{"justify_days", "interval"}, {"justify_hours", "interval"}, {"inet_client_addr", "inet"},
	{"network", "cidr"}, {"set_masklen", "="}, {"decode", "bytea"}, {"sha256", "bytea"},
	{"convert_to", "bytea"}, {"digest", "bytea"}, {"to_jsonb", "jsonb"},
	{"jsonb_build_object", "jsonb"}, {"jsonb_build_array", "jsonb"}, {"num_nulls", "int4"},
	{"num_nonnulls", "int4"}, {"array_position", "int4"}, {"regexp_match", "text[]"},
	{"gcd", "="}, {"lcm", "="}, {"factorial", "numeric"}};

/* lower() and upper() of a range or multirange. */
static struct str bound_of(struct str range)
{
	static const char *const bounds[][2] = {{"int4", "int4"}, {"int8", "int8"},
		{"num", "numeric"}, {"date", "date"}, {"tstz", "timestamptz"}, {"ts", "timestamp"}};

	for (size_t i = 0; i < ARRAY_LEN(bounds); i++)
		if (str_starts(range, bounds[i][0]))
			return str_of(bounds[i][1]);
	return STR("");
}

/* Of numeric for numeric, of double precision for everything else. */
static bool is_numeric_or_float(struct str f)
{
	static const char *const names[] = {"sqrt", "ln", "log", "exp", "power", "pow"};

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (str_is(f, names[i]))
			return true;
	return false;
}

static struct str type_of_call(const struct typing *t, const struct sql_node *n)
{
	struct str name = node_last_name(n, "funcname");
	struct str first = node_len(n, "args") ? type_of(t, node_item(n, "args", 0)) : STR("");
	struct str second = node_len(n, "args") > 1 ? type_of(t, node_item(n, "args", 1)) : STR("");

	if (str_ends(first, "range")) /* lower(r), upper(r) are not those of text */
		return str_is(name, "lower") || str_is(name, "upper") ? bound_of(first) : STR("");
	if (str_is(name, "timezone"))
		return str_is(second, "timestamptz") ? STR("timestamp") : STR("timestamptz");
	if (str_is(name, "date_trunc"))
		return str_is(second, "date") || str_is(second, "unknown") ? STR("timestamptz")
									   : second;
	if (str_is(name, "date_bin"))
		return str_is(second, "timestamp") ? second : STR("timestamptz");
	if (str_is(name, "sum"))
		return str_is(first, "int8")				? STR("numeric")
		       : str_is(first, "int4") || str_is(first, "int2") ? STR("int8")
									: first;
	if (is_numeric_or_float(name))
		return str_is(first, "numeric") || str_is(second, "numeric") ? STR("numeric")
									     : STR("float8");
	if (str_is(name, "avg"))
		return str_starts(first, "float")  ? STR("float8")
		       : str_is(first, "interval") ? first
						   : STR("numeric");
	if (str_is(name, "round") || str_is(name, "ceil") || str_is(name, "ceiling") ||
		str_is(name, "floor") || str_is(name, "trunc"))
		return str_is(first, "numeric") || node_len(n, "args") > 1 ? STR("numeric")
									   : STR("float8");
	for (size_t i = 0; i < ARRAY_LEN(functions); i++)
		if (str_is(name, functions[i][0]))
			return functions[i][1][0] == '=' ? first : str_of(functions[i][1]);
	for (size_t i = 0; t->s && i < t->s->function.n; i++)
		if (str_eq(name, t->s->function.at[i].name))
			return t->s->function.at[i].type;
	return STR("");
}

static struct str type_of_value_function(const struct sql_node *n)
{
	const char *op = node_enum(n, "op");

	if (strstr(op, "CURRENT_DATE"))
		return STR("date");
	if (strstr(op, "LOCALTIMESTAMP"))
		return STR("timestamp");
	if (strstr(op, "CURRENT_TIMESTAMP"))
		return STR("timestamptz");
	if (strstr(op, "LOCALTIME"))
		return STR("time");
	return strstr(op, "CURRENT_TIME") ? STR("timetz") : STR("name");
}

static struct str type_of_list(const struct typing *t, const struct sql_node *n, const char *field)
{
	struct str type = STR("unknown");

	for (size_t i = 0; i < node_len(n, field); i++)
		type = schema_type_common(type, type_of(t, node_item(n, field, i)));
	return type;
}

static struct str type_of_query(const struct typing *t, const struct sql_node *n)
{
	const struct sql_node *q = node_get(n, "subselect");

	for (size_t i = 0; i < t->o->subs; i++) {
		const struct sql_outline *s = t->o->sub[i];
		if (s->node != q)
			continue;
		struct typing in = {t->s, t->a, s};
		struct str type = s->targets == 1 ? type_of(&in, s->target[0].val.node) : STR("");
		if (strcmp(node_enum(n, "sub_link_type"), "ARRAY_SUBLINK") == 0 && type.n)
			return arena_printf(t->a, "%.*s[]", STR_ARGS(type));
		return str_is(type, "unknown") ? STR("text") : type;
	}
	return STR("");
}

static struct str type_of_column(const struct typing *t, const struct sql_node *n)
{
	const struct schema_column *col;
	struct sql_side s = sql_side(t->a, n);

	for (size_t i = 0; s.col.qual.n && i < t->o->rels; i++)
		if (str_eq(t->o->rel[i].alias, s.col.qual))
			s.col.rel = (int)i;
	if (s.col.qual.n && s.col.rel < 0)
		return STR("");
	return schema_resolve(t->s, t->o, &s.col, NULL, &col) ? col->type : STR("");
}

static struct str type_of(const struct typing *t, const struct sql_node *n)
{
	if (node_is(n, "ColumnRef"))
		return type_of_column(t, n);
	if (node_is(n, "A_Const"))
		return type_of_const(n);
	if (node_is(n, "ParamRef"))
		return STR("unknown");
	if (node_is(n, "TypeCast"))
		return schema_type_name(t->a, t->s, node_get(n, "type_name"));
	if (node_is(n, "A_Expr"))
		return type_of_operator(t, n);
	if (node_is(n, "FuncCall"))
		return type_of_call(t, n);
	if (node_is(n, "SQLValueFunction"))
		return type_of_value_function(n);
	if (node_is(n, "CoalesceExpr") || node_is(n, "MinMaxExpr")) {
		struct str type = type_of_list(t, n, "args");
		return str_is(type, "unknown") ? STR("text") : type;
	}
	if (node_is(n, "List"))
		return type_of_list(t, n, "items");
	if (node_is(n, "A_ArrayExpr")) {
		struct str e = type_of_list(t, n, "elements");
		e = str_is(e, "unknown") ? STR("text") : e; /* ARRAY['a', $1] is one of text */
		return e.n ? arena_printf(t->a, "%.*s[]", STR_ARGS(e)) : e;
	}
	if (node_is(n, "CollateClause"))
		return type_of(t, node_get(n, "arg"));
	if (node_is(n, "A_Indirection"))
		return element_of(type_of(t, node_get(n, "arg")));
	if (node_is(n, "SubLink"))
		return type_of_query(t, n);
	if (node_is(n, "CaseExpr")) {
		struct str type = node_get(n, "defresult") ? type_of(t, node_get(n, "defresult"))
							   : STR("unknown");
		for (size_t i = 0; i < node_len(n, "args"); i++)
			type = schema_type_common(type,
				type_of(t, node_get(node_item(n, "args", i), "result")));
		return str_is(type, "unknown") ? STR("text") : type;
	}
	if (node_is(n, "BoolExpr") || node_is(n, "NullTest") || node_is(n, "BooleanTest"))
		return STR("bool");
	return STR("");
}

struct str schema_type(const struct schema *s, struct arena *a, const struct sql_outline *o,
	const struct sql_node *expr)
{
	struct typing t = {s, a, o};

	return expr ? type_of(&t, expr) : STR("");
}
