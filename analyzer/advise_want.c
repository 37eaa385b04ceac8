/* SPDX-License-Identifier: ISC
 *
 * What a condition asks of an index.
 *
 * Conditions come from plans, which print them as SQL with every cast spelled out; the parser
 * reads them, we look at each conjunct: is one side this relation's column (or an immutable
 * expression of its columns), and can the other be computed without it?  What EXPLAIN prints
 * that is no SQL, (hashed SubPlan 1), becomes a parameter first.
 */
#include "advise.h"
#include "advise_want.h"

#include <ctype.h>

#include "sql.h"

struct side {
	struct str expr;
	bool is_expr, is_assumed; /* as struct want */
};

struct owner {
	struct str alias, relation;
	size_t own, foreign; /* column references seen */
};

/* --- making it SQL ---------------------------------------------------------------------- */

/* A subplan's number, or since PostgreSQL 19 its name ("exists_1"). */
static size_t skip_name(struct str s, size_t at)
{
	while (at < s.n && (isalnum((unsigned char)s.p[at]) || s.p[at] == '_'))
		at++;
	return at;
}

/* How long the name of a subplan is at s: "hashed SubPlan 1", "InitPlan 2", "SubPlan any_1";
 * or 0. */
static size_t subplan_length(struct str s)
{
	static const char *const words[] = {"hashed SubPlan ", "SubPlan ", "InitPlan ",
		"alternatives: SubPlan ", "rescan SubPlan ", "reset InitPlan "};

	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		size_t at = strlen(words[i]);

		if (!str_starts(s, words[i]))
			continue;
		at = skip_name(s, at);
		if (i == 3 && str_starts(str_skip(s, at), " or hashed SubPlan "))
			at = skip_name(s, at + 19);
		return at;
	}
	return 0;
}

/* From an opening parenthesis to behind its closing one. */
static size_t group_length(struct str s)
{
	char quote = 0;
	int open = 0;

	for (size_t i = 0; i < s.n; i++) {
		if (quote) {
			quote = s.p[i] == quote ? 0 : quote;
			continue;
		}
		if (s.p[i] == '\'' || s.p[i] == '"')
			quote = s.p[i];
		open += s.p[i] == '(' ? 1 : s.p[i] == ')' ? -1 : 0;
		if (open == 0)
			return i + 1;
	}
	return s.n;
}

static struct str as_sql(struct arena *a, struct str s)
{
	struct text t = {0};
	struct str out;

	if (str_find(s, "SubPlan ") == s.n && str_find(s, "InitPlan ") == s.n)
		return s;
	for (size_t i = 0; i < s.n;) {
		struct str rest = str_skip(s, i);
		bool begins = i == 0 || s.p[i - 1] == '(';
		size_t len = begins && i ? subplan_length(rest) : 0;

		/* Since 17: "(ANY (a = (hashed SubPlan 1).col1))", asked for every row; and
		 * "EXISTS(SubPlan 2)" */
		if (begins && (str_starts(rest, "ANY (") || str_starts(rest, "ALL ("))) {
			text_puts(&t, "$1");
			i += 4 + group_length(str_skip(rest, 4));
			continue;
		}
		if (str_starts(rest, "EXISTS(SubPlan ")) {
			i += 6;
			continue;
		}

		if (len == 0) {
			text_char(&t, s.p[i++]);
			continue;
		}
		text_puts(&t, "$1");
		i += len;
		if (str_starts(str_skip(s, i), ").col")) {
			text_char(&t, ')');
			i = skip_name(s, i + 5);
		}
	}
	out = arena_str(a, text_slice(&t));
	text_release(&t);
	return out;
}

/* --- sides -------------------------------------------------------------------------------- */

static enum walk look_at(void *ctx, const struct sql_path *at)
{
	struct owner *o = ctx;
	const struct sql_node *n = at->node;

	if (node_is(n, "ColumnRef")) {
		size_t parts = node_len(n, "fields");
		struct str qual =
			parts > 1 ? str_of(node_str(node_item(n, "fields", parts - 2), "sval"))
				  : STR_NONE;

		if (parts == 1 || str_eq(qual, o->alias) || str_eq(qual, o->relation))
			o->own++;
		else
			o->foreign++;
		return WALK_PRUNE;
	}
	return WALK_ON;
}

