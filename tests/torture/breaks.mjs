// SPDX-License-Identifier: Apache-2.0
// Breaks one rule on purpose at the end of a run, which must then fail: --break RULE; --break all
// breaks each after the other, another host each. Gives what was done and what must then be named.
const STEP = 2;
const usable = (world) => world.ledger.hosts.filter((h) => h.entries[STEP]?.answer === 'acknowledged');
const pick = (world, index) => {
  const host = usable(world)[index];
  return { host, where: `host_id = (SELECT host_id FROM host WHERE id = '${host.id}') AND sequence = ${
    host.sequence(STEP)} AND boot_at = to_timestamp(${host.bootAt(STEP) / 1000})` };
};

export const BREAKS = {
  lost: async (world) => {
    const { host, where } = pick(world, 0);
    await world.cluster.sql(`DELETE FROM snapshot WHERE ${where}`);
    return [`step ${STEP} of host ${host.index} is deleted`, `step ${STEP} of host ${host.index} `];
  },
  doubled: async (world) => {
    const { host, where } = pick(world, 1);
    await world.cluster.sql(`BEGIN; CREATE TEMP TABLE t AS SELECT * FROM snapshot WHERE ${where}; ` +
      'UPDATE t SET taken_at = taken_at + interval \'1 ms\'; INSERT INTO snapshot SELECT * FROM t; COMMIT');
    return [`step ${STEP} of host ${host.index} is stored again`, `step ${STEP} of host ${host.index} `];
  },
  changed: async (world) => {
    const { host, where } = pick(world, 2);
    await world.cluster.sql(`UPDATE snapshot SET nonpaged_bytes = nonpaged_bytes + 1 WHERE ${where}`);
    return [`a total of step ${STEP} of host ${host.index} is one more`, `step ${STEP} of host ${host.index} `];
  },
  invented: async (world) => {
    const { host, where } = pick(world, 3);
    await world.cluster.sql(`BEGIN; CREATE TEMP TABLE t AS SELECT * FROM snapshot WHERE ${where}; ` +
      "UPDATE t SET sequence = 999999, taken_at = taken_at + interval '1 ms'; INSERT INTO snapshot SELECT * FROM t; COMMIT");
    return [`host ${host.index} has a snapshot that nobody sent`, host.id];
  },
  served: async (world) => { // the ledger is changed instead of the block: the same difference
    const { host } = pick(world, 4);
    const table = host.table;
    host.table = function other(pool, step) {
      const rows = table.call(this, pool, step);
      if (step === STEP) rows[0][3] += 1;
      return rows;
    };
    return [`one counter of step ${STEP} of host ${host.index} is another`, `step ${STEP} of host ${host.index} reads`];
  },
  answers: async (world) => {
    await world.load.ask('GET', '/api/v1/hosts?limit=0', { token: world.tokens.viewer }, [200]);
    return ['a request was answered 422', '422'];
  },
  process: async (world) => {
    world.before = { ...world.before, files: world.before.files - 40 };
    return ['40 files more are open than before', 'open files'];
  },
};
