"""Odd and hostile bytes: an answer or a closed connection, never a crash or a wait."""
import random
import struct

import pytest

import wire
from wire import Closed, ServerError, Wire

GONE = (Closed, ConnectionResetError, BrokenPipeError)


@pytest.fixture
def still_serves(pooler):
    """A pooler that must serve a well-behaved client after the test."""
    p = pooler(max_open=2, client_login_timeout=6)
    yield p
    with p.wire() as c:
        assert c.one("select 'fine'") == "fine"


def test_ssl_request_is_answered(still_serves):
    with still_serves.wire(start=False) as c:
        c.send(wire.SSL_REQUEST)
        assert c.byte() == b"N"
        c.send(wire.startup(user="trusty", database="shop"))
        c.authenticate()
        assert c.one("select 1") == "1"


def test_gss_then_ssl_then_plain(still_serves):
    with still_serves.wire(start=False) as c:
        c.send(wire.GSS_REQUEST)
        assert c.byte() == b"N"
        c.send(wire.SSL_REQUEST)
        assert c.byte() == b"N"
        c.send(wire.startup(user="trusty", database="shop"))
        c.authenticate()
        assert c.one("select 1") == "1"


@pytest.mark.ours
def test_startup_byte_by_byte(still_serves):
    with still_serves.wire(start=False) as c:
        c.send(wire.startup(user="trusty", database="shop", application_name="slow"), pieces=1)
        c.authenticate()
        assert c.one("select 1") == "1"


def test_request_behind_the_startup_packet(still_serves):
    """A client that does not wait for the login before it asks."""
    with still_serves.wire(start=False) as c:
        c.send(wire.startup(user="trusty", database="shop") + wire.query("select 'early'"))
        c.authenticate()
        assert c.result() == [["early"]]


@pytest.mark.ours
def test_protocol_3_2_is_negotiated(still_serves):
    with still_serves.wire(start=False) as c:
        c.send(wire.startup(version=(3 << 16) + 2, user="trusty", database="shop"))
        kinds = [k for k, _ in c.until(b"Z")]
        assert b"v" in kinds
        assert c.one("select 1") == "1"


@pytest.mark.ours
def test_protocol_options_are_negotiated(still_serves):
    with still_serves.wire(start=False) as c:
        c.send(wire.startup(user="trusty", database="shop", **{"_pq_.unknown": "1"}))
        got = c.until(b"Z")
        negotiate = [body for kind, body in got if kind == b"v"]
        assert negotiate and b"_pq_.unknown" in negotiate[0]


@pytest.mark.parametrize("data", [
    b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
    struct.pack("!II", 8, 0),
    struct.pack("!II", 0, wire.PROTOCOL_3),
    struct.pack("!II", 4, wire.PROTOCOL_3),
    struct.pack("!II", 0xffffffff, wire.PROTOCOL_3),
    struct.pack("!II", 0x7fffffff, wire.PROTOCOL_3) + b"user\0" * 1000,
    struct.pack("!II", 8, (2 << 16)),
    struct.pack("!II", 8, (4 << 16)),
    struct.pack("!III", 12, wire.PROTOCOL_3, 0x41414141),
    wire.startup(database="shop"),
    wire.startup(user=""),
    b"\0" * 100,
    b"\xff" * 100,
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 32,
    wire.SSL_REQUEST * 3,
    struct.pack("!II", 12, 80877102) + b"abcd",
    b"Q\0\0\0\x0dselect 1\0",
], ids=range(17))
def test_bad_startup(still_serves, data):
    with still_serves.wire(start=False) as c:
        try:
            c.send(data)
            c.socket.settimeout(6)
            while True:
                got = c.socket.recv(65536)
                if not got:
                    break
                assert len(got) < 10000
        except GONE:
            pass


@pytest.mark.parametrize("data", [
    b"Q\0\0\0\0",
    b"Q\0\0\0\3",
    b"Q\xff\xff\xff\xff",
    b"Q\x80\0\0\0select",
    b"\0\0\0\0\4",
    b"z\0\0\0\4",
    b"R\0\0\0\x08\0\0\0\0",
    b"p\0\0\0\x08abcd",
    b"\x16\x03\x01\x02\x00",
    b"Q\0\0\0\x08abc",           # no zero at the end
    b"P\0\0\0\4",
    b"B\0\0\0\4",
    b"D\0\0\0\x05X",
    b"C\0\0\0\x05X",
    b"E\0\0\0\4",
    b"d\0\0\0\4" * 10,
    b"c\0\0\0\4f\0\0\0\4",
    b"P\0\0\0\x0anoend" + b"S\0\0\0\4",
    b"B\0\0\0\x0c\0\0\xff\xff\xff\xff\xff\xff" + b"S\0\0\0\4",
], ids=range(19))
@pytest.mark.parametrize("inside", [False, True], ids=["idle", "in-transaction"])
def test_bad_message(still_serves, data, inside):
    """The connection ends or gets an error; the next client of the server is not hurt."""
    with still_serves.wire(timeout=6) as c:
        if inside:
            c.query("begin")
        c.send(data)
        try:
            c.send(wire.sync() + wire.query("select 'after'") + wire.terminate())
            if not data.startswith(b"Q\x80"):  # announces 2 GB, and may wait for them
                c.closed(6)
            else:
                c.quiet()
        except (*GONE, ValueError):
            pass


def test_garbage_at_random(still_serves):
    seed = wire.SEED
    print("seed", seed)
    rng = random.Random(seed)
    for _ in range(200):
        c = still_serves.wire(start=rng.random() < 0.7)
        try:
            data = bytearray(wire.query("select 1") + wire.extended("select 2") + wire.sync())
            if c.pid is None:
                data = bytearray(wire.startup(user="trusty", database="shop") + data)
            for _ in range(rng.randrange(1, 6)):
                data[rng.randrange(len(data))] = rng.randrange(256)
            c.send(bytes(data))
            c.quiet(0.005)
        except GONE:
            pass
        finally:
            c.drop()


def test_unknown_database(still_serves):
    with pytest.raises(ServerError) as e:
        still_serves.wire(database="nowhere")
    assert "nowhere" in e.value.message or "no such database" in e.value.message.lower()


def test_login_timeout(still_serves):
    with still_serves.wire(start=False, timeout=15) as c:
        c.send(wire.startup(user="trusty", database="shop")[:10])
        c.closed(12)


def test_many_silent_connections(still_serves):
    silent = [still_serves.wire(start=False) for _ in range(100)]
    with still_serves.wire() as c:
        assert c.one("select 1") == "1"
    for c in silent:
        c.drop()


def test_terminate_in_the_same_packet(still_serves):
    """The answer of a query is owed even when Terminate is already there, or nothing is."""
    for _ in range(20):
        with still_serves.wire() as c:
            c.send(wire.query("select 'last'") + wire.terminate())
            got = c.closed(5)
            assert not got or got[0][0] in b"TES"


def test_connect_and_close(still_serves):
    for _ in range(200):
        Wire(still_serves.port, start=False).drop()
        Wire(still_serves.port, start=False).reset()


def test_half_close(still_serves):
    import socket
    with still_serves.wire() as c:
        c.send(wire.query("select 'x'"))
        c.socket.shutdown(socket.SHUT_WR)
        got = c.closed(5)
        assert not got or got[0][0] in b"TES"
