/* SPDX-License-Identifier: ISC
 *
 * rule_more_table.h: rows of the catalogue, read by rule_table.c (rows of rules[]) and by
 * rule_checks.h (declarations of the checks).  Define QUERY_RULE before including.
 *
 * QUERY_RULE(id, name, severity, scope, needs, check, title, why, fix, bad, good)
 */
QUERY_RULE(SG006, "case-insensitive-match", WARNING, QUERY, NEED_TREE | USES_SCHEMA, check_sg006,
	"a pattern is matched without regard to case",
	"A B-tree holds the values in their own case; ILIKE and ~* compare with every row.",
	"Index lower(column) and compare lower(value), or use a trigram index.",
	"SELECT * FROM users WHERE email ILIKE 'ann%'",
	"CREATE INDEX ON users USING gin (email gin_trgm_ops)")
QUERY_RULE(SG007, "prefix-match-in-collation", WARNING, QUERY, NEED_TREE | NEED_SCHEMA, check_sg007,
	"a prefix is matched and the index is in a language's order",
	"Only in the collation C do strings with the same prefix stand together in an index; in "
	"all others LIKE 'x%' cannot use it.",
	"A second index with text_pattern_ops, or the collation C for the column.",
	"SELECT * FROM users WHERE name LIKE 'Joh%' -- index on (name)",
	"CREATE INDEX ON users (name text_pattern_ops)")
QUERY_RULE(SG008, "coalesce-on-column", WARNING, QUERY, NEED_TREE | USES_SCHEMA, check_sg008,
	"COALESCE or its kin hide the column",
	"The planner does not look into COALESCE, NULLIF, GREATEST or LEAST, not even where the "
	"column is NOT NULL.",
	"Compare the column itself and name NULL: col = v OR col IS NULL.",
	"SELECT * FROM posts WHERE COALESCE(author_id, 0) = 5",
	"SELECT * FROM posts WHERE author_id = 5")
QUERY_RULE(SG009, "negative-only", INFO, QUERY, NEED_TREE | USES_SCHEMA, check_sg009,
	"nothing but a negation restricts the rows",
	"An index finds what is equal or in a range; what is different is everything else.",
	"Name the values wanted, or index the few rows with a partial index.",
	"SELECT id FROM jobs WHERE status <> 'done'",
	"SELECT id FROM jobs WHERE status IN ('new', 'running')")
QUERY_RULE(SG010, "is-distinct-from", WARNING, QUERY, NEED_TREE | USES_SCHEMA, check_sg010,
	"IS [NOT] DISTINCT FROM uses no index",
	"PostgreSQL has no index support for it, in either form.",
	"Use = for a value and IS NULL for NULL.",
	"SELECT * FROM nodes WHERE parent_id IS NOT DISTINCT FROM $1",
	"SELECT * FROM nodes WHERE parent_id = $1")
QUERY_RULE(SG011, "volatile-in-predicate", WARNING, QUERY, NEED_TREE | USES_SCHEMA, check_sg011,
	"a volatile function stands in a condition",
	"A volatile function may answer something else for every row, so it must be called for "
	"every row and no index is used.",
	"now() is stable; other values are computed once, in a subquery or by the application.",
	"SELECT * FROM events WHERE at >= clock_timestamp() - interval '1 day'",
	"SELECT * FROM events WHERE at >= now() - interval '1 day'")
QUERY_RULE(SG012, "json-field-filter", WARNING, QUERY, NEED_TREE | USES_SCHEMA, check_sg012,
	"a field of a document is compared",
	"An index on a document serves containment, not the comparison of what an operator took "
	"out of it.",
	"Index the expression, or use @> with a GIN index.",
	"SELECT * FROM users WHERE data ->> 'email' = $1",
	"CREATE INDEX ON users ((data ->> 'email'))")
QUERY_RULE(SG013, "value-any-array-column", WARNING, QUERY, NEED_TREE | USES_SCHEMA, check_sg013,
	"= ANY over an array column",
	"GIN indexes serve the operators of arrays; value = ANY (column) is none of them.",
	"column @> ARRAY[value].", "SELECT * FROM posts WHERE 5 = ANY (tags)",
	"SELECT * FROM posts WHERE tags @> ARRAY[5]")
