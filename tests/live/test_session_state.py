"""What only a session can give: who keeps its connection, who is told, what is left behind.

Functions hide what they do from whoever reads statements; state_audit asks the server.
"""
import re

import psycopg
import pytest

import wire
from pooler import wait_until
from wire import ServerError

pytestmark = pytest.mark.ours
PID = "select pg_backend_pid()"

# name: how it comes about, how it goes, what proves it (a query that says 1)
FEATURES = {
    "listen": ("listen news", "unlisten news", "select count(*) from pg_listening_channels()"),
    "temp": ("create temp table mine (a int)", "drop table mine",
             "select count(*) from pg_class where relname = 'mine' and relpersistence = 't' and pg_table_is_visible(oid)"),
    "select into": ("select 1 as a into temp mine", "discard temp",
                    "select count(*) from pg_class where relname = 'mine' and relpersistence = 't' and pg_table_is_visible(oid)"),
    "advisory": ("select pg_advisory_lock(77)", "select pg_advisory_unlock(77)",
                 "select count(*) from pg_locks where locktype = 'advisory' and objid = 77 and pid = pg_backend_pid()"),
    "hold": ("declare held cursor with hold for select 1", "close held",
             "select count(*) from pg_cursors where name = 'held'"),
    "prepare": ("prepare mine as select 1", "deallocate mine",
                "select count(*) from pg_prepared_statements where name = 'mine'"),
}

# The same inside of functions, where no text shows it.
HIDDEN = {
    "listen": "listen news",
    "temp": "create temp table mine (a int)",
    "advisory": "perform pg_advisory_lock(77)",
    "prepare": "execute 'prepare mine as select 1'",
    "setting": "perform set_config('work_mem', '7MB', false)",
}


@pytest.fixture(scope="module")
def functions(postgres):
    """hide_listen() and so on."""
    with psycopg.connect(postgres.dsn(dbname="shop"), autocommit=True) as direct:
        for name, does in HIDDEN.items():
            direct.execute(f"create or replace function hide_{name}() returns void "
                           f"language plpgsql as $$ begin {does}; end $$")
    return HIDDEN


def say(c, sql, extended):
    if not extended:
        return c.query(sql)
    c.send(wire.extended(sql) + wire.sync())
    return c.result()


def pins(p):
    return p.show("PINS")


@pytest.mark.parametrize("extended", [False, True], ids=["simple", "extended"])
@pytest.mark.parametrize("settings", [{"pool_mode": "auto"}, {"on_session_feature": "pin"}],
                         ids=["auto", "pin"])
@pytest.mark.parametrize("name", FEATURES)
def test_it_pins_and_unpins(pooler, name, settings, extended):
    make, undo, proof = FEATURES[name]
    p = pooler(max_open=2, **settings)
    with p.wire() as a, p.wire() as b:
        say(a, make, extended)
        pid = a.one(PID)
        for _ in range(3):
            assert b.one(PID) != pid
            assert a.one(PID) == pid and a.one(proof) == "1" and b.one(proof) in ("0", "1")
        shown = pins(p)
        assert len(shown) == 1 and shown[0]["server_pid"] == pid, shown
        say(a, undo, extended)
        wait_until(lambda: not pins(p), 5, "it is unpinned")
        assert a.one(proof) == "0"
        a.begin()  # both may use either again
        b.begin()
        assert {a.one(PID), b.one(PID)} == {pid, {a.one(PID), b.one(PID)}.difference({pid}).pop()}


def test_a_pinned_client_that_leaves_leaves_nothing(pooler):
    p = pooler(max_open=1, pool_mode="auto")
    with p.wire() as a:
        for make, _, _ in FEATURES.values():
            if "into temp" not in make:
                a.query(make)
        a.query("set work_mem = '7MB'")
        a.quit()
    with p.wire() as b:
        for _, _, proof in FEATURES.values():
            assert b.one(proof) == "0", proof
        assert b.one("show work_mem") != "7MB"


