/* SPDX-License-Identifier: ISC
 *
 * gate_apply: the gate's steps, in order.  Findings are numbered before they are excused, and
 * excused before the baseline is asked: who excuses a finding has no need of a line there.
 */
#include "gate.h"

#include <unistd.h>

struct finding *gate_find(struct findings *fs, struct facts *f, const enum severity *severity,
	const char *id, const char *fmt, ...)
{
	const struct rule *rule = rule_by_id(id);
	struct rule_check c = {.rule = rule, .findings = fs, .facts = f};
	struct text t = {0};
	struct finding *x;
	va_list ap;

	c.severity = severity ? severity[rule - rules] : rule->severity;
	if (c.severity == SEVERITY_OFF)
		return NULL;
	va_start(ap, fmt);
	text_vprintf(&t, fmt, ap);
	va_end(ap);
	x = rule_find(&c, CONF_CERTAIN, "%.*s", STR_ARGS(text_slice(&t)));
	text_release(&t);
	finding_fix(fs, x, STR_NONE, "%s", rule->fix);
	return x;
}

static const struct gate_rule *rule_line(const struct gate *g, const struct rule *r)
{
	const struct gate_rule *found = NULL;

	for (size_t i = 0; i < g->conf.rule.n; i++)
		if (g->conf.rule.at[i].rule == r)
			found = &g->conf.rule.at[i];
	return found;
}

/* [rules] min_count and max_findings: of the findings left, in their order, so many pass. */
static void rule_limits(struct gate *g, struct findings *fs)
{
	for (const struct rule *r = rules; r->id; r++) {
		const struct gate_rule *line = rule_line(g, r);
		int64_t left = line ? line->max_findings : 0, n = 0;
		for (size_t i = 0; line && i < fs->at.n; i++) {
			struct finding *x = &fs->at.at[i];
			if (x->rule == r && !x->suppressed && line->min_count >= 0 &&
				x->count < (uint64_t)line->min_count) {
				x->suppressed = true;
				x->suppress_reason = STR("fewer than min_count");
			}
			n += x->rule == r && !x->suppressed;
		}
		for (size_t i = 0; line && left >= 0 && n <= left && i < fs->at.n; i++) {
			struct finding *x = &fs->at.at[i];
			if (x->rule == r && !x->suppressed) {
				x->suppressed = true;
				x->suppress_reason = STR("no more than max_findings");
			}
		}
	}
}

bool gate_apply(struct gate *g, struct facts *f, struct findings *fs, const enum severity *severity)
{
	bool ok = true;

	findings_sort(fs);
	if (g->write_baseline) /* what is there gives its comments; it need not be there yet */
		ok = access(g->write_baseline, F_OK) != 0 || baseline_read(g, g->write_baseline);
	else if (g->baseline)
		ok = baseline_read(g, g->baseline);
	if (!ok)
		return false;
	limits_apply(g, f, fs, severity);
	findings_fingerprint(fs, f);
	excuses_apply(g, f, fs, severity);
	findings_fingerprint(fs, f);
	baseline_apply(g, f, fs, severity);
	findings_fingerprint(fs, f);
	rule_limits(g, fs);
	return !g->write_baseline || baseline_write(g, f, fs);
}
