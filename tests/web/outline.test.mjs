// SPDX-License-Identifier: Apache-2.0
// Every screen's layout compared with the one accepted before, in both themes at two widths.
//
// Not pixels are compared: fonts differ between machines, and so do all pixels then. A screen's outline
// is: its landmarks, headings, panels, tables, charts and forms in the order they are seen, each with its
// name and the columns (of twelve) it takes. A panel that vanished, moved beside another, became too
// narrow or lost its heading is seen; another font, another moment's figures or a longer word is not.
// Both themes must have the same outline, a dark one dark grounds and a light one light.
//
//   node --test tests/web/outline.test.mjs             compares with tests/web/outline.txt
//   ACCEPT=1 node --test tests/web/outline.test.mjs    takes the outlines of now as right
//   ACCEPT=admin-server node --test ...                only those whose name begins so
//   PICTURES=1 node --test ...                         also makes pictures in build/screens/
//
// Without outline.txt only the themes are compared with one another.
import { after, before, describe, test } from "node:test";
import assert from "node:assert/strict";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { openBrowser } from "./browser.mjs";
import { startFake } from "./fake_api.mjs";

const FILE = new URL("outline.txt", import.meta.url);
const ACCEPT = process.env.ACCEPT;

/** Name, address, what is there once it is complete, what the server has to be like. */
const SCREENS = [
  ["today", () => "/", ".finding .spark-line"], ["findings", () => "/findings", ".finding .spark-line"], ["finding", () => "/findings/f-1a2b3c4d5e6f7081", ".chart canvas"],
  ["map", () => "/map", ".fleetmap-group"], ["tags", () => "/tags", ".table tbody tr"], ["tag", () => "/tags/WCsc", ".chart canvas"], ["hosts", () => "/hosts", ".hostgrid-row .host-link"],
  ["host", (fake) => `/hosts/${fake.fleet.hosts[27].id}?since=24h`, ".grid-row"],
  ["drivers", () => "/drivers", ".table tbody tr"], ["driver", () => "/drivers/wcifs.sys", ".adoption"], ["diagnose", () => "/diagnose", "textarea"],
  ...[["users", ".table"], ["tokens", ".table"], ["enroll-secrets", ".table"], ["notify", ".table"], ["tag-lists", ".table"], ["known-leaks", ".table"], ["storage", ".stats"], ["server", ".verdict"], ["audit", ".table"]]
    .map(([name, wait]) => [`admin-${name}`, () => "/admin/" + name, wait]),
  ["account", () => "/account", "form"], ["missing", () => "/no/such", ".empty"], ["signin", () => "/", ".signin-box form", (fake) => (fake.state.signedIn = false)],
  ["setup", (fake) => "/setup#" + fake.setup, ".signin-box form"],
];

/** In the page: the outline, and how light what lies under it is (0 to 255). */
function outlineOf() {
  const wide = document.documentElement.clientWidth;
  const parts = document.querySelectorAll("header, nav, main, h1, h2, h3, section, form, table, dialog[open], fieldset, .chart, canvas, .stats, .toolbar, .tabs, .panel, .empty, .error-panel, .stale, [role=grid], [role=tablist]");
  const lines = [];
  for (const part of parts) {
    if (!part.checkVisibility() || part.closest(".offscreen, .skip, svg")) continue;
    // What is inside a chart or a table is its own affair: how many rows there are is no layout.
    if (part.parentElement?.closest(".chart, table, [role=grid], li")) continue;
    const box = part.getBoundingClientRect();
    if (box.width < 1 || box.height < 1) continue;
    const heading = /^H[1-3]$/.test(part.tagName);
    const name = (heading ? part.textContent : part.getAttribute("aria-label") ?? "").replace(/\s+/g, " ").trim().replace(/\p{N}[\p{N}.,:]*/gu, "#").slice(0, 40).trim();
    const kind = part.tagName.toLowerCase() + [...part.classList].filter((c) => /^(panel|chart|stats|toolbar|tabs|empty|error-panel|stale|split|verdict)$/.test(c)).map((c) => "." + c).join("");
    // A word's width is the font's; a box's is ours.
    const place = heading ? "" : ` ${Math.round((box.left / wide) * 12)}-${Math.round((box.right / wide) * 12)}`;
    let deep = 0;
    for (let p = part.parentElement; p; p = p.parentElement) deep += p.matches("main, section, form, dialog, .panel") ? 1 : 0;
    lines.push("  ".repeat(deep) + kind + place + (name ? " " + name : ""));
  }
  const grounds = [document.body, ...document.querySelectorAll(".panel")].map((e) => getComputedStyle(e).backgroundColor).filter((c) => !/, 0\)|transparent/.test(c));
  const canvas = new OffscreenCanvas(1, 1).getContext("2d");
  const light = grounds.map((colour) => {
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    const [r, g, b] = canvas.getImageData(0, 0, 1, 1).data;
    return Math.round(0.3 * r + 0.59 * g + 0.11 * b);
  });
  return { lines, light };
}

