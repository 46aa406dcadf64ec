// Signs and verifies device calls with npm's `http-message-signatures`, in the profile of bundle/src/httpsig.rs.

import { createHash, createPrivateKey, createPublicKey, randomBytes, sign, verify } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { httpbis } from 'http-message-signatures';

const COVERED = ['content-digest', 'upload-offset', 'upload-length', 'tus-resumable'];
const PARAMS = ['created', 'expires', 'nonce', 'keyid', 'alg', 'tag'];

const der = (prefix, bytes) => Buffer.concat([Buffer.from(prefix, 'hex'), bytes]);

/** The private key in an unencrypted OpenSSH file: Node reads no such file, the seed is the first half of 64 bytes. */
export function privateKey(path) {
  const body = readFileSync(path, 'utf8').split('\n').filter((line) => !line.startsWith('-----')).join('');
  const raw = Buffer.from(body, 'base64');
  const at = raw.lastIndexOf(Buffer.from([0, 0, 0, 64])) + 4;
  const seed = raw.subarray(at, at + 32);
  return createPrivateKey({ key: der('302e020100300506032b657004220420', seed), format: 'der', type: 'pkcs8' });
}

/** The public key of a line `ssh-ed25519 AAAA…`: its last 32 bytes. */
export function publicKey(line) {
  const raw = Buffer.from(line.split(' ')[1], 'base64').subarray(-32);
  return createPublicKey({ key: der('302a300506032b6570032100', raw), format: 'der', type: 'spki' });
}

export const sha256 = (bytes) => createHash('sha256').update(bytes).digest();
export const contentDigest = (bytes) => `sha-256=:${sha256(bytes).toString('base64')}:`;

/** The two headers of a signed call; `headers` has lower-case names. */
export async function signed(key, keyid, { method, url, headers }, createdMs = Date.now()) {
  const message = await httpbis.signMessage(
    {
      key: { id: keyid, alg: 'ed25519', sign: async (base) => sign(null, base, key) },
      name: 'sig1',
      fields: ['@method', '@authority', '@path', '@query', ...COVERED.filter((name) => name in headers)],
      params: PARAMS,
      paramValues: {
        created: new Date(createdMs),
        expires: new Date(createdMs + 300_000),
        nonce: randomBytes(16).toString('base64url'),
        tag: 'assay-v1',
      },
    },
    { method, url, headers },
  );
  return { 'signature-input': message.headers['Signature-Input'], signature: message.headers.Signature };
}

/** Whether the library takes a call: true, or why not. */
export async function verified(key, keyid, message) {
  try {
    const taken = await httpbis.verifyMessage(
      {
        keyLookup: async (params) =>
          params.keyid === keyid && { id: keyid, algs: ['ed25519'], verify: async (base, signature) => verify(null, base, key, signature) },
        requiredParams: PARAMS,
        requiredFields: ['@method', '@authority', '@path', '@query'],
        // The portal's own patience with a signature that comes late.
        tolerance: 60,
      },
      message,
    );
    return taken === true ? true : `not verified: ${taken}`;
  } catch (error) {
    return `${error.name}: ${error.message}`;
  }
}
