// How one tag spreads over the hosts now: a strip for each uptime band on one log scale, so that
// young and old hosts are not mixed. Few hosts are dots, each a link; many are bars, the outliers
// dots. A stretch of the scale is chosen by dragging, by two handles with the arrow keys, or typed.
import { html, useMemo, useRef, useState } from "../lib/ui.js";
import { score } from "../lib/format.js";
import { powerTicks } from "../lib/scale.js";
import { hostHref } from "../lib/router.js";
import { binLow, hostsBetween, measureFormat } from "../lib/spread.js";
import { cut, visible } from "../lib/text.js";
import { en } from "../lib/en.js";
import { RegionForm } from "./region.js";
import { useWidth } from "./width.js";

const STRIP = 46;
const TOP = 20;
const FOOT = 24;
const SIDE = 12;
const LABEL = 74;
const t = en.tag;

/** A dot of a host that a finding holds, or that is far from its peers. @param {Dot} dot */
export const isOutlier = (dot) => dot.finding_id !== null || (dot.score !== null && dot.score >= 6);

/** Where everything stands. @param {Distribution} d @param {number} width */
function layout(d, width) {
  const bins = Math.max(1, ...d.bands.map((b) => b.counts.length));
  const pad = Math.max(1, Math.ceil((8 - bins) / 2));
  const first = Math.max(0, d.first_bin - pad);
  const last = d.first_bin + bins - 1 + pad;
  const left = width < 520 ? SIDE : LABEL;
  const step = (width - left - SIDE) / (last - first + 1);
  const x = (/** @type {number} */ bin) => left + (bin - first) * step;
  const value = (/** @type {number} */ v) => x(Math.log2(Math.max(1, v)) * d.bins_per_octave);
  const most = Math.max(1, ...d.bands.flatMap((b) => b.counts));
  return { first, last, left, step, x, value, most, height: TOP + STRIP * d.bands.length + FOOT };
}

/** Dots of one band side by side, piled where they meet. @param {Dot[]} dots @param {(v: number) => number} x @param {number} base */
function pile(dots, x, base) {
  /** @type {Map<number, number>} */
  const levels = new Map();
  return dots.map((dot) => {
    const px = x(dot.value);
    const slot = Math.round(px / 9);
    const level = levels.get(slot) ?? 0;
    levels.set(slot, level + 1);
    return { dot, x: px, y: Math.max(base - STRIP + 8, base - 5 - level * 8) };
  });
}

/**
 * @param {{ d: Distribution, region: [number, number] | null, onRegion: (low: number | null, high: number | null) => void }} props
 */
