// The poolmon table's sorting, filtering and moments, as poolmon's keys have it. Pure.

/** @typedef {"bytes" | "diff" | "allocs" | "frees" | "each" | "tag" | "score" | "pool" | "cohort" | "driver"} SortKey */

/** poolmon's keys, and one of ours for the score. @type {Record<string, SortKey>} */
export const SORT_KEYS = { b: "bytes", d: "diff", a: "allocs", f: "frees", m: "each", t: "tag", s: "score" };

/** What each order looks at, and its change since the other moment. */
const VALUE = /** @type {Record<string, (r: HostTag) => number | string | null>} */ ({
  bytes: (r) => r.bytes, diff: (r) => r.outstanding, allocs: (r) => r.allocs, frees: (r) => r.frees,
  each: (r) => r.bytes_per_alloc, tag: (r) => r.tag, score: (r) => r.score, pool: (r) => r.pool,
  cohort: (r) => r.cohort_bytes, driver: (r) => r.driver,
});
const CHANGE = /** @type {Record<string, (r: HostTag) => number | null>} */ ({
  bytes: (r) => r.delta_bytes,
  diff: (r) => (r.delta_allocs === null || r.delta_frees === null ? null : r.delta_allocs - r.delta_frees),
  allocs: (r) => r.delta_allocs,
  frees: (r) => r.delta_frees,
});

/** Byte order, as poolmon sorts tags: case counts. @param {string} a @param {string} b */
const byteOrder = (a, b) => (a < b ? -1 : a > b ? 1 : 0);

/**
 * @param {HostTag[]} rows
 * @param {{ key: string, change: boolean, up: boolean }} order up: smallest first
 * @returns {HostTag[]} a new list; unknown values last, equal ones by bytes, then tag
 */
export function sortTags(rows, order) {
  const value = (order.change && CHANGE[order.key]) || VALUE[order.key] || VALUE.bytes;
  const text = ["tag", "pool", "driver"].includes(order.key);
  // Text reads from A on: its natural direction is up.
  const sign = (text ? !order.up : order.up) ? 1 : -1;
  return rows
    .map((row) => ({ row, v: value(row) }))
    .sort((a, b) => {
      if (a.v === null || b.v === null) {
        if (a.v !== b.v) return a.v === null ? 1 : -1;
      } else if (a.v !== b.v) {
        return (typeof a.v === "string" ? byteOrder(a.v, String(b.v)) : a.v - /** @type {number} */ (b.v)) * sign;
      }
      return (b.row.bytes ?? -1) - (a.row.bytes ?? -1) || byteOrder(a.row.tag, b.row.tag);
    })
    .map((x) => x.row);
}

/**
 * @param {HostTag[]} rows
 * @param {string} q a part of the tag, driver or description; case does not count
 * @param {string} pool "" for both
 */
export function filterTags(rows, q, pool) {
  const want = q.toLowerCase();
  return rows.filter(
    (r) =>
      (!pool || r.pool === pool) &&
      (!want || r.tag.toLowerCase().includes(want) || (r.driver ?? "").toLowerCase().includes(want) ||
        (r.description ?? "").toLowerCase().includes(want)),
  );
}

/**
 * Rows from the columns the server answers with. A column it knows nothing of is null; what follows from
 * the counters is worked out here.
 * @param {HostTagTable} table
 * @returns {HostTags}
 */
export function tableRows(table) {
  const { columns: c, dictionaries, nonpaged_rows, ...head } = table;
  const word = (/** @type {"driver" | "description"} */ name, /** @type {number} */ i) => {
    const place = c[name]?.[i] ?? null;
    return place === null ? null : dictionaries[name][place];
  };
  const items = c.tag.map((tag, i) => {
    const allocs = c.allocs?.[i] ?? null;
    const frees = c.frees?.[i] ?? null;
    const bytes = c.bytes?.[i] ?? null;
    const outstanding = allocs === null || frees === null ? null : (allocs - frees) >>> 0;
    return {
      tag, pool: /** @type {Pool} */ (i < nonpaged_rows ? "nonpaged" : "paged"), allocs, frees, outstanding, bytes,
      bytes_per_alloc: outstanding && bytes !== null ? bytes / outstanding : null,
      delta_allocs: c.delta_allocs?.[i] ?? null, delta_frees: c.delta_frees?.[i] ?? null, delta_bytes: c.delta_bytes?.[i] ?? null,
      cohort_bytes: c.cohort_bytes?.[i] ?? null, cohort_hosts: c.cohort_hosts?.[i] ?? 0, score: c.score?.[i] ?? null,
      driver: word("driver", i), description: word("description", i),
    };
  });
  return { ...head, items };
}

/** poolmon's p: both, nonpaged, paged, both. @param {string} pool */
export function nextPool(pool) {
  return pool === "" ? "nonpaged" : pool === "nonpaged" ? "paged" : "";
}

/** Values of ?since=. */
export const SINCE = [["", "no comparison"], ["previous", "the snapshot before"], ["1h", "1 hour before"], ["24h", "24 hours before"], ["boot", "boot"]];

/**
 * The time to compare with, ms; the server takes the newest snapshot not after it. Null: there is
 * none before the one shown.
 * @param {string} since
 * @param {number | null} at ms of the snapshot shown
 * @param {number | null} bootFirst ms of the first snapshot of its boot
 * @param {number | null} first ms of the host's first snapshot: nothing is asked for before it
 */
export function sinceTime(since, at, bootFirst, first) {
  if (at === null) return null;
  const wanted = { previous: at - 1000, "1h": at - 3600000, "24h": at - 86400000, boot: bootFirst }[since];
  const ms = wanted === undefined ? Date.parse(since) : wanted;
  if (ms === null || Number.isNaN(ms)) return null;
  const clamped = first === null ? ms : Math.max(ms, first);
  return clamped < at ? clamped : null;
}
