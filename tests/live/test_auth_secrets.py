"""Secrets: where they may not be read - logs, errors, SHOW, metrics, core dumps, command line."""
import base64
import re
import subprocess
import urllib.request

import psycopg
import pytest

import cluster
import wire
from authkit import Certificates, Target, by_psycopg, md5_secret
from pooler import SANITIZED, wait_until

pytestmark = pytest.mark.ours

PLANTED = "planted-Secret-0123456789"
USERS = ("scrammer", "hasher", "plainer")


@pytest.fixture(scope="module")
def certificates():
    made = Certificates()
    yield made
    made.close()


@pytest.fixture(scope="module")
def asking():
    """A server that asks scrammer for SCRAM, hasher for md5 and plainer for the password itself."""
    server = cluster.Postgres()
    server.sql(f"create role scrammer login password '{PLANTED}'")
    server.sql(f"create role hasher login password '{md5_secret('hasher', PLANTED)}'")
    server.sql(f"create role plainer login password '{PLANTED}'")
    server._append("pg_hba.conf", None,
                   "local all all trust\nhost all postgres,trusty 127.0.0.1/32 trust\n"
                   "host all plainer 127.0.0.1/32 password\nhost all all 127.0.0.1/32 md5\n")
    server.sql("select pg_reload_conf()")
    yield server
    server.close()


def dumped(pid):
    """(name, bytes) of each part of a process's memory that a core dump would hold.

    Only a process of the same user may be looked into without further rights, so these tests
    run it as themselves (user=None).
    """
    areas, area = [], None
    with open(f"/proc/{pid}/smaps", encoding="ascii", errors="replace") as f:
        for line in f:
            if re.match(r"^[0-9a-f]+-[0-9a-f]+ ", line):
                area = line.split()
            elif line.startswith("VmFlags:") and area[1].startswith("r") and \
                    "dd" not in line.split():
                areas.append((area[-1], *(int(x, 16) for x in area[0].split("-"))))
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as mem:
        for name, start, end in areas:
            try:
                mem.seek(start)
                yield name, mem.read(end - start)
            except (OSError, ValueError):
                continue  # [vvar] and its like


def assert_not_dumped(p, words):
    found = [(name, word) for name, data in dumped(p.pid) for word in words if word in data]
    assert not found, found


if not SANITIZED:  # a sanitizer's malloc cannot be replaced and keeps what was freed
    @pytest.mark.parametrize("method", ["plain", "scram-sha-256"])
    @pytest.mark.parametrize("transport", ["tcp", "tls"])
    def test_passwords_are_not_in_a_core_dump(pooler, asking, certificates, method, transport):
        """Neither ours nor what libpq and OpenSSL keep of them while a connection lives."""
        p = pooler(on=asking, start=False, auth_type=method, auth_delay=0, user=None,
                   **certificates.settings())
        p.write("userlist.txt", "".join(f'"{u}" "{PLANTED}"\n' for u in USERS))
        p.start()
        for user in USERS:
            assert by_psycopg(Target(p, transport, certificates), user, PLANTED) == "ok"
            assert "failed" in by_psycopg(Target(p, transport, certificates), user,
                                          PLANTED + "x")
        assert len(asking.backends()) >= len(USERS)
        assert_not_dumped(p, [PLANTED.encode()])

    def test_the_configurations_password_is_not_in_a_core_dump(pooler, asking):
        p = pooler(on=asking, user=None, databases={
            "shop": f"host=127.0.0.1 port={asking.port} user=scrammer password='{PLANTED}'"})
        for _ in range(2):
            assert by_psycopg(Target(p), "trusty", None) == "ok"
            p.signal(1)
            p.log_contains("reload")
        assert_not_dumped(p, [PLANTED.encode()])

    def test_what_auth_query_answers_is_not_in_a_core_dump(pooler, asking):
        p = pooler(on=asking, start=False, auth_type="md5", user=None,
                   auth_user="postgres", databases={"shop": f"host=127.0.0.1 port={asking.port} user=trusty"})
        p.write("userlist.txt", "")
        p.start()
        for user in ("scrammer", "hasher"):
            assert by_psycopg(Target(p), user, PLANTED) == "ok"
        stored = [row[0] for row in asking.sql(
            "select rolpassword from pg_authid where rolname in ('scrammer', 'hasher')")]
        assert_not_dumped(p, [PLANTED.encode(), *[re.split(r"md5|:", s)[-1].encode()
                                                  for s in stored]])

    def test_the_private_key_is_not_in_a_core_dump(pooler, certificates):
        p = pooler(user=None, **certificates.settings())
        assert by_psycopg(Target(p, "tls", certificates), "trusty", None) == "ok"
        said = subprocess.run(["openssl", "pkey", "-in", certificates.path("server.key"), "-noout",
                               "-text"], capture_output=True, text=True, check=True).stdout
        primes = [bytes.fromhex(re.sub(r"[:\s]", "", hexed)).lstrip(b"\0")
                  for hexed in re.findall(r"prime\d:\n([0-9a-f:\s]+)\n", said)]
        assert len(primes) == 2
        assert_not_dumped(p, primes + [x[::-1] for x in primes])


