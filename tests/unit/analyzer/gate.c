/* SPDX-License-Identifier: ISC
 *
 * The gate's arithmetic and texts: intervals of quantiles, aliases taken out.
 */
#include "gate.h"

#include "sql_lex.h"

#include <check.h>
#include <math.h>

static void interval_of(unsigned n, double q, double sure, double *low, double *high)
{
	struct sketch s = {0};

	for (unsigned i = 1; i <= n; i++)
		sketch_add(&s, i); /* the value is the rank: buckets below 128 are exact */
	sketch_interval(&s, q, sure, low, high);
	sketch_release(&s);
}

/* Ranks of the tables for nonparametric confidence intervals of a quantile. */
START_TEST(interval_ranks)
{
	static const struct {
		unsigned n;
		double q, sure, low, high;
	} rows[] = {
		{0, .5, .95, 0, INFINITY},
		{1, .5, .95, 0, INFINITY},
		{5, .5, .95, 0, INFINITY}, /* 1/16 lies outside even of all five */
		{6, .5, .95, 1, 6},
		{10, .5, .95, 2, 9},
		{20, .5, .95, 6, 15},
		{100, .5, .95, 40, 61},
		{1, .95, .90, 1, INFINITY}, /* 5 % that the only value lies above */
		{2, .95, .90, 1, INFINITY},
		{20, .95, .95, 17, INFINITY},
		{72, .95, .95, 64, 72},
		{100, .95, .95, 90, 99},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		double low, high;
		interval_of(rows[i].n, rows[i].q, rows[i].sure, &low, &high);
		ck_assert_msg(low <= rows[i].low && low >= rows[i].low - 1, "n %u q %.2f: low %.0f",
			rows[i].n, rows[i].q, low);
		ck_assert_msg(isinf(rows[i].high) ? isinf(high) : fabs(high - rows[i].high) <= 1,
			"n %u q %.2f: high %.0f", rows[i].n, rows[i].q, high);
	}
}
END_TEST

/* The interval holds the quantile as often as it says: exponential values, 2000 samples. */
START_TEST(interval_covers)
{
	uint64_t seed = 88172645463325252u;
	int inside = 0;

	for (int k = 0; k < 2000; k++) {
		struct sketch s = {0};
		double low, high, truth = -log(.5) * 1000;
		for (int i = 0; i < 40; i++) {
			seed ^= seed << 13, seed ^= seed >> 7, seed ^= seed << 17;
			double u = (double)(seed >> 11) / 9007199254740992.0;
			sketch_add(&s, (uint64_t)(-log(1 - u) * 1000));
		}
		sketch_interval(&s, .5, .95, &low, &high);
		inside += low <= truth * 1.01 && high >= truth * .99;
		sketch_release(&s);
	}
	ck_assert_int_ge(inside, 1880);
}
END_TEST

START_TEST(interval_of_many)
{
	struct sketch s = {0};
	double low, high;

	for (int i = 0; i < 1000; i++)
		sketch_add_n(&s, (uint64_t)i, 10000);
	sketch_interval(&s, .95, .95, &low, &high);
	ck_assert(low > 940 && low <= 950 && high >= 950 && high < 960);
	sketch_release(&s);
}
END_TEST

static struct str canonical(struct arena *a, const char *sql)
{
	char norm[TEXT_MAX];
	struct sql_shape s;
	size_t n = sql_lex(sql, strlen(sql), &s, norm, sizeof(norm));

	return canonical_sql(a, (struct str){norm, n});
}

