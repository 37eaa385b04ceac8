"""--store: reports go into PostgreSQL, once each, and the trend queries answer over them."""
import glob
import json
import os
import subprocess

import pytest

import cluster
from test_log_formats import PGASSAY, ROOT, ROWS, stderr
from test_masking import log as masked_log

SQL = os.path.join(ROOT, "sql")


def statement(name):
    with open(os.path.join(SQL, name + ".sql"), encoding="utf-8") as f:
        return f.read()


@pytest.fixture(scope="module")
def server():
    s = cluster.Postgres()
    yield s
    s.close()


def store(server, log, *words, status=0):
    got = subprocess.run([PGASSAY, "log", str(log), "-f", "json", "--store", server.dsn(dbname="stock"), *words], capture_output=True, text=True)
    assert got.returncode == status, got.stderr
    return got


def test_two_days_of_two_servers(server, tmp_path):
    days = {"mon": stderr(ROWS[:150]), "tue": stderr(ROWS[150:]).replace("2024-01-05", "2024-01-06").replace("FROM users", "FROM members").replace("note = $2", "lower(note) = $2").replace("duration: ", "duration: 9")}
    reports = {}
    for day, text in days.items():
        (tmp_path / day).write_text(text)
        for source in ("db1", "db2"):
            got = store(server, tmp_path / day, "--store-as", source)
            assert f'stored as a report of "{source}"' in got.stderr
            reports[day] = json.loads(got.stdout)
    q = lambda text: server.sql(text, dbname="stock")  # noqa: E731
    assert q("SELECT source, count(*) FROM pgassay.report GROUP BY 1 ORDER BY 1") == [("db1", 2), ("db2", 2)]
    # what is in the tables is what the reports said
    for day, r in reports.items():
        where = f"source = 'db1' AND report_id = (SELECT report_id FROM pgassay.report WHERE source = 'db1' AND first_at::date = '2024-01-0{5 if day == 'mon' else 6}')"
        rows = q(f"SELECT shape_id, calls, total_ms, p99_ms, errors FROM pgassay.shape_stat WHERE {where}")
        assert sorted(rows) == sorted((s["id"], s["calls"], s.get("total_ms"), s.get("p99_ms"), s.get("errors", 0)) for s in r["shapes"])
        assert q(f"SELECT sum(calls), sum(errors) FROM pgassay.minute WHERE {where}")[0] == (
            r["input"]["statements"], sum(e["count"] for e in r["errors"]))
        assert q(f"SELECT sum(calls) FROM pgassay.shape_hour WHERE {where}")[0][0] == r["input"]["statements"]
        assert q(f"SELECT count(*) FROM pgassay.finding WHERE {where}")[0][0] == len(r["findings"])
        assert q(f"SELECT sum(calls) FROM pgassay.group_stat WHERE kind = 'hours' AND {where}")[0][0] == r["input"]["statements"]
    # again: nothing changes
    assert "already stored" in store(server, tmp_path / "tue", "--store-as", "db1").stderr
    assert q("SELECT count(*) FROM pgassay.report") == [(4,)]
    # the trends
    new = q(statement("store_trend_new"))
    assert {r[0] for r in new} == {"db1", "db2"} and any("members" in r[1] for r in new)
    assert len(q(statement("store_trend_load"))) == 4
    for name in sorted(glob.glob(SQL + "/store_trend_*.sql")):
        assert q(statement(os.path.basename(name)[:-4])) is not None, name
    changes = {(r[1], r[2]) for r in q(statement("store_trend_findings"))}
    assert ("new", "SG001") in changes and {c for c, _ in changes} <= {"new", "gone"}
    assert {r[2] for r in q(statement("store_trend_errors"))} == {"22012"}
    slower = q(statement("store_trend_slower"))
    assert slower and all(r[5] > r[4] for r in slower)
    # a report goes with all that belongs to it
    q("DELETE FROM pgassay.report WHERE source = 'db2'")
    assert q("SELECT count(*) FROM pgassay.shape_stat WHERE source = 'db2'") == [(0,)]


def test_merged_reports_are_stored_too(server, tmp_path):
    for k, rows in enumerate((ROWS[:100], ROWS[100:])):
        (tmp_path / f"{k}.log").write_text(stderr(rows))
        subprocess.run([PGASSAY, "log", tmp_path / f"{k}.log", "-f", "json", "-o", tmp_path / f"{k}.json"], check=True)
    subprocess.run([PGASSAY, "merge", tmp_path / "0.json", tmp_path / "1.json", "-o", "/dev/null", "--store", server.dsn(dbname="shop"),
                    "--store-as", "fleet"], check=True)
    calls = sum(r["message"].startswith("duration") for r in ROWS)
    assert server.sql("SELECT sum(calls) FROM pgassay.shape_stat WHERE source = 'fleet'", dbname="shop") == [(calls,)]


def test_every_key_has_the_distribution_column(server):
    """Citus takes a primary or foreign key only if it has the column that the table is spread by."""
    if not server.sql("SELECT to_regnamespace('pgassay') IS NOT NULL", dbname="stock")[0][0]:
        server.sql(statement("store_schema"), dbname="stock")
    tables = server.sql("SELECT relname FROM pg_class WHERE relnamespace = 'pgassay'::regnamespace AND relkind = 'r'", dbname="stock")
    for (table,) in tables:
        assert f"create_distributed_table('pgassay.{table}', 'source'" in statement("store_citus")
    without = server.sql("""
        SELECT conrelid::regclass, conname FROM pg_constraint AS c
        WHERE connamespace = 'pgassay'::regnamespace AND contype IN ('p', 'f', 'u') AND NOT EXISTS (
            SELECT FROM pg_attribute WHERE attrelid = conrelid AND attname = 'source' AND attnum = ANY (conkey))""", dbname="stock")
    assert len(tables) == 9 and without == []


def test_a_database_that_cannot_be_reached_is_said(tmp_path):
    (tmp_path / "pg.log").write_text(stderr(ROWS))
    got = subprocess.run([PGASSAY, "log", tmp_path / "pg.log", "--store", "host=127.0.0.1 port=1 connect_timeout=2", "-o", "/dev/null"],
                         capture_output=True, text=True)
    assert got.returncode == 75 and "nothing was stored" in got.stderr and "port 1 failed" in got.stderr


def test_what_is_masked_is_not_stored(server, tmp_path):
    """Nor is any value in the database, in whichever column."""
    def stored():
        tables = server.sql("SELECT table_name FROM information_schema.tables WHERE table_schema = 'pgassay' AND table_type = 'BASE TABLE'",
                            dbname="stock")
        assert len(tables) > 5
        return "\n".join(row for (t,) in tables for (row,) in server.sql(f"SELECT x::text FROM pgassay.{t} x", dbname="stock")).lower()
    path = masked_log(tmp_path)
    store(server, path, "--literals", "mask")
    assert "lower(email)" in stored() and "canary" not in stored()
    store(server, path, "--literals", "keep")
    assert "canary" in stored()
