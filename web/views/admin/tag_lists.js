// Imported lists of who owns which tag. Before one is kept it shows what it changes.
import { html, useEffect, useState } from "../../lib/ui.js";
import { request } from "../../lib/api.js";
import { en } from "../../lib/en.js";
import { fill } from "../../lib/fill.js";
import { count } from "../../lib/format.js";
import { href, search } from "../../lib/router.js";
import { visible } from "../../lib/text.js";
import { Name, TagChip, Time } from "../../components/names.js";
import { Dialog, Field, Form } from "../../components/dialog.js";
import { ErrorPanel, Skeleton } from "../../components/states.js";
import { Table } from "../../components/table.js";
import { Rows, afterChange, useRows } from "./rows.js";
import { FileButton, readText } from "./upload.js";

const a = en.admin;
const t = a.tags;
const MAX_BYTES = 8 * 1024 * 1024;
const SHOWN = 100;

/** @param {{ owner: any }} props */
function Owner({ owner }) {
  if (!owner) return html`<span class="unknown">${t.unknown}</span>`;
  return html`${owner.driver ? html`<b><${Name} value=${owner.driver} length=${32} /></b>` : null}${owner.driver && owner.description ? ", " : ""}${owner.description ? html`<${Name} value=${owner.description} length=${80} />` : null}`;
}

/** @param {{ result: any }} props */
function Changes({ result }) {
  const differ = result.tags_added + result.tags_changed;
  const rows = result.changes.slice(0, SHOWN);
  return html`<p>${t.summary(count(result.entries), count(result.lines))} ${t.counts(count(result.tags_added), count(result.tags_changed), count(result.tags_same))}
      ${result.patterns ? html` ${t.patterns(count(result.patterns))}` : null}</p>
    ${rows.length
      ? html`<div class="preview"><${Table} caption=${t.changes} compact rows=${rows} rowKey=${(/** @type {any} */ c) => c.tag} columns=${[
          { key: "tag", label: t.tag, cell: (/** @type {any} */ c) => html`<${TagChip} tag=${c.tag} plain />` },
          { key: "before", label: t.before, cell: (/** @type {any} */ c) => html`<${Owner} owner=${c.before} />` },
          { key: "after", label: t.after, cell: (/** @type {any} */ c) => html`<${Owner} owner=${c.after} />` },
        ]} /></div>`
      : null}
    ${differ > rows.length ? html`<p class="muted small">${t.firstOf(count(rows.length), count(differ))}</p>` : null}
    ${result.refused
      ? html`<p>${t.notRead(count(result.refused))}</p><ul class="bullets small">${result.refused_lines.slice(0, 10).map((/** @type {any} */ r) => html`<li>${t.line(count(r.line))}: <code>${visible(r.text)}</code> <span class="muted"><bdi>${r.reason}</bdi></span></li>`)}</ul>`
      : null}`;
}

/** @param {{ file: File, onClose: () => void, onDone: (said: string) => void }} props */
function Import({ file, onClose, onDone }) {
  const [name, setName] = useState(file.name);
  const [text, setText] = useState(/** @type {string | null} */ (null));
  const [result, setResult] = useState(/** @type {any} */ (null));
  const [error, setError] = useState(/** @type {any} */ (null));
  const send = (/** @type {string} */ body, /** @type {string} */ as, /** @type {boolean} */ preview) =>
    request("/tag-lists" + search({ name: as, preview: preview ? "yes" : null }), { method: "POST", body, type: "text/plain", timeout: 60000 });
  useEffect(() => {
    const look = async () => {
      if (file.size > MAX_BYTES) throw { title: t.tooLarge, detail: t.tooLargeDetail };
      const read = await readText(file);
      setResult((await send(read, file.name, true)).body);
      setText(read);
    };
    look().catch(setError);
  }, []);
  const store = async () => {
    await send(text ?? "", name.trim(), false);
    onDone(a.said.imported(visible(name.trim())));
  };
  return html`<${Dialog} title=${t.previewTitle} onClose=${onClose} wide>
    ${result && text !== null
      ? html`<${Form} submit=${t.store} onSubmit=${store} onError=${setError} onCancel=${onClose} fields=${["name"]}>
          <${Changes} result=${result} />
          <${Field} id="list-name" label=${t.name} name="name" value=${name} onInput=${setName} error=${error} hint=${t.nameHint} maxlength=${128} />
        <//>`
      : error ? html`<${ErrorPanel} error=${error} />` : html`<${Skeleton} rows=${4} label=${t.reading} />`}
  <//>`;
}

/** @param {{ list: any, onClose: () => void, onDone: (said: string) => void }} props */
function Remove({ list, onClose, onDone }) {
  const send = async () => {
    await request(href(["tag-lists", list.name]), { method: "DELETE" });
    onDone(a.said.removed(visible(list.name)));
  };
  return html`<${Dialog} title=${t.removeTitle} onClose=${onClose}>
    <${Form} submit=${a.remove} danger onSubmit=${send} onCancel=${onClose}><p>${fill(t.removeSays, { name: html`<b><${Name} value=${list.name} /></b>` })}</p><//>
  <//>`;
}

/** @param {{ route: import("../../lib/router.js").Route }} props */
export function TagLists({ route }) {
  const list = useRows(route, "/tag-lists", "-imported_at");
  const [open, setOpen] = useState(/** @type {any} */ (null));
  const close = () => setOpen(null);
  const done = afterChange(list, close);
  /** @type {import("../../components/table.js").Column[]} */
  const columns = [
    { key: "name", label: a.name, sort: "name", cell: (r) => html`<${Name} value=${r.name} length=${60} />` },
    { key: "at", label: t.imported, sort: "imported_at", class: "nowrap", cell: (r) => html`<${Time} value=${r.imported_at} />` },
    { key: "entries", label: t.tags, sort: "entries", number: true, cell: (r) => count(r.entries) },
    { key: "lines", label: t.lines, sort: "lines", number: true, cell: (r) => count(r.lines) },
    { key: "refused", label: t.refused, sort: "refused", number: true, cell: (r) => count(r.refused) },
    { key: "remove", label: a.remove, class: "end no-print", cell: (r) => html`<button class="button button-small" type="button" aria-label=${a.removeOf(visible(r.name))} onClick=${() => setOpen({ remove: r })}>${a.removeButton}</button>` },
  ];
  return html`<p class="muted">${t.hint}</p>
    <${Rows} path="/admin/tag-lists" route=${route} list=${list} sort="-imported_at" caption=${t.caption} columns=${columns} none=${t.none}
      tools=${html`<span class="push"><${FileButton} label=${t.import} accept=".txt,.tsv,text/*" primary onFile=${(/** @type {File} */ file) => setOpen({ file })} /></span>`} />
    ${open?.file ? html`<${Import} file=${open.file} onClose=${close} onDone=${done} />` : null}
    ${open?.remove ? html`<${Remove} list=${open.remove} onClose=${close} onDone=${done} />` : null}`;
}
