// What fills a pool: one tile per big tag, its area its bytes, its tone how far it is from the peers.
import { html, useMemo } from "../lib/ui.js";
import { bytes, score } from "../lib/format.js";
import { squarify } from "../lib/treemap.js";
import { tagHref } from "../lib/router.js";
import { scoreTone } from "./score.js";

const TILES = 22;

/** @param {{ rows: HostTag[], pool: Pool, width?: number, height?: number }} props */
export function PoolTreemap({ rows, pool, width = 720, height = 190 }) {
  const tiles = useMemo(() => {
    const own = rows.filter((r) => r.pool === pool && (r.bytes ?? 0) > 0).sort((a, b) => (b.bytes ?? 0) - (a.bytes ?? 0));
    const total = own.reduce((a, r) => a + (r.bytes ?? 0), 0);
    const top = own.slice(0, TILES).filter((r) => (r.bytes ?? 0) / total > 0.004);
    const rest = total - top.reduce((a, r) => a + (r.bytes ?? 0), 0);
    const values = top.map((r) => r.bytes ?? 0);
    const all = rest > 0 ? [...values, rest] : values;
    const order = all.map((v, i) => ({ v, i })).sort((a, b) => b.v - a.v);
    const boxes = squarify(order.map((o) => o.v), width, height);
    return order.map((o, k) => ({ box: boxes[k], row: top[o.i] ?? null, value: o.v, share: o.v / total, others: own.length - top.length }));
  }, [rows, pool, width, height]);

  const place = (/** @type {any} */ b) => ({
    left: `${((b.x / width) * 100).toFixed(3)}%`, top: `${((b.y / height) * 100).toFixed(3)}%`,
    width: `${((b.w / width) * 100).toFixed(3)}%`, height: `${((b.h / height) * 100).toFixed(3)}%`,
  });
  if (!tiles.length) return html`<div class="treemap chart-note">No tag of this pool is known</div>`;
  return html`<div class="treemap">
    ${tiles.map(({ box, row, value, share, others }) => {
      const roomy = box.w > 46 && box.h > 20;
      const tall = box.w > 54 && box.h > 38;
      const wide = box.w > 112;
      const percent = `${(share * 100).toFixed(share < 0.095 ? 1 : 0)}\u00a0%`;
      if (!row) {
        return html`<span class="cell" style=${place(box)} title=${`${others} more tags: ${bytes(value)}, ${percent}`}>
          ${roomy ? html`<small>${others} more</small>` : null}${tall ? html`<small>${bytes(value)}</small>` : null}
        </span>`;
      }
      const text = `${row.tag}: ${bytes(value)}, ${percent} of the pool` + (row.score === null ? "" : `, score ${score(row.score)}`) + (row.driver ? `, ${row.driver}` : "");
      return html`<a key=${row.tag} class=${"tile-" + scoreTone(row.score, row.bytes, row.cohort_bytes)} href=${tagHref(row.tag, row.pool)} style=${place(box)} title=${text} aria-label=${roomy ? undefined : text}>
        ${roomy ? html`<b>${row.tag}</b>` : null}${tall ? html`<small>${bytes(value)}${wide ? ` \u00b7 ${percent}` : ""}</small>` : null}
      </a>`;
    })}
  </div>`;
}
