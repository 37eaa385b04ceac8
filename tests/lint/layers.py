#!/usr/bin/python3
"""layers.py - a layer may include only what stands below it.

The family of a file is the part of its name before the first underscore (or the
whole name: pool.c is family pool).  LAYERS lists for every family the families
whose headers it may include, its own always among them; BOUNDARIES lists the
headers of other people's libraries that only some files may see.  A file of a
family that the table does not know is an error: put it where it belongs.
"""
import os
import re
import sys

# family: what it may include (docs/architecture.md draws the same)
LAYERS = {
    "pooler": {
        "base": "",
        "wire": "base",
        "conf": "base",
        "net": "base conf",
        "obs": "base conf wire",
        "auth": "base conf wire",
        "pool": "base conf",
        "worker": "base conf wire net auth obs pool",
        "session": "base conf wire net auth obs pool worker",
        "console": "base conf wire net auth obs pool worker session",
        "main": "base conf wire net auth obs pool worker session console",
    },
    "analyzer": {
        "base": "",
        "sql": "base",
        "input": "base",
        "plan": "base sql",
        "facts": "base sql input plan",
        "db": "base",
        "schema": "base sql db",
        "rule": "base sql facts plan schema",
        "advise": "base sql facts plan schema rule db",
        "gate": "base sql facts schema rule",
        "report": "base sql facts plan schema rule advise gate",
        "diff": "base sql facts rule gate report",
        "main": "base sql input facts plan db schema rule advise gate report diff",
    },
}

# The one leaf that both programs share, and every layer may use: the literal-stripping lexer.
SHARED = {"sql_lex.h"}
# Made by the build, for everybody.
GENERATED = {"sql_text.h", "report_assets.h"}

# program, header: families whose .c files may include it
BOUNDARIES = [
    ("pooler", r"ev\.h", "net worker session main"),
    ("pooler", r"openssl/.*", "net auth wire base"),
    ("pooler", r"microhttpd\.h", "obs worker main"),
    ("analyzer", r"pg_query.*\.h", "sql"),
    ("analyzer", r"archive.*\.h", "input"),
]

INCLUDE = re.compile(r'^\s*#\s*include\s+(?:"([^"]+)"|<([^>]+)>)')


def family(name):
    return re.split(r"[_.]", name)[0]


def main():
    bad = 0

    def complain(path, line, text):
        nonlocal bad
        bad += 1
        print(f"{path}:{line}: {text}")

    for program, layers in LAYERS.items():
        if not os.path.isdir(program):
            continue
        own = {f for f in os.listdir(program) if f.endswith(".h")}
        for name in sorted(os.listdir(program)):
            if not name.endswith((".c", ".h")):
                continue
            path = f"{program}/{name}"
            mine = family(name)
            if mine not in layers:
                complain(path, 1, f"no layer is called {mine!r}: see tests/lint/layers.py")
                continue
            below = set(layers[mine].split()) | {mine}
            with open(path, encoding="utf-8") as f:
                for number, text in enumerate(f, 1):
                    m = INCLUDE.match(text)
                    if not m:
                        continue
                    quoted, system = m.groups()
                    if quoted in GENERATED or quoted in SHARED:
                        continue
                    if quoted and quoted not in own:
                        complain(path, number, f"{quoted} is no header of {program}/")
                    elif quoted and family(quoted) not in below:
                        complain(path, number,
                                 f"layer {mine} reaches up to {family(quoted)} ({quoted})")
                    for prog, pattern, who in BOUNDARIES:
                        if (prog == program and system and re.fullmatch(pattern, system)
                                and mine not in who.split()):
                            complain(path, number, f"only {who} may see <{system}>")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
