"""pg_hba.conf and pg_ident.conf: PostgreSQL and the pooler read the same files.

Both are asked the same thing over the same kind of connection; what they answer first must be
the same: let in, asked for a password (and how), rejected by a line, or no line at all.
"""
import os
import pwd
import re
import socket
import ssl
import struct

import psycopg
import pytest

import cluster
import wire
from authkit import Certificates
from pooler import wait_until

pytestmark = pytest.mark.ours

ME = pwd.getpwuid(os.getuid()).pw_name
GROUPS = ["create role team", "create role staff", "grant staff to team"]
USERS = ["alice", "bob", "all", "+staff", "Carol", "two words", "a,b", 'quo"te', "zoe_1", ME]
DATABASES = ["alice", "staff", "replication", "all", "Mixed", "with space"]


@pytest.fixture(scope="module")
def certificates():
    made = Certificates()
    made.make("alice", "alice")
    made.make("robot", "robot-alice")
    yield made
    made.close()


@pytest.fixture(scope="module")
def addresses():
    """Loopback addresses of this machine: the second kind is not everywhere."""
    found = ["127.0.0.1"]
    try:
        with socket.socket(socket.AF_INET6) as s:
            s.bind(("::1", 0))
        found.append("::1")
    except OSError:
        pass
    return found


@pytest.fixture(scope="module")
def server(certificates, addresses):
    s = cluster.Postgres(listen_addresses=",".join(addresses), ssl="on",
                         ssl_cert_file=certificates.path("server.crt"),
                         ssl_key_file=certificates.path("server.key"),
                         ssl_ca_file=certificates.path("ca.crt"))
    for text in GROUPS:
        s.sql(text)
    for name in USERS:
        quoted = '"' + name.replace('"', '""') + '"'
        if name != "postgres":
            s.sql(f"create role {quoted} login password 'secret'")
    s.sql("grant team to alice")
    for name in DATABASES:
        s.sql(f'create database "{name}"')
    yield s
    s.close()


class Both:
    """A server and a pooler in front of another one, with the same files."""

    # The superuser's way in, which both need to be looked after.
    FIRST = "local all,replication postgres trust\n"

    def __init__(self, make, server, certificates):
        self.server, self.certificates = server, certificates
        self.pooler = make(
            on=server, start=False, auth_type="hba", auth_hba_file="hba.conf",
            auth_ident_file="ident.conf", auth_user="postgres", auth_dbname="postgres",
            listen_addr=server.settings["listen_addresses"], auth_negative_ttl=0,
            databases={"*": f"host={server.dir} port={server.port} user=postgres",
                       "postgres": f"host={server.dir} port={server.port}"},
            **certificates.settings())
        self.pooler.write("userlist.txt", "")
        self.given = None

    def files(self, hba, ident="", **more):
        """Both have read them."""
        if self.given == (hba, ident, more):
            return
        self.given = (hba, ident, more)
        before = self.loaded()
        for name, text in {"pg_hba.conf": self.FIRST + hba, "pg_ident.conf": ident,
                           **more}.items():
            self.server._append(name, None, text)
            self.pooler.write(name.replace("pg_", ""), text)
        self.server.sql("select pg_reload_conf()")
        wait_until(lambda: self.loaded() > before, 20, "PostgreSQL has read its files")
        if self.pooler.running():
            reloads = self.pooler.log().count("reload")
            self.pooler.signal(1)
            wait_until(lambda: self.pooler.log().count("reload") > reloads, 10)
        else:
            self.pooler.start()

    def loaded(self):
        return self.server.sql("select pg_conf_load_time()")[0][0]

    def ask(self, where, user, database, **params):
        return [self.first_answer(port, directory, where, user, database, params)
                for port, directory in ((self.server.port, self.server.dir),
                                        (self.pooler.port, self.pooler.dir))]

    def first_answer(self, port, directory, where, user, database, params):
        address, _, with_tls = where.partition("/")
        if address == "local":
            s = socket.socket(socket.AF_UNIX)
            s.settimeout(20)
            s.connect(f"{directory}/.s.PGSQL.{port}")
        else:
            s = socket.create_connection((address, port), timeout=500)
        with s:
            if with_tls:
                s.sendall(struct.pack("!II", 8, 80877103))
                assert s.recv(1) == b"S"
                client = None if with_tls == "tls" else with_tls
                s = self.certificates.context(client).wrap_socket(s)
            with s:
                s.sendall(wire.startup(user=user, database=database, **params))
                return self.read_answer(s)

    @staticmethod
    def read_answer(s):
        got = b""
        while len(got) < 5 or len(got) < 1 + struct.unpack_from("!I", got, 1)[0]:
            try:
                more = s.recv(4096)
            except ssl.SSLError as e:
                return f"TLS: {e.reason}"
            assert more, f"closed after {got!r}"
            got += more
        body = got[5:1 + struct.unpack_from("!I", got, 1)[0]]
        if got[:1] == b"R":
            return {0: "in", 3: "password", 5: "md5", 10: "scram"}[struct.unpack("!I", body[:4])[0]]
        said = wire.fields(body)
        text = said["M"]
        for word in ("no pg_hba.conf entry", "pg_hba.conf rejects", "valid client certificate",
                     "authentication failed"):
            if word in text:
                return f"{said['C']} {word}"
        return f"{said['C']} {text}"


