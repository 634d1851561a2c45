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
  },
  memory: {
    usage: { usage: 4096, max: 8192, limit: 2n ** 63n - 4096n, failures: 1 },
    swap: { usage: 5000, failures: 0 },
    cache: 0,
    raw: { cache: 7, pgpgin: 8, pgmajfault: 9, total_rss_huge: 10, hierarchical_memsw_limit: 11, file_mapped: 12 },
    oomKills: 2,
  },
  pids: { current: 3, limit: 100 },
  io: {
    tables: {
      io_service_bytes: [
        { major: 8, minor: 0, operation: 'Read', value: 512 },
        { major: 8, minor: 0, operation: 'Write', value: 1024 },
      ],
    },
  },
  hugepages: { '2MB': { usage: 1, max: 2, failures: 3 } },
};

test('v1 metrics have every value in its field, with exact limits beyond 2^53', () => {
  const m = cgroup1.Metrics.decode(cgroup1.Metrics.encode(v1Metrics(stats)).finish());
  assert.equal(
    [m.pids?.current, m.pids?.limit, m.cpu?.usage?.total, m.cpu?.usage?.perCpu],
    [3, 100, 5_000_000, [1, 2]],
  );
  assert.is(m.memory?.usage?.limit, 2 ** 63 - 4096);
  assert.equal(
    [m.memory?.cache, m.memory?.pgPgIn, m.memory?.pgMajFault, m.memory?.totalRssHuge, m.memory?.hierarchicalSwapLimit],
    [7, 8, 9, 10, 11],
  );
  assert.equal([m.memory?.usage?.failcnt, m.memoryOomControl?.oomKill, m.hugetlb?.[0]?.pagesize], [1, 2, '2MB']);
  assert.equal(
    m.blkio?.ioServiceBytesRecursive?.map((e) => [e.op, e.major, e.value]),
    [
      ['Read', 8, 512],
      ['Write', 8, 1024],
    ],
  );
});

test('v2 metrics are in µs, the largest number means no limit, and a device has reads and writes together', () => {
  const m = cgroup2.Metrics.decode(cgroup2.Metrics.encode(v2Metrics(stats)).finish());
  assert.equal([m.cpu?.usageUsec, m.cpu?.userUsec, m.cpu?.throttledUsec], [5000, 3000, 3]);
  assert.equal([m.memory?.usage, m.memory?.fileMapped, m.memory?.swapUsage, m.memory?.maxUsage], [4096, 12, 904, 8192]);
  assert.is(m.memory?.swapLimit, 2 ** 64);
  assert.equal(
    m.io?.usage?.map((e) => [e.major, e.rbytes, e.wbytes]),
    [[8, 512, 1024]],
  );
});

test('wide passes safe integers unchanged, and larger ones as 64 bits', () => {
  assert.is(toWide(undefined), 0);
  assert.is(toWide(2 ** 53 - 1), 2 ** 53 - 1);
  assert.equal(toWide(2n ** 64n - 1n) as unknown, { low: -1, high: -1, unsigned: true });
});

test.run();
