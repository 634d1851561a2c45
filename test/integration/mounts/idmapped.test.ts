/** Id-mapped mounts: the owners of files, as the container and as the host see them. */
import { chownSync, mkdirSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import type { IdMapping } from '../../../src/spec/config-types.js';
import { type Bed, needing, onBed } from '../bed/bed.js';
import { withUserNamespace } from '../bed/config.js';
import { runtPath } from '../bed/place.js';

const test = needing('idmapped', 'root', 'linux-5.12');
const below = needing('idmapped with mounts below', 'root', 'linux-6.3', 'mount', 'unshare');
const onTmpfs = needing('idmapped tmpfs', 'root', 'linux-6.3');

const map = (containerID: number, hostID: number, size = 1): IdMapping[] => [{ containerID, hostID, size }];

/** Makes a directory of the host with a file of root and one of 1000:1000, and its mount point in the rootfs. */
function data(bed: Bed): string {
  const path = join(bed.dir, 'data');
  mkdirSync(path);
  chownSync(path, 1000, 1000);
  writeFileSync(join(path, 'root'), '');
  writeFileSync(join(path, 'user'), '');
  chownSync(join(path, 'user'), 1000, 1000);
  mkdirSync(join(bed.rootfs, 'data'));
  return path;
}

const owners = 'stat -c "%n %u:%g" /data/*';

test(
  'without a user namespace, uidMappings and gidMappings map the owners of old and new files',
  onBed((bed) => {
    const source = data(bed);
    const mount = {
      destination: '/data',
      source,
      options: ['rbind'],
      uidMappings: map(1000, 7),
      gidMappings: map(1000, 8),
    };
    bed.config.mounts.push(mount);
    bed.config.process.user = { uid: 7, gid: 8 };
    assert.is(bed.out(`touch /data/new; ${owners}`), '/data/new 7:8\n/data/root 65534:65534\n/data/user 7:8\n');
    const { uid, gid } = statSync(join(source, 'new'));
    assert.equal([uid, gid], [1000, 1000]);
  }),
);

below(
  'the ids of a source that earlier mounts cover are mapped too, of one mount or of all below',
  onBed((bed) => {
    const source = data(bed);
    for (const name of ['deep', 'one', 'all']) mkdirSync(join(bed.rootfs, name));
    mkdirSync(join(source, 'deep'));
    const mapped = { uidMappings: map(1000, 7), gidMappings: map(1000, 8) };
    bed.config.mounts.push(
      { destination: '/data', source, options: ['bind'] },
      { destination: '/data/deep', source, options: ['bind'] },
      { destination: '/one', source: 'rootfs/data', options: ['rbind', 'idmap'], ...mapped },
      { destination: '/all', source: 'rootfs/data', options: ['rbind', 'ridmap'], ...mapped },
    );
    assert.is(
      bed.out('stat -c "%n %u:%g" /one/user /one/deep/user /all/user /all/deep/user'),
      '/one/user 7:8\n/one/deep/user 1000:1000\n/all/user 7:8\n/all/deep/user 7:8\n',
    );
  }),
);

for (const options of [
  ['bind', 'idmap'],
  ['rbind', 'ridmap'],
]) {
  test(
    `with a user namespace, ${options.join(',')} uses the mappings of the namespace`,
    onBed((bed) => {
      withUserNamespace(bed.config);
      const source = data(bed);
      bed.config.mounts.push({ destination: '/data', source, options });
      bed.config.process.user = { uid: 1000, gid: 1000 };
      assert.is(bed.out(`touch /data/new; ${owners}`), '/data/new 1000:1000\n/data/root 0:0\n/data/user 1000:1000\n');
      assert.is(statSync(join(source, 'new')).uid, 1000);
    }),
  );
}

test(
  'with a user namespace, a mount may have mappings of its own, and the same source may be unmapped',
  onBed((bed) => {
    withUserNamespace(bed.config);
    const source = data(bed);
    mkdirSync(join(bed.rootfs, 'plain'));
    bed.config.mounts.push(
      {
        destination: '/data',
        source,
        options: ['bind'],
        uidMappings: map(1000, 100005),
        gidMappings: map(1000, 100006),
      },
      { destination: '/plain', source, options: ['bind'] },
    );
    assert.is(
      bed.out(`${owners}; stat -c "%n %u:%g" /plain/user`),
      '/data/root 65534:65534\n/data/user 5:6\n/plain/user 65534:65534\n',
    );
  }),
);

test(
  "the mappings of crun's idmap option may be absolute or relative to the container",
  onBed((bed) => {
    const source = data(bed);
    bed.config.mounts.push({
      destination: '/data',
      source,
      options: ['bind', 'idmap=uids=0-5-1#1000-6-1;gids=0-7-1#1000-8-1'],
    });
    assert.is(bed.out(owners), '/data/root 5:7\n/data/user 6:8\n');
    withUserNamespace(bed.config);
    bed.config.mounts.pop();
    bed.config.mounts.push({ destination: '/data', source, options: ['bind', 'idmap=uids=@1000-3-1;gids=@1000-4-1'] });
    assert.is(bed.out(owners), '/data/root 65534:65534\n/data/user 3:4\n');
  }),
);

below(
  'ridmap maps the mounts below too, and idmap does not',
  onBed((bed) => {
    const source = data(bed);
    mkdirSync(join(source, 'below'));
    bed.config.mounts.push({ destination: '/data', source, options: [] });
    for (const [option, below] of [
      ['idmap', '0:0'],
      ['ridmap', '9:9'],
    ] as const) {
      const maps = { uidMappings: [...map(0, 9), ...map(1000, 5)], gidMappings: [...map(0, 9), ...map(1000, 5)] };
      bed.config.mounts.pop();
      bed.config.mounts.push({ destination: '/data', source, options: ['rbind', option], ...maps });
      bed.config.process.args = ['/bin/sh', '-c', 'stat -c %u:%g /data/below /data/user'];
      bed.write();
      const r = inMountNamespace(bed, `mount -t tmpfs below ${source}/below`);
      assert.is(r.stdout, `${below}\n5:5\n`, r.stderr);
    }
  }),
);

onTmpfs(
  'a tmpfs is id-mapped with its other options',
  onBed((bed) => {
    const maps = { uidMappings: map(0, 33, 10), gidMappings: map(0, 44, 10) };
    bed.config.mounts.push({ destination: '/tmp', type: 'tmpfs', source: 't', options: ['nosuid', 'uid=1'], ...maps });
    bed.config.process.user = { uid: 34, gid: 44 };
    assert.is(bed.out('stat -c %u:%g /tmp; touch /tmp/x && stat -c %u:%g /tmp/x'), '34:44\n34:44\n');
  }),
);

test(
  "a source below a directory that the container's root cannot search is id-mapped read-only",
  onBed((bed) => {
    withUserNamespace(bed.config);
    const closed = join(bed.dir, 'closed');
    mkdirSync(closed, { mode: 0o700 });
    mkdirSync(join(closed, 'data'));
    writeFileSync(join(closed, 'data', 'f'), '');
    symlinkSync('data', join(closed, 'link'));
    mkdirSync(join(bed.rootfs, 'data'));
    bed.config.mounts.push({ destination: '/data', source: join(closed, 'link'), options: ['bind', 'ro', 'idmap'] });
    assert.is(bed.out(`${owners}; touch /data/x 2>/dev/null || echo refused`), '/data/f 0:0\nrefused\n');
  }),
);

test(
  'the error names a file system without id maps, and mappings that the kernel refuses',
  onBed((bed) => {
    mkdirSync(join(bed.rootfs, 'data'));
    const mounts = [...bed.config.mounts];
    const maps = { uidMappings: map(0, 5), gidMappings: map(0, 5) };
    bed.config.mounts = [...mounts, { destination: '/data', source: '/proc/sys', options: ['bind'], ...maps }];
    let r = bed.run();
    assert.is(r.code, 1);
    assert.match(r.stderr, /map the ids of the mount of \/proc\/sys.*EINVAL/);
    assert.match(
      r.stderr,
      /fix bind it without mappings: this kernel cannot id-map proc, the file system of \/proc\/sys/,
    );
    assert.match(r.stderr, '/mounts/7 in config.json');
    bed.config.mounts = [...mounts, { destination: '/data', type: 'mqueue', source: 'm', ...maps }];
    r = bed.run();
    assert.is(r.code, 1);
    assert.match(r.stderr, /fix bind it without mappings: this kernel cannot id-map mqueue/);
    bed.config.mounts = [
      ...mounts,
      { destination: '/data', source: join(bed.dir, 'gone'), options: ['bind'], ...maps },
    ];
    assert.match(bed.run().stderr, /make [^\n]*gone on the host/);
    bed.config.mounts = [...mounts, { destination: '/data', source: bed.dir, options: ['bind', 'idmap'] }];
    assert.match(bed.run().stderr, /come with uidMappings and gidMappings/);
    withUserNamespace(bed.config);
    bed.config.mounts = [...mounts, { destination: '/data', type: 'tmpfs', ...maps }];
    assert.match(bed.run().stderr, /id-mapped tmpfs in a user namespace/);
  }),
);

/** Runs the bundle in a mount namespace of the test's own, after a shell script. */
function inMountNamespace(bed: Bed, script: string) {
  const program = join(bed.dir, 'in-namespace');
  writeFileSync(
    program,
    `#!/bin/sh\nexec unshare -m --propagation private sh -c '${script} && exec "$@"' sh '${runtPath}' "$@"\n`,
    { mode: 0o755 },
  );
  return bed.runt(['run', '--bundle', bed.bundle, bed.id], { program });
}

test.run();
below.run();
onTmpfs.run();
