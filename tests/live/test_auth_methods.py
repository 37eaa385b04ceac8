"""Every method × every client × every transport × right, wrong, unknown, expired, locked.

The server has md5 and SCRAM roles and asks everybody for a password.  The pooler knows their
secrets from the user list, or asks for them with auth_query as a role that may do only that.
"""
import os
import pwd
import re

import psycopg
import pytest

import cluster
from authkit import CLIENTS, Certificates, Jdbc, Target, md5_secret, scram_secret, verdict

pytestmark = pytest.mark.ours

PASSWORD = "right ' password"
TRANSPORTS = ("tcp", "tls", "unix")
# make check takes Java where it is; make check-drivers installs it, and it must be there
WITH_JAVA = "PGSLUICE_JAVA" in os.environ
ROLES = ("scrammer", "hasher", "expired", "locked")


@pytest.fixture(scope="module")
def certificates():
    made = Certificates()
    made.make("scrammer", "scrammer")
    made.make("stranger", "stranger")
    yield made
    made.close()


@pytest.fixture(scope="module")
def strict():
    """A server that asks for passwords."""
    server = cluster.Postgres()
    quoted = PASSWORD.replace("'", "''")
    server.sql(f"create role scrammer login password '{quoted}'")
    server.sql(f"create role hasher login password '{md5_secret('hasher', PASSWORD)}'")
    server.sql(f"create role expired login password '{quoted}' valid until '2001-01-01'")
    server.sql(f"create role locked nologin password '{quoted}'")
    with open(os.path.join(os.path.dirname(__file__), "../../sql/auth_lookup.sql"),
              encoding="utf-8") as f:
        server.sql(f.read(), dbname="shop")
    server.sql("alter role pgsluice_auth password 'lookup'")
    server._append("pg_hba.conf", None,
                   "local all postgres trust\nhost all trusty 127.0.0.1/32 trust\n"
                   "host all all 127.0.0.1/32 md5\n")
    server.sql("select pg_reload_conf()")
    yield server
    server.close()


@pytest.fixture(scope="module", autouse=True)
def jdbc():
    yield
    Jdbc.close()


def settings(certificates, **more):
    words = dict(auth_delay=0, auth_failure_limit=0, max_open=8, pool_mode="session")
    words.update(certificates.settings())
    words.update(more)
    return words


def clients(transport):
    for name in CLIENTS:
        if name == "jdbc" and (transport == "unix" or not (WITH_JAVA or Jdbc.available())):
            continue
        yield name


def check(pooler, certificates, user, password, want, transports=TRANSPORTS, client=None):
    wrong = []
    for transport in transports:
        target = Target(pooler, transport, certificates, client)
        for name in clients(transport):
            got = verdict(name, target, user, password)
            if got != want:
                wrong.append(f"{name} over {transport} as {user}: {got}, not {want}")
    assert not wrong, "\n".join(wrong) + "\n" + pooler.log()[-3000:]


METHODS = {
    "plain": {"auth_type": "plain"},
    "md5": {"auth_type": "md5"},
    "scram": {"auth_type": "scram-sha-256"},
    "hba": {"auth_type": "hba", "auth_hba_file": "hba.conf"},
}


@pytest.mark.parametrize("method", METHODS)
def test_user_list(pooler, strict, certificates, method):
    """Plain secrets of the list: checked by each method, and good for the server's md5 and SCRAM."""
    p = pooler(on=strict, start=False, **settings(certificates, **METHODS[method]))
    p.write("userlist.txt", f'"scrammer" "{PASSWORD}"\n"hasher" "{PASSWORD}"\n')
    p.write("hba.conf", "local all all scram-sha-256\nhostssl all all all scram-sha-256\n"
                        "hostnossl all all all md5\n")
    p.start()
    for user in ("scrammer", "hasher"):
        check(p, certificates, user, PASSWORD, "ok")
        check(p, certificates, user, PASSWORD + " ", "refused")
    check(p, certificates, "nobody", PASSWORD, "refused")


@pytest.mark.parametrize("method,secret", [("plain", "md5"), ("plain", "scram"), ("md5", "md5"),
                                           ("md5", "scram"), ("scram", "scram")])
def test_hashed_secrets(pooler, strict, certificates, method, secret):
    """Hashed secrets of the list: checked all the same; the server is entered as another role."""
    p = pooler(on=strict, start=False,
               databases={"shop": f"host=127.0.0.1 port={strict.port} user=trusty"},
               **settings(certificates, **METHODS[method]))
    stored = md5_secret("scrammer", PASSWORD) if secret == "md5" else scram_secret(PASSWORD)
    p.write("userlist.txt", f'"scrammer" "{stored}"\n')
    p.start()
    check(p, certificates, "scrammer", PASSWORD, "ok")
    check(p, certificates, "scrammer", "wrong", "refused")
    check(p, certificates, "nobody", PASSWORD, "refused")


