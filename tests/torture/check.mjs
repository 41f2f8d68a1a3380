// SPDX-License-Identifier: Apache-2.0
// Reads what the rules judge: rows by SQL, contents through the API and so the project's own
// decoder, the process from /proc.
import fs from 'node:fs';
import { BOOT_SECONDS, WITNESS_ROWS, tagOf } from './ledger.mjs';
import { judgeProcess, judgeSeries, judgeStored, judgeTable } from './rules.mjs';
import { until } from './wait.mjs';

const POOLS = ['nonpaged', 'paged'];
const SETTLE_MS = 10000;
/** What may come and go: the pool's connections and those of clients that read. */
const FILES_SLACK = 16;
/** State of hosts and caches is small here; a leak of a document a fault is not. */
const MEMORY_SLACK = 48 << 20;
const WINDOW_BOOTS = 7; // of a series, so that each of its 5,000 points may be one second

export function sampleProcess(pid) {
  const status = fs.readFileSync(`/proc/${pid}/status`, 'utf8');
  return { pid, files: fs.readdirSync(`/proc/${pid}/fd`).length,
    memory: Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)[1]) * 1024,
    threads: Number(/^Threads:\s+(\d+)$/m.exec(status)[1]) };
}

/** Sanitizers keep freed memory on purpose. */
const isSanitized = (pid) => /lib[at]san|libubsan/.test(fs.readFileSync(`/proc/${pid}/maps`, 'utf8'));

/** Back at the level before the first fault, after a while at most. */
export async function checkProcess(world) {
  const limits = { files: FILES_SLACK, memoryBytes: isSanitized(world.server.pid) ? 0 : MEMORY_SLACK };
  let faults;
  await until(() => {
    faults = judgeProcess(world.before, sampleProcess(world.server.pid), limits);
    return faults.length === 0;
  }, 'the process to settle', SETTLE_MS).catch(() => {});
  return faults;
}

export async function checkStored(world) {
  const acknowledged = world.ledger.acknowledged();
  const rows = await world.cluster.sql('SELECT h.id, extract(epoch FROM s.boot_at)::bigint, s.sequence, ' +
    '(extract(epoch FROM s.taken_at) * 1000)::bigint, min(s.nonpaged_bytes), min(s.paged_bytes), count(*) ' +
    'FROM snapshot s JOIN host h USING (host_id) GROUP BY 1, 2, 3, 4');
  return judgeStored(world.ledger, acknowledged, rows);
}

/** What a read says once the server has the database again: one that comes right after a silence may be refused. */
const answered = (world, target) => until(async () => {
  const reply = await world.get(target);
  return reply.status === 503 ? null : reply;
}, `an answer to ${target}`);

async function readTable(world, host, at) {
  const query = at === undefined ? '' : `&at=${new Date(at).toISOString()}`;
  const reply = await answered(world, `/api/v1/hosts/${host.id}/tags?limit=1000${query}`);
  if (reply.status === 404) return null;
  if (reply.status !== 200) throw new Error(`could not read a table back: ${reply.status} ${reply.body}`);
  const { at: taken, items } = reply.json();
  return { at: Date.parse(taken), items };
}

async function readSeries(world, host, pool, row, fromStep, toStep) {
  const iso = (ms) => new Date(ms).toISOString();
  const reply = await answered(world, `/api/v1/hosts/${host.id}/tags/${encodeURIComponent(tagOf(row))}/series?pool=` +
    `${POOLS[pool]}&points=5000&from=${iso(host.takenAt(fromStep))}&to=${iso(host.takenAt(toStep) + 1)}`);
  if (reply.status !== 200) throw new Error(`could not read a series back: ${reply.status} ${reply.body}`);
  const { t, bytes, outstanding } = reply.json();
  return t.map((at, i) => [at, bytes[i], outstanding[i]]);
}

async function checkHistory(world, host, acknowledged) {
  const faults = [];
  const window = WINDOW_BOOTS * host.perBoot;
  for (const [i, row] of WITNESS_ROWS.entries()) {
    const points = [];
    for (let from = 0; from < host.entries.length; from += window)
      points.push(...await readSeries(world, host, i % 2, row, from, Math.min(from + window, host.entries.length) - 1));
    faults.push(...judgeSeries(host, acknowledged, i % 2, row, points));
  }
  return faults;
}

/** Every host's newest state, and a table somewhere in its past; whole: every step of some rows. */
export async function checkServed(world, { whole }) {
  const faults = [];
  for (const host of world.ledger.hosts) {
    const acknowledged = world.ledger.acknowledged()[host.index];
    const notBefore = host.last;
    faults.push(...judgeTable(host, await readTable(world, host), { notBefore }));
    const past = acknowledged.indexOf(1, Math.floor(acknowledged.length * ((host.index * 0.37) % 1)));
    if (past >= 0) {
      const served = await readTable(world, host, host.takenAt(past));
      faults.push(...judgeTable(host, served));
      if (served && served.at !== host.takenAt(past)) faults.push(`host ${host.index} has nothing at step ${past}`);
    }
    if (whole) faults.push(...await checkHistory(world, host, acknowledged));
  }
  return faults;
}

export { BOOT_SECONDS };
