"""Parameters belong to the client that set them, at its start or later, on whichever connection it is."""
import os
import signal
import threading

import psycopg
import pytest

import wire
from pooler import wait_until


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
        # parsed, but never executed: it is still there
        c.send(wire.parse("", "deallocate mine") + wire.sync())
        c.until()
        c.send(wire.parse("mine", "select 5") + wire.sync())
        assert [k for k, _ in c.until()] == [b"E", b"Z"]
        assert use(c) == [["5"]]
        # executed later, by a name of its own, twice
        c.send(wire.parse("gone", "deallocate mine") + wire.sync())
        c.until()
        for end in (["C"], ["26000"]):
            c.send(wire.bind("", "gone") + wire.execute() + wire.sync())
            assert [wire.fields(b)["C"] if k == b"E" else k.decode() for k, b in c.until() if k in b"EC"] == end
        assert use(other) == [["5"]]


@pytest.mark.ours
@pytest.mark.parametrize("text, gone, said", [
    ("deallocate mine; set my.var = 'x'; deallocate prepare \"Two\"", ["mine", "Two"], ["DEALLOCATE", "SET", "DEALLOCATE"]),
    ("select 1; deallocate /* this */ MINE;", ["mine"], ["SELECT 1", "DEALLOCATE"]),
    ("select ';deallocate mine'; deallocate all", ["mine", "Two"], ["SELECT 1", "DEALLOCATE ALL"]),
    ("deallocate mine mine", [], ["42601"]),
    ("discard all; select 1", [], ["25001"]),
    ("select 1; discard all", [], ["SELECT 1", "25001"])])
def test_deallocate_beside_other_statements(pooler, text, gone, said):
    p = pooler(max_open=1)
    with p.wire() as c, p.wire() as other:
        for w in (c, other):
            for name in ("mine", "Two"):
                w.send(wire.parse(name, f"select '{name}'") + wire.sync())
                w.until()
        c.send(wire.query(text))
        assert [wire.fields(b)["C"] if k == b"E" else b[:-1].decode() for k, b in c.until() if k in b"EC"] == said
        if "my.var" in text:
            assert c.one("show my.var") == "x"
        for w in (c, other):
            for name in ("mine", "Two"):
                w.send(wire.bind("", name) + wire.execute() + wire.sync())
                rows = [wire.row(b) for k, b in w.until() if k == b"D"]
                assert rows == ([] if w is c and name in gone else [[name]])


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


# --- what a startup packet sets

OWN = {"work_mem": "7MB", "statement_timeout": "51s", "extra_float_digits": "2", "search_path": "s1,pg_catalog",
       "my.tenant": "seven", "default_transaction_isolation": "serializable", "IntervalStyle": "iso_8601"}


def shown(c, names):
    return [c.one(f"select replace(current_setting('{name}', true), ' ', '')") or "" for name in names]


def options(settings):
    return {"options": " ".join(f"-c {k}={v}" for k, v in settings.items())}


@pytest.mark.ours
@pytest.mark.parametrize("mode", ["transaction", "session", "auto"])
def test_startup_parameters_belong_to_the_client(pooler, mode):
    p = pooler(max_open=1 if mode != "session" else 4, pool_mode=mode)
    with p.wire() as plain, p.wire(params=options(OWN)) as a, p.wire(params=OWN) as b, \
            p.wire(params=options({"work_mem": "9MB"})) as other:
        usual = shown(plain, OWN)
        for _ in range(3):
            assert shown(a, OWN) == list(OWN.values())
            assert shown(other, OWN) == ["9MB"] + usual[1:]
            assert shown(b, OWN) == list(OWN.values())
            assert shown(plain, OWN) == usual
        b.query("set work_mem = '11MB'")
        assert shown(a, ["work_mem"]) == ["7MB"] and shown(b, ["work_mem"]) == ["11MB"]
        for reset in ("reset work_mem", "reset all", "discard all", "set work_mem to default"):
            b.query("set work_mem = '12MB'; set my.tenant = 'eight'")
            assert shown(b, ["work_mem", "my.tenant"]) == ["12MB", "eight"]
            b.query(reset)
            assert shown(b, ["work_mem"]) == ["7MB"], reset
            assert shown(b, ["my.tenant"]) == ["eight" if "work_mem" in reset else "seven"], reset
            assert shown(plain, OWN) == usual


