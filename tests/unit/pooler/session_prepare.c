/* SPDX-License-Identifier: ISC
 *
 * The three tables of prepared statements against models: shared texts and their
 * references, a client's names (with deletion from the middle of probe chains), and what a
 * server has, least recently used first.
 */
#include "session.h"

#include <check.h>

static struct relay *relay;
static struct lane *lane;
static struct client *c;
static struct server *s;

static void setup(void)
{
	relay = mem_zalloc(sizeof *relay);
	lane = mem_zalloc(sizeof *lane);
	c = mem_zalloc(sizeof *c);
	s = mem_zalloc(sizeof *s);
	lane->relay = relay;
	c->lane = s->lane = lane;
}

static void teardown(void)
{
	client_statements_clear(c);
	server_statements_clear(s);
	ck_assert_uint_eq(relay->prepared.count, 0); /* every reference was given back */
	ck_assert_uint_eq(relay->prepared.bytes, 0);
	free(relay->prepared.slot);
	free(relay);
	free(lane);
	free(c);
	free(s);
}

/* Statement i: "select i", its NUL and no types. */
static struct prepared *text(int i)
{
	char body[32];
	int n = snprintf(body, sizeof body, "select %d", i);

	body[n + 1] = body[n + 2] = '\0';
	return prepared_intern(&relay->prepared, body, (size_t)n + 3, 0);
}

START_TEST(equal_texts_are_one)
{
	struct prepared *a = text(1), *b = text(2), *again = text(1);

	ck_assert_ptr_eq(a, again);
	ck_assert_ptr_ne(a, b);
	ck_assert_uint_eq(a->refs, 2);
	ck_assert_uint_eq(a->text_len, 8);
	ck_assert_uint_ne(a->number, b->number);
	ck_assert_ptr_eq(prepared_find(&relay->prepared, a->body, a->body_len, 0), a);
	ck_assert_ptr_null(prepared_find(&relay->prepared, a->body, a->body_len - 1, 0));
	/* the types belong to it */
	again = prepared_intern(&relay->prepared, "select 1\0\0\1\0\0\0\x17", 15, 0);
	ck_assert_ptr_ne(a, again);
	prepared_drop(&relay->prepared, &again);
	prepared_drop(&relay->prepared, &a);
	a = text(1);
	ck_assert_uint_eq(a->refs, 2);
	prepared_drop(&relay->prepared, &a);
	again = prepared_find(&relay->prepared, "select 1\0\0", 11, 0);
	prepared_drop(&relay->prepared, &again);
	ck_assert_ptr_null(prepared_find(&relay->prepared, "select 1\0\0", 11, 0));
	prepared_drop(&relay->prepared, &b);
	prepared_drop(&relay->prepared, &b);
}
END_TEST

/* A text that means something else is another statement; one whose types are doubted stays with
 * those who have it, as they were told. */
START_TEST(who_prepares_later_may_get_another)
{
	struct prepared_table *t = &relay->prepared;
	struct prepared *a = prepared_intern(t, "select $1\0\0", 12, 1), *b, *again;
	struct buf parse = {0};

	b = prepared_intern(t, "select $1\0\0", 12, 2);
	ck_assert_ptr_ne(a, b);
	ck_assert_uint_ne(a->number, b->number);
	prepared_learn_types(a, "\0\1\0\0\0\x17", 6);
	prepared_put_parse(&parse, "n", a);
	ck_assert_uint_eq(parse.len, 5 + 2 + 10 + 6);
	ck_assert_mem_eq(parse.data + 5, "n\0select $1\0\0\1\0\0\0\x17", 18);
	prepared_doubt(a, "23505");
	ck_assert_ptr_eq(prepared_find(t, "select $1\0\0", 12, 1), a);
	prepared_doubt(a, "22003");
	ck_assert(!prepared_is_stale(a));
	ck_assert_ptr_null(prepared_find(t, "select $1\0\0", 12, 1));
	ck_assert_ptr_eq(prepared_find(t, "select $1\0\0", 12, 2), b);
	again = prepared_intern(t, "select $1\0\0", 12, 1);
	ck_assert_ptr_ne(again, a);
	ck_assert_uint_ne(again->number, a->number);
	prepared_drop(t, &a);
	prepared_drop(t, &b);
	prepared_drop(t, &again);
	/* the same where numbers are the process's */
	t->together = true;
	a = prepared_intern(t, "select $1\0\0", 12, 1);
	prepared_doubt(a, "42883");
	again = prepared_intern(t, "select $1\0\0", 12, 1);
	b = prepared_intern(t, "select $1\0\0", 12, 2);
	ck_assert(a->number != again->number && a->number != b->number &&
		  b->number != again->number);
	prepared_drop(t, &a);
	prepared_drop(t, &b);
	prepared_drop(t, &again);
	buf_free(&parse);
}
END_TEST

