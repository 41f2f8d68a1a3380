// What separates the selected hosts from the others: every attribute and driver version, the most
// different first, with its counter-evidence and the hosts behind it. The address holds it all.
import { html, useEffect, useMemo, useRef, useState } from "../lib/ui.js";
import { useTitle } from "../lib/title.js";
import { useResource } from "../lib/resource.js";
import { useList } from "../lib/lists.js";
import { navigate, search, setQuery } from "../lib/router.js";
import { count, percent, ratio } from "../lib/format.js";
import { explainCounts, explainHref, factOf, measureFormat, parseAmount } from "../lib/spread.js";
import { attributeName, attributeValue } from "../lib/words.js";
import { visible } from "../lib/text.js";
import { en } from "../lib/en.js";
import { SearchBox } from "../components/search.js";
import { Select } from "../components/select.js";
import { FindingLink, HostName, Name, TagChip } from "../components/names.js";
import { ShareBars } from "../components/boxes.js";
import { ServerFile } from "../components/export.js";
import { RegionForm } from "../components/region.js";
import { CopyButton, Empty, ErrorPanel, Load, Skeleton } from "../components/states.js";
import { More } from "../components/more.js";

const t = en.explain;
const SELECTS = ["tag", "pool", "measure", "low", "high", "finding", "hosts", "having", "within", "baseline"];

/** @param {URLSearchParams} query @param {string[]} names */
const pick = (query, names) => Object.fromEntries(names.map((n) => [n, query.get(n)]));

/** @param {number} p */
const small = (p) => (p < 0.0001 ? "< 0.0001" : p < 0.1 ? p.toFixed(4) : p.toFixed(2));

/** @param {{ query: URLSearchParams }} props */
function Choose({ query }) {
  const [tag, setTag] = useState(query.get("tag") ?? "");
  const [low, setLow] = useState("");
  const amount = parseAmount(low);
  const go = (/** @type {Event} */ e) => {
    e.preventDefault();
    if (tag && amount !== null && !Number.isNaN(amount)) navigate(explainHref({ tag, low: amount }));
  };
  return html`<${Empty} title=${t.choose}><p>${t.chooseHint}</p>
    <form class="region region-middle" onSubmit=${go}>
      <label>${t.tag} <input class="input" size="6" maxlength="16" autocomplete="off" spellcheck="false" value=${tag} onInput=${(/** @type {any} */ e) => setTag(e.target.value)} /></label>
      <label>${t.from} <input class="input" size="9" autocomplete="off" value=${low} aria-invalid=${Number.isNaN(amount) ? "true" : undefined} onInput=${(/** @type {any} */ e) => setLow(e.target.value)} /></label>
      <button class="button button-small button-primary" type="submit">${t.go}</button>
    </form>
    ${Number.isNaN(amount) ? html`<p class="error-inline" role="status">${t.notANumber}</p>` : null}<//>`;
}

