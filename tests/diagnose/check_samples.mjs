// SPDX-License-Identifier: Apache-2.0
// Runs `poolfleetd diagnose FILE --json` on every sample and compares field by field with the
// .json beside it, as the samples' own README describes. Environment: POOLFLEETD (the command),
// POOLFLEET_SAMPLES (the folder). Prints each disagreement; the last line counts fields.
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { basename, dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..', '..');
const command = (process.env.POOLFLEETD || 'build/bin/poolfleetd').split(' ');
const samples = resolve(root, process.env.POOLFLEET_SAMPLES || '../shared/samples');
const own = join(root, 'tests', 'data', 'diagnose');
const kinds = ['poolused', 'vm', 'poolmon', 'csv', 'other'];
const verdicts = ['nonpaged_exhausted', 'paged_exhausted', 'session_pool_exhausted',
  'nonpaged_leak_suspect', 'paged_leak_suspect', 'nothing_wrong', 'insufficient_data'];
const MOD = 2 ** 32;

// Verdicts that are right too, where nine in ten fields of the file are right.
const debatable = {
  'csv/01': ['nothing_wrong'],
  'csv/03': ['insufficient_data'],
  'csv/04': ['insufficient_data'],
  'csv/06': ['nonpaged_exhausted'],
  'csv/07': ['insufficient_data'],
  'csv/12': ['insufficient_data'],
  'other/07': ['nonpaged_leak_suspect'],
  'other/10': ['nothing_wrong', 'nonpaged_leak_suspect'],
  'other/11': ['insufficient_data'],
  'other/12': ['insufficient_data'],
  'poolmon/03': ['insufficient_data'],
  'poolmon/04': ['insufficient_data'],
  'poolmon/07': ['nothing_wrong', 'paged_leak_suspect'],
  'poolmon/09': ['insufficient_data'],
  'poolused/03': ['insufficient_data', 'nothing_wrong'],
  'poolused/04': ['insufficient_data', 'nothing_wrong'],
  'poolused/07': ['insufficient_data'],
  'poolused/08': ['insufficient_data'],
  'poolused/15': ['nonpaged_leak_suspect'],
  'poolused/16': ['nothing_wrong'],
  'poolused/17': ['nothing_wrong'],
  'poolused/18': ['insufficient_data'],
  'vm/16': ['nonpaged_leak_suspect'],
  'vm/21': ['insufficient_data'],
};

const pools = ['nonpaged', 'paged'];
const usage = (pool) => [pool, `${pool}_usage`, `${pool}_used`, `${pool}_pool`,
  `${pool}_pool_usage`, `${pool}_pool_used`];
const limits = (names) => names.flatMap((n) => [`${n}_max`, `${n}_maximum`, `${n}_limit`]);
const kbNames = {
  nonpaged_usage_kb: usage('nonpaged'),
  nonpagednx_usage_kb: [...usage('nonpagednx'), ...usage('nonpaged_nx')],
  paged_usage_kb: usage('paged'),
  nonpaged_max_kb: limits(['nonpaged', 'nonpaged_pool']),
  paged_max_kb: limits(['paged', 'paged_pool']),
  session_paged_max_kb: limits(['session_paged', 'session_paged_pool']),
  session_view_max_kb: limits(['session_view', 'session_view_space']),
  memory_kb: ['memory', 'physical', 'physical_memory', 'total_memory'],
  avail_kb: ['avail', 'available', 'available_memory'],
  commit_kb: ['commit', 'commit_charge', 'commit_used', 'committed'],
  limit_kb: ['limit', 'commit_limit'],
  peak_kb: ['peak', 'commit_peak', 'peak_commit'],
  pool_n_kb: ['pool_n', ...usage('nonpaged')],
  pool_p_kb: ['pool_p', ...usage('paged')],
};
const failureNames = ['alloc_failures', 'allocation_failures', 'pool_alloc_failures',
  'pool_allocation_failures', 'pool_failures', 'failed_allocations'];

// ---- the document ------------------------------------------------------------------------------

function flatten(object, prefix, into) {
  for (const [key, value] of Object.entries(object ?? {})) {
    const name = prefix ? `${prefix}_${key}` : key;
    if (value !== null && typeof value === 'object' && !Array.isArray(value)) flatten(value, name, into);
    else if (!(name in into)) into[name] = [value];
    else into[name].push(value);
  }
  return into;
}

// Bytes of a contract tag text, or null when it is not the text form of exactly four bytes.
function tagBytes(text) {
  if (typeof text !== 'string') return null;
  const units = text.match(/\\x[0-9a-f]{2}|[\x20-\x5b\x5d-\x7e]/g) ?? [];
  return units.length === 4 && units.join('') === text ? text : null;
}

function shapeFaults(doc) {
  const faults = [];
  if (doc === null || typeof doc !== 'object') return ['is no object'];
  for (const key of ['reports', 'suspects', 'next_steps'])
    if (!Array.isArray(doc[key])) faults.push(`${key} is no list`);
  if (!verdicts.includes(doc.verdict)) faults.push(`verdict is ${JSON.stringify(doc.verdict)}`);
  const tagged = [...(doc.reports ?? []).flatMap((r) => r.rows ?? []), ...(doc.suspects ?? [])];
  for (const row of tagged) {
    if (tagBytes(row.tag) === null) faults.push(`tag ${JSON.stringify(row.tag)}`);
    if (![...pools, null].includes(row.pool ?? null)) faults.push(`pool ${JSON.stringify(row.pool)}`);
  }
  return faults;
}

// ---- figures -----------------------------------------------------------------------------------

const near = (a, b) => a === b || Math.abs(a - b) <= 1e-9 * Math.abs(b);

function hasKb(figures, name, kb, extra = []) {
  for (const base of [...(kbNames[name] ?? [name.replace(/_kb$/, '')]), ...extra]) {
    if ((figures[`${base}_kb`] ?? []).some((v) => v === kb)) return true;
    if ((figures[`${base}_bytes`] ?? []).some((v) => v === kb * 1024)) return true;
  }
  return false;
}

function anyKb(figures, name) {
  const bases = kbNames[name];
  const values = bases.flatMap((b) => [...(figures[`${b}_kb`] ?? []), ...(figures[`${b}_bytes`] ?? [])]);
  return values.filter((v) => v !== null);
}

const megabytes = (mb) => [mb * 1024 ** 2, mb * 1000 ** 2];
const roundsTo = (bytes, mb) => typeof bytes === 'number' &&
  megabytes(mb).some((b) => Math.abs(bytes - b) <= 1024);

function totalRight(figures, name, expected) {
  if (name.endsWith('_kb')) return hasKb(figures, name, expected);
  let match = /^(nonpaged|paged)_used(_mb)?$/.exec(name);
  if (match) {
    const values = [...(figures[`${match[1]}_used`] ?? []),
      ...usage(match[1]).flatMap((n) => figures[`${n}_bytes`] ?? [])];
    return values.some((v) => (match[2] ? roundsTo(v, expected) : v === expected));
  }
  match = /^(nonpaged|paged)_(allocs|frees|diff)$/.exec(name);
  const names = [name];
  if (match && match[2] !== 'frees') names.push(`${match[1]}_outstanding`);
  return names.some((n) => (figures[n] ?? []).includes(expected));
}

function vmFields(expected, figures, sessions) {
  const fields = [];
  const add = (name, want, ok, got) => fields.push({ field: `vm.${name}`, want, ok, got });
  for (const [name, want] of Object.entries(expected)) {
    if (name === 'sessions' || name === 'excessive') continue;
    if (name === 'alloc_failures') {
      const got = failureNames.flatMap((n) => figures[n] ?? []).filter((v) => v !== null);
      const both = ['nonpaged_usage_kb', 'nonpaged_max_kb', 'paged_usage_kb', 'paged_max_kb']
        .every((n) => typeof expected[n] === 'number');
      add(name, want, want === null ? got.every((v) => v === 0 && both) : got.includes(want), got);
    } else if (want === null) {
      const got = anyKb(figures, name);
      add(name, want, got.length === 0, got);
    } else {
      const sum = name === 'nonpaged_usage_kb' && expected.nonpagednx_usage_kb !== undefined
        ? want + expected.nonpagednx_usage_kb : want;
      add(name, want, hasKb(figures, name, want) || hasKb(figures, name, sum), anyKb(figures, name));
    }
  }
  const flagged = (pool) => (figures.excessive ?? []).flat().includes(pool) ||
    (figures[`excessive_${pool}`] ?? []).includes(true) || (figures[`${pool}_excessive`] ?? []).includes(true);
  const got = pools.filter(flagged);
  const want = [...(expected.excessive ?? [])].sort();
  add('excessive', want, JSON.stringify(got.sort()) === JSON.stringify(want), got);
  const ids = sessions.map((s) => s.id ?? s.session ?? s.session_id);
  const wanted = (expected.sessions ?? []).map((s) => s.id);
  add('sessions', wanted, JSON.stringify([...ids].sort()) === JSON.stringify([...wanted].sort()), ids);
  for (const session of expected.sessions ?? []) {
    const found = sessions.find((s) => (s.id ?? s.session ?? s.session_id) === session.id) ?? {};
    const flat = flatten(found, '', {});
    if (session.paged_kb !== null && session.paged_kb !== undefined)
      add(`session ${session.id} paged_kb`, session.paged_kb,
        hasKb(flat, 'paged_usage_kb', session.paged_kb), found.paged_kb);
    const failures = found.alloc_failures ?? found.failures ?? null;
    add(`session ${session.id} failures`, session.failures ?? null,
      (session.failures ?? null) === null ? failures === null || failures === 0
        : failures === session.failures, failures);
  }
  return fields;
}

// ---- rows --------------------------------------------------------------------------------------

const value = (v) => (v === undefined ? null : v);

function numberRight(name, want, row, expected, listing) {
  const got = value(row[name]);
  if (want !== null && want !== undefined) return got === want;
  if (expected.used_mb !== undefined && name === 'bytes') return got === null || roundsTo(got, expected.used_mb);
  if (got === null) return true;
  if (name === 'outstanding') {
    const a = expected.allocs;
    const f = expected.frees;
    if (typeof a === 'number' && typeof f === 'number') return got === (((a - f) % MOD) + MOD) % MOD;
    if (listing === 'poolused') return got === a;
    if (listing === 'blocks') return got === 1;
  }
  if (listing === 'blocks' && name === 'allocs') return got === 1;
  if (listing === 'blocks' && name === 'frees') return got === 0;
  return false;
}

function allocsRight(want, row, expected, listing) {
  const plain = listing === 'poolused' && (expected.frees ?? null) === null &&
    (expected.diff ?? null) === null && want !== null;
  if (plain) {
    const places = [value(row.allocs), value(row.outstanding)];
    return places.includes(want) && places.every((v) => v === null || v === want);
  }
  if (listing === 'blocks' && want === 1) return value(row.allocs) === 1 || value(row.allocs) === null;
  return numberRight('allocs', want, row, expected, listing);
}

const loose = (tag) => tag.trim();

function rowScore(expected, row, listing) {
  const fields = [];
  if (expected.pool !== null && expected.pool !== undefined)
    fields.push(['pool', expected.pool, value(row.pool) === expected.pool, row.pool]);
  fields.push(['allocs', expected.allocs, allocsRight(value(expected.allocs), row, expected, listing), row.allocs]);
  fields.push(['frees', expected.frees, numberRight('frees', expected.frees, row, expected, listing), row.frees]);
  fields.push(['outstanding', expected.diff,
    numberRight('outstanding', expected.diff, row, expected, listing), row.outstanding]);
  const bytes = expected.used_mb !== undefined ? roundsTo(row.bytes, expected.used_mb)
    : numberRight('bytes', expected.used, row, expected, listing);
  fields.push(['bytes', expected.used ?? expected.used_mb, bytes, row.bytes]);
  return fields;
}

function rowFields(label, expected, rows, listing, tagRight) {
  const candidates = rows.filter((r) => tagRight(r.tag, expected.tag) &&
    (expected.pool === null || expected.pool === undefined || value(r.pool) === expected.pool));
  let best = null;
  for (const row of candidates) {
    const score = rowScore(expected, row, listing);
    if (best === null || score.filter((f) => f[2]).length > best.filter((f) => f[2]).length) best = score;
  }
  best ??= rowScore(expected, {}, listing).map(([n, w]) => [n, w, false, 'no such row']);
  return best.map(([name, want, ok, got]) => ({ field: `${label} ${JSON.stringify(expected.tag)} ${name}`, want, ok, got }));
}

function blocksRight(expected, rows) {
  const mine = rows.filter((r) => r.tag === expected.tag && value(r.pool) === (expected.pool ?? null));
  const bytes = mine.reduce((sum, r) => sum + (r.bytes ?? 0), 0);
  const free = expected.free_bytes ?? 0;
  const freeBlocks = expected.free_blocks ?? 0;
  const single = (mine.length === expected.blocks || mine.length === expected.blocks + freeBlocks);
  const summed = mine.length === 1 &&
    [expected.blocks, expected.blocks + freeBlocks].includes(mine[0].outstanding);
  return (bytes === expected.bytes || bytes === expected.bytes + free) && (single || summed);
}

function rowCount(expected, doc, listing) {
  const rows = doc.reports.flatMap((r) => r.rows ?? []);
  if (listing !== 'poolused') {
    if (expected.blocks) {
      const sum = expected.blocks.length;
      return { ok: rows.length === expected.rows || rows.length === sum ||
        rows.length === expected.blocks.reduce((n, b) => n + b.blocks, 0), got: rows.length };
    }
    return { ok: rows.length === expected.rows, got: rows.length };
  }
  const seen = new Set(rows.map((r) => r.tag));
  const pairs = new Set(rows.map((r) => `${r.tag}|${r.pool}`));
  return { ok: seen.size === expected.rows && pairs.size === rows.length, got: seen.size };
}

// ---- one file ----------------------------------------------------------------------------------

function run(file) {
  const child = spawnSync(command[0], [...command.slice(1), 'diagnose', file, '--json'],
    { cwd: root, timeout: 10000, maxBuffer: 256 << 20 });
  const stderr = child.stderr?.toString() ?? '';
  if (child.error) return { fault: `could not run: ${child.error.message}` };
  if (/Sanitizer|runtime error/.test(stderr)) return { fault: stderr.slice(0, 400) };
  if (child.status !== 0) return { fault: `exit code ${child.status}, ${stderr.slice(0, 200)}`, refused: child.status === 1 && child.stdout.length === 0 };
  try {
    return { doc: JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(child.stdout)) };
  } catch (error) {
    return { fault: `is no JSON: ${error.message}` };
  }
}

