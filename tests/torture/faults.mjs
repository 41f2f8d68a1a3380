// SPDX-License-Identifier: Apache-2.0
// What breaks: a table. `plan` chooses the parameters from the seed, so that the plan can be
// printed and repeated; `run` breaks and mends. While it runs the load goes on. A row may say
// `skip`: why it cannot be done here; `short`: it belongs to the short form.
import { spawn } from 'node:child_process';
import { pause, until } from './wait.mjs';

/** A psql of its own that runs a script and is waited for, or ended. */
function session(world, sql) {
  const child = spawn('psql', ['-X', '-q', '-d', world.cluster.urlOnce(), '-c', sql],
    { stdio: ['ignore', 'ignore', 'pipe'] });
  let text = '';
  child.stderr.on('data', (part) => { text += part; });
  return new Promise((resolve) => { child.on('exit', (code) => resolve({ code, text })); });
}

const OURS = "FROM pg_stat_activity WHERE application_name = 'poolfleetd' AND datname = current_database()";

async function restartServer(world, how) {
  world.load.isDead = true;
  await how();
  await world.startServer();
  world.load.isDead = false;
}

export const FAULTS = {
  'kill the server': {
    short: true,
    plan: (random) => ({ after: random.int(0, 40) }),
    run: (world, { after }) => restartServer(world, async () => {
      await pause(after);
      await world.killServer();
    }),
  },
  'kill the server for a while': {
    plan: (random) => ({ seconds: random.int(1, 3) }),
    run: (world, { seconds }) => restartServer(world, async () => {
      await world.killServer();
      await pause(seconds * 1000);
    }),
  },
  'stop the server': {
    plan: () => ({}),
    run: (world) => restartServer(world, () => world.stopServer()),
  },
  'the server stands still': { // suspended machine, swapping: its clients wait
    plan: (random) => ({ seconds: random.int(1, 3) }),
    run: async (world, { seconds }) => {
      process.kill(world.server.pid, 'SIGSTOP');
      await pause(seconds * 1000);
      process.kill(world.server.pid, 'SIGCONT');
    },
  },
  'PostgreSQL restarts (fast)': {
    plan: (random) => ({ seconds: random.int(0, 3) }),
    run: async (world, { seconds }) => {
      await world.cluster.stopFast();
      await pause(seconds * 1000);
      await world.cluster.start();
    },
  },
  'PostgreSQL restarts (immediate)': {
    short: true,
    plan: (random) => ({ seconds: random.int(0, 2) }),
    run: async (world, { seconds }) => {
      await world.cluster.stopImmediate();
      await pause(seconds * 1000);
      await world.cluster.start();
    },
  },
  'a session of PostgreSQL is killed': {
    plan: () => ({}),
    run: async (world) => {
      await world.cluster.killSession(`SELECT pid ${OURS} ORDER BY state_change DESC LIMIT 1`);
      await until(async () => (await world.cluster.sql('SELECT 1').catch(() => [])).length > 0,
        'PostgreSQL to recover');
    },
  },
  'connections are terminated': {
    plan: (random) => ({ times: random.int(2, 6), gap: random.int(20, 200) }),
    run: async (world, { times, gap }) => {
      for (let i = 0; i < times; i++) {
        await world.cluster.sql(`SELECT pg_terminate_backend(pid) ${OURS}`);
        await pause(gap);
      }
    },
  },
  'connections are reset': {
    plan: (random) => ({ times: random.int(2, 6), gap: random.int(20, 200) }),
    run: async (world, { times, gap }) => {
      for (let i = 0; i < times; i++) {
        world.proxy.cut();
        await pause(gap);
      }
    },
  },
  'connections are reset instead of the answer': {
    short: true,
    plan: (random) => ({ times: random.int(3, 10), gap: random.int(20, 120) }),
    run: async (world, { times, gap }) => {
      for (let i = 0; i < times; i++) {
        world.proxy.cutAtAnswer();
        await pause(gap);
      }
      world.proxy.doomed.clear();
    },
  },
  'connections are closed by half': {
    plan: (random) => ({ times: random.int(1, 3), gap: random.int(50, 300) }),
    run: async (world, { times, gap }) => {
      for (let i = 0; i < times; i++) {
        world.proxy.halfClose();
        await pause(gap);
      }
    },
  },
  'the network to PostgreSQL stalls and goes on': {
    plan: (random, { patienceMs }) => ({ ms: random.int(500, patienceMs - 1000) }),
    run: async (world, { ms }) => {
      world.proxy.stall();
      await pause(ms);
      world.proxy.resume();
    },
  },
  'the network to PostgreSQL stalls for long': {
    plan: (random, { patienceMs }) => ({ ms: patienceMs + random.int(2000, 7000) }),
    run: async (world, { ms }) => {
      const refused = world.ledger.count('refused');
      world.proxy.stall();
      await pause(ms);
      world.expect('refused', world.ledger.count('refused') > refused, 'nobody was refused while PostgreSQL was out of reach');
      world.proxy.resume();
    },
  },
  'PostgreSQL stands still': {
    short: true,
    plan: (random, { patienceMs }) => ({ ms: patienceMs + random.int(2000, 5000) }),
    run: async (world, { ms }) => {
      const refused = world.ledger.count('refused');
      world.cluster.freeze();
      try {
        await pause(ms);
      } finally {
        world.cluster.thaw();
      }
      world.expect('refused', world.ledger.count('refused') > refused, 'nobody was refused while PostgreSQL stood still');
    },
  },
  'a table is locked': {
    short: true,
    plan: (random, { patienceMs }) => ({ table: random.pick(['host', 'snapshot', 'host_attribute', 'host_driver']),
      ms: random.int(500, patienceMs + 2000) }),
    run: async (world, { table, ms }) => {
      await session(world, `BEGIN; LOCK TABLE ${table} IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep(${ms / 1000}); COMMIT`);
    },
  },
  'rows are locked in the other order': { // deadlocks with a group's row locks
    plan: (random) => ({ times: random.int(2, 4) }),
    run: async (world, { times }) => {
      for (let i = 0; i < times; i++) {
        await session(world, 'BEGIN; SELECT 1 FROM (SELECT host_id FROM host ORDER BY host_id DESC LIMIT 1) t ' +
          'JOIN host USING (host_id) FOR UPDATE OF host; SELECT pg_sleep(0.3); ' +
          'SELECT 1 FROM host ORDER BY host_id LIMIT 5 FOR UPDATE; SELECT pg_sleep(0.2); COMMIT');
      }
    },
  },
  'transactions are serializable and meet': {
    plan: (random) => ({ seconds: random.int(1, 3) }),
    run: async (world, { seconds }) => {
      const level = (l) => world.cluster.sql(`ALTER DATABASE poolfleet SET default_transaction_isolation = '${l}'`);
      await level('serializable');
      await world.cluster.sql(`SELECT pg_terminate_backend(pid) ${OURS}`);
      const end = Date.now() + seconds * 1000;
      while (Date.now() < end)
        await session(world, 'UPDATE host SET name = name WHERE host_id % 3 = 0');
      await world.cluster.sql('ALTER DATABASE poolfleet RESET default_transaction_isolation');
      await world.cluster.sql(`SELECT pg_terminate_backend(pid) ${OURS}`);
    },
  },
  'the disk is full': {
    short: true,
    plan: (random) => ({ leave: random.pick([0, 0, 65536, 1 << 20]), seconds: random.int(3, 6) }),
    skip: (world) => (world.cluster.mounted ? undefined : world.cluster.whyNoDisk),
    run: async (world, { leave, seconds }) => {
      world.cluster.fillDisk(leave);
      await world.cluster.sql('SELECT pg_switch_wal(); CHECKPOINT').catch(() => {});
      await pause(seconds * 1000);
      world.cluster.emptyDisk();
      await pause(200);
      if (!world.cluster.isUp()) world.note('PostgreSQL gave up for want of space and is started again');
      await until(async () => {
        if (!world.cluster.isUp()) await world.cluster.start().catch(() => {});
        return (await world.cluster.sql('SELECT 1').catch(() => [])).length > 0;
      }, 'PostgreSQL to run with space again');
    },
  },
};

/** Every fault once, then again, in orders of the seed, each with its parameters. */
export function makePlan(random, count, options, names = Object.keys(FAULTS)) {
  const plan = [];
  while (plan.length < count) {
    for (const name of random.shuffle(names)) {
      if (plan.length < count)
        plan.push({ name, with: FAULTS[name].plan(random, options), gapMs: random.int(300, 1500) });
    }
  }
  return plan;
}
