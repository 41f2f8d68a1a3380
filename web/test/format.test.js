import test from "node:test";
import assert from "node:assert/strict";
import * as f from "../lib/format.js";

const plain = (s) => s.replace(/\u00a0/g, " ");
const GB = 2 ** 30;

test("bytes_known_hasThreeDigitsAndUnit", () => {
  for (const [n, text] of [
    [0, "0 B"], [1, "1 B"], [999, "999 B"], [1000, "0.98 KB"], [1024, "1 KB"], [1536, "1.50 KB"], [10240, "10 KB"],
    [123456789, "118 MB"], [1023.6 * 2 ** 20, "1.00 GB"], [4.25 * GB, "4.25 GB"], [2 ** 53, "8 PB"], [-2048, "-2 KB"],
  ]) assert.equal(plain(f.bytes(n)), text);
});

test("everything_unknown_isADashAndNeverZero", () => {
  for (const fn of [f.bytes, f.bytesChange, f.count, f.countShort, f.countChange, f.rate, f.percent, f.score, f.ratio, f.duration, f.localTime, f.ago]) {
    for (const v of [null, undefined, NaN]) assert.equal(fn(/** @type {any} */ (v)), f.UNKNOWN, fn.name);
  }
  assert.equal(f.ago("not a time"), f.UNKNOWN);
  assert.equal(f.timeLeft(null), null);
  assert.equal(f.timeLeft({ p10: null, p50: null, p90: null }), null);
});

test("rate_slow_isSaidPerDay", () => {
  assert.equal(plain(f.rate(2 * GB)), "+2 GB/h");
  assert.equal(plain(f.rate(1024 * 512)), "+12 MB/day");
  assert.equal(plain(f.rate(-4096)), "\u221296 KB/day");
});

test("rate_besideAnother_isInItsUnit", () => {
  assert.equal(plain(f.rate(1024 * 512, 2 * GB)), "+512 KB/h");
  assert.equal(plain(f.rate(1024 * 512, 1024 * 600)), "+12 MB/day");
});

test("timeTicks_daysOrTimes_withTheDayOnce", () => {
  const noon = new Date(2026, 10, 21, 12).getTime() / 1000;
  const days = f.timeTicks([noon, noon + 86400], 86400);
  assert.equal(new Set(days).size, 2);
  assert.ok(days.every((d) => !d.includes("\n")));
  const hours = f.timeTicks([noon, noon + 3 * 3600, noon + 13 * 3600], 3600);
  assert.deepEqual(hours.map((h) => h.split("\n").length), [2, 1, 2]);
  assert.equal(hours[0].split("\n")[1], days[0]);
  assert.equal(hours[2].split("\n")[1], days[1]);
});

test("changes_haveTheirSign", () => {
  assert.equal(f.countChange(1200), "+1,200");
  assert.equal(f.countChange(-3), "\u22123");
  assert.equal(f.countChange(0), "0");
  assert.equal(plain(f.bytesChange(-1024)), "\u22121 KB");
});

test("percent_nearTheEnds_isNotRoundedAway", () => {
  assert.equal(plain(f.percent(0.999)), "> 99 %");
  assert.equal(plain(f.percent(1)), "100 %");
  assert.equal(plain(f.percent(0.004)), "< 1 %");
  assert.equal(plain(f.percent(0)), "0 %");
});

test("duration_takesTheTwoBiggestUnits", () => {
  for (const [s, text] of [[5, "5 s"], [300, "5 min"], [3600, "1 h"], [3600 + 900, "1 h 15 min"], [15 * 3600, "15 h"], [15 * 3600 + 1200, "15 h"], [86400 * 3 + 7200, "3 d 2 h"], [86400 * 40, "40 d"]]) {
    assert.equal(plain(f.duration(s)), text);
  }
});

test("ago_pastAndFuture_areToldApart", () => {
  const now = Date.parse("2026-11-21T12:00:00Z");
  assert.equal(plain(f.ago("2026-11-21T11:59:40Z", now)), "just now");
  assert.equal(plain(f.ago("2026-11-21T09:00:00Z", now)), "3 h ago");
  assert.equal(plain(f.ago("2026-11-23T12:00:00Z", now)), "in 2 days");
});

test("timeLeft_range_sharesItsUnit", () => {
  const now = Date.parse("2026-11-21T12:00:00Z");
  const at = (h) => f.rfc3339(now + h * 3600000);
  const left = (a, b, c) => f.timeLeft({ p10: at(a), p50: at(b), p90: at(c) }, now);
  assert.equal(plain(left(5, 6, 9).text), "5\u20139 h");
  assert.equal(left(5, 6, 9).soon, true);
  assert.equal(plain(left(20, 60, 100).text), "20 h\u20134 days");
  assert.equal(plain(left(72, 73, 74).text), "about 3 days");
  assert.equal(left(72, 73, 74).soon, false);
  assert.equal(plain(left(-2, 1, 3).text), "less than 3 h");
  assert.equal(plain(left(-2, 0.01, 0.021).text), "less than 2 min", "not 77 s, which is over before it is read");
  assert.equal(left(-3, -2, -1).text, "now");
});

test("score_beyondAThousand_isCut", () => {
  assert.equal(f.score(3.14159), "3.1");
  assert.equal(f.score(231.4), "231");
  assert.equal(f.score(12345), "> 999");
  assert.equal(f.score(-4.2), "\u22124.2");
});

test("ratio_oneDigitBelowTen_noneAbove", () => {
  assert.deepEqual([0, 0.04, 0.26, 2, 4.12, 9.96, 16.4, 999.6, 5e6].map(f.ratio), ["0.0\u00d7", "0.0\u00d7", "0.3\u00d7", "2.0\u00d7", "4.1\u00d7", "10\u00d7", "16\u00d7", "> 999\u00d7", "> 999\u00d7"]);
});
