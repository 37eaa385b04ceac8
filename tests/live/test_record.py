"""pgsluice record: a command with a pooler of its own before its server."""
import json
import os
import signal
import subprocess
import urllib.parse

import pytest

import cluster
import pooler as poolers

pytestmark = pytest.mark.ours


class Recorded:
    def __init__(self, done, log):
        self.status, self.out, self.err, self.log = done.returncode, done.stdout, done.stderr, log

    @property
    def lines(self):
        with open(self.log, encoding="utf-8") as f:
            return [json.loads(x) for x in f]

    @property
    def statements(self):
        return [x["message"].split(": ", 2)[2] for x in self.lines if "duration" in x["message"]]


@pytest.fixture
def record(postgres, tmp_path):
    """record(COMMAND, option…, NAME=value…): a shell's command under pgsluice record."""
    def go(command, *options, dsn=None, cwd=tmp_path, **env):
        clean = {k: v for k, v in os.environ.items() if not k.startswith("PG") and k != "DATABASE_URL"}
        dsn = dsn or f"host=127.0.0.1 port={postgres.port} user=app password='{cluster.PASSWORD}' dbname=shop"
        words = command if isinstance(command, list) else ["sh", "-c", command]
        done = subprocess.run([poolers.BIN, "record", "-o", "q.jsonl", *(("--dsn", dsn) if dsn != "none" else ()), *options, "--",
                               *words], cwd=cwd, capture_output=True, text=True, timeout=500, stdin=subprocess.DEVNULL,
                              env={**clean, "TMPDIR": str(tmp_path), **env})
        left = [x for x in os.listdir(tmp_path) if x.startswith("pgsluice-record")]
        assert not left, "a temporary directory stayed"
        return Recorded(done, os.path.join(cwd, "q.jsonl"))
    return go


def test_every_statement_is_in_the_log(record):
    got = record("psql -Atc 'select 1' -c 'select 2' && psql -At \"$DATABASE_URL\" -c 'select 3'")
    assert (got.status, got.out) == (0, "1\n2\n3\n")
    assert got.statements == ["select 1", "select 2", "select 3"]
    assert {(x["user"], x["dbname"]) for x in got.lines} == {("app", "shop")}


def test_the_environment(record):
    got = record("env")
    env = dict(x.split("=", 1) for x in got.out.splitlines() if "=" in x)
    assert (env["PGHOST"], env["PGUSER"], env["PGPASSWORD"], env["PGDATABASE"]) == ("127.0.0.1", "app", cluster.PASSWORD, "shop")
    url = urllib.parse.urlparse(env["DATABASE_URL"])
    assert (url.scheme, url.hostname, url.port, url.path) == ("postgresql", "127.0.0.1", int(env["PGPORT"]), "/shop")
    assert urllib.parse.unquote(url.password) == cluster.PASSWORD
    assert "no statement came through" in got.err


def test_a_url_of_a_framework_keeps_all_but_the_place(record, postgres):
    url = f"postgis://trusty:p%40s@127.0.0.1:{postgres.port}/stock?sslmode=disable&application_name=x&sslrootcert=/y"
    got = record("echo $DATABASE_URL $PGUSER; psql -Atc 'select current_user, current_database()'", dsn="none", DATABASE_URL=url)
    said, rows = got.out.splitlines()
    assert said.startswith("postgis://trusty:p%40s@127.0.0.1:") and said.endswith("/stock?application_name=x trusty")
    assert str(postgres.port) not in said and rows == "trusty|stock"


def test_what_a_test_runner_does_works(record):
    """CREATE and DROP DATABASE, other users, session state, what is set at connecting."""
    got = record("set -e; psql -U postgres -d postgres -qc 'create database test_rec';"
                 "psql -U postgres -d test_rec -qAtc 'create temp table t (a int)' -c \"set search_path = x\" -c 'show search_path' -c 'listen y';"
                 "PGOPTIONS='-c search_path=foo -c work_mem=1MB' psql -U trusty -d test_rec -Atc 'show search_path' -c 'show work_mem' -c 'select current_user';"
                 "psql -U postgres -d postgres -qc 'drop database test_rec'")
    assert (got.status, got.out, got.err) == (0, "x\nfoo\n1MB\ntrusty\n", "")


@pytest.mark.parametrize("command, status", [("exit 0", 0), ("exit 3", 3), ("kill -TERM $$", 143), ("kill -KILL $$", 137)])
def test_the_status_is_the_commands(record, command, status):
    assert record("psql -Atc 'select 1'; " + command).status == status


def test_what_cannot_be_run(record, tmp_path):
    assert record(["no-such-command"]).status == 127
    (tmp_path / "plain").write_text("x")
    assert record([str(tmp_path / "plain")]).status == 126


