"""The query log: one JSON object a statement, with what only a pooler knows."""
import json
import os
import re

import pytest

import wire
from pace import at_some_pace
from pooler import wait_until
from wire import ServerError

pytestmark = pytest.mark.ours

KEYS = {"timestamp", "user", "dbname", "pid", "remote_host", "remote_port", "session_id",
        "line_num", "ps", "session_start", "message", "application_name", "backend_type", "pooler"}
POOLER = {"wait_us", "server_us", "fetch_us", "drain_us", "rows", "bytes_in", "bytes_out",
          "server_pid", "mode"}


class Log:
    """A pooler that logs queries, and its log."""

    def __init__(self, pooler, **settings):
        p = pooler(start=False, **settings)
        self.path = p.dir + "/query.jsonl"
        p.write_config(query_log=self.path, query_log_min_duration=
                       settings.get("query_log_min_duration", 0))
        self.pooler = p.start()

    def entries(self):
        try:
            with open(self.path, encoding="utf-8") as f:
                return [json.loads(line) for line in f if line.endswith("\n")]
        except FileNotFoundError:
            return []

    def wait(self, count, seconds=5):
        return wait_until(lambda: (lambda e: len(e) >= count and e)(self.entries()), seconds,
                          f"{count} entries are logged")


def test_one_object_a_statement(pooler):
    log = Log(pooler)
    with log.pooler.wire(params={"application_name": "shop-web"}) as c:
        c.query("select 1 as a")
        c.query("select generate_series(1, 10)")
        entries = log.wait(2)
        assert len(entries) == 2
        for e in entries:
            assert KEYS <= set(e), KEYS - set(e)
            assert POOLER <= set(e["pooler"]), POOLER - set(e["pooler"])
            assert e["user"] == "trusty" and e["dbname"] == "shop"
            assert e["application_name"] == "shop-web"
            assert e["remote_host"] == "127.0.0.1"
            assert e["remote_port"] == c.socket.getsockname()[1]
            assert e["pid"] == c.pid
            assert re.match(r"duration: \d+\.\d{3} ms  statement: select", e["message"])
        assert entries[0]["message"].endswith("statement: select 1 as a")
        assert [e["pooler"]["rows"] for e in entries] == [1, 10]
        assert str(entries[0]["pooler"]["server_pid"]) == c.one("select pg_backend_pid()")
        assert entries[1]["line_num"] > entries[0]["line_num"]
        assert entries[0]["session_id"] == entries[1]["session_id"]


@at_some_pace
def test_times_add_up(pooler, pace):
    log = Log(pooler, max_open=1)
    with log.pooler.wire() as a, log.pooler.wire() as b:
        a.begin()
        b.send(wire.query(f"select pg_sleep({0.3 * pace})"))
        b.quiet(0.5 * pace)
        a.query("commit")
        b.result()
        slept = [e for e in log.wait(4) if "pg_sleep" in e["message"]][0]
        assert 400_000 * pace < slept["pooler"]["wait_us"] < 900_000 * pace, slept
        assert 290_000 * pace < slept["pooler"]["server_us"] < 600_000 * pace, slept
        logged = float(re.match(r"duration: ([\d.]+) ms", slept["message"]).group(1))
        assert 290 * pace < logged < 1500 * pace


def test_parameters(pooler):
    log = Log(pooler)
    with log.pooler.wire() as c:
        c.send(wire.extended("select $1::int, $2::text, $3::text", (42, "it's", None)) +
               wire.sync())
        c.result()
        e = log.wait(1)[0]
        assert "execute <unnamed>: select $1::int" in e["message"], e["message"]
        assert e["detail"] == "parameters: $1 = '42', $2 = 'it''s', $3 = NULL"


def test_binary_parameters_are_decoded(pooler):
    log = Log(pooler)
    with log.pooler.wire() as c:
        c.send(wire.parse("", "select $1::int, $2::bool", (23, 16)) +
               wire.bind("", "", (b"\0\0\1\0", b"\1"), True) + wire.execute() + wire.sync())
        c.result()
        assert log.wait(1)[0]["detail"] == "parameters: $1 = '256', $2 = 't'"


@pytest.mark.parametrize("how", ["hash", "off"])
def test_parameters_can_be_kept_out(pooler, how):
    log = Log(pooler, query_log_parameters=how)
    with log.pooler.wire() as c:
        for value in ("secret-canary", "secret-canary", "another-canary"):
            c.send(wire.extended("select $1::text", (value,)) + wire.sync())
            c.result()
        entries = log.wait(3)
        assert "canary" not in json.dumps(entries)
        if how == "hash":
            details = [e["detail"] for e in entries]
            assert details[0] == details[1] != details[2]


