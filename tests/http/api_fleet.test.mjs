// SPDX-License-Identifier: Apache-2.0
// Hosts, tags and drivers through the API: figures, pages, filters, encodings, caching.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { HOUR_MS, makeFleet, post } from './fleet.mjs';
import { start, until } from './server.mjs';

let server;
let fleet;
before(async () => {
  server = await start('--analyze-interval', '2s');
  fleet = makeFleet();
  await post(server, fleet.documents);
  // The statistics of a fleet follow its snapshots by a moment; figures against peers need them.
  await until(async () => mine((await ok('/tags/Leak/hosts?limit=1000')).items).length === fleet.hosts.length,
    'statistics with every host posted', 240000);
});
after(() => server.stop());

const api = (target, headers = {}) => server.request('GET', `/api/v1${target}`,
  { token: server.token('viewer'), headers });
const ok = async (target) => {
  const reply = await api(target);
  assert.equal(reply.status, 200, `${target}: ${reply.body}`);
  return reply.json();
};
const refused = async (target, field) => {
  const reply = await api(target);
  assert.equal(reply.status, 422, `${target}: ${reply.body}`);
  assert.equal(reply.json().field, field, target);
};
const iso = (ms) => new Date(ms).toISOString();
const mine = (items) => items.filter((i) => fleet.hosts.some((h) => h.id === (i.host_id ?? i.id)));

test('hosts: pages of two join to the whole list, in order, without repeats', async () => {
  for (const sort of ['name', '-nonpaged_bytes', '-last_seen', 'worst_severity', 'ram_bytes']) {
    const seen = [];
    let cursor = '';
    do {
      const page = await ok(`/hosts?role=api-test&limit=5&sort=${sort}${cursor}`);
      assert.ok(page.items.length <= 5);
      seen.push(...page.items.map((i) => i.id));
      cursor = page.next_cursor && `&cursor=${encodeURIComponent(page.next_cursor)}`;
    } while (cursor);
    assert.equal(new Set(seen).size, seen.length);
    for (const host of fleet.hosts) assert.ok(seen.includes(host.id), `${sort} ${host.id}`);
  }
});

test('hosts: filters and strict parameters', async () => {
  assert.deepEqual((await ok(`/hosts?q=${fleet.leaky.id.toUpperCase()}`)).items.map((i) => i.id),
    [fleet.leaky.id]);
  assert.equal((await ok('/hosts?role=nothing')).total, 0);
  assert.equal((await ok('/hosts?os.build=26100&role=api-test')).total, 0, 'os.build is exact');
  assert.equal(mine((await ok('/hosts?silent=yes&limit=1000')).items).length, 0);
  await refused('/hosts?limit=0', 'limit');
  await refused('/hosts?limit=1001', 'limit');
  await refused('/hosts?sort=nothing', 'sort');
  await refused('/hosts?cursor=abc', 'cursor');
  await refused('/hosts?silent=maybe', 'silent');
  await refused('/hosts?Silent=yes', 'Silent');
  const { next_cursor } = await ok('/hosts?limit=1&sort=name&role=api-test');
  await refused(`/hosts?limit=1&sort=-name&cursor=${next_cursor}`, 'cursor');
});

test('hosts: CSV is whole, and a name that begins a formula is not one', async () => {
  const reply = await api('/hosts?role=api-test', { accept: 'text/csv' });
  assert.match(reply.headers['content-type'], /^text\/csv/);
  const lines = reply.body.toString().trimEnd().split('\r\n');
  assert.ok(lines[0].startsWith('id,name,os_name,os_build,role,model,ram_bytes,boot_at,'));
  assert.equal(lines.length - 1, (await ok('/hosts?role=api-test')).total);
  const odd = lines.find((l) => l.startsWith(fleet.odd.id));
  assert.ok(odd.includes(`,"'=cmd|<b>""x""</b>",`), odd);
  const rows = (await api('/hosts?role=api-test', { accept: 'application/x-ndjson' })).body.toString()
    .trimEnd().split('\n').map((l) => JSON.parse(l));
  assert.equal(rows.length, lines.length - 1);
  assert.equal(rows.find((r) => r.id === fleet.odd.id).name, fleet.odd.name);
});

