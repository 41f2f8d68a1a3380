// The bounds of a selection, for those who type and those who see what a drag has set.
import { html, useEffect, useState } from "../lib/ui.js";
import { parseAmount } from "../lib/spread.js";
import { en } from "../lib/en.js";

const t = en.explain;

/**
 * @param {{ low: number | null, high: number | null, format: (n: number | null) => string, onRegion: (low: number | null, high: number | null) => void,
 *           hosts?: number | null, id: string }} props hosts: how many lie between, where that is known
 */
export function RegionForm({ low, high, format, onRegion, hosts = null, id }) {
  const say = (/** @type {number | null} */ n) => (n === null ? "" : format(n).replace(/\u00a0/g, " ").replace("+", ""));
  const [from, setFrom] = useState(say(low));
  const [to, setTo] = useState(say(high));
  const [wrong, setWrong] = useState("");
  useEffect(() => setFrom(say(low)), [low]);
  useEffect(() => setTo(say(high)), [high]);
  const go = (/** @type {Event} */ e) => {
    e.preventDefault();
    // What a drag set is exact; only what was typed is read from the text.
    const a = from === say(low) ? low : parseAmount(from);
    const b = to === say(high) ? high : parseAmount(to);
    if (Number.isNaN(a) || Number.isNaN(b)) return setWrong(t.notANumber);
    if (a === null && b === null) return setWrong(t.noBounds);
    if (a !== null && b !== null && a > b) return setWrong(t.wrongOrder);
    setWrong("");
    onRegion(a, b);
    return undefined;
  };
  return html`<form class="region no-print" onSubmit=${go}>
    <label>${t.from} <input class="input" size="9" autocomplete="off" value=${from} aria-describedby=${id + "-note"} onInput=${(/** @type {any} */ e) => setFrom(e.target.value)} /></label>
    <label>${t.to} <input class="input" size="9" autocomplete="off" value=${to} aria-describedby=${id + "-note"} onInput=${(/** @type {any} */ e) => setTo(e.target.value)} /></label>
    <button class="button button-small button-primary" type="submit">${t.explainThese}</button>
    <span id=${id + "-note"} class=${wrong ? "error-inline" : "muted small"} role="status">${wrong || (hosts === null ? t.dragHint : t.hostsBetween(hosts))}</span>
  </form>`;
}
