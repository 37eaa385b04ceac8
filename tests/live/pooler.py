"""pooler.py - a pooler under test: configuration, life, log, console.

PGSLUICE_BIN names the program (bin/pgsluice unless set).  Where its name is
pgbouncer it is a stand-in that shows whether the tests themselves are right: the
settings are then written in its words and those it lacks are left out, so tests
of what only pgsluice has carry the mark `ours`.
"""
import os
import re
import shutil
import signal
import socket
import subprocess
import time

import cluster
from wire import PATIENCE, Wire

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
BIN = os.path.abspath(os.environ.get("PGSLUICE_BIN") or os.path.join(ROOT, "bin/pgsluice"))
STAND_IN = os.path.basename(BIN) == "pgbouncer"
SANITIZED = "/asan/" in BIN or "/tsan/" in BIN

# What a stand-in calls it; None: it has no such thing.
WORDS = {
    "max_open": "default_pool_size", "min_open": "min_pool_size",
    "max_idle_time": "server_idle_timeout", "max_lifetime": "server_lifetime",
    "max_idle": None, "queue_limit": None, "workers": None, "shards": None,
    "query_log": None, "query_log_min_duration": None, "query_log_sample_rate": None,
    "query_log_parameters": None, "query_log_max_text": None, "query_wait_notify": None,
}
REPORT = re.compile(r"(ERROR|WARNING): \w*Sanitizer|runtime error:|LeakSanitizer")


def wait_until(condition, seconds=10, what=None, pause=0.02):
    """Return the first true value of condition(); fail after some seconds (of a quiet machine)."""
    end = time.monotonic() + seconds * PATIENCE
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"not within {seconds * PATIENCE} s: {what or condition}")
        time.sleep(pause)


def wait_still(value, looks=15, pause=0.02):
    """Return value() once it stayed the same for some looks in a row."""
    last, same = value(), 0

    def look():
        nonlocal last, same
        now = value()
        last, same = now, same + 1 if now == last else 0
        return same >= looks
    wait_until(look, 30, "it comes to rest", pause)
    return last


def has_read(process, path):
    """Has the process read the file to its end?  Its descriptor's position says so."""
    for fd in os.listdir(f"/proc/{process.pid}/fd"):
        try:
            if os.path.samestat(os.stat(f"/proc/{process.pid}/fd/{fd}"), os.stat(path)):
                with open(f"/proc/{process.pid}/fdinfo/{fd}", encoding="ascii") as f:
                    return int(f.readline().split()[1]) == os.path.getsize(path)
        except (FileNotFoundError, ValueError):
            pass
    return False


