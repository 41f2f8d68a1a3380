// SPDX-License-Identifier: Apache-2.0
// What may go wrong around the server, under load: PostgreSQL stops or dies, its connections are
// cut, the server itself is killed, a neighbour sends rubbish. Every time the same must hold: what
// was acknowledged is in the database once, nothing is there twice, nothing is there that nobody
// sent, and the newest state served is the newest acknowledged. A delta rests on the snapshot that
// was acknowledged before it, so a lost one also shows as a 409.
//
// PostgreSQL is stopped here, so the suite has a cluster of its own. It is durable (no --test):
// without fsync and synchronous commits, an immediate stop may rightly lose what was committed.
//
//   POOLFLEET_TEST_SEED  another choice of moments (default 1)
import assert from 'node:assert/strict';
import { execFile, execFileSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, afterEach, before, test } from 'node:test';
import { promisify } from 'node:util';
import zlib from 'node:zlib';

const PG_PRIVATE = path.resolve(path.dirname(new URL(import.meta.url).pathname),
  '../../scripts/pg_private.sh');
const FOLDER = fs.mkdtempSync(path.join(os.tmpdir(), 'poolfleet-faults-'));
const pg = (verb) => execFileSync(PG_PRIVATE, [verb, FOLDER], { encoding: 'utf8' }).trim();
process.on('exit', () => pg('remove'));
pg('start');
process.env.POOLFLEET_TEST_URL = pg('url');
const { DATABASE, PROGRAM, raw, request, start: startServer, until } = await import('./server.mjs');
const start = () => startServer('--analyze-interval', '1s'); // its jobs meet the faults too

const SEED = Number(process.env.POOLFLEET_TEST_SEED ?? 1);
const CLIENTS = 10;
const PER_BOOT = 20;     // steps until the host reboots
const ANSWER_MS = 8000;  // no answer may take longer, whatever has happened
const PHASE_MS = 30000;
const RETRY_MS = 30;     // far less than Retry-After, so that outages can be short here

let server;
let tokens;

// ---- tools ------------------------------------------------------------------------------------

