// Fleet map: every host a cell, coloured by what it is asked for, grouped and filtered. The address
// holds all of it; beside the picture stand the same figures as a table, and the hosts as rows.
import { html, useMemo, useState, useEffect, useLayoutEffect } from "../lib/ui.js";
import { useTitle } from "../lib/title.js";
import { hostHref, navigate, search, setQuery, tagHref } from "../lib/router.js";
import { count } from "../lib/format.js";
import { useFleet } from "../lib/fleet_data.js";
import { anyFaulty, filterFleet, filtersOf, GROUPINGS, groupFleet, orderFleet, sortFleet, word } from "../lib/fleet.js";
import { classify, COLOURINGS, sizes } from "../lib/mapcolour.js";
import { chosenColumns, csvOf } from "../lib/host_columns.js";
import { CELLS } from "../lib/maplayout.js";
import { saveText } from "../lib/save.js";
import { cut, visible } from "../lib/text.js";
import { en } from "../lib/en.js";
import { FleetFilters } from "../components/fleet_filters.js";
import { FleetMap } from "../components/fleetmap.js";
import { HostGrid } from "../components/hostgrid.js";
import { Legend, Sign } from "../components/legend.js";
import { Name } from "../components/names.js";
import { Select } from "../components/select.js";
import { Age, Empty, Load } from "../components/states.js";

const t = en.map;
const options = (/** @type {Record<string, string>} */ words) => Object.entries(words);

/** A group's name as a person says it. @param {string} by @param {import("../lib/fleet.js").Group} g */
function groupLabel(by, g) {
  if (by === "none") return t.everyHost;
  if (g.joined > 1) return t.rest(g.joined);
  if (g.label === null || (by === "band" && g.label === "?")) return by === "finding" ? t.noFinding : t.unknown;
  if (by === "driver") return g.label === "" ? t.driverAbsent : g.label === "?" ? t.driverUnknown : g.label;
  return g.label;
}

/** Which tag, pool or driver; sent when all is there. @param {{ route: import("../lib/router.js").Route, colour: string, group: string }} props */
function Subject({ route, colour, group }) {
  const q = (/** @type {string} */ name) => route.query.get(name) ?? "";
  const [tag, setTag] = useState(q("tag"));
  const [pool, setPool] = useState(q("pool") || "nonpaged");
  const [driver, setDriver] = useState(q("driver"));
  useEffect(() => setTag(q("tag")), [q("tag")]);
  useEffect(() => setDriver(q("driver")), [q("driver")]);
  if (colour !== "score" && group !== "driver") return null;
  return html`<form class="toolbar map-subject" onSubmit=${(/** @type {Event} */ e) => {
    e.preventDefault();
    setQuery({ ...(colour === "score" ? { tag: tag || null, pool: tag ? pool : null } : {}), ...(group === "driver" ? { driver: driver.trim() || null } : {}) });
  }}>
    ${colour === "score" ? html`<label class="facet"><span>${t.tag}</span><input class="input map-tag" maxlength="16" value=${tag} spellcheck="false" autocomplete="off" onInput=${(/** @type {any} */ e) => setTag(e.target.value)} /></label>
      <${Select} label=${t.pool} value=${pool} options=${[["nonpaged", "nonpaged"], ["paged", "paged"]]} onChange=${setPool} />` : null}
    ${group === "driver" ? html`<label class="facet"><span>${t.driver}</span><input class="input" maxlength="256" value=${driver} spellcheck="false" autocomplete="off" placeholder=${t.driverExample} onInput=${(/** @type {any} */ e) => setDriver(e.target.value)} /></label>` : null}
    <button type="submit" class="button">${t.apply}</button>
    ${colour === "score" && !q("tag") ? html`<span class="muted">${t.askTag}</span>` : null}
    ${group === "driver" && !q("driver") ? html`<span class="muted">${t.askDriver}</span>` : null}
    ${colour === "score" && q("tag") ? html`<a href=${tagHref(q("tag"), q("pool"))}><${Name} value=${q("tag")} length=${17} /></a>` : null}
  </form>`;
}

