/* SPDX-License-Identifier: ISC
 *
 * rule_sequence_pair: one statement right behind another, with the same values.
 *
 * That two statements follow each other says nothing by itself: sessions of a pooler's server
 * interleave.  So the values of the pairs that were kept must agree (the key looked up is the key
 * inserted), each time, and the pair must be the rule: PAIR_MIN times, or half of its calls.
 */
#include "rule_sequence.h"

#define PAIR_MIN 3

struct two {
	const struct pair *p;
	const struct sql_tree *tree[2];
	const struct sql_outline *a, *b; /* a behind it b */
};

static bool open_pair(struct rule_check *c, const struct pair *p, struct two *t)
{
	t->p = p;
	t->a = rule_outline(c, p->first, &t->tree[0]);
	t->b = rule_outline(c, p->second, &t->tree[1]);
	return t->a && t->b && t->tree[0]->statements == 1 && t->tree[1]->statements == 1 &&
	       !t->a->is_setop && !t->b->is_setop && t->a->rels && t->b->rels &&
	       !only_system(t->a) && !only_system(t->b);
}

/* Does this level keep the two statements of a pair apart from others, as `from` does? */
static bool is_level(struct str level, enum isolation from)
{
	return str_is_nocase(level, "serializable") ||
	       (from == ISOLATION_REPEATABLE && str_is_nocase(level, "repeatable read"));
}

/* Do transactions of the pair's role begin at such a level: as the schema knows, or the log saw it
 * set? */
static bool begins_guarded(struct rule_check *c, const struct pair *p, enum isolation from)
{
	const struct facts *f = c->facts;
	struct str user = facts_name(f, p->user), db = facts_name(f, p->db);
	bool is = is_level(schema_level_of(c->schema, user, db), from);

	for (size_t i = 0; i < f->shape.n && !is; i++) {
		const struct shape *s = f->shape.at[i];
		if (s->verb != SQL_DDL ||
			str_find(s->norm, "default_transaction_isolation") == s->norm.n)
			continue;
		struct schema *set = schema_new();
		schema_read_ddl(set, s->example);
		is = is_level(schema_level_of(set, user, db), from);
		schema_free(&set);
	}
	return is;
}

/* How many of the pairs another client can come in between of: not at a level where one of the
 * two fails and tries again. */
static uint64_t unguarded(const struct pair *p, enum isolation from)
{
	uint64_t n = p->count;

	for (int i = (int)from; i < ISOLATIONS; i++)
		n -= p->at[i];
	return n;
}

static struct finding *pair_find(struct rule_check *c, const struct two *t, enum confidence conf,
	const char *what)
{
	about_shape(c, t->p->second);
	struct finding *x = rule_find(c, conf, "%s: %.*s, %llu times", what,
		STR_ARGS(t->b->rel[0].name), (unsigned long long)t->p->count);
	x->count = t->p->count;
	x->weight = (double)t->p->usec;
	set_places(x, t->p->place, t->p->places);
	finding_str(x, "first", str_of(c->facts->shape.at[t->p->first]->id));
	finding_str(x, "first_sql", c->facts->shape.at[t->p->first]->norm);
	finding_int(x, "pairs", (int64_t)t->p->count);
	finding_int(x, "pairs_compared", t->p->samples);
	if (unguarded(t->p, ISOLATION_REPEATABLE) < t->p->count)
		finding_int(x, "pairs_at_read_committed",
			(int64_t)unguarded(t->p, ISOLATION_REPEATABLE));
	finding_int(x, "saved_round_trips", (int64_t)t->p->count);
	return x;
}

/* The value that the INSERT gives to a column, in one of its calls. */
static struct str inserted(struct rule_check *c, const struct two *t, bool second, size_t column,
	struct str call)
{
	const struct sql_tree *tree = t->tree[second];
	struct err why;

	if (call.n && !str_starts(call, "$")) {
		tree = sql_parse(c->arena, call, &why);
		if (!tree || tree->statements == 0)
			return STR_NONE;
	}
	const struct sql_node *select = node_get(sql_statement(tree, 0), "select_stmt");
	struct sql_side v = sql_side(c->arena,
		node_item(node_item(select, "values_lists", 0), "items", column));
	if (v.kind == SIDE_PARAM)
		return params_value(call, (uint32_t)v.param);
	return v.kind == SIDE_CONST ? v.value : STR_NONE;
}

