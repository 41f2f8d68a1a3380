// The memory waterfall: commit charge and physical memory split as far as the totals go, at the moment
// and over time.
import { html, useMemo } from "../../lib/ui.js";
import { bytes, count, localTime, percent } from "../../lib/format.js";
import { setQuery } from "../../lib/router.js";
import { rfc3339 } from "../../lib/format.js";
import { commitSplit, physicalSplit, splitLines, withGaps } from "../../lib/host.js";
import { en } from "../../lib/en.js";
import { Chart } from "../../components/chart.js";
import { Twin } from "../../components/twin.js";
import { Bytes, Count, Time } from "../../components/names.js";
import { Load, Skeleton } from "../../components/states.js";

const t = en.host.memory;
/** Tokens of the parts; hatched are those that hold what nobody told apart. @type {Record<string, string>} */
const COLOR = { nonpaged: "--mem-nonpaged", paged: "--mem-paged", rest: "--mem-rest", unsplit: "--mem-rest", resident: "--mem-rest", inuse: "--mem-rest", free: "--mem-free", available: "--mem-free" };
const UNKNOWN_PARTS = ["rest", "unsplit", "resident", "inuse"];

/** @param {{ title: string, split: import("../../lib/host.js").Split, of: string }} props */
function Waterfall({ title, split, of }) {
  const whole = split.whole ?? 0;
  return html`<div class="fall">
    <h3>${title} <span class="muted">${split.whole === null ? "" : html`${of} <${Bytes} value=${split.whole} />`}</span></h3>
    ${split.fault
      ? html`<p class="muted small fall-none">${t.notes[split.fault]}</p>`
      : html`<ol class="fall-rows">
          ${split.parts.map((p, i) => {
            const before = split.parts.slice(0, i).reduce((a, b) => a + b.bytes, 0);
            return html`<li key=${p.key}>
              <span class="fall-name">${t.parts[p.key]}</span>
              <span class="fall-size"><${Bytes} value=${p.bytes} /></span>
              <span class="fall-share muted">${percent(p.bytes / whole)}</span>
              <span class="fall-track" aria-hidden="true"><i class=${"mem-" + p.key} style=${{ left: `${((before / whole) * 100).toFixed(2)}%`, width: `${((p.bytes / whole) * 100).toFixed(2)}%` }}></i></span>
            </li>`;
          })}
        </ol>`}
  </div>`;
}

/** @param {{ s: HostSeries, marks: { t: number, label: string, kind?: string }[] }} props */
function OverTime({ s, marks }) {
  const pick = (/** @type {number} */ sec) => setQuery({ at: rfc3339(sec * 1000) });
  const pools = useMemo(() => {
    const c = s.columns;
    const names = [["nonpaged_bytes", "last"], ["nonpaged_bytes", "min"], ["nonpaged_bytes", "max"], ["paged_bytes", "last"], ["paged_bytes", "min"], ["paged_bytes", "max"]];
    return withGaps(s.t, names.map(([n, f]) => c[n]?.[/** @type {"last" | "min" | "max"} */ (f)] ?? s.t.map(() => null)));
  }, [s]);
  const commit = useMemo(() => {
    const parts = ["nonpaged", "paged", "rest", "free"];
    const lines = splitLines(s, commitSplit, parts);
    const held = withGaps(s.t, parts.map((p) => lines[p]));
    // Without a limit nothing is free of it; a part that no point has is not drawn at all.
    return { t: held.t, parts: parts.map((key, i) => ({ key, values: held.columns[i] })).filter((p) => p.values.some((v) => v !== null)) };
  }, [s]);
  const physical = useMemo(() => {
    const parts = ["nonpaged", "resident", "available"];
    const lines = splitLines(s, physicalSplit, parts);
    const held = withGaps(s.t, parts.map((p) => lines[p]));
    return { t: held.t, parts: parts.map((key, i) => ({ key, values: held.columns[i] })).filter((p) => p.values.some((v) => v !== null)) };
  }, [s]);
  const stack = (/** @type {{ key: string, values: (number | null)[] }[]} */ parts) =>
    parts.map((p) => ({ label: t.short[p.key], values: p.values, color: COLOR[p.key], hatch: UNKNOWN_PARTS.includes(p.key), width: 1 }));
  const names = Object.keys(s.columns);
  const rows = s.t.map((at, i) => ({ at, i }));
  return html`<div class="mem-charts">
      <figure>
        <figcaption>${t.pools}</figcaption>
        <${Chart} t=${pools.t} binary height=${170} sync="host" format=${bytes} label=${t.poolsChart} onPick=${pick} marks=${marks}
          lines=${[
            { label: t.short.nonpaged, values: pools.columns[0], min: pools.columns[1], max: pools.columns[2], color: "--mem-nonpaged", width: 2 },
            { label: t.short.paged, values: pools.columns[3], min: pools.columns[4], max: pools.columns[5], color: "--mem-paged", dash: [6, 3] },
          ]} />
      </figure>
      ${commit.parts.length ? html`<figure><figcaption>${t.commit}</figcaption>
        <${Chart} t=${commit.t} binary stacked height=${170} sync="host" format=${bytes} label=${t.commitChart} onPick=${pick} marks=${marks} lines=${stack(commit.parts)} /></figure>` : null}
      ${physical.parts.length ? html`<figure><figcaption>${t.physical}</figcaption>
        <${Chart} t=${physical.t} binary stacked height=${170} sync="host" format=${bytes} label=${t.physicalChart} onPick=${pick} marks=${marks} lines=${stack(physical.parts)} /></figure>` : null}
    </div>
    <p class="muted small">${t.points(s.t.length, s.snapshots)}</p>
    <${Twin} title=${t.title} rows=${rows} columns=${[
      { key: "at", label: t.at, class: "nowrap", raw: (/** @type {any} */ r) => new Date(r.at * 1000).toISOString(), cell: (/** @type {any} */ r) => localTime(r.at * 1000) },
      ...names.flatMap((n) => [["last", ""], ["min", "_min"], ["max", "_max"]].map(([figure, suffix]) => {
        const value = (/** @type {any} */ r) => s.columns[n][/** @type {"last" | "min" | "max"} */ (figure)][r.i];
        return { key: n + suffix, label: `${n.replace(/_bytes$/, "").replace(/_/g, " ")}${suffix ? ` ${en.host.memory[/** @type {"min" | "max"} */ (figure)].toLowerCase()}` : ""}`, number: true, raw: value, cell: (/** @type {any} */ r) => (n.endsWith("_bytes") ? bytes(value(r)) : count(value(r))) };
      })),
    ]} />`;
}

