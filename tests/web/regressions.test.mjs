// SPDX-License-Identifier: Apache-2.0
// Faults that people met once and that belong to several screens, or to what no test of a screen looks at.
// What belongs to one screen stands in its own file. Needs build/web.
import { describe, test } from "node:test";
import assert from "node:assert/strict";
import { browser, fake } from "./stage.mjs";

let page;

/** Answers of the API with something changed. */
async function changed(pattern, change) {
  await page.route(pattern, async (route) => {
    const reply = await route.fetch();
    const body = await reply.json();
    change(body);
    await route.fulfill({ response: reply, json: body });
  });
}

describe("regressions", () => {
  test("reducedMotion_noPropertyGlides", async () => {
    page = await browser.page();
    await page.goto(fake.url + "/");
    await page.settled();
    const gliding = await page.evaluate(() => {
      const panel = document.querySelector("main .panel");
      panel.style.marginTop = "40px";
      panel.style.width = "50%";
      panel.getBoundingClientRect();
      return document.getAnimations().filter((a) => a instanceof CSSTransition).map((a) => a.transitionProperty);
    });
    assert.deepEqual(gliding, []);
  });

  test("host_zeroProcesses_isUnknown_notANumber", async () => {
    page = await browser.page();
    const nobody = (body) => Object.assign(body.totals, { processes: 0, threads: 0, handles: null });
    const id = fake.fleet.hosts[0].id;
    await changed(`**/api/v1/hosts/${id}`, nobody);
    await changed(`**/api/v1/hosts/${id}/state*`, nobody);
    await page.goto(`${fake.url}/hosts/${id}`);
    await page.settled();
    for (const name of ["Processes, threads", "Handles"]) {
      const fact = page.locator("dl.memory > div", { has: page.locator("dt", { hasText: name }) });
      assert.doesNotMatch(await fact.locator("dd").innerText(), /\d/, name);
      assert.equal(await fact.locator(".unknown").first().getAttribute("title"), "not known");
    }
    assert.deepEqual(page.faults(), []);
  });

  test("today_mostHostsSilent_isNotHealthy_andTheFindingsSaySo", async () => {
    const silent = (body) => {
      body.hosts.silent = body.hosts.total - 2;
      body.hosts.reporting = 2;
    };
    page = await browser.page();
    await changed("**/api/v1/overview*", silent);
    await page.goto(fake.url + "/");
    await page.locator("h1", { hasText: /attention.*; [\d,]+ are silent\./ }).waitFor();
    await page.close();
    page = await browser.page();
    await changed("**/api/v1/overview*", (body) => {
      silent(body);
      Object.assign(body.findings, { critical: 0, warning: 0, info: 0, open: 0 });
      body.top_findings = [];
    });
    await page.goto(fake.url + "/");
    await page.locator("h1", { hasText: "All 2 reporting hosts look healthy" }).waitFor();
    assert.equal(await page.locator(".hero-mark .mark-warning").count(), 1);
    assert.deepEqual(page.faults(), []);
  });

  // What was read before is drawn at once: its rows lead somewhere too.
  test("hosts_afterComingBack_areLinks", async () => {
    page = await browser.page();
    await page.goto(fake.url + "/hosts");
    await page.locator(".hostgrid-row .host-link").first().click();
    await page.waitForURL(/\/hosts\/./);
    await page.settled();
    await page.goBack();
    await page.locator(".hostgrid-row").first().waitFor();
    assert.ok((await page.locator(".hostgrid-row .host-link").count()) > 5);
    assert.deepEqual(page.faults(), []);
  });

  test("narrowWindow_currentLinksAreInSight", async () => {
    page = await browser.page({ width: 400, height: 800 });
    await page.goto(fake.url + "/admin/server");
    await page.settled();
    for (const bar of [".shell-bar nav", "nav.tabs"]) {
      const link = await page.locator(`${bar} [aria-current]`).boundingBox();
      assert.ok(link.x >= 0 && link.x + link.width <= 400, `${bar}: ${JSON.stringify(link)}`);
    }
    assert.deepEqual(page.faults(), []);
  });

  // One letter finds something: it is asked for at once, what is typed after it when the hand rests.
  test("explain_firstLetter_isAskedForAtOnce_theOthersTogether", async () => {
    page = await browser.page();
    await page.goto(fake.url + "/explain?tag=WCsc&low=1000000000");
    await page.settled();
    const asked = () => fake.state.requests.filter((r) => r.path.endsWith("/explain")).map((r) => new URLSearchParams(r.search).get("q") ?? "");
    const before = asked().length;
    await page.locator("main [data-search]").evaluate((box) => {
      for (const text of ["w", "wc", "wci"]) {
        box.value = text;
        box.dispatchEvent(new InputEvent("input", { bubbles: true }));
      }
    });
    await page.waitForFunction(() => location.search.includes("q=wci"));
    await page.settled();
    assert.deepEqual(asked().slice(before), ["w", "wci"]);
    assert.deepEqual(page.faults(), []);
  });

  test("explain_longList_isDrawnToItsEnd_andKeptInARefresh", async () => {
    page = await browser.page();
    await page.clock.install();
    await changed("**/api/v1/explain?*", (body) => {
      const one = body.items[0];
      body.items = Array.from({ length: 150 }, (_, k) => ({ ...one, attribute: `fact.${k}`, value: String(k), selected_with: 1 + (k % one.selected) }));
      body.total = 150;
      body.next_cursor = null;
    });
    await page.goto(fake.url + "/explain?tag=WCsc&low=1000000000");
    const rows = () => page.locator(".explain-table tbody tr").count();
    await page.locator(".explain-table tbody tr").first().waitFor();
    for (let k = 0; k < 20 && (await rows()) < 150; k++) await page.clock.runFor(50);
    assert.equal(await rows(), 150);
    const least = await page.evaluate(() => {
      window.least = 150;
      new MutationObserver(() => (window.least = Math.min(window.least, document.querySelectorAll(".explain-table tbody tr").length))).observe(document.querySelector(".explain-table"), { childList: true, subtree: true });
      return window.least;
    });
    assert.equal(least, 150);
    const again = page.waitForResponse((r) => r.url().includes("/explain?"));
    await page.clock.runFor(61000);
    await again;
    await page.clock.runFor(500);
    assert.equal(await page.evaluate(() => window.least), 150, "a refresh takes no line away");
    assert.deepEqual(page.faults(), []);
  });

  test("bytesOfAFact_areSaidAsASize", async () => {
    page = await browser.page();
    await changed("**/api/v1/explain?*", (body) => Object.assign(body.items[0], { attribute: "hw.ram_bytes", value: "68719476736" }));
    await page.goto(fake.url + "/explain?tag=WCsc&low=1000000000");
    await page.settled();
    assert.match(await page.locator(".explain-table tbody tr").first().innerText(), /Memory\s+64\s+GB/);
  });

  test("tag_unknown_tellsWhichTagsDiffer", async () => {
    page = await browser.page();
    await page.goto(fake.url + "/tags/Zzz1");
    await page.locator(".empty").waitFor();
    assert.match(await page.locator(".empty").innerText(), /blanks count: NtFC, Ntfc and Ddk\u2423 are different tags\./);
    assert.deepEqual(page.faults({ refusals: true }), []);
  });
});
