// SPDX-License-Identifier: Apache-2.0
// What the screen of one host reads: totals over time, the host at a moment, what happened to it, and
// two tables side by side.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, test } from 'node:test';
import { post } from './fleet.mjs';
import { start } from './server.mjs';

const MIN = 60e3;
const HOUR = 3600e3;
const MB = 2 ** 20;
const end = Math.floor((Date.now() - 60e3) / 1000) * 1000;
const iso = (ms) => new Date(ms).toISOString().replace('.000Z', 'Z'); // as the server writes whole seconds
const ODD = '<b>\u202e=1+1\u0007' + 'w'.repeat(200);
const ID = randomUUID();
const OTHER = randomUUID();
let server;

/** One document; NtFC grows by 10 MB an hour of uptime, " MPP" exists in the second boot only. */
function document(id, boot, at, sequence, more = {}) {
  const hours = (at - boot) / HOUR;
  const rows = { NtFC: Math.round((5 + 10 * hours) * MB), Same: 4096, ...(boot > end - 20 * HOUR ? { ' MPP': 999 } : { Gone: 777 }) };
  const tags = Object.keys(rows).sort();
  return { format: 1, host: { id, name: id === ID ? 'ONE' : 'TWO', attributes: more.attributes ?? { 'os.build': '26100.1', role: ODD },
    drivers: more.drivers ?? [{ name: 'a.sys', version: '1.0' }] },
  boot_at: iso(boot), taken_at: iso(at), sequence,
  totals: { nonpaged_bytes: more.nonpaged ?? Math.round((100 + hours) * MB), paged_bytes: 50 * MB, physical_bytes: 8e9, available_bytes: 3e9, commit_bytes: 6e9, commit_limit_bytes: 9e9 },
  nonpaged: { tag: tags, allocs: tags.map((t) => Math.ceil(rows[t] / 64) + 100), frees: tags.map(() => 100), bytes: tags.map((t) => rows[t]) },
  paged: { tag: ['CM31'], allocs: [9], frees: [1], bytes: [640] },
  processes: [{ pid: 4, image: ODD, handles: Math.round(hours * 100) }], objects: [{ type: 'File', objects: 3, handles: 2 }].reduce((o, x) => ({ type: [x.type], objects: [x.objects], handles: [x.handles] }), {}),
  sessions: [{ id: 1, paged_bytes: 5, failures: 0 }], events: more.events ?? [] };
}

const BOOT1 = end - 40 * HOUR;
const BOOT2 = end - 10 * HOUR;
before(async () => {
  server = await start('--analyze-interval', '1h');
  const documents = [];
  // Ten hours of the first boot, then the second, every five minutes; one peak of a single snapshot.
  for (let i = 0; i <= 120; i++) documents.push(document(ID, BOOT1, BOOT1 + i * 5 * MIN, i + 1));
  for (let i = 0; i <= 120; i++) {
    documents.push(document(ID, BOOT2, BOOT2 + i * 5 * MIN, i + 1, {
      ...(i === 61 ? { nonpaged: 900 * MB } : {}),
      ...(i >= 60 ? { drivers: [{ name: 'a.sys', version: '2.0' }, { name: 'b.sys', version: '1' }], attributes: { 'os.build': '26100.2', role: ODD, 'agent.version': '0.2' } } : {}),
      ...(i === 80 ? { events: [{ at: iso(BOOT2 + 6 * HOUR), provider: ODD.slice(0, 60), id: 2019 }] } : {}),
    }));
  }
  documents.push(document(OTHER, end - 20 * HOUR, end, 1));
  await post(server, documents);
});
after(() => server.stop());

const api = (target, headers = {}) => server.request('GET', `/api/v1${target}`, { token: server.token('viewer'), headers });
const ok = async (target) => {
  const reply = await api(target);
  assert.equal(reply.status, 200, `${target}: ${reply.body}`);
  return reply.json();
};
const refused = async (target, field, status = 422) => {
  const reply = await api(target);
  assert.equal(reply.status, status, `${target}: ${reply.body}`);
  assert.equal(reply.json().field, field, target);
};

