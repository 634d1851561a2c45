/** Mounts: targets, types, options and propagation, as /proc/self/mountinfo of the container shows them. */
import { existsSync, mkdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { type Bed, needing, onBed } from '../bed/bed.js';
import { parseMount, type Value } from '../bed/probe.js';

const test = needing('mounts', 'root');

/** The container's mounts by target. */
function mounts(bed: Bed): Map<string, { [key: string]: Value }> {
  return new Map(
    bed
      .out('cat /proc/self/mountinfo')
      .trim()
      .split('\n')
      .map((line) => {
        const { target, facts } = parseMount(line);
        return [target, facts];
      }),
  );
}

test(
  'the default mounts are in order, with their options',
  onBed((bed) => {
    const found = mounts(bed);
    const order = [...found.keys()];
    const wanted = ['/', '/proc', '/dev', '/dev/pts', '/dev/shm', '/dev/mqueue', '/sys'];
    assert.equal(
      order.filter((target) => wanted.includes(target)),
      wanted,
    );
    // On v2 it is a bind mount, cloned before all others, and Linux 6.8 sorts mountinfo by that.
    assert.ok(order.includes('/sys/fs/cgroup'));
    assert.equal(found.get('/dev/shm')!.flags, ['nodev', 'noexec', 'nosuid', 'relatime', 'rw']);
    assert.equal((found.get('/dev/shm')!.options as string[]).includes('size=65536k'), true);
    assert.equal(found.get('/sys')!.flags, ['nodev', 'noexec', 'nosuid', 'relatime', 'ro']);
    assert.equal(found.get('/dev')!.flags, ['nosuid', 'rw']);
    assert.ok((found.get('/')!.flags as string[]).includes('ro'));
    assert.is(found.get('/')!.root, bed.rootfs.startsWith('/tmp/') ? found.get('/')!.root : bed.rootfs);
  }),
);

test(
  'a tmpfs has the options of the mount and of the file system',
  onBed((bed) => {
    bed.config.mounts.push({
      destination: '/tmp',
      type: 'tmpfs',
      source: 'scratch',
      options: ['nosuid', 'nodev', 'noexec', 'noatime', 'size=128k', 'mode=0701', 'uid=1000', 'gid=5'],
    });
    const mount = mounts(bed).get('/tmp')!;
    assert.equal(mount.flags, ['noatime', 'nodev', 'noexec', 'nosuid', 'rw']);
    assert.is(mount.source, 'scratch');
    assert.equal(
      (mount.options as string[]).filter((o) => !/^(inode64|nr_inodes|huge|noswap)/.test(o)),
      ['gid=5', 'mode=701', 'rw', 'size=128k', 'uid=1000'],
    );
  }),
);

test(
  'a directory and a file are bind-mounted, read-only and writable',
  onBed((bed) => {
    const dir = join(bed.dir, 'data');
    mkdirSync(dir);
    writeFileSync(join(dir, 'f'), 'hello\n');
    bed.config.root.readonly = false;
    bed.config.mounts.push(
      { destination: '/data/rw', type: 'none', source: dir, options: ['rbind', 'rw'] },
      { destination: '/data/ro', source: dir, options: ['bind', 'ro'] },
      { destination: '/data/file', source: join(dir, 'f'), options: ['bind', 'ro'] },
    );
    const said = bed.out(
      'cat /data/file; echo new >/data/rw/g; cat /data/ro/g; ( : >/data/ro/h ) 2>/dev/null || echo refused; ( : >/data/file ) 2>/dev/null || echo refused',
    );
    assert.is(said, 'hello\nnew\nrefused\nrefused\n');
    assert.is(readFileSync(join(dir, 'g'), 'utf8'), 'new\n');
    assert.ok(statSync(join(bed.rootfs, 'data', 'file')).isFile());
    assert.is(statSync(join(bed.rootfs, 'data', 'rw')).mode & 0o777, 0o755);
  }),
);

test(
  'a relative source is relative to the bundle',
  onBed((bed) => {
    mkdirSync(join(bed.bundle, 'beside'));
    writeFileSync(join(bed.bundle, 'beside', 'f'), 'beside\n');
    bed.config.mounts.push({ destination: '/mnt', source: 'beside', options: ['bind'] });
    bed.config.root.readonly = false;
    assert.is(bed.out('cat /mnt/f'), 'beside\n');
  }),
);

test(
  'propagation options set the propagation of a mount',
  onBed((bed) => {
    bed.config.root.readonly = false;
    for (const kind of ['shared', 'slave', 'private', 'unbindable']) {
      bed.config.mounts.push({ destination: `/p/${kind}`, type: 'tmpfs', source: 'p', options: [kind] });
    }
    const found = mounts(bed);
    assert.equal(found.get('/p/shared')!.propagation, ['shared']);
    assert.equal(found.get('/p/private')!.propagation, []);
    assert.equal(found.get('/p/slave')!.propagation, []);
    assert.equal(found.get('/p/unbindable')!.propagation, ['unbindable']);
  }),
);

test(
  'a destination with symlinks and ".." stays inside the root',
  onBed((bed) => {
    symlinkSync('/../../../../tmp', join(bed.rootfs, 'link'));
    symlinkSync('/etc', join(bed.rootfs, 'var', 'absolute'));
    bed.config.root.readonly = false;
    bed.config.mounts.push(
      { destination: '/link/a', type: 'tmpfs', source: 'a', options: [] },
      { destination: '/var/absolute/made', type: 'tmpfs', source: 'b', options: [] },
    );
    const found = mounts(bed);
    assert.ok(found.has('/tmp/a'));
    assert.ok(found.has('/etc/made'));
    assert.ok(existsSync(join(bed.rootfs, 'etc', 'made')));
    assert.not.ok(existsSync('/tmp/a'));
  }),
);

test(
  'rootfsPropagation sets the propagation of /',
  onBed((bed) => {
    bed.config.linux.rootfsPropagation = 'shared';
    // Where the host's tree is shared, it may also be a slave of that.
    assert.ok((mounts(bed).get('/')!.propagation as string[]).includes('shared'));
  }),
);

test(
  'a writable root works with --no-pivot',
  onBed((bed) => {
    bed.config.root.readonly = false;
    const r = bed.sh('echo kept >/kept; ls / | head -1; cat /proc/self/mountinfo | wc -l', ['--no-pivot']);
    assert.is(r.code, 0, r.stderr);
    assert.is(readFileSync(join(bed.rootfs, 'kept'), 'utf8'), 'kept\n');
    assert.is(r.stdout.split('\n')[0], 'bin');
  }),
);

test(
  'the container has no other mounts of the host',
  onBed((bed) => {
    const known = /^\/($|proc|dev|sys)/;
    assert.equal(
      [...mounts(bed).keys()].filter((target) => !known.test(target)),
      [],
    );
  }),
);

test.run();
