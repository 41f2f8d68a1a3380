// Paste what a debugger or poolmon printed; a verdict, suspects and next commands come back.
import { html, useEffect, useRef, useState } from "../lib/ui.js";
import { useTitle } from "../lib/title.js";
import { request } from "../lib/api.js";
import { en } from "../lib/en.js";
import { fill } from "../lib/fill.js";
import { bytes, count } from "../lib/format.js";
import { VERDICT } from "../lib/words.js";
import { splitStep } from "../lib/steps.js";
import { visible } from "../lib/text.js";
import { Table } from "../components/table.js";
import { Bytes, Count, DriverName, FindingLink, Name, TagChip } from "../components/names.js";
import { SeverityMark } from "../components/marks.js";
import { CopyButton, Empty, ErrorPanel, Skeleton } from "../components/states.js";

const t = en.diagnose;
const c = t.columns;
const MAX_BYTES = 8 * 1024 * 1024;
const ROWS_SHOWN = 50;

/** What was pasted and found last survives a look at another view, not a reload. */
const kept = { text: "", result: /** @type {Diagnosis | null} */ (null) };

/** @type {import("../components/table.js").Column[]} */
const ROW_COLUMNS = [
  { key: "tag", label: c.tag, cell: (r) => html`<${TagChip} tag=${r.tag} />` },
  { key: "pool", label: c.pool, cell: (r) => r.pool ?? html`<span class="unknown">${t.unknown}</span>` },
  { key: "allocs", label: c.allocs, number: true, cell: (r) => html`<${Count} value=${r.allocs} />` },
  { key: "frees", label: c.frees, number: true, cell: (r) => html`<${Count} value=${r.frees} />` },
  { key: "diff", label: c.diff, number: true, cell: (r) => html`<${Count} value=${r.outstanding} />` },
  { key: "bytes", label: c.bytes, number: true, cell: (r) => html`<${Bytes} value=${r.bytes} />` },
  { key: "text", label: c.description, class: "clip", cell: (r) => html`<${Name} value=${r.description} none="" length=${80} />` },
];

