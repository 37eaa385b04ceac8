"""The same text may mean something else to another client, or after a change of the schema.

Statements are shared among clients; each scenario is played directly, where each client has a connection,
and through one server connection for both.  The answers must be equal.
"""
import pytest

import wire
from test_transcripts import told

pytestmark = pytest.mark.ours


def query(sql):
    return wire.query(sql)


def prepare(name, sql):
    return wire.parse(name, sql) + wire.describe(b"S", name) + wire.sync()


def run(name, *values, described=True):
    return wire.bind("", name, values) + (wire.describe(b"P") if described else b"") + wire.execute() + wire.sync()


def at_once(name, sql, *values):
    return wire.parse(name, sql) + run(name, *values)


BY_ID = "select id, v from thing where id = $1"
ADD = "insert into thing (id, v) values ($1, $2)"
BIG = 5_000_000_000

# steps of two clients, a and b
SCENARIOS = {
    "a column grows": [
        ("a", prepare("s", BY_ID)), ("a", prepare("i", ADD)), ("a", run("s", 1)), ("a", run("i", 2, "x")),
        ("b", query("alter table thing alter column id type bigint")),
        ("b", prepare("s", BY_ID)), ("b", run("s", BIG)), ("b", prepare("i", ADD)), ("b", run("i", BIG, "y")), ("b", run("s", BIG)),
        ("a", run("i", 3, "z"))],
    "a column grows, nobody asks": [
        ("a", at_once("i", ADD, 2, "x")), ("b", query("alter table thing alter column id type bigint")),
        ("b", at_once("i", ADD, BIG, "y")), ("a", at_once("j", ADD, BIG + 1, "y")), ("a", query("select * from thing order by id"))],
    "in a transaction": [
        ("b", prepare("s", BY_ID)),
        ("a", query("begin")), ("a", query("alter table thing alter column id type text using id::text")),
        ("a", prepare("s", BY_ID)), ("a", run("s", "one")), ("a", query("rollback")),
        ("b", run("s", 1)), ("b", prepare("s2", BY_ID)), ("b", run("s2", 1)), ("b", query("select 7"))],
    "by another text": [
        ("a", prepare("s", BY_ID)), ("b", at_once("d", "alter table thing alter id type text using 'n' || id")),
        ("b", prepare("s", BY_ID)), ("b", run("s", "n1"))],
    "search_path": [
        ("a", query("set search_path = one")), ("b", query("set search_path = two")),
        *[(c, step) for c in "abab" for step in (prepare(f"s{c}", "select * from item where id = $1"), wire.close(b"S", f"s{c}") + wire.sync())],
        ("a", prepare("s", "select * from item where id = $1")), ("b", prepare("s", "select * from item where id = $1")),
        *[(c, run("s", 1, described=False)) for c in "abbaab"]],
    "search_path of a transaction": [
        ("a", query("begin")), ("a", query("set local search_path = one")), ("a", prepare("s", "select * from item")), ("a", run("s")),
        ("a", query("commit")),
        ("b", query("begin")), ("b", query("select set_config('search_path', 'two', true)")), ("b", prepare("s", "select * from item")),
        ("b", run("s")), ("b", query("commit"))],
    "DateStyle": [
        ("a", query("set datestyle = 'iso, mdy'")), ("b", query("set datestyle = 'iso, dmy'")),
        *[(c, at_once(f"s{n}", "select '02/03/2026'::date")) for n, c in enumerate("abab")],
        *[(c, wire.extended("select '02/03/2026'::date") + wire.sync()) for c in "abab"],
        ("a", prepare("", "select '02/03/2026'::date")), ("b", prepare("", "select '02/03/2026'::date")), ("a", run("")), ("b", run(""))],
    "DateStyle of a transaction": [
        ("a", query("begin")), ("a", query("set local datestyle = 'iso, dmy'")), ("a", prepare("s", "select '02/03/2026'::date")),
        ("a", run("s")), ("a", query("commit")), ("b", at_once("s", "select '02/03/2026'::date"))],
    "TimeZone": [
        ("a", query("set time zone 'Asia/Tokyo'")), ("b", query("set time zone 'UTC'")),
        *[(c, at_once(f"s{n}", "select extract(epoch from '2026-01-01 00:00'::timestamptz)::bigint")) for n, c in enumerate("abab")]],
    "client_encoding": [
        ("a", query("set client_encoding = 'UTF8'")), ("b", query("set client_encoding = 'LATIN1'")),
        *[(c, at_once(f"s{n}", "select length('\u00e4'), '\u00e4'")) for n, c in enumerate("abab")]],
    "strings": [
        ("a", query("set standard_conforming_strings = off")),
        *[(c, at_once(f"s{n}", r"select 'a\\b'")) for n, c in enumerate("abab")]],
    "NULL": [
        ("a", query("set transform_null_equals = on")), *[(c, at_once(f"s{n}", "select 1 where null = null")) for n, c in enumerate("abab")]],
    "a role's own schema": [
        ("a", query("set role two")), *[(c, at_once(f"s{n}", "select * from item")) for n, c in enumerate("abab")]],
}