/** @param {{ totals: Record<string, number | null>, at: string | null, past: boolean, series: Resource<HostSeries>, marks: { t: number, label: string, kind?: string }[] }} props */
export function Memory({ totals, at, past, series, marks }) {
  const commit = commitSplit(totals);
  const physical = physicalSplit(totals);
  return html`<section class="panel" aria-labelledby="mem-h">
    <div class="panel-head"><h2 id="mem-h">${t.title}</h2><span class="muted">${past ? html`<span class="past-mark">${t.past}</span>${" "}` : null}${t.asOf} <${Time} value=${at} as="second" /></span></div>
    <div class="columns">
      <${Waterfall} title=${t.commit} split=${commit} of=${totals.commit_limit_bytes == null ? "" : t.limitIs} />
      <${Waterfall} title=${t.physical} split=${physical} of="" />
    </div>
    ${[...commit.parts, ...physical.parts].some((p) => UNKNOWN_PARTS.includes(p.key)) ? html`<p class="muted small">${t.notes.rest}</p>` : null}
    <dl class="memory">
      ${[["nonpaged", t.parts.nonpaged], ["paged", t.parts.paged]].map(([key, name]) => {
        const max = totals[key + "_limit_bytes"];
        return html`<div key=${key}><dt>${name}</dt><dd><b><${Bytes} value=${totals[key + "_bytes"]} /></b> <span class="muted small">${max && totals[key + "_bytes"] != null ? `${percent(/** @type {number} */ (totals[key + "_bytes"]) / max)} ${t.ofWhole} ${bytes(max)} ${t.limit.toLowerCase()}` : ""}</span></dd></div>`;
      })}
      <div><dt>${t.handles}</dt><dd><b><${Count} value=${totals.handles || null} /></b></dd></div>
      <div><dt>${t.processes}</dt><dd><b><${Count} value=${totals.processes || null} />${totals.processes || totals.threads ? html`, <${Count} value=${totals.threads || null} />` : null}</b></dd></div>
      <div><dt>${t.failures}</dt><dd><b class=${totals.alloc_failures ? "soon" : ""}><${Count} value=${totals.alloc_failures} /></b></dd></div>
    </dl>
    <div class="mem-chart">
      <${Load} resource=${series} skeleton=${html`<div class="mem-hold"><${Skeleton} rows=${6} /></div>`}
        render=${(/** @type {HostSeries} */ s) => (s.t.length > 1 ? html`<${OverTime} s=${s} marks=${marks} />` : html`<p class="muted">${s.t.length ? t.one : t.none}</p>`)} />
    </div>
  </section>`;
}
