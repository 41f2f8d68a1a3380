// The whole fleet as columns: the answer of GET /fleet-map turned into typed arrays, and what the
// screens ask of them: filter, count, sort, group. Tens of thousands of rows in a few milliseconds.
// Pure, no DOM.

/** Columns that the screens need; identities come in a second answer, once. */
export const COLUMNS = [
  "key", "name", "os_name", "os_build", "role", "model", "agent", "state", "severity", "findings", "finding",
  "growth_bytes_per_hour", "exhausts_at", "outlier", "outlier_score", "band", "uptime_seconds", "age_seconds",
  "ram_mib", "nonpaged_mib", "paged_mib", "nonpaged_limit_mib", "faulty", "simulated",
];
const TEXTS = ["os_name", "os_build", "role", "model", "agent", "finding", "outlier", "faulty", "driver"];
const NUMBERS = [
  "state", "severity", "findings", "growth_bytes_per_hour", "exhausts_at", "outlier_score", "band", "uptime_seconds",
  "age_seconds", "ram_mib", "nonpaged_mib", "paged_mib", "nonpaged_limit_mib", "simulated", "tag_mib", "tag_score",
];

/**
 * @typedef {object} Fleet
 * @property {number} count       rows
 * @property {number} total       hosts there are
 * @property {number | null} asOf ms
 * @property {string | null} analyzedAt
 * @property {Float64Array} key   -1: none yet
 * @property {(string | null)[]} ids   null: not read yet
 * @property {(string | null)[]} names
 * @property {Record<string, { at: Int32Array, words: string[] }>} text  -1: not known
 * @property {Record<string, Float64Array>} num    NaN: not known
 * @property {string[]} bands
 * @property {string[] | null} lower   names in lower case, made when first searched
 * @property {Int32Array | null} rank  place of each row by name, made when first sorted
 */

/** @param {any} data @returns {Fleet} */
export function decodeFleet(data) {
  const n = data.count;
  const key = new Float64Array(n).fill(-1);
  const ids = new Array(n).fill(null);
  let sum = 0;
  let waiting = 0;
  const steps = data.columns.key ?? [];
  for (let i = 0; i < n; i++) {
    const step = steps[i];
    if (typeof step === "number") key[i] = sum += step;
    else ids[i] = data.awaiting?.[waiting++] ?? null;
  }
  /** @type {Fleet["text"]} */
  const text = {};
  for (const name of TEXTS) {
    const from = data.columns[name];
    if (!from) continue;
    const at = new Int32Array(n);
    for (let i = 0; i < n; i++) at[i] = from[i] === null ? -1 : from[i];
    text[name] = { at, words: data.dictionaries[name] ?? [] };
  }
  /** @type {Fleet["num"]} */
  const num = {};
  for (const name of NUMBERS) {
    const from = data.columns[name];
    if (!from) continue;
    const out = new Float64Array(n);
    for (let i = 0; i < n; i++) out[i] = from[i] === null ? NaN : from[i];
    num[name] = out;
  }
  const asOf = data.as_of ? Date.parse(data.as_of) : null;
  return {
    count: n, total: data.total, asOf, analyzedAt: data.analyzed_at ?? null, key, ids,
    names: data.columns.name ?? new Array(n).fill(null), text, num, bands: data.dictionaries.band ?? [], lower: null, rank: null,
  };
}

/** @param {Fleet} f @param {string} name @param {number} i @returns {string | null} */
export function word(f, name, i) {
  const column = f.text[name];
  return column && column.at[i] >= 0 ? column.words[column.at[i]] : null;
}

/** @param {Fleet} f @param {string} name @param {number} i @returns {number | null} */
export function number(f, name, i) {
  const v = f.num[name]?.[i];
  return v === undefined || Number.isNaN(v) ? null : v;
}

/** Share of the nonpaged pool's limit, NaN unknown. @param {Fleet} f @param {number} i */
export function share(f, i) {
  const limit = f.num.nonpaged_limit_mib?.[i];
  return limit > 0 ? f.num.nonpaged_mib[i] / limit : NaN;
}

/** Whether any host's data cannot be true. @param {Fleet | null} f */
export function anyFaulty(f) {
  return (f?.text.faulty?.words.length ?? 0) > 0;
}

export const SEVERITIES = ["info", "warning", "critical"];
export const STATES = ["reporting", "silent", "awaiting"];

/** What the addresses of Hosts and Fleet map filter by. */
export const FILTERS = ["q", "role", "os.build", "model", "severity", "band", "finding", "silent", "faulty"];

/** @param {URLSearchParams} query @returns {Record<string, string>} */
export function filtersOf(query) {
  /** @type {Record<string, string>} */
  const out = {};
  for (const name of FILTERS) if (query.get(name)) out[name] = /** @type {string} */ (query.get(name));
  return out;
}