@pytest.fixture
def both(pooler, server, certificates):
    return Both(pooler, server, certificates)


LOCAL, TCP, TLS = "local", "127.0.0.1", "127.0.0.1/tls"
# (file, [(where, user, database), ...]): what they answer is for PostgreSQL to say.
SHOP = "shop"
CASES = {
    "connection types": (
        "local all all trust\nhostssl all alice all md5\nhostnossl all bob all password\n"
        "host all all all scram-sha-256\n",
        [(w, u, SHOP) for w in (LOCAL, TCP, TLS) for u in ("alice", "bob", "Carol")]),
    "the first line decides": (
        "host shop alice all reject\nhost shop all all trust\nhost all all all reject\n",
        [(TCP, u, d) for u in ("alice", "bob") for d in (SHOP, "stock")]),
    "no line": ("host shop alice 10.0.0.0/8 trust\nlocal stock all trust\n",
                [(w, "alice", d) for w in (LOCAL, TCP, TLS) for d in (SHOP, "stock")]),
    "lists and quotes": (
        'local "with space",Mixed "two words",bob, "a,b","quo""te" trust\n'
        'local shop "all" trust\nlocal "all" alice trust\nlocal stock Carol trust\n',
        [(LOCAL, u, d) for u in ("two words", "bob", "a,b", 'quo"te', "all", "alice", "carol",
                                 "Carol") for d in ("with space", "Mixed", SHOP, "all", "stock")]),
    "sameuser": ("local sameuser all trust\nlocal \"sameuser\" all md5\n",
                 [(LOCAL, u, d) for u in ("alice", "bob") for d in ("alice", SHOP)]),
    "samerole": ("local samerole all trust\nhost samegroup all all trust\n",
                 [(w, u, d) for w in (LOCAL, TCP) for u in ("alice", "bob")
                  for d in ("staff", "alice", SHOP)]),
    "groups": ("local shop +staff trust\nlocal shop \"+staff\" md5\nlocal stock +nosuch trust\n"
               "local stock +team,bob password\nlocal all +alice md5\n",
               [(LOCAL, u, d) for u in ("alice", "bob", "+staff", "Carol")
                for d in (SHOP, "stock")]),
    "groups that are rejected": ("host all +staff all reject\nhost all all all trust\n",
                                 [(TCP, u, SHOP) for u in ("alice", "bob", "Carol")]),
    "replication": (
        "local all alice trust\nlocal replication bob trust\nlocal \"replication\" Carol trust\n",
        [(LOCAL, u, d) for u in ("alice", "bob", "Carol") for d in ("replication", SHOP)]),
    "masks": (
        "host all alice 127.0.0.0 255.255.255.254 trust\nhost all bob 127.0.0.2/31 trust\n"
        "host all Carol 127.0.0.1/0 md5\nhost all zoe_1 ::1/128 trust\n"
        "host all all ::ffff:127.0.0.1/128 password\nhost all all 0.0.0.0/0 reject\n"
        "host all all ::/0 trust\n",
        [(w, u, SHOP) for w in (TCP, "::1") for u in ("alice", "bob", "Carol", "zoe_1",
                                                      "two words")]),
    "samehost and samenet": (
        "host shop all samehost trust\nhost stock all samenet trust\n"
        "host alice all \"samehost\" trust\n",
        [(w, "alice", d) for w in (TCP, "::1") for d in (SHOP, "stock", "alice")]),
    "names of hosts": (
        "host shop alice localhost trust\nhost shop bob LOCALHOST trust\n"
        "host shop Carol .example.com trust\nhost stock all nosuch.invalid trust\n"
        "host stock bob \"all\" trust\n",
        [(TCP, u, d) for u in ("alice", "bob", "Carol") for d in (SHOP, "stock")]),
    "files of names": (
        "local @dbs.txt @users.txt trust\nlocal all \"@users.txt\" md5\n",
        [(LOCAL, u, d) for u in ("alice", "bob", "two words", "Carol", "zoe_1")
         for d in (SHOP, "stock")]),
    "lines that go on": (
        "local shop \\\n  alice \\\n trust\n# a comment \\\nlocal shop bob trust\n"
        "local shop \"Ca\\\nrol\" trust\nlocal stock zoe_1 trust # why\nlocal stock bob trust#\n",
        [(LOCAL, u, d) for u in ("alice", "bob", "Carol", "zoe_1") for d in (SHOP, "stock")]),
    "tabs, returns and commas": (
        "local\tshop\talice\ttrust\r\nlocal shop,,stock bob trust\nlocal shop, stock Carol trust\n"
        "   local stock zoe_1,alice    trust   \n",
        [(LOCAL, u, d) for u in ("alice", "bob", "Carol", "zoe_1") for d in (SHOP, "stock")]),
    "certificates": (
        "hostssl shop all all cert\nhostssl stock alice all trust clientcert=verify-full\n"
        "hostssl stock bob all trust clientcert=verify-ca\nhostssl stock all all reject\n"
        "hostssl alice all all cert map=m\nhostssl staff all all cert clientname=DN map=dn\n"
        "hostssl Mixed alice all trust clientcert=verify-full clientname=DN\n",
        [(f"127.0.0.1/{c}", u, d) for c in ("tls", "alice", "robot") for u in ("alice", "bob")
         for d in (SHOP, "stock", "alice", "staff", "Mixed")]),
}
IDENT = ('m /^robot-(.*)$ \\1\nm alice bob\n'
         'dn "CN=alice,O=shop" alice\ndn /^CN=robot bob\n'
         f'p /^{ME[:2]}(.*)$ {ME[:2]}\\1\np {ME} alice\np "{ME}" "two words"\nq {ME}x alice\n')


