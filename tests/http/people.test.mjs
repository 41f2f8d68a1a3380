// SPDX-License-Identifier: Apache-2.0
// People: accounts, passwords, sessions, the first start, sign-on by a proxy, and the log of
// changes. Each test uses names of its own, since all share one database.
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import { DATABASE, PROGRAM, routes, start, until } from './server.mjs';

const json = { 'content-type': 'application/json' };
const PASSWORD = 'correct horse battery';
const fresh = (prefix = 'ann') => `${prefix} ${randomUUID().slice(0, 8)}`;

function cli(args, input = '') {
  return execFileSync(PROGRAM, [...args, '--database-url', DATABASE],
    { encoding: 'utf8', input, stdio: ['pipe', 'pipe', 'pipe'] });
}

/** Signs in; its requests carry the cookie and the header against forgery. */
async function signIn(server, name, password = PASSWORD) {
  const reply = await server.request('POST', '/api/v1/session',
    { headers: json, body: JSON.stringify({ name, password }) });
  const cookie = reply.headers['set-cookie']?.[0].split(';')[0];
  return { reply, cookie,
    ask: (method, target, { body, headers = {} } = {}) => server.request(method, target, {
      headers: { cookie, ...(method === 'GET' ? {} : { 'x-poolfleet': '1' }),
        ...(body === undefined ? {} : json), ...headers },
      body: body === undefined ? undefined : JSON.stringify(body) }) };
}

/** An account made through the API. */
async function account(server, role = 'viewer', password = PASSWORD) {
  const name = fresh(role);
  const reply = await server.request('POST', '/api/v1/users', { token: server.token('admin'), headers: json,
    body: JSON.stringify({ name, role, password }) });
  assert.equal(reply.status, 201, reply.body.toString());
  return { name, ...reply.json(), etag: reply.headers.etag, location: reply.headers.location };
}

let server;
before(async () => { server = await start(); });
after(() => server.stop());
const admin = (method, target, body, headers = {}) => server.request(method, target, {
  token: server.token('admin'), headers: { ...(body === undefined ? {} : json), ...headers },
  body: body === undefined ? undefined : JSON.stringify(body) });

