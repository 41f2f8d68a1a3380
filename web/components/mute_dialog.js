// Making a mute from a finding: of itself, or of what matches, also in findings to come.
import { html, useState } from "../lib/ui.js";
import { request } from "../lib/api.js";
import { rfc3339 } from "../lib/format.js";
import { visible } from "../lib/text.js";
import { en } from "../lib/en.js";
import { Choice, Dialog, Form } from "./dialog.js";
import { scopeText } from "./mute_scope.js";

const t = en.finding.mutes;
const HOSTS_MAX = 1000; // as the server takes

/** The driver it is about: the best cause, else the one owner. @param {Finding} f */
function driverOf(f) {
  const cause = f.explained_by[0];
  if (cause?.attribute.startsWith("driver/")) return { name: cause.attribute.slice(7), version: cause.value };
  const owner = f.owner?.driver;
  return owner && !owner.includes(" or ") ? { name: owner, version: "" } : null;
}

/** @param {{ f: Finding, reason: string, onClose: () => void, onDone: () => void }} props reason: what was typed already */
export function MuteDialog({ f, reason: typed, onClose, onDone }) {
  const driver = driverOf(f);
  const [scope, setScope] = useState("finding");
  const [tags, setTags] = useState(true);
  const [host, setHost] = useState("");
  const [byDriver, setByDriver] = useState("");
  const [seconds, setSeconds] = useState("604800");
  const [reason, setReason] = useState(typed);
  const [error, setError] = useState(/** @type {any} */ (null));
  const match = scope === "match";
  const chosen = {
    finding: match ? null : f.id,
    tags: match && tags ? f.tags.slice(0, 64) : [],
    hosts: match && host ? (host === "*" ? f.hosts.slice(0, HOSTS_MAX).map((h) => h.id) : [host]) : [],
    driver: match && byDriver && driver ? driver.name : null,
    driver_version: match && byDriver === "version" && driver ? driver.version : null,
  };
  const nothing = match && !chosen.tags.length && !chosen.hosts.length && !chosen.driver;
  const send = async () => {
    if (nothing) throw Object.assign(new Error(t.need), { title: t.need });
    const until = seconds ? rfc3339(Date.now() + Number(seconds) * 1000) : null;
    await request("/mutes", { method: "POST", body: JSON.stringify({ ...chosen, until, reason }) });
    onDone();
  };
  return html`<${Dialog} title=${t.dialog} onClose=${onClose}>
    <${Form} submit=${t.submit} onSubmit=${send} onError=${setError} onCancel=${onClose} fields=${["reason"]}>
      <fieldset class="field choices">
        <legend>${t.scope}</legend>
        ${[["finding", t.scopeFinding], ["match", t.scopeMatch]].map(([v, text]) => html`<label key=${v}><input type="radio" name="scope" value=${v} checked=${scope === v} onChange=${() => setScope(v)} /> ${text}</label>`)}
        ${match
          ? html`<div class="choices-in">
              <label><input type="checkbox" name="tags" checked=${tags} onChange=${(/** @type {any} */ e) => setTags(e.target.checked)} /> ${t.tagsToo}: <bdi class="tag-text">${visible(f.tags.slice(0, 8).join(", "))}</bdi></label>
              <${Choice} id="mute-host" label=${t.hostsToo} value=${host} onChange=${setHost}
                options=${[["", t.anyHost], ...(f.hosts.length > 1 ? [["*", t.allHosts(f.hosts.length)]] : []), ...f.hosts.slice(0, 200).map((h) => [h.id, visible(h.name ?? h.id)])]} />
              ${driver
                ? html`<${Choice} id="mute-driver" label=${t.driverToo} value=${byDriver} onChange=${setByDriver}
                    options=${[["", en.findings.any], ["any", visible(driver.name) + ", " + t.anyVersion], ...(driver.version ? [["version", visible(`${driver.name} ${driver.version}`)]] : [])]} />`
                : null}
              <p class="muted small">${t.outside}</p>
            </div>`
          : null}
      </fieldset>
      <${Choice} id="mute-for" label=${t.length} value=${seconds} onChange=${setSeconds} options=${Object.entries(t.lengths).sort((a, b) => Number(a[0] || Infinity) - Number(b[0] || Infinity))} />
      <div class="field">
        <label for="mute-reason">${t.reason}</label>
        <textarea id="mute-reason" class="textarea" rows="2" maxlength="2000" required aria-invalid=${error?.field === "reason" ? "true" : undefined} aria-describedby="mute-says"
          value=${reason} onInput=${(/** @type {any} */ e) => setReason(e.target.value)}></textarea>
        <p id="mute-says" class=${error?.field === "reason" ? "error-inline" : "muted small"}>${error?.field === "reason" ? visible(error.detail ?? error.title) : html`<bdi>${nothing ? t.need : scopeText(chosen, f.id)}</bdi>`}</p>
      </div>
    <//>
  <//>`;
}
