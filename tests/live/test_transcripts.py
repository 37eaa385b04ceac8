"""What a client hears through the pooler is what it would have heard from the server.

Scripts of messages are drawn at random: named and unnamed statements, portals, limits, pipelines,
errors, transactions, settings, COPY, statements by SQL.  Each client's script is played directly,
then by all clients at once over fewer server connections, its bytes cut anywhere.  The answers
must be equal, message by message.  The environment's TRANSCRIPT_SEED names the first script to
play, TRANSCRIPT_COUNT how many.
"""
import itertools
import os
import random
import re
import struct
import threading

import pytest

import wire

pytestmark = pytest.mark.ours

CLIENTS, EXCHANGES = 5, 30
SEED, COUNT = int(os.environ.get("TRANSCRIPT_SEED", 1)), int(os.environ.get("TRANSCRIPT_COUNT", 3))
NAMES, PORTALS = ("", "a", "b", "c"), ("", "", "", "x")

PLAIN = ("select 7", "select 1 as one, 'two' as two", "show extra_float_digits", "show search_path",
         "select nullif(current_setting('my.var', true), '')",  # RESET leaves an empty one on the server
         "show statement_timeout", "begin", "begin", "commit", "commit", "commit",
         "rollback", "rollback", "savepoint s", "rollback to s", "release s", "", "not sql", "select nothing from nowhere",
         "set extra_float_digits = 2", "set my.var = 'mine'", "set local my.var = 'local'", "reset my.var",
         "set statement_timeout = '77s'", "set search_path = public, pg_temp", "select set_config('my.var', 'called', {local})",
         "select v from {t} order by id", "select count(*) from {t}", "delete from {t} where id > 50",
         "select 1.0::float8 / 3", "select repeat('long ', 20000)", "select 1/0", "-- only a comment",
         "/* a comment before */ select 8", "values (1), (2), (3)", "set transaction isolation level serializable")
ASKING = ("select $1::int + 1", "select v from {t} where id = $1::int", "select generate_series(1, $1::int)",
          "insert into {t} values ($1::int, 'new') on conflict (id) do update set v = {t}.v || 'x'",
          "update {t} set v = v || 'y' where id = $1::int returning id, v", "select 10 / $1::int")
SQL_NAMES = ("prepare p as select 11", "execute p", "deallocate p", "deallocate a", "deallocate all", "discard all")
MULTI = ("select 1; select 2", "select 3; select 1/0; select 4", "begin; select 5", "commit; begin", "insert into {t} values (99, 'm'); rollback")


class Script:
    """What one client sends: exchanges of bytes and how many ReadyForQuery each is answered by."""

    def __init__(self, seed, table):
        self.rng, self.table = random.Random(seed), table
        self.exchanges = [self.exchange() for _ in range(EXCHANGES)]

    def text(self, simple=False):
        """Statements that end statements only as Query: PostgreSQL 15 itself dies of some that end their own."""
        r = self.rng
        kind = r.random()
        words = ASKING if kind < .4 else SQL_NAMES if simple and kind < .46 else PLAIN
        return r.choice(words).format(t=self.table, local=r.choice(("true", "false")))

    def extended(self):
        r, out = self.rng, b""
        for _ in range(r.randrange(1, 8)):
            kind = r.random()
            name, portal = r.choice(NAMES), r.choice(PORTALS)
            if kind >= .5 and not name:
                name = "a"  # which unnamed statement is left by a batch that failed is nobody's affair
            if kind < .35:  # what drivers send
                text = self.text()
                values = [str(r.randrange(4))] if "$1" in text else []
                out += wire.parse(name, text) + wire.bind(portal, name, values)
                out += wire.describe(b"P", portal) if r.random() < .7 else b""
                out += wire.execute(portal, r.choice((0, 0, 0, 1, 2)))
                if r.random() < .2 and text.startswith("select"):
                    out += wire.execute(portal)
            elif kind < .5:
                out += wire.parse(name, self.text())
            elif kind < .65:
                out += wire.bind(portal, name, r.choice(([], ["1"], ["2"], ["no number"])))
            elif kind < .75:
                out += wire.execute("nowhere", r.choice((0, 1)))
            elif kind < .85:
                out += wire.describe(*r.choice(((b"S", name), (b"P", portal))))
            elif kind < .92:
                out += wire.close(*r.choice(((b"S", name), (b"P", portal))))
            else:
                out += wire.flush()
        return out + wire.sync()

    def one(self):
        """(bytes, ReadyForQuery that come of them)"""
        r, kind, t = self.rng, self.rng.random(), self.table
        if kind < .55:
            return self.extended()
        if kind < .88:
            text = self.text(simple=True)
            return wire.query(text if "$1" not in text else r.choice(MULTI).format(t=t))
        if kind < .91:
            return wire.query(f"copy {t} to stdout")
        data = wire.copy_data(b"%d\tcopied\n" % r.randrange(60, 1000)) * r.randrange(3)
        end = r.choice((wire.copy_done(), wire.copy_fail("enough")))
        if kind < .96:
            return wire.query(f"copy {t} from stdin") + data + end
        return wire.parse("", f"copy {t} from stdin") + wire.bind() + wire.execute() + data + end + wire.sync()

    def exchange(self):
        many = self.rng.choice((1, 1, 1, 2, 4))
        data = b"".join(self.one() for _ in range(many))
        cuts = sorted(self.rng.randrange(len(data)) for _ in range(self.rng.choice((0, 0, 1, 3))))
        return data, many, cuts


