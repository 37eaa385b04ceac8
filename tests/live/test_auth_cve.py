"""Each hole that PgBouncer or Pgpool-II had since 2015: ours is not open to it.

A test's name says which: docs/security.md lists them all, and why.  Behind them are the holes
that have no number, by kind.
"""
import os
import re
import socket
import struct
import threading
import time
import urllib.error
import urllib.request

import psycopg
import pytest

import cluster
import wire
from authkit import Target, by_psycopg, scram_secret, verdict
from pace import at_some_pace
from pooler import ROOT, wait_until

pytestmark = pytest.mark.ours

LOOKUP = "select name, secret from pgsluice.auth_lookup($1)"


@pytest.fixture(scope="module")
def lookup():
    """A server with the role and function of sql/auth_lookup.sql; it trusts all but nobody else."""
    server = cluster.Postgres()
    with open(os.path.join(os.path.dirname(__file__), "../../sql/auth_lookup.sql"),
              encoding="utf-8") as f:
        server.sql(f.read(), dbname="shop")
    server.sql("create role alice login password 'alice''s'")
    yield server
    server.close()


def asks(pooler, server, **more):
    words = dict(auth_type="scram-sha-256", auth_user="pgsluice_auth", auth_query=LOOKUP,
                 auth_delay=0, auth_failure_limit=0)
    words.update(more)
    p = pooler(on=server, start=False,
               databases={"shop": f"host=127.0.0.1 port={server.port} user=trusty"}, **words)
    p.write("userlist.txt", '"pgsluice_auth" ""\n')
    return p.start()


def raw(p, data, seconds=100):
    """Send bytes on a fresh connection; all that comes back until it is closed (or time is up).

    Where the pooler may wait for more, client_login_timeout closes it.
    """
    got = b""
    with socket.create_connection(("127.0.0.1", p.port), timeout=seconds) as s:
        try:
            s.sendall(data)
            while more := s.recv(65536):
                got += more
        except (TimeoutError, ConnectionResetError, BrokenPipeError):
            pass
    return got


def alive(p, **who):
    with p.wire(**{"user": "trusty", **who}) as c:
        assert c.one("select 1") == "1"


def test_every_number_has_its_test():
    """docs/security.md and the tests name the same."""
    with open(os.path.join(ROOT, "docs/security.md"), encoding="utf-8") as f:
        listed = set(re.findall(r"CVE-(\d{4}-\d+)", f.read()))
    here = set()
    for name in os.listdir(os.path.dirname(__file__)):
        if name.endswith(".py"):
            with open(os.path.join(os.path.dirname(__file__), name), encoding="utf-8") as f:
                here |= {"-".join(m) for m in re.findall(r"def test_cve_(\d{4})_(\d+)", f.read())}
    assert listed == here and len(here) > 15


class Backend:
    """A server that says what it is told: talk(socket) once the startup packet has come."""

    def __init__(self, talk):
        self.talk = talk
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            try:
                s, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._one, args=(s,), daemon=True).start()

    def _one(self, s):
        with s:
            s.settimeout(60)
            try:
                packet = s.recv(8192)
                if packet[4:8] == struct.pack("!I", 80877103):
                    s.sendall(b"N")
                    s.recv(8192)
                self.talk(s)
            except OSError:
                pass

    def close(self):
        self.listener.close()


def auth_request(code, body=b""):
    return wire.message(b"R", struct.pack("!I", code) + body)


def asks_for_scram(first):
    """A server whose first SCRAM message is first(nonce of the client)."""
    def talk(s):
        s.sendall(auth_request(10, b"SCRAM-SHA-256\0\0"))
        nonce = re.search(rb",r=([!-+\--~]+)", s.recv(8192))[1]
        s.sendall(auth_request(11, first(nonce)))
        while s.recv(8192):
            pass
    return talk


@pytest.fixture
def evil(pooler):
    """make(talk): a pooler whose database "evil" is that server and "shop" a real one."""
    made = []

    def make(talk, **settings):
        made.append(Backend(talk))
        words = {"auth_type": "plain", "auth_delay": 0, "server_connect_timeout": 3, **settings}
        p = pooler(start=False, **words)
        p.databases = {"evil": f"host=127.0.0.1 port={made[-1].port}",
                       "shop": f"host=127.0.0.1 port={p.postgres.port}"}
        p.write_config()
        return p.start()

    yield make
    for m in made:
        m.close()


