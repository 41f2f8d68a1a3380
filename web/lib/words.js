// Words for what the API says in codes; the text itself is in en.js. Pure.
import { en } from "./en.js";
import { bytes } from "./format.js";

const t = en.words;

/** @type {Record<string, string>} */
export const KIND = t.kind;
/** @type {Record<string, string>} */
export const SEVERITY = t.severity;
/** @type {Record<string, string>} */
export const STATUS = t.status;
/** @type {Record<string, string>} */
export const LIMIT = t.limit;

/** @type {Record<string, { title: string, severity: string }>} */
export const VERDICT = {
  nonpaged_exhausted: { title: t.verdict.nonpaged_exhausted, severity: "critical" },
  paged_exhausted: { title: t.verdict.paged_exhausted, severity: "critical" },
  session_pool_exhausted: { title: t.verdict.session_pool_exhausted, severity: "critical" },
  nonpaged_leak_suspect: { title: t.verdict.nonpaged_leak_suspect, severity: "warning" },
  paged_leak_suspect: { title: t.verdict.paged_leak_suspect, severity: "warning" },
  nothing_wrong: { title: t.verdict.nothing_wrong, severity: "ok" },
  insufficient_data: { title: t.verdict.insufficient_data, severity: "info" },
};

/** @type {Record<string, string>} */
export const SOURCE = t.source;
/** Where to look when a tag grows. @type {Record<string, string>} */
export const LOOK_AT = t.lookAt;

const ATTRIBUTES = /** @type {Record<string, string>} */ (t.attributes);

/**
 * An attribute as a person says it: "driver/x.sys" is the driver "x.sys".
 * @param {string} attribute
 */
export function attributeName(attribute) {
  if (attribute.startsWith("driver/")) return attribute.slice(7);
  return ATTRIBUTES[attribute] ?? attribute;
}

/** A value as a person says it. @param {string} attribute @param {string | null | undefined} value */
export function attributeValue(attribute, value) {
  return value && attribute.endsWith("_bytes") && /^\d{1,15}$/.test(value) ? bytes(Number(value)) : value;
}

/** @param {Cause} cause */
export function causeCounts(cause) {
  const n = (/** @type {number} */ v) => v.toLocaleString("en-US");
  return t.causeCounts(n(cause.affected_with), n(cause.affected), n(cause.unaffected_with), n(cause.unaffected));
}