@pytest.mark.parametrize("case", CASES)
def test_both_answer_the_same(both, addresses, case):
    hba, asked = CASES[case]
    both.files(hba, IDENT, **{"dbs.txt": "shop\n", "users.txt": "alice, @more.txt\n# no\nbob\n",
                              "more.txt": '"two words"\n'})
    wrong, seen = [], set()
    for where, user, database in asked:
        if where == "::1" and "::1" not in addresses:
            continue
        direct, pooled = both.ask(where, user, database)
        seen.add(direct)
        if direct != pooled:
            wrong.append(f"{user}@{database} from {where}: {pooled}, PostgreSQL says {direct}")
    assert not wrong, "\n".join([*wrong, both.pooler.log()[-1500:]])
    assert len(seen) > 1, f"everybody gets {seen}: the case shows nothing"


def test_physical_replication(both):
    both.files("local all alice trust\nlocal replication bob trust\nlocal shop Carol trust\n")
    for user in ("alice", "bob", "Carol"):
        for word in ("true", "database"):
            direct, pooled = both.ask(LOCAL, user, SHOP, replication=word)
            # a role without the right is refused only behind the file
            direct = "in" if direct.startswith("42501") else direct
            assert direct == pooled, (user, word)


def test_system_users_are_mapped(both):
    both.files("local shop all peer\nlocal stock all peer map=p\nlocal alice all peer map=q\n",
               IDENT)
    for user in ("alice", "bob", "two words", ME):
        for database in (SHOP, "stock", "alice"):
            direct, pooled = both.ask(LOCAL, user, database)
            assert direct == pooled, (user, database)


