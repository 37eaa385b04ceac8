"""TLS towards clients: who must, who may, with what, and what is refused before it."""
import select
import socket
import ssl
import struct
import subprocess
import threading
import time

import psycopg
import pytest

import cluster
import wire
from authkit import Certificates, Target, by_psycopg
from pooler import SANITIZED, wait_until

pytestmark = [pytest.mark.ours, pytest.mark.filterwarnings("ignore:ssl.TLSVersion")]

SSL_REQUEST = struct.pack("!II", 8, 80877103)
GSS_REQUEST = struct.pack("!II", 8, 80877104)


@pytest.fixture(scope="module")
def certificates():
    made = Certificates()
    made.make("client", "trusty")
    made.make("late", "trusty", days="-1")
    made.make("other", "localhost", "subjectAltName=DNS:localhost")
    made.revoke(None)
    yield made
    made.close()


def dial(p, data=b""):
    s = socket.create_connection(("127.0.0.1", p.port), timeout=500)
    if data:
        s.sendall(data)
    return s


def ask_tls(p):
    s = dial(p, SSL_REQUEST)
    return s, s.recv(1)


def over_tls(p, context, server_hostname="localhost"):
    s, answer = ask_tls(p)
    assert answer == b"S"
    return context.wrap_socket(s, server_hostname=server_hostname)


def login(tls, user="trusty", database="shop"):
    """Log in (trust) over a wrapped socket and ask one question; what was received."""
    tls.sendall(wire.startup(user=user, database=database) + b"")
    got = b""
    while b"Z\0\0\0\5I" not in got and not got.startswith(b"E"):
        more = tls.recv(65536)
        if not more:
            break
        got += more
    return got


@pytest.mark.parametrize("mode,plain,tls", [
    ("disable", True, False), ("allow", True, True), ("prefer", True, True),
    ("require", False, True)])
def test_words_of_client_tls_sslmode(pooler, certificates, mode, plain, tls):
    p = pooler(**certificates.settings(mode))
    said = by_psycopg(Target(p, "tcp"), "trusty", None)
    assert (said == "ok") == plain, said
    if not plain:
        assert "SSL required" in said
    said = by_psycopg(Target(p, "tls", certificates), "trusty", None)
    assert (said == "ok") == tls, said
    assert by_psycopg(Target(p, "unix"), "trusty", None) == "ok"
    s, answer = ask_tls(p)
    s.close()
    assert answer == (b"S" if tls else b"N")


@pytest.mark.parametrize("mode", ["verify-ca", "verify-full"])
def test_verified_certificates(pooler, certificates, mode):
    p = pooler(**certificates.settings(mode))
    assert by_psycopg(Target(p, "tls", certificates, "client"), "trusty", None) == "ok"
    assert by_psycopg(Target(p, "tls", certificates), "trusty", None) != "ok"
    assert by_psycopg(Target(p, "tls", certificates, "late"), "trusty", None) != "ok"
    p.log_contains("certificate has expired")


def test_revoked_certificates(pooler, certificates):
    certificates.make("revoked", "trusty")
    p = pooler(**certificates.settings("verify-ca", client_tls_crl_file=certificates.path("crl.pem")))
    assert by_psycopg(Target(p, "tls", certificates, "revoked"), "trusty", None) == "ok"
    certificates.revoke("revoked")
    p.signal(1)
    wait_until(lambda: by_psycopg(Target(p, "tls", certificates, "revoked"), "trusty", None) != "ok")
    p.log_contains("certificate revoked")
    assert by_psycopg(Target(p, "tls", certificates, "client"), "trusty", None) == "ok"


def handshakes(p, certificates, version, ciphers=None):
    context = certificates.context()
    context.minimum_version = context.maximum_version = version
    context.set_ciphers(ciphers or "ALL:COMPLEMENTOFALL:@SECLEVEL=0")
    try:
        with over_tls(p, context) as tls:
            assert b"Z\0\0\0\5I" in login(tls)
            return tls.version()
    except (ssl.SSLError, OSError):
        return None


def test_versions(pooler, certificates):
    p = pooler(**certificates.settings())
    assert handshakes(p, certificates, ssl.TLSVersion.TLSv1) is None
    assert handshakes(p, certificates, ssl.TLSVersion.TLSv1_1) is None
    assert handshakes(p, certificates, ssl.TLSVersion.TLSv1_2) == "TLSv1.2"
    assert handshakes(p, certificates, ssl.TLSVersion.TLSv1_3) == "TLSv1.3"
    p.write_config(client_tls_protocols="tlsv1.3")
    p.signal(1)
    wait_until(lambda: handshakes(p, certificates, ssl.TLSVersion.TLSv1_2) is None)
    assert handshakes(p, certificates, ssl.TLSVersion.TLSv1_3) == "TLSv1.3"


