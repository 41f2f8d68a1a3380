// Small pictures of groups of hosts: a box of quartiles per version, and two bars of shares.
import { html } from "../lib/ui.js";
import { count } from "../lib/format.js";

/** Least to most as a line, the middle half as a box, the median as a mark; its 95 % interval as a bracket below. @param {{ s: Spread, top: number, format: (n: number | null) => string, tone?: string }} props top: the value at the right end */
export function Box({ s, top, format, tone = "" }) {
  if (!s.hosts || s.median === null) return html`<span class="unknown">\u2013</span>`;
  const x = (/** @type {number | null} */ v) => 3 + Math.max(0, Math.min(1, Math.sqrt(Math.max(0, v ?? 0) / (top || 1)))) * 174;
  const text = `${format(s.min)} to ${format(s.max)}, median ${format(s.median)}${s.median_low === null ? "" : ` (95 % interval ${format(s.median_low)} to ${format(s.median_high)})`}, ${count(s.hosts)} hosts`;
  return html`<svg class=${"box " + tone} width="180" height="18" viewBox="0 0 180 18" role="img" aria-label=${text}><title>${text}</title>
    <line class="box-line" x1=${x(s.min)} x2=${x(s.max)} y1="8" y2="8" />
    <rect class="box-mid" x=${x(s.q1)} y="3" width=${Math.max(2, x(s.q3) - x(s.q1))} height="10" />
    <rect class="box-median" x=${x(s.median) - 1} y="1" width="2" height="14" />
    ${s.median_low === null ? null : html`<path class="box-range" d=${`M${x(s.median_low)} 14v3H${x(s.median_high)}v-3`} />`}
  </svg>`;
}

/**
 * Of the selected and of the others, how many have it: two bars on one scale, told apart by place
 * and pattern too, each with the interval its share is known to.
 * @param {{ item: ExplainItem, label: string }} props
 */
export function ShareBars({ item, label }) {
  const share = (/** @type {number} */ k, /** @type {number} */ n) => (n ? k / n : 0) * 156;
  const bar = (/** @type {string} */ cls, /** @type {number} */ y, /** @type {number} */ k, /** @type {number} */ n, /** @type {number} */ lo, /** @type {number} */ hi) => html`
    <rect class="share-back" x="2" y=${y} width="156" height="8" />
    <rect class=${cls} x="2" y=${y} width=${share(k, n)} height="8" />
    <path class="share-range" d=${`M${2 + lo * 156} ${y + 1.5}v5M${2 + lo * 156} ${y + 4}H${2 + hi * 156}M${2 + hi * 156} ${y + 1.5}v5`} />`;
  return html`<svg class="shares" width="160" height="22" viewBox="0 0 160 22" role="img" aria-label=${label}><title>${label}</title>
    ${bar("share-selected", 1, item.selected_with, item.selected, item.selected_low, item.selected_high)}
    ${bar("share-baseline", 12, item.baseline_with, item.baseline, item.baseline_low, item.baseline_high)}
  </svg>`;
}
