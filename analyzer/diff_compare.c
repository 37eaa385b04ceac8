/* SPDX-License-Identifier: ISC
 *
 * diff_compare: two reports -> changes.  Two runs of one commit give none that counts.
 */
#include "diff.h"

#include <math.h>

#define SURE	   .95 /* of an interval, two-sided */
#define ROWS_RATIO 2.0 /* more rows: twice as many a call … */
#define ROWS_BY	   100 /* … and a hundred more */
#define RATIOS_MIN 5   /* statements the machines' difference is taken from */

const struct change_row change_rows[CHANGE_KINDS] = {
	[CHANGE_NEW_FINDING] = {"new-finding", "New findings", SEVERITY_WARNING, false},
	[CHANGE_WORSE_FINDING] = {"worse-finding", "Worse findings", SEVERITY_WARNING, false},
	[CHANGE_FIXED_FINDING] = {"fixed-finding", "Fixed findings", SEVERITY_INFO, true},
	[CHANGE_MORE_CALLS] = {"more-calls", "More calls per test", SEVERITY_WARNING, false},
	[CHANGE_FEWER_CALLS] = {"fewer-calls", "Fewer calls per test", SEVERITY_INFO, true},
	[CHANGE_MORE_ROWS] = {"more-rows", "More rows per call", SEVERITY_WARNING, false},
	[CHANGE_SLOWER] = {"slower", "Slower", SEVERITY_WARNING, false},
	[CHANGE_FASTER] = {"faster", "Faster", SEVERITY_INFO, true},
	[CHANGE_PLAN] = {"plan-flip", "Other plans", SEVERITY_WARNING, false},
	[CHANGE_NEW_SHAPE] = {"new-shape", "New statements", SEVERITY_INFO, false},
	[CHANGE_GONE_SHAPE] = {"gone-shape", "Gone statements", SEVERITY_INFO, false},
	[CHANGE_TOO_MANY_NEW] = {"too-many-new", "Limits", SEVERITY_ERROR, false},
};

static struct change *add(struct diff *d, enum change_kind kind, uint32_t shape, struct str text)
{
	struct change *c = VEC_PUSH(&d->change);

	*c = (struct change){.kind = kind,
		.severity = change_rows[kind].severity,
		.counts = change_rows[kind].severity > SEVERITY_INFO,
		.shape = shape,
		.text = text};
	if (shape != NO_SHAPE)
		c->weight = (double)(d->shape.at[shape].side[HEAD].time.sum +
				     d->shape.at[shape].side[BASE].time.sum);
	return c;
}

/* --- findings ---------------------------------------------------------------------------- */

static const struct diff_finding *find(const struct diff *d, int side, const struct diff_finding *x)
{
	for (size_t i = 0; i < d->finding[side].n; i++)
		if (str_eq(d->finding[side].at[i].print, x->print) &&
			str_eq(d->finding[side].at[i].rule, x->rule))
			return &d->finding[side].at[i];
	return NULL;
}

static void add_finding(struct diff *d, enum change_kind kind, const struct diff_finding *base,
	const struct diff_finding *head, struct str text)
{
	struct change *c = add(d, kind, NO_SHAPE, text);
	const struct diff_finding *x = head ? head : base;

	c->finding[BASE] = base;
	c->finding[HEAD] = head;
	c->severity = kind == CHANGE_FIXED_FINDING ? SEVERITY_INFO : x->severity;
	c->counts = kind != CHANGE_FIXED_FINDING && x->is_sure;
	c->weight = (double)x->severity * 10 + x->is_sure;
}

static void compare_findings(struct diff *d)
{
	for (size_t i = 0; i < d->finding[HEAD].n; i++) {
		const struct diff_finding *x = &d->finding[HEAD].at[i], *old = find(d, BASE, x);
		if (!old)
			add_finding(d, CHANGE_NEW_FINDING, NULL, x, x->message);
		else if (x->severity > old->severity || (x->is_sure && !old->is_sure))
			add_finding(d, CHANGE_WORSE_FINDING, old, x,
				arena_printf(&d->arena, "%.*s (was: %s%s)", STR_ARGS(x->message),
					severity_name(old->severity),
					old->is_sure ? "" : ", possible"));
		else if (x->longest > old->longest)
			add_finding(d, CHANGE_WORSE_FINDING, old, x,
				arena_printf(&d->arena, "%.*s (was: %lld in a row)",
					STR_ARGS(x->message), (long long)old->longest));
	}
	for (size_t i = 0; i < d->finding[BASE].n; i++) {
		const struct diff_finding *x = &d->finding[BASE].at[i];
		if (!find(d, HEAD, x))
			add_finding(d, CHANGE_FIXED_FINDING, x, NULL, x->message);
	}
}

