// SPDX-License-Identifier: Apache-2.0
// The agent's transport (WinHTTP) against servers on loopback that behave and that do not: which
// certificate is trusted, what never leaves the host, and that no server can hold the agent up.
// Under Wine: TLS is GnuTLS's here, and automatic proxies do not exist.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import crypto from 'node:crypto';
import fs from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import net from 'node:net';
import path from 'node:path';
import { after, before, test } from 'node:test';
import zlib from 'node:zlib';
import { probe } from './probe.mjs';
import { ROOT, prefix, skip } from './wine.mjs';

const KEYS = path.join(ROOT, 'build/wine/http-keys');
const TOKEN = 'token-that-must-not-leak';
let wine;
let exe;

// ---- certificates, made anew for each run

function openssl(...args) {
  const { status, stderr } = spawnSync('openssl', args, { cwd: KEYS, encoding: 'utf8' });
  assert.equal(status, 0, `openssl ${args.join(' ')}: ${stderr}`);
}

function authority(name) {
  openssl('req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '30', '-subj', `/CN=${name}`, '-keyout',
    `${name}.key`, '-out', `${name}.pem`, '-addext', 'basicConstraints=critical,CA:TRUE', '-addext',
    'keyUsage=critical,keyCertSign,cRLSign');
}

/** NAME.key, NAME.pem of a server, signed by `ca`. days: "-1" makes one that has expired. */
function certificate(name, ca, names, usage = 'serverAuth', dates = ['-days', '10']) {
  fs.writeFileSync(path.join(KEYS, `${name}.ext`),
    `subjectAltName=${names}\nextendedKeyUsage=${usage}\nbasicConstraints=CA:FALSE\n`);
  openssl('req', '-newkey', 'rsa:2048', '-nodes', '-subj', `/CN=${names.split(':')[1].split(',')[0]}`, '-keyout',
    `${name}.key`, '-out', `${name}.csr`);
  openssl('x509', '-req', '-in', `${name}.csr`, '-CA', `${ca}.pem`, '-CAkey', `${ca}.key`, '-CAcreateserial',
    '-out', `${name}.pem`, '-extfile', `${name}.ext`, ...dates);
}

function pinOf(name) {
  const key = new crypto.X509Certificate(fs.readFileSync(path.join(KEYS, `${name}.pem`))).publicKey;
  const der = key.export({ type: 'spki', format: 'der' });
  return `sha256/${crypto.createHash('sha256').update(der).digest('base64')}`;
}

const caFile = (name) => wine.windowsPath(path.join(KEYS, `${name}.pem`));

before(async () => {
  if (skip) return;
  fs.mkdirSync(KEYS, { recursive: true });
  authority('ours');
  authority('other');
  certificate('good', 'ours', 'DNS:localhost,DNS:pool.test');
  certificate('wrong-name', 'ours', 'DNS:elsewhere.test');
  certificate('expired', 'ours', 'DNS:localhost', 'serverAuth', ['-days', '-1']);
  certificate('client-only', 'ours', 'DNS:localhost', 'clientAuth');
  wine = await prefix('http');
  exe = probe('http_probe');
});

after(async () => wine?.stop());

// ---- servers

/** What came in: requests with their bodies; and what the answer is. */
async function listen(server) {
  const sockets = new Set();
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => sockets.delete(socket));
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: server.address().port,
    async [Symbol.asyncDispose]() { this.close(); },
    close() {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}

function collect(answer) {
  const seen = [];
  const handler = (request, response) => {
    const parts = [];
    request.on('error', () => {});
    request.on('data', (part) => parts.push(part));
    request.on('end', () => {
      seen.push({ method: request.method, url: request.url, headers: request.headers, body: Buffer.concat(parts), socket: request.socket });
      answer(request, response, seen.length);
    });
  };
  return { seen, handler };
}

async function serve(answer, use) {
  const { seen, handler } = collect(answer);
  const place = await listen(http.createServer(handler));
  try {
    return await use({ url: `http://127.0.0.1:${place.port}`, seen });
  } finally {
    place.close();
  }
}

