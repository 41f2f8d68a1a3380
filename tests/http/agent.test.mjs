// SPDX-License-Identifier: Apache-2.0
// What an agent lives through: enrolment, batches in CBOR, refusals inside a batch, questions in
// the answers, copies of its identity, and what the page is then told of it.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash, randomUUID } from 'node:crypto';
import { after, before, test } from 'node:test';
import zlib from 'node:zlib';
import { decode, encode } from './cbor.mjs';
import { DATABASE, PROGRAM, start } from './server.mjs';

const MINUTE = 60e3;
let server;
let secret;
before(async () => {
  server = await start('--agent-interval', '120s', '--analyze-interval', '0');
  secret = execFileSync(PROGRAM, ['enroll-secret', 'create', '--name', `agents ${randomUUID()}`,
    '--database-url', DATABASE], { encoding: 'utf8' }).trim();
});
after(() => server.stop());

const hash = (text) => createHash('sha256').update(text).digest('hex');
const time = (ms) => new Date(ms).toISOString();
const get = async (path) => (await server.request('GET', `/api/v1${path}`, { token: server.token('viewer') })).json();

/** An enrolled agent with a boot of its own; its documents are a minute apart. */
async function agentOf(name = 'AGENT', fields = {}) {
  const reply = await server.request('POST', '/api/v1/agent/enroll', { token: secret,
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ host: { name, attributes: { 'os.build': '26100.1' } }, machine_id: randomUUID(),
      agent: { version: '0.1.0' }, ...fields }) });
  assert.equal(reply.status, 200, reply.body.toString());
  const { host_id: id, token } = reply.json();
  const boot = Math.floor(Date.now() / 1000) * 1000 - 300 * MINUTE;
  const first = Date.now() - 200 * MINUTE;
  return { id, token, boot, at: (n) => first + n * MINUTE,
    document(n, extra = {}) {
      return { format: 1, boot_at: time(boot), taken_at: time(first + n * MINUTE), sequence: n,
        nonpaged: { tag: ['Ddk ', 'NtFC'], allocs: [10, 20 + n], frees: [5, 1], bytes: [4096, 81920 + n] },
        ...extra };
    } };
}

function send(token, documents, { type = 'cbor-seq', accept = 'application/cbor', gzip = false } = {}) {
  const bodies = { 'cbor-seq': () => Buffer.concat(documents.map(encode)), cbor: () => encode(documents[0]),
    json: () => JSON.stringify(documents[0]), 'x-ndjson': () => documents.map((d) => JSON.stringify(d)).join('\n') };
  const body = Buffer.from(bodies[type]());
  return server.request('POST', '/api/v1/agent/snapshots', { token,
    headers: { 'content-type': `application/${type}`, accept, ...(gzip ? { 'content-encoding': 'gzip' } : {}) },
    body: gzip ? zlib.gzipSync(body) : body });
}

async function taken(agent, documents, options) {
  const reply = await send(agent.token, documents, options);
  assert.equal(reply.status, 200, reply.body.toString());
  assert.match(reply.headers['content-type'], /^application\/cbor/);
  return decode(reply.body);
}

const driver = (name, tags, more = {}) => ({ name, version: '1.0', company: 'Example', product: 'Example Suite',
  sha256: hash(`${name}${more.version ?? ''}`), symbols: `${name}.pdb/1`, ...(tags ? { tags } : {}), ...more });
const facts = (...drivers) => ({ host: { attributes: { 'os.build': '26100.1' }, drivers } });

test('an agent posts a gzip cbor sequence and is told what is held, how often to post, and no more', async () => {
  const agent = await agentOf();
  const reply = await taken(agent, [1, 2, 3].map((n) => agent.document(n, n === 1 ? facts() : {})), { gzip: true });
  assert.deepEqual(reply, { accepted: 3, duplicates: 0, rejected: [], acked_sequence: 3,
    config: { interval_seconds: 120 }, want: {} });
  const again = await taken(agent, [agent.document(3), agent.document(4)]);
  assert.deepEqual([again.accepted, again.duplicates, again.acked_sequence], [1, 1, 4]);
});

test('all four encodings are taken, and answered as JSON where that is wanted', async () => {
  const agent = await agentOf();
  for (const [i, type] of ['cbor', 'cbor-seq', 'json', 'x-ndjson'].entries()) {
    const reply = await send(agent.token, [agent.document(i + 1)], { type, accept: 'application/json' });
    assert.equal(reply.status, 200, reply.body.toString());
    assert.equal(reply.json().acked_sequence, i + 1);
  }
});

