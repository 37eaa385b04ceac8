"""Each timeout by itself: who is closed, with which words, and what stays usable."""
import os
import signal
import socket
import threading
import time

import pytest

import wire
from pace import at_some_pace
from pooler import wait_until
from wire import Closed, ServerError, Wire

pytestmark = pytest.mark.ours


def closed_with(c, code, words, seconds=10):
    """The FATAL that a client is closed with."""
    errors = [wire.fields(body) for kind, body in c.closed(seconds) if kind == b"E"]
    assert errors and errors[-1]["S"] == "FATAL", errors
    assert errors[-1]["C"] == code and words in errors[-1]["M"], errors[-1]


def still_serves(p):
    with p.wire() as other:
        assert other.one("select 5") == "5"
    assert "integrity" not in p.log()


@pytest.mark.parametrize("where", ["pooler", "user"])
@at_some_pace
def test_query_timeout(pooler, postgres, where, pace):
    limit = 0.3 * pace
    settings = {"query_timeout": limit} if where == "pooler" else {}
    p = pooler(max_open=1, users={"trusty": f"query_timeout={limit}"} if where == "user" else None,
               **settings)
    with p.wire() as c:
        assert c.one("select 1") == "1"
        c.send(wire.query("select pg_sleep(60)"))
        closed_with(c, "57014", "query_timeout")
    wait_until(lambda: not postgres.backends("query like '%pg_sleep%' and state = 'active'"
                                             " and pid <> pg_backend_pid()"), 10,
               "its query is cancelled")
    still_serves(p)


@at_some_pace
def test_query_timeout_counts_each_query(pooler, pace):
    """Many short ones in one transaction are not one long one."""
    p = pooler(max_open=1, query_timeout=0.8 * pace)
    with p.wire() as c:
        c.begin()
        for _ in range(6):
            c.query(f"select pg_sleep({0.2 * pace})")
        c.query("commit")
        assert c.one("select 1") == "1"


@pytest.mark.parametrize("busy", [False, True], ids=["idle", "busy"])
@at_some_pace
def test_transaction_timeout(pooler, busy, pace):
    p = pooler(max_open=1, transaction_timeout=0.4 * pace)
    with p.wire() as c:
        for _ in range(5):
            c.query("select 1")
        c.begin()
        if busy:
            c.send(wire.query("select pg_sleep(60)"))
        closed_with(c, "25P04", "transaction_timeout")
    still_serves(p)


@pytest.mark.parametrize("first", ["begin", "begin; select 1"])
@at_some_pace
def test_idle_transaction_timeout(pooler, first, pace):
    """Also when its BEGIN has taken no server connection yet."""
    p = pooler(max_open=1, idle_transaction_timeout=0.3 * pace)
    with p.wire() as c:
        c.begin()
        c.query(f"select pg_sleep({0.6 * pace})")  # not idle
        c.query("commit")
        for sql in first.split("; "):
            c.query(sql)
        closed_with(c, "25P03", "idle_transaction_timeout")
    still_serves(p)


@at_some_pace
def test_client_idle_timeout(pooler, pace):
    p = pooler(max_open=1, client_idle_timeout=0.4 * pace)
    with p.wire() as c:
        c.query(f"select pg_sleep({0.8 * pace})")  # not idle
        c.begin()
        assert c.quiet(0.8 * pace), "a transaction is not an idle client"
        c.query("commit")
        closed_with(c, "57P05", "client_idle_timeout")
    still_serves(p)


@at_some_pace
def test_client_login_timeout(pooler, pace):
    p = pooler(client_login_timeout=0.4 * pace, tcp_defer_accept=0)
    for start in (b"", b"\0\0\0"):
        with Wire(p.port, start=False) as c:
            c.send(start)
            c.closed(10)
    p.log_contains("client_login_timeout")
    still_serves(p)


