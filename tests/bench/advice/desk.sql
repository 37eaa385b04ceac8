-- A help desk that sells licences: fifteen tables with skew, NULLs, JSON, arrays, text, ranges and
-- an append-only log.  Only primary keys and unique constraints have indexes.
SET TIME ZONE UTC;
SELECT setseed(0.42) \g /dev/null
CREATE TABLE org (id int PRIMARY KEY, name text NOT NULL, plan text NOT NULL, country char(2) NOT NULL,
	created_at timestamptz NOT NULL);
CREATE TABLE person (id int PRIMARY KEY, org_id int NOT NULL REFERENCES org, email text NOT NULL,
	name text NOT NULL, role text NOT NULL, is_active bool NOT NULL, deleted_at timestamptz,
	last_seen_at timestamptz, created_at timestamptz NOT NULL);
CREATE TABLE device (id int PRIMARY KEY, person_id int NOT NULL REFERENCES person, kind text NOT NULL,
	serial text NOT NULL UNIQUE, retired bool NOT NULL);
CREATE TABLE ticket (id int PRIMARY KEY, org_id int NOT NULL REFERENCES org,
	author_id int NOT NULL REFERENCES person, assignee_id int REFERENCES person, status text NOT NULL,
	priority smallint NOT NULL, subject text NOT NULL, tags text[] NOT NULL, due_on date,
	opened_at timestamptz NOT NULL, closed_at timestamptz);
CREATE TABLE comment (id int PRIMARY KEY, ticket_id int NOT NULL REFERENCES ticket,
	author_id int NOT NULL, body text NOT NULL, is_internal bool NOT NULL, created_at timestamptz NOT NULL);
CREATE TABLE attachment (id int PRIMARY KEY, comment_id int NOT NULL REFERENCES comment, sha text NOT NULL,
	bytes bigint NOT NULL);
CREATE TABLE product (id int PRIMARY KEY, sku text NOT NULL UNIQUE, category_id int NOT NULL, name text NOT NULL,
	price numeric(10,2) NOT NULL, attributes jsonb NOT NULL);
CREATE TABLE category (id int PRIMARY KEY, parent_id int, name text NOT NULL);
CREATE TABLE sale (id int PRIMARY KEY, org_id int NOT NULL REFERENCES org, buyer_id int NOT NULL,
	status text NOT NULL, total numeric(12,2) NOT NULL, coupon text, placed_at timestamptz NOT NULL,
	paid_at timestamptz);
CREATE TABLE sale_line (sale_id int NOT NULL REFERENCES sale, line int NOT NULL, product_id int NOT NULL,
	quantity int NOT NULL, price numeric(10,2) NOT NULL, PRIMARY KEY (sale_id, line));
CREATE TABLE payment (id int PRIMARY KEY, sale_id int NOT NULL REFERENCES sale, method text NOT NULL,
	state text NOT NULL, amount numeric(12,2) NOT NULL, created_at timestamptz NOT NULL);
CREATE TABLE activity (id bigint PRIMARY KEY, org_id int NOT NULL, person_id int NOT NULL, verb text NOT NULL,
	payload jsonb NOT NULL, at timestamptz NOT NULL);
CREATE TABLE booking (id int PRIMARY KEY, room_id int NOT NULL, during tstzrange NOT NULL, person_id int NOT NULL);
CREATE TABLE article (id int PRIMARY KEY, title text NOT NULL, body text NOT NULL, words tsvector NOT NULL,
	published_at timestamptz);
CREATE TABLE job (id int PRIMARY KEY, queue text NOT NULL, state text NOT NULL, priority int NOT NULL,
	run_at timestamptz NOT NULL, attempts int NOT NULL);

INSERT INTO org SELECT i, 'org ' || i, (ARRAY['free','free','free','team','pro'])[1 + i % 5],
	(ARRAY['DE','FR','US','GB','PL','IT','ES'])[1 + i % 7], timestamptz '2020-01-01' + i * interval '1 day'
	FROM generate_series(1, 2000) i;
INSERT INTO person SELECT i, 1 + floor(2000 * power(random(), 2))::int, 'User' || i || '@Example' || i % 97 || '.com',
	(ARRAY['Anna','Bert','Chloe','Dirk','Eva','Finn','Greta','Hugo'])[1 + i % 8] || ' ' || md5(i::text),
	CASE WHEN i % 50 = 0 THEN 'admin' WHEN i % 10 = 0 THEN 'agent' ELSE 'user' END, i % 9 <> 0,
	CASE WHEN i % 25 = 0 THEN timestamptz '2024-01-01' + i * interval '1 minute' END,
	CASE WHEN i % 3 <> 0 THEN timestamptz '2024-06-01' - random() * interval '400 days' END,
	timestamptz '2020-01-01' + i * interval '20 minutes'
	FROM generate_series(1, 100000) i;
INSERT INTO device SELECT i, 1 + floor(100000 * random())::int, (ARRAY['laptop','phone','tablet'])[1 + i % 3],
	'SN' || lpad(i::text, 9, '0'), i % 20 = 0 FROM generate_series(1, 120000) i;
