"""models.py - customers, orders and their lines, products, and reviews of either."""
from sqlalchemy import Column, ForeignKey, Integer, String
from sqlalchemy.orm import declarative_base, foreign, relationship, remote

Base = declarative_base()


class Customer(Base):
    __tablename__ = "customers"
    id = Column(Integer, primary_key=True)
    name = Column(String(80), nullable=False, unique=True)
    email = Column(String(80), nullable=False)
    orders = relationship("Order", back_populates="customer", order_by="Order.id")


class Product(Base):
    __tablename__ = "products"
    id = Column(Integer, primary_key=True)
    name = Column(String(80), nullable=False)
    price = Column(Integer, nullable=False)
    stock = Column(Integer, nullable=False, default=100)


class Order(Base):
    __tablename__ = "orders"
    id = Column(Integer, primary_key=True)
    customer_id = Column(ForeignKey("customers.id"), nullable=False, index=True)
    note = Column(String(80), nullable=False)
    customer = relationship("Customer", back_populates="orders")
    lines = relationship("Line", back_populates="order", order_by="Line.id")


class Line(Base):
    __tablename__ = "lines"
    id = Column(Integer, primary_key=True)
    order_id = Column(ForeignKey("orders.id"), nullable=False, index=True)
    product_id = Column(ForeignKey("products.id"), nullable=False, index=True)
    quantity = Column(Integer, nullable=False)
    order = relationship("Order", back_populates="lines")
    product = relationship("Product")


class Review(Base):
    """Of a product or of a customer: subject_type says which."""
    __tablename__ = "reviews"
    id = Column(Integer, primary_key=True)
    subject_type = Column(String(20), nullable=False)
    subject_id = Column(Integer, nullable=False, index=True)
    rating = Column(Integer, nullable=False)

    @property
    def subject(self):
        return self.product if self.subject_type == "product" else self.customer


def subject(kind, model):
    """A review's subject when it is of this kind."""
    return relationship(
        model, viewonly=True, uselist=False,
        primaryjoin=(foreign(Review.subject_id) == remote(model.id)) & (Review.subject_type == kind))


Review.product = subject("product", Product)
Review.customer = subject("customer", Customer)
Product.reviews = relationship(
    Review, viewonly=True, order_by=Review.id,
    primaryjoin=(Product.id == foreign(remote(Review.subject_id)))
    & (remote(Review.subject_type) == "product"))
