/** The resolver of paths in the container, with openat2 and without it: it never leaves the root. */
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readlinkSync,
  statSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { mountFs as fsMount, mountBind } from '../../../src/plan/mounts/mount-op.js';
import type { Op } from '../../../src/plan/plan-ops.js';
import { needing } from '../../integration/bed/needs.js';
import { andRun, errorOf, type Ground, intoRoot, onGround, type Performing, perform } from './perform.js';

const test = needing('resolve', 'root', 'programs');
const [ENOTDIR, ELOOP, ENAMETOOLONG, ENOENT, ENODEV] = [20, 40, 36, 2, 19];
const done = 'it ends without an exec';

const mkdir = (path: string, mode = 0o755): Op => ({ op: 'mkdir', at: '', path, mode });
const link = (path: string, content = '/x', required = false): Op => ({
  op: 'symlink',
  at: '',
  content,
  path,
  required,
});
const device = (path: string): Op => ({
  op: 'device',
  at: '',
  path,
  type: 'c',
  major: 1,
  minor: 3,
  mode: 0o666,
  uid: 0,
  gid: 0,
  bind: false,
});
const bind = (source: string, target: string): Op => mountBind({ at: '', target, source, recursive: false });
const mountFs = (target: string, fstype: string): Op =>
  fsMount({ at: '', target, fstype, source: fstype, options: [], attrs: 0 });

const ways: Record<string, Performing> = {
  'with openat2': {},
  'without openat2 (ENOSYS)': { filter: ['openat2=38'] },
  'with openat2 refused (EPERM)': { filter: ['openat2=1'] },
};

