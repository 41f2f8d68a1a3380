// The first mover on the worst hosts beside the middle of unaffected ones; and the evidence, sentence
// by sentence, each with its series and the calls that give it.
import { html, useMemo, useState } from "../lib/ui.js";
import { useResource } from "../lib/resource.js";
import { bytes, localTime, parseTime } from "../lib/format.js";
import { hostHref, href } from "../lib/router.js";
import { visible } from "../lib/text.js";
import { en } from "../lib/en.js";
import { ApiLink } from "./api_link.js";
import { Chart } from "./chart.js";
import { HostName, TagChip } from "./names.js";
import { Empty, Load } from "./states.js";
import { Twin } from "./twin.js";

const t = en.finding.series;
const LINES = 5;
const COLORS = ["--chart-1", "--warning-fill", "--ok", "--critical", "--chart-3"];

/** @param {Finding} f */
export const seriesPath = (f) => href(["findings", f.id, "series"], { points: 120, hosts: 50 });

/** Boots of the worst host, and what was changed on it. @param {HostHistoryItem[]} items @param {number} from epoch seconds */
function worstMarks(items, from) {
  return items
    .filter((x) => ["boot", "driver", "agent"].includes(x.kind))
    .map((x) => ({ t: (parseTime(x.at) ?? 0) / 1000, label: x.kind === "boot" ? en.host.time.markBoot : visible(x.name).slice(0, 18), kind: x.kind }))
    .filter((m) => m.t >= from)
    .slice(0, 60);
}

/** The figures of a chart over time, as a table and a file. @param {string} title @param {number[]} times @param {{ label: string, values: (number | null)[] }[]} lines */
const figures = (title, times, lines) => html`<${Twin} title=${title} rows=${times.map((at, i) => ({ at, i }))} columns=${[
  { key: "at", label: t.time, class: "nowrap", raw: (/** @type {any} */ r) => new Date(r.at * 1000).toISOString(), cell: (/** @type {any} */ r) => localTime(r.at * 1000) },
  ...lines.map((l) => ({ key: lines.length > 1 ? l.label : "bytes", label: l.label, number: true, raw: (/** @type {any} */ r) => l.values[r.i] ?? null, cell: (/** @type {any} */ r) => bytes(l.values[r.i] ?? null) })),
]} />`;

/** @param {{ f: Finding, series: Resource<FindingSeries> }} props */
export function SeriesPanel({ f, series }) {
  const worst = series.data?.hosts[0];
  const history = /** @type {Resource<List<HostHistoryItem>>} */ (useResource(worst ? href(["hosts", worst.id, "history"], { limit: 200 }) : null, { every: 0 }));
  const marks = useMemo(() => (series.data && history.data ? worstMarks(history.data.items, series.data.t[0] ?? 0) : []), [series.data, history.data]);
  const lines = useMemo(() => {
    const s = series.data;
    if (!s) return [];
    const out = s.hosts.slice(0, LINES).map((h, i) => ({ label: visible(h.name ?? h.id).slice(0, 32), values: h.bytes, color: COLORS[i % COLORS.length], width: i === 0 ? 2 : 1.5 }));
    if (s.peers.median.some((v) => v !== null)) out.push(/** @type {any} */ ({ label: t.median, values: s.peers.median, color: "--text-3", dash: [6, 4], width: 1.5 }));
    return out;
  }, [series.data]);
  return html`<section class="panel" aria-labelledby="worst-h">
    <div class="panel-head"><h2 id="worst-h"><${TagChip} tag=${f.tag} pool=${f.pool} /> ${t.title}</h2><${ApiLink} path=${seriesPath(f)} what=${t.title} /></div>
    <${Load} resource=${series} skeleton=${html`<div class="chart-hold"></div>`}
      render=${(/** @type {FindingSeries} */ s) =>
        s.hosts.some((h) => h.bytes.filter((v) => v !== null).length > 1)
          ? html`<${Chart} t=${s.t} binary height=${210} format=${bytes} label=${t.label(f.tag)} lines=${lines} marks=${marks} />
              <p class="muted small">${marks.length ? `${t.marks(visible(s.hosts[0].name ?? s.hosts[0].id))} ` : ""}${s.peers.median.some((v) => v !== null) ? t.peers(s.peers.hosts, s.peers.alike) : t.noPeers}</p>
              ${figures(t.label(f.tag), s.t, lines)}`
          : html`<${Empty} title=${t.empty}><//>`} />
  </section>`;
}

/** @param {{ f: Finding, sentence: string }} props */
function Proof({ f, sentence }) {
  const tag = f.tags.find((x) => sentence.includes(`"${x}"`) || sentence.includes(x)) ?? f.tag;
  const host = f.hosts.find((h) => h.name && sentence.includes(h.name)) ?? f.hosts[0];
  const path = host ? href(["hosts", host.id, "tags", tag, "series"], { pool: f.pool, points: 300 }) : null;
  const series = /** @type {Resource<TagSeries>} */ (useResource(path, { every: 300000 }));
  if (!host || !path) return null;
  return html`<p class="small"><${TagChip} tag=${tag} pool=${f.pool} /> ${en.finding.evidence.on} <${HostName} id=${host.id} name=${host.name} simulated=${host.simulated} /></p>
    <${Load} resource=${series} skeleton=${html`<div class="chart-hold"></div>`}
      render=${(/** @type {TagSeries} */ s) => (s.t.length > 1 ? html`<${Chart} t=${s.t} binary height=${150} format=${bytes} label=${t.bytesOf(tag)} marks=${s.boots.map((at) => ({ t: at, label: en.host.time.markBoot, kind: "boot" }))} lines=${[{ label: t.bytes, values: s.bytes, fill: true }]} />${figures(t.bytesOf(tag), s.t, [{ label: t.bytes, values: s.bytes }])}` : html`<${Empty} title=${t.empty}><//>`)} />
    <p class="small muted">${en.finding.evidence.ask}: <${ApiLink} path=${path} what="" text=${"GET " + path} /> <a href=${hostHref(host.id)}>${en.finding.evidence.host}</a></p>`;
}

/** @param {{ f: Finding, sentence: string }} props */
function Sentence({ f, sentence }) {
  const [open, setOpen] = useState(false);
  return html`<li><details class="proof" onToggle=${(/** @type {any} */ e) => setOpen(e.currentTarget.open)}>
    <summary><bdi>${visible(sentence)}</bdi></summary>
    ${open ? html`<${Proof} f=${f} sentence=${sentence} />` : null}
  </details></li>`;
}

/** @param {{ f: Finding }} props */
export function EvidencePanel({ f }) {
  return html`<section class="panel" aria-labelledby="ev-h">
    <div class="panel-head"><h2 id="ev-h">${en.finding.evidence.title}</h2><${ApiLink} path=${href(["findings", f.id])} what=${en.finding.evidence.title} /></div>
    ${f.evidence.length
      ? html`<p class="muted small">${en.finding.evidence.hint}</p><ul class="proofs">${f.evidence.map((e, i) => html`<${Sentence} key=${i} f=${f} sentence=${e} />`)}</ul>`
      : html`<p class="muted">${en.finding.evidence.none}</p>`}
  </section>`;
}
