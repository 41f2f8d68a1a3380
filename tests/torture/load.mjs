// SPDX-License-Identifier: Apache-2.0
// Hosts that post and people that read, all at once, while things break. Every answer is judged at
// once: 200, or 503 with Retry-After, within the bound. Whatever else comes is a violation, unless
// the server is known to be dead.
import http from 'node:http';
import zlib from 'node:zlib';
import { randomUUID } from 'node:crypto';
import { encode } from '../http/cbor.mjs';
import { request } from '../http/server.mjs';
import { judgeAnswer, judgeBound } from './rules.mjs';
import { randomFrom } from './random.mjs';
import { pause, until } from './wait.mjs';

const DAY_MS = 86400e3;
const json = (documents) => Buffer.from(documents.map((d) => JSON.stringify(d)).join('\n'));
const cbor = (documents) => Buffer.concat(documents.map((d) => encode(d)));
/** What a host sends: how many documents a body, its type, how it is packed. */
const KINDS = [
  { documents: 1, type: 'application/json', pack: json },
  { documents: 4, type: 'application/x-ndjson', pack: json },
  { documents: 1, type: 'application/cbor', pack: cbor },
  { documents: 3, type: 'application/cbor-seq', pack: cbor },
  { documents: 1, type: 'application/json', pack: (d) => zlib.gzipSync(json(d)), coding: 'gzip' },
];
const RETRY_MS = 50;      // far less than Retry-After, so that outages can be short here
const GIVE_UP = 0.05;     // of the bodies that were not acknowledged
const REPEAT = 0.03;      // of the acknowledged
const READER_PACE_MS = 60;

export class Load {
  constructor({ ledger, seed, hosts, paceMs, boundMs, target }) {
    Object.assign(this, { ledger, paceMs, boundMs, target });
    this.violations = [];
    this.isRunning = true;
    this.isDead = false; // the server is killed or stopped on purpose
    this.longestMs = 0;
    this.reads = 0;
    this.answers = new Map(); // status -> count
    this.agent = new http.Agent({ keepAlive: true, maxSockets: 64 });
    const random = randomFrom(seed);
    this.clients = Array.from({ length: hosts }, (_, i) => ({
      host: ledger.add(randomUUID(), { startMs: Math.floor(Date.now() / 1000) * 1000 - 12 * DAY_MS + i * 3600e3,
        perBoot: random.int(15, 60) }),
      kind: KINDS[i % KINDS.length], next: 0, random: randomFrom(seed + i + 1), keepAlive: i % 2 === 0 }));
    this.loops = Promise.all([...this.clients.map((c) => this.run(() => this.post(c))),
      ...[0, 1].map((i) => this.run(this.reader(randomFrom(seed + 1000 + i))))]);
  }

  async run(turn) {
    while (this.isRunning) {
      await this.gate;
      if (!this.isRunning) break;
      await pause(await turn());
    }
  }

  violate(rule, text) { this.violations.push({ rule, text }); }

  /** One request, timed and judged; undefined when no answer came. */
  async ask(method, path, options, allowed) {
    const began = Date.now();
    const wasDead = this.isDead;
    const server = this.target();
    const reply = await request(server.port, method, path, options).catch((error) => {
      if (!wasDead && !this.isDead && server === this.target())
        this.violate('answers', `${method} ${path}: ${error.message} after ${Date.now() - began} ms`);
    });
    const took = Date.now() - began;
    if (!this.isDead && !wasDead && reply) {
      this.longestMs = Math.max(this.longestMs, took);
      for (const text of judgeBound(`${method} ${path}`, took, this.boundMs)) this.violate('bound', text);
    }
    if (reply === undefined) return undefined;
    this.answers.set(reply.status, (this.answers.get(reply.status) ?? 0) + 1);
    const wrong = judgeAnswer(reply, allowed);
    if (wrong) this.violate('answers', `${method} ${path}: ${wrong}`);
    return reply;
  }

  send(client, documents) {
    const { kind, keepAlive } = client;
    return this.ask('POST', '/api/v1/snapshots', { token: this.target().token('ingest'),
      agent: keepAlive ? this.agent : undefined, body: kind.pack(documents),
      headers: { 'content-type': kind.type, ...(kind.coding ? { 'content-encoding': kind.coding } : {}) } }, [200]);
  }

  /** One body; gives the pause before the next. */
  async post(client) {
    const { host, kind, random } = client;
    const steps = Array.from({ length: kind.documents }, (_, i) => client.next + i);
    const documents = steps.map((step) => host.document(step));
    host.sent(steps);
    const reply = await this.send(client, documents);
    if (reply?.status === 200) {
      const { accepted, duplicates, rejected } = readCounts(reply, kind);
      if (rejected.length > 0 || accepted + duplicates !== steps.length)
        this.violate('answers', `a good body was answered ${reply.body}`);
      host.answered(steps, 'acknowledged');
      client.next += steps.length;
      if (random.chance(REPEAT)) await this.repeat(client);
      return this.paceMs * 2 * random.next();
    }
    host.answered(steps, reply === undefined ? 'lost' : 'refused');
    if (random.chance(GIVE_UP)) {
      client.next += steps.length;
      host.counts.given_up += steps.length;
    }
    return RETRY_MS;
  }

  /** An acknowledged document comes again: it must be known. */
  async repeat(client) {
    const { host, random, kind } = client;
    const steps = [host.last - random.int(0, Math.min(20, host.last))]
      .filter((step) => host.entries[step].answer === 'acknowledged');
    if (steps.length === 0) return;
    const reply = await this.send(client, steps.map((step) => host.document(step)));
    if (reply?.status !== 200) return;
    const { accepted } = readCounts(reply, kind);
    if (accepted > 0) this.violate('once', `step ${steps[0]} of host ${host.index} was acknowledged and is new again`);
    host.answered(steps, 'acknowledged');
  }

  reader(random) {
    return async () => {
      const { host } = random.pick(this.clients);
      const path = random.pick(['/overview', '/hosts', `/hosts/${host.id}`, `/hosts/${host.id}/tags`, '/findings',
        '/tags', `/hosts/${host.id}/tags/TAr0/series?pool=nonpaged`]);
      const reply = await this.ask('GET', `/api/v1${path}`, { token: this.target().token('viewer') }, [200, 404]);
      if (reply?.status === 404 && host.last >= 0 && !this.isDead)
        this.violate('answers', `GET ${path} of a host that was acknowledged: 404`);
      this.reads++;
      return READER_PACE_MS;
    };
  }

  /** Nobody begins anything until open(). */
  close() { this.gate ??= new Promise((resolve) => { this.letGo = resolve; }); }
  open() {
    this.letGo?.();
    this.gate = undefined;
  }

  /** Every host has had so many more bodies acknowledged. */
  async grown(count, deadlineMs) {
    const goals = this.clients.map(({ host }) => host.counts.acknowledged + count);
    await until(() => this.clients.every(({ host }, i) => host.counts.acknowledged >= goals[i]),
      `${count} more acknowledged of every host`, deadlineMs);
  }

  async finish() {
    this.isRunning = false;
    this.open();
    await this.loops;
    this.agent.destroy();
  }
}

/** The counts of an answer; of a single document it is the same form. */
function readCounts(reply) {
  const { accepted = 0, duplicates = 0, rejected = [] } = reply.json();
  return { accepted, duplicates, rejected };
}