QUERY_RULE(SG014, "or-across-tables", WARNING, QUERY, NEED_TREE | USES_SCHEMA, check_sg014,
	"OR joins conditions on different tables",
	"Neither condition alone restricts its table, so the whole join is made before any row is "
	"left out.",
	"A UNION of two queries, each with one condition.",
	"SELECT * FROM orders o JOIN customers c ON c.id = o.customer_id WHERE o.status = 'x' OR "
	"c.country = 'US'",
	"SELECT … WHERE o.status = 'x' UNION SELECT … WHERE c.country = 'US'")
QUERY_RULE(SG016, "collation-mismatch", WARNING, QUERY, NEED_TREE | NEED_SCHEMA, check_sg016,
	"the condition asks for another collation than the index has",
	"An index is ordered in one collation; a comparison in another cannot use it.",
	"Leave COLLATE out, or make an index in that collation.",
	"SELECT * FROM users WHERE name = 'x' COLLATE \"C\" -- index on (name)",
	"SELECT * FROM users WHERE name = 'x'")
QUERY_RULE(SG017, "concatenation-compared", WARNING, QUERY, NEED_TREE | USES_SCHEMA, check_sg017,
	"a concatenation is compared", "No index on the columns can find their concatenation.",
	"Compare each column with its own value.",
	"SELECT * FROM people WHERE first || ' ' || last = 'Ann Lee'",
	"SELECT * FROM people WHERE first = 'Ann' AND last = 'Lee'")
QUERY_RULE(SG018, "optional-filter", WARNING, QUERY, NEED_TREE | USES_SCHEMA, check_sg018,
	"one statement serves with and without a filter",
	"A generic plan must be right for both cases, so it reads everything; and the custom plan "
	"is not always chosen.",
	"Leave the condition out of the text when it is not wanted.",
	"SELECT * FROM orders WHERE ($1 IS NULL OR customer_id = $1)",
	"SELECT * FROM orders WHERE customer_id = $1")
QUERY_RULE(SG019, "boolean-wrapped", WARNING, QUERY, NEED_TREE | USES_SCHEMA, check_sg019,
	"a condition is wrapped in a boolean test or CASE",
	"The planner matches the bare comparison with an index, not what is wrapped around it.",
	"Write the bare condition.", "SELECT * FROM t WHERE (a = 5) IS TRUE",
	"SELECT * FROM t WHERE a = 5")
QUERY_RULE(SG021, "char-cast-to-text", WARNING, QUERY, NEED_TREE | NEED_SCHEMA, check_sg021,
	"a char(n) column is cast to text",
	"char(n) and text order trailing blanks differently: the cast is real work and no index on "
	"the column serves it.",
	"Compare without the cast.", "SELECT * FROM t WHERE code::text = 'k5'",
	"SELECT * FROM t WHERE code = 'k5'")
QUERY_RULE(SG022, "date-function-on-column", WARNING, QUERY, NEED_TREE | USES_SCHEMA, check_sg022,
	"date_trunc, extract or AT TIME ZONE is applied to a column",
	"The index holds the time itself, not its day or year.",
	"A half-open range over the column: col >= start AND col < end.",
	"SELECT * FROM orders WHERE date_trunc('day', at) = '2024-01-05'",
	"SELECT * FROM orders WHERE at >= '2024-01-05' AND at < '2024-01-06'")
QUERY_RULE(SG023, "huge-list", INFO, QUERY, NEED_TREE | USES_LOG, check_sg023,
	"a list of more than a thousand values",
	"The text must be sent, parsed and planned again each time, and every length is a "
	"statement "
	"of its own.",
	"One array parameter: column = ANY ($1).", "SELECT * FROM t WHERE id IN (1, 2, … 5000)",
	"SELECT * FROM t WHERE id = ANY ($1)")
QUERY_RULE(SG024, "keyset-with-or", WARNING, QUERY, NEED_TREE, check_sg024,
	"a comparison of rows is written out with OR",
	"The planner does not see that the two arms are one range of an index on both columns.",
	"(a, b) > (x, y).",
	"SELECT * FROM t WHERE a > 1 OR (a = 1 AND b > 2) ORDER BY a, b LIMIT 10",
	"SELECT * FROM t WHERE (a, b) > (1, 2) ORDER BY a, b LIMIT 10")
