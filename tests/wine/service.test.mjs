// SPDX-License-Identifier: Apache-2.0
// The agent as a service: installed, started, fed, stopped, removed through Wine's own service
// control manager. Accounts, SIDs and privileges do not exist there, and the kernel answers are
// recorded: simulated.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { HOST, SECRET, startServer, writeReplay } from './stage.mjs';
import { prefix, skip, until } from './wine.mjs';

const DATA = 'C:\\ProgramData\\Poolfleet\\Agent';
const KEY = 'HKLM\\SOFTWARE\\Poolfleet\\Agent';
const EVENTS = 'HKLM\\SYSTEM\\CurrentControlSet\\Services\\EventLog\\Application\\PoolfleetAgent';
let wine;
let server;

async function agent(code, args, options) {
  const result = await wine.agent(args, options);
  assert.equal(result.code, code, `${args.join(' ')}: exit code ${result.code}\n${result.stdout}${result.stderr}`);
  return result;
}
const status = async () => JSON.parse((await agent(0, ['status', '--json'])).stdout);
const log = () => wine.read(`${DATA}\\agent.log`);
/** What the log says from here on. */
function fromNow() {
  const length = log().length;
  return () => log().slice(length);
}

before(async () => {
  if (skip) return;
  wine = await prefix('service');
  await wine.wine('net', ['stop', 'PoolfleetAgent']);
  await wine.agent(['uninstall', '--remove-data']);
  wine.remove('C:\\ProgramData\\Poolfleet');
  await wine.registryDelete('HKLM\\SOFTWARE\\Poolfleet');
  server = await startServer();
});

after(async () => {
  if (!wine) return;
  await wine.wine('net', ['stop', 'PoolfleetAgent']);
  await wine.agent(['uninstall', '--remove-data']);
  await server?.close();
  await wine.stop();
});

