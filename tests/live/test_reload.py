"""RELOAD under load: all of a file or nothing of it, and nobody notices who need not.

RELOADS=1000 tests/pytest tests/live/test_reload.py for the long run (`make soak` does it on
the ASan build); SEED repeats one.
"""
import os
import random
import re
import signal
import ssl
import struct
import threading

import pytest

import cluster
import wire
from authkit import Certificates
from pooler import wait_until
from settings_draw import Draw
from wire import ServerError, Wire

pytestmark = pytest.mark.ours

RELOADS = int(os.environ.get("RELOADS", "60"))
POOL = 3        # server connections of each pool of shop


class Load(threading.Thread):
    """A client that works until it is told to stop, counts, checks every answer, and
    remembers which server processes served it."""
    user = "trusty"

    def __init__(self, p, name):
        super().__init__(daemon=True)
        self.pooler, self.name = p, name
        self.stop, self.count, self.pids, self.error = False, 0, set(), None
        self.client = self.connect()

    def connect(self):
        return self.pooler.wire(user=self.user, password=cluster.PASSWORD, timeout=60)

    def run(self):
        try:
            while not self.stop:
                self.work(self.client, f"{self.name}-{self.count}")
                self.count += 1
        except Exception as e:    # pylint: disable=broad-except
            self.error = e
        self.client.drop()

    def same(self, got, wanted):
        if got != wanted:
            raise AssertionError(f"{self.name}: wanted {wanted!r}, got {got!r}")

    def work(self, c, nonce):
        got, pid = c.query(f"select '{nonce}', pg_backend_pid()")[0]
        self.same(got, nonce)
        self.pids.add(pid)


class Transactions(Load):
    def work(self, c, nonce):
        c.query("begin")
        pids = [c.query(f"select pg_backend_pid() /* {nonce} */")[0][0] for _ in range(4)]
        c.query("commit")
        self.same(len(set(pids)), 1)
        self.pids.add(pids[0])


class Prepared(Load):
    """A statement prepared once, before any reload."""

    def connect(self):
        c = super().connect()
        c.send(wire.parse("kept", "select $1::text, pg_backend_pid()") + wire.sync())
        c.result()
        return c

    def work(self, c, nonce):
        c.send(wire.bind("", "kept", [nonce]) + wire.execute() + wire.sync())
        got, pid = c.result()[0]
        self.same(got, nonce)
        self.pids.add(pid)


class Copy(Load):
    """COPY in both directions, each in several messages."""

    def connect(self):
        c = super().connect()
        c.query("create table if not exists reload_copy (x text)")
        return c

    def work(self, c, nonce):
        c.query("begin")
        c.send(wire.query("copy reload_copy from stdin"))
        c.until(b"G")
        for i in range(5):
            c.send(wire.copy_data(f"{nonce}\t".encode()[:-1] + f" {i}\n".encode()))
        c.send(wire.copy_done())
        c.result()
        self.same(c.one(f"select count(*) from reload_copy where x like '{nonce} %'"), "5")
        c.query("rollback")
        c.send(wire.query("copy (select repeat('x', 1000) from generate_series(1, 200)) to stdout"))
        self.same(sum(k == b"d" for k, _ in c.until(b"Z")), 200)


class Comers(Load):
    """Logs in each time, with a password, by whatever method is asked for today."""
    user = "app"

    def work(self, c, nonce):
        with self.connect() as new:
            super().work(new, nonce)


class Encrypted(Load):
    """Its connection began under TLS and outlives every change of certificates."""

    def connect(self):
        c = Wire(self.pooler.port, start=False, timeout=60)
        c.socket.sendall(struct.pack("!II", 8, 80877103))
        self.same(c.socket.recv(1), b"S")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        c.socket = context.wrap_socket(c.socket)
        c.user, c.password = self.user, None
        c.send(wire.startup(user=self.user, database="shop"))
        c.authenticate()
        return c


class Neighbour(Load):
    """On stock, whose line changes all the time: connections come and go, errors do not."""

    def connect(self):
        return self.pooler.wire(database="stock", timeout=60)


LOADS = (Load, Load, Load, Transactions, Transactions, Prepared, Prepared, Copy, Comers, Encrypted,
         Neighbour)


def reload(p, console, draw, rng):
    """One change, by RELOAD or by HUP, after which nothing is left to do."""
    if rng.random() < 0.9:
        console.query("RELOAD")
    else:
        p.signal(signal.SIGHUP)
        wait_until(lambda: "nothing would change" in console.query("RELOAD CHECK")[0][0], 30)
    if rng.random() < 0.2:
        assert "nothing would change" in console.query("RELOAD CHECK")[0][0]
    if rng.random() < 0.2:
        name = rng.choice(["query_wait_notify", "server_check_delay", "log_stats", "stats_period"])
        console.query(f"SET {name} = '{draw.value(name)}'")


