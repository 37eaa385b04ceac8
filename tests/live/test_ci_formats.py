"""What build servers read: valid by their specifications, within their limits, most important
first, stable from run to run, and without a literal.

The schemas under tests/schema are written from the specifications.  The formats are also read by
a consumer each: jsonschema, libxml2, and a reader of workflow commands made from GitHub's page."""
import json
import os
import re
import subprocess

import jsonschema
import pytest
from lxml import etree

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PGASSAY = os.environ.get("PGASSAY_BIN", os.path.join(ROOT, "bin", "pgassay"))
SCHEMA = os.path.join(ROOT, "tests", "schema")


def run(cwd, *words, status=(0, 1)):
    got = subprocess.run([PGASSAY, *words], cwd=cwd, capture_output=True, text=True)
    assert got.returncode in status, got.stderr
    return got.stdout


def sarif(text):
    doc = json.loads(text)
    with open(SCHEMA + "/sarif-2.1.0.json", encoding="utf-8") as f:
        jsonschema.Draft7Validator(json.load(f)).validate(doc)
    rules = doc["runs"][0]["tool"]["driver"]["rules"]
    for result in doc["runs"][0]["results"]:
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
    return doc["runs"][0]


def gitlab(text):
    assert not text.startswith("\ufeff")
    doc = json.loads(text)
    with open(SCHEMA + "/gitlab-codequality.json", encoding="utf-8") as f:
        jsonschema.Draft7Validator(json.load(f)).validate(doc)
    prints = [x["fingerprint"] for x in doc]
    assert len(set(prints)) == len(prints)
    return doc


def junit(text):
    doc = etree.fromstring(text.encode())
    etree.XMLSchema(etree.parse(SCHEMA + "/junit.xsd")).assertValid(doc)
    for suite in [doc, *doc.findall("testsuite")]:
        cases = list(suite.iter("testcase"))
        assert int(suite.get("tests")) == len(cases)
        assert int(suite.get("failures")) == sum(c.find("failure") is not None for c in cases)
    return doc


def github(text):
    """[(command, properties, message)] as GitHub's runner reads standard output."""
    def plain(s, props=False):
        for code, char in (("%0D", "\r"), ("%0A", "\n")) + ((("%3A", ":"), ("%2C", ",")) if props else ()):
            s = s.replace(code, char)
        return s.replace("%25", "%")
    found = []
    for line in text.splitlines():
        m = re.fullmatch(r"::(error|warning|notice) ([^:]*)::(.*)", line)
        if m:
            words = dict(w.split("=", 1) for w in m[2].split(","))
            found.append((m[1], {k: plain(v, True) for k, v in words.items()}, plain(m[3])))
        else:
            assert not line.startswith("::"), line
    return found


READERS = {"sarif": sarif, "gitlab": gitlab, "junit": junit, "github": github}


def thousand(tmp_path, n=1000):
    """n statements with a finding each; every tenth an error by --rule, the others warnings."""
    lines = []
    for i in range(n):
        bad = "name LIKE '%Kanary'" if i % 10 == 0 else "lower(name) = 'Kanary'"
        lines.append(f"SELECT id FROM t{i} WHERE {bad} LIMIT 10;")
    (tmp_path / "sub dir").mkdir(exist_ok=True)
    (tmp_path / "sub dir" / "many, 100%: x.sql").write_text("\n".join(lines) + "\n")
    (tmp_path / ".git").mkdir(exist_ok=True)
    return ["lint", "sub dir/many, 100%: x.sql", "--rule", "SG005=error"]


@pytest.mark.parametrize("fmt", READERS)
def test_nothing_found_is_a_valid_pass(fmt, tmp_path):
    (tmp_path / "q.sql").write_text("SELECT id FROM t WHERE id = 1 LIMIT 1;\n")
    text = run(tmp_path, "lint", "q.sql", "-f", fmt, status=(0,))
    doc = READERS[fmt](text)
    if fmt == "gitlab":
        assert doc == []
    if fmt == "sarif":
        known = json.loads(run(tmp_path, "rules", "--format", "json"))
        assert [r["id"] for r in doc["tool"]["driver"]["rules"]] == [r["id"] for r in known]
        assert doc["results"] == []
    if fmt == "junit":
        assert len(list(doc.iter("testcase"))) > 50 and doc.get("failures") == "0"
    if fmt == "github":
        assert doc == []


