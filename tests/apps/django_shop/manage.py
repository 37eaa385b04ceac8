#!/usr/bin/python3
"""manage.py - the shop on Django's ORM; tests/apps/README.md says how it is used."""
import argparse
import contextlib
import os
import secrets
import sys
import urllib.parse

import django
from django.conf import settings

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))


def database():
    """Django's words for DATABASE_URL, or for libpq's variables."""
    url = urllib.parse.urlsplit(os.environ.get("DATABASE_URL", ""))
    query = dict(urllib.parse.parse_qsl(url.query))
    unquote = urllib.parse.unquote
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": unquote(url.path.lstrip("/")) or os.environ.get("PGDATABASE", "shop"),
        "USER": unquote(url.username or "") or os.environ.get("PGUSER", ""),
        "PASSWORD": unquote(url.password or "") or os.environ.get("PGPASSWORD", ""),
        "HOST": query.pop("host", "") or unquote(url.hostname or "") or os.environ.get("PGHOST", ""),
        "PORT": url.port or os.environ.get("PGPORT", ""),
        "OPTIONS": query,
    }


settings.configure(
    DATABASES={"default": database()},
    INSTALLED_APPS=["django.contrib.contenttypes", "shop"],
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    MIGRATION_MODULES={"contenttypes": None},
    SECRET_KEY="not a secret: nothing is signed here",
    USE_TZ=True,
)
django.setup()

from django.core.management import call_command  # noqa: E402
from django.db import connection, transaction  # noqa: E402

from shop import pages  # noqa: E402


def schema():
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS shop_review, shop_line, shop_order, shop_product, "
                       "shop_customer, django_content_type, django_migrations CASCADE")
    call_command("migrate", run_syncdb=True, verbosity=0)


def tagged(page):
    """Puts sqlcommenter's comment behind every statement of one request."""
    trace = f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-01"

    def wrap(execute, sql, params, many, context):
        comment = f" /*framework='django',route='{page}',traceparent='{trace}'*/"
        return execute(sql + comment, params, many, context)

    return connection.execute_wrapper(wrap)


def serve(names, mode, n, options):
    for name in names:
        if not options.one_connection:
            connection.close()
            connection.settings_dict["OPTIONS"]["application_name"] = f"{name}/{mode}/{n}"
        with contextlib.ExitStack() as stack:
            if options.tag:
                stack.enter_context(tagged(name))
            if options.transaction:
                stack.enter_context(transaction.atomic())
            pages.PAGES[name][mode](n)
    connection.close()


def main():
    parser = argparse.ArgumentParser(description="the shop on Django's ORM")
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
        schema()
    elif args.command == "seed":
        pages.seed(args.n)
    elif args.command == "pages":
        print("\n".join(pages.PAGES))
    elif args.command == "test":
        call_command("test", "shop", interactive=False, keepdb=True)
    else:
        serve(args.page or list(pages.PAGES), args.mode, args.n, args)


if __name__ == "__main__":
    main()
