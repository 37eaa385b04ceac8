"""A side that stops reading costs bounded memory, and loses nothing."""
import threading

import pytest

import wire


@pytest.mark.slow
def test_client_that_stops_reading(pooler):
    p = pooler(max_open=2)
    with p.wire() as other, p.wire(rcvbuf=16384, timeout=60) as c:
        other.query("select 1")
        before = p.rss()
        c.send(wire.query("select n, repeat('x', 1000) from generate_series(1, 200000) n"))
        held = p.held() - before
        assert held < 8000, f"holds {held} kB for a client that does not read"
        assert other.one("select 1") == "1", "another client is held up"
        got = c.until(b"Z")
        rows = [body for kind, body in got if kind == b"D"]
        assert len(rows) == 200000
        assert wire.row(rows[-1])[0] == "200000"


@pytest.mark.slow
def test_many_clients_that_stop_reading(pooler):
    p = pooler(max_open=20)
    before = p.rss()
    clients = [p.wire(rcvbuf=16384) for _ in range(20)]
    for c in clients:
        c.send(wire.query("select repeat('x', 1000) from generate_series(1, 20000) n"))
    held = p.held() - before
    assert held < 20 * 300 + 4000, f"holds {held} kB for 20 clients that do not read"
    for c in clients:
        assert sum(1 for kind, _ in c.until(b"Z") if kind == b"D") == 20000
        c.drop()


@pytest.mark.slow
def test_one_huge_row_to_a_slow_client(pooler):
    p = pooler(max_open=1)
    with p.wire(rcvbuf=16384, timeout=60) as c:
        before = p.rss()
        c.send(wire.query("select repeat('x', 100000000)"))
        held = p.held() - before
        assert held < 8000, f"holds {held} kB of a row"
        assert len(c.result()[0][0]) == 100000000


@pytest.mark.slow
def test_server_that_stops_reading(pooler):
    """COPY in to a server that waits for a lock: the client is held, not our memory."""
    p = pooler(max_open=3)
    with p.wire() as a, p.wire() as c:
        a.query("create table pressed (a text)")
        a.begin()
        a.query("lock table pressed")
        c.send(wire.query("copy pressed from stdin"))
        before = p.rss()
        data = wire.copy_data(b"z" * 8000 + b"\n")
        sent = 0
        c.socket.settimeout(1)
        try:
            for _ in range(20000):
                c.socket.sendall(data)
                sent += 1
        except (TimeoutError, OSError):
            pass
        held = p.rss() - before
        assert held < 8000, f"holds {held} kB of a COPY nobody takes"
        assert sent < 20000, "160 MB went somewhere"
        a.query("rollback")
    with p.wire() as a:
        a.query("drop table pressed")


@pytest.mark.slow
def test_pipeline_whose_answers_are_not_read(pooler):
    """A client that only sends is stopped, and served when it reads."""
    p = pooler(max_open=1)
    with p.wire(rcvbuf=16384, timeout=60) as c:
        c.query("select 1")
        before = p.rss()
        count = 20000
        request = wire.query("select repeat('x', 2000)")
        sender = threading.Thread(target=lambda: c.socket.sendall(request * count))
        sender.start()
        held = p.held() - before
        assert held < 8000, f"holds {held} kB"
        for _ in range(count):
            assert len(c.result()[0][0]) == 2000
        sender.join()


@pytest.mark.slow
def test_a_client_whose_next_message_must_wait(pooler, postgres):
    """Close waits for the batch before it; what comes behind that is not read ahead without end."""
    p = pooler(max_open=1)
    with wire.Wire(postgres.port) as holder, p.wire(timeout=60) as c:
        c.send(wire.parse("s", "select 1") + wire.sync())
        c.until()
        holder.query("select pg_advisory_lock(8)")
        before = p.rss()
        c.send(wire.query("select pg_advisory_lock_shared(8), pg_advisory_unlock_shared(8)") +
               wire.close(b"S", "s") + wire.sync())
        flood = wire.query("select 5 -- " + "x" * 1000) * 15000
        sender = threading.Thread(target=lambda: c.socket.sendall(flood), daemon=True)
        sender.start()
        held = p.held() - before
        assert held < 8000, f"holds {held} kB"
        assert sender.is_alive(), "15 MB went somewhere"
        holder.query("select pg_advisory_unlock(8)")
        c.until()
        assert [kind for kind, _ in c.until()] == [b"3", b"Z"]
        for _ in range(15000):
            assert c.result() == [["5"]], "what was held back is answered"
        sender.join()


def test_slow_reader_does_not_leave_its_pace_behind(pooler):
    """The last bytes of an answer wait for a slow client; its connection goes on."""
    p = pooler(max_open=1)
    for _ in range(5):
        slow = p.wire(rcvbuf=8192, timeout=30)
        slow.send(wire.query("select repeat('x', 400000)"))
        with p.wire() as next_one:
            next_one.send(wire.query("select 'next'"))
            next_one.quiet(0.2)
            assert len(slow.result()[0][0]) == 400000
            assert next_one.result() == [["next"]]
        slow.drop()
