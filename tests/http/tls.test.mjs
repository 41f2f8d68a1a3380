// SPDX-License-Identifier: Apache-2.0
// TLS by the server itself: what it takes and offers, what it refuses at start, the pair being
// replaced while it runs, and everything the plain server is tested for, over TLS.
import assert from 'node:assert/strict';
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import https from 'node:https';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import tls from 'node:tls';
import { after, before, test } from 'node:test';
import { makeAuthority, makeCertificate } from './certs.mjs';
import { DATABASE, PROGRAM, snapshot, start, until } from './server.mjs';

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'poolfleet-tls-'));
const cert = path.join(folder, 'cert.pem');
const key = path.join(folder, 'key.pem');
const pairs = {};
let ca;
let server;

/** What a renewal does: other files of the same names. */
function install(pair) {
  for (const [from, to] of [[pair.cert, cert], [pair.key, key]]) {
    fs.copyFileSync(from, `${to}.new`);
    fs.chmodSync(`${to}.new`, 0o600);
    fs.renameSync(`${to}.new`, to);
  }
}

before(async () => {
  makeAuthority(folder);
  ca = fs.readFileSync(path.join(folder, 'ca.pem'));
  pairs.first = makeCertificate(folder, 'first');
  pairs.second = makeCertificate(folder, 'second', { rsa: true });
  pairs.expired = makeCertificate(folder, 'expired', { days: -1 });
  install(pairs.first);
  server = await start('--tls-cert', cert, '--tls-key', key);
});
after(async () => {
  await server.stop();
  fs.rmSync(folder, { recursive: true, force: true });
});

function request(method, target, { token, headers = {}, body, agent = false, port = server.port } = {}) {
  const all = { ...headers };
  if (token) all.authorization = `Bearer ${token}`;
  if (body !== undefined) all['content-length'] = Buffer.byteLength(body);
  return new Promise((resolve, reject) => {
    const rq = https.request({ host: '127.0.0.1', port, method, path: target, headers: all, ca, agent,
      timeout: 20000 }, (rs) => {
      const parts = [];
      rs.on('data', (part) => parts.push(part));
      rs.on('error', reject);
      rs.on('end', () => resolve({ status: rs.statusCode, headers: rs.headers, body: Buffer.concat(parts),
        json: () => JSON.parse(Buffer.concat(parts).toString()) }));
    });
    rq.on('timeout', () => rq.destroy(new Error('no answer')));
    rq.on('error', reject);
    rq.end(body);
  });
}

/** A handshake alone: {protocol, cipher, name of the certificate}, or the error. */
function handshake(options = {}) {
  return new Promise((resolve) => {
    const socket = tls.connect({ host: '127.0.0.1', port: server.port, ca, ...options }, () => {
      resolve({ protocol: socket.getProtocol(), cipher: socket.getCipher().name,
        name: socket.getPeerCertificate().subject.CN, socket });
    });
    socket.on('error', (error) => resolve({ error }));
  });
}

test('serves HTTPS, with HSTS', async () => {
  const reply = await request('GET', '/healthz');
  assert.equal(reply.status, 200);
  assert.equal(reply.headers['strict-transport-security'], 'max-age=31536000');
});

test('a plain server sends no HSTS', async () => {
  const plain = await start();
  try {
    const reply = await plain.request('GET', '/healthz');
    assert.equal(reply.headers['strict-transport-security'], undefined);
  } finally {
    await plain.stop();
  }
});

for (const [protocol, wanted] of [['TLSv1.3', true], ['TLSv1.2', true], ['TLSv1.1', false], ['TLSv1', false]]) {
  test(`${protocol} is ${wanted ? 'spoken' : 'refused'}`, async () => {
    // Security level 0, or the client itself would not offer the old ones.
    const got = await handshake({ minVersion: protocol, maxVersion: protocol, ciphers: 'DEFAULT@SECLEVEL=0' });
    if (wanted) assert.equal(got.protocol, protocol, String(got.error));
    else assert.match(String(got.error), /protocol version|disconnected before secure|ECONNRESET/);
    got.socket?.destroy();
  });
}

