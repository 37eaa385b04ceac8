-- Indexes, one row per key column, in order.
SELECT n.nspname, c.relname, i.relname AS index, am.amname, x.indisunique, x.indisprimary, x.indisvalid,
	EXISTS (SELECT 1 FROM pg_catalog.pg_constraint k WHERE k.conindid = i.oid AND k.contype IN ('p', 'u', 'x')) AS constr,
	pg_catalog.pg_relation_size(i.oid) AS bytes,
	coalesce(s.idx_scan, -1) AS scans,
	coalesce(pg_catalog.pg_get_expr(x.indpred, x.indrelid), '') AS pred,
	k.n > x.indnkeyatts AS included,
	coalesce(a.attname, '') AS column,
	CASE WHEN a.attname IS NULL THEN pg_catalog.pg_get_indexdef(i.oid, k.n::int, true) ELSE '' END AS expr,
	CASE WHEN k.n <= x.indnkeyatts AND NOT o.opcdefault THEN o.opcname ELSE '' END AS opclass,
	coalesce(CASE WHEN k.n <= x.indnkeyatts AND x.indcollation[k.n - 1] <> coalesce(a.attcollation, 0) AND a.attname IS NOT NULL THEN l.collname END, '') AS collation,
	coalesce(k.n <= x.indnkeyatts AND x.indoption[k.n - 1] & 1 = 1, false) AS descending,
	coalesce(k.n <= x.indnkeyatts AND x.indoption[k.n - 1] & 2 = 2, false) AS nulls_first,
	x.indisreplident AS replica
FROM pg_catalog.pg_index x
JOIN pg_catalog.pg_class i ON i.oid = x.indexrelid
JOIN pg_catalog.pg_class c ON c.oid = x.indrelid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_am am ON am.oid = i.relam
CROSS JOIN LATERAL pg_catalog.generate_series(1, x.indnatts) AS k(n)
LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum = x.indkey[k.n - 1] AND a.attnum > 0
LEFT JOIN pg_catalog.pg_opclass o ON k.n <= x.indnkeyatts AND o.oid = x.indclass[k.n - 1]
LEFT JOIN pg_catalog.pg_collation l ON k.n <= x.indnkeyatts AND l.oid = x.indcollation[k.n - 1]
LEFT JOIN pg_catalog.pg_stat_user_indexes s ON s.indexrelid = i.oid
WHERE n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname NOT LIKE 'pg\_toast%'
ORDER BY n.nspname, c.relname, i.relname, k.n
