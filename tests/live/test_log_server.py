"""A real server writes the same activity as stderr, csvlog and jsonlog; all three say the same,
and what pg_stat_statements counted in the meantime."""
import csv
import glob
import json
import os
import re
import shutil
import subprocess
import threading

import psycopg
import pytest

import cluster
from pooler import wait_until
from test_log_formats import PGASSAY, accounted, assay

SETTINGS = {
    "logging_collector": "on", "log_destination": "stderr,csvlog,jsonlog", "log_filename": "pg.log",
    "log_min_duration_statement": 0, "log_connections": "on", "log_disconnections": "on", "log_lock_waits": "on",
    "deadlock_timeout": "30ms", "log_temp_files": 0, "log_checkpoints": "on", "log_autovacuum_min_duration": 0,
    "autovacuum": "on", "autovacuum_naptime": "1s", "shared_preload_libraries": "pg_stat_statements,auto_explain",
    "pg_stat_statements.track_planning": "on", "pg_stat_statements.track_utility": "on",
    "log_line_prefix": "%m [%p] %q%u@%d/%a ", "log_directory": "log",
}


def waits(server, pid):
    """Does the backend wait for a lock?"""
    return server.sql(f"select wait_event_type = 'Lock' from pg_stat_activity where pid = {pid}") == [(True,)]


def fail(c, sql, error):
    with pytest.raises(error):
        c.execute(sql)


def plain_statements(c):
    for i in range(7):
        c.execute(f"SELECT * FROM items WHERE id = {i}")
        c.execute("SELECT note FROM items WHERE id = %s AND note <> %s", (i, f"it's {i}"), prepare=True)
        c.execute("INSERT INTO items (id, note) VALUES (%s, %s)", (1000 + i, "a\nb\t'c'"))
    c.execute("SELECT * FROM items WHERE id IN (1, 2, 3)")
    c.execute("SELECT * FROM items WHERE id IN (4, 5)")
    c.execute("PREPARE by_id (int) AS SELECT id + 1 FROM items WHERE id = $1")
    for i in range(5):
        c.execute(f"EXECUTE by_id ({i})")
    c.execute("UPDATE items\n   SET note = $$dollar 'quoted'$$ -- why?\n WHERE id /* here */ = 5")


def errors(c):
    fail(c, "SELECT 1 / 0", psycopg.errors.DivisionByZero)
    fail(c, "SELECT * FROM nowhere", psycopg.errors.UndefinedTable)
    fail(c, "INSERT INTO items (id) VALUES (1)", psycopg.errors.UniqueViolation)
    fail(c, "SELEC 1", psycopg.errors.SyntaxError)
    c.execute("SET statement_timeout = '1s'")  # and RESET has a second, too
    fail(c, "SELECT pg_sleep(5)", psycopg.errors.QueryCanceled)
    c.execute("RESET statement_timeout")


def temp_file(c):
    c.execute("SET work_mem = '64kB'")
    c.execute("SELECT count(*) FROM (SELECT g, md5(g::text) FROM generate_series(1, 20000) g ORDER BY 2 OFFSET 1) x")
    c.execute("RESET work_mem")


def transactions(c):
    c.execute("BEGIN")
    for i in range(12):
        c.execute(f"SELECT count(*) FROM items WHERE note = 'x{i}'")
    c.execute("COMMIT")
    c.execute("BEGIN")
    c.execute("DELETE FROM items WHERE id = 3")
    c.execute("ROLLBACK")


def in_thread(c, sql, swallow=()):
    def run():
        try:
            c.execute(sql)
        except swallow:
            pass
    t = threading.Thread(target=run)
    t.start()
    return t


