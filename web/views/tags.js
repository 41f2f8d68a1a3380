// Every tag of the fleet: totals, spread over the hosts, owner. Sorted and searched by the server.
import { html } from "../lib/ui.js";
import { useTitle } from "../lib/title.js";
import { useList } from "../lib/lists.js";
import { search, setQuery } from "../lib/router.js";
import { count, countShort } from "../lib/format.js";
import { Table } from "../components/table.js";
import { SearchBox } from "../components/search.js";
import { Select } from "../components/select.js";
import { Bytes, DriverName, HostName, Name, TagChip } from "../components/names.js";
import { SeverityMark } from "../components/marks.js";
import { Spread } from "../components/score.js";
import { Empty, Load } from "../components/states.js";
import { More } from "../components/more.js";

/** @param {number} top @returns {import("../components/table.js").Column[]} */
const columns = (top) => [
  { key: "tag", label: "Tag", sort: "tag", cell: (t) => html`<${TagChip} tag=${t.tag} pool=${t.pool} />` },
  { key: "pool", label: "Pool", sort: "pool", cell: (t) => t.pool },
  { key: "bytes", label: "Fleet", sort: "bytes", number: true, hint: "Sum over all hosts", cell: (t) => html`<${Bytes} value=${t.bytes} />` },
  { key: "hosts", label: "Hosts", sort: "hosts", number: true, cell: (t) => count(t.hosts) },
  { key: "median", label: "Median", sort: "median_bytes", number: true, hint: "The middle host", cell: (t) => html`<${Bytes} value=${t.median_bytes} />` },
  { key: "p99", label: "p99", sort: "p99_bytes", number: true, hint: "99 of 100 hosts hold less", cell: (t) => html`<${Bytes} value=${t.p99_bytes} />` },
  { key: "max", label: "Biggest", sort: "max_bytes", number: true, cell: (t) => html`<${Bytes} value=${t.max_bytes} />` },
  { key: "maxhost", label: "on", cell: (t) => (t.max_host_id ? html`<${HostName} id=${t.max_host_id} name=${t.max_host_name} length=${18} />` : null) },
  { key: "spread", label: "Spread", hint: "Median to p99 as a bar, the biggest host as a dot; log scale from 1 KB", cell: (t) => html`<${Spread} median=${t.median_bytes} p99=${t.p99_bytes} max=${t.max_bytes} top=${top} out=${t.findings > 0} />` },
  { key: "blocks", label: "Blocks", sort: "outstanding", number: true, hint: "Outstanding allocations over all hosts", cell: (t) => countShort(t.outstanding) },
  { key: "owner", label: "Owner", class: "clip", cell: (t) => html`${t.driver || !t.description ? html`<${DriverName} name=${t.driver} length=${28} />${" "}` : null}${t.description ? html`<span class="muted"><${Name} value=${t.description} length=${44} /></span>` : null}` },
  {
    key: "findings", label: "", cell: (t) =>
      t.findings ? html`<a href=${"/findings" + search({ tag: t.tag })} class="badge badge-warning"><${SeverityMark} severity="warning" size=${12} label=${false} />${t.findings === 1 ? "finding" : `${t.findings} findings`}</a>` : null,
  },
];

/** @param {{ route: import("../lib/router.js").Route }} props */
export default function Tags({ route }) {
  useTitle("Tags");
  const q = route.query.get("q") ?? "";
  const pool = route.query.get("pool") ?? "";
  const sort = route.query.get("sort") ?? "-bytes";
  const list = useList("/tags" + search({ q, pool, sort, limit: 100 }));
  const total = list.resource.data?.total;
  const top = Math.max(1024 ** 3, ...list.items.map((t) => t.max_bytes ?? 0));
  return html`<div class="page">
    <div class="page-head"><h1 tabindex="-1">Tags</h1>${total !== undefined ? html`<span class="muted">${count(total)} ${q || pool ? "found" : "in the fleet"}</span>` : null}</div>
    <div class="toolbar">
      <${SearchBox} label="Tag, driver or description" value=${q} onSearch=${(/** @type {string} */ v) => setQuery({ q: v })} />
      <${Select} label="Pool" value=${pool} options=${[["", "Both"], ["nonpaged", "Nonpaged"], ["paged", "Paged"]]} onChange=${(/** @type {string} */ v) => setQuery({ pool: v })} />
    </div>
    <${Load}
      resource=${list.resource}
      render=${(/** @type {List<TagItem>} */ data) =>
        list.items.length
          ? html`<section class="panel panel-flush">
              <${Table} caption="Tags" columns=${columns(top)} rows=${list.items} rowKey=${(/** @type {TagItem} */ t) => t.tag + t.pool} sort=${sort}
                onSort=${(/** @type {string} */ s) => setQuery({ sort: s === "-bytes" ? null : s })} compact />
              <${More} shown=${list.items.length} total=${data.total} more=${list.more} busy=${list.busy} error=${list.error} what="tags" />
            </section>`
          : q || pool
            ? html`<${Empty} title="No tag matches">Upper and lower case count in tags, not in this search.<br /><a href="/tags">Show all tags</a><//>`
            : html`<${Empty} title="No tags yet">The first snapshot brings them.<//>`}
    />
  </div>`;
}
