#!/usr/bin/python3
"""psycopg_2.py - the scenario by psycopg2, which speaks the simple protocol."""
import io
import os
import select
import sys

import psycopg2
import psycopg2.extras

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import scenario  # noqa: E402
from scenario import say, say_rows, say_sum  # noqa: E402


class Driver:
    def __init__(self):
        self.c = psycopg2.connect(os.environ["DRIVER_DSN"])
        self.c.autocommit = True
        self.q = self.c.cursor()

    def rows(self, sql, values=()):
        self.q.execute(scenario.with_marks(sql.replace("%", "%%"), "%s"), values)
        return self.q.fetchall()

    def do(self, step):
        self.q.execute(step.rest)

    def show_rows(self, step):
        say_rows(self.rows(step.rest, step.values))

    def sum(self, step):
        say_sum([r[0] for r in self.rows(step.rest)])

    def size(self, step):
        say(str(len(self.rows(step.rest)[0][0])))

    def prepare(self, step):
        name, sql = step.words(1)
        say("(psycopg2 has no prepared statements: PREPARE)")
        self.q.execute(f"prepare {name} as {sql}")

    def run(self, step):
        name, count = step.words(1)
        say(", ".join(str(self.rows(f"execute {name}($1)", [n])[0][0]) for n in range(int(count))))

    def distinct(self, step):
        say(str(sum(self.rows(f"select {n}")[0][0] for n in range(int(step.rest)))))

    def begin(self, _):
        self.c.autocommit = False

    def commit(self, _):
        self.c.commit()
        self.c.autocommit = True

    def rollback(self, _):
        self.c.rollback()
        self.c.autocommit = True

    def savepoint(self, step):
        self.q.execute("savepoint " + step.rest)

    def rollback_to(self, step):
        self.q.execute("rollback to " + step.rest)

    def cursor(self, step):
        count, sql = step.words(1)
        got = []
        self.c.autocommit = False
        with self.c.cursor("by_name") as cursor:
            cursor.execute(sql)
            while piece := cursor.fetchmany(int(count)):
                got += [r[0] for r in piece]
        self.c.commit()
        self.c.autocommit = True
        say_sum(got)

    def copy_in(self, step):
        table, count = step.words(1)
        lines = "".join(scenario.copy_line(n) for n in range(1000, 1000 + int(count)))
        self.q.copy_expert(f"copy {table} from stdin", io.StringIO(lines))

    def copy_bad(self, step):
        self.q.copy_expert(f"copy {step.rest} from stdin",
                           io.StringIO(scenario.copy_line(9000) + "x\ty\n"))

    def copy_out(self, step):
        out = io.BytesIO()
        self.q.copy_expert(f"copy ({step.rest}) to stdout", out)
        say(f"{out.getvalue().count(10)} lines, {len(out.getvalue())} bytes")

    def pipeline(self, step):
        table, first, last = step.words(2)
        say("(psycopg2 has no pipeline: a hundred statements in one Query)")
        psycopg2.extras.execute_batch(self.q, f"insert into {table} values (%s)",
                                      [(n,) for n in range(int(first), int(last) + 1)])

    def notice(self, step):
        del self.c.notices[:]
        self.q.execute(f"do $$ begin raise notice '{step.rest}'; end $$")
        say("notice: " + ", ".join(n.partition(":  ")[2].strip() for n in self.c.notices))

    def listen(self, step):
        channel, text = step.words(1)
        self.q.execute("listen " + channel)
        self.q.execute("select pg_notify(%s, %s)", (channel.lower(), text))
        while not self.c.notifies:
            select.select([self.c], [], [], 30)
            self.c.poll()
        n = self.c.notifies.pop()
        say(f"{n.channel} {n.payload}")
        self.q.execute("unlisten " + channel)

    def large_object(self, step):
        size = int(step.rest)
        self.c.autocommit = False
        lob = self.c.lobject(0, "wb")
        lob.write(scenario.lob_bytes(size))
        lob.close()
        lob = self.c.lobject(lob.oid, "rb")
        lob.seek(10)
        scenario.say_lob(lob.read(5), lob.seek(0, 2))
        lob.unlink()
        self.c.commit()
        self.c.autocommit = True

    def cancel(self, step):
        with scenario.Canceller(self.c.cancel):
            self.q.execute(step.rest)


scenario.play(Driver(), psycopg2.Error, lambda e: (e.pgcode, e.diag.message_primary))