function fieldsOf(key, expected, doc) {
  const listing = expected.blocks ? 'blocks' : /poolused/.test(expected.tool ?? '') ? 'poolused' : 'other';
  const rows = doc.reports.flatMap((r) => r.rows ?? []);
  const figures = {};
  const sessions = doc.reports.flatMap((r) => r.sessions ?? r.vm?.sessions ?? []);
  for (const report of doc.reports) {
    flatten(report.totals, '', figures);
    flatten(report.vm, '', figures);
  }
  const fields = [];
  const right = key === 'poolmon/07' ? (a, b) => loose(a) === loose(b) : (a, b) => a === b;
  if (key === 'csv/01' && rows.length === 0) {
    fields.push({ field: 'rows', want: 'refused or decoded', ok: true, got: 0 });
  } else {
    const count = rowCount({ ...expected, rows: expected.rows ?? 0 }, doc, listing);
    const ok = key === 'csv/10' ? count.got <= 2 : count.ok;
    fields.push({ field: 'rows', want: expected.rows ?? 0, ok, got: count.got });
    for (const [label, list] of [['top', expected.top ?? []], ['more', expected.more ?? []]])
      for (const row of list) {
        fields.push(...rowFields(label, row, rows, listing, right));
        if (row.other)
          fields.push(...rowFields(`${label} other`, { tag: row.tag, frees: null, diff: null, ...row.other },
            rows, listing, right));
      }
    for (const block of expected.blocks ?? [])
      fields.push({ field: `blocks ${block.tag} ${block.pool}`, want: block, ok: blocksRight(block, rows), got: 'rows' });
  }
  for (const [name, want] of Object.entries(expected.totals ?? {}))
    fields.push({ field: `totals.${name}`, want, ok: totalRight(figures, name, want), got: 'absent or different' });
  if (expected.vm) fields.push(...vmFields(expected.vm, figures, sessions));
  const wrong = fields.filter((f) => !f.ok).length;
  const also = fields.length - wrong >= 0.9 * fields.length
    ? [...(debatable[key] ?? []), ...(expected.also_right ?? [])] : [];
  fields.push({ field: 'verdict', want: expected.verdict,
    ok: doc.verdict === expected.verdict || also.includes(doc.verdict), got: doc.verdict });
  return fields;
}

