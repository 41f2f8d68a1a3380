// Hosts by the ten thousands as a table: only the rows in sight are in the document, the rest is
// height. Keys move a selected row, which stays in sight.
import { html, useEffect, useLayoutEffect, useRef, useState } from "../lib/ui.js";
import { hostHref, navigate, search } from "../lib/router.js";
import { share, word } from "../lib/fleet.js";
import { en } from "../lib/en.js";
import { UNKNOWN } from "../lib/format.js";
import { SEVERITIES } from "../lib/fleet.js";
import { Meter, SeverityBadge, SeverityMark, SimulatedBadge } from "./marks.js";
import { Name } from "./names.js";

const t = en.hosts;
export const ROW = 32;
const OVERSCAN = 12;
const HEAD = 34;

/** @param {string | null} reason */
function faultyBadge(reason) {
  if (reason === null) return null;
  const why = t.faultyWhy(t.faultyReasons[reason] ?? t.faultyReasons[""]);
  return html` <span class="badge badge-faulty" title=${why}>${t.faulty}<span class="offscreen">. ${why}</span></span>`;
}

/** @param {import("../lib/host_columns.js").HostColumn} column @param {import("../lib/fleet.js").Fleet} f @param {number} i @param {number} now */
function cell(column, f, i, now) {
  if (column.key === "name") {
    const name = html`<${Name} value=${f.names[i] ?? f.ids[i]} length=${28} />`;
    return html`${f.ids[i] === null ? name : html`<a class="host-link" tabindex="-1" href=${hostHref(/** @type {string} */ (f.ids[i]))}>${name}</a>`}${f.num.simulated?.[i] === 1 ? html` <${SimulatedBadge} />` : null}${faultyBadge(word(f, "faulty", i))}`;
  }
  if (column.key === "findings") {
    const severity = SEVERITIES[f.num.severity[i]];
    if (!severity) return html`<span class="muted">${t.none}</span>`;
    const badge = html`<${SeverityBadge} severity=${severity} />${f.num.findings[i] > 1 ? html` <span class="muted">${f.num.findings[i]}</span>` : null}`;
    return f.ids[i] === null ? badge : html`<a tabindex="-1" href=${"/findings" + search({ host: f.ids[i] })}>${badge}</a>`;
  }
  if (column.key === "share") {
    const part = share(f, i);
    return Number.isNaN(part) ? html`<span class="unknown">${UNKNOWN}</span>` : html`<span title=${column.text(f, i, now)}><${Meter} value=${part} max=${1} label=${t.heads.share} /></span>`;
  }
  if (column.key === "outlier_score") {
    const z = f.num.outlier_score[i];
    return z >= 5 ? html`<span class=${z >= 10 ? "score-high" : "score-raised"}><${Name} value=${column.text(f, i, now)} length=${24} /></span>` : html`<span class="muted">${Number.isNaN(z) ? "" : column.text(f, i, now)}</span>`;
  }
  if (column.key === "last_seen") {
    if (f.num.state[i] === 2) return html`<span class="badge" title=${t.awaiting + ". " + t.awaitingWhy}>${en.today.standingOf.awaiting}</span>`;
    return html`${f.num.state[i] === 1 ? html`<${SeverityMark} severity="warning" size=${12} /><span class="offscreen">${t.silentMark}</span>${" "}` : null}${column.text(f, i, now)}`;
  }
  return column.number ? column.text(f, i, now) : html`<${Name} value=${word(f, column.key, i)} length=${32} />`;
}

/**
 * @param {{ fleet: import("../lib/fleet.js").Fleet, rows: Int32Array, columns: import("../lib/host_columns.js").HostColumn[], sort: string,
 *           onSort: (sort: string) => void, label: string, ids: number }} props
 */