def play(port, steps):
    heard = []
    with wire.Wire(port) as a, wire.Wire(port) as b:
        for who, data in steps:
            c = {"a": a, "b": b}[who]
            c.send(data)
            heard.append([(b"T", wire.columns(m[1])) if m[0] == b"T" else told(*m) for m in c.until() if m[0] not in b"SN"])
    return heard


@pytest.fixture(scope="module")
def schema(postgres):
    postgres.sql("create schema one; create schema two; create table one.item (id int, v text); create table two.item (v int, id text);"
                 "insert into one.item values (1, 'of one'); insert into two.item values (2, '1'); create role two; grant two to trusty;"
                 "grant usage on schema one, two to public; grant select on all tables in schema one, two to public;"
                 "create table public.item (z int); grant select on public.item to public", dbname="shop")
    yield
    postgres.sql("drop schema one, two cascade; drop table public.item; drop role two", dbname="shop")


def fill(postgres):
    postgres.sql("drop table if exists thing; create table thing (id int, v text); alter table thing owner to trusty;"
                 "insert into thing values (1, 'one')", dbname="shop")


@pytest.mark.parametrize("name", SCENARIOS)
def test_what_it_means(pooler, postgres, schema, name):
    steps = SCENARIOS[name]
    fill(postgres)
    want = play(postgres.port, steps)
    fill(postgres)
    p = pooler(max_open=1)
    got = play(p.port, steps)
    for i, (w, g) in enumerate(zip(want, got)):
        assert g == w, f"step {i}, {steps[i]}"
    assert "integrity" not in p.log()


def test_a_temporary_table_hides_another(pooler, postgres):
    fill(postgres)
    p = pooler(max_open=2, pool_mode="auto")
    with p.wire() as a, p.wire() as b:
        b.send(prepare("s", BY_ID) + run("s", 1))
        b.until()
        b.until()
        a.query("create temp table thing (id text, v int)")
        a.query("insert into thing values ('1', 7)")
        a.send(at_once("s", BY_ID, 1))
        assert [wire.row(m[1]) for m in a.until() if m[0] == b"D"] == [["1", "7"]]
        b.send(at_once("t", BY_ID, 1))
        assert [wire.row(m[1]) for m in b.until() if m[0] == b"D"] == [["1", "one"]]


@pytest.mark.parametrize("way", ["a value that does not fit", "a plan that is stale", "a text that is none"])
def test_what_another_program_alters_shows_by_its_effects(pooler, postgres, way):
    """Not through us: the first to fail is the last."""
    fill(postgres)
    p = pooler(max_open=1)
    with p.wire() as a, p.wire() as b, p.wire() as c:
        a.send(prepare("s", BY_ID) + run("s", 1) + prepare("i", ADD))
        for _ in range(3):
            a.until()
        if way == "a text that is none":
            postgres.sql("alter table thing alter id type text using 'n' || id", dbname="shop")
            value = "n1"
        else:
            postgres.sql("alter table thing alter id type bigint", dbname="shop")
            value = BIG
        if way == "a plan that is stale":
            a.send(run("s", 1))
            a.until()
        else:
            b.send(at_once("i", ADD, value, "x"))
            assert wire.fields(dict(b.until())[b"E"])["C"] in ("22003", "22P02")
        c.send(at_once("i", ADD, value, "x"))
        assert b"E" not in dict(c.until())
        c.send(prepare("s", BY_ID) + run("s", value))
        described = dict(c.until())[b"t"]
        if way == "a plan that is stale":
            assert described == b"\0\1\0\0\0\x14"
