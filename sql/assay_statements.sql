-- pg_stat_statements of any version: its columns were renamed in 13.
SELECT s.query, s.calls, s.rows,
	coalesce(j ->> 'total_exec_time', j ->> 'total_time')::float8 AS total_ms,
	coalesce(j ->> 'min_exec_time', j ->> 'min_time', '0')::float8 AS min_ms,
	coalesce(j ->> 'max_exec_time', j ->> 'max_time', '0')::float8 AS max_ms,
	coalesce(j ->> 'stddev_exec_time', j ->> 'stddev_time', '0')::float8 AS stddev_ms,
	coalesce(j ->> 'total_plan_time', '0')::float8 AS plan_ms
FROM pg_stat_statements s
CROSS JOIN LATERAL pg_catalog.to_jsonb(s) AS j
WHERE s.calls > 0 AND s.dbid = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())
ORDER BY total_ms DESC, s.query
