// runc's tests in the machine of hack/vm, from outside: machine.mjs DRIVER DIR FILE…
//
// Writes what bats prints to DIR/runc.tap, runt.tap, runc-words.tap and runt-words.tap. User Mode Linux sometimes
// panics in exit_mmap: the files that had not ended run in another machine. The status is 1 if one never ended.
import { spawn } from 'node:child_process';
import { appendFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

const BOOTS = 5;
const TAPS = ['runc', 'runt', 'runc-words', 'runt-words'];

const [driver, directory, ...files] = process.argv.slice(2);
for (const name of TAPS) writeFileSync(join(directory, `${name}.tap`), '');
let left = files;
for (let boot = 1; left.length > 0 && boot <= BOOTS; boot++) {
  const inside = ['conformance/runc/inside', 'root', process.env.LIMIT ?? '600', ...left];
  const variables = [`DRIVER=${driver}`, 'RAW=1'];
  const child = spawn('hack/vm', ['-t', process.env.RUNT_VM_TIMEOUT ?? '5400', 'env', ...variables, ...inside], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = new Promise((done, fail) => {
    child.on('error', fail);
    child.on('close', done);
  });
  let taps = {};
  let tap;
  const before = left.length;
  for await (const line of createInterface({ input: child.stdout })) {
    const [, what, name] = /^(tap|done) (\S+)\r?$/.exec(line) ?? [];
    if (what === 'tap') tap = name;
    else if (what === 'done') {
      for (const [of, text] of Object.entries(taps)) appendFileSync(join(directory, `${of}.tap`), text);
      left = left.filter((file) => file !== name);
      taps = {};
      tap = undefined;
    } else if (tap !== undefined) taps[tap] = `${taps[tap] ?? ''}${line}\n`;
    else process.stderr.write(`${line}\n`);
  }
  const status = await ended;
  if (left.length === 0) break;
  process.stderr.write(`runc: the machine ended with ${status}; left: ${left.join(' ')}\n`);
  // A file that never ends keeps no other from running.
  if (left.length === before) left = [...left.slice(1), left[0]];
}
for (const file of left) console.log(`DID NOT END: ${file}`);
process.exitCode = left.length === 0 ? 0 : 1;
