/* SPDX-License-Identifier: ISC
 *
 * rule_statement_table.h: rows of the catalogue about statements: rule_limit.c, rule_query.c,
 * rule_join.c, rule_order.c, rule_rows.c, rule_meaning.c, rule_subquery.c, and of rule_usage.c what
 * the log shows.
 *
 * QUERY_RULE(id, name, severity, scope, needs, check, confidence, title, why, fix, bad, good)
 */
QUERY_RULE(LM001, "missing-limit", WARNING, STATEMENT, NEED_TREE | USES_SCHEMA | USES_LOG,
	check_lm001,
	"certain where the log saw a thousand rows or more, likely where it saw fewer or there is "
	"no WHERE; else possible (a WHERE that bounds nothing for sure, GROUP BY, DISTINCT)",
	"the result has no bound",
	"Nothing in the statement bounds how many rows it returns: it works on test data and takes "
	"the server's and the client's memory when the table has grown.",
	"Add ORDER BY and LIMIT and page through the result by key.",
	"SELECT * FROM events WHERE tenant_id = $1",
	"SELECT * FROM events WHERE tenant_id = $1 AND id > $2 ORDER BY id LIMIT 100")
QUERY_RULE(LM002, "deep-offset", WARNING, QUERY, NEED_TREE | USES_LOG, check_lm002, "likely",
	"paging with a large OFFSET",
	"All rows before the page are read, sorted and thrown away: "
	"page n costs n times page one.",
	"Page by key: WHERE (sort key) > (last one seen).",
	"SELECT id FROM t ORDER BY id LIMIT 20 OFFSET 50000",
	"SELECT id FROM t WHERE id > $1 ORDER BY id LIMIT 20")
QUERY_RULE(LM003, "limit-without-order", WARNING, QUERY, NEED_TREE | USES_SCHEMA, check_lm003,
	"certain with OFFSET (pages); else possible", "LIMIT without ORDER BY",
	"Which rows come depends on the plan; pages overlap and miss rows.",
	"ORDER BY a unique key.", "SELECT id FROM t LIMIT 10 OFFSET 20",
	"SELECT id FROM t ORDER BY id LIMIT 10 OFFSET 20")
QUERY_RULE(LM006, "huge-limit", INFO, QUERY, NEED_TREE | USES_LOG, check_lm006, "possible",
	"a LIMIT of ten thousand or more", "It bounds neither memory nor time.",
	"Smaller pages by key, a cursor, or COPY.", "SELECT id FROM t ORDER BY id LIMIT 100000",
	"SELECT id FROM t ORDER BY id LIMIT 500")
QUERY_RULE(LM004, "unstable-page-order", INFO, QUERY, NEED_TREE | NEED_SCHEMA, check_lm004,
	"likely", "pages in an order that does not tell all rows apart",
	"Rows that are equal in the order may come on two pages, or on none.",
	"Add a unique key to the end of ORDER BY.",
	"SELECT id FROM t ORDER BY created_at LIMIT 20 OFFSET 20",
	"SELECT id FROM t ORDER BY created_at, id LIMIT 20 OFFSET 20")
QUERY_RULE(DM001, "write-without-where", ERROR, QUERY, NEED_TREE | USES_SCHEMA, check_dm001,
	"likely", "UPDATE or DELETE of every row",
	"Without WHERE the whole table is written, locked and bloated.",
	"Add WHERE; TRUNCATE empties a table; large changes go in batches.", "DELETE FROM orders",
	"DELETE FROM orders WHERE created_at < '2020-01-01'")
QUERY_RULE(DM002, "always-true-where", ERROR, QUERY, NEED_TREE, check_dm002, "certain",
	"the WHERE of a write is always true", "It reads like a restriction and is none.",
	"Name the rows.", "DELETE FROM t WHERE 1 = 1", "DELETE FROM t WHERE 1 = 1 AND id = $1")
QUERY_RULE(DM003, "insert-without-columns", INFO, QUERY, NEED_TREE, check_dm003, "certain",
	"INSERT relies on the order of columns",
	"A column added or moved makes it fail or, worse, fill the wrong one.", "Name the columns.",
	"INSERT INTO t VALUES (1, 2)", "INSERT INTO t (a, b) VALUES (1, 2)")
