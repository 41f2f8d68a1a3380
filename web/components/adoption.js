// Which share of a driver's hosts ran which version, day by day: stacked, because the parts make a
// whole. Bad versions are hatched, not only red.
import { html, useMemo, useRef, useState } from "../lib/ui.js";
import { count, localTime, percent } from "../lib/format.js";
import { visible } from "../lib/text.js";
import { en } from "../lib/en.js";
import { useWidth } from "./width.js";

const HEIGHT = 170;
const FOOT = 20;
const SIDE = 2;
const OWN = 7; /* versions drawn by themselves; the rest together */
const t = en.drivers;

/** Widest first by their last days, the rest as one. @param {DriverDetail} d */
export function adoptionParts(d) {
  const bad = new Set(d.versions.filter((v) => v.verdict === "bad").map((v) => v.version));
  const names = d.versions.map((v) => v.version ?? "unknown").filter((v) => d.adoption.versions[v]);
  const weight = (/** @type {string} */ v) => d.adoption.versions[v].reduce((a, n, i) => a + n * (i + 1), 0) + (bad.has(v) ? 1e12 : 0);
  const own = new Set(names.slice().sort((a, b) => weight(b) - weight(a)).slice(0, OWN));
  /** @type {{ name: string, values: number[], bad: boolean }[]} */
  const parts = names.filter((v) => own.has(v)).map((v) => ({ name: v, values: d.adoption.versions[v], bad: bad.has(v) }));
  const rest = names.filter((v) => !own.has(v));
  if (rest.length) parts.push({ name: t.others, values: d.adoption.t.map((_, i) => rest.reduce((a, v) => a + (d.adoption.versions[v][i] ?? 0), 0)), bad: false });
  // The biggest of the last day get the plainest tones; the order of the versions stays.
  const last = d.adoption.t.length - 1;
  const tones = parts.filter((p) => !p.bad && own.has(p.name)).sort((a, b) => (b.values[last] ?? 0) - (a.values[last] ?? 0));
  return parts.map((p) => ({ ...p, tone: own.has(p.name) ? tones.indexOf(p) : OWN }));
}

/** @param {{ d: DriverDetail }} props */
export function Adoption({ d }) {
  const ref = useRef(/** @type {HTMLDivElement | null} */ (null));
  const width = useWidth(ref);
  const parts = useMemo(() => adoptionParts(d), [d]);
  const days = d.adoption.t;
  const [day, setDay] = useState(days.length - 1);
  const at = Math.min(day, days.length - 1);
  const sums = days.map((_, i) => parts.reduce((a, p) => a + (p.values[i] ?? 0), 0));
  const step = (width - 2 * SIDE) / days.length;
  const base = days.map(() => HEIGHT);
  const labels = Math.max(1, Math.floor(width / 130));
  const said = `${localTime(days[at] * 1000, "day")}: ${parts.filter((p) => p.values[at]).map((p) => `${visible(p.name)} ${percent((p.values[at] ?? 0) / (sums[at] || 1))} (${count(p.values[at])})`).join(", ") || t.none}`;
  return html`<div ref=${ref}>
    <svg class="adoption" width=${width} height=${HEIGHT + FOOT} viewBox=${`0 0 ${width} ${HEIGHT + FOOT}`} role="slider" tabindex="0" aria-label=${t.adoptionLabel} aria-valuemin="0" aria-valuemax=${days.length - 1} aria-valuenow=${at} aria-valuetext=${said}
      onPointerMove=${(/** @type {any} */ e) => {
        const box = e.currentTarget.getBoundingClientRect();
        setDay(Math.max(0, Math.min(days.length - 1, Math.floor(((e.clientX - box.left) * (width / box.width) - SIDE) / step))));
      }}
      onKeyDown=${(/** @type {KeyboardEvent} */ e) => {
        const by = { ArrowLeft: -1, ArrowRight: 1, ArrowDown: -1, ArrowUp: 1, Home: -days.length, End: days.length }[e.key];
        if (by === undefined) return;
        e.preventDefault();
        setDay(Math.max(0, Math.min(days.length - 1, at + by)));
      }}>
      <defs><pattern id="hatch" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)"><rect width="6" height="6" class="adoption-bad" /><line x1="0" x2="0" y1="0" y2="6" class="adoption-hatch" /></pattern></defs>
      ${parts.map((p) => html`<g key=${p.name} class=${p.bad ? "" : "adoption-part adoption-" + p.tone}>${p.values.map((n, i) => {
        const h = sums[i] ? (n / sums[i]) * HEIGHT : 0;
        base[i] -= h;
        return h > 0 ? html`<rect x=${SIDE + i * step} y=${base[i].toFixed(2)} width=${Math.max(1, step - (step > 5 ? 1 : 0)).toFixed(2)} height=${h.toFixed(2)} fill=${p.bad ? "url(#hatch)" : undefined} />` : null;
      })}</g>`)}
      <rect class="adoption-day" x=${SIDE + at * step} y="0" width=${Math.max(2, step)} height=${HEIGHT} />
      ${days.map((s, i) => (i % Math.max(1, Math.ceil(days.length / labels)) === 0 ? html`<text x=${Math.min(width - 70, SIDE + i * step)} y=${HEIGHT + 14}>${localTime(s * 1000, "day")}</text>` : null))}
    </svg>
    <ul class="adoption-legend">${parts.map((p) => html`<li key=${p.name}><svg width="14" height="14" aria-hidden="true"><rect width="14" height="14" class=${p.bad ? "" : "adoption-part adoption-" + p.tone} fill=${p.bad ? "url(#hatch)" : undefined} /></svg>${visible(p.name)}${p.bad ? ` (${t.verdicts.bad})` : ""}</li>`)}</ul>
    <p class="small" role="status">${said}</p>
  </div>`;
}
