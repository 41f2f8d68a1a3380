// SPDX-License-Identifier: Apache-2.0
// Today, Fleet map and Hosts in a headless browser: states, keys, addresses, exports, hostile names, and
// the speed of fifty thousand hosts. Pictures go to build/screens/. Needs build/web.
import { describe, test } from "node:test";
import assert from "node:assert/strict";
import { startFake } from "./fake_api.mjs";
import { browser, fake } from "./stage.mjs";

let page;

async function open(path, wait, options, base = fake.url) {
  page = await browser.page(options);
  await page.goto(base + path);
  if (wait) await page.locator(wait).first().waitFor({ state: "attached" });
  return page;
}
const MAP = ".fleetmap-group";
const GRID = ".hostgrid-row .host-link";
const query = () => Object.fromEntries(new URL(page.url()).searchParams);
const line = () => page.locator(".fleetmap-line").innerText();
const here = (fn, arg) => page.waitForFunction(fn, arg);
const total = () => page.locator(".page-head .muted").first().innerText();

describe("fleet map", () => {
  for (const theme of ["light", "dark"])
    for (const [name, path] of [["severity", "/map"], ["share", "/map?colour=share&group=model&size=ram"], ["score", "/map?colour=score&tag=WCsc&pool=nonpaged"], ["table", "/map?view=table"]])
      test(`${name}_${theme}_isCleanAndAccessible`, async () => {
        await open(path, name === "table" ? GRID : MAP, { theme });
        await page.settled();
        await page.picture(`map-${name}-${theme}`);
        assert.deepEqual(await page.axe({ colours: theme === "dark" }), []);
        assert.deepEqual(page.faults(), []);
      });

  test("everyHost_isCountedOnce_inLegendAndTable", async () => {
    await open("/map", MAP);
    const sum = async (selector) => (await page.locator(selector).allInnerTexts()).reduce((n, text) => n + Number(text.replace(/\D/g, "")), 0);
    assert.equal(await sum(".map-legend b"), 501);
    assert.equal(await sum(".map-summary tbody td:nth-child(2)"), 501);
    assert.match(await page.locator("#map-summary").textContent(), /20 hosts critical/);
  });

  test("arrowKeys_moveAndSpeak_enterOpensTheHost", async () => {
    await open("/map", MAP);
    await page.settled();
    await page.locator(".fleetmap-view").focus();
    await page.keyboard.press("ArrowRight");
    const first = await line();
    assert.match(first, /critical.*Enter opens it/);
    assert.equal(await page.locator(".fleetmap [aria-live]").textContent(), first, "the same is said");
    await page.keyboard.press("ArrowRight");
    assert.notEqual(await line(), first);
    await page.keyboard.press("ArrowLeft");
    assert.equal(await line(), first);
    await page.keyboard.press("PageDown");
    const second = await line();
    await page.keyboard.press("n");
    assert.notEqual(await line(), second, "the next that is out of line");
    await page.keyboard.press("Home");
    assert.equal(await line(), first);
    await page.keyboard.press("Enter");
    await page.waitForURL(/\/hosts\/6f1c/);
    assert.deepEqual(page.faults(), []);
  });

  test("pointing_saysTheHost_clickingOpensIt", async () => {
    await open("/map", MAP);
    await page.settled();
    const box = await page.locator(".fleetmap-view").boundingBox();
    await page.mouse.move(box.x + 6, box.y + 26);
    await here(() => /critical/.test(document.querySelector(".fleetmap-line").textContent));
    assert.equal(await page.locator(".fleetmap [aria-live]").textContent(), "", "a pointer does not talk");
    await page.mouse.click(box.x + 6, box.y + 26);
    await page.waitForURL(/\/hosts\/6f1c/);
  });

  test("groupHead_zooms_backShowsAll_addressHoldsIt", async () => {
    await open("/map", MAP);
    await page.locator("button.fleetmap-group", { hasText: "file-server" }).click();
    await here(() => location.search.includes("zoom=file-server"));
    assert.equal(await page.locator(MAP).count(), 1);
    assert.equal(await page.locator(".map-summary tbody tr").count(), 1);
    await page.goBack();
    await here(() => document.querySelectorAll(".fleetmap-group").length > 1);
    await page.locator(".fleetmap-view").focus();
    await page.keyboard.press("ArrowRight");
    await page.keyboard.press("z");
    await here(() => location.search.includes("zoom="));
    await page.getByRole("button", { name: "Show all groups" }).click();
    await here(() => !location.search.includes("zoom="));
  });

  test("choices_areInTheAddress_andComeFromIt", async () => {
    await open("/map", MAP);
    await page.getByLabel("Colour by").selectOption("left");
    await page.getByLabel("Group by").selectOption("band");
    await page.getByLabel("Size by").selectOption("ram");
    await page.getByLabel("Bigger cells").click();
    const q = query();
    assert.equal(q.colour, "left");
    assert.equal(q.group, "band");
    assert.equal(q.size, "ram");
    assert.ok(Number(q.cell) > 4);
    await page.reload();
    await page.locator(MAP).first().waitFor();
    assert.equal(await page.getByLabel("Colour by").inputValue(), "left");
    assert.match(await page.locator(".map-legend").innerText(), /below a day/);
  });

  test("driverVersions_areAskedFor_andGroup", async () => {
    await open("/map?group=driver", ".map-subject");
    assert.match(await page.locator(".map-subject").innerText(), /Name a driver/);
    await page.locator(".map-subject input").fill("wcifs.sys");
    await page.keyboard.press("Enter");
    await here(() => [...document.querySelectorAll(".fleetmap-group")].some((g) => g.textContent.includes("10.0.26100.4061")));
    assert.match(await page.locator(".map-summary").innerText(), /not installed/);
    assert.equal(query().driver, "wcifs.sys");
  });

  test("filters_fromTheAddress_andTheTyped", async () => {
    await open("/map?role=web&finding=yes", MAP);
    assert.equal(await page.locator(MAP).count(), 1);
    const n = Number((await page.locator(".map-summary tbody td").first().innerText()).replace(/\D/g, ""));
    assert.ok(n > 0 && n < 30);
    await page.locator("[data-search]").fill("no such host");
    await page.locator(".empty").waitFor();
    assert.match(await page.locator(".empty").innerText(), /No host matches/);
    await page.getByRole("button", { name: "Clear filters" }).click();
    await here(() => location.search === "");
    assert.ok((await page.locator(MAP).count()) > 1);
  });

  test("csv_isWhatIsShown", async () => {
    await open("/map?role=web", MAP);
    await page.settled();
    const [file] = await Promise.all([page.waitForEvent("download"), page.getByRole("button", { name: "CSV of what is shown" }).click()]);
    const text = await (await file.createReadStream()).toArray().then((parts) => Buffer.concat(parts).toString());
    const lines = text.trimEnd().split("\r\n");
    assert.equal(lines.length - 1, 125);
    assert.ok(lines[0].endsWith("group,colour_by,class"));
    assert.ok(lines[1].startsWith("6f1c") && lines[1].endsWith("web,severity,critical"), lines[1]);
  });

  test("themeTurned_repaints", async () => {
    await open("/map", MAP);
    const grey = () => page.evaluate(() => {
      const c = document.querySelector(".fleetmap-canvas");
      const d = c.getContext("2d").getImageData(0, 0, c.width, c.height).data;
      let sum = 0;
      for (let i = 0; i < d.length; i += 4) sum += d[i] * d[i + 3];
      return sum;
    });
    const light = await grey();
    assert.ok(light > 0, "something is painted");
    await page.getByLabel("Use the dark theme").click();
    const end = Date.now() + 60000;
    while ((await grey()) >= light * 0.7) assert.ok(Date.now() < end, "it stays as bright");
  });

  test("printed_isLightAndWhole", async () => {
    await open("/map?cell=28", MAP, { theme: "dark" });
    await page.emulateMedia({ media: "print" });
    await here(() => {
      const view = document.querySelector(".fleetmap-view");
      return view.scrollHeight <= view.clientHeight + 1;
    });
    await page.picture("map-print");
    assert.equal(await page.locator(".map-tools").isVisible(), false);
    assert.equal(await page.locator(".map-summary").isVisible(), true);
  });

  test("hostileNames_areOnlyText", async () => {
    fake.state.mood = "hostile";
    await open("/map?group=os_build", MAP);
    await page.settled();
    await page.locator(".fleetmap-view").focus();
    for (let i = 0; i < 12; i++) {
      await page.keyboard.press("ArrowRight");
      assert.doesNotMatch(await line(), /[\u0000-\u001f\u202e\u200b]/);
    }
    await page.picture("map-hostile");
    assert.deepEqual(page.faults(), []);
    const over = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    assert.ok(over <= 0, `${over} px too wide`);
  });

  test("slowThenFailingThenBack_keepsTheMapAndSaysItsAge", async () => {
    page = await browser.page();
    await page.clock.install();
    let go;
    fake.state.slow.set("/fleet-map", new Promise((r) => (go = r)));
    await page.goto(fake.url + "/map");
    await page.locator(".map-hold").waitFor();
    go();
    fake.state.slow.clear();
    await page.locator(MAP).first().waitFor();
    fake.state.fail.set("/fleet-map", { status: 503, title: "The server is busy" });
    await page.clock.fastForward(200000);
    await page.locator(".stale").waitFor();
    assert.ok((await page.locator(MAP).count()) > 0);
    fake.state.fail.clear();
    await page.locator(".stale button").click();
    await page.locator(".stale").waitFor({ state: "detached" });
    assert.deepEqual(page.faults({ refusals: true }), []);
  });

  test("empty_saysWhatToDo_errorOffersRetry", async () => {
    fake.state.mood = "empty";
    await open("/map", ".empty");
    assert.match(await page.locator(".empty").innerText(), /No hosts yet/);
    await page.close();
    fake.reset();
    fake.state.fail.set("/fleet-map", { status: 503, title: "The database is away" });
    await open("/map", ".error-panel");
    assert.deepEqual(await page.axe(), []);
    fake.state.fail.clear();
    await page.locator(".error-panel button").first().click();
    await page.locator(MAP).first().waitFor();
  });

  test("identitiesFail_mapStands_enterSaysWhy", async () => {
    await open("/map", MAP);
    await page.close();
    const other = await startFake({ hosts: 40, tags: 10 });
    try {
      other.state.fail.set("/fleet-map", "drop");
      page = await browser.page();
      await page.route(/fleet-map/, (route) => (route.request().url().includes("key%2Cid") ? route.abort() : route.continue()));
      other.state.fail.clear();
      await page.goto(other.url + "/map");
      await page.locator(MAP).first().waitFor();
      await page.locator(".fleetmap-view").focus();
      await page.keyboard.press("ArrowRight");
      await page.keyboard.press("Enter");
      await page.getByText("has not been read yet").waitFor();
    } finally {
      await page.close();
      page = undefined;
      await other.close();
    }
  });

  test("smallWindow_hasNoSidewaysScroll_andEveryHost", async () => {
    await open("/map", MAP, { width: 400, height: 800 });
    const over = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    assert.ok(over <= 0, `${over} px too wide`);
    await page.picture("map-small");
  });
});

