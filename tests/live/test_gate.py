"""The gate: .pgassay.conf, baselines, suppressions, limits, only what a branch changed."""
import datetime
import json
import os
import subprocess

import pytest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PGASSAY = os.environ.get("PGASSAY_BIN", os.path.join(ROOT, "bin", "pgassay"))
HEAD = "2024-01-05 10:00:00.000 UTC [{pid}] app@shop LOG:  duration: {ms} ms  statement: {sql}\n"
BAD = "SELECT id FROM users WHERE lower(email) = 'x' LIMIT 1"


@pytest.fixture
def repo(tmp_path):
    subprocess.run(["git", "init", "-q", "-b", "main", str(tmp_path)], check=True)
    return tmp_path


def git(repo, *words):
    subprocess.run(["git", "-C", str(repo), "-c", "user.name=t", "-c", "user.email=t@example.org", *words],
                   check=True, capture_output=True)


def run(cwd, *words):
    return subprocess.run([PGASSAY, *words], cwd=cwd, capture_output=True, text=True)


def found(cwd, *words, status=None):
    """{rule: [finding]}"""
    got = run(cwd, *words, "-f", "json")
    assert got.returncode in ((0, 1) if status is None else (status,)), (got.returncode, got.stderr)
    out = {}
    for x in json.loads(got.stdout)["findings"]:
        out.setdefault(x["rule"], []).append(x)
    return out


def log_of(*sqls, ms="1.000", pid=100):
    return "".join(HEAD.format(pid=pid, ms=ms, sql=s) for s in sqls)


# --- fingerprints

SAME = [
    "SELECT u.id FROM users u WHERE lower(u.email) = 'x' LIMIT 1",
    "select  id\nfrom users /* other */ where lower(email) = 'it''s' limit 99",
    "SELECT users.id FROM users WHERE lower(users.email) = $1 LIMIT 5",
    "SELECT x.id FROM users AS x WHERE lower(x.email) = 'y' LIMIT 1",
]
LISTS = [
    "SELECT a.id FROM a JOIN b ON b.a_id = a.id WHERE lower(b.n) = 'x' AND a.k IN (1, 2) LIMIT 2",
    "SELECT p.id FROM a p JOIN b AS q ON q.a_id = p.id WHERE lower(q.n) = 'x' AND p.k IN (1, 2, 3, 4) LIMIT 2",
    "SELECT z.id FROM a z JOIN b ON b.a_id = z.id WHERE lower(b.n) = 'x' AND z.k IN (1) LIMIT 3",
]
LOCALS = [
    "WITH r AS (SELECT id FROM t WHERE lower(n) = 'x' LIMIT 1) SELECT r.id AS k, count(*) AS n FROM r GROUP BY r.id ORDER BY n LIMIT 3",
    "WITH s AS (SELECT id FROM t WHERE lower(n) = 'x' LIMIT 1) SELECT s.id AS j, count(*) AS m FROM s GROUP BY s.id ORDER BY m LIMIT 3",
]
OTHER = ["SELECT id FROM accounts WHERE lower(email) = 'x' LIMIT 1", "SELECT id FROM users WHERE lower(name) = 'x' LIMIT 1",
         "SELECT id FROM users WHERE lower(email) = 'x' AND age = 3 LIMIT 1"]


def prints(tmp_path, sql):
    (tmp_path / "p.sql").write_text("\n\n" + sql + ";\n")
    return [x["fingerprint"] for x in found(tmp_path, "lint", "p.sql")["SG001"]]


@pytest.mark.parametrize("family", [SAME, LISTS, LOCALS])
def test_a_fingerprint_is_stable(family, tmp_path):
    assert len({tuple(prints(tmp_path, sql)) for sql in family}) == 1


def test_a_fingerprint_tells_apart(tmp_path):
    assert len({p for sql in OTHER + SAME[:1] + LISTS[:1] for p in prints(tmp_path, sql)}) == len(OTHER) + 2


# --- the configuration

