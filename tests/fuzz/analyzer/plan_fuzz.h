/* SPDX-License-Identifier: ISC
 *
 * plan_fuzz.h: any bytes behind what begins a plan.  Whatever is understood of them is measured,
 * judged by the rules, and printed.
 */
#ifndef PLAN_FUZZ_H
#define PLAN_FUZZ_H

#include "plan.h"
#include "plan_rule.h"

static inline int fuzz_plan(const char *begin, const uint8_t *data, size_t size)
{
	struct arena a = {0};
	struct plan_list found = {0};
	struct text text = {0}, out = {0};

	text_puts(&text, begin);
	text_add(&text, data, size);
	plan_find(&a, text_slice(&text), &found);
	for (size_t i = 0; i < found.plan.n; i++) {
		struct plan_findings findings = {0};

		plan_check(&a, found.plan.at[i], &findings);
		plan_findings_release(&findings);
		plan_print(&out, found.plan.at[i], true);
	}
	plan_list_release(&found);
	text_release(&text);
	text_release(&out);
	arena_release(&a);
	return 0;
}

#endif
