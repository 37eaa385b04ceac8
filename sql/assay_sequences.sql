-- How far the sequences of serial and identity columns are.
SELECT n.nspname, c.relname, a.attname, pg_catalog.pg_sequence_last_value(s.seqrelid)
FROM pg_catalog.pg_sequence s
JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = s.seqrelid
	AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.refobjsubid > 0 AND d.deptype IN ('a', 'i')
JOIN pg_catalog.pg_class c ON c.oid = d.refobjid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum = d.refobjsubid
WHERE pg_catalog.has_sequence_privilege(s.seqrelid, 'USAGE, SELECT')
