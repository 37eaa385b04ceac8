"""tests.py - the suite; it names its tests to pgsluice."""
from django.db import connection
from django.test import TestCase

from . import views
from .models import Customer, Order


class Marked(TestCase):
    @classmethod
    def setUpTestData(cls):
        made = Customer.objects.bulk_create([Customer(name=f"c{i}", email=f"c{i}@example.org") for i in range(12)])
        Order.objects.bulk_create([Order(customer=c, note=f"n{i}") for i, c in enumerate(made)])

    def setUp(self):
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT 'pgassay:test {self.id()}'")


class OrdersTest(Marked):
    def test_list(self):
        self.assertEqual(len(views.orders(12)), 12)

    def test_total(self):
        self.assertEqual(views.total(), 12)


class CustomerTest(Marked):
    def test_by_email(self):
        self.assertEqual(views.by_email("c3@example.org"), ["c3"])

    def test_nobody(self):
        self.assertEqual(views.by_email("nobody@example.org"), [])
