"""test_advise_columns.py - `pgassay advise` on indexes of several columns: what they weigh, and when one will do.

Each size that the advice says is compared with that of the index when it is built.
"""
import json
import os
import subprocess

import psycopg
import pytest

from wire import PATIENCE

ROOT = os.path.join(os.path.dirname(__file__), "..", "..")
BIN = os.environ.get("PGASSAY_BIN", os.path.join(ROOT, "bin", "pgassay"))
NAME = "advise_columns"

# offers has 4,000 pairs of part and seller; lines has 60,000 rows of these pairs, and lies in the order of its key,
# that is of its bills, of which 214 are of a day.
SCHEMA = '''
CREATE EXTENSION hypopg;
CREATE TABLE offers (part int, seller int, price int NOT NULL, PRIMARY KEY (part, seller));
INSERT INTO offers SELECT i / 20, i % 20, i FROM generate_series(0, 3999) i;
CREATE TABLE bills (id int PRIMARY KEY, day int NOT NULL, pad text NOT NULL);
INSERT INTO bills SELECT i, i * 7919 % 56, repeat('x', 60) FROM generate_series(0, 11999) i;
CREATE TABLE lines (bill int, pos int, part int NOT NULL, seller int NOT NULL, kind text NOT NULL, shelf text NOT NULL,
                    late boolean NOT NULL, pad text NOT NULL, PRIMARY KEY (bill, pos));
INSERT INTO lines SELECT i / 5, i % 5, p / 20, p % 20, 'kind' || i % 40, 'shelf' || i / 40 % 50, i % 3 = 0, repeat('x', 80)
    FROM (SELECT i, i * 7919 % 4000 AS p FROM generate_series(0, 59999) i) x;
CREATE TABLE notes (id int PRIMARY KEY, body text NOT NULL);
INSERT INTO notes SELECT i, 'about ' || md5(i::text) || ' of the ' || i % 90 FROM generate_series(1, 20000) i;
'''


@pytest.fixture(scope="module")
def dsn(postgres):
    postgres.sql(f"CREATE DATABASE {NAME}")
    with psycopg.connect(postgres.dsn(user="postgres", dbname=NAME), autocommit=True) as c:
        c.execute(SCHEMA)
        c.execute("SET default_statistics_target = 1000")   # all rows are looked at: no chance in what the planner knows
        c.execute("VACUUM ANALYZE")
    yield postgres.dsn(user="postgres", dbname=NAME)
    postgres.sql(f"DROP DATABASE {NAME}")


def advise(dsn, tmp_path, *statements):
    path = tmp_path / "workload.sql"
    path.write_text("".join(s + ";\n" for s in statements))
    run = subprocess.run([BIN, "advise", "--dsn", dsn, "-f", "json", str(path)],
                         capture_output=True, text=True, check=True, timeout=60 * PATIENCE)
    return json.loads(run.stdout)["indexes"]


def built(dsn, index):
    """Bytes of the index when it is there; it is taken back."""
    with psycopg.connect(dsn) as c:
        c.execute(index["ddl"].replace("CONCURRENTLY ", ""))
        size = c.execute("SELECT pg_relation_size(indexrelid) FROM pg_index JOIN pg_class k ON k.oid = indrelid "
                         "WHERE relname = %s ORDER BY indexrelid DESC LIMIT 1", [index["table"].split(".")[-1]]).fetchone()[0]
        c.rollback()
    return size


def test_columns_joined_with_a_whole_key_have_no_more_values_than_it_has_rows(dsn, tmp_path):
    found = advise(dsn, tmp_path, "SELECT price, pad FROM offers o JOIN lines l ON l.part = o.part AND l.seller = o.seller "
                                  "WHERE o.price BETWEEN 100 AND 103")
    both = [i for i in found if i["table"].endswith("lines") and set(i["columns"]) == {"part", "seller"}]
    assert both, found
    assert 0.7 < both[0]["size_bytes"] / built(dsn, both[0]) < 1.4, both


def test_one_index_for_all_that_an_arm_asks_for(dsn, tmp_path):
    found = advise(dsn, tmp_path, "SELECT pad FROM lines WHERE (kind = 'kind3' AND shelf = 'shelf4') OR (kind = 'kind5' AND shelf = 'shelf7')")
    assert [set(i["columns"]) for i in found] == [{"kind", "shelf"}], found


def test_the_first_column_of_a_key_alone_where_the_rows_lie_in_its_order(dsn, tmp_path):
    """The planner takes a key of two columns to be less in order than it is; the column by itself wins it over to
    look-ups, and does nothing where the key is used already."""
    found = advise(dsn, tmp_path, "SELECT count(*) FROM bills b WHERE day = 7 AND EXISTS (SELECT FROM lines l WHERE l.bill = b.id AND l.late)")
    assert [i["columns"] for i in found if i["table"].endswith("lines")] == [["bill"]], found
    by_part = advise(dsn, tmp_path, "SELECT * FROM offers WHERE part = 5")
    assert by_part == [], "its key serves it"


def test_a_text_search_index_weighs_as_its_column_is_wide(dsn, tmp_path):
    found = advise(dsn, tmp_path, "SELECT id FROM notes WHERE to_tsvector('english', body) @@ to_tsquery('english', 'c4ca & about')")
    assert [i["method"] for i in found] == ["gin"], found
    assert 0.3 < found[0]["size_bytes"] / built(dsn, found[0]) < 3, found
