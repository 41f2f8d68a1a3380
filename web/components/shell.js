// What is around every view: header with navigation, jump box, theme, session; keyboard help.
import { html, useEffect, useRef, useState } from "../lib/ui.js";
import { signOut } from "../lib/api.js";
import { forgetAll } from "../lib/resource.js";
import { Name } from "./names.js";
import { Jump } from "./jump.js";

const NAV = [
  ["/", "Today", "today"],
  ["/findings", "Findings", "findings finding"],
  ["/tags", "Tags", "tags tag explain"],
  ["/hosts", "Hosts", "hosts host"],
  ["/drivers", "Drivers", "drivers driver"],
  ["/diagnose", "Diagnose", "diagnose"],
  ["/admin", "Admin", "admin"],
];

function currentTheme() {
  const chosen = document.documentElement.dataset.theme;
  if (chosen === "light" || chosen === "dark") return chosen;
  return matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
}

function ThemeButton() {
  const [theme, setTheme] = useState(currentTheme());
  const turn = () => {
    const next = currentTheme() === "dark" ? "light" : "dark";
    document.documentElement.dataset.theme = next;
    try {
      localStorage.setItem("poolfleet.theme", next);
    } catch {
      // Not kept: storage is denied.
    }
    setTheme(next);
    dispatchEvent(new CustomEvent("poolfleet:theme"));
  };
  const label = theme === "dark" ? "Use the light theme" : "Use the dark theme";
  return html`<button class="icon-button" type="button" onClick=${turn} title=${label} aria-label=${label}>
    <svg width="16" height="16" viewBox="0 0 16 16" aria-hidden="true">
      <circle cx="8" cy="8" r="6.25" class="theme-ring" />
      <path d="M8 1.75a6.25 6.25 0 0 1 0 12.5Z" class="theme-half" />
    </svg>
  </button>`;
}

const KEYS = [
  ["Everywhere", [["/", "search"], ["g then t", "Today"], ["g then a", "Tags"], ["g then h", "Hosts"],
    ["g then f", "Findings"], ["g then d", "Diagnose"], ["?", "this help"]]],
  ["On a host, as in poolmon", [["p", "nonpaged, paged, both"], ["b", "sort by bytes"],
    ["d", "sort by difference (allocs \u2212 frees)"], ["a", "sort by allocs"], ["f", "sort by frees"],
    ["m", "sort by bytes per alloc"], ["t", "sort by tag"],
    ["( or )", "sort by change, and back"], ["s", "sort by score against peers"]]],
  ["In the host\u2019s table", [["\u2191 \u2193 PgUp PgDn Home End", "move"], ["Space", "show the row over time"],
    ["Enter", "open the tag"], ["[ and ]", "an hour back, an hour on"], ["n", "back to now"]]],
];

/** @param {{ open: boolean, onClose: () => void }} props */
function Help({ open, onClose }) {
  const dialog = useRef(/** @type {HTMLDialogElement | null} */ (null));
  useEffect(() => {
    const d = dialog.current;
    if (!d) return;
    if (open && !d.open) d.showModal();
    if (!open && d.open) d.close();
  }, [open]);
  return html`<dialog ref=${dialog} class="dialog" onClose=${onClose} aria-labelledby="help-title"
    onClick=${(/** @type {any} */ e) => e.target === dialog.current && onClose()}>
    <div class="dialog-body">
      <div class="dialog-head">
        <h2 id="help-title">Keys</h2>
        <button class="button button-small" type="button" onClick=${onClose}>Close</button>
      </div>
      <div class="help-columns">
        ${KEYS.map(
          ([title, rows]) => html`<section>
            <h3>${title}</h3>
            <dl class="keys">
              ${/** @type {string[][]} */ (rows).map(
                ([key, what]) => html`<div>
                  <dt>${key.split(" ").map((k) =>
                    ["then", "or", "and"].includes(k) ? html` <span>${k}</span> ` : html`<kbd>${k}</kbd> `)}</dt>
                  <dd>${what}</dd>
                </div>`,
              )}
            </dl>
          </section>`,
        )}
      </div>
    </div>
  </dialog>`;
}

/** @param {Event} event */
export function isTyping(event) {
  const el = /** @type {HTMLElement} */ (event.target);
  return (
    el instanceof HTMLElement &&
    (el.isContentEditable || /^(TEXTAREA|SELECT)$/.test(el.tagName) ||
      (el instanceof HTMLInputElement && !/^(range|checkbox|radio|button)$/.test(el.type)))
  );
}

/** @param {{ session: Session, view: string, children?: any }} props */
export function Shell({ session, view, children }) {
  const [help, setHelp] = useState(false);
  const prefix = useRef(0);

  useEffect(() => {
    /** @type {Record<string, string>} */
    const go = { t: "/", a: "/tags", h: "/hosts", f: "/findings", v: "/drivers", d: "/diagnose" };
    const onKey = (/** @type {KeyboardEvent} */ e) => {
      if (e.ctrlKey || e.metaKey || e.altKey || isTyping(e) || document.querySelector("dialog[open]")) return;
      if (e.key === "?") {
        e.preventDefault();
        setHelp(true);
      } else if (e.key === "/") {
        // A view's own search box comes first, then the jump box of the header.
        const box = document.querySelector("[data-search]") ?? document.querySelector("#jump");
        if (box instanceof HTMLInputElement) {
          e.preventDefault();
          box.focus();
          box.select();
        }
      } else if (e.key === "g") {
        prefix.current = Date.now();
      } else if (Date.now() - prefix.current < 1000 && go[e.key]) {
        e.preventDefault();
        e.stopImmediatePropagation();
        prefix.current = 0;
        /** @type {HTMLAnchorElement | null} */ (document.querySelector(`nav a[href="${go[e.key]}"]`))?.click();
      }
    };
    addEventListener("keydown", onKey, true);
    return () => removeEventListener("keydown", onKey, true);
  }, []);

  const leave = () => {
    forgetAll();
    void signOut();
  };

  return html`<a class="skip" href="#main">Skip to the content</a>
    <header class="shell-header">
      <div class="shell-bar">
        <a class="brand" href="/" aria-label="Poolfleet, today">
          <svg width="20" height="20" viewBox="0 0 32 32" aria-hidden="true">
            <rect width="32" height="32" rx="7" class="brand-ground" />
            <path class="brand-bars" d="M6 18h4v8H6zM12 14h4v12h-4zM18 16h4v10h-4zM24 6h4v20h-4z" />
          </svg>
          <span>Poolfleet</span>
        </a>
        <nav aria-label="Main">
          ${NAV.filter(([to]) => to !== "/admin" || session.role === "admin").map(
            ([to, label, views]) => html`<a
              href=${to}
              aria-current=${views.split(" ").includes(view) ? "page" : undefined}
              >${label}</a
            >`,
          )}
        </nav>
        <div class="shell-side">
          <${Jump} />
          <button class="icon-button" type="button" title="Keys (?)" aria-label="Keys" onClick=${() => setHelp(true)}>
            <span aria-hidden="true">?</span>
          </button>
          <${ThemeButton} />
          <a class="who" href="/account" title=${"Your account; role: " + session.role}><${Name} value=${session.name} length=${20} /></a>
          ${session.kind === "proxy" ? null : html`<button class="button button-small button-quiet" type="button" onClick=${leave}>Sign out</button>`}
        </div>
      </div>
    </header>
    <main class="main" id="main" tabindex="-1">${children}</main>
    <${Help} open=${help} onClose=${() => setHelp(false)} />`;
}
