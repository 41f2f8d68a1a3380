// SPDX-License-Identifier: Apache-2.0
// What is around every screen: keys and their help, search, the line to the server, small windows,
// and that its text comes from one file (every string wrapped, as a translation would).
import { describe, test } from "node:test";
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { browser, fake } from "./stage.mjs";

let page;
async function open(path, wait, options) {
  page = await browser.page(options);
  await page.goto(fake.url + path);
  if (wait) await page.locator(wait).first().waitFor({ state: "attached" });
}

test("help_eachScreen_showsItsOwnKeysAndTheCommonOnes", async () => {
  for (const [path, wait, own] of [["/diagnose", "textarea", "diagnose what was pasted"], ["/admin", ".table", "the tab before, the next tab"]]) {
    await open(path, wait);
    await page.locator("h1").click();
    await page.keyboard.press("?");
    await page.locator("dialog[open]").waitFor();
    const text = await page.locator("dialog[open]").innerText();
    for (const part of [own, "search everywhere", "Drivers"]) assert.ok(text.includes(part), part);
    assert.ok(!text.includes("poolmon"), "keys of other screens");
    await page.close();
  }
  page = undefined;
});

test("keys_gThenEach_goesThere", async () => {
  await open("/diagnose", "textarea");
  for (const [key, path] of [["f", "/findings"], ["a", "/tags"], ["v", "/drivers"], ["s", "/admin"], ["d", "/diagnose"]]) {
    await page.locator("main h1").first().waitFor();
    await page.keyboard.press("g");
    await page.keyboard.press(key);
    await page.waitForURL(new RegExp(path + "$"));
  }
});

test("search_slashAndCtrlK_alsoAt400px", async () => {
  await open("/diagnose", "textarea", { width: 400, height: 800 });
  await page.locator("h1").click();
  await page.keyboard.press("/");
  assert.equal(await page.evaluate(() => document.activeElement.id), "jump");
  await page.keyboard.press("Escape");
  await page.keyboard.press("Control+k");
  assert.equal(await page.evaluate(() => document.activeElement.id), "jump");
});

describe("the line to the server", () => {
  test("gone_saysSinceWhenAndComesBack", async () => {
    await open("/admin", ".table");
    fake.state.fail.set("/", "drop");
    await page.evaluate(() => dispatchEvent(new CustomEvent("poolfleet:retry")));
    await page.locator(".link-gone").waitFor();
    assert.match(await page.locator(".link-gone").innerText(), /cannot be reached\. What is shown is \d+.s old/);
    assert.equal(await page.locator(".table tbody tr").count() > 0, true, "what was there stays");
    assert.deepEqual(await page.axe(), []);
    await page.picture("state-gone", false);
    fake.state.fail.clear();
    await page.locator(".link-gone button").click();
    await page.locator(".link-gone").waitFor({ state: "detached" });
  });

  test("slow_isSaidAfterTwoSecondsAndGoes", async () => {
    let go;
    fake.state.slow.set("/users", new Promise((r) => (go = r)));
    await open("/admin", ".skeleton");
    await page.locator(".link-slow").waitFor();
    go();
    await page.locator(".table").waitFor();
    await page.locator(".link-slow").waitFor({ state: "detached" });
  });
});

test("expired_whileTyping_keepsWhatWasTyped", async () => {
  await open("/admin/notify", ".table");
  await page.getByRole("button", { name: "Add a target" }).click();
  await page.fill("#target-name", "half typed");
  await page.fill("#target-address", "https://hooks.example.com/x");
  fake.state.signedIn = false;
  await page.locator('dialog[open] [type="submit"]').click();
  await page.getByText("Your session has ended").waitFor();
  await page.locator("#password").fill(fake.password);
  await page.locator("dialog[open]").last().locator('[type="submit"]').click();
  await page.getByText("Your session has ended").waitFor({ state: "detached" });
  assert.equal(await page.inputValue("#target-name"), "half typed");
});

test("reducedMotion_nothingMoves", async () => {
  await open("/admin", ".table");
  await page.emulateMedia({ reducedMotion: "reduce" });
  const longest = await page.evaluate(() => Math.max(...[...document.querySelectorAll("*")].map((e) => Math.max(parseFloat(getComputedStyle(e).transitionDuration), parseFloat(getComputedStyle(e).animationDuration)))));
  assert.ok(longest < 0.01, `${longest} s`);
});

describe("pseudo-translation", () => {
  /** en.js with every string in brackets, in what functions give too. */
  const wrapped = readFileSync(new URL("../../web/lib/en.js", import.meta.url), "utf8").replace("export const en =", "const plain =") + `
const wrap = (v) => typeof v === "string" ? (/^[\\w+]{1,9}$/.test(v) && v.length === 1 ? v : "\\u27e6" + v + "\\u27e7")
  : typeof v === "function" ? (...a) => wrap(v(...a)) : Array.isArray(v) ? v.map(wrap)
  : v && typeof v === "object" ? Object.fromEntries(Object.entries(v).map(([k, x]) => [k, wrap(x)])) : v;
export const en = wrap(plain);
`;
  const CASES = [["/admin", ".table"], ["/admin/tokens", ".table"], ["/admin/enroll-secrets", ".table"], ["/admin/notify", ".table"], ["/admin/tag-lists", ".table"], ["/admin/known-leaks", ".table"],
    ["/admin/storage", ".stats"], ["/admin/server", ".verdict"], ["/admin/audit", ".table"], ["/account", "form"], ["/diagnose", "textarea"], ["/no/such", ".empty"]];
  for (const [path, wait] of CASES)
    test(`${path}_everyWordComesFromTheFile`, async () => {
      page = await browser.page();
      await page.route("**/lib/en.js", (route) => route.fulfill({ contentType: "text/javascript", body: wrapped }));
      await page.goto(fake.url + path);
      await page.locator(wait).first().waitFor();
      const bare = await page.evaluate(() => {
        const found = [];
        const walk = document.createTreeWalker(document.querySelector("#app"), NodeFilter.SHOW_TEXT);
        const open = new Map();
        for (let n = walk.nextNode(); n; n = walk.nextNode()) {
          const el = n.parentElement;
          // Sentences with components in them open and close in different nodes of one block.
          const block = el.closest("p, li, dd, td, th, h1, h2, h3, button, a, label, span, dt, summary, option, legend") ?? el;
          const before = open.get(block) ?? 0;
          open.set(block, before + (n.data.match(/\u27e6/g) ?? []).length - (n.data.match(/\u27e7/g) ?? []).length);
          if (el.closest("bdi, time, code, kbd, textarea, .tag, script, style, .values") || /\u27e6|\u27e7/.test(n.data) || before > 0) continue;
          const text = n.data.replace(/[\d.,]+\u00a0?(B|KB|MB|GB|TB|ms|s|min|h|d|days|k|M)\b|ago|in\b/g, "");
          if (/[A-Za-z]{2,}/.test(text) && el.checkVisibility()) found.push(n.data.trim());
        }
        for (const e of document.querySelectorAll("#app [aria-label], #app [placeholder], #app [title]"))
          for (const a of ["aria-label", "placeholder", "title"]) {
            const v = e.getAttribute(a);
            if (v && /[A-Za-z]{3,}/.test(v) && !/\u27e6/.test(v) && !/UTC|bytes$/.test(v) && !e.closest("bdi, time, .tag")) found.push(`${a}: ${v}`);
          }
        return [...new Set(found)];
      });
      assert.deepEqual(bare, []);
    });
});
