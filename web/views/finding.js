// One finding with all its evidence, and what people decided about it.
import { html, useMemo } from "../lib/ui.js";
import { useTitle } from "../lib/title.js";
import { useResource } from "../lib/resource.js";
import { ago, count, parseTime, percent, rate, timeLeft, UNKNOWN, utcTime } from "../lib/format.js";
import { href, setQuery } from "../lib/router.js";
import { LIMIT, SOURCE } from "../lib/words.js";
import { visible } from "../lib/text.js";
import { en } from "../lib/en.js";
import { Score } from "../components/score.js";
import { CsvButton } from "../components/export.js";
import { sortRows, Table } from "../components/table.js";
import { Bytes, DriverName, DriverNames, HostName, Name, TagChip, Time } from "../components/names.js";
import { KindBadge, SeverityBadge, SeverityMark, Sparkline } from "../components/marks.js";
import { Empty, Load } from "../components/states.js";
import { growth, LifeBadges, soonest } from "../components/finding_item.js";
import { KnownLeaks } from "../components/known_leaks.js";
import { ApiLink } from "../components/api_link.js";
import { Why } from "../components/finding_cause.js";
import { FixPanel } from "../components/finding_fix.js";
import { ForecastPanel } from "../components/finding_forecast.js";
import { LifeCycle } from "../components/finding_life.js";
import { MutesPanel } from "../components/mute_scope.js";
import { ReportPanel } from "../components/finding_report.js";
import { EvidencePanel, seriesPath, SeriesPanel } from "../components/finding_series.js";

const t = en.finding;
const HOSTS_SHOWN = 100;
const OLD_MS = 6 * 3600000; // six hours without a pass that saw it: say so

/**
 * @param {Finding} f @param {FindingSeries | null} series
 * @returns {import("../components/table.js").Column[]}
 */
function hostColumns(f, series) {
  const h = t.hosts;
  const lines = new Map(series?.hosts.map((x) => [x.id, x.bytes]) ?? []);
  return [
    { key: "name", label: h.name, sort: "name", cell: (x) => html`<${HostName} id=${x.id} name=${x.name} simulated=${x.simulated} />${x.muted_by ? html` <span class="badge badge-status-muted">${h.muted}</span>` : null}` },
    { key: "trend", label: h.trend, cell: (x) => html`<${Sparkline} t=${series?.t} values=${lines.get(x.id)} width=${96} height=${26} label=${lines.has(x.id) ? h.of(f.tag, visible(x.name ?? x.id)) : ""} />` },
    { key: "bytes", label: f.tags.length > 1 ? h.holdsAll(f.tags.length) : h.holds, sort: "bytes", number: true, cell: (x) => html`<${Bytes} value=${x.bytes} />` },
    { key: "cohort", label: h.peers, sort: "cohort", number: true, hint: h.peersHint, cell: (x) => html`<span title=${x.cohort_hosts ? `${x.cohort_hosts} peers` : undefined}><${Bytes} value=${x.cohort_bytes} /></span>` },
    { key: "score", label: h.score, sort: "score", number: true, hint: h.scoreHint(f.tag), cell: (x) => html`<${Score} value=${x.score} bytes=${x.bytes} peers=${x.cohort_bytes} hosts=${x.cohort_hosts} />` },
    { key: "rate", label: h.growth, sort: "rate", number: true, cell: (x) => (x.rate_bytes_per_hour === 0 ? t.stats.none : rate(x.rate_bytes_per_hour)) },
    { key: "since", label: h.since, sort: "since", class: "nowrap", cell: (x) => html`<${Time} value=${x.since} />` },
    { key: "left", label: h.left, sort: "left", number: true, cell: (x) => {
      const left = timeLeft(x.exhausts_at);
      return left ? html`<span class=${left.soon ? "soon" : ""} title=${"median " + utcTime(left.at)}>${left.text}</span>` : html`<span class="muted">${h.noLimit}</span>`;
    } },
    { key: "limit", label: h.until, cell: (x) => html`<span class="muted">${x.limit ? LIMIT[x.limit] ?? x.limit : ""}</span>` },
    { key: "process", label: h.process, cell: (x) => (x.process ? html`<${Name} value=${x.process} length=${28} />${x.process_handles != null ? html` <span class="muted">${h.handles(count(x.process_handles))}</span>` : null}` : html`<span class="unknown">${UNKNOWN}</span>`) },
    { key: "api", label: t.api, cell: (x) => html`<${ApiLink} path=${href(["hosts", x.id, "tags", f.tag, "series"], { pool: f.pool })} what=${h.of(f.tag, visible(x.name ?? x.id))} />` },
  ];
}

