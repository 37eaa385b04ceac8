"""poolers.py - the poolers that the benchmarks compare, with one manner of start.

Each gets the same work: transaction mode, one pool of ten servers, no logging of
connections; trusty is let in unasked, app is asked for SCRAM, TLS is possible (but not with
Odyssey).  A pooler is a name, a binary and a configuration text; what its name begins with
says which: pgsluice, pgbouncer, odyssey; floor is a relay that does nothing but receive and send
(floor.c), which says how low a pooler can come on this machine.  After a + come options: log (the query log on),
track and sample (track_queries = all, sample), scrape (its metrics are read twice a second),
x2 (two workers; PgBouncer: two processes with so_reuseport, five servers each).  The
environment names more of them beside Debian's pgbouncer:

    PEERS="pgbouncer-1.25=/opt/pgbouncer odyssey=/opt/odyssey" make bench
"""
import glob
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
import urllib.request

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
sys.path.insert(0, os.path.join(ROOT, "tests/live"))

import cluster  # noqa: E402

BINARY = {
    "pgsluice": os.path.abspath(os.environ.get("PGSLUICE_BIN") or ROOT + "/bin/pgsluice"),
    "pgbouncer": os.environ.get("PGBOUNCER_BIN") or "/usr/sbin/pgbouncer",
    "floor": ROOT + "/build/release/tests/bench/floor",
    **dict(word.split("=", 1) for word in os.environ.get("PEERS", "").split()),
}
TOOLS = ROOT + "/build/release/tests/bench/"

BOUNCER = """listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = hba
auth_hba_file = {dir}/hba.conf
auth_file = {dir}/userlist.txt
client_tls_sslmode = allow
client_tls_cert_file = {dir}/server.crt
client_tls_key_file = {dir}/server.key
admin_users = postgres
pool_mode = transaction
max_client_conn = 12000
log_connections = 0
log_disconnections = 0
"""

ODYSSEY = """daemonize no
locks_dir "{dir}"
unix_socket_dir "{dir}"
unix_socket_mode "0600"
log_to_stdout yes
log_session no
log_query no
log_stats no
log_format "%p %l %m\\n"
workers {workers}
resolvers 1
nodelay yes
client_max 12000
listen {{
	host "127.0.0.1"
	port {port}
	backlog 1024
}}
storage "server" {{
	type "remote"
	host "127.0.0.1"
	port {server_port}
}}
database default {{
	user default {{
		authentication "none"
		storage "server"
		pool "transaction"
		pool_size {pool}
		pool_timeout 0
		pool_discard no
		pool_reserve_prepared_statement yes
	}}
}}
"""


def family(name):
    """Which program a pooler's name means."""
    return next(f for f in ("pgsluice", "pgbouncer", "odyssey", "floor") if name.startswith(f))


def pin(pid, cpus):
    """A process, its threads and its children may only use these CPUs."""
    try:
        for task in os.listdir(f"/proc/{pid}/task"):
            os.sched_setaffinity(int(task), cpus)
            with open(f"/proc/{pid}/task/{task}/children", encoding="ascii") as f:
                children = f.read().split()
            for child in children:
                pin(int(child), cpus)
    except (FileNotFoundError, ProcessLookupError):
        pass  # it has ended