/* The expression's SQL with "alias." taken off. */
static struct str unqualified(struct arena *a, struct str sql, struct str alias,
	struct str relation)
{
	struct str names[] = {alias, relation};
	struct text t = {0};
	struct str out;
	char quote = 0;

	for (size_t i = 0; i < sql.n;) {
		bool is_start = i == 0 || !(isalnum((unsigned char)sql.p[i - 1]) ||
						  strchr("_.\"", sql.p[i - 1]));
		size_t skip = 0;

		for (size_t k = 0; k < 2 && !quote && is_start && skip == 0; k++) {
			struct str q = names[k].n ? sql_quote_ident(a, names[k]) : STR_NONE;

			if (q.n && sql.n - i > q.n && memcmp(sql.p + i, q.p, q.n) == 0 &&
				sql.p[i + q.n] == '.')
				skip = q.n + 1;
		}
		if (skip) {
			i += skip;
			continue;
		}
		if (quote ? sql.p[i] == quote : sql.p[i] == '\'')
			quote = quote ? 0 : '\'';
		text_char(&t, sql.p[i++]);
	}
	out = arena_str(a, text_slice(&t));
	text_release(&t);
	return out;
}

/* A cast that changes nothing an index would notice: varchar to text.  Where the column's type is
 * not known it is taken for one: EXPLAIN prints this of every varchar. */
static bool is_relabel(const struct schema_table *t, const struct sql_side *s)
{
	int at = t ? schema_column_of(t, s->col.name) : -1;

	if (s->kind != SIDE_WRAPPED || s->wrap != WRAP_CAST || s->cols != 1 ||
		!(str_is(s->by, "text") || str_is(s->by, "varchar")) ||
		!node_is(node_get(s->node, "arg"), "ColumnRef"))
		return false;
	return at < 0 || str_is(t->column.at[at].type, "varchar") ||
	       str_is(t->column.at[at].type, "text");
}

static bool belongs(struct str qual, struct str alias, struct str relation)
{
	return qual.n == 0 || str_eq(qual, alias) || str_eq(qual, relation);
}

/* Is the side something of this relation that an index can hold? */
static bool is_own(struct arena *a, const struct sql_side *s, const struct schema_table *t,
	struct str compared, struct str alias, struct str relation, struct side *out)
{
	struct owner o = {.alias = alias, .relation = relation};

	if (s->kind == SIDE_COLUMN || is_relabel(t, s)) {
		if (!belongs(s->col.qual, alias, relation))
			return false;
		*out = (struct side){.expr = sql_quote_ident(a, s->col.name)};
		return true;
	}
	if (s->kind != SIDE_WRAPPED || s->is_volatile || s->node == NULL)
		return false;
	sql_walk(s->node, look_at, &o);
	*out = (struct side){.is_expr = true};
	if (o.own == 0 || o.foreign || !expr_is_immutable(t, s->node, compared, &out->is_assumed))
		return false;
	out->expr = unqualified(a, sql_deparse(a, s->node), alias, relation);
	return out->expr.n > 0;
}

/* Can the side be known before the relation's row is? */
static bool is_known(const struct sql_side *s, struct str alias, struct str relation, bool *is_join)
{
	struct owner o = {.alias = alias, .relation = relation};

	if (s->is_volatile || s->kind == SIDE_NONE)
		return false;
	if (s->node)
		sql_walk(s->node, look_at, &o);
	*is_join = o.foreign > 0;
	return o.own == 0;
}

/* --- conjuncts ------------------------------------------------------------------------------ */

static struct want *push(struct wants *w, enum want_kind kind, const struct side *s, int arm)
{
	struct want *x;

	for (size_t i = 0; i < w->n; i++)
		if (w->at[i].kind == kind && w->at[i].arm == arm && str_eq(w->at[i].expr, s->expr))
			return &w->at[i];
	if (w->n == ARRAY_LEN(w->at))
		return NULL;
	x = &w->at[w->n++];
	*x = (struct want){.kind = kind,
		.expr = s->expr,
		.is_expr = s->is_expr,
		.is_assumed = s->is_assumed,
		.arm = arm};
	return x;
}

