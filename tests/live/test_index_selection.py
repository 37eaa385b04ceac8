"""The selection by itself: tests/bench/index_selection on a cost matrix in a file."""
import itertools
import os
import random
import subprocess

import pytest

PROGRAM = os.path.join(os.path.dirname(__file__), "..", "bench", "index_selection")

SMALL = """\
# two queries, three indexes
set QUERIES := 1
2;
param NUMBER_OF_INDEXES := 3;
param size :=
1 1500000 # ['a']
2 2500000 # ['b']
3 100 # ['c']
;
set indexes_per_combination[0]:= ;
set indexes_per_combination[1]:= 1;
set indexes_per_combination[2]:= 1 2;
set indexes_per_combination[3]:= 3;
param costs :=
1 0 1000
1 1 900.5
1 2 100
2 0 1e3
2 3 990
3 0 5
;
"""


def choose(path, *budgets):
    run = subprocess.run([PROGRAM, str(path), *budgets], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    return [line.split() for line in run.stdout.splitlines() if not line.startswith("#")]


@pytest.fixture
def matrix(tmp_path):
    def write(text):
        path = tmp_path / "matrix.txt"
        path.write_text(text)
        return path
    return write


def test_budgets_are_megabytes_whole_or_not(matrix):
    rows = choose(matrix(SMALL), "4", "4.0001", "1.5", "1.4", "0.0001", "0", "1e6")
    assert [(r[2], r[5:]) for r in rows] == [
        ("1100.00", ["1", "2"]), ("1090.00", ["1", "2", "3"]), ("1900.50", ["1"]),
        ("1990.00", ["3"]), ("1990.00", ["3"]), ("2000.00", []), ("1090.00", ["1", "2", "3"])]


@pytest.mark.parametrize("old, new, line, says", [
    ("1 1500000 # ['a']", "1 1.5e6", 6, "whole bytes"),
    ("1 1500000 # ['a']", "", 11, "`param size` does not have"),
    ("param size :=", "parma size :=", 5, "neither a set nor a param"),
    ("3 100 # ['c']", "3", 8, "whole bytes"),
    ("1 2 100", "1 2", 17, "a number that is not negative"),
    ("1 2 100", "1 2 1O0", 17, "one number"),
    ("1 2 100", "1 2 -1", 17, "not negative"),
    ("1 2 100", "1 2 nan", 17, "not negative"),
    ("1 2 100", "1 9 100", 17, "no set describes"),
    ("[2]:= 1 2;", "[2]:= 1, 2;", 12, "something else"),
    ("[2]:= 1 2;", "[1]:= 1 2;", 12, "there before"),
    ("[0]:= ;", "[0]:= 2;", 10, "without indexes"),
    ("3 0 5\n;", "3 0 5\n;\nset more := 1", 22, "without its ;"),
    ("set QUERIES", "set QUERY", 21, "no `set QUERIES"),
    ("2 0 1e3\n", "", 3, "query 2 has no cost with combination 0"),
    ("3 100 # ['c']", "2 100", 8, "index 2 is there twice"),
    ("1\n2;", "1\n1;", 3, "query 1 is there twice"),
    (SMALL, "", 1, "no `set QUERIES"),
])
def test_what_makes_no_sense_is_refused_with_its_line(matrix, old, new, line, says):
    assert old in SMALL
    path = matrix(SMALL.replace(old, new))
    run = subprocess.run([PROGRAM, str(path), "4"], capture_output=True, text=True)
    assert (run.returncode, run.stdout) == (3, "")
    assert says in run.stderr
    assert f"{path}:{line}: " in run.stderr


@pytest.mark.parametrize("budget", ["", "1MB", "-1", "nan", "inf", "1e300"])
def test_a_budget_that_is_none_is_refused(matrix, budget):
    run = subprocess.run([PROGRAM, str(matrix(SMALL)), budget], capture_output=True, text=True)
    assert (run.returncode, run.stdout) == (2, "")
    assert "a budget is a number of megabytes" in run.stderr


def cheapest(sizes, base, entries, budget):
    best = sum(base)
    for n in range(len(sizes) + 1):
        for chosen in itertools.combinations(range(len(sizes)), n):
            if sum(sizes[i] for i in chosen) <= budget:
                costs = list(base)
                for query, members, cost in entries:
                    if members <= set(chosen):
                        costs[query] = min(costs[query], cost)
                best = min(best, sum(costs))
    return best


@pytest.mark.parametrize("seed", range(12))
def test_the_optimum_of_small_matrices(matrix, seed):
    """Singles, pairs and bundles of which no part is worth anything; against every set there is."""
    draw = random.Random(seed)
    indexes, queries = 9, draw.choice([1, 4, 12])
    sizes = [draw.choice([1, 3, 8]) * 1000000 if seed % 2 else draw.randint(1, 9000000)
             for _ in range(indexes)]
    base = [round(draw.lognormvariate(7, 2), 2) for _ in range(queries)]
    entries = []
    for query in range(queries):
        for _ in range(12):
            members = frozenset(draw.sample(range(indexes), draw.choice([1, 1, 2, 3, 5])))
            entries.append((query, members, round(base[query] * draw.random(), 2)))
    combos = sorted({tuple(sorted(m)) for _, m, _ in entries})
    lines = ["set QUERIES := " + " ".join(str(q + 1) for q in range(queries)) + ";", "param size :="]
    lines += [f"{i + 1} {size}" for i, size in enumerate(sizes)] + [";"]
    lines += [f"set indexes_per_combination[{c + 1}]:= " + " ".join(str(i + 1) for i in combo) + ";"
              for c, combo in enumerate(combos)]
    lines += ["param costs :="] + [f"{q + 1} 0 {cost}" for q, cost in enumerate(base)]
    lines += [f"{q + 1} {combos.index(tuple(sorted(m))) + 1} {cost}" for q, m, cost in entries] + [";"]
    path = matrix("\n".join(lines) + "\n")
    budgets = [sum(sizes) * part // 1 / 1e6 for part in (0.15, 0.4, 0.7)]
    for budget, row in zip(budgets, choose(path, *map(str, budgets))):
        assert float(row[2]) == pytest.approx(cheapest(sizes, base, entries, budget * 1e6), abs=0.02)
