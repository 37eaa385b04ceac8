"""test_advise_safety.py - what `pgassay advise` does to a database: nothing.

The server's own log says what was asked of it, its tables whether anything stayed.  The workload is
one that somebody wrote who wants to be executed: functions that call themselves IMMUTABLE and are
called by the planner, statements that write, end transactions, change settings, reach for files and
other databases.
"""
import json
import os
import re
import signal
import subprocess
import time

import psycopg
import pytest

from wire import PATIENCE

ROOT = os.path.join(os.path.dirname(__file__), "..", "..")
BIN = os.environ.get("PGASSAY_BIN", os.path.join(ROOT, "bin", "pgassay"))
NAME = "advise_safety"

SCHEMA = '''
CREATE EXTENSION hypopg; CREATE EXTENSION dblink; CREATE EXTENSION pg_trgm;
CREATE TABLE t (id serial PRIMARY KEY, a int, b text);
INSERT INTO t (a, b) SELECT i % 5000, md5(i::text) FROM generate_series(1, 20000) i;
CREATE TABLE written (x int);
CREATE SEQUENCE counter;
CREATE FUNCTION writes(int) RETURNS int LANGUAGE plpgsql VOLATILE AS
    $$ BEGIN INSERT INTO written VALUES ($1); RETURN $1; END $$;
CREATE FUNCTION may_write(int) RETURNS int LANGUAGE plpgsql VOLATILE AS
    $$ BEGIN PERFORM set_config('transaction_read_only', 'off', false);
       INSERT INTO written VALUES ($1); RETURN $1; END $$;
CREATE FUNCTION evil_write(int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS
    $$ BEGIN RETURN writes($1); END $$;
CREATE FUNCTION evil_may_write(int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS
    $$ BEGIN RETURN may_write($1); END $$;
CREATE FUNCTION evil_set(int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS
    $$ BEGIN PERFORM set_config('default_transaction_read_only', 'off', false);
       PERFORM set_config('statement_timeout', '0', false); RETURN $1; END $$;
CREATE FUNCTION evil_count(int) RETURNS int LANGUAGE sql IMMUTABLE AS
    $$ SELECT nextval('counter')::int $$;
CREATE FUNCTION evil_object(int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS
    $$ BEGIN PERFORM lo_create(0); RETURN $1; END $$;
CREATE FUNCTION evil_sleep(int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS
    $$ BEGIN PERFORM pg_sleep(3600); RETURN $1; END $$;
CREATE FUNCTION evil_end(int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS
    $$ BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN $1; END $$;
CREATE ROLE advise_poor LOGIN;
GRANT SELECT ON t TO advise_poor;
CREATE SCHEMA "Mixed ""Case"""; CREATE SCHEMA "select"; CREATE SCHEMA "größe";
CREATE TABLE "Mixed ""Case"""."Tab x" ("Col ""q""" int, "naïve col" text);
CREATE TABLE "select"."table" ("group" int, "end" text);
CREATE TABLE "größe"."straße" ("ключ" int, "价格" int);
CREATE TABLE a_table_name_of_exactly_sixty_three_bytes_that_leaves_no_room_x (
    a_column_name_of_exactly_sixty_three_bytes_that_leaves_no_room_1 int);
CREATE UNLOGGED TABLE plain (a int, b int);
CREATE MATERIALIZED VIEW kept AS SELECT a AS ka, b AS kb FROM t;
CREATE TABLE plain_a_idx (x int);
INSERT INTO "Mixed ""Case"""."Tab x" SELECT i, md5(i::text) FROM generate_series(1, 20000) i;
INSERT INTO "select"."table" SELECT i, md5(i::text) FROM generate_series(1, 20000) i;
INSERT INTO "größe"."straße" SELECT i, i FROM generate_series(1, 20000) i;
INSERT INTO a_table_name_of_exactly_sixty_three_bytes_that_leaves_no_room_x
    SELECT generate_series(1, 20000);
INSERT INTO plain SELECT i, i FROM generate_series(1, 20000) i;
'''

