// SPDX-License-Identifier: Apache-2.0
// A Windows to run the agent in: a Wine prefix of the test's own under build/wine/NAME, and the few
// things a test does there. Wine has no pool data: what these tests show of numbers is simulated.
//
//   POOLFLEET_AGENT  the program (default build/agent/x64/poolfleet-agent.exe)
//
//   import { skip, prefix } from './wine.mjs';
//   test('...', { skip }, async () => {
//     const wine = await prefix('cli');                    // made once, kept for the next run
//     const { code, stdout, stderr } = await wine.agent(['version']);
//     await wine.stop();                                   // in after(): ends what runs in it
//   });
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

export const ROOT = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');
export const AGENT = path.resolve(process.env.POOLFLEET_AGENT ??
  path.join(ROOT, 'build/agent/x64/poolfleet-agent.exe'));

const found = (program) => (process.env.PATH ?? '').split(':').some((folder) => {
  try {
    fs.accessSync(path.join(folder, program), fs.constants.X_OK);
    return true;
  } catch {
    return false;
  }
});

function reasonToSkip() {
  if (process.platform !== 'linux') return `Wine tests run on Linux, not ${process.platform}`;
  if (!found('wine')) return 'wine is not installed (Debian package wine)';
  if (!found('wineserver')) return 'wineserver is not installed (Debian package wine)';
  if (!fs.existsSync(AGENT)) return `${path.relative(ROOT, AGENT)} is not built (make agent-exe)`;
  return false;
}

/** For node:test: `test(name, { skip }, ...)`; false, or the reason why nothing can run. */
export const skip = reasonToSkip();

