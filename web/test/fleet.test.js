// SPDX-License-Identifier: Apache-2.0
import { test } from "node:test";
import assert from "node:assert/strict";
import { anyFaulty, csvCell, decodeFleet, filterFleet, groupFleet, GROUPS_MAX, orderFleet, sortFleet, word } from "../lib/fleet.js";
import { CELLS, cellAt, cellBox, cellOf, cellRows, layout, move, unitCount } from "../lib/maplayout.js";
import { classify, COLOURINGS, sizes } from "../lib/mapcolour.js";
import { chosenColumns, csvOf, ndjsonOf } from "../lib/host_columns.js";
import { DAY_MS, markSeen, visit, VISIT_MS } from "../lib/looked.js";

const ANSWER = {
  as_of: "2026-11-21T10:00:00Z", analyzed_at: null, total: 5, count: 5,
  columns: {
    key: [41, 1, 3, 2, null], name: ["FS02", "fs01", null, "=1+1", "NEW"], role: [0, 0, 1, null, null], os_build: [0, 1, 0, 0, null],
    model: [0, 0, 0, 0, null], os_name: [0, 0, 0, 0, 0], severity: [2, null, 0, null, null], findings: [2, 0, 1, 0, 0], finding: [0, null, 1, null, null],
    state: [0, 1, 0, 0, 2], band: [0, 4, 4, 2, 5], outlier: [0, null, null, 0, null], outlier_score: [48.3, null, 2, 12, null],
    nonpaged_mib: [5120, 402, null, 10, null], nonpaged_limit_mib: [6000, 6000, 6000, 0, null], age_seconds: [0, 9000, 3, 4, null],
    uptime_seconds: [1000, 9e6, 9e6, 90000, null], ram_mib: [8192, 8192, 300000, 8192, null],
    growth_bytes_per_hour: [3 * 2 ** 20, null, null, null, null], exhausts_at: [Date.parse("2026-11-21T20:00:00Z") / 1000, null, null, null, null],
  },
  dictionaries: { band: ["0-1h", "1-8h", "8-72h", "3-14d", ">14d", "?"], role: ["file-server", "web"], os_build: ["1", "2"], model: ["M"], os_name: ["Windows"], outlier: ["nonpaged/WCsc"], finding: ["f-1", "f-2"] },
  awaiting: ["new-id"],
};
const fleet = () => decodeFleet(structuredClone(ANSWER));
const all = (f) => filterFleet(f, {}).rows;
const names = (f, rows) => Array.from(rows, (i) => f.names[i]);

test("filter_faulty_takesHostsWhoseDataCannotBeTrue", () => {
  const answer = structuredClone(ANSWER);
  const without = decodeFleet(structuredClone(answer));
  assert.equal(anyFaulty(without), false, "an older answer has no such column");
  assert.deepEqual([...filterFleet(without, { faulty: "yes" }).rows], []);
  Object.assign(answer.columns, { faulty: [null, 0, null, null, null] });
  Object.assign(answer.dictionaries, { faulty: ["boot_after_snapshot"] });
  const f = decodeFleet(answer);
  assert.equal(anyFaulty(f), true);
  assert.deepEqual([...filterFleet(f, { faulty: "yes" }).rows], [1]);
  assert.deepEqual([...filterFleet(f, { faulty: "no" }).rows], [0, 2, 3, 4]);
  assert.match(csvOf(f, filterFleet(f, { faulty: "yes" }).rows), /boot_after_snapshot/);
  const signs = Array.from(classify(f, COLOURINGS.severity, 0), (k) => COLOURINGS.severity.classes[k].sign);
  assert.deepEqual(signs, ["critical", "faulty", "info", "outlier", "awaiting"], "silent as well: it is not said to be like its peers");
});

test("decode_deltasAndAwaiting_areKeysAndIds", () => {
  const f = fleet();
  assert.deepEqual([...f.key], [41, 42, 45, 47, -1]);
  assert.deepEqual(f.ids, [null, null, null, null, "new-id"]);
  assert.equal(word(f, "role", 2), "web");
  assert.equal(word(f, "role", 3), null);
});

test("filter_eachName_takesWhatItSays", () => {
  const f = fleet();
  const rows = (filters) => [...filterFleet(f, filters).rows];
  assert.deepEqual(rows({ role: "file-server" }), [0, 1]);
  assert.deepEqual(rows({ role: "nothing" }), []);
  assert.deepEqual(rows({ q: "FS0" }), [0, 1], "letters are folded");
  assert.deepEqual(rows({ q: "new-id" }), [4], "by identity");
  assert.deepEqual(rows({ q: "web" }), [2], "by role");
  assert.deepEqual(rows({ severity: "none" }), [1, 3, 4]);
  assert.deepEqual(rows({ severity: "critical" }), [0]);
  assert.deepEqual(rows({ silent: "yes" }), [1]);
  assert.deepEqual(rows({ finding: "no", band: ">14d" }), [1]);
});

