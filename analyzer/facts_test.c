/* SPDX-License-Identifier: ISC
 *
 * facts_test: which test of a suite sent a call.
 *
 *	tag       a comment with test='NAME' names the test of its own statement
 *	marker    `SELECT 'pgassay:test NAME'`, or a comment `pgassay:test NAME` on a statement:
 *	          the session is in that test until its next marker (an empty NAME ends it)
 *	name      the application_name, when it looks like a test's (or always: test_names)
 *
 * A run of a test begins when a session enters it while no other session is in it, and at every
 * marker or SET application_name.  So several connections of one run count together, a retry
 * counts apart, and what is reported is the fullest run: the same figure in whatever order the
 * tests ran, and however often one was tried again.
 */
#include "facts_build.h"
#include "sql.h"

static const char mark[] = "pgassay:test";

/* --- runs --------------------------------------------------------------------------- */

static void end_run(struct facts *f, struct test *t)
{
	t->queries = t->now > t->queries ? t->now : t->queries;
	t->usec = t->now_usec > t->usec ? t->now_usec : t->usec;
	t->now = t->now_usec = 0;
	for (uint32_t i = t->first; i != UINT32_MAX; i = f->test_call.at[i].next) {
		struct test_call *c = &f->test_call.at[i];
		c->calls = c->now > c->calls ? c->now : c->calls;
		c->now = 0;
	}
}

void test_leave(struct facts *f, struct session *s)
{
	struct test *t;

	if (s->test == NO_TEST)
		return;
	t = &f->test.at[s->test];
	if (--t->live == 0)
		end_run(f, t);
	s->test = NO_TEST;
}

static uint32_t test_id(struct facts *f, struct str name)
{
	uint32_t id = names_id(&f->names, name), *at = map_put(&f->test_of, id);

	if (*at == MAP_NONE) {
		*at = (uint32_t)f->test.n;
		*VEC_PUSH(&f->test) = (struct test){.name = id, .first = UINT32_MAX};
	}
	return *at;
}

/* The transaction goes on, but what the next test does in it is no part of this one's. */
static void enter(struct facts *f, struct session *s, uint32_t test)
{
	enum unit_kind kind = s->unit.kind;

	test_leave(f, s);
	unit_end_all(f, s);
	s->unit.kind = s->in_tx ? kind : UNIT_BURST;
	s->unit.counted = s->in_tx; /* when it ends, whole */
	s->test = test;
	if (test != NO_TEST && f->test.at[test].live++ == 0)
		f->test.at[test].runs++;
}

/* --- names ----------------------------------------------------------------------------- */

/* "OrdersTest#test_index", "tests/test_shop.py::test_cart", "test checkout" */
static bool looks_like_test(struct str name)
{
	static const char *const inside[] = {
		"::", "#test", ".test", "_test", "Test#", "test_", "_spec"};

	if (str_starts(name, "test") || str_starts(name, "Test"))
		return true;
	for (size_t i = 0; i < ARRAY_LEN(inside); i++)
		if (str_find(name, inside[i]) < name.n)
			return true;
	return false;
}

static struct str app_test(const struct facts *f, struct session *s)
{
	struct str app = facts_name(f, s->app);

	if (f->test_names == TEST_NAMES_NEVER)
		return STR("");
	if (s->app_asked != s->app) { /* asked for every call, and it hardly ever changes */
		s->app_asked = s->app;
		s->app_is_test = looks_like_test(app);
	}
	return f->test_names == TEST_NAMES_AUTO && !s->app_is_test ? STR("") : app;
}

/* SELECT 'pgassay:test NAME' and nothing more: the name, STR_NONE when it is not one. */
static struct str marker_select(struct str sql, const struct sql_shape *lex)
{
	const char *p;
	size_t n;

	if (lex->verb != SQL_SELECT || lex->literals != 1 ||
		lex->traits & (SQL_HAS_FROM | SQL_HAS_WHERE | SQL_IS_MULTI) || sql.n > 500)
		return STR_NONE;
	p = memmem(sql.p, sql.n, mark, sizeof(mark) - 1);
	if (!p || p == sql.p || p[-1] != '\'')
		return STR_NONE;
	struct str rest = str_skip(sql, (size_t)(p - sql.p));
	n = str_find(rest, "'");
	return sql_mark(str_before(rest, n), mark);
}

