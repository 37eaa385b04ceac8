"""Programs that people use, through the pooler: same results as directly."""
import subprocess

import pytest

import cluster
from pooler import wait_until

SCRIPT = r"""
\set ON_ERROR_STOP 1
select version() like 'PostgreSQL%';
create schema demo_script;
create table demo_script.t (a int primary key, b text, c timestamptz default '2024-02-29 12:00Z');
\copy demo_script.t (a, b) from program 'seq 1 2000 | sed "s/.*/&\tvalue &/"'
select count(*), sum(a), max(b) from demo_script.t;
begin;
update demo_script.t set b = b || '!' where a % 100 = 0;
savepoint s;
delete from demo_script.t;
rollback to s;
commit;
select a, b, c from demo_script.t where a % 500 = 0 order by a;
\copy (select a, b from demo_script.t where a < 4 order by a) to stdout
\d demo_script.t
select 'ünïcödé', E'\\x00ff'::bytea, array[1,2,null], row(1,'a'), null;
drop schema demo_script cascade;
"""


def psql(dsn, script):
    done = subprocess.run(["psql", "-X", dsn, "-f", "-"], input=script, capture_output=True,
                          text=True, timeout=500)
    return done.returncode, done.stdout, done.stderr


def test_psql_script(postgres, pooler):
    p = pooler(max_open=1)
    direct = psql(postgres.dsn(host="127.0.0.1", user="trusty", dbname="shop"), SCRIPT)
    through = psql(p.dsn(), SCRIPT)
    assert direct[0] == 0, direct
    assert through == direct


def test_psql_list_commands(postgres, pooler):
    p = pooler(max_open=1)
    script = "\\l\n\\du\n\\dt pg_catalog.*\n\\df pg_catalog.int4*\n\\conninfo\n"
    direct = psql(postgres.dsn(host="127.0.0.1", user="trusty", dbname="shop"), script)
    through = psql(p.dsn(), script)
    assert through[0] == 0 and through[1].split("\n")[:-2] == direct[1].split("\n")[:-2]


def test_scram_at_both_ends(pooler):
    p = pooler(auth_type="scram-sha-256")
    done = psql(p.dsn(user="app", password=cluster.PASSWORD), "select current_user;")
    assert done[0] == 0 and "app" in done[1], done
    done = psql(p.dsn(user="app", password="wrong"), "select 1;")
    assert done[0] == 2 and "authentication failed" in done[2], done


def test_psycopg(pooler):
    p = pooler(max_open=2)
    with p.connect() as c:
        assert c.execute("select %s::int + 1, %s::text", (41, "x")).fetchone() == (42, "x")
        with c.transaction():
            c.execute("create table if not exists pg3 (a int, b text)")
        with c.cursor().copy("copy pg3 from stdin") as copy:
            for n in range(1000):
                copy.write_row((n, f"value {n}"))
        with c.cursor() as cursor, cursor.copy("copy pg3 to stdout") as copy:
            assert len(list(copy.rows())) == 1000
        with c.transaction(), c.cursor(name="server_side") as cursor:
            cursor.execute("select a from pg3 order by a")
            assert sum(r[0] for r in cursor) == 499500
        with c.pipeline():
            results = [c.execute("select %s::int", (n,)) for n in range(100)]
        assert [r.fetchone()[0] for r in results] == list(range(100))
        c.execute("drop table pg3")


def test_psycopg_error_then_use(pooler):
    import psycopg
    p = pooler(max_open=1)
    with p.connect() as c:
        with pytest.raises(psycopg.errors.DivisionByZero):
            c.execute("select 1/0")
        with pytest.raises(psycopg.errors.UniqueViolation), c.transaction():
            c.execute("create temp table u (a int unique) on commit drop")
            c.execute("insert into u values (1), (1)")
        assert c.execute("select 1").fetchone() == (1,)


def test_psycopg_cancel(pooler):
    import threading

    import psycopg
    p = pooler(max_open=1)
    with p.connect() as c:
        timer = threading.Timer(0.3, c.cancel)
        timer.start()
        with pytest.raises(psycopg.errors.QueryCanceled):
            c.execute("select pg_sleep(20)")
        timer.join()


