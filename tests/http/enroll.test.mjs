// SPDX-License-Identifier: Apache-2.0
// How an agent becomes a host: enroll secrets by the verb, the call in JSON and CBOR, rotation,
// cooldown, an identity got back, and everything that must be refused.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { after, before, test } from 'node:test';
import { DATABASE, PROGRAM, snapshot, start, until } from './server.mjs';

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
const TOKEN = /^pft_[A-Za-z0-9_-]{43}$/;
const SECRET = /^pfe_[A-Za-z0-9_-]{43}$/;

let server;
before(async () => { server = await start('--agent-interval', '90s'); });
after(() => server.stop());

function verb(...args) {
  const done = spawnSync(PROGRAM, ['enroll-secret', ...args, '--database-url', DATABASE], { encoding: 'utf8' });
  assert.doesNotMatch(done.stderr, /Sanitizer|runtime error/);
  return { code: done.status, out: done.stdout.trim(), error: done.stderr.trim() };
}
/** A secret of its own name; {name, secret}. */
function secretOf(...flags) {
  const name = `test ${randomUUID()}`;
  const made = verb('create', '--name', name, ...flags);
  assert.equal(made.code, 0, made.error);
  assert.match(made.out, SECRET, 'the secret alone');
  return { name, secret: made.out };
}
const listed = (name) => JSON.parse(verb('list', '--json').out).find((item) => item.name === name);

const facts = (fields = {}) => ({ host: { name: 'FS01', attributes: { 'os.arch': 'x64' } }, machine_id: randomUUID(),
  boot_at: '2026-11-20T06:12:09Z', agent: { version: '0.1.0' }, ...fields });
function enroll(secret, body, { headers = {}, on = server } = {}) {
  return on.request('POST', '/api/v1/agent/enroll', { token: secret,
    headers: { 'content-type': 'application/json', ...headers },
    body: typeof body === 'string' || Buffer.isBuffer(body) ? body : JSON.stringify(body) });
}
async function enrolled(secret, body, options) {
  const reply = await enroll(secret, body, options);
  assert.equal(reply.status, 200, reply.body.toString());
  return reply.json();
}
const post = (token, document, on = server) => on.request('POST', '/api/v1/agent/snapshots', { token,
  headers: { 'content-type': 'application/json' }, body: JSON.stringify(document) });
function refused(reply, status, name) {
  assert.equal(reply.status, status, reply.body.toString());
  assert.equal(reply.headers['content-type'], 'application/problem+json');
  assert.equal(reply.json().type, `urn:poolfleet:problem:${name}`, reply.body.toString());
}

/** Enough of CBOR (RFC 8949) for these documents: text, maps, small numbers. */
function encode(value) {
  const head = (major, n) => (n < 24 ? Buffer.from([major << 5 | n]) : n < 256 ? Buffer.from([major << 5 | 24, n]) :
    Buffer.from([major << 5 | 25, n >> 8, n & 255]));
  if (typeof value === 'number') return head(0, value);
  if (typeof value === 'string') return Buffer.concat([head(3, Buffer.byteLength(value)), Buffer.from(value)]);
  const items = Object.entries(value);
  return Buffer.concat([head(5, items.length), ...items.flatMap(([k, v]) => [encode(k), encode(v)])]);
}
function decode(bytes) {
  let at = 0;
  const number = (info) => {
    if (info < 24) return info;
    const size = 1 << (info - 24);
    at += size;
    return bytes.readUIntBE(at - size, size);
  };
  const item = () => {
    const first = bytes[at++];
    const [major, info] = [first >> 5, first & 31];
    if (major === 0) return number(info);
    if (major === 3) { const n = number(info); at += n; return bytes.toString('utf8', at - n, at); }
    if (first === 0xf6) return null;
    assert.equal(major, 5, `major type ${major}`);
    const out = {};
    if (info === 31) for (; bytes[at] !== 0xff;) out[item()] = item();
    else for (let n = number(info); n > 0; n -= 1) out[item()] = item();
    at += info === 31;
    return out;
  };
  const value = item();
  assert.equal(at, bytes.length);
  return value;
}