def test_transactions_have_one_vxid(pooler):
    log = Log(pooler, max_open=1)
    with log.pooler.wire() as a, log.pooler.wire() as b:
        a.query("begin")
        a.query("select 'a1'")
        a.query("select 'a2'")
        a.query("commit")
        b.query("select 'b'")
        a.query("select 'a3'")
        entries = {re.search(r"statement: (.*)", e["message"]).group(1): e for e in log.wait(6)}
        inside = {entries[s]["vxid"] for s in ("select 'a1'", "select 'a2'", "commit")}
        assert len(inside) == 1
        assert len({e["vxid"] for e in entries.values()}) >= 3
        assert entries["select 'b'"]["pid"] != entries["select 'a1'"]["pid"]
        assert entries["select 'b'"]["pooler"]["server_pid"] == \
            entries["select 'a1'"]["pooler"]["server_pid"]


def test_errors_are_logged(pooler):
    log = Log(pooler, query_log_min_duration=100000)
    with log.pooler.wire() as c:
        c.query("select 'fast and fine'")
        with pytest.raises(ServerError):
            c.query("select 1/0")
        entries = log.wait(1)
        assert len(entries) == 1
        e = entries[0]
        assert e["error_severity"] == "ERROR" and e["state_code"] == "22012"
        assert e["message"] == "division by zero" and e["statement"] == "select 1/0"


@at_some_pace
def test_min_duration(pooler, pace):
    log = Log(pooler, query_log_min_duration=200 * pace)
    with log.pooler.wire() as c:
        c.query("select 'fast'")
        c.query(f"select pg_sleep({0.4 * pace}), 'slow'")
        entries = log.wait(1)
        assert len(entries) == 1 and "slow" in entries[0]["message"]


def test_sample_rate(pooler):
    log = Log(pooler, query_log_sample_rate=0.2)
    with log.pooler.wire() as c:
        for _ in range(500):
            c.query("select 1")
    log.pooler.stop()
    assert 50 < len(log.entries()) < 170


def test_long_statements_are_cut(pooler):
    log = Log(pooler, query_log_max_text=200)
    with log.pooler.wire() as c:
        c.query("select '" + "é" * 1000 + "'")
        e = log.wait(1)[0]
        assert len(e["message"].encode()) < 400
        assert e["pooler"]["truncated"]


def test_nothing_breaks_a_line(pooler):
    """Quotes, newlines and control characters of a statement stay inside one JSON line."""
    log = Log(pooler)
    with log.pooler.wire() as c:
        text = "select 'a\"b\\c\n\t\x01é☃' /* two\nlines */"
        c.query(text)
        assert log.wait(1)[0]["message"].endswith(text)


def test_nothing_is_lost_in_a_pipeline(pooler):
    log = Log(pooler)
    with log.pooler.wire() as c:
        c.send(b"".join(wire.extended("select $1::int", (n,)) for n in range(100)) + wire.sync())
        c.until(b"Z")
        c.send(b"".join(wire.query(f"select {n}") for n in range(100)))
        for _ in range(100):
            c.result()
        assert len(log.wait(200)) == 200


def test_all_are_written_before_the_end(pooler):
    log = Log(pooler)
    with log.pooler.wire() as c:
        for n in range(2000):
            c.query(f"select {n}")
    log.pooler.stop()
    assert len(log.entries()) == 2000


def test_reopened_after_rotation(pooler):
    import os
    import signal
    log = Log(pooler)
    with log.pooler.wire() as c:
        c.query("select 'before'")
        log.wait(1)
        os.rename(log.path, log.path + ".1")
        log.pooler.signal(signal.SIGHUP)
        wait_until(lambda: os.path.exists(log.path), 5, "the log is opened again")
        c.query("select 'after'")
        assert "after" in log.wait(1)[0]["message"]


def test_pgassay_reads_it(pooler):
    import subprocess

    import pooler as poolers
    log = Log(pooler)
    with log.pooler.wire() as c:
        for n in range(30):
            c.query(f"select {n}")
    log.pooler.stop()
    done = subprocess.run([os.environ.get("PGASSAY_BIN", poolers.ROOT + "/bin/pgassay"), "log", log.path, "--format", "json"],
                          capture_output=True, text=True, timeout=500)
    assert done.returncode in (0, 1), done.stderr
    report = json.loads(done.stdout)
    assert report["input"]["entries"] == 30 and report["input"]["not_understood_bytes"] == 0
    assert len(report["shapes"]) == 1 and report["shapes"][0]["calls"] == 30


def test_a_mass_write_is_told_by_its_rows(pooler):
    """Only this log has the rows of an UPDATE or DELETE: DM006's positive case."""
    import subprocess

    import pooler as poolers
    log = Log(pooler)
    with log.pooler.wire() as c:
        c.query("create table mass as select g as id from generate_series(1, 110000) g")
        c.query("delete from mass where id > 100000")
        c.query("delete from mass where id < 100001 and id > 0")
        c.query("drop table mass")
    log.pooler.stop()
    done = subprocess.run([os.environ.get("PGASSAY_BIN", poolers.ROOT + "/bin/pgassay"), "log", log.path, "--format", "json"],
                          capture_output=True, text=True, timeout=500)
    found = [x for x in json.loads(done.stdout)["findings"] if x["rule"] == "DM006"]
    assert [x["evidence"]["max_rows"] for x in found] == [100000]
