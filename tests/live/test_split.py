"""Every message cut at every byte, in both directions: the answers stay the same.

Unix sockets on both sides: a piece is only sent when the one before it was read
(SIOCOUTQ is 0), so that the pooler's reads are the pieces themselves.
"""
import fcntl
import os
import random
import shutil
import socket
import struct
import termios
import threading
import time

import pytest

import cluster
import wire
from wire import Closed


def wait_read(sock):
    """Until the other side has read all that was sent."""
    until = time.monotonic() + 10 * wire.PATIENCE
    while struct.unpack("i", fcntl.ioctl(sock, termios.TIOCOUTQ, b"\0" * 4))[0]:
        assert time.monotonic() < until, "nobody reads"
        time.sleep(0)


def send_pieces(sock, data, cuts):
    at = 0
    for cut in [*cuts, len(data)]:
        if cut > at:
            sock.sendall(data[at:cut])
            wait_read(sock)
            at = cut


class Splitter:
    """Between the pooler and PostgreSQL: what the server says comes in the pieces of `cuts`."""

    def __init__(self, directory, postgres):
        self.port, self.postgres = 5999, postgres
        self.cuts = lambda size: ()
        self.listener = socket.socket(socket.AF_UNIX)
        path = f"{directory}/.s.PGSQL.{self.port}"
        self.listener.bind(path)
        os.chmod(path, 0o777)
        self.listener.listen(16)
        self.threads = [threading.Thread(target=self.accept, daemon=True)]
        self.threads[0].start()

    def accept(self):
        while True:
            try:
                near, _ = self.listener.accept()
            except OSError:
                return
            far = socket.create_connection(("127.0.0.1", self.postgres.port))
            far.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for args in ((near, far, False), (far, near, True)):
                threading.Thread(target=self.pump, args=args, daemon=True).start()

    def pump(self, source, sink, cutting):
        try:
            while data := source.recv(65536):
                if cutting:
                    send_pieces(sink, data, self.cuts(len(data)))
                else:
                    sink.sendall(data)
        except (OSError, AssertionError):
            pass
        finally:
            for s in (source, sink):
                try:
                    s.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass

    def close(self):
        self.listener.close()


@pytest.fixture
def split(pooler, postgres, request):
    """(pooler, splitter): one server connection, reached through the splitter."""
    directory = cluster.scratch("pgsluice-split-")
    request.addfinalizer(lambda: shutil.rmtree(directory, ignore_errors=True))
    s = Splitter(directory, postgres)
    p = pooler(databases={"shop": f"host={directory} port={s.port}"}, max_open=1)
    yield p, s
    s.close()


EXCHANGES = {
    "simple": [wire.query("select 1, 'two', null; select generate_series(1, 3)")],
    "error": [wire.query("select 1; select nothing_here"), wire.query("")],
    "extended": [wire.extended("select $1::text, $2::int", ("a", 7)) + wire.sync()],
    "named": [wire.parse("s1", "select $1::text") + wire.describe(b"S", "s1") + wire.sync(),
              wire.bind("", "s1", ("x",)) + wire.execute() + wire.sync() +
              wire.bind("p", "s1", ("y",)) + wire.execute("p", 1) + wire.close(b"P", "p") +
              wire.close(b"S", "s1") + wire.sync()],
    "pipeline": [wire.extended("select 1") + wire.sync() + wire.extended("select nothing") +
                 wire.extended("select 2") + wire.sync() + wire.extended("select 3") +
                 wire.sync()],
    "copy": [wire.query("copy (select generate_series(1, 5)) to stdout"),
             # in a transaction, since a temporary table ends with it in transaction pooling
             wire.query("begin") + wire.query("create temp table c (a text)") +
             wire.query("copy c from stdin") + wire.copy_data(b"one\ntwo\n") +
             wire.copy_data(b"three\n") + wire.copy_done() + wire.query("select a || '' from c") +
             wire.query("drop table c") + wire.query("commit"),
             ],
    "set": [wire.query("set application_name = 'it''s'"), wire.query("show application_name"),
            wire.query("reset application_name")],
    "transaction": [wire.query("begin"), wire.query("select 1"), wire.query("commit")],
    "notice": [wire.query("do $$ begin raise notice 'hello'; end $$")],
}
SYNCS = {b"Q", b"S", b"F"}


def count_ready(data):
    """How many ReadyForQuery the messages in `data` ask for."""
    at = found = 0
    while at < len(data):
        found += data[at:at + 1] in SYNCS
        at += 1 + struct.unpack("!I", data[at + 1:at + 5])[0]
    return found


def answers(c, requests, send):
    """The answers of an exchange, each request sent by send(data)."""
    got = []
    for data in requests:
        send(data)
        for _ in range(count_ready(data)):
            for kind, body in c.until():
                if kind == b"E":
                    f = wire.fields(body)
                    body = f["C"] + f["M"]
                got.append((kind, body))
    return got


