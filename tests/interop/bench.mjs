// What an upload costs a server, beside other servers: `serve` is `@tus/server` with its file store over TLS, `send` puts
// the same bytes into each server by turns and says the milliseconds of each run. One client, one connection to each
// server; digests and signatures are made before the clock starts, because they are not the server's work.

import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync } from 'node:fs';
import { Agent, createServer, request } from 'node:https';
import { performance } from 'node:perf_hooks';
import { FileStore } from '@tus/file-store';
import { Server } from '@tus/server';
import { contentDigest, privateKey, sha256, signed } from './sign.mjs';

const task = JSON.parse(process.argv[3]);

function serve() {
  mkdirSync(task.folder, { recursive: true });
  const server = new Server({ path: '/files', relativeLocation: true, datastore: new FileStore({ directory: task.folder }) });
  const https = createServer({ key: readFileSync(task.key), cert: readFileSync(task.cert) }, server.handle.bind(server));
  https.listen(0, '127.0.0.1', () => console.log(`listening on https://127.0.0.1:${https.address().port}`));
}

const agents = {};

/** One call; its answer's headers, or its status, when that is one of these. */
function call(method, url, headers, body, statuses, wantsStatus = false) {
  const agent = (agents[new URL(url).host] ??= new Agent({ keepAlive: true, maxSockets: 1 }));
  return new Promise((resolve, reject) => {
    const sending = request(url, { method, headers: { ...headers, 'content-length': body.length }, agent }, (response) => {
      response.resume();
      response.on('end', () => {
        const { statusCode, headers: answered } = response;
        return statuses.includes(statusCode) ? resolve(wantsStatus ? statusCode : answered) : reject(new Error(`${method} ${url}: ${statusCode}`));
      });
    });
    sending.on('error', reject);
    sending.end(body);
  });
}

const EMPTY = Buffer.alloc(0);
const PART = { 'tus-resumable': '1.0.0', 'content-type': 'application/offset+octet-stream' };

const parts = (bytes) =>
  Array.from({ length: Math.ceil(bytes.length / task.part) }, (_, n) => bytes.subarray(n * task.part, (n + 1) * task.part));

/** Creates an upload and sends it in parts; milliseconds without what `prepare` takes, which signs. */
async function tus(endpoint, bytes, prepare) {
  const metadata = `sha256 ${Buffer.from(sha256(bytes).toString('hex')).toString('base64')}`;
  const created = { 'tus-resumable': '1.0.0', 'upload-length': String(bytes.length) };
  const headers = { ...created, ...(await prepare('POST', endpoint, created)), 'upload-metadata': metadata };
  let [begun, spent] = [performance.now(), 0];
  const { location } = await call('POST', endpoint, headers, EMPTY, [201]);
  spent += performance.now() - begun;
  const url = new URL(location, endpoint).href;
  let offset = 0;
  for (const part of parts(bytes)) {
    const said = { ...PART, 'upload-offset': String(offset), 'content-digest': contentDigest(part) };
    const all = { ...said, ...(await prepare('PATCH', url, said)) };
    begun = performance.now();
    await call('PATCH', url, all, part, [204]);
    spent += performance.now() - begun;
    offset += part.length;
  }
  return [spent, url];
}

/** Waits until the portal has read what it got: it should not do so while another server's clock runs. */
async function settled(url, prepare) {
  for (let status = 202; status !== 200; ) {
    status = await call('GET', `${url}/receipt`, await prepare('GET', `${url}/receipt`, {}), EMPTY, [200, 202], true);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

async function put(url, bytes) {
  const begun = performance.now();
  await call('PUT', url, {}, bytes, [201, 204]);
  return performance.now() - begun;
}

async function send() {
  const key = privateKey(task.key);
  const sign = (method, url, headers) => signed(key, task.key_id, { method, url, headers });
  const took = { portal: [], tus: [], nginx: [] };
  // The first round opens the connections and warms the caches.
  for (let run = -1; run < task.runs; run += 1) {
    const bytes = randomBytes(task.bytes);
    const [portal, url] = await tus(`${task.portal}/api/v1/uploads`, bytes, sign);
    await settled(url, sign);
    const round = {
      portal,
      tus: (await tus(`${task.tus}/files`, bytes, async () => ({})))[0],
      nginx: await put(`${task.nginx}/${run + 1}`, bytes),
    };
    if (run >= 0) for (const name of Object.keys(took)) took[name].push(round[name]);
  }
  console.log(JSON.stringify(took));
  process.exit(0);
}

await (process.argv[2] === 'serve' ? serve() : send());