QUERY_RULE(SG015, "or-with-unserved-arm", WARNING, QUERY, NEED_TREE | NEED_SCHEMA, check_sg015,
	"an arm of OR that no index serves makes the others' indexes useless",
	"The rows of all arms must be found; one that can only be found by reading the table has "
	"it "
	"read, whatever the other arms could use.",
	"Index what the arm asks for, or write it so that an index serves it.",
	"SELECT * FROM t WHERE a = 5 OR b + 0 = 6 -- indexes on (a) and (b)",
	"SELECT * FROM t WHERE a = 5 OR b = 6")
QUERY_RULE(SG020, "leading-column-missing", WARNING, QUERY, NEED_TREE | NEED_SCHEMA, check_sg020,
	"the only index with the column begins with another one",
	"A B-tree is ordered by its first column: without a condition on that, all of the index is "
	"read.",
	"An index that begins with the column, or a condition on the leading one.",
	"SELECT * FROM t WHERE b = 1 -- index on (a, b)", "SELECT * FROM t WHERE a = 2 AND b = 1")
QUERY_RULE(SG025, "index-without-operator", INFO, QUERY, NEED_TREE | NEED_SCHEMA, check_sg025,
	"an index on the column does not have the operator",
	"Each kind of index serves its own operators: hash only equality, GIN containment and not "
	"order, a partial index only its rows.",
	"An index of the kind the operator needs, or another condition.",
	"SELECT * FROM t WHERE data = '{}' -- GIN index on (data)",
	"SELECT * FROM t WHERE data @> '{\"k\": 1}'")
QUERY_RULE(SG026, "subquery-only-restriction", INFO, QUERY, NEED_TREE | USES_SCHEMA, check_sg026,
	"only a subquery without a condition of its own restricts the table",
	"EXISTS and IN become joins; where neither side is restricted, both tables are read whole "
	"and "
	"hashed or merged, with or without an index.",
	"Restrict one of the two by a condition that an index serves.",
	"SELECT * FROM orders o WHERE EXISTS (SELECT 1 FROM items i WHERE i.order_id = o.id)",
	"SELECT * FROM orders o WHERE o.day = current_date AND EXISTS (SELECT 1 FROM items i WHERE "
	"i.order_id = o.id)")
QUERY_RULE(DM001, "write-without-where", ERROR, QUERY, NEED_TREE | USES_SCHEMA, check_dm001,
	"UPDATE or DELETE of every row",
	"Without WHERE the whole table is written, locked and bloated.",
	"Add WHERE; TRUNCATE empties a table; large changes go in batches.", "DELETE FROM orders",
	"DELETE FROM orders WHERE created_at < '2020-01-01'")
QUERY_RULE(DM002, "always-true-where", ERROR, QUERY, NEED_TREE, check_dm002,
	"the WHERE of a write is always true", "It reads like a restriction and is none.",
	"Name the rows.", "DELETE FROM t WHERE 1 = 1", "DELETE FROM t WHERE 1 = 1 AND id = $1")
QUERY_RULE(DM003, "insert-without-columns", INFO, QUERY, NEED_TREE, check_dm003,
	"INSERT relies on the order of columns",
	"A column added or moved makes it fail or, worse, fill the wrong one.", "Name the columns.",
	"INSERT INTO t VALUES (1, 2)", "INSERT INTO t (a, b) VALUES (1, 2)")
QUERY_RULE(DM005, "self-assignment", INFO, QUERY, NEED_TREE, check_dm005,
	"a column is set to itself",
	"The row is written anew, with all its index entries, for "
	"nothing; only a trigger could want that.",
	"Leave the assignment out.", "UPDATE t SET a = a WHERE id = 1",
	"UPDATE t SET a = b WHERE id = 1")
QUERY_RULE(JN001, "cartesian-product", WARNING, QUERY, NEED_TREE | USES_SCHEMA, check_jn001,
	"tables without a condition that joins them",
	"Every row of one is paired with every row of the other.",
	"Add the join condition; write CROSS JOIN where the product is meant.",
	"SELECT * FROM a, b WHERE a.x = 1", "SELECT * FROM a JOIN b ON b.a_id = a.id WHERE a.x = 1")
