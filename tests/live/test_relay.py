"""Whatever passes through the pooler arrives as the server sent it."""
import random

import pytest

import wire
from wire import ServerError, Wire

SQL = [
    "select 1",
    "select 1, 'two', null, 3.5::numeric, '{1,2}'::int[], true",
    "",
    ";",
    "-- nothing but a comment",
    "select generate_series(1, 1000)",
    "select 1; select 2; select 'three'",
    "select repeat('x', 100000)",
    "create temp table t (a int); insert into t select generate_series(1,10); "
    "select sum(a) from t; drop table t",
    "select 1/0",
    "selec 1",
    "begin; select 1; rollback",
    "do $$ begin raise notice 'hello'; raise warning 'there'; end $$",
    "select * from no_such_table",
    "select 1; select 1/0; select 2",
    "show datestyle",
    "select 1 as \"a column with spaces\", 'ünïcödé — ☃'",
    "explain select 1",
    "values (1), (2), (3)",
]


def answers(connection, data):
    """Every message of the answer, but for what differs between two sessions."""
    connection.send(data)
    return [m for m in connection.until(b"Z") if m[0] not in b"S"]


@pytest.fixture
def pair(postgres, pooler):
    p = pooler(pool_mode="session")
    with Wire(postgres.port) as direct, p.wire() as through:
        yield direct, through


@pytest.mark.parametrize("sql", SQL)
def test_simple(pair, sql):
    direct, through = pair
    assert answers(direct, wire.query(sql)) == answers(through, wire.query(sql))


@pytest.mark.parametrize("sql", [s for s in SQL if s.count(";") < 2])
def test_extended(pair, sql):
    direct, through = pair
    data = wire.extended(sql) + wire.sync()
    assert answers(direct, data) == answers(through, data)


def test_extended_in_transaction_mode(postgres, pooler):
    p = pooler(max_open=1)
    with Wire(postgres.port) as direct, p.wire() as through:
        for n in range(50):
            data = wire.extended("select $1::int + $2::int", (n, n)) + wire.sync()
            assert answers(direct, data) == answers(through, data)


def test_binary_parameters_and_results(pair):
    direct, through = pair
    data = (wire.parse("", "select $1::int, $2::bytea", (23, 17)) +
            wire.bind("", "", (b"\0\0\0\7", bytes(range(256))), True, True) +
            wire.describe(b"P") + wire.execute() + wire.sync())
    assert answers(direct, data) == answers(through, data)


def test_named_statements_and_portals(pair):
    direct, through = pair
    data = (wire.parse("s1", "select generate_series(1, 10)") + wire.describe(b"S", "s1") +
            wire.bind("p1", "s1") + wire.execute("p1", 3) + wire.execute("p1", 3) +
            wire.execute("p1") + wire.close(b"P", "p1") + wire.close(b"S", "s1") + wire.sync())
    assert answers(direct, data) == answers(through, data)


def test_pipeline_of_many_syncs(pair):
    direct, through = pair
    data = b"".join(wire.extended("select $1::text", (f"value {n}",)) + wire.sync()
                    for n in range(200))
    for connection in pair:
        connection.send(data)
    for _ in range(200):
        assert direct.until(b"Z") == through.until(b"Z")


def test_error_inside_a_pipeline_skips_to_its_sync(pair):
    direct, through = pair
    data = (wire.extended("select 1") + wire.extended("select 1/0") + wire.extended("select 2") +
            wire.sync() + wire.extended("select 3") + wire.sync())
    for connection in pair:
        connection.send(data)
    for _ in range(2):
        assert direct.until(b"Z") == through.until(b"Z")


def test_flush_brings_answers_before_sync(pair):
    for connection in pair:
        connection.send(wire.extended("select 42") + wire.flush())
        got = connection.until(b"C")
        assert [k for k, _ in got] == [b"1", b"2", b"T", b"D", b"C"]
        connection.send(wire.sync())
        assert [k for k, _ in connection.until(b"Z")] == [b"Z"]


def test_query_after_a_failed_parse_is_skipped_too(pair):
    """The server skips everything up to Sync after an error, simple queries included."""
    data = wire.parse("", "selec") + wire.query("select 1") + wire.sync()
    direct, through = pair
    assert answers(direct, data) == answers(through, data)
    assert answers(direct, wire.query("select 5")) == answers(through, wire.query("select 5"))


@pytest.mark.parametrize("mode", ["simple", "extended"])
def test_copy_out(pair, mode):
    sql = "copy (select n, repeat('x', n % 100) from generate_series(1, 20000) n) to stdout"
    data = wire.query(sql) if mode == "simple" else wire.extended(sql) + wire.sync()
    direct, through = pair
    assert answers(direct, data) == answers(through, data)