test("facets_countWhatAnotherChoiceOfTheSameFacetWouldShow", () => {
  const { facets } = filterFleet(fleet(), { role: "web", "os.build": "1" });
  assert.deepEqual([...facets.role], [["file-server", 1], ["web", 1], [null, 1]]);
  assert.deepEqual([...facets["os.build"]], [["1", 1]]);
});

test("sort_unknownValues_standLastEitherWay", () => {
  const f = fleet();
  const by = (sort) => [...sortFleet(f, all(f), sort)];
  assert.deepEqual(by("name"), [4, 3, 1, 0, 2].sort((a, b) => ((f.names[a] ?? "").toLowerCase() < (f.names[b] ?? "").toLowerCase() ? -1 : 1)));
  assert.deepEqual(by("nonpaged_mib").slice(0, 3), [3, 1, 0]);
  assert.deepEqual(by("-nonpaged_mib").slice(0, 3), [0, 1, 3]);
  assert.equal(by("-findings")[0], 0, "the worst severity first");
  assert.deepEqual(by("last_seen").slice(0, 4), [1, 3, 2, 0], "longest ago first");
  assert.deepEqual(by("-role").slice(0, 3), [2, 1, 0]);
});

test("seen_hoursAgo_hasOneUnitThatFitsTheColumn", () => {
  const f = fleet();
  const seen = chosenColumns(null, false).find((c) => c.key === "last_seen");
  assert.equal(seen?.text(f, 1, f.asOf + 7200e3), "5\u00a0h"); // 9,000 s when asked, two hours ago
});

test("group_unknownLast_restJoined_nobodyLost", () => {
  const f = fleet();
  const { groups } = groupFleet(f, all(f), "role");
  assert.deepEqual(groups.map((g) => [g.label, g.count]), [["file-server", 2], ["web", 1], [null, 2]]);
  const n = 500;
  const many = decodeFleet({ ...ANSWER, count: n, columns: { key: new Array(n).fill(1), role: Array.from({ length: n }, (_, i) => i % 200) }, dictionaries: { band: [], role: Array.from({ length: 200 }, (_, i) => "r" + i) }, awaiting: [] });
  const some = groupFleet(many, Int32Array.from({ length: n }, (_, i) => i), "role");
  assert.equal(some.groups.length, GROUPS_MAX);
  assert.equal(some.groups.reduce((a, g) => a + g.count, 0), n);
  assert.equal(some.groups.at(-1).joined, 200 - GROUPS_MAX + 1);
});

test("order_byGroupThenLoudestThenName", () => {
  const f = fleet();
  const rows = all(f);
  const { of } = groupFleet(f, rows, "role");
  const colouring = COLOURINGS.severity;
  const klass = classify(f, colouring, 0);
  const loud = klass.map((k) => colouring.classes[k].loud);
  assert.deepEqual(names(f, orderFleet(f, rows, of, loud)), ["FS02", "fs01", null, "=1+1", "NEW"]);
});

test("colourings_giveEachRowAClassAndWords", () => {
  const f = fleet();
  const now = Date.parse("2026-11-21T10:00:00Z");
  const signs = (name) => Array.from(classify(f, COLOURINGS[name], now), (k) => COLOURINGS[name].classes[k].sign);
  assert.deepEqual(signs("severity"), ["critical", "silent", "info", "outlier", "awaiting"]);
  assert.deepEqual(signs("silent"), ["ok", "silent", "ok", "ok", "awaiting"]);
  assert.deepEqual(signs("share"), ["level4", "level1", "unknown", "unknown", "unknown"]);
  assert.deepEqual(signs("growth").slice(0, 2), ["level3", "ok"]);
  assert.deepEqual(signs("left").slice(0, 2), ["level5", "ok"], "ten hours are the loudest");
  assert.deepEqual(signs("band"), ["level1", "level5", "level5", "level3", "unknown"]);
  assert.deepEqual(signs("score"), new Array(5).fill("unknown"), "no tag was asked for");
  for (const [name, c] of Object.entries(COLOURINGS)) for (let i = 0; i < f.count; i++) assert.equal(typeof c.value(f, i, now), "string", name);
  assert.deepEqual([...sizes(f, "ram")].slice(0, 3), [0, 0, 3]);
});

test("layout_anyCounts_everyHostIsInExactlyOneCell", () => {
  for (const counts of [[1], [3, 2, 1], [50000], [29940, 4977, 2981, 2969, 2548, 2526, 2016, 1032, 1011], new Array(60).fill(7), [5, 40000, 1], new Array(60).fill(900)])
    for (const [width, height] of [[1198, 800], [330, 500], [60, 300]]) {
      const l = layout(counts, width, height);
      const sum = counts.reduce((a, b) => a + b, 0);
      const seen = new Uint8Array(sum);
      l.blocks.forEach((b, block) => {
        assert.ok(b.x + b.w <= width || b.cols <= Math.ceil(120 / l.cell), `${counts.length} groups at ${width}: ${b.x + b.w}`);
        assert.ok(b.cols * b.rows >= b.units);
        for (let unit = 0; unit < b.units; unit++) {
          const [from, to] = cellRows(l, { block, unit });
          assert.ok(to > from);
          for (let k = from; k < to; k++) seen[k]++;
        }
      });
      assert.ok(seen.every((n) => n === 1), `${counts} in ${width}x${height}`);
      assert.ok(unitCount(l) <= sum);
      assert.ok(CELLS.includes(l.cell));
    }
});

