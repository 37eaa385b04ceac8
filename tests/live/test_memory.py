"""What a crowd of clients costs, and that it is given back when they fall quiet."""
import os
import subprocess

import pytest
import wire
from pooler import wait_until

LOAD = os.path.join(os.path.dirname(__file__), "../../build/release/tests/bench/load")


class Crowd:
    """Clients of tests/bench/load.c: `seconds` 0 for such as only are there."""

    def __init__(self, p, clients, seconds=0, statement=""):
        self.process = subprocess.Popen([LOAD, str(p.port), "trusty", "shop", str(clients),
                                         str(seconds), statement], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)
        assert self.process.stdout.readline() == "ready\n"

    def close(self):
        self.process.stdin.close()
        self.process.stdout.read()
        assert self.process.wait() == 0


@pytest.mark.slow  # and so not under AddressSanitizer, which keeps what was freed
def test_a_crowd_that_falls_quiet_gives_its_memory_back(pooler):
    p = pooler(max_open=2, max_client_conn=5000, log_connections=0, log_disconnections=0)
    first = Crowd(p, 200)  # what is paid once is paid for these
    empty = p.rss()
    idle = Crowd(p, 2000)
    before = p.rss()
    each = (before - empty) * 1024 / 2000
    assert each < 320, f"an idle client costs {each:.0f} bytes"
    # 2,000 more, each with a request of 3 kB that waits for one of two connections
    busy = Crowd(p, 2000, 0.5, "select 1 -- " + "x" * 3000)
    busy.close()
    wait_until(lambda: p.rss() <= before * 1.2, 60, "memory is given back")
    idle.close()
    first.close()


def test_a_request_beyond_max_memory_ends_its_client_with_a_word(pooler):
    p = pooler(max_open=1, max_memory="2MB")
    with p.wire() as holder, p.wire() as other:
        holder.begin()
        clients = [p.wire() for _ in range(60)]
        for c in clients:  # a request of 64 kB each, that waits
            c.send(wire.query(" " * 63990))
        wait_until(lambda: p.log_contains("max_memory", 0.1), 10, "a client is told")
        holder.query("commit")
        assert other.one("select 1") == "1", "those within the limit are served"
        for c in clients:
            c.drop()
