"""pages.py - what the shop shows, each page once lazy and once eager."""
from sqlalchemy import delete, exists, func, insert, select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.orm import joinedload, selectinload

from models import Customer, Line, Order, Product, Review

PAGES = {}


def page(function):
    """Names a function like orders_lazy a page."""
    name, mode = function.__name__.rsplit("_", 1)
    PAGES.setdefault(name, {})[mode] = function
    return function


def seed(s, n):
    """n customers and products; each customer two orders of two lines, two reviews of each."""
    customers = [Customer(name=f"customer {i}", email=f"{i}@example.org") for i in range(n)]
    products = [Product(name=f"product {i}", price=100 + i) for i in range(n)]
    s.add_all(customers + products)
    s.flush()
    orders = [Order(customer_id=c.id, note=f"order {k} of {c.name}")
              for k in range(2) for c in customers]
    s.add_all(orders)
    s.flush()
    s.add_all(Line(order_id=o.id, product_id=products[(i + k) % n].id, quantity=1 + k)
              for i, o in enumerate(orders) for k in range(2))
    s.add_all(Review(subject_type=kind, subject_id=row.id, rating=1 + i % 5)
              for i, pair in enumerate(zip(products, customers))
              for kind, row in zip(("product", "customer"), pair))


def first(s, model, n, *options):
    return s.scalars(select(model).options(*options).order_by(model.id).limit(n)).all()


@page
def orders_lazy(s, n):
    return [(o.note, o.customer.name) for o in first(s, Order, n)]


@page
def orders_eager(s, n):
    return [(o.note, o.customer.name) for o in first(s, Order, n, joinedload(Order.customer))]


@page
def customer_orders_lazy(s, n):
    return [[o.note for o in c.orders] for c in first(s, Customer, n)]


@page
def customer_orders_eager(s, n):
    return [[o.note for o in c.orders] for c in first(s, Customer, n, selectinload(Customer.orders))]


def lines_of(customers):
    return [[line.quantity for o in c.orders for line in o.lines] for c in customers]


@page
def nested_lazy(s, n):
    return lines_of(first(s, Customer, n))


@page
def nested_eager(s, n):
    return lines_of(first(s, Customer, n, selectinload(Customer.orders).selectinload(Order.lines)))


@page
def counts_lazy(s, n):
    return [s.scalar(select(func.count()).select_from(Order).where(Order.customer_id == c.id))
            for c in first(s, Customer, n)]


@page
def counts_eager(s, n):
    ids = [c.id for c in first(s, Customer, n)]
    counted = dict(s.execute(select(Order.customer_id, func.count())
                             .where(Order.customer_id.in_(ids)).group_by(Order.customer_id)).all())
    return [counted.get(i, 0) for i in ids]


@page
def exists_lazy(s, n):
    return [s.scalar(select(exists().where(Order.customer_id == c.id))) for c in first(s, Customer, n)]


@page
def exists_eager(s, n):
    bought = exists().where(Order.customer_id == Customer.id)
    return [b for _, b in s.execute(select(Customer.id, bought).order_by(Customer.id).limit(n))]


@page
def reviews_lazy(s, n):
    return [(r.rating, r.subject.name) for r in first(s, Review, 2 * n)]


@page
def reviews_eager(s, n):
    both = (joinedload(Review.product), joinedload(Review.customer))
    return [(r.rating, r.subject.name) for r in first(s, Review, 2 * n, *both)]


@page
def product_reviews_lazy(s, n):
    return [[r.rating for r in p.reviews] for p in first(s, Product, n)]


@page
def product_reviews_eager(s, n):
    return [[r.rating for r in p.reviews] for p in first(s, Product, n, selectinload(Product.reviews))]


def basket(s, n):
    """The lines of an order about to be made."""
    order = first(s, Order, 1)[0]
    return [{"order_id": order.id, "product_id": p.id, "quantity": 1} for p in first(s, Product, n)]


@page
def insert_lazy(s, n):
    for words in basket(s, n):
        s.add(Line(**words))
        s.flush()


@page
def insert_eager(s, n):
    s.execute(insert(Line).values(basket(s, n)))


@page
def update_lazy(s, n):
    for product in first(s, Product, n):
        product.price += 1
        s.flush()


@page
def update_eager(s, n):
    wanted = [p.id for p in first(s, Product, n)]
    s.execute(update(Product).where(Product.id.in_(wanted)).values(price=Product.price + 1),
              execution_options={"synchronize_session": False})


def last_lines(s, n):
    return s.scalars(select(Line).order_by(Line.id.desc()).limit(n)).all()


@page
def delete_lazy(s, n):
    for line in last_lines(s, n):
        s.delete(line)
        s.flush()


@page
def delete_eager(s, n):
    s.execute(delete(Line).where(Line.id.in_([line.id for line in last_lines(s, n)])),
              execution_options={"synchronize_session": False})


@page
def stock_lazy(s, n):
    product = first(s, Product, 1)[0]
    product.stock = product.stock - n


@page
def stock_eager(s, n):
    product = first(s, Product, 1)[0]
    product.stock = Product.stock - n


def names(n):
    """Those who register today; some have been here before."""
    return [f"customer {i}" for i in range(n // 2)] + [f"guest {i}" for i in range(n - n // 2)]


def forget_guests(s):
    s.execute(delete(Customer).where(Customer.name.like("guest %")),
              execution_options={"synchronize_session": False})


@page
def register_lazy(s, n):
    forget_guests(s)
    for name in names(n):
        if not s.scalars(select(Customer).where(Customer.name == name)).first():
            s.add(Customer(name=name, email="new@example.org"))
            s.flush()


@page
def register_eager(s, n):
    forget_guests(s)
    rows = [{"name": name, "email": "new@example.org"} for name in names(n)]
    s.execute(upsert(Customer).values(rows).on_conflict_do_nothing())


@page
def paging_lazy(s, n):
    wanted = Order.note.startswith("order")
    total = s.scalar(select(func.count()).select_from(Order).where(wanted))
    return total, [o.note for o in s.scalars(select(Order).where(wanted).order_by(Order.id).limit(n))]


@page
def paging_eager(s, n):
    wanted = Order.note.startswith("order")
    shown = s.scalars(select(Order).where(wanted).order_by(Order.id).limit(n + 1)).all()
    return [o.note for o in shown[:n]], len(shown) > n
