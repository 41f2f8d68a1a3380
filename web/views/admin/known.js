// Known leaks: built-in ones and one's own beside them, with a look at what an entry would match.
import { html, useEffect, useState } from "../../lib/ui.js";
import { request } from "../../lib/api.js";
import { en } from "../../lib/en.js";
import { fill } from "../../lib/fill.js";
import { count } from "../../lib/format.js";
import { formatRanges, parseRanges, parseTags } from "../../lib/ranges.js";
import { href } from "../../lib/router.js";
import { visible } from "../../lib/text.js";
import { FindingLink, Name, TagChip } from "../../components/names.js";
import { Area, Choice, Dialog, Field, Form } from "../../components/dialog.js";
import { ErrorPanel, Skeleton } from "../../components/states.js";
import { Table } from "../../components/table.js";
import { Rows, afterChange, json, said, useRows } from "./rows.js";
import { FileButton, readText } from "./upload.js";

const a = en.admin;
const t = a.known;
const POOLS = [["", t.anyPool], ["nonpaged", t.nonpaged], ["paged", t.paged]];
const CONFIDENCES = Object.entries(t.confidences);

/** @param {any[]} leaks @param {boolean} preview */
const send = async (leaks, preview) => (await request("/known-leaks" + (preview ? "?preview=yes" : ""), { method: "POST", body: json({ format: 1, leaks }) })).body;

/** @param {{ matches: any[] }} props */
function Matches({ matches }) {
  if (matches.length === 0) return html`<p class="muted small" role="status">${t.noMatch}</p>`;
  return html`<div role="status"><p>${t.matches(count(matches.length))}</p>
    <ul class="bullets small">${matches.slice(0, 10).map((m) => html`<li><${FindingLink} id=${m.finding_id}><bdi>${visible(m.summary ?? m.finding_id)}</bdi><//> <span class="muted"><bdi>${visible(m.says ?? m.fit)}</bdi></span></li>`)}</ul></div>`;
}

/** What the form does not show stays as it was. @param {any} entry */
function useEntry(entry) {
  const [id, setId] = useState(entry?.id ?? "");
  const [title, setTitle] = useState(entry?.title ?? "");
  const [driver, setDriver] = useState(entry?.driver ?? "");
  const [pool, setPool] = useState(entry?.pool ?? "");
  const [tags, setTags] = useState((entry?.tags ?? []).join("\n"));
  const [bad, setBad] = useState(formatRanges(entry?.bad_versions));
  const [good, setGood] = useState(formatRanges(entry?.good_versions));
  const [advice, setAdvice] = useState(entry?.advice ?? "");
  const [source, setSource] = useState(entry?.source ?? "");
  const [confidence, setConfidence] = useState(entry?.confidence ?? "reported");
  const make = () => {
    const { origin: _, ...kept } = entry ?? {};
    const made = {
      ...kept, id: id.trim(), title: title.trim(), driver: driver.trim() || null, tags: parseTags(tags), bad_versions: parseRanges(bad), good_versions: parseRanges(good),
      advice: advice.trim(), source: source.trim(), confidence, ...(pool ? { pool } : {}),
    };
    if (!pool) delete made.pool;
    if (made.bad_versions.length === 0) delete made.bad_versions;
    if (made.good_versions.length === 0) delete made.good_versions;
    return made;
  };
  return { id, setId, title, setTitle, driver, setDriver, pool, setPool, tags, setTags, bad, setBad, good, setGood, advice, setAdvice, source, setSource, confidence, setConfidence, make };
}

/** "leaks[0].bad_versions[0].from" and "tags[1]" are the field of the form they begin with. @param {any} e */
function ownField(e) {
  const field = e?.field?.replace(/^leaks\[0\]\.?/, "").match(/^\w+/)?.[0];
  return field ? Object.assign(Object.create(e), { field, title: e.title, detail: e.detail, status: e.status }) : e;
}

