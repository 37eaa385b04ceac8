"""Prepared statements that servers share: plans that go stale, comments that differ."""
import asyncio
import json

import asyncpg
import psycopg
import pytest

import wire
from pooler import wait_until
from wire import ServerError

pytestmark = pytest.mark.ours

SELECT = "select * from shifting"


@pytest.fixture
def shifting(postgres):
    """A table whose columns the test changes, behind the pooler's back."""
    with psycopg.connect(postgres.dsn(dbname="shop"), autocommit=True) as direct:
        direct.execute("drop table if exists shifting")
        direct.execute("create table shifting (a int)")
        direct.execute("insert into shifting values (1)")
        direct.execute("grant all on shifting to public")
        yield direct
        direct.execute("drop table if exists shifting")


def run(name, described=True):
    return wire.bind("", name) + (wire.describe(b"P") if described else b"") + wire.execute() + \
        wire.sync()


def prepare(c, name, sql=SELECT):
    c.send(wire.parse(name, sql) + wire.describe(b"S", name) + wire.sync())
    c.result()


# --- a failed transaction ------------------------------------------------------------

def test_a_known_text_is_refused_in_a_failed_transaction(pooler):
    """As without us: Parse fails, the name stays free, and what ends the transaction is prepared."""
    p = pooler(max_open=1)
    with p.wire() as a, p.wire() as b:
        for name, sql in ("s", "select 7"), ("end", "rollback"):
            prepare(b, name, sql)
        a.begin()
        with pytest.raises(ServerError):
            a.query("select 1/0")
        a.send(wire.parse("s", "select 7") + wire.describe(b"S", "s") + wire.sync())
        got = a.until()
        assert [k for k, _ in got] == [b"E", b"Z"], got
        assert wire.fields(got[0][1])["C"] == "25P02"
        a.send(wire.parse("r", "rollback") + run("r", described=False))
        assert [k for k, _ in a.until()] == [b"1", b"2", b"C", b"Z"]
        prepare(a, "s", "select 7")  # under the name that was refused
        for c in a, b, a:
            c.send(run("s"))
            assert c.result() == [["7"]]
    assert "integrity" not in p.log()


@pytest.mark.parametrize("pipelined", [False, True])
@pytest.mark.parametrize("sql", ["update pg_class set relpages = $1 where relname = $2 and false", "set my.var = 1"])
def test_a_failed_transaction_describes_what_returns_no_rows(pooler, postgres, sql, pipelined):
    """As without us, also on a connection that has not got the statement and cannot prepare it."""
    p = pooler(max_open=2)

    def heard(c):
        c.query("begin")
        fails = wire.query("select 1/0")
        asks = wire.parse("", "rollback") + wire.bind() + wire.describe(b"S", "none") + wire.execute() + wire.sync()
        c.send(fails + asks if pipelined else fails)
        got = c.until()
        if not pipelined:
            c.send(asks)
        return got + c.until()

    def told(got):
        return [(k, wire.fields(v)["C"] if k == b"E" else bytes(v)) for k, v in got]

    with wire.Wire(postgres.port) as direct, p.wire() as a, p.wire() as b, p.wire() as c:
        b.begin()
        b.query("select 1")
        a.begin()
        had = a.one("select pg_backend_pid()")
        for x in direct, a:
            prepare(x, "none", sql)
        a.query("commit")
        b.query("commit")
        want = told(heard(direct))
        assert [k for k, _ in want] == [b"E", b"Z", b"1", b"2", b"t", b"n", b"C", b"Z"], want
        for x in b, c:
            x.begin()
        for x in b, c:  # a may have the connection that lacks its statement, then the other
            pid = x.one("select pg_backend_pid()")
            x.query("commit")
            assert told(heard(a)) == want, (pid, had)
            x.begin()
            x.query("select 1")
        b.query("commit")
        c.query("commit")
    assert "integrity" not in p.log()


# --- cached plan must not change result type ------------------------------------------

def test_a_stale_plan_heals_unseen(pooler, shifting):
    p = pooler(max_open=1)
    with p.wire() as a:
        prepare(a, "s")
        a.send(run("s"))
        assert a.result() == [["1"]]
        shifting.execute("alter table shifting add b text default 'new'")
        a.send(run("s"))
        got = a.until()
        assert [k for k, _ in got] == [b"2", b"T", b"D", b"C", b"Z"], got
        assert [n for n, _ in wire.columns(got[1][1])] == ["a", "b"]
        assert wire.row(got[2][1]) == ["1", "new"]
        a.send(run("s"))
        assert a.result() == [["1", "new"]]
    assert "integrity" not in p.log()


