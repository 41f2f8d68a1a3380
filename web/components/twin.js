// The same figures as a picture, for those who read: a table that unfolds, and a file of exactly that.
import { html, useState } from "../lib/ui.js";
import { csvText } from "../lib/host.js";
import { count } from "../lib/format.js";
import { Table } from "./table.js";
import { en } from "../lib/en.js";

const t = en.host.twin;
const MOST = 400;

/** @param {string} name @param {string} text */
export function download(name, text) {
  const address = URL.createObjectURL(new Blob([text], { type: "text/csv" }));
  const link = document.createElement("a");
  link.href = address;
  link.download = name.replace(/[^\w.-]+/g, "-");
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(address), 1000);
}

/**
 * @param {{ title: string, columns: (import("./table.js").Column & { raw: (row: any) => string | number | null })[], rows: any[], label?: string, open?: boolean }} props
 *        raw: the figure as the file has it
 */
export function Twin({ title, columns, rows, label = t.table, open = false }) {
  const [shown, setShown] = useState(open);
  return html`<div class="twin">
    <details open=${open} onToggle=${(/** @type {any} */ e) => setShown(e.currentTarget.open)}>
      <summary>${label} <span class="muted">${count(rows.length)}</span></summary>
      ${shown
        ? html`<div class="twin-table"><${Table} compact caption=${title} columns=${columns} rows=${rows.slice(0, MOST)} rowKey=${(/** @type {any} */ r) => String(rows.indexOf(r))} /></div>
            ${rows.length > MOST ? html`<p class="muted small">${t.first(MOST, rows.length)}</p>` : null}`
        : null}
    </details>
    <button type="button" class="button button-small no-print" onClick=${() => download(title + ".csv", csvText(columns.map((c) => c.key), rows.map((r) => columns.map((c) => c.raw(r)))))}
      aria-label=${t.csvOf(title)}>${en.states.csv}</button>
  </div>`;
}
