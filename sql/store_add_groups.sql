-- $1 source, $2 the JSON report.
INSERT INTO pgassay.group_stat (source, report_id, kind, name, calls, total_ms, mean_ms, p50_ms, p95_ms, p99_ms, max_ms,
	errors, sessions)
SELECT $1, md5($2::text)::uuid, k.key, g.name, g.calls, g.total_ms, g.mean_ms, g.p50_ms, g.p95_ms, g.p99_ms, g.max_ms,
	coalesce(g.errors, 0), coalesce(g.sessions, 0)
FROM jsonb_each($2::text::jsonb -> 'by') AS k
CROSS JOIN LATERAL jsonb_to_recordset(k.value) AS g (name text, calls bigint, total_ms float8, mean_ms float8,
	p50_ms float8, p95_ms float8, p99_ms float8, max_ms float8, errors bigint, sessions bigint)
ON CONFLICT (source, report_id, kind, name) DO NOTHING
