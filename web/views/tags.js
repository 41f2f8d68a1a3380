// Every tag of the fleet, all at once: the server sends them as columns, filter and order are made
// here while the reader types.
import { html, useMemo } from "../lib/ui.js";
import { useTitle } from "../lib/title.js";
import { useResource } from "../lib/resource.js";
import { navigate, search, setQuery, tagHref } from "../lib/router.js";
import { bytesChange, count, countShort } from "../lib/format.js";
import { rowsOf, trendValues } from "../lib/spread.js";
import { en } from "../lib/en.js";
import { sortRows } from "../components/table.js";
import { VirtualTable } from "../components/virtual_table.js";
import { SearchBox } from "../components/search.js";
import { Select } from "../components/select.js";
import { Bytes, DriverName, HostName, Name, TagChip } from "../components/names.js";
import { SeverityMark, Sparkline } from "../components/marks.js";
import { Score, Spread } from "../components/score.js";
import { CsvButton, ServerFile } from "../components/export.js";
import { Empty, Load } from "../components/states.js";

const t = en.tags;

/** The four bytes of a tag in text form. @param {string} tag */
function hexOf(tag) {
  const out = [];
  for (let i = 0; i < tag.length; i++) {
    if (tag[i] === "\\" && tag[i + 1] === "x") {
      out.push(tag.slice(i + 2, i + 4));
      i += 3;
    } else out.push(tag.charCodeAt(i).toString(16).padStart(2, "0"));
  }
  return out.join(" ");
}

/** @param {number} top @param {boolean} exact @param {boolean} hex @returns {import("../components/table.js").Column[]} */
const columns = (top, exact, hex) => {
  const size = (/** @type {number | null} */ v) => (exact ? count(v) : html`<${Bytes} value=${v} />`);
  return [
    { key: "tag", label: t.columns.tag, sort: "tag", cell: (r) => html`<${TagChip} tag=${r.tag} pool=${r.pool} />` },
    ...(hex ? [{ key: "hex", label: t.columns.hex, cell: (/** @type {any} */ r) => html`<code>${hexOf(r.tag)}</code>` }] : []),
    { key: "pool", label: t.columns.pool, sort: "pool", cell: (r) => r.pool },
    { key: "bytes", label: t.columns.bytes, sort: "bytes", number: true, hint: t.hints.bytes, cell: (r) => size(r.bytes) },
    { key: "day", label: t.columns.day, class: "wide-only", sort: "day_bytes", number: true, hint: t.hints.day, cell: (r) => html`<span title=${r.day_bytes === null ? undefined : count(r.day_bytes) + " bytes"}>${bytesChange(r.day_bytes)}</span>` },
    { key: "trend", label: t.columns.trend, class: "wide-only", hint: t.hints.trend, cell: (r) => html`<${Sparkline} values=${trendValues(r.trend)} width=${76} height=${20} label=${t.trendOf(r.tag)} />` },
    { key: "hosts", label: t.columns.hosts, class: "wide-only", sort: "hosts", number: true, cell: (r) => count(r.hosts) },
    { key: "median", label: t.columns.median, class: "wide-only roomy-only", sort: "median_bytes", number: true, hint: t.hints.median, cell: (r) => size(r.median_bytes) },
    { key: "p99", label: t.columns.p99, class: "wide-only roomy-only", sort: "p99_bytes", number: true, hint: t.hints.p99, cell: (r) => size(r.p99_bytes) },
    { key: "max", label: t.columns.max, class: "wide-only", sort: "max_bytes", number: true, cell: (r) => size(r.max_bytes) },
    { key: "on", label: t.columns.on, class: "wide-only", cell: (r) => (r.max_host_id ? html`<${HostName} id=${r.max_host_id} name=${r.max_host_name} length=${16} />` : null) },
    { key: "score", label: t.columns.score, class: "wide-only", sort: "max_score", number: true, hint: t.hints.score, cell: (r) => html`<${Score} value=${r.max_score} bytes=${r.max_bytes} peers=${r.median_bytes} />` },
    { key: "spread", label: t.columns.spread, class: "wide-only", hint: t.hints.spread, cell: (r) => html`<${Spread} median=${r.median_bytes} p99=${r.p99_bytes} max=${r.max_bytes} top=${top} out=${r.findings > 0} />` },
    { key: "blocks", label: t.columns.blocks, class: "wide-only roomy-only", sort: "outstanding", number: true, hint: t.hints.blocks, cell: (r) => (exact ? count(r.outstanding) : countShort(r.outstanding)) },
    { key: "findings", label: t.columns.findings, sort: "findings", cell: (r) => (r.findings ? html`<a href=${"/findings" + search({ tag: r.tag })} class=${"badge badge-" + (r.worst_severity ?? "warning")}><${SeverityMark} severity=${r.worst_severity ?? "warning"} size=${12} label=${false} />${t.findings(r.findings)}</a>` : null) },
    { key: "owner", label: t.columns.owner, sort: "driver", class: "clip wide-only", cell: (r) => html`${r.driver || !r.description ? html`<${DriverName} name=${r.driver} length=${28} />${" "}` : null}${r.description ? html`<span class="muted"><${Name} value=${r.description} length=${44} /></span>` : null}` },
  ];
};