/** @type {import("../components/table.js").Column[]} */
const FLEET_COLUMNS = [
  { key: "tag", label: c.tag, cell: (r) => html`<${TagChip} tag=${r.tag} pool=${r.pool} />` },
  { key: "here", label: c.here, number: true, cell: (r) => html`<b><${Bytes} value=${r.bytes} /></b>` },
  { key: "median", label: c.median, number: true, cell: (r) => html`<${Bytes} value=${r.fleet_median_bytes} />` },
  { key: "p99", label: c.p99, number: true, cell: (r) => html`<${Bytes} value=${r.fleet_p99_bytes} />` },
  { key: "max", label: c.biggest, number: true, cell: (r) => html`<${Bytes} value=${r.fleet_max_bytes} />` },
  { key: "say", label: c.words, cell: (r) => html`<bdi>${visible(r.sentence)}</bdi>${r.finding_ids.slice(0, 3).map((/** @type {string} */ id, /** @type {number} */ i) => html` <${FindingLink} id=${id}>${r.finding_ids.length === 1 ? t.seeFinding : t.findingNumber(i + 1)}<//>`)}` },
];

/** Figures by name: "nonpaged_usage_kb" is "nonpaged usage", in bytes. @param {Record<string, any> | null} figures */
function figures(figures) {
  /** @type {[string, string][]} */
  const out = [];
  const walk = (/** @type {Record<string, any>} */ object, /** @type {string} */ prefix) => {
    for (const [key, value] of Object.entries(object)) {
      if (value === null || value === undefined) continue;
      const name = prefix + key.replace(/_(kb|mb|bytes)$/, "").replace(/_/g, " ");
      if (typeof value === "number") {
        const size = /_kb$/.test(key) ? value * 1024 : /_mb$/.test(key) ? value * 1048576 : /(_bytes|_used)$/.test(key) ? value : null;
        out.push([name, size === null ? count(value) : bytes(size)]);
      } else if (typeof value === "boolean") out.push([name, value ? t.yes : t.no]);
      else if (Array.isArray(value)) {
        if (value.length && value.every((v) => typeof v === "string")) out.push([name, value.join(", ")]);
      } else if (typeof value === "object") walk(value, name + " ");
      else out.push([name, visible(String(value))]);
    }
  };
  if (figures) walk(figures, "");
  return out;
}


/** @param {{ report: Diagnosis["reports"][0], index: number }} props */
function Report({ report, index }) {
  const [all, setAll] = useState(false);
  const facts = [...figures(report.totals), ...figures(report.vm)];
  const rows = all ? report.rows : report.rows.slice(0, ROWS_SHOWN);
  return html`<section class="panel panel-flush" aria-label=${t.tableNumber(index + 1)}>
    <div class="panel-head"><h3><bdi>${visible(report.tool ?? t.table)}</bdi></h3><span class="muted">${t.rowsRead(count(report.rows.length))}</span></div>
    ${facts.length ? html`<dl class="stats pad-all stats-small">${facts.map(([k, v]) => html`<div><dt><bdi>${k}</bdi></dt><dd><bdi>${v}</bdi></dd></div>`)}</dl>` : null}
    ${rows.length ? html`<${Table} caption=${t.rowsOf(report.tool ?? t.theTable)} columns=${ROW_COLUMNS} rows=${rows} rowKey=${(/** @type {any} */ r) => String(report.rows.indexOf(r))} compact />` : null}
    ${rows.length < report.rows.length ? html`<div class="more"><button type="button" class="button button-small" onClick=${() => setAll(true)}>${t.showAll(count(report.rows.length))}</button></div>` : null}
    ${report.sessions?.length
      ? html`<${Table} caption=${t.sessions} rows=${report.sessions} rowKey=${(/** @type {any} */ s) => String(s.id)} compact
          columns=${[
            { key: "id", label: c.session, cell: (/** @type {any} */ s) => String(s.id) },
            { key: "paged", label: c.paged, number: true, cell: (/** @type {any} */ s) => html`<${Bytes} value=${s.paged_bytes ?? (s.paged_kb == null ? null : s.paged_kb * 1024)} />` },
            { key: "fail", label: c.failures, number: true, cell: (/** @type {any} */ s) => html`<${Count} value=${s.failures ?? null} />` },
          ]} />`
      : null}
  </section>`;
}

/** @param {{ d: Diagnosis }} props */
function Result({ d }) {
  const verdict = VERDICT[d.verdict] ?? { title: visible(d.verdict), severity: "info" };
  const head = useRef(/** @type {HTMLElement | null} */ (null));
  useEffect(() => {
    head.current?.focus({ preventScroll: true });
    head.current?.scrollIntoView?.({ block: "nearest" });
  }, [d]);
  return html`
    <section class=${"verdict verdict-" + verdict.severity} aria-live="polite" tabindex="-1" ref=${head}>
      <${SeverityMark} severity=${verdict.severity} size=${24} />
      <div><h2>${verdict.title}</h2>${d.verdict_why ? html`<p class="lead"><bdi>${visible(d.verdict_why)}</bdi></p>` : null}</div>
    </section>
    <div class="columns">
      ${d.suspects.length
        ? html`<section class="panel" aria-labelledby="sus-h"><h2 id="sus-h">${t.suspects}</h2>
            <ul class="taglist">${d.suspects.map((s) => html`<li><${TagChip} tag=${s.tag} pool=${s.pool ?? undefined} /> <span>${s.driver ? html`<b><${DriverName} name=${s.driver} /></b>, ` : null}${s.pool ? html`${t.inPool(s.pool)} ` : null}<span class="muted"><bdi>${visible(s.why)}</bdi></span>${s.known_leaks?.map((k) => html`<div class="small known-leak">${fill(t.knownLeak, { title: html`<b><bdi>${visible(k.title)}</bdi></b>`, source: html`<bdi>${visible(k.source)}</bdi>`, advice: html`<bdi>${visible(k.advice)}</bdi>` })}</div>`)}</span></li>`)}</ul></section>`
        : null}
      ${d.next_steps.length
        ? html`<section class="panel" aria-labelledby="next-h"><h2 id="next-h">${t.next}</h2>
            <ol class="steps">${d.next_steps.map((step) => {
              const { command, why } = splitStep(step);
              return html`<li><span>${why ? html`<span class="muted"><bdi>${visible(why)}</bdi></span>` : null}<code>${visible(command)}</code></span><${CopyButton} text=${command} /></li>`;
            })}</ol></section>`
        : null}
      ${d.hints.length ? html`<section class="panel" aria-labelledby="hint-h"><h2 id="hint-h">${t.hints}</h2><ul class="bullets">${d.hints.map((h) => html`<li><bdi>${visible(h)}</bdi></li>`)}</ul></section>` : null}
    </div>
    ${d.comparison?.length
      ? html`<section class="panel panel-flush" aria-labelledby="cmp-h"><div class="panel-head"><h2 id="cmp-h">${t.against}</h2></div>
          <${Table} caption=${t.comparison} columns=${FLEET_COLUMNS} rows=${d.comparison} rowKey=${(/** @type {any} */ r) => r.tag + r.pool} /></section>`
      : html`<p class="muted">${t.noComparison}</p>`}
    ${d.reports.length
      ? html`<h2>${t.read}</h2>${d.reports.map((r, i) => html`<${Report} key=${i} report=${r} index=${i} />`)}`
      : html`<${Empty} title=${t.nothing}>${t.nothingHint}<//>`}`;
}

export default function Diagnose() {
  useTitle(t.title);
  const [text, setText] = useState(kept.text);
  const [result, setResult] = useState(kept.result);
  const [error, setError] = useState(/** @type {any} */ (null));
  const [busy, setBusy] = useState(false);
  const [dragging, setDragging] = useState(false);
  const file = useRef(/** @type {HTMLInputElement | null} */ (null));

  const put = (/** @type {string} */ value) => {
    kept.text = value;
    setText(value);
  };
  const read = async (/** @type {File | null | undefined} */ f) => {
    if (!f) return;
    if (f.size > MAX_BYTES) {
      setError({ title: t.tooLarge, detail: t.tooLargeDetail(f.name, bytes(f.size), bytes(MAX_BYTES)) });
      return;
    }
    setError(null);
    // Windows' tools often write UTF-16.
    const raw = new Uint8Array(await f.arrayBuffer());
    const kind = raw[0] === 0xff && raw[1] === 0xfe ? "utf-16le" : raw[0] === 0xfe && raw[1] === 0xff ? "utf-16be" : "utf-8";
    put(new TextDecoder(kind).decode(raw));
  };
  const run = async () => {
    if (busy || !text.trim()) return;
    setBusy(true);
    setError(null);
    try {
      const { body } = await request("/diagnose", { method: "POST", body: text, type: "text/plain", timeout: 60000 });
      kept.result = body;
      setResult(body);
    } catch (e) {
      setError(e);
    }
    setBusy(false);
  };

  return html`<div class="page">
    <div class="page-head"><h1 tabindex="-1">${t.title}</h1><span class="muted">${fill(t.what, { poolused: html`<code>!poolused</code>`, vm: html`<code>!vm</code>` })}</span></div>
    <form
      class=${"paste" + (dragging ? " dragging" : "") + (result ? " answered" : "")}
      onSubmit=${(/** @type {Event} */ e) => {
        e.preventDefault();
        void run();
      }}
      onDragOver=${(/** @type {DragEvent} */ e) => {
        e.preventDefault();
        setDragging(true);
      }}
      onDragLeave=${() => setDragging(false)}
      onDrop=${(/** @type {DragEvent} */ e) => {
        e.preventDefault();
        setDragging(false);
        const f = e.dataTransfer?.files[0];
        if (f) void read(f);
        else if (e.dataTransfer?.getData("text")) put(e.dataTransfer.getData("text"));
      }}
    >
      <textarea class="textarea" aria-label=${t.capture} placeholder=${t.placeholder} spellcheck="false" wrap="off" maxlength=${MAX_BYTES}
        value=${text} onInput=${(/** @type {any} */ e) => put(e.target.value)}
        onKeyDown=${(/** @type {KeyboardEvent} */ e) => {
          if (e.key === "Enter" && (e.ctrlKey || e.metaKey)) {
            e.preventDefault();
            void run();
          }
        }}></textarea>
      <div class="toolbar">
        <button type="submit" class="button button-primary" disabled=${busy || !text.trim()}>${busy ? t.running : t.run}</button>
        <button type="button" class="button" onClick=${() => file.current?.click()}>${t.open}</button>
        <input ref=${file} type="file" hidden aria-hidden="true" tabindex="-1" onChange=${(/** @type {any} */ e) => {
          void read(e.target.files[0]);
          e.target.value = "";
        }} />
        ${text ? html`<button type="button" class="button button-quiet" onClick=${() => {
          put("");
          kept.result = null;
          setResult(null);
          setError(null);
        }}>${t.clear}</button>` : null}
        <span class="muted push small">${text ? t.lines(count(text.split("\n").length)) : ""} <kbd>${t.ctrl}</kbd> <kbd>\u21b5</kbd></span>
      </div>
    </form>
    ${error ? html`<${ErrorPanel} error=${error} retry=${text.trim() ? run : undefined} />` : null}
    ${busy && !result ? html`<${Skeleton} rows=${6} />` : null}
    ${result ? html`<div class=${"loaded" + (busy ? " pending" : "")}><${Result} d=${result} /></div>` : null}
  </div>`;
}
