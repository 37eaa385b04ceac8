"""test_advise_sizes.py - the sizes `pgassay advise` prints, beside the indexes when they are built.

One index for each of these queries, of every kind that is proposed.  A size that is said without a
range is within half of the real one; where a range is said, the real one lies in it.
"""
import json
import os
import re
import subprocess

import psycopg

from wire import PATIENCE

ROOT = os.path.join(os.path.dirname(__file__), "..", "..")
BIN = os.environ.get("PGASSAY_BIN", os.path.join(ROOT, "bin", "pgassay"))
NAME = "advise_sizes"

SCHEMA = r'''
CREATE EXTENSION hypopg; CREATE EXTENSION pg_trgm;
CREATE TABLE docs (id bigint PRIMARY KEY, title text, tags text[], ids int[], j jsonb, span tsrange, pt point, ip inet,
    ts timestamptz, day date, u uuid, n numeric(12,2), small smallint, cat text, country char(2), flag bool,
    "E-Mail" text, ref bigint, gone timestamptz, vec tsvector);
INSERT INTO docs SELECT i, initcap(md5((i % 5000)::text)) || ' ' || i % 97,
    array(SELECT 'tag' || i * k % 200 FROM generate_series(1, 1 + i % 5) k),
    array(SELECT i * k % 5000 FROM generate_series(1, 1 + i % 8) k),
    jsonb_build_object('user', i % 1000, 'kind', 'k' || i % 20, 'name', md5(i::text),
                       'nested', jsonb_build_object('a', i % 10, 'b', i)),
    tsrange(timestamp '2025-01-01' + i * interval '1 hour', timestamp '2025-01-01' + i * interval '1 hour' + interval '3 hours'),
    point(i * 37 % 1009, i * 61 % 977), ('10.' || i % 256 || '.' || i / 256 % 256 || '.' || i % 251)::inet,
    timestamptz '2025-01-01' + i * interval '1 min', date '2020-01-01' + i % 1000, md5(i::text)::uuid,
    i * 7919 % 10000000 / 100.0, i % 300, 'category ' || i % 12, CASE WHEN i % 5 = 0 THEN 'DE' ELSE 'US' END, i % 50 = 0,
    'user' || i || '@example.com', i * 7919 % 100000, CASE WHEN i % 40 = 0 THEN timestamptz '2025-01-01' END,
    (SELECT to_tsvector('english', string_agg(md5((i * k % 3000)::text), ' ')) FROM generate_series(1, 3 + i % 9) k)
    FROM generate_series(1, 15000) i;
'''

QUERIES = r'''
title ILIKE '%abc%'
"E-Mail" LIKE '%99@ex%'
cat LIKE '%ory 7%' AND ref = 5
tags @> ARRAY['tag7']
ids && ARRAY[77]
j @> '{"user": 7}'
j ? 'absent'
span && tsrange('2025-02-01', '2025-02-02')
pt <@ box '((1,1),(2,2))'
ip && inet '10.7.0.0/24'
ip << inet '10.7.0.0/28'
ts >= '2025-01-02' AND ts < '2025-01-02 02:00'
day = '2021-01-01'
u = 'c4ca4238-a0b9-2382-0dcc-509a6f75849b'
n = 77.5
small = 7
cat = 'category 5' AND small = 5
country = 'DE' AND small = 5
"E-Mail" = 'user5@example.com'
ref = 77
vec @@ to_tsquery('english', 'c4ca4238a0b923820dcc509a6f75849b')
lower("E-Mail") = 'user5@example.com'
lower(title) = 'x'
(j ->> 'user') = '7'
(j ->> 'kind') = 'k7' AND small = 7
(j ->> 'name') = 'abc'
upper(cat) = 'CATEGORY 5' AND ref < 50
ref + 1 = 7
gone IS NOT NULL AND ts > '2026-01-01'
flag AND ref = 7
gone IS NULL AND "E-Mail" = 'user6@example.com'
day BETWEEN '2021-01-01' AND '2021-01-03'
ref BETWEEN 77 AND 500
"E-Mail" LIKE 'user77%'
md5(title) = 'x'
length(title) = 400
j @? '$.nested ? (@.b == 77)'
substring("E-Mail", 1, 6) = 'user77'
title = 'abc' AND ref > 5
small = 5 AND day = '2020-05-05'
n BETWEEN 5 AND 5.5
ref = 5 AND ts > '2026-01-05'
country = 'DE' AND ref = 9
n = 5 AND ref = 7
title = 'x' AND "E-Mail" = 'y'
initcap(cat) = 'X' AND ref = 4
(j ->> 'user') = '7' AND ts > '2026-01-05'
to_tsvector('english', title) @@ to_tsquery('english', 'abc')
small = 4 AND title = 'x'
day = '2021-01-01' AND u = 'c4ca4238-a0b9-2382-0dcc-509a6f75849b'
'''


def advise(dsn, path):
    run = subprocess.run([BIN, "advise", "--dsn", dsn, "-f", "json", "--min-gain", "0", str(path)],
                         capture_output=True, text=True, check=True, timeout=60 * PATIENCE)
    return json.loads(run.stdout)["indexes"]


def test_sizes_are_those_of_the_indexes(postgres, tmp_path):
    postgres.sql(f"CREATE DATABASE {NAME}")
    wrong, seen = [], set()
    path = tmp_path / "w.sql"
    with psycopg.connect(postgres.dsn(user="postgres", dbname=NAME), autocommit=True) as c:
        c.execute(SCHEMA)
        c.execute("VACUUM ANALYZE")
        for k, where in enumerate(QUERIES.strip().splitlines()):
            out = ("ref", "ref, small", "*")[k % 3]
            path.write_text(f"SELECT {out} FROM docs WHERE {where};\n")
            for index in advise(postgres.dsn(user="postgres", dbname=NAME), path):
                if index["ddl"] in seen:
                    continue
                seen.add(index["ddl"])
                c.execute(index["ddl"].replace("CONCURRENTLY ", ""))
                name = re.match(r'CREATE INDEX CONCURRENTLY ("[^"]+"|\S+) ON', index["ddl"])[1]
                real = c.execute("SELECT pg_relation_size(%s::regclass)", (name,)).fetchone()[0]
                c.execute(f"DROP INDEX {name}")
                said = index["size_bytes"]
                least, most = index.get("size_least_bytes", said / 1.5 - 8192), index.get("size_most_bytes", said * 1.5 + 8192)
                print(f"{said / real:6.2f} {real:9} [{least:.0f} {most:.0f}] {index['ddl']}")
                if not least <= real <= most or most > 26 * least:
                    wrong.append((index["ddl"], said, least, most, real))
    postgres.sql(f"DROP DATABASE {NAME}")
    assert len(seen) >= 35 and len(wrong) <= 1, (len(seen), wrong)