QUERY_RULE(DM005, "self-assignment", INFO, QUERY, NEED_TREE, check_dm005, "certain",
	"a column is set to itself",
	"The row is written anew, with all its index entries, for "
	"nothing; only a trigger could want that.",
	"Leave the assignment out.", "UPDATE t SET a = a WHERE id = 1",
	"UPDATE t SET a = b WHERE id = 1")
QUERY_RULE(JN001, "cartesian-product", WARNING, QUERY, NEED_TREE | USES_SCHEMA, check_jn001,
	"likely", "tables without a condition that joins them",
	"Every row of one is paired with every row of the other.",
	"Add the join condition; write CROSS JOIN where the product is meant.",
	"SELECT * FROM a, b WHERE a.x = 1", "SELECT * FROM a JOIN b ON b.a_id = a.id WHERE a.x = 1")
QUERY_RULE(JN003, "outer-join-defeated", WARNING, QUERY, NEED_TREE, check_jn003, "certain",
	"WHERE takes out the rows the LEFT JOIN keeps",
	"Rows without a partner have NULL there, and the condition is not true for NULL: it is an "
	"inner join, written otherwise than meant.",
	"JOIN, or the condition in ON.",
	"SELECT * FROM a LEFT JOIN b ON b.a_id = a.id WHERE b.x = 1",
	"SELECT * FROM a LEFT JOIN b ON b.a_id = a.id AND b.x = 1")
QUERY_RULE(SQ001, "not-in-subquery", WARNING, QUERY, NEED_TREE | USES_SCHEMA, check_sq001,
	"likely where the schema lets the column be NULL; possible without a schema",
	"NOT IN over a column that may be NULL",
	"One NULL makes NOT IN unknown for every row; and it is never planned as an anti join.",
	"NOT EXISTS.", "SELECT id FROM users WHERE id NOT IN (SELECT user_id FROM bans)",
	"SELECT id FROM users u WHERE NOT EXISTS (SELECT 1 FROM bans b WHERE b.user_id = u.id)")
QUERY_RULE(SQ002, "correlated-subquery-per-row", WARNING, QUERY, NEED_TREE | USES_SCHEMA,
	check_sq002, "likely", "a subquery in the output runs for every row",
	"PostgreSQL does not turn it into a join: it is executed once per row.",
	"Join with the grouped subquery.",
	"SELECT u.*, (SELECT count(*) FROM o WHERE o.uid = u.id) FROM users u",
	"SELECT u.*, n.count FROM users u LEFT JOIN (SELECT uid, count(*) FROM o GROUP BY uid) n "
	"ON "
	"n.uid = u.id")
QUERY_RULE(SQ004, "count-for-existence", WARNING, STATEMENT, NEED_TREE, check_sq004, "certain",
	"rows are counted to see whether there are any", "count(*) reads all; EXISTS stops at one.",
	"EXISTS.", "SELECT id FROM u WHERE (SELECT count(*) FROM o WHERE o.uid = u.id) > 0",
	"SELECT id FROM u WHERE EXISTS (SELECT 1 FROM o WHERE o.uid = u.id)")
QUERY_RULE(SQ006, "useless-subquery-clause", INFO, QUERY, NEED_TREE, check_sq006, "certain",
	"ORDER BY or DISTINCT where it means nothing",
	"EXISTS and IN ask only whether there is a row.", "Leave it out.",
	"SELECT id FROM a WHERE id IN (SELECT DISTINCT a_id FROM b)",
	"SELECT id FROM a WHERE id IN (SELECT a_id FROM b)")
QUERY_RULE(SQ008, "unused-cte", INFO, QUERY, NEED_TREE, check_sq008, "certain",
	"a query of WITH is never read", "It is not executed; it only misleads who reads it.",
	"Remove it.", "WITH c AS (SELECT 1) SELECT 2", "WITH c AS (SELECT 1) SELECT * FROM c")
QUERY_RULE(CC001, "null-comparison", ERROR, QUERY, NEED_TREE, check_cc001, "certain",
	"a comparison with NULL", "It is neither true nor false but unknown: no row is found.",
	"IS NULL, IS NOT NULL.", "SELECT id FROM t WHERE x = NULL",
	"SELECT id FROM t WHERE x IS NULL")
