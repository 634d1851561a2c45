/** Cgroup statistics as containerd's messages: Metrics of cgroups v1 and v2. */
import type { CgroupFacts } from '../../cgroup/cgroup-facts.js';
import { readStats } from '../../cgroup/stats/cgroup-stats.js';
import type { Count, IoTable, MemoryEntry, Pressure, RdmaStats, Stats } from '../../cgroup/stats/stats-types.js';
import { loadRecord } from '../../container/state/state-store.js';
import { tryReadText } from '../../sys/fs.js';
import { cgroup1, cgroup2, type google } from '../transport/protos.js';

/** The largest value of a uint64: no limit. */
const UNLIMITED = 2n ** 64n - 1n;
/** The same of a uint32. */
const UNLIMITED_RDMA = 2 ** 32 - 1;

/** The answer of Stats: a Metrics message with its type name. */
export const metrics = (facts: CgroupFacts, root: string, id: string): google.protobuf.Any.$Properties =>
  metricsOf(facts, loadRecord(root, id).cgroups);

/** The same for any cgroup. @param cgroups its directory in each hierarchy */
export function metricsOf(facts: CgroupFacts, cgroups: readonly string[]): google.protobuf.Any.$Properties {
  const stats = readStats(facts, cgroups);
  if (facts.layout === 'v2') {
    return { type_url: 'io.containerd.cgroups.v2.Metrics', value: cgroup2.Metrics.encode(v2Metrics(stats)).finish() };
  }
  return {
    type_url: 'io.containerd.cgroups.v1.Metrics',
    value: cgroup1.Metrics.encode(v1Metrics(stats, deviceNames())).finish(),
  };
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

/** Paths of block devices by `major:minor` (/proc/partitions). */
function deviceNames(): ReadonlyMap<string, string> {
  const names = new Map<string, string>();
  for (const line of (tryReadText('/proc/partitions') ?? '').split('\n')) {
    const [, major, minor, name] = /^\s*(\d+)\s+(\d+)\s+\d+\s+(\S+)$/.exec(line) ?? [];
    if (name !== undefined) names.set(`${major}:${minor}`, `/dev/${name}`);
  }
  return names;
}

/** The same message on v1 and v2. */
function rdmaMetrics(rdma: Readonly<Record<string, RdmaStats>>): cgroup2.RdmaStat.$Properties {
  const devices = Object.entries(rdma);
  const limit = (value: Count | undefined) => Number(value ?? UNLIMITED_RDMA);
  return {
    current: devices.map(([device, { handles, objects }]) => ({
      device,
      hcaHandles: Number(handles.current),
      hcaObjects: Number(objects.current),
    })),
    limit: devices.map(([device, { handles, objects }]) => ({
      device,
      hcaHandles: limit(handles.limit),
      hcaObjects: limit(objects.limit),
    })),
  };
}

/** @param devices paths of block devices by `major:minor` */
export function v1Metrics(s: Stats, devices: ReadonlyMap<string, string>): cgroup1.Metrics.$Properties {
  const entry = (e: MemoryEntry | undefined) =>
    e ? { limit: toWide(e.limit), usage: toWide(e.usage), max: toWide(e.max), failcnt: toWide(e.failures) } : null;
  const blkio = (name: IoTable) =>
    (s.io?.tables[name] ?? []).map((e) => ({
      op: e.operation,
      device: devices.get(`${e.major}:${e.minor}`) ?? '',
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
      memoryOomControl: {
        oomKillDisable: toWide(s.memory.events.oom_kill_disable),
        underOom: toWide(s.memory.events.under_oom),
        oomKill: toWide(s.memory.events.oom_kill),
      },
    }),
    ...(s.rdma && { rdma: rdmaMetrics(s.rdma) }),
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

/** Lines of a file under the message's field names; the encoder drops those without a field. */
const camelCased = (lines: Readonly<Record<string, Count>>): Record<string, number> =>
  Object.fromEntries(Object.entries(lines).map(([name, value]) => [toCamelCase(name), toWide(value)]));

const toCamelCase = (name: string): string => name.replace(/_([a-z])/g, (_, c: string) => c.toUpperCase());

/** A field `psi`; none if the kernel keeps no pressure. */
const pressure = (p: Pressure | undefined): { readonly psi?: cgroup2.PSIStats.$Properties } => {
  if (!p) return {};
  const data = (line: Pressure['some']) => line && { ...line, total: toWide(line.total) };
  const [some, full] = [data(p.some), data(p.full)];
  return { psi: { ...(some && { some }), ...(full && { full }) } };
};

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
  return {
    ...(s.pids && { pids: { current: toWide(s.pids.current), limit: toWide(s.pids.limit ?? UNLIMITED) } }),
    ...(s.cpu && {
      cpu: {
        usageUsec: toMicroseconds(s.cpu.total),
        userUsec: toMicroseconds(s.cpu.user),
        systemUsec: toMicroseconds(s.cpu.kernel),
        nrPeriods: toWide(s.cpu.throttling.periods),
        nrThrottled: toWide(s.cpu.throttling.throttledPeriods),
        throttledUsec: toMicroseconds(s.cpu.throttling.throttledTime),
        nrBursts: toWide(s.cpu.bursts?.periods),
        burstUsec: toMicroseconds(s.cpu.bursts?.time ?? 0),
        ...pressure(s.cpu.pressure),
      },
    }),
    ...(s.memory && {
      memory: {
        ...camelCased(s.memory.raw),
        usage: toWide(s.memory.usage.usage),
        usageLimit: toWide(s.memory.usage.limit ?? UNLIMITED),
        ...(s.memory.swapAlone && {
          swapUsage: toWide(s.memory.swapAlone.usage),
          swapLimit: toWide(s.memory.swapAlone.limit ?? UNLIMITED),
          swapMaxUsage: toWide(s.memory.swapAlone.max),
        }),
        maxUsage: toWide(s.memory.usage.max),
        ...pressure(s.memory.pressure),
      },
    }),
    ...(s.memory && Object.keys(s.memory.events).length > 0 && { memoryEvents: camelCased(s.memory.events) }),
    ...(s.rdma && { rdma: rdmaMetrics(s.rdma) }),
    ...(s.io && { io: { usage: [...io.values()], ...pressure(s.io.pressure) } }),
    hugetlb: Object.entries(s.hugepages ?? {}).map(([pagesize, h]) => ({
      pagesize,
      current: toWide(h.usage),
      max: toWide(h.limit ?? UNLIMITED),
      failcnt: toWide(h.failures),
    })),
  };
}
