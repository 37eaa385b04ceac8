/* SPDX-License-Identifier: ISC
 *
 * rule_join: joins that do something else than they say, do it slowly, or do nothing.
 */
#include "rule_checks.h"

static struct str alias_of(const struct sql_node *ref)
{
	size_t n = node_len(ref, "fields");

	return n > 1 ? str_of(node_str(node_item(ref, "fields", n - 2), "sval")) : STR("");
}

static int rel_of(const struct sql_outline *o, struct str alias)
{
	for (size_t i = 0; i < o->rels; i++)
		if (str_eq(o->rel[i].alias, alias))
			return (int)i;
	return -1;
}

/* What mentions one item of FROM. */
struct mention {
	const struct sql_outline *o;
	int rel, latest; /* the greatest item mentioned */
	size_t times;
	bool unknown; /* a column without its table, a star */
};

static enum walk count_mention(void *ctx, const struct sql_path *at)
{
	struct mention *m = ctx;

	if (!node_is(at->node, "ColumnRef"))
		return WALK_ON;
	struct str alias = alias_of(at->node);
	int rel = alias.n ? rel_of(m->o, alias) : -1;
	m->unknown |= !alias.n;
	m->times += rel == m->rel;
	m->latest = rel > m->latest ? rel : m->latest;
	return WALK_ON;
}

static struct mention mentions(const struct sql_outline *o, const struct sql_node *n, int rel)
{
	struct mention m = {.o = o, .rel = rel, .latest = -1};

	sql_walk(n, count_mention, &m);
	return m;
}

static const struct schema_table *table_of(const struct rule_check *c, const struct sql_rel *r)
{
	return r->kind == REL_TABLE ? schema_find(c->schema, r->schema, r->name) : NULL;
}

/* The columns of rel that ON or WHERE equate with something; how many. */
static size_t joined_by(const struct sql_outline *o, int rel, struct str *set, size_t max)
{
	size_t n = 0;

	for (size_t i = 0; i < o->conds && n < max; i++) {
		const struct sql_cond *k = &o->cond[i];
		if (k->pred != PRED_EQ || k->clause == CLAUSE_HAVING)
			continue;
		if (k->left.kind == SIDE_COLUMN && k->left.col.rel == rel)
			set[n++] = k->left.col.name;
		else if (k->right.kind == SIDE_COLUMN && k->right.col.rel == rel)
			set[n++] = k->right.col.name;
	}
	return n;
}

/* --- JN004: an anti join by a column that may be NULL itself ---------------------------------- */

void check_jn004(struct rule_check *c)
{
	for (size_t i = 0; i < c->o->conds; i++) {
		const struct sql_cond *k = &c->o->cond[i];
		const struct schema_column *col;
		int rel = k->left.col.rel;
		struct str set[16];
		bool key = false;
		if (k->pred != PRED_IS_NULL || k->clause != CLAUSE_WHERE ||
			k->left.kind != SIDE_COLUMN || !k->left.col.qual.n || rel < 0 ||
			!c->o->rel[rel].nullable || c->o->rel[rel].join != JOIN_LEFT ||
			!schema_resolve(c->schema, c->o, &k->left.col, NULL, &col) || col->not_null)
			continue;
		size_t n = joined_by(c->o, rel, set, 16);
		for (size_t j = 0; j < n; j++)
			key |= str_eq(set[j], k->left.col.name);
		if (key || n == 0)
			continue;
		struct finding *x = rule_find(c, CONF_LIKELY,
			"%.*s.%.*s IS NULL also holds for rows of %.*s that were found: the column "
			"may be NULL itself",
			STR_ARGS(k->left.col.qual), STR_ARGS(k->left.col.name),
			STR_ARGS(c->o->rel[rel].name));
		x->key = arena_str(&c->findings->arena, k->left.col.name);
		finding_fix(c->findings, x,
			arena_printf(c->arena, "%.*s.%.*s IS NULL",
				STR_ARGS(sql_quote_ident(c->arena, k->left.col.qual)),
				STR_ARGS(sql_quote_ident(c->arena, set[0]))),
			"ask for the column that joins, or write NOT EXISTS");
	}
}

/* --- JN005: a join that nothing reads
 * ------------------------------------------------------------- */

static bool has_star(const struct sql_outline *o, struct str alias)
{
	for (size_t i = 0; i < o->targets; i++)
		if (o->target[i].kind == TARGET_STAR &&
			(!o->target[i].val.col.qual.n || str_eq(o->target[i].val.col.qual, alias)))
			return true;
	return false;
}

