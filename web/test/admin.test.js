import test from "node:test";
import assert from "node:assert/strict";
import { fill } from "../lib/fill.js";
import { ratesOf, troubles } from "../lib/health.js";
import { Link, SLOW_MS } from "../lib/link.js";
import { formatRanges, parseRanges, parseTags } from "../lib/ranges.js";

const well = () => ({
  server_time: "2026-11-21T02:00:00Z", started_at: "2026-11-20T02:00:00Z",
  http: { certificate_expires_at: "2027-11-21T02:00:00Z", answers: { "2xx": 100, "4xx": 10 } },
  ingest: { accepted: 50, queued_bytes: 0, queue_limit_bytes: 100, failed_commits: 0 },
  database: { error: null, latency_ms: 1, pool_leased: 1, pool_limit: 8 }, process: { memory_bytes: 7 },
  jobs: [{ name: "analysis", failed_at: "2026-11-20T03:00:00Z", ended_at: "2026-11-21T01:00:00Z" }],
  analyzer: { holder: {} }, notify: { given_up: 0 },
});

test("troubles_well_areNone", () => assert.deepEqual(troubles(well()), []));

test("troubles_each_isNamedAndTheWorstIsFirst", () => {
  /** @type {[string, (s: any) => void][]} */
  const cases = [
    ["database", (s) => (s.database.error = "away")], ["expired", (s) => (s.http.certificate_expires_at = "2026-11-21T01:00:00Z")], ["expires", (s) => (s.http.certificate_expires_at = "2026-12-01T00:00:00Z")],
    ["queue", (s) => (s.ingest.queued_bytes = 95)], ["queue", (s) => (s.ingest.queued_bytes = 60)], ["nobody", (s) => (s.analyzer.holder = null)], ["job", (s) => (s.jobs[0].ended_at = s.jobs[0].failed_at)],
    ["commits", (s) => (s.ingest.failed_commits = 1)], ["slow", (s) => (s.database.latency_ms = 900)], ["pool", (s) => (s.database.pool_leased = 8)], ["given", (s) => (s.notify.given_up = 1)], ["damaged", (s) => (s.damaged_chunks = [{ host_id: "pc-1" }])],
  ];
  const all = well();
  for (const [key, spoil] of cases) {
    const s = well();
    spoil(s);
    assert.deepEqual(troubles(s).map((t) => t.key), [key]);
    spoil(all);
  }
  assert.equal(troubles(all)[0].severity, "critical");
});

test("ratesOf_twoLooks_perSecondAndNotAcrossARestart", () => {
  const later = { ...well(), server_time: "2026-11-21T02:00:10Z", ingest: { accepted: 150 }, http: { answers: { "2xx": 150, "4xx": 10 } } };
  assert.deepEqual(ratesOf(well(), later), { t: Date.parse(later.server_time), accepted: 10, answers: 5, latency: 1, memory: 7 });
  assert.equal(ratesOf(well(), { ...later, started_at: later.server_time }), null);
  assert.equal(ratesOf(well(), well()), null);
});

test("link_slowGoneBack_tellsEachOnce", () => {
  /** @type {(() => void)[]} */
  const timers = [];
  let told = 0;
  const link = new Link({ now: () => 42, later: (fn, ms) => (assert.equal(ms, SLOW_MS), timers.push(fn)), cancel: () => undefined });
  link.listen(() => told++);
  const end = link.begin();
  assert.equal(link.state, "quick");
  timers[0]();
  assert.equal(link.state, "slow");
  end(true);
  assert.deepEqual([link.state, link.answeredAt, told], ["quick", 42, 2]);
  link.begin()(false);
  assert.equal(link.state, "gone");
  link.begin()(null);
  assert.equal(link.state, "gone", "a request that was given up says nothing");
  link.begin()(true);
  assert.deepEqual([link.state, told], ["quick", 4]);
});

test("ranges_thereAndBack", () => {
  const text = "1.76\n1.70 .. 1.79\n1.80 ..\n.. 1.5";
  assert.deepEqual(parseRanges(text), [{ from: "1.76", to: "1.76" }, { from: "1.70", to: "1.79" }, { from: "1.80" }, { to: "1.5" }]);
  assert.equal(formatRanges(parseRanges(text)), text);
  assert.deepEqual(parseRanges(" \n"), []);
});

test("parseTags_blanksCount", () => assert.deepEqual(parseTags("Ddk\r\n MPP\n\n\\x01abc\nTooLong"), ["Ddk ", " MPP", "\\x01abc", "TooLong"]));

test("fill_places_keepTheirOrder", () => assert.deepEqual(fill("{a} is not {b}.", { a: 1, b: 2 }), ["", 1, " is not ", 2, "."]));
