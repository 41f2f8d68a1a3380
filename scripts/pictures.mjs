// SPDX-License-Identifier: Apache-2.0
// pictures.mjs URL TOKEN [NAME...]: the pictures of the README and docs, taken of a running demo into
// docs/images/ in both themes (the demo prints its address; build/demo/operator.token holds the token;
// with an administrator's token Admin is pictured too: `poolfleetd token create --role admin`).
import { mkdirSync, statSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
const { chromium } = createRequire(new URL("../web/package.json", import.meta.url))("playwright-core");

const [address, token, ...wanted] = process.argv.slice(2);
if (!token) {
  console.error("usage: pictures.mjs URL TOKEN [NAME...]");
  process.exit(2);
}
const folder = new URL("../docs/images/", import.meta.url).pathname;
mkdirSync(folder, { recursive: true });
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync"],
});
const ask = (target) => fetch(`${address}/api/v1${target}`, { headers: { Authorization: `Bearer ${token}` } });
const get = async (target) => (await ask(target)).json();
const admin = (await ask("/server")).ok && (await ask("/users")).ok;
const findings = (await get("/findings?limit=50")).items;
// The finding that shows most: several hosts, and a cause that parts them from the others.
const parts = (f) => (f.host_count > 2 && f.explained_by[0] ? f.explained_by[0].affected_with / f.explained_by[0].affected - f.explained_by[0].unaffected_with / Math.max(1, f.explained_by[0].unaffected) : 0);
const shown = findings.reduce((best, f) => (parts(f) > parts(best) ? f : best));
const tag = encodeURIComponent(shown.tag);
// The driver that shows most: one whose bad and good versions are known, then the one of most hosts.
const shows = (c) => (c.first_bad && c.last_good ? 1e6 : 0) + c.affected_with;
const blamed = findings.flatMap((f) => f.explained_by).filter((c) => c.attribute.startsWith("driver/")).sort((a, b) => shows(b) - shows(a));
const driver = blamed[0]?.attribute.slice(7) ?? shown.owner?.driver;
const CAPTURE = `Sorting by NonPaged Pool Consumed

               NonPaged                  Paged
 Tag     Allocs         Used     Allocs         Used
 ${shown.tag.padEnd(4)}   8123456   4294967296          0            0	${shown.owner?.driver ?? ""}
 NtFC     91234    112345678          0            0	ntfs.sys
 TOTAL  8214690   4407312974          0            0
`;

/** Name, address, height of the window, what is there once it is whole, what is done before. */
const screens = [
  ["today", "/", 1000, ".finding"],
  ["map", "/map?group=role", 800, ".fleetmap-group"],
  ["findings", "/findings", 1000, ".finding"],
  ["finding", `/findings/${shown.id}`, 1250, ".chart canvas"],
  ["tags", "/tags", 900, ".table tbody tr"],
  ["tag", `/tags/${tag}?pool=${shown.pool}`, 1100, ".dist"],
  ["explain", `/explain?finding=${shown.id}`, 1000, ".explain-shares"],
  ["hosts", "/hosts", 800, ".hostgrid-row .host-link"],
  ["host", `/hosts/${shown.hosts[0].id}?since=24h`, 1500, ".grid-row"],
  ...(driver ? [["driver", `/drivers/${encodeURIComponent(driver)}`, 900, ".adoption, .table"]] : []),
  ["diagnose", "/diagnose", 1000, "textarea", async (page) => {
    await page.fill("textarea", CAPTURE);
    await page.keyboard.press("Control+Enter");
    await page.locator(".verdict").waitFor();
  }],
  // Its rates need two readings.
  ...(admin ? [["admin", "/admin/server", 900, ".panel", (page) => page.waitForFunction(() => !document.querySelector("main").innerText.includes("Watching"))]] : []),
].filter(([name]) => !wanted.length || wanted.includes(name));

for (const scheme of ["light", "dark"]) {
  const context = await browser.newContext({ colorScheme: scheme, viewport: { width: 1280, height: 1000 }, reducedMotion: "reduce" });
  context.setDefaultTimeout(60000);
  const page = await context.newPage();
  const tools = await context.newCDPSession(page);
  await page.goto(`${address}/#token=${token}`);
  await page.locator(".shell-header").waitFor();
  for (const [name, target, height, whole, prepare] of screens) {
    await page.setViewportSize({ width: 1280, height });
    await page.goto(address + target);
    await page.locator(whole).first().waitFor();
    await prepare?.(page);
    await page.waitForFunction(() => !document.querySelector("main .skeleton, main [aria-busy=true]"));
    await page.waitForLoadState("networkidle");
    const file = `${folder}${name}-${scheme}.webp`;
    const { data } = await tools.send("Page.captureScreenshot", { format: "webp", quality: 50 });
    writeFileSync(file, Buffer.from(data, "base64"));
    console.log(`${name}-${scheme}.webp ${Math.round(statSync(file).size / 1024)} KB`);
  }
  await context.close();
}
await browser.close();
