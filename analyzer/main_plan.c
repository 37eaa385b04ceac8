/* SPDX-License-Identifier: ISC
 *
 * pgassay plan: EXPLAIN's output, from files, logs or stdin -> trees, findings, index DDL.
 *
 * Plans of one structure for one statement are one plan seen many times: the slowest is shown,
 * its findings count how often.  One statement with two structures, one of them much slower, is
 * a finding of its own (PL042).
 */
#include "advise.h"
#include "input_source.h"
#include "main.h"
#include "plan.h"
#include "plan_rule.h"

#include <jansson.h>
#include <math.h>

#define PLANS_SHOWN 100
#define FLIP_RATIO  2.0
#define FLIP_MS	    5.0

struct seen { /* one structure of one statement */
	uint64_t hash;
	uint32_t shape; /* NO_SHAPE: the plan came without its statement */
	size_t times;
	double total_ms, worst_ms;
	struct place at; /* of the slowest */
	json_t *plan;	 /* owned; of the slowest */
	size_t first_finding, findings;
};

struct reader {
	struct options *o;
	struct facts *facts;
	struct findings *found;
	const struct schema *schema;
	uint32_t file;
	const struct shape *logged; /* the plan is auto_explain's, of this shape; NULL: a file's */
	uint32_t logged_at;	    /* index of that shape */
	VEC(struct seen) seen;
	struct map seen_of;	   /* hash and shape -> index in seen */
	size_t plans, passed_over; /* how many; with lines that say nothing we know */
	int line_before;	   /* of the file, before the text that the plan was found in */
};

/* --- a plan as JSON ------------------------------------------------------------------- */

static json_t *json_node(struct arena *a, const struct plan_node *n)
{
	json_t *o = json_object(), *conditions = json_object();

	js_set(o, "number", js_int((int64_t)n->number));
	js_set(o, "parent", n->up ? js_int((int64_t)n->up->number) : json_null());
	js_set(o, "type", js_str(n->type));
	js_set(o, "title", js_str(plan_title(a, n)));
	js_set(o, "relation", n->relation.n ? js_str(n->relation) : json_null());
	js_set(o, "index", n->index.n ? js_str(n->index) : json_null());
	js_set(o, "self_ms", js_real(n->self_ms));
	js_set(o, "wall_ms", js_real(n->wall_ms));
	js_set(o, "share", js_real(n->share));
	js_set(o, "cost", js_real(n->total_cost));
	js_set(o, "expected_rows", js_real(n->plan_rows));
	js_set(o, "rows", js_real(n->all_rows));
	js_set(o, "rows_error", js_real(n->all_rows_err));
	js_set(o, "removed", js_real(n->all_removed));
	js_set(o, "loops", js_real(n->loops));
	js_set(o, "self_cost", js_real(n->self_cost));
	js_set(o, "blocks", js_real(n->self_blocks));
	js_set(o, "read_blocks", js_real(n->self_read));
	js_set(o, "temp_blocks", js_real(n->self_temp));
	js_set(o, "subplan", n->subplan.n ? js_str(n->subplan) : json_null());
	js_set(o, "workers_planned", js_real(n->workers_planned));
	js_set(o, "workers_launched", js_real(n->workers_launched));
	js_set(o, "never_executed", json_boolean(n->is_never));
	js_set(o, "cut_short", json_boolean(is_cut_short(n)));
	for (size_t i = 0; i < n->prop.n; i++) {
		const char *key = arena_cstr(a, utf8_clean(a, n->prop.at[i].key));

		js_set(conditions, key, js_str(plan_get(a, n, key)));
	}
	js_set(o, "properties", conditions);
	return o;
}

