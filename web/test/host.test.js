// What the host screen works out: splits of memory, gaps, boots on one axis, tones, CSV.
import { test } from "node:test";
import assert from "node:assert/strict";
import { alignBoots, bootOf, byOwner, changeTone, clusters, commitSplit, csvText, movedRows, neighbour, physicalSplit, sortPairs, spanRange, splitLines, withGaps } from "../lib/host.js";

const parts = (s) => Object.fromEntries(s.parts.map((p) => [p.key, p.bytes]));

test("commitSplit_allTotals_sumsToTheLimit", () => {
  const s = commitSplit({ commit_bytes: 60, commit_limit_bytes: 100, nonpaged_bytes: 10, paged_bytes: 5 });
  assert.deepEqual(parts(s), { nonpaged: 10, paged: 5, rest: 45, free: 40 });
  assert.equal(s.parts.reduce((a, p) => a + p.bytes, 0), s.whole);
});
test("commitSplit_poolUnknown_saysUnsplitAndNotRest", () => {
  assert.deepEqual(parts(commitSplit({ commit_bytes: 60, commit_limit_bytes: null, nonpaged_bytes: 10, paged_bytes: null })), { nonpaged: 10, unsplit: 50 });
});
test("commitSplit_unknownOrContradicting_drawsNothing", () => {
  assert.deepEqual([commitSplit({ nonpaged_bytes: 1 }).fault, commitSplit({ nonpaged_bytes: 1 }).parts], ["unknown", []]);
  assert.equal(commitSplit({ commit_bytes: 10, commit_limit_bytes: 100, nonpaged_bytes: 8, paged_bytes: 5 }).fault, "contradiction");
  assert.equal(commitSplit({ commit_bytes: 110, commit_limit_bytes: 100, nonpaged_bytes: 8, paged_bytes: 5 }).fault, "contradiction");
});
test("physicalSplit_pagedPool_isNotTakenForResident", () => {
  assert.deepEqual(parts(physicalSplit({ physical_bytes: 100, available_bytes: 30, nonpaged_bytes: 10, paged_bytes: 50 })), { nonpaged: 10, resident: 60, available: 30 });
  assert.deepEqual(parts(physicalSplit({ physical_bytes: 100, available_bytes: 30 })), { inuse: 70, available: 30 });
  assert.equal(physicalSplit({ physical_bytes: 100, available_bytes: 95, nonpaged_bytes: 10 }).fault, "contradiction");
  assert.equal(physicalSplit({ physical_bytes: 100 }).fault, "unknown");
});
test("splitLines_aPointThatContradicts_isAGap", () => {
  const column = (...last) => ({ last, min: last, max: last });
  const s = { t: [1, 2], boots: [], columns: { commit_bytes: column(60, 1), commit_limit_bytes: column(100, 100), nonpaged_bytes: column(10, 10), paged_bytes: column(5, 5) } };
  assert.deepEqual(splitLines(s, commitSplit, ["nonpaged", "rest"]), { nonpaged: [10, null], rest: [45, null] });
});
test("withGaps_hoursWithoutSnapshots_breakTheLine", () => {
  const g = withGaps([0, 60, 120, 180, 4000, 4060], [[1, 2, 3, 4, 5, 6]]);
  assert.deepEqual(g.t, [0, 60, 120, 180, 2090, 4000, 4060]);
  assert.deepEqual(g.columns[0], [1, 2, 3, 4, null, 5, 6]);
  assert.deepEqual(withGaps([], [[]]), { t: [], columns: [[]] });
});
test("alignBoots_differentTimes_shareOneAxisOfHours", () => {
  const a = alignBoots([{ boot: 1000, t: [1000, 4600], values: [1, 2] }, { boot: 9000, t: [9000, 10800], values: [7, null] }]);
  assert.deepEqual(a.hours, [0, 0.5, 1]);
  assert.deepEqual(a.lines, [[1, null, 2], [7, null, null]]);
});
test("spanRange_youngHost_isAllThereIs", () => {
  const host = { first_snapshot_at: "2026-11-21T10:00:00Z", last_snapshot_at: "2026-11-21T10:07:00Z", boots: [{ boot_at: null, first_seen: "2026-11-21T10:03:00Z", last_seen: "2026-11-21T10:07:00Z" }] };
  const from = (span) => new Date(spanRange(host, span).from).toISOString();
  assert.equal(from("7"), "2026-11-21T10:00:00.000Z");
  assert.equal(from("all"), "2026-11-21T10:00:00.000Z");
  assert.equal(from("nonsense"), "2026-11-21T10:00:00.000Z");
  assert.equal(from("boot"), "2026-11-21T10:03:00.000Z");
  assert.equal(spanRange({ ...host, first_snapshot_at: null }, "7"), null);
  assert.equal(bootOf(host, Date.parse("2026-11-21T10:05:00Z")).first, Date.parse("2026-11-21T10:03:00Z"));
  assert.equal(bootOf(host, 0), null);
});
test("changeTone_sizes_andWhatIsTooSmallToSee", () => {
  const tone = (bytes, delta_bytes, pool = 1000) => changeTone({ bytes, delta_bytes }, pool);
  assert.deepEqual([tone(100, 60), tone(100, 12), tone(100, 1), tone(100, -1), tone(100, -20), tone(100, -150)], [2, 1, 0, 0, -1, -2]);
  assert.equal(tone(100, 100), "new");
  assert.equal(tone(100, null), null);
  assert.equal(tone(3, 2, 1e9), 0);
});
test("byOwner_tagsOfOneDriver_areSummedPerPool", () => {
  const row = (tag, pool, driver, bytes, delta_bytes, score = null) => ({ tag, pool, driver, bytes, delta_bytes, score, cohort_bytes: null });
  const out = byOwner([row("A", "nonpaged", "x.sys", 10, 1, 2), row("B", "nonpaged", "x.sys", 5, null, 9), row("C", "paged", "x.sys", 3, 3), row("D", "nonpaged", null, 1, 0), row("E", "nonpaged", null, 2, 0)]);
  assert.deepEqual(out.map((r) => [r.tag, r.pool, r.bytes, r.delta_bytes, r.tags, r.score]), [["A", "nonpaged", 15, null, 2, 9], ["C", "paged", 3, 3, 1, null], ["D", "nonpaged", 1, 0, 1, null], ["E", "nonpaged", 2, 0, 1, null]]);
});
test("movedRows_onlyFiguresThatMoved", () => {
  const row = (tag, bytes, allocs) => ({ tag, pool: "paged", bytes, allocs, frees: 1, outstanding: null });
  const m = movedRows([row("A", 1, 1), row("B", 5, 5)], [row("A", 1, 1), row("B", 4, 6), row("C", 1, 1)]);
  assert.deepEqual([...m], [["paged/B", { allocs: 1, bytes: -1 }]]);
});
test("clusters_entriesOnOneAnother_becomeOneWithACount", () => {
  const item = (kind, at) => ({ kind, at: new Date(at).toISOString() });
  const out = clusters([item("driver", 10), item("driver", 11), item("event", 11), item("driver", 900), item("driver", 5000)], 0, 1000, 10);
  assert.deepEqual(out.map((c) => [c.kind, c.items.length]), [["driver", 2], ["event", 1], ["driver", 1]]);
});
test("neighbour_walksEntriesBothWays", () => {
  const items = [5000, 90000, 30000].map((at) => ({ kind: "event", at: new Date(at).toISOString() }));
  assert.deepEqual([neighbour(items, 30000, 1), neighbour(items, 30000, -1), neighbour(items, 90000, 1), neighbour(items, 0, 1)], [90000, 5000, null, 5000]);
});
test("sortPairs_awayIsTheBiggestDifferenceEitherWay", () => {
  const pair = (tag, difference_bytes, bytes) => ({ tag, difference_bytes, bytes });
  const rows = [pair("A", 5, 1), pair("B", -9, 3), pair("C", null, 2), pair("D", 5, 9)];
  assert.deepEqual(sortPairs(rows, "away").map((r) => r.tag), ["B", "A", "D", "C"]);
  assert.deepEqual(sortPairs(rows, "difference_bytes").map((r) => r.tag), ["B", "A", "D", "C"]);
  assert.deepEqual(sortPairs(rows, "-bytes").map((r) => r.tag), ["D", "B", "C", "A"]);
});
test("csvText_quotesAndDisarms", () => {
  assert.equal(csvText(["a", "b"], [["=1+1", -5], ['x "y"', null], ["a,b\n", 0.5]]), 'a,b\r\n\'=1+1,-5\r\n"x ""y""",\r\n"a,b\n",0.5\r\n');
});
