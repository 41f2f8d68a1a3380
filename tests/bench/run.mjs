// SPDX-License-Identifier: Apache-2.0
// The benchmarks. Each has a server and a database of its own; figures go to build/bench/NAME.json
// as {name, at, machine, commit, figures: [{name, value, unit, goal, holds}], table}.
import { execFileSync, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, writeFileSync, rmSync, existsSync, mkdirSync } from "node:fs";
import { cpus, tmpdir, totalmem } from "node:os";
import path from "node:path";
import { ingest, storedByVictoriaMetrics } from "./ingest.mjs";
import { reads } from "./reads.mjs";
import { memory, scale } from "./scale.mjs";
import { pageFleet } from "./page_fleet.mjs";

const root = path.resolve(path.dirname(new URL(import.meta.url).pathname), "../..");
const bin = (name) => path.join(root, "build/bin", name);
const sh = (file, args, options = {}) =>
  execFileSync(file, args, { cwd: root, encoding: "utf8", stdio: ["ignore", "pipe", "inherit"], ...options });

/** Runs fn with a fresh cluster that really writes. */
async function withCluster(fn) {
  const pg = path.join(root, "build/bench/pg");
  rmSync(pg, { recursive: true, force: true });
  sh("scripts/pg_private.sh", ["start", pg]);
  try {
    return await fn({ pg });
  } finally {
    sh("scripts/pg_private.sh", ["stop", pg]);
    sh("scripts/pg_private.sh", ["remove", pg]);
  }
}

/** The address of a database in the cluster, made unless it is there. */
function database({ pg }, name) {
  sh("scripts/pg_private.sh", ["createdb", pg, name]);
  return sh("scripts/pg_private.sh", ["url", pg, name]).trim();
}

/** Runs fn with a fresh cluster and a serving poolfleetd; ends both afterwards. */
const withServer = (settings, fn) => withCluster(async ({ pg }) => {
  let server;
  const env = { ...process.env, POOLFLEET_DATABASE_URL: database({ pg }, "bench") };
  sh(bin("poolfleetd"), ["migrate"], { env });
  const token = (role) => sh(bin("poolfleetd"), ["token", "create", "--role", role, "--name", role], { env }).trim();
  const ingest = token("ingest");
  const viewer = token("viewer");
  const start = async () => {
    const folder = mkdtempSync(path.join(tmpdir(), "pfbench-"));
    const ready = path.join(folder, "ready");
    server = spawn(bin("poolfleetd"), ["serve", "--listen", "127.0.0.1:0", "--ready-file", ready, ...settings],
      { env, stdio: ["ignore", "ignore", "inherit"] });
    const deadline = Date.now() + 60000;
    while (!existsSync(ready) || readFileSync(ready, "utf8").trim() === "") {
      if (Date.now() > deadline || server.exitCode !== null) throw new Error("the server did not get ready");
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    const address = readFileSync(ready, "utf8").trim();
    rmSync(folder, { recursive: true });
    return { address, port: address.split(":").pop(), pid: server.pid };
  };
  const stop = async () => {
    if (!server || server.exitCode !== null) return;
    const ended = new Promise((resolve) => server.once("exit", resolve));
    server.kill("SIGTERM");
    await ended;
  };
  try {
    const handle = await start();
    await fn({ ...handle, ingest, viewer, env, pg, restart: async () => { await stop(); return start(); } });
    await stop();
  } finally {
    if (server && server.exitCode === null) server.kill("SIGKILL");
  }
});

/** Runs fn with a fresh migrated database and no server. */
const withDatabase = (fn) => withCluster((cluster) => {
  const url = database(cluster, "bench");
  sh(bin("poolfleetd"), ["migrate"], { env: { ...process.env, POOLFLEET_DATABASE_URL: url } });
  return fn(url);
});

/** The store itself, without HTTP: tests/bench/store_main.c. */
const store = (what, url, args) =>
  JSON.parse(sh("build/release/bench-store", [what, "--url", url, ...args.map(String)]));

const load = (server, args) =>
  JSON.parse(sh(path.join(root, "build/tools/load"), ["--port", server.port, "--token", server.ingest, ...args.map(String)]) || "null");

const sql = (server, text) => sh("psql", ["-qAtX", "-v", "ON_ERROR_STOP=1", "-c", text, server.env.POOLFLEET_DATABASE_URL]).trim();

const rssBytes = (pid) => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))[1]) * 1024;

