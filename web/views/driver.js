// One driver: its versions in order, which of them leak and which do not, who has them, its tags.
import { html } from "../lib/ui.js";
import { useTitle } from "../lib/title.js";
import { useResource } from "../lib/resource.js";
import { useList } from "../lib/lists.js";
import { visible } from "../lib/text.js";
import { bytes, count, duration, rate } from "../lib/format.js";
import { href, setQuery } from "../lib/router.js";
import { explainHref } from "../lib/spread.js";
import { KIND } from "../lib/words.js";
import { en } from "../lib/en.js";
import { Adoption, adoptionParts } from "../components/adoption.js";
import { Box } from "../components/boxes.js";
import { CsvButton, ServerFile } from "../components/export.js";
import { Table } from "../components/table.js";
import { FindingLink, HostName, Name, TagChip, Time } from "../components/names.js";
import { FileHash, TagsInside } from "../components/driver_file.js";
import { KnownLeaks } from "../components/known_leaks.js";
import { Meter, SeverityMark } from "../components/marks.js";
import { Select } from "../components/select.js";
import { Empty, Load } from "../components/states.js";
import { More } from "../components/more.js";

const t = en.drivers;

/** @param {string} name @param {number} top @returns {import("../components/table.js").Column[]} */
const versionColumns = (name, top) => [
  { key: "version", label: t.detail.version, class: "nowrap", cell: (v) => html`<b><${Name} value=${v.version} length=${40} /></b>` },
  { key: "hosts", label: t.detail.hosts, number: true, cell: (v) => count(v.hosts) },
  { key: "blamed", label: t.detail.blamed, cell: (v) => html`<span class="with-counts"><${Meter} value=${v.hosts_blamed} max=${v.hosts} label=${t.detail.blamed} tone=${v.verdict === "bad" ? "critical" : "plain"} /><span class="number">${count(v.hosts_blamed)}</span></span>` },
  { key: "verdict", label: t.detail.verdict, class: "nowrap", cell: (v) => html`<span class=${"judged judged-" + v.verdict}>${v.verdict === "bad" || v.verdict === "good" ? html`<${SeverityMark} severity=${v.verdict === "bad" ? "critical" : "ok"} size=${12} label=${false} /> ` : null}${t.verdicts[/** @type {"bad"} */ (v.verdict)]}</span>` },
  { key: "growth", label: t.detail.growth, hint: t.growthHint, cell: (v) => html`<${Box} s=${v.growth} top=${top} format=${rate} tone=${v.verdict === "bad" ? "box-bad" : ""} />` },
  { key: "median", label: t.detail.median, number: true, cell: (v) => rate(v.growth.median) },
  { key: "range", label: t.detail.range, number: true, class: "nowrap", cell: (v) => (v.growth.median_low === null ? html`<span class="muted">${t.verdicts.few}</span>` : `${rate(v.growth.median_low)} \u2013 ${rate(v.growth.median_high)}`) },
  { key: "first", label: t.detail.first, class: "nowrap", cell: (v) => html`<${Time} value=${v.first_seen} as="day" />` },
  { key: "last", label: t.detail.last, class: "nowrap", cell: (v) => html`<${Time} value=${v.last_seen} as="day" />` },
  { key: "go", label: "", cell: (v) => (v.hosts ? html`<a class="small" href=${explainHref({ having: `driver/${name}=${v.version ?? ""}` })}>${t.explain}</a>` : null) },
];

/** @param {{ d: DriverDetail }} props */
function Range({ d }) {
  const r = d.range;
  const one = (/** @type {string} */ label, /** @type {string | null} */ value, tone = "") => html`<div><dt>${label}</dt><dd class=${tone}>${value === null ? html`<span class="unknown">${t.notKnown}</span>` : html`<${Name} value=${value} length=${32} />`}</dd></div>`;
  return html`<section class="panel" aria-labelledby="range-h"><h2 id="range-h" class="offscreen">${t.firstBad}</h2>
    <dl class="pairs pairs-text">${one(t.lastGood, r.last_good_before)}${one(t.firstBad, r.first_bad, r.first_bad === null ? "" : "text-bad")}${r.last_bad !== r.first_bad ? one(t.lastBad, r.last_bad) : null}${one(t.firstGood, r.first_good)}</dl>
    ${r.note ? html`<p class="small muted">${r.note}</p>` : null}
    ${d.findings.length ? html`<p class="small">${t.findings}: ${d.findings.map((f, i) => html`${i ? ", " : ""}<${FindingLink} id=${f.id}>${/** @type {Record<string, string>} */ (KIND)[f.kind] ?? f.kind}, ${f.pool} <code>${visible(f.tag)}</code><//> (${f.cause ? t.asCause : t.asOwner})`)}</p>` : null}</section>`;
}

