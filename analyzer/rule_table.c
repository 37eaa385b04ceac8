/* SPDX-License-Identifier: ISC
 *
 * rule_table: the catalogue.  One row per rule; docs/rules.md and `pgassay rules` are made
 * from it.
 */
#include "rule_checks.h"

const struct rule rules[] = {
	{.id = "NP001",
		.name = "n-plus-one-select",
		.severity = SEVERITY_WARNING,
		.scope = SCOPE_RUN,
		.needs = NEED_SEQUENCE | NEED_TREE | USES_SCHEMA,
		.title = "one query per row of another query",
		.why = "After a query that returns N rows the application sends another query for "
		       "each "
		       "of them.  Every one is fast; together they cost N round trips, and N grows "
		       "with the data.",
		.fix = "Fetch all of them in one statement: key = ANY ($1) with the keys of the "
		       "first "
		       "query, or a JOIN; in an ORM: eager loading (includes, select_related, "
		       "joinedload, JOIN FETCH).",
		.bad = "SELECT * FROM posts LIMIT 20; then 20 times SELECT * FROM users WHERE id = "
		       "$1",
		.good = "SELECT * FROM posts LIMIT 20; SELECT * FROM users WHERE id = ANY ($1)",
		.check = check_np001},
	{.id = "LM001",
		.name = "missing-limit",
		.severity = SEVERITY_WARNING,
		.scope = SCOPE_STATEMENT,
		.needs = NEED_TREE | USES_SCHEMA | USES_LOG,
		.title = "the result has no bound",
		.why = "Nothing in the statement bounds how many rows it returns: it works on test "
		       "data "
		       "and takes the server's and the client's memory when the table has grown.",
		.fix = "Add ORDER BY and LIMIT and page through the result by key.",
		.bad = "SELECT * FROM events WHERE tenant_id = $1",
		.good = "SELECT * FROM events WHERE tenant_id = $1 AND id > $2 ORDER BY id LIMIT "
			"100",
		.check = check_lm001},
	{.id = "SG001",
		.name = "function-on-column",
		.severity = SEVERITY_WARNING,
		.scope = SCOPE_QUERY,
		.needs = NEED_TREE | USES_SCHEMA,
		.title = "a function is applied to a column in a condition",
		.why = "An index holds the column's values, not the function's: every row is read "
		       "and "
		       "the function called on it.",
		.fix = "Move the function to the other side, write a range, or index the "
		       "expression.",
		.bad = "SELECT * FROM users WHERE lower(email) = $1",
		.good = "CREATE INDEX ON users (lower(email))",
		.check = check_sg001},
	{.id = "SG002",
		.name = "explicit-cast-on-column",
		.severity = SEVERITY_WARNING,
		.scope = SCOPE_QUERY,
		.needs = NEED_TREE | USES_SCHEMA,
		.title = "a column is cast in a condition",
		.why = "An index holds the column's values in the column's type and order; cast to "
		       "another type they cannot be looked up.",
		.fix = "Cast the value, or write a range over the column itself.",
		.bad = "SELECT * FROM orders WHERE created_at::date = '2024-01-05'",
		.good = "SELECT * FROM orders WHERE created_at >= date '2024-01-05' AND created_at "
			"< "
			"date '2024-01-06'",
		.check = check_sg002},
	{.id = "SG003",
		.name = "arithmetic-on-column",
		.severity = SEVERITY_WARNING,
		.scope = SCOPE_QUERY,
		.needs = NEED_TREE | USES_SCHEMA,
		.title = "arithmetic is done on a column in a condition",
		.why = "The planner does not solve equations: with anything but the bare column on "
		       "its "
		       "side no index on it is used.",
		.fix = "Move the arithmetic to the other side.",
		.bad = "SELECT * FROM orders WHERE now() - created_at < interval '1 day'",
		.good = "SELECT * FROM orders WHERE created_at > now() - interval '1 day'",
		.check = check_sg003},
	{.id = "SG004",
		.name = "implicit-cast-on-column",
		.severity = SEVERITY_WARNING,
		.scope = SCOPE_QUERY,
		.needs = NEED_TREE | NEED_SCHEMA,
		.title = "the value's type forces a cast of the column",
		.why = "There is no operator for the two types within one index family, so "
		       "PostgreSQL "
		       "casts the column, on every row.",
		.fix = "Give the value the column's type.",
		.bad = "SELECT * FROM items WHERE quantity = 5.0 -- quantity is an integer",
		.good = "SELECT * FROM items WHERE quantity = 5",
		.check = check_sg004},
	{.id = "SG005",
		.name = "leading-wildcard",
		.severity = SEVERITY_WARNING,
		.scope = SCOPE_QUERY,
		.needs = NEED_TREE | USES_SCHEMA,
		.title = "the pattern begins with a wildcard",
		.why = "A B-tree finds what begins with a known prefix; a pattern without one is "
		       "compared with every row.",
		.fix = "A trigram index (pg_trgm, GIN) serves it; for suffixes alone an index on "
		       "reverse(column); for words full text search.",
		.bad = "SELECT * FROM products WHERE name LIKE '%chair'",
		.good = "CREATE INDEX ON products USING gin (name gin_trgm_ops)",
		.check = check_sg005},
#define QUERY_RULE(id_, name_, severity_, scope_, needs_, check_, title_, why_, fix_, bad_, good_) \
	{.id = #id_,                                                                               \
		.name = name_,                                                                     \
		.severity = SEVERITY_##severity_,                                                  \
		.scope = SCOPE_##scope_,                                                           \
		.needs = needs_,                                                                   \
		.title = title_,                                                                   \
		.why = why_,                                                                       \
		.fix = fix_,                                                                       \
		.bad = bad_,                                                                       \
		.good = good_,                                                                     \
		.check = check_},
#include "rule_more_table.h"
#include "rule_sequence_table.h"
#include "rule_statement_table.h"
#include "rule_catalog_table.h"
#undef QUERY_RULE
/* The plan rules are the plan family's: it checks them, here they are listed. */
#define PLAN_RULE(id_, name_, severity_, check_, title_, why_, fix_, bad_, good_)                  \
	{.id = #id_,                                                                               \
		.name = name_,                                                                     \
		.severity = SEVERITY_##severity_,                                                  \
		.scope = SCOPE_PLAN,                                                               \
		.needs = NEED_PLAN,                                                                \
		.title = title_,                                                                   \
		.why = why_,                                                                       \
		.fix = fix_,                                                                       \
		.bad = bad_,                                                                       \
		.good = good_},
#include "plan_rule_table.h"
#undef PLAN_RULE
/* So are the gate's. */
#define GATE_RULE(id_, name_, severity_, title_, why_, fix_, bad_, good_)                          \
	{.id = #id_,                                                                               \
		.name = name_,                                                                     \
		.severity = SEVERITY_##severity_,                                                  \
		.scope = SCOPE_GATE,                                                               \
		.needs = 0,                                                                        \
		.title = title_,                                                                   \
		.why = why_,                                                                       \
		.fix = fix_,                                                                       \
		.bad = bad_,                                                                       \
		.good = good_},
#include "rule_gate_table.h"
#undef GATE_RULE
	{.id = NULL},
};
