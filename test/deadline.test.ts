/** Fixed sleeps: a test waits for a condition with a deadline, or explains why time has to pass. */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';

const test = suite('fixed sleeps');

interface Line {
  readonly file: string;
  readonly number: number;
  readonly text: string;
  /** Some lines above it, the nearest last. */
  readonly above: readonly string[];
}

/** The lines of the test sources; without test/deadline.ts, which has the helpers, and without this file. */
const files = ['test', 'conformance', 'hack']
  .flatMap((room) => readdirSync(room, { recursive: true, encoding: 'utf8' }).map((name) => `${room}/${name}`))
  .filter((file) => !file.startsWith('test/deadline.') && statSync(file).isFile());

const lines = (isOne: (file: string, text: string) => boolean): Line[] =>
  files.flatMap((file) => {
    const text = readFileSync(file, 'utf8');
    if (!isOne(file, text)) return [];
    const all = text.split('\n');
    return all.map((line, i) => ({ file, number: i + 1, text: line, above: all.slice(Math.max(0, i - 20), i) }));
  });

const isComment = (line: string | undefined): boolean => /^\s*(?:#|\/\/|\/?\*)/.test(line ?? '');

/** Whether a comment on the line, or right above it, has the reason. */
const explained = ({ text, above }: Line): boolean => isComment(above.at(-1)) || /\s(?:\/\/|\/\*|#) /.test(text);

/** Whether the line is the body of a loop, which checks repeatedly. */
function isLooped({ text, above }: Line): boolean {
  const depth = text.search(/\S/);
  const head = above.filter((line) => line.trim() !== '' && line.search(/\S/) < depth).at(-1);
  return /^\s*(?:for|while|until)\b/.test(head ?? '');
}

const shown = (found: readonly Line[]): string[] =>
  found.map(({ file, number, text }) => `${file}:${number}: ${text.trim()}`);

const program = (file: string): boolean => /\.(?:ts|mjs)$/.test(file);
const shell = (file: string, text: string): boolean => /\.sh$/.test(file) || /^#!.*sh\b|^# shellcheck/.test(text);

/** A promise that a timer resolves, and a blocked thread. */
const timer = /new Promise(?:<\w+>)?\(\(?(\w+)\)? => setTimeout\(\1, [^)]*\)\)|\bAtomics\.wait\(|node:timers\/promises/;
/** A passing of time, by a helper of the tests or of src/sys/waiting. */
const passing = /(?<!')\bawait (?:elapse|sleep)\(|; (?:elapse|sleep)\(/;

test('tests wait with test/deadline.ts, and a comment explains every passing of time', () => {
  const all = lines(program);
  assert.ok(all.length > 10_000);
  assert.equal(shown(all.filter(({ file, text }) => file.startsWith('test/') && timer.test(text))), []);
  const unexplained = all.filter((line) => passing.test(line.text) || timer.test(line.text));
  assert.ok(unexplained.length > 10);
  assert.equal(shown(unexplained.filter((line) => !explained(line))), []);
});

test('a script sleeps only in a loop that ends, or explains why', () => {
  const all = lines(shell);
  assert.ok(all.length > 1000);
  const sleeps = all.filter(({ text }) => /^\s*sleep [\d.]+$/.test(text));
  assert.ok(sleeps.length > 5);
  assert.equal(shown(sleeps.filter((line) => !isLooped(line) && !explained(line))), []);
  assert.equal(shown(all.filter(({ text }) => /^\s*(?:while|until) .*; do sleep [\d.]+; done/.test(text))), []);
});

test('a program of a test explains why it sleeps', () => {
  const sleeps = lines((file) => /^test\/.*\.c$/.test(file)).filter(({ text }) => /\b(?:u|nano)?sleep\(/.test(text));
  assert.ok(sleeps.length > 1);
  assert.equal(shown(sleeps.filter((line) => !explained(line))), []);
});

test('the patterns match what they must find', () => {
  const line = (text: string, above: string[] = []): Line => ({ file: 'a', number: 1, text, above });
  for (const text of [
    'await new Promise((next) => setTimeout(next, 100));',
    'const pass = (ms: number): Promise<void> => new Promise((settle) => setTimeout(settle, ms));',
    'Atomics.wait(array, 0, 0, 5);',
  ]) {
    assert.match(text, timer);
  }
  assert.match('    await elapse(20);', passing);
  assert.not.match("new Promise<string>((settle) => setTimeout(settle, DEADLINE, 'late').unref())", timer);
  assert.not.ok(explained(line('  sleep 2', ['kill "$!"'])));
  assert.ok(explained(line('  sleep 2', ['  # The start is over by then.'])));
  assert.ok(isLooped(line('    sleep 0.1', ['  for _ in 1 2; do', '    look && break'])));
  assert.not.ok(isLooped(line('  sleep 2', ['f() {', '  look'])));
});

test.run();