def test_thousand_sarif(tmp_path):
    doc = sarif(run(tmp_path, *thousand(tmp_path), "-f", "sarif"))
    levels = [r["level"] for r in doc["results"]]
    assert len(levels) >= 1000 and levels == sorted(levels, key=["error", "warning", "note"].index)
    place = doc["results"][0]["locations"][0]["physicalLocation"]
    assert place["artifactLocation"]["uri"] == "sub%20dir/many,%20100%25%3A%20x.sql"
    prints = [r["partialFingerprints"]["pgassay/v1"] for r in doc["results"]]
    assert len(set(prints)) == len(prints)


def test_more_than_github_shows_are_ranked_and_counted(tmp_path):
    doc = sarif(run(tmp_path, *thousand(tmp_path, 5600), "-f", "sarif"))
    assert len(doc["results"]) == 5000 and doc["results"][0]["level"] == "error"
    assert sum(r["level"] == "error" for r in doc["results"]) == 560
    notes = [n["message"]["text"] for n in doc["invocations"][0]["toolExecutionNotifications"]]
    assert any("more findings" in n for n in notes), notes


def test_thousand_github(tmp_path):
    text = run(tmp_path, *thousand(tmp_path), "-f", "github")
    found = github(text)
    assert [c for c, _, _ in found].count("error") == 10
    assert [c for c, _, _ in found].count("warning") == 10
    assert [c for c, _, _ in found].count("notice") <= 10
    assert found[0][0] == "error" and found[0][1]["file"] == "sub dir/many, 100%: x.sql"
    assert "more than GitHub shows" in text.splitlines()[-1]
    assert "\n" in found[0][2]


def test_thousand_gitlab(tmp_path):
    doc = gitlab(run(tmp_path, *thousand(tmp_path), "-f", "gitlab"))
    rank = ["blocker", "critical", "major", "minor", "info"]
    assert len(doc) >= 1000
    assert [rank.index(x["severity"]) for x in doc] == sorted(rank.index(x["severity"]) for x in doc)
    assert len(gitlab(run(tmp_path, *thousand(tmp_path, 5600), "-f", "gitlab"))) == 5000


def test_thousand_junit(tmp_path):
    doc = junit(run(tmp_path, *thousand(tmp_path), "-f", "junit", "--fail-on", "error"))
    assert doc.get("failures") == "100"
    doc = junit(run(tmp_path, *thousand(tmp_path), "-f", "junit"))
    assert int(doc.get("failures")) >= 1000


@pytest.mark.parametrize("fmt", READERS)
def test_literals_are_masked_unless_asked_for(fmt, tmp_path):
    assert "Kanary" not in run(tmp_path, *thousand(tmp_path, 20), "-f", fmt)


@pytest.mark.parametrize("fmt", READERS)
def test_hostile_names(fmt, tmp_path):
    sql = "SELECT \"a\x01\x0b]]><b>&\uffff::error\" FROM \"x%0A\ny\" WHERE lower(\"a,b:c\") = 'x';\n"
    (tmp_path / "q.sql").write_bytes(sql.encode() + b"SELECT a FROM t WHERE lower(\"\xff\xfe\") = 'x';\n")
    READERS[fmt](run(tmp_path, "lint", "q.sql", "-f", fmt, "--fail-on", "warning", status=(1,)))


def statements(tags):
    head = "2024-01-05 10:00:00.000 UTC [100] app@shop LOG:  duration: 1.000 ms  statement: "
    lines = ["BEGIN", "SELECT id, author_id FROM posts ORDER BY id LIMIT 10"]
    lines += [f"SELECT * FROM authors WHERE id = {i} {tags}" for i in range(9)] + ["COMMIT"]
    return "".join(head + x + "\n" for x in lines)


