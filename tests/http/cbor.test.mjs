// SPDX-License-Identifier: Apache-2.0
// Snapshots as CBOR and CBOR sequences, and replies as CBOR.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import zlib from 'node:zlib';
import { decode, encode } from './cbor.mjs';
import { snapshot, start } from './server.mjs';

let server;
before(async () => { server = await start(); });
after(() => server.stop());

const post = (body, type, headers = {}) => server.request('POST', '/api/v1/snapshots',
  { token: server.token('ingest'), headers: { 'content-type': type, ...headers }, body });
const CBOR = 'application/cbor';
const SEQUENCE = 'application/cbor-seq';
const ACCEPT = { accept: CBOR };

/** The poolmon table of a host as the API shows it. */
async function rows(host) {
  const reply = await server.request('GET', `/api/v1/hosts/${host}/tags?sort=tag&limit=100`, { token: server.token('viewer') });
  assert.equal(reply.status, 200, reply.body.toString());
  return reply.json().items.map(({ tag, pool, allocs, frees, bytes }) => ({ tag, pool, allocs, frees, bytes }));
}

for (const indefinite of [false, true])
  test(`one CBOR document of ${indefinite ? 'indefinite' : 'definite'} lengths is stored as its JSON would be`, async () => {
    const fields = { nonpaged: { tag: ['Ddk ', '\\x01abc', 'NtFC'], allocs: [10, 4294967295, 70000], frees: [5, 1, 300],
      bytes: [4096, 9007199254740991, 81920] }, paged: { tag: ['CM31'], allocs: [23], frees: [0], bytes: [24] } };
    const [one, two] = [snapshot(fields), snapshot(fields)];
    const reply = await post(encode(one, { indefinite }), CBOR);
    assert.equal(reply.status, 200, reply.body.toString());
    assert.equal(reply.headers['content-type'], 'application/json');
    assert.deepEqual(reply.json(), { accepted: 1, duplicates: 0, rejected: [] });
    assert.equal((await post(JSON.stringify(two), 'application/json')).status, 200);
    const stored = await rows(one.host.id);
    assert.equal(stored.length, 4);
    assert.deepEqual(stored, await rows(two.host.id));
    // A repeat in the other encoding is the same snapshot.
    assert.deepEqual((await post(JSON.stringify(one), 'application/json')).json(),
      { accepted: 0, duplicates: 1, rejected: [] });
  });

test('every part of the document is taken as CBOR, packed with gzip', async () => {
  const doc = snapshot({
    totals: { nonpaged_bytes: 86016, handles: 70000 },
    objects: { type: ['Thread'], objects: [7], handles: [9] },
    processes: [{ pid: 4, image: 'System', handles: 12 }],
    sessions: [{ id: 1, paged_bytes: 33, failures: 0 }],
    events: [{ at: '2026-01-01T00:00:01Z', provider: 'Srv', id: 2019 }],
    big_blocks: [{ tag: 'Ddk ', bytes: [8192], blocks: [3] }],
    agent: { version: '0.1.0', simulated: true, waiting: 0, dropped: 2 },
  });
  doc.host.drivers = [{ name: 'a.sys', version: '1.0', company: 'C', product: 'P', sha256: '0'.repeat(64),
    symbols: 'a.pdb/1', tags: ['Ddk '] }, { name: 'b.sys', tags: [] }];
  const reply = await post(zlib.gzipSync(encode(doc)), CBOR, { 'content-encoding': 'gzip' });
  assert.equal(reply.status, 200, reply.body.toString());
  const host = (await server.request('GET', `/api/v1/hosts/${doc.host.id}`, { token: server.token('viewer') })).json();
  assert.equal(host.totals.handles, 70000);
  assert.deepEqual(host.objects, [{ type: 'Thread', objects: 7, handles: 9 }]);
  assert.deepEqual(host.drivers.map((d) => d.name), ['a.sys', 'b.sys']);
});

test('a sequence: broken documents are refused by index, the others are stored', async () => {
  const good = [snapshot(), snapshot(), snapshot()];
  const body = Buffer.concat([encode(good[0]), encode({ format: 1 }), encode(good[1]), encode('no document'),
    encode(snapshot({ nonpaged: { tag: ['Aaaa', 'Aaaa'], bytes: [1, 2] } })), encode(good[2])]);
  const reply = await post(body, SEQUENCE);
  assert.equal(reply.status, 200, reply.body.toString());
  const { accepted, duplicates, rejected } = reply.json();
  assert.deepEqual([accepted, duplicates], [3, 0]);
  assert.deepEqual(rejected.map(({ index, type, field }) => [index, type.split(':').pop(), field]),
    [[1, 'invalid', 'taken_at'], [3, 'invalid', null], [4, 'invalid', 'nonpaged.tag[1]']]);
  assert.deepEqual((await post(body, SEQUENCE)).json().duplicates, 3);
});

test('a sequence that breaks: what stands before is stored, the rest is one refusal', async () => {
  const first = snapshot();
  for (const rest of [encode(snapshot()).subarray(0, -5), Buffer.from([0x1c, 0, 0, 0]), Buffer.from([0xff]),
    Buffer.from('9bffffffffffffffff01', 'hex')]) {
    const reply = await post(Buffer.concat([encode(first), rest]), SEQUENCE, ACCEPT);
    assert.equal(reply.status, 200);
    const { accepted, duplicates, rejected } = decode(reply.body);
    assert.equal(accepted + duplicates, 1);
    assert.deepEqual(rejected.map((r) => [r.index, r.type]), [[1, 'urn:poolfleet:problem:malformed']]);
    assert.match(rejected[0].detail, /^not valid CBOR at byte \d+: /);
  }
});

