// SPDX-License-Identifier: Apache-2.0
// What the agent reads beside pool tags, under Wine: drivers with the facts of their files, host
// attributes, the event log. Wine has no pool tags, so those come from a recording made here, and
// everything says "simulated"; the drivers are the three that Wine makes up, whose files are real.
import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { probe } from './probe.mjs';
import { prefix, skip } from './wine.mjs';

const DATA = 'C:\\source-data';
const CACHE = `${DATA}\\drivers`;
const REPLAY = 'C:\\recording';
const MOUNTMGR = 'C:\\windows\\system32\\drivers\\mountmgr.sys';
let wine;
let exe;

/** Class 22 of an x64 kernel: [tag, paged allocs, frees, bytes, nonpaged allocs, frees, bytes]. */
function poolTags(rows) {
  const blob = Buffer.alloc(8 + rows.length * 0x28);
  blob.writeUInt32LE(rows.length, 0);
  rows.forEach(([tag, pagedAllocs, pagedFrees, paged, allocs, frees, bytes], i) => {
    const at = 8 + i * 0x28;
    blob.write(tag, at, 'latin1');
    blob.writeUInt32LE(pagedAllocs, at + 4);
    blob.writeUInt32LE(pagedFrees, at + 8);
    blob.writeBigUInt64LE(BigInt(paged), at + 0x10);
    blob.writeUInt32LE(allocs, at + 0x18);
    blob.writeUInt32LE(frees, at + 0x1c);
    blob.writeBigUInt64LE(BigInt(bytes), at + 0x20);
  });
  return blob;
}

/** Class 11 of an x64 kernel. */
function modules(paths) {
  const blob = Buffer.alloc(8 + paths.length * 0x128);
  blob.writeUInt32LE(paths.length, 0);
  paths.forEach((name, i) => {
    const at = 8 + i * 0x128;
    blob.writeUInt32LE(0x10000, at + 0x18);
    blob.writeUInt16LE(i, at + 0x20);
    blob.writeUInt16LE(name.lastIndexOf('\\') + 1, at + 0x26);
    blob.write(name, at + 0x28, 'latin1');
  });
  return blob;
}

function record(files) {
  wine.remove(REPLAY);
  wine.write(`${REPLAY}\\version.txt`, '10.0.26100.4061 server x64\n');
  wine.write(`${REPLAY}\\22-0.bin`, poolTags([['Leak', 10, 4, 4096, 300, 100, 1 << 20], ['NtFC', 0, 0, 0, 50, 20, 8192]]));
  for (const [name, data] of Object.entries(files)) wine.write(`${REPLAY}\\${name}`, data);
}

before(async () => {
  if (skip) return;
  wine = await prefix('source');
  exe = probe('source_probe');
});

after(async () => wine?.stop());

/** Runs the probe: its JSON lines, and all snapshots. */
async function take(args, { recording = {}, keep = false } = {}) {
  record(recording);
  if (!keep) wine.remove(DATA);
  const list = Object.entries({ Replay: REPLAY, data: DATA, ...args })
    .filter(([, value]) => value !== null).map(([name, value]) => `${name}=${value}`);
  const { code, stdout, stderr } = await wine.wine(exe, list, { timeoutMs: 60000 });
  const lines = stdout.trim().split(/\r?\n/).filter(Boolean).map((line) => JSON.parse(line));
  return { code, lines, stderr, snapshots: lines.filter((line) => line.snapshot).map((line) => line.snapshot),
    changed: lines.filter((line) => 'changed' in line).map((line) => line.changed) };
}

const driver = (snapshot, name) => snapshot.host.drivers.find((d) => d.name === name);
const sha256 = (file) => crypto.createHash('sha256').update(fs.readFileSync(file)).digest('hex');

test('without a recording Wine has no pool tags, and that is said', { skip }, async () => {
  const { lines } = await take({ Replay: null });
  assert.match(lines.find((line) => line.fault).fault, /pool tags: this kernel has no such information class/);
});

test('a snapshot has both pools, time and the mark of a simulation', { skip }, async () => {
  const { snapshots } = await take({});
  assert.deepEqual(snapshots[0].nonpaged, { tag: ['NtFC', 'Leak'], allocs: [50, 300], frees: [20, 100],
    bytes: [8192, 1048576] });
  assert.deepEqual(snapshots[0].paged, { tag: ['Leak'], allocs: [10], frees: [4], bytes: [4096] });
  assert.equal(snapshots[0].agent.simulated, true);
  assert.ok(Math.abs(Date.parse(snapshots[0].taken_at) - Date.now()) < 60000);
  assert.equal(snapshots[0].host?.drivers, undefined); // not asked for
});

