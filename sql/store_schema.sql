-- The tables that `pgassay log … --store DSN` and `pgassay merge … --store DSN` write reports into.
-- Made by the first --store when they are missing; may be run again.
--
-- `source` says whose log it was (--store-as, else the host's name).  It is part of every key, so
-- that all tables can be distributed by it: see store_citus.sql.
CREATE SCHEMA IF NOT EXISTS pgassay;

CREATE TABLE IF NOT EXISTS pgassay.report (
	source text NOT NULL,
	report_id uuid NOT NULL, -- of what the report says: the same report is stored once
	stored_at timestamptz NOT NULL DEFAULT now(),
	tool text NOT NULL,
	first_at timestamptz, -- of the log's statements
	last_at timestamptz,
	bytes bigint NOT NULL,
	not_understood_bytes bigint NOT NULL,
	statements bigint NOT NULL,
	without_duration bigint NOT NULL,
	files jsonb NOT NULL,
	notes jsonb NOT NULL,
	server jsonb NOT NULL, -- counters: connections, checkpoints, temp_bytes, deadlocks, …
	transactions jsonb NOT NULL,
	PRIMARY KEY (source, report_id)
);
CREATE INDEX IF NOT EXISTS report_source_first_at ON pgassay.report (source, first_at);

CREATE TABLE IF NOT EXISTS pgassay.shape ( -- a statement's text, once for each source
	source text NOT NULL,
	shape_id char(16) NOT NULL,
	verb text NOT NULL,
	sql text NOT NULL,
	PRIMARY KEY (source, shape_id)
);

CREATE TABLE IF NOT EXISTS pgassay.shape_stat (
	source text NOT NULL,
	report_id uuid NOT NULL,
	shape_id char(16) NOT NULL,
	calls bigint NOT NULL,
	total_ms float8,
	mean_ms float8,
	stddev_ms float8,
	min_ms float8,
	p50_ms float8,
	p90_ms float8,
	p95_ms float8,
	p99_ms float8,
	p999_ms float8,
	max_ms float8,
	planning_ms float8,
	rows bigint,
	errors bigint NOT NULL,
	cancels bigint NOT NULL,
	temp_files bigint NOT NULL,
	temp_bytes bigint NOT NULL,
	lock_waits bigint NOT NULL,
	lock_ms float8 NOT NULL,
	sketch bigint[] NOT NULL, -- bucket, count, …: quantiles of any sum of reports
	samples jsonb NOT NULL,
	PRIMARY KEY (source, report_id, shape_id),
	FOREIGN KEY (source, report_id) REFERENCES pgassay.report (source, report_id) ON DELETE CASCADE
);
CREATE INDEX IF NOT EXISTS shape_stat_shape ON pgassay.shape_stat (source, shape_id);

CREATE TABLE IF NOT EXISTS pgassay.shape_hour (
	source text NOT NULL,
	report_id uuid NOT NULL,
	shape_id char(16) NOT NULL,
	hour timestamptz NOT NULL,
	calls bigint NOT NULL,
	total_ms float8 NOT NULL,
	max_ms float8 NOT NULL,
	PRIMARY KEY (source, report_id, shape_id, hour),
	FOREIGN KEY (source, report_id) REFERENCES pgassay.report (source, report_id) ON DELETE CASCADE
);

CREATE TABLE IF NOT EXISTS pgassay.group_stat ( -- by user, database, application, host, hour
	source text NOT NULL,
	report_id uuid NOT NULL,
	kind text NOT NULL,
	name text NOT NULL,
	calls bigint NOT NULL,
	total_ms float8,
	mean_ms float8,
	p50_ms float8,
	p95_ms float8,
	p99_ms float8,
	max_ms float8,
	errors bigint NOT NULL,
	sessions bigint NOT NULL,
	PRIMARY KEY (source, report_id, kind, name),
	FOREIGN KEY (source, report_id) REFERENCES pgassay.report (source, report_id) ON DELETE CASCADE
);

CREATE TABLE IF NOT EXISTS pgassay.finding (
	source text NOT NULL,
	report_id uuid NOT NULL,
	finding_no int NOT NULL,
	rule text NOT NULL,
	name text NOT NULL,
	severity text NOT NULL,
	confidence text NOT NULL,
	message text NOT NULL,
	shape_id char(16),
	count bigint NOT NULL,
	evidence jsonb NOT NULL,
	fix jsonb NOT NULL,
	PRIMARY KEY (source, report_id, finding_no),
	FOREIGN KEY (source, report_id) REFERENCES pgassay.report (source, report_id) ON DELETE CASCADE
);

CREATE TABLE IF NOT EXISTS pgassay.error (
	source text NOT NULL,
	report_id uuid NOT NULL,
	error_no int NOT NULL,
	sqlstate char(5),
	severity text NOT NULL,
	message text NOT NULL,
	shape_id char(16),
	count bigint NOT NULL,
	PRIMARY KEY (source, report_id, error_no),
	FOREIGN KEY (source, report_id) REFERENCES pgassay.report (source, report_id) ON DELETE CASCADE
);

CREATE TABLE IF NOT EXISTS pgassay.minute (
	source text NOT NULL,
	report_id uuid NOT NULL,
	minute timestamptz NOT NULL,
	calls bigint NOT NULL,
	total_ms float8 NOT NULL,
	reads bigint NOT NULL,
	writes bigint NOT NULL,
	errors bigint NOT NULL,
	connections bigint NOT NULL,
	temp_bytes bigint NOT NULL,
	lock_ms float8 NOT NULL,
	PRIMARY KEY (source, report_id, minute),
	FOREIGN KEY (source, report_id) REFERENCES pgassay.report (source, report_id) ON DELETE CASCADE
);

CREATE TABLE IF NOT EXISTS pgassay.lock_wait (
	source text NOT NULL,
	report_id uuid NOT NULL,
	wait_no int NOT NULL,
	waiter char(16), -- shapes
	holder char(16),
	waits bigint NOT NULL,
	total_ms float8 NOT NULL,
	deadlocks bigint NOT NULL,
	PRIMARY KEY (source, report_id, wait_no),
	FOREIGN KEY (source, report_id) REFERENCES pgassay.report (source, report_id) ON DELETE CASCADE
);
