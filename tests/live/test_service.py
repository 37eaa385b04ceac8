"""What systemd sees: readiness, reloads, the watchdog, the end; and the package's files."""
import os
import re
import shutil
import signal
import socket
import subprocess
import time

import pytest

from pooler import ROOT, wait_until
from wire import PATIENCE

pytestmark = pytest.mark.ours


@pytest.fixture
def notified(pooler):
    """A pooler whose service manager we are, and a function that waits for a message."""
    def start(**env):
        p = pooler(start=False)
        path = p.dir + "/notify"
        s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        s.bind(path)
        os.chmod(path, 0o777)
        s.settimeout(10 * PATIENCE)
        p.env = {"NOTIFY_SOCKET": path, **env}
        seen = []

        def wait_for(pattern):
            end = time.monotonic() + 10 * PATIENCE
            while time.monotonic() < end:
                seen.append(s.recv(4096).decode())
                if re.search(pattern, seen[-1]):
                    return seen[-1]
            raise AssertionError(f"{pattern} did not come; {seen}")
        p.start()
        return p, wait_for
    return start


def test_ready_reload_stop(notified):
    p, wait_for = notified()
    wait_for("READY=1")
    before = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    p.signal(signal.SIGHUP)
    moment = int(re.search(r"MONOTONIC_USEC=(\d+)", wait_for("RELOADING=1"))[1])
    assert before <= moment <= time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    assert "reloaded" in wait_for("READY=1")
    p.write_config(max_open="many")
    p.signal(signal.SIGHUP)
    wait_for("RELOADING=1")
    assert "failed" in wait_for("READY=1")
    p.signal(signal.SIGINT)
    wait_for("STOPPING=1")
    assert p.wait() == 0


def test_watchdog_is_fed_while_every_worker_answers(notified):
    p, wait_for = notified(WATCHDOG_USEC="600000")
    wait_for("READY=1")
    for _ in range(3):
        wait_for("WATCHDOG=1\nSTATUS=0 clients")
    with p.wire() as a:
        a.query("select 1")
        wait_for("STATUS=1 clients, 1 server")


def test_the_unit_is_well_formed(tmp_path):
    if not shutil.which("systemd-analyze"):
        pytest.skip("no systemd-analyze")
    subprocess.run(["make", "-s", "install", f"DESTDIR={tmp_path}", "prefix=/usr",
                    "sysconfdir=/etc/pgsluice"], cwd=ROOT, check=True, capture_output=True)
    unit = tmp_path / "usr/lib/systemd/system/pgsluice.service"
    text = unit.read_text()
    assert not re.search("@[A-Z]+@", text) and re.search(r"^Type=notify", text, re.M)
    unit.write_text(text.replace("/usr/bin", str(tmp_path / "usr/bin")))
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", str(unit)],
                          capture_output=True, text=True, check=False)
    problems = [line for line in done.stderr.splitlines() if "pgsluice" in line and
                "network-online" not in line and "Failed to" not in line]
    assert not problems, done.stderr


@pytest.mark.slow
def test_the_package_builds(tmp_path):
    if not shutil.which("dpkg-shlibdeps"):
        pytest.skip("no dpkg-dev")
    work = tmp_path / "a tree"
    shutil.copytree(ROOT, work, ignore=shutil.ignore_patterns(".git", "asan", "tsan", "fuzz",
                                                              "cover", "demo", "deb", "check",
                                                              "broken", "drivers"))
    done = subprocess.run(["make", "-s", "deb"], cwd=work, capture_output=True, text=True,
                          check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    package = next((work / "build/deb").glob("*.deb"))
    shown = subprocess.run(["dpkg-deb", "-I", package], capture_output=True, text=True,
                           check=True).stdout
    assert "libpq5" in shown and "postinst" in shown
    listed = subprocess.run(["dpkg-deb", "-c", package], capture_output=True, text=True,
                            check=True).stdout
    for path in ("usr/bin/pgsluice", "usr/bin/pgassay", "lib/systemd/system/pgsluice.service",
                 "etc/pgsluice/pooler.conf", "etc/logrotate.d/pgsluice",
                 "usr/share/man/man5/pooler.conf.5.gz"):
        assert path in listed



def policy(p):
    return os.sched_getscheduler(p.process.pid)


def test_how_it_is_scheduled(pooler):
    given = os.sched_getscheduler(0)
    p = pooler(scheduling="batch")
    wait_until(lambda: policy(p) == (os.SCHED_BATCH if given == os.SCHED_OTHER else given))
    p = pooler(scheduling="normal")
    p.connect().execute("select 1")     # its loop runs
    assert policy(p) == given


def test_a_policy_that_was_given_stays(pooler):
    p = pooler(start=False, scheduling="normal")
    p.binary = p.write("batch", f"#!/bin/sh\nexec chrt -b 0 '{p.binary}' \"$@\"\n")
    os.chmod(p.binary, 0o755)
    p.start()
    p.connect().execute("select 1")
    assert policy(p) == os.SCHED_BATCH
