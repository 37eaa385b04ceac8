"""views.py - what the shop shows; the commits of tests/gate/test_seeded.py change it."""
from django.db import connection

from .models import Customer, Order


def orders(n):
    found = Order.objects.select_related("customer").order_by("id")[:n]
    return [(o.note, o.customer.name) for o in found]


def by_email(email):
    found = Customer.objects.filter(email=email)[:1]
    return [c.name for c in found]


def total():
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM shop_order")
        return cursor.fetchone()[0]
