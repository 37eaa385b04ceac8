#!/usr/bin/python3
"""verdict.py REPORT.json - does the report name each culprit of the shop, and no twin?

CULPRITS says which rule must fire on which statement, TWINS which statements must
have no finding of severity warning or above; statements are named by a part of
their text.
"""
import json
import re
import sys

CULPRITS = [
    ("NP001", r"from items where order_id = \?"),
    ("LM001", r"from users where country = \? order by id"),
    ("SG001", r"date\(created_at\) = "),
    ("SG001", r"lower\(email\) = "),
]
INDEX = ("events", "user_id")
TWINS = [
    r"from items where order_id = any",
    r"from users where country = \? and id > ",
    r"from orders where created_at >= ",
    r"from users where email = ",
    r"from products where id = ",
    r"from orders where user_id = ",
]


def plain(sql):
    """One line, lower case, without the comment at its end."""
    sql = re.sub(r"/\*.*?\*/", "", sql, flags=re.S)
    return re.sub(r"\s+", " ", sql).strip().lower()


def main():
    with open(sys.argv[1], encoding="utf-8") as f:
        report = json.load(f)
    texts = {s["id"]: plain(s["sql"]) for s in report["shapes"]}
    found = [(f["rule"], f["severity"], texts.get(f.get("shape"), ""), f["message"])
             for f in report["findings"]]
    wrong = []
    for rule, pattern in CULPRITS:
        if not any(r == rule and re.search(pattern, text) for r, _, text, _ in found):
            wrong.append(f"{rule} does not name the statement with {pattern!r}")
    for pattern in TWINS:
        if not any(re.search(pattern, text) for text in texts.values()):
            wrong.append(f"no shape has {pattern!r}: the verdict on it says nothing")
        for rule, severity, text, message in found:
            if severity in ("error", "warning") and re.search(pattern, text):
                wrong.append(f"{rule} blames a healthy statement: {message}")
    table, column = INDEX
    if not any(i["table"].split(".")[-1] == table and i["columns"][0] == column
               for i in report["indexes"]):
        wrong.append(f"no index on {table} ({column}) is suggested")
    for text in wrong:
        print(f"verdict: {text}")
    print(f"verdict: {len(CULPRITS) + 1 + len(TWINS)} expectations, {len(wrong)} not met")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
