// Both pools as pictures of what fills them, with the same as a table.
import { html, useMemo, useState } from "../lib/ui.js";
import { bytes, bytesChange, percent, score } from "../lib/format.js";
import { byOwner } from "../lib/host.js";
import { en } from "../lib/en.js";
import { Bytes, Name, TagChip, Time } from "./names.js";
import { PoolTreemap } from "./treemap.js";
import { Twin } from "./twin.js";

const t = en.host.fill;

/** @param {string} label @param {string} value @param {string[][]} options @param {(v: any) => void} onChange */
const choice = (label, value, options, onChange) => html`<div class="segmented" role="group" aria-label=${label}>
  ${options.map(([v, text]) => html`<button key=${v} type="button" aria-pressed=${v === value ? "true" : "false"} onClick=${() => onChange(v)}>${text}</button>`)}
</div>`;

/** @param {{ tags: HostTags | null, past: boolean, delta: boolean }} props delta: there is a change to show */
export function PoolMap({ tags, past, delta }) {
  const [owners, setOwners] = useState(false);
  const [wanted, setWanted] = useState(/** @type {"" | "peers" | "change"} */ (""));
  const colour = delta && wanted !== "peers" ? "change" : "peers";
  const rows = useMemo(() => (owners ? byOwner(tags?.items ?? []) : tags?.items ?? []), [tags, owners]);
  const sums = useMemo(() => {
    const out = { nonpaged: 0, paged: 0 };
    for (const r of tags?.items ?? []) out[r.pool] += r.bytes ?? 0;
    return out;
  }, [tags]);
  const sorted = useMemo(() => rows.slice().sort((a, b) => (b.bytes ?? -1) - (a.bytes ?? -1)), [rows]);
  return html`<section class="panel" aria-labelledby="fill-h">
    <div class="panel-head">
      <h2 id="fill-h">${t.title}</h2>
      ${tags ? html`<span class="muted">${colour === "change"
        ? html`${t.sinceOf} <${Time} value=${tags.since} as="second" />`
        : tags.cohort ? html`${t.peers(tags.cohort.hosts)} <${Name} value=${tags.cohort.label} length=${70} />` : past ? t.pastPeers : t.fewPeers}</span>` : null}
      <span class="push fill-choices no-print">
        ${choice(t.group, owners ? "driver" : "tag", [["tag", t.byTag], ["driver", t.byOwner]], (v) => setOwners(v === "driver"))}
        ${delta ? choice(t.colour, colour, [["change", t.byChange], ["peers", t.byPeers]], setWanted) : html`<span class="muted small">${t.noSince}</span>`}
      </span>
    </div>
    ${tags
      ? html`<div class="columns">
            <div><h3 class="pool-title">${t.nonpaged} <span class="muted">${bytes(tags.totals.nonpaged_bytes ?? null)}</span></h3><${PoolTreemap} rows=${rows} pool="nonpaged" colour=${colour} owners=${owners} /></div>
            <div><h3 class="pool-title">${t.paged} <span class="muted">${bytes(tags.totals.paged_bytes ?? null)}</span></h3><${PoolTreemap} rows=${rows} pool="paged" colour=${colour} owners=${owners} /></div>
          </div>
          ${colour === "change"
            ? html`<p class="legend">${["new", "2", "1", "0", "-1", "-2"].map((k) => html`<span key=${k}><i class=${"tile-c" + k}></i>${t.change[k]}</span>`)}</p>`
            : html`<p class="legend"><span><i></i>${t.legend.same}</span><span><i class="k1"></i>${t.legend.above}</span><span><i class="k2"></i>${t.legend.far}</span></p>`}
          <${Twin} title=${t.title} label=${t.list} rows=${sorted} columns=${[
            { key: "tag", label: t.tag, raw: (/** @type {any} */ r) => (owners && r.tags > 1 ? null : r.tag), cell: (/** @type {any} */ r) => (owners && r.tags > 1 ? t.tags(r.tags) : html`<${TagChip} tag=${r.tag} pool=${r.pool} />`) },
            { key: "pool", label: en.host.compare.pool, raw: (/** @type {any} */ r) => r.pool, cell: (/** @type {any} */ r) => r.pool },
            { key: "bytes", label: t.bytes, number: true, raw: (/** @type {any} */ r) => r.bytes, cell: (/** @type {any} */ r) => html`<${Bytes} value=${r.bytes} />` },
            { key: "share", label: t.share, number: true, raw: (/** @type {any} */ r) => (sums[/** @type {Pool} */ (r.pool)] ? (r.bytes ?? 0) / sums[/** @type {Pool} */ (r.pool)] : null), cell: (/** @type {any} */ r) => percent((r.bytes ?? 0) / (sums[/** @type {Pool} */ (r.pool)] || 1)) },
            { key: "delta_bytes", label: t.delta, number: true, raw: (/** @type {any} */ r) => r.delta_bytes, cell: (/** @type {any} */ r) => bytesChange(r.delta_bytes) },
            { key: "score", label: t.score, number: true, raw: (/** @type {any} */ r) => r.score, cell: (/** @type {any} */ r) => score(r.score) },
            { key: "driver", label: t.driver, raw: (/** @type {any} */ r) => r.driver, cell: (/** @type {any} */ r) => html`<${Name} value=${r.driver} length=${36} />` },
          ]} />`
      : html`<div class="fill-hold"></div>`}
  </section>`;
}
