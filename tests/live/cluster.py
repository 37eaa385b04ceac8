"""cluster.py - a throw-away PostgreSQL server of the tests' own.

A Postgres is a cluster in a fresh directory under /tmp (short enough for a unix
socket's path), reachable over that socket and over loopback.  It never keeps data
(fsync off), goes away with close(), and is killed by the kernel when the tests
die.  initdb and postgres refuse root, so root's tests run them as another user.

Roles, all without special rights unless said:
    app      password "app secret"; SCRAM over TCP, trust over the socket
    trusty   trust on both
    other    trust on both, a second user for tests that need two
    postgres superuser, trust
Databases: shop and stock, both owned by app.
"""
import glob
import os
import pwd
import random
import select
import shutil
import signal
import socket
import subprocess
import tempfile
import time

import psycopg

from wire import PATIENCE

PASSWORD = "app secret"


def bindir():
    """Where initdb and postgres are; Debian keeps them out of PATH."""
    named = os.environ.get("PG_BIN")
    found = [named] if named else sorted(glob.glob("/usr/lib/postgresql/*/bin"))
    if found and os.path.exists(found[-1] + "/initdb"):
        return found[-1]
    raise RuntimeError("no PostgreSQL server found: install postgresql-15 (make deps) or name "
                       "the directory of initdb in PG_BIN")


def unprivileged():
    """(user name, uid, gid) that root's tests run a server as."""
    for name in ("postgres", "nobody"):
        try:
            who = pwd.getpwnam(name)
            return name, who.pw_uid, who.pw_gid
        except KeyError:
            pass
    raise RuntimeError("neither user postgres nor nobody exists")


def as_user(die_with_us=True):
    """Words to put before a command that must not run as root."""
    words = ["setpriv"]
    if die_with_us:
        words += ["--pdeathsig", "KILL"]
    if os.getuid() == 0:
        _, uid, gid = unprivileged()
        words += [f"--reuid={uid}", f"--regid={gid}", "--clear-groups"]
    return words if len(words) > 1 else []


def scratch(prefix):
    """A fresh directory that the unprivileged user owns and everybody may enter."""
    path = tempfile.mkdtemp(prefix=prefix, dir="/tmp")
    os.chmod(path, 0o755)
    if os.getuid() == 0:
        _, uid, gid = unprivileged()
        os.chown(path, uid, gid)
    return path


def free_port(given=set()):     # pylint: disable=dangerous-default-value
    """A port nobody listens on, below the range that the kernel hands to clients.

    It is bound a little later: no worker of the run is given another's, nor the same one twice.
    """
    mine = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:])
    step = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    while True:
        port = random.randrange(10000 + mine, 32000, step)
        if port in given:
            continue
        with socket.socket() as s:
            try:
                s.bind(("127.0.0.1", port))
            except OSError:
                continue
        given.add(port)
        return port


