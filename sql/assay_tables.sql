-- Tables and views with their columns, in the order of the columns; statistics where the role
-- may see them.
SELECT n.nspname, c.relname, c.relkind, c.relpersistence, c.reltuples,
	CASE WHEN c.relkind IN ('r', 'm') THEN pg_catalog.pg_relation_size(c.oid) ELSE -1 END AS bytes,
	a.attname, coalesce(b.typname, t.typname), a.attnotnull OR t.typnotnull,
	coalesce(CASE WHEN a.attcollation <> coalesce(b.typcollation, t.typcollation) THEN l.collname END, '') AS collation,
	coalesce(s.n_distinct, 0) AS n_distinct, coalesce(s.null_frac, 0) AS null_frac,
	coalesce(s.correlation, 0) AS correlation, coalesce(s.avg_width, 0) AS width,
	CASE WHEN coalesce(b.typname, t.typname) IN ('varchar', 'bpchar')
		AND greatest(a.atttypmod, t.typtypmod) > 4
		THEN greatest(a.atttypmod, t.typtypmod) - 4 ELSE 0 END AS length,
	coalesce((SELECT p.relname FROM pg_catalog.pg_inherits i
		JOIN pg_catalog.pg_class p ON p.oid = i.inhparent AND p.relkind = 'p'
		WHERE i.inhrelid = c.oid), '') AS parent,
	CASE WHEN pg_catalog.pg_stat_get_tuples_updated(c.oid) >= 1000
		THEN pg_catalog.pg_stat_get_tuples_hot_updated(c.oid)::float8
			/ pg_catalog.pg_stat_get_tuples_updated(c.oid) ELSE -1 END AS hot_part,
	coalesce(e.elements, 0), coalesce(greatest(e.listed, e.elements / nullif(e.least, 0)), 0) AS element_kinds,
	coalesce(e.width, 0) AS element_width
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
LEFT JOIN pg_catalog.pg_type b ON t.typtype = 'd' AND b.oid = t.typbasetype
LEFT JOIN pg_catalog.pg_collation l ON l.oid = a.attcollation
LEFT JOIN pg_catalog.pg_stats s
	ON s.schemaname = n.nspname AND s.tablename = c.relname AND s.attname = a.attname
	AND NOT s.inherited
-- The elements of arrays and the words of documents: how many in one, how many different, how often the rarest.
LEFT JOIN LATERAL (SELECT l.width, l.listed, s.most_common_elem_freqs[l.listed + 1] AS least,
		coalesce(s.elem_count_histogram[pg_catalog.array_length(s.elem_count_histogram, 1)], s.avg_width / (l.width + 8)) AS elements
	FROM (SELECT avg(pg_catalog.octet_length(m.e))::float8 AS width, count(*)::int AS listed
		FROM pg_catalog.unnest(s.most_common_elems::text::text[]) AS m(e)) AS l
	WHERE s.most_common_elems IS NOT NULL) AS e ON true
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f')
	AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname NOT LIKE 'pg\_toast%'
ORDER BY n.nspname, c.relname, a.attnum
