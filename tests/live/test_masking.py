"""--literals mask: no literal and no parameter in any output.

Canaries are planted in every lexical position a value can have in a log; with the option none
comes out, in any format; without it they do (so that the test can fail)."""
import json
import os
import subprocess

import pytest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PGASSAY = os.environ.get("PGASSAY_BIN", os.path.join(ROOT, "bin", "pgassay"))

STATEMENTS = [
    "SELECT * FROM users WHERE lower(email) = 'Canary0'",
    "SELECT * FROM users WHERE email LIKE '%Canary1%' AND created_at::date = 'Canary2'",
    "SELECT E'Canary3\\'x', U&'Canary4', $$Canary5$$, $t$Canary6$t$, B'101', X'AFCanary7' FROM t",
    "SELECT * FROM t WHERE a IN ('Canary8', 'Canary9') AND b = ANY ('{Canary10}')",
    "INSERT INTO t VALUES ('Canary11', 424242), ('Canary12', 434343)",
    "UPDATE t SET a = 'Canary13'\n 'Canary14' WHERE total + 454545 > 464646",
    "ALTER ROLE app PASSWORD 'Canary15'",
    "SELECT data ->> 'Canary16' FROM t WHERE data @> '{\"Canary17\": 1}' -- Canary18",
    "/* Canary19 */ SELECT * FROM t WHERE x = 'trunc Canary20",
    "SELECT * FROM t WHERE date(created_at) = 'Canary21' AND note || 'Canary22' = 'Canary23'",
    "COPY t FROM PROGRAM 'Canary24' WITH (DELIMITER 'C')",
    "CREATE SUBSCRIPTION s CONNECTION 'host=x password=Canary25' PUBLICATION p",
    "DO $do$ BEGIN PERFORM 'Canary26'; END $do$",
    "SELECT interval 'Canary27', date 'Canary28', 'Canary29'::text, CAST('Canary30' AS text)",
    "SELECT N'Canary31', 'a''Canary32', e'Canary33'",
]


