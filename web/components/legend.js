// A sign of the fleet map beside its words, drawn by the same code as the map.
import { html, useEffect, useLayoutEffect, useRef, useState } from "../lib/ui.js";
import { drawSign, palette } from "../lib/mappaint.js";
import { count } from "../lib/format.js";

/** @param {{ sign: string, size?: number }} props */
export function Sign({ sign, size = 14 }) {
  const canvas = useRef(/** @type {HTMLCanvasElement | null} */ (null));
  const [look, relook] = useState(0);
  useEffect(() => {
    const again = () => relook((n) => n + 1);
    const media = matchMedia("(prefers-color-scheme: dark)");
    const print = matchMedia("print");
    media.addEventListener("change", again);
    print.addEventListener("change", again);
    addEventListener("poolfleet:theme", again);
    return () => {
      media.removeEventListener("change", again);
      print.removeEventListener("change", again);
      removeEventListener("poolfleet:theme", again);
    };
  }, []);
  useLayoutEffect(() => {
    const el = canvas.current;
    if (!el) return;
    const scale = Math.min(2, devicePixelRatio || 1);
    el.width = el.height = Math.round(size * scale);
    drawSign(/** @type {CanvasRenderingContext2D} */ (el.getContext("2d")), sign, 0, 0, el.width, palette(el));
  }, [sign, size, look]);
  return html`<canvas class="sign" ref=${canvas} aria-hidden="true" style=${{ width: `${size}px`, height: `${size}px` }}></canvas>`;
}

/** @param {{ classes: import("../lib/mapcolour.js").Class[], counts: number[], label: string }} props loudest first */
export function Legend({ classes, counts, label }) {
  const order = classes.map((_, k) => k).sort((a, b) => classes[b].loud - classes[a].loud);
  return html`<ul class="map-legend" aria-label=${label}>
    ${order.map((k) => html`<li key=${classes[k].sign}><${Sign} sign=${classes[k].sign} /><span>${classes[k].label}</span> <b>${count(counts[k])}</b></li>`)}
  </ul>`;
}
