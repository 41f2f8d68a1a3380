// SPDX-License-Identifier: Apache-2.0
// Where a request ends, and what happens when that is not clear.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { snapshot, start } from './server.mjs';

let server;
before(async () => { server = await start(); });
after(() => server.stop());

const SMUGGLED = 'GET /healthz HTTP/1.1\r\nHost: b\r\n\r\n';

/** [name, bytes]: each is refused with 400 and the connection closed, and what follows unread. */
const REFUSED = [
  ['two Content-Length', 'POST /api/v1/diagnose HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nContent-Length: 35\r\n\r\n'],
  ['two equal Content-Length', 'POST /api/v1/diagnose HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nContent-Length: 0\r\n\r\n'],
  ['a list as Content-Length', 'POST /api/v1/diagnose HTTP/1.1\r\nHost: a\r\nContent-Length: 0, 0\r\n\r\n'],
  ['a sign', 'POST /api/v1/diagnose HTTP/1.1\r\nHost: a\r\nContent-Length: +0\r\n\r\n'],
  ['a negative length', 'POST /api/v1/diagnose HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n'],
  ['a hexadecimal length', 'POST /api/v1/diagnose HTTP/1.1\r\nHost: a\r\nContent-Length: 0x0\r\n\r\n'],
  ['two Host', 'GET /healthz HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n'],
  ['no Host', 'GET /healthz HTTP/1.1\r\n\r\n'],
  ['both framings', 'POST /api/v1/diagnose HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n'],
  ['both framings, turned', 'POST /api/v1/diagnose HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n'],
  ['two Transfer-Encoding', 'POST /api/v1/diagnose HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n'],
  ['an unknown Transfer-Encoding', 'POST /api/v1/diagnose HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n'],
  ['Transfer-Encoding: identity', 'POST /api/v1/diagnose HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: identity\r\n\r\n'],
  ['chunked in HTTP/1.0', 'POST /api/v1/diagnose HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n'],
  ['a blank before the colon', 'POST /api/v1/diagnose HTTP/1.1\r\nHost: a\r\nContent-Length : 35\r\n\r\n'],
  ['two Authorization', 'GET /healthz HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer a\r\nAuthorization: Bearer b\r\n\r\n'],
];

for (const [name, bytes] of REFUSED) {
  test(`refuses ${name} with one 400 and closes`, async () => {
    const c = await server.raw();
    await c.send(bytes + SMUGGLED);
    await c.waitClosed();
    const replies = c.replies();
    assert.equal(replies.length, 1, c.bytes().toString());
    assert.equal(replies[0].status, 400);
  });
}

test('gives a problem document for its own refusals', async () => {
  const c = await server.raw();
  await c.send('GET /healthz HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n');
  const [reply] = await c.wait(1);
  assert.equal(reply.headers['content-type'], 'application/problem+json');
  assert.equal(reply.headers.connection.toLowerCase(), 'close');
  const problem = JSON.parse(reply.body);
  assert.equal(problem.type, 'urn:poolfleet:problem:malformed');
  assert.equal(problem.status, 400);
  assert.match(problem.detail, /"Host" is repeated/);
  c.close();
});

test('reads a chunked body, extensions and trailers included', async () => {
  const c = await server.raw();
  const body = JSON.stringify(snapshot());
  const half = body.length >> 1;
  const chunk = (text) => `${text.length.toString(16)};name="value"\r\n${text}\r\n`;
  await c.send('POST /api/v1/snapshots HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n' +
    `Authorization: Bearer ${server.token('ingest')}\r\nTransfer-Encoding: chunked\r\n\r\n` +
    chunk(body.slice(0, half)) + chunk(body.slice(half)) + '0\r\nX-Trailer: 1\r\n\r\n');
  const [reply] = await c.wait(1);
  assert.equal(reply.status, 200, reply.body.toString());
  assert.equal(JSON.parse(reply.body).accepted, 1);
  c.close();
});

test('refuses a chunk size that is no number', async () => {
  const c = await server.raw();
  await c.send('POST /api/v1/snapshots HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n' +
    `Authorization: Bearer ${server.token('ingest')}\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n{}\r\n0\r\n\r\n${SMUGGLED}`);
  await c.waitClosed();
  assert.ok(c.replies().every((r) => r.status === 400), c.bytes().toString());
  assert.ok(c.replies().length <= 1);
});