def log(tmp_path):
    lines, ms = [], 0
    for i, q in enumerate(STATEMENTS):
        t = f"2024-01-05 10:00:{i:02}.000 UTC [100] app@shop "
        lines.append(t + f"LOG:  duration: {i + 1}.000 ms  statement: " + q.replace("\n", "\n\t"))
    t = "2024-01-05 10:01:00.000 UTC [100] app@shop "
    lines.append(t + "LOG:  duration: 1.000 ms  execute <unnamed>: SELECT * FROM t WHERE a = $1")
    lines.append(t + "DETAIL:  parameters: $1 = 'Canary40'")
    lines.append(t + "ERROR:  duplicate key value violates unique constraint \"t_pkey\"")
    lines.append(t + "DETAIL:  Key (a)=(Canary41) already exists.")
    lines.append(t + "STATEMENT:  INSERT INTO t VALUES ('Canary42')")
    lines.append(t + "ERROR:  invalid input syntax for type integer: \"Canary43\"")
    lines.append(t + "LOG:  duration: 2.000 ms  statement: BEGIN")
    lines.append(t + "LOG:  duration: 2.000 ms  statement: SELECT id FROM posts WHERE title = 'Canary44' LIMIT 10")
    for i in range(8):
        lines.append(t + f"LOG:  duration: 2.000 ms  statement: SELECT * FROM comments WHERE post_id = 'Canary45{i}'")
    lines.append(t + "LOG:  duration: 2.000 ms  statement: COMMIT")
    lines.append(t + "LOG:  duration: 9.000 ms  plan:\n\tQuery Text: SELECT * FROM t WHERE a = 'Canary46'\n"
                     "\tSeq Scan on t  (cost=0.00..9000.00 rows=5 width=4) (actual time=0.010..8.000 rows=5 loops=1)\n"
                     "\t  Filter: (a = 'Canary47'::text)\n\t  Rows Removed by Filter: 99999")
    # what the reports on locks, errors and transactions are made of
    lines += [
        t + "ERROR:  deadlock detected", t + "DETAIL:  Process 1 waits for ShareLock on transaction 474747; blocked by process 2.\n"
        "\tProcess 2 waits for ShareLock on transaction 484848; blocked by process 1.\n\tProcess 1: UPDATE t SET a = 'Canary50' WHERE b = 494949\n"
        "\tProcess 2: UPDATE u SET a = E'Canary51\\'' WHERE b = $$Canary52$$", t + "CONTEXT:  while updating tuple (0,1) in relation \"t\" Canary53",
        t + "STATEMENT:  UPDATE t SET a = 'Canary50' WHERE b = 494949",
        t + "LOG:  process 100 still waiting for ShareLock on transaction 515151 after 1000.1 ms", t + "DETAIL:  Process holding the lock: 7. Wait queue: 100.",
        t + "STATEMENT:  DELETE FROM t WHERE a = 'Canary54'", t + "LOG:  process 100 acquired ShareLock on transaction 515151 after 2000.1 ms",
        t + "STATEMENT:  DELETE FROM t WHERE a = 'Canary54'",
        t + "LOG:  temporary file: path \"base/pgsql_tmp/pgsql_tmp1.0\", size 9000", t + "STATEMENT:  SELECT * FROM t WHERE a > 'Canary55' ORDER BY b",
        t + "ERROR:  user Canary56 is not welcome", t + "CONTEXT:  PL/pgSQL function f('Canary57') line 3 at RAISE", t + "STATEMENT:  SELECT f('Canary58')",
        t + "ERROR:  invalid input syntax for type date: \"Canary59 and no end", t + "ERROR:  unterminated quoted string at or near \"'Canary60\"",
        t + "ERROR:  column \"Canary61\" does not exist at character 8", t + "STATEMENT:  SELECT U&'Canary62' UESCAPE '!', n'Canary63'",
        t + "LOG:  duration: 1.000 ms  statement: EXECUTE p('Canary64', 525252)", t + "DETAIL:  prepare: PREPARE p AS SELECT * FROM t WHERE a = $1 AND b = 'Canary65'",
        t + "LOG:  duration: 1.000 ms  statement: SET app.tenant = 'Canary66'", t + "LOG:  duration: 1.000 ms  statement: NOTIFY chan, 'Canary67'",
        t + "LOG:  duration: 1.000 ms  statement: SAVEPOINT \"Canary68\"", t + "LOG:  duration: 1.000 ms  statement: DECLARE Canary69 CURSOR FOR SELECT 1",
        t + "LOG:  duration: 1.000 ms  statement: FETCH 10 FROM Canary69", t + "LOG:  duration: 1.000 ms  statement: COPY t FROM STDIN WITH (NULL 'Canary70')",
        t + "LOG:  duration: 1.000 ms  statement: SELECT * FROM t WHERE a = 0xCA535353 OR b = 545454.5e3 OR c = 1_555_555 OR d = B'1' 'Canary71'",
        t + "LOG:  duration: 1.000 ms  statement: CREATE USER MAPPING FOR app SERVER s OPTIONS (password 'Canary72')",
        t + "LOG:  duration: 1.000 ms  bind <unnamed>: SELECT 1 WHERE $1 = 'Canary73'", t + "DETAIL:  Parameters: $1 = 'Canary74', $2 = NULL, $3 = '{\"Canary75\"}'",
        t + "FATAL:  password authentication failed for user \"app\"", t + "DETAIL:  Connection matched pg_hba.conf line 5: \"Canary76\"",
        t + "LOG:  duration: 3.000 ms  plan:\n\t{\"Query Text\": \"SELECT * FROM t WHERE a = 'Canary77'\", \"Plan\": {\"Node Type\": \"Seq Scan\", "
        "\"Relation Name\": \"t\", \"Filter\": \"(a = 'Canary78'::text)\", \"Actual Rows\": 1, \"Actual Loops\": 1, \"Plan Rows\": 1}}",
    ]
    # what errors quote, in messages, DETAIL, HINT and CONTEXT; conditions of plans; words that begin like the server's own
    lines += [
        t + "ERROR:  invalid input syntax for type integer: \"Canary80\"", t + "CONTEXT:  COPY t, line 1, column n: \"Canary81\"", t + "STATEMENT:  COPY t FROM STDIN",
        t + "ERROR:  new row for relation \"t\" violates check constraint \"c\"", t + "DETAIL:  Failing row contains (1, Canary82, null).",
        t + "STATEMENT:  INSERT INTO t VALUES (1, 'Canary83')", t + "ERROR:  insert or update on table \"t\" violates foreign key constraint \"f\"",
        t + "DETAIL:  Key (email)=(Canary84) is not present in table \"u\".", t + "STATEMENT:  UPDATE t SET email = 'Canary85'",
        t + "ERROR:  value Canary86 is bad", t + "HINT:  try Canary87", t + "CONTEXT:  PL/pgSQL function f(text) line 3 at RAISE\n\tSQL statement \"SELECT f('Canary88')\"",
        t + "STATEMENT:  SELECT f('Canary89')", t + "WARNING:  odd Canary90", t + "ERROR:  Canary91 out of range", t + "ERROR:  customer Canary92 in a read-only transaction",
        t + "ERROR:  malformed array literal: \"{Canary93\"", t + "ERROR:  invalid byte sequence for encoding \"UTF8\": Canary94",
        t + "LOG:  duration: 9.000 ms  plan:\n\tQuery Text: SELECT * FROM t WHERE a = 'Canary95' AND n > 565656\n"
            "\tNested Loop  (cost=0.00..9000.00 rows=5 width=4) (actual time=0.010..8.000 rows=5 loops=1)\n\t  Join Filter: ((t.x)::text = 'Canary96'::text)\n"
            "\t  ->  Index Scan using i on t  (cost=0.00..9000.00 rows=5 width=4) (actual time=0.010..8.000 rows=5 loops=1)\n"
            "\t        Index Cond: ((a = 'Canary97'::text) AND (n > 575757))\n\t        Filter: (b ~~ '%Canary98%'::text)\n\t        Rows Removed by Filter: 99999\n"
            "\t  ->  Function Scan on generate_series  (cost=0.00..1.00 rows=5 width=4) (actual time=0.010..1.000 rows=5 loops=1)\n"
            "\t        Output: 'Canary99'::text\n\t        Function Call: generate_series(1, 585858)",
        t + "LOG:  statement: PREPARE q AS SELECT * FROM t WHERE a = 'CanaryA0'", t + "LOG:  duration: 1.000 ms",
        t + "LOG:  duration: 2.000 ms  execute CanaryA1: SELECT $1", t + "DETAIL:  parameters: $1 = 'CanaryA2'",
        t + "LOG:  process 100 acquired ShareLock on tuple (0,595959) of relation 5 of database 6 after 2250.8 ms", t + "CONTEXT:  while updating tuple (0,606060) in relation \"t\"",
        t + "STATEMENT:  UPDATE t SET a = 'CanaryA3'", t + "LOG:  checkpoint starting: CanaryA4", t + "LOG:  temporary file: path \"base/pgsql_tmp/CanaryA5\", size 5000",
        t + "LOG:  duration: 5.000 ms  statement: SELECT * FROM t WHERE x = 'CanaryA6' /* CanaryA7 /* CanaryA8 */ */ -- CanaryA9",
    ]
    path = tmp_path / "pg.log"
    path.write_text("\n".join(lines) + "\n")
    return path