@pytest.mark.parametrize("reset", ["DISCARD ALL", ""], ids=["reset", "closed"])
@pytest.mark.parametrize("name", FEATURES)
def test_a_client_that_vanishes_leaves_nothing(pooler, name, reset):
    """Also when it goes before anybody could ask the server what it has left."""
    make, _, proof = FEATURES[name]
    p = pooler(max_open=1, on_session_feature="pin", server_reset_query=reset)
    for read in (True, False) * 4:
        a = p.wire()
        a.send(wire.query(make))
        if read:
            a.until()
        a.drop()
        with p.wire() as b:
            assert b.one(proof) == "0"
    assert "integrity" not in p.log()


def test_a_server_with_a_loaded_library_is_not_handed_on(pooler):
    p = pooler(max_open=1, pool_mode="auto")
    with p.wire(user="postgres") as a:
        a.query("load 'auto_explain'")
        pid = a.one(PID)
    with p.wire(user="postgres") as b:
        assert b.one(PID) != pid


def test_state_that_a_rollback_took_pins_nobody(pooler):
    p = pooler(max_open=1, pool_mode="auto")
    with p.wire() as a, p.wire() as b:
        a.query("begin")
        a.query("create temp table mine (a int)")
        a.query("rollback")
        assert b.one("select 1") == "1"
        a.query("begin")
        a.query("create temp table mine (a int) on commit drop")
        a.query("select pg_advisory_xact_lock(5)")
        a.query("set local work_mem = '7MB'")
        a.query("declare c cursor for select 1")
        a.query("commit")
        assert b.one("select 1") == "1"
    assert "integrity" not in p.log()


@pytest.mark.parametrize("extended", [False, True], ids=["simple", "extended"])
@pytest.mark.parametrize("name", FEATURES)
def test_error(pooler, name, extended):
    make, _, proof = FEATURES[name]
    p = pooler(max_open=1, on_session_feature="error")
    with p.wire() as a:
        with pytest.raises(ServerError) as e:
            say(a, make, extended)
        assert e.value.code == "0A000" and "transaction pooling" in e.value.message
        assert "pool_mode = auto" in e.value.fields["H"]
        assert a.one(proof) == "0"


def test_error_of_a_named_statement_and_one_with_parameters(pooler):
    p = pooler(max_open=1, on_session_feature="error")
    with p.wire() as a:
        for name in ("", "mine"):
            a.send(wire.extended("select pg_advisory_lock($1)", ("5",), name=name) + wire.sync())
            with pytest.raises(ServerError) as e:
                a.result()
            assert e.value.code == "0A000" and "advisory lock" in e.value.message
        a.begin()
        a.send(wire.extended("listen news") + wire.sync())
        with pytest.raises(ServerError):
            a.result()
        assert a.status == "E"
        a.query("rollback")
        a.send(wire.extended("select $1::int", ("5",), name="mine") + wire.sync())
        assert a.result() == [["5"]]
    assert "integrity" not in p.log()


@pytest.mark.parametrize("reset", ["DISCARD ALL", ""], ids=["reset", "closed"])
@pytest.mark.parametrize("name", FEATURES)
def test_allow_lets_nothing_through_to_others(pooler, name, reset):
    make, _, proof = FEATURES[name]
    p = pooler(max_open=1, server_reset_query=reset)
    with p.wire() as a, p.wire() as b:
        pid = a.one(PID)
        a.query("begin")
        a.query(make)
        assert a.one(proof) == "1" or name == "listen"  # which begins with the commit
        a.query("commit")
        assert b.one(proof) == "0"
        assert (b.one(PID) == pid) == bool(reset)
        p.log_contains(rf"C-\d+ trusty@shop .*left session state on server process {pid}, which is "
                       + ("reset" if reset else "closed"))