const HEAD = ["tag", "pool", "hosts", "bytes", "median_bytes", "p99_bytes", "max_bytes", "max_host_name", "outstanding", "day_bytes", "max_score", "driver", "description", "findings"];

/** What a search looks into. @param {any} r */
const searchText = (r) => `${r.tag}\n${r.driver ?? ""}\n${r.description ?? ""}`.toLowerCase();

/** @param {{ data: TagTable, route: import("../lib/router.js").Route, q: string }} props */
function List({ data, route, q }) {
  const pool = route.query.get("pool") ?? "";
  const sort = route.query.get("sort") ?? "-bytes";
  const exact = route.query.get("sizes") === "exact";
  const hex = route.query.get("hex") === "yes";
  const all = useMemo(() => rowsOf(data.columns).map((r) => ({ ...r, text: searchText(r) })), [data]);
  const top = useMemo(() => all.reduce((m, r) => Math.max(m, r.max_bytes ?? 0), 1024 ** 3), [all]);
  // Ordered once and filtered often: typing must not sort.
  const ordered = useMemo(() => {
    const field = sort.replace(/^-/, "");
    return sortRows(all, sort, { [field]: (r) => r[field] });
  }, [all, sort]);
  const rows = useMemo(() => {
    const low = q.toLowerCase();
    return ordered.filter((r) => (!pool || r.pool === pool) && (!low || r.text.includes(low)));
  }, [ordered, q, pool]);
  if (!all.length) return html`<${Empty} title=${t.none}>${t.noneHint}<//>`;
  const query = search({ q, pool, sort });
  return html`
    <div class="toolbar toolbar-tight">
      <span class="muted" role="status">${count(rows.length)} ${q || pool ? t.found : t.inFleet}</span>
      <label class="check"><input type="checkbox" checked=${hex} onChange=${(/** @type {any} */ e) => setQuery({ hex: e.target.checked ? "yes" : null })} /> ${t.hexOn}</label>
      <${Select} label=${t.units} value=${exact ? "exact" : ""} options=${[["", t.short], ["exact", t.exact]]} onChange=${(/** @type {string} */ v) => setQuery({ sizes: v })} />
      <span class="push"></span>
      <${CsvButton} name="tags" head=${HEAD} rows=${() => rows.map((r) => HEAD.map((h) => r[h]))} />
      <${ServerFile} path=${"/tags" + query} name="tags.ndjson" type="application/x-ndjson" label=${en.states.ndjson} />
    </div>
    ${rows.length
      ? html`<section class="panel panel-flush"><${VirtualTable} caption=${t.caption} columns=${columns(top, exact, hex)} rows=${rows} rowKey=${(/** @type {any} */ r) => r.tag + " " + r.pool} sort=${sort}
          onSort=${(/** @type {string} */ v) => setQuery({ sort: v === "-bytes" ? null : v })} onOpen=${(/** @type {any} */ r) => navigate(tagHref(r.tag, r.pool))} /></section>`
      : html`<${Empty} title=${t.noMatch}>${t.noMatchHint}<br /><a href="/tags">${t.showAll}</a><//>`}`;
}

/** @param {{ route: import("../lib/router.js").Route }} props */
export default function Tags({ route }) {
  useTitle(t.title);
  const inUrl = route.query.get("q") ?? "";
  const pool = route.query.get("pool") ?? "";
  const table = /** @type {Resource<TagTable>} */ (useResource("/tag-table"));
  return html`<div class="page">
    <div class="page-head"><h1 tabindex="-1">${t.title}</h1></div>
    <div class="toolbar">
      <${SearchBox} label=${t.search} value=${inUrl} onSearch=${(/** @type {string} */ v) => setQuery({ q: v })} wait=${60} />
      <${Select} label=${t.pool} value=${pool} options=${[["", t.pools.both], ["nonpaged", t.pools.nonpaged], ["paged", t.pools.paged]]} onChange=${(/** @type {string} */ v) => setQuery({ pool: v })} />
    </div>
    <${Load} resource=${table} render=${(/** @type {TagTable} */ data) => html`<${List} data=${data} route=${route} q=${inUrl} />`} />
  </div>`;
}
