"""PostgreSQL's own programs through the pooler: psql, pgbench, pg_dump, pg_restore.

In transaction mode, over fewer connections than there are clients; what they print and leave
in the database is what they print and leave directly.
"""
import os
import re
import shutil
import subprocess

import pytest

import cluster

pytestmark = [pytest.mark.ours, pytest.mark.timeout(900)]
HERE = os.path.dirname(os.path.abspath(__file__))


def start(name, *words, port, database="shop", **kw):
    env = {k: v for k, v in os.environ.items() if not k.startswith("PG")}
    env.update(PGHOST="127.0.0.1", PGPORT=str(port), PGUSER="trusty", PGDATABASE=database)
    return subprocess.Popen([f"{cluster.bindir()}/{name}", *words], env=env, text=True,
                            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, **kw)


def said(process, timeout=500):
    out = process.communicate(timeout=timeout)[0]
    assert process.returncode == 0, out[-3000:]
    return out


@pytest.fixture
def directory():
    path = cluster.scratch("pgsluice-programs-")
    yield path
    shutil.rmtree(path, ignore_errors=True)


# --- psql ------------------------------------------------------------------------------------

@pytest.fixture
def many(directory):
    """Statements by the thousand: small, large, several in a line, comments between them."""
    path = directory + "/many.sql"
    with open(path, "w", encoding="utf-8") as f:
        for n in range(1500):
            f.write(f"insert into purchase (customer, price) values ({1 + n % 3}, {n % 50}.{n % 100:02});\n")
            if n % 100 == 0:
                f.write(f"/* {n} */ select {n} as n; -- one\nselect length('{'x' * n * 10}');\n")
    return path


def psql(port, schema, many):
    return start("psql", "-X", "-a", "-v", f"schema={schema}", "-v", f"many={many}", "-c",
                 f"create schema {schema}", "-f", HERE + "/script.sql", port=port)


def test_a_long_script(postgres, pooler, many):
    """Twenty at once over two connections; LISTEN and its kin pin (on_session_feature)."""
    expected = said(psql(postgres.port, "s_direct", many)).replace("s_direct", "SCHEMA")
    assert expected.count("ERROR:") == 10 and "ADA" in expected
    p = pooler(max_open=2, on_session_feature="pin")
    running = [psql(p.port, f"s_{n:06}", many) for n in range(20)]
    for n, client in enumerate(running):
        assert said(client).replace(f"s_{n:06}", "SCHEMA") == expected
    assert p.show("PINS") == []


# --- pgbench -----------------------------------------------------------------------------------

PIPELINE = """\\set a random(1, 100000)
\\startpipeline
select abalance from pgbench_accounts where aid = :a;
update pgbench_accounts set abalance = abalance + 1 where aid = :a;
update pgbench_tellers set tbalance = tbalance + 1 where tid = 1;
update pgbench_branches set bbalance = bbalance + 1 where bid = 1;
insert into pgbench_history (tid, bid, aid, delta, mtime) values (1, 1, :a, 1, now());
\\endpipeline
"""


@pytest.fixture(scope="module")
def bench(postgres):
    postgres.sql("create database bench owner trusty")
    said(start("pgbench", "-i", "-q", "--foreign-keys", port=postgres.port, database="bench"))
    yield postgres
    postgres.sql("drop database bench with (force)")


@pytest.mark.parametrize("script, protocol", [
    (s, p) for s in ("tpcb-like", "select-only", "simple-update", "pipeline")
    for p in ("simple", "extended", "prepared") if (s, p) != ("pipeline", "simple")])
def test_pgbench(bench, pooler, directory, script, protocol):
    """Twenty clients over two connections; no transaction fails, and no balance is lost."""
    p = pooler(on=bench, max_open=2, databases={"bench": f"host=127.0.0.1 port={bench.port}"})
    with open(directory + "/pipeline.sql", "w", encoding="utf-8") as f:
        f.write(PIPELINE)
    what = ["-f", directory + "/pipeline.sql"] if script == "pipeline" else ["-b", script]
    bench.sql("truncate pgbench_history", dbname="bench")
    balances = "select sum(abalance) from pgbench_accounts"
    before = bench.sql(balances, dbname="bench")[0][0]
    out = said(start("pgbench", "-n", "-M", protocol, "-c", "20", "-j", "2", "-t", "25", *what,
                     port=p.port, database="bench"))
    assert "number of transactions actually processed: 500/500" in out
    assert "number of failed transactions: 0 " in out
    if script != "select-only":
        moved, rows = bench.sql("select sum(delta), count(*) from pgbench_history", dbname="bench")[0]
        assert rows == 500
        assert bench.sql(balances, dbname="bench")[0][0] - before == moved
    assert len(bench.sql("select from pg_stat_activity where datname = 'bench'")) <= 2


def test_pgbench_prepares_the_database_and_reconnects(bench, pooler):
    p = pooler(on=bench, max_open=2, databases={"bench": f"host=127.0.0.1 port={bench.port}"})
    assert "done in" in said(start("pgbench", "-i", "-q", "--partitions=3", port=p.port,
                                   database="bench"))
    out = said(start("pgbench", "-C", "-S", "-c", "10", "-t", "10", port=p.port, database="bench"))
    assert "actually processed: 100/100" in out


# --- pg_dump, pg_restore -------------------------------------------------------------------------

@pytest.fixture(scope="module")
def museum(postgres):
    """A database with one of everything that pg_dump looks at."""
    postgres.sql("create database museum owner trusty")
    for name in ("copy_psql", "copy_jobs"):
        postgres.sql(f"create database {name} owner trusty")
    said(start("psql", "-X", "-v", "ON_ERROR_STOP=1", "-f", HERE + "/museum.sql", port=postgres.port,
               database="museum"))
    yield postgres
    for name in ("museum", "copy_psql", "copy_jobs"):
        postgres.sql(f"drop database {name} with (force)")


def dumped(port, database):
    """Schema and data as text; without versions and the key of the day."""
    return re.sub(r"(?m)^(-- Dumped|\\(un)?restrict) .*$", "", said(start("pg_dump", "-O", port=port,
                                                         database=database)))


def front(pooler, museum, **kw):
    line = f"host=127.0.0.1 port={museum.port}"
    return pooler(on=museum, databases={n: line for n in ("museum", "copy_psql", "copy_jobs")}, **kw)


def test_pg_dump_into_psql(museum, pooler, directory):
    p = front(pooler, museum, max_open=2)
    expected = dumped(museum.port, "museum")
    assert expected.count("CREATE ") > 10 and "lo_open" in expected
    assert dumped(p.port, "museum") == expected
    with open(directory + "/dump.sql", "w", encoding="utf-8") as f:
        f.write(expected)
    said(start("psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-f", directory + "/dump.sql",
               port=p.port, database="copy_psql"))
    assert dumped(museum.port, "copy_psql") == expected


def test_pg_dump_and_pg_restore_with_jobs(museum, pooler, directory):
    """Workers that share a snapshot, each with a connection of its own."""
    p = front(pooler, museum, max_open=4)
    said(start("pg_dump", "-O", "-Fd", "-j", "3", "-f", directory + "/dump", port=p.port,
               database="museum"))
    said(start("pg_restore", "-O", "-j", "3", "-d", "copy_jobs", directory + "/dump", port=p.port,
               database="copy_jobs"))
    assert dumped(museum.port, "copy_jobs") == dumped(museum.port, "museum")
