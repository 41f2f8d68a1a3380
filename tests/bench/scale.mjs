// SPDX-License-Identifier: Apache-2.0
// What more hosts cost: the rate of ingest, the memory a host takes, and the time to start.
//   BENCH_SCALE    counts of known hosts (1000,10000,50000)
//   BENCH_SECONDS  of each measurement (15)
import { readFileSync } from "node:fs";

const seconds = Number(process.env.BENCH_SECONDS ?? 15);
const counts = (process.env.BENCH_SCALE ?? "1000,10000,50000").split(",").map(Number);
const ROWS = 2500;

/** Every host known with complete tables and all that on the disk, then posting changed rows in turn. */
function fill(tools, server, hosts) {
  const args = ["--cbor", 1, "--hosts", hosts, "--rows", ROWS, "--changed", 300, "--connections", 32, "--seconds", seconds];
  tools.load(server, [...args, "--post", 0]);
  tools.sql(server, "CHECKPOINT");
  return tools.load(server, [...args, "--fill", 0]);
}

const restarted = async (server) => {
  const before = performance.now();
  const fresh = await server.restart();
  return { ...server, ...fresh, ms: performance.now() - before };
};

/** The least of ten seconds: statistics take 20 KB a host for a moment, which is the peak's matter. */
async function atRest(tools, pid) {
  let least = Infinity;
  for (let i = 0; i < 20; i++) {
    await new Promise((resolve) => setTimeout(resolve, 500));
    least = Math.min(least, tools.rssBytes(pid));
  }
  return least;
}

const peakBytes = (pid) => Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))[1]) * 1024;

/** Documents a second with ever more known hosts, each count with a server and a database of its own. */
export async function scale(tools) {
  const figures = [];
  const table = [];
  for (const hosts of counts) {
    await tools.withServer(["--analyze-interval", "0"], async (server) => {
      const result = fill(tools, server, hosts);
      table.push({ hosts, ...result });
    });
  }
  const rates = table.map((row) => row.rate);
  const spread = (Math.max(...rates) / Math.min(...rates) - 1) * 100;
  figures.push(tools.figure(`snapshots a second from ${counts[0]} to ${counts.at(-1)} hosts, fastest beyond slowest`, spread, "%", "<= 15", spread <= 15));
  return { figures, table };
}

/** The newest state of the fleet in memory, as the program counts it and as the system sees it. */
export async function memory(tools) {
  const figures = [];
  const table = [];
  const hosts = Math.min(10000, Math.max(...counts));
  await tools.withServer(["--analyze-interval", "0"], async (server) => {
    const empty = tools.rssBytes(server.pid);
    const filled = fill(tools, server, hosts);
    const again = await restarted(server);
    const resident = await atRest(tools, again.pid);
    const text = await (await fetch(`http://${again.address}/metrics`, { headers: { Authorization: `Bearer ${again.viewer}` } })).text();
    const counted = Number(/^poolfleet_fleet_state_bytes (\d+)/m.exec(text)?.[1] ?? 0);
    table.push({ hosts, ...filled, empty_mb: empty / 1e6, resident_mb: resident / 1e6, peak_mb: peakBytes(again.pid) / 1e6, states_mb: counted / 1e6, start_s: again.ms / 1e3 });
    const each = resident / hosts;
    const state = counted / hosts;
    figures.push(tools.figure(`memory a host, its newest state alone, ${hosts} hosts of 2,500 rows`, state / 1000, "KB", "<= 40", state <= 40000));
    figures.push(tools.figure(`memory a host, resident, everything, ${hosts} hosts of 2,500 rows`, each / 1000, "KB", "<= 40", each <= 40000));
    figures.push(tools.figure(`start with ${hosts} hosts`, again.ms / 1e3, "s", "< 10", again.ms < 10000));
  });
  return { figures, table };
}
