// One tag over the fleet: spread over hosts, quantiles over time, owner, who holds it.
import { html, useMemo } from "../lib/ui.js";
import { useTitle } from "../lib/title.js";
import { useResource } from "../lib/resource.js";
import { href, navigate, search, setQuery } from "../lib/router.js";
import { bytes, count, duration } from "../lib/format.js";
import { exactRatio, explainHref, measureFormat } from "../lib/spread.js";
import { en } from "../lib/en.js";
import { fill } from "../lib/fill.js";
import { LOOK_AT, SOURCE } from "../lib/words.js";
import { Chart } from "../components/chart.js";
import { Distribution, distributionRows, isOutlier } from "../components/distribution.js";
import { bucketSpan, Heatmap } from "../components/heatmap.js";
import { Box } from "../components/boxes.js";
import { CsvButton, ServerFile } from "../components/export.js";
import { Score } from "../components/score.js";
import { Table } from "../components/table.js";
import { Bytes, Count, DriverName, HostName, Name, TagChip } from "../components/names.js";
import { SeverityMark } from "../components/marks.js";
import { Empty, Load, Skeleton } from "../components/states.js";
import { FindingItem } from "../components/finding_item.js";
import { KnownLeaks } from "../components/known_leaks.js";
import { useList } from "../lib/lists.js";
import { More } from "../components/more.js";

const t = en.tag;

/** @type {import("../components/table.js").Column[]} */
const HOST_COLUMNS = [
  { key: "name", label: t.hostColumns.name, sort: "name", cell: (h) => html`${h.finding_id ? html`<${SeverityMark} severity="warning" size=${12} />${" "}` : null}<${HostName} id=${h.host_id} name=${h.name} />` },
  { key: "bytes", label: t.hostColumns.bytes, sort: "bytes", number: true, cell: (h) => html`<${Bytes} value=${h.bytes} />` },
  { key: "cohort", label: t.hostColumns.cohort, sort: "cohort_bytes", number: true, hint: t.hostHints.cohort, cell: (h) => html`<${Bytes} value=${h.cohort_bytes} />` },
  { key: "score", label: t.hostColumns.score, sort: "score", number: true, hint: t.hostHints.score, cell: (h) => html`<${Score} value=${h.score} bytes=${h.bytes} peers=${h.cohort_bytes} />` },
  { key: "diff", label: t.hostColumns.diff, sort: "outstanding", number: true, hint: t.hostHints.diff, cell: (h) => html`<${Count} value=${h.outstanding} />` },
  { key: "allocs", label: t.hostColumns.allocs, sort: "allocs", number: true, cell: (h) => html`<${Count} value=${h.allocs} />` },
  { key: "frees", label: t.hostColumns.frees, sort: "frees", number: true, cell: (h) => html`<${Count} value=${h.frees} />` },
  { key: "up", label: t.hostColumns.up, sort: "uptime_seconds", number: true, cell: (h) => duration(h.uptime_seconds) },
  { key: "build", label: t.hostColumns.build, sort: "os_build", class: "nowrap", cell: (h) => html`<${Name} value=${h.os_build} length=${20} />` },
  { key: "cohortname", label: t.hostColumns.cohortname, class: "clip muted", cell: (h) => html`<${Name} value=${h.cohort_label} length=${50} />` },
];

/** @param {{ tag: string, pool: string }} props */
function Findings({ tag }) {
  const list = /** @type {Resource<List<Finding>>} */ (useResource("/findings" + search({ tag, limit: 10 })));
  if (!list.data?.items.length) return null;
  return html`<section aria-label=${t.findings} class="finding-list">
    ${list.data.items.map((f) => html`<${FindingItem} key=${f.id} finding=${f} />`)}
  </section>`;
}

