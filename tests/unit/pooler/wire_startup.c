/* SPDX-License-Identifier: ISC
 *
 * The first packets: every split of every packet, every wrong length, garbage.
 */
#include "wire_startup.h"

#include <check.h>

static struct buf packet;

static const char *hold(void)
{
	return packet.data;
}

/* A packet with `body` behind its length and code. */
static void build(uint32_t code, const void *body, size_t n)
{
	packet.len = 0;
	buf_put_u32(&packet, (uint32_t)(8 + n));
	buf_put_u32(&packet, code);
	buf_put(&packet, body, n);
}

static enum startup_kind parse(struct startup *s)
{
	return startup_parse(hold(), packet.len, s);
}

/* What is parsed from exactly n bytes, in memory of exactly that size (ASan watches). */
static enum startup_kind parse_prefix(size_t n, struct startup *s)
{
	char *copy = mem_alloc(n);
	enum startup_kind kind;

	memcpy(copy, packet.data, n);
	kind = startup_parse(copy, n, s);
	free(copy);
	return kind;
}

/* the literal's own NUL is the closing one */
static const char session_body[] = "user\0app\0database\0shop\0application_name\0psql\0";

START_TEST(every_packet_at_every_split_is_the_same)
{
	static const struct {
		uint32_t code;
		const char *body;
		size_t len;
		enum startup_kind kind;
	} cases[] = {
		{80877103, "", 0, STARTUP_SSL},
		{80877104, "", 0, STARTUP_GSSENC},
		{80877102, "\0\0\1\2\xa\xb\xc\xd", 8, STARTUP_CANCEL},
		{196608, session_body, sizeof session_body, STARTUP_SESSION},
		{196610, session_body, sizeof session_body, STARTUP_SESSION},
		{196608, "", 1, STARTUP_SESSION},
	};
	struct startup s;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		build(cases[i].code, cases[i].body, cases[i].len);
		for (size_t n = 0; n < packet.len; n++)
			ck_assert_int_eq(parse_prefix(n, &s), STARTUP_MORE);
		ck_assert_int_eq(parse_prefix(packet.len, &s), cases[i].kind);
		ck_assert_uint_eq(s.used, packet.len);
		/* bytes behind it change nothing */
		buf_put(&packet, "Q\0\0\0\5", 5);
		ck_assert_int_eq(parse(&s), cases[i].kind);
		ck_assert_uint_eq(s.used, packet.len - 5);
	}
}
END_TEST

START_TEST(parameters_are_found)
{
	struct startup s;
	const char *name, *value;
	size_t pos = 0, n = 0;

	build(196608, session_body, sizeof session_body);
	ck_assert_int_eq(parse(&s), STARTUP_SESSION);
	ck_assert_uint_eq(s.minor, 0);
	ck_assert_str_eq(params_get(s.params, s.params_len, "user"), "app");
	ck_assert_str_eq(params_get(s.params, s.params_len, "DataBase"), "shop");
	ck_assert_ptr_null(params_get(s.params, s.params_len, "replication"));
	while (params_next(s.params, s.params_len, &pos, &name, &value))
		n++;
	ck_assert_uint_eq(n, 3);
}
END_TEST

START_TEST(the_last_of_two_counts)
{
	struct startup s;

	build(196608, "user\0a\0user\0b\0", 15);
	ck_assert_int_eq(parse(&s), STARTUP_SESSION);
	ck_assert_str_eq(params_get(s.params, s.params_len, "user"), "b");
}
END_TEST

