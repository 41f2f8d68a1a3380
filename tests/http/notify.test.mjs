// SPDX-License-Identifier: Apache-2.0
// Findings told to others: real receivers on loopback that take, refuse, redirect, flood and stall;
// signatures, order, a server killed in the middle, filters, mail, the digest, and who may set it.
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { createHmac, randomUUID } from 'node:crypto';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { makeAuthority, makeCertificate } from './certs.mjs';
import { makeFleet, post, postAndFind } from './fleet.mjs';
import { httpReceiver, smtpReceiver } from './receivers.mjs';
import { DATABASE, PROGRAM, start, until } from './server.mjs';

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'poolfleet-notify-'));
const LOCAL = ['--notify-allow-private', '127.0.0.0/8', '--notify-allow-http', '--notify-retry', '1s',
  '--analyze-interval', '0', '--public-url', 'https://pool.example.com'];
let server;
let receiver;
let smtp;
let finding;
const made = [];

const sql = (text) => execFileSync('psql', ['-X', '-q', '-tA', '-d', DATABASE, '-c', text], { encoding: 'utf8' }).trim();
function call(method, target, body, { headers = {}, role = 'admin', on = server } = {}) {
  return on.request(method, `/api/v1${target}`, { token: on.token(role),
    headers: body === undefined ? headers : { 'content-type': 'application/json', ...headers },
    body: body === undefined ? undefined : JSON.stringify(body) });
}
async function target(fields, on = server) {
  const reply = await call('POST', '/notify-targets', { name: `t ${randomUUID()}`, kind: 'generic', address: receiver.url,
    ...fields }, { on });
  assert.equal(reply.status, 201, reply.body.toString());
  made.push(reply.json().id);
  return reply.json();
}
const get = async (id, on = server) => (await call('GET', `/notify-targets/${id}`, undefined, { on })).json();
async function remove(id) { assert.equal((await call('DELETE', `/notify-targets/${id}`)).status, 204); }
/** Changes the finding as a person does, which tells those who want to hear. */
async function patch(status, on = server) {
  const reply = await call('PATCH', `/findings/${finding.id}`, { status }, { role: 'operator', on });
  assert.equal(reply.status, 200, reply.body.toString());
}
async function reopen(on = server) { await patch('resolved', on); await patch('open', on); }
const mine = (list) => list.filter((m) => m.body?.finding?.id === finding.id);

before(async () => {
  receiver = await httpReceiver();
  smtp = await smtpReceiver();
  const fleet = makeFleet();
  const first = await start('--analyze-interval', '2s'); // alone: one server analyzes
  try {
    finding = await postAndFind(first, fleet);
  } finally {
    await first.stop();
  }
  server = await start(...LOCAL, '--smtp-url', smtp.url, '--smtp-from', 'pool@example.com', '--smtp-plain');
});
after(async () => {
  for (const id of made) await call('DELETE', `/notify-targets/${id}`);
  await server.stop();
  receiver.stop();
  smtp.stop();
  fs.rmSync(folder, { recursive: true, force: true });
});

test('targets are made, listed, changed and removed, and secrets stay inside', async () => {
  const item = await target({ min_severity: 'warning', kinds: ['leak', 'exhaustion'], attribute: 'role',
    attribute_value: 'api-test' });
  assert.match(item.secret, /^pfn_[A-Za-z0-9_-]{43}$/, 'a generic target gets a secret, shown once');
  const again = await get(item.id);
  assert.equal(again.secret, undefined);
  assert.deepEqual([again.has_secret, again.min_severity, again.kinds, again.attribute, again.enabled, again.deliveries],
    [true, 'warning', ['leak', 'exhaustion'], 'role', true, []]);
  const list = await call('GET', '/notify-targets?limit=1000');
  assert.ok(list.json().items.some((t) => t.id === item.id));
  assert.doesNotMatch(list.body.toString(), /pfn_/);
  const { headers } = await call('GET', `/notify-targets/${item.id}`);
  const change = (etag, body) => call('PATCH', `/notify-targets/${item.id}`, body, { headers: { 'if-match': etag } });
  assert.equal((await change(headers.etag, { enabled: false })).status, 200);
  const late = await change(headers.etag, { enabled: true });
  assert.equal(late.status, 412);
  assert.equal(late.json().type, 'urn:poolfleet:problem:precondition_failed');
  const moved = await call('PATCH', `/notify-targets/${item.id}`, { address: 'https://elsewhere.example.com/' });
  assert.equal(moved.status, 422, 'a secret does not follow a new address');
  assert.equal(moved.json().field, 'secret');
  const taken = await call('POST', '/notify-targets', { name: item.name, kind: 'slack', address: receiver.url });
  assert.equal(taken.status, 409);
  await remove(item.id);
  assert.equal((await call('GET', `/notify-targets/${item.id}`)).status, 404);
  assert.equal((await call('DELETE', '/notify-targets/x1')).status, 404);
});

