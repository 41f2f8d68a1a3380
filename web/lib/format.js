// Numbers and times as people read them. Pure; what is not known is an en dash, never 0. Sizes count
// in 1024s and are named KB, MB, GB as in Windows' own tools.

export const UNKNOWN = "\u2013";
const NBSP = "\u00a0";
const UNITS = ["B", "KB", "MB", "GB", "TB", "PB"];

/** @param {number | null | undefined} n */
const known = (n) => typeof n === "number" && Number.isFinite(n);

/**
 * Three significant digits.
 * @param {number} n
 */
function three(n) {
  const a = Math.abs(n);
  if (a >= 99.95 || Number.isInteger(n)) return n.toFixed(0);
  return n.toFixed(a >= 9.995 ? 1 : 2);
}

/** @param {number | null | undefined} n @returns {string} */
export function bytes(n) {
  if (!known(n)) return UNKNOWN;
  let value = /** @type {number} */ (n);
  let unit = 0;
  while (Math.abs(value) >= 999.5 && unit < UNITS.length - 1) {
    value /= 1024;
    unit++;
  }
  return (unit === 0 ? value.toFixed(0) : three(value)) + NBSP + UNITS[unit];
}

/** "+1.2 MB", "-3 KB", "0 B": with its sign. @param {number | null | undefined} n */
export function bytesChange(n) {
  if (!known(n)) return UNKNOWN;
  return (/** @type {number} */ (n) > 0 ? "+" : "") + bytes(n).replace("-", "\u2212");
}

// Made once: toLocaleString looks its locale up each time, which a table of hundreds of numbers feels.
const grouped = new Intl.NumberFormat("en-US");

/** @param {number | null | undefined} n */
export function count(n) {
  return known(n) ? grouped.format(/** @type {number} */ (n)) : UNKNOWN;
}

/** Counts cut to a few characters: 1.9 M. @param {number | null | undefined} n */
export function countShort(n) {
  if (!known(n)) return UNKNOWN;
  const v = /** @type {number} */ (n);
  const a = Math.abs(v);
  if (a < 10000) return count(Number.isInteger(v) ? v : Number(three(v)));
  if (a < 999500) return three(v / 1e3) + NBSP + "k";
  if (a < 999.5e6) return three(v / 1e6) + NBSP + "M";
  return three(v / 1e9) + NBSP + "G";
}

/** @param {number | null | undefined} n */
export function countChange(n) {
  if (!known(n)) return UNKNOWN;
  return (/** @type {number} */ (n) > 0 ? "+" : "") + count(n).replace("-", "\u2212");
}

/** A slow rate is said per day; beside another one in the unit of that. @param {number | null | undefined} perHour @param {number | null} [beside] */
export function rate(perHour, beside = null) {
  if (!known(perHour)) return UNKNOWN;
  const v = /** @type {number} */ (perHour);
  const slow = Math.abs(beside ?? v) < 1024 * 1024;
  return bytesChange(slow ? v * 24 : v) + (slow ? "/day" : "/h");
}

/** @param {number | null | undefined} fraction 0..1 */
export function percent(fraction) {
  if (!known(fraction)) return UNKNOWN;
  const p = /** @type {number} */ (fraction) * 100;
  if (p > 99 && p < 100) return "> 99" + NBSP + "%";
  if (p > 0 && p < 1) return "< 1" + NBSP + "%";
  return p.toFixed(0) + NBSP + "%";
}

/** Robust z: one digit is enough, and nobody reads past a thousand. @param {number | null | undefined} z */
export function score(z) {
  if (!known(z)) return UNKNOWN;
  const v = /** @type {number} */ (z);
  if (Math.abs(v) >= 1000) return (v < 0 ? "< \u2212" : "> ") + "999";
  return v.toFixed(Math.abs(v) < 10 ? 1 : 0).replace("-", "\u2212");
}

/** One digit behind the point, as more would not be known. @param {number | null | undefined} r */
export function ratio(r) {
  if (!known(r)) return UNKNOWN;
  const v = /** @type {number} */ (r);
  return (v >= 999.5 ? "> 999" : v.toFixed(v < 9.95 ? 1 : 0)) + "\u00d7";
}

/** The two biggest units: "3 d 4 h", "12 min". @param {number | null | undefined} seconds */
export function duration(seconds) {
  if (!known(seconds)) return UNKNOWN;
  const s = Math.max(0, /** @type {number} */ (seconds));
  if (s < 60) return Math.floor(s) + NBSP + "s";
  const min = Math.round(s / 60);
  if (min < 60) return min + NBSP + "min";
  const h = Math.floor(min / 60);
  if (h < 10) return h + NBSP + "h" + (min % 60 ? NBSP + (min % 60) + NBSP + "min" : "");
  const hours = Math.round(s / 3600);
  if (hours < 24) return hours + NBSP + "h";
  const d = Math.floor(hours / 24);
  if (d < 10) return d + NBSP + "d" + (hours % 24 ? NBSP + (hours % 24) + NBSP + "h" : "");
  return Math.round(s / 86400) + NBSP + "d";
}

