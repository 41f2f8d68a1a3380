// Columns of the table of hosts: words for the screen and the export, and what to sort by. Pure.
import { number, share, word, SEVERITIES, STATES } from "./fleet.js";
import { bytes, duration, percent, rate, score, span, UNKNOWN } from "./format.js";
import { csvCell } from "./fleet.js";

const MIB = 2 ** 20;
/** @param {number | null} mib */
const size = (mib) => (mib === null ? UNKNOWN : bytes(mib * MIB));

/**
 * @typedef {object} HostColumn
 * @property {string} key   also its sort
 * @property {boolean} number right-aligned, biggest first
 * @property {boolean} [big] biggest first although left-aligned
 * @property {number} width pixels at least
 * @property {boolean} usual shown unless chosen otherwise
 * @property {number} [phone] of the few usual on a phone: its width there
 * @property {(f: import("./fleet.js").Fleet, i: number, now: number) => string} text
 */

/** @type {HostColumn[]} */
export const HOST_COLUMNS = [
  { key: "name", number: false, width: 210, usual: true, phone: 186, text: (f, i) => f.names[i] ?? f.ids[i] ?? UNKNOWN },
  { key: "findings", number: false, big: true, width: 118, usual: true, phone: 93, text: (f, i) => String(f.num.findings[i]) },
  { key: "outlier_score", number: true, width: 108, usual: true, text: (f, i) => (number(f, "outlier_score", i) === null ? "" : `${(word(f, "outlier", i) ?? "").replace(/^[a-z]+\//, "")} ${score(number(f, "outlier_score", i))}`) },
  { key: "nonpaged_mib", number: true, width: 86, usual: true, phone: 86, text: (f, i) => size(number(f, "nonpaged_mib", i)) },
  { key: "share", number: true, width: 84, usual: true, text: (f, i) => (Number.isNaN(share(f, i)) ? UNKNOWN : percent(share(f, i))) },
  { key: "paged_mib", number: true, width: 80, usual: true, text: (f, i) => size(number(f, "paged_mib", i)) },
  { key: "ram_mib", number: true, width: 78, usual: true, text: (f, i) => size(number(f, "ram_mib", i)) },
  { key: "uptime_seconds", number: true, width: 98, usual: true, text: (f, i) => duration(number(f, "uptime_seconds", i)) },
  { key: "growth_bytes_per_hour", number: true, width: 96, usual: false, text: (f, i) => rate(number(f, "growth_bytes_per_hour", i)) },
  { key: "exhausts_at", number: true, width: 96, usual: false, text: (f, i, now) => (number(f, "exhausts_at", i) === null ? "" : duration(Math.max(0, f.num.exhausts_at[i] - now / 1000))) },
  { key: "role", number: false, width: 112, usual: true, text: (f, i) => word(f, "role", i) ?? UNKNOWN },
  { key: "os_name", number: false, width: 176, usual: true, text: (f, i) => word(f, "os_name", i) ?? UNKNOWN },
  { key: "os_build", number: false, width: 112, usual: true, text: (f, i) => word(f, "os_build", i) ?? UNKNOWN },
  { key: "model", number: false, width: 160, usual: false, text: (f, i) => word(f, "model", i) ?? UNKNOWN },
  { key: "agent", number: false, width: 80, usual: false, text: (f, i) => word(f, "agent", i) ?? UNKNOWN },
  { key: "last_seen", number: true, width: 82, usual: true, text: (f, i, now) => (number(f, "age_seconds", i) === null || f.asOf === null ? "" : span(Math.max(0, (now - f.asOf) / 1000 + f.num.age_seconds[i]))) },
];

/** The columns an address asks for, in our order; the name always. @param {string | null} asked @param {boolean} [phone] */
export function chosenColumns(asked, phone = false) {
  const names = asked ? asked.split(",") : null;
  const chosen = HOST_COLUMNS.filter((c) => c.key === "name" || (names ? names.includes(c.key) : phone ? c.phone : c.usual));
  return phone ? chosen.map((c) => ({ ...c, width: c.phone ?? c.width })) : chosen;
}

/** One host with every column, for export: numbers as numbers. @param {import("./fleet.js").Fleet} f @param {number} i */
export function hostRecord(f, i) {
  const seen = number(f, "age_seconds", i) === null || f.asOf === null ? null : new Date(f.asOf - f.num.age_seconds[i] * 1000).toISOString();
  const end = number(f, "exhausts_at", i);
  return {
    id: f.ids[i], name: f.names[i], os_name: word(f, "os_name", i), os_build: word(f, "os_build", i), role: word(f, "role", i), model: word(f, "model", i),
    agent: word(f, "agent", i), state: STATES[f.num.state[i]] ?? null, worst_severity: SEVERITIES[f.num.severity[i]] ?? null, findings: number(f, "findings", i),
    finding: word(f, "finding", i), outlier: word(f, "outlier", i), outlier_score: number(f, "outlier_score", i), ram_mib: number(f, "ram_mib", i),
    nonpaged_mib: number(f, "nonpaged_mib", i), nonpaged_limit_mib: number(f, "nonpaged_limit_mib", i), paged_mib: number(f, "paged_mib", i),
    uptime_seconds: number(f, "uptime_seconds", i), growth_bytes_per_hour: number(f, "growth_bytes_per_hour", i),
    exhausts_at: end === null ? null : new Date(end * 1000).toISOString(), last_seen: seen, faulty: word(f, "faulty", i), simulated: f.num.simulated?.[i] === 1,
  };
}

/**
 * @param {import("./fleet.js").Fleet} f @param {Int32Array} rows
 * @param {{ name: string, value: (i: number, place: number) => string | number | null }[]} [more]
 */
export function csvOf(f, rows, more = []) {
  /** @type {string[]} */
  const lines = [];
  rows.forEach((i, place) => {
    const record = hostRecord(f, i);
    if (!lines.length) lines.push([...Object.keys(record), ...more.map((m) => m.name)].join(","));
    lines.push([...Object.values(record).map((v) => csvCell(typeof v === "boolean" ? String(v) : v)), ...more.map((m) => csvCell(m.value(i, place)))].join(","));
  });
  return lines.join("\r\n") + "\r\n";
}

/** @param {import("./fleet.js").Fleet} f @param {Int32Array} rows */
export function ndjsonOf(f, rows) {
  return Array.from(rows, (i) => JSON.stringify(hostRecord(f, i))).join("\n") + "\n";
}
