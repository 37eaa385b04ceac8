/* SPDX-License-Identifier: ISC
 *
 * The ledger, message by message: what each kind of entry expects, what a failure drops,
 * what COPY IN takes back, and that everything else is called out of step.
 */
#include "wire_ledger.h"

#include <check.h>

static struct ledger l;
static uint32_t dropped[16];
static size_t n_dropped;

static void note_dropped(void *ctx, const struct entry *e)
{
	(void)ctx;
	ck_assert_uint_lt(n_dropped, ARRAY_LEN(dropped));
	dropped[n_dropped++] = e->tag;
}

static void setup(void)
{
	ledger_init(&l);
	n_dropped = 0;
}

static void teardown(void)
{
	ledger_release(&l);
}

static void push(enum entry_kind kind, uint32_t tag)
{
	ck_assert(ledger_push(&l, kind, 0, tag));
}

/* Replies in turn, all of which the client gets; 'Z' says 'I'. */
static void replies(const char *types)
{
	struct ledger_event ev;

	for (; *types; types++)
		ck_assert_msg(ledger_reply(&l, *types, 'I', &ev, note_dropped, NULL) ==
				      LEDGER_FORWARD,
			"reply '%c'", *types);
}

static struct ledger_event reply(char type, enum ledger_verdict want)
{
	struct ledger_event ev;

	ck_assert_int_eq(ledger_reply(&l, type, 'I', &ev, note_dropped, NULL), want);
	return ev;
}

START_TEST(every_kind_is_answered)
{
	static const struct {
		enum entry_kind kind;
		const char *parts; /* belong to the answer and do not end it */
		const char *ends;
	} kinds[] = {
		{ENTRY_QUERY, "TDCIGHWdc", "Z"},
		{ENTRY_FUNCTION, "V", "Z"},
		{ENTRY_PARSE, "", "1"},
		{ENTRY_BIND, "", "2"},
		{ENTRY_DESCRIBE_STATEMENT, "t", "Tn"},
		{ENTRY_DESCRIBE_PORTAL, "", "Tn"},
		{ENTRY_EXECUTE, "DGHWdc", "CIs"},
		{ENTRY_CLOSE, "", "3"},
		{ENTRY_SYNC, "", "Z"},
	};
	struct ledger_event ev;

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		/* every byte there is, against every kind */
		for (int type = 0; type < 256; type++) {
			char t = (char)type;
			bool part = t && strchr(kinds[i].parts, t),
			     end = t && strchr(kinds[i].ends, t);
			enum ledger_verdict v;

			ledger_init(&l);
			push(kinds[i].kind, 7);
			v = ledger_reply(&l, t, 'I', &ev, NULL, NULL);
			if (t == 'N' || t == 'S' || t == 'A') {
				ck_assert_int_eq(v, LEDGER_ASYNC);
				ck_assert_uint_eq(l.len, 1);
			} else if (t == 'E') {
				ck_assert_int_eq(v, LEDGER_FORWARD);
				ck_assert(ev.failed);
			} else if (part || end) {
				ck_assert_int_eq(v, LEDGER_FORWARD);
				ck_assert_int_eq(ev.finished, end);
				ck_assert_uint_eq(l.len, end ? 0 : 1);
				if (end)
					ck_assert_uint_eq(ev.done.tag, 7);
			} else {
				ck_assert_msg(v == LEDGER_UNEXPECTED, "kind %d, byte %d",
					kinds[i].kind, type);
			}
			ledger_release(&l);
		}
	}
	/* nothing is owed: nothing may come but what answers nothing */
	for (int type = 0; type < 256; type++) {
		char t = (char)type;
		enum ledger_verdict v;

		ledger_init(&l);
		v = ledger_reply(&l, t, 'I', &ev, NULL, NULL);
		ck_assert_int_eq(v, t == 'N' || t == 'S' || t == 'A' ? LEDGER_ASYNC
				    : t == 'E'			     ? LEDGER_FATAL
								     : LEDGER_UNEXPECTED);
	}
}
END_TEST

