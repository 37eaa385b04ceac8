#!/usr/bin/python3
"""log_write.py FILE MEGABYTES stderr|csvlog - a log as a server writes it: about 500 shapes of
statements whose frequencies follow Zipf's law, 60 sessions, log-normal durations; always the
same for the same size.  FILE may be - for stdout."""
import datetime
import random
import sys

COLUMNS = ["id", "user_id", "email", "status", "created_at", "total", "name", "note", "kind", "price"]
SHAPES = 500


def shapes(rng):
    out = []
    for i in range(SHAPES):
        t, other, c = f"table_{rng.randrange(40)}", f"table_{rng.randrange(40)}", rng.sample(COLUMNS, 4)
        out.append(rng.choice((
            f"SELECT t.{c[0]}, t.{c[1]}, o.{c[2]} FROM {t} t JOIN {other} o ON o.{c[3]} = t.{c[0]} WHERE t.{c[1]} = %d "
            f"AND o.{c[2]} > '%s' AND x{i} = 5 ORDER BY t.{c[0]} LIMIT 20",
            f"SELECT {c[0]}, {c[1]} FROM {t} WHERE {c[2]} = %d AND {c[3]} <> '%s' AND x{i} IS NOT NULL",
            f"UPDATE {t} SET {c[0]} = %d, {c[1]} = '%s', x{i} = now() WHERE {c[2]} = 5",
            f"INSERT INTO {t} ({c[0]}, {c[1]}, {c[2]}, x{i}) VALUES (%d, '%s', 'abc', 17)")))
    return out


def rows():
    rng = random.Random(7)
    statements = shapes(rng)
    order = rng.choices(range(SHAPES), [1 / (i + 1) for i in range(SHAPES)], k=200000)
    at, i = datetime.datetime(2024, 1, 5), 0
    while True:
        i += 1
        at += datetime.timedelta(milliseconds=17)
        pid = 2000 + rng.randrange(60)
        stamp = at.strftime("%Y-%m-%d %H:%M:%S.") + f"{at.microsecond // 1000:03} UTC"
        yield i, stamp, pid, f"{rng.lognormvariate(0, 2):.3f}", statements[order[i % len(order)]] % (i, f"val{i}")


def stderr(i, stamp, pid, ms, sql):
    return f"{stamp} [{pid}] user{pid % 7}@db{pid % 3} app{pid % 5} LOG:  duration: {ms} ms  statement: {sql}\n"


def csvlog(i, stamp, pid, ms, sql):
    return (f'{stamp},"user{pid % 7}","db{pid % 3}",{pid},"10.0.0.{pid % 50}:5000",65a0f0f0.{pid:x},{i},"SELECT",2024-01-05 00:00:00 UTC,'
            f'{pid % 100}/{i},0,LOG,00000,"duration: {ms} ms  statement: {sql}",,,,,,,,,"app{pid % 5}","client backend",,0\n')


PREFIX = "%m [%p] %u@%d %a "


def write(to, megabytes, line):
    left, part, source = megabytes * 1000000, [], rows()
    while left > 0:
        part = [line(*next(source)) for _ in range(min(2000, left // 150 + 1))]
        text = "".join(part)
        to.write(text)
        left -= len(text)


def main():
    name, megabytes, form = sys.argv[1], int(sys.argv[2]), {"stderr": stderr, "csvlog": csvlog}[sys.argv[3]]
    if name == "-":
        write(sys.stdout, megabytes, form)
    else:
        with open(name, "w", encoding="utf-8") as f:
            write(f, megabytes, form)


if __name__ == "__main__":
    main()
