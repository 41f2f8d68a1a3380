// SPDX-License-Identifier: Apache-2.0
// Each rule of the faults harness is seen to hold on what is right and to fail on what is wrong: a
// checker that cannot fail proves nothing. (torture.mjs --break RULE shows the same end to end.)
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { makePlan, FAULTS } from './faults.mjs';
import { Ledger, WITNESS_ROWS } from './ledger.mjs';
import { randomFrom } from './random.mjs';
import { judgeAnswer, judgeBound, judgeProcess, judgeSeries, judgeStored, judgeTable } from './rules.mjs';

const STEPS = 50;

/** Two hosts; the last two steps of each were sent without an answer. */
function world() {
  const ledger = new Ledger(7);
  for (const id of ['a', 'b']) {
    const host = ledger.add(id, { startMs: Date.UTC(2026, 0, 1), perBoot: 20 });
    for (let step = 0; step < STEPS; step++) {
      host.document(step);
      host.sent([step]);
      host.answered([step], step < STEPS - 2 ? 'acknowledged' : 'lost');
    }
  }
  const rows = ledger.hosts.flatMap((host) => host.entries.map((entry, step) => [host.id,
    String(host.bootAt(step) / 1000), String(host.sequence(step)), String(host.takenAt(step)), String(entry.hash),
    String(step + 1), '1']));
  return { ledger, rows, acknowledged: ledger.acknowledged() };
}

const NOTHING = { lost: [], doubled: [], changed: [], invented: [] };
const count = (faults) => Object.fromEntries(Object.entries(faults).map(([rule, list]) => [rule, list.length]));
const NONE = count(NOTHING);

test('what was acknowledged and stored once with its content holds', () => {
  const { ledger, rows, acknowledged } = world();
  assert.deepEqual(judgeStored(ledger, acknowledged, rows), NOTHING);
  const without = rows.filter(([, , , , , step]) => Number(step) <= STEPS - 2); // the unanswered ones
  assert.deepEqual(judgeStored(ledger, acknowledged, without), NOTHING);
});

test('a lost document is named', () => {
  const { ledger, rows, acknowledged } = world();
  const faults = judgeStored(ledger, acknowledged, rows.toSpliced ? rows.toSpliced(5, 1) : rows.filter((_, i) => i !== 5));
  assert.deepEqual(faults, { ...NOTHING, lost: ['step 5 of host 0 was acknowledged and is not stored'] });
});

test('a document that is there twice is named, in one row or in two', () => {
  const { ledger, rows, acknowledged } = world();
  const twice = rows.map((row, i) => (i === 5 ? [...row.slice(0, 6), '2'] : row));
  assert.deepEqual(judgeStored(ledger, acknowledged, twice), { ...NOTHING, doubled: ['step 5 of host 0 is stored 2 times'] });
  assert.deepEqual(count(judgeStored(ledger, acknowledged, [...rows, rows[STEPS - 1]])), { ...NONE, doubled: 1 });
});

test('another content is named: hash, step, time', () => {
  const { ledger, rows, acknowledged } = world();
  for (const column of [3, 4, 5]) {
    const changed = rows.map((row, i) => (i === 5 ? row.map((v, c) => (c === column ? String(Number(v) + 1) : v)) : row));
    assert.deepEqual(count(judgeStored(ledger, acknowledged, changed)), { ...NONE, changed: 1 }, `column ${column}`);
  }
});

test('what nobody sent is named', () => {
  const { ledger, rows, acknowledged } = world();
  const other = [...rows[5].slice(0, 2), '999', ...rows[5].slice(3)];
  assert.deepEqual(count(judgeStored(ledger, acknowledged, [...rows, other])), { ...NONE, invented: 1 });
  ledger.hosts[1].entries[4].sent = 0;
  assert.deepEqual(count(judgeStored(ledger, acknowledged, rows)), { ...NONE, invented: 1 });
});

test('a series holds, or names what is lost, changed, doubled or invented', () => {
  const { ledger, acknowledged } = world();
  const host = ledger.hosts[0];
  for (const row of WITNESS_ROWS) {
    const points = host.entries.map((_, step) => {
      const [, allocs, frees, bytes] = host.table(0, step)[row];
      return [host.takenAt(step) / 1000, bytes, allocs - frees];
    });
    const judge = (list) => judgeSeries(host, acknowledged[0], 0, row, list).length;
    assert.equal(judge(points), 0);
    assert.equal(judge(points.slice(0, -2)), 0, 'the unanswered may be absent');
    assert.equal(judge(points.slice(1)), 1, 'lost');
    assert.equal(judge([...points, points[3]]), 1, 'doubled');
    assert.equal(judge([...points, [1, 2, 3]]), 1, 'invented');
    for (const column of [1, 2])
      assert.equal(judge(points.map((p, i) => (i === 9 ? p.map((v, c) => (c === column ? v + 1 : v)) : p))), 1, 'changed');
  }
});