START_TEST(numbers_are_never_used_twice)
{
	uint64_t last = 0;

	for (int i = 0; i < 3000; i++) {
		struct prepared *p = text(i % 7);

		ck_assert_uint_gt(p->number, last);
		last = p->number;
		prepared_drop(&relay->prepared, &p);
	}
}
END_TEST

#define NAMES 200

START_TEST(names_against_a_model)
{
	uint64_t model[NAMES] = {0}; /* the number of its statement; 0: none */
	unsigned seed = 17 + (unsigned)_i;
	size_t count = 0;
	char name[16];

	for (int step = 0; step < 20000; step++) {
		int i = rand_r(&seed) % NAMES;
		struct prepared *p;
		bool removed;

		/* many at first, few later: chains grow and shrink */
		snprintf(name, sizeof name, "s%d", i);
		if (rand_r(&seed) % 100 < (step / 2000 % 2 ? 20 : 60)) {
			p = text(i % 50);
			if (client_statement_put(c, name, p)) {
				if (model[i])
					ck_abort_msg("%s was there", name);
				model[i] = p->number;
				count++;
			} else {
				if (!model[i])
					ck_abort_msg("%s was not there", name);
				prepared_drop(&relay->prepared, &p);
			}
		} else {
			removed = client_statement_remove(c, name);
			if (removed != (model[i] != 0))
				ck_abort_msg("%s: removed %d", name, removed);
			count -= removed;
			model[i] = 0;
		}
		i = rand_r(&seed) % NAMES;
		snprintf(name, sizeof name, "s%d", i);
		p = client_statement_get(c, name);
		if ((p ? p->number : 0) != model[i] || client_statement_count(c) != count)
			ck_abort_msg("%s is lost", name);
	}
	for (int i = 0; i < NAMES; i++) {
		struct prepared *p;

		snprintf(name, sizeof name, "s%d", i);
		p = client_statement_get(c, name);
		ck_assert_uint_eq(p ? p->number : 0, model[i]);
		client_statement_remove(c, name);
	}
	ck_assert_uint_eq(client_statement_bytes(c), 0);
}
END_TEST

START_TEST(the_newest_name_is_forgotten)
{
	struct prepared *p = text(1);
	uint64_t number = p->number;

	client_statement_forget(c, number); /* has none at all */
	ck_assert(client_statement_put(c, "old", p));
	ck_assert(client_statement_put(c, "new", text(1)));
	ck_assert(client_statement_put(c, "other", text(2)));
	client_statement_forget(c, number);
	ck_assert_ptr_null(client_statement_get(c, "new"));
	ck_assert_ptr_nonnull(client_statement_get(c, "old"));
	client_statement_forget(c, number + 99);
	ck_assert_uint_eq(client_statement_count(c), 2);
}
END_TEST

#define HAVE 90

START_TEST(what_a_server_has_against_a_model)
{
	int order[HAVE + 1]; /* front: most recently used */
	int n = 0, max = 40;
	unsigned seed = 23 + (unsigned)_i;
	struct prepared *p[HAVE], *old;

	for (int i = 0; i < HAVE; i++)
		p[i] = text(i);
	for (int step = 0; step < 20000; step++) {
		int i = rand_r(&seed) % HAVE, at = 0;

		while (at < n && order[at] != i)
			at++;
		if (rand_r(&seed) % 10 == 0) {
			if (server_statement_remove(s, p[i]->number) != (at < n))
				ck_abort_msg("removed what was not there");
			if (at < n)
				memmove(order + at, order + at + 1,
					(size_t)(--n - at) * sizeof *order);
			continue;
		}
		if (server_statement_has(s, p[i]) != (at < n))
			ck_abort_msg("statement %d, at %d of %d", i, at, n);
		if (at == n) {
			server_statement_put(s, p[i]);
			server_statement_put(s, p[i]); /* harmless */
			n++;
		}
		memmove(order + 1, order, (size_t)at * sizeof *order);
		order[0] = i;
		while ((old = server_statement_evict(s, (size_t)max))) {
			if (n <= max || old != p[order[n - 1]])
				ck_abort_msg("evicted another than the oldest");
			n--;
			prepared_drop(&relay->prepared, &old);
		}
		if (n > max || server_statement_count(s) != (size_t)n)
			ck_abort_msg("%d are there", n);
	}
	for (int i = 0; i < HAVE; i++)
		prepared_drop(&relay->prepared, &p[i]);
}
END_TEST