/** @param {{ entry: any, onClose: () => void, onDone: (said: string) => void }} props */
function Edit({ entry, onClose, onDone }) {
  const f = useEntry(entry);
  const [error, setError] = useState(/** @type {any} */ (null));
  const [found, setFound] = useState(/** @type {any[] | null} */ (null));
  const fields = ["id", "title", "driver", "tags", "bad_versions", "good_versions", "advice", "source"];
  const wrong = ownField(error);
  const look = async () => {
    setError(null);
    setFound(null);
    try {
      setFound((await send([f.make()], true)).entries[0].matches);
    } catch (e) {
      setError(e);
    }
  };
  const save = async () => {
    try {
      await request(href(["known-leaks", f.id.trim()]), { method: "PUT", body: json(f.make()) });
    } catch (e) {
      throw ownField(e);
    }
    onDone(a.said.saved(visible(f.id.trim())));
  };
  const replaces = entry?.origin === "builtin";
  return html`<${Dialog} title=${replaces ? t.replaceTitle : entry ? t.editTitle : t.addTitle} onClose=${onClose} wide>
    <${Form} submit=${a.save} onSubmit=${save} onError=${setError} onCancel=${onClose} fields=${fields}>
      ${replaces ? html`<p class="muted">${t.replaceSays}</p>` : null}
      <div class="form-columns">
        ${entry ? null : html`<${Field} id="leak-id" label=${t.id} name="id" value=${f.id} onInput=${f.setId} error=${wrong} hint=${t.idHint} maxlength=${64} focus />`}
        <${Field} id="leak-title" label=${t.name} name="title" value=${f.title} onInput=${f.setTitle} error=${wrong} maxlength=${160} focus=${Boolean(entry)} />
        <${Field} id="leak-driver" label=${t.driver} name="driver" value=${f.driver} onInput=${f.setDriver} error=${wrong} required=${false} />
        <${Choice} id="leak-pool" label=${t.pool} value=${f.pool} options=${POOLS} onChange=${f.setPool} />
        <${Area} id="leak-tags" label=${t.tags} name="tags" value=${f.tags} onInput=${f.setTags} error=${wrong} hint=${t.tagsHint} />
        <${Area} id="leak-bad" label=${t.bad} name="bad_versions" value=${f.bad} onInput=${f.setBad} error=${wrong} hint=${t.versionsHint} required=${false} />
        <${Area} id="leak-good" label=${t.good} name="good_versions" value=${f.good} onInput=${f.setGood} error=${wrong} required=${false} />
        <${Area} id="leak-advice" label=${t.advice} name="advice" value=${f.advice} onInput=${f.setAdvice} error=${wrong} maxlength=${400} />
        <${Field} id="leak-source" label=${t.source} name="source" value=${f.source} onInput=${f.setSource} error=${wrong} />
        <${Choice} id="leak-confidence" label=${t.confidence} value=${f.confidence} options=${CONFIDENCES} onChange=${f.setConfidence} />
      </div>
      <p><button class="button" type="button" onClick=${look}>${t.preview}</button></p>
      ${found ? html`<${Matches} matches=${found} />` : null}
    <//>
  <//>`;
}

/** @param {{ file: File, onClose: () => void, onDone: (said: string) => void }} props */
function Import({ file, onClose, onDone }) {
  const [text, setText] = useState("");
  const [result, setResult] = useState(/** @type {any} */ (null));
  const [error, setError] = useState(/** @type {any} */ (null));
  const post = (/** @type {string} */ body, /** @type {string} */ query) => request("/known-leaks" + query, { method: "POST", body });
  useEffect(() => {
    readText(file).then(async (read) => {
      setText(read);
      setResult((await post(read, "?preview=yes")).body);
    }).catch(setError);
  }, []);
  const store = async () => {
    await post(text, "");
    onDone(a.said.imported(visible(file.name)));
  };
  return html`<${Dialog} title=${t.previewTitle} onClose=${onClose} wide>
    ${result
      ? html`<${Form} submit=${t.store} onSubmit=${store} onCancel=${onClose}>
          <p>${t.entries(count(result.entries.length))}</p>
          <div class="preview"><${Table} caption=${t.caption} compact rows=${result.entries} rowKey=${(/** @type {any} */ e) => e.id} columns=${[
            { key: "leak", label: t.leak, cell: (/** @type {any} */ e) => html`<${Name} value=${e.title} length=${80} /> <small class="muted"><${Name} value=${e.id} /></small>` },
            { key: "place", label: t.place, class: "nowrap", cell: (/** @type {any} */ e) => said(t.places, e.change) },
            { key: "matches", label: t.findings, number: true, cell: (/** @type {any} */ e) => count(e.matches.length) },
          ]} /></div>
        <//>`
      : error ? html`<${ErrorPanel} error=${error} />` : html`<${Skeleton} rows=${4} />`}
  <//>`;
}

