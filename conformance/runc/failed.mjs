// The tests with certain results, one line a file, as `FILE REGEX` for `bats --filter`: failed.mjs FILE.tap STATE…
import { readFileSync } from 'node:fs';
import { results } from './bats.mjs';

const [tap, ...states] = process.argv.slice(2);
const found = new Map();
for (const [test, { state }] of results(readFileSync(tap, 'utf8'))) {
  if (!states.includes(state)) continue;
  const [, file, name] = /^(\S+): (.*)$/.exec(test);
  found.set(file, [...(found.get(file) ?? []), name.replaceAll(/[\\^$.*+?()[\]{}|]/g, '\\$&')]);
}
for (const [file, names] of found) console.log(`${file} ^(${names.join('|')}) *$`);