describe("hosts", () => {
  test("typing_filtersAtOnce_addressFollows", async () => {
    await open("/hosts", GRID);
    const name = fake.fleet.hosts[30].name;
    await page.settled();
    const asked = () => fake.state.requests.filter((r) => r.path.endsWith("/fleet-map")).length;
    const before = asked();
    await page.locator("[data-search]").pressSequentially(name.toLowerCase());
    await here((n) => document.querySelectorAll(".hostgrid-row").length === 1 && new URL(location.href).searchParams.get("q") === n, name.toLowerCase());
    assert.match(await total(), /^1 of 501$/);
    assert.equal(asked(), before, "filtering asks the server for nothing");
  });

  test("typing_fasterThanTheAddressIsHeard_losesNoLetter", async () => {
    await open("/hosts", GRID);
    await page.settled();
    const name = fake.fleet.hosts[30].name.toLowerCase();
    // Each letter comes when the one before is drawn, but what follows its picture has not run.
    await page.locator("[data-search]").evaluate(async (box, letters) => {
      for (const letter of letters) {
        box.value += letter;
        box.dispatchEvent(new Event("input", { bubbles: true }));
        await new Promise((done) => setTimeout(done));
      }
    }, name);
    await here((n) => new URL(location.href).searchParams.get("q") === n && document.querySelectorAll(".hostgrid-row").length === 1, name);
    assert.equal(await page.locator("[data-search]").inputValue(), name);
  });

  test("facets_count_andFilter", async () => {
    await open("/hosts", GRID);
    const role = page.getByRole("combobox", { name: "Role" });
    assert.match(await role.innerText(), /web \(125\)/);
    await role.selectOption("web");
    await here(() => /^125 of/.test(document.querySelector(".page-head .muted").textContent));
    assert.match(await page.getByRole("combobox", { name: "Severity" }).innerText(), /Critical \(10\)/);
    assert.match(await role.innerText(), /file-server \(125\)/, "the others can still be chosen");
  });

  test("everySort_ordersAndIsInTheAddress", async () => {
    await open("/hosts?cols=findings,outlier_score,nonpaged_mib,share,paged_mib,ram_mib,uptime_seconds,growth_bytes_per_hour,exhausts_at,role,os_name,os_build,model,agent,last_seen", GRID);
    for (const head of ["Findings", "Stands out", "Nonpaged", "of limit", "Paged", "Memory", "Uptime", "Growth", "Time left", "Role", "System", "Build", "Model", "Agent", "Seen", "Host"]) {
      await page.locator(".hostgrid-head").getByRole("button", { name: head, exact: true }).click();
      await page.locator(`.hostgrid-head [aria-sort]`, { hasText: head }).waitFor();
    }
    await open("/hosts?sort=-nonpaged_mib", GRID);
    const first = await page.locator(".hostgrid-row").first().innerText();
    assert.match(first, /Critical/);
    assert.deepEqual(page.faults(), []);
  });

  test("keys_move_enterOpens", async () => {
    await open("/hosts", GRID);
    await page.locator(".hostgrid-scroll").focus();
    await page.keyboard.press("End");
    await here(() => document.querySelector(".hostgrid-row[aria-selected=true]")?.getAttribute("aria-rowindex") === "502");
    await page.keyboard.press("Home");
    await page.keyboard.press("ArrowDown");
    await here(() => document.querySelector(".hostgrid-row[aria-selected=true]")?.getAttribute("aria-rowindex") === "3");
    assert.equal(await page.locator(".hostgrid-scroll").getAttribute("aria-activedescendant"), "host-1");
    await page.keyboard.press("Enter");
    await page.waitForURL(/\/hosts\/6f1c/);
  });

  test("columns_chosen_areInTheAddress", async () => {
    await open("/hosts", GRID);
    await page.locator(".columns-menu summary").click();
    await page.getByLabel("Model", { exact: true }).last().check();
    await here(() => /cols=.*model/.test(location.search));
    assert.equal(await page.locator(".hostgrid-head", { hasText: "Model" }).count(), 1);
    await page.getByRole("button", { name: "Usual columns" }).click();
    await here(() => !location.search.includes("cols"));
  });

  test("exports_holdWhatIsFiltered", async () => {
    await open("/hosts?finding=yes&sort=-nonpaged_mib", GRID);
    await page.settled();
    for (const [button, lines] of [["CSV", 25], ["NDJSON", 24]]) {
      const [file] = await Promise.all([page.waitForEvent("download"), page.getByRole("button", { name: button, exact: true }).click()]);
      const text = await (await file.createReadStream()).toArray().then((parts) => Buffer.concat(parts).toString());
      assert.equal(text.trimEnd().split("\n").length, lines, button);
    }
  });

  test("tenHosts_areAllThere_withoutEmptySpace", async () => {
    const small = await startFake({ hosts: 10, tags: 5 });
    try {
      await open("/hosts", GRID, {}, small.url);
      assert.equal(await page.locator(".hostgrid-row").count(), 11);
      assert.deepEqual(page.faults(), []);
    } finally {
      await page.close();
      page = undefined;
      await small.close();
    }
  });

  test("hostileNames_areOnlyText_inRowsAndExport", async () => {
    fake.state.mood = "hostile";
    await open("/hosts", GRID);
    await page.settled();
    const [file] = await Promise.all([page.waitForEvent("download"), page.getByRole("button", { name: "CSV", exact: true }).click()]);
    const text = await (await file.createReadStream()).toArray().then((parts) => Buffer.concat(parts).toString());
    assert.ok(text.includes("<img src=x onerror=alert(1)>"));
    await page.picture("hosts-hostile", false);
    assert.deepEqual(page.faults(), []);
  });
});