static json_t *json_plan(const struct reader *r, struct arena *a, const struct plan *p)
{
	static const char *const formats[] = {"text", "json", "yaml", "xml"};
	bool mask = r->o->literals && strcmp(r->o->literals, "mask") == 0;
	json_t *o = json_object(), *nodes = json_array(), *triggers = json_array();
	struct text tree = {0};

	js_set(o, "file",
		js_str(str_of(r->file < r->facts->in->file.n ? r->facts->in->file.at[r->file]->name
							     : "-")));
	js_set(o, "line", js_int(p->line));
	js_set(o, "format", js_str(str_of(formats[p->format])));
	js_set(o, "analyzed", json_boolean(p->is_analyzed));
	js_set(o, "planning_ms", js_real(p->planning_ms));
	js_set(o, "execution_ms", js_real(p->elapsed_ms));
	js_set(o, "jit_ms", js_real(p->jit_ms));
	for (size_t i = 0; i < p->trigger.n; i++) {
		const struct plan_trigger *t = &p->trigger.at[i];
		json_t *x = json_object();

		js_set(x, "name", js_str(t->constraint.n ? t->constraint : t->name));
		js_set(x, "ms", js_real(t->ms));
		js_set(x, "calls", js_real(t->calls));
		js_add(triggers, x);
	}
	js_set(o, "triggers", triggers);
	plan_print(&tree, p, mask);
	js_set(o, "tree", js_str(text_slice(&tree)));
	text_release(&tree);
	for (size_t i = 0; i < p->nodes && !mask; i++)
		js_add(nodes, json_node(a, p->node[i]));
	js_set(o, "nodes", nodes);
	return o;
}

/* --- findings ---------------------------------------------------------------------------- */

static void add_finding(struct reader *r, const struct seen *s, const struct plan *p,
	const struct plan_finding *f)
{
	static const enum severity of_grade[] = {SEVERITY_INFO, SEVERITY_WARNING, SEVERITY_ERROR};
	const struct rule *rule = rule_by_id(f->rule->id);
	enum severity severity = r->o->severity ? r->o->severity[rule - rules] : rule->severity;
	struct rule_check c = {.rule = rule, .findings = r->found, .facts = r->facts};
	const char *part = "";
	struct finding *x;

	if (severity == SEVERITY_OFF)
		return;
	if (severity == rule->severity && of_grade[f->grade] > severity)
		severity = of_grade[f->grade];
	c.severity = severity;
	if (f->node && f->share >= 0.005)
		part = arena_printf(&r->found->arena, " (%.0f %% of the %s)",
			100 * fmin(f->share, 1), p->is_timed ? "time" : "cost")
			       .p;
	x = f->node ? rule_find(&c, f->is_possible ? CONF_POSSIBLE : CONF_LIKELY,
			      "node %zu, %.*s%s: %.*s", f->node->number,
			      STR_ARGS(plan_title(&r->found->arena, f->node)), part,
			      STR_ARGS(f->message))
		    : rule_find(&c, f->is_possible ? CONF_POSSIBLE : CONF_LIKELY, "%.*s",
			      STR_ARGS(f->message));
	x->shape = s->shape;
	x->count = s->times;
	x->weight = isnan(f->ms) ? plan_num(f->share) : f->ms * 1000;
	x->place[0] = s->at;
	x->places = 1;
	x->key = arena_printf(&r->found->arena, "%s:%zu", f->rule->id,
		f->node ? f->node->number : 0);
	if (f->node)
		finding_int(x, "node", (int64_t)f->node->number);
	if (!isnan(f->share))
		finding_real(x, "share", f->share);
	if (!isnan(f->ms))
		finding_real(x, "ms", f->ms);
	if (p->is_analyzed && f->node) {
		finding_real(x, "rows", plan_num(f->node->all_rows));
		finding_real(x, "expected_rows", plan_num(f->node->plan_rows));
	}
	finding_fix(r->found, x, f->fix_sql, "%.*s",
		STR_ARGS(f->advice.n ? f->advice : str_of(rule->fix)));
}

static struct index_advice *find_index(struct findings *f, struct str ddl)
{
	for (size_t i = 0; i < f->index.n; i++)
		if (str_eq(f->index.at[i].ddl, ddl))
			return &f->index.at[i];
	return NULL;
}

