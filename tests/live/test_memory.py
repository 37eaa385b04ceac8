"""What a crowd of clients costs, and that it is given back when they fall quiet."""
import json
import os
import subprocess
import threading

import pytest
import wire
from pooler import wait_until

# make soak has 10,000
CROWD = int(os.environ.get("PGSLUICE_CROWD", "2000"))
LOAD = os.path.join(os.path.dirname(__file__), "../../build/release/tests/bench/load")


class Crowd:
    """Clients of tests/bench/load.c; with `seconds` they ask all at once, and again, for so long."""

    def __init__(self, p, clients, seconds=0, statement=""):
        self.process = subprocess.Popen([LOAD, str(p.port), "trusty", "shop", str(clients),
                                         str(seconds), statement], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)
        assert self.process.stdout.readline() == "ready\n"
        if seconds:
            assert "transactions" in json.loads(self.process.stdout.readline())

    def close(self):
        self.process.stdin.close()
        self.process.stdout.read()
        assert self.process.wait() == 0


@pytest.mark.slow  # and so not under AddressSanitizer, which keeps what was freed
def test_a_crowd_that_falls_quiet_gives_its_memory_back(pooler):
    p = pooler(max_open=2, max_client_conn=CROWD + 500, log_connections=0, log_disconnections=0)
    first = Crowd(p, 200)  # what is paid once is paid for these
    empty = p.rss()
    idle = Crowd(p, CROWD)
    before = p.rss()
    each = (before - empty) * 1024 / CROWD
    assert each < 320, f"an idle client costs {each:.0f} bytes"
    idle.close()
    wait_until(lambda: p.pool()["cl_active"] <= 200, 60, "they have left")
    # as many again, each with a request of 3 kB that waits for one of two connections; they stay
    busy = Crowd(p, CROWD, 0.5, "select 1 -- " + "x" * 3000)
    wait_until(lambda: p.pool()["cl_waiting"] == 0, 60, "all have their answer")
    wait_until(lambda: p.rss() <= before * 1.2, 60, "memory is given back")
    busy.close()
    first.close()


def test_a_request_beyond_max_memory_ends_its_client_with_a_word(pooler):
    p = pooler(max_open=1, max_memory="2MB")
    with p.wire() as holder, p.wire() as other:
        holder.begin()
        clients = [p.wire() for _ in range(60)]
        for c in clients:  # a request of 64 kB each, that waits
            c.send(wire.query(" " * 63990))
        assert p.log_contains("max_memory", 20), "a client is told"
        holder.query("commit")
        assert other.one("select 1") == "1", "those within the limit are served"
        for c in clients:
            c.drop()


def test_no_newcomer_beyond_max_memory(pooler):
    p = pooler(max_memory="1MB")
    with p.wire() as c:
        for n in range(400):
            c.send(wire.parse(f"s{n}", f"select {n} /* {'x' * 3000} */") + wire.sync())
            c.until()
        with pytest.raises(wire.ServerError) as e:
            p.wire()
        assert e.value.code == "53200" and "max_memory" in e.value.message
        assert p.show("POOLS"), "the console is open"

    def admitted():
        try:
            with p.wire() as newcomer:
                return newcomer.one("select 5")
        except wire.ServerError:
            return None
    assert wait_until(admitted, 10, "there is room again") == "5"


@pytest.mark.slow
def test_a_request_that_waits_is_read_only_so_far(pooler):
    """40 MB of query, and nobody to take it: the client holds it, not the pooler."""
    p = pooler(max_open=1)
    with p.wire() as holder, p.wire(timeout=120) as c:
        holder.begin()
        before = p.rss()
        request = wire.query(f"select length('{'x' * 40_000_000}')")
        sender = threading.Thread(target=lambda: c.socket.sendall(request))
        sender.start()
        wait_until(lambda: p.pool()["cl_waiting"] == 1, 20, "it waits")
        held = p.held() - before
        assert held < 4000, f"holds {held} kB of a request that waits"
        holder.query("commit")
        assert c.result() == [["40000000"]]
        sender.join()


def test_parameters_too_large_to_be_carried_along_stay_where_they_are(pooler):
    p = pooler(max_open=2, on_session_feature="pin")
    with p.wire() as c, p.wire() as other:
        c.query(f"set app.small to '{'x' * 100}'")
        c.query(f"set app.large to '{'x' * 300_000}'")
        pin = wait_until(lambda: p.show("PINS"), 10, "it is pinned")[0]
        assert "settings" in pin["reason"], pin
        other.begin()  # takes the other connection, whichever that is
        assert c.one("select length(current_setting('app.large'))") == "300000"
        assert c.one("select length(current_setting('app.small'))") == "100"
        assert other.one("select current_setting('app.large', true) is null") == "t"
        other.query("commit")
        c.query("reset app.large")
        wait_until(lambda: not p.show("PINS"), 10, "nothing keeps it there any more")
        assert c.one("select length(current_setting('app.small'))") == "100"
