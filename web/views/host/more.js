// What a host has beside its tags, at the moment shown: drivers and their history, changes, objects,
// processes, sessions, events, boots, attributes; and its big blocks.
import { html, useState } from "../../lib/ui.js";
import { count, parseTime } from "../../lib/format.js";
import { attributeName } from "../../lib/words.js";
import { csvText } from "../../lib/host.js";
import { en } from "../../lib/en.js";
import { Table } from "../../components/table.js";
import { download } from "../../components/twin.js";
import { Bytes, Count, DriverName, Name, TagChip, Time } from "../../components/names.js";
import { FileHash, TagsInside, VersionHistory } from "../../components/driver_file.js";
import { Meter, SeverityMark } from "../../components/marks.js";
import { Empty, StaleBar } from "../../components/states.js";

const t = en.host.more;
const MOST = 500;

/** @typedef {{ host: HostDetail, state: HostState, changes: HostDetail["changes"] }} Shown */
/** @typedef {import("../../components/table.js").Column & { raw: (r: any) => string | number | null | undefined }} Column */

/** @type {[string, string, (s: Shown) => any[], (s: Shown) => Column[], string][]} */
const TABS = [
  ["changes", t.changes, (s) => s.changes, () => [
    { key: "at", label: t.when, class: "nowrap", raw: (c) => c.at, cell: (c) => html`<${Time} value=${c.at} />` },
    { key: "kind", label: t.what, raw: (c) => c.kind, cell: (c) => (c.kind === "driver" ? t.driver : t.attribute) },
    { key: "name", label: t.name, raw: (c) => c.name, cell: (c) => (c.kind === "driver" ? html`<${DriverName} name=${c.name} />` : html`<${Name} value=${attributeName(c.name)} />`) },
    { key: "from", label: t.from, raw: (c) => c.from, cell: (c) => html`<${Name} value=${c.from} none=${en.host.time.new} />` },
    { key: "to", label: t.to, raw: (c) => c.to, cell: (c) => html`<${Name} value=${c.to} none=${en.host.time.gone} />` },
  ], t.noChange],
  ["drivers", t.drivers, (s) => s.state.drivers, (s) => [
    { key: "name", label: t.driver, raw: (d) => d.name, cell: (d) => html`<${DriverName} name=${d.name} />` },
    { key: "version", label: t.version, class: "nowrap", raw: (d) => d.version, cell: (d) => html`<${Name} value=${d.version} length=${30} />` },
    { key: "company", label: t.company, raw: (d) => d.company, cell: (d) => html`<${Name} value=${d.company} length=${40} />${d.product ? html` <small class="muted"><${Name} value=${d.product} length=${40} /></small>` : null}` },
    { key: "sha256", label: t.file, class: "nowrap", raw: (d) => d.sha256, cell: (d) => html`<${FileHash} sha256=${d.sha256} symbols=${d.symbols} />` },
    { key: "tags", label: t.tags, raw: (d) => (d.tags.length ? d.tags.join(" ") : d.scanned ? "" : null), cell: (d) => html`<${TagsInside} tags=${d.tags} scanned=${d.scanned} />` },
    { key: "since", label: t.since, class: "nowrap", raw: (d) => d.since, cell: (d) => html`<${Time} value=${d.since} as="day" />` },
    { key: "history", label: t.history, raw: (d) => s.host.changes.filter((c) => c.kind === "driver" && c.name === d.name).length, cell: (d) => html`<${VersionHistory} changes=${s.host.changes.filter((c) => c.kind === "driver" && c.name === d.name)} />` },
  ], t.noDriver],
  ["objects", t.objects, (s) => s.state.objects, () => [
    { key: "type", label: t.type, raw: (o) => o.type, cell: (o) => html`<${Name} value=${o.type} />` },
    { key: "objects", label: t.objectCount, number: true, raw: (o) => o.objects, cell: (o) => html`<${Count} value=${o.objects} />` },
    { key: "handles", label: t.handles, number: true, raw: (o) => o.handles, cell: (o) => html`<${Count} value=${o.handles} />` },
  ], t.noObject],
  ["processes", t.processes, (s) => s.state.processes, () => [
    { key: "image", label: t.process, raw: (p) => p.image, cell: (p) => html`<${Name} value=${p.image} length=${50} />` },
    { key: "pid", label: t.pid, number: true, raw: (p) => p.pid, cell: (p) => String(p.pid) },
    { key: "handles", label: t.handles, number: true, raw: (p) => p.handles, cell: (p) => html`<${Count} value=${p.handles} />` },
  ], t.noProcess],
  ["sessions", t.sessions, (s) => s.state.sessions, () => [
    { key: "id", label: t.session, raw: (s) => s.id, cell: (s) => String(s.id) },
    { key: "paged_bytes", label: t.pagedPool, number: true, raw: (s) => s.paged_bytes, cell: (s) => html`<${Bytes} value=${s.paged_bytes} />` },
    { key: "failures", label: t.failures, number: true, raw: (s) => s.failures, cell: (s) => html`<${Count} value=${s.failures} />` },
  ], t.noSession],
  ["events", t.events, (s) => s.state.events, () => [
    { key: "at", label: t.when, class: "nowrap", raw: (e) => e.at, cell: (e) => html`<${Time} value=${e.at} as="second" />` },
    { key: "provider", label: t.provider, raw: (e) => e.provider, cell: (e) => html`<${Name} value=${e.provider} />` },
    { key: "id", label: t.event, number: true, raw: (e) => e.id, cell: (e) => String(e.id) },
  ], t.noEvent],
  ["boots", t.boots, (s) => s.host.boots, () => [
    { key: "boot_at", label: t.booted, class: "nowrap", raw: (b) => b.boot_at, cell: (b) => html`<${Time} value=${b.boot_at} />` },
    { key: "first_seen", label: t.firstSeen, class: "nowrap", raw: (b) => b.first_seen, cell: (b) => html`<${Time} value=${b.first_seen} />` },
    { key: "last_seen", label: t.lastSeen, class: "nowrap", raw: (b) => b.last_seen, cell: (b) => html`<${Time} value=${b.last_seen} />` },
    { key: "snapshots", label: t.snapshots, number: true, raw: (b) => b.snapshots, cell: (b) => html`<${Count} value=${b.snapshots} />` },
  ], t.noBoot],
  ["attributes", t.attributes, (s) => s.state.attributes, (s) => [
    { key: "name", label: t.name, raw: (a) => a.name, cell: (a) => html`<code><${Name} value=${a.name} length=${80} /></code>` },
    { key: "value", label: t.value, raw: (a) => a.value, cell: (a) => html`<${Name} value=${a.value} length=${120} />` },
    { key: "since", label: t.since, class: "nowrap", raw: (a) => a.since, cell: (a) => html`<${Time} value=${a.since} as="day" />` },
    { key: "history", label: t.history, raw: (a) => s.host.changes.filter((c) => c.kind === "attribute" && c.name === a.name).length, cell: (a) => html`<${VersionHistory} changes=${s.host.changes.filter((c) => c.kind === "attribute" && c.name === a.name)} />` },
  ], t.noAttribute],
];