def refused(console, rng):
    """A broken file: nothing of it has come into force."""
    before = console.query("SHOW CONFIG")
    for text in ["RELOAD"] + ["RELOAD CHECK"] * (rng.random() < 0.3):
        with pytest.raises(ServerError) as e:
            console.query(text)
        assert e.value.code == "F0000", e.value
    assert console.query("SHOW CONFIG") == before


@pytest.mark.timeout(600 + 2 * RELOADS)
def test_reloads_under_load(pooler, postgres):
    print(f"SEED={wire.SEED}")
    rng = random.Random(wire.SEED)
    certificates = Certificates()
    certificates.make("second", "localhost")
    p = pooler(start=False, max_open=POOL, auth_delay=0, **certificates.settings("prefer"))
    draw = Draw(p, rng, certificates, f"host=127.0.0.1 port={postgres.port}")
    for name in ("listen_port", "unix_socket_dir", "auth_type", "admin_users", "listen_addr"):
        draw.settings[name] = p.settings[name]
    draw.write()
    p.start()
    loads = [kind(p, f"{kind.__name__}{i}") for i, kind in enumerate(LOADS)]
    for load in loads:
        load.start()
    asked_for = refusals = 0
    with p.console() as console:
        fixed = {r["key"]: r["value"] for r in console.table("SHOW CONFIG")
                 if r["changeable"] == "no"}
        for _ in range(RELOADS):
            if rng.random() < 0.4:
                draw.write(draw.wrong())
                refused(console, rng)
                refusals += 1
            else:
                asked_for += draw.change()
                draw.write()
                reload(p, console, draw, rng)
            for load in loads:
                assert not load.error, (load.name, load.error)
        now = {r["key"]: r["value"] for r in console.table("SHOW CONFIG")
               if r["changeable"] == "no"}
    wait_until(lambda: all(load.count > 3 or load.error for load in loads), 60, "all have worked")
    for load in loads:
        load.stop = True
    for load in loads:
        load.join(60)
        assert not load.error, (load.name, load.error)
    assert now == fixed, "a setting that needs a restart has changed"
    for user in ("trusty", "app"):
        pids = set().union(*(load.pids for load in loads
                             if load.user == user and not isinstance(load, Neighbour)))
        why = re.findall(f"S-.*{user}@.*(?:losing because|answered us): .*", p.log())
        assert len(pids) <= POOL * (1 + asked_for), f"needless reconnects of {user}: {why}"
    print(f"{RELOADS} reloads, {refusals} of them refused, {asked_for} replaced connections; "
          f"{sum(load.count for load in loads)} pieces of work, 0 errors")
    certificates.close()


def test_what_did_not_change_keeps_its_connections(pooler, postgres):
    """Only the database whose line leads elsewhere gets new connections."""
    server = f"host=127.0.0.1 port={postgres.port}"
    p = pooler(max_open=1, databases={"shop": server, "stock": server})
    with p.wire() as shop, p.wire(database="stock") as stock, p.console() as console:
        before = shop.one("select pg_backend_pid()"), stock.one("select pg_backend_pid()")
        p.databases = {"shop": server + " query_wait_timeout=7", "extra": server + " dbname=shop",
                       "stock": server + " application_name=changed"}
        p.write_config(max_idle_time=50, log_disconnections=0)
        console.query("RELOAD")
        after = shop.one("select pg_backend_pid()"), stock.one("select pg_backend_pid()")
        assert after[0] == before[0], "a needless reconnect"
        assert after[1] != before[1], "a connection made by the old line is still in use"
        with p.wire(database="extra") as extra:
            assert extra.one("select 1") == "1"


def test_changed_tls_towards_servers_replaces_connections(pooler):
    p = pooler(max_open=1, server_tls_sslmode="prefer")
    with p.wire() as a, p.console() as console:
        before = a.one("select pg_backend_pid()")
        p.write_config(server_tls_sslmode="disable")
        assert any("replaced" in r[0] for r in console.query("RELOAD CHECK"))
        console.query("RELOAD")
        assert a.one("select pg_backend_pid()") != before


@pytest.mark.parametrize("name", ["logfile", "query_log"])
def test_a_log_that_cannot_be_written_changes_nothing(pooler, name):
    p = pooler(max_open=3)
    with p.console() as console:
        p.write_config(max_open=4, **{name: "/nowhere/at/all"})
        for command in ("RELOAD CHECK", "RELOAD"):
            with pytest.raises(ServerError) as e:
                console.query(command)
            assert e.value.code == "F0000"
            assert "/nowhere/at/all" in e.value.fields["D"] and name in e.value.fields["D"]
        assert {r["key"]: r["value"] for r in console.table("SHOW CONFIG")}["max_open"] == "3"


def test_reload_check_reads_the_files_too(pooler):
    p = pooler()
    p.write("bad.hba", "host all all 127.0.0.1/33 trust\n")
    p.write_config(auth_type="hba", auth_hba_file=p.dir + "/bad.hba")
    with p.console() as console:
        for command in ("RELOAD CHECK", "RELOAD"):
            with pytest.raises(ServerError) as e:
                console.query(command)
            assert e.value.code == "F0000" and "bad.hba" in e.value.fields["D"]