@pytest.mark.ours
@pytest.mark.parametrize("name", EXCHANGES)
def test_any_cut_gives_the_same(split, name):
    p, s = split
    requests = EXCHANGES[name]
    with p.wire(host=p.dir) as c:
        whole = answers(c, requests, c.send)
        # byte by byte, first the one direction, then the other, then both
        for near, far in ((True, False), (False, True), (True, True)):
            s.cuts = (lambda size: range(size)) if far else lambda size: ()
            send = (lambda d: send_pieces(c.socket, d, range(len(d)))) if near else c.send
            assert answers(c, requests, send) == whole, f"byte by byte {near} {far}"
        # in two pieces, at every byte
        longest = max(len(r) for r in requests)
        for cut in range(1, longest, 1 if longest < 300 else 3):
            s.cuts = lambda size, cut=cut: (cut,) if cut < size else ()
            assert answers(c, requests, lambda d, cut=cut: send_pieces(
                c.socket, d, (cut,) if cut < len(d) else ())) == whole, f"cut at {cut}"
    assert "integrity" not in p.log()


@pytest.mark.ours
def test_random_cuts_of_large_messages(split):
    p, s = split
    rng = random.Random(5)
    text = "".join(rng.choice("abcdefgh") for _ in range(300_000))
    with p.wire(host=p.dir) as c:
        for _ in range(6):
            s.cuts = lambda size: sorted(rng.sample(range(size), min(size, 5)))
            data = wire.query(f"select '{text}'") + wire.extended("select $1::text", (text,)) + \
                wire.sync()
            send_pieces(c.socket, data, sorted(rng.sample(range(len(data)), 9)))
            for _ in range(2):
                rows = [wire.row(b) for k, b in c.until() if k == b"D"]
                assert rows == [[text]]


@pytest.mark.ours
def test_garbage_of_a_client_harms_only_itself(split):
    """Random bytes behind a good login, also in one-byte pieces: the client is closed with a
    word or waits; the next one is served."""
    p, _ = split
    rng = random.Random(11)
    for round in range(40):
        with p.wire(host=p.dir, timeout=5) as c:
            kind = rng.choice(b"QPBDECSHFdcfXpZ\0\xff")
            size = rng.choice([0, 3, 4, 5, 12, 0x7fffffff, 0xffffffff, rng.randrange(40)])
            data = bytes([kind]) + struct.pack("!I", size) + rng.randbytes(rng.randrange(60))
            try:
                send_pieces(c.socket, data, range(len(data)) if round % 2 else ())
            except (AssertionError, OSError):
                pass
    with p.wire(host=p.dir) as c:
        assert c.one("select 'fine'") == "fine"


@pytest.mark.ours
def test_garbage_of_a_server_reaches_nobody(pooler, request):
    """A server that says what was not asked: both ends are closed, nothing is passed on."""
    directory = cluster.scratch("pgsluice-split-")
    request.addfinalizer(lambda: shutil.rmtree(directory, ignore_errors=True))
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(f"{directory}/.s.PGSQL.5998")
    os.chmod(f"{directory}/.s.PGSQL.5998", 0o777)
    listener.listen(16)
    rng = random.Random(3)
    ready = wire.message(b"Z", b"I")
    row = wire.message(b"D", b"\0\1\0\0\0\6secret")

    def serve(s):
        try:
            size, = struct.unpack("!I", s.recv(4))
            s.recv(size - 4)
            s.sendall(wire.message(b"R", b"\0\0\0\0") + wire.message(b"K", b"\0\0\0\1\0\0\0\2") +
                      ready)
            while data := s.recv(65536):
                if data[:1] == b"S":  # the fence behind a login
                    s.sendall(ready)
                elif data[:1] == b"Q" and b"good" in data:
                    s.sendall(wire.message(b"C", b"SELECT 0\0") + ready)
                elif data[:1] == b"Q":
                    s.sendall(wire.message(b"C", b"SELECT 0\0") + ready + rng.choice(
                        [row, ready, wire.message(b"1"), wire.message(b"C", b"SELECT 1\0") + row,
                         b"D\0\0\0\1", b"\0\0\0\0\0", rng.randbytes(40) + row]))
        except (OSError, struct.error):
            pass
        finally:
            s.close()

    def accept():
        while True:
            try:
                s, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=serve, args=(s,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    p = pooler(databases={"shop": f"host={directory} port=5998"}, max_open=2)
    for _ in range(30):
        with p.wire(host=p.dir) as c:
            try:
                c.send(wire.query("bad"))
                c.until()
                c.send(wire.query("good"))
                assert [k for k, _ in c.until()] == [b"C", b"Z"]
            except (Closed, OSError):
                pass
        with p.wire(host=p.dir) as c:
            try:
                c.send(wire.query("good"))
                assert [k for k, _ in c.until()] == [b"C", b"Z"]
            except (Closed, OSError):
                pass
    listener.close()
