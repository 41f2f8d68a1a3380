// Sign-in: a token is exchanged for a cookie that scripts cannot read.
import { html, useEffect, useRef, useState } from "../lib/ui.js";
import { signIn } from "../lib/api.js";
import { useTitle } from "../lib/title.js";
import { ErrorPanel } from "../components/states.js";

/** @param {{ failure: any, onSession: (session: Session) => void }} props */
export default function SignIn({ failure, onSession }) {
  useTitle("Sign in");
  const [error, setError] = useState(failure);
  const [busy, setBusy] = useState(false);
  const box = useRef(/** @type {HTMLInputElement | null} */ (null));
  useEffect(() => box.current?.focus(), []);
  useEffect(() => setError(failure), [failure]);

  const submit = async (/** @type {Event} */ event) => {
    event.preventDefault();
    const token = box.current?.value.trim() ?? "";
    if (!token || busy) return;
    setBusy(true);
    setError(null);
    try {
      onSession(await signIn(token));
    } catch (e) {
      setError(e);
      setBusy(false);
      box.current?.select();
    }
  };

  return html`<main class="alone signin" id="main">
    <form class="signin-box" onSubmit=${submit}>
      <div class="signin-brand">
        <svg width="28" height="28" viewBox="0 0 32 32" aria-hidden="true">
          <rect width="32" height="32" rx="7" class="brand-ground" />
          <path class="brand-bars" d="M6 18h4v8H6zM12 14h4v12h-4zM18 16h4v10h-4zM24 6h4v20h-4z" />
        </svg>
        <h1>Poolfleet</h1>
      </div>
      <p class="muted">Kernel pool memory of the whole fleet.</p>
      <label for="token">Access token</label>
      <input id="token" ref=${box} class="input" type="password" autocomplete="off" spellcheck="false"
        maxlength="512" required aria-describedby="token-help" />
      <button class="button button-primary" type="submit" disabled=${busy}>${busy ? "Signing in\u2026" : "Sign in"}</button>
      ${error
        ? error.status === 401 || error.status === 400
          ? html`<${ErrorPanel} error=${{ ...error, title: "This token is not valid", detail: error.detail }} />`
          : html`<${ErrorPanel} error=${error} />`
        : null}
      <p class="muted small" id="token-help">
        Make one on the server:<br />
        <code>poolfleetd token create --role viewer --name you</code>
      </p>
    </form>
  </main>`;
}