@pytest.mark.ours
@pytest.mark.parametrize("name, value", [
    ("client_encoding", "utf-8"), ("client_encoding", "latin1"), ("DateStyle", "iso"), ("DateStyle", "German"),
    ("TimeZone", "utc"), ("TimeZone", "+3"), ("standard_conforming_strings", "true"), ("IntervalStyle", "ISO_8601")])
def test_a_client_hears_of_its_parameters_what_the_server_says(pooler, postgres, name, value):
    """At login, in the server's words; and RESET goes back to them."""
    p = pooler(max_open=2)
    with wire.Wire(postgres.port, params={name: value}) as direct, p.wire() as plain, p.wire(params={name: value}) as c, \
            p.wire(params={name: value, "application_name": "another"}) as again:
        plain.query("select 1")
        said = direct.parameters[name]
        assert c.parameters[name] == said and again.parameters[name] == said
        assert c.parameters["application_name"] == "" and again.parameters["application_name"] == "another"
        assert c.one(f"show {name}") == direct.one(f"show {name}")
        c.query("reset all")
        plain.query("select 1")
        assert c.one(f"show {name}") == direct.one(f"show {name}")


@pytest.mark.ours
@pytest.mark.parametrize("name, value, said", [
    ("TimeZone", "Nowhere/X", 'invalid value for parameter "TimeZone": "Nowhere/X"'),
    ("client_encoding", "none", 'invalid value for parameter "client_encoding": "none"'),
    ("extra_float_digits", "99", "99 is outside the valid range"),
    ("no_such_thing", "1", 'unrecognized configuration parameter "no_such_thing"'),
    ("shared_buffers", "1GB", 'parameter "shared_buffers" cannot be changed'),
    ("is_superuser", "on", 'parameter "is_superuser" cannot be changed'),
    ("my.x}',now()--", "1", "invalid configuration parameter name")])
def test_a_startup_parameter_that_the_server_refuses(pooler, name, value, said):
    """The login fails with the server's words, and the connection that was asked serves on."""
    p = pooler(max_open=1)
    with p.wire() as c:
        pid = c.one("select pg_backend_pid()")
        for _ in range(2):
            with pytest.raises(wire.ServerError) as e:
                p.wire(params={name: value})
            assert said in str(e.value), e.value
        assert c.one("select pg_backend_pid()") == pid


@pytest.mark.ours
def test_a_login_waits_for_no_busy_connection(pooler):
    """An application may open a second connection within a transaction of the first."""
    p = pooler(max_open=1)
    with p.wire() as a:
        a.begin()
        a.query("select 1")
        with p.wire(params={"DateStyle": "german"}) as b:
            a.query("commit")
            assert b.one("show datestyle") == "German, DMY"
            assert b.parameters["DateStyle"] == "German, DMY"


@pytest.mark.ours
def test_parameters_are_tried_on_another_connection_when_one_dies(pooler, postgres):
    """And nobody opens a connection just to try them."""
    p = pooler(max_open=5, workers=1)
    with p.wire() as a, p.wire() as b:
        for c in (a, b):
            c.begin()
        pids = [c.one("select pg_backend_pid()") for c in (a, b)]
        a.query("commit")
        b.query("commit")  # is lent next
        os.kill(int(pids[1]), signal.SIGSTOP)
        got = []

        def come():
            with p.wire(params={"work_mem": "7MB"}) as c:
                got.append(c.one("show work_mem"))

        threads = [threading.Thread(target=come) for _ in range(3)]
        for t in threads:
            t.start()
        wait_until(lambda: sum(row["state"] == "waiting" for row in p.show("CLIENTS")) == 3, 20, "they wait")
        assert len(p.show("SERVERS")) == 2
        os.kill(int(pids[1]), signal.SIGTERM)
        os.kill(int(pids[1]), signal.SIGCONT)
        for t in threads:
            t.join()
        assert got == ["7MB"] * 3


@pytest.mark.ours
def test_ignored_startup_parameters_are_dropped(pooler):
    p = pooler(max_open=1, ignore_startup_parameters="work_mem, options")
    with p.wire() as plain, p.wire(params={"work_mem": "7MB", "options": "-c lock_timeout=5s -c DateStyle=German -x"}) as c:
        assert shown(c, ["work_mem", "lock_timeout"]) == shown(plain, ["work_mem", "lock_timeout"])
        assert c.one("show datestyle") == "German, DMY"


# --- who a session speaks for

WHO = "select session_user || ' as ' || current_user"