def lock_wait(server, a, b, log=None):
    """`log`: of another server than the one recorded here; waiting is told by a word no language translates."""
    said = lambda: [x for x in (log or stderr_log)(server).split("\n") if "ShareLock" in x and f"[{b.info.backend_pid}]" in x]  # noqa: E731
    a.execute("BEGIN")
    a.execute("UPDATE items SET note = 'held' WHERE id = 10")
    t = in_thread(b, "UPDATE items SET note = note || 'waiter' WHERE id = 10")
    wait_until(lambda: waits(server, b.info.backend_pid))
    wait_until(said)
    a.execute("COMMIT")
    t.join()


def deadlock(server, a, b):
    a.execute("BEGIN")
    b.execute("BEGIN")
    a.execute("UPDATE items SET note = 'a' WHERE id = 20")
    b.execute("UPDATE items SET note = upper('b') WHERE id = 21")
    t = in_thread(a, "UPDATE items SET note = 'a' WHERE id = 21", psycopg.errors.DeadlockDetected)
    wait_until(lambda: waits(server, a.info.backend_pid))
    try:
        b.execute("UPDATE items SET note = upper('b') WHERE id = 20")
    except psycopg.errors.DeadlockDetected:
        pass
    t.join()
    a.execute("ROLLBACK")
    b.execute("ROLLBACK")


def plans(c):
    c.execute("SET auto_explain.log_min_duration = 0")
    c.execute("SET auto_explain.log_analyze = on")
    for form in ("text", "json", "yaml", "xml"):
        c.execute(f"SET auto_explain.log_format = '{form}'")
        c.execute(f"SELECT max(id) AS {form} FROM items WHERE note LIKE '%x%'")
    c.execute("SET auto_explain.log_min_duration = -1")


def stderr_log(server):
    with open(server.data + "/log/pg.log", encoding="utf-8", errors="replace") as f:
        return f.read()


class Recorded:
    pass


@pytest.fixture(scope="module")
def recorded():
    server = cluster.Postgres(**SETTINGS)
    r = Recorded()
    try:
        server.sql("CREATE EXTENSION pg_stat_statements", dbname="shop")
        server.sql("CREATE TABLE items (id int PRIMARY KEY, note text)", dbname="shop")
        server.sql("INSERT INTO items SELECT g, 'note ' || g FROM generate_series(1, 900) g", dbname="shop")
        server.sql("UPDATE items SET note = note || '.'", dbname="shop")
        wait_until(lambda: "automatic vacuum of table \"shop.public.items\"" in stderr_log(server))
        server.sql("GRANT ALL ON items TO trusty", dbname="shop")
        server.sql("SELECT pg_stat_statements_reset()", dbname="shop")
        begun = len(stderr_log(server))
        connect = lambda: server.connect(application_name="web")  # noqa: E731
        with connect() as a, connect() as b:
            plain_statements(a)
            errors(a)
            temp_file(a)
            transactions(a)
            lock_wait(server, a, b)
            deadlock(server, a, b)
        with server.connect(user="postgres", application_name="web") as c:
            plans(c)
        r.pgss = json.loads(subprocess.run(
            [PGASSAY, "log", "--input", "pg_stat_statements", "--dsn", server.dsn(dbname="shop"), "-f", "json"],
            capture_output=True, check=True).stdout)
        server.sql("CHECKPOINT")
        wait_until(lambda: stderr_log(server).count("checkpoint complete") >= 1 and stderr_log(server).count("disconnection") >= 8)
        server.stop()
        r.files = {os.path.splitext(f)[1][1:]: f for f in glob.glob(server.data + "/log/*")}
        r.texts = {k: open(f, "rb").read() for k, f in r.files.items()}
        r.begun = begun
        r.reports = {k: assay(f) for k, f in r.files.items()}
        yield r
    finally:
        server.close()


def test_every_byte_of_every_format_is_understood(recorded):
    assert set(recorded.files) == {"log", "csv", "json"}
    for kind, report in recorded.reports.items():
        accounted(report, recorded.files[kind])
        assert report["input"]["files"][0]["format"] == {"log": "stderr", "csv": "csvlog", "json": "jsonlog"}[kind]
        # the collector's first lines go to the stderr of the postmaster, none is lost in the files
        assert report["input"]["not_understood_bytes"] == 0


