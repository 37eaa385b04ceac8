-- TPC-H's tables with data of its distributions, made by SQL: psql -v sf=0.1 -f tpch.sql.
-- Primary keys only.
SET TIME ZONE UTC;
SELECT setseed(0.1) \g /dev/null
CREATE TABLE region (r_regionkey int PRIMARY KEY, r_name char(25), r_comment text);
CREATE TABLE nation (n_nationkey int PRIMARY KEY, n_name char(25), n_regionkey int, n_comment text);
CREATE TABLE supplier (s_suppkey int PRIMARY KEY, s_name char(25), s_address text, s_nationkey int,
	s_phone char(15), s_acctbal numeric(15,2), s_comment text);
CREATE TABLE part (p_partkey int PRIMARY KEY, p_name text, p_mfgr char(25), p_brand char(10), p_type text,
	p_size int, p_container char(10), p_retailprice numeric(15,2), p_comment text);
CREATE TABLE partsupp (ps_partkey int, ps_suppkey int, ps_availqty int, ps_supplycost numeric(15,2),
	ps_comment text, PRIMARY KEY (ps_partkey, ps_suppkey));
CREATE TABLE customer (c_custkey int PRIMARY KEY, c_name text, c_address text, c_nationkey int,
	c_phone char(15), c_acctbal numeric(15,2), c_mktsegment char(10), c_comment text);
CREATE TABLE orders (o_orderkey int PRIMARY KEY, o_custkey int, o_orderstatus char(1), o_totalprice numeric(15,2),
	o_orderdate date, o_orderpriority char(15), o_clerk char(15), o_shippriority int, o_comment text);
CREATE TABLE lineitem (l_orderkey int, l_partkey int, l_suppkey int, l_linenumber int, l_quantity numeric(15,2),
	l_extendedprice numeric(15,2), l_discount numeric(15,2), l_tax numeric(15,2), l_returnflag char(1),
	l_linestatus char(1), l_shipdate date, l_commitdate date, l_receiptdate date, l_shipinstruct char(25),
	l_shipmode char(10), l_comment text, PRIMARY KEY (l_orderkey, l_linenumber));
CREATE FUNCTION pick(list text[]) RETURNS text VOLATILE LANGUAGE sql AS
	'SELECT list[1 + floor(random() * array_length(list, 1))::int]';
CREATE FUNCTION upto(n float8) RETURNS int VOLATILE LANGUAGE sql AS 'SELECT 1 + floor(random() * n)::int';

INSERT INTO region SELECT i - 1, (ARRAY['AFRICA','AMERICA','ASIA','EUROPE','MIDDLE EAST'])[i], '' FROM generate_series(1, 5) i;
INSERT INTO nation SELECT i - 1, n, r, '' FROM unnest(
	ARRAY['ALGERIA','ARGENTINA','BRAZIL','CANADA','EGYPT','ETHIOPIA','FRANCE','GERMANY','INDIA','INDONESIA','IRAN','IRAQ','JAPAN','JORDAN','KENYA','MOROCCO','MOZAMBIQUE','PERU','CHINA','ROMANIA','SAUDI ARABIA','VIETNAM','RUSSIA','UNITED KINGDOM','UNITED STATES'],
	ARRAY[0,1,1,1,4,0,3,3,2,2,4,4,2,4,0,0,0,1,2,3,4,2,3,3,1]) WITH ORDINALITY AS x(n, r, i);
INSERT INTO supplier SELECT i, 'Supplier#' || lpad(i::text, 9, '0'), md5(i::text), upto(25) - 1,
	(10 + i % 25) || '-555-' || i % 10000, (random() * 10999 - 999)::numeric(15,2),
	CASE WHEN i % 500 = 0 THEN 'x Customer y Complaints z' ELSE md5(i::text) END FROM generate_series(1, (10000 * :sf)::int) i;
