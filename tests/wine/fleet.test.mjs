// SPDX-License-Identifier: Apache-2.0
// The agent and the server, both real, over TLS: the service under Wine enrols, posts, keeps what it
// took while the server is away and delivers it afterwards; the server shows it as a host with its
// drivers. Pool data is recorded (Wine has none), and every answer says that it is simulated.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { makeAuthority, makeCertificate } from '../http/certs.mjs';
import { ROOT, prefix, skip as noWine, until } from './wine.mjs';

const tool = path.join(ROOT, 'build/tools/make_replay');
const skip = noWine || (!process.env.POOLFLEET_TEST_URL && 'POOLFLEET_TEST_URL is not set') ||
  (!fs.existsSync(tool) && 'build/tools/make_replay is not built');
const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'fleet-'));
const DATA = 'C:\\ProgramData\\Poolfleet\\Agent';
const KEY = 'HKLM\\SOFTWARE\\Poolfleet\\Agent';
let wine, api, server, hostId;

const get = async (target) => {
  const reply = await server.request('GET', `/api/v1${target}`, { token: server.token('viewer') });
  assert.equal(reply.status, 200, reply.body.toString());
  return reply.json();
};
const spooled = () => fs.readdirSync(wine.unixPath(DATA)).filter((name) => name.startsWith('spool-')).length;
// How many snapshots the server holds of the host, by its own SQL view for people.
const held = () => Number(execFileSync('psql', ['-XAt', process.env.POOLFLEET_TEST_URL, '-c',
  `SELECT count(*) FROM snapshot JOIN host USING (host_id) WHERE id = '${hostId}'`], { encoding: 'utf8' }));

before(async () => {
  if (skip) return;
  makeAuthority(folder);
  const pair = makeCertificate(folder, 'server');
  fs.renameSync(pair.cert, path.join(folder, 'cert.pem'));
  fs.renameSync(pair.key, path.join(folder, 'key.pem'));
  process.env.POOLFLEET_TEST_TLS = folder;
  api = await import('../http/server.mjs'); // reads POOLFLEET_TEST_TLS
  wine = await prefix('fleet', { fresh: true });
  // Recorded pools, but Wine's own three drivers: their files are really read, hashed and scanned.
  const replay = path.join(folder, 'replay');
  execFileSync(tool, [replay, '--steps', '60']);
  for (const name of fs.readdirSync(replay).filter((each) => /^(77|11)-/.test(each)))
    fs.rmSync(path.join(replay, name));
  server = await api.start();
}, { timeout: 180000 });

after(async () => {
  if (skip) return;
  await wine.stop();
  await server?.stop();
  fs.rmSync(folder, { recursive: true, force: true });
});

test('a certificate of an unknown authority is refused, with what to do', { skip, timeout: 60000 }, async () => {
  const { code, stderr, stdout } = await wine.agent(['enroll', '--server-url', `https://localhost:${server.port}`],
    { stdin: 'pfe_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n' });
  assert.equal(code, 3, stdout + stderr);
  assert.match(stderr, /certificate/i);
});

test('a wrong enroll secret is refused by the server and said so', { skip, timeout: 60000 }, async () => {
  wine.write('C:\\ca.pem', fs.readFileSync(path.join(folder, 'ca.pem')));
  const { code, stderr, stdout } = await wine.agent(['enroll', '--server-url', `https://localhost:${server.port}`,
    '--ca-file', 'C:\\ca.pem'], { stdin: 'pfe_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n' });
  assert.notEqual(code, 0, stdout + stderr);
  assert.match(stderr, /secret|refused/i);
  assert.ok(!wine.exists(`${DATA}\\identity`));
});

test('with a secret of the server it enrols, and the settings given are kept', { skip, timeout: 60000 }, async () => {
  const secret = execFileSync(api.PROGRAM, ['enroll-secret', 'create', '--name', `wine ${process.pid} ${Date.now()}`,
    '--max-uses', '1', '--database-url', process.env.POOLFLEET_TEST_URL], { encoding: 'utf8' });
  const { code, stderr, stdout } = await wine.agent(['enroll', '--server-url', `https://localhost:${server.port}`,
    '--ca-file', 'C:\\ca.pem', '--tags', 'role=test-bench', '--interval-seconds', '10',
    '--replay', wine.windowsPath(path.join(folder, 'replay'))], { stdin: secret });
  assert.equal(code, 0, stdout + stderr);
  assert.match(await wine.registryQuery(KEY), /CaFile/);
  const status = await wine.agent(['status', '--json']);
  const told = JSON.parse(status.stdout);
  assert.equal(told.enrolled, true);
  hostId = told.host_id;
  assert.match(hostId, /^[0-9a-f-]{36}$/);
});

test('the service posts, and the host is served with its scanned drivers, labelled simulated', { skip, timeout: 180000 }, async () => {
  const { code, stdout, stderr } = await wine.agent(['install']);
  assert.equal(code, 0, stdout + stderr);
  await wine.serviceStart();
  await until(() => held() >= 2, 'two snapshots', 120000);
  const host = await until(async () => {
    const found = await get(`/hosts/${hostId}`);
    return found.drivers?.length === 3 && found.drivers.every((driver) => driver.scanned) && found;
  }, 'the drivers, scanned because the server asked', 60000);
  assert.match(host.drivers[0].sha256, /^[0-9a-f]{64}$/);
  assert.ok(host.drivers.some((driver) => driver.version));
  assert.equal(host.agent.simulated, true);
  assert.match(host.agent.version, /^\d+\.\d+\.\d+$/);
  assert.equal(host.attributes.role?.value ?? host.attributes.role, 'test-bench');
  assert.equal(host.agent.dropped, 0);
  const { items } = await get('/hosts?q=' + encodeURIComponent(host.name) + '&limit=1000&sort=-last_seen');
  assert.ok(items.some((each) => each.id === hostId && each.simulated === true));
  const table = await get(`/hosts/${hostId}/tags?limit=5000`);
  const rows = table.items ?? table.rows ?? table.tags;
  assert.ok(rows.length > 1000, `${rows.length} rows`);
});

test('while the server is away snapshots are kept; when it is back all arrive, once each', { skip, timeout: 240000 }, async () => {
  const { port } = server;
  await server.stop();
  const before = spooled();
  await until(() => spooled() >= before + 2, 'two more in the spool', 90000);
  server = await api.start('--listen', `127.0.0.1:${port}`);
  // The agent waits with a growing, random pause; a stop and start begins afresh.
  await wine.serviceStop();
  const waiting = spooled();
  assert.ok(waiting >= 2);
  const had = held();
  await wine.serviceStart();
  await until(() => spooled() === 0 && held() >= had + waiting, 'the spool to be empty', 120000);
  const host = await get(`/hosts/${hostId}`);
  assert.equal(host.agent.dropped, 0);
});

test('the service stops, and its log tells the outage in words', { skip, timeout: 60000 }, async () => {
  await wine.serviceStop();
  const log = wine.read(`${DATA}\\agent.log`);
  assert.match(log, /simulated/);
  assert.match(log, /started/i);
  assert.doesNotMatch(log, /pfe_|pft_/);
});
