"""SHOW QUERIES counts what pg_stat_statements counts: a hundred shapes, sent in every way there is,
and the calls and rows of each are compared.  QUERY_CALLS says how many calls in all."""
import collections
import os
import random
import re
import threading

import pytest

import cluster
import wire
from pooler import SANITIZED, wait_still, wait_until
from wire import Wire

pytestmark = pytest.mark.ours

CALLS = int(os.environ.get("QUERY_CALLS", "3000" if SANITIZED else "12000"))
TABLES, CLIENTS, BATCH = 100, 6, 40


@pytest.fixture(scope="module")
def counting():
    """A server with pg_stat_statements and a hundred tables s00 to s99 of ten rows."""
    server = cluster.Postgres(
        shared_preload_libraries="pg_stat_statements",
        **{"pg_stat_statements.track_utility": "on", "pg_stat_statements.save": "off"})
    server.sql("create extension pg_stat_statements", dbname="shop")
    for n in range(TABLES):
        server.sql(f"create table s{n:02} as select id, id % 3 as v, 'n' || id as name "
                   f"from generate_series(1, 10) id; grant all on s{n:02} to public",
                   dbname="shop")
    yield server
    server.close()


def statement(table, n):
    """A call of the table's own shape: messages, and how many ReadyForQuery they bring."""
    t, kind = f"s{table:02}", table % 10
    if kind == 0:
        return wire.query(f"select v from {t} where id = {n}"), 1
    if kind == 1:
        return wire.query(f"select id from {t} where name = 'n{n}' or name='it''s {n}'"), 1
    if kind == 2:
        return wire.query(f"select count(*), {n}.5 from {t} where id in ({n}, {n + 1}) -- {n}"), 1
    if kind == 3:
        return wire.query(f"select * from {t} /* {n} */ where name like 'n{n}%' limit {n}"), 1
    if kind == 4:
        return wire.query(f"update {t} set v = v + {n} where id <= {n} returning id"), 1
    if kind == 5:
        return wire.extended(f"select id from {t} where id < $1", (n,)) + wire.sync(), 1
    if kind == 6:
        return wire.bind("", f"p{table}", (n,)) + wire.execute() + wire.sync(), 1
    if kind == 7:  # three in one batch
        one = wire.bind("", f"p{table}", (n,)) + wire.describe(b"P") + wire.execute()
        return one * 3 + wire.sync(), 1
    if kind == 8:  # fails now and then, and takes what is behind it along
        good, bad = (wire.extended(f"select 1 / (id - $1::int) from {t} where id = 5", (k,))
                     for k in (3, 5))
        return good + (bad + good if n % 3 == 0 else b"") + wire.sync(), 1
    return wire.query(f"insert into {t} values ({n}, 1, 'a'), ({n}, 2, 'b')") + \
        wire.query(f"delete from {t} where id = {n} and name in ('a', 'b')"), 2


def play(port, seed, calls):
    """One client: batches of calls of all shapes, each in a pipeline."""
    dice = random.Random(seed)
    with Wire(port, timeout=60) as c:
        for table in range(TABLES):
            if table % 10 in (6, 7):
                c.send(wire.parse(f"p{table}", f"select name from s{table:02} where id <= $1::int")
                       + wire.sync())
                c.until()
        while calls > 0:
            batch = [statement(dice.randrange(TABLES), dice.randint(1, 9)) for _ in range(BATCH)]
            c.send(b"".join(b for b, _ in batch))
            for _ in range(sum(z for _, z in batch)):
                c.until()
            calls -= BATCH


def theirs(server):
    """Calls and rows by shape, as the server tells them."""
    rows = server.sql("select query, calls, rows from pg_stat_statements s join pg_database d "
                      "on d.oid = s.dbid where datname = 'shop'", dbname="shop")
    return by_table(rows)


def by_table(rows):
    """The sums of all shapes of one table and verb, by the two."""
    found = collections.defaultdict(lambda: [0, 0])
    for text, calls, count in rows:
        verb = re.search(r"\w+", text)[0].lower()
        m = re.search(r"\bs(\d\d)\b", text)
        if verb in ("declare", "fetch", "close") or (m and verb not in ("create", "grant")):
            # names of cursors are not kept
            key = (int(m[1]) if m and verb not in ("declare", "fetch", "close") else None, verb)
            found[key][0] += int(calls)
            found[key][1] += int(count)
    return dict(found)


def shown(p):
    with p.wire(database="pgbouncer", user="postgres") as c:
        return c.table("show queries")


def ours(p):
    """The same as SHOW QUERIES tells it; the server does not count what failed."""
    return by_table((r["query"], int(r["calls"]) - int(r["errors"]), r["rows"]) for r in shown(p))


