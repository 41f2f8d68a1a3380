// SPDX-License-Identifier: Apache-2.0
// Every screen as a picture in both themes at two widths, compared with what was accepted before.
//
// Pictures go to build/screens/; what is kept in tests/web/pictures.txt is a fingerprint of each: its
// top 1,000 rows scaled down to 40 x 30 shades of grey. Letters melt into grey at that size, so
// another machine's fonts or another moment's ages do not matter; a panel that moved, vanished or
// lost its colour does.
//
//   node --test tests/web/pictures.test.mjs             compares
//   ACCEPT=1 node --test tests/web/pictures.test.mjs    takes the pictures of now as right
//   ACCEPT=admin-server node --test ...                 only those whose name begins so
import { after, before, describe, test } from "node:test";
import assert from "node:assert/strict";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { openBrowser } from "./browser.mjs";
import { startFake } from "./fake_api.mjs";

const FILE = new URL("pictures.txt", import.meta.url);
const COLUMNS = 40;
const ROWS = 30;
const HEIGHT = 1000;
/** Of 255 shades. Chosen: other fonts move the mean by under 2 and few cells by over 24; a hidden panel moves hundreds. */
const MEAN_MOST = 4;
const CELL_MOST = 28;
const CELLS_SHARE = 0.04;

/** Name, address, what is there once it is complete. */
const SCREENS = [
  ["today", () => "/", ".finding .spark-line"], ["findings", () => "/findings", ".finding .spark-line"], ["finding", () => "/findings/f-1a2b3c4d5e6f7081", ".chart canvas"],
  ["tags", () => "/tags", "main h1"], ["tag", () => "/tags/WCsc", ".chart canvas"], ["hosts", () => "/hosts", "main h1"], ["host", (fake) => `/hosts/${fake.fleet.hosts[27].id}?since=24h`, ".grid-row"],
  ["drivers", () => "/drivers", ".table tbody tr"], ["driver", () => "/drivers/wcifs.sys", ".chart canvas"], ["diagnose", () => "/diagnose", "textarea"],
  ...[["users", ".table"], ["tokens", ".table"], ["enroll-secrets", ".table"], ["notify", ".table"], ["tag-lists", ".table"], ["known-leaks", ".table"], ["storage", ".stats"], ["server", ".verdict"], ["audit", ".table"]]
    .map(([name, wait]) => [`admin-${name}`, () => "/admin/" + name, wait]),
  ["account", () => "/account", "form"], ["missing", () => "/no/such", ".empty"], ["signin", () => "/", ".signin-box form", (fake) => (fake.state.signedIn = false)],
  ["setup", (fake) => "/setup#" + fake.setup, ".signin-box form"],
];

let fake, browser, helper;
const accepted = new Map(existsSync(FILE) ? readFileSync(FILE, "utf8").split("\n").filter((l) => l && !l.startsWith("#")).map((l) => l.split(" ")) : []);
const taken = new Map();
const accepts = (name) => process.env.ACCEPT !== undefined && (process.env.ACCEPT === "1" || name.startsWith(process.env.ACCEPT));

before(async () => {
  fake = await startFake();
  browser = await openBrowser();
  helper = await browser.context.newPage();
});
after(async () => {
  await browser?.close();
  await fake?.close();
  if (process.env.ACCEPT === undefined) return;
  for (const [name, print] of taken) if (accepts(name)) accepted.set(name, print);
  writeFileSync(FILE, `# Fingerprints of accepted pictures: see pictures.test.mjs. One shade (0 to f) a cell, ${COLUMNS} x ${ROWS}.\n` +
    [...accepted].sort(([a], [b]) => (a < b ? -1 : 1)).map((l) => l.join(" ") + "\n").join(""));
});

