// What the host screen works out of the answers: the split of memory, gaps, boots on one axis, marks of
// the time bar, the other side of a comparison, CSV. Pure.
import { parseTime } from "./format.js";

/** @typedef {{ key: string, bytes: number }} Part */
/** @typedef {{ whole: number | null, parts: Part[], fault: "" | "unknown" | "contradiction" }} Split */

/** @param {number | null | undefined} n */
const known = (n) => typeof n === "number" && Number.isFinite(n);

/**
 * Only what the totals say. The commit charge holds both pools whole, so that split is exact; what
 * processes, drivers and the rest of the kernel have of it is one part, since no total tells them apart.
 * @param {Record<string, number | null>} t
 * @returns {Split}
 */
export function commitSplit(t) {
  const used = t.commit_bytes;
  if (!known(used)) return { whole: null, parts: [], fault: "unknown" };
  const u = /** @type {number} */ (used);
  const limit = known(t.commit_limit_bytes) ? /** @type {number} */ (t.commit_limit_bytes) : null;
  const whole = limit ?? u;
  /** @type {Part[]} */
  const parts = [];
  let rest = u;
  for (const key of ["nonpaged", "paged"]) {
    const v = t[key + "_bytes"];
    if (!known(v)) continue;
    parts.push({ key, bytes: /** @type {number} */ (v) });
    rest -= /** @type {number} */ (v);
  }
  if (rest < 0 || u > whole) return { whole, parts: [], fault: "contradiction" };
  parts.push({ key: parts.length === 2 ? "rest" : "unsplit", bytes: rest });
  if (limit !== null) parts.push({ key: "free", bytes: limit - u });
  return { whole, parts, fault: "" };
}

/**
 * Of physical memory: the nonpaged pool is always resident; how much of the paged pool is, nobody told,
 * so it stays in the part that is not told apart.
 * @param {Record<string, number | null>} t
 * @returns {Split}
 */
export function physicalSplit(t) {
  if (!known(t.physical_bytes) || !known(t.available_bytes)) return { whole: known(t.physical_bytes) ? t.physical_bytes : null, parts: [], fault: "unknown" };
  const whole = /** @type {number} */ (t.physical_bytes);
  const available = /** @type {number} */ (t.available_bytes);
  const pool = known(t.nonpaged_bytes) ? /** @type {number} */ (t.nonpaged_bytes) : null;
  const rest = whole - available - (pool ?? 0);
  if (rest < 0) return { whole, parts: [], fault: "contradiction" };
  return {
    whole, fault: "",
    parts: [...(pool === null ? [] : [{ key: "nonpaged", bytes: pool }]), { key: pool === null ? "inuse" : "resident", bytes: rest }, { key: "available", bytes: available }],
  };
}

/** The parts of a split over time, as lines of one length. @param {HostSeries} s @param {(t: Record<string, number | null>) => Split} split @param {string[]} keys */
export function splitLines(s, split, keys) {
  const lines = /** @type {Record<string, (number | null)[]>} */ (Object.fromEntries(keys.map((k) => [k, s.t.map(() => null)])));
  const names = Object.keys(s.columns);
  for (let i = 0; i < s.t.length; i++) {
    const at = split(Object.fromEntries(names.map((n) => [n, s.columns[n].last[i]])));
    for (const p of at.parts) if (lines[p.key]) lines[p.key][i] = p.bytes;
  }
  return lines;
}

/**
 * A line must not be drawn through hours without snapshots: a point without values is put into every
 * gap that is several times the usual step.
 * @param {number[]} t @param {(number | null)[][]} columns
 */
export function withGaps(t, columns) {
  const steps = t.slice(1).map((v, i) => v - t[i]).sort((a, b) => a - b);
  const usual = steps[Math.floor(steps.length / 2)] ?? 0;
  const limit = Math.max(usual * 4, 60);
  /** @type {number[]} */
  const outT = [];
  const out = columns.map(() => /** @type {(number | null)[]} */ ([]));
  t.forEach((v, i) => {
    if (i > 0 && v - t[i - 1] > limit) {
      outT.push(Math.round((t[i - 1] + v) / 2));
      for (const c of out) c.push(null);
    }
    outT.push(v);
    out.forEach((c, k) => c.push(columns[k][i]));
  });
  return { t: outT, columns: out };
}

