#!/usr/bin/env ruby
# frozen_string_literal: true

# manage.rb - the shop on ActiveRecord; tests/apps/README.md says how it is used.
require "active_record"
require "optparse"
require "securerandom"
require_relative "models"
require_relative "pages"

# libpq reads the PG* variables by itself when there is no DATABASE_URL.
def connect(**words)
  url = ENV["DATABASE_URL"]&.sub(%r{\Apostgres://}, "postgresql://")
  ActiveRecord::Base.establish_connection({ adapter: "postgresql", url: url }.compact.merge(words))
end

# Puts sqlcommenter's comment behind every statement of one request, as marginalia did.
module Tagged
  class << self
    attr_accessor :comment
  end

  def execute(sql, *rest)
    super("#{sql}#{Tagged.comment}", *rest)
  end

  private

  def execute_and_clear(sql, *rest, **words, &block)
    super("#{sql}#{Tagged.comment}", *rest, **words, &block)
  end
end

def tag(page)
  adapter = ActiveRecord::ConnectionAdapters::PostgreSQLAdapter
  adapter.prepend(Tagged) unless adapter < Tagged
  trace = "00-#{SecureRandom.hex(16)}-#{SecureRandom.hex(8)}-01"
  Tagged.comment = " /*framework='rails',route='#{page}',traceparent='#{trace}'*/"
end

def serve(names, mode, n, options)
  connect
  names.each do |name|
    connect(variables: { application_name: "#{name}/#{mode}/#{n}" }) unless options[:"one-connection"]
    tag(name) if options[:tag]
    show = -> { Pages.public_send("#{name}_#{mode}", n) }
    options[:transaction] ? ActiveRecord::Base.transaction(&show) : show.call
  end
end

options = {}
parser = OptionParser.new do |o|
  o.banner = "usage: manage.rb schema | seed N | pages | test | serve [OPTION] lazy|eager N [PAGE]"
  o.on("--transaction")
  o.on("--one-connection")
  o.on("--tag")
end
parser.parse!(into: options)
command, *words = ARGV
case command
when "schema"
  connect
  create_schema
when "seed"
  connect
  ActiveRecord::Base.transaction { Pages.seed(Integer(words.fetch(0))) }
when "pages"
  puts Pages.names
when "test"
  connect
  ARGV.clear
  require_relative "tests"
when "serve"
  mode, n, *names = words
  unknown = names - Pages.names
  abort "manage.rb: no such page: #{unknown.join(' ')}" unless unknown.empty?
  abort parser.banner unless %w[lazy eager].include?(mode)
  serve(names.empty? ? Pages.names : names, mode, Integer(n), options)
else
  abort parser.banner
end