test('a host without drivers or attributes on the server is asked for them until they come', async () => {
  const agent = await agentOf();
  assert.equal((await taken(agent, [agent.document(1)])).want.drivers, true);
  assert.equal((await taken(agent, [agent.document(2, { host: { attributes: {} } })])).want.drivers, true);
  assert.deepEqual((await taken(agent, [agent.document(3, facts())])).want, {});
});

test('a base that is not held is a conflict in the list; the documents around it are kept', async () => {
  const agent = await agentOf();
  const reply = await taken(agent, [agent.document(1, facts()), agent.document(9, { base: 7 }), agent.document(10)]);
  assert.equal(reply.accepted, 2);
  assert.equal(reply.acked_sequence, 10);
  assert.deepEqual(reply.rejected.map((r) => [r.index, r.type, r.field]), [[1, 'urn:poolfleet:problem:conflict', 'base']]);
  const alone = await send(agent.token, [agent.document(20, { base: 19 })], { type: 'cbor' });
  assert.equal(alone.status, 409);
});

test('a document of another host is forbidden, also beside good ones', async () => {
  const agent = await agentOf();
  const other = await agentOf();
  const reply = await taken(agent, [agent.document(1, facts()),
    other.document(1, { host: { id: other.id } }), agent.document(2, { host: { id: agent.id } })]);
  assert.equal(reply.accepted, 2);
  assert.deepEqual(reply.rejected.map((r) => [r.index, r.type, r.field]), [[1, 'urn:poolfleet:problem:forbidden', 'host.id']]);
  assert.equal((await get(`/hosts/${other.id}`)).awaiting_first_snapshot, true);
});

test('wrong, revoked and foreign tokens and oversize bodies are refused before anything is stored', async () => {
  const agent = await agentOf();
  const body = [agent.document(1)];
  assert.equal((await send(undefined, body)).status, 401);
  assert.equal((await send(server.token('ingest'), body)).status, 403);
  assert.equal((await send(server.token('viewer'), body)).status, 403);
  const huge = await server.request('POST', '/api/v1/agent/snapshots', { token: agent.token,
    headers: { 'content-type': 'application/cbor-seq', 'content-encoding': 'gzip' },
    body: zlib.gzipSync(Buffer.alloc((8 << 20) + 1, 0xf6)) });
  assert.equal(huge.status, 413);
  const tokens = execFileSync(PROGRAM, ['token', 'list', '--database-url', DATABASE], { encoding: 'utf8' });
  const row = tokens.split('\n').find((line) => line.includes(agent.id));
  assert.ok(row, tokens);
  execFileSync(PROGRAM, ['token', 'revoke', row.trim().split(/\s+/)[0], '--database-url', DATABASE]);
  const fresh = await start('--analyze-interval', '0'); // no cached credential
  try {
    const reply = await fresh.request('POST', '/api/v1/agent/snapshots', { token: agent.token,
      headers: { 'content-type': 'application/json' }, body: JSON.stringify(body[0]) });
    assert.equal(reply.status, 401);
  } finally {
    await fresh.stop();
  }
  assert.equal((await get(`/hosts/${agent.id}`)).awaiting_first_snapshot, true);
});

test('a driver build is scanned by one host, and its tags show on every host that runs it', async () => {
  const [one, two] = [await agentOf('SCAN-1'), await agentOf('SCAN-2')];
  const name = `scan${randomUUID().slice(0, 8)}.sys`;
  const build = driver(name);
  const asked = await taken(one, [one.document(1, facts(build))]);
  assert.deepEqual(asked.want, { scan: [build.sha256] });
  assert.deepEqual((await taken(two, [two.document(1, facts(build))])).want, {}, 'the other one has been asked');
  assert.deepEqual((await taken(one, [one.document(2)])).want, {}, 'once is enough for now');
  assert.deepEqual((await taken(one, [one.document(3, facts(driver(name, ['Scan', 'Leak'])))])).want, {});
  const there = (await get(`/hosts/${two.id}`)).drivers[0];
  assert.deepEqual([there.tags, there.scanned, there.sha256, there.product, there.symbols],
    [['Scan', 'Leak'], true, build.sha256, 'Example Suite', `${name}.pdb/1`]);
  assert.deepEqual((await taken(two, [two.document(2, facts(build))])).want, {});
  const detail = await get(`/drivers/${name}`);
  assert.deepEqual(detail.tags, ['Leak', 'Scan']);
  assert.equal(detail.versions[0].files.length, 1);
  assert.equal(detail.versions[0].files[0].hosts, 2);
  const listed = (await get(`/drivers?q=${name}`)).items[0];
  assert.deepEqual([listed.files, listed.files_scanned, listed.product], [1, 1, 'Example Suite']);
  const owners = (await get('/tags/Scan')).owners;
  assert.ok(owners.some((o) => o.driver === name && o.source === 'driver_scan'));
});

