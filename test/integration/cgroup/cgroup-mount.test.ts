/** Mounts of type cgroup, with and without a cgroup namespace and a user namespace, on v1 and on v2. */
import { readFileSync } from 'node:fs';
import * as assert from 'uvu/assert';
import { type Bed, needing, onBed } from '../bed/bed.js';
import { withUserNamespace } from '../bed/config.js';
import { parseMount } from '../bed/probe.js';

const v1 = needing('cgroup mounts on v1', 'root', 'cgroup-v1');
const v2 = needing('cgroup mounts on v2', 'root', 'cgroup-v2');

const limit = 'cat /sys/fs/cgroup/pids/pids.max /sys/fs/cgroup/pids.max 2>/dev/null';
const write = '( : >>/sys/fs/cgroup/cgroup.procs ) 2>/dev/null && echo writable || echo refused';

/** The mounts at and below /sys/fs/cgroup, by their paths, and the output of a script. */
function look(bed: Bed, script: string) {
  const [said = '', mountinfo = ''] = bed.out(`${script}; echo %%; cat /proc/self/mountinfo`).split('%%\n');
  const all = mountinfo.trim().split('\n').map(parseMount);
  const found = all.filter(({ target }) => target.startsWith('/sys/fs/cgroup'));
  return { said, mounts: new Map(found.map(({ target, facts }) => [target.slice('/sys/fs/cgroup'.length), facts])) };
}

for (const cgroupNamespace of [false, true]) {
  for (const userNamespace of [false, true]) {
    const spaces = `${cgroupNamespace ? 'with' : 'without'} a cgroup namespace, ${userNamespace ? 'with' : 'without'} a user namespace`;
    const set = (bed: Bed): void => {
      if (cgroupNamespace) bed.config.linux.namespaces.push({ type: 'cgroup' });
      if (userNamespace) withUserNamespace(bed.config);
      bed.config.linux.resources.pids = { limit: 33 };
    };

    v1(
      `${spaces}: the cgroup mount shows the container's cgroup in each hierarchy, read-only`,
      onBed((bed) => {
        set(bed);
        const { said, mounts } = look(bed, limit);
        assert.is(said, '33\n');
        assert.is(mounts.get('')?.type, 'tmpfs');
        for (const name of ['/pids', '/memory', '/devices', '/freezer']) {
          const facts = mounts.get(name)!;
          assert.is(facts.type, 'cgroup', name);
          assert.ok((facts.flags as string[]).includes('ro'), name);
          // In a cgroup namespace the container's cgroup is the root of the mount; a bind mount shows its path on the
          // host.
          if (cgroupNamespace) assert.is(facts.root, '/', name);
          else assert.ok(String(facts.root).endsWith(bed.id), `${name} ${facts.root}`);
        }
      }),
    );

    v2(
      `${spaces}: the cgroup mount shows ${cgroupNamespace || userNamespace ? "the container's cgroup" : "the host's tree, as under runc"}, read-only`,
      onBed((bed) => {
        set(bed);
        const { said, mounts } = look(bed, `${limit}; ${write}`);
        assert.equal([...mounts.keys()], ['']);
        const facts = mounts.get('')!;
        assert.is(facts.type, 'cgroup2');
        assert.ok((facts.flags as string[]).includes('ro'));
        assert.is(said, cgroupNamespace || userNamespace ? '33\nrefused\n' : 'refused\n');
        if (userNamespace && !cgroupNamespace) assert.ok(String(facts.root).endsWith(bed.id), String(facts.root));
        else assert.is(facts.root, '/');
      }),
    );
  }
}

v1(
  'in a cgroup namespace, the cgroup mount is writable when the config omits "ro"',
  onBed((bed) => {
    bed.config.linux.namespaces.push({ type: 'cgroup' });
    const mount = bed.config.mounts.find(({ type }) => type === 'cgroup')!;
    mount.options = mount.options!.filter((option) => option !== 'ro');
    const { said } = look(bed, 'mkdir /sys/fs/cgroup/pids/below && rmdir /sys/fs/cgroup/pids/below && echo writable');
    assert.is(said, 'writable\n');
  }),
);

const hosts = (): string[] => {
  const line = readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .find((l) => l.split(' ')[4] === '/sys/fs/cgroup')!;
  return line.slice(line.indexOf(' - ')).split(' ')[4]!.split(',');
};

for (const [what, change] of [
  ['without a cgroup namespace', () => {}],
  [
    'in the cgroup namespace of the host, joined by its path',
    (bed: Bed) => bed.config.linux.namespaces.push({ type: 'cgroup', path: '/proc/1/ns/cgroup' }),
  ],
] as const)
  v2(
    `${what}, the host's mount keeps its options, and the config may list only these`,
    onBed((bed) => {
      const before = hosts().sort();
      assert.ok(before.includes('nsdelegate'), String(before));
      change(bed);
      const mount = bed.config.mounts.find(({ type }) => type === 'cgroup')!;
      for (const options of [
        ['nosuid', 'noexec', 'nodev', 'relatime', 'ro'],
        ['rw'],
        ['ro', 'nsdelegate'],
        ['nosuid', ...before.filter((o) => o !== 'rw')],
      ]) {
        mount.options = options;
        assert.is(look(bed, 'true').mounts.get('')?.type, 'cgroup2');
        assert.equal(hosts().sort(), before, String(options));
      }
      mount.options = ['ro', 'pids_localevents', 'nsdelegate'];
      const r = bed.run();
      assert.is(r.code, 1);
      assert.match(r.stderr, /the option "pids_localevents" would change the host's mount/);
      assert.match(r.stderr, /at {2}\/mounts\/\d+\/options\/1 /);
      bed.config.linux.namespaces = bed.config.linux.namespaces.filter((n) => n.type !== 'cgroup');
      bed.config.linux.namespaces.push({ type: 'cgroup' });
      assert.is(bed.run().code, 0, 'the kernel ignores it in a cgroup namespace');
      assert.equal(hosts().sort(), before);
    }),
  );

v1.run();
v2.run();