const WRONG = [
  [{}, 'name'], [{ name: 'a', kind: 'pager', address: 'https://x/' }, 'kind'], [{ name: 'a', kind: 'slack' }, 'address'],
  [{ name: '', kind: 'slack', address: 'https://x/' }, 'name'], [{ name: 'a\nb', kind: 'slack', address: 'https://x/' }, 'name'],
  [{ name: 'a', kind: 'slack', address: 'ftp://x/' }, 'address'], [{ name: 'a', kind: 'slack', address: 'https://x/ y' }, 'address'],
  [{ name: 'a', kind: 'slack', address: 'https://x/', secret: 's' }, 'secret'],
  [{ name: 'a', kind: 'generic', address: 'https://x/', secret: 'a\r\nX-Y: z' }, 'secret'],
  [{ name: 'a', kind: 'email', address: 'a@b\r\nRCPT TO:<c@d>' }, 'address'], [{ name: 'a', kind: 'email', address: 'a@b, c@d' }, 'address'],
  [{ name: 'a', kind: 'slack', address: 'https://x/', kinds: [] }, 'kinds'], [{ name: 'a', kind: 'slack', address: 'https://x/', kinds: ['x'] }, 'kinds'],
  [{ name: 'a', kind: 'slack', address: 'https://x/', attribute: 'role' }, 'attribute'],
  [{ name: 'a', kind: 'slack', address: 'https://x/', min_severity: 'bad' }, 'min_severity'],
  [{ name: 'a', kind: 'slack', address: 'https://x/', color: 'red' }, 'color'],
];
for (const [body, field] of WRONG)
  test(`a target ${JSON.stringify(body)} is refused for its ${field}`, async () => {
    const reply = await call('POST', '/notify-targets', body);
    assert.equal(reply.status, 422, reply.body.toString());
    assert.equal(reply.json().field, field);
  });

test('a generic target is told of end and return in order, signed, each under its own key', async () => {
  receiver.got.length = 0;
  const item = await target({});
  await patch('open');
  await reopen(); // nobody here has been told that it was open: its end is no news
  await until(() => mine(receiver.got).length >= 1, 'the first');
  await reopen();
  await until(() => mine(receiver.got).length >= 3, 'end and return');
  const got = mine(receiver.got);
  assert.deepEqual(got.map((m) => [m.body.event, m.body.finding.status]),
    [['reopened', 'open'], ['resolved', 'resolved'], ['reopened', 'open']]);
  assert.equal(new Set(got.map((m) => m.headers['idempotency-key'])).size, 3);
  for (const { headers, text, body } of got) {
    assert.equal(headers['idempotency-key'], body.key);
    const [, t, v1] = /^t=(\d+),v1=([0-9a-f]{64})$/.exec(headers['poolfleet-signature']);
    assert.equal(v1, createHmac('sha256', item.secret).update(`${t}.${text}`).digest('hex'));
    assert.notEqual(v1, createHmac('sha256', item.secret).update(`${Number(t) + 1}.${text}`).digest('hex'));
    assert.ok(Math.abs(Date.now() / 1000 - Number(t)) < 60);
  }
  assert.equal(got[0].body.url, `https://pool.example.com/findings/${finding.id}`);
  assert.ok(got[0].body.finding.summary.length > 10 && got[0].body.finding.hosts[0].bytes > 0);
  const told = await until(async () => { const t = await get(item.id); return t.waiting === 0 && t; }, 'all to be written down');
  assert.deepEqual(told.deliveries.map((d) => d.state), ['sent', 'sent', 'sent']);
  await remove(item.id);
});

