// SPDX-License-Identifier: Apache-2.0
// schema/openapi.yaml against the route table, both ways, and live replies against its schemas.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { after, before, describe, test } from 'node:test';
import { makeFleet, postAndFind } from './fleet.mjs';
import { routes, start } from './server.mjs';

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

/** Every example of a body in the document: of requests, and of answers. */
function examples(operation) {
  const of = (content, more) => Object.entries(content ?? {}).flatMap(([type, c]) => [
    ...('example' in c ? [{ name: 'example', value: c.example }] : []),
    ...Object.entries(c.examples ?? {}).map(([name, e]) => ({ name, value: deref(e).value })),
  ].map((e) => ({ ...e, type, schema: c.schema, operation, ...more })));
  return {
    requests: of(operation.requestBody?.content, {}),
    answers: Object.entries(operation.responses).flatMap(([status, r]) => of(deref(r).content, { status })),
  };
}
const requestExamples = operations.flatMap((o) => examples(o).requests);
const answerExamples = operations.flatMap((o) => examples(o).answers);

test('every example fits its own schema', () => {
  for (const e of [...requestExamples, ...answerExamples]) check(e.schema, e.value, `${e.operation.operationId} ${e.name}`);
  assert.ok(requestExamples.length >= 18 && answerExamples.length >= 10);
});

test('every operation that takes a body has an example of it', () => {
  for (const o of operations)
    if (o.requestBody) assert.ok(examples(o).requests.length > 0, `${o.operationId} has no example`);
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
  finding = await postAndFind(server, fleet);
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
  name: 'apitest.sys', user_id: user.id, mute_id: mute, known_id: 'contoso-filter-4.2', list_name: 'openapi.txt' });
/** What a call cannot do without, `more` instead of it where both say the same. */
const withQuery = (operation, more = '') => {
  const query = new URLSearchParams(operation['x-example-query'] ?? '');
  for (const [name, value] of new URLSearchParams(more)) query.set(name, value);
  const text = query.toString();
  return fill(operation.pattern) + (text && '?' + text);
};
const fill = (pattern) => pattern.replace(/\{(\w+)\}/g, (_, name) => encodeURIComponent(values()[name]));

function schemaOf(operation, status, type) {
  const response = deref(operation.responses[status] ?? operation.responses.default);
  return response.content?.[type]?.schema;
}

async function validated(operation, target, options = {}) {
  const reply = await server.request(operation.method, target,
    { token: server.token('admin'), ...options });
  const type = plain(reply.headers['content-type'] ?? '');
  if (reply.status === 204 && operation.responses['204']) return reply;
  const schema = schemaOf(operation, String(reply.status), type);
  assert.ok(schema, `${operation.operationId}: ${reply.status} ${type} is not in the document`);
  check(schema, /json$/.test(type) && type !== 'application/x-ndjson' ? reply.json()
    : reply.body.toString(), `${operation.operationId} ${target}`);
  return reply;
}

const gets = operations.filter((o) => o.method === 'GET');

for (const operation of gets) {
  test(`GET ${operation.pattern} answers as its schema says`, async () => {
    const reply = await validated(operation, withQuery(operation));
    assert.equal(reply.status, 200, reply.body.toString());
    for (const a of examples(operation).answers.filter((e) => e.type === 'application/json'))
      assert.deepEqual(Object.keys(a.value).sort(), Object.keys(reply.json()).sort());
    for (const parameter of (operation.parameters ?? []).map(deref)) {
      const value = parameter.example ?? parameter.schema.default ?? parameter.schema.enum?.[0];
      if (parameter.in !== 'query' || value === undefined) continue;
      const more = await validated(operation, withQuery(operation, `${parameter.name}=${encodeURIComponent(value)}`));
      assert.equal(more.status, 200, `${parameter.name}=${value}: ${more.body}`);
    }
  });

  test(`GET ${operation.pattern} refuses what the document does not name`, async () => {
    if (operation['x-role'] === 'none') return;
    const reply = await validated(operation, withQuery(operation, 'no_such=1'));
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
    kind: 'leak', tag: 'Leak', host: 'x', points: '10', against: fleet.hosts[1].id,
    against_at: new Date(fleet.end).toISOString() };
  for (const operation of gets)
    for (const parameter of (operation.parameters ?? []).map(deref)) {
      const value = parameter.schema?.enum?.[0] ?? sample[parameter.name];
      if (parameter.in !== 'query' || !value) continue;
      const reply = await validated(operation, withQuery(operation, `${parameter.name}=${encodeURIComponent(value)}`));
      assert.equal(reply.status, 200, `${operation.operationId} ${parameter.name}: ${reply.body}`);
    }
});

