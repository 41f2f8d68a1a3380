// One tag over the fleet: spread over hosts, quantiles over time, owner, who holds it.
import { html, useMemo } from "../lib/ui.js";
import { useTitle } from "../lib/title.js";
import { useResource } from "../lib/resource.js";
import { href, search, setQuery } from "../lib/router.js";
import { bytes, count, duration } from "../lib/format.js";
import { LOOK_AT, SOURCE } from "../lib/words.js";
import { Chart } from "../components/chart.js";
import { Distribution, isOutlier } from "../components/distribution.js";
import { Score } from "../components/score.js";
import { sortRows, Table } from "../components/table.js";
import { Bytes, Count, DriverName, HostName, Name, TagChip } from "../components/names.js";
import { SeverityMark } from "../components/marks.js";
import { Empty, Load, Skeleton } from "../components/states.js";
import { FindingItem } from "../components/finding_item.js";
import { KnownLeaks } from "../components/known_leaks.js";
import { useList } from "../lib/lists.js";
import { More } from "../components/more.js";

const HOSTS_FOR_PICTURE = 1000;

/** @type {import("../components/table.js").Column[]} */
const HOST_COLUMNS = [
  { key: "name", label: "Host", sort: "name", cell: (h) => html`${h.finding_id ? html`<${SeverityMark} severity="warning" size=${12} />${" "}` : null}<${HostName} id=${h.host_id} name=${h.name} />` },
  { key: "bytes", label: "Bytes", sort: "bytes", number: true, cell: (h) => html`<${Bytes} value=${h.bytes} />` },
  { key: "cohort", label: "Peers", sort: "cohort_bytes", number: true, hint: "Median of hosts like this one", cell: (h) => html`<${Bytes} value=${h.cohort_bytes} />` },
  { key: "score", label: "Score", sort: "score", number: true, hint: "Robust z-score against the peers", cell: (h) => html`<${Score} value=${h.score} bytes=${h.bytes} peers=${h.cohort_bytes} />` },
  { key: "diff", label: "Blocks", sort: "outstanding", number: true, hint: "Allocs minus frees", cell: (h) => html`<${Count} value=${h.outstanding} />` },
  { key: "allocs", label: "Allocs", sort: "allocs", number: true, cell: (h) => html`<${Count} value=${h.allocs} />` },
  { key: "frees", label: "Frees", sort: "frees", number: true, cell: (h) => html`<${Count} value=${h.frees} />` },
  { key: "up", label: "Uptime", sort: "uptime_seconds", number: true, cell: (h) => duration(h.uptime_seconds) },
  { key: "build", label: "OS build", sort: "os_build", class: "nowrap", cell: (h) => html`<${Name} value=${h.os_build} length=${20} />` },
  { key: "cohortname", label: "Compared with", class: "clip muted", cell: (h) => html`<${Name} value=${h.cohort_label} length=${50} />` },
];

/** @param {{ tag: string, pool: string }} props */
function Findings({ tag }) {
  const list = /** @type {Resource<List<Finding>>} */ (useResource("/findings" + search({ tag, limit: 10 })));
  if (!list.data?.items.length) return null;
  return html`<section aria-label="Findings" class="finding-list">
    ${list.data.items.map((f) => html`<${FindingItem} key=${f.id} finding=${f} />`)}
  </section>`;
}