START_TEST(only_three_states_of_ready)
{
	struct ledger_event ev;

	for (int status = 0; status < 256; status++) {
		bool good = status == 'I' || status == 'T' || status == 'E';

		ledger_init(&l);
		push(ENTRY_QUERY, 0);
		ck_assert_int_eq(ledger_reply(&l, 'Z', (char)status, &ev, NULL, NULL),
			good ? LEDGER_FORWARD : LEDGER_UNEXPECTED);
		ck_assert_int_eq(ledger_is_quiet(&l), status == 'I');
		ledger_release(&l);
	}
}
END_TEST

START_TEST(a_batch_is_quiet_after_its_sync)
{
	ck_assert(ledger_is_quiet(&l));
	push(ENTRY_PARSE, 1);
	push(ENTRY_BIND, 2);
	push(ENTRY_DESCRIBE_PORTAL, 3);
	push(ENTRY_EXECUTE, 4);
	replies("12TDDC");
	ck_assert_uint_eq(l.len, 0);
	ck_assert(!ledger_is_quiet(&l)); /* the transaction is still open */
	push(ENTRY_SYNC, 5);
	ck_assert(!ledger_is_quiet(&l));
	replies("Z");
	ck_assert(ledger_is_quiet(&l));
}
END_TEST

START_TEST(an_error_drops_everything_up_to_sync)
{
	struct ledger_event ev;

	push(ENTRY_PARSE, 1);
	push(ENTRY_BIND, 2);
	push(ENTRY_EXECUTE, 3);
	push(ENTRY_SYNC, 4);
	push(ENTRY_QUERY, 5);
	ev = reply('E', LEDGER_FORWARD);
	ck_assert(ev.finished && ev.failed);
	ck_assert_uint_eq(ev.done.tag, 1);
	ck_assert_uint_eq(n_dropped, 2);
	ck_assert_uint_eq(dropped[0], 3);
	ck_assert_uint_eq(dropped[1], 2);
	ck_assert_uint_eq(ledger_head(&l)->tag, 4);
	replies("ZTDCZ");
	ck_assert(ledger_is_quiet(&l));
}
END_TEST

START_TEST(what_is_sent_later_is_skipped_too)
{
	push(ENTRY_PARSE, 1);
	reply('E', LEDGER_FORWARD);
	ck_assert(!ledger_is_quiet(&l));
	push(ENTRY_BIND, 2);
	push(ENTRY_EXECUTE, 3);
	push(ENTRY_QUERY, 4);
	push(ENTRY_FUNCTION, 5);
	ck_assert(ledger_push(&l, ENTRY_PARSE, ENTRY_LOCAL, 6));
	ck_assert_uint_eq(l.len, 0);
	ck_assert(!ledger_is_quiet(&l));
	push(ENTRY_SYNC, 7);
	push(ENTRY_PARSE, 8);
	replies("Z1");
	push(ENTRY_SYNC, 9);
	replies("Z");
	ck_assert(ledger_is_quiet(&l));
}
END_TEST

/* PostgreSQL skips a Query behind a failed Parse: it is not ready before a Sync. */
START_TEST(a_query_behind_a_failed_parse_is_not_quiet)
{
	push(ENTRY_PARSE, 1);
	push(ENTRY_QUERY, 2);
	reply('E', LEDGER_FORWARD);
	ck_assert_uint_eq(n_dropped, 1);
	ck_assert_uint_eq(l.len, 0);
	ck_assert(!ledger_is_quiet(&l));
	push(ENTRY_QUERY, 3);
	ck_assert(!ledger_is_quiet(&l));
	push(ENTRY_SYNC, 4);
	replies("Z");
	ck_assert(ledger_is_quiet(&l));
}
END_TEST

