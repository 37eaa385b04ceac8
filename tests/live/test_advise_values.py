"""test_advise_values.py - `pgassay advise` asks about the values of real calls, whatever their order.

What is rare, what is stable and what varies decides whether a partial index is proposed; the calls
of a log or the statements of a file in another order must give the same advice.
"""
import json
import os
import random
import subprocess

import psycopg
import pytest

from wire import PATIENCE

ROOT = os.path.join(os.path.dirname(__file__), "..", "..")
BIN = os.environ.get("PGASSAY_BIN", os.path.join(ROOT, "bin", "pgassay"))
NAME = "advise_values"

# Of 60,000 jobs 60 are open and 300 failed; one tenant of 50 has nine of ten.
SCHEMA = '''
CREATE EXTENSION hypopg;
CREATE TABLE jobs (id int PRIMARY KEY, state text NOT NULL, tenant int NOT NULL, owner int NOT NULL,
                   due timestamptz NOT NULL, pad text NOT NULL);
INSERT INTO jobs SELECT i, CASE WHEN i % 1000 = 0 THEN 'open' WHEN i % 200 = 1 THEN 'failed' ELSE 'done' END,
    CASE WHEN i % 10 = 0 THEN 2 + i / 10 % 49 ELSE 1 END, i * 7 % 20011,
    timestamptz '2026-01-01' + i * interval '1 minute', repeat('x', 60) FROM generate_series(1, 60000) i;
'''


@pytest.fixture(scope="module")
def dsn(postgres):
    postgres.sql(f"CREATE DATABASE {NAME}")
    with psycopg.connect(postgres.dsn(user="postgres", dbname=NAME), autocommit=True) as c:
        c.execute(SCHEMA)
        c.execute("SET default_statistics_target = 1000")   # all rows are looked at: no chance in what the planner knows
        c.execute("VACUUM ANALYZE")
    yield postgres.dsn(user="postgres", dbname=NAME)
    postgres.sql(f"DROP DATABASE {NAME}")


def report(dsn, *words, command="advise"):
    run = subprocess.run([BIN, command, "--dsn", dsn, "-f", "json", *words],
                         capture_output=True, text=True, check=True, timeout=60 * PATIENCE)
    return json.loads(run.stdout)


def advise(dsn, path, *options):
    return report(dsn, *options, str(path))["indexes"]


def sql_file(tmp_path, *statements):
    path = tmp_path / "workload.sql"
    path.write_text("".join(s + ";\n" for s in statements))
    return path


def test_a_rare_constant_becomes_a_partial_index(dsn, tmp_path):
    queue = sql_file(tmp_path, "SELECT * FROM jobs WHERE state = 'open' ORDER BY due LIMIT 20",
                     "SELECT * FROM jobs WHERE state = 'open' AND owner = 14")
    for options in ((), ("--budget", "100kB")):
        found = advise(dsn, queue, *options)
        assert found and all(i["where"] == "state = 'open'::text" for i in found), found
        assert all(i["status"] == "validated" and i["cost_after"] < i["cost_before"] / 20 for i in found)
        assert all("a call with another value would not use it" in i["why"] for i in found)
    with psycopg.connect(dsn) as c:    # and the DDL is one, which the planner takes
        for i in found:
            c.execute(i["ddl"].replace("CONCURRENTLY ", ""))
        plan = c.execute("EXPLAIN SELECT * FROM jobs WHERE state = 'open' ORDER BY due LIMIT 20").fetchall()
        assert "jobs_due_partial_idx" in str(plan), plan
        c.rollback()


def test_a_constant_that_is_not_rare_or_not_stable_does_not(dsn, tmp_path):
    done = sql_file(tmp_path, "SELECT * FROM jobs WHERE state = 'done' AND owner = 14")
    assert [i["where"] for i in advise(dsn, done)] == [None]
    both = sql_file(tmp_path, *[f"SELECT count(*) FROM jobs WHERE state = '{s}' AND owner = {i}"
                                for i in range(4) for s in ("open", "failed")])
    assert [i["where"] for i in advise(dsn, both)] == [None], "every call has one of two values"
    one = sql_file(tmp_path, "SELECT * FROM jobs WHERE owner = 14")
    assert [i["where"] for i in advise(dsn, one)] == [None], "a key is looked up by another value the next time"


def log_of(tmp_path, calls):
    """A server's log, each call with a time of its own: (milliseconds, text, parameters or None)."""
    path = tmp_path / "server.log"
    with path.open("w") as f:
        for second, ms, text, values in calls:
            at = f"2026-01-05 10:{second // 60:02}:{second % 60:02}.000 UTC [77] "
            kind = "execute <unnamed>" if values else "statement"
            f.write(f"{at}LOG:  duration: {ms:.3f} ms  {kind}: {text}\n")
            if values:
                f.write(f"{at}DETAIL:  parameters: " + ", ".join(f"${i} = '{v}'" for i, v in enumerate(values, 1)) + "\n")
    return path


