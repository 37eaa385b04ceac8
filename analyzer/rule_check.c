/* SPDX-License-Identifier: ISC
 *
 * rule_check: the engine.  Every shape is parsed once; all rules see it; then the runs, the log
 * as a whole, the schema.
 */
#include "rule.h"

const struct rule *rule_by_id(const char *id)
{
	for (const struct rule *r = rules; r->id; r++)
		if (strcasecmp(r->id, id) == 0 || strcmp(r->name, id) == 0)
			return r;
	return NULL;
}

#define OUTLINES_MAX 4000 /* kept; what is more is parsed each time it is asked for */
#define TREES_MAX    1000 /* of the first shapes: kept from the start, as sequences ask again */

struct outlines {
	struct arena arena;
	struct map at; /* shape -> entry */
	VEC(struct {
		const struct sql_tree *tree;
		struct sql_outline *top;
	})
	entry;
};

struct engine {
	struct outlines outlines;
	struct made_tables made;
	struct facts *facts;
	const struct schema *schema;
	const struct rule_options *opt;
	struct findings *out;
	struct arena arena;
	struct map seen; /* findings by what they say */
};

static enum severity severity_of_rule(const struct engine *e, const struct rule *r)
{
	return e->opt && e->opt->severity ? e->opt->severity[r - rules] : r->severity;
}

static bool may_run(const struct engine *e, const struct rule *r, enum rule_scope scope)
{
	if (r->scope != scope || !r->check || severity_of_rule(e, r) == SEVERITY_OFF)
		return false;
	return !(r->needs & (NEED_SCHEMA | NEED_STATS)) || e->schema;
}

static struct rule_check check_of(struct engine *e, const struct rule *r)
{
	return (struct rule_check){.rule = r,
		.severity = severity_of_rule(e, r),
		.arena = &e->arena,
		.facts = e->facts,
		.schema = e->schema,
		.outlines = &e->outlines,
		.made = &e->made,
		.findings = e->out};
}

static void each_query(struct rule_check *c, struct sql_outline *o)
{
	c->o = o;
	c->rule->check(c);
	for (size_t i = 0; i < o->subs; i++)
		each_query(c, o->sub[i]);
}

static const struct sql_tree *parse_shape(struct facts *f, struct arena *a, struct shape *s,
	struct str text)
{
	struct err why = {""};
	struct sql_tree *t;

	if (s->unparsed.p)
		return NULL;
	t = sql_parse(a, text, &why);
	if (t && t->statements == 0)
		t = NULL;
	if (!t)
		s->unparsed = arena_str(&f->arena, str_of(*why.text ? why.text : "empty"));
	return t;
}

static struct sql_outline *keep_outline(struct outlines *o, struct facts *f, uint32_t shape)
{
	struct shape *s = f->shape.at[shape];
	uint32_t *at = map_put(&o->at, shape);

	*at = (uint32_t)o->entry.n;
	(void)VEC_PUSH(&o->entry);
	const struct sql_tree *t = parse_shape(f, &o->arena, s, s->example);
	o->entry.at[*at].tree = t;
	return o->entry.at[*at].top = t ? sql_outline(&o->arena, sql_statement(t, 0)) : NULL;
}

/* One text: the shape's example, or a variant of it. */
static void check_shape(struct engine *e, uint32_t at, const struct variant *v)
{
	struct shape *s = e->facts->shape.at[at];
	bool keep = !v && at < TREES_MAX;
	struct sql_outline *first = keep ? keep_outline(&e->outlines, e->facts, at) : NULL;
	const struct sql_tree *tree =
		keep ? e->outlines.entry.at[e->outlines.entry.n - 1].tree
		     : parse_shape(e->facts, &e->arena, s, v ? v->text : s->example);
	size_t from = e->out->at.n;

	for (size_t k = 0; k < (tree ? tree->statements : 1); k++) {
		struct sql_outline *top = first;
		if (tree && (k > 0 || !keep))
			top = sql_outline(&e->arena, sql_statement(tree, k));
		for (const struct rule *r = rules; r->id; r++) {
			bool query = may_run(e, r, SCOPE_QUERY);
			if (!query && !may_run(e, r, SCOPE_STATEMENT))
				continue;
			if (!tree && r->needs & NEED_TREE)
				continue;
			struct rule_check c = check_of(e, r);
			c.shape = s;
			c.shape_at = at;
			c.tree = tree;
			c.top = c.o = top;
			c.variant = v;
			c.found_from = from;
			if (query && top)
				each_query(&c, top);
			else if (!query)
				r->check(&c);
		}
	}
	findings_join(e->out, &e->seen, from);
	arena_reset(&e->arena);
}