/** @type {import("../components/table.js").Column[]} */
const FILE_COLUMNS = [
  { key: "version", label: t.fileColumns.version, class: "nowrap", cell: (f) => html`<${Name} value=${f.version} length=${40} />${f.several ? html` <span class="badge badge-warning" title=${t.oneOfWhy}>${t.oneOf(f.several)}</span>` : null}` },
  { key: "hash", label: t.fileColumns.hash, class: "nowrap", cell: (f) => html`<${FileHash} sha256=${f.sha256} symbols=${f.symbols} />` },
  { key: "symbols", label: t.fileColumns.symbols, cell: (f) => html`<${Name} value=${f.symbols} length=${48} />` },
  { key: "hosts", label: t.fileColumns.hosts, number: true, cell: (f) => count(f.hosts) },
  { key: "tags", label: t.fileColumns.tags, cell: (f) => html`<${TagsInside} tags=${f.tags} scanned=${f.scanned} most=${12} />` },
  { key: "first", label: t.fileColumns.first, class: "nowrap", cell: (f) => html`<${Time} value=${f.first_seen} as="day" />` },
];

/** Builds by the hash of their file, under the versions they carry. @param {{ driver: DriverDetail }} props */
function Files({ driver }) {
  const rows = driver.versions.flatMap((v) => v.files.map((f) => ({ ...f, version: v.version, several: v.files.length > 1 ? v.files.length : 0 })));
  if (!rows.length) return null;
  return html`<section class="panel panel-flush" aria-labelledby="files-h">
    <div class="panel-head"><h2 id="files-h">${t.builds}</h2><span class="muted">${t.buildsHint}</span></div>
    <${Table} caption=${t.builds} columns=${FILE_COLUMNS} rows=${rows} rowKey=${(/** @type {any} */ f) => `${f.sha256} ${f.version}`} compact />
    ${rows.some((f) => f.several) ? html`<p class="muted small pad-all">${t.several}</p>` : null}
  </section>`;
}

/** @param {{ d: DriverDetail }} props */
function Tags({ d }) {
  if (!d.tags_detail.length) return null;
  return html`<section class="panel panel-flush" aria-labelledby="dtags-h"><div class="panel-head"><h2 id="dtags-h">${t.tags}</h2></div>
    <${Table} caption=${t.tags} compact rows=${d.tags_detail} rowKey=${(/** @type {any} */ x) => x.tag} columns=${[
      { key: "tag", label: t.tagColumns.tag, cell: (/** @type {any} */ x) => html`<${TagChip} tag=${x.tag} />` },
      { key: "why", label: t.tagColumns.why, cell: (/** @type {any} */ x) => [x.listed ? t.listed : "", x.scanned ? t.scannedTag : ""].filter(Boolean).join(", ") },
      { key: "others", label: t.tagColumns.others, cell: (/** @type {any} */ x) => t.driversOf(x.drivers) },
      { key: "counted", label: t.tagColumns.counted, cell: (/** @type {any} */ x) => (x.counted ? t.yes : t.no) },
      { key: "meaning", label: t.tagColumns.meaning, class: "clip muted", cell: (/** @type {any} */ x) => html`<${Name} value=${x.description} length=${70} none="" />` },
    ]} /></section>`;
}

/** @type {import("../components/table.js").Column[]} */
const HOST_COLUMNS = [
  { key: "name", label: t.hostColumns.name, sort: "name", cell: (h) => html`${h.finding_id ? html`<${SeverityMark} severity="warning" size=${12} />${" "}` : null}<${HostName} id=${h.host_id} name=${h.name} simulated=${h.simulated} />` },
  { key: "version", label: t.hostColumns.version, sort: "version", class: "nowrap", cell: (h) => html`<${Name} value=${h.version} length=${32} />` },
  { key: "since", label: t.hostColumns.since, sort: "since", class: "nowrap", cell: (h) => html`<${Time} value=${h.since} as="day" />` },
  { key: "bytes", label: t.hostColumns.bytes, sort: "bytes", number: true, cell: (h) => bytes(h.bytes) },
  { key: "rate", label: t.hostColumns.rate, sort: "rate", number: true, hint: t.growthHint, cell: (h) => rate(h.rate) },
  { key: "up", label: t.hostColumns.up, sort: "uptime_seconds", number: true, cell: (h) => duration(h.uptime_seconds) },
  { key: "role", label: t.hostColumns.role, sort: "role", cell: (h) => html`<${Name} value=${h.role} length=${24} />` },
  { key: "build", label: t.hostColumns.build, sort: "os_build", class: "nowrap", cell: (h) => html`<${Name} value=${h.os_build} length=${20} />` },
];

