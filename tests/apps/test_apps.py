"""The three shops run, directly and through pgsluice, and so do their own test suites."""
import os
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


@pytest.mark.ours
@pytest.mark.parametrize("shop", SHOPS)
def test_own_suite_through_the_pooler(own_postgres, pooler, shop):
    own_postgres.sql("alter role trusty createdb")
    own_postgres.sql(f"create database {shop} owner trusty")
    p = pooler(on=own_postgres, databases={"*": f"host=127.0.0.1 port={own_postgres.port}"})
    manage(shop, p.port, "schema")
    said = manage(shop, p.port, "test")
    assert "FAILED" not in said, said
