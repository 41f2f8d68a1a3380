// The first screen: healthy or not in one sentence, then what to act on.
import { html } from "../lib/ui.js";
import { useResource } from "../lib/resource.js";
import { useTitle } from "../lib/title.js";
import { bytes, count } from "../lib/format.js";
import { listed, plural } from "../lib/text.js";
import { SeverityMark } from "../components/marks.js";
import { Bytes, Name, TagChip } from "../components/names.js";
import { Age, Empty, Load, Skeleton } from "../components/states.js";
import { FindingItem, isFresh } from "../components/finding_item.js";

/** @param {Overview} o */
function headline(o) {
  const { critical, warning, open } = o.findings;
  if (o.hosts.total === 0) return { severity: "info", text: "No host has reported yet." };
  if (critical + warning > 0) {
    const parts = [];
    if (critical) parts.push(`${count(critical)} critical`);
    if (warning) parts.push(plural(warning, "warning"));
    const where = o.hosts.in_findings ? ` on ${count(o.hosts.in_findings)} of ${plural(o.hosts.total, "host")}` : "";
    return {
      severity: critical ? "critical" : "warning",
      text: `${plural(critical + warning, "finding needs", "findings need")} attention${where}: ${listed(parts)}.`,
    };
  }
  if (o.hosts.silent > 0 && o.hosts.reporting === 0) {
    return { severity: "warning", text: "No host reports any more." };
  }
  return {
    severity: "ok",
    text:
      (o.hosts.total === 1
        ? "The one host looks healthy"
        : `All ${count(o.hosts.reporting)} ${o.hosts.silent ? "reporting " : ""}hosts look healthy`) +
      (o.hosts.silent ? `; ${plural(o.hosts.silent, "is", "are")} silent` : "") + "." +
      (open ? ` ${plural(open, "note")} to read.` : ""),
  };
}

/** @param {{ o: Overview }} props */
function Totals({ o }) {
  return html`<section class="panel" aria-labelledby="totals-h">
    <h2 id="totals-h">Fleet</h2>
    <dl class="pairs">
      <div><dt>Hosts</dt><dd><a href="/hosts">${count(o.hosts.total)}</a></dd></div>
      <div><dt>Reporting</dt><dd>${count(o.hosts.reporting)}</dd></div>
      <div><dt>Silent</dt><dd>${o.hosts.silent
        ? html`<a href="/hosts?silent=yes" class="warn-text"><${SeverityMark} severity="warning" size=${12} label=${false} /> ${count(o.hosts.silent)}</a>`
        : "0"}</dd></div>
      <div><dt>In findings</dt><dd>${o.hosts.in_findings ? html`<a href="/hosts?finding=yes">${count(o.hosts.in_findings)}</a>` : "0"}</dd></div>
      <div><dt>Nonpaged pool</dt><dd><${Bytes} value=${o.pools.nonpaged_bytes} /></dd></div>
      <div><dt>Paged pool</dt><dd><${Bytes} value=${o.pools.paged_bytes} /></dd></div>
      <div><dt>Snapshots, last hour</dt><dd>${count(o.snapshots.last_hour)}</dd></div>
      <div><dt>Snapshots, last day</dt><dd>${count(o.snapshots.last_day)}</dd></div>
    </dl>
  </section>`;
}

/** @param {{ o: Overview }} props */
function TopTags({ o }) {
  const max = Math.max(1, ...o.top_tags.map((t) => t.bytes ?? 0));
  return html`<section class="panel" aria-labelledby="top-h">
    <div class="panel-head"><h2 id="top-h">Biggest tags</h2><a href="/tags">All tags</a></div>
    ${o.top_tags.length === 0 ? html`<p class="muted">No tag table has come in yet.</p>` : null}
    <ol class="toptags">
      ${o.top_tags.map(
        (t) => html`<li key=${t.tag + t.pool}>
          <${TagChip} tag=${t.tag} pool=${t.pool} />
          <span class="toptags-what muted"><${Name} value=${t.driver ?? t.description} none="owner unknown" length=${40} /></span>
          <span class="toptags-bytes">${bytes(t.bytes)}</span>
          <span class="bar" aria-hidden="true"><span style=${{ width: `${(((t.bytes ?? 0) / max) * 100).toFixed(1)}%` }}></span></span>
        </li>`,
      )}
    </ol>
    <p class="muted small">Big is not wrong: compare a host with its peers.</p>
  </section>`;
}

