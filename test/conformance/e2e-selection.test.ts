/** conformance/node/e2e-selection: which of Kubernetes' tests of a node each part of hack/test-all has. */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';

const test = suite('selection of node tests');

const select = (serial: string) =>
  spawnSync('bash', ['-euc', '. conformance/node/e2e-selection; printf "%s\\n" "$FOCUS" "$SKIP" "$PROCS"'], {
    encoding: 'utf8',
    env: { PATH: process.env.PATH, SERIAL: serial },
  });
/** Whether SERIAL=`serial` chooses a test, as ginkgo does: by --focus and --skip. */
function selection(serial: string): (name: string) => boolean {
  const { stdout, stderr } = select(serial);
  const [focus, skip] = stdout.split('\n');
  assert.ok(focus && skip, stderr);
  return (name) => new RegExp(focus).test(name) && !new RegExp(skip).test(name);
}

/** Names with these tags and texts in any order. */
const tags = ['[Serial]', '[Disruptive]', '[NodeConformance]', '[Slow]'];
const texts = ['Containers Lifecycle', 'Containers', 'Eviction', 'Lifecycle'];
const names = tags.flatMap((tag) =>
  tags.flatMap((other) =>
    texts.flatMap((text) => [`${tag} ${text} ${other}`, `${text} ${tag}`, `${tag} ${other} ${text}`]),
  ),
);

const parts = [
  ...readFileSync('hack/test-all', 'utf8').matchAll(/^part \S+ env SERIAL=(\S+) conformance\/node\/e2e$/gm),
];
const halves = parts.map(([, half = '']) => half);

test('the parts of hack/test-all have each serial test once, and no other', () => {
  const all = selection('1');
  const chosen = halves.map((half) => selection(half));
  const wrong = names.filter((name) => chosen.filter((half) => half(name)).length !== (all(name) ? 1 : 0));
  assert.equal(wrong, []);
  for (const [i, half] of chosen.entries()) assert.ok(names.some(half), `${halves[i]} has none`);
  assert.ok(halves.length > 1);
});

test('serial tests run one at a time, and not with the others', () => {
  for (const half of ['1', ...halves]) assert.is(select(half).stdout.split('\n')[2], '1');
  const others = selection('');
  assert.ok(others('[NodeConformance] Containers'));
  assert.not.ok(names.some((name) => others(name) && selection('1')(name)));
});

test('another value is refused', () => {
  const { status, stderr } = select('slow');
  assert.is(status, 2);
  assert.match(stderr, 'SERIAL is 1, lifecycle or others, not "slow"');
});

test.run();