@pytest.mark.parametrize("tags, path, line", [
    ("/*file='shop%2Fviews.py',line='12'*/", "shop/views.py", 12),
    ("/*file='./shop/views.py',line='12'*/", "shop/views.py", 12),
    ("/*code.filepath='%2Fapp%2Fshop%2Fviews.py',code.lineno='7'*/", "shop/views.py", 7),
    ("/*application:Shop,controller:posts,action:index,line:/app/shop/views.py:31:in `index'*/", "shop/views.py", 31),
    ("/*source_location='shop%2Fviews.py%3A5'*/", "shop/views.py", 5),
    ("/*file='/elsewhere/lib.py',line='3'*/", ".pgassay.conf", 1),
    ("/*controller='posts',action='index'*/", ".pgassay.conf", 1),
    ("", ".pgassay.conf", 1),
])
def test_locations(tags, path, line, tmp_path):
    (tmp_path / ".git").mkdir()
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "views.py").write_text("x\n")
    (tmp_path / ".pgassay.conf").write_text("# nothing is set\n")
    (tmp_path / "pg.log").write_text(statements(tags))
    (result,) = [r for r in sarif(run(tmp_path / "shop", "log", "../pg.log", "-f", "sarif"))["results"] if r["ruleId"] == "NP001"]
    place = result["locations"][0]["physicalLocation"]
    assert (place["artifactLocation"]["uri"], place["region"]["startLine"]) == (path, line)
    if "controller" in tags:
        assert "posts#index" in result["message"]["text"]
    if path != ".pgassay.conf":
        found = gitlab(run(tmp_path, "log", "pg.log", "-f", "gitlab"))
        assert any(x["location"] == {"path": path, "lines": {"begin": line}} for x in found)


@pytest.mark.parametrize("name", ["SELECT 'pgassay:test OrderTest#index'", "/* pgassay:test OrderTest#index */ SELECT 1"])
def test_a_marker_names_the_test(name, tmp_path):
    head = "2024-01-05 10:00:00.000 UTC [100] app@shop LOG:  duration: 1.000 ms  statement: "
    (tmp_path / "pg.log").write_text(head + name + "\n" + statements(""))
    for fmt in [*READERS, "text", "markdown", "html", "json"]:
        assert "OrderTest#index" in run(tmp_path, "log", "pg.log", "-f", fmt)
    report = json.loads(run(tmp_path, "log", "pg.log", "-f", "json"))
    (finding,) = [x for x in report["findings"] if x["rule"] == "NP001"]
    assert finding["tests"] == ["OrderTest#index"]
    (test,) = report["tests"]
    assert test["queries"] == 10 and test["runs"] == 1
    assert not any("pgassay" in s["sql"] for s in report["shapes"])


def test_a_tag_and_the_application_name_name_the_test(tmp_path):
    (tmp_path / "pg.log").write_text(statements("/*test='a%20b'*/"))
    report = json.loads(run(tmp_path, "log", "pg.log", "-f", "json"))
    assert [t["name"] for t in report["tests"]] == ["a b"]
    text = statements("").replace("app@shop", "app@shop tests/test_x.py::test_index")
    (tmp_path / "pg.log").write_text(text)
    report = json.loads(run(tmp_path, "log", "pg.log", "-f", "json", "--prefix", "%m [%p] %u@%d %a "))
    assert [t["name"] for t in report["tests"]] == ["tests/test_x.py::test_index"]
    assert [x["tests"] for x in report["findings"] if x["rule"] == "NP001"] == [["tests/test_x.py::test_index"]]


@pytest.mark.parametrize("setting, names", [("auto", []), ("always", ["billing"]), ("never", [])])
def test_whether_the_application_name_is_a_test(setting, names, tmp_path):
    (tmp_path / ".pgassay.conf").write_text(f"[gate]\ntest_names = {setting}\n")
    (tmp_path / "pg.log").write_text(statements("").replace("app@shop", "app@shop billing"))
    report = json.loads(run(tmp_path, "log", "pg.log", "-f", "json", "--prefix", "%m [%p] %u@%d %a "))
    assert [t["name"] for t in report.get("tests", [])] == names


def test_a_retry_counts_as_one(tmp_path):
    head = "2024-01-05 10:00:00.000 UTC [100] app@shop LOG:  duration: 1.000 ms  statement: "
    once = head + "SELECT 'pgassay:test t1'\n" + statements("")
    (tmp_path / "pg.log").write_text(once + once + head + "SELECT 'pgassay:test t2'\n" + once)
    report = json.loads(run(tmp_path, "log", "pg.log", "-f", "json"))
    assert {t["name"]: (t["runs"], t["queries"]) for t in report["tests"]} == {"t1": (3, 10), "t2": (1, 0)}
