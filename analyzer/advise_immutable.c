/* SPDX-License-Identifier: ISC
 *
 * May an index hold the expression: is its value the same whatever the settings are?
 *
 * Most functions say so by their names.  With times it hangs on the type: a timestamptz is an
 * instant, what day that is depends on the session's zone; AT TIME ZONE 'UTC' makes a local time of
 * it, and of that day and hour are what they are.  The types are the schema's; where there is none,
 * what the plan compares the expression with tells (EXPLAIN prints each constant's type), or it is
 * assumed that AT TIME ZONE is asked of an instant, which the caller then says.
 */
#include "advise_want.h"

enum kind {
	KIND_FICKLE = 0, /* depends on settings */
	KIND_OTHER,	 /* no time */
	KIND_LOCAL,	 /* timestamp */
	KIND_INSTANT,	 /* timestamptz */
	KIND_DATE,
	KIND_UNSURE /* a column of which nothing is known */
};

struct asked {
	const struct schema_table *t; /* or NULL */
	struct str compared;	      /* the type of what it is compared with, or "" */
	bool is_assumed;
};

static enum kind kind_of(struct asked *q, const struct sql_node *n);

static const char *const immutable[] = {"lower", "upper", "abs", "length", "char_length",
	"octet_length", "md5", "substring", "substr", "left", "right", "btrim", "ltrim", "rtrim",
	"reverse", "replace", "split_part", "floor", "ceil", "round", "mod", "sign",
	"jsonb_extract_path", "jsonb_extract_path_text", "array_length", "cardinality",
	"to_tsvector", "hashtext", "starts_with", "strpos", "position", "translate", "initcap",
	"repeat", "int4range", "tsrange", "tstzrange", "daterange", "numrange", "int8range"};

static bool is_immutable(struct str name)
{
	for (size_t i = 0; i < ARRAY_LEN(immutable); i++)
		if (str_is(name, immutable[i]))
			return true;
	return false;
}

static enum kind kind_of_type(struct str type)
{
	return str_is(type, "timestamptz") ? KIND_INSTANT
	       : str_is(type, "timestamp") ? KIND_LOCAL
	       : str_is(type, "date")	   ? KIND_DATE
					   : KIND_OTHER;
}

static enum kind kind_of_column(const struct asked *q, const struct sql_node *n)
{
	size_t parts = node_len(n, "fields");
	int at = q->t ? schema_column_of(q->t,
				str_of(node_str(node_item(n, "fields", parts - 1), "sval")))
		      : -1;

	return at >= 0 ? kind_of_type(q->t->column.at[at].type) : KIND_UNSURE;
}

static bool is_constant(const struct sql_node *n)
{
	while (node_is(n, "TypeCast"))
		n = node_get(n, "arg");
	return node_is(n, "A_Const");
}

static enum kind kind_of_cast(struct asked *q, const struct sql_node *n)
{
	struct str type = node_last_name(node_get(n, "type_name"), "names");
	enum kind from = kind_of(q, node_get(n, "arg")), to = kind_of_type(type);
	bool is_time = to != KIND_OTHER || str_is(type, "time");

	if (is_constant(n) || node_is(node_get(n, "arg"), "ParamRef"))
		return to;
	if (str_is(type, "timetz") || str_is(type, "interval") || str_is(type, "regclass"))
		return KIND_FICKLE;
	if (is_time && to == from)
		return to;
	if (is_time) /* of a local time only, and not back to an instant */
		return (from == KIND_LOCAL || from == KIND_DATE) && to != KIND_INSTANT
			       ? to
			       : KIND_FICKLE;
	/* A time's text is written as DateStyle says. */
	return from == KIND_OTHER || from == KIND_UNSURE ? KIND_OTHER : KIND_FICKLE;
}

/* AT TIME ZONE, date_trunc, EXTRACT: the last argument is the time. */
static enum kind kind_of_time_call(struct asked *q, const struct sql_node *n, struct str name)
{
	enum kind x = kind_of(q, node_item(n, "args", 1));