test('a table holds, or names the row that is wrong, an old state, a host that is not served', () => {
  const { ledger } = world();
  const host = ledger.hosts[0];
  const served = (step) => ({ at: host.takenAt(step), items: ['nonpaged', 'paged'].flatMap((pool, p) =>
    host.table(p, step).map(([tag, allocs, frees, bytes]) => ({ pool, tag, allocs, frees, bytes }))) });
  assert.deepEqual(judgeTable(host, served(host.last), { notBefore: host.last }), []);
  assert.deepEqual(judgeTable(host, served(host.last + 1), { notBefore: host.last }), [], 'one that was not answered');
  assert.equal(judgeTable(host, served(host.last - 1), { notBefore: host.last }).length, 1, 'old');
  assert.equal(judgeTable(host, null).length, 1, 'not served');
  assert.equal(judgeTable(host, { at: 5, items: [] }).length, 1, 'never sent');
  const wrong = served(3);
  wrong.items[30].frees += 1;
  assert.equal(judgeTable(host, wrong).length, 1, 'a counter');
  const short = served(3);
  short.items.pop();
  assert.equal(judgeTable(host, short).length, 2, 'a row is missing: the count and the row');
});

test('answers: allowed, 503 with Retry-After, anything else', () => {
  const problem = { 'content-type': 'application/problem+json' };
  assert.equal(judgeAnswer({ status: 200, headers: {}, body: '' }, [200]), undefined);
  assert.equal(judgeAnswer({ status: 503, headers: { ...problem, 'retry-after': '2' }, body: '' }, [200]), undefined);
  assert.match(judgeAnswer({ status: 503, headers: problem, body: '' }, [200]), /without Retry-After/);
  assert.match(judgeAnswer({ status: 503, headers: { ...problem, 'retry-after': '0' }, body: '' }, [200]), /without/);
  assert.match(judgeAnswer({ status: 503, headers: { 'retry-after': '2' }, body: '' }, [200]), /503 as/);
  for (const status of [500, 502, 409, 404])
    assert.match(judgeAnswer({ status, headers: problem, body: 'x' }, [200]), new RegExp(`answered ${status}`));
});

test('an answer within the bound, and one beyond it', () => {
  assert.deepEqual(judgeBound('GET /', 15000, 15000), []);
  assert.deepEqual(judgeBound('GET /', 15001, 15000), ['GET / took 15001 ms, at most 15000 are allowed']);
});

test('files and memory: within the slack, beyond it', () => {
  const before = { files: 30, memory: 100e6 };
  const limits = { files: 8, memoryBytes: 10e6 };
  assert.deepEqual(judgeProcess(before, { files: 38, memory: 110e6 }, limits), []);
  assert.equal(judgeProcess(before, { files: 39, memory: 100e6 }, limits).length, 1);
  assert.equal(judgeProcess(before, { files: 30, memory: 110e6 + 1 }, limits).length, 1);
  assert.deepEqual(judgeProcess(before, { files: 30, memory: 900e6 }, { ...limits, memoryBytes: 0 }), []);
});

test('a plan is the seed\'s: the same again, another with another seed, every fault in each turn', () => {
  const names = Object.keys(FAULTS);
  const plan = (seed) => makePlan(randomFrom(seed), names.length * 2, { patienceMs: 5000 });
  assert.deepEqual(plan(3), plan(3));
  assert.notDeepEqual(plan(3), plan(4));
  assert.deepEqual(plan(3).slice(0, names.length).map((s) => s.name).sort(), [...names].sort());
});

test('a document tells what changed since the last acknowledged one, and a boot begins complete', () => {
  const ledger = new Ledger(7);
  const host = ledger.add('a', { startMs: Date.UTC(2026, 0, 1), perBoot: 20 });
  const whole = host.document(0);
  assert.equal(whole.base, undefined);
  assert.equal(whole.nonpaged.tag.length, host.table(0, 0).length);
  host.answered([0], 'acknowledged');
  host.document(1);
  host.answered([1], 'lost');
  const next = host.document(2);
  assert.equal(next.base, 1, 'sequence of step 0');
  assert.ok(next.nonpaged.tag.length > 0 && next.nonpaged.tag.length < whole.nonpaged.tag.length);
  assert.equal(host.document(20).base, undefined);
});
