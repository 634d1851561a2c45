/** conformance/node/table.mjs: which differences from runc fail. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';

const test = suite('node table');

type Lines = Record<string, string[]>;
const report = (handler: string, of: Lines): string =>
  JSON.stringify({
    handler,
    versions: 'containerd 2.1.9, Kubernetes v1.34.4',
    results: Object.fromEntries(Object.entries(of).map(([name, lines]) => [name, { seconds: 1, lines }])),
    measured:
      handler === 'runc'
        ? { 'exec probe': 200, 'memory of a pod': 9000 }
        : { 'exec probe': 50, 'memory of a pod': 4500 },
  });
const known = [
  { scenarios: ['away'], handlers: ['runt'], lines: ['status 5'], why: 'runc loses it' },
  { scenarios: ['port'], handlers: ['runc'], lines: ['phase Running', 'NOT REACHED'], why: 'there is no NAT' },
];

/** Runs the script on reports; `again` are those of second attempts. */
function table(runc: Lines, runt: Lines, { install = {}, again }: { install?: Lines; again?: [Lines, Lines] } = {}) {
  const dir = mkdtempSync(join(tmpdir(), 'runt-node-'));
  try {
    writeFileSync(join(dir, 'known.json'), JSON.stringify(known));
    writeFileSync(join(dir, 'install.json'), report('install', install));
    writeFileSync(join(dir, 'runc.json'), report('runc', runc));
    writeFileSync(join(dir, 'runt.json'), report('runt', runt));
    if (again) {
      mkdirSync(join(dir, 'again'));
      writeFileSync(join(dir, 'again/runc.json'), report('runc', again[0]));
      writeFileSync(join(dir, 'again/runt.json'), report('runt', again[1]));
    }
    const files = (...names: string[]) => names.map((name) => join(dir, `${name}.json`));
    const node = (...args: string[]) =>
      spawnSync(process.execPath, ['conformance/node/table.mjs', ...args], { encoding: 'utf8' });
    const { stdout, status } = node(...files('known', 'install', 'runc', 'runt'));
    const differ = node('--again', ...files('known', 'runc', 'runt')).stdout.trim();
    return { status, lines: stdout.trimEnd().split('\n'), differ };
  } finally {
    rmSync(dir, { recursive: true });
  }
}

test('equal lines pass, and measurements are those of runc, and parts of them', () => {
  const { status, lines, differ } = table({ exit: ['phase Failed'] }, { exit: ['phase Failed'] });
  assert.is(status, 0);
  assert.is(differ, '');
  assert.ok(lines.includes('| exec probe | 200 ms | 0.25 |'), lines.join('\n'));
  assert.ok(lines.includes('| memory of a pod | 9000 kB | 0.50 |'));
  assert.is(lines.at(-1), 'runt: 1 passed, 0 failed, 0 skipped');
});

test('a difference fails with both lines, also a scenario that did not run', () => {
  const { status, lines, differ } = table({ exit: ['status 3'], oom: ['OOMKilled'] }, { exit: ['status 4'] });
  assert.is(status, 1);
  assert.is(differ, 'exit oom');
  for (const line of ['FAILED with runt: exit', '    - status 3', '    + status 4', 'FAILED with runt: oom'])
    assert.ok(lines.includes(line), line);
  assert.is(lines.at(-1), 'runt: 0 passed, 2 failed, 0 skipped');
});

test('known.json excuses only the lines that it has', () => {
  const excused = table({ away: ['status 255'] }, { away: ['status 5'] });
  assert.is(excused.status, 0);
  assert.is(excused.differ, '');
  assert.is(excused.lines.at(-1), 'runt: 0 passed, 0 failed, 1 skipped');
  const other = table({ away: ['status 255'] }, { away: ['status 7'] });
  assert.is(other.status, 1);
  assert.is(other.differ, 'away');
});

test('what does not get to its end with runc proves nothing', () => {
  const same = { oom: ['NOT REACHED in 60 s'] };
  const { status, lines } = table(same, same);
  assert.is(status, 0);
  assert.is(lines.at(-1), 'runt: 0 passed, 0 failed, 1 skipped');
});

test('known.json tells why a scenario does not go with runc either', () => {
  const same = { port: ['phase Running', 'NOT REACHED'] };
  const { status, lines } = table(same, same);
  assert.is(status, 0);
  assert.ok(lines.includes('skipped with runt: port: there is no NAT'), lines.join('\n'));
  assert.is(lines.at(-1), 'runt: 0 passed, 0 failed, 1 skipped');
});

test('a second attempt replaces the first', () => {
  const { status, lines } = table(
    { exit: ['3'], oom: ['killed'] },
    { exit: ['3'], oom: ['late'] },
    { again: [{ oom: ['killed'] }, { oom: ['killed'] }] },
  );
  assert.is(status, 0);
  assert.is(lines.at(-1), 'runt: 2 passed, 0 failed, 0 skipped');
});

test('a problem of an installation fails', () => {
  const { status, lines } = table({}, {}, { install: { 'into-the-config': ['config.toml differs'], other: [] } });
  assert.is(status, 1);
  assert.ok(lines.includes('FAILED: into-the-config: config.toml differs'));
  assert.is(lines.at(-1), 'runt: 1 passed, 1 failed, 0 skipped');
});

test.run();
