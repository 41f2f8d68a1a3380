// SPDX-License-Identifier: Apache-2.0
// Ingest beside its limits: the limit probe (the same body, the same group commit, nothing else), an
// empty libmicrohttpd handler for TLS with a new connection each, and what people use instead on the
// same fleet (tests/bench/generate.h). Each pair is measured in turn, within one run.
//   BENCH_SECONDS  of each measurement (15)
import { execFileSync, spawn } from "node:child_process";
import { mkdtempSync, rmSync, existsSync, writeFileSync } from "node:fs";
import net from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";

const seconds = Number(process.env.BENCH_SECONDS ?? 15);
const ROWS = 2500;
const VALUES = 3 * ROWS; // counters that one snapshot stands for
const MIXES = [["calm", 125], ["usual", 300], ["stormy", 1000]];
const POSTING = ["--hosts", 200, "--connections", 32, "--rows", ROWS, "--seconds", seconds];

const freePort = () => new Promise((resolve) => {
  const server = net.createServer().listen(0, "127.0.0.1", () => {
    const { port } = server.address();
    server.close(() => resolve(port));
  });
});

function answers(port) {
  return new Promise((resolve) => {
    const socket = net.connect(port, "127.0.0.1");
    socket.once("connect", () => { socket.destroy(); resolve(true); });
    socket.once("error", () => resolve(false));
  });
}

const ended = (child) => new Promise((resolve) => {
  if (child.exitCode !== null || child.signalCode !== null) resolve();
  else child.once("exit", resolve);
});

/** Starts the limit probe; fn gets its port. */
async function withProbe(tools, url, mode, tls, fn) {
  const child = spawn(path.join(tools.root, "build/tools/probe"), [url, mode, ...tls],
    { stdio: ["ignore", "pipe", "inherit"] });
  try {
    const port = await new Promise((resolve, reject) => {
      child.stdout.once("data", (text) => resolve(String(text).trim()));
      child.once("exit", () => reject(new Error("the probe did not start")));
    });
    return await fn({ port, ingest: "none" });
  } finally {
    child.kill("SIGTERM");
    await ended(child);
  }
}

const PEERS = [
  { name: "VictoriaMetrics", durability: "its own: in memory first, files later, no fsync",
    program: "build/peers/victoria-metrics/usr/bin/victoria-metrics",
    args: (folder, port) => [`-storageDataPath=${folder}`, `-httpListenAddr=127.0.0.1:${port}`, "-retentionPeriod=1"],
    client: ["lines", "--path", "/write?precision=ns"] },
  { name: "InfluxDB", durability: "fsync of its log before each answer (its default)",
    program: "build/peers/influxdb/usr/bin/influxd",
    args: (folder, port) => {
      const file = path.join(folder, "influxdb.conf");
      writeFileSync(file, `reporting-disabled = true\nbind-address = "127.0.0.1:0"\n[meta]\n  dir = "${folder}/meta"\n` +
        `[data]\n  dir = "${folder}/data"\n  wal-dir = "${folder}/wal"\n  index-version = "tsi1"\n` +
        "  max-series-per-database = 0\n  max-values-per-tag = 0\n  cache-max-memory-size = \"4g\"\n  query-log-enabled = false\n" +
        `[http]\n  bind-address = "127.0.0.1:${port}"\n  log-enabled = false\n  max-body-size = 0\n[logging]\n  level = "error"\n`);
      return ["-config", file];
    },
    ready: async (port) => (await fetch(`http://127.0.0.1:${port}/query?q=CREATE+DATABASE+pool`, { method: "POST" })).ok,
    client: ["lines", "--path", "/write?db=pool&precision=ns"] },
  { name: "Prometheus (remote write)", durability: "its own: written to its log, no fsync",
    program: "build/peers/prometheus/usr/bin/prometheus",
    args: (folder, port) => {
      const file = path.join(folder, "prometheus.yml");
      writeFileSync(file, "global: {}\n");
      return [`--config.file=${file}`, `--storage.tsdb.path=${folder}/data`, `--web.listen-address=127.0.0.1:${port}`,
        "--web.enable-remote-write-receiver", "--log.level=error"];
    },
    ready: async (port) => (await fetch(`http://127.0.0.1:${port}/-/ready`)).ok,
    client: ["remote", "--path", "/api/v1/write"] },
];

