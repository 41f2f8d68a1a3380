// SPDX-License-Identifier: Apache-2.0
// schema/openapi.yaml against the route table, both ways, and live replies against its schemas.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { after, before, test } from 'node:test';
import { makeFleet, post } from './fleet.mjs';
import { routes, start, until } from './server.mjs';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');
if (!fs.existsSync(path.join(root, 'tests/node_modules/ajv')))
  execFileSync('scripts/npm_ci.sh', ['tests'], { cwd: root, stdio: 'inherit' });
const { parse } = await import('yaml');
const { default: Ajv } = await import('ajv/dist/2020.js');
const { default: addFormats } = await import('ajv-formats');

const api = parse(fs.readFileSync(path.join(root, 'schema/openapi.yaml'), 'utf8'));
const table = routes();
const operations = Object.entries(api.paths).flatMap(([pattern, methods]) =>
  Object.entries(methods).map(([method, operation]) => ({ ...operation, pattern,
    method: method.toUpperCase() })));
const plain = (type) => type.replace(/;.*/, '').trim();

const ajv = new Ajv.default({ strict: false, allErrors: true });
addFormats.default(ajv);
ajv.addSchema({ $id: 'api', components: api.components });

function deref(thing) {
  if (!thing?.$ref) return thing;
  return thing.$ref.slice(2).split('/').reduce((at, name) => at[name], api);
}

/** References into this document become references into the schema that ajv holds. */
function localize(schema) {
  return JSON.parse(JSON.stringify(schema).replaceAll('"#/components/', '"api#/components/'));
}

function check(schema, value, what) {
  const validate = ajv.compile(localize(schema));
  assert.ok(validate(value), `${what}: ${JSON.stringify(validate.errors?.slice(0, 5), null, 1)}\n` +
    JSON.stringify(value).slice(0, 500));
}

test('the document and the route table name the same operations', () => {
  const name = (o) => `${o.method} ${o.pattern} ${o.operationId ?? o.operation}`;
  assert.deepEqual(operations.map(name).sort(), table.map(name).sort());
});

test('roles, body and reply types agree with the route table', () => {
  for (const row of table) {
    const operation = operations.find((o) => o.operationId === row.operation);
    assert.equal(operation['x-role'], row.role, row.operation);
    assert.deepEqual(Object.keys(operation.requestBody?.content ?? {}).map(plain).sort(),
      row.body.map(plain).sort(), `${row.operation}: body`);
    const ok = Object.entries(operation.responses).find(([code]) => code.startsWith('2'));
    if (ok[0] !== '204')
      assert.deepEqual(Object.keys(ok[1].content).map(plain).sort(), row.reply.map(plain).sort(),
        `${row.operation}: reply`);
  }
});

test('path parameters of the document are those of the path', () => {
  for (const operation of operations) {
    const inPath = [...operation.pattern.matchAll(/\{(\w+)\}/g)].map((m) => m[1]);
    const declared = (operation.parameters ?? []).map(deref).filter((p) => p.in === 'path');
    assert.deepEqual(declared.map((p) => p.name), inPath, operation.operationId);
    assert.ok(declared.every((p) => p.required), operation.operationId);
  }
});

test('every example fits its own schema', () => {
  let count = 0;
  for (const operation of operations)
    for (const content of Object.values(operation.requestBody?.content ?? {}))
      if (content.example) {
        check(content.schema, content.example, operation.operationId);
        count++;
      }
  assert.ok(count >= 2);
});

let server;
let fleet;
let finding;
let user;
let target;
let mute;
before(async () => {
  server = await start('--analyze-interval', '2s');
  const reply = await server.request('POST', '/api/v1/users', { token: server.token('admin'),
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ name: `openapi ${Date.now()}`, role: 'viewer' }) });
  user = reply.json();
  fleet = makeFleet();
  await post(server, fleet.documents);
  finding = await until(async () => {
    const reply = await server.request('GET', `/api/v1/findings?host=${fleet.leaky.id}`,
      { token: server.token('viewer') });
    return reply.status === 200 && reply.json().items[0];
  }, 'a finding', 60000);
  const made = await server.request('POST', '/api/v1/notify-targets', { token: server.token('admin'),
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ name: `openapi ${fleet.leaky.id}`, kind: 'slack', address: 'https://hooks.example.com/x', enabled: false }) });
  target = made.json().id;
  mute = (await server.request('POST', '/api/v1/mutes', { token: server.token('operator'),
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ driver: 'openapi-none.sys', reason: 'openapi' }) })).json().id;
});
after(async () => {
  await server.request('DELETE', `/api/v1/notify-targets/${target}`, { token: server.token('admin') });
  await server.request('DELETE', `/api/v1/mutes/${mute}`, { token: server.token('admin') });
  await server.stop();
});

