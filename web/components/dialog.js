// Modal dialogs and the fields in them. The focus goes back to where it was when one closes.
import { html, useEffect, useLayoutEffect, useRef, useState } from "../lib/ui.js";
import { visible } from "../lib/text.js";
import { CopyButton, ErrorPanel } from "./states.js";

let numbers = 0;

/**
 * @param {{ title: string, onClose: () => void, locked?: boolean, children?: any }} props
 *        locked: Escape does not close it
 */
export function Dialog({ title, onClose, locked = false, children }) {
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
  return html`<dialog ref=${dialog} class="dialog dialog-small" aria-labelledby=${id}
    onCancel=${(/** @type {Event} */ e) => {
      e.preventDefault();
      if (!locked) onClose();
    }}>
    <div class="dialog-body">
      <div class="dialog-head">
        <h2 id=${id}>${title}</h2>
        ${locked ? null : html`<button class="button button-small" type="button" onClick=${onClose}>Close</button>`}
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

/**
 * A form that sends once at a time, keeps what was typed when it fails, and says why.
 * @param {{ submit: string, danger?: boolean, onSubmit: () => Promise<void>, onError?: (e: any) => void, onCancel?: () => void, fields?: string[], children?: any }} props
 *        fields: names whose errors their own field shows
 */
export function Form({ submit, danger = false, onSubmit, onError, onCancel, fields = [], children }) {
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
    ${error && !fields.includes(error.field) ? html`<${ErrorPanel} error=${error} />` : null}
    <div class="actions">
      <button class=${"button " + (danger ? "button-danger" : "button-primary")} type="submit" disabled=${busy}>${busy ? "One moment\u2026" : submit}</button>
      ${onCancel ? html`<button class="button" type="button" onClick=${onCancel}>Cancel</button>` : null}
    </div>
  </form>`;
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
      <p>${what} It is shown this once: the server keeps only its hash.</p>
      <div class="field">
        <label for="secret">Secret</label>
        <input id="secret" ref=${box} class="input secret" readonly value=${secret} spellcheck="false" />
      </div>
      <div class="actions">
        <${CopyButton} text=${secret} label="Copy" />
        <button class="button button-primary" type="button" onClick=${onClose}>I have stored it</button>
      </div>
    </div>
  <//>`;
}
