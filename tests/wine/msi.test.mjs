// SPDX-License-Identifier: Apache-2.0
// The package as an administrator uses it: installed with properties, repaired, upgraded in place,
// removed, refused. Under Wine: the installer is not Microsoft's, so what is shown here is our
// tables, our custom actions and our program; rights of accounts and policies are not.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { ROOT, prefix, skip, until } from './wine.mjs';

const version = /^VERSION := (.+)$/m.exec(fs.readFileSync(path.join(ROOT, 'config.mk'), 'utf8'))[1];
const newer = version.replace(/\d+$/, (last) => String(Number(last) + 1));
const PROGRAM = 'C:\\Program Files\\Poolfleet\\Agent\\poolfleet-agent.exe';
const KEY = 'HKLM\\SOFTWARE\\Poolfleet\\Agent';
const DATA = 'C:\\ProgramData\\Poolfleet\\Agent';
const SECRET = 'pfe_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA';
const out = path.join(ROOT, 'build/wine/packages');
let wine;

// Exit codes reach us cut to a byte: 1603 is 67.
const cut = (code) => code & 255;

function packageFile(folder, number, arch) {
  return path.join(folder, `poolfleet-agent-${number}-${arch}.msi`);
}

async function msiexec(verb, file, ...rest) {
  const log = path.join(wine.drive, 'install.log');
  fs.rmSync(log, { force: true });
  const result = await wine.wine('msiexec', [verb, wine.windowsPath(file), '/qn', '/norestart',
    '/l*v', 'C:\\install.log', ...rest], { timeoutMs: 180000 });
  result.log = fs.existsSync(log) ? fs.readFileSync(log, 'latin1') : '';
  return result;
}

async function serviceKey() {
  return wine.registryQuery('HKLM\\System\\CurrentControlSet\\Services\\PoolfleetAgent');
}

before(async () => {
  if (skip) return;
  wine = await prefix('msi', { fresh: true });
  fs.mkdirSync(out, { recursive: true });
  for (const number of [version, newer])
    execFileSync(path.join(ROOT, 'scripts/msi.sh'), { env: { ...process.env, OUT: path.relative(ROOT, out), VERSION: number }, cwd: ROOT, stdio: 'pipe' });
}, { timeout: 180000 });

after(async () => {
  if (!skip) await wine.stop();
});

test('the x86 package is refused on 64-bit Windows and leaves nothing', { skip, timeout: 180000 }, async () => {
  const { code } = await msiexec('/i', packageFile(out, version, 'x86'));
  assert.equal(code, cut(1603));
  assert.equal(await serviceKey(), '');
});

test('properties become settings, the secret is kept encrypted and shows nowhere', { skip, timeout: 180000 }, async () => {
  const { code, log } = await msiexec('/i', packageFile(out, version, 'x64'), 'SERVERURL=https://127.0.0.1:9',
    `ENROLLSECRET=${SECRET}`, 'TAGS=role=file server,site=berlin', 'PROXY=none');
  assert.equal(code, 0, log.slice(-3000));
  assert.ok(wine.exists(PROGRAM));
  assert.match(await serviceKey(), /poolfleet-agent\.exe" service/);
  const registry = await wine.registryQuery(KEY);
  assert.match(registry, /ServerUrl\s+REG_SZ\s+https:\/\/127\.0\.0\.1:9/);
  assert.match(registry, /Tags\s+REG_SZ\s+role=file server,site=berlin/);
  assert.match(registry, /Proxy\s+REG_SZ\s+none/);
  assert.doesNotMatch(registry, /pfe_/);
  assert.doesNotMatch(registry, /CaFile|EnrollFile/, 'a property that was not given sets nothing');
  assert.ok(wine.exists(`${DATA}\\enroll`), 'the secret waits for the service');
  for (const name of fs.readdirSync(wine.unixPath(DATA))) {
    const bytes = fs.readFileSync(path.join(wine.unixPath(DATA), name));
    assert.ok(!bytes.includes(SECRET), `${name} does not hold the secret in clear`);
  }
});

test('the service runs after the installation', { skip, timeout: 180000 }, async () => {
  await until(async () => (await wine.wine('net', ['start'])).stdout.includes('Poolfleet Agent'), 'the service');
});

test('the newer package upgrades in place: settings, secret and data stay, one product is left', { skip, timeout: 180000 }, async () => {
  fs.writeFileSync(path.join(wine.unixPath(DATA), 'kept.txt'), 'kept');
  const { code, log } = await msiexec('/i', packageFile(out, newer, 'x64'));
  assert.equal(code, 0, log.slice(-3000));
  assert.match(await wine.registryQuery(KEY), /ServerUrl\s+REG_SZ\s+https:\/\/127\.0\.0\.1:9/);
  assert.ok(wine.exists(`${DATA}\\kept.txt`));
  assert.ok(wine.exists(PROGRAM));
  const uninstall = (await wine.wine('reg', ['query', 'HKLM\\Software\\Microsoft\\Windows\\CurrentVersion\\Uninstall', '/s'])).stdout;
  assert.equal(uninstall.match(/DisplayName\s+REG_SZ\s+Poolfleet Agent/g).length, 1);
  assert.ok(uninstall.includes(newer));
});

test('the older package is refused and the newer one stays', { skip, timeout: 180000 }, async () => {
  const { code } = await msiexec('/i', packageFile(out, version, 'x64'));
  assert.equal(code, cut(1603));
  assert.ok(wine.exists(PROGRAM));
  assert.match(await serviceKey(), /poolfleet-agent/);
});

test('removal takes program and service, and leaves settings and data for a return', { skip, timeout: 180000 }, async () => {
  const { code, log } = await msiexec('/x', packageFile(out, newer, 'x64'));
  assert.equal(code, 0, log.slice(-3000));
  assert.ok(!wine.exists(PROGRAM));
  assert.equal(await serviceKey(), '');
  assert.match(await wine.registryQuery(KEY), /ServerUrl/);
  assert.ok(wine.exists(`${DATA}\\kept.txt`));
});

test('REMOVEDATA=1 takes settings and data folder too', { skip, timeout: 180000 }, async () => {
  assert.equal((await msiexec('/i', packageFile(out, version, 'x64'))).code, 0);
  assert.match(await wine.registryQuery(KEY), /ServerUrl/, 'the settings of last time hold again');
  assert.equal((await msiexec('/x', packageFile(out, version, 'x64'), 'REMOVEDATA=1')).code, 0);
  assert.equal(await wine.registryQuery(KEY), '');
  assert.ok(!wine.exists(DATA));
});

// Wine's rollback does not undo InstallServices, so the service is not looked for here.
test('a bad property fails the installation with its reason in the log, and the program is gone', { skip, timeout: 180000 }, async () => {
  const { code, log } = await msiexec('/i', packageFile(out, version, 'x64'), 'SERVERURL=ftp://nowhere');
  assert.equal(code, cut(1603));
  assert.match(log, /Poolfleet: .*ServerUrl/);
  assert.ok(!wine.exists(PROGRAM));
});
