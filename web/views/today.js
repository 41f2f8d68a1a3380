// The first screen: healthy or not in one sentence, how the hosts stand, what is new, what to act on.
import { html, useMemo, useState } from "../lib/ui.js";
import { useResource } from "../lib/resource.js";
import { useTitle } from "../lib/title.js";
import { search } from "../lib/router.js";
import { count } from "../lib/format.js";
import { listed, plural } from "../lib/text.js";
import { DAY_MS, markSeen, visit } from "../lib/looked.js";
import { en } from "../lib/en.js";
import { SeverityMark } from "../components/marks.js";
import { Age, Empty, Load, Skeleton } from "../components/states.js";
import { FindingItem, isFresh } from "../components/finding_item.js";
import { Checked, News, Standing, TopTags, Totals } from "../components/today_parts.js";

const t = en.today;

/** So many hosts are silent that what the others say is not the whole truth. @param {Overview} o */
const manySilent = (o) => o.hosts.silent * 20 > o.hosts.total;

/** @param {Overview} o */
function headline(o) {
  const { critical, warning, open } = o.findings;
  if (o.hosts.total === 0) return { severity: "info", text: t.none };
  if (critical + warning > 0) {
    const parts = [];
    if (critical) parts.push(t.critical(count(critical)));
    if (warning) parts.push(t.warnings(warning));
    const where = o.hosts.in_findings ? t.on(count(o.hosts.in_findings), plural(o.hosts.total, "host")) : "";
    return { severity: critical ? "critical" : "warning", text: t.attention(critical + warning, where, listed(parts), manySilent(o) ? t.silentToo(o.hosts.silent) : "") };
  }
  if (o.hosts.faulty > 0 && o.hosts.reporting <= o.hosts.faulty) return { severity: "warning", text: t.onlyFaulty };
  if (o.hosts.silent > 0 && o.hosts.reporting === 0) return { severity: "warning", text: t.nobody };
  return {
    severity: manySilent(o) ? "warning" : "ok",
    text: (o.hosts.total === 1 ? t.oneWell : t.allWell(count(Math.max(0, o.hosts.reporting - o.hosts.faulty)), o.hosts.silent + o.hosts.faulty > 0)) +
      (o.hosts.silent ? t.silentToo(o.hosts.silent) : "") + (o.hosts.faulty ? t.faultyToo(o.hosts.faulty) : "") + "." + (open ? t.notes(open) : ""),
  };
}

/** @param {{ o: Overview, since: number | null, onSeen: () => void }} props */
function Body({ o, since, onSeen }) {
  const shownTotal = o.findings.open;
  return html`${o.hosts.total > 0 ? html`<div class="today-top"><${Standing} o=${o} /><${News} o=${o} since=${since} onSeen=${onSeen} /></div>` : null}
  <div class="split">
    <section class="findings" aria-labelledby="findings-h">
      <div class="panel-head"><h2 id="findings-h">${o.top_findings.length ? t.act : t.findings}</h2></div>
      ${o.top_findings.length
        ? html`<div class="finding-list">
            ${o.top_findings.map((f) => html`<${FindingItem} key=${f.id} finding=${f} fresh=${isFresh(f, o.server_time)} />`)}
          </div>
          ${shownTotal > o.top_findings.length
            ? html`<p class="more"><a href="/findings">${t.all(count(shownTotal))}</a></p>`
            : html`<p class="more"><a href="/findings?status=acknowledged,muted,resolved">${t.others}</a></p>`}`
        : o.hosts.total === 0
          ? html`<${Empty} title=${t.waiting}>
              <p>${t.waitingHow}</p>
              <p>${t.until}<a href="/diagnose">${t.paste}</a>.</p>
            <//>`
          : html`<div class="healthy">
              <${SeverityMark} severity="ok" size=${40} label=${false} />
              <p class="empty-title">${t.healthy}</p>
              <p class="muted">${t.healthyWhat}</p>
              <${Checked} o=${o} />
              <p><a href="/findings?status=acknowledged,muted,resolved">${t.earlier}</a></p>
            </div>`}
    </section>
    <aside class="side" aria-label=${t.figures}>
      <${Totals} o=${o} />
      <${TopTags} o=${o} />
    </aside>
  </div>`;
}

/** @returns {any} */
const storage = () => {
  try {
    return localStorage;
  } catch {
    return { getItem: () => null, setItem: () => undefined };
  }
};

export default function Today() {
  useTitle(t.title);
  const first = useMemo(() => visit(storage(), Date.now()).since, []);
  const [since, setSince] = useState(first);
  // Further back than a month is not news; to the minute, so that answers can be kept.
  const from = since === null ? null : new Date(Math.max(since, Date.now() - 30 * DAY_MS)).toISOString().slice(0, 17) + "00Z";
  const asked = useMemo(() => from, [since]);
  const overview = /** @type {Resource<Overview>} */ (useResource("/overview" + search({ since: asked }), { every: 30000, keep: true }));
  const o = overview.data;
  const head = o ? headline(o) : null;
  const seen = () => {
    const now = Date.now();
    markSeen(storage(), now);
    setSince(now);
  };
  return html`<div class="page">
    <div class="hero">
      ${o || !overview.error ? html`<div class="hero-mark">${head ? html`<${SeverityMark} severity=${head.severity} size=${26} />` : null}</div>` : null}
      <div>
        <h1 tabindex="-1">${head ? head.text : t.title}</h1>
        <p class="hero-sub">
          ${o
            ? html`${o.simulated ? html`<span class="badge badge-simulated" title=${t.simulatedWhy}>${t.simulated}</span>` : null}
                ${o.analyzed_at ? html`<${Age} time=${o.analyzed_at} limit=${3600} what=${t.analysed} />` : html`<span class="age">${o.top_findings.length ? t.analysing : t.notAnalysed}</span>`}
                ${o.as_of ? html`<${Age} time=${o.as_of} limit=${1800} what=${t.newest} />` : null}`
            : "\u00a0"}
        </p>
      </div>
    </div>
    <${Load} resource=${overview} render=${(/** @type {Overview} */ data) => html`<${Body} o=${data} since=${since} onSeen=${seen} />`} skeleton=${html`<${Skeleton} rows=${12} />`} />
  </div>`;
}