describe("today", () => {
  test("standing_countsEachHostOnce_andLinks", async () => {
    await open("/", ".standing");
    const counts = (await page.locator(".standing b").allInnerTexts()).map(Number);
    assert.equal(counts.reduce((a, b) => a + b, 0), 500);
    assert.match(await page.locator(".first-out").innerText(), /First to run out: \S+, .*nonpaged pool limit/);
    await page.locator(".standing a", { hasText: "critical" }).click();
    await page.locator(GRID).first().waitFor();
    assert.equal(query().severity, "critical");
    assert.match(await total(), /^20 of 501$/);
  });

  test("news_sinceYesterday_thenSinceTheLastLook_thenSeen", async () => {
    await open("/", ".news-list");
    assert.match(await page.locator("#news-h").innerText(), /New since yesterday/);
    assert.match(await page.locator(".news-counts").innerText(), /1 new\s+1 worse\s+1 resolved/);
    await page.evaluate(() => localStorage.setItem("poolfleet.looked", JSON.stringify({ at: Date.now() - 5 * 86400000, since: null })));
    await page.reload();
    await page.locator(".news-list").waitFor();
    assert.match(await page.locator("#news-h").innerText(), /New since you last looked/);
    await fake.asked((r) => r.path.endsWith("/overview") && r.search.includes("since="));
    await page.getByRole("button", { name: "Mark as seen" }).click();
    await page.getByText("Nothing opened, got worse or went away.").waitFor();
    assert.deepEqual(page.faults(), []);
  });

  test("healthy_saysWhatWasChecked", async () => {
    fake.state.mood = "healthy";
    for (const theme of ["light", "dark"]) {
      await open("/", ".checked", { theme });
      const text = await page.locator(".healthy").innerText();
      assert.match(text, /500 hosts, each against its peers \(14 groups/);
      assert.match(text, /320 different tags in both pools, 160,000 rows/);
      assert.match(text, /history since[^]*last analysis/);
      assert.match(await page.locator(".first-out").innerText(), /No host runs out/);
      assert.deepEqual(await page.axe({ colours: theme === "dark" }), []);
      await page.close();
    }
    page = undefined;
  });

  test("complete_movesNothing", async () => {
    page = await browser.page();
    await page.addInitScript(() => {
      window.shift = 0;
      new PerformanceObserver((list) => {
        for (const e of list.getEntries()) window.shift += e.hadRecentInput ? 0 : e.value;
      }).observe({ type: "layout-shift", buffered: true });
    });
    for (const path of ["/", "/hosts", "/map"]) {
      await page.goto(fake.url + path);
      await page.settled();
      assert.equal(await page.evaluate(() => Math.round(window.shift * 1000) / 1000), 0, path);
    }
  });
});
