/* SPDX-License-Identifier: ISC
 *
 * The plan rules, one row each, for whoever defines PLAN_RULE before including this: the table
 * of checks (plan_rule.c), the catalogue of all rules (rule_table.c) and the names of the plans
 * that show them (plan_example.h).
 *
 *	PLAN_RULE(id, name, severity, check, title, why, fix)
 *
 * Each row has two plans in plan_example_*.c: one that fires it and a near miss.
 */

PLAN_RULE(PL001, "seq-scan-filter", WARNING, seq_scan_filter,
	"A whole table is read for a few of its rows",
	"Every row is fetched and tested; the time grows with the table, not with the "
	"answer.",
	"An index on the filter's equality columns, then its range; rewrite what keeps "
	"an index from being used.")

PLAN_RULE(PL002, "index-filter-waste", WARNING, index_filter_waste,
	"The index finds far more rows than the filter keeps",
	"Each row found is fetched from the table before the filter can reject it.",
	"Append the filter's columns to the index: equality before range.")

PLAN_RULE(PL003, "nested-loop-inner-seq-scan", WARNING, inner_seq_scan,
	"The inner side of a nested loop reads its table again and again",
	"The work is the product of both sides.", "An index on the inner side's join column.")

PLAN_RULE(PL004, "nested-loop-explosion", WARNING, nested_loop_explosion,
	"A nested loop chosen for a few rows runs for thousands",
	"The planner took the loop because it expected a small outer side.",
	"Make the outer estimate right (ANALYZE, extended statistics); the planner then "
	"takes a hash join by itself.")

PLAN_RULE(PL005, "row-misestimate", WARNING, row_misestimate,
	"The planner expected a very different number of rows",
	"A join order, join method or scan chosen for the wrong number of rows is the "
	"wrong one.",
	"ANALYZE; a higher statistics target for the column. Before any index.")

PLAN_RULE(IX010, "missing-extended-statistics", WARNING, missing_extended_statistics,
	"Conditions on columns that depend on each other were taken for independent",
	"The planner multiplies their shares: for a city and its own zip code it expects far too "
	"few rows, and chooses its joins for them.",
	"CREATE STATISTICS on the columns, then ANALYZE. Before any index.")

PLAN_RULE(PL006, "sort-spill", WARNING, sort_spill, "A sort did not fit into memory",
	"Rows are written to temporary files and merged again.",
	"An index that gives the order, or more work_mem for this query.")

PLAN_RULE(PL007, "hash-batches", WARNING, hash_batches, "A hash table did not fit into memory",
	"Both sides of the join are written to temporary files, batch by batch.",
	"work_mem times hash_mem_multiplier must hold the smaller side; make that side "
	"smaller first.")

PLAN_RULE(PL008, "hash-aggregate-spill", WARNING, hashagg_spill, "Grouping did not fit into memory",
	"Groups that do not fit are written to disk and aggregated again.",
	"work_mem or hash_mem_multiplier; better ndistinct statistics; an index in the "
	"grouping order.")

PLAN_RULE(PL009, "lossy-bitmap", WARNING, lossy_bitmap,
	"A bitmap was too large and remembers only pages",
	"Every row of a lossy page is tested again.", "More work_mem, or a more selective index.")

PLAN_RULE(PL010, "heap-fetches", WARNING, heap_fetches, "An index-only scan has to visit the table",
	"The visibility map does not know the pages to be visible to all, so each row "
	"is looked up.",
	"VACUUM; for tables that are only inserted into, a lower "
	"autovacuum_vacuum_insert_scale_factor.")

PLAN_RULE(PL011, "bitmap-and", WARNING, bitmap_and, "Two large indexes are combined for a few rows",
	"Each index is read for its own condition and most of what it finds is dropped.",
	"One index on both columns.")

PLAN_RULE(PL012, "bitmap-or-of-one-column", INFO, bitmap_or,
	"Many ORs of one column are many scans of one index", "Each arm starts a scan of its own.",
	"Write it as col = ANY (array).")

PLAN_RULE(PL013, "wrong-index-for-order", WARNING, wrong_index_for_order,
	"An index is walked in its order until LIMIT is met, past many rows of others",
	"The planner hopes to meet matching rows soon; when they lie far away it reads "
	"nearly everything.",
	"An index on the filter's equality columns followed by the ORDER BY columns.")