class Running:
    """A pooler before one server; close() ends it."""

    def __init__(self, name, server_port, wrap=(), pool=10, secrets=None):
        self.name = name
        self.dir = cluster.scratch("pgsluice-bench-")
        self.port = cluster.free_port()
        self.patience = 60 if wrap else 1  # seconds: valgrind writes its file at the end
        plain, *options = name.split("+")
        ours = family(name) == "pgsluice"
        workers = 2 if "x2" in options else 1
        conf = ""
        if family(name) == "odyssey":
            conf = ODYSSEY.format(dir=self.dir, port=self.port, server_port=server_port,
                                  workers=workers, pool=pool)
        elif family(name) != "floor":
            self._certificate()
            conf = f"[databases]\nshop = host=127.0.0.1 port={server_port}\n"
            conf += f"[{'pooler' if ours else 'pgbouncer'}]\n"
            conf += BOUNCER.format(port=self.port, dir=self.dir)
            if ours:
                conf += f"max_open = {pool}\nworkers = {workers}\n"
            else:
                conf += f"default_pool_size = {pool // workers}\nso_reuseport = {workers - 1}\n"
        if ours and os.getuid() == 0 and not wrap:
            conf += f"user = {cluster.unprivileged()[0]}\n"
        if "log" in options:
            conf += f"query_log = {self.dir}/query.jsonl\nquery_log_min_duration = 0\n"
        for option, word in (("track", "all"), ("sample", "sample")):
            if option in options:
                conf += f"track_queries = {word}\n"
        self.scraped = cluster.free_port() if "scrape" in options else None
        if self.scraped:
            conf += f"metrics_listen = 127.0.0.1:{self.scraped}\n"
        # {user: SCRAM secret}: who else is asked for a password
        asked = {"app": cluster.PASSWORD, **(secrets or {})}
        self._write("userlist.txt", '"trusty" ""\n"postgres" ""\n' + "".join(
            f'"{u}" "{s}"\n' for u, s in asked.items()))
        self._write("hba.conf", "".join(f"host all {u} 0.0.0.0/0 scram-sha-256\n" for u in asked) +
                    "host all all 0.0.0.0/0 trust\n")
        self._write("pooler.conf", conf)
        binary = BINARY[plain]
        if wrap:  # valgrind writes its file as whoever it ends as: be that one from the start
            binary = shutil.copy(binary, self.dir)
        words = ["setpriv", "--pdeathsig", "KILL"] if ours and not wrap else cluster.as_user()
        given = [self.port, server_port, pool, "trusty", "shop"] if family(name) == "floor" \
            else [self.dir + "/pooler.conf"]
        self.lines = []
        self.processes = []
        for _ in range(workers if family(name) == "pgbouncer" else 1):
            p = subprocess.Popen([*words, *wrap, binary, *map(str, given)],
                                 stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                 cwd=self.dir, text=True, errors="replace")
            self.processes.append(p)
            self._await(p, "listening on", "server 'listen")
            threading.Thread(target=self.lines.extend, args=(p.stdout,), daemon=True).start()
        self.closing = threading.Event()
        if self.scraped:
            threading.Thread(target=self._scrape, daemon=True).start()

    def _scrape(self):
        while not self.closing.wait(0.5):
            with urllib.request.urlopen(f"http://127.0.0.1:{self.scraped}/metrics") as page:
                page.read()

    def _await(self, process, *words):
        """Reads its log up to the line that says it listens."""
        for line in process.stdout:
            self.lines.append(line)
            if any(w in line for w in words):
                return
        raise RuntimeError(f"{self.name} does not start:\n" + "".join(self.lines[-30:]))

    def _certificate(self):
        """A key and a certificate of its own name."""
        made = f"{self.dir}/made"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
                        "-subj", "/CN=localhost", "-keyout", made + ".key", "-out", made + ".crt"],
                       check=True, capture_output=True)
        for end in ("key", "crt"):
            with open(f"{made}.{end}", encoding="ascii") as f:
                self._write("server." + end, f.read())

    def _write(self, name, text):
        with open(f"{self.dir}/{name}", "w", encoding="utf-8") as f:
            f.write(text)
        os.chmod(f"{self.dir}/{name}", 0o600)
        if os.getuid() == 0:
            _, uid, gid = cluster.unprivileged()
            os.chown(f"{self.dir}/{name}", uid, gid)

    @property
    def pid(self):
        return self.processes[0].pid

    def cpu(self):
        """Seconds, of all its processes, to the nanosecond (clock_getcpuclockid(3))."""
        return sum(time.clock_gettime(~p.pid << 3 | 2) for p in self.processes)

    def threads(self):
        """{thread: seconds} of those that are there now."""
        used = {}
        for p in self.processes:
            for path in glob.glob(f"/proc/{p.pid}/task/*/schedstat"):
                with open(path, encoding="ascii") as f:
                    used[path] = int(f.read().split()[0]) / 1e9
        return used

    def rss(self):
        """Resident kilobytes, of all its processes."""
        held = 0
        for p in self.processes:
            with open(f"/proc/{p.pid}/smaps_rollup", encoding="ascii") as f:
                held += next(int(line.split()[1]) for line in f if line.startswith("Rss:"))
        return held

    def close(self):
        self.closing.set()
        for p in self.processes:
            for stop in (signal.SIGTERM, signal.SIGTERM, signal.SIGKILL):
                p.send_signal(stop)
                try:
                    p.wait(self.patience if stop is signal.SIGTERM else None)
                    break
                except subprocess.TimeoutExpired:
                    pass
        shutil.rmtree(self.dir, ignore_errors=True)


def pgbench(port, *words, timeout=600, under=(), user="trusty", tls=False):
    """Run pgbench, perhaps under another command; (transactions, seconds, what was said)."""
    done = subprocess.run([*under, "pgbench", "-n", "-h", "127.0.0.1", "-p", str(port), "-U",
                           user, *[str(w) for w in words], "shop"],
                          env={**os.environ, "PGPASSWORD": cluster.PASSWORD,
                               "PGSSLMODE": "require" if tls else "disable"},
                          capture_output=True, text=True, timeout=timeout)
    if done.returncode != 0:
        raise RuntimeError("pgbench: " + done.stderr[-1000:])
    count = int(done.stdout.split("actually processed: ")[1].split("/")[0].split()[0])
    # without what it takes to begin, where that is told apart
    return count, count / float(re.search(r"tps = ([\d.]+)", done.stdout)[1]), done.stderr


def load(port, clients, seconds, statement):
    """Run tests/bench/load.c: what it says of its answers."""
    done = subprocess.run([TOOLS + "load", str(port), "trusty", "shop", str(clients),
                           str(seconds), statement], stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=300)
    if done.returncode != 0:
        raise RuntimeError(done.stderr[-1000:])
    return json.loads(done.stdout.splitlines()[-1])


class Crowd:
    """Clients that are logged in and do nothing."""

    def __init__(self, port, clients):
        self.process = subprocess.Popen([TOOLS + "load", str(port), "trusty", "shop",
                                         str(clients), "0", ""], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)
        if self.process.stdout.readline().strip() != "ready":
            raise RuntimeError("the clients did not get in")

    def close(self):
        self.process.stdin.close()
        self.process.wait()


class NullServer:
    """tests/bench/null_server.c on a port of its own."""

    def __init__(self, threads=1):
        self.port = cluster.free_port()
        self.process = subprocess.Popen(["setpriv", "--pdeathsig", "KILL",
                                         TOOLS + "null_server", str(self.port), str(threads)],
                                        stdout=subprocess.PIPE, text=True)
        if not self.process.stdout.readline():  # it listens
            raise RuntimeError("the null server does not start")

    def connections(self):
        """How many are open to it."""
        fds = f"/proc/{self.process.pid}/fd/"
        return sum(os.readlink(fds + fd).startswith("socket:") for fd in os.listdir(fds)) - 1

    def close(self):
        self.process.kill()
        self.process.wait()
