import { readFileSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import {
  type Entry,
  entryOf,
  excuse,
  failures,
  isFor,
  losses,
  majority,
  type Result,
} from '../../conformance/runtime-tools/verdict.mjs';

/** A result in short: `+a` passed, `-a` failed, `?a` skipped; a first `!` means that the program ended badly. */
function result(...words: string[]): Result {
  const bad = words[0] === '!';
  const states = { '+': 'passed', '-': 'failed', '?': 'skipped' } as const;
  const asserted = new Map(
    words.filter((w) => w !== '!').map((w) => [w.slice(1), states[w[0] as keyof typeof states]] as const),
  );
  const all = [...asserted.values()];
  const outcome = bad || all.includes('failed') ? 'failed' : all.includes('passed') ? 'passed' : 'skipped';
  return { outcome, asserted, ended: bad ? 'ended with 1' : '' };
}

test('a loss is an assertion that another runtime passes and that runt fails, skips or never makes', () => {
  assert.equal(losses([result('+a', '-b', '?c'), result('+a', '+b', '+c', '+d'), result('-a')]), ['b', 'c', 'd']);
  assert.equal(losses([result('+a', '-b'), result('-a', '-b'), result('!')]), []);
});

test('a program that ends worse under runt than under another runtime is a loss by itself', () => {
  assert.equal(losses([result('!', '+a'), result('+a'), result('!')]), ['the program']);
  assert.equal(losses([result('!'), result('+a'), result('!')]), ['a']);
});

test('failed assertions, a bad end and a program without assertions each require a reason', () => {
  assert.equal(failures([result('!', '-a', '+b', '?c')]), ['a', 'the program']);
  assert.equal(failures([result('?a')]), ['nothing is asserted']);
  assert.equal(failures([result('+a')]), []);
});

test('the majority of several runs decides, and assertions that varied are listed as flaky', () => {
  const runs = [[result('-a', '+b')], [result('+a', '+b')], [result('+a', '+b', '+c')]];
  const { results, flaky } = majority(runs, ['runt']);
  assert.equal(
    [...results[0]!.asserted],
    [
      ['a', 'passed'],
      ['b', 'passed'],
    ],
  );
  assert.is(results[0]!.outcome, 'passed');
  assert.equal(flaky, ['runt: a', 'runt: c']);
});

test('an entry matches its programs and the assertions that begin with its text; it excuses with a clause or "broken"', () => {
  const known: Entry[] = [
    { programs: ['p'], assertion: 'limit', why: 'reason' },
    { programs: ['p', 'q'], assertion: 'label', why: 'w', clause: 'runtime.md#create' },
    { programs: ['r'], why: 'all of it', broken: true },
  ];
  assert.is(entryOf(known, 'p', 'limit is set (2)'), known[0]);
  assert.is(entryOf(known, 'q', 'limit is set'), undefined);
  assert.is(excuse(known, 'p', 'limit is set'), undefined);
  assert.is(excuse(known, 'q', 'label x'), known[1]);
  assert.is(excuse(known, 'r', 'anything'), known[2]);
  assert.is(entryOf(known, 'p', 'the program'), known[0]);
});

test('every entry of known.json has a reason, and its clause is written as page#heading', () => {
  const known: Entry[] = JSON.parse(readFileSync('conformance/runtime-tools/known.json', 'utf8'));
  for (const { programs, why, clause } of known) {
    assert.ok(programs.length > 0 && why.length > 10);
    if (clause !== undefined) assert.match(clause, /^[a-z-]+\.md#/);
  }
});

test('an entry with "before" excuses on older kernels only', () => {
  const entry: Entry = { programs: ['p'], why: 'w', before: '6.15' };
  const on = (kernel: string) => isFor(entry, { cgroup: 2, driver: 'systemd', kernel });
  assert.equal(['6.12.63', '6.14-rc1-um', '5.19.0', '6.9'].map(on), [true, true, true, true]);
  assert.equal(['6.15.0', '6.15-rc1', '6.18.5-cloud', '7.0.1', '10.1'].map(on), [false, false, false, false, false]);
  assert.is(excuse([entry], 'p', 'the program'), entry);
  assert.is(excuse([entry], 'q', 'the program'), undefined);
});

test('an entry for a cgroup version or a cgroup driver does not hold on other hosts', () => {
  const host = { cgroup: 2, driver: 'systemd', kernel: '6.12.1' } as const;
  const entry = { programs: ['p'], why: 'w' };
  assert.ok(isFor(entry, host));
  assert.ok(isFor({ ...entry, cgroup: 2, driver: 'systemd' }, host));
  assert.not(isFor({ ...entry, cgroup: 1 }, host));
  assert.not(isFor({ ...entry, driver: 'cgroupfs' }, host));
});

test.run();
