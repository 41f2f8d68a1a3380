// SPDX-License-Identifier: Apache-2.0
// The page at the size of a fleet: a real server with 10,000 small hosts, one of 4,000 rows, then
// 50,000 hosts for the Fleet map; all in headless Chromium, which draws in software here, so frames
// and answers include what a graphics card would take over. BENCH_PAGE_HOSTS=1000 for a quick look;
// BENCH_PAGE=screens or =map for one half; BENCH_ANALYZE=1m for an analysis pass every minute beside.
//
// An interaction is measured from the input event's own time to the end of the frame in which its
// answer is drawn, calls to the server included; motion is not reduced, nothing else is simulated.
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
import path from "node:path";
import { bigHost, documents, postAll } from "./fleet_post.mjs";

const require = createRequire(new URL("../../web/package.json", import.meta.url));
const { chromium } = require("playwright-core");
const HOSTS = Number(process.env.BENCH_PAGE_HOSTS ?? 10000);
const MAP_HOSTS = HOSTS * 5;
const TIMES = 5;
const SCREENS = process.env.BENCH_PAGE !== "map";
const MAP = process.env.BENCH_PAGE !== "screens";
const median = (/** @type {number[]} */ list) => list.slice().sort((a, b) => a - b)[Math.floor(list.length / 2)];

/** In the page, before its own code: shifts of the layout, open requests, and a stop watch. */
function watch() {
  window.bench = { shift: 0, open: 0, begun: null, took: null };
  new PerformanceObserver((list) => {
    for (const e of list.getEntries()) if (!e.hadRecentInput) window.bench.shift += e.value;
  }).observe({ type: "layout-shift", buffered: true });
  const plain = window.fetch;
  window.fetch = (...args) => {
    window.bench.open++;
    return plain(...args).finally(() => window.bench.open--);
  };
  /** Starts with the next event of this type; ends with the frame in which the answer stands. */
  window.bench.arm = (type, source) => {
    const b = window.bench;
    const answered = new Function(`return (${source})`)();
    const was = answered.before ? answered.before() : undefined;
    b.begun = null;
    b.took = new Promise((resolve, reject) => {
      setTimeout(() => reject(new Error(b.begun === null ? "no event came" : `no answer on ${location.href}`)), 15000);
      addEventListener(type, (e) => {
        b.begun ??= e.timeStamp;
        const look = () => {
          if (!answered.done(was)) {
            requestAnimationFrame(look);
            return;
          }
          const after = new MessageChannel(); // its message comes after the frame is drawn
          after.port1.onmessage = () => resolve(performance.now() - b.begun);
          after.port2.postMessage(0);
        };
        requestAnimationFrame(look);
      }, { capture: true, once: true });
    });
  };
}

/** The text of an element is another than before. */
const changed = (selector) => `{ before: () => document.querySelector(${JSON.stringify(selector)})?.textContent, done: (was) => { const el = document.querySelector(${JSON.stringify(selector)}); return el && el.textContent !== was && !document.querySelector("main .pending"); } }`;
/** Something is there that was not. */
const there = (selector) => `{ done: () => document.querySelector(${JSON.stringify(selector)}) !== null }`;
/** Another screen, with its content. */
const screen = (path, selector) => `{ done: () => ${path}.test(location.pathname) && document.querySelector(${JSON.stringify(selector)}) !== null }`;

/** @param {any} page */
async function settled(page) {
  for (let calm = 0; calm < 3; ) {
    calm = (await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => setTimeout(() => done(window.bench.open === 0 && !document.querySelector("main .skeleton, main [aria-busy=true]")), 30))))) ? calm + 1 : 0;
  }
}

/**
 * What a person does on each screen. type: of the event that begins it; act: does it; answer: when it is answered; undo: back
 * for the next time.
 * @param {{ host: string, tag: string, low: number }} what
 */
