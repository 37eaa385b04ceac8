-- What every session of pgassay begins with: it only reads, and never waits long; who has set a
-- shorter time keeps it.  auto_explain logs the plan of an EXPLAIN, too, and fails on an index that
-- HypoPG made up: a superuser may turn it off.
SELECT pg_catalog.set_config('default_transaction_read_only', 'on', false),
	(SELECT pg_catalog.set_config(s.name,
			CASE WHEN s.setting::int BETWEEN 1 AND w.most THEN s.setting ELSE w.most::text END, false)
		FROM pg_catalog.pg_settings s WHERE s.name = w.name)
FROM (VALUES ('statement_timeout', 10000), ('lock_timeout', 1000),
	('idle_in_transaction_session_timeout', 60000)) AS w(name, most)
UNION ALL
SELECT pg_catalog.set_config('plan_cache_mode', 'force_generic_plan', false), NULL
UNION ALL
SELECT pg_catalog.set_config(name, '-1', false), NULL FROM pg_catalog.pg_settings
WHERE name = 'auto_explain.log_min_duration' AND setting <> '-1'
	AND pg_catalog.current_setting('is_superuser') = 'on'