/* The longest run of characters a pattern asks for as they stand, and whether it begins so. */
static size_t literal_run(struct str pattern, bool is_regex, bool *is_prefix, bool *is_whole)
{
	size_t best = 0, run = 0, from = 0;
	const char *special = is_regex ? ".[](){}*+?|^$\\" : "%_";

	*is_prefix = false;
	*is_whole = !is_regex;
	if (is_regex && str_starts(pattern, "^"))
		from = 1;
	for (size_t i = from; i < pattern.n; i++) {
		if (strchr(special, pattern.p[i])) {
			*is_whole = false;
			run = 0;
			continue;
		}
		if (pattern.p[i] == '\\' && i + 1 < pattern.n)
			i++;
		if (++run > best)
			best = run;
		if ((i == from || (i == from + 1 && pattern.p[from] == '\\')) &&
			(!is_regex || from == 1))
			*is_prefix = true;
	}
	/* In a regex a following ? or * makes the first character optional. */
	if (*is_prefix && is_regex && pattern.n > 2 && strchr("?*{|", pattern.p[2]))
		*is_prefix = false;
	return best;
}

static void add_pattern(struct wants *w, const struct sql_cond *c, const struct side *s, int arm)
{
	bool is_regex = c->pred == PRED_REGEX, is_prefix, is_whole;
	bool any_case = c->pred == PRED_ILIKE || str_is(c->op, "~*");
	struct want *x;
	size_t run;

	if (str_starts(c->op, "!") || c->right.kind != SIDE_CONST || c->right.is_null)
		return;
	run = literal_run(c->right.value, is_regex, &is_prefix, &is_whole);
	if (is_whole && !any_case) {
		push(w, WANT_EQ, s, arm);
		return;
	}
	if (is_prefix && !any_case) {
		x = push(w, WANT_PREFIX, s, arm);
		if (x)
			x->opclass = "text_pattern_ops";
		return;
	}
	if (run < 3)
		return;
	x = push(w, WANT_OTHER, s, arm);
	if (x) {
		x->method = "gin";
		x->opclass = "gin_trgm_ops";
	}
}

/* A bound of a range: "during @> timestamp" asks a range for one value. */
static bool is_bound_type(struct str type)
{
	static const char *const types[] = {
		"timestamptz", "timestamp", "date", "int4", "int8", "numeric"};

	for (size_t i = 0; i < ARRAY_LEN(types); i++)
		if (str_is(type, types[i]))
			return true;
	return false;
}

static void add_operator(struct wants *w, const struct sql_cond *c, const struct side *s, int arm)
{
	struct str op = c->op, cast = c->right.cast;
	const char *method = NULL, *opclass = NULL;
	struct want *x;

	if (str_is(cast, "inet") || str_is(cast, "cidr")) {
		if (str_is(op, "<<") || str_is(op, "<<=")) { /* the planner makes a range of it */
			push(w, WANT_RANGE, s, arm);
			return;
		}
		method = "gist";
		opclass = "inet_ops";
	} else if (str_is(op, "@?") || (str_is(op, "@@") && str_is(cast, "jsonpath")) ||
		   (str_is(op, "@>") && str_is(cast, "jsonb"))) {
		method = "gin";
		opclass = "jsonb_path_ops";
	} else if (str_is(op, "?") || str_is(op, "?|") || str_is(op, "?&") || str_is(op, "@@")) {
		method = "gin";
	} else if (str_ends(cast, "range") || str_is(cast, "point") || str_is(cast, "box") ||
		   str_is(cast, "circle") || str_is(cast, "polygon") || str_is(cast, "geometry") ||
		   (c->right.kind == SIDE_CONST && !c->right.is_string && cast.n == 0) ||
		   str_is(op, "<<") || str_is(op, ">>") || str_is(op, "-|-") ||
		   (str_is(op, "@>") && is_bound_type(cast))) {
		method = "gist";
	} else if (str_is(op, "@>") || str_is(op, "<@") || str_is(op, "&&")) {
		method = "gin";
	} else if (str_is(op, "%")) {
		method = "gin";
		opclass = "gin_trgm_ops";
	}
	if (method == NULL)
		return;
	x = push(w, WANT_OTHER, s, arm);
	if (x) {
		x->method = method;
		x->opclass = opclass;
	}
}

static void add_flag(struct arena *a, struct wants *w, const struct sql_cond *c, bool is_not,
	struct str alias, struct str relation)
{
	struct side s;
	struct want *x;

