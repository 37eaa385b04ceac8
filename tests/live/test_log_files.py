"""Several files are read as one log: in the order of their time, whatever their formats, in
directories and archives, packed, rotated; each byte once."""
import bz2
import fcntl
import gzip
import hashlib
import io
import json
import lzma
import os
import pty
import random
import re
import select
import shutil
import signal
import struct
import subprocess
import tarfile
import termios
import zipfile

import pytest
from pooler import has_read, wait_until

from test_log_formats import PGASSAY, ROWS, activity, assay, cloudsql, csvlog, journal_export, jsonlog, numbers, rfc3164, stderr, syslog

SESSIONS = activity(600, seed=11)


def parts_of(rows, n):
    """Rows dealt out to n servers' logs, each session to one: they overlap in time."""
    return [[r for r in rows if r["pid"] % n == k] for k in range(n)]


def facts(report):
    """All that must not depend on how the log is spread over files."""
    shapes = [{k: v for k, v in s.items() if k not in ("locations", "samples")} for s in report["shapes"]]
    findings = [{k: v for k, v in f.items() if k != "locations"} for f in report["findings"]]
    return dict(shapes=shapes, findings=findings, errors=[(e["message"], e["count"]) for e in report["errors"]],
                by=report["by"], server=report["server"], minutes=report["minutes"],
                input={k: report["input"][k] for k in ("statements", "first", "last", "by_class")})


def run(*words, status=(0,)):
    got = subprocess.run([PGASSAY, "log", "-f", "json", *map(str, words)], capture_output=True)
    assert got.returncode in status, got.stderr
    return got.stdout


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    path = tmp_path_factory.mktemp("whole") / "pg.log"
    path.write_text(stderr(SESSIONS))
    return facts(assay(path))


def test_files_that_overlap_are_read_in_the_order_of_their_time(tmp_path, whole):
    """An N+1 whose calls lie in two files, or a minute's first statement, shows the order."""
    names = []
    for k, rows in enumerate(parts_of(SESSIONS, 3)):
        names.append(tmp_path / f"{9 - k}.log")
        names[-1].write_text(stderr(rows))
    for order in (names, names[::-1]):
        got = facts(json.loads(run(*order)))
        assert got == whole
    assert facts(json.loads(run(tmp_path))) == whole  # the directory


def test_a_session_goes_on_in_the_next_file(tmp_path, whole):
    """Rotated in the middle of everything; named in the wrong order."""
    for k, (a, b) in enumerate(((0, 200), (200, 201), (201, 600))):
        (tmp_path / f"pg.log.{9 - k}").write_text(stderr(SESSIONS[a:b]))
    assert facts(json.loads(run(*sorted(tmp_path.iterdir())))) == whole


def test_formats_may_be_mixed(tmp_path):
    writers = [lambda r: stderr(r).encode(), lambda r: csvlog(r).encode(), lambda r: jsonlog(r).encode(),
               lambda r: syslog(r, rfc3164).encode(), journal_export, lambda r: cloudsql(r).encode()]
    for k, (rows, write) in enumerate(zip(parts_of(SESSIONS, 6), writers)):
        (tmp_path / f"{k}.log").write_bytes(write(rows))
    (tmp_path / "all").mkdir()
    (tmp_path / "all" / "pg.log").write_text(stderr(SESSIONS))
    got = json.loads(run(*(tmp_path / f"{k}.log" for k in range(6))))
    assert numbers(got) == numbers(assay(tmp_path / "all" / "pg.log"))
    assert got["minutes"] == assay(tmp_path / "all" / "pg.log")["minutes"]
    assert len({f["format"] for f in got["input"]["files"]}) == 6
    assert sum(got["input"]["by_class"].values()) == sum(os.path.getsize(tmp_path / f"{k}.log") for k in range(6))


def test_one_log_in_two_formats_is_said(tmp_path):
    """log_destination = 'stderr,csvlog', and a directory given: everything is there twice."""
    (tmp_path / "pg.log").write_text(stderr(SESSIONS))
    assert not [n for n in json.loads(run(tmp_path))["notes"] if "twice" in n]
    (tmp_path / "pg.csv").write_text(csvlog(SESSIONS))
    said = [n for n in json.loads(run(tmp_path))["notes"] if "twice" in n]
    assert len(said) == 1 and "pg.log" in said[0] and "pg.csv" in said[0]