INSERT INTO part SELECT i, pick(ARRAY['almond','forest','green','ivory','navy','plum','rose','sky']) || ' ' ||
	pick(ARRAY['antique','blue','lace','lemon','metallic','misty','pale','red']) || ' ' || i, 'Manufacturer#' || 1 + i % 5,
	'Brand#' || 1 + i % 5 || upto(5), pick(ARRAY['STANDARD','SMALL','MEDIUM','LARGE','ECONOMY','PROMO']) || ' ' ||
	pick(ARRAY['ANODIZED','BURNISHED','PLATED','POLISHED','BRUSHED']) || ' ' || pick(ARRAY['TIN','NICKEL','BRASS','STEEL','COPPER']),
	upto(50), pick(ARRAY['SM','LG','MED','JUMBO','WRAP']) || ' ' || pick(ARRAY['CASE','BOX','BAG','JAR','PKG','PACK','CAN','DRUM']),
	900 + i % 1000, '' FROM generate_series(1, (200000 * :sf)::int) i;
INSERT INTO partsupp SELECT p, 1 + (p + s * ((10000 * :sf)::int / 4 + (p - 1) / (10000 * :sf)::int)) % (10000 * :sf)::int,
	upto(9999), (random() * 999 + 1)::numeric(15,2), '' FROM generate_series(1, (200000 * :sf)::int) p, generate_series(0, 3) s;
INSERT INTO customer SELECT i, 'Customer#' || lpad(i::text, 9, '0'), md5(i::text), n, (10 + n) || '-' || 100 + i % 900 || '-' || i % 10000,
	(random() * 10999 - 999)::numeric(15,2), pick(ARRAY['AUTOMOBILE','BUILDING','FURNITURE','MACHINERY','HOUSEHOLD']), md5(i::text)
	FROM (SELECT i, upto(25) - 1 AS n FROM generate_series(1, (150000 * :sf)::int) i OFFSET 0) x;
INSERT INTO orders SELECT i * 4, c + (c % 3 = 0)::int, 'O', 0, date '1992-01-01' + floor(random() * 2406)::int,
	pick(ARRAY['1-URGENT','2-HIGH','3-MEDIUM','4-NOT SPECIFIED','5-LOW']), 'Clerk#' || lpad(upto(1000 * :sf)::text, 9, '0'), 0,
	CASE WHEN i % 90 = 0 THEN 'a special b requests c' ELSE md5(i::text) END
	FROM (SELECT i, upto(150000 * :sf - 1) AS c FROM generate_series(1, (1500000 * :sf)::int) i OFFSET 0) x;
INSERT INTO lineitem SELECT o_orderkey, p, 1 + (p + (upto(4) - 1) * ((10000 * :sf)::int / 4 + (p - 1) / (10000 * :sf)::int)) % (10000 * :sf)::int,
	l, q, q * (900 + p % 1000), (upto(11) - 1) / 100.0, (upto(9) - 1) / 100.0,
	CASE WHEN d < '1995-06-17' THEN pick(ARRAY['R','A']) ELSE 'N' END, CASE WHEN d > '1995-06-17' THEN 'O' ELSE 'F' END,
	d, o_orderdate + 30 + upto(60), d + upto(30), pick(ARRAY['DELIVER IN PERSON','COLLECT COD','NONE','TAKE BACK RETURN']),
	pick(ARRAY['REG AIR','AIR','RAIL','SHIP','TRUCK','MAIL','FOB']), md5(l::text)
	FROM (SELECT o_orderkey, o_orderdate, l, upto(200000 * :sf) AS p, upto(50) AS q, o_orderdate + upto(121) AS d
		FROM orders, generate_series(1, 1 + o_orderkey / 4 * 31 % 7) l OFFSET 0) x;
UPDATE orders SET o_totalprice = t, o_orderstatus = s FROM (SELECT l_orderkey, sum(l_extendedprice * (1 + l_tax) * (1 - l_discount)) AS t,
	CASE WHEN bool_and(l_linestatus = 'F') THEN 'F' WHEN bool_and(l_linestatus = 'O') THEN 'O' ELSE 'P' END AS s
	FROM lineitem GROUP BY 1) x WHERE l_orderkey = o_orderkey;
DROP FUNCTION pick, upto;
VACUUM FULL orders;
VACUUM ANALYZE;
