/**
 * Limits, `update` and `events` on v2 alone: the values in the files, what the device filter allows, runc's numbers.
 */
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { readCgroupFacts } from '../../../src/cgroup/cgroup-facts.js';
import { readStats } from '../../../src/cgroup/stats/cgroup-stats.js';
import { statsJson } from '../../../src/cgroup/stats/stats-json.js';
import { toJson } from '../../../src/spec/json/exact-json.js';
import { useNodeHost } from '../../../src/sys/node-host.js';
import { cgroupsNamed } from '../../leaks/leftovers.js';
import { type Bed, eventually, needing, onBed, type Result } from '../bed/bed.js';
import { disk } from '../bed/needs.js';

const test = needing('limits on v2', 'root', 'cgroup-v2');
const onDisk = needing('limits of a disk on v2', 'root', 'cgroup-v2', 'disk');
const withRunc = needing('events on v2 beside runc', 'root', 'cgroup-v2', 'runc');
const bursting = needing('bursts on v2', 'root', 'cgroup-v2', 'linux-5.15');
useNodeHost([]);
const MiB = 1 << 20;

const value = (bed: Bed, file: string): string => readFileSync(join(cgroupsNamed(bed.id)[0]!, file), 'utf8').trim();
function done(bed: Bed, ...flags: string[]): void {
  const r = bed.runt(['update', ...flags, bed.id]);
  assert.equal([r.code, r.stdout, r.stderr], [0, '', ''], flags.join(' '));
}
const apply = (bed: Bed, resources: unknown): Result =>
  bed.runt(['update', '--resources=-', bed.id], { input: JSON.stringify(resources) });

test(
  'update --memory alone does not change the limit of memory plus swap, as with runc',
  onBed((bed) => {
    bed.config.linux.resources.memory = { limit: 64 * MiB, swap: 128 * MiB };
    bed.started();
    const now = () => ['memory.max', 'memory.swap.max'].map((f) => Number(value(bed, f)) / MiB);
    assert.equal(now(), [64, 64]);
    done(bed, '--memory=96m');
    assert.equal(now(), [96, 32]);
    done(bed, '--memory=128m');
    assert.equal(now(), [128, 0]);
    const r = bed.runt(['update', '--memory=129m', bed.id]);
    assert.is(r.code, 1);
    assert.match(r.stderr, /above the limit of memory and swap together, 134217728/);
    assert.equal(now(), [128, 0]);
    done(bed, '--memory=32m');
    assert.equal(now(), [32, 96]);
    bed.delete('--force');
  }),
);

test(
  'create and update set cpu.idle, and refuse shares for an idle cgroup',
  onBed((bed) => {
    bed.config.linux.resources.cpu = { idle: 1, shares: 1024 };
    bed.started();
    assert.is(value(bed, 'cpu.idle'), '1');
    const refused = apply(bed, { cpu: { shares: 2048 } });
    assert.is(refused.code, 1);
    assert.match(refused.stderr, 'set cpu.idle to 0 too');
    assert.is(apply(bed, { cpu: { idle: 0, shares: 2048 } }).code, 0);
    assert.equal([value(bed, 'cpu.idle'), value(bed, 'cpu.weight')], ['0', '174']);
    bed.delete('--force');
  }),
);

test(
  'a `unified` value may have several lines, and an empty one is refused',
  onBed((bed) => {
    bed.config.linux.resources.unified = { 'pids.max': '33\n\n44\n' };
    bed.started();
    assert.is(value(bed, 'pids.max'), '44');
    assert.is(apply(bed, { unified: { 'memory.high': '50000000\n60000000' } }).code, 0);
    assert.is(value(bed, 'memory.high'), String(60_000_000 - (60_000_000 % 4096)));
    const r = apply(bed, { unified: { 'memory.high': '' } });
    assert.is(r.code, 1);
    assert.match(r.stderr, '/unified/memory.high');
    bed.delete('--force');
  }),
);

