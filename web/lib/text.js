// Names from hosts are hostile: markup is handled by never building any from text; what remains are
// characters that hide, reorder or break. Pure, no DOM.

/** @param {number} code */
function hex(code) {
  return "U+" + code.toString(16).toUpperCase().padStart(4, "0");
}

// Invisible or reordering: bidi marks and isolates, zero-width, line separators, soft hyphen, BOM,
// tag characters and variation selectors.
const UNSEEN =
  /[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff9-\ufffb]|\udb40[\udc00-\uddef]/g;
const LONE = /[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g;

/**
 * The same text with everything that cannot be seen named by its number.
 * @param {string | null | undefined} value
 * @returns {string}
 */
export function visible(value) {
  if (value == null) return "";
  return String(value)
    .replace(LONE, "\ufffd")
    .replace(/[\u0000-\u001f\u007f-\u009f]/g, (c) => "\u2039" + hex(c.charCodeAt(0)) + "\u203a")
    .replace(UNSEEN, (c) => "\u2039" + hex(/** @type {number} */ (c.codePointAt(0))) + "\u203a");
}

/**
 * At most `length` characters, with an ellipsis when something was cut; whole code points.
 * @param {string} value
 * @param {number} length
 */
export function cut(value, length) {
  const points = Array.from(value);
  return points.length <= length ? value : points.slice(0, length - 1).join("") + "\u2026";
}

/**
 * "1 host", "2 hosts".
 * @param {number} n
 * @param {string} one
 * @param {string} [many]
 */
export function plural(n, one, many) {
  return `${n.toLocaleString("en-US")} ${n === 1 ? one : many ?? one + "s"}`;
}

/**
 * "a", "a and b", "a, b and c".
 * @param {string[]} words
 */
export function listed(words) {
  if (words.length < 2) return words.join("");
  return words.slice(0, -1).join(", ") + " and " + words[words.length - 1];
}