test('the verb makes, lists and revokes secrets', () => {
  const { name } = secretOf('--expires', '90d', '--max-uses', '3');
  const item = listed(name);
  assert.deepEqual({ ...item, id: 0, created_at: '', expires_at: '' }, { id: 0, name, state: 'active', uses: 0,
    max_uses: 3, created_at: '', last_used_at: null, expires_at: '', revoked_at: null });
  assert.ok(Math.abs(Date.parse(item.expires_at) - Date.now() - 90 * 86400e3) < 3600e3);
  const table = verb('list');
  assert.equal(table.code, 0);
  assert.match(table.out, /^id +name +state +uses +created +last used +expires\n/);
  assert.match(table.out, new RegExp(`${name} +active +0 of 3 `));
  assert.doesNotMatch(table.out + JSON.stringify(item), /pfe_/);
  const again = verb('create', '--name', name);
  assert.equal(again.code, 1);
  assert.match(again.error, /is there and not revoked\nhint: /);
  assert.equal(verb('revoke', name).code, 0);
  assert.equal(listed(name).state, 'revoked');
  assert.equal(verb('revoke', String(item.id)).code, 1, 'it is revoked already');
  const byId = secretOf();
  assert.equal(verb('revoke', String(listed(byId.name).id)).code, 0);
});

const WRONG = [
  [['create'], /needs --name NAME/], [['create', '--name', ''], /1 to 256 bytes/],
  [['create', '--name', '7'], /digits only/], [['create', '--name', 'a', '--expires', 'soon'], /--expires "soon": a duration/],
  [['create', '--name', 'a', '--expires', '0'], /--expires/], [['create', '--name', 'a', '--expires', '99999999d'], /--expires/],
  [['create', '--name', 'a', '--max-uses', '0'], /--max-uses "0": a number/],
  [['create', '--name', 'a', '--max-uses', '-1'], /--max-uses/], [['create', '--name', 'a', '--max-uses', '2x'], /--max-uses/],
  [['create', '--name', 'a', '--max-uses', '99999999999999999999'], /--max-uses/],
  [['create', '--name', 'a', 'b'], /unexpected argument "b"/], [['create', '--name', 'a', '--no'], /unknown option "--no"/],
  [['revoke'], /name or id/], [['revoke', `pfe_${'A'.repeat(43)}`], /not the secret/],
  [['list', 'x'], /unexpected argument/], [[], /create, list, revoke/], [['drop'], /create, list, revoke/],
];
for (const [args, message] of WRONG)
  test(`enroll-secret ${args.join(' ')} is wrong usage`, () => {
    const done = verb(...args);
    assert.equal(done.code, 2, done.error);
    assert.match(done.error, message);
    assert.equal(done.out, '');
  });

test('an agent enrolls, shows as waiting, posts with its token, and shows as any other host', async () => {
  const { name, secret } = secretOf();
  const got = await enrolled(secret, facts());
  assert.deepEqual(Object.keys(got), ['host_id', 'token', 'config']);
  assert.match(got.host_id, UUID);
  assert.match(got.token, TOKEN);
  assert.deepEqual(got.config, { interval_seconds: 90 });
  assert.equal(listed(name).uses, 1);
  assert.ok(listed(name).last_used_at);
  const viewer = server.token('viewer');
  const see = (target) => server.request('GET', target, { token: viewer });
  const host = async () => (await see(`/api/v1/hosts/${got.host_id}`)).json();
  const item = async () => (await see('/api/v1/hosts?limit=1000')).json().items.find((h) => h.id === got.host_id);
  for (const one of [await host(), await item()]) {
    assert.equal(one.name, 'FS01');
    assert.equal(one.awaiting_first_snapshot, true, 'nothing received yet');
    assert.equal(one.last_seen, null);
  }
  const document = snapshot({ host: { name: 'FS01' } });
  const reply = await post(got.token, document);
  assert.equal(reply.status, 200, reply.body.toString());
  assert.equal(reply.json().accepted, 1);
  for (const one of [await host(), await item()]) {
    assert.equal(one.name, 'FS01');
    assert.equal(one.awaiting_first_snapshot, false);
    assert.ok(one.last_seen);
  }
});