# --- CVE-2015-4054: a password message before the startup packet crashed PgBouncer

@pytest.mark.parametrize("data", [
    wire.message(b"p", b"secret\0"), wire.message(b"p", b""), wire.message(b"Q", b"select 1\0"),
    wire.message(b"X", b""), wire.message(b"S", b""), b"p", b"\0", b"GET / HTTP/1.0\r\n\r\n"])
def test_cve_2015_4054_messages_before_the_startup_packet(pooler, data):
    p = pooler(client_login_timeout=5)
    got = raw(p, data)
    assert b"R\0\0\0\x08\0\0\0\0" not in got
    alive(p)


@pytest.mark.parametrize("data", [
    wire.message(b"p", b"\0"), wire.message(b"p", b""), wire.message(b"Q", b"select 1\0"),
    wire.message(b"X", b""), wire.message(b"p", b"no end"), wire.message(b"p", b"two\0ends\0")])
@pytest.mark.parametrize("method", ["plain", "md5", "scram-sha-256"])
def test_messages_out_of_turn(pooler, method, data):
    """Whatever comes instead of the proof, nobody is let in and everybody else goes on."""
    p = pooler(start=False, auth_type=method, client_login_timeout=5, auth_delay=0)
    p.write("userlist.txt", '"trusty" "secret"\n')
    p.start()
    got = raw(p, wire.startup(user="trusty", database="shop") + data)
    assert b"R\0\0\0\x08\0\0\0\0" not in got and b"Z\0\0\0\5I" not in got
    with p.wire(password="secret") as c:
        assert c.one("select 1") == "1"


# --- CVE-2015-6817: an unknown user was let in as auth_user

@pytest.mark.parametrize("method", ["plain", "md5", "scram-sha-256", "trust"])
def test_cve_2015_6817_an_unknown_user_is_not_the_auth_user(pooler, lookup, method):
    p = asks(pooler, lookup, auth_type=method)
    for user in ("nobody", "pgsluice_auth2", "alice\tx", "'; select 1; --", " "):
        for password in ("x", "lookup"):
            assert "authentication failed" in by_psycopg(Target(p), user, password)
    with pytest.raises((wire.ServerError, wire.Closed)):
        p.wire(user="", password="x")


# --- CVE-2025-2291: auth_query did not look at VALID UNTIL

def test_cve_2025_2291_expired_passwords(pooler, lookup):
    p = asks(pooler, lookup, auth_cache_ttl=0)
    assert by_psycopg(Target(p), "alice", "alice's") == "ok"
    lookup.sql("alter role alice valid until '2001-01-01'")
    try:
        wait_until(lambda: verdict("psycopg", Target(p), "alice", "alice's") == "refused")
    finally:
        lookup.sql("alter role alice valid until 'infinity'")


def test_cve_2025_2291_by_the_default_query(pooler, lookup):
    p = pooler(on=lookup, start=False, auth_type="scram-sha-256", auth_user="postgres",
               auth_delay=0, auth_cache_ttl=0,
               databases={"shop": f"host=127.0.0.1 port={lookup.port} user=trusty"})
    p.write("userlist.txt", "")
    p.start()
    assert by_psycopg(Target(p), "alice", "alice's") == "ok"
    lookup.sql("alter role alice valid until '2001-01-01'")
    try:
        wait_until(lambda: verdict("psycopg", Target(p), "alice", "alice's") == "refused")
    finally:
        lookup.sql("alter role alice valid until 'infinity'")


# --- CVE-2025-12819: the client's search_path took effect in auth_query