/** @param {{ x: Explanation }} props */
function Selection({ x }) {
  const format = measureFormat(x.measure);
  const s = x.selection;
  const what = en.tag.measures[/** @type {"bytes"} */ (x.measure)];
  const text =
    s.kind === "region"
      ? s.low === null || s.low === 0 ? (s.high === null ? what : t.upTo(what, format(s.high))) : t.region(what, format(s.low), s.high === null ? "" : format(s.high))
      : s.kind === "finding" ? t.ofFinding : s.kind === "having" ? t.having(visible(s.having)) : t.byId;
  return html`<div class="explain-sides">
    <div class="side-selected"><span class="swatch share-selected" aria-hidden="true"></span><b>${t.selected}: ${t.hostsBetween(s.hosts)}</b>
      <span>${x.tag && s.kind === "region" ? html`<${TagChip} tag=${x.tag} pool=${x.pool} />${" "}` : null}${s.kind === "finding" && s.finding_id ? html`<${FindingLink} id=${s.finding_id}>${text}<//>` : text}</span></div>
    <div class="side-baseline"><span class="swatch share-baseline" aria-hidden="true"></span><b>${t.others}: ${t.hostsBetween(x.baseline.hosts)}</b>
      <span>${t.baselines[/** @type {"fleet"} */ (x.baseline.kind)]}${x.baseline.within ? ", " + visible(x.baseline.within) : ""}</span></div>
  </div>`;
}

/** @param {{ item: ExplainItem, selection: Record<string, string | null>, measure: string }} props */
function Hosts({ item, selection, measure }) {
  const format = measureFormat(measure);
  const groups = /** @type {const} */ ([["selected", "yes"], ["selected", "no"], ["baseline", "yes"], ["baseline", "no"]]);
  return html`<div class="explain-hosts">${groups.map(([side, has]) => html`<${HostGroup} key=${side + has} title=${t.sideHas[/** @type {"selectedyes"} */ (side + has)]} format=${format}
    path=${"/explain/hosts" + search({ ...selection, fact: factOf(item), side, has, limit: 20 })} />`)}</div>`;
}

/** @param {{ title: string, path: string, format: (n: number | null) => string }} props */
function HostGroup({ title, path, format }) {
  const list = /** @type {Resource<List<ExplainHost>>} */ (useResource(path, { every: 0 }));
  return html`<section><h3>${title}${list.data ? html` <span class="muted">${count(list.data.total)}</span>` : null}</h3>
    <${Load} resource=${list} skeleton=${html`<${Skeleton} rows=${2} />`}
      render=${(/** @type {List<ExplainHost>} */ d) =>
        d.items.length
          ? html`<ul>${d.items.map((h) => html`<li key=${h.host_id}><${HostName} id=${h.host_id} name=${h.name} length=${24} simulated=${h.simulated} /><span class="muted number">${h.measured === null ? "" : format(h.measured)}</span></li>`)}</ul>
              ${d.total > d.items.length ? html`<p class="small muted">${t.moreHosts(d.total - d.items.length)}</p>` : null}`
          : html`<p class="muted">${t.noHosts}</p>`} /></section>`;
}

/** @param {{ item: ExplainItem, same: number, open: boolean, onOpen: () => void, inner?: boolean }} props */
function Line({ item, open, onOpen, inner = false }) {
  const driver = item.attribute.startsWith("driver/");
  return html`<tr class=${`explain-${item.verdict}${inner ? " explain-same" : ""}`}>
    <th scope="row"><span class="badge">${t.kindNames[/** @type {"os"} */ (item.kind)]}</span> ${driver ? html`<a href=${"/drivers/" + encodeURIComponent(item.attribute.slice(7))}><${Name} value=${item.attribute.slice(7)} length=${36} /></a>` : html`<${Name} value=${attributeName(item.attribute)} length=${36} />`}</th>
    <td>${item.any_version ? html`<i>${t.anyVersion}</i>` : item.value === null ? html`<i>${t.unknownVersion}</i>` : html`<${Name} value=${attributeValue(item.attribute, item.value)} length=${40} />`}</td>
    <td class="explain-shares"><${ShareBars} item=${item} label=${explainCounts(item)} /><span class="small">${explainCounts(item)}</span></td>
    <td data-label=${t.columns.separation} class="number">${percent(item.separation)}</td>
    <td data-label=${t.columns.ratio} class="number">${ratio(item.risk_ratio)}</td>
    <td data-label=${t.columns.range} class="number nowrap">${ratio(item.risk_low)} \u2013 ${item.risk_high === null ? t.open : ratio(item.risk_high)}</td>
    <td data-label=${t.columns.q} class="number">${small(item.q_value)}</td>
    <td data-label=${t.columns.verdict}><span class=${"judged judged-" + item.verdict}>${t.verdicts[item.verdict]}</span></td>
    <td><button type="button" class="button button-small no-print" aria-expanded=${open ? "true" : "false"} aria-label=${`${open ? t.hideHosts : t.showHosts}: ${visible(item.attribute)} ${visible(item.value ?? "")}`} onClick=${onOpen}>${open ? t.hideHosts : t.showHosts}</button></td>
  </tr>`;
}

const COLUMNS = /** @type {const} */ ([["attribute", "attribute"], ["value", "value"], ["shares", ""], ["separation", "separation"], ["ratio", "risk_ratio"], ["range", ""], ["q", "q_value"], ["verdict", "verdict"]]);

/** Neighbours with the same counts come together on these hosts: one line speaks for them. @param {ExplainItem[]} items */
function grouped(items) {
  /** @type {{ head: ExplainItem, rest: ExplainItem[] }[]} */
  const out = [];
  for (const item of items) {
    const last = out[out.length - 1];
    const h = last?.head;
    if (h && h.selected_with === item.selected_with && h.selected === item.selected && h.baseline_with === item.baseline_with && h.baseline === item.baseline) last.rest.push(item);
    else out.push({ head: item, rest: [] });
  }
  return out;
}

/** Lines drawn at once: two windows full. The others follow, so that an answer is seen before all of it stands. */
const FIRST = 30;

/**
 * How many of a list to draw now. @param {string} list another one begins again @param {number} count
 */
function useMoreAndMore(list, count) {
  const [state, setState] = useState({ list, n: FIRST });
  const n = state.list === list ? state.n : FIRST;
  useEffect(() => {
    if (n >= count) return undefined;
    const timer = setTimeout(() => setState({ list, n: n + 2 * FIRST }), 30);
    return () => clearTimeout(timer);
  }, [list, n, count]);
  return n;
}

/** @param {{ items: ExplainItem[], data: Explanation | null, asked: string, sort: string, selection: Record<string, string | null>, measure: string }} props asked: what data answers; the same in a refresh */
function Lines({ items, data, asked, sort, selection, measure }) {
  const [open, setOpen] = useState(/** @type {Set<string>} */ (new Set()));
  const turn = (/** @type {string} */ id) => setOpen((old) => {
    const next = new Set(old);
    if (!next.delete(id)) next.add(id);
    return next;
  });
  const groups = useMemo(() => grouped(items), [data, items.length]);
  const drawn = useMoreAndMore(asked, groups.length);
  const row = (/** @type {ExplainItem} */ item, inner = false) => {
    const id = factOf(item) + item.any_version;
    return html`<${Line} key=${id} item=${item} inner=${inner} open=${open.has(id)} onOpen=${() => turn(id)} />
      ${open.has(id) ? html`<tr key=${id + " hosts"} class="explain-open"><td colspan="9"><${Hosts} item=${item} selection=${selection} measure=${measure} /></td></tr>` : null}`;
  };
  return html`<div class="table-wrap explain-wrap" tabindex="0" role="region" aria-label=${t.caption}><table class="table table-stack explain-table">
    <caption class="offscreen">${t.caption}</caption>
    <thead><tr>${COLUMNS.map(([key, by]) => {
      const on = by && (sort === by || sort === "-" + by);
      const number = !["attribute", "value", "shares", "verdict"].includes(key);
      const label = t.columns[key];
      return html`<th key=${key} scope="col" class=${number ? "number" : ""} title=${/** @type {any} */ (t.hints)[key]} aria-sort=${on ? (sort.startsWith("-") ? "descending" : "ascending") : undefined}>
        ${by ? html`<button type="button" class=${"sort" + (on ? " sort-on" : "")} onClick=${() => setQuery({ sort: sort === "-" + by ? by : sort === by ? "-" + by : by === "separation" || by === "risk_ratio" ? "-" + by : by })}>${label}<span class="sort-arrow" aria-hidden="true">${on ? (sort.startsWith("-") ? "\u2193" : "\u2191") : ""}</span></button>` : label}</th>`;
    })}<th scope="col"><span class="offscreen">${t.showHosts}</span></th></tr></thead>
    <tbody>${groups.slice(0, drawn).map(({ head, rest }) => {
      const id = "same " + factOf(head) + head.any_version;
      return html`${row(head)}
        ${rest.length ? html`<tr key=${id} class="explain-more"><td colspan="9"><button type="button" class="button button-small button-quiet" aria-expanded=${open.has(id) ? "true" : "false"} onClick=${() => turn(id)}>${open.has(id) ? t.hideSame : t.showSame}</button> <span class="muted small">${t.allSame(rest.length)}</span></td></tr>` : null}
        ${open.has(id) ? rest.map((item) => row(item, true)) : null}`;
    })}</tbody></table></div>`;
}

/** @param {{ route: import("../lib/router.js").Route }} props */
function Result({ route }) {
  const query = route.query;
  const selection = pick(query, SELECTS);
  const sort = query.get("sort") ?? "-separation";
  const kinds = query.get("kinds") ?? "";
  const q = query.get("q") ?? "";
  const asked = { ...selection, sort, kinds, q };
  const path = "/explain" + search({ ...asked, limit: 200 });
  const list = useList(path);
  const resource = /** @type {Resource<Explanation>} */ (/** @type {unknown} */ (list.resource));
  const x = resource.data;
  const answered = useRef(path);
  if (!resource.pending) answered.current = path;
  const [within, setWithin] = useState(selection.within ?? "");
  const bad = resource.error?.status === 422 && !resource.loading ? resource.error : null;
  const region = query.get("low") !== null || query.get("high") !== null;
  const number = (/** @type {string} */ n) => (query.get(n) === null ? null : Number(query.get(n)));
  const measure = selection.measure ?? "bytes";
  return html`<div class="page">
    <div class="page-head"><h1 tabindex="-1">${t.title}</h1>${x ? html`<span class="muted">${t.tested(x.tested)}</span>` : null}<span class="push"></span><${CopyButton} text=${location.href} label=${t.copy} /></div>
    ${region ? html`<section class="panel"><div class="toolbar toolbar-tight">${selection.tag ? html`<${TagChip} tag=${selection.tag} pool=${selection.pool ?? ""} />` : null}
      <${RegionForm} id="explain-region" low=${number("low")} high=${number("high")} format=${measureFormat(measure)} hosts=${x?.selection.hosts ?? null} onRegion=${(/** @type {number | null} */ low, /** @type {number | null} */ high) => setQuery({ low, high })} /></div></section>` : null}
    <div class="toolbar no-print">
      <${Select} label=${t.against} value=${selection.baseline ?? "fleet"} options=${Object.entries(t.baselines)} onChange=${(/** @type {string} */ v) => setQuery({ baseline: v === "fleet" ? null : v })} />
      <${Select} label=${t.kinds} value=${kinds} options=${[["", t.allKinds], ...Object.entries(t.kindNames)]} onChange=${(/** @type {string} */ v) => setQuery({ kinds: v })} />
      <form class="select" onSubmit=${(/** @type {Event} */ e) => {
        e.preventDefault();
        setQuery({ within });
      }}><label class="select"><span>${t.within}</span><input class="input" size="28" placeholder=${t.withinHint} value=${within} onInput=${(/** @type {any} */ e) => setWithin(e.target.value)} onBlur=${() => within !== (selection.within ?? "") && setQuery({ within })} /></label></form>
      <${SearchBox} label=${t.search} value=${q} onSearch=${(/** @type {string} */ v) => setQuery({ q: v })} />
    </div>
    ${bad
      ? html`<${ErrorPanel} error=${bad} retry=${resource.reload} />`
      : html`<${Load} resource=${resource}
          render=${(/** @type {Explanation} */ d) => html`
            <${Selection} x=${d} />
            ${d.note ? html`<p class="explain-note">${visible(d.note)}</p>` : null}
            ${list.items.length
              ? html`<section class="panel panel-flush">
                  <${Lines} items=${list.items} data=${x} asked=${answered.current} sort=${sort} selection=${selection} measure=${d.measure} />
                  <${More} shown=${list.items.length} total=${d.total} more=${list.more} busy=${list.busy} error=${list.error} what=${t.values} />
                </section>
                <div class="toolbar toolbar-tight"><${ServerFile} path=${"/explain" + search(asked)} name="explain.csv" type="text/csv" label=${t.csv} /><${ServerFile} path=${"/explain" + search(asked)} name="explain.ndjson" type="application/x-ndjson" label=${t.ndjson} />
                  ${d.cut ? html`<span class="muted small">${t.cut}</span>` : null}</div>
                <p class="small muted">${t.caveat}</p>`
              : html`<${Empty} title=${t.none}>${t.noneHint}<//>`}`} />`}
  </div>`;
}

/** @param {{ route: import("../lib/router.js").Route }} props */
export default function Explain({ route }) {
  useTitle(t.title);
  const chosen = ["low", "high", "finding", "hosts", "having"].some((n) => route.query.get(n));
  if (chosen) return html`<${Result} route=${route} />`;
  return html`<div class="page"><div class="page-head"><h1 tabindex="-1">${t.title}</h1></div><${Choose} query=${route.query} /></div>`;
}