function interactions({ host, tag, low }) {
  const key = (k) => (page) => page.keyboard.press(k);
  const click = (selector) => (page) => page.locator(selector).first().click({ noWaitAfter: true, position: { x: 6, y: 6 } });
  const head = (text) => (page) => page.locator("th .sort, .hostgrid-head .sort, .grid-head .sort", { hasText: text }).first().click({ noWaitAfter: true });
  const typed = (text) => async (page) => {
    await page.keyboard.type(text);
  };
  const inSearch = (page) => page.locator("main [data-search]").first().focus();
  const cleared = async (page) => {
    await page.locator("main [data-search]").first().fill("");
    await page.keyboard.press("Enter");
    await settled(page);
  };
  const back = async (page) => {
    await page.goBack();
    await settled(page);
  };
  const choose = (label, values) => (page, k) => page.getByRole("combobox", { name: label }).selectOption(values[k % values.length]);
  const first = ".hostgrid-body", rows = "tbody:not([aria-hidden])";
  return [
    ["Today", "/", [
      ["open a finding", "click", click(".finding h3 a, .finding a"), screen("/^\\/findings\\/./", "main .loaded"), back],
      ["filter: its critical hosts", "click", click(".standing a"), screen("/^\\/hosts$/", ".hostgrid-row"), back],
      ["key ?", "keydown", key("?"), there("dialog[open]"), key("Escape")],
    ]],
    ["Hosts", "/hosts", [
      ["filter: a letter typed", "keydown", typed("9"), changed(first), cleared, inSearch],
      ["filter: a role chosen", "change", choose("Role", ["sql-server", ""]), changed(first)],
      ["sort", "click", head("Nonpaged"), changed(first)],
      ["key End, Home", "keydown", (page, k) => page.keyboard.press(k % 2 ? "Home" : "End"), changed(".hostgrid-row[aria-selected=true]"), null, (page) => page.locator(".hostgrid-scroll").focus()],
      ["open a host", "click", click(".hostgrid-row .host-link"), screen("/^\\/hosts\\/./", "main .stats"), back],
    ]],
    ["Tags", "/tags", [
      ["filter: a letter typed", "keydown", typed("q"), changed(rows), cleared, inSearch],
      ["filter: a pool chosen", "change", choose("Pool", ["paged", ""]), changed(rows)],
      ["sort", "click", head("Hosts"), changed(rows)],
      ["key Down", "keydown", key("ArrowDown"), changed(".virtual > [role=status]"), null, (page) => page.locator(".virtual").focus()],
      ["open a tag", "click", click(".virtual tbody a"), screen("/^\\/tags\\/./", "main .loaded"), back],
    ]],
    ["Tag", `/tags/${tag}?pool=nonpaged`, [
      ["measure: growth rate", "click", (page, k) => page.locator(".segmented[aria-label] button", { hasText: k % 2 ? /bytes/i : /growth|rate/i }).first().click(), changed("[aria-labelledby=spread-h], .dist, figure")],
      ["sort its hosts", "click", (page) => page.locator("[aria-labelledby=hosts-h] th .sort").nth(1).click(), changed("[aria-labelledby=hosts-h] tbody")],
      ["open a host", "click", (page) => page.locator("[aria-labelledby=hosts-h] tbody a").first().click(), screen("/^\\/hosts\\/./", "main .stats"), back],
    ]],
    ["Host of 4,000 rows", `/hosts/${host}`, [
      ["filter: a letter typed", "keydown", typed("q"), changed(".grid-body"), cleared, inSearch],
      ["key p: one pool", "keydown", key("p"), changed(".grid-body"), null, (page) => page.locator(".grid-scroll").focus()],
      ["key d, f: sort", "keydown", (page, k) => page.keyboard.press(k % 2 ? "f" : "d"), changed(".grid-body"), null, (page) => page.locator(".grid-scroll").focus()],
      ["sort by a click", "click", (page, k) => page.locator(".grid-head .sort").nth(k % 2 ? 2 : 5).click(), changed(".grid-body")],
      ["key End, Home", "keydown", (page, k) => page.keyboard.press(k % 2 ? "Home" : "End"), changed(".grid-row[aria-selected=true]"), null, (page) => page.locator(".grid-scroll").focus()],
      ["key [: an hour back", "keydown", key("["), changed(".grid-body"), async (page) => { await page.keyboard.press("n"); await settled(page); }, (page) => page.locator(".grid-scroll").focus()],
      ["open a tag", "keydown", key("Enter"), screen("/^\\/tags\\/./", "main .loaded"), back, async (page) => { await page.locator(".grid-scroll").focus(); await page.keyboard.press("ArrowDown"); await settled(page); }],
    ]],
    ["Explain", `/explain?tag=${tag}&pool=nonpaged&low=${low}`, [
      ["filter: a letter typed", "keydown", typed("o"), changed(".explain-table tbody"), cleared, inSearch],
      ["filter: a kind chosen", "change", choose("Show", ["driver", ""]), changed(".explain-table tbody")],
      ["sort", "click", head("What"), changed(".explain-table tbody")],
      ["open the hosts of a line", "click", click(".explain-table tbody button"), there(".explain-open .explain-hosts li"), async (page) => { await page.locator(".explain-table tbody button").first().click(); await settled(page); }],
      ["key Enter: another region", "keydown", async (page, k) => { await page.locator("form.region input").first().fill(k % 2 ? "2 GB" : "3 GB"); await page.keyboard.press("Enter"); }, changed(".explain-sides"), settled],
    ]],
    ["Fleet map", "/map", [
      ["colour by", "change", choose("Colour by", ["share", "band"]), changed(".map-legend")],
      ["group by", "change", choose("Group by", ["model", "role"]), changed(".map-summary tbody")],
      ["key Right", "keydown", key("ArrowRight"), changed(".fleetmap-line"), null, (page) => page.locator(".fleetmap-view").focus()],
      ["zoom into a group", "click", click("button.fleetmap-group"), changed(".map-summary tbody"), back],
    ]],
  ];
}

