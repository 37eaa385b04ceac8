-- $1 source, $2 the JSON report.  No row: it was stored before.
INSERT INTO pgassay.report (source, report_id, tool, first_at, last_at, bytes, not_understood_bytes, statements,
	without_duration, files, notes, server, transactions)
SELECT $1, md5($2::text)::uuid, r ->> 'tool',
	(r #>> '{input,first}')::timestamp AT TIME ZONE 'UTC', (r #>> '{input,last}')::timestamp AT TIME ZONE 'UTC',
	(r #>> '{input,bytes}')::bigint, (r #>> '{input,not_understood_bytes}')::bigint,
	(r #>> '{input,statements}')::bigint, (r #>> '{input,without_duration}')::bigint,
	r #> '{input,files}', r -> 'notes', r -> 'server', r -> 'transactions'
FROM (SELECT $2::text::jsonb AS r) AS x
ON CONFLICT (source, report_id) DO NOTHING
RETURNING report_id