/* A candidate as the report shows it; the same one again only gains a query. */
static void add_index(struct reader *r, const struct seen *s, const struct candidate *c)
{
	struct str ddl = str_before(c->ddl, c->ddl.n - str_ends(c->ddl, ";"));
	struct index_advice *x = find_index(r->found, ddl);

	if (x == NULL) {
		x = candidate_report(r->found, c);
		x->why = arena_str(&r->found->arena, c->why);
		partition_steps(&r->found->arena, r->schema, c, x);
	}
	if (s->shape != NO_SHAPE && (x->query.n == 0 || x->query.at[x->query.n - 1] != s->shape))
		*VEC_PUSH(&x->query) = s->shape;
}

static void link_findings(struct reader *r, const struct seen *s, size_t first_index)
{
	/* The plan's own findings about reading too much point to the index that helps most. */
	static const char *const about_reading[] = {
		"PL001", "PL002", "PL003", "PL011", "PL013", "PL014", "PL027", "PL036"};

	for (size_t i = s->first_finding; i < s->first_finding + s->findings; i++)
		for (size_t k = 0; k < ARRAY_LEN(about_reading); k++)
			if (first_index < r->found->index.n &&
				strcmp(r->found->at.at[i].rule->id, about_reading[k]) == 0)
				r->found->at.at[i].index = (int)first_index;
}

/* --- reading -------------------------------------------------------------------------------- */

static struct seen *find_seen(struct reader *r, uint64_t hash, uint32_t shape)
{
	uint32_t *at = map_put(&r->seen_of, hash ^ (shape + 1) * 0x9e3779b97f4a7c15u);
	struct seen *s;

	if (*at != MAP_NONE)
		return &r->seen.at[*at];
	*at = (uint32_t)r->seen.n;
	s = VEC_PUSH(&r->seen);
	*s = (struct seen){.hash = hash, .shape = shape, .worst_ms = -1};
	return s;
}

static uint32_t shape_of(struct reader *r, const struct plan *p, struct place at)
{
	struct shape *s;

	if (p->query.n == 0)
		return NO_SHAPE;
	s = facts_statement(r->facts, p->query, at);
	if (s == NULL)
		return NO_SHAPE;
	if (!isnan(p->elapsed_ms))
		sketch_add(&s->time, (uint64_t)(fmax(p->elapsed_ms, 0) * 1000));
	return map_get(&r->facts->shape_of, s->hash);
}

static void on_plan(void *ctx, struct arena *a, struct plan *p)
{
	struct reader *r = ctx;
	struct place at = {r->file, (uint64_t)p->line};
	uint32_t shape = r->logged ? r->logged_at : shape_of(r, p, at);
	struct seen *s = find_seen(r, plan_hash(p), shape);
	double ms = plan_num(p->elapsed_ms);
	bool is_first = s->times == 0;
	size_t first_index = r->found->index.n;
	struct plan_findings found = {0};
	struct candidates indexes = {0};

	p->line += r->line_before;
	at.line = (uint64_t)p->line;
	if (r->logged) {
		at = r->logged->plan_at;
		p->line = (int)at.line;
		r->file = at.file;
		ms = isnan(p->elapsed_ms) ? (double)r->logged->plan_time / 1000 : ms;
	}
	if (p->passed_over && r->passed_over++ == 0) /* the first of a log's is enough */
		fprintf(stderr,
			"pgassay: %s:%d: not understood and left out%s; if a frame or a mail broke "
			"the lines, paste FORMAT JSON\n",
			r->file < r->facts->in->file.n ? r->facts->in->file.at[r->file]->name : "-",
			p->passed_line + r->line_before, p->passed_over > 1 ? " (and others)" : "");
	r->plans++;
	s->times += r->logged ? r->logged->plans : 1;
	s->total_ms += ms;
	for (size_t i = 0; i < s->findings; i++)
		r->found->at.at[s->first_finding + i].count = s->times;
	if (ms <= s->worst_ms)
		return;
	s->worst_ms = ms;
	s->at = at;
	json_decref(s->plan);
	s->plan = json_plan(r, a, p);
	/* Findings are the first plan's; a slower one of the same structure says the same. */
	if (!is_first)
		return;
	s->first_finding = r->found->at.n;
	plan_check(a, p, &found);
	for (size_t i = 0; i < found.at.n; i++)
		add_finding(r, s, p, &found.at.at[i]);
	s->findings = r->found->at.n - s->first_finding;
	advise_plan(a, p, r->schema, &indexes);
	for (size_t i = 0; i < indexes.at.n; i++)
		add_index(r, s, &indexes.at.at[i]);
	link_findings(r, s, first_index);
	plan_findings_release(&found);
	candidates_release(&indexes);
}

