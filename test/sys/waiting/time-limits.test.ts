/** The table of deadlines and pauses: every wait in src uses a named limit, and every name is used. */
import { readdirSync, readFileSync } from 'node:fs';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import * as limits from '../../../src/sys/waiting/time-limits.js';

const test = suite('time limits');

const table = 'src/sys/waiting/time-limits.ts';
const sources = readdirSync('src', { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.ts') && `src/${name}` !== table)
  .map((name) => [`src/${name}`, readFileSync(`src/${name}`, 'utf8')] as const);

/**
 * A number above 1 as the last argument of a wait, as the bound of a growing pause, or in a constant with such a name.
 */
const unnamed = [
  /\b(?:sleep|readable|readableOrPolled|writable|firstReadable|within|until|lock|ended|flush)\([^\n]*?\b(?:[2-9]|[1-9][\d_]+)\)/g,
  /Math\.min\((?:2 \* pause|pause \* 2), \d+\)/g,
  /^(?:export )?const \w*(?:[Pp]atience|[Dd]eadline|[Pp]ause|[Ii]nterval|[Gg]race|Time) = [\d_]+;/gm,
];

test('src has a name for every number of milliseconds that it waits for', () => {
  const found = sources.flatMap(([file, text]) =>
    unnamed.flatMap((pattern) => [...text.matchAll(pattern)].map(([match]) => `${file}: ${match}`)),
  );
  assert.equal(found, []);
});

/** A number in C as the time of a poll, a part of a time, or the bound of a count of tries. */
const unnamedInC = [
  /\b(?:p?poll|epoll_wait)\([^;]*?, [1-9]\d*\)/g,
  /\.tv_n?sec = [1-9]\d*\b/g,
  /\btimespec \w+ = \{[^}]*[1-9]\d*\}/g,
  /\b(?:tries|retries) < \d+/g,
  /\b\w*(?:TIME|_MS|_NS|PAUSE|INTERVAL|TRIES|RETRIES) = [1-9]\d*/g,
];

test('C has its numbers of milliseconds and of tries in native/core/time-limits.h', () => {
  const files = readdirSync('native', { recursive: true, encoding: 'utf8' })
    .filter((name) => /\.[ch]$/.test(name) && name !== 'core/time-limits.h')
    .map((name) => [`native/${name}`, readFileSync(`native/${name}`, 'utf8')] as const);
  const found = files.flatMap(([file, text]) =>
    unnamedInC.flatMap((pattern) => [...text.matchAll(pattern)].map(([match]) => `${file}: ${match}`)),
  );
  assert.equal(found, []);
  const names = [...readFileSync('native/core/time-limits.h', 'utf8').matchAll(/^ {2}([A-Z_]+) = \d/gm)];
  assert.ok(names.length > 5);
  assert.equal(
    names.map(([, name]) => name!).filter((name) => !files.some(([, text]) => text.includes(name))),
    [],
  );
});

test('the patterns match what they must find', () => {
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
  for (const line of [
    'if (poll(&p, 1, 50) < 0)',
    '{.tv_sec = 2}',
    'struct timespec t = {0, 20000}',
    'i = 0; tries < 10',
  ])
    assert.ok(
      unnamedInC.some((pattern) => new RegExp(pattern.source).test(line)),
      line,
    );
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
