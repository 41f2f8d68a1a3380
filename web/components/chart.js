// The one wrapper around uPlot: loads it when first needed, owns size, theme and disposal.
import { html, useEffect, useRef, useState } from "../lib/ui.js";
import { localTime, timeTicks } from "../lib/format.js";
import { en } from "../lib/en.js";
import { onLook } from "./look.js";

/** @type {Promise<any> | null} */
let library = null;

function loadLibrary() {
  library ??= new Promise((resolve, reject) => {
    const style = document.createElement("link");
    style.rel = "stylesheet";
    style.href = "/vendor/uplot.css";
    const script = document.createElement("script");
    script.src = "/vendor/uplot.js";
    script.onload = () => resolve(window.uPlot);
    script.onerror = () => {
      library = null;
      reject(new Error(en.shell.notLoaded));
    };
    document.head.append(style, script);
  });
  return library;
}

/** @param {string} name */
const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

/** Steps of an axis in bytes: powers of two, so that ticks are whole MB and GB. */
const POWERS = Array.from({ length: 51 }, (_, i) => 2 ** i);

/**
 * @typedef {object} Line
 * @property {string} label
 * @property {(number | null)[]} values
 * @property {(number | null)[]} [min]  with max: a band of what the spans held beside the value
 * @property {(number | null)[]} [max]
 * @property {string} [color]  token name
 * @property {boolean} [fill]
 * @property {boolean} [hatch] stacked: the part that nothing is known of
 * @property {number} [width]
 * @property {number[]} [dash]
 */

/** A word per mark; kinds have dashes of their own, so that they differ without colour. @type {Record<string, number[]>} */
const DASHES = { boot: [], driver: [6, 3], agent: [2, 2], event: [1, 3], finding: [8, 2, 2, 2], at: [], since: [5, 5] };

/** Vertical lines with a word, for boots and the like. @param {() => { t: number, label: string, kind?: string }[]} marks asked each time it is drawn */
function marksPlugin(marks) {
  return {
    hooks: {
      draw: (/** @type {any} */ u) => {
        const { ctx, bbox } = u;
        const ratio = devicePixelRatio || 1;
        ctx.save();
        ctx.lineWidth = ratio;
        ctx.font = `${11 * ratio}px ${css("--font")}`;
        // Words that would lie on one another are left out; the list below the time bar has them all.
        let free = -Infinity;
        for (const mark of marks().slice().sort((a, b) => a.t - b.t)) {
          const x = Math.round(u.valToPos(mark.t, "x", true));
          if (x < bbox.left || x > bbox.left + bbox.width) continue;
          const chosen = mark.kind === "at" || mark.kind === "since";
          ctx.strokeStyle = css(chosen ? "--accent" : "--text-3");
          ctx.fillStyle = ctx.strokeStyle;
          ctx.setLineDash((mark.kind ? DASHES[mark.kind] ?? [3, 3] : [3, 3]).map((d) => d * ratio));
          ctx.beginPath();
          ctx.moveTo(x, bbox.top);
          ctx.lineTo(x, bbox.top + bbox.height);
          ctx.stroke();
          const wide = ctx.measureText(mark.label).width + 8 * ratio;
          const right = x + wide > bbox.left + bbox.width;
          const start = right ? x - wide : x;
          if (start < free) continue;
          free = start + wide;
          ctx.textAlign = right ? "right" : "left";
          ctx.fillText(mark.label, x + (right ? -4 : 4) * ratio, bbox.top + 11 * ratio);
        }
        ctx.restore();
      },
    },
  };
}

/** Slanting lines: unknown, also when printed grey. @param {string} color */
function hatch(color) {
  const tile = document.createElement("canvas");
  tile.width = tile.height = 8;
  const ctx = /** @type {CanvasRenderingContext2D} */ (tile.getContext("2d"));
  ctx.strokeStyle = color;
  ctx.lineWidth = 1;
  ctx.beginPath();
  for (const o of [-8, 0, 8]) {
    ctx.moveTo(o, 8);
    ctx.lineTo(o + 8, 0);
  }
  ctx.stroke();
  return ctx.createPattern(tile, "repeat");
}

/** Sums from below: each line is drawn on those before it. @param {(number | null)[][]} columns */
function cumulate(columns) {
  /** @type {(number | null)[][]} */
  const out = [];
  columns.forEach((c, k) => out.push(c.map((v, i) => (v === null || (k > 0 && out[k - 1][i] === null) ? null : v + (k > 0 ? /** @type {number} */ (out[k - 1][i]) : 0)))));
  return out;
}

