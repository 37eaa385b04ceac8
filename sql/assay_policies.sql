-- Policies of row security that restrict what is read.
SELECT p.polname, c.relname, pg_catalog.pg_get_expr(p.polqual, p.polrelid)
FROM pg_catalog.pg_policy p
JOIN pg_catalog.pg_class c ON c.oid = p.polrelid
WHERE p.polqual IS NOT NULL
ORDER BY c.relname, p.polname