test('a key exchange without forward secrecy is refused, the one of old Windows is not', async () => {
  install(pairs.second); // RSA
  process.kill(server.pid, 'SIGHUP');
  await until(async () => {
    const got = await handshake();
    got.socket?.destroy();
    return got.name === 'second';
  }, 'the RSA certificate');
  const options = { minVersion: 'TLSv1.2', maxVersion: 'TLSv1.2' };
  assert.ok((await handshake({ ...options, ciphers: 'AES128-GCM-SHA256' })).error);
  assert.ok((await handshake({ ...options, ciphers: 'AES128-SHA' })).error);
  for (const ciphers of ['ECDHE-RSA-AES128-GCM-SHA256', 'ECDHE-RSA-AES128-SHA']) {
    const got = await handshake({ ...options, ciphers });
    assert.equal(got.cipher, ciphers, String(got.error));
    got.socket.destroy();
  }
  install(pairs.first);
  process.kill(server.pid, 'SIGHUP');
});

test('plain HTTP to the port is not answered as HTTP', async () => {
  const socket = net.connect(server.port, '127.0.0.1');
  const parts = [];
  socket.on('data', (part) => parts.push(part));
  socket.on('error', () => {});
  socket.write('GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n');
  await new Promise((resolve) => socket.on('close', resolve));
  assert.doesNotMatch(Buffer.concat(parts).toString('latin1'), /HTTP\/1|ok/);
  assert.equal((await request('GET', '/healthz')).status, 200);
});

test('the session cookie is Secure, whatever a header says', async () => {
  const post = (headers) => request('POST', '/api/v1/session', { headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify({ token: server.token('viewer') }) });
  for (const headers of [{}, { 'x-forwarded-proto': 'http' }])
    assert.match((await post(headers)).headers['set-cookie'][0], /; Secure$/);
});

test('other addresses than loopback need TLS or permission', async () => {
  const args = ['serve', '--database-url', DATABASE, '--listen', '0.0.0.0:0'];
  const refused = spawnSync(PROGRAM, args, { encoding: 'utf8', timeout: 20000 });
  assert.equal(refused.status, 2, refused.stderr);
  assert.match(refused.stderr, /plain HTTP is allowed on loopback only/);
  assert.match(refused.stderr, /tls_cert and tls_key/);
  const ready = path.join(folder, 'ready');
  const child = spawn(PROGRAM, [...args, '--ready-file', ready, '--tls-cert', cert, '--tls-key', key],
    { stdio: 'ignore' });
  const exited = new Promise((resolve) => child.on('exit', resolve));
  const address = await until(() => fs.existsSync(ready) && fs.readFileSync(ready, 'utf8').trim(), 'the ready file', 30000);
  try {
    const reply = await request('GET', '/healthz', { port: Number(address.slice(address.lastIndexOf(':') + 1)) });
    assert.equal(reply.status, 200);
  } finally {
    child.kill('SIGTERM');
    assert.equal(await exited, 0);
  }
});

/** [name, cert, key, the setting named, what the message says] */
const BAD = [
  ['a key without a certificate', () => '', () => key, 'tls_cert', /tls_cert is wanted too/],
  ['a certificate without a key', () => cert, () => '', 'tls_key', /tls_key is wanted too/],
  ['a file that is not there', () => path.join(folder, 'none'), () => key, 'tls_cert', /could not open .*No such file/],
  ['a folder', () => folder, () => key, 'tls_cert', /not a file/],
  ['a key in place of the certificate', () => key, () => key, 'tls_cert', /could not read a certificate/],
  ['a certificate in place of the key', () => cert, () => cert, 'tls_key', /could not read a private key/],
  ['the key of another certificate', () => cert, () => pairs.second.key, 'tls_key', /does not belong to the first certificate/],
  ['an encrypted key', () => cert, () => encrypted(), 'tls_key', /it is encrypted/],
  ['an empty file', () => empty(), () => key, 'tls_cert', /could not read a certificate/],
  ['half a certificate', () => half(), () => key, 'tls_cert', /could not read a certificate/],
];
function encrypted() {
  const file = path.join(folder, 'encrypted.key');
  execFileSync('openssl', ['pkcs8', '-topk8', '-in', pairs.first.key, '-passout', 'pass:secret', '-out', file]);
  return file;
}
function written(name, text) {
  fs.writeFileSync(path.join(folder, name), text, { mode: 0o600 });
  return path.join(folder, name);
}
const empty = () => written('empty.pem', '');
const half = () => written('half.pem', fs.readFileSync(cert).subarray(0, 200));