/** @param {{ tag: string, pool: string, route: import("../lib/router.js").Route }} props */
function SpreadNow({ tag, pool, route }) {
  const measure = ["outstanding", "rate"].find((m) => m === route.query.get("measure")) ?? "bytes";
  const spread = /** @type {Resource<Distribution>} */ (useResource(href(["tags", tag, "distribution"], { pool, measure }), { keep: true }));
  const explain = (/** @type {number | null} */ low, /** @type {number | null} */ high) => navigate(explainHref({ tag, pool, measure: measure === "bytes" ? null : measure, low, high }));
  const head = (/** @type {Distribution} */ d) => [t.from, t.below, ...d.bands.map((b) => t.upBand(b.band)), t.all];
  return html`<section class="panel" aria-labelledby="dist-h">
    <div class="panel-head">
      <h2 id="dist-h">${t.spread}</h2>
      <span class="muted">${spread.data ? t.far(spread.data.hosts, spread.data.dots.filter(isOutlier).length) : ""}</span>
      <div class="segmented no-print" role="group" aria-label=${t.measure}>
        ${Object.entries(t.measures).map(([m, label]) => html`<button type="button" aria-pressed=${m === measure ? "true" : "false"} onClick=${() => setQuery({ measure: m === "bytes" ? null : m })}>${label}</button>`)}
      </div>
    </div>
    ${measure === "rate" ? html`<p class="small muted">${t.rateHint}</p>` : null}
    <${Load} resource=${spread} skeleton=${html`<div class="dist-hold"></div>`}
      render=${(/** @type {Distribution} */ d) =>
        d.hosts
          ? html`<${Distribution} key=${d.measure + d.pool} d=${d} onRegion=${explain} />
              ${d.dots_complete ? null : html`<p class="small muted">${t.biggest(d.dots.length, d.hosts)}</p>`}
              <details class="twin"><summary>${t.asTable}</summary>
                <${Table} caption=${t.spread} compact rowKey=${(/** @type {any} */ r) => String(r.low)} rows=${distributionRows(d)}
                  columns=${[
                    { key: "low", label: t.from, number: true, cell: (/** @type {any} */ r) => r.format(r.low) },
                    { key: "high", label: t.below, number: true, cell: (/** @type {any} */ r) => r.format(r.high) },
                    ...d.bands.map((b, i) => ({ key: b.band, label: t.upBand(b.band), number: true, cell: (/** @type {any} */ r) => count(r.hosts[i]) })),
                    { key: "sum", label: t.all, number: true, cell: (/** @type {any} */ r) => count(r.sum) },
                  ]} />
              </details>
              <${CsvButton} name=${`spread of ${tag}`} head=${head(d)} rows=${() => distributionRows(d).map((r) => [r.low, r.high, ...r.hosts, r.sum])} />`
          : html`<${Empty} title=${t.noValue}>${t.noValueHint}<//>`} />
  </section>`;
}

/** @param {{ tag: string, pool: string }} props */
function OverTime({ tag, pool }) {
  const series = /** @type {Resource<FleetSeries>} */ (useResource(href(["tags", tag, "series"], { pool }), { every: 300000 }));
  const buckets = /** @type {Resource<TagBuckets>} */ (useResource(href(["tags", tag, "buckets"], { pool }), { every: 300000 }));
  const explain = (/** @type {number | null} */ low, /** @type {number | null} */ high) => navigate(explainHref({ tag, pool, low, high }));
  const span = (/** @type {TagBuckets} */ b) => {
    const [from, to] = bucketSpan(b);
    return b.low.slice(from, to + 1).map((low, i) => ({ low, k: from + i }));
  };
  const when = (/** @type {number} */ s) => new Date(s * 1000).toISOString().slice(0, 16) + "Z";
  return html`<section class="panel" aria-labelledby="heat-h">
      <div class="panel-head"><h2 id="heat-h">${t.heat}</h2></div>
      <${Load} resource=${buckets} skeleton=${html`<div class="chart-hold"></div>`}
        render=${(/** @type {TagBuckets} */ b) =>
          b.t.length > 1
            ? html`<${Heatmap} b=${b} tag=${tag} onRegion=${explain} />
                <details class="twin"><summary>${t.asTable}</summary>
                  <${Table} caption=${t.heat} compact rows=${b.t.map((at, i) => ({ at, hosts: b.hosts[i] }))} rowKey=${(/** @type {any} */ r) => String(r.at)}
                    columns=${[{ key: "at", label: "UTC", class: "nowrap", cell: (/** @type {any} */ r) => when(r.at) }, ...span(b).map(({ low, k }) => ({ key: String(k), label: bytes(low), number: true, cell: (/** @type {any} */ r) => count(r.hosts[k] ?? 0) }))]} />
                </details>
                <${CsvButton} name=${`sizes of ${tag}`} head=${["time", ...span(b).map(({ low }) => String(low))]} rows=${() => b.t.map((at, i) => [when(at), ...span(b).map(({ k }) => b.hosts[i][k] ?? 0)])} />`
            : html`<${Empty} title=${t.notYet}>${t.notYetHint}<//>`} />
    </section>
    <section class="panel" aria-labelledby="time-h">
    <h2 id="time-h">${t.quantiles}</h2>
    <${Load}
      resource=${series}
      skeleton=${html`<div class="chart-hold"></div>`}
      render=${(/** @type {FleetSeries} */ s) =>
        s.t.length > 1
          ? html`<${Chart} t=${s.t} binary height=${200} format=${bytes} label=${t.quantilesLabel(tag)}
              lines=${[
                { label: t.lines.max, values: s.max, color: "--chart-3", width: 1 },
                { label: t.lines.p99, values: s.p99, color: "--chart-2" },
                { label: t.lines.p90, values: s.p90, color: "--chart-2", dash: [4, 3] },
                { label: t.lines.p50, values: s.p50, color: "--chart-1", width: 2 },
              ]} />
            <details class="twin"><summary>${t.asTable}</summary><${Table} caption=${t.quantiles} compact rows=${s.t.map((_, i) => i)} rowKey=${String}
              columns=${[{ key: "t", label: "UTC", class: "nowrap", cell: (/** @type {number} */ i) => when(s.t[i]) }, ...[["p50", t.lines.p50, s.p50], ["p90", t.lines.p90, s.p90], ["p99", t.lines.p99, s.p99], ["max", t.lines.max, s.max]].map(([key, label, values]) => ({ key: String(key), label: String(label), number: true, cell: (/** @type {number} */ i) => bytes(/** @type {any} */ (values)[i]) }))]} /></details>
            <${CsvButton} name=${`quantiles of ${tag}`} head=${["time", "hosts", "sum", "p50", "p90", "p99", "max"]} rows=${() => s.t.map((at, i) => [when(at), s.hosts[i], s.sum[i], s.p50[i], s.p90[i], s.p99[i], s.max[i]])} />`
          : html`<${Empty} title=${t.notYet}>${t.notYetHint}<//>`}
    />
  </section>`;
}

/** @param {{ tag: string, pool: string }} props */
function Lockstep({ tag, pool }) {
  const group = /** @type {Resource<TagLockstep>} */ (useResource(href(["tags", tag, "lockstep"], { pool })));
  return html`<section class="panel" aria-labelledby="lock-h">
    <h2 id="lock-h">${t.lockstep}</h2>
    <p class="small muted">${t.lockstepHint}</p>
    <${Load} resource=${group} skeleton=${html`<${Skeleton} rows=${3} />`}
      render=${(/** @type {TagLockstep} */ g) =>
        g.items.length
          ? html`<ul class="lockstep">${g.items.map((p) => html`<li key=${p.pool + p.tag}>
              <${TagChip} tag=${p.tag} pool=${p.pool} />
              <b class="number" title=${t.middle(exactRatio(p.ratio_low), exactRatio(p.ratio_high))}>${exactRatio(p.ratio)}</b>
              <span class="muted small">${count(p.hosts)} ${t.hostsOf.toLowerCase()}${p.in_finding ? ", " + t.sameFinding : ""}</span>
              ${p.driver ? html`<span class="small"><${DriverName} name=${p.driver} length=${24} /></span>` : null}</li>`)}</ul>
            <${CsvButton} name=${`moves with ${tag}`} head=${["tag", "pool", "ratio", "ratio_low", "ratio_high", "correlation", "hosts", "in_finding", "driver"]} rows=${() => g.items.map((p) => [p.tag, p.pool, p.ratio, p.ratio_low, p.ratio_high, p.correlation, p.hosts, p.in_finding, p.driver])} />`
          : html`<p class="muted">${g.note ?? t.lockstepNone}</p>`} />
  </section>`;
}

/** @param {{ tag: string, pool: string, route: import("../lib/router.js").Route }} props */
function Versions({ tag, pool, route }) {
  const measure = ["outstanding", "rate"].find((m) => m === route.query.get("measure")) ?? "bytes";
  const versions = /** @type {Resource<TagVersions>} */ (useResource(href(["tags", tag, "versions"], { pool, measure }), { keep: true }));
  const format = measureFormat(measure);
  return html`<section class="panel" aria-labelledby="byver-h">
    <h2 id="byver-h">${t.versions}</h2>
    <${Load} resource=${versions} skeleton=${html`<${Skeleton} rows=${3} />`}
      render=${(/** @type {TagVersions} */ v) => {
        if (!v.drivers.length) return html`<p class="muted">${t.versionsNone}</p>`;
        const top = Math.max(1, ...v.drivers.flatMap((d) => d.versions.map((x) => x.max ?? 0)));
        return html`${v.drivers.map((d) => html`<h3 key=${d.name}><${DriverName} name=${d.name} /></h3>
            <${Table} caption=${d.name} compact rows=${d.versions} rowKey=${(/** @type {any} */ x) => String(x.version)}
              columns=${[
                { key: "version", label: t.version, class: "nowrap", cell: (/** @type {any} */ x) => html`<${Name} value=${x.version} length=${32} />` },
                { key: "loaded", label: t.loaded, number: true, cell: (/** @type {any} */ x) => count(x.loaded) },
                { key: "with", label: t.with, number: true, cell: (/** @type {any} */ x) => count(x.hosts) },
                { key: "box", label: t.measures[/** @type {"bytes"} */ (measure)], cell: (/** @type {any} */ x) => html`<${Box} s=${x} top=${top} format=${format} />` },
                { key: "median", label: t.median, number: true, cell: (/** @type {any} */ x) => format(x.median) },
                { key: "go", label: "", cell: (/** @type {any} */ x) => html`<a class="small" href=${explainHref({ having: `driver/${d.name}=${x.version ?? ""}`, tag, pool, measure: measure === "bytes" ? null : measure })}>${t.explainVersion}</a>` },
              ]} />`)}
          <${CsvButton} name=${`versions and ${tag}`} head=${["driver", "version", "loaded", "hosts", "min", "q1", "median", "q3", "max", "median_low", "median_high"]}
            rows=${() => v.drivers.flatMap((d) => d.versions.map((x) => [d.name, x.version, x.loaded, x.hosts, x.min, x.q1, x.median, x.q3, x.max, x.median_low, x.median_high]))} />`;
      }} />
  </section>`;
}

/** @param {{ d: TagDetail, item: TagItem | undefined }} props */
function Owner({ d, item }) {
  return html`<section class="panel" aria-labelledby="owner-h">
    <h2 id="owner-h">${t.owner}</h2>
    <dl class="pairs pairs-text">
      <div><dt>${t.driver}</dt><dd><${DriverName} name=${d.driver} /></dd></div>
      ${d.description ? html`<div><dt>${t.meaning}</dt><dd><${Name} value=${d.description} length=${160} /></dd></div>` : null}
      ${d.source ? html`<div><dt>${t.knownFrom}</dt><dd>${SOURCE[d.source] ?? d.source}</dd></div>` : null}
      <div><dt>${t.hex}</dt><dd><code>${d.hex}</code></dd></div>
      ${item ? html`<div><dt>${t.fleet}</dt><dd><${Bytes} value=${item.bytes} /></dd></div>
        <div><dt>${t.hostsWith}</dt><dd>${count(item.hosts)}</dd></div>` : null}
      ${d.owners.slice(1, 5).map((o) => html`<div><dt>${t.also}</dt><dd><${DriverName} name=${o.driver} none="" /> <${Name} value=${o.description} none="" /></dd></div>`)}
    </dl>
    ${d.look_at ? html`<p class="small"><b>${t.whenGrows}</b> ${LOOK_AT[d.look_at] ?? d.look_at}</p>` : null}
    ${d.drivers.length
      ? html`<p class="small muted">${t.foundInside} ${d.drivers.slice(0, 6).map((x, i) => html`${i ? ", " : ""}<${DriverName} name=${x.name} /> ${t.onHosts(count(x.hosts))}`)}.</p>`
      : null}
    <p class="small muted">${t.ownerOften}</p>
  </section>`;
}

/** @param {{ d: TagDetail, route: import("../lib/router.js").Route }} props */
function Body({ d, route }) {
  const wanted = route.query.get("pool");
  const item = d.pools.find((p) => p.pool === wanted) ?? d.pools.slice().sort((a, b) => (b.bytes ?? 0) - (a.bytes ?? 0))[0];
  const pool = item?.pool ?? wanted ?? "nonpaged";
  const sort = route.query.get("sort") ?? "-bytes";
  const list = useList(href(["tags", d.tag, "hosts"], { pool, sort, limit: 50 }));
  const rows = /** @type {TagHost[]} */ (list.items);
  // Pictures are drawn again when what they show changes, not with every order of the table below.
  const measure = route.query.get("measure");
  const pictures = useMemo(() => html`<div class="page">
        <${Findings} tag=${d.tag} pool=${pool} />
        <${SpreadNow} tag=${d.tag} pool=${pool} route=${route} />
        <${OverTime} tag=${d.tag} pool=${pool} />
        <${Versions} tag=${d.tag} pool=${pool} route=${route} />
      </div>`, [d.tag, pool, measure]);
  const side = useMemo(() => html`<div class="side"><${Owner} d=${d} item=${item} /><${Lockstep} tag=${d.tag} pool=${pool} /><${KnownLeaks} known=${d.known_leaks} fit=${false} /></div>`, [d, item]);
  return html`
    ${d.pools.length > 1
      ? html`<div class="toolbar"><div class="segmented" role="group" aria-label=${t.pool}>
          ${d.pools.map((p) => html`<button type="button" aria-pressed=${p.pool === pool ? "true" : "false"} onClick=${() => setQuery({ pool: p.pool })}>${p.pool} \u00b7 ${bytes(p.bytes)}</button>`)}
        </div></div>`
      : null}
    <div class="split">${pictures}${side}</div>
    <section class="panel panel-flush" aria-labelledby="hosts-h">
      <div class="panel-head"><h2 id="hosts-h">${t.hostsTitle}</h2>
        <span class="files"><${ServerFile} path=${href(["tags", d.tag, "hosts"], { pool, sort })} name="hosts.csv" type="text/csv" label=${en.states.csv} /><${ServerFile} path=${href(["tags", d.tag, "hosts"], { pool, sort })} name="hosts.ndjson" type="application/x-ndjson" label=${en.states.ndjson} /></span></div>
      <${Load} resource=${list.resource} skeleton=${html`<div class="pad"><${Skeleton} rows=${4} /></div>`}
        render=${() => html`<${Table} caption=${t.hostsCaption} columns=${HOST_COLUMNS} rows=${rows} rowKey=${(/** @type {TagHost} */ h) => h.host_id} sort=${sort}
              onSort=${(/** @type {string} */ s) => setQuery({ sort: s === "-bytes" ? null : s })} compact />
            <${More} shown=${rows.length} total=${list.resource.data?.total} more=${list.more} busy=${list.busy} error=${list.error} what="hosts" />`} />
    </section>`;
}

/** @param {{ route: import("../lib/router.js").Route }} props */
export default function Tag({ route }) {
  const tag = route.params.tag;
  useTitle(t.titleOf(tag));
  const detail = /** @type {Resource<TagDetail>} */ (useResource(href(["tags", tag])));
  return html`<div class="page">
    <div class="page-head">
      <h1 tabindex="-1">${t.title} <${TagChip} tag=${tag} plain /></h1>
      <span class="muted">${detail.data?.description ? html`<${Name} value=${detail.data.description} length=${90} />` : ""}</span>
    </div>
    <${Load} resource=${detail} render=${(/** @type {TagDetail} */ d) => html`<${Body} key=${d.tag} d=${d} route=${route} />`}
      notFound=${html`<${Empty} title=${t.missing}><p>${fill(t.missingHint, { a: html`<code>${"NtFC"}</code>`, b: html`<code>${"Ntfc"}</code>`, c: html`<code>${"Ddk\u2423"}</code>` })}</p><a href="/tags">${t.allTags}</a><//>`} />
  </div>`;
}