QUERY_RULE(JN003, "outer-join-defeated", WARNING, QUERY, NEED_TREE, check_jn003,
	"WHERE takes out the rows the LEFT JOIN keeps",
	"Rows without a partner have NULL there, and the condition is not true for NULL: it is an "
	"inner join, written otherwise than meant.",
	"JOIN, or the condition in ON.",
	"SELECT * FROM a LEFT JOIN b ON b.a_id = a.id WHERE b.x = 1",
	"SELECT * FROM a LEFT JOIN b ON b.a_id = a.id AND b.x = 1")
QUERY_RULE(SQ001, "not-in-subquery", WARNING, QUERY, NEED_TREE | USES_SCHEMA, check_sq001,
	"NOT IN over a column that may be NULL",
	"One NULL makes NOT IN unknown for every row; and it is never planned as an anti join.",
	"NOT EXISTS.", "SELECT id FROM users WHERE id NOT IN (SELECT user_id FROM bans)",
	"SELECT id FROM users u WHERE NOT EXISTS (SELECT 1 FROM bans b WHERE b.user_id = u.id)")
QUERY_RULE(SQ002, "correlated-subquery-per-row", WARNING, QUERY, NEED_TREE | USES_SCHEMA,
	check_sq002, "a subquery in the output runs for every row",
	"PostgreSQL does not turn it into a join: it is executed once per row.",
	"Join with the grouped subquery.",
	"SELECT u.*, (SELECT count(*) FROM o WHERE o.uid = u.id) FROM users u",
	"SELECT u.*, n.count FROM users u LEFT JOIN (SELECT uid, count(*) FROM o GROUP BY uid) n "
	"ON "
	"n.uid = u.id")
QUERY_RULE(SQ004, "count-for-existence", WARNING, QUERY, NEED_TREE, check_sq004,
	"rows are counted to see whether there are any", "count(*) reads all; EXISTS stops at one.",
	"EXISTS.", "SELECT id FROM u WHERE (SELECT count(*) FROM o WHERE o.uid = u.id) > 0",
	"SELECT id FROM u WHERE EXISTS (SELECT 1 FROM o WHERE o.uid = u.id)")
QUERY_RULE(SQ006, "useless-subquery-clause", INFO, QUERY, NEED_TREE, check_sq006,
	"ORDER BY or DISTINCT where it means nothing",
	"EXISTS and IN ask only whether there is a row.", "Leave it out.",
	"SELECT id FROM a WHERE id IN (SELECT DISTINCT a_id FROM b)",
	"SELECT id FROM a WHERE id IN (SELECT a_id FROM b)")
QUERY_RULE(SQ008, "unused-cte", INFO, QUERY, NEED_TREE, check_sq008,
	"a query of WITH is never read", "It is not executed; it only misleads who reads it.",
	"Remove it.", "WITH c AS (SELECT 1) SELECT 2", "WITH c AS (SELECT 1) SELECT * FROM c")
QUERY_RULE(CC001, "null-comparison", ERROR, QUERY, NEED_TREE, check_cc001, "a comparison with NULL",
	"It is neither true nor false but unknown: no row is found.", "IS NULL, IS NOT NULL.",
	"SELECT id FROM t WHERE x = NULL", "SELECT id FROM t WHERE x IS NULL")
QUERY_RULE(CC005, "like-without-wildcard", INFO, QUERY, NEED_TREE, check_cc005,
	"LIKE used as =", "It says less than = and plans no better.", "Use =.",
	"SELECT id FROM t WHERE name LIKE 'bob'", "SELECT id FROM t WHERE name = 'bob'")
QUERY_RULE(SEC001, "injection-pattern", WARNING, QUERY, NEED_TREE, check_sec001,
	"OR with a constant that is always true",
	"It is what injected text leaves behind; and it "
	"takes all restriction out of the condition.",
	"Parameters, never text put together.", "SELECT id FROM u WHERE name = '' OR '1' = '1'",
	"SELECT id FROM u WHERE name = $1")