@pytest.mark.parametrize("write", [stderr, csvlog, lambda r: syslog(r, rfc3164)], ids=["stderr", "csvlog", "syslog"])
def test_jobs_and_chunks_change_no_byte(write, tmp_path):
    for k, rows in enumerate(parts_of(SESSIONS, 3)):
        (tmp_path / f"{k}.log").write_text(write(rows))
    (tmp_path / "3.log").write_text(stderr(ROWS))
    with gzip.open(tmp_path / "4.log.gz", "wt") as f:
        f.write(csvlog(activity(100, seed=3)))
    files = sorted(tmp_path.iterdir())
    sums = {hashlib.sha256(run(*files, "--jobs", j, "--chunk", c)).hexdigest() for j in range(1, 9) for c in (1, 7, 512)}
    assert len(sums) == 1


def archive(path, members, mode=None):
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as z:
            for name, text in members:
                z.writestr(name, text)
        return
    with tarfile.open(path, mode) as t:
        for name, text in members:
            info = tarfile.TarInfo(name)
            info.size = len(text)
            t.addfile(info, io.BytesIO(text))


@pytest.mark.parametrize("name, mode", [("a.tar", "w"), ("a.tar.gz", "w:gz"), ("a.zip", None)])
def test_members_of_archives_are_files(name, mode, tmp_path, whole):
    members = [(f"day/{9 - k}.log", (stderr if k != 1 else csvlog)(rows).encode()) for k, rows in enumerate(parts_of(SESSIONS, 3))]
    archive(tmp_path / name, members, mode)
    got = json.loads(run(tmp_path / name))
    assert {f["name"]: f["format"] for f in got["input"]["files"]} == \
        {f"{tmp_path}/{name}:day/{9 - k}.log": "csvlog" if k == 1 else "stderr" for k in range(3)}
    assert [(s["sql"], s["calls"], s.get("total_ms")) for s in got["shapes"]] == [(s["sql"], s["calls"], s.get("total_ms")) for s in whole["shapes"]]
    assert got["minutes"] == whole["minutes"]


def test_an_archive_of_many_members_and_one_on_stdin(tmp_path, whole):
    """These are read in one go, member after member, each in its own format."""
    members = [(f"{k:02}.log", (stderr if k % 2 else csvlog)(SESSIONS[k * 50:k * 50 + 50]).encode()) for k in range(12)]
    archive(tmp_path / "a.tar.gz", members, "w:gz")
    got = json.loads(run(tmp_path / "a.tar.gz"))
    assert [f["format"] for f in got["input"]["files"]] == ["csvlog", "stderr"] * 6
    assert got["minutes"] == whole["minutes"]
    with open(tmp_path / "a.tar.gz", "rb") as f:
        got = json.loads(subprocess.run([PGASSAY, "log", "-", "-f", "json"], stdin=f, capture_output=True, check=True).stdout)
    assert got["minutes"] == whole["minutes"] and len(got["input"]["files"]) == 12


def test_every_packing(tmp_path, whole):
    text = stderr(SESSIONS).encode()
    (tmp_path / "a.gz").write_bytes(gzip.compress(text))
    (tmp_path / "a.bz2").write_bytes(bz2.compress(text))
    (tmp_path / "a.xz").write_bytes(lzma.compress(text))
    (tmp_path / "two.gz").write_bytes(gzip.compress(text[:5000]) + gzip.compress(text[5000:]))
    for tool in ("zstd", "lz4"):
        if shutil.which(tool):
            (tmp_path / f"a.{tool}").write_bytes(subprocess.run([tool, "-c"], input=text, capture_output=True, check=True).stdout)
    for path in sorted(tmp_path.iterdir()):
        assert facts(assay(path)) == whole, path


def test_hundreds_of_files(tmp_path, whole):
    """More than stay open at once."""
    for k in range(300):
        (tmp_path / f"{k:03}.log").write_text(stderr(SESSIONS[2 * k:2 * k + 2]))
    # two rows do not show a prefix: it is given
    assert facts(json.loads(run(tmp_path, "--prefix", "%m [%p] %q%u@%d "))) == whole


