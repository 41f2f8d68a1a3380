// SPDX-License-Identifier: Apache-2.0
// The agent's verbs on a console: output, exit codes, settings and where they come from, enrolment,
// and what a broken data folder does. Under Wine, with recorded kernel answers: simulated.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { after, before, beforeEach, describe, test } from 'node:test';
import { HOST, SECRET, TOKEN, freePort, startServer, writeReplay } from './stage.mjs';
import { AGENT, prefix, skip, until } from './wine.mjs';

const DATA = 'C:\\ProgramData\\Poolfleet\\Agent';
const KEY = 'HKLM\\SOFTWARE\\Poolfleet\\Agent';
const POLICY = 'HKLM\\SOFTWARE\\Policies\\Poolfleet\\Agent';
const VERBS = ['run', 'install', 'uninstall', 'enroll', 'snapshot', 'scan-drivers', 'status', 'version'];
let wine;
let replay;

/** Runs the agent and checks its exit code; gives {stdout, stderr}. */
async function agent(code, args, options) {
  const result = await wine.agent(args, options);
  assert.equal(result.code, code, `${args.join(' ')}: exit code ${result.code}\n${result.stdout}${result.stderr}`);
  return result;
}

async function status() {
  return JSON.parse((await agent(0, ['status', '--json'])).stdout);
}

async function setting(name) {
  const { settings } = await status();
  const { value, source } = settings.find((s) => s.name === name);
  return [value, source];
}

before(async () => {
  if (skip) return;
  wine = await prefix('cli');
  for (const root of ['', 'Policies\\']) await wine.registryDelete(`HKLM\\SOFTWARE\\${root}Poolfleet`);
  replay = writeReplay(wine);
});

after(async () => {
  if (wine) await wine.stop();
});

beforeEach(async () => {
  if (skip) return;
  wine.remove('C:\\ProgramData\\Poolfleet');
});

describe('usage', { skip }, () => {
  test('version: one line with version and architecture, exit 0', async () => {
    const { stdout, stderr } = await agent(0, ['version']);
    assert.match(stdout, /^poolfleet-agent \d+\.\d+\.\d+ \(x64\)\r?\n$/);
    assert.equal(stderr, '');
  });

  test('help: lists every verb but the hidden one', async () => {
    const { stdout } = await agent(0, ['help']);
    for (const verb of VERBS) assert.match(stdout, new RegExp(`^  ${verb} `, 'm'));
    assert.doesNotMatch(stdout, /^ {2}service /m);
    assert.match(stdout, /3 could not reach the server/);
  });

  test('help VERB and VERB --help: the same text, exit 0', async () => {
    for (const verb of VERBS) {
      const { stdout } = await agent(0, ['help', verb]);
      assert.match(stdout, new RegExp(`^Usage: poolfleet-agent ${verb}`));
      assert.equal((await agent(0, [verb, '--help'])).stdout, stdout);
    }
  });

  test('no verb: help on stderr, exit 2', async () => {
    const { stdout, stderr } = await agent(2, []);
    assert.equal(stdout, '');
    assert.match(stderr, /^Usage: poolfleet-agent VERB/);
  });

  for (const [args, said] of [
    [['frobnicate'], /unknown verb "frobnicate"/],
    [['help', 'frobnicate'], /unknown verb "frobnicate"/],
    [['run', '--frob'], /unknown option "--frob"/],
    [['run', 'now'], /unexpected argument "now"/],
    [['run', '--once=yes'], /option "--once" takes no value/],
    [['run', '--server-url'], /option "--server-url" needs a value/],
    [['run', '--server-url', 'ftp://x'], /setting ServerUrl \(flag\) has the value "ftp:\/\/x", must be https/],
    [['run', '--server-url=http://pool.example.com'], /setting ServerUrl \(flag\)/],
    [['run', '--interval-seconds=5'], /setting IntervalSeconds \(flag\)/],
    [['run', '--once'], /setting ServerUrl is not set/],
    [['enroll'], /setting ServerUrl is not set/],
    [['enroll', SECRET], /unexpected argument/],
    [['enroll', '--secret', SECRET], /unknown option "--secret"/],
    [['snapshot', '--json', '--csv'], /only one of --json, --csv and --diff/],
    [['snapshot', '--diff', '0'], /"--diff" has the value "0", must be seconds/],
    [['snapshot', '--diff', '1.5'], /"--diff" has the value "1.5"/],
    [['snapshot', '--diff'], /option "--diff" needs a value/],
    [['snapshot', '--sort=colour'], /colour/],
    [['snapshot', '/z'], /"\/z"/],
    [['scan-drivers'], /no tag is given/],
    [['scan-drivers', 'TooLong'], /"TooLong" is not a pool tag/],
    [['uninstall', '--server-url', 'https://x'], /unknown option "--server-url"/],
    [['service'], /for the service control manager/],
  ]) {
    test(`${args.join(' ')}: exit 2 with a line that names the fault`, async () => {
      const { stdout, stderr } = await agent(2, args, { stdin: '' });
      assert.match(stderr, said);
      assert.match(stderr, /^poolfleet-agent: /m);
      assert.equal(stdout, '');
    });
  }
});

