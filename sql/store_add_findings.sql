-- $1 source, $2 the JSON report.
INSERT INTO pgassay.finding (source, report_id, finding_no, rule, name, severity, confidence, message, shape_id, count,
	evidence, fix)
SELECT $1, md5($2::text)::uuid, n, f ->> 'rule', f ->> 'name', f ->> 'severity', f ->> 'confidence', f ->> 'message',
	f ->> 'shape', (f ->> 'count')::bigint, coalesce(f -> 'evidence', '{}'), f -> 'fix'
FROM jsonb_array_elements($2::text::jsonb -> 'findings') WITH ORDINALITY AS x (f, n)
