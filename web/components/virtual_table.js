// A real table of thousands of rows, of which only those in sight exist: rows of one height, spacers
// above and below. Sorting and filtering are the caller's; keys move the reader's row. A row of the
// document belongs to a place, not to what stands there: another order is other text in the same rows.
import { html, useEffect, useLayoutEffect, useRef, useState } from "../lib/ui.js";

const OVERSCAN = 10;

/**
 * @param {{ columns: import("./table.js").Column[], rows: any[], rowKey: (row: any) => string, caption: string, sort: string,
 *           onSort: (sort: string) => void, onOpen: (row: any) => void, row?: number }} props row: height in px
 */
export function VirtualTable({ columns, rows, rowKey, caption, sort, onSort, onOpen, row = 30 }) {
  const scroller = useRef(/** @type {HTMLDivElement | null} */ (null));
  const [view, setView] = useState({ top: 0, height: 640 });
  const [active, setActive] = useState(-1);
  const frame = useRef(0);
  const measure = () => {
    const el = scroller.current;
    if (el) setView((old) => (old.top === el.scrollTop && old.height === el.clientHeight ? old : { top: el.scrollTop, height: el.clientHeight }));
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
    setActive(-1);
  }, [sort, rows.length]);

  const key = (/** @type {KeyboardEvent} */ e) => {
    if (e.ctrlKey || e.metaKey || e.altKey || /** @type {Element} */ (e.target) !== scroller.current) return;
    const page = Math.max(1, Math.floor(view.height / row) - 2);
    const by = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -rows.length, End: rows.length }[e.key];
    if (e.key === "Enter" && active >= 0 && rows[active]) onOpen(rows[active]);
    else if (by !== undefined && rows.length) {
      const to = Math.max(0, Math.min(rows.length - 1, (active < 0 && by > 0 ? -1 : active) + by));
      setActive(to);
      const el = /** @type {HTMLDivElement} */ (scroller.current);
      if (to * row < el.scrollTop) el.scrollTop = to * row;
      else if ((to + 1) * row > el.scrollTop + el.clientHeight - 40) el.scrollTop = (to + 1) * row - el.clientHeight + 40;
    } else return;
    e.preventDefault();
  };
  const next = (/** @type {import("./table.js").Column} */ c) => {
    const down = "-" + c.sort;
    return sort === down ? String(c.sort) : sort === c.sort ? down : c.number ? down : String(c.sort);
  };
  const from = Math.max(0, Math.floor(view.top / row) - OVERSCAN);
  const to = Math.min(rows.length, Math.ceil((view.top + view.height) / row) + OVERSCAN);
  return html`<div class="table-wrap virtual" ref=${scroller} tabindex="0" role="region" aria-label=${caption} onKeyDown=${key}
    onScroll=${() => {
      cancelAnimationFrame(frame.current);
      frame.current = requestAnimationFrame(measure);
    }}>
    <table class="table table-compact" aria-rowcount=${rows.length + 1}>
      <caption class="offscreen">${caption}</caption>
      <thead><tr aria-rowindex="1">${columns.map((c) => {
        const on = c.sort && (sort === c.sort || sort === "-" + c.sort);
        return html`<th key=${c.key} scope="col" class=${(c.number ? "number " : "") + (c.class ?? "")} title=${c.hint} aria-sort=${on ? (sort.startsWith("-") ? "descending" : "ascending") : undefined}>
          ${c.sort ? html`<button type="button" class=${"sort" + (on ? " sort-on" : "")} onClick=${() => onSort(next(c))}>${c.label}<span class="sort-arrow" aria-hidden="true">${on ? (sort.startsWith("-") ? "\u2193" : "\u2191") : ""}</span></button>` : c.label}</th>`;
      })}</tr></thead>
      ${from > 0 ? html`<tbody aria-hidden="true"><tr style=${{ height: from * row + "px" }}></tr></tbody>` : null}
      <tbody>${rows.slice(from, to).map((r, k) => html`<tr key=${from + k} aria-rowindex=${from + k + 2} class=${from + k === active ? "row-active" : ""} style=${{ height: row + "px" }}>
        ${columns.map((c) => html`<td key=${c.key} class=${(c.number ? "number " : "") + (c.class ?? "")}>${c.cell(r)}</td>`)}</tr>`)}</tbody>
      ${to < rows.length ? html`<tbody aria-hidden="true"><tr style=${{ height: (rows.length - to) * row + "px" }}></tr></tbody>` : null}
    </table>
    <span class="offscreen" role="status">${active >= 0 && rows[active] ? rowKey(rows[active]) : ""}</span>
  </div>`;
}
