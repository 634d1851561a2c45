import { readFileSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { results, unended } from '../../conformance/runc/bats.mjs';
import { excuseOf, objection, outcome } from '../../conformance/runc/verdict.mjs';
import { withoutWords } from '../../conformance/runc/without-words.mjs';

const patterns = JSON.parse(readFileSync('conformance/runc/words.json', 'utf8'));
/** The lines that remain of a test in a file. */
const left = (file: string, ...lines: string[]): string[] =>
  withoutWords(lines.join('\n'), file, patterns)
    .text.split('\n')
    .filter((line) => line.trim() !== ':');

/** A line of bash with `${lines[N]}`, written as `$lines[N]`. */
const line = (text: string): string => text.replace(/\$lines(\[\d+\])/, (_, index) => `$\{lines${index}}`);

test('an assertion about an error is left out, and those about the status and the files stay', () => {
  const command = ['\trunc run x', '\t[ "$status" -ne 0 ]'];
  for (const words of ['\t[[ "$output" == *"cannot"*"x"* ]]', '\t[[ $lines[0] = "no x" ]] # so', '\tassert_output "x"'])
    assert.equal(left('run', ...command, line(words), '\t[ ! -e state ]'), [...command, '\t[ ! -e state ]']);
});

test('what a program prints in a container stays, when it succeeds and when it fails', () => {
  const succeeds = ['runc exec x id', '[ "$status" -eq 0 ]', '[[ "$output" == *"uid=1000"* ]]'];
  assert.equal(left('exec', ...succeeds), succeeds);
  const fails = ['runc run x', '[ "$status" -ne 0 ]', '[[ "$output" == *"Read-only file system"* ]]'];
  assert.equal(left('mounts', ...fails), fails);
});

test('a failure holds until the next command, and not in the next test', () => {
  const command = ['[ "$status" -eq 1 ]', 'runc state x', '[[ "$output" == *"running"* ]]'];
  assert.equal(left('state', ...command), command);
  const next = ['[ "$status" -eq 1 ]', '@test "b" {', '[[ "$output" == *"running"* ]]'];
  assert.equal(left('state', ...next), next);
});

test('help, the version and the log of --debug are left out of their files alone', () => {
  const lines = ['[ "$status" -eq 0 ]', line('[[ $lines[0] =~ NAME:+ ]]')];
  assert.equal(left('help', ...lines), lines.slice(0, 1));
  assert.equal(left('spec', ...lines), lines);
});

test('results are named by file and title, and a file whose tests did not all end is named', () => {
  const text = 'file a\r\n1..2\r\nok 1 x [y] # skip no z\r\nnot ok 2 b\r\n# why\r\nfile c\n1..2\nok 1 d\nfile e\n';
  assert.equal(
    [...results(text)].map(([name, { state, text: output }]) => [name, state, ...output]),
    [
      ['a: x [y]', 'skipped'],
      ['a: b', 'failed', 'why'],
      ['c: d', 'passed'],
    ],
  );
  assert.equal(unended(text), ['c', 'e']);
});

test('a test counts as failed if runc passes, and apart from that if it fails with both', () => {
  assert.is(outcome(['passed', 'passed']), 'passed');
  assert.is(outcome(['passed', 'failed']), 'failed');
  assert.is(outcome(['passed', 'skipped']), 'failed');
  assert.is(outcome(['passed', 'absent']), 'failed');
  assert.is(outcome(['failed', 'failed']), 'both');
  assert.is(outcome(['failed', 'absent']), 'both');
  assert.is(outcome(['failed', 'passed']), 'passed');
  assert.is(outcome(['failed', 'skipped']), 'skipped');
  assert.is(outcome(['skipped', 'failed']), 'skipped');
});

test('a failure needs an excuse, which names the test and as what it runs', () => {
  const known = [{ why: 'w', tests: ['run: a'], as: ['root'] }];
  assert.is(excuseOf(known, 'run: a', 'root'), known[0]);
  assert.is(excuseOf(known, 'run: a', 'plain'), undefined);
  assert.is(excuseOf(known, 'run: ab', 'root'), undefined);
  const onV2 = [{ why: 'w', tests: ['run: a'], cgroup: 'v2' }];
  assert.is(excuseOf(onV2, 'run: a', 'root'), undefined);
  assert.is(excuseOf(onV2, 'run: a', 'root', 'v2 systemd'), onV2[0]);
  assert.is(objection(['passed', 'failed'], ['passed', 'failed'], undefined), 'FAILED');
  assert.is(objection(['passed', 'failed'], ['passed', 'failed'], known[0]), undefined);
});

test('a test that passes may not be excused, and one excused for its words has to pass without them', () => {
  const behaviour = { why: 'w', tests: [] };
  assert.is(objection(['passed', 'passed'], ['passed', 'passed'], behaviour), 'PASSED, but is excused');
  assert.is(objection(['failed', 'failed'], ['failed', 'failed'], behaviour), undefined);
  const words = { ...behaviour, words: true };
  assert.is(objection(['passed', 'failed'], ['passed', 'failed'], words), 'FAILED without words too');
  assert.is(objection(['passed', 'failed'], ['passed', 'passed'], words), undefined);
});

test('each excuse has a reason and exact titles, and no title is excused twice', () => {
  for (const peer of ['runc', 'crun']) {
    const known = JSON.parse(readFileSync(`conformance/${peer}/known.json`, 'utf8'));
    const seen = new Set<string>();
    for (const { why, tests, as = ['root', 'rootless', 'plain'] } of known) {
      assert.ok(why.length > 0 && tests.length > 0);
      for (const name of tests)
        for (const of of as) {
          assert.match(name, /^[a-z_-]+: \S/);
          assert.not(seen.has(`${of} ${name}`), name);
          seen.add(`${of} ${name}`);
        }
    }
  }
});

test.run();