test('an unchanged answer is 304, a new snapshot changes it', async () => {
  const target = `/hosts/${fleet.hosts[7].id}/tags`;
  const first = await api(target);
  const again = await api(target, { 'if-none-match': first.headers.etag });
  assert.equal(again.status, 304);
  assert.equal(again.body.length, 0);
  const next = structuredClone(fleet.documents.filter((d) => d.host.id === fleet.hosts[7].id).at(-1));
  next.taken_at = iso(Date.now() - 500);
  next.sequence += 1;
  next.nonpaged.bytes[0] += 4096;
  await post(server, [next]);
  const later = await api(target, { 'if-none-match': first.headers.etag });
  assert.equal(later.status, 200);
  const overview = await api('/overview');
  assert.ok(overview.headers.etag);
});

test('one host: history of drivers, totals over time, what the newest document said', async () => {
  const host = await ok(`/hosts/${fleet.leaky.id}`);
  assert.deepEqual(host.changes.map((c) => [c.kind, c.name, c.from, c.to]),
    [['driver', 'apitest.sys', '1.0.0', '2.0.0']]);
  assert.equal(host.drivers[0].version, '2.0.0');
  assert.deepEqual(host.drivers[0].tags, ['Leak']);
  assert.equal(host.totals_series.t.length, 49);
  assert.equal(host.totals_series.nonpaged_bytes.length, 49);
  assert.ok(host.totals_series.t.every((t, i, all) => i === 0 || t > all[i - 1]));
  assert.equal(host.boots.length, 1);
  assert.equal(host.boots[0].snapshots, 49);
  assert.deepEqual(host.objects, [{ type: 'Thread', objects: 1907, handles: 1907 }]);
  assert.equal(host.attributes.role, 'api-test');
  assert.equal(host.totals.handles, null);
  assert.equal(host.first_snapshot_at, iso(fleet.end - 48 * HOUR_MS));
});

test('poolmon table as columns: the same as the list, now, then, and with the difference', async () => {
  const whole = async (query) => {
    const table = await ok(`/hosts/${fleet.leaky.id}/tag-table${query}`);
    const { items, next_cursor, total, ...head } = await ok(`/hosts/${fleet.leaky.id}/tags${query}`);
    const { columns, dictionaries, nonpaged_rows, ...told } = table;
    assert.deepEqual(told, head, query);
    assert.equal(nonpaged_rows, items.filter((i) => i.pool === 'nonpaged').length);
    assert.equal(columns.tag.length, items.length);
    const ordered = columns.tag.map((tag, row) => items.find((i) => i.tag === tag && i.pool === (row < nonpaged_rows ? 'nonpaged' : 'paged')));
    for (const name of ['allocs', 'frees', 'bytes', 'delta_allocs', 'delta_frees', 'delta_bytes', 'cohort_bytes'])
      assert.deepEqual(columns[name] ?? ordered.map(() => null), ordered.map((i) => i[name]), `${name} ${query}`);
    for (const name of ['driver', 'description'])
      assert.deepEqual((columns[name] ?? ordered.map(() => null)).map((k) => (k === null ? null : dictionaries[name][k])), ordered.map((i) => i[name]), name);
    ordered.forEach((i, row) => assert.ok(i.score === null ? (columns.score?.[row] ?? null) === null : Math.abs(Math.min(9999, i.score) - columns.score[row]) <= 0.051, `${i.tag} ${i.score}`));
    return columns;
  };
  const now = await whole('');
  assert.equal(now.delta_bytes, null, 'nothing is known of a column that nobody asked for');
  const then = await whole(`?at=${iso(fleet.end - 10.5 * HOUR_MS)}`);
  for (const name of ['cohort_bytes', 'cohort_hosts', 'score']) assert.equal(then[name], null, name);
  const since = await whole(`?since=${iso(fleet.end - 4 * HOUR_MS)}`);
  assert.equal(since.delta_bytes[since.tag.indexOf('Leak')], 160e6);
  await refused(`/hosts/${fleet.leaky.id}/tag-table?at=yesterday`, 'at');
  await refused(`/hosts/${fleet.leaky.id}/tag-table?limit=5`, 'limit');
  assert.equal((await api('/hosts/nobody/tag-table')).status, 404);
});

