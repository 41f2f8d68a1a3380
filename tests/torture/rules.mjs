// SPDX-License-Identifier: Apache-2.0
// What must hold, whatever has happened: pure functions, so that each can be shown to fail
// (rules.test.mjs). Each gives a list of texts, empty when it holds, cut to a readable length.

const TOLD = 8;
const tell = (faults) => (faults.length <= TOLD ? faults :
  [...faults.slice(0, TOLD), `and ${faults.length - TOLD} more`]);

/** undefined, or what is wrong with an answer: allowed statuses, or 503 with Retry-After. */
export function judgeAnswer({ status, headers, body }, allowed) {
  if (allowed.includes(status)) return undefined;
  if (status !== 503) return `answered ${status}: ${String(body).slice(0, 300)}`;
  if (!/^[1-9][0-9]*$/.test(headers['retry-after'] ?? '')) return '503 without Retry-After';
  if (!String(headers['content-type']).startsWith('application/problem+json'))
    return `503 as ${headers['content-type']}`;
  return undefined;
}

const key = (host, boot, sequence) => `${host} ${boot} ${sequence}`;

/** rows: [host id, boot (epoch seconds), sequence, taken_at (epoch ms), hash, step + 1, count] as
 * stored. acknowledged: as Ledger.acknowledged() gave it before they were read. */
export function judgeStored(ledger, acknowledged, rows) {
  const lost = [], doubled = [], changed = [], invented = [];
  const stored = new Map();
  for (const [id, boot, sequence, taken, hash, paged, count] of rows) {
    const k = key(id, boot, sequence);
    const before = stored.get(k);
    stored.set(k, { taken: Number(taken), hash: Number(hash), paged: Number(paged),
      count: Number(count) + (before?.count ?? 0) });
  }
  for (const host of ledger.hosts) {
    host.entries.forEach((entry, step) => {
      const k = key(host.id, host.bootAt(step) / 1000, host.sequence(step));
      const found = stored.get(k);
      const name = `step ${step} of host ${host.index}`;
      stored.delete(k);
      if (!found) {
        if (acknowledged[host.index]?.[step]) lost.push(`${name} was acknowledged and is not stored`);
        return;
      }
      if (found.count > 1) doubled.push(`${name} is stored ${found.count} times`);
      if (entry.sent === 0) invented.push(`${name} is stored and was never sent`);
      if (found.hash !== entry.hash || found.paged !== step + 1 || found.taken !== host.takenAt(step))
        changed.push(`${name} is stored with another content`);
    });
  }
  for (const k of stored.keys()) invented.push(`"${k}" is stored and was never sent`);
  return { lost: tell(lost), doubled: tell(doubled), changed: tell(changed), invented: tell(invented) };
}

/** What the decoder says of one row of one host: points [t (epoch s), bytes, outstanding]; of the
 * acknowledged steps every one must be there once, with its own values; others at most once. */
export function judgeSeries(host, acknowledged, pool, row, points) {
  const faults = [];
  const byTime = new Map();
  for (const point of points) {
    if (byTime.has(point[0])) faults.push(`host ${host.index} has two points at ${point[0]}`);
    byTime.set(point[0], point);
  }
  host.entries.forEach((entry, step) => {
    const t = host.takenAt(step) / 1000;
    const point = byTime.get(t);
    byTime.delete(t);
    if (!point) {
      if (acknowledged[step]) faults.push(`step ${step} of host ${host.index} cannot be read back`);
      return;
    }
    const [, allocs, frees, bytes] = host.table(pool, step)[row];
    if (point[1] !== bytes || point[2] !== allocs - frees)
      faults.push(`step ${step} of host ${host.index} reads ${point[1]}/${point[2]}, sent were ${bytes}/${allocs - frees}`);
  });
  for (const t of byTime.keys()) faults.push(`host ${host.index} has a point at ${t} that was never sent`);
  return tell(faults);
}

/** One complete table as served: {at (ms), items}. It must be that of its step, whole. newest: the
 * step may be no older than the last acknowledged one. */
export function judgeTable(host, served, { notBefore = 0 } = {}) {
  if (!served) return host.last >= notBefore && host.last >= 0 ? [`host ${host.index} is not served`] : [];
  const step = host.entries.findIndex((_, i) => host.takenAt(i) === served.at);
  if (step < 0) return [`host ${host.index} is served at ${served.at}, which was never sent`];
  if (step < notBefore) return [`host ${host.index} is served at step ${step}, step ${notBefore} was acknowledged`];
  const faults = [];
  for (const [pool, name] of ['nonpaged', 'paged'].entries()) {
    const of = new Map(served.items.filter((i) => i.pool === name).map((i) => [i.tag, i]));
    const table = host.table(pool, step);
    if (of.size !== table.length) faults.push(`host ${host.index} step ${step} has ${of.size} ${name} rows`);
    for (const [tag, allocs, frees, bytes] of table) {
      const item = of.get(tag);
      if (!item || item.allocs !== allocs || item.frees !== frees || item.bytes !== bytes)
        faults.push(`host ${host.index} step ${step}: ${name} "${tag}" is not what was sent`);
    }
  }
  return tell(faults);
}

/** The process after a fault against the same process, or the first one, before. */
export function judgeProcess(before, after, { files, memoryBytes }) {
  const faults = [];
  if (after.files > before.files + files)
    faults.push(`${after.files} open files, ${before.files} before`);
  if (memoryBytes && after.memory > before.memory + memoryBytes)
    faults.push(`${mib(after.memory)} of memory, ${mib(before.memory)} before`);
  return faults;
}

export function judgeBound(what, tookMs, boundMs) {
  return tookMs > boundMs ? [`${what} took ${tookMs} ms, at most ${boundMs} are allowed`] : [];
}

const mib = (bytes) => `${(bytes / 1048576).toFixed(1)} MiB`;
