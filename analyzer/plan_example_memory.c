/* SPDX-License-Identifier: ISC
 *
 * The plans that show the rules about memory, LIMIT and OFFSET (plan_rule_memory.c).
 */
#include "plan_example.h"

PLAN_EXAMPLE(PL006,
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

PLAN_EXAMPLE(PL007,
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

PLAN_EXAMPLE(PL008,
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

PLAN_EXAMPLE(PL014,
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

PLAN_EXAMPLE(PL015,
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

PLAN_EXAMPLE(PL016,
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

PLAN_EXAMPLE(PL034,
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

PLAN_EXAMPLE(PL037,
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

PLAN_EXAMPLE(PL043,
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
