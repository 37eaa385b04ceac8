"""authkit.py - what the tests of logins share: certificates, clients, secrets.

A client is a function (target, user, password) -> "ok" or the SQLSTATE it was refused
with; target names where and how to connect.  CLIENTS has one for each driver:

    psql, psycopg   libpq, as a program and as a library
    asyncpg         the protocol, SCRAM and TLS written anew in Python
    jdbc            the protocol, SCRAM and TLS written anew in Java (TCP only: Debian has no
                    library that gives it Unix sockets)
"""
import asyncio
import base64
import glob
import hashlib
import hmac
import os
import re
import shutil
import ssl
import subprocess

import asyncpg
import psycopg
from psycopg.conninfo import make_conninfo

import cluster
from pooler import ROOT

JDBC_JAR = "/usr/share/java/postgresql.jar"


def scram_secret(password, salt=b"0123456789abcdef", rounds=4096):
    """A secret as pg_authid stores it."""
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, rounds)
    stored = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    server = hmac.digest(salted, b"Server Key", "sha256")
    b64 = [base64.b64encode(x).decode() for x in (salt, stored, server)]
    return f"SCRAM-SHA-256${rounds}:{b64[0]}${b64[1]}:{b64[2]}"


def md5_secret(user, password):
    return "md5" + hashlib.md5((password + user).encode()).hexdigest()


