"""test_fixes.py - every fix that a case file prints is executed.

A rewritten condition must find the same rows, on random data with NULLs and duplicates, and its
plan must show an index condition; an index must serve the statement as it stands.  The tables
are those of the case's `schema:`, or of its `table:` lines, which only this test reads.
"""
import pathlib
import re

import psycopg
import pytest

RULES = pathlib.Path(__file__).resolve().parent.parent / "rules"
VALUES = {"$1": "5", "$2": "3", "?": "4"}
WORDS = ["k5", "k6", "K5", "kx", "x", "X", "", "bob", "Bob", "Johnson", "Joh", "Person", "5", "05",
         "k5!", "ann@x.org", "2024", "a", "b"]
# by type: SQL for one value of row g; seed is set before
RANDOM = {
    "int2": "(random() * 12 - 3)::int", "int4": "(random() * 12 - 3)::int",
    "int8": "(random() * 12 - 3)::int",
    "numeric": "round((random() * 10)::numeric * 2) / 2", "float8": "round(random() * 10)",
    "text": "(%(words)s)[1 + (random() * %(last)s)::int]",
    "varchar": "(%(words)s)[1 + (random() * %(last)s)::int]",
    "bpchar": "left((%(words)s)[1 + (random() * %(last)s)::int], 5)",
    "date": "date '2023-12-01' + (random() * 800)::int - (random() * 400)::int",
    "timestamp": "timestamp '2024-01-01' + (random() * 40 - 20)::int * interval '1 day' / 2",
    "timestamptz": "case when random() < 0.5 then now() - random() * interval '3 days' else "
                   "timestamptz '2024-01-01' + (random() * 40 - 20)::int * interval '1 day' / 2 end",
    "bool": "random() < 0.5", "uuid": "md5((random() * 9)::int::text)::uuid",
    "jsonb": "jsonb_build_object('email', (random() * 9)::int::text, 'k', (random() * 9)::int)",
    "_int4": "array[(random() * 9)::int, (random() * 9)::int]",
    "_text": "array[(random() * 9)::int::text]",
}


def fixes():
    """(case, line, schema, statement, fix) of every case file."""
    for path in sorted(RULES.glob("*.case")):
        schema = table = ""
        bad, skip, last = None, False, None
        for n, line in enumerate(path.read_text().splitlines(), 1):
            if line.startswith(("log:", "plan:", "steps:")):
                skip, bad = True, None
            if skip:
                skip = line != "end"
                continue
            if line[:1] in (" ", "\t") and last in ("schema", "table", "bad"):
                if last == "schema":
                    schema += " " + line.strip()
                elif last == "table":
                    table += " " + line.strip()
                else:
                    bad += " " + line.strip()
                continue
            last, _, text = line.partition(":")
            text = text.strip()
            if last == "schema":
                schema = text
            elif last == "table":
                table = text
            elif last == "bad":
                bad = text
            elif last == "bad schema":
                schema, bad = text, ""
            elif last == "fix" and text and bad is not None:
                yield path.stem, n, schema or table, bad, text


# What these find means something else than was written; it is run all the same.
CORRECTIONS = {"JN004", "CC001"}
# The sequence rules' statements are run by --verify's tests.
FIXES = [f for f in fixes() if not f[0].startswith("NP")]


def bound(sql):
    """With values for its parameters; @name has the number that the linter gives it."""
    first = max([int(n) for n in re.findall(r"\$(\d)", sql)] or [0]) + 1
    names = list(dict.fromkeys(re.findall(r"(?<![\w@])@(\w+)", sql)))
    sql = re.sub(r"(?<![\w@])@(\w+)", lambda m: f"${first + names.index(m.group(1))}", sql)
    return re.sub(r"\$[12]|\?(?![|&]| [$'])", lambda m: VALUES[m.group(0)], sql)


@pytest.fixture(scope="module")
def db(postgres):
    postgres.sql("create database fixes template template0 lc_collate 'C.UTF-8' lc_ctype 'C.UTF-8'")
    with psycopg.connect(postgres.dsn(dbname="fixes"), autocommit=True) as c:
        c.execute("create extension pg_trgm; set timezone = 'UTC'")
        yield c


