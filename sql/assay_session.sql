-- What every session of pgassay begins with: it only reads, and never waits long.
SELECT set_config('default_transaction_read_only', 'on', false),
	set_config('statement_timeout', '10s', false),
	set_config('lock_timeout', '1s', false),
	set_config('idle_in_transaction_session_timeout', '60s', false),
	set_config('plan_cache_mode', 'force_generic_plan', false)
