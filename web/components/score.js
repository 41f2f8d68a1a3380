// A score against the peers, toned when it is far out; the spread of a tag over the fleet.
import { html } from "../lib/ui.js";
import { bytes, score } from "../lib/format.js";

/** A tag of few kilobytes may be far out and still not matter: less above the peers is not toned. */
const MATTERS = 1024 * 1024;

/**
 * How loud a score is shown: 0 as its peers, 1 raised, 2 far above.
 * @param {number | null} z
 * @param {number | null} bytes
 * @param {number | null} peers
 */
export function scoreTone(z, bytes, peers) {
  if (z === null || (bytes !== null && peers !== null && bytes - peers < MATTERS)) return 0;
  return z >= 10 ? 2 : z >= 5 ? 1 : 0;
}

/** @param {{ value: number | null, bytes: number | null, peers: number | null, hosts?: number | null }} props */
export function Score({ value, bytes: held, peers, hosts }) {
  const cls = value === null ? "unknown" : ["", "score-raised", "score-high"][scoreTone(value, held, peers)];
  const title = value === null ? "no peers to compare with" : `robust z-score against ${hosts ?? "the"} peers`;
  return html`<span class=${cls} title=${title}>${score(value)}</span>`;
}

/**
 * Median to p99 as a bar, the biggest host as a dot, on one log scale for the whole table.
 * @param {{ median: number | null, p99: number | null, max: number | null, top: number, out: boolean }} props top: bytes at the right end;
 *        out: a finding says that the biggest is out of line
 */
export function Spread({ median, p99, max, top, out }) {
  if (median === null || p99 === null || max === null) return html`<span class="unknown">\u2013</span>`;
  const lo = Math.log2(1024);
  const hi = Math.max(lo + 1, Math.log2(Math.max(2048, top)));
  const x = (/** @type {number} */ v) => 4 + Math.max(0, Math.min(1, (Math.log2(Math.max(1, v)) - lo) / (hi - lo))) * 112;
  const text = `median ${bytes(median)}, p99 ${bytes(p99)}, biggest host ${bytes(max)}`;
  return html`<svg class="spread" width="120" height="14" viewBox="0 0 120 14" role="img" aria-label=${text}>
    <title>${text}</title>
    <line class="spread-line" x1=${x(median)} x2=${x(max)} y1="7" y2="7" />
    <line class="spread-mid" x1=${x(median)} x2=${Math.max(x(median) + 1, x(p99))} y1="7" y2="7" />
    <rect class="spread-dot" x=${x(median) - 1} y="2" width="2" height="10" />
    <circle class=${"spread-max" + (out ? " out" : "")} cx=${x(max)} cy="7" r="3" />
  </svg>`;
}
