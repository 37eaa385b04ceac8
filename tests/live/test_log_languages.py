"""A server whose messages are German, Spanish, French, Japanese, Russian, Chinese: the same
session in each language is read as in English."""
import os
import subprocess

import psycopg
import pytest

import cluster
from test_log_formats import assay

LANGUAGES = {"de": "de_DE", "es": "es_ES", "fr": "fr_FR", "ja": "ja_JP", "ru": "ru_RU", "zh": "zh_CN"}


def session(c):
    c.execute("SELECT count(*) FROM pg_class WHERE relname = 'a'")
    for i in range(3):
        c.execute("SELECT %s::int + 1, %s::text", (i, f"text {i}"), prepare=True)
    c.execute("PREPARE by_name (text) AS SELECT oid FROM pg_class WHERE relname = $1")
    c.execute("EXECUTE by_name ('b')")
    with pytest.raises(psycopg.errors.DivisionByZero):
        c.execute("SELECT 1 /\n 0")
    c.execute("BEGIN")
    c.execute("SELECT relname FROM pg_class LIMIT 5")
    c.execute("ROLLBACK")


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    locales = cluster.scratch("pgassay-locales-")
    for name in LANGUAGES.values():
        subprocess.run(["localedef", "--no-archive", "-i", name, "-f", "UTF-8", f"{locales}/{name}.UTF-8"], check=True, capture_output=True)
    os.environ["LOCPATH"] = locales
    try:
        server = cluster.Postgres(log_min_duration_statement=0, log_line_prefix="%m [%p] %q%u@%d/%a ", log_connections="on")
    finally:
        del os.environ["LOCPATH"]
    try:
        for lang, name in {"en": None, **LANGUAGES}.items():
            with server.connect(user="postgres", application_name=lang) as c:
                if name:
                    c.execute(f"SET lc_messages = '{name}.UTF-8'")
                session(c)
        server.stop()
        path = tmp_path_factory.mktemp("log") / "pg.log"
        path.write_text(server.log())
        yield path
    finally:
        server.close()
        subprocess.run(["rm", "-r", locales], check=True)


def view(path, lang):
    report = assay(path, "--app", lang)
    return {s["sql"]: (s["calls"], s.get("errors"), s.get("planning_ms", 0) > 0, [x.get("parameters") for x in s["samples"]])
            for s in report["shapes"] if s["verb"] != "SET" and s["sql"].find("current_setting") < 0}


def test_a_session_is_read_as_in_english(log):
    """One test, so that one worker builds the locales."""
    text = log.read_text()
    for word in ("FEHLER:", "sentencia:", "durée :", "期間:", "ОШИБКА:", "错误:"):
        assert word in text, word
    english = view(log, "en")
    assert not any("lc_messages" in n for n in assay(log, "--app", "en")["notes"])
    for lang in LANGUAGES:
        got = view(log, lang)
        assert {k: v[:3] for k, v in got.items()} == {k: v[:3] for k, v in english.items()}, lang
        prepared = next(k for k in got if k.startswith("select ?::int"))
        assert sorted(got[prepared][3]) == sorted(english[prepared][3]) and got[prepared][3][0].startswith("$1 = '"), lang
        assert got["select oid from pg_class where relname = ?"][0] == 1, lang
        assert any("lc_messages" in n for n in assay(log, "--app", lang)["notes"]), lang
