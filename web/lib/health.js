// What is wrong with the server, from GET /server, and rates from two looks at its counters. Pure.

/** @typedef {{ severity: "critical" | "warning", key: string, args: any[] }} Trouble */

const DAY = 86400000;

/**
 * The worst first.
 * @param {any} s the answer of GET /server
 * @returns {Trouble[]} key: of en.admin.server.troubles
 */
export function troubles(s) {
  const now = Date.parse(s.server_time);
  const ends = s.http.certificate_expires_at === null ? null : Date.parse(s.http.certificate_expires_at);
  const share = s.ingest.queue_limit_bytes > 0 ? s.ingest.queued_bytes / s.ingest.queue_limit_bytes : 0;
  /** @type {(Trouble | false)[]} */
  const found = [
    s.database.error !== null && { severity: "critical", key: "database", args: [s.database.error] },
    s.damaged_chunks?.length > 0 && { severity: "critical", key: "damaged", args: [s.damaged_chunks.length] },
    ends !== null && ends <= now && { severity: "critical", key: "expired", args: [] },
    share >= 0.9 && { severity: "critical", key: "queue", args: [share] },
    s.database.error === null && s.analyzer.holder === null && { severity: "warning", key: "nobody", args: [] },
    ...s.jobs.map((/** @type {any} */ j) => j.failed_at !== null && j.failed_at === j.ended_at && { severity: "warning", key: "job", args: [j.name] }),
    s.ingest.failed_commits > 0 && { severity: "warning", key: "commits", args: [s.ingest.failed_commits] },
    share >= 0.5 && share < 0.9 && { severity: "warning", key: "queue", args: [share] },
    // Chosen: a statement on the same machine takes well under a millisecond, across a site some.
    s.database.latency_ms !== null && s.database.latency_ms > 250 && { severity: "warning", key: "slow", args: [s.database.latency_ms] },
    s.database.pool_leased >= s.database.pool_limit && { severity: "warning", key: "pool", args: [] },
    ends !== null && ends > now && ends - now < 21 * DAY && { severity: "warning", key: "expires", args: [s.http.certificate_expires_at] },
    s.notify.given_up > 0 && { severity: "warning", key: "given", args: [s.notify.given_up] },
  ];
  const order = { critical: 0, warning: 1 };
  return /** @type {Trouble[]} */ (found.filter(Boolean)).sort((a, b) => order[a.severity] - order[b.severity]);
}

/**
 * One point of the charts from two looks at the same server; null after a restart between them.
 * @param {any} before @param {any} after
 */
export function ratesOf(before, after) {
  const t = Date.parse(after.server_time);
  const seconds = (t - Date.parse(before.server_time)) / 1000;
  if (!(seconds > 0) || before.started_at !== after.started_at) return null;
  const sum = (/** @type {any} */ answers) => Object.values(answers).reduce((n, v) => n + Number(v), 0);
  return {
    t, accepted: (after.ingest.accepted - before.ingest.accepted) / seconds, answers: (sum(after.http.answers) - sum(before.http.answers)) / seconds,
    latency: after.database.latency_ms, memory: after.process.memory_bytes,
  };
}