/** Tags with what stands of each for one of the first mover's allocations. @param {{ f: Finding }} props */
function Lockstep({ f }) {
  const l = t.lockstep;
  if (!f.tags_detail?.length) return null;
  return html`<section class="panel" aria-labelledby="tags-h"><div class="panel-head"><h2 id="tags-h">${l.title}</h2><${ApiLink} path=${href(["findings", f.id])} what=${l.title} /></div>
    ${f.tags_detail.length > 1 ? html`<p class="muted small">${l.hint}</p>` : null}
    <ul class="taglist">${f.tags_detail.slice(0, 20).map((x, i) => html`<li><${TagChip} tag=${x.tag} pool=${f.pool} /> <span>${i === 0 && f.tags.length > 1
      ? html`<span class="badge">${l.first}</span> `
      : x.ratio != null && f.tags.length > 1 ? html`<b class="number" title=${l.ratioHint(x.ratio_hosts ?? 0)}>${l.ratio(x.ratio >= 100 ? x.ratio.toFixed(0) : x.ratio.toFixed(3))}</b> ` : null}<${DriverName} name=${x.driver} none=${l.unknown} /> <span class="muted"><${Name} value=${x.description} none="" length=${80} /></span></span></li>`)}</ul></section>`;
}

/** @param {{ f: Finding }} props */
function Stats({ f }) {
  const first = soonest(f.hosts);
  const grow = growth(f.hosts);
  const s = t.stats;
  return html`<dl class="stats">
    <div><dt>${s.hosts}</dt><dd><a href="#hosts-h">${count(f.host_count)}</a></dd></div>
    <div><dt>${s.growth}</dt><dd>${grow && grow.median > 0 ? rate(grow.median) : html`<small>${s.none}</small>`}</dd></div>
    <div><dt>${s.first}</dt><dd>${first ? html`<span class=${first.left.soon ? "soon" : ""}>${first.left.text}</span> <small><${HostName} id=${first.host.id} name=${first.host.name} length=${24} /></small>` : html`<small>${s.noLimit}</small>`}</dd></div>
    <div><dt>${s.confidence}</dt><dd>${percent(f.confidence)}</dd></div>
    <div><dt>${s.owner}</dt><dd>${f.owner?.driver ? html`<${DriverNames} names=${f.owner.driver} /> <small>${SOURCE[f.owner.source ?? ""] ?? ""}</small>` : html`<small>${s.unknown}</small>`}</dd></div>
  </dl>`;
}

const FILE_HEAD = ["id", "name", "bytes", "cohort_bytes", "score", "rate_bytes_per_hour", "since", "exhausts_p10", "exhausts_p50", "exhausts_p90", "limit"];
/** A host with its forecast, as FILE_HEAD. @param {FindingHost} h */
const fileRow = (h) => [h.id, h.name, h.bytes, h.cohort_bytes, h.score, h.rate_bytes_per_hour, h.since, h.exhausts_at?.p10, h.exhausts_at?.p50, h.exhausts_at?.p90, h.limit].map((v) => v ?? null);