HOSTILE = """
SELECT * FROM t WHERE a = evil_set(1);
SELECT * FROM t WHERE a = evil_set(1) AND b = 'x';
SELECT * FROM t WHERE a = evil_write(1);
SELECT * FROM t WHERE a = evil_may_write(1);
SELECT * FROM t WHERE a = evil_count(1);
SELECT * FROM t WHERE a = evil_object(1);
SELECT pg_sleep(3600) FROM t WHERE a = 5;
SELECT nextval('counter') FROM t WHERE a = 5;
SELECT lo_create(0) FROM t WHERE a = 5;
SELECT * FROM t, dblink('dbname=advise_safety', 'INSERT INTO written VALUES (5) RETURNING x') AS d(x int)
    WHERE a = 5;
COPY t TO PROGRAM 'false';
EXPLAIN ANALYZE DELETE FROM t WHERE a = 7;
EXPLAIN (ANALYZE) SELECT * FROM t WHERE a = 7;
SET default_transaction_read_only = off;
RESET ALL;
COMMIT;
BEGIN; INSERT INTO written VALUES (1); COMMIT;
DELETE FROM t WHERE a = 9;
UPDATE t SET b = 'x' WHERE a = 9;
INSERT INTO written SELECT a FROM t WHERE b = 'y';
WITH d AS (DELETE FROM t WHERE a = 11 RETURNING *) SELECT * FROM d;
SELECT * INTO taken FROM t WHERE a = 5;
CREATE TABLE taken_too AS SELECT * FROM t WHERE a = 5;
SELECT * FROM t WHERE a = 17 FOR UPDATE;
DO $$ BEGIN DELETE FROM t; END $$;
DROP TABLE t;
TRUNCATE t;
SELECT set_config('default_transaction_read_only', 'off', false) FROM t WHERE a = 3;
"""

# Whatever is sent must begin with one of these; "-- " begins the catalog's and HypoPG's questions.
SENT = re.compile(r"execute <unnamed>: (-- |BEGIN READ ONLY$|ROLLBACK$|DEALLOCATE ALL$|PREPARE pgassay_whatif AS |"
                  r"SET LOCAL plan_cache_mode = force_custom_plan$|EXPLAIN \(FORMAT JSON, VERBOSE\) )")


@pytest.fixture(scope="module")
def cursor(postgres):
    postgres.sql(f"CREATE DATABASE {NAME} LC_CTYPE 'C.UTF-8' TEMPLATE template0")
    with psycopg.connect(postgres.dsn(dbname=NAME), autocommit=True) as c:
        c.execute(SCHEMA)
        c.execute("VACUUM ANALYZE")
        c.execute(f"ALTER DATABASE {NAME} SET log_statement = 'all'")
        yield c.cursor()
    postgres.sql(f"DROP DATABASE {NAME}")
    postgres.sql("DROP ROLE advise_poor")


def advise(postgres, tmp_path, text, *options, user="postgres", more=""):
    path = tmp_path / "workload.sql"
    path.write_text(text, encoding="utf-8")
    return subprocess.run([BIN, "advise", "--dsn", postgres.dsn(user=user, dbname=NAME) + more, "-f", "json",
                           "--min-gain", "0", *options, str(path)], capture_output=True, text=True,
                          check=False, timeout=60 * PATIENCE)


def state(cursor):
    return cursor.execute(
        "SELECT (SELECT count(*) FROM t), (SELECT count(*) FROM written), (SELECT last_value FROM counter), "
        "(SELECT count(*) FROM pg_largeobject_metadata), (SELECT count(*) FROM pg_class)").fetchone()


def test_the_server_is_only_asked(cursor, postgres, tmp_path):
    before, seen = state(cursor), len(postgres.log())
    run = advise(postgres, tmp_path, HOSTILE)
    log = postgres.log()[seen:]
    assert run.returncode == 0, run.stderr
    assert [i["columns"] for i in json.loads(run.stdout)["indexes"]], "the rest of the workload gets advice"
    assert state(cursor) == before
    sent = [line.split(": ", 1)[1].strip() for line in log.splitlines() if f"@{NAME} LOG:" in line]
    assert [s for s in sent if not SENT.search(s.replace("  ", ""))] == []
    inside, explained = False, 0
    for line in sent:
        if "BEGIN READ ONLY" in line:
            inside = True
        elif line.endswith(": ROLLBACK"):
            inside = False
        elif "EXPLAIN (" in line or "Tries an index" in line:
            assert inside, line
            explained += 1
    assert explained > 50
    notes = " ".join(json.loads(run.stdout)["notes"])
    assert "cannot execute INSERT in a read-only transaction" in notes
    assert "cannot execute nextval() in a read-only transaction" in notes