test('poolmon table: now, then, and the difference', async () => {
  const now = await ok(`/hosts/${fleet.leaky.id}/tags`);
  assert.equal(now.rows_total, 5);
  assert.deepEqual(now.items.map((i) => i.bytes), now.items.map((i) => i.bytes).sort((a, b) => b - a));
  const leak = now.items.find((i) => i.tag === 'Leak');
  assert.equal(leak.bytes, 200e6 + 48 * 40e6);
  assert.equal(leak.outstanding, leak.allocs - leak.frees);
  assert.equal(leak.delta_bytes, null);
  assert.equal(leak.driver, 'myfault.sys');
  assert.ok(leak.score > 50, `score ${leak.score}`);
  assert.ok(leak.cohort_hosts >= 12);
  const then = await ok(`/hosts/${fleet.leaky.id}/tags?at=${iso(fleet.end - 10.5 * HOUR_MS)}`);
  assert.equal(then.at, iso(fleet.end - 11 * HOUR_MS));
  assert.equal(then.items.find((i) => i.tag === 'Leak').bytes, 200e6 + 37 * 40e6);
  assert.equal(then.cohort, null);
  const since = await ok(`/hosts/${fleet.leaky.id}/tags?q=leak&since=${iso(fleet.end - 4 * HOUR_MS)}`);
  assert.equal(since.items.length, 1);
  assert.equal(since.items[0].delta_bytes, 160e6);
  assert.equal(since.items[0].delta_frees, 4000);
  assert.equal(since.items[0].delta_allocs - 4000, 160e6 / 256);
  assert.equal((await api(`/hosts/${fleet.leaky.id}/tags?at=2001-01-01T00:00:00Z`)).status, 404);
  await refused(`/hosts/${fleet.leaky.id}/tags?at=yesterday`, 'at');
  await refused(`/hosts/${fleet.leaky.id}/tags?pool=session`, 'pool');
  await refused(`/hosts/${fleet.leaky.id}/tags?at=${iso(fleet.end - 4 * HOUR_MS)}&since=${iso(fleet.end)}`,
    'since');
});

test('across a reboot the differences are null, and a 32-bit wrap is no loss', async () => {
  const [a] = makeFleet({ hosts: 1, hours: 0 }).documents;
  const at = Date.now() - 3 * HOUR_MS;
  const document = (sequence, boot, hours, allocs, frees) => ({ ...a, sequence,
    boot_at: iso(at - (10 - boot) * HOUR_MS), taken_at: iso(at + hours * HOUR_MS),
    nonpaged: { tag: ['Wrap'], allocs: [allocs], frees: [frees], bytes: [64] } });
  await post(server, [document(1, 0, 0, 4294967000, 4294966900), document(2, 0, 1, 704, 604),
    document(1, 10.5, 2, 9, 1)]);
  const wrapped = await ok(`/hosts/${a.host.id}/tags?at=${iso(at + HOUR_MS)}&since=${iso(at)}&pool=nonpaged`);
  assert.equal(wrapped.rebooted, false);
  assert.equal(wrapped.items[0].delta_allocs, 1000);
  assert.equal(wrapped.items[0].outstanding, 100);
  const rebooted = await ok(`/hosts/${a.host.id}/tags?since=${iso(at)}&pool=nonpaged`);
  assert.equal(rebooted.rebooted, true);
  assert.equal(rebooted.items[0].delta_allocs, null);
  assert.equal(rebooted.items[0].delta_bytes, null);
  const series = await ok(`/hosts/${a.host.id}/tags/Wrap/series`);
  assert.deepEqual(series.outstanding, [100, 100, 8]);
  assert.equal(series.alloc_rate[0], null);
  assert.ok(Math.abs(series.alloc_rate[1] - 1000 / 3600) < 1e-6);
  assert.equal(series.alloc_rate[2], null);
  assert.equal(series.boots.length, 1);
});

