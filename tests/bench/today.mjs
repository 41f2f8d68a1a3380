// SPDX-License-Identifier: Apache-2.0
// today.mjs URL TOKEN: how long Today takes from navigation to complete, in a browser with an empty
// cache; prints the median of five loads in milliseconds.
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
  await page.waitForSelector("[data-ready]");
  // Signed in; now a cold load as a person has it: nothing cached, only the cookie.
  const fresh = await context.newPage();
  const session = await context.newCDPSession(fresh);
  await session.send("Network.setCacheDisabled", { cacheDisabled: true });
  const before = performance.now();
  await fresh.goto(`${address}/`);
  await fresh.waitForSelector("[data-ready]");
  times.push(performance.now() - before);
  await context.close();
}
await browser.close();
console.log(times.sort((a, b) => a - b)[2].toFixed(1));
