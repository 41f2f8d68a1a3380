// SPDX-License-Identifier: Apache-2.0
// Every query of the Grafana dashboards against a filled database, by a role that sees the views
// and nothing else; macros and variables are put in as Grafana does.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { makeFleet, postAndFind } from './fleet.mjs';
import { DATABASE, start, until } from './server.mjs';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');
const folder = path.join(root, 'deploy/grafana');
const files = fs.readdirSync(folder).filter((name) => name.endsWith('.json'));
const dashboards = files.map((name) => ({ name, board: JSON.parse(fs.readFileSync(path.join(folder, name), 'utf8')) }));
const ROLE = `grafana_test_${process.pid}`;
const psql = (text, role) => spawnSync('psql', ['-X', '-q', '-tA', '-v', 'ON_ERROR_STOP=1', '-d', DATABASE, '-c',
  role ? `SET ROLE ${ROLE}; ${text}` : text], { encoding: 'utf8' });

let values;
before(async () => {
  const server = await start('--analyze-interval', '2s');
  try {
    const fleet = makeFleet();
    for (const document of fleet.documents) document.totals.handles = 41000;
    await postAndFind(server, fleet);
    await until(() => Number(psql("SELECT count(*) FROM v_tag_hour WHERE tag = 'Leak'").stdout) > 24, 'the rollups', 240000);
    values = { host: fleet.leaky.id, tag: 'Leak', pool: 'nonpaged' };
  } finally {
    await server.stop();
  }
  // What docs/sql.md tells an administrator to do; the role may be there from another database.
  const [, steps] = /```sql\n(CREATE ROLE poolfleet_reader[\s\S]*?)```/.exec(fs.readFileSync(path.join(root, 'docs/sql.md'), 'utf8'));
  psql('CREATE ROLE poolfleet_reader NOLOGIN');
  const done = psql(steps.replace('CREATE ROLE poolfleet_reader NOLOGIN;', '').replace('ROLE grafana LOGIN', `ROLE ${ROLE} LOGIN`));
  assert.equal(done.status, 0, done.stderr);
  assert.match(done.stdout, /may read the views/);
});
after(() => psql(`DROP OWNED BY ${ROLE}; DROP ROLE ${ROLE}`));

const fill = (sql) => sql.replace(/\$__timeFilter\((\w+)\)/g, "$1 BETWEEN now() - interval '30 days' AND now()")
  .replace(/\$(\w+)/g, (_, name) => { assert.ok(name in values, `unknown variable $${name}`); return values[name]; });
// Panels that may be empty where nothing is silent, foreseen or failing.
const MAY_BE_EMPTY = /Silent hosts|What changed|Builds/;

for (const { name, board } of dashboards) {
  const queries = [
    ...board.panels.flatMap((p) => p.targets.map((t) => ({ where: p.title, sql: t.rawSql, panel: p }))),
    ...board.annotations.list.map((a) => ({ where: `annotation ${a.name}`, sql: a.target.rawSql, annotation: true })),
    ...board.templating.list.filter((v) => v.type === 'query').map((v) => ({ where: `variable ${v.name}`, sql: v.query })),
  ];
  test(`${name}: each query runs with the rights of a reader and finds something`, () => {
    assert.ok(queries.length > 8);
    for (const { where, sql, annotation } of queries) {
      const done = psql(fill(sql), true);
      assert.equal(done.status, 0, `${name}, ${where}: ${done.stderr}`);
      if (!annotation && !MAY_BE_EMPTY.test(where)) assert.ok(done.stdout.trim() !== '', `${name}, ${where}: no rows`);
    }
  });
  test(`${name}: queries ask views only`, () => {
    for (const { where, sql } of queries)
      for (const [, from] of sql.matchAll(/\b(?:FROM|JOIN)\s+([a-z_]+)/g))
        if (!/\bextract\(epoch FROM\s*$/.test(sql.slice(0, sql.indexOf(`FROM ${from}`) + 5)))
          assert.ok(/^v_[a-z_]+$/.test(from) || ['min', 'percentile_cont', 'uptime'].includes(from), `${where}: ${from}`);
  });
  test(`${name}: panels lie side by side and have ids of their own`, () => {
    assert.equal(new Set(board.panels.map((p) => p.id)).size, board.panels.length);
    const cells = new Set();
    for (const { gridPos: g, title } of board.panels) {
      assert.ok(g.x + g.w <= 24, title);
      for (let x = g.x; x < g.x + g.w; x++)
        for (let y = g.y; y < g.y + g.h; y++) {
          assert.ok(!cells.has(`${x},${y}`), `${title} covers another`);
          cells.add(`${x},${y}`);
        }
    }
    assert.ok(board.panels.every((p) => p.targets.every((t) => t.datasource.uid === '${datasource}')));
  });
}

test('the dashboards have names of their own', () => {
  assert.deepEqual(files.sort(), ['fleet.json', 'host.json', 'tag.json']);
  assert.equal(new Set(dashboards.map((d) => d.board.uid)).size, files.length);
});
