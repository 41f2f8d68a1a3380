// Sign-in: name and password, or a token, are exchanged for a cookie that scripts cannot read.
import { html } from "../lib/ui.js";
import { en } from "../lib/en.js";
import { useTitle } from "../lib/title.js";
import { SignInForm } from "../components/signin_form.js";

const t = en.account.signIn;

/** @param {{ failure: any, onSession: (session: Session) => void }} props */
export default function SignIn({ failure, onSession }) {
  useTitle(t.title);
  return html`<main class="alone signin" id="main">
    <div class="signin-box">
      <div class="signin-brand">
        <svg width="28" height="28" viewBox="0 0 32 32" aria-hidden="true">
          <rect width="32" height="32" rx="7" class="brand-ground" />
          <path class="brand-bars" d="M6 18h4v8H6zM12 14h4v12h-4zM18 16h4v10h-4zM24 6h4v20h-4z" />
        </svg>
        <h1>${t.brand}</h1>
      </div>
      <p class="muted">${t.says}</p>
      <${SignInForm} failure=${failure} onSession=${onSession} />
      <p class="muted small">
        ${t.makes}<br />
        <code>poolfleetd user add NAME --role viewer</code>
      </p>
    </div>
  </main>`;
}