/** Pages with nothing cached: bytes over the wire, time to complete, what moved. */
async function coldLoad(context, url) {
  const page = await context.newPage();
  const session = await context.newCDPSession(page);
  await session.send("Network.enable");
  await session.send("Network.setCacheDisabled", { cacheDisabled: true });
  let bytes = 0;
  session.on("Network.loadingFinished", (e) => (bytes += e.encodedDataLength));
  await page.addInitScript(watch);
  await page.goto(url);
  await page.locator('main .loaded[aria-busy="false"]').first().waitFor();
  await page.waitForLoadState("networkidle");
  await settled(page);
  const { complete, shift } = await page.evaluate(() => new Promise((resolve) => {
    const last = Math.max(...performance.getEntriesByType("resource").map((entry) => entry.responseEnd), ...performance.getEntriesByType("paint").map((entry) => entry.startTime));
    const before = performance.now();
    requestAnimationFrame(() => requestAnimationFrame(() => resolve({ complete: last + performance.now() - before, shift: window.bench.shift })));
  }));
  await page.close();
  return { bytes, complete, shift };
}

/** Frames a second while something moves; the longest time between two of them. */
async function frames(page, move, seconds = 3) {
  await page.evaluate(() => {
    window.bench.frames = [];
    const seen = (window.bench.seen = new Set());
    const tick = (t) => {
      window.bench.frames?.push(t);
      seen.add(`${document.querySelector(".fleetmap-line").textContent} ${document.querySelector(".fleetmap-view").scrollTop}`);
      if (window.bench.frames) requestAnimationFrame(tick);
    };
    requestAnimationFrame(tick);
  });
  const end = Date.now() + seconds * 1000;
  for (let k = 0; Date.now() < end; k++) await move(k);
  return page.evaluate(() => {
    const all = window.bench.frames;
    window.bench.frames = null;
    if (window.bench.seen.size < 30) throw new Error(`only ${window.bench.seen.size} different pictures were drawn`);
    const gaps = all.slice(1).map((t, i) => t - all[i]).sort((a, b) => a - b);
    return { fps: ((all.length - 1) * 1000) / (all[all.length - 1] - all[0]), p95_gap_ms: gaps[Math.floor(gaps.length * 0.95)], longest_gap_ms: gaps[gaps.length - 1] };
  });
}

/** The server has done what it does after a fleet has come in: it hardly computes any more. @param {number} pid */
async function atRest(pid) {
  const used = () => readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1].split(" ").slice(11, 13).reduce((sum, ticks) => sum + Number(ticks) * 10, 0);
  for (let calm = 0, before = used(); calm < 4; ) {
    await new Promise((resolve) => setTimeout(resolve, 250));
    const now = used();
    calm = now - before < 30 ? calm + 1 : 0;
    before = now;
  }
}

