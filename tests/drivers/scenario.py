"""scenario.py - reads the scenario and prints transcripts: for the drivers in Python."""
import datetime
import decimal
import os
import re
import threading

HERE = os.path.dirname(os.path.abspath(__file__))


class Step:
    def __init__(self, line):
        self.verb, _, self.rest = line.partition(" ")
        self.values = []

    def words(self, n):
        """The first n words, and what follows them."""
        return self.rest.split(" ", n)


def steps():
    schema = os.environ["DRIVER_SCHEMA"]
    out = []
    with open(HERE + "/scenario", encoding="utf-8") as f:
        for line in f:
            line = line.rstrip("\n").replace("SCHEMA", schema)
            if line.startswith("  "):
                out[-1].values.append(value_of(*line[2:].partition(" ")[::2]))
            elif line and line[0] != "#":
                out.append(Step(line))
    return out


def value_of(kind, text):
    """A value as the driver's users would pass it."""
    return {
        "int": int, "text": str, "float": float, "numeric": decimal.Decimal,
        "bool": lambda t: t == "true", "bytes": bytes.fromhex, "date": datetime.date.fromisoformat,
        "timestamp": lambda t: datetime.datetime.fromisoformat(t.replace("Z", "+00:00")),
        "array": lambda t: [None if w == "null" else int(w) for w in t.split(",")],
        "repeat": lambda t: "y" * int(t), "null": lambda t: None,
    }[kind](text)


def with_marks(sql, mark):
    """$1, $2 … as the driver writes them."""
    return re.sub(r"\$\d+", mark, sql)


def shown(v):
    if v is None:
        return "null"
    if isinstance(v, bool):
        return str(v).lower()
    if isinstance(v, (bytes, memoryview)):
        return "\\x" + bytes(v).hex()
    if isinstance(v, datetime.datetime):
        return v.astimezone(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    if isinstance(v, list):
        return "[" + ", ".join(map(shown, v)) + "]"
    return str(v)


def say(text):
    print("  " + text, flush=True)


def say_rows(rows):
    for r in rows:
        say(" | ".join(map(shown, r)))


def say_sum(numbers):
    say(f"{len(numbers)} rows, sum {sum(numbers)}")


def say_error(sqlstate, message):
    say(f"! {sqlstate} {message}")


def say_lob(data, size):
    """The five bytes from the tenth on, and the size."""
    say(f"{shown(data)} of {size}")


class Canceller(threading.Thread):
    """Cancels again and again: the first request may come before the statement."""

    def __init__(self, cancel):
        super().__init__()
        self.cancel, self.over = cancel, threading.Event()

    def __enter__(self):
        self.start()

    def __exit__(self, *_):
        self.over.set()
        self.join()

    def run(self):
        while not self.over.wait(0.3):
            self.cancel()


def copy_row(n):
    """(number, text) of a row that COPY must quote."""
    return n, f"copied {n}\t\\ ☃"


def copy_line(n):
    return f"{n}\tcopied {n}\\t\\\\ ☃\n"


def lob_bytes(size):
    return bytes(i * 7 % 251 for i in range(size))


def play(driver, error, parts):
    """Carries the steps out; parts(exception) is (SQLSTATE, message)."""
    for step in steps():
        if step.verb == "section":
            print(step.rest, flush=True)
            continue
        act = driver.show_rows if step.verb == "rows" else getattr(driver, step.verb)
        try:
            act(step)
        except error as e:
            say_error(*parts(e))
