// SPDX-License-Identifier: Apache-2.0
// The screen of one host against the stand-in server: time bar, memory, pool map, poolmon table,
// comparison, boots over one another, and all that follows the moment. Pictures go to build/screens/.
import { describe, test } from "node:test";
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { browser, fake } from "./stage.mjs";

const HOUR = 3600000;
const ID = () => fake.fleet.hosts[27].id;
const iso = (ms) => new Date(ms).toISOString().slice(0, 19) + "Z";
const ago = (hours) => iso(fake.fleet.now - hours * HOUR);
const CHART = ".mem-charts .chart canvas";
let page;

async function open(query = "", options = {}) {
  page = await browser.page({ width: 1280, ...options });
  await page.goto(`${fake.url}/hosts/${ID()}${query}`);
  await page.locator(".grid-row").first().waitFor();
  await page.locator(CHART).first().waitFor();
  return page;
}
const refresh = () => page.evaluate(() => void dispatchEvent(new CustomEvent("poolfleet:signed-in")));
/** Until the page has asked, for the nth time, for a path that ends so with that in its query. */
const asked = (end, part, nth = 1) => fake.asked((r) => r.path.endsWith(end) && `${decodeURIComponent(r.search)}&`.includes(part), { nth, what: `${end} ${part}` });
const inAddress = (part) => page.waitForFunction((p) => decodeURIComponent(location.search).includes(p), part);
const notInAddress = (part) => page.waitForFunction((p) => !decodeURIComponent(location.search).includes(p), part);
const panel = (id) => page.locator(`section[aria-labelledby="${id}"]`);
const tooWide = () => page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
/** The file a button hands out. */
async function saved(button) {
  const [download] = await Promise.all([page.waitForEvent("download"), button.click()]);
  return { name: download.suggestedFilename(), text: readFileSync(await download.path(), "utf8") };
}
const everything = () => `?at=${ago(3)}&since=${ago(30)}&against=${fake.fleet.hosts[28].id}&scale=uptime&span=all&overlay=nonpaged%20WCsc`;

describe("looks", () => {
  for (const theme of ["light", "dark"]) {
    test(`everythingShown_${theme}_isCleanAndAccessible`, async () => {
      await open(everything(), { theme });
      await page.locator(".pair-bar").first().waitFor();
      await page.locator("section[aria-labelledby=boots-h] canvas").waitFor();
      for (const summary of await page.locator(".twin summary").all()) await summary.click();
      await page.settled();
      assert.deepEqual(await page.axe({ colours: theme === "dark" }), []);
      assert.deepEqual(page.faults(), []);
      assert.ok((await tooWide()) <= 0);
      await page.picture(`host-all-${theme}`);
    });
  }

  test("narrowWindow_noSidewaysScroll", async () => {
    await open(everything(), { width: 400, height: 900 });
    await page.locator(".pair-bar").first().waitFor();
    assert.ok((await tooWide()) <= 0, `${await tooWide()} px too wide`);
    await page.picture("host-all-small");
  });

  test("printed_hasPicturesAndFiguresAndNoControls", async () => {
    await open("?since=24h");
    await page.emulateMedia({ media: "print" });
    assert.equal(await page.locator(".moment").isVisible(), false);
    assert.equal(await page.locator(".twin summary").first().isVisible(), false);
    assert.ok(await page.locator(CHART).first().isVisible());
    assert.ok(await page.locator(".fall-rows").first().isVisible());
    await page.picture("host-print");
  });

  test("hostileNames_areOnlyTextEverywhere", async () => {
    fake.state.mood = "hostile";
    for (const width of [1280, 400]) {
      await open(`?against=${fake.fleet.hosts[2].id}&overlay=nonpaged%20WCsc`, { width });
      await page.locator(".pair-bar").first().waitFor();
      for (const summary of await page.locator(".twin summary").all()) await summary.click();
      for (const tab of await page.locator("[role=tab]").all()) {
        await tab.click();
        for (const more of await page.locator(".version-history summary").all()) await more.click();
        assert.equal(await page.evaluate(() => document.querySelectorAll("main img, main script, main iframe").length), 0);
        const shown = await page.locator("body").innerText();
        assert.ok(!/[\u202a-\u202e\u2066-\u2069\u0000\u0007\u001b]/.test(shown), "a control or reordering character is shown");
        assert.ok((await tooWide()) <= 0, `${await tooWide()} px too wide at ${width}`);
      }
      for (const title of await page.locator("[title]").evaluateAll((all) => all.map((e) => e.getAttribute("title")))) assert.ok(!/[\u202a-\u202e\u0007]/.test(title ?? ""), title);
      assert.deepEqual(page.faults(), []);
      await page.picture(`hostile-host-${width}`);
      await page.close();
    }
    page = undefined;
  });
});

