"""The columns of every SHOW against the list of what PgBouncer 1.25 answers, in both
protocols, and what scrapers demand of them."""
import calendar
import datetime
import os
import struct
import time

import pytest

import wire

HERE = os.path.dirname(__file__)
with open(os.path.join(HERE, "console-columns.tsv"), encoding="ascii") as f:
    COLUMNS = dict(line.rstrip("\n").split("\t") for line in f if line[0] != "#")

TEXT, INT4, INT8, NUMERIC = 25, 23, 20, 1700
NEW = ["WAITS", "SESSIONS", "PINS", "QUERIES", "LATENCY", "WORKERS", "WHO 1", "SETTINGS"]


def description(body):
    """[(name, type oid, size, format)] of a RowDescription."""
    at, out = 2, []
    for _ in range(struct.unpack("!h", body[:2])[0]):
        end = body.index(b"\0", at)
        name = body[at:end].decode()
        _, _, oid, size, _, fmt = struct.unpack("!ihihih", body[end + 1:end + 19])
        out.append((name, oid, size, fmt))
        at = end + 19
    return out


def describe_simple(c, what):
    c.send(wire.query("SHOW " + what))
    got = c.until(b"Z")
    return description(next(b for k, b in got if k == b"T")), got


@pytest.mark.parametrize("what", sorted(COLUMNS))
def test_columns(pooler, what):
    p = pooler()
    with p.wire() as a, p.console() as c:
        a.query("select 1")
        columns, _ = describe_simple(c, what)
        assert ",".join(n for n, *_ in columns) == COLUMNS[what]
        c.send(wire.extended("SHOW " + what) + wire.sync())
        got = c.until(b"Z")
        assert description(next(b for k, b in got if k == b"T")) == columns


def test_types_as_exporters_want_them(pooler):
    p = pooler()
    with p.console() as c:
        for what in ("STATS", "STATS_TOTALS", "STATS_AVERAGES"):
            columns, _ = describe_simple(c, what)
            assert columns[0][:2] == ("database", TEXT)
            assert {oid for _, oid, *_ in columns[1:]} == {NUMERIC}
        kinds = {n: oid for n, oid, *_ in describe_simple(c, "DATABASES")[0]}
        assert all(kinds[n] == TEXT for n in ("name", "host", "database", "force_user",
                                              "pool_mode"))
        assert all(kinds[n] == INT4 for n in ("port", "pool_size", "reserve_pool_size", "paused",
                                              "disabled", "max_connections",
                                              "current_connections"))
        kinds = {n: oid for n, oid, *_ in describe_simple(c, "POOLS")[0]}
        assert all(oid == INT4 for n, oid in kinds.items()
                   if n not in ("database", "user", "pool_mode", "load_balance_hosts"))
        assert [oid for _, oid, *_ in describe_simple(c, "DNS_HOSTS")[0]] == [TEXT, INT8, TEXT]


def test_every_value_of_stats_is_an_integer(pooler):
    p = pooler()
    with p.wire() as a:
        a.query("select 1")
        for row in p.show("STATS"):
            for name, value in row.items():
                assert name == "database" or int(value) >= 0


def test_lists(pooler):
    rows = pooler().show("LISTS")
    assert [r["list"] for r in rows] == [
        "databases", "users", "peers", "pools", "peer_pools", "free_clients", "used_clients",
        "login_clients", "free_servers", "used_servers", "dns_names", "dns_zones",
        "dns_queries", "dns_pending"]
    assert all(int(r["items"]) >= 0 for r in rows)


def test_totals(pooler):
    names = [r["name"] for r in pooler().show("TOTALS")]
    fields = ("server_assignment_count xact_count query_count client_bytes server_bytes "
              "xact_time query_time wait_time ps_client_parse_count ps_server_parse_count "
              "ps_bind_count").split()
    assert names == ["total_" + f for f in fields] + ["avg_" + f for f in fields]


def test_config_has_numbers_where_exporters_read_them(pooler):
    rows = {r["key"]: r["value"] for r in pooler(max_client_conn=77).show("CONFIG")}
    assert rows["max_client_conn"] == "77"
    assert int(rows["max_user_connections"]) == 0


@pytest.mark.ours
@pytest.mark.parametrize("what", NEW)
def test_new_shows_answer(pooler, what):
    p = pooler(track_queries="all")
    with p.wire() as a, p.console() as c:
        a.query("select 1")
        columns, got = describe_simple(c, what)
        assert columns and got[-2][0] == b"C"


def test_help_names_every_show(pooler):
    p = pooler()
    with p.console() as c:
        c.send(wire.query("SHOW HELP"))
        notice = wire.fields(next(b for k, b in c.until(b"Z") if k == b"N"))
        assert notice["M"] == "Console usage"
        for what in list(COLUMNS) + ["HELP", "FDS"]:
            assert what in notice["D"]


@pytest.mark.ours
@pytest.mark.parametrize("what", ["CLIENTS", "SERVERS", "SESSIONS"])
def test_connect_time_is_the_wall_clock_s(pooler, what):
    since = int(time.time())
    p = pooler()
    with p.wire() as c:
        c.query("select 1")
        for r in p.show(what):
            at = datetime.datetime.strptime(r["connect_time"][:19], "%Y-%m-%d %H:%M:%S")
            assert since <= calendar.timegm(at.timetuple()) <= time.time(), r
