-- The twenty dearest statements of the last seven days, by hour of the day.
WITH dear AS (
	SELECT source, shape_id, sum(total_ms) AS total_ms
	FROM pgassay.shape_hour
	WHERE hour >= (SELECT max(hour) FROM pgassay.shape_hour) - interval '7 days'
	GROUP BY source, shape_id
	ORDER BY total_ms DESC
	LIMIT 20
)
SELECT h.source, shape.sql, extract(hour FROM h.hour AT TIME ZONE 'UTC') AS hour_of_day, sum(h.calls) AS calls,
	round(sum(h.total_ms)::numeric) AS total_ms, round(max(h.max_ms)::numeric, 3) AS max_ms
FROM dear
JOIN pgassay.shape_hour AS h ON h.source = dear.source AND h.shape_id = dear.shape_id
JOIN pgassay.shape ON shape.source = h.source AND shape.shape_id = h.shape_id
GROUP BY h.source, shape.sql, hour_of_day, dear.total_ms
ORDER BY dear.total_ms DESC, shape.sql, hour_of_day;