/** What the host's own answer tells when the moment's cannot be had: the newest. @param {HostDetail} host @returns {HostState} */
function newest(host) {
  return {
    host_id: host.id, at: host.last_snapshot_at, boot_at: host.boot_at, uptime_seconds: host.uptime_seconds, totals: host.totals, drivers: host.drivers,
    objects: host.objects, processes: host.processes, sessions: host.sessions, events: host.events,
    attributes: Object.entries(host.attributes).map(([name, value]) => ({ name, value, since: null })),
  };
}

/** @param {{ host: HostDetail, state: Resource<HostState>, at: number | null, tab: string, onTab: (tab: string) => void }} props */
export function More({ host, state, at, tab, onTab }) {
  const chosen = TABS.find(([id]) => id === tab) ?? TABS[0];
  /** @type {Shown} */
  const shown = {
    host, state: state.data ?? newest(host),
    // Changes up to the moment: what came later had not happened then.
    changes: at === null ? host.changes : host.changes.filter((c) => (parseTime(c.at) ?? 0) <= at),
  };
  const rows = chosen[2](shown);
  const columns = chosen[3](shown);
  const onKey = (/** @type {KeyboardEvent} */ e) => {
    const i = TABS.findIndex(([id]) => id === chosen[0]);
    const to = e.key === "ArrowRight" ? i + 1 : e.key === "ArrowLeft" ? i - 1 : e.key === "Home" ? 0 : e.key === "End" ? TABS.length - 1 : null;
    if (to === null) return;
    e.preventDefault();
    const next = TABS[(to + TABS.length) % TABS.length][0];
    onTab(next);
    document.getElementById("tab-" + next)?.focus();
  };
  return html`<section class="panel panel-flush" aria-label=${t.label}>
    <${StaleBar} resource=${state} />
    ${state.error && !state.data ? html`<p class="partial" role="status"><${SeverityMark} severity="warning" size=${14} label=${false} /> ${t.partial} <button type="button" class="button button-small" onClick=${state.reload}>${en.host.boots.retry}</button></p>` : null}
    <div class="tabs" role="tablist" aria-label=${t.tabs} onKeyDown=${onKey}>
      ${TABS.map(
        ([id, label, of]) => html`<button key=${id} id=${"tab-" + id} type="button" role="tab" aria-selected=${id === chosen[0] ? "true" : "false"} aria-controls="tab-panel"
          tabindex=${id === chosen[0] ? "0" : "-1"} onClick=${() => onTab(id)}>${label} <span class="muted">${count(of(shown).length)}</span></button>`,
      )}
    </div>
    <div role="tabpanel" id="tab-panel" aria-labelledby=${"tab-" + chosen[0]} class="tab-panel">
      ${rows.length
        ? html`<${Table} key=${chosen[0]} caption=${chosen[1]} columns=${columns} rows=${rows.slice(0, MOST)} rowKey=${(/** @type {any} */ r) => String(rows.indexOf(r))} compact />`
        : html`<${Empty} title=${chosen[4]}><//>`}
    </div>
    <div class="grid-foot">
      <span>${t.asOf} <${Time} value=${shown.state.at} as="second" /></span>
      ${rows.length > MOST ? html`<span>${t.cut}</span>` : null}
      <span class="push"></span>
      ${rows.length ? html`<button type="button" class="button button-small no-print" aria-label=${en.host.twin.csvOf(chosen[1])} onClick=${() => download(`${host.name ?? host.id}-${chosen[0]}.csv`, csvText(columns.map((c) => c.key), rows.map((r) => columns.map((c) => c.raw(r)))))}>${en.states.csv}</button>` : null}
    </div>
  </section>`;
}

/** The chosen tab, kept while the view is open. */
export function useTab() {
  return useState("changes");
}

/** Largest totals first: what a leak of large blocks looks like from inside. @param {{ blocks: NonNullable<HostDetail["big_blocks"]> }} props */
export function BigBlocks({ blocks }) {
  const b = en.host.blocks;
  const rows = blocks.tags
    .flatMap((x) => x.sizes.map((s) => ({ tag: x.tag, ...s, total: s.bytes * s.blocks })))
    .sort((x, y) => y.total - x.total)
    .slice(0, 40);
  return html`<section class="panel panel-flush" aria-labelledby="blocks-h">
    <div class="panel-head"><h2 id="blocks-h">${b.title}</h2><span class="muted">${b.why} <${Time} value=${blocks.at} /></span></div>
    <${Table} caption=${b.title} compact rows=${rows} rowKey=${(/** @type {any} */ r) => `${r.tag} ${r.bytes}`}
      columns=${[
        { key: "tag", label: b.tag, cell: (/** @type {any} */ r) => html`<${TagChip} tag=${r.tag} />` },
        { key: "size", label: b.size, number: true, cell: (/** @type {any} */ r) => html`<${Bytes} value=${r.bytes} />` },
        { key: "blocks", label: b.blocks, number: true, cell: (/** @type {any} */ r) => html`<${Count} value=${r.blocks} />` },
        { key: "total", label: b.total, number: true, cell: (/** @type {any} */ r) => html`<${Bytes} value=${r.total} />` },
        { key: "share", label: "", class: "meter-cell", cell: (/** @type {any} */ r) => html`<${Meter} value=${r.total} max=${rows[0].total} label=${b.share} tone="plain" />` },
      ]} />
  </section>`;
}
