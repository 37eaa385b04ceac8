"""Signals, the daemon, its pidfile: how the process lives and ends."""
import os
import signal

import pytest

import cluster
import pooler as poolers
import wire
from pooler import wait_until
from wire import ServerError

GONE = (wire.Closed, ConnectionResetError, BrokenPipeError, ServerError)


@pytest.mark.ours
def test_term_waits_for_clients(pooler):
    p = pooler(max_open=1)
    with p.wire() as a:
        a.begin()
        p.signal(signal.SIGTERM)
        p.log_contains("shutting down")
        with pytest.raises((OSError, *GONE)):
            p.wire(timeout=2)
        assert a.one("select 7") == "7", "a session was cut by the first TERM"
        a.query("commit")
        a.quit()
    assert p.wait(10) == 0


@pytest.mark.ours
def test_second_term_ends_at_once(pooler):
    p = pooler(max_open=1)
    with p.wire() as a:
        a.begin()
        p.signal(signal.SIGTERM)
        p.log_contains("shutting down")
        assert p.running()
        p.signal(signal.SIGTERM)
        assert p.wait(5) == 0
        with pytest.raises(GONE):
            a.query("select 1")


@pytest.mark.ours
def test_int_waits_for_servers(pooler):
    """INT: transactions end, sessions do not go on after them."""
    p = pooler(max_open=2)
    with p.wire() as a, p.wire() as idle:
        idle.query("select 1")
        a.begin()
        p.signal(signal.SIGINT)
        p.log_contains("shutting down")
        assert p.running() and a.one("select 7") == "7"
        a.send(wire.query("commit"))
        got = a.closed(10)
        assert b"C" in [k for k, _ in got], "the commit was not answered"
        assert p.wait(10) == 0


@pytest.mark.ours
def test_quit_ends_at_once(pooler):
    p = pooler(max_open=1)
    with p.wire() as a:
        a.begin()
        p.signal(signal.SIGQUIT)
        assert p.wait(5) == 0


def test_term_without_clients(pooler):
    p = pooler()
    with p.wire() as a:
        a.query("select 1")
        a.quit()
    p.signal(signal.SIGTERM)
    assert p.wait(5) == 0 or poolers.STAND_IN


@pytest.mark.ours
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_last_client_to_go_is_one_that_never_came_in(pooler, number):
    p = pooler(auth_type="plain")
    with p.wire(start=False) as a:
        a.send(wire.startup(user="app", database="shop"))
        assert a.receive()[0] == b"R"
        p.signal(number)
        assert p.log_contains("shutting down")
        assert p.running()
    assert p.wait(5) == 0


@pytest.mark.ours
def test_who_comes_in_while_all_are_sent_home(pooler):
    p = pooler(auth_type="plain")
    with p.wire(user="app", password=cluster.PASSWORD) as works, p.wire(start=False) as late:
        works.begin()
        late.send(wire.startup(user="app", database="shop"))
        assert late.receive()[0] == b"R"
        p.signal(signal.SIGINT)
        assert p.log_contains("shutting down")
        late.send(wire.message(b"p", wire.text(cluster.PASSWORD)))
        said = late.closed()
        assert said and wire.fields(said[-1][1])["C"] == "57P01", said
        works.query("commit")
        works.closed()
    assert p.wait(5) == 0


def test_nothing_is_left_at_the_server(pooler, postgres):
    p = pooler(max_open=3)
    clients = [p.wire() for _ in range(3)]
    for c in clients:
        c.begin()
    p.stop()
    wait_until(lambda: not postgres.backends("usename = 'trusty'"), 5)


def test_hup_reloads(pooler):
    p = pooler(max_client_conn=50)
    with p.wire() as a:
        a.query("select 1")
        p.write_config(max_client_conn=77)
        p.signal(signal.SIGHUP)
        wait_until(lambda: {r["key"]: r["value"] for r in p.show("CONFIG")}["max_client_conn"] ==
                   "77", 5, "the new limit is shown")
        assert a.one("select 1") == "1", "a reload cut a session"


def test_hup_with_a_broken_file_changes_nothing(pooler):
    p = pooler(max_client_conn=50)
    with p.wire() as a:
        p.write_config(raw="[databases]\nnonsense\n[pooler]\nmax_client_conn = lots\n")
        p.signal(signal.SIGHUP)
        if not poolers.STAND_IN:
            p.log_contains(r"max_client_conn")
            values = {r["key"]: r["value"] for r in p.show("CONFIG")}
            assert values["max_client_conn"] == "50"
        assert p.running()
        assert a.one("select 1") == "1"


def test_new_database_after_reload(pooler, postgres):
    server = f"host=127.0.0.1 port={postgres.port}"
    p = pooler(databases={"shop": server})
    with p.wire() as a:
        a.query("select 1")
        p.databases["fresh"] = server + " dbname=stock"
        p.write_config()
        p.signal(signal.SIGHUP)

        def there():
            try:
                with p.wire(database="fresh") as c:
                    return c.one("select current_database()")
            except (ServerError, wire.Closed):
                return None
        assert wait_until(there, 5) == "stock"
        assert a.one("select 1") == "1"


def alive(pid):
    """Does the process run?  A zombie nobody waited for does not."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as f:
            return f.read().rpartition(")")[2].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


def test_daemon_with_pidfile(pooler):
    p = pooler(start=False, pidfile="PIDFILE", logfile="LOGFILE")
    p.write_config(pidfile=p.dir + "/pid", logfile=p.dir + "/log")
    status, out, err = p.run("-d", p.config)
    assert status == 0, out + err
    pid = None
    try:
        def written():
            try:
                with open(p.dir + "/pid", encoding="ascii") as f:
                    return int(f.read() or 0)
            except FileNotFoundError:
                return 0
        pid = wait_until(written, 5, "the pidfile is written")
        with p.wire() as a:
            assert a.one("select 1") == "1"
        assert os.getsid(pid) != os.getsid(0), "the daemon stayed in our session"
        os.kill(pid, signal.SIGTERM)
        wait_until(lambda: not alive(pid), 10, "the daemon ends")
        wait_until(lambda: not os.path.exists(p.dir + "/pid"), 2, "the pidfile is removed")
        assert not poolers.REPORT.search(p.log())
    finally:
        if pid and alive(pid):
            os.kill(pid, signal.SIGKILL)


@pytest.mark.ours
def test_a_second_one_with_the_same_pidfile_refuses(pooler):
    p = pooler(start=False)
    p.write_config(pidfile=p.dir + "/pid")
    p.start()
    wait_until(lambda: os.path.exists(p.dir + "/pid"), 5)
    p.write_config(listen_port=cluster.free_port())
    status, out, err = p.run(p.config)
    assert status != 0 and "pid" in out + err, (status, out, err)
    with p.wire() as a:
        assert a.one("select 1") == "1"
    assert os.path.exists(p.dir + "/pid"), "the refused one removed the other's pidfile"


@pytest.mark.ours
def test_port_in_use(pooler):
    p = pooler()
    q = pooler(start=False)
    q.write_config(listen_port=p.port)
    status, out, err = q.run(q.config, timeout=20)
    assert status != 0 and str(p.port) in out + err, (status, out, err)