const by = (id) => operations.find((o) => o.operationId === id);
const JSON_TYPE = { 'content-type': 'application/json' };
const example = (id) => examples(by(id)).requests[0].value;
let serial = 0;
const unique = (name) => `${name} ${Date.now()} ${serial += 1}`;
const call = (id, path, body, options = {}) => validated(by(id), path,
  { headers: { ...JSON_TYPE, ...options.headers }, ...options, body: body === undefined ? undefined : JSON.stringify(body) });

/**
 * What an example needs around it before it can be sent to a real server: names that are unique in
 * the database, an account to sign in to, a secret to enroll with. `send` gives what is sent and
 * what must come back; without a row an example is sent as it is, as an admin, and must succeed.
 */
const around = {
  createSession: async (e) => {
    if (e.name === 'token') return { body: { token: server.token('viewer') } };
    const name = unique(e.value.name);
    await call('createUser', '/api/v1/users', { ...e.value, name, role: 'viewer' });
    return { body: { ...e.value, name }, options: { token: undefined } };
  },
  changePassword: async (e) => {
    const name = unique('ann');
    await call('createUser', '/api/v1/users', { name, role: 'viewer', password: e.value.current });
    const reply = await call('createSession', '/api/v1/session', { name, password: e.value.current }, { token: undefined });
    return { body: e.value, options: { token: undefined, headers: { cookie: reply.headers['set-cookie'][0].split(';')[0], 'x-poolfleet': '1' } } };
  },
  setup: async (e) => ({ body: e.value, options: { token: undefined }, status: 401 }), // the example is no link
  enrollAgent: async (e) => {
    const made = await call('createEnrollSecret', '/api/v1/enroll-secrets', { name: unique('openapi') });
    return { body: { ...e.value, machine_id: unique('m').replace(/ /g, '-') }, options: { token: made.json().secret } };
  },
  postAgentSnapshots: async (e) => {
    const { body, options } = await around.enrollAgent({ value: example('enrollAgent') });
    const enrolled = await call('enrollAgent', '/api/v1/agent/enroll', body, options);
    return { body: recent(e.value), options: { token: enrolled.json().token } };
  },
  postSnapshots: async (e) => ({ body: recent(e.value) }),
  createUser: async (e) => ({ body: { ...e.value, name: unique(e.value.name) } }),
  patchUser: async (e) => {
    const made = await call('createUser', '/api/v1/users', { name: unique('patched'), role: 'operator' });
    return { path: `/api/v1/users/${made.json().id}`, body: e.value, options: { headers: { 'if-match': made.headers.etag } } };
  },
  createToken: async (e) => ({ body: { ...e.value, name: unique(e.value.name) } }),
  createEnrollSecret: async (e) => ({ body: { ...e.value, name: unique(e.value.name) } }),
  createNotifyTarget: async (e) => {
    const name = unique(e.value.name);
    after(async () => {
      const list = (await server.request('GET', '/api/v1/notify-targets?limit=1000', { token: server.token('admin') })).json();
      for (const t of list.items.filter((i) => i.name === name))
        await server.request('DELETE', `/api/v1/notify-targets/${t.id}`, { token: server.token('admin') });
    });
    return { body: { ...e.value, name } };
  },
  putKnownLeak: async (e) => ({ path: `/api/v1/known-leaks/${e.value.id}`, body: e.value }),
  importTagList: async (e) => ({ path: '/api/v1/tag-lists?name=openapi.txt', body: e.value }),
};
const recent = (document) => ({ ...document, taken_at: new Date(Date.now() - 1000).toISOString(), boot_at: new Date(Date.now() - 7200e3).toISOString(),
  ...(document.host ? { host: { ...document.host, id: `openapi-${Date.now()}` } } : {}) });

