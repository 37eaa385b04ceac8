"""The scenario by every client library, directly and through the pooler: the same output.

Through the pooler twenty of them run at once in transaction mode over two server
connections, each in a schema of its own.  LISTEN needs a session, so the pool pins the client
to its connection from LISTEN to UNLISTEN (on_session_feature = pin); the rest moves freely.
Directly, each says what libpq says, but for the sections in which a driver notes that it did
something else.
"""
import os
import signal
import subprocess
import time

import pytest

import pooler as poolers

HERE = os.path.dirname(os.path.abspath(__file__))
BUILD = os.path.join(HERE, "..", "..", "build")
SCENARIO = HERE + "/scenario"
CLIENTS = 20
PATIENCE = 500      # seconds for what takes a quiet machine 5 to 15: it may be slow and busy

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


def start(driver, postgres, front, schema):
    """The driver's program, as a client of that pooler (or of the server itself)."""
    env = {k: v for k, v in os.environ.items() if not k.startswith("PG")}
    dsn = "host=127.0.0.1 port={} user=trusty dbname=shop"
    env.update(DRIVER_DSN=dsn.format(front.port), DRIVER_SERVER=dsn.format(postgres.port),
               DRIVER_SCHEMA=schema, PYTHONDONTWRITEBYTECODE="1",
               NODE_PATH=BUILD + "/drivers/node/node_modules")
    return subprocess.Popen(DRIVERS[driver], env=env, stdout=subprocess.PIPE, encoding="utf-8",
                            stderr=subprocess.PIPE, stdin=subprocess.DEVNULL)


def last_words(driver, process):
    """What a program that hangs has said; Java says where its threads are."""
    if driver == "jdbc":
        process.send_signal(signal.SIGQUIT)
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            pass
    process.kill()
    said, warned = process.communicate()
    said = "\n\n".join(part for part in said.split("\n\n")       # the JVM's own threads are many
                       if part[:1] != '"' or part.startswith(('"main"', '"Thread-')))
    return f"{said[-6000:]}{warned[-2000:]}"


def transcripts(driver, running, state):
    """What each program said; all have PATIENCE seconds together.

    One that has not ended by then is told about with state(): what the others were doing.
    """
    end = time.monotonic() + PATIENCE
    try:
        for schema, process in running.items():
            try:
                said, warned = process.communicate(timeout=max(0.1, end - time.monotonic()))
            except subprocess.TimeoutExpired:
                doing = state()
                raise AssertionError(f"{schema} has not ended; it said:\n"
                                     f"{last_words(driver, process)}\n{doing}") from None
            assert process.returncode == 0, f"{schema}: {said}{warned}\n{state()}"
            yield schema, said.replace(schema, "SCHEMA")
    finally:
        for process in running.values():
            process.kill()
            process.communicate()


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
            running = {schema: start(driver, postgres, postgres, schema)}
            kept.update((driver, said) for _, said in
                        transcripts(driver, running, lambda: postgres.backends()))
        return kept[driver]
    return of


@pytest.mark.timeout(2 * PATIENCE + 100)
@pytest.mark.parametrize("driver", DRIVERS)
def test_drivers_agree(direct, driver):
    said, libpq = sections(direct(driver)), sections(direct("libpq"))
    assert said == {k: v for k, v in libpq.items() if k in said}
    assert len(said) >= 10


@pytest.mark.ours
@pytest.mark.timeout(2 * PATIENCE + 100)
@pytest.mark.parametrize("driver", DRIVERS)
def test_twenty_clients_over_two_connections(postgres, pooler, direct, driver):
    expected = direct(driver)
    p = pooler(max_open=2, on_session_feature="pin", client_login_timeout=PATIENCE,
               query_wait_timeout=PATIENCE)
    schemas = [f"{driver}_{n:02}" for n in range(CLIENTS)]
    running = {schema: start(driver, postgres, p, schema) for schema in schemas}
    for schema, said in transcripts(driver, running, p.doing):
        assert said == expected, f"{schema}\n{p.doing()}"
    assert len(postgres.backends("usename = 'trusty'")) <= 2
    assert poolers.STAND_IN or p.show("PINS") == []