def test_the_formats_agree(recorded):
    def view(report):
        shapes = {s["sql"]: {k: s.get(k) for k in ("calls", "total_ms", "p99_ms", "planning_ms", "errors", "cancels", "temp_files",
                                                   "temp_bytes", "lock_waits", "lock_ms", "hours")} for s in report["shapes"]}
        locks = sorted((w["waits"], w["deadlocks"], w["ms"]) for w in report["waits"])
        return (shapes, sorted((e["sqlstate"] or "", e["message"], e["count"]) for e in report["errors"]), report["server"], locks,
                [d["count"] for d in report["deadlocks"]], report["transactions"]["count"], report["minutes"],
                sorted((v["table"], v["vacuums"], v["analyzes"]) for v in report["autovacuum"]))
    log, csv, js = (view(recorded.reports[k]) for k in ("log", "csv", "json"))
    assert csv == js
    assert log == csv  # the SQLSTATEs of the plain log are inferred


def shape(report, begin):
    found = [s for s in report["shapes"] if s["sql"].startswith(begin)]
    assert len(found) == 1, (begin, [s["sql"] for s in found])
    return found[0]


@pytest.mark.parametrize("kind", ["log", "csv", "json"])
def test_what_happened_is_reported(recorded, kind):
    r = recorded.reports[kind]
    assert shape(r, "select * from items where id = ?")["calls"] == 7
    assert shape(r, "select * from items where id in (...)")["calls"] == 2
    assert shape(r, "select note from items where id = ?")["calls"] == 7
    assert shape(r, "select note from items")["samples"][0]["parameters"].startswith("$1 = '")
    assert shape(r, "select id + ? from items")["calls"] == 5  # EXECUTE by_id: the statement behind it
    assert shape(r, "insert into items(id, note)")["planning_ms"] > 0
    temp = shape(r, "select count(*) from (select g")
    assert temp["temp_files"] >= 1 and temp["temp_bytes"] > 100000
    waiter = shape(r, "update items set note = note || ? where")
    assert waiter["lock_waits"] == 1 and waiter["lock_ms"] >= 30
    edge = next(w for w in r["waits"] if w["waiter"] == waiter["id"])
    holder = next(s for s in r["shapes"] if s["id"] == edge["holder"])
    assert holder["sql"] == "update items set note = ? where id = ?" and edge["waits"] == 1
    by_state = {e["sqlstate"]: e for e in r["sqlstates"]}
    assert {k: by_state[k]["count"] for k in ("22012", "42P01", "23505", "42601", "57014", "40P01")} == dict.fromkeys(
        ("22012", "42P01", "23505", "42601", "57014", "40P01"), 1)
    assert by_state["40P01"]["condition"] == "deadlock_detected"
    assert r["server"]["cancels_statement_timeout"] == 1 and r["server"]["deadlocks"] == 1
    (dead,) = r["deadlocks"]
    assert len(dead["processes"]) == 2
    assert {p["blocked_by"] for p in dead["processes"]} == {p["pid"] for p in dead["processes"]}
    assert all(p["lock"].startswith("ShareLock on transaction") and p["shape"] for p in dead["processes"])
    tx = r["transactions"]
    assert tx["busiest"][0]["statements"] == 12 and tx["rollbacks"] >= 1
    assert all(0 <= t["busy_ms"] for t in tx["longest"]) and tx["idle"]["count"] == tx["count"]
    assert any(v["table"] == "shop.public.items" and v["vacuums"] >= 1 for v in r["autovacuum"])
    assert r["server"]["checkpoints"] >= 1 and r["server"]["connections"] >= 8
    assert r["sessions"]["count"] == r["server"]["disconnections"]
    users = {g["name"]: g for g in r["by"]["users"]}
    assert users["trusty"]["errors"] == 6 and users["trusty"]["sessions"] == 2
    assert sum(g["calls"] for g in r["by"]["hours"]) == r["input"]["statements"]
    assert {g["name"] for g in r["by"]["hosts"]} >= {"127.0.0.1", "[local]"}