def test_a_parameter_may_have_another_value_the_next_time(dsn, tmp_path):
    """The same in all calls, and yet no predicate; what stands in the statement beside it is one."""
    calls = [(i, 5.0, "SELECT * FROM jobs WHERE state = $1 AND owner = $2", ["open", i * 31 % 20011]) for i in range(60)]
    assert {i["where"] for i in advise(dsn, log_of(tmp_path, calls))} == {None}
    calls = [(i, 5.0, "SELECT * FROM jobs WHERE state = 'open' AND owner = $1", [i * 31 % 20011]) for i in range(60)]
    assert {i["where"] for i in advise(dsn, log_of(tmp_path, calls), "--budget", "100kB")} == {"state = 'open'::text"}


def test_the_order_of_the_input_is_no_matter(dsn, tmp_path):
    """A skewed parameter: most calls ask for a small tenant, one in ten for nearly all rows."""
    tenant = "SELECT count(pad) FROM jobs WHERE tenant = $1"
    calls = [(i, 9.0 if i % 10 else 30.0 + i % 7, tenant, [1] if i % 10 == 0 else [2 + i % 49]) for i in range(200)]
    calls += [(200 + i, 5.0 + i % 3, "SELECT * FROM jobs WHERE state = $1 AND owner = $2",
               ["open" if i % 20 else "failed", i * 31 % 20011]) for i in range(100)]
    calls += [(300 + i, 4.0 + i % 2, f"SELECT due FROM jobs WHERE owner = {i * 13 % 20011} AND tenant = {1 + i % 50}", None)
              for i in range(60)]
    texts = [c[2] + ";\n" for c in calls if not c[3]]
    said, said_of_files = set(), set()
    for seed in range(4):
        random.Random(seed).shuffle(calls)
        random.Random(seed).shuffle(texts)
        found = advise(dsn, log_of(tmp_path, calls), "--min-gain", "0")
        assert found
        said.add(json.dumps(found))
        (tmp_path / "w.sql").write_text("".join(texts))
        said_of_files.add(json.dumps(advise(dsn, tmp_path / "w.sql", "--min-gain", "0")))
    assert len(said) == 1, said
    assert len(said_of_files) == 1, said_of_files


def test_costs_are_those_of_the_sampled_values(dsn, tmp_path):
    """Between what the planner says of the rare value and of the frequent one, as often as each came."""
    sql = "SELECT count(pad) FROM jobs WHERE tenant = $1"
    with psycopg.connect(dsn) as c:
        c.execute("CREATE INDEX jobs_tenant ON jobs (tenant)")

        def cost(value):
            return c.execute(f"EXPLAIN (FORMAT JSON) {sql.replace('$1', str(value))}").fetchone()[0][0]["Plan"]["Total Cost"]
        rare, frequent = cost(7), cost(1)
        c.rollback()
    assert frequent > 3 * rare

    def after(values):
        found = advise(dsn, log_of(tmp_path, [(i, 5.0, sql, [v]) for i, v in enumerate(values)]), "--min-gain", "0")
        return found[0]["cost_after"] / len(values) if found else None
    assert after([7] * 50) == pytest.approx(rare, rel=0.05)
    mixed = after([7] * 25 + [1] * 25)
    assert rare * 1.2 < mixed < frequent * 0.95, (rare, mixed, frequent)


def test_without_files_the_workload_is_pg_stat_statements(own_postgres):
    """Of the database that --dsn names, with its rows and times; the catalog's own questions get no advice."""
    own_postgres.stop()
    own_postgres.settings["shared_preload_libraries"] = "pg_stat_statements"
    own_postgres.start()
    with psycopg.connect(own_postgres.dsn(user="postgres", dbname="shop"), autocommit=True) as c:
        c.execute("CREATE EXTENSION pg_stat_statements; " + SCHEMA)
        c.execute("VACUUM ANALYZE")
        c.execute("SELECT pg_stat_statements_reset()")
        for owner in range(20):
            c.execute(f"SELECT due FROM jobs WHERE owner = {owner} AND due > now() - interval '1 year'")
    found = report(own_postgres.dsn(user="postgres", dbname="shop"))
    calls = {s["sql"]: s["calls"] for s in found["shapes"]}
    assert calls["select due from jobs where owner = ? and due > now() - interval ?"] == 20
    assert [i["columns"][0] for i in found["indexes"]] == ["owner"]
    assert not [n for n in found["notes"] if "could not be planned" in n], found["notes"]
