// SPDX-License-Identifier: Apache-2.0
// The same screens against a real server: POOLFLEET_URL and POOLFLEET_TOKEN name one that runs; else one
// is started on the database of POOLFLEET_TEST_URL (programs: POOLFLEETD, POOLFLEET_SIM) and filled with
// a small simulated fleet. The test only knows that every screen must come up whole. Pictures:
// build/screens/live-*.
import { after, before, describe, test } from "node:test";
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { openBrowser } from "./browser.mjs";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
let URL_ = (process.env.POOLFLEET_URL ?? "").replace(/\/+$/, "");
let TOKEN = process.env.POOLFLEET_TOKEN ?? "";
const given = URL_ !== "" && TOKEN !== "";
const skip = given || process.env.POOLFLEET_TEST_URL
  ? false
  : "neither POOLFLEET_URL with POOLFLEET_TOKEN nor POOLFLEET_TEST_URL is set";

/** A server of the test's own with a fleet of some days, one scenario of which leaks. */
async function startOwn() {
  const { start, until } = await import("../http/server.mjs");
  // Analyzed once, when all is there: passes all the time would only take the browser's processor.
  const server = await start("--analyze-interval", "1h");
  URL_ = `http://127.0.0.1:${server.port}`;
  TOKEN = server.token("operator");
  const sim = process.env.POOLFLEET_SIM ?? ROOT + "build/bin/poolfleet-sim";
  await promisify(execFile)(sim, [
    "--server", URL_, "--scenario", ROOT + "agent/sim/scenarios/wsl-lockstep.json", "--hosts", "12", "--tags", "300",
    "--backfill", "3d", "--backfill-interval", "1h", "--duration", "0", "--seed", "7",
  ], { env: { ...process.env, POOLFLEET_TOKEN: server.token("ingest") } });
  process.kill(server.pid, "SIGUSR1");
  await until(async () => {
    const overview = await api("/overview");
    return overview.analyzed_as_of >= overview.as_of && overview.findings.open > 0;
  }, "a finding in all that was sent", 120000);
  return server;
}

/** The API as a script uses it. */
async function api(path) {
  const response = await fetch(URL_ + "/api/v1" + path, { headers: { authorization: "Bearer " + TOKEN } });
  assert.equal(response.status, 200, path);
  return response.json();
}
const enc = encodeURIComponent;