@pytest.mark.parametrize("kind", ["log", "csv", "json"])
def test_plans_of_every_format_are_attached_to_their_statement(recorded, kind):
    r = recorded.reports[kind]
    plans = {p["shape"]: p for p in r["plans"]}
    for form in ("text", "json", "yaml", "xml"):
        s = shape(r, f"select max(id) as {form} from")
        assert s["calls"] == 1 and s["id"] in plans, form
        assert "Seq Scan on items" in plans[s["id"]]["tree"]


def test_calls_are_those_of_pg_stat_statements(recorded, tmp_path):
    """The part of the log that pg_stat_statements saw: shape by shape the same calls; never less
    time, since the log's durations include parsing and sending."""
    # from the reset on, without what pgassay itself and the fixture sent afterwards
    part = tmp_path / "pg.log"
    part.write_bytes(recorded.texts["log"][recorded.begun:])
    log = {s["id"]: s for s in assay(part, "--user", "trusty", "--db", "shop")["shapes"]}
    pgss = {s["id"]: s for s in recorded.pgss["shapes"]}
    left_out = {}
    compared = 0
    for key, s in log.items():
        if s.get("errors") and s["calls"] == 0:
            left_out[s["sql"]] = "failed statements are not counted there"
        elif s["verb"] in ("BEGIN", "COMMIT", "ROLLBACK", "SET", "PREPARE", "EXECUTE", "DEALLOCATE", "SHOW"):
            left_out[s["sql"]] = "utility statements are kept as they are typed"
        elif key not in pgss and any(p["verb"] == "PREPARE" and p["sql"].endswith(s["sql"]) for p in pgss.values()):
            left_out[s["sql"]] = "what EXECUTE runs is counted with its PREPARE"
        else:
            assert key in pgss, s["sql"]
            assert s["calls"] == pgss[key]["calls"], s["sql"]
            assert s["total_ms"] * 1.01 + .05 >= pgss[key]["total_ms"], s["sql"]
            compared += 1
    assert compared >= 10, left_out


def badger(path, out):
    """pgbadger's JSON report, and its normalised statements by our shape ids."""
    assert shutil.which("pgbadger"), "pgbadger is not installed: make deps"
    subprocess.run(["pgbadger", "-q", "-j", "1", "-f", "stderr", "-p", "%m [%p] %u@%d/%a ", "-x", "json", "-o", str(out / "b.json"), path],
                   check=True, capture_output=True)
    report = json.loads((out / "b.json").read_text())
    with open(out / "b.csv", "w", newline="", encoding="utf-8") as f:
        w = csv.writer(f)
        w.writerow(["query", "calls", "total_exec_time"])
        for queries in report["normalyzed_info"].values():
            for text, q in queries.items():
                w.writerow([text, q["count"], q["duration"]])
    return report, {s["id"]: s for s in assay(out / "b.csv")["shapes"]}


