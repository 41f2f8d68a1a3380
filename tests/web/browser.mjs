// SPDX-License-Identifier: Apache-2.0
// A headless Chromium for the page's tests: watches the console, checks accessibility, keeps pictures.
import { createRequire } from "node:module";
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const require = createRequire(new URL("../../web/package.json", import.meta.url));
const { chromium } = require("playwright-core");
const AXE = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");
export const SCREENS = fileURLToPath(new URL("../../build/screens/", import.meta.url));

export async function openBrowser() {
  mkdirSync(SCREENS, { recursive: true });
  const profile = mkdtempSync(join(tmpdir(), "poolfleet-web-"));
  const context = await chromium.launchPersistentContext(profile, {
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    headless: true,
    viewport: { width: 1440, height: 1000 },
    args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
  });
  context.setDefaultTimeout(15000);
  return {
    context,
    /** A page that remembers what went wrong in it: console errors, exceptions, CSP violations, dialogs. */
    async page({ theme = "light", width = 1440, height = 1000 } = {}) {
      const page = await context.newPage();
      await page.setViewportSize({ width, height });
      await page.emulateMedia({ colorScheme: theme });
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
        async axe() {
          await page.evaluate(AXE);
          const found = await page.evaluate(() => window.axe.run(document, { resultTypes: ["violations"] }));
          return found.violations
            .filter((v) => v.impact === "serious" || v.impact === "critical")
            .map((v) => `${v.id}: ${v.nodes.slice(0, 3).map((n) => `${n.target.join(" ")} (${n.any?.[0]?.message ?? n.failureSummary})`).join("; ")}`);
        },
        picture: (name, full = true) => page.screenshot({ path: join(SCREENS, name + ".png"), fullPage: full }),
      });
    },
    async close() {
      await context.close();
      rmSync(profile, { recursive: true, force: true });
    },
  };
}
