"""Pipelines in transaction mode: many Syncs in flight, Flush, errors in the middle, COPY and the
fast path inside, transactions that begin and end there.  What comes back is what comes back
directly, also when several clients do it over fewer connections.
"""
import os
import random
import struct
import threading

import pytest

import wire
from pooler import wait_until
from wire import Wire

pytestmark = pytest.mark.ours

INT4PL, LO_CREATE, LOREAD, LOWRITE, LO_OPEN, LO_UNLINK = 177, 715, 954, 955, 952, 964
INV_READ, INV_WRITE = 0x40000, 0x20000


def function_call(oid, *values):
    """A FunctionCall with binary values (int or bytes), its answer binary."""
    body = struct.pack("!IHH", oid, 1, 1) + struct.pack("!H", len(values))
    for v in values:
        v = struct.pack("!i", v) if isinstance(v, int) else v
        body += struct.pack("!I", len(v)) + v
    return wire.message(b"F", body + struct.pack("!H", 1))


def transcript(connection, data, marker):
    """All answers to data and to a query behind it, but for S.

    In a failed transaction the server refuses Parse; where it has that statement already the
    pooler has said ParseComplete by then, and the Bind is refused, by the same words.
    """
    connection.send(data + wire.query(f"select '{marker}'"))
    got, seen = [], False
    while not seen or got[-1][0] != b"Z":
        kind, body = connection.receive()
        seen = seen or (kind == b"D" and body.endswith(marker.encode()))
        if kind == b"E" and b"\0C25P02\0" in body:
            body = body.partition(b"\0F")[0]
            if got and got[-1][0] == b"1":
                got.pop()
        if kind != b"S":
            got.append((kind, body))
    return got


# --- by hand ------------------------------------------------------------------------------

CASES = {
    "syncs": [wire.extended("select $1::int4", (n,)) + wire.sync() for n in range(300)],
    "one_sync": [wire.extended("select $1::int4", (n,)) for n in range(300)] + [wire.sync()],
    "error_in_each": [wire.extended("select 1") + wire.extended("select 1/0") +
                      wire.extended("select 3") + wire.sync() for _ in range(50)],
    "error_and_query": [wire.parse("", "selec"), wire.query("select 'skipped'"), wire.sync(),
                        wire.query("select 'not skipped'")],
    "names": [wire.parse("a", "select 'a'"), wire.parse("b", "select 'b'"), wire.describe(b"S", "a"),
              wire.bind("p", "a"), wire.describe(b"P", "p"), wire.bind("q", "b"), wire.execute("q"),
              wire.execute("p"), wire.close(b"S", "a"), wire.close(b"P", "q"),
              wire.parse("a", "select 'a again'"), wire.bind("", "a"), wire.execute(), wire.sync(),
              wire.bind("", "a"), wire.execute(), wire.sync(), wire.bind("", "nobody"), wire.sync(),
              wire.parse("a", "select 'a third'"), wire.sync(), wire.close(b"S", "a"),
              wire.close(b"S", "b"), wire.sync()],
    "portal_in_pieces": [wire.query("begin"), wire.parse("", "select generate_series(1, 100)"),
                         wire.bind("p"), *[wire.execute("p", 7) for _ in range(16)], wire.sync(),
                         wire.query("commit")],
    "transaction": [wire.extended("begin") + wire.sync(), wire.extended("select 1") + wire.sync(),
                    wire.extended("savepoint s") + wire.sync(),
                    wire.extended("select 1/0") + wire.sync(),
                    wire.extended("rollback to s") + wire.sync(),
                    wire.extended("commit") + wire.sync(), wire.extended("select 2") + wire.sync()],
    "copy_out": [wire.extended("copy (select generate_series(1, 500)) to stdout"),
                 wire.extended("select 'behind it'"), wire.sync(),
                 wire.query("copy (select 1) to stdout; select 2"), wire.query("select 3")],
    "copy_in": [wire.extended("copy TABLE from stdin") + wire.copy_data(b"1\n2\n") +
                wire.copy_done() + wire.extended("select sum(a) from TABLE") + wire.sync(),
                wire.query("copy TABLE from stdin") + wire.copy_data(b"3\n") + wire.copy_done(),
                wire.query("select sum(a) from TABLE"),
                wire.extended("copy TABLE from stdin") + wire.copy_fail("changed my mind") +
                wire.sync(), wire.extended("delete from TABLE") + wire.sync()],
    "copy_refused": [wire.extended("copy nowhere from stdin") + wire.copy_data(b"1\n") +
                     wire.copy_done() + wire.sync(), wire.query("select 1"),
                     wire.query("copy nowhere from stdin") + wire.copy_data(b"1\n") +
                     wire.copy_done(), wire.query("select 2")],
    "function": [function_call(INT4PL, 2, 3), wire.extended("select 1") + wire.sync(),
                 function_call(INT4PL, 2147483647, 1), function_call(4711), wire.query("select 2"),
                 wire.parse("", "select 3"), function_call(INT4PL, 4, 5), wire.sync()],
    "empty": [wire.sync(), wire.flush(), wire.sync(), wire.query(""), wire.extended("") + wire.sync(),
              wire.flush()],
}


