// What is around every view: header with navigation, jump box, theme, session; keyboard help.
import { html, useEffect, useRef, useState } from "../lib/ui.js";
import { signOut } from "../lib/api.js";
import { en } from "../lib/en.js";
import { span } from "../lib/format.js";
import { link } from "../lib/link.js";
import { useCurrentInSight } from "../lib/current_in_sight.js";
import { forgetAll } from "../lib/resource.js";
import { Name } from "./names.js";
import { Help } from "./help.js";
import { Jump } from "./jump.js";
import { SeverityMark } from "./marks.js";
import { useNow } from "./states.js";

const t = en.shell;

/** Address, name, views that belong to it, and the key after g. A new screen is a row here. */
const NAV = [
  ["/", t.nav.today, "today", "t"],
  ["/map", t.nav.map, "map", "m"],
  ["/findings", t.nav.findings, "findings finding", "f"],
  ["/tags", t.nav.tags, "tags tag explain", "a"],
  ["/hosts", t.nav.hosts, "hosts host", "h"],
  ["/drivers", t.nav.drivers, "drivers driver", "v"],
  ["/diagnose", t.nav.diagnose, "diagnose", "d"],
  ["/admin", t.nav.admin, "admin", "s"],
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
  const label = theme === "dark" ? t.light : t.dark;
  return html`<button class="icon-button" type="button" onClick=${turn} title=${label} aria-label=${label}>
    <svg width="16" height="16" viewBox="0 0 16 16" aria-hidden="true">
      <circle cx="8" cy="8" r="6.25" class="theme-ring" />
      <path d="M8 1.75a6.25 6.25 0 0 1 0 12.5Z" class="theme-half" />
    </svg>
  </button>`;
}

/** The line to the server, when it is not as it should be. */
function LinkState() {
  const [, redraw] = useState(0);
  const now = useNow(5000);
  useEffect(() => link.listen(() => redraw((n) => n + 1)), []);
  const again = () => dispatchEvent(new CustomEvent("poolfleet:retry"));
  const state = link.state;
  const age = link.answeredAt === null ? null : span(Math.max(0, now - link.answeredAt) / 1000);
  return html`<div class="link-state" role="status">
    ${state === "gone"
      ? html`<div class="link-gone"><${SeverityMark} severity="warning" size=${14} label=${false} />
          <span>${age === null ? t.goneFirst : t.gone(age)} ${t.goneMore}</span>
          <button class="button button-small" type="button" onClick=${again}>${t.again}</button></div>`
      : state === "slow" ? html`<div class="link-slow">${t.slow}</div>` : null}
  </div>`;
}

/** What say() tells. */
function Said() {
  const [text, setText] = useState("");
  useEffect(() => {
    const hear = (/** @type {any} */ e) => setText(e.detail);
    addEventListener("poolfleet:say", hear);
    return () => removeEventListener("poolfleet:say", hear);
  }, []);
  return html`<div class="offscreen" role="status" aria-live="polite">${text}</div>`;
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
  const bar = useRef(/** @type {HTMLElement | null} */ (null));
  useCurrentInSight(bar, view);

  useEffect(() => {
    const focus = (/** @type {KeyboardEvent} */ e, /** @type {Element | null} */ box) => {
      if (!(box instanceof HTMLInputElement)) return;
      e.preventDefault();
      box.focus();
      box.select();
    };
    const onKey = (/** @type {KeyboardEvent} */ e) => {
      if (e.ctrlKey && !e.shiftKey && !e.altKey && e.key === "k" && !document.querySelector("dialog[open]")) {
        focus(e, document.querySelector("#jump"));
        return;
      }
      if (e.ctrlKey || e.metaKey || e.altKey || isTyping(e) || document.querySelector("dialog[open]")) return;
      if (e.key === "?") {
        e.preventDefault();
        setHelp(true);
      } else if (e.key === "/") {
        // A view's own search box comes first, then the jump box of the header.
        focus(e, document.querySelector("[data-search]") ?? document.querySelector("#jump"));
      } else if (e.key === "g") {
        prefix.current = Date.now();
      } else if (Date.now() - prefix.current < 1000) {
        const to = NAV.find((row) => row[3] === e.key)?.[0];
        if (!to) return;
        e.preventDefault();
        e.stopImmediatePropagation();
        prefix.current = 0;
        /** @type {HTMLAnchorElement | null} */ (document.querySelector(`nav a[href="${to}"]`))?.click();
      }
    };
    addEventListener("keydown", onKey, true);
    return () => removeEventListener("keydown", onKey, true);
  }, []);

  const shown = NAV.filter(([to]) => to !== "/admin" || session.role === "admin");
  const leave = () => {
    forgetAll();
    void signOut();
  };

  return html`<a class="skip" href="#main">${t.skip}</a>
    <header class="shell-header">
      <div class="shell-bar">
        <a class="brand" href="/" aria-label=${t.home}>
          <svg width="20" height="20" viewBox="0 0 32 32" aria-hidden="true">
            <rect width="32" height="32" rx="7" class="brand-ground" />
            <path class="brand-bars" d="M6 18h4v8H6zM12 14h4v12h-4zM18 16h4v10h-4zM24 6h4v20h-4z" />
          </svg>
          <span>${t.brand}</span>
        </a>
        <nav aria-label=${t.main} ref=${bar}>
          ${shown.map(
            ([to, label, views]) => html`<a
              href=${to}
              aria-current=${views.split(" ").includes(view) ? "page" : undefined}
              >${label}</a
            >`,
          )}
        </nav>
        <div class="shell-side">
          <${Jump} />
          <button class="icon-button" type="button" title=${t.keysHint} aria-label=${t.keys} onClick=${() => setHelp(true)}>
            <span aria-hidden="true">?</span>
          </button>
          <${ThemeButton} />
          <a class="who" href="/account" title=${t.account(session.role)}><${Name} value=${session.name} length=${20} /></a>
          ${session.kind === "proxy" ? null : html`<button class="button button-small button-quiet" type="button" onClick=${leave}>${t.signOut}</button>`}
        </div>
      </div>
    </header>
    <${LinkState} />
    <main class="main" id="main" tabindex="-1">${children}</main>
    <${Help} open=${help} view=${view} going=${shown.map((row) => [row[3], row[1]])} onClose=${() => setHelp(false)} />
    <${Said} />`;
}
