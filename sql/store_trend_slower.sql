-- Statements whose mean time grew most from the report before the last one to the last one.
WITH ordered AS (
	SELECT source, report_id, row_number() OVER (PARTITION BY source ORDER BY first_at DESC, stored_at DESC) AS age
	FROM pgassay.report
)
SELECT now_.source, shape.sql, before.calls AS calls_before, now_.calls AS calls_now,
	round(before.mean_ms::numeric, 3) AS mean_ms_before, round(now_.mean_ms::numeric, 3) AS mean_ms_now,
	round((now_.mean_ms / nullif(before.mean_ms, 0))::numeric, 2) AS times,
	round(((now_.mean_ms - before.mean_ms) * now_.calls)::numeric) AS more_ms
FROM ordered AS a
JOIN ordered AS b ON b.source = a.source AND b.age = 2
JOIN pgassay.shape_stat AS now_ ON now_.source = a.source AND now_.report_id = a.report_id
JOIN pgassay.shape_stat AS before ON before.source = b.source AND before.report_id = b.report_id
	AND before.shape_id = now_.shape_id
JOIN pgassay.shape ON shape.source = now_.source AND shape.shape_id = now_.shape_id
WHERE a.age = 1 AND now_.mean_ms > before.mean_ms
ORDER BY more_ms DESC NULLS LAST
LIMIT 50;
