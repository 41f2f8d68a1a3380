// How the server does: what is wrong first, then four figures as they move, then the rest.
import { html, useEffect, useRef, useState } from "../../lib/ui.js";
import { en } from "../../lib/en.js";
import { fill } from "../../lib/fill.js";
import { ago, bytes, count, localTime, percent, span, UNKNOWN } from "../../lib/format.js";
import { ratesOf, troubles } from "../../lib/health.js";
import { useResource } from "../../lib/resource.js";
import { visible } from "../../lib/text.js";
import { Meter, SeverityMark, Sparkline } from "../../components/marks.js";
import { Bytes, Count, Name, Time } from "../../components/names.js";
import { Load } from "../../components/states.js";
import { Table } from "../../components/table.js";
import { said } from "./rows.js";

const t = en.admin.server;
const EVERY_MS = 5000;
const KEPT = 120;

const small = (/** @type {number | null} */ v) => (v === null || v === undefined ? UNKNOWN : v >= 100 || v === 0 ? count(Math.round(v)) : v >= 10 ? v.toFixed(1) : v.toFixed(2));

/** Points from one look to the next, kept while the page is open. @param {any} now */
function useHistory(now) {
  const last = useRef(/** @type {any} */ (null));
  const [points, setPoints] = useState(/** @type {any[]} */ ([]));
  useEffect(() => {
    if (!now) return;
    const before = last.current;
    last.current = now;
    if (!before || before.server_time === now.server_time) return;
    const point = ratesOf(before, now);
    setPoints((old) => (point === null ? [] : [...old.slice(1 - KEPT), point]));
  }, [now]);
  return points;
}

/** @param {{ title: string, points: any[], field: string, format: (v: any) => string, now: any }} props */
function Live({ title, points, field, format, now }) {
  const values = points.map((p) => p[field]);
  const known = values.filter((v) => v !== null);
  const most = known.length ? Math.max(...known) : null;
  const watched = points.length > 1 ? span((points[points.length - 1].t - points[0].t) / 1000) : null;
  return html`<section class="panel live" aria-label=${title}>
    <h2>${title}</h2>
    <p class="live-now">${now === null || now === undefined ? html`<span class="muted">${t.watching}</span>` : format(now)}</p>
    <${Sparkline} t=${points.map((p) => p.t)} values=${values} width=${240} height=${44} label=${most === null ? title : `${title}: ${t.mostNow(format(most))}`} />
    <p class="muted small">${watched && most !== null ? html`${t.mostNow(format(most))}, ${t.since(watched)}` : "\u00a0"}</p>
    ${points.length ? html`<details class="small no-print"><summary>${t.values}</summary><ul class="values">${points.slice(-12).reverse().map((p) => html`<li><span>${localTime(p.t, "second")}</span> <b>${p[field] === null ? UNKNOWN : format(p[field])}</b></li>`)}</ul></details>` : null}
  </section>`;
}

/** @param {{ s: any }} props */
function Verdict({ s }) {
  const found = troubles(s);
  if (found.length === 0) {
    return html`<section class="verdict verdict-ok"><${SeverityMark} severity="ok" size=${24} /><div><h2>${t.good}</h2><p>${t.goodSays}</p></div></section>`;
  }
  const say = (/** @type {any} */ f) => {
    const [v] = f.args;
    const arg = { database: () => visible(v), slow: () => t.ms(small(v)), queue: () => percent(v), job: () => said(t.jobNames, v), expires: () => ago(v, Date.parse(s.server_time)), commits: () => count(v), damaged: () => count(v), given: () => count(v) };
    const text = /** @type {Record<string, any>} */ (t.troubles)[f.key];
    return typeof text === "function" ? text(/** @type {Record<string, any>} */ (arg)[f.key]()) : text;
  };
  return html`<section class=${"verdict verdict-" + found[0].severity} role="status"><${SeverityMark} severity=${found[0].severity} size=${24} />
    <div>${found.map((f, i) => (i === 0 ? html`<h2>${say(f)}</h2>` : html`<p>${say(f)}</p>`))}</div></section>`;
}

/** @param {{ title: string, id: string, rows: [string, any][] }} props */
function Facts({ title, id, rows }) {
  return html`<section class="panel" aria-labelledby=${id}><h2 id=${id}>${title}</h2>
    <dl class="pairs">${rows.map(([k, v]) => html`<div><dt>${k}</dt><dd>${v}</dd></div>`)}</dl></section>`;
}

/** @param {{ s: any }} props */
function Jobs({ s }) {
  /** @type {import("../../components/table.js").Column[]} */
  const columns = [
    { key: "name", label: t.job, cell: (j) => html`<b>${said(t.jobNames, j.name)}</b>` },
    { key: "last", label: t.last, class: "nowrap", cell: (j) => html`<${Time} value=${j.ended_at} as="second" />` },
    { key: "took", label: t.took, number: true, cell: (j) => (j.seconds === null ? UNKNOWN : (j.seconds >= 1 ? t.seconds(small(j.seconds)) : t.ms(small(j.seconds * 1000)))) },
    { key: "runs", label: t.runs, number: true, cell: (j) => count(j.runs) },
    { key: "failures", label: t.failures, number: true, cell: (j) => count(j.failures) },
    { key: "error", label: t.error, cell: (j) => (j.error ? html`<${Time} value=${j.failed_at} /> <${Name} value=${j.error} length=${160} />` : html`<span class="unknown">${UNKNOWN}</span>`) },
  ];
  const h = s.analyzer.holder;
  return html`<section class="panel panel-flush" aria-labelledby="jobs-h"><div class="panel-head"><h2 id="jobs-h">${t.jobs}</h2>
      <span class="muted">${t.analyzer}: ${s.analyzer.this_server ? t.here : h ? fill(t.elsewhere, { name: html`<${Name} value=${h.name} />`, address: h.address ? html`<${Name} value=${h.address} />` : t.local, since: html`<${Time} value=${h.since} />` }) : t.nobody}</span></div>
    ${s.analyzer.this_server || !h ? null : html`<p class="muted small pad">${t.elsewhereNote}</p>`}
    <${Table} caption=${t.jobs} columns=${columns} rows=${s.jobs} rowKey=${(/** @type {any} */ j) => j.name} compact /></section>`;
}