/** @param {{ groups: { label: string, count: number, key: string | null, by: number[] }[], classes: import("../lib/mapcolour.js").Class[], onZoom: (key: string) => void }} props */
function Summary({ groups, classes, onZoom }) {
  const shown = classes.map((_, k) => k).filter((k) => groups.some((g) => g.by[k] > 0)).sort((a, b) => classes[b].loud - classes[a].loud);
  return html`<div class="table-wrap" tabindex="0" role="region" aria-label=${t.summary}>
    <table class="table table-compact table-stack" id="map-summary-table">
      <caption class="offscreen">${t.summary}</caption>
      <thead><tr><th scope="col">${t.groupHead}</th><th scope="col" class="number">${t.hostsHead}</th>${shown.map((k) => html`<th key=${k} scope="col" class="number"><${Sign} sign=${classes[k].sign} size=${12} /> ${classes[k].label}</th>`)}</tr></thead>
      <tbody>${groups.map((g, n) => html`<tr key=${n}>
        <th scope="row">${g.key !== null && groups.length > 1 ? html`<button type="button" class="link-button" onClick=${() => onZoom(/** @type {string} */ (g.key))}><${Name} value=${g.label} length=${48} /></button>` : html`<${Name} value=${g.label} length=${48} />`}</th>
        <td class="number" data-label=${t.hostsHead}>${count(g.count)}</td>${shown.map((k) => html`<td key=${k} class="number" data-label=${classes[k].label}>${g.by[k] ? count(g.by[k]) : html`<span class="muted">0</span>`}</td>`)}
      </tr>`)}</tbody>
    </table>
  </div>`;
}

/** How much height the map gets at most: a window full, so that a scroll brings all of it into sight. */
function useRoom() {
  const measure = () => Math.max(360, Math.min(1200, innerHeight - 80));
  const [room, setRoom] = useState(measure());
  useEffect(() => {
    const again = () => setRoom(measure());
    addEventListener("resize", again);
    return () => removeEventListener("resize", again);
  }, []);
  return room;
}

/** Everything that follows from the fleet and the address. @param {import("../lib/fleet.js").Fleet} fleet @param {any} a */
function useShown(fleet, a) {
  const now = useMemo(() => Date.now(), [fleet]);
  const found = useMemo(() => filterFleet(fleet, a.filters), [fleet, a.ids, JSON.stringify(a.filters)]);
  const all = useMemo(() => groupFleet(fleet, found.rows, a.group), [fleet, found, a.group]);
  const zoomed = useMemo(() => {
    const names = all.groups.map((g) => (g.joined === 1 ? g.label ?? "" : null));
    const k = a.zoom === null ? -1 : names.indexOf(a.zoom);
    if (k < 0) return { rows: found.rows, groups: all.groups, of: all.of, on: null };
    const rows = found.rows.filter((_, place) => all.of[place] === k);
    return { rows, groups: [all.groups[k]], of: new Int32Array(rows.length), on: all.groups[k] };
  }, [all, a.zoom]);
  const colouring = COLOURINGS[a.colour];
  const klass = useMemo(() => classify(fleet, colouring, now), [fleet, colouring, now]);
  const size = useMemo(() => sizes(fleet, a.size), [fleet, a.size]);
  const order = useMemo(() => {
    const loud = new Uint8Array(fleet.count);
    for (let i = 0; i < fleet.count; i++) loud[i] = colouring.classes[klass[i]].loud;
    return orderFleet(fleet, zoomed.rows, zoomed.of, loud);
  }, [fleet, zoomed, klass]);
  const groups = useMemo(() => {
    const by = zoomed.groups.map(() => new Array(colouring.classes.length).fill(0));
    for (let k = 0; k < zoomed.rows.length; k++) by[zoomed.of[k]][klass[zoomed.rows[k]]]++;
    return zoomed.groups.map((g, k) => ({ label: groupLabel(a.group, g), count: g.count, key: g.joined === 1 ? g.label ?? "" : null, by: by[k] }));
  }, [zoomed, klass, a.group]);
  const totals = colouring.classes.map((_, k) => groups.reduce((n, g) => n + g.by[k], 0));
  return { now, found, zoomed, colouring, klass, size, order, groups, totals };
}

