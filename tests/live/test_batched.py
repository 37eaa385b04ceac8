"""The statement that a finding about a loop prints does what the loop did.

The tables hold random rows with NULLs and duplicates.  Each case is a loop: it is written down as
a log, pgassay prints the statement for all its keys, and both are executed.
"""
import json
import os
import random
import subprocess

import psycopg
import pytest

from pooler import ROOT

pytestmark = pytest.mark.slow  # the analyzer is what is tested: once is enough
PGASSAY = os.environ.get("PGASSAY_BIN", os.path.join(ROOT, "bin", "pgassay"))
COLUMNS = "id bigint primary key, parent_id bigint, name text, n int, at timestamptz, ok boolean"


@pytest.fixture(scope="module")
def tables(postgres):
    rng = random.Random(7)
    name = "batched_" + str(os.getpid())
    with postgres.connect(dbname="shop") as c:
        c.execute(f"create schema {name}")
        for table in ("child", "again"):
            c.execute(f"create table {name}.{table} ({COLUMNS})")
        for i in range(200):
            row = [i, rng.choice([None, *range(12)]), rng.choice([None, "a", "b'c", "ü", ""]),
                   rng.choice([None, 1, 2, 3]), rng.choice([None, "2024-01-05 10:00:00+00"]),
                   rng.choice([None, True, False])]
            c.execute(f"insert into {name}.child values (%s, %s, %s, %s, %s, %s)", row)
        c.execute(f"create table {name}.parent (id bigint primary key, title text)")
        c.execute(f"insert into {name}.parent select i, 'p' || i from generate_series(0, 19) i")
        yield c, name
        c.execute(f"drop schema {name} cascade")


def quoted(value):
    return "NULL" if value is None else "'" + str(value).replace("'", "''") + "'"


def log_of(statements):
    """[(SQL, parameters)] as PostgreSQL logs them, in one transaction."""
    out = []
    for n, (sql, params) in enumerate(statements):
        head = f"2024-01-05 10:00:00.{n:03} UTC [9] u@d "
        if params is None:
            out.append(f"{head}LOG:  duration: 0.100 ms  statement: {sql}")
        else:
            detail = ", ".join(f"${i} = {quoted(v)}" for i, v in enumerate(params, 1))
            out.append(f"{head}LOG:  duration: 0.100 ms  execute <unnamed>: {sql}")
            out.append(f"{head}DETAIL:  parameters: {detail}")
    return "\n".join(out) + "\n"


def findings(postgres, schema, tmp_path, statements, *words):
    path = tmp_path / "loop.log"
    path.write_text(log_of([("BEGIN", None), *statements, ("COMMIT", None)]))
    dsn = postgres.dsn(host="127.0.0.1", user="trusty", dbname="shop",
                       options=f"-c search_path={schema}")
    run = subprocess.run([PGASSAY, "log", "--format", "json", "--fail-on", "never",
                          "--dsn", dsn, *words, str(path)],
                         capture_output=True, text=True, timeout=500)
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout)["findings"]


PARENT = ("select id, title from parent order by id limit 20", None)
READS = {
    "rows": "select id, name, n from child where parent_id = {}",
    "with the key": "select * from child where parent_id = {} order by id",
    "another condition": "select id, parent_id from child where parent_id = {} and n > 1",
    "by the primary key": "select id, name from child where id = {}",
    "one of each key": "select id, name, parent_id from child where parent_id = {} order by id limit 1",
    "the other way round": "select id, parent_id from child where {} = parent_id",
    "counts": "select count(*) from child where parent_id = {}",
    "counts of what is not NULL": "select count(n) from child where parent_id = {} and ok",
    "probes": "select 1 as one from child where parent_id = {} limit 1",
    "exists": "select exists (select 1 from child where parent_id = {} and n = 3)",
}


@pytest.mark.ours
@pytest.mark.parametrize("style", ("literals", "parameters"))
@pytest.mark.parametrize("case", READS)
def test_reads(postgres, tables, tmp_path, case, style):
    _, schema = tables
    keys = list(range(0, 20, 2)) + [999]
    loop = [(READS[case].format(k), None) if style == "literals" else
            (READS[case].format("$1"), [k]) for k in keys]
    found = [f for f in findings(postgres, schema, tmp_path, [PARENT, *loop], "--verify")
             if f["rule"] in ("NP001", "NP006", "NP007")]
    assert len(found) == 1, found
    assert found[0]["evidence"]["verified"].startswith("verified: the same rows"), found[0]
    assert "ANY ($1" in found[0]["fix"]["sql"]


