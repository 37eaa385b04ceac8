"""The configuration file: what is wrong in it is said, all of it, with file and line."""
import pytest

pytestmark = pytest.mark.ours

GOOD = "[databases]\nshop = host=127.0.0.1 port=1\n[pooler]\nlisten_port = 6000\n"


def check(pooler, text):
    """pgsluice --check: (status, everything it says)."""
    p = pooler(start=False, raw=text)
    status, out, err = p.run("--check", p.config)
    return status, out + err, p


def test_a_good_file(pooler):
    status, said, _ = check(pooler, GOOD)
    assert status == 0, said


def test_section_under_its_old_name(pooler):
    status, said, _ = check(pooler, GOOD.replace("[pooler]", "[pgbouncer]"))
    assert status == 0, said


@pytest.mark.parametrize("line, words", [
    ("max_opne = 5", ["max_opne", "max_open"]),
    ("max_open = many", ["max_open", "many"]),
    ("max_open = -1", ["max_open", "-1"]),
    ("pool_mode = sometimes", ["pool_mode", "sometimes", "transaction"]),
    ("listen_port = 70000", ["listen_port", "70000"]),
    ("query_wait_timeout = soon", ["query_wait_timeout", "soon"]),
    ("this is no setting", ["this is no setting"]),
    ("auth_type = magic", ["auth_type", "magic", "scram-sha-256"]),
])
def test_an_error_names_file_line_and_what_is_allowed(pooler, line, words):
    status, said, p = check(pooler, GOOD + line + "\n")
    assert status != 0
    assert "pooler.conf:5" in said, said
    for word in words:
        assert word in said, (word, said)


def test_all_errors_at_once(pooler):
    status, said, _ = check(pooler, GOOD + "nonsense = 1\nmax_open = x\npool_mode = y\n[what]\na=b\n")
    assert status != 0
    for line in (5, 6, 7, 8):
        assert f"pooler.conf:{line}" in said, said


def test_unknown_section(pooler):
    status, said, _ = check(pooler, "[databases]\n[poolers]\n")
    assert status != 0 and "poolers" in said and "pooler.conf:2" in said


def test_missing_file(pooler):
    p = pooler(start=False)
    status, out, err = p.run("--check", p.dir + "/nowhere.conf")
    assert status != 0 and "nowhere.conf" in out + err


def test_start_refuses_a_bad_file(pooler):
    p = pooler(start=False, raw=GOOD + "max_opne = 5\n")
    status, out, err = p.run(p.config)
    assert status != 0 and "max_opne" in out + err


def test_include(pooler):
    p = pooler(start=False)
    p.write("more.conf", "[pooler]\nmax_opne = 5\n")
    p.write_config(raw=GOOD + f"%include {p.dir}/more.conf\n")
    status, out, err = p.run("--check", p.config)
    assert status != 0 and "more.conf:2" in out + err, out + err


def test_the_sample_is_a_good_file(pooler):
    p = pooler(start=False)
    status, out, err = p.run("--print-sample")
    assert status == 0 and "max_open" in out, err
    p.write("pooler.conf", out)
    status, out, err = p.run("--check", p.config)
    assert status == 0, out + err


def test_help_and_version(pooler):
    p = pooler(start=False)
    for words in (["--help"], ["--version"], ["-V"], ["-h"]):
        status, out, err = p.run(*words)
        assert status == 0 and "pgsluice" in out.lower(), (words, out, err)
    status, out, err = p.run("--no-such-option")
    assert status == 2 or status == 1, (status, err)
    assert "no-such-option" in err