describe("time", () => {
  test("click_goesToAMoment_andAllFollows", async () => {
    await open();
    const box = await page.locator(".time-bar").boundingBox();
    await page.mouse.click(box.x + box.width * 0.25, box.y + 10);
    await inAddress("at=20");
    await page.locator(".past-mark").waitFor();
    await page.locator(".past").waitFor();
    for (const call of ["/state", "/tag-table"]) await asked(call, "at=20");
    await page.locator("#tab-drivers").click();
    assert.match(await page.locator("#tab-drivers").innerText(), /2$/, "drivers of then");
    await page.locator("#tab-processes").click();
    assert.match(await page.locator("#tab-panel tbody tr").first().innerText(), /17$/);
    await page.locator("#tab-changes").click();
    assert.match(await page.locator("#tab-changes").innerText(), /1$/, "what came later had not happened");
    await page.keyboard.press("n");
    await page.locator(".past-mark").waitFor({ state: "detached" });
    assert.deepEqual(page.faults(), []);
  });

  test("shiftClick_setsTheSecondMoment_andItsSliderMovesIt", async () => {
    await open();
    const box = await page.locator(".time-bar").boundingBox();
    await page.keyboard.down("Shift");
    await page.mouse.click(box.x + box.width * 0.5, box.y + 10);
    await page.keyboard.up("Shift");
    await inAddress("since=20");
    await page.locator(".delta").first().waitFor();
    await page.locator('input[aria-label="Second moment"]').focus();
    const before = page.url();
    await page.keyboard.press("PageDown");
    await page.waitForFunction((u) => location.href !== u, before);
    await page.getByRole("button", { name: "No second moment" }).click();
    await notInAddress("since=");
    await page.locator(".delta").first().waitFor({ state: "detached" });
  });

  test("commaAndDot_walkTheEntries", async () => {
    await open();
    await page.keyboard.press(",");
    await inAddress("at=");
    const one = page.url();
    await page.keyboard.press(",");
    await page.waitForFunction((u) => location.href !== u, one);
    await page.keyboard.press(".");
    await page.waitForFunction((u) => location.href === u, one);
  });

  test("list_hasEveryEntry_goesThere_andIsAFile", async () => {
    await open();
    const box = panel("time-h");
    await box.locator("summary").click();
    const rows = await box.locator("tbody tr").allInnerTexts();
    for (const part of [/Boot/, /Driver[^]*wcifs\.sys[^]*10\.0\.26100\.3194[^]*10\.0\.26100\.4061/, /Agent[^]*agent\.version/, /Event[^]*Srv[^]*2019/, /Finding[^]*WCsc[^]*leak in the nonpaged pool/, /npcap\.sys[^]*\(new\)/]) assert.ok(rows.some((r) => part.test(r)), `${part} in ${rows.join("\n")}`);
    const file = await saved(box.getByRole("button", { name: /^Save as CSV/ }));
    assert.equal(file.text.trimEnd().split("\r\n").length, rows.length + 1);
    assert.ok(file.text.startsWith("at,until,kind,name,from,to\r\n"));
    await box.locator("tr", { hasText: "Event" }).locator("button").click();
    await inAddress("at=");
  });

  test("badTimesInTheAddress_areNoFault", async () => {
    for (const query of ["?at=yesterday&since=soon", "?span=never&boots=x&overlay=%20", "?at=&since="]) {
      page = await browser.page();
      await page.goto(`${fake.url}/hosts/${ID()}${query}`);
      await page.locator(".grid-row").first().waitFor();
      assert.deepEqual(page.faults({ refusals: true }), []);
      await page.close();
    }
    page = undefined;
  });
});

