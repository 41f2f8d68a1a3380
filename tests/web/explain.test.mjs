// SPDX-License-Identifier: Apache-2.0
// The screens Tags, Tag, Explain, Drivers and Driver against the stand-in server, in a headless
// browser: states, keys, drags, files, hostile names, both themes. Needs build/web.
import { describe, test } from "node:test";
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { startFake } from "./fake_api.mjs";
import { browser, fake } from "./stage.mjs";

let page;
async function open(path, wait, options) {
  await page?.close();
  page = await browser.page(options);
  await page.goto(fake.url + path);
  if (wait) await page.locator(wait).first().waitFor({ state: "attached" });
  return page;
}
const rows = (within = "main") => page.locator(`${within} .table tbody:not([aria-hidden]) tr`);
const said = (re) => page.waitForFunction((source) => new RegExp(source).test(document.querySelector("main").innerText), re.source);
async function download(button) {
  const [file] = await Promise.all([page.waitForEvent("download"), button.click()]);
  return { name: file.suggestedFilename(), text: readFileSync(await file.path(), "utf8") };
}
const EXPLAIN = "/explain?tag=WCsc&pool=nonpaged&low=1048576";
const SCREENS = [["tags", "/tags", ".virtual tbody tr"], ["tag", "/tags/WCsc", ".heat canvas"], ["explain", EXPLAIN, ".explain-table tbody tr"], ["explain-choose", "/explain", ".empty"],
  ["drivers", "/drivers", ".table tbody tr"], ["driver", "/drivers/wcifs.sys", ".adoption"]];

describe("screens", () => {
  for (const theme of ["light", "dark"])
    for (const [name, path, wait] of SCREENS)
      test(`${name}_${theme}_isCleanAndAccessible`, async () => {
        await open(path, wait, { theme });
        await page.settled();
        await page.picture(`x-${name}-${theme}`);
        assert.deepEqual(await page.axe({ colours: theme === "dark" }), []);
        assert.deepEqual(page.faults(), []);
        assert.equal(await page.locator("main h1").count(), 1);
      });

  test("everyScreen_400px_hasNoSidewaysScroll", async () => {
    for (const [name, path, wait] of SCREENS) {
      await open(path, wait, { width: 400, height: 844 });
      await page.settled();
      const over = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
      await page.picture(`x-${name}-small`);
      assert.ok(over <= 0, `${name} is ${over} px too wide`);
    }
  });

  test("hostileNames_everywhere_areShownAsText", async () => {
    fake.state.mood = "hostile";
    for (const [name, path, wait] of SCREENS.filter(([n]) => n !== "driver")) {
      await open(path, wait);
      await page.settled();
      assert.deepEqual(page.faults(), [], name);
      assert.equal(await page.locator("main img, main script").count(), 0, name);
      assert.equal(await page.evaluate(() => document.documentElement.scrollWidth > document.documentElement.clientWidth), false, name);
      assert.ok(!/[\u202e\u200b\u0007]/.test(await page.locator("main").innerText()), name);
      assert.deepEqual(await page.axe(), [], name);
    }
    await page.picture("x-hostile-drivers");
  });

  test("everyScreen_printed_keepsItsContentWithoutControls", async () => {
    for (const [name, path, wait] of SCREENS.filter(([n]) => n !== "explain-choose")) {
      await open(path, wait);
      await page.emulateMedia({ media: "print" });
      assert.equal(await page.locator("main .toolbar:visible").count(), 0, name);
      assert.ok((await page.locator("main").innerText()).length > 200, name);
    }
  });
});

