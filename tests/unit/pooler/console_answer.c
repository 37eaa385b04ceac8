/* SPDX-License-Identifier: ISC
 *
 * Rows and columns of the console: text, the binary forms that drivers ask for, and the
 * tables: every row complete, the columns of SHOW QUERIES as obs_report.c has them.
 */
#include "console.h"

#include "obs_queries.h"

#include <check.h>

static unsigned u16_at(const char *p)
{
	return (unsigned)(uint8_t)p[0] << 8 | (uint8_t)p[1];
}

static unsigned u32_at(const char *p)
{
	return u16_at(p) << 16 | u16_at(p + 2);
}

static void make(struct buf *b, int64_t v, const char *text)
{
	struct row r = row_begin(b);

	row_int(&r, v);
	row_text(&r, text);
	row_end(&r);
}

START_TEST(a_row_in_text)
{
	struct buf b = {0};

	make(&b, -42, NULL);
	ck_assert_uint_eq(b.len, 5 + 2 + 4 + 3 + 4);
	ck_assert_int_eq(b.data[0], 'D');
	ck_assert_uint_eq(u32_at(b.data + 1), b.len - 1);
	ck_assert_uint_eq(u16_at(b.data + 5), 2);
	ck_assert_mem_eq(b.data + 11, "-42", 3);
	ck_assert_uint_eq(u32_at(b.data + 14), UINT32_MAX);
	buf_free(&b);
}
END_TEST

START_TEST(integers_in_binary)
{
	struct buf b = {0}, out = {0};
	uint16_t binary = 1;

	make(&b, -2, "x");
	answer_put_row(&out, b.data, b.len, "a i, b s", &binary, 1);
	ck_assert_uint_eq(u32_at(out.data + 7), 4);
	ck_assert_uint_eq(u32_at(out.data + 11), UINT32_MAX - 1);
	ck_assert_mem_eq(out.data + 19, "x", 1);
	out.len = 0;
	answer_put_row(&out, b.data, b.len, "a q, b s", &binary, 1);
	ck_assert_uint_eq(u32_at(out.data + 7), 8);
	ck_assert_uint_eq(u32_at(out.data + 15), UINT32_MAX - 1);
	buf_free(&b);
	buf_free(&out);
}
END_TEST

static void numeric(int64_t v, unsigned digits, unsigned weight, const unsigned *want)
{
	struct buf b = {0}, out = {0};
	uint16_t binary = 1;

	make(&b, v, "");
	answer_put_row(&out, b.data, b.len, "a N, b s", &binary, 1);
	ck_assert_uint_eq(u32_at(out.data + 7), 8 + 2 * digits);
	ck_assert_uint_eq(u16_at(out.data + 11), digits);
	ck_assert_uint_eq(u16_at(out.data + 13), weight);
	ck_assert_uint_eq(u16_at(out.data + 15), v < 0 ? 0x4000 : 0);
	for (unsigned i = 0; i < digits; i++)
		ck_assert_uint_eq(u16_at(out.data + 19 + 2 * i), want[i]);
	buf_free(&b);
	buf_free(&out);
}

START_TEST(numerics_in_binary)
{
	numeric(0, 0, 0, NULL);
	numeric(7, 1, 0, (unsigned[]){7});
	numeric(10000, 1, 1, (unsigned[]){1});
	numeric(-123456789, 3, 2, (unsigned[]){1, 2345, 6789});
	numeric(INT64_MAX, 5, 4, (unsigned[]){922, 3372, 368, 5477, 5807});
}
END_TEST

START_TEST(one_format_a_column)
{
	struct buf b = {0}, out = {0};
	uint16_t formats[] = {0, 1};

	make(&b, 5, "6");
	answer_put_row(&out, b.data, b.len, "a i, b i", formats, 2);
	ck_assert_uint_eq(u32_at(out.data + 7), 1);
	ck_assert_uint_eq(u32_at(out.data + 12), 4);
	ck_assert_uint_eq(u32_at(out.data + 16), 6);
	buf_free(&b);
	buf_free(&out);
}
END_TEST

START_TEST(rows_of_the_tables_are_complete)
{
	const struct console_row *tables[] = {console_shows, console_commands};

	for (size_t k = 0; k < ARRAY_LEN(tables); k++)
		for (const struct console_row *r = tables[k]; r->name; r++) {
			struct buf out = {0};

			ck_assert_ptr_nonnull(r->run);
			ck_assert_ptr_nonnull(r->help);
			ck_assert(r->min_args <= r->max_args);
			ck_assert(r->max_args == 0 || r->args);
			for (const struct console_row *o = tables[k]; o != r; o++)
				ck_assert_str_ne(o->name, r->name);
			if (!r->columns)
				continue;
			answer_put_description(&out, r->columns, NULL, 0);
			ck_assert_uint_eq(u16_at(out.data + 5), columns_count(r->columns));
			buf_free(&out);
		}
}
END_TEST

START_TEST(queries_has_the_columns_of_its_report)
{
	const struct console_row *r = console_shows;
	struct buf want = {0};

	while (strcmp(r->name, "queries") != 0)
		r++;
	for (size_t i = 0; i < query_column_count; i++)
		buf_printf(&want, "%s%s %c", i ? ", " : "", query_columns[i].name,
			query_columns[i].number ? 'q' : 's');
	ck_assert_str_eq(buf_cstr(&want), r->columns);
	buf_free(&want);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("console_answer");
	TCase *t = tcase_create("answers");
	SRunner *r;
	int failed;

	tcase_add_test(t, a_row_in_text);
	tcase_add_test(t, integers_in_binary);
	tcase_add_test(t, numerics_in_binary);
	tcase_add_test(t, one_format_a_column);
	tcase_add_test(t, rows_of_the_tables_are_complete);
	tcase_add_test(t, queries_has_the_columns_of_its_report);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? 1 : 0;
}