export function HostGrid({ fleet: f, rows, columns, sort, onSort, label }) {
  const scroller = useRef(/** @type {HTMLElement | null} */ (null));
  const frame = useRef(0);
  const [view, setView] = useState({ top: 0, height: 600 });
  const [active, setActive] = useState(/** @type {number | null} */ (null)); // a host's key
  const now = Date.now();

  const measure = () => {
    const el = scroller.current;
    if (!el) return;
    const top = el.scrollTop;
    const height = el.clientHeight;
    setView((old) => (old.top === top && old.height === height ? old : { top, height }));
  };
  useEffect(() => {
    const el = scroller.current;
    if (!el) return undefined;
    measure();
    const watcher = new ResizeObserver(measure);
    watcher.observe(el);
    return () => {
      watcher.disconnect();
      cancelAnimationFrame(frame.current);
    };
  }, []);
  useLayoutEffect(() => {
    if (scroller.current) scroller.current.scrollTop = 0;
    measure();
  }, [sort]);
  useLayoutEffect(measure, [rows.length]);

  const index = active === null ? -1 : rows.findIndex((i) => f.key[i] === active);
  const moveTo = (/** @type {number} */ to) => {
    if (!rows.length) return;
    const i = Math.max(0, Math.min(rows.length - 1, to));
    setActive(f.key[rows[i]]);
    const el = scroller.current;
    if (!el) return;
    const room = el.clientHeight - HEAD;
    if (i * ROW < el.scrollTop) el.scrollTop = i * ROW;
    else if ((i + 1) * ROW > el.scrollTop + room) el.scrollTop = (i + 1) * ROW - room;
  };
  const open = (/** @type {number} */ i) => {
    const id = f.ids[rows[i]];
    if (id) navigate(hostHref(id));
  };
  const onKey = (/** @type {KeyboardEvent} */ e) => {
    if (e.ctrlKey || e.metaKey || e.altKey || e.target !== scroller.current) return;
    const page = Math.max(1, Math.floor((scroller.current?.clientHeight ?? 400) / ROW) - 2);
    const to = { ArrowDown: index + 1, ArrowUp: index < 0 ? 0 : index - 1, PageDown: Math.max(0, index) + page, PageUp: Math.max(0, index) - page, Home: 0, End: rows.length - 1 }[e.key];
    if (to !== undefined) moveTo(to);
    else if (e.key === "Enter" && index >= 0) open(index);
    else return;
    e.preventDefault();
  };
  const sortBy = (/** @type {import("../lib/host_columns.js").HostColumn} */ c) => onSort(sort === c.key ? "-" + c.key : sort === "-" + c.key ? c.key : c.number || c.big ? "-" + c.key : c.key);

  const from = Math.max(0, Math.min(Math.floor(view.top / ROW) - OVERSCAN, rows.length - 1));
  const to = Math.min(rows.length, Math.ceil((view.top + view.height) / ROW) + OVERSCAN);
  const template = columns.map((c) => `minmax(${c.width}px, ${c.number ? 1 : 1.6}fr)`).join(" ");
  const least = columns.reduce((n, c) => n + c.width, 0);
  const shown = [];
  for (let i = from; i < to; i++) {
    const row = rows[i];
    shown.push(html`<div key=${i} id=${"host-" + i} class="hostgrid-row" role="row" aria-rowindex=${i + 2} aria-selected=${i === index ? "true" : "false"}
      style=${{ top: `${i * ROW}px`, gridTemplateColumns: template }} onClick=${() => setActive(f.key[row])} onDblClick=${() => open(i)}>
      ${columns.map((c) => html`<div key=${c.key} role="gridcell" class=${"hostgrid-cell" + (c.number ? " number" : "")}>${cell(c, f, row, now)}</div>`)}
    </div>`);
  }
  return html`<div class="hostgrid-scroll" ref=${scroller} tabindex="0" role="grid" aria-label=${label} aria-rowcount=${rows.length + 1} aria-colcount=${columns.length}
    aria-activedescendant=${index >= from && index < to ? "host-" + index : undefined} onKeyDown=${onKey}
    onScroll=${() => {
      cancelAnimationFrame(frame.current);
      frame.current = requestAnimationFrame(measure);
    }}>
    <div class="hostgrid-inner" role="presentation" style=${{ minWidth: `${least}px` }}>
      <div class="hostgrid-head" role="row" aria-rowindex="1" style=${{ gridTemplateColumns: template }}>
        ${columns.map((c) => {
          const on = sort === c.key || sort === "-" + c.key;
          const down = sort.startsWith("-");
          return html`<div key=${c.key} role="columnheader" class=${"hostgrid-cell" + (c.number ? " number" : "")} aria-sort=${on ? (down ? "descending" : "ascending") : undefined}>
            <button type="button" class=${"sort" + (on ? " sort-on" : "")} onClick=${() => sortBy(c)}>${/** @type {Record<string, string>} */ (t.heads)[c.key]}<span class="sort-arrow" aria-hidden="true">${on ? (down ? "\u2193" : "\u2191") : ""}</span></button>
          </div>`;
        })}
      </div>
      <div class="hostgrid-body" role="presentation" style=${{ height: `${rows.length * ROW}px` }}>${shown}</div>
    </div>
  </div>`;
}
