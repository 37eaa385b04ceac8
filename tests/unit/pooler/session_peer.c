/* SPDX-License-Identifier: ISC
 *
 * Cancel keys: what is packed comes out again, alone and among peers, and lies where
 * PgBouncer looks for it.
 */
#include "session.h"

#include <check.h>

static void round_trip(int peer, uint32_t number, uint32_t secret)
{
	uint8_t key[8];
	struct cancel_key k;

	cancel_key_pack(key, peer, number, secret);
	cancel_key_unpack(key, peer != 0, &k);
	ck_assert_int_eq(k.peer, peer);
	ck_assert_uint_eq(k.number, number);
	ck_assert_uint_eq(k.secret, secret);
	ck_assert_uint_eq(k.hops, peer ? 3 : 0);
}

START_TEST(alone_all_bits_are_ours)
{
	static const uint32_t values[] = {0, 1, 0x12345678, 0x80000000, 0xFFFFFFFF};

	for (size_t i = 0; i < ARRAY_LEN(values); i++)
		for (size_t j = 0; j < ARRAY_LEN(values); j++)
			round_trip(0, values[i], values[j]);
}
END_TEST

START_TEST(among_peers)
{
	static const int peers[] = {1, 255, 256, 16383};
	static const uint32_t numbers[] = {1, 0xFF, 0x100, 0xFFFF, 0x10000, 0xABCDE, 0xFFFFF};
	static const uint32_t secrets[] = {0, 1, 0x2AAAAAA, 0x1555555, 0x3FFFFFF};

	for (size_t i = 0; i < ARRAY_LEN(peers); i++)
		for (size_t j = 0; j < ARRAY_LEN(numbers); j++)
			for (size_t k = 0; k < ARRAY_LEN(secrets); k++)
				round_trip(peers[i], numbers[j], secrets[k]);
}
END_TEST

/* peer_id in the second and third byte, low byte first; hops in the last two bits. */
START_TEST(pgbouncer_finds_its_way)
{
	uint8_t key[8];

	cancel_key_pack(key, 0x1234, 0xABCDE, 0x3FFFFFF);
	ck_assert_uint_eq(key[1], 0x34);
	ck_assert_uint_eq(key[2], 0x12);
	ck_assert_uint_eq(key[7] & 3, 3);
	cancel_key_pack(key, 1, 1, 0);
	ck_assert_uint_eq(key[0], 0); /* small numbers make positive process ids */
	ck_assert_uint_eq(key[7], 3);
}
END_TEST

/* A client beyond the numbers that fit gets a key that is nobody's. */
START_TEST(numbers_that_do_not_fit)
{
	uint8_t key[8];
	struct cancel_key k;

	cancel_key_pack(key, 1, 0x100000, 5);
	cancel_key_unpack(key, true, &k);
	ck_assert_uint_eq(k.number, 0);
	ck_assert_int_eq(k.peer, 1);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("session_peer");
	TCase *t = tcase_create("peer");
	SRunner *r;
	int failed;

	tcase_add_test(t, alone_all_bits_are_ours);
	tcase_add_test(t, among_peers);
	tcase_add_test(t, pgbouncer_finds_its_way);
	tcase_add_test(t, numbers_that_do_not_fit);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? 1 : 0;
}