def test_plain_passwords_open_the_server(pooler, strict, certificates):
    """With auth_type = plain a SCRAM secret is enough: the password itself is at hand."""
    p = pooler(on=strict, start=False, **settings(certificates, auth_type="plain"))
    p.write("userlist.txt", f'"scrammer" "{scram_secret(PASSWORD)}"\n')
    p.start()
    check(p, certificates, "scrammer", PASSWORD, "ok")


@pytest.mark.parametrize("method", ["plain", "md5", "scram"])
def test_auth_query(pooler, strict, certificates, method):
    p = pooler(on=strict, start=False,
               databases={"shop": f"host=127.0.0.1 port={strict.port} user=trusty"},
               **settings(certificates, auth_user="pgsluice_auth",
                          auth_query="select name, secret from pgsluice.auth_lookup($1)",
                          **METHODS[method]))
    p.write("userlist.txt", '"pgsluice_auth" "lookup"\n')
    p.start()
    check(p, certificates, "scrammer", PASSWORD, "ok")
    if method != "scram":
        check(p, certificates, "hasher", PASSWORD, "ok")
    check(p, certificates, "scrammer", "wrong", "refused")
    for user in ("nobody", "expired", "locked"):
        check(p, certificates, user, PASSWORD, "refused")


def test_certificates(pooler, postgres, certificates):
    p = pooler(start=False, databases={"shop": f"host=127.0.0.1 port={postgres.port} user=trusty"},
               **settings(certificates, auth_type="cert", client_tls_sslmode="verify-full"))
    p.start()
    check(p, certificates, "scrammer", None, "ok", ["tls"], client="scrammer")
    check(p, certificates, "scrammer", None, "refused", ["tls"], client="stranger")
    check(p, certificates, "scrammer", None, "refused", ["unix"])
    assert "SSL required" in CLIENTS["psycopg"](Target(p), "scrammer", None)
    for name in ("psql", "psycopg"):  # without a certificate not even the handshake ends
        assert "SSL error" in CLIENTS[name](Target(p, "tls", certificates), "scrammer", None)


def test_certificate_names_are_mapped(pooler, postgres, certificates):
    p = pooler(start=False, databases={"shop": f"host=127.0.0.1 port={postgres.port} user=trusty"},
               **settings(certificates, auth_type="hba", auth_hba_file="hba.conf",
                          auth_ident_file="ident.conf"))
    p.write("hba.conf", "hostssl all /^by_dn all cert clientname=DN map=m\n"
                        "hostssl all all all cert map=m\n")
    p.write("ident.conf", "m /^(.*)mer$ \\1\nm stranger all\n"
                          "m \"CN=scrammer,O=shop\" by_dn\n")
    p.start()
    check(p, certificates, "scram", None, "ok", ["tls"], client="scrammer")
    check(p, certificates, "scrammer", None, "refused", ["tls"], client="scrammer")
    check(p, certificates, "anybody", None, "ok", ["tls"], client="stranger")
    check(p, certificates, "by_dn", None, "ok", ["tls"], client="scrammer")
    check(p, certificates, "by_dn2", None, "refused", ["tls"], client="scrammer")


def test_certificate_and_password(pooler, postgres, certificates):
    """clientcert=verify-full: both."""
    p = pooler(start=False, databases={"shop": f"host=127.0.0.1 port={postgres.port} user=trusty"},
               **settings(certificates, auth_type="hba", auth_hba_file="hba.conf"))
    p.write("userlist.txt", f'"scrammer" "{PASSWORD}"\n"other" "{PASSWORD}"\n')
    p.write("hba.conf", "hostssl all scrammer all scram-sha-256 clientcert=verify-full\n"
                        "hostssl all other all scram-sha-256 clientcert=verify-ca\n")
    p.start()
    check(p, certificates, "scrammer", PASSWORD, "ok", ["tls"], client="scrammer")
    check(p, certificates, "scrammer", "wrong", "refused", ["tls"], client="scrammer")
    check(p, certificates, "other", PASSWORD, "ok", ["tls"], client="scrammer")
    for user in ("scrammer", "other"):
        target = Target(p, "tls", certificates)
        assert "valid client certificate" in CLIENTS["psycopg"](target, user, PASSWORD)


def test_peer(pooler, postgres, certificates):
    me = pwd.getpwuid(os.getuid()).pw_name
    p = pooler(start=False, databases={"shop": f"host=127.0.0.1 port={postgres.port} user=trusty"},
               **settings(certificates, auth_type="hba", auth_hba_file="hba.conf",
                          auth_ident_file="ident.conf"))
    p.write("hba.conf", "local all mapped peer map=m\nlocal all all peer\n")
    p.write("ident.conf", f"m {me} mapped\n")
    p.start()
    check(p, certificates, me, None, "ok", ["unix"])
    check(p, certificates, "mapped", None, "ok", ["unix"])
    check(p, certificates, "somebody", None, "refused", ["unix"])
    check(p, certificates, me, None, "refused", ["tcp", "tls"])


