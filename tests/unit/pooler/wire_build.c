/* SPDX-License-Identifier: ISC
 *
 * Messages of our own, byte by byte, and the bodies that we read: errors and tags, cut and
 * corrupted at every byte.
 */
#include "wire.h"

#include <check.h>

static struct buf b;

static void is(const char *bytes, size_t n)
{
	ck_assert_uint_eq(b.len, n);
	ck_assert_mem_eq(b.data, bytes, n);
	ck_assert_uint_eq(wire_message_size(b.data), n);
	b.len = 0;
}

START_TEST(messages_are_as_the_protocol_wants)
{
	wire_put_ready(&b, 'T');
	is("Z\0\0\0\5T", 6);
	wire_put_parameter(&b, "a", "bc");
	is("S\0\0\0\x09"
	   "a\0bc\0",
		10);
	wire_put_key(&b, 0x01020304, 0x05060708);
	is("K\0\0\0\x0c\1\2\3\4\5\6\7\x08", 13);
	wire_put_auth_ok(&b);
	is("R\0\0\0\x08\0\0\0\0", 9);
	wire_put_query(&b, "x");
	is("Q\0\0\0\6x\0", 7);
	wire_put_complete(&b, "BEGIN");
	is("C\0\0\0\x0a"
	   "BEGIN\0",
		11);
	wire_put_bare(&b, '1');
	is("1\0\0\0\4", 5);
	wire_put_error(&b, 'E', "ERROR", "53300", "full", NULL, "wait");
	is("E\0\0\0\x26"
	   "SERROR\0VERROR\0C53300\0Mfull\0Hwait\0\0",
		39);
	buf_free(&b);
}
END_TEST

START_TEST(messages_follow_one_another)
{
	size_t at;

	wire_put_bare(&b, 'H');
	at = wire_begin(&b, 'd');
	buf_put_str(&b, "data");
	wire_end(&b, at);
	wire_put_bare(&b, 'S');
	ck_assert_uint_eq(b.len, 5 + 9 + 5);
	ck_assert_uint_eq(wire_message_size(b.data + 5), 9);
	ck_assert_int_eq(b.data[14], 'S');
	buf_free(&b);
}
END_TEST

START_TEST(a_builder_that_overflows_writes_nothing_outside)
{
	for (size_t cap = 1; cap < 60; cap++) {
		struct buf small = {.cap = cap};

		wire_put_error(&small, 'N', "NOTICE", "00000", "message", "detail", "hint");
		ck_assert_int_eq(small.overflow, cap < 52);
		ck_assert_uint_le(small.len, cap);
		buf_free(&small);
	}
}
END_TEST

START_TEST(lengths_out_of_range)
{
	static const struct {
		uint32_t length, size;
	} cases[] = {{0, 0}, {3, 0}, {4, 5}, {5, 6}, {WIRE_LENGTH_MAX, WIRE_LENGTH_MAX + 1},
		{WIRE_LENGTH_MAX + 1, 0}, {0x80000000, 0}, {0xffffffff, 0}};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		buf_put_u8(&b, 'D');
		buf_put_u32(&b, cases[i].length);
		ck_assert_uint_eq(wire_message_size(b.data), cases[i].size);
		b.len = 0;
	}
	buf_free(&b);
}
END_TEST

START_TEST(errors_are_read_back)
{
	struct wire_error e;

	wire_put_error(&b, 'E', "FATAL", "57P01", "going", "why", "how");
	ck_assert(wire_read_error(b.data + 5, b.len - 5, &e));
	ck_assert_str_eq(e.severity, "FATAL");
	ck_assert_str_eq(e.sqlstate, "57P01");
	ck_assert_str_eq(e.message, "going");
	ck_assert_str_eq(e.detail, "why");
	ck_assert_str_eq(e.hint, "how");
	b.len = 0;
	/* the severity that is not translated wins, wherever it stands; unknown fields pass */
	ck_assert(wire_read_error("Xx\0SFEHLER\0VERROR\0\0", 19, &e));
	ck_assert_str_eq(e.severity, "ERROR");
	ck_assert(wire_read_error("VERROR\0SFEHLER\0\0", 16, &e));
	ck_assert_str_eq(e.severity, "ERROR");
	ck_assert_ptr_null(e.message);
	ck_assert(wire_read_error("", 1, &e));
	buf_free(&b);
}
END_TEST

START_TEST(a_cut_error_is_not_an_error)
{
	struct wire_error e;

	wire_put_error(&b, 'E', "ERROR", "42P01", "relation does not exist", "d", "h");
	for (size_t n = 0; n < b.len - 5; n++) {
		char *copy = mem_alloc(n);

		memcpy(copy, b.data + 5, n);
		ck_assert(!wire_read_error(copy, n, &e));
		free(copy);
	}
	buf_free(&b);
}
END_TEST

START_TEST(garbage_never_reads_outside)
{
	unsigned seed = 1;
	struct wire_error e;

	for (int i = 0; i < 20000; i++) {
		size_t n = (size_t)rand_r(&seed) % 40;
		char *p = mem_alloc(n);

		for (size_t k = 0; k < n; k++)
			p[k] = rand_r(&seed) % 3 ? (char)rand_r(&seed) : '\0';
		if (wire_read_error(p, n, &e) && e.message)
			ck_assert_uint_lt(strlen(e.message), n);
		(void)wire_tag_rows(p, n);
		free(p);
	}
}
END_TEST

START_TEST(rows_of_a_tag)
{
	static const struct {
		const char *tag;
		uint64_t rows;
	} cases[] = {{"SELECT 5", 5}, {"INSERT 0 17", 17}, {"COPY 100000", 100000}, {"BEGIN", 0},
		{"", 0}, {"7", 0}, {" 7", 7}, {"CREATE TABLE", 0}, {"FETCH 0", 0}, {"SELECT", 0},
		{"SELECT ", 0}, {"SELECT 9999999999999999999", 9999999999999999999u},
		{"SELECT 99999999999999999999", 0}, {"LISTEN9", 0}};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		size_t n = strlen(cases[i].tag);

		ck_assert_uint_eq(wire_tag_rows(cases[i].tag, n), cases[i].rows);
		ck_assert_uint_eq(wire_tag_rows(cases[i].tag, n + 1), cases[i].rows);
	}
}
END_TEST

START_TEST(strings_end_before_the_end)
{
	static const char text[] = "one\0\0two";
	const char *p = text, *end = text + sizeof text - 1;

	ck_assert_str_eq(wire_cstr(&p, end), "one");
	ck_assert_str_eq(wire_cstr(&p, end), "");
	ck_assert_ptr_null(wire_cstr(&p, end)); /* its NUL is behind the end */
	ck_assert_ptr_eq(p, text + 5);
	p = end;
	ck_assert_ptr_null(wire_cstr(&p, end));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("wire_build");
	TCase *c = tcase_create("build");
	SRunner *r;
	int failed;

	tcase_add_test(c, messages_are_as_the_protocol_wants);
	tcase_add_test(c, messages_follow_one_another);
	tcase_add_test(c, a_builder_that_overflows_writes_nothing_outside);
	tcase_add_test(c, lengths_out_of_range);
	tcase_add_test(c, errors_are_read_back);
	tcase_add_test(c, a_cut_error_is_not_an_error);
	tcase_add_test(c, garbage_never_reads_outside);
	tcase_add_test(c, rows_of_a_tag);
	tcase_add_test(c, strings_end_before_the_end);
	suite_add_tcase(s, c);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? 1 : 0;
}