/* --- calls --------------------------------------------------------------------------------- */

/* Of the tests both sides have: those in which the shape came more, and less, often. */
static void compare_calls(struct diff *d, uint32_t shape)
{
	const struct test_calls *worst[2] = {NULL, NULL};
	size_t tests[2] = {0, 0};

	for (size_t i = 0; i < d->calls.n; i++) {
		const struct test_calls *c = &d->calls.at[i];
		const struct diff_test *t = &d->test.at[c->test];
		if (c->shape != shape || !t->is_there[BASE] || !t->is_there[HEAD] ||
			c->calls[BASE] == c->calls[HEAD])
			continue;
		int less = c->calls[HEAD] < c->calls[BASE];
		int64_t by = llabs((int64_t)(c->calls[HEAD] - c->calls[BASE]));
		tests[less]++;
		if (!worst[less] ||
			by > llabs((int64_t)(worst[less]->calls[HEAD] - worst[less]->calls[BASE])))
			worst[less] = c;
	}
	for (int less = 0; less < 2; less++) {
		const struct test_calls *c = worst[less];
		if (!c || !d->shape.at[shape].side[BASE].is_there ||
			!d->shape.at[shape].side[HEAD].is_there)
			continue;
		struct change *x = add(d, less ? CHANGE_FEWER_CALLS : CHANGE_MORE_CALLS, shape,
			arena_printf(&d->arena, "%llu -> %llu calls in test %.*s%s",
				(unsigned long long)c->calls[BASE],
				(unsigned long long)c->calls[HEAD],
				STR_ARGS(d->test.at[c->test].name),
				tests[less] > 1
					? arena_printf(&d->arena, " and others in %zu more tests",
						  tests[less] - 1)
						  .p
					: ""));
		x->weight = fabs((double)c->calls[HEAD] - (double)c->calls[BASE]);
	}
}

static void compare_rows(struct diff *d, uint32_t shape)
{
	const struct side_shape *b = &d->shape.at[shape].side[BASE],
				*h = &d->shape.at[shape].side[HEAD];

	if (!b->rows_calls || !h->rows_calls)
		return;
	double was = (double)b->rows / (double)b->rows_calls,
	       now = (double)h->rows / (double)h->rows_calls;
	if (now >= was * ROWS_RATIO && now - was >= ROWS_BY)
		add(d, CHANGE_MORE_ROWS, shape,
			arena_printf(&d->arena, "%.1f -> %.1f rows a call", was, now));
}

/* --- times ---------------------------------------------------------------------------------- */

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* HEAD's machine may have been busier: the median ratio of what both have. */
static double machine_factor(const struct diff *d)
{
	double *ratio = mem_alloc((d->shape.n + 1) * sizeof(*ratio)), factor = 1;
	size_t n = 0;

	for (size_t i = 0; i < d->shape.n; i++) {
		const struct sketch *b = &d->shape.at[i].side[BASE].time,
				    *h = &d->shape.at[i].side[HEAD].time;
		if (b->total == 0 || h->total == 0)
			continue;
		double was = sketch_quantile(b, .5), now = sketch_quantile(h, .5);
		if (was > 0 && now > 0)
			ratio[n++] = now / was;
	}
	if (n >= RATIOS_MIN) {
		qsort(ratio, n, sizeof(*ratio), by_size);
		factor = ratio[n / 2];
	}
	free(ratio);
	return factor;
}

static struct str interval(struct diff *d, const struct sketch *s, double q, double low,
	double high)
{
	if (isinf(high))
		return arena_printf(&d->arena, "%.2f ms [%.2f, open)", sketch_quantile(s, q) / 1e3,
			low / 1e3);
	return arena_printf(&d->arena, "%.2f ms [%.2f, %.2f]", sketch_quantile(s, q) / 1e3,
		low / 1e3, high / 1e3);
}

