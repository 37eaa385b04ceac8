"""Replication connections: pg_basebackup, pg_receivewal, pg_recvlogical, subscriptions, standbys.

They pass through pools of any mode, each in a server connection of its own that is opened
for it, counts as any other and ends with it.
"""
import os
import re
import shutil
import signal
import subprocess
import time

import pytest

import cluster
import wire
from pace import at_some_pace
from pooler import wait_until

pytestmark = [pytest.mark.ours, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def primary():
    """A server with a role for standbys, and room for many walsenders."""
    server = cluster.Postgres(max_wal_senders=30, max_replication_slots=20)
    server.sql("create role standby login replication")
    server.sql("alter role standby set log_statement = 'none'")
    server.sql("grant all on database shop to standby")
    server.sql("create table t (a int primary key, b text)", dbname="shop")
    server.sql("grant all on t to public", dbname="shop")
    yield server
    server.close()


@pytest.fixture
def p(pooler, primary):
    """The pooler in transaction mode."""
    return front(pooler, primary, max_open=3)


def front(pooler, server, names=("shop", "replication"), more="", hba=None, **settings):
    """A pooler that knows user standby; physical clients call their database `replication`."""
    line = f"host=127.0.0.1 port={server.port} {more}"
    p = pooler(on=server, start=False, databases={n: line for n in names}, **settings)
    p.write("userlist.txt", "".join(f'"{u}" ""\n' for u in ("standby", "trusty", "postgres")))
    if hba:
        p.write_config(auth_type="hba", auth_hba_file=p.write("hba.conf", hba))
    return p.start()


def tool(server, name, *words, port, user="standby", **kw):
    """Words that run one of PostgreSQL's programs as it would be run against that port."""
    return subprocess.Popen(
        cluster.as_user() + [f"{server.bin}/{name}", "-h", "127.0.0.1", "-p", str(port), "-U", user,
                             "--no-password", *words],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, text=True,
        cwd="/", env={k: v for k, v in os.environ.items() if not k.startswith("PG")}, **kw)


def finish(process, timeout=500):
    said = process.communicate(timeout=timeout)[0]
    return process.returncode, said


def standby(p, replication="database", database="shop", user="standby", **params):
    return wire.Wire(p.port, user=user, database=database, params={"replication": replication,
                                                                   **params})


def walsenders(server, where="true"):
    return server.sql(f"select pid, application_name from pg_stat_replication where {where}")


def servers(p, kind):
    return [s for s in p.show("SERVERS") if s["replication"] == kind]


def wal(server):
    return server.sql("select pg_current_wal_lsn()")[0][0]


# --- the programs --------------------------------------------------------------------------

@pytest.mark.parametrize("method", ["fetch", "stream"])
def test_basebackup(primary, p, method):
    """A backup with its WAL, by one connection or two; verified against its manifest."""
    primary.sql("insert into t select n, repeat('x', 200) from generate_series(1, 20000) n "
                "on conflict do nothing", dbname="shop")
    directory = cluster.scratch("pgsluice-bb-")
    try:
        status, said = finish(tool(primary, "pg_basebackup", "-D", directory + "/data", "-X", method,
                                   "--checkpoint", "fast", port=p.port))
        assert status == 0, said + p.log()[-2000:]
        done = subprocess.run(cluster.as_user() + [primary.bin + "/pg_verifybackup",
                                                   directory + "/data"],
                              capture_output=True, text=True, cwd="/", check=False)
        assert done.returncode == 0, done.stdout + done.stderr
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    wait_until(lambda: not walsenders(primary), what="the walsenders are gone")
    assert servers(p, "physical") == []


def test_a_standby_streams_through_the_pooler(primary, p):
    """A backup becomes a hot standby whose walreceiver connects through the pooler."""
    directory = cluster.scratch("pgsluice-sb-")
    replica = None
    try:
        status, said = finish(tool(primary, "pg_basebackup", "-D", directory + "/data", "-R",
                                   "--checkpoint", "fast", port=p.port))
        assert status == 0, said
        with open(directory + "/data/postgresql.auto.conf", "a", encoding="utf-8") as f:
            f.write(f"primary_conninfo = 'host=127.0.0.1 port={p.port} user=standby "
                    "application_name=replica'\n")
        port = cluster.free_port()
        replica = subprocess.Popen(
            cluster.as_user() + [primary.bin + "/postgres", "-D", directory + "/data",
                                 f"-cport={port}", "-cmax_connections=300",
                                 "-cmax_wal_senders=30", "-cmax_prepared_transactions=10",
                                 f"-cunix_socket_directories={directory}",
                                 "-clisten_addresses="],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/")
        wait_until(lambda: walsenders(primary, "application_name = 'replica' and state = 'streaming'"),
                   30, "the standby streams")
        primary.sql("insert into t values (-7, 'replicated') on conflict do nothing", dbname="shop")

        def arrived():
            try:
                import psycopg
                with psycopg.connect(f"host={directory} port={port} user=postgres dbname=shop") as c:
                    return c.execute("select b from t where a = -7").fetchall()
            except psycopg.OperationalError:
                return None
        assert wait_until(arrived, 30) == [("replicated",)]
    finally:
        if replica:
            replica.send_signal(signal.SIGQUIT)
            replica.wait(30)
        shutil.rmtree(directory, ignore_errors=True)


def test_receivewal_writes_what_the_server_has(primary, p):
    directory = cluster.scratch("pgsluice-rw-")
    try:
        slot = "receivewal"
        assert finish(tool(primary, "pg_receivewal", "-D", directory, "--create-slot", "-S", slot,
                           port=p.port)) == (0, "")
        begin = tool(primary, "pg_receivewal", "-D", directory, "-S", slot, "--no-loop", port=p.port)
        wait_until(lambda: walsenders(primary, "application_name = 'pg_receivewal'"))
        name = primary.sql("select pg_walfile_name(pg_current_wal_lsn())")[0][0]
        primary.sql("insert into t select n, md5(n::text) from generate_series(100000, 140000) n "
                    "on conflict do nothing", dbname="shop")
        primary.sql("select pg_switch_wal()")
        wait_until(lambda: os.path.exists(f"{directory}/{name}"), 30, "the segment is complete")
        begin.send_signal(signal.SIGINT)
        status, said = finish(begin)
        assert status == 0, said
        with open(f"{directory}/{name}", "rb") as got, \
                open(f"{primary.data}/pg_wal/{name}", "rb") as made:
            assert got.read() == made.read()
        assert finish(tool(primary, "pg_receivewal", "--drop-slot", "-S", slot,
                           port=p.port)) == (0, "")
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def test_recvlogical_says_the_same(primary, p):
    """What test_decoding says of the same changes, directly and through the pooler."""
    said = {}
    first, last = wal(primary), None
    for how, port in (("direct", primary.port), ("pooled", p.port)):
        assert finish(tool(primary, "pg_recvlogical", "-d", "shop", "-S", how, "--create-slot",
                           "-P", "test_decoding", port=port)) == (0, "")
    primary.sql("insert into t values (-1, 'one'), (-2, E'two\\nlines') on conflict (a) "
                "do update set b = excluded.b || '+'", dbname="shop")
    primary.sql("delete from t where a = -1", dbname="shop")
    primary.sql("insert into t select -n, repeat('wide', 1000) from generate_series(100, 1100) n",
                dbname="shop")
    primary.sql("delete from t where a < -50", dbname="shop")
    last = wal(primary)
    assert first != last
    for how, port in (("direct", primary.port), ("pooled", p.port)):
        status, said[how] = finish(tool(
            primary, "pg_recvlogical", "-d", "shop", "-S", how, "--start", "-f", "-", "--endpos", last,
            "--no-loop", "-o", "include-xids=0", port=port))
        assert status == 0, said[how]
        assert finish(tool(primary, "pg_recvlogical", "-d", "shop", "-S", how, "--drop-slot",
                           port=port)) == (0, "")
    assert said["direct"].count("INSERT") > 1000
    assert said["pooled"] == said["direct"]


def test_a_subscription(primary, p):
    """CREATE SUBSCRIPTION: the first copy of the table, then its changes."""
    primary.sql("create table news (a int primary key, b text)", dbname="shop")
    primary.sql("create table news (a int primary key, b text)", dbname="stock")
    primary.sql("grant all on news to public", dbname="shop")
    primary.sql("insert into news select n, 'first ' || n from generate_series(1, 1000) n",
                dbname="shop")
    primary.sql("create publication paper for table news", dbname="shop")
    # the same server on both ends: making the slot inside of CREATE SUBSCRIPTION would wait
    # for itself
    primary.sql("select pg_create_logical_replication_slot('paper', 'pgoutput')", dbname="shop")
    try:
        primary.sql("create subscription paper connection 'host=127.0.0.1 "
                    f"port={p.port} user=standby dbname=shop' publication paper "
                    "with (create_slot = false, slot_name = paper)", dbname="stock")
        copied = "select count(*) from news"
        wait_until(lambda: primary.sql(copied, dbname="stock") == [(1000,)], 30, "the first copy")
        primary.sql("insert into news values (2000, 'later')", dbname="shop")
        primary.sql("delete from news where a = 1", dbname="shop")
        wait_until(lambda: primary.sql("select b from news where a not between 2 and 1000",
                                       dbname="stock") == [("later",)], 30, "the changes")
    finally:
        primary.sql("alter subscription paper disable", dbname="stock")
        primary.sql("alter subscription paper set (slot_name = none)", dbname="stock")
        primary.sql("drop subscription paper", dbname="stock")
        wait_until(lambda: not primary.sql("select 1 from pg_replication_slots "
                                           "where slot_name = 'paper' and active"))
        primary.sql("select pg_drop_replication_slot('paper')", dbname="shop")


# --- the protocol ----------------------------------------------------------------------------

COMMANDS = ["IDENTIFY_SYSTEM", "SHOW wal_level", "TIMELINE_HISTORY 99", "selec",
            "CREATE_REPLICATION_SLOT s1 TEMPORARY LOGICAL test_decoding", "READ_REPLICATION_SLOT s1",
            "BEGIN READ ONLY ISOLATION LEVEL REPEATABLE READ",
            "CREATE_REPLICATION_SLOT s2 TEMPORARY LOGICAL test_decoding (SNAPSHOT 'use')",
            "SELECT 1/0", "SELECT 1", "ROLLBACK", "SELECT count(*) FROM pg_class WHERE false",
            "SET application_name = 'x'", "START_REPLICATION SLOT nowhere LOGICAL 0/0",
            "DROP_REPLICATION_SLOT s1", "DROP_REPLICATION_SLOT nowhere"]


def transcript(w, commands):
    """What the server says, without what differs between two runs (positions, process ids)."""
    out = []
    for sql in commands:
        w.send(wire.query(sql))
        for kind, body in w.until(b"Z"):
            said = re.sub(rb"[0-9A-F]+/[0-9A-F]+|[0-9A-F]{8}-[0-9A-F]{8}-\d|for PID \d+", b"#", body)
            out.append((sql, kind, re.sub(rb"\0[\0-\xff]{3}[\0-\xff]#", b"", said)))
    return out


def test_replication_commands_say_the_same(primary, p):
    with standby_direct(primary) as a, standby(p) as b:
        assert transcript(b, COMMANDS) == transcript(a, COMMANDS)


def standby_direct(server, **kw):
    return wire.Wire(server.port, user="standby", database=kw.pop("database", "shop"),
                     params={"replication": "database", **kw})


def test_the_extended_protocol_is_refused_by_the_server_not_by_us(primary, p):
    def said(w):
        w.send(wire.parse("", "select 1") + wire.sync())
        first = w.until(b"Z")
        return first + [m for m in transcript(w, ["SELECT 1"])]
    with standby_direct(primary) as a, standby(p) as b:
        assert said(b) == said(a)


def copy_both(w, slot):
    w.send(wire.query(f"START_REPLICATION SLOT {slot} LOGICAL 0/0"))
    assert w.until(b"WE")[-1][0] == b"W"


def test_copy_both_ends_from_either_side(primary, p):
    """The client ends the stream and the connection goes on; then the server does."""
    with standby(p) as w:
        w.query("CREATE_REPLICATION_SLOT both TEMPORARY LOGICAL test_decoding")
        copy_both(w, "both")
        primary.sql("insert into t values (-3, 'streamed') on conflict (a) do update set b = "
                    "excluded.b", dbname="shop")
        wait_until(lambda: b"streamed" in w.receive()[1], what="the row in the stream")
        # a status report, answered by a keepalive, is CopyData in the other direction
        w.send(wire.copy_data(b"r" + b"\0" * 24 + b"\0" * 8 + b"\1"))
        wait_until(lambda: w.receive()[1][:1] == b"k", what="a keepalive")
        w.send(wire.copy_done())
        got = [m for m in w.until(b"Z") if m[0] != b"d"]
        assert [m[0] for m in got] == [b"c", b"C", b"C", b"Z"]   # as without a pooler
        assert w.query("SELECT 1") == [["1"]]
        copy_both(w, "both")
        primary.sql("select pg_terminate_backend(pid) from pg_stat_replication")
        errors = [wire.fields(b) for k, b in w.closed() if k == b"E"]
        assert errors[0]["C"] == "57P01"


def test_a_cancel_request_ends_the_stream_only(primary, p):
    with standby(p) as w:
        w.query("CREATE_REPLICATION_SLOT cancelled TEMPORARY LOGICAL test_decoding")
        copy_both(w, "cancelled")
        w.cancel()
        errors = [wire.fields(b)["C"] for k, b in w.until(b"Z") if k == b"E"]
        assert errors == ["57014"]
        assert w.query("SELECT 1") == [["1"]]


def test_startup_parameters_reach_the_server(primary, p):
    with standby(p, application_name="reader", options="-c work_mem=7MB",
                 DateStyle="German, DMY") as w:
        assert w.parameters["application_name"] == "reader"
        assert w.parameters["DateStyle"] == "German, DMY"
        assert w.one("SHOW work_mem") == "7MB"
        assert len(walsenders(primary, "application_name = 'reader'")) == 1


# --- who may, and what it costs -----------------------------------------------------------------

def test_a_role_without_the_right_is_told_by_the_server(p):
    """And ordinary clients of that pool are not held off by it."""
    for _ in range(2):
        with pytest.raises(wire.ServerError, match="superuser or replication role"):
            standby(p, user="trusty")
        with p.wire() as w:
            assert w.query("select 1") == [["1"]]


def test_an_unknown_database_says_which_name_counts(pooler, primary):
    p = front(pooler, primary, ["shop"])
    with pytest.raises(wire.ServerError, match=r"no such database: replication .*\[databases\]"):
        standby(p, "true", "replication")
    with standby(p, "true", "shop") as w:
        assert len(w.query("IDENTIFY_SYSTEM")) == 1


def test_hba_has_a_word_for_it(pooler, primary):
    p = front(pooler, primary, hba="host replication standby 127.0.0.1/32 trust\n"
                                   "host all trusty 127.0.0.1/32 trust\n")
    with standby(p, "true", "replication") as w:
        assert len(w.query("IDENTIFY_SYSTEM")) == 1
    with pytest.raises(wire.ServerError, match="no pg_hba.conf entry.*replication"):
        standby(p, "true", "shop", user="trusty")       # "all" is not for physical replication
    with pytest.raises(wire.ServerError, match='no pg_hba.conf entry.*database "shop"'):
        standby(p, "database", "shop")                    # nor "replication" for logical


def test_it_has_a_server_connection_of_its_own(primary, p):
    """Never lent to an ordinary client, and gone with its client."""
    with standby(p) as w, p.wire(user="standby") as ordinary:
        w.query("SELECT 1")
        assert ordinary.query("select pg_backend_pid()") != w.query("SELECT pg_backend_pid()")
        row, = servers(p, "logical")
        assert (row["state"], row["database"]) == ("active", "shop")
        assert [c["replication"] for c in p.show("CLIENTS") if c["user"] == "standby"].count(
            "logical") == 1
        w.quit()
        wait_until(lambda: not servers(p, "logical"))
        wait_until(lambda: not walsenders(primary))
        for _ in range(5):
            ordinary.send(wire.extended("select 1") + wire.sync())
            assert ordinary.result() == [["1"]]


@at_some_pace
def test_it_counts_as_any_other(pooler, primary, pace):
    """Under max_open = 1: it takes the place of an idle connection, not of a busy one."""
    p = front(pooler, primary, max_open=1, query_wait_timeout=pace)
    with p.wire(user="standby") as ordinary:
        ordinary.query("select 1")
        with standby(p) as w:                           # the idle connection makes room
            assert w.query("SELECT 1") == [["1"]]
            ordinary.send(wire.query("select 1"))
            assert [wire.fields(b)["M"] for k, b in ordinary.closed() if k == b"E"] == \
                ["query_wait_timeout"]
    with p.wire(user="standby") as ordinary:
        ordinary.begin()
        with pytest.raises(wire.ServerError, match="query_wait_timeout"):
            standby(p)                                    # the busy one does not
        ordinary.query("commit")


def test_it_waits_for_a_place(pooler, primary):
    p = front(pooler, primary, max_open=1)
    with p.wire(user="standby") as ordinary:
        ordinary.begin()
        w = wire.Wire(p.port, start=False)
        w.send(wire.startup(user="standby", database="shop", replication="database"))
        wait_until(lambda: [c for c in p.show("CLIENTS") if c["replication"] == "logical" and
                            c["state"] == "waiting"])
        ordinary.query("commit")
        w.authenticate()
        assert w.query("SELECT 1") == [["1"]]
        w.quit()
        assert ordinary.query("select 1") == [["1"]]


def test_it_claims_a_place_of_another_pool(pooler, primary):
    """max_db_connections is shared: an idle connection of another user's pool gives way."""
    p = front(pooler, primary, more="max_db_connections=1")
    with p.wire() as other:
        other.query("select 1")
        with standby(p) as w:
            assert w.query("SELECT 1") == [["1"]]
        assert other.query("select 1") == [["1"]]


@at_some_pace
def test_no_query_timeout_ends_a_stream(pooler, primary, pace):
    limit = 0.2 * pace
    p = front(pooler, primary, query_timeout=limit, transaction_timeout=limit,
              idle_transaction_timeout=limit, pool_mode="statement")
    with standby(p) as w:
        w.query("CREATE_REPLICATION_SLOT patient TEMPORARY LOGICAL test_decoding")
        copy_both(w, "patient")
        begun = time.monotonic()
        while time.monotonic() - begun < 3 * limit:
            w.send(wire.copy_data(b"r" + b"\0" * 24 + b"\0" * 8 + b"\1"))
            wait_until(lambda: w.receive()[1][:1] == b"k", what="a keepalive")
        w.send(wire.copy_done())
        w.until(b"Z")


@pytest.mark.parametrize("how", ["kill", "terminate"])
def test_a_client_that_goes_frees_the_walsender(primary, p, how):
    """kill -9 in the middle of a stream; and Terminate, which the server need not answer."""
    w = standby(p)
    w.query("CREATE_REPLICATION_SLOT gone TEMPORARY LOGICAL test_decoding")
    copy_both(w, "gone")
    if how == "kill":
        w.reset()
    else:
        w.send(wire.terminate())
        assert [k for k, _ in w.closed() if k not in b"dcC"] == []
    wait_until(lambda: not walsenders(primary))
    wait_until(lambda: not servers(p, "logical"))


def test_kill_and_shutdown_end_streams(primary, p):
    w = standby(p)
    w.query("CREATE_REPLICATION_SLOT ended TEMPORARY LOGICAL test_decoding")
    copy_both(w, "ended")
    with p.console() as console:
        console.query("KILL shop")
        assert [wire.fields(b)["C"] for k, b in w.closed() if k == b"E"] == ["57P01"]
        console.query("RESUME shop")
    wait_until(lambda: not walsenders(primary))
    w = standby(p)
    w.query("CREATE_REPLICATION_SLOT ended TEMPORARY LOGICAL test_decoding")
    copy_both(w, "ended")
    p.stop()
    w.closed()
    wait_until(lambda: not walsenders(primary))