/** Numbers in [0, 1) that depend on the seed alone (mulberry32). */
function randomFrom(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

async function sql(text) {
  const { stdout } = await promisify(execFile)('psql',
    ['-X', '-q', '-At', '-F', '\t', '-v', 'ON_ERROR_STOP=1', '-d', DATABASE, '-c', text],
    { maxBuffer: 1 << 26 });
  return stdout.split('\n').filter(Boolean).map((line) => line.split('\t'));
}

function postmaster() {
  const data = fs.readFileSync(path.join(FOLDER, 'data.path'), 'utf8').trim();
  return Number(fs.readFileSync(path.join(data, 'postmaster.pid'), 'utf8').split('\n')[0]);
}

function isRunning(pid) {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

const stopDatabase = {
  /** Transactions are rolled back, connections closed. */
  fast: async () => { await promisify(execFile)(PG_PRIVATE, ['stop', FOLDER]); },
  /** As a crash: the next start recovers from the log. */
  immediate: async () => {
    const pid = postmaster();
    process.kill(pid, 'SIGQUIT');
    await until(() => !isRunning(pid), 'PostgreSQL to stop');
  },
};
const startDatabase = () => promisify(execFile)(PG_PRIVATE, ['start', FOLDER]);

function assertUnavailable(reply) {
  assert.equal(reply.status, 503, reply.body.toString());
  assert.equal(reply.headers['content-type'], 'application/problem+json');
  assert.match(reply.headers['retry-after'] ?? '', /^[1-9][0-9]*$/);
  assert.match(reply.json().type, /^urn:poolfleet:problem:(database|busy|timeout)$/);
}

// ---- hosts that post --------------------------------------------------------------------------

/** The complete table after a step: one row moves always, one now and then, one never. */
const tableAt = (step) => ({ 'Ddk ': [10, 5, 4096], 'Leak': [1000 + step, step % 7, 1e6 + step * 4096],
  'NtFC': [Math.floor(step / 3), 0, 81920 + Math.floor(step / 3)] });

class Client {
  constructor(index) {
    this.id = randomUUID();
    this.perBody = index % 3 === 0 ? 4 : 1; // some send several at once, as NDJSON
    this.start = Date.now() - (1 + index % 3) * 86400e3;
    this.acknowledged = 0; // steps, from 0
    this.sent = 0;
    this.refused = 0;
    this.longest = 0;
  }

  key(step) { return `${this.bootOf(step)} ${step % PER_BOOT + 1}`; }
  bootOf(step) { return Math.floor((this.start - 3600e3) / 1000) + Math.floor(step / PER_BOOT); }
  takenAt(step) { return this.start + step * 1000; }

  document(step) {
    const isFull = step % PER_BOOT === 0;
    const now = tableAt(step);
    const was = isFull ? {} : tableAt(step - 1);
    const tag = Object.keys(now).filter((t) => String(now[t]) !== String(was[t]));
    const column = (i) => tag.map((t) => now[t][i]);
    return { format: 1, host: { id: this.id, name: `FAULT-${this.id.slice(0, 4)}` },
      boot_at: new Date(this.bootOf(step) * 1000).toISOString(),
      taken_at: new Date(this.takenAt(step)).toISOString(), sequence: step % PER_BOOT + 1,
      ...(isFull ? {} : { base: step % PER_BOOT }),
      nonpaged: { tag, allocs: column(0), frees: column(1), bytes: column(2) } };
  }

  /** One try; true when it was acknowledged. */
  async attempt(mayLose) {
    const first = this.acknowledged;
    const documents = Array.from({ length: this.perBody }, (_, i) => this.document(first + i));
    this.sent = first + this.perBody;
    const began = Date.now();
    const reply = await request(server.port, 'POST', '/api/v1/snapshots', { token: tokens.ingest,
      headers: { 'content-type': this.perBody > 1 ? 'application/x-ndjson' : 'application/json' },
      body: documents.map((d) => JSON.stringify(d)).join('\n') })
      .catch((error) => { if (!mayLose()) throw error; });
    this.longest = Math.max(this.longest, Date.now() - began);
    if (reply === undefined) return false;
    if (reply.status !== 200) {
      assertUnavailable(reply);
      this.refused += 1;
      return false;
    }
    const { accepted, duplicates, rejected } = reply.json();
    assert.deepEqual(rejected, []);
    assert.equal(accepted + duplicates, this.perBody);
    this.acknowledged += this.perBody;
    return true;
  }
}

/** All clients at once, each sends its next document when the last was acknowledged. */
class Load {
  constructor({ mayLose = () => false } = {}) {
    this.clients = Array.from({ length: CLIENTS }, (_, i) => new Client(i));
    this.mayLose = mayLose;
    this.isRunning = true;
    this.open();
    this.loops = Promise.all(this.clients.map((client) => this.loop(client)));
    this.loops.catch((error) => { this.error ??= error; });
  }

  async loop(client) {
    while (this.isRunning || client.sent > client.acknowledged) {
      await this.gate;
      if (this.error) return;
      if (!await client.attempt(this.mayLose)) await pause(RETRY_MS);
    }
  }

  /** Nobody begins anything until open(). */
  close() { this.gate = new Promise((resolve) => { this.letGo = resolve; }); }
  open() { this.letGo?.(); this.gate = undefined; }

  async until(condition, what) {
    await until(() => {
      if (this.error) throw this.error;
      return condition();
    }, what, PHASE_MS);
  }

  /** Every client's figure has grown by n. */
  async grown(figure, n) {
    const before = this.clients.map((client) => client[figure]);
    await this.until(() => this.clients.every((client, i) => client[figure] >= before[i] + n),
      `${n} more ${figure}`);
  }

  total() { return this.clients.reduce((sum, client) => sum + client.acknowledged, 0); }

  async finish() {
    this.isRunning = false;
    this.open();
    await this.loops;
    for (const client of this.clients)
      assert.ok(client.longest < ANSWER_MS, `an answer took ${client.longest} ms`);
  }
}

// ---- what must hold ---------------------------------------------------------------------------

/** Acknowledged: there once. Sent only: there at most once. Anything else: not there. */
async function assertStored(load) {
  const rows = await sql('SELECT h.id, extract(epoch FROM s.boot_at)::bigint, s.sequence, count(*) ' +
    'FROM snapshot s JOIN host h USING (host_id) GROUP BY 1, 2, 3');
  for (const client of load.clients) {
    const stored = new Map(rows.filter(([id]) => id === client.id)
      .map(([, boot, sequence, count]) => [`${boot} ${sequence}`, Number(count)]));
    for (let step = 0; step < client.sent; step++) {
      const count = stored.get(client.key(step)) ?? 0;
      assert.ok(count === 1 || (count === 0 && step >= client.acknowledged),
        `step ${step} of ${client.id} is stored ${count} times; ${client.acknowledged} acknowledged`);
      stored.delete(client.key(step));
    }
    assert.deepEqual([...stored], [], 'stored, but never sent');
  }
}

async function tagsOf(client, at) {
  const reply = await request(server.port, 'GET',
    `/api/v1/hosts/${client.id}/tags${at === undefined ? '' : `?at=${new Date(at).toISOString()}`}`,
    { token: tokens.viewer });
  if (reply.status === 404) return null;
  assert.equal(reply.status, 200, reply.body.toString());
  const { at: takenAt, items } = reply.json();
  return { step: (Date.parse(takenAt) - client.start) / 1000,
    table: Object.fromEntries(items.map((i) => [i.tag, [i.allocs, i.frees, i.bytes]])) };
}

/** The newest state is the last acknowledged, or one in flight behind it; its values are its own. */
async function assertNewest(load) {
  for (const client of load.clients) {
    const served = await tagsOf(client);
    const step = served?.step ?? -1;
    assert.ok(step >= client.acknowledged - 1 && step < client.sent,
      `step ${step} is served; ${client.acknowledged} acknowledged, ${client.sent} sent`);
    if (served) assert.deepEqual(served.table, tableAt(step));
  }
}

/** A stored snapshot can be read back, though it rests on others. */
async function assertHistory(load, random) {
  for (const client of load.clients) {
    const step = Math.floor(random() * client.acknowledged);
    assert.deepEqual(await tagsOf(client, client.takenAt(step)), { step, table: tableAt(step) });
  }
}

/** Rows of hosts follow their snapshots some time later; a start brings them up at once. */
async function assertRows() {
  assert.deepEqual(await sql('SELECT h.id FROM host h CROSS JOIN LATERAL (SELECT max(taken_at) AS at ' +
    'FROM snapshot s WHERE s.host_id = h.host_id) AS newest WHERE h.last_seen_at <> newest.at'), []);
}

async function assertAllHolds(load, random) {
  await load.finish();
  await assertStored(load);
  await assertNewest(load);
  await assertHistory(load, random);
}

/** The killed process left nothing of a sanitizer in its log. */
async function buryServer() {
  await assert.rejects(server.stop(), (error) => error.actual?.signal === 'SIGKILL');
}

// ---- the tests --------------------------------------------------------------------------------

before(async () => {
  server = await start();
  tokens = Object.fromEntries(['ingest', 'viewer'].map((role) => [role, server.token(role)]));
});
let load;
afterEach(async () => { // a test that failed leaves no clients behind, and a database
  if (load) load.error ??= new Error('the test is over');
  load?.open();
  await load?.loops.catch(() => {});
  load = undefined;
  await startDatabase();
});
after(() => server?.stop());

for (const [name, stop] of Object.entries(stopDatabase)) {
  test(`PostgreSQL gone and back (${name} stop)`, { timeout: 90000 }, async () => {
    const pid = server.pid;
    load = new Load();
    await load.grown('acknowledged', 8);
    await stop();
    const [before, began] = [load.total(), Date.now()];
    await load.grown('refused', 3);
    const get = (target) => request(server.port, 'GET', target, { token: tokens.viewer });
    assert.equal((await get('/healthz')).status, 200, 'the process is fine');
    assertUnavailable(await get('/readyz'));
    assertUnavailable(await get('/api/v1/findings/f-0000000000000000'));
    assertUnavailable(await get('/api/v1/overview'));
    assert.equal(load.total(), before, 'nothing is acknowledged without a database');
    assert.ok(Date.now() - began < PHASE_MS);
    await startDatabase();
    await load.grown('acknowledged', 8);
    for (const target of ['/readyz', '/api/v1/overview'])
      await until(async () => (await get(target)).status === 200, `${target} to be served again`);
    await assertAllHolds(load, randomFrom(SEED));
    assert.equal(server.pid, pid);
  });
}

test('connections to PostgreSQL are terminated again and again', { timeout: 90000 }, async () => {
  const random = randomFrom(SEED + 1);
  load = new Load();
  for (let round = 0; round < 20; round++) {
    const goal = load.total() + 10 + Math.floor(random() * 60);
    await load.until(() => load.total() >= goal, `${goal} acknowledged`);
    const [[count]] = await sql('SELECT count(pg_terminate_backend(pid, 5000)) FROM pg_stat_activity ' +
      "WHERE application_name = 'poolfleetd'");
    assert.ok(Number(count) > 0, 'there was something to terminate');
    await load.grown('acknowledged', 2);
  }
  await assertAllHolds(load, random);
});

test('the server is killed at random moments', { timeout: 120000 }, async (t) => {
  const random = randomFrom(SEED + 2);
  let lost = 0;
  let isDead = false;
  load = new Load({ mayLose: () => isDead });
  for (let round = 0; round < 10; round++) {
    const goal = load.total() + 10 + Math.floor(random() * 80);
    await load.until(() => load.total() >= goal, `${goal} acknowledged`);
    await pause(random() * 20);
    isDead = true;
    process.kill(server.pid, 'SIGKILL');
    load.close();
    await buryServer();
    lost += load.clients.filter((client) => client.sent > client.acknowledged).length;
    server = await start();
    await assertStored(load);
    await assertNewest(load);
    await assertRows();
    isDead = false;
    load.open();
  }
  await load.grown('acknowledged', 8);
  await assertAllHolds(load, random);
  assert.ok(lost > 0, 'at least one answer was cut off');
  t.diagnostic(`seed ${SEED}: ${load.total()} acknowledged, ${lost} requests in flight when killed`);
});

test('without PostgreSQL the server stops cleanly and does not start', { timeout: 60000 }, async () => {
  load = new Load();
  await load.grown('acknowledged', 4);
  await stopDatabase.immediate();
  await load.grown('refused', 1);
  load.close();
  await server.stop(); // with exit code 0; a client that is left without an answer fails
  const { code } = await promisify(execFile)(PROGRAM, ['serve', '--database-url', DATABASE, '--listen',
    '127.0.0.1:0'], { timeout: 20000 }).catch((error) => error);
  assert.equal(code, 3, 'no database');
  await startDatabase();
  server = await start();
  load.open();
  await load.grown('acknowledged', 4);
  await assertAllHolds(load, randomFrom(SEED + 4));
});

// ---- a hostile neighbour ----------------------------------------------------------------------

const EVIL = randomUUID();
const evil = (fields = {}) => ({ format: 1, host: { id: EVIL, name: 'EVIL' },
  boot_at: '2026-01-01T00:00:00Z', taken_at: new Date(Date.now() - 1000).toISOString(), sequence: 1,
  nonpaged: { tag: ['Ddk ', 'NtFC'], allocs: [1, 2], frees: [0, 0], bytes: [16, 32] }, ...fields });
const table = (count) => ({ tag: Array.from({ length: count }, (_, i) => i.toString(36).padStart(4, '.')),
  bytes: Array(count).fill(16) });
const text = (value) => Buffer.from(typeof value === 'string' ? value : JSON.stringify(value));

/** name: [body, status, problem, field (null: none)]; each fits on one line of NDJSON. */
function rubbish(victim) {
  const good = JSON.stringify(evil());
  return {
    truncated: [text(good.slice(0, 90)), 400, 'malformed', null],
    'no JSON': [text('\u0001\u0002'), 400, 'malformed', null],
    'a key twice': [text(good.replace('"format":1', '"format":1,"format":1')), 400, 'malformed', null],
    'a tag twice': [text(evil({ nonpaged: { tag: ['Ddk ', 'Ddk '], bytes: [1, 2] } })), 422, 'invalid',
      'nonpaged.tag[1]'],
    'over-long name': [text(evil({ host: { id: EVIL, name: 'x'.repeat(257) } })), 413, 'too_large', 'host.name'],
    'over-long table': [text(evil({ nonpaged: table(16385) })), 413, 'too_large', 'nonpaged.tag'],
    'not UTF-8': [Buffer.concat([text(good.slice(0, 40)), Buffer.from([0xc3, 0x28]), text(good.slice(40))]),
      400, 'malformed', null],
    'nested too deep': [text(`{"format":${'['.repeat(50000)}`), 400, 'malformed', null],
    'from the future': [text(evil({ taken_at: new Date(Date.now() + 3600e3).toISOString() })), 422,
      'invalid', 'taken_at'],
    'from the future, of another': [text({ ...victim.document(0), sequence: 9999, base: undefined,
      taken_at: new Date(Date.now() + 3600e3).toISOString() }), 422, 'invalid', 'taken_at'],
    'columns of two lengths': [text(evil({ nonpaged: { tag: ['Ddk '], bytes: [1, 2] } })), 422, 'invalid',
      'nonpaged.bytes'],
    'a negative counter': [text(evil({ nonpaged: { tag: ['Ddk '], allocs: [-1], bytes: [1] } })), 422,
      'invalid', 'nonpaged.allocs[0]'],
    'an unknown base': [text(evil({ sequence: 8, base: 7 })), 409, 'conflict', 'base'],
    'an unknown base of another': [text({ ...victim.document(0), sequence: 9999, base: 9998 }), 409,
      'conflict', 'base'],
  };
}

test('a hostile neighbour harms nobody', { timeout: 90000 }, async () => {
  load = new Load();
  const post = (body, { token = tokens.ingest, type = 'application/json', ...headers } = {}) =>
    request(server.port, 'POST', '/api/v1/snapshots', { token, headers: { 'content-type': type, ...headers }, body });
  const seen = (reply) => {
    assert.match(reply.headers['content-type'], /json/, reply.body.toString());
    const { status, type, field } = reply.json();
    return [status, type?.split(':').pop(), field];
  };
  await load.grown('acknowledged', 4);

  const singles = rubbish(load.clients[0]);
  for (let round = 0; round < 3; round++) {
    for (const [name, [body, ...expected]] of Object.entries(singles))
      assert.deepEqual(seen(await post(body)), expected, name);
  }
  const bomb = zlib.gzipSync(Buffer.alloc(48 << 20, 0x20));
  assert.deepEqual(seen(await post(bomb, { 'content-encoding': 'gzip' })), [413, 'too_large', null]);
  assert.deepEqual(seen(await post(text(evil()), { token: tokens.viewer })), [403, 'forbidden', null]);
  assert.deepEqual(seen(await post(text(evil()), { type: 'text/plain' })),
    [415, 'unsupported', 'Content-Type']);
  for (let i = 0; i < 20; i++) { // hangs up in the middle of a body
    const c = await raw(server.port);
    await c.send('POST /api/v1/snapshots HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n' +
      `Authorization: Bearer ${tokens.ingest}\r\nContent-Length: 5000\r\n\r\n${JSON.stringify(evil())}`);
    c.cut();
  }

  // All of it again in one body, with good documents between: these are stored, those are named.
  const witness = new Client(1);
  const lines = [];
  const expected = [];
  for (const [, [body, , problem, field]] of Object.entries(singles)) {
    lines.push(text(witness.document(witness.sent++)));
    expected.push({ index: lines.length, type: `urn:poolfleet:problem:${problem}`, field });
    lines.push(body);
  }
  const body = Buffer.concat(lines.flatMap((line) => [line, Buffer.from('\n')]));
  for (let i = 0; i < 3; i++) {
    const reply = await post(body, { type: 'application/x-ndjson' });
    assert.equal(reply.status, 200, reply.body.toString());
    const { accepted, duplicates, rejected } = reply.json();
    assert.deepEqual([accepted, duplicates], i === 0 ? [witness.sent, 0] : [0, witness.sent]);
    assert.deepEqual(rejected.map(({ index, type, field }) => ({ index, type, field })), expected);
    assert.ok(rejected.every(({ detail }) => detail.length > 0));
  }
  witness.acknowledged = witness.sent;

  await load.grown('acknowledged', 4);
  assert.deepEqual(load.clients.map((client) => client.refused), Array(CLIENTS).fill(0));
  load.clients.push(witness);
  await assertAllHolds(load, randomFrom(SEED + 3));
  assert.deepEqual(await sql(`SELECT id FROM host WHERE id = '${EVIL}'`), [], 'nothing of it is kept');
});
