// Every driver that hosts report.
import { html } from "../lib/ui.js";
import { useTitle } from "../lib/title.js";
import { useList } from "../lib/lists.js";
import { search, setQuery } from "../lib/router.js";
import { count, UNKNOWN } from "../lib/format.js";
import { Table } from "../components/table.js";
import { SearchBox } from "../components/search.js";
import { DriverName, Name } from "../components/names.js";
import { TagsInside } from "../components/driver_file.js";
import { SeverityMark } from "../components/marks.js";
import { Empty, Load } from "../components/states.js";
import { More } from "../components/more.js";

/** @type {import("../components/table.js").Column[]} */
const COLUMNS = [
  { key: "name", label: "Driver", sort: "name", cell: (d) => html`<${DriverName} name=${d.name} length=${48} />` },
  { key: "company", label: "Company", sort: "company", cell: (d) => html`<${Name} value=${d.company} length=${48} />${d.product ? html` <small class="muted"><${Name} value=${d.product} length=${40} /></small>` : null}` },
  { key: "versions", label: "Versions", sort: "versions", number: true, cell: (d) => count(d.versions) },
  { key: "hosts", label: "Hosts", sort: "hosts", number: true, cell: (d) => count(d.hosts) },
  { key: "files", label: "Builds", sort: "files", number: true, hint: "Different files by their hash; those searched for tags", cell: (d) => (d.files ? html`${count(d.files)}${d.files_scanned < d.files ? html` <small class="muted">${count(d.files_scanned)} scanned</small>` : null}` : html`<span class="unknown">${UNKNOWN}</span>`) },
  { key: "tags", label: "Tags inside", cell: (d) => html`<${TagsInside} tags=${d.tags} scanned=${d.files_scanned > 0} />` },
  { key: "findings", label: "Findings", sort: "findings", number: true, cell: (d) => (d.findings ? html`<span class="badge badge-warning"><${SeverityMark} severity="warning" size=${12} label=${false} />${count(d.findings)}</span>` : html`<span class="muted">none</span>`) },
];

/** @param {{ route: import("../lib/router.js").Route }} props */
export default function Drivers({ route }) {
  useTitle("Drivers");
  const q = route.query.get("q") ?? "";
  const sort = route.query.get("sort") ?? "-findings";
  const list = useList("/drivers" + search({ q, sort, limit: 200 }));
  return html`<div class="page">
    <div class="page-head"><h1 tabindex="-1">Drivers</h1>${list.resource.data ? html`<span class="muted">${count(list.resource.data.total)} ${q ? "found" : "in the fleet"}</span>` : null}</div>
    <div class="toolbar"><${SearchBox} label="Driver or company" value=${q} onSearch=${(/** @type {string} */ v) => setQuery({ q: v })} /></div>
    <${Load}
      resource=${list.resource}
      render=${(/** @type {List<DriverItem>} */ data) =>
        list.items.length
          ? html`<section class="panel panel-flush">
              <${Table} caption="Drivers" columns=${COLUMNS} rows=${list.items} rowKey=${(/** @type {DriverItem} */ d) => d.name} sort=${sort} onSort=${(/** @type {string} */ s) => setQuery({ sort: s === "-findings" ? null : s })} compact />
              <${More} shown=${list.items.length} total=${data.total} more=${list.more} busy=${list.busy} error=${list.error} what="drivers" />
            </section>`
          : q
            ? html`<${Empty} title="No driver matches"><a href="/drivers">Show all drivers</a><//>`
            : html`<${Empty} title="No driver is known yet">Agents report drivers with their inventory, once after start and after every change.<//>`}
    />
  </div>`;
}