def test_a_shorter_timeout_of_the_server_is_kept(cursor, postgres, tmp_path):
    run = advise(postgres, tmp_path, "SELECT * FROM t WHERE a = evil_sleep(1);\nSELECT * FROM t WHERE b = 'x';\n",
                 more=" options='-c statement_timeout=400'")
    report = json.loads(run.stdout)
    assert "canceling statement due to statement timeout" in " ".join(report["notes"])
    assert [i["columns"] for i in report["indexes"]] == [["b"]]


def test_auto_explain_does_not_hide_what_is_tried(cursor, postgres, tmp_path):
    """It explains an EXPLAIN, too, and fails on indexes that do not exist: off where we may, said where not."""
    text = "SELECT * FROM t WHERE b = 'x';\n"
    try:
        for role in ("postgres", "advise_poor"):
            cursor.execute(f"ALTER ROLE {role} IN DATABASE {NAME} SET session_preload_libraries = 'auto_explain'")
            cursor.execute(f"ALTER ROLE {role} IN DATABASE {NAME} SET auto_explain.log_min_duration = 0")
        ours = json.loads(advise(postgres, tmp_path, text).stdout)
        theirs = json.loads(advise(postgres, tmp_path, text, user="advise_poor").stdout)
    finally:
        for role in ("postgres", "advise_poor"):
            cursor.execute(f"ALTER ROLE {role} IN DATABASE {NAME} RESET ALL")
    assert [i["columns"] for i in ours["indexes"]] == [["b"]]
    assert theirs["indexes"] == []
    assert "SET auto_explain.log_min_duration = -1" in " ".join(theirs["notes"])


def test_values_of_the_log_are_asked_about(cursor, postgres, tmp_path):
    """A value that is rare where the average is not; without values it is said what was assumed."""
    cursor.execute("CREATE TABLE skew AS SELECT i AS id, CASE WHEN i % 1000 = 0 THEN 'open' ELSE 'it''s done' END AS state,"
                   " repeat('x', 50) AS pad FROM generate_series(1, 40000) i")
    cursor.execute("VACUUM ANALYZE skew")
    sql = "SELECT * FROM skew WHERE state = $1 AND pad <> $2"
    head = "2026-01-05 10:00:00.000 UTC [77] LOG:  duration: "
    values = "2026-01-05 10:00:00.000 UTC [77] DETAIL:  parameters: $1 = 'open', $2 = 'it''s'\n"
    log = tmp_path / "server.log"
    log.write_text(f"{head}0.100 ms  parse <unnamed>: {sql}\n{head}0.100 ms  bind <unnamed>: {sql}\n{values}"
                   f"{head}9.000 ms  execute <unnamed>: {sql}\n{values}")

    def ask(path, command="advise"):
        run = subprocess.run([BIN, command, "--dsn", postgres.dsn(user="postgres", dbname=NAME), "-f", "json", str(path)],
                             capture_output=True, text=True, check=True, timeout=60 * PATIENCE)
        return json.loads(run.stdout)
    known = ask(log)
    assert [i["columns"][0] for i in known["indexes"]] == ["state"]
    assert "no values of the parameters" not in " ".join(known["notes"])
    with log.open("a") as f:
        f.write(f"{head}8.900 ms  plan:\n\tQuery Text: {sql}\n"
                "\tSeq Scan on skew  (cost=0.00..997.00 rows=40 width=60) (actual time=0.1..8.8 rows=40 loops=1)\n"
                "\t  Filter: ((pad <> 'it''s'::text) AND (state = 'open'::text))\n\t  Rows Removed by Filter: 39960\n")
    both = ask(log, "log")
    assert [(i["columns"][0], i["status"]) for i in both["indexes"]] == [("state", "validated")], "and none of the plan alone"
    assert [s["calls"] for s in both["shapes"]] == [1]
    assert "PL001" in [f["rule"] for f in both["findings"]]
    (tmp_path / "w.sql").write_text(sql + ";\n")
    assert "no values of the parameters of 1 query:" in " ".join(ask(tmp_path / "w.sql")["notes"])
    cursor.execute("DROP TABLE skew")