@pytest.mark.parametrize("how", ["parameter", "options"])
def test_cve_2025_12819_search_path_does_not_reach_the_auth_query(pooler, lookup, how):
    """With an own pg_authid in front of the real one a client would choose his own secret."""
    lookup.sql("drop schema if exists evil cascade", dbname="shop")
    lookup.sql("create schema evil", dbname="shop")
    lookup.sql("grant usage on schema evil to public", dbname="shop")
    lookup.sql("create table evil.pg_authid as select rolname, "
               f"'{scram_secret('mine')}'::text as rolpassword, rolvaliduntil, rolcanlogin "
               "from pg_catalog.pg_authid", dbname="shop")
    lookup.sql("grant select on evil.pg_authid to public", dbname="shop")
    p = pooler(on=lookup, start=False, auth_type="scram-sha-256", auth_user="postgres",
               auth_delay=0, track_extra_parameters="search_path, IntervalStyle",
               databases={"shop": f"host=127.0.0.1 port={lookup.port} user=trusty"})
    p.write("userlist.txt", "")
    p.start()
    params = {"search_path": "evil,pg_catalog"} if how == "parameter" else \
        {"options": "-c search_path=evil,pg_catalog"}
    with pytest.raises(wire.ServerError) as e:
        p.wire(user="alice", password="mine", params=params)
    assert e.value.code == "28P01"
    # also when the role or the database says so
    lookup.sql("alter database shop set search_path = evil, pg_catalog")
    try:
        p.signal(1)
        with pytest.raises(wire.ServerError):
            p.wire(user="alice", password="mine")
    finally:
        lookup.sql("alter database shop reset search_path")


# --- CVE-2026-6664: an integer overflow in lengths let a SCRAM message crash PgBouncer

@pytest.mark.parametrize("size", [0, 1, 3, 4, 7, 9, 10001, 65536, 2**31 - 1, 2**31, 2**32 - 1,
                                  2**32 - 4, 0x16030100])
def test_startup_lengths(pooler, size):
    p = pooler(client_login_timeout=20)
    for code in (196608, 80877103, 80877102, 80877104, 0, 0xFFFFFFFF):
        got = raw(p, struct.pack("!II", size, code) + b"user\0trusty\0\0", 1)
        assert b"Z\0\0\0\5I" not in got
    alive(p)


@pytest.mark.parametrize("size", [0, 3, 8193, 2**31 - 1, 2**31, 2**32 - 1, 2**32 - 5])
@pytest.mark.parametrize("method", ["plain", "scram-sha-256"])
def test_cve_2026_6664_password_lengths(pooler, size, method):
    p = pooler(start=False, auth_type=method, client_login_timeout=5, auth_delay=0)
    p.write("userlist.txt", '"trusty" "secret"\n')
    p.start()
    got = raw(p, wire.startup(user="trusty", database="shop") + b"p" + struct.pack("!I", size) +
              b"x" * 100)
    assert b"08P01" in got and b"Z\0\0\0\5I" not in got
    with p.wire(password="secret") as c:
        assert c.one("select 1") == "1"


def sasl_first(body, mechanism=b"SCRAM-SHA-256", length=None):
    n = len(body) if length is None else length
    return wire.message(b"p", mechanism + b"\0" + struct.pack("!I", n & 0xFFFFFFFF) + body)


@pytest.mark.parametrize("first", [
    sasl_first(b"n,,n=,r=" + b"a" * 1025), sasl_first(b"n,,n=,r=" + b"a" * 4088),
    sasl_first(b"n,,n=,r=" + b"a" * 8000), sasl_first(b"n,,n=" + b"a" * 4000 + b",r=abc"),
    sasl_first(b"n,,n=,r=abc", length=-1), sasl_first(b"n,,n=,r=abc", length=2**31 - 1),
    sasl_first(b"n,,n=,r=abc", length=5), sasl_first(b"n,,n=,r=abc", length=12),
    sasl_first(b"n,,n=,r=abc", b"SCRAM-SHA-1"), sasl_first(b"n,,n=,r=abc", b"x" * 4000),
    sasl_first(b"p=tls-server-end-point,,n=,r=abc", b"SCRAM-SHA-256-PLUS"),
    sasl_first(b"n,,n=,r=\xff\xfe"), sasl_first(b"%n%n%n,,n=,r=a"), sasl_first(b"")])
def test_cve_2026_6664_long_and_odd_sasl_messages(pooler, first):
    p = pooler(start=False, auth_type="scram-sha-256", client_login_timeout=5, auth_delay=0)
    p.write("userlist.txt", '"trusty" "secret"\n')
    p.start()
    got = raw(p, wire.startup(user="trusty", database="shop") + first)
    assert re.search(rb"C08P01|C28P01", got), got
    with p.wire(password="secret") as c:
        assert c.one("select 1") == "1"


