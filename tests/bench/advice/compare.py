#!/usr/bin/python3
"""compare.py: index advice measured by running the queries, against other advisers at equal size.

For each adviser: its indexes are built, the tables vacuumed and analyzed, every query run (the least
of six times that the server's process spent on a CPU), the indexes dropped again.  What a peer proposed is given as a file of CREATE INDEX
statements, so that this needs none of them installed (docs/index-advice.md has how they were made).

    compare.py DSN QUERIES.sql BUDGET_MB NAME=FILE.sql ...

The advice of `pgassay advise` is asked for here.  Prints for each: size, sum and geometric mean of
the times relative to none, and the queries that another plan made slower (by 20 % and 2 ms).
"""
import json, math, os, re, subprocess, sys, time
import psycopg

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", "..", ".."))
ASSAY = os.environ.get("PGASSAY_BIN", os.path.join(ROOT, "bin", "pgassay"))
SLOWER, SLOWER_MS, RUNS = 1.2, 2.0, 6


def statements(path):
    with open(path) as f:
        return [s.strip() for s in f.read().split(";\n") if s.strip()]


def advise(dsn, queries, budget):
    began = time.monotonic()
    run = subprocess.run([ASSAY, "advise", "--dsn", dsn, "--budget", budget, "-f", "json",
                          "--fail-on", "never", queries], capture_output=True, text=True)
    if run.returncode:
        sys.exit(f"pgassay advise: exit {run.returncode}\n{run.stderr}")
    found = json.loads(run.stdout)["indexes"]
    print(f"# pgassay took {time.monotonic() - began:.1f} s", file=sys.stderr)
    return [i["ddl"] for i in found]


def plan_of(db, query):
    return [r[0] for r in db.execute("EXPLAIN (COSTS OFF) " + query)]


def on_cpu(pid):
    """ms that the process has spent on a CPU: what others do with the machine is not in it."""
    with open(f"/proc/{pid}/schedstat") as f:
        return int(f.read().split()[0]) / 1e6


def run_all(db, queries):
    times, pid = [], db.info.backend_pid
    for q in queries:
        best = math.inf
        for _ in range(RUNS):
            began = on_cpu(pid)
            try:
                db.execute(q).fetchall()
            except psycopg.errors.QueryCanceled:
                best = min(best, 30000.0)
                break
            best = min(best, on_cpu(pid) - began)
            if best > 1500:
                break
        times.append(best)
    return times


def build(db, ddl):
    """The indexes in the order of the advice; names are ours, so that they can be dropped."""
    names, size = [], 0
    for i, one in enumerate(ddl):
        name = f"compare_{i}"
        one = re.sub(r"(?is)^create\s+index\s+(concurrently\s+)?(if\s+not\s+exists\s+)?(\S+\s+)?on\s",
                     f"CREATE INDEX {name} ON ", one.strip().rstrip(";"))
        db.execute(one)
        names.append(name)
        size += db.execute("SELECT pg_relation_size(%s::regclass)", [name]).fetchone()[0]
    db.execute("VACUUM")
    db.execute("ANALYZE")
    return names, size


def main(dsn, path, budget, *peers):
    queries = statements(path)
    sets = {"none": []}
    for peer in peers:
        name, file = peer.split("=", 1)
        sets[name] = statements(file)
    sets["pgassay"] = advise(dsn, path, budget)
    none = plain = None
    with psycopg.connect(dsn, autocommit=True) as db:
        for (left,) in db.execute("SELECT relname FROM pg_class WHERE relname LIKE 'compare_%'").fetchall():
            db.execute(f"DROP INDEX {left}")  # of a run that was interrupted
        for name, ddl in sets.items():
            db.execute("SET statement_timeout = 0")
            names, size = build(db, ddl)
            db.execute("SET statement_timeout = 30000")
            plans = [plan_of(db, q) for q in queries]
            times = run_all(db, queries)
            for n in names:
                db.execute(f"DROP INDEX {n}")
            none, plain = none or times, plain or plans
            slower = [f"{i + 1}: {a:.1f} -> {b:.1f}" for i, (a, b) in enumerate(zip(none, times))
                      if plans[i] != plain[i] and b > a * SLOWER and b > a + SLOWER_MS]
            mean = math.exp(sum(math.log(b / a) for a, b in zip(none, times)) / len(none))
            print(f"{name:16} {len(ddl):3} indexes {size / 1e6:8.1f} MB  sum {sum(times) / sum(none):7.3f}  "
                  f"geometric mean {mean:6.3f}  slower: {', '.join(slower) or 'none'}", flush=True)
            if os.environ.get("COMPARE_TIMES"):
                print("   ", " ".join(f"{i + 1}:{t:.1f}" for i, t in enumerate(times)), flush=True)


if __name__ == "__main__":
    if len(sys.argv) < 4:
        sys.exit(__doc__)
    main(*sys.argv[1:])