	if (c->left.kind != SIDE_COLUMN ||
		!is_own(a, &c->left, w->table, STR(""), alias, relation, &s))
		return;
	x = push(w, WANT_BOOL, &s, 0);
	if (x)
		x->predicate = is_not ? arena_printf(a, "NOT %.*s", STR_ARGS(s.expr)) : s.expr;
}

/* ROW(a, b) > ROW(1, 2): a range on the columns in their order. */
static bool add_row(struct arena *a, struct wants *w, const struct sql_cond *c, struct str alias,
	struct str relation)
{
	const struct sql_node *row = c->left.node;

	if (!node_is(row, "RowExpr"))
		return false;
	for (size_t i = 0; i < node_len(row, "args"); i++) {
		struct sql_side side = sql_side(a, node_item(row, "args", i));
		struct side s;

		if (!is_own(a, &side, w->table, STR(""), alias, relation, &s))
			return true;
		push(w, WANT_RANGE, &s, 0);
	}
	return true;
}

/* A value of which a B-tree's entry (2.7 kB at most) is no place. */
static bool is_long(const struct sql_side *s)
{
	return s->kind == SIDE_CONST && s->is_string && s->value.n >= 512;
}

/* The condition itself, as a partial index's predicate. */
static void note_constant(struct arena *a, struct want *x, const struct sql_cond *c,
	const struct sql_side *value, struct str alias, struct str relation)
{
	if (x->is_expr || x->predicate.n || c->negated || value->kind != SIDE_CONST ||
		value->is_null)
		return;
	x->predicate = unqualified(a, sql_deparse(a, c->node), alias, relation);
	x->value = value->value;
}

static void add_cond(struct arena *a, struct wants *w, const struct sql_cond *c, struct str alias,
	struct str relation, int arm)
{
	struct side s;
	bool is_join = false;
	const struct sql_side *own = &c->left, *other = &c->right;
	struct want *x;

	if (c->pred == PRED_BOOL || c->pred == PRED_NOT) {
		const struct sql_cond *flag = c->pred == PRED_NOT && c->arms ? &c->arm[0] : c;

		if (arm == 0 && flag->pred == PRED_BOOL)
			add_flag(a, w, flag, flag != c, alias, relation);
		return;
	}
	if (c->left.kind == SIDE_WRAPPED && c->left.wrap == WRAP_ROW) {
		add_row(a, w, c, alias, relation);
		return;
	}
	if (!is_own(a, own, w->table, other->cast, alias, relation, &s)) {
		own = &c->right;
		other = &c->left;
		if (!is_own(a, own, w->table, other->cast, alias, relation, &s))
			return;
	}
	if (c->pred != PRED_IS_NULL && c->pred != PRED_NOT_NULL &&
		!is_known(other, alias, relation, &is_join))
		return;
	switch (c->pred) {
	case PRED_EQ:
		x = push(w, is_long(other) ? WANT_OTHER : WANT_EQ, &s, arm);
		if (x && x->kind == WANT_OTHER)
			x->method = "hash";
		else if (x)
			note_constant(a, x, c, other, alias, relation);
		break;
	case PRED_IN:
		x = push(w, WANT_EQ, &s, arm);
		break;
	case PRED_IS_NULL: /* a constant: rather the index's predicate than a key of it */
		x = push(w, arm ? WANT_EQ : WANT_BOOL, &s, arm);
		if (x && arm == 0)
			x->predicate = arena_printf(a,
				s.is_expr ? "(%.*s) IS NULL" : "%.*s IS NULL", STR_ARGS(s.expr));
		break;
	case PRED_NOT_NULL:
		x = arm ? NULL : push(w, WANT_THERE, &s, arm);
		if (x)
			x->predicate = arena_printf(a,
				s.is_expr ? "(%.*s) IS NOT NULL" : "%.*s IS NOT NULL",
				STR_ARGS(s.expr));
		break;
	case PRED_ANY:
		x = str_is(c->op, "=") && own == &c->left ? push(w, WANT_EQ, &s, arm) : NULL;
		if (x)
			note_constant(a, x, c, other, alias, relation);
		break;
	case PRED_LT:
	case PRED_LE:
	case PRED_GT:
	case PRED_GE:
	case PRED_BETWEEN:
		x = push(w, WANT_RANGE, &s, arm);
		break;
	case PRED_LIKE:
	case PRED_ILIKE:
	case PRED_REGEX:
		add_pattern(w, c, &s, arm);
		return;
	case PRED_OP:
		if (own == &c->left)
			add_operator(w, c, &s, arm);
		return;
	default: /* <>, NOT IN, IS DISTINCT FROM …: no index serves these */
		return;
	}
	if (x)
		x->is_join |= is_join;
}

