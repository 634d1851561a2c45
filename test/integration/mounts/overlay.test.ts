/** Overlays, and file systems mounted on `/`: they become the container's root, and the host does not change. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { release } from 'node:os';
import { join, relative } from 'node:path';
import * as assert from 'uvu/assert';
import { type Bed, needing, onBed } from '../bed/bed.js';
import { runtPath } from '../bed/place.js';
import { parseMount } from '../bed/probe.js';

const test = needing('overlay', 'root');
const stacked = needing('overlay on an overlay', 'root', 'mount', 'unshare');
const owned = needing('overlay in a user namespace', 'root', 'linux-5.11');

/** An overlay on `/` over the bed's rootfs, with its writes in `name` in the bundle. */
function overlay(bed: Bed, name = 'writes', ...more: string[]) {
  for (const directory of ['upper', 'work']) mkdirSync(join(bed.bundle, name, directory), { recursive: true });
  const options = ['lowerdir=rootfs', `upperdir=${name}/upper`, `workdir=${name}/work`, ...more];
  return { destination: '/', type: 'overlay', source: 'overlay', options };
}

const hostMounts = () => readFileSync('/proc/self/mountinfo', 'utf8');
const first = (text: string) => parseMount(text.split('\n')[0]!);

for (const flags of [[], ['--no-pivot']]) {
  test(
    `an overlay on / is the root, and the image and the host's mounts do not change (${flags[0] ?? 'pivot'})`,
    onBed((bed) => {
      bed.config.mounts.unshift(overlay(bed));
      bed.config.root.readonly = false;
      const mounts = hostMounts();
      const r = bed.sh('mkdir /made; echo x >/bin/new; rm /true; cat /proc/self/mountinfo', flags);
      assert.is(r.code, 0, r.stderr);
      const roots = r.stdout.split('\n').filter((line) => line.split(' ')[4] === '/');
      assert.is(parseMount(roots.at(-1)!).facts.type, 'overlay');
      if (flags.length === 0) assert.is(roots.length, 1, 'nothing of the covered root is left');
      assert.equal(readdirSync(join(bed.bundle, 'writes', 'upper')).sort(), ['bin', 'made', 'true']);
      assert.not.ok(existsSync(join(bed.rootfs, 'made')));
      assert.ok(existsSync(join(bed.rootfs, 'true')));
      assert.is(hostMounts(), mounts);
    }),
  );
}

test(
  "the directories of an overlay are the host's, also if their paths pass /",
  onBed((bed) => {
    for (const name of ['lower', 'upper', 'work']) mkdirSync(join(bed.dir, name));
    writeFileSync(join(bed.dir, 'lower', 'file'), 'host\n');
    const up = relative(bed.dir, '/');
    symlinkSync(join(up, bed.dir.slice(1), 'lower'), join(bed.dir, 'link'));
    for (const lower of [join(bed.dir, 'link'), `${bed.dir}/${up}${bed.dir}/lower`]) {
      const options = [`lowerdir=${lower}`, `upperdir=${bed.dir}/${up}${bed.dir}/upper`, `workdir=${bed.dir}/work`];
      bed.config.mounts.push({ destination: '/over', type: 'overlay', source: 'overlay', options });
      assert.is(bed.out('cat /over/file; touch /over/made'), 'host\n');
      assert.ok(existsSync(join(bed.dir, 'upper', 'made')));
      bed.config.mounts.pop();
    }
  }),
);

test(
  "two containers on one image do not see each other's files",
  onBed((bed) => {
    bed.config.root.readonly = false;
    const mounts = [...bed.config.mounts];
    for (const name of ['one', 'two']) {
      bed.config.mounts = [overlay(bed, name), ...mounts];
      assert.is(bed.out(`mkdir /${name}; ls -d /one /two 2>/dev/null; ls /bin/sh`), `/${name}\n/bin/sh\n`);
    }
    assert.not.ok(readdirSync(bed.rootfs).some((name) => name === 'one' || name === 'two'));
  }),
);

