// The host's whole history as one bar: boots, findings, changes and events; a moment is chosen on it,
// and a second one to compare with. Everything else on the screen follows.
import { html, useEffect, useMemo, useRef, useState } from "../../lib/ui.js";
import { localTime, parseTime, rfc3339, utcTime } from "../../lib/format.js";
import { setQuery } from "../../lib/router.js";
import { visible } from "../../lib/text.js";
import { clusters, neighbour, SPANS } from "../../lib/host.js";
import { en } from "../../lib/en.js";
import { DriverName, FindingLink, Name, Time } from "../../components/names.js";
import { SeverityMark } from "../../components/marks.js";
import { Select } from "../../components/select.js";
import { Empty, StaleBar } from "../../components/states.js";
import { Twin } from "../../components/twin.js";

const t = en.host.time;
export const STEP = 3600000;

/** Local time as <input type=datetime-local> wants it. @param {number} ms */
function inputTime(ms) {
  const d = new Date(ms - new Date(ms).getTimezoneOffset() * 60000);
  return d.toISOString().slice(0, 16);
}

/** What an entry says in a few words; text, for titles. @param {HostHistoryItem} x */
function words(x) {
  const name = visible(x.name);
  if (x.kind === "boot") return t.kinds.boot;
  if (x.kind === "event") return `${name} ${visible(x.to)}`;
  if (x.kind === "finding") return visible(x.to) || name;
  return `${name}: ${x.from === null ? t.new : visible(x.from)} \u2192 ${x.to === null ? t.gone : visible(x.to)}`;
}

// Shapes differ without colour. Drawn in a box of 12.
/** @type {Record<string, any>} */
const SHAPES = {
  driver: () => html`<path d="M6 .8 11.2 6 6 11.2 .8 6Z" />`,
  agent: () => html`<path d="M6 1 11 10.5H1Z" />`,
  attribute: () => html`<circle cx="6" cy="6" r="4.4" />`,
  event: () => html`<path d="M4.6 1h2.8v3.6H11v2.8H7.4V11H4.6V7.4H1V4.6h3.6Z" />`,
};

/**
 * A slider that goes where it was put when it rests; the bar's width is the host's history.
 * @param {{ label: string, first: number, last: number, value: number, onGo: (ms: number) => void, second?: boolean }} props
 */
function Slider({ label, first, last, value, onGo, second = false }) {
  const [drag, setDrag] = useState(/** @type {number | null} */ (null));
  const timer = useRef(/** @type {any} */ (0));
  useEffect(() => () => clearTimeout(timer.current), []);
  const shown = drag ?? value;
  return html`<input type="range" class=${"time-range" + (second ? " time-range-second" : "")} aria-label=${label} aria-valuetext=${localTime(shown)} min=${first} max=${last} step="60000" value=${shown}
    onInput=${(/** @type {any} */ e) => {
      const ms = Number(e.target.value);
      setDrag(ms);
      clearTimeout(timer.current);
      timer.current = setTimeout(() => {
        setDrag(null);
        onGo(ms);
      }, 250);
    }} />`;
}

