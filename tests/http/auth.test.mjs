// SPDX-License-Identifier: Apache-2.0
// Who may do what: every row of the route table with every role; sessions; attempts.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { request, routes, start, until } from './server.mjs';

let server;
before(async () => { server = await start(); });
after(() => server.stop());

const RIGHTS = {
  none: ['none'],
  ingest: ['none', 'ingest'],
  viewer: ['none', 'viewer'],
  operator: ['none', 'viewer', 'operator'],
  admin: ['none', 'host', 'ingest', 'viewer', 'operator', 'admin'],
};

const fill = (pattern) => pattern.replace(/\{[^}]+\}/g, 'Ddk%20');

test('each route admits the roles of its row and no other', async () => {
  const table = routes();
  assert.ok(table.length > 5);
  for (const row of table.filter((r) => r.role !== 'none')) {
    for (const [role, rights] of Object.entries(RIGHTS)) {
      const reply = await server.request(row.method, fill(row.pattern), {
        token: role === 'none' ? undefined : server.token(role),
        // A type no route takes: what is admitted stops before it changes anything.
        headers: row.body.length > 0 ? { 'content-type': 'application/x-none' } : {},
        body: row.body.length > 0 ? '{}' : undefined,
      });
      const where = `${row.method} ${row.pattern} as ${role}: ${reply.status}`;
      if (role === 'none') {
        assert.equal(reply.status, 401, where);
        assert.equal(reply.headers['www-authenticate'], 'Bearer');
      } else if (!rights.includes(row.role)) {
        assert.equal(reply.status, 403, where);
      } else {
        assert.ok(reply.status !== 401 && reply.status !== 403 && reply.status < 500, where);
        if (row.body.length > 0) assert.equal(reply.status, 415, where);
      }
    }
  }
});

async function signIn(role, headers = {}) {
  const reply = await server.request('POST', '/api/v1/session', {
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify({ token: server.token(role) }) });
  return { reply, cookie: reply.headers['set-cookie']?.[0] };
}

test('a session is a cookie no script can read and no other site can send', async () => {
  const { reply, cookie } = await signIn('operator');
  assert.equal(reply.status, 200, reply.body.toString());
  assert.equal(reply.json().role, 'operator');
  assert.match(reply.json().expires_at, /^20\d\d-/);
  assert.match(cookie, /^poolfleet_session=[A-Za-z0-9_-]{43}; Path=\/; HttpOnly; SameSite=Strict; Max-Age=\d+$/);
  const secure = await signIn('operator', { 'x-forwarded-proto': 'https' });
  assert.match(secure.cookie, /; Secure$/);
  assert.notEqual(secure.cookie.slice(0, 60), cookie.slice(0, 60), 'never the same session twice');
});

test('a session works until it is ended', async () => {
  const { cookie } = await signIn('viewer');
  const headers = { cookie: `other=1; ${cookie.split(';')[0]}` };
  const me = await server.request('GET', '/api/v1/session', { headers });
  assert.equal(me.status, 200);
  assert.equal(me.json().role, 'viewer');
  const unsafe = await server.request('DELETE', '/api/v1/session', { headers });
  assert.equal(unsafe.status, 403, 'a change by cookie needs the header');
  assert.equal(unsafe.json().type, 'urn:poolfleet:problem:csrf');
  const ended = await server.request('DELETE', '/api/v1/session', { headers: { ...headers, 'x-poolfleet': '1' } });
  assert.equal(ended.status, 204);
  assert.match(ended.headers['set-cookie'][0], /^poolfleet_session=; .*Max-Age=0/);
  assert.equal((await server.request('GET', '/api/v1/session', { headers })).status, 401);
});

test('a session is no token and a token is no session', async () => {
  const { cookie } = await signIn('viewer');
  const secret = cookie.slice('poolfleet_session='.length, cookie.indexOf(';'));
  const asToken = await server.request('GET', '/api/v1/session', { token: secret });
  assert.equal(asToken.status, 401);
  const asCookie = await server.request('GET', '/api/v1/session',
    { headers: { cookie: `poolfleet_session=${server.token('viewer')}` } });
  assert.equal(asCookie.status, 401);
});

test('only people sign in', async () => {
  const { reply, cookie } = await signIn('ingest');
  assert.equal(reply.status, 403);
  assert.equal(cookie, undefined);
});

test('a bad sign-in is refused without a hint about why', async () => {
  const post = (body) => server.request('POST', '/api/v1/session',
    { headers: { 'content-type': 'application/json' }, body });
  const unknown = `pft_${'A'.repeat(43)}`;
  assert.equal((await post(JSON.stringify({ token: unknown }))).status, 401);
  assert.equal((await post('{"token": 7}')).status, 422);
  assert.equal((await post('{"token": "a", "x": 1}')).status, 422);
  assert.equal((await post('{"token": "a", "token": "b"}')).status, 400);
  assert.equal((await post('[')).status, 400);
  assert.equal((await post(' '.repeat(6000))).status, 413);
});

test('a revoked token and its sessions die within seconds', async () => {
  const extra = await start();
  try {
    const token = extra.token('operator');
    const signedIn = await extra.request('POST', '/api/v1/session', {
      headers: { 'content-type': 'application/json' }, body: JSON.stringify({ token }) });
    const headers = { cookie: signedIn.headers['set-cookie'][0].split(';')[0] };
    assert.equal((await extra.request('GET', '/api/v1/session', { token })).status, 200);
    assert.equal((await extra.request('GET', '/api/v1/session', { headers })).status, 200);
    extra.revokeToken(token);
    await until(async () => (await extra.request('GET', '/api/v1/session', { token })).status === 401 &&
      (await extra.request('GET', '/api/v1/session', { headers })).status === 401,
    'the revoked token to be refused', 9000);
  } finally {
    await extra.stop();
  }
});

test('an address that keeps failing has to wait, others with good tokens do not', async () => {
  const extra = await start();
  try {
    const known = extra.token('viewer');
    const me = (token, headers) => request(extra.port, 'GET', '/metrics',
      { token, headers: { 'x-forwarded-for': '192.0.2.1', ...headers } });
    assert.equal((await me(known)).status, 200);
    const attempt = (i) => request(extra.port, 'POST', '/api/v1/session', {
      headers: { 'content-type': 'application/json', 'x-forwarded-for': `192.0.2.${i}` },
      body: JSON.stringify({ token: `pft_${String(i).padStart(43, 'A')}` }) });
    const replies = [];
    for (let i = 0; i < 40; i += 1) replies.push(await attempt(i));
    const limited = replies.filter((r) => r.status === 429);
    assert.ok(limited.length >= 15, `${limited.length} of 40 were limited`);
    assert.equal(replies[0].status, 401);
    assert.ok(replies.every((r) => r.status === 401 || r.status === 429));
    assert.ok(Number(limited[0].headers['retry-after']) > 0);
    assert.equal((await me(known)).status, 200, 'a token known to be good is not shut out');
  } finally {
    await extra.stop();
  }
});
