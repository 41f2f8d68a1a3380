// What is kept and how long, how it grows, and when the disk would be full. Settings are shown, with
// where to change them.
import { html } from "../../lib/ui.js";
import { en } from "../../lib/en.js";
import { fill } from "../../lib/fill.js";
import { bytes, count, duration, UNKNOWN } from "../../lib/format.js";
import { useResource } from "../../lib/resource.js";
import { Meter } from "../../components/marks.js";
import { Bytes, Count, Time } from "../../components/names.js";
import { Load } from "../../components/states.js";
import { Table, sortRows } from "../../components/table.js";
import { useState } from "../../lib/ui.js";
import { said } from "./rows.js";

const t = en.admin.storage;

/** "30 days", "6 h". @param {number | null} seconds */
const kept = (seconds) => (seconds === null ? UNKNOWN : seconds % 86400 === 0 ? t.days(count(seconds / 86400)) : duration(seconds));

/** @param {{ d: any }} props */
function Figures({ d }) {
  return html`<section class="panel pad-all">
    <dl class="stats">
      <div><dt>${t.database}</dt><dd><${Bytes} value=${d.database_bytes} /></dd></div>
      <div><dt>${t.growth}</dt><dd>${d.growth_bytes_per_day === null ? UNKNOWN : t.perDay(bytes(d.growth_bytes_per_day))}</dd></div>
      <div><dt title=${t.settlesHint}>${t.settles}</dt><dd><${Bytes} value=${d.settled_bytes} /></dd></div>
      ${d.disk_free_bytes === null ? null : html`<div><dt>${t.free}</dt><dd><${Bytes} value=${d.disk_free_bytes} /> <small>${t.ofDisk(bytes(d.disk_total_bytes))}</small></dd></div>
        <div><dt>${t.full}</dt><dd>${d.full_at ? html`<span class="warn-text"><${Time} value=${d.full_at} as="day" /></span>` : t.notForeseen}</dd></div>`}
    </dl>
    ${d.disk_free_bytes === null ? html`<p class="muted small">${t.unknownDisk}</p>` : null}
  </section>`;
}

/** @param {{ settings: { name: string, seconds: number }[] }} props */
function Settings({ settings }) {
  const columns = [
    { key: "what", label: t.what, cell: (/** @type {any} */ s) => said(t.says, s.name) },
    { key: "value", label: t.value, number: true, cell: (/** @type {any} */ s) => html`<b>${kept(s.seconds)}</b>` },
    { key: "name", label: t.setting, cell: (/** @type {any} */ s) => html`<code>${s.name}</code>` },
    { key: "flag", label: t.flag, cell: (/** @type {any} */ s) => html`<code>--${s.name.replaceAll("_", "-")}</code>` },
    { key: "env", label: t.environment, cell: (/** @type {any} */ s) => html`<code>POOLFLEET_${s.name.toUpperCase()}</code>` },
  ];
  return html`<section class="panel panel-flush" aria-labelledby="settings-h">
    <div class="panel-head"><h2 id="settings-h">${t.settings}</h2></div>
    <p class="muted small pad">${fill(t.settingsSay, { command: html`<code>poolfleetd check-config</code>` })}</p>
    <${Table} caption=${t.settings} columns=${columns} rows=${settings} rowKey=${(/** @type {any} */ s) => s.name} compact />
  </section>`;
}

/** @param {{ table: any }} props */
function Partitions({ table }) {
  const most = Math.max(1, ...table.partitions.map((/** @type {any} */ p) => p.bytes));
  const now = Date.now();
  const as = table.partitions.some((/** @type {any} */ p) => Date.parse(p.to) - Date.parse(p.from) < 86400000) ? "local" : "day";
  /** @type {import("../../components/table.js").Column[]} */
  const columns = [
    { key: "from", label: t.from, class: "nowrap", cell: (p) => html`<${Time} value=${p.from} as=${as} />` },
    { key: "to", label: t.to, class: "nowrap", cell: (p) => html`<${Time} value=${p.to} as=${as} /> ${Date.parse(p.from) > now ? html`<small class="muted">${t.ahead}</small>` : Date.parse(p.to) > now ? html`<small class="muted">${t.now}</small>` : null}` },
    { key: "size", label: t.size, number: true, cell: (p) => html`<${Bytes} value=${p.bytes} />` },
    { key: "bar", label: "", class: "meter-cell wide-bar", cell: (p) => html`<${Meter} value=${p.bytes} max=${most} tone="plain" label=${t.shareOf(p.name)} />` },
    { key: "rows", label: t.rows, number: true, cell: (p) => html`<${Count} value=${p.rows} />` },
  ];
  const rows = table.partitions.slice().reverse();
  return html`<section class="panel panel-flush" aria-label=${t.partitions(table.name)}>
    <div class="panel-head"><h2><code>${table.name}</code></h2><span class="muted">${table.growth_bytes_per_day === null
      ? t.tableSaysShort(bytes(table.bytes), kept(table.kept_seconds))
      : t.tableSays(bytes(table.bytes), bytes(table.growth_bytes_per_day), kept(table.kept_seconds))}</span></div>
    <div class="tab-panel"><${Table} caption=${t.partitions(table.name)} columns=${columns} rows=${rows} rowKey=${(/** @type {any} */ p) => p.name} compact /></div>
  </section>`;
}

/** @param {{ tables: any[] }} props */
function Others({ tables }) {
  const [sort, setSort] = useState("-bytes");
  const rows = sortRows(tables, sort, { name: (r) => r.name, bytes: (r) => r.bytes, rows: (r) => r.rows });
  return html`<section class="panel panel-flush" aria-labelledby="others-h">
    <div class="panel-head"><h2 id="others-h">${t.other}</h2></div>
    <div class="tab-panel"><${Table} caption=${t.other} rows=${rows} rowKey=${(/** @type {any} */ r) => r.name} sort=${sort} onSort=${setSort} compact columns=${[
      { key: "name", label: t.table, sort: "name", cell: (/** @type {any} */ r) => html`<code>${r.name}</code>` },
      { key: "bytes", label: t.size, sort: "bytes", number: true, cell: (/** @type {any} */ r) => html`<${Bytes} value=${r.bytes} />` },
      { key: "rows", label: t.rows, sort: "rows", number: true, cell: (/** @type {any} */ r) => html`<${Count} value=${r.rows} />` },
    ]} /></div>
  </section>`;
}

export function Storage() {
  const resource = useResource("/storage", { every: 60000 });
  return html`<${Load} resource=${resource} render=${(/** @type {any} */ d) => {
    const parted = d.tables.filter((/** @type {any} */ x) => x.partitions.length > 0);
    return html`<div class="admin-stack">
      <${Figures} d=${d} />
      <${Settings} settings=${d.settings} />
      <div class="storage-grid">
        ${parted.map((/** @type {any} */ x) => html`<${Partitions} key=${x.name} table=${x} />`)}
        <${Others} tables=${d.tables.filter((/** @type {any} */ x) => x.partitions.length === 0)} />
      </div>
    </div>`;
  }} />`;
}
