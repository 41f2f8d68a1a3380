// SPDX-License-Identifier: Apache-2.0
// Small programs that show one part of the agent alone: tests/wine/NAME.c with the agent's own
// objects behind it (an archive, so that only what is used comes in, and its wmain stays out).
//
//   POOLFLEET_PROBES   a folder of ready programs instead (NAME.exe)
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { AGENT, ROOT } from './wine.mjs';

const OUT = path.join(ROOT, 'build/wine/probes');
const GCC = 'x86_64-w64-mingw32-gcc';
const FLAGS = ['-std=gnu11', '-O1', '-g', '-Wall', '-Wextra', '-I.', '-D_GNU_SOURCE', '-DUNICODE', '-D_UNICODE',
  '-DWIN32_LEAN_AND_MEAN', '-DWINVER=0x0A00', '-D_WIN32_WINNT=0x0A00', '-fstack-protector-strong', '-static',
  '-municode'];
const LIBRARIES = ['-lz', '-lwinhttp', '-lcrypt32', '-ladvapi32', '-lole32', '-lws2_32'];

function run(program, args) {
  const { status, stdout, stderr, error } = spawnSync(program, args, { cwd: ROOT, encoding: 'utf8' });
  assert.equal(status, 0, `${program} ${args.join(' ')}: ${error ?? ''}${stdout}${stderr}`);
}

/** All objects of the agent that was built, without its resources. */
function objects(folder) {
  return fs.readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const at = path.join(folder, entry.name);
    if (entry.isDirectory()) return objects(at);
    return entry.name.endsWith('.o') && !entry.name.endsWith('.res.o') ? [at] : [];
  });
}

/** Path of tests/wine/NAME.c as a program. */
export function probe(name) {
  if (process.env.POOLFLEET_PROBES) return path.resolve(process.env.POOLFLEET_PROBES, `${name}.exe`);
  fs.mkdirSync(OUT, { recursive: true });
  const archive = path.join(OUT, `${name}.a`);
  const exe = path.join(OUT, `${name}.exe`);
  fs.rmSync(archive, { force: true });
  run('x86_64-w64-mingw32-ar', ['rcs', archive, ...objects(path.dirname(AGENT))]);
  run(GCC, [...FLAGS, '-o', exe, `tests/wine/${name}.c`, archive, ...LIBRARIES]);
  return exe;
}
