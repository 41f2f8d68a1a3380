// One host: facts, memory, pools over time, the poolmon table, drivers and changes, the rest.
import { html, useState } from "../lib/ui.js";
import { useTitle } from "../lib/title.js";
import { useResource } from "../lib/resource.js";
import { visible } from "../lib/text.js";
import { bytes, count, duration, parseTime, percent, rfc3339 } from "../lib/format.js";
import { href, search, setQuery } from "../lib/router.js";
import { attributeName } from "../lib/words.js";
import { Chart } from "../components/chart.js";
import { Table } from "../components/table.js";
import { Bytes, Count, DriverName, Name, TagChip, Time } from "../components/names.js";
import { FileHash, TagsInside } from "../components/driver_file.js";
import { Meter, SimulatedBadge } from "../components/marks.js";
import { Age, Empty, Load } from "../components/states.js";
import { FindingItem } from "../components/finding_item.js";
import { Poolmon } from "../components/poolmon.js";

/** One figure of the memory picture. @param {{ label: string, value: number | null | undefined, max?: number | null, of?: string }} props */
function Figure({ label, value, max = null, of = "" }) {
  return html`<div>
    <dt>${label}</dt>
    <dd>
      <b><${Bytes} value=${value} /></b>
      <span class="muted small">${max && value != null ? html` ${percent(value / max)} of ${bytes(max)}${of ? " " + of : ""}` : of ? ` ${of}` : ""}</span>
      <${Meter} value=${value} max=${max} label=${label} />
    </dd>
  </div>`;
}

/** @param {{ host: HostDetail, at: number | null }} props */
function Memory({ host, at }) {
  const t = host.totals;
  const used = t.physical_bytes != null && t.available_bytes != null ? t.physical_bytes - t.available_bytes : null;
  const s = host.totals_series;
  return html`<section class="panel" aria-labelledby="mem-h">
    <div class="panel-head"><h2 id="mem-h">Memory</h2><span class="muted">as of the newest snapshot</span></div>
    <dl class="memory">
      <${Figure} label="Nonpaged pool" value=${t.nonpaged_bytes} max=${t.nonpaged_limit_bytes ?? t.physical_bytes ?? host.ram_bytes} of=${t.nonpaged_limit_bytes ? "limit" : "memory"} />
      <${Figure} label="Paged pool" value=${t.paged_bytes} max=${t.paged_limit_bytes ?? t.physical_bytes ?? host.ram_bytes} of=${t.paged_limit_bytes ? "limit" : "memory"} />
      <${Figure} label="Committed" value=${t.commit_bytes} max=${t.commit_limit_bytes} of="limit" />
      <${Figure} label="Memory in use" value=${used} max=${t.physical_bytes} />
      <div><dt>Handles</dt><dd><b><${Count} value=${t.handles} /></b></dd></div>
      <div><dt>Processes, threads</dt><dd><b><${Count} value=${t.processes} />, <${Count} value=${t.threads} /></b></dd></div>
      <div><dt>Failed allocations</dt><dd><b class=${t.alloc_failures ? "soon" : ""}><${Count} value=${t.alloc_failures} /></b></dd></div>
    </dl>
    <div class="mem-chart">
      ${s.t.length > 1
        ? html`<${Chart} t=${s.t} binary height=${170} format=${bytes} label="Nonpaged and paged pool over the last days; a click goes to that moment"
            onPick=${(/** @type {number} */ sec) => setQuery({ at: rfc3339(sec * 1000) })}
            marks=${[
              ...host.boots.map((b) => ({ t: (parseTime(b.boot_at) ?? 0) / 1000, label: "boot" })),
              ...(at !== null ? [{ t: at / 1000, label: "shown below" }] : []),
            ]}
            lines=${[
              { label: "Nonpaged", values: s.nonpaged_bytes, color: "--chart-1", width: 2 },
              { label: "Paged", values: s.paged_bytes, color: "--chart-2" },
            ]} />`
        : html`<p class="muted">One snapshot so far: the picture over time begins with the second.</p>`}
    </div>
  </section>`;
}