function check(file, label) {
  const expected = JSON.parse(readFileSync(file.replace(/\.[a-z0-9]+$/, '.json'), 'utf8'));
  const key = label.replace(/^([a-z]+\/\d+).*$/, '$1');
  const { doc, fault, refused } = run(file);
  if (key === 'csv/01' && refused) return { passed: 1, failed: 0 };
  const faults = fault ? [fault] : shapeFaults(doc);
  if (faults.length > 0) {
    console.log(`${label}: ${faults.slice(0, 3).join('; ')}`);
    return { passed: 0, failed: 1 };
  }
  const fields = fieldsOf(key, expected, doc);
  for (const f of fields.filter((x) => !x.ok))
    console.log(`${label}: ${f.field}: expected ${JSON.stringify(f.want ?? null)}, got ${JSON.stringify(f.got ?? null)}`);
  return { passed: fields.filter((f) => f.ok).length, failed: fields.filter((f) => !f.ok).length };
}

// Our own fixtures lie flat; a text without an expected .json is a fault of the fixtures.
function listed() {
  const files = [];
  if (existsSync(samples))
    for (const kind of kinds)
      for (const name of readdirSync(join(samples, kind)).sort())
        if (name.endsWith('.txt') && existsSync(join(samples, kind, name.replace(/\.txt$/, '.json'))))
          files.push([join(samples, kind, name), `${kind}/${name}`]);
  for (const name of existsSync(own) ? readdirSync(own).sort() : [])
    if (name.endsWith('.txt')) files.push([join(own, name), `own ${basename(name)}`]);
  return files;
}

const total = { passed: 0, failed: 0 };
if (!existsSync(samples))
  console.log(`samples: no folder "${relative(root, samples)}", only our own fixtures are checked`);
for (const [file, label] of listed()) {
  const { passed, failed } = check(file, label);
  total.passed += passed;
  total.failed += failed;
}
console.log(`fields: ${listed().length} files`);
console.log(`${total.passed} passed, ${total.failed} failed`);
process.exit(total.failed > 0 || total.passed === 0 ? 1 : 0);
