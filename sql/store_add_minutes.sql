-- $1 source, $2 the JSON report.
INSERT INTO pgassay.minute (source, report_id, minute, calls, total_ms, reads, writes, errors, connections, temp_bytes, lock_ms)
SELECT $1, md5($2::text)::uuid, to_timestamp(m.minute * 60), m.calls, m.ms, m.reads, m.writes, m.errors, m.connections,
	coalesce(m.temp_bytes, 0), coalesce(m.lock_ms, 0)
FROM jsonb_to_recordset($2::text::jsonb -> 'minutes') AS m (minute bigint, calls bigint, ms float8, reads bigint, writes bigint,
	errors bigint, connections bigint, temp_bytes bigint, lock_ms float8)
