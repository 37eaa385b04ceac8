/* SPDX-License-Identifier: ISC
 *
 * sql_lex: which statements share a shape, which do not, and that no bytes break it.
 */
#include "sql_lex.h"
#include "sql_memo.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *norm(const char *sql, struct sql_shape *s)
{
	static char text[4096];
	size_t n = sql_lex(sql, strlen(sql), s, text, sizeof(text) - 1);

	text[n] = '\0';
	return text;
}

static const struct {
	const char *sql, *norm;
} texts[] = {
	{"SELECT * FROM T WHERE id = 1", "select * from t where id = ?"},
	{"select *\n from t -- c\n where ID=$1;", "select * from t where id = ?"},
	{"select a from t where b in (1,2,3) and c in ($1)",
		"select a from t where b in (...) and c in (...)"},
	{"select a from t where (b,c) in ((1,2),(3,4))",
		"select a from t where (b, c) in ((?, ?))"},
	{"select a from t where b in (select c from d where e = 'x')",
		"select a from t where b in (select c from d where e = ?)"},
	{"insert into t(a) values (1)", "insert into t(a) values (?)"},
	{"insert into t(a,b) values (1,'x'), (2,default) , (3,'y')",
		"insert into t(a, b) values (?, ?), (?, default), (?, ?)"},
	{"insert into t(a,b) values (1,'x'),(2,'y') on conflict do nothing",
		"insert into t(a, b) values (?, ?), ... on conflict do nothing"},
	{"select $$it's$$, E'a\\'b', U&'x', * from t where x='o''brien'",
		"select ?, ?, ?, * from t where x = ?"},
	{"select a -5, -5, a - -5.0e-3, 0x1F from t", "select a - ?, ?, a - ?, ? from t"},
	{"savepoint \"s140_x1\"", "savepoint ?"},
	{"ROLLBACK TO SAVEPOINT active_record_1", "rollback to savepoint ?"},
	{"select 1 where a=%s and b = ? and c = :name and d::text = x",
		"select ? where a = ? and b = ? and c = ? and d::text = x"},
	{"select array[1,2,3], x[1], f(1,2)", "select array[...], x[?], f(?, ?)"},
	{"select t.\"Limit\", t.limit from t", "select t.\"Limit\", t.limit from t"},
	{"/* a /* nested */ b */ select 1", "select ?"},
	{"", ""},
	{" ; ;", ""},
};

START_TEST(shape_text)
{
	struct sql_shape s;

	ck_assert_str_eq(norm(texts[_i].sql, &s), texts[_i].norm);
	ck_assert(s.hash != 0);
}
END_TEST

static const struct {
	const char *a, *b;
	bool same;
} pairs[] = {
	{"select 1 from t where a = 1", "SELECT 2 FROM t WHERE a='x'", true},
	{"select 1 from t where a in (1)", "select 1 from t where a in (1,2,3)", true},
	{"select 1 from t where a = 1", "select 1 from t where a in (1)", false},
	{"select 1 from t where a = $1", "select 1 from t where a = any($1)", false},
	{"select 1 from t where a like 'x%'", "select 1 from t where a like 'yy%'", true},
	{"select 1 from t where a like 'x%'", "select 1 from t where a like '%x'", false},
	{"select 1 from t where a ~ '^x'", "select 1 from t where a ~ 'x'", false},
	{"select a->>'k' from t", "select a->>'j' from t", false},
	{"select 1 from t limit 5", "select 1 from t limit all", false},
	{"insert into t values (1)", "insert into t values (1),(2)", false},
	{"insert into t values (1),(2)", "insert into t values (1),(2),(3)", true},
	{"select '1'::date", "select '1'::int", false},
	{"select a is null", "select a is true", false},
};

START_TEST(shape_identity)
{
	struct sql_shape a, b;

	norm(pairs[_i].a, &a);
	norm(pairs[_i].b, &b);
	ck_assert_msg((a.hash == b.hash) == pairs[_i].same, "%s | %s", pairs[_i].a, pairs[_i].b);
}
END_TEST

START_TEST(shape_facts)
{
	struct sql_shape s;

	norm("SELECT * FROM t JOIN u USING (id) WHERE a > 1 ORDER BY 1 LIMIT 10 OFFSET 50000", &s);
	ck_assert_int_eq(s.verb, SQL_SELECT);
	ck_assert_int_eq(s.limit, 10);
	ck_assert_int_eq(s.offset, 50000);
	ck_assert(s.traits & SQL_HAS_STAR);
	ck_assert(s.traits & SQL_HAS_JOIN);
	norm("select a from t limit all", &s);
	ck_assert_int_eq(s.limit, SQL_ABSENT);
	ck_assert(!(s.traits & SQL_HAS_LIMIT));
	norm("select a from t order by a fetch first 3 rows only", &s);
	ck_assert_int_eq(s.limit, 3);
	norm("select a from t where x in (select 1 from u limit 5) limit $2", &s);
	ck_assert_int_eq(s.limit, SQL_PARAM);
	ck_assert_int_eq(s.params, 2);
	norm("with a as (select 1) update t set b = 1 for update", &s);
	ck_assert_int_eq(s.verb, SQL_UPDATE);
	ck_assert(s.traits & SQL_HAS_FOR_UPDATE);
	norm("insert into t values (1),(2),(3)", &s);
	ck_assert_int_eq(s.rows, 3);
	norm("select 1; select 2;", &s);
	ck_assert_int_eq(s.statements, 2);
	ck_assert(s.traits & SQL_IS_MULTI);
	norm("select 'cut", &s);
	ck_assert(s.traits & SQL_IS_TRUNCATED);
	norm("alter role a password 'x'", &s);
	ck_assert(s.traits & SQL_HAS_PASSWORD);
}
END_TEST