/** @type {[string, string, (h: HostDetail) => any[], import("../components/table.js").Column[], string][]} */
const TABS = [
  ["changes", "Changes", (h) => h.changes, [
    { key: "at", label: "When", class: "nowrap", cell: (c) => html`<${Time} value=${c.at} />` },
    { key: "kind", label: "What", cell: (c) => (c.kind === "driver" ? "Driver" : "Attribute") },
    { key: "name", label: "Name", cell: (c) => (c.kind === "driver" ? html`<${DriverName} name=${c.name} />` : html`<${Name} value=${attributeName(c.name)} />`) },
    { key: "from", label: "From", cell: (c) => html`<${Name} value=${c.from} none="(new)" />` },
    { key: "to", label: "To", cell: (c) => html`<${Name} value=${c.to} none="(gone)" />` },
  ], "No change has been seen"],
  ["drivers", "Drivers", (h) => h.drivers, [
    { key: "name", label: "Driver", cell: (d) => html`<${DriverName} name=${d.name} />` },
    { key: "version", label: "Version", class: "nowrap", cell: (d) => html`<${Name} value=${d.version} length=${30} />` },
    { key: "company", label: "Company, product", cell: (d) => html`<${Name} value=${d.company} length=${40} />${d.product ? html` <small class="muted"><${Name} value=${d.product} length=${40} /></small>` : null}` },
    { key: "file", label: "File", class: "nowrap", cell: (d) => html`<${FileHash} sha256=${d.sha256} symbols=${d.symbols} />` },
    { key: "tags", label: "Tags inside", cell: (d) => html`<${TagsInside} tags=${d.tags} scanned=${d.scanned} />` },
    { key: "since", label: "Since", class: "nowrap", cell: (d) => html`<${Time} value=${d.since} as="day" />` },
  ], "No driver is known"],
  ["objects", "Objects", (h) => h.objects, [
    { key: "type", label: "Type", cell: (o) => html`<${Name} value=${o.type} />` },
    { key: "objects", label: "Objects", number: true, cell: (o) => html`<${Count} value=${o.objects} />` },
    { key: "handles", label: "Handles", number: true, cell: (o) => html`<${Count} value=${o.handles} />` },
  ], "No object counts are known"],
  ["processes", "Processes", (h) => h.processes, [
    { key: "image", label: "Process", cell: (p) => html`<${Name} value=${p.image} length=${50} />` },
    { key: "pid", label: "PID", number: true, cell: (p) => String(p.pid) },
    { key: "handles", label: "Handles", number: true, cell: (p) => html`<${Count} value=${p.handles} />` },
  ], "No process is known"],
  ["sessions", "Sessions", (h) => h.sessions, [
    { key: "id", label: "Session", cell: (s) => String(s.id) },
    { key: "paged", label: "Paged pool", number: true, cell: (s) => html`<${Bytes} value=${s.paged_bytes} />` },
    { key: "failures", label: "Failures", number: true, cell: (s) => html`<${Count} value=${s.failures} />` },
  ], "No session is known"],
  ["events", "Events", (h) => h.events, [
    { key: "at", label: "When", class: "nowrap", cell: (e) => html`<${Time} value=${e.at} as="second" />` },
    { key: "provider", label: "Provider", cell: (e) => html`<${Name} value=${e.provider} />` },
    { key: "id", label: "Event", number: true, cell: (e) => String(e.id) },
  ], "No event was reported"],
  ["boots", "Boots", (h) => h.boots, [
    { key: "boot", label: "Booted", class: "nowrap", cell: (b) => html`<${Time} value=${b.boot_at} />` },
    { key: "first", label: "First seen", class: "nowrap", cell: (b) => html`<${Time} value=${b.first_seen} />` },
    { key: "last", label: "Last seen", class: "nowrap", cell: (b) => html`<${Time} value=${b.last_seen} />` },
    { key: "n", label: "Snapshots", number: true, cell: (b) => html`<${Count} value=${b.snapshots} />` },
  ], "No boot is known"],
  ["attributes", "Attributes", (h) => Object.entries(h.attributes), [
    { key: "name", label: "Name", cell: ([name]) => html`<code><${Name} value=${name} length=${80} /></code>` },
    { key: "value", label: "Value", cell: ([, value]) => html`<${Name} value=${value} length=${120} />` },
  ], "No attribute is known"],
];

