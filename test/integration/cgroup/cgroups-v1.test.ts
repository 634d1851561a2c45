/** Cgroups on v1 and hybrid: the directories, their processes, and the values of their files. */
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import * as assert from 'uvu/assert';
import { cgroupsNamed } from '../../leaks/leftovers.js';
import { type Bed, needing, onBed } from '../bed/bed.js';
import { disk } from '../bed/needs.js';

const test = needing('cgroups-v1', 'root', 'cgroup-v1');
const onDisk = needing('cgroups-v1 and a disk', 'root', 'cgroup-v1', 'disk');
const realTime = needing('cgroups-v1 and real time', 'root', 'cgroup-v1', 'real-time');

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
  'a default device rule that the parent cgroup forbids is a warning, and one of the config an error',
  onBed((bed) => {
    const parent = `/sys/fs/cgroup/devices/${bed.id}`;
    mkdirSync(parent);
    writeFileSync(join(parent, 'devices.deny'), 'c 10:200 rwm');
    writeFileSync(join(parent, 'devices.deny'), 'c 10:229 rwm');
    bed.config.linux.cgroupsPath = `/${bed.id}/below`;
    const r = bed.sh('true');
    assert.is(r.code, 0, r.stderr);
    assert.match(r.stderr, /no access to the device c 10:200 rwm: a cgroup above its own forbids/);
    bed.config.linux.resources.devices!.push({ allow: true, type: 'c', major: 10, minor: 229, access: 'rw' });
    const refused = bed.sh('true');
    assert.is(refused.code, 1);
    assert.match(refused.stderr, /linux\/resources\/devices\/1/);
    for (const path of cgroupsNamed(bed.id)) rmdirSync(path);
  }),
);

test(
  'limits of memory, cpu, cpuset and pids are written to their files',
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
  'the device list denies every device except the default ones and those of the config',
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
  "inside, /sys/fs/cgroup shows the container's own cgroups, read-only",
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
  'an absolute cgroupsPath starts at the top of each hierarchy, and its parents are made',
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
    // Parents stay, as with every runtime: they may belong to another program.
    for (const path of cgroupsNamed(bed.id)) rmdirSync(path);
  }),
);

test(
  'a static program starts under a memory limit of 1 MiB',
  onBed((bed) => {
    bed.config.linux.resources.memory = { limit: 1 << 20 };
    const r = bed.run();
    assert.is(r.code, 0, r.stderr);
  }),
);

test(
  'a process that exceeds the memory limit is killed, and run exits with 137',
  onBed((bed) => {
    bed.config.linux.resources.memory = { limit: 16 << 20 };
    bed.config.mounts.push({ destination: '/tmp', type: 'tmpfs', source: 'x', options: [] });
    const r = bed.sh('dd if=/dev/zero of=/tmp/f bs=1M count=64');
    assert.is(r.code, 137, r.stderr);
  }),
);

test(
  'the pids limit makes a fork above it fail',
  onBed((bed) => {
    bed.config.linux.resources.pids = { limit: 3 };
    const r = bed.sh('sleep 1000 & sleep 1000 & sleep 1000 & sleep 1000 & wait');
    assert.match(r.stderr, /fork/);
  }),
);

test(
  'the error names the value that the kernel refuses, and nothing is left',
  onBed((bed) => {
    bed.config.linux.resources.cpu = { cpus: '4000' };
    const r = bed.run();
    assert.is(r.code, 1);
    assert.match(r.stderr, /cpuset\.cpus/);
  }),
);