# --- CVE-2026-6665: a server's long nonce overflowed PgBouncer's stack

@pytest.mark.parametrize("size", [1, 500, 1900, 20000, 200000])
def test_cve_2026_6665_a_servers_long_nonce(evil, size):
    p = evil(asks_for_scram(lambda nonce: b"r=" + nonce + b"x" * size +
                            b",s=MDEyMzQ1Njc4OWFiY2RlZg==,i=4096"), query_wait_timeout=20)
    said = by_psycopg(Target(p, dbname="evil"), "app", cluster.PASSWORD)
    assert said != "ok" and "closed" not in said, said
    alive(p, user="app", password=cluster.PASSWORD)


# --- CVE-2026-6666: an error of the server without a SQLSTATE crashed PgBouncer

NO_STATE = wire.message(b"E", b"SFATAL\0Mthere is no state here\0\0")


def logs_in_and_errs(s):
    s.sendall(auth_request(0) + wire.message(b"K", struct.pack("!II", 1, 2)) +
              wire.message(b"Z", b"I"))
    data = b""
    while more := s.recv(8192):
        data += more
        while len(data) >= 5 and len(data) > (size := struct.unpack("!I", data[1:5])[0]):
            s.sendall({b"Q": NO_STATE + wire.message(b"Z", b"I"), b"P": NO_STATE,
                       b"S": wire.message(b"Z", b"I")}.get(data[:1], b""))
            data = data[size + 1:]


@pytest.mark.parametrize("talk", [lambda s: s.sendall(NO_STATE), logs_in_and_errs,
                                  lambda s: s.sendall(wire.message(b"E", b"\0"))])
def test_cve_2026_6666_errors_without_a_sqlstate(evil, talk):
    p = evil(talk, query_wait_timeout=20)
    with pytest.raises(psycopg.Error):
        with psycopg.connect(p.dsn(user="app", password=cluster.PASSWORD, dbname="evil")) as c:
            c.execute("select 1")
    alive(p, user="app", password=cluster.PASSWORD)


# --- CVE-2026-6667: KILL_CLIENT was for everybody on the console

@pytest.mark.parametrize("command", [
    "KILL_CLIENT {id}", "KILL shop", "PAUSE", "RESUME", "DISABLE shop", "ENABLE shop", "RELOAD",
    "RECONNECT", "SUSPEND", "SHUTDOWN", "SET max_client_conn = 1", "WAIT_CLOSE shop"])
def test_cve_2026_6667_a_stats_user_changes_nothing(pooler, command):
    p = pooler()
    with p.wire() as victim, p.console("other") as console:
        ident = next(r["id"] for r in console.table("SHOW CLIENTS") if r["user"] == "trusty")
        with pytest.raises(wire.ServerError) as e:
            console.query(command.format(id=ident))
        assert "admin access needed" in str(e.value)
        assert victim.one("select 1") == "1"


# --- CVE-2026-6668, CVE-2026-107348: the length in a header made a buffer grow for ever

@pytest.mark.parametrize("size", [2**30, 2**31 - 1, 2**31, 2**31 + 5, 2**32 - 1])
@pytest.mark.parametrize("kind", [b"Q", b"P", b"B", b"d", b"F", b"p"])
def test_cve_2026_6668_lengths_of_messages(pooler, kind, size):
    p = pooler()
    before = p.rss()
    with p.wire() as c:
        try:
            c.send(kind + struct.pack("!I", size) + b"x" * 200000)
        except OSError:
            pass  # closed on us: what was to be shown
        alive(p)
        assert p.rss() < before + 50000
    alive(p)


def test_cve_2026_107348_lengths_beyond_max_packet_size(pooler):
    """There is no setting that lets a length wrap: the largest is 2^31 - 1."""
    p = pooler(start=False, max_packet_size=2**31)
    status, out, err = p.run("--check", p.config)
    assert status == 1 and "max_packet_size" in out + err
    p.write_config(max_packet_size=2**31 - 1)
    p.start()
    for size in (2**31 - 1, 2**31, 2**31 + 1, 2**32 - 1):
        for kind in (b"p", b"Q", b"\0"):
            assert b"Z\0\0\0\5I" not in raw(p, kind + struct.pack("!I", size), 0.3)
    alive(p)


