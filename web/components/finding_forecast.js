// When the hosts of a finding run out, as a picture: the range that holds it with 80 %, and its middle.
// The hosts' table says the same in words.
import { html } from "../lib/ui.js";
import { parseTime, span, timeLeft, utcTime } from "../lib/format.js";
import { LIMIT } from "../lib/words.js";
import { visible } from "../lib/text.js";
import { en } from "../lib/en.js";
import { HostName } from "./names.js";

const t = en.finding.forecast;
const ROWS = 6;
const WIDTH = 300;
const FAR = 2; // the axis ends at twice the last middle: a range may be much longer

/** @param {{ f: Finding, now?: number }} props */
export function ForecastPanel({ f, now = Date.now() }) {
  const all = f.hosts
    .map((h) => ({ h, low: parseTime(h.exhausts_at?.p10), mid: parseTime(h.exhausts_at?.p50), high: parseTime(h.exhausts_at?.p90), left: timeLeft(h.exhausts_at, now) }))
    .filter((x) => x.mid !== null && x.left !== null)
    .sort((a, b) => /** @type {number} */ (a.mid) - /** @type {number} */ (b.mid));
  const rows = all.slice(0, ROWS);
  if (!rows.length) return null;
  const mids = rows.map((x) => Math.max(/** @type {number} */ (x.mid), now));
  const highs = rows.map((x) => x.high ?? /** @type {number} */ (x.mid));
  const end = Math.max(now + 3600000, Math.min(Math.max(...highs), now + (Math.max(...mids) - now) * FAR));
  const x = (/** @type {number | null} */ at, /** @type {number} */ none) => Math.max(0, Math.min(1, ((at ?? none) - now) / (end - now))) * WIDTH;
  return html`<section class="panel" aria-labelledby="fc-h">
    <div class="panel-head"><h2 id="fc-h">${t.title}</h2><span class="muted">${all.length > rows.length ? t.first(rows.length, all.length) : ""}</span></div>
    <ul class="forecast">${rows.map(({ h, low, mid, high, left }) => {
      const a = x(low, /** @type {number} */ (mid));
      const b = x(high, /** @type {number} */ (mid));
      const far = (high ?? 0) > end;
      return html`<li key=${h.id}><span><${HostName} id=${h.id} name=${h.name} length=${18} simulated=${h.simulated} /></span>
        <svg viewBox=${`0 0 ${WIDTH} 18`} preserveAspectRatio="none" role="img" aria-label=${t.label(visible(h.name ?? h.id), left?.text ?? "", utcTime(mid))}>
          <line class="fc-axis" x1="0" x2=${WIDTH} y1="9" y2="9" vector-effect="non-scaling-stroke" />
          <rect class=${left?.soon ? "fc-range fc-soon" : "fc-range"} x=${a} y="4" width=${Math.max(2, b - a)} height="10" />
          ${far ? null : html`<line class="fc-end" x1=${b} x2=${b} y1="1" y2="17" vector-effect="non-scaling-stroke" />`}
          <line class="fc-mid" x1=${x(mid, now)} x2=${x(mid, now)} y1="0" y2="18" vector-effect="non-scaling-stroke" />
        </svg>
        <span class=${left?.soon ? "soon" : ""}>${left?.text}</span>${h.limit ? html`<small class="muted">${LIMIT[h.limit] ?? h.limit}</small>` : html`<small></small>`}</li>`;
    })}</ul>
    <p class="forecast-axis small muted" aria-hidden="true"><span></span><span><span>${t.now}</span><span>${span((end - now) / 1000)}</span></span></p>
    <p class="small muted">${t.hint}</p>
  </section>`;
}
