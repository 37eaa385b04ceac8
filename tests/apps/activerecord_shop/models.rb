# frozen_string_literal: true

# models.rb - customers, orders and their lines, products, and reviews of either.
class Customer < ActiveRecord::Base
  has_many :orders, -> { order(:id) }
  has_many :reviews, as: :subject
  validates :name, uniqueness: true
end

class Product < ActiveRecord::Base
  has_many :reviews, as: :subject
end

class Order < ActiveRecord::Base
  belongs_to :customer
  has_many :lines, -> { order(:id) }
end

class Line < ActiveRecord::Base
  belongs_to :order
  belongs_to :product
end

class Review < ActiveRecord::Base
  belongs_to :subject, polymorphic: true
end

def create_schema
  ActiveRecord::Schema.verbose = false
  ActiveRecord::Schema.define do
    create_table(:customers, force: :cascade) do |t|
      t.string :name, null: false, index: { unique: true }
      t.string :email, null: false
    end
    create_table(:products, force: :cascade) do |t|
      t.string :name, null: false
      t.integer :price, null: false
      t.integer :stock, null: false, default: 100
    end
    create_table(:orders, force: :cascade) do |t|
      t.references :customer, null: false, foreign_key: true
      t.string :note, null: false
    end
    create_table(:lines, force: :cascade) do |t|
      t.references :order, null: false, foreign_key: true
      t.references :product, null: false, foreign_key: true
      t.integer :quantity, null: false
    end
    create_table(:reviews, force: :cascade) do |t|
      t.references :subject, polymorphic: true, null: false
      t.integer :rating, null: false
    end
  end
end