LINES = [
    "local all all trust", "local all all", "local all", "local", "host all all trust",
    "host all all 127.0.0.1 trust", "host all all 127.0.0.1 255.0.0.0 trust",
    "host all all 127.0.0.1/33 trust", "host all all 127.0.0.1/-1 trust",
    "host all all 127.0.0.1/ trust", "host all all 127.0.0.1/8x trust",
    "host all all ::1/129 trust", "host all all ::1 255.0.0.0 trust", "host all all ::1/128 trust",
    "host all all 300.1.1.1/8 trust", "host all all localhost/8 trust",
    "host all all localhost trust", "host all all .example.com trust", "hosts all all all trust",
    "LOCAL all all trust", "local all all TRUST", "local all all nonsense", "local all all cert",
    "host all all all cert", "hostssl all all all cert", "host all all all peer",
    "hostnossl all all all cert", "local all all peer map=m", "local all all peer map",
    "local all all trust map=m", "local all all peer nonsense=1", "local all all ident",
    "local,host all all trust", "host all all all,all trust", "local all all trust,md5",
    "host all all 127.0.0.1,::1 255.0.0.0 trust", "hostssl all all all md5 clientcert=verify-ca",
    "hostssl all all all md5 clientcert=verify-full", "hostssl all all all md5 clientcert=1",
    "hostssl all all all md5 clientcert=no-verify", "host all all all md5 clientcert=verify-ca",
    "hostssl all all all cert clientcert=verify-ca", "hostssl all all all cert clientcert=verify-full",
    "hostssl all all all cert clientname=DN", "hostssl all all all cert clientname=CN",
    "hostssl all all all cert clientname=XX", "host all all all md5 clientname=DN",
    "local all all pam", "local all all pam pamservice=x", "local all all md5 pamservice=x",
    'local "all all" all trust', 'local all "unended trust', "local all @nowhere.txt trust",
    "host all all all all trust", '"local" all all trust', 'local all all "trust"',
]


def test_both_refuse_the_same_lines(both):
    """PostgreSQL says by pg_hba_file_rules which lines it cannot use; we by --check."""
    both.files("local all all trust\n")
    text = "".join(line + "\n" for line in LINES)
    both.server._append("pg_hba.conf", None, text)
    refused = {row[0] for row in both.server.sql(
        "select line_number from pg_hba_file_rules where type is null")}
    both.pooler.write("hba.conf", text)
    status, out, err = both.pooler.run("--check", both.pooler.config)
    assert status == 1
    ours = {int(n) for n in re.findall(r"hba\.conf:(\d+): ", out + err)}
    differ = refused ^ ours
    assert not differ, [(n, LINES[n - 1], "PostgreSQL refuses" if n in refused else "we refuse")
                        for n in sorted(differ)]
    assert 15 < len(refused) < len(LINES) - 15


# text and whether it matches: PostgreSQL says
EXPRESSIONS = [
    r"^a\d+$", r"^[\d_]+$", r"^[^\d]+$", r"^\w+$", r"^[\w.-]+@\w+$", r"^(?:ab|c)\d$", r"\mab\M",
    r"^a.b$", r"^a\.b$", r"^(a|ab)(c|bcd)$", r"^x{2,3}$", r"^x{2}y*$", r"^[[:alpha:]]+$",
    r"^[]a]+$", r"^[^]a]+$", r"^\S+\s\S+$", r"^[\s]+$", r"\yab\y", r"\Aab\Z", r"^\D+$", r"^\W$",
    r"^a|b$", r"^(a(b)?)+$", r"", r"^[a\\]+$", r"^a\/b$",
]
SUBJECTS = ["a12", "12_", "abc", "a.b", "axb", "a_b@c", "ab7", "c7", "ab", "cab", "x ab y", "abcd",
            "xx", "xxxx", "xxyy", "]a", "b", "a b", " \t", "", "-", "a\\a", "a/b", "aba", "éa"]


def test_expressions_match_as_in_postgresql(both):
    """Each expression as a user of a line of its own, tried with each name: by the ident map."""
    subjects = [s for s in SUBJECTS if s]  # there is no user without a name
    with psycopg.connect(both.server.dsn()) as c:
        wanted = {(n, s): c.execute("select %s ~ %s", (s, e)).fetchone()[0]
                  for n, e in enumerate(EXPRESSIONS) for s in subjects}
    assert 50 < sum(wanted.values()) < len(wanted) - 50
    # the database says which line is meant; the user is the subject
    hba = "".join(f'local d{n} "/{e}" reject\n' for n, e in enumerate(EXPRESSIONS))
    both.pooler.write("hba.conf", hba)
    both.pooler.write("ident.conf", "")
    both.pooler.write_config(auth_user=None)
    both.pooler.start()
    wrong = []
    for (n, subject), want in wanted.items():
        got = both.first_answer(both.pooler.port, both.pooler.dir, LOCAL, subject, f"d{n}", {})
        if (got == "28000 pg_hba.conf rejects") != want:
            wrong.append((EXPRESSIONS[n], subject, got, want))
    assert not wrong, wrong
