// For admins: people, tokens, enroll secrets, and the log of changes.
import { html, useState } from "../lib/ui.js";
import { useTitle } from "../lib/title.js";
import { request } from "../lib/api.js";
import { useList } from "../lib/lists.js";
import { href, search, setQuery } from "../lib/router.js";
import { count, rfc3339, UNKNOWN } from "../lib/format.js";
import { visible } from "../lib/text.js";
import { Table } from "../components/table.js";
import { SearchBox } from "../components/search.js";
import { Select } from "../components/select.js";
import { Name, Time } from "../components/names.js";
import { Empty, Load } from "../components/states.js";
import { More } from "../components/more.js";
import { Choice, Dialog, Field, Form, SecretDialog } from "../components/dialog.js";

const TABS = [["users", "People"], ["tokens", "Tokens"], ["enroll-secrets", "Enroll secrets"], ["audit", "Log of changes"]];
const ROLES = [["viewer", "viewer: reads"], ["operator", "operator: reads, changes findings"], ["admin", "admin: everything"]];
const TOKEN_ROLES = [["viewer", "viewer: reads"], ["ingest", "ingest: posts snapshots"], ["operator", "operator: reads, changes findings"], ["admin", "admin: everything"]];
const LIFETIMES = [["", "never"], ["30", "in 30 days"], ["90", "in 90 days"], ["365", "in a year"]];
const json = JSON.stringify;
const ahead = (/** @type {string} */ days) => (days ? rfc3339(Date.now() + Number(days) * 86400000) : null);
const moment = (/** @type {string | null} */ t) => (t ? html`<${Time} value=${t} />` : html`<span class="muted">never</span>`);
const state = (/** @type {string} */ s) => html`<span class=${"badge" + (s === "active" ? " badge-ok" : "")}>${s}</span>`;

/**
 * A list with its tool bar, and dialogs that change it.
 * @param {{ path: string, route: import("../lib/router.js").Route, sort: string, caption: string, columns: import("../components/table.js").Column[],
 *           tools?: any, none: string, searchable?: boolean, query?: Record<string, string>, list: ReturnType<typeof useList> }} props
 */
function Rows({ path, route, sort: usual, caption, columns, tools, none, searchable = true, query = {}, list }) {
  const sort = route.query.get("sort") ?? usual;
  const q = route.query.get("q") ?? "";
  return html`<div class="toolbar">
      ${searchable ? html`<${SearchBox} label=${"Search " + caption.toLowerCase()} value=${q} onSearch=${(/** @type {string} */ v) => setQuery({ q: v })} />` : null}
      ${tools}
    </div>
    <${Load} resource=${list.resource} render=${(/** @type {List<any>} */ data) =>
      list.items.length
        ? html`<section class="panel panel-flush">
            <${Table} caption=${caption} columns=${columns} rows=${list.items} rowKey=${(/** @type {any} */ r) => String(r.id)} sort=${sort}
              onSort=${(/** @type {string} */ s) => setQuery({ sort: s === usual ? null : s })} compact />
            <${More} shown=${list.items.length} total=${data.total} more=${list.more} busy=${list.busy} error=${list.error} what=${caption.toLowerCase()} />
          </section>`
        : html`<${Empty} title=${q || Object.values(query).some(Boolean) ? "Nothing matches" : none}>${q ? html`<a href=${path}>Show all</a>` : null}<//>`} />`;
}

/** @param {import("../lib/router.js").Route} route @param {string} path @param {string} usual @param {Record<string, string>} [more] */
function useRows(route, path, usual, more = {}) {
  return useList(path + search({ q: route.query.get("q") ?? "", sort: route.query.get("sort") ?? usual, limit: 100, ...more }));
}

/** @param {{ onClose: () => void, onDone: () => void }} props */
function AddUser({ onClose, onDone }) {
  const [name, setName] = useState("");
  const [role, setRole] = useState("viewer");
  const [password, setPassword] = useState("");
  const [error, setError] = useState(/** @type {any} */ (null));
  const send = async () => {
    await request("/users", { method: "POST", body: json({ name: name.trim(), role, password: password || null }) });
    onDone();
  };
  return html`<${Dialog} title="Add a person" onClose=${onClose}>
    <${Form} submit="Add" onSubmit=${send} onError=${setError} onCancel=${onClose} fields=${["name", "password"]}>
      <${Field} id="new-name" label="Name" name="name" value=${name} onInput=${setName} error=${error} focus />
      <${Choice} id="new-role" label="Role" value=${role} options=${ROLES} onChange=${setRole} />
      <${Field} id="new-password" label="First password" name="password" type="password" value=${password} onInput=${setPassword} error=${error} autocomplete="new-password" required=${false}
        hint="At least 10 characters; they can change it. Empty: sign-on by a proxy only." />
    <//>
  <//>`;
}

