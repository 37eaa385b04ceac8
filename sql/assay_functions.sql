-- Functions that are nobody's but the database's own, and whether each call may answer otherwise.
SELECT p.proname, pg_catalog.bool_and(p.provolatile = 'v')
FROM pg_catalog.pg_proc p
JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
WHERE p.prokind = 'f' AND n.nspname NOT IN ('pg_catalog', 'information_schema')
GROUP BY p.proname
ORDER BY p.proname
