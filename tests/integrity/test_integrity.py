"""Nobody reads another's rows, whatever happens around: integrity.c does the work.

--interleavings says how many actions all runs together take; --seed (SEED) is that of what the
clients do, while how they meet is the machine's affair.
Against the stand-in, Debian's PgBouncer 1.18, the runs with kills do find rows of
other clients now and then: that is what a failure looks like.
"""
import os
import subprocess

import pytest

import pooler as poolers

TOOL = os.path.join(poolers.ROOT, "build/release/tests/integrity/integrity")

RUNS = [
    # name, clients, share of the interleavings, how it kills (None: not), settings
    ("one-connection", 6, 0.2, ["--kill-ms", "200"], {"max_open": 1}),
    ("transaction", 24, 0.25, [], {"max_open": 4}),
    ("workers", 24, 0.25, [], {"max_open": 4, "workers": 3}),
    ("session", 8, 0.1, [], {"max_open": 4, "pool_mode": "session",
                             "server_reset_query": "DISCARD ALL"}),
    ("calm", 24, 0.05, None, {"max_open": 3}),
    ("timeouts", 24, 0.1, [], {"max_open": 3, "query_timeout": 0.5, "transaction_timeout": 0.7,
                               "idle_transaction_timeout": 0.3, "cancel_wait_timeout": 1}),
    ("audited", 24, 0.05, [], {"max_open": 3, "pool_mode": "auto", "state_audit": "always"}),
]


def test_the_test_itself(postgres):
    """Directly at the server there is nothing to find."""
    done = subprocess.run([TOOL, "--port", str(postgres.port), "--clients", "8", "--actions", "500",
                           "--prepared", "--without", "reshape", "--direct",
                           postgres.dsn(dbname="shop")],
                          capture_output=True, text=True)
    print(done.stdout)
    assert done.returncode == 0, done.stdout + done.stderr[-4000:]


@pytest.mark.ours
def test_a_broken_ledger_is_found_out(postgres):
    """A pooler that forgets what a server owes (FLAVOR=broken) must fail this test."""
    binary = os.path.join(poolers.ROOT, "build/broken/bin/pgsluice")
    p = poolers.Pooler(postgres, binary=binary, max_open=4).start()
    try:
        done = subprocess.run([TOOL, "--port", str(p.port), "--clients", "24", "--actions", "3000",
                               "--prepared", "--patience-ms", "3000"],
                              capture_output=True, text=True, timeout=500)
        print(done.stdout + done.stderr)
        assert done.returncode == 1, done.stdout
        assert "VIOLATION" in done.stderr
    finally:
        p.process.kill()
        p.process.wait()
        p.process = None
        p.close()


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("name, clients, share, options, settings", RUNS,
                         ids=[r[0] for r in RUNS])
def test_no_foreign_rows(pooler, postgres, pytestconfig, name, clients, share, options, settings):
    total = pytestconfig.getoption("interleavings")
    seed = pytestconfig.getoption("seed")
    p = pooler(query_wait_timeout=60, query_wait_notify=0, **settings)
    words = [TOOL, "--port", str(p.port), "--clients", str(clients),
             "--actions", str(max(100, int(total * share)))]
    if options is not None:
        words += ["--direct", postgres.dsn(dbname="shop"), *options]
    if not poolers.STAND_IN or name == "session":
        words.append("--prepared")
    if poolers.STAND_IN:  # PgBouncer hangs on a query with half a message behind it
        words += ["--without", "straddle,half-request"]
    if name == "session":  # where a statement's plan is its client's own
        words += ["--without", "reshape"]
    words += ["--seed", str(seed)]
    done = subprocess.run(words, capture_output=True, text=True)
    print(done.stdout + done.stderr)
    assert done.returncode == 0, done.stdout + done.stderr[-4000:] + p.log()[-1500:]
    assert p.running()