# --- CVE-2026-6669: a server's iteration count kept PgBouncer's only thread busy for ever

def test_cve_2026_6669_a_servers_iteration_count(evil):
    """It costs its own clients their login, others nothing, and ends with server_connect_timeout."""
    p = evil(asks_for_scram(lambda nonce: b"r=" + nonce + b"x,s=MDEyMzQ1Njc4OWFiY2RlZg==,"
                            b"i=2147483647"), max_open=20, server_connect_timeout=2,
             query_wait_timeout=60)
    said = []
    threads = [threading.Thread(target=lambda: said.append(
        by_psycopg(Target(p, dbname="evil"), "app", cluster.PASSWORD))) for _ in range(12)]
    for t in threads:
        t.start()
    alive(p, user="app", password=cluster.PASSWORD)
    for t in threads:
        t.join(60)
    assert len(said) == 12 and "ok" not in said, said
    p.log_contains("server_connect_timeout")

    def is_quiet():
        before = p.cpu_seconds()
        time.sleep(0.5)
        return p.cpu_seconds() - before < 0.1
    wait_until(is_quiet, 30, "nobody derives keys any more")


# --- CVE-2026-19888: a client-final-message without an attribute was a NULL pointer

@pytest.mark.parametrize("final", [
    b"", b"c", b"c=", b"c=biws", b"c=biws,r={nonce}", b"c=biws,p=" + b"A" * 43 + b"=",
    b"r={nonce},p=" + b"A" * 43 + b"=", b"c=biws,r={nonce},p=", b"c=biws,r={nonce},p",
    b"c=biws,,p=x", b"c=biws,r={nonce},x=y", b"p=" + b"A" * 43 + b"=", b",,,", b"c=biws,r=,p=",
    b"c=biws,r={nonce},p=" + b"A" * 43 + b"=,x=y"])
def test_cve_2026_19888_final_messages_that_lack_something(pooler, final):
    p = pooler(auth_type="scram-sha-256", auth_delay=0)
    with socket.create_connection(("127.0.0.1", p.port), timeout=500) as s:
        s.sendall(wire.startup(user="app", database="shop"))
        s.recv(4096)
        s.sendall(sasl_first(b"n,,n=,r=abcdefgh"))
        nonce = s.recv(4096)[9:].split(b",")[0][2:]
        s.sendall(wire.message(b"p", final.replace(b"{nonce}", nonce)))
        got = s.recv(4096)
        assert got[:1] == b"E" and re.search(rb"C08P01|C28P01", got), got
    alive(p, user="app", password=cluster.PASSWORD)


# --- CVE-2026-107349: an empty name in `options` was an infinite loop

@pytest.mark.parametrize("options", ["-c=", "-c =", "-c =x", "--=", "--=x", "-c", "--", "-", "-c=x -c a=b",
                                     "-c a", "-c a=b -c=", "\\", "-c\\ =x"])
def test_cve_2026_107349_options_without_a_name(pooler, options):
    p = pooler(ignore_startup_parameters="extra_float_digits, a", client_login_timeout=10)
    got = raw(p, wire.startup(user="trusty", database="shop", options=options))
    assert b"C08P01" in got, got
    alive(p)


# --- CVE-2026-107350: a second startup packet amid SCRAM changed who was logging in

@pytest.mark.parametrize("database", ["nowhere", "shop", "pgbouncer"])
@pytest.mark.parametrize("after", [1, 2])
def test_cve_2026_107350_one_startup_packet(pooler, database, after):
    p = pooler(start=False, auth_type="scram-sha-256", auth_delay=0)
    p.write("userlist.txt", f'"app" "{cluster.PASSWORD}"\n"postgres" "unknown"\n')
    p.start()
    again = wire.startup(user="postgres", database="shop")
    with socket.create_connection(("127.0.0.1", p.port), timeout=500) as s:
        s.sendall(wire.startup(user="app", database=database))
        s.recv(4096)
        if after == 2:
            s.sendall(sasl_first(b"n,,n=,r=abcdefgh"))
            s.recv(4096)
        s.sendall(again)
        got = b""
        while more := s.recv(4096):
            got += more
    assert got[:1] == b"E" and b"C08P01" in got, got
    alive(p, user="app", password=cluster.PASSWORD)


