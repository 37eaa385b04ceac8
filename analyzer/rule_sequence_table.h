/* SPDX-License-Identifier: ISC
 *
 * rule_sequence_table.h: the catalogue's rows about sequences of statements (NP, TX) and about
 * bounds and pages (LM); read like rule_more_table.h.
 */
QUERY_RULE(NP003, "insert-in-loop", WARNING, RUN, NEED_SEQUENCE | NEED_TREE | USES_SCHEMA,
	check_np003, "rows inserted one at a time in one transaction",
	"Every row costs a round trip and the work of a statement.",
	"INSERT of many rows, INSERT … SELECT FROM unnest, or COPY.",
	"200 times INSERT INTO line (a, b) VALUES ($1, $2)",
	"INSERT INTO line (a, b) SELECT * FROM unnest($1::int[], $2::int[])")
QUERY_RULE(NP004, "update-in-loop", WARNING, RUN, NEED_SEQUENCE | NEED_TREE, check_np004,
	"rows updated or deleted one at a time in one transaction",
	"Every row costs a round trip and the work of a statement.",
	"One UPDATE … FROM unnest, one DELETE … WHERE key = ANY.",
	"50 times UPDATE t SET x = $1 WHERE id = $2",
	"UPDATE t SET x = v.x FROM unnest($1::int[], $2::int[]) AS v(id, x) WHERE t.id = v.id")
QUERY_RULE(NP006, "count-per-row", WARNING, RUN, NEED_SEQUENCE | NEED_TREE | USES_SCHEMA,
	check_np006, "one count for each row of another query",
	"An N+1 like any other: N round trips for numbers that one grouped statement returns.",
	"One SELECT key, count(*) … WHERE key = ANY ($1) GROUP BY key, or a counter column.",
	"20 times SELECT count(*) FROM comments WHERE post_id = $1",
	"SELECT post_id, count(*) FROM comments WHERE post_id = ANY ($1) GROUP BY post_id")
QUERY_RULE(NP007, "exists-check-loop", WARNING, RUN, NEED_SEQUENCE | NEED_TREE | USES_SCHEMA,
	check_np007, "one question for each row of another query whether something exists",
	"N round trips for N booleans.",
	"One SELECT DISTINCT key … WHERE key = ANY ($1), or EXISTS in the first query.",
	"20 times SELECT 1 FROM orders WHERE customer_id = $1 LIMIT 1",
	"SELECT DISTINCT customer_id FROM orders WHERE customer_id = ANY ($1)")
QUERY_RULE(LM002, "deep-offset", WARNING, QUERY, NEED_TREE | USES_LOG, check_lm002,
	"paging with a large OFFSET",
	"All rows before the page are read, sorted and thrown away: "
	"page n costs n times page one.",
	"Page by key: WHERE (sort key) > (last one seen).",
	"SELECT id FROM t ORDER BY id LIMIT 20 OFFSET 50000",
	"SELECT id FROM t WHERE id > $1 ORDER BY id LIMIT 20")
QUERY_RULE(LM003, "limit-without-order", WARNING, QUERY, NEED_TREE | USES_SCHEMA, check_lm003,
	"LIMIT without ORDER BY",
	"Which rows come depends on the plan; pages overlap and miss rows.",
	"ORDER BY a unique key.", "SELECT id FROM t LIMIT 10 OFFSET 20",
	"SELECT id FROM t ORDER BY id LIMIT 10 OFFSET 20")
QUERY_RULE(LM006, "huge-limit", INFO, QUERY, NEED_TREE | USES_LOG, check_lm006,
	"a LIMIT of ten thousand or more", "It bounds neither memory nor time.",
	"Smaller pages by key, a cursor, or COPY.", "SELECT id FROM t ORDER BY id LIMIT 100000",
	"SELECT id FROM t ORDER BY id LIMIT 500")