/** @param {{ first: number, last: number, at: number, since: number | null, items: HostHistoryItem[], boots: HostDetail["boots"], onAt: (ms: number) => void, onSince: (ms: number) => void }} props */
function Bar({ first, last, at, since, items, boots, onAt, onSince }) {
  const x = (/** @type {number} */ ms) => ((Math.max(first, Math.min(last, ms)) - first) / (last - first || 1)) * 100;
  const place = (/** @type {number} */ a, /** @type {number} */ b) => ({ left: `${x(a).toFixed(3)}%`, width: `${Math.max(0.3, x(b) - x(a)).toFixed(3)}%` });
  const marks = useMemo(() => clusters(items.filter((i) => SHAPES[i.kind]), first, last, 140), [items, first, last]);
  const findings = items.filter((i) => i.kind === "finding");
  const lived = boots.map((b) => ({ boot: parseTime(b.boot_at), from: parseTime(b.first_seen) ?? first, to: parseTime(b.last_seen) ?? last }));
  const pick = (/** @type {MouseEvent} */ e) => {
    const box = /** @type {HTMLElement} */ (e.currentTarget).getBoundingClientRect();
    const ms = first + ((e.clientX - box.left) / box.width) * (last - first);
    (e.shiftKey ? onSince : onAt)(ms);
  };
  return html`<div class="time-bar" role="img" aria-label=${t.bar} title=${t.bar} onClick=${pick}>
    <div class="time-lane time-boots">
      ${lived.map((b, i) => html`<span key=${i} class=${"time-boot" + (i % 2 ? " odd" : "")} style=${place(b.from, b.to)} title=${`${t.kinds.boot} ${localTime(b.boot ?? b.from)}`}></span>`)}
    </div>
    <div class="time-lane time-findings">
      ${findings.map((f, i) => html`<span key=${i} class=${"time-finding sev-" + f.severity} style=${place(parseTime(f.at) ?? first, parseTime(f.until) ?? last)} title=${words(f)}></span>`)}
    </div>
    <div class="time-lane time-marks">
      ${marks.map((m, i) => html`<svg key=${i} class=${"time-mark kind-" + m.kind} style=${{ left: `${x(m.at).toFixed(3)}%` }} width="12" height="12" viewBox="0 0 12 12">
          <title>${(m.items.length > 1 ? t.many(m.items.length, t.kinds[m.kind]) + "\n" : "") + m.items.slice(0, 6).map((n) => `${localTime(n.at)} ${words(n)}`).join("\n")}</title>${SHAPES[m.kind]()}
        </svg>`)}
    </div>
    ${since === null ? null : html`<i class="time-line second" style=${{ left: `${x(since).toFixed(3)}%` }}></i>`}
    <i class="time-line" style=${{ left: `${x(at).toFixed(3)}%` }}></i>
  </div>`;
}

