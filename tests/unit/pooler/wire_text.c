/* SPDX-License-Identifier: ISC
 *
 * What statements do to the session: a table of texts and effects, and the property that the
 * quick pass never says less than the full scan, over random texts built from fragments.
 */
#include "wire_text.h"

#include <check.h>

static unsigned effects(const char *sql)
{
	return wire_text_effects(sql, strlen(sql) + 1);
}

static const struct {
	const char *sql;
	unsigned effects;
} table[] = {
	/* nothing at all */
	{"", 0},
	{";", 0},
	{"-- set x = 1", 0},
	{"select 1", 0},
	{"SELECT * FROM settings WHERE reset = $1 AND listen = 'set'", 0},
	{"insert into t values ($1, 'set_config(a)')", 0},
	{"update t set a = 1, \"temp\" = 2", 0},
	{"delete from t where note = 'pg_advisory_lock(1)'", 0},
	{"with x as (select 1) select * from x", 0},
	{"commit", 0},
	{"rollback", 0},
	{"end", 0},
	{"savepoint a", 0},
	{"copy t from stdin", 0},
	{"explain select 1", 0},
	{"do $$ begin perform set_config('a', 'b', false); end $$", TEXT_LONG},
	{"call p()", TEXT_LONG},
	{"CALL pg_catalog.p(1, 'set_config')", TEXT_LONG},
	{"create table t (temp int)", TEXT_SCHEMA},
	{"select temp from t where temp > 1", 0},
	{"insert into temp values (1)", 0},
	{"alter table t add x int", TEXT_SCHEMA},
	{"drop view v", TEXT_SCHEMA},
	{"fetch 5 from c", 0},
	/* SET and its kin */
	{"set x = 1", TEXT_SET},
	{"SET TimeZone TO 'UTC'", TEXT_SET | TEXT_READING},
	{"set session x = 1", TEXT_SET},
	{"set local x = 1", 0},
	{"set transaction read only", 0},
	{"set constraints all deferred", 0},
	{"set session characteristics as transaction read only", TEXT_SET},
	{"set role bob", TEXT_SET | TEXT_READING},
	{"reset all", TEXT_SET | TEXT_READING},
	{"reset work_mem", TEXT_SET},
	{"set local search_path = a", TEXT_READING},
	{"set session \"DateStyle\" = german", TEXT_SET | TEXT_READING},
	{"set local time zone 'UTC'", TEXT_READING},
	{"set local work_mem = 1", 0},
	{"set local my.role = 1", 0},
	{"select set_config('search_path', 'a', true)", TEXT_SET | TEXT_READING},
	{"select set_config('my.tenant', '7', true)", TEXT_SET},
	{"reset x", TEXT_SET},
	{"  \t\n-- hello\n/* a /* nested */ one */ set x = 1", TEXT_SET},
	{"set/**/x=1", TEXT_SET},
	{"set/**/local x=1", 0},
	{"select set_config('a', 'b', false)", TEXT_SET},
	{"SELECT pg_catalog.SET_CONFIG('a', 'b', false)", TEXT_SET},
	{"select \"set_config\"('a', 'b', false)", TEXT_SET},
	{"set \"work_mem\" = '9MB'", TEXT_SET},
	{"set \"local\" = 1", TEXT_SET},
	{"update pg_settings set setting = '9000' where name = 'work_mem'",
		TEXT_SET | TEXT_READING},
	{"UPDATE pg_catalog.\"pg_settings\" SET setting = 'x'", TEXT_SET | TEXT_READING},
	{"select setting from pg_settings", 0},
	/* a parameter whose name is not in the text */
	{"select set_config($1, $2, false)", TEXT_SET | TEXT_LONG},
	{"select set_config('my.' || 'var', 'x', false)", TEXT_SET | TEXT_LONG},
	{"select \"set_config\" (n, 'x', false) from names", TEXT_SET | TEXT_LONG},
	{"select set_config /* c */ ( 'my.var' , 'x', false)", TEXT_SET},
	{"set my . var = 1", TEXT_SET | TEXT_LONG},
	{"set \"my\".\"var\" = 1", TEXT_SET},
	{"set my.var = 1.5", TEXT_SET},
	{"set search_path = a, \"b.c\"", TEXT_SET | TEXT_READING},
	{"update pg_settlers set a = 1", 0},
	{"select pg_catalog.\"set_config\"('a', 'b', false)", TEXT_SET},
	{"select U&\"set_config\"('a', 'b', false)", TEXT_SET},
	{"select 'set_config'", 0},
	{"select $$set_config$$", 0},
	{"select $a$ $$ set_config $a$", 0},
	{"select $1, set_config('a', 'b', true)", TEXT_SET},
	{"select '''', set_config('a', 'b', true)", TEXT_SET},
	{"select E'\\'', set_config('a', 'b', true)", TEXT_SET},
	{"select e'\\' set_config('", 0},
	{"select 1; set x = 1", TEXT_SET},
	{"select 1; ; ; set local x = 1", 0},
	{"select ';set x = 1'", 0},
	{"select 1 -- ; set x = 1", 0},
	{"select 1 -- \n; set x = 1", TEXT_SET},
	{"select 1 /* ; */; reset x", TEXT_SET},
	{"begin; set local x = 1; commit", 0},
	/* prepared statements by SQL */
	{"prepare a as select 1", TEXT_PREPARE},
	{"PREPARE TRANSACTION 'x'", 0},
	{"prepare/* */transaction 'x'", 0},
	{"commit prepared 'x'", 0},
	{"execute a", TEXT_EXECUTE},
	{"deallocate a", TEXT_DEALLOCATE},
	{"deallocate prepare all", TEXT_DEALLOCATE},
	{"discard all", TEXT_DISCARD_ALL},
	{"discard all;", TEXT_DISCARD_ALL},
	{"discard all; select 1", 0}, /* it fails */
	{"DISCARD ALL;", TEXT_DISCARD_ALL},
	{"select 1; discard temp", TEXT_DROP_TEMP},
	{"discard temporary", TEXT_DROP_TEMP},
	{"discard plans", 0},
	{"DISCARD SEQUENCES", 0},
	/* channels, cursors, modules */
	{"listen c", TEXT_LISTEN},
	{"unlisten *", TEXT_UNLISTEN},
	{"notify c", 0},
	{"declare c cursor for select 1", 0},
	{"declare c cursor with hold for select 1", TEXT_HOLD},
	{"declare c cursor without hold for select 1", TEXT_HOLD}, /* too many, and rare */
	{"close c", TEXT_CLOSE},
	{"load 'auto_explain'", TEXT_LOAD},
	/* what is temporary */
	{"create temp table t (a int)", TEXT_TEMP | TEXT_SCHEMA},
	{"create temporary view v as select 1", TEXT_TEMP | TEXT_SCHEMA},
	{"create global temporary table t (a int)", TEXT_TEMP | TEXT_SCHEMA},
	{"create or replace temp view v as select 1", TEXT_TEMP | TEXT_SCHEMA},
	{"create table pg_temp.t (a int)", TEXT_TEMP | TEXT_SCHEMA},
	{"create table \"pg_temp\".t (a int)", TEXT_TEMP | TEXT_SCHEMA},
	{"select 1 into temp t", TEXT_TEMP},
	{"SELECT a INTO TEMPORARY TABLE t FROM x", TEXT_TEMP},
	{"with x as (select 1) select * into temp t from x", TEXT_TEMP},
	{"select temperature from t", 0},
	{"select 1 into local temporary table t", TEXT_TEMP},
	{"create local temp table t (a int)", TEXT_TEMP | TEXT_SCHEMA},
	{"explain analyze create temp table t as select 1", TEXT_TEMP},
	{"create /* c */ temp table t (a int)", TEXT_TEMP | TEXT_SCHEMA},
	{"drop table t", TEXT_DROP_TEMP | TEXT_SCHEMA},
	/* locks */
	{"select pg_advisory_lock(1)", TEXT_ADVISORY},
	{"select pg_try_advisory_lock(1, 2)", TEXT_ADVISORY},
	{"select pg_advisory_lock_shared(1)", TEXT_ADVISORY},
	{"select pg_try_advisory_lock_shared(1)", TEXT_ADVISORY},
	{"select \"pg_advisory_lock\"(1)", TEXT_ADVISORY},
	{"select pg_advisory_xact_lock(1)", 0},
	{"select pg_try_advisory_xact_lock(1)", 0},
	{"select pg_advisory_unlock(1)", TEXT_UNLOCK},
	{"select pg_advisory_unlock_all()", TEXT_UNLOCK},
	{"select advice from t", 0},
	/* BEGIN, alone and whole */
	{"begin", TEXT_BEGIN},
	{"BEGIN;", TEXT_BEGIN},
	{" begin /* x */ ;; -- y", TEXT_BEGIN},
	{"begin work", TEXT_BEGIN},
	{"start transaction", TEXT_BEGIN},
	{"begin isolation level repeatable read, read only", TEXT_BEGIN},
	{"begin transaction isolation level serializable not deferrable", TEXT_BEGIN},
	{"begin; select 1", 0},
	{"begin; begin", 0},
	{"begin atomic", 0},
	{"begin 'x'", 0},
	{"select 1; begin", 0},
	/* secrets */
	{"alter role bob password 'x'", TEXT_SECRET | TEXT_SCHEMA},
	{"create user bob with password 'x'", TEXT_SECRET | TEXT_SCHEMA},
	{"alter user bob rename to password_bob", TEXT_SCHEMA},
	{"select password from users", 0},
};