START_TEST(a_text_lives_as_long_as_anybody_has_it)
{
	struct prepared *p = text(1);
	uint64_t number = p->number;

	ck_assert(client_statement_put(c, "a", p));
	server_statement_put(s, p);
	ck_assert_uint_eq(p->refs, 2);
	server_statement_accepted(s, number);
	server_statement_accepted(s, number + 1);
	ck_assert_ptr_eq(p->valid, lane);
	client_statements_clear(c);
	ck_assert_uint_eq(p->refs, 1);
	ck_assert_ptr_eq(text(1), p); /* found again, with its number */
	ck_assert(client_statement_put(c, "b", p));
	server_statements_clear(s);
	ck_assert_uint_eq(p->refs, 1);
	ck_assert(!server_statement_has(s, p));
}
END_TEST

static struct prepared *said(const char *sql)
{
	char body[128];
	size_t n = strlen(sql) + 1;

	memcpy(body, sql, n);
	body[n] = body[n + 1] = '\0';
	return prepared_intern(&relay->prepared, body, n + 2, 0);
}

START_TEST(comments_do_not_make_another_statement)
{
	struct prepared *plain = said("select 1"), *a = said("select 1 /*a*/"),
			*b = said("/*b*/ select 1;"), *hint = said("/*+x*/ select 1");

	ck_assert_ptr_ne(a, b); /* logs tell them apart */
	ck_assert_ptr_eq(prepared_served(&relay->prepared, a), plain);
	ck_assert_ptr_eq(prepared_served(&relay->prepared, b), plain);
	ck_assert_ptr_eq(prepared_served(&relay->prepared, hint), hint);
	ck_assert_uint_eq(a->shift, 0);
	ck_assert_uint_eq(b->shift, 6);
	ck_assert(client_statement_put(c, "a", a));
	ck_assert(client_statement_put(c, "b", b));
	client_statement_forget(c, plain->number); /* the server's number: the newest of them */
	ck_assert_ptr_null(client_statement_get(c, "b"));
	ck_assert_ptr_eq(client_statement_get(c, "a"), a);
	prepared_drop(&relay->prepared, &hint);
	prepared_drop(&relay->prepared, &plain);
}
END_TEST

START_TEST(what_is_renewed_is_stale_for_who_had_it)
{
	struct prepared_table *t = &relay->prepared;
	struct prepared *old = said("select 1"), *noted = said("select 1 /*a*/"), *fresh, *again;
	uint64_t first = old->number;

	fresh = prepared_renew(t, old);
	ck_assert(prepared_is_stale(old) && prepared_is_stale(noted) && !prepared_is_stale(fresh));
	ck_assert_ptr_eq(prepared_served(t, old), fresh);
	ck_assert_ptr_eq(prepared_served(t, noted), fresh);
	/* who prepares now gets the new one, with or without a comment */
	again = said("select 1");
	ck_assert_ptr_eq(again, fresh);
	prepared_drop(t, &again);
	again = said("select 1 /*a*/");
	ck_assert_ptr_ne(again, noted);
	ck_assert(!prepared_is_stale(again));
	prepared_drop(t, &again);
	for (int i = 0; i < 100; i++) {
		fresh = prepared_renew(t, noted);
		ck_assert_ptr_eq(prepared_served(t, noted), fresh);
		ck_assert_ptr_eq(prepared_served(t, old), fresh);
		ck_assert(prepared_is_stale(noted) && prepared_is_stale(old));
	}
	ck_assert_uint_le(t->count, 4); /* and not all that were in between */
	ck_assert(client_statement_put(c, "s", old));
	ck_assert(client_statement_put(c, "n", noted));
	client_statement_move(c, first, fresh);
	ck_assert_ptr_eq(client_statement_get(c, "n"), fresh); /* the newer name */
	ck_assert_ptr_eq(client_statement_get(c, "s"), old);
}
END_TEST