/** @param {Fleet} f @param {string} q @returns {(i: number) => boolean} */
function searcher(f, q) {
  const want = q.toLowerCase();
  const lower = (f.lower ??= f.names.map((name) => (name ?? "").toLowerCase()));
  const dictionaries = ["os_name", "os_build", "role", "model"].filter((name) => f.text[name])
    .map((name) => ({ at: f.text[name].at, hit: f.text[name].words.map((w) => w.toLowerCase().includes(want)) }))
    .filter((d) => d.hit.some(Boolean));
  return (i) => lower[i].includes(want) || dictionaries.some((d) => d.at[i] >= 0 && d.hit[d.at[i]]) ||
    (f.ids[i] !== null && /** @type {string} */ (f.ids[i]).toLowerCase().includes(want));
}

/** @param {Fleet} f @param {string} column @param {string} value @returns {(i: number) => boolean} */
function exactly(f, column, value) {
  const at = f.text[column]?.at;
  const want = f.text[column]?.words.indexOf(value) ?? -1;
  return (i) => want >= 0 && at[i] === want;
}

/** @param {Fleet} f @param {string} name @param {string} value @returns {(i: number) => boolean} */
function test(f, name, value) {
  const { severity, band, findings, state } = f.num;
  switch (name) {
    case "q": return searcher(f, value);
    case "os.build": return exactly(f, "os_build", value);
    case "severity": {
      const want = SEVERITIES.indexOf(value);
      return value === "none" ? (i) => Number.isNaN(severity[i]) : (i) => severity[i] === want;
    }
    case "band": {
      const want = f.bands.indexOf(value);
      return (i) => band[i] === want;
    }
    case "finding": return (i) => findings[i] > 0 === (value === "yes");
    case "silent": return (i) => (state[i] === 1) === (value === "yes");
    case "faulty": return (i) => (word(f, "faulty", i) !== null) === (value === "yes");
    default: return exactly(f, name, value);
  }
}

/** What each facet is counted by. */
const FACETS = { role: "role", "os.build": "os_build", model: "model", severity: "severity", band: "band" };

/**
 * The rows that pass every filter, and how many there would be of each value of a facet if only that
 * facet's filter were changed.
 * @param {Fleet} f
 * @param {Record<string, string>} filters
 * @returns {{ rows: Int32Array, facets: Record<string, Map<string | null, number>> }}
 */
export function filterFleet(f, filters) {
  const names = Object.keys(filters);
  const tests = names.map((name) => test(f, name, filters[name]));
  const rows = new Int32Array(f.count);
  let count = 0;
  const facetNames = Object.keys(FACETS);
  const place = facetNames.map((name) => names.indexOf(name));
  const counts = facetNames.map((name) => {
    const column = /** @type {Record<string, string>} */ (FACETS)[name];
    return new Float64Array((f.text[column]?.words.length ?? 8) + 1);
  });
  const of = facetNames.map((name) => {
    const column = /** @type {Record<string, string>} */ (FACETS)[name];
    return f.text[column]?.at ?? f.num[column];
  });
  for (let i = 0; i < f.count; i++) {
    let failed = -1;
    let fails = 0;
    for (let k = 0; k < tests.length && fails < 2; k++) {
      if (!tests[k](i)) {
        fails++;
        failed = k;
      }
    }
    if (fails === 0) rows[count++] = i;
    if (fails > 1) continue;
    for (let k = 0; k < place.length; k++) {
      if (fails === 0 || failed === place[k]) {
        const v = of[k] ? of[k][i] : -1;
        counts[k][v >= 0 ? v + 1 : 0]++;
      }
    }
  }
  /** @type {Record<string, Map<string | null, number>>} */
  const facets = {};
  facetNames.forEach((name, k) => {
    const column = /** @type {Record<string, string>} */ (FACETS)[name];
    const words = column === "severity" ? SEVERITIES : column === "band" ? f.bands : f.text[column]?.words ?? [];
    /** @type {[string | null, number][]} */
    const list = [];
    counts[k].forEach((n, v) => {
      if (n > 0) list.push([v === 0 ? null : words[v - 1] ?? null, n]);
    });
    if (column !== "band") list.sort((a, b) => b[1] - a[1] || Number(a[0] === null) - Number(b[0] === null));
    facets[name] = new Map(list);
  });
  return { rows: rows.slice(0, count), facets };
}

/** Each row's place by name; of equal names by key. @param {Fleet} f */
export function nameRank(f) {
  if (f.rank) return f.rank;
  const lower = (f.lower ??= f.names.map((name) => (name ?? "").toLowerCase()));
  const order = Array.from({ length: f.count }, (_, i) => i);
  order.sort((a, b) => (lower[a] < lower[b] ? -1 : lower[a] > lower[b] ? 1 : f.key[a] - f.key[b]));
  const rank = new Int32Array(f.count);
  order.forEach((row, place) => (rank[row] = place));
  return (f.rank = rank);
}

