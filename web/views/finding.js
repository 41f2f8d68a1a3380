// One finding with all its evidence, and what people decided about it.
import { html, useMemo, useRef, useState } from "../lib/ui.js";
import { useTitle } from "../lib/title.js";
import { forgetAll, useResource } from "../lib/resource.js";
import { request } from "../lib/api.js";
import { bytes, count, percent, rate, ratio, rfc3339, timeLeft, UNKNOWN, utcTime } from "../lib/format.js";
import { href, setQuery } from "../lib/router.js";
import { attributeName, LIMIT, SOURCE } from "../lib/words.js";
import { visible } from "../lib/text.js";
import { Chart } from "../components/chart.js";
import { Score } from "../components/score.js";
import { sortRows, Table } from "../components/table.js";
import { Bytes, DriverName, DriverNames, HostName, Name, TagChip, Time } from "../components/names.js";
import { KindBadge, Meter, SeverityBadge, StatusBadge } from "../components/marks.js";
import { Empty, ErrorPanel, Load } from "../components/states.js";
import { growth, soonest } from "../components/finding_item.js";
import { KnownLeaks } from "../components/known_leaks.js";

const HOSTS_SHOWN = 100;
const HOURS_MUTED = 24 * 7;

/** @param {Cause} c */
function causeLink(c) {
  if (c.attribute.startsWith("driver/")) return href(["drivers", c.attribute.slice(7)]);
  if (c.attribute === "role" || c.attribute === "os.build") return "/hosts?" + new URLSearchParams({ [c.attribute]: c.value });
  return null;
}

/** @param {{ part: number, of: number, label: string, tone: string }} props */
function Share({ part, of, label, tone }) {
  return html`<span class="with-counts"><${Meter} value=${part} max=${of} label=${label} tone=${tone} /><span class="number">${count(part)} of ${count(of)}</span></span>`;
}

/** @type {import("../components/table.js").Column[]} */
const CAUSE_COLUMNS = [
  { key: "what", label: "What they share", cell: (c) => {
    const to = causeLink(c);
    return html`${c.attribute.startsWith("driver/") ? html`<span class="muted">driver </span>` : html`<span class="muted">${visible(attributeName(c.attribute))} </span>`}${
      to ? html`<a href=${to}><b><${Name} value=${c.attribute.startsWith("driver/") ? attributeName(c.attribute) + " " + c.value : c.value} length=${70} /></b></a>` : html`<b><${Name} value=${c.value} length=${70} /></b>`}`;
  } },
  { key: "with", label: "Affected hosts that have it", cell: (c) => html`<${Share} part=${c.affected_with} of=${c.affected} label="Affected with it" tone="critical" />` },
  { key: "against", label: "Other hosts that have it too", hint: "The counter-evidence: the fewer the better", cell: (c) => html`<${Share} part=${c.unaffected_with} of=${c.unaffected} label="Others with it" tone="plain" />` },
  { key: "rr", label: "Risk ratio", number: true, hint: "How much more often hosts with it are affected", cell: (c) => ratio(c.risk_ratio) },
  { key: "q", label: "q-value", number: true, hint: "Chance of seeing this by accident, corrected for everything tested", cell: (c) => (c.q_value === null ? UNKNOWN : c.q_value < 0.0001 ? "< 0.0001" : c.q_value.toFixed(4)) },
];