/** @param {{ tag: string, pool: string }} props */
function OverTime({ tag, pool }) {
  const series = /** @type {Resource<FleetSeries>} */ (useResource(href(["tags", tag, "series"], { pool }), { every: 300000 }));
  return html`<section class="panel" aria-labelledby="time-h">
    <h2 id="time-h">Per host, over time</h2>
    <${Load}
      resource=${series}
      skeleton=${html`<div class="chart-hold"></div>`}
      render=${(/** @type {FleetSeries} */ s) =>
        s.t.length > 1
          ? html`<${Chart} t=${s.t} binary height=${200} format=${bytes} label=${`Fleet quantiles of ${tag} by hour: median, p90, p99 and biggest host`}
              lines=${[
                { label: "Biggest", values: s.max, color: "--chart-3", width: 1 },
                { label: "p99", values: s.p99, color: "--chart-2" },
                { label: "p90", values: s.p90, color: "--chart-2", dash: [4, 3] },
                { label: "Median", values: s.p50, color: "--chart-1", width: 2 },
              ]} />`
          : html`<${Empty} title="Not enough hours yet">A point is added every hour.<//>`}
    />
  </section>`;
}

/** @param {{ d: TagDetail, item: TagItem | undefined }} props */
function Owner({ d, item }) {
  return html`<section class="panel" aria-labelledby="owner-h">
    <h2 id="owner-h">Whose tag</h2>
    <dl class="pairs pairs-text">
      <div><dt>Driver</dt><dd><${DriverName} name=${d.driver} /></dd></div>
      ${d.description ? html`<div><dt>Meaning</dt><dd><${Name} value=${d.description} length=${160} /></dd></div>` : null}
      ${d.source ? html`<div><dt>Known from</dt><dd>${SOURCE[d.source] ?? d.source}</dd></div>` : null}
      <div><dt>Bytes of the tag</dt><dd><code>${d.hex}</code></dd></div>
      ${item ? html`<div><dt>Fleet total</dt><dd><${Bytes} value=${item.bytes} /></dd></div>
        <div><dt>Hosts with it</dt><dd>${count(item.hosts)}</dd></div>` : null}
      ${d.owners.slice(1, 5).map((o) => html`<div><dt>Also used by</dt><dd><${DriverName} name=${o.driver} none="" /> <${Name} value=${o.description} none="" /></dd></div>`)}
    </dl>
    ${d.look_at ? html`<p class="small"><b>When it grows:</b> ${LOOK_AT[d.look_at] ?? d.look_at}</p>` : null}
    ${d.drivers.length
      ? html`<p class="small muted">Found inside ${d.drivers.slice(0, 6).map((x, i) => html`${i ? ", " : ""}<${DriverName} name=${x.name} /> (${count(x.hosts)} hosts)`)}.</p>`
      : null}
    <p class="small muted">The owner of a tag is often not the one who leaks.</p>
  </section>`;
}

/** @param {{ d: TagDetail, route: import("../lib/router.js").Route }} props */
function Body({ d, route }) {
  const wanted = route.query.get("pool");
  const item = d.pools.find((p) => p.pool === wanted) ?? d.pools.slice().sort((a, b) => (b.bytes ?? 0) - (a.bytes ?? 0))[0];
  const pool = item?.pool ?? wanted ?? "nonpaged";
  const sort = route.query.get("sort") ?? "-bytes";
  const list = useList(href(["tags", d.tag, "hosts"], { pool, sort: "-bytes", limit: HOSTS_FOR_PICTURE }));
  const rows = /** @type {TagHost[]} */ (list.items);
  const sorted = useMemo(
    () =>
      sortRows(rows, sort, {
        name: (h) => h.name, bytes: (h) => h.bytes, cohort_bytes: (h) => h.cohort_bytes, score: (h) => h.score, outstanding: (h) => h.outstanding,
        allocs: (h) => h.allocs, frees: (h) => h.frees, uptime_seconds: (h) => h.uptime_seconds, os_build: (h) => h.os_build,
      }),
    [list.resource.data, rows.length, sort],
  );
  const all = route.query.get("all") === "yes";
  const shown = all ? sorted : sorted.slice(0, 50);
  const outliers = rows.filter(isOutlier).length;
  return html`
    ${d.pools.length > 1
      ? html`<div class="toolbar"><div class="segmented" role="group" aria-label="Pool">
          ${d.pools.map((p) => html`<button type="button" aria-pressed=${p.pool === pool ? "true" : "false"} onClick=${() => setQuery({ pool: p.pool })}>${p.pool} \u00b7 ${bytes(p.bytes)}</button>`)}
        </div></div>`
      : null}
    <div class="split">
      <div class="page">
        <${Findings} tag=${d.tag} pool=${pool} />
        <section class="panel" aria-labelledby="dist-h">
          <div class="panel-head">
            <h2 id="dist-h">Spread over the hosts</h2>
            <span class="muted">${rows.length ? `${count(rows.length)} hosts, ${outliers ? `${count(outliers)} far from their peers` : "none far from its peers"}` : ""}</span>
          </div>
          <${Load} resource=${list.resource} skeleton=${html`<div class="dist-hold"></div>`}
            render=${(/** @type {List<TagHost>} */ data) => html`<${Distribution} rows=${rows} tag=${d.tag} median=${item?.median_bytes ?? null} p99=${item?.p99_bytes ?? null} />
              ${data.total > rows.length ? html`<p class="small muted">The ${count(rows.length)} biggest of ${count(data.total)} hosts.</p>` : null}`} />
        </section>
        <${OverTime} tag=${d.tag} pool=${pool} />
      </div>
      <div class="side"><${Owner} d=${d} item=${item} /><${KnownLeaks} known=${d.known_leaks} fit=${false} /></div>
    </div>
    <section class="panel panel-flush" aria-labelledby="hosts-h">
      <div class="panel-head"><h2 id="hosts-h">Hosts</h2><a class="small" href=${"/api/v1" + href(["tags", d.tag, "hosts"], { pool, limit: 1000 })} target="_blank" rel="noopener">JSON</a></div>
      ${rows.length
        ? html`<${Table} caption="Hosts with this tag" columns=${HOST_COLUMNS} rows=${shown} rowKey=${(/** @type {TagHost} */ h) => h.host_id} sort=${sort}
              onSort=${(/** @type {string} */ s) => setQuery({ sort: s === "-bytes" ? null : s })} compact />
            <div class="more">
              <span class="muted">${count(shown.length)} of ${count(list.resource.data?.total)} hosts</span>
              ${!all && sorted.length > shown.length ? html`<button type="button" class="button button-small" onClick=${() => setQuery({ all: "yes" })}>Show all</button>` : null}
            </div>
            ${all && list.more ? html`<${More} shown=${rows.length} total=${list.resource.data?.total} more=${list.more} busy=${list.busy} error=${list.error} what="hosts loaded" />` : null}`
        : html`<div class="pad"><${Skeleton} rows=${4} /></div>`}
    </section>`;
}

/** @param {{ route: import("../lib/router.js").Route }} props */
export default function Tag({ route }) {
  const tag = route.params.tag;
  useTitle(`Tag ${tag}`);
  const detail = /** @type {Resource<TagDetail>} */ (useResource(href(["tags", tag])));
  return html`<div class="page">
    <div class="page-head">
      <h1 tabindex="-1">Tag <${TagChip} tag=${tag} plain /></h1>
      <span class="muted">${detail.data?.description ? html`<${Name} value=${detail.data.description} length=${90} />` : ""}</span>
    </div>
    <${Load} resource=${detail} render=${(/** @type {TagDetail} */ d) => html`<${Body} key=${d.tag} d=${d} route=${route} />`}
      notFound=${html`<${Empty} title="No host has this tag"><p>Upper and lower case and blanks count: <code>NtFC</code>, <code>Ntfc</code> and <code>Ddk\u2423</code> are different tags.</p><a href="/tags">All tags</a><//>`} />
  </div>`;
}
