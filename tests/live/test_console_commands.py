"""The console's commands, each while clients work."""
import os
import re
import threading

import pytest

import wire
from pooler import wait_still, wait_until
from wire import ServerError


def state(p, database="shop"):
    return {r["name"]: r for r in p.show("DATABASES")}[database]


def begin(c):
    """A transaction that holds a server connection."""
    c.query("begin")
    c.query("select 1")


class Load:
    """Clients that run short transactions until stopped; every error is kept."""

    def __init__(self, p, clients=4):
        self.p, self.stopping, self.errors, self.done = p, False, [], 0
        self.threads = [threading.Thread(target=self.work) for _ in range(clients)]
        for t in self.threads:
            t.start()

    def work(self):
        try:
            with self.p.wire(timeout=30) as c:
                while not self.stopping:
                    assert c.query("select 1") == [["1"]]
                    self.done += 1
        except Exception as e:                          # noqa: BLE001 - all of them count
            self.errors.append(repr(e))

    def __enter__(self):
        wait_until(lambda: self.done > 10 or self.errors)
        return self

    def __exit__(self, *exc):
        self.stopping = True
        for t in self.threads:
            t.join(30)
        if exc[0] is None:
            assert not self.errors


def test_pause_waits_for_the_transaction_and_holds_clients(pooler):
    p = pooler(max_open=2)
    with p.wire() as a, p.wire() as b, p.console() as c, p.console() as other:
        begin(a)
        c.send(wire.query("PAUSE shop"))
        assert c.quiet(0.3)
        b.send(wire.query("select 7"))
        assert state(p)["paused"] == "1"
        a.query("commit")
        c.result()
        assert p.pool()["sv_active"] + p.pool()["sv_idle"] == 0, "no server connection is left"
        assert b.quiet(0.3)
        other.query("RESUME shop")
        assert b.result() == [["7"]]


def test_pause_all_under_load_loses_nothing(pooler):
    p = pooler(max_open=3, workers=2)
    with Load(p, 6) as load, p.console() as c:
        for _ in range(10):
            c.query("PAUSE")
            assert {r["key"]: r["value"] for r in p.show("STATE")}["paused"] == "yes"
            before = wait_still(lambda: load.done)
            c.query("RESUME")
            wait_until(lambda: load.done > before + 20 or load.errors)


def test_pause_twice_and_resume_twice(pooler):
    p = pooler()
    with p.console() as c:
        c.query("PAUSE")
        with pytest.raises(ServerError, match="already suspended/paused"):
            c.query("PAUSE")
        c.query("RESUME")
        with pytest.raises(ServerError, match="pooler is not paused/suspended"):
            c.query("RESUME")
        with pytest.raises(ServerError, match="database shop is not paused"):
            c.query("RESUME shop")
        with pytest.raises(ServerError, match="no such database"):
            c.query("PAUSE nowhere")
        with pytest.raises(ServerError, match="admin db"):
            c.query("PAUSE pgbouncer")


@pytest.mark.ours
def test_a_cancelled_pause_is_taken_back(pooler):
    p = pooler(max_open=1)
    with p.wire() as a, p.wire() as b, p.console() as c:
        begin(a)
        c.send(wire.query("PAUSE shop"))
        assert c.quiet(0.2)
        c.cancel()
        with pytest.raises(ServerError) as e:
            c.result()
        assert e.value.code == "57014"
        a.query("commit")
        assert b.query("select 3") == [["3"]]
        assert state(p)["paused"] == "0"


def test_a_new_client_waits_while_paused(pooler):
    p = pooler()
    with p.console() as c:
        c.query("PAUSE shop")
        got = []
        t = threading.Thread(target=lambda: got.append(p.wire(timeout=20).one("select 4")))
        t.start()
        wait_until(lambda: p.pool() and p.pool()["cl_waiting"] == 1)
        assert not got
        c.query("RESUME shop")
        t.join(20)
        assert got == [4] or got == ["4"]


def test_disable_and_enable(pooler):
    p = pooler()
    with p.wire() as a, p.console() as c:
        c.query("DISABLE shop")
        assert a.query("select 1") == [["1"]], "those inside stay"
        with pytest.raises((ServerError, wire.Closed)):
            p.wire()
        assert state(p)["disabled"] == "1"
        c.query("ENABLE shop")
        with p.wire() as b:
            assert b.query("select 1") == [["1"]]
        with pytest.raises(ServerError):
            c.query("DISABLE")


def test_reconnect_replaces_every_server_without_an_error(pooler):
    p = pooler(max_open=3)
    with Load(p) as load, p.console() as c:
        for _ in range(5):
            old = {r["remote_pid"] for r in p.show("SERVERS")} - {"0"}
            c.query("RECONNECT shop")
            c.query("WAIT_CLOSE shop")
            new = {r["remote_pid"] for r in p.show("SERVERS")} - {"0"}
            assert not old & new
            before = load.done
            wait_until(lambda: load.done > before + 10 or load.errors)