test('the clocks of a recording without class 3 are the system\'s own', { skip }, async () => {
  const { lines } = await take({});
  const clocks = lines.find((line) => 'uptime_s' in line);
  assert.ok(clocks.uptime_s > 0);
  assert.ok(Math.abs(clocks.uptime_s - clocks.wall_minus_boot_s) <= 1);
});

test('attributes tell the system that was recorded, and that it is simulated', { skip }, async () => {
  const { snapshots } = await take({ drivers: 1 });
  const { attributes } = snapshots[0].host;
  assert.equal(attributes['os.name'], 'Windows Server 2025');
  assert.equal(attributes['os.build'], '26100.4061');
  assert.equal(attributes['os.arch'], 'x64');
  assert.equal(attributes['poolfleet.simulated'], 'true');
  assert.match(attributes['hw.ram_bytes'], /^[0-9]{9,}$/);
  assert.match(attributes['cpu.count'], /^[1-9][0-9]*$/);
  assert.match(attributes['agent.version'], /^[0-9]+\.[0-9]+\.[0-9]+$/);
  assert.deepEqual(Object.keys(attributes), Object.keys(attributes).sort());
});

test('an x86 recording of Server 2003 is named as such', { skip }, async () => {
  const x86 = Buffer.alloc(4 + 0x1c);
  x86.writeUInt32LE(1, 0);
  x86.write('Leak', 4, 'latin1');
  x86.writeUInt32LE(7, 4 + 0x10);
  x86.writeUInt32LE(4096, 4 + 0x18);
  const { snapshots } = await take({ drivers: 1 },
    { recording: { 'version.txt': '5.2.3790.0 server x86\n', '22-0.bin': x86 } });
  assert.equal(snapshots[0].host.attributes['os.name'], 'Windows Server 2003');
  assert.equal(snapshots[0].host.attributes['os.arch'], 'x86');
  assert.equal(snapshots[0].host.attributes['os.build'], '3790');
});

test('drivers have lower-case names in order, and hash and version of their files', { skip }, async () => {
  const { snapshots } = await take({ drivers: 1 });
  const names = snapshots[0].host.drivers.map((d) => d.name);
  assert.deepEqual(names, ['hal.dll', 'mountmgr.sys', 'ntoskrnl.exe']);
  assert.equal(driver(snapshots[0], 'mountmgr.sys').sha256, sha256(wine.unixPath(MOUNTMGR)));
  assert.equal(driver(snapshots[0], 'hal.dll').sha256, sha256(wine.unixPath('C:\\windows\\system32\\hal.dll')));
  assert.equal(driver(snapshots[0], 'hal.dll').company, 'Microsoft Corporation');
  assert.match(driver(snapshots[0], 'hal.dll').version, /^[0-9.]+$/);
  assert.equal(driver(snapshots[0], 'hal.dll').tags, undefined); // not scanned: not "none"
});

test('the drivers of a recording are names only: they are not files of this host', { skip }, async () => {
  const { snapshots } = await take({ drivers: 1 }, { recording: {
    '11-0.bin': modules(['\\SystemRoot\\system32\\HAL.DLL', '\\SystemRoot\\System32\\drivers\\amdkmdag.sys']) } });
  assert.deepEqual(snapshots[0].host.drivers, [{ name: 'amdkmdag.sys' }, { name: 'hal.dll' }]);
});

test('drivers are new at first and then not, until asked for again', { skip }, async () => {
  const { changed, snapshots } = await take({ drivers: 1, takes: 3 });
  assert.deepEqual(changed, [true, false, false]);
  assert.deepEqual(snapshots[2].host, snapshots[0].host);
});

test('files are read once: the next agent has their facts from the cache', { skip }, async () => {
  const first = await take({ drivers: 1 });
  const file = wine.unixPath(CACHE);
  const written = fs.statSync(file).mtimeMs;
  const inode = fs.statSync(file).ino;
  const second = await take({ drivers: 1 }, { keep: true });
  assert.deepEqual(second.snapshots[0].host, first.snapshots[0].host);
  assert.equal(fs.statSync(file).mtimeMs, written);
  assert.equal(fs.statSync(file).ino, inode);
});

test('what the cache says is used as long as size and time of the file are the same', { skip }, async () => {
  // Same size, same time, other bytes: only a cache can still tell the old hash.
  const file = wine.unixPath(MOUNTMGR);
  const original = fs.readFileSync(file);
  const time = 1700000000;
  fs.utimesSync(file, time, time);
  await take({ drivers: 1 });
  const before = sha256(file);
  try {
    const other = Buffer.from(original);
    other[other.length - 1] ^= 1;
    fs.writeFileSync(file, other);
    fs.utimesSync(file, time, time);
    const same = await take({ drivers: 1 }, { keep: true });
    assert.equal(driver(same.snapshots[0], 'mountmgr.sys').sha256, before);
    fs.writeFileSync(file, Buffer.concat([original, Buffer.from('update')]));
    const updated = await take({ drivers: 1 }, { keep: true });
    assert.equal(driver(updated.snapshots[0], 'mountmgr.sys').sha256, sha256(file));
  } finally {
    fs.writeFileSync(file, original);
    fs.utimesSync(file, time, time);
  }
});

