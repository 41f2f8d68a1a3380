// Name and password, or a token, for a session. On the sign-in page, and over a page whose session
// ended while somebody was at work.
import { html, useEffect, useRef, useState } from "../lib/ui.js";
import { en } from "../lib/en.js";
import { signIn } from "../lib/api.js";
import { ErrorPanel } from "./states.js";

const t = en.account.signIn;

/** @param {{ failure?: any, name?: string, onSession: (session: Session) => void }} props */
export function SignInForm({ failure = null, name: known = "", onSession }) {
  const [byToken, setByToken] = useState(false);
  const [error, setError] = useState(failure);
  const [busy, setBusy] = useState(false);
  const name = useRef(/** @type {HTMLInputElement | null} */ (null));
  const secret = useRef(/** @type {HTMLInputElement | null} */ (null));
  useEffect(() => (byToken || known ? secret.current : name.current)?.focus(), [byToken]);
  useEffect(() => setError(failure), [failure]);

  const submit = async (/** @type {Event} */ event) => {
    event.preventDefault();
    const text = secret.current?.value ?? "";
    if (!text || busy) return;
    setBusy(true);
    setError(null);
    try {
      onSession(await signIn(byToken ? { token: text.trim() } : { name: name.current?.value.trim() ?? "", password: text }));
    } catch (e) {
      setError(e);
      setBusy(false);
      secret.current?.select();
    }
  };
  const wrong = error && (error.status === 401 || error.status === 400);
  const late = error?.status === 429;
  const title = wrong ? (byToken || failure ? t.wrongToken : t.wrong) : late ? t.tooMany : null;
  const detail = late && error.retry_after ? t.waitSeconds(error.retry_after) : error?.detail;

  return html`<form class="form" onSubmit=${submit}>
    ${byToken
      ? html`<div class="field" key="token">
          <label for="token">${t.token}</label>
          <input id="token" ref=${secret} class="input" type="password" autocomplete="off" spellcheck="false" maxlength="512" required />
        </div>`
      : html`<div class="field" key="name">
            <label for="name">${t.name}</label>
            <input id="name" ref=${name} class="input" name="username" autocomplete="username" autocapitalize="none" spellcheck="false" maxlength="256" required defaultValue=${known} />
          </div>
          <div class="field" key="password">
            <label for="password">${t.password}</label>
            <input id="password" ref=${secret} class="input" type="password" name="password" autocomplete="current-password" maxlength="256" required />
          </div>`}
    <button class="button button-primary" type="submit" disabled=${busy}>${busy ? t.busy : t.submit}</button>
    ${error ? html`<${ErrorPanel} error=${title ? { ...error, title, detail, field: null } : error} />` : null}
    <button class="button button-quiet" type="button" onClick=${() => {
      setError(null);
      setByToken(!byToken);
    }}>${byToken ? t.useName : t.useToken}</button>
  </form>`;
}