@pytest.mark.parametrize("fast", [0, 1])
@pytest.mark.parametrize("mode", ["session", "transaction"])
def test_server_fast_close(pooler, mode, fast):
    """RECONNECT ends sessions between two transactions, if it shall; only where a session would
    keep its connection."""
    p = pooler(pool_mode=mode, server_fast_close=fast)
    with p.wire() as busy, p.wire() as idle, p.console() as c:
        begin(busy)
        idle.query("select 1")
        c.query("RECONNECT shop")
        assert busy.one("select 2") == "2"
        busy.send(wire.query("commit"))
        if mode == "session" and fast:
            (_, said), = idle.closed(10)
            (tag, _), (ready, _), (_, told) = busy.closed(10)
            assert (tag, ready) == (b"C", b"Z")
            for body in said, told:
                assert "database configuration changed" in wire.fields(body)["M"]
        else:
            busy.until()
            assert busy.one("select 3") == idle.one("select 3") == "3"
        with p.wire() as other:
            assert other.one("select 4") == "4"


def test_wait_close_waits_for_a_transaction(pooler):
    p = pooler(max_open=2)
    with p.wire() as a, p.console() as c:
        begin(a)
        c.query("RECONNECT")
        c.send(wire.query("WAIT_CLOSE"))
        assert c.quiet(0.3)
        a.query("commit")
        c.result()


def test_kill_closes_all_and_pauses(pooler):
    p = pooler()
    with p.wire() as a, p.wire(database="stock") as other, p.console() as c:
        begin(a)
        other.query("select 1")
        c.query("KILL shop")
        with pytest.raises((wire.Closed, ServerError, ConnectionResetError)):
            a.query("select 1")
        assert other.query("select 1") == [["1"]]
        assert state(p)["paused"] == "1"
        c.query("RESUME shop")
        with p.wire() as again:
            assert again.query("select 1") == [["1"]]


def test_kill_client(pooler):
    p = pooler()
    with p.wire() as a, p.wire() as b, p.console() as c:
        begin(a)
        row = next(r for r in p.show("CLIENTS") if r["state"] == "active" and
                   r["database"] == "shop")
        c.query(f"KILL_CLIENT {row['id']}")
        with pytest.raises((wire.Closed, ServerError, ConnectionResetError)):
            a.query("select 1")
        assert b.query("select 1") == [["1"]]
        with pytest.raises(ServerError, match="client not found"):
            c.query(f"KILL_CLIENT {row['id']}")
        with pytest.raises(ServerError):
            c.query("KILL_CLIENT x")


@pytest.mark.ours
def test_cancel_by_id(pooler):
    p = pooler(max_open=1)
    with p.wire() as a, p.wire() as b, p.console() as c:
        def states(*wanted):
            rows = {r["state"]: r["id"] for r in p.show("CLIENTS") if r["database"] == "shop"}
            return set(wanted) <= set(rows) and rows
        a.send(wire.query("select pg_sleep(60)"))
        wait_until(lambda: states("active"))
        b.send(wire.query("select 1"))
        rows = wait_until(lambda: states("active", "waiting"))
        c.query(f"CANCEL {rows['waiting']}")
        with pytest.raises(ServerError) as e:
            b.result()
        assert e.value.code == "57014"
        c.query(f"CANCEL C-{rows['active']}")
        while a.quiet(0.2):     # PostgreSQL ignores one that comes before the statement runs
            c.query(f"CANCEL C-{rows['active']}")
        with pytest.raises(ServerError) as e:
            a.result()
        assert e.value.code == "57014"
        assert a.query("select 2") == b.query("select 2") == [["2"]]


def test_suspend_and_resume_under_load(pooler):
    p = pooler(max_open=3, workers=2)
    with Load(p, 6) as load, p.console() as c:
        for _ in range(5):
            c.query("SUSPEND")
            before = wait_still(lambda: load.done)
            c.query("RESUME")
            wait_until(lambda: load.done > before + 20 or load.errors)


def test_set_changes_a_setting(pooler):
    p = pooler()
    with p.console() as c:
        for text, value in (("SET query_timeout = 7", "7"), ("set query_timeout to '8'", "8"),
                            ("SET query_timeout='9'", "9")):
            c.query(text)
            assert {r["key"]: r["value"] for r in p.show("CONFIG")}["query_timeout"] == value
        with pytest.raises(ServerError):
            c.query("SET query_timeout = 'soon'")
        with pytest.raises(ServerError):
            c.query("SET no_such_thing = 1")
        with pytest.raises(ServerError):
            c.query("SET listen_port = 1")
        assert {r["key"]: r["value"] for r in p.show("CONFIG")}["query_timeout"] == "9"


def test_reload_of_a_broken_file_changes_nothing(pooler):
    p = pooler(max_open=3)
    with p.wire() as a, p.console() as c:
        begin(a)
        p.write_config(max_open="many")
        with pytest.raises(ServerError) as e:
            c.query("RELOAD")
        assert e.value.code == "F0000"
        a.query("commit")
        assert a.query("select 1") == [["1"]]