# --- CVE-2018-16203: PgpoolAdmin let people in without a password

@pytest.mark.parametrize("page", ["/", "/metrics", "/nowhere"])
def test_cve_2018_16203_the_status_page_asks_for_its_password(pooler, page):
    port = cluster.free_port()
    p = pooler(metrics_listen=f"127.0.0.1:{port}", metrics_user="prom", metrics_password="secret")
    p.log_contains("metrics and status page at")
    for header in (None, "Basic ", "Basic cHJvbTp3cm9uZw==", "Basic cHJvbTo=", "Bearer secret"):
        ask = urllib.request.Request(f"http://127.0.0.1:{port}{page}")
        if header:
            ask.add_header("Authorization", header)
        with pytest.raises(urllib.error.HTTPError) as e:
            urllib.request.urlopen(ask, timeout=500)
        assert e.value.code in (401, 404), (header, e.value.code)
        assert page == "/nowhere" or e.value.code == 401
    alive(p)


# --- CVE-2023-22332: Pgpool-II showed a password to whoever was logged in

def test_cve_2023_22332_passwords_are_not_shown(pooler, postgres):
    p = pooler(databases={"shop": f"host=127.0.0.1 port={postgres.port} user=app "
                                  f"password='{cluster.PASSWORD}'"},
               metrics_user="prom", metrics_password="of the metrics")
    alive(p)
    for user in ("postgres", "other"):
        with p.console(user) as c:
            for what in ("CONFIG", "SETTINGS", "DATABASES", "SERVERS", "POOLS", "USERS"):
                shown = str(c.table("SHOW " + what))
                assert cluster.PASSWORD not in shown and "of the metrics" not in shown, what


# --- CVE-2024-45624: Pgpool-II's query cache showed rows that row security hides

def test_cve_2024_45624_rows_are_those_of_the_asker(pooler, postgres):
    postgres.sql("create table if not exists guarded (owner text, what text)", dbname="shop")
    postgres.sql("truncate guarded", dbname="shop")
    postgres.sql("insert into guarded values ('trusty', 'a'), ('other', 'b')", dbname="shop")
    postgres.sql("alter table guarded enable row level security", dbname="shop")
    postgres.sql("drop policy if exists own on guarded", dbname="shop")
    postgres.sql("create policy own on guarded using (owner = current_user)", dbname="shop")
    postgres.sql("grant select on guarded to public", dbname="shop")
    p = pooler(max_open=1)
    with p.connect(user="trusty") as trusty, p.connect(user="other") as other:
        for prepare in (False, True, True, False):
            for c, rows in ((trusty, [("a",)]), (other, [("b",)])):
                assert c.execute("select what from guarded", prepare=prepare).fetchall() == rows


# --- CVE-2025-46801: Pgpool-II took any password where a server connection stood already

@pytest.mark.parametrize("method", ["plain", "md5", "scram-sha-256", "hba"])
def test_cve_2025_46801_a_server_connection_proves_nothing(pooler, method):
    p = pooler(auth_type=method, auth_hba_file="hba.conf", start=False, auth_delay=0,
               auth_failure_limit=0)
    p.write("hba.conf", "local all all trust\nhost all all all password\n")
    p.start()
    for _ in range(2):
        assert by_psycopg(Target(p), "app", cluster.PASSWORD) == "ok"
        for wrong in ("wrong", "", cluster.PASSWORD + "x", None):
            assert by_psycopg(Target(p), "app", wrong) != "ok", wrong


def test_every_refusal_has_a_sqlstate(pooler, lookup):
    p = asks(pooler, lookup, max_client_conn=1, client_login_timeout=1)
    packets = [wire.startup(user="", database="x"), wire.startup(user="a", is_superuser="on"),
               wire.startup(user="a", database="shop", options="-X"), b"\0\0\0\1\0\0\0\0",
               struct.pack("!II", 8, 131072), wire.startup(user="a", replication="maybe"),
               wire.startup(user="a" * 200), b"\0\0\0\x08"]
    for data in packets:
        got = raw(p, data)
        assert got[:1] == b"E" and re.search(rb"\0VFATAL\0C[0-9A-Z]{5}\0M[^\0]+\0", got), (data, got)


# --- what a login may not reveal