test('alertmanager, slack and teams get what they read', async () => {
  receiver.got.length = 0;
  const base = receiver.url;
  const items = [await target({ kind: 'alertmanager', address: `${base}/am`, secret: 'bearer-secret' }),
    await target({ kind: 'slack', address: `${base}/slack` }), await target({ kind: 'teams', address: `${base}/teams` })];
  await reopen();
  await patch('resolved');
  await patch('open');
  const of = (end) => receiver.got.filter((m) => m.path.endsWith(end));
  await until(() => ['/am', '/slack', '/teams'].every((end) => of(end).length >= 3), 'three each');
  const [firing, resolved] = of('/am');
  assert.equal(firing.headers.authorization, 'Bearer bearer-secret');
  assert.deepEqual([firing.body.version, firing.body.status, firing.body.alerts[0].status], ['4', 'firing', 'firing']);
  assert.deepEqual([resolved.body.status, resolved.body.alerts[0].status], ['resolved', 'resolved']);
  assert.equal(firing.body.alerts[0].endsAt, '0001-01-01T00:00:00Z');
  assert.ok(Date.parse(resolved.body.alerts[0].endsAt) > Date.parse(resolved.body.alerts[0].startsAt));
  assert.equal(firing.body.groupKey, resolved.body.groupKey);
  assert.equal(firing.body.alerts[0].fingerprint, finding.id.slice(2));
  const { labels } = firing.body.alerts[0];
  assert.deepEqual([labels.alertname, labels.finding, labels.tag, labels.severity],
    ['PoolfleetFinding', finding.id, finding.tag, finding.severity]);
  const slack = of('/slack')[0].body;
  assert.ok(slack.text.length > 5);
  assert.equal(slack.blocks[0].type, 'header');
  assert.ok(slack.blocks[0].text.text.length <= 150);
  assert.ok(slack.blocks.filter((b) => b.text).every((b) => b.text.type === 'plain_text'), 'no markup is read');
  assert.match(of('/slack')[1].body.blocks[0].text.text, /^\[resolved\]/);
  const card = of('/teams')[0].body.attachments[0];
  assert.equal(card.contentType, 'application/vnd.microsoft.card.adaptive');
  assert.equal(card.content.type, 'AdaptiveCard');
  assert.ok(card.content.body.every((b) => b.type === 'RichTextBlock'), 'no markdown is read');
  assert.equal(card.content.actions[0].url, `https://pool.example.com/findings/${finding.id}`);
  for (const { id } of items) await remove(id);
});

test('filters: severity, kind, attribute, switched off', async () => {
  receiver.got.length = 0;
  const address = (name) => `${receiver.url}/${name}`;
  const items = [
    await target({ address: address('all') }),
    await target({ address: address('kind-no'), kinds: ['shift'] }),
    await target({ address: address('kind-yes'), kinds: ['shift', finding.kind] }),
    await target({ address: address('role-no'), attribute: 'role', attribute_value: 'nobody' }),
    await target({ address: address('role-yes'), attribute: 'role', attribute_value: 'api-test' }),
    await target({ address: address('off'), enabled: false }),
  ];
  await reopen();
  await until(() => receiver.got.some((m) => m.path.endsWith('/role-yes')) && receiver.got.some((m) => m.path.endsWith('/all')) &&
    receiver.got.some((m) => m.path.endsWith('/kind-yes')), 'those that want it');
  for (const [i, count] of [1, 0, 1, 0, 1, 0].entries())
    assert.equal((await get(items[i].id)).deliveries.length, count, items[i].address);
  for (const { id } of items) await remove(id);
});