describe('snapshot', { skip }, () => {
  test('without a Windows kernel: says that it tells no pool tags, exit 1', async () => {
    const { stdout, stderr } = await agent(1, ['snapshot']);
    assert.match(stderr, /could not read .*pool tags.*c0000003/i);
    assert.match(stderr, /simulated: Wine/);
    assert.equal(stdout, '');
  });

  test('table: the first line says simulated, then poolmon\'s rows', async () => {
    const { stdout } = await agent(0, ['snapshot', '--replay', replay, '/b']);
    const lines = stdout.split(/\r?\n/);
    assert.match(lines[0], /^simulated: recorded answers/);
    assert.match(stdout, /^ ?Leak Nonp +1000 +400 +600 +600000 +1000/m);
    assert.match(stdout, /^ ?Io {3}Paged +7 +3 +4 +400 +100/m);
    assert.ok(stdout.indexOf('Leak Nonp') < stdout.indexOf('NtFC Nonp'), 'sorted by bytes');
  });

  test('table: poolmon\'s filters', async () => {
    const { stdout } = await agent(0, ['snapshot', '--replay', replay, '/iLe*', '/p']);
    assert.match(stdout, /Leak Nonp/);
    assert.doesNotMatch(stdout, /NtFC|Io {2}/);
  });

  test('--json: one document, marked simulated, with its tables', async () => {
    const { stdout } = await agent(0, ['snapshot', '--replay', replay, '--json']);
    const document = JSON.parse(stdout);
    assert.equal(document.format, 1);
    assert.equal(document.agent.simulated, true);
    assert.deepEqual(document.nonpaged, { tag: ['NtFC', 'Leak'], allocs: [50, 1000], frees: [20, 400],
      bytes: [4096, 600000] });
    assert.deepEqual(document.paged.tag, ['Io  ', 'NtFC']);
    assert.match(document.taken_at, /^20\d\d-/);
  });

  test('--csv: header, quoted tags, a column that says simulated', async () => {
    const { stdout } = await agent(0, ['snapshot', '--replay', replay, '--csv']);
    const lines = stdout.trimEnd().split('\r\n');
    assert.match(lines[0], /^tag,pool,allocs,frees,outstanding,bytes,simulated$/);
    assert.ok(lines.some((line) => line.startsWith('"Leak",nonpaged,1000,400,600,600000,')), stdout);
  });

  test('--diff 1: the change in parentheses', async () => {
    const { stdout } = await agent(0, ['snapshot', '--replay', replay, '--diff', '1', '/iLeak']);
    assert.match(stdout, /Leak Nonp +1500 \( *500\)/);
    assert.match(stdout, /1100000 \( *500000\)/);
  });

  test('recorded answers that are not there: named, exit 1', async () => {
    const { stderr } = await agent(1, ['snapshot', '--replay', 'C:\\nowhere']);
    assert.match(stderr, /C:\\nowhere/);
  });

  test('keeps nothing on disk', async () => {
    await agent(0, ['snapshot', '--replay', replay]);
    assert.equal(wine.exists('C:\\ProgramData\\Poolfleet'), false);
  });
});

