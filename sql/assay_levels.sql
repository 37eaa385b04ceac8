-- The isolation levels that roles, databases and the server give to transactions.
SELECT coalesce(r.rolname, ''), coalesce(d.datname, ''), pg_catalog.split_part(c.setting, '=', 2)
FROM pg_catalog.pg_db_role_setting s
CROSS JOIN LATERAL pg_catalog.unnest(s.setconfig) AS c (setting)
LEFT JOIN pg_catalog.pg_roles r ON r.oid = s.setrole
LEFT JOIN pg_catalog.pg_database d ON d.oid = s.setdatabase
WHERE pg_catalog.starts_with(c.setting, 'default_transaction_isolation=')
UNION ALL
SELECT '', '', g.setting
FROM pg_catalog.pg_settings g
WHERE g.name = 'default_transaction_isolation' AND g.source IN ('configuration file', 'command line')
