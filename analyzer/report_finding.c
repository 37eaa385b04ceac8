/* SPDX-License-Identifier: ISC
 *
 * report_finding: what the formats of build servers say of a finding, in words, and where.
 */
#include "report.h"

struct gate_place report_where(struct report *r, const struct finding *x)
{
	return gate_place(r->gate, r->facts, x);
}

bool report_is_shown(const struct finding *x)
{
	return !x->suppressed;
}

struct str report_tests(struct report *r, const struct finding *x)
{
	struct text t = {0};

	for (uint32_t i = 0; i < x->tests; i++)
		text_printf(&t, "%s%.*s", i ? ", " : "",
			STR_ARGS(facts_name(r->facts, x->test[i])));
	struct str out = utf8_clean(&r->arena, arena_str(&r->arena, text_slice(&t)));
	text_release(&t);
	return out;
}

struct str report_words(struct report *r, const struct finding *x)
{
	struct text t = {0};

	text_str(&t, x->message);
	if (x->shape != NO_SHAPE) {
		const struct shape *s = r->facts->shape.at[x->shape];
		text_printf(&t, "\n\n%.*s", STR_ARGS(report_sql(r, report_shape_sql(r, s), 500)));
		text_printf(&t, "\n(shape %s, %.*s)", s->id,
			STR_ARGS(report_several(r, x->count, "call")));
	}
	if (x->source_action.n)
		text_printf(&t, "\nsent by %.*s", STR_ARGS(x->source_action));
	if (x->tests)
		text_printf(&t, "\nin test %.*s%s", STR_ARGS(report_tests(r, x)),
			x->tests == TESTS_MAX ? ", …" : "");
	if (x->fix_note.n)
		text_printf(&t, "\n\nfix: %.*s", STR_ARGS(x->fix_note));
	if (x->fix_sql.n)
		text_printf(&t, "\n%.*s", STR_ARGS(report_sql(r, x->fix_sql, 1500)));
	struct str out = utf8_clean(&r->arena, arena_str(&r->arena, text_slice(&t)));
	text_release(&t);
	return out;
}
