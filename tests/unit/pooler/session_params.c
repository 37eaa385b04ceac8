/* SPDX-License-Identifier: ISC
 *
 * Session parameters: equal sets are one object, whatever way led there; statements that
 * turn one set into another say exactly what is different, quoted for any server.
 */
#include "session.h"

#include <check.h>
#include <strings.h>

static struct param_table t;

static struct params *with(struct params *p, const char *name, const char *value)
{
	return params_with(&t, p, name, value, true);
}

static const char *change_to(struct params *from, struct params *to, const char *who)
{
	static struct buf sql;

	sql.len = 0;
	ck_assert_int_eq(params_put_change(&sql, from, to, who, false), sql.len > 0);
	return buf_cstr(&sql);
}

static const char *change(struct params *from, struct params *to)
{
	return change_to(from, to, params_value(to, PARAM_WHO));
}

START_TEST(equal_sets_are_one)
{
	struct params *a = params_empty(&t), *b = params_empty(&t);

	ck_assert_ptr_eq(a, b);
	a = with(with(a, "TimeZone", "UTC"), "DateStyle", "ISO");
	b = with(with(b, "DateStyle", "German"), "TimeZone", "UTC");
	ck_assert_ptr_ne(a, b);
	b = with(b, "datestyle", "ISO"); /* a name keeps how it was spelled first */
	ck_assert_ptr_eq(a, b);
	ck_assert_ptr_eq(with(a, "TIMEZONE", "UTC"), b);
	ck_assert_uint_eq(t.count, 1);
	ck_assert_uint_eq(a->refs, 2);
	ck_assert_str_eq(params_value(a, "timezone"), "UTC");
	ck_assert_ptr_null(params_value(a, "time"));
	ck_assert_ptr_null(params_value(NULL, "time"));
	b = with(b, "TimeZone", "GMT");
	ck_assert_ptr_ne(a, b);
	ck_assert_uint_eq(b->count, 2);
	params_drop(&t, &a);
	params_drop(&t, &b);
	params_drop(&t, &b); /* NULL by now */
	ck_assert_uint_eq(t.count, 0);
	free(t.slot);
}
END_TEST

START_TEST(sets_are_sorted_whatever_the_order)
{
	static const char *const names[] = {"application_name", "Client_Encoding", "DateStyle",
		"myapp.user", "search_path", "TimeZone", "zero"};
	unsigned seed = 5;
	struct params *first = NULL;

	for (int round = 0; round < 500; round++) {
		struct params *p = params_empty(&t);
		bool have[ARRAY_LEN(names)] = {false};

		for (size_t left = ARRAY_LEN(names); left;) {
			size_t i = (size_t)rand_r(&seed) % ARRAY_LEN(names);

			if (!have[i]) {
				p = params_with(&t, p, names[i], rand_r(&seed) % 2 ? "a" : "b",
					i % 2);
				p = params_with(&t, p, names[i], "same", i % 2);
				have[i] = true;
				left--;
			}
		}
		for (size_t i = 1; i < p->count; i++)
			ck_assert_int_lt(strcasecmp(p->item[i - 1].name, p->item[i].name), 0);
		if (!first)
			first = params_ref(p);
		ck_assert_ptr_eq(p, first);
		params_drop(&t, &p);
	}
	params_drop(&t, &first);
	ck_assert_uint_eq(t.count, 0);
	free(t.slot);
}
END_TEST

START_TEST(many_sets_are_told_apart)
{
	struct params *p[3000];
	char value[32];

	for (size_t i = 0; i < ARRAY_LEN(p); i++) {
		snprintf(value, sizeof value, "v%zu", i);
		p[i] = with(params_empty(&t), "application_name", value);
	}
	ck_assert_uint_eq(t.count, ARRAY_LEN(p));
	for (size_t i = 0; i < ARRAY_LEN(p); i += 2)
		params_drop(&t, &p[i]);
	for (size_t i = 1; i < ARRAY_LEN(p); i += 2) {
		snprintf(value, sizeof value, "v%zu", i);
		ck_assert_str_eq(params_value(p[i], "application_name"), value);
		params_drop(&t, &p[i]);
	}
	ck_assert_uint_eq(t.count, 0);
	free(t.slot);
}
END_TEST

START_TEST(changes_say_what_differs)
{
	struct params *server = with(with(params_empty(&t), "DateStyle", "ISO"), "TimeZone", "UTC");
	struct params *client = with(params_ref(server), "TimeZone", "CET");

	ck_assert_str_eq(change(server, server), "");
	ck_assert_str_eq(change(server, client),
		"SELECT pg_catalog.set_config(E'TimeZone',E'CET',false);");
	/* what only this client has set, and what another had set before */
	client = params_with(&t, client, "work_mem", "64MB", false);
	server = params_with(&t, server, "my.setting", "1", false);
	server = params_with(&t, server, "odd\"name", "1", false);
	ck_assert_str_eq(change(server, client),
		"RESET \"my\".\"setting\";RESET \"odd\"\"name\";"
		"SELECT pg_catalog.set_config(E'TimeZone',E'CET',false);"
		"SELECT pg_catalog.set_config(E'work_mem',E'64MB',false);");
	params_drop(&t, &server);
	params_drop(&t, &client);
	free(t.slot);
}
END_TEST

START_TEST(what_nobody_can_name_is_reset_first)
{
	struct params *from = with(params_empty(&t), "TimeZone", "UTC");
	struct params *to = params_with(&t, params_ref(from), "work_mem", "64MB", false);
	struct buf sql = {0};

	from = params_with(&t, from, "role", "ann", false);
	from = params_with(&t, from, "lock_timeout", "1s", false);
	ck_assert(params_put_change(&sql, from, to, NULL, true));
	ck_assert_str_eq(buf_cstr(&sql),
		"RESET ROLE;RESET ALL;"
		"SELECT pg_catalog.set_config(E'TimeZone',E'UTC',false);"
		"SELECT pg_catalog.set_config(E'work_mem',E'64MB',false);");
	buf_free(&sql);
	params_drop(&t, &from);
	params_drop(&t, &to);
	free(t.slot);
}
END_TEST

