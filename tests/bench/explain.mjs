// SPDX-License-Identifier: Apache-2.0
// What Explain and the lists of drivers and tags cost: posts an invented fleet with drivers to a
// server of its own, then asks each call many times. Needs POOLFLEET_TEST_URL (an empty database)
// and a release build. `node tests/bench/explain.mjs [HOSTS [DRIVERS [TAGS]]]`; writes
// build/bench/explain.json. Figures of the page are not here.
import { mkdirSync, writeFileSync } from "node:fs";
import { execFileSync } from "node:child_process";
import os from "node:os";
import { start } from "../http/server.mjs";

const [hosts = 3000, drivers = 200, tags = 100] = process.argv.slice(2).map(Number);
const server = await start("--analyze-interval", "1h");
const now = Date.now();
let seed = 7;
const random = () => ((seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0) / 2 ** 32);
const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const names = Array.from({ length: tags - 1 }, (_, i) => "B" + letters[i % 52] + letters[Math.floor(i / 52) % 52] + "x").concat("Leak").sort();

function document(i) {
  const bad = i % 25 === 0;
  const boot = now - (3 + (i % 400)) * 3600e3;
  return { format: 1, host: { id: `bench-${i}`, name: `BENCH${i}`, attributes: { "os.build": `26100.${4000 + (i % 9)}`, role: ["web", "db", "file"][i % 3], "hw.model": `M${i % 40}`, "hw.ram_bytes": "34359738368", "asset.tag": `A-${i}` },
    drivers: Array.from({ length: drivers }, (_, d) => ({ name: `drv${d}.sys`, version: d === 7 ? (bad ? "2.0" : "1.0") : `1.${d}.${(i * 7 + d) % 6}`, company: "Example", tags: d === 7 ? ["Leak"] : [] })) },
    boot_at: new Date(boot).toISOString(), taken_at: new Date(now - 2000).toISOString(), sequence: 1,
    nonpaged: { tag: names, allocs: names.map(() => 1000 + Math.floor(random() * 1e5)), frees: names.map(() => Math.floor(random() * 900)), bytes: names.map((t) => (t === "Leak" && bad ? 4e9 : 1e5 + Math.floor(random() * 1e6))) } };
}
for (let i = 0; i < hosts; i += 100) {
  const body = Array.from({ length: Math.min(100, hosts - i) }, (_, k) => JSON.stringify(document(i + k))).join("\n");
  const reply = await server.request("POST", "/api/v1/snapshots", { token: server.token("ingest"), headers: { "content-type": "application/x-ndjson" }, body });
  if (reply.status !== 200 || reply.json().rejected.length) throw new Error(reply.body.toString().slice(0, 500));
}
const table = [];
async function ask(name, target, goal, times = 60) {
  const took = [];
  let size = 0, first = 0;
  for (let k = 0; k <= times; k++) {
    const begun = performance.now();
    const reply = await server.request("GET", "/api/v1" + target, { token: server.token("viewer"), headers: { "accept-encoding": "gzip" } });
    const ms = performance.now() - begun;
    if (reply.status !== 200) throw new Error(`${target}: ${reply.body}`);
    size = reply.body.length;
    if (k) took.push(ms);
    else first = ms;
  }
  took.sort((a, b) => a - b);
  table.push({ name, first_ms: +first.toFixed(1), p50_ms: +took[Math.floor(took.length * 0.5)].toFixed(1), p99_ms: +took[Math.floor(took.length * 0.99)].toFixed(1), bytes: size, goal_ms: goal });
}
await ask("drivers", "/drivers?limit=200", 50);
await ask("explain, region", "/explain?tag=Leak&low=1000000000&limit=200", 1000);
await ask("explain, a third of the fleet", "/explain?having=role%3Dweb&limit=200", 1000);
await ask("explain, hosts of a line", "/explain/hosts?tag=Leak&low=1000000000&fact=driver/drv7.sys%3D2.0&side=baseline", 200);
await ask("driver", "/drivers/drv7.sys", 200, 30);
await ask("tag table", "/tag-table", 100, 30);
await ask("distribution", "/tags/Leak/distribution", 100);
await ask("versions", "/tags/Leak/versions?measure=rate", 100);
await ask("lockstep", "/tags/Leak/lockstep", 100, 30);
console.log(`${hosts} hosts, ${drivers} drivers each (${hosts * drivers} rows), ${tags} tags`);
console.table(table);
const git = () => { try { return execFileSync("git", ["rev-parse", "--short", "HEAD"], { encoding: "utf8" }).trim(); } catch { return "unknown"; } };
mkdirSync("build/bench", { recursive: true });
writeFileSync("build/bench/explain.json", JSON.stringify({ name: "explain", at: new Date().toISOString(), machine: `${os.cpus().length} cores, ${os.cpus()[0]?.model ?? ""}`, commit: git(),
  figures: table.map((r) => ({ name: `${r.name} p99`, value: r.p99_ms, unit: "ms", goal: r.goal_ms, holds: r.p99_ms <= r.goal_ms })), table }, null, 1));
await server.stop();
