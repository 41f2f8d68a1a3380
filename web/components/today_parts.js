// Parts of Today: how the hosts stand, what is new, what was checked, sums of the fleet.
import { html } from "../lib/ui.js";
import { bytes, count, timeLeft, utcTime } from "../lib/format.js";
import { findingHref, search } from "../lib/router.js";
import { LIMIT } from "../lib/words.js";
import { visible } from "../lib/text.js";
import { en } from "../lib/en.js";
import { Sign } from "./legend.js";
import { SeverityMark } from "./marks.js";
import { Bytes, HostName, Name, TagChip, Time } from "./names.js";
import { Age } from "./states.js";

const t = en.today;
const STANDING = /** @type {const} */ (["critical", "warning", "info", "faulty", "silent", "awaiting", "ok"]);
const ASK = /** @type {Record<string, Record<string, string>>} */ ({
  critical: { severity: "critical" }, warning: { severity: "warning" }, info: { severity: "info" }, faulty: { faulty: "yes" }, silent: { silent: "yes" },
});

/** The fleet as one strip, a block a role, the loudest at its foot. @param {{ o: Overview }} props */
function Strip({ o }) {
  const groups = o.map.groups;
  return html`<a class="strip-map" href="/map" aria-label=${t.mapLink} title=${t.mapLink}>
    ${groups.map((g, k) => html`<span key=${k} class="strip-group" aria-hidden="true" style=${{ flexGrow: String(g.hosts) }}
      title=${t.mapOf(g.label === null ? (g.groups > 1 ? t.otherRoles(g.groups) : t.roleUnknown) : visible(g.label), count(g.hosts))}>
      ${STANDING.filter((s) => s !== "ok" && g[s] > 0).map((s) => html`<span key=${s} class=${"strip-part strip-" + s} style=${{ flexBasis: `${((g[s] / g.hosts) * 100).toFixed(2)}%` }}></span>`)}
    </span>`)}
  </a>`;
}

/** @param {{ o: Overview }} props */
export function Standing({ o }) {
  const s = o.hosts.standing;
  const first = o.first_to_run_out;
  const left = first ? timeLeft(first.exhausts_at) : null;
  return html`<section class="panel" aria-labelledby="standing-h">
    <div class="panel-head"><h2 id="standing-h">${t.standing}</h2><a href="/map">${t.mapLink}</a></div>
    <${Strip} o=${o} />
    <ul class="standing">
      ${STANDING.filter((k) => s[k] > 0 || k === "critical" || k === "ok").map((k) => html`<li key=${k}><${Sign} sign=${k} size=${12} />${ASK[k] && s[k] > 0
        ? html`<a href=${"/hosts" + search(ASK[k])}><b>${count(s[k])}</b> ${t.standingOf[k]}</a>`
        : html`<span><b>${count(s[k])}</b> ${t.standingOf[k]}</span>`}</li>`)}
    </ul>
    <p class="first-out">${first && left
      ? html`${t.first}: <${HostName} id=${first.host_id} name=${first.name} length=${24} />, <a class=${"inline" + (left.soon ? " soon" : "")} href=${findingHref(first.finding_id)} title=${utcTime(left.at)}>${left.text}</a>${first.limit ? html` <span class="muted">${LIMIT[first.limit] ?? visible(first.limit)}</span>` : null}`
      : html`<span class="muted">${t.firstNone}</span>`}</p>
  </section>`;
}

/** @param {{ o: Overview, since: number | null, onSeen: () => void }} props */
export function News({ o, since, onSeen }) {
  const c = o.changes;
  const all = c.new + c.worsened + c.resolved;
  const shown = c.items.slice(0, 5);
  return html`<section class="panel" aria-labelledby="news-h">
    <div class="panel-head"><h2 id="news-h">${t.newSince(since === null ? t.yesterday : t.lastLook)}</h2>
      <span class="muted small"><${Time} value=${o.changes_since} as="ago" />${all && since !== null ? html`${" "}<button type="button" class="link-button no-print" onClick=${onSeen}>${t.seen}</button>` : null}</span></div>
    ${all === 0
      ? html`<p class="muted">${t.nothingNew}</p>`
      : html`<p class="news-counts">${/** @type {const} */ (["new", "worsened", "resolved"]).map((k) => html`<span key=${k} class=${c[k] ? "" : "muted"}><b>${count(c[k])}</b> ${t.counts[k]}</span>`)}</p>
          <ul class="news-list">${shown.map((i) => html`<li key=${i.finding_id}><${SeverityMark} severity=${i.severity} size=${13} /><span class=${"badge badge-change-" + i.change + (i.change === "new" ? " badge-new" : "")}>${t.change[i.change]}</span><a href=${findingHref(i.finding_id)} title=${visible(i.summary)}>${visible(i.summary)}</a><span class="muted small"><${Time} value=${i.at} as="ago" /></span></li>`)}</ul>
          ${all > shown.length ? html`<p class="muted small"><a href="/findings?status=open,acknowledged,resolved">${t.moreChanges(all - shown.length)}</a></p>` : null}`}
  </section>`;
}

