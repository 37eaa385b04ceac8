/* SPDX-License-Identifier: ISC
 *
 * diff_json: a comparison for programs (docs/diff.schema.json).  Times are milliseconds.
 */
#include "diff.h"

#include <math.h>

static json_t *json_quantile(const struct sketch *s, double q)
{
	json_t *o = json_object();
	double low, high;

	sketch_interval(s, q, .95, &low, &high);
	js_set(o, "ms", js_real(sketch_quantile(s, q) / 1e3));
	js_set(o, "low_ms", js_real(low / 1e3));
	js_set(o, "high_ms", isinf(high) ? json_null() : js_real(high / 1e3));
	return o;
}

static json_t *json_side(const struct side_shape *x)
{
	json_t *o = json_object();

	if (!x->is_there) {
		json_decref(o);
		return json_null();
	}
	js_set(o, "calls", js_int((int64_t)x->calls));
	if (x->rows_calls)
		js_set(o, "rows", js_int((int64_t)x->rows));
	if (x->time.total) {
		js_set(o, "p50", json_quantile(&x->time, .5));
		js_set(o, "p95", json_quantile(&x->time, .95));
	}
	return o;
}

static json_t *json_change(struct diff *d, const struct change *c)
{
	const struct diff_finding *x = c->finding[HEAD] ? c->finding[HEAD] : c->finding[BASE];
	json_t *o = json_object();

	js_set(o, "kind", js_str(str_of(change_rows[c->kind].word)));
	js_set(o, "severity", js_str(str_of(severity_name(c->severity))));
	js_set(o, "counts", json_boolean(c->counts));
	js_set(o, "message", js_str(c->text));
	if (x) {
		js_set(o, "rule", js_str(x->rule));
		js_set(o, "fingerprint", js_str(x->print));
		js_set(o, "shape", x->shape.p ? js_str(x->shape) : json_null());
		js_set(o, "tests", x->tests ? json_deep_copy(x->tests) : json_array());
		if (x->source.n)
			js_set(o, "source", js_str(x->source));
	}
	if (c->shape != NO_SHAPE) {
		const struct diff_shape *s = &d->shape.at[c->shape];
		js_set(o, "shape", js_str(s->id));
		js_set(o, "sql", js_str(s->sql));
		js_set(o, "base", json_side(&s->side[BASE]));
		js_set(o, "head", json_side(&s->side[HEAD]));
	}
	return o;
}

static json_t *json_report(const struct diff *d, int side)
{
	json_t *o = json_object();
	int64_t shapes = 0, tests = 0;

	for (size_t i = 0; i < d->shape.n; i++)
		shapes += d->shape.at[i].side[side].is_there;
	for (size_t i = 0; i < d->test.n; i++)
		tests += d->test.at[i].is_there[side];
	js_set(o, "file", js_str(str_of(d->file[side])));
	js_set(o, "statements", js_int((int64_t)d->statements[side]));
	js_set(o, "shapes", js_int(shapes));
	js_set(o, "findings", js_int((int64_t)d->finding[side].n));
	js_set(o, "tests", js_int(tests));
	return o;
}

void diff_json(struct diff *d, enum severity fail_on, FILE *to)
{
	json_t *o = json_object(), *changes = json_array(), *sum = json_object();

	js_set(o, "version", js_int(1));
	js_set(o, "tool", js_str(STR("pgassay " PGSLUICE_VERSION)));
	js_set(o, "command", js_str(STR("diff")));
	js_set(o, "verdict", js_str(str_of(diff_verdict(d, fail_on))));
	js_set(o, "base", json_report(d, BASE));
	js_set(o, "head", json_report(d, HEAD));
	js_set(o, "machine_factor", js_real(d->machine));
	for (int k = 0; k < CHANGE_KINDS; k++) {
		int64_t n = 0;
		for (size_t i = 0; i < d->change.n; i++)
			n += d->change.at[i].kind == (enum change_kind)k;
		js_set(sum, change_rows[k].word, js_int(n));
	}
	js_set(o, "summary", sum);
	for (size_t i = 0; i < d->change.n; i++)
		js_add(changes, json_change(d, &d->change.at[i]));
	js_set(o, "changes", changes);
	json_dumpf(o, to, JSON_INDENT(1) | JSON_REAL_PRECISION(15));
	fputc('\n', to);
	json_decref(o);
}
