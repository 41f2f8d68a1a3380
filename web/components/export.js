// What is on the screen as a file: a CSV made here of exactly the rows shown, or the server's own.
import { html, useState } from "../lib/ui.js";
import { csv } from "../lib/spread.js";
import { visible } from "../lib/text.js";
import { en } from "../lib/en.js";

/** @param {string} name @param {string} type @param {string} text */
function save(name, type, text) {
  const url = URL.createObjectURL(new Blob([text], { type }));
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(url), 10000);
}

/** @param {{ name: string, head: string[], rows: () => any[][], label?: string }} props rows: asked when pressed */
export function CsvButton({ name, head, rows, label = en.states.csv }) {
  return html`<button type="button" class="button button-small file-button no-print" onClick=${() => save(name + ".csv", "text/csv;charset=utf-8", csv(head, rows()))}>${label}</button>`;
}

/**
 * The whole list from the server in one of its encodings.
 * @param {{ path: string, name: string, type: "text/csv" | "application/x-ndjson", label: string }} props path: below /api/v1
 */
export function ServerFile({ path, name, type, label }) {
  const [note, setNote] = useState("");
  const fetchIt = async () => {
    setNote("\u2026");
    try {
      const reply = await fetch("/api/v1" + path, { headers: { accept: type }, credentials: "same-origin" });
      if (!reply.ok) throw new Error(en.states.answered(reply.status));
      save(name, type, await reply.text());
      setNote("");
    } catch (e) {
      setNote(visible(/** @type {Error} */ (e).message));
    }
  };
  return html`<button type="button" class="button button-small file-button no-print" onClick=${fetchIt}>${label}</button
    >${note ? html`<span class="error-inline" role="status">${note}</span>` : null}`;
}
