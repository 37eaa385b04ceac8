"""The console as drivers see it: psql, psycopg 3, psycopg2, asyncpg; several statements, errors,
back-pressure, rights, and the ways in."""
import asyncio
import os
import re
import subprocess

import pytest

import wire
from pooler import SANITIZED, wait_until
from wire import ServerError

SHOWS = ("POOLS", "CLIENTS", "SERVERS", "STATS", "TOTALS", "DATABASES", "USERS", "CONFIG", "LISTS",
         "VERSION", "MEM", "STATE", "SOCKETS")


@pytest.fixture
def busy(pooler):
    """A pooler with a client and a server connection, so that no SHOW is empty."""
    p = pooler()
    with p.wire() as a:
        a.query("select 1")
        yield p


def psql(p, *commands, user="postgres", host="127.0.0.1"):
    words = ["psql", "-X", "-h", host, "-p", str(p.port), "-U", user, "-d", "pgbouncer"]
    for c in commands:
        words += ["-c", c]
    return subprocess.run(words, capture_output=True, text=True, timeout=500,
                          stdin=subprocess.DEVNULL, env={**os.environ, "PGCONNECT_TIMEOUT": "10"})


def test_psql(pooler):
    p = pooler()
    done = psql(p, *[f"SHOW {w};" for w in SHOWS], "RELOAD;")
    assert done.returncode == 0, done.stderr
    assert "cl_active" in done.stdout and done.stdout.rstrip().endswith("RELOAD")
    assert psql(p, "SHOW HELP").stderr.count("SHOW") > 20


def test_psycopg(busy):
    psycopg = pytest.importorskip("psycopg")
    p = busy
    with psycopg.connect(p.dsn(dbname="pgbouncer", user="postgres"), autocommit=True) as c:
        assert c.info.server_version >= 12000
        for what in SHOWS:
            for _ in range(7):          # from the sixth on it is prepared
                rows = c.execute("SHOW " + what).fetchall()
            assert rows
        rows = c.execute("SHOW POOLS").fetchall()
        assert isinstance(rows[0][2], int)
        with pytest.raises(psycopg.Error, match="invalid command 'MAKE TEA'"):
            c.execute("MAKE TEA")
        assert c.execute("SHOW VERSION").fetchone()


def test_psycopg_with_transactions(pooler):
    """Without autocommit it sends BEGIN first; PgBouncer refuses that."""
    psycopg = pytest.importorskip("psycopg")
    p = pooler()
    with psycopg.connect(p.dsn(dbname="pgbouncer", user="postgres")) as c:
        assert c.execute("SHOW VERSION").fetchone()
        c.commit()
        assert c.execute("SHOW STATE").fetchall()


def test_psycopg2(busy):
    psycopg2 = pytest.importorskip("psycopg2")
    p = busy
    c = psycopg2.connect(p.dsn(dbname="pgbouncer", user="postgres"))
    c.autocommit = True
    with c.cursor() as cur:
        for what in SHOWS:
            cur.execute("SHOW " + what)
            assert cur.fetchall()
    c.close()


def test_asyncpg(busy):
    """Asks for every column in binary."""
    asyncpg = pytest.importorskip("asyncpg")
    p = busy

    async def work():
        c = await asyncpg.connect(host="127.0.0.1", port=p.port, user="postgres",
                                  database="pgbouncer")
        for what in SHOWS:
            assert await c.fetch("SHOW " + what)
        pools = await c.fetch("SHOW POOLS")
        assert isinstance(pools[0]["cl_active"], int)
        stats = await c.fetch("SHOW STATS")
        assert int(stats[0]["total_xact_count"]) >= 0
        with pytest.raises(asyncpg.PostgresError):
            await c.fetch("MAKE TEA")
        assert await c.fetchval("SHOW VERSION")
        await c.close()
    asyncio.run(work())


def test_parameters_that_drivers_ask_for(pooler):
    p = pooler()
    with p.wire(user="postgres", database="pgbouncer",
                params={"extra_float_digits": "2", "application_name": "x"}) as c:
        for text in ("SET extra_float_digits = 3", "SET application_name = 'a b'",
                     "SET client_encoding TO 'UTF8'", "SET DateStyle = ISO, MDY",
                     "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY",
                     "SET TIME ZONE 'UTC'", "RESET ALL", "DISCARD ALL", "BEGIN", "COMMIT"):
            c.query(text)
        for text in ("client_encoding", "datestyle", "timezone", "standard_conforming_strings",
                     "default_transaction_isolation", "TRANSACTION ISOLATION LEVEL",
                     "extra_float_digits"):
            assert len(c.query("SHOW " + text)) == 1


