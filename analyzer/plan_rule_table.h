/* SPDX-License-Identifier: ISC
 *
 * The plan rules, one row each, for whoever defines PLAN_RULE before including this: the table
 * of checks (plan_rule.c) and the catalogue of all rules (rule_table.c).
 *
 *	PLAN_RULE(id, name, severity, check, title, why, fix, bad, good)
 *
 * `bad` is a plan that shows what is meant, `good` a near miss; the unit test reads both and
 * asks the rule, so what the manual says is what happens.
 */

PLAN_RULE(PL001, "seq-scan-filter", WARNING, seq_scan_filter,
	"A whole table is read for a few of its rows",
	"Every row is fetched and tested; the time grows with the table, not with the "
	"answer.",
	"An index on the filter's equality columns, then its range; rewrite what keeps "
	"an index from being used.",
	"Seq Scan on orders"
	"  (cost=0.00..4500.00 rows=10 width=80)"
	" (actual time=0.010..80.000 rows=10 loops=1)\n"
	"  Filter: (customer_id = 42)\n"
	"  Rows Removed by Filter: 199990\n"
	"Execution Time: 80.100 ms\n",
	"Seq Scan on orders"
	"  (cost=0.00..4500.00 rows=180000 width=80)"
	" (actual time=0.010..80.000 rows=180000 loops=1)\n"
	"  Filter: (customer_id > 42)\n"
	"  Rows Removed by Filter: 20000\n"
	"Execution Time: 80.100 ms\n")

PLAN_RULE(PL002, "index-filter-waste", WARNING, index_filter_waste,
	"The index finds far more rows than the filter keeps",
	"Each row found is fetched from the table before the filter can reject it.",
	"Append the filter's columns to the index: equality before range.",
	"Index Scan using orders_cust on orders"
	"  (cost=0.42..9000.00 rows=10 width=80)"
	" (actual time=0.030..60.000 rows=5 loops=1)\n"
	"  Index Cond: (customer_id = 7)\n"
	"  Filter: (status = 'new'::text)\n"
	"  Rows Removed by Filter: 50000\n"
	"Execution Time: 61.000 ms\n",
	"Index Scan using orders_cust on orders"
	"  (cost=0.42..9000.00 rows=10 width=80)"
	" (actual time=0.030..60.000 rows=5000 loops=1)\n"
	"  Index Cond: (customer_id = 7)\n"
	"  Filter: (status = 'new'::text)\n"
	"  Rows Removed by Filter: 1500\n"
	"Execution Time: 61.000 ms\n")

PLAN_RULE(PL003, "nested-loop-inner-seq-scan", WARNING, inner_seq_scan,
	"The inner side of a nested loop reads its table again and again",
	"The work is the product of both sides.", "An index on the inner side's join column.",
	"Nested Loop"
	"  (cost=0.00..9000.00 rows=100 width=16)"
	" (actual time=0.010..90.000 rows=500 loops=1)\n"
	"  Join Filter: (o.customer_id = c.id)\n"
	"  Rows Removed by Join Filter: 499500\n"
	"  ->  Seq Scan on customers c"
	"  (cost=0.00..20.00 rows=500 width=8)"
	" (actual time=0.010..0.500 rows=500 loops=1)\n"
	"  ->  Seq Scan on orders o"
	"  (cost=0.00..20.00 rows=1000 width=8)"
	" (actual time=0.001..0.100 rows=1000 loops=500)\n"
	"Execution Time: 90.000 ms\n",
	"Nested Loop"
	"  (cost=0.00..9000.00 rows=100 width=16)"
	" (actual time=0.010..90.000 rows=500 loops=1)\n"
	"  Join Filter: (o.customer_id = c.id)\n"
	"  Rows Removed by Join Filter: 500\n"
	"  ->  Seq Scan on customers c"
	"  (cost=0.00..20.00 rows=1 width=8)"
	" (actual time=0.010..0.500 rows=1 loops=1)\n"
	"  ->  Seq Scan on orders o"
	"  (cost=0.00..20.00 rows=1000 width=8)"
	" (actual time=0.001..0.100 rows=1000 loops=1)\n"
	"Execution Time: 90.000 ms\n")

PLAN_RULE(PL004, "nested-loop-explosion", WARNING, nested_loop_explosion,
	"A nested loop chosen for a few rows runs for thousands",
	"The planner took the loop because it expected a small outer side.",
	"Make the outer estimate right (ANALYZE, extended statistics); the planner then "
	"takes a hash join by itself.",
	"Nested Loop"
	"  (cost=0.42..100.00 rows=5 width=16)"
	" (actual time=0.010..300.000 rows=50000 loops=1)\n"
	"  ->  Index Scan using i on a"
	"  (cost=0.42..8.00 rows=5 width=8)"
	" (actual time=0.010..20.000 rows=50000 loops=1)\n"
	"        Index Cond: (x = 1)\n"
	"  ->  Index Scan using j on b"
	"  (cost=0.42..8.00 rows=1 width=8)"
	" (actual time=0.001..0.005 rows=1 loops=50000)\n"
	"        Index Cond: (id = a.id)\n"
	"Execution Time: 305.000 ms\n",
	"Nested Loop"
	"  (cost=0.42..100.00 rows=40000 width=16)"
	" (actual time=0.010..300.000 rows=50000 loops=1)\n"
	"  ->  Index Scan using i on a"
	"  (cost=0.42..8.00 rows=40000 width=8)"
	" (actual time=0.010..20.000 rows=50000 loops=1)\n"
	"        Index Cond: (x = 1)\n"
	"  ->  Index Scan using j on b"
	"  (cost=0.42..8.00 rows=1 width=8)"
	" (actual time=0.001..0.005 rows=1 loops=50000)\n"
	"        Index Cond: (id = a.id)\n"
	"Execution Time: 305.000 ms\n")

PLAN_RULE(PL005, "row-misestimate", WARNING, row_misestimate,
	"The planner expected a very different number of rows",
	"A join order, join method or scan chosen for the wrong number of rows is the "
	"wrong one.",
	"ANALYZE; a higher statistics target for one column; CREATE STATISTICS for "
	"columns that depend on each other. Before any index.",
	"Seq Scan on orders"
	"  (cost=0.00..4500.00 rows=12 width=80)"
	" (actual time=0.010..80.000 rows=60000 loops=1)\n"
	"  Filter: ((city = 'SF'::text) AND (zip = 94108))\n"
	"Execution Time: 81.000 ms\n",
	"Limit"
	"  (cost=0.00..45.00 rows=10 width=80)"
	" (actual time=0.010..80.000 rows=10 loops=1)\n"
	"  ->  Seq Scan on orders"
	"  (cost=0.00..4500.00 rows=60000 width=80)"
	" (actual time=0.010..80.000 rows=10 loops=1)\n"
	"        Filter: (city = 'SF'::text)\n"
	"Execution Time: 81.000 ms\n")

PLAN_RULE(PL006, "sort-spill", WARNING, sort_spill, "A sort did not fit into memory",
	"Rows are written to temporary files and merged again.",
	"An index that gives the order, or more work_mem for this query.",
	"Sort"
	"  (cost=0.00..9000.00 rows=100 width=80)"
	" (actual time=70.000..80.000 rows=100 loops=1)\n"
	"  Sort Key: note\n"
	"  Sort Method: external merge  Disk: 17000kB\n"
	"  ->  Seq Scan on orders"
	"  (cost=0.00..10.00 rows=100 width=80)"
	" (actual time=0.010..9.000 rows=100 loops=1)\n",
	"Sort"
	"  (cost=0.00..9000.00 rows=100 width=80)"
	" (actual time=70.000..80.000 rows=100 loops=1)\n"
	"  Sort Key: note\n"
	"  Sort Method: quicksort  Memory: 17000kB\n"
	"  ->  Seq Scan on orders"
	"  (cost=0.00..10.00 rows=100 width=80)"
	" (actual time=0.010..9.000 rows=100 loops=1)\n")

