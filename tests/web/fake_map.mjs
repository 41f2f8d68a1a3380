// SPDX-License-Identifier: Apache-2.0
// What the stand-in server answers to Today, Fleet map and Hosts beside the rest of fake_api.mjs.
const MIB = 2 ** 20;
const BANDS = ["0-1h", "1-8h", "8-72h", "3-14d", ">14d", "?"];
const TEXTS = ["os_name", "os_build", "role", "model", "agent", "finding", "outlier", "faulty", "driver"];
const iso = (ms) => new Date(ms).toISOString().slice(0, 19) + "Z";
const band = (s) => (s === null ? 5 : s < 3600 ? 0 : s < 8 * 3600 ? 1 : s < 72 * 3600 ? 2 : s < 14 * 86400 ? 3 : 4);
const SEVERITY = { info: 0, warning: 1, critical: 2 };

/** One value of each column for a host of the list. */
function row(h, k, w, f, query) {
  const finding = w.affected.get(h.id);
  const host = finding?.hosts.find((x) => x.id === h.id);
  const mib = (v) => (v === null ? null : Math.round(v / MIB));
  const tag = query.get("tag");
  const t = tag && f.tags.find((x) => x.tag === tag);
  const own = f.hosts.find((x) => x.id === h.id);
  const held = t && own ? f.held(own, t, f.now) : null;
  return {
    key: h.awaiting_first_snapshot ? null : k === 0 ? 17 : 1, id: h.id, name: h.name, os_name: h.os_name, os_build: h.os_build, role: h.role, model: h.model, agent: h.agent?.version ?? null,
    state: h.awaiting_first_snapshot ? 2 : h.silent ? 1 : 0, severity: h.worst_severity === null ? null : SEVERITY[h.worst_severity], findings: h.findings, finding: finding?.id ?? null,
    growth_bytes_per_hour: host?.rate_bytes_per_hour || null, exhausts_at: host?.exhausts_at ? Math.round(Date.parse(host.exhausts_at.p50) / 1000) : null,
    outlier: finding ? `${finding.pool}/${finding.tag}` : k % 40 === 3 ? "paged/Toke" : null, outlier_score: finding ? 120.5 : k % 40 === 3 ? 14.2 : null,
    band: band(h.uptime_seconds), uptime_seconds: h.uptime_seconds, age_seconds: h.last_seen === null ? null : Math.max(0, Math.round((f.now - Date.parse(h.last_seen)) / 1000)),
    ram_mib: mib(h.ram_bytes), nonpaged_mib: mib(h.nonpaged_bytes), paged_mib: mib(h.paged_bytes), nonpaged_limit_mib: mib(h.nonpaged_limit_bytes), simulated: h.simulated ? 1 : 0, faulty: h.faulty_reason,
    tag_mib: held === null ? null : mib(held), tag_score: held === null ? null : Math.round(((held - t.base) / (t.base * 0.4)) * 10) / 10,
    driver: query.get("driver") ? (h.awaiting_first_snapshot ? null : k % 9 === 0 ? "" : k % 3 ? "10.0.26100.3194" : "10.0.26100.4061") : null,
  };
}

/** GET /fleet-map. */
export function fleetMap(w, f, query) {
  const hosts = f.hosts.length ? [...w.hostItems, w.awaiting()] : [];
  const names = query.get("columns")?.split(",") ?? Object.keys(row(hosts[0] ?? w.hostItems[0] ?? {}, 0, w, f, query));
  const columns = Object.fromEntries(names.map((n) => [n, []]));
  const dictionaries = { band: BANDS };
  const numbers = Object.fromEntries(TEXTS.map((n) => [n, new Map()]));
  hosts.forEach((h, k) => {
    const r = row(h, k, w, f, query);
    for (const n of names) {
      const words = numbers[n];
      if (words && r[n] !== null && !words.has(r[n])) words.set(r[n], words.size);
      columns[n].push(words ? (r[n] === null ? null : words.get(r[n])) : r[n]);
    }
  });
  for (const n of names) if (numbers[n]) dictionaries[n] = [...numbers[n].keys()];
  return { as_of: hosts.length ? iso(f.now - 30000) : null, analyzed_at: hosts.length ? iso(f.now - 120000) : null, total: hosts.length, count: hosts.length, columns, dictionaries, awaiting: hosts.filter((h) => h.awaiting_first_snapshot).map((h) => h.id) };
}

/** What GET /overview says of every host, in its "hosts" too. */
export function overviewFleet(w, f, query) {
  const stand = () => ({ critical: 0, warning: 0, info: 0, faulty: 0, silent: 0, awaiting: 0, ok: 0 });
  const all = stand();
  const groups = new Map();
  for (const h of w.hostItems) {
    const how = h.worst_severity ?? (h.faulty_reason ? "faulty" : h.silent ? "silent" : "ok");
    if (!groups.has(h.role)) groups.set(h.role, { label: h.role, groups: 1, hosts: 0, ...stand() });
    groups.get(h.role)[how]++;
    groups.get(h.role).hosts++;
    all[how]++;
  }
  const since = query.get("since") ?? iso(Date.now() - 86400000);
  const change = { "f-1a2b3c4d5e6f7081": "new", "f-2a2b3c4d5e6f7082": "worsened", "f-3a2b3c4d5e6f7083": "resolved" };
  const items = Date.parse(since) > f.now - 3600000 ? [] : w.findings.map((x) => ({ finding_id: x.id, change: change[x.id], at: iso(f.now - 7200000), kind: x.kind, severity: x.severity, summary: w.hostile ? w.evil(x.summary, 0) : x.summary }));
  const leak = w.findings.find((x) => x.hosts.some((h) => h.exhausts_at));
  const first = leak?.hosts.filter((h) => h.exhausts_at).sort((a, b) => (a.exhausts_at.p50 < b.exhausts_at.p50 ? -1 : 1))[0];
  const n = f.hosts.length;
  return {
    hosts: { awaiting: n ? 1 : 0, standing: all },
    more: {
      map: { by: "role", groups: [...groups.values()].sort((a, b) => b.hosts - a.hosts).slice(0, 10) },
      checked: { hosts: n, tags: f.tags.length, rows: n * f.tags.length, cohorts: n ? 14 : 0, since: n ? iso(f.now - 40 * 86400000) : null },
      changes: { new: items.filter((i) => i.change === "new").length, worsened: items.filter((i) => i.change === "worsened").length, resolved: items.filter((i) => i.change === "resolved").length, items },
      changes_since: since,
      first_to_run_out: first ? { host_id: first.id, name: first.name, finding_id: leak.id, limit: first.limit, exhausts_at: first.exhausts_at } : null,
    },
  };
}
