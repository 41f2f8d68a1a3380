// All findings by what the address says, and the mutes that keep some of them quiet.
import { html, useState } from "../lib/ui.js";
import { useTitle } from "../lib/title.js";
import { useList } from "../lib/lists.js";
import { useResource } from "../lib/resource.js";
import { request } from "../lib/api.js";
import { href, search, setQuery } from "../lib/router.js";
import { saveText } from "../lib/save.js";
import { count } from "../lib/format.js";
import { KIND, STATUS } from "../lib/words.js";
import { en } from "../lib/en.js";
import { FindingItem, isFresh } from "../components/finding_item.js";
import { EndMute, scopeText, Until } from "../components/mute_scope.js";
import { Empty, ErrorPanel, Load } from "../components/states.js";
import { FindingLink, Name, Time } from "../components/names.js";
import { More } from "../components/more.js";
import { SearchBox } from "../components/search.js";
import { Select } from "../components/select.js";
import { Table } from "../components/table.js";

const t = en.findings;
const m = en.finding.mutes;
const FILTERS = ["status", "severity", "kind", "tag", "driver", "host"];

/** The same list as a file, from the server, whole. @param {{ path: string }} props */
function Save({ path }) {
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState(/** @type {any} */ (null));
  const save = async (/** @type {string} */ type, /** @type {string} */ end) => {
    setBusy(true);
    setError(null);
    try {
      const { body } = await request(path, { accept: type, raw: true });
      saveText(`findings.${end}`, type, body);
    } catch (e) {
      setError(e);
    }
    setBusy(false);
  };
  return html`<span class="save no-print">
    <button type="button" class="button button-small" disabled=${busy} aria-label=${t.save + " CSV"} onClick=${() => void save("text/csv", "csv")}>${busy ? t.saving : "CSV"}</button>
    <button type="button" class="button button-small" disabled=${busy} aria-label=${t.save + " " + en.states.ndjson} onClick=${() => void save("application/x-ndjson", "ndjson")}>${en.states.ndjson}</button>
    ${error ? html`<${ErrorPanel} error=${error} title=${t.saveFailed} />` : null}
  </span>`;
}

/** What is muted is not lost from sight. @param {{ others: string }} props others: the filters but for status, as a query */
function MutedNote({ others }) {
  const muted = /** @type {Resource<List<Finding>>} */ (useResource("/findings" + search({ ...Object.fromEntries(new URLSearchParams(others)), status: "muted", limit: 1000 })));
  const total = muted.data?.total ?? 0;
  if (!total) return null;
  const born = muted.data?.items.filter((f) => f.born_muted).length ?? 0;
  return html`<p class="muted muted-note">${t.muted(total, born)} <button type="button" class="link" onClick=${() => setQuery({ status: "muted" })}>${t.showMuted}</button></p>`;
}

/** @param {{ may: boolean, route: import("../lib/router.js").Route }} props */
function Mutes({ may, route }) {
  const state = route.query.get("state") ?? "standing";
  const list = useList(href(["mutes"], { state: state === "any" ? "" : state, limit: 100 }));
  const reload = () => list.resource.reload();
  /** @type {import("../components/table.js").Column[]} */
  const columns = [
    { key: "what", label: m.list.what, cell: (x) => html`<b><bdi>${scopeText({ ...x, finding: null })}</bdi></b>${x.finding ? html` <${FindingLink} id=${x.finding} />` : null}` },
    { key: "reason", label: m.list.reason, cell: (x) => html`<${Name} value=${x.reason} length=${120} />` },
    { key: "by", label: m.list.who, cell: (x) => html`<${Name} value=${x.created_by} length=${30} /> <span class="muted nowrap"><${Time} value=${x.created_at} /></span>` },
    { key: "until", label: m.list.until, cell: (x) => (x.state === "ended" ? html`<span class="muted">${m.endedBy} <${Time} value=${x.ended_at} />, <${Name} value=${x.ended_by} length=${30} /></span>` : html`<${Until} until=${x.until} />`) },
    { key: "findings", label: m.list.holds, number: true, cell: (x) => count(x.findings) },
    { key: "hosts", label: m.list.hosts, number: true, cell: (x) => count(x.host_count) },
    ...(may ? [{ key: "act", label: m.list.act, cell: (/** @type {Mute} */ x) => (x.state === "standing" ? html`<${EndMute} mute=${x} onDone=${reload} />` : null) }] : []),
  ];
  return html`<div class="toolbar finding-filters"><${Select} label=${m.state} value=${state} onChange=${(/** @type {string} */ v) => setQuery({ state: v })} options=${[["standing", m.standing], ["ended", m.ended], ["any", m.anyState]]} /></div>
    <${Load} resource=${list.resource} render=${(/** @type {List<Mute>} */ data) => (list.items.length
      ? html`<div class="panel panel-flush"><${Table} caption=${m.title} columns=${columns} rows=${list.items} rowKey=${(/** @type {Mute} */ x) => String(x.id)} /></div>
          <${More} shown=${list.items.length} total=${data.total} more=${list.more} busy=${list.busy} error=${list.error} what="mutes" />`
      : html`<${Empty} title=${m.none}>${m.noneText}<//>`)} />`;
}

