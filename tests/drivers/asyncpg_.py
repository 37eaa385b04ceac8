#!/usr/bin/python3
"""asyncpg_.py - the scenario by asyncpg: named statements, binary values, everything awaited."""
import asyncio
import os
import sys

import asyncpg

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import scenario  # noqa: E402
from scenario import say, say_rows, say_sum  # noqa: E402


async def connection(variable):
    words = dict(w.split("=", 1) for w in os.environ[variable].split())
    return await asyncpg.connect(host=words["host"], port=int(words["port"]), user=words["user"],
                                 database=words["dbname"])


class Driver:
    def __init__(self):
        self.loop = asyncio.new_event_loop()
        self.wait = self.loop.run_until_complete
        self.c = self.wait(connection("DRIVER_DSN"))
        self.prepared, self.transaction = {}, None

    def do(self, step):
        self.wait(self.c.execute(step.rest))

    def show_rows(self, step):
        say_rows(self.wait(self.c.fetch(step.rest, *step.values)))

    def sum(self, step):
        say_sum([r[0] for r in self.wait(self.c.fetch(step.rest))])

    def size(self, step):
        say(str(len(self.wait(self.c.fetchval(step.rest)))))

    def prepare(self, step):
        name, sql = step.words(1)
        self.prepared[name] = self.wait(self.c.prepare(sql))

    def run(self, step):
        name, count = step.words(1)
        say(", ".join(str(self.wait(self.prepared[name].fetchval(n))) for n in range(int(count))))

    def distinct(self, step):
        say(str(sum(self.wait(self.c.fetchval(f"select {n}")) for n in range(int(step.rest)))))

    def begin(self, _):
        self.transaction = self.c.transaction()
        self.wait(self.transaction.start())

    def commit(self, _):
        self.wait(self.transaction.commit())

    def rollback(self, _):
        self.wait(self.transaction.rollback())

    def savepoint(self, step):
        self.wait(self.c.execute("savepoint " + step.rest))

    def rollback_to(self, step):
        self.wait(self.c.execute("rollback to " + step.rest))

    def cursor(self, step):
        count, sql = step.words(1)

        async def read():
            async with self.c.transaction():
                return [r[0] async for r in self.c.cursor(sql, prefetch=int(count))]
        say_sum(self.wait(read()))

    def copy_in(self, step):
        table, count = step.words(1)
        schema, name = table.split(".")
        self.wait(self.c.copy_records_to_table(
            name, schema_name=schema,
            records=[scenario.copy_row(n) for n in range(1000, 1000 + int(count))]))

    def copy_bad(self, step):
        async def lines():
            yield scenario.copy_line(9000).encode()
            yield b"x\ty\n"
        schema, name = step.rest.split(".")
        self.wait(self.c.copy_to_table(name, schema_name=schema, source=lines()))

    def copy_out(self, step):
        got = []

        async def take(data):
            got.append(data)
        self.wait(self.c.copy_from_query(step.rest, output=take))
        data = b"".join(got)
        say(f"{data.count(10)} lines, {len(data)} bytes")

    def pipeline(self, step):
        table, first, last = step.words(2)
        self.wait(self.c.executemany(f"insert into {table} values ($1)",
                                     [(n,) for n in range(int(first), int(last) + 1)]))

    def notice(self, step):
        got = []

        def heard(_, message):
            got.append(message.message)
        self.c.add_log_listener(heard)
        self.wait(self.c.execute(f"do $$ begin raise notice '{step.rest}'; end $$"))
        self.wait(asyncio.sleep(0))
        self.c.remove_log_listener(heard)
        say("notice: " + ", ".join(got))

    def listen(self, step):
        channel, text = step.words(1)
        came = self.loop.create_future()

        def heard(_c, _pid, name, payload):
            came.set_result(f"{name} {payload}")
        self.wait(self.c.add_listener(channel.lower(), heard))
        self.wait(self.c.execute("select pg_notify($1, $2)", channel.lower(), text))
        say(self.wait(came))
        self.wait(self.c.remove_listener(channel.lower(), heard))

    def large_object(self, step):
        size = int(step.rest)
        say("(asyncpg has no large objects: SQL functions)")

        async def play():
            async with self.c.transaction():
                oid = await self.c.fetchval("select lo_from_bytea(0, $1)", scenario.lob_bytes(size))
                data = await self.c.fetchval("select lo_get($1, 10, 5)", oid)
                scenario.say_lob(data, len(await self.c.fetchval("select lo_get($1)", oid)))
                await self.c.execute(f"select lo_unlink({oid})")
        self.wait(play())

    def cancel(self, step):
        async def play():
            server = await connection("DRIVER_SERVER")
            running = asyncio.create_task(self.c.execute(step.rest))
            while not await server.fetchval("select true from pg_stat_activity where state = 'active'"
                                            " and query = $1", step.rest):
                await asyncio.sleep(0.01)
            await server.close()
            running.cancel()
            try:
                await running
            except asyncio.CancelledError:
                say("(asyncpg cancels by the end of the task)")
        self.wait(play())


scenario.play(Driver(), asyncpg.PostgresError, lambda e: (e.sqlstate, e.message))
