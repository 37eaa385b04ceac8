"""test_plan_pastes.py - plans as real clients show them, read back.

psql draws the same plans with every \\pset there is, Python, Ruby and Node's ways to print a row are
tried on them, and `pgassay plan` must see in each what it sees in EXPLAIN's own lines.
"""
import itertools
import json
import os
import pprint
import subprocess

import psycopg
import pytest

ROOT = os.path.join(os.path.dirname(__file__), "..", "..")
PGASSAY = os.environ.get("PGASSAY_BIN", os.path.join(ROOT, "bin", "pgassay"))

SCHEMA = """
CREATE TABLE shop_user (id int PRIMARY KEY, email text, "Mixed Case" int);
CREATE TABLE shop_order (id int, user_id int, note text);
INSERT INTO shop_user SELECT i, 'user' || i || '@example.com', i % 7 FROM generate_series(1, 2000) i;
INSERT INTO shop_order SELECT i, i % 2000, 'n ' || i FROM generate_series(1, 5000) i;
ANALYZE"""
QUERY = """SELECT u."Mixed Case", count(*) FROM shop_user u JOIN shop_order o ON o.user_id = u.id
WHERE u.email LIKE '%r1%' AND u."Mixed Case" <> 3 AND o.note <> 'a | b' AND o.note !~ '^\\d+$'
  AND u.id NOT IN (SELECT user_id FROM shop_order WHERE note = 'it''s')
GROUP BY 1 ORDER BY 2 DESC LIMIT 5"""


@pytest.fixture(scope="module")
def explained(postgres):
    """Format -> EXPLAIN's lines; psql shows them from a table, so that all pastes are of one plan."""
    with psycopg.connect(postgres.dsn(), autocommit=True) as db:
        for statement in SCHEMA.split(";\n"):
            db.execute(statement)
        db.execute("CREATE TABLE explained (form text, n serial, line text)")
        rows = {}
        for form in ("text", "json", "yaml", "xml"):
            result = db.pgconn.exec_(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT {form}) {QUERY}".encode())
            rows[form] = [result.get_value(i, 0).decode() for i in range(result.ntuples)]
            for line in rows[form]:
                db.execute("INSERT INTO explained (form, line) VALUES (%s, %s)", (form, line))
        yield postgres, rows
        db.execute("DROP TABLE explained, shop_user, shop_order")


def facts(*pastes):
    """What is understood of each paste: a set of (title, rows, ms, what belongs to it) a plan."""
    out = []
    for paste in pastes:
        run = subprocess.run([PGASSAY, "plan", "-f", "json"], input=paste.encode(), capture_output=True)
        plans = json.loads(run.stdout)["plans"] if run.stdout else []
        out.append([[(n["title"], n["parent"], n["rows"], n["wall_ms"], n["blocks"], n["cost"],
                      sorted((k, " ".join(v.split())) for k, v in n["properties"].items()))
                     for n in p["nodes"]] for p in plans])
    return out


def combinations(form):
    """Each \\pset that draws differently, once."""
    for kind in ("aligned", "wrapped"):
        for border, style, expanded, tuples in itertools.product(
                range(4), ("ascii", "unicode"), ("off", "on"), ("off", "on")):
            yield kind, border, style, expanded, tuples, 70
    for border, expanded in itertools.product(range(4), ("off", "on")):
        yield "aligned", border, "old-ascii", expanded, "off", 80
    # a blank at the edge is the mark; between bars there is none, in a record no label
    for columns, border, expanded, tuples in itertools.product(
            range(55, 131, 15), range(3), ("off", "on"), ("off", "on")):
        if form == "text" or (border, expanded, tuples) == (1, "off", "off"):
            yield "wrapped", border, "old-ascii", expanded, tuples, columns
    for kind, expanded, tuples in itertools.product(
            ("unaligned", "html", "latex", "latex-longtable", "asciidoc", "csv", "troff-ms"),
            ("off", "on"), ("off", "on")):
        yield kind, 1, "ascii", expanded, tuples, 80


@pytest.mark.parametrize("form", ("text", "json"))
def test_psql(explained, form, tmp_path):
    postgres, rows = explained
    cast = "::json" if form == "json" else ""
    script, names = [], []
    for i, (kind, border, style, expanded, tuples, columns) in enumerate(combinations(form)):
        names.append((kind, border, style, expanded, tuples, columns))
        script.append(f"\\o /dev/null\n\\pset format {kind}\n\\pset border {border}\n"
                      f"\\pset linestyle {style}\n\\pset expanded {expanded}\n"
                      f"\\pset tuples_only {tuples}\n\\pset columns {columns}\n\\o {tmp_path}/{i}\n"
                      f"SELECT line{cast} AS \"QUERY PLAN\" FROM explained WHERE form = '{form}' ORDER BY n;")
    subprocess.run(["psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", postgres.dsn()],
                   input="\n".join(script), text=True, check=True, stdout=subprocess.DEVNULL)
    pastes = [(tmp_path / str(i)).read_text() for i in range(len(names))]
    plain, *seen = facts("\n".join(rows[form]), *pastes)
    assert len(plain) == 1 and len(plain[0]) > 5
    assert [n for n, s in zip(names, seen) if s != plain] == []


def ruby(text):
    return json.dumps(text, ensure_ascii=False)


PROGRAMS = {
    "python's rows": lambda rows: repr([(r,) for r in rows]),
    "pprint": lambda rows: pprint.pformat([(r,) for r in rows]),
    "dictionaries": lambda rows: "\n".join(repr({"QUERY PLAN": r}) for r in rows),
    "one string": lambda rows: repr("\n".join(rows)),
    "a list": lambda rows: repr(rows),
    "asyncpg": lambda rows: "[" + ", ".join(f"<Record QUERY PLAN={r!r}>" for r in rows) + "]",
    "ruby": lambda rows: "=> [{" + "}, {".join(f'"QUERY PLAN"=>{ruby(r)}' for r in rows) + "}]",
    "a log": lambda rows: json.dumps({"level": "info", "plan": "\n".join(rows), "ms": 3}),
    "json rows": lambda rows: json.dumps([{"QUERY PLAN": r} for r in rows], indent=1),
    "inserts": lambda rows: "\n".join("INSERT INTO x VALUES ('%s');" % r.replace("'", "''") for r in rows),
    "csv": lambda rows: "\n".join(['"QUERY PLAN"', *('"%s"' % r.replace('"', '""') for r in rows)]),
}


@pytest.mark.parametrize("form", ("text", "json", "yaml", "xml"))
def test_programs(explained, form):
    _, rows = explained
    names = [name for name in PROGRAMS if name != "inserts" or form == "text"]
    plain, *seen = facts("\n".join(rows[form]), *(PROGRAMS[name](rows[form]) for name in names))
    assert len(plain) == 1 and len(plain[0]) > 5
    assert [name for name, s in zip(names, seen) if s != plain] == []


def test_a_json_plan_that_python_had_parsed(explained):
    _, rows = explained
    plan = json.loads(rows["json"][0])
    plain, *seen = facts(rows["json"][0], repr(plan), repr([(plan,)]),
                         json.dumps(plan), json.dumps([{"QUERY PLAN": plan}], indent=4))
    assert [s == plain for s in seen] == [True] * 4
