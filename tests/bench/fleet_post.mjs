// SPDX-License-Identifier: Apache-2.0
// fleet_post.mjs URL INGEST_TOKEN HOSTS [HOURS]: a big fleet of small hosts, for figures of the screens
// that show every host: roles, builds and models as in a real one, 18 rows and 5 drivers a host, some
// hosts that leak. Simulated, and every document says so. Repeatable: the same hosts each time.

/** Repeatable random numbers. */
export function randomFrom(seed) {
  let a = seed >>> 0;
  return () => {
    a = (a + 0x6d2b79f5) >>> 0;
    let t = Math.imul(a ^ (a >>> 15), 1 | a);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}
const MB = 2 ** 20;
const ROLES = [["workstation", 60], ["terminal-server", 10], ["file-server", 6], ["build-agent", 6], ["sql-server", 5], ["web-server", 5], ["vdi", 4], ["domain-controller", 2], ["hyper-v", 2]];
const BUILDS = [["26100.4061", "Windows Server 2025", 25], ["26100.3194", "Windows 11 24H2", 30], ["22631.5335", "Windows 11 23H2", 25], ["20348.3692", "Windows Server 2022", 12], ["17763.7314", "Windows Server 2019", 8]];
const MODELS = ["PowerEdge R650", "PowerEdge R740", "ProLiant DL380 Gen10", "Latitude 5440", "EliteBook 840 G10", "ThinkPad T14 Gen 4", "Virtual Machine", "Surface Laptop 6"];
const TAGS = ["AfdE", "ConT", "Ddk ", "EtwB", "Even", "File", "IoFE", "MmCa", "NtFC", "Proc", "Thre", "WCsc"];
const PAGED = ["CM31", "FMfn", "MmSt", "Ntff", "NtfF", "Toke"];
const DRIVERS = [["wcifs.sys", "WCsc", ["10.0.26100.3194", "10.0.26100.3915"]], ["afd.sys", "AfdE", ["10.0.26100.4061", "10.0.22631.5335", "10.0.20348.3692"]],
  ["ntfs.sys", "NtFC", ["10.0.26100.4061", "10.0.22631.5335"]], ["npcap.sys", "Ddk ", ["5.1.76.0", "5.1.82.0", "5.1.79.0"]], ["storport.sys", "IoFE", ["10.0.26100.3194"]]];
const pick = (rnd, list) => {
  let at = rnd() * list.reduce((n, e) => n + e[e.length - 1], 0);
  return list.find((e) => (at -= e[e.length - 1]) < 0) ?? list[0];
};

/**
 * @param {number} count @param {number} hours back that each host has a snapshot of
 * @param {number} [leakHours] the same of the hosts that leak: without history nothing is seen to grow
 */
export function* documents(count, hours, leakHours = hours, now = Date.now()) {
  const rnd = randomFrom(42);
  for (let i = 0; i < count; i++) {
    const role = pick(rnd, ROLES)[0];
    const [build, os] = pick(rnd, BUILDS);
    const ram = 2 ** (3 + Math.floor(rnd() * 5)) * 1024 * MB;
    const model = MODELS[Math.floor(rnd() * MODELS.length)];
    const leaks = role === "build-agent" && rnd() < 0.1;
    const back = leaks ? leakHours : hours;
    const up = (4 + rnd() ** 3 * 60 * 24) * 3600e3 + back * 3600e3;
    const silent = rnd() < 0.003;
    const base = 0.6 + rnd();
    const id = `b${i.toString(16).padStart(7, "0")}-${Math.floor(rnd() * 65536).toString(16).padStart(4, "0")}-4${Math.floor(rnd() * 4096).toString(16).padStart(3, "0")}-8${Math.floor(rnd() * 4096).toString(16).padStart(3, "0")}-${Math.floor(rnd() * 2 ** 48).toString(16).padStart(12, "0")}`;
    const short = role.split("-").map((w) => w[0]).join("").toUpperCase().padEnd(2, "X");
    const drivers = DRIVERS.map(([file, tag, versions], d) => ({ name: file, version: file === "wcifs.sys" && leaks ? "10.0.26100.4061" : versions[(i * 7 + d) % versions.length], company: "Example", tags: [tag] }));
    for (let h = back; h >= 0; h--) {
      const at = now - h * 3600e3 - (silent ? 3 * 3600e3 : Math.floor(rnd() * 60000));
      const held = (k) => Math.floor((k + 1) * 1.7 * MB * base * (0.95 + 0.1 * rnd()));
      const leak = leaks ? Math.floor(Math.min(ram * 0.4, ((up / 3600e3 - h) % 400) * 30 * MB)) : 0;
      const table = (tags, more) => ({ tag: tags, allocs: tags.map((_, k) => 9000 + k * 500 + (back - h) * 40), frees: tags.map((t, k) => (t === "WCsc" && leaks ? 10 : 3000 + k * 100 + (back - h) * 40)), bytes: tags.map((t, k) => held(k) + (t === "WCsc" ? more : 0)) });
      const nonpaged = table(TAGS, leak);
      const paged = table(PAGED, 0);
      const sum = (t) => t.bytes.reduce((a, b) => a + b, 0);
      yield { format: 1, host: { id, name: `${short}-${String(i).padStart(5, "0")}`, attributes: { "os.build": build, "os.name": os, role, "hw.model": model, "hw.ram_bytes": String(ram), "poolfleet.simulated": "true" }, drivers },
        boot_at: new Date(now - up).toISOString(), taken_at: new Date(at).toISOString(), sequence: back - h + 1,
        totals: { nonpaged_bytes: sum(nonpaged) + 200 * MB, paged_bytes: sum(paged) + 300 * MB, nonpaged_limit_bytes: Math.floor(ram * 0.75), physical_bytes: ram }, nonpaged, paged };
    }
  }
}

/** One host with as many rows as the kernel of a busy server has, two hours of it. @param {number} rows */
export function* bigHost(rows, now = Date.now()) {
  const rnd = randomFrom(9);
  const names = Array.from({ length: rows }, (_, k) => String.fromCharCode(65 + (k % 26), 97 + (Math.floor(k / 26) % 26), 65 + (Math.floor(k / 676) % 26), 48 + (k % 10))).sort();
  const table = (tags, step) => {
    const bytes = tags.map(() => Math.floor(2 ** (8 + rnd() * 16)));
    return { tag: tags, allocs: tags.map((_, k) => 1000 + k * 13 + step * ((k * 7) % 50)), frees: tags.map((_, k) => 500 + k * 7 + step * ((k * 5) % 40)), bytes };
  };
  for (let step = 0; step <= 8; step++) {
    const nonpaged = table(names.slice(0, Math.floor(rows * 0.6)), step);
    const paged = table(names.slice(Math.floor(rows * 0.6)), step);
    const sum = (t) => t.bytes.reduce((a, b) => a + b, 0);
    yield { format: 1, host: { id: "bench-many-rows", name: "MANY-ROWS", attributes: { "os.build": "26100.4061", "os.name": "Windows Server 2025", role: "sql-server", "hw.model": MODELS[0], "hw.ram_bytes": String(64 * 1024 * MB), "poolfleet.simulated": "true" } },
      boot_at: new Date(now - 90 * 3600e3).toISOString(), taken_at: new Date(now - (8 - step) * 15 * 60e3 - 1000).toISOString(), sequence: step + 1,
      totals: { nonpaged_bytes: sum(nonpaged), paged_bytes: sum(paged), nonpaged_limit_bytes: 48 * 1024 * MB, physical_bytes: 64 * 1024 * MB }, nonpaged, paged };
  }
}

/** @param {string} address @param {string} token @param {Iterable<any>} all */
export async function postAll(address, token, all) {
  let part = [];
  const send = async () => {
    const reply = await fetch(`${address}/api/v1/snapshots`, { method: "POST", body: part.map((d) => JSON.stringify(d)).join("\n"),
      headers: { authorization: `Bearer ${token}`, "content-type": "application/x-ndjson" } });
    const said = await reply.json();
    if (reply.status === 503) { await new Promise((r) => setTimeout(r, 200)); return send(); }
    if (reply.status !== 200 || said.rejected.length) throw new Error(JSON.stringify(said).slice(0, 400));
    part = [];
    return undefined;
  };
  for (const document of all) {
    part.push(document);
    if (part.length === 500) await send();
  }
  if (part.length) await send();
}

if (process.argv[1] === new URL(import.meta.url).pathname) {
  const [address, token, count, hours] = process.argv.slice(2);
  await postAll(address, token, documents(Number(count), Number(hours ?? 0)));
}
