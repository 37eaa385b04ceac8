/* SPDX-License-Identifier: ISC
 *
 * The plans that show the rules about the plan as a whole (plan_rule_whole.c).
 */
#include "plan_example.h"

PLAN_EXAMPLE(PL025,
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

PLAN_EXAMPLE(PL026,
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

PLAN_EXAMPLE(PL027,
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

PLAN_EXAMPLE(PL028,
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

PLAN_EXAMPLE(PL029,
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

PLAN_EXAMPLE(PL031,
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

PLAN_EXAMPLE(PL033,
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

PLAN_EXAMPLE(PL038,
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

PLAN_EXAMPLE(PL041,
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

PLAN_EXAMPLE(PL042, "", "")

PLAN_EXAMPLE(PL044,
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
