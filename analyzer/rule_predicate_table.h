/* SPDX-License-Identifier: ISC
 *
 * rule_predicate_table.h: rows of the catalogue about predicates that indexes cannot serve, read by
 * rule_table.c (rows of rules[]) and by rule_checks.h (declarations of the checks): define
 * QUERY_RULE before including.  SG025 comes after the others: it is silent where one of them spoke.
 *
 * QUERY_RULE(id, name, severity, scope, needs, check, confidence, title, why, fix, bad, good)
 */
QUERY_RULE(SG001, "function-on-column", WARNING, QUERY, NEED_TREE | USES_SCHEMA, check_sg001,
	SURE_OF_PREDICATE, "a function is applied to a column in a condition",
	"An index holds the column's values, not the function's: every row is read and the "
	"function called on it.",
	"Move the function to the other side, write a range, or index the expression.",
	"SELECT * FROM users WHERE lower(email) = $1", "CREATE INDEX ON users (lower(email))")
QUERY_RULE(SG002, "explicit-cast-on-column", WARNING, QUERY, NEED_TREE | USES_SCHEMA, check_sg002,
	SURE_OF_PREDICATE "; possible for a cast to text of a column whose type is not known",
	"a column is cast in a condition",
	"An index holds the column's values in the column's type and order; cast to another type "
	"they cannot be looked up.",
	"Cast the value, or write a range over the column itself.",
	"SELECT * FROM orders WHERE created_at::date = '2024-01-05'",
	"SELECT * FROM orders WHERE created_at >= date '2024-01-05' AND created_at < date "
	"'2024-01-06'")
QUERY_RULE(SG003, "arithmetic-on-column", WARNING, QUERY, NEED_TREE | USES_SCHEMA, check_sg003,
	SURE_OF_PREDICATE, "arithmetic is done on a column in a condition",
	"The planner does not solve equations: with anything but the bare column on its side no "
	"index on it is used.",
	"Move the arithmetic to the other side.",
	"SELECT * FROM orders WHERE now() - created_at < interval '1 day'",
	"SELECT * FROM orders WHERE created_at > now() - interval '1 day'")
QUERY_RULE(SG004, "implicit-cast-on-column", WARNING, QUERY, NEED_TREE | NEED_SCHEMA, check_sg004,
	"certain", "the value's type forces a cast of the column",
	"There is no operator for the two types within one index family, so PostgreSQL casts the "
	"column, on every row.",
	"Give the value the column's type.",
	"SELECT * FROM items WHERE quantity = 5.0 -- quantity is an integer",
	"SELECT * FROM items WHERE quantity = 5")
QUERY_RULE(SG005, "leading-wildcard", WARNING, QUERY, NEED_TREE | USES_SCHEMA, check_sg005,
	SURE_OF_PREDICATE, "the pattern begins with a wildcard",
	"A B-tree finds what begins with a known prefix; a pattern without one is compared with "
	"every row.",
	"A trigram index (pg_trgm, GIN) serves it; for suffixes alone an index on reverse(column); "
	"for words full text search.",
	"SELECT * FROM products WHERE name LIKE '%chair'",
	"CREATE INDEX ON products USING gin (name gin_trgm_ops)")
QUERY_RULE(SG006, "case-insensitive-match", WARNING, QUERY, NEED_TREE | USES_SCHEMA, check_sg006,
	SURE_OF_PREDICATE, "a pattern is matched without regard to case",
	"A B-tree holds the values in their own case; ILIKE and ~* compare with every row.",
	"Index lower(column) and compare lower(value), or use a trigram index.",
	"SELECT * FROM users WHERE email ILIKE 'ann%'",
	"CREATE INDEX ON users USING gin (email gin_trgm_ops)")
QUERY_RULE(SG007, "prefix-match-in-collation", WARNING, QUERY, NEED_TREE | NEED_SCHEMA, check_sg007,
	SURE_OF_PREDICATE, "a prefix is matched and the index is in a language's order",
	"Only in the collation C do strings with the same prefix stand together in an index; in "
	"all others LIKE 'x%' cannot use it.",
	"A second index with text_pattern_ops, or the collation C for the column.",
	"SELECT * FROM users WHERE name LIKE 'Joh%' -- index on (name)",
	"CREATE INDEX ON users (name text_pattern_ops)")
QUERY_RULE(SG008, "coalesce-on-column", WARNING, QUERY, NEED_TREE | USES_SCHEMA, check_sg008,
	SURE_OF_PREDICATE, "COALESCE or its kin hide the column",
	"The planner does not look into COALESCE, NULLIF, GREATEST or LEAST, not even where the "
	"column is NOT NULL.",
	"Compare the column itself and name NULL: col = v OR col IS NULL.",
	"SELECT * FROM posts WHERE COALESCE(author_id, 0) = 5",
	"SELECT * FROM posts WHERE author_id = 5")