/** @param {{ host: HostDetail }} props */
function More({ host }) {
  const [tab, setTab] = useState("changes");
  const chosen = TABS.find(([id]) => id === tab) ?? TABS[0];
  const rows = chosen[2](host);
  const onKey = (/** @type {KeyboardEvent} */ e) => {
    const i = TABS.findIndex(([id]) => id === tab);
    const to = e.key === "ArrowRight" ? i + 1 : e.key === "ArrowLeft" ? i - 1 : null;
    if (to === null) return;
    e.preventDefault();
    const next = TABS[(to + TABS.length) % TABS.length][0];
    setTab(next);
    document.getElementById("tab-" + next)?.focus();
  };
  return html`<section class="panel panel-flush" aria-label="Drivers, changes and more">
    <div class="tabs" role="tablist" aria-label="More about this host" onKeyDown=${onKey}>
      ${TABS.map(
        ([id, label, of]) => html`<button key=${id} id=${"tab-" + id} type="button" role="tab" aria-selected=${id === chosen[0] ? "true" : "false"} aria-controls="tab-panel"
          tabindex=${id === chosen[0] ? "0" : "-1"} onClick=${() => setTab(id)}>${label} <span class="muted">${count(of(host).length)}</span></button>`,
      )}
    </div>
    <div role="tabpanel" id="tab-panel" aria-labelledby=${"tab-" + chosen[0]} class="tab-panel">
      ${rows.length
        ? html`<${Table} key=${chosen[0]} caption=${chosen[1]} columns=${chosen[3]} rows=${rows.slice(0, 500)} rowKey=${(/** @type {any} */ r) => String(rows.indexOf(r))} compact />`
        : html`<${Empty} title=${chosen[4]}><//>`}
    </div>
  </section>`;
}

/** Largest totals first: what a leak of large blocks looks like from inside. @param {{ blocks: NonNullable<HostDetail["big_blocks"]> }} props */
function BigBlocks({ blocks }) {
  const rows = blocks.tags
    .flatMap((t) => t.sizes.map((s) => ({ tag: t.tag, ...s, total: s.bytes * s.blocks })))
    .sort((a, b) => b.total - a.total)
    .slice(0, 40);
  return html`<section class="panel panel-flush" aria-labelledby="blocks-h">
    <div class="panel-head"><h2 id="blocks-h">Big blocks</h2><span class="muted">allocations of a page or more by size, measured <${Time} value=${blocks.at} /></span></div>
    <${Table} caption="Big blocks" compact rows=${rows} rowKey=${(/** @type {any} */ r) => `${r.tag} ${r.bytes}`}
      columns=${[
        { key: "tag", label: "Tag", cell: (/** @type {any} */ r) => html`<${TagChip} tag=${r.tag} />` },
        { key: "size", label: "Size of one", number: true, cell: (/** @type {any} */ r) => html`<${Bytes} value=${r.bytes} />` },
        { key: "blocks", label: "How many", number: true, cell: (/** @type {any} */ r) => html`<${Count} value=${r.blocks} />` },
        { key: "total", label: "Together", number: true, cell: (/** @type {any} */ r) => html`<${Bytes} value=${r.total} />` },
        { key: "share", label: "", class: "meter-cell", cell: (/** @type {any} */ r) => html`<${Meter} value=${r.total} max=${rows[0].total} label="Of the largest" tone="plain" />` },
      ]} />
  </section>`;
}

/** @param {{ agent: NonNullable<HostItem["agent"]> }} props */
function Agent({ agent }) {
  return html`<${Name} value=${agent.version} length=${24} />${" "}
    <small>${agent.waiting ? html`${count(agent.waiting)} ${agent.waiting === 1 ? "snapshot" : "snapshots"} not sent yet` : null}${agent.waiting && agent.dropped ? ", " : null}${
      agent.dropped ? html`<span class="soon">${count(agent.dropped)} lost</span>` : null}</small>`;
}

/** @param {{ host: HostDetail }} props */
function Awaiting({ host }) {
  return html`<section class="panel">
    <${Empty} title="Enrolled, waiting for its first snapshot">
      Its agent${host.agent?.version ? html` (version <${Name} value=${host.agent.version} length=${24} />)` : null} enrolled <${Time} value=${host.enrolled_at} as="ago" />.
      The first snapshot comes some minutes after the system has started; if none comes, look into the event log of the host.
    <//>
  </section>`;
}

/** @param {{ id: string, ids: string[] }} props */
function Findings({ id, ids }) {
  const list = /** @type {Resource<List<Finding>>} */ (useResource(ids.length ? "/findings" + search({ host: id, limit: 10 }) : null));
  if (!list.data?.items.length) return null;
  return html`<section aria-label="Findings" class="finding-list">${list.data.items.map((f) => html`<${FindingItem} key=${f.id} finding=${f} />`)}</section>`;
}

/** @param {{ host: HostDetail, route: import("../lib/router.js").Route }} props */
function Body({ host, route }) {
  const at = parseTime(route.query.get("at"));
  if (host.awaiting_first_snapshot) return html`<${Awaiting} host=${host} />`;
  return html`<dl class="stats">
      ${[
        ["System", html`<${Name} value=${host.os_name} length=${40} /> <small><${Name} value=${host.os_build} none="" length=${24} /></small>`],
        ["Role", html`<${Name} value=${host.role} length=${30} />`],
        ["Model", html`<${Name} value=${host.model} length=${40} />`],
        ["Memory", html`<${Bytes} value=${host.ram_bytes} />`],
        ["Up for", html`${duration(host.uptime_seconds)} <small>since <${Time} value=${host.boot_at} /></small>`],
        ...(host.agent ? [["Agent", html`<${Agent} agent=${host.agent} />`]] : []),
      ].map(([k, v]) => html`<div><dt>${k}</dt><dd>${v}</dd></div>`)}
    </dl>
    <${Findings} id=${host.id} ids=${host.finding_ids} />
    <${Memory} host=${host} at=${at} />
    <${Poolmon} host=${host} route=${route} />
    ${host.big_blocks ? html`<${BigBlocks} blocks=${host.big_blocks} />` : null}
    <${More} host=${host} />`;
}

/** @param {{ route: import("../lib/router.js").Route }} props */
export default function Host({ route }) {
  const id = route.params.id;
  const detail = /** @type {Resource<HostDetail>} */ (useResource(href(["hosts", id])));
  const h = detail.data;
  useTitle(h ? visible(h.name ?? h.id) : "Host");
  return html`<div class="page">
    <div class="page-head">
      <h1 tabindex="-1">${h ? html`<${Name} value=${h.name ?? h.id} length=${60} />` : "Host"}</h1>
      ${h?.last_seen ? html`<${Age} time=${h.last_seen} limit=${1800} what="Seen" />` : null}
      ${h?.simulated ? html`<${SimulatedBadge} />` : null}
    </div>
    <${Load} resource=${detail} render=${(/** @type {HostDetail} */ d) => html`<${Body} key=${d.id} host=${d} route=${route} />`}
      notFound=${html`<${Empty} title="No such host"><a href="/hosts">All hosts</a><//>`} />
  </div>`;
}
