"""Where the pooler listens: addresses, unix sockets, what systemd hands over."""
import os
import random
import shutil
import socket
import stat
import subprocess

import pytest

import cluster
import wire
from pooler import BIN, wait_until
from wire import Wire

pytestmark = pytest.mark.ours


def has_ipv6():
    try:
        with socket.socket(socket.AF_INET6) as s:
            s.bind(("::1", 0))
        return True
    except OSError:
        return False


needs_ipv6 = pytest.mark.skipif(not has_ipv6(), reason="no IPv6 here")


@pytest.mark.parametrize("addresses", ["127.0.0.1,127.0.0.2", " 127.0.0.1 , 127.0.0.2 ,"])
def test_several_addresses(pooler, addresses):
    p = pooler(listen_addr=addresses)
    for host in ("127.0.0.1", "127.0.0.2"):
        with p.wire(host=host) as c:
            assert c.one("select 1") == "1"


@needs_ipv6
@pytest.mark.parametrize("addresses", ["127.0.0.1,::1", "*"])
def test_both_families(pooler, addresses):
    p = pooler(listen_addr=addresses)
    for host in ("127.0.0.1", "::1"):
        with p.wire(host=host) as c:
            assert c.one("select 1") == "1"
    p.log_contains(r"C-\d+ trusty@shop \[::1\]:\d+: ")


def launch(p, words):
    """Start without waiting for the port."""
    with open(p.log_file, "ab") as log:
        p.process = subprocess.Popen(words, stdout=log, stderr=log, cwd=p.dir,
                                     stdin=subprocess.DEVNULL, env=p.environment())


def test_unix_socket_only(pooler):
    p = pooler(start=False, listen_addr="")
    launch(p, p.command(*p.args, p.config))
    p.log_contains("process up", 20)
    with Wire(p.port, host=p.dir) as c:
        assert c.one("select 1") == "1"
    with pytest.raises(OSError):
        socket.create_connection(("127.0.0.1", p.port), timeout=500).close()


def test_unix_socket_mode(pooler):
    p = pooler(unix_socket_mode="0700")
    path = f"{p.dir}/.s.PGSQL.{p.port}"
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o700
    p.stop()
    assert not os.path.exists(path)


def test_a_socket_that_a_dead_process_left_is_replaced(pooler):
    p = pooler(start=False)
    path = f"{p.dir}/.s.PGSQL.{p.port}"
    with socket.socket(socket.AF_UNIX) as s:
        s.bind(path)
    p.start()
    with Wire(p.port, host=p.dir) as c:
        assert c.one("select 1") == "1"


def test_a_socket_that_is_alive_is_not_taken(pooler):
    p = pooler(start=False)
    with socket.socket(socket.AF_UNIX) as s:
        s.bind(f"{p.dir}/.s.PGSQL.{p.port}")
        s.listen()
        with pytest.raises(AssertionError, match="in use by another process"):
            p.start()
    p.process = None


@pytest.mark.ours
@pytest.mark.parametrize("word,why", [("--quiet", "cannot bind 192.0.2.1"),
                                      ("--daemon", "--daemon needs logfile or syslog")])
def test_who_starts_it_hears_why_it_cannot(pooler, word, why):
    """Nothing is said once it runs; but here it does not get that far."""
    p = pooler(start=False, listen_addr="192.0.2.1")
    p.write_config()
    status, _, said = p.run(word, p.config)
    assert status == 1 and why in said


@pytest.mark.parametrize("settings,what", [
    ({"listen_addr": "192.0.2.1"}, "cannot bind 192.0.2.1"),
    ({"listen_addr": "no-such-host.invalid"}, "cannot resolve"),
    ({"listen_addr": "", "unix_socket_dir": ""}, "listen"),
    ({"unix_socket_dir": "/nowhere/at/all"}, "unix"),
    ({"unix_socket_dir": "/tmp/" + "x" * 120}, "unix"),
    ({"unix_socket_group": "no-such-group"}, "no-such-group")])
def test_what_cannot_be_listened_on(pooler, settings, what):
    p = pooler(start=False, **settings)
    with pytest.raises(AssertionError, match=what):
        p.start()
    p.process = None


def test_a_port_in_use(pooler):
    p = pooler(start=False)
    with socket.socket() as s:
        s.bind(("127.0.0.1", p.port))
        s.listen()
        status, _, said = p.run(p.config)
        assert status == 1 and "cannot bind" in said + p.log()


def test_abstract_socket(pooler):
    name = f"pgsluice-{random.randrange(1 << 30)}"
    p = pooler(unix_socket_dir="@" + name)
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(100)
    s.connect(f"\0{name}/.s.PGSQL.{p.port}")
    with s:
        s.sendall(wire.startup(user="trusty", database="shop"))
        got = b""
        while b"Z\0\0\0\5I" not in got:
            got += s.recv(4096)


@pytest.mark.skipif(not shutil.which("systemd-socket-activate"), reason="no systemd here")
def test_sockets_of_systemd(pooler):
    p = pooler(start=False)
    activate = ["systemd-socket-activate", "-l", f"127.0.0.1:{p.port}"]
    words = p.command(*p.args, p.config)
    words = words[:words.index(BIN)] + activate + words[words.index(BIN):]
    launch(p, words)
    wait_until(lambda: "Listening on" in p.log(), 10)
    with p.wire() as c:
        assert c.one("select 1") == "1"
    assert not os.path.exists(f"{p.dir}/.s.PGSQL.{p.port}")


def test_garbage_from_many_sides(pooler):
    """Damaged logins by the thousand: nobody gets in, nothing breaks, nothing is kept."""
    rng = random.Random(20261121)
    p = pooler(start=False, auth_type="scram-sha-256", client_login_timeout=30, auth_delay=0,
               auth_failure_limit=0, log_pooler_errors=0)
    p.write("userlist.txt", f'"trusty" "{cluster.PASSWORD}"\n')
    p.start()
    sasl = wire.message(b"p", b"SCRAM-SHA-256\0\0\0\0\x10n,,n=,r=abcdefgh")
    whole = [wire.startup(user="trusty", database="shop") + sasl, b"\0\0\0\x08\x04\xd2\x16\x2f",
             b"\0\0\0\x10\x04\xd2\x16\x2e\0\0\0\1\0\0\0\2",
             wire.startup(user="trusty", options="-c a=b"), b"\x16\x03\x01\0\x10" + bytes(16)]
    open_ = []
    for _ in range(1500):
        data = bytearray(rng.choice(whole))
        for _ in range(rng.randrange(4)):
            how, at = rng.randrange(4), rng.randrange(len(data) + 1)
            if how == 0 and at < len(data):
                data[at] ^= 1 << rng.randrange(8)
            elif how == 1:
                del data[at:at + rng.randrange(8)]
            elif how == 2:
                data[at:at] = rng.randbytes(rng.randrange(8))
            else:
                data += rng.choice(whole)
        s = socket.create_connection(("127.0.0.1", p.port), timeout=500)
        s.setblocking(False)
        try:
            s.sendall(data)
        except OSError:
            pass
        open_.append(s)
        if len(open_) > 50:
            old = open_.pop(rng.randrange(len(open_)))
            try:
                assert b"Z\0\0\0\5I" not in old.recv(65536)
            except OSError:
                pass
            old.close()
    for s in open_:
        s.close()
    with p.wire(password=cluster.PASSWORD) as c:
        assert c.one("select 1") == "1"
    descriptors = f"/proc/{p.pid}/fd"
    wait_until(lambda: len(os.listdir(descriptors)) < 40, 10, "descriptors are given back")