def test_secrets_are_in_no_log_and_no_error(pooler, asking):
    """Not in the log at its loudest, not in what clients are told."""
    p = pooler(on=asking, start=False, auth_type="plain", verbose=3, log_connections=1,
               auth_delay=0, auth_user="postgres", auth_cache_ttl=0)
    p.write("userlist.txt", "")
    p.start()
    wrong = "pssst-wrong"
    assert by_psycopg(Target(p), "scrammer", PLANTED) == "ok"
    said = by_psycopg(Target(p), "scrammer", wrong)
    p.write("userlist.txt", '"a" "pssst-listed\n')
    p.signal(1)
    p.log_contains("userlist.txt:1")
    stored = asking.sql("select rolpassword from pg_authid where rolname = 'scrammer'")[0][0]
    for secret in (PLANTED, wrong, "pssst-listed", stored):
        assert secret not in p.log() and secret not in said


STATEMENTS = [
    "alter role trusty password 'planted-1'",
    "create user planted_2 encrypted password $tag$planted-2$tag$",
    "alter role trusty with /* not planted */ PASSWORD E'planted-3'",
    "do $$ begin execute 'alter role trusty password ''planted-4'''; end $$",
    "do $$ begin execute format('alter role trusty password %L', 'planted-5'); end $$",
    "do $$ begin execute 'alter role trusty password ' || quote_literal('planted-6'); end $$",
    "set my.dsn = 'host=x password=planted-7'",
    "alter role nobody_at_all password 'planted-8'",
]


def test_secrets_are_not_in_the_query_log(pooler, asking):
    p = pooler(on=asking, query_log="query.jsonl", query_log_min_duration=0, auth_type="any",
               on_session_feature="allow", track_queries="all",
               databases={"shop": f"host=127.0.0.1 port={asking.port} user=postgres"})
    with p.connect() as c:
        for text in STATEMENTS:
            for prepare in (False, True):
                try:
                    c.execute(text, prepare=prepare)
                except psycopg.Error as e:
                    assert "already exists" in str(e) or "does not exist" in str(e)
        c.execute("select %s::text as dsn", ["host=x password=planted-9"])
        with p.console() as console:
            for what in ("QUERIES", "SESSIONS", "WAITS", "CLIENTS", "SERVERS"):
                shown = str(console.table("SHOW " + what))
                assert not re.search(r"planted-\d", shown), (what, shown)
        c.execute("select 'the end'")

    def written():
        with open(p.dir + "/query.jsonl", encoding="utf-8") as f:
            return f.read()

    text = wait_until(lambda: "the end" in written() and written(), 10)
    assert text.count("***") >= 2 * len(STATEMENTS)
    assert not re.search(r"planted-\d", text + p.log()), re.findall(r".*planted-\d.*", text)


SHOWN = ["CONFIG", "SETTINGS", "DATABASES", "USERS", "POOLS", "CLIENTS", "SERVERS", "SOCKETS", "MEM",
         "LISTS", "SESSIONS", "PEERS", "DNS_HOSTS"]


def test_secrets_are_not_shown(pooler, asking):
    """Not by the console, not by the endpoint, not by ps."""
    port = cluster.free_port()
    p = pooler(on=asking, start=False, auth_type="any", metrics_listen=f"127.0.0.1:{port}",
               metrics_user="prom", metrics_password=PLANTED + "-metrics",
               databases={"shop": f"host=127.0.0.1 port={asking.port} user=scrammer "
                                  f"password='{PLANTED}'"})
    p.write("userlist.txt", f'"listed" "{PLANTED}-listed"\n')
    p.start()
    assert by_psycopg(Target(p), "trusty", None) == "ok"
    for host in ("127.0.0.1", p.dir):  # SHOW FDS is for the socket only
        with p.wire(user="postgres", database="pgbouncer", host=host) as console:
            for what in SHOWN + (["FDS"] if host == p.dir else []):
                assert PLANTED not in str(console.table("SHOW " + what)), what
            p.write_config(metrics_password=PLANTED + "-changed")
            console.send(wire.query("RELOAD"))
            assert PLANTED not in str(console.until())
    p.log_contains("metrics and status page at")
    ask = urllib.request.Request(f"http://127.0.0.1:{port}/metrics")
    ask.add_header("Authorization", "Basic " + base64.b64encode(
        f"prom:{PLANTED}-changed".encode()).decode())
    assert PLANTED not in urllib.request.urlopen(ask, timeout=500).read().decode()
    with open(f"/proc/{p.pid}/cmdline", "rb") as f:
        assert PLANTED.encode() not in f.read()
    assert PLANTED not in p.log()
