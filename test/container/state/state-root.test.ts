/**
 * The path to the state root: symlinks are followed only if no other user could have made them; each step is checked.
 */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { makeStateDir } from '../../../src/container/state/claim-id.js';
import { defaultRoot } from '../../../src/container/state/default-root.js';
import { openRoot } from '../../../src/container/state/state-directory.js';
import { loadRecord } from '../../../src/container/state/state-store.js';
import { saveRecord } from '../../../src/container/state/stored-files.js';
import { E } from '../../../src/sys/errno.js';
import { RuntError } from '../../../src/sys/error.js';
import { FakeKernel } from '../../sys/fake-host/fake-kernel.js';
import { recordOf } from './records.js';

const test = suite('state root');

const failure = (f: () => unknown): RuntError => {
  try {
    f();
  } catch (error) {
    if (error instanceof RuntError) return error;
    throw error;
  }
  throw new Error('it did not fail');
};

test("root's symlinks on the path are followed: absolute, relative and with ..", () => {
  const kernel = new FakeKernel();
  const { root, tree } = kernel;
  tree.directory('/data/containers');
  tree.symlink('/run/absolute', '/data/containers');
  tree.symlink('/run/relative', '../data/./containers/../containers');
  for (const name of ['absolute', 'relative']) {
    const path = `/run/${name}${root}`;
    makeStateDir(path, 'web');
    saveRecord(path, recordOf('web', { pid: 7 }));
    assert.is(loadRecord(path, 'web').pid, 7);
    tree.directory(`/data/containers${root}`).entries?.delete('web');
  }
});

test('a symlink of another user, and one that leads to itself, are refused', () => {
  const kernel = new FakeKernel();
  const { root, tree } = kernel;
  tree.symlink('/run/theirs', '/data').uid = 1000;
  const foreign = failure(() => makeStateDir(`/run/theirs${root}`, 'web'));
  assert.equal([foreign.code, foreign.path], ['ERR_STATE_UNSAFE', '/run/theirs']);
  tree.symlink('/run/loop', '/run/loop');
  const loop = failure(() => makeStateDir(`/run/loop${root}`, 'web'));
  assert.equal([loop.code, loop.errno], ['ERR_STATE', E.ELOOP]);
  assert.equal(kernel.open, []);
});

test('a directory on the path in which others may rename is refused, unless it is sticky', () => {
  const kernel = new FakeKernel();
  const { root, tree } = kernel;
  const path = `/open${root}`;
  const open = tree.directory('/open', 0o777);
  const every = failure(() => makeStateDir(path, 'web'));
  assert.match(every.message, /every user may rename what is in it/);
  assert.is(every.hint, 'run chmod +t /open, or choose another --root');
  open.mode = 0o40770;
  open.gid = 100;
  assert.match(failure(() => makeStateDir(path, 'web')).message, /group 100 may rename what is in it/);
  open.mode = 0o41777;
  makeStateDir(path, 'web');
  open.mode = 0o40755;
  open.uid = 1000;
  const owned = failure(() => makeStateDir(`/open/other${root}`, 'web'));
  assert.match(owned.message, /\/open .*it belongs to user 1000, and runt runs as user 0/);
});

test('a file instead of a directory is an error of the state', () => {
  const kernel = new FakeKernel();
  kernel.tree.file('/run/file');
  const error = failure(() => makeStateDir(`/run/file${kernel.root}`, 'web'));
  assert.equal([error.code, error.errno], ['ERR_STATE', E.ENOTDIR]);
});

test('the root is resolved once, and again if it was removed', () => {
  const kernel = new FakeKernel();
  makeStateDir(kernel.root, 'web');
  const fd = openRoot(kernel.root);
  kernel.calls.length = 0;
  assert.is(openRoot(kernel.root), fd);
  assert.equal(kernel.calls, []);
});

test('the default root is /run/runt for root, else XDG_RUNTIME_DIR/runt, else none', () => {
  const root = (uid: number, env: Record<string, string>, map?: string): string | undefined => {
    const kernel = new FakeKernel({ uid, env });
    if (map) kernel.tree.file('/proc/1000/uid_map', map);
    return defaultRoot();
  };
  const env = { XDG_RUNTIME_DIR: '/run/user/1000' };
  const map = '         0       1000          1\n';
  assert.equal(
    [
      root(0, {}),
      root(0, env),
      root(0, env, map),
      root(0, { ...env, USER: 'root' }, map),
      root(1000, env),
      root(1000, {}),
    ],
    ['/run/runt', '/run/runt', '/run/user/1000/runt', '/run/runt', '/run/user/1000/runt', undefined],
  );
});

test.run();
