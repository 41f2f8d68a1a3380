// "100 of 1,000 shown", and the button for the next page.
import { html } from "../lib/ui.js";
import { en } from "../lib/en.js";
import { count } from "../lib/format.js";

const t = en.states;

/** @param {{ shown: number, total: number | undefined, more: (() => void) | null, busy: boolean, error: any, what: string }} props */
export function More({ shown, total, more, busy, error, what }) {
  return html`<div class="more">
    <span class="muted"
      >${more && total !== undefined ? t.shownOf(count(shown), count(total), what) : t.shown(count(shown), what)}</span
    >
    ${more
      ? html`<button class="button button-small" type="button" disabled=${busy} onClick=${more}>
          ${busy ? t.loadingMore : t.more}
        </button>`
      : null}
    ${error ? html`<span class="error-inline" role="alert">${error.title}</span>` : null}
  </div>`;
}
