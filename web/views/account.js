// One's own account: who one is, a new password, the end of all sessions.
import { html, useState } from "../lib/ui.js";
import { request, signedOut } from "../lib/api.js";
import { forgetAll } from "../lib/resource.js";
import { useTitle } from "../lib/title.js";
import { Field, Form } from "../components/dialog.js";
import { Name, Time } from "../components/names.js";

const KIND = { user: "name and password", token: "an access token", proxy: "the proxy in front of this server" };

function Password() {
  const [current, setCurrent] = useState("");
  const [password, setPassword] = useState("");
  const [again, setAgain] = useState("");
  const [error, setError] = useState(/** @type {any} */ (null));
  const [done, setDone] = useState(false);
  const send = async () => {
    setDone(false);
    if (password !== again) throw Object.assign(new Error(), { field: "again", title: "The passwords are not the same" });
    await request("/session/password", { method: "POST", body: JSON.stringify({ current, password }) });
    setCurrent("");
    setPassword("");
    setAgain("");
    setDone(true);
  };
  return html`<section class="panel pad-all" aria-labelledby="password-title">
    <h2 id="password-title">Password</h2>
    <${Form} submit="Change the password" onSubmit=${send} onError=${setError} fields=${["current", "password", "again"]}>
      <${Field} label="Current password" name="current" type="password" value=${current} onInput=${setCurrent} error=${error} autocomplete="current-password" />
      <${Field} label="New password" name="password" type="password" value=${password} onInput=${setPassword} error=${error} autocomplete="new-password" hint="At least 10 characters." />
      <${Field} label="New password again" name="again" type="password" value=${again} onInput=${setAgain} error=${error} autocomplete="new-password" />
    <//>
    <p role="status">${done ? "Changed. Your other sessions are ended." : ""}</p>
  </section>`;
}

/** @param {{ session: Session }} props */
export default function Account({ session }) {
  useTitle("Account");
  const leave = async () => {
    await request("/sessions", { method: "DELETE" });
    forgetAll();
    signedOut();
  };
  return html`<div class="page">
    <div class="page-head"><h1 tabindex="-1"><${Name} value=${session.name} length=${60} /></h1><span class="muted">${session.role}</span></div>
    <div class="columns">
      ${session.kind === "user" ? html`<${Password} />` : null}
      <section class="panel pad-all" aria-labelledby="sessions-title">
        <h2 id="sessions-title">Sessions</h2>
        <p>Signed in by ${KIND[session.kind] ?? session.kind}${session.expires_at ? html`, until <${Time} value=${session.expires_at} />` : null}.</p>
        ${session.kind === "proxy"
          ? html`<p class="muted">Sign out at the proxy.</p>`
          : html`<${Form} submit="Sign out everywhere" danger onSubmit=${leave}><p class="muted">Ends this session and all others of ${session.kind === "token" ? "this token" : "yours"}, on every device.</p><//>`}
      </section>
    </div>
  </div>`;
}