/** @param {{ entry: any, onClose: () => void, onDone: (said: string) => void }} props */
function Remove({ entry, onClose, onDone }) {
  const remove = async () => {
    await request(href(["known-leaks", entry.id]), { method: "DELETE" });
    onDone(a.said.removed(visible(entry.id)));
  };
  return html`<${Dialog} title=${t.removeTitle} onClose=${onClose}>
    <${Form} submit=${a.remove} danger onSubmit=${remove} onCancel=${onClose}><p>${fill(t.removeSays, { name: html`<b><${Name} value=${entry.title} /></b>` })}</p><//>
  <//>`;
}

/** @param {{ route: import("../../lib/router.js").Route }} props */
export function Known({ route }) {
  const list = useRows(route, "/known-leaks", "-origin");
  const [open, setOpen] = useState(/** @type {any} */ (null));
  const close = () => setOpen(null);
  const done = afterChange(list, close);
  /** @type {import("../../components/table.js").Column[]} */
  const columns = [
    { key: "title", label: t.leak, sort: "title", cell: (r) => html`<b><${Name} value=${r.title} length=${90} /></b><br /><small class="muted"><${Name} value=${r.id} length=${64} /></small>` },
    { key: "driver", label: t.driver, sort: "driver", cell: (r) => html`<${Name} value=${r.driver} length=${28} />` },
    { key: "tags", label: t.tags, class: "tag-cell", cell: (r) => r.tags.slice(0, 4).map((/** @type {string} */ tag) => html`<${TagChip} tag=${tag} /> `) },
    { key: "source", label: t.source, sort: "source", class: "clip", cell: (r) => html`<${Name} value=${r.source} length=${48} />` },
    { key: "confidence", label: t.confidence, sort: "confidence", cell: (r) => said(t.confidences, r.confidence) },
    { key: "origin", label: t.origin, sort: "origin", cell: (r) => html`<span class=${"badge" + (r.origin === "imported" ? " badge-new" : "")}>${said(t.origins, r.origin)}</span>` },
    { key: "edit", label: a.change, class: "end nowrap no-print", cell: (r) => html`<button class="button button-small" type="button" aria-label=${r.origin === "builtin" ? t.replaceOf(r.id) : t.editOf(r.id)} onClick=${() => setOpen({ edit: r })}>${r.origin === "builtin" ? t.replaceButton : t.editButton}</button>${r.origin === "builtin" ? null : html` <button class="button button-small" type="button" aria-label=${a.removeOf(r.id)} onClick=${() => setOpen({ remove: r })}>${a.removeButton}</button>`}` },
  ];
  return html`<${Rows} path="/admin/known-leaks" route=${route} list=${list} sort="-origin" caption=${t.caption} columns=${columns} none=${t.none}
      tools=${html`<span class="push actions"><${FileButton} label=${t.import} accept=".json,application/json" onFile=${(/** @type {File} */ file) => setOpen({ file })} />
        <button class="button button-primary" type="button" onClick=${() => setOpen({ edit: null })}>${t.add}</button></span>`} />
    ${open && "edit" in open ? html`<${Edit} entry=${open.edit} onClose=${close} onDone=${done} />` : null}
    ${open?.file ? html`<${Import} file=${open.file} onClose=${close} onDone=${done} />` : null}
    ${open?.remove ? html`<${Remove} entry=${open.remove} onClose=${close} onDone=${done} />` : null}`;
}
