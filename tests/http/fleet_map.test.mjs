// SPDX-License-Identifier: Apache-2.0
// The whole fleet in one answer, the filters it shares with the list of hosts, and what the overview
// says of every host.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { makeFleet, postAndFind } from './fleet.mjs';
import { start, until } from './server.mjs';

let server;
let fleet;
before(async () => {
  server = await start('--analyze-interval', '2s');
  fleet = makeFleet();
  await postAndFind(server, fleet);
  // Outliers are of the fleet's statistics, which are made beside the analysis.
  await until(async () => rows(await ok('/fleet-map?role=api-test')).some((r) => r.outlier !== null), 'an outlier', 240000);
});
after(() => server.stop());

const api = (target, headers = {}) => server.request('GET', `/api/v1${target}`,
  { token: server.token('viewer'), headers });
async function ok(target) {
  const reply = await api(target);
  assert.equal(reply.status, 200, `${target}: ${reply.body}`);
  return reply.json();
}
async function refused(target, field) {
  const reply = await api(target);
  assert.equal(reply.status, 422, `${target}: ${reply.body}`);
  assert.equal(reply.json().field, field, target);
}
/** Rows as objects, dictionaries resolved. */
function rows(map) {
  const names = Object.keys(map.columns);
  let key = 0;
  return Array.from({ length: map.count }, (_, i) => Object.fromEntries(names.map((name) => {
    const value = map.columns[name][i];
    if (name === 'key') return [name, value === null ? null : (key += value)];
    const words = name === 'band' ? null : map.dictionaries[name];
    return [name, words && value !== null ? words[value] : value];
  })));
}

test('every host is in the columns once, with what the list of hosts says of it', async () => {
  const map = await ok('/fleet-map?role=api-test');
  for (const [name, column] of Object.entries(map.columns)) assert.equal(column.length, map.count, name);
  const list = (await ok('/hosts?role=api-test&limit=1000')).items;
  const found = rows(map);
  assert.equal(found.length, list.length);
  assert.ok(found.every((r, i) => i === 0 || r.key > found[i - 1].key), 'by key');
  for (const host of list) {
    const row = found.find((r) => r.id === host.id);
    assert.equal(row.name, host.name);
    assert.equal(row.role, host.role);
    assert.equal(row.os_build, host.os_build);
    assert.equal(row.model, host.model);
    assert.equal(row.nonpaged_mib, Math.round(host.nonpaged_bytes / 2 ** 20));
    assert.equal(row.ram_mib, Math.round(host.ram_bytes / 2 ** 20));
    assert.equal(row.uptime_seconds, host.uptime_seconds);
    assert.equal(row.findings, host.findings);
    assert.equal(row.severity, host.worst_severity === null ? null : ['info', 'warning', 'critical'].indexOf(host.worst_severity));
    assert.equal(row.state, host.awaiting_first_snapshot ? 2 : Number(host.silent));
  }
});

test('the leaking host: its finding, its growth, and what stands out', async () => {
  const row = rows(await ok('/fleet-map?role=api-test')).find((r) => r.id === fleet.leaky.id);
  const finding = (await ok(`/findings?host=${fleet.leaky.id}&sort=-severity`)).items[0];
  assert.equal(row.finding, finding.id);
  assert.equal(row.outlier, 'nonpaged/Leak');
  assert.ok(row.outlier_score > 50, `score ${row.outlier_score}`);
  assert.ok(row.growth_bytes_per_hour > 30e6 && row.growth_bytes_per_hour < 50e6);
  const left = finding.hosts.find((h) => h.id === fleet.leaky.id).exhausts_at;
  assert.equal(row.exhausts_at, left === null ? null : Math.floor(Date.parse(left.p50) / 1000));
  const calm = rows(await ok('/fleet-map?role=api-test')).find((r) => r.id === fleet.hosts[6].id);
  assert.deepEqual([calm.finding, calm.growth_bytes_per_hour, calm.outlier], [null, null, null]);
});

