#!/usr/bin/python3
"""settings.py - a setting is read by somebody, or its row says why not.

For every row of pooler/conf_rows_*.h the field or its getter must appear in some
file of pooler/ that is not of the conf family.  A row with .ignored must not.
"""
import glob
import re
import sys

# Read through the conf layer's own doors instead of by field.
DOORS = {
    "conf_log_options": {"logfile", "log_format", "verbose", "log_levels", "syslog",
                         "syslog_ident", "syslog_facility"},
    "conf_reload": {"conffile"},
}
# Whose getter has another name.
GETTERS = {"reserve_pool_size": "reserve_size"}


def rows():
    """(name, scopes, is ignored, file, line) of every row."""
    for path in sorted(glob.glob("pooler/conf_rows_*.h")):
        text = open(path, encoding="utf-8").read()
        for m in re.finditer(r"^\{\n(.*?)^\},$", text, re.M | re.S):
            body = m.group(1)
            name = re.search(r'^\t\.name = "(\w+)"', body, re.M).group(1)
            scopes = set(re.findall(r"(POOLER|DATABASE|USER|PEER)\(", body))
            yield name, scopes, ".ignored" in body, path, text[:m.start()].count("\n") + 1


def main():
    code = ""
    for path in glob.glob("pooler/*.c"):
        if not path.startswith("pooler/conf_"):
            code += re.sub(r"/\*.*?\*/", "", open(path, encoding="utf-8").read(), flags=re.S)
    bad = 0
    for name, scopes, ignored, path, line in rows():
        getter = re.search(r"\bconf_(?:pool_)?" + GETTERS.get(name, name) + r"\(", code)
        if "POOLER" in scopes:
            used = re.search(r"\bp(?:->|\.)" + name + r"\b", code) or getter or any(
                door in code and name in names for door, names in DOORS.items())
        else:
            used = re.search(r"(?:->|\.)" + name + r"\b", code)
        if used and ignored:
            print(f"{path}:{line}: {name} is read, but its row says it has no effect")
        elif not used and not ignored:
            print(f"{path}:{line}: nobody reads {name}: give it an effect, or say .ignored and why")
        else:
            continue
        bad = 1
    return bad


if __name__ == "__main__":
    sys.exit(main())