def test_all_errors_at_once(repo):
    (repo / ".pgassay.conf").write_text(
        "stray = 1\n[gate]\nfail_on = loud\nfailon = error\nno equals\n[limits]\nmax_p95 = soon\nmax_rows = -3\n"
        "[rulez]\nx = 1\n[rules]\nXX001 = error\nNP001 = bad\nNP001 = error most=3\n"
        "[suppress]\nSG001 = \nSG001 = until=31.1.2027 why\nSG001 = shape=12 why\n[gate\n")
    (repo / "q.sql").write_text("SELECT 1;\n")
    got = run(repo, "lint", "q.sql")
    assert got.returncode == 2
    lines = [int(x.split(":")[2]) for x in got.stderr.splitlines() if x.startswith("pgassay: .pgassay.conf:")]
    assert lines == [1, 3, 4, 5, 7, 8, 9, 10, 12, 13, 14, 16, 17, 18, 19]
    assert run(repo, "lint", "q.sql", "--config", "nowhere").returncode == 2


def test_it_is_found_upwards_but_not_beyond_the_repository(repo):
    sub = repo / "a" / "b"
    sub.mkdir(parents=True)
    (sub / "q.sql").write_text(BAD + ";\n")
    (repo / ".pgassay.conf").write_text("[gate]\nfail_on = warning\n")
    assert run(sub, "lint", "q.sql").returncode == 1
    assert run(sub, "lint", "q.sql", "--fail-on", "never").returncode == 0
    subprocess.run(["git", "init", "-q", str(repo / "a")], check=True)
    assert run(sub, "lint", "q.sql").returncode == 0
    assert run(sub, "lint", "q.sql", "--config", "../../.pgassay.conf").returncode == 1


def test_the_sample_is_taken_and_every_key_in_it_does_something(repo):
    sample = run(repo, "--print-sample").stdout
    (repo / "q.sql").write_text("SELECT 1;\n")
    (repo / "db").mkdir()
    (repo / "db" / "schema.sql").write_text("CREATE TABLE t (id int PRIMARY KEY);\n")
    (repo / ".pgassay-baseline").write_text("# none\n")
    (repo / ".pgassay.conf").write_text(sample)
    assert run(repo, "lint", "q.sql").returncode == 0
    live = "".join(line[2:] + "\n" if line.startswith("; ") and " = " in line and line.split()[1].replace("_", "").isalnum()
                   and line.split()[2] == "=" else line + "\n" for line in sample.splitlines())
    assert live.count("\nmax_") >= 6
    (repo / ".pgassay.conf").write_text(live)
    got = run(repo, "lint", "q.sql")
    assert got.returncode == 0, got.stderr


def test_rules_paths_and_thresholds(repo):
    for name in ("app", "vendor"):
        (repo / name).mkdir()
        (repo / name / "q.sql").write_text(BAD.replace("users", name) + ";\n")
    files = ("app/q.sql", "vendor/q.sql")

    def conf(text):
        (repo / ".pgassay.conf").write_text(text)
        return found(repo, "lint", *files)
    assert len(conf("")["SG001"]) == 2
    assert "SG001" not in conf("[rules]\nSG001 = off\n")
    assert [x["severity"] for x in conf("[rules]\nSG001 = error\n")["SG001"]] == ["error"] * 2
    assert "SG001" not in conf("[rules]\nSG001 = error max_findings=2\n")
    assert len(conf("[rules]\nSG001 = error max_findings=1\n")["SG001"]) == 2
    assert "SG001" not in conf("[rules]\nSG001 = error min_count=2\n")
    assert len(conf("[gate]\npaths = app\n")["SG001"]) == 1
    assert len(conf("[gate]\nexclude = vendor/*\n")["SG001"]) == 1
    assert found(repo, "lint", *files, "--rule", "SG001=info")["SG001"][0]["severity"] == "info"


# --- limits

