// Modal dialogs and the fields in them. The focus goes back to where it was when one closes.
import { html, useEffect, useLayoutEffect, useRef, useState } from "../lib/ui.js";
import { en } from "../lib/en.js";
import { visible } from "../lib/text.js";
import { CopyButton, ErrorPanel } from "./states.js";

const t = en.states;
let numbers = 0;

/**
 * @param {{ title: string, onClose: () => void, locked?: boolean, wide?: boolean, children?: any }} props
 *        locked: Escape does not close it
 */
export function Dialog({ title, onClose, locked = false, wide = false, children }) {
  const dialog = useRef(/** @type {HTMLDialogElement | null} */ (null));
  const [id] = useState(() => `dialog-${++numbers}`);
  // Before the effects of what is inside, which choose the first focus.
  useLayoutEffect(() => {
    const before = /** @type {HTMLElement | null} */ (document.activeElement);
    const shown = dialog.current;
    shown?.showModal();
    return () => {
      shown?.close(); // while it is open, what is behind it can not have the focus
      if (before?.isConnected) before.focus();
    };
  }, []);
  return html`<dialog ref=${dialog} class=${wide ? "dialog" : "dialog dialog-small"} aria-labelledby=${id}
    onCancel=${(/** @type {Event} */ e) => {
      e.preventDefault();
      if (!locked) onClose();
    }}
    onClose=${() => {
      // The browser closes it at a second Escape, whatever was said to the first.
      if (!dialog.current?.isConnected || dialog.current.open) return;
      if (locked) dialog.current.showModal();
      else onClose();
    }}>
    <div class="dialog-body">
      <div class="dialog-head">
        <h2 id=${id}>${title}</h2>
        ${locked ? null : html`<button class="button button-small" type="button" onClick=${onClose}>${t.close}</button>`}
      </div>
      ${children}
    </div>
  </dialog>`;
}

/**
 * A labelled input. When the server names it as what is wrong, it says so to everybody.
 * @param {{ label: string, name: string, value: string, onInput: (v: string) => void, error?: any, hint?: string,
 *           type?: string, autocomplete?: string, required?: boolean, focus?: boolean, id?: string, maxlength?: number, min?: number }} props
 */
export function Field({ label, name, value, onInput, error, hint, type = "text", autocomplete = "off", required = true, focus = false, id = name, maxlength = 256, min }) {
  const box = useRef(/** @type {HTMLInputElement | null} */ (null));
  const wrong = error?.field === name;
  useEffect(() => {
    if (focus) box.current?.focus();
  }, []);
  useEffect(() => {
    if (wrong) box.current?.focus();
  }, [error]);
  return html`<div class="field">
    <label for=${id}>${label}</label>
    <input ref=${box} id=${id} class="input" type=${type} name=${name} value=${value} autocomplete=${autocomplete} spellcheck="false"
      maxlength=${maxlength} min=${min} required=${required} aria-invalid=${wrong ? "true" : undefined}
      aria-describedby=${hint || wrong ? `${id}-hint` : undefined}
      onInput=${(/** @type {any} */ e) => onInput(e.target.value)} />
    ${hint || wrong
      ? html`<p id=${`${id}-hint`} class=${wrong ? "error-inline" : "muted small"}>${wrong ? visible(error.detail ?? error.title) : hint}</p>`
      : null}
  </div>`;
}

/** @param {{ label: string, value: string, options: string[][], onChange: (v: string) => void, id: string, hint?: string }} props */
export function Choice({ label, value, options, onChange, id, hint }) {
  return html`<div class="field">
    <label for=${id}>${label}</label>
    <select id=${id} class="input" value=${value} aria-describedby=${hint ? `${id}-hint` : undefined}
      onChange=${(/** @type {any} */ e) => onChange(e.target.value)}>
      ${options.map(([v, text]) => html`<option key=${v} value=${v} selected=${v === value}>${text}</option>`)}
    </select>
    ${hint ? html`<p id=${`${id}-hint`} class="muted small">${hint}</p>` : null}
  </div>`;
}

/** @typedef {{ label: string, now: any, yours: any }} Difference */

/**
 * Two people changed one thing: says so, and shows what the other made of it. What was typed stays.
 * @param {{ onLook: () => Promise<Difference[]> }} props
 */
