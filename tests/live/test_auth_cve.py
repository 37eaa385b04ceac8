"""Each hole that PgBouncer or Pgpool-II had in its logins since 2015: ours is not open to it.

Where a hole is not in the login, its test stands where its subject is (the console's and the
relay's are in test_console.py and test_protocol.py); here are the rest, by number or by kind.
"""
import os
import re
import socket
import struct
import time

import pytest

import cluster
import wire
from authkit import Target, by_psycopg, scram_secret, verdict

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


def raw(p, data, seconds=3):
    """Send bytes on a fresh connection; all that comes back until it is closed (or time is up)."""
    got = b""
    with socket.create_connection(("127.0.0.1", p.port), timeout=seconds) as s:
        try:
            s.sendall(data)
            while more := s.recv(65536):
                got += more
        except (TimeoutError, ConnectionResetError, BrokenPipeError):
            pass
    return got


def alive(p, seconds=5):
    with p.wire(user="trusty") as c:
        assert c.one("select 1") == "1"


# --- CVE-2015-4054: a password message before the startup packet crashed PgBouncer

@pytest.mark.parametrize("data", [
    wire.message(b"p", b"secret\0"), wire.message(b"p", b""), wire.message(b"Q", b"select 1\0"),
    wire.message(b"X", b""), wire.message(b"S", b""), b"p", b"\0", b"GET / HTTP/1.0\r\n\r\n"])
def test_messages_before_the_startup_packet(pooler, data):
    p = pooler(client_login_timeout=2)
    got = raw(p, data)
    assert b"R\0\0\0\x08\0\0\0\0" not in got
    alive(p)


@pytest.mark.parametrize("data", [
    wire.message(b"p", b"\0"), wire.message(b"p", b""), wire.message(b"Q", b"select 1\0"),
    wire.message(b"X", b""), wire.message(b"p", b"no end"), wire.message(b"p", b"two\0ends\0")])
@pytest.mark.parametrize("method", ["plain", "md5", "scram-sha-256"])
def test_messages_out_of_turn(pooler, method, data):
    """Whatever comes instead of the proof, nobody is let in and everybody else goes on."""
    p = pooler(start=False, auth_type=method, client_login_timeout=2, auth_delay=0)
    p.write("userlist.txt", '"trusty" "secret"\n')
    p.start()
    got = raw(p, wire.startup(user="trusty", database="shop") + data)
    assert b"R\0\0\0\x08\0\0\0\0" not in got and b"Z\0\0\0\5I" not in got
    with p.wire(password="secret") as c:
        assert c.one("select 1") == "1"


# --- CVE-2015-6817: an unknown user was let in as auth_user

@pytest.mark.parametrize("method", ["plain", "md5", "scram-sha-256", "trust"])
def test_an_unknown_user_is_not_the_auth_user(pooler, lookup, method):
    p = asks(pooler, lookup, auth_type=method)
    for user in ("nobody", "pgsluice_auth2", "alice\tx", "'; select 1; --", " "):
        for password in ("x", "lookup"):
            assert "authentication failed" in by_psycopg(Target(p), user, password)
    with pytest.raises((wire.ServerError, wire.Closed)):
        p.wire(user="", password="x")


# --- CVE-2025-2291: auth_query did not look at VALID UNTIL

def test_expired_passwords(pooler, lookup):
    p = asks(pooler, lookup, auth_cache_ttl=0)
    assert by_psycopg(Target(p), "alice", "alice's") == "ok"
    lookup.sql("alter role alice valid until '2001-01-01'")
    try:
        time.sleep(0.2)
        assert verdict("psycopg", Target(p), "alice", "alice's") == "refused"
    finally:
        lookup.sql("alter role alice valid until 'infinity'")


def test_expired_passwords_by_the_default_query(pooler, lookup):
    p = pooler(on=lookup, start=False, auth_type="scram-sha-256", auth_user="postgres",
               auth_delay=0, auth_cache_ttl=0,
               databases={"shop": f"host=127.0.0.1 port={lookup.port} user=trusty"})
    p.write("userlist.txt", "")
    p.start()
    assert by_psycopg(Target(p), "alice", "alice's") == "ok"
    lookup.sql("alter role alice valid until '2001-01-01'")
    try:
        time.sleep(0.2)
        assert verdict("psycopg", Target(p), "alice", "alice's") == "refused"
    finally:
        lookup.sql("alter role alice valid until 'infinity'")


# --- CVE-2025-12819: the client's search_path took effect in auth_query

@pytest.mark.parametrize("how", ["parameter", "options"])
def test_search_path_does_not_reach_the_auth_query(pooler, lookup, how):
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


# --- integer overflow in lengths, long nonces: memory safety of the first messages

@pytest.mark.parametrize("size", [0, 1, 3, 4, 7, 9, 10001, 65536, 2**31 - 1, 2**31, 2**32 - 1,
                                  2**32 - 4, 0x16030100])
def test_startup_lengths(pooler, size):
    p = pooler(client_login_timeout=2)
    for code in (196608, 80877103, 80877102, 80877104, 0, 0xFFFFFFFF):
        got = raw(p, struct.pack("!II", size, code) + b"user\0trusty\0\0", 1)
        assert b"Z\0\0\0\5I" not in got
    alive(p)


