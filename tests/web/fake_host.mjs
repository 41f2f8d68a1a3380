// SPDX-License-Identifier: Apache-2.0
// What the stand-in server answers of one host beside its table: totals over time, the host at a
// moment, what happened to it, and two tables side by side.
const HOUR = 3600000;
const iso = (ms) => new Date(ms).toISOString().slice(0, 19) + "Z";

/** Lives of the host: an older boot of 400 hours, a gap of one, the present boot. */
const first = (h, now) => Math.max(h.boot - 399 * HOUR, now - 168 * HOUR);

function totals(h, w, when) {
  const s = w.sums(h, when < h.boot ? when + 400 * HOUR : when);
  const commit = Math.round(h.ram_bytes * (0.55 + 0.05 * Math.sin(when / 2e7))) + s.nonpaged;
  return { nonpaged_bytes: s.nonpaged, paged_bytes: s.paged, commit_bytes: commit, commit_limit_bytes: Math.round(h.ram_bytes * 1.25), physical_bytes: h.ram_bytes, available_bytes: Math.round(h.ram_bytes * 0.35) };
}

function series(h, w, query, now) {
  const to = query.get("to") ? Math.min(Date.parse(query.get("to")), now) : now;
  const from = Math.max(query.get("from") ? Date.parse(query.get("from")) : to - 168 * HOUR, first(h, now));
  const n = Math.max(2, Math.min(Number(query.get("points") ?? 500), Math.floor((to - from) / 300000) + 1));
  const names = (query.get("columns") ?? "nonpaged_bytes,paged_bytes").split(",");
  const out = { host_id: h.id, from: iso(from), to: iso(to), snapshots: n, t: [], boots: h.boot > from ? [Math.round(h.boot / 1000)] : [], columns: Object.fromEntries(names.map((c) => [c, { last: [], min: [], max: [] }])) };
  for (let i = 0; i < n; i++) {
    const when = from + ((to - from) * i) / (n - 1);
    if (when > h.boot - HOUR && when < h.boot) continue;
    const values = totals(h, w, when);
    out.t.push(Math.round(when / 1000));
    for (const c of names) {
      const v = values[c] ?? null;
      out.columns[c].last.push(v);
      out.columns[c].min.push(v === null ? null : Math.round(v * 0.98));
      out.columns[c].max.push(v === null ? null : Math.round(v * (i % 40 === 7 ? 1.2 : 1.01)));
    }
  }
  return out;
}

function state(h, w, query, now, detail) {
  const when = Math.min(query.get("at") ? Date.parse(query.get("at")) : h.last, h.last);
  const past = now - when > 80 * HOUR;
  return {
    host_id: h.id, at: iso(when), boot_at: iso(h.boot), uptime_seconds: Math.round((when - h.boot) / 1000),
    totals: { ...detail.totals, ...totals(h, w, when) },
    attributes: Object.entries(detail.attributes).map(([name, value]) => ({ name, value: w.hostile && name === "role" ? w.evil(value, 4) : value, since: iso(now - 300 * HOUR) })),
    drivers: past ? detail.drivers.slice(1) : detail.drivers, objects: detail.objects,
    processes: detail.processes.map((p) => ({ ...p, handles: past ? 17 : p.handles })), sessions: detail.sessions, events: detail.events,
  };
}

function history(h, w, now, detail) {
  const items = [
    ...detail.boots.map((b) => ({ at: b.boot_at, until: b.last_seen, kind: "boot", name: null, from: null, to: null })),
    ...detail.changes.map((c) => ({ at: c.at, until: null, kind: c.kind, name: c.name, from: c.from, to: c.to })),
    { at: iso(now - 90 * HOUR), until: null, kind: "agent", name: "agent.version", from: "0.0.9", to: w.hostile ? w.evil("0.1.0", 3) : "0.1.0" },
    ...(h.leak ? [{ at: iso(now - 2 * HOUR), until: null, kind: "event", name: w.hostile ? w.evil("Srv", 1) : "Srv", from: null, to: "2019" }] : []),
  ].map((x) => ({ ...x, finding_id: null, severity: null }));
  const f = w.affected.get(h.id);
  if (f) items.push({ at: f.first_seen, until: f.last_seen, kind: "finding", name: f.tag, from: null, to: w.hostile ? w.evil(f.summary, 0) : f.summary, finding_id: f.id, severity: f.severity });
  items.sort((a, b) => (a.at < b.at ? 1 : -1));
  return { items, next_cursor: null, total: items.length };
}

function compare(h, f, w, query, now) {
  const missing = (field) => ({ status: 404, title: "Not found", detail: "there is no such side", field });
  const other = query.get("against") ? f.hosts.find((x) => x.id === query.get("against")) : h;
  if (!other) throw missing("against");
  const at = query.get("at") ? Date.parse(query.get("at")) : h.last;
  const boot = query.get("against_boot");
  const then = boot ? Date.parse(boot) + Math.max(HOUR, at - h.boot) : query.get("against_at") ? Date.parse(query.get("against_at")) : other === h ? at - 24 * HOUR : at;
  const factor = query.get("scale") === "uptime" ? 2.5 : 1;
  const side = (x, when, bootAt) => ({ host_id: x.id, name: w.name(x), at: iso(when), boot_at: iso(bootAt), uptime_seconds: Math.round((when - bootAt) / 1000), totals: totals(x, w, when) });
  const items = f.tags.map((t, i) => {
    const a = f.held(h, t, at);
    const b = Math.round(f.held(other, t, Math.max(then, other.boot + HOUR)) * factor);
    return { tag: t.tag, pool: t.pool, bytes: a, against_bytes: b, difference_bytes: a - b, outstanding: Math.round(a / 256), against_outstanding: Math.round(b / 256), difference_outstanding: Math.round((a - b) / 256),
      allocs: Math.round(a / 64), against_allocs: Math.round(b / 64), frees: Math.round(a / 90), against_frees: Math.round(b / 90), driver: w.driverName(t.driver, i), description: t.description };
  }).sort((a, b) => b.difference_bytes - a.difference_bytes);
  return { ...side(h, at, h.boot), factor, against: side(other, then, boot ? Date.parse(boot) : other.boot), items, next_cursor: null, total: items.length };
}

/** The answer, or undefined when the call is none of these. detail: the host's own answer. */
export function answerHost(what, h, { fleet, w, query, now, detail }) {
  if (what === "series") return series(h, w, query, now);
  if (what === "state") return state(h, w, query, now, detail());
  if (what === "history") return history(h, w, now, detail());
  return what === "compare" ? compare(h, fleet, w, query, now) : undefined;
}

/** The rows of a table as GET /hosts/{host_id}/tag-table has them. */
export function tagColumns(rows) {
  const ordered = ["nonpaged", "paged"].flatMap((pool) => rows.filter((r) => r.pool === pool));
  const dictionaries = {};
  const columns = Object.fromEntries(["tag", "allocs", "frees", "bytes", "delta_allocs", "delta_frees", "delta_bytes", "cohort_bytes", "cohort_hosts", "score"].map((c) => [c, ordered.map((r) => r[c] ?? null)]));
  for (const name of ["driver", "description"]) {
    dictionaries[name] = [...new Set(ordered.map((r) => r[name]).filter((v) => v !== null))];
    columns[name] = ordered.map((r) => (r[name] === null ? null : dictionaries[name].indexOf(r[name])));
  }
  for (const name of Object.keys(columns)) if (columns[name].every((v) => v === null)) columns[name] = null;
  return { nonpaged_rows: rows.filter((r) => r.pool === "nonpaged").length, columns, dictionaries };
}
