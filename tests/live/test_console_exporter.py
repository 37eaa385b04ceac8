"""Debian's prometheus-pgbouncer-exporter, unchanged, against our console.

Debian 12's reads columns that PgBouncer dropped in 1.8 (it fails against PgBouncer 1.18 from
the same Debian), hence console_old_columns.
"""
import re
import shutil
import subprocess
import urllib.request

import pytest

import cluster
from pooler import wait_until

EXPORTER = shutil.which("prometheus-pgbouncer-exporter")


@pytest.mark.ours
@pytest.mark.skipif(not EXPORTER, reason="prometheus-pgbouncer-exporter is not installed")
def test_exporter(pooler):
    p = pooler(console_old_columns=1)
    port = cluster.free_port()
    with p.wire() as a:
        for _ in range(5):
            a.query("select 1")
        a.query("begin")
        a.query("select 1")
        process = subprocess.Popen(
            [EXPORTER, "--host", "127.0.0.1", "--port", str(port), "--pgbouncer-host", "127.0.0.1",
             "--pgbouncer-port", str(p.port), "--pgbouncer-user", "postgres"],
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, cwd=p.dir)
        try:
            def scrape():
                try:
                    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as r:
                        return r.read().decode()
                except OSError:
                    assert process.poll() is None, process.stderr.read()
                    return None
            text = wait_until(scrape, 20)
            values = dict(re.findall(r"^(pgbouncer_\S+) (\S+)$", text, re.M))
            assert float(values['pgbouncer_requests_total{database="shop"}']) >= 5, text
            assert values['pgbouncer_active_clients{database="shop",user="trusty"}'] == "1.0"
            assert values['pgbouncer_pool_size{database="shop"}'] == "5.0"
            assert values['pgbouncer_reserve_pool{database="shop"}'] == "0.0"
            assert scrape(), "and again, over the same connection"
        finally:
            process.terminate()
            process.wait(10)
        a.query("commit")