test('a restarted server knows an enrolled host that never reported', async () => {
  const { secret } = secretOf();
  const got = await enrolled(secret, facts());
  const other = await start();
  try {
    assert.equal((await post(got.token, snapshot({ host: {} }), other)).status, 200);
    const viewer = other.token('viewer');
    for (const target of ['/api/v1/overview', '/api/v1/hosts', `/api/v1/hosts/${got.host_id}`])
      assert.equal((await other.request('GET', target, { token: viewer })).status, 200, target);
  } finally {
    await other.stop();
  }
});

test('CBOR in, CBOR out, and either with the other', async () => {
  const { secret } = secretOf();
  const cbor = { 'content-type': 'application/cbor' };
  const accept = { accept: 'application/cbor' };
  const reply = await enroll(secret, encode(facts()), { headers: { ...cbor, ...accept } });
  assert.equal(reply.status, 200, reply.body.toString());
  assert.equal(reply.headers['content-type'], 'application/cbor');
  const got = decode(reply.body);
  assert.match(got.host_id, UUID);
  assert.match(got.token, TOKEN);
  assert.deepEqual(got.config, { interval_seconds: 90 });
  assert.match((await enrolled(secret, encode(facts()), { headers: cbor })).token, TOKEN);
  assert.match(decode((await enroll(secret, facts(), { headers: accept })).body).token, TOKEN);
  const problem = await enroll(`pfe_${'A'.repeat(43)}`, encode(facts()), { headers: { ...cbor, ...accept } });
  assert.equal(problem.status, 401);
  assert.equal(decode(problem.body).type, 'urn:poolfleet:problem:enroll_refused');
});

test('a gzip body is taken', async () => {
  const { gzipSync } = await import('node:zlib');
  const { secret } = secretOf();
  await enrolled(secret, gzipSync(JSON.stringify(facts())), { headers: { 'content-encoding': 'gzip' } });
});

test('the least body is enough, and empty texts say nothing', async () => {
  const { secret } = secretOf();
  await enrolled(secret, { host: {}, machine_id: randomUUID() });
  await enrolled(secret, { host: { name: '' }, machine_id: randomUUID(), agent: {}, boot_at: '', previous_host_id: '', previous_token: '' });
});

/** [what, body, status, field] */
const BODIES = [
  ['no body', '', 400], ['half a body', '{"host":', 400], ['a name twice', '{"host":{},"host":{}}', 400],
  ['a NUL', '{"host":{"name":"a\\u0000b"}}', 400], ['a list', '[]', 422], ['no host', '{}', 422, 'host'],
  ['a host that is no map', '{"host":1}', 422, 'host'], ['an unknown field', '{"host":{},"x":1}', 422, 'x'],
  ['an unknown field of the host', '{"host":{"x":1}}', 422, 'host'],
  ['an unknown field of the agent', '{"host":{},"agent":{"x":1}}', 422, 'agent'],
  ['a name that is a number', '{"host":{"name":7}}', 422, 'host.name'],
  ['a name with a line end', '{"host":{"name":"a\\nb"}}', 422, 'host.name'],
  ['a long name', JSON.stringify({ host: { name: 'x'.repeat(257) } }), 413, 'host.name'],
  ['attributes that are a list', '{"host":{"attributes":[]}}', 422, 'host.attributes'],
  ['an attribute that is a number', '{"host":{"attributes":{"a":1}}}', 422, 'host.attributes'],
  ['an attribute without a name', '{"host":{"attributes":{"":"a"}}}', 422, 'host.attributes'],
  ['too many attributes', JSON.stringify({ host: { attributes: Object.fromEntries(
    Array.from({ length: 257 }, (_, i) => [`a${i}`, 'x'])) } }), 413, 'host.attributes'],
  ['a time that is none', '{"host":{},"boot_at":"yesterday"}', 422, 'boot_at'],
  ['a host id with a slash', '{"host":{},"previous_host_id":"a/b"}', 422, 'previous_host_id'],
  ['a null', '{"host":{},"machine_id":null}', 422, 'machine_id'],
  ['a body over the limit', `{"host":{"name":"${'x'.repeat(300000)}"}}`, 413],
  ['CBOR cut off', encode({ host: { name: 'FS01' } }).subarray(0, 8), 400],
  ['CBOR with something behind it', Buffer.concat([encode({ host: {} }), encode('x')]), 400],
  ['CBOR with a name twice', Buffer.from('a264686f7374a064686f7374a0', 'hex'), 400],
  ['CBOR that is a number', encode(7), 422],
  ['CBOR with bad UTF-8', Buffer.from('a164686f7374a1646e616d6561ff', 'hex'), 400],
  ['CBOR with a number for a name', encode({ host: { name: 7 } }), 422, 'host.name'],
  ['CBOR nested without end', Buffer.alloc(5000, Buffer.from('a16161', 'hex')), 400],
  ['CBOR that promises 2^32 pairs', Buffer.from('ba ff ff ff ff'.replace(/ /g, ''), 'hex'), 400],
];
test('a broken body is refused with its fault, and no use is counted', async () => {
  const { name, secret } = secretOf();
  for (const [what, body, status, field] of BODIES) {
    const type = Buffer.isBuffer(body) ? 'application/cbor' : 'application/json';
    const reply = await enroll(secret, body, { headers: { 'content-type': type } });
    assert.equal(reply.status, status, `${what}: ${reply.body}`);
    if (field) assert.equal(reply.json().field, field, `${what}: ${reply.body}`);
  }
  refused(await enroll(secret, '{"host":{}}', { headers: { 'content-type': 'text/plain' } }), 415, 'unsupported');
  assert.equal(listed(name).uses, 0);
});

