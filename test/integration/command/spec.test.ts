/** Containers of configs that `spec` writes from its options: each option has its effect inside. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { needing, onBed } from '../bed/bed.js';
import { missing } from '../bed/needs.js';
import { runtPath } from '../bed/place.js';
import { ranBySpec as ran } from '../bed/spec-bundle.js';

const test = needing('spec', 'root');
const unified = needing('spec on cgroup v2', 'root', 'cgroup-v2');
const mounting = needing('spec beside shared mounts', 'root', 'mount', 'unshare');

test(
  'spec sets the command, environment, working directory, user and hostname',
  onBed((bed) => {
    const options = ['--env', 'A=b c', '-e', 'TERM=dumb', '--cwd', '/tmp', '--user', '7:8', '--hostname', 'web'];
    const script = 'echo "$A|$TERM|$PWD|$(id -u):$(id -g)|$(hostname)"; [ -t 0 ] || echo no terminal';
    assert.is(ran(bed, ...options, '--', 'sh', '-c', script), 'b c|dumb|/tmp|7:8|web\nno terminal\n');
  }),
);

test(
  'the directories of the bundle and of an overlay are made, and none for an option that is refused',
  onBed((bed) => {
    const bundle = join(bed.dir, 'new/bundle');
    const spec = ['spec', '-b', bundle, '--rootfs', bed.rootfs, '--overlay', join(bundle, 'a/b')];
    assert.is(bed.runt([...spec, '--cpus', 'many', '--', 'true']).code, 1);
    assert.not.ok(existsSync(join(bed.dir, 'new')));
    assert.is(bed.runt([...spec, '--', 'true']).code, 0);
    assert.is(bed.runt(['run', '-b', bundle, bed.id]).code, 0);
    assert.is(bed.runt(['spec', '-b', join(bed.dir, 'plain/one')]).code, 0);
    assert.ok(existsSync(join(bed.dir, 'plain/one/config.json')));
  }),
);

test(
  'the root is read-only unless --read-only=false',
  onBed((bed) => {
    const script = 'touch /made 2>/dev/null && echo written || echo refused';
    assert.is(ran(bed, '--', 'sh', '-c', script), 'refused\n');
    assert.is(ran(bed, '--read-only=false', '--', 'sh', '-c', script), 'written\n');
    assert.ok(existsSync(join(bed.rootfs, 'made')));
  }),
);

test(
  "a volume shows the host's directory, and the option ro makes it read-only",
  onBed((bed) => {
    mkdirSync(join(bed.dir, 'data'));
    writeFileSync(join(bed.dir, 'data', 'from-host'), '');
    const script = 'ls /data; touch /data/made 2>/dev/null && echo written || echo refused';
    assert.is(ran(bed, '--volume', 'data:/data:ro', '--', 'sh', '-c', script), 'from-host\nrefused\n');
    assert.is(ran(bed, '-v', 'data:/data', '--', 'sh', '-c', script), 'from-host\nwritten\n');
    assert.ok(existsSync(join(bed.dir, 'data', 'made')));
  }),
);

test(
  "the container has the host's network only with --host-network",
  onBed((bed) => {
    const own = execFileSync('readlink', ['/proc/self/ns/net'], { encoding: 'utf8' });
    const command = ['--', 'readlink', '/proc/self/ns/net'];
    assert.is(ran(bed, '--host-network', ...command), own);
    assert.is.not(ran(bed, ...command), own);
  }),
);

test(
  '--uid-map maps root inside to another user outside',
  onBed((bed) => {
    mkdirSync(join(bed.dir, 'shared'), { mode: 0o777 });
    execFileSync('chmod', ['777', join(bed.dir, 'shared')]);
    const script = 'id -u; touch /home/made; stat -c %u:%g /home/made; cat /proc/self/uid_map | tr -s " "';
    const out = ran(bed, '--uid-map', '0:100000:1000', '-v', 'shared:/home', '--', 'sh', '-c', script);
    assert.is(out, '0\n0:0\n 0 100000 1000\n');
    const { uid, gid } = statSync(join(bed.dir, 'shared', 'made'));
    assert.equal([uid, gid], [100000, 100000]);
    // The host's network does not permit a new sysfs, so the host's is bind-mounted.
    assert.is(ran(bed, '--uid-map', '0:100000:1000', '--host-network', '--', 'ls', '-d', '/sys/class'), '/sys/class\n');
  }),
);

mounting(
  "mounts made in the container stay inside even if the host's mounts are shared, as under systemd",
  onBed((bed) => {
    const [bundle, tree] = [join(bed.dir, 'mapped'), join(bed.dir, 'tree')];
    mkdirSync(bundle);
    mkdirSync(tree);
    const options = ['--uid-map', '0:100000:1000', '--host-network', '--volume', `${tree}:/home:bind`];
    assert.is(
      bed.runt(['spec', '-b', bundle, '--rootfs', bed.rootfs, ...options, '--', 'ls', '/sys/fs/cgroup']).stderr,
      '',
    );
    const path = join(bundle, 'config.json');
    const config = JSON.parse(readFileSync(path, 'utf8'));
    // A bind mount without propagation flags, with a mount made below it.
    config.mounts.at(-1).options = ['bind'];
    config.mounts.push({ destination: '/home', source: 'tmpfs', type: 'tmpfs' });
    writeFileSync(path, JSON.stringify(config));
    const script = `mount --make-rshared / && cp /proc/self/mountinfo "$0" &&
      "$1" --root "$2" run --bundle "$3" "$4" >/dev/null && diff "$0" /proc/self/mountinfo`;
    const args = [join(bed.dir, 'mounts'), runtPath, bed.root, bundle, bed.id];
    execFileSync('unshare', ['--mount', '--propagation', 'private', 'sh', '-c', script, ...args], { encoding: 'utf8' });
  }),
);

test(
  '--memory, --cpus and --pids set the limits of the cgroup',
  onBed((bed) => {
    const bundle = join(bed.dir, 'limited');
    mkdirSync(bundle);
    const limits = ['--memory', '64m', '--cpus', '0.5', '--pids', '20'];
    const { stderr } = bed.runt(['spec', '-b', bundle, '--rootfs', bed.rootfs, ...limits, '--', 'sleep', '1000']);
    assert.is(stderr, '');
    assert.is(bed.runt(['create', '-b', bundle, bed.id]).code, 0);
    const stats = JSON.parse(bed.runt(['events', '--stats', bed.id]).stdout).data;
    assert.is(stats.memory.usage.limit, 67108864);
    assert.is(stats.pids.limit, 20);
    const cgroup = readFileSync(`/proc/${bed.state().pid}/cgroup`, 'utf8');
    const [, controllers, path] = /^\d+:([^:]*\bcpu\b[^:]*|):(.*)$/m.exec(cgroup)!;
    const dir = controllers === '' ? `/sys/fs/cgroup${path}` : `/sys/fs/cgroup/cpu${path}`;
    const quota = controllers === '' ? 'cpu.max' : 'cpu.cfs_quota_us';
    assert.match(readFileSync(join(dir, quota), 'utf8'), /^50000\b/);
    bed.delete('--force');
  }),
);

test(
  'a missing path or an invalid value is refused before anything is written',
  onBed((bed) => {
    for (const [options, expected] of [
      [['--rootfs', 'none'], 'runt: spec: --rootfs "none" does not exist\n'],
      [['--rootfs', '/etc/passwd'], 'runt: spec: --rootfs "/etc/passwd" is not a directory\n'],
      [['--overlay', '/etc/passwd'], 'runt: spec: --overlay "/etc/passwd" is not a directory\n'],
      [['--volume', 'none:/data'], 'runt: spec: --volume "none:/data": none does not exist\n'],
      [['--pids', 'many'], 'runt: spec: --pids "many" is not a number of processes, at least 1, or -1 for no limit\n'],
    ] as const) {
      const r = bed.runt(['spec', ...options]);
      assert.equal([r.code, r.stderr], [1, expected]);
      assert.not.ok(existsSync(join(bed.dir, 'config.json')));
    }
    const long = bed.runt(['spec', '--hostname', 'x'.repeat(65)]);
    assert.match(long.stderr, '/hostname must be at most 64 bytes');
    assert.not.ok(existsSync(join(bed.dir, 'config.json')));
  }),
);

test(
  'with --overlay, containers share one image, do not change it, and have their own written files',
  onBed((bed) => {
    const before = execFileSync('find', [bed.rootfs, '-newermt', '1970-01-01', '-printf', '%p %C@\\n'], {
      encoding: 'utf8',
    });
    const script = 'rm /bin/true; mkdir /made /home/in-home; rm -r /usr; mkdir /usr; ls / /home /usr';
    // In a user namespace.
    const mapped = missing('linux-5.11') ? [] : [['--uid-map', '0:0:65536']];
    for (const maps of [[], ...mapped]) {
      const work = join(bed.dir, `w${maps.length}`);
      const out = ran(bed, '--overlay', work, ...maps, '--', 'sh', '-c', script);
      assert.match(out, /^made$/m);
      assert.match(out, /\/usr:\n$/);
      assert.ok(existsSync(join(work, 'upper', 'made')) && existsSync(join(work, 'upper', 'home', 'in-home')));
      assert.not.ok(existsSync(join(bed.rootfs, 'made')));
      assert.is(ran(bed, '--overlay', work, ...maps, '--', 'ls', '-d', '/made'), '/made\n');
      const absent = '[ -e /made ] || echo absent';
      assert.is(ran(bed, '--overlay', `${work}-other`, ...maps, '--', 'sh', '-c', absent), 'absent\n');
    }
    const refused = 'touch /made 2>/dev/null && echo written || echo refused';
    assert.is(ran(bed, '--overlay', 'read', '--read-only', '--', 'sh', '-c', refused), 'refused\n');
    const after = execFileSync('find', [bed.rootfs, '-newermt', '1970-01-01', '-printf', '%p %C@\\n'], {
      encoding: 'utf8',
    });
    assert.is(after, before);
  }),
);

test(
  "--overlay makes its directories, owned by the container's root",
  onBed((bed) => {
    const options = ['--rootfs', bed.rootfs, '--overlay', 'w', '--uid-map', '0:100000:9', '--gid-map', '0:200000:9'];
    assert.equal(bed.runt(['spec', ...options]).stderr, '');
    for (const name of ['upper', 'work']) {
      const { uid, gid } = statSync(join(bed.dir, 'w', name));
      assert.equal([uid, gid], [100000, 200000]);
    }
    const { mounts, root } = JSON.parse(readFileSync(join(bed.dir, 'config.json'), 'utf8'));
    assert.equal([mounts[0].destination, mounts[0].type, root.path], ['/', 'overlay', bed.rootfs]);
  }),
);

unified(
  'on cgroup v2 the container is at the root of a cgroup namespace',
  onBed((bed) => {
    const script = 'cat /proc/self/cgroup; find /sys/fs/cgroup -type d; cat /sys/fs/cgroup/pids.max';
    assert.is(ran(bed, '--pids', '20', '--', 'sh', '-c', script), '0::/\n/sys/fs/cgroup\n20\n');
  }),
);

test.run();
unified.run();
mounting.run();