def test_several_statements_in_one_query(pooler):
    p = pooler()
    with p.console() as c:
        c.send(wire.query("SHOW VERSION; SHOW POOLS; SHOW STATE"))
        kinds = [k for k, _ in c.until(b"Z")]
        assert kinds.count(b"C") == 3 and kinds.count(b"T") == 3 and kinds.count(b"Z") == 1
        c.send(wire.query("SHOW VERSION; NONSENSE; SHOW STATE"))
        kinds = [k for k, _ in c.until(b"Z")]
        assert kinds.count(b"C") == 1 and kinds.count(b"E") == 1
        c.send(wire.query(" ; -- nothing\n"))
        assert [k for k, _ in c.until(b"Z")] == [b"I", b"Z"]


def test_select_is_show(pooler):
    p = pooler()
    with p.console() as c:
        assert c.query("SELECT version") == c.query("SHOW VERSION")


@pytest.mark.ours
def test_an_error_says_what_would_have_worked(pooler):
    p = pooler()
    with p.console() as c:
        for text, hint in (("SHOW POLS", "SHOW POOLS"), ("PAUS shop", "PAUSE"),
                           ("SHUTDOWN LATER", "WAIT_FOR_CLIENTS"), ("RELOAD NOW", "RELOAD CHECK"),
                           ("KILL_CLIENT bob", "SHOW CLIENTS"), ("SET verbose", None)):
            with pytest.raises(ServerError) as e:
                c.query(text)
            assert e.value.code == "08P01"
            if hint:
                assert hint in str(e.value.fields.get("H"))


@pytest.mark.ours
def test_extended_protocol_in_detail(pooler):
    p = pooler()
    with p.console() as c:
        c.send(wire.parse("s", "SHOW LISTS") + wire.describe(b"S", "s") + wire.bind("", "s") +
               wire.execute("", 4) + wire.execute("", 0) + wire.close(b"S", "s") + wire.sync())
        kinds = b"".join(k for k, _ in c.until(b"Z"))
        assert kinds == b"1tT2" + b"DDDDs" + b"D" * 10 + b"C3Z"
        c.send(wire.extended("MAKE TEA") + wire.extended("SHOW STATE") + wire.sync())
        kinds = b"".join(k for k, _ in c.until(b"Z"))
        assert kinds.startswith(b"12n") and kinds.endswith(b"EZ"), "the rest is skipped"
        c.send(wire.parse("", "SHOW STATE; SHOW LISTS") + wire.sync())
        assert b"".join(k for k, _ in c.until(b"Z")) == b"EZ"
        c.send(wire.extended("KILL_CLIENT $1", ["1"]) + wire.sync())
        assert b"E" in b"".join(k for k, _ in c.until(b"Z"))
        c.send(wire.extended("") + wire.sync())
        assert b"".join(k for k, _ in c.until(b"Z")) == b"12nIZ"


@pytest.mark.ours
def test_garbage_ends_the_session_only(pooler):
    p = pooler()
    for junk in (b"\xff\xff\xff\xff\xff", b"Q\0\0\0\3", wire.message(b"Q", b"no end"),
                 wire.message(b"B", b"x"), wire.message(b"?", b""), wire.copy_done(),
                 wire.message(b"P", b"\0" * 70000)):
        with p.console() as c:
            c.send(junk)
            assert c.closed()
    assert p.show("VERSION")


@pytest.mark.ours
def test_who_does_not_read_does_not_fill_memory(pooler):
    p = pooler()
    with p.console() as c:
        before = p.rss()
        try:
            c.socket.settimeout(1)
            for _ in range(20000):
                c.socket.sendall(wire.query("SHOW CONFIG") * 10)
        except TimeoutError:
            pass
        assert SANITIZED or p.rss() - before < 20000    # a sanitizer keeps what was freed
        assert p.show("VERSION"), "others are served meanwhile"


def test_unix_socket_peer_is_admin_as_pgbouncer(pooler):
    p = pooler(auth_type="scram-sha-256", admin_users="nobody_else")
    import cluster
    done = subprocess.run(cluster.as_user() + ["psql", "-X", "-h", p.dir, "-p", str(p.port), "-U",
                                               "pgbouncer", "-d", "pgbouncer", "-c", "RELOAD"],
                          capture_output=True, text=True, timeout=500, stdin=subprocess.DEVNULL)
    if "could not connect" in done.stderr and "ermission" in done.stderr:
        pytest.skip("the socket's directory is not reachable for that user")
    assert done.stdout.strip() == "RELOAD", done.stderr


@pytest.mark.ours
def test_the_console_is_open_when_max_client_conn_is_reached(pooler):
    p = pooler(max_client_conn=1)
    with p.wire() as a:
        a.query("select 1")
        with pytest.raises((ServerError, wire.Closed)):
            p.wire()
        assert p.show("POOLS")


# --- what is new

