"""conftest.py - the fixtures of every live test: a server and poolers before it."""
import os
import sys

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "live"))

# what is set for a user's own servers is not meant for ours
for name in [n for n in os.environ if n.startswith("PG") and not n.startswith(("PGSLUICE_", "PGASSAY_", "PG_BIN"))]:
    del os.environ[name]
os.environ.update(GIT_CONFIG_GLOBAL="/dev/null", GIT_CONFIG_NOSYSTEM="1")

import cluster  # noqa: E402
import pooler as poolers  # noqa: E402
import wire  # noqa: E402


def pytest_addoption(parser):
    parser.addoption("--interleavings", type=int, default=5000,
                     help="how many the integrity test goes through")
    parser.addoption("--seed", type=int, default=wire.SEED,
                     help="of the integrity test, whose clients' scripts follow from it (default: the environment's SEED, or 1)")


def pytest_collection_modifyitems(items):
    if poolers.STAND_IN:
        leave_out = pytest.mark.skip(reason="only pgsluice has this")
        for item in items:
            if item.get_closest_marker("ours"):
                item.add_marker(leave_out)


@pytest.hookimpl(tryfirst=True)
def pytest_report_header():
    return f"under test: {poolers.BIN}"


@pytest.fixture(scope="session")
def postgres():
    """One PostgreSQL server for all tests of a session."""
    server = cluster.Postgres()
    yield server
    server.close()


@pytest.fixture
def own_postgres():
    """A server of the test's own, to stop and start as it likes."""
    server = cluster.Postgres()
    yield server
    server.close()


@pytest.fixture
def pooler(request):
    """A factory: pooler(max_open=2, …) starts one; all are stopped, and checked, at the end.

    on=SERVER puts it before another server than the session's, start=False leaves
    the start to the test.
    """
    if not os.access(poolers.BIN, os.X_OK):
        pytest.fail(f"{poolers.BIN} is not built", pytrace=False)
    made = []

    def make(on=None, start=True, **kw):
        p = poolers.Pooler(on or request.getfixturevalue("postgres"), **kw)
        made.append(p)
        return p.start() if start else p

    def close_all():
        problems = []
        while made:
            try:
                made.pop(0).close()
            except AssertionError as e:
                problems.append(str(e))
        assert not problems, "\n".join(problems)

    make.close_all = close_all
    yield make
    close_all()