struct sql_outline *rule_outline(struct rule_check *c, uint32_t shape, const struct sql_tree **tree)
{
	struct outlines *o = c->outlines;
	uint32_t at = map_get(&o->at, shape);
	const struct sql_tree *t;

	if (at == MAP_NONE && o->entry.n >= OUTLINES_MAX) {
		struct shape *s = c->facts->shape.at[shape];
		t = parse_shape(c->facts, c->arena, s, s->example);
		if (tree)
			*tree = t;
		return t ? sql_outline(c->arena, sql_statement(t, 0)) : NULL;
	}
	if (at == MAP_NONE) {
		at = (uint32_t)o->entry.n;
		keep_outline(o, c->facts, shape);
	}
	if (tree)
		*tree = o->entry.at[at].tree;
	return o->entry.at[at].top;
}

static void check_run(struct engine *e, const struct run *run)
{
	struct facts *f = e->facts;
	struct rule_check c = check_of(e, rules);

	c.run = run;
	c.shape = f->shape.at[run->child];
	c.shape_at = run->child;
	c.top = c.o = rule_outline(&c, run->child, &c.tree);
	if (run->parent != NO_SHAPE) {
		c.parent = f->shape.at[run->parent];
		c.parent_top = rule_outline(&c, run->parent, &c.parent_tree);
	}
	for (const struct rule *r = rules; r->id; r++) {
		if (!may_run(e, r, SCOPE_RUN) || (!c.tree && r->needs & NEED_TREE))
			continue;
		struct rule_check with = c;
		with.rule = r;
		with.severity = severity_of_rule(e, r);
		r->check(&with);
	}
	arena_reset(&e->arena);
}

static void check_whole(struct engine *e, enum rule_scope scope)
{
	for (const struct rule *r = rules; r->id; r++) {
		if (!may_run(e, r, scope))
			continue;
		struct rule_check c = check_of(e, r);
		r->check(&c);
		arena_reset(&e->arena);
	}
}

void rules_run(struct facts *f, const struct schema *schema, const struct rule_options *opt,
	struct findings *out, size_t *unparsed)
{
	struct engine e = {.facts = f, .schema = schema, .opt = opt, .out = out};

	*unparsed = 0;
	for (uint32_t i = 0; i < f->shape.n && !f->variant.n; i++)
		check_shape(&e, i, NULL);
	for (size_t i = 0; i < f->variant.n; i++)
		check_shape(&e, f->variant.at[i].shape, &f->variant.at[i]);
	for (size_t i = 0; i < f->run.n; i++)
		check_run(&e, &f->run.at[i]);
	check_whole(&e, SCOPE_LOG);
	if (schema)
		check_whole(&e, SCOPE_SCHEMA);
	for (size_t i = 0; i < f->shape.n; i++)
		*unparsed += f->shape.at[i]->unparsed.p && f->shape.at[i]->verb != SQL_EMPTY;
	arena_release(&e.arena);
	arena_release(&e.outlines.arena);
	map_release(&e.outlines.at);
	VEC_RELEASE(&e.outlines.entry);
	map_release(&e.seen);
	made_release(&e.made);
}

/* --- help for checks --------------------------------------------------------------------- */

struct str rule_text(struct rule_check *c, const struct sql_node *n)
{
	struct str s = sql_deparse(c->arena, n);

	return s.n ? sql_mask(c->arena, s) : STR("");
}

bool rule_is_small(const struct rule_check *c, const struct sql_outline *o, int rel)
{
	const struct schema_table *t;

	if (!c->schema || rel < 0 || (size_t)rel >= o->rels)
		return false;
	t = schema_find(c->schema, o->rel[rel].schema, o->rel[rel].name);
	return t && t->rows >= 0 && t->rows < 1000;
}
