/* SPDX-License-Identifier: ISC
 *
 * rule_sequence_table.h: the catalogue's rows about sequences of statements (NP, TX, LM005); read
 * like rule_predicate_table.h.
 */
QUERY_RULE(NP001, "n-plus-one-select", WARNING, RUN, NEED_SEQUENCE | NEED_TREE | USES_SCHEMA,
	check_np001, SURE_OF_LOOP, "one query per row of another query",
	"After a query that returns N rows the application sends another query for each of them.  "
	"Every one is fast; together they cost N round trips, and N grows with the data.",
	"Fetch all of them in one statement: key = ANY ($1) with the keys of the first query, or a "
	"JOIN; in an ORM: eager loading (includes, select_related, joinedload, JOIN FETCH).",
	"SELECT * FROM posts LIMIT 20; then 20 times SELECT * FROM users WHERE id = $1",
	"SELECT * FROM posts LIMIT 20; SELECT * FROM users WHERE id = ANY ($1)")
QUERY_RULE(NP003, "insert-in-loop", WARNING, RUN, NEED_SEQUENCE | NEED_TREE | USES_SCHEMA,
	check_np003, SURE_OF_WRITES, "rows inserted one at a time in one transaction",
	"Every row costs a round trip and the work of a statement.",
	"INSERT of many rows, INSERT … SELECT FROM unnest, or COPY.",
	"200 times INSERT INTO line (a, b) VALUES ($1, $2)",
	"INSERT INTO line (a, b) SELECT * FROM unnest($1::int[], $2::int[])")
QUERY_RULE(NP004, "update-in-loop", WARNING, RUN, NEED_SEQUENCE | NEED_TREE, check_np004,
	SURE_OF_WRITES ", or the condition compares more than the key",
	"rows updated or deleted one at a time in one transaction",
	"Every row costs a round trip and the work of a statement.",
	"One UPDATE … FROM unnest, one DELETE … WHERE key = ANY.",
	"50 times UPDATE t SET x = $1 WHERE id = $2",
	"UPDATE t SET x = v.x FROM unnest($1::int[], $2::int[]) AS v(id, x) WHERE t.id = v.id")
QUERY_RULE(NP006, "count-per-row", WARNING, RUN, NEED_SEQUENCE | NEED_TREE | USES_SCHEMA,
	check_np006, SURE_OF_LOOP, "one count for each row of another query",
	"An N+1 like any other: N round trips for numbers that one grouped statement returns.",
	"One SELECT key, count(*) … WHERE key = ANY ($1) GROUP BY key, or a counter column.",
	"20 times SELECT count(*) FROM comments WHERE post_id = $1",
	"SELECT post_id, count(*) FROM comments WHERE post_id = ANY ($1) GROUP BY post_id")
QUERY_RULE(NP007, "exists-check-loop", WARNING, RUN, NEED_SEQUENCE | NEED_TREE | USES_SCHEMA,
	check_np007, SURE_OF_LOOP,
	"one question for each row of another query whether something exists",
	"N round trips for N booleans.",
	"One SELECT DISTINCT key … WHERE key = ANY ($1), or EXISTS in the first query.",
	"20 times SELECT 1 FROM orders WHERE customer_id = $1 LIMIT 1",
	"SELECT DISTINCT customer_id FROM orders WHERE customer_id = ANY ($1)")
QUERY_RULE(NP002, "redundant-query", WARNING, LOG, NEED_SEQUENCE | NEED_TREE, check_np002,
	"likely within one request (by its tag), or from five times in a transaction; else "
	"possible",
	"the same question again in one transaction",
	"Statement and values are the same and nothing it reads was written in between: the answer "
	"is "
	"known already.",
	"Ask once and keep the answer as long as the transaction or request lasts.",
	"8 times SELECT * FROM settings WHERE id = 1", "SELECT * FROM settings WHERE id = 1, once")
QUERY_RULE(NP005, "repeating-cycle", WARNING, LOG, NEED_SEQUENCE | NEED_TREE, check_np005,
	"likely within one request (by its tag) with two or more lookups; else possible",
	"a few statements go round and round in one transaction",
	"A loop whose body is several statements, each for one row: N times as many round trips.",
	"Take each of the statements out of the loop, one for all keys.",
	"20 times SELECT … WHERE id = $1; SELECT … WHERE ref = $1; UPDATE … WHERE id = $1",
	"SELECT … WHERE id = ANY ($1); SELECT … WHERE ref = ANY ($1); UPDATE … FROM unnest($1, $2)")
QUERY_RULE(NP008, "select-then-insert", INFO, LOG, NEED_SEQUENCE | NEED_TREE, check_np008,
	"likely where the log has rows (pgsluice's) and some lookups found none; else possible",
	"a lookup by key, then an INSERT of that key",
	"Two round trips, and between them another client may insert the same key.",
	"INSERT … ON CONFLICT.",
	"SELECT id FROM tags WHERE name = $1; INSERT INTO tags (name) VALUES ($1)",
	"INSERT INTO tags (name) VALUES ($1) ON CONFLICT DO NOTHING")
QUERY_RULE(NP009, "lost-update", WARNING, LOG, NEED_SEQUENCE | NEED_TREE, check_np009, "possible",
	"a number is read, changed by the application and written back",
	"Of two clients that do so at once, one overwrites what the other wrote.",
	"Change it in the UPDATE, lock the row when it is read, or compare a version.",
	"SELECT balance FROM accounts WHERE id = 1; UPDATE accounts SET balance = 90 WHERE id = 1",
	"UPDATE accounts SET balance = balance - 10 WHERE id = 1")
