"""[peers]: a cancel request that comes to the wrong process finds the right one."""
import signal

import cluster
import pytest

import wire
from pooler import wait_until
from wire import ServerError, Wire

pytestmark = pytest.mark.ours
MINE = "usename = 'trusty' and datname = 'shop' and state = 'active'"


def family(pooler, ids, over):
    """Processes that are each other's peers, over their unix sockets or over TCP."""
    group = [pooler(start=False, peer_id=i, cancel_wait_timeout=60) for i in ids]
    peers = "[peers]\n" + "".join(
        f"{i} = host={p.dir if over == 'unix' else '127.0.0.1'} port={p.port}\n"
        for i, p in zip(ids, group))
    for p in group:
        with open(p.config, encoding="utf-8") as f:
            text = f.read()
        p.write("pooler.conf", peers + text)
        p.start()
    return group


@pytest.mark.parametrize("over", ["unix", "tcp"])
def test_a_cancel_finds_its_process(pooler, postgres, over):
    one, two = family(pooler, (1, 258), over)
    for mine, other in ((one, two), (two, one)):
        with mine.wire() as a:
            a.send(wire.query("select pg_sleep(400)"))
            wait_until(lambda: postgres.backends(MINE))
            a.cancel(other.port)
            with pytest.raises(ServerError) as e:
                a.result()
            assert e.value.code == "57014"
            assert a.one("select 1") == "1"


def test_a_cancel_among_peers_still_works_at_home(pooler, postgres):
    one, _ = family(pooler, (1, 2), "unix")
    with one.wire() as a:
        a.send(wire.query("select pg_sleep(400)"))
        wait_until(lambda: postgres.backends(MINE))
        a.cancel(one.port)
        with pytest.raises(ServerError):
            a.result()


def test_a_wrong_secret_cancels_nothing(pooler, postgres):
    one, two = family(pooler, (1, 2), "unix")
    with one.wire() as a:
        a.send(wire.query("select pg_sleep(1), 'done'"))
        wait_until(lambda: postgres.backends(MINE))
        a.key ^= 4
        a.cancel(two.port)
        assert a.result()[0][1] == "done"


def test_peers_that_are_not_there(pooler):
    """Nobody hangs, and the log says it."""
    p = pooler(start=False, peer_id=1, cancel_wait_timeout=2)
    with open(p.config, encoding="utf-8") as f:
        text = f.read()
    p.write("pooler.conf", f"[peers]\n2 = host=127.0.0.1 port={cluster.free_port()}\n" + text)
    p.start()
    with p.wire() as a:
        assert a.one("select 1") == "1"
        for peer, words in ((2, "cannot pass a cancel request on to peer 2"),
                            (9, "there is no peer 9")):
            a.pid = a.pid & ~0x00ffff00 | (peer & 0xff) << 16 | (peer >> 8) << 8
            a.cancel(p.port)
            wait_until(lambda: words in p.log(), what=words)
        assert a.one("select 1") == "1"


def test_a_request_does_not_go_round_for_ever(pooler):
    """Two processes that each take the other for peer 3 pass it on three times in all."""
    one, two = (pooler(start=False, peer_id=i, cancel_wait_timeout=3) for i in (1, 2))
    for p, other in ((one, two), (two, one)):
        with open(p.config, encoding="utf-8") as f:
            text = f.read()
        p.write("pooler.conf", f"[peers]\n3 = host=127.0.0.1 port={other.port}\n" + text)
        p.start()
    with one.wire() as a:
        a.pid = a.pid & ~0x00ffff00 | 3 << 16
        a.cancel(one.port)
        wait_until(lambda: "it went round in a circle" in one.log() + two.log())


@pytest.mark.parametrize("how", ["SHUTDOWN WAIT_FOR_CLIENTS", "TERM"])
def test_a_rolling_restart_loses_nobody(pooler, postgres, how):
    """Two processes on one port: the one that leaves takes no new client, those it has stay,
    and a cancel request for them finds it over its unix socket."""
    one = pooler(start=False, peer_id=1, so_reuseport=1)
    two = pooler(start=False, peer_id=2, so_reuseport=1, listen_port=one.port)
    two.port = one.port
    peers = f"[peers]\n1 = host={one.dir} port={one.port}\n2 = host={two.dir} port={one.port}\n"
    for p in (one, two):
        with open(p.config, encoding="utf-8") as f:
            p.write("pooler.conf", peers + f.read())
    one.start()
    with one.wire() as old, Wire(one.port, host=one.dir, user="postgres",
                                 database="pgbouncer") as console:
        old.begin()
        two.start()
        two.log_contains("process up")  # the port answers before: it is the other's, too
        if how == "TERM":
            one.signal(signal.SIGTERM)
        else:
            console.query(how)
        one.log_contains("shutting down: when all clients have gone")
        for _ in range(20):
            with two.wire() as new:
                assert new.one("select 1") == "1"
        with pytest.raises(ServerError, match="shutting down"):
            Wire(one.port, host=one.dir)
        assert console.query("SHOW STATE"), "the console is there until the end"
        old.send(wire.query("select pg_sleep(400)"))
        wait_until(lambda: postgres.backends(MINE))
        old.cancel(one.port)        # the kernel gives it to the other one, which passes it on
        with pytest.raises(ServerError) as e:
            old.result()
        assert e.value.code == "57014"
        old.query("rollback")
        old.quit()
        assert one.wait(20) == 0
