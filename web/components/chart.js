// The one wrapper around uPlot: loads it when first needed, owns size, theme and disposal.
import { html, useEffect, useRef, useState } from "../lib/ui.js";
import { localTime } from "../lib/format.js";

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
      reject(new Error("the chart library could not be loaded"));
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
 * @property {string} [color]  token name
 * @property {boolean} [fill]
 * @property {number} [width]
 * @property {number[]} [dash]
 */

/** Vertical lines with a word, for boots and the like. @param {{ t: number, label: string }[]} marks */
function marksPlugin(marks) {
  return {
    hooks: {
      draw: (/** @type {any} */ u) => {
        const { ctx, bbox } = u;
        const ratio = devicePixelRatio || 1;
        ctx.save();
        ctx.strokeStyle = css("--text-3");
        ctx.fillStyle = css("--text-3");
        ctx.lineWidth = ratio;
        ctx.setLineDash([3 * ratio, 3 * ratio]);
        ctx.font = `${11 * ratio}px ${css("--font")}`;
        for (const mark of marks) {
          const x = Math.round(u.valToPos(mark.t, "x", true));
          if (x < bbox.left || x > bbox.left + bbox.width) continue;
          ctx.beginPath();
          ctx.moveTo(x, bbox.top);
          ctx.lineTo(x, bbox.top + bbox.height);
          ctx.stroke();
          const right = x + 60 * ratio > bbox.left + bbox.width;
          ctx.textAlign = right ? "right" : "left";
          ctx.fillText(mark.label, x + (right ? -4 : 4) * ratio, bbox.top + 11 * ratio);
        }
        ctx.restore();
      },
    },
  };
}

/**
 * @param {{ t: number[], lines: Line[], height?: number, label: string, format: (n: number | null) => string,
 *           binary?: boolean, marks?: { t: number, label: string }[], onPick?: (t: number) => void, sync?: string, min?: number }} props
 *        t: epoch seconds; label: what the chart shows, for those who cannot see it
 */
export function Chart({ t, lines, height = 220, label, format, binary = false, marks = [], onPick, sync }) {
  const box = useRef(/** @type {HTMLDivElement | null} */ (null));
  const [failed, setFailed] = useState("");
  const pick = useRef(onPick);
  pick.current = onPick;

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
      const axis = {
        stroke: css("--text-3"),
        grid: { stroke: css("--chart-grid"), width: 1 },
        ticks: { stroke: css("--chart-grid"), width: 1, size: 4 },
        font: `11px ${css("--font")}`,
      };
      plot = new uPlot(
        {
          width: Math.max(120, root.clientWidth),
          height,
          cursor: { y: false, points: { size: 6 }, ...(sync ? { sync: { key: sync } } : {}), drag: { x: true, y: false } },
          legend: { live: true },
          scales: { x: { time: true }, y: { range: (/** @type {any} */ _u, /** @type {number} */ _lo, /** @type {number} */ hi) => [0, hi > 0 ? hi * 1.06 : 1] } },
          axes: [
            { ...axis, space: 70, size: 40 },
            {
              ...axis, size: 64, space: 34,
              values: (/** @type {any} */ _u, /** @type {number[]} */ ticks) => ticks.map((v) => format(v)),
              ...(binary ? { incrs: POWERS } : {}),
            },
          ],
          series: [
            { label: "Time", value: (/** @type {any} */ _u, /** @type {number | null} */ v) => (v == null ? "\u2013" : localTime(v * 1000)) },
            ...lines.map((line) => ({
              label: line.label,
              stroke: css(line.color ?? "--chart-1"),
              fill: line.fill ? css("--chart-fill") : undefined,
              width: line.width ?? 1.5,
              dash: line.dash,
              points: { show: false },
              spanGaps: false,
              value: (/** @type {any} */ _u, /** @type {number | null} */ v) => format(v),
            })),
          ],
          plugins: [marksPlugin(marks)],
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
        [t, ...lines.map((line) => line.values)],
        root,
      );
    };

    /** @type {any} */
    let uPlotLib = null;
    const theme = () => uPlotLib && !gone && make(uPlotLib);
    const media = matchMedia("(prefers-color-scheme: dark)");
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
    addEventListener("poolfleet:theme", theme);
    media.addEventListener("change", theme);
    return () => {
      gone = true;
      removeEventListener("poolfleet:theme", theme);
      media.removeEventListener("change", theme);
      watcher?.disconnect();
      plot?.destroy();
    };
  }, [t, ...lines.map((line) => line.values), height, lines.map((line) => line.label).join()]);

  // The legend's row is held too, so that nothing moves when the library arrives.
  const hold = { minHeight: `${height + 30}px` };
  if (failed) return html`<div class="chart chart-note" style=${hold}>${failed}</div>`;
  return html`<div class=${"chart" + (onPick ? " chart-pick" : "")} style=${hold} ref=${box} role="img" aria-label=${label}></div>`;
}
