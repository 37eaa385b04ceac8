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
@pytest.mark.parametrize("extended", [False, True])
def test_deallocate_in_every_protocol(pooler, extended):
    """psycopg 3 deallocates by the extended one; nor does one that fails lose the statement."""
    p = pooler(max_open=1)

    def run(c, sql):
        c.send(wire.extended(sql) + wire.sync() if extended else wire.query(sql))
        return [wire.fields(b)["C"] if k == b"E" else k.decode() for k, b in c.until() if k in b"EC"]

    def use(c):
        c.send(wire.bind("", "mine") + wire.execute() + wire.sync())
        return c.result()

    with p.wire() as c, p.wire() as other:
        for w in (c, other):
            w.send(wire.parse("mine", "select 5") + wire.sync())
            w.until()
        c.begin()
        assert run(c, "select 1/0") == ["22012"]
        assert run(c, "deallocate mine") == ["25P02"]
        c.query("rollback")
        assert use(c) == [["5"]]
        assert run(c, 'deallocate prepare "mine"') == ["C"]
        with pytest.raises(wire.ServerError, match="mine"):
            use(c)
        assert run(c, "deallocate mine") == ["26000"]
        assert use(other) == [["5"]]
        c.send(wire.parse("mine", "select 5") + wire.sync())
        assert [k for k, _ in c.until()] == [b"1", b"Z"]
        assert use(c) == [["5"]]
        # parsed, but never executed: the server still has the statement
        c.send(wire.parse("", "deallocate mine") + wire.sync())
        c.until()
        c.send(wire.parse("mine", "select 5") + wire.sync())
        assert [k for k, _ in c.until() if k != b"E"] == [b"1", b"Z"]


@pytest.mark.ours
@pytest.mark.slow       # and of no use where a sanitizer keeps what was freed
def test_unnamed_statements_leave_nothing_behind(pooler):
    """Each replaces the one before; named ones go with their Close."""
    p = pooler(max_open=1, max_prepared_statements=10)
    with p.wire() as c:
        def use(name, n):
            c.send(wire.parse(name, f"select {n} /* {'x' * 20000} */") + wire.bind("", name) +
                   wire.execute() + (wire.close(b"S", name) if name else b"") + wire.sync())
            assert c.result() == [[str(n)]]
        for n in range(50):
            use("", n)
            use("named", n)
        before = p.rss()
        for n in range(50, 1000):
            use("", n)
            use("named", n)
        assert p.rss() - before < 8000, "kilobytes, of 38,000 that were sent"


@pytest.mark.ours
@pytest.mark.parametrize("extended", [False, True])
def test_a_refused_feature_is_refused_in_every_protocol(pooler, extended):
    p = pooler(max_open=1, on_session_feature="error")
    with p.wire() as c:
        c.send(wire.extended("listen news") + wire.sync() if extended else wire.query("listen news"))
        assert [wire.fields(b)["C"] for k, b in c.until() if k == b"E"] == ["0A000"]
        assert c.query("select 1") == [["1"]]


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