test('rotation: a new secret beside the old one, then the old one is revoked', async () => {
  const old = secretOf();
  const [first, fresh] = [await enrolled(old.secret, facts()), secretOf()];
  await enrolled(fresh.secret, facts());
  await enrolled(old.secret, facts());
  assert.equal(verb('revoke', old.name).code, 0);
  // The secret's own state decides, not what is remembered of it: no second of grace.
  refused(await enroll(old.secret, facts()), 401, 'enroll_refused');
  await enrolled(fresh.secret, facts());
  assert.equal((await post(first.token, snapshot({ host: {} }))).status, 200, 'its hosts stay');
  assert.equal(listed(old.name).uses, 2);
});

test('every bad secret gets the same answer; the log says why', async () => {
  const own = await start();
  try {
    const gone = secretOf();
    const once = secretOf('--max-uses', '1');
    verb('revoke', gone.name);
    await enrolled(once.secret, facts(), { on: own });
    const replies = [];
    for (const secret of [gone.secret, once.secret, `pfe_${'A'.repeat(43)}`, 'nonsense', `pft_${'A'.repeat(43)}`])
      replies.push(await enroll(secret, facts(), { on: own }));
    for (const reply of replies) {
      refused(reply, 401, 'enroll_refused');
      assert.equal(reply.headers['www-authenticate'], 'Bearer');
      assert.equal(reply.json().detail, 'the enroll secret is not valid');
    }
    await until(() => own.log().split('\n').filter((line) => line.includes('enrolment refused')).length === 5, 'the log');
    assert.match(own.log(), new RegExp(`enrolment refused .*${gone.name}.* is revoked`));
    assert.match(own.log(), /enrolment refused .*revoked, expired or used up|is used up/);
    assert.match(own.log(), /enrolment refused .*unknown/);
    assert.doesNotMatch(own.log(), /pf[et]_/, 'no secret in the log');
    refused(await own.request('POST', '/api/v1/agent/enroll', { headers: { 'content-type': 'application/json' }, body: '{}' }),
      401, 'unauthorized');
  } finally {
    await own.stop();
  }
});

test('an enroll secret opens one route, and no token opens that', async () => {
  const { secret } = secretOf();
  for (const [method, target] of [['GET', '/api/v1/hosts'], ['POST', '/api/v1/snapshots'], ['POST', '/api/v1/agent/snapshots'], ['PATCH', '/api/v1/findings/f-1']])
    assert.equal((await server.request(method, target, { token: secret })).status, 403, target);
  const signIn = await server.request('POST', '/api/v1/session', { headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ token: secret }) });
  assert.equal(signIn.status, 403);
  assert.equal(signIn.headers['set-cookie'], undefined);
  const got = await enrolled(secret, facts());
  for (const token of [server.token('admin'), server.token('ingest'), got.token])
    refused(await enroll(token, facts()), 403, 'forbidden');
});

