"""The same server activity written in every format pgassay reads gives the same numbers.

The writers here are made from PostgreSQL's and the vendors' documentation; they share no code
with the readers."""
import csv
import datetime
import gzip
import io
import json
import os
import random
import re
import struct
import subprocess
import tarfile
import zipfile

import pytest
from pooler import has_read, wait_until

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PGASSAY = os.environ.get("PGASSAY_BIN", os.path.join(ROOT, "bin", "pgassay"))
EPOCH = datetime.datetime(2024, 1, 5, 10, 0, 0)


def activity(n=300, seed=5):
    """(time, pid, user, db, app, host, line, vxid, severity, state, message, detail, query)"""
    rng, out, lines = random.Random(seed), [], {}
    for i in range(n):
        pid = 2000 + rng.randrange(6)
        at = EPOCH + datetime.timedelta(milliseconds=137 * i)
        base = dict(at=at, pid=pid, user=f"user{pid % 3}", db="shop", app="web app", host=f"10.0.0.{pid % 250}",
                    vxid=f"{pid % 100}/{i}", severity="LOG", state="00000", detail="", query="")
        kind = rng.randrange(8)
        ms = f"{rng.randrange(1, 90000) / 1000:.3f}"
        if kind < 4:
            sql = rng.choice(["SELECT * FROM users WHERE id = %d" % i, "SELECT a,\n\tb\nFROM t -- why?\nWHERE c = 'it''s \"%d\"'" % i,
                              "UPDATE t SET a = %d WHERE b = 'x, y'" % i, "INSERT INTO t VALUES (%d, E'a\\'b')" % i])
            row = dict(base, message=f"duration: {ms} ms  statement: {sql}")
        elif kind < 6:
            row = dict(base, message=f"duration: {ms} ms  execute <unnamed>: SELECT * FROM orders WHERE user_id = $1 AND note = $2",
                       detail=f"parameters: $1 = '{i}', $2 = 'a, ''quoted'' b'")
        elif kind == 6:
            row = dict(base, severity="ERROR", state="22012", message="division by zero", query="SELECT 1 / 0")
        else:
            row = dict(base, message="connection received: host=10.0.0.1 port=5432", user="", db="", app="")
        lines[pid] = lines.get(pid, 0) + 1
        out.append(dict(row, line=lines[pid]))
        lines[pid] += bool(row["detail"]) + bool(row["query"])
    return out


ROWS = activity()


def stamp(at, digits=3):
    return at.strftime("%Y-%m-%d %H:%M:%S") + (f".{at.microsecond // 1000:03}" if digits else "") + " UTC"


def parts(r):
    """The lines of one message: (severity, text, line number)."""
    out = [(r["severity"], r["message"], r["line"])]
    if r["detail"]:
        out.append(("DETAIL", r["detail"], r["line"] + 1))
    if r["query"]:
        out.append(("STATEMENT", r["query"], r["line"] + 1))
    return out


def prefix_text(prefix, r, line):
    values = {"m": stamp(r["at"]), "t": stamp(r["at"], 0), "n": f"{(r['at'] - datetime.datetime(1970, 1, 1)).total_seconds():.3f}",
              "p": str(r["pid"]), "u": r["user"] or "[unknown]", "d": r["db"] or "[unknown]", "a": r["app"] or "[unknown]",
              "h": r["host"], "r": f"{r['host']}({40000 + r['pid']})", "l": str(line), "c": f"65a0f0f0.{r['pid']:x}",
              "v": r["vxid"], "x": "0", "e": r["state"], "i": "SELECT", "s": stamp(EPOCH, 0), "Q": str((-1) ** line * 4242424242424242424), "P": "", "L": "10.0.0.1", "b": "client backend",
              "q": "", "%": "%"}
    def field(m):
        width = int(m[1] or 0)  # %-12u: at least twelve characters, blanks behind it
        return values[m[2]] if m[2] in "q%" else values[m[2]].ljust(-width) if width < 0 else values[m[2]].rjust(width)

    return re.sub("%(-?[0-9]*)(.)", field, prefix)


def stderr(rows, prefix="%m [%p] %q%u@%d ", end="\n"):
    return "".join(prefix_text(prefix, r, n) + f"{sev}:  " + text.replace("\n", "\n\t").replace("\n", end) + end
                   for r in rows for sev, text, n in parts(r))


def csvlog(rows, columns=26):
    out = io.StringIO()
    w = csv.writer(out, lineterminator="\n")
    for r in rows:
        cells = [stamp(r["at"]), r["user"], r["db"], r["pid"], f"{r['host']}:5000", f"65a0f0f0.{r['pid']:x}", r["line"], "SELECT",
                 stamp(EPOCH, 0), r["vxid"], 0, r["severity"], r["state"], r["message"], r["detail"], "", "", "", "", r["query"], "", "",
                 r["app"], "client backend", "", 0]
        w.writerow(cells[:columns])
    return out.getvalue()


def jsonlog(rows):
    keys = [("user", "user"), ("dbname", "db"), ("detail", "detail"), ("statement", "query"), ("application_name", "app")]
    out = []
    for r in rows:
        o = {"timestamp": stamp(r["at"]), "pid": r["pid"], "remote_host": r["host"], "remote_port": 5000, "session_id": f"65a0f0f0.{r['pid']:x}",
             "line_num": r["line"], "vxid": r["vxid"], "error_severity": r["severity"], "state_code": r["state"], "message": r["message"]}
        o.update({k: r[v] for k, v in keys if r[v]})
        out.append(json.dumps(o))
    return "\n".join(out) + "\n"


