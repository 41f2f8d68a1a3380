// One's own account: who one is, a new password, the end of all sessions.
import { html, useState } from "../lib/ui.js";
import { request, signedOut } from "../lib/api.js";
import { en } from "../lib/en.js";
import { fill } from "../lib/fill.js";
import { forgetAll } from "../lib/resource.js";
import { useTitle } from "../lib/title.js";
import { Field, Form } from "../components/dialog.js";
import { Name, Time } from "../components/names.js";

const t = en.account;
const KIND = /** @type {Record<string, string>} */ (t.kinds);

function Password() {
  const [current, setCurrent] = useState("");
  const [password, setPassword] = useState("");
  const [again, setAgain] = useState("");
  const [error, setError] = useState(/** @type {any} */ (null));
  const [done, setDone] = useState(false);
  const send = async () => {
    setDone(false);
    if (password !== again) throw Object.assign(new Error(), { field: "again", title: t.notTheSame });
    await request("/session/password", { method: "POST", body: JSON.stringify({ current, password }) });
    setCurrent("");
    setPassword("");
    setAgain("");
    setDone(true);
  };
  return html`<section class="panel pad-all" aria-labelledby="password-title">
    <h2 id="password-title">${t.password}</h2>
    <${Form} submit=${t.change} onSubmit=${send} onError=${setError} fields=${["current", "password", "again"]}>
      <${Field} label=${t.current} name="current" type="password" value=${current} onInput=${setCurrent} error=${error} autocomplete="current-password" />
      <${Field} label=${t.next} name="password" type="password" value=${password} onInput=${setPassword} error=${error} autocomplete="new-password" hint=${t.hint} />
      <${Field} label=${t.again} name="again" type="password" value=${again} onInput=${setAgain} error=${error} autocomplete="new-password" />
    <//>
    <p role="status">${done ? t.changed : ""}</p>
  </section>`;
}

/** @param {{ session: Session }} props */
export default function Account({ session }) {
  useTitle(t.title);
  const leave = async () => {
    await request("/sessions", { method: "DELETE" });
    forgetAll();
    signedOut();
  };
  return html`<div class="page">
    <div class="page-head"><h1 tabindex="-1"><${Name} value=${session.name} length=${60} /></h1><span class="muted">${/** @type {Record<string, string>} */ (en.admin.roles)[session.role] ?? session.role}</span></div>
    <div class="columns">
      ${session.kind === "user" ? html`<${Password} />` : null}
      <section class="panel pad-all" aria-labelledby="sessions-title">
        <h2 id="sessions-title">${t.sessions}</h2>
        <p>${fill(session.expires_at ? t.signedInUntil : t.signedInBy, { kind: KIND[session.kind] ?? session.kind, time: html`<${Time} value=${session.expires_at} />` })}</p>
        ${session.kind === "proxy"
          ? html`<p class="muted">${t.atProxy}</p>`
          : html`<${Form} submit=${t.everywhere} danger onSubmit=${leave}><p class="muted">${session.kind === "token" ? t.endsToken : t.endsYours}</p><//>`}
      </section>
    </div>
  </div>`;
}
