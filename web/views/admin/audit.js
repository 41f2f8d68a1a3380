// The log of changes: who did what, when, from where.
import { html } from "../../lib/ui.js";
import { useList } from "../../lib/lists.js";
import { en } from "../../lib/en.js";
import { UNKNOWN } from "../../lib/format.js";
import { search, setQuery } from "../../lib/router.js";
import { visible } from "../../lib/text.js";
import { Select } from "../../components/select.js";
import { Name, Time } from "../../components/names.js";
import { Rows, said } from "./rows.js";

const t = en.admin.audit;
const ACTIONS = [["", t.actions.all], ...Object.entries(t.actions).filter(([key]) => key !== "all")];

/** @param {{ detail: any }} props */
function Detail({ detail }) {
  if (!detail) return html`<span class="unknown">${UNKNOWN}</span>`;
  return html`<small>${Object.entries(detail).filter(([, v]) => v !== null).map(([k, v], i) => html`${i ? ", " : ""}<bdi>${visible(k)}</bdi>: <${Name} value=${String(v)} length=${40} />`)}</small>`;
}

/** @param {{ route: import("../../lib/router.js").Route }} props */
export function Audit({ route }) {
  const action = route.query.get("action") ?? "";
  const list = useList("/audit" + search({ action, limit: 100, sort: route.query.get("sort") ?? "-id" }));
  const columns = [
    { key: "at", label: t.when, sort: "at", class: "nowrap", cell: (/** @type {any} */ e) => html`<${Time} value=${e.at} />` },
    { key: "actor", label: t.who, sort: "actor", cell: (/** @type {any} */ e) => html`<${Name} value=${e.actor} length=${40} /> <small class="muted">${said(t.kinds, e.actor_kind)}</small>` },
    { key: "address", label: t.from, sort: "address", cell: (/** @type {any} */ e) => html`<${Name} value=${e.address} length=${45} />` },
    { key: "action", label: t.did, sort: "action", class: "nowrap", cell: (/** @type {any} */ e) => html`<code>${visible(e.action)}</code>` },
    { key: "object", label: t.what, sort: "object", cell: (/** @type {any} */ e) => html`<${Name} value=${e.object} length=${48} />` },
    { key: "detail", label: t.detail, cell: (/** @type {any} */ e) => html`<${Detail} detail=${e.detail} />` },
  ];
  return html`<${Rows} path="/admin/audit" route=${route} list=${list} sort="-id" caption=${t.caption} columns=${columns} none=${t.none} searchable=${false} filtered=${action !== ""}
    tools=${html`<${Select} label=${t.of} value=${action} options=${ACTIONS} onChange=${(/** @type {string} */ v) => setQuery({ action: v })} />
      <a class="button push" download href=${"/api/v1/audit" + search({ action })}>${en.admin.download}</a>`} />`;
}
