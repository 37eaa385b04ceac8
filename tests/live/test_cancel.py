"""A cancel request stops exactly the query it was meant for, or nothing."""
import threading
import time

import pytest

import wire
from pooler import wait_until
from wire import ServerError, Wire

MINE = "usename = 'trusty' and datname = 'shop' and state = 'active'"


def test_running_query(pooler, postgres):
    p = pooler(max_open=2)
    with p.wire() as a, p.wire() as b:
        a.send(wire.query("select pg_sleep(400), 'a'"))
        b.send(wire.query("select pg_sleep(1), 'b'"))
        wait_until(lambda: postgres.backends(MINE + " and query like '%400%'"))
        a.cancel(p.port)
        with pytest.raises(ServerError) as e:
            a.result()
        assert e.value.code == "57014"
        assert b.result()[0][1] == "b", "a cancel hit somebody else"
        assert a.one("select 1") == "1"


def test_over_the_unix_socket(pooler, postgres):
    import socket
    p = pooler(max_open=1)
    with p.wire(host=p.dir) as a:
        a.send(wire.query("select pg_sleep(400)"))
        wait_until(lambda: postgres.backends(MINE))
        with socket.socket(socket.AF_UNIX) as s:
            s.connect(f"{p.dir}/.s.PGSQL.{p.port}")
            s.sendall(wire.cancel_request(a.pid, a.key))
            s.settimeout(100)
            assert s.recv(1) == b""
        with pytest.raises(ServerError):
            a.result()


def test_nothing_for_an_idle_client(pooler, postgres):
    p = pooler(max_open=1)
    with p.wire() as a, p.wire() as b:
        a.query("select 1")
        b.send(wire.query("select pg_sleep(0.5), 'b'"))
        wait_until(lambda: postgres.backends(MINE + " and state = 'active'"))
        a.cancel(p.port)
        assert b.result()[0][1] == "b", "the cancel of an idle client hit the next one"
        assert a.one("select 1") == "1"


def test_nothing_for_a_wrong_key(pooler, postgres):
    import socket
    p = pooler(max_open=1)
    with p.wire() as a:
        a.send(wire.query("select pg_sleep(0.7), 'done'"))
        wait_until(lambda: postgres.backends(MINE))
        for pid, key in ((a.pid, a.key ^ 1), (a.pid + 1, a.key), (0, 0), (-1, 0xffffffff)):
            with socket.create_connection(("127.0.0.1", p.port)) as s:
                s.sendall(wire.cancel_request(pid, key))
                s.settimeout(100)
                assert s.recv(1) == b""
        assert a.result()[0][1] == "done"


def test_keys_are_the_pooler_s_own(pooler, postgres):
    p = pooler(max_open=1)
    with p.wire() as a, p.wire() as b:
        assert (a.pid, a.key) != (b.pid, b.key)
        assert a.one("select pg_backend_pid()") == b.one("select pg_backend_pid()")


@pytest.mark.ours
def test_waiting_client(pooler):
    """A client in the queue gives up its place; nobody's query is cancelled."""
    p = pooler(max_open=1)
    with p.wire() as a, p.wire() as b:
        a.begin()
        b.send(wire.query("select 'b'"))
        assert b.quiet(0.2)
        b.cancel(p.port)
        try:
            b.result()
            raise AssertionError("the query ran although it was cancelled")
        except ServerError as e:
            assert e.code in ("57014", "08P01", "57P01") or "cancel" in e.message
        except wire.Closed:
            pass
        a.query("commit")
        assert a.one("select 1") == "1"


@pytest.mark.ours
def test_waiting_in_a_transaction(pooler):
    """BEGIN was answered without a server; what waited for one is cancelled: it has failed."""
    p = pooler(max_open=1)
    with p.wire() as a, p.wire() as b:
        a.query("create table survivors(n int)")
        a.begin()
        b.query("begin")
        b.send(wire.query("insert into survivors values (1)"))
        wait_until(lambda: p.pool()["cl_waiting"] == 1)
        b.cancel(p.port)
        with pytest.raises(ServerError) as e:
            b.result()
        assert e.value.code == "57014" and b.status == "E"
        a.query("commit")
        with pytest.raises(ServerError) as e:
            b.query("insert into survivors values (2)")
        assert e.value.code == "25P02" and b.status == "E"
        b.query("commit")
        assert b.status == "I" and b.one("select count(*) from survivors") == "0"
        b.query("drop table survivors")


