// The first start: whoever holds the link that the server printed chooses the administrator.
import { html, useState } from "../lib/ui.js";
import { request } from "../lib/api.js";
import { useTitle } from "../lib/title.js";
import { Field, Form } from "../components/dialog.js";

/** @param {{ link: string, onSession: (session: Session) => void }} props */
export default function Setup({ link, onSession }) {
  useTitle("First start");
  const [name, setName] = useState("");
  const [password, setPassword] = useState("");
  const [again, setAgain] = useState("");
  const [error, setError] = useState(/** @type {any} */ (null));
  const send = async () => {
    if (password !== again) throw Object.assign(new Error(), { field: "again", title: "The passwords are not the same" });
    onSession((await request("/setup", { method: "POST", body: JSON.stringify({ link, name: name.trim(), password }) })).body);
  };
  return html`<main class="alone signin" id="main">
    <div class="signin-box">
      <h1>Choose the administrator</h1>
      <p class="muted">This link works once, and for one hour after the server printed it.</p>
      <${Form} submit="Create and sign in" onSubmit=${send} onError=${setError} fields=${["name", "password", "again"]}>
        <${Field} label="Name" name="name" value=${name} onInput=${setName} error=${error} autocomplete="username" focus />
        <${Field} label="Password" name="password" type="password" value=${password} onInput=${setPassword} error=${error} autocomplete="new-password" hint="At least 10 characters." />
        <${Field} label="Password again" name="again" type="password" value=${again} onInput=${setAgain} error=${error} autocomplete="new-password" />
      <//>
      ${error?.field === "link"
        ? html`<p class="muted small">Restart the server for a new link, or run on it: <code>poolfleetd user add NAME --role admin</code></p>`
        : null}
    </div>
  </main>`;
}
