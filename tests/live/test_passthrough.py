"""SCRAM pass-through: the keys of a client's proof open the server, with libpq 18 or later.

What a libpq that cannot do it leads to is in test_auth_methods.py.  Where the one installed
is older, PGSLUICE_LIBPQ18 names a directory with a newer libpq.so.5 to run these with; there
are no tests here without it.
"""
import os

import psycopg
import pytest

import cluster
from authkit import CLIENTS, Certificates, Target, scram_secret, verdict

pytestmark = pytest.mark.ours
NEWER = os.environ.get("PGSLUICE_LIBPQ18")


def server_secret(postgres, user="app"):
    """What the server itself keeps: only keys of that very salt can open it."""
    with psycopg.connect(postgres.dsn(dbname="shop"), autocommit=True) as c:
        return c.execute("select rolpassword from pg_authid where rolname = %s",
                         (user,)).fetchone()[0]


if NEWER or psycopg.pq.version() >= 180000:
    @pytest.fixture
    def newer(pooler, postgres):
        def make(secret, **settings):
            p = pooler(start=False, auth_type="scram-sha-256",
                       env={"LD_LIBRARY_PATH": NEWER} if NEWER else {}, **settings)
            p.write("userlist.txt", f'"app" "{secret}"\n' if secret else "")
            return p.start()
        return make

    @pytest.mark.parametrize("client", ["psql", "psycopg", "asyncpg"])
    def test_the_list_has_the_servers_secret(newer, postgres, client):
        p = newer(server_secret(postgres))
        assert verdict(client, Target(p), "app", "wrong") == "refused"
        assert CLIENTS[client](Target(p), "app", cluster.PASSWORD) == "ok"
        assert "can be checked, but libpq" not in p.log()

    def test_the_secret_comes_by_auth_query(newer, postgres):
        server = f"host=127.0.0.1 port={postgres.port}"
        p = newer(None, databases={"shop": server, "users": server + " dbname=shop user=postgres"},
                  auth_user="postgres", auth_dbname="users")
        assert CLIENTS["psycopg"](Target(p), "app", cluster.PASSWORD) == "ok"

    def test_connections_opened_later_use_the_keys_too(newer, postgres):
        p = newer(server_secret(postgres), max_open=3, max_lifetime=1)
        wires = [p.wire(user="app", password=cluster.PASSWORD) for _ in range(3)]
        for w in wires:
            w.begin()
        assert len({w.one("select pg_backend_pid()") for w in wires}) == 3
        for w in wires:
            w.query("commit")
            w.drop()

    def test_tls_with_an_openssl_of_its_own_is_refused(newer, own_postgres):
        """Where the newer libpq brings one; else it simply works."""
        made = Certificates()
        own_postgres.stop()
        own_postgres.settings.update({"ssl": "on", "ssl_cert_file": made.path("server.crt"),
                                      "ssl_key_file": made.path("server.key")})
        own_postgres.start()
        p = newer(server_secret(own_postgres), server_tls_sslmode="require",
                  databases={"shop": f"host=127.0.0.1 port={own_postgres.port}"})
        said = CLIENTS["psycopg"](Target(p), "app", cluster.PASSWORD)
        assert said == "ok" or "another OpenSSL" in said
        made.close()

    def test_another_salt_opens_nothing_and_says_so(newer):
        p = newer(scram_secret(cluster.PASSWORD, salt=b"another salt 123"))
        said = CLIENTS["psycopg"](Target(p), "app", cluster.PASSWORD)
        assert said != "ok"
        p.log_contains("login to the server failed: .*(SCRAM|password)")