START_TEST(aliases)
{
	static const struct {
		const char *a, *b;
		bool same;
	} rows[] = {
		{"SELECT u.a FROM users u", "SELECT a FROM users", true},
		{"SELECT u.a FROM users AS u", "SELECT users.a FROM users", true},
		{"SELECT \"U\".a FROM users \"U\"", "SELECT a FROM users", true},
		{"SELECT x.a FROM s.t x JOIN t2 y ON y.k = x.k",
			"SELECT p.a FROM s.t p JOIN t2 q ON q.k = p.k", true},
		{"SELECT x.a FROM t x JOIN t y ON y.k = x.k",
			"SELECT p.a FROM t p JOIN t q ON q.k = p.k", true},
		{"SELECT x.a FROM t x JOIN t y ON y.k = x.k",
			"SELECT y.a FROM t x JOIN t y ON y.k = x.k", false},
		{"UPDATE t x SET a = 1 WHERE x.b = 2", "UPDATE t SET a = 3 WHERE b = 4", true},
		{"DELETE FROM t USING u x WHERE x.id = t.id",
			"DELETE FROM t USING u y WHERE y.id = t.id", true},
		{"INSERT INTO t AS x (a) VALUES (1) ON CONFLICT (a) DO UPDATE SET a = x.a",
			"INSERT INTO t AS y (a) VALUES (2) ON CONFLICT (a) DO UPDATE SET a = y.a",
			true},
		{"SELECT s.a FROM (SELECT 1 AS a) s", "SELECT t.b FROM (SELECT 2 AS b) t", false},
		{"SELECT s.a FROM (SELECT a FROM q) s", "SELECT t.a FROM (SELECT a FROM q) t",
			true},
		{"SELECT count(*) AS n FROM t", "SELECT count(*) AS m FROM t", true},
		{"SELECT count(*) n FROM t", "SELECT count(*) m FROM t", true},
		{"SELECT CAST(a AS text) FROM t", "SELECT CAST(a AS int) FROM t", false},
		{"SELECT a FROM t FOR UPDATE", "SELECT a FROM t FOR SHARE", false},
		{"SELECT x.a FROM t x, u y WHERE y.b = x.b FOR UPDATE OF x",
			"SELECT p.a FROM t p, u q WHERE q.b = p.b FOR UPDATE OF p", true},
		{"SELECT extract(year FROM d) FROM t x", "SELECT extract(month FROM d) FROM t y",
			false},
		{"SELECT a FROM t", "SELECT a FROM u", false},
		{"SELECT a FROM t WHERE b IS DISTINCT FROM c",
			"SELECT a FROM t WHERE b IS DISTINCT FROM d", false},
		{"SELECT g.i FROM generate_series(1, 9) g(i)",
			"SELECT h.i FROM generate_series(1, 3) h(i)", true},
		{"WITH a AS MATERIALIZED (SELECT 1) SELECT * FROM a",
			"WITH b AS MATERIALIZED (SELECT 2) SELECT * FROM b", true},
		{"", " -- nothing\n", true},
	};
	struct arena a = {0};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct str x = canonical(&a, rows[i].a), y = canonical(&a, rows[i].b);
		ck_assert_msg(str_eq(x, y) == rows[i].same, "%s | %s: %.*s | %.*s", rows[i].a,
			rows[i].b, STR_ARGS(x), STR_ARGS(y));
	}
	arena_release(&a);
}
END_TEST

/* Any bytes: it ends, and reads nothing beyond them. */
START_TEST(any_bytes)
{
	static const char alphabet[] = "select from as(), .\"t u?join with$'*/-\n\xff";
	uint64_t seed = 42;
	struct arena a = {0};

	for (int k = 0; k < 20000; k++) {
		char text[64];
		size_t n = 0;
		seed = seed * 6364136223846793005u + 1442695040888963407u;
		for (uint64_t r = seed; n < sizeof(text) && n < (seed >> 58); n++) {
			r = r * 6364136223846793005u + 1;
			text[n] = alphabet[(r >> 40) % (sizeof(alphabet) - 1)];
		}
		char *exact = mem_alloc(n + 1); /* so that a sanitizer sees a step too far */
		memcpy(exact, text, n);
		canonical_sql(&a, (struct str){exact, n});
		free(exact);
		arena_reset(&a);
	}
	arena_release(&a);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("gate");
	TCase *c = tcase_create("gate");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_test(c, interval_ranks);
	tcase_add_test(c, interval_covers);
	tcase_add_test(c, interval_of_many);
	tcase_add_test(c, aliases);
	tcase_add_test(c, any_bytes);
	suite_add_tcase(s, c);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
