"""The same program of each driver, directly and through the pooler: the same output.

Through the pooler twenty of them run at once in transaction mode over two server
connections, each in a schema of its own.
"""
import os
import subprocess

import pytest

import pooler as poolers

HERE = os.path.dirname(os.path.abspath(__file__))
CLIENTS = 20

# name: the command
DRIVERS = {
    "psycopg3": ["/usr/bin/python3", HERE + "/psycopg3.py"],
    "psycopg2": ["/usr/bin/python3", HERE + "/psycopg_2.py"],
    "asyncpg": ["/usr/bin/python3", HERE + "/asyncpg_.py"],
}


def start(command, dsn, schema):
    env = {**os.environ, "DRIVER_DSN": dsn, "DRIVER_SCHEMA": schema, "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                            text=True, stdin=subprocess.DEVNULL)


@pytest.mark.ours
@pytest.mark.timeout(300)
@pytest.mark.parametrize("driver", DRIVERS)
def test_driver(postgres, pooler, driver):
    direct = start(DRIVERS[driver], f"host=127.0.0.1 port={postgres.port} user=trusty dbname=shop",
                   f"{driver}_direct")
    expected = direct.communicate(timeout=100)[0]
    assert direct.returncode == 0, expected
    p = pooler(max_open=2)
    dsn = f"host=127.0.0.1 port={p.port} user=trusty dbname=shop"
    running = [start(DRIVERS[driver], dsn, f"{driver}_{n}") for n in range(CLIENTS)]
    for n, client in enumerate(running):
        said = client.communicate(timeout=200)[0].replace(f"{driver}_{n}", f"{driver}_direct")
        assert (client.returncode, said) == (0, expected), f"client {n}\n{said[-3000:]}\n{p.log()[-1500:]}"
    assert poolers.STAND_IN or len(postgres.backends("usename = 'trusty'")) <= 2
