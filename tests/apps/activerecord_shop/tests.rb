# frozen_string_literal: true

# tests.rb - the shop's own tests: both twins of a page show the same.
#
# The tables are those of `manage.rb schema`; each test runs in a transaction that is rolled back.
require "minitest/autorun"

class ShopTest < Minitest::Test
  # As Rails' own test cases do: what the application calls a transaction is a savepoint in ours.
  def setup
    ActiveRecord::Base.connection.begin_transaction(joinable: false)
    [Review, Line, Order, Product, Customer].each(&:delete_all)
    Pages.seed(10)
  end

  def teardown
    ActiveRecord::Base.connection.rollback_transaction
  end

  %w[orders customer_orders nested counts exists reviews product_reviews].each do |page|
    define_method("test_#{page}") do
      assert_equal Pages.public_send("#{page}_lazy", 10), Pages.public_send("#{page}_eager", 10)
    end
  end

  def test_an_order_of_many_lines
    assert_difference(10) { Pages.insert_lazy(10) }
  end

  def test_prices_rise
    Pages.update_eager(10)
    assert_equal 101, Product.order(:id).first.price
  end

  def test_names_are_unique
    refute Customer.new(name: "customer 1", email: "again@example.org").valid?
  end

  def test_paging
    total, shown = Pages.paging_lazy(5)
    assert_equal [Order.count, 5], [total, shown.size]
  end

  def assert_difference(expected)
    before = Line.count
    yield
    assert_equal expected, Line.count - before
  end
end
