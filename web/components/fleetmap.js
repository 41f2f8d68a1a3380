// The fleet as a canvas of cells. Cells are painted once as pixels and again only when something
// changed or was scrolled; the cursor is on a canvas of its own, so that moving it costs two strokes.
// Groups' heads are real buttons over it. Every host is in some cell.
import { html, useLayoutEffect, useMemo, useRef, useState } from "../lib/ui.js";
import { cellAt, cellBox, cellOf, cellRows, HEADER, layout, move } from "../lib/maplayout.js";
import { paint, palette, stamps } from "../lib/mappaint.js";
import { cut, visible } from "../lib/text.js";
import { count } from "../lib/format.js";
import { en } from "../lib/en.js";
import { onLook } from "./look.js";

const t = en.map;

/**
 * @typedef {object} MapProps
 * @property {Int32Array} order   rows of the fleet as they stand
 * @property {{ label: string, count: number, key: string | null }[]} groups   key null: cannot be shown alone
 * @property {import("../lib/mapcolour.js").Class[]} classes
 * @property {Uint8Array} klass   per row of the fleet
 * @property {Uint8Array | null} size   per row of the fleet, 0..3
 * @property {number} cell  0: as fits
 * @property {(row: number) => string} say   one host in words
 * @property {(row: number) => void} onOpen
 * @property {(key: string) => void} onZoom
 * @property {(by: number) => void} onCell   bigger or smaller cells
 * @property {number} height
 */

