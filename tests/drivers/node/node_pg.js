// node_pg.js - the scenario by node-postgres, with pg-cursor and pg-copy-streams.
'use strict';
const fs = require('fs');
const path = require('path');
const { Readable } = require('stream');
const { pipeline } = require('stream/promises');
const { Client, types } = require('pg');
const Cursor = require('pg-cursor');
const copy = require('pg-copy-streams');

const DATE = 1082;
types.setTypeParser(DATE, (text) => text); // a Date would be one of this machine's time zone

const values = {
  int: Number,
  text: (t) => t,
  float: Number,
  numeric: (t) => t,
  bool: (t) => t === 'true',
  bytes: (t) => Buffer.from(t, 'hex'),
  date: (t) => t,
  timestamp: (t) => new Date(t),
  array: (t) => t.split(',').map((w) => (w === 'null' ? null : Number(w))),
  repeat: (t) => 'y'.repeat(Number(t)),
  null: () => null,
};
if (process.argv.length !== 3) throw new Error('usage: node_pg.js SCENARIO');

function cut(text) {
  const at = text.indexOf(' ');
  return at < 0 ? [text, ''] : [text.slice(0, at), text.slice(at + 1)];
}

function scenario() {
  const steps = [];
  for (const line of fs.readFileSync(path.resolve(process.argv[2]), 'utf8').split('\n')) {
    const [verb, rest] = cut(line.replace(/^ {2}/, '').replaceAll('SCHEMA', process.env.DRIVER_SCHEMA));
    if (line.startsWith('  ')) steps[steps.length - 1].values.push(values[verb](rest));
    else if (line && !line.startsWith('#')) steps.push({ verb, rest, values: [] });
  }
  return steps;
}

function shown(v) {
  if (v === null) return 'null';
  if (Buffer.isBuffer(v)) return `\\x${v.toString('hex')}`;
  if (v instanceof Date) return v.toISOString().replace('.000Z', 'Z');
  if (Array.isArray(v)) return `[${v.map(shown).join(', ')}]`;
  return String(v);
}

const say = (text) => console.log(`  ${text}`);
const saySum = (numbers) => say(`${numbers.length} rows, sum ${numbers.reduce((a, b) => a + b, 0)}`);
const prepared = {};
let client;

async function rows(text, params) {
  return (await client.query({ text, values: params, rowMode: 'array' })).rows;
}
const firstColumn = async (sql) => (await rows(sql)).map((r) => r[0]);
const put = (table, data) => pipeline(Readable.from(data),
  client.query(copy.from(`copy ${table} from stdin`)));

