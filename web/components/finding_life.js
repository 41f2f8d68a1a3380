// What people decided about a finding, and its history. Nothing typed is lost: the note lives as long
// as the page does, and a change that another person was faster with is shown beside theirs.
import { html, useState } from "../lib/ui.js";
import { get, request } from "../lib/api.js";
import { forgetAll } from "../lib/resource.js";
import { href } from "../lib/router.js";
import { STATUS } from "../lib/words.js";
import { visible } from "../lib/text.js";
import { en } from "../lib/en.js";
import { ErrorPanel } from "./states.js";
import { Name, Time } from "./names.js";
import { StatusBadge } from "./marks.js";
import { MuteDialog } from "./mute_dialog.js";

const t = en.finding.life;
const c = en.finding.conflict;
/** Notes not yet saved, by finding. @type {Map<string, string>} */
const drafts = new Map();

/** Which decisions each status allows, as the server has it. @type {Record<string, string[]>} */
const STEPS = { open: ["acknowledged", "muted", "resolved"], acknowledged: ["muted", "resolved", "open"], muted: ["muted", "resolved", "open"], resolved: ["open"] };

/** @typedef {{ status?: string, note?: string }} Change */

/** Theirs beside mine. @param {{ theirs: Finding, mine: Change, busy: boolean, onOver: () => void, onKeep: () => void }} props */
function Conflict({ theirs, mine, busy, onOver, onKeep }) {
  const last = theirs.history?.[theirs.history.length - 1];
  const rows = [
    [c.status, STATUS[theirs.status], mine.status ? STATUS[mine.status] : c.nothing],
    [c.note, theirs.note ?? c.none, mine.note ?? c.nothing],
    [c.who, last?.actor ?? "", ""],
  ];
  return html`<div class="conflict" role="alert">
    <h3>${c.title}</h3>
    <p>${c.text}</p>
    <table class="table table-compact">
      <thead><tr><th scope="col">${c.what}</th><th scope="col">${c.theirs}</th><th scope="col">${c.yours}</th></tr></thead>
      <tbody>${rows.map(([what, a, b]) => html`<tr key=${what}><th scope="row">${what}</th><td><${Name} value=${a} length=${400} /></td><td>${b ? html`<${Name} value=${b} length=${400} />` : null}</td></tr>`)}</tbody>
    </table>
    <div class="actions">
      <button type="button" class="button button-primary" disabled=${busy} onClick=${onOver}>${c.over}</button>
      <button type="button" class="button" disabled=${busy} onClick=${onKeep}>${c.keep}</button>
    </div>
  </div>`;
}

/** @param {{ f: Finding }} props */
export function Timeline({ f }) {
  if (!f.history?.length) return null;
  return html`<h3 class="gap">${t.history}</h3>
    <ol class="timeline">${f.history.slice().reverse().map((x, i) => html`<li key=${i} class=${"step step-" + x.change.split(/[ ,]/)[0]}>
      <b>${/** @type {Record<string, string>} */ (en.finding.changes)[x.change] ?? visible(x.change)}</b>
      <span class="muted"><${Time} value=${x.at} />${x.actor && x.actor !== "analysis" ? html`, ${t.by} <${Name} value=${x.actor} length=${40} />` : `, ${en.finding.analysis}`}</span>
      ${x.note ? html`<div class="step-note"><${Name} value=${x.note} length=${2000} /></div>` : null}
    </li>`)}</ol>`;
}

