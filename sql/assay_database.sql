-- The server's version, the database's collation, the extensions it has, the age of statistics.
SELECT pg_catalog.current_setting('server_version_num'), d.datcollate,
	coalesce((SELECT pg_catalog.string_agg(e.extname, ' ' ORDER BY e.extname) FROM pg_catalog.pg_extension e), ''),
	coalesce(extract(day FROM now() - (SELECT s.stats_reset FROM pg_catalog.pg_stat_database s WHERE s.datid = d.oid)), -1)::int AS stats_days
FROM pg_catalog.pg_database d
WHERE d.datname = pg_catalog.current_database()