/** Latencies of one GET, repeated over keep-alive; milliseconds. */
async function latencies(server, target, count) {
  const all = [];
  for (let i = 0; i < count; i++) {
    const before = performance.now();
    const reply = await fetch(`http://${server.address}${target}`, {
      headers: { Authorization: `Bearer ${server.viewer}` } });
    await reply.arrayBuffer();
    if (reply.status !== 200) throw new Error(`${target}: ${reply.status}`);
    all.push(performance.now() - before);
  }
  return all.sort((a, b) => a - b);
}
const at = (sorted, share) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];
const figure = (name, value, unit, goal, holds) => ({ name, value: Number(value.toFixed(2)), unit, goal, holds });

const tools = { root, bin, sh, withCluster, withServer, database, store, load, sql, latencies, at, rssBytes, figure };

const benches = {
  // The agent's own cost, natively: the same code as in the Windows program, without the system call.
  async agent() {
    const figures = [];
    for (const line of sh("build/tools/bench_agent", []).split("\n").filter((each) => each.startsWith("{"))) {
      const { name, value, unit, goal, holds } = JSON.parse(line);
      figures.push(figure(name, value, unit, goal > 0 ? `<= ${goal}` : "", goal > 0 ? holds : true));
    }
    return { figures, table: [] };
  },

  ingest: () => ingest(tools),
  memory: () => memory(tools),
  scale: () => scale(tools),

  async diagnose() {
    // A poolmon log of 3,000 rows, made here; the whole process is timed, and an empty capture beside it.
    const folder = mkdtempSync(path.join(tmpdir(), "pfbench-"));
    const lines = [" Memory:16777216K Avail: 9564000K  PageFlts:    31   InRam Krnl:  684K P: 1680K",
      " Commit: 24140K Limit: 94952K Peak: 31932K            Pool N:  744K P: 2180K",
      " System pool information", " Tag  Type     Allocs            Frees            Diff   Bytes       Per Alloc", ""];
    for (let i = 0; i < 3000; i++) {
      const tag = "T" + (i % 62).toString(36) + Math.floor(i / 62).toString(36).padStart(2, "x");
      const allocs = 1000 + i * 37;
      const frees = 900 + i * 36;
      lines.push(` ${tag.slice(0, 4)} ${i % 2 ? "Nonp " : "Paged"} ${String(allocs).padStart(10)} ${String(frees).padStart(10)} ${String(allocs - frees).padStart(10)} ${String((allocs - frees) * 64).padStart(10)} ${"64".padStart(10)}`);
    }
    writeFileSync(path.join(folder, "log.txt"), lines.join("\r\n"));
    writeFileSync(path.join(folder, "empty.txt"), "\n");
    const time = (file) => {
      const all = [];
      for (let i = 0; i < 21; i++) {
        const before = performance.now();
        sh(bin("poolfleetd"), ["diagnose", path.join(folder, file), "--json"], { stdio: ["ignore", "pipe", "inherit"], maxBuffer: 1 << 26 });
        all.push(performance.now() - before);
      }
      return at(all.sort((a, b) => a - b), 0.5);
    };
    const empty = time("empty.txt");
    const log = time("log.txt");
    rmSync(folder, { recursive: true });
    return {
      figures: [figure("diagnose of a 3,000-row log, beyond process start", log - empty, "ms", "< 20", log - empty < 20)],
      table: [{ case: "empty capture", median_ms: empty }, { case: "3,000-row log", median_ms: log }],
    };
  },

  // Bytes on the disk after a day, everything counted: heap, TOAST, indexes, rollups. Sizes do not
  // depend on how busy the machine is. BENCH_HOSTS=40 for a quick look; the fleet's own rollup
  // (tag_hour) is the same for any number of hosts, so it weighs more on few. VictoriaMetrics is given
  // the first 20 hosts of the same fleet.
  async storage() {
    const figures = [];
    const table = [];
    for (const [mix, goal] of [["calm", 0.25], ["stormy", 0.6]]) {
      const r = await withDatabase((url) => store("storage", url, ["--mix", mix, "--hosts", process.env.BENCH_HOSTS ?? 200]));
      const all = Object.values(r.tables).reduce((sum, bytes) => sum + bytes, 0);
      const few = Math.min(r.hosts, 20);
      const victoria = await storedByVictoriaMetrics(tools, `build/release/bench-store lines --mix ${mix} --hosts ${few}`);
      for (const [name, bytes] of Object.entries(r.tables))
        table.push({ mix, what: name, bytes, bytes_per_value: Number((bytes / r.values).toFixed(4)) });
      table.push({ mix, what: "appended, before sealing", bytes: r.appended_bytes, bytes_per_value: Number((r.appended_bytes / r.values).toFixed(4)) },
        { mix, what: "all of it", bytes: all, bytes_per_value: Number((all / r.values).toFixed(4)) });
      figures.push(
        figure(`${mix}: bytes a counter value after a day, all in (${r.hosts} hosts)`, all / r.values, "B", `<= ${goal}`, all / r.values <= goal),
        ...(victoria === null ? [] : [victoria / (r.values * few / r.hosts)].map((theirs) =>
          figure(`${mix}: of VictoriaMetrics' ${theirs.toFixed(3)} B a value (${few} hosts)`, 100 * (all / r.values) / theirs, "%", "<= 33.3", all / r.values <= theirs / 3))),
        figure(`${mix}: rows changed a snapshot`, 100 * r.changed_rows * 3 / r.values, "%", "", true),
        figure(`${mix}: WAL of receiving, of bytes received (CBOR)`, r.wal_received_bytes / r.cbor_bytes, "x", "<= 1.5", r.wal_received_bytes / r.cbor_bytes <= 1.5),
        figure(`${mix}: the same with sealing and rollups`, (r.wal_received_bytes + r.wal_settled_bytes) / r.cbor_bytes, "x", "", true),
        figure(`${mix}: WAL of receiving, of bytes received (CBOR, gzip)`, r.wal_received_bytes / r.gzip_bytes, "x", "", true));
    }
    return { figures, table };
  },

  // The live analysis with its database: hosts from cold, then a document of each and a pass, twelve
  // times; the rest of a long history on few hosts, since it is what cold reading costs, and passes on
  // more, since a single host that is read again would outweigh all others. Scaled by hosts.
  async pass() {
    const goal = 10000;
    const run = (hosts, days) => withDatabase((url) => store("pass", url, ["--hosts", hosts, "--days", days]));
    const long = await run(process.env.BENCH_HOSTS ?? 16, process.env.BENCH_DAYS ?? 14);
    const many = await run(process.env.BENCH_MANY ?? 400, 1);
    const seconds = (r, part) => (r[part].own_seconds + r[part].database_seconds) * goal / r.hosts;
    const table = [long, many].flatMap((r) => ["cold", "passes", "fresh", "quiet", "restored_0_behind", "restored_6_behind"].map((name) => ({ case: name, hosts: r.hosts, days: r.days,
      own_ms: Number((1000 * r[name].own_seconds).toFixed(1)), database_ms: Number((1000 * r[name].database_seconds).toFixed(0)), documents: r[name].documents, read_again: r[name].cold })));
    const scaled = (name, r, part, limit) => figure(`${name}, of ${goal} hosts (scaled from ${r.hosts} with ${r.days} d)`, seconds(r, part), "s CPU", `<= ${limit}`, seconds(r, part) <= limit);
    const figures = [
      scaled("from cold", long, "cold", 10),
      scaled("a pass with a document of each", many, "passes", 2),
      figure("hosts read again in a pass", 100 * many.passes.cold / many.passes.documents, "% of documents", "", true),
      scaled("a start with stored hosts, nothing missed", many, "restored_0_behind", 10),
      scaled("a start with stored hosts, six documents of each behind", many, "restored_6_behind", 10),
      figure("of one host, stored", many.stored.bytes / many.stored.hosts / 1000, "KB", "", true),
      figure(`of one host with ${long.days} d, stored`, long.stored.bytes / long.stored.hosts / 1000, "KB", "", true),
      figure(`of one host with ${long.days} d, from cold`, seconds(long, "cold") * 1000 / goal, "ms CPU", "", true),
      figure(`memory of ${goal} hosts that stay read (scaled from ${long.hosts} with ${long.days} d)`, long.kept_kb * goal / 1e6, "GB", "<= 1.5", long.kept_kb * goal / 1e6 <= 1.5)];
    return { figures, table };
  },

  // 90 days of sealed snapshots every five minutes: with the store itself, then through the API.
  async query() {
    const figures = [];
    const table = [];
    await withServer(["--retention", "120d", "--analyze-interval", "0"], async (server) => {
      const r = store("query", server.env.POOLFLEET_DATABASE_URL, ["--hosts", process.env.BENCH_HOSTS ?? 12, "--days", 90, "--queries", 200]);
      for (const [name, { p50_ms, p99_ms, points }] of Object.entries(r.reads)) table.push({ case: `store: ${name}`, p50_ms, p99_ms, points });
      const again = { ...server, ...await server.restart() };
      const end = Date.now();
      for (const [name, days, goal] of [["30 days", 30, 50], ["90 days", 90, 150]]) {
        const all = [];
        for (let host = 0; host < r.hosts; host += 3) {
          const target = `/api/v1/hosts/bench-${host}/tags/${r.tag}/series?pool=nonpaged&points=1000` +
            `&from=${new Date(end - days * 864e5).toISOString()}&to=${new Date(end).toISOString()}`;
          all.push(...await latencies(again, target, 50));
        }
        all.sort((a, b) => a - b);
        table.push({ case: `API: one series, ${name} at 5 minutes`, p50_ms: at(all, 0.5), p99_ms: at(all, 0.99) });
        figures.push(figure(`one series of ${name} at 5 minutes through the API, p99`, at(all, 0.99), "ms", `<= ${goal}`, at(all, 0.99) <= goal));
      }
    });
    return { figures, table };
  },

  reads: () => reads(tools),

  async page() {
    // 1,000 hosts of 2,500 rows; the reads behind the screens, then the page in a browser. Then the
    // page of a big fleet of small hosts (BENCH_PAGE=fleet: only that; =screens, =map: half of it).
    const figures = [];
    const table = [];
    const fleet = async () => {
      const big = await pageFleet(tools);
      console.table(big.steps);
      return { figures: [...figures, ...big.figures], table: [...table, ...big.table], steps: big.steps };
    };
    if (["fleet", "screens", "map"].includes(process.env.BENCH_PAGE ?? "")) return fleet();
    await withServer(["--analyze-interval", "1m"], async (server) => {
      const before = rssBytes(server.pid);
      const fill = load(server, ["--hosts", 1000, "--rows", 2500, "--changed", 300, "--connections", 8, "--seconds", 5]);
      table.push({ case: "fill 1,000 hosts", ...fill });
      const fresh = await server.restart();
      const again = { ...server, ...fresh };
      await latencies(again, "/api/v1/overview", 3);
      const memory = rssBytes(again.pid);
      figures.push(figure("server memory per host (1,000 hosts, 2,500 rows, everything)", memory / 1000 / 1024, "KiB", "< 60", memory / 1000 < 60 * 1024));
      table.push({ case: "resident memory", empty_mb: before / 1e6, loaded_mb: memory / 1e6 });
      const first = async (list) => (await (await fetch(`http://${again.address}/api/v1/${list}?limit=1`, { headers: { Authorization: `Bearer ${again.viewer}` } })).json()).items[0];
      const host = (await first("hosts")).id;
      const { tag, pool } = await first("tags");
      let worst = 0;
      for (const [name, target] of [
        ["overview", "/api/v1/overview"], ["findings", "/api/v1/findings"], ["hosts", "/api/v1/hosts?limit=100"],
        ["tags", "/api/v1/tags?limit=100"], ["host table", `/api/v1/hosts/${host}/tags?limit=4000`],
        ["tag over hosts", `/api/v1/tags/${encodeURIComponent(tag)}/hosts?pool=${pool}&limit=1000`],
      ]) {
        const sorted = await latencies(again, target, 200);
        table.push({ case: name, p50_ms: at(sorted, 0.5), p99_ms: at(sorted, 0.99) });
        if (["overview", "findings"].includes(name)) worst = Math.max(worst, at(sorted, 0.99));
      }
      figures.push(figure("calls behind Today, p99 at 1,000 hosts", worst, "ms", "< 50", worst < 50));
      const today = Number(sh("node", ["tests/bench/today.mjs", `http://${again.address}`, again.viewer]).trim());
      figures.push(figure("Today complete in the browser, median of 5 cold loads", today, "ms", "< 1000", today < 1000));
    });
    return fleet();
  },
};