QUERY_RULE(CC005, "like-without-wildcard", INFO, QUERY, NEED_TREE, check_cc005, "likely",
	"LIKE used as =", "It says less than = and plans no better.", "Use =.",
	"SELECT id FROM t WHERE name LIKE 'bob'", "SELECT id FROM t WHERE name = 'bob'")
QUERY_RULE(SEC001, "injection-pattern", WARNING, QUERY, NEED_TREE, check_sec001, "likely",
	"OR with a constant that is always true, a comment that cuts a string off",
	"It is what injected text leaves behind; and it "
	"takes all restriction out of the condition.",
	"Parameters, never text put together.", "SELECT id FROM u WHERE name = '' OR '1' = '1'",
	"SELECT id FROM u WHERE name = $1")
QUERY_RULE(SEC002, "secret-in-text", WARNING, STATEMENT, NEED_TREE, check_sec002, "certain",
	"a password in a statement's text", "Logs, histories and statistics keep it.",
	"psql's \\password, or a SCRAM verifier made by the client.", "ALTER ROLE a PASSWORD 'x'",
	"ALTER ROLE a PASSWORD 'SCRAM-SHA-256$…'")
QUERY_RULE(AG004, "order-by-random", WARNING, QUERY, NEED_TREE | USES_SCHEMA, check_ag004, "likely",
	"ORDER BY random()", "The whole table is read and sorted for a few rows.",
	"TABLESAMPLE, or a random key looked up in the index.",
	"SELECT id FROM t ORDER BY random() LIMIT 1",
	"SELECT id FROM t TABLESAMPLE system (1) LIMIT 1")
QUERY_RULE(AG005, "having-without-aggregate", INFO, QUERY, NEED_TREE, check_ag005, "certain",
	"HAVING filters by a column of GROUP BY",
	"WHERE says the same before rows are grouped, and "
	"can use an index.",
	"Move it to WHERE.", "SELECT c, count(*) FROM t GROUP BY c HAVING c = 'US'",
	"SELECT c, count(*) FROM t WHERE c = 'US' GROUP BY c")
QUERY_RULE(AG009, "distinct-on-unordered", WARNING, QUERY, NEED_TREE, check_ag009, "certain",
	"DISTINCT ON without ORDER BY", "Which row of each group is kept is left to the plan.",
	"ORDER BY the columns of DISTINCT ON, then what decides.",
	"SELECT DISTINCT ON (uid) uid, at FROM logins",
	"SELECT DISTINCT ON (uid) uid, at FROM logins ORDER BY uid, at DESC")
QUERY_RULE(PS002, "unprepared-hot-statement", INFO, STATEMENT, NEED_LOG, check_ps002, "possible",
	"a hot statement with its values in the text",
	"It is parsed and planned at every call, often for longer than it runs.",
	"Parameters and prepared statements.", "40000 times SELECT * FROM t WHERE id = 17, 18, …",
	"SELECT * FROM t WHERE id = $1")
QUERY_RULE(JN004, "anti-join-by-nullable", WARNING, QUERY, NEED_TREE | NEED_SCHEMA, check_jn004,
	"likely", "LEFT JOIN … IS NULL asks a column that may be NULL in rows that were found",
	"IS NULL should find the rows without a partner; where the column may be NULL itself, rows "
	"with one are found as well.",
	"Ask for the column that joins, or write NOT EXISTS.",
	"SELECT l.id FROM l LEFT JOIN r ON r.lid = l.id WHERE r.note IS NULL",
	"SELECT l.id FROM l LEFT JOIN r ON r.lid = l.id WHERE r.lid IS NULL")
QUERY_RULE(JN005, "unused-join", INFO, QUERY, NEED_TREE | NEED_SCHEMA, check_jn005, "certain",
	"a table is joined and not read",
	"A LEFT JOIN by a unique key adds no row and removes none; the planner leaves it out, "
	"after it "
	"has read and planned it.",
	"Leave it out.", "SELECT o.id FROM orders o LEFT JOIN users u ON u.id = o.user_id",
	"SELECT o.id FROM orders o")