static size_t columns_of(const struct two *t, bool second)
{
	return node_len(sql_statement(t->tree[second], 0), "cols");
}

/* The equality of a SELECT or UPDATE on this column; NULL. */
static const struct sql_cond *equality(const struct sql_outline *o, struct str column)
{
	for (size_t i = 0; i < o->conds; i++) {
		const struct sql_cond *k = &o->cond[i];
		if (k->clause == CLAUSE_WHERE && k->pred == PRED_EQ &&
			k->left.kind == SIDE_COLUMN && str_eq(k->left.col.name, column) &&
			(k->right.kind == SIDE_PARAM || k->right.kind == SIDE_CONST))
			return k;
	}
	return NULL;
}

static struct str sample(const struct two *t, uint32_t i, bool second)
{
	return str_of(second ? t->p->sample[i].second : t->p->sample[i].first);
}

/* Do all pairs kept agree in what the SELECT looked up and the INSERT wrote in a column? */
static bool select_meets_insert(struct rule_check *c, const struct two *t, bool insert_second)
{
	const struct sql_outline *select = insert_second ? t->a : t->b;
	const struct sql_outline *insert = insert_second ? t->b : t->a;

	for (size_t i = 0; i < columns_of(t, insert_second) && i < insert->sets; i++) {
		const struct sql_cond *k = equality(select, insert->set[i].name);
		uint32_t same = 0;
		if (!k)
			continue;
		for (uint32_t s = 0; s < t->p->samples; s++) {
			struct str v =
				call_value(c, select, &k->right, sample(t, s, !insert_second));
			struct str w =
				inserted(c, t, insert_second, i, sample(t, s, insert_second));
			same += v.p && w.p && str_eq(v, w);
		}
		if (same == t->p->samples && same > 0)
			return true;
	}
	return false;
}

/* --- NP008 ------------------------------------------------------------------------------- */

static bool is_probe(const struct sql_outline *o)
{
	return o->targets == 1 && o->target[0].kind == TARGET_CONST;
}

void check_np008(struct rule_check *c)
{
	struct two t;

	for (size_t i = 0; i < c->facts->pair.n; i++) {
		const struct pair *p = &c->facts->pair.at[i];
		if (c->facts->shape.at[p->first]->verb != SQL_SELECT ||
			c->facts->shape.at[p->second]->verb != SQL_INSERT ||
			unguarded(p, ISOLATION_SERIALIZABLE) < PAIR_MIN ||
			p->rolled_back == p->count || (p->rows_known && !p->empty))
			continue;
		/* a question before a write is a validation: its answer is for people */
		if (!open_pair(c, p, &t) || t.a->is_locking || is_probe(t.a) || t.b->has_conflict ||
			!str_eq(t.a->rel[0].name, t.b->rel[0].name) || t.b->value_rows != 1 ||
			!select_meets_insert(c, &t, true) ||
			begins_guarded(c, p, ISOLATION_SERIALIZABLE))
			continue;
		struct finding *x = pair_find(c, &t, p->rows_known ? CONF_LIKELY : CONF_POSSIBLE,
			"looked up by its key and inserted where it was missing");
		if (p->rows_known)
			finding_int(x, "lookups_without_row", (int64_t)p->empty);
		struct str sql = numbered_text(c, c->facts->shape.at[p->second]);
		if (sql.n && !t.b->targets)
			sql = arena_printf(c->arena, "%.*s ON CONFLICT DO NOTHING", STR_ARGS(sql));
		finding_fix(c->findings, x, t.b->targets ? STR_NONE : sql,
			"INSERT … ON CONFLICT does both in one statement, and two clients at once "
			"do not insert it twice");
	}
}

/* --- NP009 ---------------------------------------------------------------------------------- */