	if (node_len(n, "args") != 2 || !is_constant(node_item(n, "args", 0)))
		return KIND_FICKLE;
	if (str_is(name, "timezone")) {
		q->is_assumed |= x == KIND_UNSURE;
		return x == KIND_INSTANT || x == KIND_UNSURE ? KIND_LOCAL
		       : x == KIND_LOCAL		     ? KIND_INSTANT
							     : KIND_FICKLE;
	}
	if (str_is(name, "date_trunc")) {
		if (str_is(q->compared, "timestamp") && (x == KIND_UNSURE || x == KIND_LOCAL)) {
			q->is_assumed = false; /* that is the type of what it makes */
			return KIND_LOCAL;
		}
		return x == KIND_LOCAL && !str_is(q->compared, "timestamptz") ? KIND_LOCAL
									      : KIND_FICKLE;
	}
	return x == KIND_LOCAL || x == KIND_DATE || x == KIND_OTHER ? KIND_OTHER : KIND_FICKLE;
}

static enum kind kind_of_call(struct asked *q, const struct sql_node *n)
{
	struct str name = node_last_name(n, "funcname");

	if (str_is(name, "timezone") || str_is(name, "date_trunc") || str_is(name, "extract") ||
		str_is(name, "date_part"))
		return kind_of_time_call(q, n, name);
	if (!is_immutable(name))
		return KIND_FICKLE;
	if (str_is(name, "to_tsvector") && node_len(n, "args") < 2)
		return KIND_FICKLE; /* default_text_search_config */
	for (size_t i = 0; i < node_len(n, "args"); i++)
		if (kind_of(q, node_item(n, "args", i)) == KIND_FICKLE)
			return KIND_FICKLE;
	return KIND_OTHER;
}

static enum kind kind_of_operator(struct asked *q, const struct sql_node *n)
{
	const struct sql_node *right = node_get(n, "rexpr");
	struct str op = node_last_name(n, "name");
	enum kind a = node_get(n, "lexpr") ? kind_of(q, node_get(n, "lexpr")) : KIND_OTHER;
	enum kind b = kind_of(q, right);
	bool is_span = node_is(right, "TypeCast") &&
		       str_is(node_last_name(node_get(right, "type_name"), "names"), "interval");

	if (a == KIND_FICKLE || b == KIND_FICKLE)
		return KIND_FICKLE;
	if (str_is(op, "||")) /* what is no text is written as settings say */
		return (a == KIND_OTHER || a == KIND_UNSURE) &&
				       (b == KIND_OTHER || b == KIND_UNSURE)
			       ? KIND_OTHER
			       : KIND_FICKLE;
	if (is_span) /* a day of an instant is not always 24 hours */
		return a == KIND_LOCAL || a == KIND_DATE ? KIND_LOCAL
		       : a == KIND_OTHER		 ? KIND_OTHER
							 : KIND_FICKLE;
	if (a == KIND_DATE && b == KIND_OTHER)
		return KIND_DATE;
	return a == KIND_OTHER || a == KIND_UNSURE || a == b ? KIND_OTHER : KIND_FICKLE;
}

static enum walk note_fickle(void *ctx, const struct sql_path *at)
{
	static const char *const asks[] = {"FuncCall", "TypeCast", "A_Expr"};
	struct asked *q = ctx;

	for (size_t i = 0; i < ARRAY_LEN(asks); i++)
		if (node_is(at->node, asks[i]))
			return kind_of(q, at->node) == KIND_FICKLE ? WALK_STOP : WALK_PRUNE;
	return node_is(at->node, "SubLink") || node_is(at->node, "SQLValueFunction") ||
			       node_is(at->node, "ParamRef")
		       ? WALK_STOP
		       : WALK_ON;
}

static enum kind kind_of(struct asked *q, const struct sql_node *n)
{
	if (node_is(n, "ColumnRef"))
		return kind_of_column(q, n);
	if (node_is(n, "TypeCast"))
		return kind_of_cast(q, n);
	if (node_is(n, "FuncCall"))
		return kind_of_call(q, n);
	if (node_is(n, "A_Expr"))
		return kind_of_operator(q, n);
	return sql_walk(n, note_fickle, q) ? KIND_FICKLE : KIND_OTHER;
}

bool expr_is_immutable(const struct schema_table *t, const struct sql_node *expr,
	struct str compared, bool *is_assumed)
{
	struct asked q = {.t = t, .compared = compared};
	bool ok = kind_of(&q, expr) != KIND_FICKLE;

	*is_assumed = ok && q.is_assumed;
	return ok;
}