test(
  'root.readonly, exec, hooks and rootfsPropagation apply to an overlay on /',
  onBed((bed) => {
    bed.config.mounts.unshift(overlay(bed));
    bed.config.linux.rootfsPropagation = 'shared';
    const seen = join(bed.dir, 'seen');
    bed.config.hooks = {
      createRuntime: [{ path: '/bin/sh', args: ['sh', '-c', `cat >/dev/null; ls '${bed.rootfs}' >'${seen}'`] }],
      createContainer: [{ path: '/bin/sh', args: ['sh', '-c', 'cat >/dev/null; echo hook >./hooked'] }],
    };
    bed.started();
    const inside = (script: string) => bed.runt(['exec', bed.id, '/bin/sh', '-c', script]).stdout;
    assert.is(inside('cat /hooked; mkdir /no 2>/dev/null || echo refused'), 'hook\nrefused\n');
    const { facts } = first(inside('grep " / / " /proc/self/mountinfo'));
    assert.is(facts.type, 'overlay');
    assert.ok((facts.flags as string[]).includes('ro'));
    assert.equal(facts.propagation, ['shared']);
    assert.ok(existsSync(join(bed.bundle, 'writes', 'upper', 'hooked')));
    assert.ok(readFileSync(seen, 'utf8').includes('bin\n'));
    bed.delete('--force');
  }),
);

test(
  'a tmpfs or a bind mount on / becomes the root, also if the destination reaches / by ".." or a symlink',
  onBed((bed) => {
    symlinkSync('..', join(bed.rootfs, 'tmp', 'up'));
    const given = { destination: '/bin', source: join(bed.rootfs, 'bin'), options: ['bind', 'ro'] };
    const proc = { destination: '/proc', type: 'proc', source: 'proc' };
    bed.config.linux.maskedPaths = [];
    for (const destination of ['/', '/..', '/tmp/up']) {
      bed.config.mounts = [{ destination, type: 'tmpfs', source: 'own', options: ['mode=0711'] }, given, proc];
      const said = bed.out('ls /; stat -c %a /; grep -c " / / " /proc/self/mountinfo');
      assert.is(said, 'bin\ndev\nproc\n711\n1\n', destination);
    }
    bed.config.mounts = [{ destination: '/', source: bed.rootfs, options: ['rbind', 'nosuid', 'shared'] }, proc];
    const { facts } = first(bed.out('cat /proc/self/mountinfo'));
    assert.ok((facts.propagation as string[]).includes('shared'));
    assert.ok((facts.flags as string[]).includes('nosuid'));
  }),
);

owned(
  'an overlay on / works in a user namespace',
  onBed((bed) => {
    bed.config.linux.namespaces.push({ type: 'user' });
    bed.config.linux.uidMappings = [{ containerID: 0, hostID: 100000, size: 65536 }];
    bed.config.linux.gidMappings = [{ containerID: 0, hostID: 100000, size: 65536 }];
    bed.config.mounts.unshift(overlay(bed));
    bed.config.root.readonly = false;
    execFileSync('chown', ['-R', '100000:100000', bed.rootfs, join(bed.bundle, 'writes')]);
    assert.is(bed.out('mkdir /made; stat -c %u:%g /made'), '0:0\n');
    assert.is(statSync(join(bed.bundle, 'writes', 'upper', 'made')).uid, 100000);
  }),
);

/** Makes directories with one file each, beginning with the uppermost layer. */
function layers(bed: Bed, count: number, name: (i: number) => string): string[] {
  return Array.from({ length: count }, (_, i) => {
    const path = join(bed.bundle, name(i));
    mkdirSync(path, { recursive: true });
    writeFileSync(join(path, `f${i}`), '');
    writeFileSync(join(path, 'top'), `${i}\n`);
    return name(i);
  });
}

for (const [what, count, name] of [
  ['40 layers with paths relative to the bundle', 40, (i: number) => `layers/a-rather-long-name-of-a-layer-${i}`],
  ['a layer whose path is longer than 255 bytes', 3, (i: number) => `${'long/'.repeat(60)}${i}`],
  ['layers with colons, commas and backslashes', 8, (i: number) => `lay,er:\\${'-'.repeat(40)}${i}`],
  [
    'layers with long paths that contain colons, commas and backslashes',
    8,
    (i: number) => `lay,er:\\${'-/'.repeat(140)}${i}`,
  ],
] as const) {
  test(
    `an overlay below the root works with ${what}`,
    onBed((bed) => {
      const paths = layers(bed, count, name).map((path) => path.replaceAll(/[\\:]/g, '\\$&'));
      mkdirSync(join(bed.rootfs, 'o'));
      const options = [`lowerdir=${paths.join(':')}`];
      bed.config.mounts.push({ destination: '/o', type: 'overlay', source: 'overlay', options });
      assert.is(bed.out('ls /o | grep -c ^f; cat /o/top'), `${count}\n0\n`);
    }),
  );
}