describe('every example is replayed against a real server', () => {
  for (const e of requestExamples) {
    const id = e.operation.operationId;
    test(`${id} ${e.type} ${e.name}`, async () => {
      if (/cbor|ndjson/.test(e.type)) assert.fail('no way to replay this type yet');
      const sent = { path: fill(e.operation.pattern), body: e.value, ...await around[id]?.(e) };
      const reply = await validated(e.operation, sent.path, { ...sent.options,
        headers: { 'content-type': e.type, ...sent.options?.headers },
        body: e.type === 'application/json' ? JSON.stringify(sent.body) : sent.body });
      const wanted = Object.keys(e.operation.responses).filter((c) => c.startsWith('2')).map(Number);
      assert.ok(sent.status ? reply.status === sent.status : wanted.includes(reply.status), `${reply.status}: ${reply.body}`);
      // What the document shows as an answer has just the members that a real one has.
      for (const a of answerExamples.filter((a) => a.operation === e.operation && a.status === String(reply.status)))
        assert.deepEqual(Object.keys(a.value).sort(), Object.keys(reply.json()).sort());
    });
  }
  test('answers that are shown for a preview', async () => {
    for (const [id, path] of [['importTagList', '/api/v1/tag-lists?name=openapi.txt&preview=yes'], ['importKnownLeaks', '/api/v1/known-leaks?preview=yes']]) {
      const [request] = examples(by(id)).requests;
      const reply = await validated(by(id), path, { headers: { 'content-type': request.type },
        body: typeof request.value === 'string' ? request.value : JSON.stringify(request.value) });
      assert.equal(reply.status, 200, reply.body.toString());
      const [answer] = examples(by(id)).answers;
      assert.deepEqual(Object.keys(answer.value).sort(), Object.keys(reply.json()).sort());
      assert.equal(reply.json().stored, false);
    }
  });
  test('count', (t) => {
    const parameters = operations.flatMap((o) => (o.parameters ?? []).map(deref)).filter((p) => p.example !== undefined);
    t.diagnostic(`${requestExamples.length} requests, ${answerExamples.length} answers, ${parameters.length} parameters`);
    assert.deepEqual(Object.keys(around).filter((id) => !requestExamples.some((e) => e.operation.operationId === id)), []);
  });
  after(async () => {
    for (const path of ['known-leaks/contoso-filter-4.2', 'known-leaks/contoso-backup-7', 'tag-lists/openapi.txt'])
      await server.request('DELETE', `/api/v1/${path}`, { token: server.token('admin') });
  });
});