@pytest.mark.ours
def test_waits_names_who_has_it(pooler):
    p = pooler(max_open=1, track_queries="all")
    with p.wire(params={"application_name": "holder"}) as a, \
            p.wire(params={"application_name": "waiter"}) as b:
        a.query("begin")
        a.query("select 'the last one'")
        b.send(wire.query("select 'wanted'"))
        row = wait_until(lambda: p.show("WAITS"))[0]
        assert row["application_name"] == "waiter" and row["statement"] == "select 'wanted'"
        assert row["holder_application_name"] == "holder"
        assert row["holder_statement"] == "select 'the last one'"
        assert row["holder_state"] == "idle in transaction"
        assert int(row["wait_us"]) > 0 and int(row["holder_us"]) >= int(row["wait_us"])
        assert "max_open" in row["reason"]
        assert p.show("WAITS", user="other")[0]["statement"] is None, "values are for admins"
        a.query("commit")
        b.result()
        assert not p.show("WAITS")


@pytest.mark.ours
def test_waits_says_paused(pooler):
    p = pooler()
    with p.wire() as a, p.console() as c:
        a.query("select 1")
        c.query("PAUSE shop")
        a.send(wire.query("select 2"))
        assert wait_until(lambda: p.show("WAITS"))[0]["reason"] == "the database is paused"
        c.query("RESUME shop")
        a.result()


@pytest.mark.ours
def test_pins_say_why(pooler):
    p = pooler(pool_mode="auto")
    with p.wire() as a:
        a.query("create temp table t (x int)")
        row = wait_until(lambda: p.show("PINS"))[0]
        assert "temporary" in row["reason"]
        assert row["server_pid"] == a.one("select pg_backend_pid()")


@pytest.mark.ours
def test_who_had_that_server_process(pooler):
    p = pooler(max_open=1)
    with p.wire(params={"application_name": "culprit"}) as a, p.wire() as b, p.console() as c:
        (pid, moment), = a.query("select pg_backend_pid(), to_char(clock_timestamp() at time zone 'utc',"
                                 " 'YYYY-MM-DD HH24:MI:SS.US') from pg_sleep(0.02)")
        b.query("select 1")
        rows = c.table(f"SHOW WHO {pid}")
        assert {r["application_name"] for r in rows} >= {"culprit"}
        rows = c.table(f"SHOW WHO {pid} AT '{moment}'")
        assert [r["application_name"] for r in rows] == ["culprit"], rows
        a.query("begin")
        a.query("select 1")
        now = c.table(f"SHOW WHO {pid}")[0]
        assert now["until"] is None and now["application_name"] == "culprit"
        assert now["addr"] == "127.0.0.1:%d" % a.socket.getsockname()[1]
        a.query("commit")
        assert c.table("SHOW WHO 1") == []
        with pytest.raises(ServerError):
            c.query("SHOW WHO me")


@pytest.mark.ours
def test_queries_and_latency(pooler):
    p = pooler(track_queries="all")
    with p.wire() as a, p.console() as c:
        for i in range(20):
            a.query(f"select {i}")

        def counted():
            rows = [r for r in c.table("SHOW QUERIES") if r["query"].startswith("select")]
            return rows and int(rows[0]["calls"]) == 20 and rows
        wait_until(counted)
        assert any(r["database"] == "shop" and int(r["server_count"]) >= 20
                   for r in c.table("SHOW LATENCY"))
        assert c.table("SHOW QUERIES_USERS")[0]["user"] == "trusty"
        assert [r["name"] for r in c.table("SHOW WORKERS")][:2] == ["front", "relay-0"]
        with pytest.raises(ServerError):
            c.query("SHOW QUERIES many")
        c.query("RESET_QUERIES")
        assert not c.table("SHOW QUERIES")


@pytest.mark.ours
def test_watch_on_every_show(busy, tmp_path):
    """psql asks again and again over one connection; all SHOWs at once."""
    p = busy
    with p.console() as c:
        c.query("SHOW HELP")
        help_text = c.notices[-1]["D"]
    names = [n for n in re.findall(r"\tSHOW ([A-Z_]+)", help_text) if n not in ("HELP", "WHO")]
    assert len(names) > 25, help_text
    watching = []
    try:
        for name in names:
            out = open(tmp_path / name, "w+", encoding="utf-8")
            psql = subprocess.Popen(
                ["psql", "-X", "-h", "127.0.0.1", "-p", str(p.port), "-U", "postgres", "-d",
                 "pgbouncer", "-c", f"\\echo {name}", "-f", "-"], text=True,
                stdin=subprocess.PIPE, stdout=out, stderr=subprocess.STDOUT,
                env={**os.environ, "PAGER": "", "PSQL_WATCH_PAGER": ""})
            psql.stdin.write(f"SHOW {name} \\watch 0.1\n")
            psql.stdin.close()
            watching.append((name, psql, out))
        for name, psql, _ in watching:
            wait_until(lambda n=name: (tmp_path / n).read_text().count("(every 0.1s)") >= 3 or
                       psql.poll() is not None, 60, f"three rounds of SHOW {name}")
            assert psql.poll() is None and "ERROR" not in (tmp_path / name).read_text(), \
                (name, (tmp_path / name).read_text())
    finally:
        for _, psql, out in watching:
            psql.kill()
            psql.wait()
            out.close()
