// views.js - what the shop asks; the commits of tests/gate/test_seeded.py change it.
"use strict";

exports.orders = async (db, n) => {
  const found = await db.query("SELECT p.id, c.name FROM purchase p JOIN customer c ON c.id = p.customer_id ORDER BY p.id LIMIT $1", [n]);
  return found.rows;
};

exports.byEmail = async (db, email) => (await db.query("SELECT id FROM customer WHERE email = $1", [email])).rows;

exports.total = async (db) => Number((await db.query("SELECT count(*) FROM purchase")).rows[0].count);