/** The first place where two outlines part, in words; null: alike. */
export function difference(before, now) {
  const a = before.split("\n");
  const b = now.split("\n");
  const at = a.findIndex((line, i) => line !== b[i]);
  if (at < 0 && a.length === b.length) return null;
  const i = at < 0 ? a.length : at;
  return `line ${i + 1}: expected "${a[i] ?? "the end"}", found "${b[i] ?? "the end"}"`;
}

let fake, browser;
/** @type {Map<string, string>} */
const accepted = new Map();
const taken = new Map();
const accepts = (name) => ACCEPT !== undefined && (ACCEPT === "1" || name.startsWith(ACCEPT));

before(async () => {
  for (const part of existsSync(FILE) ? readFileSync(FILE, "utf8").split(/^== /m).slice(1) : []) {
    const end = part.indexOf("\n");
    accepted.set(part.slice(0, end), part.slice(end + 1).trimEnd());
  }
  fake = await startFake();
  browser = await openBrowser();
});
after(async () => {
  await browser?.close();
  await fake?.close();
  if (ACCEPT === undefined || taken.size === 0) return;
  for (const [name, outline] of taken) if (accepts(name)) accepted.set(name, outline);
  writeFileSync(FILE, "Outlines of accepted screens: see outline.test.mjs.\n\n" + [...accepted].sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, outline]) => `== ${name}\n${outline}\n`).join("\n"));
});

async function show([, path, wait, prepare]) {
  fake.reset();
  prepare?.(fake);
  const page = await browser.page({ width: 1280, height: 1000 });
  await page.goto(fake.url + path(fake));
  await page.locator(wait).first().waitFor();
  await page.settled();
  return page;
}
const same = async (page) => (await page.evaluate(outlineOf)).lines.join("\n");

for (const screen of SCREENS)
  test(`${screen[0]}_isLaidOutAsAccepted_wideAndNarrow_inBothThemes`, async () => {
    const page = await show(screen);
    const faults = [];
    for (const width of [1280, 400]) {
      const name = `${screen[0]}-${width}`;
      const seen = {};
      await page.setViewportSize({ width, height: 1000 });
      for (const theme of ["light", "dark"]) {
        await page.emulateMedia({ colorScheme: theme, reducedMotion: "reduce" });
        await page.settled();
        const { lines, light } = await page.evaluate(outlineOf);
        await page.picture(`${name}-${theme}`);
        assert.ok(theme === "light" ? Math.min(...light) > 180 : Math.max(...light) < 90, `${name}: grounds of the ${theme} theme: ${light}`);
        seen[theme] = lines.join("\n");
      }
      assert.equal(difference(seen.light, seen.dark), null, `${name}: the dark theme is laid out otherwise`);
      taken.set(name, seen.light);
      if (accepts(name) || !existsSync(FILE)) continue;
      const found = accepted.has(name) ? difference(accepted.get(name), seen.light) : "it was never accepted";
      if (found) faults.push(`${name}: ${found}`);
    }
    await page.close();
    assert.deepEqual(faults, [], `see it with PICTURES=1 in build/screens/; if it is right: ACCEPT=${screen[0]} node --test tests/web/outline.test.mjs`);
  });

describe("the comparison itself", () => {
  test("aPanelHidden_orMoved_orNarrowed_isSeen_anotherFontAndOtherFiguresAreNot", async () => {
    const page = await show(SCREENS.find(([name]) => name === "admin-storage"));
    const right = await same(page);
    await page.evaluate(() => document.documentElement.style.setProperty("--font", "serif"));
    await page.evaluate(() => document.querySelectorAll("main dd, main td").forEach((e) => (e.textContent = "12,345.6 TB")));
    assert.equal(difference(right, await same(page)), null, "another font and figures");
    for (const [what, change] of [
      ["hidden", (panel) => (panel.hidden = true)],
      ["narrowed", (panel) => (panel.style.maxWidth = "50%")],
      ["moved", (panel) => panel.parentElement.prepend(panel)],
    ]) {
      await page.evaluate(`(${change})([...document.querySelectorAll(".panel")].at(-1))`);
      assert.notEqual(difference(right, await same(page)), null, what);
      await page.reload();
      await page.locator(".stats").first().waitFor();
      await page.settled();
    }
    await page.close();
  });
});