/** Values for the path of each operation. */
const values = () => ({ host_id: fleet.leaky.id, tag: 'Leak', finding_id: finding.id, target_id: target,
  name: 'apitest.sys', user_id: user.id, mute_id: mute });
const fill = (pattern) => pattern.replace(/\{(\w+)\}/g, (_, name) => encodeURIComponent(values()[name]));

function schemaOf(operation, status, type) {
  const response = deref(operation.responses[status] ?? operation.responses.default);
  return response.content?.[type]?.schema;
}

async function validated(operation, target, options = {}) {
  const reply = await server.request(operation.method, target,
    { token: server.token('admin'), ...options });
  const type = plain(reply.headers['content-type'] ?? '');
  const schema = schemaOf(operation, String(reply.status), type);
  assert.ok(schema, `${operation.operationId}: ${reply.status} ${type} is not in the document`);
  check(schema, /json$/.test(type) && type !== 'application/x-ndjson' ? reply.json()
    : reply.body.toString(), `${operation.operationId} ${target}`);
  return reply;
}

const gets = operations.filter((o) => o.method === 'GET');

for (const operation of gets) {
  test(`GET ${operation.pattern} answers as its schema says`, async () => {
    const target = fill(operation.pattern);
    const reply = await validated(operation, target);
    assert.equal(reply.status, 200, reply.body.toString());
    for (const parameter of (operation.parameters ?? []).map(deref)) {
      const value = parameter.example ?? parameter.schema.default ?? parameter.schema.enum?.[0];
      if (parameter.in !== 'query' || value === undefined) continue;
      const more = await validated(operation, `${target}?${parameter.name}=${encodeURIComponent(value)}`);
      assert.equal(more.status, 200, `${parameter.name}=${value}: ${more.body}`);
    }
  });

  test(`GET ${operation.pattern} refuses what the document does not name`, async () => {
    if (operation['x-role'] === 'none') return;
    const reply = await validated(operation, `${fill(operation.pattern)}?no_such=1`);
    assert.equal(reply.status, 422);
    assert.equal(reply.json().field, 'no_such');
  });
}

test('GET of unknown hosts, tags, findings and drivers is 404', async () => {
  const unknown = { host_id: 'nobody', tag: '%5Cx02%5Cx03%5Cx04%5Cx05', finding_id: 'f-none', name: 'no.sys',
    user_id: '999999999', mute_id: '999999999' };
  for (const operation of gets.filter((o) => o.pattern.includes('{'))) {
    const names = [...operation.pattern.matchAll(/\{(\w+)\}/g)].map((m) => m[1]);
    const target = operation.pattern.replace(/\{(\w+)\}/g, (_, name) =>
      name === names[0] ? unknown[name] : encodeURIComponent(values()[name]));
    const reply = await validated(operation, target);
    assert.equal(reply.status, 404, `${target}: ${reply.body}`);
  }
});

test('every query parameter in the document is taken by the server', async () => {
  const sample = { at: new Date(fleet.end).toISOString(), since: new Date(fleet.end - 7200e3).toISOString(),
    from: new Date(fleet.end - 7200e3).toISOString(), to: new Date(fleet.end).toISOString(), limit: '5',
    q: 'e', 'os.build': '26100.4061', role: 'api-test', status: 'open', severity: 'critical',
    kind: 'leak', tag: 'Leak', host: 'x', points: '10' };
  for (const operation of gets)
    for (const parameter of (operation.parameters ?? []).map(deref)) {
      const value = parameter.schema?.enum?.[0] ?? sample[parameter.name];
      if (parameter.in !== 'query' || !value) continue;
      const reply = await validated(operation,
        `${fill(operation.pattern)}?${parameter.name}=${encodeURIComponent(value)}`);
      assert.equal(reply.status, 200, `${operation.operationId} ${parameter.name}: ${reply.body}`);
    }
});

