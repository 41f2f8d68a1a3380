// Two tables side by side: another moment, another boot, another host.
import { html, useMemo, useState } from "../../lib/ui.js";
import { useResource } from "../../lib/resource.js";
import { bytesChange, count, duration, localTime, parseTime, ratio, rfc3339 } from "../../lib/format.js";
import { hostHref, href, search, setQuery } from "../../lib/router.js";
import { bootOf, csvText, sortPairs } from "../../lib/host.js";
import { en } from "../../lib/en.js";
import { Bytes, Count, HostName, Name, TagChip, Time } from "../../components/names.js";
import { SearchBox } from "../../components/search.js";
import { Select } from "../../components/select.js";
import { Table } from "../../components/table.js";
import { download } from "../../components/twin.js";
import { Empty, Load, Skeleton } from "../../components/states.js";

const t = en.host.compare;
const PAGE = 60;
/** The query members of a comparison; each mode sets its own and takes the others away. */
const NONE = { compare: null, against: null, against_at: null, against_boot: null, scale: null };

/** @param {{ not: string }} props */
function ChooseHost({ not }) {
  const [q, setQ] = useState("");
  const hosts = /** @type {Resource<List<HostItem>>} */ (useResource("/hosts" + search({ q, limit: 9 }), { every: 0, keep: true }));
  return html`<div class="choose-host">
    <${SearchBox} label=${t.find} value=${q} wait=${120} onSearch=${setQ} />
    <${Load} resource=${hosts} skeleton=${html`<div class="choose-hold"></div>`} render=${(/** @type {List<HostItem>} */ d) => {
      const items = d.items.filter((h) => h.id !== not && !h.awaiting_first_snapshot).slice(0, 8);
      return items.length
        ? html`<ul class="choose-list">${items.map((h) => html`<li key=${h.id}><button type="button" class="button button-small" onClick=${() => setQuery({ against: h.id })}><${Name} value=${h.name ?? h.id} length=${40} /></button>
            <span class="muted small"><${Name} value=${h.role} none="" length=${24} /> ${duration(h.uptime_seconds)}</span></li>`)}</ul>`
        : html`<p class="muted">${t.noHosts}</p>`;
    }} />
  </div>`;
}

/** @param {{ side: HostSide, title: string, link?: boolean }} props */
function Side({ side, title, link = false }) {
  return html`<div class="side">
    <h3>${title}: ${link ? html`<${HostName} id=${side.host_id} name=${side.name} length=${40} />` : html`<${Name} value=${side.name ?? side.host_id} length=${40} />`}</h3>
    <p class="muted"><${Time} value=${side.at} as="second" />, ${t.up} ${duration(side.uptime_seconds)}</p>
    <p>${en.host.fill.nonpaged} <b><${Bytes} value=${side.totals.nonpaged_bytes} /></b>, ${en.host.fill.paged.toLowerCase()} <b><${Bytes} value=${side.totals.paged_bytes} /></b></p>
  </div>`;
}

/** @param {{ c: HostComparison }} props */
function Pairs({ c }) {
  const [sort, setSort] = useState("away");
  const [most, setMost] = useState(PAGE);
  const rows = useMemo(() => sortPairs(c.items, sort), [c, sort]);
  const biggest = Math.max(1, ...rows.slice(0, 1).map((r) => Math.abs(r.difference_bytes ?? 0)));
  /** @type {(keyof HostPair)[]} */
  const fields = ["tag", "pool", "bytes", "against_bytes", "difference_bytes", "outstanding", "against_outstanding", "difference_outstanding", "allocs", "against_allocs", "frees", "against_frees", "driver", "description"];
  return html`<div class="columns sides"><${Side} side=${c} title=${t.here} /><${Side} side=${c.against} title=${t.there} link=${c.against.host_id !== c.host_id} /></div>
    ${c.factor === 1 ? null : html`<p class="muted small">${t.scaled(ratio(c.factor))}</p>`}
    ${rows.length && rows.every((r) => r.difference_bytes === 0) ? html`<${Empty} title=${t.same}><//>` : html`
    <div class="toolbar">
      <${Select} label=${t.order} value=${sort} options=${Object.entries(t.orders)} onChange=${setSort} />
      <span class="muted push">${t.rows(count(Math.min(most, rows.length)), count(rows.length))}</span>
      <button type="button" class="button button-small" aria-label=${en.host.twin.csvOf(t.title)} onClick=${() => download(`compare-${c.name ?? c.host_id}.csv`, csvText(fields, rows.map((r) => fields.map((f) => r[f]))))}>${en.states.csv}</button>
    </div>
    <${Table} compact caption=${t.title} rows=${rows.slice(0, most)} rowKey=${(/** @type {HostPair} */ r) => r.pool + r.tag} columns=${[
      { key: "tag", label: t.tag, cell: (/** @type {HostPair} */ r) => html`<${TagChip} tag=${r.tag} pool=${r.pool} />` },
      { key: "pool", label: t.pool, cell: (/** @type {HostPair} */ r) => r.pool },
      { key: "bytes", label: t.bytes, number: true, cell: (/** @type {HostPair} */ r) => html`<${Bytes} value=${r.bytes} />` },
      { key: "against", label: t.against, number: true, cell: (/** @type {HostPair} */ r) => html`<${Bytes} value=${r.against_bytes} />` },
      { key: "difference", label: t.difference, number: true, cell: (/** @type {HostPair} */ r) => html`<span class=${r.difference_bytes !== null && r.difference_bytes > 0 ? "delta-up" : ""} title=${r.difference_bytes === null ? undefined : count(r.difference_bytes) + " bytes"}>${r.difference_bytes === 0 ? "0" : bytesChange(r.difference_bytes)}</span>` },
      { key: "bar", label: "", class: "pair-cell", cell: (/** @type {HostPair} */ r) => {
        const part = r.difference_bytes === null ? 0 : Math.min(1, Math.abs(r.difference_bytes) / biggest) * 50;
        return html`<span class="pair-bar" aria-hidden="true"><i class=${(r.difference_bytes ?? 0) < 0 ? "less" : "more"} style=${(r.difference_bytes ?? 0) < 0 ? { right: "50%", width: `${part}%` } : { left: "50%", width: `${part}%` }}></i></span>`;
      } },
      { key: "outstanding", label: t.outstanding, number: true, cell: (/** @type {HostPair} */ r) => html`<${Count} value=${r.outstanding} />` },
      { key: "against_outstanding", label: t.againstOutstanding, number: true, cell: (/** @type {HostPair} */ r) => html`<${Count} value=${r.against_outstanding} />` },
      { key: "driver", label: t.driver, cell: (/** @type {HostPair} */ r) => html`<${Name} value=${r.driver ?? r.description} length=${32} />` },
    ]} />
    ${rows.length > most ? html`<div class="more"><button type="button" class="button button-small" onClick=${() => setMost(most + 5 * PAGE)}>${t.more}</button></div>` : null}`}`;
}

