import test from "node:test";
import assert from "node:assert/strict";
import { BACKOFF_MAX_MS, Poller } from "../lib/poller.js";

/** A poller whose time, timers and answers the test holds in its hands. */
function rig(answers, more = {}) {
  const seen = { data: [], errors: [], timers: [], now: 0, hidden: false, loads: 0 };
  const poller = new Poller({
    load: async () => {
      seen.loads++;
      const a = answers.shift();
      if (a instanceof Error) throw a;
      return a;
    },
    onData: (d) => seen.data.push(d),
    onError: (e) => seen.errors.push(e),
    interval: 1000,
    hidden: () => seen.hidden,
    now: () => seen.now,
    later: (fn, ms) => seen.timers.push({ fn, ms }),
    cancel: () => undefined,
    random: () => 1,
    ...more,
  });
  return { poller, seen };
}

test("poller_success_plansTheNext", async () => {
  const { poller, seen } = rig([1]);
  await poller.run();
  assert.deepEqual(seen.data, [1]);
  assert.equal(seen.timers[0].ms, 1000);
});

test("poller_failures_backOffUpToTheLimit", async () => {
  const { poller, seen } = rig(Array.from({ length: 20 }, () => new Error("down")));
  for (let i = 0; i < 20; i++) await poller.run();
  assert.equal(seen.timers[0].ms, 2000);
  assert.equal(seen.timers[1].ms, 4000);
  assert.equal(seen.timers[19].ms, BACKOFF_MAX_MS);
  assert.equal(seen.errors.length, 20);
});

test("poller_hidden_asksNothingUntilSeen", async () => {
  const { poller, seen } = rig([1, 2]);
  seen.hidden = true;
  await poller.run();
  assert.equal(seen.timers.length, 0);
  seen.hidden = false;
  seen.now = 5000;
  poller.visibility();
  await new Promise((r) => setImmediate(r));
  assert.deepEqual(seen.data, [1, 2]);
});

test("poller_shownSoon_waitsForItsTurn", async () => {
  const { poller, seen } = rig([1, 2]);
  await poller.run();
  seen.now = 100;
  poller.visibility();
  assert.equal(seen.loads, 1);
});

test("poller_stopped_saysNothing", async () => {
  const { poller, seen } = rig([1]);
  const running = poller.run();
  poller.stop();
  await running;
  assert.deepEqual(seen.data, []);
  await poller.run();
  assert.equal(seen.loads, 1);
});

test("poller_once_plansNothing", async () => {
  const { poller, seen } = rig([1], { interval: 0 });
  await poller.run();
  assert.equal(seen.timers.length, 0);
});
