// The filters that Hosts and Fleet map share; their state is the address.
import { html } from "../lib/ui.js";
import { setQuery } from "../lib/router.js";
import { count } from "../lib/format.js";
import { cut, visible } from "../lib/text.js";
import { FILTERS } from "../lib/fleet.js";
import { SEVERITY } from "../lib/words.js";
import { en } from "../lib/en.js";
import { SearchBox } from "./search.js";

const t = en.hosts;
const SHOWN = 200; // of a facet; the search finds the others

/** @param {string} name @param {string | null} value */
function label(name, value) {
  if (name === "severity") return value === null ? t.none : SEVERITY[value] ?? value;
  return value === null || value === "?" ? t.unknown : cut(visible(value), 40);
}

/**
 * @param {{ name: string, value: string, counts: Map<string | null, number> | undefined }} props
 */
function Facet({ name, value, counts }) {
  // What is not known can only be asked for where there is a word for it.
  const options = [...(counts ?? [])].filter(([v]) => v !== null || name === "severity").slice(0, SHOWN).map(([v, n]) => ({ value: v === null ? "none" : v, text: `${label(name, v)} (${count(n)})` }));
  if (value && !options.some((o) => o.value === value)) options.unshift({ value, text: `${label(name, value === "none" ? null : value)} (0)` });
  return html`<label class="facet"
    ><span>${/** @type {Record<string, string>} */ (t.facets)[name]}</span
    ><select value=${value} class=${value ? "facet-on" : ""} onChange=${(/** @type {any} */ e) => setQuery({ [name]: e.target.value || null })}>
      <option value="" selected=${!value}>${t.any}</option>
      ${options.map((o) => html`<option key=${o.value} value=${o.value} selected=${o.value === value}>${o.text}</option>`)}
    </select></label
  >`;
}

/**
 * @param {{ filters: Record<string, string>, facets: Record<string, Map<string | null, number>> | null, faulty: boolean, clear: Record<string, null> }} props
 *   faulty: there are hosts to ask for by it; it is rare, so it takes no room otherwise
 */
export function FleetFilters({ filters, facets, faulty, clear }) {
  const toggle = (/** @type {string} */ name) => setQuery({ [name]: filters[name] === "yes" ? null : "yes" });
  return html`<div class="toolbar fleet-filters" role="group" aria-label=${t.filters}>
    <${SearchBox} label=${t.search} value=${filters.q ?? ""} wait=${0} onSearch=${(/** @type {string} */ q) => setQuery({ q: q || null })} />
    ${["role", "os.build", "model", "severity", "band"].map((name) => html`<${Facet} key=${name} name=${name} value=${filters[name] ?? ""} counts=${facets?.[name]} />`)}
    <button type="button" class="button" aria-pressed=${filters.finding === "yes" ? "true" : "false"} onClick=${() => toggle("finding")}>${t.withFindings}</button>
    <button type="button" class="button" aria-pressed=${filters.silent === "yes" ? "true" : "false"} onClick=${() => toggle("silent")}>${t.silent}</button>
    ${faulty || filters.faulty ? html`<button type="button" class="button" aria-pressed=${filters.faulty === "yes" ? "true" : "false"} onClick=${() => toggle("faulty")}>${t.faulty}</button>` : null}
    <button type="button" class="button button-small button-quiet fleet-clear" disabled=${Object.keys(filters).length === 0} onClick=${() => setQuery({ ...Object.fromEntries(FILTERS.map((f) => [f, null])), ...clear })}>${t.clear}</button>
  </div>`;
}