def test_limits(repo):
    text = log_of("SELECT 'pgassay:test big'", *[f"SELECT a FROM t WHERE id = {i} LIMIT 1" for i in range(4)], "BEGIN", "COMMIT",
                  "SELECT 'pgassay:test small'", "SELECT a FROM u LIMIT 1")
    (repo / "pg.log").write_text(text)

    def conf(limit):
        (repo / ".pgassay.conf").write_text(f"[limits]\n{limit}\n")
        got = run(repo, "log", "pg.log", "-f", "json")
        return got.returncode, [(x["rule"], x["tests"]) for x in json.loads(got.stdout)["findings"] if x["rule"].startswith("GT")]
    assert conf("max_queries_per_test = 4") == (0, [])
    assert conf("max_queries_per_test = 3") == (1, [("GT001", ["big"])])
    assert conf("max_calls_per_test = 3") == (1, [("GT002", ["big"])])
    assert conf("max_time_per_test = 3ms") == (1, [("GT003", ["big"])])
    assert conf("max_time_per_test = 4ms") == (0, [])
    assert conf("max_p95 = 0.9ms")[0] == 1
    assert conf("max_p95 = 1ms") == (0, [])


def test_a_test_that_begins_inside_a_transaction(repo):
    """It is one transaction all the same, and the finding names the test."""
    loop = ["BEGIN", "SELECT 'pgassay:test page'", "SELECT id, author_id FROM posts ORDER BY id LIMIT 10"]
    loop += [f"SELECT name FROM authors WHERE id = {i}" for i in range(9)] + ["COMMIT"]
    (repo / "pg.log").write_text(log_of(*loop))
    got = json.loads(run(repo, "log", "pg.log", "-f", "json").stdout)
    assert (got["transactions"]["count"], got["transactions"]["statements"]) == (1, 10)
    assert "in test page\n" in run(repo, "log", "pg.log").stdout


def test_one_slow_call_of_several_is_no_slow_statement(repo):
    (repo / ".pgassay.conf").write_text("[limits]\nmax_p95 = 200ms\n")
    quick = log_of(*["SELECT a FROM t LIMIT 1"] * 9)
    (repo / "pg.log").write_text(quick + log_of("SELECT a FROM t LIMIT 1", ms="900.0"))
    assert run(repo, "log", "pg.log").returncode == 0
    (repo / "pg.log").write_text(log_of(*["SELECT a FROM t LIMIT 1"] * 9, ms="900.0"))
    got = found(repo, "log", "pg.log", status=1)
    assert "95 % sure, of 9 calls" in got["GT004"][0]["message"]


# --- suppressions

def test_comments_excuse_the_statement_they_stand_at(repo):
    (repo / "q.sql").write_text(
        f"-- pgassay:ignore SG001 ten rows\n{BAD};\n"
        f"{BAD.replace('users', 'b')}; -- pgassay:ignore SG001,SG002 on its line\n"
        f"SELECT id /* pgassay:ignore * inside */ FROM c WHERE lower(x) = 'x' LIMIT 1;\n"
        f"SELECT id FROM d WHERE lower(x) = '-- pgassay:ignore SG001 no comment' LIMIT 1;\n"
        f"{BAD.replace('users', 'e')};\n")
    got = found(repo, "lint", "q.sql")
    assert [x["locations"][0]["line"] for x in got["SG001"]] == [5, 6]
    assert set(got) == {"SG001"}


def test_a_shape_with_one_excused_place_still_counts(repo):
    (repo / "q.sql").write_text(f"-- pgassay:ignore SG001 ten rows\n{BAD};\n{BAD};\n")
    (finding,) = found(repo, "lint", "q.sql")["SG001"]
    assert [p["line"] for p in finding["locations"]] == [3] and finding["count"] == 1


def test_a_whole_file(repo):
    (repo / "a.sql").write_text(f"-- pgassay:ignore-file SG001 generated\n{BAD};\n")
    (repo / "b.sql").write_text(BAD.replace("users", "u2") + ";\n")
    got = found(repo, "lint", "a.sql", "b.sql")
    assert [x["locations"][0]["file"] for x in got["SG001"]] == ["b.sql"] and set(got) == {"SG001"}


