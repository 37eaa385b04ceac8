"""Findings about sequences, from logs that real clients left: none where there is no loop.

Every kind of traffic here looks like an N+1 to who counts statements only.  It runs against a
server that logs to stderr, csvlog and jsonlog at once, directly and through pgsluice, whose own
query log is looked at, too.
"""
import json
import os
import random
import shutil
import subprocess
import threading
import uuid

import psycopg
import pytest

import cluster
from pace import undisturbed
from pooler import ROOT, wait_until

pytestmark = pytest.mark.slow  # the analyzer is what is tested: once is enough
ASSAY = os.environ.get("PGASSAY_BIN", os.path.join(ROOT, "bin", "pgassay"))
PREFIX = "%m [%p]: [%l-1] user=%u,db=%d,app=%a,client=%h "
SUFFIXES = (".log", ".csv", ".json")


@pytest.fixture(scope="module")
def logged():
    """A server that logs every statement in all its formats."""
    server = cluster.Postgres(
        log_min_duration_statement="0", log_destination="stderr,csvlog,jsonlog",
        logging_collector="on", log_filename="all.log", log_line_prefix=PREFIX)
    server.sql("create table posts (id int primary key, author_id int, title text)", dbname="shop")
    server.sql("insert into posts select i, i % 50, 'post ' || i from generate_series(1, 1000) i",
               dbname="shop")
    server.sql("create table authors (id int primary key, name text unique)", dbname="shop")
    server.sql("insert into authors select i, 'author ' || i from generate_series(0, 49) i",
               dbname="shop")
    server.sql("create table jobs (id int primary key, state text default 'new', payload int)",
               dbname="shop")
    server.sql("insert into jobs (id, payload) select i, i from generate_series(1, 1000) i",
               dbname="shop")
    server.sql("grant all on all tables in schema public to public", dbname="shop")
    yield server
    server.close()


@pytest.fixture
def shared_dir():
    """A directory that the pooler's user may write to."""
    path = cluster.scratch("pgsluice-seq-")
    yield path
    shutil.rmtree(path, ignore_errors=True)


def analyse(path, *words):
    run = subprocess.run([ASSAY, "log", "--format", "json", "--fail-on", "never", *words, path],
                         capture_output=True, text=True, timeout=500)
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout)


def sequence_findings(report):
    """What was found about loops; how pages are shown is another matter."""
    return [(f["rule"], f["confidence"], f["message"]) for f in report["findings"]
            if f["rule"].startswith("NP") or f["rule"] == "LM005"]


class Slice:
    """What the server logs from here on, in each format, as files of their own."""

    def __init__(self, server, where):
        self.server, self.where = server, str(where)
        self.begin = {s: os.path.getsize(self.log(s)) for s in SUFFIXES}

    def log(self, suffix):
        return f"{self.server.data}/log/all{suffix}"

    def files(self):
        marker = uuid.uuid4().hex
        self.server.sql(f"select '{marker}'")
        out = []
        for suffix in SUFFIXES:
            def rest(suffix=suffix):
                with open(self.log(suffix), "rb") as f:
                    f.seek(self.begin[suffix])
                    text = f.read()
                return text if marker.encode() in text else None
            text = wait_until(rest, 20, f"the log {suffix} has what was sent")
            out.append(f"{self.where}/part{suffix}")
            with open(out[-1], "wb") as f:
                f.write(text)
        return out


def connect(server, port=None, **words):
    return psycopg.connect(f"host=127.0.0.1 port={port or server.port} user=trusty dbname=shop",
                           autocommit=True, **words)


def pgbench(server, port, *words):
    run = subprocess.run(
        [f"{server.bin}/pgbench", "-h", "127.0.0.1", "-p", str(port), "-U", "trusty", *words,
         "shop"], capture_output=True, text=True, timeout=500)
    assert run.returncode == 0, run.stderr
    return run.stdout


# --- traffic that is no loop: each is called with (server, port) ------------------------------

def benchmarks(server, port):
    """pgbench in every mode and protocol."""
    pgbench(server, server.port, "-i", "-q")
    for script in (["-S"], ["-N"], []):
        for protocol in ("simple", "extended", "prepared"):
            pgbench(server, port, "-n", "-c", "2", "-t", "60", "-M", protocol, *script)


def keyset_batch(server, port):
    with connect(server, port) as c:
        last = 0
        while True:
            rows = c.execute("select id from posts where id > %s order by id limit 100",
                             [last]).fetchall()
            if not rows:
                break
            last = rows[-1][0]
            c.execute("update posts set title = title where id = any(%s)", [[r[0] for r in rows]])
        with c.transaction():
            for last in range(0, 1000, 100):
                c.execute("select id from posts where id > %s order by id limit 100", [last])
                c.execute("update posts set title = title where id between %s and %s",
                          [last + 1, last + 100])


