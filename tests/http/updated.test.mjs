// SPDX-License-Identifier: Apache-2.0
// What a host says of itself changes while the server runs: whoever reads facts from memory sees it.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, test } from 'node:test';
import { post } from './fleet.mjs';
import { start, until } from './server.mjs';

const id = randomUUID();
const driver = `updated-${id.slice(0, 8)}.sys`;
let server;
before(async () => {
  server = await start('--analyze-interval', '0');
});
after(() => server.stop());

const boot = Date.now() - 86400e3;
const tell = (sequence, version) => post(server, [{ format: 1, host: { id, name: 'UPDATED', drivers: [{ name: driver, version }] },
  boot_at: new Date(boot).toISOString(), taken_at: new Date(Date.now() - 60000 + 1000 * sequence).toISOString(), sequence,
  nonpaged: { tag: ['Abcd'], bytes: [4096] } }]);
const versions = async () => {
  const reply = await server.request('GET', `/api/v1/drivers/${driver}/hosts`, { token: server.token('viewer') });
  return reply.status === 200 ? reply.json().items.map((i) => i.version) : [];
};
const shows = (version) => until(async () => {
  const [shown] = await versions();
  return shown === version;
}, `version ${version} on the driver's page`, 60000);

test('a driver is updated: the driver shows its host with the new version, without a restart', async () => {
  await tell(1, '1.0');
  await shows('1.0');
  await tell(2, '2.0');
  await shows('2.0');
  assert.deepEqual(await versions(), ['2.0']);
});
