// Names and values from hosts, tags, drivers and processes: isolated from the text around them,
// controls shown, cut with the whole in the title.
import { html } from "../lib/ui.js";
import { en } from "../lib/en.js";
import { cut, visible } from "../lib/text.js";
import { ago, bytes, count, localTime, utcTime, UNKNOWN } from "../lib/format.js";
import { driverHref, findingHref, hostHref, tagHref } from "../lib/router.js";
import { SimulatedBadge } from "./marks.js";

/** @param {{ value: string | null | undefined, length?: number, none?: string, class?: string }} props */
export function Name({ value, length = 60, none = UNKNOWN, class: cls = "" }) {
  if (value === null || value === undefined) return html`<span class="unknown">${none}</span>`;
  const text = visible(value);
  const shown = cut(text, length);
  return html`<bdi class=${"name " + cls} title=${shown === text ? undefined : text}
    >${shown === "" ? en.states.empty : shown}</bdi
  >`;
}

/** @param {{ id: string, name?: string | null, length?: number, simulated?: boolean }} props */
export function HostName({ id, name, length = 28, simulated = false }) {
  return html`<a class="host-link" href=${hostHref(id)}
    ><${Name} value=${name ?? id} length=${length}
  /></a>${simulated ? html` <${SimulatedBadge} />` : null}`;
}

/**
 * All four bytes count, blanks too: the chip is as wide as they are.
 * @param {{ tag: string, pool?: string, plain?: boolean, title?: string }} props
 */
export function TagChip({ tag, pool, plain = false, title }) {
  const text = html`<bdi class="tag-text">${tag}</bdi>`;
  return plain
    ? html`<span class="tag" title=${title}>${text}</span>`
    : html`<a class="tag" href=${tagHref(tag, pool)} title=${title} aria-label=${"Tag " + tag}>${text}</a>`;
}

/** @param {{ name: string | null | undefined, length?: number, none?: string }} props */
export function DriverName({ name, length = 32, none = "unknown" }) {
  if (!name) return html`<span class="unknown">${none}</span>`;
  return html`<a href=${driverHref(name)}><${Name} value=${name} length=${length} /></a>`;
}

/** Several owners of one tag come as "a.sys or b.sys or 2 more". @param {{ names: string }} props */
export function DriverNames({ names }) {
  return html`${names.split(" or ").map((part, i) => html`${i ? " or " : ""}${/^\d+ more$/.test(part) ? part : html`<${DriverName} name=${part} />`}`)}`;
}

/** @param {{ id: string, children?: any }} props */
export function FindingLink({ id, children }) {
  return html`<a class="inline" href=${findingHref(id)}>${children ?? html`<${Name} value=${id} />`}</a>`;
}

/** @param {{ value: number | null | undefined }} props */
export function Bytes({ value }) {
  if (value == null) return html`<span class="unknown" title=${en.states.notKnown}>${UNKNOWN}</span>`;
  return html`<span title=${count(value) + " bytes"}>${bytes(value)}</span>`;
}

/** @param {{ value: number | null | undefined }} props */
export function Count({ value }) {
  if (value == null) return html`<span class="unknown" title=${en.states.notKnown}>${UNKNOWN}</span>`;
  return html`${count(value)}`;
}

/**
 * A time in the reader's zone, UTC in the title.
 * @param {{ value: string | number | null | undefined, as?: "ago" | "local" | "second" | "day" }} props
 */
export function Time({ value, as = "local" }) {
  if (value == null) return html`<span class="unknown" title=${en.states.notKnown}>${UNKNOWN}</span>`;
  const iso = typeof value === "number" ? new Date(value).toISOString() : value;
  const text =
    as === "ago" ? ago(iso) : localTime(iso, as === "second" ? "second" : as === "day" ? "day" : "minute");
  const title = as === "ago" ? `${localTime(iso, "second")}, ${utcTime(iso)}` : utcTime(iso);
  return html`<time datetime=${iso} title=${title}>${text}</time>`;
}
