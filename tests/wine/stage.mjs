// SPDX-License-Identifier: Apache-2.0
// What an agent under test needs around it: a server that answers as told (plain HTTP on loopback),
// and recorded kernel answers, since Wine has no pool tags. All numbers made here are simulated.
import http from 'node:http';
import zlib from 'node:zlib';

// ---- CBOR, as much as agents and servers exchange

function head(major, value) {
  if (value < 24) return Buffer.from([major << 5 | value]);
  if (value < 0x100) return Buffer.from([major << 5 | 24, value]);
  const bytes = Buffer.alloc(9);
  bytes[0] = major << 5 | 27;
  bytes.writeBigUInt64BE(BigInt(value), 1);
  return bytes;
}

export function cborEncode(value) {
  if (value === null) return Buffer.from([0xf6]);
  if (typeof value === 'boolean') return Buffer.from([value ? 0xf5 : 0xf4]);
  if (typeof value === 'number') return value < 0 ? head(1, -1 - value) : head(0, value);
  if (typeof value === 'string') return Buffer.concat([head(3, Buffer.byteLength(value)), Buffer.from(value)]);
  if (Array.isArray(value)) return Buffer.concat([head(4, value.length), ...value.map(cborEncode)]);
  const pairs = Object.entries(value);
  return Buffer.concat([head(5, pairs.length), ...pairs.flat().map(cborEncode)]);
}

/** One item at `at`: [value, where the next begins]; [undefined, ...] for the end of an open one. */
function cborItem(bytes, at) {
  const major = bytes[at] >> 5, low = bytes[at] & 31;
  if (major === 7) return [{ 20: false, 21: true, 22: null }[low], at + 1];
  const size = { 24: 1, 25: 2, 26: 4, 27: 8 }[low] ?? 0;
  let n = low === 31 ? Infinity : low;
  if (size === 8) n = Number(bytes.readBigUInt64BE(at + 1));
  else if (size > 0) n = bytes.readUIntBE(at + 1, size);
  at += 1 + size;
  if (major === 0) return [n, at];
  if (major === 1) return [-1 - n, at];
  if (major === 2) return [bytes.subarray(at, at + n), at + n];
  if (major === 3) return [bytes.toString('utf8', at, at + n), at + n];
  const items = [];
  while (items.length < (major === 4 ? n : 2 * n)) {
    const [item, next] = cborItem(bytes, at);
    at = next;
    if (item === undefined) break;
    items.push(item);
  }
  if (major === 4) return [items, at];
  const map = {};
  for (let i = 0; i < items.length; i += 2) map[items[i]] = items[i + 1];
  return [map, at];
}

/** All items of a CBOR sequence. */
export function cborDecode(bytes) {
  const items = [];
  for (let at = 0; at < bytes.length;) {
    const [item, next] = cborItem(bytes, at);
    items.push(item);
    at = next;
  }
  return items;
}

// ---- server

export const SECRET = 'enroll-secret-of-the-test-0123456789';
export const TOKEN = 'token-of-the-test-abcdefghijklmnopqrstuvwxyz';
export const HOST = '0b9c1f5e-7a31-4c68-9d55-3d1f0a8e2b47';

/**
 * A server on loopback. answer(request) may give {code, body, headers}, 'hang' (never answers), or
 * undefined for what a good server says. `requests` holds {path, bearer, documents}.
 */
export async function startServer({ port = 0, answer = () => undefined } = {}) {
  const requests = [];
  const server = { requests, answer };
  const usual = (request) => {
    if (request.path === '/api/v1/agent/enroll') {
      return request.bearer === SECRET ? { code: 200, body: { host_id: HOST, token: TOKEN } } :
        { code: 401, body: { type: 'urn:poolfleet:problem:unauthorized', title: 'No or bad token',
          detail: 'no such enroll secret' } };
    }
    if (request.bearer !== TOKEN) {
      return { code: 401, body: { type: 'urn:poolfleet:problem:unauthorized', title: 'No or bad token',
        detail: 'no such token' } };
    }
    return { code: 200, body: { accepted: request.documents.length, duplicates: 0, rejected: [] } };
  };
  const listener = http.createServer((rq, rs) => {
    const parts = [];
    rq.on('data', (part) => parts.push(part));
    rq.on('error', () => {});
    rq.on('end', () => {
      let bytes = Buffer.concat(parts);
      if (rq.headers['content-encoding'] === 'gzip') bytes = zlib.gunzipSync(bytes);
      const request = { path: rq.url, bearer: (rq.headers.authorization ?? '').replace(/^Bearer /, ''),
        documents: cborDecode(bytes) };
      requests.push(request);
      const reply = server.answer(request) ?? usual(request);
      if (reply === 'hang') return;
      rs.writeHead(reply.code, { 'content-type': 'application/cbor', ...reply.headers });
      rs.end(cborEncode(reply.body ?? {}));
    });
  });
  await new Promise((resolve) => { listener.listen(port, '127.0.0.1', resolve); });
  server.port = listener.address().port;
  server.url = `http://127.0.0.1:${server.port}`;
  server.snapshots = () => requests.filter((r) => r.path === '/api/v1/agent/snapshots' && r.bearer === TOKEN)
    .flatMap((r) => r.documents);
  server.close = () => new Promise((resolve) => {
    listener.close(resolve);
    listener.closeAllConnections();
  });
  return server;
}

/** A loopback port that nothing listens on (for now). */
export async function freePort() {
  const server = await startServer();
  await server.close();
  return server.port;
}

// ---- recorded kernel answers: class 22 of an x64 kernel

function tagTable(rows) {
  const bytes = Buffer.alloc(8 + rows.length * 0x28);
  bytes.writeUInt32LE(rows.length, 0);
  rows.forEach(([tag, paged, nonpaged], i) => {
    const at = 8 + i * 0x28;
    bytes.write(tag, at, 'latin1');
    [paged, nonpaged].forEach(([allocs, frees, used], pool) => {
      bytes.writeUInt32LE(allocs, at + (pool ? 0x18 : 4));
      bytes.writeUInt32LE(frees, at + (pool ? 0x1c : 8));
      bytes.writeBigUInt64LE(BigInt(used), at + (pool ? 0x20 : 0x10));
    });
  });
  return bytes;
}

/** Two answers of class 22: in the second, Leak has grown. Gives the folder's Windows path. */
export function writeReplay(wine, folder = 'C:\\replay') {
  const table = (grown) => tagTable([
    ['Io  ', [7, 3, 400], [0, 0, 0]],
    ['Leak', [0, 0, 0], [1000 + grown, 400, 600000 + grown * 1000]],
    ['NtFC', [10, 10, 0], [50, 20, 4096]],
  ]);
  wine.write(`${folder}\\version.txt`, '10.0.26100.4061 server x64\n');
  wine.write(`${folder}\\22-0.bin`, table(0));
  wine.write(`${folder}\\22-1.bin`, table(500));
  return folder;
}