for (const [way, o] of Object.entries(ways)) {
  /** Performs operations in the root; returns the errno of the first failure, or 0. */
  const attempt = async ({ rootfs }: Ground, ...ops: Op[]): Promise<number> => {
    const error = errorOf(await perform([...intoRoot(rootfs), ...ops], o));
    return error.detail === done ? 0 : error.errno;
  };
  const each = (name: string, body: (ground: Ground) => Promise<void>) => test(`${way}: ${name}`, onGround(body));

  each('missing directories are made, with the requested mode', async (ground) => {
    assert.is(await attempt(ground, mkdir('/a/b/./c//d', 0o700), link('/e/f')), 0);
    assert.is(statSync(join(ground.rootfs, 'a/b/c/d')).mode & 0o7777, 0o700);
    assert.is(statSync(join(ground.rootfs, 'a/b/c')).mode & 0o7777, 0o755);
    assert.is(readlinkSync(join(ground.rootfs, 'e/f')), '/x');
  });

  each('".." stops at the root', async (ground) => {
    assert.is(await attempt(ground, mkdir('/../../../../made'), mkdir('/etc/../../../made2')), 0);
    assert.ok(existsSync(join(ground.rootfs, 'made')));
    assert.ok(existsSync(join(ground.rootfs, 'made2')));
  });

  each('an absolute symlink is relative to the root', async (ground) => {
    symlinkSync(ground.outside, join(ground.rootfs, 'out'));
    symlinkSync('/etc', join(ground.rootfs, 'in'));
    assert.is(await attempt(ground, mkdir('/in/made'), mkdir('/out/made'), link('/out/link'), device('/out/null')), 0);
    assert.equal(readdirSync(ground.outside), []);
    assert.ok(existsSync(join(ground.rootfs, 'etc/made')));
    assert.equal(readdirSync(join(ground.rootfs, ground.outside)).sort(), ['link', 'made', 'null']);
  });

  each('a relative symlink with too many ".." stays inside', async (ground) => {
    const up = `${'../'.repeat(20)}${ground.outside.slice(1)}`;
    symlinkSync(up, join(ground.rootfs, 'etc/up'));
    assert.is(await attempt(ground, mkdir('/etc/up/made')), 0);
    assert.equal(readdirSync(ground.outside), []);
    assert.ok(existsSync(join(ground.rootfs, ground.outside, 'made')));
  });

  each('".." after a symlink is the parent of its target', async (ground) => {
    mkdirSync(join(ground.rootfs, 'a/b'), { recursive: true });
    symlinkSync('/a/b', join(ground.rootfs, 'etc/l'));
    assert.is(await attempt(ground, mkdir('/etc/l/../made')), 0);
    assert.ok(existsSync(join(ground.rootfs, 'a/made')));
  });

  each('the target of a dangling symlink is made inside the root', async (ground) => {
    writeFileSync(join(ground.outside, 'source'), 'of the host');
    symlinkSync('../run/systemd/resolve/stub.conf', join(ground.rootfs, 'etc/resolv.conf'));
    const script = 'cat /etc/resolv.conf; ls -l /run/systemd/resolve';
    const ops = [bind(join(ground.outside, 'source'), '/etc/resolv.conf'), ...andRun(script)];
    const outcome = await perform([...intoRoot(ground.rootfs), ...ops], o);
    assert.match(outcome.stdout, /^of the host.*stub\.conf/s);
    assert.ok(statSync(join(ground.rootfs, 'run/systemd/resolve/stub.conf')).isFile());
  });

  each('CVE-2024-45310: a dangling symlink to a host path makes nothing on the host', async (ground) => {
    writeFileSync(join(ground.outside, 'source'), 'x');
    symlinkSync(join(ground.outside, 'file'), join(ground.rootfs, 'etc/file'));
    symlinkSync(join(ground.outside, 'dir'), join(ground.rootfs, 'etc/dir'));
    const ops = [bind(join(ground.outside, 'source'), '/etc/file'), mkdir('/etc/dir'), mountFs('/etc/dir/x', 'tmpfs')];
    assert.is(await attempt(ground, ...ops), 0);
    assert.equal(readdirSync(ground.outside), ['source']);
    assert.equal(readdirSync(join(ground.rootfs, ground.outside)).sort(), ['dir', 'file']);
  });

  each('symlink loops, names and paths that are too long, and wrong file types are refused', async (ground) => {
    symlinkSync('loop2', join(ground.rootfs, 'loop1'));
    symlinkSync('/loop1', join(ground.rootfs, 'loop2'));
    assert.is(await attempt(ground, mkdir('/loop1/x')), ELOOP);
    assert.is(await attempt(ground, mkdir(`/${'n'.repeat(256)}`)), ENAMETOOLONG);
    assert.is(await attempt(ground, mkdir('/nnn'.repeat(1200))), ENAMETOOLONG);
    assert.is(await attempt(ground, mkdir('/etc/passwd/x')), ENOTDIR);
    assert.is(await attempt(ground, mkdir('/missing/../x')), ENOENT);
    writeFileSync(join(ground.outside, 'source'), 'x');
    // move_mount(2) itself returns EINVAL.
    assert.is(await attempt(ground, bind(join(ground.outside, 'source'), '/etc')), ENOTDIR);
    assert.is(await attempt(ground, mountFs('/etc/passwd', 'tmpfs')), ENOTDIR);
  });

  each('CVE-2019-19921: proc, sysfs and cgroup are not mounted through a symlink', async (ground) => {
    mkdirSync(join(ground.rootfs, 'elsewhere'));
    for (const name of ['p', 's']) symlinkSync('/elsewhere', join(ground.rootfs, name));
    symlinkSync('/nowhere', join(ground.rootfs, 'dangling'));
    assert.is(await attempt(ground, mountFs('/p', 'proc')), ELOOP);
    assert.is(await attempt(ground, mountFs('/p/x', 'proc')), ELOOP);
    assert.is(await attempt(ground, mountFs('/s', 'sysfs')), ELOOP);
    assert.is(await attempt(ground, mountFs('/dangling', 'proc')), ELOOP);
    assert.is(await attempt(ground, mountFs('/s/fs/cgroup', 'cgroup2')), ELOOP);
    assert.equal(readdirSync(join(ground.rootfs, 'elsewhere')), []);
  });

  each('a magic link of procfs (/proc/self/root) does not lead outside', async (ground) => {
    const name = `made-${process.pid}`;
    const ops = [mountFs('/proc', 'proc'), mkdir(`/proc/self/root/${name}`)];
    const outcome = errorOf(await perform([...intoRoot(ground.rootfs), ...ops], o));
    // openat2 refuses the link; the walk reads it as text, `/`, in the container's root.
    if (o.filter) assert.is(outcome.detail, done);
    else assert.is(outcome.errno, ELOOP);
    assert.not.ok(existsSync(`/${name}`));
    assert.is(existsSync(join(ground.rootfs, name)), o.filter !== undefined);
  });

  each('a required link replaces an existing file, and an optional one does not', async (ground) => {
    writeFileSync(join(ground.rootfs, 'a'), '');
    writeFileSync(join(ground.rootfs, 'b'), '');
    assert.is(await attempt(ground, link('/a', 'y', true), link('/b', 'y', false)), 0);
    assert.is(readlinkSync(join(ground.rootfs, 'a')), 'y');
    assert.ok(statSync(join(ground.rootfs, 'b')).isFile());
  });

  each('CVE-2025-31133: a file other than the real /dev/null is not used as a mask', async (ground) => {
    writeFileSync(join(ground.rootfs, 'secret'), 'secret');
    const mask: Op = { op: 'mask', at: '', path: '/secret' };
    const null_ = join(ground.rootfs, 'dev/null');
    for (const replace of [
      () => writeFileSync(null_, ''),
      () => symlinkSync('/etc/passwd', null_),
      () => symlinkSync('/dev/zero', null_),
    ]) {
      replace();
      assert.is(await attempt(ground, { ...device('/dev/zero'), minor: 5 } as Op, mask), ENODEV);
      unlinkSync(null_);
    }
    const ok = await perform(
      [...intoRoot(ground.rootfs), device('/dev/null'), mask, ...andRun('wc -c </secret; ls -l /secret')],
      o,
    );
    assert.match(ok.stdout, /^0\nc.* 1, +3 /);
  });
}

test.run();
