# frozen_string_literal: true

# run.rb [TRIES] - the suite on minitest, in random order; a test that fails is tried again.
require "active_record"
require "minitest"
require_relative "models"
require_relative "views"

TRIES = Integer(ARGV.shift || 1)
ActiveRecord::Base.establish_connection(ENV.fetch("DATABASE_URL"))

class ShopTest < Minitest::Test
  def setup
    ActiveRecord::Base.connection.begin_transaction(joinable: false)
    12.times { |i| Order.create!(note: "n#{i}", customer: Customer.create!(name: "c#{i}", email: "c#{i}@example.org")) }
    ActiveRecord::Base.connection.execute("SELECT 'pgassay:test #{self.class}##{name}'")
  end

  def teardown
    ActiveRecord::Base.connection.rollback_transaction
  end

  def test_list
    assert_equal 12, Views.orders(12).size
  end

  def test_total
    assert_equal 12, Views.total
  end

  def test_by_email
    assert_equal ["c3"], Views.by_email("c3@example.org")
  end

  def test_nobody
    assert_empty Views.by_email("nobody@example.org")
  end
end

create_schema
ok = TRIES.times.map { Minitest.run(["--seed", rand(1 << 16).to_s]) }.all?
exit(ok)