/** @param {{ fleet: import("../lib/fleet.js").Fleet, a: any, setFacets: (f: any) => void }} props */
function Picture({ fleet, a, setFacets }) {
  const s = useShown(fleet, a);
  const room = useRoom();
  const [wait, setWait] = useState(false);
  useLayoutEffect(() => setFacets(s.found.facets), [s.found]); // in the same picture: wider filters may move what is below
  const place = a.cell > 0 ? CELLS.indexOf(a.cell) : -1;
  const onCell = (/** @type {number} */ by) => {
    const from = place >= 0 ? place : CELLS.indexOf(10);
    const to = place < 0 && by < 0 ? -1 : from - by;
    setQuery({ cell: to < 0 ? CELLS[0] : to >= CELLS.length ? null : CELLS[to] });
  };
  const name = (/** @type {number} */ i) => cut(visible(fleet.names[i] ?? fleet.ids[i] ?? t.unknown), 60);
  const say = (/** @type {number} */ i) => [name(i), s.colouring.classes[s.klass[i]].label, s.colouring.value(fleet, i, s.now), word(fleet, "role", i), word(fleet, "os_build", i)]
    .filter((part, k, parts) => part && parts.indexOf(part) === k).map((part) => visible(part)).join(", ");
  const open = (/** @type {number} */ i) => {
    if (fleet.ids[i] === null) setWait(true);
    else navigate(hostHref(/** @type {string} */ (fleet.ids[i])));
  };
  const zoom = (/** @type {string} */ key) => setQuery({ zoom: key === "" ? "\u2205" : key }, { replace: false });
  const save = () => saveText(`fleet-map-${new Date(fleet.asOf ?? Date.now()).toISOString().slice(0, 16).replace(":", "")}.csv`, "text/csv", csvOf(fleet, s.order, [
    { name: "group", value: (i) => s.groups[s.zoomed.on ? 0 : groupPlace.get(i) ?? 0].label },
    { name: "colour_by", value: () => a.colour },
    { name: "class", value: (i) => s.colouring.classes[s.klass[i]].label },
  ]));
  const groupPlace = useMemo(() => new Map(Array.from(s.zoomed.rows, (row, k) => [row, s.zoomed.of[k]])), [s.zoomed]);
  const rows = useMemo(() => (a.table ? sortFleet(fleet, s.zoomed.rows, a.sort) : null), [a.table, a.sort, s.zoomed]);
  if (!s.found.rows.length) return html`<${Empty} title=${t.noMatch}><a href="/map">${t.showAll}</a><//>`;
  return html`<section class="panel map-panel" aria-label=${t.title}>
    <div class="map-bar">
      <${Legend} classes=${s.colouring.classes} counts=${s.totals} label=${t.legend} />
      <span class="map-tools no-print">
        ${s.zoomed.on ? html`<button type="button" class="button button-small" aria-label=${t.unzoom} onClick=${() => setQuery({ zoom: null })}>${t.zoomed(cut(visible(s.groups[0].label), 30))} \u00d7</button>` : null}
        ${a.table ? null : html`<span class="segmented" role="group">
          <button type="button" aria-label=${t.smaller} disabled=${a.cell === 0} onClick=${() => onCell(-1)}>\u2212</button>
          <button type="button" aria-pressed=${a.cell === 0 ? "true" : "false"} onClick=${() => setQuery({ cell: null })}>${t.fit}</button>
          <button type="button" aria-label=${t.bigger} disabled=${place === 0} onClick=${() => onCell(1)}>+</button>
        </span>`}
        <button type="button" class="button button-small" aria-pressed=${a.table ? "true" : "false"} onClick=${() => setQuery({ view: a.table ? null : "table" })}>${a.table ? t.asMap : t.asTable}</button>
        <button type="button" class="button button-small" onClick=${save}>${t.csv}</button>
      </span>
    </div>
    ${rows
      ? html`<${HostGrid} fleet=${fleet} rows=${rows} columns=${chosenColumns(null)} sort=${a.sort} ids=${a.ids} label=${t.asTable} onSort=${(/** @type {string} */ by) => setQuery({ sort: by === "name" ? null : by })} />`
      : html`<${FleetMap} order=${s.order} groups=${s.groups} classes=${s.colouring.classes} klass=${s.klass} size=${s.size} cell=${a.cell} height=${room}
          say=${say} onOpen=${open} onZoom=${zoom} onCell=${onCell} />`}
    ${wait && fleet.ids.includes(null) ? html`<p class="note" role="status">${t.wait}</p>` : null}
    <p class="offscreen" id="map-summary">${s.totals.map((n, k) => (n ? `${t.hosts(n)} ${s.colouring.classes[k].label}` : "")).filter(Boolean).join("; ")}</p>
  </section>
  <section class="panel panel-flush map-summary" aria-label=${t.summary}><${Summary} groups=${s.groups} classes=${s.colouring.classes} onZoom=${zoom} /></section>`;
}