test('tags: fleet totals, and a tag with odd bytes under its two spellings', async () => {
  const { items } = await ok('/tags?q=leak&pool=nonpaged');
  const leak = items.find((i) => i.tag === 'Leak');
  assert.ok(leak.hosts >= 12);
  assert.ok(leak.max_bytes >= 200e6 + 48 * 40e6);
  assert.ok(leak.median_bytes < leak.max_bytes);
  const odd = await ok('/tags/%5Cx01abc');
  assert.equal(odd.tag, '\\x01abc');
  assert.equal(odd.hex, '01 61 62 63');
  assert.equal((await ok('/tags/%01abc')).tag, '\\x01abc');
  assert.equal((await ok('/tags/Ddk%20')).tag, 'Ddk ');
  assert.equal((await ok('/tags/Ddk')).tag, 'Ddk ');
  assert.equal((await ok('/tags/EtwB')).pools.length, 1);
  assert.equal((await api('/tags/etwb')).status, 404, 'case is never folded');
  await refused('/tags/toolong', 'tag');
  const known = await ok('/tags/Leak');
  assert.ok(known.drivers.some((d) => d.name === 'apitest.sys'));
  assert.ok(known.owners.some((o) => o.source === 'driver_scan'));
});

test('one tag over the hosts: the leaking one leads, with its score', async () => {
  const spread = await ok('/tags/Leak/hosts?limit=1000');
  const ours = mine(spread.items);
  assert.equal(ours.length, 12);
  assert.equal(ours[0].host_id, fleet.leaky.id);
  assert.ok(ours[0].score > 50);
  assert.ok(ours.slice(1).every((h) => Math.abs(h.score) < 10));
  const search = await ok(`/tags/Leak/hosts?q=${fleet.hosts[2].id}`);
  assert.deepEqual(search.items.map((i) => i.host_id), [fleet.hosts[2].id]);
});

test('rollups: every hour of the back-fill is there', async () => {
  const series = await until(async () => {
    const s = await ok(`/tags/Leak/series?from=${iso(fleet.end - 47 * HOUR_MS)}`);
    return s.t.length >= 47 && s.hosts.every((n) => n >= 12) && s;
  }, 'the rollup of two days', 240000);
  for (const column of ['hosts', 'sum', 'p50', 'p90', 'p99', 'max'])
    assert.equal(series[column].length, series.t.length);
  assert.ok(series.t.every((t) => t % 3600 === 0));
  assert.ok(series.max.at(-1) > series.max[0]);
  assert.ok(series.p50.every((v, i) => v <= series.p90[i] && series.p90[i] <= series.max[i]));
});

test('drivers: versions, adoption by day', async () => {
  const list = await ok('/drivers?q=APITEST');
  assert.equal(list.items[0].name, 'apitest.sys');
  assert.equal(list.items[0].versions, 2);
  const driver = await ok('/drivers/apitest.sys');
  const two = driver.versions.find((v) => v.version === '2.0.0');
  assert.ok(two.hosts >= 1);
  assert.equal(driver.adoption.versions['2.0.0'].length, driver.adoption.t.length);
  assert.ok(driver.adoption.versions['1.0.0'].at(-1) >= 11);
  const csv = (await api('/drivers?q=apitest', { accept: 'text/csv' })).body.toString();
  assert.ok(csv.includes('"[""Leak""]"'), csv);
});

test('overview: sums of what is known', async () => {
  const overview = await ok('/overview');
  assert.ok(overview.hosts.total >= 12);
  assert.equal(overview.hosts.total, overview.hosts.reporting + overview.hosts.silent);
  assert.ok(overview.pools.nonpaged_bytes > 12 * 500e6);
  assert.ok(overview.top_tags.length <= 10);
  const sizes = overview.top_tags.map((t) => t.bytes);
  assert.deepEqual(sizes, [...sizes].sort((a, b) => b - a));
  assert.ok(overview.snapshots.last_hour >= 12);
});