@pytest.mark.parametrize("ciphers", ["aNULL:@SECLEVEL=0", "eNULL:@SECLEVEL=0", "3DES:@SECLEVEL=0",
                                     "RC4:@SECLEVEL=0", "EXPORT:@SECLEVEL=0", "SEED:@SECLEVEL=0",
                                     "IDEA:@SECLEVEL=0", "MD5:@SECLEVEL=0"])
def test_weak_ciphers_are_refused(pooler, certificates, ciphers):
    p = pooler(**certificates.settings())
    try:
        assert handshakes(p, certificates, ssl.TLSVersion.TLSv1_2, ciphers) is None
    except ssl.SSLError:
        pass  # this OpenSSL does not even know them


def test_cipher_lists(pooler, certificates):
    p = pooler(**certificates.settings(client_tls_ciphers="ECDHE-RSA-AES256-GCM-SHA384",
                                       client_tls13_ciphers="TLS_CHACHA20_POLY1305_SHA256",
                                       client_tls_ecdhcurve="prime256v1"))
    assert not handshakes(p, certificates, ssl.TLSVersion.TLSv1_2, "ECDHE-RSA-AES128-GCM-SHA256")
    assert handshakes(p, certificates, ssl.TLSVersion.TLSv1_2, "ECDHE-RSA-AES256-GCM-SHA384")
    with over_tls(p, certificates.context()) as tls:
        assert tls.cipher()[0] == "TLS_CHACHA20_POLY1305_SHA256"


@pytest.mark.parametrize("bad,what", [
    ({"client_tls_ciphers": "no-such-cipher"}, "client_tls_ciphers"),
    ({"client_tls_protocols": "tlsv9"}, "client_tls_protocols"),
    ({"client_tls_key_file": "/nowhere"}, "client_tls_key_file"),
    ({"client_tls_cert_file": "/nowhere"}, "client_tls_cert_file"),
    ({"client_tls_ecdhcurve": "no-such-curve"}, "client_tls_ecdhcurve"),
    ({"client_tls_ca_file": "/nowhere"}, "client_tls_ca_file")])
def test_what_cannot_work_stops_the_start(pooler, certificates, bad, what):
    p = pooler(start=False, **certificates.settings(**bad))
    with pytest.raises(AssertionError, match=what):
        p.start()
    p.process = None


def test_key_of_another_certificate(pooler, certificates):
    p = pooler(start=False, **certificates.settings(
        client_tls_key_file=certificates.path("other.key")))
    with pytest.raises(AssertionError, match="cannot use"):
        p.start()
    p.process = None


# --- how it begins

def test_direct_negotiation(pooler, certificates):
    """PostgreSQL 17's sslnegotiation=direct: TLS at once, with ALPN."""
    p = pooler(**certificates.settings())
    context = certificates.context()
    context.set_alpn_protocols(["postgresql"])
    with context.wrap_socket(dial(p), server_hostname="localhost") as tls:
        assert tls.selected_alpn_protocol() == "postgresql"
        assert b"Z\0\0\0\5I" in login(tls)


@pytest.mark.parametrize("alpn", [None, ["http/1.1"], ["h2", "imap"]])
def test_direct_negotiation_wants_alpn(pooler, certificates, alpn):
    p = pooler(**certificates.settings())
    context = certificates.context()
    if alpn:
        context.set_alpn_protocols(alpn)
    with pytest.raises((ssl.SSLError, OSError)):
        with context.wrap_socket(dial(p), server_hostname="localhost") as tls:
            if not login(tls):
                raise OSError("closed")


def test_direct_negotiation_does_not_begin_again_inside(pooler, certificates):
    """Whatever looks like a TLS record inside of TLS is no startup packet."""
    p = pooler(**certificates.settings())
    context = certificates.context()
    context.set_alpn_protocols(["postgresql"])
    with context.wrap_socket(dial(p), server_hostname="localhost") as tls:
        tls.sendall(b"\x16\x03\x01\x02\x00\x01")
        got = tls.recv(4096)
        assert got[:1] == b"E" and b"C08P01" in got, got
    with context.wrap_socket(dial(p), server_hostname="localhost") as tls:
        assert b"Z\0\0\0\5I" in login(tls)


def test_alpn_after_a_request(pooler, certificates):
    p = pooler(**certificates.settings())
    context = certificates.context()
    context.set_alpn_protocols(["postgresql"])
    with over_tls(p, context) as tls:
        assert tls.selected_alpn_protocol() == "postgresql"
    context.set_alpn_protocols(["http/1.1"])
    with pytest.raises(ssl.SSLError):
        over_tls(p, context).close()


