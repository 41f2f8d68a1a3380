// SPDX-License-Identifier: Apache-2.0
// today.mjs URL TOKEN: how long Today takes from navigation to complete, in a browser with an empty
// cache; prints the median of five loads in milliseconds. Complete: the last byte of the last
// request has arrived (sparklines included) and the frame after it is drawn.
import { createRequire } from "node:module";
const require = createRequire(new URL("../../web/package.json", import.meta.url));
const { chromium } = require("playwright-core");

const [address, token] = process.argv.slice(2);
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync"],
});
const times = [];
for (let i = 0; i < 5; i++) {
  const context = await browser.newContext();
  const page = await context.newPage();
  await page.goto(`${address}/#token=${token}`);
  await page.locator(".shell-header").waitFor();
  // Signed in; now a cold load as a person has it: nothing cached, only the cookie.
  const fresh = await context.newPage();
  const session = await context.newCDPSession(fresh);
  await session.send("Network.setCacheDisabled", { cacheDisabled: true });
  await fresh.goto(`${address}/`);
  await fresh.locator('main .loaded[aria-busy="false"]').first().waitFor();
  await fresh.waitForLoadState("networkidle");
  times.push(await fresh.evaluate(() => new Promise((resolve) => {
    const last = Math.max(...performance.getEntriesByType("resource").map((entry) => entry.responseEnd),
      ...performance.getEntriesByType("paint").map((entry) => entry.startTime));
    const before = performance.now();
    requestAnimationFrame(() => requestAnimationFrame(() => resolve(last + performance.now() - before)));
  })));
  await context.close();
}
await browser.close();
console.log(times.sort((a, b) => a - b)[2].toFixed(1));