async function serveTls(name, use, options = {}) {
  const { seen, handler } = collect((request, response) => response.end('ok'));
  const place = await listen(https.createServer({
    key: fs.readFileSync(path.join(KEYS, `${name}.key`)),
    cert: fs.readFileSync(path.join(KEYS, `${name}.pem`)),
    ...options,
  }, handler));
  try {
    return await use({ url: `https://localhost:${place.port}`, port: place.port, seen });
  } finally {
    place.close();
  }
}

/** No request with the token, and none with a body, has come in. */
function assertNothingTold(seen) {
  assert.equal(sawToken(seen), false, 'the token was sent');
  assert.equal(posts(seen).length, 0, 'a POST was sent');
}

/** A server that writes raw bytes: `talk` gets each connection after the request's first bytes. */
async function serveRaw(talk, use) {
  const server = net.createServer((socket) => socket.once('data', () => talk(socket)));
  const place = await listen(server);
  try {
    return await use({ url: `http://127.0.0.1:${place.port}` });
  } finally {
    place.close();
  }
}

/** Runs the probe; its lines, the last of which tells how long closing took. */
async function post(settings) {
  const args = Object.entries({ bearer: TOKEN, ...settings }).map(([name, value]) => `${name}=${value}`);
  const { code, stdout, stderr } = await wine.wine(exe, args, { timeoutMs: 60000 });
  assert.equal(code, 0, stdout + stderr);
  const lines = stdout.trim().split(/\r?\n/).map((line) => JSON.parse(line));
  return { first: lines[0], lines: lines.filter((line) => 'status' in line),
    closedMs: lines.find((line) => 'closed_ms' in line)?.closed_ms };
}

/** Requests other than the HEAD that comes before the first POST when a key must be checked. */
const posts = (seen) => seen.filter((request) => request.method === 'POST');
const sawToken = (seen) => seen.some((request) => JSON.stringify(request.headers).includes(TOKEN));

// ---- one request

test('a request carries path, types, token and body, and gives code and body', { skip }, () =>
  serve((request, response) => response.writeHead(202).end('{"ok":1}'), async ({ url, seen }) => {
    const file = path.join(KEYS, 'body.bin');
    fs.writeFileSync(file, Buffer.from([0xa1, 0x00, 0xff, 0x0a]));
    const { first } = await post({ ServerUrl: url, data: wine.windowsPath(file), path: '/api/v1/agent/enroll' });
    assert.equal(first.status, 'ok');
    assert.equal(first.code, 202);
    assert.equal(first.body, '{"ok":1}');
    assert.equal(first.retry_after, -1);
    assert.equal(seen.length, 1);
    assert.equal(seen[0].url, '/api/v1/agent/enroll');
    assert.equal(seen[0].headers['content-type'], 'application/cbor-seq');
    assert.equal(seen[0].headers.accept, 'application/cbor');
    assert.equal(seen[0].headers.authorization, `Bearer ${TOKEN}`);
    assert.deepEqual(seen[0].body, Buffer.from([0xa1, 0x00, 0xff, 0x0a]));
  }));

test('a gzip body of a megabyte arrives as it was made', { skip }, () =>
  serve((request, response) => response.end(), async ({ url, seen }) => {
    const data = crypto.randomBytes(1 << 20);
    const file = path.join(KEYS, 'body.gz');
    fs.writeFileSync(file, zlib.gzipSync(data));
    const { first } = await post({ ServerUrl: url, data: wine.windowsPath(file), gzip: 1 });
    assert.equal(first.status, 'ok', first.message);
    assert.equal(seen[0].headers['content-encoding'], 'gzip');
    assert.deepEqual(zlib.gunzipSync(seen[0].body), data);
  }));

test('requests one after the other use one connection', { skip }, () =>
  serve((request, response) => response.end('x'), async ({ url, seen }) => {
    const { lines } = await post({ ServerUrl: url, repeat: 3 });
    assert.deepEqual(lines.map((line) => line.status), ['ok', 'ok', 'ok']);
    assert.equal(new Set(seen.map((request) => request.socket)).size, 1);
  }));

test('a refusal is a reply: code and body come back', { skip }, () =>
  serve((request, response) => response.writeHead(409).end('base'), async ({ url }) => {
    const { first } = await post({ ServerUrl: url });
    assert.deepEqual([first.status, first.code, first.body], ['ok', 409, 'base']);
  }));

