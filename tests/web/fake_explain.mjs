// SPDX-License-Identifier: Apache-2.0
// Invented answers for the screens Tags, Tag, Explain, Drivers and Driver, from the stand-in's fleet.
const HOUR = 3600000;
const BANDS = ["0-1 h", "1-8 h", "8-72 h", "3-14 d", "over 14 d"];
const at = (list, q) => list[Math.min(list.length - 1, Math.floor(list.length * q))];

function spread(values) {
  const v = values.slice().sort((a, b) => a - b);
  const n = v.length;
  return n ? { hosts: n, min: v[0], q1: at(v, 0.25), median: at(v, 0.5), q3: at(v, 0.75), max: v[n - 1], median_low: n > 5 ? at(v, 0.4) : null, median_high: n > 5 ? at(v, 0.6) : null }
    : { hosts: 0, min: null, q1: null, median: null, q3: null, max: null, median_low: null, median_high: null };
}

/** What the driver's page gets beside what fake_api.mjs says. */
function moreOfDriver(d, hosts) {
  const rates = (bad) => hosts.filter((h) => Boolean(h.leak) === bad).map((h, i) => (bad ? 2e8 : 2e4) * (1 + (i % 7) / 7));
  d.versions.reverse().forEach((v, i) => Object.assign(v, { hosts_blamed: i ? v.hosts_in_findings : 0, blamed_low: 0, blamed_high: 1, verdict: i ? "bad" : "good", growth: spread(rates(i > 0)) }));
  return {
    ...d, growth_measure: "rate", findings: [{ id: "f-1a2b3c4d5e6f7081", kind: "leak", tag: "WCsc", pool: "nonpaged", cause: true, owner: true }],
    tags_detail: d.tags.map((tag) => ({ tag, listed: true, scanned: true, drivers: tag === "Ddk " ? 8 : 1, counted: tag !== "Ddk ", description: "Windows Container Isolation stream context" })),
    range: { last_good_before: d.versions[0].version, first_bad: d.versions[1]?.version ?? null, last_bad: d.versions[1]?.version ?? null, first_good: null, note: "No later version than the last bad one is known in this fleet." },
    known_leaks: [],
  };
}

/**
 * The answer, or undefined: not one of ours. `plain` is the stand-in's own answer function.
 * @param {{ part: string[], query: URLSearchParams, fleet: any, w: any, paged: Function, missing: any, plain: () => any }} c
 */