START_TEST(lengths_are_judged_before_they_are_used)
{
	static const uint32_t lengths[] = {0, 1, 3, 4, 7, STARTUP_MAX + 1, 0xffff, 0x10000,
		0x7fffffff, 0x80000000, 0xffffffff};
	struct startup s;

	for (size_t i = 0; i < ARRAY_LEN(lengths); i++) {
		packet.len = 0;
		buf_put_u32(&packet, lengths[i]);
		buf_put_u32(&packet, 196608);
		ck_assert_msg(parse(&s) == STARTUP_BAD, "length %u", lengths[i]);
		ck_assert_ptr_nonnull(s.error);
	}
	/* a first byte that cannot be is known at once */
	ck_assert_int_eq(startup_parse("\1", 1, &s), STARTUP_BAD);
	ck_assert_int_eq(startup_parse("G", 1, &s), STARTUP_BAD);
	ck_assert_int_eq(startup_parse("\x16", 1, &s), STARTUP_TLS);
	ck_assert_int_eq(startup_parse("", 0, &s), STARTUP_MORE);
}
END_TEST

START_TEST(the_largest_packet_is_taken)
{
	struct startup s;
	char *body = mem_zalloc(STARTUP_MAX - 8);

	memset(body, 'x', STARTUP_MAX - 8);
	body[4] = '\0';
	body[STARTUP_MAX - 8 - 2] = body[STARTUP_MAX - 8 - 1] = '\0';
	build(196608, body, STARTUP_MAX - 8);
	ck_assert_int_eq(parse(&s), STARTUP_SESSION);
	ck_assert_uint_eq(strlen(params_get(s.params, s.params_len, "xxxx")), STARTUP_MAX - 8 - 7);
	free(body);
}
END_TEST

START_TEST(layouts_without_their_ends_are_refused)
{
	static const struct {
		const char *body;
		size_t len;
	} bodies[] = {
		{"", 0},
		{"user", 4},
		{"user\0", 5},
		{"user\0app", 8},
		{"user\0app\0", 9},
		{"user\0app\0\0x", 11},
		{"user\0app\0\0\0", 11},
		{"\0\0", 2},
		{"user\0app\0database\0", 18},
	};
	struct startup s;

	for (size_t i = 0; i < ARRAY_LEN(bodies); i++) {
		build(196608, bodies[i].body, bodies[i].len);
		ck_assert_msg(parse_prefix(packet.len, &s) == STARTUP_BAD, "body %zu", i);
	}
}
END_TEST

START_TEST(other_protocols_are_refused)
{
	static const uint32_t codes[] = {0, 131072, 65536, 262144, 80877101, 80877105, 0xffffffff};
	struct startup s;

	for (size_t i = 0; i < ARRAY_LEN(codes); i++) {
		build(codes[i], "", 1);
		ck_assert_msg(parse(&s) == STARTUP_BAD, "code %u", codes[i]);
	}
	build(80877103, "x", 1);
	ck_assert_int_eq(parse(&s), STARTUP_BAD);
	build(80877104, "x", 1);
	ck_assert_int_eq(parse(&s), STARTUP_BAD);
}
END_TEST

START_TEST(cancel_keys_may_be_longer)
{
	uint8_t body[4 + STARTUP_CANCEL_KEY_MAX + 1] = {0, 0, 0, 42};
	struct startup s;

	build(80877102, body, 8);
	ck_assert_int_eq(parse(&s), STARTUP_CANCEL);
	ck_assert_uint_eq(s.cancel_pid, 42);
	ck_assert_uint_eq(s.cancel_key_len, 4);
	build(80877102, body, 4 + STARTUP_CANCEL_KEY_MAX);
	ck_assert_int_eq(parse(&s), STARTUP_CANCEL);
	ck_assert_uint_eq(s.cancel_key_len, STARTUP_CANCEL_KEY_MAX);
	build(80877102, body, sizeof body);
	ck_assert_int_eq(parse(&s), STARTUP_BAD);
	for (size_t n = 0; n < 8; n++) {
		build(80877102, body, n);
		ck_assert_int_eq(parse(&s), STARTUP_BAD);
	}
}
END_TEST