describe("memory", () => {
  test("waterfall_namesWhatNobodyToldApart_andSumsUp", async () => {
    await open();
    const rows = await page.locator(".fall").first().locator("li").allInnerTexts();
    assert.deepEqual(rows.map((r) => r.split("\n")[0].trim()), ["Nonpaged pool", "Paged pool", "Processes, drivers and other kernel memory", "Free up to the limit"]);
    const shares = rows.map((r) => Number(/(\d+)\s%/.exec(r)[1]));
    assert.ok(Math.abs(shares.reduce((a, b) => a + b, 0) - 100) <= 2, shares.join());
    assert.match(await panel("mem-h").innerText(), /No total tells processes, drivers/);
  });

  test("totalsThatContradict_drawNoSplit", async () => {
    page = await browser.page();
    await page.route(/\/api\/v1\/hosts\/[^/]+\/state/, async (route) => {
      const answer = await route.fetch();
      const body = await answer.json();
      body.totals.commit_bytes = 5;
      body.totals.available_bytes = null;
      await route.fulfill({ response: answer, json: body });
    });
    await page.goto(`${fake.url}/hosts/${ID()}`);
    await page.getByText("contradict each other").waitFor();
    await page.getByText("did not tell these totals").waitFor();
  });

  test("arrowKeys_moveTheCursor_allChartsFollow_enterGoesThere", async () => {
    await open();
    const chart = page.locator(".mem-charts .chart").first();
    await chart.focus();
    const text = () => chart.getAttribute("aria-valuetext");
    const newest = await text();
    assert.match(newest, /Nonpaged .*GB, Paged .*GB/);
    await page.keyboard.press("ArrowLeft");
    await page.keyboard.press("Shift+ArrowLeft");
    assert.notEqual(await text(), newest);
    await page.keyboard.press("Home");
    const oldest = await text();
    const times = () => page.locator(".mem-charts .chart").evaluateAll((all) => all.map((c) => c.querySelector(".u-legend .u-value")?.textContent));
    await page.waitForFunction((t) => [...document.querySelectorAll(".mem-charts .chart")].every((c) => t.startsWith(c.querySelector(".u-legend .u-value")?.textContent ?? "?")), oldest).catch(async () => assert.fail(`${oldest} and ${await times()}`));
    assert.ok(!page.url().includes("at="));
    await page.keyboard.press("Enter");
    await inAddress("at=");
    assert.deepEqual(page.faults(), []);
  });

  test("table_andFile_holdWhatIsDrawn", async () => {
    await open("?span=1");
    await page.settled();
    const box = panel("mem-h");
    await box.locator("summary").click();
    await box.locator(".twin tbody tr").first().waitFor();
    const shown = await box.locator(".twin tbody tr").count();
    const file = await saved(box.getByRole("button", { name: /^Save as CSV/ }));
    const lines = file.text.trimEnd().split("\r\n");
    assert.ok(lines[0].startsWith("at,nonpaged_bytes,nonpaged_bytes_min,nonpaged_bytes_max,"), lines[0]);
    assert.equal(lines.length - 1, shown);
    assert.match(lines[1], /^20\d\d-[^,]+Z,\d+,\d+,\d+,/);
  });

  /** The fleet's host as one that was seen first some minutes ago. */
  async function young(points) {
    page = await browser.page();
    const last = Math.floor((fake.fleet.now - 60000) / 1000) * 1000;
    await page.route(new RegExp(`/api/v1/hosts/${ID()}$`), async (route) => {
      const answer = await route.fetch();
      const body = await answer.json();
      Object.assign(body, { first_snapshot_at: iso(last - (points - 1) * 60000), last_snapshot_at: iso(last), boots: [{ boot_at: iso(last - 300000), first_seen: iso(last - (points - 1) * 60000), last_seen: iso(last), snapshots: points }] });
      await route.fulfill({ response: answer, json: body });
    });
    await page.route(/\/series\?/, async (route) => {
      const t = Array.from({ length: points }, (_, i) => Math.round(last / 1000) - (points - 1 - i) * 60);
      const column = t.map((_, i) => 2 ** 30 + i);
      const columns = Object.fromEntries(["nonpaged_bytes", "paged_bytes", "commit_bytes"].map((c) => [c, { last: column, min: column, max: column }]));
      await route.fulfill({ json: { host_id: ID(), from: "", to: "", snapshots: points, t, boots: [], columns } });
    });
    const asks = page.waitForRequest(/\/series\?/);
    await page.goto(`${fake.url}/hosts/${ID()}`);
    await page.locator(".grid-row").first().waitFor();
    return { last, ask: new URL((await asks).url()).searchParams };
  }

  test("hostOfSomeMinutes_showsItsPoints_andAsksForNoMore", async () => {
    const { last, ask } = await young(4);
    await page.locator(CHART).first().waitFor();
    assert.equal(Date.parse(ask.get("from")), last - 180000);
    assert.match(await panel("mem-h").innerText(), /4 snapshots/);
    await page.getByText("One boot so far").waitFor();
    assert.deepEqual(page.faults(), []);
  });

  test("hostOfOneSnapshot_saysSo", async () => {
    await young(1);
    await page.getByText("One snapshot so far").waitFor();
    assert.equal(await page.locator(".time-bar").count(), 0);
    assert.deepEqual(page.faults(), []);
  });
});

