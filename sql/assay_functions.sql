-- Functions that are nobody's but the database's own, whether each call may answer otherwise, the
-- type of the answer, and the text of those that are one expression of SQL at most.
SELECT p.proname, p.provolatile = 'v', t.typname,
	CASE WHEN l.lanname = 'sql' AND NOT p.proretset THEN p.prosrc ELSE '' END
FROM pg_catalog.pg_proc p
JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
JOIN pg_catalog.pg_language l ON l.oid = p.prolang
JOIN pg_catalog.pg_type t ON t.oid = p.prorettype
WHERE p.prokind = 'f' AND n.nspname NOT IN ('pg_catalog', 'information_schema')
ORDER BY p.proname, p.oid