test('a failing receiver is tried again under the same key, and what comes later waits its turn', async () => {
  receiver.got.length = 0;
  receiver.answer = (rq, rs, n) => { rs.statusCode = n <= 2 ? 503 : 200; rs.end('busy <b>'); };
  const item = await target({});
  await reopen();
  await until(() => receiver.got.length >= 1, 'the first attempt');
  await patch('resolved');
  await patch('open');
  await until(() => receiver.got.length >= 5, 'all of it');
  receiver.answer = (rq, rs) => rs.end('ok');
  assert.deepEqual(receiver.got.map((m) => m.body.event), ['reopened', 'reopened', 'reopened', 'resolved', 'reopened']);
  const keys = receiver.got.map((m) => m.headers['idempotency-key']);
  assert.ok(keys[0] === keys[1] && keys[1] === keys[2] && new Set(keys).size === 3);
  const told = await until(async () => { const t = await get(item.id); return t.waiting === 0 && t; }, 'all to be written down');
  assert.equal(told.deliveries.at(-1).attempts, 3);
  await remove(item.id);
});

/** One attempt by the test button. */
async function press(id, on = server) {
  const reply = await call('POST', `/notify-targets/${id}/test`, undefined, { on });
  assert.equal(reply.status, 200, reply.body.toString());
  return reply.json();
}

test('the test button says what happened: taken, refused, redirected, too much, no one there', async () => {
  const item = await target({});
  assert.deepEqual(await press(item.id), { sent: true, error: null });
  assert.equal(receiver.got.at(-1).body.event, 'test');
  receiver.answer = (rq, rs) => { rs.statusCode = 403; rs.end('no\u202e such <b>channel</b>'); };
  assert.deepEqual(await press(item.id), { sent: false, error: 'the receiver answered 403: no  such <b>channel</b>' });
  let followed = 0;
  const elsewhere = await httpReceiver();
  elsewhere.answer = (rq, rs) => { followed += 1; rs.end(); };
  receiver.answer = (rq, rs) => { rs.writeHead(302, { location: elsewhere.url }); rs.end(); };
  assert.match((await press(item.id)).error, /answered 302: redirects are not followed/);
  assert.equal(followed, 0);
  receiver.answer = (rq, rs) => { rs.statusCode = 500; for (let i = 0; i < 64; i++) rs.write(Buffer.alloc(65536, 97)); rs.end(); };
  const flood = await press(item.id);
  assert.match(flood.error, /^the receiver answered 500: a{100,}\.{0,3}$/);
  assert.ok(flood.error.length < 300);
  receiver.answer = (rq, rs) => { for (let i = 0; i < 64; i++) rs.write(Buffer.alloc(65536, 97)); rs.end(); };
  assert.deepEqual(await press(item.id), { sent: true, error: null }, 'it said 200 before the flood');
  receiver.answer = (rq, rs) => rs.end('ok');
  elsewhere.stop();
  const gone = await target({ address: elsewhere.url });
  assert.match((await press(gone.id)).error, /connect/i);
  await remove(item.id);
  await remove(gone.id);
});

test('a body the receiver will never take is given up at once and shown', async () => {
  receiver.got.length = 0;
  receiver.answer = (rq, rs) => { rs.statusCode = 400; rs.end('invalid_blocks'); };
  const item = await target({});
  await reopen();
  const told = await until(async () => { const t = await get(item.id); return t.given_up === 1 && t; }, 'it to be given up');
  receiver.answer = (rq, rs) => rs.end('ok');
  assert.equal(told.deliveries[0].state, 'given_up');
  assert.equal(told.last_error, 'the receiver answered 400: invalid_blocks');
  assert.equal(receiver.got.length, 1);
  await until(() => /notification was given up/.test(server.log()), 'the log line');
  await remove(item.id);
});

test('without leave no webhook goes to this machine, by any name', async () => {
  const strict = await start('--analyze-interval', '0', '--notify-allow-http');
  try {
    for (const host of ['127.0.0.1', 'localhost', '2130706433', '0x7f.1', '127.1', '[::1]', '[::ffff:127.0.0.1]', '0.0.0.0']) {
      receiver.got.length = 0;
      const item = await target({ address: `http://${host}:${receiver.port}/hook` }, strict);
      const { sent, error } = await press(item.id, strict);
      assert.equal(sent, false, host);
      assert.match(error, /has a (loopback|reserved) address/, host);
      assert.equal(receiver.got.length, 0);
      await remove(item.id);
    }
    const plain = await start('--analyze-interval', '0', '--notify-allow-private', '127.0.0.0/8');
    const item = await target({}, plain);
    assert.match((await press(item.id, plain)).error, /plain http is not allowed/);
    await remove(item.id);
    await plain.stop();
  } finally {
    await strict.stop();
  }
});