test('series: thinned to the width asked for, a peak of one snapshot stays in its span', async () => {
  const s = await ok(`/hosts/${ID}/series?points=20&columns=nonpaged_bytes,available_bytes`);
  assert.equal(s.snapshots, 242);
  assert.ok(s.t.length > 5 && s.t.length <= 20, `${s.t.length} points`);
  assert.deepEqual(Object.keys(s.columns), ['nonpaged_bytes', 'available_bytes']);
  for (const figure of ['last', 'min', 'max']) assert.equal(s.columns.nonpaged_bytes[figure].length, s.t.length);
  assert.equal(Math.max(...s.columns.nonpaged_bytes.max), 900 * MB);
  assert.ok(Math.max(...s.columns.nonpaged_bytes.last) < 200 * MB);
  assert.equal(Math.min(...s.columns.nonpaged_bytes.min), 100 * MB);
  assert.ok(s.columns.nonpaged_bytes.last.every((v, i) => v >= s.columns.nonpaged_bytes.min[i] && v <= s.columns.nonpaged_bytes.max[i]));
  assert.ok(s.t.every((t, i) => i === 0 || t > s.t[i - 1]));
  assert.deepEqual(s.boots, [BOOT2 / 1000]);
});

test('series: every snapshot when there is room, a short range, and a total nobody told', async () => {
  const s = await ok(`/hosts/${ID}/series?from=${iso(end - 30 * MIN)}&points=500`);
  assert.equal(s.t.length, 7);
  assert.equal(s.t[6], end / 1000);
  assert.equal(Object.keys(s.columns).length, 12);
  assert.deepEqual(s.columns.handles.last, s.t.map(() => null));
  const none = await ok(`/hosts/${ID}/series?from=2001-01-01T00:00:00Z&to=2001-01-02T00:00:00Z`);
  assert.deepEqual([none.t, none.snapshots, none.columns.commit_bytes.max], [[], 0, []]);
});

test('series: CSV and NDJSON hold the same spans; an unchanged answer is 304', async () => {
  const target = `/hosts/${ID}/series?points=10&columns=commit_bytes`;
  const json = await api(target);
  const lines = (await api(target, { accept: 'text/csv' })).body.toString().trimEnd().split('\r\n');
  assert.equal(lines[0], 'at,commit_bytes,commit_bytes_min,commit_bytes_max');
  assert.equal(lines.length - 1, json.json().t.length);
  assert.match(lines[1], /^20\d\d-[^,]*Z,6000000000,6000000000,6000000000$/);
  const rows = (await api(target, { accept: 'application/x-ndjson' })).body.toString().trimEnd().split('\n').map((l) => JSON.parse(l));
  assert.deepEqual(rows.map((r) => Math.floor(Date.parse(r.at) / 1000)), json.json().t);
  assert.equal((await api(target, { 'if-none-match': json.headers.etag })).status, 304);
});

test('series: wrong columns, ranges and widths are named', async () => {
  for (const columns of ['nothing', '', 'nonpaged_bytes,', 'handles,handles', ',handles']) await refused(`/hosts/${ID}/series?columns=${columns}`, 'columns');
  await refused(`/hosts/${ID}/series?points=1`, 'points');
  await refused(`/hosts/${ID}/series?points=5001`, 'points');
  await refused(`/hosts/${ID}/series?from=${iso(end)}&to=${iso(end - HOUR)}`, 'from');
  assert.equal((await api('/hosts/nobody/series')).status, 404);
});

