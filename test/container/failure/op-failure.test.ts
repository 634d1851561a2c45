/** Errors of failed operations whose cause is visible in the host's files. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { hostExecutableHint } from '../../../src/container/failure/host-path-hint.js';
import { boundSysfs, lockedFlags } from '../../../src/container/failure/mount-warnings.js';
import type { OpFailure } from '../../../src/container/failure/op-failed.js';
import { opFailureError } from '../../../src/container/failure/op-failure.js';
import { mountBind, mountFs } from '../../../src/plan/mounts/mount-op.js';
import type { Op } from '../../../src/plan/plan-ops.js';
import type { Spec } from '../../../src/spec/config-types.js';
import { E } from '../../../src/sys/errno.js';
import { MOUNT_ATTR_NOEXEC, MOUNT_ATTR_RDONLY } from '../../../src/sys/linux.js';
import { FakeKernel } from '../../sys/fake-host/fake-kernel.js';

const test = suite('errors of failed operations');

const spec = { ociVersion: '1.2.0', mounts: [{ destination: '/data', source: '/srv/data' }] } as Spec;
const bind: Op = mountBind({ at: '/mounts/0', target: '/data', source: '/srv/data' });
const rootfs: Op = { op: 'rootfs', at: '/root/path', path: '/b/rootfs', slot: -1 };

const errorOf = (failed: Partial<OpFailure> & { op: Op; errno: number }, of: Spec | undefined = spec) =>
  opFailureError('create', 'web', { syscall: 'open_tree', detail: '', ...failed }, of);
const hint = (failed: Partial<OpFailure> & { op: Op; errno: number }, of?: Spec): string =>
  errorOf(failed, of).hint ?? '';

test('the error has its sentence, the config value at the pointer, and the path once', () => {
  new FakeKernel();
  const error = errorOf({ op: bind, errno: E.ENOENT, detail: '/srv/data' });
  assert.equal([error.code, error.pointer, error.path, error.op], ['ERR_MOUNT', '/mounts/0', '/srv/data', 'mountBind']);
  assert.equal(error.value, spec.mounts?.[0]);
  assert.match(error.message, /^create web: .*\/srv\/data.*: ENOENT \(no such file or directory\)$/);
  const other = errorOf({ op: bind, errno: E.EIO, detail: '/elsewhere' });
  assert.match(other.message, / \(\/elsewhere\): EIO/);
});

test('a program that is missing or is a directory has the texts that engines match', () => {
  new FakeKernel();
  const find: Op = { op: 'findExecutable', at: '/process/args/0', name: 'sh', path: '/bin' };
  assert.match(errorOf({ op: find, errno: E.ENOENT }).message, /executable file not found in \$PATH: ENOENT/);
  assert.match(errorOf({ op: find, errno: E.EISDIR }).message, /: permission denied: EISDIR/);
});

test('the hint names the first component of a source path that is missing or unusable', () => {
  const { tree } = new FakeKernel();
  const why = (): string => hint({ op: bind, errno: E.ENOENT, detail: '/srv/data' });
  assert.match(why(), /^make \/srv, or correct the mount's source: it is on the way to the source \/srv\/data/);
  tree.symlink('/srv', '/nowhere');
  assert.match(why(), /^make the target of the symbolic link \/srv/);
  tree.symlink('/srv', '/srv');
  assert.match(why(), /^correct the symbolic links at \/srv/);
  tree.file('/srv');
  assert.match(why(), /^correct the mount's source: \/srv is a file, and the source \/srv\/data is looked for in it/);
});

test('the hint names a directory that runt may not search', () => {
  const kernel = new FakeKernel();
  kernel.tree.directory('/srv/data');
  kernel.failAt('stat', 2, E.EACCES);
  assert.match(
    hint({ op: rootfs, errno: E.EACCES, detail: '/b/rootfs' }),
    /^give runt search permission \(chmod \+x\) on \/b|^make \/b/,
  );
});

test('the hint names a file on the way to the root file system', () => {
  const { tree } = new FakeKernel();
  tree.file('/b');
  assert.match(
    hint({ op: rootfs, errno: E.ENOTDIR, detail: '/b/rootfs' }),
    /^correct root\.path: \/b is a file, and the root file system \/b\/rootfs is looked for in it/,
  );
});

test('the hint says that a file was bound on a directory, or the reverse', () => {
  const { tree } = new FakeKernel();
  tree.file('/srv/data');
  const why = (): string => hint({ op: bind, errno: E.ENOTDIR, syscall: 'move_mount', detail: '/data' });
  assert.match(why(), /^bind a file on a file, or remove \/data from the rootfs/);
  tree.directory('/srv').entries?.delete('data');
  tree.directory('/srv/data');
  assert.match(why(), /the source \/srv\/data is a directory, and \/data is a file in the rootfs/);
});

test('the hint names a bind mount that the host mounted noexec', () => {
  const kernel = new FakeKernel();
  const exec: Op = { op: 'exec', at: '/process/args', args: ['/data/app'], env: [], homeOfNamed: false };
  const of = { ...spec, mounts: [{ destination: '/data', source: '/srv/data', type: 'bind', options: ['bind'] }] };
  kernel.tree.file('/srv/data/app', '', 0o755);
  kernel.on('access', () => -E.EACCES);
  assert.match(
    hint({ op: exec, errno: E.EACCES, syscall: 'execve' }, of as Spec),
    /^add "exec" to the options of \/data \(\/mounts\/0\)/,
  );
});

const overlay = (options: readonly string[]): Op =>
  mountFs({ at: '/mounts/0', target: '/data', fstype: 'overlay', source: 'overlay', options, attrs: 0 });
const overlayHint = (options: readonly string[], errno = E.EINVAL, detail = ''): string =>
  hint({ op: overlay(options), errno, syscall: 'fsconfig', detail });

test('the hint names the options that an overlay lacks', () => {
  new FakeKernel();
  assert.match(overlayHint(['lowerdir=/l', 'upperdir=/u']), /^add a workdir/);
  assert.match(overlayHint(['upperdir=/u', 'workdir=/w']), /^add a lowerdir/);
  assert.match(overlayHint(['lowerdir=/l']), /^add an upperdir and a workdir/);
  assert.match(
    overlayHint(['lowerdir=/l', 'upperdir=/u', 'workdir=/w'], E.EACCES, 'upperdir=/u'),
    /^give root of the container search permission .* on the parents of upperdir=\/u/,
  );
});

test('the hint names the unusable directory of an overlay', () => {
  const kernel = new FakeKernel();
  const { tree } = kernel;
  const options = ['lowerdir=/l', 'upperdir=/u', 'workdir=/w'];
  assert.match(overlayHint(options), /^make the lowerdir \/l/);
  tree.directory('/l');
  tree.file('/u');
  assert.match(overlayHint(options), /^name a directory as upperdir: \/u/);
  tree.mount('/u');
  tree.directory('/w');
  assert.match(overlayHint(options), /\/u and \/w are on different file systems$/);
  tree.directory('/both/u');
  tree.directory('/both/w');
  const both = ['lowerdir=/l', 'upperdir=/both/u', 'workdir=/both/w'];
  assert.match(overlayHint(both, E.EROFS, 'workdir'), /^empty the workdir: the kernel cannot empty \/both\/w\/work/);
  assert.match(overlayHint(both, E.EBUSY), /another one uses \/both\/u or \/both\/w/);
  assert.match(
    overlayHint(['lowerdir=/l', 'upperdir=/both', 'workdir=/both/w']),
    /one of \/both and \/both\/w is in the other/,
  );
  kernel.on('statfsType', () => 0x794c7630n);
  assert.match(overlayHint(both), /\/both\/u is on an overlay itself/);
});

test('the hint names the file system that cannot be id-mapped', () => {
  const kernel = new FakeKernel();
  const inode = kernel.tree.directory('/srv/data');
  const major = (inode.fs.dev >> 8) & 0xfff;
  kernel.tree.file('/proc/1000/mountinfo', `30 1 ${major}:${inode.fs.dev & 0xff} / / rw - nfs4 host:/x rw\n`);
  const tree: Op = { op: 'idMapTree', at: '/mounts/0', source: '/srv/data', tree: 0, recursive: true, slot: 1 };
  const why = (errno: number): string => hint({ op: tree, errno, syscall: 'mount_setattr', detail: '/srv/data' });
  assert.is(
    why(E.EINVAL),
    'bind it without mappings: this kernel cannot id-map nfs4, the file system of /srv/data, or a file system that is mounted below it',
  );
  assert.match(why(E.EPERM), /^bind the original mount instead of \/srv\/data/);
  assert.match(why(E.EOPNOTSUPP), /^remove options longer than 255 bytes/);
  const space: Op = { op: 'idMapNamespace', at: '/mounts/0', path: '', uids: [], gids: [], slot: 0 };
  assert.match(
    hint({ op: space, errno: E.EPERM, syscall: 'write', detail: 'gid_map' }),
    /the kernel refuses the gid mappings of the mount$/,
  );
});

test('a mount that was moved away during the creation has its own error code', () => {
  new FakeKernel();
  const verify: Op = { op: 'verifyMounts', at: '/mounts/0', last: true };
  const error = errorOf({ op: verify, errno: E.ENOENT, syscall: 'verifyMount', detail: '/data' });
  assert.equal(
    [error.code, error.message, error.path],
    ['ERR_MOUNT_MOVED', 'create web: the mount on /data was moved away while the container was made', '/data'],
  );
});

test('the hint says why a program of the host, such as a hook, cannot be executed', () => {
  const kernel = new FakeKernel();
  const { tree } = kernel;
  const why = (errno: number): string | undefined => hostExecutableHint('/hooks/h', errno);
  assert.match(why(E.ENOENT) ?? '', /^make \/hooks, or correct/);
  tree.directory('/hooks');
  assert.match(why(E.ENOENT) ?? '', /^install \/hooks\/h on the host/);
  tree.directory('/hooks/h');
  assert.match(why(E.EACCES) ?? '', /^name a program in the hook's path/);
  tree.directory('/hooks').entries?.delete('h');
  tree.file('/hooks/h', '#! /bin/python -u\nprint()\n', 0o755);
  assert.match(why(E.ENOENT) ?? '', /^install \/bin\/python on the host/);
  tree.file('/hooks/h', '\x7fELF', 0o755);
  assert.match(why(E.ENOENT) ?? '', /^install the C library of \/hooks\/h on the host/);
  tree.file('/hooks/h', '', 0o644);
  assert.match(why(E.EACCES) ?? '', /^make \/hooks\/h executable/);
  tree.file('/hooks/h', '', 0o755);
  assert.is(why(E.EACCES), undefined, 'nothing is known');
  kernel.on('access', () => -E.EACCES);
  assert.match(why(E.EACCES) ?? '', /mount its file system with "exec"/);
});

test('mounts with locked flags and a bound /sys of the host cause warnings', () => {
  assert.match(
    lockedFlags(bind, { kept: MOUNT_ATTR_RDONLY, recursive: 0 }, spec) ?? '',
    /^\/mounts\/0: \w+ has no effect on the mount on \/data: the host has set flags on it/,
  );
  assert.is(lockedFlags(bind, { kept: MOUNT_ATTR_NOEXEC, recursive: 0 }, spec), undefined, 'no option asks for exec');
  const isolated = { ...spec, linux: { namespaces: [{ type: 'user' }] } } as Spec;
  assert.is(boundSysfs(bind, isolated), undefined, 'the config is sufficient');
  assert.match(boundSysfs(bind, spec) ?? '', /^\/mounts\/0: the \/sys of the host is bound on \/data/);
});

test.run();