/** @param {{ o: Overview }} props */
function Body({ o }) {
  const fresh = o.findings.new_since_yesterday;
  const shownTotal = o.findings.open;
  return html`<div class="split">
    <section class="findings" aria-labelledby="findings-h">
      <div class="panel-head">
        <h2 id="findings-h">${o.top_findings.length ? "What to act on" : "Findings"}</h2>
        <span class="muted"
          >${fresh ? html`<b class="new-text">${plural(fresh, "finding is", "findings are")} new</b> since yesterday` : "Nothing new since yesterday"}</span
        >
      </div>
      ${o.top_findings.length
        ? html`<div class="finding-list">
            ${o.top_findings.map((f) => html`<${FindingItem} key=${f.id} finding=${f} fresh=${isFresh(f, o.server_time)} />`)}
          </div>
          ${shownTotal > o.top_findings.length
            ? html`<p class="more"><a href="/findings">All ${count(shownTotal)} findings</a></p>`
            : html`<p class="more"><a href="/findings?status=acknowledged,muted,resolved">Acknowledged, muted and resolved findings</a></p>`}`
        : o.hosts.total === 0
          ? html`<${Empty} title="Waiting for the first snapshot">
              <p>Install the agent on a Windows host, or start the simulator. Hosts appear here a minute later.</p>
              <p>Until then, <a href="/diagnose">paste a poolmon or debugger capture</a>.</p>
            <//>`
          : html`<div class="healthy">
              <${SeverityMark} severity="ok" size=${40} label=${false} />
              <p class="empty-title">No tag is out of line on any host</p>
              <p class="muted">
                Every (tag, pool) of ${plural(o.hosts.reporting, "reporting host")} was compared with its peers${o.analyzed_at
                  ? html` <${Age} time=${o.analyzed_at} limit=${3600} what="" />`
                  : ""}. Leaks, high levels and pools near their limit will stand here.
              </p>
              <p><a href="/findings?status=acknowledged,muted,resolved">Earlier findings</a></p>
            </div>`}
    </section>
    <aside class="side" aria-label="Fleet figures">
      <${Totals} o=${o} />
      <${TopTags} o=${o} />
    </aside>
  </div>`;
}

export default function Today() {
  useTitle("Today");
  const overview = /** @type {Resource<Overview>} */ (useResource("/overview", { every: 30000 }));
  const o = overview.data;
  const head = o ? headline(o) : null;
  return html`<div class="page">
    <div class="hero">
      ${o || !overview.error ? html`<div class="hero-mark">${head ? html`<${SeverityMark} severity=${head.severity} size=${26} />` : null}</div>` : null}
      <div>
        <h1 tabindex="-1">${head ? head.text : "Today"}</h1>
        <p class="hero-sub">
          ${o
            ? html`${o.simulated ? html`<span class="badge badge-simulated" title="At least one host is made by the simulator">Simulated fleet</span>` : null}
                ${o.analyzed_at ? html`<${Age} time=${o.analyzed_at} limit=${3600} what="Analysed" />` : html`<span class="age">Not analysed yet</span>`}
                ${o.as_of ? html`<${Age} time=${o.as_of} limit=${1800} what="Newest snapshot" />` : null}`
            : "\u00a0"}
        </p>
      </div>
    </div>
    <${Load} resource=${overview} render=${(/** @type {Overview} */ data) => html`<${Body} o=${data} />`} skeleton=${html`<${Skeleton} rows=${12} />`} />
  </div>`;
}