/**
 * Boots over hours since boot, on one axis: where a boot has no point there is none of it.
 * @param {{ boot: number, t: number[], values: (number | null)[] }[]} boots boot and t: epoch seconds
 */
export function alignBoots(boots) {
  const x = [...new Set(boots.flatMap((b) => b.t.map((t) => Math.max(0, t - b.boot))))].sort((a, b) => a - b);
  const place = new Map(x.map((v, i) => [v, i]));
  const lines = boots.map((b) => {
    /** @type {(number | null)[]} */
    const line = x.map(() => null);
    b.t.forEach((t, i) => (line[/** @type {number} */ (place.get(Math.max(0, t - b.boot)))] = b.values[i]));
    return line;
  });
  return { hours: x.map((s) => s / 3600), lines };
}

/** Spans of the charts: how far back, in days; "boot" and "all" are worked out. */
export const SPANS = ["all", "30", "7", "1", "boot"];

/**
 * The range the charts show: what there is of what is wanted.
 * @param {{ first_snapshot_at: Time, last_snapshot_at: Time, boots: { boot_at: Time, first_seen: Time }[] }} host @param {string} span
 * @returns {{ from: number, to: number } | null} ms
 */
export function spanRange(host, span) {
  const first = parseTime(host.first_snapshot_at);
  const last = parseTime(host.last_snapshot_at);
  if (first === null || last === null) return null;
  if (span === "boot") {
    const newest = Math.max(...host.boots.map((b) => parseTime(b.first_seen) ?? 0));
    return { from: Math.max(first, newest), to: last };
  }
  const days = Number(span);
  return { from: Number.isFinite(days) && days > 0 ? Math.max(first, last - days * 86400000) : first, to: last };
}

/** The boot a moment belongs to: the newest that began at or before it. @param {{ boots: { boot_at: Time, first_seen: Time, last_seen: Time }[] }} host @param {number | null} at */
export function bootOf(host, at) {
  const boots = host.boots
    .map((b) => ({ first: parseTime(b.first_seen), boot: parseTime(b.boot_at) }))
    .filter((b) => b.first !== null)
    .sort((a, b) => /** @type {number} */ (b.first) - /** @type {number} */ (a.first));
  return boots.find((b) => at === null || /** @type {number} */ (b.first) <= at) ?? null;
}

/**
 * Entries that would lie on one another become one mark with a count.
 * @param {HostHistoryItem[]} items @param {number} first ms @param {number} last ms @param {number} bins
 */
export function clusters(items, first, last, bins) {
  /** @type {Map<string, { at: number, kind: string, items: HostHistoryItem[] }>} */
  const out = new Map();
  for (const item of items) {
    const at = parseTime(item.at);
    if (at === null || at > last || at < first) continue;
    const key = item.kind + Math.floor(((at - first) / (last - first || 1)) * bins);
    const held = out.get(key);
    if (held) held.items.push(item);
    else out.set(key, { at, kind: item.kind, items: [item] });
  }
  return [...out.values()].sort((a, b) => a.at - b.at);
}

/** The next or the former entry of the time bar. @param {HostHistoryItem[]} items @param {number} at @param {1 | -1} way */
export function neighbour(items, at, way) {
  const times = items.map((x) => parseTime(x.at)).filter((t) => t !== null).sort((a, b) => a - b);
  const found = way > 0 ? times.find((t) => t > at + 1000) : times.reverse().find((t) => t < at - 1000);
  return found ?? null;
}

/**
 * How a tile changed since the other moment: -2..2, "new", or null when that is not known.
 * @param {{ bytes: Bytes, delta_bytes: Bytes }} row @param {number} pool bytes of all its tags
 */