START_TEST(statements_and_their_effects)
{
	ck_assert_msg(effects(table[_i].sql) == table[_i].effects, "%s: %#x instead of %#x",
		table[_i].sql, effects(table[_i].sql), table[_i].effects);
	/* without its NUL */
	ck_assert_uint_eq(wire_text_effects(table[_i].sql, strlen(table[_i].sql)),
		table[_i].effects);
}
END_TEST

/* The same text where neither its place in memory nor what surrounds it may matter: the
 * quick pass looks at sixteen bytes at a time. */
START_TEST(every_offset_is_the_same)
{
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		size_t n = strlen(table[i].sql);

		for (size_t pad = 0; pad < 40; pad++) {
			char *p = mem_alloc(pad + n);

			memset(p, ' ', pad);
			memcpy(p + pad, table[i].sql, n);
			ck_assert_uint_eq(wire_text_effects(p, pad + n), table[i].effects);
			free(p);
		}
	}
}
END_TEST

START_TEST(long_texts_are_not_read_to_their_end)
{
	size_t n = 300 * 1024;
	char *p = mem_alloc(n);

	memset(p, 'x', n);
	memcpy(p, "select '", 8);
	ck_assert_uint_eq(wire_text_effects(p, n), TEXT_LONG);
	memcpy(p, "set a = '", 9);
	ck_assert_uint_eq(wire_text_effects(p, n), TEXT_LONG | TEXT_SET);
	free(p);
}
END_TEST