def test_unknown_users_take_the_same_path_and_time(pooler, lookup):
    """Same messages, same text; the time differs by less than what other work adds."""
    p = asks(pooler, lookup, auth_type="scram-sha-256")
    with open(p.dir + "/userlist.txt", "a", encoding="utf-8") as f:
        f.write(f'"listed" "{scram_secret("secret")}"\n')
    p.signal(1)
    p.log_contains("reload")

    def attempt(user):
        begun = time.perf_counter()
        with socket.create_connection(("127.0.0.1", p.port), timeout=500) as s:
            s.sendall(wire.startup(user=user, database="shop"))
            offered = s.recv(4096)
            s.sendall(sasl_first(b"n,,n=,r=abcdefgh"))
            first = s.recv(4096)
            nonce = first[9:].split(b",")[0][2:]
            s.sendall(wire.message(b"p", b"c=biws,r=" + nonce + b",p=" + b"A" * 43 + b"="))
            said = s.recv(4096)
        salt = re.search(rb"s=([^,]+),i=(\d+)", first)
        return (offered, len(salt[1]), salt[2], said.replace(user.encode(), b"USER")), \
            salt[1], time.perf_counter() - begun

    known, unknown = [], []
    for _ in range(10):     # on a busy machine the best of thirty may not be good yet
        for _ in range(30):
            known.append(attempt("listed"))
            unknown.append(attempt("nobody"))
        best = [min(x[2] for x in group) for group in (known, unknown)]
        if max(best) < min(best) * 2 + 0.005:
            break
    else:
        raise AssertionError(best)
    assert {k[0] for k in known} == {u[0] for u in unknown}
    assert len({u[1] for u in unknown}) == 1, "the invented salt stays"


@pytest.mark.parametrize("kind", ["plain", "scram"])
def test_an_unknown_user_of_plain_passwords_looks_the_same(pooler, kind):
    """The words are the same; with SCRAM secrets nobody, too, costs a derivation."""
    p = pooler(start=False, auth_type="plain", auth_delay=0, auth_failure_limit=0)
    secret = scram_secret("secret", rounds=100000) if kind == "scram" else "secret"
    p.write("userlist.txt", f'"listed" "{secret}"\n')
    p.start()
    said = [by_psycopg(Target(p), user, "wrong") for user in ("listed", "nobody")]
    assert said[0].replace("listed", "USER") == said[1].replace("nobody", "USER")
    p.log_contains("no such user")


def test_names_that_are_no_text(pooler, lookup):
    """The server cannot be asked for them; they look like any unknown name."""
    p = asks(pooler, lookup)
    for name in (b"caf\xe9", b"\xff\xfe"):
        with pytest.raises(wire.ServerError) as e:
            p.wire(user=name, password="x")
        assert e.value.code == "28P01"
    assert by_psycopg(Target(p), "alice", "alice's") == "ok"
    assert "ERROR" not in p.log()


def test_a_server_of_auth_query_that_hangs_holds_up_nobody_else(pooler, lookup):
    hung = Backend(lambda s: s.recv(1))
    p = asks(pooler, lookup, auth_cache_ttl=0, auth_negative_ttl=0, client_login_timeout=60)
    p.databases["hung"] = f"host=127.0.0.1 port={hung.port}"
    p.write_config()
    p.signal(1)
    p.log_contains("reload")
    waiting = []
    for n in range(3):
        s = socket.create_connection(("127.0.0.1", p.port), timeout=500)
        s.sendall(wire.startup(user=f"somebody{n}", database="hung"))
        waiting.append(s)
    assert by_psycopg(Target(p), "alice", "alice's") == "ok"
    assert verdict("psycopg", Target(p), "alice", "wrong") == "refused"
    for s in waiting:
        s.close()
    hung.close()


def test_unknown_databases_look_like_wrong_passwords(pooler):
    p = pooler(auth_type="scram-sha-256", auth_delay=0)
    said = [by_psycopg(Target(p, dbname=d), "app", "wrong") for d in ("shop", "nowhere")]
    assert "password authentication failed" in said[0]
    assert said[0] == said[1]
    assert "no such database" in by_psycopg(Target(p, dbname="nowhere"), "app", cluster.PASSWORD)