describe("pool map", () => {
  test("change_isToldByToneAndPatternAndWords", async () => {
    await open("?since=24h");
    const tile = page.locator('.treemap a[href^="/tags/WCsc"]');
    assert.match(await tile.getAttribute("class"), /tile-c2|tile-cnew/);
    assert.match(await tile.getAttribute("title"), /grew by half and more \(\+/);
    assert.match(await tile.evaluate((e) => getComputedStyle(e).backgroundImage), /gradient/);
    await panel("fill-h").getByRole("button", { name: "against peers" }).click();
    assert.match(await tile.getAttribute("class"), /tile-2/);
    await panel("fill-h").getByRole("button", { name: "drivers" }).click();
    await page.locator(".treemap b", { hasText: "ntfs.sys" }).first().waitFor();
  });

  test("arrowKeys_moveBetweenTiles_oneTabStopAPool", async () => {
    await open();
    assert.equal(await page.locator(".treemap").first().locator('a[tabindex="0"]').count(), 1);
    await page.locator('.treemap a[tabindex="0"]').first().focus();
    const focused = () => page.evaluate(() => document.activeElement.getAttribute("href"));
    const from = await focused();
    await page.keyboard.press("ArrowRight");
    const to = await focused();
    assert.notEqual(to, from);
    await page.keyboard.press("ArrowLeft");
    assert.equal(await focused(), from);
    await page.keyboard.press("ArrowRight");
    await page.keyboard.press("Enter");
    await page.waitForURL((u) => u.pathname + u.search === to);
  });

  test("table_hasEveryTagOnce", async () => {
    await open("?since=24h");
    await panel("fill-h").locator("summary").click();
    const file = await saved(panel("fill-h").getByRole("button", { name: /^Save as CSV/ }));
    assert.equal(file.text.trimEnd().split("\r\n").length, 321);
  });
});

describe("poolmon", () => {
  /** Each refresh after the first finds WCsc a megabyte bigger and a minute later. */
  async function growing() {
    let calls = 0;
    page = await browser.page({ width: 1280 });
    await page.route(/\/tag-table/, async (route) => {
      const answer = await route.fetch();
      const body = await answer.json();
      body.columns.bytes[body.columns.tag.indexOf("WCsc")] += calls * 2 ** 30;
      body.at = iso(Date.parse(body.at) + calls * 60000);
      calls++;
      await route.fulfill({ response: answer, json: body });
    });
    await page.goto(`${fake.url}/hosts/${ID()}`);
    await page.locator(".grid-row").first().waitFor();
    return { calls: () => calls };
  }
  const bytesOf = () => page.locator(".grid-row", { hasText: "WCsc" }).locator("[role=gridcell]:nth-child(6)").innerText();

  test("refresh_marksWhatMoved_reducedMotionHasNoAnimation", async () => {
    await growing();
    await page.emulateMedia({ reducedMotion: "no-preference" });
    assert.equal(await page.locator(".moved-up").count(), 0);
    await refresh();
    await page.locator(".moved-up").first().waitFor();
    assert.equal(await page.locator(".moved-up").count(), 1);
    assert.equal(await page.locator(".moved-up").evaluate((e) => getComputedStyle(e).animationName), "moved");
    await page.emulateMedia({ reducedMotion: "reduce" });
    assert.equal(await page.locator(".moved-up").evaluate((e) => getComputedStyle(e).animationName), "none");
    assert.notEqual(await page.locator(".moved-up").evaluate((e) => getComputedStyle(e).boxShadow), "none");
    await page.keyboard.press("l");
    await page.locator(".moved-up").waitFor({ state: "detached" });
  });

  test("anHourBack_isAnotherPicture_nothingIsMarkedAndTheChartsStay", async () => {
    await growing();
    await page.locator(CHART).nth(2).waitFor();
    await page.evaluate((chart) => document.querySelectorAll(chart).forEach((c) => (c.id = "before")), CHART);
    await page.keyboard.press("[");
    await page.locator("#poolmon-h ~ span .past").waitFor();
    await page.locator(".pending").waitFor({ state: "detached" });
    assert.equal(await page.locator(".moved-up, .moved-down").count(), 0);
    assert.equal(await page.locator(`${CHART}:not(#before)`).count(), 0, "a mark alone draws no chart anew");
  });

  test("space_pauses_andGoesOn_butNotOnAButton", async () => {
    const { calls } = await growing();
    const before = await bytesOf();
    await page.keyboard.press("Space");
    await page.locator(".paused").waitFor();
    const n = calls();
    const answered = page.waitForResponse(/\/tag-table/);
    await refresh();
    await answered;
    assert.equal(calls(), n + 1);
    // Another part of the screen has been drawn since, so the table had its chance to change.
    await page.locator("#tab-drivers").click();
    await page.locator("#tab-panel", { hasText: "wcifs.sys" }).waitFor();
    assert.equal(await bytesOf(), before);
    await page.locator("#tab-drivers").press("Space");
    assert.equal(await page.locator(".paused").count(), 1, "Space on a tab is the tab's");
    await page.evaluate(() => /** @type {HTMLElement} */ (document.activeElement).blur());
    await page.keyboard.press("Space");
    await page.locator(".paused").waitFor({ state: "detached" });
    assert.notEqual(await bytesOf(), before);
    await page.getByRole("button", { name: "Pause (Space)" }).click();
    await page.locator(".paused").waitFor();
    await page.keyboard.press("[");
    await page.locator(".paused").waitFor({ state: "detached" });
  });

  test("c_opensTheRowOverTime_withTableAndFile", async () => {
    await open("?q=WCsc");
    await page.locator(".grid-scroll").focus();
    await page.keyboard.press("ArrowDown");
    await page.keyboard.press("c");
    await page.locator(".row-chart canvas").first().waitFor();
    const file = await saved(page.locator(".row-chart").getByRole("button", { name: /^Save as CSV/ }));
    assert.ok(file.text.startsWith("at,bytes,outstanding,alloc_rate\r\n"));
    assert.ok(file.text.split("\r\n").length > 500);
    await page.locator(".row-chart .twin summary").click();
    await page.locator(".row-chart tbody tr").first().waitFor();
    assert.deepEqual(await page.axe(), []);
  });

  test("csv_holdsTheRowsShownInTheirOrder", async () => {
    await open("?q=ntf&sort=allocs");
    const file = await saved(panel("poolmon-h").getByRole("button", { name: "Save as CSV: Pool tags" }));
    const rows = file.text.trimEnd().split("\r\n").slice(1).map((l) => l.split(","));
    assert.equal(rows.length, 4);
    assert.deepEqual(rows.map((r) => Number(r[2])), rows.map((r) => Number(r[2])).sort((a, b) => b - a));
  });

  test("noMatch_saysSo", async () => {
    page = await browser.page();
    await page.goto(`${fake.url}/hosts/${ID()}?q=nothing-like-it`);
    await page.getByText("No tag matches").waitFor();
  });

  test("4000Rows_sortInThePage_isMeasured", async (t) => {
    await open();
    const times = await page.evaluate(async () => {
      const { sortTags } = await import("/lib/poolmon.js");
      const rows = Array.from({ length: 4000 }, (_, i) => ({ tag: String.fromCharCode(65 + (i * 7) % 26, 97 + (i * 3) % 26, 65 + i % 26, 48 + i % 10), pool: i % 2 ? "paged" : "nonpaged", bytes: (i * 7919) % 100003, allocs: (i * 104729) % 999983, frees: i, outstanding: (i * 31) % 4001, bytes_per_alloc: i % 512, score: i % 3 ? (i * 17) % 97 : null, driver: i % 5 ? `d${i % 300}.sys` : null, delta_bytes: i - 2000, delta_allocs: i, delta_frees: 1, cohort_bytes: i }));
      const out = [];
      for (const key of ["bytes", "diff", "allocs", "frees", "each", "tag", "score", "driver", "bytes", "tag"]) {
        const start = performance.now();
        const sorted = sortTags(rows, { key, change: false, up: false });
        out.push(performance.now() - start);
        if (sorted.length !== 4000) throw new Error("rows are lost");
      }
      return out.sort((a, b) => a - b);
    });
    t.diagnostic(`4,000 rows sorted: median ${times[5].toFixed(1)} ms, worst ${times[9].toFixed(1)} ms`);
  });
});

describe("comparison", () => {
  test("anotherHost_isFound_comparedAndScaled", async () => {
    await open();
    const box = panel("compare-h");
    await box.getByRole("button", { name: "Another host" }).click();
    await inAddress("compare=host");
    await box.getByPlaceholder("Part of a host").fill("TS003");
    await box.getByRole("button", { name: "TS003" }).click();
    await inAddress("against=");
    await box.locator(".pair-bar").first().waitFor();
    assert.match(await box.innerText(), /The other side: TS003/);
    const differences = async () => (await saved(box.getByRole("button", { name: /^Save as CSV/ }))).text.trimEnd().split("\r\n").slice(1).map((l) => Math.abs(Number(l.split(",")[4])));
    const list = await differences();
    assert.equal(list.length, 320);
    assert.deepEqual(list, list.slice().sort((a, b) => b - a), "the biggest difference first");
    await box.getByText("Scale to the same uptime").click();
    await inAddress("scale=uptime");
    await box.getByText("is multiplied by 2.5").waitFor();
    await asked("/compare", "scale=uptime");
    await box.getByRole("button", { name: "Show more" }).click();
    assert.ok((await box.locator("tbody tr").count()) > 60);
    await box.getByRole("button", { name: "Nothing" }).click();
    await notInAddress("against");
    await box.locator(".pair-bar").first().waitFor({ state: "detached" });
    assert.deepEqual(page.faults(), []);
  });

  test("anotherBootAndAnotherMoment_areAskedForByTheirTime", async () => {
    await open();
    const box = panel("compare-h");
    await box.getByRole("button", { name: "Another boot" }).click();
    await inAddress("against_boot=20");
    await box.locator(".pair-bar").first().waitFor();
    await box.getByRole("button", { name: "Another moment" }).click();
    await inAddress("against_at=20");
    await notInAddress("against_boot");
    await page.waitForFunction(() => document.querySelector("section[aria-labelledby=compare-h] .loaded")?.getAttribute("aria-busy") === "false");
    await asked("/compare", "against_at=20");
  });

  test("sideThatIsGone_isNamed_andTheRestStays", async () => {
    await open("?against=nobody");
    assert.match(await panel("compare-h").locator(".error-panel").innerText(), /there is no such side[^]*against/);
    assert.deepEqual(await page.axe(), []);
    assert.ok(await page.locator(".grid-row").first().isVisible());
  });
});

describe("boots", () => {
  test("chosenTag_isLaidOverItself", async () => {
    await open("?q=WCsc");
    const box = panel("boots-h");
    await box.locator("canvas").waitFor();
    await asked("/series", "columns=nonpaged_bytes&", 2);
    await page.locator(".grid-row").first().click();
    await box.locator("select").first().selectOption("nonpaged WCsc");
    await inAddress("overlay=nonpaged+WCsc").catch(() => inAddress("overlay=nonpaged WCsc"));
    await box.locator("canvas").waitFor();
    await asked("/tags/WCsc/series", "from=", 2);
    await box.locator(".chart").focus();
    await page.keyboard.press("Home");
    assert.match(await box.locator(".chart").getAttribute("aria-valuetext"), /^[\d.]+\sh, Boot .*GB|^[\d.]+\sh, Boot/);
    const file = await saved(box.getByRole("button", { name: /^Save as CSV/ }));
    assert.ok(file.text.startsWith("hours,Boot") || file.text.startsWith('hours,"Boot'), file.text.slice(0, 80));
  });

  test("oneBootFails_theOtherIsDrawn_andAllFailing_isAnError", async () => {
    let broken = true;
    page = await browser.page();
    const older = iso(fake.fleet.hosts[27].boot - 399 * HOUR);
    await page.route((u) => u.pathname.endsWith("/series") && u.searchParams.get("from") === older && u.searchParams.get("points") === "200", (route) => (broken ? route.fulfill({ status: 503, json: { title: "The database is away", status: 503 } }) : route.continue()));
    await page.goto(`${fake.url}/hosts/${ID()}`);
    await page.getByText("1 of 2 boots could not be read").waitFor();
    await panel("boots-h").locator("canvas").waitFor();
    broken = false;
    await panel("boots-h").getByRole("button", { name: "Try again" }).click();
    await page.getByText("1 of 2 boots could not be read").waitFor({ state: "detached" });
  });
});

describe("states", () => {
  const away = { status: 503, title: "The database is away", detail: "could not reach the database" };

  test("historyFails_theRestIsThereAndItIsSaid", async () => {
    fake.state.fail.set(`/hosts/${ID()}/history`, away);
    await open();
    await page.getByText("What happened to this host could not be read").waitFor();
    assert.equal(await page.locator(".time-boot").count(), 2, "boots are known from elsewhere");
    assert.deepEqual(await page.axe(), []);
    fake.state.fail.clear();
    await panel("time-h").getByRole("button", { name: "Try again" }).click();
    await panel("time-h").locator("summary").waitFor();
    assert.deepEqual(page.faults({ refusals: true }), []);
  });

  test("stateFails_theNewestIsShownAndItIsSaid", async () => {
    fake.state.fail.set(`/hosts/${ID()}/state`, away);
    await open();
    await page.getByText("what is shown is of the newest snapshot").waitFor();
    await page.locator("#tab-drivers").click();
    assert.equal(await page.locator("#tab-panel tbody tr").count(), 3);
  });

  test("seriesFails_isAnErrorOfItsOwnWithRetry", async () => {
    fake.state.fail.set(`/hosts/${ID()}/series`, away);
    page = await browser.page();
    await page.goto(`${fake.url}/hosts/${ID()}`);
    const error = panel("mem-h").locator(".error-panel");
    await error.waitFor();
    assert.match(await error.innerText(), /The database is away/);
    assert.ok(await page.locator(".fall-rows").first().isVisible());
    fake.state.fail.clear();
    await error.getByRole("button", { name: "Try again" }).click();
    await page.locator(CHART).first().waitFor();
  });

  test("serverGoneLater_keepsWhatWasRead_andTellsItsAge", async () => {
    await open();
    const rows = await page.locator(".grid-row").count();
    fake.state.fail.set("/hosts", "drop");
    await refresh();
    await page.locator(".stale").first().waitFor();
    assert.equal(await page.locator(".grid-row").count(), rows);
    assert.deepEqual(await page.axe(), []);
    fake.state.fail.clear();
  });

  test("slowServer_holdsThePlaces_nothingMoves", async () => {
    let go = () => {};
    fake.state.slow.set(`/hosts/${ID()}/`, new Promise((done) => (go = done)));
    page = await browser.page({ width: 1280 });
    await page.addInitScript(() => {
      window.shift = 0;
      new PerformanceObserver((list) => {
        for (const e of list.getEntries()) if (!e.hadRecentInput) window.shift += e.value;
      }).observe({ type: "layout-shift", buffered: true });
    });
    await page.goto(`${fake.url}/hosts/${ID()}`);
    await page.locator(".mem-hold").waitFor();
    await page.locator(".grid-hold").waitFor();
    go();
    fake.state.slow.clear();
    await page.locator(".grid-row").first().waitFor();
    await page.locator(CHART).first().waitFor();
    await page.settled();
    const shift = await page.evaluate(() => window.shift);
    assert.ok(shift < 0.1, `layout shift ${shift}`);
  });
});
