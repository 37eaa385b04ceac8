"""tests.py - the shop's own tests: both twins of a page show the same."""
from django.test import TestCase

from . import pages
from .models import Line, Order, Product


class ShopTest(TestCase):
    @classmethod
    def setUpTestData(cls):
        pages.seed(10)

    def test_lists(self):
        for name in ("orders", "customer_orders", "nested", "counts", "exists", "reviews",
                     "product_reviews"):
            with self.subTest(page=name):
                modes = pages.PAGES[name]
                self.assertEqual(modes["lazy"](10), modes["eager"](10))

    def test_an_order_of_many_lines(self):
        before = Line.objects.count()
        pages.insert_lazy(10)
        self.assertEqual(Line.objects.count(), before + 10)

    def test_prices_rise(self):
        pages.update_eager(10)
        self.assertEqual(Product.objects.earliest("id").price, 101)

    def test_paging(self):
        total, shown = pages.paging_lazy(5)
        self.assertEqual((total, len(shown)), (Order.objects.count(), 5))
