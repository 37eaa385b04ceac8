#!/usr/bin/python3
"""psycopg3.py - the scenario by psycopg 3: extended protocol, pipeline mode, COPY row by row."""
import os
import sys

import psycopg

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import scenario  # noqa: E402
from scenario import say, say_rows, say_sum  # noqa: E402


class Driver:
    def __init__(self):
        self.c = psycopg.connect(os.environ["DRIVER_DSN"], autocommit=True)
        self.c.prepare_threshold = 2
        self.notices = []
        self.c.add_notice_handler(lambda d: self.notices.append(d.message_primary))
        self.prepared, self.heard = {}, []
        self.c.add_notify_handler(lambda n: self.heard.append(f"{n.channel} {n.payload}"))

    def rows(self, sql, values=()):
        return self.c.execute(scenario.with_marks(sql.replace("%", "%%"), "%s"), values).fetchall()

    def do(self, step):
        self.c.execute(step.rest)

    def show_rows(self, step):
        say_rows(self.rows(step.rest, step.values))

    def sum(self, step):
        say_sum([r[0] for r in self.rows(step.rest)])

    def size(self, step):
        say(str(len(self.rows(step.rest)[0][0])))

    def prepare(self, step):
        name, sql = step.words(1)
        self.prepared[name] = sql

    def run(self, step):
        name, count = step.words(1)
        sql = scenario.with_marks(self.prepared[name], "%s")
        say(", ".join(str(self.c.execute(sql, (n,), prepare=True).fetchone()[0])
                      for n in range(int(count))))

    def distinct(self, step):
        say(str(sum(self.c.execute(f"select {n}", prepare=True).fetchone()[0]
                    for n in range(int(step.rest)))))

    def begin(self, _):
        self.c.autocommit = False

    def commit(self, _):
        self.c.commit()
        self.c.autocommit = True

    def rollback(self, _):
        self.c.rollback()
        self.c.autocommit = True

    def savepoint(self, step):
        self.c.execute("savepoint " + step.rest)

    def rollback_to(self, step):
        self.c.execute("rollback to " + step.rest)

    def cursor(self, step):
        count, sql = step.words(1)
        got = []
        with self.c.transaction(), self.c.cursor(name="by_name") as cursor:
            cursor.execute(sql)
            while piece := cursor.fetchmany(int(count)):
                got += [r[0] for r in piece]
        say_sum(got)

    def copy_in(self, step):
        table, count = step.words(1)
        with self.c.cursor().copy(f"copy {table} from stdin") as copy:
            for n in range(1000, 1000 + int(count)):
                copy.write_row(scenario.copy_row(n))

    def copy_bad(self, step):
        with self.c.cursor().copy(f"copy {step.rest} from stdin") as copy:
            copy.write(scenario.copy_line(9000) + "x\ty\n")

    def copy_out(self, step):
        with self.c.cursor().copy(f"copy ({step.rest}) to stdout") as copy:
            data = b"".join(copy)
        say(f"{data.count(10)} lines, {len(data)} bytes")

    def pipeline(self, step):
        table, first, last = step.words(2)
        with self.c.pipeline():
            for n in range(int(first), int(last) + 1):
                self.c.execute(f"insert into {table} values (%s)", (n,))

    def notice(self, step):
        self.notices.clear()
        self.c.execute(f"do $$ begin raise notice '{step.rest}'; end $$")
        say("notice: " + ", ".join(self.notices))

    def listen(self, step):
        channel, text = step.words(1)
        self.c.execute("listen " + channel)
        self.c.execute("select pg_notify(%s, %s)", (channel.lower(), text))
        say(self.heard.pop())       # it came with the answer
        self.c.execute("unlisten " + channel)

    def large_object(self, step):
        size = int(step.rest)
        say("(psycopg 3 has no large objects: SQL functions)")
        with self.c.transaction():
            oid, = self.rows("select lo_from_bytea(0, $1)", [scenario.lob_bytes(size)])[0]
            data, = self.rows(f"select lo_get({oid}, 10, 5)")[0]
            scenario.say_lob(data, len(self.rows(f"select lo_get({oid})")[0][0]))
            self.c.execute(f"select lo_unlink({oid})")

    def cancel(self, step):
        with scenario.Canceller(self.c.cancel):
            self.c.execute(step.rest)


scenario.play(Driver(), psycopg.Error, lambda e: (e.sqlstate, e.diag.message_primary))