test('one host\'s token writes that host only', async () => {
  const { secret } = secretOf();
  const [one, other] = [await enrolled(secret, facts()), await enrolled(secret, facts())];
  assert.equal((await post(one.token, snapshot({ host: { id: one.host_id } }))).status, 200);
  assert.equal((await post(one.token, snapshot({ host: { id: other.host_id } }))).status, 403);
});

test('the same machine has to wait before it enrolls again, and that costs no use', async () => {
  const own = await start('--enroll-cooldown', '50s');
  try {
    const { name, secret } = secretOf();
    const body = facts();
    await enrolled(secret, body, { on: own });
    const reply = await enroll(secret, body, { on: own });
    refused(reply, 429, 'enroll_cooldown');
    const seconds = Number(reply.headers['retry-after']);
    assert.ok(seconds > 20 && seconds <= 50, String(seconds));
    await enrolled(secret, facts(), { on: own });
    assert.equal(listed(name).uses, 2);
    const nameless = { host: { name: `N${randomUUID()}` } };
    await enrolled(secret, nameless, { on: own });
    refused(await enroll(secret, nameless, { on: own }), 429, 'enroll_cooldown');
  } finally {
    await own.stop();
  }
});

test('a machine that enrolls many times at once becomes one host', async () => {
  const { name, secret } = secretOf();
  const body = facts();
  const replies = await Promise.all(Array.from({ length: 12 }, () => enroll(secret, body)));
  const codes = replies.map((r) => r.status).sort();
  assert.deepEqual(codes, [200, ...Array(11).fill(429)]);
  assert.equal(listed(name).uses, 1);
});

test('many machines at once use a secret up exactly', async () => {
  const { name, secret } = secretOf('--max-uses', '5');
  const replies = await Promise.all(Array.from({ length: 12 }, () => enroll(secret, facts())));
  assert.deepEqual(replies.map((r) => r.status).sort(), [...Array(5).fill(200), ...Array(7).fill(401)]);
  const hosts = new Set(replies.filter((r) => r.status === 200).map((r) => r.json().host_id));
  assert.equal(hosts.size, 5);
  assert.equal(listed(name).state, 'used up');
});

test('an identity is got back by its token and by nothing else', async () => {
  const own = await start('--enroll-cooldown', '0');
  try {
    const { secret } = secretOf();
    const body = facts();
    const first = await enrolled(secret, body, { on: own });
    assert.equal((await post(first.token, snapshot({ host: {} }), own)).status, 200);
    const again = (fields) => enrolled(secret, { ...body, previous_host_id: first.host_id, previous_token: first.token, ...fields }, { on: own });
    assert.notEqual((await again({ previous_token: `pft_${'A'.repeat(43)}` })).host_id, first.host_id);
    assert.notEqual((await again({ previous_token: 'short' })).host_id, first.host_id);
    assert.notEqual((await again({ machine_id: randomUUID() })).host_id, first.host_id);
    assert.equal((await post(first.token, snapshot({ host: {} }), own)).status, 200, 'others do not disturb it');
    const second = await again({});
    assert.equal(second.host_id, first.host_id);
    assert.notEqual(second.token, first.token);
    assert.equal((await post(second.token, snapshot({ host: {} }), own)).status, 200);
    await until(async () => (await post(first.token, snapshot({ host: {} }), own)).status === 401, 'the old token to die', 9000);
  } finally {
    await own.stop();
  }
});

test('an address that tries secrets has to wait, a fleet with the right one does not', async () => {
  const own = await start();
  try {
    const { secret } = secretOf();
    await enrolled(secret, facts(), { on: own });
    const replies = [];
    for (let i = 0; i < 30; i += 1)
      replies.push(await enroll(`pfe_${String(i).padStart(43, 'A')}`, facts(), { on: own }));
    assert.ok(replies.filter((r) => r.status === 429).length >= 5);
    assert.ok(replies.every((r) => r.status === 401 || r.status === 429));
    refused(replies.at(-1), 429, 'too_many_attempts');
    await enrolled(secret, facts(), { on: own });
  } finally {
    await own.stop();
  }
});