/* What else this arm of an OR asks for, so that one index may serve all of it. */
static void note_also(struct arena *a, struct want *x, const struct sql_cond *arm, struct str alias,
	struct str relation)
{
	struct wants rest = {.ors = x->arm};

	if (x->kind != WANT_EQ || arm->pred != PRED_AND)
		return;
	for (size_t i = 0; i < arm->arms; i++)
		add_cond(a, &rest, &arm->arm[i], alias, relation, x->arm);
	for (size_t i = 0; i < rest.n && x->n_also < ARRAY_LEN(x->also); i++)
		if (rest.at[i].kind == WANT_EQ && !rest.at[i].is_join && !rest.at[i].is_expr &&
			!str_eq(rest.at[i].expr, x->expr))
			x->also[x->n_also++] = rest.at[i].expr;
}

/* Every arm must have something an index serves, else the OR reads the table anyway. */
static void add_or(struct arena *a, struct wants *w, const struct sql_cond *c, struct str alias,
	struct str relation)
{
	struct wants trial = *w;
	int arm = ++trial.ors;
	bool is_same = true;
	size_t first = trial.n;

	for (size_t i = 0; i < c->arms; i++) {
		size_t before = trial.n;
		const struct sql_cond *one = &c->arm[i];

		if (one->pred == PRED_AND) {
			for (size_t k = 0; k < one->arms && trial.n == before; k++)
				add_cond(a, &trial, &one->arm[k], alias, relation, arm);
		} else {
			add_cond(a, &trial, one, alias, relation, arm);
		}
		if (trial.n > before)
			note_also(a, &trial.at[before], one, alias, relation);
		if (trial.n == before && before == first)
			return; /* the first arm gave nothing; later ones may repeat a column */
		if (trial.n == before) {
			struct wants alone = {.ors = arm};

			if (one->pred == PRED_AND && one->arms)
				add_cond(a, &alone, &one->arm[0], alias, relation, arm);
			else
				add_cond(a, &alone, one, alias, relation, arm);
			if (alone.n == 0)
				return;
		}
	}
	for (size_t i = first + 1; i < trial.n; i++)
		is_same &= str_eq(trial.at[i].expr, trial.at[first].expr);
	if (is_same && trial.n > first)
		trial.at[first].arm = 0; /* a = 1 OR a = 2 */
	*w = trial;
}

void wants_add(struct arena *a, struct wants *w, struct str condition, struct str alias,
	struct str relation)
{
	struct err why;
	const struct sql_node *expr;
	struct sql_cond *cond;
	size_t n;

	if (condition.n == 0)
		return;
	expr = sql_parse_expr(a, as_sql(a, condition), &why);
	if (expr == NULL)
		return;
	cond = sql_conjuncts(a, expr, &n);
	for (size_t i = 0; i < n; i++)
		if (cond[i].pred == PRED_OR)
			add_or(a, w, &cond[i], alias, relation);
		else
			add_cond(a, w, &cond[i], alias, relation, 0);
}

bool wants_key(struct arena *a, const struct schema_table *t, struct str item, struct str alias,
	struct str relation, struct index_key *key)
{
	struct sql_side side;
	struct side s;
	struct err why;
	const struct sql_node *expr;
	bool first = false, last = false;

	*key = (struct index_key){0};
	item = str_trim(item);
	if (str_ends(item, " NULLS FIRST")) {
		first = true;
		item = str_before(item, item.n - 12);
	} else if (str_ends(item, " NULLS LAST")) {
		last = true;
		item = str_before(item, item.n - 11);
	}
	if (str_ends(item, " DESC")) {
		key->desc = true;
		item = str_before(item, item.n - 5);
	}
	key->nulls_first = first && !key->desc;
	key->nulls_last = last && key->desc;
	expr = sql_parse_expr(a, as_sql(a, item), &why);
	if (expr == NULL)
		return false;
	side = sql_side(a, expr);
	if (!is_own(a, &side, t, STR(""), alias, relation, &s))
		return false;
	key->expr = s.expr;
	key->is_expr = s.is_expr;
	key->is_assumed = s.is_assumed;
	return true;
}