static const struct {
	const char *sql; /* its first statement ends at the bar */
	enum text_deallocates what;
	const char *name;
} deallocations[] = {
	{"deallocate a|", TEXT_DEALLOCATES_ONE, "a"},
	{" DEALLOCATE /* x */ Prepare\n Abc -- y\n|; select 1", TEXT_DEALLOCATES_ONE, "abc"},
	{"deallocate \"A b\"\"c\"|", TEXT_DEALLOCATES_ONE, "A b\"c"},
	{"deallocate prepare|", TEXT_DEALLOCATES_ONE, "prepare"},
	{"deallocate all|;", TEXT_DEALLOCATES_ALL, NULL},
	{"deallocate prepare all|", TEXT_DEALLOCATES_ALL, NULL},
	{"deallocate \"all\"|", TEXT_DEALLOCATES_ONE, "all"},
	{"deallocate a b|", TEXT_DEALLOCATES_NOTHING, NULL},
	{"deallocate|", TEXT_DEALLOCATES_NOTHING, NULL},
	{"\"deallocate\" a|", TEXT_DEALLOCATES_NOTHING, NULL},
	{"select ';', \";\", $$;$$, E'\\';' /* ; */|; deallocate a", TEXT_DEALLOCATES_NOTHING,
		NULL},
	{"|", TEXT_DEALLOCATES_NOTHING, NULL},
	{"|; deallocate a", TEXT_DEALLOCATES_NOTHING, NULL},
};

