// SPDX-License-Identifier: Apache-2.0
// Methods, types, encodings, caching and headers of every answer.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import zlib from 'node:zlib';
import { snapshot, start } from './server.mjs';

let server;
before(async () => { server = await start(); });
after(() => server.stop());

const JSON_TYPE = { 'content-type': 'application/json' };
const ingest = (body, headers = {}) => server.request('POST', '/api/v1/snapshots',
  { token: server.token('ingest'), headers: { ...JSON_TYPE, ...headers }, body });

function assertProblem(reply, status, name) {
  assert.equal(reply.status, status, reply.body.toString());
  assert.equal(reply.headers['content-type'], 'application/problem+json');
  const problem = reply.json();
  assert.deepEqual(Object.keys(problem),
    ['type', 'title', 'status', 'detail', 'field', 'hint', 'request_id']);
  assert.equal(problem.type, `urn:poolfleet:problem:${name}`);
  assert.equal(problem.status, status);
  assert.equal(problem.request_id, reply.headers['x-request-id']);
  return problem;
}

test('health, readiness and metrics answer on loopback without a token', async () => {
  assert.equal((await server.request('GET', '/healthz')).body.toString(), 'ok\n');
  assert.equal((await server.request('GET', '/readyz')).body.toString(), 'ready\n');
  const metrics = await server.request('GET', '/metrics');
  assert.equal(metrics.status, 200);
  assert.match(metrics.headers['content-type'], /^text\/plain; version=0\.0\.4/);
  const lines = metrics.body.toString().trimEnd().split('\n');
  for (const line of lines)
    assert.match(line, /^(# (HELP|TYPE) [a-z_]+ .+|[a-z_]+(\{[a-z]+="[^"\n]*"(,[a-z]+="[^"\n]*")*\})? [-+0-9.eE]+)$/);
  assert.ok(lines.some((l) => l.startsWith('poolfleet_http_requests_total{route="getHealth",code="2xx"}')));
  assert.ok(!metrics.body.includes('tag='), 'never a series per tag');
});

test('metrics want a token when a proxy asks for somebody', async () => {
  const headers = { 'x-forwarded-for': '192.0.2.7' };
  assertProblem(await server.request('GET', '/metrics', { headers }), 401, 'unauthorized');
  assertProblem(await server.request('GET', '/metrics', { headers, token: server.token('ingest') }),
    403, 'forbidden');
  assert.equal((await server.request('GET', '/metrics',
    { headers, token: server.token('viewer') })).status, 200);
});

test('every answer carries the safety headers', async () => {
  for (const target of ['/', '/healthz', '/api/v1/nothing', '/no/such.file']) {
    const { headers } = await server.request('GET', target);
    assert.equal(headers['content-security-policy'],
      "default-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
      "frame-ancestors 'none'; base-uri 'none'; form-action 'self'");
    assert.equal(headers['x-content-type-options'], 'nosniff');
    assert.equal(headers['referrer-policy'], 'no-referrer');
    assert.equal(headers['cross-origin-opener-policy'], 'same-origin');
    assert.match(headers['x-request-id'], /^[a-f0-9]{24}$/);
  }
});

test('a request id is echoed only when it is harmless', async () => {
  const echo = async (id) => (await server.request('GET', '/healthz',
    { headers: { 'x-request-id': id } })).headers['x-request-id'];
  assert.equal(await echo('Abc-123'), 'Abc-123');
  assert.equal(await echo('x'.repeat(64)), 'x'.repeat(64));
  for (const bad of ['x'.repeat(65), 'a b', 'a"b', '<script>', 'a_b'])
    assert.match(await echo(bad), /^[a-f0-9]{24}$/);
});

test('unknown paths are 404, known ones with another method 405 with Allow', async () => {
  assertProblem(await server.request('GET', '/api/v1/nothing'), 404, 'not_found');
  assertProblem(await server.request('GET', '/api'), 404, 'not_found');
  assertProblem(await server.request('POST', '/nothing'), 404, 'not_found');
  for (const method of ['PUT', 'TRACE', 'BREW']) {
    const reply = await server.raw();
    await reply.send(`${method} /healthz HTTP/1.1\r\nHost: a\r\n\r\n`);
    const [answer] = await reply.wait(1);
    assert.equal(answer.status, 405, method);
    assert.equal(answer.headers.allow, 'GET, HEAD, OPTIONS');
    reply.close();
  }
});

test('HEAD is GET without the body, OPTIONS tells what is allowed', async () => {
  const get = await server.request('GET', '/healthz');
  const head = await server.request('HEAD', '/healthz');
  assert.equal(head.status, 200);
  assert.equal(head.body.length, 0);
  assert.equal(head.headers['content-length'], get.headers['content-length']);
  assert.equal(head.headers.etag, get.headers.etag);
  const options = await server.request('OPTIONS', '/api/v1/snapshots');
  assert.equal(options.status, 204);
  assert.equal(options.headers.allow, 'POST, OPTIONS');
});

test('a bad path or query is 400, an unknown target form too', async () => {
  for (const target of ['/api/v1/hosts/%zz', '/api/v1/hosts/%00', '/api/v1/hosts/%ff',
    '/healthz?a=%', '/healthz?a=%c3%28', `/healthz?${'a=1&'.repeat(40)}`]) {
    const reply = await server.request('GET', target);
    assert.ok(reply.status === 400 || (target.includes('/hosts/') && reply.status === 404),
      `${target}: ${reply.status}`);
  }
  const c = await server.raw();
  await c.send('GET http://a/healthz HTTP/1.1\r\nHost: a\r\n\r\n');
  assert.equal((await c.wait(1))[0].status, 200);
  c.close();
});

test('the body is checked by length, type and encoding before it is read', async () => {
  assertProblem(await ingest('{}', { 'content-type': 'text/plain' }), 415, 'unsupported');
  assertProblem(await ingest('{}', { 'content-type': 'application/json; charset=latin1' }), 415, 'unsupported');
  assertProblem(await ingest('{}', { 'content-encoding': 'br' }), 415, 'unsupported');
  assertProblem(await ingest('{}', { 'content-encoding': 'gzip, gzip' }), 415, 'unsupported');
  assertProblem(await ingest('x'.repeat((8 << 20) + 1)), 413, 'too_large');
  assertProblem(await server.request('GET', '/healthz', { body: 'x' }), 413, 'too_large');
  assertProblem(await ingest(''), 400, 'malformed');
});

test('gzip bodies: good, in two members, cut, spoiled, with a tail, and a bomb', async () => {
  const gzip = { 'content-encoding': 'gzip' };
  const one = zlib.gzipSync(JSON.stringify(snapshot()));
  assert.equal((await ingest(one, gzip)).status, 200);
  const text = Buffer.from(JSON.stringify(snapshot()));
  const two = Buffer.concat([zlib.gzipSync(text.subarray(0, 50)), zlib.gzipSync(text.subarray(50))]);
  assert.equal((await ingest(two, gzip)).status, 200);
  assertProblem(await ingest(one.subarray(0, one.length - 5), gzip), 400, 'malformed');
  assertProblem(await ingest(Buffer.concat([one, Buffer.from('tail')]), gzip), 400, 'malformed');
  assertProblem(await ingest(text, gzip), 400, 'malformed');
  assertProblem(await ingest(zlib.gzipSync(Buffer.alloc(64 << 20, 0x20)), gzip), 413, 'too_large');
  const nested = zlib.gzipSync(zlib.gzipSync(text));
  assert.equal((await ingest(nested, gzip)).status, 400, 'decoded once, then no JSON');
});

test('a large chunked body is refused with 413', async () => {
  const c = await server.raw();
  await c.send('POST /api/v1/snapshots HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n' +
    `Authorization: Bearer ${server.token('ingest')}\r\nTransfer-Encoding: chunked\r\n\r\n`);
  const piece = `100000\r\n${' '.repeat(1 << 20)}\r\n`;
  for (let i = 0; i < 9; i += 1) await c.send(piece);
  await c.send('0\r\n\r\n');
  const [reply] = await c.wait(1);
  assert.equal(reply.status, 413);
  c.close();
});

test('NDJSON: good documents are kept, bad ones are named', async () => {
  const body = `${JSON.stringify(snapshot())}\n{"format":1}\n${JSON.stringify(snapshot())}\nnot json\n`;
  const reply = await ingest(body, { 'content-type': 'application/x-ndjson' });
  assert.equal(reply.status, 200, reply.body.toString());
  const answer = reply.json();
  assert.equal(answer.duplicates, 0);
  assert.equal(answer.accepted, 2);
  assert.deepEqual(answer.rejected.map((r) => r.index), [1, 3]);
  assert.deepEqual(Object.keys(answer.rejected[0]), ['index', 'type', 'detail', 'field']);
});

test('a document sent again is a duplicate', async () => {
  const body = JSON.stringify(snapshot());
  assert.deepEqual((await ingest(body)).json(), { accepted: 1, duplicates: 0, rejected: [] });
  assert.deepEqual((await ingest(body)).json(), { accepted: 0, duplicates: 1, rejected: [] });
});

test('one bad document is a problem with the path of its fault', async () => {
  const bad = snapshot();
  bad.nonpaged.bytes[1] = -1;
  const problem = assertProblem(await ingest(JSON.stringify(bad)), 422, 'invalid');
  assert.equal(problem.field, 'nonpaged.bytes[1]');
  assertProblem(await ingest('{'), 400, 'malformed');
});

test('a base that is not held is a conflict', async () => {
  assertProblem(await ingest(JSON.stringify(snapshot({ sequence: 5000, base: 4999 }))), 409, 'conflict');
});

test('GET answers have an ETag and become 304', async () => {
  const first = await server.request('GET', '/');
  assert.match(first.headers.etag, /^"[0-9a-f]{32}"$/);
  assert.match(first.headers['cache-control'], /must-revalidate/);
  for (const tag of [first.headers.etag, `W/${first.headers.etag}`, `"x", ${first.headers.etag}`, '*']) {
    const again = await server.request('GET', '/', { headers: { 'if-none-match': tag } });
    assert.equal(again.status, 304, tag);
    assert.equal(again.body.length, 0);
  }
  assert.equal((await server.request('GET', '/', { headers: { 'if-none-match': '"x"' } })).status, 200);
});

test('large answers are packed when the client can unpack them', async () => {
  const headers = { 'accept-encoding': 'gzip' };
  const plain = await server.request('GET', '/metrics');
  const packed = await server.request('GET', '/metrics', { headers });
  assert.equal(plain.headers['content-encoding'], undefined);
  assert.ok(plain.body.length > 1024);
  assert.equal(packed.headers['content-encoding'], 'gzip');
  assert.match(packed.headers.vary, /Accept-Encoding/);
  assert.match(zlib.gunzipSync(packed.body).toString(), /poolfleet_build_info/);
  const refused = await server.request('GET', '/metrics', { headers: { 'accept-encoding': 'gzip;q=0' } });
  assert.equal(refused.headers['content-encoding'], undefined);
});

test('views of the page are index.html, files are not', async () => {
  const page = await server.request('GET', '/');
  assert.match(page.headers['content-type'], /^text\/html/);
  const view = await server.request('GET', '/hosts/a%20b', { headers: { accept: 'text/html,*/*;q=0.8' } });
  assert.equal(view.status, 200);
  assert.ok(view.body.equals(page.body));
  assert.equal((await server.request('GET', '/hosts/x')).status, 404, 'no HTML asked for');
  for (const target of ['/missing.js', '/../etc/passwd', '/%2e%2e/%2e%2e/etc/passwd', '/.git/config',
    '/..%2f..%2fetc%2fpasswd', '//etc/passwd'])
    assert.equal((await server.request('GET', target, { headers: { accept: 'text/html' } })).status, 404, target);
});
