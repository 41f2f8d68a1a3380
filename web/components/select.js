// A labelled choice.
import { html } from "../lib/ui.js";

/** @param {{ label: string, value: string, options: string[][], onChange: (value: string) => void }} props */
export function Select({ label, value, options, onChange }) {
  const known = options.some(([v]) => v === value);
  return html`<label class="select"
    ><span>${label}</span
    ><select value=${value} onChange=${(/** @type {any} */ e) => onChange(e.target.value)}>
      ${known ? null : html`<option value=${value} selected>${value}</option>`}
      ${options.map(([v, text]) => html`<option key=${v} value=${v} selected=${v === value}>${text}</option>`)}
    </select></label
  >`;
}
