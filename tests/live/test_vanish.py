"""Either end may go away at any moment; nobody else notices."""
import threading

import pytest

import wire
from pooler import wait_until
from wire import Closed, ServerError, Wire

MINE = "usename = 'trusty' and datname = 'shop'"


@pytest.mark.ours
@pytest.mark.parametrize("how", ["drop", "reset"])
def test_client_vanishes_mid_query(pooler, postgres, how):
    """Its query is cancelled, and what it left is never seen by another."""
    p = pooler(max_open=1)
    c = p.wire()
    c.send(wire.query("select pg_sleep(400), 'left behind'"))
    wait_until(lambda: postgres.backends(MINE + " and query like '%left behind%' "
                                                "and state = 'active'"))
    getattr(c, how)()
    with p.wire() as other:
        assert other.query("select 'mine'") == [["mine"]]
    wait_until(lambda: not postgres.backends("state = 'active' and query like '%left behind%'"))


CHECK = "select pg_advisory_lock_shared(7), pg_advisory_unlock_shared(7)"


@pytest.mark.ours
@pytest.mark.parametrize("how", ["drop", "reset", "quit"])
def test_client_vanishes_while_its_connection_is_prepared(pooler, postgres, how):
    """What was to be set for it is set, and known to be: the next client has its own."""
    p = pooler(max_open=1, server_check_delay=0, server_check_query=CHECK)
    a = p.wire()
    with p.wire() as b, Wire(postgres.port) as holder:
        a.query("set work_mem = '7MB'")
        a.query("set datestyle = 'German'")
        before = [b.one(f"show {name}") for name in ("work_mem", "datestyle")]
        pid = b.one("select pg_backend_pid()")
        holder.query("select pg_advisory_lock(7)")
        a.send(wire.query("select 1"))
        wait_until(lambda: postgres.backends(MINE + f" and pid = {pid} and wait_event = 'advisory'"))
        getattr(a, how)()
        wait_until(lambda: len(p.show("CLIENTS")) == 2, what="a is gone")  # b and the console
        holder.query("select pg_advisory_unlock(7)")
        assert [b.one(f"show {name}") for name in ("work_mem", "datestyle")] == before
        assert b.one("select pg_backend_pid()") == pid, "a needless reconnect"


@pytest.mark.ours
def test_client_vanishes_and_its_connection_fails_the_check(pooler, postgres):
    p = pooler(max_open=1, server_check_delay=0, server_check_query=CHECK)
    a = p.wire()
    with p.wire() as b, Wire(postgres.port) as holder:
        pid = a.one("select pg_backend_pid()")
        holder.query("select pg_advisory_lock(7)")
        a.send(wire.query("select 1"))
        wait_until(lambda: postgres.backends(MINE + f" and pid = {pid} and wait_event = 'advisory'"))
        a.drop()
        wait_until(lambda: len(p.show("CLIENTS")) == 2, what="a is gone")
        postgres.sql(f"select pg_cancel_backend({pid})")
        holder.query("select pg_advisory_unlock(7)")
        assert b.one("select pg_backend_pid()") != pid, "what failed its check is not lent"


def test_client_vanishes_in_transaction(pooler, postgres):
    postgres.sql("create table if not exists vanish (a int); grant all on vanish to public",
                 dbname="shop")
    p = pooler(max_open=1)
    c = p.wire()
    c.begin()
    c.query("insert into vanish values (1)")
    c.drop()
    with p.wire() as other:
        assert other.query("select * from vanish") == []
        assert other.status == "I"
    postgres.sql("drop table vanish", dbname="shop")


@pytest.mark.parametrize("how", ["drop", "reset", "quit"])
def test_client_vanishes_mid_result(pooler, how):
    p = pooler(max_open=1)
    for _ in range(5):
        c = p.wire(rcvbuf=8192)
        c.send(wire.query("select 'foreign', repeat('x', 1000) from generate_series(1, 100000)"))
        c.receive()
        getattr(c, how)()
        with p.wire() as other:
            assert other.query("select 'mine'") == [["mine"]]


