"""test_schema.py - the schema from a dump and from the live catalog are the same schema.

What the linter says of many statements, with all rules on, must not depend on which of the two
it was given.  And what only a live server knows: counts, sizes, statistics, sequences.
"""
import json
import os
import subprocess

import psycopg
import pytest

from cluster import bindir

ROOT = os.path.join(os.path.dirname(__file__), "..", "..")
BIN = os.environ.get("PGASSAY_BIN", os.path.join(ROOT, "bin", "pgassay"))

SCHEMA = """
create extension citext; create extension pg_trgm; create extension btree_gist;
create schema crm;
create type mood as enum ('sad', 'ok');
create type pair as (a int, b text);
create domain posint as int check (value > 0);
create domain label as varchar(20) collate "C";
create table public.users (id bigint generated always as identity primary key, email citext not null
    unique, name varchar(80), "Mixed Case" int, feeling mood, score posint, tag label, born date,
    seen timestamptz, at timestamp, code char(8), attrs jsonb, tags text[], gone timestamptz,
    vip boolean default false, ref uuid, de text collate "de-x-icu", whole pair,
    twice int generated always as (("Mixed Case" * 2)) stored);
create index users_name on users (lower(name));
create index users_pat on users (name varchar_pattern_ops);
create index users_mixed on users ("Mixed Case" desc nulls last, score) include (born);
create index users_vip on users (seen) where vip and gone is null;
create index users_day on users (date_trunc('day', at), (at::date));
create index users_attrs on users using gin (attrs jsonb_path_ops);
create index users_tags on users using gin (tags);
create index users_attrs_email on users ((attrs ->> 'email'));
create index users_code on users using hash (code);
create index users_seen on users using brin (seen);
create index users_trgm on users using gin (name gin_trgm_ops, de gin_trgm_ops);
create index users_c on users (name collate "C", de);
create table crm.orders (id int, shop int, user_id bigint references users, placed timestamp,
    total numeric(10,2), note text, primary key (shop, id), unique (user_id, placed));
create table crm.items (id serial primary key, shop int, order_id int, sku text, qty smallint,
    foreign key (shop, order_id) references crm.orders (shop, id) on delete cascade);
create index on crm.items (sku); create index on crm.items (sku, qty);
create table public.orders (id int, n int); -- the name of crm's
create table parts (id int, day date, v int) partition by range (day);
create table parts_2024 partition of parts for values from ('2024-01-01') to ('2025-01-01');
create table parts_rest partition of parts default;
create index on parts (day, v);
create table base (id int primary key, x int); create table derived (y int) inherits (base);
create index on derived (x);
create table booking (room int, during tstzrange, exclude using gist (room with =, during with &&));
create view active as select id, email, name as title, at, seen from users where gone is null;
create view nested as select id, title, at from active;
create materialized view per_day as select born, count(*) as n from users group by born;
create index on per_day (born);
alter table crm.items replica identity using index items_pkey;
alter table users enable row level security;
create policy own on users using (id = current_setting('app.user')::bigint);
create policy shown on users for select using (id = (select current_setting('app.user')::bigint));
create unlogged table staging (a int, b text);
"""
QUERIES = """
select id from users where lower(name) = 'x'; select id from users where lower(users.name) like 'x%';
select id from users where name like 'x%'; select id from users where name like '%x';
select id from users where upper(name) = 'X'; select id from users where email = 'x'::text;
select id from users where email = 'x'; select id from users where "Mixed Case" = 5.5;
select id from users where score = 5.5; select id from users where score = 5;
select id from users where tag like 'x%'; select id from users where tag = 'x'::text;
select id from users where code::text = 'x'; select id from users where code > 'x';
select id from users where born::date = '2024-01-01'; select id from users where at::date = '2024-01-01';
select id from users where date_trunc('day', at) = '2024-01-01'; select id from users where at > now();
select id from users where seen > now() and vip and gone is null;
select id from users where vip and gone is null; select id from users where seen > now();
select id from users where seen::date = '2024-01-01'; select id from users where attrs ? 'k';
select id from users where attrs @> '{}'; select id from users where attrs ->> 'email' = 'x';
select id from users where attrs ->> 'name' = 'x'; select id from users where 'x' = any (tags);
select id from users where tags @> array['x']; select id from users where feeling = 'sad';
select id from users where feeling::text = 'sad'; select id from users where de = 'x' collate "C";
select id from users where de > 'x'; select id from users where name = 'x' collate "C";
select id from users where (whole).a = 5; select id from users where twice = 5;
select id from users order by "Mixed Case" limit 10; select id from users where born = '2024-01-01';
select id from users order by "Mixed Case" desc limit 10; select id from users where gone <> now();
select * from active where title = 'x'; select * from active where lower(title) = 'x';
select * from nested where upper(title) = 'X'; select * from nested where id = 5;
select * from per_day where born = '2024-01-01'; select * from per_day where born + 1 > current_date;
select n from orders where n + 1 = 5; select id from crm.orders where placed::date = '2024-01-01';
select id from crm.orders where user_id = 5; select id from crm.orders where placed = now();
select id from crm.orders where placed between '2024-01-01' and '2024-01-31';
select o.id from crm.orders o left join crm.items i on i.order_id = o.id where i.sku is null;
select o.id from crm.orders o left join users u on u.id = o.user_id;
select i.id from crm.items i join crm.orders o on o.total = i.qty where i.sku = 'x' or o.note = 'y';
select id from crm.items where qty = 5; select id from crm.items where sku = 'x' and qty + 0 = 5;
select v from parts where v = 5; select v from parts where day = '2024-05-05';
select v from parts_2024 where v = 5; select v from parts_rest where day::text = 'x';
select y from derived where x = 5; select x from base where x = 5; select id from derived where id = 1;
select room from booking where room = 5; select room from booking where during && tstzrange(now(), now());
select room from booking where during @> now(); select distinct u.id from users u join crm.orders o on o.user_id = u.id;
select id from users where id not in (select user_id from crm.orders);
update users set name = 'x' where lower(email) = 'y'; delete from crm.items where qty = 5 or sku = 'x';
select a from staging where b like 'x'; insert into staging values (1, 'x');
alter table users alter name type varchar(100); alter table users alter name type varchar(10);
alter table crm.items add foreign key (qty) references base; create index on parts (v);
"""