def hot_updates(cursor, what):
    """Of 20 UPDATEs, as the server counts them."""
    cursor.execute("BEGIN")
    before = cursor.execute("SELECT pg_stat_get_xact_tuples_hot_updated('hot'::regclass)").fetchone()[0]
    cursor.execute(f"UPDATE hot SET {what} WHERE id <= 20")
    after = cursor.execute("SELECT pg_stat_get_xact_tuples_hot_updated('hot'::regclass)").fetchone()[0]
    cursor.execute("ROLLBACK")
    return after - before


@pytest.mark.parametrize("query, sets, lost", [
    ("SELECT pad FROM hot WHERE state = 7", "state = state + 1", 3),
    ("SELECT pad FROM hot WHERE estate = 7", "state = state + 1", 0),           # another column, whose name has it
    ("SELECT * FROM hot WHERE lower(pad) = 'x'", "pad = 'y'", 3),       # an expression of it
    ("SELECT id FROM hot WHERE estate = 7 AND NOT gone", "gone = true", 3),    # the predicate of a partial index
])
def test_updates_that_lose_hot_are_said(cursor, postgres, tmp_path, query, sets, lost):
    """What is said is what the server counts: HOT before the index is there, not with it."""
    cursor.execute("DROP TABLE IF EXISTS hot")
    cursor.execute("CREATE TABLE hot (id int PRIMARY KEY, state int, estate int, gone bool, pad text) WITH (fillfactor = 50)")
    cursor.execute("INSERT INTO hot SELECT i, i % 500, i % 500, i % 50 = 0, md5(i::text) || repeat('x', 50)"
                   "FROM generate_series(1, 20000) i")
    cursor.execute("VACUUM ANALYZE hot")
    run = advise(postgres, tmp_path, f"{query};\n" + f"UPDATE hot SET {sets} WHERE id = 9;\n" * 3)
    index = json.loads(run.stdout)["indexes"][0]
    assert ("3 UPDATEs can be HOT no more" in index["why"]) == (lost > 0), index
    assert hot_updates(cursor, sets) == 20
    cursor.execute(index["ddl"].replace("CONCURRENTLY ", ""))
    assert hot_updates(cursor, sets) == (0 if lost else 20), index["ddl"]
    cursor.execute("DROP TABLE hot")


def test_what_the_role_may_not_read_is_said(cursor, postgres, tmp_path):
    run = advise(postgres, tmp_path, "SELECT * FROM plain WHERE a = 7;\nSELECT * FROM t WHERE b = 'x';\n"
                 "SELECT gone FROM t WHERE a = 8;\nSELECT * FROM t WHERE a = 'secret';\n",
                 "--literals", "mask", user="advise_poor")
    report = json.loads(run.stdout)
    notes = " ".join(report["notes"])
    assert "permission denied for table plain (select * from plain where a = ?)" in notes
    assert 'column "gone" does not exist' in notes
    assert "SQLSTATE 22P02" in notes and "secret" not in run.stdout, "an error's value is masked"
    assert [i["columns"] for i in report["indexes"]] == [["b"]]


def test_a_lost_connection_ends_it(cursor, postgres, tmp_path):
    """The statement that made the server close it is not sent again."""
    seen = len(postgres.log())
    run = advise(postgres, tmp_path, "SELECT * FROM t WHERE b = 'x';\nSELECT * FROM t WHERE a = evil_end(1);\n")
    assert run.returncode == 75 and run.stdout == ""
    assert "the connection to the database was lost while query" in run.stderr
    assert postgres.log()[seen:].count("execute <unnamed>: EXPLAIN (FORMAT JSON, VERBOSE) SELECT * FROM t WHERE a = evil_end") == 1


