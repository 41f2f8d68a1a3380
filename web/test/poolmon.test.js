import test from "node:test";
import assert from "node:assert/strict";
import { filterTags, nextPool, sinceTime, sortTags, SORT_KEYS, tableRows } from "../lib/poolmon.js";

const row = (tag, bytes, more = {}) => ({
  tag, pool: "nonpaged", allocs: bytes, frees: 0, outstanding: bytes, bytes, bytes_per_alloc: 1, delta_allocs: null, delta_frees: null, delta_bytes: null,
  cohort_bytes: null, cohort_hosts: null, score: null, driver: null, description: null, ...more,
});
const tags = (rows) => rows.map((r) => r.tag).join(",");
const by = (key, more = {}) => ({ key, change: false, up: false, ...more });

test("sortTags_bytes_biggestFirstUnknownLast", () => {
  const rows = [row("a", 1), row("b", null), row("c", 5), row("d", 3)];
  assert.equal(tags(sortTags(rows, by("bytes"))), "c,d,a,b");
  assert.equal(tags(sortTags(rows, by("bytes", { up: true }))), "a,d,c,b");
  assert.equal(tags(rows), "a,b,c,d", "the rows given are left alone");
});

test("sortTags_tag_isByteOrderWithCase", () => {
  assert.equal(tags(sortTags([row("NtfC", 1), row("NtFC", 2), row(" MPP", 3), row("ntFC", 4)], by("tag"))), " MPP,NtFC,NtfC,ntFC");
});

test("sortTags_change_sortsByDelta", () => {
  const rows = [row("a", 100, { delta_bytes: 1 }), row("b", 1, { delta_bytes: 90 }), row("c", 50, { delta_bytes: null }), row("d", 50, { delta_bytes: -4 })];
  assert.equal(tags(sortTags(rows, by("bytes", { change: true }))), "b,a,d,c");
  const moves = [row("a", 9, { delta_allocs: 10, delta_frees: 9 }), row("b", 1, { delta_allocs: 8, delta_frees: 0 })];
  assert.equal(tags(sortTags(moves, by("diff", { change: true }))), "b,a");
});

test("filterTags_searchesTagDriverAndDescription", () => {
  const rows = [row("NtFC", 1, { driver: "ntfs.sys" }), row("File", 1, { pool: "paged", description: "File objects" }), row("Toke", 1)];
  assert.equal(tags(filterTags(rows, "NTFS", "")), "NtFC");
  assert.equal(tags(filterTags(rows, "objects", "")), "File");
  assert.equal(tags(filterTags(rows, "", "paged")), "File");
  assert.equal(tags(filterTags(rows, "", "")), "NtFC,File,Toke");
});

test("nextPool_cyclesAsPoolmonDoes", () => {
  assert.equal(nextPool(nextPool(nextPool(""))), "");
  assert.deepEqual(Object.keys(SORT_KEYS).sort().join(""), "abdfmst");
});

test("sinceTime_eachChoice_isATime", () => {
  const at = Date.parse("2026-11-21T12:00:00Z");
  const first = at - 7 * 86400000;
  assert.equal(sinceTime("previous", at, null, first), at - 1000);
  assert.equal(sinceTime("1h", at, null, first), at - 3600000);
  assert.equal(sinceTime("24h", at, null, null), at - 86400000);
  assert.equal(sinceTime("boot", at, at - 5, first), at - 5);
  assert.equal(sinceTime("2026-11-20T00:00:00Z", at, null, first), Date.parse("2026-11-20T00:00:00Z"));
});

test("sinceTime_nothingEarlier_isNothing", () => {
  const at = 1e12;
  assert.equal(sinceTime("24h", at, null, at - 1000), at - 1000, "not before the first snapshot");
  assert.equal(sinceTime("previous", at, null, at), null, "the first snapshot has none before it");
  assert.equal(sinceTime("boot", at, null, 0), null);
  assert.equal(sinceTime("nonsense", at, null, 0), null);
  assert.equal(sinceTime("1h", null, null, 0), null);
});

test("tableRows_columns_becomeRowsWithWhatFollowsFromThem", () => {
  const head = { host_id: "h", at: "2026-01-02T00:00:00Z", since: null, boot_at: null, rows_total: 3, rebooted: false, totals: {}, cohort: null };
  const none = { delta_allocs: null, delta_frees: null, delta_bytes: null, cohort_bytes: null, cohort_hosts: null, score: null };
  const { items, ...told } = tableRows({
    ...head, nonpaged_rows: 2, dictionaries: { driver: ["a.sys"], description: [] },
    columns: { tag: ["Aaaa", "Bbbb", "Aaaa", "Cccc"], allocs: [10, 4, null, 3000000000], frees: [2, 4294967295, 1, 0], bytes: [400, null, 7, null], ...none, driver: [null, 0, 0, null], description: null },
  });
  assert.deepEqual(told, head);
  assert.deepEqual(items.map((r) => [r.tag, r.pool, r.outstanding, r.bytes_per_alloc, r.driver, r.description, r.delta_bytes, r.cohort_hosts]), [
    ["Aaaa", "nonpaged", 8, 50, null, null, null, 0], ["Bbbb", "nonpaged", 5, null, "a.sys", null, null, 0], ["Aaaa", "paged", null, null, "a.sys", null, null, 0],
    ["Cccc", "paged", 3000000000, null, null, null, null, 0],
  ]);
});
