"""The three shops: what their lazy pages send is found, and nothing in their eager twins.

Each shop is served through pgsluice to a server that logs in all its formats, so that one visit
is in pgsluice's query log and in PostgreSQL's own.  The shops' own test suites run, too.
"""
import json
import os
import re
import subprocess

import pytest

import cluster
from pooler import ROOT, wait_until

HERE = os.path.dirname(os.path.abspath(__file__))
SHOPS = {"django": "django_shop/manage.py", "sqlalchemy": "sqlalchemy_shop/manage.py",
         "activerecord": "activerecord_shop/manage.rb"}
# What each lazy page is: a loop as long as the page, or a habit whatever its length.
LOOPS = {"orders": "NP001", "customer_orders": "NP001", "nested": "NP001", "counts": "NP006",
         "exists": "NP007", "reviews": "NP001", "product_reviews": "NP001", "insert": "NP003",
         "update": "NP004", "delete": "NP004"}
HABITS = {"stock": "NP009", "paging": "NP012"}
PREFIX = "%m [%p]: [%l-1] user=%u,db=%d,app=%a,client=%h "


def manage(shop, port, *words):
    """Run a shop's command against a port of loopback; what it said."""
    env = {**os.environ, "DATABASE_URL": f"postgres://trusty@127.0.0.1:{port}/{shop}",
           "PYTHONDONTWRITEBYTECODE": "1"}
    run = subprocess.run([f"{HERE}/{SHOPS[shop]}", *words], env=env, text=True, timeout=500,
                         stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
    assert run.returncode == 0, run.stdout[-3000:]
    return run.stdout


@pytest.fixture(scope="module")
def logged():
    server = cluster.Postgres(
        log_min_duration_statement="0", log_destination="stderr,jsonlog",
        logging_collector="on", log_filename="all.log", log_line_prefix=PREFIX)
    server.sql("alter role trusty createdb")
    for shop in SHOPS:
        server.sql(f"create database {shop} owner trusty")
    yield server
    server.close()


@pytest.fixture
def front(logged, pooler):
    """pgsluice before it, every database, its query log beside its configuration."""
    p = pooler(on=logged, start=False, databases={"*": f"host=127.0.0.1 port={logged.port}"})
    p.write_config(query_log=p.dir + "/query.jsonl")
    return p.start()


APP = re.compile(r'app=([^,]*),|"application_name": ?"([^"]*)"')


def visits(path):
    """{application_name: the log of its sessions}: a small file for each is read quickly."""
    parts, app = {}, ""
    with open(path, encoding="utf-8") as f:
        for line in f:
            found = APP.search(line)
            app = found.group(1) or found.group(2) if found else app  # else it goes on
            parts.setdefault(app, []).append(line)
    return {app: "".join(lines) for app, lines in parts.items()}


def sequence_findings(log, path):
    """The rules about sequences that spoke of one page's visits."""
    run = subprocess.run(
        [f"{ROOT}/bin/pgassay", "log", "--format", "json", "--fail-on", "never",
         *([] if path.endswith(".jsonl") or path.endswith(".json") else ["--prefix", PREFIX]), "-"],
        input=log, capture_output=True, text=True, timeout=500)
    assert run.returncode == 0, run.stderr
    return {f["rule"]: f for f in json.loads(run.stdout)["findings"] if f["rule"].startswith("NP")}


def logs_of(server, front, everything):
    server.sql("select 'the end of this visit'")
    own = [f"{server.data}/log/all{s}" for s in (".log", ".json")]
    front.stop()

    def is_written(path):
        with open(path, "rb") as f:
            return b"the end of this visit" in f.read()
    wait_until(lambda: all(map(is_written, own)), 20, "the logs are written")
    return [front.dir + "/query.jsonl"] + (own if everything else own[:1])


def wrong_pages(shop, path, mode, n):
    """{(mode, n, log, page): what was found} of the pages for which that is not what it should be."""
    wrong, log = {}, visits(path)
    for page, rule in {**LOOPS, **HABITS}.items():
        if (shop, page) == ("sqlalchemy", "stock"):
            continue  # it reads the row by its place, not by its key
        found = sequence_findings(log[f"{page}/{mode}/{n}"], path)
        expected = mode == "lazy" and (page in HABITS or n >= 5)
        if (rule in found) != expected or (not expected and found):
            wrong[mode, n, path, page] = sorted(found)
        elif page in LOOPS and expected and found[rule]["evidence"]["longest_run"] < n:
            wrong[mode, n, path, page] = found[rule]["evidence"]
    return wrong


@pytest.mark.ours
@pytest.mark.timeout(900)
@pytest.mark.parametrize("shop", SHOPS)
@pytest.mark.parametrize("sizes, how", [((3, 5, 20, 500), []), ((5, 20, 500), ["--transaction"])],
                         ids=("autocommit", "transaction"))
def test_pages(logged, front, shop, sizes, how):
    manage(shop, logged.port, "schema")
    manage(shop, logged.port, "seed", str(max(sizes)))
    wrong, rounds = {}, [(mode, n) for n in sizes for mode in ("lazy", "eager")]
    # A loop ends where its client does nothing for 0.2 s, which a busy machine can bring about:
    # it is wrong what is wrong each time.
    for attempt in range(4):
        for suffix in (".log", ".json"):  # what earlier visits left is not looked at again
            os.truncate(f"{logged.data}/log/all{suffix}", 0)
        if attempt:
            os.truncate(front.dir + "/query.jsonl", 0)
            front.start()
        for mode, n in rounds:
            manage(shop, front.port, "serve", mode, str(n), *how)
        paths = logs_of(logged, front, not how)
        now = {k: v for path in paths for r in rounds for k, v in wrong_pages(shop, path, *r).items()}
        wrong = {k: v for k, v in now.items() if not attempt or k in wrong}
        rounds = sorted({k[:2] for k in wrong})
        if not wrong:
            break
    assert not wrong


@pytest.mark.ours
@pytest.mark.parametrize("shop", SHOPS)
def test_tagged_requests(logged, front, shop):
    """Three statements are a loop where comments say that they are one request's."""
    manage(shop, logged.port, "schema")
    manage(shop, logged.port, "seed", "20")
    for mode in ("lazy", "eager"):
        manage(shop, front.port, "serve", "--tag", mode, "3", *LOOPS)
    path = logs_of(logged, front, False)[0]
    log = visits(path)
    for page, rule in LOOPS.items():
        found = sequence_findings(log[f"{page}/lazy/3"], path)
        assert rule in found, (page, found)
        assert found[rule]["evidence"]["tagged_requests"] > 0
        assert sequence_findings(log[f"{page}/eager/3"], path) == {}, page


@pytest.mark.ours
@pytest.mark.parametrize("shop", SHOPS)
def test_own_suite_through_the_pooler(logged, front, shop):
    manage(shop, front.port, "schema")
    said = manage(shop, front.port, "test")
    assert "FAILED" not in said, said