@pytest.mark.parametrize("size", [0, 3, 8193, 2**31 - 1, 2**31, 2**32 - 1, 2**32 - 5])
@pytest.mark.parametrize("method", ["plain", "scram-sha-256"])
def test_password_lengths(pooler, size, method):
    p = pooler(start=False, auth_type=method, client_login_timeout=2, auth_delay=0)
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
def test_long_and_odd_sasl_messages(pooler, first):
    p = pooler(start=False, auth_type="scram-sha-256", client_login_timeout=2, auth_delay=0)
    p.write("userlist.txt", '"trusty" "secret"\n')
    p.start()
    got = raw(p, wire.startup(user="trusty", database="shop") + first)
    assert re.search(rb"C08P01|C28P01", got), got
    with p.wire(password="secret") as c:
        assert c.one("select 1") == "1"


def test_every_refusal_has_a_sqlstate(pooler, lookup):
    p = asks(pooler, lookup, max_client_conn=1, client_login_timeout=1)
    packets = [wire.startup(user="", database="x"), wire.startup(user="a", search_path="x"),
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
        with socket.create_connection(("127.0.0.1", p.port), timeout=5) as s:
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
    for _ in range(30):
        known.append(attempt("listed"))
        unknown.append(attempt("nobody"))
    assert {k[0] for k in known} == {u[0] for u in unknown}
    assert len({u[1] for u in unknown}) == 1, "the invented salt stays"
    best = [min(x[2] for x in group) for group in (known, unknown)]
    assert max(best) < min(best) * 2 + 0.005, best


def test_unknown_databases_look_like_wrong_passwords(pooler):
    p = pooler(auth_type="scram-sha-256", auth_delay=0)
    said = [by_psycopg(Target(p, dbname=d), "app", "wrong") for d in ("shop", "nowhere")]
    assert "password authentication failed" in said[0]
    assert said[0] == said[1]
    assert "no such database" in by_psycopg(Target(p, dbname="nowhere"), "app", cluster.PASSWORD)


def test_failed_logins_cost_time(pooler):
    p = pooler(auth_type="scram-sha-256", auth_delay="600ms")
    begun = time.monotonic()
    assert verdict("psycopg", Target(p), "app", "wrong") == "refused"
    assert time.monotonic() - begun >= 0.6
    begun = time.monotonic()
    assert verdict("psycopg", Target(p), "app", cluster.PASSWORD) == "ok"
    assert time.monotonic() - begun < 0.6
    p.log_contains(r'C-\d+ app@shop 127\.0\.0\.1:\d+: password authentication failed for user "app"')


def test_addresses_that_fail_too_often_must_wait(pooler):
    p = pooler(auth_type="scram-sha-256", auth_delay=0, auth_failure_limit=5)
    for _ in range(5):
        assert verdict("psycopg", Target(p), "app", "wrong") == "refused"
    assert "too many failed logins" in by_psycopg(Target(p), "app", cluster.PASSWORD)
    assert by_psycopg(Target(p, "unix"), "app", cluster.PASSWORD) == "ok"


# --- floods

def test_half_open_logins_do_not_lock_others_out(pooler):
    p = pooler(max_client_conn=50, client_login_timeout=60)
    idle = [socket.create_connection(("127.0.0.1", p.port), timeout=5) for _ in range(400)]
    for s in idle:
        try:
            s.sendall(b"\0\0\0")
        except OSError:
            pass
    begun = time.monotonic()
    alive(p)
    assert time.monotonic() - begun < 5
    for s in idle:
        s.close()


def test_logins_time_out(pooler):
    p = pooler(client_login_timeout=1)
    got = raw(p, b"\0\0\0\x40\0\3\0\0user", 4)
    assert b"client_login_timeout" in got


def test_max_client_conn(pooler):
    p = pooler(max_client_conn=3)
    kept = [p.wire() for _ in range(3)]
    with pytest.raises(wire.ServerError) as e:
        p.wire()
    assert e.value.code == "53300" and "max_client_conn" in str(e.value)
    kept.pop().quit()
    deadline = time.monotonic() + 5
    while True:
        try:
            p.wire().quit()
            break
        except wire.ServerError:
            assert time.monotonic() < deadline
            time.sleep(0.02)
    for c in kept:
        c.quit()


def test_a_changed_password_is_seen(pooler, lookup):
    """The cache forgets on a failure: the second try with the new password gets in."""
    p = asks(pooler, lookup, auth_cache_ttl=3600)
    assert by_psycopg(Target(p), "alice", "alice's") == "ok"
    lookup.sql("alter role alice password 'changed'")
    try:
        time.sleep(2.2)  # what is younger is not asked for again
        verdict("psycopg", Target(p), "alice", "changed")
        assert by_psycopg(Target(p), "alice", "changed") == "ok"
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
    time.sleep(1.2)
    assert by_psycopg(Target(p), "alice", "x") == "ok"
    assert verdict("psycopg", Target(p), "bob", "x") == "refused"