test('a server killed in the middle tells again under the same key; another goes on', async () => {
  receiver.got.length = 0;
  const held = [];
  receiver.answer = (rq, rs, n) => { if (n === 1) held.push(rs); else rs.end('ok'); };
  const one = await start(...LOCAL, '--notify-timeout', '2s');
  const item = await target({}, one);
  // The shared server must not take it: it is stopped meanwhile.
  process.kill(server.pid, 'SIGSTOP');
  try {
    await reopen(one);
    await until(() => receiver.got.length === 1, 'the first attempt');
    process.kill(one.pid, 'SIGKILL');
  } finally {
    process.kill(server.pid, 'SIGCONT');
  }
  await assert.rejects(one.stop());
  await until(() => receiver.got.length >= 2, 'the second attempt', 40000);
  receiver.answer = (rq, rs) => rs.end('ok');
  assert.equal(receiver.got[0].headers['idempotency-key'], receiver.got[1].headers['idempotency-key']);
  assert.deepEqual(receiver.got[0].body.event, receiver.got[1].body.event);
  await until(async () => (await get(item.id)).waiting === 0, 'it to be written down');
  held.forEach((rs) => rs.destroy());
  await remove(item.id);
});

test('a server that is told to stop gives its attempt back at once', async () => {
  receiver.got.length = 0;
  receiver.answer = () => {};
  const one = await start(...LOCAL, '--notify-timeout', '60s');
  process.kill(server.pid, 'SIGSTOP');
  let item;
  try {
    item = await target({}, one);
    await reopen(one);
    await until(() => receiver.got.length === 1, 'the first attempt');
    const begun = Date.now();
    await one.stop();
    assert.ok(Date.now() - begun < 15000, 'stopping does not wait for the receiver');
    assert.equal(sql(`SELECT state, attempts, claimed_until IS NULL FROM notify_delivery WHERE target_id = ${item.id}`), 'waiting|0|t');
  } finally {
    receiver.answer = (rq, rs) => rs.end('ok');
    process.kill(server.pid, 'SIGCONT');
  }
  await until(() => receiver.got.length >= 2, 'the other server to tell it');
  await remove(item.id);
});

test('what fails for too long is given up, and the next is tried', async () => {
  const short = await start(...LOCAL, '--notify-give-up', '1s');
  process.kill(server.pid, 'SIGSTOP');
  let item;
  try {
    receiver.answer = (rq, rs) => { rs.statusCode = 500; rs.end(); };
    item = await target({}, short);
    await reopen(short);
    await until(async () => (await get(item.id, short)).given_up === 1, 'it to be given up');
    const { deliveries } = await get(item.id, short);
    assert.ok(deliveries[0].attempts >= 2, `${deliveries[0].attempts} attempts`);
    receiver.answer = (rq, rs) => rs.end('ok');
    await reopen(short);
    await until(async () => (await get(item.id, short)).deliveries.some((d) => d.state === 'sent'), 'the next');
    await short.stop();
  } finally {
    process.kill(server.pid, 'SIGCONT');
  }
  await remove(item.id);
});

