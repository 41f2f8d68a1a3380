// SPDX-License-Identifier: Apache-2.0
// A poolfleetd of the test's own, on a free loopback port, and a raw HTTP client that sends exactly
// the bytes it is told to.
//
//   POOLFLEETD          the program (default build/bin/poolfleetd)
//   POOLFLEET_TEST_URL  a database that tests may write to
//   POOLFLEET_TEST_SERVE_URL  the same database as the server reaches it, when that is another way
//   POOLFLEET_TEST_TLS  a folder with ca.pem, cert.pem and key.pem (certs.mjs): all of it over TLS
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import fs from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import tls from 'node:tls';

export const PROGRAM = process.env.POOLFLEETD ??
  path.resolve(import.meta.dirname ?? path.dirname(new URL(import.meta.url).pathname),
    '../../build/bin/poolfleetd');
export const DATABASE = process.env.POOLFLEET_TEST_URL;
const SERVE_URL = process.env.POOLFLEET_TEST_SERVE_URL ?? DATABASE;
const TLS = process.env.POOLFLEET_TEST_TLS;
const trust = TLS ? { ca: fs.readFileSync(path.join(TLS, 'ca.pem')) } : {};
export const Agent = TLS ? https.Agent : http.Agent;

/** Waits until condition() gives something truthy; fails after the deadline. */
export async function until(condition, what, deadlineMs = 120000) {
  const end = Date.now() + deadlineMs;
  for (;;) {
    const value = await condition();
    if (value) return value;
    if (Date.now() > end) assert.fail(`waited ${deadlineMs} ms for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

function run(...args) {
  return execFileSync(PROGRAM, [...args, '--database-url', DATABASE], { encoding: 'utf8' }).trim();
}

/** The server's route table, as `poolfleetd routes` prints it. */
export function routes() {
  return JSON.parse(execFileSync(PROGRAM, ['routes'], { encoding: 'utf8', maxBuffer: 1 << 22 }));
}

let migrated = false;

export async function start(...flags) {
  assert.ok(DATABASE, 'POOLFLEET_TEST_URL is not set');
  if (!migrated) run('migrate');
  migrated = true;
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'poolfleet-http-'));
  const ready = path.join(folder, 'ready');
  const child = spawn(PROGRAM, ['serve', '--database-url', SERVE_URL, '--listen', '127.0.0.1:0',
    '--ready-file', ready,
    ...(TLS ? ['--tls-cert', path.join(TLS, 'cert.pem'), '--tls-key', path.join(TLS, 'key.pem')] : []),
    ...flags], { stdio: ['ignore', 'ignore', 'pipe'] });
  let log = '';
  child.stderr.setEncoding('utf8');
  child.stderr.on('data', (text) => { log = (log + text).slice(-65536); });
  const exited = new Promise((resolve) => child.on('exit', (code, signal) => resolve({ code, signal })));
  const address = await until(() => {
    if (child.exitCode !== null) assert.fail(`the server ended at once:\n${log}`);
    return fs.existsSync(ready) && fs.readFileSync(ready, 'utf8').endsWith('\n') &&
      fs.readFileSync(ready, 'utf8').trim();
  }, 'the ready file', 30000);
  const port = Number(address.slice(address.lastIndexOf(':') + 1));
  const tokens = new Map();
  const names = new Map();
  return {
    port,
    pid: child.pid,
    log: () => log,
    /** A token of this role; the same one for the same role. */
    token(role) {
      if (!tokens.has(role)) {
        const name = `test ${role} ${randomUUID()}`;
        tokens.set(role, run('token', 'create', '--role', role, '--name', name));
        names.set(tokens.get(role), name);
      }
      return tokens.get(role);
    },
    /** A token made by token(). */
    revokeToken(token) { run('token', 'revoke', names.get(token)); },
    request: (method, target, options) => request(port, method, target, options),
    raw: () => raw(port),
    async stop() {
      child.kill('SIGTERM');
      const timer = setTimeout(() => child.kill('SIGKILL'), 40000);
      const { code, signal } = await exited;
      clearTimeout(timer);
      fs.rmSync(folder, { recursive: true, force: true });
      assert.doesNotMatch(log, /Sanitizer|runtime error/, log);
      assert.deepEqual({ code, signal }, { code: 0, signal: null }, log);
    },
  };
}

/** One request through Node's own client: {status, headers, body (Buffer), json()}. */
export function request(port, method, target, { token, headers = {}, body, agent } = {}) {
  const all = { ...headers };
  if (token) all.authorization = `Bearer ${token}`;
  if (body !== undefined && !Object.keys(all).some((h) => /^(content-length|transfer-encoding)$/i.test(h)))
    all['content-length'] = Buffer.byteLength(body);
  return new Promise((resolve, reject) => {
    const rq = (TLS ? https : http).request({ host: '127.0.0.1', port, method, path: target, headers: all,
      agent: agent ?? false, timeout: 120000, ...trust }, (rs) => {
      const parts = [];
      rs.on('data', (part) => parts.push(part));
      rs.on('error', reject);
      rs.on('end', () => {
        const bytes = Buffer.concat(parts);
        resolve({ status: rs.statusCode, headers: rs.headers, body: bytes,
          json: () => JSON.parse(bytes.toString('utf8')) });
      });
    });
    rq.on('timeout', () => rq.destroy(new Error(`no answer to ${method} ${target}`)));
    rq.on('error', reject);
    rq.end(body);
  });
}

/** The first whole reply in bytes and where it ends, or null. */
function parseReply(bytes) {
  const end = bytes.indexOf('\r\n\r\n');
  if (end < 0) return null;
  const [first, ...lines] = bytes.subarray(0, end).toString('latin1').split('\r\n');
  const headers = Object.fromEntries(lines.map((line) => {
    const colon = line.indexOf(':');
    return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
  }));
  const body = end + 4;
  const next = body + Number(headers['content-length'] ?? 0);
  return bytes.length < next ? null :
    { reply: { status: Number(first.split(' ')[1]), headers, body: bytes.subarray(body, next) }, next };
}

/** A connection that sends just the bytes given. */
export async function raw(port) {
  const plain = net.connect({ host: '127.0.0.1', port, noDelay: true });
  const socket = TLS ? tls.connect({ socket: plain, ...trust }) : plain;
  const parts = []; // everything, for messages
  const replies = [];
  const waiting = new Set();
  let rest = Buffer.alloc(0);
  let closed = false;
  const wake = () => { for (const check of [...waiting]) check(); };
  const end = () => { closed = true; wake(); };
  socket.on('data', (part) => {
    parts.push(part);
    rest = Buffer.concat([rest, part]);
    for (let found; (found = parseReply(rest)) !== null;) {
      if (found.reply.status !== 100) replies.push(found.reply);
      rest = rest.subarray(found.next);
    }
    wake();
  });
  socket.on('error', end);
  socket.on('close', end);
  await new Promise((resolve, reject) => {
    socket.once(TLS ? 'secureConnect' : 'connect', resolve);
    socket.once('error', reject);
  });
  const waitFor = (condition, what, deadlineMs) => new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      waiting.delete(check);
      reject(new assert.AssertionError({ message: `waited ${deadlineMs} ms for ${what}` }));
    }, deadlineMs);
    function check() {
      if (!condition()) return;
      clearTimeout(timer);
      waiting.delete(check);
      resolve();
    }
    waiting.add(check);
    check();
  });
  return {
    socket,
    send: (data) => new Promise((resolve) => {
      if (closed || socket.destroyed) resolve();
      else socket.write(data, () => resolve());
    }),
    replies: () => replies,
    bytes: () => Buffer.concat(parts),
    closed: () => closed,
    /** n whole replies, or the end of the connection. */
    async wait(n, deadlineMs = 120000) {
      await waitFor(() => closed || replies.length >= n, `${n} replies`, deadlineMs);
      return replies;
    },
    waitClosed: (deadlineMs = 120000) => waitFor(() => closed, 'the connection to close', deadlineMs),
    cut: () => plain.resetAndDestroy?.() ?? plain.destroy(),
    close: () => socket.destroy(),
  };
}

let sequence = 0;

/** A small valid document of a host of its own. */
export function snapshot(fields = {}) {
  sequence += 1;
  return { format: 1, host: { id: randomUUID(), name: `T${sequence}` },
    taken_at: new Date(Date.now() - 1000).toISOString(), sequence,
    boot_at: '2026-01-01T00:00:00Z',
    nonpaged: { tag: ['Ddk ', 'NtFC'], allocs: [10, 20], frees: [5, 1], bytes: [4096, 81920] },
    ...fields };
}