static bool selects_column(const struct sql_outline *o, struct str column)
{
	for (size_t i = 0; i < o->targets; i++)
		if (o->target[i].kind == TARGET_STAR ||
			(o->target[i].kind == TARGET_COLUMN &&
				str_eq(o->target[i].val.col.name, column)))
			return true;
	return false;
}

static bool is_number(struct str v)
{
	bool digit = false;

	for (size_t i = 0; i < v.n; i++) {
		bool d = v.p[i] >= '0' && v.p[i] <= '9';
		if (!d && v.p[i] != '.' && !(v.p[i] == '-' && i == 0))
			return false;
		digit |= d;
	}
	return digit;
}

/* A number that was read, and is written as a constant: which column; STR_NONE. */
static struct str written_number(struct rule_check *c, const struct two *t)
{
	for (size_t i = 0; i < t->b->sets; i++) {
		const struct sql_target *s = &t->b->set[i];
		bool numbers = t->p->samples > 0;
		if ((s->val.kind != SIDE_PARAM && s->val.kind != SIDE_CONST) ||
			str_ends(s->name, "_id") || !selects_column(t->a, s->name))
			continue;
		for (uint32_t k = 0; k < t->p->samples; k++)
			numbers &= is_number(call_value(c, t->b, &s->val, sample(t, k, true)));
		if (numbers)
			return s->name;
	}
	return STR_NONE;
}

/* Is the row that was read the row that is written, by one key and nothing else? */
static bool same_row(struct rule_check *c, const struct two *t)
{
	if (t->b->conds != 1 || t->b->cond[0].left.kind != SIDE_COLUMN)
		return false; /* a second condition may be the version */
	const struct sql_cond *w = equality(t->b, t->b->cond[0].left.col.name);
	const struct sql_cond *k = w ? equality(t->a, w->left.col.name) : NULL;
	if (!k)
		return false;
	for (uint32_t i = 0; i < t->p->samples; i++) {
		struct str v = call_value(c, t->a, &k->right, sample(t, i, false));
		struct str x = call_value(c, t->b, &w->right, sample(t, i, true));
		if (!v.p || !x.p || !str_eq(v, x))
			return false;
	}
	return t->p->samples > 0;
}

void check_np009(struct rule_check *c)
{
	struct two t;

	for (size_t i = 0; i < c->facts->pair.n; i++) {
		const struct pair *p = &c->facts->pair.at[i];
		if (c->facts->shape.at[p->first]->verb != SQL_SELECT ||
			c->facts->shape.at[p->second]->verb != SQL_UPDATE ||
			unguarded(p, ISOLATION_REPEATABLE) == 0 || p->rolled_back == p->count)
			continue;
		if (!open_pair(c, p, &t) || t.a->is_locking || t.a->rels != 1 || t.b->rels != 1 ||
			!str_eq(t.a->rel[0].name, t.b->rel[0].name) || !same_row(c, &t))
			continue;
		struct str column = written_number(c, &t);
		if (!column.n || begins_guarded(c, p, ISOLATION_REPEATABLE))
			continue;
		struct finding *x = pair_find(c, &t, CONF_POSSIBLE,
			"a number is read, changed by the application and written back");
		finding_str(x, "column", column);
		finding_fix(c->findings, x, STR_NONE,
			"another client's change in between is lost: SET %.*s = %.*s + $1, or read "
			"it FOR UPDATE, or compare a version",
			STR_ARGS(column), STR_ARGS(column));
	}
}

/* --- NP011 ------------------------------------------------------------------------------------ */

void check_np011(struct rule_check *c)
{
	struct two t;

	for (size_t i = 0; i < c->facts->pair.n; i++) {
		const struct pair *p = &c->facts->pair.at[i];
		if (p->both_slow < PAIR_MIN || p->both_slow * 2 < p->count ||
			c->facts->shape.at[p->second]->verb != SQL_SELECT)
			continue;
		if (!open_pair(c, p, &t) || t.b->has_params || t.b->conds ||
			c->facts->shape.at[p->second]->lex.literals)
			continue; /* it may need what the first returned */
		struct finding *x = pair_find(c, &t, CONF_POSSIBLE,
			"a slow query that needs nothing of the slow one before it waits for it");
		finding_int(x, "both_slow", (int64_t)p->both_slow);
		finding_fix(c->findings, x, STR_NONE,
			"send them at once, over two connections or in a pipeline");
	}
}