@pytest.fixture(scope="module")
def accounts(postgres):
    """pgbench's tables in shop, small."""
    done = subprocess.run(["pgbench", "-i", "-q", "-s", "5", "-h", postgres.dir, "-p",
                           str(postgres.port), "-U", "postgres", "shop"], capture_output=True,
                          text=True)
    assert done.returncode == 0, done.stderr
    for t in ("accounts", "branches", "tellers", "history"):
        postgres.sql(f"grant all on pgbench_{t} to public", dbname="shop")
    yield
    postgres.sql("drop table pgbench_accounts, pgbench_branches, pgbench_tellers, pgbench_history",
                 dbname="shop")


def pgbench(p, *words, timeout=500):
    done = subprocess.run(["pgbench", "-n", "-h", "127.0.0.1", "-p", str(p.port), "-U", "trusty",
                           *words, "shop"], capture_output=True, text=True, timeout=timeout)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "number of failed transactions: 0" in done.stdout, done.stdout
    return int(done.stdout.split("actually processed: ")[1].split("/")[0])


@pytest.mark.parametrize("mode", ["simple", "extended"])
def test_pgbench(pooler, accounts, mode):
    p = pooler(max_open=10)
    assert pgbench(p, "-M", mode, "-c", "40", "-j", "2", "-t", "50") == 2000


def test_pgbench_prepared_in_session_mode(pooler, accounts):
    p = pooler(max_open=10, pool_mode="session")
    assert pgbench(p, "-M", "prepared", "-c", "10", "-j", "2", "-t", "100") == 1000


@pytest.mark.ours
def test_pgbench_prepared_in_transaction_mode(pooler, accounts):
    p = pooler(max_open=4)
    assert pgbench(p, "-M", "prepared", "-c", "20", "-j", "2", "-t", "100") == 2000


def test_pgbench_reconnects_with_200_clients_over_ten(pooler, accounts, postgres):
    p = pooler(max_open=10)
    assert pgbench(p, "-S", "-C", "-c", "200", "-j", "4", "-t", "10") == 2000
    assert len(postgres.backends("usename = 'trusty'")) <= 10
    wait_until(lambda: p.pool()["cl_active"] == 0)


def test_pgbench_200_clients_over_ten(pooler, accounts, postgres):
    p = pooler(max_open=10)
    assert pgbench(p, "-S", "-c", "200", "-j", "2", "-t", "50") == 10000
    assert len(postgres.backends("usename = 'trusty'")) <= 10


def test_pgbench_keeps_its_books(pooler, accounts, postgres):
    """TPC-B through the pooler: the sums agree, so no transaction was half done."""
    p = pooler(max_open=5)
    postgres.sql("truncate pgbench_history", dbname="shop")
    before = postgres.sql("select sum(bbalance) from pgbench_branches", dbname="shop")[0][0]
    done = pgbench(p, "-c", "30", "-j", "2", "-t", "40")
    history, after, rows = postgres.sql(
        "select (select sum(delta) from pgbench_history), (select sum(bbalance) "
        "from pgbench_branches), (select count(*) from pgbench_history)", dbname="shop")[0]
    assert rows == done == 1200
    assert after - before == history


def test_pg_dump_and_restore(pooler, accounts, postgres):
    p = pooler(max_open=2)
    words = ["pg_dump", "-t", "pgbench_*", "--no-owner", "--no-privileges", "--inserts",
             "--rows-per-insert=500"]
    direct = subprocess.run(words + ["-d", postgres.dsn(host="127.0.0.1", user="trusty",
                                                        dbname="shop")],
                            capture_output=True, timeout=500)
    through = subprocess.run(words + ["-d", p.dsn()], capture_output=True, timeout=500)
    assert direct.returncode == 0, direct.stderr
    assert through.returncode == 0, through.stderr

    def script(text):
        """Without the lines that hold a random word."""
        return [line for line in text.split(b"\n") if b"restrict " not in line]
    assert script(through.stdout) == script(direct.stdout)
