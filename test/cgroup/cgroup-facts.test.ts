/** The cgroup layout of a host, parsed from texts of /proc/self/cgroup and mountinfo; the host itself is not read. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import {
  type CgroupFacts,
  hierarchyDirectory,
  hierarchyLinks,
  hierarchyName,
  hierarchyOptions,
  parseCgroupFacts,
} from '../../src/cgroup/cgroup-facts.js';
import { hybrid, nested, v2 } from './fixtures.js';

const parse = (f: { cgroup: string; mountinfo: string; controllers?: string }): CgroupFacts =>
  parseCgroupFacts(f.cgroup, f.mountinfo, () => f.controllers);
const find = (facts: CgroupFacts, controller: string) => facts.v1.find((h) => h.controllers.includes(controller))!;

test('a hybrid host has its v1 hierarchies in order, and the unified hierarchy beside them', () => {
  const facts = parse(hybrid);
  assert.is(facts.layout, 'hybrid');
  assert.equal(facts.v1.map(hierarchyName), [
    'pids',
    'cpu,cpuacct',
    'net_cls,net_prio',
    'memory',
    'cpuset',
    'devices',
    'name=systemd',
  ]);
  assert.equal(facts.unified, {
    mountPoint: '/sys/fs/cgroup/unified',
    own: '/user.slice/session-1.scope',
    controllers: [],
  });
  assert.equal(find(facts, 'cpuacct'), {
    mountPoint: '/sys/fs/cgroup/cpu,cpuacct',
    root: '/',
    controllers: ['cpu', 'cpuacct'],
    own: '/user.slice',
  });
});

test('a cgroup path may contain colons', () => {
  assert.is(find(parse(hybrid), 'memory').own, '/user.slice/a:b');
});

test('co-mounted controllers have a symlink each, a single controller has none', () => {
  const facts = parse(hybrid);
  const cpu = find(facts, 'cpu');
  assert.is(hierarchyDirectory(cpu), 'cpu,cpuacct');
  assert.equal(hierarchyLinks(cpu), ['cpu', 'cpuacct']);
  assert.equal(hierarchyOptions(cpu), ['cpu', 'cpuacct']);
  assert.equal(hierarchyLinks(find(facts, 'memory')), []);
  assert.equal(hierarchyOptions(facts.v1.at(-1)!), ['none', 'name=systemd']);
});

test('a hierarchy mounted under the name of one of its controllers has no link of that name', () => {
  const facts = parse({
    cgroup: '3:cpu,cpuacct:/\n',
    mountinfo: '31 1 0:1 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu,cpuacct\n',
  });
  assert.equal(hierarchyLinks(facts.v1[0]!), ['cpuacct']);
});

test('a host with only v2 has the layout "v2" and the controllers of its mount', () => {
  assert.equal(parse(v2), {
    layout: 'v2',
    v1: [],
    unified: {
      mountPoint: '/sys/fs/cgroup',
      own: '/user.slice/user-1000.slice/session-3.scope',
      controllers: ['cpuset', 'cpu', 'io', 'memory', 'hugetlb', 'pids', 'rdma', 'misc'],
    },
  });
});

test('a hybrid host without its unified mount has the layout "v1"', () => {
  const mountinfo = hybrid.mountinfo
    .split('\n')
    .filter((l) => !l.includes('cgroup2'))
    .join('\n');
  const facts = parse({ cgroup: hybrid.cgroup, mountinfo });
  assert.is(facts.layout, 'v1');
  assert.is(facts.unified, undefined);
});

test('a host without a cgroup mount has the layout "none"', () => {
  assert.equal(parse({ cgroup: '0::/\n', mountinfo: '28 1 254:1 / / rw - ext4 /dev/vda1 rw\n' }), {
    layout: 'none',
    v1: [],
  });
});

test('a file system of another type is not a hierarchy, even if its line mentions cgroups', () => {
  const mountinfo = '31 1 0:1 / /sys/fs/cgroup rw - cgroupish cgroup rw,memory\n';
  assert.is(parse({ cgroup: '4:memory:/\n', mountinfo }).layout, 'none');
});

test('inside a container without a cgroup namespace, the current path is relative to the root of the mount', () => {
  const facts = parse(nested);
  assert.is(find(facts, 'memory').own, '/');
  assert.is(find(facts, 'cpuset').own, '/inner');
  assert.is(find(facts, 'cpuset').root, '/docker/0123');
  assert.is(find(facts, 'pids').own, '/', 'a path outside of the mount becomes its root');
});

test('a process outside of its cgroup namespace has the root cgroup as its current one', () => {
  const facts = parse({ cgroup: '0::/../../other\n', mountinfo: v2.mountinfo });
  assert.is(facts.unified!.own, '/');
});

test('hierarchies covered by a later tmpfs mount are not found', () => {
  const covered = `${hybrid.mountinfo}99 31 0:60 / /sys/fs/cgroup rw - tmpfs tmpfs rw\n`;
  assert.is(parse({ cgroup: hybrid.cgroup, mountinfo: covered }).layout, 'none');
  const again = `${covered}100 99 0:36 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n`;
  assert.equal(parse({ cgroup: hybrid.cgroup, mountinfo: again }).v1.map(hierarchyName), ['memory']);
});

test('a second mount of a hierarchy elsewhere does not replace the usual mount point', () => {
  const mountinfo = `20 28 0:36 / /mnt/odd\\040place rw - cgroup cgroup rw,memory\n${hybrid.mountinfo}`;
  assert.is(find(parse({ cgroup: hybrid.cgroup, mountinfo }), 'memory').mountPoint, '/sys/fs/cgroup/memory');
  const alone = '20 28 0:36 / /mnt/odd\\040place rw - cgroup cgroup rw,memory\n';
  assert.is(find(parse({ cgroup: '4:memory:/\n', mountinfo: alone }), 'memory').mountPoint, '/mnt/odd place');
});

test.run();