describe('settings', { skip }, () => {
  const clear = async () => {
    if (skip) return;
    await wine.registryDelete('HKLM\\SOFTWARE\\Poolfleet');
    await wine.registryDelete('HKLM\\SOFTWARE\\Policies\\Poolfleet');
  };
  before(clear);
  after(clear);

  test('file, registry, policy, flag: the stronger one wins and is named', async () => {
    assert.deepEqual(await setting('TopProcesses'), ['20', 'built-in']);
    wine.write(`${DATA}\\agent.ini`, '; comment\n[agent]\ntopprocesses = 21\nTags = role=späher\n');
    assert.deepEqual(await setting('TopProcesses'), ['21', 'file']);
    assert.deepEqual(await setting('Tags'), ['role=späher', 'file']);
    await wine.registrySet(KEY, 'TopProcesses', '22', 'REG_DWORD');
    assert.deepEqual(await setting('TopProcesses'), ['22', 'registry']);
    await wine.registrySet(POLICY, 'TopProcesses', '23');
    assert.deepEqual(await setting('TopProcesses'), ['23', 'policy']);
    const { stdout } = await agent(0, ['status', '--top-processes=24', '--tags', 'role=bär']);
    assert.match(stdout, /^TopProcesses +24 +\(flag\)/m);
    assert.match(stdout, /^Tags +role=bär +\(flag\)/m);
  });

  test('registry types: several texts are joined, variables replaced', async () => {
    await wine.registrySet(KEY, 'Tags', 'role=a\\0site=b', 'REG_MULTI_SZ');
    await wine.registrySet(KEY, 'CaFile', '%SystemRoot%\\ca.pem', 'REG_EXPAND_SZ');
    assert.deepEqual(await setting('Tags'), ['role=a,site=b', 'registry']);
    assert.match((await setting('CaFile'))[0], /^C:\\windows\\ca\.pem$/i);
  });

  test('a bad value: a warning that names value and layer, and the next layer holds', async () => {
    await wine.registrySet(KEY, 'SpoolDays', '30', 'REG_DWORD');
    await wine.registrySet(POLICY, 'SpoolDays', '900', 'REG_DWORD');
    await wine.registrySet(POLICY, 'Colour', 'red');
    await wine.registrySet(POLICY, 'LogLevel', '00', 'REG_BINARY');
    const { stdout, stderr } = await agent(0, ['status']);
    assert.match(stdout, /^SpoolDays +30 +\(registry\)/m);
    assert.match(stderr, /warning: setting SpoolDays \(policy\) has the value "900", must be a number 1 to 90/);
    assert.match(stderr, /warning: no setting is named "Colour" \(policy\)/);
    assert.match(stderr, /warning: setting LogLevel \(policy\) has a registry type/);
  });

  test('DataFolder on no local disk: refused, exit 1', async () => {
    const { stderr } = await agent(1, ['run', '--once', '--server-url', 'http://127.0.0.1:1', '--data-folder',
      '\\\\server\\share\\agent']);
    assert.match(stderr, /DataFolder .*must be a folder of its own on a local disk/);
  });
});

describe('status', { skip }, () => {
  test('before any agent has run', async () => {
    const { stdout } = await agent(0, ['status']);
    assert.match(stdout, /^simulated: Wine/);
    assert.match(stdout, /^service +not installed/m);
    assert.match(stdout, /no agent has run yet/);
    assert.equal(wine.exists(DATA), false, 'status makes nothing');
  });

  test('--json: null where nothing is known', async () => {
    const now = await status();
    assert.equal(now.simulated, true);
    assert.equal(now.enrolled, null);
    assert.equal(now.host_id, null);
    assert.equal(now.data_folder, DATA);
    assert.match(now.data_fault, /no agent has run yet/);
  });
});

