// SPDX-License-Identifier: Apache-2.0
// A TCP proxy between the server and PostgreSQL's Unix socket that misbehaves on demand.
import net from 'node:net';

export class Proxy {
  constructor(socketPath) {
    this.path = socketPath;
    this.pairs = new Set();
    this.isStalled = false;
    this.doomed = new Set(); // pairs that are cut instead of passing on their next answer
  }

  async listen() {
    this.server = net.createServer({ noDelay: true, allowHalfOpen: true }, (client) => this.accept(client));
    await new Promise((resolve) => { this.server.listen(0, '127.0.0.1', resolve); });
    this.port = this.server.address().port;
  }

  accept(client) {
    const upstream = net.connect({ path: this.path, allowHalfOpen: true });
    const pair = { client, upstream };
    this.pairs.add(pair);
    const drop = () => this.drop(pair);
    const pass = (to, isAnswer) => (data) => {
      if (isAnswer && this.doomed.has(pair)) { // it was executed; nobody learns so
        this.drop(pair);
        return;
      }
      to.write(data);
    };
    client.on('data', pass(upstream, false));
    upstream.on('data', pass(client, true));
    client.on('end', () => upstream.end());
    upstream.on('end', () => client.end());
    for (const socket of [client, upstream]) {
      socket.on('error', drop);
      socket.on('close', drop);
    }
    if (this.isStalled) this.pause(pair);
  }

  drop(pair) {
    this.pairs.delete(pair);
    this.doomed.delete(pair);
    pair.client.resetAndDestroy?.() ?? pair.client.destroy();
    pair.upstream.destroy();
  }

  pause(pair) {
    pair.client.pause();
    pair.upstream.pause();
  }

  /** Every connection is reset. */
  cut() { for (const pair of [...this.pairs]) this.drop(pair); }
  /** What was asked is done, but the answer never arrives: the doubtful commit. */
  cutAtAnswer() { for (const pair of this.pairs) this.doomed.add(pair); }
  /** The server sees the end of the stream; PostgreSQL does not, and is still asked. */
  halfClose() { for (const { client } of this.pairs) client.end(); }
  /** Bytes are taken by nobody; connections are accepted and stay silent. */
  stall() {
    this.isStalled = true;
    for (const pair of this.pairs) this.pause(pair);
  }
  resume() {
    this.isStalled = false;
    for (const pair of this.pairs) {
      pair.client.resume();
      pair.upstream.resume();
    }
  }

  close() {
    this.cut();
    this.server.close();
  }
}
