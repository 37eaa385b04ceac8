"""test_sargable.py - predicates: does the linter say what PostgreSQL's planner does?

The committed verdicts (tests/rules/planner) are asked of a live server again; then pgassay is
given the schema as a `pg_dump -s` of that server and as the live catalog itself.
"""
import json
import os
import subprocess

import pytest

import sargable_judge as judge
from cluster import bindir

ROOT = os.path.join(os.path.dirname(__file__), "..", "..")
BIN = os.environ.get("PGASSAY_BIN", os.path.join(ROOT, "bin", "pgassay"))


@pytest.fixture(scope="module", params=list(judge.SCHEMAS))
def schema(request, postgres):
    with judge.open_schema(postgres, request.param) as c:
        yield request.param, c, postgres.dsn(dbname="planner_" + request.param)


def fired(tmp_path, predicates, *options):
    """Line -> SG rules; SG020 is about an index that is used, but read whole."""
    file = tmp_path / "all.sql"
    file.write_text("".join(f"SELECT * FROM t WHERE {p};\n" for p in predicates))
    p = subprocess.run([BIN, "lint", "--format", "json", "--fail-on", "never", *options, str(file)],
                       capture_output=True, text=True)
    assert p.returncode == 0, p.stderr
    out = {}
    for f in json.loads(p.stdout)["findings"]:
        if f["rule"].startswith("SG") and f["rule"] != "SG020":
            for place in f["locations"]:
                out.setdefault(place["line"], set()).add(f["rule"])
    return out


@pytest.mark.slow   # and so not a second time with AddressSanitizer: no program of ours runs
def test_committed_verdicts_are_the_planners(schema):
    name, c, _ = schema
    wrong = []
    for predicate, verdict in judge.verdicts(name):
        now = judge.judge(c, predicate)
        if now is None or now[0] != verdict:
            wrong.append((predicate, verdict, now))
    assert not wrong
    assert {p for p, _ in judge.verdicts(name)} <= set(judge.predicates(name))


@pytest.mark.parametrize("source", ["dump", "live"])
def test_lint_agrees_with_the_planner(schema, source, tmp_path):
    name, _, dsn = schema
    if source == "dump":
        ddl = subprocess.run([bindir() + "/pg_dump", "-s", dsn], capture_output=True, check=True)
        (tmp_path / "schema.sql").write_bytes(ddl.stdout)
        options = ["--schema", str(tmp_path / "schema.sql")]
    else:
        options = ["--dsn", dsn]
    verdicts = judge.verdicts(name)
    said = fired(tmp_path, [p for p, _ in verdicts], *options)
    wrong = [(p, v, said.get(n)) for n, (p, v) in enumerate(verdicts, 1)
             if bool(said.get(n)) != (v == "no")]
    assert len(verdicts) > 200
    assert not wrong
