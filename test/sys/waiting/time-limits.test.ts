/** The table of deadlines and pauses: no other file of src waits for a number without a name, and no name is unused. */
import { readdirSync, readFileSync } from 'node:fs';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import * as limits from '../../../src/sys/waiting/time-limits.js';

const test = suite('time limits');

const table = 'src/sys/waiting/time-limits.ts';
const sources = readdirSync('src', { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.ts') && `src/${name}` !== table)
  .map((name) => [`src/${name}`, readFileSync(`src/${name}`, 'utf8')] as const);

/** A number above 1 as the last argument of a wait, as the bound of a growing pause, or in a constant of such a name. */
const unnamed = [
  /\b(?:sleep|readable|readableOrPolled|writable|firstReadable|within|until|lock|ended|flush)\([^\n]*?\b(?:[2-9]|[1-9][\d_]+)\)/g,
  /Math\.min\((?:2 \* pause|pause \* 2), \d+\)/g,
  /^(?:export )?const \w*(?:[Pp]atience|[Dd]eadline|[Pp]ause|[Ii]nterval|[Gg]race|Time) = [\d_]+;/gm,
];

test('src names every number of milliseconds that it waits for', () => {
  const found = sources.flatMap(([file, text]) =>
    unnamed.flatMap((pattern) => [...text.matchAll(pattern)].map(([match]) => `${file}: ${match}`)),
  );
  assert.equal(found, []);
});

test('the patterns find what they are for', () => {
  for (const line of [
    'await sleep(20);',
    'pause = Math.min(2 * pause, 50)',
    'const settlePause = 5;',
    'ended(1_000)',
  ]) {
    assert.ok(
      unnamed.some((pattern) => new RegExp(pattern.source, 'm').test(line)),
      line,
    );
  }
});

test('every limit of the table is used', () => {
  const names = Object.keys(limits);
  assert.ok(names.length > 40);
  assert.equal(
    names.filter((name) => !sources.some(([, text]) => new RegExp(`\\b${name}\\b`).test(text))),
    [],
  );
});

test.run();
