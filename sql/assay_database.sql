-- The server's version, the database's collation, the extensions it has.
SELECT pg_catalog.current_setting('server_version_num'), d.datcollate,
	coalesce((SELECT pg_catalog.string_agg(e.extname, ' ' ORDER BY e.extname) FROM pg_catalog.pg_extension e), '')
FROM pg_catalog.pg_database d
WHERE d.datname = pg_catalog.current_database()
