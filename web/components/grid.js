// The poolmon table: thousands of rows, of which only those in sight exist. Keys as in poolmon.
import { html, useEffect, useLayoutEffect, useRef, useState } from "../lib/ui.js";
import { bytes, bytesChange, count, countChange, UNKNOWN } from "../lib/format.js";
import { en } from "../lib/en.js";
import { Name, TagChip } from "./names.js";
import { Score } from "./score.js";

const t = en.host.tags;
const ROW = 25;
const OVERSCAN = 12;

/** @type {Record<string, string>} */
const heads = t.heads;

/** poolmon's "(change)" behind a value. @param {number | null} v @param {(n: number | null) => string} format @param {boolean} [tone] growth stands out */
function Delta(v, format, tone = false) {
  if (v === null) return null;
  return html`<span class=${"delta" + (tone && v > 0 ? " delta-up" : "")}>(${v === 0 ? "0" : format(v)})</span>`;
}

/** Heads are in en.js by key. @type {{ key: string, number?: boolean, hint?: string, of?: string, cell: (r: HostTag, delta: boolean) => any }[]} */
const COLUMNS = [
  { key: "tag", hint: "t", cell: (r) => html`<${TagChip} tag=${r.tag} pool=${r.pool} plain />` },
  { key: "pool", cell: (r) => t.types[r.pool] },
  { key: "allocs", of: "allocs", number: true, hint: "a", cell: (r, d) => html`${count(r.allocs)}${d ? Delta(r.delta_allocs, countChange) : null}` },
  { key: "frees", of: "frees", number: true, hint: "f", cell: (r, d) => html`${count(r.frees)}${d ? Delta(r.delta_frees, countChange) : null}` },
  { key: "diff", of: "outstanding", number: true, hint: "d", cell: (r) => count(r.outstanding) },
  { key: "bytes", of: "bytes", number: true, hint: "b", cell: (r, d) => html`<span title=${r.bytes === null ? undefined : t.exact(count(r.bytes))}>${bytes(r.bytes)}</span>${d ? Delta(r.delta_bytes, bytesChange, true) : null}` },
  { key: "each", number: true, hint: "m", cell: (r) => count(r.bytes_per_alloc === null ? null : Math.round(r.bytes_per_alloc)) },
  { key: "cohort", number: true, cell: (r) => html`<span title=${r.cohort_hosts ? t.medianOf(count(r.cohort_hosts)) : undefined}>${bytes(r.cohort_bytes)}</span>` },
  { key: "score", number: true, hint: "s", cell: (r) => html`<${Score} value=${r.score} bytes=${r.bytes} peers=${r.cohort_bytes} hosts=${r.cohort_hosts} />` },
  {
    key: "driver", cell: (r) =>
      r.driver || r.description
        ? html`<span title=${r.description ?? undefined}>${r.driver ? html`<${Name} value=${r.driver} length=${40} />` : html`<span class="muted"><${Name} value=${r.description} length=${60} /></span>`}</span>`
        : html`<span class="unknown">${UNKNOWN}</span>`,
  },
];

/**
 * @param {{ rows: HostTag[], order: { key: string, change: boolean, up: boolean }, onSort: (key: string) => void, delta: boolean,
 *           active: string | null, onActive: (key: string, row: HostTag) => void, onOpen: (row: HostTag) => void, onSeries: (row: HostTag) => void,
 *           label: string, moved?: Map<string, Record<string, number>>, stamp?: string }} props
 *        active: key of the selected row; moved: figures that changed with the refresh named by stamp
 */
