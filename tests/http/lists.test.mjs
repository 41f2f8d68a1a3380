// SPDX-License-Identifier: Apache-2.0
// What schema/openapi.yaml promises of every list, asked of each of them in turn: pages lose and
// double nothing whatever it is sorted by, a poll of what has not changed is 304, NDJSON and CSV hold
// what the JSON holds, and a caller without a token is told the limits he is under.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { randomUUID } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { after, before, describe, test } from 'node:test';
import { makeFleet, post } from './fleet.mjs';
import { start, until } from './server.mjs';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');
if (!fs.existsSync(path.join(root, 'tests/node_modules/yaml')))
  execFileSync('scripts/npm_ci.sh', ['tests'], { cwd: root, stdio: 'inherit' });
const { parse } = await import('yaml');
const document = parse(fs.readFileSync(path.join(root, 'schema/openapi.yaml'), 'utf8'));
const LISTS = Object.entries(document.paths)
  .filter(([, methods]) => methods.get?.parameters?.some((p) => p.$ref?.endsWith('/cursor')))
  .map(([pattern, methods]) => ({ pattern, ...methods.get }));
/** Lists that a small fleet may leave with fewer than two items. */
const MAY_BE_SHORT = new Set(['getFindingFix', 'listHostHistory', 'listFindings']);
/** Fields that move by themselves between two calls: when a token was last used. */
const MOVES = new Set(['last_used_at', 'last_used', 'server_time']);

let server;
let finding;
const made = [];
const fleet = makeFleet({ hosts: 12, hours: 12 });
for (const document of fleet.documents)
  document.host.drivers.push(...['=lists.sys', 'lists2.sys'].map((file, k) => ({ name: file, version: `1.${k}`, tags: [] })));
const name = `lists ${randomUUID().slice(0, 8)}`;

const send = async (method, target, body, type = 'application/json') => {
  const reply = await server.request(method, `/api/v1${target}`, { token: server.token('admin'), headers: { 'content-type': type },
    body: typeof body === 'string' ? body : JSON.stringify(body) });
  assert.ok(reply.status < 300, `${method} ${target}: ${reply.status} ${reply.body}`);
  return reply.body.length ? reply.json() : null;
};

before(async () => {
  server = await start('--analyze-interval', '1h');
  await post(server, fleet.documents);
  await until(async () => (await server.request('GET', '/api/v1/tags/Leak/hosts?limit=1000', { token: server.token('viewer') }))
    .json().items?.filter((i) => fleet.hosts.some((h) => h.id === i.host_id)).length === fleet.hosts.length, 'the fleet', 240000);
  finding = await until(async () => {
    process.kill(server.pid, 'SIGUSR1');
    const reply = await server.request('GET', `/api/v1/findings?host=${fleet.leaky.id}`, { token: server.token('viewer') });
    return reply.status === 200 && reply.json().items[0];
  }, 'a finding', 240000);
  for (const n of [1, 2, 3]) {
    made.push(['users', (await send('POST', '/users', { name: `${name} ${n}`, role: 'viewer' })).id]);
    made.push(['notify-targets', (await send('POST', '/notify-targets', { name: `${name} ${n}`, kind: 'slack', address: 'https://hooks.example.com/x', enabled: false })).id]);
    made.push(['mutes', (await send('POST', '/mutes', { driver: `lists-none-${n}.sys`, reason: '=1+1' })).id]);
    made.push(['enroll-secrets', (await send('POST', '/enroll-secrets', { name: `${name} ${n}` })).id]);
    await send('POST', `/tag-lists?name=lists-${n}.txt`, `Li${n}x - lists${n}.sys - a tag of this test\n`, 'text/plain');
    made.push(['tag-lists', `lists-${n}.txt`]);
  }
});
after(async () => {
  for (const [kind, id] of made) await server.request('DELETE', `/api/v1/${kind}/${encodeURIComponent(id)}`, { token: server.token('admin') });
  await server.stop();
});

/** The call of a list with what it cannot do without. */
function target(list, more = {}) {
  const values = { host_id: fleet.leaky.id, tag: 'Leak', finding_id: finding.id, name: 'apitest.sys' };
  const query = new URLSearchParams(list['x-example-query'] ?? '');
  for (const [key, value] of query) if (value === 'HOST') query.set(key, fleet.hosts[1].id);
  if (list.operationId === 'compareHosts') query.set('against', fleet.hosts[1].id);
  if (list.pattern.includes('/explain')) {
    for (const key of [...query.keys()]) query.delete(key);
    query.set('hosts', fleet.hosts.slice(0, 3).map((h) => h.id).join(','));
    if (list.operationId === 'listExplainHosts') query.set('fact', 'driver/apitest.sys');
  }
  for (const [key, value] of Object.entries(more)) query.set(key, value);
  return `${list.pattern.replace(/\{(\w+)\}/g, (_, key) => encodeURIComponent(values[key]))}?${query}`;
}
async function ask(list, more = {}, headers = {}) {
  const reply = await server.request('GET', target(list, more), { token: server.token('admin'), headers });
  return reply;
}
async function ok(list, more, headers) {
  const reply = await ask(list, more, headers);
  assert.equal(reply.status, 200, `${target(list, more)}: ${reply.body}`);
  return reply;
}
/** What does not move by itself. */
const still = (item) => JSON.parse(JSON.stringify(item, (key, value) => (MOVES.has(key) ? undefined : value)));
const ndjson = (reply) => reply.body.toString().split('\n').filter(Boolean).map((line) => JSON.parse(line));
const wholeList = async (list, more = {}) => ndjson(await ok(list, more, { accept: 'application/x-ndjson' })).map(still);