PLAN_RULE(PL007, "hash-batches", WARNING, hash_batches, "A hash table did not fit into memory",
	"Both sides of the join are written to temporary files, batch by batch.",
	"work_mem times hash_mem_multiplier must hold the smaller side; make that side "
	"smaller first.",
	"Hash Join"
	"  (cost=0.00..9000.00 rows=100 width=80)"
	" (actual time=70.000..80.000 rows=100 loops=1)\n"
	"  Hash Cond: (a.id = b.id)\n"
	"  ->  Seq Scan on a"
	"  (cost=0.00..10.00 rows=100 width=80)"
	" (actual time=0.010..9.000 rows=100 loops=1)\n"
	"  ->  Hash"
	"  (cost=0.00..10.00 rows=100 width=80)"
	" (actual time=9.000..9.000 rows=100 loops=1)\n"
	"        Buckets: 16384 (originally 1024)  Batches: 16 (originally 1)  Memory"
	" Usage: 3969kB\n"
	"        ->  Seq Scan on b"
	"  (cost=0.00..10.00 rows=100 width=80)"
	" (actual time=0.010..8.000 rows=100 loops=1)\n",
	"Hash Join"
	"  (cost=0.00..9000.00 rows=100 width=80)"
	" (actual time=70.000..80.000 rows=100 loops=1)\n"
	"  Hash Cond: (a.id = b.id)\n"
	"  ->  Seq Scan on a"
	"  (cost=0.00..10.00 rows=100 width=80)"
	" (actual time=0.010..9.000 rows=100 loops=1)\n"
	"  ->  Hash"
	"  (cost=0.00..10.00 rows=100 width=80)"
	" (actual time=9.000..9.000 rows=100 loops=1)\n"
	"        Buckets: 16384 (originally 1024)  Batches: 1 (originally 1)  Memory"
	" Usage: 3969kB\n"
	"        ->  Seq Scan on b"
	"  (cost=0.00..10.00 rows=100 width=80)"
	" (actual time=0.010..8.000 rows=100 loops=1)\n")

PLAN_RULE(PL008, "hash-aggregate-spill", WARNING, hashagg_spill, "Grouping did not fit into memory",
	"Groups that do not fit are written to disk and aggregated again.",
	"work_mem or hash_mem_multiplier; better ndistinct statistics; an index in the "
	"grouping order.",
	"HashAggregate"
	"  (cost=0.00..9000.00 rows=100 width=80)"
	" (actual time=70.000..80.000 rows=100 loops=1)\n"
	"  Group Key: customer_id\n"
	"  Batches: 21  Memory Usage: 4145kB  Disk Usage: 6816kB\n"
	"  ->  Seq Scan on orders"
	"  (cost=0.00..10.00 rows=100 width=80)"
	" (actual time=0.010..9.000 rows=100 loops=1)\n",
	"HashAggregate"
	"  (cost=0.00..9000.00 rows=100 width=80)"
	" (actual time=70.000..80.000 rows=100 loops=1)\n"
	"  Group Key: customer_id\n"
	"  Batches: 1  Memory Usage: 4145kB\n"
	"  ->  Seq Scan on orders"
	"  (cost=0.00..10.00 rows=100 width=80)"
	" (actual time=0.010..9.000 rows=100 loops=1)\n")

PLAN_RULE(PL009, "lossy-bitmap", WARNING, lossy_bitmap,
	"A bitmap was too large and remembers only pages",
	"Every row of a lossy page is tested again.", "More work_mem, or a more selective index.",
	"Bitmap Heap Scan on orders"
	"  (cost=0.00..9000.00 rows=5000 width=80)"
	" (actual time=7.000..80.000 rows=5000 loops=1)\n"
	"  Recheck Cond: (customer_id > 5)\n"
	"  Rows Removed by Index Recheck: 90000\n"
	"  Heap Blocks: exact=900 lossy=1700\n"
	"  ->  Bitmap Index Scan on orders_cust"
	"  (cost=0.00..10.00 rows=5000 width=0)"
	" (actual time=5.000..5.000 rows=5000 loops=1)\n"
	"        Index Cond: (customer_id > 5)\n",
	"Bitmap Heap Scan on orders"
	"  (cost=0.00..9000.00 rows=5000 width=80)"
	" (actual time=7.000..80.000 rows=5000 loops=1)\n"
	"  Recheck Cond: (customer_id > 5)\n"
	"  Heap Blocks: exact=2600\n"
	"  ->  Bitmap Index Scan on orders_cust"
	"  (cost=0.00..10.00 rows=5000 width=0)"
	" (actual time=5.000..5.000 rows=5000 loops=1)\n"
	"        Index Cond: (customer_id > 5)\n")

PLAN_RULE(PL010, "heap-fetches", WARNING, heap_fetches, "An index-only scan has to visit the table",
	"The visibility map does not know the pages to be visible to all, so each row "
	"is looked up.",
	"VACUUM; for tables that are only inserted into, a lower "
	"autovacuum_vacuum_insert_scale_factor.",
	"Index Only Scan using orders_cust on orders"
	"  (cost=0.42..9000.00 rows=90000 width=8)"
	" (actual time=0.030..60.000 rows=90000 loops=1)\n"
	"  Index Cond: (customer_id > 7)\n"
	"  Heap Fetches: 60000\n"
	"Execution Time: 61.000 ms\n",
	"Index Only Scan using orders_cust on orders"
	"  (cost=0.42..9000.00 rows=90000 width=8)"
	" (actual time=0.030..60.000 rows=90000 loops=1)\n"
	"  Index Cond: (customer_id > 7)\n"
	"  Heap Fetches: 500\n"
	"Execution Time: 61.000 ms\n")

PLAN_RULE(PL011, "bitmap-and", WARNING, bitmap_and, "Two large indexes are combined for a few rows",
	"Each index is read for its own condition and most of what it finds is dropped.",
	"One index on both columns.",
	"Bitmap Heap Scan on orders"
	"  (cost=0.00..9000.00 rows=50 width=80)"
	" (actual time=7.000..80.000 rows=50 loops=1)\n"
	"  Recheck Cond: ((a = 1) AND (b = 2))\n"
	"  ->  BitmapAnd"
	"  (cost=0.00..10.00 rows=50 width=0)"
	" (actual time=5.000..5.000 rows=0 loops=1)\n"
	"        ->  Bitmap Index Scan on i"
	"  (cost=0.00..10.00 rows=20000 width=0)"
	" (actual time=3.000..3.000 rows=20000 loops=1)\n"
	"              Index Cond: (a = 1)\n"
	"        ->  Bitmap Index Scan on j"
	"  (cost=0.00..10.00 rows=20000 width=0)"
	" (actual time=2.000..2.000 rows=20000 loops=1)\n"
	"              Index Cond: (b = 2)\n",
	"Bitmap Heap Scan on orders"
	"  (cost=0.00..9000.00 rows=9000 width=80)"
	" (actual time=7.000..80.000 rows=9000 loops=1)\n"
	"  Recheck Cond: ((a = 1) AND (b = 2))\n"
	"  ->  BitmapAnd"
	"  (cost=0.00..10.00 rows=9000 width=0)"
	" (actual time=5.000..5.000 rows=0 loops=1)\n"
	"        ->  Bitmap Index Scan on i"
	"  (cost=0.00..10.00 rows=20000 width=0)"
	" (actual time=3.000..3.000 rows=20000 loops=1)\n"
	"              Index Cond: (a = 1)\n"
	"        ->  Bitmap Index Scan on j"
	"  (cost=0.00..10.00 rows=20000 width=0)"
	" (actual time=2.000..2.000 rows=20000 loops=1)\n"
	"              Index Cond: (b = 2)\n")