/* To a relay that has the first of them already, under a table of its own, and back. */
START_TEST(what_a_server_has_goes_along)
{
	struct relay *there = mem_zalloc(sizeof *there);
	struct lane *lane_there = mem_zalloc(sizeof *lane_there);
	struct prepared *p[3], *known, *q;
	struct buf b = {0};

	relay->prepared.together = there->prepared.together = true;
	lane_there->relay = there;
	known = prepared_intern(&there->prepared, "select 0\0\0", 11, 0);
	for (int i = 0; i < 3; i++) {
		p[i] = text(i);
		server_statement_put(s, p[i]);
		server_statement_accepted(s, p[i]->number);
	}
	ck_assert_uint_eq(known->number, p[0]->number); /* one text, one number */
	s->unnamed = text(7);
	server_statements_pack(s, &b);
	ck_assert_uint_eq(server_statement_count(s), 0);
	s->lane = lane_there;
	server_statements_unpack(s, &b);
	ck_assert_uint_eq(server_statement_count(s), 3);
	ck_assert_str_eq(s->unnamed->body, "select 7");
	ck_assert(server_statement_has(s, known) && known->valid == lane_there);
	for (int i = 0; i < 3; i++) {
		q = server_statement_find(s, p[i]->number);
		ck_assert_str_eq(q->body, p[i]->body);
		ck_assert(!server_statement_is_pending(s, q));
	}
	ck_assert(!s->foreign_names && !s->stale_names);
	q = server_statement_evict(s, 2); /* known was used just now */
	ck_assert_str_eq(q->body, "select 1");
	prepared_drop(&there->prepared, &q);

	/* clients there were told other columns: not that one, and its name is closed first */
	known->columns = 5;
	buf_free(&b);
	server_statements_pack(s, &b);
	s->lane = lane;
	p[0]->columns = 4;
	server_statements_unpack(s, &b);
	ck_assert(s->stale_names && !s->foreign_names);
	ck_assert(!server_statement_has(s, p[0]) && server_statement_has(s, p[2]));

	/* one of the two has renewed it: what it was is deallocated, and the other one joins */
	server_statement_put(s, p[1]);
	q = prepared_renew(&there->prepared, known);
	ck_assert_uint_ne(q->number, known->number);
	buf_free(&b);
	server_statement_put(s, p[0]);
	server_statements_pack(s, &b);
	s->lane = lane_there;
	server_statements_unpack(s, &b);
	ck_assert(s->foreign_names);
	ck_assert_uint_eq(server_statement_count(s), 0);
	ck_assert_uint_eq(prepared_renew(&relay->prepared, p[0])->number, q->number);

	prepared_drop(&there->prepared, &s->unnamed);
	prepared_drop(&there->prepared, &known);
	for (int i = 0; i < 3; i++)
		prepared_drop(&relay->prepared, &p[i]);
	ck_assert_uint_eq(there->prepared.count, 0);
	s->lane = lane;
	buf_free(&b);
	free(there->prepared.slot);
	free(lane_there);
	free(there);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("session_prepare");
	TCase *t = tcase_create("prepared");
	SRunner *r;
	int failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, equal_texts_are_one);
	tcase_add_test(t, who_prepares_later_may_get_another);
	tcase_add_test(t, what_a_server_has_goes_along);
	tcase_add_test(t, numbers_are_never_used_twice);
	tcase_add_loop_test(t, names_against_a_model, 0, 5);
	tcase_add_test(t, the_newest_name_is_forgotten);
	tcase_add_loop_test(t, what_a_server_has_against_a_model, 0, 5);
	tcase_add_test(t, comments_do_not_make_another_statement);
	tcase_add_test(t, what_is_renewed_is_stale_for_who_had_it);
	tcase_add_test(t, a_text_lives_as_long_as_anybody_has_it);
	suite_add_tcase(suite, t);
	r = srunner_create(suite);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? 1 : 0;
}