def test_direct_negotiation_without_tls(pooler):
    p = pooler()
    with pytest.raises((ssl.SSLError, OSError)):
        ssl._create_unverified_context().wrap_socket(dial(p)).close()


@pytest.mark.parametrize("request_", [SSL_REQUEST, GSS_REQUEST])
def test_cve_2021_3935_plaintext_behind_the_request_is_refused(pooler, certificates, request_):
    """What a man in the middle puts in before the handshake (PostgreSQL's own: 23214)."""
    p = pooler(**certificates.settings())
    with dial(p, request_ + wire.startup(user="trusty", database="shop")) as s:
        got = b""
        while True:
            more = s.recv(4096)
            if not more:
                break
            got += more
    assert b"received unencrypted data after" in got
    assert b"Z\0\0\0\5I" not in got


def test_late_plaintext_breaks_the_handshake(pooler, certificates):
    p = pooler(**certificates.settings())
    s, answer = ask_tls(p)
    assert answer == b"S"
    with s:
        s.sendall(wire.startup(user="trusty", database="shop"))
        got = b""
        try:
            while more := s.recv(4096):
                got += more
        except ConnectionResetError:
            pass
    assert b"R\0\0\0" not in got
    p.log_contains("TLS handshake failed")


def test_requests_inside_tls_are_refused(pooler, certificates):
    p = pooler(**certificates.settings())
    for again in (SSL_REQUEST, GSS_REQUEST):
        with over_tls(p, certificates.context()) as tls:
            tls.sendall(again)
            assert tls.recv(1) == b"E"


def test_tls_after_gss_was_refused(pooler, certificates):
    """What libpq does by itself where it has a Kerberos ticket."""
    p = pooler(**certificates.settings())
    with dial(p, GSS_REQUEST) as s:
        assert s.recv(1) == b"N"
        s.sendall(SSL_REQUEST)
        assert s.recv(1) == b"S"
        with certificates.context().wrap_socket(s, server_hostname="localhost") as tls:
            assert b"Z\0\0\0\5I" in login(tls)


def test_cancel_inside_tls(pooler, certificates):
    p = pooler(**certificates.settings())
    with over_tls(p, certificates.context()) as tls:
        tls.sendall(struct.pack("!IIII", 16, 80877102, 1, 2))
        assert tls.recv(1) == b""


# --- sessions

def test_large_results_and_small_writes(pooler, certificates, postgres):
    p = pooler(**certificates.settings())
    with over_tls(p, certificates.context()) as tls:
        login(tls)
        tls.sendall(wire.query("select repeat('x', 1000) from generate_series(1, 20000)"))
        got = bytearray()
        while not got.endswith(b"Z\0\0\0\5I"):
            more = tls.recv(65536)
            assert more
            got += more
        assert got.count(b"x" * 1000) == 20000
        for byte in wire.query("select 42"):
            tls.sendall(bytes([byte]))
        assert b"42" in tls.recv(4096)


def test_tickets_resume(pooler, certificates):
    p = pooler(**certificates.settings())
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        context = certificates.context()
        context.maximum_version = version
        with over_tls(p, context) as tls:
            login(tls)
            session = tls.session
            assert not tls.session_reused
        s, answer = ask_tls(p)
        assert answer == b"S"
        with context.wrap_socket(s, server_hostname="localhost", session=session) as tls:
            login(tls)
            assert tls.session_reused


def test_no_renegotiation_and_no_compression(pooler, certificates):
    p = pooler(**certificates.settings())
    done = subprocess.run(
        ["openssl", "s_client", "-connect", f"127.0.0.1:{p.port}", "-starttls", "postgres",
         "-tls1_2"], input="R\n", capture_output=True, text=True, timeout=500)
    assert "Compression: NONE" in done.stdout
    assert "Secure Renegotiation IS supported" in done.stdout
    assert "no renegotiation" in done.stderr or "RENEGOTIATING" in done.stderr + done.stdout
    p.connect().close()


KINDS = {"rsa": ("rsa:2048",), "ec": ("ec", "-pkeyopt", "ec_paramgen_curve:P-256"),
         "pss": ("rsa-pss", "-pkeyopt", "rsa_keygen_bits:2048"), "ed25519": ("ed25519",)}


@pytest.mark.parametrize("kind", KINDS)
def test_channel_binding(pooler, certificates, kind):
    """SCRAM-SHA-256-PLUS with every kind of key whose signature names a hash."""
    certificates.make(kind, "localhost", "subjectAltName=DNS:localhost", key=KINDS[kind])
    p = pooler(auth_type="scram-sha-256", **certificates.settings(
        client_tls_key_file=certificates.path(kind + ".key"),
        client_tls_cert_file=certificates.path(kind + ".crt")))
    for wanted in ("disable", "prefer", "require"):
        with psycopg.connect(p.dsn(user="app", password=cluster.PASSWORD, sslmode="require",
                                   channel_binding=wanted)) as c:
            assert c.execute("select 1").fetchone() == (1,)
    with pytest.raises(psycopg.OperationalError, match="channel binding"):
        psycopg.connect(p.dsn(user="app", password=cluster.PASSWORD, sslmode="disable",
                              channel_binding="require"))