START_TEST(a_function_call_ends_the_implicit_transaction)
{
	push(ENTRY_PARSE, 1);
	push(ENTRY_FUNCTION, 2);
	replies("1VZ");
	ck_assert(ledger_is_quiet(&l));
}
END_TEST

START_TEST(errors_of_query_and_sync_wait_for_ready)
{
	struct ledger_event ev;

	push(ENTRY_QUERY, 1);
	push(ENTRY_SYNC, 2);
	replies("TD");
	ev = reply('E', LEDGER_FORWARD);
	ck_assert(ev.failed && !ev.finished);
	ck_assert_uint_eq(l.len, 2);
	replies("Z");
	ev = reply('E', LEDGER_FORWARD); /* a deferred constraint */
	ck_assert(ev.failed && !ev.finished);
	replies("Z");
	ck_assert(ledger_is_quiet(&l));
}
END_TEST

START_TEST(ours_are_swallowed)
{
	struct ledger_event ev;

	ck_assert(ledger_push(&l, ENTRY_QUERY, ENTRY_OURS, 1));
	push(ENTRY_QUERY, 2);
	reply('C', LEDGER_SWALLOW);
	reply('E', LEDGER_SWALLOW);
	ev = reply('Z', LEDGER_SWALLOW);
	ck_assert_uint_eq(ev.done.tag, 1);
	reply('Z', LEDGER_FORWARD);
	/* a statement that we prepare for him: he hears nothing of the success … */
	ck_assert(ledger_push(&l, ENTRY_PARSE, ENTRY_OURS | ENTRY_TAGGED, 3));
	push(ENTRY_BIND, 4);
	push(ENTRY_SYNC, 5);
	reply('1', LEDGER_SWALLOW);
	replies("2Z");
	/* … and all of the failure, for what he sent is skipped because of it */
	ck_assert(ledger_push(&l, ENTRY_PARSE, ENTRY_OURS | ENTRY_TAGGED, 6));
	push(ENTRY_BIND, 7);
	push(ENTRY_SYNC, 8);
	ev = reply('E', LEDGER_FORWARD);
	ck_assert(ev.finished && ev.failed);
	ck_assert_uint_eq(ev.done.tag, 6);
	replies("Z");
	ck_assert(ledger_is_quiet(&l));
}
END_TEST

START_TEST(locals_are_taken_in_turn)
{
	struct entry e;

	push(ENTRY_QUERY, 1);
	ck_assert(ledger_push(&l, ENTRY_PARSE, ENTRY_LOCAL, 2));
	ck_assert(ledger_push(&l, ENTRY_CLOSE, ENTRY_LOCAL, 3));
	push(ENTRY_SYNC, 4);
	ck_assert(!ledger_take_local(&l, &e));
	replies("CZ");
	reply('1', LEDGER_UNEXPECTED); /* the server was not asked */
	ck_assert(ledger_take_local(&l, &e));
	ck_assert_uint_eq(e.tag, 2);
	ck_assert(ledger_take_local(&l, &e));
	ck_assert_uint_eq(e.tag, 3);
	ck_assert(!ledger_take_local(&l, &e));
	replies("Z");
	ck_assert(ledger_is_quiet(&l));
	/* alone, it needs nobody */
	ck_assert(ledger_push(&l, ENTRY_PARSE, ENTRY_LOCAL, 5));
	ck_assert(ledger_take_local(&l, &e));
	ck_assert(ledger_is_quiet(&l));
}
END_TEST

