"""The three pool modes: when a server connection is given back, and in what state."""
import pytest

import wire
from pooler import wait_until
from wire import ServerError

SAME = "select pg_backend_pid()"


def test_transaction_mode_shares_one_connection(pooler):
    p = pooler(max_open=1)
    with p.wire() as a, p.wire() as b:
        assert a.one(SAME) == b.one(SAME)


def test_transaction_holds_its_connection(pooler):
    p = pooler(max_open=1)
    with p.wire() as a, p.wire() as b:
        a.begin()
        b.send(wire.query("select 5"))
        assert b.quiet(0.3), "answered while the only connection is in another's transaction"
        a.query("commit")
        assert b.result() == [["5"]]


def test_failed_transaction_holds_its_connection(pooler):
    p = pooler(max_open=1)
    with p.wire() as a, p.wire() as b:
        a.begin()
        with pytest.raises(ServerError):
            a.query("select 1/0")
        b.send(wire.query("select 5"))
        assert b.quiet(0.3)
        a.query("rollback")
        assert b.result() == [["5"]]


def test_extended_without_sync_holds_its_connection(pooler):
    p = pooler(max_open=1)
    with p.wire() as a, p.wire() as b:
        a.send(wire.extended("select 42") + wire.flush())
        a.until(b"C")
        b.send(wire.query("select 5"))
        assert b.quiet(0.3), "the connection was shared before Sync"
        a.send(wire.sync())
        a.until(b"Z")
        assert b.result() == [["5"]]


@pytest.mark.ours
def test_half_a_message_behind_a_query_does_not_share(pooler):
    """ReadyForQuery says idle, but the server holds half of a message of this client."""
    p = pooler(max_open=1)
    parse = wire.extended("select 'mine'") + wire.sync()
    with p.wire() as a, p.wire() as b:
        a.send(wire.query("select 1") + parse[:9])
        assert a.result() == [["1"]]
        b.send(wire.query("select 'theirs'"))
        b.quiet(0.2)
        a.send(parse[9:])
        assert a.result() == [["mine"]]
        if not b.data:
            b.socket.settimeout(5)
        assert b.result() == [["theirs"]]


def test_session_mode_keeps_the_connection(pooler):
    p = pooler(max_open=1, pool_mode="session")
    with p.wire() as a:
        first = a.one(SAME)
        a.query("set application_name = 'kept'")
        assert a.one(SAME) == first
        with p.wire() as b:
            b.send(wire.query("select 5"))
            assert b.quiet(0.3), "a session's connection was shared"
            a.quit()
            assert b.result() == [["5"]]


def test_session_mode_resets_on_return(pooler):
    p = pooler(max_open=1, pool_mode="session", server_reset_query="DISCARD ALL")
    with p.wire() as a:
        pid = a.one(SAME)
        a.query("set work_mem = '7MB'")
        a.query("create temp table left_behind (a int)")
        a.query("prepare s as select 1")
        a.query("listen something")
        a.quit()
    with p.wire() as b:
        assert b.one(SAME) == pid
        assert b.one("show work_mem") != "7MB"
        assert b.one("select count(*) from pg_prepared_statements") == "0"
        assert b.one("select count(*) from pg_listening_channels()") == "0"
        with pytest.raises(ServerError):
            b.query("select * from left_behind")


def test_session_left_inside_a_transaction(pooler):
    """What was not committed is never seen by the next client."""
    p = pooler(max_open=1, pool_mode="session")
    with p.wire() as a:
        a.query("create table if not exists half (a int)")
        a.begin()
        a.query("insert into half values (1)")
        a.quit()
    with p.wire() as b:
        assert b.query("select * from half") == []
        assert b.status == "I"
        b.query("drop table half")


def test_transaction_left_behind(pooler):
    p = pooler(max_open=1)
    with p.wire() as a:
        a.begin()
        a.query("set local work_mem = '7MB'")
        a.quit()
    with p.wire() as b:
        assert b.one("show work_mem") != "7MB"
        assert b.status == "I"


