// SPDX-License-Identifier: Apache-2.0
// What a person waits for while the fleet reports: 10,000 hosts of 2,500 rows known, twelve of them with
// 90 days of sealed snapshots every five minutes, and 1,000 documents a second coming in all the while.
//   BENCH_KNOWN  known hosts (10000)      BENCH_RATE   documents a second (1000)
import { spawn } from "node:child_process";
import path from "node:path";
import { createInterface } from "node:readline";

const HOSTS = Number(process.env.BENCH_KNOWN ?? 10000);
const RATE = Number(process.env.BENCH_RATE ?? 1000);
const COUNT = 300; // reads of each kind
const DAYS = 90;

/** Posts at the rate until stopped; resolves once every host is known. */
async function posting(tools, server) {
  const args = ["--port", server.port, "--token", server.ingest, "--cbor", 1, "--hosts", HOSTS, "--rows", 2500, "--changed", 300,
    "--connections", 16, "--seconds", 600, "--rate", RATE].map(String);
  const child = spawn(path.join(tools.root, "build/tools/load"), args, { stdio: ["ignore", "pipe", "inherit"] });
  const lines = createInterface({ input: child.stdout });
  await new Promise((resolve, reject) => {
    lines.once("line", resolve);
    child.once("exit", (code) => reject(new Error(`the load client ended: ${code}`)));
  });
  return {
    running: () => child.exitCode === null && child.signalCode === null,
    stop: () => new Promise((resolve) => { child.once("exit", resolve); child.kill("SIGTERM"); }),
  };
}

const received = async (server) => {
  const text = await (await fetch(`http://${server.address}/metrics`, { headers: { Authorization: `Bearer ${server.viewer}` } })).text();
  return Number(/^poolfleet_ingest_accepted_total (\d+)/m.exec(text)?.[1] ?? NaN);
};

export async function reads(tools) {
  const figures = [];
  const table = [];
  await tools.withServer(["--retention", "120d", "--analyze-interval", "0"], async (first) => {
    const filled = tools.store("query", first.env.POOLFLEET_DATABASE_URL, ["--hosts", 12, "--days", DAYS, "--queries", 1]);
    const server = { ...first, ...await first.restart() };
    const load = await posting(tools, server);
    const end = Date.now();
    const series = (days) => `/api/v1/hosts/bench-3/tags/${filled.tag}/series?pool=nonpaged&points=1000` +
      `&from=${new Date(end - days * 864e5).toISOString()}&to=${new Date(end).toISOString()}`;
    const began = performance.now();
    const before = await received(server);
    for (const [name, target, goal] of [
      ["overview", "/api/v1/overview", 50],
      ["host list, 100", "/api/v1/hosts?limit=100", 50],
      ["table of a host, 2,500 rows", "/api/v1/hosts/load-0-1-300-00017/tags?limit=4000", 50],
      ["a tag over all hosts", "/api/v1/tags/TF%2B%2B/hosts?pool=nonpaged&limit=1000", 100],
      ["one series, 30 days at 5 minutes", series(30), 50],
      ["one series, 90 days at 5 minutes", series(90), 150],
    ]) {
      const all = await tools.latencies(server, target, COUNT);
      const p99 = tools.at(all, 0.99);
      table.push({ read: name, p50_ms: tools.at(all, 0.5), p99_ms: p99, most_ms: all.at(-1) });
      figures.push(tools.figure(`${name}: p99 beside ${RATE} documents/s, ${HOSTS} hosts`, p99, "ms", `<= ${goal}`, p99 <= goal));
    }
    const rate = (await received(server) - before) / (performance.now() - began) * 1e3;
    figures.push(tools.figure("documents stored a second meanwhile", rate, "documents/s", `>= ${RATE * 0.98}`, load.running() && rate >= RATE * 0.98));
    await load.stop();
  });
  return { figures, table };
}
