/** Both hosts give the same results, errnos and TypeErrors for the same calls. */
import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { abi } from '../../src/sys/abi.js';
import { needing } from '../integration/bed/needs.js';

const ordinaryUser = needing('abi of an ordinary user', 'root', 'open-checkout');

interface Output {
  names: string[];
  cases: string[];
  lines: { call: string; result: string }[];
}

const built = spawnSync('flock', ['build/.lock', process.execPath, 'hack/test-programs.mjs'], { encoding: 'utf8' });

function run(kind: 'node' | 'quickjs', command: string[], user?: number): Output {
  const dir = mkdtempSync(join(tmpdir(), 'runt-abi-'));
  chmodSync(dir, 0o755);
  mkdirSync(join(dir, kind), { mode: 0o777 });
  chmodSync(join(dir, kind), 0o777);
  try {
    const text = execFileSync(command[0]!, [...command.slice(1), join(dir, kind)], {
      encoding: 'utf8',
      ...(user === undefined ? {} : { uid: user, gid: user }),
      env: { PATH: process.env.PATH, LANG: 'C', RUNT_LIBRARY: process.env.RUNT_LIBRARY },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    return JSON.parse(text);
  } finally {
    rmSync(dir, { recursive: true });
  }
}

const node = (user?: number) => run('node', [process.execPath, 'build/test/abi-node.mjs'], user);
const quickjs = (user?: number) => run('quickjs', ['build/test/abi-quickjs'], user);

function compare(user?: number): void {
  const [a, b] = [node(user), quickjs(user)];
  const names = Object.keys(abi).sort();
  for (const output of [a, b]) {
    assert.equal(output.names, names, 'every function is bound, and nothing else');
    assert.equal(output.cases, names, 'every function has a case');
  }
  for (const [i, line] of a.lines.entries()) assert.equal(b.lines[i], line, `line ${i}: ${line.call}`);
  assert.is(b.lines.length, a.lines.length);
}

if (built.status === 3) {
  process.stdout.write('# skip abi: quickjs: QuickJS is not available\n');
  test.skip('both hosts give the same transcript');
} else {
  test('the test programs are built', () => {
    assert.is(built.status, 0, built.stderr);
  });
  test('both hosts give the same transcript', () => compare());
  ordinaryUser('both hosts give the same transcript as an ordinary user', () => compare(65534));
}

test('the transcript has the expected results, and not only equal ones', () => {
  const { lines } = node();
  const result = (call: string) => lines.find((l) => l.call === call)?.result;
  assert.is(result('openAt(-100, "DIR/openAt/none", 0, 0)'), 'number -2');
  assert.is(result('openAt(-100, "a\\u0000b", 0, 0)'), 'TypeError: openAt: path holds a NUL');
  assert.is(result('openAt(1.5, "DIR/openAt/file", 0, 0)'), 'TypeError: openAt: dirfd must be a 32-bit integer');
  assert.is(result('openAt2(fd, "../..", 0, 0, 8)'), 'number -18');
  assert.is(result('read(0, undefined)') ?? 'absent', 'absent');
  assert.is(result('output'), 'name b 1\n0\nSigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n');
  assert.is(result('core limit'), 'true');
  assert.is(result('blocked'), 'true');
  assert.is(result('statfsType("/proc")'), 'bigint 40864');
  assert.is(
    lines.find((l) => l.call.startsWith('{"a":[1,18446'))?.result,
    '"/a/1\\u000018446744073709551615\\u0000/a/2/b\\u0000-9223372036854775808\\u0000"',
  );
  assert.not.ok(
    lines.some((l) => l.result.startsWith('TypeError: cannot')),
    'no case failed for another reason',
  );
});

test.run();
ordinaryUser.run();
