/* SPDX-License-Identifier: ISC
 *
 * The engine of the plan rules: every rule over every node, gates, and what checks share.
 */
#include "plan_rule.h"

#include <math.h>

#include "plan_example.h"
#include "sql.h"

#define MIN_SHARE      0.05
#define MIN_MS	       5.0
#define MIN_COST_SHARE 0.10

const struct plan_rule plan_rules[] = {
#define PLAN_RULE(id_, name_, grade_, check_, title_, why_, fix_)                                  \
	{#id_, name_, GRADE_##grade_, check_, title_, why_, fix_, plan_bad_##id_, plan_good_##id_},
#include "plan_rule_table.h"
#undef PLAN_RULE
	{.id = NULL},
};

const char *plan_grade_name(enum plan_grade g)
{
	static const char *const names[] = {"info", "warning", "error"};

	return names[g];
}

static bool passes(const struct plan_check *c, double ms, double share)
{
	if (c->p->is_timed)
		return ms >= MIN_MS && share >= MIN_SHARE;
	return !c->p->has_cost || share >= MIN_COST_SHARE;
}

bool gate_of(const struct plan_check *c, double ms, double share)
{
	return passes(c, ms, share);
}

bool gate_self(const struct plan_check *c, const struct plan_node *n)
{
	return passes(c, plan_num(n->self_ms), n->share);
}

double whole_share(const struct plan_check *c, const struct plan_node *n)
{
	const struct plan *p = c->p;

	if (p->is_timed)
		return p->elapsed_ms > 0 ? plan_num(n->wall_ms) / p->elapsed_ms : 1;
	if (!p->has_cost || plan_num(p->root->total_cost) <= 0)
		return 1;
	return fmin(1, plan_num(n->total_cost) / p->root->total_cost);
}

bool gate_whole(const struct plan_check *c, const struct plan_node *n)
{
	return passes(c, plan_num(n->wall_ms), whole_share(c, n));
}

struct plan_finding *plan_report(struct plan_check *c, const struct plan_node *n, const char *fmt,
	...)
{
	struct plan_finding *f = VEC_PUSH(&c->out->at);
	struct text t = {0};
	va_list ap;

	va_start(ap, fmt);
	text_vprintf(&t, fmt, ap);
	va_end(ap);
	*f = (struct plan_finding){
		.rule = c->rule,
		.grade = c->rule->grade,
		.node = n,
		.is_possible = !c->p->is_analyzed,
		.share = n && (c->p->is_timed || c->p->has_cost) ? n->share : NAN,
		.ms = n ? n->self_ms : NAN,
		.message = arena_str(c->a, text_slice(&t)),
	};
	text_release(&t);
	return f;
}

void about_whole(struct plan_check *c, struct plan_finding *f)
{
	f->share = whole_share(c, f->node);
	f->ms = f->node->wall_ms;
}

struct str plan_say(struct plan_check *c, const char *fmt, ...)
{
	struct text t = {0};
	struct str s;
	va_list ap;

	va_start(ap, fmt);
	text_vprintf(&t, fmt, ap);
	va_end(ap);
	s = arena_str(c->a, text_slice(&t));
	text_release(&t);
	return s;
}

const char *say_count(const struct plan_check *c, double x)
{
	char digits[40];
	int n = snprintf(digits, sizeof(digits), "%.0f", fmin(fmax(x, 0), 1e15));
	char *out = arena_alloc(c->a, (size_t)n * 2 + 1), *to = out;

	for (int i = 0; i < n; i++) {
		if (i && (n - i) % 3 == 0)
			*to++ = ',';
		*to++ = digits[i];
	}
	*to = 0;
	return out;
}

const char *say_kb(const struct plan_check *c, double kb)
{
	if (kb >= 1024 * 1024)
		return arena_printf(c->a, "%.1f GB", kb / 1024 / 1024).p;
	if (kb >= 1024)
		return arena_printf(c->a, "%.1f MB", kb / 1024).p;
	return arena_printf(c->a, "%.0f kB", kb).p;
}

const char *say_table(const struct plan_check *c, const struct plan_node *n)
{
	struct str name = sql_quote_ident(c->a, n->relation);

	if (n->schema.n == 0)
		return arena_cstr(c->a, name);
	return arena_printf(c->a, "%.*s.%.*s", STR_ARGS(sql_quote_ident(c->a, n->schema)),
		STR_ARGS(name))
		.p;
}

double node_loops(const struct plan_node *n)
{
	return isnan(n->loops) ? 1 : n->loops;
}

double node_removed(const struct plan_node *n)
{
	return plan_num(n->removed_filter) * node_loops(n);
}

double node_removed_join(const struct plan_node *n)
{
	return plan_num(n->removed_join) * node_loops(n);
}

/* Did the LIMIT get fewer rows than it was planned for?  Then its input was read to the end: what
 * it asks for is no less than planned, but where it is a parameter and a tenth is planned. */
static bool is_limit_unmet(const struct plan_node *limit)
{
	const struct plan_node *input = plan_outer(limit);

	return input && limit->loops == 1 && limit->rows < limit->plan_rows &&
	       fabs(limit->plan_rows - 0.1 * plan_num(input->plan_rows)) > 1;
}

bool is_cut_short(const struct plan_node *n)
{
	for (const struct plan_node *up = n->up, *from = n; up; from = up, up = up->up) {
		switch (up->kind) {
		case PLAN_LIMIT:
			if (!is_limit_unmet(up))
				return true;
			break;
		case PLAN_MERGE_JOIN:
			return true;
		case PLAN_NESTED_LOOP:
		case PLAN_HASH_JOIN:
			if (from != plan_outer(up) &&
				(str_is(up->join, "Semi") || str_is(up->join, "Anti")))
				return true;
			if (up->kind == PLAN_HASH_JOIN && from != plan_outer(up))
				return false;
			break;
		case PLAN_SORT:
		case PLAN_AGGREGATE:
		case PLAN_HASH:
		case PLAN_SET_OP:
			if (up->kind != PLAN_AGGREGATE || !str_is(up->strategy, "Sorted"))
				return false; /* reads all of its input first */
			break;
		default: /* passes rows on as they come */
			break;
		}
		if (str_is(from->relationship, "SubPlan"))
			return true; /* EXISTS, or a scalar that needs one row */
	}
	return false;
}

const struct plan_node *above(const struct plan_node *n, enum plan_kind kind)
{
	for (n = n->up; n; n = n->up)
		if (n->kind == kind)
			return n;
	return NULL;
}

struct str node_text(const struct plan_check *c, const struct plan_node *n, const char *key)
{
	return plan_get(c->a, n, key);
}

static int by_weight(const void *a, const void *b)
{
	const struct plan_finding *x = a, *y = b;

	if (x->is_possible != y->is_possible)
		return x->is_possible - y->is_possible;
	if (x->grade != y->grade)
		return x->grade > y->grade ? -1 : 1;
	if (fabs(plan_num(x->share) - plan_num(y->share)) > 1e-9)
		return plan_num(x->share) > plan_num(y->share) ? -1 : 1;
	if (x->rule != y->rule)
		return x->rule < y->rule ? -1 : 1;
	return (x->node ? x->node->number : 0) < (y->node ? y->node->number : 0) ? -1 : 1;
}

void plan_check(struct arena *a, const struct plan *p, struct plan_findings *out)
{
	struct plan_check c = {.p = p, .a = a, .out = out};
	size_t first = out->at.n;

	for (c.rule = plan_rules; c.rule->id; c.rule++)
		for (size_t i = 0; c.rule->check && i < p->nodes; i++)
			if (!p->node[i]->is_never)
				c.rule->check(&c, p->node[i]);
	if (out->at.n > first)
		qsort(out->at.at + first, out->at.n - first, sizeof(*out->at.at), by_weight);
}

void plan_findings_release(struct plan_findings *f)
{
	VEC_RELEASE(&f->at);
}
