// Paste what a debugger or poolmon printed; a verdict, suspects and next commands come back.
import { html, useEffect, useRef, useState } from "../lib/ui.js";
import { useTitle } from "../lib/title.js";
import { request } from "../lib/api.js";
import { bytes, count } from "../lib/format.js";
import { VERDICT } from "../lib/words.js";
import { splitStep } from "../lib/steps.js";
import { visible } from "../lib/text.js";
import { Table } from "../components/table.js";
import { Bytes, Count, DriverName, FindingLink, Name, TagChip } from "../components/names.js";
import { SeverityMark } from "../components/marks.js";
import { CopyButton, Empty, ErrorPanel, Skeleton } from "../components/states.js";

const MAX_BYTES = 8 * 1024 * 1024;
const ROWS_SHOWN = 50;

/** What was pasted and found last survives a look at another view, not a reload. */
const kept = { text: "", result: /** @type {Diagnosis | null} */ (null) };

/** @type {import("../components/table.js").Column[]} */
const ROW_COLUMNS = [
  { key: "tag", label: "Tag", cell: (r) => html`<${TagChip} tag=${r.tag} />` },
  { key: "pool", label: "Pool", cell: (r) => r.pool ?? html`<span class="unknown">unknown</span>` },
  { key: "allocs", label: "Allocs", number: true, cell: (r) => html`<${Count} value=${r.allocs} />` },
  { key: "frees", label: "Frees", number: true, cell: (r) => html`<${Count} value=${r.frees} />` },
  { key: "diff", label: "Diff", number: true, cell: (r) => html`<${Count} value=${r.outstanding} />` },
  { key: "bytes", label: "Bytes", number: true, cell: (r) => html`<${Bytes} value=${r.bytes} />` },
  { key: "text", label: "Description", class: "clip", cell: (r) => html`<${Name} value=${r.description} none="" length=${80} />` },
];

