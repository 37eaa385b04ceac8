-- $1 source, $2 the JSON report.
INSERT INTO pgassay.error (source, report_id, error_no, sqlstate, severity, message, shape_id, count)
SELECT $1, md5($2::text)::uuid, n, e ->> 'sqlstate', e ->> 'severity', e ->> 'message', e ->> 'shape', (e ->> 'count')::bigint
FROM jsonb_array_elements($2::text::jsonb -> 'errors') WITH ORDINALITY AS x (e, n)
