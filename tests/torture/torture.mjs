// SPDX-License-Identifier: Apache-2.0
// Faults under load: a real poolfleetd, a real PostgreSQL of its own, hosts that post, people that
// read; things break one after the other in an order that the seed chooses. After each one and at
// the end the ledger is compared with what is stored and served. See docs/torture.md.
//
//   torture.mjs [--seed N] [--seconds N] [--faults N] [--short | --only NAME[,NAME]] [--hosts N] [--pace MS]
//               [--disk MIB] [--break RULE] [--keep]
//
// --faults is the length of a plan (default: every fault once), --seconds how long plan follows plan,
// each with the next seed. The last line is "N passed, N failed[, N skipped]": a fault each, and the end.
import fs from 'node:fs';
import { Cluster } from './cluster.mjs';
import { FAULTS, makePlan } from './faults.mjs';
import { BREAKS } from './breaks.mjs';
import { Ledger } from './ledger.mjs';
import { Proxy } from './proxy.mjs';
import { randomFrom } from './random.mjs';
import { checkProcess, checkServed, checkStored, sampleProcess } from './check.mjs';
import { pause, until } from './wait.mjs';

const TIMEOUT_MS = 4000;   // --database-timeout of the server under test
const PATIENCE_MS = 5000;  // after that an unanswered statement is given up (server/store/db.c)
const BOUND_MS = 15000;    // no answer takes longer, whatever happens
const READY_MS = 20000;    // after a fault has ended
const ANALYSIS_MS = 60000; // two passes over all that was posted, beside the load
const SHORT_HOSTS = 8;
const DEFAULTS = { seed: Math.floor(Math.random() * 1e6), faults: 0, seconds: 0, only: '', hosts: 15, pace: 60,
  disk: 640, break: '', short: false, keep: false };

function readOptions(args) {
  const options = { ...DEFAULTS };
  for (let i = 0; i < args.length; i++) {
    const name = args[i].replace(/^--/, '');
    if (!args[i].startsWith('--') || !(name in options)) throw new Error(`unknown option "${args[i]}"`);
    if (typeof options[name] === 'boolean') options[name] = true;
    else options[name] = typeof options[name] === 'number' ? Number(args[++i]) : args[++i];
  }
  if (options.short) options.hosts = Math.min(options.hosts, SHORT_HOSTS);
  if (options.break && options.break !== 'all' && !(options.break in BREAKS))
    throw new Error(`unknown rule "${options.break}": all, ${Object.keys(BREAKS).join(', ')}`);
  return options;
}

class World {
  constructor(options) {
    this.options = options;
    this.failures = [];
    this.figures = { passed: 0, failed: 0, skipped: 0 };
  }

  say(text) { console.log(`${((Date.now() - this.began) / 1000).toFixed(1).padStart(7)} s  ${text}`); }
  note(text) { this.say(`         ${text}`); }
  expect(rule, holds, text) { if (!holds) this.failures.push(`${rule}: ${text}`); }
  take(rule, faults) { for (const text of faults) this.failures.push(`${rule}: ${text}`); }

  async begin() {
    this.began = Date.now();
    this.cluster = new Cluster({ diskMegabytes: this.options.disk });
    await this.cluster.start();
    this.proxy = new Proxy(this.cluster.socket());
    await this.proxy.listen();
    process.env.POOLFLEET_TEST_URL = this.cluster.url();
    process.env.POOLFLEET_TEST_SERVE_URL =
      `postgresql://postgres@127.0.0.1:${this.proxy.port}/poolfleet?sslmode=disable&gssencmode=disable`;
    this.http = await import(`../http/server.mjs?${this.options.seed}`); // it reads the URLs once
    const { Load } = await import('./load.mjs');
    await this.startServer();
    this.tokens = Object.fromEntries(['ingest', 'viewer'].map((role) => [role, this.server.token(role)]));
    this.ledger = new Ledger(this.options.seed);
    this.load = new Load({ ledger: this.ledger, seed: this.options.seed, hosts: this.options.hosts,
      paceMs: this.options.pace, boundMs: BOUND_MS,
      target: () => ({ port: this.server.port, token: (role) => this.tokens[role] }) });
    await this.load.grown(20, 60000);
    await this.passAnalysis();
    await pause(500);
    this.before = sampleProcess(this.server.pid);
  }

  async startServer() {
    this.server = await this.http.start('--analyze-interval', '1s', '--database-timeout', `${TIMEOUT_MS / 1000}s`,
      '--log-level', 'warning');
  }
  async killServer() {
    process.kill(this.server.pid, 'SIGKILL');
    await this.server.stop().then(() => {}, (error) => {
      if (error.actual?.signal !== 'SIGKILL') this.failures.push(`process: ${error.message}`);
    });
  }
  async stopServer() {
    await this.server.stop().catch((error) => this.failures.push(`process: the server did not stop well: ${error.message}`));
  }

  get(path, token = this.tokens.viewer) {
    return this.http.request(this.server.port, 'GET', path, { token });
  }

  async passes() {
    const reply = await this.get('/metrics').catch(() => undefined);
    return Number(/^poolfleet_analysis_passes_total (\S+)$/m.exec(String(reply?.body ?? ''))?.[1] ?? NaN);
  }
  /** A whole pass that began after now. */
  async passAnalysis() {
    const before = await this.passes();
    await until(async () => (await this.passes()) >= (Number.isNaN(before) ? 0 : before) + 2, 'two analysis passes', ANALYSIS_MS);
  }