@pytest.fixture(scope="module")
def roles(postgres):
    """app may be ann, who sees other rows; function become_ann()."""
    with psycopg.connect(postgres.dsn(dbname="shop", user="postgres"), autocommit=True) as direct:
        for sql in ("drop role if exists ann", "create role ann", "grant ann to trusty",
                    "create or replace function become_ann() returns void language plpgsql as "
                    "$$ begin set role ann; end $$"):
            direct.execute(sql)
    yield
    with psycopg.connect(postgres.dsn(dbname="shop", user="postgres"), autocommit=True) as direct:
        direct.execute("drop function become_ann()")
        direct.execute("drop role ann")


@pytest.mark.ours
@pytest.mark.parametrize("how", ["set role ann", "select set_config('role', 'ann', false)", "begin; set role ann; commit",
                                 "do 'begin set role ann; end'"])
def test_a_role_is_its_client_s_alone(pooler, roles, how):
    """pg_settings does not show it."""
    p = pooler(max_open=1)
    with p.wire() as a, p.wire() as b, p.wire(params={"options": "-c role=ann -c lock_timeout=7s"}) as born:
        for sql in how.split(";") if how.startswith("begin") else [how]:
            a.query(sql)
        for _ in range(3):
            assert b.one(WHO) == "trusty as trusty"
            assert a.one(WHO) == "trusty as ann"
            assert born.one(WHO) == "trusty as ann" and born.one("show lock_timeout") == "7s"
        a.query("reset role")
        assert a.one(WHO) == "trusty as trusty" and b.one(WHO) == "trusty as trusty"
        born.query("reset role")
        assert born.one(WHO) == "trusty as ann"


@pytest.mark.ours
def test_a_role_that_a_function_took_is_found_by_the_audit(pooler, roles):
    p = pooler(max_open=1, state_audit="always")
    with p.wire() as a, p.wire() as b:
        a.query("select become_ann()")
        assert b.one(WHO) == "trusty as trusty" and a.one(WHO) == "trusty as ann"


@pytest.mark.ours
def test_session_authorization_is_its_client_s_alone(pooler, postgres, roles):
    p = pooler(max_open=1, databases={"shop": f"host=127.0.0.1 port={postgres.port} user=postgres"})
    with p.wire() as a, p.wire() as b:
        a.query("set session authorization trusty")
        a.query("set role ann")
        for _ in range(3):
            assert b.one(WHO) == "postgres as postgres"
            assert a.one(WHO) == "trusty as ann"
        b.query("set log_statement = 'ddl'")
        assert a.one(WHO) == "trusty as ann"
        assert b.one("show log_statement") == "ddl"


@pytest.mark.ours
@pytest.mark.parametrize("what, proof", [
    ("create function pg_temp.mine() returns int language sql as 'select 7'", "select pg_temp.mine()"),
    ("create type pg_temp.mine as enum ('7')", "select '7'::pg_temp.mine"),
    ("create domain pg_temp.mine as int", "select 7::pg_temp.mine")])
def test_whatever_is_temporary_pins(pooler, what, proof):
    p = pooler(max_open=2, pool_mode="auto")
    with p.wire() as a, p.wire() as b:
        a.query(what)
        for _ in range(3):
            assert a.one(proof) == "7"
            with pytest.raises(wire.ServerError):
                b.query(proof)


@pytest.mark.ours
def test_the_process_number_that_a_client_is_given_is_nobody_s(pooler):
    p = pooler()
    with p.wire() as a:
        assert a.pid > 4194304
        assert a.query(f"select pg_terminate_backend({a.pid})") == [["f"]]


@pytest.mark.ours
@pytest.mark.parametrize("settings", [{}, {"peer_id": 3}], ids=["alone", "peer"])
def test_a_client_knows_its_own_notifications(pooler, settings):
    """By the number that it was given at login, as drivers compare them."""
    p = pooler(max_open=2, pool_mode="auto", **settings)
    with psycopg.connect(p.dsn(), autocommit=True) as a, psycopg.connect(p.dsn(), autocommit=True) as b:
        got = {}
        a.add_notify_handler(lambda n: got.update({n.payload: n.pid}))
        a.execute("listen news")
        a.execute("notify news, 'mine'")
        b.execute("notify news, 'yours'")
        wait_until(lambda: a.execute("select 1") and len(got) == 2, 10, "both have come")
        assert got["mine"] == a.info.backend_pid
        assert got["yours"] not in (a.info.backend_pid, b.info.backend_pid)
