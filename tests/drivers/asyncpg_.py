#!/usr/bin/python3
"""asyncpg_.py - the drivers' scenario by asyncpg: named statements, binary values."""
import asyncio
import datetime
import decimal
import os
import sys

import asyncpg

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from say import say, section  # noqa: E402


async def main():
    schema = os.environ["DRIVER_SCHEMA"]
    words = dict(w.split("=", 1) for w in os.environ["DRIVER_DSN"].split())
    c = await asyncpg.connect(host=words["host"], port=int(words["port"]), user=words["user"],
                              database=words["dbname"])
    section("types")
    row = await c.fetchrow(
        "select $1::int, $2::bigint, $3::numeric, $4::text, $5::bytea, $6::bool, $7::date, "
        "$8::timestamptz, $9::int[], $10::float8, null::text", 42, 1 << 40,
        decimal.Decimal("1.50"), "it's ☃", b"\0\xff", True, datetime.date(2024, 2, 29),
        datetime.datetime(2024, 2, 29, 12, tzinfo=datetime.timezone.utc), [1, 2, None], 0.1)
    say(*row)

    section("tables")
    await c.execute(f"drop schema if exists {schema} cascade; create schema {schema}; "
                    f"create table {schema}.t (a int primary key, b text)")

    section("prepared")
    statement = await c.prepare("select $1::int * 2, $2::text")
    for n in range(10):
        say(*await statement.fetchrow(n, f"v{n}"))
    say(statement.get_parameters(), [a.name for a in statement.get_attributes()])
    for n in range(150):                     # more than asyncpg's cache holds
        await c.fetchval(f"select {n}")
    say(*await statement.fetchrow(7, "again"))

    section("errors")
    for sql in ("select 1/0", "selec", f"insert into {schema}.t values (1, 'x'), (1, 'y')"):
        try:
            await c.fetch(sql)
        except asyncpg.PostgresError as e:
            say(e.sqlstate, e.message)
    say(await c.fetchval("select 'still here'"))

    section("transactions")
    async with c.transaction():
        await c.executemany(f"insert into {schema}.t values ($1, $2)",
                            [(n, f"row {n}") for n in range(1, 101)])
        try:
            async with c.transaction():
                await c.execute(f"delete from {schema}.t")
                raise KeyError
        except KeyError:
            pass
    say(*await c.fetchrow(f"select count(*), max(b) from {schema}.t"))

    section("cursors")
    async with c.transaction():
        cursor = await c.cursor(f"select a from {schema}.t order by a")
        say([r[0] for r in await cursor.fetch(3)], await cursor.forward(5),
            [r[0] for r in await cursor.fetch(3)])
        total = 0
        async for r in c.cursor(f"select a from {schema}.t", prefetch=7):
            total += r[0]
        say(total)

    section("copy")
    await c.copy_records_to_table("t", schema_name=schema,
                                  records=[(n, f"copied {n}") for n in range(1000, 3000)])
    got = []

    async def take(data):
        got.append(data)
    await c.copy_from_query(f"select * from {schema}.t order by a", output=take)
    say(len(b"".join(got).split(b"\n")))

    section("big")
    say(len(await c.fetchval("select repeat('x', 5000000)")))
    say(await c.fetchval("select length($1)", "y" * 3000000))
    say(sum(r[0] for r in await c.fetch("select generate_series(1, 50000)")))

    section("cancel")
    try:
        await asyncio.wait_for(c.execute("select pg_sleep(30)"), 0.3)
    except asyncio.TimeoutError:
        say("timed out")
    say(await c.fetchval("select 'alive'"))

    await c.execute(f"drop schema {schema} cascade")
    await c.close()


asyncio.run(main())