/** @param {any} tools of run.mjs */
export async function pageFleet({ root, withServer, latencies, at, figure }) {
  const figures = [], table = [], steps = [];
  const say = (/** @type {string} */ text) => process.stdout.write(`   ${text}\n`);
  await withServer(["--analyze-interval", process.env.BENCH_ANALYZE ?? "1h"], async (server) => {
    const base = `http://${server.address}`;
    const get = async (target) => (await fetch(`${base}/api/v1${target}`, { headers: { Authorization: `Bearer ${server.viewer}` } })).json();
    const until = async (condition, what) => {
      for (const end = Date.now() + 120000; !(await condition()); await new Promise((r) => setTimeout(r, 100))) if (Date.now() > end) throw new Error(`waited for ${what}`);
    };
    let begun = Date.now();
    if (SCREENS) {
      await postAll(base, server.ingest, documents(HOSTS, 0, 48));
      await postAll(base, server.ingest, bigHost(4000));
      process.kill(server.pid, "SIGUSR1");
      await until(async () => (await get("/overview")).top_findings.length > 0, "findings");
      await until(async () => (await get("/tags/WCsc/distribution?pool=nonpaged")).hosts >= HOSTS, "statistics of all hosts");
      say(`${HOSTS.toLocaleString("en-US")} hosts and one of 4,000 rows: ${((Date.now() - begun) / 1000).toFixed(1)} s`);
    }

    await atRest(server.pid);
    for (const [name, target, goal, times] of [
      ["overview", "/overview", 50, 200], ["host list", "/hosts?limit=100", 50, 200], ["host list by nonpaged pool", "/hosts?limit=100&sort=-nonpaged_bytes", 50, 100],
      ["host table of 4,000 rows", "/hosts/bench-many-rows/tags?limit=16384", 50, 200], ["the same as columns, as the page asks", "/hosts/bench-many-rows/tag-table", 50, 200], ["tag distribution", "/tags/WCsc/distribution?pool=nonpaged", 100, 200],
      ["Fleet map, columns", "/fleet-map", 0, 50], ["tag table", "/tag-table", 0, 50], ["explain", "/explain?tag=WCsc&pool=nonpaged&low=2000000000&limit=200", 0, 50],
    ].filter(() => SCREENS)) {
      const sorted = await latencies(server, "/api/v1" + target, times);
      table.push({ what: name, p50_ms: at(sorted, 0.5), p99_ms: at(sorted, 0.99) });
      if (goal) figures.push(figure(`${name} at ${HOSTS.toLocaleString("en-US")} hosts, p99`, at(sorted, 0.99), "ms", `< ${goal}`, at(sorted, 0.99) < goal));
    }

    const browser = await chromium.launch({
      executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
      args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
    });
    try {
      const context = await browser.newContext({ viewport: { width: 1440, height: 1000 } });
      const entry = await context.newPage();
      await entry.goto(`${base}/#token=${server.viewer}`);
      await entry.locator(".shell-header").waitFor();
      await entry.close();
      for (const [name, address] of [["Today", "/"], ["Hosts", "/hosts"], ["Fleet map", "/map"], ["Tags", "/tags"]].filter(() => SCREENS)) {
        const all = [];
        for (let k = 0; k < (name === "Today" ? TIMES : 3); k++) all.push(await coldLoad(context, base + address));
        const ms = median(all.map((a) => a.complete)), kb = Math.max(...all.map((a) => a.bytes)) / 1024, shift = Math.max(...all.map((a) => a.shift));
        table.push({ what: `${name}, cold`, complete_ms: ms, transferred_kb: kb, layout_shift: shift });
        if (name === "Today") {
          figures.push(figure(`${name} complete, median of ${TIMES} cold loads`, ms, "ms", "< 1000", ms < 1000), figure(`${name}: transferred`, kb, "KiB", "< 150", kb < 150));
        }
        figures.push(figure(`${name}: layout shift, worst of ${all.length} loads`, shift, "", "0", shift === 0));
        say(`${name} cold: ${ms.toFixed(0)} ms, ${kb.toFixed(0)} KiB, shift ${shift.toFixed(3)}`);
      }

      const page = await context.newPage();
      page.setDefaultTimeout(20000);
      await page.addInitScript(watch);
      const work = async (list) => {
        for (const [name, address, acts] of list) {
          await page.goto(base + address);
          await settled(page);
          for (const [what, type, act, answer, undo, prepare] of acts) {
            const all = [];
            for (let k = 0; k <= TIMES; k++) {
              await prepare?.(page);
              await page.evaluate(([t, a]) => window.bench.arm(t, a), [type, answer]);
              await act(page, k);
              const took = await page.evaluate(() => window.bench.took).catch((e) => { throw new Error(`${name}, ${what}: ${e.message}`); });
              if (k) all.push(took); // the first is for the code that comes late
              await settled(page);
              await undo?.(page);
              await settled(page);
            }
            steps.push({ screen: name, interaction: what, median_ms: median(all), worst_ms: Math.max(...all) });
            say(`${name}, ${what}: ${median(all).toFixed(0)} ms (worst of ${TIMES}: ${Math.max(...all).toFixed(0)})`);
          }
        }
      };
      const lists = interactions({ host: "bench-many-rows", tag: "WCsc", low: 2e9 });
      const seen = (/** @type {any} */ e) => page.screenshot({ path: path.join(root, "build/bench/page-failed.png") }).finally(() => { throw e; });
      await work(lists.filter(([name]) => SCREENS && name !== "Fleet map")).catch(seen);
      for (const name of new Set(steps.map((s) => s.screen))) {
        const own = steps.filter((s) => s.screen === name), worst = own.reduce((a, b) => (b.median_ms > a.median_ms ? b : a));
        figures.push(figure(`${name}: slowest interaction (${worst.interaction}), median of ${TIMES}`, worst.median_ms, "ms", "< 100", worst.median_ms < 100));
      }
      const sorts = steps.filter((s) => s.screen.startsWith("Host of") && /sort/.test(s.interaction)).map((s) => s.median_ms);
      if (SCREENS) figures.push(figure("host table of 4,000 rows sorted, key to drawn", Math.max(...sorts), "ms", "< 50", Math.max(...sorts) < 50));
      if (!MAP) return;

      begun = Date.now();
      await postAll(base, server.ingest, documents(MAP_HOSTS, 0));
      await until(async () => (await get("/fleet-map?columns=key")).count >= MAP_HOSTS, "the big fleet");
      await atRest(server.pid);
      say(`${MAP_HOSTS.toLocaleString("en-US")} hosts: ${((Date.now() - begun) / 1000).toFixed(1)} s`);
      const before = steps.length;
      await work(lists.filter(([name]) => name === "Fleet map")).catch(seen);
      for (const s of steps.slice(before)) s.screen = `Fleet map of ${MAP_HOSTS.toLocaleString("en-US")}`;
      const worst = steps.slice(before).reduce((a, b) => (b.median_ms > a.median_ms ? b : a));
      figures.push(figure(`Fleet map of ${MAP_HOSTS.toLocaleString("en-US")}: slowest interaction (${worst.interaction})`, worst.median_ms, "ms", "< 100", worst.median_ms < 100));
      await page.goto(`${base}/map`);
      await settled(page);
      const box = await page.locator(".fleetmap-view").boundingBox();
      const over = (k) => page.mouse.move(box.x + 20 + ((k * 37) % (box.width - 60)), box.y + 30 + ((k * 13) % (Math.min(box.height, 600) - 60)));
      const hover = await frames(page, over);
      await page.goto(`${base}/map?cell=14`);
      await settled(page);
      await page.mouse.move(box.x + 300, box.y + 500);
      await page.mouse.down();
      const pan = await frames(page, (k) => page.mouse.move(box.x + 300, box.y + 500 - (((k * 9) % 800) - 400)));
      await page.mouse.up();
      for (const [what, r] of [["hovered", hover], ["panned", pan]]) {
        table.push({ what: `Fleet map of ${MAP_HOSTS.toLocaleString("en-US")}, ${what}`, ...r });
        figures.push(figure(`Fleet map of ${MAP_HOSTS.toLocaleString("en-US")} ${what}, software drawing`, r.fps, "fps", ">= 50", r.fps >= 50));
        say(`map ${what}: ${r.fps.toFixed(1)} fps, p95 between frames ${r.p95_gap_ms.toFixed(1)} ms, longest ${r.longest_gap_ms.toFixed(1)} ms`);
      }
    } finally {
      await browser.close();
    }
  });
  return { figures, table, steps };
}
