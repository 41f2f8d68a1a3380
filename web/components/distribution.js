// How one tag's bytes spread over the hosts: bars on a log scale, outliers as dots that are links.
import { html, useEffect, useMemo, useRef, useState } from "../lib/ui.js";
import { bytes, score } from "../lib/format.js";
import { logBins, powerTicks } from "../lib/scale.js";
import { hostHref } from "../lib/router.js";
import { cut, visible } from "../lib/text.js";

const HEIGHT = 176;
const TOP = 18;
const BASE = HEIGHT - 26;
const SIDE = 16;
const OUTLIERS_MAX = 60;
const OUTLIER_SCORE = 6;
const OUTLIER_BYTES = 1024 * 1024;

/** The width an element has, followed. @param {{ current: Element | null }} ref */
function useWidth(ref) {
  const [width, setWidth] = useState(800);
  useEffect(() => {
    const el = ref.current;
    if (!el) return undefined;
    const watcher = new ResizeObserver(() => setWidth(Math.max(280, el.clientWidth)));
    watcher.observe(el);
    return () => watcher.disconnect();
  }, []);
  return width;
}

/** @param {TagHost} row */
export const isOutlier = (row) =>
  row.finding_id !== null ||
  (row.score !== null && row.score >= OUTLIER_SCORE && (row.bytes ?? 0) - (row.cohort_bytes ?? 0) >= OUTLIER_BYTES);

/** @param {{ rows: TagHost[], median: number | null, p99: number | null, tag: string }} props */
export function Distribution({ rows, median, p99, tag }) {
  const ref = useRef(/** @type {HTMLDivElement | null} */ (null));
  const width = useWidth(ref);
  const picture = useMemo(() => {
    const known = rows.filter((r) => r.bytes !== null);
    const bins = Math.max(20, Math.min(140, Math.floor((width - 2 * SIDE) / 7)));
    const scale = logBins(known.map((r) => /** @type {number} */ (r.bytes)), bins);
    const l0 = Math.log2(scale.lo);
    const l1 = Math.log2(scale.hi);
    const x = (/** @type {number} */ v) => SIDE + ((Math.log2(Math.max(1, v)) - l0) / (l1 - l0 || 1)) * (width - 2 * SIDE);
    const out = known.filter(isOutlier).sort((a, b) => (b.bytes ?? 0) - (a.bytes ?? 0)).slice(0, OUTLIERS_MAX);
    const dots = new Set(out);
    const counts = new Array(bins).fill(0);
    for (const row of known) if (!dots.has(row)) counts[scale.place(/** @type {number} */ (row.bytes))]++;
    const most = Math.max(1, ...counts);
    const step = (width - 2 * SIDE) / bins;
    const bars = counts
      .map((n, i) => ({ n, x: SIDE + i * step, h: n ? Math.max(2, Math.sqrt(n / most) * (BASE - TOP)) : 0 }))
      .filter((b) => b.n);
    /** @type {Map<number, number>} */
    const stack = new Map();
    const points = out.map((row) => {
      const px = x(/** @type {number} */ (row.bytes));
      const slot = Math.round(px / 11);
      const level = stack.get(slot) ?? 0;
      stack.set(slot, level + 1);
      return { row, x: px, y: Math.max(TOP, BASE - 6 - level * 10) };
    });
    return { bars, points, x, step, most, ticks: powerTicks(scale.lo, scale.hi, Math.max(3, Math.floor(width / 110))), lo: scale.lo, hi: scale.hi, hosts: known.length };
  }, [rows, width]);

  const line = (/** @type {number | null} */ v, /** @type {string} */ text, /** @type {string} */ cls) =>
    v === null || v < picture.lo || v > picture.hi
      ? null
      : html`<g class=${cls}>
          <line class="dist-median" x1=${picture.x(v)} x2=${picture.x(v)} y1=${TOP - 4} y2=${BASE} />
          <text class="dist-median-text" x=${picture.x(v)} y=${TOP - 7} text-anchor=${picture.x(v) > width - 90 ? "end" : "start"}>${text}</text>
        </g>`;
  const far = median !== null && p99 !== null && Math.abs(picture.x(p99) - picture.x(median)) > 110;

  return html`<div ref=${ref}>
    <svg class="dist" width=${width} height=${HEIGHT} viewBox=${`0 0 ${width} ${HEIGHT}`} role="group"
      aria-label=${`Bytes of ${tag} over ${picture.hosts} hosts on a log scale; ${picture.points.length} outliers as links`}>
      ${picture.ticks.map(
        (v) => html`<g>
          <line class="dist-grid" x1=${picture.x(v)} x2=${picture.x(v)} y1=${TOP} y2=${BASE} />
          <text x=${picture.x(v)} y=${BASE + 17} text-anchor="middle">${bytes(v)}</text>
        </g>`,
      )}
      ${picture.bars.map(
        (b) => html`<rect class="dist-bar" x=${b.x.toFixed(1)} width=${Math.max(1, picture.step - 1).toFixed(1)} y=${(BASE - b.h).toFixed(1)} height=${b.h.toFixed(1)} rx="1"><title>${b.n} hosts</title></rect>`,
      )}
      <line class="dist-axis" x1=${SIDE} x2=${width - SIDE} y1=${BASE} y2=${BASE} />
      ${line(median, `median ${bytes(median)}`, "")}
      ${far ? line(p99, `p99 ${bytes(p99)}`, "") : null}
      ${picture.points.map(({ row, x, y }) => {
        const name = cut(visible(row.name ?? row.host_id), 60);
        const text = `${name}: ${bytes(row.bytes)}, score ${score(row.score)}`;
        return html`<a href=${hostHref(row.host_id)} aria-label=${text}>
          <circle class="dist-out" cx=${x.toFixed(1)} cy=${y.toFixed(1)} r="5"><title>${text}</title></circle>
        </a>`;
      })}
    </svg>
  </div>`;
}