def test_a_stale_plan_heals_on_every_connection(pooler, shifting):
    """Two server connections have the old plan; no client sees an error of either."""
    p = pooler(max_open=2)
    with p.wire() as a, p.wire() as b, p.wire() as c:
        for x in (a, b, c):
            prepare(x, "mine")
        for x in (a, b):
            x.begin()
        for x in (a, b):  # both connections have it now
            x.send(run("mine"))
            assert x.result() == [["1"]]
            x.query("commit")
        shifting.execute("alter table shifting add b text default 'new'")
        for x in (a, b):  # at once, so that both connections are used
            x.send(run("mine"))
        for x in (a, b):
            assert x.result() == [["1", "new"]]
        for _ in range(3):
            for x in (a, b, c):
                x.send(run("mine"))
                assert x.result() == [["1", "new"]]


def test_a_second_connection_that_fails_later_changes_nothing(pooler, shifting):
    """Its plan was as old as the first one's: who has prepared again since is served."""
    p = pooler(max_open=2)
    with p.wire() as a, p.wire() as b:
        for x in (a, b):
            prepare(x, "s")
            x.begin()
        for x in (a, b):  # both connections have it now
            x.send(run("s", described=False))
            assert x.result() == [["1"]]
            x.query("commit")
        shifting.execute("select pg_advisory_lock(4711)")
        shifting.execute("alter table shifting add b text default 'new'")
        b.send(wire.parse("", "select pg_advisory_xact_lock(4711)") + wire.bind("", "") + wire.execute() +
               run("s", described=False))
        wait_until(lambda: shifting.execute("select count(*) from pg_locks where locktype = 'advisory' and not granted").fetchone()[0])
        a.send(run("s", described=False))
        with pytest.raises(ServerError) as e:
            a.result()
        assert e.value.code == "0A000"
        a.send(wire.close(b"S", "s") + wire.parse("s", SELECT) + wire.describe(b"S", "s") + wire.sync())
        a.result()
        shifting.execute("select pg_advisory_unlock(4711)")
        with pytest.raises(ServerError) as e:
            b.result()
        assert e.value.code == "0A000"
        a.send(run("s", described=False))
        assert a.result() == [["1", "new"]]


def test_a_client_that_asks_for_no_columns_is_told(pooler, shifting):
    """Nobody may take the new rows for the old ones: PostgreSQL's error, once."""
    p = pooler(max_open=1)
    with p.wire() as a, p.wire() as b:
        prepare(a, "s")
        prepare(b, "s")
        a.send(run("s", described=False))
        assert a.result() == [["1"]]
        shifting.execute("alter table shifting add b text default 'new'")
        a.send(run("s", described=False))
        with pytest.raises(ServerError) as e:
            a.result()
        assert e.value.code == "0A000"
        for c in (a, b):
            c.send(run("s", described=False))
            with pytest.raises(ServerError) as e:
                c.result()
            assert e.value.code == "0A000" and e.value.fields["R"] == "RevalidateCachedQuery"
            c.send(wire.close(b"S", "s") + wire.parse("s", SELECT) + wire.describe(b"S", "s") +
                   wire.sync())
            c.result()
            c.send(run("s", described=False))
            assert c.result() == [["1", "new"]]


def test_a_connection_that_never_had_it(pooler, shifting):
    """Prepared before the change, used after it on a connection that has not met it."""
    p = pooler(max_open=2)
    with p.wire() as a, p.wire() as b:
        prepare(a, "s")
        a.send(run("s", described=False))
        a.result()
        shifting.execute("alter table shifting alter a type float8")
        b.begin()  # takes the connection that knows it
        a.send(run("s", described=False))
        with pytest.raises(ServerError) as e:
            a.result()
        assert e.value.code == "0A000"
        assert a.one("select 5") == "5"
        b.query("commit")


def test_the_first_use_on_a_connection_goes_on_when_nothing_changed(pooler, shifting):
    p = pooler(max_open=2)
    with p.wire() as a, p.wire() as b:
        prepare(a, "s")
        b.begin()
        for _ in range(3):
            a.send(run("s", described=False) + run("s", described=False) +
                   wire.query("select 9"))
            assert [a.result() for _ in range(3)] == [[["1"]], [["1"]], [["9"]]]
        b.query("commit")


def test_in_a_transaction_it_fails_as_ever(pooler, shifting):
    p = pooler(max_open=1)
    with p.wire() as a:
        prepare(a, "s")
        a.send(run("s"))
        a.result()
        shifting.execute("alter table shifting add b text default 'new'")
        a.begin()
        a.send(run("s"))
        with pytest.raises(ServerError) as e:
            a.result()
        assert e.value.code == "0A000" and a.status == "E"
        a.query("rollback")
        a.send(run("s"))
        assert a.result() == [["1", "new"]]