/** @param {{ host: HostDetail, at: number | null, since: number | null, query: URLSearchParams }} props */
export function Compare({ host, at, since, query }) {
  const against = query.get("against");
  const againstAt = query.get("against_at");
  const againstBoot = query.get("against_boot");
  const scale = query.get("scale") === "uptime";
  const mode = against || query.get("compare") === "host" ? "host" : againstBoot ? "boot" : againstAt ? "moment" : "";
  const first = parseTime(host.first_snapshot_at);
  const last = parseTime(host.last_snapshot_at);
  const boots = host.boots.filter((b) => b.boot_at !== null);
  const here = bootOf(host, at);
  const others = boots.filter((b) => parseTime(b.boot_at) !== here?.boot);
  const turn = (/** @type {string} */ to) => {
    if (to === "") setQuery(NONE);
    else if (to === "host") setQuery({ ...NONE, compare: "host" });
    else if (to === "boot") setQuery({ ...NONE, against_boot: others[0]?.boot_at ?? null });
    else setQuery({ ...NONE, against_at: rfc3339(since ?? Math.max(first ?? 0, (at ?? last ?? 0) - 86400000)) });
  };
  const ready = against || againstAt || againstBoot;
  const answer = /** @type {Resource<HostComparison>} */ (
    useResource(ready ? href(["hosts", host.id, "compare"], { at: at === null ? null : rfc3339(at), against, against_at: againstAt, against_boot: againstBoot, scale: scale ? "uptime" : null }) : null, { every: 0, keep: true })
  );
  return html`<section class="panel" aria-labelledby="compare-h">
    <div class="panel-head"><h2 id="compare-h">${t.title}</h2>${mode ? null : html`<span class="muted">${t.choose}</span>`}</div>
    <div class="toolbar">
      <div class="segmented" role="group" aria-label=${t.with}>
        ${[["", t.off], ["moment", t.moment], ["boot", t.boot], ["host", t.host]].map(([v, text]) => html`<button key=${v} type="button" aria-pressed=${v === mode ? "true" : "false"} disabled=${v === "boot" && !others.length} onClick=${() => turn(v)}>${text}</button>`)}
      </div>
      ${mode === "boot" ? html`<${Select} label=${t.whichBoot} value=${againstBoot ?? ""} options=${others.map((b) => [b.boot_at, localTime(b.boot_at)])} onChange=${(/** @type {string} */ v) => setQuery({ against_boot: v })} />` : null}
      ${mode === "moment" ? html`<label class="select"><span>${t.at}</span><input class="input" type="datetime-local" aria-label=${t.at} value=${againstAt ? new Date(Date.parse(againstAt) - new Date(againstAt).getTimezoneOffset() * 60000).toISOString().slice(0, 16) : ""} onChange=${(/** @type {any} */ e) => {
        const ms = new Date(e.target.value).getTime();
        if (!Number.isNaN(ms)) setQuery({ against_at: rfc3339(ms) });
      }} /></label>` : null}
      ${mode === "host" && against ? html`<a class="inline" href=${hostHref(against)}>${answer.data ? html`<${Name} value=${answer.data.against.name ?? against} length=${32} />` : against}</a>
        <button type="button" class="button button-small" onClick=${() => setQuery({ ...NONE, compare: "host" })}>${t.change}</button>` : null}
      ${ready ? html`<label class="check"><input type="checkbox" checked=${scale} onChange=${() => setQuery({ scale: scale ? null : "uptime" })} /> ${t.scale}</label>` : null}
    </div>
    ${mode === "host" && !against ? html`<${ChooseHost} not=${host.id} />` : null}
    ${ready ? html`<${Load} resource=${answer} skeleton=${html`<div class="compare-hold"><${Skeleton} rows=${8} /></div>`} render=${(/** @type {HostComparison} */ c) => html`<${Pairs} c=${c} />`} />` : null}
  </section>`;
}
