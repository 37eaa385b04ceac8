/* SPDX-License-Identifier: ISC
 *
 * Any order of messages and replies: two bytes each, the first says push, reply or take,
 * the second which.  A quiet ledger owes nothing, whatever came before; nothing is read
 * outside of the ring.
 */
#include "wire_ledger.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void count(void *ctx, const struct entry *e)
{
	if (e->kind > ENTRY_COPY_END)
		abort();
	++*(unsigned *)ctx;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char types[] = "ZEC12tTnDsI3GHWdcVNSAx";
	struct ledger l;
	struct ledger_event ev;
	struct entry e;
	unsigned dropped = 0;
	bool out_of_step = false;

	ledger_init(&l);
	for (size_t i = 0; i + 1 < size && !out_of_step; i += 2) {
		uint32_t before = l.len;
		uint8_t what = data[i], which = data[i + 1];

		if (what % 4 < 2) {
			if (!ledger_push(&l, which % (ENTRY_COPY_END + 1), what >> 2 & 3,
				    i & 0xffff))
				break;
		} else if (what % 4 == 2) {
			char type = types[which % (sizeof types - 1)];

			dropped = 0;
			out_of_step = ledger_reply(&l, type, "ITE?"[what >> 2 & 3], &ev, count,
					      &dropped) == LEDGER_UNEXPECTED;
			if (out_of_step && (l.len != before || ev.finished))
				abort();
			if (l.len > before || (ev.finished && l.len >= before))
				abort();
		} else if (ledger_take_local(&l, &e) && !(e.flags & ENTRY_LOCAL)) {
			abort();
		}
		if (ledger_is_quiet(&l) &&
			(ledger_head(&l) || l.state.skipping || l.state.status != 'I'))
			abort();
	}
	ledger_release(&l);
	return 0;
}
