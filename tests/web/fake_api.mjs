// SPDX-License-Identifier: Apache-2.0
// A stand-in for the server: serves the page's folder under the real security headers and answers the
// REST API from an invented fleet, in several moods (normal, healthy, empty, hostile, error, slow).
// For tests of the page's states only. By hand: `node tests/web/fake_api.mjs [PORT] [MOOD]`.
import { EventEmitter, once } from "node:events";
import { createServer } from "node:http";
import { readFile } from "node:fs/promises";
import { extname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";
import { adminRows, answerAdmin } from "./fake_admin.mjs";
import { answerHost, tagColumns } from "./fake_host.mjs";
import { answerLife, fakeReport, life } from "./fake_life.mjs";
import { fleetMap, overviewFleet } from "./fake_map.mjs";
import { answerExplain } from "./fake_explain.mjs";

const ROOT = fileURLToPath(new URL("../../build/web/", import.meta.url));
export const CSP =
  "default-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
  "frame-ancestors 'none'; base-uri 'none'; form-action 'self'";
const TYPES = {
  ".html": "text/html; charset=utf-8", ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8", ".svg": "image/svg+xml", ".txt": "text/plain; charset=utf-8",
};
const GB = 2 ** 30;
const MB = 2 ** 20;
const HOUR = 3600000;
const TOKEN = "invented-token";
const PASSWORD = "invented password";
const SETUP = "S".repeat(43);

/** Rows of the admin's lists. */
function people() {
  const at = (days) => new Date(Date.now() - days * 86400000).toISOString();
  const user = (id, name, role, more = {}) => ({ id, name, role, has_password: true, disabled: false, sessions: id % 3, created_at: at(90), last_sign_in_at: at(id), password_changed_at: at(90), disabled_at: null, version: 1, ...more });
  const secret = (id, name, more = {}) => ({ id, name, state: "active", created_at: at(30 + id), last_used_at: id % 2 ? at(1) : null, expires_at: id % 3 ? at(-60) : null, revoked_at: null, ...more });
  const change = (id, actor_kind, action, object, detail = null) => ({ id, at: at(id / 10), actor: actor_kind === "cli" ? "postgres" : "ann", actor_kind, address: actor_kind === "cli" ? null : "192.0.2.17", action, object, detail });
  return {
    ...adminRows(at),
    users: [user(1, "ann", "admin"), user(2, "bob", "operator"), user(3, "carol", "viewer", { disabled: true, disabled_at: at(3) }), user(4, "dan", "viewer", { has_password: false, last_sign_in_at: null })],
    tokens: [secret(1, "nightly export", { role: "viewer" }), secret(2, "collector in Oslo", { role: "ingest" }), secret(3, "old script", { role: "operator", state: "revoked", revoked_at: at(5) })],
    "enroll-secrets": [secret(1, "rollout", { uses: 412, max_uses: 500 }), secret(2, "lab", { uses: 3, max_uses: null })],
    audit: [change(1, "user", "user.create", "bob", { role: "operator" }), change(2, "cli", "tags.import", "pooltag.txt"), change(3, "proxy", "finding.change", "f-1a2b3c4d5e6f7081", { status: "muted", note: true }), change(4, "setup", "user.create", "ann", { role: "admin" })],
  };
}

/** Repeatable random numbers. */
function randomFrom(seed) {
  let a = seed >>> 0;
  return () => {
    a = (a + 0x6d2b79f5) >>> 0;
    let t = Math.imul(a ^ (a >>> 15), 1 | a);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}
const iso = (ms) => new Date(ms).toISOString().slice(0, 19) + "Z";
const median = (list) => list.slice().sort((a, b) => a - b)[Math.floor(list.length / 2)];
const at = (list, q) => list[Math.min(list.length - 1, Math.floor(list.length * q))];

const KNOWN = [
  ["MmSt", "paged", 900, "nt!mm", "Mm section object prototype ptes"], ["Ntff", "paged", 420, "ntfs.sys", "FCB_DATA"],
  ["CM31", "paged", 300, "nt!cm", "Internal Configuration manager allocations"], ["NtfF", "paged", 180, "ntfs.sys", "FCB_INDEX"],
  ["FMfn", "paged", 160, "fltmgr.sys", "NAME_CACHE_NODE structure"], ["Toke", "paged", 60, "nt!se", "Token objects"],
  ["File", "nonpaged", 90, null, "File objects"], ["EtwB", "nonpaged", 70, "nt!etw", "Etw Buffer"],
  ["Thre", "nonpaged", 40, "nt!ps", "Thread objects"], ["Proc", "nonpaged", 12, "nt!ps", "Process objects"],
  ["NtFC", "nonpaged", 35, "ntfs.sys", "Ccb structure"], ["IoFE", "nonpaged", 20, "nt!io", "File object extension"],
  ["WCsc", "nonpaged", 1, "wcifs.sys", "Windows Container Isolation stream context"], ["AmdK", "nonpaged", 24, "amdkmdag.sys", null],
  ["Ddk ", "nonpaged", 30, null, "Default for driver allocated memory (user's of ntddk.h)"],
  [" MPP", "nonpaged", 3, null, null], ["Npcp", "nonpaged", 4, "npcap.sys", "Npcap packet capture"],
  ["Vad ", "nonpaged", 44, "nt!mm", "Mm virtual address descriptors"], ["\\x01abc", "nonpaged", 0.4, null, null],
  ["Even", "nonpaged", 14, null, "Event objects"], ["AfdE", "nonpaged", 9, "afd.sys", "Afd endpoint structure"],
  ["ConT", "nonpaged", 220, "nt!ex", "CON_TAG: bookkeeping of the pool itself"], ["MmCa", "nonpaged", 66, "nt!mm", "Mm control areas for mapped files"],
  ["SeTd", "paged", 8, "nt!se", "Security token dynamic part"], ["Ntfc", "paged", 26, "ntfs.sys", "CCB_DATA"],
];

export function inventFleet({ hostCount = 500, tagCount = 320, seed = 7, now = Date.now(), sick = true } = {}) {
  const rnd = randomFrom(seed);
  const tags = KNOWN.map(([tag, pool, mb, driver, description]) => ({ tag, pool, base: mb * MB, driver, description }));
  const letters = "ABCDEFGHIKLMNOPRSTUVWXabcdefghiklmnoprstuvwxz";
  const taken = new Set(tags.map((t) => t.tag));
  while (tags.length < tagCount) {
    let tag = "";
    for (let i = 0; i < 4; i++) tag += letters[Math.floor(rnd() * letters.length)];
    if (taken.has(tag)) continue;
    taken.add(tag);
    tags.push({ tag, pool: rnd() < 0.6 ? "nonpaged" : "paged", base: Math.exp(6 + rnd() * 10), driver: rnd() < 0.5 ? `drv${tags.length}.sys` : null, description: null });
  }
  const roles = [["file-server", "FS"], ["build-agent", "BLD"], ["terminal-server", "TS"], ["web", "WEB"]];
  const builds = ["20348.2700", "26100.4061", "26100.3194"];
  const hosts = [];
  for (let i = 0; i < hostCount; i++) {
    const [role, short] = roles[i % roles.length];
    const boot = now - (2 + rnd() * 24 * 30) * HOUR;
    const build = builds[Math.floor(rnd() * builds.length)];
    hosts.push({
      id: `6f1c0000-0000-4000-8000-${String(i).padStart(12, "0")}`,
      name: `${short}${String(Math.floor(i / 4) + 1).padStart(3, "0")}`,
      os_name: build.startsWith("2034") ? "Windows Server 2022" : "Windows Server 2025",
      os_build: build, role, model: rnd() < 0.5 ? "PowerEdge R650" : "ProLiant DL380",
      ram_bytes: [16, 32, 64, 128][Math.floor(rnd() * 4)] * GB,
      boot, last: i % 97 === 96 ? now - 9 * HOUR : now - Math.floor(rnd() * 300000),
      scale: 0.6 + rnd() * 0.9, leak: sick && i % 26 === 1, level: sick && i % 167 === 3,
    });
  }
  const rateOf = (h) => (h.leak ? (0.4 + ((h.id.charCodeAt(34) % 7) / 7) * 1.4) * GB : 0);
  const held = (h, t, when) => {
    const age = Math.max(0, (when - h.boot) / HOUR);
    let v = t.base * h.scale * (1 - Math.exp(-age / 20)) * (0.92 + 0.08 * Math.sin(when / 14e6 + t.base));
    if (h.leak && ["WCsc", "NtFC", "IoFE"].includes(t.tag)) {
      const since = Math.max(0, (when - Math.max(h.boot, now - 60 * HOUR)) / HOUR);
      v += since * rateOf(h) * { WCsc: 0.12, NtFC: 0.07, IoFE: 0.05 }[t.tag];
    }
    if (h.level && t.tag === "AmdK") v += 2.4 * GB;
    return Math.round(v);
  };
  return { tags, hosts, held, rateOf, now };
}

function build(fleet, mood) {
  const { tags, hosts, held, rateOf, now } = fleet;
  const hostile = mood === "hostile";
  const evil = (text, i) =>
    ["<img src=x onerror=alert(1)>", "\u202egnp.exe\u202c", "A\u0000\u0007\u001b[31m", "x".repeat(256), "'; DROP TABLE hosts; --", "\u200b\u200b", "<script>alert(1)</script>"][i % 7] + text;
  const name = (h, i = hosts.indexOf(h)) => (hostile ? evil(h.name, i) : h.name);
  const driverName = (d, i = 0) => (hostile && d ? evil(d, i + 2) : d);
  const sums = (h, when = now) => {
    const out = { nonpaged: 0, paged: 0 };
    for (const t of tags) out[t.pool] += held(h, t, when);
    return out;
  };
  const leaking = hosts.filter((h) => h.leak);
  const levelled = hosts.filter((h) => h.level);
  const findings = [];
  const isSimulated = (h) => hosts.indexOf(h) % 3 === 0;
  const fh = (h, tag) => {
    const t = tags.find((x) => x.tag === tag);
    const rate = tag === "WCsc" ? rateOf(h) * 0.24 : 0;
    const left = rate ? ((h.ram_bytes * 0.5) / rate) * HOUR : 0;
    return {
      id: h.id, name: name(h), bytes: held(h, t, now), rate_bytes_per_hour: rate ? Math.round(rate) : 0, since: iso(now - 60 * HOUR),
      exhausts_at: rate ? { p10: iso(now + left * 0.8), p50: iso(now + left), p90: iso(now + left * 1.35) } : null,
      cohort_bytes: Math.round(t.base), cohort_hosts: 120, score: tag === "WCsc" ? 1240 : 38.2, limit: rate ? "nonpaged_limit" : null,
      process: tag === "WCsc" ? (hostile ? evil("vmcompute.exe", 1) : "vmcompute.exe") : null, process_handles: tag === "WCsc" ? 410233 : null, simulated: isSimulated(h),
    };
  };
  const base = { status: "open", note: null, muted_until: null, acknowledged_by: null, cause_note: null, last_seen: iso(now - 60000) };
  if (leaking.length) {
    const list = leaking.map((h) => fh(h, "WCsc")).sort((a, b) => b.rate_bytes_per_hour - a.rate_bytes_per_hour);
    findings.push({
      ...base, id: "f-1a2b3c4d5e6f7081", kind: "leak", severity: "critical", confidence: 0.97, pool: "nonpaged", tag: "WCsc", tags: ["WCsc", "NtFC", "IoFE"],
      summary: `WCsc and 2 more tags leak in the nonpaged pool on ${list.length} hosts, 212 MB/h in the middle, up to 437 MB/h.`,
      hosts: list, host_count: list.length,
      explained_by: [
        { attribute: "driver/" + driverName("wcifs.sys"), value: "10.0.26100.4061", affected: list.length, affected_with: list.length, unaffected: hosts.length - list.length, unaffected_with: 2, risk_ratio: 231, q_value: 0,
          and_attribute: "role", and_value: hostile ? evil("build-agent", 0) : "build-agent", first_bad: "10.0.26100.4061", last_good: "10.0.26100.3915", first_good: hostile ? evil("10.0.26100.4202", 3) : "10.0.26100.4202", changed_hosts: 6, rate_before: 2.1 * MB, rate_after: 171 * MB },
        { attribute: "role", value: "build-agent", affected: list.length, affected_with: list.length, unaffected: hosts.length - list.length, unaffected_with: 106, risk_ratio: 4.5, q_value: 0.0002 },
        { attribute: "os.build", value: "26100.4061", affected: list.length, affected_with: 11, unaffected: hosts.length - list.length, unaffected_with: 160, risk_ratio: 1.4, q_value: 0.21 },
      ],
      owner: { driver: "wcifs.sys", description: "Windows Container Isolation stream context", source: "builtin" },
      first_seen: iso(now - 11 * HOUR),
      evidence: ["Frees stayed at 0 for WCsc since boot on all hosts while allocs rose by 41,200 an hour.", "NtFC and IoFE follow WCsc with a lag of one snapshot (rank correlation 0.99).", "No other tag of the filter manager grew on these hosts."],
    });
  }
  if (levelled.length) {
    const list = levelled.map((h) => fh(h, "AmdK"));
    findings.push({
      ...base, id: "f-2a2b3c4d5e6f7082", kind: "level", severity: "warning", confidence: 0.82, pool: "nonpaged", tag: "AmdK", tags: ["AmdK"],
      summary: `AmdK holds 2.4 GB of nonpaged pool on ${list.length} hosts, 100 times the 24 MB of their peers, and is not growing.`,
      hosts: list, host_count: list.length,
      explained_by: [{ attribute: "driver/amdkmdag.sys", value: "32.0.11002.41", affected: list.length, affected_with: list.length, unaffected: hosts.length - list.length, unaffected_with: 14, risk_ratio: 26, q_value: 0.01 }],
      owner: { driver: "amdkmdag.sys or amdkmpfd.sys or 2 more", description: "the code of each of these drivers allocates with this tag", source: "driver_scan" }, first_seen: iso(now - 9 * 24 * HOUR), evidence: ["The level was reached within an hour after boot."],
    });
    findings.push({
      ...base, id: "f-3a2b3c4d5e6f7083", kind: "shift", severity: "info", confidence: 0.64, pool: "paged", tag: "Toke", tags: ["Toke", "SeTd"],
      summary: "Toke uses 31 MB more on hosts with build 26100.4061 than before the update, steadily.", hosts: [fh(hosts[2], "Toke")], host_count: 1,
      explained_by: [], cause_note: "one host is too few to compare", owner: null, first_seen: iso(now - 3 * 24 * HOUR), evidence: [],
    });
  }
  const affected = new Map();
  for (const f of findings) for (const h of f.hosts) affected.set(h.id, f);

  const isFaulty = (h) => mood === "faulty" && h === hosts[7];
  const hostItem = (h) => {
    const s = sums(h);
    return {
      id: h.id, name: name(h), os_name: h.os_name, os_build: h.os_build, role: h.role, model: h.model, ram_bytes: h.ram_bytes, boot_at: iso(h.boot),
      uptime_seconds: Math.round((now - h.boot) / 1000), last_seen: iso(h.last), nonpaged_bytes: s.nonpaged, paged_bytes: s.paged,
      nonpaged_limit_bytes: Math.round(h.ram_bytes * 0.75), findings: affected.has(h.id) ? 1 : 0, worst_severity: affected.get(h.id)?.severity ?? null, simulated: isSimulated(h),
      silent: now - h.last > HOUR, faulty_since: isFaulty(h) ? iso(now - 5 * HOUR) : null, faulty_reason: isFaulty(h) ? "nonpaged_beyond_memory" : null, awaiting_first_snapshot: false, enrolled_at: null,
      agent: { version: hostile ? evil("0.1.0", 2) : "0.1.0", waiting: 3, dropped: 12, simulated: isSimulated(h) },
    };
  };
  /** Enrolled, nothing sent: found by its name and by its address, not counted among the others. */
  const awaiting = () => ({ ...hostItem(hosts[0]), ...Object.fromEntries(["os_name", "os_build", "role", "model", "ram_bytes", "boot_at", "uptime_seconds", "last_seen", "nonpaged_bytes", "paged_bytes", "nonpaged_limit_bytes", "worst_severity"].map((k) => [k, null])),
    id: "awaiting", name: "NEW-HOST", findings: 0, simulated: false, silent: false, faulty_since: null, faulty_reason: null, awaiting_first_snapshot: true, enrolled_at: iso(now - 90000), agent: { version: "0.1.0", waiting: null, dropped: null, simulated: false } });
  const tagItem = (t, i) => {
    const values = hosts.map((h) => held(h, t, now));
    const sorted = values.slice().sort((a, b) => a - b);
    const top = values.indexOf(sorted[sorted.length - 1]);
    return {
      tag: t.tag, pool: t.pool, hosts: hosts.length, bytes: values.reduce((a, b) => a + b, 0), median_bytes: at(sorted, 0.5), p99_bytes: at(sorted, 0.99), max_bytes: sorted[sorted.length - 1],
      max_host_id: hosts[top]?.id ?? null, max_host_name: hosts[top] ? name(hosts[top]) : null, outstanding: Math.round(values.reduce((a, b) => a + b, 0) / 256), driver: driverName(t.driver, i),
      description: hostile ? evil(t.description ?? "", i) : t.description, source: t.driver ? "builtin" : null, findings: findings.filter((f) => f.tags.includes(t.tag)).length,
    };
  };
  /** What the server would find for these tags in its list of known leaks. */
  const knownLeaks = (of) => (!of.includes("WCsc") ? [] : [
    { id: "wcifs-context-references", title: hostile ? evil("wcifs.sys never releases its contexts", 1) : "wcifs.sys never releases its contexts of container reparse points", fit: "tags and version",
      says: hostile ? evil("wcifs.sys 1", 2) : "os.build 26100.4061 is among those that leak (26100)", advice: hostile ? evil("Wait.", 3) : "Watch WCsc with its frees at 0 and plan restarts.",
      source: hostile ? evil("a/b#1", 0) : "microsoft/Windows-Containers#646", confidence: "reported" },
    { id: "npcap-1.76", title: "Npcap 1.76 and 1.77 keep the frames they see", fit: "tags, version contradicts", says: "npcap.sys 1.79 is among those that do not leak",
      advice: "Update Npcap to 1.78 or later.", source: "nmap/npcap#688", confidence: "confirmed by vendor" },
  ]);
  let hostItems, tagItems;
  return {
    findings, get hostItems() { return (hostItems ??= hosts.map(hostItem)); }, get tagItems() { return (tagItems ??= tags.map(tagItem)); },
    hostItem, awaiting, tagItem, knownLeaks, name, driverName, sums, affected, evil, hostile,
  };
}

function sorted(items, sort) {
  if (!sort) return items;
  const down = sort.startsWith("-");
  const field = down ? sort.slice(1) : sort;
  const rank = { info: 1, warning: 2, critical: 3 };
  const value = (x) => (field === "severity" || field === "worst_severity" ? rank[x[field]] ?? 0 : x[field]);
  return items.slice().sort((a, b) => {
    const x = value(a), y = value(b);
    if (x == null || y == null) return x == null ? (y == null ? 0 : 1) : -1;
    const o = x < y ? -1 : x > y ? 1 : 0;
    return down ? -o : o;
  });
}

function paged(items, query) {
  const limit = Number(query.get("limit") ?? 100);
  const from = Number(query.get("cursor") ?? 0);
  return { items: items.slice(from, from + limit), next_cursor: from + limit < items.length ? String(from + limit) : null, total: items.length };
}

/** @param {{ hosts?: number, tags?: number }} [size] */
export async function startFake(size = {}) {
  const now = Date.now();
  const fleet = inventFleet({ hostCount: size.hosts ?? 500, tagCount: size.tags ?? 320, now });
  const well = inventFleet({ hostCount: size.hosts ?? 500, tagCount: size.tags ?? 320, now, sick: false });
  const built = new Map();
  const state = {
    mood: "normal",        // normal | healthy | empty | hostile | faulty
    role: "admin",
    name: "tester",
    kind: "user",
    people: people(),
    signedIn: true,
    fail: new Map(),       // path prefix -> {status, ...problem} or "drop"
    slow: new Map(),       // path prefix -> promise to wait for
    requests: [],
    patches: new Map(),
  };

  const world = () => {
    const key = state.mood;
    if (!built.has(key)) {
      const f = key === "healthy" || key === "faulty" ? well : key === "empty" ? { ...fleet, hosts: [], tags: [] } : fleet;
      built.set(key, { fleet: f, w: build(f, key) });
    }
    return built.get(key);
  };

  const missing = { status: 404, title: "Not found", detail: "no such thing", field: null };

  function answer(method, path, query, body, headers = {}, plain = false) {
    const { fleet: f, w } = world();
    const { hosts, tags, held } = f;
    const part = path.split("/").slice(1).map(decodeURIComponent);
    const finding = (x) => life({ ...x, ...(state.patches.get(x.id) ?? {}) }, state);
    const lived = answerLife({ method, part, query, body, headers, state, w, fleet: f, missing });
    if (lived !== undefined) return lived;
    const explained = plain ? undefined : answerExplain({ part, query, fleet: f, w, paged, missing, plain: () => answer(method, path, query, body, headers, true) });
    if (explained !== undefined) return explained;
    switch (part[0]) {
      case "overview": {
        const sumsAll = w.hostItems.reduce((a, h) => ({ n: a.n + h.nonpaged_bytes, p: a.p + h.paged_bytes }), { n: 0, p: 0 });
        const silent = w.hostItems.filter((h) => now - Date.parse(h.last_seen) > HOUR).length;
        const whole = overviewFleet(w, f, query);
        return {
          ...whole.more,
          as_of: hosts.length ? iso(now - 30000) : null, analyzed_at: hosts.length ? iso(now - 120000) : null, server_time: iso(Date.now()),
          hosts: { total: hosts.length, reporting: hosts.length - silent, silent, faulty: w.hostItems.filter((h) => h.faulty_reason).length, in_findings: w.affected.size, ...whole.hosts },
          snapshots: { last_hour: hosts.length * 12, last_day: hosts.length * 288 }, pools: { nonpaged_bytes: hosts.length ? sumsAll.n : null, paged_bytes: hosts.length ? sumsAll.p : null },
          findings: { open: w.findings.length, critical: w.findings.filter((x) => x.severity === "critical").length, warning: w.findings.filter((x) => x.severity === "warning").length, info: w.findings.filter((x) => x.severity === "info").length, new_since_yesterday: w.findings.length ? 1 : 0 },
          top_findings: w.findings.map((x) => finding({ ...x, hosts: x.hosts.slice(0, 20) })),
          top_tags: sorted(w.tagItems, "-bytes").slice(0, 10).map(({ tag, pool, bytes, hosts: n, driver, description }) => ({ tag, pool, bytes, hosts: n, driver, description })),
          simulated: hosts.length > 0,
        };
      }
      case "findings": {
        if (part[1]) {
          const x = w.findings.find((y) => y.id === part[1]);
          if (!x) throw missing;
          if (method === "PATCH") {
            const change = JSON.parse(body);
            state.patches.set(x.id, { ...(state.patches.get(x.id) ?? {}), ...change, acknowledged_by: change.status === "acknowledged" ? "tester" : null });
          }
          return {
            ...finding(x), history: [{ at: x.first_seen, actor: null, change: "opened", note: null }, ...(state.patches.has(x.id) ? [{ at: iso(Date.now()), actor: "tester", change: finding(x).status, note: finding(x).note ?? null }] : [])],
            known_leaks: w.knownLeaks(x.tags),
            tags_detail: x.tags.map((tag) => ({ tag, driver: tags.find((t) => t.tag === tag)?.driver ?? null, description: tags.find((t) => t.tag === tag)?.description ?? null })),
          };
        }
        let items = w.findings.map((x) => finding({ ...x, hosts: x.hosts.slice(0, 20) }));
        const wanted = (query.get("status") ?? "open,acknowledged").split(",");
        items = items.filter((x) => wanted.includes(x.status));
        for (const key of ["severity", "kind"]) if (query.get(key)) items = items.filter((x) => x[key] === query.get(key));
        if (query.get("tag")) items = items.filter((x) => x.tags.includes(query.get("tag")));
        if (query.get("host")) items = items.filter((x) => x.hosts.some((h) => h.id === query.get("host")));
        return paged(items, query);
      }
      case "fleet-map":
        return fleetMap(w, f, query);
      case "hosts": {
        if (!part[1]) {
          const q = (query.get("q") ?? "").toLowerCase();
          let items = w.hostItems.filter((h) => h.name.toLowerCase().includes(q));
          if (query.get("os.build")) items = items.filter((h) => h.os_build === query.get("os.build"));
          if (query.get("role")) items = items.filter((h) => h.role === query.get("role"));
          if (query.get("finding") === "yes") items = items.filter((h) => h.findings);
          if (query.get("silent") === "yes") items = items.filter((h) => now - Date.parse(h.last_seen) > HOUR);
          if (q === "new-host" && hosts.length) items.push(w.awaiting());
          return paged(sorted(items, query.get("sort") ?? "name"), query);
        }
        if (part[1] === "awaiting" && hosts.length && !part[2])
          return { ...w.awaiting(), attributes: {}, totals: {}, drivers: [], changes: [], boots: [], objects: [], processes: [], sessions: [], events: [], finding_ids: [], big_blocks: null,
            totals_series: { t: [], nonpaged_bytes: [], paged_bytes: [] }, first_snapshot_at: null, last_snapshot_at: null };
        const h = hosts.find((x) => x.id === part[1]);
        if (!h) throw missing;
        if (!part[2]) {
          const item = w.hostItem(h);
          const t = [], np = [], pg = [];
          for (let i = 0; i <= 168; i++) {
            const when = now - (168 - i) * HOUR;
            t.push(Math.round(when / 1000));
            const known = when > h.boot - 400 * HOUR && !(when > h.boot - HOUR && when < h.boot);
            const s = known ? w.sums(h, when < h.boot ? when + 400 * HOUR : when) : null;
            np.push(s ? s.nonpaged : null);
            pg.push(s ? s.paged : null);
          }
          return {
            ...item, attributes: { "os.name": h.os_name, "os.build": h.os_build, "os.arch": "x64", "hw.model": h.model, "hw.ram_bytes": String(h.ram_bytes), role: h.role, "poolfleet.simulated": "true" },
            totals: { nonpaged_bytes: item.nonpaged_bytes, paged_bytes: item.paged_bytes, nonpaged_limit_bytes: item.nonpaged_limit_bytes, paged_limit_bytes: null, commit_bytes: Math.round(h.ram_bytes * 0.62), commit_limit_bytes: Math.round(h.ram_bytes * 1.2), physical_bytes: h.ram_bytes, available_bytes: Math.round(h.ram_bytes * 0.38), handles: 84210, processes: 212, threads: 3120, alloc_failures: 0 },
            drivers: [
              { name: w.driverName("wcifs.sys", 0), version: h.leak ? "10.0.26100.4061" : "10.0.26100.3194", company: "Microsoft Corporation", product: "Microsoft\u00ae Windows\u00ae Operating System", sha256: "c0".repeat(32), symbols: "wcifs.pdb/5B0C3F4E1", scanned: true, tags: ["WCsc"], since: iso(now - 80 * HOUR) },
              { name: w.driverName("amdkmdag.sys", 1), version: "32.0.11002.41", company: "Advanced Micro Devices, Inc.", product: w.hostile ? w.evil("x", 5) : null, sha256: "d1".repeat(32), symbols: null, scanned: true, tags: ["AmdK", "Ddk "], since: iso(now - 300 * HOUR) },
              { name: w.driverName("npcap.sys", 2), version: "5.1.76.0", company: "Insecure.Com LLC.", product: null, sha256: null, symbols: null, scanned: false, tags: [], since: iso(now - 900 * HOUR) },
            ],
            changes: [{ at: iso(now - 80 * HOUR), kind: "driver", name: w.driverName("wcifs.sys", 0), from: "10.0.26100.3194", to: "10.0.26100.4061" }, { at: iso(now - 81 * HOUR), kind: "attribute", name: "os.build", from: "26100.3194", to: h.os_build }, { at: iso(now - 900 * HOUR), kind: "driver", name: "npcap.sys", from: null, to: "5.1.76.0" }],
            boots: [{ boot_at: iso(h.boot), first_seen: iso(h.boot + 60000), last_seen: iso(h.last), snapshots: 1200 }, { boot_at: iso(h.boot - 400 * HOUR), first_seen: iso(h.boot - 399 * HOUR), last_seen: iso(h.boot - HOUR), snapshots: 4788 }],
            totals_series: { t, nonpaged_bytes: np, paged_bytes: pg },
            objects: [{ type: "Thread", objects: 3120, handles: 4100 }, { type: "File", objects: 20133, handles: 18022 }, { type: "Event", objects: 41000, handles: 40100 }],
            processes: [{ pid: 4820, image: w.hostile ? w.evil("vmcompute.exe", 0) : "vmcompute.exe", handles: 410233 }, { pid: 4, image: "System", handles: 8120 }, { pid: 988, image: "svchost.exe", handles: 2980 }],
            sessions: [{ id: 1, paged_bytes: 33333248, failures: 0 }, { id: 9, paged_bytes: null, failures: 7837 }],
            events: h.leak ? [{ at: iso(now - 2 * HOUR), provider: "Srv", id: 2019 }] : [], finding_ids: w.affected.has(h.id) ? [w.affected.get(h.id).id] : [],
            first_snapshot_at: iso(now - 168 * HOUR), last_snapshot_at: iso(h.last),
            big_blocks: h.leak ? { at: iso(now - 3 * HOUR), tags: [{ tag: "WCsc", sizes: [{ bytes: 4096, blocks: 180000 }, { bytes: 65536, blocks: 210 }] }] } : null,
          };
        }
        if (part[2] !== "tags" && part[2] !== "tag-table") return answerHost(part[2], h, { fleet: f, w, query, now, detail: () => answer("GET", "/hosts/" + part[1], new URLSearchParams(), "") });
        if (part[2] === "tags" && part[4] === "series") {
          const t = tags.find((x) => x.tag === part[3]);
          if (!t) throw missing;
          const n = Number(query.get("points") ?? 200);
          const from = query.get("from") ? Date.parse(query.get("from")) : now - 168 * HOUR;
          const to = query.get("to") ? Date.parse(query.get("to")) : now;
          const out = { host_id: h.id, tag: t.tag, pool: t.pool, t: [], bytes: [], outstanding: [], alloc_rate: [], boots: h.boot > from ? [Math.round(h.boot / 1000)] : [] };
          for (let i = 0; i < n; i++) {
            const when = from + ((to - from) * i) / (n - 1);
            const v = when < h.boot ? held(h, t, when + 400 * HOUR) : held(h, t, when);
            out.t.push(Math.round(when / 1000));
            out.bytes.push(v);
            out.outstanding.push(Math.round(v / 256));
            out.alloc_rate.push(Math.abs(when - h.boot) < HOUR ? null : 12.5 + 4 * Math.sin(i / 9));
          }
          return out;
        }
        const when = query.get("at") ? Math.min(Date.parse(query.get("at")), now) : now;
        const since = query.get("since");
        const then = since === "previous" ? when - 300000 : since === "boot" ? h.boot : since ? Date.parse(since) : null;
        const rebooted = then !== null && then < h.boot - 1000;
        const peers = hosts.filter((x) => x.role === h.role).slice(0, 30);
        const rows = tags.map((t, i) => {
          const bytes = held(h, t, when);
          const size = 64 + ((i * 37) % 60) * 16;
          const out = Math.max(1, Math.round(bytes / size));
          const allocs = out * (3 + (i % 40)) + 17;
          const delta = then === null || rebooted ? null : bytes - held(h, t, Math.max(then, h.boot));
          const cohort = median(peers.map((p) => held(p, t, when)));
          return {
            tag: t.tag, pool: t.pool, allocs, frees: allocs - out, outstanding: out, bytes, bytes_per_alloc: Math.round(bytes / out),
            delta_allocs: delta === null ? null : Math.round(Math.abs(delta) / size) * 3, delta_frees: delta === null ? null : Math.round(Math.abs(delta) / size) * 2, delta_bytes: delta,
            cohort_bytes: cohort, cohort_hosts: peers.length, score: cohort ? (bytes - cohort) / (cohort * 0.35) : null, driver: w.driverName(t.driver, i), description: t.description,
          };
        });
        const s = w.sums(h, when);
        const head = {
          host_id: h.id, at: iso(when), since: then === null ? null : iso(then), boot_at: iso(h.boot), rows_total: rows.length, rebooted,
          totals: { nonpaged_bytes: s.nonpaged, paged_bytes: s.paged, nonpaged_limit_bytes: h.ram_bytes * 0.75 },
          cohort: { key: "c", label: `${h.os_name}, ${h.role}, up 1 to 4 weeks`, hosts: peers.length },
        };
        return part[2] === "tags" ? { ...head, items: sorted(rows, query.get("sort") ?? "-bytes") } : { ...head, ...tagColumns(rows) };
      }
      case "tags": {
        if (!part[1]) {
          const q = (query.get("q") ?? "").toLowerCase();
          let items = w.tagItems.filter((t) => t.tag.toLowerCase().includes(q) || (t.driver ?? "").toLowerCase().includes(q) || (t.description ?? "").toLowerCase().includes(q));
          if (query.get("pool")) items = items.filter((t) => t.pool === query.get("pool"));
          return paged(sorted(items, query.get("sort") ?? "-bytes"), query);
        }
        const t = tags.find((x) => x.tag === part[1]);
        if (!t) throw missing;
        const i = tags.indexOf(t);
        if (part[2] === "hosts") {
          const values = hosts.map((h) => held(h, t, now));
          const mid = median(values);
          const items = hosts.map((h, k) => ({
            host_id: h.id, name: w.name(h, k), bytes: values[k], outstanding: Math.round(values[k] / 256), allocs: Math.round(values[k] / 64), frees: Math.round(values[k] / 90), cohort_key: h.role,
            cohort_label: `${h.os_name}, ${h.role}`, cohort_bytes: mid, score: mid ? (values[k] - mid) / (mid * 0.4) : null, os_build: h.os_build, role: h.role, uptime_seconds: Math.round((now - h.boot) / 1000),
            finding_id: w.affected.get(h.id)?.tags.includes(t.tag) ? w.affected.get(h.id).id : null,
          }));
          return paged(sorted(items, query.get("sort") ?? "-bytes"), query);
        }
        if (part[2] === "series") {
          const out = { tag: t.tag, pool: t.pool, t: [], hosts: [], sum: [], p50: [], p90: [], p99: [], max: [] };
          for (let k = 0; k <= 168; k += 2) {
            const when = now - (168 - k) * HOUR;
            const values = hosts.map((h) => held(h, t, when < h.boot ? when + 400 * HOUR : when)).sort((a, b) => a - b);
            out.t.push(Math.round(when / 1000));
            out.hosts.push(values.length);
            out.sum.push(values.reduce((a, b) => a + b, 0));
            out.p50.push(at(values, 0.5));
            out.p90.push(at(values, 0.9));
            out.p99.push(at(values, 0.99));
            out.max.push(values[values.length - 1]);
          }
          return out;
        }
        return {
          tag: t.tag, hex: "0x" + Buffer.from(t.tag.slice(0, 4)).toString("hex"), driver: w.driverName(t.driver, i), description: t.description, look_at: t.tag === "WCsc" ? "Which containers were started and stopped; whether wcifs.sys is the newest build" : null,
          source: t.driver ? "builtin" : null, owners: t.driver ? [{ driver: w.driverName(t.driver, i), description: t.description, source: "builtin" }] : [],
          pools: [w.tagItem(t, i)], findings: w.findings.filter((x) => x.tags.includes(t.tag)).map((x) => x.id), drivers: t.driver ? [{ name: w.driverName(t.driver, i), versions: 2, hosts: hosts.length }] : [],
          known_leaks: w.knownLeaks([t.tag]).map((k) => ({ ...k, fit: "tags only", says: null })),
        };
      }
      case "drivers": {
        const all = [["wcifs.sys", "Microsoft Corporation", 2, ["WCsc"], 1], ["amdkmdag.sys", "Advanced Micro Devices, Inc.", 3, ["AmdK", "Ddk "], 1], ["npcap.sys", "Insecure.Com LLC.", 2, ["Npcp"], 0]]
          .map(([d, company, versions, list, n], i) => ({ name: w.driverName(d, i), company, versions, hosts: hosts.length, tags: list, findings: hosts.length ? n : 0, product: i ? null : "Windows", files: i === 2 ? 0 : 3, files_scanned: i === 0 ? 3 : 1 })).filter(() => hosts.length);
        if (!part[1]) return paged(sorted(all.filter((d) => d.name.toLowerCase().includes((query.get("q") ?? "").toLowerCase())), query.get("sort") ?? "name"), query);
        const d = all.find((x) => x.name === part[1]);
        if (!d) throw missing;
        const days = Array.from({ length: 14 }, (_, k) => Math.round((now - (13 - k) * 24 * HOUR) / 1000));
        return {
          name: d.name, company: d.company, product: d.product, tags: d.tags,
          versions: [{ version: "10.0.26100.4061", hosts: 210, first_seen: iso(now - 9 * 24 * HOUR), last_seen: iso(now), hosts_in_findings: 19, leak_bytes_per_hour: 212 * MB, files: [{ sha256: "c0".repeat(32), symbols: "wcifs.pdb/5B0C3F4E1", scanned: true, tags: ["WCsc"], hosts: 200, first_seen: iso(now - 9 * 24 * HOUR), scanned_at: iso(now - 8 * 24 * HOUR) }, { sha256: "e2".repeat(32), symbols: null, scanned: false, tags: [], hosts: 10, first_seen: iso(now - 2 * 24 * HOUR), scanned_at: null }] }, { version: "10.0.26100.3194", hosts: 290, first_seen: iso(now - 90 * 24 * HOUR), last_seen: iso(now), hosts_in_findings: 0, leak_bytes_per_hour: null, files: [] }],
          adoption: { t: days, versions: { "10.0.26100.4061": days.map((_, k) => Math.max(0, (k - 4) * 21)), "10.0.26100.3194": days.map((_, k) => 500 - Math.max(0, (k - 4) * 21)) } },
        };
      }
      case "diagnose": {
        if (!/\S/.test(body)) throw { status: 400, title: "Invalid request", detail: "the body is empty", field: "body" };
        if (body.includes("fail please")) throw { status: 422, title: "Could not be read", detail: "line 3 is no table row", field: "body", hint: "Paste the whole screen." };
        const long = w.hostile ? w.evil("x", 0) : "Toke";
        return {
          reports: [{ tool: "poolused", rows: [{ tag: "WCsc", pool: "nonpaged", allocs: 8123456, frees: 0, outstanding: 8123456, bytes: 4 * GB, description: "Windows Container Isolation stream context" }, { tag: "Ddk ", pool: "nonpaged", allocs: 41234, frees: null, outstanding: 41234, bytes: 220 * MB, description: null }, { tag: "MmSt", pool: "paged", allocs: 99812, frees: 77123, outstanding: 22689, bytes: 310 * MB, description: "Mm section object prototype ptes" }], totals: { nonpaged_used: 4.8 * GB, paged_used: 700 * MB }, vm: { nonpaged_usage_kb: 5033164, nonpaged_max_kb: 6291456, alloc_failures: 12 }, sessions: [{ id: 9, paged_kb: 32552, failures: 7837 }] }],
          verdict: "nonpaged_exhausted", verdict_why: "The nonpaged pool holds 4.8 GB of 6.0 GB and 12 allocations have failed.", suspects: [{ tag: "WCsc", pool: "nonpaged", driver: "wcifs.sys", why: `83 % of the pool, 8,123,456 blocks and not one freed (${long}).` , known_leaks: w.knownLeaks(["WCsc"]).slice(0, 1)}],
          hints: ["Frees of 0 beside millions of allocs mean that nothing gives the blocks back.", "A restart frees the pool, and the evidence with it: capture first."],
          next_steps: ["!poolused 2 WCsc  \u2014 this tag alone, by pool", "!object \\Device  \u2014 the drivers that are loaded", "poolmon -b -p -g  \u2014 watch it grow on the running system"],
          comparison: [{ tag: "WCsc", pool: "nonpaged", bytes: 4 * GB, fleet_hosts: 500, fleet_median_bytes: 1 * MB, fleet_p99_bytes: 5 * GB, fleet_max_bytes: 8 * GB, finding_ids: ["f-1a2b3c4d5e6f7081"], sentence: "4.0 GB is more than on 96 of 100 hosts here; the middle host holds 1.0 MB." }],
        };
      }
      default:
        throw missing;
    }
  }

  /** Accounts, tokens, enroll secrets and the log: just enough of each. */
  function answerPeople(req, path, query, body) {
    const [, kind, id] = path.split("/");
    if (path === "/session/password") {
      if (JSON.parse(body).current !== PASSWORD) return { status: 422, title: "Invalid value", detail: "the current password is wrong", field: "current" };
      return { status: 204 };
    }
    if (path === "/sessions") { state.signedIn = false; return { status: 204 }; }
    if (!["users", "tokens", "enroll-secrets", "audit"].includes(kind)) return null;
    if (state.role !== "admin") return { status: 403, title: "Not allowed", detail: "this needs role admin" };
    const rows = state.people[kind];
    const row = rows.find((r) => String(r.id) === id);
    const name = (r) => (state.mood === "hostile" ? { ...r, name: r.name && evilName(r.id), object: r.object && evilName(r.id), actor: r.actor && evilName(r.id), detail: r.detail && { note: evilName(r.id) } } : r);
    if (req.method === "GET") {
      const q = (query.get("q") ?? "").toLowerCase();
      const items = rows.filter((r) => (r.name ?? "").toLowerCase().includes(q) && (!query.get("state") || r.state === query.get("state")) && (!query.get("action") || r.action.startsWith(query.get("action") + ".")));
      return { status: 200, body: { items: state.mood === "empty" ? [] : items.map(name), next_cursor: null, total: items.length } };
    }
    const asked = body ? JSON.parse(body) : {};
    const now = iso(Date.now());
    if (req.method === "POST") {
      if (rows.some((r) => r.name === asked.name)) return { status: 409, title: "Conflict", detail: `there is a ${kind} of that name already`, field: "name" };
      const made = { id: rows.length + 1, ...asked, state: "active", uses: 0, disabled: false, has_password: Boolean(asked.password), sessions: 0, version: 1, created_at: now, last_used_at: null, last_sign_in_at: null };
      rows.push(made);
      return { status: 201, body: { ...made, ...(kind === "tokens" ? { token: "pft_" + "S".repeat(43) } : kind === "users" ? {} : { secret: "pfe_" + "S".repeat(43) }) } };
    }
    if (!row) return { status: 404, title: "Not found", detail: "no such " + kind };
    if (req.method === "PATCH") {
      if (req.headers["if-match"] !== `"v${row.version}"`) return { status: 412, title: "Changed by someone else meanwhile", detail: "another changed this user meanwhile", field: "If-Match" };
      Object.assign(row, asked, { version: row.version + 1 });
      return { status: 200, body: row };
    }
    if (kind === "users") rows.splice(rows.indexOf(row), 1);
    else row.state = "revoked";
    return { status: 204 };
  }
  const evilName = (i) => `<img src=x onerror=alert(${i})>\u202e=1+1\u0007${"w".repeat(180)}`;

  const security = {
    "content-security-policy": CSP, "x-content-type-options": "nosniff", "referrer-policy": "no-referrer", "cache-control": "no-store",
  };
  const arrivals = new EventEmitter();
  const server = createServer(async (req, res) => {
    const url = new URL(req.url, "http://x");
    const chunks = [];
    for await (const chunk of req) chunks.push(chunk);
    const body = Buffer.concat(chunks).toString("utf8");
    const reply = (status, type, data, more = {}) => {
      res.writeHead(status, { ...security, "content-type": type, ...more });
      res.end(data);
    };
    const problem = (p) => reply(p.status, "application/problem+json", JSON.stringify({ type: "urn:poolfleet:problem:test", field: null, detail: null, hint: null, request_id: "req-0042", ...p }));
    state.requests.push({ method: req.method, path: url.pathname, search: url.search, headers: req.headers, body });
    arrivals.emit("request");

    if (url.pathname.startsWith("/api/v1/")) {
      const path = url.pathname.slice(7);
      if (process.env.SLOWED) await new Promise((done) => setTimeout(done, Math.random() * 200));
      for (const [prefix, wait] of state.slow) if (path.startsWith(prefix)) await wait;
      for (const [prefix, what] of state.fail) {
        if (!path.startsWith(prefix)) continue;
        if (what === "drop") return void req.socket.destroy();
        return problem(what);
      }
      if (path === "/session") {
        if (req.method === "POST") {
          let asked = {};
          try { asked = JSON.parse(body); } catch { return problem({ status: 400, title: "Invalid request", detail: "body is not JSON" }); }
          if (asked.token !== undefined && asked.token !== TOKEN) return problem({ status: 401, title: "Not signed in", detail: "the token is unknown or revoked" });
          if (asked.name !== undefined && asked.password !== PASSWORD) return problem({ status: 401, title: "Not signed in", detail: "the name or the password is wrong", field: "password" });
          if (asked.name !== undefined) state.name = asked.name;
          state.kind = asked.name === undefined ? "token" : "user";
          state.signedIn = true;
        } else if (req.method === "DELETE") {
          state.signedIn = false;
          return reply(204, "text/plain", undefined);
        } else if (!state.signedIn) {
          return problem({ status: 401, title: "Not signed in" });
        }
        return reply(200, "application/json", JSON.stringify({ role: state.role, name: state.mood === "hostile" ? "<b>eve\u202e</b>" : state.name, kind: state.kind, expires_at: iso(Date.now() + 8 * HOUR) }));
      }
      if (path === "/setup") {
        const asked = JSON.parse(body);
        if (asked.link !== SETUP) return problem({ status: 401, title: "Not signed in", detail: "the link is used, expired or not ours", field: "link" });
        if (asked.password.length < 10) return problem({ status: 422, title: "Invalid value", detail: "the password must have at least 10 characters", field: "password" });
        Object.assign(state, { signedIn: true, role: "admin", kind: "user", name: asked.name });
        return reply(200, "application/json", JSON.stringify({ role: "admin", name: asked.name, kind: "user", expires_at: iso(Date.now() + 8 * HOUR) }));
      }
      if (!state.signedIn) return problem({ status: 401, title: "Not signed in" });
      if (req.method !== "GET" && req.headers["x-poolfleet"] !== "1") return problem({ status: 403, title: "Not allowed", detail: "the header X-Poolfleet is missing" });
      if (/^\/findings\/[^/]+\/report$/.test(path)) return reply(200, "text/markdown; charset=utf-8", fakeReport(url.searchParams));
      const people = answerPeople(req, path, url.searchParams, body) ?? answerAdmin(req, path, url.searchParams, body, state);
      if (people) return people.status >= 400 ? problem(people) : reply(people.status, "application/json", people.status === 204 ? undefined : JSON.stringify(people.body), people.etag ? { etag: people.etag } : {});
      try {
        return reply(200, "application/json", JSON.stringify(answer(req.method, path, url.searchParams, body, req.headers)));
      } catch (e) {
        if (e && e.status) return problem(e);
        console.error(e);
        return problem({ status: 500, title: "The fake failed", detail: String(e) });
      }
    }
    let file = normalize(url.pathname).replace(/^\/+/, "");
    if (!extname(file) || (req.headers.accept ?? "").includes("text/html")) file = "index.html";
    try {
      const data = await readFile(join(ROOT, file));
      // Kept by the browser as the real server's files are: one read of some sixty files a run, not a page.
      reply(200, TYPES[extname(file)] ?? "application/octet-stream", data, file === "index.html" ? {} : { "cache-control": "max-age=3600" });
    } catch {
      reply(404, "text/plain", "not found");
    }
  });
  server.keepAliveTimeout = 0; // closed while a request is on its way, a connection would cost its answer
  await new Promise((done) => server.listen(size.port ?? 0, "127.0.0.1", done));
  const { port } = server.address();
  return {
    url: `http://127.0.0.1:${port}`, token: TOKEN, password: PASSWORD, setup: SETUP, state, fleet,
    reset() {
      Object.assign(state, { mood: "normal", role: "admin", name: "tester", kind: "user", signedIn: true, requests: [], people: people(), mutes: [], versions: new Map() });
      state.fail.clear();
      state.slow.clear();
      state.patches.clear();
    },
    /** The nth request that test() likes: it came already or is still to come (the address changes before the page asks). */
    async asked(test, { nth = 1, what = String(test) } = {}) {
      for (const end = AbortSignal.timeout(60000); ; await once(arrivals, "request", { signal: end }).catch(() => { throw new Error(`never asked: ${what}`); })) {
        const found = state.requests.filter(test);
        if (found.length >= nth) return found[nth - 1];
      }
    },
    close: () => new Promise((done) => { server.closeAllConnections?.(); server.close(done); }),
  };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const fake = await startFake({ port: Number(process.argv[2] ?? 8099) });
  fake.state.mood = process.argv[3] ?? "normal";
  console.log(fake.url);
}
