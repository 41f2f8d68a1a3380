// Every host, tens of thousands of them: read once as columns, filtered and sorted here at once.
import { html, useMemo } from "../lib/ui.js";
import { useTitle } from "../lib/title.js";
import { search, setQuery } from "../lib/router.js";
import { count } from "../lib/format.js";
import { useFleet } from "../lib/fleet_data.js";
import { anyFaulty, filterFleet, filtersOf, sortFleet } from "../lib/fleet.js";
import { chosenColumns, csvOf, HOST_COLUMNS, ndjsonOf } from "../lib/host_columns.js";
import { saveText } from "../lib/save.js";
import { en } from "../lib/en.js";
import { usePhone } from "../components/width.js";
import { FleetFilters } from "../components/fleet_filters.js";
import { HostGrid } from "../components/hostgrid.js";
import { Empty, Load, Skeleton } from "../components/states.js";

const t = en.hosts;

/** @param {{ shown: import("../lib/host_columns.js").HostColumn[] }} props */
function Columns({ shown }) {
  const keys = shown.map((c) => c.key);
  const toggle = (/** @type {string} */ key) => {
    const next = HOST_COLUMNS.map((c) => c.key).filter((k) => (k === key ? !keys.includes(k) : keys.includes(k)));
    const usual = HOST_COLUMNS.filter((c) => c.usual).map((c) => c.key).join();
    setQuery({ cols: next.join() === usual ? null : next.join() });
  };
  return html`<details class="columns-menu">
    <summary class="button button-small">${t.columns}</summary>
    <fieldset class="columns-list">
      <legend class="offscreen">${t.columns}</legend>
      ${HOST_COLUMNS.filter((c) => c.key !== "name").map((c) => html`<label key=${c.key}><input type="checkbox" checked=${keys.includes(c.key)} onChange=${() => toggle(c.key)} /> ${/** @type {Record<string, string>} */ (t.heads)[c.key]}</label>`)}
      <button type="button" class="button button-small" onClick=${() => setQuery({ cols: null })}>${t.columnsReset}</button>
    </fieldset>
  </details>`;
}

/** @param {{ route: import("../lib/router.js").Route }} props */
export default function Hosts({ route }) {
  useTitle(t.title);
  const { resource, fleet, ids } = useFleet();
  const filters = filtersOf(route.query);
  const sort = route.query.get("sort") || "name";
  const phone = usePhone();
  const columns = useMemo(() => chosenColumns(route.query.get("cols"), phone), [route.query.get("cols"), phone]);
  const found = useMemo(() => (fleet ? filterFleet(fleet, filters) : null), [fleet, ids, JSON.stringify(filters)]);
  const rows = useMemo(() => (fleet && found ? sortFleet(fleet, found.rows, sort) : null), [fleet, found, sort]);
  const filtered = Object.keys(filters).length > 0;
  const stamp = () => new Date(fleet?.asOf ?? Date.now()).toISOString().slice(0, 16).replace(":", "");
  return html`<div class="page">
    <div class="page-head"><h1 tabindex="-1">${t.title}</h1>
      <span class="muted" role="status">${fleet && found ? (filtered ? t.found(count(found.rows.length), count(fleet.total)) : t.inAll(count(fleet.total))) : "\u00a0"}</span>
      <span class="page-actions">
        <a class="button button-small" href=${"/map" + search(filters)}>${t.onMap}</a>
        <${Columns} shown=${columns} />
        <button type="button" class="button button-small" disabled=${!rows?.length} onClick=${() => fleet && rows && saveText(`hosts-${stamp()}.csv`, "text/csv", csvOf(fleet, rows))}>${t.csv}</button>
        <button type="button" class="button button-small" disabled=${!rows?.length} onClick=${() => fleet && rows && saveText(`hosts-${stamp()}.ndjson`, "application/x-ndjson", ndjsonOf(fleet, rows))}>${t.ndjson}</button>
      </span>
    </div>
    <${FleetFilters} filters=${filters} facets=${found?.facets ?? null} faulty=${anyFaulty(fleet)} clear=${{}} />
    <${Load} resource=${resource} skeleton=${html`<div class="hostgrid-hold"><${Skeleton} rows=${14} /></div>`}
      render=${() =>
        !fleet || !rows ? null : rows.length
          ? html`<section class="panel panel-flush"><${HostGrid} fleet=${fleet} rows=${rows} columns=${columns} sort=${sort} ids=${ids} label=${t.grid} onSort=${(/** @type {string} */ s) => setQuery({ sort: s === "name" ? null : s })} />
              <p class="keys-hint muted small">${t.keys}</p></section>`
          : filtered
            ? html`<${Empty} title=${t.noMatch}><a href="/hosts">${t.showAll}</a><//>`
            : html`<${Empty} title=${t.empty}>${t.emptyHow}<a href="/diagnose">${t.paste}</a>.<//>`}
    />
  </div>`;
}
