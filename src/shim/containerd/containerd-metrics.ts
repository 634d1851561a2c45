/** Cgroup statistics as containerd's messages: Metrics of cgroups v1 and v2. */
import type { CgroupFacts } from '../../cgroup/cgroup-facts.js';
import { readStats } from '../../cgroup/stats/cgroup-stats.js';
import type { Count, IoTable, MemoryEntry, Stats } from '../../cgroup/stats/stats-types.js';
import { loadRecord } from '../../container/state/state-store.js';
import { cgroup1, cgroup2, type google } from '../transport/protos.js';

/** The largest value of a uint64: no limit. */
const UNLIMITED = 2n ** 64n - 1n;

/** The answer of Stats: a Metrics message with its type name. */
export function metrics(facts: CgroupFacts, root: string, id: string): google.protobuf.Any.$Properties {
  const stats = readStats(facts, loadRecord(root, id).cgroups);
  if (facts.layout === 'v2') {
    return { type_url: 'io.containerd.cgroups.v2.Metrics', value: cgroup2.Metrics.encode(v2Metrics(stats)).finish() };
  }
  return { type_url: 'io.containerd.cgroups.v1.Metrics', value: cgroup1.Metrics.encode(v1Metrics(stats)).finish() };
}

/** A uint64 as protobufjs writes it: a number while that is exact, else its halves. */
export function toWide(value: Count | undefined): number {
  if (value === undefined) return 0;
  if (value >= 0 && value <= Number.MAX_SAFE_INTEGER) return Number(value);
  const bits = BigInt.asUintN(64, BigInt(value));
  const halves = { low: Number(bits & 0xffffffffn) | 0, high: Number(bits >> 32n) | 0, unsigned: true };
  // The fields of Long: protobufjs accepts them wherever its types say number.
  return halves as unknown as number;
}

const toMicroseconds = (ns: Count): number => toWide(BigInt(ns) / 1000n);

export function v1Metrics(s: Stats): cgroup1.Metrics.$Properties {
  const entry = (e: MemoryEntry | undefined) =>
    e ? { limit: toWide(e.limit), usage: toWide(e.usage), max: toWide(e.max), failcnt: toWide(e.failures) } : null;
  const blkio = (name: IoTable) =>
    (s.io?.tables[name] ?? []).map((e) => ({
      op: e.operation,
      major: e.major,
      minor: e.minor,
      value: toWide(e.value),
    }));
  return {
    ...(s.pids && { pids: { current: toWide(s.pids.current), limit: toWide(s.pids.limit) } }),
    ...(s.cpu && {
      cpu: {
        usage: {
          total: toWide(s.cpu.total),
          kernel: toWide(s.cpu.kernel),
          user: toWide(s.cpu.user),
          perCpu: (s.cpu.each?.total ?? []).map(toWide),
        },
        throttling: {
          periods: toWide(s.cpu.throttling.periods),
          throttledPeriods: toWide(s.cpu.throttling.throttledPeriods),
          throttledTime: toWide(s.cpu.throttling.throttledTime),
        },
      },
    }),
    ...(s.memory && {
      memory: {
        ...memoryLines(s.memory.raw),
        usage: entry(s.memory.usage),
        swap: entry(s.memory.swap),
        kernel: entry(s.memory.kernel),
        kernelTcp: entry(s.memory.kernelTcp),
      },
      memoryOomControl: { oomKill: toWide(s.memory.oomKills) },
    }),
    blkio: {
      ioServiceBytesRecursive: blkio('io_service_bytes'),
      ioServicedRecursive: blkio('io_serviced'),
      ioQueuedRecursive: blkio('io_queued'),
      ioServiceTimeRecursive: blkio('io_service_time'),
      ioWaitTimeRecursive: blkio('io_wait_time'),
      ioMergedRecursive: blkio('io_merged'),
      ioTimeRecursive: blkio('time'),
      sectorsRecursive: blkio('sectors'),
    },
    hugetlb: Object.entries(s.hugepages ?? {}).map(([pagesize, h]) => ({
      pagesize,
      usage: toWide(h.usage),
      max: toWide(h.max),
      failcnt: toWide(h.failures),
    })),
  };
}

/** `memory.stat` under the message's field names; the encoder drops lines without a field. */
function memoryLines(raw: Readonly<Record<string, Count>>): Record<string, number> {
  const fields: Record<string, number> = {};
  for (const [name, value] of Object.entries(raw)) {
    const plain = name
      .replace(/pgpg(in|out)$/, 'pg_pg_$1')
      .replace(/pg(maj)?fault$/, (_, m) => `pg_${m ? 'maj_' : ''}fault`);
    fields[toCamelCase(plain.replace('memsw_limit', 'swap_limit'))] = toWide(value);
  }
  return fields;
}

const toCamelCase = (name: string): string => name.replace(/_([a-z])/g, (_, c: string) => c.toUpperCase());

export function v2Metrics(s: Stats): cgroup2.Metrics.$Properties {
  const io = new Map<string, Record<string, number>>();
  const add = (table: IoTable, read: string, write: string) => {
    for (const e of s.io?.tables[table] ?? []) {
      const key = `${e.major}:${e.minor}`;
      const entry = io.get(key) ?? { major: e.major, minor: e.minor };
      io.set(key, entry);
      if (e.operation === 'Read') entry[read] = toWide(e.value);
      if (e.operation === 'Write') entry[write] = toWide(e.value);
    }
  };
  add('io_service_bytes', 'rbytes', 'wbytes');
  add('io_serviced', 'rios', 'wios');
  const raw = s.memory?.raw ?? {};
  return {
    ...(s.pids && { pids: { current: toWide(s.pids.current), limit: toWide(s.pids.limit) } }),
    ...(s.cpu && {
      cpu: {
        usageUsec: toMicroseconds(s.cpu.total),
        userUsec: toMicroseconds(s.cpu.user),
        systemUsec: toMicroseconds(s.cpu.kernel),
        nrPeriods: toWide(s.cpu.throttling.periods),
        nrThrottled: toWide(s.cpu.throttling.throttledPeriods),
        throttledUsec: toMicroseconds(s.cpu.throttling.throttledTime),
      },
    }),
    ...(s.memory && {
      memory: {
        ...Object.fromEntries(Object.entries(raw).map(([name, value]) => [toCamelCase(name), toWide(value)])),
        usage: toWide(s.memory.usage.usage),
        usageLimit: toWide(s.memory.usage.limit ?? UNLIMITED),
        swapUsage: toWide(BigInt(s.memory.swap.usage) - BigInt(s.memory.usage.usage)),
        swapLimit: toWide(s.memory.swap.limit ?? UNLIMITED),
        maxUsage: toWide(s.memory.usage.max),
      },
      memoryEvents: { oomKill: toWide(s.memory.oomKills) },
    }),
    io: { usage: [...io.values()] },
    hugetlb: Object.entries(s.hugepages ?? {}).map(([pagesize, h]) => ({
      pagesize,
      current: toWide(h.usage),
      max: toWide(h.max),
    })),
  };
}