/* Texts are shared by those who read them alike: which search_path matters, which work_mem not. */
START_TEST(what_texts_are_read_under_is_told_apart)
{
	struct params *a = with(params_empty(&t), "TimeZone", "UTC");
	struct params *b = params_with(&t, params_ref(a), "work_mem", "64MB", false);
	struct params *c = params_with(&t, params_ref(a), "search_path", "one", false);
	struct params *d = params_with(&t, params_ref(a), "search_path", "two", false);

	ck_assert_uint_eq(a->meaning, b->meaning);
	ck_assert_uint_ne(a->meaning, c->meaning);
	ck_assert_uint_ne(c->meaning, d->meaning);
	params_drop(&t, &a);
	params_drop(&t, &b);
	params_drop(&t, &c);
	params_drop(&t, &d);
	free(t.slot);
}
END_TEST

START_TEST(values_cannot_break_out)
{
	struct params *from = params_empty(&t), *to;

	to = with(params_empty(&t), "application_name", "it's a \\'; drop table t; --");
	ck_assert_str_eq(change(from, to), "SELECT pg_catalog.set_config(E'application_name',"
					   "E'it''s a \\\\''; drop table t; --',false);");
	params_drop(&t, &from);
	params_drop(&t, &to);
	free(t.slot);
}
END_TEST

START_TEST(what_nobody_can_set_is_left_alone)
{
	struct params *from = params_empty(&t), *to;

	to = with(with(params_empty(&t), "server_version", "15.4"), "is_superuser", "on");
	to = with(with(to, "in_hot_standby", "off"), "Session_Authorization", "bob");
	ck_assert_str_eq(change_to(from, to, NULL), "");
	ck_assert(!param_is_settable("INTEGER_datetimes"));
	ck_assert(param_is_settable("client_encoding"));
	params_drop(&t, &from);
	params_drop(&t, &to);
	free(t.slot);
}
END_TEST

/* A role may set less than who logged in. */
START_TEST(who_it_speaks_for_is_given_up_first_and_taken_last)
{
	struct params *login = with(params_empty(&t), "session_authorization", "app");
	struct params *bob = with(params_ref(login), "session_authorization", "bob");
	struct params *ann = params_with(&t, params_ref(login), "role", "ann", false);
	struct params *both = params_with(&t, params_ref(bob), "role", "ann", false);
	struct params *more = params_with(&t, params_ref(ann), "log_statement", "all", false);

	ck_assert_str_eq(change(login, ann), "SELECT pg_catalog.set_config(E'role',E'ann',false);");
	ck_assert_str_eq(change(ann, login), "RESET ROLE;");
	ck_assert_str_eq(change(login, bob), "RESET SESSION AUTHORIZATION;"
					     "SELECT pg_catalog.set_config("
					     "E'session_authorization',E'bob',false);");
	ck_assert_str_eq(change(ann, both), "RESET ROLE;RESET SESSION AUTHORIZATION;"
					    "SELECT pg_catalog.set_config("
					    "E'session_authorization',E'bob',false);"
					    "SELECT pg_catalog.set_config(E'role',E'ann',false);");
	ck_assert_str_eq(change(ann, more),
		"RESET ROLE;SELECT pg_catalog.set_config(E'log_statement',E'all',false);"
		"SELECT pg_catalog.set_config(E'role',E'ann',false);");
	ck_assert_str_eq(change(more, login), "RESET ROLE;RESET \"log_statement\";");
	/* only who said so is another than the one who logged in */
	ck_assert_str_eq(change_to(login, bob, "app"), "");
	params_drop(&t, &login);
	params_drop(&t, &bob);
	params_drop(&t, &ann);
	params_drop(&t, &both);
	params_drop(&t, &more);
	free(t.slot);
}
END_TEST

/* A parameter that the client set becomes reported when the server says so, and stays. */
START_TEST(reported_is_remembered)
{
	struct params *p = params_with(&t, params_empty(&t), "TimeZone", "UTC", false);

	ck_assert(!p->item[0].reported);
	p = params_with(&t, p, "TimeZone", "UTC", true);
	ck_assert(p->item[0].reported);
	p = params_with(&t, p, "TimeZone", "UTC", false);
	ck_assert(p->item[0].reported);
	p = params_with(&t, p, "TimeZone", "CET", false);
	ck_assert(p->item[0].reported);
	params_drop(&t, &p);
	free(t.slot);
}
END_TEST

static void setup(void)
{
	memset(&t, 0, sizeof t);
}

int main(void)
{
	Suite *s = suite_create("session_params");
	TCase *c = tcase_create("params");
	SRunner *r;
	int failed;

	tcase_add_checked_fixture(c, setup, NULL);
	tcase_add_test(c, equal_sets_are_one);
	tcase_add_test(c, sets_are_sorted_whatever_the_order);
	tcase_add_test(c, many_sets_are_told_apart);
	tcase_add_test(c, changes_say_what_differs);
	tcase_add_test(c, what_nobody_can_name_is_reset_first);
	tcase_add_test(c, what_texts_are_read_under_is_told_apart);
	tcase_add_test(c, values_cannot_break_out);
	tcase_add_test(c, what_nobody_can_set_is_left_alone);
	tcase_add_test(c, who_it_speaks_for_is_given_up_first_and_taken_last);
	tcase_add_test(c, reported_is_remembered);
	suite_add_tcase(s, c);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? 1 : 0;
}
