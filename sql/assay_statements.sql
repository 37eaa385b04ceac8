-- What pg_stat_statements counted in this database: calls, time, text.
SELECT s.calls, s.total_exec_time, s.query
FROM pg_stat_statements s
JOIN pg_catalog.pg_database d ON d.oid = s.dbid
WHERE d.datname = pg_catalog.current_database()
ORDER BY s.total_exec_time DESC, s.queryid
LIMIT 1000
