// SPDX-License-Identifier: Apache-2.0
// The life of findings for the stand-in server: versions, mutes, the fix, series and the report.
const HOUR = 3600000;
const iso = (ms) => new Date(ms).toISOString().slice(0, 19) + "Z";

/** What every finding has beyond the first shape. */
export function life(x, state) {
  const patch = state.patches.get(x.id) ?? {};
  const mutes = (state.mutes ?? []).filter((m) => m.state === "standing" && (m.finding === x.id || m.tags.some((t) => x.tags.includes(t)) || m.hosts.length));
  const covers = (h) => mutes.find((m) => !m.hosts.length || m.hosts.includes(h.id))?.id ?? null;
  const hosts = x.hosts.map((h) => ({ ...h, muted_by: covers(h) }));
  const muted = mutes.length ? hosts.filter((h) => h.muted_by).length : 0;
  const whole = muted > 0 && muted === hosts.length;
  return { reopened_at: null, reopened_count: 0, muted_by: whole ? mutes[0].id : null, born_muted: false, muted_hosts: muted, version: 1 + (state.versions?.get(x.id) ?? 0),
    ...x, hosts, status: whole ? "muted" : (patch.status ?? x.status), mutes };
}

function series(x, query, fleet) {
  const n = Number(query.get("points") ?? 100);
  const t = Array.from({ length: n }, (_, i) => Math.round((fleet.now - (n - 1 - i) * (168 / n) * HOUR) / 1000));
  const tag = fleet.tags.find((y) => y.tag === x.tag);
  const line = (h) => t.map((at) => (at * 1000 < h.boot ? null : fleet.held(h, tag, at * 1000)));
  const well = fleet.hosts.filter((h) => !x.hosts.some((y) => y.id === h.id)).slice(0, 15);
  return {
    pool: x.pool, tag: x.tag, t,
    hosts: x.hosts.slice(0, Number(query.get("hosts") ?? 20)).map((h) => ({ id: h.id, name: h.name, bytes: line(fleet.hosts.find((y) => y.id === h.id)) })),
    peers: { hosts: well.length, alike: true, median: t.map((at) => well.map((h) => fleet.held(h, tag, at * 1000)).sort((a, b) => a - b)[7]) },
  };
}

function fix(x, now) {
  const cause = x.explained_by.find((c) => c.attribute.startsWith("driver/"));
  const none = { hosts: 0, read: 0, measured: 0, growing: 0, low: null, high: null, too_early: 0, unmeasured: 0, median_before: null, median_after: null };
  const head = { finding: x.id, attribute: cause?.attribute ?? null, value: cause?.value ?? null, pool: x.pool, tag: x.tag, other_hosts: 0, p_value: null, next_cursor: null };
  if (!cause) return { ...head, verdict: "no_version", sentence: "No version explains this finding, so there is no fix to check.", moved: none, stays: none, versions: [], items: [], total: 0 };
  const what = cause.attribute.slice(7);
  if (x.hosts.length < 8)
    return { ...head, verdict: "nobody_moved", sentence: `Nobody has moved yet: all ${x.hosts.length} affected hosts still have ${what} ${cause.value}.`, moved: none, stays: { ...none, hosts: x.hosts.length }, versions: [], items: [], total: 0 };
  const MB = 2 ** 20;
  const items = x.hosts.slice(0, 12).map((h, i) => ({
    id: h.id, name: h.name, moved: i < 8, from: cause.value, to: i < 8 ? "10.0.26100.4202" : null, changed_at: i < 8 ? iso(now - (30 + i * 3) * HOUR) : null,
    before_bytes_per_hour: (150 + i * 9) * MB, before_low: (140 + i * 9) * MB, before_high: (160 + i * 9) * MB, after_bytes_per_hour: i >= 8 ? null : i === 7 ? null : i === 6 ? 120 * MB : i * 0.4 * MB,
    after_low: i < 7 ? 0 : null, after_high: i < 7 ? 2 * MB : null, after_hours: i < 8 ? 28 : null, growth: i >= 8 || i === 6 ? "growing" : i === 7 ? "too_early" : "stopped", simulated: h.simulated,
  }));
  return { ...head, p_value: 0.02, verdict: "works", total: items.length, items,
    sentence: `The fix works: of 8 hosts that left ${what} ${cause.value}, 1 of 7 measured still grow (0 to 58 %), 1 too early to tell; of those that stay on it 4 of 4 grow.`,
    moved: { ...none, hosts: 8, read: 8, measured: 7, growing: 1, low: 0.004, high: 0.579, too_early: 1, median_before: 170 * MB, median_after: MB },
    stays: { ...none, hosts: x.hosts.length - 8, read: 4, measured: 4, growing: 4, low: 0.4, high: 1, median_before: 240 * MB },
    versions: [{ version: "10.0.26100.4202", hosts: 8, measured: 7, growing: 1, low: 0.004, high: 0.579 }] };
}

/** Answers what is about the life of findings; undefined: not mine. */
export function answerLife({ method, part, query, body, headers, state, w, fleet, missing }) {
  const now = fleet.now;
  if (part[0] === "mutes") {
    state.mutes ??= [];
    const mute = state.mutes.find((m) => String(m.id) === part[1]);
    if (method === "POST") {
      const asked = JSON.parse(body);
      if (/refuse me/.test(asked.reason)) throw { status: 422, title: "Invalid value", detail: "reason must be better", field: "reason" };
      const made = { id: state.mutes.length + 1, state: "standing", finding: null, tags: [], hosts: [], driver: null, driver_version: null, until: null, ...asked, created_by: "tester", created_at: iso(Date.now()), ended_at: null, ended_by: null, findings: 1, host_count: 3, version: 1 };
      state.mutes.push(made);
      return made;
    }
    if (part[1]) {
      if (!mute) throw missing;
      if (method === "DELETE") {
        if (headers["if-match"] !== `"v${mute.version}.0"`) throw { status: 412, title: "Changed by someone else meanwhile", detail: "another changed this mute meanwhile", field: "If-Match" };
        Object.assign(mute, { state: "ended", ended_at: iso(Date.now()), ended_by: "tester" });
      }
      return mute;
    }
    const items = state.mutes.filter((m) => !query.get("state") || m.state === query.get("state"));
    return { items: state.mood === "hostile" ? items.map((m) => ({ ...m, reason: w.evil("r", 0), created_by: w.evil("c", 1), driver: w.evil("d.sys", 6) })) : items, next_cursor: null, total: items.length };
  }
  if (part[0] !== "findings" || !part[1]) return undefined;
  const x = w.findings.find((y) => y.id === part[1]);
  if (!x) throw missing;
  if (part[2] === "series") return series(x, query, fleet);
  if (part[2] === "fix") return fix(x, now);
  if (!part[2] && method === "PATCH") {
    state.versions ??= new Map();
    const version = 1 + (state.versions.get(x.id) ?? 0);
    const seen = headers["if-match"];
    if (seen && seen !== `"v${version}.0"`) throw { status: 412, title: "Changed by someone else meanwhile", detail: "another changed this finding meanwhile", field: "If-Match" };
    state.versions.set(x.id, version);
  }
  return undefined;
}

/** Text of the report: the real one is tested against the real server. */
export const fakeReport = (query) => `# Report\n\n${query.get("names") === "yes" ? "FS001" : "host 1"} leaks\n`;
