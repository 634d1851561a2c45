/** Devices: the default nodes and links, those of the config, and what the device rules allow. */
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  constants,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { type Bed, needing, onBed } from '../bed/bed.js';
import { withUserNamespace } from '../bed/config.js';
import { runtPath } from '../bed/place.js';

const test = needing('devices', 'root');
const ruled = needing('devices and device rules', 'root', 'devices');
const bounded = needing('devices without CAP_MKNOD', 'root', 'setpriv');
const compared = needing('devices beside runc', 'root', 'runc');

test(
  'the default nodes have their numbers and modes',
  onBed((bed) => {
    const said = bed.out('for d in null zero full random urandom tty; do stat -c "%n %F %t:%T %a %u:%g" /dev/$d; done');
    assert.is(
      said,
      [
        '/dev/null character special file 1:3 666 0:0',
        '/dev/zero character special file 1:5 666 0:0',
        '/dev/full character special file 1:7 666 0:0',
        '/dev/random character special file 1:8 666 0:0',
        '/dev/urandom character special file 1:9 666 0:0',
        '/dev/tty character special file 5:0 666 0:0',
        '',
      ].join('\n'),
    );
  }),
);

test(
  'the default links have their targets',
  onBed((bed) => {
    assert.is(
      bed.out('cd /dev; for l in fd stdin stdout stderr ptmx; do echo $l $(readlink $l); done'),
      'fd /proc/self/fd\nstdin /proc/self/fd/0\nstdout /proc/self/fd/1\nstderr /proc/self/fd/2\nptmx pts/ptmx\n',
    );
  }),
);

test(
  'the default devices can be read and written, and /dev/full is full',
  onBed((bed) => {
    assert.is(
      bed.out(
        'head -c 3 /dev/zero | wc -c; head -c 3 /dev/urandom | wc -c; echo x >/dev/null; ( echo x >/dev/full ) 2>/dev/null || echo full',
      ),
      '3\n3\nfull\n',
    );
  }),
);

test(
  'a device of the config has its node, mode and owner, and missing parent directories are made',
  onBed((bed) => {
    bed.config.linux.devices = [
      { path: '/dev/sub/null', type: 'c', major: 1, minor: 3, fileMode: 0o604, uid: 7, gid: 8 },
      { path: '/dev/pipe', type: 'p', fileMode: 0o600 },
    ];
    assert.is(
      bed.out('stat -c "%n %F %t:%T %a %u:%g" /dev/sub/null; stat -c "%n %F %a" /dev/pipe'),
      '/dev/sub/null character special file 1:3 604 7:8\n/dev/pipe fifo 600\n',
    );
  }),
);

ruled(
  'a device that no rule allows cannot be opened',
  onBed((bed) => {
    // Opening /dev/fuse needs no capability.
    bed.config.linux.devices = [{ path: '/dev/fuse', type: 'c', major: 10, minor: 229, fileMode: 0o666 }];
    const r = bed.sh('exec 3</dev/fuse');
    assert.match(r.stderr, /not permitted/);
    assert.is.not(r.code, 0);
  }),
);

ruled(
  'a device that a rule allows can be opened with the allowed access only',
  onBed((bed) => {
    bed.config.linux.devices = [{ path: '/dev/fuse', type: 'c', major: 10, minor: 229, fileMode: 0o666 }];
    bed.config.linux.resources.devices!.push({ allow: true, type: 'c', major: 10, minor: 229, access: 'r' });
    const r = bed.sh('exec 3</dev/fuse && echo opened; ( exec 4>/dev/fuse ) 2>/dev/null || echo not for writing');
    assert.is(r.stdout, 'opened\nnot for writing\n');
  }),
);

test(
  'the container may make device nodes, but not open them',
  onBed((bed) => {
    bed.config.process.capabilities!.bounding!.push('CAP_MKNOD');
    bed.config.process.capabilities!.permitted!.push('CAP_MKNOD');
    bed.config.process.capabilities!.effective!.push('CAP_MKNOD');
    const r = bed.sh('mknod /dev/shm/m c 10 229 && echo made; cat /dev/shm/m >/dev/null || true');
    assert.is(r.stdout, 'made\n');
    assert.match(r.stderr, /Permission denied|not permitted/);
  }),
);