/** @type {import("../components/table.js").Column[]} */
const FLEET_COLUMNS = [
  { key: "tag", label: "Tag", cell: (c) => html`<${TagChip} tag=${c.tag} pool=${c.pool} />` },
  { key: "here", label: "In the capture", number: true, cell: (c) => html`<b><${Bytes} value=${c.bytes} /></b>` },
  { key: "median", label: "Fleet median", number: true, cell: (c) => html`<${Bytes} value=${c.fleet_median_bytes} />` },
  { key: "p99", label: "p99", number: true, cell: (c) => html`<${Bytes} value=${c.fleet_p99_bytes} />` },
  { key: "max", label: "Biggest", number: true, cell: (c) => html`<${Bytes} value=${c.fleet_max_bytes} />` },
  { key: "say", label: "In words", cell: (c) => html`${visible(c.sentence)}${c.finding_ids.slice(0, 3).map((/** @type {string} */ id, /** @type {number} */ i) => html` <${FindingLink} id=${id}>${c.finding_ids.length === 1 ? "See the finding" : `Finding ${i + 1}`}<//>`)}` },
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
      } else if (typeof value === "boolean") out.push([name, value ? "yes" : "no"]);
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
  return html`<section class="panel panel-flush" aria-label=${`Table ${index + 1}`}>
    <div class="panel-head"><h3>${visible(report.tool ?? "Table")}</h3><span class="muted">${count(report.rows.length)} rows read</span></div>
    ${facts.length ? html`<dl class="stats pad-all stats-small">${facts.map(([k, v]) => html`<div><dt>${k}</dt><dd>${v}</dd></div>`)}</dl>` : null}
    ${rows.length ? html`<${Table} caption=${`Rows of ${report.tool ?? "the table"}`} columns=${ROW_COLUMNS} rows=${rows} rowKey=${(/** @type {any} */ r) => String(report.rows.indexOf(r))} compact />` : null}
    ${rows.length < report.rows.length ? html`<div class="more"><button type="button" class="button button-small" onClick=${() => setAll(true)}>Show all ${count(report.rows.length)}</button></div>` : null}
    ${report.sessions?.length
      ? html`<${Table} caption="Sessions" rows=${report.sessions} rowKey=${(/** @type {any} */ s) => String(s.id)} compact
          columns=${[
            { key: "id", label: "Session", cell: (/** @type {any} */ s) => String(s.id) },
            { key: "paged", label: "Paged pool", number: true, cell: (/** @type {any} */ s) => html`<${Bytes} value=${s.paged_bytes ?? (s.paged_kb == null ? null : s.paged_kb * 1024)} />` },
            { key: "fail", label: "Failures", number: true, cell: (/** @type {any} */ s) => html`<${Count} value=${s.failures ?? null} />` },
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
      <div><h2>${verdict.title}</h2>${d.verdict_why ? html`<p class="lead">${visible(d.verdict_why)}</p>` : null}</div>
    </section>
    <div class="columns">
      ${d.suspects.length
        ? html`<section class="panel" aria-labelledby="sus-h"><h2 id="sus-h">Suspects</h2>
            <ul class="taglist">${d.suspects.map((s) => html`<li><${TagChip} tag=${s.tag} pool=${s.pool ?? undefined} /> <span>${s.driver ? html`<b><${DriverName} name=${s.driver} /></b>, ` : null}${s.pool ? html`${s.pool} pool. ` : null}<span class="muted">${visible(s.why)}</span>${s.known_leaks?.map((k) => html`<div class="small known-leak">Like a known leak: <b>${visible(k.title)}</b> (${visible(k.source)}). ${visible(k.advice)}</div>`)}</span></li>`)}</ul></section>`
        : null}
      ${d.next_steps.length
        ? html`<section class="panel" aria-labelledby="next-h"><h2 id="next-h">Next commands</h2>
            <ol class="steps">${d.next_steps.map((step) => {
              const { command, why } = splitStep(step);
              return html`<li><span>${why ? html`<span class="muted">${visible(why)}</span>` : null}<code>${visible(command)}</code></span><${CopyButton} text=${command} /></li>`;
            })}</ol></section>`
        : null}
      ${d.hints.length ? html`<section class="panel" aria-labelledby="hint-h"><h2 id="hint-h">Good to know</h2><ul class="bullets">${d.hints.map((h) => html`<li>${visible(h)}</li>`)}</ul></section>` : null}
    </div>
    ${d.comparison?.length
      ? html`<section class="panel panel-flush" aria-labelledby="cmp-h"><div class="panel-head"><h2 id="cmp-h">Against this fleet</h2></div>
          <${Table} caption="Comparison with the fleet" columns=${FLEET_COLUMNS} rows=${d.comparison} rowKey=${(/** @type {any} */ c) => c.tag + c.pool} /></section>`
      : html`<p class="muted">No comparison: the fleet does not know these tags, or no host has reported yet.</p>`}
    ${d.reports.length
      ? html`<h2>What was read</h2>${d.reports.map((r, i) => html`<${Report} key=${i} report=${r} index=${i} />`)}`
      : html`<${Empty} title="No table was recognised">Paste the whole screen, with its headings.<//>`}`;
}

export default function Diagnose() {
  useTitle("Diagnose");
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
      setError({ title: "The file is too large", detail: `${f.name} has ${bytes(f.size)}; at most ${bytes(MAX_BYTES)} can be read.` });
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
    <div class="page-head"><h1 tabindex="-1">Diagnose</h1><span class="muted">the output of <code>!poolused</code>, <code>!vm</code>, poolmon, memsnap or a table of pool tags</span></div>
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
      <textarea class="textarea" aria-label="Capture" placeholder="Paste the capture here, or drop a file. Nothing of it is stored." spellcheck="false" wrap="off" maxlength=${MAX_BYTES}
        value=${text} onInput=${(/** @type {any} */ e) => put(e.target.value)}
        onKeyDown=${(/** @type {KeyboardEvent} */ e) => {
          if (e.key === "Enter" && (e.ctrlKey || e.metaKey)) {
            e.preventDefault();
            void run();
          }
        }}></textarea>
      <div class="toolbar">
        <button type="submit" class="button button-primary" disabled=${busy || !text.trim()}>${busy ? "Reading\u2026" : "Diagnose"}</button>
        <button type="button" class="button" onClick=${() => file.current?.click()}>Open a file</button>
        <input ref=${file} type="file" hidden aria-hidden="true" tabindex="-1" onChange=${(/** @type {any} */ e) => {
          void read(e.target.files[0]);
          e.target.value = "";
        }} />
        ${text ? html`<button type="button" class="button button-quiet" onClick=${() => {
          put("");
          kept.result = null;
          setResult(null);
          setError(null);
        }}>Clear</button>` : null}
        <span class="muted push small">${text ? `${count(text.split("\n").length)} lines` : ""} <kbd>Ctrl</kbd> <kbd>\u21b5</kbd></span>
      </div>
    </form>
    ${error ? html`<${ErrorPanel} error=${error} retry=${text.trim() ? run : undefined} />` : null}
    ${busy && !result ? html`<${Skeleton} rows=${6} />` : null}
    ${result ? html`<div class=${"loaded" + (busy ? " pending" : "")}><${Result} d=${result} /></div>` : null}
  </div>`;
}