/* PL042: the same statement by two structures, one of them much slower on average. */
static void find_flips(struct reader *r)
{
	const struct rule *rule = rule_by_id("PL042");
	enum severity severity = r->o->severity ? r->o->severity[rule - rules] : rule->severity;
	struct rule_check c = {.rule = rule, .findings = r->found, .severity = severity};

	for (size_t i = 0; i < r->seen.n && severity != SEVERITY_OFF; i++)
		for (size_t k = 0; k < r->seen.n; k++) {
			const struct seen *slow = &r->seen.at[i], *fast = &r->seen.at[k];
			double a = slow->total_ms / (double)slow->times;
			double b = fast->total_ms / (double)fast->times;
			struct finding *x;

			if (i == k || slow->shape == NO_SHAPE || slow->shape != fast->shape ||
				a < FLIP_MS || a < FLIP_RATIO * b)
				continue;
			x = rule_find(&c, CONF_LIKELY,
				"%zu times by a plan of %.1f ms, %zu times by one of %.1f",
				slow->times, a, fast->times, b);
			x->shape = slow->shape;
			x->count = slow->times;
			x->weight = slow->total_ms * 1000;
			x->place[0] = slow->at;
			x->place[1] = fast->at;
			x->places = 2;
			finding_fix(r->found, x, STR_NONE, "%s", rule->fix);
			break;
		}
}

static int by_worst(const void *a, const void *b)
{
	const struct seen *x = a, *y = b;

	if (x->worst_ms != y->worst_ms)
		return x->worst_ms > y->worst_ms ? -1 : 1;
	if (x->at.file != y->at.file)
		return x->at.file < y->at.file ? -1 : 1;
	return (x->at.line > y->at.line) - (x->at.line < y->at.line);
}

static json_t *json_plans(struct reader *r)
{
	json_t *list = json_array();

	if (r->seen.n > 1)
		qsort(r->seen.at, r->seen.n, sizeof(*r->seen.at), by_worst);
	for (size_t i = 0; i < r->seen.n && i < PLANS_SHOWN; i++) {
		struct seen *s = &r->seen.at[i];

		js_set(s->plan, "times", js_int((int64_t)s->times));
		js_set(s->plan, "shape",
			s->shape != NO_SHAPE ? js_str(str_of(r->facts->shape.at[s->shape]->id))
					     : json_null());
		js_add(list, json_incref(s->plan));
	}
	return list;
}

/* --- a log that quotes or cuts its messages: csvlog, jsonlog, syslog … ---------------------- */

struct logged_plans {
	struct reader *r;
	struct plan_counts *sum;
};

static void add_counts(struct plan_counts *sum, const struct plan_counts *counts)
{
	if (counts->broken && sum->broken == 0)
		sum->why = counts->why;
	sum->plans += counts->plans;
	sum->broken += counts->broken;
}

static void take_entries(void *ctx, struct log_entry *entry, size_t n)
{
	struct logged_plans *l = ctx;
	struct text t = {0};

	for (size_t i = 0; i < n; i++) {
		const struct log_entry *e = &entry[i];
		struct plan_counts counts;

		if (e->phase != PHASE_PLAN)
			continue;
		text_clear(&t);
		text_printf(&t, "duration: %.3f ms  plan:\n", (double)e->usec / 1000);
		text_str(&t, e->plan);
		l->r->line_before = (int)e->line - 1;
		plan_each(text_slice(&t), on_plan, l->r, &counts);
		add_counts(l->sum, &counts);
	}
	l->r->line_before = 0;
	text_release(&t);
}

