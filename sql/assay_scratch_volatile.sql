-- Is there a function of this name that may do what a ROLLBACK does not undo?  Those that only look
-- at clocks, draw lots or count on are known.
SELECT 1
FROM pg_catalog.pg_proc p
JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
WHERE p.proname = $1 AND p.provolatile = 'v' AND NOT (n.nspname = 'pg_catalog' AND p.proname IN
	('random', 'setseed', 'clock_timestamp', 'timeofday', 'gen_random_uuid', 'nextval', 'setval', 'currval', 'lastval'))
LIMIT 1
