// A search box that tells its value at the first letter, then after each pause in typing.
import { html, useEffect, useRef, useState } from "../lib/ui.js";

/** @param {{ value: string, onSearch: (q: string) => void, label: string, wait?: number, eager?: boolean }} props eager: one letter finds something already */
export function SearchBox({ value, onSearch, label, wait = 200, eager = true }) {
  const [text, setText] = useState(value);
  const timer = useRef(/** @type {any} */ (0));
  const told = useRef([value]); // and perhaps not heard of again yet
  const typed = useRef(-Infinity);
  useEffect(() => {
    // A value that was typed here comes back when more may have been typed: only a foreign one is news.
    const at = told.current.indexOf(value);
    told.current = at < 0 ? [value] : told.current.slice(at);
    if (at < 0) setText(value);
  }, [value]);
  useEffect(() => () => clearTimeout(timer.current), []);

  const send = (/** @type {string} */ q) => {
    clearTimeout(timer.current);
    if (q !== told.current.at(-1)) told.current.push(q);
    onSearch(q);
  };
  return html`<input
    class="input search"
    type="search"
    data-search
    autocomplete="off"
    spellcheck="false"
    maxlength="256"
    placeholder=${label}
    aria-label=${label}
    value=${text}
    onInput=${(/** @type {any} */ e) => {
      const q = e.target.value;
      setText(q);
      const pause = performance.now() - typed.current;
      typed.current = performance.now();
      clearTimeout(timer.current);
      if (eager && pause > wait) send(q);
      else timer.current = setTimeout(() => send(q), wait);
    }}
    onKeyDown=${(/** @type {KeyboardEvent} */ e) => {
      if (e.key === "Enter") send(text);
      if (e.key === "Escape") {
        if (text) {
          e.preventDefault();
          setText("");
          send("");
        } else /** @type {HTMLElement} */ (e.target).blur();
      }
    }}
  />`;
}