START_TEST(copy_in_by_simple_query)
{
	push(ENTRY_QUERY, 1);
	replies("G");
	ck_assert(l.state.copying_in);
	push(ENTRY_SYNC, 0); /* ignored by the server */
	push(ENTRY_COPY_END, 0);
	ck_assert(!l.state.copying_in);
	replies("CZ");
	ck_assert(ledger_is_quiet(&l));
	/* all sent before CopyInResponse has come */
	push(ENTRY_QUERY, 2);
	push(ENTRY_SYNC, 0);
	push(ENTRY_COPY_END, 0);
	push(ENTRY_SYNC, 3);
	replies("G");
	ck_assert(!l.state.copying_in);
	replies("CZZ");
	ck_assert(ledger_is_quiet(&l));
	/* two copies in one Query */
	push(ENTRY_QUERY, 4);
	push(ENTRY_COPY_END, 0);
	replies("GCG");
	ck_assert(l.state.copying_in);
	push(ENTRY_COPY_END, 0);
	replies("CZ");
	ck_assert(ledger_is_quiet(&l));
}
END_TEST

START_TEST(copy_in_by_execute)
{
	/* as libpq does it: a Sync behind Execute, another behind the copy's end */
	push(ENTRY_PARSE, 1);
	push(ENTRY_BIND, 2);
	push(ENTRY_EXECUTE, 3);
	push(ENTRY_SYNC, 4);
	replies("12G");
	ck_assert(l.state.copying_in);
	push(ENTRY_COPY_END, 0);
	ck_assert(!ledger_is_quiet(&l));
	push(ENTRY_SYNC, 5);
	replies("C");
	ck_assert_uint_eq(ledger_head(&l)->tag, 5);
	replies("Z");
	ck_assert(ledger_is_quiet(&l));
	ck_assert(!l.state.ambiguous);
	/* without the second Sync its transaction stays open */
	push(ENTRY_EXECUTE, 1);
	push(ENTRY_SYNC, 2);
	replies("G");
	push(ENTRY_COPY_END, 0);
	replies("C");
	ck_assert(!ledger_is_quiet(&l));
	push(ENTRY_SYNC, 3);
	replies("Z");
	ck_assert(ledger_is_quiet(&l));
	/* the mark before CopyInResponse */
	push(ENTRY_EXECUTE, 6);
	push(ENTRY_SYNC, 7);
	push(ENTRY_COPY_END, 0);
	push(ENTRY_SYNC, 8);
	replies("GCZ");
	ck_assert(ledger_is_quiet(&l));
	/* one that fails before it begins: both Syncs are read */
	push(ENTRY_EXECUTE, 9);
	push(ENTRY_SYNC, 10);
	push(ENTRY_COPY_END, 0);
	push(ENTRY_SYNC, 11);
	replies("EZZ");
	ck_assert(ledger_is_quiet(&l));
}
END_TEST

START_TEST(a_failed_copy_with_a_sync_inside_is_ambiguous)
{
	push(ENTRY_EXECUTE, 1);
	push(ENTRY_SYNC, 2);
	replies("GE");
	ck_assert(l.state.ambiguous);
	push(ENTRY_COPY_END, 0);
	push(ENTRY_SYNC, 3);
	replies("Z");
	ck_assert(!ledger_is_quiet(&l));
	push(ENTRY_QUERY, 4);
	replies("CZ");
	ck_assert(!ledger_is_quiet(&l)); /* never again */
}
END_TEST

START_TEST(a_failed_copy_without_sync_is_certain)
{
	push(ENTRY_EXECUTE, 1);
	replies("G");
	reply('E', LEDGER_FORWARD);
	ck_assert(!l.state.ambiguous && !l.state.copying_in);
	push(ENTRY_COPY_END, 0); /* he did not know */
	push(ENTRY_SYNC, 2);
	replies("Z");
	ck_assert(ledger_is_quiet(&l));
	push(ENTRY_QUERY, 3);
	replies("GE");
	push(ENTRY_COPY_END, 0);
	replies("Z");
	ck_assert(ledger_is_quiet(&l));
}
END_TEST