export function Distribution({ d, onRegion }) {
  const ref = useRef(/** @type {HTMLDivElement | null} */ (null));
  const width = useWidth(ref);
  const format = measureFormat(d.measure);
  const at = useMemo(() => layout(d, width), [d, width]);
  /** Bins chosen, both ends included. */
  const [bins, setBins] = useState(/** @type {[number, number] | null} */ (null));
  const drag = useRef(/** @type {number | null} */ (null));
  const low = bins ? binLow(bins[0], d.bins_per_octave) : null;
  // The upper end is just below where the next bin begins.
  const high = bins ? Math.max(0, Math.ceil(binLow(bins[1] + 1, d.bins_per_octave)) - 1) : null;

  const binAt = (/** @type {PointerEvent} */ e) => {
    const box = /** @type {Element} */ (e.currentTarget).getBoundingClientRect();
    const bin = at.first + Math.floor(((e.clientX - box.left) * (width / box.width) - at.left) / at.step);
    return Math.max(at.first, Math.min(at.last, bin));
  };
  const down = (/** @type {PointerEvent} */ e) => {
    if (e.button !== 0 || /** @type {Element} */ (e.target).closest("a, [role=slider]")) return;
    drag.current = binAt(e);
    /** @type {Element} */ (e.currentTarget).setPointerCapture(e.pointerId);
  };
  const move = (/** @type {PointerEvent} */ e) => {
    if (drag.current === null) return;
    const now = binAt(e);
    setBins([Math.min(drag.current, now), Math.max(drag.current, now)]);
  };
  const up = (/** @type {PointerEvent} */ e) => {
    if (drag.current === null) return;
    const from = drag.current;
    drag.current = null;
    if (binAt(e) === from) setBins(null);
  };
  const key = (/** @type {0 | 1} */ end) => (/** @type {KeyboardEvent} */ e) => {
    const now = bins ?? [at.first, at.last];
    const by = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1, PageUp: d.bins_per_octave, PageDown: -d.bins_per_octave }[e.key];
    if (e.key === "Enter") onRegion(low ?? binLow(now[0], d.bins_per_octave), high);
    else if (e.key === "Escape") setBins(null);
    else if (by !== undefined || e.key === "Home" || e.key === "End") {
      const to = by === undefined ? (e.key === "Home" ? at.first : at.last) : now[end] + by;
      setBins(end === 0 ? [Math.max(at.first, Math.min(to, now[1])), now[1]] : [now[0], Math.min(at.last, Math.max(to, now[0]))]);
    } else return;
    e.preventDefault();
  };

  const floor = TOP + STRIP * d.bands.length;
  const shown = bins ?? [at.first, at.last];
  const handle = (/** @type {0 | 1} */ end) => {
    const hx = at.x(shown[end] + end);
    const edge = end === 0 ? binLow(shown[0], d.bins_per_octave) : binLow(shown[1] + 1, d.bins_per_octave);
    return html`<g class="dist-handle" role="slider" tabindex="0" aria-label=${end === 0 ? t.lowHandle : t.highHandle} aria-valuemin=${at.first} aria-valuemax=${at.last}
      aria-valuenow=${shown[end]} aria-valuetext=${`${format(edge)}, ${en.explain.hostsBetween(hostsBetween(d, shown[0], shown[1]))}`} onKeyDown=${key(end)}>
      <rect x=${hx - 12} y=${TOP - 8} width="24" height=${floor - TOP + 12} class="dist-grab" />
      <path d=${`M${hx} ${TOP - 4}V${floor}`} class="dist-handle-line" />
      <rect x=${hx - 4} y=${TOP - 6} width="8" height="12" rx="2" class="dist-handle-knob" />
    </g>`;
  };
  const mark = (/** @type {number | null} */ v, /** @type {string} */ text) =>
    v === null
      ? null
      : html`<g><line class="dist-median" x1=${at.value(v)} x2=${at.value(v)} y1=${TOP - 6} y2=${floor} />
          <text class="dist-median-text" x=${at.value(v)} y=${TOP - 9} text-anchor=${at.value(v) > width - 120 ? "end" : "start"}>${text}</text></g>`;

  return html`<div ref=${ref}>
    <svg class="dist dist-drag" width=${width} height=${at.height} viewBox=${`0 0 ${width} ${at.height}`} role="group"
      aria-label=${t.distributionLabel(d.hosts, d.bands.length)} onPointerDown=${down} onPointerMove=${move} onPointerUp=${up}>
      ${powerTicks(Math.max(1, binLow(at.first, d.bins_per_octave)), binLow(at.last + 1, d.bins_per_octave), Math.max(3, Math.floor(width / 110))).map(
        (v) => html`<g><line class="dist-grid" x1=${at.value(v)} x2=${at.value(v)} y1=${TOP} y2=${floor} /><text x=${at.value(v)} y=${floor + 16} text-anchor="middle">${format(v)}</text></g>`,
      )}
      ${bins ? html`<rect class="dist-region" x=${at.x(bins[0])} y=${TOP} width=${(bins[1] - bins[0] + 1) * at.step} height=${floor - TOP} />` : null}
      ${d.bands.map((band, i) => {
        const base = TOP + STRIP * (i + 1) - 2;
        return html`<g key=${band.band}>
          <line class="dist-axis" x1=${at.left} x2=${width - SIDE} y1=${base} y2=${base} />
          <text class="dist-band" x=${width < 520 ? SIDE : at.left - 8} y=${width < 520 ? base - STRIP + 14 : base - 12} text-anchor=${width < 520 ? "start" : "end"}>${t.upBand(band.band)}</text>
          ${d.dots_complete
            ? null
            : band.counts.map((n, b) =>
                n ? html`<rect class="dist-bar" x=${at.x(d.first_bin + b)} width=${Math.max(1, at.step - 1)} y=${base - Math.max(2, Math.sqrt(n / at.most) * (STRIP - 12))} height=${Math.max(2, Math.sqrt(n / at.most) * (STRIP - 12))}><title>${en.explain.hostsBetween(n)}</title></rect>` : null)}
          ${pile(d.dots.filter((dot) => dot.band === band.band && (d.dots_complete || isOutlier(dot))), at.value, base).map(({ dot, x, y }) => {
            const text = `${cut(visible(dot.name ?? dot.host_id), 60)}: ${format(dot.value)}, ${t.scoreIs(score(dot.score))}${dot.simulated ? ", " + t.simulated : ""}`;
            return html`<a key=${dot.host_id} href=${hostHref(dot.host_id)} aria-label=${text}><circle class=${isOutlier(dot) ? "dist-out" : "dist-dot"} cx=${x.toFixed(1)} cy=${y.toFixed(1)} r=${isOutlier(dot) ? 4.5 : 3.5}><title>${text}</title></circle></a>`;
          })}
        </g>`;
      })}
      ${mark(d.median, `${t.median} ${format(d.median)}`)}
      ${handle(0)}${handle(1)}
    </svg>
    <${RegionForm} id="dist-region" low=${low} high=${high} format=${format} hosts=${bins ? hostsBetween(d, bins[0], bins[1]) : null} onRegion=${onRegion} />
  </div>`;
}

/** The same as rows: hosts per size and band. @param {Distribution} d */
export function distributionRows(d) {
  const format = measureFormat(d.measure);
  const bins = Math.max(0, ...d.bands.map((b) => b.counts.length));
  const rows = [];
  for (let b = 0; b < bins; b++) {
    const hosts = d.bands.map((band) => band.counts[b] ?? 0);
    const sum = hosts.reduce((a, n) => a + n, 0);
    if (sum) rows.push({ low: binLow(d.first_bin + b, d.bins_per_octave), high: binLow(d.first_bin + b + 1, d.bins_per_octave), hosts, sum, format });
  }
  return rows;
}