PLAN_RULE(PL012, "bitmap-or-of-one-column", INFO, bitmap_or,
	"Many ORs of one column are many scans of one index", "Each arm starts a scan of its own.",
	"Write it as col = ANY (array).",
	"Bitmap Heap Scan on orders"
	"  (cost=0.00..9000.00 rows=50 width=80)"
	" (actual time=7.000..80.000 rows=50 loops=1)\n"
	"  Recheck Cond: (a = 1)\n"
	"  ->  BitmapOr"
	"  (cost=0.00..10.00 rows=50 width=0)"
	" (actual time=5.000..5.000 rows=0 loops=1)\n"
	"        ->  Bitmap Index Scan on i"
	"  (cost=0.00..10.00 rows=9 width=0)"
	" (actual time=0.300..0.300 rows=9 loops=1)\n"
	"              Index Cond: (a = 0)\n"
	"        ->  Bitmap Index Scan on i"
	"  (cost=0.00..10.00 rows=9 width=0)"
	" (actual time=0.300..0.300 rows=9 loops=1)\n"
	"              Index Cond: (a = 1)\n"
	"        ->  Bitmap Index Scan on i"
	"  (cost=0.00..10.00 rows=9 width=0)"
	" (actual time=0.300..0.300 rows=9 loops=1)\n"
	"              Index Cond: (a = 2)\n"
	"        ->  Bitmap Index Scan on i"
	"  (cost=0.00..10.00 rows=9 width=0)"
	" (actual time=0.300..0.300 rows=9 loops=1)\n"
	"              Index Cond: (a = 3)\n"
	"        ->  Bitmap Index Scan on i"
	"  (cost=0.00..10.00 rows=9 width=0)"
	" (actual time=0.300..0.300 rows=9 loops=1)\n"
	"              Index Cond: (a = 4)\n"
	"        ->  Bitmap Index Scan on i"
	"  (cost=0.00..10.00 rows=9 width=0)"
	" (actual time=0.300..0.300 rows=9 loops=1)\n"
	"              Index Cond: (a = 5)\n",
	"Bitmap Heap Scan on orders"
	"  (cost=0.00..9000.00 rows=50 width=80)"
	" (actual time=7.000..80.000 rows=50 loops=1)\n"
	"  Recheck Cond: (a = 1)\n"
	"  ->  BitmapOr"
	"  (cost=0.00..10.00 rows=50 width=0)"
	" (actual time=5.000..5.000 rows=0 loops=1)\n"
	"        ->  Bitmap Index Scan on i"
	"  (cost=0.00..10.00 rows=9 width=0)"
	" (actual time=0.300..0.300 rows=9 loops=1)\n"
	"              Index Cond: (a = 0)\n"
	"        ->  Bitmap Index Scan on i"
	"  (cost=0.00..10.00 rows=9 width=0)"
	" (actual time=0.300..0.300 rows=9 loops=1)\n"
	"              Index Cond: (a = 1)\n"
	"        ->  Bitmap Index Scan on i"
	"  (cost=0.00..10.00 rows=9 width=0)"
	" (actual time=0.300..0.300 rows=9 loops=1)\n"
	"              Index Cond: (a = 2)\n")

PLAN_RULE(PL013, "wrong-index-for-order", WARNING, wrong_index_for_order,
	"An index is walked in its order until LIMIT is met, past many rows of others",
	"The planner hopes to meet matching rows soon; when they lie far away it reads "
	"nearly everything.",
	"An index on the filter's equality columns followed by the ORDER BY columns.",
	"Limit"
	"  (cost=0.42..900.00 rows=10 width=80)"
	" (actual time=0.030..60.000 rows=10 loops=1)\n"
	"  ->  Index Scan using orders_placed on orders"
	"  (cost=0.42..9000.00 rows=1000 width=80)"
	" (actual time=0.030..60.000 rows=10 loops=1)\n"
	"        Filter: (customer_id = 42)\n"
	"        Rows Removed by Filter: 150000\n"
	"Execution Time: 61.000 ms\n",
	"Limit"
	"  (cost=0.42..900.00 rows=10 width=80)"
	" (actual time=0.030..60.000 rows=10 loops=1)\n"
	"  ->  Index Scan using orders_placed on orders"
	"  (cost=0.42..9000.00 rows=1000 width=80)"
	" (actual time=0.030..60.000 rows=10 loops=1)\n"
	"        Filter: (customer_id = 42)\n"
	"        Rows Removed by Filter: 300\n"
	"Execution Time: 61.000 ms\n")

PLAN_RULE(PL014, "top-n-sort-of-many", WARNING, top_n_sort, "All rows are sorted for the first few",
	"Finding the first ten needs every row when nothing has them in order.",
	"An index on the equality columns, then the ORDER BY columns in their "
	"directions.",
	"Limit"
	"  (cost=0.42..900.00 rows=10 width=80)"
	" (actual time=60.030..60.040 rows=10 loops=1)\n"
	"  ->  Sort"
	"  (cost=0.42..9000.00 rows=200000 width=80)"
	" (actual time=60.030..60.035 rows=10 loops=1)\n"
	"        Sort Key: placed_at DESC\n"
	"        Sort Method: top-N heapsort  Memory: 26kB\n"
	"        ->  Seq Scan on orders"
	"  (cost=0.00..4000.00 rows=200000 width=80)"
	" (actual time=0.010..30.000 rows=200000 loops=1)\n"
	"Execution Time: 61.000 ms\n",
	"Limit"
	"  (cost=0.42..900.00 rows=10 width=80)"
	" (actual time=60.030..60.040 rows=10 loops=1)\n"
	"  ->  Sort"
	"  (cost=0.42..9000.00 rows=900 width=80)"
	" (actual time=60.030..60.035 rows=10 loops=1)\n"
	"        Sort Key: placed_at DESC\n"
	"        Sort Method: top-N heapsort  Memory: 26kB\n"
	"        ->  Seq Scan on orders"
	"  (cost=0.00..4000.00 rows=900 width=80)"
	" (actual time=0.010..30.000 rows=900 loops=1)\n"
	"Execution Time: 61.000 ms\n")

PLAN_RULE(PL015, "incremental-sort-opportunity", INFO, incremental_sort,
	"An index gives the first part of the order already",
	"The whole is sorted again for the rest of the key.",
	"Extend the index by the remaining sort columns.",
	"Sort"
	"  (cost=0.42..9000.00 rows=50000 width=80)"
	" (actual time=60.030..70.035 rows=50000 loops=1)\n"
	"  Sort Key: placed_at, total\n"
	"  Sort Method: quicksort  Memory: 9000kB\n"
	"  ->  Index Scan using orders_placed on orders"
	"  (cost=0.00..4000.00 rows=50000 width=80)"
	" (actual time=0.010..30.000 rows=50000 loops=1)\n"
	"        Index Cond: (placed_at > '2024-01-01'::date)\n"
	"Execution Time: 71.000 ms\n",
	"Sort"
	"  (cost=0.42..9000.00 rows=50000 width=80)"
	" (actual time=60.030..70.035 rows=50000 loops=1)\n"
	"  Sort Key: total, note\n"
	"  Sort Method: quicksort  Memory: 9000kB\n"
	"  ->  Index Scan using orders_placed on orders"
	"  (cost=0.00..4000.00 rows=50000 width=80)"
	" (actual time=0.010..30.000 rows=50000 loops=1)\n"
	"        Index Cond: (placed_at > '2024-01-01'::date)\n"
	"Execution Time: 71.000 ms\n")

PLAN_RULE(PL016, "large-offset", WARNING, large_offset,
	"OFFSET skips thousands of rows that were produced",
	"Every row that is skipped was found, joined and sorted first; the next page "
	"costs more.",
	"Remember the last row's key and continue behind it: WHERE (placed_at, id) < "
	"($1, $2).",
	"Limit"
	"  (cost=0.42..900.00 rows=10 width=80)"
	" (actual time=60.030..60.040 rows=10 loops=1)\n"
	"  ->  Index Scan using orders_placed on orders"
	"  (cost=0.00..4000.00 rows=200000 width=80)"
	" (actual time=0.010..60.000 rows=50010 loops=1)\n"
	"Execution Time: 61.000 ms\n",
	"Limit"
	"  (cost=0.42..900.00 rows=10 width=80)"
	" (actual time=60.030..60.040 rows=10 loops=1)\n"
	"  ->  Index Scan using orders_placed on orders"
	"  (cost=0.00..4000.00 rows=200000 width=80)"
	" (actual time=0.010..60.000 rows=10 loops=1)\n"
	"Execution Time: 61.000 ms\n")

