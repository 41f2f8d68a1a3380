// SPDX-License-Identifier: Apache-2.0
// A small fleet that is posted through the API: some days of hourly snapshots, one host that leaks
// and runs another driver version. Ids are random, so that suites can share a database.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { until } from './server.mjs';

const HOUR = 3600e3;
const BAD_NAME = '=cmd|<b>"x"</b>';

export const HOUR_MS = HOUR;

export function makeFleet({ hosts = 12, hours = 48, now = Date.now() } = {}) {
  const end = now - 5000;
  const list = [];
  for (let i = 0; i < hosts; i++)
    list.push({ id: randomUUID(), name: i === 3 ? BAD_NAME : `API-${String(i).padStart(2, '0')}`,
      leaks: i === 0, role: 'api-test', build: '26100.4061' });
  const documents = [];
  for (let h = hours; h >= 0; h--) {
    for (const [i, host] of list.entries()) {
      const at = end - h * HOUR;
      const age = hours - h;
      const leak = host.leaks ? 200e6 + age * 40e6 : 1e6 + i * 1000;
      const sequence = age + 1;
      const rows = { 'Leak': [Math.floor(leak / 256) + 1000 * age, 1000 * age, Math.floor(leak)],
        'EtwB': [300 + age, 130 + age, 6550080], 'Ddk ': [10, 5, 4096],
        '\\x01abc': [7, 3, 1024 + i] };
      documents.push({ format: 1,
        host: { id: host.id, name: host.name, attributes: { 'os.build': host.build,
          'os.name': 'Windows Server 2025', role: host.role, 'hw.ram_bytes': '34359738368',
          'hw.model': 'PowerEdge R650' },
        drivers: [{ name: 'apitest.sys', version: host.leaks && age > 2 ? '2.0.0' : '1.0.0',
          company: 'Example', tags: ['Leak'] }] },
        boot_at: new Date(end - (hours + 30) * HOUR).toISOString(),
        taken_at: new Date(at).toISOString(), sequence,
        totals: { nonpaged_bytes: Math.floor(500e6 + leak), paged_bytes: 300e6,
          nonpaged_limit_bytes: 8e9 },
        nonpaged: { tag: Object.keys(rows).sort(), allocs: Object.keys(rows).sort().map((t) => rows[t][0]),
          frees: Object.keys(rows).sort().map((t) => rows[t][1]),
          bytes: Object.keys(rows).sort().map((t) => rows[t][2]) },
        paged: { tag: ['CM31'], allocs: [5555], frees: [0], bytes: [24899584 + i] },
        objects: { type: ['Thread'], objects: [1907 + i], handles: [1907] },
        processes: [{ pid: 4820, image: 'TestApp.exe', handles: 1907 }],
        sessions: [{ id: 9, paged_bytes: 33333248, failures: 0 }],
        events: i !== 5 ? [] : [{ at: new Date(at - 1000).toISOString(), provider: 'Srv', id: 7 }] });
    }
  }
  return { hosts: list, documents, leaky: list[0], odd: list[3], end, leaked: 200e6 + hours * 40e6 };
}

export async function post(server, documents) {
  for (let i = 0; i < documents.length; i += 200) {
    const part = documents.slice(i, i + 200);
    const reply = await server.request('POST', '/api/v1/snapshots', { token: server.token('ingest'),
      headers: { 'content-type': 'application/x-ndjson' },
      body: part.map((d) => JSON.stringify(d)).join('\n') });
    assert.equal(reply.status, 200, reply.body.toString());
    assert.deepEqual(reply.json().rejected, []);
  }
}

/** Posts the fleet and waits for the finding of its leak, as of the newest snapshot: a pass of the analysis that
 * ran between two posts has told of less. */
export async function postAndFind(server, fleet) {
  await post(server, fleet.documents);
  const get = async (target) => (await server.request('GET', `/api/v1/findings${target}`, { token: server.token('viewer') })).json();
  return until(async () => {
    const { items } = await get(`?host=${fleet.leaky.id}&tag=Leak&status=open,acknowledged,muted,resolved`);
    const finding = items?.find((f) => f.kind === 'leak');
    const hosts = finding ? (await get(`/${finding.id}`)).hosts : [];
    return hosts?.some((h) => h.id === fleet.leaky.id && h.bytes === fleet.leaked) && finding;
  }, 'the leak to be found, as large as it is', 240000);
}