def test_client_vanishes_mid_request(pooler):
    """Half a query is never sent on with another's bytes behind it."""
    p = pooler(max_open=1)
    for part in (wire.query("select 'half of this'"), wire.extended("select 'half'")):
        for at in (1, 4, 5, 10, len(part) - 1):
            c = p.wire()
            c.query("select 1")
            c.send(part[:at])
            assert c.quiet(0.02)
            c.drop()
            with p.wire() as other:
                assert other.query("select 'mine'") == [["mine"]]


@pytest.mark.ours
def test_client_says_goodbye_mid_query(pooler, postgres):
    """Terminate behind a query is no reason not to run it, as before PostgreSQL itself."""
    p = pooler(max_open=1)
    with Wire(postgres.port) as holder:
        holder.query("create table goodbye (a int)")
        holder.query("select pg_advisory_lock(9)")
        c = p.wire()
        c.send(wire.query("select pg_advisory_lock_shared(9), pg_advisory_unlock_shared(9); "
                          "insert into goodbye values (1)") + wire.terminate())
        wait_until(lambda: postgres.backends(MINE + " and wait_event = 'advisory'"))
        c.drop()
        other = p.wire()
        other.send(wire.query("select count(*) from goodbye"))
        assert other.quiet(0.2)
        holder.query("select pg_advisory_unlock(9)")
        assert other.result() == [["1"]]
        other.drop()
        holder.query("drop table goodbye")


COPY_IN = wire.query("copy (select 1) to stdout") + wire.query("create temp table t (a text); "
                                                               "copy t from stdin")


@pytest.mark.ours
@pytest.mark.parametrize("stays", [True, False])
@pytest.mark.parametrize("said", [
    wire.parse("", "select 1"), wire.extended("select 1"), wire.query("select 1") + wire.parse("", "x"),
    wire.extended("select 1") + wire.sync() + wire.extended("select 2"),
    COPY_IN, COPY_IN + wire.copy_data(b"1\n"), wire.parse("named", "select 1"), wire.flush()])
def test_client_says_goodbye_behind_what_has_no_answer(pooler, said, stays):
    """A batch without Sync, a copy without its end: nobody waits for what cannot come."""
    p = pooler(max_open=1)
    for before in (b"", wire.parse("named", "select 1") + wire.sync()):
        c = p.wire()
        c.send(before + said + wire.terminate())
        if not stays:
            c.drop()
        with p.wire() as other:
            assert other.query("select 'mine'") == [["mine"]]
        if stays:
            c.closed()
        wait_until(lambda: len(p.show("CLIENTS")) == 1, what="it is gone")
    said_no_more = p.log().count("new connection to server")
    assert said_no_more == 1, p.log()   # the one connection was brought back to quiet


def test_client_vanishes_before_sync(pooler):
    p = pooler(max_open=1)
    c = p.wire()
    c.send(wire.extended("select 'theirs'") + wire.flush())
    c.until(b"C")
    c.drop()
    with p.wire() as other:
        assert other.query("select 'mine'") == [["mine"]]


def test_client_vanishes_in_copy_in(pooler, postgres):
    postgres.sql("create table if not exists halfcopy (a text); grant all on halfcopy to public",
                 dbname="shop")
    p = pooler(max_open=1)
    c = p.wire()
    c.send(wire.query("copy halfcopy from stdin"))
    c.until(b"G")
    c.send(wire.copy_data(b"one\ntwo\n"))
    wait_until(lambda: postgres.sql("select 1 from pg_stat_progress_copy where bytes_processed > 0",
                                    dbname="shop"))
    c.drop()
    with p.wire() as other:
        assert other.query("select * from halfcopy") == []
    postgres.sql("drop table halfcopy", dbname="shop")


def test_client_vanishes_while_waiting(pooler):
    p = pooler(max_open=1)
    with p.wire() as a:
        a.begin()
        waiting = [p.wire() for _ in range(5)]
        for c in waiting:
            c.send(wire.query("select 'never asked'"))
        last = p.wire()
        last.send(wire.query("select 'asked'"))
        wait_until(lambda: p.pool()["cl_waiting"] == 6)
        for c in waiting:
            c.drop()
        a.query("commit")
        assert last.result() == [["asked"]]
        last.drop()
    wait_until(lambda: p.pool()["cl_waiting"] == 0)


