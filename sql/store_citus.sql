-- With Citus: spreads the tables of store_schema.sql over the workers, the reports of one source
-- together, so that every query of one source runs on one worker.  Run once, before the first
-- report or after; the order follows the foreign keys.
SELECT create_distributed_table('pgassay.report', 'source');
SELECT create_distributed_table('pgassay.shape', 'source', colocate_with => 'pgassay.report');
SELECT create_distributed_table('pgassay.shape_stat', 'source', colocate_with => 'pgassay.report');
SELECT create_distributed_table('pgassay.shape_hour', 'source', colocate_with => 'pgassay.report');
SELECT create_distributed_table('pgassay.group_stat', 'source', colocate_with => 'pgassay.report');
SELECT create_distributed_table('pgassay.finding', 'source', colocate_with => 'pgassay.report');
SELECT create_distributed_table('pgassay.error', 'source', colocate_with => 'pgassay.report');
SELECT create_distributed_table('pgassay.minute', 'source', colocate_with => 'pgassay.report');
SELECT create_distributed_table('pgassay.lock_wait', 'source', colocate_with => 'pgassay.report');
