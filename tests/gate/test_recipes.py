"""The recipes of docs/ci: their commands, run as the build server would run them.

What is the vendor's own (triggers, services, artifacts, caches) is read, not run.  The build that
they install pgsluice by is made once, from a clone of this tree."""
import os
import re
import shutil
import subprocess

import pytest
import yaml

import pooler as poolers

ROOT = poolers.ROOT
CI = os.path.join(ROOT, "docs", "ci")
SUITE = """
create table if not exists author (id int primary key, name text);
create table if not exists post (id int primary key, author_id int);
truncate author, post;
insert into author select i, 'a' from generate_series(1, 10) i;
insert into post select i, i from generate_series(1, 10) i;
begin;
select id, author_id from post order by id limit 10;
"""
LOOP = "".join(f"select name from author where id = {i};\n" for i in range(1, 11))
JOIN = "select p.id, a.name from post p join author a on a.id = p.author_id order by p.id limit 10;\n"


class Project:
    """Somebody's repository: a Makefile with a target test, whose suite is one SQL file."""

    def __init__(self, postgres, directory, installed):
        self.dir, self.postgres = str(directory), postgres
        self.installed = installed
        with open(self.dir + "/Makefile", "w", encoding="utf-8") as f:
            f.write("test:\n\t@psql -qAt -v ON_ERROR_STOP=1 -f suite.sql >/dev/null\ninclude queries.mk\n")
        shutil.copy(CI + "/queries.mk", self.dir)
        self.suite(JOIN)
        subprocess.run(["git", "init", "-q", "-b", "main", self.dir], check=True)
        self.git("add", "-A")
        self.git("commit", "-qm", "first")
        self.extra_path = []

    def git(self, *words, status=0):
        got = subprocess.run(["git", "-C", self.dir, "-c", "user.name=t", "-c", "user.email=t@example.org", *words], capture_output=True, text=True,
                             env=self.env())
        assert got.returncode == status, got.stdout + got.stderr
        return got

    def suite(self, middle):
        with open(self.dir + "/suite.sql", "w", encoding="utf-8") as f:
            f.write(SUITE + middle + "commit;\n")

    def env(self, **more):
        tmp = os.path.join(os.path.dirname(self.dir), "runner")
        os.makedirs(tmp + "/bin", exist_ok=True)
        # Packages are there already; what a recipe installs by make deps-build says so itself.
        with open(tmp + "/bin/apt-get", "w", encoding="utf-8") as f:
            f.write("#!/bin/sh\nexit 0\n")
        os.chmod(tmp + "/bin/apt-get", 0o755)
        path = ":".join(getattr(self, "extra_path", []) + [tmp + "/bin", os.environ["PATH"]])
        clean = {k: v for k, v in os.environ.items() if not k.startswith("PG") and k != "DATABASE_URL"}
        return {**clean, "PATH": path, "HOME": tmp, "RUNNER_TEMP": tmp, "CI_BUILDS_DIR": tmp, "GITHUB_PATH": tmp + "/path", "CCACHE_NOHASHDIR": "1",
                "CCACHE_DIR": os.environ.get("CCACHE_DIR", os.path.expanduser("~/.cache/ccache")), "GITHUB_STEP_SUMMARY": tmp + "/summary.md", "PGHOST": "127.0.0.1", "PGPORT": str(self.postgres.port),
                "PGUSER": "trusty", "PGDATABASE": "shop", "PGSLUICE_REPOSITORY": self.installed, **more}

    def run(self, script, shell=("bash", "--noprofile", "--norc", "-eo", "pipefail", "-c")):
        got = subprocess.run([*shell, script], cwd=self.dir, env=self.env(), capture_output=True, text=True, timeout=1500)
        try:    # what GitHub does with $GITHUB_PATH behind each step
            with open(self.env()["GITHUB_PATH"], encoding="utf-8") as f:
                self.extra_path = [x for x in f.read().splitlines() if x not in self.extra_path] + self.extra_path
        except FileNotFoundError:
            pass
        return got


