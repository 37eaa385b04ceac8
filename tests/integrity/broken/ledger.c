/* SPDX-License-Identifier: ISC
 *
 * A ledger that believes an idle server owes nothing: FLAVOR=broken links it in front
 * of the real one (the linker's --wrap).  The integrity test must find such a pooler
 * out, or it would not find out a real one.
 */
#include "wire_ledger.h"

enum ledger_verdict __real_ledger_reply(struct ledger *l, char type, char status,
	struct ledger_event *ev, void (*dropped)(void *ctx, const struct entry *e), void *ctx);
enum ledger_verdict __wrap_ledger_reply(struct ledger *l, char type, char status,
	struct ledger_event *ev, void (*dropped)(void *ctx, const struct entry *e), void *ctx);

enum ledger_verdict __wrap_ledger_reply(struct ledger *l, char type, char status,
	struct ledger_event *ev, void (*dropped)(void *ctx, const struct entry *e), void *ctx)
{
	enum ledger_verdict verdict = __real_ledger_reply(l, type, status, ev, dropped, ctx);

	if (type == 'Z' && status == 'I') {
		l->len = 0;
		l->state.unsynced = l->state.skipping = false;
	}
	return verdict;
}