def test_two_passwords_live_while_one_is_rotated(pooler, postgres, certificates):
    p = pooler(start=False, databases={"shop": f"host=127.0.0.1 port={postgres.port} user=trusty"},
               **settings(certificates, auth_type="scram-sha-256"))
    p.write("userlist.txt", f'"scrammer" "{scram_secret("old")}"\n"scrammer" "new"\n')
    p.start()
    check(p, certificates, "scrammer", "old", "ok")
    check(p, certificates, "scrammer", "new", "ok")
    check(p, certificates, "scrammer", "newer", "refused")
    assert "different salts" not in p.log()
    p.write("userlist.txt", '"scrammer" "new"\n')
    p.signal(1)
    p.log_contains(r"reload", 5)
    check(p, certificates, "scrammer", "new", "ok", ["tcp"])
    check(p, certificates, "scrammer", "old", "refused", ["tcp"])


def test_two_scram_secrets_of_one_user(pooler, postgres, certificates):
    """A plain password is compared with both; an exchange shows the salt of one, and then the other."""
    both = "".join(f'"scrammer" "{scram_secret(word, salt=word.encode() * 4)}"\n'
                   for word in ("old!", "new!"))
    for method in ("plain", "scram-sha-256"):
        p = pooler(start=False, databases={
            "shop": f"host=127.0.0.1 port={postgres.port} user=trusty"},
            **settings(certificates, auth_type=method))
        p.write("userlist.txt", both)
        p.start()
        p.log_contains("WARNING .*userlist.txt:1: 1 user with several SCRAM secrets")
        for word in ("new!", "old!", "new!"):
            tries = [verdict("psycopg", Target(p), "scrammer", word) for _ in range(2)]
            assert tries[1] == "ok" and (method != "plain" or tries[0] == "ok"), (method, tries)
        assert verdict("psycopg", Target(p), "scrammer", "else") == "refused"


def test_groups_of_the_hba_file(pooler, strict, certificates):
    """+group asks the server, through other groups too; a superuser is no member by nature."""
    strict.sql("drop role if exists team, staff")
    strict.sql("create role team")
    strict.sql("create role staff")
    strict.sql("grant staff to team")
    strict.sql("grant team to scrammer")
    p = pooler(on=strict, start=False,
               databases={"shop": f"host=127.0.0.1 port={strict.port} user=trusty"},
               **settings(certificates, auth_type="hba", auth_hba_file="hba.conf",
                          auth_user="pgsluice_auth",
                          auth_query="select name, secret from pgsluice.auth_lookup($1)"))
    p.write("userlist.txt", '"pgsluice_auth" "lookup"\n')
    p.write("hba.conf", "host all +staff all trust\nhost all +nowhere,+team all reject\n"
                        "host all hasher localhost md5\n")
    p.start()
    check(p, certificates, "scrammer", None, "ok", ["tcp"])
    check(p, certificates, "hasher", PASSWORD, "ok", ["tcp"])
    check(p, certificates, "postgres", None, "refused", ["tcp"])


@pytest.mark.parametrize("changes,what", [
    ({"auth_type": "ldap"}, "(?i)ldap"),
    ({"auth_type": "hba", "auth_hba_file": "hba.conf"}, "hba.conf:2: .*gss"),
    ({"auth_type": "hba", "auth_hba_file": "nowhere.conf"}, "nowhere.conf"),
    ({"auth_type": "hba", "auth_hba_file": "ldap.conf"}, "(?i)ldap"),
    ({"auth_type": "scram-sha-256", "auth_file": "broken.txt"}, "broken.txt:1: "),
    ({"auth_type": "cert"}, "client_tls_sslmode")])
def test_what_cannot_work_is_said_when_it_is_configured(pooler, changes, what):
    p = pooler(start=False, **changes)
    p.write("hba.conf", "local all all trust\nhost all all all gss\n")
    p.write("ldap.conf", "host all all all ldap ldapserver=x\n")
    p.write("broken.txt", "app secret\n")
    status, out, err = p.run("--check", p.config)
    assert status == 1 and re.search(what, out + err), out + err
    with pytest.raises(AssertionError, match=what):
        p.start()
    p.process = None


def test_secrets_that_cannot_open_the_server_are_named(pooler, postgres):
    """A SCRAM secret without a password, and a libpq that takes no keys."""
    if psycopg.pq.version() >= 180000:
        pytest.skip("this libpq takes keys")
    p = pooler(start=False, auth_type="scram-sha-256")
    p.write("userlist.txt", f'"app" "{scram_secret(cluster.PASSWORD)}"\n')
    p.start()
    p.log_contains('WARNING database "shop": clients whose secret is known only as a SCRAM secret')
    assert verdict("psycopg", Target(p), "app", "wrong") == "refused"
    said = CLIENTS["psycopg"](Target(p), "app", cluster.PASSWORD)
    assert "password" in said and said != "ok"