START_TEST(what_is_deallocated)
{
	char text[200], name[WIRE_TEXT_NAME];
	const char *bar = strchr(deallocations[_i].sql, '|');
	size_t first = (size_t)(bar - deallocations[_i].sql);

	snprintf(text, sizeof text, "%.*s%s", (int)first, deallocations[_i].sql, bar + 1);
	ck_assert_uint_eq(wire_text_statement(text, strlen(text)), first);
	ck_assert_int_eq(wire_text_deallocates(text, first, name), deallocations[_i].what);
	if (deallocations[_i].name)
		ck_assert_str_eq(name, deallocations[_i].name);
}
END_TEST

/* --- random texts ------------------------------------------------------------------------ */

static const char *const fragments[] = {"select ", "insert into t ", "update t set a=1 ",
	"delete from t ", "with x as (", "commit ", "end ", "begin ", "set ", "local ", "reset ",
	"prepare ", "transaction ", "deallocate ", "discard ", "listen ", "unlisten ", "load ",
	"close ", "create ", "drop table ", "temp ", "temporary ", "declare ", "hold ", "execute ",
	"set_config(", "\"set_config\"", "pg_settings ", "explain ", "call ", "into ", "global ",
	"pg_advisory_lock(", "pg_advisory_unlock", "pg_temp.", "password ", "alter ", "'", "''",
	"\"", "$$", "$a$", "$1", "--", "\n", "/*", "*/", ";", "; ", "e'", "\\", "(", ")", ", ", "1",
	" ", "\t", "x", "\xc3\xa4", "_", "U&\"", "\f", "start "};

static size_t random_text(unsigned *seed, char *out, size_t cap)
{
	size_t n = 0;

	for (unsigned k = (unsigned)rand_r(seed) % 14; k; k--) {
		const char *f = fragments[(size_t)rand_r(seed) % ARRAY_LEN(fragments)];
		size_t len = strlen(f);

		if (n + len > cap)
			break;
		for (size_t i = 0; i < len; i++) {
			char c = f[i];

			out[n++] =
				c >= 'a' && c <= 'z' && rand_r(seed) % 3 == 0 ? (char)(c - 32) : c;
		}
	}
	return n;
}

/* A first statement that the quick pass does not know (EXPLAIN 1;) forces the full scan of
 * what follows; it adds no effect, and takes TEXT_BEGIN away. */
START_TEST(the_quick_pass_misses_nothing)
{
	static const char before[] = "explain 1;";
	unsigned seed = 7 + (unsigned)_i;
	char text[512];
	size_t head = sizeof before - 1;

	memcpy(text, before, head);
	for (int i = 0; i < 100000; i++) {
		size_t n = random_text(&seed, text + head, sizeof text - head);
		unsigned quick = wire_text_effects(text + head, n) & ~(unsigned)TEXT_BEGIN;
		unsigned full = wire_text_effects(text, head + n);

		if (full & ~quick)
			ck_abort_msg("missed %#x in: %.*s", full & ~quick, (int)n, text + head);
	}
}
END_TEST

/* Statements in a row have the effects of each, when none of them ends inside a quote. */
START_TEST(several_statements_give_the_union)
{
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		for (size_t k = 0; k < ARRAY_LEN(table); k++) {
			/* BEGIN counts alone, DISCARD ALL works alone */
			const unsigned alone = TEXT_BEGIN | TEXT_DISCARD_ALL;
			char text[512];
			unsigned both = (table[i].effects | table[k].effects) & ~alone;

			if (strstr(table[i].sql, "--") || strstr(table[i].sql, "e'"))
				continue;
			snprintf(text, sizeof text, "%s;%s", table[i].sql, table[k].sql);
			if ((effects(text) & ~alone) != both)
				ck_abort_msg("%s: %#x instead of %#x", text, effects(text), both);
		}
	}
}
END_TEST

