// The header's box: type a part of a tag, host or driver, go there. A combobox with a list below.
import { html, useEffect, useRef, useState } from "../lib/ui.js";
import { en } from "../lib/en.js";
import { get } from "../lib/api.js";
import { driverHref, hostHref, navigate, search, tagHref } from "../lib/router.js";
import { Name, TagChip } from "./names.js";

const t = en.shell;

/** @typedef {{ kind: string, to: string, key: string, shown: any, note: any }} Hit */

/** @param {string} q @param {AbortSignal} signal @returns {Promise<Hit[]>} */
async function find(q, signal) {
  const ask = (/** @type {string} */ what) =>
    get(`/${what}${search({ q, limit: 6 })}`, { signal }).then((r) => r.items ?? [], () => []);
  const [tags, hosts, drivers] = await Promise.all([ask("tags"), ask("hosts"), ask("drivers")]);
  const seen = new Set();
  return [
    ...tags
      .filter((/** @type {TagItem} */ i) => !seen.has(i.tag) && seen.add(i.tag))
      .slice(0, 5)
      .map((/** @type {TagItem} */ i) => ({
        kind: t.hits.tag, key: "t" + i.tag, to: tagHref(i.tag),
        shown: html`<${TagChip} tag=${i.tag} plain />`,
        note: html`<${Name} value=${i.driver ?? i.description} none="" length=${36} />`,
      })),
    ...hosts.slice(0, 5).map((/** @type {HostItem} */ h) => ({
      kind: t.hits.host, key: "h" + h.id, to: hostHref(h.id),
      shown: html`<${Name} value=${h.name ?? h.id} length=${28} />`,
      note: html`<${Name} value=${h.role} none="" length=${24} />`,
    })),
    ...drivers.slice(0, 4).map((/** @type {DriverItem} */ d) => ({
      kind: t.hits.driver, key: "d" + d.name, to: driverHref(d.name),
      shown: html`<${Name} value=${d.name} length=${28} />`,
      note: html`<${Name} value=${d.company} none="" length=${24} />`,
    })),
  ];
}

export function Jump() {
  const [q, setQ] = useState("");
  const [hits, setHits] = useState(/** @type {Hit[] | null} */ (null));
  const [active, setActive] = useState(0);
  const [open, setOpen] = useState(false);
  const box = useRef(/** @type {HTMLInputElement | null} */ (null));

  useEffect(() => {
    if (q.trim() === "") {
      setHits(null);
      return undefined;
    }
    const gate = new AbortController();
    const timer = setTimeout(() => {
      find(q.trim(), gate.signal).then(
        (found) => {
          if (gate.signal.aborted) return;
          setHits(found);
          setActive(0);
        },
        () => undefined,
      );
    }, 150);
    return () => {
      clearTimeout(timer);
      gate.abort();
    };
  }, [q]);

  const close = () => {
    setOpen(false);
    setQ("");
  };
  const go = (/** @type {Hit | undefined} */ hit) => {
    if (!hit) return;
    navigate(hit.to);
    close();
    box.current?.blur();
  };
  const onKey = (/** @type {KeyboardEvent} */ e) => {
    const n = hits?.length ?? 0;
    if (e.key === "ArrowDown" && n) setActive((active + 1) % n);
    else if (e.key === "ArrowUp" && n) setActive((active + n - 1) % n);
    else if (e.key === "Enter") go(hits?.[active]);
    else if (e.key === "Escape") {
      close();
      box.current?.blur();
    } else return;
    e.preventDefault();
  };

  const shown = open && hits !== null;
  return html`<div class="jump">
    <input
      id="jump"
      ref=${box}
      type="text"
      role="combobox"
      autocomplete="off"
      spellcheck="false"
      maxlength="256"
      placeholder=${t.goToShort}
      aria-label=${t.goTo}
      aria-expanded=${shown ? "true" : "false"}
      aria-controls="jump-list"
      aria-autocomplete="list"
      aria-activedescendant=${shown && hits.length ? `jump-${active}` : undefined}
      value=${q}
      onInput=${(/** @type {any} */ e) => {
        setQ(e.target.value);
        setOpen(true);
      }}
      onKeyDown=${onKey}
      onFocus=${() => setOpen(true)}
      onBlur=${() => setOpen(false)}
    />
    <kbd aria-hidden="true">/</kbd>
    <div id="jump-list" role="listbox" aria-label=${t.found} class="jump-list" hidden=${!shown}>
      ${shown && hits.length === 0 ? html`<div class="jump-none" role="option" aria-selected="false">${t.nothingFound}</div>` : null}
      ${shown
        ? hits.map(
            (hit, i) => html`<div
              key=${hit.key}
              id=${`jump-${i}`}
              role="option"
              aria-selected=${i === active ? "true" : "false"}
              class="jump-hit"
              onMouseDown=${(/** @type {Event} */ e) => {
                e.preventDefault();
                go(hit);
              }}
            >
              <span class="jump-kind">${hit.kind}</span>${hit.shown}<span class="jump-note">${hit.note}</span>
            </div>`,
          )
        : null}
    </div>
  </div>`;
}
