// "Is the fix working": one sentence, each host's growth before and after, and the same as a table.
import { html } from "../lib/ui.js";
import { useResource } from "../lib/resource.js";
import { rate, rfc3339 } from "../lib/format.js";
import { href } from "../lib/router.js";
import { visible } from "../lib/text.js";
import { en } from "../lib/en.js";
import { Empty, Load, Skeleton } from "./states.js";
import { HostName, Name, Time } from "./names.js";
import { Twin } from "./twin.js";
import { ApiLink } from "./api_link.js";

const t = en.finding.fix;
const WIDTH = 420;
const HEIGHT = 190;
const LINES_MAX = 40;
/** @type {Record<string, string>} */
const TONE = { works: "ok", fails: "critical" };

/** A line a host, from before to after. @param {{ hosts: FixHost[] }} props */
function Plot({ hosts }) {
  const drawn = hosts.filter((h) => h.moved && h.before_bytes_per_hour !== null && h.after_bytes_per_hour !== null).slice(0, LINES_MAX);
  if (!drawn.length) return null;
  const values = drawn.flatMap((h) => [/** @type {number} */ (h.before_bytes_per_hour), /** @type {number} */ (h.after_bytes_per_hour)]);
  const top = Math.max(1, ...values);
  const low = Math.min(0, ...values);
  const y = (/** @type {number | null} */ v) => 12 + (1 - (/** @type {number} */ (v) - low) / (top - low)) * (HEIGHT - 44);
  const left = 110;
  const right = WIDTH - 90;
  return html`<svg class="fix-plot" viewBox=${`0 0 ${WIDTH} ${HEIGHT}`} role="img" aria-label=${t.plot(drawn.length)}>
    ${[top, 0].map((v) => html`<line key=${v} class="fix-axis" x1=${left} x2=${right} y1=${y(v)} y2=${y(v)} /><text key=${"t" + v} class="fix-text" x=${left - 10} y=${y(v) + 4} text-anchor="end">${v === 0 ? "0" : rate(v)}</text>`)}
    <text class="fix-text" x=${left} y=${HEIGHT - 6} text-anchor="middle">${t.before}</text>
    <text class="fix-text" x=${right} y=${HEIGHT - 6} text-anchor="middle">${t.after}</text>
    ${drawn.map((h) => html`<g key=${h.id} class=${"fix-host fix-" + h.growth}>
      <line x1=${left} x2=${right} y1=${y(h.before_bytes_per_hour)} y2=${y(h.after_bytes_per_hour)} />
      <circle cx=${left} cy=${y(h.before_bytes_per_hour)} r="2.5" />
      ${h.growth === "growing" ? html`<rect x=${right - 4} y=${y(h.after_bytes_per_hour) - 4} width="8" height="8" />` : html`<circle cx=${right} cy=${y(h.after_bytes_per_hour)} r="3.5" />`}
      <title>${visible(h.name ?? h.id)}: ${rate(h.before_bytes_per_hour)}, ${rate(h.after_bytes_per_hour)}</title>
    </g>`)}
  </svg>`;
}

/** @type {(import("./table.js").Column & { raw: (row: FixHost) => string | number | null })[]} */
const COLUMNS = [
  { key: "name", label: t.name, cell: (h) => html`<${HostName} id=${h.id} name=${h.name} simulated=${h.simulated} />`, raw: (h) => h.name ?? h.id },
  { key: "to", label: t.to, cell: (h) => (h.moved ? html`<${Name} value=${h.to} none=${t.gone} length=${40} />` : html`<span class="muted">${t.stays}</span>`), raw: (h) => (h.moved ? h.to : h.from) },
  { key: "changed_at", label: t.changed, class: "nowrap", cell: (h) => (h.changed_at ? html`<${Time} value=${h.changed_at} />` : ""), raw: (h) => (h.changed_at ? rfc3339(Date.parse(h.changed_at)) : null) },
  { key: "before_bytes_per_hour", label: t.beforeCol, number: true, cell: (h) => html`<span title=${span(h.before_low, h.before_high)}>${rate(h.before_bytes_per_hour)}</span>`, raw: (h) => h.before_bytes_per_hour },
  { key: "after_bytes_per_hour", label: t.afterCol, number: true, cell: (h) => html`<span title=${span(h.after_low, h.after_high)}>${rate(h.after_bytes_per_hour)}</span>`, raw: (h) => h.after_bytes_per_hour },
  { key: "growth", label: t.verdict, cell: (h) => t.growth[/** @type {FixHost["growth"]} */ (h.growth)] ?? h.growth, raw: (h) => h.growth },
];

/** @param {number | null} low @param {number | null} high */
function span(low, high) {
  return low === null || high === null ? undefined : `80 %: ${t.low} ${rate(low)} ${t.high} ${rate(high)}`;
}

/** @param {{ x: FindingFix }} props */
function Body({ x }) {
  const tone = TONE[x.verdict];
  if (x.verdict === "no_version") return html`<${Empty} title=${t.nothing} />`;
  return html`<p class="fix-says"><span class=${"badge" + (tone ? ` badge-${tone}` : "")}>${t.verdicts[x.verdict]}</span> <bdi>${visible(x.sentence)}</bdi></p>
    <${Plot} hosts=${x.items} />
    ${x.versions.length ? html`<p class="small muted">${t.versions}: ${x.versions.map((v, i) => html`${i ? "; " : ""}<bdi>${t.version(visible(v.version ?? t.gone), v.growing, v.measured)}</bdi>`)}.</p>` : null}
    ${x.moved.read < x.moved.hosts ? html`<p class="small muted">${t.read(x.moved.read, x.moved.hosts)}</p>` : null}
    ${x.items.length ? html`<${Twin} title=${t.table} columns=${COLUMNS} rows=${x.items} />` : null}`;
}

/** @param {{ f: Finding }} props */
export function FixPanel({ f }) {
  const path = href(["findings", f.id, "fix"]);
  const fix = /** @type {Resource<FindingFix>} */ (useResource(path, { every: 300000 }));
  return html`<section class="panel" aria-labelledby="fix-h">
    <div class="panel-head"><h2 id="fix-h">${t.title}</h2><${ApiLink} path=${path} what=${t.title} /></div>
    <${Load} resource=${fix} skeleton=${html`<${Skeleton} rows=${3} />`} render=${(/** @type {FindingFix} */ x) => html`<${Body} x=${x} />`} />
  </section>`;
}