def test_statement_mode_refuses_transactions(pooler):
    p = pooler(max_open=1, pool_mode="statement")
    with p.wire() as a:
        assert a.one("select 1") == "1"
        a.send(wire.query("begin"))
        got = a.closed()
        assert [k for k, _ in got if k == b"E"], "a transaction was let through"
    with p.wire() as b:
        assert b.one("select 1") == "1" and b.status == "I"


def test_two_users_two_pools(pooler):
    p = pooler(max_open=1)
    with p.wire() as a, p.wire(user="other") as b, p.wire(database="stock") as c:
        a.begin()
        b.begin()
        c.begin()
        assert a.one("select current_user") == "trusty"
        assert b.one("select current_user") == "other"
        assert c.one("select current_database()") == "stock"
        for x in (a, b, c):
            x.query("commit")


def test_pool_mode_of_a_database(pooler, postgres):
    server = f"host=127.0.0.1 port={postgres.port}"
    p = pooler(max_open=1, databases={"shop": server + " pool_mode=session", "stock": server})
    with p.wire() as a, p.wire() as b:
        a.query("select 1")
        b.send(wire.query("select 5"))
        assert b.quiet(0.3)
        a.quit()
        assert b.result() == [["5"]]
    with p.wire(database="stock") as a, p.wire(database="stock") as b:
        assert a.one(SAME) == b.one(SAME)


def test_server_parameters_of_a_database(pooler, postgres):
    server = f"host=127.0.0.1 port={postgres.port}"
    p = pooler(databases={"alias": server + " dbname=stock user=other"})
    with p.wire(database="alias") as a:
        assert a.query("select current_database(), current_user") == [["stock", "other"]]


def test_parameters_are_told_at_login(pooler):
    p = pooler()
    with p.wire() as a:
        for name in ("server_version", "client_encoding", "DateStyle", "TimeZone",
                     "integer_datetimes", "standard_conforming_strings", "server_encoding"):
            assert name in a.parameters, a.parameters


def test_tracked_parameters_follow_the_client(pooler):
    """client_encoding, DateStyle, TimeZone, application_name belong to the client."""
    p = pooler(max_open=1)
    with p.wire(params={"application_name": "first"}) as a, \
            p.wire(params={"application_name": "second"}) as b:
        a.query("set timezone = 'Asia/Tokyo'")
        b.query("set datestyle = 'German, DMY'")
        assert b.one("show timezone") != "Asia/Tokyo"
        assert a.one("show timezone") == "Asia/Tokyo"
        assert a.one("show datestyle").startswith("ISO")
        assert b.one("show datestyle") == "German, DMY"
        assert a.one("show application_name") == "first"
        assert b.one("show application_name") == "second"


def test_unix_socket(pooler):
    p = pooler()
    with p.wire(host=p.dir) as a:
        assert a.one("select 1") == "1"


def test_servers_are_reused_last_in_first_out(pooler, postgres):
    p = pooler(max_open=4, workers=1)
    clients = [p.wire() for _ in range(4)]
    for c in clients:
        c.begin()
    pids = [c.one(SAME) for c in clients]
    assert len(set(pids)) == 4
    for c in clients:
        c.query("commit")
    with p.wire() as c:
        assert {c.one(SAME) for _ in range(10)} == {pids[-1]}
    for c in clients:
        c.drop()
    wait_until(lambda: len(postgres.backends("usename = 'trusty'")) == 4)


@pytest.mark.ours
@pytest.mark.parametrize("query", ["select 1", "reset all", "deallocate all", "discard all"])
def test_any_reset_query_leaves_prepared_statements_right(pooler, query):
    """Those that it does not discard are still there; those that it does are prepared anew."""
    p = pooler(max_open=1, server_reset_query=query, server_reset_query_always=1)
    with p.wire() as a, p.wire() as b:
        for c, text in ((a, "select 'a' || $1::text"), (b, "select 'b' || $1::text")):
            c.send(wire.parse("mine", text) + wire.sync())
            c.result()
        for i in range(3):
            for c, name in ((a, "a"), (b, "b")):
                c.send(wire.bind("", "mine", [str(i)]) + wire.execute() + wire.sync())
                assert c.result() == [[f"{name}{i}"]]
