-- Findings that came or went between the last two reports of a source.
WITH ordered AS (
	SELECT source, report_id, row_number() OVER (PARTITION BY source ORDER BY first_at DESC, stored_at DESC) AS age
	FROM pgassay.report
), last AS (
	SELECT f.* FROM pgassay.finding AS f JOIN ordered AS o USING (source, report_id) WHERE o.age = 1
), before AS (
	SELECT f.* FROM pgassay.finding AS f JOIN ordered AS o USING (source, report_id) WHERE o.age = 2
)
SELECT source, CASE WHEN before.rule IS NULL THEN 'new' ELSE 'gone' END AS change, rule,
	coalesce(last.severity, before.severity) AS severity, coalesce(last.message, before.message) AS message, shape.sql
FROM last
FULL JOIN before USING (source, rule, shape_id)
LEFT JOIN pgassay.shape USING (source, shape_id)
WHERE (last.rule IS NULL) <> (before.rule IS NULL)
ORDER BY source, change DESC, severity, rule;
