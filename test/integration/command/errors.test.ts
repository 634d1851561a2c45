/** Failures: each error names the cause and its JSON pointer in config.json, and leaves nothing behind. */
import { chmodSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { type Bed, needing, onBed } from '../bed/bed.js';

const test = needing('errors', 'root');

/**
 * A name, a function that breaks the bundle, and what the report must match. `run` and `create` must fail and leave
 * nothing.
 */
const cases: [name: string, breaks: (bed: Bed) => void, ...report: RegExp[]][] = [
  [
    'a missing rootfs',
    (bed) => {
      bed.config.root.path = 'nowhere';
    },
    /nowhere/,
    /\/root\/path/,
  ],
  [
    'a missing bind source',
    (bed) => {
      bed.config.mounts.push({ destination: '/mnt', source: '/does/not/exist', options: ['bind'] });
    },
    /\/does\/not\/exist/,
    /\/mounts\/7/,
    /ENOENT/,
  ],
  [
    'a file system that the kernel lacks',
    (bed) => {
      bed.config.mounts.push({ destination: '/tmp', type: 'nofs', source: 'x' });
    },
    /nofs/,
    /\/mounts\/7/,
    /ENODEV/,
  ],
  [
    'an option that the file system refuses',
    (bed) => {
      bed.config.mounts.push({ destination: '/tmp', type: 'tmpfs', source: 'x', options: ['flavour=vanilla'] });
    },
    /flavour/,
    /\/mounts\/7/,
  ],
  [
    'a target to be made in a read-only directory',
    (bed) => {
      const etc = { destination: '/etc', type: 'bind', source: join(bed.rootfs, 'etc'), options: ['bind', 'ro'] };
      bed.config.mounts.splice(1, 0, etc);
      bed.config.mounts.push({ destination: '/etc/new', type: 'tmpfs', source: 'x' });
    },
    /\/etc\/new/,
    /EROFS/,
  ],
  [
    'a target below a file',
    (bed) => {
      bed.config.mounts.push({ destination: '/etc/passwd/x', type: 'tmpfs', source: 'x' });
    },
    /\/etc\/passwd/,
    /ENOTDIR/,
  ],
  [
    'a symlink at /proc (CVE-2019-19921)',
    (bed) => {
      rmSync(join(bed.rootfs, 'proc'), { recursive: true });
      symlinkSync('tmp', join(bed.rootfs, 'proc'));
    },
    /\/proc/,
  ],
  [
    'a device whose path is a directory',
    (bed) => {
      bed.config.linux.devices = [{ path: '/dev/shm', type: 'c', major: 1, minor: 3 }];
    },
    /\/dev\/shm/,
  ],
  [
    'a missing sysctl',
    (bed) => {
      bed.config.linux.sysctl = { 'net.not.there': '1' };
    },
    /net\.not\.there|net\/not\/there/,
    /\/linux\/sysctl/,
  ],
  [
    'a sysctl value that the kernel refuses',
    (bed) => {
      bed.config.linux.sysctl = { 'net.ipv4.ip_local_port_range': 'many' };
    },
    /ip_local_port_range/,
    /EINVAL/,
  ],
  [
    'a missing working directory that cannot be made',
    (bed) => {
      bed.config.process.cwd = '/etc/passwd/deeper';
    },
    /\/etc\/passwd/,
    /\/process\/cwd/,
  ],
  [
    'a missing program',
    (bed) => {
      bed.config.process.args = ['/bin/not-there'];
    },
    /\/bin\/not-there/,
    /no such file or directory/i,
  ],
  [
    'a script whose interpreter is missing',
    (bed) => {
      writeFileSync(join(bed.rootfs, 'script'), '#!/no/such/interpreter\n');
      chmodSync(join(bed.rootfs, 'script'), 0o755);
      bed.config.process.args = ['/script'];
    },
    /\/script/,
    /interpreter/,
  ],
  [
    'a file that is not a program',
    (bed) => {
      writeFileSync(join(bed.rootfs, 'noise'), '\x01\x02\x03\x04 noise');
      chmodSync(join(bed.rootfs, 'noise'), 0o755);
      bed.config.process.args = ['/noise'];
    },
    /\/noise/,
    /ENOEXEC|exec format/i,
  ],
  [
    'a program that is a directory',
    (bed) => {
      bed.config.process.args = ['/etc'];
    },
    /\/etc/,
    /directory|permission denied/i,
  ],
];

for (const [name, breaks, ...report] of cases) {
  for (const command of ['run', 'create'] as const) {
    test(
      `${command} fails and names ${name}`,
      onBed((bed) => {
        breaks(bed);
        const log = join(bed.dir, 'log.json');
        bed.write();
        let r = bed.runt(['--log', log, '--log-format', 'json', command, '--bundle', bed.bundle, bed.id]);
        // Errors of execve are reported by `start`.
        if (command === 'create' && r.code === 0) {
          rmSync(log, { force: true });
          r = bed.runt(['--log', log, '--log-format', 'json', 'start', bed.id]);
          bed.delete('--force');
        }
        assert.is(r.code, 1, r.stderr);
        assert.match(r.stderr, /^runt: /);
        for (const expression of report) assert.match(r.stderr, expression);
        assert.not.match(r.stderr, /internal error/);
        const lines = readFileSync(log, 'utf8').trim().split('\n');
        assert.is(lines.length, 1, 'one line in the log');
        const entry = JSON.parse(lines[0]!);
        assert.is(entry.level, 'error');
        assert.match(entry.code, /^ERR_[A-Z_]+$/);
        assert.match(entry.time, /^\d{4}-\d\d-\d\dT/);
      }),
    );
  }
}

test(
  'a missing config, invalid JSON and an invalid config each fail',
  onBed((bed) => {
    const run = () => bed.runt(['run', '--bundle', bed.bundle, bed.id]);
    const missing = run();
    assert.is(missing.code, 1);
    assert.match(missing.stderr, /config\.json/);
    bed.write('{"ociVersion": "1.0.2", ');
    assert.is(run().code, 1);
    bed.write({ ...bed.config, process: { ...bed.config.process, cwd: 'relative' } });
    const invalid = run();
    assert.is(invalid.code, 1);
    assert.match(invalid.stderr, /\/process\/cwd/);
    bed.write({ ...bed.config, ociVersion: 'new' });
    assert.match(run().stderr, /\/ociVersion/);
  }),
);

test(
  'a late failure undoes everything, also mounts that would propagate to the host',
  onBed((bed) => {
    mkdirSync(join(bed.rootfs, 'deep'), { recursive: true });
    bed.config.linux.rootfsPropagation = 'shared';
    bed.config.mounts.push({ destination: '/deep', type: 'tmpfs', source: 'x', options: ['shared'] });
    bed.config.process.args = ['/bin/not-there'];
    assert.is(bed.run().code, 1);
  }),
);

test.run();