async function untilReady(peer, child, port) {
  const deadline = Date.now() + 30000;
  for (;;) {
    if (child.exitCode !== null) throw new Error(`${peer.name} ended at once`);
    if (await answers(port) && (peer.ready === undefined || await peer.ready(port).catch(() => false))) return;
    if (Date.now() > deadline) throw new Error(`${peer.name} did not get ready`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** Runs fn(port, folder, stop) with one of the peers on an empty folder; null when it could not be had. */
async function withPeer(tools, peer, fn) {
  if (!existsSync(path.join(tools.root, peer.program))) return null;
  const folder = mkdtempSync(path.join(tmpdir(), "pfpeer-"));
  const port = await freePort();
  const args = peer.args(folder, port);
  console.log(`  $ ${path.basename(peer.program)} ${args.join(" ")}`);
  const child = spawn(path.join(tools.root, peer.program), args, { stdio: ["ignore", "ignore", "ignore"] });
  const stop = async () => {
    child.kill("SIGTERM");
    await ended(child);
  };
  try {
    await untilReady(peer, child, port);
    return await fn(port, folder, stop);
  } finally {
    await stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

const measurePeer = (tools, peer, changed) => withPeer(tools, peer, (port) => {
  const client = [...peer.client, "--port", port, "--rows", ROWS, "--changed", changed, "--seconds", seconds].map(String);
  console.log(`  $ peer ${client.join(" ")}`);
  return JSON.parse(execFileSync(path.join(tools.root, "build/tools/peer"), client, { encoding: "utf8" }));
});

/** Bytes that VictoriaMetrics keeps of the lines a command prints, everything merged and on the disk; null without it. */
export const storedByVictoriaMetrics = (tools, command) => withPeer(tools, PEERS[0], async (port, folder, stop) => {
  const address = `http://127.0.0.1:${port}`;
  execFileSync("bash", ["-o", "pipefail", "-c", `${command} | curl -sSf -T - -H 'Stream-Mode: 1' '${address}/write'`], { cwd: tools.root });
  const merging = async () => {
    const text = await (await fetch(`${address}/metrics`)).text();
    return [...text.matchAll(/^vm_active_(?:force_)?merges(?:\{[^}]*\})? (\d+)/gm)].reduce((sum, [, n]) => sum + Number(n), 0);
  };
  const size = () => Number(execFileSync("du", ["-sb", "--total", "data", "indexdb"], { cwd: folder, encoding: "utf8" }).trim().split("\n").at(-1).split("\t")[0]);
  // A merge that is asked for begins some time later: asked for until one more changes nothing.
  for (let before = 0, now = size(); now !== before; ) {
    before = now;
    for (const step of ["force_flush", "force_merge"]) await (await fetch(`${address}/internal/${step}`)).arrayBuffer();
    await new Promise((resolve) => setTimeout(resolve, 1000));
    while (await merging() > 0) await new Promise((resolve) => setTimeout(resolve, 100));
    now = size();
  }
  await stop();
  return size();
});

/** Rates of the probe, and ours behind it, for one kind of document. */
async function beside(tools, server, table, name, args) {
  const url = tools.database(server, "probe");
  const probe = await withProbe(tools, url, "commit", [], (at) => tools.load(at, args));
  const ours = tools.load(server, args);
  const ratio = ours.rate / probe.rate;
  table.push({ case: name, probe: probe.rate, ours: ours.rate, ratio: Number(ratio.toFixed(3)),
    p50_ms: ours.p50_ms, p99_ms: ours.p99_ms, refused: ours.refused });
  return { ...ours, ratio };
}

async function overTls(tools, figures, table) {
  const folder = mkdtempSync(path.join(tmpdir(), "pfbench-"));
  const cert = path.join(folder, "cert.pem"), key = path.join(folder, "key.pem");
  execFileSync("openssl", ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
    "-subj", "/CN=bench", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", cert], { stdio: "ignore" });
  const args = ["--cbor", 1, "--changed", 300, "--tls", 1, "--reconnect", 1, ...POSTING];
  try {
    await tools.withServer(["--analyze-interval", "0", "--tls-cert", cert, "--tls-key", key], async (server) => {
      const empty = await withProbe(tools, tools.database(server, "probe"), "empty", [cert, key], (at) => tools.load(at, args));
      const ours = tools.load(server, args);
      const share = ours.rate / empty.rate;
      table.push({ case: "TLS, a new connection each; beside an empty handler", probe: empty.rate, ours: ours.rate,
        ratio: Number(share.toFixed(3)), p50_ms: ours.p50_ms, p99_ms: ours.p99_ms, refused: ours.refused });
      figures.push(tools.figure("TLS and a new connection each, of libmicrohttpd's empty handler", share * 100, "%", ">= 60", share >= 0.6));
    });
  } finally {
    rmSync(folder, { recursive: true });
  }
}

async function besidePeers(tools, figures, oursPerSecond) {
  const rows = [];
  for (const [mix, changed] of MIXES.filter(([each]) => each !== "calm")) {
    const ours = oursPerSecond[mix] * VALUES;
    rows.push({ mix, who: "Poolfleet", values_per_s: Math.round(ours), times_slower: 1, durability: "commit with fsync before each answer" });
    for (const peer of PEERS) {
      const result = await measurePeer(tools, peer, changed);
      if (result === null) {
        rows.push({ mix, who: peer.name, values_per_s: null, durability: "not measured: scripts/deps.sh bench could not get it" });
        continue;
      }
      rows.push({ mix, who: peer.name, values_per_s: result.values_rate, times_slower: Number((ours / result.values_rate).toFixed(1)),
        new_series_per_s: result.new_series_values_rate, refused: result.refused, durability: peer.durability });
    }
    await tools.withCluster(async (cluster) => {
      const url = tools.database(cluster, "rows");
      const args = ["copy", "--rows", ROWS, "--changed", changed, "--seconds", seconds].map(String);
      console.log(`  $ peer ${args.join(" ")} --url ...`);
      const result = JSON.parse(execFileSync(path.join(tools.root, "build/tools/peer"), [...args, "--url", url], { encoding: "utf8" }));
      rows.push({ mix, who: "PostgreSQL, a row a row", values_per_s: result.values_rate, refused: result.refused,
        times_slower: Number((ours / result.values_rate).toFixed(1)), durability: "commit with fsync before each answer; no index" });
    });
  }
  for (const [who, goal] of [["VictoriaMetrics", 30], ["InfluxDB", 150]]) {
    const row = rows.find((each) => each.who === who && each.mix === "usual");
    if (row?.times_slower)
      figures.push(tools.figure(`durable counter values, times ${who}`, row.times_slower, "x", `>= ${goal}`, row.times_slower >= goal));
  }
  return rows;
}

export async function ingest(tools) {
  const figures = [];
  const table = [];
  const rate = {};
  const holds = (name, result, goal) =>
    figures.push(tools.figure(name, result.rate, "documents/s", `>= ${goal}`, result.rate >= goal && result.refused === 0));
  await tools.withServer(["--analyze-interval", "0"], async (server) => {
    let series = 0;
    for (const [mix, changed] of MIXES) {
      const result = await beside(tools, server, table, `CBOR, ${mix}: ${changed} of ${ROWS} rows changed`,
        ["--cbor", 1, "--changed", changed, "--series", ++series, ...POSTING]);
      rate[mix] = result.rate;
      if (mix !== "usual") continue;
      holds("CBOR, 300 of 2,500 rows changed", result, 10000);
      figures.push(tools.figure("the same, of the limit probe", result.ratio * 100, "%", ">= 50", result.ratio >= 0.5));
    }
    await beside(tools, server, table, `JSON, 300 of ${ROWS} rows changed`, ["--changed", 300, "--series", ++series, ...POSTING]);
    await beside(tools, server, table, `CBOR, complete documents`, ["--cbor", 1, "--series", ++series, ...POSTING]);
    holds("JSON, complete documents of 2,500 rows",
      await beside(tools, server, table, "JSON, complete documents", ["--series", ++series, ...POSTING]), 400);
  });
  await overTls(tools, figures, table);
  const peers = await besidePeers(tools, figures, rate);
  return { figures, table, peers };
}
