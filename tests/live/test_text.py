"""The text report on terminals: no line is wider than the page, whatever the log holds; colours
only where they are wanted; ASCII where the locale is not UTF-8; what matters comes first."""
import csv
import fcntl
import io
import os
import pty
import random
import re
import struct
import subprocess
import termios
import unicodedata

import pytest

from test_log_formats import PGASSAY
from test_merge import SPANS, entries

WIDE = ["SELECT '" + "x" * 500 + "' FROM t WHERE id = 5", "SELECT 名前, 住所 FROM 顧客 WHERE 名前 LIKE '%太郎' ORDER BY 住所, 名前 LIMIT 20",
        "SELECT " + ", ".join(f"column_number_{i}" for i in range(60)) + " FROM a_table_with_a_long_name", "SELECT '\x1b[31mred', 'été' FROM t"]


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    lines = list(entries(SPANS["day"], 900, random.Random(4)))
    long = "application_with_a_name_that_goes_on_" * 3
    for k in range(40):
        head = f"2020-02-01 10:00:{k:02}.000 UTC [{5000 + k % 3}] u0@{long if k % 2 else 'd1'} "
        lines.insert(2 * k, head + f"LOG:  duration: {k + 1}.000 ms  statement: {WIDE[k % 4]}\n")
        lines.insert(2 * k, head + f"ERROR:  relation \"{'y' * 200}\" does not exist {'word ' * 40}\n")
    for k in range(3):
        at = f"2020-02-01 10:00:0{k}"
        lines[:0] = [f"{at}.000 UTC [7000] u0@d1 LOG:  duration: 1.000 ms  statement: {q}\n" for q in
                     ("BEGIN", "UPDATE t SET a = 1 WHERE id = 5", "COMMIT")]
    path = tmp_path_factory.mktemp("text") / "pg.log"
    path.write_text("".join(lines))
    return path


def columns(line):
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in line)


def text(log, width, *words, **env):
    got = subprocess.run([PGASSAY, "log", str(log), *words], capture_output=True, env={**os.environ, "COLUMNS": str(width), "LC_ALL": "C.UTF-8", **env})
    assert got.returncode in (0, 1), got.stderr
    return got.stdout.decode()


@pytest.mark.parametrize("locale", ["C.UTF-8", "C"])
@pytest.mark.parametrize("width", [60, 80, 120, 200])
def test_no_line_is_wider_than_the_page(log, width, locale):
    page = text(log, width, "--top", "0", LC_ALL=locale)
    assert [line for line in page.splitlines() if columns(line) > width] == []
    # wide pages are used
    assert max(columns(line) for line in page.splitlines()) > width * 3 // 4
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f]", page), "control characters of the log reach the terminal"


def test_what_does_not_fit_is_left_out_from_the_least_important_on(log):
    def heads(page):
        return page.split("\nWhere the time goes\n")[1].splitlines()[0].split()
    assert heads(text(log, 120)) == ["share", "total", "calls", "mean", "p50", "p95", "p99", "max"]
    assert heads(text(log, 60))[:3] != [] and set(heads(text(log, 40))) < set(heads(text(log, 120)))
    assert {"total", "calls"} <= set(heads(text(log, 40)))


def test_without_utf8_our_own_signs_are_ascii(log):
    ours = set("…×µ–·≥≤→")
    assert ours & set(text(log, 100)) and not ours & set(text(log, 100, LC_ALL="C"))


def test_what_an_operator_looks_for_comes_first(log):
    page = text(log, 100)
    glance = " ".join(page.split("\nFindings\n")[0].split())
    for word in ("statements", "errors", "cancelled", "temporary files"):
        assert word in glance, glance
    at = [page.index(f"\n{h}\n") for h in ("Findings", "Where the time goes", "Most frequent", "Slowest calls", "Errors", "Statements by type",
                                           "Durations", "Users", "Server", "Causes of checkpoints", "Autovacuum by table")]
    assert at == sorted(at)


def on_terminal(log, width, **env):
    """What is written on a terminal of this width."""
    leader, follower = pty.openpty()
    fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 50, width, 0, 0))
    env = {k: v for k, v in {**os.environ, "LC_ALL": "C.UTF-8", **env}.items() if k not in ("COLUMNS",) and (k != "NO_COLOR" or k in env)}
    p = subprocess.Popen([PGASSAY, "log", str(log)], stdout=follower, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL, env=env)
    os.close(follower)
    out = b""
    while True:
        try:
            got = os.read(leader, 65536)
        except OSError:  # the other end is closed
            break
        if not got:
            break
        out += got
    os.close(leader)
    assert p.wait() in (0, 1)
    return out.decode().replace("\r\n", "\n")


def test_a_terminal_has_colours_and_a_width_of_its_own(log):
    page = on_terminal(log, 72)
    assert "\x1b[1m" in page
    plain = re.sub(r"\x1b\[\d+m", "", page)
    assert "\x1b" not in plain
    assert 60 < max(columns(line) for line in plain.splitlines()) <= 72
    assert on_terminal(log, 72, NO_COLOR="1") == plain