test(
  'an existing cgroup is refused and left unchanged if it has a process or is frozen, and used if it is empty',
  onBed((bed) => {
    bed.config.linux.cgroupsPath = `/${bed.id}-there`;
    const other = spawn('sleep', ['1000'], { stdio: 'ignore' });
    const [pids, freezer] = ['pids', 'freezer'].map((c) => `/sys/fs/cgroup/${c}/${bed.id}-there`) as [string, string];
    try {
      mkdirSync(pids);
      writeFileSync(join(pids, 'cgroup.procs'), String(other.pid));
      const busy = bed.run();
      assert.is(busy.code, 1);
      assert.match(
        busy.stderr,
        `the container's cgroup is not empty: ${pids}\n  at  /linux/cgroupsPath in config.json`,
      );
      assert.match(busy.stderr, `fix end process ${other.pid}`);
      assert.is(readFileSync(join(pids, 'cgroup.procs'), 'utf8'), `${other.pid}\n`);
      assert.equal(cgroupsNamed(bed.id), [pids]);
      writeFileSync('/sys/fs/cgroup/pids/cgroup.procs', String(other.pid));
      mkdirSync(freezer);
      writeFileSync(join(freezer, 'freezer.state'), 'FROZEN');
      assert.match(bed.run().stderr, `container's cgroup unexpectedly frozen: ${freezer}`);
      writeFileSync(join(freezer, 'freezer.state'), 'THAWED');
      assert.is(bed.run().code, 0);
    } finally {
      other.kill('SIGKILL');
      for (const path of cgroupsNamed(bed.id)) rmdirSync(path);
    }
  }),
);

onDisk(
  'block I/O limits are written to the blkio hierarchy',
  onBed((bed) => {
    const { major, minor } = disk()!;
    bed.config.linux.resources = { blockIO: { throttleReadBpsDevice: [{ major, minor, rate: 1048576 }] } };
    bed.started();
    const limits = `/sys/fs/cgroup/blkio/${bed.id}/blkio.throttle.read_bps_device`;
    assert.is(readFileSync(limits, 'utf8').trim(), `${major}:${minor} 1048576`);
    bed.delete('--force');
  }),
);

realTime(
  'real-time limits are written to the cgroup and to new parents',
  onBed((bed) => {
    bed.config.linux.cgroupsPath = `/${bed.id}-up/inner`;
    bed.config.linux.resources = { cpu: { realtimePeriod: 500000, realtimeRuntime: 1000 } };
    bed.started();
    const up = (file: string) => readFileSync(`/sys/fs/cgroup/cpu/${bed.id}-up/${file}`, 'utf8').trim();
    assert.equal([up('cpu.rt_period_us'), up('cpu.rt_runtime_us')], ['500000', '1000']);
    assert.equal([up('inner/cpu.rt_period_us'), up('inner/cpu.rt_runtime_us')], ['500000', '1000']);
    bed.delete('--force');
    for (const path of cgroupsNamed(bed.id)) rmdirSync(path);
  }),
);

test(
  'on hybrid, huge pages are limited in the v2 hierarchy, and the error names an unsupported page size',
  onBed((bed) => {
    const controllers = '/sys/fs/cgroup/unified/cgroup.controllers';
    if (!existsSync(controllers) || !readFileSync(controllers, 'utf8').includes('hugetlb')) return;
    const given = '/sys/fs/cgroup/unified/cgroup.subtree_control';
    const before = readFileSync(given, 'utf8');
    try {
      bed.config.linux.resources.hugepageLimits = [{ pageSize: '2MB', limit: 4 << 20 }];
      bed.started();
      const own = cgroupsNamed(bed.id).find((path) => path.startsWith('/sys/fs/cgroup/unified/'))!;
      for (const file of ['hugetlb.2MB.max', 'hugetlb.2MB.rsvd.max']) {
        assert.is(readFileSync(join(own, file), 'utf8'), `${4 << 20}\n`);
      }
      bed.delete('--force');
      bed.config.linux.resources.hugepageLimits = [{ pageSize: '7MB', limit: 0 }];
      const r = bed.run();
      assert.is(r.code, 1);
      assert.match(r.stderr, 'hugetlb.7MB.max: ENOENT');
      assert.match(r.stderr, '/linux/resources/hugepageLimits/0/limit');
      assert.match(r.stderr, 'the kernel has no huge pages of this size');
    } finally {
      // Restore the machine's setting: other tests read which controllers the hierarchy delegates.
      if (!before.includes('hugetlb')) writeFileSync(given, '-hugetlb');
    }
  }),
);

test(
  'delete leaves an existing parent cgroup',
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
onDisk.run();
realTime.run();