describe("live", { skip }, () => {
  let browser;
  let own = null;
  const found = {};
  before(async () => {
    if (!given) own = await startOwn();
    browser = await openBrowser();
    const [overview, tags, hosts, drivers, findings] = await Promise.all([
      api("/overview"), api("/tags?limit=1"), api("/hosts?limit=1"), api("/drivers?limit=1"), api("/findings?limit=1"),
    ]);
    Object.assign(found, { overview, tag: tags.items[0], driver: drivers.items[0], finding: findings.items[0] });
    found.host = findings.items[0]?.hosts[0]?.id ?? hosts.items[0]?.id;
    const page = await browser.page();
    await page.goto(`${URL_}/#token=${enc(TOKEN)}`);
    await page.locator("main h1").waitFor();
    assert.ok(!page.url().includes("token"), "the token is taken out of the address");
    await page.locator(".shell-header").waitFor();
    await page.close();
  });
  after(async () => {
    await browser?.close();
    await own?.stop();
  });

  const CAPTURE = `Sorting by NonPaged Pool Consumed

               NonPaged                  Paged
 Tag     Allocs         Used     Allocs         Used
 WCsc   8123456   4294967296          0            0	Windows Container Isolation stream context , Binary: wcifs.sys
 NtFC     91234    112345678          0            0	UNKNOWN pooltag 'NtFC', please update pooltag.txt
 TOTAL  8214690   4407312974          0            0
`;
  /** Screen, its address (null: the fleet has none), what is there when it is whole. */
  const screens = () => [
    ["today", "/", found.overview.top_findings.length ? ".finding" : ".healthy, .empty"],
    ["findings", "/findings", ".finding, .empty"],
    ["finding", found.finding && `/findings/${enc(found.finding.id)}`, ".table tbody tr"],
    ["tags", "/tags", ".table tbody tr, .empty"],
    ["tag", found.finding ? `/tags/${enc(found.finding.tag)}?pool=${found.finding.pool}` : found.tag && `/tags/${enc(found.tag.tag)}?pool=${found.tag.pool}`, ".dist"],
    ["hosts", "/hosts", ".hostgrid-row .host-link, .empty"],
    ["host", found.host && `/hosts/${enc(found.host)}?since=24h`, ".grid-row"],
    ["drivers", "/drivers", ".table tbody tr, .empty"],
    ["driver", found.driver && `/drivers/${enc(found.driver.name)}`, ".table, .empty"],
    ["diagnose", "/diagnose", "textarea"],
  ];

  for (const theme of ["light", "dark"]) {
    test(`everyScreen_${theme}_isWholeCleanAndAccessible`, async () => {
      for (const [name, path, whole] of screens()) {
        if (!path) continue;
        const page = await browser.page({ theme });
        await page.goto(URL_ + path);
        await page.locator(whole).first().waitFor();
        await page.settled();
        assert.equal(await page.locator(".error-panel, .stale").count(), 0, `${name} shows an error`);
        await page.picture(`live-${name}-${theme}`, !["host", "tags", "hosts"].includes(name));
        assert.deepEqual(await page.axe({ colours: theme === "dark" }), [], name);
        assert.deepEqual(page.faults(), [], name);
        await page.close();
      }
    });
  }

  test("diagnose_capture_getsAVerdict", async () => {
    const page = await browser.page();
    await page.goto(URL_ + "/diagnose");
    await page.fill("textarea", CAPTURE);
    await page.keyboard.press("Control+Enter");
    await page.locator(".verdict").waitFor();
    assert.ok((await page.locator(".table tbody tr").count()) >= 2, "the rows were read");
    await page.picture("live-diagnose-result");
    assert.deepEqual(page.faults(), []);
    await page.close();
  });

  test("host_keysAndMoments_work", async (t) => {
    if (!found.host) return t.skip("no host");
    const page = await browser.page();
    await page.goto(`${URL_}/hosts/${enc(found.host)}`);
    await page.locator(".grid-row").first().waitFor();
    for (const [key, column] of [["d", "Diff"], ["t", "Tag"], ["b", "Bytes"]]) {
      await page.keyboard.press(key);
      await page.waitForFunction((c) => document.querySelector(".grid-head [aria-sort]")?.textContent?.startsWith(c), column);
    }
    await page.keyboard.press("(");
    await page.waitForFunction(() => location.search.includes("since=previous"));
    await page.settled();
    if ((await page.locator('.moment input[type="range"]').count()) > 0) {
      await page.keyboard.press("[");
      await page.locator(".past").waitFor();
    }
    await page.settled();
    await page.locator(".grid-scroll").focus();
    await page.keyboard.press("ArrowDown");
    await page.keyboard.press("c");
    await page.locator(".row-chart").waitFor();
    await page.settled();
    await page.picture("live-host-past", false);
    assert.equal(await page.locator(".error-panel, .stale").count(), 0);
    assert.deepEqual(page.faults(), []);
    await page.close();
    return undefined;
  });

  test("finding_acknowledgeAndOpenAgain_isKept", async (t) => {
    if (!own || !found.finding) return t.skip("only on a server of the test's own");
    const page = await browser.page();
    await page.goto(`${URL_}/findings/${enc(found.finding.id)}`);
    await page.fill("#note", "a note <b>kept</b>");
    await page.getByRole("button", { name: "Acknowledge" }).click();
    await page.locator(".badge-status-acknowledged").waitFor();
    assert.equal((await api("/findings/" + enc(found.finding.id))).status, "acknowledged");
    assert.equal(await page.locator(".note").innerText(), "a note <b>kept</b>");
    await page.getByRole("button", { name: "Open again" }).click();
    await page.locator(".badge-status-open").waitFor();
    await page.getByRole("button", { name: "Make a report" }).click();
    const [report] = await Promise.all([browser.context.waitForEvent("page"), page.getByRole("link", { name: "Open", exact: true }).click()]);
    await report.waitForLoadState();
    assert.ok((await report.locator("body").innerText()).includes(found.finding.tag.trim()));
    await report.close();
    assert.deepEqual(page.faults(), []);
    await page.close();
    return undefined;
  });

  test("jump_tag_goesThere", async (t) => {
    if (!found.tag) return t.skip("no tag");
    const page = await browser.page();
    await page.goto(URL_ + "/");
    await page.locator("#jump").fill(found.tag.tag.trim());
    await page.locator(".jump-hit").first().waitFor();
    await page.keyboard.press("Enter");
    await page.waitForURL(/\/(tags|hosts|drivers)\//);
    assert.deepEqual(page.faults(), []);
    await page.close();
    return undefined;
  });
});
