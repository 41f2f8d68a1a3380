// The host's tag table with everything around it: comparison, pool, search, keys, pause, the chart of
// the chosen row, and the picture of what fills the pools. The address holds all but the pause.
import { html, useEffect, useMemo, useRef, useState } from "../lib/ui.js";
import { useResource } from "../lib/resource.js";
import { bytes, bytesChange, count, countShort, parseTime, rfc3339 } from "../lib/format.js";
import { href, navigate, setQuery, tagHref } from "../lib/router.js";
import { filterTags, nextPool, SINCE, sinceTime, SORT_KEYS, sortTags, tableRows } from "../lib/poolmon.js";
import { bootOf, csvText, movedRows, neighbour, withGaps } from "../lib/host.js";
import { en } from "../lib/en.js";
import { Grid, rowKey } from "./grid.js";
import { PoolMap } from "./pool_map.js";
import { Chart } from "./chart.js";
import { SearchBox } from "./search.js";
import { Select } from "./select.js";
import { Bytes, Name, TagChip, Time } from "./names.js";
import { Empty, Load, Skeleton } from "./states.js";
import { download, Twin } from "./twin.js";
import { isTyping } from "./shell.js";

const STEP = 3600000;
const w = en.host.tags;

/** @param {{ s: TagSeries, row: HostTag, onPick: (t: number) => void }} props */
function RowPictures({ s, row, onPick }) {
  const held = useMemo(() => withGaps(s.t, [s.bytes, s.alloc_rate]), [s]);
  const marks = useMemo(() => s.boots.map((t) => ({ t, label: en.host.time.markBoot, kind: "boot" })), [s]);
  return html`<div class="columns">
      <${Chart} t=${held.t} binary height=${150} sync="host" format=${bytes} label=${`${w.bytesOf} ${row.tag}`} onPick=${onPick} marks=${marks} lines=${[{ label: w.bytes, values: held.columns[0], fill: true }]} />
      <${Chart} t=${held.t} height=${150} sync="host" format=${(/** @type {number | null} */ v) => countShort(v)} label=${`${w.ratesOf} ${row.tag}`} onPick=${onPick} marks=${marks} lines=${[{ label: w.rate, values: held.columns[1], color: "--chart-2" }]} />
    </div>
    <${Twin} title=${`${row.tag} ${w.overTime}`} rows=${s.t.map((t, i) => ({ t, i }))} columns=${[
      { key: "at", label: en.host.memory.at, raw: (/** @type {any} */ r) => new Date(r.t * 1000).toISOString(), cell: (/** @type {any} */ r) => html`<${Time} value=${r.t * 1000} />` },
      { key: "bytes", label: w.bytes, number: true, raw: (/** @type {any} */ r) => s.bytes[r.i], cell: (/** @type {any} */ r) => html`<${Bytes} value=${s.bytes[r.i]} />` },
      { key: "outstanding", label: en.host.compare.outstanding, number: true, raw: (/** @type {any} */ r) => s.outstanding[r.i], cell: (/** @type {any} */ r) => count(s.outstanding[r.i]) },
      { key: "alloc_rate", label: w.rate, number: true, raw: (/** @type {any} */ r) => s.alloc_rate[r.i], cell: (/** @type {any} */ r) => countShort(s.alloc_rate[r.i]) },
    ]} />`;
}