/** @param {{ f: Finding, session: Session, reload: () => void }} props */
export function LifeCycle({ f, session, reload }) {
  const [note, setNoteState] = useState(drafts.get(f.id) ?? "");
  const [busy, setBusy] = useState("");
  const [error, setError] = useState(/** @type {any} */ (null));
  const [conflict, setConflict] = useState(/** @type {{ theirs: Finding, mine: Change } | null} */ (null));
  const [muting, setMuting] = useState(false);
  const may = session.role === "operator" || session.role === "admin";
  const path = href(["findings", f.id]);
  const setNote = (/** @type {string} */ text) => {
    drafts.set(f.id, text);
    setNoteState(text);
  };
  const done = () => {
    setNote("");
    setConflict(null);
    forgetAll();
    reload();
  };
  const send = async (/** @type {Change} */ change, /** @type {number | null | undefined} */ version, /** @type {string} */ name) => {
    setBusy(name);
    setError(null);
    try {
      /** @type {Record<string, string>} */
      const headers = version == null ? {} : { "if-match": `"v${version}.0"` };
      await request(path, { method: "PATCH", body: JSON.stringify(change), headers });
      done();
    } catch (/** @type {any} */ e) {
      let theirs = null;
      if (e.status === 412) theirs = await get(path).catch(() => null);
      if (theirs) setConflict({ theirs, mine: change });
      else setError(e);
    }
    setBusy("");
  };
  const change = (/** @type {Change} */ what, /** @type {string} */ name) => {
    const text = note.trim();
    setConflict(null);
    void send(text ? { ...what, note: text } : what, f.version, name);
  };
  const button = (/** @type {string} */ label, /** @type {string} */ status, primary = false) =>
    STEPS[f.status].includes(status)
      ? html`<button type="button" class=${"button" + (primary ? " button-primary" : "")} disabled=${busy !== ""} onClick=${() => change({ status }, label)}>${busy === label ? t.saving : label}</button>`
      : null;
  return html`<section class="panel" aria-labelledby="life-h">
    <div class="panel-head"><h2 id="life-h">${t.title}</h2><${StatusBadge} status=${f.status} /></div>
    ${f.acknowledged_by && f.status !== "open" ? html`<p class="muted">${t.by} <${Name} value=${f.acknowledged_by} length=${40} /></p>` : null}
    ${f.status === "muted" ? html`<p class="muted">${f.muted_until ? html`${t.until} <${Time} value=${f.muted_until} />` : t.forGood}</p>` : null}
    ${f.reopened_at ? html`<p class="reopened">${t.reopened(f.reopened_count ?? 1)} <${Time} value=${f.reopened_at} />, ${t.afterResolved}</p>` : null}
    ${f.note ? html`<p class="note"><${Name} value=${f.note} length=${2000} /></p>` : null}
    ${may
      ? html`<div class="note-form no-print">
          <label for="note" class="muted small">${t.note}</label>
          <textarea id="note" class="textarea" rows="2" maxlength="2000" value=${note} onInput=${(/** @type {any} */ e) => setNote(e.target.value)}></textarea>
          <div class="actions">
            ${button(t.acknowledge, "acknowledged", f.status === "open")}
            ${STEPS[f.status].includes("muted") ? html`<button type="button" class="button" disabled=${busy !== ""} onClick=${() => setMuting(true)}>${t.mute}</button>` : null}
            ${button(t.resolve, "resolved")}
            ${button(t.open, "open")}
            ${note.trim() ? html`<button type="button" class="button button-quiet" disabled=${busy !== ""} onClick=${() => change({}, t.addNote)}>${busy === t.addNote ? t.saving : t.addNote}</button>` : null}
          </div>
        </div>`
      : html`<p class="muted small">${t.viewer}</p>`}
    ${conflict
      ? html`<${Conflict} theirs=${conflict.theirs} mine=${conflict.mine} busy=${busy !== ""}
          onOver=${() => void send(conflict.mine, conflict.theirs.version, c.over)}
          onKeep=${() => {
            setConflict(null);
            forgetAll();
            reload();
          }} />`
      : null}
    ${error ? html`<${ErrorPanel} error=${error} title=${t.failed} />` : null}
    ${muting
      ? html`<${MuteDialog} f=${f} reason=${note} onClose=${() => setMuting(false)} onDone=${() => {
          setMuting(false);
          done();
        }} />`
      : null}
    <${Timeline} f=${f} />
  </section>`;
}
