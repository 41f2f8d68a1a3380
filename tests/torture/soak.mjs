// SPDX-License-Identifier: Apache-2.0
// A steady load for a long time: changed-row CBOR documents (2,500 rows of which 300 changed) at a
// fixed rate over keep-alive connections; every so often a row of figures is printed. At the end:
// no answer but 200 and 503, none of them 5xx other than 503, memory and files flat, autovacuum
// keeping up (the share of dead rows does not grow), and as many rows stored as acknowledged.
//
//   soak.mjs [--seconds 3600] [--rate 2000] [--hosts 2000] [--connections 16] [--rows 2500]
//            [--changed 300] [--every SECONDS]
//
// The last line is "N passed, N failed". Client, server and PostgreSQL share the machine.
import net from 'node:net';
import { encode } from '../http/cbor.mjs';
import { sampleProcess } from './check.mjs';
import { Cluster } from './cluster.mjs';
import { pause } from './wait.mjs';

const OPTIONS = { seconds: 3600, rate: 2000, hosts: 2000, connections: 16, rows: 2500, changed: 300, every: 0 };
/** Flat: the last third's mean against the first's after the warm-up, and this much more. */
const MEMORY_SHARE = 0.10;
const MEMORY_BYTES = 16 << 20;
const FILES = 4;
const RATE_SHARE = 0.97; // of the rate that was asked for

function readOptions(args) {
  const options = { ...OPTIONS };
  for (let i = 0; i < args.length; i += 2) {
    const name = args[i].replace(/^--/, '');
    if (!(name in options) || !(Number(args[i + 1]) > 0)) throw new Error(`bad option "${args[i]}"`);
    options[name] = Number(args[i + 1]);
  }
  options.every ||= Math.max(5, Math.round(options.seconds / 60));
  return options;
}

const LETTERS = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
/** As the agent sends them: ascending by value, whose highest byte is the last letter. */
const tagOf = (i) => `T${LETTERS[i % 62]}${LETTERS[Math.floor(i / 62) % 62]}${LETTERS[Math.floor(i / 3844)]}`;

/** A document with places for what differs from one to the next: numbers of a fixed width. */
class Template {
  constructor(options, whole) {
    const picked = Array.from({ length: whole ? options.rows : options.changed },
      (_, i) => (whole ? i : Math.floor(i * options.rows / options.changed)));
    const tag = picked.map(tagOf);
    const doc = { format: 1, host: { id: 'ID'.padEnd(36, 'x'), name: 'SOAK' }, boot_at: '2026-01-01T00:00:00Z',
      taken_at: '2026-01-01T00:00:00Z', sequence: 0x7a7a7a01, ...(whole ? {} : { base: 0x7a7a7a02 }),
      totals: { nonpaged_bytes: 500e6, paged_bytes: 300e6 },
      nonpaged: { tag, allocs: picked.map((i) => 0x7b000000 + i), frees: picked.map((i) => 0x7a000000 + i * 3),
        bytes: picked.map((i) => 4096 + i * 64) } };
    this.bytes = encode(doc);
    const find = (needle, from = 0) => {
      const at = this.bytes.indexOf(needle, from);
      if (at < 0) throw new Error('the template lacks a place');
      return at;
    };
    this.id = find('IDx');
    this.boot = find('2026-01-01T00:00:00Z');
    this.taken = find('2026-01-01T00:00:00Z', this.boot + 1);
    this.sequence = find(Buffer.from([0x1a, 0x7a, 0x7a, 0x7a, 0x01])) + 1;
    this.base = whole ? 0 : find(Buffer.from([0x1a, 0x7a, 0x7a, 0x7a, 0x02])) + 1;
    this.counters = picked.slice(0, 64).map((i) => find(Buffer.from([0x1a, 0x7b, 0, i >> 8, i & 255])) + 1);
  }

  fill({ id, boot, taken, sequence }) {
    const b = Buffer.from(this.bytes);
    b.write(id, this.id, 'latin1');
    b.write(boot, this.boot, 'latin1');
    b.write(taken, this.taken, 'latin1');
    b.writeUInt32BE(sequence, this.sequence);
    if (this.base) b.writeUInt32BE(sequence - 1, this.base);
    for (const at of this.counters) b.writeUInt32BE(b.readUInt32BE(at) + sequence * 7 >>> 0, at);
    return b;
  }
}

const iso = (ms) => new Date(ms).toISOString().replace(/\.\d+Z$/, 'Z');

