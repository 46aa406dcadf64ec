// Says of each call on standard input whether npm's `http-message-signatures` takes it: true, or why not.

import { readFileSync } from 'node:fs';
import { publicKey, verified } from './sign.mjs';

const answers = [];
for (const { public_key, key_id, method, url, headers } of JSON.parse(readFileSync(0, 'utf8'))) {
  answers.push(await verified(publicKey(public_key), key_id, { method, url, headers }));
}
process.stdout.write(`${JSON.stringify(answers)}\n`);
