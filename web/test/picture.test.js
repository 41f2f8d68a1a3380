import test from "node:test";
import assert from "node:assert/strict";
import { squarify } from "../lib/treemap.js";
import { logBins, powerTicks } from "../lib/scale.js";

test("squarify_areas_areInProportionAndInside", () => {
  const values = [50, 20, 10, 8, 5, 3, 2, 1, 1];
  const boxes = squarify(values, 720, 190);
  const total = values.reduce((a, b) => a + b, 0);
  boxes.forEach((b, i) => {
    assert.ok(Math.abs(b.w * b.h - (values[i] / total) * 720 * 190) < 1e-6);
    assert.ok(b.x >= -1e-9 && b.y >= -1e-9 && b.x + b.w <= 720 + 1e-6 && b.y + b.h <= 190 + 1e-6);
  });
  for (const a of boxes) for (const b of boxes) {
    if (a === b) continue;
    const w = Math.min(a.x + a.w, b.x + b.w) - Math.max(a.x, b.x);
    const h = Math.min(a.y + a.h, b.y + b.h) - Math.max(a.y, b.y);
    assert.ok(w < 1e-6 || h < 1e-6, "no two tiles overlap");
  }
});

test("squarify_nothing_isNothing", () => {
  assert.deepEqual(squarify([], 10, 10), []);
  assert.equal(squarify([1], 0, 10)[0].w, 0);
});

test("powerTicks_wideRange_staysFew", () => {
  assert.ok(powerTicks(1, 2 ** 40).length <= 7);
  assert.deepEqual(powerTicks(1024, 8192), [1024, 2048, 4096, 8192]);
});

test("logBins_extremes_fallIntoTheEnds", () => {
  const scale = logBins([0, 1, 1024, 2 ** 30], 30);
  assert.equal(scale.place(0), 0);
  assert.equal(scale.place(2 ** 30), 29);
  const same = logBins([5000, 5000], 10);
  assert.ok(same.place(5000) > 2 && same.place(5000) < 8);
  assert.equal(logBins([], 10).place(1), 0);
});
