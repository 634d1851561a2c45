/**
 * create and run under pids.limit 1 in the pid namespace of another container: the process takes one pid, its helper
 * none.
 */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { type Bed, needing, onBed } from '../bed/bed.js';
import { withUserNamespace } from '../bed/config.js';

const test = needing('joining under pids.limit', 'root', 'pids');

const namespace = (pid: number, type: string) => ({
  type: type as 'pid',
  path: `/proc/${pid}/ns/${type === 'network' ? 'net' : type}`,
});

const join1 =
  (...types: string[]) =>
  (bed: Bed, pid: number) => {
    bed.config.linux.namespaces = [
      ...bed.config.linux.namespaces.filter((n) => !types.includes(n.type)),
      ...types.map((type) => namespace(pid, type)),
    ];
  };

for (const [name, first, second] of [
  ['', () => {}, join1('pid')],
  [
    'with a cgroup namespace',
    () => {},
    (bed, pid) => {
      join1('pid', 'network')(bed, pid);
      bed.config.linux.namespaces.push({ type: 'cgroup' });
    },
  ],
  [
    'with a joined cgroup namespace',
    (bed) => bed.config.linux.namespaces.push({ type: 'cgroup' }),
    join1('pid', 'cgroup'),
  ],
  ['with the user namespace too', (bed) => withUserNamespace(bed.config), join1('user', 'pid')],
  [
    'with the user namespace, and its own cgroup namespace',
    (bed) => withUserNamespace(bed.config),
    (bed, pid) => {
      join1('user', 'network')(bed, pid);
      bed.config.linux.namespaces.push({ type: 'cgroup' });
    },
  ],
] as [string, (bed: Bed) => unknown, (bed: Bed, pid: number) => void][]) {
  test(
    `a container with a pids limit of 1 joins another container's namespaces ${name}`.trim(),
    onBed((bed) => {
      const files = ['proc', 'sysfs', 'mqueue', 'cgroup'];
      first(bed);
      const { cgroupsPath: _, ...linux } = bed.config.linux;
      const holder = `${bed.id}-holder`;
      bed.config.process.args = ['/bin/sleep', '1000'];
      bed.write();
      assert.is(bed.runt(['create', '-b', bed.bundle, holder]).code, 0);
      try {
        assert.is(bed.runt(['start', holder]).code, 0);
        const { pid } = JSON.parse(bed.runt(['state', holder]).stdout) as { pid: number };
        bed.config.linux = { ...linux, namespaces: [...linux.namespaces] };
        second(bed, pid);
        bed.config.linux.resources = { ...linux.resources, pids: { limit: 1 } };
        // Mounts that the joined namespaces do not permit are left out: they are not tested here.
        bed.config.mounts = bed.config.mounts.filter(({ type }) => !files.includes(type ?? ''));
        bed.config.linux.maskedPaths = [];
        bed.config.linux.readonlyPaths = [];
        bed.config.process.args = ['/bin/sh', '-c', 'echo $$; sleep 0 & wait; echo two'];
        for (let i = 0; i < 3; i++) {
          const r = bed.run();
          assert.match(r.stdout, /^[0-9]+\n$/, r.stderr);
          assert.match(r.stderr, /can't fork|Resource temporarily unavailable/);
        }
        bed.config.process.args = ['/bin/sleep', '1000'];
        bed.write();
        for (const flags of [[], ['--supervise']]) {
          const file = join(bed.dir, 'pid');
          const r = bed.runt(['create', ...flags, '--pid-file', file, '-b', bed.bundle, bed.id]);
          assert.is(r.code, 0, r.stderr);
          assert.is(bed.start().code, 0);
          const mine = readFileSync(`/proc/${readFileSync(file, 'utf8')}/cgroup`, 'utf8');
          const own = mine.split('\n').filter((line) => line.endsWith(`/${bed.id}`));
          assert.ok(
            own.some((line) => /:(pids|[a-z,]*,pids[a-z,]*|):/.test(line)),
            mine,
          );
          assert.is(
            own.length,
            readFileSync(`/proc/${pid}/cgroup`, 'utf8')
              .split('\n')
              .filter((l) => l.endsWith(`/${holder}`)).length,
          );
          if (bed.config.linux.namespaces.some((n) => n.type === 'cgroup' && !n.path)) {
            const inside = execFileSync(
              'nsenter',
              ['-t', readFileSync(file, 'utf8'), '-C', 'cat', `/proc/${readFileSync(file, 'utf8')}/cgroup`],
              { encoding: 'utf8' },
            );
            assert.is(inside.split('\n').filter((line) => line.endsWith(':/')).length >= own.length, true, inside);
          }
          assert.is(bed.delete('--force').code, 0);
        }
      } finally {
        bed.runt(['delete', '--force', holder]);
      }
    }),
  );
}

test.run();
