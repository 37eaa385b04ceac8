#!/usr/bin/python3
"""manage.py - the shop on SQLAlchemy; tests/apps/README.md says how it is used."""
import argparse
import os
import secrets
import sys
import unittest

import sqlalchemy
from sqlalchemy import event
from sqlalchemy.orm import Session

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import models  # noqa: E402
import pages  # noqa: E402


def url():
    """DATABASE_URL; without it psycopg2 asks libpq, which knows the PG* variables."""
    given = os.environ.get("DATABASE_URL", "postgresql://")
    return given.replace("postgres://", "postgresql://", 1)


def engine(**options):
    return sqlalchemy.create_engine(url(), **options)


def tag(made, page):
    """Puts sqlcommenter's comment behind every statement of one request."""
    trace = f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-01"

    @event.listens_for(made, "before_cursor_execute", retval=True)
    def comment(connection, cursor, sql, params, context, many):
        return f"{sql} /*framework='sqlalchemy',route='{page}',traceparent='{trace}'*/", params


def serve(names, mode, n, options):
    isolation = {} if options.transaction else {"isolation_level": "AUTOCOMMIT"}
    shared = engine(**isolation)
    for name in names:
        made = shared
        if options.tag or not options.one_connection:
            words = {} if options.one_connection else {"application_name": f"{name}/{mode}/{n}"}
            made = engine(connect_args=words, **isolation)
        if options.tag:
            tag(made, name)
        with Session(made) as session:
            pages.PAGES[name][mode](session, n)
            session.commit()
        if made is not shared:
            made.dispose()


def main():
    parser = argparse.ArgumentParser(description="the shop on SQLAlchemy")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("schema")
    commands.add_parser("seed").add_argument("n", type=int)
    commands.add_parser("pages")
    commands.add_parser("test")
    serving = commands.add_parser("serve")
    serving.add_argument("mode", choices=("lazy", "eager"))
    serving.add_argument("n", type=int)
    serving.add_argument("page", nargs="*", metavar="PAGE")
    for flag in ("--transaction", "--one-connection", "--tag"):
        serving.add_argument(flag, action="store_true")
    args = parser.parse_args()
    unknown = set(getattr(args, "page", ())) - set(pages.PAGES)
    if unknown:
        parser.error("no such page: " + " ".join(sorted(unknown)))
    if args.command == "schema":
        made = engine()
        models.Base.metadata.drop_all(made)
        models.Base.metadata.create_all(made)
    elif args.command == "seed":
        with Session(engine()) as session:
            pages.seed(session, args.n)
            session.commit()
    elif args.command == "pages":
        print("\n".join(pages.PAGES))
    elif args.command == "test":
        unittest.main("tests", argv=["tests"])
    else:
        serve(args.page or list(pages.PAGES), args.mode, args.n, args)


if __name__ == "__main__":
    main()
