-- Statements that only the last report of a source has.
WITH last AS (
	SELECT DISTINCT ON (source) source, report_id FROM pgassay.report ORDER BY source, first_at DESC, stored_at DESC
)
SELECT s.source, shape.sql, s.calls, round(s.total_ms::numeric) AS total_ms, round(s.p95_ms::numeric, 3) AS p95_ms
FROM last
JOIN pgassay.shape_stat AS s ON s.source = last.source AND s.report_id = last.report_id
JOIN pgassay.shape ON shape.source = s.source AND shape.shape_id = s.shape_id
WHERE NOT EXISTS (
	SELECT FROM pgassay.shape_stat AS other
	WHERE other.source = s.source AND other.shape_id = s.shape_id AND other.report_id <> s.report_id)
	AND EXISTS (SELECT FROM pgassay.report AS r WHERE r.source = s.source AND r.report_id <> s.report_id)
ORDER BY s.total_ms DESC NULLS LAST
LIMIT 50;
