"""The console: database pgbouncer, as PgBouncer's tools know it."""
import pytest

import pooler as poolers
import wire
from pooler import wait_until
from wire import ServerError

POOLS = """database user cl_active cl_waiting cl_active_cancel_req cl_waiting_cancel_req sv_active
    sv_active_cancel sv_being_canceled sv_idle sv_used sv_tested sv_login maxwait maxwait_us
    pool_mode""".split()


def test_version(pooler):
    p = pooler()
    rows = p.show("VERSION")
    assert len(rows) == 1 and list(rows[0]) == ["version"]


def test_pools_columns(pooler):
    p = pooler()
    with p.wire() as c:
        c.query("select 1")
        rows = p.show("POOLS")
        assert list(rows[0])[:len(POOLS)] == POOLS
        assert {r["database"] for r in rows} >= {"shop"}


def test_pools_count_what_is(pooler):
    p = pooler(max_open=1)
    with p.wire() as a, p.wire() as b:
        a.begin()
        b.send(wire.query("select 1"))
        row = wait_until(lambda: (lambda r: r and r["cl_waiting"] == 1 and r)(p.pool()))
        assert row["cl_active"] == 1 and row["sv_active"] == 1 and row["sv_idle"] == 0
        a.query("commit")
        b.result()
        row = p.pool()
        assert row["cl_waiting"] == 0 and row["sv_active"] == 0
        assert row["sv_idle"] + row["sv_used"] + row["sv_tested"] == 1
        assert row["pool_mode"] == "transaction"


def test_clients_and_servers(pooler):
    p = pooler(max_open=2)
    with p.wire(params={"application_name": "seen"}) as a:
        a.begin()
        clients = [r for r in p.show("CLIENTS") if r["database"] == "shop"]
        assert len(clients) == 1
        me = clients[0]
        assert me["type"] == "C" and me["user"] == "trusty" and me["state"] == "active"
        assert me["addr"] == "127.0.0.1"
        assert int(me["port"]) == a.socket.getsockname()[1]
        servers = [r for r in p.show("SERVERS") if r["database"] == "shop"]
        assert len(servers) == 1 and servers[0]["type"] == "S"
        assert servers[0]["state"] == "active"
        assert servers[0]["remote_pid"] == a.one("select pg_backend_pid()")
        assert servers[0]["link"] == me["ptr"] and me["link"] == servers[0]["ptr"]
        a.query("commit")


def test_stats_count_transactions_and_queries(pooler):
    p = pooler(max_open=2)

    def count():
        return {r["database"]: r for r in p.show("STATS")}.get("shop")
    with p.wire() as a:
        for _ in range(10):
            a.query("select 1")
        a.begin()
        for _ in range(5):
            a.query("select 1")
        a.query("commit")

    def all_counted():
        row = count()
        return row and int(row["total_xact_count"]) == 11 and row
    row = wait_until(all_counted, 3, "11 transactions are counted")
    assert int(row["total_query_count"]) == 18, "BEGIN counts, too"
    assert int(row["total_received"]) > 0 and int(row["total_sent"]) > 0


def test_config_shows_what_was_set(pooler):
    p = pooler(max_client_conn=321)
    rows = {r["key"]: r for r in p.show("CONFIG")}
    assert rows["max_client_conn"]["value"] == "321"
    assert rows["listen_port"]["value"] == str(p.port)
    assert set(rows["max_client_conn"]) >= {"key", "value", "changeable"}


def test_stats_user_may_look_but_not_touch(pooler):
    p = pooler()
    assert p.show("STATS", user="other") is not None
    with p.console("other") as c:
        with pytest.raises(ServerError) as e:
            c.query("RELOAD")
        assert e.value.code == "08P01" or e.value.code == "42501", e.value
    with pytest.raises((ServerError, wire.Closed)):
        p.show("STATS", user="trusty")


def test_unknown_command(pooler):
    p = pooler()
    with p.console() as c:
        with pytest.raises(ServerError):
            c.query("MAKE TEA")
        with pytest.raises(ServerError):
            c.query("SHOW NOTHING")
        assert c.query("SHOW VERSION"), "the console goes on after an error"


def test_case_and_semicolon(pooler):
    p = pooler()
    with p.console() as c:
        assert c.query("show version;") == c.query("Show Version") == c.query(" SHOW VERSION ; ")


def test_reload_takes_a_new_limit(pooler):
    p = pooler(max_open=1)
    with p.wire() as a, p.wire() as b:
        a.begin()
        b.send(wire.query("select 5"))
        assert b.quiet(0.3)
        p.write_config(max_open=2)
        with p.console() as c:
            c.query("RELOAD")
        assert b.result() == [["5"]]
        a.query("commit")


def test_shutdown(pooler):
    p = pooler()
    with p.console() as c:
        try:
            c.query("SHUTDOWN")
        except (wire.Closed, ConnectionResetError, ServerError):
            pass
    status = p.wait(10)
    assert status == 0 or poolers.STAND_IN


@pytest.mark.ours
def test_own_name_of_the_database(pooler):
    p = pooler()
    with p.wire(user="postgres", database="pgsluice") as c:
        assert c.query("SHOW VERSION")


@pytest.mark.ours
def test_extended_protocol(pooler):
    p = pooler()
    with p.console() as c:
        c.send(wire.extended("SHOW POOLS") + wire.sync())
        got = c.until(b"Z")
        kinds = b"".join(k for k, _ in got)
        assert kinds.startswith(b"12T") and kinds.endswith(b"CZ"), kinds


def test_console_does_not_need_the_server(pooler, own_postgres):
    p = pooler(on=own_postgres)
    own_postgres.stop()
    assert p.show("VERSION")


@pytest.mark.parametrize("what", ["STATS", "STATS_TOTALS", "STATS_AVERAGES", "POOLS", "CLIENTS",
                                  "SERVERS", "DATABASES", "USERS", "LISTS", "CONFIG", "MEM",
                                  "SOCKETS", "ACTIVE_SOCKETS", "FDS", "DNS_HOSTS", "DNS_ZONES",
                                  "TOTALS"])
def test_every_show_answers(pooler, what):
    p = pooler()
    with p.wire() as a:
        a.query("select 1")
        with p.console() as c:
            c.send(wire.query("SHOW " + what))
            kinds = [k for k, _ in c.until(b"Z")]
            assert b"T" in kinds and b"C" in kinds and b"E" not in kinds