class Pooler:
    """One pooler process with a directory of its own.

    settings are keys of [pooler]; databases and users replace the lines of those
    sections; raw replaces the whole file.  Nothing runs before start().
    """

    def __init__(self, postgres, databases=None, users=None, raw=None, args=(), env=None,
                 binary=None, **settings):
        self.postgres = postgres
        self.binary = binary or BIN
        self.dir = cluster.scratch("pgsluice-it-")
        self.port = cluster.free_port()
        self.config = self.dir + "/pooler.conf"
        self.log_file = self.dir + "/log"
        self.args, self.env = list(args), env or {}
        self.process = None
        self.databases, self.users = databases, users
        self.settings = {
            "listen_addr": "127.0.0.1", "listen_port": self.port, "unix_socket_dir": self.dir,
            "auth_type": "trust", "auth_file": self.dir + "/userlist.txt",
            "admin_users": "postgres", "stats_users": "other", "pool_mode": "transaction",
            "max_open": 5, "max_client_conn": 500, "server_login_retry": 1,
            "workers": os.environ.get("PGSLUICE_WORKERS", "1"),
        }
        if os.getuid() == 0 and not STAND_IN:
            self.settings["user"] = cluster.unprivileged()[0]
        self.settings.update(settings)
        self.write("userlist.txt", "".join(f'"{u}" "{p}"\n' for u, p in (
            ("app", cluster.PASSWORD), ("trusty", ""), ("other", ""), ("postgres", ""))))
        self.write_config(raw)

    def write(self, name, content):
        path = f"{self.dir}/{name}"
        with open(path, "w", encoding="utf-8") as f:
            f.write(content)
        os.chmod(path, 0o600)
        if os.getuid() == 0:
            _, uid, gid = cluster.unprivileged()
            os.chown(path, uid, gid)
        return path

    def write_config(self, raw=None, **changes):
        """Write the file anew, with some settings changed; not yet a reload."""
        self.settings.update(changes)
        if raw is None:
            server = f"host=127.0.0.1 port={self.postgres.port}"
            databases = self.databases or {"shop": server, "stock": server}
            raw = "[databases]\n" + "".join(f"{k} = {v}\n" for k, v in databases.items())
            if self.users:
                raw += "[users]\n" + "".join(f"{k} = {v}\n" for k, v in self.users.items())
            raw += "[pgbouncer]\n" if STAND_IN else "[pooler]\n"
            for key, value in self.settings.items():
                key = WORDS.get(key, key) if STAND_IN else key
                if key and value is not None:
                    raw += f"{key} = {value}\n"
        self.write("pooler.conf", raw)

    def command(self, *words):
        """The command line of the program under test.

        A stand-in refuses root; pgsluice drops root by its setting `user`, so that it
        can be run from a clone that only root may look into.
        """
        return (cluster.as_user() if STAND_IN else ["setpriv", "--pdeathsig", "KILL"]) + \
            [self.binary, *words]

    def environment(self):
        env = {k: v for k, v in os.environ.items() if not k.startswith("PG")}
        env["ASAN_OPTIONS"] = "detect_leaks=1:exitcode=77:abort_on_error=0:" + \
            os.environ.get("ASAN_OPTIONS", "")
        env["UBSAN_OPTIONS"] = "print_stacktrace=1"
        env["TSAN_OPTIONS"] = "exitcode=77:halt_on_error=0"
        supp = os.path.join(ROOT, "tests/live/lsan.supp")
        env["LSAN_OPTIONS"] = f"suppressions='{supp}':print_suppressions=0"
        env.update(self.env)
        return env

    def run(self, *words, timeout=30):
        """Run the program to its end: (status, stdout, stderr)."""
        done = subprocess.run(self.command(*words), capture_output=True, text=True, cwd=self.dir,
                              timeout=timeout * PATIENCE, env=self.environment(),
                              stdin=subprocess.DEVNULL)
        return done.returncode, done.stdout, done.stderr

    def start(self):
        self.postgres.front_starts()
        with open(self.log_file, "ab") as log:
            self.process = subprocess.Popen(
                self.command(*self.args, self.config), stdout=log, stderr=log, cwd=self.dir,
                stdin=subprocess.DEVNULL, env=self.environment())
        self.wait_ready()
        return self

    def wait_ready(self):
        def ready():
            if self.process and self.process.poll() is not None:
                raise AssertionError(f"the pooler ended with {self.process.returncode}:\n" +
                                     self.log()[-4000:])
            try:
                with Wire(self.port, start=False, timeout=5):
                    pass
                if self.settings["unix_socket_dir"] == self.dir:
                    with socket.socket(socket.AF_UNIX) as s:  # it is bound before it listens
                        s.connect(f"{self.dir}/.s.PGSQL.{self.port}")
                return True
            except OSError:
                return False
        wait_until(ready, 20, "the pooler listens")

    @property
    def pid(self):
        return self.process.pid

    def signal(self, number):
        self.process.send_signal(number)

    def running(self):
        return self.process is not None and self.process.poll() is None

    def wait(self, seconds=10):
        """Wait for its end: the exit status."""
        try:
            return self.process.wait(seconds * PATIENCE)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"the pooler still runs after {seconds * PATIENCE} s:\n" +
                                 self.log()[-2000:]) from None

    def stop(self):
        """End it and look at what it leaves: a bad status or a sanitizer report fails."""
        process, self.process = self.process, None
        if process is None:
            return
        self.postgres.front_ends()
        problem = None
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(0.5)
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGTERM)
                try:
                    process.wait((30 if SANITIZED else 10) * PATIENCE)
                except subprocess.TimeoutExpired:
                    problem = "did not end after two SIGTERM"
                    process.send_signal(signal.SIGABRT)
                    process.wait()
        if problem is None and process.returncode != 0 and not STAND_IN:
            problem = f"ended with status {process.returncode}"
        log = self.log()
        report = REPORT.search(log)
        if report:
            problem = "sanitizer report"
            log = log[max(0, report.start() - 200):][:6000]
        if problem:
            raise AssertionError(f"the pooler {problem}:\n{log[-6000:]}")

    def close(self):
        try:
            self.stop()
        finally:
            shutil.rmtree(self.dir, ignore_errors=True)

    # --- what it says

    def log(self):
        try:
            with open(self.log_file, encoding="utf-8", errors="replace") as f:
                return f.read()
        except FileNotFoundError:
            return ""

    def log_contains(self, pattern, seconds=5):
        """Wait for a line that matches; the match."""
        return wait_until(lambda: re.search(pattern, self.log(), re.M), seconds,
                          f"log says {pattern!r}; it says:\n{self.log()[-3000:]}")

    def rss(self):
        """Resident kilobytes, page by page: the sum in "status" may lag behind by some hundred."""
        with open(f"/proc/{self.pid}/smaps_rollup", encoding="ascii") as f:
            return next(int(line.split()[1]) for line in f if line.startswith("Rss:"))

    def cpu_seconds(self):
        with open(f"/proc/{self.pid}/stat", encoding="ascii") as f:
            words = f.read().rpartition(")")[2].split()
        return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")

    def held(self):
        """Resident kilobytes once it has nothing to do, since nobody reads or sends."""
        wait_still(self.cpu_seconds)
        return self.rss()

    # --- ways in

    def wire(self, **kw):
        """A raw connection, logged in as trusty to shop unless told."""
        return Wire(kw.pop("port", self.port), **kw)

    def dsn(self, **changes):
        words = {"host": "127.0.0.1", "port": self.port, "user": "trusty", "dbname": "shop",
                 "connect_timeout": 10 * PATIENCE}
        words.update(changes)
        return " ".join(f"{k}='{v}'" for k, v in words.items())

    def connect(self, **changes):
        """psycopg 3, autocommit, without prepared statements of its own making."""
        import psycopg
        connection = psycopg.connect(self.dsn(**changes), autocommit=True)
        connection.prepare_threshold = None
        return connection

    def console(self, user="postgres"):
        return self.wire(user=user, database="pgbouncer")

    def show(self, what, user="postgres"):
        """A SHOW of the console as a list of {column: text}."""
        with self.console(user) as c:
            return c.table("SHOW " + what)

    def doing(self):
        """What it and its server are doing, as text: for the message of a test that hangs."""
        out = ["the pooler's log ends with:\n" + self.log()[-3000:],
               f"the pooler (process {self.pid}) {'runs' if self.running() else 'has ended'}"]
        for what in ("POOLS", "WAITS", "PINS", "CLIENTS", "SERVERS"):
            try:
                rows = [" ".join(f"{k}={v}" for k, v in r.items() if v not in (None, "", "0"))
                        for r in self.show(what)]
            except Exception as e:  # whatever it is, it is told
                rows = [f"no answer: {e}"]
            out.append("\n  ".join([f"SHOW {what}:", *rows]))
        backends = [f"{pid} {state}: {query[:200]}" for pid, state, query in self.postgres.backends()]
        out.append("\n  ".join(["the server's backends:", *backends]))
        return "\n".join(out)

    def pool(self, database="shop", user="trusty"):
        """The row of SHOW POOLS, its counts as int."""
        for r in self.show("POOLS"):
            if r["database"] == database and r["user"] == user:
                return {k: int(v) if v and v.isdigit() else v for k, v in r.items()}
        return None