test('a mail has both bodies, clean headers, and the end in the same thread', async () => {
  smtp.got.length = 0;
  const item = await target({ kind: 'email', address: 'ops@example.com' });
  await reopen();
  await patch('resolved');
  await patch('open');
  await until(() => smtp.got.length >= 3, 'three mails');
  const [opened, resolved] = smtp.got;
  assert.deepEqual([opened.from, opened.to, opened.tls], ['pool@example.com', ['ops@example.com'], false]);
  assert.match(opened.subject, new RegExp(`^\\[${finding.severity}\\] ${finding.kind}: tag ${finding.tag} `));
  assert.match(resolved.subject, /^\[resolved\]/);
  assert.match(opened.headers['message-id'], /^<[0-9a-f-]{36}@example\.com>$/);
  assert.equal(opened.headers.references, resolved.headers.references);
  assert.equal(opened.headers['auto-submitted'], 'auto-generated');
  assert.ok(Math.abs(Date.parse(opened.headers.date) - Date.now()) < 120e3);
  assert.ok(opened.text.includes(`https://pool.example.com/findings/${finding.id}`));
  assert.ok(opened.html.includes(`href="https://pool.example.com/findings/${finding.id}"`));
  assert.doesNotMatch(opened.html, /<script|<b>"x"/);
  for (const line of opened.raw.split('\r\n')) assert.ok(line.length <= 200 && /^[\x20-\x7e\t]*$/.test(line), line);
  await remove(item.id);
});

test('STARTTLS is required, its certificate checked, and the sign-in goes inside', async () => {
  makeAuthority(folder);
  const { cert, key } = makeCertificate(folder, 'smtp');
  const secure = { cert: fs.readFileSync(cert), key: fs.readFileSync(key) };
  const safe = await smtpReceiver({ secure, user: 'pool', password: 'p:w"d' });
  after(() => safe.stop());
  const password = path.join(folder, 'password');
  fs.writeFileSync(password, 'p:w"d\n');
  const flags = (url, ...more) => [...LOCAL, '--smtp-url', url, '--smtp-from', 'pool@example.com', ...more];
  const ca = ['--notify-ca', path.join(folder, 'ca.pem')];
  const signIn = ['--smtp-user', 'pool', '--smtp-password-file', password];
  const item = await target({ kind: 'email', address: 'ops@example.com' });
  const verb = (...settings) => spawnSync(PROGRAM, ['notify', 'test', item.name, '--database-url', DATABASE, ...settings],
    { encoding: 'utf8', env: { ...process.env, CURL_CA_BUNDLE: '' } });
  const tryIt = async (...settings) => {
    const on = await start(...settings);
    try { return await press(item.id, on); } finally { await on.stop(); }
  };
  assert.deepEqual(await tryIt(...flags(safe.url, ...ca, ...signIn)), { sent: true, error: null });
  assert.deepEqual([safe.got[0].tls, safe.got[0].user], [true, 'pool']);
  assert.match((await tryIt(...flags(smtp.url, ...ca))).error, /TLS|SSL/i, 'a server without STARTTLS');
  assert.match((await tryIt(...flags(safe.url, ...signIn))).error, /certificate|TLS|SSL|peer/i, 'a stranger\'s certificate');
  assert.equal(safe.got.length, 1);
  assert.equal(verb('--config', '/nowhere').status, 2);
  const none = await tryIt(...LOCAL);
  assert.match(none.error, /mail is not set up/);
  await remove(item.id);
});

test('the digest goes out once a day from whichever server comes first', async () => {
  smtp.got.length = 0;
  const item = await target({ kind: 'email', address: 'ops@example.com' });
  sql("INSERT INTO job_mark VALUES ('digest', now() - interval '3 days') ON CONFLICT (name) DO UPDATE SET mark_at = excluded.mark_at");
  await patch('open');
  const now = new Date(Date.now() - 60e3).toISOString().slice(11, 16);
  const flags = [...LOCAL, '--smtp-url', smtp.url, '--smtp-from', 'pool@example.com', '--smtp-plain', '--digest-at', now];
  const servers = await Promise.all([start(...flags), start(...flags)]);
  try {
    const digests = () => smtp.got.filter((m) => m.subject.startsWith('[digest]'));
    await until(() => digests().length >= 1, 'the digest');
    assert.match(digests()[0].subject, /^\[digest\] \d+ open, \d+ new, \d+ resolved, \d+ silent$/);
    assert.ok(digests()[0].text.includes(finding.summary.slice(0, 60)), digests()[0].text);
    assert.ok(digests()[0].html.includes(`/findings/${finding.id}"`));
    const counts = await Promise.all(servers.map(async (s) => Number(/^poolfleet_notify_digests_total (\d+)/m.exec(
      (await s.request('GET', '/metrics')).body.toString())[1])));
    assert.equal(counts[0] + counts[1], 1);
    assert.equal(sql(`SELECT count(*) FROM notify_delivery JOIN notification USING (notification_id) WHERE event = 'digest' AND target_id = ${item.id}`), '1');
  } finally {
    for (const s of servers) await s.stop();
  }
  await remove(item.id);
});

