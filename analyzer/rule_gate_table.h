/* SPDX-License-Identifier: ISC
 *
 * rule_gate_table.h: what the gate itself finds; rows of rules[] (rule_table.c).
 *
 *	GATE_RULE(id, name, severity, title, why, fix, bad, good)
 */
GATE_RULE(GT001, "too-many-queries-in-test", ERROR, "a test sends more statements than it may",
	"max_queries_per_test of .pgassay.conf is exceeded: what a page or a job costs has grown.",
	"Look for a loop of queries in what the test calls, or raise the limit.",
	"max_queries_per_test = 50; a test sends 61", "a test sends 48")
GATE_RULE(GT002, "too-many-calls-in-test", ERROR, "a test sends one statement too often",
	"max_calls_per_test of .pgassay.conf is exceeded: mostly a loop of queries.",
	"Fetch the rows in one statement, or raise the limit.",
	"max_calls_per_test = 20; SELECT … WHERE id = $1 comes 40 times in one test",
	"SELECT … WHERE id = ANY ($1) comes once")
GATE_RULE(GT003, "too-long-in-test", ERROR, "the statements of a test take too long",
	"max_time_per_test of .pgassay.conf is exceeded.",
	"`pgassay log` shows where the time goes; or raise the limit.",
	"max_time_per_test = 2s; a test's statements take 3.1 s", "they take 0.4 s")
GATE_RULE(GT004, "too-slow", ERROR, "a statement is slower than it may be",
	"max_p95 of .pgassay.conf is exceeded, with 95 % confidence: one slow call of several does "
	"not do "
	"that.",
	"`pgassay plan` of its EXPLAIN (ANALYZE, BUFFERS) shows why; or raise the limit.",
	"max_p95 = 200ms; all five calls take 300 ms or more", "one of five takes 300 ms")
GATE_RULE(GT005, "too-many-rows", ERROR, "a statement returns more rows than it may",
	"max_rows of .pgassay.conf is exceeded.", "Add LIMIT and page by key, or raise the limit.",
	"max_rows = 1000; one call returned 5000 rows", "one call returned 100 rows")
GATE_RULE(GT006, "too-many-new-statements", ERROR, "more new statements than are let pass unread",
	"max_new_shapes of .pgassay.conf is exceeded: somebody should have looked at them.",
	"Look at them (`pgassay diff`), then write the baseline anew.",
	"max_new_shapes = 5; eight statements are not in the baseline", "three are not")
GATE_RULE(GT010, "excuse-expired", ERROR, "the date of an excuse has passed",
	"Somebody meant to have it mended by then.",
	"Mend it, or give the excuse another date and a reason.",
	"-- pgassay:ignore SG001 until=2020-01-31 rewritten soon",
	"-- pgassay:ignore SG001 until=2099-01-31 rewritten soon")
GATE_RULE(GT011, "excuse-unused", INFO, "an excuse meets nothing",
	"What it was written for is gone; kept, it would excuse the next one, too.", "Remove it.",
	"-- pgassay:ignore SG001 old report\nSELECT 1", "SELECT 1")
GATE_RULE(GT012, "excuse-unclear", ERROR, "an excuse excuses nothing",
	"It gives no reason, or names no rule there is: it does not count.",
	"-- pgassay:ignore RULE [until=YYYY-MM-DD] REASON", "-- pgassay:ignore SG001",
	"-- pgassay:ignore SG001 ten rows, read once a day")
GATE_RULE(GT013, "baseline-gone", INFO, "a known finding is not found any more",
	"It was mended, or what it stood in was not run.",
	"Write the baseline anew (--write-baseline): the line goes.",
	"a line of the baseline that no finding meets", "every line is met")