export function Grid({ rows, order, onSort, delta, active, onActive, onOpen, onSeries, label, moved, stamp = "" }) {
  const scroller = useRef(/** @type {HTMLDivElement | null} */ (null));
  const [view, setView] = useState({ top: 0, height: 600 });
  const frame = useRef(0);

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

  const index = active === null ? -1 : rows.findIndex((r) => rowKey(r) === active);

  // The selected row stays in sight when keys move it or another order carries it away.
  const show = (/** @type {number} */ i) => {
    const el = scroller.current;
    if (!el || i < 0) return;
    const top = i * ROW;
    const room = el.clientHeight - 33;
    if (top < el.scrollTop) el.scrollTop = top;
    else if (top + ROW > el.scrollTop + room) el.scrollTop = top + ROW - room;
  };
  useLayoutEffect(() => {
    if (scroller.current) scroller.current.scrollTop = 0;
  }, [order.key, order.change, order.up]);

  const move = (/** @type {number} */ to) => {
    const i = Math.max(0, Math.min(rows.length - 1, to));
    if (!rows.length) return;
    onActive(rowKey(rows[i]), rows[i]);
    show(i);
  };
  const onKey = (/** @type {KeyboardEvent} */ e) => {
    if (e.ctrlKey || e.metaKey || e.altKey) return;
    const page = Math.max(1, Math.floor((scroller.current?.clientHeight ?? 400) / ROW) - 2);
    if (e.key === "ArrowDown") move(index + 1);
    else if (e.key === "ArrowUp") move(index < 0 ? 0 : index - 1);
    else if (e.key === "PageDown") move(index + page);
    else if (e.key === "PageUp") move(index - page);
    else if (e.key === "Home") move(0);
    else if (e.key === "End") move(rows.length - 1);
    else if (e.key === "Enter" && index >= 0) onOpen(rows[index]);
    else if (e.key === "c" && index >= 0) onSeries(rows[index]);
    else return;
    e.preventDefault();
  };

  const from = Math.max(0, Math.floor(view.top / ROW) - OVERSCAN);
  const to = Math.min(rows.length, Math.ceil((view.top + view.height) / ROW) + OVERSCAN);
  return html`<div class=${"grid" + (delta ? " grid-delta" : "")}>
    <div
      class="grid-scroll"
      ref=${scroller}
      tabindex="0"
      role="grid"
      aria-label=${label}
      aria-rowcount=${rows.length + 1}
      aria-colcount=${COLUMNS.length}
      aria-activedescendant=${index >= from && index < to ? "row-" + index : undefined}
      onScroll=${() => {
        cancelAnimationFrame(frame.current);
        frame.current = requestAnimationFrame(measure);
      }}
      onKeyDown=${onKey}
    >
      <div class="grid-inner" role="presentation">
        <div class="grid-head" role="row" aria-rowindex="1">
          ${COLUMNS.map((c) => {
            const on = order.key === c.key;
            const text = ["tag", "pool", "driver"].includes(c.key);
            const down = text ? order.up : !order.up;
            return html`<div key=${c.key} role="columnheader" class=${"grid-cell" + (c.number ? " number" : "")} aria-sort=${on ? (down ? "descending" : "ascending") : undefined}>
              <button type="button" tabindex="-1" class=${"sort" + (on ? " sort-on" : "")} title=${c.hint ? t.keyOf(c.hint) : undefined} onClick=${() => onSort(c.key)}
                >${heads[c.key]}<span class="sort-arrow" aria-hidden="true">${on ? (order.change ? "(\u2193)" : down ? "\u2193" : "\u2191") : ""}</span></button>
            </div>`;
          })}
        </div>
        <div class="grid-body" role="presentation" style=${{ height: `${rows.length * ROW}px` }}>
          ${rows.slice(from, to).map((row, k) => {
            const i = from + k;
            return html`<div
              key=${rowKey(row)}
              id=${"row-" + i}
              class="grid-row"
              role="row"
              aria-rowindex=${i + 2}
              aria-selected=${i === index ? "true" : "false"}
              style=${{ top: `${i * ROW}px` }}
              onClick=${() => {
                onActive(rowKey(row), row);
                onSeries(row);
              }}
              onDblClick=${() => onOpen(row)}
            >
              ${COLUMNS.map((c) => {
                const way = c.of ? moved?.get(rowKey(row))?.[c.of] : undefined;
                // The key starts the fading mark anew with each refresh.
                return html`<div key=${way ? c.key + stamp : c.key} role="gridcell" class=${"grid-cell" + (c.number ? " number" : "") + (way ? (way > 0 ? " moved-up" : " moved-down") : "")}>${c.cell(row, delta)}</div>`;
              })}
            </div>`;
          })}
        </div>
      </div>
    </div>
  </div>`;
}

/** @param {HostTag} row */
export function rowKey(row) {
  return row.pool + "/" + row.tag;
}