test('state: drivers, attributes and lists as they were then', async () => {
  const now = await ok(`/hosts/${ID}/state`);
  assert.equal(now.at, iso(end));
  assert.equal(now.uptime_seconds, 36000);
  assert.deepEqual(now.drivers.map((d) => [d.name, d.version]), [['a.sys', '2.0'], ['b.sys', '1']]);
  assert.deepEqual(now.attributes.map((a) => a.name), ['agent.version', 'os.build', 'role']);
  assert.equal(now.attributes[1].since, iso(BOOT2 + 5 * HOUR));
  assert.deepEqual(now.processes, [{ pid: 4, image: ODD, handles: 1000 }]);
  const then = await ok(`/hosts/${ID}/state?at=${iso(BOOT2 + 2 * HOUR + 1000)}`);
  assert.equal(then.at, iso(BOOT2 + 2 * HOUR));
  assert.deepEqual(then.drivers.map((d) => [d.name, d.version]), [['a.sys', '1.0']]);
  assert.deepEqual(then.attributes.map((a) => [a.name, a.value]), [['os.build', '26100.1'], ['role', ODD]]);
  assert.equal(then.processes[0].handles, 200);
  assert.equal(then.totals.nonpaged_bytes, 102 * MB);
  assert.deepEqual(then.events, []);
  await refused(`/hosts/${ID}/state?at=2001-01-01T00:00:00Z`, 'at', 404);
  await refused(`/hosts/${ID}/state?at=noon`, 'at');
});

test('history: boots, changes, the agent and events in one list, newest first', async () => {
  const all = (await ok(`/hosts/${ID}/history`)).items;
  assert.ok(all.every((x, i) => i === 0 || x.at <= all[i - 1].at));
  const kinds = all.map((x) => x.kind);
  assert.deepEqual(kinds.filter((k) => k !== 'finding').sort(), ['agent', 'attribute', 'boot', 'boot', 'driver', 'driver', 'event']);
  const of = (kind) => all.filter((x) => x.kind === kind);
  assert.deepEqual(of('boot').map((b) => [b.at, b.until]), [[iso(BOOT2), iso(end)], [iso(BOOT1), iso(BOOT1 + 10 * HOUR)]]);
  assert.deepEqual(of('driver').map((d) => [d.name, d.from, d.to]).sort(), [['a.sys', '1.0', '2.0'], ['b.sys', null, '1']]);
  assert.deepEqual(of('agent').map((d) => [d.name, d.from, d.to]), [['agent.version', null, '0.2']]);
  assert.deepEqual(of('event').map((e) => [e.at, e.name, e.to]), [[iso(BOOT2 + 6 * HOUR), ODD.slice(0, 60), '2019']]);
});

test('boots: one whose time wanders by some seconds stays one', async () => {
  const id = randomUUID();
  await post(server, [0, 27e3, 60e3].map((drift, i) => document(id, BOOT2 + drift, BOOT2 + (i + 1) * HOUR, i + 1))
    .concat([document(id, BOOT2 + 5 * HOUR, BOOT2 + 6 * HOUR, 1)]));
  const { boots } = await ok(`/hosts/${id}`);
  assert.deepEqual(boots.map((b) => [b.boot_at, b.first_seen, b.last_seen, b.snapshots]),
    [[iso(BOOT2 + 5 * HOUR), iso(BOOT2 + 6 * HOUR), iso(BOOT2 + 6 * HOUR), 1], [iso(BOOT2 + 60e3), iso(BOOT2 + HOUR), iso(BOOT2 + 3 * HOUR), 3]]);
  assert.equal((await ok(`/hosts/${id}/history?kind=boot`)).total, 2);
});

test('history: a range, a kind, pages, CSV without formulas', async () => {
  const early = (await ok(`/hosts/${ID}/history?to=${iso(BOOT1 + HOUR)}`)).items;
  assert.deepEqual(early.map((x) => x.kind), ['boot']);
  const late = (await ok(`/hosts/${ID}/history?from=${iso(end - HOUR)}&kind=boot`)).items;
  assert.deepEqual(late.map((x) => x.at), [iso(BOOT2)], 'what lasts into the range is in it');
  const page = await ok(`/hosts/${ID}/history?limit=2`);
  const rest = await ok(`/hosts/${ID}/history?limit=1000&cursor=${encodeURIComponent(page.next_cursor)}`);
  assert.equal(page.items.length + rest.items.length, page.total);
  const csv = (await api(`/hosts/${ID}/history?kind=driver`, { accept: 'text/csv' })).body.toString();
  assert.ok(csv.startsWith('at,until,kind,name,from,to,finding_id,severity\r\n'));
  await refused(`/hosts/${ID}/history?kind=weather`, 'kind');
  await refused(`/hosts/${ID}/history?from=${iso(end)}&to=${iso(end - HOUR)}`, 'from');
});