@pytest.mark.parametrize("mode", ["simple", "extended"])
@pytest.mark.parametrize("end", ["done", "fail"])
def test_copy_in(pair, mode, end):
    rows = b"".join(b"%d\tvalue %d\n" % (n, n) for n in range(5000))
    results = []
    for connection in pair:
        connection.query("create temp table c (a int, b text)")
        if mode == "simple":
            connection.send(wire.query("copy c from stdin"))
        else:
            connection.send(wire.extended("copy c from stdin") + wire.sync())
        got = connection.until(b"G")
        for at in range(0, len(rows), 7000):
            connection.send(wire.copy_data(rows[at:at + 7000]))
        connection.send(wire.copy_done() if end == "done" else wire.copy_fail("no more"))
        if mode == "extended":
            connection.send(wire.sync())
        got += connection.until(b"Z")
        results.append((got, connection.query("select count(*), sum(a) from c")))
    assert results[0] == results[1]


def test_copy_in_with_everything_sent_at_once(pair):
    """Data, end and the Syncs of an extended COPY leave in one packet; one Z comes back."""
    results = []
    for connection in pair:
        connection.query("create temp table c1 (a int)")
        connection.send(wire.extended("copy c1 from stdin") + wire.sync() +
                        wire.copy_data(b"1\n2\n3\n") + wire.copy_done() + wire.sync())
        got = connection.until(b"Z")
        results.append((got, connection.query("select sum(a) from c1")))
    assert results[0] == results[1]


def test_copy_in_refused(pair):
    """The data of a COPY that was refused follows the error and is ignored."""
    results = []
    for connection in pair:
        connection.send(wire.query("copy no_such_table from stdin"))
        got = connection.until(b"Z")
        connection.send(wire.copy_data(b"1\n") + wire.copy_done())
        results.append((got, connection.query("select 7")))
    assert results[0] == results[1]


@pytest.mark.parametrize("size", [1, 1000, 65530, 65536, 70000, 1 << 20, 30 << 20])
def test_one_row_of_any_size(pair, size):
    direct, through = pair
    sql = f"select repeat('x', {size})"
    assert answers(direct, wire.query(sql)) == answers(through, wire.query(sql))


def test_large_query_text(pair):
    sql = "select length('" + "y" * (5 << 20) + "')"
    direct, through = pair
    assert answers(direct, wire.query(sql)) == answers(through, wire.query(sql))


def test_many_rows(pair):
    sql = "select n, md5(n::text) from generate_series(1, 200000) n"
    direct, through = pair
    assert answers(direct, wire.query(sql)) == answers(through, wire.query(sql))


def test_every_split(postgres, pooler):
    """Requests cut at every byte are the same requests."""
    p = pooler(max_open=1)
    data = (wire.query("select 'a'") + wire.extended("select $1::text", ("bcd",)) + wire.sync() +
            wire.query(""))
    with Wire(postgres.port) as direct:
        direct.send(data)
        expected = [direct.until(b"Z") for _ in range(3)]
    with p.wire() as through:
        for at in range(1, len(data)):
            through.send(data[:at])
            through.send(data[at:])
            got = [through.until(b"Z") for _ in range(3)]
            assert got == expected, f"cut at byte {at}"
        through.send(data, pieces=1)
        assert [through.until(b"Z") for _ in range(3)] == expected


def test_random_splits_of_a_long_pipeline(postgres, pooler):
    p = pooler(max_open=2)
    seed = wire.SEED
    rng = random.Random(seed)
    data = b"".join(
        wire.query(f"select {n}, repeat('z', {rng.randrange(3000)})") if rng.random() < 0.5
        else wire.extended("select $1::text", ("v" * rng.randrange(3000),)) + wire.sync()
        for n in range(100))
    with Wire(postgres.port) as direct, p.wire() as through:
        direct.send(data)
        expected = [direct.until(b"Z") for _ in range(100)]
        at = 0
        while at < len(data):
            step = rng.choice((1, 2, 5, 100, 1000, 5000))
            through.send(data[at:at + step])
            at += step
        for n in range(100):
            assert through.until(b"Z") == expected[n], f"seed {seed}, answer {n}"


def test_error_in_transaction_keeps_the_status(postgres, pooler):
    p = pooler(max_open=1)
    with p.wire() as c:
        assert c.query("begin") == [] and c.status == "T"
        with pytest.raises(ServerError):
            c.query("select 1/0")
        assert c.status == "E"
        with pytest.raises(ServerError) as e:
            c.query("select 1")
        assert e.value.code == "25P02"
        c.query("rollback")
        assert c.status == "I"


def test_function_call(pair):
    """The fast path: int4pl(2, 3) by its oid."""
    body = (b"\0\0\0\xb1" + b"\0\1\0\0" + b"\0\2" + b"\0\0\0\1" + b"2" + b"\0\0\0\1" + b"3" +
            b"\0\0")
    direct, through = pair
    assert answers(direct, wire.message(b"F", body)) == answers(through, wire.message(b"F", body))
