/** removeTree and removeCgroup on the kernel: what they must not touch, and what they must report. */
import { execFileSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { E } from '../../../src/sys/errno.js';
import { native } from '../../../src/sys/host.js';
import { useNodeHost } from '../../../src/sys/node-host.js';
import { needing } from '../../integration/bed/needs.js';

useNodeHost([]);
const AT_FDCWD = -100;
const isRoot = process.geteuid?.() === 0;
const test = suite('tree', { dir: '' });
const mounting = needing('trees with mounts', 'root', 'mount', 'unshare');
test.before.each((context) => {
  context.dir = mkdtempSync(join(tmpdir(), 'runt-tree-'));
});
test.after.each((context) => rmSync(context.dir, { recursive: true }));

test('a symlink in the tree is removed, and its target stays', ({ dir }) => {
  mkdirSync(join(dir, 'outside'));
  writeFileSync(join(dir, 'outside/precious'), '');
  mkdirSync(join(dir, 'tree/sub'), { recursive: true });
  symlinkSync('../outside', join(dir, 'tree/link'));
  symlinkSync(join(dir, 'outside'), join(dir, 'tree/sub/link'));
  assert.is(native.removeTree(AT_FDCWD, join(dir, 'tree')), 0);
  assert.not.ok(existsSync(join(dir, 'tree')));
  assert.ok(existsSync(join(dir, 'outside/precious')));
});

test('a symlink given as the tree is removed itself', ({ dir }) => {
  mkdirSync(join(dir, 'target/below'), { recursive: true });
  symlinkSync('target', join(dir, 'link'));
  assert.is(native.removeTree(AT_FDCWD, join(dir, 'link')), 0);
  assert.ok(existsSync(join(dir, 'target/below')));
});

test('a tree of any depth is removed: a container makes one with relative paths', ({ dir }) => {
  for (const depth of [255, 256, 257, 300, 1500]) {
    mkdirSync(join(dir, 'tree', ...Array.from({ length: depth }, () => 'd')), { recursive: true });
    // A name that the removal itself uses.
    mkdirSync(join(dir, 'tree/.runt-deep-0/full'), { recursive: true });
    writeFileSync(join(dir, 'tree/.runt-deep-1'), '');
    assert.is(native.removeTree(AT_FDCWD, join(dir, 'tree')), 0, `${depth} levels`);
    assert.not.ok(existsSync(join(dir, 'tree')));
  }
});

mounting('a mount below the tree is not entered, for any file system', () => {
  const dir = mkdtempSync(join(tmpdir(), 'runt-tree-'));
  mkdirSync(join(dir, 'tree/sub/mnt'), { recursive: true });
  mkdirSync(join(dir, 'outside'));
  writeFileSync(join(dir, 'outside/precious'), '');
  // A bind mount has the device number of the tree itself: only the mount id differs. The namespace unmounts it.
  const script = `mount --bind "$0/outside" "$0/tree/sub/mnt" && exec "$1" -e "$2" "$0/tree"`;
  const call = `
    const koffi = require('koffi');
    const f = koffi.load('dist/librunt.so').func('int32_t runt_removeTree(int32_t, str)');
    console.log(f(-100, process.argv[1]));`;
  const args = ['-m', '--propagation', 'private', 'sh', '-c', script, dir, process.execPath, call];
  assert.is(execFileSync('unshare', args, { encoding: 'utf8' }).trim(), String(-E.EXDEV));
  assert.ok(existsSync(join(dir, 'outside/precious')));
  rmSync(dir, { recursive: true });
});

if (isRoot) {
  // The unified hierarchy, alone or beside v1.
  const unified = readFileSync('/proc/self/mountinfo', 'utf8').match(/^\S+ \S+ \S+ \/ (\S+) .* - cgroup2 /m)?.[1];
  if (unified) {
    test('cgroups are removed from the deepest up, and not while they have a process', () => {
      const top = join(unified, `runt-tree-${process.pid}`);
      mkdirSync(join(top, 'a/b'), { recursive: true });
      mkdirSync(join(top, 'c'));
      const own = readFileSync('/proc/self/cgroup', 'utf8').match(/^0::(.*)$/m)?.[1] ?? '/';
      writeFileSync(join(top, 'a/b/cgroup.procs'), String(process.pid));
      try {
        assert.is(native.removeCgroup(top), -E.EBUSY);
        assert.ok(existsSync(join(top, 'a/b')));
      } finally {
        writeFileSync(join(unified, own, 'cgroup.procs'), String(process.pid));
      }
      assert.is(native.removeCgroup(top), 0);
      assert.not.ok(existsSync(top));
      assert.is(native.removeCgroup(top), 0);
      if (existsSync(top)) rmdirSync(top);
    });
  }
}

test.run();
mounting.run();
