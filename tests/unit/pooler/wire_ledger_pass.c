/* SPDX-License-Identifier: ISC
 *
 * ledger_pass(), the short way, against ledger_reply(), the long one: whatever is owed and
 * whatever comes, also cut and with lengths that cannot be, what the short way takes the long
 * way forwards, and both ledgers are the same afterwards.
 */
#include "wire_ledger.h"

#include <check.h>

static uint64_t seed;

static unsigned pick(unsigned n)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (unsigned)(seed >> 20) % n;
}

/* Check writes to a pipe for each ck_assert, which is too slow for millions. */
static void must(bool yes, const char *what)
{
	if (!yes)
		ck_abort_msg("%s", what);
}

static void ignore(void *ctx, const struct entry *e)
{
	(void)ctx;
	(void)e;
}

static void put(struct buf *b, char type, size_t body)
{
	size_t at = wire_begin(b, type);

	for (size_t i = 0; i < body; i++)
		buf_put_u8(b, type == 'Z' ? 'I' : (uint8_t)pick(256));
	wire_end(b, at);
}

static void owe(struct ledger *a, struct ledger *b, enum entry_kind kind, unsigned flags)
{
	must(ledger_push(a, kind, flags, 0) && ledger_push(b, kind, flags, 0), "no room");
}

static void same(const struct ledger *a, const struct ledger *b)
{
	must(a->len == b->len && a->state.all == b->state.all, "not the same state");
	for (uint32_t i = 0; i < a->len; i++)
		must(ledger_at(a, i)->kind == ledger_at(b, i)->kind, "not the same entries");
}

/* Walks the stream with `fast` the short way as far as that goes, with `slow` the long one.
 * Answers how many bytes the short way took. */
static size_t walk(struct ledger *fast, struct ledger *slow, const char *p, size_t n)
{
	struct ledger_event ev;
	size_t passed = 0, at = 0;

	while (n - at >= WIRE_HEADER) {
		uint32_t left = 0;
		size_t took = ledger_pass(fast, p + at, n - at, &left), end = at + took;
		uint32_t size;

		must(took <= n - at, "more than there is");
		passed += took;
		while (at < end) { /* message by message */
			size = wire_message_size(p + at);
			must(size > 0, "took a length that cannot be");
			must(ledger_reply(slow, p[at], '?', &ev, ignore, NULL) == LEDGER_FORWARD,
				"took what the client must not see");
			if (at + size > end) { /* the last one, cut */
				must(end == n && left == at + size - end, "the rest of a cut one");
				at = end;
			} else {
				at += size;
			}
		}
		same(fast, slow);
		if (n - at < WIRE_HEADER || !(size = wire_message_size(p + at)) || size > n - at)
			break;
		if (ledger_reply(fast, p[at], p[at + 5], &ev, ignore, NULL) == LEDGER_UNEXPECTED)
			break;
		must(ledger_reply(slow, p[at], p[at + 5], &ev, ignore, NULL) != LEDGER_UNEXPECTED,
			"out of step one way only");
		same(fast, slow);
		at += size;
	}
	return passed;
}

START_TEST(agrees_with_the_long_way)
{
	static const char types[] = "DDDDCCTT12123nsIZZtEGHdcNSA@\x01\xff";
	size_t passed = 0, sent = 0;

	for (seed = 1; seed < 1 + 40000; seed++) {
		uint64_t number = seed;
		struct ledger a, b;
		struct buf stream = {0};
		size_t n;

		seed = seed * 0x9E3779B97F4A7C15u + 1;
		ledger_init(&a);
		ledger_init(&b);
		for (unsigned i = pick(12); i > 0; i--)
			owe(&a, &b, pick(ENTRY_COPY_END + (pick(4) == 0)),
				pick(8) ? 0 : ENTRY_OURS | ENTRY_TAGGED);
		for (unsigned i = 1 + pick(20); i > 0; i--) {
			char type = types[pick(sizeof types - 1)];

			if (a.len && pick(3)) /* mostly what fits */
				type = "Z@12tTC3Z@"[ledger_at(&a, pick(a.len))->kind];
			put(&stream, type, type == 'Z' ? 1 : pick(40));
			if (pick(30) == 0)
				memset(stream.data + stream.len - WIRE_HEADER, 0xff, 3);
		}
		n = pick(4) ? stream.len : pick((unsigned)stream.len);
		passed += walk(&a, &b, stream.data, n);
		sent += n;
		buf_free(&stream);
		ledger_release(&a);
		ledger_release(&b);
		seed = number;
	}
	ck_assert_uint_gt(passed, sent / 50); /* else nothing was compared */
}
END_TEST