def test_what_path_does_not_have_is_not_found(record, tmp_path):
    """A directory that may not be searched (by others than root), or has the command's name, is no command; a file is."""
    for d in ("locked", "named/no-such-command", "holds"):
        (tmp_path / d).mkdir(parents=True)
    (tmp_path / "holds/plain").write_text("x")
    (tmp_path / "locked").chmod(0)
    path = f"{tmp_path}/locked:{tmp_path}/named:{tmp_path}/holds:{os.environ['PATH']}"
    got = record(["no-such-command"], PATH=path)
    assert got.status == 127 and "no-such-command: No such file or directory" in got.err
    assert record(["plain"], PATH=path).status == 126


def test_wrong_usage(tmp_path):
    for words in ([], ["-o", "x"], ["--", "true"], ["-o", "x", "--report", "y", "--", "true"], ["--nonsense"]):
        got = subprocess.run([poolers.BIN, "record", *words], cwd=tmp_path, capture_output=True, text=True)
        assert got.returncode == 2 and "pgsluice" in got.stderr, words
    got = subprocess.run([poolers.BIN, "record", "-o", "x", "--dsn", "port=1 nonsense=2", "--", "true"], cwd=tmp_path, capture_output=True, text=True)
    assert got.returncode == 2 and "nonsense" in got.stderr
    got = subprocess.run([poolers.BIN, "record", "-o", "no/such/dir/x", "--", "true"], cwd=tmp_path, capture_output=True, text=True)
    assert got.returncode == 75 and "no/such/dir/x" in got.stderr


def test_a_server_that_is_not_there(record):
    got = record("psql -Atc 'select 1'", dsn=f"host=127.0.0.1 port={cluster.free_port()} user=x dbname=x")
    assert got.status == 2 and "Connection refused" in got.err and "no statement came through" in got.err


def test_signals_reach_the_command(postgres, tmp_path):
    run = subprocess.Popen([poolers.BIN, "record", "-o", "q.jsonl", "--dsn", postgres.dsn(host="127.0.0.1", dbname="shop"), "--", "sh", "-c",
                            "tail -f /dev/null & trap 'psql -Atc \"select 2\"; kill $!; exit 5' TERM; psql -Atc 'select 1'; wait"],
                           cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, stdin=subprocess.DEVNULL)
    assert run.stdout.readline() == "1\n"
    run.send_signal(signal.SIGINT)      # of a terminal: the whole group has it, we do not care
    run.send_signal(signal.SIGTERM)
    out, _ = run.communicate(timeout=500)
    assert (run.returncode, out) == (5, "2\n")
    assert len((tmp_path / "q.jsonl").read_text().splitlines()) == 2


def test_what_is_left_behind_does_not_hold_it_up(record):
    """A client in a transaction, in the background, when the command ends."""
    got = record("(psql -Atc 'begin' -c 'select 1' -c 'select pg_sleep(100)' >/dev/null 2>&1 &) ; "
                 "until psql -Atc \"select 1 from pg_stat_activity where query like '%sleep(100)%' and pid <> pg_backend_pid()\" | grep -q 1; do :; done")
    assert got.status == 0 and "begin" in got.statements


LOOP = """
create table if not exists author (id int primary key, name text);
create table if not exists post (id int primary key, author_id int);
truncate author, post;
insert into author select i, 'a' from generate_series(1, 10) i;
insert into post select i, i from generate_series(1, 10) i;
begin;
select id, author_id from post order by id limit 10;
"""


def test_check(record, tmp_path):
    os.mkdir(tmp_path / ".git")
    (tmp_path / "clean.sql").write_text("select id from author where id = 1;\n")
    (tmp_path / "loop.sql").write_text(LOOP + "".join(f"select name from author where id = {i};\n" for i in range(1, 11)) + "commit;\n")
    clean, loop = "psql -qAtf clean.sql", "psql -qAtf loop.sql"
    got = record(loop, "--check")
    assert got.status == 1 and "NP001" in got.out
    assert record(clean, "--check").status == 0
    # the command's failure wins, and nothing is judged
    got = record(loop + "; exit 9", "--check")
    assert got.status == 9 and "NP001" not in got.out and "not judged" in got.err
    # the configuration says what fails, and the formats work
    (tmp_path / ".pgassay.conf").write_text("[rules]\nNP001 = info\nLM001 = off\n")
    got = record(loop, "--check", "--format", "gitlab", "--report", "report.json")
    assert got.status == 0, got.err + got.out
    assert "NP001 n-plus-one-select" in [x["check_name"] for x in json.loads((tmp_path / "report.json").read_text())]
    # a suite that sends nothing is no clean one
    assert record("true", "--check").status == 3


def test_two_at_once(postgres, tmp_path):
    runs = []
    for n in (1, 2):
        runs.append(subprocess.Popen([poolers.BIN, "record", "-o", f"q{n}.jsonl", "--dsn", postgres.dsn(host="127.0.0.1", dbname="shop"), "--",
                                      "psql", "-Atc", f"select {n}"], cwd=tmp_path, stdout=subprocess.PIPE, text=True))
    assert [r.communicate(timeout=500)[0] for r in runs] == ["1\n", "2\n"]
    for n in (1, 2):
        assert f"select {n}" in (tmp_path / f"q{n}.jsonl").read_text()