/**
 * What uPlot gets: data columns and series, bands included.
 * @param {Line[]} lines @param {boolean} stacked @param {(n: number | null) => string} format
 */
function layout(lines, stacked, format) {
  /** @type {any[]} */
  const series = [];
  /** @type {(number | null)[][]} */
  const data = [];
  /** @type {any[]} */
  const bands = [];
  const drawn = stacked ? cumulate(lines.map((l) => l.values)) : lines.map((l) => l.values);
  lines.forEach((line, k) => {
    const color = css(line.color ?? "--chart-1");
    const fill = line.hatch ? hatch(color) : stacked ? color + "66" : line.fill ? css("--chart-fill") : undefined;
    series.push({
      label: line.label, stroke: color, width: line.width ?? 1.5, dash: line.dash, points: { show: false }, spanGaps: false,
      fill: stacked && k > 0 ? undefined : fill,
      value: (/** @type {any} */ _u, /** @type {any} */ _v, /** @type {any} */ _s, /** @type {number | null} */ i) => format(i == null ? null : line.values[i] ?? null),
    });
    data.push(drawn[k]);
    if (stacked && k > 0) bands.push({ series: [k + 1, k], fill });
  });
  for (const line of lines) {
    if (!line.min || !line.max) continue;
    const color = css(line.color ?? "--chart-1");
    const at = data.length + 1;
    for (const values of [line.max, line.min]) {
      series.push({ label: line.label, class: "u-aux", stroke: "transparent", width: 0, points: { show: false }, spanGaps: false });
      data.push(values);
    }
    bands.push({ series: [at, at + 1], fill: color + "40" });
  }
  return { series, data, bands };
}

/**
 * @param {{ t: number[], lines: Line[], height?: number, label: string, format: (n: number | null) => string,
 *           binary?: boolean, marks?: { t: number, label: string, kind?: string }[], onPick?: (t: number) => void, sync?: string, min?: number,
 *           stacked?: boolean, xFormat?: (x: number) => string, spanGaps?: boolean }} props
 *        t: epoch seconds, or what xFormat writes; label: what the chart shows, for those who cannot see it
 */