test(
  'update sets memory, swap, cpu and pids, and leaves limits that are not given',
  onBed((bed) => {
    bed.started();
    done(bed, '--memory=64m', '--memory-swap=128m', '--memory-reservation=16m', '--cpu-quota=50000', '--pids-limit=55');
    assert.equal(
      ['memory.max', 'memory.swap.max', 'memory.low', 'cpu.max', 'pids.max'].map((f) => value(bed, f)),
      [String(64 * MiB), String(64 * MiB), String(16 * MiB), '50000 100000', '55'],
    );
    done(bed, '--cpu-period=50000', '--cpu-share=1024', '--memory-swap=80m');
    assert.equal(
      ['cpu.max', 'cpu.weight', 'memory.swap.max', 'pids.max'].map((f) => value(bed, f)),
      ['50000 50000', '100', String(16 * MiB), '55'],
    );
    done(bed, '--memory=-1', '--cpu-quota=-1', '--pids-limit=-1');
    assert.equal(
      ['memory.max', 'memory.swap.max', 'cpu.max', 'pids.max'].map((f) => value(bed, f)),
      ['max', 'max', 'max 50000', 'max'],
    );
    assert.is(apply(bed, { unified: { 'memory.high': '33554432' } }).code, 0);
    assert.is(value(bed, 'memory.high'), '33554432');
    bed.delete('--force');
  }),
);

test(
  'update changes nothing if one limit is refused, and its error names the limit',
  onBed((bed) => {
    bed.started();
    done(bed, '--pids-limit=55', '--cpu-quota=50000');
    const r = apply(bed, { pids: { limit: 66 }, cpu: { quota: 70000 }, unified: { 'memory.high': 'plenty' } });
    assert.is(r.code, 1);
    assert.match(r.stderr, /^runt: update .*: write "plenty" to .*\/memory\.high: EINVAL/);
    assert.match(r.stderr, '\n  at  /unified/memory.high in standard input  "plenty"\n');
    assert.match(r.stderr, 'nothing was changed');
    assert.equal([value(bed, 'pids.max'), value(bed, 'cpu.max')], ['55', '50000 100000']);
    assert.match(apply(bed, { network: { classID: 5 } }).stderr, '  at  /network/classID in standard input  5\n');
    assert.match(apply(bed, { memory: { swappiness: 5 } }).stderr, '/memory/swappiness');
    assert.match(apply(bed, { memory: { swap: 5 } }).stderr, '/memory/swap');
    bed.delete('--force');
  }),
);

bursting(
  'update sets cpu.max.burst and cpu.idle',
  onBed((bed) => {
    bed.started();
    done(bed, '--cpu-quota=50000', '--cpu-burst=10000');
    assert.is(value(bed, 'cpu.max.burst'), '10000');
    done(bed, '--cpu-burst=0', '--cpu-idle=1');
    assert.equal([value(bed, 'cpu.max.burst'), value(bed, 'cpu.idle')], ['0', '1']);
    done(bed, '--cpu-idle=0', '--cpu-share=2048');
    const before = value(bed, 'cpu.weight');
    const r = apply(bed, { cpu: { idle: 1 }, unified: { 'memory.high': 'many' } });
    assert.is(r.code, 1);
    assert.match(r.stderr, 'nothing was changed');
    assert.equal([value(bed, 'cpu.idle'), value(bed, 'cpu.weight')], ['0', before], 'the kernel resets the weight');
    bed.delete('--force');
  }),
);

test(
  'update replaces the device filter, both to allow and to deny a device',
  onBed(async (bed) => {
    // /dev/kmsg, which the device filter allows or denies.
    for (const set of ['bounding', 'effective', 'permitted'] as const)
      bed.config.process.capabilities![set]!.push('CAP_SYSLOG');
    bed.config.linux.devices = [{ path: '/dev/probe', type: 'c', major: 1, minor: 11, fileMode: 0o666 }];
    bed.started([
      '/bin/sh',
      '-c',
      'while sleep 0.05; do if ( : </dev/probe ) 2>/dev/null; then echo yes; else echo no; fi; done',
    ]);
    const last = () => bed.stdout().trim().split('\n').at(-1);
    const kmsg = { allow: true, type: 'c', major: 1, minor: 11, access: 'rw' };
    await eventually('denied', () => last() === 'no');
    for (const _ of [1, 2]) {
      assert.is(apply(bed, { devices: [{ allow: false }, kmsg] }).code, 0);
      await eventually('allowed', () => last() === 'yes');
      assert.is(apply(bed, { devices: [{ allow: false }] }).code, 0);
      await eventually('denied again', () => last() === 'no');
    }
    bed.delete('--force');
  }),
);

onDisk(
  'create and update set io.max of a disk',
  onBed((bed) => {
    const { major, minor } = disk()!;
    const device = `${major}:${minor}`;
    bed.config.linux.resources.blockIO = { throttleReadBpsDevice: [{ major, minor, rate: 1048576 }] };
    bed.started();
    assert.is(value(bed, 'io.max'), `${device} rbps=1048576 wbps=max riops=max wiops=max`);
    assert.is(
      apply(bed, {
        blockIO: {
          throttleReadBpsDevice: [{ major, minor, rate: 0 }],
          throttleWriteIOPSDevice: [{ major, minor, rate: 7 }],
        },
      }).code,
      0,
    );
    assert.is(value(bed, 'io.max'), `${device} rbps=max wbps=max riops=max wiops=7`);
    bed.delete('--force');
  }),
);