/** @param {{ user: any, own: boolean, onClose: () => void, onDone: () => void }} props */
function EditUser({ user, own, onClose, onDone }) {
  const [role, setRole] = useState(user.role);
  const [disabled, setDisabled] = useState(user.disabled);
  const [password, setPassword] = useState("");
  const [removing, setRemoving] = useState(false);
  const [error, setError] = useState(/** @type {any} */ (null));
  const path = href(["users", String(user.id)]);
  const save = async () => {
    /** @type {Record<string, any>} */
    const change = {};
    if (role !== user.role) change.role = role;
    if (disabled !== user.disabled) change.disabled = disabled;
    if (password) change.password = password;
    if (Object.keys(change).length > 0) {
      await request(path, { method: "PATCH", body: json(change), headers: { "if-match": `"v${user.version}"` } });
    }
    onDone();
  };
  const remove = async () => {
    await request(path, { method: "DELETE" });
    onDone();
  };
  if (removing) {
    return html`<${Dialog} key="remove" title="Remove this account?" onClose=${onClose}>
      <${Form} submit="Remove" danger onSubmit=${remove} onCancel=${onClose}>
        <p><b><${Name} value=${user.name} /></b> is signed out everywhere and can not sign in again. What they did stays in the log.</p>
      <//>
    <//>`;
  }
  return html`<${Dialog} key="edit" title=${visible(user.name)} onClose=${onClose}>
    <${Form} submit="Save" onSubmit=${save} onError=${setError} onCancel=${onClose} fields=${["password"]}>
      <${Choice} id="edit-role" label="Role" value=${role} options=${ROLES} onChange=${setRole} />
      <${Field} id="edit-password" label="New password" name="password" type="password" value=${password} onInput=${setPassword} error=${error} autocomplete="new-password" required=${false}
        hint="Empty: as it is. A new one ends all their sessions." />
      <label class="check"><input type="checkbox" checked=${disabled} onChange=${(/** @type {any} */ e) => setDisabled(e.target.checked)} /> Disabled: signed out, and refused from now on</label>
      ${own ? html`<p class="muted small">This is your own account.</p>` : null}
      ${error?.status === 412 ? html`<p class="muted small">Close, look at what changed, and try again.</p>` : null}
    <//>
    <p><button class="button button-small button-quiet" type="button" onClick=${() => setRemoving(true)}>Remove this account\u2026</button></p>
  <//>`;
}

/** @param {{ route: import("../lib/router.js").Route, session: Session }} props */
function Users({ route, session }) {
  const list = useRows(route, "/users", "name");
  const [open, setOpen] = useState(/** @type {any} */ (null));
  const close = () => setOpen(null);
  const done = () => {
    close();
    list.resource.reload();
  };
  /** @type {import("../components/table.js").Column[]} */
  const columns = [
    { key: "name", label: "Name", sort: "name", cell: (u) => html`<${Name} value=${u.name} length=${48} />` },
    { key: "role", label: "Role", sort: "role", cell: (u) => u.role },
    { key: "state", label: "State", cell: (u) => state(u.disabled ? "disabled" : u.has_password ? "active" : "by proxy only") },
    { key: "sessions", label: "Sessions", sort: "sessions", number: true, cell: (u) => count(u.sessions) },
    { key: "last", label: "Last sign-in", sort: "last_sign_in_at", class: "nowrap", cell: (u) => moment(u.last_sign_in_at) },
    { key: "created", label: "Created", sort: "created_at", class: "nowrap", cell: (u) => moment(u.created_at) },
    { key: "edit", label: "Change", cell: (u) => html`<button class="button button-small" type="button" aria-label=${"Change " + visible(u.name)} onClick=${() => setOpen(u)}>Change\u2026</button>` },
  ];
  return html`<${Rows} path="/admin/users" route=${route} list=${list} sort="name" caption="People" columns=${columns} none="Nobody has an account yet"
      tools=${html`<button class="button button-primary" type="button" onClick=${() => setOpen("new")}>Add a person</button>`} />
    ${open === "new" ? html`<${AddUser} onClose=${close} onDone=${done} />` : open ? html`<${EditUser} user=${open} own=${session.kind === "user" && open.name === session.name} onClose=${close} onDone=${done} />` : null}`;
}

/** @param {{ what: string, path: string, item: any, note: string, onClose: () => void, onDone: () => void }} props */
function Revoke({ what, path, item, note, onClose, onDone }) {
  const send = async () => {
    await request(path + "/" + item.id, { method: "DELETE" });
    onDone();
  };
  return html`<${Dialog} title=${`Revoke this ${what}?`} onClose=${onClose}>
    <${Form} submit="Revoke" danger onSubmit=${send} onCancel=${onClose}><p><b><${Name} value=${item.name} /></b> ${note}</p><//>
  <//>`;
}