export function changeTone(row, pool) {
  if (row.bytes === null || row.delta_bytes === null) return null;
  const before = row.bytes - row.delta_bytes;
  if (before <= 0 && row.bytes > 0) return "new";
  // What is little of a tag and little of the pool is no change to look at.
  const part = row.delta_bytes / Math.max(before, pool * 0.002, 1);
  const size = Math.abs(part) >= 0.5 ? 2 : Math.abs(part) >= 0.1 ? 1 : 0;
  return part < 0 ? -size || 0 : size;
}

/** Tags of one driver become one row; tags nobody owns stay by themselves. @param {HostTag[]} rows */
export function byOwner(rows) {
  /** @type {Map<string, HostTag & { tags: number }>} */
  const out = new Map();
  const sum = (/** @type {number | null} */ a, /** @type {number | null} */ b) => (a === null || b === null ? a ?? b : a + b);
  for (const r of rows) {
    const key = r.pool + "/" + (r.driver ?? "\u0000" + r.tag);
    const held = out.get(key);
    if (!held) out.set(key, { ...r, tags: 1 });
    else {
      held.tags++;
      held.bytes = sum(held.bytes, r.bytes);
      held.delta_bytes = held.delta_bytes === null || r.delta_bytes === null ? null : held.delta_bytes + r.delta_bytes;
      if (r.score !== null && (held.score === null || r.score > held.score)) {
        held.score = r.score;
        held.cohort_bytes = r.cohort_bytes;
      }
    }
  }
  return [...out.values()];
}

/** Which figures of a row moved between two answers: 1 up, -1 down. @param {HostTag[]} before @param {HostTag[]} now */
export function movedRows(before, now) {
  const old = new Map(before.map((r) => [r.pool + "/" + r.tag, r]));
  /** @type {Map<string, Record<string, number>>} */
  const out = new Map();
  for (const r of now) {
    const o = old.get(r.pool + "/" + r.tag);
    if (!o) continue;
    /** @type {Record<string, number>} */
    const moved = {};
    for (const key of /** @type {const} */ (["allocs", "frees", "outstanding", "bytes"])) {
      const a = o[key], b = r[key];
      if (a !== null && b !== null && a !== b) moved[key] = b > a ? 1 : -1;
    }
    if (Object.keys(moved).length) out.set(r.pool + "/" + r.tag, moved);
  }
  return out;
}

/** @param {HostPair[]} rows @param {string} sort "away": the biggest difference either way; or a field, with - for the biggest first */
export function sortPairs(rows, sort) {
  const down = sort.startsWith("-");
  const field = /** @type {keyof HostPair} */ (sort === "away" ? "difference_bytes" : down ? sort.slice(1) : sort);
  const value = (/** @type {HostPair} */ r) => {
    const v = r[field];
    return sort === "away" && typeof v === "number" ? Math.abs(v) : v;
  };
  const sign = sort === "away" || down ? -1 : 1;
  return rows.slice().sort((a, b) => {
    const x = value(a), y = value(b);
    if (x === null || y === null) return x === null ? (y === null ? 0 : 1) : -1;
    return (x < y ? -1 : x > y ? 1 : a.tag < b.tag ? -sign : sign) * sign;
  });
}

/** One cell: quoted as RFC 4180 has it; text that a spreadsheet would run gets a ' in front. @param {string | number | null | undefined} v */
function cell(v) {
  if (v === null || v === undefined) return "";
  if (typeof v === "number") return String(v);
  const safe = /^[=+\-@\t\r]/.test(v) ? "'" + v : v;
  return /[",\r\n]/.test(safe) ? `"${safe.replace(/"/g, '""')}"` : safe;
}

/** @param {string[]} head @param {(string | number | null | undefined)[][]} rows */
export function csvText(head, rows) {
  return [head, ...rows].map((r) => r.map(cell).join(",") + "\r\n").join("");
}