PLAN_RULE(PL014, "top-n-sort-of-many", WARNING, top_n_sort, "All rows are sorted for the first few",
	"Finding the first ten needs every row when nothing has them in order.",
	"An index on the equality columns, then the ORDER BY columns in their "
	"directions.")

PLAN_RULE(PL015, "incremental-sort-opportunity", INFO, incremental_sort,
	"An index gives the first part of the order already",
	"The whole is sorted again for the rest of the key.",
	"Extend the index by the remaining sort columns.")

PLAN_RULE(PL016, "large-offset", WARNING, large_offset,
	"OFFSET skips thousands of rows that were produced",
	"Every row that is skipped was found, joined and sorted first; the next page "
	"costs more.",
	"Remember the last row's key and continue behind it, as in WHERE (placed_at, id) < "
	"($1, $2).")

PLAN_RULE(PL017, "or-join-filter", WARNING, or_join_filter,
	"An OR over two tables is tested on every pair of rows",
	"No index and no hash can serve a condition that either table may satisfy.",
	"UNION of two queries, one for each arm.")

PLAN_RULE(PL018, "join-filter-waste", WARNING, join_filter_waste,
	"Most pairs of rows a join makes are thrown away",
	"The condition is tested after the pair was made, one by one.",
	"A condition by equality, on columns of the same type, can be hashed or looked "
	"up in an index.")

PLAN_RULE(PL019, "cartesian-product", WARNING, cartesian,
	"Every row of one side is paired with every row of the other",
	"Nothing joins the two sides: a condition is probably missing.",
	"Add the join condition; if the product is meant, say CROSS JOIN.")

PLAN_RULE(PL020, "subplan-per-row", WARNING, subplan_per_row, "A subquery runs once for each row",
	"The planner could not turn it into a join.",
	"LEFT JOIN on the grouped subquery, or LATERAL; at least an index on the column "
	"it is looked up by.")

PLAN_RULE(PL021, "not-in-unhashed", WARNING, not_in_unhashed,
	"NOT IN goes through its list again for every row",
	"Because of NULLs, NOT IN cannot be a join; unhashed, it is a loop in a loop.",
	"NOT EXISTS; else enough work_mem for the list to be hashed.")

PLAN_RULE(PL022, "cte-scan-filter", WARNING, cte_scan_filter,
	"A CTE is built whole and then filtered",
	"A materialized CTE does not see the conditions of the query around it.",
	"NOT MATERIALIZED, or move the condition into the CTE.")

PLAN_RULE(PL023, "function-estimate", INFO, function_scan_estimate,
	"The planner guesses what a function returns",
	"Without knowledge a function is taken to return 1000 (or 100) rows.",
	"ROWS in the function's definition, if it is yours; else its rows in a temporary table, "
	"with "
	"ANALYZE.")

PLAN_RULE(PL024, "memoize-miss", INFO, memoize_miss, "A cache that is hardly hit, or too small",
	"Keeping rows for later costs time and pays only when they are asked for again.",
	"Better ndistinct statistics of the key; more work_mem; enable_memoize off for "
	"this query.")

PLAN_RULE(PL025, "jit-overhead", INFO, jit_overhead, "Compiling the query costs more than it saves",
	"JIT pays for minutes of computing, not for milliseconds.",
	"A higher jit_above_cost, or jit = off for this role.")

PLAN_RULE(PL026, "planning-dominates", INFO, planning_dominates,
	"Planning takes longer than running",
	"The statement is planned anew each time, over many joins, partitions or "
	"indexes.",
	"Prepared statements; fewer partitions or joins; a look at bloated catalogs.")

PLAN_RULE(PL027, "trigger-time", WARNING, trigger_time, "Triggers take much of the time",
	"A foreign key's trigger runs a query on the other table for each row; without "
	"an index it reads it whole.",
	"An index on the referencing columns; a statement trigger instead of a row "
	"trigger.")

PLAN_RULE(PL028, "workers-not-launched", INFO, workers_not_launched,
	"Planned workers were not there", "The plan was chosen for more processes than it got.",
	"max_parallel_workers and max_worker_processes; fewer queries that ask for "
	"workers at once.")

