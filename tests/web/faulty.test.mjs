// SPDX-License-Identifier: Apache-2.0
// A host whose data cannot be true, on each screen where people look for hosts.
import { test } from "node:test";
import assert from "node:assert/strict";
import { browser, fake } from "./stage.mjs";

const WHY = /its nonpaged rows hold more together than the machine has memory/;
let page;

async function open(path, wait, options) {
  fake.state.mood = "faulty";
  page = await browser.page(options);
  await page.goto(fake.url + path);
  await page.locator(wait).first().waitFor({ state: "attached" });
}

test("today_oneFaultyHost_saysSoAndLinksToIt", async () => {
  await open("/", ".healthy");
  assert.match(await page.locator("h1").innerText(), /1 sends data that cannot be true/);
  assert.match(await page.locator(".checked").innerText(), /Data cannot be true: 1/);
  await page.locator('.side a[href="/hosts?faulty=yes"]').click();
  await page.locator(".hostgrid-row").first().waitFor();
  assert.equal(await page.locator(".hostgrid-row").count(), 1);
  assert.deepEqual(page.faults(), []);
});

test("hosts_oneFaultyHost_isMarkedWithTheReasonAndCanBeFiltered", async () => {
  await open("/hosts", ".hostgrid-row .host-link");
  const toggle = page.getByRole("button", { name: "Faulty data" });
  await toggle.click();
  await page.waitForURL(/faulty=yes/);
  await page.waitForFunction(() => document.querySelectorAll(".hostgrid-row").length === 1);
  assert.equal(await toggle.getAttribute("aria-pressed"), "true");
  const badge = page.locator(".hostgrid-row .badge-faulty");
  assert.match(await badge.getAttribute("title"), WHY);
  assert.match(await badge.textContent(), WHY);
  assert.deepEqual(await page.axe(), []);
  await page.picture("hosts-faulty");
  assert.deepEqual(page.faults(), []);
});

test("hosts_noFaultyHost_offerNoSuchFilter", async () => {
  page = await browser.page();
  await page.goto(fake.url + "/hosts");
  await page.locator(".hostgrid-row .host-link").first().waitFor();
  assert.equal(await page.getByRole("button", { name: "Faulty data" }).count(), 0);
});

for (const options of [{}, { theme: "dark", width: 400 }])
  test(`host_faulty_tellsWhyAndSinceWhen_${options.width ?? 1440}`, async () => {
    await open(`/hosts/${encodeURIComponent(fake.fleet.hosts[7].id)}`, ".panel-faulty", options);
    const text = await page.locator(".panel-faulty").innerText();
    assert.match(text, /cannot be true/);
    assert.match(text, WHY);
    assert.ok(await page.locator(".panel-faulty time").count());
    assert.deepEqual(await page.axe(), []);
    await page.picture(`host-faulty-${options.width ?? 1440}`);
    assert.deepEqual(page.faults(), []);
  });