static void leave_as_is(void *ctx, struct chunk *c)
{
	(void)ctx;
	(void)c;
}

static bool read_file(struct reader *r, struct input *in, const char *name, struct plan_counts *sum)
{
	struct source source;
	struct text text = {0};
	struct plan_counts counts = {0};
	struct logged_plans logged = {r, sum};
	struct input_sink sink = {leave_as_is, take_entries, &logged};
	struct err why;
	char buf[65536];
	ssize_t n = 0;
	bool ok = input_add(in, name, &why) && source_open(&source, name, 0, NULL, &why);

	if (!ok) {
		fprintf(stderr, "pgassay: %s\n", why.text);
		return false;
	}
	r->file = (uint32_t)in->file.n - 1;
	source_as_is(&source);
	while ((n = source_read(&source, buf, sizeof(buf), &why)) > 0)
		text_add(&text, buf, (size_t)n);
	source_close(&source);
	if (n < 0)
		fprintf(stderr, "pgassay: %s\n", why.text);
	else if (!input_memory(in, r->file, &text, &sink, &why))
		plan_each(text_slice(&text), on_plan, r, &counts);
	add_counts(sum, &counts);
	text_release(&text);
	return n >= 0;
}

static void release(struct reader *r)
{
	for (size_t i = 0; i < r->seen.n; i++)
		json_decref(r->seen.at[i].plan);
	VEC_RELEASE(&r->seen);
	map_release(&r->seen_of);
}

json_t *plans_of_log(struct options *o, struct facts *f, const struct schema *schema,
	struct findings *found)
{
	struct reader r = {.o = o, .facts = f, .found = found, .schema = schema};
	struct plan_counts counts = {0};
	json_t *list;

	for (uint32_t i = 0; i < f->shape.n; i++) {
		r.logged = f->shape.at[i];
		r.logged_at = i;
		if (r.logged->plan)
			plan_each(str_of(r.logged->plan), on_plan, &r, &counts);
	}
	list = json_plans(&r);
	release(&r);
	return list;
}

enum exit_status run_plan(struct options *o)
{
	struct input in = {0};
	struct findings found = {0};
	struct reader r = {.o = o, .facts = facts_new(&in), .found = &found};
	struct report report = {
		.facts = r.facts, .findings = &found, .input = &in, .command = "plan"};
	struct plan_counts sum = {0};
	enum exit_status status = EXIT_USAGE;
	bool ok = true;
	struct schema *schema = options_schema(o, &ok);

	r.schema = schema;
	if (ok && o->file.n == 0)
		ok = read_file(&r, &in, "-", &sum);
	for (size_t i = 0; ok && i < o->file.n; i++)
		ok = read_file(&r, &in, o->file.at[i], &sum);
	if (ok) {
		find_flips(&r);
		findings_sort(&found);
		report.plans = json_plans(&r);
		status = options_report(o, &report);
		if (sum.broken)
			fprintf(stderr, "pgassay: %s%s\n", sum.why.text,
				sum.broken > 1 ? " (and others)" : "");
		if (sum.plans == 0) {
			fprintf(stderr, "pgassay: no plan was recognised: paste what EXPLAIN "
					"printed (text, JSON, YAML or XML), from its first line "
					"on, with its line breaks\n");
			status = EXIT_INPUT;
		} else if (sum.broken > sum.plans && status == EXIT_CLEAN) {
			status = EXIT_INPUT;
		}
		json_decref(report.plans);
		report_release(&report);
	}
	release(&r);
	findings_release(&found);
	schema_free(&schema);
	facts_free(&r.facts);
	input_release(&in);
	return status;
}