@pytest.fixture(scope="module")
def repository(tmp_path_factory):
    """This tree as a repository that a recipe may clone: what is committed, and what is not yet."""
    path = str(tmp_path_factory.mktemp("origin") / "pgsluice")
    files = subprocess.run(["git", "-c", "safe.directory=*", "-C", ROOT, "ls-files", "-z", "--cached", "--others", "--exclude-standard"], capture_output=True, text=True)
    assert files.returncode == 0, files.stderr
    for name in files.stdout.split("\0"):
        if name and os.path.isfile(os.path.join(ROOT, name)):
            os.makedirs(os.path.dirname(os.path.join(path, name)), exist_ok=True)
            shutil.copy(os.path.join(ROOT, name), os.path.join(path, name))
    for words in (["init", "-q"], ["add", "-A"], ["-c", "user.name=t", "-c", "user.email=t@example.org", "commit", "-qm", "tree"]):
        subprocess.run(["git", "-C", path, *words], check=True, capture_output=True)
    return "file://" + path


@pytest.fixture
def project(postgres, tmp_path, repository):
    (tmp_path / "app").mkdir()
    made = Project(postgres, tmp_path / "app", repository)
    made.extra_path = [os.path.dirname(poolers.BIN)]
    return made


def steps():
    with open(CI + "/github-actions.yml", encoding="utf-8") as f:
        doc = yaml.safe_load(f)
    assert doc[True]["push"]["branches"] == ["main"]        # YAML 1.1 reads `on` as true
    return doc["jobs"]["queries"]["steps"]


@pytest.mark.ours
@pytest.mark.timeout(1800)
def test_github_actions(project):
    project.extra_path = []
    outcome = {}

    def workflow(expected_failure=None):
        failed = None
        for step in steps():
            if "run" not in step or (failed and step.get("if") != "always()"):
                continue
            got = project.run(step["run"])
            name = step.get("name", "packages")
            outcome[name] = got
            if got.returncode:
                failed = failed or name
        assert failed == expected_failure, outcome[failed].stdout + outcome[failed].stderr if failed else outcome
    workflow()
    assert shutil.which("pgsluice", path=project.env()["PATH"]).startswith(project.env()["RUNNER_TEMP"])
    assert outcome["annotate"].stdout.startswith("pgassay: 0 errors, 0 warnings")
    project.suite(LOOP)
    shutil.rmtree(project.env()["RUNNER_TEMP"] + "/pgsluice")
    workflow(expected_failure="annotate")
    assert "::warning file=" in outcome["annotate"].stdout and "NP001" in outcome["annotate"].stdout
    with open(project.env()["GITHUB_STEP_SUMMARY"], encoding="utf-8") as f:
        assert "## pgassay: worse" in f.read()
    assert os.path.getsize(project.dir + "/pgassay.sarif") > 10000


@pytest.mark.ours
@pytest.mark.timeout(1800)
def test_gitlab(project):
    with open(CI + "/gitlab-ci.yml", encoding="utf-8") as f:
        job = yaml.safe_load(f)["queries"]
    install = [x for x in job["before_script"] if "pgsluice" in x and not x.startswith("export")]
    assert len(install) == 3            # the same three lines as GitHub's, which test_github_actions runs
    github = next(s["run"] for s in steps() if s.get("name") == "install pgsluice")
    for line in install:
        assert line.replace("$CI_BUILDS_DIR", "$RUNNER_TEMP") in github
    script = "\n".join(["set -eo pipefail", job["before_script"][-1], *job["script"]])
    got = project.run(script, shell=("bash", "-c"))
    assert got.returncode == 0, got.stdout + got.stderr
    project.suite(LOOP)
    assert project.run(script, shell=("bash", "-c")).returncode == 1
    for file in (job["artifacts"]["reports"]["codequality"], job["artifacts"]["reports"]["junit"]):
        with open(os.path.join(project.dir, file), encoding="utf-8") as f:
            assert "NP001" in f.read()