for (const [name, badCert, badKey, field, message] of BAD) {
  test(`check-config and serve refuse ${name}`, () => {
    const flags = ['--tls-cert', badCert(), '--tls-key', badKey()];
    for (const verb of [['check-config'], ['serve', '--database-url', DATABASE, '--listen', '127.0.0.1:0']]) {
      const done = spawnSync(PROGRAM, [...verb, ...flags], { encoding: 'utf8', timeout: 20000 });
      assert.equal(done.status, 2, done.stderr);
      assert.match(done.stderr, new RegExp(`^poolfleetd ${verb[0]}: ${field}: .*${message.source}`, 'm'));
      assert.doesNotMatch(done.stderr, /Sanitizer|runtime error/);
    }
  });
}

test('check-config warns of an expired certificate and of a key that everybody can read', () => {
  const check = (pair) => spawnSync(PROGRAM, ['check-config', '--tls-cert', pair.cert, '--tls-key', pair.key],
    { encoding: 'utf8' });
  const good = check(pairs.first);
  assert.equal(good.status, 0, good.stderr);
  assert.equal(good.stderr, '');
  const expired = check(pairs.expired);
  assert.equal(expired.status, 0);
  assert.match(expired.stderr, /warning: the certificate is expired/);
  fs.chmodSync(pairs.second.key, 0o644);
  const exposed = check(pairs.second);
  fs.chmodSync(pairs.second.key, 0o600);
  assert.equal(exposed.status, 0);
  assert.match(exposed.stderr, /warning: everybody can read or write .*chmod o-rw/);
});

test('the chain goes with the certificate, and the certificate must come first', async () => {
  const turned = written('turned.pem', Buffer.concat([ca, fs.readFileSync(pairs.first.cert)]));
  const refused = spawnSync(PROGRAM, ['check-config', '--tls-cert', turned, '--tls-key', pairs.first.key],
    { encoding: 'utf8' });
  assert.equal(refused.status, 2);
  assert.match(refused.stderr, /does not belong to the first certificate in/);
  const both = written('chain.pem', Buffer.concat([fs.readFileSync(pairs.first.cert), ca]));
  const own = await start('--tls-cert', both, '--tls-key', pairs.first.key);
  try {
    const chain = await new Promise((resolve, reject) => {
      const socket = tls.connect({ host: '127.0.0.1', port: own.port, ca }, () => {
        resolve(socket.getPeerCertificate(true));
        socket.destroy();
      });
      socket.on('error', reject);
    });
    assert.equal(chain.subject.CN, 'first');
    assert.equal(chain.issuerCertificate.subject.CN, 'Test authority');
  } finally {
    await own.stop();
  }
});