test('the verb adds, lists, tests and removes', async () => {
  const verb = (...args) => {
    const done = spawnSync(PROGRAM, ['notify', ...args, '--database-url', DATABASE], { encoding: 'utf8' });
    assert.doesNotMatch(done.stderr, /Sanitizer|runtime error/);
    return { code: done.status, out: done.stdout.trim(), error: done.stderr.trim() };
  };
  const name = `verb ${randomUUID()}`;
  const added = verb('add', '--name', name, '--kind', 'generic', '--address', 'http://127.0.0.1:1/hook', '--kinds', 'leak,shift',
    '--attribute', 'role=web', '--min-severity', 'critical');
  assert.equal(added.code, 0, added.error);
  assert.match(added.out, /^pfn_[A-Za-z0-9_-]{43}$/);
  const item = JSON.parse(verb('list', '--json').out).find((t) => t.name === name);
  assert.deepEqual([item.kind, item.min_severity, item.waiting, item.last_sent_at], ['generic', 'critical', 0, null]);
  assert.match(verb('list').out, new RegExp(`${name} +generic +critical +on +0 +0`));
  const tested = verb('test', name);
  assert.equal(tested.code, 1);
  assert.match(tested.error, /could not notify: plain http is not allowed/);
  assert.match(verb('test', name, '--notify-allow-http').error, /has a loopback address/);
  assert.equal(verb('remove', name).code, 0);
  assert.equal(verb('remove', name).code, 1);
  for (const [args, message] of [[['add'], /needs --name/], [['add', '--name', 'a', '--kind', 'x', '--address', 'y'], /--kind "x"/],
    [['add', '--name', 'a', '--kind', 'slack', '--address', 'y'], /https/], [['add', '--name', 'a', '--kind', 'slack', '--address', 'https://y', '--kinds', 'z'], /"z" is no kind/],
    [['add', '--name', 'a', '--kind', 'slack', '--address', 'https://y', '--attribute', 'z'], /NAME=VALUE/], [['remove'], /name/], [[], /add, list, remove, test/],
    [['list', '--notify-allow-private', 'ten'], null], [['test', 'a', '--notify-allow-private', 'ten'], /"ten": a network/],
    [['test', 'a', '--digest-at', '25:00'], /digest_at/], [['test', 'a', '--smtp-url', 'http://x'], /smtp_url/], [['test', 'a', '--public-url', 'https://x/'], /public_url/]]) {
    const done = verb(...args);
    assert.equal(done.code, message === null ? 0 : 2, `${args}: ${done.error}`);
    if (message !== null) assert.match(done.error, message);
  }
});

test('/metrics counts notifications and has no series of a target, host or tag', async () => {
  const read = async () => (await server.request('GET', '/metrics')).body.toString();
  const series = (text) => text.split('\n').filter((line) => line !== '' && !line.startsWith('#')).map((line) => line.replace(/ \S+$/, '')).sort();
  const before = await read();
  assert.match(before, /^poolfleet_notify_sent_total [1-9]/m);
  assert.match(before, /^poolfleet_notify_failed_attempts_total [1-9]/m);
  const items = await Promise.all([1, 2, 3].map(() => target({})));
  await post(server, makeFleet({ hosts: 5, hours: 2 }).documents);
  await reopen();
  await until(async () => (await get(items[2].id)).deliveries.some((d) => d.state === 'sent'), 'a delivery');
  const count = series(await read());
  assert.deepEqual(count.filter((s) => !s.startsWith('poolfleet_http')), series(before).filter((s) => !s.startsWith('poolfleet_http')));
  assert.ok(count.length < 2000, `${count.length} series`);
  assert.doesNotMatch(count.join('\n'), /API-0|Leak|notify.*\{/);
  for (const { id } of items) await remove(id);
});