@pytest.mark.parametrize("workers", [1, 2])
def test_calls_and_rows_are_those_of_the_server(pooler, counting, workers):
    p = pooler(on=counting, track_queries="all", workers=workers, max_open=4)
    counting.sql("select pg_stat_statements_reset()", dbname="shop")
    players = [threading.Thread(target=play, args=(p.port, f"{workers}/{n}", CALLS // 2 // CLIENTS))
               for n in range(CLIENTS)]
    for t in players:
        t.start()
    for t in players:
        t.join()
    server = theirs(counting)
    assert sum(c for c, _ in server.values()) >= CALLS // 2 and len(server) == TABLES + 10
    mine = wait_still(lambda: ours(p))
    assert {k: v for k, v in mine.items() if v != server.get(k)} == \
        {k: v for k, v in server.items() if v != mine.get(k)}
    rows = shown(p)
    # no literal made two of one shape
    assert sum(bool(re.search(r"\bs\d\d\b", r["query"])) for r in rows) == TABLES + 10
    with p.wire(database="pgbouncer", user="postgres") as c:
        for kind in ("users", "databases", "applications"):
            total, = [r for r in c.table(f"show queries_{kind}")]
            for column in ("calls", "rows", "errors", "bytes_in", "bytes_out"):
                assert int(total[column]) == sum(int(r[column]) for r in rows), (kind, column)


def test_sql_cursors_copies_and_several_at_once(pooler, counting):
    p = pooler(on=counting, track_queries="all", on_session_feature="pin")
    counting.sql("select pg_stat_statements_reset()", dbname="shop")
    with p.wire() as c:
        for n in range(1, 6):
            c.query("begin")
            c.query(f"declare s10 cursor for select * from s11 where id > {n}")
            c.query(f"fetch {n} from s10")
            c.query("fetch all in s10")
            c.query("close s10")
            c.query("commit")
            c.query(f"copy (select * from s12 where id <= {n}) to stdout")
            c.send(wire.query("copy s13 from stdin"))
            c.until(b"G")
            c.send(wire.copy_data(b"1\t2\tx\n" * n) + wire.copy_done())
            c.until()
            c.query(f"select {n} from s14; select id from s14 where id = {n}")
        c.query("prepare s15 as select * from s15 where id <= $1")
        for n in range(1, 6):
            c.query(f"execute s15({n})")
        server, mine = theirs(counting), None

        def all_counted():
            nonlocal mine
            mine = ours(p)
            return mine.get((15, "execute"), [0])[0] == 5
        wait_until(all_counted)
    several = mine.pop((14, "select"))
    assert [2 * several[0], several[1]] == server.pop((14, "select"))  # one Query is one call
    assert mine.pop((15, "execute")) == server.pop((15, "prepare"))  # that is what it calls it
    assert mine.pop((15, "prepare")) == [1, 0]
    assert mine == server


def test_a_portal_in_pieces_is_one_call(pooler, counting):
    """Two portals are fetched in turn; another statement comes between."""
    p = pooler(on=counting, track_queries="all")
    with p.wire() as c:
        c.send(wire.query("begin"))
        c.until()
        c.send(wire.parse("", "select id from s20") + wire.bind("a") +
               wire.parse("", "select v from s21 where id > $1::int") + wire.bind("b", "", (2,)) +
               wire.execute("a", 4) + wire.execute("b", 3) + wire.execute("a", 4) +
               wire.extended("select name from s22") +
               wire.execute("b", 100) + wire.execute("a", 4) + wire.sync())
        got = [kind for kind, _ in c.until()]
        assert got.count(b"s") == 3 and got.count(b"C") == 3, got
        c.query("commit")
        c.query("select id from s20")

    def counted():
        return ours(p) if ours(p).get((20, "select"), [0])[0] == 2 else None
    mine = wait_until(counted)
    assert mine[20, "select"] == [2, 20] and mine[21, "select"] == [1, 8]
    assert mine[22, "select"] == [1, 10]


def test_more_shapes_than_room(pooler, counting):
    """An attack of ever new shapes: bounded, sums are exact, what is used stays apart."""
    p = pooler(on=counting, track_queries="all", track_queries_max=50)
    attack = 2000
    with p.wire() as c:
        for at in range(0, attack, 50):
            c.send(b"".join(wire.query(f"select 1 as a{n}") + wire.query(
                f"select v from s30 where id = {n % 9}") for n in range(at, at + 50)))
            for _ in range(100):
                c.until()
    rows = wait_until(lambda: (lambda r: r if sum(int(x["calls"]) for x in r) == 2 * attack
                               else None)(shown(p)))
    assert len(rows) <= 51 and rows[-1]["query"] == "other" and rows[-1]["shape"] is None
    hot, = [r for r in rows if "s30" in r["query"]]
    assert hot["calls"] == str(attack)
    assert sum(int(r["rows"]) for r in rows) == attack + sum(
        1 for n in range(attack) if 1 <= n % 9)


def test_reset_and_first_and_last_seen(pooler, counting):
    p = pooler(on=counting, track_queries="all")
    with p.wire() as c, p.wire(database="pgbouncer", user="postgres") as admin:
        c.send(wire.parse("kept", "select v from s40 where id = $1") + wire.sync())
        c.until()
        for turn in range(3):
            for n in range(turn + 1):
                c.send(wire.bind("", "kept", (n,)) + wire.execute() + wire.sync())
                c.until()
            row, = wait_until(lambda: [r for r in shown(p) if r["calls"] == str(turn + 1)])
            assert row["first_seen"] <= row["last_seen"]
            admin.query("reset_queries")
            assert shown(p) == []