/** @param {{ onClose: () => void, onMade: (made: any) => void }} props */
function AddToken({ onClose, onMade }) {
  const [name, setName] = useState("");
  const [role, setRole] = useState("viewer");
  const [days, setDays] = useState("90");
  const [error, setError] = useState(/** @type {any} */ (null));
  const send = async () => onMade((await request("/tokens", { method: "POST", body: json({ name: name.trim(), role, expires_at: ahead(days) }) })).body);
  return html`<${Dialog} title="Make a token" onClose=${onClose}>
    <${Form} submit="Make" onSubmit=${send} onError=${setError} onCancel=${onClose} fields=${["name"]}>
      <${Field} id="new-name" label="What it is for" name="name" value=${name} onInput=${setName} error=${error} focus />
      <${Choice} id="new-role" label="Role" value=${role} options=${TOKEN_ROLES} onChange=${setRole} />
      <${Choice} id="new-days" label="Expires" value=${days} options=${LIFETIMES} onChange=${setDays} />
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
  return html`<${Dialog} title="Make an enroll secret" onClose=${onClose}>
    <${Form} submit="Make" onSubmit=${send} onError=${setError} onCancel=${onClose} fields=${["name", "max_uses"]}>
      <${Field} id="new-name" label="Name" name="name" value=${name} onInput=${setName} error=${error} focus hint="Several are valid at once: make a new one, roll it out, revoke the old." />
      <${Field} id="new-uses" label="Hosts it may enroll" name="max_uses" type="number" min=${1} value=${uses} onInput=${setUses} error=${error} required=${false} hint="Empty: any number." />
      <${Choice} id="new-days" label="Expires" value=${days} options=${LIFETIMES} onChange=${setDays} />
    <//>
  <//>`;
}

/**
 * Tokens and enroll secrets are handled alike.
 * @param {{ route: import("../lib/router.js").Route, kind: typeof SECRETS.tokens }} props
 */
function Secrets({ route, kind }) {
  const now = route.query.get("state") ?? "active";
  const role = route.query.get("role") ?? "";
  const filters = { state: now === "all" ? "" : now, ...(kind.roles ? { role } : {}) };
  const list = useRows(route, kind.path, "-created_at", filters);
  const [open, setOpen] = useState(/** @type {any} */ (null));
  const close = () => setOpen(null);
  const done = () => {
    close();
    list.resource.reload();
  };
  const columns = [...kind.columns,
    { key: "revoke", label: "Revoke", cell: (/** @type {any} */ t) => (t.state === "revoked" ? html`<span class="unknown">${UNKNOWN}</span>` : html`<button class="button button-small" type="button" aria-label=${"Revoke " + visible(t.name)} onClick=${() => setOpen({ revoke: t })}>Revoke\u2026</button>`) }];
  return html`<${Rows} path=${"/admin" + kind.path} route=${route} list=${list} sort="-created_at" caption=${kind.caption} columns=${columns} none=${kind.none} query=${filters}
      tools=${html`<${Select} label="State" value=${now} options=${kind.states} onChange=${(/** @type {string} */ v) => setQuery({ state: v === "active" ? null : v })} />
        ${kind.roles ? html`<${Select} label="Role" value=${role} options=${kind.roles} onChange=${(/** @type {string} */ v) => setQuery({ role: v })} />` : null}
        <button class="button button-primary" type="button" onClick=${() => setOpen("new")}>${kind.add}</button>`} />
    ${open === "new" ? html`<${kind.Add} onClose=${close} onMade=${(/** @type {any} */ made) => setOpen({ made })} />` : null}
    ${open?.made ? html`<${SecretDialog} title=${kind.made} secret=${open.made.token ?? open.made.secret} what=${kind.use} onClose=${done} />` : null}
    ${open?.revoke ? html`<${Revoke} what=${kind.what} path=${kind.path} item=${open.revoke} note=${kind.note} onClose=${close} onDone=${done} />` : null}`;
}

const NAME = { key: "name", label: "Name", sort: "name", cell: (/** @type {any} */ t) => html`<${Name} value=${t.name} length=${48} />` };
const STATE = { key: "state", label: "State", sort: "state", cell: (/** @type {any} */ t) => state(t.state) };
const TIMES = [["last_used_at", "Last used"], ["expires_at", "Expires"], ["created_at", "Created"]]
  .map(([key, label]) => ({ key, label, sort: key, class: "nowrap", cell: (/** @type {any} */ t) => moment(t[key]) }));
