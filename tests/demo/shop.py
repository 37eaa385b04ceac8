#!/usr/bin/python3
"""shop.py DSN [VIEWS] - the demo's web shop: visitors that look at its pages.

Every page is a function that runs in one transaction.  Five of them are written
the way such pages often are; each has a twin that shows the same thing well.  The
analysis must name the former and leave the latter alone (tests/demo/verdict.py).
Statements end in a comment, in the manner of sqlcommenter, that says which page and
which line of this file sent them, as web frameworks' plug-ins do.
"""
import inspect
import random
import sys
import threading
import urllib.parse

import psycopg

FILE = urllib.parse.quote("tests/demo/shop.py", safe="")


class Visit:
    """One page view's way to the database."""

    def __init__(self, connection, page):
        self.connection, self.page = connection, page

    def rows(self, sql, *values):
        line = inspect.currentframe().f_back.f_lineno
        tag = f" /*file='{FILE}',line='{line}',route='{self.page}'*/"
        return self.connection.execute(sql + tag.replace("%", "%%"), values).fetchall()


# --- written the way such pages often are

def orders_of_user(visit, rng):
    """One query for the orders, then one for the items of each."""
    orders = visit.rows("select id, status, total_cents, created_at from orders "
                        "where user_id = %s order by created_at desc limit 20", busy_user(rng))
    return [visit.rows("select product_id, quantity, price_cents from items where order_id = %s",
                       order[0]) for order in orders]


def users_of_country(visit, rng):
    """A list without an end."""
    return visit.rows("select id, email, name from users where country = %s order by id",
                      rng.choice(("US", "US", "DE", "FR")))


def orders_of_day(visit, rng):
    """The index on created_at is no use to date(created_at)."""
    return visit.rows("select count(*), sum(total_cents) from orders where date(created_at) = %s",
                      day(rng))


def login(visit, rng):
    """Nor is the one on email to lower(email)."""
    return visit.rows("select id, name from users where lower(email) = %s",
                      f"user{user(rng)}@example.org")


def history(visit, rng):
    """Written well, but the table has no index for it."""
    return visit.rows("select kind, at, payload from events where user_id = %s "
                      "order by at desc limit 20", user(rng))


# --- their twins

def orders_of_user_well(visit, rng):
    orders = visit.rows("select id, status, total_cents, created_at from orders "
                        "where user_id = %s order by created_at desc limit 20", busy_user(rng))
    return visit.rows("select order_id, product_id, quantity, price_cents from items "
                      "where order_id = any(%s)", [order[0] for order in orders])


def users_of_country_well(visit, rng):
    return visit.rows("select id, email, name from users where country = %s and id > %s "
                      "order by id limit 50", rng.choice(("US", "DE", "FR")), user(rng))


def orders_of_day_well(visit, rng):
    begin = day(rng)
    return visit.rows("select count(*), sum(total_cents) from orders "
                      "where created_at >= %s::date and created_at < %s::date + 1", begin, begin)


def login_well(visit, rng):
    return visit.rows("select id, name from users where email = %s",
                      f"user{user(rng)}@example.org")


def product(visit, rng):
    return visit.rows("select name, category, price_cents from products where id = %s",
                      1 + rng.randrange(2000))


PAGES = [orders_of_user, users_of_country, orders_of_day, login, history,
         orders_of_user_well, users_of_country_well, orders_of_day_well, login_well, product]


def user(rng):
    return 1 + rng.randrange(20000)


def busy_user(rng):
    """One of the users with dozens of orders."""
    return 1 + rng.randrange(20)


def day(rng):
    return f"2023-{1 + rng.randrange(12):02}-{1 + rng.randrange(28):02}"


def visitor(dsn, seed, views, failures):
    """A worker of the shop's web server: pages at random, one transaction each."""
    rng = random.Random(seed)
    try:
        with psycopg.connect(dsn, application_name="shop") as connection:
            connection.prepare_threshold = None
            for _ in range(views):
                page = rng.choice(PAGES)
                page(Visit(connection, page.__name__), rng)
                connection.commit()
    except psycopg.Error as e:
        failures.append(str(e))


def main():
    dsn, views = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 600
    failures, visitors = [], 6
    threads = [threading.Thread(target=visitor, args=(dsn, n, views // visitors, failures))
               for n in range(visitors)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    for text in failures:
        print(f"shop.py: {text}", file=sys.stderr)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