test('Accept: application/cbor gets the same reply as CBOR, for every kind of body', async () => {
  const bad = { ...snapshot(), base: 7 };
  for (const [type, body] of [['application/json', JSON.stringify(snapshot())], [CBOR, encode(snapshot())],
    ['application/x-ndjson', `${JSON.stringify(snapshot())}\n${JSON.stringify({ ...bad, sequence: 8 })}\n{}\n`],
    [SEQUENCE, Buffer.concat([encode(snapshot()), encode({ ...bad, sequence: 8 }), encode({})])]]) {
    const asCbor = await post(body, type, ACCEPT);
    const asJson = await post(body, type);
    assert.equal(asCbor.status, 200);
    assert.equal(asCbor.headers['content-type'], CBOR);
    assert.equal(asJson.headers['content-type'], 'application/json');
    const [cbor, json] = [decode(asCbor.body), asJson.json()];
    assert.deepEqual(Object.keys(cbor), ['accepted', 'duplicates', 'rejected']);
    assert.equal(cbor.accepted, 1);
    assert.equal(json.duplicates, 1); // it was sent before, for the other reply
    assert.deepEqual(cbor.rejected, json.rejected);
    for (const refusal of cbor.rejected) assert.deepEqual(Object.keys(refusal), ['index', 'type', 'detail', 'field']);
    assert.equal(cbor.rejected.length, type === 'application/x-ndjson' || type === SEQUENCE ? 2 : 0);
  }
});

const REFUSED = [
  ['cut off', encode(snapshot()).subarray(0, -1), 400, 'malformed', null],
  ['two documents', Buffer.concat([encode(snapshot()), encode(snapshot())]), 400, 'malformed', null],
  ['JSON under the name of CBOR', Buffer.from(JSON.stringify(snapshot())), 400, 'malformed', null],
  ['a member twice', Buffer.from('a266666f726d61740166666f726d617401', 'hex'), 400, 'malformed', 'format'],
  ['a text that is not UTF-8', encode({ format: 1, host: { name: Buffer.from('61ff', 'hex') } }), 400, 'malformed', 'host.name'],
  ['seventeen levels', Buffer.concat([Buffer.alloc(17, 0x81), Buffer.from([0])]), 400, 'malformed', null],
  ['a list of 2^64-1', Buffer.from('9bffffffffffffffff', 'hex'), 400, 'malformed', null],
  ['an unknown member', encode({ ...snapshot(), fromat: 1 }), 422, 'invalid', 'fromat'],
  ['a float', encode({ ...snapshot(), sequence: Buffer.from('f93c00', 'hex') }), 422, 'invalid', 'sequence'],
  ['a tagged time', encode({ ...snapshot(), boot_at: Buffer.concat([Buffer.from([0xc0]), encode('2026-01-01T00:00:00Z')]) }),
    422, 'invalid', 'boot_at'],
  ['too many rows', encode({ ...snapshot(), paged: { tag: Array(16385).fill('Aaaa') } }), 413, 'too_large', 'paged.tag'],
  ['a base that is not held', encode({ ...snapshot(), sequence: 9, base: 8 }), 409, 'conflict', undefined],
];
for (const [name, body, status, type, field] of REFUSED)
  test(`one document with ${name} is a problem, in JSON and in CBOR`, async () => {
    const json = await post(body, CBOR);
    assert.equal(json.status, status, json.body.toString());
    assert.equal(json.headers['content-type'], 'application/problem+json');
    const cbor = await post(body, CBOR, ACCEPT);
    assert.equal(cbor.status, status);
    assert.equal(cbor.headers['content-type'], CBOR);
    const problem = decode(cbor.body);
    assert.equal(problem.type, `urn:poolfleet:problem:${type}`);
    assert.equal(problem.status, status);
    assert.equal(problem.request_id, cbor.headers['x-request-id']);
    if (field !== undefined) assert.equal(problem.field, field);
    assert.deepEqual({ ...problem, request_id: '' }, { ...json.json(), request_id: '' });
  });

test('problems of the dispatcher follow Accept too; a browser keeps JSON', async () => {
  for (const [method, target, options, status] of [
    ['POST', '/api/v1/snapshots', { body: encode(snapshot()), headers: { 'content-type': CBOR, ...ACCEPT } }, 401],
    ['POST', '/api/v1/snapshots', { token: 'ingest', body: 'x', headers: { 'content-type': 'text/csv', ...ACCEPT } }, 415],
    ['GET', '/api/v1/nothing', { headers: ACCEPT }, 404],
    ['DELETE', '/api/v1/snapshots', { headers: ACCEPT }, 405]]) {
    const all = { ...options, token: options.token && server.token(options.token) };
    const reply = await server.request(method, target, all);
    assert.equal(reply.status, status);
    assert.equal(reply.headers['content-type'], CBOR, target);
    assert.equal(decode(reply.body).status, status);
    for (const accept of ['*/*', 'application/*', 'text/html,application/xhtml+xml,*/*;q=0.8', 'application/cbor;q=0.1, application/json']) {
      const other = await server.request(method, target, { ...all, headers: { ...all.headers, accept } });
      assert.equal(other.headers['content-type'], 'application/problem+json', accept);
    }
  }
});

test('an empty body and a body cut off inside gzip are refused as before', async () => {
  for (const type of [CBOR, SEQUENCE]) {
    assert.equal((await post('', type)).status, 400);
    assert.equal((await post(zlib.gzipSync(encode(snapshot())).subarray(0, -4), type,
      { 'content-encoding': 'gzip' })).status, 400);
  }
});
