// SPDX-License-Identifier: Apache-2.0
// Known leaks: listed, added, replaced, removed; named by findings, tags, the report and diagnose.
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { createRequire } from 'node:module';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { makeFleet, postAndFind } from './fleet.mjs';
import { DATABASE, PROGRAM, start } from './server.mjs';

const root = fileURLToPath(new URL('../../', import.meta.url));
const builtin = JSON.parse(fs.readFileSync(path.join(root, 'schema/known_leaks.json'), 'utf8')).leaks;
const entry = { id: 'ours-leak', title: 'Our <b>own</b> leak', driver: 'apitest.sys', pool: 'nonpaged',
  tags: ['Leak'], bad_versions: [{ from: '1.0', to: '9.9' }], advice: 'Update =apitest.sys.',
  source: 'case 4711', confidence: 'reported' };

let server;
let fleet;
let finding;
const as = (role) => (method, target, body) => server.request(method, `/api/v1${target}`, {
  token: server.token(role), headers: body === undefined ? {} : { 'content-type': 'application/json' },
  body: body === undefined ? undefined : typeof body === 'string' ? body : JSON.stringify(body) });
const viewer = (target) => as('viewer')('GET', target);
const put = (body, id = body.id) => as('admin')('PUT', `/known-leaks/${id}`, body);
const ids = (list) => list.map((k) => k.id);
const cli = (...args) => execFileSync(PROGRAM, ['known-leaks', ...args, '--database-url', DATABASE],
  { encoding: 'utf8' });

before(async () => {
  server = await start('--analyze-interval', '2s');
  fleet = makeFleet();
  finding = await postAndFind(server, fleet);
});
after(async () => {
  await as('admin')('DELETE', `/known-leaks/${entry.id}`);
  await as('admin')('DELETE', '/known-leaks/npcap-1.76');
  await server.stop();
});

test('the list holds every built-in entry, as it is in the file', async () => {
  const { items, total } = (await viewer('/known-leaks?limit=1000')).json();
  assert.equal(total, items.length);
  assert.ok(builtin.length >= 40);
  for (const leak of builtin) {
    const item = items.find((i) => i.id === leak.id);
    assert.deepEqual(item, { origin: 'builtin', ...leak });
  }
  assert.deepEqual(ids(items), ids(items).slice().sort());
});

test('the built-in list fits its JSON Schema', async () => {
  const require = createRequire(path.join(root, 'tests/package.json'));
  const Ajv = require('ajv/dist/2020').default;
  const schema = JSON.parse(fs.readFileSync(path.join(root, 'schema/known_leaks.schema.json'), 'utf8'));
  const validate = new Ajv({ allErrors: true }).compile(schema);
  assert.ok(validate({ format: 1, leaks: builtin }), JSON.stringify(validate.errors?.slice(0, 3)));
  assert.ok(validate({ format: 1, leaks: [entry] }), JSON.stringify(validate.errors));
  assert.ok(!validate({ format: 1, leaks: [{ ...entry, tags: ['Mdl'] }] }), 'a tag of three bytes');
});

test('filters and CSV', async () => {
  assert.ok(ids((await viewer('/known-leaks?q=NPCAP.sys')).json().items).every((id) => id.startsWith('npcap')));
  assert.deepEqual(ids((await viewer('/known-leaks?tag=Proc')).json().items), ['amdkmdag-32.0.11002.41']);
  assert.equal((await viewer('/known-leaks?tag=toolong')).status, 422);
  const csv = await server.request('GET', '/api/v1/known-leaks', { token: server.token('viewer'),
    headers: { accept: 'text/csv' } });
  assert.match(csv.body.toString(), /^id,title,driver,tags,confidence,origin,advice,source\r\n/);
});

test('only an admin writes', async () => {
  for (const role of ['viewer', 'operator']) {
    assert.equal((await as(role)('PUT', `/known-leaks/${entry.id}`, entry)).status, 403);
    assert.equal((await as(role)('DELETE', `/known-leaks/${entry.id}`)).status, 403);
  }
  assert.equal((await server.request('GET', '/api/v1/known-leaks')).status, 401);
});

test('faults are refused with their path and change nothing', async () => {
  const cases = [[{ ...entry, tags: ['Leak', 'Mdl'] }, 422, 'tags[1]'], [{ ...entry, more: 1 }, 422, 'more'],
    [{ ...entry, bad_versions: [{ from: '2', to: '1' }] }, 422, 'bad_versions[0].to'],
    [{ ...entry, id: 'other' }, 422, 'id'], ['{', 400, null], [[entry], 422, null]];
  for (const [body, status, field] of cases) {
    const reply = await put(body, entry.id);
    assert.equal(reply.status, status, reply.body.toString());
    assert.equal(reply.json().field, field);
  }
  assert.equal((await put({ ...entry, id: 'Not An Id' }, 'Not%20An%20Id')).status, 422);
  assert.equal((await put({ ...entry, advice: 'x'.repeat(20000) })).status, 413);
  assert.ok(!ids((await viewer('/known-leaks?limit=1000')).json().items).includes(entry.id));
});

