-- What state does this session hold?  One row each: kind, name, value.
--   s  a parameter that was set in the session (not by the server's or role's defaults)
--   b  the same with a value too big to be carried along (session_audit.c: 16 kB)
--   p  a statement prepared by SQL    l  a channel listened to    a  an advisory lock
--   t  something temporary            h  a cursor WITH HOLD
-- A search_path that begins with pg_temp makes everything that is created temporary: it stays here.
SELECT CASE WHEN name = 'search_path' AND
      pg_catalog.strpos(pg_catalog.ltrim(pg_catalog.lower(setting), ' "'), 'pg_temp') = 1 THEN 't'
    WHEN pg_catalog.octet_length(setting) > 16384 THEN 'b' ELSE 's' END, name::text,
  CASE WHEN pg_catalog.octet_length(setting) > 16384 THEN '' ELSE setting END
  FROM pg_catalog.pg_settings WHERE source = 'session'
-- which pg_settings does not show
UNION ALL SELECT 's', 'role', r FROM pg_catalog.current_setting('role') AS r WHERE r <> 'none'
UNION ALL SELECT 'p', name, '' FROM pg_catalog.pg_prepared_statements WHERE from_sql
UNION ALL SELECT 'l', c, '' FROM pg_catalog.pg_listening_channels() AS c
UNION ALL SELECT 'a', '', '' FROM pg_catalog.pg_locks
  WHERE locktype = 'advisory' AND pid = pg_catalog.pg_backend_pid()
UNION ALL SELECT 't', relname::text, '' FROM pg_catalog.pg_class
  WHERE relnamespace = pg_catalog.pg_my_temp_schema() AND relkind IN ('r', 'S', 'v', 'p', 'm', 'c')
UNION ALL SELECT 't', proname::text, '' FROM pg_catalog.pg_proc
  WHERE pronamespace = pg_catalog.pg_my_temp_schema()
UNION ALL SELECT 't', typname::text, '' FROM pg_catalog.pg_type
  WHERE typnamespace = pg_catalog.pg_my_temp_schema() AND typtype IN ('d', 'e', 'r')
UNION ALL SELECT 'h', name, '' FROM pg_catalog.pg_cursors WHERE is_holdable