  /** Ready, every host is heard again, analysis runs. */
  async recover() {
    const began = Date.now();
    try {
      await until(async () => (await this.get('/readyz').catch(() => ({}))).status === 200, '/readyz', READY_MS);
      const ready = Date.now() - began;
      await this.load.grown(4, READY_MS);
      const heard = Date.now() - began;
      if (this.options.short) return `ready ${ready} ms, all heard ${heard} ms`; // passes: at the end
      await this.passAnalysis();
      return `ready ${ready} ms, all heard ${heard} ms, analysis ${Date.now() - began} ms`;
    } catch (error) {
      this.failures.push(`ready: ${error.message}`);
      return 'not recovered';
    }
  }

  async check({ whole }) {
    const rules = await checkStored(this);
    for (const [rule, faults] of Object.entries(rules)) this.take(rule, faults);
    this.take('served', await checkServed(this, { whole }));
    this.take('process', await checkProcess(this));
    this.take('answers', this.load.violations.splice(0).slice(0, 10).map((v) => `${v.rule}: ${v.text}`));
  }

  /** One line for a step of the plan; what failed is told below it. */
  close(name, told) {
    const failures = this.failures.splice(0);
    this.figures[failures.length === 0 ? 'passed' : 'failed']++;
    this.say(`${failures.length === 0 ? 'ok    ' : 'not ok'} ${name}: ${told}`);
    for (const failure of failures) console.log(`             - ${failure}`);
  }

  async fault({ name, with: parameters, gapMs }) {
    const why = FAULTS[name].skip?.(this);
    if (why) {
      this.figures.skipped++;
      this.say(`skip   ${name}: ${why}`);
      return;
    }
    await pause(gapMs);
    const acknowledged = this.ledger.count('acknowledged');
    await FAULTS[name].run(this, parameters);
    const told = await this.recover();
    await this.check({ whole: false });
    this.close(`${name} ${JSON.stringify(parameters)}`,
      `${told}, ${this.ledger.count('acknowledged') - acknowledged} acknowledged`);
  }

  async end() {
    await this.load.finish();
    await this.passAnalysis().catch((error) => this.failures.push(`ready: ${error.message}`));
    if (this.options.break && this.options.break !== 'all')
      this.note(`broken on purpose: ${(await BREAKS[this.options.break](this))[0]}`);
    await this.check({ whole: true });
    const { ledger, load } = this;
    this.close('at the end', `${ledger.count('acknowledged')} acknowledged, ${ledger.count('repeated')} repeated, ` +
      `${ledger.count('refused')} times refused, ${ledger.count('lost')} times no answer, ` +
      `${ledger.count('given_up')} given up, ${load.reads} reads, slowest answer ${load.longestMs} ms`);
  }

  /** Every rule is seen to fail when it is broken, and passes for that. */
  async breakAll() {
    for (const [rule, breakIt] of Object.entries(BREAKS)) {
      const [how, named] = await breakIt(this);
      await this.check({ whole: rule === 'served' });
      const seen = this.failures.find((text) => text.startsWith(`${rule}: `) && text.includes(named));
      this.failures.length = 0;
      this.expect('check', seen, `rule "${rule}" held although it was broken`);
      this.close(`rule "${rule}" broken on purpose, ${how}`, seen ?? 'not seen');
    }
  }

  async remove() {
    await this.load?.finish().catch(() => {});
    await this.server?.stop().catch((error) => {
      console.log(`             - process: ${error.message}`);
      this.figures.failed++;
    });
    this.proxy?.close();
    if (!this.options.keep) this.cluster?.remove();
    else console.log(`the cluster stays in ${this.cluster.folder}`);
  }
}

/** One cluster, one plan, one ledger; a run of hours is many of these, so that none grows without
 * bound and each can be repeated by its own seed. */
async function round(options, names) {
  const plan = makePlan(randomFrom(options.seed), options.faults || names.length, { patienceMs: PATIENCE_MS }, names);
  const world = new World(options);
  const stop = (code) => {
    if (world.server) process.kill(world.server.pid, 'SIGKILL');
    world.cluster?.remove();
    process.exit(code);
  };
  const signals = { SIGINT: () => stop(130), SIGTERM: () => stop(143) };
  for (const [name, handler] of Object.entries(signals)) process.on(name, handler);
  console.log(`seed ${options.seed}: again with --seed ${options.seed}${options.only ? ` --only '${options.only}'` : ''}` +
    `${options.short ? ' --short' : ''}${options.faults ? ` --faults ${options.faults}` : ''}`);
  plan.forEach((step, i) => console.log(`  ${String(i + 1).padStart(3)}  ${step.name} ${JSON.stringify(step.with)}`));
  try {
    await world.begin();
    for (const step of plan) await world.fault(step);
    await world.end();
    if (options.break === 'all') await world.breakAll();
  } catch (error) {
    world.figures.failed++;
    console.log(error.stack);
    if (world.server) console.log(world.server.log().slice(-3000));
  } finally {
    await world.remove();
    for (const [name, handler] of Object.entries(signals)) process.off(name, handler);
  }
  return world.figures;
}

async function main() {
  const options = readOptions(process.argv.slice(2));
  const names = options.only ? options.only.split(',') :
    Object.keys(FAULTS).filter((name) => !options.short || FAULTS[name].short);
  for (const name of names)
    if (!(name in FAULTS)) throw new Error(`unknown fault "${name}": ${Object.keys(FAULTS).join(', ')}`);
  const sum = { passed: 0, failed: 0, skipped: 0 };
  const end = Date.now() + options.seconds * 1000;
  for (let seed = options.seed; seed === options.seed || Date.now() < end; seed++) {
    const figures = await round({ ...options, seed }, names);
    for (const name of Object.keys(sum)) sum[name] += figures[name];
  }
  console.log(`${sum.passed} passed, ${sum.failed} failed${sum.skipped ? `, ${sum.skipped} skipped` : ''}`);
  process.exit(sum.failed === 0 ? 0 : 1); // a socket that was cut in a strange way keeps nobody here
}

await main();