QUERY_RULE(SG009, "negative-only", INFO, QUERY, NEED_TREE | USES_SCHEMA, check_sg009, "possible",
	"nothing but a negation restricts the rows",
	"An index finds what is equal or in a range; what is different is everything else.",
	"Name the values wanted, or index the few rows with a partial index.",
	"SELECT id FROM jobs WHERE status <> 'done'",
	"SELECT id FROM jobs WHERE status IN ('new', 'running')")
QUERY_RULE(SG010, "is-distinct-from", WARNING, QUERY, NEED_TREE | USES_SCHEMA, check_sg010,
	SURE_OF_PREDICATE, "IS [NOT] DISTINCT FROM uses no index",
	"PostgreSQL has no index support for it, in either form.",
	"Use = for a value and IS NULL for NULL.",
	"SELECT * FROM nodes WHERE parent_id IS NOT DISTINCT FROM $1",
	"SELECT * FROM nodes WHERE parent_id = $1")
QUERY_RULE(SG011, "volatile-in-predicate", WARNING, QUERY, NEED_TREE | USES_SCHEMA, check_sg011,
	SURE_OF_PREDICATE, "a volatile function stands in a condition",
	"A volatile function may answer something else for every row, so it must be called for "
	"every row and no index is used.",
	"now() is stable; other values are computed once, in a subquery or by the application.",
	"SELECT * FROM events WHERE at >= clock_timestamp() - interval '1 day'",
	"SELECT * FROM events WHERE at >= now() - interval '1 day'")
QUERY_RULE(SG012, "json-field-filter", WARNING, QUERY, NEED_TREE | USES_SCHEMA, check_sg012,
	SURE_OF_PREDICATE, "a field of a document is compared",
	"An index on a document serves containment, not the comparison of what an operator took "
	"out of it.",
	"Index the expression, or use @> with a GIN index.",
	"SELECT * FROM users WHERE data ->> 'email' = $1",
	"CREATE INDEX ON users ((data ->> 'email'))")
QUERY_RULE(SG013, "value-any-array-column", WARNING, QUERY, NEED_TREE | USES_SCHEMA, check_sg013,
	"likely", "= ANY over an array column",
	"GIN indexes serve the operators of arrays; value = ANY (column) is none of them.",
	"column @> ARRAY[value].", "SELECT * FROM posts WHERE 5 = ANY (tags)",
	"SELECT * FROM posts WHERE tags @> ARRAY[5]")
QUERY_RULE(SG014, "or-across-tables", WARNING, QUERY, NEED_TREE | USES_SCHEMA, check_sg014,
	"likely; possible where another condition beside it can be looked up",
	"OR joins conditions on different tables",
	"Neither condition alone restricts its table, so the whole join is made before any row is "
	"left out.",
	"A UNION of two queries, each with one condition.",
	"SELECT * FROM orders o JOIN customers c ON c.id = o.customer_id WHERE o.status = 'x' OR "
	"c.country = 'US'",
	"SELECT … WHERE o.status = 'x' UNION SELECT … WHERE c.country = 'US'")
QUERY_RULE(SG016, "collation-mismatch", WARNING, QUERY, NEED_TREE | NEED_SCHEMA, check_sg016,
	SURE_OF_PREDICATE, "the condition asks for another collation than the index has",
	"An index is ordered in one collation; a comparison in another cannot use it.",
	"Leave COLLATE out, or make an index in that collation.",
	"SELECT * FROM users WHERE name = 'x' COLLATE \"C\" -- index on (name)",
	"SELECT * FROM users WHERE name = 'x'")
QUERY_RULE(SG017, "concatenation-compared", WARNING, QUERY, NEED_TREE | USES_SCHEMA, check_sg017,
	SURE_OF_PREDICATE, "a concatenation is compared",
	"No index on the columns can find their concatenation.",
	"Compare each column with its own value.",
	"SELECT * FROM people WHERE first || ' ' || last = 'Ann Lee'",
	"SELECT * FROM people WHERE first = 'Ann' AND last = 'Lee'")
QUERY_RULE(SG018, "optional-filter", WARNING, QUERY, NEED_TREE | USES_SCHEMA, check_sg018,
	SURE_OF_PREDICATE, "one statement serves with and without a filter",
	"A generic plan must be right for both cases, so it reads everything; and the custom plan "
	"is not always chosen.",
	"Leave the condition out of the text when it is not wanted.",
	"SELECT * FROM orders WHERE ($1 IS NULL OR customer_id = $1)",
	"SELECT * FROM orders WHERE customer_id = $1")
