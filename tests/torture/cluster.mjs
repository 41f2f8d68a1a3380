// SPDX-License-Identifier: Apache-2.0
// A PostgreSQL cluster of the run's own, durable (fsync on), in a small file system of its own where
// that can be mounted (root), so that the disk can be filled; and what can happen to it.
import { execFile, execFileSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { until } from './wait.mjs';

const PG_PRIVATE = path.resolve(path.dirname(new URL(import.meta.url).pathname), '../../scripts/pg_private.sh');
const exec = promisify(execFile);

export class Cluster {
  /** diskMegabytes 0: in a usual folder, without the disk's faults. */
  constructor({ diskMegabytes }) {
    this.folder = fs.mkdtempSync(path.join(os.tmpdir(), 'poolfleet-torture-'));
    this.mounted = undefined;
    this.whyNoDisk = 'no small file system was asked for';
    if (diskMegabytes > 0) this.mount(diskMegabytes);
  }

  mount(megabytes) {
    const disk = fs.mkdtempSync(path.join(os.tmpdir(), 'pfdisk.'));
    try {
      execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${megabytes}m,mode=755`, 'poolfleet-torture', disk],
        { stdio: ['ignore', 'ignore', 'pipe'] });
    } catch (error) {
      this.whyNoDisk = `a small file system cannot be mounted: ${String(error.stderr ?? error.message).trim().split('\n')[0]}`;
      fs.rmdirSync(disk);
      return;
    }
    this.mounted = disk;
    const data = path.join(disk, 'data');
    fs.mkdirSync(data, { mode: 0o700 });
    execFileSync('chown', ['postgres', data]);
    fs.writeFileSync(path.join(this.folder, 'data.path'), `${data}\n`); // pg_private.sh takes it
  }

  pg(verb) { return execFileSync(PG_PRIVATE, [verb, this.folder], { encoding: 'utf8' }).trim(); }
  async start() { await exec(PG_PRIVATE, ['start', this.folder]); }
  async stopFast() { await exec(PG_PRIVATE, ['stop', this.folder]); }
  async stopImmediate() {
    const pid = this.postmaster();
    process.kill(pid, 'SIGQUIT');
    await until(() => !isRunning(pid), 'PostgreSQL to stop');
  }

  data() { return fs.readFileSync(path.join(this.folder, 'data.path'), 'utf8').trim(); }
  socket() { return path.join(fs.readFileSync(path.join(this.folder, 'socket.path'), 'utf8').trim(), '.s.PGSQL.5432'); }
  url() { return this.pg('url'); }

  postmaster() {
    return Number(fs.readFileSync(path.join(this.data(), 'postmaster.pid'), 'utf8').split('\n')[0]);
  }
  isUp() {
    try {
      return isRunning(this.postmaster());
    } catch {
      return false;
    }
  }

  /** The postmaster and its children. */
  processes() {
    const main = this.postmaster();
    const children = fs.readdirSync('/proc').filter((name) => /^[0-9]+$/.test(name)).map(Number)
      .filter((pid) => parentOf(pid) === main);
    return [main, ...children];
  }

  /** All of them stand still; one that begins meanwhile too, since the postmaster does first. */
  freeze() {
    this.frozen = this.processes();
    for (const pid of this.frozen) signal(pid, 'SIGSTOP');
  }
  thaw() {
    for (const pid of (this.frozen ?? []).reverse()) signal(pid, 'SIGCONT');
    this.frozen = undefined;
  }

  /** One session dies as by a bug or the OOM killer: PostgreSQL restarts all of itself. */
  async killSession(clientSql) {
    const rows = await this.sql(clientSql);
    if (rows.length > 0) signal(Number(rows[0][0]), 'SIGKILL');
    return rows.length > 0;
  }

  /** Leaves so many bytes free. */
  fillDisk(leaveBytes) {
    const file = path.join(this.mounted, 'balloon');
    const free = freeBytes(this.mounted);
    if (free > leaveBytes) execFileSync('fallocate', ['-l', String(free - leaveBytes), file]);
  }
  emptyDisk() { if (this.mounted) fs.rmSync(path.join(this.mounted, 'balloon'), { force: true }); }

  async sql(text, { database } = {}) {
    const { stdout } = await exec('psql', ['-X', '-q', '-At', '-F', '\t', '-v', 'ON_ERROR_STOP=1', '-d',
      database ?? this.urlOnce(), '-c', text], { maxBuffer: 1 << 28 });
    return stdout.split('\n').filter(Boolean).map((line) => line.split('\t'));
  }
  urlOnce() { return (this.cachedUrl ??= this.url()); }

  remove() {
    this.thaw();
    this.emptyDisk();
    try {
      this.pg('stop');
    } catch { /* it was not running */ }
    if (this.mounted) {
      execFileSync('umount', [this.mounted]);
      fs.rmdirSync(this.mounted);
      fs.rmSync(path.join(this.folder, 'data.path'));
    }
    this.pg('remove');
  }
}

function freeBytes(folder) {
  const line = execFileSync('df', ['-B1', '--output=avail', folder], { encoding: 'utf8' }).trim().split('\n').pop();
  return Number(line);
}

function parentOf(pid) {
  try {
    const stat = fs.readFileSync(`/proc/${pid}/stat`, 'utf8');
    return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
  } catch {
    return 0; // it has ended
  }
}

function signal(pid, name) {
  try {
    process.kill(pid, name);
  } catch { /* it has ended */ }
}

export function isRunning(pid) {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
