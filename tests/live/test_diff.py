"""pgassay diff: what changed between two reports, and that nothing did when nothing did."""
import json
import os
import random
import subprocess

import jsonschema
import pytest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PGASSAY = os.environ.get("PGASSAY_BIN", os.path.join(ROOT, "bin", "pgassay"))
LINE = "2024-01-05 10:00:00.000 UTC [{pid}] app@shop LOG:  duration: {ms:.3f} ms  statement: {sql}\n"
LOOP = ["BEGIN", "SELECT id, author_id FROM posts ORDER BY id LIMIT 10"] + \
    [f"SELECT name FROM authors WHERE id = {i} LIMIT 1" for i in range(9)] + ["COMMIT"]
PLAIN = [f"SELECT {c} FROM t WHERE id = 1 LIMIT 1" for c in "abcdefgh"]


def suite(rng=None, loop=False, extra=(), slow=(), factor=1.0, order=None, times=1, alias=""):
    """A log of three tests; slow: {statement: ms}."""
    rng = rng or random.Random(1)
    tests = {"t1": PLAIN[:4] * 5, "t2": PLAIN[4:] * 5 + (LOOP if loop else LOOP[:3] + LOOP[-1:]), "t3": PLAIN * 3 + list(extra)}
    lines = []
    for n, name in enumerate(order or tests):
        for _ in range(times if name == "t1" else 1):
            lines.append(LINE.format(pid=100 + n, ms=.1, sql=f"SELECT 'pgassay:test {name}'"))
            for sql in tests[name]:
                ms = dict(slow).get(sql, 1) * factor * rng.lognormvariate(0, .25)
                lines.append(LINE.format(pid=100 + n, ms=ms, sql=sql.replace(" t WHERE", f" t {alias} WHERE") if alias else sql))
    return "".join(lines)


@pytest.fixture
def diff(tmp_path):
    def report(name, text):
        (tmp_path / (name + ".log")).write_text(text)
        subprocess.run([PGASSAY, "log", name + ".log", "-f", "json", "-o", name + ".json"], cwd=tmp_path, check=True)

    def go(base, head, *words):
        report("base", base)
        report("head", head)
        got = subprocess.run([PGASSAY, "diff", "base.json", "head.json", *(words or ("-f", "json"))], cwd=tmp_path, capture_output=True, text=True)
        assert got.returncode in (0, 1), got.stderr
        if words:
            return got
        out = json.loads(got.stdout)
        with open(ROOT + "/docs/diff.schema.json", encoding="utf-8") as f:
            jsonschema.Draft202012Validator(json.load(f)).validate(out)
        assert (got.returncode == 1) == (out["verdict"] == "worse")
        out["kinds"] = {c["kind"] for c in out["changes"]}
        return out
    return go


@pytest.mark.parametrize("seed", range(5))
def test_two_runs_of_one_commit_are_the_same(diff, seed):
    """Other times, another order, a retry, a machine three times as slow."""
    rng = random.Random(seed)
    order = ["t1", "t2", "t3"]
    rng.shuffle(order)
    got = diff(suite(rng, loop=True), suite(rng, loop=True, order=order, times=1 + seed % 3, factor=rng.choice([.5, 1, 3])))
    assert got["verdict"] == "same" and not got["changes"], got["changes"]


def test_an_alias_is_no_other_statement(diff):
    got = diff(suite(), suite(alias="AS x"))
    assert not got["changes"]


def test_an_n_plus_one_is_new_worse_and_fixed(diff):
    got = diff(suite(), suite(loop=True))
    assert got["verdict"] == "worse"
    (finding,) = [c for c in got["changes"] if c["kind"] == "new-finding"]
    assert finding["rule"] == "NP001" and finding["tests"] == ["t2"] and finding["counts"]
    (calls,) = [c for c in got["changes"] if c["kind"] == "more-calls"]
    assert "1 -> 9 calls in test t2" in calls["message"] and "authors" in calls["sql"]
    got = diff(suite(loop=True), suite())
    assert got["verdict"] == "better" and {"fixed-finding", "fewer-calls"} == got["kinds"]
    longer = suite(loop=True).replace("id = 8 LIMIT 1\n", "id = 8 LIMIT 1\n" + LINE.format(pid=101, ms=1, sql="SELECT name FROM authors WHERE id = 77 LIMIT 1"))
    got = diff(suite(loop=True), longer)
    assert got["verdict"] == "worse" and "worse-finding" in got["kinds"]


def test_new_and_gone_statements(diff):
    got = diff(suite(), suite(extra=["SELECT z FROM z WHERE id = 1 LIMIT 1"]))
    assert got["verdict"] == "same" and got["kinds"] == {"new-shape"}
    got = diff(suite(extra=["SELECT z FROM z WHERE id = 1 LIMIT 1"]), suite())
    assert got["kinds"] == {"gone-shape"}


