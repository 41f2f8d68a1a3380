// The keys: those of the screen that is shown, then those that work everywhere.
import { html, useEffect, useRef } from "../lib/ui.js";
import { en } from "../lib/en.js";

const t = en.shell;

/** @param {{ keys: string }} props */
function Keys({ keys }) {
  const words = /** @type {Record<string, string>} */ ({ then: t.then, or: t.or, and: t.and });
  return html`${keys.split(" ").map((k) =>
    words[k] ? html` <span>${words[k]}</span> ` : html`${k.split("+").map((one, i) => html`${i ? "+" : ""}<kbd>${one}</kbd>`)} `)}`;
}

/**
 * @param {{ open: boolean, view: string, going: string[][], onClose: () => void }} props
 *        going: key and name of each screen that g leads to
 */
export function Help({ open, view, going, onClose }) {
  const dialog = useRef(/** @type {HTMLDialogElement | null} */ (null));
  useEffect(() => {
    const d = dialog.current;
    if (!d) return;
    if (open && !d.open) d.showModal();
    if (!open && d.open) d.close();
  }, [open]);
  const screens = /** @type {Record<string, any[]>} */ (/** @type {any} */ (t.screens));
  const sections = [
    ...(screens[view] ?? []),
    [t.everywhere, [["/", t.help.search], ["Ctrl+K", t.help.jump], ...going.map(([key, name]) => [`g then ${key}`, name]), ["?", t.help.help], ["Esc", t.help.escape]]],
  ];
  return html`<dialog ref=${dialog} class="dialog" onClose=${onClose} aria-labelledby="help-title"
    onClick=${(/** @type {any} */ e) => e.target === dialog.current && onClose()}>
    <div class="dialog-body">
      <div class="dialog-head">
        <h2 id="help-title">${t.keys}</h2>
        <button class="button button-small" type="button" onClick=${onClose}>${t.close}</button>
      </div>
      <div class="help-columns">
        ${sections.map(
          ([title, rows]) => html`<section>
            <h3>${title}</h3>
            <dl class="keys">
              ${/** @type {string[][]} */ (rows).map(([keys, what]) => html`<div><dt><${Keys} keys=${keys} /></dt><dd>${what}</dd></div>`)}
            </dl>
          </section>`,
        )}
      </div>
    </div>
  </dialog>`;
}
