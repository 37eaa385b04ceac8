-- Functions that are nobody's but the database's own, whether each call may answer otherwise, and
-- the type of the answer where all of that name have one.
SELECT p.proname, pg_catalog.bool_and(p.provolatile = 'v'),
	CASE WHEN pg_catalog.min(t.typname::text) = pg_catalog.max(t.typname::text)
		THEN pg_catalog.min(t.typname::text) ELSE '' END
FROM pg_catalog.pg_proc p
JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
JOIN pg_catalog.pg_type t ON t.oid = p.prorettype
WHERE p.prokind = 'f' AND n.nspname NOT IN ('pg_catalog', 'information_schema')
GROUP BY p.proname
ORDER BY p.proname