test('Retry-After in seconds is told', { skip }, () =>
  serve((request, response) => response.writeHead(503, { 'Retry-After': '17' }).end(), async ({ url }) => {
    const { first } = await post({ ServerUrl: url });
    assert.deepEqual([first.status, first.code, first.retry_after], ['ok', 503, 17]);
  }));

test('Retry-After as a date is told as the time until then', { skip }, () =>
  serve((request, response) => response.writeHead(429,
    { 'Retry-After': new Date(Date.now() + 90000).toUTCString() }).end(), async ({ url }) => {
    const { first } = await post({ ServerUrl: url });
    assert.ok(first.retry_after > 60 && first.retry_after <= 90, `${first.retry_after}`);
  }));

test('a Retry-After that is neither is as if there were none', { skip }, () =>
  serve((request, response) => response.writeHead(503, { 'Retry-After': 'soon' }).end(), async ({ url }) => {
    const { first } = await post({ ServerUrl: url });
    assert.deepEqual([first.code, first.retry_after], [503, -1]);
  }));

test('a token with a line end is not sent', { skip }, () =>
  serve((request, response) => response.end(), async ({ url, seen }) => {
    const { first } = await post({ ServerUrl: url, bearer: 'a\nX-Evil: 1' });
    assert.equal(first.status, 'invalid');
    assert.equal(seen.length, 0);
  }));

// ---- servers that do not behave

for (const code of [301, 302, 303, 307, 308]) {
  test(`a redirect (${code}) to http is not followed and told with its place`, { skip }, () =>
    serve((request, response) => response.writeHead(code, { Location: 'http://evil.test/x' }).end(),
      async ({ url, seen }) => {
        const { first } = await post({ ServerUrl: url });
        assert.equal(first.status, 'io');
        assert.match(first.message, /redirects to "http:\/\/evil\.test\/x"/);
        assert.match(first.hint, /ServerUrl/);
        assert.equal(seen.length, 1);
      }));
}

test('an endless redirect to itself is asked once', { skip }, () =>
  serve((request, response) => response.writeHead(302, { Location: request.url }).end(), async ({ url, seen }) => {
    const { first } = await post({ ServerUrl: url });
    assert.equal(first.status, 'io');
    assert.equal(seen.length, 1);
  }));

test('a redirect does not take the token to another host', { skip }, () =>
  serve((request, response) => response.end('stolen'), async (thief) =>
    serve((request, response) => response.writeHead(307, { Location: `${thief.url}/` }).end(), async ({ url }) => {
      await post({ ServerUrl: url });
      assert.equal(thief.seen.length, 0);
    })));

test('a giant reply is cut at the limit', { skip }, () =>
  serve((request, response) => {
    const part = Buffer.alloc(65536, 'x');
    response.on('error', () => {});
    const more = () => {
      while (!response.destroyed && response.write(part));
    };
    response.on('drain', more);
    more();
  }, async ({ url }) => {
    const { first } = await post({ ServerUrl: url, limit: 1 << 20 });
    assert.equal(first.status, 'io');
    assert.match(first.message, /larger than 1024 KB/);
    assert.equal(first.length, 0);
  }));

test('a reply of exactly the limit is taken, one byte more is not', { skip }, () =>
  serve((request, response, count) => response.end(Buffer.alloc(5000 + count - 1, 'y')), async ({ url }) => {
    const { lines } = await post({ ServerUrl: url, limit: 5000, repeat: 2 });
    assert.deepEqual(lines.map((line) => [line.status, line.length]), [['ok', 5000], ['io', 0]]);
  }));

test('a reply that trickles in is cut at the deadline', { skip }, () =>
  serveRaw((socket) => {
    socket.write('HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n');
    const timer = setInterval(() => socket.write('x'), 50);
    socket.on('close', () => clearInterval(timer));
  }, async ({ url }) => {
    const { first, closedMs } = await post({ ServerUrl: url, deadline: 1500 });
    assert.equal(first.status, 'io');
    assert.match(first.message, /no complete answer within 2 s/);
    assert.ok(first.ms >= 1400 && first.ms < 4000, `${first.ms} ms`);
    assert.ok(closedMs < 2000, `closing took ${closedMs} ms`);
  }));