QUERY_RULE(JN006, "join-type-mismatch", WARNING, QUERY, NEED_TREE | NEED_SCHEMA, check_jn006,
	"likely where the schema's types differ; possible where the text casts one of them",
	"columns of different types are joined",
	"One side is cast for every row, so its index does not serve the join, and hashing or "
	"merging "
	"is all that is left.",
	"Give both columns the same type.",
	"SELECT a.id FROM a JOIN b ON a.id::text = b.ref -- a.id is an integer",
	"SELECT a.id FROM a JOIN b ON a.id = b.a_id")
QUERY_RULE(JN007, "many-joins", INFO, QUERY, NEED_TREE | USES_SCHEMA, check_jn007, "certain",
	"more tables are joined than the planner orders freely",
	"Beyond join_collapse_limit (8) the order in the text binds the planner; from "
	"geqo_threshold (12) "
	"on it searches by chance.",
	"Raise join_collapse_limit for the statement, or cut it in two.",
	"SELECT * FROM a JOIN b USING (x) JOIN c USING (x) … nine of them",
	"SELECT * FROM a JOIN b USING (x) JOIN c USING (x)")
QUERY_RULE(JN008, "comma-and-join", WARNING, QUERY, NEED_TREE, check_jn008, "certain",
	"ON names a table that stands before a comma",
	"JOIN binds tighter than the comma: in FROM a, b JOIN c ON …, ON sees b and c only.",
	"Write every join with JOIN … ON.", "SELECT 1 FROM a, b JOIN c ON a.x = c.x",
	"SELECT 1 FROM a JOIN b ON a.x = b.x JOIN c ON a.x = c.x")
QUERY_RULE(JN009, "self-join-for-window", OFF, QUERY, NEED_TREE, check_jn009, "possible",
	"a table is joined with its own earlier or later rows",
	"Each row is compared with all others of its group; a window function sorts them once.",
	"lag(), lead(), row_number() … OVER (PARTITION BY … ORDER BY …).",
	"SELECT a.k FROM t a JOIN t b ON a.k = b.k AND b.ts < a.ts",
	"SELECT k, lag(ts) OVER (PARTITION BY k ORDER BY ts) FROM t")
QUERY_RULE(JN010, "natural-join", OFF, QUERY, NEED_TREE, check_jn010, "certain", "NATURAL JOIN",
	"It joins by whatever columns have the same name, also those that are added later.",
	"Name the columns: JOIN … USING or ON.", "SELECT a.x FROM a NATURAL JOIN b",
	"SELECT a.x FROM a JOIN b USING (id)")
QUERY_RULE(ST001, "value-before-column", OFF, QUERY, NEED_TREE, check_st001, "certain",
	"a comparison has its value first", "People read what is asked about first.",
	"Turn it around.", "SELECT b FROM t WHERE 5 = a", "SELECT b FROM t WHERE a = 5")
QUERY_RULE(ST002, "right-join", OFF, QUERY, NEED_TREE, check_st002, "certain", "RIGHT JOIN",
	"A LEFT JOIN says the same in the order one reads.", "Swap the tables, write LEFT JOIN.",
	"SELECT a.x FROM a RIGHT JOIN b ON a.id = b.id",
	"SELECT a.x FROM b LEFT JOIN a ON a.id = b.id")
QUERY_RULE(SQ003, "correlated-condition", WARNING, QUERY, NEED_TREE | USES_SCHEMA, check_sq003,
	"likely", "a subquery in a condition runs for every row",
	"A scalar subquery that names the outer row cannot be made a join: it is run for each row "
	"that "
	"is looked at; so is IN over one.",
	"A join with the subquery grouped by its key; EXISTS instead of IN.",
	"SELECT id FROM t WHERE x = (SELECT max(x) FROM t2 WHERE t2.k = t.k)",
	"SELECT t.id FROM t JOIN (SELECT k, max(x) AS x FROM t2 GROUP BY k) m USING (k, x)")
QUERY_RULE(SQ007, "cte-fence", INFO, QUERY, NEED_TREE, check_sq007,
	"likely with MATERIALIZED; possible where WITH is read twice or more",
	"a CTE is run whole, and filtered afterwards",
	"A CTE that is MATERIALIZED, or read twice, is run as it stands: conditions outside do not "
	"reach its indexes.",
	"Leave MATERIALIZED out, or write NOT MATERIALIZED.",
	"WITH c AS MATERIALIZED (SELECT * FROM t) SELECT a FROM c WHERE id = 1",
	"WITH c AS (SELECT * FROM t) SELECT a FROM c WHERE id = 1")
