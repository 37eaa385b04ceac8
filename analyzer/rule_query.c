/* SPDX-License-Identifier: ISC
 *
 * rule_query: what a statement says that it hardly means: no WHERE, tables without a join,
 * NULL compared, NOT IN over NULLs, paging by OFFSET or without an order.
 *
 * All of it is read off the outline; the schema, where there is one, clears more than it adds.
 */
#include "rule_checks.h"

#define DEEP_OFFSET 1000
#define HUGE_LIMIT  10000

static bool is_value_equal(const struct sql_cond *k)
{
	return k->pred == PRED_EQ && k->left.kind == SIDE_CONST && k->right.kind == SIDE_CONST &&
	       !k->left.is_null && str_eq(k->left.value, k->right.value);
}

static bool is_always_true(const struct sql_cond *k)
{
	return is_value_equal(k) ||
	       (k->pred == PRED_CONST && k->left.is_bool && str_is(k->left.value, "true"));
}

static struct str first_table(const struct sql_outline *o)
{
	return o->rels ? o->rel[0].name : STR("");
}

/* --- DM: writes -------------------------------------------------------------------- */

static bool is_scratch(struct rule_check *c, const struct sql_rel *r)
{
	const struct schema_table *t = schema_find(c->schema, r->schema, r->name);

	if ((t && t->is_temp) || str_starts(r->name, "tmp") || str_starts(r->name, "temp"))
		return true;
	const struct made *m = rule_made(c, r->schema, r->name);
	return m && m->is_temp;
}

static bool is_change(const struct sql_outline *o)
{
	return (o->verb == SQL_UPDATE || o->verb == SQL_DELETE) && o->rels > 0;
}

void check_dm001(struct rule_check *c)
{
	if (!is_change(c->o) || c->o->conds || node_get(c->o->node, "where_clause") ||
		is_scratch(c, &c->o->rel[0]))
		return;
	for (size_t i = 1; i < c->o->rels; i++)
		if (c->o->rel[i].is_natural || c->o->rel[i].kind != REL_TABLE)
			return;
	rule_find(c, CONF_LIKELY, "every row of %.*s is %s: there is no WHERE",
		STR_ARGS(first_table(c->o)), c->o->verb == SQL_DELETE ? "deleted" : "changed");
}

void check_dm002(struct rule_check *c)
{
	bool all = is_change(c->o) && c->o->conds > 0;

	for (size_t i = 0; all && i < c->o->conds; i++)
		all = is_always_true(&c->o->cond[i]);
	if (all)
		rule_find(c, CONF_CERTAIN, "the WHERE of this %s on %.*s is always true",
			c->o->verb == SQL_DELETE ? "DELETE" : "UPDATE",
			STR_ARGS(first_table(c->o)));
}

void check_dm003(struct rule_check *c)
{
	if (c->o->verb != SQL_INSERT || node_len(c->o->node, "cols") || !c->o->is_values ||
		!c->o->rels || is_scratch(c, &c->o->rel[0]))
		return;
	rule_find(c, CONF_CERTAIN, "INSERT into %.*s does not name its columns",
		STR_ARGS(first_table(c->o)));
}

void check_dm005(struct rule_check *c)
{
	for (size_t i = 0; c->o->verb == SQL_UPDATE && i < c->o->sets; i++) {
		const struct sql_target *t = &c->o->set[i];
		if (t->val.kind != SIDE_COLUMN || !str_eq(t->val.col.name, t->name) ||
			(t->val.col.qual.n && !str_eq(t->val.col.qual, c->o->rel[0].alias)) ||
			(!t->val.col.qual.n && c->o->rels > 1))
			continue;
		struct finding *x =
			rule_find(c, CONF_CERTAIN, "%.*s is set to itself", STR_ARGS(t->name));
		x->key = arena_str(&c->findings->arena, t->name);
	}
}

/* --- CC: comparisons ------------------------------------------------------------------ */

/* Does the input switch transform_null_equals on?  Then = NULL is IS NULL. */
static bool turns_null_equals(const struct facts *f)
{
	for (size_t i = 0; f && i < f->shape.n; i++) {
		const struct shape *s = f->shape.at[i];
		if (s->verb == SQL_SET && str_find(s->norm, "transform_null_equals") < s->norm.n)
			return true;
	}
	return false;
}

