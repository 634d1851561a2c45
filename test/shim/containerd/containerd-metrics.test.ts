/** Statistics as the messages that containerd's clients decode. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Stats } from '../../../src/cgroup/stats/stats-types.js';
import { toWide, v1Metrics, v2Metrics } from '../../../src/shim/containerd/containerd-metrics.js';
import { cgroup1, cgroup2 } from '../../../src/shim/transport/protos.js';

const stats: Stats = {
  cpu: {
    total: 5_000_000,
    user: 3_000_000,
    kernel: 2_000_000,
    each: { total: [1, 2], user: [], kernel: [] },
    throttling: { periods: 1, throttledPeriods: 2, throttledTime: 3000 },
    bursts: { periods: 4, time: 5000 },
    pressure: { some: { avg10: 1.5, avg60: 0.25, avg300: 0, total: 2 ** 40 } },
  },
  memory: {
    usage: { usage: 4096, max: 8192, limit: 2n ** 63n - 4096n, failures: 1 },
    swap: { usage: 5000, failures: 0 },
    swapAlone: { usage: 904, max: 1000 },
    cache: 0,
    raw: { cache: 7, pgpgin: 8, pgmajfault: 9, total_rss_huge: 10, hierarchical_memsw_limit: 11, file_mapped: 12 },
    events: { low: 1, high: 2, max: 3, oom: 4, oom_kill: 5, oom_group_kill: 6, under_oom: 1, sock_throttled: 9 },
    pressure: { full: { avg10: 0, avg60: 0, avg300: 2, total: 7 } },
  },
  pids: { current: 3, limit: 100 },
  io: {
    tables: {
      io_service_bytes: [
        { major: 8, minor: 0, operation: 'Read', value: 512 },
        { major: 8, minor: 0, operation: 'Write', value: 1024 },
      ],
    },
    pressure: { some: { avg10: 3, avg60: 0, avg300: 0, total: 8 } },
  },
  hugepages: { '2MB': { usage: 1, max: 2, limit: 4, failures: 3 }, '1GB': { usage: 0, failures: 0 } },
  rdma: { mlx4_0: { handles: { current: 2, limit: 3 }, objects: { current: 2000 } } },
};
const rdma = {
  current: [{ device: 'mlx4_0', hcaHandles: 2, hcaObjects: 2000 }],
  limit: [{ device: 'mlx4_0', hcaHandles: 3, hcaObjects: 2 ** 32 - 1 }],
};
const plain = (message: unknown): unknown => JSON.parse(JSON.stringify(message));
const decodeV2 = (s: Stats): cgroup2.Metrics => cgroup2.Metrics.decode(cgroup2.Metrics.encode(v2Metrics(s)).finish());

test('v1 metrics have every value in its field, with exact limits beyond 2^53', () => {
  const m = cgroup1.Metrics.decode(cgroup1.Metrics.encode(v1Metrics(stats, new Map([['8:0', '/dev/sda']]))).finish());
  assert.equal(
    [m.pids?.current, m.pids?.limit, m.cpu?.usage?.total, m.cpu?.usage?.perCpu],
    [3, 100, 5_000_000, [1, 2]],
  );
  assert.is(m.memory?.usage?.limit, 2 ** 63 - 4096);
  assert.equal(
    [m.memory?.cache, m.memory?.pgPgIn, m.memory?.pgMajFault, m.memory?.totalRssHuge, m.memory?.hierarchicalSwapLimit],
    [7, 8, 9, 10, 11],
  );
  assert.equal([m.memory?.usage?.failcnt, m.hugetlb?.[0]?.pagesize, m.hugetlb?.[0]?.max], [1, '2MB', 2]);
  assert.equal(plain(m.memoryOomControl), { underOom: 1, oomKill: 5 });
  assert.equal(plain(m.rdma), rdma);
  assert.equal(
    m.blkio?.ioServiceBytesRecursive?.map((e) => [e.op, e.device, e.major, e.value]),
    [
      ['Read', '/dev/sda', 8, 512],
      ['Write', '/dev/sda', 8, 1024],
    ],
  );
});

test('v2 metrics are in µs, the largest number means no limit, and a device has reads and writes together', () => {
  const m = decodeV2(stats);
  assert.equal([m.cpu?.usageUsec, m.cpu?.userUsec, m.cpu?.throttledUsec], [5000, 3000, 3]);
  assert.equal([m.memory?.usage, m.memory?.fileMapped, m.memory?.swapUsage, m.memory?.maxUsage], [4096, 12, 904, 8192]);
  assert.equal([m.memory?.swapLimit, m.memory?.swapMaxUsage], [2 ** 64, 1000]);
  assert.is(decodeV2({ pids: { current: 1 } }).pids?.limit, 2 ** 64);
  assert.equal(
    m.io?.usage?.map((e) => [e.major, e.rbytes, e.wbytes]),
    [[8, 512, 1024]],
  );
});

test('v2 metrics have pressure, bursts, events of the memory, limits of huge pages and of RDMA', () => {
  const m = decodeV2(stats);
  assert.equal(plain(m.cpu?.psi), { some: { avg10: 1.5, avg60: 0.25, total: 2 ** 40 } });
  assert.equal(plain(m.memory?.psi), { full: { avg300: 2, total: 7 } });
  assert.equal([m.io?.psi?.some?.avg10, m.io?.psi?.some?.total], [3, 8]);
  assert.equal([m.cpu?.nrBursts, m.cpu?.burstUsec], [4, 5]);
  assert.equal(plain(m.memoryEvents), { low: 1, high: 2, max: 3, oom: 4, oomKill: 5, oomGroupKill: 6 });
  assert.equal(plain(m.hugetlb), [
    { current: 1, max: 4, pagesize: '2MB', failcnt: 3 },
    { max: 2 ** 64, pagesize: '1GB' },
  ]);
  assert.equal(plain(m.rdma), rdma);
});

test('v2 metrics have no part for what the kernel does not report', () => {
  assert.equal(plain(decodeV2({})), { hugetlb: [] });
  const { cpu, memory } = stats;
  const { pressure: _, bursts: __, ...bareCpu } = cpu!;
  const { pressure: ___, swapAlone: ____, ...bareMemory } = memory!;
  const bare = decodeV2({ cpu: bareCpu, memory: { ...bareMemory, events: {} }, io: { tables: {} } });
  assert.equal([bare.cpu?.psi, bare.memory?.psi, bare.io?.psi, bare.memoryEvents, bare.rdma], Array(5).fill(null));
  assert.equal(plain(bare.io), { usage: [] });
  assert.is(Object.hasOwn(bare.memory!, 'swapLimit'), false);
});

test('wide passes safe integers unchanged, and larger ones as 64 bits', () => {
  assert.is(toWide(undefined), 0);
  assert.is(toWide(2 ** 53 - 1), 2 ** 53 - 1);
  assert.equal(toWide(2n ** 64n - 1n) as unknown, { low: -1, high: -1, unsigned: true });
});

test.run();
