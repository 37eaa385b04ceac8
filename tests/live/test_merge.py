"""pgassay merge: reports of parts of a log, dealt out at random, are the report of the whole.

Counts, sums, series and sketches must be equal, whatever the length of the log: a minute (rows
are seconds), a day, two months (rows of hours), five years (rows of days)."""
import datetime
import json
import random
import subprocess

import pytest

from test_log_formats import PGASSAY, assay

SPANS = {"minute": 50, "day": 86000, "months": 70 * 86400, "years": 5 * 366 * 86400}
STATEMENTS = ["SELECT * FROM users WHERE id = %d", "UPDATE users SET note = 'x%d' WHERE id = 5", "INSERT INTO log (n) VALUES (%d)",
              "SELECT count(*) FROM orders WHERE total > %d"]
MESSAGES = [
    ("ERROR:  division by zero", "STATEMENT:  SELECT 1/0"),
    ("ERROR:  canceling statement due to statement timeout", "STATEMENT:  SELECT pg_sleep(9)"),
    ("LOG:  temporary file: path \"base/pgsql_tmp/pgsql_tmp5.0\", size %d", "STATEMENT:  SELECT * FROM orders ORDER BY total"),
    ("LOG:  process 7 acquired ShareLock on transaction %d after 2250.8 ms", "STATEMENT:  DELETE FROM orders WHERE id = 7"),
    ("LOG:  checkpoint starting: immediate force wait",),
    ("LOG:  checkpoint complete: wrote %d buffers (0.1%%); 1 WAL file(s) added, 2 removed, 3 recycled; write=1.500 s, sync=0.250 s, total=1.800 s; "
     "sync files=4, longest=0.125 s, average=0.010 s; distance=100 kB, estimate=200 kB",),
    ("LOG:  automatic vacuum of table \"shop.public.orders\": index scans: 1\n\tpages: 3 removed, 13 remain\n\t"
     "tuples: %d removed, 2000 remain, 5 are dead but not yet removable\n\tbuffer usage: 86 hits, 2 misses, 4 dirtied\n\t"
     "WAL usage: 13 records, 0 full page images, 1042 bytes\n\tsystem usage: CPU: user: 0.00 s, system: 0.00 s, elapsed: 0.50 s",),
    ("LOG:  connection received: host=10.0.0.5 port=%d",),
    ("WARNING:  odd thing",),
]


def entries(seconds, n, rng):
    """(time, lines) of n sessions' worth of a log, each session one entry, in the order of time."""
    begin = datetime.datetime(2020, 2, 1, 10)
    for k in range(n):
        at = begin + datetime.timedelta(seconds=seconds * k / n)
        head = f"{at.strftime('%Y-%m-%d %H:%M:%S')}.{k % 1000:03} UTC [{1000 + k}] u{k % 3}@d{k % 2} "
        if rng.random() < .7:
            yield head + f"LOG:  duration: {rng.lognormvariate(1, 2):.3f} ms  statement: {rng.choice(STATEMENTS) % k}\n"
        else:
            yield "".join(head + line.replace("%%", "%").replace("%d", str(k)) + "\n" for line in rng.choice(MESSAGES))
        yield head + f"LOG:  disconnection: session time: 0:00:{k % 60:02}.{k % 1000:03} user=u{k % 3} database=d{k % 2} host=10.0.0.{k % 4} port=5\n"


def sums(report):
    """All that must be equal: lists in an order of their own, without what hangs on places."""
    def shape(s):
        return {k: sorted(v, key=lambda h: h["hour"]) if k == "hours" else v
                for k, v in s.items() if k not in ("locations", "samples", "stddev_ms")}
    by = {kind: sorted((shape(g) for g in groups), key=lambda g: g["name"]) for kind, groups in report["by"].items()}
    counted = {k: sorted(map(json.dumps, report[k])) for k in ("checkpoint_causes", "lock_types", "autovacuum", "sqlstates")}
    faults = sorted((e["sqlstate"] or "", e["message"], e["count"], e["first"], e["last"]) for e in report["errors"])
    server = {k: round(v, 6) for k, v in report["server"].items()}
    return dict(shapes=sorted((shape(s) for s in report["shapes"]), key=lambda s: s["id"]), by=by, faults=faults, server=server, **counted,
                **{k: report.get(k) for k in ("minutes", "seconds", "minute_step", "hour_step")},
                input={k: report["input"][k] for k in ("statements", "bytes", "entries", "by_class", "first", "last", "without_duration")},
                sessions={k: v for k, v in report["sessions"].items() if k != "stddev_ms"})