@pytest.mark.ours
def test_jenkins(project):
    with open(CI + "/Jenkinsfile", encoding="utf-8") as f:
        text = f.read()
    assert text.count("{") == text.count("}")
    scripts = re.findall(r"sh '''(.*?)'''|sh '(.*?)'$", text, re.S | re.M)
    assert len(scripts) == 2
    for middle, expected in ((JOIN, [0, 0]), (LOOP, [0, 1])):
        project.suite(middle)
        assert [project.run(a or b, shell=("sh", "-xe", "-c")).returncode for a, b in scripts] == expected
    for file in ("pgassay.xml", "pgassay.html", "queries.jsonl"):
        assert file in text and os.path.getsize(os.path.join(project.dir, file)) > 0


@pytest.mark.ours
def test_make(project):
    got = project.run("make check-queries", shell=("sh", "-c"))
    assert got.returncode == 0, got.stdout + got.stderr
    project.suite(LOOP)
    assert project.run("make check-queries", shell=("sh", "-c")).returncode == 2
    assert project.run("make accept-queries", shell=("sh", "-c")).returncode == 0
    with open(project.dir + "/.pgassay.conf", "w", encoding="utf-8") as f:
        f.write("[gate]\nbaseline = .pgassay-baseline\n")
    got = project.run("make check-queries", shell=("sh", "-c"))
    assert got.returncode == 0, got.stdout + got.stderr


@pytest.mark.ours
def test_pre_commit(project):
    hook = project.dir + "/.git/hooks/pre-commit"
    shutil.copy(CI + "/pre-commit", hook)
    name = project.dir + "/the report's.sql"
    with open(name, "w", encoding="utf-8") as f:
        f.write("select id from t where id = 1 limit 1;\n")
    project.git("add", "-A")
    project.git("commit", "-qm", "fine")
    with open(name, "a", encoding="utf-8") as f:
        f.write("select id from t where lower(email) = 'x' limit 1;\n")
    project.git("add", "-A")
    got = project.git("commit", "-qm", "bad", status=1)
    assert "SG001" in got.stdout + got.stderr
    with open(name, "a", encoding="utf-8") as f:
        f.write("select 2;\n")
    project.git("commit", "-qam", "forced", "--no-verify")
    with open(name, "a", encoding="utf-8") as f:
        f.write("select 3;\n")
    project.git("commit", "-qam", "an old one is not this commit's")
    # the first commit of a repository
    subprocess.run(["rm", "-rf", project.dir + "/.git"], check=True)
    subprocess.run(["git", "init", "-q", project.dir], check=True)
    shutil.copy(CI + "/pre-commit", hook)
    project.git("add", "-A")
    assert "SG001" in project.git("commit", "-qm", "first", status=1).stderr + project.git("commit", "-qm", "first", status=1).stdout


def test_every_recipe_is_named():
    with open(CI + "/README.md", encoding="utf-8") as f:
        text = f.read()
    for name in os.listdir(CI):
        assert name == "README.md" or f"`{name}`" in text, name


def test_dockerfile():
    """No Docker here: its packages are those of the Makefile, its commands those of make."""
    with open(ROOT + "/dist/Dockerfile", encoding="utf-8") as f:
        text = f.read().replace("\\\n", " ")
    stages = text.split("\nFROM ")[1:]
    assert len(stages) == 2 and all(s.startswith("debian:bookworm-slim") for s in stages)
    runs = re.findall(r"^RUN (.*)$", text, re.M)
    for run in runs:
        subprocess.run(["sh", "-n", "-c", run], check=True)
    build = set(re.search(r"--no-install-recommends(.*?)&&", runs[0], re.S)[1].split())
    wanted = subprocess.run(["make", "-s", "--no-print-directory", "print-packages-build"], cwd=ROOT, capture_output=True, text=True, check=True)
    assert build == set(wanted.stdout.split()) | {"dpkg-dev"}
    assert re.search(r"^USER pgsluice$", stages[1], re.M) and "adduser --system" in open(ROOT + "/dist/debian/postinst", encoding="utf-8").read()
    assert "make -C /src -j\"$(nproc)\" deb" in runs[1]