/* A client that goes on as if there were no copy: its marks may mean anything. */
START_TEST(other_messages_inside_a_copy_are_ambiguous)
{
	push(ENTRY_QUERY, 1);
	replies("G");
	push(ENTRY_QUERY, 2);
	ck_assert(l.state.ambiguous);
	teardown();
	setup();
	push(ENTRY_QUERY, 1);
	push(ENTRY_QUERY, 2);
	push(ENTRY_COPY_END, 0);
	ck_assert(!l.state.ambiguous);
	replies("G");
	ck_assert(l.state.ambiguous);
	teardown();
	setup();
	push(ENTRY_QUERY, 1);
	ck_assert(ledger_push(&l, ENTRY_PARSE, ENTRY_LOCAL, 2)); /* was never sent */
	push(ENTRY_COPY_END, 0);
	replies("G");
	ck_assert(!l.state.ambiguous);
}
END_TEST

START_TEST(the_end_of_no_copy_is_ignored)
{
	push(ENTRY_COPY_END, 0);
	ck_assert(ledger_is_quiet(&l));
	push(ENTRY_QUERY, 1);
	push(ENTRY_COPY_END, 0);
	push(ENTRY_QUERY, 2);
	replies("CZCZ");
	ck_assert(ledger_is_quiet(&l));
}
END_TEST

START_TEST(the_ring_grows_and_wraps)
{
	uint32_t in = 0, out = 0;

	/* a window that slides and widens: head is anywhere when it grows */
	for (uint32_t width = 1; width < 3000; width += width / 3 + 1) {
		while (in - out < width)
			push(in % 3 ? ENTRY_QUERY : ENTRY_SYNC, in), in++;
		for (uint32_t i = 0; i < width / 2 + 3 && out < in; i++) {
			ck_assert_uint_eq(ledger_head(&l)->tag, out);
			ck_assert_uint_eq(reply('Z', LEDGER_FORWARD).done.tag, out);
			out++;
		}
	}
	while (out < in)
		ck_assert_uint_eq(reply('Z', LEDGER_FORWARD).done.tag, out++);
	ck_assert(ledger_is_quiet(&l));
}
END_TEST

START_TEST(too_much_in_flight_is_refused)
{
	for (uint32_t i = 0; i < LEDGER_MAX; i++)
		push(ENTRY_SYNC, i);
	ck_assert(!ledger_push(&l, ENTRY_SYNC, 0, 0));
	ck_assert(!ledger_push(&l, ENTRY_PARSE, ENTRY_OURS, 0));
	for (uint32_t i = 0; i < LEDGER_MAX; i++)
		ck_assert_uint_eq(reply('Z', LEDGER_FORWARD).done.tag, i);
	push(ENTRY_SYNC, 1);
	replies("Z");
}
END_TEST

int main(void)
{
	Suite *s = suite_create("wire_ledger");
	TCase *t = tcase_create("ledger");
	SRunner *r;
	int failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, every_kind_is_answered);
	tcase_add_test(t, only_three_states_of_ready);
	tcase_add_test(t, a_batch_is_quiet_after_its_sync);
	tcase_add_test(t, an_error_drops_everything_up_to_sync);
	tcase_add_test(t, what_is_sent_later_is_skipped_too);
	tcase_add_test(t, a_query_behind_a_failed_parse_is_not_quiet);
	tcase_add_test(t, a_function_call_ends_the_implicit_transaction);
	tcase_add_test(t, errors_of_query_and_sync_wait_for_ready);
	tcase_add_test(t, ours_are_swallowed);
	tcase_add_test(t, locals_are_taken_in_turn);
	tcase_add_test(t, copy_in_by_simple_query);
	tcase_add_test(t, copy_in_by_execute);
	tcase_add_test(t, a_failed_copy_with_a_sync_inside_is_ambiguous);
	tcase_add_test(t, a_failed_copy_without_sync_is_certain);
	tcase_add_test(t, other_messages_inside_a_copy_are_ambiguous);
	tcase_add_test(t, the_end_of_no_copy_is_ignored);
	tcase_add_test(t, the_ring_grows_and_wraps);
	tcase_add_test(t, too_much_in_flight_is_refused);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? 1 : 0;
}