test('an added entry is named by the finding, the list, the overview, the tag and the report', async () => {
  const before = await viewer(`/findings/${finding.id}`);
  const reply = await put(entry);
  assert.equal(reply.status, 200, reply.body.toString());
  assert.deepEqual(reply.json(), { origin: 'imported', ...entry });
  const full = await viewer(`/findings/${finding.id}`);
  assert.notEqual(full.headers.etag, before.headers.etag, 'a page that polls would not see it');
  const known = full.json().known_leaks.find((k) => k.id === entry.id);
  assert.equal(known.title, entry.title);
  assert.equal(known.advice, entry.advice);
  assert.ok(['tags and version', 'tags only'].includes(known.fit), known.fit);
  const names = async (target, pick) => pick((await viewer(target)).json());
  const listed = await names(`/findings?tag=Leak&status=open,acknowledged,muted,resolved`,
    (d) => d.items.find((f) => f.id === finding.id));
  assert.ok(ids(listed.known_leaks).includes(entry.id));
  assert.ok(await names('/overview', (d) => d.top_findings.every((f) => Array.isArray(f.known_leaks))));
  assert.deepEqual(ids(await names('/tags/Leak', (d) => d.known_leaks)).sort(), ['notmyfault-leak', entry.id]);
  const md = (await viewer(`/findings/${finding.id}/report?format=md`)).body.toString();
  assert.match(md, /## Known leaks that look like it/);
  assert.match(md, /case 4711/);
  const page = (await viewer(`/findings/${finding.id}/report?format=html`)).body.toString();
  assert.ok(page.includes('Our &lt;b&gt;own&lt;/b&gt; leak') && !page.includes('<b>own'));
});

test('diagnose names it for a suspect', async () => {
  const capture = ' Tag  Type     Allocs     Frees      Diff     Bytes  Per Alloc\n' +
    ' Leak Nonp    5000000        10   4999990 1279997440        256\n';
  const reply = await server.request('POST', '/api/v1/diagnose', { token: server.token('viewer'),
    headers: { 'content-type': 'text/plain' }, body: capture });
  const suspect = reply.json().suspects.find((s) => s.tag === 'Leak');
  assert.ok(suspect, reply.body.toString());
  assert.ok(ids(suspect.known_leaks).includes(entry.id), JSON.stringify(suspect));
  const file = path.join(os.tmpdir(), `known-${process.pid}.txt`);
  fs.writeFileSync(file, capture);
  const out = JSON.parse(execFileSync(PROGRAM, ['diagnose', file, '--json'], { encoding: 'utf8' }));
  fs.rmSync(file);
  assert.deepEqual(ids(out.suspects[0].known_leaks), ['notmyfault-leak']);
});

test('an import replaces a built-in entry, a removal brings it back; a running server sees both', async () => {
  const file = path.join(os.tmpdir(), `known-${process.pid}.json`);
  const ours = { ...builtin.find((k) => k.id === 'npcap-1.76'), title: 'as we saw it' };
  fs.writeFileSync(file, JSON.stringify({ format: 1, leaks: [ours] }));
  assert.match(cli('import', file), /^1 known leaks? imported/);
  const title = async () => (await viewer('/known-leaks?q=npcap-1.76')).json().items[0].title;
  assert.equal(await title(), 'as we saw it');
  assert.match(cli('list'), /npcap-1\.76 +imported +as we saw it/);
  const exported = JSON.parse(cli('export', '--imported'));
  assert.ok(exported.leaks.some((k) => k.id === 'npcap-1.76'));
  assert.ok(JSON.parse(cli('export')).leaks.length >= builtin.length);
  fs.writeFileSync(file, cli('export')); // what is exported can be imported
  assert.match(cli('import', file), /known leaks imported/);
  for (const leak of JSON.parse(fs.readFileSync(file, 'utf8')).leaks)
    if (leak.id !== entry.id) cli('remove', leak.id);
  assert.equal(await title(), builtin.find((k) => k.id === 'npcap-1.76').title);
  fs.writeFileSync(file, JSON.stringify({ format: 1, leaks: [ours, { ...ours, id: 'x', pool: 'both' }] }));
  const bad = spawnSync(PROGRAM, ['known-leaks', 'import', file, '--database-url', DATABASE], { encoding: 'utf8' });
  fs.rmSync(file);
  assert.equal(bad.status, 1);
  assert.match(bad.stderr, /leaks\[1\]\.pool: must be nonpaged or paged/);
  assert.notEqual(await title(), 'as we saw it');
  assert.equal(spawnSync(PROGRAM, ['known-leaks', 'remove', 'npcap-1.76', '--database-url', DATABASE]).status, 1);
});

test('analyze --json names known leaks like the server', async () => {
  const { as_of } = (await viewer('/overview')).json();
  const out = JSON.parse(execFileSync(PROGRAM, ['analyze', '--as-of', as_of, '--json', '--database-url', DATABASE],
    { encoding: 'utf8', maxBuffer: 1 << 26 }));
  const same = out.findings.find((f) => f.id === finding.id);
  const full = (await viewer(`/findings/${finding.id}`)).json();
  assert.deepEqual(ids(same.known_leaks), ids(full.known_leaks));
});

test('a removed entry is gone at once, and cannot be removed twice; a built-in one not at all', async () => {
  assert.equal((await as('admin')('DELETE', `/known-leaks/${entry.id}`)).status, 204);
  assert.ok(!ids((await viewer(`/findings/${finding.id}`)).json().known_leaks).includes(entry.id));
  assert.equal((await as('admin')('DELETE', `/known-leaks/${entry.id}`)).status, 404);
  assert.equal((await as('admin')('DELETE', '/known-leaks/notmyfault-leak')).status, 404);
});