test('a head that trickles in is cut at the deadline', { skip }, () =>
  serveRaw((socket) => {
    socket.write('HTTP/1.1 200 OK\r\n');
    const timer = setInterval(() => socket.write('X-More: x\r\n'), 50);
    socket.on('close', () => clearInterval(timer));
  }, async ({ url }) => {
    const { first } = await post({ ServerUrl: url, deadline: 1500 });
    assert.equal(first.status, 'io');
    assert.ok(first.ms >= 1000 && first.ms < 4000, `${first.ms} ms`);
  }));

test('a server that never answers is left at the deadline', { skip }, () =>
  serveRaw(() => {}, async ({ url }) => {
    const { first } = await post({ ServerUrl: url, deadline: 1500 });
    assert.equal(first.status, 'io');
    assert.match(first.message, /no complete answer/);
    assert.ok(first.ms < 4000, `${first.ms} ms`);
  }));

test('a reply cut in the middle is an error, not a short body', { skip }, () =>
  serveRaw((socket) => socket.end('HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nhalf'), async ({ url }) => {
    const { first } = await post({ ServerUrl: url });
    assert.equal(first.status, 'io', JSON.stringify(first));
    assert.equal(first.length, 0);
  }));

test('a connection cut before any answer is an error', { skip }, () =>
  serveRaw((socket) => socket.destroy(), async ({ url }) => {
    const { first } = await post({ ServerUrl: url });
    assert.equal(first.status, 'io');
    assert.match(first.message, /could not reach "http:\/\/127\.0\.0\.1:\d+"/);
  }));

test('a Content-Length below what is sent takes that many bytes', { skip }, () =>
  serveRaw((socket) => socket.end('HTTP/1.1 200 OK\r\nContent-Length: 4\r\nConnection: close\r\n\r\nabcdefgh'),
    async ({ url }) => {
      const { first } = await post({ ServerUrl: url });
      assert.deepEqual([first.status, first.body], ['ok', 'abcd']);
    }));

test('an answer that is not HTTP is an error', { skip }, () =>
  serveRaw((socket) => socket.end('SSH-2.0-OpenSSH_9.2\r\n'), async ({ url }) => {
    const { first } = await post({ ServerUrl: url });
    assert.equal(first.status, 'io', JSON.stringify(first));
  }));

test('a closed port is told as such', { skip }, async () => {
  const place = await listen(net.createServer());
  place.close();
  const { first } = await post({ ServerUrl: `http://127.0.0.1:${place.port}` });
  assert.match(first.message, /nothing accepts connections there \(12029\)/);
});

test('another thread ends a request at once and for good', { skip }, () =>
  serveRaw(() => {}, async ({ url }) => {
    const { lines, closedMs } = await post({ ServerUrl: url, deadline: 30000, abort: 700, repeat: 2 });
    assert.equal(lines[0].status, 'io');
    assert.match(lines[0].message, /the agent stops/);
    assert.ok(lines[0].ms >= 500 && lines[0].ms < 2500, `${lines[0].ms} ms`);
    assert.match(lines[1].message, /the agent stops/);
    assert.ok(lines[1].ms < 200, `${lines[1].ms} ms`);
    assert.ok(closedMs < 2000, `closing took ${closedMs} ms`);
  }));

test('after an outage the next request works again', { skip }, () => {
  let count = 0;
  return serve((request, response) => {
    count += 1;
    if (count === 1) request.socket.destroy();
    else response.end('back');
  }, async ({ url }) => {
    const { lines } = await post({ ServerUrl: url, repeat: 2 });
    assert.equal(lines.at(-1).status, 'ok');
    assert.equal(lines.at(-1).body, 'back');
  });
});

// ---- whom to trust

test('a certificate of the authority in CaFile is trusted', { skip }, () =>
  serveTls('good', async ({ url, seen }) => {
    const { first } = await post({ ServerUrl: url, CaFile: caFile('ours') });
    assert.equal(first.status, 'ok', first.message);
    assert.equal(seen[0].method, 'HEAD');
    assert.equal(seen[0].headers.authorization, undefined);
    assert.equal(posts(seen)[0].headers.authorization, `Bearer ${TOKEN}`);
  }));

