// SPDX-License-Identifier: Apache-2.0
// A host that posts what cannot be true: named with the reason until it is well again, on any server.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, test } from 'node:test';
import { post } from './fleet.mjs';
import { start, until } from './server.mjs';

const id = randomUUID();
const DAY = 86400e3;
let server;
let other;
before(async () => {
  server = await start('--analyze-interval', '1s');
});
after(async () => {
  await server.stop();
  await other?.stop();
});

const get = async (target, from = server) => {
  const reply = await from.request('GET', `/api/v1${target}`, { token: from.token('viewer') });
  assert.equal(reply.status, 200, `${target}: ${reply.body}`);
  return reply.json();
};
const boot = Date.now() - 2 * DAY;
const tell = (sequence, bytes, more = {}) => post(server, [{ format: 1, host: { id, name: 'NONSENSE' },
  boot_at: new Date(boot).toISOString(), taken_at: new Date(Date.now() - 1000).toISOString(), sequence,
  totals: { physical_bytes: 8e9 }, nonpaged: { tag: ['Abcd', 'Efgh'], bytes: [bytes, 4096] }, ...more }]);
const found = async (from) => (await get(`/hosts?faulty=yes&q=${id}`, from)).items[0];

test('rows beyond the memory make a host faulty: list, detail, map and overview say so on every server', async () => {
  await tell(1, 64e9);
  const item = await until(found, 'the host to be told as faulty', 60000);
  assert.equal(item.faulty_reason, 'nonpaged_beyond_memory');
  assert.ok(Math.abs(Date.parse(item.faulty_since) - Date.now()) < DAY, item.faulty_since);
  assert.deepEqual((await get(`/hosts?faulty=no&q=${id}`)).items, []);
  other = await start('--analyze-interval', '0'); // never analyzes
  const elsewhere = await get(`/hosts/${id}`, other);
  assert.equal(elsewhere.faulty_reason, 'nonpaged_beyond_memory');
  assert.equal(elsewhere.faulty_since, item.faulty_since, 'it keeps when it began');
  const map = await get(`/fleet-map?q=${id}&columns=id,faulty`, other);
  assert.deepEqual(map.columns.faulty.map((i) => map.dictionaries.faulty[i]), ['nonpaged_beyond_memory']);
  const { hosts } = await get('/overview', other);
  assert.ok(hosts.faulty >= 1);
  assert.ok(hosts.standing.faulty >= 1, 'and it does not stand among the healthy');
});

test('another reason takes its place, and a snapshot that may be true takes it away', async () => {
  const { faulty_since } = await found();
  await tell(2, 4096, { paged: { tag: ['Abcd'], bytes: [400e12] } });
  await until(async () => (await found())?.faulty_reason === 'paged_beyond_commit', 'the other reason', 60000);
  assert.equal((await found()).faulty_since, faulty_since);
  await tell(3, 4096, { paged: { tag: ['Abcd'], bytes: [4096] } });
  await until(async () => (await found()) === undefined, 'the host to be well', 60000);
  const well = await get(`/hosts/${id}`);
  assert.equal(well.faulty_reason, null);
  assert.equal(well.faulty_since, null);
});

test('a wrong value of the filter is refused with its name', async () => {
  const reply = await server.request('GET', '/api/v1/hosts?faulty=maybe', { token: server.token('viewer') });
  assert.equal(reply.status, 422);
  assert.equal(reply.json().field, 'faulty');
});