/** Waits until condition() gives something truthy; fails after the deadline. */
export async function until(condition, what, deadlineMs = 30000) {
  const end = Date.now() + deadlineMs;
  for (;;) {
    const value = await condition();
    if (value) return value;
    if (Date.now() > end) assert.fail(`waited ${deadlineMs} ms for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

const prefixes = new Map();

/** The prefix of this name. fresh: true throws away what an earlier run left in it. */
export async function prefix(name, { fresh = false } = {}) {
  assert.equal(skip, false, 'a test that needs Wine must carry { skip }');
  if (!prefixes.has(name) || fresh) prefixes.set(name, make(name, fresh));
  return prefixes.get(name);
}

async function make(name, fresh) {
  assert.match(name, /^[a-z0-9-]+$/);
  const folder = path.join(ROOT, 'build/wine', name);
  const env = {
    ...process.env,
    WINEPREFIX: folder,
    WINEARCH: 'win64',
    WINEDEBUG: '-all',
    // No browser engine, no .NET, no menu entries on the machine that tests; no display.
    WINEDLLOVERRIDES: 'mscoree,mshtml,winemenubuilder.exe=',
    LC_ALL: 'C.UTF-8',
  };
  delete env.DISPLAY;
  const wine = new Wine(folder, env);
  if (fresh && fs.existsSync(folder)) {
    await wine.stop();
    fs.rmSync(folder, { recursive: true, force: true });
  }
  if (!fs.existsSync(path.join(folder, '.ready'))) {
    fs.rmSync(folder, { recursive: true, force: true });
    fs.mkdirSync(folder, { recursive: true });
    const made = await wine.wine('wineboot', ['--init'], { timeoutMs: 120000 });
    assert.equal(made.code, 0, `could not make a Wine prefix: ${made.stderr}`);
    // Until its session has ended: a service that is made in its last moments is forgotten.
    spawnSync('wineserver', ['-w'], { env, timeout: 60000 });
    fs.writeFileSync(path.join(folder, '.ready'), '');
  }
  await wine.keepUp();
  return wine;
}

export class Wine {
  constructor(folder, env) {
    this.folder = folder;
    this.env = env;
    this.drive = path.join(folder, 'drive_c');
    this.children = new Set();
  }

  /** Starts without waiting: {child, done: Promise<{code, signal, stdout, stderr}>, output()}. */
  spawn(program, args = [], { env = {}, stdin, cwd } = {}) {
    const child = spawn('wine', [program, ...args], { env: { ...this.env, ...env },
      cwd: cwd ?? this.folder, stdio: [stdin === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'] });
    const parts = { stdout: [], stderr: [] };
    const output = () => ({ stdout: Buffer.concat(parts.stdout).toString('utf8'),
      stderr: Buffer.concat(parts.stderr).toString('utf8') });
    for (const stream of ['stdout', 'stderr']) child[stream].on('data', (part) => parts[stream].push(part));
    // What ends the program is its exit, not the end of its pipes: services it started (and Wine's
    // own) hold them open.
    const done = new Promise((resolve, reject) => {
      child.on('error', reject);
      child.on('exit', (code, signal) => {
        const finish = () => resolve({ code, signal, ...output(),
          bytes: Buffer.concat(parts.stdout) });
        const timer = setTimeout(finish, 1000);
        child.on('close', () => { clearTimeout(timer); finish(); });
      });
    });
    this.children.add(child);
    child.on('exit', () => this.children.delete(child));
    if (stdin !== undefined) {
      child.stdin.on('error', () => {}); // the program may end before it has read everything
      child.stdin.end(stdin);
    }
    return { child, done, output };
  }

  /** Runs any Windows program (a unix path or a name such as "reg") to its end. */
  async wine(program, args = [], options = {}) {
    // Wine now and then cannot set a program up when the machine is busy: it ends with the low byte
    // of STATUS_DLL_INIT_FAILED (C0000142) before the program's first line. Nothing of ours ran.
    for (let tries = 0; ; tries++) {
      const result = await this.once(program, args, options);
      if (result.code !== 0x42 || result.stdout + result.stderr !== '' || tries === 3) return result;
    }
  }

  async once(program, args, { timeoutMs = 60000, ...options }) {
    const { child, done, output } = this.spawn(program, args, options);
    let late = false;
    const timer = setTimeout(() => { late = true; child.kill('SIGKILL'); }, timeoutMs);
    const result = await done;
    clearTimeout(timer);
    if (late) {
      const { stdout, stderr } = output();
      assert.fail(`${program} ${args.join(' ')}: still running after ${timeoutMs} ms\n${stdout}${stderr}`);
    }
    return result;
  }

  /** Runs the agent to its end. */
  agent(args = [], options = {}) {
    return this.wine(AGENT, args, options);
  }

  /** "C:\\ProgramData\\a" -> path on this machine, with Windows' rule for case. */
  unixPath(windowsPath) {
    const match = /^([A-Za-z]):[\\/]?(.*)$/.exec(windowsPath);
    assert.ok(match, `not a full Windows path: ${windowsPath}`);
    let at = match[1].toLowerCase() === 'c' ? this.drive :
      match[1].toLowerCase() === 'z' ? '/' : path.join(this.folder, 'dosdevices', `${match[1].toLowerCase()}:`);
    for (const part of match[2].split(/[\\/]+/).filter(Boolean)) {
      const exact = path.join(at, part);
      const names = fs.existsSync(exact) || !fs.existsSync(at) ? [] : fs.readdirSync(at);
      at = path.join(at, names.find((n) => n.toLowerCase() === part.toLowerCase()) ?? part);
    }
    return at;
  }

  /** A path on this machine as the programs in Wine see it. */
  windowsPath(unixPath) {
    const full = path.resolve(unixPath);
    const inside = path.relative(this.drive, full);
    return inside.startsWith('..') ? `Z:${full.replaceAll('/', '\\')}` : `C:\\${inside.replaceAll('/', '\\')}`;
  }

  exists(windowsPath) {
    return fs.existsSync(this.unixPath(windowsPath));
  }

  /** Text of a file inside; '' when it is not there. */
  read(windowsPath) {
    return this.exists(windowsPath) ? fs.readFileSync(this.unixPath(windowsPath), 'utf8') : '';
  }

  write(windowsPath, data) {
    const file = this.unixPath(windowsPath);
    fs.mkdirSync(path.dirname(file), { recursive: true });
    fs.writeFileSync(file, data);
    return windowsPath;
  }

  remove(windowsPath) {
    fs.rmSync(this.unixPath(windowsPath), { recursive: true, force: true });
  }

  async registrySet(key, name, value, type = 'REG_SZ') {
    const { code, stdout, stderr } = await this.wine('reg',
      ['add', key, '/v', name, '/t', type, '/d', value, '/f']);
    assert.equal(code, 0, `reg add ${key}: ${stdout}${stderr}`);
  }

  /** Removes a key with all below it; fine when it is not there. */
  async registryDelete(key) {
    await this.wine('reg', ['delete', key, '/f']);
  }

  /** What `reg query` says of a key, or '' when there is no such key. */
  async registryQuery(key) {
    const { code, stdout } = await this.wine('reg', ['query', key]);
    return code === 0 ? stdout : '';
  }

  /** "STOPPED", "START_PENDING", "STOP_PENDING", "RUNNING", ..., or '' when there is none. */
  async serviceState(service = 'PoolfleetAgent') {
    const { stdout } = await this.wine('sc', ['query', service]);
    return /STATE\s*:\s*\d+\s+([A-Z_]+)/.exec(stdout)?.[1] ?? '';
  }

  async serviceStart(service = 'PoolfleetAgent') {
    const started = await this.wine('net', ['start', service]);
    await until(async () => (await this.serviceState(service)) === 'RUNNING', `${service} to run`);
    return started;
  }

  async serviceStop(service = 'PoolfleetAgent') {
    const stopped = await this.wine('net', ['stop', service]);
    await until(async () => (await this.serviceState(service)) === 'STOPPED', `${service} to stop`);
    return stopped;
  }

  /**
   * Wine ends its session, and every service in it, when the last program ends; the next program
   * would then start "automatic" services again. One program that waits for input keeps it up, as
   * long as this process lives.
   */
  async keepUp() {
    if (this.keeper) return;
    this.keeper = spawn('wine', ['cmd', '/q'], { env: this.env, cwd: this.folder, stdio: ['pipe', 'pipe', 'ignore'] });
    await new Promise((resolve, reject) => {
      this.keeper.on('error', reject);
      this.keeper.stdout.once('data', resolve); // its prompt: the session is there
      this.keeper.once('exit', resolve);
    });
    this.keeper.stdin.on('error', () => {});
    for (const part of [this.keeper, this.keeper.stdin, this.keeper.stdout]) part.unref();
  }

  /** Ends everything that runs in this prefix, and waits for it. */
  async stop() {
    this.keeper = undefined;
    for (const child of this.children) child.kill('SIGKILL');
    spawnSync('wineserver', ['-k'], { env: this.env, timeout: 30000 });
    spawnSync('wineserver', ['-w'], { env: this.env, timeout: 30000 });
  }
}