def test_discard_keeps_what_it_does_not_name(pooler):
    """Only DISCARD ALL takes the client's statements and settings."""
    p = pooler(max_open=1)
    with p.wire() as a:
        a.send(wire.parse("mine", "select 5") + wire.sync())
        a.result()
        a.query("set work_mem = '7MB'")
        for what in ("plans", "sequences", "temp"):
            a.query(f"discard {what}")
            a.send(wire.bind("", "mine") + wire.execute() + wire.sync())
            assert a.result() == [["5"]]
        assert a.one("show work_mem") == "7MB"
        a.query("discard all")
        a.send(wire.bind("", "mine") + wire.execute() + wire.sync())
        with pytest.raises(ServerError) as e:
            a.result()
        assert e.value.code == "26000"
        assert a.one("show work_mem") != "7MB"


# --- state_audit ------------------------------------------------------------------------

@pytest.mark.parametrize("extended", [False, True], ids=["simple", "extended"])
@pytest.mark.parametrize("name", [n for n in HIDDEN if n != "setting"])
def test_audit_finds_what_a_function_left(pooler, functions, name, extended):
    proof = FEATURES[name][2]
    p = pooler(max_open=1, state_audit="always")
    with p.wire() as a, p.wire() as b:
        say(a, f"select hide_{name}()", extended)
        assert b.one(proof) == "0"
        line = p.log_contains(r"C-\d+ trusty@shop \S+: state_audit: left on server process \d+ by "
                              r"what its statements do not show: (.*); its statements: (.*)")
        assert {"listen": "LISTEN news", "temp": "temporary mine", "advisory": "advisory lock",
                "prepare": "prepared statement mine"}[name] in line[1]
        assert f"hide_{name}" in line[2]


@pytest.mark.parametrize("name", [n for n in HIDDEN if n != "setting"])
def test_audit_pins_who_holds_hidden_state(pooler, functions, name):
    p = pooler(max_open=2, pool_mode="auto", state_audit="always")
    with p.wire() as a, p.wire() as b:
        a.query(f"select hide_{name}()")
        pid = a.one(PID)
        assert b.one(PID) != pid and a.one(FEATURES[name][2]) == "1"
        assert pins(p)[0]["server_pid"] == pid


def test_audit_restores_what_a_function_set(pooler, functions):
    p = pooler(max_open=2, state_audit="always")
    with p.wire() as a, p.wire() as b:
        a.query("select hide_setting()")
        for _ in range(3):
            assert b.one("show work_mem") != "7MB"
            b.begin()
            assert a.one("show work_mem") == "7MB"
            b.query("commit")
        p.log_contains(r"by what its statements do not show: parameter work_mem; .*hide_setting")


def test_audit_names_all_statements_and_no_values(pooler, functions):
    p = pooler(max_open=1, state_audit="always")
    with p.wire() as a:
        a.query("begin")
        a.query("select 'secret', 4711 as first")
        a.query("select hide_listen()")
        a.query("select 'secret' as last")
        a.query("commit")
        a.one("select 1")
    line = p.log_contains(r"its statements: (.*)")[1]
    assert re.search(r"as first; .*hide_listen.*; .*as last", line), line
    assert "secret" not in p.log() and "4711" not in p.log()


def test_without_audit_the_server_is_not_asked(pooler, functions, postgres):
    p = pooler(max_open=1)
    with p.wire() as a:
        for _ in range(20):
            a.query("select hide_setting()")
    assert "state_audit" not in p.log()


def test_sample_finds_it_in_the_end(pooler, functions):
    p = pooler(max_open=1, state_audit="sample")
    with p.wire() as a:
        for _ in range(2000):
            a.query("select hide_listen()")
            if "state_audit" in p.log():
                break
    p.log_contains(r"state_audit: left on server process .*LISTEN news")
    audits = len(re.findall("state_audit: left", p.log()))
    assert audits <= 2


def test_do_blocks_are_always_looked_behind(pooler):
    """Their body is not read, so the server is asked without state_audit, too."""
    p = pooler(max_open=1, pool_mode="auto")
    with p.wire() as a:
        a.query("do $$ begin execute 'prepare mine as select 1'; end $$")
        wait_until(lambda: pins(p), 5, "pinned")
        a.query("do $$ begin execute 'deallocate mine'; end $$")
        wait_until(lambda: not pins(p), 5, "unpinned")