test('columns, tag and driver can be asked for', async () => {
  const map = await ok('/fleet-map?role=api-test&tag=Leak&pool=nonpaged&driver=apitest.sys&columns=key,id,tag_mib,tag_score,driver');
  assert.deepEqual(Object.keys(map.columns), ['key', 'id', 'tag_mib', 'tag_score', 'driver']);
  const row = rows(map).find((r) => r.id === fleet.leaky.id);
  assert.equal(row.tag_mib, Math.round((200e6 + 48 * 40e6) / 2 ** 20));
  assert.ok(row.tag_score > 50);
  assert.equal(row.driver, '2.0.0');
  assert.equal(rows(map).find((r) => r.id === fleet.hosts[5].id).driver, '1.0.0');
  const none = await ok('/fleet-map?role=api-test&driver=nowhere.sys&columns=driver');
  assert.deepEqual([...new Set(rows(none).map((r) => r.driver))], ['']);
  assert.ok(!('tag_mib' in (await ok('/fleet-map')).columns), 'not without a tag');
  await refused('/fleet-map?columns=key,nonsense', 'columns');
  assert.deepEqual((await ok('/fleet-map?role=api-test&tag=Leak&columns=tag_mib')).columns, (await ok('/fleet-map?role=api-test&tag=Leak&pool=nonpaged&columns=tag_mib')).columns);
  await refused('/fleet-map?pool=paged', 'tag');
  await refused('/fleet-map?tag=toolong&pool=paged', 'tag');
  await refused('/fleet-map?limit=5', 'limit');
});

test('the list and the map filter alike', async () => {
  for (const filter of ['q=API-0', 'q=PowerEdge', 'role=api-test', 'os.build=26100.4061', 'model=PowerEdge R650', 'model=other', 'severity=critical',
    'severity=none', 'band=3-14d', 'band=0-1h', 'band=?', 'finding=yes', 'finding=no', 'silent=no', 'silent=yes', 'role=api-test&severity=none&band=3-14d']) {
    const query = new URLSearchParams(filter).toString();
    const list = (await ok(`/hosts?${query}&limit=1000`)).items.map((h) => h.id).sort();
    const map = rows(await ok(`/fleet-map?${query}&columns=key,id`)).map((r) => r.id).sort();
    assert.deepEqual(map, list, filter);
  }
  for (const bad of ['severity=loud', 'band=long', 'finding=maybe', 'silent=1']) {
    await refused(`/hosts?${bad}`, bad.split('=')[0]);
    await refused(`/fleet-map?${bad}`, bad.split('=')[0]);
  }
});

test('an unchanged map is 304, also packed; names are escaped', async () => {
  const first = await api('/fleet-map?role=api-test', { 'accept-encoding': 'gzip' });
  assert.equal(first.headers['content-encoding'], 'gzip');
  const again = await api('/fleet-map?role=api-test', { 'if-none-match': first.headers.etag, 'accept-encoding': 'gzip' });
  assert.equal(again.status, 304);
  assert.ok(rows(await ok('/fleet-map')).some((r) => r.name === fleet.odd.name));
});

test('overview: each host stands one way, groups add up, what was checked', async () => {
  const o = await ok('/overview');
  const sum = (s) => s.critical + s.warning + s.info + s.faulty + s.silent + s.awaiting + s.ok;
  assert.equal(sum(o.hosts.standing), o.hosts.total + o.hosts.awaiting);
  assert.equal(o.map.groups.reduce((n, g) => n + g.hosts, 0), o.hosts.total + o.hosts.awaiting);
  for (const group of o.map.groups) assert.equal(sum(group), group.hosts);
  assert.ok(o.checked.hosts === o.hosts.total && o.checked.tags >= 5 && o.checked.rows >= 5 * 12);
  assert.ok(Date.parse(o.checked.since) <= fleet.end - 48 * 3600e3);
});

test('overview: what is new since a moment; nothing is before it happened', async () => {
  const id = (await ok(`/findings?host=${fleet.leaky.id}&sort=-severity`)).items[0].id;
  const since = async (at) => (await ok(`/overview?since=${encodeURIComponent(new Date(at).toISOString())}`)).changes;
  const wide = await since(fleet.end - 60 * 86400e3);
  assert.equal(wide.items.find((i) => i.finding_id === id)?.change, 'new', JSON.stringify(wide));
  assert.ok(wide.new >= 1 && wide.items.length <= 20);
  const later = await since(Date.now() + 60e3);
  assert.deepEqual([later.new, later.worsened, later.resolved, later.items], [0, 0, 0, []]);
  await refused('/overview?since=yesterday', 'since');
  const patch = (body) => server.request('PATCH', `/api/v1/findings/${id}`, { token: server.token('operator'), headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) });
  assert.equal((await patch({ status: 'muted' })).status, 200);
  assert.ok(!(await since(fleet.end - 60 * 86400e3)).items.some((i) => i.finding_id === id), 'muted ones are no news');
  assert.equal((await patch({ status: 'open' })).status, 200);
});