@pytest.mark.ours
@pytest.mark.parametrize("request_of", [wire.query, lambda sql: wire.parse("", sql) + wire.bind()
                                        + wire.execute() + wire.sync()],
                         ids=["simple", "extended"])
def test_while_its_connection_is_prepared(pooler, postgres, request_of):
    """The server is still at server_check_query: the request that waits for it is taken back."""
    p = pooler(max_open=1, server_check_delay=0,
               server_check_query="select pg_advisory_lock_shared(7), pg_advisory_unlock_shared(7)")
    with p.wire() as a, Wire(postgres.port) as holder:
        a.query("select 1")
        holder.query("select pg_advisory_lock(7)")
        a.send(request_of("select pg_sleep(20)"))
        wait_until(lambda: postgres.backends(MINE + " and query ~ 'lock_shared'"))
        for _ in range(2):  # the second finds nothing to cancel
            a.cancel(p.port)
        with pytest.raises(ServerError) as e:
            a.result()
        assert e.value.code == "57014" and a.status == "I"
        a.send(wire.query("select 2"))
        holder.query("select pg_advisory_unlock(7)")
        assert a.result()[0][0] == "2"
        assert a.one("select 3") == "3"


@pytest.mark.ours
def test_while_its_connection_is_audited(pooler, postgres):
    """The request stands behind state_audit's question: the cancel is for the request."""
    p = pooler(max_open=1, state_audit="always")
    with p.wire() as a, Wire(postgres.port, user="postgres") as holder:
        holder.query("begin")
        holder.query("lock table pg_catalog.pg_cursors in access exclusive mode")
        a.query("do $$ begin end $$")
        a.send(wire.query("select pg_sleep(20)"))
        wait_until(lambda: postgres.backends(MINE + " and wait_event_type = 'Lock'"))
        a.cancel(p.port)
        holder.query("rollback")
        with pytest.raises(ServerError) as e:
            a.result()
        assert e.value.code == "57014" and a.status == "I"
        assert a.one("select 3") == "3"
    assert "answered us" not in p.log(), "the audit itself was cancelled"


@pytest.mark.slow
def test_late_cancels_never_hit_the_next_client(pooler):
    """Cancels that race the end of the query they are for, with one shared connection."""
    p = pooler(max_open=1)
    stop = threading.Event()
    hit, done = [], [0]

    def bystander():
        with p.wire() as c:
            while not stop.is_set():
                try:
                    assert c.one("select 'bystander'") == "bystander"
                    done[0] += 1
                except ServerError as e:
                    hit.append(str(e))

    threads = [threading.Thread(target=bystander) for _ in range(3)]
    for t in threads:
        t.start()
    cancelled = 0
    with p.wire() as a:
        for n in range(150):
            a.send(wire.query("select pg_sleep(0.002)"))
            time.sleep((n % 8) * 0.001)
            a.cancel(p.port)
            try:
                a.result()
            except ServerError as e:
                assert e.code == "57014", e
                cancelled += 1
    stop.set()
    for t in threads:
        t.join()
    assert not hit, f"{len(hit)} queries of bystanders were cancelled: {hit[:3]}"
    assert done[0] > 50


def test_inside_a_transaction(pooler, postgres):
    p = pooler(max_open=1)
    with p.wire() as a:
        a.begin()
        a.send(wire.query("select pg_sleep(400)"))
        wait_until(lambda: postgres.backends(MINE))
        a.cancel(p.port)
        with pytest.raises(ServerError) as e:
            a.result()
        assert e.value.code == "57014" and a.status == "E"
        a.query("rollback")
        assert a.one("select 1") == "1"