/** Values of a sort field as numbers; NaN: unknown. @param {Fleet} f @param {string} field @returns {(i: number) => number} */
function sortValue(f, field) {
  if (f.text[field]) {
    const { at, words } = f.text[field];
    const order = words.map((w, i) => ({ w: w.toLowerCase(), i })).sort((a, b) => (a.w < b.w ? -1 : a.w > b.w ? 1 : 0));
    const place = new Float64Array(words.length);
    order.forEach((o, k) => (place[o.i] = k));
    return (i) => (at[i] < 0 ? NaN : place[at[i]]);
  }
  if (field === "share") return (i) => share(f, i);
  if (field === "findings") return (i) => (Number.isNaN(f.num.severity[i]) ? 0 : (f.num.severity[i] + 1) * 1e6 + f.num.findings[i]);
  if (field === "last_seen") return (i) => -f.num.age_seconds[i];
  const column = f.num[field];
  return column ? (i) => column[i] : () => NaN;
}

/**
 * Rows in order; what is not known stands last in either direction, equal ones by name.
 * @param {Fleet} f @param {Int32Array} rows @param {string} sort "-nonpaged_mib" is biggest first
 */
export function sortFleet(f, rows, sort) {
  const down = sort.startsWith("-");
  const field = down ? sort.slice(1) : sort;
  const rank = nameRank(f);
  if (field === "name") {
    // Places by name are distinct small numbers: sorted as numbers, without a comparison function.
    const back = new Int32Array(f.count);
    const keys = new Int32Array(rows.length);
    for (let k = 0; k < rows.length; k++) {
      keys[k] = rank[rows[k]];
      back[keys[k]] = rows[k];
    }
    keys.sort();
    if (down) keys.reverse();
    return keys.map((place) => back[place]);
  }
  const value = sortValue(f, field);
  const keys = new Float64Array(f.count);
  for (const i of rows) {
    const v = value(i);
    keys[i] = Number.isNaN(v) ? Infinity : down ? -v : v;
  }
  return rows.slice().sort((a, b) => keys[a] - keys[b] || rank[a] - rank[b]);
}

/** Hosts can be grouped by these; the rest of the groups is joined past GROUPS_MAX. */
export const GROUPINGS = ["role", "os_build", "os_name", "model", "driver", "band", "agent", "finding", "none"];
export const GROUPS_MAX = 60;

/**
 * @typedef {{ label: string | null, count: number, joined: number }} Group label null: not known, or
 *   the joined rest (joined > 1)
 * @param {Fleet} f @param {Int32Array} rows @param {string} by
 * @returns {{ groups: Group[], of: Int32Array }} biggest first, what is not known last; `of` for each place in rows
 */
export function groupFleet(f, rows, by) {
  const of = new Int32Array(rows.length);
  const column = by === "band" ? f.num.band : f.text[by]?.at;
  const words = by === "band" ? f.bands : f.text[by]?.words ?? [];
  if (by === "none" || !column) return { groups: [{ label: null, count: rows.length, joined: 0 }], of };
  const counts = new Int32Array(words.length + 1);
  for (const i of rows) counts[column[i] >= 0 ? column[i] + 1 : 0]++;
  const order = [...counts.keys()].filter((v) => counts[v] > 0);
  if (by === "band") order.sort((a, b) => (a || 1e9) - (b || 1e9));
  else order.sort((a, b) => Number(a === 0) - Number(b === 0) || counts[b] - counts[a] || (words[a - 1] < words[b - 1] ? -1 : 1));
  const place = new Int32Array(counts.length);
  /** @type {Group[]} */
  const groups = [];
  order.forEach((v, k) => {
    if (k < GROUPS_MAX - 1 || order.length === GROUPS_MAX) groups.push({ label: v === 0 ? null : words[v - 1], count: counts[v], joined: 1 });
    else if (k === GROUPS_MAX - 1) groups.push({ label: null, count: counts[v], joined: 1 });
    else {
      groups[GROUPS_MAX - 1].count += counts[v];
      groups[GROUPS_MAX - 1].joined++;
    }
    place[v] = Math.min(k, GROUPS_MAX - 1);
  });
  for (let k = 0; k < rows.length; k++) of[k] = place[column[rows[k]] >= 0 ? column[rows[k]] + 1 : 0];
  return { groups, of };
}

/**
 * Rows by group, in each the loudest first, then by name.
 * @param {Fleet} f @param {Int32Array} rows @param {Int32Array} of @param {Uint8Array} loud per row of the fleet, 0..15
 */
export function orderFleet(f, rows, of, loud) {
  const rank = nameRank(f);
  const back = new Int32Array(f.count);
  const keys = new Float64Array(rows.length);
  for (let k = 0; k < rows.length; k++) {
    const i = rows[k];
    back[rank[i]] = i;
    keys[k] = (of[k] * 16 + (15 - loud[i])) * 0x1000000 + rank[i];
  }
  keys.sort();
  const out = new Int32Array(rows.length);
  for (let k = 0; k < rows.length; k++) out[k] = back[keys[k] % 0x1000000];
  return out;
}

/** A cell of CSV; what a spreadsheet would take for a formula gets a ' in front. @param {string | number | null} value */
export function csvCell(value) {
  if (value === null || value === undefined) return "";
  if (typeof value === "number") return String(value);
  const text = /^[=+\-@\t\r]/.test(value) && !/^-?\d+(\.\d+)?$/.test(value) ? "'" + value : value;
  return /[",\r\n]/.test(text) ? '"' + text.replace(/"/g, '""') + '"' : text;
}