test('POST and PATCH answer as their schemas say', async () => {
  const by = (id) => operations.find((o) => o.operationId === id);
  const json = { 'content-type': 'application/json' };
  const example = (id) => by(id).requestBody.content['application/json'].example;
  const document = { ...example('postSnapshots'), taken_at: new Date(Date.now() - 1000).toISOString(),
    boot_at: new Date(Date.now() - 7200e3).toISOString() };
  let reply = await validated(by('postSnapshots'), '/api/v1/snapshots',
    { headers: json, body: JSON.stringify(document) });
  assert.equal(reply.status, 200, reply.body.toString());
  reply = await validated(by('postSnapshots'), '/api/v1/snapshots',
    { headers: json, body: '{"format":2}' });
  assert.equal(reply.status, 422);
  reply = await validated(by('patchFinding'), fill('/api/v1/findings/{finding_id}'),
    { headers: json, body: JSON.stringify(example('patchFinding')) });
  assert.equal(reply.status, 200, reply.body.toString());
  const capture = ' Tag  Type     Allocs     Frees      Diff     Bytes  Per Alloc\n' +
    ' Leak Nonp       5000        10      4990   1277440        256\n';
  reply = await validated(by('diagnose'), '/api/v1/diagnose',
    { headers: { 'content-type': 'text/plain' }, body: capture });
  assert.equal(reply.status, 200, reply.body.toString());
  assert.ok(reply.json().comparison?.some((c) => c.tag === 'Leak' && c.fleet_hosts >= 12),
    JSON.stringify(reply.json().comparison));
});

test('mutes: each example is taken, each answer fits, and a late change is 412', async () => {
  const by = (id) => operations.find((o) => o.operationId === id);
  const json = { 'content-type': 'application/json' };
  const body = (id) => JSON.stringify(by(id).requestBody.content['application/json'].example);
  const made = await validated(by('createMute'), '/api/v1/mutes', { headers: json, body: body('createMute') });
  assert.equal(made.status, 201, made.body.toString());
  const one = made.headers.location;
  const seen = { ...json, 'if-match': made.headers.etag };
  assert.equal((await validated(by('patchMute'), one, { headers: seen, body: body('patchMute') })).status, 200);
  assert.equal((await validated(by('patchMute'), one, { headers: seen, body: body('patchMute') })).status, 412);
  assert.equal((await validated(by('endMute'), one, { headers: { 'if-match': made.headers.etag } })).status, 412);
  const ended = await validated(by('endMute'), one);
  assert.equal(ended.json().state, 'ended');
});

test('accounts, tokens and enroll secrets: each example is taken, each answer fits', async () => {
  const by = (id) => operations.find((o) => o.operationId === id);
  const json = { 'content-type': 'application/json' };
  const example = (id) => by(id).requestBody.content['application/json'].example;
  const unique = (body) => JSON.stringify({ ...body, ...(body.name ? { name: `${body.name} ${Date.now()}` } : {}) });
  for (const [make, change, remove, path] of [['createUser', 'patchUser', 'deleteUser', '/api/v1/users'],
    ['createToken', null, 'revokeToken', '/api/v1/tokens'],
    ['createEnrollSecret', null, 'revokeEnrollSecret', '/api/v1/enroll-secrets']]) {
    const made = await validated(by(make), path, { headers: json, body: unique(example(make)) });
    assert.equal(made.status, 201, made.body.toString());
    const one = `${path}/${made.json().id}`;
    if (change) {
      const reply = await validated(by(change), one, { headers: { ...json, 'if-match': made.headers.etag }, body: unique(example(change)) });
      assert.equal(reply.status, 200, reply.body.toString());
      const late = await validated(by(change), one, { headers: { ...json, 'if-match': made.headers.etag }, body: unique(example(change)) });
      assert.equal(late.status, 412);
    }
    assert.equal((await server.request('DELETE', one, { token: server.token('admin') })).status, 204);
    const gone = await validated(by(remove), one);
    assert.equal(gone.status, 404);
  }
  const setup = await validated(by('setup'), '/api/v1/setup', { token: undefined, headers: json, body: unique(example('setup')) });
  assert.equal(setup.status, 401, 'the example is no link');
});

test('sign in, who am I, sign out', async () => {
  const by = (id) => operations.find((o) => o.operationId === id);
  const reply = await validated(by('createSession'), '/api/v1/session', { token: undefined,
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ token: server.token('viewer') }) });
  assert.equal(reply.status, 200, reply.body.toString());
  const cookie = reply.headers['set-cookie'][0].split(';')[0];
  const out = await server.request('DELETE', '/api/v1/session',
    { headers: { cookie, 'x-poolfleet': '1' } });
  assert.equal(out.status, 204);
});
