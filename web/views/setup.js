// The first start: whoever holds the link that the server printed chooses the administrator.
import { html, useState } from "../lib/ui.js";
import { request } from "../lib/api.js";
import { en } from "../lib/en.js";
import { fill } from "../lib/fill.js";
import { useTitle } from "../lib/title.js";
import { Field, Form } from "../components/dialog.js";

const a = en.account;
const t = a.setup;

/** @param {{ link: string, onSession: (session: Session) => void }} props */
export default function Setup({ link, onSession }) {
  useTitle(t.title);
  const [name, setName] = useState("");
  const [password, setPassword] = useState("");
  const [again, setAgain] = useState("");
  const [error, setError] = useState(/** @type {any} */ (null));
  const send = async () => {
    if (password !== again) throw Object.assign(new Error(), { field: "again", title: a.notTheSame });
    onSession((await request("/setup", { method: "POST", body: JSON.stringify({ link, name: name.trim(), password }) })).body);
  };
  return html`<main class="alone signin" id="main">
    <div class="signin-box">
      <h1>${t.heading}</h1>
      <p class="muted">${t.says}</p>
      <${Form} submit=${t.submit} onSubmit=${send} onError=${setError} fields=${["name", "password", "again"]}>
        <${Field} label=${t.name} name="name" value=${name} onInput=${setName} error=${error} autocomplete="username" focus />
        <${Field} label=${t.password} name="password" type="password" value=${password} onInput=${setPassword} error=${error} autocomplete="new-password" hint=${a.hint} />
        <${Field} label=${t.again} name="again" type="password" value=${again} onInput=${setAgain} error=${error} autocomplete="new-password" />
      <//>
      ${error?.field === "link"
        ? html`<p class="muted small">${fill(t.newLink, { command: html`<code>poolfleetd user add NAME --role admin</code>` })}</p>`
        : null}
    </div>
  </main>`;
}
