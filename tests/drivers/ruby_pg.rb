#!/usr/bin/ruby
# frozen_string_literal: true

# ruby_pg.rb - the scenario by Ruby's pg, with its basic type maps.
require "pg"

# One line of the scenario with the values below it.
Step = Struct.new(:verb, :rest, :values) do
  def words(count)
    rest.split(" ", count + 1)
  end
end

def value_of(kind, text = nil)
  case kind
  when "int" then text.to_i
  when "float" then text.to_f
  when "bool" then text == "true"
  when "bytes" then { value: [text].pack("H*"), format: 1, type: 17 }
  when "array" then "{#{text}}"
  when "repeat" then "y" * text.to_i
  when "null" then nil
  else text
  end
end

def scenario
  steps = []
  File.foreach("#{__dir__}/scenario", encoding: "UTF-8") do |line|
    line = line.chomp.gsub("SCHEMA", ENV.fetch("DRIVER_SCHEMA"))
    if line.start_with?("  ")
      steps.last.values << value_of(*line[2..].split(" ", 2))
    elsif !line.empty? && line[0] != "#"
      steps << Step.new(*line.split(" ", 2), [])
    end
  end
  steps
end

def shown(value)
  case value
  when nil then "null"
  when BigDecimal then value.to_s("F")
  when Time then value.utc.strftime("%Y-%m-%dT%H:%M:%SZ")
  when Array then "[#{value.map { |v| shown(v) }.join(', ')}]"
  when String then value.encoding == Encoding::BINARY ? "\\x#{value.unpack1('H*')}" : value
  else value.to_s
  end
end

def say(text)
  puts "  #{text}"
  $stdout.flush
end

# A method for each verb.
class Driver
  def initialize
    @conn = PG.connect(ENV.fetch("DRIVER_DSN"))
    @conn.type_map_for_results = PG::BasicTypeMapForResults.new(@conn)
    @conn.set_notice_processor { |text| @notice = text }
  end

  def rows(sql, values = [])
    values.empty? ? @conn.exec(sql).values : @conn.exec_params(sql, values).values
  end

  def do(step)
    @conn.exec(step.rest)
  end

  def show_rows(step)
    rows(step.rest, step.values).each { |r| say r.map { |v| shown(v) }.join(" | ") }
  end

  def sum(step)
    numbers = rows(step.rest).flatten
    say "#{numbers.size} rows, sum #{numbers.sum}"
  end

  def size(step)
    say rows(step.rest)[0][0].size
  end

  def prepare(step)
    @conn.prepare(*step.words(1))
  end

  def run(step)
    name, count = step.words(1)
    say((0...count.to_i).map { |n| @conn.exec_prepared(name, [n]).values[0][0] }.join(", "))
  end

  def distinct(step)
    say((0...step.rest.to_i).sum do |n|
      @conn.prepare("distinct_#{n}", "select #{n}")
      @conn.exec_prepared("distinct_#{n}").values[0][0]
    end)
  end

  %w[begin commit rollback].each { |verb| define_method(verb) { |_| @conn.exec(verb) } }

  def savepoint(step)
    @conn.exec("savepoint #{step.rest}")
  end

  def rollback_to(step)
    @conn.exec("rollback to #{step.rest}")
  end

  def cursor(step)
    count, sql = step.words(1)
    numbers = []
    @conn.transaction do
      @conn.exec("declare by_name cursor for #{sql}")
      loop do
        piece = rows("fetch #{count} from by_name").flatten
        break if piece.empty?

        numbers += piece
      end
    end
    say "#{numbers.size} rows, sum #{numbers.sum}"
  end

  def copy_in(step)
    table, count = step.words(1)
    @conn.copy_data("copy #{table} from stdin", PG::TextEncoder::CopyRow.new) do
      (1000...(1000 + count.to_i)).each { |n| @conn.put_copy_data([n.to_s, "copied #{n}\t\\ ☃"]) }
    end
  end

  def copy_bad(step)
    @conn.copy_data("copy #{step.rest} from stdin") do
      @conn.put_copy_data("9000\tcopied 9000\n")
      @conn.put_copy_data("x\ty\n")
    end
  end

  def copy_out(step)
    data = []
    @conn.copy_data("copy (#{step.rest}) to stdout") do
      while (line = @conn.get_copy_data)
        data << line
      end
    end
    say "#{data.size} lines, #{data.sum(&:bytesize)} bytes"
  end

  def pipeline(step)
    table, first, last = step.words(2)
    failure = nil
    @conn.enter_pipeline_mode
    (first.to_i..last.to_i).each do |n|
      @conn.send_query_params("insert into #{table} values ($1)", [n])
    end
    @conn.pipeline_sync
    loop do
      result = @conn.get_result or next
      break if result.result_status == PG::PGRES_PIPELINE_SYNC

      failure ||= result if result.result_status == PG::PGRES_FATAL_ERROR
    end
    @conn.exit_pipeline_mode
    failure&.check
  end

  def notice(step)
    @conn.exec("do $$ begin raise notice '#{step.rest}'; end $$")
    say "notice: #{@notice[/NOTICE:  (.*)/, 1]}"
  end

  def listen(step)
    channel, text = step.words(1)
    @conn.exec("listen #{channel}")
    @conn.exec_params("select pg_notify($1, $2)", [channel.downcase, text])
    @conn.wait_for_notify(30) { |name, _, payload| say "#{name} #{payload}" }
    @conn.exec("unlisten #{channel}")
  end

  def large_object(step)
    size = step.rest.to_i
    @conn.transaction do
      oid = @conn.lo_creat
      lob = @conn.lo_open(oid, PG::INV_READ | PG::INV_WRITE)
      @conn.lo_write(lob, (0...size).map { |i| i * 7 % 251 }.pack("C*"))
      @conn.lo_lseek(lob, 10, PG::SEEK_SET)
      data = @conn.lo_read(lob, 5)
      say "\\x#{data.unpack1('H*')} of #{@conn.lo_lseek(lob, 0, PG::SEEK_END)}"
      @conn.lo_close(lob)
      @conn.lo_unlink(oid)
    end
  end

  def cancel(step)
    over = false
    canceller = Thread.new do
      until over
        sleep 0.3
        @conn.cancel unless over
      end
    end
    @conn.exec(step.rest)
  ensure
    over = true
    canceller.join
  end
end

driver = Driver.new
scenario.each do |step|
  if step.verb == "section"
    puts step.rest
    next
  end
  driver.public_send(step.verb == "rows" ? "show_rows" : step.verb, step)
rescue PG::Error => e
  say "! #{e.result.error_field(PG::PG_DIAG_SQLSTATE)} " \
      "#{e.result.error_field(PG::PG_DIAG_MESSAGE_PRIMARY)}"
end