def queue_workers(server, port):
    def one_by_one():
        with connect(server, port) as c:
            for _ in range(20):
                with c.transaction():
                    job = c.execute("select id, payload from jobs where state = 'new' order by id "
                                    "limit 1 for update skip locked").fetchone()
                    c.execute("select title from posts where id = %s", [job[1]])
                    c.execute("update jobs set state = 'done' where id = %s", [job[0]])

    def ten_at_once():
        with connect(server, port) as c:
            for _ in range(3):
                with c.transaction():
                    taken = c.execute("select id, payload from jobs where state = 'new' order by id "
                                      "limit 10 for update skip locked").fetchall()
                    for job in taken:
                        c.execute("update jobs set state = 'done' where id = %s", [job[0]])
    run_all([one_by_one, one_by_one, ten_at_once])


def health_checks(server, port):
    with connect(server, port) as c:
        for _ in range(30):
            c.execute("select 1")
            c.execute("select now()")
        with c.transaction():
            for _ in range(10):
                c.execute("select 1")


def pooled_requests(server, port):
    """Twelve clients whose requests, lists and single rows, land on few server connections."""
    def client(seed):
        rng = random.Random(seed)
        with connect(server, port) as c:
            c.prepare_threshold = None
            for _ in range(40):
                kind = rng.randrange(4)
                if kind == 0:
                    ids = [r[0] for r in c.execute(
                        "select author_id from posts order by id limit 20 offset %s",
                        [rng.randrange(5)]).fetchall()]
                    c.execute("select id, name from authors where id = any(%s)", [ids])
                elif kind == 1:
                    c.execute("select id, title from posts where id = %s", [rng.randrange(1000)])
                else:
                    c.execute("select id, name from authors where id = %s", [rng.randrange(50)])
    run_all([lambda s=seed: client(s) for seed in range(12)])


def validations(server, port):
    with connect(server, port) as c:
        for n in range(12):
            name = f"new {os.getpid()} {n} {uuid.uuid4().hex}"
            with c.transaction():
                c.execute("select 1 as one from authors where name = %s limit 1", [name])
                c.execute("insert into authors (id, name) values (%s, %s)",
                          [random.randrange(1000, 2 ** 31), name])


def fixtures(server, port):
    """A test suite: each test makes its rows, looks at one or two, and rolls back."""
    with connect(server, port) as c:
        for _ in range(8):
            c.execute("begin")
            for n in range(6):
                c.execute("insert into authors (id, name) values (%s, %s)",
                          [random.randrange(1000, 2 ** 31), uuid.uuid4().hex])
            c.execute("select id, title from posts where id = %s", [random.randrange(1000)])
            c.execute("rollback")
        c.execute("begin")
        c.execute("select id, author_id from posts order by id limit 5")
        for n in range(8):  # tests of one class, each behind a savepoint
            c.execute("savepoint test")
            c.execute("select id, name from authors where id = %s", [n])
            c.execute("rollback to savepoint test")
        c.execute("rollback")


def starts_of_drivers(server, port):
    """What ORMs and drivers ask the catalogs when they connect: one question for each type."""
    with connect(server, port) as c:
        names = [r[0] for r in c.execute("select typname from pg_catalog.pg_type where typtype = 'b' "
                                         "order by oid limit 25").fetchall()]
        with c.transaction():
            for name in names:
                c.execute("select oid, typarray from pg_catalog.pg_type where typname = %s", [name])
        for table in ("posts", "authors", "jobs") * 4:
            c.execute("select a.attname from pg_catalog.pg_attribute a join pg_catalog.pg_class c "
                      "on c.oid = a.attrelid where c.relname = %s and a.attnum > 0", [table])


def listeners(server, port):
    """A worker that is woken up, and then looks at the one row it was told of."""
    with connect(server, server.port) as c, connect(server, port) as sender:
        told = []
        c.add_notify_handler(lambda n: told.append(int(n.payload)))
        c.execute("listen jobs")
        for n in range(1, 16):
            sender.execute("select pg_notify('jobs', %s)", [str(n)])
            wait_until(lambda: c.execute("select 1") and told, 20, "the notification comes")
            c.execute("select state from jobs where id = %s", [told.pop()])


def cron_jobs(server, port):
    """The same few statements again and again, each time on a connection of its own."""
    for _ in range(8):
        with connect(server, port, application_name="cron") as c:
            with c.transaction():
                c.execute("select count(*) from jobs where state = 'new'")
                c.execute("update jobs set state = 'new' where state = 'stale' and id < %s", [100])


def migrations(server, port):
    """A script that makes a table and fills it row by row."""
    with connect(server, port) as c:
        with c.transaction():
            c.execute("create temporary table kinds (id int primary key, name text)")
            for n in range(12):
                c.execute("insert into kinds values (%s, %s)", [n, "kind " + str(n)])
            c.execute("drop table kinds")


def run_all(functions):
    failures = []

    def guard(function):
        try:
            function()
        except Exception as e:  # noqa: BLE001: told below
            failures.append(e)
    threads = [threading.Thread(target=guard, args=(f,)) for f in functions]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not failures, failures


TRAFFIC = [benchmarks, keyset_batch, queue_workers, health_checks, pooled_requests, validations,
           fixtures, starts_of_drivers, listeners, cron_jobs, migrations]