def syslog(rows, head, interleave=False):
    """Pieces of at most 60 bytes, as PostgreSQL cuts at 900; %m [%p] … stands inside."""
    seq, streams = 0, []
    for r in rows:
        for sev, text, n in parts(r):
            seq += 1
            whole = prefix_text("%m [%p] %u@%d ", r, n) + f"{sev}:  {text}"
            pieces = []
            for i, line in enumerate(whole.split("\n")):
                line = ("#011" + line.removeprefix("\t")) if i else line
                size = 60 if i or len(line) < 200 else 200
                pieces += [line[k:k + size] for k in range(0, max(1, len(line)), size)]
            streams.append([head(r) + f"[{seq}-{k + 1}] {p}" for k, p in enumerate(pieces)])
    if interleave:  # two messages of different processes at a time
        out, i = [], 0
        while i < len(streams):
            a = streams[i]
            b = streams[i + 1] if i + 1 < len(streams) and rows_pid(a) != rows_pid(streams[i + 1]) else []
            for k in range(max(len(a), len(b))):
                out += a[k:k + 1] + b[k:k + 1]
            i += 2 if b else 1
        return "\n".join(out) + "\n"
    return "\n".join(line for s in streams for line in s) + "\n"


def rows_pid(stream):
    return stream[0].split("[")[1].split("]")[0]


def rfc3164(r):
    return f"{r['at'].strftime('%b')} {r['at'].day:2} {r['at'].strftime('%H:%M:%S')} dbhost postgres[{r['pid']}]: "


def rfc5424(r):
    return f"<134>1 {r['at'].isoformat(timespec='milliseconds')}Z dbhost postgres {r['pid']} - - "


def logplex(r):
    return f"{r['at'].isoformat()}+00:00 app[postgres.{r['pid']}]: [DATABASE] "


def cloudsql(rows):
    return "".join(json.dumps({"insertId": "x", "textPayload": prefix_text("%m [%p]: [%l-1] db=%d,user=%u ", r, n) + f"{sev}:  {text}",
                               "timestamp": r["at"].isoformat() + "Z", "resource": {"type": "cloudsql_database"}}) + "\n"
                   for r in rows for sev, text, n in parts(r))


def azure(rows):
    return "".join(json.dumps({"time": r["at"].isoformat() + "Z", "resourceId": "/X", "properties": {
        "timestamp": stamp(r["at"]), "processId": r["pid"], "errorLevel": sev, "sqlerrcode": r["state"],
        "message": prefix_text("%t-%c-", r, n) + f"{sev}:  {text}"}}) + "\n" for r in rows for sev, text, n in parts(r))


def cnpg(rows):
    out = ['{"level":"info","ts":"2024-01-05T10:00:00Z","logger":"instance-manager","msg":"hello"}']
    for r in rows:
        out.append(json.dumps({"level": "info", "ts": r["at"].isoformat() + "Z", "logger": "postgres", "msg": "record", "record": {
            "log_time": stamp(r["at"]), "user_name": r["user"], "database_name": r["db"], "process_id": str(r["pid"]),
            "connection_from": f"{r['host']}:5000", "session_id": f"65a0f0f0.{r['pid']:x}", "session_line_num": str(r["line"]),
            "virtual_transaction_id": r["vxid"], "error_severity": r["severity"], "sql_state_code": r["state"], "message": r["message"],
            "detail": r["detail"], "query": r["query"], "application_name": r["app"]}}))
    return "\n".join(out) + "\n"


def azure_single(rows):
    """Azure's Single Server: prefix, level and message are fields of their own."""
    return "".join(json.dumps({"time": r["at"].isoformat() + "Z", "category": "PostgreSQLLogs", "properties": {
        "prefix": prefix_text("%m [%p] ", r, n), "message": text, "errorLevel": sev}}) + "\n" for r in rows for sev, text, n in parts(r))


def syslog_mixed(rows, head):
    """The machine's own syslog: most of its lines are other programs'."""
    other = ["systemd[1]: Started a service.", "kernel: eth0: link is up", "cron[77]: (root) CMD (true)"]
    lines = syslog(rows, head).splitlines()
    when = head(rows[0]).partition(" dbhost ")[0] if head is rfc3164 else head(rows[0]).split()[0]
    return "".join(f"{when} dbhost {other[i % 3]}\n{when} dbhost {other[(i + 1) % 3]}\n{line}\n" for i, line in enumerate(lines))


def logplex_mixed(rows):
    """What `heroku logs` prints: the application, the router, the database."""
    when = logplex(rows[0]).split()[0]
    others = [f"{when} app[web.1]: Started GET /", f"{when} heroku[router]: at=info method=GET path=/ status=200"]
    return "".join(f"{others[i % 2]}\n{line}\n" for i, line in enumerate(syslog(rows, logplex).splitlines()))


def rsyslog(r):
    return f"{r['at'].isoformat(timespec='microseconds')}+00:00 dbhost postgres[{r['pid']}]: "


def journal_json(rows):
    return "".join(json.dumps({"__REALTIME_TIMESTAMP": str(int((r["at"] - datetime.datetime(1970, 1, 1)).total_seconds() * 1e6)), "_PID": str(r["pid"]),
                               "SYSLOG_IDENTIFIER": "postgres", "MESSAGE": prefix_text("%m [%p] ", r, n) + f"{sev}:  {text}"}) + "\n"
                   for r in rows for sev, text, n in parts(r))