test('at most four builds are asked of a host at a time', async () => {
  const agent = await agentOf();
  const builds = Array.from({ length: 9 }, (_, i) => driver(`many${i}${agent.id}.sys`));
  const asked = (await taken(agent, [agent.document(1, facts(...builds))])).want.scan;
  assert.equal(asked.length, 4);
  const told = builds.map((b) => (asked.includes(b.sha256) ? { ...b, tags: [] } : b));
  const next = (await taken(agent, [agent.document(2, facts(...told))])).want.scan;
  assert.equal(next.length, 4);
  assert.ok(next.every((h) => !asked.includes(h)));
});

test('two files of one name and version are told apart', async () => {
  const [one, two] = [await agentOf(), await agentOf()];
  const name = `twin${randomUUID().slice(0, 8)}.sys`;
  await taken(one, [one.document(1, facts(driver(name, ['Twin'])))]);
  await taken(two, [two.document(1, facts(driver(name, null, { sha256: hash(`other ${name}`) })))]);
  const { versions } = await get(`/drivers/${name}`);
  assert.equal(versions.length, 1);
  assert.deepEqual(versions[0].files.map((f) => f.scanned).sort(), [false, true]);
});

test('a host that has enrolled and sent nothing is listed as such', async () => {
  const name = `WAIT-${randomUUID()}`;
  const agent = await agentOf(name);
  const [item] = (await get(`/hosts?q=${name}`)).items;
  assert.equal(item.id, agent.id);
  assert.equal(item.awaiting_first_snapshot, true);
  assert.equal(item.last_seen, null);
  assert.ok(Date.now() - Date.parse(item.enrolled_at) < 240000);
  const detail = await get(`/hosts/${agent.id}`);
  assert.deepEqual([detail.agent.version, detail.drivers, detail.totals.nonpaged_bytes, detail.attributes],
    ['0.1.0', [], null, { 'os.build': '26100.1' }]);
  assert.equal((await server.request('GET', `/api/v1/hosts/${randomUUID()}`, { token: server.token('viewer') })).status, 404);
  await taken(agent, [agent.document(1)]);
  assert.equal((await get(`/hosts?q=${agent.id}`)).items[0].awaiting_first_snapshot, false);
});

test('what an agent says of itself and the sizes of big blocks are shown', async () => {
  const agent = await agentOf('SIMULATED');
  await taken(agent, [agent.document(1, { agent: { version: '0.2.0', waiting: 3, dropped: 2, simulated: true },
    big_blocks: [{ tag: 'Leak', bytes: [65536, 4096], blocks: [2, 900] }] }), agent.document(2)]);
  const detail = await get(`/hosts/${agent.id}`);
  assert.deepEqual(detail.agent, { version: '0.2.0', waiting: 3, dropped: 2, simulated: true });
  assert.equal(detail.simulated, true);
  assert.deepEqual(detail.big_blocks.tags, [{ tag: 'Leak', sizes: [{ bytes: 65536, blocks: 2 }, { bytes: 4096, blocks: 900 }] }]);
  assert.equal(detail.big_blocks.at, time(agent.at(1)));
  assert.equal((await get(`/hosts?q=${agent.id}`)).items[0].simulated, true);
});

test('a copied identity is refused from the moment both machines are heard, and stores nothing more', async () => {
  const agent = await agentOf('ORIGINAL');
  const copy = { ...agent, boot: agent.boot + 100 * MINUTE };
  const copied = (n) => ({ ...agent.document(n), boot_at: time(copy.boot) });
  await taken(agent, [agent.document(110, facts())]);
  assert.equal((await taken(agent, [copied(111)])).accepted, 1, 'nobody can know yet');
  assert.equal((await taken(agent, [agent.document(115)])).accepted, 1);
  for (const type of ['cbor-seq', 'json']) {
    const reply = await send(agent.token, [copied(116)], { type, accept: 'application/json' });
    assert.equal(reply.status, 401);
    assert.equal(reply.json().type, 'urn:poolfleet:problem:identity_cloned');
  }
  assert.equal((await taken(agent, [agent.document(120)])).accepted, 1, 'the original goes on');
  const detail = await get(`/hosts/${agent.id}`);
  assert.equal(Date.parse(detail.boot_at), agent.boot);
  assert.deepEqual(detail.boots.map((b) => b.snapshots).sort(), [1, 3]);
});

test('a reboot with spooled documents of the boot before is no copy', async () => {
  const agent = await agentOf();
  const next = (n) => ({ ...agent.document(n), boot_at: time(agent.at(50)) });
  await taken(agent, [agent.document(1, facts())]);
  await taken(agent, [next(52)]);
  const reply = await taken(agent, [agent.document(30), agent.document(49), next(53)]);
  assert.equal(reply.accepted, 3);
});