/** One hexadecimal digit a cell. @param {Buffer} png */
async function fingerprint(png) {
  return helper.evaluate(async ([data, columns, rows, height]) => {
    const image = new Image();
    image.src = "data:image/png;base64," + data;
    await image.decode();
    const canvas = new OffscreenCanvas(columns * 4, rows * 4);
    const draw = canvas.getContext("2d");
    draw.imageSmoothingQuality = "high";
    draw.drawImage(image, 0, 0, image.width, Math.min(height, image.height), 0, 0, columns * 4, rows * 4 * Math.min(1, image.height / height));
    const { data: px } = draw.getImageData(0, 0, columns * 4, rows * 4);
    let out = "";
    for (let y = 0; y < rows; y++)
      for (let x = 0; x < columns; x++) {
        let sum = 0;
        for (let j = 0; j < 4; j++)
          for (let i = 0; i < 4; i++) {
            const at = ((y * 4 + j) * columns * 4 + x * 4 + i) * 4;
            sum += 0.3 * px[at] + 0.59 * px[at + 1] + 0.11 * px[at + 2];
          }
        out += Math.round(sum / 16 / 17).toString(16);
      }
    return out;
  }, [png.toString("base64"), COLUMNS, ROWS, HEIGHT]);
}

/** null: alike; else what differs. */
export function difference(before, now) {
  if (before.length !== now.length) return "another size";
  let sum = 0;
  let far = 0;
  const rows = new Set();
  for (let i = 0; i < now.length; i++) {
    const d = Math.abs(parseInt(now[i], 16) - parseInt(before[i], 16)) * 17;
    sum += d;
    if (d > CELL_MOST) {
      far++;
      rows.add(Math.floor(i / COLUMNS));
    }
  }
  const mean = sum / now.length;
  if (mean <= MEAN_MOST && far <= CELLS_SHARE * now.length) return null;
  const at = [...rows].map((r) => Math.round((r * HEIGHT) / ROWS));
  return `${mean.toFixed(1)} of 255 shades on average, ${far} of ${now.length} cells far off` + (at.length ? `, between ${Math.min(...at)} and ${Math.max(...at)} px from the top` : "");
}

async function take(name, path, wait, prepare, theme, width) {
  fake.reset();
  prepare?.(fake);
  const page = await browser.page({ theme, width, height: HEIGHT });
  await page.emulateMedia({ colorScheme: theme, reducedMotion: "reduce" });
  await page.goto(fake.url + path(fake));
  await page.locator(wait).first().waitFor();
  await page.settled();
  await page.evaluate(() => /** @type {HTMLElement} */ (document.activeElement)?.blur());
  const png = await page.picture(name, false);
  return { page, print: await fingerprint(png) };
}

for (const theme of ["light", "dark"])
  for (const width of [1280, 400])
    describe(`${theme} ${width}`, () => {
      for (const [screen, path, wait, prepare] of SCREENS) {
        const name = `${screen}-${theme}-${width}`;
        test(`${name}_looksAsAccepted`, async () => {
          const { page, print } = await take(name, path, wait, prepare, theme, width);
          await page.close();
          taken.set(name, print);
          if (accepts(name)) return;
          const how = `look at build/screens/${name}.png; if it is right: ACCEPT=${screen} node --test tests/web/pictures.test.mjs`;
          assert.ok(accepted.has(name), `${name} was never accepted; ${how}`);
          const found = difference(accepted.get(name), print);
          assert.equal(found, null, `${name} differs: ${found}; ${how}`);
        });
      }
    });

describe("the comparison itself", () => {
  test("aPanelHidden_andAnotherTheme_areSeen_anotherFontIsNot", async () => {
    const storage = SCREENS.find(([name]) => name === "admin-storage");
    const { page, print } = await take("self", storage[1], storage[2], undefined, "light", 1280);
    await page.evaluate(() => document.documentElement.style.setProperty("--font", "serif"));
    assert.equal(difference(print, await fingerprint(await page.screenshot())), null, "another font");
    await page.evaluate(() => document.documentElement.style.removeProperty("--font"));
    await page.evaluate(() => (document.querySelectorAll(".panel")[1].hidden = true));
    assert.notEqual(difference(print, await fingerprint(await page.screenshot())), null, "a panel hidden");
    await page.evaluate(() => (document.documentElement.dataset.theme = "dark"));
    assert.notEqual(difference(print, await fingerprint(await page.screenshot())), null, "the other theme");
    await page.close();
  });
});
