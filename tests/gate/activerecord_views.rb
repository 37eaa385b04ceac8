# frozen_string_literal: true

# views.rb - what the shop shows; the commits of tests/gate/test_seeded.py change it.
module Views
  module_function

  def orders(n)
    found = Order.includes(:customer).order(:id).limit(n)
    found.map { |o| [o.note, o.customer.name] }
  end

  def by_email(email)
    found = Customer.where(email: email).limit(1)
    found.map(&:name)
  end

  def total
    Order.connection.select_value("SELECT count(*) FROM orders")
  end
end