test('a CaFile of several authorities trusts each of them', { skip }, () =>
  serveTls('good', async ({ url }) => {
    const both = path.join(KEYS, 'both.pem');
    fs.writeFileSync(both, ['other', 'ours'].map((ca) => fs.readFileSync(path.join(KEYS, `${ca}.pem`))).join('\n'));
    const { first } = await post({ ServerUrl: url, CaFile: wine.windowsPath(both) });
    assert.equal(first.status, 'ok', first.message);
  }));

test('an unknown authority is refused before the token leaves', { skip }, () =>
  serveTls('good', async ({ url, seen }) => {
    const { first } = await post({ ServerUrl: url });
    assert.equal(first.status, 'io');
    assert.match(first.message, /\((12045|12157|12175)\)/);
    assert.match(first.hint, /CaFile/);
    assertNothingTold(seen);
  }));

test('another authority in CaFile is refused before the token leaves', { skip }, () =>
  serveTls('good', async ({ url, seen }) => {
    const { first } = await post({ ServerUrl: url, CaFile: caFile('other') });
    assert.equal(first.status, 'io');
    assert.match(first.message, /does not come from an authority in CaFile/);
    assertNothingTold(seen);
  }));

test('a certificate for another name is refused before the token leaves', { skip }, () =>
  serveTls('wrong-name', async ({ url, seen }) => {
    const { first } = await post({ ServerUrl: url, CaFile: caFile('ours') });
    assert.equal(first.status, 'io');
    assert.match(first.message, /name|12157|12175/);
    assertNothingTold(seen);
  }));

test('an expired certificate is refused before the token leaves', { skip }, () =>
  serveTls('expired', async ({ url, seen }) => {
    const { first } = await post({ ServerUrl: url, CaFile: caFile('ours') });
    assert.equal(first.status, 'io');
    assert.match(first.message, /expired|12157|12175/);
    assertNothingTold(seen);
  }));

test('a certificate that is not for servers is refused before the token leaves', { skip }, () =>
  serveTls('client-only', async ({ url, seen }) => {
    const { first } = await post({ ServerUrl: url, CaFile: caFile('ours') });
    assert.equal(first.status, 'io', JSON.stringify(first));
    assertNothingTold(seen);
  }));

test('the right pin is enough, whoever signed', { skip }, () =>
  serveTls('good', async ({ url }) => {
    const { first } = await post({ ServerUrl: url, Pin: pinOf('good') });
    assert.equal(first.status, 'ok', first.message);
  }));

test('one of several pins is enough', { skip }, () =>
  serveTls('good', async ({ url }) => {
    const { first } = await post({ ServerUrl: url, Pin: `${pinOf('other')},${pinOf('good')}` });
    assert.equal(first.status, 'ok', first.message);
  }));

test('a wrong pin is refused before the token leaves', { skip }, () =>
  serveTls('good', async ({ url, seen }) => {
    const { first } = await post({ ServerUrl: url, Pin: pinOf('ours') });
    assert.equal(first.status, 'io');
    assert.match(first.message, /key is not one of Pin/);
    assertNothingTold(seen);
  }));

test('a wrong pin is refused although CaFile is right', { skip }, () =>
  serveTls('good', async ({ url, seen }) => {
    const { first } = await post({ ServerUrl: url, CaFile: caFile('ours'), Pin: pinOf('ours') });
    assert.match(first.message, /key is not one of Pin/);
    assertNothingTold(seen);
  }));

test('a right pin does not excuse another name', { skip }, () =>
  serveTls('wrong-name', async ({ url, seen }) => {
    const { first } = await post({ ServerUrl: url, Pin: pinOf('wrong-name') });
    assert.equal(first.status, 'io');
    assertNothingTold(seen);
  }));

test('each request on a kept connection is checked and works', { skip }, () =>
  serveTls('good', async ({ url, seen }) => {
    const { lines } = await post({ ServerUrl: url, Pin: pinOf('good'), repeat: 3 });
    assert.deepEqual(lines.map((line) => line.status), ['ok', 'ok', 'ok']);
    assert.equal(posts(seen).length, 3);
    assert.equal(new Set(posts(seen).map((request) => request.socket)).size, 1);
  }));