START_TEST(hash_is_independent_of_window)
{
	/* Two spellings of a statement larger than the lexer's window. */
	size_t n = 40000, len = 0;
	char *a = malloc(n * 8), *b = malloc(n * 8);
	struct sql_shape sa, sb;

	len = (size_t)snprintf(a, n * 8, "SELECT ");
	size_t lenb = (size_t)snprintf(b, n * 8, "select/**/");
	for (int i = 0; i < 6000; i++) {
		len += (size_t)snprintf(a + len, n * 8 - len, "Column_%d, ", i);
		lenb += (size_t)snprintf(b + lenb, n * 8 - lenb, "column_%d  ,", i);
	}
	sql_lex(a, len, &sa, NULL, 0);
	sql_lex(b, lenb, &sb, NULL, 0);
	ck_assert(sa.hash == sb.hash);
	free(a);
	free(b);
}
END_TEST

START_TEST(literals_are_placed)
{
	const char *q = "select * from t where a = 'x' and b in (1, -2)";
	struct sql_place lit[8];
	struct sql_shape s, t;
	size_t n;

	sql_lex_places(q, strlen(q), &s, NULL, 0, lit, 8, &n);
	ck_assert_uint_eq(n, 3);
	ck_assert(memcmp(q + lit[0].off, "'x'", lit[0].len) == 0 && lit[0].len == 3);
	ck_assert(memcmp(q + lit[2].off, "-2", 2) == 0 && lit[2].len == 2);
	norm("select * from t where a = 'y' and b in (1, -2)", &t);
	ck_assert(s.hash == t.hash && s.lit_hash != t.lit_hash);
}
END_TEST

START_TEST(any_bytes)
{
	unsigned seed = 7;
	static const char alphabet[] = "'\"$()[]-/*;:.,eEuU&%?\\ 1ainvalues\n\0x";

	for (int round = 0; round < 20000; round++) {
		size_t n = (size_t)(rand_r(&seed) % 60);
		char *p = malloc(n + 1), norms[16];
		struct sql_shape s;
		for (size_t i = 0; i < n; i++)
			p[i] = alphabet[(size_t)rand_r(&seed) % (sizeof(alphabet) - 1)];
		char *exact = malloc(n ? n : 1); /* so that valgrind and ASan see the end */
		memcpy(exact, p, n);
		sql_lex(exact, n, &s, norms, sizeof(norms));
		ck_assert(s.hash != 0);
		free(exact);
		free(p);
	}
}
END_TEST

/* Statements from parts that meet in every order: the memo must never be told from the lexer. */
START_TEST(memo_is_the_lexer)
{
	static const char *const parts[] = {"select ", "a1 ", "t.b ", "= ", "5", "17", " 1.5 ",
		"1.", ".5", "1e5", "0x1f", "1..2", "'x'", "'it''s'", "''", "'%a'", "'a%'", "'^a'",
		"E'a\\'b'", "U&'x'", "$1", "$22 ", "$$q$$", "$t$ 1 $t$", "\"n 1'x\"", "\"a\"\"b\"",
		"-", "--c\n", "/", "/* 1 */", "*", " like ", " ILIKE ", "~ ", "!~* ", "-> ", "->>",
		"#>>", "> ", ", ", "(", ")", " in (", "values (", "limit ", "offset ",
		"fetch first ", " rows only", "all ", ";", "%s", "%(n)s", "%(", ":p", "::int", "[",
		"]", "array[", "savepoint ", "\n", "  ", "password ", "for update ", "?",
		"\xc3\xa4", "order by ", "with "};
	struct sql_memo *memo = memo_new();
	size_t compared = offsetof(struct sql_shape, chain) + sizeof(uint32_t);
	unsigned seed = 11;

	for (int round = 0; round < 60000; round++) {
		char text[400] = "", *exact;
		size_t n = 0, count = (size_t)(rand_r(&seed) % 12);
		struct sql_shape a, b;
		for (size_t i = 0; i < count; i++) {
			size_t part = (size_t)rand_r(&seed) % (sizeof(parts) / sizeof(parts[0]));
			n += (size_t)snprintf(text + n, sizeof(text) - n, "%s", parts[part]);
		}
		exact = malloc(n ? n : 1); /* so that ASan sees the end */
		memcpy(exact, text, n);
		sql_lex(exact, n, &a, NULL, 0);
		for (int again = 0; again < 2; again++) {
			memo_lex(memo, exact, n, &b);
			ck_assert_msg(memcmp(&a, &b, compared) == 0, "%s", text);
		}
		for (size_t i = 0; i < n; i++) /* other values of the same skeleton, often */
			exact[i] = exact[i] == '5' ? '8' : exact[i] == 'x' ? '%' : exact[i];
		sql_lex(exact, n, &a, NULL, 0);
		memo_lex(memo, exact, n, &b);
		ck_assert_msg(memcmp(&a, &b, compared) == 0, "%.*s", (int)n, exact);
		free(exact);
	}
	memo_free(&memo);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("sql_lex");
	TCase *t = tcase_create("lex");

	tcase_add_loop_test(t, shape_text, 0, sizeof(texts) / sizeof(texts[0]));
	tcase_add_loop_test(t, shape_identity, 0, sizeof(pairs) / sizeof(pairs[0]));
	tcase_add_test(t, shape_facts);
	tcase_add_test(t, hash_is_independent_of_window);
	tcase_add_test(t, literals_are_placed);
	tcase_add_test(t, any_bytes);
	tcase_add_test(t, memo_is_the_lexer);
	suite_add_tcase(s, t);
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? 1 : 0;
}