PLAN_RULE(PL017, "or-join-filter", WARNING, or_join_filter,
	"An OR over two tables is tested on every pair of rows",
	"No index and no hash can serve a condition that either table may satisfy.",
	"UNION of two queries, one for each arm.",
	"Nested Loop"
	"  (cost=0.00..9000.00 rows=100 width=16)"
	" (actual time=0.010..90.000 rows=100 loops=1)\n"
	"  Join Filter: ((a.x = 1) OR (b.y = 2))\n"
	"  Rows Removed by Join Filter: 499900\n"
	"  ->  Seq Scan on a"
	"  (cost=0.00..20.00 rows=500 width=8)"
	" (actual time=0.010..0.500 rows=500 loops=1)\n"
	"  ->  Materialize"
	"  (cost=0.00..20.00 rows=1000 width=8)"
	" (actual time=0.001..0.020 rows=1000 loops=500)\n"
	"        ->  Seq Scan on b"
	"  (cost=0.00..20.00 rows=1000 width=8)"
	" (actual time=0.001..0.100 rows=1000 loops=1)\n"
	"Execution Time: 90.000 ms\n",
	"Nested Loop Left Join"
	"  (cost=0.00..9000.00 rows=100 width=16)"
	" (actual time=0.010..90.000 rows=100 loops=1)\n"
	"  Join Filter: ((a.x = 1) OR (b.y = 2))\n"
	"  Rows Removed by Join Filter: 499900\n"
	"  ->  Seq Scan on a"
	"  (cost=0.00..20.00 rows=500 width=8)"
	" (actual time=0.010..0.500 rows=500 loops=1)\n"
	"  ->  Materialize"
	"  (cost=0.00..20.00 rows=1000 width=8)"
	" (actual time=0.001..0.020 rows=1000 loops=500)\n"
	"        ->  Seq Scan on b"
	"  (cost=0.00..20.00 rows=1000 width=8)"
	" (actual time=0.001..0.100 rows=1000 loops=1)\n"
	"Execution Time: 90.000 ms\n")

PLAN_RULE(PL018, "join-filter-waste", WARNING, join_filter_waste,
	"Most pairs of rows a join makes are thrown away",
	"The condition is tested after the pair was made, one by one.",
	"A condition by equality, on columns of the same type, can be hashed or looked "
	"up in an index.",
	"Nested Loop"
	"  (cost=0.00..9000.00 rows=100 width=16)"
	" (actual time=0.010..90.000 rows=100 loops=1)\n"
	"  Join Filter: ((a.lo <= b.x) AND (b.x < a.hi))\n"
	"  Rows Removed by Join Filter: 499900\n"
	"  ->  Seq Scan on a"
	"  (cost=0.00..20.00 rows=500 width=8)"
	" (actual time=0.010..0.500 rows=500 loops=1)\n"
	"  ->  Materialize"
	"  (cost=0.00..20.00 rows=1000 width=8)"
	" (actual time=0.001..0.020 rows=1000 loops=500)\n"
	"        ->  Seq Scan on b"
	"  (cost=0.00..20.00 rows=1000 width=8)"
	" (actual time=0.001..0.100 rows=1000 loops=1)\n"
	"Execution Time: 90.000 ms\n",
	"Nested Loop"
	"  (cost=0.00..9000.00 rows=100 width=16)"
	" (actual time=0.010..90.000 rows=100 loops=1)\n"
	"  Join Filter: ((a.lo <= b.x) AND (b.x < a.hi))\n"
	"  Rows Removed by Join Filter: 700\n"
	"  ->  Seq Scan on a"
	"  (cost=0.00..20.00 rows=500 width=8)"
	" (actual time=0.010..0.500 rows=500 loops=1)\n"
	"  ->  Materialize"
	"  (cost=0.00..20.00 rows=1000 width=8)"
	" (actual time=0.001..0.020 rows=1000 loops=500)\n"
	"        ->  Seq Scan on b"
	"  (cost=0.00..20.00 rows=1000 width=8)"
	" (actual time=0.001..0.100 rows=1000 loops=1)\n"
	"Execution Time: 90.000 ms\n")

PLAN_RULE(PL019, "cartesian-product", WARNING, cartesian,
	"Every row of one side is paired with every row of the other",
	"Nothing joins the two sides: a condition is probably missing.",
	"Add the join condition; if the product is meant, say CROSS JOIN.",
	"Nested Loop"
	"  (cost=0.00..9000.00 rows=500000 width=16)"
	" (actual time=0.010..90.000 rows=500000 loops=1)\n"
	"  ->  Seq Scan on a"
	"  (cost=0.00..20.00 rows=500 width=8)"
	" (actual time=0.010..0.500 rows=500 loops=1)\n"
	"  ->  Materialize"
	"  (cost=0.00..20.00 rows=1000 width=8)"
	" (actual time=0.001..0.020 rows=1000 loops=500)\n"
	"Execution Time: 90.000 ms\n",
	"Nested Loop"
	"  (cost=0.00..9000.00 rows=500000 width=16)"
	" (actual time=0.010..90.000 rows=500000 loops=1)\n"
	"  ->  Seq Scan on a"
	"  (cost=0.00..20.00 rows=500 width=8)"
	" (actual time=0.010..0.500 rows=500 loops=1)\n"
	"  ->  Index Scan using i on b"
	"  (cost=0.00..20.00 rows=1000 width=8)"
	" (actual time=0.001..0.020 rows=1000 loops=500)\n"
	"        Index Cond: (a_id = a.id)\n"
	"Execution Time: 90.000 ms\n")

PLAN_RULE(PL020, "subplan-per-row", WARNING, subplan_per_row, "A subquery runs once for each row",
	"The planner could not turn it into a join.",
	"LEFT JOIN on the grouped subquery, or LATERAL; at least an index on the column "
	"it is looked up by.",
	"Seq Scan on orders o"
	"  (cost=0.00..9000.00 rows=1000 width=80)"
	" (actual time=0.010..90.000 rows=1000 loops=1)\n"
	"  Filter: (SubPlan 1)\n"
	"  SubPlan 1\n"
	"    ->  Seq Scan on items i"
	"  (cost=0.00..20.00 rows=1000 width=8)"
	" (actual time=0.001..0.080 rows=10 loops=1000)\n"
	"Execution Time: 90.000 ms\n",
	"Seq Scan on orders o"
	"  (cost=0.00..9000.00 rows=1000 width=80)"
	" (actual time=0.010..90.000 rows=1000 loops=1)\n"
	"  Filter: (SubPlan 1)\n"
	"  SubPlan 1\n"
	"    ->  Seq Scan on items i"
	"  (cost=0.00..20.00 rows=1000 width=8)"
	" (actual time=0.001..0.080 rows=10 loops=1)\n"
	"Execution Time: 90.000 ms\n")

PLAN_RULE(PL021, "not-in-unhashed", WARNING, not_in_unhashed,
	"NOT IN goes through its list again for every row",
	"Because of NULLs, NOT IN cannot be a join; unhashed, it is a loop in a loop.",
	"NOT EXISTS; else enough work_mem for the list to be hashed.",
	"Seq Scan on orders o"
	"  (cost=0.00..9000.00 rows=1000 width=80)"
	" (actual time=0.010..90.000 rows=1000 loops=1)\n"
	"  Filter: (NOT (SubPlan 1))\n"
	"  SubPlan 1\n"
	"    ->  Seq Scan on items i"
	"  (cost=0.00..20.00 rows=1000 width=8)"
	" (actual time=0.001..0.080 rows=10 loops=1000)\n"
	"Execution Time: 90.000 ms\n",
	"Seq Scan on orders o"
	"  (cost=0.00..9000.00 rows=1000 width=80)"
	" (actual time=0.010..90.000 rows=1000 loops=1)\n"
	"  Filter: (NOT (hashed SubPlan 1))\n"
	"  SubPlan 1\n"
	"    ->  Seq Scan on items i"
	"  (cost=0.00..20.00 rows=1000 width=8)"
	" (actual time=0.001..0.080 rows=10 loops=1)\n"
	"Execution Time: 90.000 ms\n")

