// One driver: its versions, where they are, which of them leak.
import { html } from "../lib/ui.js";
import { useTitle } from "../lib/title.js";
import { useResource } from "../lib/resource.js";
import { visible } from "../lib/text.js";
import { count, countShort, rate } from "../lib/format.js";
import { href } from "../lib/router.js";
import { Chart } from "../components/chart.js";
import { Table } from "../components/table.js";
import { Name, TagChip, Time } from "../components/names.js";
import { FileHash, TagsInside } from "../components/driver_file.js";
import { Meter } from "../components/marks.js";
import { Empty, Load } from "../components/states.js";

const LINES_MAX = 8;

/** Versions of which most hosts are in findings stand out, the widest is the accent, the others are grey and told apart by dashes. @param {DriverDetail} d */
function adoptionLines(d) {
  const bad = new Set(d.versions.filter((v) => v.hosts_in_findings * 2 >= Math.max(1, v.hosts)).map((v) => v.version));
  const last = (/** @type {number[]} */ values) => values[values.length - 1] ?? 0;
  let plain = 0;
  return Object.entries(d.adoption.versions)
    .sort((a, b) => last(b[1]) - last(a[1]))
    .slice(0, LINES_MAX)
    .map(([version, values]) => {
      if (bad.has(version)) return { label: visible(version) + " (in findings)", values, color: "--critical", width: 2 };
      const n = plain++;
      return { label: visible(version), values, color: n === 0 ? "--chart-1" : n % 2 ? "--chart-2" : "--chart-3", width: 2, dash: n > 1 ? [6, 2 + 2 * n] : undefined };
    });
}

/** @type {import("../components/table.js").Column[]} */
const COLUMNS = [
  { key: "version", label: "Version", class: "nowrap", cell: (v) => html`<b><${Name} value=${v.version} length=${40} /></b>` },
  { key: "hosts", label: "Hosts", number: true, cell: (v) => count(v.hosts) },
  { key: "bad", label: "In findings", cell: (v) => html`<span class="with-counts"><${Meter} value=${v.hosts_in_findings} max=${v.hosts} label="Hosts in findings" tone=${v.hosts_in_findings * 2 >= Math.max(1, v.hosts) ? "critical" : "plain"} /><span class="number">${count(v.hosts_in_findings)}</span></span>` },
  { key: "leak", label: "Growth there", number: true, hint: "Growth in the findings of hosts with this version", cell: (v) => (v.leak_bytes_per_hour ? html`${rate(v.leak_bytes_per_hour)}` : html`<span class="muted">none seen</span>`) },
  { key: "first", label: "First seen", class: "nowrap", cell: (v) => html`<${Time} value=${v.first_seen} as="day" />` },
  { key: "last", label: "Last seen", class: "nowrap", cell: (v) => html`<${Time} value=${v.last_seen} as="day" />` },
];

/** @type {import("../components/table.js").Column[]} */
const FILE_COLUMNS = [
  { key: "version", label: "Version", class: "nowrap", cell: (f) => html`<${Name} value=${f.version} length=${40} />${f.several ? html` <span class="badge badge-warning" title="Several files carry this version">one of ${f.several}</span>` : null}` },
  { key: "hash", label: "File", class: "nowrap", cell: (f) => html`<${FileHash} sha256=${f.sha256} symbols=${f.symbols} />` },
  { key: "symbols", label: "Symbols", cell: (f) => html`<${Name} value=${f.symbols} length=${48} />` },
  { key: "hosts", label: "Hosts", number: true, cell: (f) => count(f.hosts) },
  { key: "tags", label: "Tags inside", cell: (f) => html`<${TagsInside} tags=${f.tags} scanned=${f.scanned} most=${12} />` },
  { key: "first", label: "First seen", class: "nowrap", cell: (f) => html`<${Time} value=${f.first_seen} as="day" />` },
];

/** Builds by the hash of their file, under the versions they carry. @param {{ driver: DriverDetail }} props */
function Files({ driver }) {
  const rows = driver.versions.flatMap((v) => v.files.map((f) => ({ ...f, version: v.version, several: v.files.length > 1 ? v.files.length : 0 })));
  if (!rows.length) return null;
  return html`<section class="panel panel-flush" aria-labelledby="files-h">
    <div class="panel-head"><h2 id="files-h">Builds</h2><span class="muted">each is searched for tags once in the fleet</span></div>
    <${Table} caption="Builds" columns=${FILE_COLUMNS} rows=${rows} rowKey=${(/** @type {any} */ f) => `${f.sha256} ${f.version}`} compact />
    ${rows.some((f) => f.several) ? html`<p class="muted small pad-all">Different files with the same name and version: compare hosts by file, not by version.</p>` : null}
  </section>`;
}

/** @param {{ route: import("../lib/router.js").Route }} props */
export default function Driver({ route }) {
  const name = route.params.name;
  useTitle(visible(name));
  const detail = /** @type {Resource<DriverDetail>} */ (useResource(href(["drivers", name])));
  return html`<div class="page">
    <div class="page-head"><h1 tabindex="-1"><${Name} value=${name} length=${80} /></h1>${detail.data?.company ? html`<span class="muted"><${Name} value=${detail.data.company} length=${80} /></span>` : null}${detail.data?.product ? html`<span class="muted"><${Name} value=${detail.data.product} length=${80} /></span>` : null}</div>
    <${Load} resource=${detail}
      notFound=${html`<${Empty} title="No host reports this driver"><a href="/drivers">All drivers</a><//>`}
      render=${(/** @type {DriverDetail} */ d) => html`
        ${d.tags.length ? html`<div class="chips"><span class="muted">Tags found inside</span>${d.tags.slice(0, 60).map((t) => html`<${TagChip} key=${t} tag=${t} />`)}</div>` : null}
        <section class="panel panel-flush" aria-labelledby="ver-h">
          <div class="panel-head"><h2 id="ver-h">Versions</h2></div>
          ${d.versions.length
            ? html`<${Table} caption="Versions" columns=${COLUMNS} rows=${d.versions} rowKey=${(/** @type {any} */ v) => String(v.version)} />`
            : html`<${Empty} title="No version is known"><//>`}
          <p class="muted small pad-all">Hosts in findings run this version; it need not be the cause. A finding says what separates its hosts from the others.</p>
        </section>
        <${Files} driver=${d} />
        ${d.adoption && d.adoption.t.length > 1
          ? html`<section class="panel" aria-labelledby="ado-h"><h2 id="ado-h">Hosts per version, by day</h2>
              <${Chart} t=${d.adoption.t} height=${220} format=${(/** @type {number | null} */ n) => countShort(n)} label="Hosts per version by day"
                lines=${adoptionLines(d)} /></section>`
          : null}`} />
  </div>`;
}