def test_unclear_expired_and_unused_excuses_are_findings(repo):
    past = (datetime.date.today() - datetime.timedelta(days=2)).isoformat()
    future = (datetime.date.today() + datetime.timedelta(days=2)).isoformat()
    (repo / "q.sql").write_text(
        f"-- pgassay:ignore SG001\n{BAD};\n-- pgassay:ignore XX9 why\n{BAD.replace('users', 'b')};\n"
        f"-- pgassay:ignore SG001 until={past} was to be mended\n{BAD.replace('users', 'c')};\n"
        f"-- pgassay:ignore SG001 until={future} will be mended\n{BAD.replace('users', 'd')};\n"
        f"-- pgassay:ignore SG005 nothing of the kind\n{BAD.replace('users', 'e')};\n")
    got = found(repo, "lint", "q.sql", "--fail-on", "error", status=1)
    assert sorted(x["locations"][0]["line"] for x in got["SG001"]) == [2, 4, 6, 10]
    assert len(got["GT012"]) == 2 and "gives no reason" in str(got["GT012"]) and "XX9" in str(got["GT012"])
    assert [x["severity"] for x in got["GT010"]] == ["error"] and "was to be mended" in got["GT010"][0]["message"]
    assert [x["severity"] for x in got["GT011"]] == ["info"] and "nothing of the kind" in got["GT011"][0]["message"]
    places = json.loads(run(repo, "lint", "q.sql", "-f", "gitlab").stdout)
    assert {x["location"]["lines"]["begin"] for x in places if x["check_name"].startswith("GT")} == {2, 4, 6, 10}


def test_the_file_excuses_by_shape_path_and_test(repo):
    (repo / "shop").mkdir()
    (repo / "shop" / "views.py").write_text("x\n")
    tag = "/*file='shop/views.py',line='1'*/"
    (repo / "pg.log").write_text(log_of("SELECT 'pgassay:test slow_one'", f"{BAD} {tag}"))
    finding = found(repo, "log", "pg.log")["SG001"][0]

    def conf(line):
        (repo / ".pgassay.conf").write_text(f"[suppress]\n{line}\n")
        return found(repo, "log", "pg.log")
    for good in (f"shape={finding['shape']} why", f"shape={finding['fingerprint']} why", "file=shop why", "file=shop/*.py why",
                 "test=slow_* why", "file=shop test=slow_one until=2999-01-01 why = that"):
        assert set(conf("SG001 = " + good)) == set(), good
    for bad in ("shape=0123456789abcdef why", "file=other why", "test=fast why"):
        assert set(conf("SG001 = " + bad)) == {"SG001", "GT011"}, bad
    assert set(conf("SG001 = until=2020-01-01 why")) == {"SG001", "GT010"}


def test_a_logged_statement_carries_its_excuse(repo):
    loop = ["BEGIN", "SELECT id, author_id FROM posts ORDER BY id LIMIT 10"]
    loop += [f"SELECT name FROM authors WHERE id = {i} /* pgassay:ignore NP001 cached by the view */" for i in range(9)] + ["COMMIT"]
    (repo / "pg.log").write_text(log_of(*loop))
    assert found(repo, "log", "pg.log") == {}
    (repo / "pg.log").write_text(log_of(*loop, *[x.replace("cached", "") .split(" /*")[0] for x in loop]))
    assert "NP001" in found(repo, "log", "pg.log")


# --- baseline

def test_baseline(repo):
    (repo / "q.sql").write_text(f"{BAD};\n{BAD.replace('users', 'b')};\n")
    args = ("lint", "q.sql", "--fail-on", "warning")
    assert run(repo, *args).returncode == 1
    got = run(repo, *args, "--write-baseline", "base")
    assert got.returncode == 0, got.stderr
    first = (repo / "base").read_text()
    lines = [x for x in first.splitlines() if x and x[0] != "#"]
    assert lines == sorted(lines) and len(lines) == 2
    assert run(repo, *args, "--baseline", "base").returncode == 0
    # other literals, blanks, aliases and lines: still known; a new one is not
    (repo / "q.sql").write_text("\n\nSELECT u.id FROM users u\n WHERE lower(u.email) = 'other' LIMIT 7;\n" + BAD.replace("users", "c") + ";\n")
    got = found(repo, *args, "--baseline", "base", status=1)
    assert len(got["SG001"]) == 1 and len(got["GT013"]) == 1
    # comments stay, what is gone goes, what is known keeps its line byte for byte
    gone = next(x for x in lines if " b where" in x or "from b " in x)
    kept = next(x for x in lines if x != gone)
    (repo / "base").write_text("# our own head\n\n# why we keep it\n" + kept + "\n# this goes\n" + gone + "\n")
    assert run(repo, *args, "--write-baseline", "base").returncode == 0
    text = (repo / "base").read_text()
    assert text.startswith("# our own head\n\n") and "# why we keep it\n" + kept + "\n" in text and gone not in text
    assert run(repo, *args, "--write-baseline", "base").returncode == 0
    assert (repo / "base").read_text() == text