/** @type {import("../components/table.js").Column[]} */
const HOST_COLUMNS = [
  { key: "name", label: "Host", sort: "name", cell: (h) => html`<${HostName} id=${h.id} name=${h.name} simulated=${h.simulated} />` },
  { key: "bytes", label: "Holds", sort: "bytes", number: true, cell: (h) => html`<${Bytes} value=${h.bytes} />` },
  { key: "cohort", label: "Peers", sort: "cohort", number: true, hint: "Median of hosts like this one", cell: (h) => html`<span title=${h.cohort_hosts ? `${h.cohort_hosts} peers` : undefined}><${Bytes} value=${h.cohort_bytes} /></span>` },
  { key: "score", label: "Score", sort: "score", number: true, cell: (h) => html`<${Score} value=${h.score} bytes=${h.bytes} peers=${h.cohort_bytes} hosts=${h.cohort_hosts} />` },
  { key: "rate", label: "Growth", sort: "rate", number: true, cell: (h) => (h.rate_bytes_per_hour === 0 ? "none" : rate(h.rate_bytes_per_hour)) },
  { key: "since", label: "Since", sort: "since", class: "nowrap", cell: (h) => html`<${Time} value=${h.since} />` },
  { key: "left", label: "Time left (80 %)", sort: "left", number: true, cell: (h) => {
    const left = timeLeft(h.exhausts_at);
    return left ? html`<span class=${left.soon ? "soon" : ""} title=${"median " + utcTime(left.at)}>${left.text}</span>` : html`<span class="muted">none in sight</span>`;
  } },
  { key: "limit", label: "Until", cell: (h) => html`<span class="muted">${h.limit ? LIMIT[h.limit] ?? h.limit : ""}</span>` },
  { key: "process", label: "Held by", cell: (h) => (h.process ? html`<${Name} value=${h.process} length=${28} />${h.process_handles != null ? html` <span class="muted">${count(h.process_handles)} handles</span>` : null}` : html`<span class="unknown">${UNKNOWN}</span>`) },
];

/** @param {{ f: Finding, session: Session, onChange: () => void }} props */
function LifeCycle({ f, session, onChange }) {
  const [busy, setBusy] = useState("");
  const [error, setError] = useState(/** @type {any} */ (null));
  const note = useRef(/** @type {HTMLTextAreaElement | null} */ (null));
  const may = session.role === "operator" || session.role === "admin";
  const change = async (/** @type {Record<string, any>} */ patch, /** @type {string} */ name) => {
    setBusy(name);
    setError(null);
    const text = note.current?.value.trim();
    try {
      await request(href(["findings", f.id]), { method: "PATCH", body: JSON.stringify(text ? { ...patch, note: text } : patch) });
      if (note.current) note.current.value = "";
      forgetAll();
      onChange();
    } catch (e) {
      setError(e);
    }
    setBusy("");
  };
  const button = (/** @type {string} */ label, /** @type {Record<string, any>} */ patch, primary = false) =>
    html`<button type="button" class=${"button" + (primary ? " button-primary" : "")} disabled=${busy !== ""} onClick=${() => change(patch, label)}>${busy === label ? "Saving\u2026" : label}</button>`;
  return html`<section class="panel" aria-labelledby="life-h">
    <div class="panel-head"><h2 id="life-h">Decision</h2><${StatusBadge} status=${f.status} /></div>
    ${f.acknowledged_by ? html`<p class="muted">by <${Name} value=${f.acknowledged_by} length=${40} /></p>` : null}
    ${f.muted_until ? html`<p class="muted">muted until <${Time} value=${f.muted_until} /></p>` : null}
    ${f.note ? html`<p class="note"><${Name} value=${f.note} length=${2000} /></p>` : null}
    ${may
      ? html`<div class="note-form no-print">
          <label for="note" class="muted small">Note, kept with the decision</label>
          <textarea id="note" class="textarea" rows="2" maxlength="2000" ref=${note}></textarea>
          <div class="actions">
            ${f.status === "open" ? button("Acknowledge", { status: "acknowledged" }, true) : null}
            ${f.status !== "muted" && f.status !== "resolved" ? button("Mute for a week", { status: "muted", muted_until: rfc3339(Date.now() + HOURS_MUTED * 3600000) }) : null}
            ${f.status !== "resolved" ? button("Resolve", { status: "resolved" }) : null}
            ${f.status !== "open" ? button("Open again", { status: "open" }) : null}
          </div>
        </div>`
      : html`<p class="muted small">Your role can read; an operator decides.</p>`}
    ${error ? html`<${ErrorPanel} error=${error} title="The decision was not saved" />` : null}
    ${f.history?.length
      ? html`<h3 class="gap">History</h3>
          <ul class="log">${f.history.map((x) => html`<li><${Time} value=${x.at} /><span>${visible(x.change)}${x.actor ? html` by <${Name} value=${x.actor} length=${30} />` : ""}${x.note ? html`: <${Name} value=${x.note} length=${300} />` : ""}</span></li>`)}</ul>`
      : null}
  </section>`;
}