const SECRETS = {
  tokens: {
    path: "/tokens", caption: "Tokens", what: "token", none: "No token is active", add: "Make a token", Add: AddToken, made: "The new token",
    use: "Send it as Authorization: Bearer.", note: "Whatever uses it is refused at once, and sessions that were opened with it end.",
    states: [["active", "active"], ["expired", "expired"], ["revoked", "revoked"], ["all", "all"]],
    roles: [["", "all"], ["host", "host"], ["ingest", "ingest"], ["viewer", "viewer"], ["operator", "operator"], ["admin", "admin"]],
    columns: [NAME, { key: "role", label: "Role", sort: "role", cell: (/** @type {any} */ t) => t.role }, STATE, ...TIMES],
  },
  "enroll-secrets": {
    path: "/enroll-secrets", caption: "Enroll secrets", what: "enroll secret", none: "No enroll secret is active", add: "Make an enroll secret", Add: AddSecret, made: "The new enroll secret",
    use: "Give it to the agents as ENROLLSECRET.", note: "No host can enroll with it any more. Hosts that did stay.",
    states: [["active", "active"], ["used up", "used up"], ["expired", "expired"], ["revoked", "revoked"], ["all", "all"]],
    roles: /** @type {string[][] | null} */ (null),
    columns: [NAME, STATE, { key: "uses", label: "Uses", sort: "uses", number: true, cell: (/** @type {any} */ t) => (t.max_uses === null ? count(t.uses) : `${count(t.uses)} of ${count(t.max_uses)}`) }, ...TIMES],
  },
};

/** @type {Record<string, string>} */
const WHO = { user: "", token: "token", proxy: "by proxy", cli: "command line", setup: "first start" };

/** @param {{ route: import("../lib/router.js").Route }} props */
function Audit({ route }) {
  const action = route.query.get("action") ?? "";
  const list = useList("/audit" + search({ action, limit: 100, sort: route.query.get("sort") ?? "-id" }));
  const columns = [
    { key: "at", label: "When", sort: "at", class: "nowrap", cell: (/** @type {any} */ e) => html`<${Time} value=${e.at} />` },
    { key: "actor", label: "Who", sort: "actor", cell: (/** @type {any} */ e) => html`<${Name} value=${e.actor} length=${40} /> <small class="muted">${WHO[e.actor_kind] ?? e.actor_kind}</small>` },
    { key: "address", label: "From", sort: "address", cell: (/** @type {any} */ e) => html`<${Name} value=${e.address} length=${45} />` },
    { key: "action", label: "Did", sort: "action", class: "nowrap", cell: (/** @type {any} */ e) => html`<code>${visible(e.action)}</code>` },
    { key: "object", label: "What", sort: "object", cell: (/** @type {any} */ e) => html`<${Name} value=${e.object} length=${48} />` },
    { key: "detail", label: "Detail", cell: (/** @type {any} */ e) => (e.detail ? html`<small>${Object.entries(e.detail).filter(([, v]) => v !== null).map(([k, v], i) => html`${i ? ", " : ""}${visible(k)}: <${Name} value=${String(v)} length=${40} />`)}</small>` : html`<span class="unknown">${UNKNOWN}</span>`) },
  ];
  return html`<${Rows} path="/admin/audit" route=${route} list=${list} sort="-id" caption="Changes" columns=${columns} none="Nothing was changed yet" searchable=${false} query=${{ action }}
    tools=${html`<${Select} label="Of" value=${action} options=${[["", "everything"], ["user", "people"], ["session", "sign-ins"], ["token", "tokens"], ["enroll_secret", "enroll secrets"], ["finding", "findings"], ["tags", "tag lists"]]} onChange=${(/** @type {string} */ v) => setQuery({ action: v })} />
      <a class="button" download href=${"/api/v1/audit" + search({ action })}>Download</a>`} />`;
}

/** @param {{ route: import("../lib/router.js").Route, session: Session }} props */
export default function Admin({ route, session }) {
  const tab = route.params.tab ?? "users";
  const title = TABS.find(([key]) => key === tab)?.[1];
  useTitle(title ? `${title} \u00b7 Admin` : "Admin");
  if (session.role !== "admin") {
    return html`<div class="page"><h1 tabindex="-1">Admin</h1><${Empty} title="This needs the role admin">You are signed in as ${session.role}.<//></div>`;
  }
  return html`<div class="page">
    <div class="page-head"><h1 tabindex="-1">Admin</h1></div>
    <nav class="tabs" aria-label="Admin">
      ${TABS.map(([key, label]) => html`<a key=${key} href=${"/admin/" + key} aria-current=${key === tab ? "page" : undefined}>${label}</a>`)}
    </nav>
    ${tab === "users" ? html`<${Users} key="users" route=${route} session=${session} />`
      : tab === "audit" ? html`<${Audit} key="audit" route=${route} />`
      : tab === "tokens" || tab === "enroll-secrets" ? html`<${Secrets} key=${tab} route=${route} kind=${SECRETS[tab]} />`
      : html`<${Empty} title="Nothing is at this address"><a href="/admin">Go to people</a><//>`}
  </div>`;
}