/* Are the intervals of the q-quantile apart by the ratio and the time that count? */
static bool compare_quantile(struct diff *d, uint32_t shape, double q)
{
	const struct sketch *b = &d->shape.at[shape].side[BASE].time,
			    *h = &d->shape.at[shape].side[HEAD].time;
	double low_b, high_b, low_h, high_h, ratio = d->conf->slower_ratio,
					     by = (double)d->conf->slower_by;
	enum change_kind kind;

	sketch_interval(b, q, SURE, &low_b, &high_b);
	sketch_interval(h, q, SURE, &low_h, &high_h);
	if (low_h >= ratio * d->machine * high_b && low_h - d->machine * high_b >= by)
		kind = CHANGE_SLOWER;
	else if (d->machine * low_b >= ratio * high_h && d->machine * low_b - high_h >= by)
		kind = CHANGE_FASTER;
	else
		return false;
	add(d, kind, shape,
		arena_printf(&d->arena, "p%.0f %.*s -> %.*s", q * 100,
			STR_ARGS(interval(d, b, q, low_b, high_b)),
			STR_ARGS(interval(d, h, q, low_h, high_h))));
	return true;
}

/* --- plans ------------------------------------------------------------------------------------ */

static void compare_plans(struct diff *d, uint32_t shape)
{
	const struct side_shape *b = &d->shape.at[shape].side[BASE],
				*h = &d->shape.at[shape].side[HEAD];

	for (size_t i = 0; i < h->plan.n; i++)
		for (size_t k = 0; k < b->plan.n; k++)
			if (h->plan.at[i] == b->plan.at[k])
				return;
	if (b->plan.n && h->plan.n)
		add(d, CHANGE_PLAN, shape, STR("none of its plans is one of those before"));
}

/* --- all of it ----------------------------------------------------------------------------------
 */

static int by_weight(const void *pa, const void *pb)
{
	const struct change *a = pa, *b = pb;

	if (a->kind != b->kind)
		return a->kind < b->kind ? -1 : 1;
	if (a->severity != b->severity)
		return a->severity > b->severity ? -1 : 1;
	if (a->weight < b->weight || a->weight > b->weight)
		return a->weight > b->weight ? -1 : 1;
	int c = a->shape == b->shape ? 0 : a->shape < b->shape ? -1 : 1;
	return c ? c : str_cmp(a->text, b->text);
}

void diff_compare(struct diff *d)
{
	uint64_t fresh = 0;

	d->machine = machine_factor(d);
	compare_findings(d);
	for (uint32_t i = 0; i < d->shape.n; i++) {
		const struct side_shape *b = &d->shape.at[i].side[BASE],
					*h = &d->shape.at[i].side[HEAD];
		if (!b->is_there || !h->is_there) {
			fresh += h->is_there;
			add(d, h->is_there ? CHANGE_NEW_SHAPE : CHANGE_GONE_SHAPE, i,
				arena_printf(&d->arena, "%llu calls",
					(unsigned long long)(h->is_there ? h->calls : b->calls)));
		}
		compare_calls(d, i);
		compare_rows(d, i);
		if (!compare_quantile(d, i, .95))
			compare_quantile(d, i, .5);
		compare_plans(d, i);
	}
	const struct gate_value *most = &d->conf->limit[LIMIT_NEW_SHAPES];
	if (most->value >= 0 && fresh > (uint64_t)most->value)
		add(d, CHANGE_TOO_MANY_NEW, NO_SHAPE,
			arena_printf(&d->arena, "%llu statements are new; max_new_shapes is %lld",
				(unsigned long long)fresh, (long long)most->value));
	if (d->change.n > 1)
		qsort(d->change.at, d->change.n, sizeof(*d->change.at), by_weight);
}

bool diff_fails(const struct diff *d, enum severity fail_on)
{
	for (size_t i = 0; i < d->change.n && fail_on != SEVERITY_OFF; i++)
		if (d->change.at[i].counts && d->change.at[i].severity >= fail_on)
			return true;
	return false;
}

const char *diff_verdict(const struct diff *d, enum severity fail_on)
{
	if (diff_fails(d, fail_on == SEVERITY_OFF ? SEVERITY_WARNING : fail_on))
		return "worse";
	for (size_t i = 0; i < d->change.n; i++)
		if (change_rows[d->change.at[i].kind].is_better)
			return "better";
	return "same";
}
