"""Limits beyond the pool's own: per database, per user, the reserve; and who gets what is short.

Each is asked for by more clients than it allows; what is open is counted at PostgreSQL.
"""
import contextlib
import statistics
import threading
import time

import pytest

import wire
from pace import at_some_pace
from pooler import wait_until
from wire import ServerError

pytestmark = pytest.mark.ours


def line(postgres, more=""):
    return f"host=127.0.0.1 port={postgres.port} {more}"


class Busy(threading.Thread):
    """A client that never rests, and counts what it was served."""

    def __init__(self, p, stop, sql="select pg_sleep(0.003)", **where):
        super().__init__(daemon=True)
        self.client, self.stop, self.sql = p.wire(**where), stop, sql
        self.count, self.longest = 0, 0.0

    def run(self):
        with self.client as c:
            while not self.stop.is_set():
                since = time.monotonic()
                c.query(self.sql)
                self.longest = max(self.longest, time.monotonic() - since)
                self.count += 1


def at_most(postgres, limit):
    """No more connections than that; one that is closed is seen until its process has gone."""
    def there():
        return {pid for pid, *_ in postgres.backends("usename in ('trusty', 'other')")}
    left = there()

    def within():
        nonlocal left
        if len(left) > limit:
            left &= there()
        return len(left) <= limit
    wait_until(within, 5, f"no more than {limit} connections")


def busy(p, postgres, wheres, seconds, limit):
    """Lets clients work over so many connections; the clients, which say how they were served."""
    stop = threading.Event()
    threads = [Busy(p, stop, **w) for w in wheres]
    for t in threads:
        t.start()
    end = time.monotonic() + seconds
    while time.monotonic() < end or min(t.count for t in threads) <= 5:
        at_most(postgres, limit)
        assert time.monotonic() < end + 60 * wire.PATIENCE, [t.count for t in threads]
    stop.set()
    for t in threads:
        t.join(300)
        assert not t.is_alive()
    return threads


@pytest.mark.parametrize("workers", [1, 3])
@pytest.mark.parametrize("how", ["pooler", "database"])
def test_max_db_connections(pooler, postgres, how, workers):
    """Two users' pools of one database share it; neither is left without."""
    more = "max_db_connections=3" if how == "database" else ""
    p = pooler(databases={"shop": line(postgres, more)}, max_open=5, workers=workers,
               **({"max_db_connections": 3} if how == "pooler" else {}))
    wheres = [{"user": "trusty"}] * 6 + [{"user": "other"}] * 2
    busy(p, postgres, wheres, 2, 3)
    shown = next(r for r in p.show("DATABASES") if r["name"] == "shop")
    assert shown["max_connections"] == "3" and int(shown["current_connections"]) <= 3


@pytest.mark.parametrize("how", ["pooler", "user"])
def test_max_user_connections(pooler, postgres, how):
    """One user over two databases."""
    users = {"trusty": "max_user_connections=2"} if how == "user" else None
    p = pooler(max_open=5, users=users, **({"max_user_connections": 2} if how == "pooler" else {}))
    wheres = [{"database": "shop"}] * 4 + [{"database": "stock"}] * 4
    busy(p, postgres, wheres, 2, 2)
    shown = next(r for r in p.show("USERS") if r["name"] == "trusty")
    assert shown["max_user_connections"] == "2" and int(shown["current_connections"]) <= 2


@pytest.mark.parametrize("setting, words, others", [
    ("max_db_client_connections", "max_db_client_connections", {"database": "stock"}),
    ("max_user_client_connections", "max_user_client_connections", {"user": "other"})])
def test_client_limits(pooler, setting, words, others):
    p = pooler(**{setting: 2})
    held = [p.wire(), p.wire()]
    with pytest.raises(ServerError) as e:
        p.wire()
    assert words in e.value.message and e.value.severity == "FATAL"
    with p.wire(**others) as free:  # another's limit is another's
        assert free.one("select 5") == "5"
    held.pop().quit()

    def again():
        try:
            with p.wire() as c:
                return c.one("select 6")
        except ServerError:
            return None
    assert wait_until(again, 10, "a place came free") == "6"
    held.pop().drop()


def test_no_pool_starves_under_a_shared_cap(pooler, postgres):
    """Ten busy pools over three places: each is served, and none waits much longer than the
    others.  The first has five times the clients."""
    databases = {f"db{n}": line(postgres, "dbname=shop max_db_connections=0") for n in range(10)}
    p = pooler(databases=databases, max_open=3, max_user_connections=3)
    wheres = [{"database": "db0"}] * 5 + [{"database": f"db{n}"} for n in range(1, 10)]
    threads = busy(p, postgres, wheres, 5, 3)
    longest = [t.longest for t in threads]
    assert max(longest) < max(4, 8 * statistics.median(longest)), [round(t, 2) for t in longest]