for (const [what, data] of [
  ['empty', ''], ['text', 'not a cache\n'], ['cut off', null], ['giant', Buffer.alloc(9 << 20, 'x')],
]) {
  test(`a cache that is ${what} is told, thrown away and made again`, { skip }, async () => {
    const first = await take({ drivers: 1 });
    const good = fs.readFileSync(wine.unixPath(CACHE));
    fs.writeFileSync(wine.unixPath(CACHE), data ?? good.subarray(0, good.length - 3));
    const second = await take({ drivers: 1 }, { keep: true });
    assert.deepEqual(second.snapshots[0].host, first.snapshots[0].host);
    assert.match(second.stderr, /driver files is broken; it is made again/);
    assert.deepEqual(fs.readFileSync(wine.unixPath(CACHE)), good);
  });
}

test('a driver file that is gone leaves its name', { skip }, async () => {
  const file = wine.unixPath(MOUNTMGR);
  fs.renameSync(file, `${file}.away`);
  try {
    const { snapshots } = await take({ drivers: 1 });
    assert.deepEqual(driver(snapshots[0], 'mountmgr.sys'), { name: 'mountmgr.sys' });
    assert.ok(driver(snapshots[0], 'hal.dll').sha256);
  } finally {
    fs.renameSync(`${file}.away`, file);
  }
});

test('a driver file that is no image has a hash and no version', { skip }, async () => {
  const file = wine.unixPath(MOUNTMGR);
  const original = fs.readFileSync(file);
  try {
    fs.writeFileSync(file, 'MZ but nothing else');
    const { snapshots } = await take({ drivers: 1 });
    assert.deepEqual(driver(snapshots[0], 'mountmgr.sys'), { name: 'mountmgr.sys', sha256: sha256(file) });
  } finally {
    fs.writeFileSync(file, original);
  }
});

test('only the file whose hash is asked for is scanned, and that is remembered', { skip }, async () => {
  const hash = sha256(wine.unixPath('C:\\windows\\system32\\hal.dll'));
  const { snapshots } = await take({ scan: hash });
  assert.ok(Array.isArray(driver(snapshots[0], 'hal.dll').tags));
  assert.equal(driver(snapshots[0], 'mountmgr.sys').tags, undefined);
  const next = await take({ drivers: 1 }, { keep: true });
  assert.ok(Array.isArray(driver(next.snapshots[0], 'hal.dll').tags));
});

test('with ScanDrivers 0 nothing is scanned', { skip }, async () => {
  const hash = sha256(wine.unixPath('C:\\windows\\system32\\hal.dll'));
  const { snapshots } = await take({ scan: hash, ScanDrivers: 0 });
  assert.equal(driver(snapshots[0], 'hal.dll').tags, undefined);
  assert.ok(driver(snapshots[0], 'hal.dll').sha256);
});

test('a part that cannot be read is left out and told once, however often it is asked', { skip }, async () => {
  const { snapshots, stderr } = await take({ takes: 4 });
  assert.equal(snapshots.length, 4);
  assert.equal(snapshots[3].objects, undefined);
  assert.equal(stderr.match(/left out of snapshots what="object types"/g).length, 1);
});

test('an event log that cannot be asked is an answer, not a wait', { skip }, async () => {
  const { lines } = await take({ events: 1, Replay: null });
  const faults = lines.filter((line) => line.fault);
  assert.equal(faults.length, 2);
  assert.match(faults[0].fault, /event log cannot be asked/);
});

test('the machine\'s hash is the same each time, or unknown', { skip }, async () => {
  const ids = [];
  for (let i = 0; i < 2; i++) ids.push((await take({ machine: 1 })).lines.find((line) => 'machine' in line).machine);
  assert.match(ids[0], /^([0-9a-f]{64})?$/);
  assert.equal(ids[0], ids[1]);
});

test('scan-drivers reads every loaded driver and tells each hit as a line of JSON', { skip }, async () => {
  const { lines, stderr, code } = await take({ find: 'This', Replay: null });
  assert.equal(code, 0);
  assert.match(stderr, /3 driver files, [0-9]+ hits/);
  for (const line of lines) {
    assert.equal(line.tag, 'This');
    assert.match(line.evidence, /^(bytes|code|call|service)$/);
    assert.ok(['hal.dll', 'ntoskrnl.exe', 'mountmgr.sys'].includes(path.win32.basename(line.path)));
  }
});

test('scan-drivers of a recording is refused', { skip }, async () => {
  const { lines } = await take({ find: 'Leak' });
  assert.match(lines[0].fault, /without Replay/);
});
