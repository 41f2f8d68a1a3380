// The host's tag table with everything around it: moment, comparison, pool, search, keys, the chart
// of the chosen row. The address holds all of it.
import { html, useEffect, useMemo, useRef, useState } from "../lib/ui.js";
import { useResource } from "../lib/resource.js";
import { bytes, bytesChange, count, countShort, localTime, parseTime, rfc3339, utcTime } from "../lib/format.js";
import { href, navigate, search, setQuery, tagHref } from "../lib/router.js";
import { filterTags, nextPool, SINCE, sinceTime, SORT_KEYS, sortTags } from "../lib/poolmon.js";
import { Grid, rowKey } from "./grid.js";
import { PoolTreemap } from "./treemap.js";
import { Chart } from "./chart.js";
import { SearchBox } from "./search.js";
import { Select } from "./select.js";
import { Bytes, Name, TagChip, Time } from "./names.js";
import { Empty, Load, Skeleton } from "./states.js";
import { isTyping } from "./shell.js";

const STEP = 3600000;

/** Local time as <input type=datetime-local> wants it. @param {number} ms */
function inputTime(ms) {
  const d = new Date(ms - new Date(ms).getTimezoneOffset() * 60000);
  return d.toISOString().slice(0, 16);
}

/** The boot a moment belongs to. @param {HostDetail} host @param {number | null} at */
function bootOf(host, at) {
  const boots = host.boots
    .map((b) => ({ first: parseTime(b.first_seen), boot: parseTime(b.boot_at) }))
    .filter((b) => b.first !== null)
    .sort((a, b) => /** @type {number} */ (b.first) - /** @type {number} */ (a.first));
  return boots.find((b) => at === null || /** @type {number} */ (b.first) <= at) ?? null;
}

/** @param {{ host: HostDetail, at: number | null }} props at: ms, null is now */
function Moment({ host, at }) {
  const first = parseTime(host.first_snapshot_at);
  const last = parseTime(host.last_snapshot_at);
  const [drag, setDrag] = useState(/** @type {number | null} */ (null));
  const timer = useRef(/** @type {any} */ (0));
  useEffect(() => () => clearTimeout(timer.current), []);
  if (first === null || last === null || last <= first) return null;
  const shown = drag ?? at ?? last;
  const go = (/** @type {number} */ ms) => setQuery({ at: ms >= last ? null : rfc3339(Math.max(first, ms)) });
  return html`<div class="moment no-print" role="group" aria-label="Moment">
    <span class="moment-steps">
      <button type="button" class="button button-small" title="An hour back ([)" onClick=${() => go((at ?? last) - STEP)}>\u2212\u20091\u2009h</button>
      <button type="button" class="button button-small" title="An hour on (])" disabled=${at === null} onClick=${() => go((at ?? last) + STEP)}>+\u20091\u2009h</button>
    </span>
    <input type="range" aria-label="Moment" aria-valuetext=${localTime(shown)} min=${first} max=${last} step="60000" value=${shown}
      onInput=${(/** @type {any} */ e) => {
        const ms = Number(e.target.value);
        setDrag(ms);
        clearTimeout(timer.current);
        timer.current = setTimeout(() => {
          setDrag(null);
          go(ms);
        }, 250);
      }} />
    <input class="input" type="datetime-local" aria-label="Date and time" value=${inputTime(shown)} min=${inputTime(first)} max=${inputTime(last)}
      onChange=${(/** @type {any} */ e) => {
        const ms = new Date(e.target.value).getTime();
        if (!Number.isNaN(ms)) go(ms);
      }} />
    ${at !== null
      ? html`<button type="button" class="button button-small" title="Back to now (n)" onClick=${() => setQuery({ at: null })}>Now</button>`
      : html`<span class="muted" title=${utcTime(last)}>newest</span>`}
  </div>`;
}

