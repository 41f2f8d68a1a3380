// SPDX-License-Identifier: Apache-2.0
// A headless Chromium for the page's tests: watches the console, checks accessibility, keeps pictures.
// SLOWED=1 shows tests that race: the page's processor is six times slower, the stand-in server's answers
// come up to 200 ms late and out of order.
import { createRequire } from "node:module";
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const require = createRequire(new URL("../../web/package.json", import.meta.url));
const { chromium } = require("playwright-core");
/** Rules whose answer depends on colours: all that is left to ask of a screen in its second theme. */
const COLOUR_RULES = ["color-contrast", "link-in-text-block"];
const AXE = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");
export const SCREENS = fileURLToPath(new URL("../../build/screens/", import.meta.url));

/** In the page, before its own code: counts what was asked of the server and is not yet read to its end. */
function countOpenRequests() {
  window.openRequests = 0;
  const counted = (object, name) => {
    const plain = object[name];
    object[name] = function (...args) {
      window.openRequests++;
      return plain.apply(this, args).finally(() => window.openRequests--);
    };
  };
  counted(window, "fetch");
  for (const name of ["text", "json", "arrayBuffer", "blob"]) counted(Response.prototype, name);
}

/** In the page: runs axe, leaving out rows of a table that differ only in their words from two before them. */
function alikeRowsOnce(options) {
  const seen = new Map();
  const exclude = [...document.querySelectorAll("tbody tr, .grid-row, .hostgrid-row")].filter((row) => {
    const shape = row.parentElement.className + row.outerHTML.replace(/>[^<]+/g, ">").replace(/ (?!class|role|aria-(?!label|rowindex|valuenow))[\w-]+="[^"]*"/g, "").replace(/ aria-(label|rowindex|valuenow)="[^"]*"/g, "");
    seen.set(shape, (seen.get(shape) ?? 0) + 1);
    return seen.get(shape) > 2;
  });
  return window.axe.run({ include: [document.documentElement], ...(exclude.length ? { exclude } : {}) }, options);
}

export async function openBrowser() {
  mkdirSync(SCREENS, { recursive: true });
  const profile = mkdtempSync(join(tmpdir(), "poolfleet-web-"));
  const context = await chromium.launchPersistentContext(profile, {
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    headless: true,
    viewport: { width: 1440, height: 1000 },
    args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
  });
  context.setDefaultTimeout(60000); // the last guard: a loaded machine is slow, not wrong
  const opened = new Set();
  return {
    context,
    /** A page that remembers what went wrong in it: console errors, exceptions, CSP violations, dialogs. */
    async page({ theme = "light", width = 1440, height = 1000 } = {}) {
      const page = await context.newPage();
      opened.add(page);
      page.once("close", () => opened.delete(page));
      await page.setViewportSize({ width, height });
      // Movements end at once: nothing is waited for, and no test meets one half way.
      await page.emulateMedia({ colorScheme: theme, reducedMotion: "reduce" });
      await page.addInitScript(countOpenRequests);
      if (process.env.SLOWED) await (await context.newCDPSession(page)).send("Emulation.setCPUThrottlingRate", { rate: 6 });
      const faults = [];
      // The browser itself logs refused requests; tests of refusals expect those and nothing else.
      const refused = /^Failed to load resource: (the server responded with a status of|net::ERR_EMPTY_RESPONSE)/;
      page.on("console", (m) => {
        if (m.type() === "error" || m.type() === "warning") faults.push({ text: `${m.type()}: ${m.text()}`, refused: refused.test(m.text()) });
      });
      page.on("pageerror", (e) => faults.push({ text: `exception: ${e.stack ?? e}`, refused: false }));
      page.on("dialog", (d) => {
        faults.push({ text: `dialog: ${d.message()}`, refused: false });
        void d.dismiss();
      });
      return Object.assign(page, {
        faults: ({ refusals = false } = {}) => faults.filter((f) => !(refusals && f.refused)).map((f) => f.text),
        /** Nothing is asked for any more, nothing holds a place, and two pictures were drawn since. */
        async settled() {
          const quiet = () =>
            page.evaluate(() => new Promise((done) => {
              requestAnimationFrame(() => requestAnimationFrame(() => done(window.openRequests === 0 && !document.querySelector("main .skeleton, main [aria-busy=true], .alone:empty"))));
            }));
          for (let calm = 0, end = Date.now() + 60000; calm < 2; ) {
            if (Date.now() > end) throw new Error(`${page.url()} does not settle: ${await page.evaluate(() => window.openRequests)} requests open`);
            calm = (await quiet()) ? calm + 1 : 0;
          }
        },
        /** Does something that the page answers with a text, be it for a moment only. */
        async saysFor(text, action) {
          const said = page.evaluate((wanted) => new Promise((done) => {
            const observer = new MutationObserver(() => document.body.innerText.includes(wanted) && (observer.disconnect(), done()));
            observer.observe(document.body, { subtree: true, childList: true, characterData: true });
          }), text);
          await action();
          await said;
        },
        /** Serious faults of accessibility. colours: only what another theme can change. */
        async axe({ colours = false } = {}) {
          await page.evaluate(AXE);
          const found = await page.evaluate(alikeRowsOnce, { resultTypes: ["violations"], preload: false, ...(colours ? { runOnly: COLOUR_RULES } : {}) });
          return found.violations
            .filter((v) => v.impact === "serious" || v.impact === "critical")
            .map((v) => `${v.id}: ${v.nodes.slice(0, 3).map((n) => `${n.target.join(" ")} (${n.any?.[0]?.message ?? n.failureSummary})`).join("; ")}`);
        },
        /** A picture for a person to look at: taken only when asked for, with PICTURES=1. */
        picture: (name, full = true) => (process.env.PICTURES ? page.screenshot({ path: join(SCREENS, name + ".png"), fullPage: full }) : null),
      });
    },
    /** What a test has opened and not closed. */
    closePages: () => Promise.all([...opened].map((page) => page.close())),
    async close() {
      await context.close();
      rmSync(profile, { recursive: true, force: true });
    },
  };
}
