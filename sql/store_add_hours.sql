-- $1 source, $2 the JSON report.
INSERT INTO pgassay.shape_hour (source, report_id, shape_id, hour, calls, total_ms, max_ms)
SELECT $1, md5($2::text)::uuid, s ->> 'id', to_timestamp((h ->> 'hour')::bigint * 3600), (h ->> 'calls')::bigint,
	(h ->> 'ms')::float8, (h ->> 'max_ms')::float8
FROM jsonb_array_elements($2::text::jsonb -> 'shapes') AS s
CROSS JOIN LATERAL jsonb_array_elements(s -> 'hours') AS h
