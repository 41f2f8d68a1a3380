// One host at any moment of its history: time bar, memory, what fills the pools, the poolmon table,
// boots over one another, comparison, and all it has beside its tags. The address holds the moment
// (at), the second one (since) and what it is compared with (against...).
import { html, useMemo, useState } from "../lib/ui.js";
import { useTitle } from "../lib/title.js";
import { useResource } from "../lib/resource.js";
import { visible } from "../lib/text.js";
import { count, duration, parseTime, rfc3339 } from "../lib/format.js";
import { href, search } from "../lib/router.js";
import { spanRange } from "../lib/host.js";
import { en } from "../lib/en.js";
import { Bytes, Name, Time } from "../components/names.js";
import { SeverityMark, SimulatedBadge } from "../components/marks.js";
import { Age, Empty, Load } from "../components/states.js";
import { FindingItem } from "../components/finding_item.js";
import { Poolmon } from "../components/poolmon.js";
import { Timeline } from "./host/timeline.js";
import { Memory } from "./host/memory.js";
import { Boots } from "./host/boots.js";
import { Compare } from "./host/compare.js";
import { BigBlocks, More, useTab } from "./host/more.js";

const t = en.host;

/** @param {{ agent: NonNullable<HostItem["agent"]> }} props */
function Agent({ agent }) {
  return html`<${Name} value=${agent.version} length=${24} />${" "}
    <small>${agent.waiting ? html`${count(agent.waiting)} ${t.agent.waiting(agent.waiting)}` : null}${agent.waiting && agent.dropped ? ", " : null}${
      agent.dropped ? html`<span class="soon">${count(agent.dropped)} ${t.agent.lost}</span>` : null}</small>`;
}

/** @param {{ host: HostDetail }} props */
function Awaiting({ host }) {
  return html`<section class="panel">
    <${Empty} title=${t.awaiting.title}>
      ${t.awaiting.agent}${host.agent?.version ? html` (${t.awaiting.version} <${Name} value=${host.agent.version} length=${24} />)` : null} ${t.awaiting.enrolled} <${Time} value=${host.enrolled_at} as="ago" />. ${t.awaiting.then}
    <//>
  </section>`;
}

/** @param {{ host: HostDetail }} props */
function Faulty({ host }) {
  const words = en.hosts.faultyReasons;
  return html`<section class="panel panel-faulty" aria-labelledby="faulty-h">
    <h2 id="faulty-h"><${SeverityMark} severity="warning" size=${16} label=${false} /> ${t.faulty.title}</h2>
    <p>${t.faulty.why(words[host.faulty_reason ?? ""] ?? words[""])} ${t.faulty.then} <span class="muted">(${t.faulty.since} <${Time} value=${host.faulty_since} />)</span></p>
  </section>`;
}

/** @param {{ id: string, ids: string[] }} props */
function Findings({ id, ids }) {
  const list = /** @type {Resource<List<Finding>>} */ (useResource(ids.length ? "/findings" + search({ host: id, limit: 10 }) : null));
  // Their place is held, so that the screen does not move when they come.
  if (!list.data && !list.error && ids.length) return html`<div style=${{ minHeight: `${Math.min(ids.length, 10) * 150}px` }}></div>`;
  if (!list.data?.items.length) return null;
  return html`<section aria-label=${t.findings} class="finding-list">${list.data.items.map((f) => html`<${FindingItem} key=${f.id} finding=${f} />`)}</section>`;
}

/** Words on the charts: boots and what was installed, and the moments that were chosen. @param {HostDetail} host @param {HostHistoryItem[]} items @param {number | null} at @param {number | null} since */
function chartMarks(host, items, at, since) {
  const sec = (/** @type {number} */ ms) => ms / 1000;
  return [
    ...host.boots.map((b) => ({ t: sec(parseTime(b.boot_at) ?? 0), label: t.time.markBoot, kind: "boot" })),
    ...items.filter((x) => x.kind === "driver" || x.kind === "agent" || x.kind === "event").slice(0, 60)
      .map((x) => ({ t: sec(parseTime(x.at) ?? 0), label: visible(x.kind === "event" ? x.to : x.name).slice(0, 18), kind: x.kind })),
    ...(at !== null ? [{ t: sec(at), label: t.time.markAt, kind: "at" }] : []),
    ...(since !== null ? [{ t: sec(since), label: t.time.markSince, kind: "since" }] : []),
  ];
}

/** What of a resource is drawn. @param {Resource<any>} r */
const parts = (r) => [r.data, r.error, r.loading, r.pending];

