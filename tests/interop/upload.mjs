// Uploads a file to a portal with `tus-js-client` or with uppy's `@uppy/tus`; each call is signed in the client's own
// hook. Standard input: what to do, as JSON; standard output: what happened, as JSON.

import { readFileSync } from 'node:fs';
import * as tus from 'tus-js-client';
import Uppy from '@uppy/core';
import UppyTus from '@uppy/tus';
import { contentDigest, privateKey, sha256, signed } from './sign.mjs';

const task = JSON.parse(readFileSync(0, 'utf8'));
const key = privateKey(task.key);
const bytes = readFileSync(task.file);
const calls = [];
let { cuts = 0, damaged = 0 } = task;

/** The hook: digest, signature, and what the test wants to go wrong. */
async function onBeforeRequest(request) {
  const [method, url] = [request.getMethod(), request.getURL()];
  if (task.tus_version) request.setHeader('Tus-Resumable', task.tus_version);
  if (method === 'PATCH') {
    const offset = Number(request.getHeader('Upload-Offset'));
    const part = bytes.subarray(offset, Math.min(offset + task.chunk, bytes.length));
    const wrong = damaged > 0 && offset > 0;
    if (wrong) damaged -= 1;
    request.setHeader('Content-Digest', contentDigest(wrong ? Buffer.from('another part') : part));
  }
  const headers = {};
  for (const name of ['Content-Digest', 'Upload-Offset', 'Upload-Length', 'Tus-Resumable']) {
    const value = request.getHeader(name);
    if (value !== undefined) headers[name.toLowerCase()] = String(value);
  }
  const created = Date.now() + (task.clock_s ?? 0) * 1000;
  const signature = await signed(key, task.key_id, { method, url, headers }, created);
  for (const [name, value] of Object.entries(signature)) request.setHeader(name, value);
}

/** What a refusal names itself. */
function kind(body) {
  return body ? (JSON.parse(body).type ?? null) : null;
}

const head = (response, name) => response.getHeader(name) ?? null;

const options = {
  endpoint: `${task.url}/api/v1/uploads`,
  ...(task.upload_url ? { uploadUrl: task.upload_url } : {}),
  chunkSize: task.chunk,
  retryDelays: [0, 0, 0, 0, 0],
  removeFingerprintOnSuccess: true,
  onBeforeRequest,
  onShouldRetry: () => task.retry !== false && calls.length < 100,
  onAfterResponse: (request, response) => {
    calls.push({
      method: request.getMethod(),
      status: response.getStatus(),
      offset: head(response, 'Upload-Offset'),
      version: head(response, 'Tus-Version'),
      most: head(response, 'Tus-Max-Size'),
      speaks: head(response, 'Tus-Resumable'),
      kind: kind(response.getBody()),
    });
  },
};

function withTus() {
  return new Promise((resolve) => {
    const upload = new tus.Upload(bytes, {
      ...options,
      metadata: { sha256: sha256(bytes).toString('hex'), filename: 'b.assay' },
      ...(task.length ? { uploadSize: task.length } : {}),
      onProgress: () => {
        const request = upload._req;
        if (cuts > 0 && request?.getMethod() === 'PATCH' && upload._offset > 0) {
          cuts -= 1;
          request.getUnderlyingObject().destroy(new Error('cut'));
        }
      },
      onError: (error) => resolve({ error: String(error.message) }),
      onSuccess: () => resolve({ upload: upload.url }),
    });
    upload.start();
  });
}

/** Node's own requests; uppy wants to set a property of a browser's request before it is sent, where Node has none. */
class Stack extends tus.DefaultHttpStack {
  createRequest(method, url) {
    const request = super.createRequest(method, url);
    const underlying = request.getUnderlyingObject.bind(request);
    request.getUnderlyingObject = () => underlying() ?? {};
    return request;
  }
}

function withUppy() {
  return new Promise((resolve) => {
    const uppy = new Uppy({ autoProceed: false }).use(UppyTus, { ...options, httpStack: new Stack({}), allowedMetaFields: ['sha256'] });
    // A browser's file has its size as a property; a buffer of Node's is one with it.
    const data = Object.assign(Buffer.from(bytes), { size: bytes.length });
    uppy.addFile({ name: 'b.assay', type: 'application/octet-stream', data, meta: { sha256: sha256(bytes).toString('hex') } });
    uppy.upload().then(
      (done) => resolve(done.successful?.length === 1 ? { upload: done.successful[0].uploadURL } : { error: String(done.failed?.[0]?.error) }),
      (error) => resolve({ error: String(error) }),
    );
  });
}

const outcome = await (task.client === 'uppy' ? withUppy() : withTus());
process.stdout.write(`${JSON.stringify({ ...outcome, cuts_left: cuts, calls })}\n`);
process.exit(0);