/** What "healthy" rests on. @param {{ o: Overview }} props */
export function Checked({ o }) {
  const c = o.checked;
  return html`<ul class="checked" aria-label=${t.checked}>
    <li><${SeverityMark} severity="ok" size=${13} label=${false} /><span>${t.checkedHosts(count(c.hosts), count(c.cohorts))}</span></li>
    <li><${SeverityMark} severity="ok" size=${13} label=${false} /><span>${t.checkedTags(count(c.tags), count(c.rows))}</span></li>
    <li><${SeverityMark} severity="ok" size=${13} label=${false} /><span>${t.checkedSince} <${Time} value=${c.since} as="day" />; ${t.checkedLast} ${o.analyzed_at ? html`<${Age} time=${o.analyzed_at} limit=${3600} what="" />` : t.never}</span></li>
    ${o.hosts.faulty ? html`<li><${SeverityMark} severity="warning" size=${13} label=${false} /><a href="/hosts?faulty=yes">${t.faulty}: ${count(o.hosts.faulty)}</a></li>` : null}
    ${o.hosts.silent ? html`<li><${SeverityMark} severity="warning" size=${13} label=${false} /><a href="/hosts?silent=yes">${count(o.hosts.silent)} ${t.standingOf.silent}</a></li>` : null}
  </ul>`;
}

/** @param {{ o: Overview }} props */
export function Totals({ o }) {
  return html`<section class="panel" aria-labelledby="totals-h">
    <h2 id="totals-h">${t.fleet}</h2>
    <dl class="pairs">
      <div><dt>${t.hosts}</dt><dd><a href="/hosts">${count(o.hosts.total)}</a></dd></div>
      <div><dt>${t.reporting}</dt><dd>${count(o.hosts.reporting)}</dd></div>
      <div><dt>${t.silent}</dt><dd>${o.hosts.silent
        ? html`<a href="/hosts?silent=yes" class="warn-text"><${SeverityMark} severity="warning" size=${12} label=${false} /> ${count(o.hosts.silent)}</a>`
        : "0"}</dd></div>
      ${o.hosts.faulty ? html`<div><dt>${t.faulty}</dt><dd><a href="/hosts?faulty=yes" class="warn-text"><${SeverityMark} severity="warning" size=${12} label=${false} /> ${count(o.hosts.faulty)}</a></dd></div>` : null}
      ${o.hosts.awaiting ? html`<div><dt>${t.awaiting}</dt><dd>${count(o.hosts.awaiting)}</dd></div>` : null}
      <div><dt>${t.inFindings}</dt><dd>${o.hosts.in_findings ? html`<a href="/hosts?finding=yes">${count(o.hosts.in_findings)}</a>` : "0"}</dd></div>
      <div><dt>${t.nonpaged}</dt><dd><${Bytes} value=${o.pools.nonpaged_bytes} /></dd></div>
      <div><dt>${t.paged}</dt><dd><${Bytes} value=${o.pools.paged_bytes} /></dd></div>
      <div><dt>${t.lastHour}</dt><dd>${count(o.snapshots.last_hour)}</dd></div>
      <div><dt>${t.lastDay}</dt><dd>${count(o.snapshots.last_day)}</dd></div>
    </dl>
  </section>`;
}

/** @param {{ o: Overview }} props */
export function TopTags({ o }) {
  const max = Math.max(1, ...o.top_tags.map((tag) => tag.bytes ?? 0));
  return html`<section class="panel" aria-labelledby="top-h">
    <div class="panel-head"><h2 id="top-h">${t.biggest}</h2><a href="/tags">${t.allTags}</a></div>
    ${o.top_tags.length === 0 ? html`<p class="muted">${t.noTags}</p>` : null}
    <ol class="toptags">
      ${o.top_tags.map(
        (tag) => html`<li key=${tag.tag + tag.pool}>
          <${TagChip} tag=${tag.tag} pool=${tag.pool} />
          <span class="toptags-what muted"><${Name} value=${tag.driver ?? tag.description} none=${t.ownerUnknown} length=${40} /></span>
          <span class="toptags-bytes">${bytes(tag.bytes)}</span>
          <span class="bar" aria-hidden="true"><span style=${{ width: `${(((tag.bytes ?? 0) / max) * 100).toFixed(1)}%` }}></span></span>
        </li>`,
      )}
    </ol>
    <p class="muted small">${t.bigIsNotWrong}</p>
  </section>`;
}
