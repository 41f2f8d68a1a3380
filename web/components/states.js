// The states every view has: loading, empty, stale, error.
import { html, useEffect, useRef, useState } from "../lib/ui.js";
import { ago, span } from "../lib/format.js";
import { en } from "../lib/en.js";
import { visible } from "../lib/text.js";
import { SeverityMark } from "./marks.js";

const t = en.states;

/**
 * Grey shapes where the content will be; only seen when loading takes longer than a blink.
 * @param {{ rows?: number, label?: string }} props
 */
export function Skeleton({ rows = 8, label = t.loading }) {
  return html`<div class="skeleton" role="status" aria-label=${label}>
    ${Array.from({ length: rows }, (_, i) => html`<span key=${i} class=${"skeleton-row r" + (i % 4)}></span>`)}
  </div>`;
}

/** @param {{ title: string, children?: any, mark?: string }} props */
export function Empty({ title, children, mark }) {
  return html`<div class="empty">
    ${mark ? html`<${SeverityMark} severity=${mark} size=${28} label=${false} />` : null}
    <p class="empty-title">${title}</p>
    ${children ? html`<div class="empty-text">${children}</div>` : null}
  </div>`;
}

/** @param {{ error: any, retry?: () => void, title?: string }} props */
export function ErrorPanel({ error, retry, title }) {
  const detail = error?.detail ?? (error?.name === "ApiError" ? null : error?.message);
  return html`<div class="error-panel" role="alert">
    <${SeverityMark} severity="critical" size=${20} label=${false} />
    <div>
      <p class="error-title">${visible(title ?? error?.title ?? t.wrong)}</p>
      ${title && error?.title ? html`<p>${visible(error.title)}</p>` : null}
      ${detail ? html`<p class="error-detail">${visible(detail)}</p>` : null}
      ${error?.hint ? html`<p class="error-detail">${visible(error.hint)}</p>` : null}
      ${error?.field || error?.request_id
        ? html`<dl class="error-facts">
            ${error.field ? html`<div><dt>${t.field}</dt><dd><code>${visible(error.field)}</code></dd></div>` : null}
            ${error.request_id
              ? html`<div><dt>${t.request}</dt><dd><code>${visible(error.request_id)}</code></dd></div>`
              : null}
          </dl>`
        : null}
      ${retry ? html`<button class="button" type="button" onClick=${retry}>${t.again}</button>` : null}
    </div>
  </div>`;
}

/** Runs again at every tick of the clock, for ages on screen. @param {number} ms */
export function useNow(ms = 30000) {
  const [now, setNow] = useState(Date.now());
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), ms);
    return () => clearInterval(timer);
  }, [ms]);
  return now;
}

/** @param {{ resource: Resource<any> }} props */
export function StaleBar({ resource }) {
  const now = useNow(10000);
  if (!resource.error || resource.data === null) return null;
  return html`<div class="stale" role="status">
    <${SeverityMark} severity="warning" size=${14} label=${false} />
    <span
      >${t.stale(span(Math.max(0, now - (resource.at ?? now)) / 1000), visible(resource.error.title ?? resource.error.message))}</span
    >
    <button class="button button-small" type="button" onClick=${resource.reload}>${t.again}</button>
  </div>`;
}

/**
 * Chooses the state: error or loading without data, else the content, with its age when it is old.
 * @param {{ resource: Resource<any>, render: (data: any) => any, skeleton?: any, notFound?: any }} props
 */
export function Load({ resource, render, skeleton, notFound }) {
  if (resource.data === null) {
    if (resource.error?.status === 404 && notFound) return notFound;
    if (resource.error && !resource.loading) {
      return html`<${ErrorPanel} error=${resource.error} retry=${resource.reload} />`;
    }
    return skeleton ?? html`<${Skeleton} />`;
  }
  return html`<${StaleBar} resource=${resource} />
    <div class=${"loaded" + (resource.pending ? " pending" : "")} aria-busy=${resource.pending ? "true" : "false"}>
      ${render(resource.data)}
    </div>`;
}

/**
 * Says that the data itself is old although the server answered.
 * @param {{ time: string | null, limit: number, what: string }} props limit: seconds
 */
export function Age({ time, limit, what }) {
  const now = useNow();
  if (!time) return null;
  const old = (now - Date.parse(time)) / 1000 > limit;
  return html`<span class=${old ? "age age-old" : "age"}
    >${old ? html`<${SeverityMark} severity="warning" size=${12} label=${false} />` : null}${what}${" "}
    ${ago(time, now)}</span
  >`;
}

/** @param {{ text: string, label?: string }} props */
export function CopyButton({ text, label = t.copy }) {
  const [done, setDone] = useState("");
  const timer = useRef(/** @type {any} */ (0));
  useEffect(() => () => clearTimeout(timer.current), []);
  const copy = async () => {
    const ok = await copyText(text);
    setDone(ok ? t.copied : t.notCopied);
    clearTimeout(timer.current);
    timer.current = setTimeout(() => setDone(""), 2000);
  };
  return html`<button class="button button-small no-print" type="button" onClick=${copy}>
    <span aria-live="polite">${done || label}</span>
  </button>`;
}

/** The clipboard needs a secure context; a selection works on plain HTTP too. @param {string} text */
async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const area = document.createElement("textarea");
    area.value = text;
    area.className = "offscreen";
    document.body.append(area);
    area.select();
    const ok = document.execCommand("copy");
    area.remove();
    return ok;
  }
}
