// What the admin's lists share: a tool bar, a table with pages, dialogs that change it.
import { html, useEffect, useRef } from "../../lib/ui.js";
import { useList } from "../../lib/lists.js";
import { en } from "../../lib/en.js";
import { rfc3339 } from "../../lib/format.js";
import { search, setQuery } from "../../lib/router.js";
import { say } from "../../lib/say.js";
import { Table } from "../../components/table.js";
import { SearchBox } from "../../components/search.js";
import { Time } from "../../components/names.js";
import { Empty, Load } from "../../components/states.js";
import { More } from "../../components/more.js";

const t = en.admin;

export const json = JSON.stringify;
export const ROLES = [["viewer", t.roleSays.viewer], ["operator", t.roleSays.operator], ["admin", t.roleSays.admin]];
export const TOKEN_ROLES = [["viewer", t.roleSays.viewer], ["ingest", t.roleSays.ingest], ["operator", t.roleSays.operator], ["admin", t.roleSays.admin]];
export const LIFETIMES = [["", t.lifetimes.never], ["30", t.lifetimes.d30], ["90", t.lifetimes.d90], ["365", t.lifetimes.d365]];

/** A code of the API in words; one that is new here as it is. @param {Record<string, any>} words @param {string} code */
export const said = (words, code) => words[code] ?? code;
export const ahead = (/** @type {string} */ days) => (days ? rfc3339(Date.now() + Number(days) * 86400000) : null);
export const moment = (/** @type {string | null} */ at) => (at ? html`<${Time} value=${at} />` : html`<span class="muted">${t.never}</span>`);
export const state = (/** @type {string} */ s) => html`<span class=${"badge" + (s === "active" ? " badge-ok" : "")}>${said(t.states, s)}</span>`;
export const role = (/** @type {string} */ r) => said(t.roles, r);

/**
 * A list with its tool bar. Where a row that had the focus is gone after a change, the table gets it.
 * @param {{ path: string, route: import("../../lib/router.js").Route, sort: string, caption: string, columns: import("../../components/table.js").Column[],
 *           tools?: any, none: string, searchable?: boolean, filtered?: boolean, list: ReturnType<typeof useList> }} props
 */
export function Rows({ path, route, sort: usual, caption, columns, tools, none, searchable = true, filtered = false, list }) {
  const sort = route.query.get("sort") ?? usual;
  const q = route.query.get("q") ?? "";
  const hold = useRef(/** @type {HTMLElement | null} */ (null));
  const seen = useRef(false);
  useEffect(() => {
    if (list.resource.data && seen.current && document.activeElement === document.body && !document.querySelector("dialog[open]")) {
      /** @type {HTMLElement | null} */ (hold.current?.querySelector(".table-wrap") ?? hold.current)?.focus({ preventScroll: true });
    }
    if (document.querySelector("dialog[open]")) seen.current = true;
  });
  return html`<div class="toolbar">
      ${searchable ? html`<${SearchBox} label=${t.search(caption)} value=${q} onSearch=${(/** @type {string} */ v) => setQuery({ q: v })} />` : null}
      ${tools}
    </div>
    <div class="admin-rows" ref=${hold} tabindex="-1">
      <${Load} resource=${list.resource} render=${(/** @type {List<any>} */ data) =>
        list.items.length
          ? html`<section class="panel panel-flush">
              <${Table} caption=${caption} columns=${columns} rows=${list.items} rowKey=${(/** @type {any} */ r) => String(r.id ?? r.name)} sort=${sort}
                onSort=${(/** @type {string} */ s) => setQuery({ sort: s === usual ? null : s })} compact />
              <${More} shown=${list.items.length} total=${data.total} more=${list.more} busy=${list.busy} error=${list.error} what=${caption.toLowerCase()} />
            </section>`
          : html`<${Empty} title=${q || filtered ? t.nothingMatches : none}>${q ? html`<a href=${path}>${t.showAll}</a>` : null}<//>`} />
    </div>`;
}

/** @param {import("../../lib/router.js").Route} route @param {string} path @param {string} usual @param {Record<string, string>} [more] */
export function useRows(route, path, usual, more = {}) {
  return useList(path + search({ q: route.query.get("q") ?? "", sort: route.query.get("sort") ?? usual, limit: 100, ...more }));
}

/**
 * After a change: the dialog closes, the list is read again, and it is said aloud.
 * @param {ReturnType<typeof useList>} list @param {() => void} close
 */
export function afterChange(list, close) {
  return (/** @type {string} */ text) => {
    close();
    if (text) say(text);
    list.resource.reload();
  };
}
