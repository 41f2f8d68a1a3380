// SPDX-License-Identifier: Apache-2.0
// The admin's screens against the stand-in server: looks, keys, changes, collisions, hostile names.
import { describe, test } from "node:test";
import assert from "node:assert/strict";
import { browser, fake } from "./stage.mjs";

let page;
const SCREENS = [["notify", ".table tbody tr"], ["tag-lists", ".table tbody tr"], ["known-leaks", ".table tbody tr"], ["storage", ".stats"], ["server", ".verdict"]];

async function open(path, wait, options) {
  page = await browser.page(options);
  await page.goto(fake.url + path);
  if (wait) await page.locator(wait).first().waitFor({ state: "attached" });
}
const sent = (method, path) => fake.state.requests.filter((r) => r.method === method && r.path.startsWith("/api/v1" + path));
const said = async (text) => page.locator('[role="status"].offscreen', { hasText: text }).waitFor({ state: "attached" });
const button = (name) => page.getByRole("button", { name, exact: true });

describe("screens", () => {
  for (const theme of ["light", "dark"])
    for (const [name, wait] of SCREENS)
      test(`${name}_${theme}_isCleanAccessibleAndFitsASmallWindow`, async () => {
        await open("/admin/" + name, wait, { theme });
        assert.deepEqual(await page.axe({ colours: theme === "dark" }), []);
        await page.picture(`admin-${name}-${theme}`);
        await page.setViewportSize({ width: 400, height: 850 });
        await page.settled();
        const over = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
        assert.ok(over <= 0, `${over} px too wide`);
        await page.picture(`admin-${name}-${theme}-small`);
        assert.deepEqual(page.faults(), []);
      });

  test("everyScreen_hostileNames_stayText", async () => {
    fake.state.mood = "hostile";
    for (const [name, wait] of SCREENS) {
      await open("/admin/" + name, wait);
      assert.equal(await page.locator("main img, main script, main b b").count(), 0, name);
      assert.deepEqual(page.faults(), [], name);
      await page.close();
    }
    page = undefined;
  });

  test("everyScreen_failing_saysWhyAndOffersRetry", async () => {
    for (const [name, wait] of SCREENS) {
      const api = { notify: "/notify-targets" }[name] ?? "/" + name;
      fake.state.fail.set(api, { status: 503, title: "The database is away", detail: "could not reach the database" });
      await open("/admin/" + name, ".error-panel");
      assert.match(await page.locator(".error-panel").innerText(), /The database is away/);
      fake.state.fail.clear();
      await page.locator(".error-panel button").click();
      await page.locator(wait).first().waitFor();
      await page.close();
    }
    page = undefined;
  });

  test("admin_viewer_isToldWhatIsNeeded", async () => {
    fake.state.role = "viewer";
    await open("/admin/server", ".empty");
    assert.match(await page.locator(".empty").innerText(), /needs the role admin[\s\S]*signed in as viewer/);
    assert.deepEqual(await page.axe(), []);
  });

  test("tabs_brackets_goToTheNeighbours", async () => {
    await open("/admin/storage", ".stats");
    await page.keyboard.press("]");
    await page.waitForURL(/\/admin\/server$/);
    await page.keyboard.press("[");
    await page.waitForURL(/\/admin\/storage$/);
  });
});

test("server_sick_saysTheWorstFirst", async () => {
  fake.state.mood = "sick";
  await open("/admin/server", ".verdict-critical");
  const text = await page.locator(".verdict").innerText();
  for (const part of ["The database does not answer: could not connect", "queue of snapshots is 94", "certificate ends in", "Analysis"]) assert.ok(text.includes(part), `${part} in ${text}`);
  assert.match(await page.locator(".verdict h2").innerText(), /database|queue/);
  assert.deepEqual(await page.axe(), []);
});

test("server_watched_chartsHaveValues", async () => {
  await open("/admin/server", ".verdict-ok");
  await page.evaluate(() => dispatchEvent(new CustomEvent("poolfleet:retry")));
  await page.locator(".live details").first().waitFor();
  await page.locator(".live summary").first().click();
  assert.ok((await page.locator(".live .values li").first().innerText()).includes("/s"));
});

test("tagList_chosen_showsWhatChangesThenIsKept", async () => {
  await open("/admin/tag-lists", ".table");
  await page.locator('input[type="file"]').setInputFiles({ name: "local.txt", mimeType: "text/plain", buffer: Buffer.from("CnFc - cnfilter.sys - file context\r\nnonsense\r\n") });
  await page.locator("dialog[open] .preview").waitFor();
  const text = await page.locator("dialog[open]").innerText();
  for (const part of ["2 tags in 3 lines", "cnfilter.sys", "ntfs.sys", "1 lines could not be read", "nonsense"]) assert.ok(text.includes(part), `${part} in ${text}`);
  assert.deepEqual(await page.axe(), []);
  assert.equal(sent("POST", "/tag-lists").filter((r) => !r.search.includes("preview")).length, 0, "nothing is kept before it is asked for");
  await button("Import it").click();
  await said("local.txt imported.");
  await page.locator(".table", { hasText: "local.txt" }).waitFor();
});

