# frozen_string_literal: true

# pages.rb - what the shop shows, each page once lazy and once eager.
module Pages
  module_function

  def names
    Pages.singleton_methods(false).map(&:to_s).grep(/_lazy\z/).map { |m| m.delete_suffix("_lazy") }.sort
  end

  # n customers and products; each customer two orders of two lines, two reviews of each.
  def seed(n)
    Customer.insert_all!(Array.new(n) { |i| { name: "customer #{i}", email: "#{i}@example.org" } })
    Product.insert_all!(Array.new(n) { |i| { name: "product #{i}", price: 100 + i } })
    customers, products = [Customer, Product].map { |model| model.order(:id).last(n) }
    orders = [0, 1].flat_map { |k| customers.map { |c| { customer_id: c.id, note: "order #{k} of #{c.name}" } } }
    Order.insert_all!(orders)
    Line.insert_all!(Order.order(:id).last(2 * n).each_with_index.flat_map do |o, i|
      [0, 1].map { |k| { order_id: o.id, product_id: products[(i + k) % n].id, quantity: 1 + k } }
    end)
    Review.insert_all!(products.zip(customers).each_with_index.flat_map do |pair, i|
      pair.map { |row| { subject_type: row.class.name, subject_id: row.id, rating: 1 + i % 5 } }
    end)
  end

  def orders_lazy(n)
    Order.order(:id).limit(n).map { |o| [o.note, o.customer.name] }
  end

  def orders_eager(n)
    Order.includes(:customer).order(:id).limit(n).map { |o| [o.note, o.customer.name] }
  end

  def customer_orders_lazy(n)
    Customer.order(:id).limit(n).map { |c| c.orders.map(&:note) }
  end

  def customer_orders_eager(n)
    Customer.includes(:orders).order(:id).limit(n).map { |c| c.orders.map(&:note) }
  end

  def nested_lazy(n)
    Customer.order(:id).limit(n).map { |c| c.orders.flat_map { |o| o.lines.map(&:quantity) } }
  end

  def nested_eager(n)
    Customer.includes(orders: :lines).order(:id).limit(n).map { |c| c.orders.flat_map { |o| o.lines.map(&:quantity) } }
  end

  def counts_lazy(n)
    Customer.order(:id).limit(n).map { |c| c.orders.count }
  end

  def counts_eager(n)
    customers = Customer.order(:id).limit(n).to_a
    counted = Order.where(customer: customers).group(:customer_id).count
    customers.map { |c| counted.fetch(c.id, 0) }
  end

  def exists_lazy(n)
    Customer.order(:id).limit(n).map { |c| c.orders.exists? }
  end

  def exists_eager(n)
    customers = Customer.order(:id).limit(n).to_a
    bought = Order.where(customer: customers).distinct.pluck(:customer_id)
    customers.map { |c| bought.include?(c.id) }
  end

  def reviews_lazy(n)
    Review.order(:id).limit(2 * n).map { |r| [r.rating, r.subject.name] }
  end

  def reviews_eager(n)
    Review.includes(:subject).order(:id).limit(2 * n).map { |r| [r.rating, r.subject.name] }
  end

  def product_reviews_lazy(n)
    Product.order(:id).limit(n).map { |p| p.reviews.map(&:rating) }
  end

  def product_reviews_eager(n)
    Product.includes(:reviews).order(:id).limit(n).map { |p| p.reviews.map(&:rating) }
  end

  # The lines of an order about to be made.
  def basket(n)
    order = Order.order(:id).first
    Product.order(:id).limit(n).map { |p| { order_id: order.id, product_id: p.id, quantity: 1 } }
  end

  def insert_lazy(n)
    basket(n).each { |words| Line.new(words).save!(validate: false) }
  end

  def insert_eager(n)
    Line.insert_all!(basket(n))
  end

  def update_lazy(n)
    Product.order(:id).limit(n).each { |p| p.update!(price: p.price + 1) }
  end

  def update_eager(n)
    Product.where(id: Product.order(:id).limit(n).pluck(:id)).update_all("price = price + 1")
  end

  def delete_lazy(n)
    Line.order(id: :desc).limit(n).each(&:destroy!)
  end

  def delete_eager(n)
    Line.where(id: Line.order(id: :desc).limit(n).pluck(:id)).delete_all
  end

  def stock_lazy(n)
    product = Product.find(Product.order(:id).pick(:id))
    product.update!(stock: product.stock - n)
  end

  def stock_eager(n)
    Product.where(id: Product.order(:id).pick(:id)).update_all(["stock = stock - ?", n])
  end

  # Those who register today; some have been here before.
  def visitors(n)
    Array.new(n / 2) { |i| "customer #{i}" } + Array.new(n - n / 2) { |i| "guest #{i}" }
  end

  def register_lazy(n)
    Customer.where("name LIKE ?", "guest %").delete_all
    visitors(n).each do |name|
      Customer.find_by(name: name) || Customer.new(name: name, email: "new@example.org").save!(validate: false)
    end
  end

  def register_eager(n)
    Customer.where("name LIKE ?", "guest %").delete_all
    Customer.insert_all(visitors(n).map { |name| { name: name, email: "new@example.org" } })
  end

  def paging_lazy(n)
    wanted = Order.where("note LIKE ?", "order%")
    [wanted.count, wanted.order(:id).limit(n).map(&:note)]
  end

  def paging_eager(n)
    shown = Order.where("note LIKE ?", "order%").order(:id).limit(n + 1).map(&:note)
    [shown.first(n), shown.size > n]
  end
end
