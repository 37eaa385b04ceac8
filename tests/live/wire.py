"""wire.py - PostgreSQL's protocol version 3, raw, for tests that no driver allows.

The functions of the first part build messages as bytes; Wire is one connection
that sends any bytes at any boundary and reads messages as (type, body) pairs.
Nothing here hides a mistake of the other side: what is no message raises.
"""
import base64
import hashlib
import hmac
import os
import socket
import struct
import time

# How long tests wait for what must happen is written for a quiet machine and multiplied by
# this: a machine may be slow and busy, and a limit costs nothing but where a test fails.
PATIENCE = 8
# What is drawn at random is drawn alike in each run: what passed here passes there.  make soak,
# which is there to find what nobody has thought of, names other seeds.
SEED = int(os.environ.get("SEED", "1"))

PROTOCOL_3 = 196608
SSL_REQUEST = struct.pack("!II", 8, 80877103)
GSS_REQUEST = struct.pack("!II", 8, 80877104)


class Closed(Exception):
    """The other side closed the connection."""


class ServerError(Exception):
    """An ErrorResponse; fields holds its fields by letter."""

    def __init__(self, fields):
        super().__init__(f"{fields.get('S')} {fields.get('C')}: {fields.get('M')}")
        self.fields = fields
        self.code = fields.get("C")
        self.severity = fields.get("S")
        self.message = fields.get("M", "")


# --- building messages -------------------------------------------------------

def message(kind, body=b""):
    return kind + struct.pack("!I", len(body) + 4) + body


def text(s):
    return (s if isinstance(s, bytes) else s.encode()) + b"\0"


def startup(version=PROTOCOL_3, **params):
    body = struct.pack("!I", version)
    for key, value in params.items():
        body += text(key) + text(value)
    body += b"\0"
    return struct.pack("!I", len(body) + 4) + body


def query(sql):
    return message(b"Q", text(sql))


def parse(name, sql, oids=()):
    return message(b"P", text(name) + text(sql) + struct.pack("!H", len(oids)) +
                   b"".join(struct.pack("!I", o) for o in oids))


def bind(portal="", name="", values=(), binary=False, result_binary=False):
    body = text(portal) + text(name)
    body += struct.pack("!HH", 1, 1 if binary else 0) + struct.pack("!H", len(values))
    for v in values:
        if v is None:
            body += struct.pack("!i", -1)
        else:
            v = v if isinstance(v, bytes) else str(v).encode()
            body += struct.pack("!I", len(v)) + v
    return message(b"B", body + struct.pack("!HH", 1, 1 if result_binary else 0))


def describe(kind, name=""):
    return message(b"D", kind + text(name))


def execute(portal="", limit=0):
    return message(b"E", text(portal) + struct.pack("!I", limit))


def close(kind, name=""):
    return message(b"C", kind + text(name))


def sync():
    return message(b"S")


def flush():
    return message(b"H")


def terminate():
    return message(b"X")


def copy_data(data):
    return message(b"d", data)


def copy_done():
    return message(b"c")


def copy_fail(why):
    return message(b"f", text(why))


def extended(sql, values=(), name="", portal=""):
    """Parse, Bind, Describe, Execute: everything of one statement but the Sync."""
    return (parse(name, sql) + bind(portal, name, values) + describe(b"P", portal) +
            execute(portal))


def cancel_request(pid, key):
    return struct.pack("!IIiI", 16, 80877102, pid, key & 0xffffffff)


# --- reading them ------------------------------------------------------------

def fields(body):
    """The fields of an ErrorResponse or NoticeResponse by their letter."""
    return {f[:1].decode(): f[1:].decode(errors="replace") for f in body.split(b"\0") if f}


def row(body):
    """The columns of a DataRow as str or None."""
    count, = struct.unpack("!H", body[:2])
    at, values = 2, []
    for _ in range(count):
        size, = struct.unpack("!i", body[at:at + 4])
        at += 4
        if size < 0:
            values.append(None)
        else:
            values.append(body[at:at + size].decode(errors="replace"))
            at += size
    return values


def columns(body):
    """[(name, type oid)] of a RowDescription."""
    count, = struct.unpack("!H", body[:2])
    at, found = 2, []
    for _ in range(count):
        end = body.index(b"\0", at)
        oid, = struct.unpack("!I", body[end + 7:end + 11])
        found.append((body[at:end].decode(), oid))
        at = end + 19
    return found


