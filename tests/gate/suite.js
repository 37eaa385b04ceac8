// suite.js - the suite over node-postgres: a pool of two, tests at the same time, each on a client
// of its own; a comment on every statement names its test, as sqlcommenter's do.
"use strict";
const assert = require("node:assert");
const { Pool } = require("pg");
const views = require("./views.js");

const pool = new Pool({ max: 2 });

async function test(name, run) {
  const client = await pool.connect();
  const db = { query: (sql, args) => client.query(`${sql} /*test='${name}',file='views.js',line='1'*/`, args) };
  try {
    await client.query("BEGIN");
    await run(db);
    await client.query("COMMIT");
  } finally {
    client.release();
  }
}

async function main() {
  await pool.query("DROP TABLE IF EXISTS purchase, customer");
  await pool.query("CREATE TABLE customer (id int PRIMARY KEY, name text, email text UNIQUE)");
  await pool.query("CREATE TABLE purchase (id int PRIMARY KEY, customer_id int REFERENCES customer, note text)");
  await pool.query("INSERT INTO customer SELECT i, 'c' || i, 'c' || i || '@example.org' FROM generate_series(1, 12) i");
  await pool.query("INSERT INTO purchase SELECT i, i, 'n' FROM generate_series(1, 12) i");
  const tests = {
    list: async (db) => assert.equal((await views.orders(db, 12)).length, 12),
    byEmail: async (db) => assert.equal((await views.byEmail(db, "c3@example.org"))[0].id, 3),
    total: async (db) => assert.equal(await views.total(db), 12),
  };
  const names = Object.keys(tests).sort(() => Math.random() - 0.5);
  await Promise.all(names.map((name) => test(name, tests[name])));
  await pool.end();
}

main().catch((e) => { console.error(e); process.exit(1); });