@pytest.fixture(scope="module")
def pair(tables):
    """A schema in which parents come twice and have no id, and so do the children's keys."""
    c, name = tables
    rng = random.Random(11)
    name += "_pair"
    c.execute(f"create schema {name}; create table {name}.child as table {name[:-5]}.child;"
              f"create table {name}.parent (id bigint, child_id bigint, title text)")
    for i in range(60):
        c.execute(f"insert into {name}.parent values (%s, %s, %s)",
                  (rng.choice([None, *range(30)]), rng.choice([None, *range(230)]),
                   rng.choice([None, "a", "b'c"])))
    yield c, name
    c.execute(f"drop schema {name} cascade")


CHILD = {"id": 0, "parent_id": 1, "name": 2, "n": 3, "at": 4, "ok": 5}
JOINS = {  # parent's columns; the one whose value is the child's key; the child's condition
    "children of a parent": ("id, title", "id", "parent_id = $1"),
    "all columns": ("*", "id", "parent_id = $1"),
    "the parent's child": ("title, child_id", "child_id", "id = $1"),
    "in an order": ("id, title", "id", "parent_id = $1 order by name"),
}


@pytest.mark.ours
@pytest.mark.parametrize("columns", ("*", "name, n, parent_id"))
@pytest.mark.parametrize("case", JOINS)
def test_joins(postgres, pair, tmp_path, case, columns):
    """The JOIN with the parent returns what the loop fetched for each of the parent's rows."""
    c, schema = pair
    of_parent, key, condition = JOINS[case]
    parent = f"select {of_parent} from parent where title = $1 or child_id > $2 "\
        "order by id nulls first, child_id, title limit 40"
    child = f"select {columns} from child where {condition}"
    c.execute(f"set search_path to {schema}")
    rows = fetched(c, parent, ["a", 60])
    at = [d.name for d in c.execute("select * from parent" if of_parent == "*" else
                                    f"select {of_parent} from parent").description].index(key)
    assert len({r[at] for r in rows}) < len(rows) and None in {r[at] for r in rows}
    loop = [(r, fetched(c, child, [r[at]])) for r in rows]  # a key that is NULL finds nothing
    log = [(parent, ["a", 60])] + [(child, [r[at]]) for r in rows if r[at] is not None]
    found = [f for f in findings(postgres, schema, tmp_path, log, "--verify") if f["rule"] == "NP001"]
    assert len(found) == 1, found
    assert found[0]["evidence"]["join_verified"].startswith("verified: the same "), found[0]
    wanted = list(CHILD.values()) if columns == "*" else [CHILD[k] for k in columns.split(", ")]
    joined = fetched(c, found[0]["evidence"]["join_sql"], ["a", 60])
    assert joined
    assert sorted([repr(([r[i] for i in wanted], r[len(CHILD):])) for r in joined]) == \
        sorted([repr((list(one), r)) for r, children in loop for one in children])


@pytest.mark.ours
def test_a_join_that_returns_other_rows_is_taken_back(postgres, pair, tmp_path):
    """A view that shows other rows each time: only running both tells."""
    c, schema = pair
    c.execute(f"set search_path to {schema}; create table if not exists shade (id bigint, child_id bigint);"
              "insert into shade select i, i from generate_series(0, 9) i;"
              "create or replace view shown as select id, child_id from shade order by random() limit 3")
    parent = ("select id, child_id from shown", None)
    loop = [("select id, name from child where id = $1", [k]) for k in range(9)]
    seen = set()
    for _ in range(20):  # which three rows the view shows changes from one statement to the next
        found = [f for f in findings(postgres, schema, tmp_path, [parent, *loop], "--verify")
                 if f["rule"] == "NP001"]
        assert len(found) == 1, found
        seen.add((found[0]["evidence"]["join_verified"].split(":")[0], "join_sql" in found[0]["evidence"]))
        if ("taken back", False) in seen:
            break
    assert ("taken back", False) in seen, seen


@pytest.mark.ours
def test_a_join_without_the_parents_values_is_not_verified(postgres, pair, tmp_path):
    _, schema = pair
    loop = [("select id, name from child where id = $1", [k]) for k in range(9)]
    for values, said in ((["a"], "verified"), ([], "not verified: the log does not have")):
        parent = ("select title, child_id from parent where title = $1", values)
        found = [f for f in findings(postgres, schema, tmp_path, [parent, *loop], "--verify")
                 if f["rule"] == "NP001"]
        assert len(found) == 1 and found[0]["evidence"]["join_verified"].startswith(said), found