def test_servers_with_the_same_process_ids_are_kept_apart(tmp_path):
    """Two hosts' logs: the same pid begins a transaction on one and goes on on the other."""
    line = "2024-01-05 10:00:%02d.000 UTC [77] LOG:  duration: 1.000 ms  statement: %s\n"
    for host, at in (("a", 0), ("b", 1)):
        (tmp_path / host).mkdir()
        text = line % (at, "BEGIN") + "".join(line % (at + 2 + 2 * i, f"SELECT * FROM {host} WHERE id = {i}") for i in range(10))
        (tmp_path / host / "pg.log").write_text(text + line % (at + 30, "COMMIT"))
    got = json.loads(run(tmp_path / "a" / "pg.log", tmp_path / "b" / "pg.log"))
    runs = {s["sql"]: s["calls"] for s in got["shapes"]}
    assert runs["select * from a where id = ?"] == runs["select * from b where id = ?"] == 10
    assert got["transactions"]["count"] == 2 and {t["statements"] for t in got["transactions"]["busiest"]} == {10}


# --- --state: nothing twice, nothing missed ---------------------------------------------------


def counted(state, *files):
    got = json.loads(run("--state", state, *files, status=(0, 3)))
    return got["input"]["statements"]


def statements(rows):
    return sum(r["message"].startswith("duration") for r in rows)


@pytest.mark.parametrize("pack", ["rename", "gzip", "copy"])
def test_state_across_a_rotation(pack, tmp_path):
    log, state = tmp_path / "pg.log", tmp_path / "state"
    log.write_text(stderr(ROWS[:100]))
    assert counted(state, log) == statements(ROWS[:100])
    assert counted(state, log) == 0
    with open(log, "a") as f:
        f.write(stderr(ROWS[100:150]))
    if pack == "rename":
        log.rename(tmp_path / "pg.log.1")
    elif pack == "gzip":
        (tmp_path / "pg.log.1.gz").write_bytes(gzip.compress(log.read_bytes()))
        log.unlink()
    else:
        (tmp_path / "pg.log.1").write_bytes(log.read_bytes())
        os.truncate(log, 0)
    with open(log, "a") as f:
        f.write(stderr(ROWS[150:]))
    assert counted(state, log) == statements(ROWS[100:])
    # and the rotated file, when it is named itself
    assert counted(state, *sorted(p for p in tmp_path.iterdir() if p.name.startswith("pg.log"))) == 0


def test_state_knows_a_file_that_was_packed_after_it_was_read(tmp_path):
    log, state = tmp_path / "pg.log", tmp_path / "state"
    log.write_text(stderr(ROWS))
    assert counted(state, log) == statements(ROWS)
    subprocess.run(["gzip", log], check=True)
    assert counted(state, tmp_path / "pg.log.gz") == 0
    assert counted(state, tmp_path / "pg.log.gz") == 0


def test_state_reads_a_file_that_took_the_place_of_another(tmp_path):
    """Rewritten in place: the same inode, other text, even when it is longer."""
    log, state = tmp_path / "pg.log", tmp_path / "state"
    log.write_text(stderr(ROWS[:50]))
    assert counted(state, log) == statements(ROWS[:50])
    with open(log, "r+") as f:
        f.truncate()
        f.write(stderr(ROWS[100:]))
    assert counted(state, log) == statements(ROWS[100:])


@pytest.mark.parametrize("to", ["-o", "stdout"])
def test_state_is_kept_only_when_the_report_was_written(to, tmp_path):
    log, state = tmp_path / "pg.log", tmp_path / "state"
    log.write_text(stderr(ROWS))
    with open("/dev/full", "w") as full:
        got = subprocess.run([PGASSAY, "log", log, "--state", state, *(["-o", "/dev/full"] if to == "-o" else [])],
                             stdout=full, stderr=subprocess.PIPE, text=True)
    assert got.returncode == 75 and "could not be written: No space left on device" in got.stderr
    assert not state.exists()
    assert counted(state, log) == statements(ROWS)
    assert counted(state, log) == 0


