"""models.py - customers, orders and their lines, products, and reviews of either."""
from django.contrib.contenttypes.fields import GenericForeignKey, GenericRelation
from django.contrib.contenttypes.models import ContentType
from django.db import models


class Customer(models.Model):
    name = models.CharField(max_length=80, unique=True)
    email = models.CharField(max_length=80)
    reviews = GenericRelation("Review", "subject_id", "subject_type")


class Product(models.Model):
    name = models.CharField(max_length=80)
    price = models.IntegerField()
    stock = models.IntegerField(default=100)
    reviews = GenericRelation("Review", "subject_id", "subject_type")


class Order(models.Model):
    customer = models.ForeignKey(Customer, models.CASCADE, related_name="orders")
    note = models.CharField(max_length=80)


class Line(models.Model):
    order = models.ForeignKey(Order, models.CASCADE, related_name="lines")
    product = models.ForeignKey(Product, models.CASCADE)
    quantity = models.IntegerField()


class Review(models.Model):
    subject_type = models.ForeignKey(ContentType, models.CASCADE)
    subject_id = models.BigIntegerField()
    subject = GenericForeignKey("subject_type", "subject_id")
    rating = models.IntegerField()
