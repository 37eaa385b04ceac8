"""A bad query is caught in the commit that adds it, by the suite of each world, and nothing else is.

Each commit's suite runs as a build server would run it: `pgsluice record --check` with a
configuration and a baseline of the first commit."""
import json
import os
import shutil
import subprocess

import pytest

import pooler as poolers

HERE = os.path.dirname(os.path.abspath(__file__))
APPS = os.path.join(HERE, "..", "apps")
BUILD = os.path.join(HERE, "..", "..", "build")
SLOW = "(SELECT 1 FROM pg_sleep(0.8))"

# What a suite is made of, how it is run, and its bad commits: file, what is replaced, by what, rules.
WORLDS = {
    "django": {
        "copy": {APPS + "/django_shop": "", HERE + "/django_views.py": "shop/views.py", HERE + "/django_tests.py": "shop/tests.py",
                 HERE + "/django_run.py": "run.py"},
        "run": ["/usr/bin/python3", "run.py"], "again": [["2"], ["1", "reverse"]], "file": "shop/views.py",
        "nplus": ('.select_related("customer")', ""),
        "cast": ("filter(email=email)", "filter(email__iexact=email)"),
        "slow": ("FROM shop_order", f"FROM shop_order WHERE EXISTS {SLOW}"),
        "test": "shop.tests.OrdersTest.test_list",
    },
    "activerecord": {
        "copy": {APPS + "/activerecord_shop": "", HERE + "/activerecord_views.rb": "views.rb", HERE + "/activerecord_run.rb": "run.rb"},
        "run": ["/usr/bin/ruby", "run.rb"], "again": [["2"]], "file": "views.rb",
        "nplus": (".includes(:customer)", ""),
        "cast": ("where(email: email)", 'where("lower(email) = ?", email)'),
        "slow": ("FROM orders", f"FROM orders WHERE EXISTS {SLOW}"),
        "test": "ShopTest#test_list",
    },
    "jdbc": {
        "copy": {HERE + "/Suite.java": "Suite.java", HERE + "/views.properties": "views.properties"},
        "make": ["javac", "-cp", "/usr/share/java/postgresql.jar", "Suite.java"],
        "run": ["java", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xmx128m", "-cp", ".:/usr/share/java/postgresql.jar", "Suite"],
        "again": [[]], "file": "views.properties",
        "nplus": ("SELECT p.id, c.name FROM purchase p JOIN customer c ON c.id = p.customer_id ORDER",
                  "SELECT p.id, p.customer_id FROM purchase p ORDER"),
        "cast": ("WHERE email = ?", "WHERE lower(email) = ?"),
        "slow": ("count(*) FROM purchase", f"count(*) FROM purchase WHERE EXISTS {SLOW}"),
        "test": "test list",
    },
    "node": {
        "copy": {HERE + "/suite.js": "suite.js", HERE + "/views.js": "views.js"},
        "run": ["node", "suite.js"], "again": [[]], "file": "views.js",
        "nplus": ('const found = await db.query("SELECT p.id, c.name FROM purchase p JOIN customer c ON c.id = p.customer_id ORDER BY p.id LIMIT $1", [n]);',
                  'const found = await db.query("SELECT id, customer_id FROM purchase ORDER BY id LIMIT $1", [n]);\n'
                  '  for (const row of found.rows) {\n'
                  '    row.name = (await db.query("SELECT name FROM customer WHERE id = $1", [row.customer_id])).rows[0].name;\n  }'),
        "cast": ("WHERE email = $1", "WHERE lower(email) = $1"),
        "slow": ("FROM purchase\")", f"FROM purchase WHERE EXISTS {SLOW}\")"),
        "test": "list",
    },
}
CAUGHT = {"nplus": "NP001", "cast": "SG001", "slow": "GT004"}


class World:
    def __init__(self, name, postgres, directory):
        self.world, self.dir, self.postgres = WORLDS[name], str(directory), postgres
        self.database = f"gate_{name}"
        for source, to in self.world["copy"].items():
            (shutil.copytree if os.path.isdir(source) else shutil.copy)(source, os.path.join(self.dir, to),
                                                                        **({"dirs_exist_ok": True} if os.path.isdir(source) else {}))
        with open(self.dir + "/.pgassay.conf", "w", encoding="utf-8") as f:
            f.write("[gate]\nfail_on = warning\nbaseline = .pgassay-baseline\n[limits]\nmax_p95 = 500ms\n")
        with open(self.dir + "/.pgassay-baseline", "w", encoding="utf-8") as f:
            f.write("# nothing is known yet\n")
        with open(self.dir + "/.gitignore", "w", encoding="utf-8") as f:
            f.write("*.json*\n*.class\n__pycache__\n")
        if "make" in self.world:
            subprocess.run(self.world["make"], cwd=self.dir, check=True)
        self.git("init", "-q")
        self.commit("base")

    def git(self, *words):
        subprocess.run(["git", "-C", self.dir, "-c", "user.name=t", "-c", "user.email=t@example.org", *words], check=True, capture_output=True)

    def commit(self, message):
        self.git("add", "-A")
        self.git("commit", "-qm", message, "--allow-empty")

    def change(self, old, new):
        path = os.path.join(self.dir, self.world["file"])
        with open(path, encoding="utf-8") as f:
            text = f.read()
        assert text.count(old) == 1, (old, text)
        with open(path, "w", encoding="utf-8") as f:
            f.write(text.replace(old, new))
        self.commit("change")

    def record(self, *options, more=()):
        env = {k: v for k, v in os.environ.items() if not k.startswith("PG") and k != "DATABASE_URL"}
        env.update(DATABASE_URL=f"postgresql://trusty@127.0.0.1:{self.postgres.port}/{self.database}", PYTHONDONTWRITEBYTECODE="1",
                   NODE_PATH=BUILD + "/drivers/node/node_modules")
        return subprocess.run([poolers.BIN, "record", "-o", "q.jsonl", *options, "--", *self.world["run"], *more], cwd=self.dir, env=env,
                              capture_output=True, text=True, timeout=1500)

    def judged(self, more=()):
        """(status, {(rule, tests)}) of what counts."""
        got = self.record("--check", "--format", "json", "--report", "r.json", more=more)
        assert got.returncode in (0, 1), got.stdout + got.stderr
        with open(self.dir + "/r.json", encoding="utf-8") as f:
            report = json.load(f)
        return got.returncode, {(x["rule"], tuple(x["tests"])) for x in report["findings"]
                                if x["severity"] in ("warning", "error") and x["confidence"] != "possible"}


@pytest.mark.ours
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("name", WORLDS)
def test_caught_in_the_commit_that_adds_it(own_postgres, tmp_path, name):
    own_postgres.sql("alter role trusty createdb")
    own_postgres.sql(f"create database gate_{name} owner trusty")
    world = World(name, own_postgres, tmp_path)
    first = world.record()
    assert first.returncode == 0, first.stdout + first.stderr
    known = subprocess.run([os.path.join(os.path.dirname(poolers.BIN), "pgassay"), "log", "q.jsonl", "--write-baseline", ".pgassay-baseline"],
                           cwd=world.dir, capture_output=True, text=True)
    assert known.returncode == 0, known.stderr
    world.commit("baseline")
    for more in [[], *world.world["again"]]:    # the same commit again: another order, parallel, tried twice
        assert world.judged(more) == (0, set())
    for kind in ("nplus", "cast", "slow"):
        old, new = world.world[kind]
        world.change(old, new)
        verdicts = [world.judged(more) for more in [[], *world.world["again"]][:1 + (kind == "nplus") * 2]]
        assert all(v == verdicts[0] for v in verdicts), verdicts
        status, found = verdicts[0]
        assert status == 1 and CAUGHT[kind] in {rule for rule, _ in found}, (kind, found)
        if kind == "nplus":
            assert ("NP001", (world.world["test"],)) in found
        world.git("revert", "--no-edit", "HEAD")
    assert world.judged() == (0, set())