/** @param {{ s: any }} props */
function Refused({ s }) {
  /** @type {Map<string, any>} */
  const causes = new Map();
  for (const [field, list] of [["documents", s.ingest.refused], ["requests", s.http.refused]])
    for (const r of list) causes.set(r.cause, { documents: 0, requests: 0, ...causes.get(r.cause), cause: r.cause, title: r.title, [field]: r.count });
  const rows = [...causes.values()];
  return html`<section class="panel panel-flush" aria-labelledby="refused-h"><div class="panel-head"><h2 id="refused-h">${t.refused}</h2></div>
    ${rows.length === 0 ? html`<p class="muted pad">${t.noneRefused}</p>` : html`<${Table} caption=${t.refused} rows=${rows} rowKey=${(/** @type {any} */ r) => r.cause} compact columns=${[
      { key: "cause", label: t.cause, cell: (/** @type {any} */ r) => html`<bdi>${r.title}</bdi> <small class="muted"><code>${r.cause}</code></small>` },
      { key: "documents", label: t.documents, number: true, cell: (/** @type {any} */ r) => count(r.documents) },
      { key: "requests", label: t.requests, number: true, cell: (/** @type {any} */ r) => count(r.requests) },
    ]} />`}</section>`;
}

/** @param {{ s: any, points: any[] }} props */
function Report({ s, points }) {
  const last = points[points.length - 1];
  const { http, ingest, database, process, notify } = s;
  return html`<div class="admin-stack">
    <${Verdict} s=${s} />
    <div class="live-grid">
      <${Live} title=${t.ingest} points=${points} field="accepted" now=${last?.accepted} format=${(/** @type {number} */ v) => t.perSecond(small(v))} />
      <${Live} title=${t.answers} points=${points} field="answers" now=${last?.answers} format=${(/** @type {number} */ v) => t.perSecond(small(v))} />
      <${Live} title=${t.latency} points=${points} field="latency" now=${database.latency_ms} format=${(/** @type {number} */ v) => t.ms(small(v))} />
      <${Live} title=${t.memory} points=${points} field="memory" now=${process.memory_bytes} format=${bytes} />
    </div>
    <${Jobs} s=${s} />
    <div class="columns">
      <${Facts} id="facts-h" title=${t.facts} rows=${[
        [t.version, html`<bdi>${s.version}</bdi>`], [t.started, html`<${Time} value=${s.started_at} />`], [t.address, html`<bdi>${http.address}</bdi>`],
        [t.certificate, http.tls ? html`<${Time} value=${http.certificate_expires_at} as="day" />` : t.plain],
        [t.hosts, count(process.hosts)], [t.stateBytes, html`<${Bytes} value=${process.fleet_state_bytes} />`],
        [t.threads, html`<${Count} value=${process.threads} />`], [t.files, html`<${Count} value=${process.open_files} />`],
        [t.connections, count(http.connections)], [t.running, count(http.running)], [t.waiting, count(http.waiting)],
        [t.clientErrors, count(http.answers["4xx"])], [t.serverErrors, count(http.answers["5xx"])],
      ]} />
      <div class="admin-stack">
        <${Facts} id="ingest-h" title=${t.documents} rows=${[
          [t.accepted, count(ingest.accepted)], [t.duplicates, count(ingest.duplicates)], [t.rows, count(ingest.rows)], [t.commits, count(ingest.commits)], [t.failedCommits, count(ingest.failed_commits)],
          [t.queued, count(ingest.queued_requests)],
          [t.queue, html`<span class="with-meter"><${Meter} value=${ingest.queued_bytes} max=${ingest.queue_limit_bytes} label=${t.queue} /> ${t.queueSays(bytes(ingest.queued_bytes), bytes(ingest.queue_limit_bytes))}</span>`],
        ]} />
        <${Facts} id="database-h" title=${t.database} rows=${[
          [t.version, html`<bdi>${database.version ?? UNKNOWN}</bdi>`], [t.size, html`<${Bytes} value=${database.size_bytes} />`],
          [t.dbConnections, database.connections === null ? UNKNOWN : t.usedOf(count(database.connections), count(database.connections_limit))], [t.pool, t.usedOf(count(database.pool_leased), count(database.pool_limit))],
        ]} />
        <${Facts} id="notify-h" title=${t.notify} rows=${[[t.sent, count(notify.sent)], [t.notifyWaiting, count(notify.waiting)], [t.failedAttempts, count(notify.failed_attempts)], [t.givenUp, count(notify.given_up)]]} />
      </div>
    </div>
    <${Refused} s=${s} />
  </div>`;
}

export function Server() {
  const resource = useResource("/server", { every: EVERY_MS });
  const points = useHistory(resource.data);
  return html`<${Load} resource=${resource} render=${(/** @type {any} */ s) => html`<${Report} s=${s} points=${points} />`} />`;
}