@at_some_pace
def test_failed_logins_cost_time(pooler, pace):
    p = pooler(auth_type="scram-sha-256", auth_delay=f"{600 * pace}ms")
    begun = time.monotonic()
    assert verdict("psycopg", Target(p), "app", "wrong") == "refused"
    assert time.monotonic() - begun >= 0.6 * pace
    begun = time.monotonic()
    assert verdict("psycopg", Target(p), "app", cluster.PASSWORD) == "ok"
    assert time.monotonic() - begun < 0.6 * pace
    p.log_contains(r'C-\d+ app@shop 127\.0\.0\.1:\d+: password authentication failed for user "app"')


def test_addresses_that_fail_too_often_must_wait(pooler):
    p = pooler(auth_type="scram-sha-256", auth_delay=0, auth_failure_limit=5)
    for _ in range(5):
        assert verdict("psycopg", Target(p), "app", "wrong") == "refused"
    assert "too many failed logins" in by_psycopg(Target(p), "app", cluster.PASSWORD)
    assert by_psycopg(Target(p, "unix"), "app", cluster.PASSWORD) == "ok"


# --- floods

def test_half_open_logins_do_not_lock_others_out(pooler):
    p = pooler(max_client_conn=50, client_login_timeout=900)
    idle = [socket.create_connection(("127.0.0.1", p.port), timeout=500) for _ in range(400)]
    for s in idle:
        try:
            s.sendall(b"\0\0\0")
        except OSError:
            pass
    alive(p)
    for s in idle:
        s.close()


def test_logins_time_out(pooler):
    p = pooler(client_login_timeout=1)
    got = raw(p, b"\0\0\0\x40\0\3\0\0user")
    assert b"client_login_timeout" in got


def test_max_client_conn(pooler):
    p = pooler(max_client_conn=3)
    kept = [p.wire() for _ in range(3)]
    with pytest.raises(wire.ServerError) as e:
        p.wire()
    assert e.value.code == "53300" and "max_client_conn" in str(e.value)
    kept.pop().quit()

    def admitted():
        try:
            p.wire().quit()
            return True
        except wire.ServerError:
            return False
    wait_until(admitted, what="a place is free again")
    for c in kept:
        c.quit()


def test_a_changed_password_is_seen(pooler, lookup):
    """The cache forgets on a failure: the second try with the new password gets in."""
    p = asks(pooler, lookup, auth_cache_ttl=3600)
    assert by_psycopg(Target(p), "alice", "alice's") == "ok"
    lookup.sql("alter role alice password 'changed'")
    try:
        # what was asked for a moment ago is not asked for again
        wait_until(lambda: by_psycopg(Target(p), "alice", "changed") == "ok", pause=0.2)
        assert verdict("psycopg", Target(p), "alice", "alice's") == "refused"
    finally:
        lookup.sql("alter role alice password 'alice''s'")


def test_a_dead_auth_server_is_said_and_forgotten(pooler, own_postgres):
    p = pooler(on=own_postgres, start=False, auth_type="scram-sha-256", auth_user="postgres",
               auth_delay=0,
               databases={"shop": f"host=127.0.0.1 port={own_postgres.port} user=trusty"})
    p.write("userlist.txt", "")
    p.start()
    own_postgres.sql("create role alice login password 'x'")
    assert by_psycopg(Target(p), "alice", "x") == "ok"
    own_postgres.stop()
    assert "auth_query" in by_psycopg(Target(p), "bob", "x")
    own_postgres.start()
    wait_until(lambda: by_psycopg(Target(p), "alice", "x") == "ok")
    wait_until(lambda: verdict("psycopg", Target(p), "bob", "x") == "refused")


def test_what_auth_query_does_not_see_is_said(pooler, postgres):
    """PgBouncer asks with the search_path of auth_user; a function in public needs its schema's name here."""
    p = pooler(auth_type="scram-sha-256", auth_user="postgres", auth_query="select * from no_such_lookup($1)",
               databases={"shop": f"host=127.0.0.1 port={postgres.port} user=trusty"}, start=False)
    p.write("userlist.txt", "")
    p.start()
    assert "auth_query" in by_psycopg(Target(p), "alice", "x")
    p.log_contains(r"it sees pg_catalog only: name the schema.*no_such_lookup\(unknown\) does not exist")
