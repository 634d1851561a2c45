// The tests that failed, one line a file, as `FILE REGEX` for `bats --filter`: failed.mjs FILE.tap
import { readFileSync } from 'node:fs';
import { results } from './bats.mjs';

const failed = new Map();
for (const [test, { state }] of results(readFileSync(process.argv[2], 'utf8'))) {
  if (state !== 'failed') continue;
  const [, file, name] = /^(\S+): (.*)$/.exec(test);
  failed.set(file, [...(failed.get(file) ?? []), name.replaceAll(/[\\^$.*+?()[\]{}|]/g, '\\$&')]);
}
for (const [file, names] of failed) console.log(`${file} ^(${names.join('|')})$`);
