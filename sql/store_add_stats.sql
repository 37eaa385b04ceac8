-- $1 source, $2 the JSON report.
INSERT INTO pgassay.shape_stat (source, report_id, shape_id, calls, total_ms, mean_ms, stddev_ms, min_ms, p50_ms, p90_ms,
	p95_ms, p99_ms, p999_ms, max_ms, planning_ms, rows, errors, cancels, temp_files, temp_bytes, lock_waits, lock_ms,
	sketch, samples)
SELECT $1, md5($2::text)::uuid, s.id, s.calls, s.total_ms, s.mean_ms, s.stddev_ms, s.min_ms, s.p50_ms, s.p90_ms,
	s.p95_ms, s.p99_ms, s.p999_ms, s.max_ms, s.planning_ms, s.rows, coalesce(s.errors, 0), coalesce(s.cancels, 0),
	coalesce(s.temp_files, 0), coalesce(s.temp_bytes, 0), coalesce(s.lock_waits, 0), coalesce(s.lock_ms, 0),
	s.sketch, s.samples
FROM jsonb_to_recordset($2::text::jsonb -> 'shapes') AS s (id text, calls bigint, total_ms float8, mean_ms float8,
	stddev_ms float8, min_ms float8, p50_ms float8, p90_ms float8, p95_ms float8, p99_ms float8, p999_ms float8,
	max_ms float8, planning_ms float8, rows bigint, errors bigint, cancels bigint, temp_files bigint, temp_bytes bigint,
	lock_waits bigint, lock_ms float8, sketch bigint[], samples jsonb)
