"""pgassay plan on what a real server logged, in each of its formats, and the picture in a browser."""
import gzip
import json
import re
import subprocess

import psycopg
import pytest

from cluster import Postgres
from test_html import Browser, CHROMIUM, PGASSAY

QUERIES = ("SELECT count(*) FROM goods WHERE color = 'red'",
           "SELECT g.id FROM goods g JOIN parts p ON p.goods_id = g.id WHERE p.size = 7 ORDER BY g.id LIMIT 3",
           "WITH c AS MATERIALIZED (SELECT id FROM goods WHERE id % 7 = 0) SELECT count(*) FROM c")


def assay(*args, stdin=None, status=0):
    run = subprocess.run([PGASSAY, "plan", *args], input=stdin, capture_output=True)
    assert run.returncode == status, run.stderr.decode()
    return run


def read(*args, stdin=None):
    return json.loads(assay(*args, "-f", "json", stdin=stdin).stdout)


def seen(report):
    """What must not depend on how the plans were logged."""
    return sorted((p["times"], p["tree"]) for p in report["plans"]), \
        sorted((f["rule"], f["evidence"].get("node"), f["count"]) for f in report["findings"]), \
        sorted(i["ddl"] for i in report["indexes"])


@pytest.fixture(scope="module")
def logs():
    """The same plans as stderr, csvlog and jsonlog, written by the server's collector."""
    pg = Postgres(logging_collector="on", log_destination="stderr,csvlog,jsonlog", log_filename="pg.log")
    try:
        with psycopg.connect(pg.dsn(), autocommit=True) as db:
            db.execute("CREATE TABLE goods AS SELECT i AS id, (ARRAY['red','green','blue'])[1 + i % 3] AS color"
                       " FROM generate_series(1, 20000) i")
            db.execute("CREATE TABLE parts AS SELECT i AS id, i % 20000 AS goods_id, i % 5000 AS size"
                       " FROM generate_series(1, 60000) i")
            db.execute("ANALYZE")
            db.execute("LOAD 'auto_explain'")
            for name in ("log_analyze", "log_buffers"):
                db.execute(f"SET auto_explain.{name} = on")
            for form in ("text", "json", "yaml", "xml"):
                db.execute(f"SET auto_explain.log_format = {form}")
                db.execute("SET auto_explain.log_min_duration = 0")
                for q in QUERIES:
                    db.execute(q)
                db.execute("SET auto_explain.log_min_duration = -1")
        pg.stop()  # the collector writes all it has
        yield {kind: f"{pg.data}/log/pg.{end}" for kind, end in (("stderr", "log"), ("csv", "csv"), ("json", "json"))}
    finally:
        pg.close()


@pytest.mark.parametrize("kind", ("csv", "json", "syslog", "stdin", "gz"))
def test_each_log_says_the_same(logs, kind, tmp_path):
    plain = read(logs["stderr"])
    assert sum(p["times"] for p in plain["plans"]) == 12
    if kind == "stdin":
        with open(logs["json"], "rb") as f:
            other = read("-", stdin=f.read())
    elif kind == "gz":
        packed = tmp_path / "pg.csv.gz"
        with open(logs["csv"], "rb") as f:
            packed.write_bytes(gzip.compress(f.read()))
        other = read(str(packed))
    elif kind == "syslog":
        path = tmp_path / "syslog"
        path.write_text(as_syslog(logs["stderr"]))
        other = read(str(path))
    else:
        other = read(logs[kind])
    assert len(other["plans"]) == len(plain["plans"])
    assert seen(other)[1:] == seen(plain)[1:]


def as_syslog(path):
    """What syslog makes of a log: a head before each line, tabs escaped."""
    out, n, k, pid = [], 0, 1, "1"
    for line in open(path):
        head = re.match(r"\S+ \S+ \S+ \[(\d+)\]", line)
        pid = head[1] if head else pid
        n, k = (n, k + 1) if line.startswith("\t") else (n + 1, 1)
        line = line.rstrip("\n")
        out.append(f"Nov 28 07:00:00 db postgres[{pid}]: [{n}-{k}] "
                   + ("#011" + line[1:] if line.startswith("\t") else line))
    return "\n".join(out) + "\n"