PLAN_RULE(PL022, "cte-scan-filter", WARNING, cte_scan_filter,
	"A CTE is built whole and then filtered",
	"A materialized CTE does not see the conditions of the query around it.",
	"NOT MATERIALIZED, or move the condition into the CTE.",
	"CTE Scan on x"
	"  (cost=0.00..9000.00 rows=10 width=80)"
	" (actual time=0.010..90.000 rows=10 loops=1)\n"
	"  Filter: (customer_id = 5)\n"
	"  Rows Removed by Filter: 32990\n"
	"  CTE x\n"
	"    ->  Seq Scan on orders"
	"  (cost=0.00..8000.00 rows=33000 width=80)"
	" (actual time=0.010..60.000 rows=33000 loops=1)\n",
	"CTE Scan on x"
	"  (cost=0.00..9000.00 rows=10 width=80)"
	" (actual time=0.010..90.000 rows=10 loops=1)\n"
	"  Filter: (customer_id = 5)\n"
	"  Rows Removed by Filter: 500\n"
	"  CTE x\n"
	"    ->  Seq Scan on orders"
	"  (cost=0.00..8000.00 rows=33000 width=80)"
	" (actual time=0.010..60.000 rows=33000 loops=1)\n")

PLAN_RULE(PL023, "function-estimate", INFO, function_scan_estimate,
	"The planner guesses what a function returns",
	"Without knowledge a function is taken to return 1000 (or 100) rows.",
	"ROWS in the function's definition, or a temporary table with ANALYZE.",
	"Nested Loop"
	"  (cost=0.00..9000.00 rows=1000 width=80)"
	" (actual time=0.010..90.000 rows=50000 loops=1)\n"
	"  ->  Function Scan on generate_series g"
	"  (cost=0.00..10.00 rows=1000 width=8)"
	" (actual time=0.010..9.000 rows=50000 loops=1)\n"
	"  ->  Index Scan using p on products p"
	"  (cost=0.28..0.30 rows=1 width=60)"
	" (actual time=0.001..0.002 rows=1 loops=50000)\n"
	"        Index Cond: (id = g.g)\n"
	"Execution Time: 91.000 ms\n",
	"Nested Loop"
	"  (cost=0.00..9000.00 rows=1000 width=80)"
	" (actual time=0.010..90.000 rows=900 loops=1)\n"
	"  ->  Function Scan on generate_series g"
	"  (cost=0.00..10.00 rows=1000 width=8)"
	" (actual time=0.010..9.000 rows=900 loops=1)\n"
	"  ->  Index Scan using p on products p"
	"  (cost=0.28..0.30 rows=1 width=60)"
	" (actual time=0.001..0.002 rows=1 loops=900)\n"
	"        Index Cond: (id = g.g)\n"
	"Execution Time: 91.000 ms\n")

PLAN_RULE(PL024, "memoize-miss", INFO, memoize_miss, "A cache that is hardly hit, or too small",
	"Keeping rows for later costs time and pays only when they are asked for again.",
	"Better ndistinct statistics of the key; more work_mem; enable_memoize off for "
	"this query.",
	"Nested Loop"
	"  (cost=0.00..9000.00 rows=1000 width=80)"
	" (actual time=0.010..90.000 rows=50000 loops=1)\n"
	"  ->  Seq Scan on a"
	"  (cost=0.00..10.00 rows=50000 width=8)"
	" (actual time=0.010..9.000 rows=50000 loops=1)\n"
	"  ->  Memoize"
	"  (cost=0.28..0.30 rows=1 width=60)"
	" (actual time=0.001..0.001 rows=1 loops=50000)\n"
	"        Cache Key: a.b_id\n"
	"        Hits: 1000  Misses: 49000  Evictions: 0  Overflows: 0  Memory Usage:"
	" 4097kB\n"
	"        ->  Index Scan using p on b"
	"  (cost=0.28..0.30 rows=1 width=60)"
	" (actual time=0.001..0.001 rows=1 loops=49000)\n"
	"              Index Cond: (id = a.b_id)\n"
	"Execution Time: 91.000 ms\n",
	"Nested Loop"
	"  (cost=0.00..9000.00 rows=1000 width=80)"
	" (actual time=0.010..90.000 rows=50000 loops=1)\n"
	"  ->  Seq Scan on a"
	"  (cost=0.00..10.00 rows=50000 width=8)"
	" (actual time=0.010..9.000 rows=50000 loops=1)\n"
	"  ->  Memoize"
	"  (cost=0.28..0.30 rows=1 width=60)"
	" (actual time=0.001..0.001 rows=1 loops=50000)\n"
	"        Cache Key: a.b_id\n"
	"        Hits: 49000  Misses: 1000  Evictions: 0  Overflows: 0  Memory Usage:"
	" 4097kB\n"
	"        ->  Index Scan using p on b"
	"  (cost=0.28..0.30 rows=1 width=60)"
	" (actual time=0.001..0.001 rows=1 loops=1000)\n"
	"              Index Cond: (id = a.b_id)\n"
	"Execution Time: 91.000 ms\n")

PLAN_RULE(PL025, "jit-overhead", INFO, jit_overhead, "Compiling the query costs more than it saves",
	"JIT pays for minutes of computing, not for milliseconds.",
	"A higher jit_above_cost, or jit = off for this role.",
	"Aggregate"
	"  (cost=0.00..900000.00 rows=1 width=8)"
	" (actual time=100.000..100.000 rows=1 loops=1)\n"
	"  ->  Seq Scan on orders"
	"  (cost=0.00..800000.00 rows=200000 width=8)"
	" (actual time=0.010..30.000 rows=200000 loops=1)\n"
	"JIT:\n"
	"  Functions: 12\n"
	"  Options: Inlining true, Optimization true, Expressions true, Deforming true\n"
	"  Timing: Generation 1.000 ms, Inlining 10.000 ms, Optimization 50.000 ms,"
	" Emission 9.000 ms, Total 70.000 ms\n"
	"Execution Time: 101.000 ms\n",
	"Aggregate"
	"  (cost=0.00..900000.00 rows=1 width=8)"
	" (actual time=100.000..100.000 rows=1 loops=1)\n"
	"  ->  Seq Scan on orders"
	"  (cost=0.00..800000.00 rows=200000 width=8)"
	" (actual time=0.010..30.000 rows=200000 loops=1)\n"
	"JIT:\n"
	"  Functions: 12\n"
	"  Options: Inlining true, Optimization true, Expressions true, Deforming true\n"
	"  Timing: Generation 1.000 ms, Inlining 10.000 ms, Optimization 50.000 ms,"
	" Emission 9.000 ms, Total 3.000 ms\n"
	"Execution Time: 101.000 ms\n")

PLAN_RULE(PL026, "planning-dominates", INFO, planning_dominates,
	"Planning takes longer than running",
	"The statement is planned anew each time, over many joins, partitions or "
	"indexes.",
	"Prepared statements; fewer partitions or joins; a look at bloated catalogs.",
	"Index Scan using p on a"
	"  (cost=0.28..8.30 rows=1 width=60)"
	" (actual time=0.010..1.000 rows=1 loops=1)\n"
	"  Index Cond: (id = 1)\n"
	"Planning Time: 25.000 ms\n"
	"Execution Time: 1.100 ms\n",
	"Index Scan using p on a"
	"  (cost=0.28..8.30 rows=1 width=60)"
	" (actual time=0.010..1.000 rows=1 loops=1)\n"
	"  Index Cond: (id = 1)\n"
	"Planning Time: 0.900 ms\n"
	"Execution Time: 1.100 ms\n")