@pytest.mark.parametrize("workers", [1, 2])
@at_some_pace
def test_reserve_pool(pooler, postgres, workers, pace):
    """The reserve is opened for who has waited reserve_pool_timeout, not before."""
    p = pooler(max_open=1, reserve_pool_size=1, reserve_pool_timeout=0.5 * pace, workers=workers)
    with p.wire() as a, p.wire() as b, p.wire() as c:
        a.begin()
        since = time.monotonic()
        b.send(wire.query("select pg_backend_pid()"))
        got = b.result()
        assert 0.4 * pace < time.monotonic() - since < 8 * pace
        assert got != [[a.one("select pg_backend_pid()")]]
        b.begin()  # holds the reserve
        c.send(wire.query("select 5"))
        assert c.quiet(1.2 * pace), "there is one connection in reserve, not two"
        assert len(postgres.backends("usename = 'trusty'")) == 2
        b.query("commit")
        assert c.result() == [["5"]]
        a.query("commit")


@at_some_pace
def test_the_reserve_waits_for_need(pooler, postgres, pace):
    """Nobody waits that long: it is not touched."""
    p = pooler(max_open=2, reserve_pool_size=3, reserve_pool_timeout=5 * pace)
    busy(p, postgres, [{}] * 6, 1.5, 2)


@at_some_pace
def test_reserve_of_one_database(pooler, postgres, pace):
    p = pooler(max_open=1, reserve_pool_timeout=0.2 * pace, databases={
        "shop": line(postgres, "reserve_pool_size=1"), "stock": line(postgres)})
    for database, served in (("shop", True), ("stock", False)):
        with p.wire(database=database) as a, p.wire(database=database) as b:
            a.begin()
            b.send(wire.query("select 5"))
            assert b.quiet(1.0 * pace) != served
            a.query("commit")
            assert b.result() == [["5"]]


def test_max_client_conn_of_the_process(pooler):
    """Whatever pool they are for; the console stays open."""
    p = pooler(max_client_conn=3)
    held = [p.wire(), p.wire(database="stock"), p.wire(user="other")]
    for where in ({}, {"database": "stock"}, {"user": "other"}):
        with pytest.raises(ServerError) as e:
            p.wire(**where)
        assert e.value.code == "53300" and "max_client_conn" in e.value.message
    assert p.show("POOLS")
    for c in held:
        c.drop()


def test_limits_change_with_a_reload(pooler, postgres):
    p = pooler(max_open=4, max_user_connections=1)
    stop = threading.Event()
    threads = [Busy(p, stop) for _ in range(4)]
    for t in threads:
        t.start()
    try:
        for allowed in (3, 1, 2):
            p.write_config(max_user_connections=allowed)
            with p.console() as console:
                console.query("reload")
            wait_until(lambda a=allowed: len(postgres.backends("usename = 'trusty'")) == a, 10,
                       f"{allowed} connections")
        wait_until(lambda: all(t.count > 3 for t in threads), 10, "all are served")
    finally:
        stop.set()
        for t in threads:
            t.join(300)


@pytest.mark.parametrize("workers", [1, 2])
def test_all_users_of_a_line_with_user_share_its_connections(pooler, postgres, workers):
    """As with PgBouncer, where the line's user has one pool: pool_size is for all of them."""
    p = pooler(workers=workers, databases={
        "shop": f"host=127.0.0.1 port={postgres.port} user=trusty pool_size=2"})
    names = ["trusty", "other", "app", "postgres"]
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(p.wire(user=names[i % 4])) for i in range(8)]
        for _ in range(3):
            for c in clients:
                c.send(wire.query("select pg_sleep(0.01), current_user"))
            for c in clients:
                assert c.result()[0][1] == "trusty", "a user was left waiting"
        # what was closed for another user goes a little later; apart they would have kept 8
        wait_until(lambda: len(postgres.backends("usename = 'trusty'")) <= 2, 20)
    server = f"host=127.0.0.1 port={postgres.port}"
    p.databases = {"shop": server + " pool_size=2"}
    p.write_config()
    with p.console() as c:
        c.query("RELOAD")
    with p.wire(user="other") as a, p.wire(user="trusty") as b, p.wire(user="trusty") as d:
        for c in (a, b, d):
            c.begin()       # without user= each user has a pool of its own again


def test_a_reload_warms_new_databases(pooler, postgres):
    server = f"host=127.0.0.1 port={postgres.port}"
    p = pooler(databases={"shop": server})
    p.databases = {"shop": server, "stock": server + " user=trusty min_pool_size=2"}
    p.write_config()
    with p.console() as c:
        c.query("RELOAD")
        wait_until(lambda: sum(r["database"] == "stock" and r["state"] == "idle"
                               for r in c.table("SHOW SERVERS")) == 2, 20)