test('a server that speaks TLS 1.1 at most is refused', { skip }, () =>
  serveTls('good', async ({ url, seen }) => {
    const { first } = await post({ ServerUrl: url, CaFile: caFile('ours') });
    assert.equal(first.status, 'io');
    assertNothingTold(seen);
  }, { maxVersion: 'TLSv1.1', minVersion: 'TLSv1', ciphers: 'DEFAULT@SECLEVEL=0' }));

test('a server that insists on a client certificate is an error, not a hang', { skip }, () =>
  serveTls('good', async ({ url }) => {
    const { first } = await post({ ServerUrl: url, CaFile: caFile('ours') });
    assert.equal(first.status, 'io', JSON.stringify(first));
  }, { requestCert: true, rejectUnauthorized: true }));

test('https to a port that speaks http is an error', { skip }, () =>
  serve((request, response) => response.end(), async ({ url }) => {
    const { first } = await post({ ServerUrl: url.replace('http://127.0.0.1', 'https://localhost') });
    assert.equal(first.status, 'io');
  }));

// ---- settings

for (const [name, settings, pattern] of [
  ['a CaFile that is not there', { CaFile: 'C:\\no\\such.pem' }, /CaFile|such\.pem/],
  ['a CaFile without a certificate', { CaFile: 'C:\\windows\\system.ini' }, /no certificate/],
]) {
  test(`${name} is refused by name`, { skip }, async () => {
    if (settings.CaFile.endsWith('.ini')) wine.write(settings.CaFile, '[x]\n');
    const { first } = await post({ ServerUrl: 'https://localhost:9', ...settings });
    assert.notEqual(first.status, 'ok');
    assert.match(`${first.message} ${first.hint}`, pattern);
  });
}

// ---- proxies

// Wine repeats the request's own headers in CONNECT, Windows does not: what the proxy saw is not
// compared here.
test('a named proxy carries the request through a tunnel', { skip }, () =>
  serveTls('good', async ({ port, seen }) => {
    const asked = [];
    const proxy = http.createServer();
    proxy.on('connect', (request, socket) => {
      asked.push({ url: request.url, headers: request.headers });
      socket.on('error', () => {});
      const to = net.connect(port, '127.0.0.1', () => {
        socket.write('HTTP/1.1 200 OK\r\n\r\n');
        to.pipe(socket);
        socket.pipe(to);
      });
      to.on('error', () => {});
    });
    const place = await listen(proxy);
    try {
      const { first } = await post({ ServerUrl: 'https://pool.test:8443', Proxy: `http://127.0.0.1:${place.port}`,
        CaFile: caFile('ours') });
      assert.equal(first.status, 'ok', first.message);
      assert.equal(asked[0].url, 'pool.test:8443');
      assert.equal(posts(seen).length, 1);
      assert.equal(sawToken(seen), true);
    } finally {
      place.close();
    }
  }));

// Wine does not look at the answer to CONNECT, so the 407 comes from the server's own port here.
test('an answer 407 is told as a proxy that wants a sign-in', { skip }, () =>
  serve((request, response) => response.writeHead(407, { 'Proxy-Authenticate': 'Basic realm="x"' }).end(),
    async ({ url }) => {
      const { first } = await post({ ServerUrl: url });
      assert.equal(first.status, 'io');
      assert.match(first.message, /the proxy asks for a sign-in \(407\)/);
      assert.match(first.hint, /Proxy/);
    }));

test('a proxy that refuses the tunnel is an error', { skip }, async () => {
  const proxy = http.createServer();
  const asked = [];
  proxy.on('connect', (request, socket) => {
    asked.push(request.headers);
    socket.on('error', () => {});
    socket.end('HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n');
  });
  const place = await listen(proxy);
  try {
    const { first } = await post({ ServerUrl: 'https://pool.test:8443', Proxy: `http://127.0.0.1:${place.port}` });
    assert.equal(first.status, 'io');
    assert.ok(asked.length >= 1);
  } finally {
    place.close();
  }
});

test('a server on this machine is reached without the proxy', { skip }, () =>
  serve((request, response) => response.end('direct'), async ({ url }) => {
    const { first } = await post({ ServerUrl: url, Proxy: 'http://127.0.0.1:9' });
    assert.equal(first.body, 'direct');
  }));