def deviations(report):
    """Read back from printed digits: equal but for the last of them."""
    found = {s["id"]: s["stddev_ms"] for s in report["shapes"] if "stddev_ms" in s}
    found.update({(kind, g["name"]): g["stddev_ms"] for kind, groups in report["by"].items() for g in groups if "stddev_ms" in g})
    return pytest.approx(found, rel=1e-5, abs=1e-4)


def merge(tmp_path, parts):
    return json.loads(subprocess.run([PGASSAY, "merge", *parts, "-f", "json"], cwd=tmp_path, capture_output=True, check=True).stdout)


@pytest.mark.parametrize("span", SPANS)
def test_parts_dealt_out_at_random_make_the_whole(span, tmp_path):
    rng = random.Random(span)
    lines = list(entries(SPANS[span], 1500, rng))
    sessions = [lines[i] + lines[i + 1] for i in range(0, len(lines), 2)]
    parts = [[] for _ in range(4)]
    for s in sessions:
        rng.choice(parts).append(s)
    (tmp_path / "whole.log").write_text("".join(sessions))
    names = []
    for k, part in enumerate(parts):
        (tmp_path / f"{k}.log").write_text("".join(part))
        names.append(f"{k}.json")
        subprocess.run([PGASSAY, "log", f"{k}.log", "-f", "json", "-o", names[-1]], cwd=tmp_path, check=True)
    whole = assay(tmp_path / "whole.log")
    want = sums(whole)
    assert ("seconds" in whole) == (span == "minute")
    assert (whole["minute_step"], whole["hour_step"]) == {"minute": (1, 1), "day": (1, 1), "months": (60, 24), "years": (1440, 168)}[span]
    got = merge(tmp_path, names)
    assert sums(got) == want and deviations(whole) == deviations(got).expected
    # in another order, and in two steps
    (tmp_path / "half.json").write_text(json.dumps(merge(tmp_path, names[2:])))
    assert sums(merge(tmp_path, ["half.json", names[1], names[0]])) == want


def test_the_series_stay_short_and_whole(tmp_path):
    """The same statements in seconds, minutes, hours, days; no series has more rows than it may."""
    for span, most in (("minute", 1800), ("day", 1441), ("months", 1800), ("years", 1900)):
        report = assay_text(tmp_path, "".join(entries(SPANS[span], 4000, random.Random(1))))
        calls = report["input"]["statements"]
        rows = report["minutes"]
        assert len(rows) <= most and sum(m["calls"] for m in rows) == calls == sum(sum(m["heat"]) for m in rows)
        assert [m["minute"] for m in rows] == sorted({m["minute"] for m in rows})
        assert all(m["minute"] % report["minute_step"] == 0 for m in rows)
        assert sum(g["calls"] for g in report["by"]["hours"]) == calls and len(report["by"]["hours"]) <= 744
        for s in report["shapes"]:
            assert sum(h["calls"] for h in s["hours"]) == s["calls"] and len(s["hours"]) <= 744
        if span == "minute":
            assert sum(m["calls"] for m in report["seconds"]) == calls and len(report["seconds"]) == 50


def assay_text(tmp_path, text):
    (tmp_path / "pg.log").write_text(text)
    return assay(tmp_path / "pg.log")


def test_a_report_without_seconds_can_be_merged(tmp_path):
    """As version 0.9 wrote them: no seconds, no steps, fewer figures."""
    report = assay_text(tmp_path, "".join(entries(50, 300, random.Random(2))))
    old = {k: v for k, v in report.items() if k not in ("seconds", "minute_step", "hour_step", "checkpoint_causes", "lock_types")}
    (tmp_path / "old.json").write_text(json.dumps(old))
    (tmp_path / "new.json").write_text(json.dumps(report))
    got = merge(tmp_path, ["old.json", "new.json"])
    assert "seconds" not in got and got["minute_step"] == 1
    assert sum(m["calls"] for m in got["minutes"]) == 2 * report["input"]["statements"]


def test_a_report_is_a_line_for_each_row(tmp_path):
    """No white space for each number of a sketch: grep finds a statement's whole row."""
    (tmp_path / "pg.log").write_text("".join(entries(50, 300, random.Random(3))))
    text = subprocess.run([PGASSAY, "log", "pg.log", "-f", "json"], cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    rows = [line.rstrip(",") for line in text.splitlines() if line.startswith('{"id":')]
    assert {json.loads(r)["id"] for r in rows} == {s["id"] for s in json.loads(text)["shapes"]}
