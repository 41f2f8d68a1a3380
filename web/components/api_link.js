// The API call behind figures on the screen: what is shown can be asked for.
import { html } from "../lib/ui.js";
import { en } from "../lib/en.js";

/** @param {{ path: string, what: string, text?: string }} props path: below /api/v1 */
export function ApiLink({ path, what, text }) {
  return html`<a class="api-link no-print" href=${"/api/v1" + path} target="_blank" rel="noopener" aria-label=${text ? undefined : en.finding.apiOf(what)} title=${"GET /api/v1" + path}>${text ?? en.finding.api}</a>`;
}