const wanted = process.argv[2] ?? "all";
if (wanted !== "all" && !(wanted in benches)) {
  console.error(`bench: no benchmark "${wanted}"; there are: ${Object.keys(benches).join(", ")}`);
  process.exit(2);
}
mkdirSync(path.join(root, "build/bench"), { recursive: true });
let commit = "unknown";
try { commit = sh("git", ["rev-parse", "--short", "HEAD"]).trim(); } catch { /* not a checkout */ }
const names = wanted === "all" ? Object.keys(benches) : [wanted];
const told = [];
for (const name of names) {
  console.log(`\n== ${name}`);
  const began = performance.now();
  const result = await benches[name]();
  console.table(result.table);
  if (result.peers) console.table(result.peers);
  console.table(result.figures);
  told.push(...result.figures.map((f) => ({ bench: name, ...f })));
  writeFileSync(path.join(root, `build/bench/${name}.json`), JSON.stringify({
    name, at: new Date().toISOString(), commit,
    machine: `${cpus().length} x ${cpus()[0].model.trim()}, ${Math.round(totalmem() / 2 ** 30)} GiB`, ...result }, null, 1));
  console.log(`== ${name} took ${Math.round((performance.now() - began) / 1000)} s`);
}
const goals = told.filter((f) => f.goal !== "");
const missed = goals.filter((f) => !f.holds).length;
if (names.length > 1) {
  console.log("\n== every figure that has a goal");
  console.table(goals);
}
console.log(missed === 0 ? "\nevery goal holds" : `\n${missed} of ${goals.length} goals missed`);
