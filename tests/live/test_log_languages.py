"""A server whose messages are German, Spanish, French, Japanese, Russian, Chinese, and which writes
stderr, csvlog and jsonlog: the same session in each language is read as in English."""
import os
import subprocess

import psycopg
import pytest

import cluster
from pooler import wait_until
from test_log_formats import assay
from test_log_server import deadlock, errors, fail, in_thread, lock_wait, temp_file

pytestmark = pytest.mark.timeout(900)  # eight servers are started, one after the other

LANGUAGES = {"de": "de_DE", "es": "es_ES", "fr": "fr_FR", "ja": "ja_JP", "ru": "ru_RU", "zh": "zh_CN"}
FORMATS = {"log": "stderr", "csv": "csvlog", "json": "jsonlog"}
COLLECTED = {"logging_collector": "on", "log_destination": "stderr,csvlog,jsonlog", "log_directory": "log"}


def collected(server, name, form="log"):
    """A file that the collector writes."""
    with open(f"{server.data}/log/{name}.{form}", encoding="utf-8") as f:
        return f.read()


def keep(server, name, to):
    """Copies of all three, by format."""
    for form in FORMATS:
        (to / f"{name}.{form}").write_text(collected(server, name, form), encoding="utf-8")
    return {form: to / f"{name}.{form}" for form in FORMATS}


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
def locales():
    """Messages are in the language that a locale is named by, whatever is in the locale."""
    path = cluster.scratch("pgassay-locales-")
    try:
        for name in LANGUAGES.values():
            os.symlink("/usr/lib/locale/C.utf8", f"{path}/{name}.UTF-8")
        yield path
    finally:
        subprocess.run(["rm", "-r", path], check=True)


@pytest.fixture(scope="module")
def log(tmp_path_factory, locales):
    os.environ["LOCPATH"] = locales
    try:
        server = cluster.Postgres(**COLLECTED, log_filename="pg.log", log_min_duration_statement=0,
                                  log_line_prefix="%m [%p] %q%u@%d/%a ", log_connections="on")
    finally:
        del os.environ["LOCPATH"]
    try:
        for lang, name in {"en": None, **LANGUAGES}.items():
            with server.connect(user="postgres", application_name=lang) as c:
                if name:
                    c.execute(f"SET lc_messages = '{name}.UTF-8'")
                session(c)
        server.stop()
        yield keep(server, "pg", tmp_path_factory.mktemp("log"))
    finally:
        server.close()


def view(path, lang):
    report = assay(path, "--app", lang)
    return {s["sql"]: (s["calls"], s.get("errors"), s.get("planning_ms", 0) > 0, [x.get("parameters") for x in s["samples"]])
            for s in report["shapes"] if s["verb"] != "SET" and s["sql"].find("current_setting") < 0}


def test_a_session_is_read_as_in_english(log):
    for form, path in log.items():
        text = path.read_text()
        severities = () if form == "json" else ("FEHLER", "ОШИБКА", "错误")  # jsonlog does not translate them
        for word in ("sentencia:", "durée :", "期間:") + severities:
            assert word in text, (form, word)
        english = view(path, "en")
        assert not any("lc_messages" in n for n in assay(path, "--app", "en")["notes"]), form
        for lang in LANGUAGES:
            got, where = view(path, lang), (form, lang)
            assert {k: v[:3] for k, v in got.items()} == {k: v[:3] for k, v in english.items()}, where
            prepared = next(k for k in got if k.startswith("select ?::int"))
            assert sorted(got[prepared][3]) == sorted(english[prepared][3]) and got[prepared][3][0].startswith("$1 = '"), where
            assert got["select oid from pg_class where relname = ?"][0] == 1, where
            assert any("lc_messages" in n for n in assay(path, "--app", lang)["notes"]), where


# --- what the server says of itself: connections, locks, checkpoints, autovacuum, files, refusals

def refused(server):
    for words in ({"user": "app", "password": "wrong"}, {"user": "nobody_knows"}, {"dbname": "no_such_db"}):
        with pytest.raises(psycopg.OperationalError):
            server.connect(**words)


def more_errors(c):
    fail(c, "SELECT missing FROM items", psycopg.errors.UndefinedColumn)
    fail(c, "SELECT i.missing FROM items i", psycopg.errors.UndefinedColumn)
    fail(c, "SELECT no_such_function(1)", psycopg.errors.UndefinedFunction)
    fail(c, "SELECT 'x'::int", psycopg.errors.InvalidTextRepresentation)
    fail(c, "SELECT * FROM items GROUP BY note", psycopg.errors.GroupingError)
    fail(c, "INSERT INTO items (note) VALUES ('x')", psycopg.errors.NotNullViolation)
    fail(c, "SELECT (", psycopg.errors.SyntaxError)
    fail(c, "SELECT 'open", psycopg.errors.SyntaxError)
    c.execute("BEGIN")
    fail(c, "SELECT * FROM secrets", psycopg.errors.InsufficientPrivilege)
    fail(c, "SELECT 1", psycopg.errors.InFailedSqlTransaction)
    c.execute("ROLLBACK")
    c.execute("BEGIN READ ONLY")
    fail(c, "DELETE FROM items", psycopg.errors.ReadOnlySqlTransaction)
    c.execute("ROLLBACK")