START_TEST(newer_protocols_are_negotiated_down)
{
	static const char want[] = "v\0\0\0\x1d\0\3\0\0\0\0\0\1_pq_.command_tag";
	struct buf out = {0};
	struct startup s;

	build(196608, session_body, sizeof session_body);
	ck_assert_int_eq(parse(&s), STARTUP_SESSION);
	startup_put_negotiation(&out, &s);
	ck_assert_uint_eq(out.len, 0);
	build(196610, session_body, sizeof session_body);
	ck_assert_int_eq(parse(&s), STARTUP_SESSION);
	ck_assert_uint_eq(s.minor, 2);
	startup_put_negotiation(&out, &s);
	ck_assert_uint_eq(out.len, 13);
	ck_assert_mem_eq(out.data, "v\0\0\0\xc\0\3\0\0\0\0\0\0", 13);
	out.len = 0;
	build(196608, "user\0a\0_pq_.command_tag\0on\0", 28);
	ck_assert_int_eq(parse(&s), STARTUP_SESSION);
	ck_assert_uint_eq(s.pq_options, 1);
	startup_put_negotiation(&out, &s);
	ck_assert_uint_eq(out.len, sizeof want);
	ck_assert_mem_eq(out.data, want, sizeof want);
	buf_free(&out);
}
END_TEST

static void check_options(const char *text, const char *want)
{
	struct buf name = {0}, value = {0}, got = {0};
	int rc;

	while ((rc = startup_option_next(&text, &name, &value)) > 0)
		buf_printf(&got, "%s=%s;", name.data, value.data);
	if (rc < 0)
		buf_put_str(&got, "!");
	ck_assert_str_eq(buf_cstr(&got), want);
	buf_free(&name);
	buf_free(&value);
	buf_free(&got);
}

START_TEST(options_are_unfolded)
{
	check_options("", "");
	check_options("   ", "");
	check_options("-c a=b", "a=b;");
	check_options("-ca=b", "a=b;");
	check_options("  -c  a=b --c-d=e ", "a=b;c_d=e;");
	check_options("-c a=b\\ c\\\\", "a=b c\\;");
	check_options("-c a=b=c", "a=b=c;");
	check_options("-c a=", "a=;");
	check_options("-c a", "!");
	check_options("-c", "!");
	check_options("-c =x", "!");
	check_options("-d 5", "!");
	check_options("a=b", "!");
	check_options("-c a=b -x", "a=b;!");
	check_options("--", "!");
	check_options("-c a=b\\", "a=b\\;");
}
END_TEST

START_TEST(garbage_never_reads_outside)
{
	uint64_t seed = 88172645463325252u;
	uint8_t bytes[64];
	struct startup s;

	for (int i = 0; i < 200000; i++) {
		size_t n;
		for (size_t k = 0; k < sizeof bytes; k++) {
			seed ^= seed << 13;
			seed ^= seed >> 7;
			seed ^= seed << 17;
			bytes[k] = (uint8_t)(seed % 3 ? seed >> 20 & 3 : seed >> 40);
		}
		n = seed % sizeof bytes;
		bytes[0] = bytes[1] = bytes[2] = 0;
		packet.len = 0;
		buf_put(&packet, bytes, n);
		if (parse_prefix(n, &s) == STARTUP_SESSION)
			ck_assert_uint_le(s.params_len, n);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("wire_startup");
	TCase *tc = tcase_create("startup");
	SRunner *runner;
	int failed;

	tcase_add_test(tc, every_packet_at_every_split_is_the_same);
	tcase_add_test(tc, parameters_are_found);
	tcase_add_test(tc, the_last_of_two_counts);
	tcase_add_test(tc, lengths_are_judged_before_they_are_used);
	tcase_add_test(tc, the_largest_packet_is_taken);
	tcase_add_test(tc, layouts_without_their_ends_are_refused);
	tcase_add_test(tc, other_protocols_are_refused);
	tcase_add_test(tc, cancel_keys_may_be_longer);
	tcase_add_test(tc, newer_protocols_are_negotiated_down);
	tcase_add_test(tc, options_are_unfolded);
	tcase_add_test(tc, garbage_never_reads_outside);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
