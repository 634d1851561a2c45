/**
 * Containers in a user namespace that does not map the caller's own id (podman's `--userns=auto` and `nomap`): files
 * that only the caller can reach are opened with the caller's rights.
 */
import { execFileSync } from 'node:child_process';
import { chmodSync, chownSync, mkdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { type Bed, needing, onBed, type Result } from '../bed/bed.js';
import { asUser, me, runAsRootOfANamespace } from '../bed/callers.js';

const test = needing('unmapped caller', 'root', 'newuidmap', 'setpriv', 'mount', 'unshare');

/** A caller of runt, none of whose ids is mapped in the container. */
interface Caller {
  readonly name: string;
  /** The caller's id on the host. */
  readonly uid: number;
  /** The id of the container's root on the host. */
  readonly root: number;
  /** Gives the bed to the caller, and returns a function that runs the container. */
  readonly takes: (bed: Bed) => () => Promise<Result>;
}

const map = (bed: Bed, hostID: number): void => {
  bed.config.linux.uidMappings = [{ containerID: 0, hostID, size: 1000 }];
  bed.config.linux.gidMappings = [{ containerID: 0, hostID, size: 1000 }];
};

const rootOfANamespace = (mounts: 'own' | 'outer') => (bed: Bed) => {
  bed.config.linux.resources = {};
  bed.config.linux.namespaces.push({ type: 'user' });
  map(bed, 1);
  return () => runAsRootOfANamespace(bed, mounts);
};

const callers: readonly Caller[] = [
  { name: 'root of a user namespace', uid: 100000, root: 100001, takes: rootOfANamespace('own') },
  {
    name: 'root of a user namespace with the mounts of the host',
    uid: 100000,
    root: 100001,
    takes: rootOfANamespace('outer'),
  },
  {
    name: 'an ordinary user',
    uid: me,
    root: 100000,
    takes: (bed) => {
      const call = asUser(bed);
      map(bed, 100000);
      return async () => {
        bed.write();
        return call('run', '--bundle', bed.bundle, bed.id);
      };
    },
  },
];

/** A directory that only its owner can search, with a directory `data`, a file `hosts` and a hook in it. */
function closed(bed: Bed, uid: number): string {
  const dir = join(bed.dir, 'closed');
  mkdirSync(join(dir, 'data'), { recursive: true });
  writeFileSync(join(dir, 'data', 'f'), 'inner\n');
  writeFileSync(join(dir, 'hosts'), '127.0.0.1 localhost\n');
  execFileSync('chown', ['-R', `${uid}:${uid}`, dir]);
  chmodSync(dir, 0o700);
  return dir;
}

/** Runs a shell script in the container, requires exit status 0, and returns its stdout. */
async function out(bed: Bed, run: () => Promise<Result>, script: string): Promise<string> {
  bed.config.process.args = ['/bin/sh', '-c', script];
  const r = await run();
  if (r.code !== 0) throw new Error(`exit ${r.code}: ${r.stderr}\n${r.stdout}`);
  return r.stdout;
}

for (const { name, uid, root, takes } of callers) {
  test(
    `${name}: sources of bind mounts below a directory of mode 0700 work`,
    onBed(async (bed) => {
      const run = takes(bed);
      const dir = closed(bed, uid);
      bed.config.mounts.push(
        { destination: '/tmp', source: join(dir, 'data'), options: ['bind', 'ro'] },
        { destination: '/etc', type: 'tmpfs', source: 'tmpfs' },
        { destination: '/etc/hosts', source: join(dir, 'hosts'), options: ['rbind', 'rprivate'] },
        { destination: '/host', source: '/', options: ['rbind'] },
      );
      mkdirSync(join(bed.rootfs, 'host'));
      assert.is(
        await out(bed, run, 'cat /tmp/f /etc/hosts; ls -d /host/usr/lib; id -u; stat -c %u /tmp'),
        'inner\n127.0.0.1 localhost\n/host/usr/lib\n0\n65534\n',
      );
    }),
  );

  test(
    `${name}: a root file system below a directory of mode 0700 works with any propagation`,
    onBed(async (bed) => {
      const run = takes(bed);
      const dir = closed(bed, uid);
      renameSync(bed.rootfs, join(dir, 'rootfs'));
      bed.config.root.path = join(dir, 'rootfs');
      bed.config.root.readonly = false;
      bed.config.mounts.push({ destination: '/tmp', source: join(dir, 'data'), options: ['bind'] });
      execFileSync('chown', [`${root}:${root}`, join(dir, 'rootfs'), join(dir, 'rootfs', 'tmp')]);
      assert.is(await out(bed, run, 'cat /tmp/f; echo x > /made; id -u'), 'inner\n0\n');
      assert.is(statSync(join(dir, 'rootfs', 'made')).uid, root);
      for (const rootfsPropagation of ['rshared', 'private', 'unbindable'] as const) {
        bed.config.linux.rootfsPropagation = rootfsPropagation;
        assert.is(await out(bed, run, 'cat /tmp/f'), 'inner\n', rootfsPropagation);
      }
    }),
  );

  test(
    `${name}: hooks and overlays, which the container's root reaches by path, are refused with the cause`,
    onBed(async (bed) => {
      const run = takes(bed);
      const dir = closed(bed, uid);
      chmodSync(join(dir, 'hosts'), 0o755);
      bed.config.hooks = { createContainer: [{ path: join(dir, 'hosts') }] };
      let r = await run();
      assert.is(r.code, 1);
      assert.match(r.stderr, /error running createContainer hook #0.*EACCES[\s\S]*let root of the container execute/);
      delete bed.config.hooks;
      for (const layer of ['upper', 'work']) mkdirSync(join(dir, layer));
      const options = [`lowerdir=${dir}/data`, `upperdir=${dir}/upper`, `workdir=${dir}/work`, 'userxattr'];
      bed.config.mounts.push({ destination: '/tmp', type: 'overlay', source: 'overlay', options });
      r = await run();
      assert.is(r.code, 1);
      assert.match(r.stderr, /overlay on \/tmp .*EACCES[\s\S]*search permission .* on the parents of .*lowerdir=/);
    }),
  );
}

test(
  'an ordinary user can use a source that is reachable by a supplementary group only',
  onBed((bed) => {
    const call = asUser(bed);
    const program = join(bed.dir, 'as-user');
    writeFileSync(program, readFileSync(program, 'utf8').replace('--clear-groups', '--groups 4242'));
    const dir = join(bed.dir, 'group');
    mkdirSync(join(dir, 'data'), { recursive: true });
    writeFileSync(join(dir, 'data', 'f'), 'inner\n');
    chownSync(dir, 0, 4242);
    chmodSync(dir, 0o750);
    bed.config.mounts.push({ destination: '/tmp', source: join(dir, 'data'), options: ['bind', 'ro'] });
    for (const hostID of [me, 100000]) {
      bed.config.linux.uidMappings = [{ containerID: 0, hostID, size: 1 }];
      bed.config.linux.gidMappings = [{ containerID: 0, hostID: 100000, size: 1000 }];
      bed.config.process.args = ['/bin/sh', '-c', 'cat /tmp/f; id -G'];
      bed.write();
      const r = call('run', '--bundle', bed.bundle, bed.id);
      assert.equal([r.code, r.stdout], [0, 'inner\n0\n'], r.stderr);
    }
  }),
);

test(
  "an ordinary user can use a closed source in a joined user namespace without the user's id",
  onBed(async (bed) => {
    const call = asUser(bed);
    map(bed, 100000);
    bed.config.process.args = ['/bin/sleep', '1000'];
    bed.write();
    const [first, second] = [`${bed.id}-first`, bed.id];
    for (const args of [
      ['create', '--bundle', bed.bundle, first],
      ['start', first],
    ])
      assert.is(call(...args).code, 0);
    const { pid } = JSON.parse(call('state', first).stdout) as { pid: number };
    const dir = closed(bed, me);
    renameSync(bed.rootfs, join(dir, 'rootfs'));
    bed.config.root.path = join(dir, 'rootfs');
    bed.config.mounts.push({ destination: '/tmp', source: join(dir, 'data'), options: ['bind', 'ro'] });
    bed.config.process.args = ['/bin/sh', '-c', 'cat /tmp/f; id -u; readlink /proc/self/ns/user'];
    for (const joined of [['user'], ['user', 'ipc', 'pid'], ['ipc', 'uts']]) {
      bed.config.linux.namespaces = ['user', 'mount', 'pid', 'ipc', 'uts'].map((type) => ({
        type: type as 'user',
        ...(joined.includes(type) && { path: `/proc/${pid}/ns/${type === 'mount' ? 'mnt' : type}` }),
      }));
      delete bed.config.hostname;
      bed.write();
      const r = call('run', '--bundle', bed.bundle, second);
      if (joined.includes('user')) {
        assert.is(r.code, 0, r.stderr);
        const link = execFileSync('readlink', [`/proc/${pid}/ns/user`], { encoding: 'utf8' });
        assert.is(r.stdout, `inner\n0\n${link}`);
      } else assert.match(r.stderr, /EPERM/, 'namespaces of another user namespace');
    }
    assert.is(call('delete', '--force', first).code, 0);
  }),
);

test.run();
