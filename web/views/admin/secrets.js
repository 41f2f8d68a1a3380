// Tokens and enroll secrets: made here and shown once, revoked, never shown again.
import { html, useState } from "../../lib/ui.js";
import { request } from "../../lib/api.js";
import { en } from "../../lib/en.js";
import { fill } from "../../lib/fill.js";
import { count, UNKNOWN } from "../../lib/format.js";
import { setQuery } from "../../lib/router.js";
import { visible } from "../../lib/text.js";
import { Name } from "../../components/names.js";
import { Select } from "../../components/select.js";
import { Choice, Dialog, Field, Form, SecretDialog } from "../../components/dialog.js";
import { LIFETIMES, Rows, TOKEN_ROLES, afterChange, ahead, json, moment, role as roleText, state, useRows } from "./rows.js";

const t = en.admin;
const s = t.secrets;

/** @param {{ words: any, path: string, item: any, onClose: () => void, onDone: (said: string) => void }} props */
function Revoke({ words, path, item, onClose, onDone }) {
  const send = async () => {
    await request(path + "/" + item.id, { method: "DELETE" });
    onDone(t.said.revoked(visible(item.name)));
  };
  return html`<${Dialog} title=${words.revokeTitle} onClose=${onClose}>
    <${Form} submit=${s.revoke} danger onSubmit=${send} onCancel=${onClose}><p>${fill(words.revokeSays, { name: html`<b><${Name} value=${item.name} /></b>` })}</p><//>
  <//>`;
}

/** @param {{ onClose: () => void, onMade: (made: any) => void }} props */
function AddToken({ onClose, onMade }) {
  const [name, setName] = useState("");
  const [role, setRole] = useState("viewer");
  const [days, setDays] = useState("90");
  const [error, setError] = useState(/** @type {any} */ (null));
  const send = async () => onMade((await request("/tokens", { method: "POST", body: json({ name: name.trim(), role, expires_at: ahead(days) }) })).body);
  return html`<${Dialog} title=${s.tokens.addTitle} onClose=${onClose}>
    <${Form} submit=${s.make} onSubmit=${send} onError=${setError} onCancel=${onClose} fields=${["name"]}>
      <${Field} id="new-name" label=${s.tokens.what} name="name" value=${name} onInput=${setName} error=${error} focus />
      <${Choice} id="new-role" label=${t.role} value=${role} options=${TOKEN_ROLES} onChange=${setRole} />
      <${Choice} id="new-days" label=${s.expires} value=${days} options=${LIFETIMES} onChange=${setDays} />
    <//>
  <//>`;
}

/** @param {{ onClose: () => void, onMade: (made: any) => void }} props */
function AddSecret({ onClose, onMade }) {
  const [name, setName] = useState("");
  const [uses, setUses] = useState("");
  const [days, setDays] = useState("90");
  const [error, setError] = useState(/** @type {any} */ (null));
  const send = async () => onMade((await request("/enroll-secrets", { method: "POST", body: json({ name: name.trim(), expires_at: ahead(days), max_uses: uses ? Number(uses) : null }) })).body);
  return html`<${Dialog} title=${s.enroll.addTitle} onClose=${onClose}>
    <${Form} submit=${s.make} onSubmit=${send} onError=${setError} onCancel=${onClose} fields=${["name", "max_uses"]}>
      <${Field} id="new-name" label=${t.name} name="name" value=${name} onInput=${setName} error=${error} focus hint=${s.enroll.nameHint} />
      <${Field} id="new-uses" label=${s.enroll.most} name="max_uses" type="number" min=${1} value=${uses} onInput=${setUses} error=${error} required=${false} hint=${s.enroll.mostHint} />
      <${Choice} id="new-days" label=${s.expires} value=${days} options=${LIFETIMES} onChange=${setDays} />
    <//>
  <//>`;
}