/** @param {{ route: import("../lib/router.js").Route, q: (key: string) => string }} props */
function List({ route, q }) {
  const filters = Object.fromEntries(FILTERS.map((k) => [k, q(k)]));
  const list = useList("/findings" + search({ ...filters, limit: 50 }));
  const filtered = FILTERS.some((k) => q(k));
  const choose = (/** @type {string} */ key) => (/** @type {string} */ v) => setQuery({ [key]: v });
  return html`<div class="toolbar finding-filters">
      <${Select} label=${t.status} value=${q("status")} onChange=${choose("status")}
        options=${[["", t.open], ...Object.entries(STATUS), ["acknowledged,muted,resolved", t.allButOpen], ["open,acknowledged,muted,resolved", t.all]]} />
      <${Select} label=${t.severity} value=${q("severity")} onChange=${choose("severity")} options=${[["", t.any], ...Object.entries(t.severities)]} />
      <${Select} label=${t.kind} value=${q("kind")} onChange=${choose("kind")} options=${[["", t.any], ...Object.entries(KIND)]} />
      ${[["tag", t.tag], ["driver", t.driver], ["host", t.host]].map(([key, label]) => html`<${SearchBox} key=${key} eager=${false} label=${label} value=${q(key)} onSearch=${choose(key)} wait=${400} />`)}
      ${filtered ? html`<a class="button button-small button-quiet" href="/findings">${t.clear}</a>` : null}
      <${Save} path=${"/findings" + search(filters)} />
    </div>
    ${q("status") === "" ? html`<${MutedNote} others=${search({ ...filters, status: "" })} />` : null}
    <${Load}
      resource=${list.resource}
      render=${(/** @type {List<Finding>} */ data) =>
        list.items.length
          ? html`<div class="finding-list">
                ${list.items.map((f) => html`<${FindingItem} key=${f.id} finding=${f} fresh=${f.status === "open" && isFresh(f, null)} />`)}
              </div>
              <${More} shown=${list.items.length} total=${data.total} more=${list.more} busy=${list.busy} error=${list.error} what=${t.what} />`
          : html`<${Empty} mark=${filtered ? undefined : "ok"} title=${filtered ? t.noMatch : t.none}>
              ${filtered ? html`<a href="/findings">${t.clear}</a>` : t.noneText}
            <//>`}
    />`;
}

/** @param {{ route: import("../lib/router.js").Route, session: Session }} props */
export default function Findings({ route, session }) {
  const mutes = route.query.get("show") === "mutes";
  useTitle(mutes ? t.mutesTitle : t.title);
  const q = (/** @type {string} */ key) => route.query.get(key) ?? "";
  return html`<div class="page">
    <div class="page-head"><h1 tabindex="-1">${mutes ? t.mutesTitle : t.title}</h1>
      <nav class="tabs-small no-print" aria-label=${t.tabs}>
        <a href="/findings" aria-current=${mutes ? undefined : "page"}>${t.title}</a>
        <a href="/findings?show=mutes" aria-current=${mutes ? "page" : undefined}>${t.mutesTitle}</a>
      </nav>
    </div>
    ${mutes ? html`<${Mutes} may=${session.role === "operator" || session.role === "admin"} route=${route} />` : html`<${List} route=${route} q=${q} />`}
  </div>`;
}
