// Version ranges as a person writes them, one a line: "1.76", "1.70 .. 1.79", "1.80 ..", ".. 1.5".
// Pure.

/** @typedef {{ from?: string, to?: string }} Range */

/** @param {string} text @returns {Range[]} */
export function parseRanges(text) {
  return text.split("\n").map((line) => line.trim()).filter(Boolean).map((line) => {
    const at = line.indexOf("..");
    if (at < 0) return { from: line, to: line };
    const from = line.slice(0, at).trim();
    const to = line.slice(at + 2).trim();
    return { ...(from ? { from } : {}), ...(to ? { to } : {}) };
  });
}

/** @param {Range[] | null | undefined} ranges */
export function formatRanges(ranges) {
  return (ranges ?? []).map(({ from, to }) => (from !== undefined && from === to ? from : `${from ?? ""} .. ${to ?? ""}`.trim())).join("\n");
}

/** One tag a line; only the line's end is cut, since blanks are part of a tag. @param {string} text */
export function parseTags(text) {
  return text.split("\n").map((line) => line.replace(/\r$/, "")).filter((line) => line.trim() !== "")
    .map((line) => (/^[ -~]{1,3}$/.test(line) && !line.includes("\\") ? line.padEnd(4) : line));
}
