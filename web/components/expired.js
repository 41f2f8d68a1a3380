// Over a page whose session ended while somebody was at work: sign in again and go on. Nothing that
// was typed is lost.
import { html } from "../lib/ui.js";
import { en } from "../lib/en.js";
import { fill } from "../lib/fill.js";
import { signOut } from "../lib/api.js";
import { Dialog } from "./dialog.js";
import { Name } from "./names.js";
import { SignInForm } from "./signin_form.js";

const t = en.account.expired;

/** @param {{ session: Session, onSession: (session: Session) => void }} props */
export function Expired({ session, onSession }) {
  return html`<${Dialog} title=${t.title} onClose=${() => undefined} locked>
    <p>${fill(t.says, { name: html`<b><${Name} value=${session.name} length=${60} /></b>` })}</p>
    <${SignInForm} name=${session.kind === "user" ? session.name : ""} onSession=${onSession} />
    <p><button class="button button-small button-quiet" type="button" onClick=${() => void signOut()}>${t.leave}</button></p>
  <//>`;
}
