// Hosts per size, hour by hour: colour by the share of hosts, so that a fleet that grows keeps its
// look. Drawn to canvas; the cursor moves by pointer or arrow keys and a line of text reads it.
import { html, useEffect, useMemo, useRef, useState } from "../lib/ui.js";
import { bytes, localTime, timeTicks } from "../lib/format.js";
import { plural } from "../lib/text.js";
import { en } from "../lib/en.js";
import { onLook } from "./look.js";
import { RegionForm } from "./region.js";
import { useWidth } from "./width.js";

const LEFT = 62;
const FOOT = 22;
const ROW = 13;
const TICK_HOURS = [1, 2, 3, 6, 12, 24, 48, 72, 96, 168, 336, 672];
const TICK_ROOM = 110; // of a date with an hour
const t = en.tag;

/** @param {string} name */
const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

/** Rows in use, from the smallest to the largest bucket that ever held a host. @param {TagBuckets} b */
export function bucketSpan(b) {
  let from = b.low.length;
  let to = 0;
  for (const hour of b.hosts) hour.forEach((n, k) => n && ((from = Math.min(from, k)), (to = Math.max(to, k))));
  return from > to ? [0, 0] : [from, to];
}

/** @param {{ b: TagBuckets, tag: string, onRegion: (low: number | null, high: number | null) => void }} props */
export function Heatmap({ b, tag, onRegion }) {
  const box = useRef(/** @type {HTMLDivElement | null} */ (null));
  const canvas = useRef(/** @type {HTMLCanvasElement | null} */ (null));
  const width = useWidth(box);
  const [from, to] = useMemo(() => bucketSpan(b), [b]);
  const rows = to - from + 1;
  const height = rows * ROW + FOOT;
  const [cursor, setCursor] = useState(/** @type {{ t: number, k: number } | null} */ (null));
  const [range, setRange] = useState(/** @type {[number, number] | null} */ (null));
  const drag = useRef(/** @type {number | null} */ (null));
  const [theme, setTheme] = useState(0);
  const step = (width - LEFT - 4) / Math.max(1, b.t.length);
  const y = (/** @type {number} */ k) => (to - k) * ROW;

  useEffect(() => onLook(() => setTheme((n) => n + 1)), []);

  useEffect(() => {
    const el = canvas.current;
    const ctx = el?.getContext("2d");
    if (!el || !ctx) return;
    const ratio = devicePixelRatio || 1;
    el.width = width * ratio;
    el.height = height * ratio;
    ctx.scale(ratio, ratio);
    ctx.clearRect(0, 0, width, height);
    const ink = css("--chart-1");
    b.hosts.forEach((hour, i) => {
      const all = hour.reduce((a, n) => a + n, 0) || 1;
      for (let k = from; k <= to; k++) {
        const n = hour[k] ?? 0;
        ctx.globalAlpha = n ? 0.14 + 0.86 * Math.sqrt(n / all) : 1;
        ctx.fillStyle = n ? ink : css("--sunken");
        ctx.fillRect(LEFT + i * step, y(k), Math.max(1, step - (step > 4 ? 1 : 0)), ROW - 1);
      }
    });
    ctx.globalAlpha = 1;
    ctx.fillStyle = css("--text-3");
    ctx.font = `11px ${css("--font")}`;
    ctx.textAlign = "right";
    for (let k = from; k <= to; k += Math.max(1, Math.ceil(rows / 12))) ctx.fillText(bytes(b.low[k]), LEFT - 6, y(k) + ROW - 3);
    // Marks at round hours of the reader's clock, evenly apart.
    const hours = b.step_seconds / 3600;
    const apart = Math.max(1, Math.round((TICK_HOURS.find((h) => (h / hours) * step >= TICK_ROOM) ?? TICK_HOURS[TICK_HOURS.length - 1]) / hours));
    const part = (/** @type {number} */ at) => Math.floor((at - new Date(at * 1000).getTimezoneOffset() * 60) / b.step_seconds / apart);
    const marked = b.t.flatMap((at, i) => (i > 0 && part(at) !== part(b.t[i - 1]) ? [i] : []));
    const words = timeTicks(marked.map((i) => b.t[i]), 3600).map((text) => text.split("\n").reverse().join(", "));
    let free = LEFT;
    marked.forEach((i, k) => {
      const wide = ctx.measureText(words[k]).width;
      const px = Math.min(LEFT + i * step, width - 4 - wide);
      if (px < free) return;
      ctx.textAlign = "left";
      ctx.fillText(words[k], px, height - 6);
      free = px + wide + 16;
    });
  }, [b, width, theme]);

  const place = (/** @type {PointerEvent} */ e) => {
    const r = /** @type {Element} */ (e.currentTarget).getBoundingClientRect();
    return {
      t: Math.max(0, Math.min(b.t.length - 1, Math.floor((e.clientX - r.left - LEFT) / step))),
      k: Math.max(from, Math.min(to, to - Math.floor((e.clientY - r.top) / ROW))),
    };
  };
  const key = (/** @type {KeyboardEvent} */ e) => {
    const now = cursor ?? { t: b.t.length - 1, k: to };
    const by = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1], Home: [-b.t.length, 0], End: [b.t.length, 0] }[e.key];
    if (by) {
      const next = { t: Math.max(0, Math.min(b.t.length - 1, now.t + by[0])), k: Math.max(from, Math.min(to, now.k + by[1])) };
      setCursor(next);
      if (e.shiftKey) {
        const anchor = range ?? [now.k, now.k];
        const still = anchor[0] === now.k ? anchor[1] : anchor[0];
        setRange([Math.min(still, next.k), Math.max(still, next.k)]);
      } else setRange([next.k, next.k]);
    } else if (e.key === "Escape") setRange(null);
    else if (e.key === "Enter" && range) onRegion(b.low[range[0]], lastOf(range[1]));
    else return;
    e.preventDefault();
  };
  const lastOf = (/** @type {number} */ k) => (k === 0 ? 0 : b.low[k] * 2 - 1);
  const total = cursor ? b.hosts[cursor.t].reduce((a, n) => a + n, 0) : 0;
  const said = cursor
    ? t.cellIs(localTime(b.t[cursor.t] * 1000), bytes(b.low[cursor.k]), bytes(lastOf(cursor.k) + 1), plural(b.hosts[cursor.t][cursor.k] ?? 0, "host"), total)
    : t.heatHint;

  return html`<div ref=${box}>
    <div class="heat" role="slider" tabindex="0" aria-label=${t.heatLabel(tag, b.t.length)} aria-orientation="vertical" aria-valuemin=${from} aria-valuemax=${to} aria-valuenow=${cursor?.k ?? to} aria-valuetext=${said}
      style=${{ height: height + "px" }} onKeyDown=${key}
      onPointerDown=${(/** @type {any} */ e) => {
        drag.current = place(e).k;
        e.currentTarget.setPointerCapture(e.pointerId);
      }}
      onPointerMove=${(/** @type {any} */ e) => {
        const p = place(e);
        setCursor((old) => (old && old.t === p.t && old.k === p.k ? old : p));
        if (drag.current !== null) setRange([Math.min(drag.current, p.k), Math.max(drag.current, p.k)]);
      }}
      onPointerUp=${(/** @type {any} */ e) => {
        if (drag.current !== null && drag.current === place(e).k) setRange([drag.current, drag.current]);
        drag.current = null;
      }}>
      <canvas ref=${canvas} style=${{ width: width + "px", height: height + "px" }} aria-hidden="true"></canvas>
      ${range ? html`<span class="heat-range" style=${{ top: y(range[1]) + "px", left: LEFT + "px", height: (range[1] - range[0] + 1) * ROW + "px" }}></span>` : null}
      ${cursor ? html`<span class="heat-cursor" style=${{ top: y(cursor.k) + "px", left: LEFT + cursor.t * step + "px", width: Math.max(3, step) + "px", height: ROW + "px" }}></span>` : null}
    </div>
    <p class="small heat-said" role="status">${said}</p>
    <${RegionForm} id="heat-region" low=${range ? b.low[range[0]] : null} high=${range ? lastOf(range[1]) : null} format=${bytes} onRegion=${onRegion} />
    <p class="small muted">${t.heatNow}</p>
  </div>`;
}