def test_names_of_every_kind(cursor, postgres, tmp_path):
    """Each DDL is taken by the server as it is printed: quoted, short enough, not a name that is there."""
    run = advise(postgres, tmp_path, '''
SELECT * FROM "Mixed ""Case"""."Tab x" WHERE "Col ""q""" = 5;
SELECT * FROM "Mixed ""Case"""."Tab x" WHERE lower("naïve col") = 'abc';
SELECT * FROM "select"."table" WHERE "group" = 5;
SELECT * FROM "größe"."straße" WHERE "ключ" = 7;
SELECT * FROM "größe"."straße" WHERE "价格" = 7;
SELECT * FROM a_table_name_of_exactly_sixty_three_bytes_that_leaves_no_room_x
    WHERE a_column_name_of_exactly_sixty_three_bytes_that_leaves_no_room_1 = 4;
SELECT * FROM plain WHERE a = 5;
SELECT * FROM kept WHERE ka = 5;
''')
    ddl = [i["ddl"] for i in json.loads(run.stdout)["indexes"]]
    assert len(ddl) == 8, ddl
    made = []
    for one in ddl:
        name = re.match(r'CREATE INDEX CONCURRENTLY ("[^"]+"|\S+) ON ("(?:[^"]|"")+"|\S+?)\.', one)
        assert len(name[1].strip('"').encode()) <= 63
        cursor.execute(one)
        made.append(f"{name[2]}.{name[1]}")
    for one in made:
        cursor.execute(f"DROP INDEX {one}")


def scratch_copies(postgres):
    return postgres.sql("SELECT datname FROM pg_database WHERE datname LIKE 'pgassay_scratch%'")


def test_a_signal_leaves_no_copy(cursor, postgres, tmp_path):
    path = tmp_path / "workload.sql"
    path.write_text("SELECT count(*) FROM t x, t y, t z WHERE x.b LIKE '%abc%';\n")
    dsn = postgres.dsn(dbname=NAME)
    for sig in (signal.SIGINT, signal.SIGTERM):
        with subprocess.Popen([BIN, "advise", "--dsn", dsn, "--scratch", dsn, str(path)],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE) as run:
            while not postgres.sql("SELECT 1 FROM pg_stat_activity WHERE datname LIKE 'pgassay_scratch%' "
                                   "AND query LIKE 'EXPLAIN (ANALYZE%' AND state = 'active'"):
                assert run.poll() is None, run.communicate()
                time.sleep(0.02)
            run.send_signal(sig)
            _, said = run.communicate(timeout=60 * PATIENCE)
            assert run.returncode == -sig, said
            assert b"stopped by a signal" in said
        assert scratch_copies(postgres) == []


def test_the_copy_runs_nothing_that_outlasts_it(cursor, postgres, tmp_path):
    """No volatile function, no way to other servers; what only reads and writes its tables is run."""
    cursor.execute("CREATE EXTENSION postgres_fdw; CREATE SERVER far FOREIGN DATA WRAPPER postgres_fdw "
                   f"OPTIONS (host '{postgres.dir}', port '{postgres.port}', dbname '{NAME}'); "
                   "CREATE USER MAPPING FOR postgres SERVER far OPTIONS (user 'postgres'); "
                   "CREATE FOREIGN TABLE away (x int) SERVER far OPTIONS (table_name 'written')")
    before, seen = state(cursor), len(postgres.log())
    run = advise(postgres, tmp_path, "SELECT * FROM t, dblink('dbname=advise_safety', 'SELECT 1') AS d(x int) WHERE a = 5;\n"
                 "SELECT pg_sleep(3600) FROM t WHERE a = 5;\nSELECT lo_export(1, '/nowhere') FROM t WHERE a = 5;\n"
                 "SELECT * FROM t WHERE a = writes(1);\nDELETE FROM away WHERE x = 3;\n"
                 "UPDATE t SET b = 'x' WHERE a = 77;\nSELECT * FROM t WHERE b LIKE '%abcdef%';\n",
                 "--scratch", postgres.dsn(dbname=NAME))
    ran = set(re.findall(r"EXPLAIN \(ANALYZE, TIMING OFF, FORMAT JSON\) (.*)", postgres.log()[seen:]))
    assert run.returncode == 0, run.stderr
    assert ran <= {"UPDATE t SET b = 'x' WHERE a = 77", "SELECT * FROM t WHERE b LIKE '%abcdef%'",
                   "DELETE FROM away WHERE x = 3"}, ran
    assert any("2 queries were run in the copy" in n for n in json.loads(run.stdout)["notes"])
    assert state(cursor) == before
    assert scratch_copies(postgres) == []
    cursor.execute("DROP SERVER far CASCADE; DROP EXTENSION postgres_fdw")
