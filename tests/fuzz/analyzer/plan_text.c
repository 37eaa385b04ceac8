/* SPDX-License-Identifier: ISC
 *
 * Any bytes as a pasted plan in the text format.  What was understood is measured and printed.
 * Exercises plan_frame.c and its kin, plan_text.c and plan_title.c, plan_time.c and plan_print.c.
 */
#include "plan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena a = {0};
	struct plan_list found = {0};
	struct text text = {0}, out = {0};

	text_puts(&text, "");
	text_add(&text, data, size);
	plan_find(&a, text_slice(&text), &found);
	for (size_t i = 0; i < found.plan.n; i++)
		plan_print(&out, found.plan.at[i], true);
	plan_list_release(&found);
	text_release(&text);
	text_release(&out);
	arena_release(&a);
	return 0;
}