/** @param {{ host: HostDetail, row: HostTag, onClose: () => void, onPick: (t: number) => void }} props */
function RowChart({ host, row, onClose, onPick }) {
  const series = /** @type {Resource<TagSeries>} */ (
    useResource(href(["hosts", host.id, "tags", row.tag, "series"], { pool: row.pool, points: 600 }), { every: 120000 })
  );
  return html`<section class="row-chart" aria-label=${`${row.tag} ${w.overTime}`}>
    <div class="panel-head">
      <h3><${TagChip} tag=${row.tag} pool=${row.pool} /> ${w.overTime} <span class="muted">${row.pool}${row.driver ? html`, <${Name} value=${row.driver} length=${32} />` : ""}</span></h3>
      <button type="button" class="button button-small" onClick=${onClose}>${w.close}</button>
    </div>
    <${Load} resource=${series} skeleton=${html`<div class="row-chart-hold"></div>`}
      render=${(/** @type {TagSeries} */ s) => (s.t.length < 2 ? html`<${Empty} title=${w.one}><//>` : html`<${RowPictures} s=${s} row=${row} onPick=${onPick} />`)} />
  </section>`;
}

/**
 * The answer to draw: while paused, the one that was there when it began. With it, which rows moved
 * since the answer before, so that they stand out until the next.
 * @param {Resource<HostTags>} tags @param {boolean} paused @param {number | null} at the moment asked for
 */
function useSteady(tags, paused, at) {
  const held = useRef(/** @type {HostTags | null} */ (null));
  const heldAt = useRef(/** @type {number | null} */ (null));
  const moved = useRef(/** @type {Map<string, Record<string, number>>} */ (new Map()));
  const next = tags.data;
  if (!paused && next !== held.current) {
    // Only a refresh of the newest is a change: another moment is another picture.
    const old = at === null && heldAt.current === null ? held.current : null;
    const live = next && old && next.boot_at === old.boot_at && next.at !== old.at;
    moved.current = live ? movedRows(old.items, next.items) : new Map();
    held.current = next;
    heldAt.current = at;
  }
  return { data: held.current, moved: moved.current };
}

/**
 * @param {{ host: HostDetail, route: import("../lib/router.js").Route, items: HostHistoryItem[], onChosen: (row: { tag: string, pool: Pool } | null) => void, onSince: (ms: number | null) => void }} props
 *        items: of the time bar, for the keys that go from one to the next; onSince: which moment the changes are from
 */
export function Poolmon({ host, route, items, onChosen, onSince }) {
  const q = route.query.get("q") ?? "";
  const pool = route.query.get("pool") ?? "";
  const since = route.query.get("since") ?? "";
  const sortText = route.query.get("sort") ?? "bytes";
  const at = parseTime(route.query.get("at"));
  const order = useMemo(() => {
    const up = sortText.startsWith("+");
    const change = sortText.startsWith("(");
    return { key: sortText.replace(/^[+(]/, "").replace(/\)$/, ""), change, up };
  }, [sortText]);
  const [active, setActive] = useState(/** @type {string | null} */ (null));
  const [series, setSeries] = useState(/** @type {HostTag | null} */ (null));
  const [paused, setPaused] = useState(false);
  const [light, setLight] = useState(true);

  // The snapshot that is shown, as the server named it: the one before it is asked for by its time.
  const [answered, setAnswered] = useState(/** @type {{ at: number | null, is: number } | null} */ (null));
  const shownAt = answered && answered.at === at ? answered.is : at ?? parseTime(host.last_snapshot_at);
  // A moment of the past is first asked for by itself: only then is its snapshot's time known.
  const known = at === null || answered?.at === at;
  const other = since && known ? sinceTime(since, shownAt, bootOf(host, shownAt)?.first ?? null, parseTime(host.first_snapshot_at)) : null;
  const table = /** @type {Resource<HostTagTable>} */ (
    useResource(
      href(["hosts", host.id, "tag-table"], { at: at === null ? null : rfc3339(at), since: other === null ? null : new Date(other).toISOString() }),
      { every: at === null ? 60000 : 0, keep: true },
    )
  );
  const shown = useMemo(() => (table.data ? tableRows(table.data) : null), [table.data]);
  const tags = { ...table, data: shown };
  useEffect(() => {
    const is = parseTime(tags.data?.at);
    if (is !== null && !tags.pending) setAnswered((old) => (old && old.at === at && old.is === is ? old : { at, is }));
  }, [tags.data, tags.pending]);

  // Another moment, asked for by hand, ends the pause; only the clock is stopped by it.
  useEffect(() => setPaused(false), [at, since]);
  const steady = useSteady(tags, paused, at);
  const d = steady.data;
  useEffect(() => onSince(since ? parseTime(d?.since) : null), [d, since]);
  const rows = useMemo(() => sortTags(filterTags(d?.items ?? [], q, pool), order), [d, q, pool, order]);
  const delta = Boolean(since && d?.since && !d.rebooted);

  const sortBy = (/** @type {string} */ key) => {
    const same = order.key === key && !order.change;
    const next = same && !order.up ? "+" + key : key;
    setQuery({ sort: next === "bytes" ? null : next });
  };
  const first = parseTime(host.first_snapshot_at);
  const last = parseTime(host.last_snapshot_at);

  useEffect(() => {
    const onKey = (/** @type {KeyboardEvent} */ e) => {
      if (e.defaultPrevented || e.ctrlKey || e.metaKey || e.altKey || isTyping(e) || document.querySelector("dialog[open]")) return;
      if (e.key === " ") {
        // Where Space already does something it keeps its meaning.
        if (e.target instanceof Element && e.target.closest("a, button, input, select, summary, [role=tab]")) return;
        setPaused(!paused);
      }
      else if (e.key === "l") setLight(!light);
      else if ((e.key === "," || e.key === ".") && first !== null && last !== null) {
        const to = neighbour(items, at ?? last, e.key === "," ? -1 : 1);
        if (to !== null) setQuery({ at: to >= last ? null : rfc3339(Math.max(first, to)) });
      } else if (SORT_KEYS[e.key]) setQuery({ sort: e.key === "b" ? null : SORT_KEYS[e.key] });
      else if (e.key === "p") setQuery({ pool: nextPool(pool) });
      else if (e.key === "(" || e.key === ")") {
        const changeable = ["bytes", "diff", "allocs", "frees"].includes(order.key) ? order.key : "bytes";
        if (order.change) setQuery({ sort: order.key === "bytes" ? null : order.key });
        else setQuery({ sort: `(${changeable})`, since: since || "previous" });
      } else if ((e.key === "[" || e.key === "]") && first !== null && last !== null) {
        const to = (at ?? last) + (e.key === "[" ? -STEP : STEP);
        setQuery({ at: to >= last ? null : rfc3339(Math.max(first, to)) });
      } else if (e.key === "n") setQuery({ at: null });
      else return;
      e.preventDefault();
    };
    addEventListener("keydown", onKey);
    return () => removeEventListener("keydown", onKey);
  });

  const pick = (/** @type {number} */ t) => setQuery({ at: rfc3339(t * 1000) });
  const choose = (/** @type {HostTag} */ row) => {
    setActive(rowKey(row));
    onChosen({ tag: row.tag, pool: row.pool });
  };
  const seriesRow = series && (rows.find((r) => rowKey(r) === rowKey(series)) ?? series);
  /** @type {(keyof HostTag)[]} */
  const fields = ["tag", "pool", "allocs", "frees", "outstanding", "bytes", "bytes_per_alloc", "delta_allocs", "delta_frees", "delta_bytes", "cohort_bytes", "cohort_hosts", "score", "driver", "description"];
  const map = useMemo(() => html`<${PoolMap} tags=${d} past=${at !== null} delta=${delta} />`, [d, at, delta]);
  // Some thousand elements, which another moment changes once, when its answer is there.
  const moved = light ? steady.moved : undefined;
  const grid = useMemo(() => html`<${Grid} rows=${rows} order=${order} onSort=${sortBy} delta=${delta} active=${active} label=${w.grid} moved=${moved} stamp=${d?.at ?? ""}
    onActive=${(/** @type {string} */ _key, /** @type {HostTag} */ row) => {
      choose(row);
      if (series) setSeries(row);
    }} onOpen=${(/** @type {HostTag} */ row) => navigate(tagHref(row.tag, row.pool))}
    onSeries=${(/** @type {HostTag} */ row) => setSeries(row)} />`, [rows, order, delta, active, moved, d, Boolean(series)]);
  return html`
    ${map}
    <section class="panel panel-flush" aria-labelledby="poolmon-h">
      <div class="panel-head">
        <h2 id="poolmon-h">${w.title}</h2>
        <span class="muted">${d ? html`${at !== null ? html`<span class="past">${w.past}</span>${" "}` : null}${paused ? html`<span class="past paused">${w.paused}</span>${" "}` : null}${w.of} <${Time} value=${d.at} as="second" />${
          since ? (d.rebooted ? w.rebooted : d.since ? html`${w.changeSince} <${Time} value=${d.since} as="second" />` : w.noEarlier) : ""}` : ""}</span>
      </div>
      <div class="toolbar poolmon-bar">
        <div class="segmented" role="group" aria-label=${w.pool}>
          ${[["", w.both], ["nonpaged", en.host.fill.nonpaged], ["paged", en.host.fill.paged]].map(
            ([v, text]) => html`<button key=${v} type="button" aria-pressed=${v === pool ? "true" : "false"} onClick=${() => setQuery({ pool: v })}>${text}</button>`,
          )}
        </div>
        <${Select} label=${w.since} value=${since} options=${SINCE} onChange=${(/** @type {string} */ v) => setQuery({ since: v, ...(v === "" && order.change ? { sort: null } : {}) })} />
        <${SearchBox} label=${w.search} value=${q} wait=${80} onSearch=${(/** @type {string} */ v) => setQuery({ q: v })} />
        ${at === null ? html`<button type="button" class="button button-small" aria-pressed=${paused ? "true" : "false"} onClick=${() => setPaused(!paused)}>${paused ? w.resume : w.pause}</button>` : null}
        <span class="muted push" aria-live="polite">${d ? w.rows(count(rows.length), count(d.rows_total)) : ""}</span>
        <button type="button" class="button button-small" disabled=${!rows.length} aria-label=${en.host.twin.csvOf(w.title)}
          onClick=${() => download(`${host.name ?? host.id}-tags.csv`, csvText(fields, rows.map((r) => fields.map((f) => r[f]))))}>${w.csv}</button>
      </div>
      <${Load}
        resource=${tags}
        skeleton=${html`<div class="grid-hold"><${Skeleton} rows=${14} /></div>`}
        render=${() =>
          !d || d.items.length === 0
            ? html`<${Empty} title=${w.none}>${w.noneWhy}<//>`
            : html`<div class=${seriesRow ? "with-chart" : ""}>
                ${grid}
                ${rows.length ? null : html`<${Empty} title=${w.noMatch}><//>`}
                <div class="grid-foot">
                  <span>${delta ? html`${w.sumChange} <b>${bytesChange(rows.reduce((a, r) => a + (r.delta_bytes ?? 0), 0))}</b>` : html`${w.sum} <b><${Bytes} value=${rows.reduce((a, r) => a + (r.bytes ?? 0), 0)} /></b>`}</span>
                  <span class="keys-hint no-print"><kbd>p</kbd> ${w.keys.pool} <kbd>b</kbd><kbd>d</kbd><kbd>a</kbd><kbd>f</kbd><kbd>m</kbd><kbd>t</kbd> ${w.keys.sort} <kbd>(</kbd> ${w.keys.change} <kbd>/</kbd> ${w.keys.search} <kbd>\u21b5</kbd> ${w.keys.open} <kbd>c</kbd> ${w.keys.chart} <kbd>${w.keys.space}</kbd> ${w.keys.pause} <kbd>?</kbd> ${w.keys.all}</span>
                </div>
                ${seriesRow ? html`<${RowChart} key=${rowKey(seriesRow)} host=${host} row=${seriesRow} onClose=${() => setSeries(null)} onPick=${pick} />` : null}
              </div>`}
      />
    </section>`;
}