/* Makes of ledger_pass_answer() what ledger_reply() makes of the same bytes, or nothing at all. */
START_TEST(an_answer_agrees_with_the_long_way)
{
	static const char types[] = "TDDDCIHdcZ1EGN@\x04\x84";
	unsigned passed = 0;

	for (seed = 1; seed < 1 + 40000; seed++) {
		uint64_t number = seed;
		struct ledger a, b;
		struct buf stream = {0};
		struct ledger_event ev;
		bool took;

		seed = seed * 0x9E3779B97F4A7C15u + 1;
		ledger_init(&a);
		ledger_init(&b);
		if (pick(2)) /* mostly a batch, with what is part of its answer */
			for (unsigned i = pick(5); i > 0; i--) {
				unsigned kind = pick(pick(8) ? ENTRY_SYNC : ENTRY_COPY_END + 1);

				owe(&a, &b, kind, pick(16) ? 0 : ENTRY_OURS);
				if (kind == ENTRY_EXECUTE)
					put(&stream, 'D', pick(40));
				put(&stream, "Z@12tTC3Z@"[kind], pick(40));
			}
		owe(&a, &b, pick(8) ? ENTRY_QUERY : pick(ENTRY_COPY_END), pick(8) ? 0 : ENTRY_OURS);
		if (pick(8) == 0)
			owe(&a, &b, pick(ENTRY_COPY_END), 0);
		for (unsigned i = pick(6); i > 0; i--) {
			put(&stream, types[pick(pick(8) ? 9 : sizeof types - 1)], pick(40));
			if (pick(30) == 0)
				memset(stream.data + stream.len - WIRE_HEADER, 0xff, 3);
		}
		put(&stream, pick(8) ? 'Z' : 'C', pick(8) ? 1 : pick(4));
		took = ledger_pass_answer(&a, stream.data, stream.len - (pick(8) == 0));
		for (size_t at = 0; took && at < stream.len;
			at += wire_message_size(stream.data + at))
			must(ledger_reply(&b, stream.data[at], stream.data[at + 5], &ev, ignore,
				     NULL) == LEDGER_FORWARD,
				"took what the client must not see");
		same(&a, &b);
		must(!took || a.len == 0, "something is still owed");
		passed += took;
		buf_free(&stream);
		ledger_release(&a);
		ledger_release(&b);
		seed = number;
	}
	ck_assert_uint_gt(passed, 5000); /* else nothing was compared */
}
END_TEST

/* What applications do all day goes the short way from end to end, wherever it is cut. */
START_TEST(takes_all_of_plain_answers)
{
	struct ledger l;
	struct buf stream = {0};

	for (int i = 0; i < 3; i++) {
		put(&stream, '1', 0);
		put(&stream, '2', 0);
		put(&stream, 'T', 30);
		for (int row = 0; row < 5; row++)
			put(&stream, 'D', (size_t)row * 3);
		put(&stream, 'C', 9);
	}
	for (size_t n = 0; n <= stream.len; n++) {
		uint32_t left = 0;
		size_t took;

		ledger_init(&l);
		for (int i = 0; i < 3; i++)
			ck_assert(ledger_push(&l, ENTRY_PARSE, 0, 0) &&
				  ledger_push(&l, ENTRY_BIND, 0, 0) &&
				  ledger_push(&l, ENTRY_DESCRIBE_PORTAL, 0, 0) &&
				  ledger_push(&l, ENTRY_EXECUTE, 0, 0));
		took = ledger_pass(&l, stream.data, n, &left);
		ck_assert_uint_le(took, n);
		/* what is left is the beginning of a message that ends an answer, or a part of a
		 * header */
		if (took < n)
			ck_assert(n - took < WIRE_HEADER || strchr("12TC", stream.data[took]));
		if (n == stream.len)
			ck_assert(took == n && l.len == 0 && left == 0);
		ledger_release(&l);
	}
	buf_free(&stream);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("wire_ledger_pass");
	TCase *t = tcase_create("pass");
	SRunner *r;
	int failed;

	tcase_add_test(t, agrees_with_the_long_way);
	tcase_add_test(t, an_answer_agrees_with_the_long_way);
	tcase_add_test(t, takes_all_of_plain_answers);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
