// Pictures of how hosts spread, as pure figures: bins to bytes, trends from text, CSV, selections as
// addresses. Pure, no DOM.
import { bytes, count, countShort, rate } from "./format.js";
import { search } from "./router.js";

/** How a measure is written. @param {string} measure @returns {(n: number | null) => string} */
export function measureFormat(measure) {
  return measure === "outstanding" ? countShort : measure === "rate" ? rate : bytes;
}

/** Where bin b begins; bin 0 holds what is under one too. @param {number} b @param {number} perOctave */
export function binLow(b, perOctave) {
  return b <= 0 ? 0 : 2 ** (b / perOctave);
}

/** The bin that a value lies in. @param {number} value @param {number} perOctave */
export function binOf(value, perOctave) {
  return Math.floor(Math.log2(Math.max(1, value)) * perOctave + 1e-9);
}

/** Hosts of bins from..to (both inclusive) over all bands. @param {Distribution} d @param {number} from @param {number} to */
export function hostsBetween(d, from, to) {
  let sum = 0;
  for (const band of d.bands) for (let b = Math.max(from, d.first_bin); b <= to; b++) sum += band.counts[b - d.first_bin] ?? 0;
  return sum;
}

/**
 * "10 MB", "1.5gb", "2000", "3 GB/h": what a person types for a size.
 * @param {string} text @returns {number | null} null: no number; NaN: not understood
 */
export function parseAmount(text) {
  const plain = text.trim().replace(/\u00a0/g, " ");
  if (!plain) return null;
  const found = /^([0-9]+(?:[.,][0-9]+)?)\s*([kmgtp]?)i?b?(?:\/(h|day))?$/i.exec(plain);
  if (!found) return NaN;
  const power = " kmgtp".indexOf((found[2] || " ").toLowerCase());
  const per = found[3]?.toLowerCase() === "day" ? 24 : 1;
  return (Number(found[1].replace(",", ".")) * 1024 ** power) / per;
}

/** A ratio of blocks: 1.999 is not 2, but of thousands no part matters. @param {number} r */
export function exactRatio(r) {
  const text = r < 0.01 ? "< 0.01" : r < 1000 ? r.toFixed(3) : Math.round(r).toLocaleString("en-US");
  return text + "\u00d7";
}

/** A trend as numbers 0..1, null unknown. @param {string} text */
export function trendValues(text) {
  return Array.from(text, (c) => (c === "-" ? null : parseInt(c, 36) / 35));
}

/** Columns to rows, for a table. @param {Record<string, any[]>} columns @returns {any[]} */
export function rowsOf(columns) {
  const names = Object.keys(columns);
  return (columns[names[0]] ?? []).map((_, i) => Object.fromEntries(names.map((n) => [n, columns[n][i]])));
}

/** @param {any} cell */
function csvCell(cell) {
  if (cell === null || cell === undefined) return "";
  if (typeof cell === "number" || typeof cell === "boolean") return String(cell);
  const text = String(cell);
  // A spreadsheet would run it.
  const safe = /^[=+\-@\t\r]/.test(text) ? "'" + text : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replace(/"/g, '""')}"` : safe;
}

/** RFC 4180. @param {string[]} head @param {any[][]} rows */
export function csv(head, rows) {
  return [head, ...rows].map((row) => row.map(csvCell).join(",")).join("\r\n") + "\r\n";
}

/** The address of the page that explains a selection. @param {Record<string, string | number | null | undefined>} selection */
export function explainHref(selection) {
  return "/explain" + search(selection);
}

/** "4 of 6 selected have it; 2 of 130 others". @param {ExplainItem} item */
export function explainCounts(item) {
  return `${count(item.selected_with)} of ${count(item.selected)} selected have it; ${count(item.baseline_with)} of ${count(item.baseline)} others`;
}

/** The fact of a line, as the API takes it back. @param {ExplainItem} item */
export function factOf(item) {
  return item.any_version ? item.attribute : `${item.attribute}=${item.value ?? ""}`;
}
