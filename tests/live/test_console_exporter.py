"""Debian's prometheus-pgbouncer-exporter, unchanged, against our console."""
import re
import shutil
import subprocess
import urllib.request

import pytest

import cluster
from pooler import wait_until

EXPORTER = shutil.which("prometheus-pgbouncer-exporter")


@pytest.mark.skipif(not EXPORTER, reason="prometheus-pgbouncer-exporter is not installed")
def test_exporter(pooler):
    p = pooler()
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
            assert float(values['pgbouncer_stats_queries_total{database="shop"}']) >= 6, text
            assert values['pgbouncer_pools_client_active_connections{database="shop",'
                          'user="trusty"}'] == "1.0"
            assert values['pgbouncer_pools_server_active_connections{database="shop",'
                          'user="trusty"}'] == "1.0"
            assert float(values["pgbouncer_lists_databases"]) >= 3
            assert 'pgbouncer_databases_database_pool_size{database="shop"}' in values or \
                any(k.startswith("pgbouncer_databases_") for k in values)
            assert scrape(), "and again, over the same connection"
        finally:
            process.terminate()
            process.wait(10)
        a.query("commit")
