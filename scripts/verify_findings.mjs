// SPDX-License-Identifier: Apache-2.0
// Compares what a server's API serves with what the simulator says should be found.
//   verify_findings.mjs --server URL --token-file FILE --wait           until an analysis saw all snapshots
//   verify_findings.mjs --server URL --token-file FILE --wait-first     until every job ran once (admin)
//   verify_findings.mjs --server URL --token-file FILE --expect FILE    prints findings, exit 1 on a difference
//     --backtest FILE: and compares with what `analyze --as-of --json` printed
// A finding matches an expectation when kind and pool agree, a tag of the group is named, and the
// hosts overlap by Jaccard 0.5; its cause must be the first in explained_by. A finding that matches
// nothing and touches a host that should be silent is a false one.
import { readFileSync } from "node:fs";

const options = {};
for (let i = 2; i < process.argv.length; i++) {
  const name = process.argv[i].replace(/^--/, "");
  options[name] = process.argv[i + 1]?.startsWith("--") || process.argv[i + 1] === undefined ? true : process.argv[++i];
}
const token = readFileSync(options["token-file"], "utf8").trim();
const get = async (target) => {
  const reply = await fetch(options.server + target, { headers: { Authorization: `Bearer ${token}` } });
  const body = await reply.json();
  if (!reply.ok) throw new Error(`${target}: ${reply.status} ${body.title}: ${body.detail}`);
  return body;
};

const waits = {
  wait: async () => {
    const overview = await get("/api/v1/overview");
    return overview.as_of && overview.analyzed_as_of >= overview.as_of;
  },
  "wait-first": async () => (await get("/api/v1/server")).jobs.every((job) => job.runs > 0),
};
for (const [name, over] of Object.entries(waits).filter(([name]) => options[name])) {
  const deadline = Date.now() + 300_000;
  while (!(await over())) {
    if (Date.now() > deadline) {
      console.error(`--${name}: not so after five minutes`);
      process.exit(1);
    }
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
  process.exit(0);
}

const expected = JSON.parse(readFileSync(options.expect, "utf8"));
const findings = [];
for (let cursor = null; ;) {
  const page = await get(`/api/v1/findings?limit=100${cursor ? `&cursor=${encodeURIComponent(cursor)}` : ""}`);
  for (const item of page.items) findings.push(await get(`/api/v1/findings/${item.id}`));
  cursor = page.next_cursor;
  if (!cursor) break;
}

const jaccard = (a, b) => {
  const both = a.filter((x) => b.includes(x)).length;
  return both / (a.length + b.length - both);
};
const names = (finding) => finding.hosts.map((host) => host.name ?? host.id);
const matches = (finding, wanted) =>
  wanted.kinds.includes(finding.kind) && finding.pool === wanted.pool &&
  (wanted.tags.length === 0 || wanted.tags.some((tag) => finding.tags.includes(tag))) &&
  jaccard(names(finding), wanted.hosts) >= 0.5;

let passed = 0;
let failed = 0;
const say = (ok, text) => {
  console.log(`  ${ok ? "found  " : "MISSING"}  ${text}`);
  ok ? passed++ : failed++;
};
const used = new Set();
for (const wanted of expected.findings) {
  const hits = findings.filter((finding) => matches(finding, wanted));
  hits.forEach((finding) => used.add(finding.id));
  const finding = hits[0];
  say(hits.length > 0, finding ? finding.summary : `${wanted.scenario}: ${wanted.kinds.join(" or ")} of ${wanted.tags.join(", ")} on ${wanted.hosts.join(", ")}`);
  if (!finding) continue;
  if (wanted.first_mover && finding.tag !== wanted.tags[0])
    say(false, `${wanted.scenario}: the first mover is ${wanted.tags[0]}, not ${finding.tag}`);
  if (wanted.cause) {
    const cause = finding.explained_by[0];
    const right = cause && cause.attribute === wanted.cause.attribute && cause.value === wanted.cause.value;
    say(Boolean(right), cause ? `  cause ${cause.attribute} ${cause.value}: ${cause.affected_with} of ${cause.affected} affected, ${cause.unaffected_with} of ${cause.unaffected} others`
      : `${wanted.scenario}: the cause is ${wanted.cause.attribute} ${wanted.cause.value}; none is named`);
  }
}
const explainedHosts = new Set(expected.findings.flatMap((wanted) => wanted.hosts));
for (const finding of findings) {
  if (used.has(finding.id)) continue;
  const innocent = names(finding).filter((name) => !explainedHosts.has(name));
  if (finding.severity === "info") {
    console.log(`  (info)   ${finding.summary}`);
  } else if (innocent.length > 0) {
    failed++;
    console.log(`  FALSE    ${finding.kind} on ${innocent.slice(0, 5).join(", ")}: ${finding.summary}`);
  } else {
    console.log(`  (also)   ${finding.kind}: ${finding.summary}`);
  }
}
if (options.backtest) {
  // The command line's analysis of the same moment: the same findings, hosts and causes.
  const digest = (list) => JSON.stringify(list.map((f) =>
    [f.id, f.kind, f.severity, f.summary, names(f), f.explained_by.map((c) => [c.attribute, c.value, c.affected_with])]).sort());
  const backtest = JSON.parse(readFileSync(options.backtest, "utf8")).findings;
  say(digest(backtest) === digest(findings), "analyze --as-of says what the server says");
}
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed === 0 ? 0 : 1);
