"""pages.py - what the shop shows, each page once lazy and once eager."""
from django.contrib.contenttypes.models import ContentType
from django.db.models import Count, Exists, F, OuterRef

from .models import Customer, Line, Order, Product, Review

PAGES = {}


def page(function):
    """Names a function like orders_lazy a page."""
    name, mode = function.__name__.rsplit("_", 1)
    PAGES.setdefault(name, {})[mode] = function
    return function


def seed(n):
    """n customers and products; each customer two orders of two lines, two reviews of each."""
    customers = Customer.objects.bulk_create(
        Customer(name=f"customer {i}", email=f"{i}@example.org") for i in range(n))
    products = Product.objects.bulk_create(
        Product(name=f"product {i}", price=100 + i) for i in range(n))
    orders = Order.objects.bulk_create(
        Order(customer=c, note=f"order {k} of {c.name}") for k in range(2) for c in customers)
    Line.objects.bulk_create(
        Line(order=o, product=products[(i + k) % n], quantity=1 + k)
        for i, o in enumerate(orders) for k in range(2))
    kinds = [ContentType.objects.get_for_model(model) for model in (Product, Customer)]
    Review.objects.bulk_create(
        Review(subject_type=kind, subject_id=row.pk, rating=1 + i % 5)
        for i, pair in enumerate(zip(products, customers)) for kind, row in zip(kinds, pair))


@page
def orders_lazy(n):
    return [(o.note, o.customer.name) for o in Order.objects.order_by("id")[:n]]


@page
def orders_eager(n):
    return [(o.note, o.customer.name)
            for o in Order.objects.select_related("customer").order_by("id")[:n]]


@page
def customer_orders_lazy(n):
    return [[o.note for o in c.orders.all()] for c in Customer.objects.order_by("id")[:n]]


@page
def customer_orders_eager(n):
    return [[o.note for o in c.orders.all()]
            for c in Customer.objects.prefetch_related("orders").order_by("id")[:n]]


def lines_of(customers):
    return [[line.quantity for o in c.orders.all() for line in o.lines.all()] for c in customers]


@page
def nested_lazy(n):
    return lines_of(Customer.objects.order_by("id")[:n])


@page
def nested_eager(n):
    return lines_of(Customer.objects.prefetch_related("orders__lines").order_by("id")[:n])


@page
def counts_lazy(n):
    return [c.orders.count() for c in Customer.objects.order_by("id")[:n]]


@page
def counts_eager(n):
    return [c.bought for c in Customer.objects.annotate(bought=Count("orders")).order_by("id")[:n]]


@page
def exists_lazy(n):
    return [c.orders.exists() for c in Customer.objects.order_by("id")[:n]]


@page
def exists_eager(n):
    bought = Exists(Order.objects.filter(customer=OuterRef("pk")))
    return [c.bought for c in Customer.objects.annotate(bought=bought).order_by("id")[:n]]


@page
def reviews_lazy(n):
    return [(r.rating, r.subject.name) for r in Review.objects.order_by("id")[:2 * n]]


@page
def reviews_eager(n):
    return [(r.rating, r.subject.name)
            for r in Review.objects.prefetch_related("subject").order_by("id")[:2 * n]]


@page
def product_reviews_lazy(n):
    return [[r.rating for r in p.reviews.all()] for p in Product.objects.order_by("id")[:n]]


@page
def product_reviews_eager(n):
    return [[r.rating for r in p.reviews.all()]
            for p in Product.objects.prefetch_related("reviews").order_by("id")[:n]]


def basket(n):
    """The lines of an order about to be made."""
    order = Order.objects.order_by("id").first()
    return [Line(order=order, product=p, quantity=1) for p in Product.objects.order_by("id")[:n]]


@page
def insert_lazy(n):
    for line in basket(n):
        line.save()


@page
def insert_eager(n):
    Line.objects.bulk_create(basket(n))


@page
def update_lazy(n):
    for product in Product.objects.order_by("id")[:n]:
        product.price += 1
        product.save(update_fields=["price"])


@page
def update_eager(n):
    wanted = Product.objects.order_by("id")[:n]
    Product.objects.filter(id__in=[p.id for p in wanted]).update(price=F("price") + 1)


@page
def delete_lazy(n):
    for line in Line.objects.order_by("-id")[:n]:
        line.delete()


@page
def delete_eager(n):
    Line.objects.filter(id__in=[line.id for line in Line.objects.order_by("-id")[:n]]).delete()


@page
def stock_lazy(n):
    product = Product.objects.get(pk=Product.objects.earliest("id").pk)
    product.stock = product.stock - n
    product.save(update_fields=["stock"])


@page
def stock_eager(n):
    Product.objects.filter(pk=Product.objects.earliest("id").pk).update(stock=F("stock") - n)


def names(n):
    """Those who register today; some have been here before."""
    return [f"customer {i}" for i in range(n // 2)] + [f"guest {i}" for i in range(n - n // 2)]


@page
def register_lazy(n):
    Customer.objects.filter(name__startswith="guest ").delete()
    for name in names(n):
        if not Customer.objects.filter(name=name).first():
            Customer.objects.create(name=name, email="new@example.org")


@page
def register_eager(n):
    Customer.objects.filter(name__startswith="guest ").delete()
    Customer.objects.bulk_create(
        [Customer(name=name, email="new@example.org") for name in names(n)], ignore_conflicts=True)


@page
def paging_lazy(n):
    wanted = Order.objects.filter(note__startswith="order")
    return wanted.count(), [o.note for o in wanted.order_by("id")[:n]]


@page
def paging_eager(n):
    shown = [o.note for o in Order.objects.filter(note__startswith="order").order_by("id")[:n + 1]]
    return shown[:n], len(shown) > n