test('compare: another moment of the same host; a tag of one side only is 0 on the other', async () => {
  const c = await ok(`/hosts/${ID}/compare?against_at=${iso(BOOT1 + 3 * HOUR)}`);
  assert.equal(c.at, iso(end));
  assert.deepEqual([c.against.host_id, c.against.at, c.against.boot_at, c.factor], [ID, iso(BOOT1 + 3 * HOUR), iso(BOOT1), 1]);
  const row = (tag) => c.items.find((r) => r.tag === tag);
  assert.deepEqual([row('NtFC').bytes, row('NtFC').against_bytes, row('NtFC').difference_bytes], [105 * MB, 35 * MB, 70 * MB]);
  assert.deepEqual([row(' MPP').bytes, row(' MPP').against_bytes], [999, 0]);
  assert.deepEqual([row('Gone').bytes, row('Gone').against_bytes, row('Gone').difference_bytes], [0, 777, -777]);
  assert.equal(row('Same').difference_bytes, 0);
  assert.equal(c.total, 5);
  assert.deepEqual(c.items.map((r) => r.difference_bytes), c.items.map((r) => r.difference_bytes).sort((a, b) => b - a));
});

test('compare: another boot is taken at the same uptime, and may be scaled', async () => {
  const same = await ok(`/hosts/${ID}/compare?at=${iso(BOOT2 + 4 * HOUR)}&against_boot=${iso(BOOT1 + 30e3)}&pool=nonpaged`);
  assert.equal(same.against.at, iso(BOOT1 + 4 * HOUR));
  assert.equal(same.items.find((r) => r.tag === 'NtFC').difference_bytes, 0);
  assert.ok(same.items.every((r) => r.pool === 'nonpaged'));
  const scaled = await ok(`/hosts/${ID}/compare?against_at=${iso(BOOT1 + 5 * HOUR)}&scale=uptime`);
  assert.equal(scaled.factor, 2);
  const row = scaled.items.find((r) => r.tag === 'NtFC');
  assert.equal(row.against_bytes, 2 * 55 * MB);
  assert.equal(row.difference_bytes, 105 * MB - 110 * MB);
});

test('compare: another host, at the same time unless told otherwise; a day before by itself', async () => {
  const c = await ok(`/hosts/${ID}/compare?against=${OTHER}`);
  assert.deepEqual([c.name, c.against.name, c.against.at], ['ONE', 'TWO', iso(end)]);
  assert.equal(c.items.find((r) => r.tag === 'NtFC').against_bytes, 205 * MB);
  const alone = await ok(`/hosts/${ID}/compare`);
  assert.equal(alone.against.at, iso(BOOT1 + 10 * HOUR), 'the newest snapshot a day before');
  const young = await ok(`/hosts/${OTHER}/compare`);
  assert.equal(young.against.at, iso(end), 'a host of one snapshot is compared with itself');
  const csv = (await api(`/hosts/${ID}/compare?against=${OTHER}`, { accept: 'text/csv' })).body.toString().split('\r\n');
  assert.ok(csv[0].startsWith('tag,pool,bytes,against_bytes,difference_bytes,'));
});

test('compare: what cannot be is named', async () => {
  await refused(`/hosts/${ID}/compare?against=nobody`, 'against', 404);
  await refused(`/hosts/${ID}/compare?against=${OTHER}&against_at=2001-01-01T00:00:00Z`, 'against_at', 404);
  await refused(`/hosts/${ID}/compare?against_boot=2001-01-01T00:00:00Z`, 'against_boot', 404);
  await refused(`/hosts/${ID}/compare?against_at=${iso(end)}&against_boot=${iso(BOOT1)}`, 'against_boot');
  await refused(`/hosts/${ID}/compare?scale=twice`, 'scale');
  await refused(`/hosts/${ID}/compare?at=2001-01-01T00:00:00Z`, 'at', 404);
  await refused(`/hosts/${ID}/compare?against_at=${iso(BOOT1)}&scale=uptime`, 'scale');
});