def test_a_place_is_a_line_of_the_log(logs):
    for kind in ("stderr", "csv"):
        text = open(logs[kind]).read().split("\n")
        for p in read(logs[kind])["plans"]:
            near = "\n".join(text[max(0, p["line"] - 8):p["line"] + 1])
            assert "plan:" in near, (kind, p["line"], near)


CHOSEN = "document.querySelector('.node.chosen summary').textContent"


@pytest.mark.skipif(not CHROMIUM, reason="no chromium")
def test_the_picture(tmp_path):
    html = tmp_path / "plan.html"
    plan = tmp_path / "plan.txt"
    plan.write_text("""\
Limit  (cost=500.00..500.03 rows=10 width=8) (actual time=90.0..90.1 rows=10 loops=1)
  ->  Sort  (cost=500.00..510.00 rows=2000 width=8) (actual time=90.0..90.0 rows=10 loops=1)
        Sort Key: o.total DESC
        Sort Method: top-N heapsort  Memory: 26kB
        ->  Seq Scan on orders o  (cost=0.00..400.00 rows=20 width=8) (actual time=0.1..80.0 rows=9000 loops=1)
              Filter: (state = '</script><script>alert(1)</script>'::text)
              Rows Removed by Filter: 991000
              Buffers: shared hit=10 read=8000
Execution Time: 90.2 ms
""")
    assay(str(plan), "-f", "html", "-o", str(html))
    page = Browser(tmp_path)
    try:
        page.call("Page.navigate", url=html.as_uri())
        page.wait("document.documentElement?.dataset.ready === 'yes'")
        for e in page.events:
            assert e["method"] != "Runtime.exceptionThrown", e
            assert not (e["method"] == "Log.entryAdded" and e["params"]["entry"]["level"] == "error"), e
        width = "parseFloat([...document.querySelectorAll('.icicle .cell')][%d].style.width)"
        assert page.js("document.querySelectorAll('.icicle .cell').length") == 3
        assert 85 < page.js(width % 2) < 95  # 80 of 90 ms
        assert "PL001" in page.js("document.querySelector('.nodes').textContent")
        assert "too few" in page.js("document.querySelector('.nodes').textContent")
        assert "too many" not in page.js("document.querySelector('.nodes').textContent")  # LIMIT stopped the Sort
        assert "statements" not in page.js("document.querySelector('.tiles').textContent")  # it came alone
        # the keyboard walks down the tree and opens a node
        page.js("document.querySelector('.icicle .cell').focus()")
        assert page.js("document.activeElement.textContent") == "Limit"
        for key, code in (("ArrowDown", 40), ("ArrowDown", 40), (" ", 32)):
            page.call("Input.dispatchKeyEvent", type="keyDown", key=key, code=key, windowsVirtualKeyCode=code,
                      text=key if key == " " else "")
            page.call("Input.dispatchKeyEvent", type="keyUp", key=key, code=key, windowsVirtualKeyCode=code)
        assert page.js("document.activeElement.textContent") == "Seq Scan on orders o"
        page.wait("!!document.querySelector('.node.chosen')")
        assert "Seq Scan on orders" in page.js(CHOSEN)
        assert page.js("document.querySelector('.node.chosen').open")
        # on a phone nothing sticks out
        page.call("Emulation.setDeviceMetricsOverride", width=380, height=800, deviceScaleFactor=1, mobile=True)
        page.wait("document.documentElement.scrollWidth <= 380")
    finally:
        page.close()


def test_extended_statistics_mend_the_estimate(postgres):
    """IX010's statement is taken by the server, and the next plan expects what it gets.

    Without times the gate goes by cost: how fast the machine is does not matter.
    """
    query = "EXPLAIN (ANALYZE, TIMING OFF) SELECT * FROM place WHERE city = 3 AND zip = 3"
    with psycopg.connect(postgres.dsn(), autocommit=True) as db:
        db.execute("CREATE TEMP TABLE place AS SELECT i % 50 AS city, i % 50 AS zip, repeat('x', 60) AS street"
                   " FROM generate_series(1, 100000) i")
        db.execute("ANALYZE place")

        def findings():
            plan = "\n".join(row[0] for row in db.execute(query))
            return {f["rule"]: f for f in read("--fail-on", "never", stdin=plan.encode())["findings"]}
        found = findings()
        assert "PL005" not in found
        for statement in found["IX010"]["fix"]["sql"].rstrip(";").split("; "):
            db.execute(statement)
        assert "IX010" not in findings()