def relay(a, b):
    """Pass on what comes, both ways, until one side ends; one thread, as OpenSSL wants it."""
    with a, b:
        for s in (a, b):
            s.settimeout(0.2)
        while True:
            ready = [s for s in (a, b) if s.pending()] or select.select([a, b], [], [], 20)[0]
            if not ready:
                return
            for s in ready:
                try:
                    data = s.recv(65536)
                    if not data:
                        return
                    (b if s is a else a).sendall(data)
                except TimeoutError:
                    continue  # a record that carries no data
                except OSError:
                    return


def test_a_man_in_the_middle_is_found_out(pooler, certificates):
    """He ends TLS with his own certificate and begins it anew: the binding does not fit."""
    p = pooler(auth_type="scram-sha-256", auth_delay=0, **certificates.settings())
    his = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    his.load_cert_chain(certificates.path("other.crt"), certificates.path("other.key"))
    listener = socket.create_server(("127.0.0.1", 0))

    def serve():
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            try:
                client.recv(8)
                client.sendall(b"S")
                client = his.wrap_socket(client, server_side=True)
                server = over_tls(p, certificates.context())
            except OSError:
                continue
            threading.Thread(target=relay, args=(client, server), daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    dsn = p.dsn(user="app", password=cluster.PASSWORD, sslmode="require",
                port=listener.getsockname()[1])
    with psycopg.connect(dsn + " channel_binding=disable") as c:
        assert c.execute("select 1").fetchone() == (1,), "he reads along"
    for wanted in ("prefer", "require"):
        with pytest.raises(psycopg.OperationalError, match="channel binding|SCRAM"):
            psycopg.connect(dsn + f" channel_binding={wanted}")
    listener.close()


def serial(p, certificates):
    with over_tls(p, certificates.context()) as tls:
        return tls.getpeercert()["serialNumber"]


def test_certificate_swap_under_load(pooler, certificates):
    """200 connections at work; the certificate is replaced five times; nobody notices."""
    clients = 40 if SANITIZED else 200
    p = pooler(max_open=10, max_client_conn=500, **certificates.settings())
    errors, done, stop = [], [0] * clients, threading.Event()

    def work(i):
        try:
            with over_tls(p, certificates.context()) as tls:
                login(tls)
                while not stop.is_set():
                    tls.sendall(wire.query(f"select {i}"))
                    got = b""
                    while not got.endswith(b"Z\0\0\0\5I"):
                        more = tls.recv(4096)
                        assert more, "closed"
                        got += more
                    assert str(i).encode() in got
                    done[i] += 1
                    time.sleep(0.01)
        except Exception as e:  # pylint: disable=broad-except
            errors.append(repr(e))

    threads = [threading.Thread(target=work, args=(i,)) for i in range(clients)]
    for t in threads:
        t.start()
    wait_until(lambda: errors or all(done), 40, "everybody works")
    serials = {serial(p, certificates)}
    for _ in range(5):
        certificates.make("server", "localhost", "subjectAltName=DNS:localhost,IP:127.0.0.1")
        before = len(serials)
        p.signal(1)
        wait_until(lambda n=before: serials.add(serial(p, certificates)) or len(serials) > n, 10,
                   "new connections see the new certificate")
    before = list(done)
    wait_until(lambda: errors or all(a > b for a, b in zip(done, before)), 20,
               "everybody still works")
    stop.set()
    for t in threads:
        t.join()
    assert not errors, errors[:5]


def test_bad_files_leave_the_old_ones_in_force(pooler, certificates):
    p = pooler(**certificates.settings())
    before = serial(p, certificates)
    p.write_config(client_tls_cert_file="/nowhere")
    p.signal(1)
    p.log_contains("client_tls_cert_file")
    assert serial(p, certificates) == before


@pytest.mark.skipif(SANITIZED, reason="sanitizers need memory of their own")
def test_idle_clients_are_small(pooler, certificates):
    p = pooler(max_client_conn=1000, **certificates.settings())
    context = certificates.context()
    kept = [over_tls(p, context) for _ in range(50)]
    for tls in kept:
        login(tls)
    before = p.rss()
    for _ in range(300):
        kept.append(over_tls(p, context))
        login(kept[-1])
    each = (p.rss() - before) / 300
    for tls in kept:
        tls.close()
    assert each < 20, f"{each:.1f} KB for an idle TLS client"
