// The last boots over one another, on one axis of hours since boot.
import { html, useEffect, useMemo, useState } from "../../lib/ui.js";
import { get } from "../../lib/api.js";
import { bytes, localTime, parseTime } from "../../lib/format.js";
import { href, setQuery } from "../../lib/router.js";
import { alignBoots } from "../../lib/host.js";
import { en } from "../../lib/en.js";
import { Chart } from "../../components/chart.js";
import { Twin } from "../../components/twin.js";
import { Select } from "../../components/select.js";
import { SeverityMark } from "../../components/marks.js";
import { Empty, ErrorPanel, Skeleton } from "../../components/states.js";

const t = en.host.boots;
const POINTS = 200;
const LOOKS = [
  { color: "--chart-1", width: 2.5 }, { color: "--chart-2", width: 1.5 }, { color: "--chart-2", width: 1.5, dash: [6, 3] }, { color: "--chart-3", width: 1.5 },
  { color: "--chart-3", width: 1.5, dash: [6, 3] }, { color: "--chart-3", width: 1.5, dash: [2, 3] }, { color: "--chart-2", width: 1.5, dash: [2, 3] }, { color: "--chart-1", width: 1, dash: [2, 2] },
];

/**
 * Several addresses at once; what could be read is shown, what could not is counted.
 * @param {string[]} paths
 */
function useMany(paths) {
  const key = paths.join(" ");
  const [state, setState] = useState(/** @type {{ key: string, data: any[], errors: any[] } | null} */ (null));
  const [turn, setTurn] = useState(0);
  useEffect(() => {
    if (!paths.length) return undefined;
    const gate = new AbortController();
    Promise.allSettled(paths.map((p) => get(p, { signal: gate.signal }))).then((all) => {
      if (gate.signal.aborted) return;
      setState({ key, data: all.map((r) => (r.status === "fulfilled" ? r.value : null)), errors: all.flatMap((r) => (r.status === "rejected" ? [r.reason] : [])) });
    });
    return () => gate.abort();
  }, [key, turn]);
  return { of: state?.key === key ? state : null, again: () => setTurn((n) => n + 1) };
}

/** @param {{ host: HostDetail, chosen: { tag: string, pool: Pool } | null, show: string, most: number }} props show: nonpaged, paged, or "POOL TAG" */
export function Boots({ host, chosen, show, most }) {
  const boots = host.boots.filter((b) => b.boot_at !== null).slice(0, most);
  const tag = /^(nonpaged|paged) (.+)$/.exec(show);
  const measure = tag ? "tag" : show === "paged" ? "paged" : "nonpaged";
  const paths = boots.length < 2 ? [] : boots.map((b) =>
    tag
      ? href(["hosts", host.id, "tags", tag[2], "series"], { pool: tag[1], from: b.first_seen, to: b.last_seen, points: POINTS })
      : href(["hosts", host.id, "series"], { from: b.first_seen, to: b.last_seen, points: POINTS, columns: measure + "_bytes" }));
  const { of, again } = useMany(paths);
  const what = tag ? tag[2] : t[/** @type {"nonpaged" | "paged"} */ (measure)];
  const picture = useMemo(() => {
    if (!of) return null;
    const drawn = boots.flatMap((b, i) => {
      const d = of.data[i];
      if (!d || !d.t.length) return [];
      return [{ boot: Math.round((parseTime(b.boot_at) ?? 0) / 1000), t: d.t, values: tag ? d.bytes : d.columns[measure + "_bytes"].last, label: `${t.boot} ${localTime(b.boot_at)}` }];
    });
    const { hours, lines } = alignBoots(drawn);
    return { hours, lines: drawn.map((d, i) => ({ label: d.label, values: lines[i], ...LOOKS[i % LOOKS.length] })) };
  }, [of]);
  const options = [["nonpaged", t.nonpaged], ["paged", t.paged]];
  if (tag) options.push([show, tag[2]]);
  if (chosen && `${chosen.pool} ${chosen.tag}` !== show) options.push([`${chosen.pool} ${chosen.tag}`, chosen.tag]);
  // A boot that never had the tag answers 404: nothing of it to draw, and no fault.
  const failed = of ? of.errors.filter((e) => e?.status !== 404) : [];
  return html`<section class="panel" aria-labelledby="boots-h">
    <div class="panel-head"><h2 id="boots-h">${t.title}</h2><span class="muted">${t.why}</span></div>
    ${boots.length < 2
      ? html`<${Empty} title=${t.one}><//>`
      : html`<div class="toolbar">
            <${Select} label=${t.measure} value=${show} options=${options} onChange=${(/** @type {string} */ v) => setQuery({ overlay: v === "nonpaged" ? null : v })} />
            <${Select} label=${t.count} value=${String(most)} options=${[2, 3, 5, 8].map((n) => [String(n), String(n)])} onChange=${(/** @type {string} */ v) => setQuery({ boots: v === "5" ? null : v })} />
            ${chosen || tag ? null : html`<span class="muted small">${t.pick}</span>`}
          </div>
          ${failed.length && failed.length === of?.data.length
            ? html`<${ErrorPanel} error=${failed[0]} retry=${again} />`
            : failed.length
              ? html`<p class="partial" role="status"><${SeverityMark} severity="warning" size=${14} label=${false} /> ${t.partial(failed.length, boots.length)} <button type="button" class="button button-small" onClick=${again}>${t.retry}</button></p>`
              : null}
          ${!picture
            ? html`<div class="boots-hold"><${Skeleton} rows=${6} /></div>`
            : picture.lines.length
              ? html`<${Chart} t=${picture.hours} binary height=${210} spanGaps format=${bytes} label=${t.chart(what)} xFormat=${(/** @type {number} */ h) => `${Number(h.toFixed(2))}\u00a0${t.h}`} lines=${picture.lines} />
                  <${Twin} title=${`${t.title} ${what}`} rows=${picture.hours.map((h, i) => ({ h, i }))} columns=${[
                    { key: "hours", label: t.hours, number: true, raw: (/** @type {any} */ r) => Number(r.h.toFixed(4)), cell: (/** @type {any} */ r) => r.h.toFixed(2) },
                    ...picture.lines.map((l) => ({ key: l.label, label: l.label, number: true, raw: (/** @type {any} */ r) => l.values[r.i], cell: (/** @type {any} */ r) => bytes(l.values[r.i]) })),
                  ]} />`
              : html`<${Empty} title=${en.host.memory.none}><//>`}`}
  </section>`;
}
