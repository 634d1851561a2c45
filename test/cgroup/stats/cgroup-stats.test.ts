/** Statistics from directories of files as kernels write them: v2 with every controller, v1 with the disk formats. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { CgroupFacts } from '../../../src/cgroup/cgroup-facts.js';
import { readStats } from '../../../src/cgroup/stats/cgroup-stats.js';
import { statsJson } from '../../../src/cgroup/stats/stats-json.js';
import type { Stats } from '../../../src/cgroup/stats/stats-types.js';
import { toJson } from '../../../src/spec/json/exact-json.js';
import { useNodeHost } from '../../../src/sys/node-host.js';

useNodeHost([]);
const dir = mkdtempSync(join(tmpdir(), 'runt-stats-'));
test.after(() => rmSync(dir, { recursive: true }));

/** Writes the files of one cgroup. @returns its path */
function cgroup(path: string, files: Record<string, string>): string {
  const full = join(dir, path);
  mkdirSync(full, { recursive: true });
  for (const [name, text] of Object.entries(files)) writeFileSync(join(full, name), text);
  return full;
}

const psi = 'some avg10=1.50 avg60=0.25 avg300=0.00 total=275585198\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=12\n';
const v2Files = {
  'cpu.stat':
    'usage_usec 1234567\nuser_usec 1000000\nsystem_usec 234567\nnr_periods 10\nnr_throttled 3\nthrottled_usec 4500\nnr_bursts 2\nburst_usec 7\n',
  'cpu.pressure': psi,
  'cpuset.cpus.effective': '0-2,5\n',
  'cpuset.mems.effective': '0\n',
  'memory.current': '1048576\n',
  'memory.max': '67108864\n',
  'memory.peak': '2097152\n',
  'memory.swap.current': '4096\n',
  'memory.swap.max': '8192\n',
  'memory.swap.peak': '6000\n',
  'memory.swap.events': 'high 0\nmax 2\nfail 0\n',
  'memory.events': 'low 0\nhigh 0\nmax 7\noom 1\noom_kill 1\noom_group_kill 0\n',
  'memory.stat': 'anon 4096\nfile 8192\npgfault 18446744073709551615\n',
  'pids.current': '3\n',
  'pids.max': '32\n',
  'io.stat': '8:16 rbytes=1459200 wbytes=314773504 rios=192 wios=353 dbytes=0 dios=0\n8:0 \n',
  'io.pressure': psi,
  'hugetlb.2MB.current': '4194304\n',
  'hugetlb.2MB.max': 'max\n',
  'hugetlb.2MB.events': 'max 4\n',
  'hugetlb.1GB.current': '0\n',
  'hugetlb.1GB.max': '1073741824\n',
  'rdma.current': 'mlx4_0 hca_handle=2 hca_object=2000\n',
  'rdma.max': 'mlx4_0 hca_handle=3 hca_object=max\n',
};
const facts = (layout: CgroupFacts['layout'], rest: Partial<CgroupFacts>): CgroupFacts => ({ layout, v1: [], ...rest });
const v2Facts = facts('v2', { unified: { mountPoint: dir, own: '/', controllers: [] } });
const line = { avg10: 1.5, avg60: 0.25, avg300: 0, total: 275585198 };
const pressure = { some: line, full: { avg10: 0, avg60: 0, avg300: 0, total: 12 } };

test('v2 statistics have the values of every controller', () => {
  const stats = readStats(v2Facts, [cgroup('v2', v2Files)]);
  const wanted: Stats = {
    cpu: {
      total: 1234567000,
      user: 1000000000,
      kernel: 234567000,
      throttling: { periods: 10, throttledPeriods: 3, throttledTime: 4500000 },
      bursts: { periods: 2, time: 7000 },
      pressure,
    },
    cpuset: { cpus: [0, 1, 2, 5], mems: [0], flags: {} },
    memory: {
      usage: { usage: 1048576, max: 2097152, limit: 67108864, failures: 7 },
      swap: { usage: 1052672, limit: 67117056, failures: 2 },
      swapAlone: { usage: 4096, max: 6000, limit: 8192 },
      cache: 8192,
      raw: { anon: 4096, file: 8192, pgfault: 18446744073709551615n },
      events: { low: 0, high: 0, max: 7, oom: 1, oom_kill: 1, oom_group_kill: 0 },
    },
    pids: { current: 3, limit: 32 },
    io: {
      tables: {
        io_service_bytes: [
          { major: 8, minor: 16, operation: 'Read', value: 1459200 },
          { major: 8, minor: 16, operation: 'Write', value: 314773504 },
          { major: 8, minor: 16, operation: 'Discard', value: 0 },
        ],
        io_serviced: [
          { major: 8, minor: 16, operation: 'Read', value: 192 },
          { major: 8, minor: 16, operation: 'Write', value: 353 },
          { major: 8, minor: 16, operation: 'Discard', value: 0 },
        ],
      },
      pressure,
    },
    hugepages: { '2MB': { usage: 4194304, failures: 4 }, '1GB': { usage: 0, limit: 1073741824, failures: 0 } },
    rdma: { mlx4_0: { handles: { current: 2, limit: 3 }, objects: { current: 2000 } } },
  };
  assert.equal({ ...stats, hugepages: undefined }, { ...wanted, hugepages: undefined });
  assert.equal(stats.hugepages?.['2MB'], wanted.hugepages!['2MB']);
  assert.equal(stats.hugepages?.['1GB'], wanted.hugepages!['1GB']);
});