QUERY_RULE(SQ009, "deep-nesting", OFF, QUERY, NEED_TREE, check_sq009, "certain",
	"subqueries are nested five deep", "Nobody can read it.", "WITH gives the steps names.",
	"SELECT 1 FROM (SELECT … (SELECT … (SELECT … (SELECT …))))",
	"WITH a AS (…), b AS (…) SELECT …")
QUERY_RULE(AG001, "select-star", INFO, QUERY, NEED_TREE | USES_SCHEMA, check_ag001, "possible",
	"SELECT * from a table",
	"Columns that nobody needs are read and sent, no index alone can answer, and the result "
	"changes "
	"with the table.",
	"Name the columns.", "SELECT * FROM orders WHERE id = 1",
	"SELECT id, status FROM orders WHERE id = 1")
QUERY_RULE(AG002, "union-of-distinct-arms", INFO, QUERY, NEED_TREE, check_ag002,
	"certain where a constant keeps the arms apart; else possible",
	"UNION looks for equal rows",
	"UNION sorts or hashes all rows; where the arms have none in common, for nothing.",
	"UNION ALL.", "SELECT 'a', x FROM t UNION SELECT 'b', x FROM u",
	"SELECT 'a', x FROM t UNION ALL SELECT 'b', x FROM u")
QUERY_RULE(AG003, "distinct-after-join", INFO, QUERY, NEED_TREE | USES_SCHEMA, check_ag003,
	"likely where the schema shows that the join multiplies; possible without a schema",
	"DISTINCT takes out what a join multiplied",
	"All pairs are made, then sorted or hashed to have each row once.", "EXISTS.",
	"SELECT DISTINCT u.id, u.name FROM users u JOIN orders o ON o.user_id = u.id",
	"SELECT u.id, u.name FROM users u WHERE EXISTS (SELECT 1 FROM orders o WHERE o.user_id = "
	"u.id)")
QUERY_RULE(AG006, "bare-count", INFO, QUERY, NEED_TREE | NEED_SCHEMA | NEED_STATS, check_ag006,
	"certain", "all rows of a big table are counted",
	"count(*) reads the table or an index whole, every time.",
	"The planner's estimate, or a counter kept by a trigger.", "SELECT count(*) FROM events",
	"SELECT reltuples::bigint FROM pg_class WHERE oid = 'events'::regclass")
QUERY_RULE(AG007, "order-in-subquery", INFO, QUERY, NEED_TREE, check_ag007,
	"likely where a join, sort, group or DISTINCT follows; else possible",
	"ORDER BY in a subquery of FROM", "Only the outermost ORDER BY promises an order.",
	"Order outside.", "SELECT s.a FROM (SELECT a FROM t ORDER BY a) s",
	"SELECT a FROM t ORDER BY a")
QUERY_RULE(AG008, "by-position", OFF, QUERY, NEED_TREE, check_ag008, "certain",
	"GROUP BY or ORDER BY a position", "A column added in front changes what it means.",
	"Name it.", "SELECT c, count(*) FROM t GROUP BY 1", "SELECT c, count(*) FROM t GROUP BY c")
QUERY_RULE(AG011, "mixed-directions", WARNING, QUERY, NEED_TREE | NEED_SCHEMA, check_ag011,
	"likely", "ORDER BY … LIMIT mixes directions that the index has not",
	"An index is read forwards or backwards: (a, b) gives a, b and a DESC, b DESC and nothing "
	"between.",
	"An index in that order.",
	"SELECT id FROM t ORDER BY a DESC, b LIMIT 20 -- index on (a, b)",
	"CREATE INDEX ON t (a DESC, b)")
QUERY_RULE(AG013, "nulls-at-the-other-end", WARNING, QUERY, NEED_TREE | NEED_SCHEMA, check_ag013,
	"likely", "NULLS FIRST or LAST is not as the index has it",
	"An index on (ts) gives ts DESC NULLS FIRST; with NULLS LAST all rows are sorted, even "
	"where the "
	"column is NOT NULL.",
	"Leave it out, or declare the index so.",
	"SELECT id FROM t ORDER BY ts DESC NULLS LAST LIMIT 10 -- index on (ts)",
	"CREATE INDEX ON t (ts DESC NULLS LAST)")