/** The worst host's bytes over time. @param {{ f: Finding }} props */
function WorstHost({ f }) {
  const host = f.hosts[0];
  const series = /** @type {Resource<TagSeries>} */ (
    useResource(host ? href(["hosts", host.id, "tags", f.tag, "series"], { pool: f.pool, points: 400 }) : null, { every: 300000 })
  );
  if (!host) return null;
  return html`<section class="panel" aria-labelledby="worst-h">
    <div class="panel-head"><h2 id="worst-h"><${TagChip} tag=${f.tag} pool=${f.pool} /> on <${HostName} id=${host.id} name=${host.name} simulated=${host.simulated} /></h2><span class="muted">the worst host</span></div>
    <${Load} resource=${series} skeleton=${html`<div class="chart-hold"></div>`}
      render=${(/** @type {TagSeries} */ s) =>
        s.t.length > 1
          ? html`<${Chart} t=${s.t} binary height=${190} format=${bytes} label=${`Bytes of ${f.tag} on the worst host`} marks=${s.boots.map((t) => ({ t, label: "boot" }))}
              lines=${[{ label: "Bytes", values: s.bytes, fill: true, width: 2 }]} />`
          : html`<${Empty} title="Only one snapshot so far"><//>`} />
  </section>`;
}

/** @param {{ f: Finding, session: Session, route: import("../lib/router.js").Route, reload: () => void }} props */
function Body({ f, session, route, reload }) {
  const first = soonest(f.hosts);
  const grow = growth(f.hosts);
  const sort = route.query.get("sort") ?? "";
  const hosts = useMemo(
    () => sortRows(f.hosts, sort, { name: (h) => h.name, bytes: (h) => h.bytes, cohort: (h) => h.cohort_bytes, score: (h) => h.score, rate: (h) => h.rate_bytes_per_hour, since: (h) => h.since, left: (h) => h.exhausts_at?.p50 }),
    [f, sort],
  );
  const report = "/api/v1" + href(["findings", f.id, "report"]);
  return html`
    <div class="chips">
      <${SeverityBadge} severity=${f.severity} /><${KindBadge} kind=${f.kind} />
      ${f.tags.slice(0, 12).map((t) => html`<${TagChip} key=${t} tag=${t} pool=${f.pool} />`)}${f.tags.length > 12 ? html`<span class="muted">+${f.tags.length - 12}</span>` : null}
      <span class="muted">${f.pool} pool, began <${Time} value=${f.first_seen} as="ago" />, last seen <${Time} value=${f.last_seen} as="ago" /></span>
    </div>
    <dl class="stats">
      <div><dt>Hosts</dt><dd>${count(f.host_count)}</dd></div>
      <div><dt>Growth, middle host</dt><dd>${grow && grow.median > 0 ? rate(grow.median) : html`<small>none</small>`}</dd></div>
      <div><dt>First to run out</dt><dd>${first ? html`<span class=${first.left.soon ? "soon" : ""}>${first.left.text}</span> <small><${HostName} id=${first.host.id} name=${first.host.name} length=${24} /></small>` : html`<small>no limit in sight</small>`}</dd></div>
      <div><dt>Confidence</dt><dd>${percent(f.confidence)}</dd></div>
      <div><dt>Tag belongs to</dt><dd>${f.owner?.driver ? html`<${DriverNames} names=${f.owner.driver} /> <small>${SOURCE[f.owner.source ?? ""] ?? ""}</small>` : html`<small>unknown</small>`}</dd></div>
    </dl>
    <div class="split">
      <div class="page">
        <section class="panel panel-flush" aria-labelledby="why-h">
          <div class="panel-head"><h2 id="why-h">What explains it</h2><span class="muted">affected hosts against the others</span></div>
          ${f.explained_by.length
            ? html`<${Table} caption="What explains it" columns=${CAUSE_COLUMNS} rows=${f.explained_by} rowKey=${(/** @type {Cause} */ c) => c.attribute + "=" + c.value} />`
            : html`<div class="pad"><${Empty} title="Nothing separates these hosts from the others">${f.cause_note ? visible(f.cause_note) : null}<//></div>`}
          ${f.explained_by.length && f.cause_note ? html`<p class="muted pad-all">${visible(f.cause_note)}</p>` : null}
        </section>
        <${KnownLeaks} known=${f.known_leaks} />
        <${WorstHost} f=${f} />
        ${f.evidence.length ? html`<section class="panel" aria-labelledby="ev-h"><h2 id="ev-h">Evidence</h2><ul class="bullets">${f.evidence.map((e) => html`<li>${visible(e)}</li>`)}</ul></section>` : null}
      </div>
      <div class="side">
        <${LifeCycle} f=${f} session=${session} onChange=${reload} />
        <section class="panel" aria-labelledby="rep-h">
          <h2 id="rep-h">Report for the vendor</h2>
          <p class="muted">Everything a stranger needs to check the claim. Host names are replaced unless you ask for them.</p>
          <div class="actions gap no-print">
            <a class="button" href=${report + "?format=html"} target="_blank" rel="noopener">Open</a>
            <a class="button" href=${report + "?format=md"} download=${`poolfleet-${f.id}.md`}>Markdown</a>
            <a class="button button-quiet" href=${report + "?format=html&names=show"} target="_blank" rel="noopener">With names</a>
          </div>
        </section>
        ${f.tags_detail?.length
          ? html`<section class="panel" aria-labelledby="tags-h"><h2 id="tags-h">Tags that grow together</h2>
              <ul class="taglist">${f.tags_detail.slice(0, 20).map((t) => html`<li><${TagChip} tag=${t.tag} pool=${f.pool} /> <span><${DriverName} name=${t.driver} none="owner unknown" /> <span class="muted"><${Name} value=${t.description} none="" length=${80} /></span></span></li>`)}</ul></section>`
          : null}
      </div>
    </div>
    <section class="panel panel-flush" aria-labelledby="hosts-h">
      <div class="panel-head"><h2 id="hosts-h">Hosts</h2><span class="muted">${hosts.length < f.host_count ? `${count(hosts.length)} of ${count(f.host_count)}` : count(f.host_count)}</span></div>
      <${Table} caption="Hosts of this finding" columns=${HOST_COLUMNS} rows=${route.query.get("all") === "yes" ? hosts : hosts.slice(0, HOSTS_SHOWN)} rowKey=${(/** @type {FindingHost} */ h) => h.id} sort=${sort} onSort=${(/** @type {string} */ s) => setQuery({ sort: s })} compact />
      ${hosts.length > HOSTS_SHOWN && route.query.get("all") !== "yes" ? html`<div class="more"><button type="button" class="button button-small" onClick=${() => setQuery({ all: "yes" })}>Show all ${count(hosts.length)}</button></div>` : null}
    </section>`;
}

/** @param {{ route: import("../lib/router.js").Route, session: Session }} props */
export default function FindingView({ route, session }) {
  const detail = /** @type {Resource<Finding>} */ (useResource(href(["findings", route.params.id])));
  const f = detail.data;
  useTitle(f ? visible(f.summary) : "Finding");
  return html`<div class="page">
    <h1 tabindex="-1" class="finding-h1">${f ? visible(f.summary) : "Finding"}</h1>
    <${Load} resource=${detail} render=${(/** @type {Finding} */ x) => html`<${Body} key=${x.id} f=${x} session=${session} route=${route} reload=${detail.reload} />`}
      notFound=${html`<${Empty} title="No such finding"><a href="/findings">All findings</a><//>`} />
  </div>`;
}