/** @param {{ host: HostDetail, row: HostTag, onClose: () => void, onPick: (t: number) => void }} props */
function RowChart({ host, row, onClose, onPick }) {
  const series = /** @type {Resource<TagSeries>} */ (
    useResource(href(["hosts", host.id, "tags", row.tag, "series"], { pool: row.pool, points: 600 }), { every: 120000 })
  );
  return html`<section class="row-chart" aria-label=${"Over time: " + row.tag}>
    <div class="panel-head">
      <h3><${TagChip} tag=${row.tag} pool=${row.pool} /> over time <span class="muted">${row.pool}${row.driver ? html`, <${Name} value=${row.driver} length=${32} />` : ""}</span></h3>
      <button type="button" class="button button-small" onClick=${onClose}>Close</button>
    </div>
    <${Load} resource=${series} skeleton=${html`<div class="row-chart-hold"></div>`}
      render=${(/** @type {TagSeries} */ s) =>
        s.t.length < 2
          ? html`<${Empty} title="Only one snapshot so far"><//>`
          : html`<div class="columns">
              <${Chart} t=${s.t} binary height=${150} sync="row" format=${bytes} label=${`Bytes of ${row.tag}`} onPick=${onPick}
                marks=${s.boots.map((t) => ({ t, label: "boot" }))} lines=${[{ label: "Bytes", values: s.bytes, fill: true }]} />
              <${Chart} t=${s.t} height=${150} sync="row" format=${(/** @type {number | null} */ v) => countShort(v)} label=${`Allocations of ${row.tag} a second`} onPick=${onPick}
                marks=${s.boots.map((t) => ({ t, label: "boot" }))} lines=${[{ label: "Allocs per second", values: s.alloc_rate, color: "--chart-2" }]} />
            </div>`} />
  </section>`;
}

/** @param {{ host: HostDetail, route: import("../lib/router.js").Route }} props */
export function Poolmon({ host, route }) {
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

  // The snapshot that is shown, as the server named it: the one before it is asked for by its time.
  const [answered, setAnswered] = useState(/** @type {{ at: number | null, is: number } | null} */ (null));
  const shownAt = answered && answered.at === at ? answered.is : at ?? parseTime(host.last_snapshot_at);
  // A moment of the past is first asked for by itself: only then is its snapshot's time known.
  const known = at === null || answered?.at === at;
  const other = since && known ? sinceTime(since, shownAt, bootOf(host, shownAt)?.first ?? null, parseTime(host.first_snapshot_at)) : null;
  const tags = /** @type {Resource<HostTags>} */ (
    useResource(
      `/hosts/${encodeURIComponent(host.id)}/tags` +
        search({ at: at === null ? null : rfc3339(at), since: other === null ? null : new Date(other).toISOString(), limit: 16384 }),
      { every: at === null ? 60000 : 0, keep: true },
    )
  );
  useEffect(() => {
    const is = parseTime(tags.data?.at);
    if (is !== null && !tags.pending) setAnswered((old) => (old && old.at === at && old.is === is ? old : { at, is }));
  }, [tags.data, tags.pending]);

  const rows = useMemo(() => sortTags(filterTags(tags.data?.items ?? [], q, pool), order), [tags.data, q, pool, order]);
  const delta = Boolean(since && tags.data?.since && !tags.data.rebooted);

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
      if (SORT_KEYS[e.key]) setQuery({ sort: e.key === "b" ? null : SORT_KEYS[e.key] });
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
  const d = tags.data;
  const seriesRow = series && (rows.find((r) => rowKey(r) === rowKey(series)) ?? series);
  return html`
    <section class="panel" aria-labelledby="fill-h">
      <div class="panel-head">
        <h2 id="fill-h">What fills the pools</h2>
        ${d ? html`<span class="muted">${d.cohort ? html`compared with ${count(d.cohort.hosts)} peers: <${Name} value=${d.cohort.label} length=${70} />` : at !== null ? "peers are compared at the newest snapshot only" : "too few peers to compare with"}</span>` : null}
      </div>
      ${d
        ? html`<div class="columns">
              <div><h3 class="pool-title">Nonpaged <span class="muted">${bytes(d.totals.nonpaged_bytes ?? null)}</span></h3><${PoolTreemap} rows=${d.items} pool="nonpaged" /></div>
              <div><h3 class="pool-title">Paged <span class="muted">${bytes(d.totals.paged_bytes ?? null)}</span></h3><${PoolTreemap} rows=${d.items} pool="paged" /></div>
            </div>
            <p class="legend"><span><i></i>as its peers</span><span><i class="k1"></i>above them (score 5 and more)</span><span><i class="k2"></i>far above (10 and more)</span></p>`
        : html`<div class="fill-hold"></div>`}
    </section>
    <section class="panel panel-flush" aria-labelledby="poolmon-h">
      <div class="panel-head">
        <h2 id="poolmon-h">Pool tags</h2>
        <span class="muted">${d ? html`${at !== null ? html`<span class="past">past</span>${" "}` : null}snapshot of <${Time} value=${d.at} as="second" />${
          since ? (d.rebooted ? "; rebooted in between: nothing to compare" : d.since ? html`, change since <${Time} value=${d.since} as="second" />` : "; no earlier snapshot of this boot") : ""}` : ""}</span>
      </div>
      <div class="toolbar poolmon-bar">
        <${Moment} host=${host} at=${at} />
      </div>
      <div class="toolbar poolmon-bar">
        <div class="segmented" role="group" aria-label="Pool (p)">
          ${[["", "Both"], ["nonpaged", "Nonpaged"], ["paged", "Paged"]].map(
            ([v, text]) => html`<button type="button" aria-pressed=${v === pool ? "true" : "false"} onClick=${() => setQuery({ pool: v })}>${text}</button>`,
          )}
        </div>
        <${Select} label="Change since" value=${since} options=${SINCE} onChange=${(/** @type {string} */ v) => setQuery({ since: v, ...(v === "" && order.change ? { sort: null } : {}) })} />
        <${SearchBox} label="Tag, driver or description" value=${q} wait=${80} onSearch=${(/** @type {string} */ v) => setQuery({ q: v })} />
        <span class="muted push" aria-live="polite">${d ? `${count(rows.length)} of ${count(d.rows_total)} rows` : ""}</span>
      </div>
      <${Load}
        resource=${tags}
        skeleton=${html`<div class="grid-hold"><${Skeleton} rows=${14} /></div>`}
        render=${(/** @type {HostTags} */ data) =>
          data.items.length === 0
            ? html`<${Empty} title="No pool tags at this moment">No snapshot of this host held a tag table then.<//>`
            : html`<div class=${seriesRow ? "with-chart" : ""}>
                <${Grid} rows=${rows} order=${order} onSort=${sortBy} delta=${delta} active=${active} label="Pool tags of this host"
                  onActive=${(/** @type {string} */ key, /** @type {HostTag} */ row) => {
                    setActive(key);
                    if (series) setSeries(row);
                  }} onOpen=${(/** @type {HostTag} */ row) => navigate(tagHref(row.tag, row.pool))}
                  onSeries=${(/** @type {HostTag} */ row) => setSeries(row)} />
                <div class="grid-foot">
                  <span>${delta ? html`Sum of changes <b>${bytesChange(rows.reduce((a, r) => a + (r.delta_bytes ?? 0), 0))}</b>` : html`Sum shown <b><${Bytes} value=${rows.reduce((a, r) => a + (r.bytes ?? 0), 0)} /></b>`}</span>
                  <span class="keys-hint no-print"><kbd>p</kbd> pool <kbd>b</kbd><kbd>d</kbd><kbd>a</kbd><kbd>f</kbd><kbd>m</kbd><kbd>t</kbd> sort <kbd>(</kbd> by change <kbd>/</kbd> search <kbd>\u21b5</kbd> open tag <kbd>?</kbd> all keys</span>
                </div>
                ${seriesRow ? html`<${RowChart} key=${rowKey(seriesRow)} host=${host} row=${seriesRow} onClose=${() => setSeries(null)} onPick=${pick} />` : null}
              </div>`}
      />
    </section>`;
}