test("layout_50000Hosts_eachHasACellOfItsOwnInALaptopsWindow", () => {
  const l = layout([29940, 4977, 2981, 2969, 2548, 2526, 2016, 1032, 1011], 1180, 820);
  assert.equal(l.per, 1);
  assert.equal(l.cell, 4);
  assert.ok(l.height <= 820);
});

test("cells_pointAndBox_agree", () => {
  const l = layout([30, 12, 1], 400, 300);
  l.blocks.forEach((b, block) => {
    for (let unit = 0; unit < b.units; unit++) {
      const box = cellBox(l, { block, unit });
      assert.deepEqual(cellAt(l, box.x + 1, box.y + 1), { block, unit });
    }
  });
  assert.equal(cellAt(l, 5, 3), null, "a head is no cell");
  assert.deepEqual(cellOf(l, 31), { block: 1, unit: 1 });
  assert.equal(cellOf(l, 99), null);
});

test("keys_right_visitsEveryCell_downAndUpComeBack", () => {
  const l = layout([30, 12, 1, 200], 400, 300);
  let at = { block: 0, unit: 0 };
  let n = 1;
  for (let next; (next = move(l, at, "ArrowRight")); at = next) n++;
  assert.equal(n, unitCount(l));
  assert.equal(move(l, at, "ArrowRight"), null);
  assert.deepEqual(move(l, at, "Home"), { block: 0, unit: 0 });
  const first = { block: 0, unit: 0 };
  const down = move(l, first, "ArrowDown");
  assert.deepEqual(move(l, down, "ArrowUp"), first);
  assert.equal(move(l, first, "ArrowUp"), null);
  assert.deepEqual(move(l, first, "PageDown"), { block: 1, unit: 0 });
  for (let where = first, steps = 0; where; where = move(l, where, "ArrowDown")) assert.ok(steps++ < 500, "down ends");
});

test("csv_formulas_areDefused_numbersAreNot", () => {
  assert.equal(csvCell("=1+1"), "'=1+1");
  assert.equal(csvCell("-5"), "-5");
  assert.equal(csvCell("@x"), "'@x");
  assert.equal(csvCell('a"b,c'), '"a""b,c"');
  assert.equal(csvCell(null), "");
});

test("export_ofTheRowsGiven_hasOneLineEach", () => {
  const f = fleet();
  const csv = csvOf(f, Int32Array.from([0, 3, 4]), [{ name: "class", value: () => "critical" }]).trimEnd().split("\r\n");
  assert.equal(csv.length, 4);
  assert.ok(csv[0].startsWith("id,name,") && csv[0].endsWith(",class"));
  assert.ok(csv[2].includes(",'=1+1,"));
  const rows = ndjsonOf(f, Int32Array.from([0, 4])).trimEnd().split("\n").map((line) => JSON.parse(line));
  assert.equal(rows[0].worst_severity, "critical");
  assert.equal(rows[1].state, "awaiting");
  assert.equal(rows[1].last_seen, null);
  assert.deepEqual(chosenColumns("role,nonsense").map((c) => c.key), ["name", "role"]);
  const phone = chosenColumns(null, true);
  assert.deepEqual(phone.map((c) => c.key), ["name", "findings", "nonpaged_mib"]);
  assert.ok(phone.reduce((sum, c) => sum + c.width, 0) <= 366, "a phone of 400 pixels shows them without moving sideways");
  assert.deepEqual(chosenColumns("role", true).map((c) => c.key), ["name", "role"], "asked for is asked for");
});

test("looked_firstSecondAndLongAfter", () => {
  const kept = new Map();
  const storage = { getItem: (k) => kept.get(k) ?? null, setItem: (k, v) => kept.set(k, v) };
  const t0 = 1e12;
  assert.equal(visit(storage, t0).since, null, "never here before");
  assert.equal(visit(storage, t0 + VISIT_MS / 2).since, null, "the same visit");
  const later = t0 + 3 * DAY_MS;
  assert.equal(visit(storage, later).since, t0 + VISIT_MS / 2, "since the last look");
  assert.equal(visit(storage, later + 60000).since, t0 + VISIT_MS / 2, "a reload does not lose it");
  markSeen(storage, later + 90000);
  assert.equal(visit(storage, later + 95000).since, later + 90000);
  kept.set("poolfleet.looked", "{broken");
  assert.equal(visit(storage, later).since, null);
  const denied = { getItem: () => { throw new Error("denied"); }, setItem: () => { throw new Error("denied"); } };
  assert.equal(visit(denied, later).since, null);
});
