/** exec under pids.limit: the new process takes one pid, and its helper none. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { type Bed, eventually, needing, onBed } from '../bed/bed.js';

const test = needing('exec under pids.limit', 'root', 'pids');

/** Starts a container of one process. */
function one(bed: Bed, limit: number, ...flags: string[]): number {
  bed.config.process.args = ['/bin/sleep', '1000'];
  bed.config.linux.resources = { ...bed.config.linux.resources, pids: { limit } };
  bed.write();
  const r = bed.runt(['create', ...flags, '-b', bed.bundle, bed.id]);
  assert.is(r.code, 0, r.stderr);
  assert.is(bed.start().code, 0);
  return bed.state().pid as number;
}

/** The cgroup paths of a process in all hierarchies. */
const cgroups = (pid: number | string) => readFileSync(`/proc/${pid}/cgroup`, 'utf8');

for (const [name, change] of [
  ['', () => {}],
  [
    ', in the runtime’s pid namespace',
    (bed) => {
      bed.config.linux.namespaces = bed.config.linux.namespaces.filter((n) => n.type !== 'pid');
    },
  ],
  [
    ', in a user namespace',
    (bed) => {
      bed.config.linux.namespaces.push({ type: 'user' });
      const map = [{ containerID: 0, hostID: 100000, size: 65536 }];
      bed.config.linux.uidMappings = map;
      bed.config.linux.gidMappings = map;
    },
  ],
] as [string, (bed: Bed) => void][]) {
  for (const limit of [2, 3]) {
    test(
      `with one process under a pids limit of ${limit}, exec works and joins every cgroup of the container${name}`,
      onBed(async (bed) => {
        change(bed);
        for (const flags of [[], ['--supervise']]) {
          const pid = one(bed, limit, ...flags);
          for (let i = 0; i < 5; i++) {
            const r = bed.runt(['exec', '--user', '7:8', bed.id, 'id', '-u']);
            assert.equal([r.code, r.stdout], [0, '7\n'], r.stderr);
          }
          const file = join(bed.dir, 'pid');
          const r = bed.runt(['exec', '-d', '--pid-file', file, bed.id, 'sleep', '1000']);
          assert.is(r.code, 0, r.stderr);
          assert.is(cgroups(readFileSync(file, 'utf8')), cgroups(pid));
          assert.is(bed.delete('--force').code, 0);
          await eventually('its end', () => bed.runt(['state', bed.id]).code !== 0);
        }
      }),
    );
  }
}

test(
  'the pids limit applies to the process of exec: it cannot fork when the limit is reached',
  onBed((bed) => {
    one(bed, 2);
    const r = bed.runt(['exec', bed.id, 'sh', '-c', 'sleep 0 & wait; echo no']);
    assert.not.match(r.stdout, /no/);
    assert.match(r.stderr, /can't fork|Resource temporarily unavailable/);
    assert.is(bed.delete('--force').code, 0);
  }),
);

test.run();