static const struct {
	const char *sql, *core; /* core NULL: it stays as it is */
} cores[] = {
	{"select 1", NULL},
	{"select 1;", NULL},
	{" select 1 ", NULL},
	{"select 1 /*a*/", "select 1"},
	{"select 1/*a*/;", "select 1"},
	{"select 1; /*a*/ ; -- b\n /*c*/", "select 1"},
	{"select 1 /* /* */ */", "select 1"},
	{" select 1 /*a*/", " select 1"},
	{"/*a*/ select 1", "select 1"},
	{"-- a\nselect 1", "select 1"},
	{"/*a*/ -- b\n /*c*/ select 1; /*d*/", "select 1"},
	{"select /*in*/ 1 /*out*/", "select /*in*/ 1"},
	{"select '/*a*/'", NULL},
	{"select 'a' /*b*/", "select 'a'"},
	{"select '/*' || $$*/$$ /*b*/", "select '/*' || $$*/$$"},
	{"select \"/*\" /*b*/", "select \"/*\""},
	{"select e'\\'' /*b*/", "select e'\\''"},
	{"select '\\' /*b*/", NULL}, /* depends on standard_conforming_strings */
	{"select '''' /*b*/", "select ''''"},
	{"select $1 /*b*/", "select $1"},
	{"select 'open /*b*/", NULL},
	{"/*+ SeqScan(t) */ select 1", NULL},
	{"/*a*/ /*+ SeqScan(t) */ select 1 /*b*/", NULL},
	{"/*a*/", NULL},
	{"-- a", NULL},
	{"/*a", NULL},
	{"", NULL},
	{";/*a*/", NULL},
};

START_TEST(comments_around_a_statement)
{
	const char *sql = cores[_i].sql;
	size_t from = 0, to = strlen(sql);
	bool found = wire_text_core(sql, strlen(sql), &from, &to);
	char core[80];

	ck_assert_msg(found == (cores[_i].core != NULL), "%s", sql);
	snprintf(core, sizeof core, "%.*s", (int)(to - from), sql + from);
	ck_assert_str_eq(core, cores[_i].core ? cores[_i].core : sql);
	/* what is left has none */
	if (found)
		ck_assert(!wire_text_core(core, strlen(core), &from, &to));
}
END_TEST

START_TEST(garbage_never_reads_outside)
{
	unsigned seed = 3;
	size_t from, to;
	char text[300];

	for (int i = 0; i < 50000; i++) {
		size_t n = random_text(&seed, text, sizeof text);
		char *exact;

		for (int k = rand_r(&seed) % 3; k && n; k--)
			text[(size_t)rand_r(&seed) % n] = (char)rand_r(&seed);
		exact = mem_alloc(n);
		memcpy(exact, text, n);
		(void)wire_text_effects(exact, n);
		if (wire_text_core(exact, n, &from, &to))
			ck_assert(from < to && to <= n);
		free(exact);
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("wire_text");
	TCase *t = tcase_create("text");
	SRunner *r;
	int failed;

	tcase_add_loop_test(t, what_is_deallocated, 0, (int)ARRAY_LEN(deallocations));
	tcase_add_loop_test(t, statements_and_their_effects, 0, (int)ARRAY_LEN(table));
	tcase_add_test(t, every_offset_is_the_same);
	tcase_add_test(t, long_texts_are_not_read_to_their_end);
	tcase_add_loop_test(t, the_quick_pass_misses_nothing, 0, 4);
	tcase_add_test(t, several_statements_give_the_union);
	tcase_add_loop_test(t, comments_around_a_statement, 0, (int)ARRAY_LEN(cores));
	tcase_add_test(t, garbage_never_reads_outside);
	tcase_set_timeout(t, 60);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? 1 : 0;
}