static void look_cc001(struct rule_check *c, const struct sql_cond *k)
{
	bool compared = k->pred <= PRED_GE && k->right.kind == SIDE_CONST && k->right.is_null &&
			k->left.cols > 0;
	bool list = k->right.kind == SIDE_LIST && k->right.is_null &&
		    (k->pred == PRED_NOT_IN || (k->pred == PRED_IN && k->right.list == 1));

	for (size_t i = 0; i < k->arms; i++)
		look_cc001(c, &k->arm[i]);
	if ((!compared && !list) || (k->pred == PRED_EQ && turns_null_equals(c->facts)))
		return;
	struct str text = rule_text(c, k->node), left = sql_deparse(c->arena, k->left.node);
	struct finding *x = rule_find(c, CONF_CERTAIN, "a comparison with NULL is never true: %.*s",
		STR_ARGS(text));
	x->key = arena_str(&c->findings->arena, text);
	bool plain = compared && left.n && (k->pred == PRED_EQ || k->pred == PRED_NE);
	finding_fix(c->findings, x,
		plain ? arena_printf(c->arena, "%.*s IS%s NULL", STR_ARGS(left),
				k->pred == PRED_NE ? " NOT" : "")
		      : STR_NONE,
		list ? "take NULL out of the list" : "test for NULL with IS NULL");
}

void check_cc001(struct rule_check *c)
{
	for (size_t i = 0; i < c->o->conds; i++)
		look_cc001(c, &c->o->cond[i]);
}

/* What a pattern without a wildcard matches, its escapes taken out; STR_NONE: it has one. */
static struct str only_match(struct rule_check *c, struct str pattern)
{
	char *out = arena_alloc(c->arena, pattern.n + 1);
	size_t n = 0;

	for (size_t i = 0; i < pattern.n; i++) {
		char ch = pattern.p[i];
		if (ch == '%' || ch == '_' || ch == '?' || ch == '$')
			return STR_NONE;
		if (ch == '\\' && ++i == pattern.n)
			return STR_NONE;
		out[n++] = pattern.p[i];
	}
	return (struct str){out, n};
}

void check_cc005(struct rule_check *c)
{
	for (size_t i = 0; i < c->o->conds; i++) {
		const struct sql_cond *k = &c->o->cond[i];
		if (k->pred != PRED_LIKE || k->right.kind != SIDE_CONST || !k->right.value.n ||
			k->left.kind != SIDE_COLUMN)
			continue;
		struct str v = only_match(c, k->right.value);
		if (!v.p)
			continue;
		struct finding *x = rule_find(c, CONF_LIKELY,
			"the pattern for %.*s holds no wildcard", STR_ARGS(k->left.col.name));
		x->key = arena_str(&c->findings->arena, k->left.col.name);
		finding_fix(c->findings, x,
			arena_printf(c->arena, "%.*s = %.*s",
				STR_ARGS(sql_deparse(c->arena, k->left.node)),
				STR_ARGS(sql_quote_literal(c->arena, v))),
			"LIKE without a wildcard is =");
	}
}

/* --- SEC ------------------------------------------------------------------------------ */

/* Does a statement stand before this on its line? */
static bool is_behind_sql(struct str text, const char *at)
{
	while (at > text.p && at[-1] != '\n' && (at[-1] == '-' || at[-1] == ' ' || at[-1] == '\t'))
		at--;
	return at > text.p && at[-1] != '\n';
}

/* What is left when a value that was put into the text closed its quote and made the rest of the
 * statement a comment: at the end -- and the quote that should have closed it. */
static bool is_cut_off(struct rule_check *c)
{
	struct str text = c->variant ? c->variant->text : c->shape->example, comment;
	size_t at = 0, quotes = 0;
	bool found = false;

	if (!(c->shape->lex.traits & SQL_HAS_COMMENT) || c->o != c->top)
		return false;
	while (sql_comment_next(text, &at, &comment)) {
		quotes = 0;
		for (size_t i = 0; i < comment.n; i++)
			quotes += comment.p[i] == '\'';
		found = comment.n && comment.p[0] == '\'' && quotes % 2 &&
			str_trim(str_skip(text, at)).n == 0 && is_behind_sql(text, comment.p);
	}
	return found;
}

void check_sec001(struct rule_check *c)
{
	if (is_cut_off(c)) {
		struct finding *x = rule_find(c, CONF_LIKELY,
			"a comment begins with a quote that nothing opens: this is how injected "
			"SQL cuts off the rest of a statement");
		finding_fix(c->findings, x, STR_NONE, "pass values as parameters, never as text");
		return;
	}
	for (size_t i = 0; i < c->o->conds; i++) {
		const struct sql_cond *k = &c->o->cond[i];
		bool always = false;
		for (size_t j = 0; k->pred == PRED_OR && j < k->arms; j++)
			always |= is_value_equal(&k->arm[j]);
		if (!always)
			continue;
		struct finding *x = rule_find(c, CONF_LIKELY,
			"OR with a constant that is always true: this is how injected SQL looks");
		finding_fix(c->findings, x, STR_NONE, "pass values as parameters, never as text");
		return;
	}
}