def test_counts_are_those_of_pgbadger(recorded, tmp_path):
    """docs/log-comparison.md explains each difference; here they are all there is."""
    report, theirs = badger(recorded.files["log"], tmp_path)
    mine = recorded.reports["log"]
    plans = sum(p["times"] for p in mine["plans"])
    # a plan of auto_explain is counted as a statement of its own there
    assert report["overall_stat"]["queries_number"] == mine["input"]["statements"] + plans
    assert report["overall_stat"]["errors_number"] >= sum(e["count"] for e in mine["errors"])
    explained = ("select max(id) as ", "select id + ? from items", "prepare by_id", "deallocate all", "select n.nspname", "select s.query")
    planned, same, lost = 0, 0, 0
    for s in mine["shapes"]:
        x = theirs.get(s["id"])
        if s["calls"] == 0:
            assert s["errors"] and not x  # failed before it had a duration: an error there as here
        elif s["sql"].startswith(explained):
            pass  # what its patterns take apart otherwise: LIKE's wildcards, EXECUTE, $1 in PREPARE, ALL, ...
        elif not x or x["calls"] < s["calls"]:
            # now and then it gives a statement another line's text, when other sessions' lines come between
            lost += s["calls"] - (x["calls"] if x else 0)
        else:
            assert x["calls"] == s["calls"], s["sql"]
            # parse and bind are times of the call, too; there only execute is
            assert abs(x["total_ms"] - (s["total_ms"] - s.get("planning_ms", 0))) < .002, s["sql"]
            planned += s.get("planning_ms", 0) > 0
            same += 1
    # how often depends on how busy the machine is; that all are counted was asserted above
    assert same >= 25 and planned >= 3 and lost <= mine["input"]["statements"] // 20, (same, planned, lost)


def test_the_servers_figures_are_those_of_pgbadger(recorded, tmp_path):
    """What docs/log-comparison.md calls the same: sessions, checkpoints, temporary files, autovacuum, locks."""
    # background processes have no user: with %q their lines are shorter, which it does not read
    log = tmp_path / "pg.log"
    log.write_bytes(re.sub(rb"(?m)^(\S+ \S+ \S+ \[\d+\] )(?=[A-Z]+:)", rb"\1@/ ", recorded.texts["log"]))
    theirs, _ = badger(log, tmp_path)
    mine = recorded.reports["log"]
    s, one = mine["server"], lambda key: theirs[key].get("postgres", {})  # noqa: E731
    assert one("session_info")["count"] == s["disconnections"]
    assert abs(one("session_info")["duration"] - 1000 * s["session_s"]) < 1 + s["disconnections"]
    users = {g["name"]: g.get("sessions_ended", 0) for g in mine["by"]["users"]}
    assert {u: x["count"] for u, x in one("session_info")["user"].items()} == {u: n for u, n in users.items() if n}
    c = theirs["checkpoint_info"]
    assert (c["wbuffer"], c["file_added"], c["file_removed"], c["file_recycled"]) == (
        s["checkpoint_buffers"], s["wal_files_added"], s["wal_files_removed"], s["wal_files_recycled"])
    assert (round(c["total"], 3), round(c["write"], 3), round(c["sync"], 3)) == (
        round(s["checkpoint_s"], 3), round(s["checkpoint_write_s"], 3), round(s["checkpoint_sync_s"], 3))
    assert c["distance"] * 1024 == s["checkpoint_distance_bytes"]
    assert c["starting"] == {k["name"]: k["count"] for k in mine["checkpoint_causes"]}
    temp = one("tempfile_info")
    assert (temp["count"], temp["size"], temp["maxsize"]) == (s["temp_files"], s["temp_bytes"], s["temp_largest_bytes"])
    tables = {v["table"]: v for v in mine["autovacuum"]}
    assert one("autovacuum_info")["count"] == s["autovacuums"] and one("autoanalyze_info").get("count", 0) == s["autoanalyzes"]
    for name, v in one("autovacuum_info")["tables"].items():
        assert (v["vacuums"], v["idxscans"], v["tuples"]["removed"], v["pages"]["removed"], v["wal_bytes"]) == tuple(
            tables[name][k] for k in ("vacuums", "index_scans", "tuples_removed", "pages_removed", "wal_bytes")), name
    locks = {f"{mode} on {what}": x["count"] for mode, all_ in one("lock_info").items() for what, x in all_.items() if isinstance(x, dict)}
    assert locks == {k["name"]: k["count"] for k in mine["lock_types"]}
    assert one("logs_type").get("FATAL", 0) == s["messages_fatal"] and one("logs_type")["ERROR"] == s["messages_error"]