@pytest.mark.ours
@pytest.mark.parametrize("child", (
    "select distinct name from child where parent_id = $1",
    "select name from child where parent_id = $1 order by id limit 1",
    "select name from child where parent_id = $1 order by id offset 1",
    "select name, row_number() over () from child where parent_id = $1",
    "select name, n from child where parent_id = $1 group by 1, 2"))
def test_no_join_for_what_a_join_changes(postgres, pair, tmp_path, child):
    _, schema = pair
    log = [("select id, title from parent order by id limit 30", None)] + \
        [(child, [k]) for k in range(12)]
    found = [f for f in findings(postgres, schema, tmp_path, log) if f["rule"] == "NP001"]
    assert len(found) == 1 and "join_sql" not in found[0]["evidence"], found


def all_of(c, table):
    return c.execute(f"select parent_id, name, n, at, ok from {table} order by 1, 2, 3, 4, 5").fetchall()


def values(rng):
    return {"id": rng.randrange(10 ** 6, 10 ** 9), "parent_id": rng.choice([1, 2, None]),
            "name": rng.choice(["x", "y'z"]), "n": rng.choice([4, 5]),
            "at": "2024-02-01 00:00:00+00", "ok": rng.choice([True, False])}


@pytest.mark.ours
def test_inserts(postgres, tables, tmp_path):
    c, schema = tables
    rng = random.Random(3)
    rows = [list(values(rng).values()) for _ in range(10)]
    sql = "insert into again (id, parent_id, name, n, at, ok) values ($1, $2, $3, $4, $5, $6)"
    found = [f for f in findings(postgres, schema, tmp_path, [(sql, r) for r in rows], "--verify")
             if f["rule"] == "NP003"]
    assert found[0]["evidence"]["verified"].endswith("the server can plan it")
    fix = found[0]["fix"]["sql"]
    assert "unnest($1::" in fix
    c.execute(f"set search_path to {schema}")
    arrays = [[r[i] for r in rows] for i in range(6)]
    prepared(c, fix, arrays)
    assert c.execute("select count(*) from again").fetchone() == (10,)
    stored = c.execute("select * from again order by id").fetchall()
    assert [list(r)[:4] for r in stored] == [r[:4] for r in sorted(rows)]
    c.execute("truncate again")


@pytest.mark.ours
@pytest.mark.parametrize("sql, one", [
    ("update child set name = $1, n = $2 where id = $3", lambda k: [f"new {k}", k % 7, k]),
    ("update child set ok = true where id = $1", lambda k: [k]),
    ("delete from child where id = $1", lambda k: [k]),
], ids=("other values", "the same value", "deletes"))
def test_writes(postgres, tables, tmp_path, sql, one):
    c, schema = tables
    keys = list(range(0, 40, 3))
    found = [f for f in findings(postgres, schema, tmp_path, [(sql, one(k)) for k in keys], "--verify")
             if f["rule"] == "NP004"]
    assert found[0]["evidence"]["verified"].endswith("the server can plan it"), found
    fix = found[0]["fix"]["sql"]
    c.execute(f"set search_path to {schema}")
    with c.transaction(force_rollback=True):
        for k in keys:
            prepared(c, sql, one(k))
        expected = all_of(c, "child")
    with c.transaction(force_rollback=True):
        rows = [one(k) for k in keys]
        arrays = [keys] if len(rows[0]) == 1 else [keys, [r[0] for r in rows], [r[1] for r in rows]]
        prepared(c, fix, arrays)
        assert all_of(c, "child") == expected, fix


def fetched(c, sql, params):
    """The rows, as texts, of a text with $1, $2, … as it stands."""
    result = c.pgconn.exec_params(sql.encode(), [literal(p) for p in params])
    assert result.status == psycopg.pq.ExecStatus.TUPLES_OK, result.error_message
    cells = [[result.get_value(i, k) for k in range(result.nfields)] for i in range(result.ntuples)]
    return [tuple(v if v is None else v.decode() for v in row) for row in cells]


def prepared(c, sql, params):
    """Executes a text with $1, $2, … as it stands."""
    result = c.pgconn.exec_params(sql.encode(), [literal(p) for p in params])
    assert result.status in (psycopg.pq.ExecStatus.COMMAND_OK, psycopg.pq.ExecStatus.TUPLES_OK), \
        result.error_message


def literal(value):
    if isinstance(value, list):
        return b"{" + b",".join(literal_in_array(v) for v in value) + b"}"
    return None if value is None else str(value).encode()


def literal_in_array(v):
    return b"NULL" if v is None else b'"' + str(v).replace("\\", "\\\\").replace('"', '\\"').encode() + b'"'