void check_jn005(struct rule_check *c)
{
	const struct sql_outline *o = c->o;

	for (size_t i = 1; i < o->rels && o->verb == SQL_SELECT; i++) {
		const struct sql_rel *r = &o->rel[i];
		const struct schema_table *t = table_of(c, r);
		struct str set[16];
		size_t own = 0;
		if (!t || r->join != JOIN_LEFT || r->is_natural || has_star(o, r->alias) ||
			!schema_unique_by(t, set, joined_by(o, (int)i, set, 16)))
			continue;
		struct mention all = mentions(o, o->node, (int)i);
		for (size_t k = 0; k < o->conds; k++) {
			struct mention m = mentions(o, o->cond[k].node, (int)i);
			if (o->cond[k].clause == CLAUSE_ON && m.latest == (int)i)
				own += m.times;
		}
		if (all.unknown || all.times > own)
			continue;
		struct finding *x = rule_find(c, CONF_CERTAIN,
			"nothing reads %.*s, and the join to it neither adds nor removes rows",
			STR_ARGS(r->alias));
		x->key = arena_str(&c->findings->arena, r->alias);
		finding_fix(c->findings, x, STR_NONE,
			"leave the join out; the planner does so, too, but plans it first");
	}
}

/* --- JN006: types that do not meet
 * ---------------------------------------------------------------- */

static struct str inner_type(struct rule_check *c, const struct sql_side *s)
{
	const struct sql_node *n = s->node;

	if (s->kind == SIDE_WRAPPED && s->wrap == WRAP_CAST)
		n = node_get(n, "arg");
	return node_is(n, "ColumnRef") ? schema_type(c->schema, c->arena, c->o, n) : STR("");
}

void check_jn006(struct rule_check *c)
{
	for (size_t i = 0; i < c->o->conds; i++) {
		const struct sql_cond *k = &c->o->cond[i];
		if (k->pred != PRED_EQ || !k->left.cols || !k->right.cols ||
			k->clause == CLAUSE_HAVING || k->left.col.rel == k->right.col.rel ||
			k->left.col.rel < 0 || k->right.col.rel < 0)
			continue;
		struct str l = inner_type(c, &k->left), r = inner_type(c, &k->right);
		bool cast = k->left.kind == SIDE_WRAPPED || k->right.kind == SIDE_WRAPPED;
		bool apart = schema_fit(l, r) == FIT_CASTS || schema_fit(r, l) == FIT_CASTS;
		if (!l.n || !r.n || str_eq(l, r) || schema_type_is_relabel(l, r) ||
			(!apart && !cast))
			continue;
		struct str text = rule_text(c, k->node);
		struct finding *x = rule_find(c, apart && !cast ? CONF_LIKELY : CONF_POSSIBLE,
			"columns of the types %.*s and %.*s are joined, so one of them is cast for "
			"every row: %.*s",
			STR_ARGS(l), STR_ARGS(r), STR_ARGS(text));
		finding_str(x, "predicate", text);
		x->key = arena_str(&c->findings->arena, text);
		finding_fix(c->findings, x, STR_NONE,
			"give both columns one type; until then an index on the cast expression "
			"serves the join");
	}
}

/* --- JN007: how many
 * ---------------------------------------------------------------------------------- */

#define COLLAPSE_LIMIT 8
#define GEQO_THRESHOLD 12

void check_jn007(struct rule_check *c)
{
	size_t n = 0, small = 0;

	for (size_t i = 0; i < c->o->rels; i++) {
		enum sql_rel_kind kind = c->o->rel[i].kind;
		n += kind == REL_TABLE || kind == REL_SUBQUERY || kind == REL_CTE;
		small += rule_is_small(c, c->o, (int)i);
	}
	if (n <= COLLAPSE_LIMIT || small == n)
		return;
	struct finding *x = rule_find(c, CONF_CERTAIN, "%zu tables are joined: %s", n,
		n >= GEQO_THRESHOLD ? "their order is searched by chance (geqo_threshold)"
				    : "their order follows the text (join_collapse_limit)");
	finding_int(x, "tables", (int64_t)n);
	finding_fix(c->findings, x, STR_NONE,
		"look at the estimates of its plan; raise join_collapse_limit for it, or join what "
		"belongs together in a MATERIALIZED CTE");
}

/* --- JN008: JOIN binds tighter than the comma
 * ----------------------------------------------------------- */

struct scope {
	const struct sql_outline *o;
	struct str inside[64];
	size_t n;
	struct str stranger;
};

static enum walk note_alias(void *ctx, const struct sql_path *at)
{
	struct scope *s = ctx;
	const char *alias = node_str(node_get(at->node, "alias"), "aliasname");

	if (node_is(at->node, "SubLink") || node_is(at->node, "SelectStmt"))
		return WALK_PRUNE;
	if (node_is(at->node, "RangeVar") && s->n < 64)
		s->inside[s->n++] = str_of(*alias ? alias : node_str(at->node, "relname"));
	else if (strncmp(node_kind(at->node), "Range", 5) == 0 && *alias && s->n < 64)
		s->inside[s->n++] = str_of(alias);
	return WALK_ON;
}