QUERY_RULE(SG019, "boolean-wrapped", WARNING, QUERY, NEED_TREE | USES_SCHEMA, check_sg019,
	SURE_OF_PREDICATE ", or CASE stands in the condition",
	"a condition is wrapped in a boolean test or CASE",
	"The planner matches the bare comparison with an index, not what is wrapped around it.",
	"Write the bare condition.", "SELECT * FROM t WHERE (a = 5) IS TRUE",
	"SELECT * FROM t WHERE a = 5")
QUERY_RULE(SG021, "char-cast-to-text", WARNING, QUERY, NEED_TREE | NEED_SCHEMA, check_sg021,
	SURE_OF_PREDICATE, "a char(n) column is cast to text",
	"char(n) and text order trailing blanks differently: the cast is real work and no index on "
	"the column serves it.",
	"Compare without the cast.", "SELECT * FROM t WHERE code::text = 'k5'",
	"SELECT * FROM t WHERE code = 'k5'")
QUERY_RULE(SG022, "date-function-on-column", WARNING, QUERY, NEED_TREE | USES_SCHEMA, check_sg022,
	SURE_OF_PREDICATE, "date_trunc, extract or AT TIME ZONE is applied to a column",
	"The index holds the time itself, not its day or year.",
	"A half-open range over the column: col >= start AND col < end.",
	"SELECT * FROM orders WHERE date_trunc('day', at) = '2024-01-05'",
	"SELECT * FROM orders WHERE at >= '2024-01-05' AND at < '2024-01-06'")
QUERY_RULE(SG023, "huge-list", INFO, QUERY, NEED_TREE | USES_LOG, check_sg023, "certain",
	"a list of more than a thousand values",
	"The text must be sent, parsed and planned again each time, and every length is a "
	"statement "
	"of its own.",
	"One array parameter: column = ANY ($1).", "SELECT * FROM t WHERE id IN (1, 2, … 5000)",
	"SELECT * FROM t WHERE id = ANY ($1)")
QUERY_RULE(SG024, "keyset-with-or", WARNING, QUERY, NEED_TREE, check_sg024, "likely",
	"a comparison of rows is written out with OR",
	"The planner does not see that the two arms are one range of an index on both columns.",
	"(a, b) > (x, y).",
	"SELECT * FROM t WHERE a > 1 OR (a = 1 AND b > 2) ORDER BY a, b LIMIT 10",
	"SELECT * FROM t WHERE (a, b) > (1, 2) ORDER BY a, b LIMIT 10")
QUERY_RULE(SG015, "or-with-unserved-arm", WARNING, QUERY, NEED_TREE | NEED_SCHEMA, check_sg015,
	"likely", "an arm of OR that no index serves makes the others' indexes useless",
	"The rows of all arms must be found; one that can only be found by reading the table has "
	"it "
	"read, whatever the other arms could use.",
	"Index what the arm asks for, or write it so that an index serves it.",
	"SELECT * FROM t WHERE a = 5 OR b + 0 = 6 -- indexes on (a) and (b)",
	"SELECT * FROM t WHERE a = 5 OR b = 6")
QUERY_RULE(SG020, "leading-column-missing", WARNING, QUERY, NEED_TREE | NEED_SCHEMA, check_sg020,
	"likely", "the only index with the column begins with another one",
	"A B-tree is ordered by its first column: without a condition on that, all of the index is "
	"read.",
	"An index that begins with the column, or a condition on the leading one.",
	"SELECT * FROM t WHERE b = 1 -- index on (a, b)", "SELECT * FROM t WHERE a = 2 AND b = 1")
QUERY_RULE(SG025, "index-without-operator", INFO, QUERY, NEED_TREE | NEED_SCHEMA, check_sg025,
	"possible", "an index on the column does not have the operator",
	"Each kind of index serves its own operators: hash only equality, GIN containment and not "
	"order, a partial index only its rows.",
	"An index of the kind the operator needs, or another condition.",
	"SELECT * FROM t WHERE data = '{}' -- GIN index on (data)",
	"SELECT * FROM t WHERE data @> '{\"k\": 1}'")
QUERY_RULE(SG026, "subquery-only-restriction", INFO, QUERY, NEED_TREE | USES_SCHEMA, check_sg026,
	"possible", "only a subquery without a condition of its own restricts the table",
	"EXISTS and IN become joins; where neither side is restricted, both tables are read whole "
	"and "
	"hashed or merged, with or without an index.",
	"Restrict one of the two by a condition that an index serves.",
	"SELECT * FROM orders o WHERE EXISTS (SELECT 1 FROM items i WHERE i.order_id = o.id)",
	"SELECT * FROM orders o WHERE o.day = current_date AND EXISTS (SELECT 1 FROM items i WHERE "
	"i.order_id = o.id)")