class Certificates:
    """A CA with certificates under it, in a directory that everybody may read."""

    def __init__(self):
        self.dir = cluster.scratch("pgsluice-tls-")
        self._run("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30",
                  "-subj", "/CN=test ca", "-keyout", "ca.key", "-out", "ca.crt")
        with open(self.path("ca.conf"), "w", encoding="ascii") as f:
            f.write("[ca]\ndefault_ca=own\n[own]\ndatabase=index\ndefault_md=sha256\n"
                    "default_crl_days=30\n")
        open(self.path("index"), "w", encoding="ascii").close()
        self.make("server", "localhost", "subjectAltName=DNS:localhost,IP:127.0.0.1")

    def _run(self, *words):
        done = subprocess.run(["openssl", *words], cwd=self.dir, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr

    def path(self, name):
        return f"{self.dir}/{name}"

    def make(self, name, cn, extension=None, days="30", key=("rsa:2048",)):
        """NAME.key and NAME.crt for this common name, signed by the CA."""
        self._run("req", "-newkey", *key, "-nodes", "-subj", f"/O=shop/CN={cn}",
                  "-keyout", name + ".key", "-out", name + ".csr")
        extra = []
        if extension:
            with open(self.path(name + ".ext"), "w", encoding="ascii") as f:
                f.write(extension + "\n")
            extra = ["-extfile", name + ".ext"]
        self._run("x509", "-req", "-in", name + ".csr", "-CA", "ca.crt", "-CAkey", "ca.key",
                  "-CAcreateserial", "-days", days, "-out", name + ".crt", *extra)
        self._run("pkcs8", "-topk8", "-nocrypt", "-in", name + ".key", "-outform", "DER",
                  "-out", name + ".pk8")     # the format that Java reads
        self.allow(name + ".key")

    def allow(self, name):
        """A key that only its reader may read: the pooler's user and ours are the same."""
        os.chmod(self.path(name), 0o600)
        if os.getuid() == 0:
            _, uid, gid = cluster.unprivileged()
            os.chown(self.path(name), uid, gid)

    def revoke(self, name):
        """crl.pem, with NAME in it (or without any)."""
        if name:
            self._run("ca", "-config", "ca.conf", "-keyfile", "ca.key", "-cert", "ca.crt",
                      "-revoke", name + ".crt")
        self._run("ca", "-config", "ca.conf", "-keyfile", "ca.key", "-cert", "ca.crt",
                  "-gencrl", "-out", "crl.pem")

    def settings(self, mode="allow", ca=True, **more):
        words = {"client_tls_sslmode": mode, "client_tls_key_file": self.path("server.key"),
                 "client_tls_cert_file": self.path("server.crt")}
        if ca:
            words["client_tls_ca_file"] = self.path("ca.crt")
        words.update(more)
        return words

    def context(self, client=None, **changes):
        """An ssl.SSLContext that trusts the CA, with a client certificate if named."""
        context = ssl.create_default_context(cafile=self.path("ca.crt"))
        context.check_hostname = False
        if client:
            context.load_cert_chain(self.path(client + ".crt"), self.path(client + ".key"))
        for name, value in changes.items():
            setattr(context, name, value)
        return context

    def close(self):
        shutil.rmtree(self.dir, ignore_errors=True)


class Target:
    """Where a client connects: a pooler and a transport (tcp, tls or unix)."""

    def __init__(self, pooler, transport="tcp", certificates=None, client=None, dbname="shop"):
        self.pooler, self.transport, self.dbname = pooler, transport, dbname
        self.certificates, self.client = certificates, client

    def dsn(self, user, password):
        words = {"host": self.pooler.dir if self.transport == "unix" else "127.0.0.1",
                 "port": self.pooler.port, "user": user, "dbname": self.dbname,
                 "connect_timeout": 200,
                 "sslmode": "require" if self.transport == "tls" else "disable"}
        if password is not None:
            words["password"] = password
        if self.client and self.transport == "tls":
            words["sslcert"] = self.certificates.path(self.client + ".crt")
            words["sslkey"] = self.certificates.path(self.client + ".key")
        return make_conninfo(**words)


def clean_environment():
    env = {k: v for k, v in os.environ.items() if not k.startswith("PG")}
    env["HOME"] = "/nonexistent"
    return env


def by_psql(target, user, password):
    done = subprocess.run(
        ["psql", "-XAtq", "-v", "VERBOSITY=sqlstate", "-c", "select 1", target.dsn(user, password)],
        capture_output=True, text=True, env=clean_environment(), timeout=500, cwd="/")
    if done.returncode == 0 and done.stdout == "1\n":
        return "ok"
    return done.stderr.strip() or f"status {done.returncode}"


def by_psycopg(target, user, password):
    try:
        with psycopg.connect(target.dsn(user, password), autocommit=True) as c:
            assert c.execute("select 1").fetchone() == (1,)
        return "ok"
    except psycopg.OperationalError as e:
        return str(e).strip()


def by_asyncpg(target, user, password):
    async def login():
        context = None
        if target.transport == "tls":
            context = target.certificates.context(target.client)
        c = await asyncpg.connect(
            host=target.pooler.dir if target.transport == "unix" else "127.0.0.1",
            port=target.pooler.port, user=user, password=password or "", database=target.dbname,
            ssl=context if context else False, timeout=200, statement_cache_size=0)
        try:
            assert await c.fetchval("select 1") == 1
        finally:
            await c.close()

    try:
        asyncio.run(login())
        return "ok"
    except asyncpg.PostgresError as e:
        return f"{e.sqlstate}: {e}"


class Jdbc:
    """One Java process that tries the logins it is told, a line each."""

    process = None

    @classmethod
    def available(cls):
        return shutil.which("java") is not None and os.path.exists(JDBC_JAR)

    @classmethod
    def ask(cls, url, user, password):
        if cls.process is None:
            jars = ":".join([JDBC_JAR] + glob.glob("/usr/share/java/ongres-*.jar"))
            cls.process = subprocess.Popen(
                ["java", "-Xshare:auto", "-XX:TieredStopAtLevel=1", "-cp", jars,
                 os.path.join(ROOT, "tests/drivers/JdbcLogin.java")],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd="/")
        cls.process.stdin.write(f"{url}\t{user}\t{password or ''}\n")
        cls.process.stdin.flush()
        return cls.process.stdout.readline().strip()

    @classmethod
    def close(cls):
        if cls.process:
            cls.process.stdin.close()
            cls.process.wait(200)
            cls.process.stdout.close()
            cls.process = None


def by_jdbc(target, user, password):
    mode = "require" if target.transport == "tls" else "disable"
    url = (f"jdbc:postgresql://127.0.0.1:{target.pooler.port}/{target.dbname}"
           f"?sslmode={mode}&connectTimeout=200&socketTimeout=200")
    if target.client and target.transport == "tls":
        url += (f"&sslcert={target.certificates.path(target.client + '.crt')}"
                f"&sslkey={target.certificates.path(target.client + '.pk8')}")
    return Jdbc.ask(url, user, password)


CLIENTS = {"psql": by_psql, "psycopg": by_psycopg, "asyncpg": by_asyncpg, "jdbc": by_jdbc}

# libpq tells no SQLSTATE of a refused login, so its words must do for both.
REFUSED = re.compile(r"28P01|28000|(password|certificate|Peer|PAM) authentication failed|"
                     r"no pg_hba.conf entry|pg_hba.conf rejects|valid client certificate")


def verdict(client, target, user, password):
    """"ok" or "refused"; anything else is shown as it is."""
    said = CLIENTS[client](target, user, password)
    return "refused" if REFUSED.search(said) else said