def journal_export(rows):
    out = b""
    for r in rows:
        for sev, text, n in parts(r):
            message = (prefix_text("%m [%p] ", r, n) + f"{sev}:  {text}").encode()
            out += b"__CURSOR=s=1\n__REALTIME_TIMESTAMP=%d\n_PID=%d\n" % (
                int((r["at"] - datetime.datetime(1970, 1, 1)).total_seconds() * 1e6), r["pid"])
            if b"\n" in message:
                out += b"MESSAGE\n" + struct.pack("<Q", len(message)) + message + b"\n\n"
            else:
                out += b"MESSAGE=" + message + b"\n\n"
    return out


def assay(path, *options, status=(0,)):
    got = subprocess.run([PGASSAY, "log", str(path), "-f", "json", *options], capture_output=True, text=True)
    assert got.returncode in status, got.stderr
    return json.loads(got.stdout)


def numbers(report):
    """What must not depend on the format."""
    return ({s["sql"]: (s["calls"], s.get("total_ms"), s.get("p95_ms"), s.get("errors")) for s in report["shapes"]},
            sorted((e["message"], e["count"]) for e in report["errors"]), report["server"]["connections"])


def write(tmp_path, content):
    path = tmp_path / "log"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def accounted(report, path):
    assert sum(report["input"]["by_class"].values()) == report["input"]["bytes"] == os.path.getsize(path)


@pytest.fixture(scope="module")
def truth(tmp_path_factory):
    path = write(tmp_path_factory.mktemp("truth"), stderr(ROWS))
    report = assay(path)
    accounted(report, path)
    assert report["input"]["not_understood_bytes"] == 0
    return numbers(report)


def test_the_truth_is_what_was_written(truth):
    shapes = truth[0]
    said = [r["message"].split(" ms  ") for r in ROWS if r["message"].startswith("duration")]
    assert sum(c for c, *_ in shapes.values()) == len(said)
    assert abs(sum(t or 0 for _, t, *_ in shapes.values()) - sum(float(m[0].split()[1]) for m in said)) < 0.01
    assert truth[1] == [("division by zero", sum(r["severity"] == "ERROR" for r in ROWS))]


FORMATS = {
    "csv23": lambda: csvlog(ROWS, 23), "csv24": lambda: csvlog(ROWS, 24), "csv26": lambda: csvlog(ROWS, 26),
    "jsonlog": lambda: jsonlog(ROWS), "crlf": lambda: stderr(ROWS, end="\r\n"),
    "rfc3164": lambda: syslog(ROWS, rfc3164), "rfc5424": lambda: syslog(ROWS, rfc5424),
    "syslog-interleaved": lambda: syslog(ROWS, rfc3164, True), "logplex": lambda: syslog(ROWS, logplex),
    "syslog-mixed": lambda: syslog_mixed(ROWS, rfc3164), "rsyslog-mixed": lambda: syslog_mixed(ROWS, rsyslog),
    "logplex-mixed": lambda: logplex_mixed(ROWS),
    "azure-single": lambda: azure_single(ROWS),
    "cloudsql": lambda: cloudsql(ROWS), "azure": lambda: azure(ROWS), "cnpg": lambda: cnpg(ROWS),
    "journal-json": lambda: journal_json(ROWS), "journal-export": lambda: journal_export(ROWS),
}


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_gives_the_same_numbers(name, tmp_path, truth):
    path = write(tmp_path, FORMATS[name]())
    report = assay(path)
    accounted(report, path)
    assert report["input"]["not_understood_bytes"] == 0
    assert numbers(report) == truth


def cri(line, n):
    """As containerd writes it: lines of 60 bytes at most, P where one goes on."""
    pieces = [line[i:i + 60] for i in range(0, len(line), 60)]
    return "".join(f"2024-01-05T10:00:00.{n:09}Z stderr {'F' if i == len(pieces) - 1 else 'P'} {t}\n" for i, t in enumerate(pieces))


def docker(line, n):
    text = line + "\n"
    return "".join(json.dumps({"log": text[i:i + 70], "stream": "stderr", "time": f"2024-01-05T10:00:00.{n:09}Z"}, separators=(",", ":")) + "\n"
                   for i in range(0, len(text), 70))


def octets(line):
    return f"{len(line.encode())} {line}"


WRAPPED = {
    "cri": lambda: "".join(cri(x, i) for i, x in enumerate(stderr(ROWS).splitlines())),
    "cri-cnpg": lambda: "".join(cri(x, i) for i, x in enumerate(cnpg(ROWS).splitlines())),
    "kubectl-timestamps": lambda: "".join(f"2024-01-05T10:00:00.{i:09}Z {x}\n" for i, x in enumerate(stderr(ROWS).splitlines())),
    "docker": lambda: "".join(docker(x, i) for i, x in enumerate(stderr(ROWS).splitlines())),
    "gcloud": lambda: json.dumps([json.loads(x) for x in cloudsql(ROWS).splitlines()], indent=2),
    "octet-counted": lambda: "".join(octets(x) for x in syslog(ROWS, rfc5424).splitlines()),
    "syslog-unsplit": lambda: "".join(rfc5424(r) + f"[{n}-1] {prefix_text('%m [%p] %u@%d ', r, n)}{sev}:  " + text.replace("\n", "#012#011") + "\n"
                                      for r in ROWS for sev, text, n in parts(r)),
}


@pytest.mark.parametrize("name", WRAPPED)
@pytest.mark.parametrize("pack", [str.encode, lambda t: gzip.compress(t.encode())], ids=["plain", "gz"])
def test_what_wraps_each_line_is_taken_off(name, pack, tmp_path, truth):
    path = tmp_path / "x.log"
    path.write_bytes(pack(WRAPPED[name]()))
    report = assay(path)
    assert report["input"]["not_understood_bytes"] == 0 and sum(report["input"]["by_class"].values()) == report["input"]["bytes"]
    assert numbers(report) == truth