PLAN_RULE(PL027, "trigger-time", WARNING, trigger_time, "Triggers take much of the time",
	"A foreign key's trigger runs a query on the other table for each row; without "
	"an index it reads it whole.",
	"An index on the referencing columns; a statement trigger instead of a row "
	"trigger.",
	"Delete on orders"
	"  (cost=0.28..8.30 rows=0 width=0)"
	" (actual time=1.000..1.000 rows=0 loops=1)\n"
	"  ->  Index Scan using p on orders"
	"  (cost=0.28..8.30 rows=100 width=6)"
	" (actual time=0.010..0.900 rows=100 loops=1)\n"
	"        Index Cond: (id < 100)\n"
	"Trigger for constraint items_order_id_fkey: time=930.000 calls=100\n"
	"Execution Time: 950.000 ms\n",
	"Delete on orders"
	"  (cost=0.28..8.30 rows=0 width=0)"
	" (actual time=1.000..1.000 rows=0 loops=1)\n"
	"  ->  Index Scan using p on orders"
	"  (cost=0.28..8.30 rows=100 width=6)"
	" (actual time=0.010..0.900 rows=100 loops=1)\n"
	"        Index Cond: (id < 100)\n"
	"Trigger for constraint items_order_id_fkey: time=4.000 calls=100\n"
	"Execution Time: 950.000 ms\n")

PLAN_RULE(PL028, "workers-not-launched", INFO, workers_not_launched,
	"Planned workers were not there", "The plan was chosen for more processes than it got.",
	"max_parallel_workers and max_worker_processes; fewer queries that ask for "
	"workers at once.",
	"Gather"
	"  (cost=1000.00..9000.00 rows=100 width=80)"
	" (actual time=0.500..60.000 rows=100 loops=1)\n"
	"  Workers Planned: 2\n"
	"  Workers Launched: 1\n"
	"  ->  Parallel Seq Scan on orders"
	"  (cost=0.00..8000.00 rows=50 width=80)"
	" (actual time=0.010..60.000 rows=33 loops=1)\n"
	"Execution Time: 60.000 ms\n",
	"Gather"
	"  (cost=1000.00..9000.00 rows=100 width=80)"
	" (actual time=0.500..60.000 rows=100 loops=1)\n"
	"  Workers Planned: 2\n"
	"  Workers Launched: 2\n"
	"  ->  Parallel Seq Scan on orders"
	"  (cost=0.00..8000.00 rows=50 width=80)"
	" (actual time=0.010..60.000 rows=33 loops=3)\n"
	"Execution Time: 60.000 ms\n")

PLAN_RULE(PL029, "parallel-skew", INFO, parallel_skew, "Workers that cost more than they help",
	"Starting processes takes milliseconds; one worker with all the rows is no "
	"parallelism.",
	"parallel_setup_cost, min_parallel_table_scan_size.",
	"Gather"
	"  (cost=1000.00..9000.00 rows=100 width=80)"
	" (actual time=0.500..4.000 rows=100 loops=1)\n"
	"  Workers Planned: 2\n"
	"  Workers Launched: 2\n"
	"  ->  Parallel Seq Scan on orders"
	"  (cost=0.00..8000.00 rows=50 width=80)"
	" (actual time=0.010..4.000 rows=33 loops=3)\n"
	"Execution Time: 4.000 ms\n",
	"Gather"
	"  (cost=1000.00..9000.00 rows=100 width=80)"
	" (actual time=0.500..60.000 rows=100 loops=1)\n"
	"  Workers Planned: 2\n"
	"  Workers Launched: 2\n"
	"  ->  Parallel Seq Scan on orders"
	"  (cost=0.00..8000.00 rows=50 width=80)"
	" (actual time=0.010..60.000 rows=33 loops=3)\n"
	"Execution Time: 60.000 ms\n")

PLAN_RULE(PL030, "no-parallel-scan", INFO, no_parallel, "One process reads more than a gigabyte",
	"A function marked parallel unsafe, a data-modifying CTE or a setting of 0 "
	"keeps workers away.",
	"Mark functions PARALLEL SAFE; max_parallel_workers_per_gather.",
	"Seq Scan on big"
	"  (cost=0.00..9000000.00 rows=90000000 width=80)"
	" (actual time=0.010..90000.000 rows=90000000 loops=1)\n"
	"  Buffers: shared hit=200000\n"
	"Execution Time: 91000.000 ms\n",
	"Seq Scan on big"
	"  (cost=0.00..9000000.00 rows=90000000 width=80)"
	" (actual time=0.010..90000.000 rows=90000000 loops=1)\n"
	"  Buffers: shared hit=9000\n"
	"Execution Time: 91000.000 ms\n")

PLAN_RULE(PL031, "cold-cache", INFO, cold_cache, "Most blocks were not in the cache",
	"The time is that of the disk; the same query run again may be ten times "
	"faster.",
	"Run EXPLAIN twice before judging; fewer blocks by a covering index or CLUSTER.",
	"Index Scan using p on a"
	"  (cost=0.28..8.30 rows=1 width=60)"
	" (actual time=0.010..100.000 rows=9000 loops=1)\n"
	"  Index Cond: (id > 1)\n"
	"  Buffers: shared hit=1000 read=8000\n"
	"Execution Time: 101.100 ms\n",
	"Index Scan using p on a"
	"  (cost=0.28..8.30 rows=1 width=60)"
	" (actual time=0.010..100.000 rows=9000 loops=1)\n"
	"  Index Cond: (id > 1)\n"
	"  Buffers: shared hit=8500 read=500\n"
	"Execution Time: 101.100 ms\n")

PLAN_RULE(PL032, "many-blocks-per-row", INFO, buffers_per_row,
	"Hundreds of blocks are touched for each row",
	"The table is bloated, or what belongs together lies far apart.",
	"VACUUM FULL or pg_repack for bloat; CLUSTER, BRIN or a covering index.",
	"Bitmap Heap Scan on a"
	"  (cost=0.28..800.30 rows=20 width=60)"
	" (actual time=0.010..100.000 rows=20 loops=1)\n"
	"  Recheck Cond: (id > 1)\n"
	"  Buffers: shared hit=9000\n"
	"Execution Time: 101.100 ms\n",
	"Bitmap Heap Scan on a"
	"  (cost=0.28..800.30 rows=9000 width=60)"
	" (actual time=0.010..100.000 rows=9000 loops=1)\n"
	"  Recheck Cond: (id > 1)\n"
	"  Buffers: shared hit=9000\n"
	"Execution Time: 101.100 ms\n")

PLAN_RULE(PL033, "select-dirties", INFO, select_dirties, "A query that only reads writes blocks",
	"It sets hint bits after a bulk load, or has to make room in the cache.",
	"VACUUM after loading; a look at the background writer.",
	"Seq Scan on a"
	"  (cost=0.28..800.30 rows=9000 width=60)"
	" (actual time=0.010..100.000 rows=9000 loops=1)\n"
	"  Buffers: shared hit=9000 dirtied=4000\n"
	"Execution Time: 101.100 ms\n",
	"Seq Scan on a"
	"  (cost=0.28..800.30 rows=9000 width=60)"
	" (actual time=0.010..100.000 rows=9000 loops=1)\n"
	"  Buffers: shared hit=9000 dirtied=5\n"
	"Execution Time: 101.100 ms\n")

