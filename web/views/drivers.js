// Every driver that hosts report: how many versions, what changed lately, what findings say of it.
import { html } from "../lib/ui.js";
import { useTitle } from "../lib/title.js";
import { useList } from "../lib/lists.js";
import { search, setQuery } from "../lib/router.js";
import { count, percent, rate, UNKNOWN } from "../lib/format.js";
import { en } from "../lib/en.js";
import { Table } from "../components/table.js";
import { SearchBox } from "../components/search.js";
import { DriverName, Name } from "../components/names.js";
import { TagsInside } from "../components/driver_file.js";
import { SeverityMark } from "../components/marks.js";
import { ServerFile } from "../components/export.js";
import { Empty, Load } from "../components/states.js";
import { More } from "../components/more.js";

const t = en.drivers;

/** What the findings say, strongest first. @param {DriverItem} d */
function role(d) {
  const words = [d.findings_cause ? t.cause(d.findings_cause) : "", d.findings_owner ? t.owner(d.findings_owner) : ""].filter(Boolean);
  return words.length ? words.join(", ") : t.onlyTag;
}

/** @type {import("../components/table.js").Column[]} */
const COLUMNS = [
  { key: "name", label: t.columns.name, sort: "name", cell: (d) => html`<${DriverName} name=${d.name} length=${48} />` },
  { key: "company", label: t.columns.company, sort: "company", cell: (d) => html`<${Name} value=${d.company} length=${40} />${d.product ? html` <small class="muted"><${Name} value=${d.product} length=${32} /></small>` : null}` },
  { key: "versions", label: t.columns.versions, sort: "versions", number: true, cell: (d) => count(d.versions) },
  { key: "top", label: t.columns.top, sort: "top_version", hint: t.hints.top, class: "nowrap", cell: (d) => html`<${Name} value=${d.top_version} length=${24} /> <span class="muted">${d.hosts ? percent(d.top_hosts / d.hosts) : ""}</span>` },
  { key: "hosts", label: t.columns.hosts, sort: "hosts", number: true, cell: (d) => count(d.hosts) },
  { key: "changed", label: t.columns.changed, sort: "hosts_changed", number: true, hint: t.hints.changed, cell: (d) => (d.hosts_changed ? count(d.hosts_changed) : html`<span class="muted">0</span>`) },
  { key: "files", label: t.columns.files, sort: "files", number: true, hint: t.hints.files, cell: (d) => (d.files ? html`${count(d.files)}${d.files_scanned < d.files ? html` <small class="muted">${t.scanned(d.files_scanned)}</small>` : null}` : html`<span class="unknown">${UNKNOWN}</span>`) },
  { key: "tags", label: t.columns.tags, cell: (d) => html`<${TagsInside} tags=${d.tags} scanned=${d.files_scanned > 0} most=${5} />` },
  { key: "findings", label: t.columns.findings, sort: "findings", number: true, hint: t.hints.findings, cell: (d) => (d.findings ? html`<span class="badge badge-warning" title=${role(d)}><${SeverityMark} severity="warning" size=${12} label=${false} />${count(d.findings)}</span> <small class="muted">${role(d)}</small>` : html`<span class="muted">${t.none}</span>`) },
  { key: "worst", label: t.columns.worst, sort: "worst_rate", number: true, hint: t.hints.worst, cell: (d) => (d.worst_rate ? rate(d.worst_rate) : html`<span class="muted">${t.noneSeen}</span>`) },
];

/** @param {{ route: import("../lib/router.js").Route }} props */
export default function Drivers({ route }) {
  useTitle(t.title);
  const q = route.query.get("q") ?? "";
  const sort = route.query.get("sort") ?? "-findings_cause";
  const list = useList("/drivers" + search({ q, sort, limit: 200 }));
  return html`<div class="page">
    <div class="page-head"><h1 tabindex="-1">${t.title}</h1>${list.resource.data ? html`<span class="muted">${count(list.resource.data.total)} ${q ? t.found : t.inFleet}</span>` : null}</div>
    <div class="toolbar"><${SearchBox} label=${t.search} value=${q} onSearch=${(/** @type {string} */ v) => setQuery({ q: v })} /><span class="push"></span>
      <${ServerFile} path=${"/drivers" + search({ q, sort })} name="drivers.csv" type="text/csv" label=${en.states.csv} /><${ServerFile} path=${"/drivers" + search({ q, sort })} name="drivers.ndjson" type="application/x-ndjson" label=${en.states.ndjson} /></div>
    <${Load}
      resource=${list.resource}
      render=${(/** @type {List<DriverItem>} */ data) =>
        list.items.length
          ? html`<section class="panel panel-flush">
              <${Table} caption=${t.title} columns=${COLUMNS} rows=${list.items} rowKey=${(/** @type {DriverItem} */ d) => d.name} sort=${sort} onSort=${(/** @type {string} */ s) => setQuery({ sort: s === "-findings_cause" ? null : s })} compact />
              <${More} shown=${list.items.length} total=${data.total} more=${list.more} busy=${list.busy} error=${list.error} what="drivers" />
            </section>`
          : q
            ? html`<${Empty} title=${t.noMatch}><a href="/drivers">${t.showAll}</a><//>`
            : html`<${Empty} title=${t.empty}>${t.emptyHint}<//>`}
    />
  </div>`;
}