// Each test goes on where the one before has ended, as a service's life does.
describe('service', { skip }, () => {
  test('uninstall where nothing is installed: said, exit 0', async () => {
    const { stdout } = await agent(0, ['uninstall']);
    assert.match(stdout, /was not installed/);
  });

  test('install: quoted path, event source, stored settings, data folder; refusals are warnings', async () => {
    const replay = writeReplay(wine);
    const { stdout, stderr } = await agent(0, ['install', '--server-url', server.url, '--replay', replay,
      '--interval-seconds', '10']);
    assert.match(stdout, /is installed; start it with: net start PoolfleetAgent/);
    for (const line of stderr.split(/\r?\n/).filter(Boolean)) assert.match(line, /^warning: could not .*\(124\)$/);
    const { stdout: config } = await wine.wine('sc', ['qc', 'PoolfleetAgent']);
    const image = await wine.registryQuery('HKLM\\SYSTEM\\CurrentControlSet\\Services\\PoolfleetAgent');
    assert.match(image + config, /"[A-Z]:\\[^"]*poolfleet-agent\.exe" service/);
    assert.match(image, /ObjectName +REG_SZ +NT AUTHORITY\\LocalService/);
    assert.match(await wine.registryQuery(EVENTS), /EventMessageFile +REG_EXPAND_SZ +[A-Z]:\\.*poolfleet-agent\.exe/);
    assert.match(await wine.registryQuery(KEY), /IntervalSeconds +REG_SZ +10/);
    assert.equal(wine.exists(DATA), true);
    assert.equal((await status()).service, 'stopped');
  });

  test('install over it: brought up to date, exit 0', async () => {
    const { stdout } = await agent(0, ['install']);
    assert.match(stdout, /was there and is up to date/);
    assert.match(await wine.registryQuery(KEY), /ServerUrl/, 'stored settings stay');
  });

  test('start: RUNNING, with a line of the log that names version, server and simulation', async () => {
    await wine.serviceStart();
    await until(() => /info started text="version \d.*simulated: recorded/.test(log()), 'the started line');
    assert.match(log(), new RegExp(server.url.replaceAll('.', '\\.')));
    assert.equal((await status()).service, 'running');
  });

  test('a second agent: refused, names the service\'s process', async () => {
    const { stderr } = await agent(1, ['run', '--once']);
    assert.match(stderr, /another agent runs with it \(process \d+\)/);
  });

  test('enroll beside the running service: the service does it at once', async () => {
    const { stdout } = await agent(0, ['enroll'], { stdin: SECRET, timeoutMs: 120000 });
    assert.match(stdout, new RegExp(`enrolled as ${HOST}`));
    assert.equal(wine.exists(`${DATA}\\enroll`), false);
  });

  test('running: snapshots arrive, changes against an acknowledged base', async () => {
    await until(() => server.snapshots().some((d) => d.base !== undefined), 'a snapshot of changes', 60000);
    const all = server.snapshots();
    assert.equal(all[0].base, undefined);
    assert.equal(all[0].agent.simulated, true);
    const changed = all.find((d) => d.base !== undefined);
    assert.ok(all.some((d) => d.sequence === changed.base), 'its base was sent before');
    assert.ok(changed.sequence > changed.base);
  });

  test('the server goes away and comes back: one line each, and nothing is lost', async () => {
    const said = fromNow();
    const had = server.snapshots();
    await server.close();
    await until(() => /warning server away/.test(said()), 'the outage to be noticed', 60000);
    await until(async () => (await status()).last_fault, 'the fault to be in status');
    const back = await startServer({ port: server.port });
    server = back;
    await until(() => /info server back/.test(said()), 'the server to be found again', 120000);
    assert.equal(said().match(/server away/g).length, 1);
    await until(async () => (await status()).waiting === 0, 'the spool to be empty', 60000);
    const sequences = [...had, ...server.snapshots()].map((d) => d.sequence);
    assert.equal(new Set(sequences).size, sequences.length, 'each once');
  });

  test('a setting that changes: taken up without a restart of the service', async () => {
    const said = fromNow();
    await wine.registrySet(KEY, 'Tags', 'role=changed');
    await agent(0, ['enroll'], { stdin: SECRET }); // wakes the service; it would look within a minute
    await until(() => /info settings changed/.test(said()), 'the settings to be read', 90000);
    await until(() => server.snapshots().some((d) => d.host?.attributes?.role === 'changed'), 'the new role', 60000);
  });

  test('stop: STOPPED, with a line of the log', async () => {
    const said = fromNow();
    await wine.serviceStop();
    assert.match(said(), /info stopped text="asked to stop"/);
    assert.equal((await status()).service, 'stopped');
  });

  test('stop while the server holds an answer back: STOPPED all the same', async () => {
    server.answer = () => 'hang';
    const count = server.requests.length;
    await wine.serviceStart();
    await until(() => server.requests.length > count, 'a request under way', 60000);
    await wine.serviceStop();
    server.answer = () => undefined;
  });

  test('start with a data folder that cannot be: a service error, then it starts again when mended', async () => {
    const said = fromNow();
    await wine.registrySet(KEY, 'DataFolder', 'C:\\no\\such\\parent');
    await wine.wine('net', ['start', 'PoolfleetAgent']);
    await until(async () => (await wine.serviceState()) === 'STOPPED', 'the service to give up');
    assert.equal(said(), '', 'nothing in the other folder');
    await wine.wine('reg', ['delete', KEY, '/v', 'DataFolder', '/f']);
    await wine.serviceStart();
  });

  test('uninstall while it runs: stopped, removed; data and settings stay', async () => {
    const { stdout } = await agent(0, ['uninstall']);
    assert.match(stdout, /service PoolfleetAgent is removed/);
    assert.match(stdout, /data and settings stay/);
    await until(async () => (await status()).service === 'not installed', 'the service to go');
    assert.equal(await wine.registryQuery(EVENTS), '');
    assert.equal((await status()).host_id, HOST);
  });

  test('install again: the identity is still there', async () => {
    await agent(0, ['install']);
    await wine.serviceStart();
    assert.equal((await status()).host_id, HOST);
  });

  test('uninstall --remove-data: nothing is left', async () => {
    await agent(0, ['uninstall', '--remove-data']);
    assert.equal(wine.exists('C:\\ProgramData\\Poolfleet'), false);
    assert.equal(await wine.registryQuery('HKLM\\SOFTWARE\\Poolfleet'), '');
  });

  test('install --from-installer: settings and secret come on standard input', async () => {
    const replay = writeReplay(wine);
    await agent(0, ['install', '--from-installer'], {
      stdin: `ServerUrl=${server.url}\r\nReplay=${replay}\nIntervalSeconds=10\nEnrollSecret=${SECRET}\n` });
    assert.match(await wine.registryQuery(KEY), /ServerUrl/);
    assert.doesNotMatch(await wine.registryQuery(KEY), /EnrollSecret|enroll-secret/i);
    assert.equal(wine.exists(`${DATA}\\enroll`), true);
    const enrolls = () => server.requests.filter((r) => r.path.endsWith('/enroll') && r.bearer === SECRET).length;
    const count = enrolls();
    await wine.serviceStart();
    await until(() => enrolls() > count, 'the enrolment', 60000);
  });

  test('install --from-installer with a bad line: refused, names it', async () => {
    for (const [stdin, said] of [['nonsense\n', /line without "="/], ['Colour=red\n', /Colour/],
      ['ServerUrl=ftp://x\n', /ServerUrl/]]) {
      const { stderr } = await agent(stdin === 'nonsense\n' ? 2 : 1, ['install', '--from-installer'], { stdin });
      assert.match(stderr, said);
    }
  });

  test('uninstall --from-installer: leaves the service to the installer, stopped', async () => {
    await agent(0, ['uninstall', '--from-installer'], { stdin: 'RemoveData=1\n' });
    assert.equal(await wine.serviceState(), 'STOPPED');
    assert.equal(wine.exists(DATA), false);
  });
});