@at_some_pace
def test_query_wait_timeout_of_one_database(pooler, postgres, pace):
    server = f"host=127.0.0.1 port={postgres.port}"
    p = pooler(max_open=1, databases={"shop": f"{server} query_wait_timeout={0.3 * pace}",
                                      "stock": server + " query_wait_timeout=600"})
    for name, closes in (("shop", True), ("stock", False)):
        with p.wire(database=name) as holder, p.wire(database=name) as waiter:
            holder.begin()
            waiter.send(wire.query("select 5"))
            if closes:
                closed_with(waiter, "53300", "query_wait_timeout")
            else:
                assert waiter.quiet(0.6 * pace)
            holder.query("commit")
            if not closes:
                assert waiter.result() == [["5"]]


@pytest.fixture
def silent():
    """A port that takes connections and says nothing."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        s.listen(50)
        yield s.getsockname()[1]


def test_server_connect_timeout(pooler, silent):
    p = pooler(databases={"shop": f"host=127.0.0.1 port={silent}"}, server_connect_timeout=0.5)
    with pytest.raises((ServerError, Closed)) as e:
        p.wire(timeout=15)
    if isinstance(e.value, ServerError):
        assert "server_connect_timeout" in e.value.message, e.value
    p.log_contains(f'127.0.0.1", port {silent} failed: the login did not end within server_connect_timeout \\(0.5 s\\)')


def test_server_login_retry(pooler, own_postgres):
    """After a failure nobody dials for that long; who comes gets the server's words at once."""
    p = pooler(on=own_postgres, server_login_retry=3600)
    own_postgres.stop()
    with pytest.raises(ServerError):
        p.wire()
    own_postgres.start()
    for _ in range(5):  # who waited would wait for an hour
        with pytest.raises(ServerError) as e:
            p.wire()
        assert "refused" in e.value.message or "connect" in e.value.message
    assert len(p.log().split("login to the server failed")) == 2, "it was dialled again"
    p.write_config(server_login_retry=0.1)
    with p.console() as console:
        console.query("reload")

    def served():
        try:
            with p.wire() as c:
                return c.one("select 5")
        except (ServerError, Closed):
            return None
    assert wait_until(served, 20, "served after a shorter retry") == "5"


def test_new_settings_are_tried_at_once(pooler, postgres):
    """An operator who has mended the address does not wait for server_login_retry."""
    p = pooler(databases={"shop": "host=127.0.0.1 port=1"}, server_login_retry=3600)
    for _ in range(2):
        with pytest.raises(ServerError):
            p.wire()
    p.databases = {"shop": f"host=127.0.0.1 port={postgres.port}"}
    p.write_config()
    with p.console() as console:
        console.query("reload")
    with p.wire() as c:
        assert c.one("select 5") == "5"


class Deaf(threading.Thread):
    """Between the pooler and PostgreSQL: from `deaf` on, cancel requests lead nowhere."""

    def __init__(self, port):
        super().__init__(daemon=True)
        self.far_port, self.held = port, []
        self.listener = socket.socket()
        self.listener.bind(("127.0.0.1", 0))
        self.listener.listen(20)
        self.port = self.listener.getsockname()[1]
        self.start()

    def run(self):
        while True:
            try:
                near, _ = self.listener.accept()
                first = near.recv(8, socket.MSG_PEEK | socket.MSG_WAITALL)
                if first[4:8] == wire.cancel_request(0, 0)[4:8]:
                    self.held.append(near)  # never answered
                    continue
                far = socket.create_connection(("127.0.0.1", self.far_port))
            except OSError:
                return
            for pair in ((near, far), (far, near)):
                threading.Thread(target=self.pump, args=pair, daemon=True).start()

    @staticmethod
    def pump(source, sink):
        try:
            while data := source.recv(65536):
                sink.sendall(data)
        except OSError:
            pass
        finally:
            for s in (source, sink):
                try:
                    s.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass

    def close(self):
        self.listener.close()
        for s in self.held:
            s.close()


