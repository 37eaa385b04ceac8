-- Load by day and source: statements, time in them, errors, lock waits, temporary files.
SELECT source, date_trunc('day', minute) AS day, sum(calls) AS calls, round(sum(total_ms)::numeric / 1000, 1) AS seconds,
	round((sum(total_ms) / nullif(sum(calls), 0))::numeric, 3) AS mean_ms, sum(errors) AS errors,
	sum(connections) AS connections, round(sum(lock_ms)::numeric / 1000, 1) AS lock_seconds, sum(temp_bytes) AS temp_bytes
FROM pgassay.minute
GROUP BY source, day
ORDER BY source, day;