static struct str marker_comment(struct str sql)
{
	struct str comment, found = STR_NONE;

	for (size_t i = 0; sql_comment_next(sql, &i, &comment);) {
		struct str name = sql_mark(comment, mark);
		found = name.p ? name : found;
	}
	return found;
}

static bool sets_application_name(struct str sql, const struct sql_shape *lex)
{
	return lex->verb == SQL_SET && sql.n < 500 &&
	       memmem(sql.p, sql.n, "application_name", 16) != NULL;
}

/* Finds the test this call belongs to; true: the call is nothing but a marker. */
bool test_begin(struct facts *f, struct session *s, struct str sql, const struct sql_shape *lex)
{
	bool has_comment = lex->traits & SQL_HAS_COMMENT, is_begin = false;
	struct str marked = marker_select(sql, lex), name = STR("");
	bool is_marker = marked.p != NULL;

	if (!is_marker && has_comment && memmem(sql.p, sql.n, mark, sizeof(mark) - 1)) {
		marked = marker_comment(sql);
		is_marker = marked.p && (lex->verb == SQL_EMPTY ||
						(lex->verb == SQL_SELECT && lex->literals == 1 &&
							!(lex->traits & SQL_HAS_FROM)));
	}
	if (marked.p) {
		s->marker = marked.n ? test_id(f, marked) : NO_TEST;
		is_begin = true;
	}
	uint32_t test = s->marker;
	if (has_comment && memmem(sql.p, sql.n, "test='", 6)) {
		struct arena a = {0};
		name = sql_tag(&a, sql, lex, "test");
		test = name.n ? test_id(f, name) : test;
		arena_release(&a);
	}
	if (test == NO_TEST && (name = app_test(f, s)).n)
		test = test_id(f, name);
	if (test != s->test || (test != NO_TEST && (is_begin || sets_application_name(sql, lex))))
		enter(f, s, test);
	s->unit.test = test;
	return is_marker;
}

/* --- counting ---------------------------------------------------------------------------- */

static bool is_query(enum sql_verb v)
{
	return v != SQL_EMPTY && v != SQL_BEGIN && v != SQL_COMMIT && v != SQL_ROLLBACK &&
	       v != SQL_SAVEPOINT && v != SQL_SET && v != SQL_SHOW && v != SQL_DISCARD &&
	       v != SQL_DEALLOCATE && v != SQL_CLOSE;
}

void test_count(struct facts *f, struct session *s, uint32_t shape, int64_t usec)
{
	struct test *t;
	uint32_t *at;

	if (s->test == NO_TEST || !is_query(f->shape.at[shape]->verb))
		return;
	t = &f->test.at[s->test];
	t->now++;
	t->now_usec += usec > 0 ? (uint64_t)usec : 0;
	at = map_put(&f->test_call_of, (uint64_t)s->test << 32 | shape);
	if (*at == MAP_NONE) {
		*at = (uint32_t)f->test_call.n;
		*VEC_PUSH(&f->test_call) = (struct test_call){.test = s->test,
			.shape = shape,
			.next = t->first,
			.of_shape = f->shape.at[shape]->test_call};
		t->first = *at;
		f->shape.at[shape]->test_call = *at + 1;
	}
	f->test_call.at[*at].now++;
}

void names_least(const struct facts *f, uint32_t *set, uint32_t *n, uint32_t cap, uint32_t name)
{
	uint32_t at = 0;

	while (at < *n && str_cmp(facts_name(f, set[at]), facts_name(f, name)) < 0)
		at++;
	if (at >= cap || (at < *n && set[at] == name))
		return;
	*n += *n < cap;
	memmove(&set[at + 1], &set[at], (*n - 1 - at) * sizeof(*set));
	set[at] = name;
}

uint32_t shape_tests(const struct facts *f, uint32_t shape, uint32_t *set)
{
	uint32_t n = 0;

	for (uint32_t i = f ? f->shape.at[shape]->test_call : 0; i;
		i = f->test_call.at[i - 1].of_shape)
		names_least(f, set, &n, TESTS_MAX, f->test.at[f->test_call.at[i - 1].test].name);
	return n;
}
