-- $1 source, $2 the JSON report.
INSERT INTO pgassay.lock_wait (source, report_id, wait_no, waiter, holder, waits, total_ms, deadlocks)
SELECT $1, md5($2::text)::uuid, n, w ->> 'waiter', w ->> 'holder', (w ->> 'waits')::bigint, (w ->> 'ms')::float8,
	(w ->> 'deadlocks')::bigint
FROM jsonb_array_elements($2::text::jsonb -> 'waits') WITH ORDINALITY AS x (w, n)