def fill(c, seed):
    """Rows for every table: a tenth NULL where NULL may be, and many equal ones."""
    c.execute("select setseed(%s)", (seed / 100,))
    c.execute("set session_replication_role = replica")  # foreign keys may point anywhere
    words = "array[" + ", ".join("'" + w + "'" for w in WORDS) + "]"
    tables = [r[0] for r in c.execute(
        "select oid::regclass::text from pg_class where relkind in ('r', 'p') and not relispartition "
        "and relnamespace in ('public'::regnamespace, to_regnamespace('crm'), 'app'::regnamespace)")]
    for (t,) in c.execute("select oid::regclass::text from pg_class where relkind = 'p' and oid not in "
                          "(select inhparent from pg_inherits)").fetchall():
        c.execute(f"create table {t}_rest partition of {t} default")
    for t in tables:
        columns = c.execute(
            "select a.attname, t.typname, a.attnotnull or exists (select 1 from pg_index x where "
            "x.indrelid = a.attrelid and x.indisunique and a.attnum = any (x.indkey)) from "
            "pg_attribute a join pg_type t on t.oid = a.atttypid where attrelid = %s::regclass and "
            "attnum > 0 order by attnum", (t,)).fetchall()
        made = []
        for name, kind, unique in columns:
            value = RANDOM.get(kind, "null::" + kind) % {"words": words, "last": len(WORDS) - 1}
            if unique and kind in ("int2", "int4", "int8"):
                value = "g"
            elif not unique:
                value = f"case when random() < 0.1 then null else {value} end"
            made.append(value)
        # uncorrelated subqueries would be evaluated once: the rows come from g
        c.execute(f"insert into {t} select {', '.join(made)} from generate_series(1, 600) g "
                  "on conflict do nothing")
    for t in tables:
        for name, kind, _ in c.execute(
                "select attname, typname, 0 from pg_attribute a join pg_type t on t.oid = a.atttypid "
                "where attrelid = %s::regclass and attnum > 0", (t,)).fetchall():
            if kind not in ("jsonb", "_int4", "_text", "_int8", "point"):
                c.execute(f'create index on {t} ("{name}")')
            elif kind != "point":
                c.execute(f'create index on {t} using gin ("{name}")')
    c.execute("analyze")


def plan(c, statement):
    with c.transaction():
        c.execute("set local enable_seqscan = off; set local enable_sort = off")
        return "\n".join(r[0] for r in c.execute("explain " + statement))


def rows(c, statement):
    return sorted(map(repr, c.execute(statement).fetchall()))


@pytest.mark.parametrize("rule,line,schema,bad,fix", FIXES,
                         ids=[f"{f[0]}:{f[1]}" for f in FIXES])
def test_fix(db, rule, line, schema, bad, fix):
    assert schema, f"{rule}.case:{line}: no `schema:` or `table:` to try the fix on"
    db.execute("drop schema if exists crm, app cascade; drop schema public cascade; create schema public;"
               "create schema app; create extension pg_trgm")
    db.execute(schema)
    if fix.startswith("DROP INDEX"):
        db.execute(fix.replace("CONCURRENTLY ", ""))
        return
    fill(db, line % 100)
    if "jsonb_array_elements" in bad:   # documents with lists of strings at the place asked for
        inner = "to_jsonb(array[(array['red', 'blue', 'k', ''])[1 + i % 4], (i % 9)::text])"
        for key in reversed(re.findall(r"-> '(\w+)'", bad)):
            inner = f"jsonb_build_object('{key}', {inner})"
        db.execute(f"update d set doc = case when id % 10 > 0 then {inner.replace('i % ', 'id % ')} end")
    before, after = bound(bad), bound(fix)
    if fix.startswith("CREATE INDEX"):
        if before:  # of a schema rule there is no statement
            want = None if "LIMIT" in before else rows(db, before)  # which of equal rows is open
            old = {r[0] for r in db.execute("select indexrelid from pg_index")}
            for index in db.execute("select indexrelid::regclass::text from pg_index where not "
                                    "indisprimary and indrelid in (select oid from pg_class where "
                                    "relnamespace in ('public'::regnamespace, to_regnamespace('crm'), 'app'::regnamespace))").fetchall():
                db.execute("drop index if exists " + index[0])  # one of a partition went with its parent
            db.execute(after.replace("CONCURRENTLY ", ""))
            made = [r[0] for r in db.execute("select relname from pg_class join pg_index on oid = indexrelid "
                                             "where not indexrelid = any (%s)", (list(old),))]
            seen = plan(db, before)  # of a partitioned table a partition's own is used
            assert any(name in seen for name in made) and ("Cond" in seen or "Sort" not in seen), seen
            assert want is None or rows(db, before) == want
        else:
            db.execute(after.replace("CONCURRENTLY ", ""))
        return
    if rule == "LM001":  # its beginning, in the same order
        every, some = db.execute(before).fetchall(), db.execute(after).fetchall()
        assert some == every[:100] and len(every) > len(some)
        return
    before = re.sub(r" (ORDER BY|LIMIT) .*", "", before)
    if fix.endswith("ANY ($1)"):
        values = re.search(r"IN \((.*?)\)", bad).group(1)
        after = fix.replace("$1", "'{" + values + "}'")
    if not fix.startswith(("SELECT", "INSERT")):
        head, _, _ = before.partition(" WHERE ")
        after = f"{head} WHERE {after}"
    for zone in "America/New_York", "UTC":
        with db.transaction():  # one now() for both; some days have 23 hours
            db.execute(f"set local timezone = '{zone}'")
            found = rows(db, after)
            if rule not in CORRECTIONS:
                assert found == rows(db, before), f"{zone}: {before}\n{after}"
    if rule in CORRECTIONS:
        return
    seen = plan(db, after)
    assert "Index Cond" in seen, seen
