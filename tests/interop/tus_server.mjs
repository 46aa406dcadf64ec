// Stands in a portal's place with `@tus/server` and its file store, and writes down every signed call that it got. What
// the protocol has no word for (the portal's card, its signed receipt) is the portal's own: the card as it was sent, a
// receipt signed with stock `ssh-keygen` and the portal's key.
//
// Takes certificate and card from the running portal, says `ready`, waits for a line, and serves at its address.

import { execFileSync } from 'node:child_process';
import { appendFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:https';
import { createInterface } from 'node:readline/promises';
import { connect } from 'node:tls';
import { FileStore } from '@tus/file-store';
import { Server } from '@tus/server';
import { publicKey, sha256, verified } from './sign.mjs';

const task = JSON.parse(process.argv[2]);
const key = publicKey(task.public_key);
const { host, hostname, port } = new URL(task.url);
const uploads = `${task.folder}/files`;
mkdirSync(uploads, { recursive: true });

/** The certificate that a server shows. */
function certificate() {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: hostname, port, ca: readFileSync(task.ca) }, () => {
      const lines = socket.getPeerCertificate().raw.toString('base64').match(/.{1,64}/g);
      socket.end();
      resolve(`-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`);
    });
    socket.on('error', reject);
  });
}

/** What the portal would say of a whole file. */
function receipt(id) {
  const said = JSON.stringify({
    bundle_sha256: sha256(readFileSync(`${uploads}/${id}`)).toString('hex'),
    bundle_id: id,
    status: 'accepted',
    reason: '',
    received_at: new Date().toISOString(),
    evidence: false,
    overall: null,
    last_seq: 1,
  });
  const file = `${task.folder}/receipt`;
  writeFileSync(file, said);
  const options = { input: said, stdio: ['pipe', 'pipe', 'ignore'] };
  const signature = execFileSync('ssh-keygen', ['-Y', 'sign', '-n', 'assay-receipt', '-f', task.online_key], options);
  return JSON.stringify({ receipt: said, signature: signature.toString() });
}

const answer = (response, status, body) => response.writeHead(status, { 'content-type': 'application/json' }).end(body);

const cert = await certificate();
const card = await (await fetch(`${task.url}/api/v1/card`)).text();
console.log('ready');
await createInterface({ input: process.stdin }).question('');

const server = new Server({ path: '/api/v1/uploads', relativeLocation: true, datastore: new FileStore({ directory: uploads }) });
const https = createServer({ key: readFileSync(task.tls_key), cert }, async (request, response) => {
  const { method, headers, url: path } = request;
  if (path === '/api/v1/card') return answer(response, 200, card);
  const call = { method, url: `https://${host}${path}`, headers };
  const taken = await verified(key, task.key_id, call);
  appendFileSync(`${task.folder}/calls`, `${JSON.stringify({ ...call, taken })}\n`);
  if (taken !== true) return answer(response, 401, JSON.stringify({ type: 'signature', title: taken, next_step: taken }));
  if (path.endsWith('/receipt')) return answer(response, 200, receipt(path.split('/').at(-2)));
  return server.handle(request, response);
});
https.listen(port, hostname, () => console.log('listening'));
