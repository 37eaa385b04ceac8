"""SET of any parameter belongs to the client that said it, on whichever connection it is."""
import threading

import pytest

import wire


@pytest.mark.ours
@pytest.mark.parametrize("how", ["set my.tenant = '{}'", "select set_config('my.tenant', '{}', false)",
                                 "set work_mem = '{}kB'", "set search_path = pg_catalog, s{}"])
def test_each_client_keeps_its_own(pooler, how):
    """Also names of no module, which pg_settings does not show."""
    p = pooler(max_open=2)
    show = "select current_setting('" + (
        "my.tenant" if "tenant" in how else "work_mem" if "work" in how else "search_path") + "', true)"
    with p.wire() as c:
        default = c.one(show) or ""
    wrong = []

    def work(n):
        with p.wire() as c:
            for turn in range(20):
                value = str(64 + n * 100 + turn)
                if turn % 2:
                    c.query(how.format(value))
                else:
                    c.send(wire.extended(how.format(value)) + wire.sync())
                    c.until()
                for _ in range(3):
                    got = c.one(show)
                    if value not in got:
                        wrong.append((n, value, got))

    threads = [threading.Thread(target=work, args=(n,)) for n in range(6)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not wrong
    with p.wire() as fresh:
        assert (fresh.one(show) or "") == default


@pytest.mark.ours
def test_a_set_behind_a_set(pooler):
    """The second arrives while the pooler asks what the first has done."""
    p = pooler(max_open=2)
    with p.wire() as a, p.wire() as b:
        for n in range(30):
            for c in (a, b):
                c.query(f"set work_mem = '{100 + n}kB'")
                c.query(f"set search_path = s{n}")
                c.query(f"set lock_timeout = {n + 1}")
            for c in (b, a):
                assert [c.one("show work_mem"), c.one("show search_path"),
                        c.one("show lock_timeout")] == [f"{100 + n}kB", f"s{n}", f"{n + 1}ms"]


@pytest.mark.ours
def test_deallocate_of_what_cannot_be_prepared_any_more(pooler):
    """The table is gone, and the connection at hand never had the statement."""
    p = pooler(max_open=2)
    with p.wire() as c, p.wire() as other:
        c.query("create table gone (a int)")
        c.send(wire.parse("mine", "select * from gone") + wire.sync())
        c.until()
        other.begin()  # takes one connection, so that the next is another
        other.query("select 1")
        c.query("drop table gone")
        c.query("deallocate mine")
        other.query("commit")
        c.query("select 1")
        c.send(wire.parse("mine", "select 5") + wire.sync())
        assert [k for k, _ in c.until()] == [b"1", b"Z"]
