"""The scenario by every client library, directly and through the pooler: the same output.

Through the pooler twenty of them run at once in transaction mode over two server
connections, each in a schema of its own.  LISTEN needs a session, so the pool pins the client
to its connection from LISTEN to UNLISTEN (on_session_feature = pin); the rest moves freely.
Directly, each says what libpq says, but for the sections in which a driver notes that it did
something else.
"""
import os
import subprocess

import pytest

import pooler as poolers

HERE = os.path.dirname(os.path.abspath(__file__))
BUILD = os.path.join(HERE, "..", "..", "build")
SCENARIO = HERE + "/scenario"
CLIENTS = 20

# name: the command
DRIVERS = {
    "libpq": [BUILD + "/release/tests/drivers/libpq", SCENARIO],
    "psycopg3": ["/usr/bin/python3", HERE + "/psycopg3.py"],
    "psycopg2": ["/usr/bin/python3", HERE + "/psycopg_2.py"],
    "asyncpg": ["/usr/bin/python3", HERE + "/asyncpg_.py"],
    "jdbc": ["java", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xmx256m", "-cp",
             BUILD + "/drivers/java:/usr/share/java/postgresql.jar", "Jdbc", SCENARIO],
    "node": ["node", "--no-deprecation", HERE + "/node/node_pg.js", SCENARIO],
    "go": [BUILD + "/drivers/lib_pq", SCENARIO],
    "ruby": ["/usr/bin/ruby", HERE + "/ruby_pg.rb"],
    "perl": ["/usr/bin/perl", HERE + "/dbd_pg.pl"],
    "php": ["/usr/bin/php", HERE + "/pdo.php"],
}


def start(driver, server, schema):
    """The driver's program, as a client of that server (or pooler)."""
    env = {k: v for k, v in os.environ.items() if not k.startswith("PG")}
    env.update(DRIVER_DSN=f"host=127.0.0.1 port={server.port} user=trusty dbname=shop",
               DRIVER_SCHEMA=schema, PYTHONDONTWRITEBYTECODE="1",
               NODE_PATH=BUILD + "/drivers/node/node_modules")
    return subprocess.Popen(DRIVERS[driver], env=env, stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, text=True, stdin=subprocess.DEVNULL)


def transcript(process, schema):
    said, warned = process.communicate(timeout=200)
    assert process.returncode == 0, said + warned
    return said.replace(schema, "SCHEMA")


def sections(said):
    """{heading: its lines}, without those sections in which something else was done."""
    out = {}
    for line in said.splitlines():
        if line.startswith("  "):
            out[heading].append(line)
        else:
            heading = line
            out[heading] = []
    return {k: v for k, v in out.items() if not any(line.startswith("  (") for line in v)}


@pytest.fixture(scope="module")
def direct(postgres):
    """A function: what the driver says without a pooler."""
    kept = {}

    def of(driver):
        if driver not in kept:
            schema = f"{driver}_direct"
            kept[driver] = transcript(start(driver, postgres, schema), schema)
        return kept[driver]
    return of


@pytest.mark.timeout(300)
@pytest.mark.parametrize("driver", DRIVERS)
def test_drivers_agree(direct, driver):
    said, libpq = sections(direct(driver)), sections(direct("libpq"))
    assert said == {k: v for k, v in libpq.items() if k in said}
    assert len(said) >= 10


@pytest.mark.ours
@pytest.mark.timeout(300)
@pytest.mark.parametrize("driver", DRIVERS)
def test_twenty_clients_over_two_connections(postgres, pooler, direct, driver):
    expected = direct(driver)
    p = pooler(max_open=2, on_session_feature="pin")
    running = [start(driver, p, f"{driver}_{n:02}") for n in range(CLIENTS)]
    for n, client in enumerate(running):
        assert transcript(client, f"{driver}_{n:02}") == expected, f"client {n}\n{p.log()[-1500:]}"
    assert len(postgres.backends("usename = 'trusty'")) <= 2
    assert poolers.STAND_IN or p.show("PINS") == []
