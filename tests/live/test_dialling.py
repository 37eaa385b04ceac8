"""How many logins to the server are under way at once, and how often a dead one is tried."""
import socket
import threading
import time

import pytest
import wire
from pooler import wait_until

pytestmark = pytest.mark.ours


class Stub:
    """A server that takes connections and answers nothing, or (`hang_up`) closes them."""

    def __init__(self, hang_up=False):
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=200)
        self.port = self.listener.getsockname()[1]
        self.hang_up, self.open, self.count, self.most = hang_up, [], 0, 0
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                c, _ = self.listener.accept()
            except OSError:
                return
            self.count += 1
            if self.hang_up:
                c.close()
                continue
            self.open.append(c)
            self.most = max(self.most, len(self.open))

    def close(self):
        self.listener.close()
        for c in self.open:
            c.close()


@pytest.fixture
def stub(request):
    s = Stub(hang_up=getattr(request, "param", False))
    yield s
    s.close()


def line(port):
    return {"shop": f"host=127.0.0.1 port={port} sslmode=disable"}


def login(p):
    c = p.wire(start=False)
    c.send(wire.startup(user="trusty", database="shop"))
    return c


@pytest.mark.parametrize("most", [3, 50])
def test_logins_run_side_by_side_up_to_max_dialing(pooler, stub, most):
    """A cold pool of 50 needs the time of one login, if max_dialing allows it."""
    p = pooler(databases=line(stub.port), max_open=50, min_open=50, max_dialing=most,
               server_connect_timeout=60)
    c = login(p)
    wait_until(lambda: len(stub.open) == most, 20, f"{most} logins at once")
    shown = p.pool()
    assert shown["sv_login"] == most, shown
    assert stub.most == most
    c.drop()


@pytest.mark.parametrize("stub", [True], indirect=True)
@pytest.mark.parametrize("workers", [1, 2])
def test_a_server_that_hangs_up_is_not_stampeded(pooler, stub, workers):
    """200 clients want in while every login fails: it is tried once in server_login_retry."""
    p = pooler(databases=line(stub.port), max_open=20, max_dialing=4, workers=workers, shards=workers,
               server_login_retry=1, max_client_conn=300)
    since, refused = time.monotonic(), 0
    while refused < 200 or time.monotonic() - since < 2:
        c = login(p)
        said = c.closed(20)
        assert said and b"login" in said[0][1], said
        refused += 1
    took = time.monotonic() - since
    # one try for a lane and second
    assert stub.count <= workers * (took + 2), (stub.count, took)


@pytest.mark.parametrize("mode", ["session", "transaction"])
def test_who_comes_while_the_server_is_away_is_told_at_once(pooler, own_postgres, mode):
    """Also a client that is greeted from what is known of the server, and one that was there before."""
    p = pooler(on=own_postgres, pool_mode=mode, server_login_retry=500, max_open=2)
    early, first = p.wire(), p.wire()
    assert first.one("select 1") == "1"
    first.drop()
    own_postgres.stop()
    wait_until(lambda: not p.pool()["sv_idle"], 20, "that its connections have ended is known")
    refused = []
    for c in (early, p.wire(), p.wire()):
        c.send(wire.query("select 2"))
        refused.append(c.closed(100))
    assert all(said and b"server login failed" in said[-1][1] for said in refused), refused


def shop(postgres, query):
    return {"shop": f"host=127.0.0.1 port={postgres.port} connect_query='{query}'"}


def test_a_connect_query_that_fails_is_tried_once_in_server_login_retry(pooler, postgres):
    p = pooler(databases=shop(postgres, "select 1/0"), max_open=5, server_login_retry=1)
    since = time.monotonic()
    for _ in range(20):
        said = login(p).closed()
        assert b"connect_query" in said[-1][1] and b"division by zero" in said[-1][1], said
    tried = p.log().count("login to the server failed: connect_query")
    assert 1 <= tried <= time.monotonic() - since + 1


def test_a_connect_query_that_does_not_end(pooler, postgres):
    p = pooler(databases=shop(postgres, "select pg_advisory_lock_shared(10)"),
               server_connect_timeout=1)
    with wire.Wire(postgres.port) as holder:
        holder.query("select pg_advisory_lock(10)")
        said = login(p).closed()
        assert b"connect_query: server_connect_timeout" in said[-1][1], said
        holder.query("select pg_advisory_unlock(10)")

        def served():
            try:
                with p.wire() as c:
                    return c.one("select 5") == "5"
            except wire.ServerError:
                return False
        wait_until(served, 10, "clients are served again")


def test_the_server_goes_while_connect_query_runs(pooler, postgres):
    p = pooler(databases=shop(postgres, "select pg_terminate_backend(pg_backend_pid())"))
    said = login(p).closed()
    assert b"connect_query" in said[-1][1], said
