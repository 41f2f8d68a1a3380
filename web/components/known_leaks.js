// Known leaks that look like what is shown: what fits, what contradicts, what to do, who says so.
import { html } from "../lib/ui.js";
import { visible } from "../lib/text.js";
import { en } from "../lib/en.js";
import { Name } from "./names.js";

const t = en.findings.known;

/** @param {{ k: KnownLeakMatch, fit: boolean }} props */
function Item({ k, fit }) {
  return html`<li>
    <b><${Name} value=${k.title} length=${160} /></b>
    ${fit ? html` <span class=${"badge" + (k.fit === "tags and version" ? " badge-warning" : "")}>${t.fit[k.fit] ?? visible(k.fit)}</span>` : null}
    ${k.says ? html`<div class="small">${visible(k.says)}</div>` : null}
    <div>${visible(k.advice)}</div>
    <div class="small muted">${k.confidence === "confirmed by vendor" ? t.confirmed : t.reported}: ${visible(k.source)}</div>
  </li>`;
}

/**
 * Nothing known: nothing shown.
 * @param {{ known: KnownLeakMatch[] | undefined, fit?: boolean }} props  fit: say how well each fits
 */
export function KnownLeaks({ known, fit = true }) {
  if (!known?.length) return null;
  return html`<section class="panel known-leaks" aria-labelledby="known-h">
    <div class="panel-head"><h2 id="known-h">${t.title}</h2></div>
    <p class="muted small">${t.why}</p>
    <ul class="bullets">${known.map((k) => html`<${Item} key=${k.id} k=${k} fit=${fit} />`)}</ul>
  </section>`;
}
