"""The short way (session_express.c) and the long one do the same.

Random scripts of the requests that the short way is for, and of others between them, are played by
more clients than there are server connections: once as usual, once with a deadline set, which takes
everything the long way.  Answers, statistics and the query log must be equal.
"""
import collections
import json
import random
import threading

import pytest

import wire
from pooler import wait_until

pytestmark = pytest.mark.ours

CLIENTS, EXCHANGES = 6, 40
TEXTS = ("select 1", "select 'a text that is a little longer', 2", "select 1/0", "not sql", "",
         "select generate_series(1, 30)", "select repeat('x', 20000)", "set work_mem = '5MB'",
         "show work_mem", "select 1; select 2")
# The division waits for Execute: a plan of its own would fail in Bind, one for all would not.
ASKING = ("select $1::int + 1", "select 10 / ($1::int + (random() * 0)::int)",
          "select generate_series(1, $1::int)",
          "select repeat($1::text, 300)")


def execution(text, name, value):
    return wire.bind("", name, (value,)) + wire.describe(b"P") + wire.execute()


def exchanges(seed):
    """What a client sends: bytes, and how many ReadyForQuery answer them."""
    r = random.Random(seed)
    for name, text in enumerate(ASKING):
        yield wire.parse(f"n{name}", text) + wire.sync(), 1
    for _ in range(EXCHANGES):
        kind, n, value = r.random(), r.randrange(len(ASKING)), r.randrange(4)
        unnamed = wire.parse("", ASKING[n])
        if kind < .3:
            yield wire.query(r.choice(TEXTS)), 1
        elif kind < .5:
            yield execution(ASKING[n], f"n{n}", value) + wire.sync(), 1
        elif kind < .8:  # the same text again and again is what the short way knows
            for _ in range(r.randrange(1, 4)):
                more = r.randrange(1, 5)
                yield b"".join(unnamed + execution(ASKING[n], "", r.randrange(4))
                               for _ in range(more)) + wire.sync(), 1
        elif kind < .85:
            yield unnamed + execution(ASKING[n], "", value) * 3 + wire.sync(), 1
        elif kind < .9:
            yield wire.query("select 1") + wire.query(r.choice(TEXTS)), 2
        elif kind < .95:
            yield execution(ASKING[n], f"n{n}", value) + wire.sync() + wire.query("select 3"), 2
        else:
            yield wire.bind("", f"n{n}", (value,)) + wire.execute() + wire.sync(), 1
    yield wire.query("select 9"), 1


def play(port, seed, heard):
    cut = random.Random(f"cut {seed}")
    fails = ASKING[1].encode()  # what is skipped behind an error is counted as far as it had come
    with wire.Wire(port, params={"application_name": f"c{seed}"}) as c:
        for data, ready in exchanges(seed):
            whole = fails in data or b"n1" in data or cut.random() < .7
            c.send(data, None if whole else len(data) // 2 + 1)
            for _ in range(ready):
                heard.append(c.until())


def outcome(pooler, **settings):
    """Answers by client, counters, shapes, the log by client, and the bytes sent.

    These as a sum: PostgreSQL sends an error by itself, and a ReadyForQuery that comes when the
    statement was told already counts with the next one.
    """
    p = pooler(start=False, max_open=2, track_queries="all", query_log_min_duration=0, **settings)
    path = p.dir + "/query.jsonl"
    p.write_config(query_log=path)
    p.start()
    with p.wire(params={"application_name": "first"}) as c:
        # The pool knows the texts from now on, and answers all the others' Parses alike.
        for name, text in enumerate(ASKING):
            c.send(wire.parse(f"n{name}", text) + wire.sync())
            c.until()
    heard = [[] for _ in range(CLIENTS)]
    players = [threading.Thread(target=play, args=(p.port, n, heard[n])) for n in range(CLIENTS)]
    for t in players:
        t.start()
    for t in players:
        t.join()
    with p.wire(database="pgbouncer", user="postgres") as c:
        totals, = [r for r in c.table("show stats_totals") if r["database"] == "shop"]
        shapes = {r["query"]: [int(r[k]) for k in ("calls", "rows", "errors", "bytes_in", "bytes_out")]
                  for r in c.table("show queries")}
    calls, sent = sum(s[0] for s in shapes.values()), [sum(s.pop() for s in shapes.values())]

    def entries():
        with open(path, encoding="utf-8") as f:
            lines = [json.loads(line) for line in f if line.endswith("\n")]
        return lines if len(lines) >= calls else None

    logs = collections.defaultdict(list)
    for e in wait_until(entries, 10, f"{calls} statements are logged"):
        logs[e["application_name"]].append(
            [e.get(k) for k in ("line_num", "ps", "detail", "error_severity", "state_code",
                                "virtual_transaction", "txid")] +
            [e["message"].partition(" ms ")[2]] +
            [e["pooler"][k] for k in ("rows", "bytes_in", "mode")])
        sent.append(e["pooler"]["bytes_out"])
    return heard, totals, shapes, dict(logs), (sent[0], sum(sent[1:]))


def test_they_are_one(pooler):
    short, long = outcome(pooler), outcome(pooler, query_timeout=3600)
    for n in range(CLIENTS):
        assert len(short[0][n]) == len(long[0][n]) > EXCHANGES
        assert short[0][n] == long[0][n]
    for key in ("xact_count", "query_count", "bytes_received", "bytes_sent",
                "client_parse_count", "bind_count"):
        assert short[1][key] == long[1][key], key
    assert short[2] == long[2] and len(short[2]) > len(ASKING)
    assert short[3] == long[3] and len(short[3]) == CLIENTS
    assert short[4] == long[4] and short[4][0] == short[4][1]