QUERY_RULE(NP010, "chatty-transaction", INFO, LOG, NEED_SEQUENCE, check_np010, "possible",
	"a transaction of hundreds of statements",
	"Its locks and its snapshot last as long as all the round trips together.",
	"Load what is needed with a few statements, before the loop.",
	"BEGIN; 400 statements of 30 kinds; COMMIT", "BEGIN; 12 statements; COMMIT")
QUERY_RULE(NP011, "serialised-independent", INFO, LOG, NEED_SEQUENCE | NEED_TREE, check_np011,
	"possible", "slow queries wait for each other though none needs the other",
	"Their times add up where they could overlap.",
	"Send them at once: over two connections, or in a pipeline.",
	"SELECT count(*) FROM a; then SELECT count(*) FROM b, 200 ms each", "both at once")
QUERY_RULE(NP012, "count-and-page", INFO, LOG, NEED_SEQUENCE | NEED_TREE, check_np012, "possible",
	"all rows are counted for each page shown",
	"The page reads twenty rows, the count reads all of them, every time.",
	"Fetch one row more than is shown, keep the count, or estimate it.",
	"SELECT count(*) FROM t WHERE a = 1; SELECT * FROM t WHERE a = 1 ORDER BY id LIMIT 20",
	"SELECT * FROM t WHERE a = 1 ORDER BY id LIMIT 21")
QUERY_RULE(NP013, "insert-then-select", INFO, LOG, NEED_SEQUENCE | NEED_TREE, check_np013,
	"likely where both statements show the same value; possible where the key came back by "
	"RETURNING or from a sequence",
	"a row is read back right after it was inserted",
	"RETURNING gives it as it is stored, in the same round trip.", "INSERT … RETURNING.",
	"INSERT INTO t (code) VALUES ($1); SELECT * FROM t WHERE code = $1",
	"INSERT INTO t (code) VALUES ($1) RETURNING *")
QUERY_RULE(TX001, "idle-in-transaction", WARNING, LOG, NEED_SEQUENCE, check_tx001,
	"likely from a pause of five seconds; else possible", "a transaction waits for its client",
	"Its locks, its snapshot and its connection are held while nothing happens.",
	"Do what takes time before BEGIN or behind COMMIT.",
	"BEGIN; UPDATE …; (12 s in a payment service); COMMIT",
	"(12 s in a payment service) BEGIN; UPDATE …; COMMIT")
QUERY_RULE(TX002, "long-transaction", WARNING, LOG, NEED_SEQUENCE, check_tx002, "likely",
	"a transaction of ten minutes or more",
	"VACUUM removes no row that it might still see, in any table: everything bloats.",
	"Commit in batches.", "BEGIN; 45 minutes of statements; COMMIT",
	"a transaction for each thousand rows")
QUERY_RULE(TX003, "transaction-around-select", INFO, LOG, NEED_SEQUENCE, check_tx003, "possible",
	"most transactions hold a single SELECT",
	"BEGIN and COMMIT are two more round trips for a statement that is one by itself.",
	"Autocommit for reads.", "BEGIN; SELECT * FROM t WHERE id = $1; COMMIT",
	"SELECT * FROM t WHERE id = $1")
QUERY_RULE(TX004, "session-noise", INFO, LOG, NEED_LOG, check_tx004, "possible",
	"much of what is sent sets up sessions or asks the catalogs",
	"A SET before each query is a round trip before each query.",
	"ALTER ROLE … SET, or longer lived connections.", "SET search_path TO x; before each query",
	"ALTER ROLE app SET search_path TO x")
QUERY_RULE(TX005, "connection-churn", WARNING, LOG, NEED_LOG, check_tx005, "likely",
	"a connection for every few statements",
	"A connection costs the server a process and milliseconds, more than what is asked through "
	"it.",
	"A pool.", "1000 connections a minute, two statements each", "20 connections that stay")
QUERY_RULE(TX006, "lock-order-inversion", WARNING, LOG, NEED_LOG, check_tx006,
	"likely where they did deadlock; possible where transactions lock two tables in both "
	"orders",
	"statements deadlock: they lock the same things in another order",
	"The server waits deadlock_timeout, then one of them fails and must be tried again.",
	"One order for all, by table and by key.",
	"BEGIN; UPDATE a …; UPDATE b …; COMMIT beside BEGIN; UPDATE b …; UPDATE a …; COMMIT",
	"both update a, then b")
QUERY_RULE(TX007, "ddl-without-lock-timeout", INFO, LOG, 0, check_tx007, "possible",
	"DDL of a SQL file waits for its lock without a limit",
	"It queues behind the longest transaction on the table, and every statement behind it.",
	"SET lock_timeout before it, and try again when it fails.",
	"ALTER TABLE orders ADD note text",
	"SET lock_timeout = '2s'; ALTER TABLE orders ADD note text")
QUERY_RULE(TX008, "work-after-exclusive-lock", INFO, LOG, 0, check_tx008, "possible",
	"a transaction of a SQL file goes on working after DDL that locks a table for all",
	"Nobody can read the table until COMMIT, and so until the work is done.",
	"Commit the DDL by itself, or do the work before it.",
	"BEGIN; ALTER TABLE orders ADD note text; UPDATE orders SET note = ''; COMMIT",
	"ALTER TABLE orders ADD note text; UPDATE orders SET note = ''")
QUERY_RULE(LM005, "deep-paging-sequence", WARNING, LOG, NEED_SEQUENCE, check_lm005,
	"likely from twenty pages; else possible", "a session pages through everything with OFFSET",
	"Page n reads the rows of all pages before it: reading everything costs the square of it.",
	"Page by key, or a cursor.", "OFFSET 0, 20, 40 … 20000",
	"SELECT id FROM t WHERE id > $1 ORDER BY id LIMIT 20")