describe('signing in', () => {
  test('name and password open a session of the account, whatever the case of the name', async () => {
    const user = await account(server, 'operator');
    const { reply, cookie, ask } = await signIn(server, user.name.toUpperCase());
    assert.equal(reply.status, 200, reply.body.toString());
    assert.deepEqual([reply.json().role, reply.json().name, reply.json().kind], ['operator', user.name, 'user']);
    assert.match(reply.headers['set-cookie'][0],
      /^poolfleet_session=[A-Za-z0-9_-]{43}; Path=\/; HttpOnly; SameSite=Strict; Max-Age=\d+$/);
    const me = await ask('GET', '/api/v1/session');
    assert.equal(me.json().name, user.name);
    const row = (await admin('GET', `/api/v1/users/${user.id}`)).json();
    assert.ok(row.last_sign_in_at);
    assert.equal(row.sessions, 1);
    assert.ok(cookie);
  });

  test('wrong password, unknown name, disabled and password-less accounts are answered alike', async () => {
    const user = await account(server);
    const off = await account(server);
    assert.equal((await admin('PATCH', `/api/v1/users/${off.id}`, { disabled: true })).status, 200);
    const none = await admin('POST', '/api/v1/users', { name: fresh('none'), role: 'viewer' });
    assert.equal(none.json().has_password, false);
    const bodies = [];
    for (const [name, password] of [[user.name, 'not the password'], [fresh('nobody'), PASSWORD],
      [off.name, PASSWORD], [none.json().name, PASSWORD]]) {
      const { reply } = await signIn(server, name, password);
      assert.equal(reply.status, 401, name);
      assert.equal(reply.headers['set-cookie'], undefined);
      bodies.push({ ...reply.json(), request_id: '' });
    }
    for (const body of bodies) assert.deepEqual(body, bodies[0]);
  });

  test('an unknown name takes as long as a wrong password', async () => {
    const user = await account(server);
    const time = async (name) => {
      const times = [];
      for (let i = 0; i < 4; i += 1) {
        const from = process.hrtime.bigint();
        assert.equal((await signIn(server, name, 'not the password')).reply.status, 401);
        times.push(Number(process.hrtime.bigint() - from) / 1e6);
      }
      return Math.min(...times);
    };
    const known = await time(user.name);
    const unknown = await time(fresh('nobody'));
    // A look-up without a hash would be 50 times quicker.
    assert.ok(unknown > known / 3, `known ${known} ms, unknown ${unknown} ms`);
  });

  test('a body that is neither name and password nor a token is refused with its field', async () => {
    for (const [body, status, field] of [[{ name: 'a' }, 422, 'password'], [{ password: 'x' }, 422, 'name'],
      [{ name: 'a', password: 'b', token: 'c' }, 422, 'token'], [{ name: 7, password: 'b' }, 422, 'name'],
      [{ name: 'a', password: 'b', role: 'admin' }, 422, 'role']]) {
      const reply = await server.request('POST', '/api/v1/session', { headers: json, body: JSON.stringify(body) });
      assert.deepEqual([reply.status, reply.json().field], [status, field], JSON.stringify(body));
    }
  });

  test('one name tried from many places has to wait; other names do not', async () => {
    const extra = await start();
    try {
      const user = await account(server);
      const other = await account(server);
      const replies = [];
      for (let i = 0; i < 14; i += 1) replies.push((await signIn(extra, user.name, `wrong ${i}`)).reply);
      assert.deepEqual(replies.slice(0, 10).map((r) => r.status), Array(10).fill(401));
      assert.ok(replies.slice(11).every((r) => r.status === 429), replies.map((r) => r.status).join());
      assert.ok(Number(replies[13].headers['retry-after']) > 0);
      assert.equal((await signIn(extra, user.name)).reply.status, 429, 'the right one waits too');
      assert.equal((await signIn(extra, other.name)).reply.status, 200);
    } finally {
      await extra.stop();
    }
  });

  test('many sign-ins at once: none fails but by 429, and other requests are not held up', async () => {
    const extra = await start('--http-threads', '2');
    try {
      const user = await account(server);
      await extra.request('GET', '/api/v1/overview', { token: extra.token('viewer') });
      const attempts = Array.from({ length: 40 }, () => signIn(extra, user.name));
      const from = Date.now();
      const reads = await Promise.all(Array.from({ length: 10 }, () =>
        extra.request('GET', '/api/v1/users', { token: extra.token('admin') })));
      const readMs = Date.now() - from;
      const codes = (await Promise.all(attempts)).map((a) => a.reply.status);
      const allMs = Date.now() - from;
      assert.ok(reads.every((r) => r.status === 200));
      assert.ok(codes.every((c) => c === 200 || c === 429), codes.join());
      assert.ok(codes.filter((c) => c === 200).length >= 5, codes.join());
      assert.ok(codes.includes(429), 'the queue is bounded');
      assert.ok(readMs < allMs, `reads ${readMs} ms, sign-ins ${allMs} ms`);
    } finally {
      await extra.stop();
    }
  });
});

describe('sessions', () => {
  test('a change by cookie needs the header, on every route that writes', async () => {
    const user = await account(server, 'admin');
    const { cookie } = await signIn(server, user.name);
    const writes = routes().filter((r) => r.method !== 'GET' && !['host', 'enroll'].includes(r.role));
    assert.ok(writes.length >= 14, `${writes.length}`);
    for (const row of writes) {
      const reply = await server.request(row.method, row.pattern.replace(/\{[^}]+\}/g, '999999'), {
        headers: { cookie, ...(row.body.length ? { 'content-type': row.body[0] } : {}) },
        body: row.body.length ? '{}' : undefined });
      assert.deepEqual([reply.status, reply.json().type], [403, 'urn:poolfleet:problem:csrf'],
        `${row.method} ${row.pattern}: ${reply.body}`);
    }
  });

  test('a new password ends the other sessions and keeps this one', async () => {
    const user = await account(server);
    const here = await signIn(server, user.name);
    const there = await signIn(server, user.name);
    assert.equal((await there.ask('GET', '/api/v1/session')).status, 200);
    const wrong = await here.ask('POST', '/api/v1/session/password', { body: { current: 'nonsense words', password: 'another long one' } });
    assert.deepEqual([wrong.status, wrong.json().field], [422, 'current']);
    const short = await here.ask('POST', '/api/v1/session/password', { body: { current: PASSWORD, password: 'short' } });
    assert.deepEqual([short.status, short.json().field], [422, 'password']);
    const done = await here.ask('POST', '/api/v1/session/password', { body: { current: PASSWORD, password: 'another long one' } });
    assert.equal(done.status, 204, done.body.toString());
    assert.equal((await here.ask('GET', '/api/v1/session')).status, 200);
    assert.equal((await there.ask('GET', '/api/v1/session')).status, 401, 'at once');
    assert.equal((await signIn(server, user.name)).reply.status, 401);
    assert.equal((await signIn(server, user.name, 'another long one')).reply.status, 200);
  });

  test('a token has no password to change', async () => {
    const reply = await admin('POST', '/api/v1/session/password', { current: 'x', password: 'another long one' });
    assert.equal(reply.status, 403);
  });

  test('sign out everywhere ends all sessions of that person and nobody else\'s', async () => {
    const user = await account(server);
    const other = await account(server);
    const here = await signIn(server, user.name);
    const there = await signIn(server, user.name);
    const bystander = await signIn(server, other.name);
    const reply = await here.ask('DELETE', '/api/v1/sessions');
    assert.equal(reply.status, 204);
    assert.match(reply.headers['set-cookie'][0], /^poolfleet_session=; .*Max-Age=0/);
    assert.equal((await here.ask('GET', '/api/v1/session')).status, 401);
    assert.equal((await there.ask('GET', '/api/v1/session')).status, 401);
    assert.equal((await bystander.ask('GET', '/api/v1/session')).status, 200);
  });
});