INSERT INTO ticket SELECT i, p.org_id, p.id, CASE WHEN i % 6 <> 0 THEN 10 * (1 + floor(10000 * random())::int) END,
	CASE WHEN i > 285000 THEN (ARRAY['new','open','waiting'])[1 + i % 3] WHEN i % 100 = 0 THEN 'open' ELSE 'closed' END,
	1 + (random() * 4)::int, 'Subject ' || md5(i::text), ARRAY['tag' || i % 400, 'area' || i % 13],
	CASE WHEN i % 4 = 0 THEN date '2022-01-01' + (i / 330) END,
	timestamptz '2021-01-01' + i * interval '6 minutes', CASE WHEN i <= 285000 AND i % 100 <> 0 THEN
	timestamptz '2021-01-01' + i * interval '6 minutes' + random() * interval '20 days' END
	FROM (SELECT i, 1 + floor(100000 * power(random(), 1.5))::int AS pid FROM generate_series(1, 300000) i) x
	JOIN person p ON p.id = x.pid;
INSERT INTO comment SELECT i, 1 + floor(300000 * random())::int, 1 + floor(100000 * random())::int,
	md5(i::text) || ' ' || md5((i + 1)::text), i % 5 = 0, timestamptz '2021-01-01' + i * interval '2 minutes'
	FROM generate_series(1, 900000) i;
DELETE FROM comment c WHERE NOT EXISTS (SELECT FROM ticket t WHERE t.id = c.ticket_id);
INSERT INTO attachment SELECT i, c, md5(c::text), (random() * 1e6)::bigint
	FROM (SELECT row_number() OVER () AS i, id AS c FROM comment WHERE id % 6 = 0) x;
INSERT INTO category SELECT i, CASE WHEN i > 20 THEN 1 + i % 20 END, 'category ' || i FROM generate_series(1, 400) i;
INSERT INTO product SELECT i, 'SKU-' || lpad(i::text, 7, '0'), 1 + i % 400, 'Product ' || md5(i::text),
	(5 + random() * 500)::numeric(10,2), jsonb_build_object('color', (ARRAY['red','green','blue','black'])[1 + i % 4],
	'weight', i % 900, 'maker', 'm' || i % 250, 'flags', jsonb_build_array('f' || i % 31)) FROM generate_series(1, 40000) i;
INSERT INTO sale SELECT i, p.org_id, p.id, (ARRAY['paid','paid','paid','paid','shipped','shipped','cancelled','open'])[1 + i % 8],
	(random() * 2000)::numeric(12,2), CASE WHEN i % 40 = 0 THEN 'C' || i % 700 END,
	timestamptz '2021-06-01' + i * interval '4 minutes', CASE WHEN i % 8 < 6 THEN timestamptz '2021-06-01' + i * interval '5 minutes' END
	FROM (SELECT i, 1 + floor(100000 * random())::int AS pid FROM generate_series(1, 300000) i) x JOIN person p ON p.id = x.pid;
INSERT INTO sale_line SELECT s.id, l, 1 + floor(40000 * power(random(), 2))::int, 1 + (random() * 5)::int, (random() * 300)::numeric(10,2)
	FROM sale s, generate_series(1, 1 + s.id % 5) l;
INSERT INTO payment SELECT row_number() OVER (), id, (ARRAY['card','card','sepa','wire'])[1 + id % 4],
	CASE WHEN id % 97 = 0 THEN 'failed' ELSE 'ok' END, total, placed_at + interval '3 minutes' FROM sale WHERE id % 10 <> 0;
INSERT INTO activity SELECT i, 1 + floor(2000 * power(random(), 3))::int, 1 + floor(100000 * random())::int,
	(ARRAY['view','view','view','view','edit','edit','login','export'])[1 + i % 8],
	jsonb_build_object('ip', '10.0.' || i % 256 || '.' || i % 251, 'ms', i % 5000, 'ref', 't' || i % 60000),
	timestamptz '2023-01-01' + i * interval '25 seconds' FROM generate_series(1, 1200000) i;
INSERT INTO booking SELECT i, 1 + i % 60, tstzrange(timestamptz '2022-01-01' + (i / 60) * interval '50 minutes',
	timestamptz '2022-01-01' + (i / 60) * interval '50 minutes' + interval '45 minutes'), 1 + i % 100000
	FROM generate_series(1, 200000) i;
INSERT INTO article SELECT i, 'How to ' || md5(i::text), b, to_tsvector('english', b), CASE WHEN i % 3 <> 0 THEN
	timestamptz '2021-01-01' + i * interval '1 hour' END FROM (SELECT i, (SELECT string_agg('word' || (i::bigint * k * 7919 % 20011), ' ')
	FROM generate_series(1, 40) k) AS b FROM generate_series(1, 40000) i) x;
INSERT INTO job SELECT i, 'q' || i % 12, CASE WHEN i > 397000 THEN 'ready' WHEN i % 500 = 0 THEN 'failed' ELSE 'done' END,
	i % 7, timestamptz '2023-06-01' + i * interval '1 minute', i % 4 FROM generate_series(1, 400000) i;
VACUUM ANALYZE;