def test_behind_another_statement_of_the_batch_it_fails(pooler, shifting):
    """Something was done before it in the same implicit transaction: it is not done twice."""
    p = pooler(max_open=1)
    with p.wire() as a:
        prepare(a, "s")
        a.send(run("s"))
        a.result()
        prepare(a, "i", "insert into shifting values (2)")
        shifting.execute("alter table shifting add b text default 'new'")
        a.send(wire.bind("", "i") + wire.describe(b"P") + wire.execute() + run("s"))
        with pytest.raises(ServerError) as e:
            a.result()
        assert e.value.code == "0A000"
        a.send(run("s"))
        assert a.result() == [["1", "new"]]  # the insert was rolled back, as without us


def test_a_new_preparer_does_not_meet_the_old_plan(pooler, shifting):
    """Its Parse succeeded a moment ago: its Describe must not fail over another's old plan."""
    p = pooler(max_open=1)
    with p.wire() as a, p.wire() as b:
        prepare(a, "s")
        a.send(run("s"))
        a.result()
        shifting.execute("alter table shifting add b text default 'new'")
        b.send(wire.parse("t", SELECT) + wire.describe(b"S", "t") + wire.sync())
        got = b.until()
        assert [k for k, _ in got] == [b"1", b"t", b"T", b"Z"], got
        assert [n for n, _ in wire.columns(got[2][1])] == ["a", "b"]
        b.send(run("t"))
        assert b.result() == [["1", "new"]]


def test_two_batches_in_flight(pooler, shifting):
    """The second is on its way when the first fails: nothing is sent twice, both answered."""
    p = pooler(max_open=1)
    with p.wire() as a:
        prepare(a, "s")
        a.send(run("s"))
        a.result()
        shifting.execute("alter table shifting add b text default 'new'")
        a.send(run("s") + run("s"))
        codes = []
        for _ in range(2):
            try:
                codes.append(a.result())
            except ServerError as e:
                codes.append(e.code)
        assert codes in (["0A000", [["1", "new"]]], ["0A000", "0A000"])
        a.send(run("s"))
        assert a.result() == [["1", "new"]]
    assert "integrity" not in p.log()


def test_what_cannot_be_prepared_any_more_says_so(pooler, shifting):
    p = pooler(max_open=1)
    with p.wire() as a:
        prepare(a, "s", "select a from shifting")
        a.send(run("s"))
        a.result()
        shifting.execute("alter table shifting alter a type text")
        a.send(run("s"))
        assert a.result() == [["1"]]
        shifting.execute("drop table shifting")
        a.send(run("s"))
        with pytest.raises(ServerError) as e:
            a.result()
        assert e.value.code == "42P01"
        assert a.one("select 1") == "1"


def test_psycopg_over_ddl(pooler, shifting):
    p = pooler(max_open=2)
    with psycopg.connect(p.dsn(), autocommit=True) as c:
        c.prepare_threshold = 0
        for extra in range(4):
            for _ in range(5):
                assert len(c.execute(SELECT).fetchone()) == extra + 1
            shifting.execute(f"alter table shifting add x{extra} int")


def test_asyncpg_over_ddl(pooler, shifting):
    """asyncpg prepares anew when it is told, once; that must be enough with two connections."""
    p = pooler(max_open=2)

    async def go():
        cs = [await asyncpg.connect(host="127.0.0.1", port=p.port, user="trusty", database="shop")
              for _ in range(4)]
        for extra in range(3):
            for _ in range(3):
                for rows in await asyncio.gather(*(c.fetch(SELECT) for c in cs)):
                    assert len(rows[0]) == extra + 1
            shifting.execute(f"alter table shifting add x{extra} int")
        for c in cs:
            await c.close()
    asyncio.run(go())


# --- comments ---------------------------------------------------------------------------

def statements(p):
    """How many of ours the one server connection has."""
    with p.wire() as c:
        return int(c.one("select count(*) from pg_prepared_statements where name ~ '^PGSLUICE'"))


def prepare_and_run(c, name, sql, values=("7",)):
    c.send(wire.parse(name, sql) + wire.bind("", name, values) + wire.describe(b"P") +
           wire.execute() + wire.sync())
    return c.result()


@pytest.mark.parametrize("text", [
    "select $1::int /*traceparent='00-{0:032x}-{0:016x}-01',route='%2Fshop'*/",
    "select $1::int /*traceparent='{0}'*/;",
    "select $1::int; /* {0} */ /* and /* nested */ {0} */",
    "/* request {0} */ select $1::int",
    "-- request {0}\n  select $1::int",
    "/*a{0}*/ select $1::int, ';', $$/*$$, E'\\'', \"pg_class\".oid from pg_class limit 1 /*{0}*/",
])
def test_comments_around_a_statement_share_it(pooler, text):
    p = pooler(max_open=1)
    with p.wire() as a, p.wire() as b:
        for i in range(20):
            c = (a, b)[i % 2]
            assert prepare_and_run(c, f"s{i}", text.format(i))[0][0] == "7"
        assert statements(p) == 1
        for i in range(20):  # and each name goes on to work
            c = (a, b)[i % 2]
            c.send(wire.bind("", f"s{i}", ("8",)) + wire.execute() + wire.sync())
            assert c.result()[0][0] == "8"


