// A driver's file: which build it is, and the tags its code allocates with.
import { html } from "../lib/ui.js";
import { UNKNOWN } from "../lib/format.js";
import { en } from "../lib/en.js";
import { Name, TagChip, Time } from "./names.js";

const t = en.drivers;

/** Short, whole in the title. @param {{ sha256: string | null, symbols: string | null }} props */
export function FileHash({ sha256, symbols }) {
  if (!sha256) return html`<span class="unknown" title=${t.notTold}>${UNKNOWN}</span>`;
  return html`<code title=${t.hash(sha256, symbols)}>${sha256.slice(0, 12)}</code>`;
}

/** Not scanned is unknown, which is not "none". @param {{ tags: string[], scanned: boolean, most?: number }} props */
export function TagsInside({ tags, scanned, most = 8 }) {
  if (!tags.length) return html`<span class="muted">${scanned ? t.noTags : t.notScanned}</span>`;
  return html`<span class="chips"
    >${tags.slice(0, most).map((tag) => html`<${TagChip} key=${tag} tag=${tag} />`)}${tags.length > most ? html`<span class="muted">+${tags.length - most}</span>` : null}</span
  >`;
}

/** What it was before, newest change first; unfolds. @param {{ changes: HostDetail["changes"] }} props */
export function VersionHistory({ changes }) {
  if (!changes.length) return html`<span class="muted">${UNKNOWN}</span>`;
  return html`<details class="version-history"><summary>${en.host.more.count(changes.length)}</summary>
    <ol>${changes.map((c, i) => html`<li key=${i}><${Time} value=${c.at} />: <${Name} value=${c.from} none=${en.host.time.new} length=${30} /> \u2192 <${Name} value=${c.to} none=${en.host.time.gone} length=${30} /></li>`)}</ol>
  </details>`;
}
