/** Namespaces: which ones are new, which are the host's, and what a new one contains. */
import { readlinkSync } from 'node:fs';
import * as assert from 'uvu/assert';
import { eventually, needing, onBed } from '../bed/bed.js';

const test = needing('namespaces', 'root');

const files = { pid: 'pid', network: 'net', ipc: 'ipc', uts: 'uts', mount: 'mnt', cgroup: 'cgroup', user: 'user' };

/** Host or new, for each kind, seen from outside by the pid of a running container. */
function seen(pid: number): Record<string, string> {
  return Object.fromEntries(
    Object.entries(files).map(([kind, file]) => {
      const inside = readlinkSync(`/proc/${pid}/ns/${file}`);
      return [kind, inside === readlinkSync(`/proc/self/ns/${file}`) ? 'host' : 'new'];
    }),
  );
}

test(
  "the config's namespaces are new, and the others are the host's",
  onBed((bed) => {
    assert.equal(seen(bed.started()), {
      pid: 'new',
      network: 'new',
      ipc: 'new',
      uts: 'new',
      mount: 'new',
      cgroup: 'host',
      user: 'host',
    });
    bed.delete('--force');
  }),
);

test(
  'a container may have only a mount namespace',
  onBed((bed) => {
    bed.config.linux.namespaces = [{ type: 'mount' }];
    delete bed.config.hostname;
    bed.config.mounts = bed.config.mounts.filter(({ type }) => type !== 'mqueue' && type !== 'sysfs');
    const found = seen(bed.started());
    assert.equal(
      Object.entries(found).filter(([, where]) => where === 'new'),
      [['mount', 'new']],
    );
    bed.delete('--force');
  }),
);

test(
  "all seven namespaces are new, and the cgroup namespace is rooted in the container's cgroup",
  onBed(async (bed) => {
    bed.config.linux.namespaces.push({ type: 'cgroup' }, { type: 'user' });
    bed.config.linux.uidMappings = [{ containerID: 0, hostID: 100000, size: 65536 }];
    bed.config.linux.gidMappings = [{ containerID: 0, hostID: 100000, size: 65536 }];
    const found = seen(bed.started(['/bin/sh', '-c', 'cat /proc/self/cgroup; echo .; exec sleep 1000']));
    assert.equal(new Set(Object.values(found)), new Set(['new']));
    await eventually('all that it prints', () => bed.stdout().endsWith('.\n'));
    const lines = bed.stdout().trim().split('\n').slice(0, -1);
    assert.ok(lines.length > 0);
    for (const line of lines) assert.match(line, /:\/$/);
    bed.delete('--force');
  }),
);

test(
  'in a pid namespace the process is pid 1 and sees no other',
  onBed((bed) => {
    assert.is(bed.out('echo $$; set -- /proc/[0-9]*; echo $#'), '1\n1\n');
  }),
);

test(
  'a network namespace has only lo, which is up',
  onBed((bed) => {
    // IFF_UP | IFF_LOOPBACK
    assert.is(bed.out('ls /sys/class/net; cat /sys/class/net/lo/flags'), 'lo\n0x9\n');
  }),
);

test(
  'a namespace that is listed twice is refused and leaves nothing',
  onBed((bed) => {
    bed.config.linux.namespaces.push({ type: 'pid' });
    const r = bed.run();
    assert.is(r.code, 1);
    assert.match(r.stderr, /namespaces/);
  }),
);

test.run();
