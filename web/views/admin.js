// For admins: the server and what it keeps, people and secrets, who is told, lists, the log of changes.
import { html, useEffect, useRef } from "../lib/ui.js";
import { useCurrentInSight } from "../lib/current_in_sight.js";
import { en } from "../lib/en.js";
import { useTitle } from "../lib/title.js";
import { navigate } from "../lib/router.js";
import { isTyping } from "../components/shell.js";
import { Empty } from "../components/states.js";
import { Audit } from "./admin/audit.js";
import { Known } from "./admin/known.js";
import { Notify } from "./admin/notify.js";
import { Secrets } from "./admin/secrets.js";
import { Server } from "./admin/server.js";
import { Storage } from "./admin/storage.js";
import { TagLists } from "./admin/tag_lists.js";
import { Users } from "./admin/users.js";

const t = en.admin;

/** Address, name, screen. @type {[string, string, any, Record<string, any>?][]} */
const TABS = [
  ["users", t.tabs.users, Users], ["tokens", t.tabs.tokens, Secrets, { kind: "tokens" }], ["enroll-secrets", t.tabs.enroll, Secrets, { kind: "enroll-secrets" }],
  ["notify", t.tabs.notify, Notify], ["tag-lists", t.tabs.tags, TagLists], ["known-leaks", t.tabs.known, Known],
  ["storage", t.tabs.storage, Storage], ["server", t.tabs.server, Server], ["audit", t.tabs.audit, Audit],
];

/** [ and ] go to the tab before and after: of the address, for keys may come faster than drawing. */
function useTabKeys() {
  useEffect(() => {
    const onKey = (/** @type {KeyboardEvent} */ e) => {
      const step = e.key === "[" ? -1 : e.key === "]" ? 1 : 0;
      if (!step || e.ctrlKey || e.metaKey || isTyping(e) || document.querySelector("dialog[open]")) return;
      const tab = location.pathname.split("/")[2] ?? TABS[0][0];
      const at = TABS.findIndex(([key]) => key === tab);
      navigate("/admin/" + TABS[(at + step + TABS.length) % TABS.length][0]);
    };
    addEventListener("keydown", onKey);
    return () => removeEventListener("keydown", onKey);
  }, []);
}

/** @param {{ route: import("../lib/router.js").Route, session: Session }} props */
export default function Admin({ route, session }) {
  const tab = route.params.tab ?? "users";
  const found = TABS.find(([key]) => key === tab);
  useTitle(found ? `${found[1]} \u00b7 ${t.title}` : t.title);
  useTabKeys();
  const bar = useRef(/** @type {HTMLElement | null} */ (null));
  useCurrentInSight(bar, tab);
  if (session.role !== "admin") {
    return html`<div class="page"><h1 tabindex="-1">${t.title}</h1><${Empty} title=${en.shell.forbidden(t.roles.admin)}>${en.shell.signedInAs(/** @type {Record<string, string>} */ (t.roles)[session.role] ?? session.role)}<//></div>`;
  }
  const View = found?.[2];
  return html`<div class="page admin">
    <div class="page-head"><h1 tabindex="-1">${t.title}</h1></div>
    <nav class="tabs" aria-label=${t.title} ref=${bar}>
      ${TABS.map(([key, label]) => html`<a key=${key} href=${"/admin/" + key} aria-current=${key === tab ? "page" : undefined}>${label}</a>`)}
    </nav>
    ${View ? html`<${View} key=${tab} route=${route} session=${session} ...${found[3] ?? {}} />` : html`<${Empty} title=${t.noSuchTab}><a href="/admin">${t.toFirst}</a><//>`}
  </div>`;
}