test('answers pipelined requests in their order, suspended ones among them', async () => {
  const c = await server.raw();
  const post = (body) => 'POST /api/v1/snapshots HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n' +
    `Authorization: Bearer ${server.token('ingest')}\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;
  const get = (id) => `GET /healthz HTTP/1.1\r\nHost: a\r\nX-Request-Id: ${id}\r\n\r\n`;
  await c.send(get('one') + post(JSON.stringify(snapshot())) + get('three') +
    post(JSON.stringify(snapshot())) + get('five'));
  const replies = await c.wait(5);
  assert.deepEqual(replies.map((r) => r.status), [200, 200, 200, 200, 200]);
  assert.deepEqual([0, 2, 4].map((i) => replies[i].headers['x-request-id']), ['one', 'three', 'five']);
  assert.equal(JSON.parse(replies[1].body).accepted, 1);
  c.close();
});

test('reads a request that comes byte by byte', async () => {
  const c = await server.raw();
  const body = JSON.stringify(snapshot());
  const all = 'POST /api/v1/snapshots HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n' +
    `Authorization: Bearer ${server.token('ingest')}\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;
  for (const byte of Buffer.from(all)) await c.send(Buffer.from([byte]));
  const [reply] = await c.wait(1);
  assert.equal(reply.status, 200, reply.body.toString());
  c.close();
});

test('survives an upload cut at every place', async () => {
  const document = snapshot();
  const body = JSON.stringify(document);
  const all = Buffer.from('POST /api/v1/snapshots HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n' +
    `Authorization: Bearer ${server.token('ingest')}\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`);
  const places = [];
  for (let n = 1; n < all.length; n += 3) places.push(n);
  await Promise.all(places.map(async (n) => {
    const c = await server.raw();
    await c.send(all.subarray(0, n));
    c.cut();
  }));
  const reply = await server.request('POST', '/api/v1/snapshots', { token: server.token('ingest'),
    headers: { 'content-type': 'application/json' }, body });
  assert.equal(reply.status, 200);
  assert.equal(reply.json().accepted, 1, 'no cut upload was stored');
});

test('serves others while many requests stay unfinished', async () => {
  const lazy = await Promise.all(Array.from({ length: 100 }, async (_, i) => {
    const c = await server.raw();
    await c.send(i % 2 === 0 ? 'GET /healthz HTTP/1.1\r\nHost: a\r\nX-' :
      'POST /api/v1/snapshots HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n' +
      `Authorization: Bearer ${server.token('ingest')}\r\nContent-Length: 1000\r\n\r\n{`);
    return c;
  }));
  for (let i = 0; i < 20; i += 1)
    assert.equal((await server.request('GET', '/healthz')).status, 200);
  assert.ok(lazy.every((c) => c.replies().length === 0));
  for (const c of lazy) c.cut();
});

test('refuses a head that is too large and lives on', async () => {
  const c = await server.raw();
  await c.send('GET /healthz HTTP/1.1\r\nHost: a\r\n');
  for (let i = 0; i < 2000 && !c.closed(); i += 1) await c.send(`X-Flood-${i}: ${'x'.repeat(100)}\r\n`);
  await c.waitClosed();
  assert.ok(c.replies().every((r) => r.status === 431 || r.status === 413), c.bytes().toString());
  const long = await server.raw();
  await long.send(`GET /${'x'.repeat(100000)} HTTP/1.1\r\nHost: a\r\n\r\n`);
  await long.waitClosed();
  assert.ok(long.replies().every((r) => r.status === 414 || r.status === 413));
  assert.equal((await server.request('GET', '/healthz')).status, 200);
});

test('does not read a body it refuses by its length', async () => {
  const c = await server.raw();
  await c.send('POST /api/v1/snapshots HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n' +
    `Authorization: Bearer ${server.token('ingest')}\r\nContent-Length: 100000000000\r\n\r\n`);
  const [reply] = await c.wait(1);
  assert.equal(reply?.status ?? 413, 413);
  await c.waitClosed();
});

test('sends 100 Continue only for a body it wants', async () => {
  const head = (token) => 'POST /api/v1/snapshots HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n' +
    `Authorization: Bearer ${token}\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n`;
  const wanted = await server.raw();
  await wanted.send(head(server.token('ingest')));
  const bytes = () => wanted.bytes().toString();
  while (!bytes().includes('100 Continue') && !wanted.closed())
    await new Promise((resolve) => setImmediate(resolve));
  assert.match(bytes(), /^HTTP\/1.1 100 Continue/);
  wanted.close();
  const refused = await server.raw();
  await refused.send(head('nonsense'));
  const [reply] = await refused.wait(1);
  assert.equal(reply.status, 401);
  assert.doesNotMatch(refused.bytes().toString(), /100 Continue/);
  refused.close();
});
