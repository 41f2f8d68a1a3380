// SPDX-License-Identifier: Apache-2.0
// Sealed snapshots behind a running server: they read as before, and a chunk that is damaged on the
// disk is named while everything else is served.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { after, before, test } from 'node:test';
import { post } from './fleet.mjs';
import { DATABASE, start, until } from './server.mjs';

const HOUR = 3600e3;
const SPAN = 12 * HOUR;
const STEPS = 36; // twenty minutes apart: the damaged span, whole
const A = randomUUID();
const B = randomUUID();
// A span that ended at least twelve hours ago, so that a moment after it is there too.
const from = (Math.floor(Date.now() / SPAN) - 2) * SPAN;
const at = (step) => from + step * 1200e3;
const iso = (ms) => new Date(ms).toISOString();
let server;

const sql = (text) => execFileSync('psql', ['-X', '-q', '-At', '-v', 'ON_ERROR_STOP=1', '-d', DATABASE, '-c', text],
  { encoding: 'utf8' }).trim();
const get = (target, role = 'viewer') => server.request('GET', `/api/v1${target}`, { token: server.token(role) });
async function ok(target, role) {
  const reply = await get(target, role);
  assert.equal(reply.status, 200, `${target}: ${reply.body}`);
  return reply.json();
}

function document(id, step) {
  return { format: 1, host: { id, name: id === A ? 'SEAL-A' : 'SEAL-B' }, boot_at: iso(from - HOUR), taken_at: iso(at(step)),
    sequence: step, totals: { nonpaged_bytes: 5e8 + step },
    nonpaged: { tag: ['Leak', 'Same'], allocs: [1000 + 7 * step, 5], frees: [500, 1], bytes: [4096 * (step + 1), 64] },
    paged: { tag: ['CM31'], allocs: [9 + step], frees: [1], bytes: [640] } };
}

const series = async (id) => (await ok(`/hosts/${id}/tags/Leak/series?from=${iso(at(0))}&to=${iso(at(STEPS + 3))}&points=5000`)).bytes;
const keyOf = (id) => `(SELECT host_id FROM host WHERE id = '${id}')`;
const whole = Array.from({ length: STEPS + 4 }, (_, step) => 4096 * (step + 1));

before(async () => {
  server = await start('--analyze-interval', '1s');
  const documents = [];
  for (let step = 0; step < STEPS + 4; step++) // four more fall into the span after it
    for (const id of [A, B]) documents.push(document(id, step));
  await post(server, documents);
  // As if they had arrived yesterday; the jobs find a settled partition then.
  sql(`SELECT partition_ensure('snapshot_block', ARRAY[now() - interval '1 day']);
    BEGIN;
    UPDATE snapshot SET received_at = received_at - interval '1 day' WHERE host_id IN (${keyOf(A)}, ${keyOf(B)});
    UPDATE snapshot_block SET received_at = received_at - interval '1 day' WHERE host_id IN (${keyOf(A)}, ${keyOf(B)});
    COMMIT`);
  await until(() => sql(`SELECT count(*) FROM snapshot_chunk WHERE host_id IN (${keyOf(A)}, ${keyOf(B)})`) === '4' &&
    sql(`SELECT count(*) FROM snapshot_block WHERE host_id IN (${keyOf(A)}, ${keyOf(B)})`) === '0',
  'chunks, and the blocks dropped', 60000);
});
after(() => server.stop());

test('sealed snapshots, series and moments read as before', async () => {
  for (const id of [A, B]) assert.deepEqual(await series(id), whole);
  const moment = await ok(`/hosts/${A}/tags?at=${iso(at(10) + 1000)}`);
  const leak = moment.items.find((row) => row.tag === 'Leak');
  assert.equal(leak.bytes, 4096 * 11);
  assert.deepEqual((await ok('/server', 'admin')).damaged_chunks, []);
});

test('a chunk with any bit flipped is named, and all else is served', async () => {
  const where = `host_id = ${keyOf(A)} AND span_at = '${iso(from)}'`;
  const length = Number(sql(`SELECT length(chunk) FROM snapshot_chunk WHERE ${where}`));
  const rest = whole.slice(STEPS);
  const places = [0, 3, 4, ...Array.from({ length: 9 }, (_, i) => 5 + Math.floor((length - 10) * i / 8)), length - 4, length - 1];
  const flip = (place, bit, column = 'chunk') => sql(`UPDATE snapshot_chunk SET ${column} = set_byte(${column}, ${place}, get_byte(${column}, ${place}) # ${1 << bit}) WHERE ${where}`);
  let hit = 0;
  for (const [i, place] of places.entries()) {
    flip(place, i % 8);
    assert.equal((await get(`/hosts/${A}/tags?at=${iso(at(10) + 1000)}`)).status, 404, `byte ${place} of ${length}`);
    const left = await series(A); // a tag in another group than the damaged one loses nothing
    assert.deepEqual(left, left.length === rest.length ? rest : whole, `byte ${place} of ${length}`);
    hit += left.length === rest.length;
    flip(place, i % 8);
  }
  assert.ok(hit > 0);
  const head = Number(sql(`SELECT length(head) FROM snapshot_chunk WHERE ${where}`));
  for (let place = 0; place < head; place += 3) {
    flip(place, place % 8, 'head');
    assert.deepEqual(await series(A), rest, `byte ${place} of ${head} of the head`);
    flip(place, place % 8, 'head');
  }
  assert.deepEqual(await series(A), whole, 'mended');

  flip(places[5], 3);
  const gone = await get(`/hosts/${A}/tags?at=${iso(at(10) + 1000)}`);
  assert.equal(gone.status, 404, gone.body.toString());
  assert.match(gone.json().detail, /damaged.*wrong checksum/);
  assert.equal((await ok(`/hosts/${A}/tags?at=${iso(at(STEPS + 1) + 1000)}`)).items.length, 3);
  assert.deepEqual(await series(B), whole);
  for (const target of [`/hosts/${A}`, '/hosts', '/overview', '/tags', `/hosts/${A}/series`, `/hosts/${A}/history`, `/hosts/${A}/compare?at=${iso(at(STEPS + 1))}&against=${B}`]) await ok(target);

  const [damaged, ...others] = (await ok('/server', 'admin')).damaged_chunks;
  assert.deepEqual(others, []);
  assert.equal(damaged.host_id, A);
  assert.equal(Date.parse(damaged.from), from);
  assert.match(damaged.reason, /could not read a chunk/);
  const metrics = (await server.request('GET', '/metrics', { token: server.token('viewer') })).body.toString();
  assert.match(metrics, /^poolfleet_damaged_chunks 1$/m);
  assert.equal(server.log().match(/a sealed chunk is damaged/g).length, 1, 'told once, however often it was met');
});
