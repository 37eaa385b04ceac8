"""The query log never holds up a client: a reader that stops, a pipe that nobody reads and a full
disk cost lines, which are counted; what is written is whole, whatever statements are made of."""
import json
import os
import random

import pytest

import cluster
import wire
from pooler import wait_until
from test_observe import Endpoint

pytestmark = pytest.mark.ours

CALLS = 4000


def fifo():
    """A named pipe that the pooler may write to, in a directory of its own."""
    path = cluster.scratch("pgsluice-fifo-") + "/log"
    os.mkfifo(path)
    os.chmod(path, 0o666)
    return path


def ask(c, count=CALLS):
    """Statements that together are far larger than pipe and buffer; all are answered."""
    for at in range(0, count, 100):
        c.send(b"".join(wire.query(f"select {n}, '{'x' * 200}'") for n in range(at, at + 100)))
        for _ in range(100):
            assert c.until()[-1] == (b"Z", b"I")


def test_a_reader_that_stops_costs_lines_and_nothing_else(pooler):
    path = fifo()
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        e = Endpoint(pooler, query_log=path, query_log_buffer=65536)
        with e.pooler.wire() as c:
            ask(c)
            wait_until(lambda: e.metric("query_log_dropped_total") > 0, what="lines are dropped")
            written = []

            def settled():
                """Everything was read, or is known to be lost."""
                try:
                    while True:
                        written.append(os.read(reader, 1 << 20))
                except BlockingIOError:
                    pass
                lines = b"".join(written).count(b"\n")
                return lines + e.metric("query_log_dropped_total") >= CALLS
            wait_until(settled, 30, "every statement was written or counted as lost")
            c.query("select 'it works again'")
            wait_until(lambda: settled() and b"it works again" in b"".join(written), 30)
        lines = [json.loads(line) for line in b"".join(written).split(b"\n") if line]
        assert len(lines) + e.metric("query_log_dropped_total") == CALLS + 1
        wait_until(lambda: e.metric("query_log_lines_total") == len(lines))  # counted once written
    finally:
        os.close(reader)


def test_a_full_disk_is_said_once_and_counted(pooler):
    e = Endpoint(pooler, query_log="/dev/full")
    with e.pooler.wire() as c:
        ask(c, 1000)
    wait_until(lambda: e.metric("query_log_dropped_total") == 1000, what="all are lost")
    assert e.metric("query_log_lines_total") == 0
    said = [line for line in e.pooler.log().splitlines() if "query log" in line]
    assert len(said) == 1 and "/dev/full" in said[0] and "No space left" in said[0]


def test_it_ends_while_nobody_reads(pooler):
    path = fifo()
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        e = Endpoint(pooler, query_log=path)
        with e.pooler.wire() as c:
            ask(c, 1000)
        e.pooler.stop()
    finally:
        os.close(reader)


def test_any_bytes_make_a_line(pooler):
    dice = random.Random(17)
    p = pooler(start=False)
    path = p.dir + "/query.jsonl"
    p.write_config(query_log=path)
    p.start()
    count = 400
    with p.wire() as c:
        for _ in range(count):
            kind = dice.randrange(3)
            if kind == 0:
                text = bytes(dice.randint(1, 255) for _ in range(dice.randint(1, 200)))
                c.send(wire.query(text))
            elif kind == 1:
                text = bytes(dice.choice(b"\\\"'{}\x01\n\t/\xc3\xa9\xf0\x9f\x98\x80\xed\xa0\x80")
                             for _ in range(dice.randint(1, 80)))
                c.send(wire.query(b"select '" + text.replace(b"'", b"''") + b"'"))
            else:
                value = bytes(dice.randint(0, 255) for _ in range(dice.randint(0, 40)))
                c.send(wire.parse("", "select $1::bytea") + wire.bind("", "", (value,), binary=True)
                       + wire.execute() + wire.sync())
            c.until()
    p.stop()
    with open(path, "rb") as f:
        lines = f.read().split(b"\n")
    assert lines.pop() == b""
    entries = [json.loads(line.decode("utf-8")) for line in lines]
    assert len(entries) == count
    assert all("pooler" in e and "message" in e for e in entries)