@pytest.fixture(scope="module")
def tables(postgres):
    for n in range(8):
        postgres.sql(f"create table pipe_{n} (a int)", dbname="shop")
        postgres.sql(f"grant all on pipe_{n} to public", dbname="shop")
    yield
    for n in range(8):
        postgres.sql(f"drop table pipe_{n}", dbname="shop")


def joined(case, n=0):
    """The messages of a case with the table of client n in them."""
    out = b""
    data = b"".join(case)
    at = 0
    while at < len(data):
        size = wire_size(data, at)
        body = data[at + 5:at + size].replace(b"TABLE", b"pipe_%d" % n)
        out += wire.message(data[at:at + 1], body)
        at += size
    return out


def wire_size(data, at):
    return struct.unpack("!I", data[at + 1:at + 5])[0] + 1


@pytest.mark.parametrize("max_open", [1, 2])
@pytest.mark.parametrize("name", CASES)
def test_the_same_as_directly(postgres, pooler, tables, name, max_open):
    p = pooler(max_open=max_open)
    data = joined(CASES[name])
    with Wire(postgres.port) as direct, p.wire() as through, p.wire() as other:
        expected = transcript(direct, data, "end")
        assert transcript(through, data, "end") == expected
        other.query("select 'another client'")
        assert transcript(through, data, "end") == expected
        assert transcript(other, data, "end") == expected
    wait_until(lambda: p.pool()["sv_active"] == 0)


def test_a_statement_whose_parse_was_skipped(postgres, pooler):
    """The next batches use the same text, before anybody can know that it was never parsed."""
    p = pooler(max_open=1)
    use = [wire.parse(f"n{n}", "select 'the text', $1::int4") + wire.bind("", f"n{n}", (n,)) +
           wire.execute() + wire.sync() for n in range(4)]
    for first in (wire.extended("select 1/0"), wire.query("begin") + wire.extended("select 1/0"),
                  wire.extended("begin") + wire.sync() + wire.query("select 1/0")):
        data = first + b"".join(use[:2]) + wire.query("rollback") + b"".join(use[2:])
        with Wire(postgres.port) as direct, p.wire() as through:
            assert transcript(through, data, "end") == transcript(direct, data, "end")
            assert through.query("select 7") == [["7"]]


def test_flush_brings_answers_while_more_is_on_its_way(pooler):
    p = pooler(max_open=1)
    with p.wire() as c:
        for n in range(20):
            c.send(wire.extended("select $1::int4", (n,)) + wire.flush())
            assert c.until(b"C")[-2][1].endswith(str(n).encode())
        c.send(wire.sync())
        assert [k for k, _ in c.until()] == [b"Z"]


@pytest.mark.parametrize("rounds", [3])
def test_large_objects_by_the_fast_path(pooler, rounds):
    """lo_* as libpq calls them, the calls of a transaction in one pipeline, by two clients."""
    p = pooler(max_open=1)

    def value(c):
        (kind, body), (end, _) = c.until(b"Z")
        assert (kind, end) == (b"V", b"Z"), wire.fields(body)
        return body[4:]

    with p.wire() as a, p.wire() as b:
        for _ in range(rounds):
            for c in (a, b):
                data = os.urandom(50000)
                c.send(wire.query("begin") + function_call(LO_CREATE, 0))
                c.until(b"Z")
                oid, = struct.unpack("!i", value(c))
                c.send(function_call(LO_OPEN, oid, INV_READ | INV_WRITE))
                fd, = struct.unpack("!i", value(c))
                c.send(function_call(LOWRITE, fd, data) + wire.query(f"select 1 from lo_lseek({fd}, 0, 0)") +
                       function_call(LOREAD, fd, 60000) + function_call(LO_UNLINK, oid) +
                       wire.query("commit"))
                assert struct.unpack("!i", value(c)) == (len(data),)
                c.until(b"Z")
                assert value(c) == data
                assert struct.unpack("!i", value(c)) == (1,)
                c.until(b"Z")
                assert c.status == "I"


# --- at random -------------------------------------------------------------------------------

