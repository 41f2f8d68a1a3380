// What fills a pool: one tile per big tag or driver, its area its bytes; its tone is the change since
// the second moment, or how far it is from the peers. Arrow keys move between tiles.
import { html, useMemo, useRef, useState } from "../lib/ui.js";
import { bytes, bytesChange, score } from "../lib/format.js";
import { cut, visible } from "../lib/text.js";
import { squarify } from "../lib/treemap.js";
import { driverHref, tagHref } from "../lib/router.js";
import { changeTone } from "../lib/host.js";
import { en } from "../lib/en.js";
import { scoreTone } from "./score.js";
import { useWidth } from "./width.js";

const t = en.host.fill;
const TILES = 22;

/**
 * @param {{ rows: (HostTag & { tags?: number })[], pool: Pool, colour: "peers" | "change", owners?: boolean, height?: number }} props
 *        rows: of both pools, as they are drawn: tags, or owners with their tags summed
 */
export function PoolTreemap({ rows, pool, colour, owners = false, height = 200 }) {
  const ref = useRef(/** @type {HTMLDivElement | null} */ (null));
  const width = useWidth(ref, 650);
  const [active, setActive] = useState(0);
  const tiles = useMemo(() => {
    const own = rows.filter((r) => r.pool === pool && (r.bytes ?? 0) > 0).sort((a, b) => (b.bytes ?? 0) - (a.bytes ?? 0));
    const total = own.reduce((a, r) => a + (r.bytes ?? 0), 0);
    const top = own.slice(0, TILES).filter((r) => (r.bytes ?? 0) / total > 0.004);
    const rest = total - top.reduce((a, r) => a + (r.bytes ?? 0), 0);
    const values = top.map((r) => r.bytes ?? 0);
    const all = rest > 0 ? [...values, rest] : values;
    const order = all.map((v, i) => ({ v, i })).sort((a, b) => b.v - a.v);
    const boxes = squarify(order.map((o) => o.v), width, height);
    return order.map((o, k) => ({ box: boxes[k], row: top[o.i] ?? null, value: o.v, share: o.v / total, total, others: own.length - top.length }));
  }, [rows, pool, width, height]);

  const place = (/** @type {any} */ b) => ({
    left: `${((b.x / width) * 100).toFixed(3)}%`, top: `${((b.y / height) * 100).toFixed(3)}%`,
    width: `${((b.w / width) * 100).toFixed(3)}%`, height: `${((b.h / height) * 100).toFixed(3)}%`,
  });
  if (!tiles.length) return html`<div class="treemap chart-note" ref=${ref}>${t.none}</div>`;
  const links = tiles.filter((x) => x.row);
  const on = Math.min(active, links.length - 1);

  // The nearest tile that way: by its middle, straight ahead before aslant.
  const onKey = (/** @type {KeyboardEvent} */ e) => {
    const ways = /** @type {Record<string, number[]>} */ ({ ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowDown: [0, 1], ArrowUp: [0, -1] });
    const way = ways[e.key];
    if (!way || e.ctrlKey || e.metaKey || e.altKey || !links.length) return;
    e.preventDefault();
    e.stopPropagation();
    const mid = (/** @type {any} */ b) => [b.x + b.w / 2, b.y + b.h / 2];
    const [x, y] = mid(links[on].box);
    let best = -1;
    let far = Infinity;
    links.forEach((l, i) => {
      const [lx, ly] = mid(l.box);
      const ahead = (lx - x) * way[0] + (ly - y) * way[1];
      const aside = Math.abs((lx - x) * way[1]) + Math.abs((ly - y) * way[0]);
      if (ahead <= 1 || ahead + aside * 2 >= far) return;
      far = ahead + aside * 2;
      best = i;
    });
    if (best < 0) return;
    setActive(best);
    /** @type {HTMLElement | undefined} */ (/** @type {HTMLElement} */ (e.currentTarget).querySelectorAll("a")[best])?.focus();
  };

  return html`<div class="treemap" ref=${ref} role="group" aria-label=${t.map(pool)} onKeyDown=${onKey}>
    ${tiles.map(({ box, row, value, share, total, others }) => {
      const roomy = box.w > 46 && box.h > 20;
      const tall = box.w > 66 && box.h > 38;
      const wide = box.w > 124;
      const percent = `${(share * 100).toFixed(share < 0.095 ? 1 : 0)}\u00a0%`;
      if (!row) {
        return html`<span class="cell" style=${place(box)} title=${`${t.more(others)}: ${bytes(value)}, ${percent}`}>
          ${roomy ? html`<small>${t.more(others)}</small>` : null}${tall ? html`<small>${bytes(value)}</small>` : null}
        </span>`;
      }
      const i = links.findIndex((l) => l.row === row);
      const driver = row.driver ? visible(row.driver) : null;
      const name = owners && driver ? driver : row.tag;
      const change = changeTone(row, total);
      const said = colour === "change"
        ? `${t.change[String(change)]}${row.delta_bytes ? ` (${bytesChange(row.delta_bytes)})` : ""}`
        : row.score === null ? "" : `${t.score.toLowerCase()} ${score(row.score)}`;
      const text = [`${name}: ${bytes(value)}, ${percent} ${t.ofPool}`, said, owners ? (row.tags && row.tags > 1 ? t.tags(row.tags) : row.tag) : driver ?? ""].filter(Boolean).join(", ");
      const tone = colour === "change" ? `tile-c${change === null ? "none" : change}` : "tile-" + scoreTone(row.score, row.bytes, row.cohort_bytes);
      const to = owners && row.driver && /^[\w.-]+\.sys$/i.test(row.driver) ? driverHref(row.driver) : tagHref(row.tag, row.pool);
      return html`<a key=${name} class=${tone} href=${to} tabindex=${i === on ? "0" : "-1"} onFocus=${() => setActive(i)} style=${place(box)} title=${text} aria-label=${roomy ? undefined : text}>
        ${roomy ? html`<b><bdi>${cut(name, 24)}</bdi></b>` : null}${tall ? html`<small>${bytes(value)}${wide ? ` \u00b7 ${colour === "change" && row.delta_bytes ? bytesChange(row.delta_bytes) : percent}` : ""}</small>` : null}
      </a>`;
    })}
  </div>`;
}
