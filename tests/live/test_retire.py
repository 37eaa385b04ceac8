"""Pools that nobody uses any more go, and what they counted does not get lost."""
import time

import pytest

from pace import at_some_pace
from pooler import wait_until
from wire import ServerError

pytestmark = pytest.mark.ours


def names(p):
    return {(r["database"], r["user"]) for r in p.show("POOLS") if r["database"] != "pgbouncer"}


def total(p, what="total_xact_count"):
    return int(next(r["value"] for r in p.show("TOTALS") if r["name"] == what))


@pytest.fixture
def autodb(pooler, postgres):
    def make(**settings):
        server = f"host=127.0.0.1 port={postgres.port}"
        settings = {"autodb_idle_timeout": 0.3, "max_idle_time": 0.3, "workers": 2, **settings}
        return pooler(databases={"stock": server, "*": server + " dbname=shop"}, **settings)
    return make


def test_pools_of_the_star_go(autodb):
    p = autodb()
    for n in range(20):
        with p.wire(database=f"tenant{n}") as c:
            assert c.one("select current_database()") == "shop"
    with p.wire(database="stock") as c:
        c.query("select 1")
    counted = total(p)
    assert counted == 21
    wait_until(lambda: names(p) == {("stock", "trusty")}, 15, "only the configured one is left")
    assert total(p) == counted, "what they counted is lost"
    assert not [r for r in p.show("STATS") if r["database"].startswith("tenant")]
    assert not [r for r in p.show("DATABASES") if r["name"].startswith("tenant")]
    assert {r["database"] for r in p.show("CLIENTS")} <= {"pgbouncer"}
    p.log_contains("pool trusty@tenant7: no longer used, and gone")
    # and they come back, counting from nothing
    with p.wire(database="tenant7") as c:
        assert c.one("select 5") == "5"
        row = next(r for r in p.show("STATS") if r["database"] == "tenant7")
        assert row["total_xact_count"] == "1" and int(row["avg_xact_count"]) < 1000
    assert total(p) == counted + 1


def test_who_is_there_keeps_it(autodb):
    p = autodb()
    with p.wire(database="idle") as idle, p.wire(database="gone") as gone:
        assert idle.one("select 1") == gone.one("select 1") == "1"
        gone.quit()
        wait_until(lambda: names(p) == {("idle", "trusty")}, 15, "the other is gone")
        assert idle.one("select 2") == "2"


def test_a_pool_goes_but_its_database_stays(autodb):
    """Two users of one database: what the one counted stays in the database's row."""
    p = autodb(pool_idle_timeout=0.3)
    with p.wire(database="stock", user="other") as other:
        other.query("select 1")
        with p.wire(database="stock") as c:
            for _ in range(10):
                c.query("select 1")
        wait_until(lambda: names(p) == {("stock", "other")}, 15, "one user's pool is gone")
        row = next(r for r in p.show("STATS") if r["database"] == "stock")
        assert row["total_xact_count"] == "11"
        # SHOW WHO still knows who it was
        pid = other.one("select pg_backend_pid()")
        assert p.show("WHO " + pid)
    wait_until(lambda: not names(p), 15, "and the other's")
    assert not [r for r in p.show("STATS") if r["database"] == "stock"]


def test_never_is_the_default_for_configured_ones(pooler):
    p = pooler(max_idle_time=0.2)
    with p.wire() as c:
        c.query("select 1")
    wait_until(lambda: p.pool()["sv_idle"] == 0, 15, "its server connection is gone")
    end = time.monotonic() + 1.2  # two sweeps and more
    wait_until(lambda: time.monotonic() > end, 5)
    assert names(p) == {("shop", "trusty")}


def test_a_database_that_leaves_the_settings(pooler, postgres):
    server = f"host=127.0.0.1 port={postgres.port}"
    p = pooler(databases={"shop": server, "stock": server})
    with p.wire(database="stock") as c, p.wire() as stays:
        c.query("select 1")
        stays.query("select 1")
        p.databases = {"shop": server}
        p.write_config()
        with p.console() as con:
            con.query("reload")
        c.closed()
        wait_until(lambda: names(p) == {("shop", "trusty")}, 10, "its pool is gone")
        p.databases = {"shop": server, "stock": server}
        p.write_config()
        with p.console() as con:
            con.query("reload")
        with p.wire(database="stock") as again:
            assert again.one("select 5") == "5"
        assert stays.one("select 6") == "6"


def test_a_database_that_was_kept_warm_leaves_the_settings(pooler, postgres):
    server = f"host=127.0.0.1 port={postgres.port}"
    p = pooler(databases={"shop": server, "stock": server + " min_pool_size=2"}, workers=2)
    with p.wire(database="stock") as c:
        c.query("select 1")
    mine = "datname = 'stock' and usename = 'trusty'"
    wait_until(lambda: len(postgres.backends(mine)) == 2, 10, "it is warm")
    p.databases = {"shop": server}
    p.write_config()
    with p.console() as con:
        con.query("reload")
    wait_until(lambda: not names(p), 10, "its pool is gone")
    wait_until(lambda: not postgres.backends(mine), 10, "and so are its connections")


def test_coming_and_going_all_the_time(autodb):
    """Pools leave while clients come to them, on two workers."""
    p = autodb(max_idle_time=0.1, autodb_idle_timeout=0.1)
    end = time.monotonic() + 4
    n = 0
    while time.monotonic() < end:
        for name in ("a", "b", "c"):
            with p.wire(database=name) as c:
                assert c.one(f"select {n}") == str(n)
            n += 1
        wait_until(lambda: len(names(p)) < 3 or time.monotonic() > end, 12)
    assert total(p) == n
    assert "integrity" not in p.log()


@at_some_pace
def test_names_that_lead_nowhere_go_too(pooler, pace):
    """Nobody at the other end: the pool of each invented name is freed all the same."""
    p = pooler(databases={"*": "host=127.0.0.1 port=1"}, autodb_idle_timeout=0.3 * pace)
    for n in range(20):
        with pytest.raises(ServerError):
            p.wire(database=f"nowhere{n}").close()
    assert len(names(p)) == 20
    wait_until(lambda: not names(p), 15, "all are gone")