# --- --follow, Ctrl-C -------------------------------------------------------------------------


@pytest.mark.parametrize("jobs", [1, 3])
def test_follow_several_files_across_a_rotation(jobs, tmp_path, whole):
    a, b = tmp_path / "a.log", tmp_path / "b.log"
    first, second = parts_of(SESSIONS, 2)
    a.write_text(stderr(first[:100]))
    b.write_text(stderr(second[:100]))
    out = tmp_path / "out.json"
    p = subprocess.Popen([PGASSAY, "log", "--follow", a, b, "-f", "json", "-o", out, "-j", str(jobs)])
    try:
        wait_until(lambda: has_read(p, a) and has_read(p, b))
        with open(a, "a") as f:
            f.write(stderr(first[100:]))
        b.rename(tmp_path / "b.log.1")
        with open(tmp_path / "b.log.1", "a") as f:
            f.write(stderr(second[100:150]))
        wait_until(lambda: has_read(p, a))  # nothing more comes here: the new b must not wait for it
        b.write_text(stderr(second[150:]))
        wait_until(lambda: has_read(p, a) and has_read(p, b))
        p.send_signal(signal.SIGINT)
        assert p.wait(500) == 0
    finally:
        p.kill()
    got = json.loads(out.read_text())
    assert {s["sql"]: s["calls"] for s in got["shapes"]} == {s["sql"]: s["calls"] for s in whole["shapes"]}


def rename(log, rng):
    """logrotate: what was written to the renamed file still counts."""
    for i in range(30, 0, -1):
        if (older := log.with_name(f"{log.name}.{i}")).exists():
            older.rename(log.with_name(f"{log.name}.{i + 1}"))
    log.rename(log.with_name(log.name + ".1"))
    if rng.random() < 0.5:
        log.touch()
    return log.with_name(log.name + ".1")


def dated(log, rng):
    """logrotate with dateext and extension; a name more each time."""
    log.rename(there := log.with_name(f"{log.stem}-202401{len(list(log.parent.iterdir())):02}.log"))
    return there


def own_rotation(log, rng):
    """PostgreSQL's: the next log has a name of its own."""
    return max(p for p in log.parent.iterdir() if p.suffix == ".log")


@pytest.mark.parametrize("rotate", [rename, dated, own_rotation])
def test_follow_counts_every_line_once_however_often_the_log_is_rotated(rotate, tmp_path):
    """Several rotations between two looks; packed and copied logs beside them are known."""
    line = "2024-01-05 10:00:00.{:03d} UTC [77] bob@shop LOG:  duration: 1.500 ms  statement: SELECT {} FROM t\n"
    rng, logs, out, n = random.Random(5), tmp_path / "logs", tmp_path / "out.json", 0
    logs.mkdir()
    log = logs / "pg.log"

    def write(path, lines):
        nonlocal n
        with open(path, "a") as f:
            f.writelines(line.format(n + i, n + i) for i in range(lines))
        n += lines

    write(log, 5)
    p = subprocess.Popen([PGASSAY, "log", "--follow", logs if rotate is own_rotation else log, "-f", "json", "-o", out])
    try:
        wait_until(lambda: has_read(p, log))
        for _ in range(8):
            for _ in range(rng.choice([1, 2, 3])):
                write(rotate(log, rng), rng.randrange(1, 9))
                log = logs / f"pg-{n:06}.log" if rotate is own_rotation else log
                write(log, rng.randrange(1, 9))
            last = log
            wait_until(lambda: has_read(p, last))
        packed = min(x for x in logs.iterdir() if x != log)
        packed.with_name(packed.name + ".gz").write_bytes(gzip.compress(packed.read_bytes()))
        rotate(log, rng)
        write(log, 3)  # what stands there at the interrupt counts
        p.send_signal(signal.SIGINT)
        assert p.wait(500) == 0
    finally:
        p.kill()
    assert json.loads(out.read_text())["input"]["statements"] == n