/** @param {{ d: DriverDetail, route: import("../lib/router.js").Route }} props */
function Hosts({ d, route }) {
  const version = route.query.get("version") ?? "";
  const sort = route.query.get("sort") ?? "-rate";
  const path = (/** @type {number | null} */ limit) => href(["drivers", d.name, "hosts"], { version, sort, limit });
  const list = useList(path(50));
  return html`<section class="panel panel-flush" aria-labelledby="dhosts-h">
    <div class="panel-head"><h2 id="dhosts-h">${t.hostsTitle}</h2>
      <${Select} label=${t.detail.version} value=${version} options=${[["", t.allVersions], ...d.versions.filter((v) => v.hosts && v.version).map((v) => [v.version, visible(v.version)])]} onChange=${(/** @type {string} */ v) => setQuery({ version: v })} />
      <span class="files"><${ServerFile} path=${path(null)} name="driver-hosts.csv" type="text/csv" label=${en.states.csv} /><${ServerFile} path=${path(null)} name="driver-hosts.ndjson" type="application/x-ndjson" label=${en.states.ndjson} /></span></div>
    <${Load} resource=${list.resource} render=${() => html`
      <${Table} caption=${t.hostsTitle} columns=${HOST_COLUMNS} rows=${list.items} rowKey=${(/** @type {any} */ h) => h.host_id} sort=${sort} onSort=${(/** @type {string} */ s) => setQuery({ sort: s === "-rate" ? null : s })} compact />
      <${More} shown=${list.items.length} total=${list.resource.data?.total} more=${list.more} busy=${list.busy} error=${list.error} what="hosts" />`} />
  </section>`;
}

/** @param {{ d: DriverDetail, route: import("../lib/router.js").Route }} props */
function Body({ d, route }) {
  const top = Math.max(1, ...d.versions.map((v) => v.growth.max ?? 0));
  const newest = d.versions.slice().reverse();
  const day = (/** @type {number} */ s) => new Date(s * 1000).toISOString().slice(0, 10);
  const parts = adoptionParts(d);
  return html`
    <${Range} d=${d} />
    <section class="panel panel-flush" aria-labelledby="ver-h">
      <div class="panel-head"><h2 id="ver-h">${t.versions}</h2>
        <${CsvButton} name="driver-versions" head=${["version", "hosts", "hosts_blamed", "blamed_low", "blamed_high", "verdict", "growth_hosts", "growth_q1", "growth_median", "growth_q3", "median_low", "median_high"]}
          rows=${() => newest.map((v) => [v.version, v.hosts, v.hosts_blamed, v.blamed_low, v.blamed_high, v.verdict, v.growth.hosts, v.growth.q1, v.growth.median, v.growth.q3, v.growth.median_low, v.growth.median_high])} /></div>
      ${newest.length
        ? html`<${Table} caption=${t.versions} columns=${versionColumns(d.name, top)} rows=${newest} rowKey=${(/** @type {any} */ v) => String(v.version)} />`
        : html`<${Empty} title=${t.noVersion}><//>`}
      <p class="muted small pad-all">${t.caveat}</p>
    </section>
    <${KnownLeaks} known=${d.known_leaks} fit=${false} />
    ${d.adoption && d.adoption.t.length > 1
      ? html`<section class="panel" aria-labelledby="ado-h"><h2 id="ado-h">${t.adoption}</h2><${Adoption} d=${d} />
          <details class="twin"><summary>${t.asTable}</summary><${Table} caption=${t.adoption} compact rows=${d.adoption.t.map((s, i) => ({ s, i }))} rowKey=${(/** @type {any} */ r) => String(r.s)}
            columns=${[{ key: "day", label: t.day, class: "nowrap", cell: (/** @type {any} */ r) => day(r.s) }, ...parts.map((p) => ({ key: p.name, label: visible(p.name), number: true, cell: (/** @type {any} */ r) => count(p.values[r.i]) }))]} /></details>
          <${CsvButton} name="driver-adoption" head=${["day", ...Object.keys(d.adoption.versions)]} rows=${() => d.adoption.t.map((s, i) => [day(s), ...Object.values(d.adoption.versions).map((v) => v[i])])} /></section>`
      : null}
    <${Hosts} d=${d} route=${route} />
    <${Tags} d=${d} />
    <${Files} driver=${d} />`;
}

/** @param {{ route: import("../lib/router.js").Route }} props */
export default function Driver({ route }) {
  const name = route.params.name;
  useTitle(visible(name));
  const detail = /** @type {Resource<DriverDetail>} */ (useResource(href(["drivers", name])));
  return html`<div class="page">
    <div class="page-head"><h1 tabindex="-1"><${Name} value=${name} length=${80} /></h1>${detail.data?.company ? html`<span class="muted"><${Name} value=${detail.data.company} length=${80} /></span>` : null}${detail.data?.product ? html`<span class="muted"><${Name} value=${detail.data.product} length=${80} /></span>` : null}</div>
    <${Load} resource=${detail}
      notFound=${html`<${Empty} title=${t.missing}><a href="/drivers">${t.allDrivers}</a><//>`}
      render=${(/** @type {DriverDetail} */ d) => html`<${Body} key=${d.name} d=${d} route=${route} />`} />
  </div>`;
}
