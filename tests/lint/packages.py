#!/usr/bin/python3
"""packages.py - the README's dependency table and the Makefile's PACKAGES agree."""
import os
import re
import subprocess
import sys


def main():
    env = {k: v for k, v in os.environ.items() if not k.startswith("MAKE")}
    out = subprocess.run(["make", "-s", "print-packages"], capture_output=True, text=True,
                         check=True, env=env)
    made = set(out.stdout.split())
    with open("README.md", encoding="utf-8") as f:
        text = f.read().split("## Dependencies")[1].split("\n## ")[0]
    told = set()
    for line in text.splitlines():
        if line.startswith("| `"):
            told |= set(re.findall(r"`([^`]+)`", line.split("|")[1]))
    for name in sorted(made - told):
        print(f"README.md:1: the dependency table lacks {name}")
    for name in sorted(told - made):
        print(f"README.md:1: {name} is not in the Makefile's PACKAGES")
    return 1 if made != told else 0


if __name__ == "__main__":
    sys.exit(main())