/** @param {{ host: HostDetail, route: import("../lib/router.js").Route }} props */
function Shown({ host, route }) {
  const at = parseTime(route.query.get("at"));
  const sinceText = route.query.get("since") ?? "";
  const sinceSet = /^\d{4}-/.test(sinceText) && !Number.isNaN(Date.parse(sinceText));
  const span = route.query.get("span") ?? "7";
  const shows = route.query.get("overlay") ?? "nonpaged";
  const most = Math.max(2, Math.min(8, Number(route.query.get("boots") ?? 5) || 5));
  const [tab, setTab] = useTab();
  const [chosen, setChosen] = useState(/** @type {{ tag: string, pool: Pool } | null} */ (null));
  const [sinceIs, setSinceIs] = useState(/** @type {number | null} */ (null));

  const history = /** @type {Resource<List<HostHistoryItem>>} */ (useResource(href(["hosts", host.id, "history"], { limit: 1000 }), { every: 120000 }));
  const state = /** @type {Resource<HostState>} */ (
    useResource(href(["hosts", host.id, "state"], { at: at === null ? null : rfc3339(at) }), { every: at === null ? 60000 : 0, keep: true })
  );
  const range = spanRange(host, span);
  const series = /** @type {Resource<HostSeries>} */ (
    useResource(range ? href(["hosts", host.id, "series"], {
      from: rfc3339(range.from), to: new Date(range.to).toISOString(), points: 480,
      columns: "nonpaged_bytes,paged_bytes,commit_bytes,commit_limit_bytes,physical_bytes,available_bytes",
    }) : null, { every: 0, keep: true })
  );
  const since = sinceSet ? Date.parse(sinceText) : sinceIs;
  const items = history.data?.items ?? [];
  const marks = useMemo(() => chartMarks(host, items, at, since), [host.boots, history.data, at, since]);
  // Each part is drawn again only when what it shows changed: a new order of the table touches the table alone.
  const time = useMemo(() => html`<${Timeline} host=${host} at=${at} since=${since} sinceSet=${sinceSet} history=${history} span=${span} />`, [host, at, since, sinceSet, span, ...parts(history)]);
  const memory = useMemo(() => html`<${Memory} totals=${state.data?.totals ?? host.totals} at=${state.data?.at ?? host.last_snapshot_at} past=${at !== null} series=${series} marks=${marks} />`, [host, at, marks, ...parts(state), ...parts(series)]);
  const against = ["compare", "against", "against_at", "against_boot", "scale"].map((k) => route.query.get(k));
  const compare = useMemo(() => html`<${Compare} host=${host} at=${at} since=${since} query=${route.query} />`, [host, at, since, ...against]);
  const boots = useMemo(() => html`<${Boots} host=${host} chosen=${chosen} show=${shows} most=${most} />`, [host, chosen, shows, most]);
  const blocks = useMemo(() => (host.big_blocks ? html`<${BigBlocks} blocks=${host.big_blocks} />` : null), [host]);
  const more = useMemo(() => html`<${More} host=${host} state=${state} at=${at} tab=${tab} onTab=${setTab} />`, [host, at, tab, ...parts(state)]);
  return html`${time}${memory}
    <${Poolmon} host=${host} route=${route} items=${items} onChosen=${setChosen} onSince=${setSinceIs} />
    ${compare}${boots}${blocks}${more}`;
}

/** @param {{ host: HostDetail, route: import("../lib/router.js").Route }} props */
function Body({ host, route }) {
  if (host.awaiting_first_snapshot) return html`<${Awaiting} host=${host} />`;
  return html`<dl class="stats">
      ${[
        [t.facts.system, html`<${Name} value=${host.os_name} length=${40} /> <small><${Name} value=${host.os_build} none="" length=${24} /></small>`],
        [t.facts.role, html`<${Name} value=${host.role} length=${30} />`],
        [t.facts.model, html`<${Name} value=${host.model} length=${40} />`],
        [t.facts.memory, html`<${Bytes} value=${host.ram_bytes} />`],
        [t.facts.up, html`${duration(host.uptime_seconds)} <small>${t.facts.since} <${Time} value=${host.boot_at} /></small>`],
        ...(host.agent ? [[t.facts.agent, html`<${Agent} agent=${host.agent} />`]] : []),
      ].map(([k, v]) => html`<div><dt>${k}</dt><dd>${v}</dd></div>`)}
    </dl>
    ${host.faulty_reason ? html`<${Faulty} host=${host} />` : null}
    <${Findings} id=${host.id} ids=${host.finding_ids} />
    <${Shown} host=${host} route=${route} />`;
}

/** @param {{ route: import("../lib/router.js").Route }} props */
export default function Host({ route }) {
  const id = route.params.id;
  const detail = /** @type {Resource<HostDetail>} */ (useResource(href(["hosts", id])));
  const h = detail.data;
  useTitle(h ? visible(h.name ?? h.id) : t.title);
  return html`<div class="page">
    <div class="page-head">
      <h1 tabindex="-1">${h ? html`<${Name} value=${h.name ?? h.id} length=${60} />` : t.title}</h1>
      ${h?.last_seen ? html`<${Age} time=${h.last_seen} limit=${1800} what=${t.seen} />` : null}
      ${h?.simulated ? html`<${SimulatedBadge} />` : null}
    </div>
    <${Load} resource=${detail} render=${(/** @type {HostDetail} */ d) => html`<${Body} key=${d.id} host=${d} route=${route} />`}
      notFound=${html`<${Empty} title=${t.missing}><a href="/hosts">${t.allHosts}</a><//>`} />
  </div>`;
}
