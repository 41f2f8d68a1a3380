// A finding as a sentence with its facts, as Today and the findings list show it.
import { html } from "../lib/ui.js";
import { useResource } from "../lib/resource.js";
import { parseTime, percent, rate, timeLeft, UNKNOWN, utcTime } from "../lib/format.js";
import { findingHref } from "../lib/router.js";
import { attributeName, attributeValue, causeCounts, LIMIT } from "../lib/words.js";
import { visible } from "../lib/text.js";
import { en } from "../lib/en.js";
import { KindBadge, SeverityMark, Sparkline, StatusBadge } from "./marks.js";
import { HostName, Name, TagChip, Time } from "./names.js";

const t = en.findings;

/** The host that runs out first, or null. @param {FindingHost[]} hosts */
export function soonest(hosts) {
  let best = null;
  for (const host of hosts) {
    const left = timeLeft(host.exhausts_at);
    if (left && (!best || left.at < best.left.at)) best = { host, left };
  }
  return best;
}

/** The middle and the fastest growth over the finding's hosts. @param {FindingHost[]} hosts */
export function growth(hosts) {
  const rates = hosts.map((h) => h.rate_bytes_per_hour).filter((r) => r !== null && r !== undefined);
  if (!rates.length) return null;
  const sorted = /** @type {number[]} */ (rates).slice().sort((a, b) => a - b);
  return { median: sorted[Math.floor((sorted.length - 1) / 2)], max: sorted[sorted.length - 1] };
}

/** The attribute and its value, told apart from the words around them. @param {{ cause: Cause }} props */
export function CauseName({ cause }) {
  return html`<span class="cause-name"
    ><${Name} value=${attributeName(cause.attribute)} length=${40} />${" "}<${Name} value=${attributeValue(cause.attribute, cause.value)} length=${40} class="cause-value"
  /></span>`;
}

/** Where it is in its life, as far as that is not plain. @param {{ f: Finding }} props */
export function LifeBadges({ f }) {
  const some = f.muted_hosts && f.muted_hosts < f.host_count;
  return html`${f.born_muted ? html`<span class="badge badge-status-muted" title=${t.bornMutedWhy}>${t.bornMuted}</span>` : null}
    ${f.reopened_at && f.status !== "resolved" ? html`<span class="badge badge-warning">${t.reopened}</span>` : null}
    ${some ? html`<span class="badge badge-status-muted">${t.mutedHosts(f.muted_hosts ?? 0, f.host_count)}</span>` : null}`;
}

/** Bytes of the worst host over the last days: the shape says leak, step or cache. */
function HostSpark(/** @type {{ finding: Finding }} */ { finding }) {
  const host = finding.hosts[0];
  const path = host
    ? "/" + ["hosts", host.id, "tags", finding.tag, "series"].map(encodeURIComponent).join("/") +
      `?pool=${finding.pool}&points=80`
    : null;
  const series = /** @type {Resource<TagSeries>} */ (useResource(path, { every: 300000 }));
  return html`<${Sparkline}
    t=${series.data?.t}
    values=${series.data?.bytes}
    width=${148}
    height=${44}
    label=${series.data ? t.sparkOf(finding.tag, visible(host.name ?? host.id)) : ""}
    tone=${"spark-" + finding.severity}
  />`;
}

/** @param {{ finding: Finding, fresh?: boolean }} props fresh: new since yesterday */
export function FindingItem({ finding: f, fresh }) {
  const first = soonest(f.hosts);
  const grow = growth(f.hosts);
  const cause = f.explained_by[0];
  const named = f.hosts.slice(0, 3);
  const rest = f.host_count - named.length;
  return html`<article class=${"finding finding-" + f.severity} aria-labelledby=${"f-" + f.id}>
    <div class="finding-mark"><${SeverityMark} severity=${f.severity} size=${18} /></div>
    <div class="finding-main">
      <h3 class="finding-title" id=${"f-" + f.id}><a href=${findingHref(f.id)}>${visible(f.summary)}</a></h3>
      <div class="chips">
        ${fresh ? html`<span class="badge badge-new">${t.fresh}</span>` : null}
        <${KindBadge} kind=${f.kind} />
        ${f.status !== "open" ? html`<${StatusBadge} status=${f.status} />` : null}
        <${LifeBadges} f=${f} />
        ${f.tags.slice(0, 5).map((tag) => html`<${TagChip} key=${tag} tag=${tag} pool=${f.pool} />`)}
        ${f.tags.length > 5 ? html`<span class="muted">+${f.tags.length - 5}</span>` : null}
        <span class="muted">${t.poolOf(f.pool)}${f.owner?.driver ? html`${t.tagOf}<${Name} value=${f.owner.driver} length=${32} />` : ""}</span>
      </div>
    </div>
    <div class="finding-spark"><${HostSpark} finding=${f} /></div>
    <dl class="facts">
      <div>
        <dt>${t.facts.hosts}</dt>
        <dd><b>${f.host_count.toLocaleString("en-US")}</b>${" "}<span class="fact-note"
          >${named.map((h, i) => html`${i ? ", " : ""}<${HostName} id=${h.id} name=${h.name} length=${16} />`)}${rest > 0
            ? html`${" "}<a href=${findingHref(f.id)} class="muted">+${rest}</a>`
            : ""}</span></dd>
      </div>
      <div>
        <dt>${t.facts.growth}</dt>
        <dd>${grow && grow.median > 0
          ? html`<b>${rate(grow.median, grow.max)}</b>${grow.max > grow.median * 1.05 ? html` <span class="fact-note">${t.upTo(rate(grow.max))}</span>` : ""}`
          : html`<span class="muted">${grow ? t.noGrowth : UNKNOWN}</span>`}</dd>
      </div>
      <div>
        <dt>${t.facts.left}</dt>
        <dd>${first
          ? html`<b class=${first.left.soon ? "soon" : ""} title=${t.leftRange(utcTime(first.left.at))}>${first.left.text}</b>${" "}<span class="fact-note"
              >${f.host_count > 1 ? html`<${HostName} id=${first.host.id} name=${first.host.name} length=${16} /> ${t.first}` : ""}${f.host_count === 1 && first.host.limit ? LIMIT[first.host.limit] ?? first.host.limit : ""}</span>`
          : html`<span class="muted">${t.noLimit}</span>`}</dd>
      </div>
      <div class="fact-wide">
        <dt>${t.facts.cause}</dt>
        <dd>${cause
          ? html`<b><${CauseName} cause=${cause} /></b> <span class="fact-note">${causeCounts(cause)}</span>`
          : html`<span class="muted">${f.cause_note ? visible(f.cause_note) : t.noCause}</span>`}</dd>
      </div>
      <div>
        <dt>${t.facts.confidence}</dt>
        <dd><b>${percent(f.confidence)}</b> <span class="fact-note">${t.began} <${Time} value=${f.first_seen} as="ago" /></span></dd>
      </div>
    </dl>
  </article>`;
}

/** Opened within the last day before `now`. @param {Finding} finding @param {string | null} now */
export function isFresh(finding, now) {
  const seen = parseTime(finding.opened_at ?? finding.first_seen);
  const at = parseTime(now) ?? Date.now();
  return seen !== null && at - seen < 86400000;
}
