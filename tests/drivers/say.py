"""say.py - how the drivers' programs print: one line a result, the same everywhere."""


def say(*values):
    print("  " + " | ".join(repr(v) if isinstance(v, (bytes, float)) else str(v) for v in values),
          flush=True)


def section(name):
    print(name, flush=True)