/** All types, with modes and owners; each line of `look` prints one of them. */
const all: NonNullable<Bed['config']['linux']['devices']> = [
  { path: '/dev/c', type: 'c', major: 1, minor: 5, fileMode: 0o640, uid: 3, gid: 4 },
  { path: '/dev/u', type: 'u', major: 1, minor: 7, fileMode: 0o4755 },
  { path: '/dev/b', type: 'b', major: 7, minor: 200, fileMode: 0o060, gid: 6 },
  { path: '/dev/p', type: 'p', fileMode: 0o222, uid: 9 },
  { path: '/dev/default', type: 'c', major: 1, minor: 3 },
  // Some engines put type bits into the mode.
  { path: '/dev/typed', type: 'c', major: 1, minor: 3, fileMode: 0o20600 },
];
const look = 'cd /dev; for d in c u b p default typed; do stat -c "%n %F %t:%T %a %u:%g" $d; done';
const seen = [
  'c character special file 1:5 640 3:4',
  'u character special file 1:7 4755 0:0',
  'b block special file 7:c8 60 0:6',
  'p fifo 0:0 222 9:0',
  'default character special file 1:3 666 0:0',
  'typed character special file 1:3 600 0:0',
  '',
].join('\n');

test(
  "every type of device gets its mode and owner, regardless of the caller's umask",
  onBed((bed) => {
    bed.config.linux.devices = all;
    assert.is(bed.out(look), seen);
    bed.config.process.args = ['/bin/sh', '-c', look];
    bed.write();
    const words = [runtPath, '--root', bed.root, 'run', '--bundle', bed.bundle, bed.id];
    assert.is(execFileSync('sh', ['-c', 'umask 0777; exec "$0" "$@"', ...words], { encoding: 'utf8' }), seen);
  }),
);

compared(
  'every type of device is the same as under runc',
  onBed((bed) => {
    bed.config.linux.devices = all.filter(({ path }) => path !== '/dev/u' && path !== '/dev/typed');
    const script = look.replace(' u ', ' ').replace(' typed', '');
    const theirs = bed.sh(script, [], { program: 'runc' });
    assert.is(theirs.code, 0, theirs.stderr);
    assert.is(bed.out(script), theirs.stdout);
  }),
);

test(
  'device paths may be outside /dev, pass through links or "..", or replace a default device',
  onBed((bed) => {
    mkdirSync(join(bed.rootfs, 'opt/real'), { recursive: true });
    symlinkSync('/opt/real', join(bed.rootfs, 'opt/link'));
    symlinkSync('../../../../..', join(bed.rootfs, 'opt/up'));
    const device = (path: string) => ({ path, type: 'c' as const, major: 1, minor: 5, fileMode: 0o600 });
    bed.config.linux.devices = [
      device('/opt/new/dir/zero'),
      device('/opt/link/zero'),
      device('/opt/up/outside-zero'),
      device('/dev/../dev//dots/./zero'),
      device('/dev/full/'),
    ];
    const paths = '/opt/new/dir/zero /opt/real/zero /outside-zero /dev/dots/zero /dev/full';
    const said = bed.out(`for d in ${paths}; do stat -c "%t:%T %a" $d; done`);
    assert.is(said, '1:5 600\n'.repeat(5));
    assert.not(existsSync('/outside-zero'));
    assert.not(existsSync(join(bed.dir, 'outside-zero')));
  }),
);

for (const userNamespace of [false, true]) {
  test(
    `with all devices of the host${userNamespace ? ' in a user namespace' : ''}, /dev/ptmx is the container's own`,
    onBed((bed) => {
      if (userNamespace) withUserNamespace(bed.config);
      const devices = hostDevices();
      assert.ok(devices.some(({ path }) => path === '/dev/ptmx'));
      bed.config.linux.devices = devices;
      assert.is(bed.out('readlink /dev/ptmx; test -c /dev/null && echo null'), 'pts/ptmx\nnull\n');
    }),
  );
}

test(
  'another device at /dev/ptmx is left out, with a warning',
  onBed((bed) => {
    bed.config.linux.devices = [{ path: '/dev//ptmx/', type: 'c', major: 1, minor: 5 }];
    const r = bed.sh('readlink /dev/ptmx');
    assert.equal([r.code, r.stdout], [0, 'pts/ptmx\n']);
    assert.match(r.stderr, /^runt: warning: \/linux\/devices\/0 should not be at \/dev\/ptmx/);
  }),
);

