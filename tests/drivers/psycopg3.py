#!/usr/bin/python3
"""psycopg3.py - the drivers' scenario by psycopg 3."""
import datetime
import decimal
import os
import sys
import threading

import psycopg

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from say import say, section  # noqa: E402


def main():
    dsn, schema = os.environ["DRIVER_DSN"], os.environ["DRIVER_SCHEMA"]
    c = psycopg.connect(dsn, autocommit=True)
    c.prepare_threshold = 2

    section("types")
    row = c.execute(
        "select %s::int, %s::bigint, %s::numeric, %s::text, %s::bytea, %s::bool, %s::date, "
        "%s::timestamptz, %s::int[], %s::jsonb, null::text",
        (42, 1 << 40, decimal.Decimal("1.50"), "it's ☃", b"\0\xff", True,
         datetime.date(2024, 2, 29), datetime.datetime(2024, 2, 29, 12, tzinfo=datetime.UTC
                                                       if hasattr(datetime, "UTC") else
                                                       datetime.timezone.utc),
         [1, 2, None], psycopg.types.json.Jsonb({"a": [1, None]}))).fetchone()
    say(*row[:7], row[7].astimezone(datetime.timezone.utc), *row[8:])

    section("tables")
    c.execute(f"drop schema if exists {schema} cascade")
    c.execute(f"create schema {schema}")
    c.execute(f"create table {schema}.t (a int primary key, b text)")

    section("prepared")
    for n in range(10):
        say(c.execute("select %s::int * 2, %s::text", (n, f"v{n}")).fetchone())

    section("errors")
    for sql in ("select 1/0", "selec", "select * from nowhere.at_all",
                f"insert into {schema}.t values (1, 'x'), (1, 'y')"):
        try:
            c.execute(sql)
        except psycopg.Error as e:
            say(e.sqlstate, e.diag.message_primary)
    say(c.execute("select 'still here'").fetchone())

    section("transactions")
    with c.transaction():
        c.execute(f"insert into {schema}.t select n, 'row ' || n from generate_series(1, 100) n")
        try:
            with c.transaction():
                c.execute(f"delete from {schema}.t")
                raise psycopg.Rollback()
        except psycopg.Rollback:
            pass
    say(c.execute(f"select count(*), max(b) from {schema}.t").fetchone())
    try:
        with c.transaction():
            c.execute(f"update {schema}.t set b = 'gone'")
            c.execute("select 1/0")
    except psycopg.errors.DivisionByZero as e:
        say("rolled back", e.sqlstate)
    say(c.execute(f"select count(*) from {schema}.t where b = 'gone'").fetchone())

    section("cursors")
    with c.transaction(), c.cursor(name="by_portal") as cursor:
        cursor.execute(f"select a from {schema}.t order by a")
        say(cursor.fetchmany(3), cursor.fetchmany(3))
        cursor.scroll(90, mode="absolute")
        say(cursor.fetchall())

    section("copy")
    with c.cursor().copy(f"copy {schema}.t from stdin") as copy:
        for n in range(1000, 3000):
            copy.write_row((n, f"copied {n}\t\\ ☃"))
    with c.cursor() as cursor, cursor.copy(f"copy (select * from {schema}.t order by a) to stdout") as copy:
        rows = list(copy.rows())
    say(len(rows), rows[-1])

    section("pipeline")
    with c.pipeline():
        results = [c.execute("select %s::int", (n,)) for n in range(1000)]
    say(sum(r.fetchone()[0] for r in results))
    try:
        with c.pipeline():
            c.execute("select 1")
            c.execute("select 1/0")
            c.execute("select 2")
    except psycopg.Error as e:
        say("pipeline", e.sqlstate)
    say(c.execute("select 'after the pipeline'").fetchone())

    section("big")
    say(len(c.execute("select repeat('x', 5000000)").fetchone()[0]))
    say(c.execute("select length(%s::text)", ("y" * 3000000,)).fetchone())
    say(sum(r[0] for r in c.execute("select generate_series(1, 50000)")))

    section("settings")
    c.execute("set timezone = 'Asia/Tokyo'")
    say(c.execute("select timestamptz '2024-01-01 00:00Z'::text").fetchone())
    with c.transaction():
        c.execute("set local timezone = 'UTC'")
        say(c.execute("select current_setting('timezone')").fetchone())
    say(c.execute("select current_setting('timezone')").fetchone())
    c.execute("reset timezone")

    section("cancel")
    timer = threading.Timer(0.2, c.cancel)
    timer.start()
    try:
        c.execute("select pg_sleep(30)")
    except psycopg.errors.QueryCanceled as e:
        say(e.sqlstate)
    timer.join()
    say(c.execute("select 'alive'").fetchone())

    c.execute(f"drop schema {schema} cascade")
    c.close()


main()
