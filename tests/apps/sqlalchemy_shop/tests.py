"""tests.py - the shop's own tests: both twins of a page show the same.

The tables are those of `manage.py schema`; a test leaves nothing in them.
"""
import unittest

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

import manage
import models
import pages


class ShopTest(unittest.TestCase):
    def setUp(self):
        self.engine = manage.engine()
        self.addCleanup(self.engine.dispose)
        self.session = Session(self.engine)
        self.addCleanup(self.session.close)
        for table in reversed(models.Base.metadata.sorted_tables):
            self.session.execute(delete(table))
        pages.seed(self.session, 10)
        self.session.flush()

    def show(self, name, mode, n):
        self.session.expire_all()
        self.session.expunge_all()
        return pages.PAGES[name][mode](self.session, n)

    def count(self, model):
        return self.session.scalar(select(func.count()).select_from(model))

    def test_lists(self):
        for name in ("orders", "customer_orders", "nested", "counts", "exists", "reviews",
                     "product_reviews"):
            with self.subTest(page=name):
                self.assertEqual(self.show(name, "lazy", 10), self.show(name, "eager", 10))

    def test_an_order_of_many_lines(self):
        before = self.count(models.Line)
        self.show("insert", "lazy", 10)
        self.assertEqual(self.count(models.Line), before + 10)

    def test_prices_rise(self):
        self.show("update", "eager", 10)
        self.assertEqual(pages.first(self.session, models.Product, 1)[0].price, 101)

    def test_paging(self):
        total, shown = self.show("paging", "lazy", 5)
        self.assertEqual((total, len(shown)), (self.count(models.Order), 5))
