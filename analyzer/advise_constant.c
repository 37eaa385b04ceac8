/* SPDX-License-Identifier: ISC
 *
 * Constants that every call of a shape asks for: status = 'open'.
 *
 * A partial index may hold only their rows.  That is worth something where the value is rare, and
 * safe where it is stable: written in the statement (a parameter may have another value the next
 * time, and a generic plan knows none), and the same in next to all calls that were drawn.  A
 * column with many values is looked up by another one the next time: it never qualifies.
 */
#include "advise_workload.h"

#include <ctype.h>

#define VALUES_MAX  100 /* distinct ones of a column that says what kind a row is */
#define STABLE_PART 0.9 /* of the calls */

static bool tells_a_kind(const struct workload *w, const struct plan_node *n, const struct want *x)
{
	const struct schema_table *t = schema_find(w->schema, n->schema, n->relation);
	int at = t ? candidate_column(t, x->expr) : -1;

	return at >= 0 && t->column.at[at].n_distinct > 0 &&
	       t->column.at[at].n_distinct <= VALUES_MAX;
}

/* The equalities of a scan with constants, on columns that qualify. */
static size_t find(struct workload *w, struct arena *a, const struct plan_node *n,
	struct wants *out)
{
	static const char *const own[] = {"Filter", "Index Cond", "Recheck Cond"};
	size_t kept = 0;

	*out = (struct wants){.table = schema_find(w->schema, n->schema, n->relation)};
	if (n->relation.n == 0)
		return 0;
	for (size_t i = 0; i < ARRAY_LEN(own); i++)
		wants_add(a, out, plan_get(a, n, own[i]), n->alias, n->relation);
	for (size_t i = 0; i < out->n; i++)
		if (out->at[i].kind == WANT_EQ && out->at[i].arm == 0 && out->at[i].predicate.n &&
			tells_a_kind(w, n, &out->at[i]))
			out->at[kept++] = out->at[i];
	return out->n = kept;
}

/* Does the value stand in the text as it is? */
static bool is_written(struct str sql, struct str value)
{
	for (size_t i = 0; value.n && i + value.n <= sql.n; i++)
		if (memcmp(sql.p + i, value.p, value.n) == 0 &&
			(i == 0 || !(isalnum((unsigned char)sql.p[i - 1]) ||
					   strchr("$_.", sql.p[i - 1]))) &&
			(i + value.n == sql.n || !isalnum((unsigned char)sql.p[i + value.n])))
			return true;
	return false;
}

static struct constant *find_constant(struct constants *k, const struct plan_node *n,
	const struct want *x)
{
	for (size_t i = 0; i < k->at.n; i++)
		if (str_eq(k->at.at[i].table, n->relation) &&
			str_eq(k->at.at[i].schema, n->schema) &&
			str_eq(k->at.at[i].predicate, x->predicate))
			return &k->at.at[i];
	return NULL;
}

void constants_note(struct workload *w, struct constants *k, const struct shape *s,
	const struct call *c, const struct plan *p)
{
	struct wants wants;

	k->weight += c->calls;
	for (size_t i = 0; i < p->nodes && !w->mask; i++) {
		const struct plan_node *n = p->node[i];

		find(w, &w->arena, n, &wants);
		for (size_t j = 0; j < wants.n; j++) {
			const struct want *x = &wants.at[j];
			struct constant *one = find_constant(k, n, x);

			if (one == NULL) {
				one = VEC_PUSH(&k->at);
				*one = (struct constant){.schema = n->schema,
					.table = n->relation,
					.column = x->expr,
					.predicate = x->predicate};
			}
			/* A table that is read twice must not count twice. */
			one->part = one->last == p ? one->part : one->part + c->calls;
			one->last = p;
			one->is_written = s->lex.params == 0 || is_written(c->sql, x->value);
		}
	}
}

void constants_settle(struct constants *k)
{
	size_t kept = 0;

	for (size_t i = 0; i < k->at.n; i++) {
		struct constant *one = &k->at.at[i];

		one->part /= k->weight;
		if (one->part >= STABLE_PART && one->is_written)
			k->at.at[kept++] = *one;
	}
	k->at.n = kept;
}

bool constants_has(struct workload *w, const struct plan *p, const struct candidate *c)
{
	struct wants x;

	for (size_t i = 0; i < p->nodes; i++) {
		if (!str_eq(p->node[i]->relation, c->table) ||
			!str_eq(p->node[i]->schema, c->schema))
			continue;
		find(w, &w->plans, p->node[i], &x);
		for (size_t j = 0; j < x.n; j++)
			if (str_eq(x.at[j].predicate, c->where))
				return true;
	}
	return false;
}

bool constants_are_equal(struct workload *w, const struct plan *a, const struct plan *b)
{
	struct wants x, y;

	for (size_t i = 0; i < a->nodes; i++) {
		if (find(w, &w->plans, a->node[i], &x) != find(w, &w->plans, b->node[i], &y))
			return false;
		for (size_t j = 0; j < x.n; j++)
			if (!str_eq(x.at[j].predicate, y.at[j].predicate))
				return false;
	}
	return true;
}

void constants_release(struct constants *k)
{
	VEC_RELEASE(&k->at);
}
