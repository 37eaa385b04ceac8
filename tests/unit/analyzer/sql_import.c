/* SPDX-License-Identifier: ISC
 *
 * Is the tree copied out of libpg_query the one that it would have packed?
 *
 * analyzer/sql_import.c
 */
#include "sql.h"
#include "sql_build.h"

#include <check.h>
#include <pg_query/pg_query.pb-c.h>

static const char *const texts[] = {
	"SELECT 1",
	"SELECT",
	"SELECT a, b.c, d.* FROM t a JOIN s AS b (x, y) USING (id) LEFT JOIN LATERAL f(a.x) d ON "
	"true "
	"WHERE a.n IN (1, 2.5, 'x') AND NOT b.ok AND EXISTS (SELECT 1) ORDER BY 1 DESC NULLS LAST "
	"LIMIT 5 OFFSET $1 FOR UPDATE SKIP LOCKED",
	"SELECT count(*) FILTER (WHERE a > 0) OVER (PARTITION BY b ORDER BY c ROWS BETWEEN 1 "
	"PRECEDING "
	"AND CURRENT ROW), array_agg(DISTINCT x ORDER BY y) FROM t GROUP BY GROUPING SETS ((a), "
	"()) "
	"HAVING sum(a) > 1",
	"WITH RECURSIVE c AS MATERIALIZED (SELECT 1 UNION ALL SELECT n + 1 FROM c) SELECT * FROM c",
	"INSERT INTO t (a, b) VALUES (1, DEFAULT), (NULL, ARRAY[1, 2]) ON CONFLICT (a) WHERE b DO "
	"UPDATE "
	"SET b = excluded.b RETURNING *",
	"UPDATE t SET (a, b) = (1, 2), c[1] = B'101', d = X'ff' FROM s WHERE t.id = s.id",
	"DELETE FROM ONLY t USING s WHERE t.x::numeric(10, 2) BETWEEN SYMMETRIC 1e400 AND "
	"9223372036854775808",
	"MERGE INTO t USING s ON t.id = s.id WHEN MATCHED THEN DELETE WHEN NOT MATCHED THEN INSERT "
	"VALUES (1)",
	"CREATE TABLE t (a int PRIMARY KEY, b text COLLATE \"C\" DEFAULT 'x' CHECK (b <> ''), "
	"EXCLUDE USING gist (a WITH =)) PARTITION BY RANGE (a)",
	"CREATE UNIQUE INDEX CONCURRENTLY i ON t USING btree (lower(a) text_pattern_ops DESC) "
	"INCLUDE (b) "
	"WHERE c IS NOT NULL",
	"ALTER TABLE t ADD CONSTRAINT f FOREIGN KEY (a) REFERENCES s (id) ON DELETE CASCADE NOT "
	"VALID",
	"SELECT CASE a WHEN 1 THEN 'x' ELSE coalesce(b, greatest(c, 1)) END, x AT TIME ZONE 'UTC', "
	"(r).f[1:2], ROW(1, 2), xmlelement(name n, a), a IS DISTINCT FROM b, now() - interval '1 "
	"day'",
	"SET search_path = a, b; BEGIN ISOLATION LEVEL SERIALIZABLE READ ONLY; COMMIT",
	"COPY (SELECT 1) TO STDOUT (FORMAT csv, HEADER true)",
	"EXPLAIN (ANALYZE, COSTS off) SELECT * FROM t TABLESAMPLE system (10) REPEATABLE (1)",
	"CREATE FUNCTION f(a int DEFAULT 1, OUT b text) RETURNS SETOF record LANGUAGE sql AS $$ "
	"SELECT 1 $$",
	"GRANT SELECT (a), UPDATE ON t TO alice WITH GRANT OPTION",
	"DECLARE c CURSOR FOR SELECT 1; FETCH 10 FROM c",
	"CREATE POLICY p ON t USING (a = current_user) WITH CHECK (true)",
	"SELECT ''",
	"",
};

static struct str packed(struct arena *a, const struct sql_node *n)
{
	const ProtobufCMessage *m = (const ProtobufCMessage *)(const void *)n;
	size_t size = protobuf_c_message_get_packed_size(m);
	uint8_t *out = arena_alloc(a, size + 1);

	ck_assert_uint_eq(protobuf_c_message_pack(m, out), size);
	return (struct str){(const char *)out, size};
}

START_TEST(copied_is_unpacked)
{
	struct arena a = {0};
	struct err why = {""};
	const struct sql_node *copied = import_tree(&a, texts[_i], false, &why);
	const struct sql_node *unpacked = import_tree(&a, texts[_i], true, &why);

	ck_assert_msg(copied && unpacked, "%s: %s", texts[_i], why.text);
	struct str one = packed(&a, copied), two = packed(&a, unpacked);
	ck_assert_msg(str_eq(one, two), "%s: %zu bytes, %zu bytes", texts[_i], one.n, two.n);
	arena_release(&a);
}
END_TEST

START_TEST(what_does_not_parse)
{
	struct arena a = {0};
	struct err why = {""};

	ck_assert_ptr_null(import_tree(&a, "SELECT FROM WHERE", false, &why));
	ck_assert_str_ne(why.text, "");
	ck_assert_ptr_nonnull(import_tree(&a, "SELECT 1", false, &why));
	arena_release(&a);
}
END_TEST

static int run(void *arg)
{
	Suite *s = suite_create("sql_import");
	TCase *t = tcase_create("trees");
	SRunner *r;
	int failed;

	(void)arg;
	tcase_add_loop_test(t, copied_is_unpacked, 0, ARRAY_LEN(texts));
	tcase_add_test(t, what_does_not_parse);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_set_fork_status(r, CK_NOFORK);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}

int main(void)
{
	return sql_run_deep(run, NULL);
}