static enum walk find_stranger(void *ctx, const struct sql_path *at)
{
	struct scope *s = ctx;
	bool known = false;

	if (node_is(at->node, "SubLink") || node_is(at->node, "SelectStmt") ||
		node_is(at->node, "RangeFunction"))
		return WALK_PRUNE;
	struct str alias = node_is(at->node, "ColumnRef") ? alias_of(at->node) : STR("");
	for (size_t i = 0; i < s->n; i++)
		known |= str_eq(s->inside[i], alias);
	if (alias.n && !known && rel_of(s->o, alias) >= 0)
		s->stranger = alias;
	return s->stranger.n ? WALK_STOP : WALK_ON;
}

void check_jn008(struct rule_check *c)
{
	const char *from = c->o->verb == SQL_UPDATE   ? "from_clause"
			   : c->o->verb == SQL_DELETE ? "using_clause"
						      : "from_clause";

	if (c->o->is_setop ||
		(c->o->verb != SQL_SELECT && c->o->verb != SQL_UPDATE && c->o->verb != SQL_DELETE))
		return;
	for (size_t i = 0; i < node_len(c->o->node, from); i++) {
		const struct sql_node *n = node_item(c->o->node, from, i);
		struct scope s = {.o = c->o, .stranger = STR("")};
		if (!node_is(n, "JoinExpr"))
			continue;
		sql_walk(n, note_alias, &s);
		sql_walk(n, find_stranger, &s);
		if (!s.stranger.n)
			continue;
		struct finding *x = rule_find(c, CONF_CERTAIN,
			"ON cannot see %.*s: JOIN binds tighter than the comma",
			STR_ARGS(s.stranger));
		x->key = arena_str(&c->findings->arena, s.stranger);
		finding_fix(c->findings, x, STR_NONE, "write every join with JOIN … ON");
		return;
	}
}

/* --- JN009, JN010, ST002: opinions
 * ------------------------------------------------------------------------- */

void check_jn009(struct rule_check *c)
{
	const struct sql_outline *o = c->o;

	for (size_t i = 1; i < o->rels; i++) {
		const struct sql_rel *r = &o->rel[i];
		int twin = -1;
		bool equal = false, order = false, key = false;
		for (size_t k = 0; k < i && r->kind == REL_TABLE; k++)
			if (o->rel[k].kind == REL_TABLE && str_eq(o->rel[k].name, r->name))
				twin = (int)k;
		for (size_t k = 0; twin >= 0 && k < o->conds; k++) {
			const struct sql_cond *q = &o->cond[k];
			if (q->left.kind != SIDE_COLUMN || q->right.kind != SIDE_COLUMN ||
				!str_eq(q->left.col.name, q->right.col.name) ||
				q->left.col.rel + q->right.col.rel != twin + (int)i)
				continue;
			equal |= q->pred == PRED_EQ;
			key |= q->pred == PRED_EQ && str_is(q->left.col.name, "id");
			order |= q->pred >= PRED_LT && q->pred <= PRED_GE;
		}
		if (!equal || !order || key)
			continue;
		struct finding *x = rule_find(c, CONF_POSSIBLE,
			"%.*s is joined with its own earlier or later rows", STR_ARGS(r->name));
		x->key = arena_str(&c->findings->arena, r->name);
		finding_fix(c->findings, x, STR_NONE,
			"lag(), lead() or another window function reads the table once");
		return;
	}
}

static enum walk find_join(void *ctx, const struct sql_path *at)
{
	const char **what = ctx;

	if (node_is(at->node, "SelectStmt") || node_is(at->node, "SubLink"))
		return WALK_PRUNE;
	if (!node_is(at->node, "JoinExpr"))
		return WALK_ON;
	if (strcmp(*what, "natural") == 0 ? node_int(at->node, "is_natural") != 0
					  : strcmp(node_enum(at->node, "jointype"), *what) == 0) {
		*what = NULL;
		return WALK_STOP;
	}
	return WALK_ON;
}

/* Is there a join of that kind at this query level? */
static bool joins_by(const struct sql_outline *o, const char *what)
{
	for (size_t i = 0; i < node_len(o->node, "from_clause") && what; i++)
		sql_walk(node_item(o->node, "from_clause", i), find_join, &what);
	return !what;
}

void check_jn010(struct rule_check *c)
{
	if (joins_by(c->o, "natural"))
		rule_find(c, CONF_CERTAIN,
			"NATURAL JOIN joins by whatever columns have the same name, now and later");
}

void check_st002(struct rule_check *c)
{
	if (joins_by(c->o, "JOIN_RIGHT"))
		rule_find(c, CONF_CERTAIN, "RIGHT JOIN: the same as a LEFT JOIN read backwards");
}