def cancelled(server, a):
    t = in_thread(a, "SELECT pg_sleep(600)", psycopg.errors.QueryCanceled)
    wait_until(lambda: server.sql(f"SELECT state, query LIKE '%sleep(600)' FROM pg_stat_activity WHERE pid = {a.info.backend_pid}") ==
             [("active", True)])
    server.sql(f"SELECT pg_cancel_backend({a.info.backend_pid})")
    t.join()


def scene(server, name):
    """All of it once, into files of the language's name."""
    server.settings["log_filename"] = f"{name}.log"
    server.start()
    server.sql("UPDATE items SET note = note || '.'", dbname="shop")
    with server.connect(application_name="web") as a, server.connect(application_name="web") as b:
        errors(a)
        more_errors(a)
        temp_file(a)
        lock_wait(server, a, b, log=lambda s: collected(s, name))
        a.execute("SET deadlock_timeout = '1h'")  # so that it is b who finds the deadlock
        deadlock(server, a, b)
        cancelled(server, a)
    refused(server)
    server.sql("CHECKPOINT")
    wait_until(lambda: collected(server, name).count("shop.public.items") >= 2)  # vacuum and analyze
    server.stop()


@pytest.fixture(scope="module")
def scenes(tmp_path_factory, locales):
    os.environ["LOCPATH"] = locales
    server = cluster.Postgres(**COLLECTED, log_connections="on", log_disconnections="on", log_lock_waits="on", deadlock_timeout="30ms", log_temp_files=0,
                              log_checkpoints="on", log_autovacuum_min_duration=0, autovacuum="on", autovacuum_naptime="1s",
                              log_min_duration_statement=0, log_line_prefix="%m [%p] %q%u@%d/%a ")
    try:
        server.sql("CREATE TABLE items (id int PRIMARY KEY, note text) WITH (vacuum_truncate = off)", dbname="shop")
        server.sql("INSERT INTO items SELECT g, 'note ' || g FROM generate_series(1, 900) g", dbname="shop")
        server.sql("GRANT ALL ON items TO trusty; GRANT SET ON PARAMETER deadlock_timeout TO trusty; CREATE TABLE secrets ()", dbname="shop")
        server.stop()
        found = {}
        for lang, name in {"en": "C", **LANGUAGES}.items():
            server.settings["lc_messages"] = name if lang == "en" else f"{name}.UTF-8"
            scene(server, lang)
            found[lang] = keep(server, lang, tmp_path_factory.mktemp("scene"))
    finally:
        del os.environ["LOCPATH"]
        server.close()
    yield found


def told(report):
    """What must not depend on the language, nor on how often the tests looked whether it is time."""
    faults = {(e["sqlstate"], e["severity"], e["message"]): e["count"] for e in report["errors"]
              if e["sqlstate"] not in ("57P01", "57P03")}  # autovacuum, when the server ends; a server that starts
    shapes = {s["sql"]: (s["calls"], s.get("errors"), s.get("cancels"), s.get("temp_files"), s.get("lock_waits"))
              for s in report["shapes"] if "pg_stat_activity" not in s["sql"]}
    waits = sorted((w["waiter"], w["holder"], w["waits"], w["deadlocks"], w.get("lock")) for w in report["waits"])
    server = {k: report["server"][k] for k in ("temp_files", "temp_bytes", "lock_waits", "deadlocks", "checkpoints",
                                               "cancels_statement_timeout", "cancels_user_request")}
    dead = [sorted((p["lock"], p["shape"]) for p in d["processes"]) for d in report["deadlocks"]]
    return faults, shapes, waits, server, dead


def test_what_the_server_says_is_read_as_in_english(scenes):
    english = assay(scenes["en"]["log"])
    faults, shapes, waits, server, dead = told(english)
    assert {s for s, _, _ in faults} >= {"28P01", "28000", "3D000", "42501", "25P02", "25006", "57014", "40P01", "42601", "42703", "22P02"}
    assert None not in {s for s, _, _ in faults}
    assert server["checkpoints"] >= 2 and server["temp_files"] >= 1 and len(dead) == 1 and waits
    for lang, form in ((lang, form) for lang in scenes for form in FORMATS):
        report = assay(scenes[lang][form])
        got = told(report)
        assert report["input"]["files"][0]["format"] == FORMATS[form], (lang, form)
        assert got[0] == faults, (lang, form)
        assert got[1] == shapes, (lang, form)
        assert got[3:] == (server, dead), (lang, form)
        assert got[2] == waits, (lang, form)
        assert report["server"]["lock_wait_s"] >= 0.03 and report["server"]["checkpoint_buffers"] > 0
        assert report["server"]["connections"] > 8 and report["sessions"]["count"] == report["server"]["disconnections"] > 8
        assert {g["name"]: g.get("sessions") for g in report["by"]["applications"]}["web"] == 2, (lang, form)
        assert {g["name"] for g in report["by"]["hosts"]} >= {"127.0.0.1", "[local]"}, (lang, form)
        (items,) = [v for v in report["autovacuum"] if v["table"] == "shop.public.items"]
        assert items["vacuums"] >= 1 and items["analyzes"] >= 1, (lang, form)


def test_the_table_of_messages_is_what_the_catalogues_say():
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    got = subprocess.run([f"{root}/tests/lint/log_catalog"], capture_output=True, text=True)
    assert got.returncode == 0, got.stdout + got.stderr