async function pages(list, more, limit) {
  const seen = [];
  for (let cursor = null, guard = 0; ; guard++) {
    assert.ok(guard < 50, 'the cursor goes in circles');
    const page = (await ok(list, { ...more, limit, ...(cursor ? { cursor } : {}) })).json();
    assert.ok(page.items.length <= limit);
    seen.push(...page.items.map(still));
    if (!page.next_cursor) return seen;
    assert.equal(page.items.length, limit, 'a page with a next one is full');
    cursor = page.next_cursor;
  }
}

/** RFC 4180: rows of cells. */
function csvRows(text) {
  const rows = [[]];
  for (let at = 0; at < text.length;) {
    let cell = '';
    if (text[at] === '"') {
      for (at++; text[at] !== '"' || text[at + 1] === '"'; at++) {
        if (text[at] === '"') at++;
        cell += text[at];
      }
      at++;
    } else while (at < text.length && text[at] !== ',' && text[at] !== '\r') cell += text[at++];
    rows.at(-1).push(cell);
    if (text[at] === ',') { at++; if (at === text.length) rows.at(-1).push(''); continue; }
    assert.equal(text.slice(at, at + 2), '\r\n', 'lines end with CR LF');
    at += 2;
    if (at < text.length) rows.push([]);
  }
  return rows;
}
/** What a cell says, as the JSON says it; a cell that a spreadsheet would run has ' in front. */
function fromCell(cell, like) {
  if (cell === '') return like === '' ? '' : null;
  if (typeof like === 'number') return Number(cell);
  if (typeof like === 'boolean') return { true: true, false: false }[cell];
  if (like !== null && typeof like === 'object') return JSON.parse(cell);
  return cell.replace(/^'(?=[=+\-@\t\r])/, '');
}

test('every list of the document is asked', () => assert.ok(LISTS.length >= 18, LISTS.map((l) => l.operationId).join(' ')));

for (const list of LISTS)
  describe(`${list.operationId}`, () => {
    test('pages join to the whole, in its order, by every field it can be sorted by', async () => {
      const whole = await wholeList(list);
      if (!MAY_BE_SHORT.has(list.operationId)) assert.ok(whole.length >= 2, `${whole.length} items`);
      assert.deepEqual(await pages(list, {}, Math.max(1, Math.ceil(whole.length / 4))), whole);
      const { total } = (await ok(list, { limit: 1 })).json();
      assert.equal(total, whole.length);
      let sorts = 0;
      for (const field of Object.keys(whole[0] ?? {}).concat('no_such'))
        for (const sort of [field, `-${field}`]) {
          const reply = await ask(list, { sort, limit: 1 });
          if (reply.status === 422) {
            assert.equal(reply.json().field, 'sort');
            continue;
          }
          assert.equal(reply.status, 200, `${sort}: ${reply.body}`);
          assert.notEqual(field, 'no_such');
          const ordered = await wholeList(list, { sort });
          assert.equal(ordered.length, whole.length, sort);
          assert.deepEqual(await pages(list, { sort }, Math.max(1, Math.ceil(whole.length / 3))), ordered, `sort=${sort}`);
          sorts++;
        }
      if (whole.length) assert.ok(sorts >= 2, 'it can be sorted');
      const first = (await ok(list, { limit: 1 })).json();
      assert.equal((await ask(list, { limit: 1, cursor: 'abc' })).status, 422);
      assert.equal((await ask(list, { limit: 0 })).json().field, 'limit');
      if (first.next_cursor) assert.ok(first.next_cursor.length < 1024);
    });

    test('a poll of the same is 304, of another page is not', async () => {
      const reply = await ok(list, { limit: 2 });
      assert.match(reply.headers.etag ?? '', /^(W\/)?"[^"]+"$/);
      const again = await ask(list, { limit: 2 }, { 'if-none-match': reply.headers.etag });
      assert.equal(again.status, 304, `${reply.headers.etag} against ${again.headers.etag}`);
      assert.equal(again.body.length, 0);
      assert.equal(again.headers.etag, reply.headers.etag);
      assert.equal((await ask(list, { limit: 2 }, { 'if-none-match': '"another"' })).status, 200);
    });

    test('NDJSON and CSV hold what the JSON holds', async () => {
      const json = (await ok(list, { limit: 1000 })).json();
      const lines = await wholeList(list);
      assert.deepEqual(lines.slice(0, 1000), json.items.map(still));
      const reply = await ok(list, {}, { accept: 'text/csv' });
      assert.match(reply.headers['content-type'], /^text\/csv/);
      const [head, ...rows] = csvRows(reply.body.toString());
      assert.equal(rows.length, lines.length);
      assert.equal(new Set(head).size, head.length, 'every column has a name of its own');
      const shared = head.filter((h) => !lines.length || (h in lines[0] && !MOVES.has(h)));
      assert.ok(lines.length === 0 || shared.length >= 2, `${head} have nothing of ${Object.keys(lines[0] ?? {})}`);
      rows.forEach((row, k) => {
        assert.equal(row.length, head.length, `row ${k}`);
        for (const column of shared) assert.deepEqual(fromCell(row[head.indexOf(column)], lines[k][column]), lines[k][column], `row ${k}, ${column}`);
      });
      const cut = csvRows((await ok(list, { limit: 1 }, { accept: 'text/csv' })).body.toString());
      assert.equal(cut.length, Math.min(1, lines.length) + 1, 'a limit holds for exports too');
    });

    test('without a token it is refused, and the limits are told', async () => {
      const reply = await server.request('GET', target(list));
      assert.equal(reply.status, 401);
      assert.match(reply.headers['ratelimit-policy'] ?? '', /^"[\w-]+";q=\d+;w=\d+/);
      assert.match(reply.headers.ratelimit ?? '', /^"[\w-]+";r=\d+;t=\d+/);
    });
  });
