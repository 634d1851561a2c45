/** The default state root: runc's rule for who is root, and the directory. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { absolute } from '../../src/cli/absolute-path.js';
import { rootDirectory } from '../../src/cli/root-directory.js';
import { isInUserNamespace } from '../../src/container/launch/user-namespace.js';
import type { RuntError } from '../../src/sys/error.js';
import { fakeHost, fill } from '../sys/fake-host.js';

const initialMap = '         0          0 4294967295\n';

function root(euid: number, env: Record<string, string>, uidMap = initialMap): string {
  fakeHost(
    [],
    {
      ids: (data) => {
        new DataView(data.buffer, data.byteOffset).setBigInt64(8, BigInt(euid), true);
        return 0;
      },
      readFile: (_, path, data) => {
        assert.is(path, '/proc/self/uid_map');
        // A text that does not fit is EOVERFLOW, as from native/core/files/files.c.
        return uidMap.length > data.length ? -75 : fill(data, uidMap);
      },
    },
    env,
  );
  return rootDirectory({});
}

test('root keeps state in /run/runt, whatever XDG_RUNTIME_DIR says', () => {
  assert.is(root(0, {}), '/run/runt');
  assert.is(root(0, { XDG_RUNTIME_DIR: '/run/user/0' }), '/run/runt');
});

test('an ordinary user keeps state in XDG_RUNTIME_DIR, and gets an error without it', () => {
  assert.is(root(1000, { XDG_RUNTIME_DIR: '/run/user/1000' }), '/run/user/1000/runt');
  try {
    root(1000, {});
    assert.unreachable();
  } catch (e) {
    assert.is((e as RuntError).code, 'ERR_USAGE');
    assert.match((e as RuntError).hint!, 'XDG_RUNTIME_DIR');
  }
});

test('root of a user namespace is an ordinary user, unless USER is root', () => {
  const map = '         0       1000          1\n';
  assert.is(root(0, { XDG_RUNTIME_DIR: '/run/user/1000' }, map), '/run/user/1000/runt');
  assert.is(root(0, { XDG_RUNTIME_DIR: '/run/user/1000', USER: 'root' }, map), '/run/runt');
});

test('a uid map with several lines or without lines is that of a user namespace', () => {
  const [full, own] = ['         0          0 4294967295\n', '         0          0       1000\n'];
  const lines = Array.from({ length: 340 }, (_, i) => `${String(i).padStart(10)} ${100000 + i}          1\n`).join('');
  for (const map of [own, own.repeat(2), lines, '', '         0          0 42949672950\n']) {
    assert.is(root(0, { XDG_RUNTIME_DIR: '/x' }, map), '/x/runt', JSON.stringify(map.slice(0, 40)));
    assert.ok(isInUserNamespace());
  }
  assert.is(root(0, { XDG_RUNTIME_DIR: '/x' }, full), '/run/runt');
  assert.not.ok(isInUserNamespace());
});

test('--root is made absolute lexically', () => {
  fakeHost([]);
  assert.is(rootDirectory({ root: 'r' }), '/work dir/r');
  assert.is(rootDirectory({ root: '/a//b/../c/.' }), '/a/c');
  assert.is(absolute('../../..'), '/');
  assert.is(absolute('.'), '/work dir');
});

test.run();