def random_batch(rng):
    """One batch of messages up to and with what ends it."""
    def value():
        return rng.choice([rng.randrange(1000), "x" * rng.randrange(2000)])

    def statement():
        name = f"s{rng.randrange(1 << 30)}"
        return rng.choice([
            wire.extended("select $1::text, length($1)", (value(),)),
            wire.extended("select generate_series(1, $1::int4)", (rng.randrange(50),)),
            wire.parse(name, "select 's', $1::text") + wire.bind("", name, (value(),)) +
            wire.describe(b"P") + wire.execute() + wire.close(b"S", name),
            wire.extended("copy (select generate_series(1, 20)) to stdout"),
            wire.extended("copy TABLE from stdin") + wire.copy_data(b"%d\n" % rng.randrange(9)) +
            wire.copy_done(),
            wire.extended("select sum(a), count(*) from TABLE"),
            wire.extended("update TABLE set a = a + 1"),
            wire.extended("select 1/0"), wire.parse("", "selec"), wire.bind("", "nobody"),
            wire.extended("begin"), wire.extended("commit"), wire.extended("rollback"),
            wire.flush(), wire.describe(b"S", "nobody")])
    kind = rng.random()
    if kind < 0.15:
        return wire.query(rng.choice([
            "select 1; select 2", "begin", "commit", "rollback", "select 1/0", "", "select count(*) from TABLE",
            "insert into TABLE values (1); select 1/0", "delete from TABLE where a > 5"]))
    if kind < 0.25:
        return function_call(INT4PL, rng.randrange(100), rng.randrange(100))
    return b"".join(statement() for _ in range(rng.randrange(6))) + wire.sync()


def test_at_random(postgres, pooler, tables):
    """Six clients over two connections; each as if it were alone with the server."""
    p = pooler(max_open=2)
    seed = wire.SEED
    failures = []

    def client(n):
        rng = random.Random(seed + n)
        name = n + 1
        try:
            with Wire(postgres.port) as direct, p.wire() as through:
                for turn in range(25):
                    # a transaction left open would hold a connection that others wait for
                    data = joined([random_batch(rng) for _ in range(rng.randrange(1, 12))] +
                                  [wire.query("rollback")], name)
                    expected = transcript(direct, joined([wire.query("truncate TABLE")], name) + data,
                                          f"turn {turn}")
                    got = transcript(through, joined([wire.query("truncate TABLE")], name) + data,
                                     f"turn {turn}")
                    if got != expected:
                        at = next(i for i, (a, b) in enumerate(zip(got + [None], expected + [None]))
                                  if a != b)
                        failures.append(f"seed {seed}, client {n}, turn {turn}, message {at}: "
                                        f"{got[at:at + 3]} instead of {expected[at:at + 3]}")
                        return
        except Exception as e:      # noqa: BLE001 - a thread's failure must reach the test
            failures.append(f"seed {seed}, client {n}: {e!r}")

    threads = [threading.Thread(target=client, args=(n,)) for n in range(6)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert failures == [], "\n".join(failures) + p.log()[-1500:]


def test_half_a_batch_that_looks_whole_holds_no_server(pooler):
    """What a first piece ends with is a Sync only where a message begins."""
    p = pooler(max_open=1)

    def batch(value):
        return wire.parse("", "select octet_length($1::bytea)") + \
            wire.bind(values=[value], binary=True) + wire.describe(b"P") + wire.execute() + wire.sync()
    with p.wire() as c, p.wire() as other:
        for _ in range(3):  # the text is the client's unnamed statement by now
            c.send(batch(b"x"))
            assert [body[-1:] for kind, body in c.until() if kind == b"D"] == [b"1"]
        data = batch(b"y" * 20 + wire.sync() + b"z" * 20)
        cut = data.index(wire.sync()) + len(wire.sync())
        c.send(data[:cut])
        assert other.one("select 1") == "1", "the only server connection is free"
        c.send(data[cut:])
        assert [body[-2:] for kind, body in c.until() if kind == b"D"] == [b"45"]
        assert other.one("select 2") == "2"


def test_the_same_batch_again_and_again_after_errors(pooler):
    """A text that the client's unnamed statement has already, also where it failed before."""
    p = pooler(max_open=2)
    steps = [("select 1", ()), ("select 10 / $1::int", ("0",)), ("select 10 / $1::int", ("5",)),
             ("select nothing", ()), ("select nothing", ())]

    def play(connection):
        got = []
        for sql, values in steps * 3:
            for times in (1, 3, 1):
                connection.send(wire.extended(sql, values) * times + wire.sync())
                got.append([(kind, wire.fields(body)["C"] if kind == b"E" else body)
                            for kind, body in connection.until()])
        return got
    with p.wire() as one, p.wire() as two, p.wire() as three:
        first = play(one)
        assert play(two) == first and play(three) == first
    kinds = [b"".join(kind for kind, _ in exchange) for exchange in first]
    assert kinds[0] == b"12TDCZ" and kinds[1] == b"12TDC" * 3 + b"Z", kinds[:2]
    assert kinds[3] == kinds[5] == b"1EZ" and kinds[6] == b"12TDCZ" and kinds[9] == b"EZ", kinds