export function Chart({ t, lines, height = 220, label, format, binary = false, marks = [], onPick, sync, stacked = false, xFormat, spanGaps = false }) {
  const box = useRef(/** @type {HTMLDivElement | null} */ (null));
  const plotRef = useRef(/** @type {any} */ (null));
  const [failed, setFailed] = useState("");
  const pick = useRef(onPick);
  pick.current = onPick;
  const marked = useRef(marks);
  marked.current = marks;
  const marksKey = marks.map((m) => `${m.kind ?? ""}${m.t}${m.label}`).join("|");
  const say = (/** @type {number} */ i) =>
    [xFormat ? xFormat(t[i]) : localTime(t[i] * 1000), ...lines.map((l) => `${l.label} ${format(l.values[i] ?? null)}`)].join(", ");

  useEffect(() => {
    const root = box.current;
    if (!root) return undefined;
    let gone = false;
    /** @type {any} */
    let plot = null;
    /** @type {ResizeObserver | null} */
    let watcher = null;

    const make = (/** @type {any} */ uPlot) => {
      plot?.destroy();
      const { series, data, bands } = layout(lines, stacked, format);
      if (spanGaps) for (const one of series) one.spanGaps = true;
      const axis = {
        stroke: css("--text-3"),
        grid: { stroke: css("--chart-grid"), width: 1 },
        ticks: { stroke: css("--chart-grid"), width: 1, size: 4 },
        font: `11px ${css("--font")}`,
      };
      plot = plotRef.current = new uPlot(
        {
          width: Math.max(120, root.clientWidth),
          height,
          cursor: { y: false, points: { size: 6 }, ...(sync ? { sync: { key: sync } } : {}), drag: { x: true, y: false } },
          legend: { live: true },
          bands,
          scales: { x: { time: !xFormat }, y: { range: (/** @type {any} */ _u, /** @type {number} */ _lo, /** @type {number} */ hi) => [0, hi > 0 ? hi * 1.06 : 1] } },
          axes: [
            { ...axis, space: 70, size: 40, values: (/** @type {any} */ _u, /** @type {number[]} */ ticks, /** @type {number} */ _axis, /** @type {number} */ _space, /** @type {number} */ step) => (xFormat ? ticks.map(xFormat) : timeTicks(ticks, step)) },
            {
              ...axis, size: 64, space: 34,
              values: (/** @type {any} */ _u, /** @type {number[]} */ ticks) => ticks.map((v) => format(v)),
              ...(binary ? { incrs: POWERS } : {}),
            },
          ],
          series: [
            { label: xFormat ? en.host.memory.at : en.host.time.title, value: (/** @type {any} */ _u, /** @type {number | null} */ v) => (v == null ? "\u2013" : xFormat ? xFormat(v) : localTime(v * 1000)) },
            ...series,
          ],
          plugins: [marksPlugin(() => marked.current)],
          hooks: {
            ready: [
              (/** @type {any} */ u) => {
                // Nothing pointed at: the legend tells the newest values.
                const newest = () => u.setLegend({ idx: u.data[0].length - 1 });
                newest();
                u.over.addEventListener("mouseleave", () => requestAnimationFrame(() => !gone && newest()));
                u.over.addEventListener("click", () => {
                  const at = u.cursor.idx;
                  if (pick.current && at != null && u.select.width < 3) pick.current(u.data[0][at]);
                });
              },
            ],
          },
        },
        [t, ...data],
        root,
      );
    };

    /** @type {any} */
    let uPlotLib = null;
    const look = onLook(() => uPlotLib && !gone && make(uPlotLib));
    loadLibrary().then(
      (lib) => {
        if (gone) return;
        uPlotLib = lib;
        make(lib);
        watcher = new ResizeObserver(() => {
          if (plot && root.clientWidth && Math.abs(plot.width - root.clientWidth) > 1) {
            plot.setSize({ width: Math.max(120, root.clientWidth), height });
          }
        });
        watcher.observe(root);
      },
      (e) => setFailed(String(e.message ?? e)),
    );
    return () => {
      gone = true;
      plotRef.current = null;
      look();
      watcher?.disconnect();
      plot?.destroy();
    };
  }, [t, ...lines.map((line) => line.values), height, lines.map((line) => line.label).join(), stacked, spanGaps]);

  // Another moment moves a mark: the lines stay as they are, which is a tenth of the work.
  useEffect(() => plotRef.current?.redraw(false), [marksKey]);

  // Arrow keys move the cursor; what stands there is the slider's text, which screen readers say.
  const at = useRef(-1);
  const move = (/** @type {number} */ to) => {
    const plot = plotRef.current;
    const i = Math.max(0, Math.min(t.length - 1, to));
    at.current = i;
    box.current?.setAttribute("aria-valuenow", String(i));
    box.current?.setAttribute("aria-valuetext", say(i));
    plot?.setCursor({ left: plot.valToPos(t[i], "x"), top: 10 }, true, true);
  };
  const onKey = (/** @type {KeyboardEvent} */ e) => {
    if (e.ctrlKey || e.metaKey || e.altKey || !t.length) return;
    const i = at.current < 0 ? t.length - 1 : at.current;
    const step = e.shiftKey ? 10 : 1;
    if (e.key === "ArrowLeft" || e.key === "ArrowDown") move(at.current < 0 ? i : i - step);
    else if (e.key === "ArrowRight" || e.key === "ArrowUp") move(i + step);
    else if (e.key === "PageUp") move(i - Math.ceil(t.length / 10));
    else if (e.key === "PageDown") move(i + Math.ceil(t.length / 10));
    else if (e.key === "Home") move(0);
    else if (e.key === "End") move(t.length - 1);
    else if (e.key === "Enter" && pick.current && at.current >= 0) pick.current(t[at.current]);
    else if (e.key === "Escape" && at.current >= 0) {
      at.current = -1;
      plotRef.current?.setCursor({ left: -10, top: -10 }, true, true);
    } else return;
    e.preventDefault();
    e.stopPropagation();
  };

  // The legend's row is held too, so that nothing moves when the library arrives.
  const hold = { minHeight: `${height + 30}px` };
  if (failed) return html`<div class="chart chart-note" style=${hold}>${failed}</div>`;
  return html`<div class=${"chart" + (onPick ? " chart-pick" : "")} style=${hold} ref=${box} role="slider" tabindex="0" aria-label=${label} aria-readonly="true"
    aria-valuemin="0" aria-valuemax=${Math.max(0, t.length - 1)} aria-valuenow=${Math.max(0, t.length - 1)} aria-valuetext=${t.length ? say(t.length - 1) : ""} onKeyDown=${onKey}></div>`;
}