PLAN_RULE(PL034, "temporary-files", WARNING, temp_io, "Temporary files are written and read",
	"What does not fit into work_mem goes to disk.",
	"More work_mem; fewer rows or columns at this point.",
	"Materialize"
	"  (cost=0.28..800.30 rows=900000 width=60)"
	" (actual time=0.010..100.000 rows=900000 loops=1)\n"
	"  Buffers: temp read=2000 written=2000\n"
	"  ->  Seq Scan on a"
	"  (cost=0.28..800.30 rows=900000 width=60)"
	" (actual time=0.010..50.000 rows=900000 loops=1)\n"
	"Execution Time: 101.100 ms\n",
	"Materialize"
	"  (cost=0.28..800.30 rows=900000 width=60)"
	" (actual time=0.010..100.000 rows=900000 loops=1)\n"
	"  Buffers: temp read=3 written=3\n"
	"  ->  Seq Scan on a"
	"  (cost=0.28..800.30 rows=900000 width=60)"
	" (actual time=0.010..50.000 rows=900000 loops=1)\n"
	"Execution Time: 101.100 ms\n")

PLAN_RULE(PL035, "partitions-not-pruned", WARNING, partition_no_prune,
	"Partitions are read that hold nothing of the answer",
	"The planner cannot tell from the condition which partitions matter.",
	"Compare the partition key itself, with its own type; no function around it.",
	"Append"
	"  (cost=0.00..9000.00 rows=100 width=80)"
	" (actual time=0.010..90.000 rows=5 loops=1)\n"
	"  ->  Seq Scan on part_0"
	"  (cost=0.00..90.00 rows=1 width=80)"
	" (actual time=5.000..6.000 rows=5 loops=1)\n"
	"  ->  Seq Scan on part_1"
	"  (cost=0.00..90.00 rows=1 width=80)"
	" (actual time=5.000..6.000 rows=0 loops=1)\n"
	"  ->  Seq Scan on part_2"
	"  (cost=0.00..90.00 rows=1 width=80)"
	" (actual time=5.000..6.000 rows=0 loops=1)\n"
	"  ->  Seq Scan on part_3"
	"  (cost=0.00..90.00 rows=1 width=80)"
	" (actual time=5.000..6.000 rows=0 loops=1)\n"
	"  ->  Seq Scan on part_4"
	"  (cost=0.00..90.00 rows=1 width=80)"
	" (actual time=5.000..6.000 rows=0 loops=1)\n"
	"  ->  Seq Scan on part_5"
	"  (cost=0.00..90.00 rows=1 width=80)"
	" (actual time=5.000..6.000 rows=0 loops=1)\n"
	"  ->  Seq Scan on part_6"
	"  (cost=0.00..90.00 rows=1 width=80)"
	" (actual time=5.000..6.000 rows=0 loops=1)\n"
	"  ->  Seq Scan on part_7"
	"  (cost=0.00..90.00 rows=1 width=80)"
	" (actual time=5.000..6.000 rows=0 loops=1)\n"
	"  ->  Seq Scan on part_8"
	"  (cost=0.00..90.00 rows=1 width=80)"
	" (actual time=5.000..6.000 rows=0 loops=1)\n"
	"  ->  Seq Scan on part_9"
	"  (cost=0.00..90.00 rows=1 width=80)"
	" (actual time=5.000..6.000 rows=0 loops=1)\n"
	"  ->  Seq Scan on part_10"
	"  (cost=0.00..90.00 rows=1 width=80)"
	" (actual time=5.000..6.000 rows=0 loops=1)\n"
	"  ->  Seq Scan on part_11"
	"  (cost=0.00..90.00 rows=1 width=80)"
	" (actual time=5.000..6.000 rows=0 loops=1)\n"
	"  ->  Seq Scan on part_12"
	"  (cost=0.00..90.00 rows=1 width=80)"
	" (actual time=5.000..6.000 rows=0 loops=1)\n"
	"  ->  Seq Scan on part_13"
	"  (cost=0.00..90.00 rows=1 width=80)"
	" (actual time=5.000..6.000 rows=0 loops=1)\n"
	"Execution Time: 91.000 ms\n",
	"Append"
	"  (cost=0.00..9000.00 rows=100 width=80)"
	" (actual time=0.010..90.000 rows=103 loops=1)\n"
	"  ->  Seq Scan on part_0"
	"  (cost=0.00..90.00 rows=1 width=80)"
	" (actual time=5.000..6.000 rows=5 loops=1)\n"
	"  ->  Seq Scan on part_1"
	"  (cost=0.00..90.00 rows=1 width=80)"
	" (actual time=5.000..6.000 rows=7 loops=1)\n"
	"  ->  Seq Scan on part_2"
	"  (cost=0.00..90.00 rows=1 width=80)"
	" (actual time=5.000..6.000 rows=7 loops=1)\n"
	"  ->  Seq Scan on part_3"
	"  (cost=0.00..90.00 rows=1 width=80)"
	" (actual time=5.000..6.000 rows=7 loops=1)\n"
	"  ->  Seq Scan on part_4"
	"  (cost=0.00..90.00 rows=1 width=80)"
	" (actual time=5.000..6.000 rows=7 loops=1)\n"
	"  ->  Seq Scan on part_5"
	"  (cost=0.00..90.00 rows=1 width=80)"
	" (actual time=5.000..6.000 rows=7 loops=1)\n"
	"  ->  Seq Scan on part_6"
	"  (cost=0.00..90.00 rows=1 width=80)"
	" (actual time=5.000..6.000 rows=7 loops=1)\n"
	"  ->  Seq Scan on part_7"
	"  (cost=0.00..90.00 rows=1 width=80)"
	" (actual time=5.000..6.000 rows=7 loops=1)\n"
	"  ->  Seq Scan on part_8"
	"  (cost=0.00..90.00 rows=1 width=80)"
	" (actual time=5.000..6.000 rows=7 loops=1)\n"
	"  ->  Seq Scan on part_9"
	"  (cost=0.00..90.00 rows=1 width=80)"
	" (actual time=5.000..6.000 rows=7 loops=1)\n"
	"  ->  Seq Scan on part_10"
	"  (cost=0.00..90.00 rows=1 width=80)"
	" (actual time=5.000..6.000 rows=7 loops=1)\n"
	"  ->  Seq Scan on part_11"
	"  (cost=0.00..90.00 rows=1 width=80)"
	" (actual time=5.000..6.000 rows=7 loops=1)\n"
	"  ->  Seq Scan on part_12"
	"  (cost=0.00..90.00 rows=1 width=80)"
	" (actual time=5.000..6.000 rows=7 loops=1)\n"
	"  ->  Seq Scan on part_13"
	"  (cost=0.00..90.00 rows=1 width=80)"
	" (actual time=5.000..6.000 rows=7 loops=1)\n"
	"Execution Time: 91.000 ms\n")

PLAN_RULE(PL036, "index-read-whole", WARNING, trailing_column,
	"Much of an index is read for a few rows",
	"The condition is on a later column of the index, so all of it has to be looked "
	"through.",
	"An index that begins with the condition's column.",
	"Index Scan using i on a"
	"  (cost=0.28..8000.30 rows=5 width=60)"
	" (actual time=0.010..100.000 rows=5 loops=1)\n"
	"  Index Cond: (b = 1)\n"
	"  Buffers: shared hit=6000\n"
	"Execution Time: 101.100 ms\n",
	"Index Scan using i on a"
	"  (cost=0.28..8000.30 rows=5 width=60)"
	" (actual time=0.010..100.000 rows=5 loops=1)\n"
	"  Index Cond: (b = 1)\n"
	"  Buffers: shared hit=9\n"
	"Execution Time: 101.100 ms\n")

