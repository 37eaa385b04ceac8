/* SPDX-License-Identifier: ISC
 *
 * rule_catalog_table.h: rows of the catalogue about indexes, keys, policies and DDL:
 * rule_schema.c, rule_usage.c, rule_change.c.
 *
 * QUERY_RULE(id, name, severity, scope, needs, check, confidence, title, why, fix, bad, good)
 */
QUERY_RULE(IX001, "foreign-key-without-index", WARNING, SCHEMA, NEED_SCHEMA, check_ix001,
	"certain; possible where what is referenced is, or looks like, a short list of values",
	"no index begins with a foreign key's columns",
	"Every DELETE and key change in the parent reads the whole child table; joins do as well.",
	"An index that begins with the columns.",
	"CREATE TABLE orders (id int PRIMARY KEY, user_id int REFERENCES users)",
	"CREATE INDEX ON orders (user_id)")
QUERY_RULE(IX002, "duplicate-index", WARNING, SCHEMA, NEED_SCHEMA, check_ix002, "certain",
	"two indexes are the same", "Each is written at every change and kept in memory.",
	"Drop the one that no constraint needs.",
	"CREATE INDEX i ON t (a); CREATE INDEX j ON t (a)", "CREATE INDEX i ON t (a)")
QUERY_RULE(IX003, "redundant-prefix-index", WARNING, SCHEMA, NEED_SCHEMA, check_ix003, "certain",
	"an index is the beginning of another",
	"The longer one serves what the shorter one does, a little slower.",
	"Drop the shorter one, unless it is much smaller and hot.",
	"CREATE INDEX i ON t (a); CREATE INDEX j ON t (a, b)", "CREATE INDEX j ON t (a, b)")
QUERY_RULE(IX005, "invalid-index", WARNING, SCHEMA, NEED_SCHEMA, check_ix005, "likely",
	"an index is not valid", "CREATE INDEX CONCURRENTLY failed: it is written but never read.",
	"REINDEX INDEX CONCURRENTLY, or drop it.", "CREATE INDEX CONCURRENTLY … -- cancelled",
	"REINDEX INDEX CONCURRENTLY i")
QUERY_RULE(IX006, "no-primary-key", WARNING, SCHEMA, NEED_SCHEMA, check_ix006, "likely",
	"a table without a primary key",
	"Its rows cannot be told apart: not by replication, not by paging, not by people.",
	"A primary key, or a unique key over columns that are NOT NULL.", "CREATE TABLE t (a int)",
	"CREATE TABLE t (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, a int)")
QUERY_RULE(IX004, "unused-index", WARNING, SCHEMA, NEED_SCHEMA | NEED_STATS, check_ix004,
	"likely where statistics are thirty days old or more; possible where their age is unknown, "
	"or for an expression (its statistics are of use)",
	"an index that was never read", "Every write keeps it, and every vacuum cleans it.",
	"Drop it, when no replica reads it.", "idx_scan = 0 for thirty days",
	"DROP INDEX CONCURRENTLY t_a_idx")
QUERY_RULE(IX007, "low-cardinality-index", INFO, SCHEMA, NEED_SCHEMA | NEED_STATS, check_ix007,
	"likely", "an index on a column with a handful of values",
	"What it finds is a large part of the table, which is read faster without it; only the "
	"rare "
	"value is worth an index.",
	"A partial index.", "CREATE INDEX ON users (is_deleted)",
	"CREATE INDEX ON users (id) WHERE is_deleted")
QUERY_RULE(IX008, "over-indexed", INFO, SCHEMA, NEED_SCHEMA | USES_LOG, check_ix008,
	"likely where the log shows more writes than reads; possible without a log",
	"a table with more than ten indexes", "Every row written is written to each of them.",
	"Drop what is unused, redundant, or serves one rare query.",
	"fourteen indexes, mostly written", "the six that are read")
QUERY_RULE(IX011, "range-before-equality", INFO, QUERY, NEED_TREE | NEED_SCHEMA, check_ix011,
	"possible", "an index has its range column before the one compared for equality",
	"All of the range is read; with the equality first, only the rows of both.",
	"Turn the columns around.",
	"SELECT id FROM t WHERE tenant = $1 AND ts > $2 -- index on (ts, tenant)",
	"CREATE INDEX ON t (tenant, ts)")
QUERY_RULE(SQ010, "policy-calls-per-row", WARNING, SCHEMA, NEED_SCHEMA, check_sq010, "likely",
	"a policy of row security calls a function for every row",
	"A policy is a condition of every statement on the table; a function without columns in it "
	"answers the same each time.",
	"(SELECT f()) is asked once.", "CREATE POLICY p ON t USING (auth.uid() = user_id)",
	"CREATE POLICY p ON t USING ((SELECT auth.uid()) = user_id)")
QUERY_RULE(MG001, "index-not-concurrently", OFF, STATEMENT, NEED_TREE | USES_SCHEMA, check_mg001,
	"likely", "CREATE INDEX without CONCURRENTLY",
	"The table cannot be written until it is built.", "CREATE INDEX CONCURRENTLY.",
	"CREATE INDEX ON orders (user_id)", "CREATE INDEX CONCURRENTLY ON orders (user_id)")
QUERY_RULE(MG002, "constraint-validated-at-once", OFF, STATEMENT, NEED_TREE | USES_SCHEMA,
	check_mg002, "likely", "a constraint is added and checked in one step",
	"The table is read whole under a lock that stops writes, or everything.",
	"NOT VALID, then VALIDATE CONSTRAINT.",
	"ALTER TABLE orders ADD FOREIGN KEY (user_id) REFERENCES users",
	"ALTER TABLE orders ADD FOREIGN KEY (user_id) REFERENCES users NOT VALID")
QUERY_RULE(MG003, "type-change-rewrites", OFF, STATEMENT, NEED_TREE | NEED_SCHEMA, check_mg003,
	"likely", "a change of type rewrites the table",
	"The table and its indexes are written anew while nobody can read them.",
	"A new column, filled in batches.", "ALTER TABLE t ALTER a TYPE bigint",
	"ALTER TABLE t ALTER v TYPE text -- from varchar")
QUERY_RULE(MG004, "key-runs-out", OFF, SCHEMA, NEED_SCHEMA | NEED_STATS, check_mg004, "certain",
	"the sequence of an integer key nears its end", "At 2,147,483,647 every INSERT fails.",
	"bigint, before.", "serial at 1.9 billion", "bigserial")
QUERY_RULE(MG005, "regretted-type", OFF, STATEMENT, NEED_TREE, check_mg005, "certain",
	"a column of a type that has a better one",
	"json, char(n), timestamp, timetz, money, serial.",
	"jsonb, text, timestamptz, numeric, GENERATED … AS IDENTITY.",
	"CREATE TABLE t (c char(10))", "CREATE TABLE t (c text)")
QUERY_RULE(MG006, "dropped-column-in-use", OFF, STATEMENT, NEED_TREE, check_mg006, "possible",
	"a column is dropped or renamed that statements of this input use",
	"They fail from then on.", "Let them go first.",
	"SELECT note FROM t; ALTER TABLE t DROP COLUMN note", "ALTER TABLE t DROP COLUMN unused")