const NAME = { key: "name", label: t.name, sort: "name", cell: (/** @type {any} */ r) => html`<${Name} value=${r.name} length=${48} />` };
const STATE = { key: "state", label: t.state, sort: "state", cell: (/** @type {any} */ r) => state(r.state) };
const TIMES = [["last_used_at", s.lastUsed], ["expires_at", s.expires], ["created_at", s.created]]
  .map(([key, label]) => ({ key, label, sort: key, class: "nowrap", cell: (/** @type {any} */ r) => moment(r[key]) }));
const KINDS = {
  tokens: {
    path: "/tokens", words: s.tokens, Add: AddToken, states: ["active", "expired", "revoked", "all"],
    roles: /** @type {string[] | null} */ (["host", "ingest", "viewer", "operator", "admin"]),
    columns: [NAME, { key: "role", label: t.role, sort: "role", cell: (/** @type {any} */ r) => roleText(r.role) }, STATE, ...TIMES],
  },
  "enroll-secrets": {
    path: "/enroll-secrets", words: s.enroll, Add: AddSecret, states: ["active", "used up", "expired", "revoked", "all"], roles: null,
    columns: [NAME, STATE, { key: "uses", label: s.uses, sort: "uses", number: true, cell: (/** @type {any} */ r) => (r.max_uses === null ? count(r.uses) : s.usesOf(count(r.uses), count(r.max_uses))) }, ...TIMES],
  },
};

/** @param {{ route: import("../../lib/router.js").Route, kind: "tokens" | "enroll-secrets" }} props */
export function Secrets({ route, kind: name }) {
  const kind = KINDS[name];
  const now = route.query.get("state") ?? "active";
  const role = route.query.get("role") ?? "";
  /** @type {Record<string, string>} */
  const filters = { state: now === "all" ? "" : now, ...(kind.roles ? { role } : {}) };
  const list = useRows(route, kind.path, "-created_at", filters);
  const [open, setOpen] = useState(/** @type {any} */ (null));
  const close = () => setOpen(null);
  const done = afterChange(list, close);
  const columns = [...kind.columns,
    { key: "revoke", label: s.revoke, class: "end no-print", cell: (/** @type {any} */ r) => (r.state === "revoked" ? html`<span class="unknown">${UNKNOWN}</span>` : html`<button class="button button-small" type="button" aria-label=${s.revokeOf(visible(r.name))} onClick=${() => setOpen({ revoke: r })}>${s.revokeButton}</button>`) }];
  const states = kind.states.map((v) => [v, /** @type {Record<string, string>} */ (t.states)[v]]);
  const roles = kind.roles && [["", t.roles.all], ...kind.roles.map((v) => [v, roleText(v)])];
  return html`<${Rows} path=${"/admin" + kind.path} route=${route} list=${list} sort="-created_at" caption=${kind.words.caption} columns=${columns} none=${kind.words.none} filtered=${now !== "active" || role !== ""}
      tools=${html`<${Select} label=${t.state} value=${now} options=${states} onChange=${(/** @type {string} */ v) => setQuery({ state: v === "active" ? null : v })} />
        ${roles ? html`<${Select} label=${t.role} value=${role} options=${roles} onChange=${(/** @type {string} */ v) => setQuery({ role: v })} />` : null}
        <button class="button button-primary push" type="button" onClick=${() => setOpen("new")}>${kind.words.add}</button>`} />
    ${open === "new" ? html`<${kind.Add} onClose=${close} onMade=${(/** @type {any} */ made) => setOpen({ made })} />` : null}
    ${open?.made ? html`<${SecretDialog} title=${kind.words.made} secret=${open.made.token ?? open.made.secret} what=${kind.words.use} onClose=${() => done(t.said.added(visible(open.made.name)))} />` : null}
    ${open?.revoke ? html`<${Revoke} words=${kind.words} path=${kind.path} item=${open.revoke} onClose=${close} onDone=${done} />` : null}`;
}