def run(path, fmt, literals):
    got = subprocess.run([PGASSAY, "log", str(path), "-f", *fmt.split(), "--literals", literals, "--top", "0"], capture_output=True, text=True)
    assert got.returncode == 0, got.stderr
    return got.stdout + got.stderr


def listed(head):
    """The names under a heading of --help."""
    text = subprocess.run([PGASSAY, "log", "--help"], capture_output=True, text=True, check=True).stdout
    return [line.split()[0] for line in text.split(f"\n{head}:\n")[1].split("\n\n")[0].splitlines()]


NUMBERS = ["424242", "434343", "454545", "464646", "474747", "484848", "494949", "515151", "525252", "ca535353", "545454", "555_555",
           "565656", "575757", "585858", "595959", "606060"]


def leaks(out):
    """What stands around each canary; folded to lower case, as a name would be."""
    out = out.lower()
    return [out[max(0, out.index(w) - 80):][:120] for w in ["canary", *NUMBERS] if w in out]


FORMATS = listed("formats") + [f"csv --table {t}" for t in listed("tables of csv")]


@pytest.mark.parametrize("fmt", FORMATS)
def test_no_value_comes_out(fmt, tmp_path):
    assert not leaks(run(log(tmp_path), fmt, "mask"))


def json_log(tmp_path):
    """Every field that a server's jsonlog has for a text."""
    def entry(second, **fields):
        return json.dumps({"timestamp": f"2024-01-05 10:00:{second:02}.000 UTC", "user": "app", "dbname": "shop", "pid": 7, "session_id": "6.7",
                           "error_severity": "ERROR", "state_code": "P0001", "message": "x", **fields})
    call = "duration: 5.000 ms  statement: SELECT * FROM t WHERE a = 'Canary0'"
    lines = [entry(i, **{field: text.format(i)}) for i, (field, text) in enumerate([
        ("message", "it is Canary{}"), ("detail", "Key (a)=(Canary{}) already exists."), ("hint", "Try Canary{}."),
        ("internal_query", "SELECT 'Canary{}'"), ("context", "PL/pgSQL function f('Canary{}') line 3 at RAISE"),
        ("statement", "SELECT 'Canary{}', 424242"), ("statement", "SELECT 'Canary{}"), ("message", "column \"Canary{}\" does not exist")])]
    lines += [entry(20, error_severity="LOG", state_code="00000", message=call),
              entry(21, error_severity="LOG", state_code="00000", message="duration: 5.000 ms  execute s: SELECT * FROM t WHERE a = $1",
                    detail="Parameters: $1 = 'Canary1', $2 = '434343'")]
    path = tmp_path / "pg.json"
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.mark.parametrize("fmt", FORMATS)
def test_no_field_of_a_jsonlog_comes_out(fmt, tmp_path):
    assert not leaks(run(json_log(tmp_path), fmt, "mask"))