class Postgres:
    """One server; start() and stop() may be repeated, close() ends it for good."""

    def __init__(self, **settings):
        self.bin = bindir()
        self.dir = scratch("pgsluice-pg-")
        self.data = self.dir + "/data"
        self.port = 0
        self.process = None
        self.alive = None   # a pipe that ends when the last of its processes does
        self.settings = settings
        self.fronts = 0
        self.since = 0.0
        run = subprocess.run(
            as_user() + [self.bin + "/initdb", "-D", self.data, "-U", "postgres", "-A", "trust",
                         "-E", "UTF8", "--locale=C", "--no-sync", "--no-instructions"],
            capture_output=True, text=True, cwd="/")
        if run.returncode != 0:
            raise RuntimeError("initdb failed: " + run.stdout + run.stderr)
        self._append("pg_hba.conf", None, (
            "local all all trust\n"
            "local replication all trust\n"
            "host all app 127.0.0.1/32 scram-sha-256\n"
            "host all all 127.0.0.1/32 trust\n"
            "host replication all 127.0.0.1/32 trust\n"))
        self.start()
        self.sql(f"create role app login password '{PASSWORD}'")
        self.sql("create role trusty login")
        self.sql("create role other login")
        for name in ("shop", "stock"):
            self.sql(f"create database {name} owner app")
            self.sql(f"grant all on database {name} to public")
            self.sql("grant all on schema public to public", dbname=name)

    def _append(self, name, mode, text):
        with open(f"{self.data}/{name}", mode or "w", encoding="utf-8") as f:
            f.write(text)

    def start(self):
        """Start it; on the port of last time, if there was one."""
        for _ in range(20):
            port = self.port or free_port()
            settings = {
                "listen_addresses": "127.0.0.1", "port": port,
                "unix_socket_directories": self.dir, "max_connections": 300,
                "shared_buffers": "64MB", "fsync": "off", "synchronous_commit": "off",
                "full_page_writes": "off", "autovacuum": "off", "jit": "off",
                "wal_level": "logical", "max_wal_senders": 5, "max_replication_slots": 5,
                "password_encryption": "scram-sha-256", "log_line_prefix": "%m [%p] %q%u@%d ",
                "log_checkpoints": "off", "max_prepared_transactions": 10, "timezone": "UTC",
            }
            settings.update(self.settings)
            words = [f"-c{k}={v}" for k, v in settings.items()]
            self.forget()
            self.alive, held = os.pipe()
            with open(self.dir + "/postgres.log", "ab") as log:
                self.process = subprocess.Popen(
                    as_user() + [self.bin + "/postgres", "-D", self.data] + words,
                    stdout=log, stderr=log, stdin=subprocess.DEVNULL, cwd="/", pass_fds=[held])
            os.close(held)
            end = time.monotonic() + 30 * PATIENCE
            while time.monotonic() < end and self.process.poll() is None:
                try:
                    psycopg.connect(self.dsn(host=self.dir, port=port)).close()
                    self.port = port
                    return
                except psycopg.OperationalError:
                    time.sleep(0.05)
            if self.port:
                break
        raise RuntimeError("PostgreSQL did not start:\n" + self.log()[-2000:])

    def stop(self, how=signal.SIGINT):
        """Fast shutdown by default; SIGQUIT stops it at once."""
        if self.process and self.process.poll() is None:
            self.process.send_signal(how)
            try:
                self.process.wait(20 * PATIENCE)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
            if "logging_collector" in self.settings:  # it writes on after the server has ended
                select.select([self.alive], [], [], 20 * PATIENCE)
        self.process = None

    def forget(self):
        if self.alive is not None:
            os.close(self.alive)
        self.alive = None

    def close(self):
        self.stop(signal.SIGQUIT)
        self.forget()
        shutil.rmtree(self.dir, ignore_errors=True)

    def log(self):
        with open(self.dir + "/postgres.log", encoding="utf-8", errors="replace") as f:
            return f.read()

    def dsn(self, **changes):
        """A conninfo for a direct connection, superuser over the socket unless told."""
        words = {"host": self.dir, "port": self.port, "user": "postgres", "dbname": "postgres",
                 "connect_timeout": 10 * PATIENCE}
        words.update(changes)
        return " ".join(f"{k}='{v}'" for k, v in words.items())

    def connect(self, **changes):
        """A direct connection; over TCP as trusty to shop: what the pooler would open."""
        words = {"host": "127.0.0.1", "user": "trusty", "dbname": "shop"}
        words.update(changes)
        return psycopg.connect(self.dsn(**words), autocommit=True)

    def sql(self, text, dbname="postgres"):
        """Run one statement as superuser; its rows, if it has any."""
        with psycopg.connect(self.dsn(dbname=dbname), autocommit=True) as c:
            cursor = c.execute(text)
            return cursor.fetchall() if cursor.description else []

    def front_starts(self):
        """A pooler starts.  What the one of the test before has left may take a moment to end, and
        is none of the backends that this test asks for."""
        if self.fronts == 0:
            self.since = time.time()
        self.fronts += 1

    def front_ends(self):
        self.fronts -= 1

    def _of_clients(self, where):
        return ("from pg_stat_activity where backend_type = 'client backend' and pid <> pg_backend_pid() "
                f"and datname in ('shop', 'stock') and ({where}) and backend_start >= to_timestamp({self.since})")

    def backends(self, where="true"):
        """[(pid, state, query)] of client backends, not our own."""
        return self.sql(f"select pid, state, query {self._of_clients(where)} order by backend_start")

    def kill_backends(self, where="true"):
        """Terminate client backends; how many there were."""
        return len(self.sql(f"select pg_terminate_backend(pid) {self._of_clients(where)}"))
