#!/usr/bin/python3
"""psycopg_2.py - the drivers' scenario by psycopg2, which speaks the simple protocol."""
import io
import os
import sys
import threading

import psycopg2
import psycopg2.extras

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from say import say, section  # noqa: E402


def main():
    dsn, schema = os.environ["DRIVER_DSN"], os.environ["DRIVER_SCHEMA"]
    c = psycopg2.connect(dsn)
    c.autocommit = True
    q = c.cursor()

    def rows(sql, values=None):
        q.execute(sql, values)
        return q.fetchall()

    section("types")
    say(*rows("select %s::int, %s::numeric, %s::text, %s::bool, %s::date, %s::int[], null::text, "
              "%s::jsonb", (42, 1.5, "it's ☃", True, "2024-02-29", [1, 2, None],
                            psycopg2.extras.Json({"a": [1, None]})))[0])
    section("tables")
    q.execute(f"drop schema if exists {schema} cascade")
    q.execute(f"create schema {schema}; create table {schema}.t (a int primary key, b text)")

    section("errors")
    for sql in ("select 1/0", "selec", f"insert into {schema}.t values (1, 'x'), (1, 'y')"):
        try:
            q.execute(sql)
        except psycopg2.Error as e:
            say(e.pgcode, e.diag.message_primary)
    say(rows("select 'still here'"))

    section("transactions")
    c.autocommit = False
    q.execute(f"insert into {schema}.t select n, 'row ' || n from generate_series(1, 100) n")
    q.execute("savepoint s")
    q.execute(f"delete from {schema}.t")
    q.execute("rollback to s")
    c.commit()
    say(rows(f"select count(*), max(b) from {schema}.t"))
    c.commit()
    try:
        q.execute("select 1/0")
    except psycopg2.Error as e:
        say(e.pgcode)
    try:
        q.execute("select 1")
    except psycopg2.Error as e:
        say(e.pgcode)
    c.rollback()

    section("cursors")
    with c.cursor("by_name") as named:
        named.execute(f"select a from {schema}.t order by a")
        say(named.fetchmany(3), named.fetchone())
    c.commit()
    c.autocommit = True

    section("batches")
    psycopg2.extras.execute_values(q, f"insert into {schema}.t values %s",
                                   [(n, f"batch {n}") for n in range(1000, 2000)])
    psycopg2.extras.execute_batch(q, f"update {schema}.t set b = %s where a = %s",
                                  [(f"new {n}", n) for n in range(1000, 1100)])
    say(rows(f"select count(*), min(b) from {schema}.t"))

    section("copy")
    q.copy_expert(f"copy {schema}.t from stdin",
                  io.StringIO("".join(f"{n}\tcopied {n}\n" for n in range(3000, 5000))))
    out = io.StringIO()
    q.copy_expert(f"copy (select * from {schema}.t order by a) to stdout", out)
    say(len(out.getvalue().split("\n")), out.getvalue().split("\n")[-2])

    section("big")
    say(len(rows("select repeat('x', 5000000)")[0][0]))
    say(rows("select length(%s)", ("y" * 3000000,)))

    section("settings")
    q.execute("set datestyle = 'German, DMY'; set timezone = 'Asia/Tokyo'")
    say(rows("select date '2024-02-29'::text, timestamptz '2024-01-01 00:00Z'::text"))
    q.execute("reset datestyle; reset timezone")
    c.set_client_encoding("LATIN1")
    say(rows("show client_encoding"), rows("select 'é'"))
    c.set_client_encoding("UTF8")

    section("notices")
    q.execute("do $$ begin raise notice 'hello'; end $$")
    say(c.notices)

    section("cancel")
    timer = threading.Timer(0.2, c.cancel)
    timer.start()
    try:
        q.execute("select pg_sleep(30)")
    except psycopg2.Error as e:
        say(e.pgcode)
    timer.join()
    say(rows("select 'alive'"))
    q.execute(f"drop schema {schema} cascade")
    c.close()


main()