describe("states", () => {
  test("explain_emptySelection_namesTheFault", async () => {
    await open("/explain?tag=WCsc&low=99999999999999", ".error-panel");
    assert.match(await page.locator(".error-panel").innerText(), /the selection is empty/);
    assert.match(await page.locator(".error-panel").innerText(), /low/);
    assert.deepEqual(await page.axe(), []);
    assert.equal(await page.locator(".region input").count(), 2, "the bounds stay to be mended");
  });

  test("explain_serverFails_saysSoAndRetries", async () => {
    fake.state.fail.set("/explain", { status: 503, title: "The server is busy" });
    await open(EXPLAIN, ".error-panel");
    fake.state.fail.clear();
    await page.getByRole("button", { name: "Try again" }).click();
    await rows().first().waitFor();
  });

  test("tag_onePartFails_theOthersStay", async () => {
    fake.state.fail.set("/tags/WCsc/lockstep", { status: 500, title: "The server failed" });
    await open("/tags/WCsc", ".dist-out");
    await page.locator(".side .error-panel").waitFor();
    assert.ok((await page.locator(".heat canvas").count()) === 1);
    assert.deepEqual(await page.axe(), []);
  });

  test("tag_slow_holdsItsShapes", async () => {
    let go;
    fake.state.slow.set("/tags/WCsc/distribution", new Promise((r) => (go = r)));
    await open("/tags/WCsc", ".dist-hold");
    go();
    await page.locator(".dist-out").first().waitFor();
  });

  test("explain_refreshFails_keepsTheOldAndSaysItsAge", async () => {
    page = await browser.page();
    await page.clock.install();
    await page.goto(fake.url + EXPLAIN);
    await rows().first().waitFor();
    fake.state.fail.set("/explain", { status: 503, title: "The server is busy" });
    await page.clock.fastForward(120000);
    await page.locator(".stale").waitFor();
    assert.ok((await rows().count()) > 0);
  });
});