class Wire:
    """One connection.  With start=False nothing is sent before the test does."""

    def __init__(self, port, host="127.0.0.1", user="trusty", database="shop", password=None,
                 start=True, timeout=20, params=None, rcvbuf=None, version=PROTOCOL_3):
        self.password, self.user = password, user
        if host.startswith("/"):
            self.socket = socket.socket(socket.AF_UNIX)
            address = f"{host}/.s.PGSQL.{port}"
        else:
            family = socket.AF_INET6 if ":" in host else socket.AF_INET
            self.socket = socket.socket(family)
            address = (host, port)
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if rcvbuf:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, rcvbuf)
        self.socket.settimeout(timeout * PATIENCE)
        self.socket.connect(address)
        self.data = bytearray()
        self.pid = self.key = None
        self.parameters, self.notices, self.status = {}, [], None
        if start:
            words = {"user": user, "database": database}
            words.update(params or {})
            try:
                self.send(startup(version, **words))
                self.authenticate()
            except BaseException:
                self.socket.close()
                raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.drop()

    def drop(self):
        """Vanish, without Terminate."""
        self.socket.close()

    def reset(self):
        """Vanish with a TCP reset."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def quit(self):
        self.send(terminate())
        self.socket.close()

    def send(self, data, pieces=None, pause=0.0):
        """Send bytes; pieces=n sends n bytes at a time, each in a packet of its own."""
        if not pieces:
            self.socket.sendall(data)
            return
        for at in range(0, len(data), pieces):
            self.socket.sendall(data[at:at + pieces])
            if pause:
                time.sleep(pause)

    def _more(self):
        got = self.socket.recv(262144)
        if not got:
            raise Closed("connection closed" + (" inside a message" if self.data else ""))
        self.data += got

    def byte(self):
        """One raw byte: the answer to SSLRequest."""
        while not self.data:
            self._more()
        got = bytes(self.data[:1])
        del self.data[:1]
        return got

    def receive(self):
        """The next message as (type, body)."""
        while len(self.data) < 5:
            self._more()
        size, = struct.unpack("!I", self.data[1:5])
        if size < 4 or not self.data[:1].isalnum():
            raise ValueError(f"no message: {self.data[:16]!r}")
        while len(self.data) < size + 1:
            self._more()
        kind, body = bytes(self.data[:1]), bytes(self.data[5:size + 1])
        del self.data[:size + 1]
        if kind == b"S":
            name, value = body.split(b"\0")[:2]
            self.parameters[name.decode()] = value.decode()
        elif kind == b"N":
            self.notices.append(fields(body))
        elif kind == b"Z":
            self.status = body.decode()
        return kind, body

    def until(self, kinds=b"Z"):
        """Messages up to and with the first of a type in kinds."""
        got = []
        while True:
            m = self.receive()
            got.append(m)
            if m[0] in kinds:
                return got

    def quiet(self, seconds=0.3):
        """True when nothing arrives for that long."""
        if self.data:
            return False
        before = self.socket.gettimeout()
        self.socket.settimeout(seconds)
        try:
            self._more()
            return False
        except (TimeoutError, socket.timeout):
            return True
        finally:
            self.socket.settimeout(before)

    def closed(self, seconds=10):
        """Read until the other side closes; the messages before that."""
        self.socket.settimeout(seconds * PATIENCE)
        got = []
        try:
            while True:
                got.append(self.receive())
        except (Closed, ConnectionResetError, BrokenPipeError):
            return got

    def authenticate(self):
        """Answer whatever is asked until ReadyForQuery."""
        while True:
            kind, body = self.receive()
            if kind == b"E":
                raise ServerError(fields(body))
            if kind == b"K":
                self.pid, self.key = struct.unpack("!iI", body[:8])
            elif kind == b"Z":
                return
            elif kind == b"R":
                code, = struct.unpack("!I", body[:4])
                if code == 3:
                    self.send(message(b"p", text(self.password)))
                elif code == 5:
                    inner = hashlib.md5(self.password.encode() + self.user.encode()).hexdigest()
                    outer = hashlib.md5(inner.encode() + body[4:8]).hexdigest()
                    self.send(message(b"p", text("md5" + outer)))
                elif code == 10:
                    self._scram(body[4:])
                elif code != 0:
                    raise ValueError(f"authentication request {code}")

    def _scram(self, mechanisms):
        assert b"SCRAM-SHA-256\0" in mechanisms
        nonce = base64.b64encode(os.urandom(18)).decode()
        first = f"n=,r={nonce}"
        body = text("SCRAM-SHA-256") + struct.pack("!I", len(first) + 3) + b"n,," + first.encode()
        self.send(message(b"p", body))
        kind, body = self.receive()
        if kind == b"E":
            raise ServerError(fields(body))
        server_first = body[4:].decode()
        words = dict(w.split("=", 1) for w in server_first.split(","))
        assert words["r"].startswith(nonce)
        salted = hashlib.pbkdf2_hmac("sha256", (self.password or "").encode(),
                                     base64.b64decode(words["s"]), int(words["i"]))
        final = f"c=biws,r={words['r']}"
        signed = f"{first},{server_first},{final}".encode()
        client_key = hmac.digest(salted, b"Client Key", "sha256")
        signature = hmac.digest(hashlib.sha256(client_key).digest(), signed, "sha256")
        proof = bytes(a ^ b for a, b in zip(client_key, signature))
        self.send(message(b"p", f"{final},p={base64.b64encode(proof).decode()}".encode()))
        kind, body = self.receive()
        if kind == b"E":
            raise ServerError(fields(body))
        expected = hmac.digest(hmac.digest(salted, b"Server Key", "sha256"), signed, "sha256")
        assert body[4:].decode() == "v=" + base64.b64encode(expected).decode()

    def result(self):
        """Read one answer up to ReadyForQuery: its rows; raises the error in it."""
        got = self.until(b"Z")
        for kind, body in got:
            if kind == b"E":
                raise ServerError(fields(body))
        return [row(body) for kind, body in got if kind == b"D"]

    def query(self, sql):
        """One simple query; its rows."""
        self.send(query(sql))
        return self.result()

    def begin(self):
        """Begin a transaction that holds a server connection; an empty one need not."""
        self.query("begin")
        self.query("select 1")

    def one(self, sql):
        return self.query(sql)[0][0]

    def table(self, sql):
        """One simple query; a list of {column: value}."""
        self.send(query(sql))
        got = self.until(b"Z")
        names, rows = [], []
        for kind, body in got:
            if kind == b"E":
                raise ServerError(fields(body))
            if kind == b"T":
                names = [n for n, _ in columns(body)]
            if kind == b"D":
                rows.append(dict(zip(names, row(body))))
        return rows

    def cancel(self, port=None, host=None):
        """Send a CancelRequest with the key of this session, and wait for its end."""
        address = (host or self.socket.getpeername()[0], port or self.socket.getpeername()[1])
        with socket.create_connection(address, 10) as s:
            s.sendall(cancel_request(self.pid, self.key))
            s.settimeout(15)
            assert s.recv(1) == b"", "a cancel request must be answered by closing"