describe('server', { skip }, () => {
  let server;
  let flags;
  beforeEach(async () => {
    server = await startServer();
    flags = ['--server-url', server.url, '--replay', replay];
    await wine.registryDelete('HKLM\\SOFTWARE\\Poolfleet');
  });
  const stop = () => server.close();

  test('enroll from standard input: enrolled, the secret is gone, the token not in clear', async () => {
    const { stdout } = await agent(0, ['enroll', ...flags], { stdin: `${SECRET}\r\n` });
    assert.match(stdout, new RegExp(`^enrolled as ${HOST}`, 'm'));
    const now = await status();
    assert.equal(now.enrolled, true);
    assert.equal(now.host_id, HOST);
    assert.deepEqual(now.settings.find((s) => s.name === 'ServerUrl'),
      { name: 'ServerUrl', value: server.url, source: 'registry' });
    assert.equal(wine.exists(`${DATA}\\enroll`), false);
    for (const name of fs.readdirSync(wine.unixPath(DATA))) {
      const bytes = fs.readFileSync(path.join(wine.unixPath(DATA), name));
      assert.ok(!bytes.includes(TOKEN) && !bytes.includes(SECRET), `${name} holds a secret in clear`);
    }
    await stop();
  });

  test('enroll from a file, UTF-16 with a mark as PowerShell writes it', async () => {
    wine.write('C:\\secret.txt', Buffer.concat([Buffer.from([0xff, 0xfe]), Buffer.from(`${SECRET}\r\n`, 'utf16le')]));
    const { stdout } = await agent(0, ['enroll', ...flags, '--secret-file', 'C:\\secret.txt']);
    assert.match(stdout, /^enrolled as /m);
    await stop();
  });

  test('enroll twice: told, and no second enrolment is asked for', async () => {
    await agent(0, ['enroll', ...flags], { stdin: SECRET });
    const { stdout } = await agent(0, ['enroll', ...flags], { stdin: SECRET });
    assert.match(stdout, new RegExp(`already enrolled as ${HOST}`));
    assert.equal(server.requests.filter((r) => r.path.endsWith('/enroll')).length, 1);
    await stop();
  });

  test('enroll with a wrong secret: the server\'s reason, exit 1', async () => {
    const { stderr } = await agent(1, ['enroll', ...flags], { stdin: 'wrong' });
    assert.match(stderr, /no such enroll secret/);
    assert.equal((await status()).enrolled, false);
    await stop();
  });

  for (const [what, stdin, said] of [
    ['nothing', '', /no enroll secret on standard input/],
    ['a blank line', '  \r\n', /no enroll secret on standard input/],
    ['two words', 'two words\n', /enroll secret holds a blank/],
  ]) {
    test(`enroll with ${what} on standard input: refused before the server is asked`, async () => {
      const result = await wine.agent(['enroll', ...flags], { stdin });
      assert.notEqual(result.code, 0);
      assert.match(result.stderr, said);
      assert.equal(server.requests.length, 0);
      await stop();
    });
  }

  test('enroll while the server is away: exit 3, and the secret is kept for later', async () => {
    await stop();
    const { stderr } = await agent(3, ['enroll', ...flags], { stdin: SECRET });
    assert.match(stderr, /could not reach|could not connect/);
    assert.equal(wine.exists(`${DATA}\\enroll`), true);
    server = await startServer({ port: server.port });
    await agent(0, ['run', '--once', ...flags]);
    assert.equal((await status()).host_id, HOST);
    assert.equal(wine.exists(`${DATA}\\enroll`), false);
    await stop();
  });

  test('EnrollFile: read, used, removed', async () => {
    wine.write('C:\\enroll.txt', `${SECRET}\n`);
    await agent(0, ['run', '--once', ...flags, '--enroll-file', 'C:\\enroll.txt']);
    assert.equal((await status()).host_id, HOST);
    assert.equal(wine.exists('C:\\enroll.txt'), false);
    await stop();
  });

  test('run --once: the server has the snapshot, marked simulated, and nothing waits', async () => {
    wine.write('C:\\enroll.txt', SECRET);
    await agent(0, ['run', '--once', ...flags, '--enroll-file=C:\\enroll.txt', '--tags', 'role=test']);
    const [document] = server.snapshots();
    assert.equal(document.agent.simulated, true);
    const { tag, allocs } = document.nonpaged;
    assert.deepEqual(Object.fromEntries(tag.map((name, i) => [String(name), allocs[i]])), { Leak: 1000, NtFC: 50 });
    assert.equal(document.base, undefined);
    assert.equal(document.host.attributes.role, 'test');
    const now = await status();
    assert.equal(now.waiting, 0);
    assert.ok(now.last_acknowledged);
    assert.equal(now.last_fault, null);
    await stop();
  });

  test('run --once while the server is away: exit 3, the snapshot waits, and is sent later', async () => {
    await agent(0, ['enroll', ...flags], { stdin: SECRET });
    await stop();
    const before = server.snapshots().length;
    const { stderr } = await agent(3, ['run', '--once', ...flags]);
    assert.match(stderr, /server away/);
    const now = await status();
    assert.ok(now.waiting >= 1);
    assert.ok(now.waiting_bytes > 0);
    assert.ok(now.oldest_waiting);
    assert.match(now.last_fault, /could not/);
    server = await startServer({ port: server.port });
    await agent(0, ['run', '--once', ...flags]);
    assert.ok(server.snapshots().length + before >= 2);
    assert.equal((await status()).waiting, 0);
    await stop();
  });

  test('run --once, token refused and no secret: exit 1 with the reason', async () => {
    await agent(0, ['enroll', ...flags], { stdin: SECRET });
    server.answer = () => ({ code: 401, body: { type: 'urn:poolfleet:problem:unauthorized',
      title: 'No or bad token', detail: 'token was revoked' } });
    const result = await wine.agent(['run', '--once', ...flags]);
    assert.ok([1, 3].includes(result.code), String(result.code));
    assert.match(result.stderr, /401|revoked|refuse/);
    await stop();
  });

  test('corrupt state and identity: set aside with a line of the log, and the agent goes on', async () => {
    await agent(0, ['enroll', ...flags], { stdin: SECRET });
    for (const name of ['state', 'identity']) wine.write(`${DATA}\\${name}`, 'not what it was');
    assert.equal((await status()).enrolled, false);
    wine.write('C:\\enroll.txt', SECRET);
    const { stderr } = await agent(0, ['run', '--once', ...flags, '--enroll-file=C:\\enroll.txt']);
    assert.match(stderr, /data folder text=.*identity.*corrupt/);
    assert.equal((await status()).host_id, HOST);
    await stop();
  });

  test('a second agent on the same folder: refused, names the first one', async () => {
    const first = wine.spawn(AGENT, ['run', ...flags]);
    await until(() => wine.read(`${DATA}\\agent.log`).includes('started'), 'the first agent');
    const { stderr } = await agent(1, ['run', '--once', ...flags]);
    assert.match(stderr, /could not lock the data folder: another agent runs with it \(process \d+\)/);
    assert.equal((await status()).data_fault, null, 'status works beside it');
    first.child.kill('SIGKILL');
    await first.done;
    await until(async () => !/another agent/.test((await wine.agent(['run', '--once', ...flags])).stderr),
      'the lock to go with its process');
    await stop();
  });

  test('agent.log beyond 1 MiB: rotated, three old ones kept', async () => {
    wine.write(`${DATA}\\agent.log`, 'x'.repeat(1 << 20));
    for (const n of [1, 2, 3]) wine.write(`${DATA}\\agent.${n}.log`, `old ${n}`);
    await wine.agent(['run', '--once', ...flags]);
    assert.match(wine.read(`${DATA}\\agent.1.log`), /^x{1000}/);
    assert.equal(wine.read(`${DATA}\\agent.2.log`), 'old 1');
    assert.equal(wine.read(`${DATA}\\agent.3.log`), 'old 2');
    assert.ok(wine.read(`${DATA}\\agent.log`).length < 65536);
    await stop();
  });

  test('a folder or file in the place of one of ours: told, nothing outside is touched', async () => {
    wine.write('C:\\ProgramData\\Poolfleet\\Agent', 'a file');
    const { stderr } = await agent(1, ['run', '--once', ...flags]);
    assert.match(stderr, /data folder/);
    assert.equal(wine.read('C:\\ProgramData\\Poolfleet\\Agent'), 'a file');
    await stop();
  });

  test('nothing listens: the event says which address', async () => {
    const port = await freePort();
    await wine.agent(['enroll', '--server-url', `http://127.0.0.1:${port}`, '--replay', replay], { stdin: SECRET });
    assert.match(wine.read(`${DATA}\\agent.log`), new RegExp(`server away text=.*127\\.0\\.0\\.1:${port}`));
    await stop();
  });
});