PLAN_RULE(PL037, "redundant-unique", INFO, redundant_unique, "DISTINCT finds nothing to remove",
	"All rows were sorted and compared for nothing, this time.",
	"Drop DISTINCT when a key makes the rows unique anyway.",
	"Unique"
	"  (cost=0.28..8000.30 rows=50000 width=60)"
	" (actual time=0.010..100.000 rows=50000 loops=1)\n"
	"  ->  Sort"
	"  (cost=0.28..8000.30 rows=50000 width=60)"
	" (actual time=0.010..90.000 rows=50000 loops=1)\n"
	"        Sort Key: id\n"
	"        Sort Method: quicksort  Memory: 900kB\n"
	"        ->  Seq Scan on a"
	"  (cost=0.28..800.30 rows=50000 width=60)"
	" (actual time=0.010..30.000 rows=50000 loops=1)\n"
	"Execution Time: 101.100 ms\n",
	"Unique"
	"  (cost=0.28..8000.30 rows=50000 width=60)"
	" (actual time=0.010..100.000 rows=20000 loops=1)\n"
	"  ->  Sort"
	"  (cost=0.28..8000.30 rows=50000 width=60)"
	" (actual time=0.010..90.000 rows=50000 loops=1)\n"
	"        Sort Key: id\n"
	"        Sort Method: quicksort  Memory: 900kB\n"
	"        ->  Seq Scan on a"
	"  (cost=0.28..800.30 rows=50000 width=60)"
	" (actual time=0.010..30.000 rows=50000 loops=1)\n"
	"Execution Time: 101.100 ms\n")

PLAN_RULE(PL038, "modify-hot-spot", INFO, modify_hot_spot,
	"Writing rows and their indexes is most of the time",
	"Each changed row changes every index of the table, unless the update is HOT.",
	"Drop indexes nobody uses; a fillfactor that leaves room; batches.",
	"Update on a"
	"  (cost=0.28..8000.30 rows=0 width=0)"
	" (actual time=100.000..100.000 rows=0 loops=1)\n"
	"  ->  Seq Scan on a"
	"  (cost=0.28..800.30 rows=50000 width=60)"
	" (actual time=0.010..9.000 rows=50000 loops=1)\n"
	"Execution Time: 101.100 ms\n",
	"Update on a"
	"  (cost=0.28..8000.30 rows=0 width=0)"
	" (actual time=100.000..100.000 rows=0 loops=1)\n"
	"  ->  Seq Scan on a"
	"  (cost=0.28..800.30 rows=50000 width=60)"
	" (actual time=0.010..90.000 rows=50000 loops=1)\n"
	"Execution Time: 101.100 ms\n")

PLAN_RULE(PL039, "foreign-scan-pull", WARNING, foreign_scan_pull,
	"Rows travel from another server to be thrown away here",
	"The condition cannot be sent to the other server.",
	"A condition the other side knows (its own functions, extensions in the "
	"server's options); use_remote_estimate.",
	"Foreign Scan on a"
	"  (cost=0.28..8000.30 rows=50 width=60)"
	" (actual time=0.010..100.000 rows=50 loops=1)\n"
	"  Filter: (lower(b) = 'x'::text)\n"
	"  Rows Removed by Filter: 90000\n"
	"Execution Time: 101.100 ms\n",
	"Foreign Scan on a"
	"  (cost=0.28..8000.30 rows=50 width=60)"
	" (actual time=0.010..100.000 rows=50 loops=1)\n"
	"  Filter: (lower(b) = 'x'::text)\n"
	"  Rows Removed by Filter: 10\n"
	"Execution Time: 101.100 ms\n")

PLAN_RULE(PL040, "stale-statistics", WARNING, stale_statistics,
	"A table's size is not what the statistics say",
	"The planner thinks of a table ten times smaller or larger.",
	"ANALYZE now; a lower autovacuum_analyze_scale_factor for this table.",
	"Hash Join"
	"  (cost=0.28..8000.30 rows=5000 width=60)"
	" (actual time=0.010..100.000 rows=5000 loops=1)\n"
	"  Hash Cond: (a.id = b.id)\n"
	"  ->  Seq Scan on a"
	"  (cost=0.28..800.30 rows=200 width=60)"
	" (actual time=0.010..30.000 rows=90000 loops=1)\n"
	"  ->  Hash"
	"  (cost=0.28..8000.30 rows=10 width=60)"
	" (actual time=0.010..0.020 rows=10 loops=1)\n"
	"        ->  Seq Scan on b"
	"  (cost=0.28..800.30 rows=10 width=60)"
	" (actual time=0.010..0.020 rows=10 loops=1)\n"
	"Execution Time: 101.100 ms\n",
	"Hash Join"
	"  (cost=0.28..8000.30 rows=5000 width=60)"
	" (actual time=0.010..100.000 rows=5000 loops=1)\n"
	"  Hash Cond: (a.id = b.id)\n"
	"  ->  Seq Scan on a"
	"  (cost=0.28..800.30 rows=80000 width=60)"
	" (actual time=0.010..30.000 rows=90000 loops=1)\n"
	"  ->  Hash"
	"  (cost=0.28..8000.30 rows=10 width=60)"
	" (actual time=0.010..0.020 rows=10 loops=1)\n"
	"        ->  Seq Scan on b"
	"  (cost=0.28..800.30 rows=10 width=60)"
	" (actual time=0.010..0.020 rows=10 loops=1)\n"
	"Execution Time: 101.100 ms\n")

PLAN_RULE(PL041, "cost-time-inversion", INFO, cost_time_inversion,
	"What the planner thought cheap takes the time",
	"A slow function with the default cost, a slow disk, or cost settings that do "
	"not fit the machine.",
	"COST in the function's definition; track_io_timing; random_page_cost.",
	"Aggregate"
	"  (cost=0.00..1010.00 rows=1 width=8)"
	" (actual time=600.000..600.000 rows=1 loops=1)\n"
	"  ->  Seq Scan on a"
	"  (cost=0.00..1000.00 rows=1000 width=8)"
	" (actual time=0.010..30.000 rows=1000 loops=1)\n"
	"Execution Time: 601.000 ms\n",
	"Aggregate"
	"  (cost=0.00..9000.00 rows=1 width=8)"
	" (actual time=600.000..600.000 rows=1 loops=1)\n"
	"  ->  Seq Scan on a"
	"  (cost=0.00..1000.00 rows=1000 width=8)"
	" (actual time=0.010..30.000 rows=1000 loops=1)\n"
	"Execution Time: 601.000 ms\n")

PLAN_RULE(PL042, "plan-flip", WARNING, NULL, "One query, two plans, one of them much slower",
	"Parameters, statistics or cache decide which plan is taken, and the choice is "
	"close.",
	"An index or statistics that make the better plan the obvious one; "
	"plan_cache_mode.",
	"", "")

PLAN_RULE(PL043, "wide-rows", WARNING, wide_rows,
	"Very wide rows are carried through a sort or hash",
	"Every column selected is copied, whether it is needed there or not.",
	"Select fewer columns; join the wide ones to the few rows that are left.",
	"Sort"
	"  (cost=0.00..9000.00 rows=100000 width=2000)"
	" (actual time=70.000..80.000 rows=100000 loops=1)\n"
	"  Sort Key: note\n"
	"  Sort Method: quicksort  Memory: 17000kB\n"
	"  ->  Seq Scan on orders"
	"  (cost=0.00..10.00 rows=100000 width=2000)"
	" (actual time=0.010..9.000 rows=100000 loops=1)\n",
	"Sort"
	"  (cost=0.00..9000.00 rows=100000 width=80)"
	" (actual time=70.000..80.000 rows=100000 loops=1)\n"
	"  Sort Key: note\n"
	"  Sort Method: quicksort  Memory: 17000kB\n"
	"  ->  Seq Scan on orders"
	"  (cost=0.00..10.00 rows=100000 width=80)"
	" (actual time=0.010..9.000 rows=100000 loops=1)\n")

PLAN_RULE(PL044, "settings-smell", INFO, settings_smell, "A planner method is switched off",
	"A switch that helped one query forbids the method to all others.",
	"Reset it; give the planner better statistics or an index instead.",
	"Seq Scan on a"
	"  (cost=0.28..800.30 rows=9000 width=60)"
	" (actual time=0.010..100.000 rows=9000 loops=1)\n"
	"Settings: enable_nestloop = 'off', work_mem = '64MB'\n"
	"Execution Time: 101.100 ms\n",
	"Seq Scan on a"
	"  (cost=0.28..800.30 rows=9000 width=60)"
	" (actual time=0.010..100.000 rows=9000 loops=1)\n"
	"Settings: work_mem = '64MB'\n"
	"Execution Time: 101.100 ms\n")