export function answerExplain({ part, query, fleet, w, paged, missing, plain }) {
  const { hosts, tags, held, now } = fleet;
  const band = (h) => { const up = (now - h.boot) / HOUR; return BANDS[up < 1 ? 0 : up < 8 ? 1 : up < 72 ? 2 : up < 336 ? 3 : 4]; };
  const measure = query.get("measure") ?? "bytes";
  const value = (h, t) => (measure === "rate" ? held(h, t, now) / Math.max(1, (now - h.boot) / HOUR) : measure === "outstanding" ? Math.round(held(h, t, now) / 256) : held(h, t, now));
  if (part[0] === "tag-table") {
    const rows = w.tagItems.map((x) => ({ ...x, worst_severity: x.findings ? "critical" : null, max_score: x.findings ? 1240 : 1.4, day_bytes: x.findings ? 9e9 : -4e4, trend: x.findings ? "0123456789abcdefghijklmnopqrs" : "--zzzyzzzyzzzyzzzyzzzyzzzyzzz" }));
    return { as_of: new Date(now).toISOString(), hosts_total: hosts.length, trend_newest: new Date(now).toISOString(), trend_step_seconds: 21600, columns: Object.fromEntries(Object.keys(rows[0] ?? { tag: 0 }).map((k) => [k, rows.map((r) => r[k])])) };
  }
  if (part[0] === "tags" && ["distribution", "versions", "buckets", "lockstep"].includes(part[2])) {
    const t = tags.find((x) => x.tag === part[1]);
    if (!t) throw missing;
    const head = { tag: t.tag, pool: t.pool, measure, as_of: new Date(now).toISOString() };
    if (part[2] === "distribution") {
      const bin = (v) => Math.floor(Math.log2(Math.max(1, v)) * 4);
      const values = hosts.map((h) => value(h, t));
      const first = Math.min(...values.map(bin));
      const size = Math.max(...values.map(bin)) - first + 1;
      const all = hosts.length <= 400;
      return { ...head, ...spread(values), under_one: 0, bins_per_octave: 4, first_bin: first, dots_complete: all,
        bands: BANDS.map((b) => { const counts = new Array(size).fill(0); hosts.forEach((h, i) => band(h) === b && counts[bin(values[i]) - first]++); return { band: b, hosts: counts.reduce((a, n) => a + n, 0), counts }; }).filter((b) => b.hosts),
        dots: hosts.map((h, i) => ({ host_id: h.id, name: w.name(h, i), value: values[i], band: band(h), score: h.leak ? 1240 : 0.4, finding_id: w.affected.get(h.id)?.tags.includes(t.tag) ? w.affected.get(h.id).id : null, simulated: i % 3 === 0 })).sort((a, b) => b.value - a.value).slice(0, all ? hosts.length : 60) };
    }
    if (part[2] === "versions") {
      if (!t.driver) return { ...head, drivers: [] };
      const list = [["10.0.26100.3194", hosts.filter((h) => !h.leak)], ["10.0.26100.4061", hosts.filter((h) => h.leak)]];
      return { ...head, drivers: [{ name: w.driverName(t.driver, tags.indexOf(t)), versions: list.map(([version, l]) => ({ version: w.hostile ? w.evil(version, 2) : version, loaded: l.length, ...spread(l.map((h) => value(h, t))) })) }] };
    }
    if (part[2] === "lockstep") return { tag: t.tag, pool: t.pool, hosts: 200, note: null, items: t.tag === "WCsc" ? [{ tag: "IoFE", pool: "nonpaged", ratio: 1.999, ratio_low: 1.998, ratio_high: 2.001, correlation: 0.999, hosts: 180, in_finding: true, driver: w.driverName("nt!io", 3), description: "File object extension" }] : [] };
    const out = { tag: t.tag, pool: t.pool, step_seconds: 21600, newest: new Date(now).toISOString(), t: [], low: [0, ...Array.from({ length: 40 }, (_, i) => 2 ** i)], hosts: [] };
    for (let k = 0; k <= 168; k += 6) {
      const when = now - (168 - k) * HOUR;
      const counts = new Array(36).fill(0);
      for (const h of hosts) counts[Math.min(35, Math.floor(Math.log2(Math.max(1, held(h, t, when < h.boot ? when + 400 * HOUR : when)))) + 1)]++;
      out.t.push(Math.round(when / 1000));
      out.hosts.push(counts);
    }
    return out;
  }
  if (part[0] === "drivers") {
    const plainly = part[2] === "hosts" ? null : plain();
    const more = (d, i) => ({ ...d, top_version: "10.0.26100.4061", top_hosts: Math.round(d.hosts * 0.6), hosts_changed: 20 - i * 10, findings_cause: i < 1 ? d.findings : 0, findings_owner: d.findings, worst_rate: d.findings ? 4e8 : null });
    if (!part[1]) return { ...plainly, items: plainly.items.map(more) };
    if (part[2] === "hosts") {
      const version = query.get("version");
      return paged(hosts.map((h, i) => ({ host_id: h.id, name: w.name(h, i), version: h.leak ? "10.0.26100.4061" : "10.0.26100.3194", since: new Date(now - 80 * HOUR).toISOString(), bytes: 1e6 * (i + 1), rate: h.leak ? 2e8 : 1e4, uptime_seconds: (now - h.boot) / 1000, role: h.role, os_build: h.os_build, finding_id: h.leak ? "f-1a2b3c4d5e6f7081" : null, simulated: i % 3 === 0 })).filter((h) => !version || h.version === version), query);
    }
    return moreOfDriver(plainly, hosts);
  }
  if (part[0] !== "explain") return undefined;
  const leaky = hosts.filter((h) => h.leak);
  const rest = hosts.filter((h) => !h.leak);
  const low = Number(query.get("low") ?? 0);
  if (low > 1e13) throw { status: 422, title: "Invalid value", detail: "the selection is empty: the bytes of 500 hosts lie between 1 and 9", field: "low" };
  const sides = { tag: query.get("tag"), pool: "nonpaged", measure, as_of: new Date(now).toISOString(),
    selection: { kind: query.get("finding") ? "finding" : query.get("having") ? "having" : query.get("hosts") ? "hosts" : "region", low: query.get("low") ? low : null, high: query.get("high") ? Number(query.get("high")) : null, finding_id: query.get("finding"), having: query.get("having"), hosts: leaky.length },
    baseline: { kind: query.get("baseline") ?? "fleet", within: query.get("within"), hosts: rest.length } };
  if (part[1] === "hosts") {
    const list = (query.get("side") === "baseline" ? rest : leaky).map((h) => ({ host_id: h.id, name: w.name(h), side: query.get("side") ?? "selected", has: (query.get("has") ?? "yes") === "yes", value: "10.0.26100.4061", measured: held(h, tags[0], now), uptime_seconds: 5, role: h.role, os_build: h.os_build, simulated: true }));
    return { ...sides, ...paged((query.get("has") === "yes") === (query.get("side") === "selected") ? list : [], query) };
  }
  const n = leaky.length, m = rest.length;
  const item = (attribute, text, kind, a, c, verdict, any = false) => ({ attribute: w.hostile ? "driver/" + w.evil(attribute, 2) : attribute, value: text === null ? null : w.hostile ? w.evil(text, 0) : text, any_version: any, kind, selected_with: a, selected: n, baseline_with: c, baseline: m,
    selected_low: Math.max(0, a / n - 0.15), selected_high: Math.min(1, a / n + 0.1), baseline_low: Math.max(0, c / m - 0.02), baseline_high: Math.min(1, c / m + 0.02), separation: Math.abs(a / n - c / m), risk_ratio: (a + 0.5) / (n + 1) / ((c + 0.5) / (m + 1)), risk_low: 1.2, risk_high: c ? 60 : null, p_value: 0.00001, q_value: verdict === "separates" ? 0.00002 : 0.6, verdict });
  let items = [item("driver/wcifs.sys", "10.0.26100.4061", "driver", n, 2, "separates"), item("os.build", "26100.4061", "os", n - 2, 160, "separates"), item("driver/acpi.sys", "10.0.26100.4061", "driver", n - 2, 160, "separates"),
    item("role", "build-agent", "other", Math.round(n / 3), Math.round(m / 4), "alike"), item("driver/npcap.sys", null, "driver", n, m, "alike", true), item("hw.model", "ProLiant DL380", "hardware", 1, 0, "too_few")];
  const kinds = query.get("kinds");
  if (kinds) items = items.filter((x) => kinds.split(",").includes(x.kind));
  if (query.get("q")) items = items.filter((x) => (x.attribute + x.value).includes(query.get("q")));
  return { ...sides, tested: 412, cut: false, note: "480 of 500 hosts told their drivers; only these count for drivers.", ...paged(items, query) };
}
