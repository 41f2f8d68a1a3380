// What a mute covers, in words; and the list of mutes with a button that ends one.
import { html, useState } from "../lib/ui.js";
import { request } from "../lib/api.js";
import { forgetAll } from "../lib/resource.js";
import { href } from "../lib/router.js";
import { visible } from "../lib/text.js";
import { en } from "../lib/en.js";
import { FindingLink, Name, Time } from "./names.js";
import { ErrorPanel } from "./states.js";

const t = en.finding.mutes;

/** Plain text. @param {Pick<Mute, "finding" | "tags" | "hosts" | "driver" | "driver_version">} m @param {string} [own] the finding on screen */
export function scopeText(m, own) {
  const parts = [];
  if (m.finding) parts.push(m.finding === own ? t.finding : m.finding);
  if (m.tags.length) parts.push(t.tags(m.tags.slice(0, 6).join(", ") + (m.tags.length > 6 ? ` +${m.tags.length - 6}` : "")));
  if (m.hosts.length) parts.push(t.hosts(m.hosts.length));
  if (m.driver) parts.push(m.driver_version ? t.version(m.driver, m.driver_version) : t.driver(m.driver));
  return visible(parts.join(" \u00b7 "));
}

/** @param {{ until: Time }} props */
export function Until({ until }) {
  return until ? html`${t.until} <${Time} value=${until} />` : html`${t.untilEnded}`;
}

/** Ends a mute, if nobody changed it meanwhile. @param {{ mute: Mute, onDone: () => void }} props */
export function EndMute({ mute, onDone }) {
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState(/** @type {any} */ (null));
  const end = async () => {
    setBusy(true);
    setError(null);
    try {
      await request(href(["mutes", String(mute.id)]), { method: "DELETE", headers: { "if-match": `"v${mute.version}.0"` } });
      forgetAll();
      onDone();
    } catch (e) {
      setError(e);
    }
    setBusy(false);
  };
  return html`<button type="button" class="button button-small no-print" aria-label=${t.endOf(mute.id)} disabled=${busy} onClick=${end}>${busy ? t.ending : t.end}</button>
    ${error ? html`<${ErrorPanel} error=${error} title=${t.failed} />` : null}`;
}

/** The mutes that cover hosts of a finding. @param {{ f: Finding, may: boolean, reload: () => void }} props */
export function MutesPanel({ f, may, reload }) {
  if (!f.mutes?.length) return null;
  return html`<section class="panel" aria-labelledby="mutes-h">
    <div class="panel-head"><h2 id="mutes-h">${t.title}</h2></div>
    <p class="muted small">${t.covers(f.muted_hosts ?? 0, f.host_count)}</p>
    <ul class="mutes">${f.mutes.map((m) => html`<li key=${m.id}>
      <div><b><bdi>${scopeText(m, f.id)}</bdi></b>${m.finding && m.finding !== f.id ? html` <${FindingLink} id=${m.finding} />` : null}
        ${m.reason ? html`<div><${Name} value=${m.reason} length=${400} /></div>` : null}
        <div class="muted small">${t.by} <${Name} value=${m.created_by} length=${40} />, <${Until} until=${m.until} /></div></div>
      ${may ? html`<${EndMute} mute=${m} onDone=${reload} />` : null}
    </li>`)}</ul>
  </section>`;
}
