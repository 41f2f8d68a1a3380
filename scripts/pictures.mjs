// SPDX-License-Identifier: Apache-2.0
// pictures.mjs URL TOKEN: the pictures of the README and docs, taken of a running demo into
// docs/images/ (the demo prints its address; build/demo/operator.token holds the token).
import { mkdirSync } from "node:fs";
import { createRequire } from "node:module";
const { chromium } = createRequire(new URL("../web/package.json", import.meta.url))("playwright-core");

const [address, token] = process.argv.slice(2);
const folder = new URL("../docs/images/", import.meta.url).pathname;
mkdirSync(folder, { recursive: true });
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync"],
});
const get = async (target) => (await fetch(`${address}/api/v1${target}`, { headers: { Authorization: `Bearer ${token}` } })).json();
const worst = (await get("/findings?limit=1")).items[0];
const screens = [
  ["today", "/", 1000],
  ["finding", `/findings/${worst.id}`, 1100],
  ["tag", `/tags/${encodeURIComponent(worst.tag)}`, 1000],
  ["host", `/hosts/${worst.hosts[0].id}?since=24h`, 1500],
];
for (const scheme of ["light", "dark"]) {
  const context = await browser.newContext({ colorScheme: scheme, viewport: { width: 1280, height: 1000 } });
  const page = await context.newPage();
  await page.goto(`${address}/#token=${token}`);
  await page.locator(".shell-header").waitFor();
  for (const [name, target, height] of screens) {
    await page.setViewportSize({ width: 1280, height });
    await page.goto(address + target);
    await page.locator('main .loaded[aria-busy="false"]').first().waitFor();
    await page.waitForLoadState("networkidle");
    await page.screenshot({ path: `${folder}${name}-${scheme}.png` });
  }
  await context.close();
}
await browser.close();
