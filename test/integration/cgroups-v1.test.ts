/** cgroups on v1 and hybrid: the directories, who is in them, and the values of their files. */
import { existsSync, mkdirSync, readFileSync, rmdirSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import * as assert from 'uvu/assert';
import { type Bed, needing, onBed } from './bed.js';
import { cgroupsNamed } from './leftovers.js';

const test = needing('cgroups-v1', 'root', 'cgroup-v1');

/** The container's directory in the hierarchy of `controller`. */
function dir(bed: Bed, controller: string): string {
  const found = cgroupsNamed(bed.id).find((path) => path.startsWith(`/sys/fs/cgroup/${controller}/`));
  if (!found) throw new Error(`no cgroup of ${bed.id} in ${controller}`);
  return found;
}

const value = (bed: Bed, controller: string, file: string): string =>
  readFileSync(join(dir(bed, controller), file), 'utf8').trim();

test(
  'the process is in a cgroup of its own in every hierarchy',
  onBed((bed) => {
    const pid = bed.started();
    const lines = readFileSync(`/proc/${pid}/cgroup`, 'utf8').trim().split('\n');
    const v1 = lines.filter((line) => !line.startsWith('0::'));
    assert.ok(v1.length >= 8, v1.join());
    for (const line of v1) assert.match(line, new RegExp(`/${bed.id}$`));
    for (const path of cgroupsNamed(bed.id)) {
      assert.is(readFileSync(join(path, 'cgroup.procs'), 'utf8'), `${pid}\n`, path);
    }
    bed.delete('--force');
  }),
);

test(
  'limits of memory, cpu, cpuset and pids',
  onBed((bed) => {
    bed.config.linux.resources = {
      memory: { limit: 64 << 20, reservation: 32 << 20 },
      cpu: { shares: 512, quota: 50000, period: 100000, cpus: '0', mems: '0' },
      pids: { limit: 77 },
    };
    bed.started();
    assert.is(value(bed, 'memory', 'memory.limit_in_bytes'), String(64 << 20));
    assert.is(value(bed, 'memory', 'memory.soft_limit_in_bytes'), String(32 << 20));
    assert.is(value(bed, 'cpu', 'cpu.shares'), '512');
    assert.is(value(bed, 'cpu', 'cpu.cfs_quota_us'), '50000');
    assert.is(value(bed, 'cpu', 'cpu.cfs_period_us'), '100000');
    assert.is(value(bed, 'cpuset', 'cpuset.cpus'), '0');
    assert.is(value(bed, 'cpuset', 'cpuset.mems'), '0');
    assert.is(value(bed, 'pids', 'pids.max'), '77');
    bed.delete('--force');
  }),
);

test(
  'the device list: everything denied but the default devices and the config’s',
  onBed((bed) => {
    bed.config.linux.resources.devices!.push({ allow: true, type: 'c', major: 10, minor: 229, access: 'rw' });
    bed.started();
    const list = value(bed, 'devices', 'devices.list').split('\n').sort();
    for (const line of ['c 1:3 rwm', 'c 1:5 rwm', 'c 1:7 rwm', 'c 1:8 rwm', 'c 1:9 rwm', 'c 5:0 rwm', 'c 136:* rwm']) {
      assert.ok(list.includes(line), `${line} in ${list.join('; ')}`);
    }
    assert.ok(list.includes('c 10:229 rw'));
    assert.not.ok(list.some((line) => line.startsWith('a ') || line === 'b *:* rwm'));
    bed.delete('--force');
  }),
);

test(
  'the tree inside shows the container’s own cgroups, read-only',
  onBed((bed) => {
    bed.config.linux.resources.pids = { limit: 33 };
    assert.is(
      bed.out(
        'cat /sys/fs/cgroup/pids/pids.max; cat /sys/fs/cgroup/pids/cgroup.procs | head -1; ( echo 1 >/sys/fs/cgroup/pids/pids.max ) 2>/dev/null || echo refused',
      ),
      '33\n1\nrefused\n',
    );
  }),
);

test(
  'an absolute cgroupsPath counts from the top of each hierarchy; parents are made',
  onBed((bed) => {
    bed.config.linux.cgroupsPath = `/${bed.id}-up/inner`;
    const pid = bed.started();
    assert.ok(existsSync(`/sys/fs/cgroup/pids/${bed.id}-up/inner`));
    assert.is(readFileSync(`/sys/fs/cgroup/pids/${bed.id}-up/inner/cgroup.procs`, 'utf8').trim(), String(pid));
    assert.is(bed.delete('--force').code, 0);
    assert.equal(
      cgroupsNamed(bed.id).filter((path) => basename(path) === 'inner'),
      [],
    );
    // Like every runtime: parents may be somebody else's, so they stay.
    for (const path of cgroupsNamed(bed.id)) rmdirSync(path);
  }),
);

test(
  'a memory limit of 1 MiB starts a static program',
  onBed((bed) => {
    bed.config.linux.resources.memory = { limit: 1 << 20 };
    const r = bed.run();
    assert.is(r.code, 0, r.stderr);
  }),
);

test(
  'more than the memory limit is killed: 137',
  onBed((bed) => {
    bed.config.linux.resources.memory = { limit: 16 << 20 };
    bed.config.mounts.push({ destination: '/tmp', type: 'tmpfs', source: 'x', options: [] });
    const r = bed.sh('dd if=/dev/zero of=/tmp/f bs=1M count=64');
    assert.is(r.code, 137, r.stderr);
  }),
);

test(
  'the pids limit holds',
  onBed((bed) => {
    bed.config.linux.resources.pids = { limit: 3 };
    const r = bed.sh('sleep 0.2 & sleep 0.2 & sleep 0.2 & sleep 0.2 & wait');
    assert.match(r.stderr, /fork/);
  }),
);

test(
  'a value that the kernel refuses is named, and nothing is left',
  onBed((bed) => {
    bed.config.linux.resources.cpu = { cpus: '4000' };
    const r = bed.run();
    assert.is(r.code, 1);
    assert.match(r.stderr, /cpuset\.cpus/);
  }),
);

test(
  'a cgroup that was there before with a process in it is not removed',
  onBed((bed) => {
    const parent = `/sys/fs/cgroup/pids/${bed.id}-there`;
    mkdirSync(parent);
    bed.config.linux.cgroupsPath = `/${bed.id}-there/c`;
    assert.is(bed.run().code, 0);
    assert.ok(existsSync(parent));
    for (const path of cgroupsNamed(bed.id)) rmdirSync(path);
    assert.is(dirname(parent), '/sys/fs/cgroup/pids');
  }),
);

test.run();
