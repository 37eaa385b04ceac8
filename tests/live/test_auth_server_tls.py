"""TLS towards servers: libpq's words, authorities, our certificate, revoked ones.

What libpq itself says to the same words over the same server is what must come through the
pooler.
"""
import os

import psycopg
import pytest

import cluster
from authkit import Certificates

pytestmark = pytest.mark.ours

MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")


@pytest.fixture(scope="module")
def certificates():
    made = Certificates()
    made.make("ours", "trusty")
    made.make("elsewhere", "elsewhere.example", "subjectAltName=DNS:elsewhere.example")
    made.revoke(None)
    os.rename(made.path("crl.pem"), made.path("none.pem"))
    made.revoke("elsewhere")
    yield made
    made.close()


@pytest.fixture(scope="module")
def stranger():
    """An authority that has nothing to do with it."""
    made = Certificates()
    yield made
    made.close()


def serve(certificates, name):
    return cluster.Postgres(ssl="on", ssl_cert_file=certificates.path(name + ".crt"),
                            ssl_key_file=certificates.path(name + ".key"),
                            ssl_ca_file=certificates.path("ca.crt"))


@pytest.fixture(scope="module")
def encrypted(certificates):
    """Its certificate is for localhost and 127.0.0.1; trusty must come with TLS, as "ours"."""
    server = serve(certificates, "server")
    server._append("pg_hba.conf", None, "local all all trust\nhostssl all trusty all cert\n"
                                        "host all other all trust\n")
    server.sql("select pg_reload_conf()")
    yield server
    server.close()


@pytest.fixture(scope="module")
def misnamed(certificates):
    """Its certificate is for another name, and revoked."""
    server = serve(certificates, "elsewhere")
    yield server
    server.close()


def directly(server, user, words):
    """ "TLS", "plain", or None when libpq itself does not get in."""
    try:
        with psycopg.connect(server.dsn(host="127.0.0.1", user=user, dbname="shop",
                                        gssencmode="disable", **words)) as c:
            return "TLS" if c.pgconn.ssl_in_use else "plain"
    except psycopg.OperationalError:
        return None


def through(p, user, words):
    names = {"sslmode": "server_tls_sslmode", "sslrootcert": "server_tls_ca_file",
             "sslcert": "server_tls_cert_file", "sslkey": "server_tls_key_file",
             "sslcrl": "server_tls_crl_file"}
    p.write_config(**{ours: words.get(libpqs) for libpqs, ours in names.items()})
    p.start()
    try:
        with p.connect(user=user) as c:
            return "TLS" if c.execute("select ssl from pg_stat_ssl where pid = "
                                      "pg_backend_pid()").fetchone()[0] else "plain"
    except psycopg.OperationalError as e:
        assert "server login failed" in str(e), e
        return None
    finally:
        p.stop()


def compare(p, server, user, cases):
    seen = []
    for words in cases:
        seen.append(directly(server, user, words))
        assert through(p, user, words) == seen[-1], (words, seen[-1], p.log()[-1500:])
    return seen


@pytest.fixture
def before(pooler):
    def make(server):
        return pooler(on=server, start=False, query_wait_timeout=20,
                      env={"HOME": "/nonexistent"})
    return make


def test_words_of_server_tls_sslmode(before, postgres, encrypted, certificates):
    ca = certificates.path("ca.crt")
    with_tls = compare(before(encrypted), encrypted, "other",
                       [{"sslmode": mode, "sslrootcert": ca} for mode in MODES])
    assert with_tls == ["plain", "plain", "TLS", "TLS", "TLS", "TLS"]
    without = compare(before(postgres), postgres, "other",
                      [{"sslmode": mode, "sslrootcert": ca} for mode in MODES])
    assert without == ["plain", "plain", "plain", None, None, None]


def test_authorities_names_and_revoked_certificates(before, misnamed, certificates, stranger):
    ca, other = certificates.path("ca.crt"), stranger.path("ca.crt")
    seen = compare(before(misnamed), misnamed, "other", [
        {"sslmode": "require"}, {"sslmode": "verify-ca", "sslrootcert": ca},
        {"sslmode": "verify-full", "sslrootcert": ca},
        {"sslmode": "verify-ca", "sslrootcert": other},
        {"sslmode": "verify-ca", "sslrootcert": ca, "sslcrl": certificates.path("none.pem")},
        {"sslmode": "verify-ca", "sslrootcert": ca, "sslcrl": certificates.path("crl.pem")}])
    assert seen == ["TLS", "TLS", None, None, "TLS", None]


def test_our_certificate(before, encrypted, certificates):
    ca = certificates.path("ca.crt")
    own = {"sslcert": certificates.path("ours.crt"), "sslkey": certificates.path("ours.key")}
    seen = compare(before(encrypted), encrypted, "trusty", [
        {"sslmode": "verify-full", "sslrootcert": ca}, {"sslmode": "disable"},
        {"sslmode": "verify-full", "sslrootcert": ca, **own}, {"sslmode": "require", **own}])
    assert seen == [None, None, "TLS", "TLS"]
