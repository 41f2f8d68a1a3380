// SPDX-License-Identifier: Apache-2.0
// Certificates of the test's own: an authority, and server certificates for the loopback address.
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';

const openssl = (...args) => execFileSync('openssl', args, { stdio: ['ignore', 'pipe', 'pipe'] });

/** ca.pem and ca.key in `folder`. */
export function makeAuthority(folder) {
  openssl('req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2',
    '-subj', '/CN=Test authority', '-addext', 'keyUsage=critical,keyCertSign',
    '-keyout', path.join(folder, 'ca.key'), '-out', path.join(folder, 'ca.pem'));
}

/** NAME.pem and NAME.key for 127.0.0.1, signed by the authority; days may be negative. */
export function makeCertificate(folder, name, { days = 2, rsa = false } = {}) {
  const file = (suffix) => path.join(folder, `${name}${suffix}`);
  openssl('req', '-newkey', ...(rsa ? ['rsa:2048'] : ['ec', '-pkeyopt', 'ec_paramgen_curve:P-256']), '-nodes',
    '-subj', `/CN=${name}`, '-keyout', file('.key'), '-out', file('.csr'));
  fs.writeFileSync(file('.ext'), 'subjectAltName=IP:127.0.0.1,DNS:localhost\nextendedKeyUsage=serverAuth\n');
  openssl('x509', '-req', '-in', file('.csr'), '-CA', path.join(folder, 'ca.pem'),
    '-CAkey', path.join(folder, 'ca.key'), '-CAcreateserial', '-days', String(days), '-extfile', file('.ext'),
    '-out', file('.pem'));
  fs.chmodSync(file('.key'), 0o600);
  return { cert: file('.pem'), key: file('.key') };
}