function Collision({ onLook }) {
  const [found, setFound] = useState(/** @type {Difference[] | null} */ (null));
  const [error, setError] = useState(/** @type {any} */ (null));
  const look = () => onLook().then(setFound, setError);
  return html`<div class="collision" role="alert">
    <p><b>${t.collided}</b></p>
    <p>${t.collidedSays}</p>
    ${found === null
      ? html`<button class="button button-small" type="button" onClick=${look}>${t.look}</button>`
      : found.length === 0
        ? html`<p>${t.same}</p>`
        : html`<dl class="differences">${found.map((d) => html`<div><dt>${d.label}</dt><dd><small>${t.thereNow}</small> ${d.now}</dd><dd><small>${t.yours}</small> ${d.yours}</dd></div>`)}</dl>`}
    ${error ? html`<${ErrorPanel} error=${error} />` : null}
  </div>`;
}

/**
 * A form that sends once at a time, keeps what was typed when it fails, and says why.
 * @param {{ submit: string, danger?: boolean, onSubmit: () => Promise<void>, onError?: (e: any) => void, onCancel?: () => void, fields?: string[],
 *           onCollide?: () => Promise<Difference[]>, disabled?: boolean, children?: any }} props
 *        fields: names whose errors their own field shows; onCollide: another changed it meanwhile
 *        (412): reads what is there now, takes its version, and tells what differs from what is typed
 */
export function Form({ submit, danger = false, onSubmit, onError, onCancel, fields = [], onCollide, disabled = false, children }) {
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState(/** @type {any} */ (null));
  const alive = useRef(true);
  useEffect(() => () => void (alive.current = false), []);
  const send = async (/** @type {Event} */ event) => {
    event.preventDefault();
    if (busy) return;
    setBusy(true);
    setError(null);
    onError?.(null);
    try {
      await onSubmit();
    } catch (e) {
      if (alive.current) setError(e);
      onError?.(e);
    }
    if (alive.current) setBusy(false);
  };
  return html`<form class="form" onSubmit=${send}>
    ${children}
    ${error?.status === 412 && onCollide
      ? html`<${Collision} onLook=${onCollide} />`
      : error && !fields.includes(error.field) ? html`<${ErrorPanel} error=${error} />` : null}
    <div class="actions">
      <button class=${"button " + (danger ? "button-danger" : "button-primary")} type="submit" disabled=${busy || disabled}>${busy ? t.oneMoment : submit}</button>
      ${onCancel ? html`<button class="button" type="button" onClick=${onCancel}>${t.cancel}</button>` : null}
    </div>
  </form>`;
}

/**
 * More than a line. When the server names it as what is wrong, it says so to everybody.
 * @param {{ label: string, name: string, value: string, onInput: (v: string) => void, error?: any, hint?: string, required?: boolean, id?: string,
 *           rows?: number, maxlength?: number }} props
 */
export function Area({ label, name, value, onInput, error, hint, required = true, id = name, rows = 3, maxlength = 4096 }) {
  const wrong = error?.field === name;
  return html`<div class="field">
    <label for=${id}>${label}</label>
    <textarea id=${id} class="input area" name=${name} rows=${rows} spellcheck="false" maxlength=${maxlength} required=${required} value=${value}
      aria-invalid=${wrong ? "true" : undefined} aria-describedby=${hint || wrong ? `${id}-hint` : undefined}
      onInput=${(/** @type {any} */ e) => onInput(e.target.value)}></textarea>
    ${hint || wrong
      ? html`<p id=${`${id}-hint`} class=${wrong ? "error-inline" : "muted small"}>${wrong ? visible(error.detail ?? error.title) : hint}</p>`
      : null}
  </div>`;
}

/**
 * A secret that is seen this once: only its own button closes it.
 * @param {{ title: string, secret: string, what: string, onClose: () => void }} props
 */
export function SecretDialog({ title, secret, what, onClose }) {
  const box = useRef(/** @type {HTMLInputElement | null} */ (null));
  useEffect(() => {
    box.current?.focus();
    box.current?.select();
  }, []);
  return html`<${Dialog} title=${title} onClose=${onClose} locked>
    <div class="form">
      <p>${t.onceOnly(what)}</p>
      <div class="field">
        <label for="secret">${t.secret}</label>
        <input id="secret" ref=${box} class="input secret" readonly value=${secret} spellcheck="false" />
      </div>
      <div class="actions">
        <${CopyButton} text=${secret} />
        <button class="button button-primary" type="button" onClick=${onClose}>${t.stored}</button>
      </div>
    </div>
  <//>`;
}
