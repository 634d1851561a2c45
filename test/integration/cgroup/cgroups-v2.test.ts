/**
 * Cgroups on v2 with its controllers (hack/vm): the directory, its processes, the values of its files, the device
 * filter.
 */
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { cgroupsNamed } from '../../leaks/leftovers.js';
import { type Bed, needing, onBed } from '../bed/bed.js';

const test = needing('cgroups-v2', 'root', 'cgroup-v2');

/** The container's directory. */
function dir(bed: Bed): string {
  const found = cgroupsNamed(bed.id);
  if (found.length !== 1) throw new Error(`cgroups of ${bed.id}: ${found.join(', ') || 'none'}`);
  return found[0]!;
}

const value = (bed: Bed, file: string): string => readFileSync(join(dir(bed), file), 'utf8').trim();
test(
  'the process is alone in a cgroup of its own',
  onBed((bed) => {
    const pid = bed.started();
    assert.match(readFileSync(`/proc/${pid}/cgroup`, 'utf8'), new RegExp(`^0::/.*/${bed.id}\n$`));
    assert.is(value(bed, 'cgroup.procs'), String(pid));
    assert.is(value(bed, 'cgroup.type'), 'domain');
    for (const controller of ['cpu', 'io', 'memory', 'pids']) {
      assert.ok(value(bed, 'cgroup.controllers').split(' ').includes(controller), controller);
    }
    bed.delete('--force');
  }),
);

test(
  "limits of memory, cpu and pids are converted from v1's units and written to v2's files",
  onBed((bed) => {
    bed.config.linux.resources = {
      memory: { limit: 64 << 20, reservation: 32 << 20 },
      cpu: { shares: 1024, quota: 50000, period: 100000 },
      pids: { limit: 77 },
    };
    bed.started();
    assert.is(value(bed, 'memory.max'), String(64 << 20));
    assert.is(value(bed, 'memory.low'), String(32 << 20));
    assert.is(value(bed, 'cpu.weight'), '100');
    assert.is(value(bed, 'cpu.max'), '50000 100000');
    assert.is(value(bed, 'pids.max'), '77');
    bed.delete('--force');
  }),
);

test(
  '`unified` is written last and overrides other limits',
  onBed((bed) => {
    bed.config.linux.resources = {
      pids: { limit: 77 },
      unified: { 'pids.max': '78', 'memory.high': String(48 << 20), 'cgroup.max.depth': '3' },
    };
    bed.started();
    assert.is(value(bed, 'pids.max'), '78');
    assert.is(value(bed, 'memory.high'), String(48 << 20));
    assert.is(value(bed, 'cgroup.max.depth'), '3');
    bed.delete('--force');
  }),
);

test(
  "the device filter allows the default devices and the config's, and denies a node of any other device",
  onBed((bed) => {
    // Number 240 has no driver: opening it fails with ENXIO if the filter allows it, else with EPERM.
    bed.config.linux.devices = [
      { path: '/dev/denied', type: 'c', major: 240, minor: 1 },
      { path: '/dev/allowed', type: 'c', major: 240, minor: 2 },
    ];
    bed.config.linux.resources = {
      devices: [
        { allow: false, access: 'rwm' },
        { allow: true, type: 'c', major: 240, minor: 2, access: 'rw' },
      ],
    };
    const said = bed.sh(
      'for f in null denied allowed; do cat /dev/$f 2>&1 </dev/null && echo "$f read"; done; true',
    ).stdout;
    assert.match(said, /null read/);
    assert.match(said, /denied.*not permitted/);
    assert.match(said, /allowed.*No such device or address/);
  }),
);

test(
  "inside, /sys/fs/cgroup is the container's own cgroup, read-only",
  onBed((bed) => {
    // Without a cgroup namespace it is the host's whole tree, as under runc.
    bed.config.linux.namespaces.push({ type: 'cgroup' });
    bed.config.linux.resources.pids = { limit: 33 };
    assert.is(
      bed.out(
        'cat /sys/fs/cgroup/pids.max; head -n1 /sys/fs/cgroup/cgroup.procs; ( echo 1 >/sys/fs/cgroup/pids.max ) 2>/dev/null || echo refused',
      ),
      '33\n1\nrefused\n',
    );
  }),
);

