// SPDX-License-Identifier: Apache-2.0
// What the stand-in server answers of itself, its storage, tag lists, known leaks and targets.
const DAY = 86400000;
const MB = 2 ** 20;

/** Rows of the lists that people change; one set a test. */
export function adminRows(at) {
  const target = (id, name, kind, more = {}) => ({ id, name, kind, address: kind === "email" ? "ops@example.com" : "https://hooks.example.com/poolfleet", has_secret: kind === "generic", min_severity: "warning", kinds: null, attribute: null, attribute_value: null, enabled: true, created_at: at(40), updated_at: at(3), waiting: 0, given_up: 0, last_sent_at: at(1), last_error: null, version: 1, ...more });
  const leak = (id, origin, more = {}) => ({ id, origin, title: `${id} keeps a context per connection`, driver: id + ".sys", tags: ["WCsc"], advice: "Update it.", source: "public thread", confidence: "reported", bad_versions: [{ from: "1.0", to: "1.7" }], ...more });
  return {
    "notify-targets": [target(1, "on call", "generic"), target(2, "mail to operations", "email", { waiting: 3, given_up: 2, last_error: "could not connect to mail.example.com: timed out", enabled: false })],
    "tag-lists": [{ name: "pooltag.txt", imported_at: at(4), lines: 4021, entries: 3890, refused: 2 }],
    "known-leaks": [leak("ours", "imported"), leak("npcap", "builtin"), leak("wcifs", "builtin", { confidence: "confirmed by vendor" })],
  };
}

let accepted = 100000;
const STARTED = new Date(Date.now() - 2 * DAY).toISOString();

function server(state) {
  const now = Date.now();
  const at = (ms) => new Date(now - ms).toISOString();
  const sick = state.mood === "sick";
  accepted += 500;
  const text = state.mood === "hostile" ? `<img src=x onerror=alert(1)>\u202e=1+1${"w".repeat(180)}` : "could not write: disk full";
  return {
    server_time: at(0), version: "0.1.0", started_at: STARTED, process: { pid: 4711, memory_bytes: 94 * MB, threads: 21, open_files: 34, hosts: 500, fleet_state_bytes: 17 * MB },
    http: { address: "127.0.0.1:8080", tls: true, certificate_expires_at: at(sick ? -3 * DAY : -200 * DAY), connections: 12, running: 1, waiting: 0, answers: { "2xx": accepted * 2, "3xx": 2210, "4xx": 19, "5xx": sick ? 4 : 0 }, seconds: 1204.5, refused: [{ cause: "unauthorized", title: "Not signed in", count: 19 }] },
    ingest: { accepted, duplicates: 17, rows: 201234567, commits: 41234, failed_commits: sick ? 2 : 0, queued_requests: 3, queued_bytes: (sick ? 60 : 1) * MB, queue_limit_bytes: 64 * MB, refused: [{ cause: "conflict", title: "Conflict", count: 3 }] },
    database: { error: sick ? "could not connect" : null, version: "15.8", latency_ms: 0.21, size_bytes: 9100 * MB, connections: 14, connections_limit: 100, pool_leased: 1, pool_limit: 16 },
    jobs: [["analysis", 2.4], ["rollups", 0.8], ["partitions", 0.02], ["log of changes", 0.001]].map(([name, seconds], i) => ({ name, runs: 288, failures: i ? 0 : 1, ended_at: at(120000), seconds, failed_at: i ? null : at(sick ? 120000 : DAY), error: i ? null : text })),
    analyzer: { this_server: !sick, holder: { database_pid: 991, name: state.mood === "hostile" ? text : "poolfleetd", address: sick ? "192.0.2.5" : null, since: at(2 * DAY) } },
    notify: { sent: 12, failed_attempts: 2, given_up: 0, waiting: 0 },
    damaged_chunks: sick ? [{ host_id: "pc-0017", from: "2026-11-19T06:00:00Z", boot_at: null, part: 0, found_at: "2026-11-20T07:00:00Z", reason: "could not read a chunk: wrong checksum" }] : [],
  };
}

function storage() {
  const today = Math.floor(Date.now() / DAY) * DAY;
  const iso = (ms) => new Date(ms).toISOString();
  return {
    settings: [["retention", 30 * 86400], ["rollup_retention", 400 * 86400], ["keyframe", 21600], ["analyze_interval", 300], ["agent_interval", 300]].map(([name, seconds]) => ({ name, seconds })),
    database_bytes: 9100 * MB, growth_bytes_per_day: 280 * MB, settled_bytes: 9600 * MB, disk_free_bytes: 90000 * MB, disk_total_bytes: 200000 * MB, full_at: null,
    tables: [
      { name: "snapshot", bytes: 8400 * MB, growth_bytes_per_day: 272 * MB, kept_seconds: 30 * 86400, rows: null, partitions: Array.from({ length: 12 }, (_, i) => ({ name: "snapshot_" + i, from: iso(today + (i - 10) * DAY), to: iso(today + (i - 9) * DAY), bytes: i === 11 ? 8192 : i === 10 ? 90 * MB : (260 + i) * MB, rows: i === 11 ? null : 230400 })) },
      { name: "host", bytes: 3 * MB, growth_bytes_per_day: null, kept_seconds: null, rows: 500, partitions: [] },
      { name: "finding", bytes: 1 * MB, growth_bytes_per_day: null, kept_seconds: null, rows: 40, partitions: [] },
    ],
  };
}

