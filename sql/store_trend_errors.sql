-- Errors by SQLSTATE, report after report.
SELECT r.source, r.first_at, e.sqlstate, sum(e.count) AS errors, r.statements,
	round(1e6 * sum(e.count) / nullif(r.statements, 0), 1) AS per_million
FROM pgassay.report AS r
JOIN pgassay.error AS e ON e.source = r.source AND e.report_id = r.report_id
GROUP BY r.source, r.report_id, r.first_at, e.sqlstate, r.statements
ORDER BY r.source, r.first_at, errors DESC;