@at_some_pace
def test_cancel_wait_timeout(pooler, postgres, pace):
    """The server takes no cancel: the connection is given up after that, and not before."""
    deaf = Deaf(postgres.port)
    p = pooler(databases={"shop": f"host=127.0.0.1 port={deaf.port}"}, max_open=1,
               cancel_wait_timeout=0.6 * pace)
    try:
        with p.wire() as c:
            c.query("select 1")
            c.send(wire.query(f"select pg_sleep({4 * pace})"))
            wait_until(lambda: p.pool()["sv_active"] == 1)
            since = time.monotonic()
            c.drop()
            wait_until(lambda: deaf.held, 5, "the cancel request came")
            p.log_contains("could not be brought back to a quiet state in time")
            assert time.monotonic() - since > 0.5 * pace
        still_serves(p)
    finally:
        deaf.close()


# --- query_wait_notify --------------------------------------------------------------------

def notice_of(c):
    c.until(b"N")
    return c.notices[-1]


@at_some_pace
def test_query_wait_notify_says_who_has_it(pooler, pace):
    p = pooler(max_open=1, query_wait_notify=0.3 * pace)
    with p.wire() as holder, p.wire() as waiter:
        holder.begin()
        number = next(r["id"] for r in p.show("CLIENTS") if r["state"] == "active")
        waiter.send(wire.query("select 5"))
        n = notice_of(waiter)
        assert n["S"] == "NOTICE" and 'one of 1 in pool "shop" of user "trusty"' in n["M"]
        assert f"1 in use (the longest by client C-{number}, for " in n["D"]
        assert "1 clients wait" in n["D"]
        assert waiter.quiet(0.5 * pace), "told once"
        holder.query("commit")
        assert waiter.result() == [["5"]]
        # and once more, the next time it waits
        holder.begin()
        waiter.send(wire.query("select 6"))
        notice_of(waiter)
        holder.query("commit")
        assert waiter.result() == [["6"]]


@pytest.mark.parametrize("cap, words", [
    ({"max_db_connections": 1}, 'max_db_connections = 1 of database "shop" is reached'),
    ({"max_user_connections": 1}, 'max_user_connections = 1 of user "trusty" is reached')])
def test_query_wait_notify_names_the_limit(pooler, cap, words):
    p = pooler(max_open=5, query_wait_notify=0.3, **cap)
    with p.wire() as holder, p.wire() as waiter:
        holder.begin()
        waiter.send(wire.query("select 5"))
        assert words in notice_of(waiter)["D"]
        holder.query("commit")
        assert waiter.result() == [["5"]]


def test_query_wait_notify_says_paused(pooler):
    p = pooler(max_open=1, query_wait_notify=0.3)
    with p.wire() as waiter, p.console() as console:
        waiter.query("select 1")
        console.query("pause shop")
        waiter.send(wire.query("select 5"))
        assert "the pool is paused" in notice_of(waiter)["D"]
        console.query("resume shop")
        assert waiter.result() == [["5"]]


def test_query_wait_notify_off(pooler):
    p = pooler(max_open=1, query_wait_notify=0)
    with p.wire() as holder, p.wire() as waiter:
        holder.begin()
        waiter.send(wire.query("select 5"))
        assert waiter.quiet(0.6)
        holder.query("commit")
        assert waiter.result() == [["5"]] and not waiter.notices


@pytest.mark.ours
def test_a_connection_that_does_not_answer_our_question_counts_as_waiting(pooler, own_postgres):
    """As behind a network that swallows packets: the check is on its way, and nobody else will end it."""
    p = pooler(on=own_postgres, pool_mode="transaction", max_open=1, query_wait_timeout=5, server_check_query="select 1", server_check_delay=0,
               cancel_wait_timeout=1)
    with p.wire() as c:
        pid = int(c.one("select pg_backend_pid()"))
        os.kill(pid, signal.SIGSTOP)
        try:
            c.send(wire.query("select 2"))
            said = c.closed(20)
            assert said and b"query_wait_timeout" in said[-1][1] and b"does not answer the pooler" in said[-1][1], said
            wait_until(lambda: not p.show("SERVERS"), 60, "that it is closed")
        finally:
            os.kill(pid, signal.SIGCONT)
    with p.wire() as c:
        assert c.one("select 3") == "3"
