"""Who may come in: trust and SCRAM from the user list."""
import base64
import hashlib
import hmac

import pytest

import cluster
import wire
from wire import ServerError


def scram_secret(password, salt=b"0123456789abcdef", rounds=4096):
    """A secret as pg_authid stores it."""
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, rounds)
    stored = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    server = hmac.digest(salted, b"Server Key", "sha256")
    b64 = [base64.b64encode(x).decode() for x in (salt, stored, server)]
    return f"SCRAM-SHA-256${rounds}:{b64[0]}${b64[1]}:{b64[2]}"


def test_trust(pooler):
    p = pooler()
    with p.wire() as c:
        assert c.one("select current_user") == "trusty"


def test_trust_needs_a_known_user(pooler):
    p = pooler()
    with pytest.raises(ServerError):
        p.wire(user="stranger")


def test_any_takes_everybody(pooler, postgres):
    p = pooler(auth_type="any",
               databases={"shop": f"host=127.0.0.1 port={postgres.port} user=trusty"})
    with p.wire(user="stranger") as c:
        assert c.one("select current_user") == "trusty"


@pytest.mark.parametrize("secret", ["plain", "scram"])
def test_scram(pooler, postgres, secret):
    p = pooler(start=False, auth_type="scram-sha-256",
               databases={"shop": f"host=127.0.0.1 port={postgres.port} user=trusty"})
    stored = cluster.PASSWORD if secret == "plain" else scram_secret(cluster.PASSWORD)
    p.write("userlist.txt", f'"app" "{stored}"\n')
    p.start()
    with p.wire(user="app", password=cluster.PASSWORD) as c:
        assert c.one("select 1") == "1"
    for wrong in ("", "wrong", cluster.PASSWORD + " "):
        with pytest.raises((ServerError, wire.Closed)) as e:
            p.wire(user="app", password=wrong)
        if isinstance(e.value, ServerError):
            assert e.value.code in ("28P01", "08P01"), e.value


def test_unknown_and_wrong_look_the_same(pooler):
    """A stranger is asked for a password like everybody else."""
    p = pooler(auth_type="scram-sha-256")
    errors = []
    for user in ("app", "stranger"):
        with pytest.raises((ServerError, wire.Closed)) as e:
            p.wire(user=user, password="wrong")
        errors.append(str(e.value).replace(user, "USER"))
    assert errors[0] == errors[1]


def test_password_of_the_user_list_opens_the_server(pooler):
    p = pooler(auth_type="scram-sha-256")
    with p.wire(user="app", password=cluster.PASSWORD) as c:
        assert c.one("select current_user") == "app"


@pytest.mark.ours
def test_scram_message_out_of_turn(pooler):
    p = pooler(auth_type="scram-sha-256", client_login_timeout=3)
    for data in (wire.query("select 1"), wire.message(b"p", b"PLAIN\0\0\0\0\0"),
                 wire.message(b"p", b""), wire.message(b"p", b"SCRAM-SHA-256\0\xff\xff\xff\xff"),
                 wire.message(b"p", b"SCRAM-SHA-256\0\0\0\0\x04n,,r"),
                 wire.message(b"p", b"x" * 70000)):
        with p.wire(start=False) as c:
            c.send(wire.startup(user="app", database="shop"))
            assert c.receive()[0] == b"R"
            c.send(data)
            got = c.closed(6)
            assert all(k != b"Z" for k, _ in got)


def test_a_reload_ends_the_wait_after_a_refused_login(pooler, own_postgres):
    """The operator has put the new password into the user list: nobody waits for server_login_retry to be over."""
    p = pooler(on=own_postgres, auth_type="trust", server_login_retry=500, databases={"shop": f"host=127.0.0.1 port={own_postgres.port} user=app"})
    own_postgres.sql("alter role app password 'another'")
    for _ in range(2):
        with pytest.raises((ServerError, wire.Closed), match="password authentication failed"):
            p.wire(user="app")
    p.write("userlist.txt", '"app" "another"\n"postgres" ""\n')
    with p.console() as c:
        c.query("RELOAD")
    with p.wire(user="app") as c:
        assert c.one("select current_user") == "app"
