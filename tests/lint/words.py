#!/usr/bin/python3
"""words.py - what no file of the tree may say.

Functions that C programmers regret, sources without a word on what they are,
lines and files that outgrew a reader, paths of one machine, addresses of package
mirrors, and notes to self that belong into an issue.
"""
import os
import re
import subprocess
import sys

BANNED = (
    "strcpy strcat sprintf vsprintf strtok gets localtime gmtime ctime asctime atoi atol atoll "
    "atof strerror_l tmpnam mktemp rand srand system popen alloca"
).split()
CALL = re.compile(r"(?<![\w.>])(" + "|".join(BANNED) + r")\s*\(")

# Built from pieces, so that this file does not find itself.
EVERYWHERE = [
    (re.compile("/" + r"(work|root|home/\w+)" + "/"), "a path of one machine"),
    (re.compile(r"\b(TO" + r"DO|FIX" + r"ME|X" + r"XX)\b"), "a note to self: write an issue"),
    (re.compile(r"https?://[\w.-]*(mirror|registry|proxy|artifactory|nexus)[\w.-]*", re.I),
     "the address of a mirror or registry"),
]
MAX_LINES = 1300      # of a C file; a table of rows may be longer
MAX_COLUMNS = 130     # .clang-format asks for 100; strings and rows of tables may stand out


def files():
    out = subprocess.run(["git", "-c", "safe.directory=*", "ls-files", "-z", "--cached", "--others",
                          "--exclude-standard"], capture_output=True)  # whoever owns the clone
    if out.returncode == 0:
        return [f for f in out.stdout.decode().split("\0") if f and os.path.isfile(f)]
    found = []            # an unpacked release has no .git
    for top, dirs, names in os.walk("."):
        dirs[:] = [d for d in dirs if d not in ("build", "bin", "node_modules", ".git")]
        found += [os.path.relpath(os.path.join(top, n)) for n in names]
    return found


def without_comments_and_strings(text):
    """The C text with comments and literals blanked, line numbers kept."""
    token = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)
    return token.sub(lambda m: '""' + "\n" * m.group().count("\n"), text)


def main():
    bad = 0

    def complain(path, line, text):
        nonlocal bad
        bad += 1
        print(f"{path}:{line}: {text}")

    for path in sorted(files()):
        try:
            with open(path, encoding="utf-8") as f:
                text = f.read()
        except UnicodeDecodeError:
            continue
        data = path.startswith(("tests/golden/", "tests/rules/", "tests/fuzz/")) or \
            "package-lock" in path
        is_c = path.endswith((".c", ".h"))
        if not data:
            for number, line in enumerate(text.split("\n"), 1):
                for pattern, what in EVERYWHERE:
                    if pattern.search(line):
                        complain(path, number, what)
                if is_c and "\t{" not in line and len(line.expandtabs(8)) > MAX_COLUMNS:
                    complain(path, number, f"{len(line.expandtabs(8))} columns")
        if is_c:
            if not text.lstrip().startswith("/*"):
                complain(path, 1, "opens without a comment that says what it is")
            count = text.count("\n")
            if count > MAX_LINES and not path.endswith("_table.c"):
                complain(path, count, f"{count} lines: it is two files")
            for number, line in enumerate(without_comments_and_strings(text).split("\n"), 1):
                m = CALL.search(line)
                if m:
                    complain(path, number, f"{m.group(1)}() is banned")
        elif path.endswith(".py") and text.strip():
            if not re.match(r'(#![^\n]*\n)?(#|""")', text):
                complain(path, 1, "opens without a comment that says what it is")
        elif text.startswith("#!") and not re.match(r"#![^\n]*\n(#|\"\"\")", text):
            complain(path, 2, "opens without a comment that says what it is")
        elif path.endswith(".sql") and not data and not text.lstrip().startswith("--"):
            complain(path, 1, "opens without a comment that says what it is")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