@pytest.mark.parametrize("again", [5, 9])
def test_follow_a_file_that_is_cut_and_filled_again(again, tmp_path):
    """copytruncate, and the new lines are as many bytes as the old ones, or more: the size tells nothing."""
    line = "2024-01-05 10:00:{:02d}.000 UTC [77] bob@shop LOG:  duration: 1.500 ms  statement: SELECT {} FROM t{}\n"
    log, out = tmp_path / "pg.log", tmp_path / "out.json"
    log.write_text("".join(line.format(i, i, 0) for i in range(5)))
    p = subprocess.Popen([PGASSAY, "log", "--follow", log, "-f", "json", "-o", out])
    try:
        wait_until(lambda: has_read(p, log))
        log.write_text("".join(line.format(10 + i, i, 1) for i in range(again)))
        wait_until(lambda: has_read(p, log))
        p.send_signal(signal.SIGINT)
        assert p.wait(500) == 0
    finally:
        p.kill()
    got = json.loads(out.read_text())
    assert {s["sql"]: s["calls"] for s in got["shapes"]} == {"select ? from t0": 5, "select ? from t1": again}


def is_taken(pipe):
    """Has its reader read all that was written to a pipe?"""
    return struct.unpack("i", fcntl.ioctl(pipe, termios.FIONREAD, b"\0" * 4))[0] == 0


@pytest.mark.parametrize("times,cut", [(1, False), (40, False), (40, True)])
def test_an_interrupt_prints_what_was_read(times, cut, tmp_path):
    """From a pipe that stays open: the report comes at Ctrl-C, with what came through."""
    fifo, out = tmp_path / "pipe", tmp_path / "out.json"
    text = stderr(SESSIONS) * times
    os.mkfifo(fifo)
    p = subprocess.Popen([PGASSAY, "log", fifo, "-f", "json", "-o", out], stderr=subprocess.PIPE, text=True)
    with open(fifo, "w") as f:
        f.write(text + (stderr(SESSIONS)[:40] if cut else ""))
        f.flush()
        wait_until(lambda: is_taken(f))
        p.send_signal(signal.SIGINT)
        said = p.communicate(timeout=500)[1]
    assert p.returncode == 0 and said == "pgassay: interrupted: the report is of what was read until then\n"
    got = json.loads(out.read_text())
    assert sum(got["input"]["by_class"].values()) == got["input"]["bytes"] == len(text.encode())


def test_a_terminal_is_shown_the_progress(tmp_path):
    """How much was read, how fast, and how long the rest takes; and nothing is left of it."""
    fifo, rest = tmp_path / "pipe", tmp_path / "rest.log"
    piece = stderr(SESSIONS) * 2
    rest.write_text(piece * 100)
    os.mkfifo(fifo)
    terminal, slave = pty.openpty()
    shown = b""
    try:
        p = subprocess.Popen([PGASSAY, "log", fifo, rest, "-f", "json"], stdout=subprocess.PIPE, stderr=slave)
        os.close(slave)
        with open(fifo, "w") as f:
            while not re.search(rb"\r\d+ MB, \d+ MB/s, \d+ s left   ", shown):
                f.write(piece)
                f.flush()
                if select.select([terminal], [], [], .05)[0]:
                    shown += os.read(terminal, 4096)
        got = json.loads(p.communicate(timeout=500)[0])
        while select.select([terminal], [], [], 0)[0]:
            try:
                shown += os.read(terminal, 4096)
            except OSError:  # its last writer is gone
                break
    finally:
        os.close(terminal)
    assert p.returncode == 0 and shown.endswith(b"\r\x1b[K") and b"\n" not in shown, shown
    assert sum(got["input"]["by_class"].values()) == got["input"]["bytes"]


def test_of_an_archive_that_was_cut_all_is_read_that_is_there(tmp_path):
    text, path = stderr(SESSIONS).encode(), tmp_path / "log.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as z:
        z.writestr("pg.log", text)
    there = text.index(b"\n", len(text) // 2) + 1
    begin = path.read_bytes().index(text[:100])
    path.write_bytes(path.read_bytes()[:begin + there])
    got = subprocess.run([PGASSAY, "log", path, "-f", "json"], capture_output=True)
    assert got.returncode == 3 and b"log.zip: cannot unpack" in got.stderr
    report = json.loads(got.stdout)
    assert report["input"]["bytes"] == there == sum(report["input"]["by_class"].values())