describe("work", () => {
  test("tags_typing_filtersAtOnceWithoutAsking", async () => {
    await open("/tags", ".virtual tbody tr");
    const before = fake.state.requests.length;
    await page.fill("[data-search]", "ddk");
    await page.waitForFunction(() => document.querySelectorAll(".virtual tbody:not([aria-hidden]) tr").length === 1);
    assert.equal(fake.state.requests.length, before, "nothing was asked");
    assert.match(page.url(), /q=ddk/);
    await page.fill("[data-search]", "NO SUCH");
    await page.locator(".empty").waitFor();
    assert.match(await page.locator(".empty").innerText(), /No tag matches/);
  });

  test("tags_sortKeysExactAndHex_areInTheAddress", async () => {
    await open("/tags", ".virtual tbody tr");
    assert.ok((await rows().count()) < 100, "only rows in sight exist");
    await page.getByRole("button", { name: "Hosts" }).click();
    await page.waitForFunction(() => location.search.includes("sort=-hosts"));
    await page.getByLabel("Show bytes in hex").check();
    await page.selectOption("main .toolbar-tight select", "exact");
    await said(/44 64 6b 20|57 43 73 63/);
    assert.match(page.url(), /hex=yes/);
    assert.match(page.url(), /sizes=exact/);
    await page.goto(fake.url + "/tags?q=wcsc&sizes=exact");
    await rows().first().waitFor();
    assert.match(await rows().first().innerText(), /\d,\d{3},\d{3}/);
    await page.locator(".virtual").focus();
    await page.keyboard.press("ArrowDown");
    await page.keyboard.press("Enter");
    await page.waitForURL(/\/tags\/WCsc/);
  });

  test("tags_keysToTheEnd_showTheLastRow", async () => {
    await open("/tags?sort=bytes", ".virtual tbody tr");
    await page.locator(".virtual").focus();
    await page.keyboard.press("End");
    await page.waitForFunction(() => document.querySelector("tr.row-active")?.getAttribute("aria-rowindex") === "321");
    await page.keyboard.press("Home");
    await page.waitForFunction(() => document.querySelector("tr.row-active")?.getAttribute("aria-rowindex") === "2");
  });

  test("tags_csv_isExactlyWhatIsShown", async () => {
    await open("/tags?q=ntf", ".virtual tbody tr");
    const file = await download(page.getByRole("button", { name: "CSV", exact: true }));
    const lines = file.text.trim().split("\r\n");
    assert.equal(file.name, "tags.csv");
    assert.equal(lines.length - 1, await rows().count());
    assert.match(lines[0], /^tag,pool,hosts,bytes/);
  });

  test("distribution_drag_explainsThatRegion", async () => {
    await open("/tags/WCsc", ".dist-out");
    const box = await page.locator("svg.dist").boundingBox();
    await page.mouse.move(box.x + box.width * 0.55, box.y + 30);
    await page.mouse.down();
    await page.mouse.move(box.x + box.width - 20, box.y + 60, { steps: 4 });
    await page.mouse.up();
    await page.locator(".dist-region").waitFor();
    const note = await page.locator("#dist-region-note").innerText();
    assert.match(note, /^\d+ hosts?$/);
    await page.locator("form.region").first().getByRole("button").click();
    await page.waitForURL(/\/explain\?tag=WCsc&pool=nonpaged&low=\d/);
    await rows().first().waitFor();
  });

  test("distribution_keys_explainThatRegion", async () => {
    await open("/tags/WCsc?measure=rate", ".dist-handle");
    const low = page.getByRole("slider", { name: "From" });
    await low.focus();
    for (let i = 0; i < 6; i++) await page.keyboard.press("ArrowRight");
    assert.match(await low.getAttribute("aria-valuetext"), /hosts/);
    await page.keyboard.press("Enter");
    await page.waitForURL(/\/explain\?tag=WCsc&pool=nonpaged&measure=rate&low=/);
  });

  test("distribution_typedBounds_wrongOnesAreToldAndKept", async () => {
    await open("/tags/WCsc", ".dist-out");
    const form = page.locator("form.region").first();
    await form.getByLabel("From").fill("many");
    await form.getByRole("button").click();
    await said(/Not understood/);
    assert.equal(await form.getByLabel("From").inputValue(), "many");
    await form.getByLabel("From").fill("10 GB");
    await form.getByLabel("to").fill("1 MB");
    await form.getByRole("button").click();
    await said(/must not be over/);
    await form.getByLabel("to").fill("");
    await form.getByRole("button").click();
    await page.waitForURL(/low=10737418240/);
  });

  test("heatmap_keys_readCellsAndExplainSizes", async () => {
    await open("/tags/WCsc", ".heat canvas");
    await page.locator(".heat").focus();
    await page.keyboard.press("ArrowLeft");
    assert.match(await page.locator(".heat-said").innerText(), /hosts? of [\d,]+ held|of \d+ held/);
    await page.keyboard.press("Shift+ArrowDown");
    await page.locator(".heat-range").waitFor();
    await page.keyboard.press("Enter");
    await page.waitForURL(/\/explain\?tag=WCsc&pool=nonpaged&low=\d+&high=\d+/);
  });

  test("heatmap_drag_choosesSizes", async () => {
    await open("/tags/WCsc", ".heat canvas");
    const box = await page.locator(".heat").boundingBox();
    await page.mouse.move(box.x + 200, box.y + 6);
    await page.mouse.down();
    await page.mouse.move(box.x + 220, box.y + 50, { steps: 3 });
    await page.mouse.up();
    assert.equal(await page.locator(".heat-range").count(), 1);
    assert.notEqual(await page.locator("#heat-region-note").innerText(), "");
  });

  test("tag_lockstepVersionsAndTwins_tellTheirNumbers", async () => {
    await open("/tags/WCsc", ".lockstep li");
    assert.match(await page.locator(".lockstep").innerText(), /IoFE[^]*1\.999×[^]*same finding/);
    assert.match(await page.locator("section[aria-labelledby=byver-h]").innerText(), /10\.0\.26100\.4061/);
    await page.locator("section[aria-labelledby=dist-h] summary").click();
    assert.ok((await rows("section[aria-labelledby=dist-h]").count()) > 3);
    const csv = await download(page.locator("section[aria-labelledby=lock-h]").getByRole("button", { name: "CSV" }));
    assert.match(csv.text, /IoFE,nonpaged,1\.999,/);
    assert.deepEqual(await page.axe(), []);
  });

  test("explain_lines_tellBothSidesAndOpenToHosts", async () => {
    await open(EXPLAIN, ".explain-table tbody tr");
    const first = await rows().first().innerText();
    assert.match(first, /wcifs\.sys[^]*10\.0\.26100\.4061[^]*selected have it; 2 of \d+ others[^]*separates/);
    assert.match(await page.locator("main").innerText(), /too few hosts to tell/);
    assert.match(await page.locator("main").innerText(), /1 more line with the same counts/);
    await page.getByRole("button", { name: /^Hosts: driver\/wcifs/ }).press("Enter");
    await page.locator(".explain-hosts li").first().waitFor();
    assert.match(await page.locator(".explain-hosts").innerText(), /Selected, have it[^]*Others, have it not/);
    assert.ok((await page.locator(".explain-hosts .badge-simulated").count()) > 0);
    assert.deepEqual(await page.axe(), []);
    await page.picture("x-explain-open");
  });

  test("explain_filters_areInTheAddressAndAskedFor", async () => {
    await open(EXPLAIN, ".explain-table tbody tr");
    await page.getByLabel("Show").selectOption("os");
    await page.waitForFunction(() => document.querySelectorAll(".explain-table tbody tr").length === 1);
    assert.match(page.url(), /kinds=os/);
    await page.getByLabel("Against").selectOption("peers");
    await page.waitForFunction(() => document.querySelector(".side-baseline").innerText.includes("same cohorts"));
    await page.getByLabel("Only hosts with").fill("role=web");
    await page.keyboard.press("Enter");
    await page.waitForFunction(() => location.search.includes("within=role%3Dweb"));
    await fake.asked((r) => r.path.endsWith("/explain") && /within=role%3Dweb/.test(r.search) && /baseline=peers/.test(r.search));
  });

  test("explain_chooseForm_leadsThere", async () => {
    await open("/explain", ".empty");
    await page.getByLabel("Tag", { exact: true }).fill("WCsc");
    await page.getByLabel("From").fill("1 MB");
    await page.keyboard.press("Enter");
    await page.waitForURL(/\/explain\?tag=WCsc&low=1048576/);
    await rows().first().waitFor();
  });

  test("driver_versions_haveVerdictsRangeAndAdoptionByKeys", async () => {
    await open("/drivers/wcifs.sys", ".adoption");
    const text = await page.locator("main").innerText();
    assert.match(text, /First bad version\s+10\.0\.26100\.4061/);
    assert.match(text, /First good after it\s+not known/);
    assert.match(await page.locator("section[aria-labelledby=ver-h]").innerText(), /bad[^]*good/);
    const slider = page.locator(".adoption");
    await slider.focus();
    await page.keyboard.press("Home");
    assert.match(await slider.getAttribute("aria-valuetext"), /10\.0\.26100\.3194 100/);
    await page.locator("section[aria-labelledby=dhosts-h] select").selectOption("10.0.26100.4061");
    await page.waitForFunction(() => location.search.includes("version=10.0.26100.4061"));
    assert.deepEqual(await page.axe(), []);
  });

  test("drivers_rolesInFindings_areTold", async () => {
    await open("/drivers", ".table tbody tr");
    assert.match(await rows().first().innerText(), /1 as cause, 1 as owner/);
  });

  test("tags_16000_filterAndSortAreQuick", async () => {
    const big = await startFake({ hosts: 20, tags: 16000 });
    try {
      page = await browser.page();
      await page.goto(big.url + "/tags");
      await rows().first().waitFor();
      const took = await page.evaluate(async () => {
        const box = document.querySelector("[data-search]");
        const frame = () => new Promise((r) => requestAnimationFrame(() => r()));
        const begun = performance.now();
        box.value = "q";
        box.dispatchEvent(new Event("input", { bubbles: true }));
        while (!location.search.includes("q=q")) await frame();
        await frame();
        await frame();
        return performance.now() - begun;
      });
      console.log(`# 16,000 tags: filtered ${took.toFixed(0)} ms after the key, of which 60 ms wait for more keys`);
      assert.ok((await rows().count()) < 100);
    } finally {
      await big.close();
    }
  });
});