/** @param {{ items: HostHistoryItem[], onAt: (ms: number) => void }} props */
function List({ items, onAt }) {
  return html`<${Twin} title=${t.title} label=${t.list} rows=${items} columns=${[
    { key: "at", label: t.when, class: "nowrap", raw: (/** @type {HostHistoryItem} */ x) => x.at,
      cell: (/** @type {HostHistoryItem} */ x) => html`<button type="button" class="link-button" title=${t.go} onClick=${() => onAt(parseTime(x.at) ?? 0)}><${Time} value=${x.at} /></button>` },
    { key: "until", label: t.until, class: "nowrap", raw: (/** @type {HostHistoryItem} */ x) => x.until, cell: (/** @type {HostHistoryItem} */ x) => (x.until ? html`<${Time} value=${x.until} />` : null) },
    { key: "kind", label: t.what, raw: (/** @type {HostHistoryItem} */ x) => x.kind,
      cell: (/** @type {HostHistoryItem} */ x) => html`<span class="nowrap">${x.kind === "finding"
        ? html`<${SeverityMark} severity=${x.severity ?? "info"} size=${12} />`
        : SHAPES[x.kind] ? html`<svg class=${"time-mark-inline kind-" + x.kind} width="12" height="12" viewBox="0 0 12 12" aria-hidden="true">${SHAPES[x.kind]()}</svg>` : null} ${t.kinds[x.kind]}</span>` },
    { key: "name", label: t.name, raw: (/** @type {HostHistoryItem} */ x) => x.name,
      cell: (/** @type {HostHistoryItem} */ x) => x.kind === "finding" && x.finding_id ? html`<${FindingLink} id=${x.finding_id}><${Name} value=${x.name} /><//>` : x.kind === "driver" ? html`<${DriverName} name=${x.name} />` : html`<${Name} value=${x.name} none="" length=${40} />` },
    { key: "from", label: t.from, raw: (/** @type {HostHistoryItem} */ x) => x.from, cell: (/** @type {HostHistoryItem} */ x) => (["driver", "agent", "attribute"].includes(x.kind) ? html`<${Name} value=${x.from} none=${t.new} length=${40} />` : null) },
    { key: "to", label: t.to, raw: (/** @type {HostHistoryItem} */ x) => x.to, cell: (/** @type {HostHistoryItem} */ x) => (x.kind === "boot" ? null : html`<${Name} value=${x.to} none=${t.gone} length=${90} />`) },
  ]} />`;
}

/**
 * @param {{ host: HostDetail, at: number | null, since: number | null, sinceSet: boolean, history: Resource<List<HostHistoryItem>>, span: string }} props
 *        at: ms, null is now; since: the second moment as it is now; sinceSet: it is a time of its own
 */
export function Timeline({ host, at, since, sinceSet, history, span }) {
  const first = parseTime(host.first_snapshot_at);
  const last = parseTime(host.last_snapshot_at);
  const items = history.data?.items ?? [];
  const ready = first !== null && last !== null && last > first;
  const go = (/** @type {number} */ ms) => {
    if (ready) setQuery({ at: ms >= last - 30000 ? null : rfc3339(Math.max(first, ms)) });
  };
  const goSince = (/** @type {number} */ ms) => {
    if (ready) setQuery({ since: rfc3339(Math.max(first, Math.min(ms, last))) });
  };
  if (!ready) return null;
  const shown = at ?? last;
  const jump = (/** @type {1 | -1} */ way) => {
    const to = neighbour(items, shown, way);
    if (to !== null) go(to);
  };
  const typed = (/** @type {(ms: number) => void} */ then) => (/** @type {any} */ e) => {
    const ms = new Date(e.target.value).getTime();
    if (!Number.isNaN(ms)) then(ms);
  };
  return html`<section class="panel time-panel" aria-labelledby="time-h">
    <div class="panel-head">
      <h2 id="time-h">${t.title}</h2>
      <span class="muted">${html`<${Time} value=${host.first_snapshot_at} />`} \u2013 ${html`<${Time} value=${host.last_snapshot_at} />`}</span>
      <span class="push no-print"><${Select} label=${t.span} value=${span} options=${SPANS.map((s) => [s, t.spans[s]])} onChange=${(/** @type {string} */ v) => setQuery({ span: v === "7" ? null : v })} /></span>
    </div>
    <${StaleBar} resource=${history} />
    ${history.error && !history.data ? html`<p class="partial" role="status"><${SeverityMark} severity="warning" size=${14} label=${false} /> ${t.partial} <button type="button" class="button button-small" onClick=${history.reload}>${en.host.boots.retry}</button></p>` : null}
    <div class="time-lanes">
      <div class="time-names muted small" aria-hidden="true"><span>${t.boots}</span><span>${t.findings}</span><span>${t.changes}</span></div>
      <div class="time-body">
        <${Bar} first=${first} last=${last} at=${shown} since=${since} items=${items} boots=${host.boots} onAt=${go} onSince=${goSince} />
        <${Slider} label=${t.moment} first=${first} last=${last} value=${shown} onGo=${go} />
        ${sinceSet && since !== null ? html`<${Slider} label=${t.against} first=${first} last=${last} value=${since} onGo=${goSince} second />` : null}
      </div>
    </div>
    <div class="moment no-print" role="group" aria-label=${t.moment}>
      <span class="moment-steps">
        <button type="button" class="button button-small" title=${t.former} aria-label=${t.former} onClick=${() => jump(-1)}>\u2190</button>
        <button type="button" class="button button-small" title=${t.back} onClick=${() => go(shown - STEP)}>\u2212\u20091\u2009h</button>
        <button type="button" class="button button-small" title=${t.on} disabled=${at === null} onClick=${() => go(shown + STEP)}>+\u20091\u2009h</button>
        <button type="button" class="button button-small" title=${t.next} aria-label=${t.next} onClick=${() => jump(1)}>\u2192</button>
      </span>
      <input class="input" type="datetime-local" aria-label=${t.momentAt} value=${inputTime(shown)} min=${inputTime(first)} max=${inputTime(last)} onChange=${typed(go)} />
      ${at !== null
        ? html`<button type="button" class="button button-small" title=${t.nowTitle} onClick=${() => setQuery({ at: null })}>${t.now}</button>`
        : html`<span class="muted" title=${utcTime(last)}>${t.newest}</span>`}
      <span class="push"></span>
      ${sinceSet && since !== null
        ? html`<input class="input" type="datetime-local" aria-label=${t.againstAt} value=${inputTime(since)} min=${inputTime(first)} max=${inputTime(last)} onChange=${typed(goSince)} />
            <button type="button" class="button button-small" onClick=${() => setQuery({ since: null })}>${t.noSecond}</button>`
        : html`<button type="button" class="button button-small" onClick=${() => goSince(Math.max(first, shown - 24 * STEP))}>${t.second}</button>`}
    </div>
    ${history.data
      ? items.length
        ? html`<${List} items=${items} onAt=${go} />${history.data.next_cursor ? html`<p class="muted small">${t.cut(items.length)}</p>` : null}`
        : html`<${Empty} title=${t.none}><//>`
      : html`<div class="twin-hold"></div>`}
  </section>`;
}
