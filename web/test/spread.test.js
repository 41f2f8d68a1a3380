import { test } from "node:test";
import assert from "node:assert/strict";
import { binLow, binOf, csv, exactRatio, explainHref, factOf, hostsBetween, parseAmount, rowsOf, trendValues } from "../lib/spread.js";

test("bins: a value lies in the bin that begins at or below it", () => {
  for (const v of [1, 2, 3, 4096, 1e6, 5e9]) {
    const b = binOf(v, 4);
    assert.ok(binLow(b, 4) <= v || b === 0, String(v));
    assert.ok(binLow(b + 1, 4) > v, String(v));
  }
  assert.equal(binOf(0, 4), 0);
  assert.equal(binLow(0, 4), 0);
});

test("hosts between bins are summed over the bands, outside is nobody", () => {
  const d = { first_bin: 10, bands: [{ counts: [1, 2, 3] }, { counts: [0, 5, 0] }] };
  assert.equal(hostsBetween(d, 11, 12), 10);
  assert.equal(hostsBetween(d, 0, 10), 1);
  assert.equal(hostsBetween(d, 13, 99), 0);
});

test("amounts as people type them", () => {
  assert.equal(parseAmount("10 MB"), 10 * 2 ** 20);
  assert.equal(parseAmount("1.5gb"), 1.5 * 2 ** 30);
  assert.equal(parseAmount("1,5 GiB"), 1.5 * 2 ** 30);
  assert.equal(parseAmount("2000"), 2000);
  assert.equal(parseAmount("24 MB/day"), 2 ** 20);
  assert.equal(parseAmount(" "), null);
  assert.ok(Number.isNaN(parseAmount("many")));
  assert.ok(Number.isNaN(parseAmount("-5")));
});

test("trend text, columns, CSV", () => {
  assert.deepEqual(trendValues("0-z"), [0, null, 1]);
  assert.deepEqual(rowsOf({ a: [1, 2], b: ["x", null] }), [{ a: 1, b: "x" }, { a: 2, b: null }]);
  assert.equal(csv(["a", "b"], [["=1+1", -5], ['x,"y"', null]]), "a,b\r\n'=1+1,-5\r\n\"x,\"\"y\"\"\",\r\n");
});

test("selections and facts as addresses", () => {
  assert.equal(explainHref({ tag: "Ddk ", low: 5, high: null }), "/explain?tag=Ddk+&low=5");
  assert.equal(factOf({ attribute: "driver/a.sys", value: "1.0", any_version: false }), "driver/a.sys=1.0");
  assert.equal(factOf({ attribute: "driver/a.sys", value: null, any_version: true }), "driver/a.sys");
});

test("exactRatio_keepsThreePlaces_exceptWhereTheySayNothing", () => {
  assert.equal(exactRatio(1.999), "1.999\u00d7");
  assert.equal(exactRatio(3541.6), "3,542\u00d7");
  assert.equal(exactRatio(0.0000004), "< 0.01\u00d7");
});