@pytest.mark.parametrize("order, first", [("calls", None), ("mean", None), ("failed", "select ? / ?"), ("temp", "order by total")])
def test_the_statements_in_another_order(log, order, first):
    page = text(log, 100, "--sort", order, "--top", "3")
    heading = {"calls": "Most frequent", "mean": "Slowest on average", "failed": "Failed most often", "temp": "Most in temporary files"}[order]
    assert page.count(f"\n{heading}\n") == 1
    assert first is None or first in page.split(f"\n{heading}\n")[1].split("\n\n")[0]


def test_an_unknown_order_is_an_error(log):
    got = subprocess.run([PGASSAY, "log", str(log), "--sort", "beauty"], capture_output=True, text=True)
    assert got.returncode == 2 and "beauty" in got.stderr


# --- Markdown and CSV ---------------------------------------------------------------------------

HOSTILE = ["SELECT `a`, ``b`` FROM t WHERE x | y = 5", "SELECT 5 -- ~~~\n~~~~\nFROM t", "SELECT a FROM \"<b>|*_x_*\" WHERE lower(b) = 'x'", "SELECT " + "größe, " * 300 + "b FROM größe",
           "=cmd() + SELECT 1", "SELECT a,\n\t\"b\"\"c\"\r\nFROM t"]


@pytest.fixture
def hostile(tmp_path):
    path = tmp_path / "pg.log"
    # newlines inside of a statement are continuation lines that begin with a tab
    path.write_text("".join(f"2020-02-01 10:00:0{k % 9}.000 UTC [{k}] {'=u|x' if k % 2 else '-v'}@shop LOG:  duration: {k + 1}.000 ms  statement: " +
                            q.replace("\r", "").replace("\n", "\n\t") + "\n" for k, q in enumerate(HOSTILE * 5)))
    return path


def test_tables_and_code_of_markdown_hold_whatever_the_statement_holds(hostile):
    page = text(hostile, 100, "-f", "markdown", "--top", "0")
    rows = page.split("| statement |\n")[1].split("\n\n")[0].splitlines()[1:]
    assert len(rows) == len(HOSTILE)
    for row in rows:
        # bars that are not escaped make the cells: six of them
        assert len(re.findall(r"(?<!\\)\|", row)) == 7, row
        ticks, code = re.fullmatch(r".*\| (`+) (.*) \1 \|", row).groups()
        assert ticks not in code
    # every fence is closed by its like, and what is between begins no other
    open_fence = None
    for line in page.splitlines():
        fence = re.match(r"(~{3,})(sql)?$", line)
        if open_fence and fence and len(fence[1]) >= len(open_fence):
            open_fence = None
        elif not open_fence and fence:
            open_fence = fence[1]
    assert open_fence is None
    prose = re.sub(r"(?s)(~{3,})sql\n.*?\n\1\n|(`+) .*? \2", "", page)
    assert not re.search(r"(?<!\\)<b>", prose) and not re.search(r"(?<!\\)[*]_x", prose)


def csv_of(log, table):
    return subprocess.run([PGASSAY, "log", str(log), "-f", "csv", "--table", table, "--prefix", "%m [%p] %u@%d "], capture_output=True, check=True).stdout.decode()


def test_csv_is_rfc_4180_and_no_formula(hostile):
    for table in ("shapes", "samples", "groups", "findings"):
        got = csv_of(hostile, table)
        assert got.endswith("\r\n")
        rows = list(csv.reader(io.StringIO(got, newline=""), strict=True))
        assert len(rows) > 1 and {len(r) for r in rows} == {len(rows[0])}
        assert not [f for r in rows[1:] for f in r if len(f) > 1 and f[0] in "=+@\t"]
    rows = list(csv.DictReader(io.StringIO(csv_of(hostile, "samples"), newline="")))
    assert {r["user"] for r in rows} == {"'=u|x", "'-v"}
    assert any('"b""c"\nFROM t' in r["sql"] for r in rows)


def test_no_format_cuts_a_character(hostile):
    for fmt in ("text", "markdown", "html", "json", "csv"):
        got = subprocess.run([PGASSAY, "log", str(hostile), "-f", fmt], capture_output=True, check=True).stdout
        assert "größe" in got.decode("utf-8") and "\ufffd" not in got.decode("utf-8")


def test_what_was_not_parsed_is_named_on_stderr(tmp_path):
    """An empty report must not look like a clean one: place and reason of each, masked in a mask."""
    path = tmp_path / "q.sql"
    path.write_text("select 1;\nselect * frm t where a = 'secret';\nselect 2;\n")
    said = subprocess.run([PGASSAY, "lint", path], capture_output=True, text=True)
    assert said.stderr == f"pgassay: {path}:2: not checked: syntax error at or near \"frm\"\n"
    said = subprocess.run([PGASSAY, "lint", "--literals", "mask", path], capture_output=True, text=True)
    assert said.stderr == f"pgassay: {path}:2: not checked: syntax error\n"
    path.write_text("".join(f"select {k} frm t{k};\n" for k in range(30)))
    said = subprocess.run([PGASSAY, "lint", "--max-unparsed", "100", path], capture_output=True, text=True)
    lines = said.stderr.splitlines()
    assert len(lines) == 21 and "30 more" not in said.stderr and lines[-1].startswith("pgassay: … and 10 more")