/** One keep-alive connection with one request outstanding. */
class Connection {
  constructor(port, token) {
    this.head = `POST /api/v1/snapshots HTTP/1.1\r\nHost: soak\r\nAuthorization: Bearer ${token}\r\n` +
      'Content-Type: application/cbor\r\nContent-Length: ';
    this.socket = net.connect({ host: '127.0.0.1', port, noDelay: true });
    this.got = '';
    this.socket.setEncoding('latin1');
    this.socket.on('data', (text) => this.take(text));
    this.socket.on('error', (error) => this.end(error.message));
    this.socket.on('close', () => this.end('closed'));
  }

  end(why) {
    this.broken = why;
    this.settle?.(0);
  }

  take(text) {
    this.got += text;
    const end = this.got.indexOf('\r\n\r\n');
    if (end < 0) return;
    const length = Number(/\r\ncontent-length: (\d+)/i.exec(this.got)?.[1] ?? 0);
    if (this.got.length < end + 4 + length) return;
    const status = Number(this.got.slice(9, 12));
    this.body = this.got.slice(end + 4);
    this.got = '';
    this.settle?.(status);
  }

  post(body) {
    if (this.broken) return Promise.resolve(0);
    return new Promise((resolve) => {
      this.settle = (status) => {
        this.settle = undefined;
        resolve(status);
      };
      this.socket.cork();
      this.socket.write(`${this.head}${body.length}\r\n\r\n`, 'latin1');
      this.socket.write(body);
      this.socket.uncork();
    });
  }
}

class Soak {
  constructor(options) {
    this.options = options;
    this.answers = new Map();
    this.latencies = [];
    this.acknowledged = 0;
    this.table = [];
    this.begun = 0;
  }

  async begin() {
    const { hosts } = this.options;
    this.cluster = new Cluster({ diskMegabytes: 0 });
    await this.cluster.start();
    process.env.POOLFLEET_TEST_URL = this.cluster.url();
    const { start } = await import('../http/server.mjs');
    this.server = await start('--log-level', 'warning');
    this.token = this.server.token('ingest');
    this.whole = new Template(this.options, true);
    this.delta = new Template(this.options, false);
    this.boot = Date.now() - 86400e3 - this.options.seconds * 1000;
    this.hosts = Array.from({ length: hosts }, (_, i) => ({ sequence: 0, at: this.boot + 60e3,
      id: `50a4${String(i).padStart(4, '0')}-0000-4000-8000-000000000000` }));
    this.interval = Math.max(1, Math.round(hosts / this.options.rate)) * 1000;
    this.connections = Array.from({ length: this.options.connections },
      () => new Connection(this.server.port, this.token));
    await Promise.all(this.connections.map(async (connection, c) => { // every host known before the clock runs
      for (let i = c; i < hosts; i += this.connections.length) await this.send(connection, this.hosts[i]);
    }));
    this.latencies = [];
  }

  async send(connection, host) {
    const sequence = host.sequence + 1;
    const began = performance.now();
    const template = host.sequence === 0 ? this.whole : this.delta;
    const status = await connection.post(template.fill({ id: host.id, boot: iso(this.boot), taken: iso(host.at), sequence }));
    this.latencies.push(performance.now() - began);
    this.answers.set(status, (this.answers.get(status) ?? 0) + 1);
    if (status === 200) {
      host.sequence = sequence;
      host.at += this.interval;
      this.acknowledged++;
    } else {
      this.lastRefusal = connection.broken ?? connection.body;
    }
  }

  /** Each connection serves its own hosts in turn, by a common clock: late ones catch up. */
  async run(connection, c) {
    const { connections, rate, seconds, hosts } = this.options;
    const gap = 1000 * connections / rate;
    for (let n = 0, i = c; performance.now() < this.end; n++, i = i + connections < hosts ? i + connections : c) {
      const due = this.begun + n * gap;
      const early = due - performance.now();
      if (early > 1) await pause(early);
      if (n * gap > seconds * 1000) break;
      await this.send(connection, this.hosts[i]);
    }
  }