struct secret {
	bool found;
};

static enum walk find_secret(void *ctx, const struct sql_path *at)
{
	struct secret *s = ctx;
	struct str v;

	v = str_of(node_str(at->node, "conninfo")); /* of a subscription */
	if (v.n && str_find(v, "password") < v.n) {
		s->found = true;
		return WALK_STOP;
	}
	if (!node_is(at->node, "DefElem") || strcmp(node_str(at->node, "defname"), "password") != 0)
		return WALK_ON;
	v = str_of(node_str(node_get(at->node, "arg"), "sval"));
	s->found |= v.n && !str_starts(v, "SCRAM-SHA-256$") &&
		    !(str_starts(v, "md5") && v.n == 35) && v.p[0] != '$' && v.p[0] != '?';
	return WALK_ON;
}

void check_sec002(struct rule_check *c)
{
	struct secret s = {false};

	if (c->top->verb != SQL_DDL)
		return;
	sql_walk(c->top->node, find_secret, &s);
	if (!s.found)
		return;
	struct finding *x = rule_find(c, CONF_CERTAIN, "a password stands in the statement's text");
	finding_fix(c->findings, x, STR_NONE,
		"set it with psql's \\password, or send the SCRAM verifier; change this one");
}

/* --- LM: pages -------------------------------------------------------------------------- */

void check_lm002(struct rule_check *c)
{
	int64_t most = c->o->offset == BOUND_CONST ? c->o->offset_value : 0;

	if (c->o->offset == BOUND_NONE || c->o->role != ROLE_TOP)
		return;
	if (c->shape->max_offset != SQL_ABSENT && c->shape->max_offset > most)
		most = c->shape->max_offset;
	if (most < DEEP_OFFSET)
		return;
	struct finding *x = rule_find(c, CONF_LIKELY,
		"OFFSET goes up to %lld: all these rows are read and thrown away", (long long)most);
	finding_int(x, "max_offset", most);
	finding_fix(c->findings, x, STR_NONE,
		"page by key: WHERE (sort key) > (last one seen) ORDER BY sort key LIMIT n");
}

static bool has_inner_order(const struct sql_outline *o)
{
	for (size_t i = 0; i < o->rels; i++)
		if (o->rel[i].kind != REL_TABLE || (o->rel[i].sub && o->rel[i].sub->orders))
			return true;
	return false;
}

void check_lm003(struct rule_check *c)
{
	const struct sql_outline *o = c->o;
	bool habit, paged = o->offset == BOUND_PARAM || o->offset == BOUND_EXPR ||
			    (o->offset == BOUND_CONST && o->offset_value > 0);

	if (o->verb != SQL_SELECT || o->role != ROLE_TOP || o->limit == BOUND_NONE || o->orders ||
		!o->rels || o->is_setop || o->is_locking || o->has_aggregate ||
		(o->limit == BOUND_CONST && o->limit_value <= 1) || has_inner_order(o) ||
		rule_one_row(c, o, &habit))
		return;
	struct finding *x = rule_find(c, paged ? CONF_CERTAIN : CONF_POSSIBLE,
		"%s without ORDER BY: which rows of %.*s come is left to chance",
		paged ? "a page is read" : "LIMIT stands", STR_ARGS(first_table(o)));
	finding_fix(c->findings, x, STR_NONE, "add ORDER BY on a unique key");
}

void check_lm006(struct rule_check *c)
{
	int64_t most = c->o->limit == BOUND_CONST ? c->o->limit_value : 0;

	if (c->o->limit == BOUND_NONE || c->o->role != ROLE_TOP || c->o->verb != SQL_SELECT)
		return;
	if (c->o->limit == BOUND_PARAM && c->shape->max_limit != SQL_ABSENT)
		most = c->shape->max_limit;
	if (most < HUGE_LIMIT)
		return;
	struct finding *x =
		rule_find(c, CONF_POSSIBLE, "LIMIT %lld hardly limits", (long long)most);
	finding_int(x, "max_limit", most);
}

/* --- AG: order and groups ---------------------------------------------------------------- */