QUERY_RULE(AG014, "repeated-spill", WARNING, STATEMENT, NEED_LOG, check_ag014, "certain",
	"a statement writes temporary files again and again",
	"Sorts and hashes beyond work_mem go to disk.",
	"More work_mem for it, an index, fewer rows.",
	"SELECT … ORDER BY note, with five lines of `temporary file` in the log",
	"SET LOCAL work_mem = '256MB'")
QUERY_RULE(DM006, "mass-write", WARNING, STATEMENT, NEED_LOG | NEED_TREE, check_dm006, "certain",
	"one statement writes a hundred thousand rows",
	"Their locks are held, their old versions kept and replicas behind until it ends.",
	"Batches; DROP of a partition.", "DELETE FROM log WHERE ts < '2020-01-01'",
	"DELETE FROM log WHERE ctid = ANY (ARRAY(SELECT ctid FROM log WHERE ts < '2020-01-01' "
	"LIMIT "
	"5000))")
QUERY_RULE(DM007, "update-of-indexed-column", INFO, STATEMENT, NEED_LOG | NEED_TREE | NEED_SCHEMA,
	check_dm007, "possible", "a column set by many updates is indexed",
	"An update that changes an indexed column cannot be HOT: all indexes of the table get a "
	"new "
	"entry.",
	"Drop the index if what reads it is not worth it.",
	"UPDATE t SET updated_at = now() WHERE id = $1 -- index on (updated_at)",
	"DROP INDEX t_updated_at_idx")
QUERY_RULE(DM008, "queue-without-skip-locked", INFO, QUERY, NEED_TREE | USES_LOG, check_dm008,
	"likely where the log has waits for the lock; else possible",
	"rows are locked one by one without SKIP LOCKED",
	"All workers pick the same first row, and wait for one another.", "FOR UPDATE SKIP LOCKED.",
	"SELECT id FROM jobs WHERE state = 'new' ORDER BY id LIMIT 1 FOR UPDATE",
	"SELECT id FROM jobs WHERE state = 'new' ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED")
QUERY_RULE(CC002, "between-days-of-timestamps", WARNING, QUERY, NEED_TREE | NEED_SCHEMA,
	check_cc002, "likely", "BETWEEN with days over a column with a time of day",
	"The last day ends with its first moment: what happened in its course is left out.",
	"col >= first day AND col < day after the last.",
	"SELECT id FROM t WHERE ts BETWEEN '2024-01-01' AND '2024-01-31'",
	"SELECT id FROM t WHERE ts >= '2024-01-01' AND ts < '2024-02-01'")
QUERY_RULE(CC003, "unqualified-column", INFO, QUERY, NEED_TREE, check_cc003, "possible",
	"a column of several tables stands without its table",
	"A column of that name added to another table makes the statement fail.", "Qualify it.",
	"SELECT name FROM a JOIN b ON a.id = b.aid", "SELECT a.name FROM a JOIN b ON a.id = b.aid")
QUERY_RULE(CC004, "contradiction", WARNING, QUERY, NEED_TREE, check_cc004, "certain",
	"two conditions exclude each other", "No row is ever found.",
	"One of them is meant otherwise.", "SELECT id FROM t WHERE a = 1 AND a = 2",
	"SELECT id FROM t WHERE a IN (1, 2)")
QUERY_RULE(PS003, "list-of-many-lengths", INFO, STATEMENT, NEED_LOG, check_ps003, "certain",
	"a list comes in many lengths",
	"Each length is a statement of its own: parsed, planned and cached by itself, in the "
	"server and "
	"in the driver.",
	"One array parameter.", "SELECT id FROM t WHERE id IN ($1, $2, … $37)",
	"SELECT id FROM t WHERE id = ANY ($1)")
QUERY_RULE(PS004, "generic-plan-trap", INFO, STATEMENT, NEED_LOG | NEED_TREE, check_ps004,
	"possible", "some values of a statement take far longer than others",
	"One plan for all values is wrong for the rare or for the frequent one.",
	"plan_cache_mode = force_custom_plan; a partial index.",
	"SELECT id FROM jobs WHERE status = $1 -- 'rare': 1 ms, 'done': 4 s",
	"SET plan_cache_mode = force_custom_plan")