/** What engines list for a privileged container: the device nodes of /dev, without those of terminals (containerd). */
function hostDevices(): NonNullable<Bed['config']['linux']['devices']> {
  return readdirSync('/dev').flatMap((name) => {
    const { mode, rdev } = lstatSync(`/dev/${name}`);
    const type = { [constants.S_IFCHR]: 'c', [constants.S_IFBLK]: 'b' }[mode & constants.S_IFMT] as
      | 'c'
      | 'b'
      | undefined;
    if (!type || /^(console|tty.*)$/.test(name)) return [];
    const [major, minor] = [(rdev >> 8) & 0xfff, (rdev & 0xff) | ((rdev >> 12) & 0xfff00)];
    return [{ path: `/dev/${name}`, type, major, minor, fileMode: mode & 0o777, uid: 0, gid: 0 }];
  });
}

test(
  "in a user namespace, nodes are bind mounts of the host's, and a FIFO has its mode and owner inside",
  onBed((bed) => {
    withUserNamespace(bed.config);
    bed.config.linux.devices = [
      { path: '/dev/fuse', type: 'c', major: 10, minor: 229 },
      { path: '/dev/p', type: 'p', fileMode: 0o620, uid: 5, gid: 6 },
    ];
    if (!existsSync('/dev/fuse')) bed.config.linux.devices.shift();
    const said = bed.out('stat -c "%n %F %a %u:%g" /dev/p; stat -c "%t:%T" /dev/null; stat -c %t:%T /dev/fuse || true');
    assert.match(said, /^\/dev\/p fifo 620 5:6\n1:3\n/);
    if (existsSync('/dev/fuse')) assert.match(said, /\na:e5\n$/);
  }),
);

test(
  'in a user namespace, the bound nodes have nosuid and noexec',
  onBed((bed) => {
    withUserNamespace(bed.config);
    const flags = bed.out(
      `sed -n 's,^[^/]*/[^ ]* \\(/dev/[a-z]*\\) \\([^ ]*\\) .* devtmpfs .*,\\1 \\2,p' /proc/self/mountinfo`,
    );
    const found = new Map(
      flags
        .trim()
        .split('\n')
        .map((line) => line.split(' ') as [string, string]),
    );
    for (const name of ['null', 'zero', 'full', 'random', 'urandom', 'tty'])
      assert.match(found.get(`/dev/${name}`) ?? '', /nosuid,(nodev,)?noexec/, flags);
  }),
);

test(
  'in a user namespace, a device that the host lacks, or a different one at its path, is refused by name',
  onBed((bed) => {
    withUserNamespace(bed.config);
    bed.config.linux.devices = [{ path: '/dev/not-there', type: 'b', major: 4000, minor: 7 }];
    const missing = bed.run();
    assert.is(missing.code, 1);
    assert.match(
      missing.stderr,
      /device \/dev\/not-there.*ENOENT[\s\S]*\/linux\/devices\/0[\s\S]*\/dev\/block\/4000:7/,
    );
    bed.config.linux.devices = [{ path: '/dev/zero', type: 'c', major: 4000, minor: 7 }];
    assert.match(bed.run().stderr, /device \/dev\/zero.*ENODEV[\s\S]*make the device c 4000:7/);
  }),
);

bounded(
  "without CAP_MKNOD, nodes are bind mounts of the host's, and a FIFO is made",
  onBed((bed) => {
    const program = join(bed.dir, 'bounded');
    writeFileSync(program, `#!/bin/sh\nexec setpriv --bounding-set=-mknod --inh-caps=-mknod ${runtPath} "$@"\n`);
    chmodSync(program, 0o755);
    const host = join(bed.dir, 'host-null');
    execFileSync('mknod', ['-m', '604', host, 'c', '1', '3']);
    chownSync(host, 7, 8);
    bed.config.linux.devices = [
      { path: host, type: 'c', major: 1, minor: 3, fileMode: 0o600 },
      { path: '/dev/p', type: 'p', fileMode: 0o604 },
    ];
    const script = `stat -c "%F %t:%T %a %u:%g" ${host} /dev/p /dev/zero; echo x >/dev/null && echo written`;
    const r = bed.sh(script, [], { program });
    const nodes = 'character special file 1:3 604 7:8\nfifo 0:0 604 0:0\ncharacter special file 1:5 666 0:0\n';
    assert.is(r.stdout, `${nodes}written\n`, r.stderr);
  }),
);

test.run();
ruled.run();
bounded.run();
compared.run();