/** {status, body, etag} or null: not ours. */
export function answerAdmin(req, path, query, body, state) {
  const [, kind, raw, action] = path.split("/");
  const id = raw === undefined ? undefined : decodeURIComponent(raw);
  const admin = () => state.role === "admin" || { status: 403, title: "Not allowed", detail: "this needs role admin" };
  if (kind === "server" || kind === "storage") return admin() === true ? { status: 200, body: kind === "server" ? server(state) : storage() } : admin();
  if (!["notify-targets", "tag-lists", "known-leaks"].includes(kind)) return null;
  const rows = state.people[kind];
  const key = kind === "notify-targets" ? "id" : kind === "tag-lists" ? "name" : "id";
  const row = rows.find((r) => String(r[key]) === id);
  const evil = (r) => (state.mood === "hostile" ? { ...r, ...(r.name ? { name: `<b>${r.name}</b>\u202e${"w".repeat(150)}` } : {}), ...(r.title ? { title: `<script>${r.title}\u202e`, source: "=1+1\u0007" } : {}), ...(r.last_error ? { last_error: "<img src=x onerror=alert(2)>" } : {}) } : r);
  if (req.method === "GET" && !id) {
    const q = (query.get("q") ?? "").toLowerCase();
    const items = state.mood === "empty" ? [] : rows.filter((r) => (r.name ?? r.id).toLowerCase().includes(q));
    return { status: 200, body: { items: items.map(evil), next_cursor: null, total: items.length } };
  }
  if (admin() !== true) return admin();
  if (req.method === "GET") return row ? { status: 200, etag: `"v${row.version}.1"`, body: { ...evil(row), deliveries: row.id === 2 ? [{ id: 9, event: "opened", finding_id: "f-1a2b3c4d5e6f7081", state: "given_up", attempts: 7, created_at: row.created_at, next_at: null, done_at: row.updated_at, last_error: row.last_error }] : [] } } : { status: 404, title: "Not found" };
  if (req.method === "DELETE") {
    if (!row) return { status: 404, title: "Not found" };
    rows.splice(rows.indexOf(row), 1);
    return { status: 204 };
  }
  const preview = query.get("preview") === "yes";
  if (kind === "tag-lists") {
    if (!/ - /.test(body)) return { status: 422, title: "Invalid value", detail: "the list holds no tag that could be read, in 1 lines", field: "body" };
    if (!preview) rows.push({ name: query.get("name"), imported_at: new Date().toISOString(), lines: 3, entries: 2, refused: 1 });
    return { status: preview ? 200 : 201, body: { name: query.get("name"), stored: !preview, lines: 3, entries: 2, comments: 0, refused: 1, refused_lines: [{ line: 3, text: "nonsense", reason: "no tag" }], changes: [{ tag: "CnFc", before: null, after: { driver: "cnfilter.sys", description: "file context", source: "imported" } }, { tag: "NtFC", before: { driver: "ntfs.sys", description: "Ccb", source: "builtin" }, after: { driver: "other.sys", description: null, source: "imported" } }], tags_added: 1, tags_changed: 1, tags_same: 0, patterns: 0 } };
  }
  const asked = body ? JSON.parse(body) : {};
  if (kind === "known-leaks") {
    const leaks = req.method === "PUT" ? [asked] : asked.leaks;
    const bad = leaks.findIndex((l) => !l.tags?.length || l.tags.some((t) => t.length !== 4));
    if (bad >= 0) return { status: 422, title: "Invalid value", detail: "not a tag", field: (req.method === "PUT" ? "" : `leaks[${bad}].`) + "tags[0]" };
    if (!preview) for (const l of leaks) rows.unshift({ ...l, origin: "imported" });
    return { status: preview ? 200 : 201, body: req.method === "PUT" ? asked : { stored: !preview, entries: leaks.map((l) => ({ id: l.id, title: l.title, change: "new", matches: l.tags.includes("WCsc") ? [{ finding_id: "f-1a2b3c4d5e6f7081", summary: "WCsc grows on 19 hosts.", fit: "tags", says: null }] : [] })) } };
  }
  if (action === "test") return { status: 200, body: id === "2" ? { sent: false, error: "could not connect: timed out" } : { sent: true, error: null } };
  if (req.method === "POST") {
    if (!/^https:|@/.test(asked.address)) return { status: 422, title: "Invalid value", detail: "a webhook's address begins with https://", field: "address" };
    const made = { ...rows[0], ...asked, id: rows.length + 1, waiting: 0 };
    rows.push(made);
    return { status: 201, body: { ...made, ...(asked.kind === "generic" ? { secret: "pfn_" + "S".repeat(43) } : {}), deliveries: [] } };
  }
  if (req.headers["if-match"] !== "*" && !req.headers["if-match"].startsWith(`"v${row.version}.`)) return { status: 412, title: "Changed by someone else meanwhile", detail: "another changed this target meanwhile", field: "If-Match" };
  Object.assign(row, asked, { version: row.version + 1 });
  return { status: 200, body: { ...row, deliveries: [] } };
}
