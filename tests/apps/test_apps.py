"""The three shops, directly and through pgsluice: the same pages, suites and data."""
import os
import re
import subprocess

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
SHOPS = {"django": "django_shop/manage.py", "sqlalchemy": "sqlalchemy_shop/manage.py",
         "activerecord": "activerecord_shop/manage.rb"}


def manage(shop, port, *words):
    """Run a shop's command against a port of loopback; what it said."""
    env = {**os.environ, "DATABASE_URL": f"postgres://trusty@127.0.0.1:{port}/{shop}",
           "PYTHONDONTWRITEBYTECODE": "1"}
    run = subprocess.run([f"{HERE}/{SHOPS[shop]}", *words], env=env, text=True, timeout=100,
                         stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
    assert run.returncode == 0, run.stdout[-3000:]
    return run.stdout


def dump(server, database):
    """All that is in a database, but for what differs from one to the other."""
    run = subprocess.run([f"{server.bin}/pg_dump", "-h", server.dir, "-p", str(server.port), "-U",
                          "postgres", "-O", "--inserts", database], capture_output=True, text=True,
                         check=True)
    said = re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d+)?(\+\d\d)?", "WHEN", run.stdout)
    return sorted(line for line in said.splitlines() if not line.startswith(("--", "\\")))


@pytest.mark.ours
@pytest.mark.parametrize("shop", SHOPS)
def test_the_same_as_directly(own_postgres, pooler, shop):
    """Every page, lazy and eager, and the suite: what they say and what they leave behind.

    In transaction mode over two connections.
    """
    own_postgres.sql("alter role trusty createdb")
    p = pooler(on=own_postgres, max_open=2,
               databases={"*": f"host=127.0.0.1 port={own_postgres.port}"})
    said, left = [], []
    for port in (own_postgres.port, p.port):
        own_postgres.sql(f"create database {shop} owner trusty")
        said.append([manage(shop, port, *words) for words in (
            ["schema"], ["seed", "10"], ["serve", "lazy", "5"], ["serve", "eager", "5"],
            ["serve", "lazy", "3", "--transaction", "--one-connection"], ["test"])])
        left.append(dump(own_postgres, shop))
        own_postgres.sql(f"drop database {shop} with (force)")
        own_postgres.sql(f"drop database if exists test_{shop} with (force)")

    def steady(text):
        return re.sub(r"\d+\.\d+ ?s|--seed \d+|in \d.*|\d+\.\d+ (runs|assertions)/s", "", text)
    assert list(map(steady, said[1])) == list(map(steady, said[0]))
    assert not any("FAILED" in text for text in said[0])
    assert len(left[0]) > 50 and left[1] == left[0]