/** One unit only, for ages and spans. @param {number} seconds */
export function span(seconds) {
  const s = Math.max(0, seconds);
  if (s < 90) return Math.round(s) + NBSP + "s";
  if (s < 90 * 60) return Math.round(s / 60) + NBSP + "min";
  if (s < 48 * 3600) return Math.round(s / 3600) + NBSP + "h";
  if (s < 90 * 86400) return Math.round(s / 86400) + NBSP + "days";
  if (s < 2 * 365 * 86400) return Math.round(s / (30 * 86400)) + NBSP + "months";
  return Math.round(s / (365 * 86400)) + NBSP + "years";
}

/** Milliseconds of an RFC 3339 time, or null. @param {string | null | undefined} time */
export function parseTime(time) {
  if (time == null) return null;
  const ms = Date.parse(time);
  return Number.isNaN(ms) ? null : ms;
}

/** "just now", "5 min ago", "in 3 h". @param {string | null | undefined} time @param {number} [now] ms */
export function ago(time, now = Date.now()) {
  const ms = parseTime(time);
  if (ms === null) return UNKNOWN;
  const s = (now - ms) / 1000;
  if (Math.abs(s) < 45) return "just now";
  return s >= 0 ? span(s) + " ago" : "in " + span(-s);
}

/**
 * What is left until a limit, as the range that holds eight times in ten.
 * @param {Exhaustion | null | undefined} exhausts
 * @param {number} [now] ms
 * @returns {{text: string, soon: boolean, at: number} | null} null: nothing foreseen
 */
export function timeLeft(exhausts, now = Date.now()) {
  if (!exhausts) return null;
  const p50 = parseTime(exhausts.p50) ?? parseTime(exhausts.p10);
  if (p50 === null) return null;
  const lo = Math.max(0, ((parseTime(exhausts.p10) ?? p50) - now) / 1000);
  const hi = Math.max(0, ((parseTime(exhausts.p90) ?? p50) - now) / 1000);
  const soon = lo < 86400;
  if (hi < 60) return { text: "now", soon, at: p50 };
  // Seconds would be false before they are read.
  if (lo < 60) return { text: "less than " + span(Math.max(120, hi)), soon, at: p50 };
  const a = span(lo);
  const b = span(hi);
  if (a === b) return { text: "about " + a, soon, at: p50 };
  const [an, au] = a.split(NBSP);
  const [bn, bu] = b.split(NBSP);
  return { text: (au === bu ? an : a) + "\u2013" + bn + NBSP + bu, soon, at: p50 };
}

const local = new Intl.DateTimeFormat(undefined, {
  year: "numeric", month: "short", day: "numeric", hour: "2-digit", minute: "2-digit",
});
const localSeconds = new Intl.DateTimeFormat(undefined, {
  year: "numeric", month: "short", day: "numeric", hour: "2-digit", minute: "2-digit", second: "2-digit",
});
const localClock = new Intl.DateTimeFormat(undefined, { hour: "numeric", minute: "2-digit" });
const localShort = new Intl.DateTimeFormat(undefined, { month: "short", day: "numeric" });
const localDay = new Intl.DateTimeFormat(undefined, { year: "numeric", month: "short", day: "numeric" });

/** In the reader's own zone. @param {string | number | null | undefined} time @param {"minute" | "second" | "day"} [to] */
export function localTime(time, to = "minute") {
  const ms = typeof time === "number" ? time : parseTime(time);
  if (ms === null || !Number.isFinite(ms)) return UNKNOWN;
  return (to === "second" ? localSeconds : to === "day" ? localDay : local).format(new Date(ms));
}

/**
 * Ticks of a time axis in the reader's own way: days, or times of day with the day below the first of each.
 * @param {number[]} ticks epoch seconds @param {number} step seconds between two
 */
export function timeTicks(ticks, step) {
  let before = "";
  return ticks.map((s) => {
    const at = new Date(s * 1000);
    const day = localShort.format(at);
    if (step >= 86400) return day;
    const text = localClock.format(at) + (day === before ? "" : "\n" + day);
    before = day;
    return text;
  });
}

/** "2026-11-21 02:00:00 UTC". @param {string | number | null | undefined} time */
export function utcTime(time) {
  const ms = typeof time === "number" ? time : parseTime(time);
  if (ms === null || !Number.isFinite(ms)) return "";
  return new Date(ms).toISOString().slice(0, 19).replace("T", " ") + " UTC";
}

/** RFC 3339 without fractions. @param {number} ms */
export function rfc3339(ms) {
  return new Date(ms).toISOString().slice(0, 19) + "Z";
}
