// People: accounts with their roles.
import { html, useState } from "../../lib/ui.js";
import { request } from "../../lib/api.js";
import { en } from "../../lib/en.js";
import { fill } from "../../lib/fill.js";
import { count } from "../../lib/format.js";
import { href } from "../../lib/router.js";
import { visible } from "../../lib/text.js";
import { Name } from "../../components/names.js";
import { Choice, Dialog, Field, Form } from "../../components/dialog.js";
import { ROLES, Rows, afterChange, json, moment, role as roleText, state, useRows } from "./rows.js";

const t = en.admin;
const u = t.users;

/** @param {{ onClose: () => void, onDone: (said: string) => void }} props */
function AddUser({ onClose, onDone }) {
  const [name, setName] = useState("");
  const [role, setRole] = useState("viewer");
  const [password, setPassword] = useState("");
  const [error, setError] = useState(/** @type {any} */ (null));
  const send = async () => {
    await request("/users", { method: "POST", body: json({ name: name.trim(), role, password: password || null }) });
    onDone(t.said.added(visible(name.trim())));
  };
  return html`<${Dialog} title=${u.addTitle} onClose=${onClose}>
    <${Form} submit=${u.submit} onSubmit=${send} onError=${setError} onCancel=${onClose} fields=${["name", "password"]}>
      <${Field} id="new-name" label=${t.name} name="name" value=${name} onInput=${setName} error=${error} focus />
      <${Choice} id="new-role" label=${t.role} value=${role} options=${ROLES} onChange=${setRole} />
      <${Field} id="new-password" label=${u.firstPassword} name="password" type="password" value=${password} onInput=${setPassword} error=${error} autocomplete="new-password" required=${false}
        hint=${u.firstHint} />
    <//>
  <//>`;
}

/** @param {{ user: any, own: boolean, onClose: () => void, onDone: (said: string) => void }} props */
function EditUser({ user: first, own, onClose, onDone }) {
  const [user, setUser] = useState(first);
  const [role, setRole] = useState(first.role);
  const [disabled, setDisabled] = useState(first.disabled);
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
    onDone(t.said.saved(visible(user.name)));
  };
  const collide = async () => {
    const now = (await request(path)).body;
    setUser(now);
    return [
      ...(now.role !== role ? [{ label: t.role, now: roleText(now.role), yours: roleText(role) }] : []),
      ...(now.disabled !== disabled ? [{ label: t.state, now: state(now.disabled ? "disabled" : "active"), yours: state(disabled ? "disabled" : "active") }] : []),
    ];
  };
  const remove = async () => {
    await request(path, { method: "DELETE" });
    onDone(t.said.removed(visible(user.name)));
  };
  if (removing) {
    return html`<${Dialog} key="remove" title=${u.removeTitle} onClose=${onClose}>
      <${Form} submit=${t.remove} danger onSubmit=${remove} onCancel=${onClose}>
        <p>${fill(u.removeSays, { name: html`<b><${Name} value=${user.name} /></b>` })}</p>
      <//>
    <//>`;
  }
  return html`<${Dialog} key="edit" title=${html`<${Name} value=${user.name} length=${60} />`} onClose=${onClose}>
    <${Form} submit=${t.save} onSubmit=${save} onError=${setError} onCancel=${onClose} onCollide=${collide} fields=${["password"]}>
      <${Choice} id="edit-role" label=${t.role} value=${role} options=${ROLES} onChange=${setRole} />
      <${Field} id="edit-password" label=${u.newPassword} name="password" type="password" value=${password} onInput=${setPassword} error=${error} autocomplete="new-password" required=${false}
        hint=${u.newHint} />
      <label class="check"><input type="checkbox" checked=${disabled} onChange=${(/** @type {any} */ e) => setDisabled(e.target.checked)} /> ${u.disabled}</label>
      ${own ? html`<p class="muted small">${u.own}</p>` : null}
    <//>
    <p class="dialog-foot"><button class="button button-small button-quiet" type="button" onClick=${() => setRemoving(true)}>${u.removeAccount}</button></p>
  <//>`;
}

/** @param {{ route: import("../../lib/router.js").Route, session: Session }} props */
export function Users({ route, session }) {
  const list = useRows(route, "/users", "name");
  const [open, setOpen] = useState(/** @type {any} */ (null));
  const close = () => setOpen(null);
  const done = afterChange(list, close);
  /** @type {import("../../components/table.js").Column[]} */
  const columns = [
    { key: "name", label: t.name, sort: "name", cell: (r) => html`<${Name} value=${r.name} length=${48} />` },
    { key: "role", label: t.role, sort: "role", cell: (r) => roleText(r.role) },
    { key: "state", label: t.state, cell: (r) => state(r.disabled ? "disabled" : r.has_password ? "active" : "proxy") },
    { key: "sessions", label: u.sessions, sort: "sessions", number: true, cell: (r) => count(r.sessions) },
    { key: "last", label: u.lastSignIn, sort: "last_sign_in_at", class: "nowrap", cell: (r) => moment(r.last_sign_in_at) },
    { key: "created", label: u.created, sort: "created_at", class: "nowrap", cell: (r) => moment(r.created_at) },
    { key: "edit", label: t.change, class: "end no-print", cell: (r) => html`<button class="button button-small" type="button" aria-label=${t.changeOf(visible(r.name))} onClick=${() => setOpen(r)}>${t.changeButton}</button>` },
  ];
  return html`<${Rows} path="/admin/users" route=${route} list=${list} sort="name" caption=${u.caption} columns=${columns} none=${u.none}
      tools=${html`<button class="button button-primary push" type="button" onClick=${() => setOpen("new")}>${u.add}</button>`} />
    ${open === "new" ? html`<${AddUser} onClose=${close} onDone=${done} />` : open ? html`<${EditUser} user=${open} own=${session.kind === "user" && open.name === session.name} onClose=${close} onDone=${done} />` : null}`;
}