/** @param {{ route: import("../lib/router.js").Route }} props */
export default function FleetMapView({ route }) {
  useTitle(t.title);
  const q = (/** @type {string} */ name) => route.query.get(name) ?? "";
  const colour = q("colour") in COLOURINGS ? q("colour") : "severity";
  const group = GROUPINGS.includes(q("group")) ? q("group") : "role";
  const { resource, fleet, ids } = useFleet({ tag: q("tag"), pool: q("pool") || "nonpaged", driver: q("driver") });
  const [facets, setFacets] = useState(/** @type {any} */ (null));
  const cell = CELLS.includes(Number(q("cell"))) ? Number(q("cell")) : 0;
  const filters = filtersOf(route.query);
  const a = { filters, colour, group, size: q("size"), cell, zoom: route.query.get("zoom") === "\u2205" ? "" : route.query.get("zoom"), table: q("view") === "table", sort: q("sort") || "name", ids };
  return html`<div class="page">
    <div class="page-head"><h1 tabindex="-1">${t.title}</h1>
      <span class="muted">${fleet ? t.hosts(fleet.total) : "\u00a0"}</span>
      ${fleet?.asOf ? html`<${Age} time=${new Date(fleet.asOf).toISOString()} limit=${1800} what=${en.today.newest} />` : null}
      <span class="page-actions"><a class="button button-small" href=${"/hosts" + search(filters)}>${en.hosts.title}</a></span>
    </div>
    <div class="toolbar" role="group" aria-label=${t.title}>
      <${Select} label=${t.colour} value=${colour} options=${options(t.colours)} onChange=${(/** @type {string} */ v) => setQuery({ colour: v === "severity" ? null : v })} />
      <${Select} label=${t.group} value=${group} options=${options(t.groups)} onChange=${(/** @type {string} */ v) => setQuery({ group: v === "role" ? null : v, zoom: null })} />
      <${Select} label=${t.size} value=${q("size")} options=${options(t.sizes)} onChange=${(/** @type {string} */ v) => setQuery({ size: v || null })} />
    </div>
    <${Subject} route=${route} colour=${colour} group=${group} />
    <${FleetFilters} filters=${filters} facets=${facets} faulty=${anyFaulty(fleet)} clear=${{ zoom: null }} />
    <${Load} resource=${resource} skeleton=${html`<div class="map-hold skeleton" role="status" aria-label=${t.title}></div>`}
      render=${() => (!fleet ? null : fleet.count === 0
        ? html`<${Empty} title=${en.hosts.empty}>${en.hosts.emptyHow}<a href="/diagnose">${en.hosts.paste}</a>.<//>`
        : html`<${Picture} fleet=${fleet} a=${a} setFacets=${setFacets} />`)} />
  </div>`;
}