test(
  'layer paths longer than 255 bytes, and longer than a page together, are passed by descriptors (Linux 6.13)',
  onBed((bed) => {
    const paths = layers(bed, 20, (i) => `${'long/'.repeat(60)}${i}`);
    mkdirSync(join(bed.rootfs, 'o'));
    const options = [`lowerdir=${paths.join(':')}`];
    bed.config.mounts.push({ destination: '/o', type: 'overlay', source: 'overlay', options });
    const [major = 0, minor = 0] = release().split('.').map(Number);
    const r = bed.sh('ls /o | grep -c ^f; cat /o/top');
    if (major > 6 || (major === 6 && minor >= 13)) assert.is(r.stdout, '20\n0\n', r.stderr);
    else assert.match(r.stderr, /E2BIG[\s\S]*too long for the kernel/);
  }),
);

test(
  'the error names the cause of each mistake in the directories',
  onBed((bed) => {
    const mounts = [...bed.config.mounts];
    const proper = overlay(bed).options;
    for (const [options, why] of [
      [['lowerdir=rootfs:gone', ...proper.slice(1)], /make the lowerdir .*gone/],
      [['lowerdir=rootfs', 'upperdir=gone', 'workdir=writes/work'], /make the upperdir .*gone/],
      [['lowerdir=rootfs', 'upperdir=config.json', 'workdir=writes/work'], /name a directory as upperdir/],
      [['lowerdir=rootfs', 'upperdir=writes/upper'], /add a workdir/],
      [['lowerdir=rootfs'], /an overlay of one layer/],
      [['upperdir=writes/upper', 'workdir=writes/work'], /add a lowerdir/],
      [['lowerdir=rootfs', 'upperdir=writes/upper', 'workdir=/dev/shm'], /different file systems/],
      [['lowerdir=rootfs', 'upperdir=writes', 'workdir=writes/work'], /is in the other/],
      // Before 6.5 the kernel does not say which.
      [[...proper, 'nosuch=1'], /Unknown parameter 'nosuch'|correct the options [^\n]*nosuch/],
    ] as const) {
      bed.config.mounts = [{ destination: '/', type: 'overlay', source: 'o', options: [...options] }, ...mounts];
      const r = bed.run();
      assert.is(r.code, 1, String(options));
      assert.match(r.stderr, why);
      assert.match(r.stderr, '/mounts/0 in config.json');
    }
    // The kernel alone would mount it read-only and write the cause only to its log.
    mkdirSync(join(bed.bundle, 'writes/work/work/a/b/c'), { recursive: true });
    bed.config.mounts = [{ destination: '/', type: 'overlay', source: 'o', options: proper }, ...mounts];
    assert.match(bed.run().stderr, /empty the workdir: the kernel cannot empty .*writes\/work/);
  }),
);

stacked(
  'the error names an upperdir on another overlay as the cause',
  onBed((bed) => {
    bed.config.mounts = [{ ...overlay(bed), options: ['lowerdir=rootfs', 'upperdir=over/u', 'workdir=over/w'] }];
    bed.write();
    for (const name of ['over', 'u', 'w']) mkdirSync(join(bed.bundle, name));
    const script =
      'mount -t overlay o -o "lowerdir=$1/rootfs,upperdir=$1/u,workdir=$1/w" "$1/over" && mkdir "$1/over/u" "$1/over/w" && shift && exec "$@"';
    const program = join(bed.dir, 'in-overlay');
    writeFileSync(
      program,
      `#!/bin/sh\nexec unshare -m --propagation private sh -c '${script}' sh '${bed.bundle}' '${runtPath}' "$@"\n`,
      { mode: 0o755 },
    );
    const r = bed.runt(['run', '--bundle', bed.bundle, bed.id], { program });
    assert.is(r.code, 1);
    assert.match(r.stderr, /upperdir/);
    assert.match(r.stderr, /overlay itself/);
  }),
);

test.run();
stacked.run();
owned.run();
