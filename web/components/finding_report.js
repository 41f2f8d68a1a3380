// The report for the vendor: which form, with or without names, and what it says before it leaves.
import { html, useEffect, useState } from "../lib/ui.js";
import { request } from "../lib/api.js";
import { href } from "../lib/router.js";
import { en } from "../lib/en.js";
import { Choice, Dialog } from "./dialog.js";
import { ErrorPanel } from "./states.js";

const t = en.finding.report;

/** @param {{ f: Finding, session: Session, onClose: () => void }} props */
function ReportDialog({ f, session, onClose }) {
  const [format, setFormat] = useState("html");
  const [names, setNames] = useState("no");
  const [text, setText] = useState(/** @type {string | null} */ (null));
  const [error, setError] = useState(/** @type {any} */ (null));
  const [again, setAgain] = useState(0);
  const may = session.role === "operator" || session.role === "admin";
  const path = href(["findings", f.id, "report"]);
  useEffect(() => {
    const gate = new AbortController();
    setText(null);
    setError(null);
    request(path + `?format=md&names=${names}`, { accept: "text/markdown", raw: true, signal: gate.signal }).then(
      (r) => setText(r.body),
      (e) => gate.signal.aborted || setError(e),
    );
    return () => gate.abort();
  }, [names, again]);
  const address = `/api/v1${path}?format=${format}&names=${names}`;
  return html`<${Dialog} title=${t.dialog} onClose=${onClose}>
    <div class="form">
      <${Choice} id="report-format" label=${t.format} value=${format} onChange=${setFormat} options=${[["html", t.html], ["md", t.md]]} />
      <${Choice} id="report-names" label=${t.names} value=${names} onChange=${setNames} options=${[["no", t.hide], ...(may ? [["yes", t.show]] : [])]} hint=${may ? undefined : t.viewer} />
      <div class="field">
        <span id="report-preview" class="muted small">${t.preview}</span>
        ${error
          ? html`<${ErrorPanel} error=${error} title=${t.failed} retry=${() => setAgain(again + 1)} />`
          : html`<pre class="report-preview" tabindex="0" role="region" aria-labelledby="report-preview" aria-busy=${text === null ? "true" : "false"}>${text ?? t.loading}</pre>`}
      </div>
      <div class="actions">
        <a class="button button-primary" href=${address} download=${`poolfleet-${f.id}.${format}`}>${t.download}</a>
        ${format === "html" ? html`<a class="button" href=${address} target="_blank" rel="noopener">${t.openIt}</a>` : null}
      </div>
    </div>
  <//>`;
}

/** @param {{ f: Finding, session: Session }} props */
export function ReportPanel({ f, session }) {
  const [open, setOpen] = useState(false);
  return html`<section class="panel no-print" aria-labelledby="rep-h">
    <h2 id="rep-h">${t.title}</h2>
    <p class="muted">${t.text}</p>
    <div class="actions gap"><button type="button" class="button" onClick=${() => setOpen(true)}>${t.make}</button></div>
    ${open ? html`<${ReportDialog} f=${f} session=${session} onClose=${() => setOpen(false)} />` : null}
  </section>`;
}