test(
  'an absolute cgroupsPath starts at the root, and its parents are made with the controllers enabled',
  onBed((bed) => {
    bed.config.linux.cgroupsPath = `/${bed.id}-up/inner`;
    bed.config.linux.resources.memory = { limit: 64 << 20 };
    const pid = bed.started();
    const top = `/sys/fs/cgroup/${bed.id}-up`;
    assert.is(readFileSync(`${top}/inner/cgroup.procs`, 'utf8').trim(), String(pid));
    assert.is(readFileSync(`${top}/inner/memory.max`, 'utf8').trim(), String(64 << 20));
    assert.is(bed.delete('--force').code, 0);
    assert.not.ok(existsSync(`${top}/inner`));
    // Parents stay, as with every runtime: they may belong to another program.
    rmdirSync(top);
  }),
);

test(
  'an existing cgroup is refused and left unchanged if it has a process or is frozen, and used if it is empty',
  onBed((bed) => {
    bed.config.linux.cgroupsPath = `/${bed.id}-there`;
    const there = `/sys/fs/cgroup/${bed.id}-there`;
    const other = spawn('sleep', ['1000'], { stdio: 'ignore' });
    try {
      mkdirSync(there);
      writeFileSync(join(there, 'cgroup.procs'), String(other.pid));
      const busy = bed.run();
      assert.is(busy.code, 1);
      assert.match(
        busy.stderr,
        `the container's cgroup is not empty: ${there}\n  at  /linux/cgroupsPath in config.json`,
      );
      assert.match(busy.stderr, `fix end process ${other.pid}`);
      assert.is(readFileSync(join(there, 'cgroup.procs'), 'utf8'), `${other.pid}\n`);
      writeFileSync('/sys/fs/cgroup/cgroup.procs', String(other.pid));
      writeFileSync(join(there, 'cgroup.freeze'), '1');
      assert.match(bed.run().stderr, `container's cgroup unexpectedly frozen: ${there}`);
      writeFileSync(join(there, 'cgroup.freeze'), '0');
      assert.is(bed.run().code, 0);
    } finally {
      other.kill('SIGKILL');
      for (const path of cgroupsNamed(bed.id)) rmdirSync(path);
    }
  }),
);

test(
  'below a cgroup with processes, a container without limits runs and one with a limit is refused',
  onBed((bed) => {
    const parent = `/sys/fs/cgroup/${bed.id}-busy`;
    const home = `/sys/fs/cgroup${readFileSync('/proc/self/cgroup', 'utf8').trim().slice(3)}`;
    mkdirSync(parent);
    writeFileSync(`${parent}/cgroup.procs`, String(process.pid));
    try {
      bed.config.linux.cgroupsPath = `/${bed.id}-busy/inner`;
      bed.config.linux.resources = {};
      assert.is(bed.run().code, 0);
      assert.is(readFileSync(`${parent}/cgroup.type`, 'utf8'), 'domain\n');
      bed.config.linux.resources = { pids: { limit: 9 } };
      const r = bed.run();
      assert.is(r.code, 1);
      assert.match(r.stderr, /EBUSY/);
      assert.match(r.stderr, /cgroup\.subtree_control/);
      assert.not.ok(existsSync(`${parent}/inner`));
    } finally {
      writeFileSync(`${home}/cgroup.procs`, String(process.pid));
      rmdirSync(parent);
    }
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
    bed.config.linux.resources.unified = { 'memory.max': 'much' };
    const r = bed.run();
    assert.is(r.code, 1);
    assert.match(r.stderr, /memory\.max/);
    assert.match(r.stderr, /\/linux\/resources\/unified/);
  }),
);

test(
  'the error names a controller that the kernel does not have',
  onBed((bed) => {
    bed.config.linux.resources.unified = { 'nothing.max': '1' };
    const r = bed.run();
    assert.is(r.code, 1);
    assert.match(r.stderr, /nothing/);
  }),
);

test.run();