PLAN_RULE(PL029, "parallel-skew", INFO, parallel_skew, "Workers that cost more than they help",
	"Starting processes takes milliseconds; one worker with all the rows is no "
	"parallelism.",
	"parallel_setup_cost, min_parallel_table_scan_size.")

PLAN_RULE(PL030, "no-parallel-scan", INFO, no_parallel, "One process reads more than a gigabyte",
	"A function marked parallel unsafe, a data-modifying CTE or a setting of 0 "
	"keeps workers away.",
	"Mark functions PARALLEL SAFE; max_parallel_workers_per_gather.")

PLAN_RULE(PL031, "cold-cache", INFO, cold_cache, "Most blocks were not in the cache",
	"The time is that of the disk; the same query run again may be ten times "
	"faster.",
	"Run EXPLAIN twice before judging; fewer blocks by a covering index or CLUSTER.")

PLAN_RULE(PL032, "many-blocks-per-row", INFO, buffers_per_row,
	"Hundreds of blocks are touched for each row",
	"The table is bloated, or what belongs together lies far apart.",
	"VACUUM FULL or pg_repack for bloat; CLUSTER, BRIN or a covering index.")

PLAN_RULE(PL033, "select-dirties", INFO, select_dirties, "A query that only reads writes blocks",
	"It sets hint bits after a bulk load, or has to make room in the cache.",
	"VACUUM after loading; a look at the background writer.")

PLAN_RULE(PL034, "temporary-files", WARNING, temp_io, "Temporary files are written and read",
	"What does not fit into work_mem goes to disk.",
	"More work_mem; fewer rows or columns at this point.")

PLAN_RULE(PL035, "partitions-not-pruned", WARNING, partition_no_prune,
	"Partitions are read that hold nothing of the answer",
	"The planner cannot tell from the condition which partitions matter.",
	"A condition on the partition key itself, with its own type and no function around it; "
	"where none can be given, an index of each partition on what is asked for.")

PLAN_RULE(PL036, "index-read-whole", WARNING, trailing_column,
	"Much of an index is read for a few rows",
	"The condition is on a later column of the index, so all of it has to be looked "
	"through.",
	"An index that begins with the condition's column.")

PLAN_RULE(PL037, "redundant-unique", INFO, redundant_unique, "DISTINCT finds nothing to remove",
	"All rows were sorted and compared for nothing, this time.",
	"Drop DISTINCT, or write UNION ALL, when a key makes the rows unique anyway.")

PLAN_RULE(PL038, "modify-hot-spot", INFO, modify_hot_spot,
	"Writing rows and their indexes is most of the time",
	"Each changed row changes every index of the table, unless the update is HOT.",
	"Drop indexes nobody uses; a fillfactor that leaves room; batches.")

PLAN_RULE(PL039, "foreign-scan-pull", WARNING, foreign_scan_pull,
	"Rows travel from another server to be thrown away here",
	"The condition cannot be sent to the other server.",
	"A condition the other side knows (its own functions, extensions in the "
	"server's options); use_remote_estimate.")

PLAN_RULE(PL040, "stale-statistics", WARNING, stale_statistics,
	"A table's size is not what the statistics say",
	"The planner thinks of a table ten times smaller or larger.",
	"ANALYZE now; a lower autovacuum_analyze_scale_factor for this table.")

PLAN_RULE(PL041, "cost-time-inversion", INFO, cost_time_inversion,
	"What the planner thought cheap takes the time",
	"A slow function with the default cost, a slow disk, or cost settings that do "
	"not fit the machine.",
	"COST in the function's definition; track_io_timing; random_page_cost.")

PLAN_RULE(PL042, "plan-flip", WARNING, NULL, "One query, two plans, one of them much slower",
	"Parameters, statistics or cache decide which plan is taken, and the choice is "
	"close.",
	"An index or statistics that make the better plan the obvious one; "
	"plan_cache_mode.")

PLAN_RULE(PL043, "wide-rows", WARNING, wide_rows,
	"Very wide rows are carried through a sort or hash",
	"Every column selected is copied, whether it is needed there or not.",
	"Select fewer columns; join the wide ones to the few rows that are left.")

PLAN_RULE(PL044, "settings-smell", INFO, settings_smell, "A planner method is switched off",
	"A switch that helped one query forbids the method to all others.",
	"Reset it; give the planner better statistics or an index instead.")