test('SIGHUP puts a new pair in place; open connections go on, a bad pair changes nothing', async () => {
  const own = await start('--tls-cert', cert, '--tls-key', key);
  const name = async () => {
    const got = await handshake({ port: own.port });
    got.socket?.destroy();
    return got.name;
  };
  const agent = new https.Agent({ keepAlive: true, maxSockets: 1 });
  const ask = () => request('GET', '/healthz', { port: own.port, agent });
  try {
    let sockets = 0;
    agent.on('free', () => {});
    const create = agent.createConnection;
    agent.createConnection = function counted(...args) { sockets += 1; return create.apply(this, args); };
    assert.equal((await ask()).status, 200);
    assert.equal(await name(), 'first');
    install(pairs.second);
    assert.equal(await name(), 'first', 'not before the signal');
    process.kill(own.pid, 'SIGHUP');
    await until(async () => await name() === 'second', 'the new certificate');
    assert.equal((await ask()).status, 200);
    assert.equal(sockets, 1, 'the open connection was not dropped');
    fs.writeFileSync(key, 'nonsense');
    process.kill(own.pid, 'SIGHUP');
    await until(() => /could not reload the certificate, the one before stays/.test(own.log()), 'the log line');
    assert.match(own.log(), /could not read a private key/);
    assert.equal(await name(), 'second');
    assert.equal((await ask()).status, 200);
    install(pairs.first);
    process.kill(own.pid, 'SIGHUP');
    await until(async () => await name() === 'first', 'the first certificate again');
    assert.equal(sockets, 1);
  } finally {
    agent.destroy();
    install(pairs.first);
    await own.stop();
  }
});

test('SIGHUP does not end a plain server', async () => {
  const plain = await start();
  process.kill(plain.pid, 'SIGHUP');
  await until(() => /nothing to read again/.test(plain.log()), 'the log line');
  assert.equal((await plain.request('GET', '/healthz')).status, 200);
  await plain.stop();
});

test('200 posts over 20 connections are answered while the pair is replaced', { timeout: 120000 }, async () => {
  const token = server.token('ingest');
  const headers = { 'content-type': 'application/json' };
  let running = true;
  const reloads = (async () => {
    for (let i = 0; running; i += 1) {
      install(i % 2 === 0 ? pairs.second : pairs.first);
      process.kill(server.pid, 'SIGHUP');
      await until(async () => {
        const got = await handshake();
        got.socket?.destroy();
        return got.name === (i % 2 === 0 ? 'second' : 'first');
      }, 'the other certificate');
    }
  })();
  const one = async () => {
    const agent = new https.Agent({ keepAlive: true, maxSockets: 1 });
    for (let i = 0; i < 10; i += 1) {
      const reply = await request('POST', '/api/v1/snapshots', { token, headers, agent, body: JSON.stringify(snapshot()) });
      assert.equal(reply.status, 200, reply.body.toString());
      assert.equal(reply.json().accepted, 1);
    }
    agent.destroy();
  };
  await Promise.all(Array.from({ length: 20 }, one));
  running = false;
  await reloads;
  install(pairs.first);
  process.kill(server.pid, 'SIGHUP');
});

test('a client that opens a connection and says nothing, or stops within the handshake, holds up nobody', async () => {
  const lazy = Array.from({ length: 50 }, (_, i) => {
    const socket = net.connect(server.port, '127.0.0.1');
    socket.on('error', () => {});
    if (i % 2) socket.write(Buffer.from('1603010200010001fc0303', 'hex')); // the first bytes of a hello
    return socket;
  });
  for (let i = 0; i < 10; i += 1) assert.equal((await request('GET', '/healthz')).status, 200);
  for (const socket of lazy) socket.destroy();
});

for (const file of ['framing', 'load', 'semantics']) {
  test(`what ${file}.test.mjs holds for plain HTTP holds over TLS`, { timeout: 300000 }, async () => {
    const environment = { ...process.env, POOLFLEET_TEST_TLS: folder };
    delete environment.NODE_TEST_CONTEXT; // the inner run is one of its own
    const child = spawn(process.execPath, ['--test', '--test-reporter=tap',
      path.join(import.meta.dirname ?? path.dirname(new URL(import.meta.url).pathname), `${file}.test.mjs`)],
    { env: environment, stdio: ['ignore', 'pipe', 'pipe'] });
    let out = '';
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding('utf8').on('data', (text) => { out += text; });
    const code = await new Promise((resolve) => child.on('exit', resolve));
    assert.equal(code, 0, out.split('\n').filter((line) => /not ok|error:|expected|actual|# fail/.test(line)).join('\n'));
    assert.match(out, /^# pass [1-9]/m);
  });
}