test("tagList_noList_namesTheFault", async () => {
  await open("/admin/tag-lists", ".table");
  await page.locator('input[type="file"]').setInputFiles({ name: "x.txt", mimeType: "text/plain", buffer: Buffer.from("nothing") });
  await page.locator("dialog[open] .error-panel").waitFor();
  assert.match(await page.locator("dialog[open] .error-panel").innerText(), /holds no tag/);
});

test("tagList_removed_focusStaysOnThePage", async () => {
  await open("/admin/tag-lists", ".table tbody tr");
  await page.keyboard.press("/");
  await button("Remove pooltag.txt").click();
  await page.locator("dialog[open]").getByRole("button", { name: "Remove", exact: true }).click();
  await page.locator(".empty").waitFor();
  await page.waitForFunction(() => document.activeElement !== document.body);
});

test("knownLeak_added_previewThenFaultThenKept", async () => {
  await open("/admin/known-leaks", ".table");
  await button("Add a known leak").click();
  for (const [id, v] of [["id", "contoso-1"], ["title", "Contoso leaks"], ["tags", "TooLong"], ["bad", "1.0 .. 1.7\n2.0 .."], ["advice", "Update."], ["source", "case 7"]]) await page.fill("#leak-" + id, v);
  await button("Save").click();
  await page.locator('#leak-tags[aria-invalid="true"]').waitFor();
  await page.fill("#leak-tags", "WCsc\nDdk");
  await button("See what it matches").click();
  await page.getByText("1 open findings would show it:").waitFor();
  assert.deepEqual(await page.axe(), []);
  await page.picture("admin-known-edit", false);
  await button("Save").click();
  await said("contoso-1 saved.");
  const body = JSON.parse(sent("PUT", "/known-leaks/").at(-1).body);
  assert.deepEqual([body.tags, body.bad_versions], [["WCsc", "Ddk "], [{ from: "1.0", to: "1.7" }, { from: "2.0" }]]);
});

test("knownLeak_builtinReplaced_keepsWhatTheFormDoesNotShow", async () => {
  fake.state.people["known-leaks"][1].behaviour = { growth: "slow" };
  await open("/admin/known-leaks", ".table");
  await button("Replace npcap").click();
  await page.fill("#leak-title", "Ours");
  await button("Save").click();
  await said("npcap saved.");
  const body = JSON.parse(sent("PUT", "/known-leaks/npcap")[0].body);
  assert.deepEqual([body.title, body.behaviour, body.origin], ["Ours", { growth: "slow" }, undefined]);
});

test("target_made_faultAtItsFieldThenSecretOnce", async () => {
  await open("/admin/notify", ".table");
  await button("Add a target").click();
  await page.fill("#target-name", "lab");
  await page.fill("#target-address", "http://x");
  await page.locator('dialog[open] [type="submit"]').click();
  await page.locator('#target-address[aria-invalid="true"]').waitFor();
  assert.equal(await page.inputValue("#target-name"), "lab", "what was typed stays");
  await page.fill("#target-address", "https://hooks.example.com/lab");
  await page.locator('dialog[open] [type="submit"]').click();
  await page.locator("#secret").waitFor();
  assert.match(await page.inputValue("#secret"), /^pfn_/);
});

test("target_tested_saysHowItWent", async () => {
  await open("/admin/notify", ".table");
  await button("Change mail to operations").click();
  await button("Send a test").click();
  await page.getByText("It was not taken: could not connect: timed out").waitFor();
  assert.match(await page.locator("dialog[open] .preview").innerText(), /given up[\s\S]*mail\.example\.com/);
  assert.deepEqual(await page.axe(), []);
  await page.picture("admin-notify-edit", false);
});

for (const [what, path, who, field, id, change] of [
  ["target", "/admin/notify", "on call", "#target-name", "notify-targets", { name: "renamed by bob" }],
  ["person", "/admin/users", "bob", "#edit-role", "users", { role: "admin" }],
])
  test(`${what}_twoAdmins_sayKindlyWhatIsThereNowAndLoseNothing`, async () => {
    await open(path, ".table");
    await button("Change " + who).click();
    await page.locator(field).waitFor();
    if (field === "#edit-role") await page.selectOption(field, "viewer");
    else await page.fill(field, "mine");
    const row = fake.state.people[id].find((r) => r.name === who);
    Object.assign(row, change, { version: row.version + 1 });
    fake.state.people.users.forEach((u) => { if (u === row) u.name = who; });
    await button("Save").click();
    await page.locator(".collision").waitFor();
    assert.match(await page.locator(".collision").innerText(), /Changed by someone else meanwhile[\s\S]*Nothing of yours is lost/);
    assert.deepEqual(await page.axe(), []);
    await page.route("**/users/2", (route) => (route.request().method() === "GET" ? route.fulfill({ json: row }) : route.fallback()));
    await button("Show what is there now").click();
    await page.locator(".differences").waitFor();
    await page.picture(`admin-collision-${what}`, false);
    assert.equal(await page.inputValue(field), field === "#edit-role" ? "viewer" : "mine");
    await button("Save").click();
    await page.locator("dialog[open]").waitFor({ state: "detached" });
  });

test("printed_hidesTheControls", async () => {
  await open("/admin/server", ".verdict");
  await page.emulateMedia({ media: "print" });
  for (const gone of [".shell-header", ".tabs"]) assert.equal(await page.locator(gone).isVisible(), false, gone);
});