const act = {
  do: (s) => client.query(s.rest),
  rows: async (s) => {
    for (const r of await rows(s.rest, s.values)) say(r.map(shown).join(' | '));
  },
  sum: async (s) => saySum(await firstColumn(s.rest)),
  size: async (s) => say((await firstColumn(s.rest))[0].length),
  prepare: async (s) => {
    const [name, text] = cut(s.rest);
    prepared[name] = text;
  },
  run: async (s) => {
    const [name, count] = cut(s.rest);
    const got = [];
    for (let n = 0; n < count; n++) {
      const q = { name, text: prepared[name], values: [n], rowMode: 'array' };
      got.push((await client.query(q)).rows[0][0]);
    }
    say(got.join(', '));
  },
  distinct: async (s) => {
    let sum = 0;
    for (let n = 0; n < s.rest; n++) {
      const q = { name: `distinct_${n}`, text: `select ${n}`, rowMode: 'array' };
      sum += (await client.query(q)).rows[0][0];
    }
    say(sum);
  },
  begin: () => client.query('begin'),
  commit: () => client.query('commit'),
  rollback: () => client.query('rollback'),
  savepoint: (s) => client.query(`savepoint ${s.rest}`),
  rollback_to: (s) => client.query(`rollback to ${s.rest}`),
  cursor: async (s) => {
    const [count, sql] = cut(s.rest);
    const got = [];
    await client.query('begin');
    const cursor = client.query(new Cursor(sql, [], { rowMode: 'array' }));
    for (;;) {
      const piece = await cursor.read(Number(count));
      if (!piece.length) break;
      got.push(...piece.map((r) => r[0]));
    }
    await cursor.close();
    await client.query('commit');
    saySum(got);
  },
  copy_in: async (s) => {
    const [table, count] = cut(s.rest);
    await put(table, Array.from({ length: Number(count) },
      (_, i) => `${1000 + i}\tcopied ${1000 + i}\\t\\\\ ☃\n`));
  },
  copy_bad: (s) => put(s.rest, ['9000\tcopied 9000\n', 'x\ty\n']),
  copy_out: async (s) => {
    let lines = 0;
    let bytes = 0;
    for await (const piece of client.query(copy.to(`copy (${s.rest}) to stdout`))) {
      bytes += piece.length;
      for (const b of piece) lines += b === 10;
    }
    say(`${lines} lines, ${bytes} bytes`);
  },
  pipeline: async (s) => {
    const [table, rest] = cut(s.rest);
    const [first, last] = cut(rest).map(Number);
    const asked = [];
    client.pipeline = true; // each with a Sync of its own
    for (let n = first; n <= last; n++)
      asked.push(client.query(`insert into ${table} values ($1)`, [n]));
    const failed = (await Promise.allSettled(asked)).find((r) => r.status === 'rejected');
    client.pipeline = false;
    if (failed) throw failed.reason;
  },
  notice: async (s) => {
    const heard = [];
    client.on('notice', (n) => heard.push(n.message));
    await client.query(`do $$ begin raise notice '${s.rest}'; end $$`);
    client.removeAllListeners('notice');
    say(`notice: ${heard.join(', ')}`);
  },
  listen: async (s) => {
    const [channel, text] = cut(s.rest);
    const heard = new Promise((resolve) => { client.once('notification', resolve); });
    await client.query(`listen ${channel}`);
    await client.query('select pg_notify($1, $2)', [channel.toLowerCase(), text]);
    const n = await heard;
    say(`${n.channel} ${n.payload}`);
    await client.query(`unlisten ${channel}`);
  },
  large_object: async (s) => {
    const size = Number(s.rest);
    say('(node-postgres has no large objects: SQL functions)');
    const bytes = Buffer.from(Array.from({ length: size }, (_, i) => (i * 7) % 251));
    await client.query('begin');
    const [[oid]] = await rows('select lo_from_bytea(0, $1)', [bytes]);
    const [[back]] = await rows('select lo_get($1, 10, 5)', [oid]);
    const [[all]] = await rows('select lo_get($1)', [oid]);
    say(`${shown(back)} of ${all.length}`);
    await client.query('select lo_unlink($1)', [oid]);
    await client.query('commit');
  },
  cancel: async (s) => {
    const { setTimeout: pause } = require('timers/promises');
    let over = false;
    const cancelling = (async () => {
      for (await pause(300); !over; await pause(300)) {
        const by = new Client(settings());
        const active = client._getActiveQuery();
        if (!active) continue;
        by.connection.on('error', () => {}); // the server answers a cancel request by closing
        by.cancel(client, active);
        // until it has, the request may hit what comes next
        await new Promise((closed) => { by.connection.once('end', closed); });
      }
    })();
    try {
      await client.query(s.rest);
    } finally {
      over = true;
      await cancelling;
    }
  },
};

function settings() {
  const words = Object.fromEntries(process.env.DRIVER_DSN.split(' ').map((w) => w.split('=')));
  return { host: words.host, port: Number(words.port), user: words.user, database: words.dbname };
}

(async () => {
  client = new Client(settings());
  await client.connect();
  for (const step of scenario()) {
    if (step.verb === 'section') {
      console.log(step.rest);
      continue;
    }
    try {
      await act[step.verb](step);
    } catch (e) {
      if (!e.code || !e.severity) throw e;
      say(`! ${e.code} ${e.message}`);
    }
  }
  await client.end();
})();