def told(kind, body):
    """A message as it is compared: an error by what the client is told of it."""
    if kind in (b"E", b"N"):
        f = wire.fields(body)
        said = f["M"]
        if said.startswith("bind message supplies"):  # of two names of one text it may be the other
            said = re.sub('"[^"]*"', "NAME", said)
        return kind, f["S"], f["C"], said, f.get("P")
    return kind, bytes(body)


def batches(transcript):
    """(exchange, status before, messages up to ReadyForQuery)"""
    batch, status = [], b"I"
    for i, heard in enumerate(transcript):
        for m in heard:
            batch.append(m)
            if m[0] == b"Z":
                yield i, status, batch
                batch, status = [], m[1]
    if batch:
        yield len(transcript) - 1, status, batch


def difference(direct, through):
    """The first batch whose answers differ: its exchange and both; or None.

    Inside a failed transaction they may: a statement that is not yet prepared on this very
    connection cannot be, and fails for another reason than directly.  What is skipped
    because of it differs, too, so that there the comparison ends."""
    for (i, status, want), (_, _, got) in itertools.zip_longest(batches(direct), batches(through), fillvalue=(0, b"I", [("ended",)])):
        if want != got:
            return None if status == want[-1][1] == got[-1][1] == b"E" else (i, want, got)
    return None


def play(script, port, out):
    """The transcript: for each exchange what was heard."""
    try:
        with wire.Wire(port, timeout=60) as c:
            for data, ready, cuts in script.exchanges:
                at, heard = 0, []
                for cut in [*cuts, len(data)]:
                    c.send(data[at:cut])
                    at = cut
                while ready:
                    kind, body = c.receive()
                    if kind != b"S":  # when a setting is reported is the server's affair
                        heard.append(told(kind, body))
                    ready -= kind == b"Z"
                out.append(heard)
    except Exception as e:  # noqa: BLE001 - the transcript ends with it
        out.append([(type(e).__name__, str(e))])


def readable(data):
    """The messages of an exchange, for who reads a failure."""
    out, at = [], 0
    while at < len(data):
        size, = struct.unpack("!I", data[at + 1:at + 5])
        out.append(f"{data[at:at + 1].decode()} {bytes(data[at + 5:at + 1 + size])[:70]!r}")
        at += 1 + size
    return "\n  ".join(out)


def fill(postgres, tables):
    postgres.sql(";".join(f"create table if not exists {t} (id int primary key, v text); grant all on {t} to public;"
                          f"truncate {t}; insert into {t} select g, 'v' || g from generate_series(1, 5) g" for t in tables),
                 dbname="shop")


@pytest.mark.parametrize("mode", ["transaction", "auto", "session"])
def test_a_transcript_is_that_of_the_server(pooler, postgres, mode):
    tables = [f"transcript_{n}" for n in range(CLIENTS)]
    p = pooler(pool_mode=mode, max_open=CLIENTS if mode == "session" else 2, on_session_feature="pin")
    for seed in range(SEED, SEED + COUNT):
        scripts = [Script(seed * 1000 + n, t) for n, t in enumerate(tables)]
        fill(postgres, tables)
        direct, through = ([[] for _ in scripts] for _ in range(2))
        for script, out in zip(scripts, direct):
            play(script, postgres.port, out)
        fill(postgres, tables)
        threads = [threading.Thread(target=play, args=(s, p.port, out)) for s, out in zip(scripts, through)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        for n, (script, *heard) in enumerate(zip(scripts, direct, through)):
            found = difference(*heard)
            if found:
                i, want, got = found
                data, _, cuts = script.exchanges[i]
                pytest.fail(f"seed {seed}, client {n}, exchange {i}, cuts {cuts}:\n  {readable(data)}\ndirectly:\n  " +
                            "\n  ".join(map(str, want)) + "\nthrough us:\n  " + "\n  ".join(map(str, got)), pytrace=False)
    assert "integrity" not in p.log()
    postgres.sql(";".join(f"drop table {t}" for t in tables), dbname="shop")