def test_a_broken_baseline_is_an_error(repo):
    (repo / "q.sql").write_text(BAD + ";\n")
    assert run(repo, "lint", "q.sql", "--baseline", "nowhere").returncode == 2
    (repo / "base").write_text("<<<<<<< HEAD\nSG001 0123456789abcdef x\n=======\n")
    got = run(repo, "lint", "q.sql", "--baseline", "base")
    assert got.returncode == 2 and "base:1:" in got.stderr and "base:3:" in got.stderr and "merge" in got.stderr


def test_new_shapes_against_the_baseline(repo):
    (repo / ".pgassay.conf").write_text("[gate]\nbaseline = base\n[limits]\nmax_new_shapes = 1\n")
    (repo / "pg.log").write_text(log_of("SELECT a FROM t LIMIT 1"))
    assert run(repo, "log", "pg.log", "--write-baseline", "base").returncode == 0
    (repo / "pg.log").write_text(log_of("SELECT x.a FROM t x LIMIT 9", "SELECT b FROM t LIMIT 1"))
    assert run(repo, "log", "pg.log").returncode == 0
    (repo / "pg.log").write_text(log_of("SELECT a FROM t LIMIT 9", "SELECT b FROM t LIMIT 1", "SELECT c FROM t LIMIT 1"))
    assert "2 statements are new" in found(repo, "log", "pg.log", status=1)["GT006"][0]["message"]


# --- only what a branch changed

def test_changed_only(repo):
    old = f"{BAD};\n\n{BAD.replace('users', 'b')};\n"
    (repo / "q 1.sql").write_text(old)
    git(repo, "add", "-A")
    git(repo, "commit", "-qm", "one")
    git(repo, "checkout", "-qb", "topic")
    args = ("lint", "q 1.sql", "--changed-only", "--base", "main", "--fail-on", "warning")
    assert found(repo, *args, status=0) == {}
    (repo / "q 1.sql").write_text(old + "SELECT id\nFROM c\nWHERE lower(x) = 'x'\nLIMIT 1;\n" + BAD.replace("users", "d") + ";\n")
    got = found(repo, *args, status=1)
    assert sorted(x["locations"][0]["line"] for x in got["SG001"]) == [4, 8]
    git(repo, "commit", "-qam", "two")
    assert len(found(repo, *args)["SG001"]) == 2
    # what happened on main meanwhile is not ours
    git(repo, "checkout", "-q", "main")
    (repo / "q 1.sql").write_text(old.replace("'x'", "'y'"))
    git(repo, "commit", "-qam", "three")
    git(repo, "checkout", "-q", "topic")
    assert len(found(repo, *args)["SG001"]) == 2
    # one line in the middle of a statement
    (repo / "q 1.sql").write_text((repo / "q 1.sql").read_text().replace("FROM c", "FROM c2").replace("id FROM b", "id, k FROM b"))
    assert sorted(x["locations"][0]["line"] for x in found(repo, *args)["SG001"]) == [3, 4, 8]
    # a file that git does not know is new
    (repo / "new.sql").write_text(BAD + ";\n")
    assert len(found(repo, "lint", "new.sql", "--changed-only", "--base", "main")["SG001"]) == 1
    got = run(repo, "lint", "new.sql", "--changed-only", "--base", "nowhere")
    assert got.returncode == 2 and "git cannot tell" in got.stderr