QUERY_RULE(SEC002, "secret-in-text", WARNING, STATEMENT, NEED_TREE, check_sec002,
	"a password in a statement's text", "Logs, histories and statistics keep it.",
	"psql's \\password, or a SCRAM verifier made by the client.", "ALTER ROLE a PASSWORD 'x'",
	"ALTER ROLE a PASSWORD 'SCRAM-SHA-256$…'")
QUERY_RULE(AG004, "order-by-random", WARNING, QUERY, NEED_TREE | USES_SCHEMA, check_ag004,
	"ORDER BY random()", "The whole table is read and sorted for a few rows.",
	"TABLESAMPLE, or a random key looked up in the index.",
	"SELECT id FROM t ORDER BY random() LIMIT 1",
	"SELECT id FROM t TABLESAMPLE system (1) LIMIT 1")
QUERY_RULE(AG005, "having-without-aggregate", INFO, QUERY, NEED_TREE, check_ag005,
	"HAVING filters by a column of GROUP BY",
	"WHERE says the same before rows are grouped, and "
	"can use an index.",
	"Move it to WHERE.", "SELECT c, count(*) FROM t GROUP BY c HAVING c = 'US'",
	"SELECT c, count(*) FROM t WHERE c = 'US' GROUP BY c")
QUERY_RULE(AG009, "distinct-on-unordered", WARNING, QUERY, NEED_TREE, check_ag009,
	"DISTINCT ON without ORDER BY", "Which row of each group is kept is left to the plan.",
	"ORDER BY the columns of DISTINCT ON, then what decides.",
	"SELECT DISTINCT ON (uid) uid, at FROM logins",
	"SELECT DISTINCT ON (uid) uid, at FROM logins ORDER BY uid, at DESC")
QUERY_RULE(IX001, "foreign-key-without-index", WARNING, SCHEMA, NEED_SCHEMA, check_ix001,
	"no index begins with a foreign key's columns",
	"Every DELETE and key change in the parent reads the whole child table; joins do as well.",
	"An index that begins with the columns.",
	"CREATE TABLE orders (id int PRIMARY KEY, user_id int REFERENCES users)",
	"CREATE INDEX ON orders (user_id)")
QUERY_RULE(IX002, "duplicate-index", WARNING, SCHEMA, NEED_SCHEMA, check_ix002,
	"two indexes are the same", "Each is written at every change and kept in memory.",
	"Drop the one that no constraint needs.",
	"CREATE INDEX i ON t (a); CREATE INDEX j ON t (a)", "CREATE INDEX i ON t (a)")
QUERY_RULE(IX003, "redundant-prefix-index", WARNING, SCHEMA, NEED_SCHEMA, check_ix003,
	"an index is the beginning of another",
	"The longer one serves what the shorter one does, a little slower.",
	"Drop the shorter one, unless it is much smaller and hot.",
	"CREATE INDEX i ON t (a); CREATE INDEX j ON t (a, b)", "CREATE INDEX j ON t (a, b)")
QUERY_RULE(IX005, "invalid-index", WARNING, SCHEMA, NEED_SCHEMA, check_ix005,
	"an index is not valid", "CREATE INDEX CONCURRENTLY failed: it is written but never read.",
	"REINDEX INDEX CONCURRENTLY, or drop it.", "CREATE INDEX CONCURRENTLY … -- cancelled",
	"REINDEX INDEX CONCURRENTLY i")
QUERY_RULE(IX006, "no-primary-key", WARNING, SCHEMA, NEED_SCHEMA, check_ix006,
	"a table without a primary key",
	"Its rows cannot be told apart: not by replication, not by paging, not by people.",
	"A primary key, or a unique key over columns that are NOT NULL.", "CREATE TABLE t (a int)",
	"CREATE TABLE t (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, a int)")
QUERY_RULE(PS002, "unprepared-hot-statement", INFO, STATEMENT, NEED_LOG, check_ps002,
	"a hot statement with its values in the text",
	"It is parsed and planned at every call, often for longer than it runs.",
	"Parameters and prepared statements.", "40000 times SELECT * FROM t WHERE id = 17, 18, …",
	"SELECT * FROM t WHERE id = $1")