/* --- NP012 --------------------------------------------------------------------------------------
 */

static const struct sql_outline *counting(const struct sql_outline *o)
{
	bool sub = o->rels == 1 && o->rel[0].kind == REL_SUBQUERY && o->conds == 0;

	if (!o->has_aggregate || o->has_group || o->targets != 1)
		return NULL;
	return sub ? o->rel[0].sub : o;
}

/* The same tables, and the same conditions with values at the same places. */
static bool same_question(struct rule_check *c, const struct sql_outline *a,
	const struct sql_outline *b)
{
	if (a->rels != b->rels || a->conds != b->conds)
		return false;
	for (size_t i = 0; i < a->rels; i++)
		if (!str_eq(a->rel[i].name, b->rel[i].name))
			return false;
	for (size_t i = 0; i < a->conds; i++)
		if (!str_eq(rule_text(c, a->cond[i].node), rule_text(c, b->cond[i].node)))
			return false;
	return true;
}

/* Did they ask for other values than each other? */
static bool other_values(struct rule_check *c, const struct two *t, const struct sql_outline *count)
{
	for (uint32_t i = 0; i < t->p->samples; i++)
		for (size_t k = 0; k < count->conds; k++) {
			struct str v =
				call_value(c, count, &count->cond[k].right, sample(t, i, false));
			struct str w =
				call_value(c, t->b, &t->b->cond[k].right, sample(t, i, true));
			if (v.p && w.p && !str_eq(v, w))
				return true;
		}
	return false;
}

void check_np012(struct rule_check *c)
{
	struct two t;

	for (size_t i = 0; i < c->facts->pair.n; i++) {
		const struct pair *p = &c->facts->pair.at[i];
		const struct shape *a = c->facts->shape.at[p->first];
		if (a->verb != SQL_SELECT || !a->counts || c->facts->shape.at[p->second]->counts ||
			!open_pair(c, p, &t) || t.b->limit == BOUND_NONE || t.b->has_aggregate)
			continue;
		const struct sql_outline *o = counting(t.a);
		if (!o || !same_question(c, o, t.b) || other_values(c, &t, o) ||
			p->count * 2 < c->facts->shape.at[p->second]->calls)
			continue; /* another question, or one whose answer is kept */
		struct finding *x = pair_find(c, &t, CONF_POSSIBLE,
			"all rows are counted for each page that is shown");
		finding_fix(c->findings, x, STR_NONE,
			"fetch one row more than is shown and offer \"next\", keep the count for a "
			"while, or estimate it (pg_class.reltuples, EXPLAIN)");
	}
}

/* --- NP013
 * ------------------------------------------------------------------------------------------ */

void check_np013(struct rule_check *c)
{
	struct two t;

	for (size_t i = 0; i < c->facts->pair.n; i++) {
		const struct pair *p = &c->facts->pair.at[i];
		bool habit, meets;
		if (c->facts->shape.at[p->first]->verb != SQL_INSERT ||
			c->facts->shape.at[p->second]->verb != SQL_SELECT || p->count < PAIR_MIN)
			continue;
		if (!open_pair(c, p, &t) || t.a->value_rows != 1 || t.b->rels != 1 ||
			t.b->is_locking || !str_eq(t.a->rel[0].name, t.b->rel[0].name) ||
			t.b->conds != 1 || t.b->has_aggregate || is_probe(t.b))
			continue;
		meets = select_meets_insert(c, &t, false);
		/* the key came back by RETURNING, or from a sequence: its value is not to be seen
		 */
		if (!meets && !(t.a->targets && rule_one_row(c, t.b, &habit)))
			continue;
		struct finding *x = pair_find(c, &t, meets ? CONF_LIKELY : CONF_POSSIBLE,
			"read back right after it was inserted");
		finding_fix(c->findings, x, STR_NONE,
			"INSERT … RETURNING gives the row as it is stored, defaults and all");
	}
}
