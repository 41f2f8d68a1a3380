// SPDX-License-Identifier: Apache-2.0
// Receivers of the tests' own on loopback: an HTTP server whose behaviour a test sets, and as much
// of an SMTP server as a mail needs (RFC 5321), with STARTTLS where a certificate is given.
import http from 'node:http';
import net from 'node:net';
import tls from 'node:tls';

const listen = (server) => new Promise((resolve) => {
  server.listen(0, '127.0.0.1', () => resolve(server.address().port));
});

/** {url, got: [{path, headers, body, text}], answer(rq, rs, n), stop()}; answers 200 unless told. */
export async function httpReceiver() {
  const receiver = { got: [], answer: (rq, rs) => rs.end('ok') };
  const server = http.createServer((rq, rs) => {
    const parts = [];
    rq.on('data', (part) => parts.push(part));
    rq.on('end', () => {
      const text = Buffer.concat(parts).toString('utf8');
      receiver.got.push({ path: rq.url, method: rq.method, headers: rq.headers, text,
        body: text === '' ? null : JSON.parse(text) });
      receiver.answer(rq, rs, receiver.got.length);
    });
  });
  receiver.port = await listen(server);
  receiver.url = `http://127.0.0.1:${receiver.port}/hook`;
  receiver.stop = () => { server.closeAllConnections(); server.close(); };
  return receiver;
}

function mailOf(state, data) {
  const [head, ...rest] = data.split('\r\n\r\n');
  const headers = {};
  for (const line of head.replace(/\r\n[ \t]/g, ' ').split('\r\n')) {
    const colon = line.indexOf(':');
    const name = line.slice(0, colon).toLowerCase();
    headers[name] = name in headers ? `${headers[name]}\n${line.slice(colon + 1).trim()}` :
      line.slice(colon + 1).trim();
  }
  const boundary = /boundary="([^"]+)"/.exec(headers['content-type'] ?? '')?.[1];
  const part = (type) => {
    const found = rest.join('\r\n\r\n').split(`--${boundary}`).find((p) => p.includes(`Content-Type: ${type}`));
    return found === undefined ? undefined :
      Buffer.from(found.split('\r\n\r\n')[1].replace(/\s/g, ''), 'base64').toString('utf8');
  };
  const word = (text) => text.replace(/\?=\s+=\?UTF-8\?B\?/g, '').replace(/=\?UTF-8\?B\?([^?]*)\?=/g,
    (_, digits) => Buffer.from(digits, 'base64').toString('utf8'));
  return { ...state, headers, subject: word(headers.subject ?? ''), text: part('text/plain'),
    html: part('text/html'), raw: data };
}

/** {url, got: [mail], refuse: a reply to RCPT or null, stop()}. secure: {key, cert} for STARTTLS. */
export async function smtpReceiver({ secure, user, password } = {}) {
  const receiver = { got: [], refuse: null };
  const sockets = new Set();
  function serve(socket, overTls) {
    const state = { from: null, to: [], tls: overTls, user: null };
    let buffer = '';
    let data = null;
    const say = (line) => socket.write(`${line}\r\n`);
    const verbs = {
      EHLO: () => say(`250-test\r\n${secure && !overTls ? '250-STARTTLS\r\n' : ''}` +
        `${user ? '250-AUTH PLAIN\r\n' : ''}250 8BITMIME`),
      HELO: () => say('250 test'),
      STARTTLS: () => {
        say('220 go on');
        socket.removeAllListeners('data');
        const wrapped = new tls.TLSSocket(socket, { isServer: true, ...secure });
        wrapped.on('error', () => {});
        serve(wrapped, true);
      },
      AUTH: (line) => {
        if (line.split(' ').length < 3) { // the answer comes in a line of its own
          state.asked = true;
          return say('334 ');
        }
        const [, name, secret] = Buffer.from(line.split(' ')[2], 'base64').toString().split('\0');
        state.user = name;
        return say(name === user && secret === password ? '235 ok' : '535 no');
      },
      MAIL: (line) => { state.from = /<(.*)>/.exec(line)[1]; say('250 ok'); },
      RCPT: (line) => {
        if (receiver.refuse) return say(receiver.refuse);
        state.to.push(/<(.*)>/.exec(line)[1]);
        return say('250 ok');
      },
      DATA: () => { data = ''; say('354 go on'); },
      RSET: () => say('250 ok'),
      QUIT: () => { say('221 bye'); socket.end(); },
    };
    socket.on('data', (bytes) => {
      buffer += bytes.toString('latin1');
      for (let end; (end = buffer.indexOf('\r\n')) >= 0;) {
        const line = buffer.slice(0, end);
        buffer = buffer.slice(end + 2);
        if (state.asked) {
          state.asked = false;
          verbs.AUTH(`AUTH PLAIN ${line}`);
        } else if (data === null) {
          (verbs[line.split(' ')[0].toUpperCase()] ?? (() => say('500 what')))(line);
        } else if (line === '.') {
          receiver.got.push(mailOf(state, data));
          data = null;
          say('250 taken');
        } else {
          data += `${line.startsWith('.') ? line.slice(1) : line}\r\n`;
        }
      }
    });
    return say;
  }
  const server = net.createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    serve(socket, false)('220 test ESMTP');
  });
  receiver.port = await listen(server);
  receiver.url = `smtp://127.0.0.1:${receiver.port}`;
  receiver.stop = () => { for (const socket of sockets) socket.destroy(); server.close(); };
  return receiver;
}