@pytest.fixture(scope="module")
def dsn(postgres):
    postgres.sql("create database varied template template0 lc_collate 'C.UTF-8' lc_ctype 'C.UTF-8'")
    with psycopg.connect(postgres.dsn(dbname="varied"), autocommit=True) as c:
        c.execute(SCHEMA)
    return postgres.dsn(dbname="varied")


def findings(file, *options):
    p = subprocess.run([BIN, "lint", "--format", "json", "--fail-on", "never", *options, str(file)],
                       capture_output=True, text=True)
    assert p.returncode == 0, p.stderr
    return json.loads(p.stdout)["findings"]


def every_rule():
    catalogue = json.loads(subprocess.run([BIN, "rules", "--format", "json"], capture_output=True,
                                          text=True, check=True).stdout)
    return [w for r in catalogue if r["severity"] == "off"
            for w in ("--rule", r["id"] + "=warning")]


def told(file, *options):
    # not the note: where the database's collation is known it says so
    return sorted((f["rule"], f["confidence"], f["message"], str((f.get("fix") or {}).get("sql")),
                   f["locations"][0]["line"] if f["locations"] else 0)
                  for f in findings(file, *options))


def test_dump_and_live_are_one_schema(dsn, tmp_path):
    ddl = subprocess.run([bindir() + "/pg_dump", "-s", dsn], capture_output=True, check=True)
    (tmp_path / "schema.sql").write_bytes(ddl.stdout)
    (tmp_path / "q.sql").write_text(QUERIES)
    rules = every_rule()
    dump = told(tmp_path / "q.sql", "--schema", str(tmp_path / "schema.sql"), *rules)
    live = told(tmp_path / "q.sql", "--dsn", dsn, *rules)
    assert len({f[0] for f in dump}) > 25
    assert [f for f in dump if f not in live] == []
    assert [f for f in live if f not in dump] == []


def test_what_only_statistics_tell(postgres, tmp_path):
    postgres.sql("create database counted")
    with psycopg.connect(postgres.dsn(dbname="counted"), autocommit=True) as c:
        c.execute("create table events (id serial primary key, kind int, done boolean, at date);"
                  "create index events_at on events (at); create index events_done on events (done);"
                  "create table few (id int primary key, a int);"
                  "insert into events (kind, done, at) select g, g % 2 = 0, current_date "
                  "from generate_series(1, 150000) g; insert into few values (1, 1);"
                  "select setval('events_id_seq', 1900000000); analyze")
    (tmp_path / "q.sql").write_text("select count(*) from events;\nselect count(*) from few;\n"
                                    "select a from few where a + 1 = 5;\n"
                                    "select kind from events where kind + 1 = 5;\n")
    said = {(f["rule"], f["message"]) for f in
            findings(tmp_path / "q.sql", "--dsn", postgres.dsn(dbname="counted"), *every_rule())}
    rules = {r for r, _ in said}
    assert {"AG006", "IX004", "IX007", "MG004", "SG003"} <= rules
    assert not any("few" in m for r, m in said if r in ("AG006", "SG003", "IX004"))
    assert any("88 %" in m for r, m in said if r == "MG004")
    assert any("events_done" in m for r, m in said if r == "IX007")