describe('accounts', () => {
  test('disabling, a reset password and removal end the sessions at once; a role changes at once', async () => {
    for (const change of [{ disabled: true }, { password: 'set by the admin' }, null]) {
      const user = await account(server);
      const session = await signIn(server, user.name);
      const reply = change ? await admin('PATCH', `/api/v1/users/${user.id}`, change)
        : await admin('DELETE', `/api/v1/users/${user.id}`);
      assert.equal(reply.status, change ? 200 : 204, reply.body.toString());
      assert.equal((await session.ask('GET', '/api/v1/session')).status, 401, JSON.stringify(change));
    }
    const user = await account(server, 'admin');
    const session = await signIn(server, user.name);
    assert.equal((await session.ask('GET', '/api/v1/users')).status, 200);
    await admin('PATCH', `/api/v1/users/${user.id}`, { role: 'viewer' });
    assert.equal((await session.ask('GET', '/api/v1/users')).status, 403);
  });

  test('two admins editing one account: the second is told', async () => {
    const user = await account(server);
    assert.equal(user.etag, '"v1"');
    const first = await admin('PATCH', user.location, { role: 'operator' }, { 'if-match': user.etag });
    assert.equal(first.status, 200);
    assert.equal(first.headers.etag, '"v2"');
    const second = await admin('PATCH', user.location, { role: 'admin' }, { 'if-match': user.etag });
    assert.equal(second.status, 412);
    assert.equal(second.json().type, 'urn:poolfleet:problem:precondition_failed');
    assert.equal((await admin('GET', user.location)).json().role, 'operator');
  });

  test('bad accounts are refused with their field', async () => {
    const user = await account(server);
    for (const [body, status, field] of [
      [{ name: user.name.toUpperCase(), role: 'viewer' }, 409, 'name'], [{ name: '', role: 'viewer' }, 422, 'name'],
      [{ name: ' a', role: 'viewer' }, 422, 'name'], [{ name: 'a\tb', role: 'viewer' }, 422, 'name'],
      [{ name: 'a'.repeat(257), role: 'viewer' }, 422, 'name'], [{ name: fresh(), role: 'ingest' }, 422, 'role'],
      [{ name: fresh(), role: 'viewer', password: 'short' }, 422, 'password'],
      [{ name: fresh(), role: 'viewer', password: 'x'.repeat(300) }, 422, 'password'],
      [{ name: fresh(), role: 'viewer', password: 'a\u0007bbbbbbbbbbb' }, 422, 'password'],
      [{ name: 'the same as it', role: 'viewer', password: 'The Same As It' }, 422, 'password'],
      [{ name: fresh(), role: 'viewer', shoe: 1 }, 422, 'shoe'], [{ role: 'viewer' }, 422, 'name']]) {
      const reply = await admin('POST', '/api/v1/users', body);
      assert.deepEqual([reply.status, reply.json().field], [status, field], JSON.stringify(body));
    }
    assert.equal((await admin('PATCH', user.location, {})).status, 422);
    assert.equal((await admin('PATCH', '/api/v1/users/999999999', { role: 'viewer' })).status, 404);
    assert.equal((await admin('DELETE', '/api/v1/users/0')).status, 404);
  });

  test('hostile names come back as they are, in JSON and quoted in CSV', async () => {
    const name = `=cmd|'/c'!A1"<script>\u202e ${randomUUID()}`;
    assert.equal((await admin('POST', '/api/v1/users', { name, role: 'viewer' })).status, 201);
    const list = await admin('GET', `/api/v1/users?q=${encodeURIComponent(name)}`);
    assert.equal(list.json().items[0].name, name);
    const csv = (await admin('GET', `/api/v1/users?q=${encodeURIComponent(name)}`, undefined, { accept: 'text/csv' })).body.toString();
    assert.match(csv, /"'=cmd/);
  });
});

describe('tokens and enroll secrets', () => {
  test('a token is shown once, works, is listed without its text, and dies at once', async () => {
    const name = fresh('collector');
    const made = await admin('POST', '/api/v1/tokens', { name, role: 'viewer' });
    assert.equal(made.status, 201, made.body.toString());
    const { token, id } = made.json();
    assert.match(token, /^pft_[A-Za-z0-9_-]{43}$/);
    assert.equal((await server.request('GET', '/api/v1/session', { token })).status, 200);
    const list = await admin('GET', `/api/v1/tokens?state=active&role=viewer&q=${encodeURIComponent(name)}`);
    assert.deepEqual(list.json().items.map((t) => [t.id, t.name, t.state]), [[id, name, 'active']]);
    assert.doesNotMatch(list.body.toString(), /pft_/);
    assert.equal((await admin('DELETE', `/api/v1/tokens/${id}`)).status, 204);
    assert.equal((await server.request('GET', '/api/v1/session', { token })).status, 401, 'at once');
    assert.equal((await admin('DELETE', `/api/v1/tokens/${id}`)).status, 404);
    const gone = await admin('GET', `/api/v1/tokens?state=revoked&q=${encodeURIComponent(name)}`);
    assert.equal(gone.json().total, 1);
  });

  test('bad tokens are refused with their field', async () => {
    for (const [body, field] of [[{ name: 'x', role: 'enroll' }, 'role'], [{ name: '', role: 'viewer' }, 'name'],
      [{ name: 'x', role: 'host', host_id: 'nobody' }, 'host_id'], [{ name: 'x', role: 'host' }, 'role'],
      [{ name: 'x', role: 'viewer', expires_at: '2001-01-01T00:00:00Z' }, 'expires_at'],
      [{ name: 'x', role: 'viewer', expires_at: 'soon' }, 'expires_at']]) {
      const reply = await admin('POST', '/api/v1/tokens', body);
      assert.deepEqual([reply.status, reply.json().field], [422, field], JSON.stringify(body));
    }
    assert.equal((await admin('GET', '/api/v1/tokens?state=tired')).status, 422);
  });

  test('an enroll secret is made, enrolls, is listed and revoked', async () => {
    const name = fresh('rollout');
    const made = await admin('POST', '/api/v1/enroll-secrets', { name, max_uses: 5, expires_at: '2099-01-01T00:00:00Z' });
    assert.equal(made.status, 201, made.body.toString());
    const enroll = () => server.request('POST', '/api/v1/agent/enroll', { token: made.json().secret, headers: json,
      body: JSON.stringify({ host: { name: fresh('H') }, machine_id: randomUUID() }) });
    assert.equal((await enroll()).status, 200);
    const list = (await admin('GET', `/api/v1/enroll-secrets?state=active&q=${encodeURIComponent(name)}`)).json();
    assert.deepEqual(list.items.map((s) => [s.name, s.uses, s.max_uses, s.state]), [[name, 1, 5, 'active']]);
    assert.equal((await admin('POST', '/api/v1/enroll-secrets', { name })).status, 409);
    assert.equal((await admin('DELETE', `/api/v1/enroll-secrets/${made.json().id}`)).status, 204);
    assert.equal((await admin('POST', '/api/v1/enroll-secrets', { name, max_uses: 0 })).status, 422);
  });
});

describe('the log of changes', () => {
  test('every change is there with who, where and what, and no secret is', async () => {
    const boss = await account(server, 'admin');
    const session = await signIn(server, boss.name);
    const name = fresh('made');
    const user = (await session.ask('POST', '/api/v1/users', { body: { name, role: 'viewer', password: PASSWORD } })).json();
    await session.ask('PATCH', `/api/v1/users/${user.id}`, { body: { role: 'operator', disabled: true } });
    await session.ask('DELETE', `/api/v1/users/${user.id}`);
    const token = (await session.ask('POST', '/api/v1/tokens', { body: { name, role: 'ingest' } })).json();
    await session.ask('DELETE', `/api/v1/tokens/${token.id}`);
    const secret = (await session.ask('POST', '/api/v1/enroll-secrets', { body: { name } })).json();
    await session.ask('DELETE', `/api/v1/enroll-secrets/${secret.id}`);
    await session.ask('POST', '/api/v1/session/password', { body: { current: PASSWORD, password: 'another long one' } });
    await session.ask('DELETE', '/api/v1/sessions');
    const reply = await admin('GET', `/api/v1/audit?actor=${encodeURIComponent(boss.name)}&limit=100`);
    const items = reply.json().items.reverse();
    assert.deepEqual(items.map((i) => [i.action, i.object]), [['session.create', boss.name], ['user.create', name],
      ['user.change', name], ['user.delete', name], ['token.create', name], ['token.revoke', String(token.id)],
      ['enroll_secret.create', name], ['enroll_secret.revoke', String(secret.id)],
      ['user.password', boss.name], ['session.delete', boss.name]]);
    assert.ok(items.every((i) => i.actor_kind === 'user' && i.address === '127.0.0.1'));
    assert.deepEqual(items[2].detail, { role: 'operator', disabled: true });
    assert.equal(items[1].detail.password, 'set');
    for (const text of [PASSWORD, token.token, secret.secret, 'argon2']) assert.ok(!reply.body.toString().includes(text), text);
  });

  test('a refused change leaves no entry', async () => {
    const before = (await admin('GET', '/api/v1/audit?action=user&limit=1')).json();
    assert.equal((await admin('POST', '/api/v1/users', { name: '', role: 'viewer' })).status, 422);
    assert.equal((await admin('DELETE', '/api/v1/users/999999999')).status, 404);
    assert.equal((await admin('GET', '/api/v1/audit?action=user&limit=1')).json().items[0].id, before.items[0].id);
  });

  test('what the command line does is there too', async () => {
    const name = fresh('cli');
    cli(['user', 'add', name, '--role', 'operator'], `${PASSWORD}\n`);
    assert.equal((await signIn(server, name)).reply.status, 200);
    cli(['user', 'passwd', name], 'from the command line\n');
    assert.equal((await signIn(server, name, 'from the command line')).reply.status, 200);
    const listed = JSON.parse(cli(['user', 'list', '--json'])).find((u) => u.name === name);
    assert.deepEqual([listed.role, listed.has_password], ['operator', true]);
    assert.match(cli(['user', 'list']), new RegExp(name));
    cli(['token', 'create', '--role', 'viewer', '--name', name]);
    cli(['token', 'revoke', name]);
    cli(['enroll-secret', 'create', '--name', name]);
    cli(['enroll-secret', 'revoke', name]);
    cli(['user', 'remove', name]);
    const items = (await admin('GET', '/api/v1/audit?limit=200')).json().items.filter((i) => i.object === name && i.actor_kind === 'cli');
    assert.deepEqual(items.reverse().map((i) => i.action), ['user.create', 'user.change', 'token.create', 'token.revoke',
      'enroll_secret.create', 'enroll_secret.revoke', 'user.delete']);
    assert.ok(items.every((i) => i.address === null && i.actor.length > 0));
  });

  test('the command line refuses what is wrong, with the exit code of wrong usage', () => {
    const fails = (args, input, wanted, code = 2) => assert.throws(() => cli(args, input), (e) => {
      assert.equal(e.status, code, e.stderr);
      assert.match(e.stderr, wanted);
      return true;
    });
    fails(['user', 'add', fresh(), '--role', 'viewer'], 'short\n', /at least 10 characters/);
    fails(['user', 'add', fresh(), '--role', 'viewer'], '', /could not read the password/);
    fails(['user', 'add', fresh(), '--role', 'boss'], `${PASSWORD}\n`, /viewer, operator or admin/);
    fails(['user', 'add', '--role', 'viewer'], '', /needs NAME/);
    fails(['user', 'passwd', fresh('nobody')], `${PASSWORD}\n`, /no user/, 1);
    fails(['user', 'dance'], '', /one of add/);
  });
});

describe('sign-on by a proxy', () => {
  const ask = (extra, headers, method = 'GET', target = '/api/v1/session') => extra.request(method, target, { headers });

  test('is off unless it is set: the header means nothing', async () => {
    assert.equal((await ask(server, { 'x-remote-user': 'root' })).status, 401);
  });

  test('a trusted peer names an account; its role counts; changes need the header against forgery', async () => {
    const extra = await start('--trusted-proxy', '127.0.0.0/8', '--proxy-user-header', 'X-Remote-User');
    try {
      const user = await account(server, 'operator');
      const me = await ask(extra, { 'x-remote-user': user.name });
      assert.deepEqual([me.status, me.json().role, me.json().name, me.json().kind], [200, 'operator', user.name, 'proxy']);
      assert.equal((await ask(extra, { 'x-remote-user': fresh('nobody') })).status, 401);
      assert.equal((await ask(extra, { 'x-remote-user': '' })).status, 401);
      assert.equal((await ask(extra, { 'x-remote-user': user.name }, 'GET', '/api/v1/users')).status, 403);
      const forged = await ask(extra, { 'x-remote-user': user.name }, 'DELETE', '/api/v1/sessions');
      assert.equal(forged.json().type, 'urn:poolfleet:problem:csrf');
      assert.equal((await ask(extra, { 'x-remote-user': user.name, 'x-poolfleet': '1' }, 'DELETE', '/api/v1/sessions')).status, 204);
      assert.equal((await ask(extra, {})).status, 401, 'without the header nobody');
      const token = extra.token('viewer');
      assert.equal((await extra.request('GET', '/api/v1/session', { token, headers: { 'x-remote-user': user.name } })).json().kind, 'token');
      const connection = await extra.raw();
      await connection.send(`GET /api/v1/session HTTP/1.1\r\nHost: x\r\nX-Remote-User: ${user.name}\r\nX-Remote-User: root\r\n\r\n`);
      assert.equal((await connection.wait(1))[0].status, 400, 'the header twice');
      connection.close();
      await admin('PATCH', `/api/v1/users/${user.id}`, { disabled: true });
      await until(async () => (await ask(extra, { 'x-remote-user': user.name })).status === 401, 'the disabled account', 9000);
    } finally {
      await extra.stop();
    }
  });

  test('the proxy may say the role; one that is no role of people is nobody', async () => {
    const extra = await start('--trusted-proxy', '::1,127.0.0.1', '--proxy-user-header', 'X-Remote-User', '--proxy-role-header', 'X-Remote-Role');
    try {
      const name = fresh('outside');
      const as = (role) => ask(extra, { 'x-remote-user': name, ...(role === undefined ? {} : { 'x-remote-role': role }) });
      assert.deepEqual((({ status }, b) => [status, b.role, b.name])(await as('admin'), (await as('admin')).json()), [200, 'admin', name]);
      assert.equal((await as('viewer')).json().role, 'viewer');
      for (const role of ['ingest', 'host', 'root', '', undefined]) assert.equal((await as(role)).status, 401, String(role));
    } finally {
      await extra.stop();
    }
  });

  test('from any other peer a request with the header is refused', async () => {
    const extra = await start('--trusted-proxy', '10.9.8.7', '--proxy-user-header', 'X-Remote-User', '--proxy-role-header', 'X-Remote-Role');
    try {
      for (const headers of [{ 'x-remote-user': 'root' }, { 'X-REMOTE-USER': 'root', authorization: `Bearer ${extra.token('admin')}` },
        { 'x-remote-role': 'admin' }, { 'x-remote-user': 'root', 'x-forwarded-for': '10.9.8.7' }]) {
        const reply = await ask(extra, headers);
        assert.deepEqual([reply.status, reply.json().type], [403, 'urn:poolfleet:problem:proxy_header_refused'], JSON.stringify(headers));
      }
      assert.equal((await extra.request('GET', '/api/v1/session', { token: extra.token('viewer') })).status, 200);
    } finally {
      await extra.stop();
    }
  });

  test('half of the settings, or a name instead of an address, is refused at the start', () => {
    const check = (...args) => execFileSync(PROGRAM, ['check-config', ...args], { encoding: 'utf8', stdio: 'pipe' });
    for (const args of [['--trusted-proxy', '10.0.0.1'], ['--proxy-user-header', 'X-User'], ['--proxy-role-header', 'X-Role'],
      ['--trusted-proxy', 'proxy.example', '--proxy-user-header', 'X-User'], ['--trusted-proxy', '10.0.0.1/8', '--proxy-user-header', 'X-User'],
      ['--trusted-proxy', '10.0.0.1', '--proxy-user-header', 'Cookie']])
      assert.throws(() => check(...args), (e) => e.status === 2, args.join(' '));
    check('--trusted-proxy', '10.0.0.0/8 fd00::/8', '--proxy-user-header', 'X-User');
  });
});

describe('the first start', () => {
  /** A server on a database of its own, with what it prints. */
  async function firstStart(url) {
    const child = spawn(PROGRAM, ['serve', '--database-url', url, '--listen', '127.0.0.1:0'], { stdio: ['ignore', 'pipe', 'pipe'] });
    let out = '';
    let log = '';
    child.stdout.on('data', (d) => { out += d; });
    child.stderr.on('data', (d) => { log += d; });
    const port = Number((await until(() => /serving address=127\.0\.0\.1:(\d+)/.exec(log) ?? (child.exitCode !== null && assert.fail(log)), 'the server'))[1]);
    return { port, out: () => out, log: () => log,
      stop: () => new Promise((resolve) => { child.on('exit', resolve); child.kill('SIGTERM'); }) };
  }

  test('prints a link once usable, which makes the administrator', async () => {
    const database = `setup_${randomUUID().replaceAll('-', '')}`;
    const url = /dbname=/.test(DATABASE) ? DATABASE.replace(/dbname=\S+/, `dbname=${database}`) : DATABASE.replace(/\/[^/?]*(\?|$)/, `/${database}$1`);
    execFileSync('psql', [DATABASE, '-qc', `CREATE DATABASE ${database}`]);
    execFileSync(PROGRAM, ['migrate', '--database-url', url]);
    const first = await firstStart(url);
    try {
      const { request } = await import('./server.mjs');
      const link = /http:\/\/127\.0\.0\.1:\d+\/setup#([A-Za-z0-9_-]{43})\n/.exec(await until(first.out, 'the line'));
      assert.ok(link, first.out());
      assert.equal(first.out().trim().split('\n').length, 1);
      assert.ok(!first.log().includes(link[1]), 'not in the log');
      const use = (body) => request(first.port, 'POST', '/api/v1/setup', { headers: json, body: JSON.stringify(body) });
      assert.equal((await use({ link: 'A'.repeat(43), name: 'eve', password: PASSWORD })).status, 401);
      const weak = await use({ link: link[1], name: 'ann', password: 'short' });
      assert.deepEqual([weak.status, weak.json().field], [422, 'password']);
      const both = await Promise.all([use({ link: link[1], name: 'ann', password: PASSWORD }), use({ link: link[1], name: 'bob', password: PASSWORD })]);
      assert.deepEqual(both.map((r) => r.status).sort(), [200, 401], 'one of two at once');
      const won = both.find((r) => r.status === 200);
      assert.equal(won.json().role, 'admin');
      const cookie = won.headers['set-cookie'][0].split(';')[0];
      const users = await request(first.port, 'GET', '/api/v1/users', { headers: { cookie } });
      assert.deepEqual(users.json().items.map((u) => u.role), ['admin']);
      const id = users.json().items[0].id;
      for (const [method, body] of [['PATCH', { role: 'viewer' }], ['PATCH', { disabled: true }], ['DELETE', undefined]]) {
        const reply = await request(first.port, method, `/api/v1/users/${id}`, { headers: { cookie, 'x-poolfleet': '1', ...(body ? json : {}) }, body: body && JSON.stringify(body) });
        assert.deepEqual([reply.status, reply.json().type], [409, 'urn:poolfleet:problem:last_admin'], method);
      }
      assert.equal((await use({ link: link[1], name: 'eve', password: PASSWORD })).status, 401, 'used');
      const audit = await request(first.port, 'GET', '/api/v1/audit?action=user.create', { headers: { cookie } });
      assert.deepEqual(audit.json().items.map((i) => i.actor_kind), ['setup']);
    } finally {
      await first.stop();
    }
    const second = await firstStart(url);
    await second.stop();
    assert.equal(second.out(), '', 'with an administrator there is no link');
  });
});
