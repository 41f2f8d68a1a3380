// What explains a finding: each cause with its counter-evidence; of the leading ones also what only a
// pair has, the versions around the bad ones, and the growth before and after the change.
import { html } from "../lib/ui.js";
import { count, rate, ratio, UNKNOWN } from "../lib/format.js";
import { href } from "../lib/router.js";
import { attributeName, attributeValue } from "../lib/words.js";
import { visible } from "../lib/text.js";
import { en } from "../lib/en.js";
import { ApiLink } from "./api_link.js";
import { Meter } from "./marks.js";
import { Name } from "./names.js";
import { Empty } from "./states.js";
import { Table } from "./table.js";

const t = en.finding.why;

/** @param {string} attribute */
const isDriver = (attribute) => attribute.startsWith("driver/");

/** @param {string} attribute @param {string} value */
function causeLink(attribute, value) {
  if (isDriver(attribute)) return href(["drivers", attribute.slice(7)]);
  if (attribute === "role" || attribute === "os.build") return "/hosts?" + new URLSearchParams({ [attribute]: value });
  return null;
}

/** @param {{ attribute: string, value: string }} props */
function Fact({ attribute, value }) {
  const to = causeLink(attribute, value);
  const driver = isDriver(attribute);
  const name = html`<b><${Name} value=${driver ? attributeName(attribute) + " " + value : attributeValue(attribute, value)} length=${70} /></b>`;
  return html`<span class="muted">${driver ? t.driver : visible(attributeName(attribute))} </span>${to ? html`<a href=${to}>${name}</a>` : name}`;
}

/** @param {{ part: number, of: number, label: string, tone: string }} props */
function Share({ part, of, label, tone }) {
  return html`<span class="with-counts"><${Meter} value=${part} max=${of} label=${label} tone=${tone} /><span class="number">${t.of(count(part), count(of))}</span></span>`;
}

/** Last good, first bad and first good version, in this order. @param {{ c: Cause }} props */
function Versions({ c }) {
  if (!c.first_bad || (!c.last_good && !c.first_good)) return null;
  const steps = /** @type {const} */ ([["good", t.lastGood, c.last_good], ["bad", t.firstBad, c.first_bad], ["good", t.firstGood, c.first_good]]);
  return html`<ol class="versions-line" aria-label=${t.versions}>${steps.map(([tone, what, version]) =>
    version ? html`<li key=${what} class=${"version-" + tone}><small>${what}</small> <b><${Name} value=${version} length=${32} /></b></li>` : null)}</ol>`;
}

/** The same hosts before and after it came to them. @param {{ c: Cause }} props */
function Change({ c }) {
  if (!c.changed_hosts || c.rate_before == null || c.rate_after == null) return null;
  const top = Math.max(c.rate_before, c.rate_after, 1);
  return html`<div class="change"><p class="small">${t.changed(c.changed_hosts)}</p>
    <dl>${/** @type {[string, number, string][]} */ ([[t.before, c.rate_before, "plain"], [t.after, c.rate_after, "critical"]]).map(([what, value, tone]) => html`<div key=${what}><dt>${what}</dt><dd class="with-counts"><${Meter} value=${value} max=${top} label=${what} tone=${tone} /> <span class="number">${rate(value)}</span></dd></div>`)}</dl></div>`;
}

/** @type {import("./table.js").Column[]} */
const COLUMNS = [
  { key: "what", label: t.share, cell: (c) => html`<${Fact} attribute=${c.attribute} value=${c.value} />${c.and_attribute && c.and_value ? html`<div class="only-with">${t.onlyWith} <${Fact} attribute=${c.and_attribute} value=${c.and_value} /></div>` : null}` },
  { key: "with", label: t.withIt, cell: (c) => html`<${Share} part=${c.affected_with} of=${c.affected} label=${t.withLabel} tone="critical" />` },
  { key: "against", label: t.against, hint: t.againstHint, cell: (c) => html`<${Share} part=${c.unaffected_with} of=${c.unaffected} label=${t.againstLabel} tone="plain" />` },
  { key: "rr", label: t.ratio, number: true, hint: t.ratioHint, cell: (c) => ratio(c.risk_ratio) },
  { key: "q", label: t.q, number: true, hint: t.qHint, cell: (c) => (c.q_value === null ? UNKNOWN : c.q_value < 0.0001 ? "< 0.0001" : c.q_value.toFixed(4)) },
];

/** @param {{ f: Finding }} props */
export function Why({ f }) {
  const first = f.explained_by[0];
  const more = first && (first.changed_hosts || (first.first_bad && (first.last_good || first.first_good)));
  return html`<section class="panel panel-flush" aria-labelledby="why-h">
    <div class="panel-head"><h2 id="why-h">${t.title}</h2><span class="muted">${t.sub} <${ApiLink} path=${href(["findings", f.id])} what=${t.title} /></span></div>
    ${first
      ? html`<${Table} caption=${t.title} columns=${COLUMNS} rows=${f.explained_by} rowKey=${(/** @type {Cause} */ c) => c.attribute + "=" + c.value} />
          ${more ? html`<div class="cause-more pad-all"><${Versions} c=${first} /><${Change} c=${first} /></div>` : null}`
      : html`<div class="pad"><${Empty} title=${t.nothing}>${f.cause_note ? visible(f.cause_note) : null}<//></div>`}
    ${first && f.cause_note ? html`<p class="muted pad-all">${visible(f.cause_note)}</p>` : null}
  </section>`;
}