def test_nothing_said_beside_a_report_holds_one(tmp_path):
    """--doctor, and what is said of a log that is not understood."""
    path, cut = log(tmp_path), tmp_path / "cut.log"
    cut.write_text("\n".join(line.split(":  ", 1)[-1] for line in path.read_text().splitlines()))
    broken = tmp_path / "broken.log"
    broken.write_bytes(path.read_bytes().replace(b"LOG", b"L\0G").replace(b"2024", b"2024-"))
    for words in ([path, "--doctor"], [path, "--prefix", "%m %u|%d "], [path, "--input", "csvlog"], [path, "--input", "jsonlog"],
                  [cut], [cut, "--doctor"], [cut, "-f", "json"], [broken], [broken, "--doctor"], [path, "--since", "2030-01-01"]):
        got = subprocess.run([PGASSAY, "log", *map(str, words), "--literals", "mask"], capture_output=True, text=True, errors="replace")
        assert got.returncode in (0, 3) and got.stdout + got.stderr, words
        assert not leaks(got.stdout + got.stderr), words


@pytest.mark.parametrize("fmt", ["text", "json", "html", "markdown"])
def test_merging_masks_what_reports_kept(fmt, tmp_path):
    kept = tmp_path / "kept.json"
    kept.write_text(run(log(tmp_path), "json", "keep"))
    assert leaks(kept.read_text())
    got = subprocess.run([PGASSAY, "merge", kept, kept, "-f", fmt, "--literals", "mask"], capture_output=True, text=True, check=True)
    assert not leaks(got.stdout + got.stderr)


def test_kept_literals_do(tmp_path):
    out = run(log(tmp_path), "json", "keep")
    assert "Canary0" in out and "Canary40" in out
    assert json.loads(out)["findings"]


@pytest.mark.parametrize("fmt", ["sarif", "github", "gitlab", "junit"])
def test_build_servers_get_none_by_default(fmt, tmp_path):
    got = subprocess.run([PGASSAY, "log", str(log(tmp_path)), "-f", fmt], capture_output=True, text=True)
    assert got.returncode == 0 and not leaks(got.stdout)


def test_neither_a_baseline_nor_a_comparison_holds_one(tmp_path):
    path = str(log(tmp_path))
    assert subprocess.run([PGASSAY, "log", path, "--write-baseline", str(tmp_path / "base")], capture_output=True).returncode == 0
    text = (tmp_path / "base").read_text()
    assert len(text.splitlines()) > 10
    (tmp_path / "none.sql").write_text("SELECT 1 LIMIT 1")
    for name, words in (("a", ["lint", str(tmp_path / "none.sql")]), ("b", ["log", path])):
        subprocess.run([PGASSAY, *words, "-f", "json", "-o", str(tmp_path / name)], check=True)
    for fmt in ("text", "json", "markdown"):
        got = subprocess.run([PGASSAY, "diff", str(tmp_path / "a"), str(tmp_path / "b"), "-f", fmt], capture_output=True, text=True)
        assert got.returncode == 1
        text += got.stdout
    assert not leaks(text)
