"""RELOAD under load: all of a file or nothing of it, and nobody notices who need not.

RELOADS=1000 tests/pytest tests/live/test_reload.py for the long run; SEED repeats one.
"""
import os
import random
import threading

import pytest

from wire import ServerError

pytestmark = pytest.mark.ours

RELOADS = int(os.environ.get("RELOADS", "150"))
SEED = int(os.environ.get("SEED", "0")) or random.randrange(1, 1 << 30)

# Settings that a running pool can take without a new connection.
HARMLESS = {
    "query_wait_timeout": ["30", "60s", "2min"],
    "query_wait_notify": ["0", "5"],
    "max_client_conn": ["200", "300"],
    "max_idle_time": ["600", "10min", "1h"],
    "max_lifetime": ["3600", "2h"],
    "server_check_delay": ["30", "60"],
    "log_levels": ["", "pool=debug", "net = error, auth = info"],
    "log_disconnections": ["0", "1"],
    "ignore_startup_parameters": ["", "options"],
    "queue_limit": ["0", "500"],
    "query_timeout": ["0", "100"],
    "client_idle_timeout": ["0", "1h"],
    "admin_users": ["postgres", "postgres, root"],
    "stats_period": ["60", "30"],
    "pkt_buf": ["4096", "8192"],
    "listen_backlog": ["128", "256"],
}
BROKEN = ["max_opne = 3", "max_open = x", "[nowhere]\nx = y", "%include missing.conf", "what",
          "query_timeout = 5m", "auth_type = hba\nauth_hba_file =", "client_tls_sslmode = require",
          "[databases]\npgbouncer = host=h", "[databases]\nd = hots=h", "[users]\nu = pool_size=-2",
          "[peers]\nx = host=h"]
OTHER = ["", "new1 = {server}\n", "new2 = {server} pool_size=2\n", "* = {server}\n",
         "new1 = {server} user=trusty\n"]


class Load(threading.Thread):
    """A client that counts, and remembers which server processes served it."""

    def __init__(self, pooler, name):
        super().__init__(daemon=True)
        self.client = pooler.wire()
        self.name, self.stop, self.count = name, False, 0
        self.pids, self.error = set(), None

    def run(self):
        try:
            with self.client as c:
                while not self.stop:
                    nonce = f"{self.name}-{self.count}"
                    got = c.query(f"select '{nonce}', pg_backend_pid()")[0]
                    if got[0] != nonce:
                        raise AssertionError(f"asked for {nonce}, got {got}")
                    self.pids.add(got[1])
                    self.count += 1
        except Exception as e:    # pylint: disable=broad-except
            self.error = e


def write(p, rng, server, settings, broken):
    """A file with some settings changed, and perhaps something wrong in it."""
    for key in rng.sample(sorted(HARMLESS), 3):
        settings[key] = rng.choice(HARMLESS[key])
    databases = f"shop = {server}\nstock = {server} pool_size={rng.randrange(1, 5)}\n"
    databases += rng.choice(OTHER).format(server=server)
    users = rng.choice(["", "[users]\nother = pool_size=2 query_timeout=50\n"])
    text = f"[databases]\n{databases}{users}[pooler]\n"
    text += "".join(f"{k} = {v}\n" for k, v in settings.items())
    p.write("pooler.conf", text + (broken + "\n" if broken else ""))


def test_reloads_under_load(pooler, postgres):
    print(f"SEED={SEED}")
    rng = random.Random(SEED)
    p = pooler(max_open=3)
    server = f"host=127.0.0.1 port={postgres.port}"
    settings = dict(p.settings)
    loads = [Load(p, f"c{i}") for i in range(6)]
    for load in loads:
        load.start()
    with p.console() as console:
        for _ in range(RELOADS):
            broken = rng.choice(BROKEN) if rng.random() < 0.4 else None
            write(p, rng, server, settings, broken)
            if broken:
                with pytest.raises(ServerError) as e:
                    console.query("RELOAD")
                assert e.value.code == "F0000", e.value
            else:
                console.query("RELOAD")
                if rng.random() < 0.2:
                    console.query(f"SET query_timeout = {rng.randrange(50, 100)}")
        shown = {r[0]: r[1] for r in console.query("SHOW CONFIG")}
    for load in loads:
        load.stop = True
    for load in loads:
        load.join(30)
        assert not load.error, load.error
        assert load.count > 10
    pids = set().union(*(load.pids for load in loads))
    assert len(pids) <= 3, "needless reconnects"
    assert shown["listen_backlog"] == "128", "a setting that needs a restart has changed"
    assert int(shown["listen_port"]) == p.port


def test_what_did_not_change_keeps_its_connections(pooler, postgres):
    """Only the database whose line leads elsewhere gets new connections."""
    server = f"host=127.0.0.1 port={postgres.port}"
    p = pooler(max_open=1, databases={"shop": server, "stock": server})
    with p.wire() as shop, p.wire(database="stock") as stock, p.console() as console:
        before = shop.one("select pg_backend_pid()"), stock.one("select pg_backend_pid()")
        p.databases = {"shop": server + " query_wait_timeout=7", "extra": server + " dbname=shop",
                       "stock": server + " application_name=changed"}
        p.write_config(max_idle_time=50, log_disconnections=0)
        console.query("RELOAD")
        after = shop.one("select pg_backend_pid()"), stock.one("select pg_backend_pid()")
        assert after[0] == before[0], "a needless reconnect"
        assert after[1] != before[1], "a connection made by the old line is still in use"
        with p.wire(database="extra") as extra:
            assert extra.one("select 1") == "1"
