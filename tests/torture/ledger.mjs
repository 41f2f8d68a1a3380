// SPDX-License-Identifier: Apache-2.0
// What was sent and how it was answered: the one witness that is not the server. Every document's
// content follows from (seed, host, step), so that the ledger holds 1 entry of a few numbers for it
// and can still say each counter of it.
//
// A host takes one snapshot a step. A document tells the rows that changed since the last one that
// was *acknowledged*, as an agent does; now and then one that got no answer is given up for good,
// as an agent's full spool does. Boots are 10 minutes apart, the steps within one a second.
import crypto from 'node:crypto';
import { mix } from './random.mjs';

const ROWS = 24;
const SIZES = [32, 64, 160, 512, 4096];
export const BOOT_SECONDS = 600;
/** Rows of the nonpaged pool that the checker reads back for every step: always, often and seldom
 * changed. */
export const WITNESS_ROWS = [0, 2, 7];

export const tagOf = (row) => `T${String.fromCharCode(65 + row)}r${row % 10}`;

/** [allocs, frees, bytes] of a row at a step: row r changes every r/2+1 steps, not all at
 * once. */
function rowAt(seed, host, pool, row, step) {
  const period = Math.floor(row / 2) + 1;
  const version = Math.floor((step + mix(row) % period) / period);
  const outstanding = 10 + mix(seed, host, pool, row, version) % 500;
  const frees = 1000 + version * (row + 3);
  return [frees + outstanding, frees, outstanding * SIZES[row % SIZES.length] + version % 8];
}

export function tableAt(seed, host, pool, step) {
  return Array.from({ length: ROWS }, (_, row) => [tagOf(row), ...rowAt(seed, host, pool, row, step)]);
}

/** 48 bits over the complete tables: sent as a total, so that plain SQL can compare it. */
export function hashAt(seed, host, step) {
  const text = JSON.stringify([0, 1].map((pool) => tableAt(seed, host, pool, step)));
  return crypto.createHash('sha256').update(text).digest().readUIntBE(0, 6);
}

export class Ledger {
  constructor(seed) {
    this.seed = seed;
    this.hosts = [];
  }

  add(id, { startMs, perBoot }) {
    const host = new Host(this, this.hosts.length, id, startMs, perBoot);
    this.hosts.push(host);
    return host;
  }

  /** What is sure now: per host which steps are acknowledged. Taken before the database is read. */
  acknowledged() {
    return this.hosts.map((host) => Uint8Array.from(host.entries, (e) => (e.answer === 'acknowledged' ? 1 : 0)));
  }

  count(answer) {
    return this.hosts.reduce((sum, host) => sum + host.counts[answer], 0);
  }
}

export class Host {
  constructor(ledger, index, id, startMs, perBoot) {
    Object.assign(this, { ledger, index, id, startMs, perBoot });
    this.entries = []; // by step: {hash, sent, answer: undefined, 'refused', 'lost', 'acknowledged'}
    this.last = -1;    // newest acknowledged step
    this.counts = { acknowledged: 0, refused: 0, lost: 0, given_up: 0, repeated: 0 };
  }

  bootOf(step) { return Math.floor(step / this.perBoot); }
  bootAt(step) { return this.startMs + this.bootOf(step) * BOOT_SECONDS * 1000; }
  sequence(step) { return step % this.perBoot + 1; }
  takenAt(step) { return this.bootAt(step) + (60 + step % this.perBoot) * 1000; }
  table(pool, step) { return tableAt(this.ledger.seed, this.index, pool, step); }

  /** The document of a step as it is sent now. */
  document(step) {
    const base = this.last >= 0 && this.last < step && this.bootOf(this.last) === this.bootOf(step) ? this.last : -1;
    const columns = (pool) => {
      const was = base < 0 ? [] : this.table(pool, base);
      const rows = this.table(pool, step).filter((row, i) => String(row) !== String(was[i]));
      return { tag: rows.map((r) => r[0]), allocs: rows.map((r) => r[1]), frees: rows.map((r) => r[2]),
        bytes: rows.map((r) => r[3]) };
    };
    const hash = hashAt(this.ledger.seed, this.index, step);
    this.entries[step] ??= { hash, sent: 0, answer: undefined };
    return { format: 1,
      host: { id: this.id, name: `TORTURE-${this.index}`,
        ...(base < 0 ? this.facts(step) : {}) },
      boot_at: new Date(this.bootAt(step)).toISOString(), taken_at: new Date(this.takenAt(step)).toISOString(),
      sequence: this.sequence(step), ...(base < 0 ? {} : { base: this.sequence(base) }),
      totals: { nonpaged_bytes: hash, paged_bytes: step + 1 },
      nonpaged: columns(0), paged: columns(1) };
  }

  /** What a host says of itself with a complete document. */
  facts(step) {
    return { attributes: { 'os.build': '26100.4061', role: 'torture', 'torture.boot': String(this.bootOf(step)) },
      drivers: [{ name: 'torture.sys', version: `1.0.${this.bootOf(step)}`, tags: [tagOf(0)] }] };
  }

  sent(steps) {
    for (const step of steps) this.entries[step].sent++;
  }

  answered(steps, answer) {
    for (const step of steps) {
      const entry = this.entries[step];
      if (entry.answer === 'acknowledged') { // a repeat
        this.counts.repeated += answer === 'acknowledged' ? 1 : 0;
        continue;
      }
      entry.answer = answer;
      this.counts[answer]++;
      if (answer === 'acknowledged' && step > this.last) this.last = step;
    }
  }
}