test('v2 statistics leave out what the kernel does not report', () => {
  const stats = readStats(v2Facts, [cgroup('bare', { 'cpu.stat': 'usage_usec 5\nuser_usec 3\nsystem_usec 2\n' })]);
  assert.equal(stats, {
    cpu: {
      total: 5000,
      user: 3000,
      kernel: 2000,
      throttling: { periods: 0, throttledPeriods: 0, throttledTime: 0 },
    },
  });
  assert.equal(readStats(v2Facts, []), {});
});

test('events on v2 prints 2^64-1 for no limit, and counts memory in swap', () => {
  const path = cgroup('unlimited', { 'memory.current': '4096\n', 'memory.max': 'max\n', 'memory.swap.max': 'max\n' });
  const json = JSON.parse(toJson(statsJson(readStats(v2Facts, [path]))).replaceAll('18446744073709551615', '"most"'));
  assert.equal(json.memory, {
    usage: { limit: 'most', usage: 4096, failcnt: 0 },
    swap: { limit: 'most', usage: 4096, failcnt: 0 },
    kernel: { limit: 0, failcnt: 0 },
    kernelTCP: { limit: 0, failcnt: 0 },
  });
  assert.equal(json.cpu, { usage: { kernel: 0, user: 0 }, throttling: {} });
  assert.equal([json.pids, json.blkio, json.hugetlb, json.network_interfaces], [{}, {}, {}, null]);
  assert.is(json.cpuset.sched_relax_domain_level, 0);
});

test('events on v2 prints pressure, devices and huge pages', () => {
  const json = statsJson(readStats(v2Facts, [cgroup('v2', v2Files)])) as Record<string, Record<string, unknown>>;
  assert.equal(json.cpu!.psi, pressure);
  assert.equal(json.blkio!.ioServicedRecursive, [
    { major: 8, minor: 16, op: 'Read', value: 192 },
    { major: 8, minor: 16, op: 'Write', value: 353 },
    { major: 8, minor: 16, op: 'Discard', value: undefined },
  ]);
  assert.equal(json.hugetlb!['2MB'], { usage: 4194304, max: undefined, failcnt: 4 });
  assert.equal(json.pids, { current: 3, limit: 32 });
});

test('v1 statistics parse the tables of disks, huge pages and RDMA, from the first I/O scheduler with values', () => {
  const hierarchy = (...controllers: string[]) => ({
    mountPoint: join(dir, 'v1', controllers.join(',')),
    root: '/',
    controllers,
    own: '/',
  });
  const host = facts('v1', {
    v1: [hierarchy('blkio'), hierarchy('hugetlb'), hierarchy('rdma'), hierarchy('cpu', 'cpuacct')],
  });
  const paths = [
    cgroup('v1/blkio/box', {
      'blkio.bfq.io_service_bytes_recursive': 'Total 0\n',
      'blkio.throttle.io_service_bytes_recursive': '8:0 Read 4096\n8:0 Total 4096\nTotal 4096\n',
      'blkio.sectors_recursive': '8:0 77\n',
    }),
    cgroup('v1/hugetlb/box', {
      'hugetlb.2MB.usage_in_bytes': '2097152\n',
      'hugetlb.2MB.max_usage_in_bytes': '4194304\n',
      'hugetlb.2MB.failcnt': '9\n',
    }),
    cgroup('v1/rdma/box', {
      'rdma.current': 'mlx4_0 hca_handle=2 hca_object=2000\n',
      'rdma.max': 'mlx4_0 hca_handle=max hca_object=max\n',
    }),
    cgroup('v1/cpu,cpuacct/box', {
      'cpu.stat': 'nr_periods 4\nnr_throttled 2\nthrottled_time 123\n',
      'cpuacct.stat': 'user 7\nsystem 2\n',
      'cpuacct.usage': '95000000\n',
      'cpuacct.usage_percpu': '90000000 5000000 \n',
      'cpuacct.usage_all': 'cpu user system\n0 70000000 20000000\n1 0 5000000\n',
    }),
  ];
  const stats = readStats(host, paths);
  assert.equal(stats.io!.tables, {
    io_service_bytes: [
      { major: 8, minor: 0, operation: 'Read', value: 4096 },
      { major: 8, minor: 0, operation: 'Total', value: 4096 },
    ],
    sectors: [{ major: 8, minor: 0, operation: '', value: 77 }],
  });
  assert.equal(stats.hugepages, { '2MB': { usage: 2097152, max: 4194304, failures: 9 } });
  assert.equal(stats.rdma, { mlx4_0: { handles: { current: 2 }, objects: { current: 2000 } } });
  assert.equal(stats.cpu, {
    total: 95000000,
    user: 70000000,
    kernel: 20000000,
    each: { total: [90000000, 5000000], user: [70000000, 0], kernel: [20000000, 5000000] },
    throttling: { periods: 4, throttledPeriods: 2, throttledTime: 123 },
  });
  assert.is(stats.memory, undefined);
});

test.run();
