// SPDX-License-Identifier: Apache-2.0
// CBOR (RFC 8949) as far as our documents use it, by hand, so that the tests share no code with
// what they test. Reading is strict: what the server writes must be whole and well-formed.
import assert from 'node:assert/strict';

function head(major, n) {
  if (n < 24) return Buffer.from([(major << 5) | n]);
  const info = n < 0x100 ? 24 : n < 0x10000 ? 25 : n < 0x100000000 ? 26 : 27;
  const bytes = Buffer.alloc(1 + 2 ** (info - 24));
  bytes[0] = (major << 5) | info;
  if (info === 27) bytes.writeBigUInt64BE(BigInt(n), 1);
  else bytes.writeUIntBE(n, 1, bytes.length - 1);
  return bytes;
}

/** Text, integers, booleans, null, arrays, plain objects; a Buffer goes in as it is. Lists and maps
 *  have indefinite lengths when asked. */
export function encode(value, { indefinite = false } = {}) {
  const inside = (major, count, parts) => Buffer.concat(indefinite ?
    [Buffer.from([(major << 5) | 31]), ...parts, Buffer.from([0xff])] : [head(major, count), ...parts]);
  const each = (v) => encode(v, { indefinite });
  if (Buffer.isBuffer(value)) return value;
  if (value === null) return Buffer.from([0xf6]);
  if (typeof value === 'boolean') return Buffer.from([value ? 0xf5 : 0xf4]);
  if (typeof value === 'string') return Buffer.concat([head(3, Buffer.byteLength(value)), Buffer.from(value)]);
  if (Number.isInteger(value)) return value < 0 ? head(1, -1 - value) : head(0, value);
  if (Array.isArray(value)) return inside(4, value.length, value.map(each));
  assert.equal(typeof value, 'object', `no CBOR for ${value}`);
  const pairs = Object.entries(value);
  return inside(5, pairs.length, pairs.flatMap(([k, v]) => [each(k), each(v)]));
}

/** The one item that `bytes` is; throws when something follows it. */
export function decode(bytes) {
  let at = 0;
  const take = (n) => {
    assert.ok(at + n <= bytes.length, 'cut off');
    at += n;
    return bytes.subarray(at - n, at);
  };
  const argument = (info) => {
    if (info < 24) return info;
    assert.ok(info < 28, `length form ${info}`);
    return Number(`0x${take(2 ** (info - 24)).toString('hex')}`);
  };
  const more = (info, i, count) => {
    if (info !== 31) return i < count;
    if (bytes[at] !== 0xff) return true;
    at += 1;
    return false;
  };
  const item = () => {
    const first = take(1)[0];
    const [major, info] = [first >> 5, first & 31];
    if (major === 7) {
      assert.ok(info >= 20 && info <= 22, `simple value ${info}`);
      return [false, true, null][info - 20];
    }
    const n = info === 31 ? NaN : argument(info);
    if (major < 2) return major === 0 ? n : -1 - n;
    if (major === 3) {
      assert.ok(info !== 31, 'a text in pieces');
      return new TextDecoder('utf-8', { fatal: true }).decode(take(n));
    }
    assert.ok(major === 4 || major === 5, `major type ${major}`);
    const list = [];
    for (let i = 0; more(info, i, n); i += 1) list.push(major === 4 ? item() : [item(), item()]);
    if (major === 4) return list;
    assert.equal(new Set(list.map(([k]) => k)).size, list.length, 'a key twice');
    return Object.fromEntries(list);
  };
  const value = item();
  assert.equal(at, bytes.length, 'something behind the item');
  return value;
}