test(
  'events reports the values of the files and an out-of-memory kill, and ends with the container',
  onBed(async (bed) => {
    bed.config.linux.resources.memory = { limit: 16 * MiB, swap: 16 * MiB };
    bed.config.mounts.push({ destination: '/tmp', type: 'tmpfs', source: 'x', options: [] });
    bed.config.process.args = ['/bin/sh', '-c', 'dd if=/dev/zero of=/tmp/f bs=1M count=64 2>/dev/null; sleep 1000'];
    assert.is(bed.create().code, 0);
    const { data } = JSON.parse(bed.runt(['events', '--stats', bed.id]).stdout);
    assert.is(data.memory.usage.limit, 16 * MiB);
    assert.is(data.memory.usage.usage, Number(value(bed, 'memory.current')));
    assert.is(data.pids.current, 1);
    const running = bed.spawn(['events', '--interval=1h', bed.id]);
    await eventually('the first line', () => running.stdout().includes('"stats"'));
    bed.start();
    await eventually('oom', () => running.stdout().includes(`{"type":"oom","id":"${bed.id}"}\n`));
    bed.delete('--force');
    assert.is((await running.exit).code, 0);
  }),
);

test(
  'create below a threaded cgroup fails, the error gives the cause, and nothing is left',
  onBed((bed) => {
    const top = `/sys/fs/cgroup/${bed.id}-threads`;
    mkdirSync(`${top}/t`, { recursive: true });
    try {
      writeFileSync(`${top}/t/cgroup.type`, 'threaded');
      bed.config.linux.cgroupsPath = `/${bed.id}-threads/box`;
      for (const resources of [{}, { memory: { limit: 64 * MiB } }]) {
        bed.config.linux.resources = resources;
        const r = bed.run();
        assert.is(r.code, 1);
        assert.match(r.stderr, /fix .*threaded/, r.stderr);
        assert.not.ok(existsSync(`${top}/box`));
      }
    } finally {
      rmdirSync(`${top}/t`);
      rmdirSync(top);
    }
  }),
);

withRunc(
  "runt reads the same statistics from the cgroup of runc's container as runc prints",
  onBed((bed) => {
    bed.config.process.args = ['/bin/sleep', '1000'];
    bed.config.linux.resources = {
      memory: { limit: 64 * MiB },
      pids: { limit: 9 },
      cpu: { quota: 50000, period: 100000 },
    };
    // Without a cgroup namespace, runc 1.1 changes the options of the host's cgroup mount (cgroup_namespaces(7)).
    bed.config.linux.namespaces.push({ type: 'cgroup' });
    bed.write();
    const runc = (...args: string[]) => bed.runt(args, { program: 'runc' });
    try {
      assert.is(runc('run', '-d', '--bundle', bed.bundle, bed.id).code, 0);
      const ask = () => runc('events', '--stats', bed.id).stdout;
      let [raw, exact] = ['', ''];
      for (let next = ask(), tries = 0; raw !== next; next = ask()) {
        assert.ok(++tries < 50, 'the numbers never rest');
        raw = next;
        exact = toJson(statsJson(readStats(readCgroupFacts(), cgroupsNamed(bed.id))));
      }
      const [theirs, ours] = [JSON.parse(raw).data, JSON.parse(exact)];
      // runc prints the cpuset on v1 only; its other parts depend on its version.
      for (const part of ['cpu', 'memory', 'pids', 'hugetlb'] as const) {
        delete ours[part].psi;
        delete theirs[part].psi;
      }
      assert.equal(ours.cpu, theirs.cpu);
      assert.equal(ours.pids, theirs.pids);
      // runc 1.1.15 prints no huge pages where the cgroup has some.
      if (Object.keys(theirs.hugetlb).length > 0) assert.equal(ours.hugetlb, theirs.hugetlb);
      for (const key of ['usage', 'limit', 'failcnt']) assert.is(ours.memory.usage[key], theirs.memory.usage[key], key);
      assert.equal(ours.memory.raw, theirs.memory.raw);
      assert.is(ours.memory.cache, theirs.memory.cache);
    } finally {
      runc('delete', '--force', bed.id);
    }
  }),
);

test.run();
onDisk.run();
bursting.run();
withRunc.run();
