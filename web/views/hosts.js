// Every host: pools, limits, findings. Sorted, searched and filtered by the server.
import { html } from "../lib/ui.js";
import { useTitle } from "../lib/title.js";
import { useList } from "../lib/lists.js";
import { search, setQuery } from "../lib/router.js";
import { bytes, count, duration } from "../lib/format.js";
import { Table } from "../components/table.js";
import { SearchBox } from "../components/search.js";
import { Bytes, HostName, Name, Time } from "../components/names.js";
import { Meter, SeverityBadge, SeverityMark } from "../components/marks.js";
import { Empty, Load } from "../components/states.js";
import { More } from "../components/more.js";

/** @type {import("../components/table.js").Column[]} */
const COLUMNS = [
  { key: "name", label: "Host", sort: "name", cell: (h) => html`<${HostName} id=${h.id} name=${h.name} simulated=${h.simulated} />` },
  { key: "state", label: "Findings", sort: "findings", number: false, cell: (h) => (h.findings ? html`<a href=${"/findings" + search({ host: h.id })}><${SeverityBadge} severity=${h.worst_severity ?? "info"} /></a>${h.findings > 1 ? html` <span class="muted">${h.findings}</span>` : null}` : html`<span class="muted">none</span>`) },
  { key: "np", label: "Nonpaged", sort: "nonpaged_bytes", number: true, cell: (h) => html`<${Bytes} value=${h.nonpaged_bytes} />` },
  {
    key: "npl", label: "of its limit", class: "meter-cell", cell: (h) =>
      h.nonpaged_limit_bytes && h.nonpaged_bytes !== null
        ? html`<span title=${`${bytes(h.nonpaged_bytes)} of ${bytes(h.nonpaged_limit_bytes)}`}><${Meter} value=${h.nonpaged_bytes} max=${h.nonpaged_limit_bytes} label="Nonpaged pool of its limit" /></span>`
        : html`<span class="unknown">\u2013</span>`,
  },
  { key: "pp", label: "Paged", sort: "paged_bytes", number: true, cell: (h) => html`<${Bytes} value=${h.paged_bytes} />` },
  { key: "ram", label: "Memory", sort: "ram_bytes", number: true, cell: (h) => html`<${Bytes} value=${h.ram_bytes} />` },
  { key: "up", label: "Uptime", sort: "uptime_seconds", number: true, cell: (h) => html`<span title=${h.boot_at ?? ""}>${duration(h.uptime_seconds)}</span>` },
  { key: "role", label: "Role", sort: "role", cell: (h) => html`<${Name} value=${h.role} length=${24} />` },
  { key: "os", label: "System", sort: "os_build", class: "nowrap", cell: (h) => html`<${Name} value=${h.os_name} length=${30} />${" "}<span class="muted"><${Name} value=${h.os_build} none="" length=${20} /></span>` },
  { key: "seen", label: "Seen", sort: "last_seen", class: "nowrap", cell: (h) => h.awaiting_first_snapshot ? html`<span class="badge" title="Its agent has a token; the first snapshot comes within some minutes of the system's start">Enrolled, waiting for its first snapshot</span>` : html`${Date.now() - Date.parse(h.last_seen) > 1800000 ? html`<${SeverityMark} severity="warning" size=${12} />${" "}` : null}<${Time} value=${h.last_seen} as="ago" />` },
];

/** @param {{ route: import("../lib/router.js").Route }} props */
export default function Hosts({ route }) {
  useTitle("Hosts");
  const q = (/** @type {string} */ key) => route.query.get(key) ?? "";
  const sort = q("sort") || "name";
  const filters = { q: q("q"), "os.build": q("os.build"), role: q("role"), finding: q("finding"), silent: q("silent") };
  const list = useList("/hosts" + search({ ...filters, sort, limit: 100 }));
  const filtered = Object.values(filters).some(Boolean);
  const total = list.resource.data?.total;
  const toggle = (/** @type {string} */ key) => setQuery({ [key]: q(key) === "yes" ? null : "yes" });
  return html`<div class="page">
    <div class="page-head"><h1 tabindex="-1">Hosts</h1>${total !== undefined ? html`<span class="muted">${count(total)} ${filtered ? "found" : "in all"}</span>` : null}</div>
    <div class="toolbar">
      <${SearchBox} label="Host name" value=${q("q")} onSearch=${(/** @type {string} */ v) => setQuery({ q: v })} />
      <button type="button" class="button" aria-pressed=${q("finding") === "yes" ? "true" : "false"} onClick=${() => toggle("finding")}>With findings</button>
      <button type="button" class="button" aria-pressed=${q("silent") === "yes" ? "true" : "false"} onClick=${() => toggle("silent")}>Silent</button>
      ${["role", "os.build"].map((k) => (q(k) ? html`<button type="button" class="button" aria-pressed="true" onClick=${() => setQuery({ [k]: null })}><${Name} value=${q(k)} length=${24} /> \u00d7</button>` : null))}
      ${filtered ? html`<a class="button button-small button-quiet" href="/hosts">Clear filters</a>` : null}
    </div>
    <${Load}
      resource=${list.resource}
      render=${(/** @type {List<HostItem>} */ data) =>
        list.items.length
          ? html`<section class="panel panel-flush">
              <${Table} caption="Hosts" columns=${COLUMNS} rows=${list.items} rowKey=${(/** @type {HostItem} */ h) => h.id} sort=${sort}
                onSort=${(/** @type {string} */ s) => setQuery({ sort: s === "name" ? null : s })} compact />
              <${More} shown=${list.items.length} total=${data.total} more=${list.more} busy=${list.busy} error=${list.error} what="hosts" />
            </section>`
          : filtered
            ? html`<${Empty} title="No host matches"><a href="/hosts">Show all hosts</a><//>`
            : html`<${Empty} title="No hosts yet">Install the agent on a Windows host, or start the simulator. Until then, <a href="/diagnose">paste a capture</a>.<//>`}
    />
  </div>`;
}