def test_max_new_shapes(diff, tmp_path):
    (tmp_path / ".pgassay.conf").write_text("[limits]\nmax_new_shapes = 0\n")
    got = diff(suite(), suite(extra=["SELECT z FROM z WHERE id = 1 LIMIT 1"]))
    assert got["verdict"] == "worse" and "too-many-new" in got["kinds"]


def test_slower_with_its_interval(diff):
    got = diff(suite(), suite(slow={PLAIN[0]: 40}, factor=2))
    (slow,) = [c for c in got["changes"] if c["kind"] == "slower"]
    assert got["verdict"] == "worse" and got["kinds"] == {"slower"} and "[" in slow["message"]
    assert slow["base"]["p50"]["high_ms"] * 20 < slow["head"]["p50"]["low_ms"]
    assert 1.6 < got["machine_factor"] < 2.5
    assert diff(suite(slow={PLAIN[0]: 40}), suite())["kinds"] == {"faster"}


def test_rows(diff, tmp_path):
    def log(rows):
        return "".join(json.dumps({"timestamp": "2024-01-05 10:00:00.000 UTC", "pid": 1, "session_id": "1.1", "line_num": n, "user": "u", "dbname": "d",
                                   "error_severity": "LOG", "message": "duration: 1.000 ms  statement: SELECT a FROM t WHERE b = 1 LIMIT 500",
                                   "pooler": {"rows": rows, "wait_us": 1, "server_us": 1}}) + "\n" for n in range(5))
    assert "more-rows" in diff(log(3), log(400))["kinds"]
    assert not diff(log(300), log(320))["changes"]


def test_plans(diff):
    def log(node):
        return LINE.format(pid=1, ms=9, sql="SELECT a FROM t WHERE b = 1 LIMIT 1").replace("statement: SELECT a FROM t WHERE b = 1 LIMIT 1\n", (
            "plan:\n\tQuery Text: SELECT a FROM t WHERE b = 1 LIMIT 1\n\tLimit  (cost=0.00..1.00 rows=1 width=4)\n"
            f"\t  ->  {node} on t  (cost=0.00..9.00 rows=5 width=4)\n"))
    assert diff(log("Seq Scan"), log("Index Scan using i"))["kinds"] == {"plan-flip"}
    assert not diff(log("Seq Scan"), log("Seq Scan"))["changes"]


def test_markdown_is_a_comment(diff):
    got = diff(suite(), suite(loop=True, extra=[f"SELECT \"a|b`c{i}\" FROM z{i} WHERE id = 1 LIMIT 1" for i in range(3000)]), "-f", "markdown")
    assert got.returncode == 1 and got.stdout.startswith("## pgassay: worse\n")
    assert len(got.stdout) < 60000 and "and 2980 more" in got.stdout
    assert "**NP001**" in got.stdout and "<details><summary>New statements (3000)" in got.stdout
    rows = [r for r in got.stdout.splitlines() if r.startswith("|")]
    assert all(len([c for c in r.replace("\\|", "").strip("|").split("|")]) == 2 for r in rows)


def test_text_and_fail_on(diff):
    got = diff(suite(), suite(loop=True), "--fail-on", "error")
    assert got.returncode == 0 and "New findings" in got.stdout and "1 -> 9 calls in test t2" in got.stdout
    assert diff(suite(), suite(loop=True), "--fail-on", "warning").returncode == 1
    assert diff(suite(), suite(), "-f", "text").stdout.startswith("pgassay diff: same\n")


def test_what_is_no_report(tmp_path):
    (tmp_path / "a.json").write_text("{\"version\": 1}")
    (tmp_path / "b.json").write_text("{")
    for words, status in (([], 2), (["a.json"], 2), (["a.json", "b.json"], 3), (["a.json", "nowhere"], 3), (["a.json", "b.json", "-f", "csv"], 2)):
        got = subprocess.run([PGASSAY, "diff", *words], cwd=tmp_path, capture_output=True, text=True)
        assert got.returncode == status and got.stderr, words


def test_merged_reports_keep_fingerprints(diff, tmp_path):
    diff(suite(loop=True), suite(loop=True))
    subprocess.run([PGASSAY, "merge", "base.json", "head.json", "-f", "json", "-o", "both.json"], cwd=tmp_path, check=True)
    prints = [{x["fingerprint"] for x in json.loads((tmp_path / f).read_text())["findings"]} for f in ("base.json", "both.json")]
    assert prints[0] and prints[0] == prints[1]