def test_a_wrapped_log_is_read_on_where_it_ended(tmp_path, truth):
    """--state counts what the wrapping leaves; cut anywhere, nothing is read twice or lost."""
    lines, log, state = WRAPPED["cri"](), tmp_path / "x.log", tmp_path / "state"
    got = 0
    for end in (len(lines) // 3, len(lines) // 2 + 7, len(lines)):
        log.write_text(lines[:end])
        got += assay(log, "--state", state)["input"]["statements"]
    assert got == assay(write(tmp_path, stderr(ROWS)))["input"]["statements"]


def test_the_journal_of_a_server_that_writes_to_its_pipe(tmp_path, truth):
    """Each line is an entry of its own, and all of them are the postmaster's."""
    entry = "__CURSOR=s=1;i={}\n__REALTIME_TIMESTAMP=1704449472000000\n_PID=1\nSYSLOG_IDENTIFIER=postgres\nMESSAGE={}\n\n"
    report = assay(write(tmp_path, "".join(entry.format(i, x) for i, x in enumerate(stderr(ROWS).splitlines()))))
    assert report["input"]["not_understood_bytes"] == 0 and numbers(report) == truth


def test_lines_of_another_program_and_junk_continue_no_statement(tmp_path, truth):
    lines = stderr(ROWS).splitlines(keepends=True)
    mixed = "\ufeff" + "".join(("\0" * 20 + x if i % 7 == 0 and not x.startswith("\t") else x) + ("2024-01-05 10:00:00,123 INFO: no action. I am (db-0), the leader\n"
                               if i % 5 == 0 and not (lines + ["2"])[i + 1].startswith("\t") else "") for i, x in enumerate(lines))
    report = assay(write(tmp_path, mixed))
    assert report["input"]["not_understood_bytes"] == 0 and numbers(report) == truth


@pytest.mark.parametrize("name", ["csv26", "rfc3164", "syslog-interleaved", "jsonlog", "journal-export"])
def test_jobs_and_chunks_change_nothing(name, tmp_path):
    path = write(tmp_path, FORMATS[name]())
    reports = {subprocess.run([PGASSAY, "log", str(path), "-f", "json", "--jobs", str(j), "--chunk", str(c)], capture_output=True,
                              check=True).stdout for j in (1, 3) for c in (1, 5, 512)}
    assert len(reports) == 1


PREFIXES = ["%m [%p] ", "%t [%p]: [%l-1] user=%u,db=%d,app=%a,client=%h ", "%t:%r:%u@%d:[%p]:", "%n [%p] %q%u@%d ", "%m|%p|%c|%l|%u|%d|%h|%a|%v|%x|%e|%i|",
            "%m %p %u@%d from %h [vxid:%v txid:%x] [%i] ", "[%m] [%p] [%u] [%d] [%a] ", "%c %m %q%a ", "%p,%m", "%u@%d,%p,%m", "%m %p %c"]


def random_prefix(rng):
    fields = rng.sample(["%u", "%d", "%a", "%h", "%r", "%l", "%c", "%v", "%x", "%e", "%i", "%Q", "%b"], rng.randrange(1, 8))
    out = rng.choice(["%m", "%t", "%n"]) + rng.choice([" [%p]", " %p ", "|%p|", " pid=%p,"])
    for f in fields:
        out += rng.choice([" ", "|", ",", " key=", " [", ";"]) + f
    return out + rng.choice([" ", ": ", "| ", "] "])


def random_dense_prefix(rng):
    """Widths, digits beside numbers, and no blank between two escapes, unless both are of free text."""
    out, before, numbers = "", "", "plxPQvcn"
    for f in rng.sample("mtpudahlcvxeinQb", rng.randrange(4, 12)) + ["p"] * ("p" not in out):
        free = before in "udaib" and f in "udaibh"  # where one ends nobody could say
        again = before in numbers and f in numbers  # nor which digits are whose
        out += rng.choice([";", "|", "db=", "!"] if free or again or not before else ["", "7", "42", "[", "user=", ", "])
        out += "%" + rng.choice(["", "", "", "-12", "10", "-20"]) + f
        before = f
    return out + rng.choice(["", " ", "7 ", ": "])


WIDE = ["%-12x>%-12b|%p %m ", ",%-12d %10m%5t,%e#%p:%-12n;%-12e! ", "/%v7%10a, %b%q#%d;%-12t %p7", "%n%m7%10e %5d %-8t#%-12l,%10b@%p- ",
        "%p42%-8n %u", "%p <%l> %m ", "%h%e%-12x[%d!%a %p ", "%-30a|%-2u|%p|%-40m", "%10p%-10p %m "]


@pytest.mark.parametrize("prefix", PREFIXES + [random_prefix(random.Random(n)) for n in range(24)] + WIDE +
                         [random_dense_prefix(random.Random(n)) for n in range(40)])
def test_a_given_prefix(prefix, tmp_path, truth):
    path = write(tmp_path, stderr(ROWS, prefix))
    report = assay(path, "--prefix", prefix)
    accounted(report, path)
    assert report["input"]["not_understood_bytes"] == 0
    assert numbers(report) == truth


def random_packed_prefix(rng):
    """Any escapes in any order, with nothing between most of them."""
    out = ""
    for f in rng.sample("mtnspPudahrlcvxeinQbL", rng.randrange(3, 9)) + ["p"]:
        out += rng.choice(["", "", "", ":", "x", " ", "[", "1"]) + "%" + rng.choice(["", "", "", "-12", "10"]) + f
    return out + rng.choice(["", " ", "7 ", ": "])


def test_what_a_given_prefix_leaves_open_is_said(tmp_path, truth):
    open_ones = 0
    for n in range(24):
        prefix = random_packed_prefix(random.Random(n))
        report = assay(write(tmp_path, stderr(ROWS, prefix)), "--prefix", prefix)
        said = report["input"]["files"][0].get("prefix_doubt")
        assert said or numbers(report) == truth, prefix
        open_ones += said is not None
    assert 0 < open_ones < 24


def test_names_told_by_their_place_are_said(tmp_path):
    of = {p: assay(write(tmp_path, stderr(ROWS, p)))["input"]["files"][0].get("prefix_doubt", "") for p in ("%m [%p] %u|%d ", "%m [%p] %u@%d ")}
    assert "%u, %d told by place alone" in of["%m [%p] %u|%d "] and not of["%m [%p] %u@%d "]


SEEN = ["%h %u %m %p ", "%r|%t|%p|%Q|", "%e %t [%p] ", "%b[%p] %m ", "%n %p %e ", "%i:%p; %l] [%m@: ", "%Q %P %m %p ",
        "%m|%u|%d|%c|%l|%s|%v|%x|%p|%r|%a|%e|%i|%b|%Q ", "%u@%d/%a@%h[%p] %t %c %v %x %l ", "%m[%p]%u@%d", "%t%p", "%l/%p@%d %a] [%t@%c/%h@ "]


@pytest.mark.parametrize("prefix", PREFIXES + SEEN)
def test_an_inferred_prefix(prefix, tmp_path, truth):
    path = write(tmp_path, stderr(ROWS, prefix))
    assert numbers(assay(path)) == truth


def test_packed(tmp_path, truth):
    text = stderr(ROWS).encode()
    (tmp_path / "a.gz").write_bytes(gzip.compress(text))
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as z:
        z.writestr("dir/pg.log", text)
    with tarfile.open(tmp_path / "a.tar.xz", "w:xz") as t:
        info = tarfile.TarInfo("pg.log")
        info.size = len(text)
        t.addfile(info, io.BytesIO(text))
    for name in ("a.gz", "a.zip", "a.tar.xz"):
        assert numbers(assay(tmp_path / name)) == truth, name
    with open(tmp_path / "a.gz", "rb") as f:
        got = subprocess.run([PGASSAY, "log", "-", "-f", "json"], stdin=f, capture_output=True, text=True, check=True)
    assert numbers(json.loads(got.stdout)) == truth


def test_garbage_neither_crashes_nor_loses_count(tmp_path):
    rng = random.Random(3)
    for name in FORMATS:
        text = FORMATS[name]()
        data = bytearray(text if isinstance(text, bytes) else text.encode())
        for _ in range(400):
            at = rng.randrange(len(data))
            if rng.random() < .5:
                data[at] = rng.choice(b"\0\xff\n\r\"',{}[] \t\x80")
            else:
                del data[at:at + rng.randrange(40)]
        path = write(tmp_path, bytes(data))
        accounted(assay(path, "--max-unparsed", "100", status=(0, 3)), path)


def test_nothing_recognised_is_said(tmp_path):
    path = write(tmp_path, "what is this?\n" * 50)
    assert assay(path, status=(3,))["input"]["not_understood_bytes"] == os.path.getsize(path)


def test_state_reads_everything_once(tmp_path, truth):
    """In pieces, a line cut in the middle, across a rotation: together the whole, nothing twice."""
    text, log, state = stderr(ROWS).encode(), tmp_path / "pg.log", tmp_path / "state"
    whole = text.index(b"\n2024", 31000) + 1  # a server ends its line before it opens the next file
    sums, cuts = {}, [0, 9000, 20000, whole, len(text)]

    def collect():
        got = assay(log, "--state", str(state), status=(0, 3))
        for s in got["shapes"]:
            sums[s["sql"]] = sums.get(s["sql"], 0) + s["calls"]

    log.write_bytes(b"")
    for k, (a, b) in enumerate(zip(cuts, cuts[1:])):
        with open(log, "ab") as f:
            f.write(text[a:b])
        collect()
        collect()  # nothing new
        if k == 1:  # more is written, then it is rotated before anybody looked
            with open(log, "ab") as f:
                f.write(text[b:cuts[k + 2]])
            log.rename(tmp_path / "pg.log.1")
            log.write_bytes(b"")
            collect()
            cuts[k + 1] = cuts[k + 2]
            rest = text[cuts[k + 2]:]
            break
    log.write_bytes(rest)
    collect()
    assert sum(sums.values()) == sum(c for c, *_ in truth[0].values())


def test_follow_goes_on_across_a_rotation(tmp_path, truth):
    import signal
    text, log, out = stderr(ROWS).encode(), tmp_path / "pg.log", tmp_path / "out.json"
    at = text.index(b"\n2024", len(text) // 2) + 1
    log.write_bytes(text[:at // 2])
    p = subprocess.Popen([PGASSAY, "log", str(log), "-f", "json", "-o", str(out), "--follow"], stderr=subprocess.DEVNULL)
    try:
        wait_until(lambda: has_read(p, log))
        with open(log, "ab") as f:
            f.write(text[at // 2:at])
        wait_until(lambda: has_read(p, log))
        log.rename(tmp_path / "pg.log.1")
        log.write_bytes(text[at:])
        wait_until(lambda: has_read(p, log))
        p.send_signal(signal.SIGINT)
        assert p.wait(500) == 0
    finally:
        p.kill()
    got = json.loads(out.read_text())
    assert {s["sql"]: s["calls"] for s in got["shapes"]} == {q: c for q, (c, *_) in truth[0].items()}


def test_merged_reports_are_the_report_of_all(tmp_path):
    """Two halves, cut where no session has anything open, merged: the numbers of the whole."""
    (tmp_path / "a.log").write_text(stderr(ROWS[:150]))
    (tmp_path / "b.log").write_text(stderr(ROWS[150:]))
    for n in "ab":
        subprocess.run([PGASSAY, "log", str(tmp_path / f"{n}.log"), "-f", "json", "-o", str(tmp_path / f"{n}.json")], check=True)
    got = json.loads(subprocess.run([PGASSAY, "merge", str(tmp_path / "a.json"), str(tmp_path / "b.json"), "-f", "json"],
                                    capture_output=True, check=True).stdout)
    want = assay_both(tmp_path)
    assert numbers(got) == numbers(want)
    for key in ("statements", "bytes", "by_class", "first", "last"):
        assert got["input"][key] == want["input"][key], key
    for kind in ("users", "databases"):
        assert [{k: g[k] for k in ("name", "calls", "total_ms", "p99_ms")} for g in sorted(got["by"][kind], key=lambda g: g["name"])] == \
            [{k: g[k] for k in ("name", "calls", "total_ms", "p99_ms")} for g in sorted(want["by"][kind], key=lambda g: g["name"])]
    assert {(f["rule"], f["shape"]) for f in got["findings"]} == {(f["rule"], f["shape"]) for f in want["findings"]}


def assay_both(tmp_path):
    return json.loads(subprocess.run([PGASSAY, "log", str(tmp_path / "a.log"), str(tmp_path / "b.log"), "-f", "json"],
                                     capture_output=True, check=True).stdout)


def test_pg_stat_statements_as_csv(tmp_path):
    path = tmp_path / "pgss.csv"
    with open(path, "w", newline="") as f:
        w = csv.writer(f)
        w.writerow(["userid", "queryid", "query", "calls", "total_exec_time", "min_exec_time", "max_exec_time", "rows"])
        w.writerow([10, 1, 'SELECT "a",\n b FROM t WHERE c = $1', 40, 100.5, .25, 9, 80])
        w.writerow([10, 2, "SELECT count(*) FROM t", 3, 33, 10, 12, 3])
    got = assay(path)
    accounted(got, path)
    shapes = {s["sql"]: s for s in got["shapes"]}
    one = shapes['select "a", b from t where c = ?']
    assert (one["calls"], one["total_ms"], one["min_ms"], one["max_ms"], one["rows"]) == (40, 100.5, .25, 9, 80)
    assert got["input"]["statements"] == 43
    assert any("quantiles are not known" in n for n in got["notes"])


@pytest.mark.parametrize("columns", [["query", "calls", "total_time", "rows"], ["toplevel", "query", "calls", "new", "total_exec_time", "rows"]])
def test_pg_stat_statements_without_a_least_and_a_longest_time(columns, tmp_path):
    """9.4 does not have them; what a later release adds is passed over.  The mean stands in."""
    path = tmp_path / "pgss.csv"
    row = dict(query="SELECT 1 FROM t WHERE c = $1", calls=40, rows=80, new='a,"b"', toplevel="t")
    with open(path, "w", newline="") as f:
        w = csv.writer(f)
        w.writerow(columns)
        w.writerow([row.get(c, 100) for c in columns])
    got = assay(path)
    accounted(got, path)
    [one] = got["shapes"]
    assert (one["calls"], one["total_ms"], one["min_ms"], one["max_ms"], one["rows"]) == (40, 100, 2.5, 2.5, 80)


def test_herokus_own_prefix(tmp_path):
    """It is the same for all their databases, so nobody can be asked to write it down."""
    fields = ('sql_error_code = %e time="%m" pid="%p" proc_start_time="%s" session_id="%c" vtid="%v" tid="%x" log_line="%l" '
              'database="%d" connection_source="%r" user="%u" application_name="%a" ')
    lines = [f"{logplex(r)}[{r['line']}-1]  {prefix_text(fields, r, n)}{sev}:  {text}\n" for r in ROWS for sev, text, n in parts(r) if "\n" not in text]
    path = write(tmp_path, "".join(lines))
    report = assay(path)
    accounted(report, path)
    assert report["input"]["not_understood_bytes"] == 0
    plain = assay(write(tmp_path, stderr(ROWS)))
    assert {u["name"] for u in report["by"]["users"]} == {u["name"] for u in plain["by"]["users"]}


def fits(schema, value, where="$"):
    """The little of JSON Schema that docs/report.schema.json uses."""
    kinds = {"object": dict, "array": list, "string": str, "integer": int, "number": (int, float), "null": type(None), "boolean": bool}
    if "const" in schema:
        assert value == schema["const"], where
    if "enum" in schema:
        assert value in schema["enum"], where
    if "type" in schema:
        want = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
        assert any(isinstance(value, kinds[t]) and (t == "boolean" or not isinstance(value, bool)) for t in want), (where, value)
    for key in schema.get("required", []):
        assert key in value, f"{where}.{key}"
    if isinstance(value, dict):
        for key, v in value.items():
            # our own writer: a key that the schema does not have is one that was forgotten there
            if "properties" in schema:
                assert key in schema["properties"], f"{where}.{key}"
                fits(schema["properties"][key], v, f"{where}.{key}")
    for k, v in enumerate(value if isinstance(value, list) else []):
        fits(schema.get("items", {}), v, f"{where}[{k}]")


def test_the_report_is_what_its_schema_says(tmp_path):
    with open(os.path.join(ROOT, "docs", "report.schema.json"), encoding="utf-8") as f:
        schema = json.load(f)
    fits(schema, assay(write(tmp_path, stderr(ROWS))))
    fits(schema, assay(write(tmp_path, csvlog(ROWS))))
    fits(schema, assay(os.path.join(ROOT, "build", "demo", "query.jsonl"))) if os.path.exists(
        os.path.join(ROOT, "build", "demo", "query.jsonl")) else None


def timed(k, pid, text):
    return f"2024-01-05 10:{k // 60 % 60:02}:{k % 60:02}.000 UTC [{pid}] {text}\n"


def test_a_sampled_log_says_that_its_counts_are_lower_bounds(tmp_path):
    rng = random.Random(1)
    whole = [timed(k, 10 + k % 3, f"LOG:  duration: 0.5 ms  statement: {q}") for k, q in
             enumerate(q for _ in range(200) for q in ["BEGIN"] * 3 + ["SELECT 1"] * 3 + ["COMMIT"] * 3)]
    report = assay(write(tmp_path, "".join(whole)))
    assert not report["input"]["lower_bounds"] and not any("lower bounds" in n for n in report["notes"])
    sampled = assay(write(tmp_path, "".join(line for line in whole if rng.random() < .1)))
    assert sampled["input"]["lower_bounds"] and any("is sampled" in n for n in sampled["notes"])
    said = timed(0, 1, 'LOG:  parameter "log_statement_sample_rate" changed to "0.01"') + "".join(whole)
    assert any("is sampled" in n for n in assay(write(tmp_path, said))["notes"])
    slow = [timed(k, 10, f"LOG:  duration: {5 + k}.000 ms  statement: SELECT 1") for k in range(150)]
    threshold = assay(write(tmp_path, "".join(slow)))
    assert threshold["input"]["lower_bounds"] and any("log_min_duration_statement" in n for n in threshold["notes"])
    doctor = subprocess.run([PGASSAY, "log", "--doctor", write(tmp_path, said)], capture_output=True, text=True).stdout
    assert "log_statement_sample_rate = 1" in doctor


@pytest.mark.parametrize("text, says", [
    ("2024-01-05 10:00:00.000 UTC [7] LOG:  checkpoint starting: time\n", "log_min_duration_statement = 0"),
    ("2024-01-05 10:00:00.000 UTC [7] LOG:  statement: SELECT 1\n", "log_min_duration_statement = 0 instead of log_statement = all"),
    ('2024-01-05 10:00:00.000 UTC [7] LOG:  parameter "log_min_duration_statement" changed to "-1"\n', "was set to -1, says the log"),
    ('2024-01-05 10:00:00.000 UTC [7] LOG:  parameter "log_min_duration_statement" changed to "200ms"\n'
     "2024-01-05 10:00:01.000 UTC [8] LOG:  duration: 200.5 ms  statement: SELECT 1\n", "is above 0, says the log"),
    ("2024-01-05 10:00:00.000 UTC [7] LOG:  duration: 0.1 ms\n", "durations alone are logged"),
    ("2024-01-05 10:00:00.000 UTC [7] ERROR:  division by zero\n", "only those that failed"),
    ("2024-01-05 10:00:00.000 UTC [7] PROTOKOLLI:  kesto: 0.1 ms  lause: SELECT 1\n", "lc_messages = 'C'"),
    ("what is this?\n" * 9, "--prefix"),
    ("", "pg_current_logfile"),
    ("\0\1\2" * 99, "this is no text"),
    ("2024-01-05 10:00:00.000 UTC LOG:  duration: 0.1 ms  statement: SELECT 1\n" * 5, "'%m [%p] %q%u@%d/%a '"),
])
def test_the_doctor_explains_what_a_log_lacks(text, says, tmp_path):
    got = subprocess.run([PGASSAY, "log", "--doctor", write(tmp_path, text)], capture_output=True, text=True)
    assert says in got.stdout, got.stdout


def test_a_wrong_prefix_is_held_against_the_log(tmp_path):
    words = [PGASSAY, "log", "--prefix", "%t [%p]: [%l-1] user=%u,db=%d ", write(tmp_path, stderr(ROWS))]
    doctor = subprocess.run([*words, "--doctor"], capture_output=True, text=True)
    assert "fits 0 %" in doctor.stdout and "--prefix '%m [%p] %q%u@%d '" in doctor.stdout
    report = subprocess.run(words, capture_output=True, text=True)
    assert report.returncode == 3 and "they look like '%m [%p] %q%u@%d '" in report.stderr


@pytest.mark.parametrize("table, sums", [("shapes", "calls"), ("minutes", "calls"), ("groups", None), ("samples", None), ("errors", None),
                                         ("transactions", None), ("waits", None), ("vacuums", None), ("findings", None)])
def test_every_table_as_csv(table, sums, tmp_path):
    path = write(tmp_path, stderr(ROWS))
    report = assay(path)
    out = subprocess.run([PGASSAY, "log", path, "-f", "csv", "--table", table], capture_output=True, text=True)
    assert out.returncode == 0, out.stderr
    head, *rows = csv.reader(io.StringIO(out.stdout))
    assert all(len(r) == len(head) for r in rows)
    if sums:
        assert sum(int(r[head.index(sums)]) for r in rows) == report["input"]["statements"]
    if table == "groups":
        users = {r[1]: int(r[2]) for r in rows if r[0] == "users"}
        assert sum(users.values()) == report["input"]["statements"] and set(users) == {"user0", "user1", "user2"}
    if table == "errors":
        assert [(int(r[0]), r[-1]) for r in rows] == [(e["count"], e["message"]) for e in report["errors"]]
    if table == "samples":
        assert len(rows) == sum(len(s["samples"]) for s in report["shapes"])


def test_csv_tables_are_masked(tmp_path):
    path = write(tmp_path, stderr(ROWS))
    for table in ("samples", "errors", "findings", "shapes"):
        out = subprocess.run([PGASSAY, "log", path, "-f", "csv", "--table", table, "--literals", "mask"], capture_output=True, text=True).stdout
        assert "quoted" not in out and "it''s" not in out, table
    plain = subprocess.run([PGASSAY, "log", path, "-f", "csv", "--table", "samples", "--literals", "keep"], capture_output=True, text=True).stdout
    assert "quoted" in plain


def test_a_plain_log_has_the_sqlstates_of_a_servers_end(tmp_path):
    """What a server says as it stops is in any log: without %e its SQLSTATE is told from the text."""
    said = {"terminating connection due to administrator command": "57P01",
            "terminating autovacuum process due to administrator command": "57P01",
            "terminating background worker \"logical replication launcher\" due to administrator command": "57P01",
            "terminating connection because of crash of another server process": "57P02",
            "the database system is shutting down": "57P03",
            "canceling autovacuum task": "57014"}
    path = tmp_path / "pg.log"
    path.write_text("".join(f"{stamp(EPOCH)} [{20 + i}] u@d FATAL:  {m}\n" for i, m in enumerate(said)))
    states = {e["sqlstate"] for e in assay(path, status=(3,))["errors"]}
    assert states == set(said.values())


# As PostgreSQL 9.6 to 18 word them where test_log_languages.py, which has servers of 15, cannot: LOG, ERROR, DETAIL, a
# statement with its duration, one without, parse, bind, execute, the parameters.
WORDINGS = {
    "pl": ("DZIENNIK", "BŁĄD", "SZCZEGÓŁY", "czas trwania: 1.500 ms  wyrażenie: {}", "wyrażenie: {}", "czas trwania: 0.100 ms  parsowanie S_1: {}",
           "czas trwania: 0.200 ms  dowiązanie S_1: {}", "czas trwania: 2.500 ms  wykonanie S_1: {}", "parametry: {}"),
    "pt_BR": ("LOG", "ERRO", "DETALHE", "duração: 1.500 ms  comando: {}", "comando: {}", "duração: 0.100 ms  análise de S_1: {}",
              "duração: 0.200 ms  ligação S_1: {}", "duração: 2.500 ms  executar S_1: {}", "parâmetros: {}"),
    "tr": ("LOG", "HATA", "DETAIL", "süre: 1.500 milisaniye  komut: {}", "komut: {}", "süre: 0.100 milisaniye  parse S_1: {}",
           "süre: 0.200 milisaniye  bind S_1: {}", "süre: 2.500 ms  execute S_1: {}", "Parameters: {}"),
    "id": ("LOG", "ERROR", "DETIL", "durasi: 1.500 ms, perintah: {}", "perintah: {}", "durasi: 0.100 ms, memilah S_1 : {}",
           "durasi: 0.200 ms, ikat S_1: {}", "durasi: 2.500 ms  menjalankan S_1: {}", "parameter: {}"),
    "zh_CN": ("日志", "错误", "详细信息", "执行时间: 1.500 ms 语句: {}", "语句: {}", "执行时间: 0.100 ms  解析 S_1: {}",
              "执行时间: 0.200 ms 绑定S_1: {}", "执行时间: 2.500 ms 执行S_1: {}", "参数: {}"),
    "ko": ("로그", "오류", "상세정보", "실행시간: 1.500 ms  명령 구문: {}", "명령 구문: {}", "실행시간: 0.100 ms  S_1 구문분석: {}",
           "실행시간: 0.200 ms  S_1 접속: {}", "수행시간: 2.500 ms  쿼리실행 S_1: {}", "매개 변수: {}"),
    "es": ("LOG", "ERROR", "DETALLE", "duración: 1.500 ms  sentencia: {}", "sentencia: {}", "duración: 0.100 ms  parse: S_1: {}",
           "duración: 0.200 ms  bind S_1: {}", "duración: 2.500 ms  ejecutar S_1: {}", "Parámetros: {}"),
    "ru": ("СООБЩЕНИЕ", "ОШИБКА", "ПОДРОБНОСТИ", "продолжительность: 1.500 мс, оператор: {}", "оператор: {}", "продолжительность: 0.100 мс, разбор S_1: {}",
           "продолжительность: 0.200 мс, сообщение Bind S_1: {}", "продолжительность: 2.500 мс  выполнение S_1: {}", "Параметры: {}"),
}


@pytest.mark.parametrize("language", WORDINGS)
def test_wordings_of_other_releases(language, tmp_path):
    log, error, detail, timed, bare, parse, bind, execute, parameters = WORDINGS[language]
    said = [(log, timed.format("SELECT 1 FROM a")), (log, bare.format("SELECT 2 FROM b")), (error, "x"),
            (log, parse.format("SELECT $1 FROM c")), (log, bind.format("SELECT $1 FROM c")), (detail, parameters.format("$1 = '5'")),
            (log, execute.format("SELECT $1 FROM c")), (detail, parameters.format("$1 = '5'"))]
    report = assay(write(tmp_path, "".join(f"2024-01-05 10:00:0{i}.000 UTC [77] app@shop {sev}:  {text}\n" for i, (sev, text) in enumerate(said))))
    assert report["input"]["not_understood_bytes"] == 0
    spent = 2.5 if language == "ko" else 2.8  # in Korean the name stands in front of the verb: parse and bind are no words of their own
    got = {s["sql"]: (s["calls"], s.get("total_ms")) for s in report["shapes"]}
    assert got == {"select ? from a": (1, 1.5), "select ? from b": (1, None), "select ? from c": (1, spent)}
    assert sum(e["count"] for e in report["errors"]) == 1