@pytest.mark.parametrize("text", [
    "/*+ SeqScan(t{0}) */ select $1::int",        # a hint changes the plan
    "select $1::int, '/*{0}*/'",                  # not comments at all
    "select $1::int as \"/*{0}*/\"",
    "select $1::int, $x$ {0} */$x$",
    "select $1::int /*{0}*/ + 0",                 # inside: left as it is
])
def test_what_matters_stays_apart(pooler, text):
    p = pooler(max_open=1)
    with p.wire() as a:
        for i in range(5):
            assert prepare_and_run(a, f"s{i}", text.format(i))[0][0] == "7"
    assert statements(p) == 5


def test_the_position_of_an_error_counts_the_comment(pooler, postgres):
    p = pooler(max_open=1)
    sql = "/* größe */ select nothing_here /* behind */"
    places = []
    for port in (postgres.port, p.port):
        with wire.Wire(port) as c:
            c.send(wire.parse("s", sql) + wire.sync())
            error = wire.fields(c.until()[0][1])
            assert error["C"] == "42703"
            places.append(error["P"])
    assert places[0] == places[1] == str(sql.index("nothing_here") + 1)


def test_the_query_log_has_the_comment(pooler):
    p = pooler(max_open=1, query_log="queries.json", query_log_parameters="on")
    sql = "select $1::int /*traceparent='{}'*/"
    with p.wire() as a:
        for i in range(3):
            prepare_and_run(a, f"s{i}", sql.format(i))

    def logged():
        with open(f"{p.dir}/queries.json", encoding="utf-8") as f:
            return [json.loads(line) for line in f if "traceparent" in line]
    lines = wait_until(lambda: len(x := logged()) == 3 and x, 10, "three lines")
    for i, line in enumerate(lines):
        assert sql.format(i) in line["message"]
    with p.console() as c:
        assert statements(p) == 1 and c


@pytest.mark.ours
@pytest.mark.parametrize("how", ["discard all", "/* by */ discard all -- now"])
def test_a_prepared_statement_that_discards_itself(pooler, how):
    """By name, as psycopg 3 with prepare_threshold = 0 sends it."""
    p = pooler(max_open=1, query_log="query.jsonl")
    with p.wire() as a, p.wire() as b:
        b.send(wire.parse("kept", "select 5") + wire.sync())
        b.until()
        for _ in range(3):
            a.send(wire.parse("kept", "select 5") + wire.parse("bye", how) + wire.sync())
            a.until()
            a.send(wire.bind("", "bye") + wire.execute() + wire.sync())
            assert a.result() == []
            with pytest.raises(wire.ServerError, match="kept"):
                a.send(wire.bind("", "kept") + wire.execute() + wire.sync())
                a.result()
            b.send(wire.bind("", "kept") + wire.execute() + wire.sync())
            assert b.result() == [["5"]]
            a.send(wire.parse("kept", "select 5") + wire.sync())
            assert [k for k, _ in a.until() if k != b"N"] == [b"1", b"Z"]
            a.send(wire.close(b"S", "kept") + wire.sync())
            a.until()


# --- how many a connection keeps -------------------------------------------------------

def test_a_connection_keeps_no_more_than_max_prepared_statements(pooler):
    """Also those that its clients prepare themselves; all go on working, in batches and behind one that fails."""
    p = pooler(max_open=1, max_prepared_statements=3)
    names = [f"s{i}" for i in range(8)]
    with p.wire() as c:
        for i, name in enumerate(names):
            prepare(c, name, f"select {i}, count(*) from pg_prepared_statements")
            c.send(run(name))
            (number, kept), = c.result()
            assert int(number) == i and int(kept) <= 3, (i, kept)
        c.send(b"".join(wire.parse(f"t{i}", f"select {i} + 10") for i in range(5)) + run("s0") + wire.parse("bad", "select no_such") +
               wire.parse("t5", "select 15") + wire.sync())
        assert [k for k, _ in c.until()] == [b"1"] * 5 + [b"2", b"T", b"D", b"C", b"Z"]
        assert [k for k, _ in c.until()] == [b"E", b"Z"]
        for i in range(5):
            c.send(run(f"t{i}"))
            assert c.result() == [[str(i + 10)]]
        for i, name in enumerate(names):
            c.send(run(name))
            (number, kept), = c.result()
            assert int(number) == i and int(kept) <= 3, (i, kept)