  async sample() {
    const [[live, dead, vacuums, size]] = await this.cluster.sql('SELECT coalesce(sum(n_live_tup), 0), ' +
      'coalesce(sum(n_dead_tup), 0), coalesce(sum(autovacuum_count), 0), pg_database_size(current_database()) ' +
      'FROM pg_stat_user_tables');
    const process = sampleProcess(this.server.pid);
    const sorted = this.latencies.sort((a, b) => a - b);
    const at = Math.round((performance.now() - this.begun) / 1000);
    const done = this.acknowledged - (this.toldAt?.acknowledged ?? this.known);
    const row = { at, rate: Math.round(done / Math.max(1, at - (this.toldAt?.at ?? 0))),
      p50: sorted[Math.floor(sorted.length / 2)] ?? 0, p99: sorted[Math.floor(sorted.length * 0.99)] ?? 0,
      refused: this.answers.get(503) ?? 0, memory: process.memory, files: process.files, live: Number(live),
      dead: Number(dead), vacuums: Number(vacuums), size: Number(size) };
    this.latencies = [];
    this.toldAt = { at, acknowledged: this.acknowledged };
    this.table.push(row);
    console.log([`${at} s`, `${row.rate}/s`, `${row.p50.toFixed(1)} ms`, `${row.p99.toFixed(1)} ms`, row.refused,
      `${(row.memory / 1048576).toFixed(1)} MiB`, row.files, row.live, row.dead, row.vacuums,
      `${(row.size / 1048576).toFixed(0)} MiB`].map((cell) => String(cell).padStart(11)).join(''));
  }

  async load() {
    console.log(['time', 'stored', 'p50', 'p99', 'refused', 'memory', 'files', 'live rows', 'dead rows', 'vacuums', 'database']
      .map((cell) => cell.padStart(11)).join(''));
    this.known = this.acknowledged;
    this.begun = performance.now();
    this.end = this.begun + this.options.seconds * 1000;
    const loops = Promise.all(this.connections.map((connection, c) => this.run(connection, c)));
    let over = false;
    loops.then(() => { over = true; });
    while (!over) {
      await Promise.race([loops, pause(this.options.every * 1000)]);
      await this.sample();
    }
    await loops;
  }

  async judge() {
    const { seconds, rate } = this.options;
    const third = Math.max(1, Math.floor(this.table.length / 3));
    const mean = (rows, key) => rows.reduce((sum, row) => sum + row[key], 0) / rows.length;
    const first = this.table.slice(third, 2 * third), last = this.table.slice(-third);
    const of = (key) => [mean(first.length ? first : this.table, key), mean(last, key)];
    const [memory, files] = [of('memory'), of('files')];
    const dead = this.table[this.table.length - 1];
    const [[stored]] = await this.cluster.sql('SELECT count(*) FROM snapshot');
    const other = [...this.answers].filter(([status]) => ![200, 503].includes(status));
    const done = (this.acknowledged - this.known) / seconds;
    return [
      ['the rate was kept', done >= rate * RATE_SHARE, `${done.toFixed(0)} of ${rate} a second`],
      ['no 5xx but 503, nothing unanswered', other.length === 0, `${JSON.stringify(Object.fromEntries(this.answers))}${
        other.length ? ` ${String(this.lastRefusal).slice(0, 200)}` : ''}`],
      ['no 503', !this.answers.get(503), `${this.answers.get(503) ?? 0}`],
      ['memory is flat', memory[1] <= memory[0] * (1 + MEMORY_SHARE) + MEMORY_BYTES,
        memory.map((b) => `${(b / 1048576).toFixed(1)} MiB`).join(', then ')],
      ['files are flat', files[1] <= files[0] + FILES, files.map((f) => f.toFixed(1)).join(', then ')],
      ['autovacuum keeps up', dead.dead <= Math.max(20000, 0.2 * dead.live), `${dead.dead} dead of ${dead.live} live rows`],
      ['every acknowledged document is stored once', Number(stored) === this.acknowledged,
        `${stored} stored, ${this.acknowledged} acknowledged`],
    ];
  }

  async remove() {
    for (const connection of this.connections ?? []) connection.socket.destroy();
    await this.server?.stop();
    this.cluster?.remove();
  }
}

const options = readOptions(process.argv.slice(2));
const soak = new Soak(options);
for (const signal of ['SIGINT', 'SIGTERM']) {
  process.on(signal, () => {
    if (soak.server) process.kill(soak.server.pid, 'SIGKILL');
    soak.cluster?.remove();
    process.exit(1);
  });
}
let failed = 0, passed = 0;
console.log(`${options.rate} documents a second for ${options.seconds} s, ${options.hosts} hosts of ${options.rows} rows, ` +
  `${options.changed} changed`);
try {
  await soak.begin();
  await soak.load();
  for (const [what, holds, told] of await soak.judge()) {
    console.log(`${holds ? 'ok    ' : 'not ok'} ${what}: ${told}`);
    if (holds) passed++;
    else failed++;
  }
} catch (error) {
  console.log(error.stack);
  failed++;
} finally {
  await soak.remove();
}
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed === 0 ? 0 : 1);