/** @param {{ f: Finding, route: import("../lib/router.js").Route, series: FindingSeries | null }} props */
function Hosts({ f, route, series }) {
  const sort = route.query.get("sort") ?? "";
  const whole = route.query.get("all") === "yes";
  const hosts = useMemo(
    () => sortRows(f.hosts, sort, { name: (h) => h.name, bytes: (h) => h.bytes, cohort: (h) => h.cohort_bytes, score: (h) => h.score, rate: (h) => h.rate_bytes_per_hour, since: (h) => h.since, left: (h) => h.exhausts_at?.p50 }),
    [f, sort],
  );
  const columns = useMemo(() => hostColumns(f, series), [f, series]);
  return html`<section class="panel panel-flush" aria-labelledby="hosts-h">
    <div class="panel-head"><h2 id="hosts-h" tabindex="-1">${t.hosts.title}</h2><span class="muted">${hosts.length < f.host_count ? t.hosts.some(count(hosts.length), count(f.host_count)) : count(f.host_count)}${f.muted_hosts ? `, ${t.hosts.mutedSome(f.muted_hosts)}` : ""}</span>
      ${hosts.length ? html`<span class="push"><${CsvButton} name=${`${f.id}-hosts`} label=${en.states.csv} head=${FILE_HEAD} rows=${() => hosts.map(fileRow)} /></span>` : null}</div>
    ${hosts.length
      ? html`<${Table} caption=${t.hosts.caption} columns=${columns} rows=${whole ? hosts : hosts.slice(0, HOSTS_SHOWN)} rowKey=${(/** @type {FindingHost} */ h) => h.id} sort=${sort} onSort=${(/** @type {string} */ s) => setQuery({ sort: s })} compact />`
      : html`<div class="pad"><${Empty} title=${t.hosts.none} /></div>`}
    ${hosts.length > HOSTS_SHOWN && !whole ? html`<div class="more"><button type="button" class="button button-small" onClick=${() => setQuery({ all: "yes" })}>${t.hosts.showAll(count(hosts.length))}</button></div>` : null}
  </section>`;
}

/** @param {{ f: Finding, session: Session, route: import("../lib/router.js").Route, reload: () => void }} props */
function Body({ f, session, route, reload }) {
  const series = /** @type {Resource<FindingSeries>} */ (useResource(seriesPath(f), { every: 300000 }));
  const may = session.role === "operator" || session.role === "admin";
  const seen = parseTime(f.last_seen);
  return html`
    <div class="chips">
      <${SeverityBadge} severity=${f.severity} /><${KindBadge} kind=${f.kind} /><${LifeBadges} f=${f} />
      ${f.tags.slice(0, 12).map((x) => html`<${TagChip} key=${x} tag=${x} pool=${f.pool} />`)}${f.tags.length > 12 ? html`<span class="muted">+${f.tags.length - 12}</span>` : null}
      <span class="muted">${t.poolBegan(f.pool)} <${Time} value=${f.first_seen} as="ago" />, ${t.lastSeen} <${Time} value=${f.last_seen} as="ago" /></span>
    </div>
    ${f.status !== "resolved" && seen !== null && Date.now() - seen > OLD_MS ? html`<p class="stale" role="status"><${SeverityMark} severity="warning" size=${14} label=${false} /> ${t.old(ago(f.last_seen).replace(/ ago$/, ""))}</p>` : null}
    <${Stats} f=${f} />
    <div class="split">
      <div class="page">
        <${Why} f=${f} />
        <${SeriesPanel} f=${f} series=${series} />
        <${ForecastPanel} f=${f} />
        <${FixPanel} f=${f} />
        <${KnownLeaks} known=${f.known_leaks} />
        <${EvidencePanel} f=${f} />
      </div>
      <div class="side">
        <${LifeCycle} f=${f} session=${session} reload=${reload} />
        <${MutesPanel} f=${f} may=${may} reload=${reload} />
        <${ReportPanel} f=${f} session=${session} />
        <${Lockstep} f=${f} />
      </div>
    </div>
    <${Hosts} f=${f} route=${route} series=${series.data} />`;
}

/** @param {{ route: import("../lib/router.js").Route, session: Session }} props */
export default function FindingView({ route, session }) {
  const detail = /** @type {Resource<Finding>} */ (useResource(href(["findings", route.params.id])));
  const f = detail.data;
  useTitle(f ? visible(f.summary) : t.title);
  return html`<div class="page">
    <h1 tabindex="-1" class="finding-h1">${f ? visible(f.summary) : t.title}</h1>
    <${Load} resource=${detail} render=${(/** @type {Finding} */ x) => html`<${Body} key=${x.id} f=${x} session=${session} route=${route} reload=${detail.reload} />`}
      notFound=${html`<${Empty} title=${t.notFound}><a href="/findings">${t.all}</a><//>`} />
  </div>`;
}
