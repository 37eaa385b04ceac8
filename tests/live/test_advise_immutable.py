"""test_advise_immutable.py - expressions are indexed only when they are immutable, and then they are.

Each filter goes to `pgassay plan` as its plan's text, without a schema and with one, and to `pgassay
advise`; the server says whether it takes what is proposed.
"""
import json
import os
import subprocess

import psycopg
import pytest

from wire import PATIENCE

ROOT = os.path.join(os.path.dirname(__file__), "..", "..")
BIN = os.environ.get("PGASSAY_BIN", os.path.join(ROOT, "bin", "pgassay"))
NAME = "advise_immutable"

SCHEMA = """CREATE TABLE seen (id int, at timestamptz, local timestamp, day date, name text, n int, pad text);
"""

# The filter; is it immutable; can the plan alone tell?
FILTERS = [
    ("date_trunc('day', at AT TIME ZONE 'UTC') = '2026-01-05'", True, True),
    ("date_trunc('day', at AT TIME ZONE 'UTC') >= '2026-01-05' AND date_trunc('day', at AT TIME ZONE 'UTC') < '2026-01-06'", True, True),
    ("(at AT TIME ZONE 'Europe/Berlin')::date = '2026-01-05'", True, True),
    ("EXTRACT(hour FROM at AT TIME ZONE 'UTC') = 77", True, True),
    ("date_trunc('day', local) = '2026-01-05'", True, True),
    ("local::date = '2026-01-05'", True, False),
    ("EXTRACT(year FROM local) = 1999", True, False),
    ("EXTRACT(dow FROM day) = 77", True, False),
    ("(local + interval '1 day') = '2026-01-05'", True, False),
    ("lower(name || 'x') = 'ax'", True, True),
    ("date_trunc('day', at) = '2026-01-05'", False, True),
    ("at::date = '2026-01-05'", False, True),
    ("EXTRACT(hour FROM at) = 77", False, True),
    ("(at + interval '1 day') = '2026-01-05'", False, True),
    ("to_char(at, 'YYYY') = '1999'", False, True),
    ("at::text = '2026'", False, False),
    ("local::timestamptz = '2026-01-05'", False, True),
    ("date_trunc('day', local AT TIME ZONE 'UTC') = '2026-01-05'", False, True),
    ("(n || 'x') = '7x'", True, True),
    ("to_tsvector(name) @@ to_tsquery('zzz')", False, True),
]


@pytest.fixture(scope="module")
def cursor(postgres):
    postgres.sql(f"CREATE DATABASE {NAME}")
    with psycopg.connect(postgres.dsn(user="postgres", dbname=NAME), autocommit=True) as c:
        c.execute("CREATE EXTENSION hypopg; " + SCHEMA)
        c.execute("INSERT INTO seen SELECT i, timestamptz '2025-01-01' + i * interval '1 hour', timestamp '2025-01-01' + "
                  "i * interval '1 hour', date '2025-01-01' + i / 24, 'name' || i, i, repeat('x', 80) FROM generate_series(1, 20000) i")
        c.execute("VACUUM ANALYZE seen")
        yield c.cursor()
    postgres.sql(f"DROP DATABASE {NAME}")


def proposed(*words):
    run = subprocess.run([BIN, *words], capture_output=True, text=True, check=False, timeout=60 * PATIENCE)
    assert run.returncode in (0, 1), run.stderr
    return [i["ddl"] for i in json.loads(run.stdout)["indexes"]]


def is_taken(cursor, ddl):
    cursor.execute("BEGIN")
    try:
        cursor.execute(ddl.replace("CONCURRENTLY ", ""))
        return True
    except psycopg.errors.InvalidObjectDefinition:
        return False
    finally:
        cursor.execute("ROLLBACK")


@pytest.mark.parametrize("where, is_immutable, plan_tells", FILTERS)
def test_an_expression_is_indexed_only_when_it_is_immutable(cursor, postgres, tmp_path, where, is_immutable, plan_tells):
    sql = f"SELECT id FROM seen WHERE {where}"
    plan, schema, query = tmp_path / "plan.txt", tmp_path / "schema.sql", tmp_path / "w.sql"
    plan.write_text("\n".join(r[0] for r in cursor.execute(f"EXPLAIN ANALYZE {sql}").fetchall()) + "\n")
    schema.write_text(SCHEMA)
    query.write_text(sql + ";\n")
    alone = proposed("plan", "-f", "json", str(plan))
    if plan_tells:
        assert [is_taken(cursor, d) for d in alone] == ([True] if is_immutable else []), (plan.read_text(), alone)
    known = proposed("plan", "-f", "json", "--schema", str(schema), str(plan))
    assert [is_taken(cursor, d) for d in known] == ([True] if is_immutable else []), (plan.read_text(), known)
    advised = proposed("advise", "--dsn", postgres.dsn(user="postgres", dbname=NAME), "-f", "json", str(query))
    assert all(is_taken(cursor, d) for d in advised) and (advised != []) == is_immutable, advised
