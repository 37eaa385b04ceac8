"""poolers.py - the poolers that the benchmarks compare, with one manner of start.

Each gets the same work: transaction mode, one pool of ten servers, trust, no logging
of connections.  A pooler is a name, a configuration text and a command.
"""
import os
import shutil
import signal
import socket
import subprocess
import sys
import time

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
sys.path.insert(0, os.path.join(ROOT, "tests/live"))

import cluster  # noqa: E402

TICK = os.sysconf("SC_CLK_TCK")
PGSLUICE = os.path.abspath(os.environ.get("PGSLUICE_BIN") or os.path.join(ROOT, "bin/pgsluice"))
PGBOUNCER = os.environ.get("PGBOUNCER_BIN") or "/usr/sbin/pgbouncer"

COMMON = """listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = trust
auth_file = {dir}/userlist.txt
admin_users = postgres
pool_mode = transaction
max_client_conn = 2000
log_connections = 0
log_disconnections = 0
"""


class Running:
    """A pooler before one server; close() ends it."""

    def __init__(self, name, server_port, wrap=(), pool=10, workers=1):
        self.name = name
        self.dir = cluster.scratch("pgsluice-bench-")
        self.port = cluster.free_port()
        ours = not name.startswith("pgbouncer")
        conf = f"[databases]\nshop = host=127.0.0.1 port={server_port}\n"
        conf += ("[pooler]\n" if ours else "[pgbouncer]\n") + \
            COMMON.format(port=self.port, dir=self.dir)
        conf += f"max_open = {pool}\nworkers = {workers}\n" if ours else \
            f"default_pool_size = {pool}\n"
        if ours and os.getuid() == 0 and not wrap:
            conf += f"user = {cluster.unprivileged()[0]}\n"
        if "+log" in name:
            conf += f"query_log = {self.dir}/query.jsonl\nquery_log_min_duration = 0\n"
        if "+track" in name:
            conf += "track_queries = all\n"
        self._write("userlist.txt", '"trusty" ""\n"postgres" ""\n')
        self._write("pooler.conf", conf)
        binary = PGSLUICE if ours else PGBOUNCER
        if wrap:  # valgrind writes its file as whoever it ends as: be that one from the start
            binary = shutil.copy(binary, self.dir)
        words = ["setpriv", "--pdeathsig", "KILL"] if ours and not wrap else cluster.as_user()
        with open(self.dir + "/log", "wb") as log:
            self.process = subprocess.Popen([*words, *wrap, binary, self.dir + "/pooler.conf"],
                                            stdout=log, stderr=log, cwd=self.dir)
        end = time.monotonic() + 60
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port)).close()
                break
            except OSError:
                if self.process.poll() is not None or time.monotonic() > end:
                    raise RuntimeError(f"{name} does not start:\n" + self.log()) from None
                time.sleep(0.05)

    def _write(self, name, text):
        with open(f"{self.dir}/{name}", "w", encoding="utf-8") as f:
            f.write(text)
        os.chmod(f"{self.dir}/{name}", 0o600)
        if os.getuid() == 0:
            _, uid, gid = cluster.unprivileged()
            os.chown(f"{self.dir}/{name}", uid, gid)

    def log(self):
        with open(self.dir + "/log", encoding="utf-8", errors="replace") as f:
            return f.read()[-3000:]

    @property
    def pid(self):
        return self.process.pid

    def cpu(self):
        with open(f"/proc/{self.pid}/stat", encoding="ascii") as f:
            words = f.read().rpartition(")")[2].split()
        return (int(words[11]) + int(words[12])) / TICK

    def rss(self):
        """Resident kilobytes."""
        with open(f"/proc/{self.pid}/status", encoding="ascii") as f:
            return next(int(line.split()[1]) for line in f if line.startswith("VmRSS:"))

    def close(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(1)
        except subprocess.TimeoutExpired:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(60)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        shutil.rmtree(self.dir, ignore_errors=True)


def pgbench(port, *words, timeout=600):
    """Run pgbench; (transactions, seconds)."""
    begun = time.monotonic()
    done = subprocess.run(["pgbench", "-n", "-h", "127.0.0.1", "-p", str(port), "-U", "trusty",
                           *[str(w) for w in words], "shop"],
                          capture_output=True, text=True, timeout=timeout)
    if done.returncode != 0:
        raise RuntimeError("pgbench: " + done.stderr[-1000:])
    count = int(done.stdout.split("actually processed: ")[1].split("/")[0].split()[0])
    return count, time.monotonic() - begun