@pytest.mark.ours
@pytest.mark.parametrize("command", ["RELOAD", "RELOAD CHECK"])
def test_reload_of_a_file_that_is_gone_says_only_that(pooler, command):
    """Not also that everything it does not say any more needs a restart."""
    p = pooler()
    path = {r["key"]: r["value"] for r in p.show("CONFIG")}["conffile"]
    os.rename(path, path + ".gone")
    with p.console() as c, pytest.raises(ServerError) as e:
        c.query(command)
    os.rename(path + ".gone", path)
    assert e.value.fields["D"] == f'{path}: cannot read "{path}": No such file or directory'
    assert "needs a restart" not in p.log()


@pytest.mark.ours
def test_reload_check_says_what_would_change(pooler):
    p = pooler(max_open=3)
    with p.wire() as a, p.console() as c:
        a.query("select 1")
        assert "nothing would change" in c.query("RELOAD CHECK")[0][0]
        p.write_config(max_open=4)
        assert any(re.search("max_open: 3 -> 4", r[0]) for r in c.query("RELOAD CHECK"))
        assert state(p)["pool_size"] == "3"
        p.databases = {"shop": f"host=127.0.0.1 port={p.postgres.port} connect_query='select 1'"}
        p.write_config(max_open=4)
        lines = "\n".join(r[0] for r in c.query("RELOAD CHECK"))
        assert "stock" in lines
        p.write_config(max_open="many")
        with pytest.raises(ServerError) as e:
            c.query("RELOAD CHECK")
        assert e.value.code == "F0000"


def test_a_removed_database_is_closed(pooler):
    p = pooler()
    server = f"host=127.0.0.1 port={p.postgres.port}"
    with p.wire(database="stock") as a, p.wire() as b, p.console() as c:
        a.query("select 1")
        p.databases = {"shop": server}
        p.write_config()
        c.query("RELOAD")
        with pytest.raises((wire.Closed, ServerError, ConnectionResetError)):
            a.query("select 1")
        assert b.query("select 1") == [["1"]]
        p.databases = {"shop": server, "stock": server}
        p.write_config()
        c.query("RELOAD")
        with p.wire(database="stock") as again:
            assert again.query("select 1") == [["1"]]


@pytest.mark.ours
def test_reload_with_another_server_user(pooler):
    p = pooler()
    server = f"host=127.0.0.1 port={p.postgres.port}"
    with p.wire() as a, p.console() as c:
        assert a.one("select current_user") == "trusty"
        p.databases = {"shop": server + " user=other", "stock": server}
        p.write_config()
        assert "server connections are replaced" in "\n".join(
            r[0] for r in c.query("RELOAD CHECK"))
        c.query("RELOAD")
        c.query("WAIT_CLOSE")
        assert a.one("select current_user") == "other"
        p.databases = {"shop": server, "stock": server}
        p.write_config()
        c.query("RELOAD")
        c.query("WAIT_CLOSE")
        assert a.one("select current_user") == "trusty"


def test_shutdown_wait_for_servers(pooler):
    """What runs may end; who is idle or waits is told to go."""
    p = pooler(max_open=1)
    with p.wire() as a, p.wire() as idle, p.wire() as waits, p.console() as c:
        begin(a)
        waits.send(wire.query("select 2"))
        wait_until(lambda: p.pool()["cl_waiting"] == 1)
        c.query("SHUTDOWN WAIT_FOR_SERVERS")
        for x in idle, waits:
            (kind, body), = x.closed(10)
            assert kind == b"E" and wire.fields(body)["M"] == "server shutting down"
        p.log_contains("closing because: server shutting down")
        assert p.running() and a.one("select 3") == "3"
        a.send(wire.query("commit"))
        assert [k for k, _ in a.closed(10)] == [b"C", b"Z", b"E"]
        assert p.wait(10) == 0


@pytest.mark.ours
def test_shutdown_wait_for_clients_does_not_wait_for_the_console(pooler):
    p = pooler()
    with p.wire() as a, p.console() as c:
        a.query("select 1")
        c.query("SHUTDOWN WAIT_FOR_CLIENTS")
        assert a.query("select 2") == [["2"]]
        with pytest.raises(ServerError, match="shutting down"):
            c.query("RESUME")
        a.drop()
        assert p.wait(10) == 0


@pytest.mark.parametrize("command", ["PAUSE", "RESUME", "DISABLE shop", "ENABLE shop", "KILL",
                                     "RECONNECT", "KILL_CLIENT 1", "SUSPEND", "SHUTDOWN",
                                     "WAIT_CLOSE", "SET verbose = 1", "RELOAD"])
def test_stats_users_may_not(pooler, command):
    p = pooler()
    with p.console("other") as c:
        with pytest.raises(ServerError, match="admin access needed"):
            c.query(command)
        assert c.query("SHOW VERSION")
