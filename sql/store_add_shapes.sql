-- $1 source, $2 the JSON report: texts that are not there yet.
INSERT INTO pgassay.shape (source, shape_id, verb, sql)
SELECT $1, s ->> 'id', s ->> 'verb', s ->> 'sql'
FROM jsonb_array_elements($2::text::jsonb -> 'shapes') AS s
ON CONFLICT (source, shape_id) DO NOTHING