@pytest.mark.ours
@pytest.mark.parametrize("traffic", TRAFFIC, ids=lambda f: f.__name__)
@undisturbed  # two clients that are never awake at once share a connection, and look like one
def test_no_loop(logged, pooler, shared_dir, traffic):
    own = f"{shared_dir}/{uuid.uuid4().hex}.jsonl"
    p = pooler(on=logged, max_open=2, query_log=own)
    part = Slice(logged, shared_dir)
    traffic(logged, logged.port)
    traffic(logged, p.port)
    p.stop()
    for path in part.files() + [own]:
        assert sequence_findings(analyse(path)) == [], path


@pytest.mark.ours
def test_dump(logged, shared_dir):
    part = Slice(logged, shared_dir)
    subprocess.run([f"{logged.bin}/pg_dump", "-h", "127.0.0.1", "-p", str(logged.port), "-U",
                    "trusty", "shop"], check=True, capture_output=True, timeout=500)
    for path in part.files():
        assert sequence_findings(analyse(path)) == [], path


@pytest.mark.ours
@pytest.mark.parametrize("in_transaction", (False, True), ids=("autocommit", "transaction"))
@pytest.mark.parametrize("binary", (False, True), ids=("text", "binary"))
@undisturbed
def test_a_loop_is_found_in_every_log(logged, pooler, shared_dir, in_transaction, binary):
    own = f"{shared_dir}/{uuid.uuid4().hex}.jsonl"
    p = pooler(on=logged, max_open=2, query_log=own)
    for n, expected in ((3, 0), (5, 1), (20, 1)):
        part = Slice(logged, shared_dir)
        with connect(logged, p.port) as c:
            cursor = c.cursor(binary=binary)
            if in_transaction:
                cursor.execute("begin")
            cursor.execute("select id, author_id from posts order by id desc limit %s", [n])
            for _, author in cursor.fetchall():
                cursor.execute("select id, name from authors where id = %s", [author])
                cursor.fetchall()
            if in_transaction:
                cursor.execute("commit")
        for path in part.files():
            report = analyse(path)
            found = [f for f in report["findings"] if f["rule"] == "NP001"]
            assert len(found) == expected, (n, path, found)
            if expected:
                assert found[0]["evidence"]["longest_run"] == n, path
                assert "rows the parent returned" in found[0]["evidence"]["not_known"]
                assert found[0]["confidence"] == "likely"
    p.stop()
    found = [f for f in analyse(own)["findings"] if f["rule"] == "NP001"]
    assert [f["confidence"] for f in found] == ["certain"], found
    assert found[0]["evidence"]["parent_rows_match"] == found[0]["evidence"]["runs"]
    assert found[0]["fix"]["sql"] == "select id, name from authors where id = ANY ($1::bigint[])"


# --- loops of other kinds: each is called with a connection and how often it goes round ---------

def posts_of(c, n):
    return c.execute("select id, author_id from posts order by id desc limit %s", [n]).fetchall()


def three_statements(c, n):
    for post, author in posts_of(c, n):
        c.execute("select id, name from authors where id = %s", [author]).fetchall()
        c.execute("select count(*) from jobs where payload = %s", [post]).fetchall()
        c.execute("select id, state from jobs where id = %s", [post]).fetchall()


def nested(c, n):
    for _, author in c.execute("select id, id from authors order by id limit %s", [n]).fetchall():
        for post, _ in c.execute("select id, title from posts where author_id = %s limit 3",
                                 [author]).fetchall():
            c.execute("select id, state from jobs where id = %s", [post]).fetchall()


def pipelined(c, n):
    with c.pipeline():
        posts = posts_of(c, n)
        for _, author in posts:
            c.execute("select id, name from authors where id = %s", [author])


def mixed_protocols(c, n):
    for i, (_, author) in enumerate(posts_of(c, n)):
        c.execute("select id, name from authors where id = %s", [author], prepare=i % 2 == 0)


def one_request(c, n):
    tag = "/*traceparent='00-%032x-00f067aa0ba902b7-01'*/" % random.getrandbits(120)
    posts = c.execute("select id, author_id from posts order by id desc limit %s " + tag, [n])
    for _, author in posts.fetchall():
        c.execute("select id, name from authors where id = %s " + tag, [author])


LOOPS = {three_statements: (5, 20), nested: (5, 20), pipelined: (5, 20), mixed_protocols: (5, 20),
         one_request: (3, 20)}


@pytest.mark.ours
@pytest.mark.parametrize("loop", LOOPS, ids=lambda f: f.__name__)
@undisturbed
def test_loops_of_every_kind_are_found(logged, pooler, shared_dir, loop):
    own = f"{shared_dir}/{uuid.uuid4().hex}.jsonl"
    p = pooler(on=logged, max_open=2, query_log=own)
    part = Slice(logged, shared_dir)
    for n in LOOPS[loop]:
        with connect(logged, p.port) as c:
            loop(c, n)
    p.stop()
    for path in part.files() + [own]:
        found = [f for f in analyse(path)["findings"] if f["rule"] in ("NP001", "NP005")]
        assert found and found[0]["confidence"] != "possible", (path, found)