static enum walk find_sample(void *ctx, const struct sql_path *at)
{
	(void)ctx;
	return node_is(at->node, "RangeTableSample") ? WALK_STOP : WALK_ON;
}

/* Does FROM itself bound how many rows there are to sort? */
static bool is_short_list(struct rule_check *c, const struct sql_outline *o)
{
	bool habit;

	for (size_t i = 0; i < o->rels; i++)
		if ((o->rel[i].kind == REL_TABLE && !rule_is_small(c, o, (int)i)) ||
			(o->rel[i].sub && o->rel[i].sub->limit == BOUND_NONE &&
				!o->rel[i].sub->is_values))
			return rule_one_row(c, o, &habit) || sql_walk(o->node, find_sample, NULL);
	return true;
}

void check_ag004(struct rule_check *c)
{
	const struct sql_node *first = c->o->orders ? c->o->order[0].by.node : NULL;

	if (node_is(first, "FuncCall") && str_is(node_last_name(first, "funcname"), "random") &&
		!is_short_list(c, c->o))
		rule_find(c, CONF_LIKELY, "%s of %.*s is sorted by random()",
			c->o->conds ? "all that is found" : "all",
			STR_ARGS(c->o->rel[0].name.n ? c->o->rel[0].name : c->o->rel[0].alias));
}

void check_ag005(struct rule_check *c)
{
	for (size_t i = 0; i < c->o->conds; i++) {
		const struct sql_cond *k = &c->o->cond[i];
		bool grouped = false;
		for (size_t j = 0; j < c->o->groups; j++)
			grouped |= c->o->group[j].kind == SIDE_COLUMN &&
				   str_eq(c->o->group[j].col.name, k->left.col.name);
		if (k->clause != CLAUSE_HAVING || k->left.kind != SIDE_COLUMN || k->right.cols ||
			k->right.kind == SIDE_QUERY || k->arms || !grouped)
			continue;
		struct finding *x = rule_find(c, CONF_CERTAIN,
			"HAVING filters by %.*s, which WHERE could before rows are grouped",
			STR_ARGS(k->left.col.name));
		x->key = arena_str(&c->findings->arena, k->left.col.name);
	}
}

/* Is every output among the expressions of DISTINCT ON?  Then all its rows are alike. */
static bool all_distinct(struct rule_check *c, const struct sql_outline *o)
{
	for (size_t i = 0; i < o->targets; i++) {
		struct str text = sql_deparse(c->arena, o->target[i].val.node);
		const struct sql_side *v = &o->target[i].val;
		bool found = v->kind == SIDE_CONST || v->kind == SIDE_PARAM ||
			     (v->kind == SIDE_STABLE && !v->is_volatile);
		for (size_t k = 0; k < node_len(o->node, "distinct_clause"); k++)
			found |= str_eq(text,
				sql_deparse(c->arena, node_item(o->node, "distinct_clause", k)));
		if (!found || o->target[i].kind == TARGET_STAR)
			return false;
	}
	return true;
}

/* Is a row of one table told by its key, and everything that is returned is of that row? */
static bool all_of_key(struct rule_check *c, const struct sql_outline *o)
{
	struct str set[16];
	size_t n = 0;
	int rel = o->targets ? o->target[0].val.col.rel : -1;

	for (size_t i = 0; i < o->targets; i++)
		if (o->target[i].kind != TARGET_COLUMN || o->target[i].val.col.rel != rel)
			return false;
	for (size_t k = 0; k < node_len(o->node, "distinct_clause") && n < 16; k++) {
		struct sql_side v = sql_side(c->arena, node_item(o->node, "distinct_clause", k));
		if (v.kind == SIDE_COLUMN && rel >= 0 &&
			(str_eq(v.col.qual, o->rel[rel].alias) || o->rels == 1))
			set[n++] = v.col.name;
	}
	if (rel < 0 || o->rel[rel].kind != REL_TABLE)
		return false;
	const struct schema_table *t = schema_find(c->schema, o->rel[rel].schema, o->rel[rel].name);
	bool habit = false;
	for (size_t i = 0; i < n; i++)
		habit |= str_is(set[i], "id");
	return t ? schema_unique_by(t, set, n) : habit;
}

void check_ag009(struct rule_check *c)
{
	if (c->o->is_distinct_on && !c->o->orders && c->o->rels && !all_distinct(c, c->o) &&
		!all_of_key(c, c->o))
		rule_find(c, CONF_CERTAIN,
			"DISTINCT ON without ORDER BY: which row of each group comes is left to "
			"chance");
}
