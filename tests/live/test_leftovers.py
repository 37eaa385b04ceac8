"""Whatever a client does to its session, by whichever way, the next one on the connection sees nothing.

One server connection; a client sets something and stays, or leaves; then another is asked all that
PostgreSQL knows of its session.  What functions and triggers do shows in no text and is left out:
that is state_audit's (test_session_state.py).
"""
import pytest

import wire

pytestmark = pytest.mark.ours

SEEN = """
select 'setting ' || name, setting from pg_settings where name not like 'plpgsql.%' and name not in (
  'transaction_isolation', 'transaction_read_only', 'transaction_deferrable', 'application_name')
union all select 'mine', coalesce(current_setting('my.var', true), '')
union all select 'his', coalesce(current_setting('his.own', true), '')
union all select 'code', coalesce(current_setting('code.var', true), '')
union all select 'who', session_user || ' as ' || current_user || ', role ' || current_setting('role')
union all select 'statements', count(*)::text from pg_prepared_statements where from_sql
union all select 'channels', count(*)::text from pg_listening_channels()
union all select 'cursors', count(*)::text from pg_cursors where is_holdable
union all select 'locks', count(*)::text from pg_locks where locktype = 'advisory' and pid = pg_backend_pid()
union all select 'temporary', count(*)::text from pg_class where relnamespace = pg_my_temp_schema()
union all select 'temporary functions', count(*)::text from pg_proc where pronamespace = pg_my_temp_schema()
union all select 'temporary types', count(*)::text from pg_type where typnamespace = pg_my_temp_schema()
"""

# Statements behind one another; in the simple protocol one Query.
WAYS = [
    ["set work_mem = '9MB'"], ["set session work_mem to '9MB'"], ['set "work_mem" = 9000'], ["SET\tWork_Mem\nTO '9MB'"],
    ["/* a */ set -- b\n work_mem = '9MB'"], ["set datestyle = german"], ["set time zone 'Asia/Tokyo'"], ["set names 'LATIN1'"],
    ["set xml option document"], ["set session characteristics as transaction read only"], ["set role tenant"],
    ["set my.var = 'x'"], ["set my . var = 'x'"], ['set "my"."var" = 1'],
    ["select set_config('my.var', 'x', false)"], ["select set_config('my.' || 'var', 'x', false)"],
    ["select \"set_config\"('work_mem', '9MB', false)"], ["update pg_settings set setting = 9000 where name = 'work_mem'"],
    ["update pg_catalog.\"pg_settings\" set setting = 9000 where name = 'work_mem'"],
    ["do $$begin set work_mem = '9MB'; end$$"], ["do $$begin perform set_config('code.' || 'var', 'x', false); end$$"],
    ["call set_work_mem()"], ["call set_code_var()"],
    ["begin", "set work_mem = '9MB'", "commit"], ["begin", "set work_mem = '9MB'", "rollback"], ["begin", "set work_mem = '9MB'", "select 1/0"],
    ["begin", "set local work_mem = '9MB'", "set my.var = 'x'", "commit and chain", "rollback"],
    ["begin", "savepoint a", "set work_mem = '9MB'", "rollback to a", "set my.var = 'x'", "commit"],
    ["select 1", "set work_mem = '9MB'"], ["set work_mem = '9MB'", "select 1/0"],
    ["create temp table t (a int)"], ["create local temporary table t as select 1"], ["select 1 as a into temp t"],
    ["with x as (select 1 as a) select * into temp t from x"], ["explain analyze create temp table t as select 1"],
    ["create /* c */ temp /**/ table t (a int)"], ["create temp sequence t"], ["create temp view t as select 1"],
    ["create table pg_temp.t (a int)"], ["set search_path = pg_temp, public", "create table t (a int)"],
    ["set search_path = '\"pg_temp\"'", "select 1 as a into t"],
    ["begin", "create temp table t (a int) on commit delete rows", "commit"],
    ["create function pg_temp.f() returns int language sql as 'select 1'"], ["create type pg_temp.t as (a int)"],
    ["create domain pg_temp.t as int"], ["prepare p as select 1"], ["listen news"], ["select pg_advisory_lock(7)"],
    ["select pg_try_advisory_lock_shared(7, 8)"], ["begin", "select pg_advisory_lock(7)", "rollback"],
    ["declare c cursor with hold for select 1"], ["begin", "declare c scroll cursor with hold for select 1", "commit"]]
# Values of a Bind name the parameter.
BOUND = ("select set_config($1, $2, false)", ["his.own", "x"])


@pytest.fixture(scope="module")
def tenant(postgres):
    postgres.sql("""create role tenant; grant tenant to trusty;
        create or replace procedure set_work_mem() language plpgsql as $$begin set work_mem = '9MB'; commit; set statement_timeout = '99s'; end$$;
        create or replace procedure set_code_var() language plpgsql as $$begin perform set_config('code.var', 'x', false); end$$""", dbname="shop")
    yield
    postgres.sql("drop procedure set_work_mem; drop procedure set_code_var; revoke tenant from trusty; drop role tenant", dbname="shop")


def do(c, way, how):
    if how == "simple":
        c.send(wire.query(";".join(way)))
        c.until()
        return
    for n, sql in enumerate(way):
        if how == "unnamed":
            c.send(wire.extended(sql) + wire.sync())
        else:
            c.send(wire.parse(f"s{n}", sql) + wire.sync())
            c.until()
            c.send(wire.bind("", f"s{n}") + wire.execute() + wire.sync())
        c.until()


def end(c):
    """Its transaction is over, and so is what it takes to know what it left."""
    if c.status != "I":
        c.query("rollback")
    c.query("select 1")


def seen(p):
    with p.wire() as c:
        found = {tuple(r) for r in c.query(SEEN)}
        c.quit()
    return found


@pytest.mark.parametrize("mode, how", [("transaction", "simple"), ("transaction", "unnamed"), ("transaction", "named"),
                                       ("auto", "unnamed"), ("session", "simple")])
def test_the_next_client_sees_nothing(pooler, tenant, mode, how):
    p = pooler(max_open=1, pool_mode=mode)
    before, wrong = seen(p), []
    for way in WAYS:
        for stays in ([False] if mode == "session" else [True, False]):
            c = p.wire()
            do(c, way, how)
            end(c)
            # pinned it keeps the only connection
            if not stays or p.show("PINS"):
                c.quit()
            wrong += [(way, "stays" if stays else "leaves", x) for x in seen(p) ^ before]
            c.drop()
    assert not wrong, "\n".join(map(str, wrong))


@pytest.mark.parametrize("mode", ["transaction", "auto"])
def test_a_parameter_that_a_value_names_is_its_client_s(pooler, mode):
    sql, values = BOUND
    p = pooler(max_open=1, pool_mode=mode)
    with p.wire() as a, p.wire() as b:
        for name in ("", "s"):
            if name:
                a.send(wire.parse(name, sql) + wire.sync())
                a.until()
                a.send(wire.bind("", name, ["his.other", "y"]) + wire.execute() + wire.sync())
            else:
                a.send(wire.extended(sql, values) + wire.sync())
            a.until()
            for _ in range(2):
                assert not b.one("select current_setting('his.own', true)")
                assert not b.one("select current_setting('his.other', true)")
                assert a.one("select current_setting('his.own', true)") == "x"
        assert a.one("select current_setting('his.other', true)") == "y"
