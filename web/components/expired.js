// Over a page whose session ended while somebody was at work: sign in again and go on. Nothing that
// was typed is lost.
import { html } from "../lib/ui.js";
import { signOut } from "../lib/api.js";
import { Dialog } from "./dialog.js";
import { Name } from "./names.js";
import { SignInForm } from "./signin_form.js";

/** @param {{ session: Session, onSession: (session: Session) => void }} props */
export function Expired({ session, onSession }) {
  return html`<${Dialog} title="Your session has ended" onClose=${() => undefined} locked>
    <p>You were signed in as <b><${Name} value=${session.name} length=${60} /></b>. Sign in again to go on; what you typed is still there.</p>
    <${SignInForm} name=${session.kind === "user" ? session.name : ""} onSession=${onSession} />
    <p><button class="button button-small button-quiet" type="button" onClick=${() => void signOut()}>Leave this page</button></p>
  <//>`;
}