test('mutes: each example is taken, each answer fits, and a late change is 412', async () => {
  const json = { 'content-type': 'application/json' };
  const body = (id) => JSON.stringify(example(id));
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

test('faults: each answers as the document says, and names the field', async () => {
  for (const [id, path, type, body, status, field] of [
    ['postSnapshots', '/api/v1/snapshots', 'application/json', '{"format":2}', 422, 'format'],
    ['importTagList', '/api/v1/tag-lists?name=a/b', 'text/plain', 'Abcd - x.sys - y', 422, 'name'],
    ['importTagList', '/api/v1/tag-lists', 'text/plain', 'Abcd - x.sys - y', 422, 'name'],
    ['importTagList', '/api/v1/tag-lists?name=x&preview=maybe', 'text/plain', 'Abcd - x.sys - y', 422, 'preview'],
    ['importTagList', '/api/v1/tag-lists?name=x', 'text/plain', '// nothing', 422, 'body'],
    ['importKnownLeaks', '/api/v1/known-leaks', 'application/json', '{"format":1,"leaks":[{"id":"x"}]}', 422, 'leaks[0]'],
    ['importKnownLeaks', '/api/v1/known-leaks', 'application/json', '{"format":1,"leaks":[]}', 422, 'leaks'],
    ['importKnownLeaks', '/api/v1/known-leaks', 'application/json', 'no JSON', 400, null],
  ]) {
    const reply = await validated(by(id), path, { headers: { 'content-type': type }, body });
    assert.equal(reply.status, status, `${path}: ${reply.body}`);
    if (field) assert.ok((reply.json().field ?? '').startsWith(field), `${path}: ${reply.body}`);
  }
  assert.equal((await validated(by('deleteTagList'), '/api/v1/tag-lists/none')).status, 404);
});

test('the diagnosis compares with this fleet', async () => {
  const { type, value } = examples(by('diagnose')).requests[0];
  const reply = await validated(by('diagnose'), '/api/v1/diagnose', { headers: { 'content-type': type }, body: value });
  assert.ok(reply.json().comparison?.some((c) => c.tag === 'Leak' && c.fleet_hosts >= 12), JSON.stringify(reply.json().comparison));
});

test('every list comes as pages, NDJSON and CSV, sorts both ways, and answers If-None-Match with 304', async () => {
  const lists = gets.filter((o) => (o.parameters ?? []).map(deref).some((p) => p.name === 'cursor'));
  assert.ok(lists.length >= 12, `${lists.length} lists`);
  for (const o of lists) {
    // Some cannot do without a filter: then what is added follows it.
    const path = withQuery(o);
    const plus = path.includes('?') ? '&' : '?';
    const names = (o.parameters ?? []).map(deref).map((p) => p.name);
    for (const name of ['limit', 'cursor', 'sort']) assert.ok(names.includes(name), `${o.operationId} has no ${name}`);
    const whole = await validated(o, `${path}${plus}limit=1000`);
    const one = await validated(o, `${path}${plus}limit=1`);
    assert.ok(one.json().items, `${o.operationId}: ${one.body.toString().slice(0, 300)}`);
    assert.equal(one.json().items.length, Math.min(1, whole.json().total), o.operationId);
    if (whole.json().total > 1) {
      const two = await validated(o, `${path}${plus}limit=1&cursor=${encodeURIComponent(one.json().next_cursor)}`);
      assert.deepEqual(two.json().items[0]?.id, whole.json().items[1]?.id, o.operationId);
    }
    const ndjson = await server.request('GET', path, { token: server.token('admin'), headers: { accept: 'application/x-ndjson' } });
    assert.match(ndjson.headers['content-type'], /^application\/x-ndjson/);
    assert.equal(ndjson.body.toString().split('\n').filter(Boolean).length, whole.json().total, o.operationId);
    const csv = await server.request('GET', path, { token: server.token('admin'), headers: { accept: 'text/csv' } });
    assert.match(csv.headers['content-type'], /^text\/csv/);
    const head = csv.body.toString().split('\r\n')[0].split(',');
    for (const sort of [head[0], `-${head[0]}`]) {
      const sorted = await validated(o, `${path}${plus}sort=${sort}`);
      assert.equal(sorted.status, 200, `${o.operationId} ${sort}: ${sorted.body}`);
    }
    assert.ok(whole.headers.etag, `${o.operationId} has no ETag`);
    const fresh = await server.request('GET', path, { token: server.token('admin') });
    const again = await server.request('GET', path, { token: server.token('admin'), headers: { 'if-none-match': fresh.headers.etag } });
    assert.ok(again.status === 304 || again.headers.etag !== fresh.headers.etag, o.operationId);
  }
});

test('sign in, who am I, sign out', async () => {
  const reply = await validated(by('createSession'), '/api/v1/session', { token: undefined,
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ token: server.token('viewer') }) });
  assert.equal(reply.status, 200, reply.body.toString());
  const cookie = reply.headers['set-cookie'][0].split(';')[0];
  const out = await server.request('DELETE', '/api/v1/session',
    { headers: { cookie, 'x-poolfleet': '1' } });
  assert.equal(out.status, 204);
});

test('limits are told as RateLimit fields before and when they are reached', async () => {
  const name = unique('nobody');
  const attempt = () => call('createSession', '/api/v1/session', { name, password: 'wrong password' }, { token: undefined });
  const left = (reply, policy) => Number(new RegExp(`"${policy}";r=(\\d+);t=\\d+`).exec(reply.headers.ratelimit)?.[1]);
  const first = await attempt();
  assert.equal(first.status, 401);
  assert.match(first.headers['ratelimit-policy'], /^"sign-in-address";q=20;w=60, "sign-in-name";q=10;w=300$/);
  let reply = first;
  for (let i = 0; i < 12 && reply.status !== 429; i++) {
    const next = await attempt();
    assert.ok(next.status === 429 || left(next, 'sign-in-name') === left(reply, 'sign-in-name') - 1, next.headers.ratelimit);
    reply = next;
  }
  assert.equal(reply.status, 429);
  assert.equal(left(reply, 'sign-in-name'), 0);
  assert.ok(Number(reply.headers['retry-after']) > 0);
  assert.equal(reply.json().type, 'urn:poolfleet:problem:too_many_attempts');
  const quiet = await server.request('GET', '/api/v1/overview', { token: server.token('viewer') });
  assert.equal(quiet.headers.ratelimit, undefined);
});
