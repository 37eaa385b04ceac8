"""Single settings do what their paragraph in docs/settings.md says."""
import contextlib
import re

import cluster
import wire
import pytest

pytestmark = pytest.mark.ours


def test_application_name_add_host(pooler):
    p = pooler(application_name_add_host=1)
    with p.wire(params={"application_name": "shop-web"}) as c:
        assert re.fullmatch(r"shop-web - 127\.0\.0\.1:\d+", c.one("show application_name"))
    with p.wire() as c:
        assert re.fullmatch(r"app - 127\.0\.0\.1:\d+", c.one("show application_name"))
        c.query("set application_name = 'mine'")    # at connect only
        assert c.one("show application_name") == "mine"


@pytest.mark.parametrize("balance", ["round-robin", "disable"])
def test_a_host_that_does_not_answer_is_passed_over(pooler, postgres, balance):
    dead = cluster.free_port()
    p = pooler(max_open=4, databases={
        "shop": f"host=127.0.0.1,127.0.0.1 port={dead},{postgres.port} "
                f"load_balance_hosts={balance}"})
    with contextlib.ExitStack() as stack:
        for _ in range(4):
            c = stack.enter_context(p.wire())
            c.query("begin")
            assert c.one("select 1") == "1"


def test_both_words_of_a_setting(pooler):
    """The later of two words for one setting holds, and the log says so."""
    p = pooler(start=False)
    with open(p.config, encoding="utf-8") as f:
        text = f.read()
    p.write("pooler.conf", text + "default_pool_size = 1\n")
    p.start()
    with p.wire() as a, p.wire() as b:
        a.query("begin")
        a.query("select 1")
        b.send(wire.message(b"Q", wire.text("select 1")))
        assert b.quiet(0.3)
        a.query("commit")
        b.until(b"Z")
    assert "default_pool_size is another word for max_open" in p.log()


def parse(c, name, sql):
    c.send(wire.message(b"P", wire.text(name) + wire.text(sql) + b"\0\0") + wire.message(b"S", b""))


@pytest.mark.parametrize("setting", ["max_client_prepared_bytes", "max_prepared_bytes"])
def test_prepared_statements_have_a_limit(pooler, setting):
    p = pooler(**{setting: "20kB"})
    with p.wire() as c, p.wire() as other:
        for i in range(4):
            parse(c, f"s{i}", f"select {i} /* {'x' * 4000} */")
            assert c.until(b"Z")[0][0] == b"1"
        parse(c, "one too many", f"select 5 /* {'x' * 6000} */")
        said = c.closed()
        assert said[0][0] == b"E" and setting.encode() in said[0][1], said
        # what was his is free again, and what others have is theirs
        for i in range(4):
            parse(other, f"s{i}", f"select {i} /* {'y' * 4000} */")
            assert other.until(b"Z")[0][0] == b"1"


def test_prepared_statements_without_a_limit(pooler):
    p = pooler(max_client_prepared_bytes=0, max_prepared_bytes=0)
    with p.wire() as c:
        parse(c, "big", f"select 1 /* {'x' * 1_000_000} */")
        assert c.until(b"Z")[0][0] == b"1"


@pytest.mark.parametrize("section, given, want", [("pooler", "", "3D000"), ("pgbouncer", "", "08P01"),
                                                  ("pgbouncer", "pgbouncer_error_codes = 0", "3D000"),
                                                  ("pooler", "pgbouncer_error_codes = 1", "08P01")])
def test_sqlstates_of_the_poolers_own_errors(pooler, postgres, section, given, want):
    """An operator of PgBouncer's finds 08P01; who writes [pooler] finds PostgreSQL's."""
    p = pooler(start=False)
    p.write_config()
    with open(p.config, encoding="utf-8") as f:
        text = f.read()
    p.write_config(raw=text.replace("[pooler]\n", f"[{section}]\n{given}\n"))
    p.start()
    with pytest.raises(wire.ServerError) as e:
        p.wire(database="nowhere")
    assert e.value.code == want and e.value.fields["S"] == "FATAL"
    with p.console() as c, pytest.raises(wire.ServerError) as e:
        c.query("SHOW NOTHING_OF_THE_KIND")
    assert e.value.code == "08P01" and e.value.fields["S"] == "ERROR"
