// SPDX-License-Identifier: Apache-2.0
// libmicrohttpd before 1.0.3 may skip a ready connection while another is being suspended, perhaps
// for good. Many connections that wait for a commit and many that are ready at once are mixed, with
// fresh and kept-alive connections; each must make progress all the time.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Agent, raw, request, snapshot, start } from './server.mjs';

const ROUNDS = Number(process.env.POOLFLEET_LOAD_ROUNDS ?? 30);
const STALL_MS = 20000; // a skipped connection wakes only by its next packet: it would stall for ever

let server;
before(async () => { server = await start(); });
after(() => server.stop());

const post = (token, body) => 'POST /api/v1/snapshots HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n' +
  `Authorization: Bearer ${token}\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;
const get = (target, token) => `GET ${target} HTTP/1.1\r\nHost: a\r\n${token ? `Authorization: Bearer ${token}\r\n` : ''}\r\n`;

/** Kept alive; the next request goes out when the last was answered. */
async function client(make) {
  const c = await raw(server.port);
  let longest = 0;
  for (let round = 1; round <= ROUNDS; round += 1) {
    const began = Date.now();
    await c.send(make(round));
    const replies = await c.wait(round, STALL_MS);
    assert.equal(replies.length, round, `closed after ${replies.length} of ${round}`);
    assert.ok([200, 503].includes(replies[round - 1].status), String(replies[round - 1].status));
    longest = Math.max(longest, Date.now() - began);
  }
  c.close();
  return longest;
}

test('no connection starves among suspended and ready ones', { timeout: 120000 }, async () => {
  const ingest = server.token('ingest');
  const viewer = server.token('viewer');
  const clients = [];
  for (let i = 0; i < 60; i += 1) {
    clients.push(client(() => post(ingest, JSON.stringify(snapshot()))));
    clients.push(client(() => get('/healthz')));
    clients.push(client((round) => get(round % 2 ? '/readyz' : '/api/v1/session', viewer)));
  }
  const longest = await Promise.all(clients);
  assert.equal(longest.length, 180);
});

test('no connection starves when suspended requests come in bursts', { timeout: 120000 }, async () => {
  const ingest = server.token('ingest');
  const idle = await Promise.all(Array.from({ length: 40 }, () => raw(server.port)));
  for (let burst = 1; burst <= 10; burst += 1) {
    const posts = Array.from({ length: 40 }, () => request(server.port, 'POST', '/api/v1/snapshots',
      { token: ingest, headers: { 'content-type': 'application/json' }, body: JSON.stringify(snapshot()) }));
    await Promise.all(idle.map((c) => c.send(get('/healthz'))));
    for (const c of idle) assert.equal((await c.wait(burst, STALL_MS)).length, burst);
    for (const reply of await Promise.all(posts)) assert.ok([200, 503].includes(reply.status));
  }
  for (const c of idle) c.close();
});

test('a stop answers what runs and ends', { timeout: 60000 }, async () => {
  const own = await start();
  const token = own.token('ingest');
  const agent = new Agent({ keepAlive: true, maxSockets: 20 });
  const running = Array.from({ length: 60 }, () => request(own.port, 'POST', '/api/v1/snapshots', { token, agent,
    headers: { 'content-type': 'application/json' }, body: JSON.stringify(snapshot()) }).catch((error) => error));
  await running[0];
  await own.stop();
  for (const reply of await Promise.all(running))
    assert.ok(reply instanceof Error || reply.status === 200 || reply.status === 503);
  agent.destroy();
});