/** @param {MapProps} props */
export function FleetMap(props) {
  const { order, groups, classes, klass, size, say } = props;
  const view = useRef(/** @type {HTMLElement | null} */ (null));
  const base = useRef(/** @type {HTMLCanvasElement | null} */ (null));
  const over = useRef(/** @type {HTMLCanvasElement | null} */ (null));
  const line = useRef(/** @type {HTMLElement | null} */ (null));
  const live = useRef(/** @type {HTMLElement | null} */ (null));
  const [width, setWidth] = useState(0);
  const [look, relook] = useState(0); // theme, print, pixel ratio
  const state = useRef(/** @type {any} */ ({ cursor: null, drawn: null, frame: 0, image: null, top: -1 })).current;

  useLayoutEffect(() => {
    const el = view.current;
    if (!el) return undefined;
    const measure = () => setWidth(Math.floor(el.clientWidth));
    measure();
    const watcher = new ResizeObserver(measure);
    watcher.observe(el);
    const again = () => relook((n) => n + 1);
    const look = onLook(again);
    const pixels = matchMedia(`(resolution: ${devicePixelRatio}dppx)`);
    pixels.addEventListener("change", again);
    return () => {
      watcher.disconnect();
      look();
      pixels.removeEventListener("change", again);
      cancelAnimationFrame(state.frame);
    };
  }, []);

  const counts = groups.map((g) => g.count);
  const l = useMemo(() => (width > 0 ? layout(counts, width, props.height, props.cell) : null), [counts.join(), width, props.height, props.cell]);
  const steps = size ? 4 : 1;
  const high = l ? Math.min(props.height, Math.max(l.height, 80)) : props.height;
  // Print shows everything at once.
  const room = l && matchMedia("print").matches ? l.height : high;

  const stampOf = (/** @type {number} */ place, /** @type {number} */ end) => {
    let best = order[place];
    for (let k = place + 1; k < end; k++) if (classes[klass[order[k]]].loud > classes[klass[best]].loud) best = order[k];
    return klass[best] * steps + (size ? size[best] : 0);
  };

  const scale = Math.min(2, devicePixelRatio || 1);
  const draw = () => {
    const canvas = base.current;
    if (!canvas || !l || width === 0) return;
    const w = Math.round(width * scale);
    const h = Math.round(room * scale);
    const c = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
    if (!state.image || state.image.width !== w || state.image.height !== h) {
      canvas.width = w;
      canvas.height = h;
      state.image = c.createImageData(w, h);
      state.pixels = new Uint32Array(state.image.data.buffer);
    }
    state.top = view.current?.scrollTop ?? 0;
    paint(state.pixels, w, h, l, scale, Math.round(state.top * scale), stampOf, state.stamps);
    c.putImageData(state.image, 0, 0);
  };
  const drawCursor = () => {
    const canvas = over.current;
    if (!canvas || !l) return;
    const w = Math.round(width * scale);
    const h = Math.round(room * scale);
    const c = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
    if (canvas.width !== w || canvas.height !== h) {
      canvas.width = w;
      canvas.height = h;
      state.drawn = null;
    }
    const d = state.drawn;
    if (d) c.clearRect(d.x, d.y, d.s, d.s);
    state.drawn = null;
    if (!state.cursor) return;
    const box = cellBox(l, state.cursor);
    const x = Math.round(box.x * scale), y = Math.round((box.y - state.top) * scale), s = Math.round(box.size * scale);
    const ring = Math.max(2, Math.round(2 * scale));
    c.lineWidth = ring;
    c.strokeStyle = state.colours.ground;
    c.strokeRect(x - ring * 1.5, y - ring * 1.5, s + ring * 3 - 1, s + ring * 3 - 1);
    c.strokeStyle = state.colours.cursor;
    c.strokeRect(x - ring / 2, y - ring / 2, s + ring - 1, s + ring - 1);
    state.drawn = { x: x - ring * 3, y: y - ring * 3, s: s + ring * 6 };
  };

  useLayoutEffect(() => {
    if (!l || !view.current) return;
    state.colours = palette(view.current);
    state.stamps = stamps(classes.map((c) => c.sign), Math.max(2, Math.round(l.cell * scale)), steps, state.colours);
    if (state.cursor && (state.cursor.block >= l.blocks.length || state.cursor.unit >= l.blocks[state.cursor.block].units)) state.cursor = null;
    draw();
    state.drawn = null;
    over.current?.getContext("2d")?.clearRect(0, 0, over.current.width, over.current.height);
    drawCursor();
  }, [l, order, klass, size, classes, look, scale, room]);

  /** What the cell under the cursor is. @param {{ block: number, unit: number }} at */
  const words = (at) => {
    if (!l) return "";
    const [from, to] = cellRows(l, at);
    if (to - from === 1) return `${say(order[from])}. ${t.opens}`;
    const by = new Map();
    for (let k = from; k < to; k++) by.set(klass[order[k]], (by.get(klass[order[k]]) ?? 0) + 1);
    const parts = [...by].sort((a, b) => classes[b[0]].loud - classes[a[0]].loud).map(([k, n]) => `${n} ${classes[k].label}`);
    return `${groups[at.block].label}: ${t.cell(to - from, parts.join(", "))}. ${t.zooms}`;
  };
  const point = (/** @type {{ block: number, unit: number } | null} */ at, /** @type {boolean} */ spoken) => {
    const old = state.cursor;
    if (old && at && old.block === at.block && old.unit === at.unit) return;
    state.cursor = at;
    const text = at ? words(at) : t.here;
    if (line.current) line.current.textContent = text;
    if (spoken && live.current) live.current.textContent = text;
    cancelAnimationFrame(state.frame);
    state.frame = requestAnimationFrame(() => {
      if (view.current && view.current.scrollTop !== state.top) draw();
      drawCursor();
    });
  };
  const act = (/** @type {{ block: number, unit: number }} */ at) => {
    if (!l) return;
    const [from, to] = cellRows(l, at);
    const key = groups[at.block].key;
    if (to - from === 1) props.onOpen(order[from]);
    else if (key !== null && groups.length > 1) props.onZoom(key);
    else props.onCell(1);
  };
  const at = (/** @type {MouseEvent} */ e) => {
    const box = base.current?.getBoundingClientRect();
    return l && box ? cellAt(l, e.clientX - box.left, e.clientY - box.top + (view.current?.scrollTop ?? 0)) : null;
  };
  const onKey = (/** @type {KeyboardEvent} */ e) => {
    if (e.ctrlKey || e.metaKey || e.altKey || e.target !== view.current || !l || !l.blocks.length) return;
    const cursor = state.cursor;
    let to = null;
    if (/^(Arrow|Page|Home|End)/.test(e.key)) to = cursor ? move(l, cursor, e.key) : { block: 0, unit: 0 };
    else if (e.key === "n") {
      const begin = cursor ? cellRows(l, cursor)[1] : 0;
      for (let k = 0; k < order.length && !to; k++) {
        const place = (begin + k) % order.length;
        if (classes[klass[order[place]]].loud > 0 && classes[klass[order[place]]].sign !== "unknown") to = cellOf(l, place);
      }
    } else if (e.key === "Enter" && cursor) act(cursor);
    else if (e.key === "z" && cursor && groups[cursor.block].key !== null) props.onZoom(/** @type {string} */ (groups[cursor.block].key));
    else if (e.key === "+" || e.key === "=") props.onCell(1);
    else if (e.key === "-") props.onCell(-1);
    else if (e.key === "Escape" && cursor) point(null, false);
    else return;
    e.preventDefault();
    if (!to) return;
    const box = cellBox(l, to);
    const el = view.current;
    if (el && box.y - HEADER < el.scrollTop) el.scrollTop = box.y - HEADER;
    else if (el && box.y + box.size > el.scrollTop + el.clientHeight) el.scrollTop = box.y + box.size - el.clientHeight;
    point(to, true);
  };
  /** Dragging pans where there is more than fits. */
  const drag = useRef(/** @type {{ y: number, top: number, moved: boolean } | null} */ (null));

  return html`<div class="fleetmap">
    <div class="fleetmap-view" ref=${view} tabindex="0" role="application" aria-label=${t.label} aria-describedby="map-help map-summary" style=${{ height: `${room}px` }}
      onKeyDown=${onKey}
      onScroll=${() => {
        cancelAnimationFrame(state.frame);
        state.frame = requestAnimationFrame(() => {
          draw();
          drawCursor();
        });
      }}
      onPointerDown=${(/** @type {PointerEvent} */ e) => (drag.current = e.pointerType === "mouse" ? { y: e.clientY, top: view.current?.scrollTop ?? 0, moved: false } : null)}
      onPointerMove=${(/** @type {PointerEvent} */ e) => {
        const d = drag.current;
        if (d && e.buttons === 1 && l && l.height > room && view.current) {
          if (Math.abs(e.clientY - d.y) > 4) d.moved = true;
          if (d.moved) view.current.scrollTop = d.top + d.y - e.clientY;
        }
        point(at(e), false);
      }}
      onPointerLeave=${() => point(null, false)}
      onClick=${(/** @type {MouseEvent} */ e) => {
        if (drag.current?.moved || /** @type {Element} */ (e.target).closest("button")) return;
        const cell = at(e);
        if (cell) act(cell);
      }}>
      <div class="fleetmap-content" style=${{ height: `${l ? Math.max(l.height, room) : room}px` }}>
        <canvas class="fleetmap-canvas" ref=${base} aria-hidden="true" style=${{ width: `${width}px`, height: `${room}px` }}></canvas>
        <canvas class="fleetmap-canvas fleetmap-over" ref=${over} aria-hidden="true" style=${{ width: `${width}px`, height: `${room}px`, marginTop: `-${room}px` }}></canvas>
        ${l ? l.blocks.map((b, k) => {
          const g = groups[k];
          const place = { left: `${b.x}px`, top: `${b.y - HEADER}px`, maxWidth: `${Math.max(b.w, 60)}px` };
          const inside = html`<bdi>${cut(visible(g.label), 40)}</bdi> <span>${count(g.count)}</span>`;
          return g.key !== null && groups.length > 1
            ? html`<button key=${k} type="button" class="fleetmap-group" style=${place} onClick=${() => props.onZoom(/** @type {string} */ (g.key))} title=${visible(g.label)}>${inside}</button>`
            : html`<span key=${k} class="fleetmap-group" style=${place} title=${visible(g.label)}>${inside}</span>`;
        }) : null}
      </div>
    </div>
    <p class="fleetmap-line" ref=${line}>${t.here}</p>
    ${l && l.per > 1 ? html`<p class="note" role="note">${t.each(l.per)}</p>` : null}
    <p class="offscreen" id="map-help">${t.help}</p>
    <p class="offscreen" aria-live="polite" ref=${live}></p>
  </div>`;
}
