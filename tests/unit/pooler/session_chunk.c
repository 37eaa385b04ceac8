/* SPDX-License-Identifier: ISC
 *
 * Borrowed buffers: bytes come out as they went in, whatever the sizes; what is lent is
 * accounted for to the byte.  And gather, against plain concatenation.
 */
#include "session.h"
#include "session_gather.h"

#include <check.h>

static struct chunk_store st;
static uint64_t process;

static void setup(void)
{
	process = 0;
	memset(&st, 0, sizeof st);
	st.process = &process;
}

static void teardown(void)
{
	ck_assert_uint_eq(st.lent, 0);
	ck_assert_uint_eq(process + (uint64_t)st.untold, 0);
	chunk_trim(&st);
	chunk_trim(&st);
}

START_TEST(bytes_come_out_as_they_went_in)
{
	static char input[200000];
	unsigned seed = 31 + (unsigned)_i;
	struct chunk *c = NULL;
	size_t put = 0, taken = 0;

	for (size_t i = 0; i < sizeof input; i++)
		input[i] = (char)(i * 2654435761u >> 24);
	while (taken < sizeof input) {
		size_t n = (size_t)rand_r(&seed) % (rand_r(&seed) % 8 ? 700 : 9000);

		if (n > sizeof input - put)
			n = sizeof input - put;
		chunk_append(&st, &c, input + put, n);
		put += n;
		ck_assert_uint_eq(chunk_left(c), put - taken);
		n = (size_t)rand_r(&seed) % (rand_r(&seed) % 6 ? 600 : 12000);
		if (n > chunk_left(c))
			n = chunk_left(c);
		ck_assert_mem_eq(c->data + c->off, input + taken, n);
		c->off += (uint32_t)n;
		taken += n;
		if (chunk_left(c) == 0 && rand_r(&seed) % 2)
			chunk_free(&st, &c);
	}
	chunk_free(&st, &c);
	chunk_free(&st, &c);
	ck_assert_uint_eq(chunk_left(c), 0);
}
END_TEST

START_TEST(room_is_really_there)
{
	for (size_t room = 1; room < 150000; room += room / 7 + 1) {
		struct chunk *c = NULL;

		chunk_reserve(&st, &c, room);
		ck_assert_uint_ge(c->size - c->len, room);
		memset(c->data + c->len, 'x', room);
		c->len += (uint32_t)room;
		c->off = (uint32_t)room / 2;
		chunk_reserve(&st, &c, room);
		ck_assert_uint_eq(chunk_left(c), room - room / 2);
		memset(c->data + c->len, 'y', room);
		ck_assert_int_eq(c->data[c->off], 'x');
		chunk_free(&st, &c);
	}
}
END_TEST

START_TEST(what_is_given_back_is_lent_again)
{
	struct chunk *a = NULL, *first, *many[600] = {NULL};

	chunk_append(&st, &a, "x", 1);
	first = a;
	ck_assert_uint_eq(st.lent, 512);
	chunk_free(&st, &a);
	chunk_append(&st, &a, "y", 1);
	ck_assert_ptr_eq(a, first);
	chunk_free(&st, &a);
	/* the free list is bounded */
	for (size_t i = 0; i < ARRAY_LEN(many); i++)
		chunk_append(&st, &many[i], "x", 1);
	ck_assert_uint_eq(st.lent, 512 * ARRAY_LEN(many));
	ck_assert_uint_eq(process + (uint64_t)st.untold, st.lent);
	ck_assert_uint_gt(process, 0);
	for (size_t i = 0; i < ARRAY_LEN(many); i++)
		chunk_free(&st, &many[i]);
	ck_assert_uint_lt(st.count[0], ARRAY_LEN(many));
}
END_TEST

START_TEST(gathering_is_concatenation)
{
	unsigned seed = 41;
	char input[256];
	struct buf copy = {0}, want = {0};

	for (size_t i = 0; i < sizeof input; i++)
		input[i] = (char)i;
	for (int round = 0; round < 5000; round++) {
		struct gather g = {.copy = &copy};
		size_t at = 0, n;
		const char *out;
		bool gap = false;

		want.len = copy.len = 0;
		while (at < sizeof input) {
			n = (size_t)rand_r(&seed) % 60 + 1;
			if (n > sizeof input - at)
				n = sizeof input - at;
			switch (rand_r(&seed) % 4) {
			case 0: /* swallowed */
				gap = true;
				break;
			case 1:
				gap = true;
				buf_put_str(gather_insert(&g), "mine");
				buf_put_str(&want, "mine");
				break;
			default:
				gather_add(&g, input + at, n);
				buf_put(&want, input + at, n);
			}
			at += n;
		}
		n = gather_end(&g, &out);
		ck_assert_uint_eq(n, want.len);
		if (n)
			ck_assert_mem_eq(out, want.data, n);
		if (!gap)
			ck_assert_ptr_eq(out, input); /* nothing was copied */
	}
	buf_free(&copy);
	buf_free(&want);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("session_chunk");
	TCase *t = tcase_create("chunk");
	SRunner *r;
	int failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_loop_test(t, bytes_come_out_as_they_went_in, 0, 5);
	tcase_add_test(t, room_is_really_there);
	tcase_add_test(t, what_is_given_back_is_lent_again);
	tcase_add_test(t, gathering_is_concatenation);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? 1 : 0;
}