def test_server_killed_mid_query(pooler, postgres):
    """The client gets an ErrorResponse, then the connection closes."""
    p = pooler(max_open=1)
    with p.wire() as c:
        c.send(wire.query("select pg_sleep(30)"))
        wait_until(lambda: postgres.backends(MINE + " and state = 'active'"))
        postgres.kill_backends(MINE)
        got = c.closed(10)
        errors = [wire.fields(body) for kind, body in got if kind == b"E"]
        assert errors and errors[0]["S"] == "FATAL", got
    with p.wire() as c:
        assert c.one("select 1") == "1"


def test_server_killed_mid_result(pooler, postgres):
    p = pooler(max_open=1)
    with p.wire(rcvbuf=8192) as c:
        c.send(wire.query("select repeat('x', 1000) from generate_series(1, 1000000)"))
        c.receive()
        postgres.kill_backends(MINE)
        got = c.closed(20)
        assert not [k for k, _ in got if k == b"Z"], "a cut result ends as if it were whole"
    with p.wire() as c:
        assert c.one("select 1") == "1"


def test_server_killed_inside_a_row(pooler, postgres):
    """The client would read words of ours as the rest of the row, so it gets none."""
    p = pooler(max_open=1)
    with p.wire(rcvbuf=8192) as c:
        c.send(wire.query("select repeat('x', 100000000)"))
        c.receive()
        postgres.kill_backends(MINE)
        c.closed(20)
        assert c.data[:1] == b"D" and c.data[-1:] == b"x", bytes(c.data[-100:])


def test_server_killed_in_idle_transaction(pooler, postgres):
    p = pooler(max_open=1)
    with p.wire() as c:
        c.begin()
        postgres.kill_backends(MINE)
        got = c.closed(10)
        assert [k for k, _ in got if k == b"E"], "closed without a word"


def test_server_killed_when_idle(pooler, postgres):
    """A client that waits for nothing does not notice."""
    p = pooler(max_open=3)
    with p.wire() as c:
        for _ in range(10):
            assert c.one("select 1") == "1"
            assert postgres.kill_backends(MINE) == 1
            wait_until(lambda: not p.pool()["sv_idle"], what="the pooler saw it go")
        assert c.one("select 1") == "1"


def test_many_servers_killed_under_load(pooler, postgres):
    """Killed connections end their clients with an error; the others are right."""
    p = pooler(max_open=4)
    stop = threading.Event()
    wrong, cut, done = [], [0], [0]

    def work(n):
        while not stop.is_set():
            try:
                with p.wire() as c:
                    for i in range(50):
                        tag = f"{n}-{i}"
                        if c.query(f"select '{tag}' from generate_series(1, 20)") != [[tag]] * 20:
                            wrong.append(tag)
                        done[0] += 1
            except (ServerError, Closed, ConnectionResetError, BrokenPipeError):
                cut[0] += 1

    threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
    for t in threads:
        t.start()
    for _ in range(10):
        before = done[0]
        wait_until(lambda: done[0] > before + 20)
        postgres.kill_backends(MINE)
    stop.set()
    for t in threads:
        t.join()
    assert not wrong and done[0] > 100, (wrong, done, cut)
    with p.wire() as c:
        assert c.one("select 1") == "1"


def test_server_restart(pooler, own_postgres):
    p = pooler(on=own_postgres, max_open=3)
    with p.wire() as c:
        c.query("select 1")
        own_postgres.stop()
        own_postgres.start()

        def again():
            try:
                with p.wire() as d:
                    return d.one("select 1")
            except (ServerError, Closed, OSError):
                return None
        assert wait_until(again, 15) == "1"


def test_async_messages_to_an_idle_connection(pooler, postgres):
    """A reload sends ParameterStatus to idle servers; it disturbs no answer."""
    p = pooler(max_open=2)
    with p.wire() as c:
        c.query("select 1")
        for zone in ("UTC", "Europe/Zurich", "UTC"):
            postgres.sql(f"alter system set timezone = '{zone}'")
            postgres.sql("select pg_reload_conf()")
            assert c.quiet(0.1)
            assert c.one("select 5") == "5"
    postgres.sql("alter system reset timezone")
    postgres.sql("select pg_reload_conf()")
