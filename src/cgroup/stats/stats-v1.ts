/** Statistics from the files of v1 hierarchies (kernel: admin-guide/cgroup-v1). */
import { tryListDir } from '../../sys/fs.js';
import type { CgroupFacts } from '../cgroup-facts.js';
import {
  exactInt,
  pageSizes,
  parseCount,
  parseIoEntries,
  parseLimit,
  parseNumbers,
  parseRdma,
  parseTable,
  splitLines,
  splitWords,
} from './stats-text.js';
import type {
  CpuStats,
  CpusetStats,
  HugepageStats,
  IoStats,
  IoTable,
  MemoryEntry,
  MemoryStats,
  ReadFile,
  Stats,
} from './stats-types.js';
import { hugepagesV2, pressuresOf } from './stats-v2.js';

/** ns in a clock tick of user space (USER_HZ is 100 on every architecture that runt supports). */
const TICK = 10_000_000n;

/** The container's directory in the hierarchy of a controller; undefined if it has none. */
export function v1Directory(facts: CgroupFacts, cgroups: readonly string[], controller: string): string | undefined {
  const mountPoint = facts.v1.find((h) => h.controllers.includes(controller))?.mountPoint;
  return mountPoint === undefined ? undefined : cgroups.find((path) => path.startsWith(`${mountPoint}/`));
}

export function statsV1(facts: CgroupFacts, cgroups: readonly string[], read: ReadFile): Stats {
  const directory = (controller: string) => v1Directory(facts, cgroups, controller);
  const top = facts.unified?.mountPoint;
  const unified = top === undefined ? undefined : cgroups.find((path) => path.startsWith(`${top}/`));
  const psi = unified === undefined ? {} : pressuresOf(unified, read);

  const stats: { -readonly [K in keyof Stats]: Stats[K] } = {};
  const [cpu, cpuacct] = [directory('cpu'), directory('cpuacct')];
  if (cpu ?? cpuacct) stats.cpu = { ...cpuStats(cpu, cpuacct, read), ...(psi.cpu && { pressure: psi.cpu }) };
  const cpuset = directory('cpuset');
  if (cpuset) stats.cpuset = cpusetStats(cpuset, read);
  const memory = directory('memory');
  if (memory) stats.memory = { ...memoryStats(memory, read), ...(psi.memory && { pressure: psi.memory }) };
  const pids = directory('pids');
  if (pids) {
    const limit = parseLimit(read(`${pids}/pids.max`));
    stats.pids = { current: parseCount(read(`${pids}/pids.current`)), ...(limit !== undefined && { limit }) };
  }
  const blkio = directory('blkio');
  if (blkio) stats.io = { tables: ioTables(blkio, read), ...(psi.io && { pressure: psi.io }) };
  const hugetlb = directory('hugetlb');
  if (hugetlb) stats.hugepages = hugepages(hugetlb, read);
  else if (unified && facts.unified?.controllers.includes('hugetlb')) stats.hugepages = hugepagesV2(unified, read);
  const rdmaDirectory = directory('rdma');
  const devices = rdmaDirectory && parseRdma(read(`${rdmaDirectory}/rdma.current`), read(`${rdmaDirectory}/rdma.max`));
  if (devices) stats.rdma = devices;
  return stats;
}

function cpuStats(cpu: string | undefined, cpuacct: string | undefined, read: ReadFile): CpuStats {
  const throttling = parseTable(read(`${cpu}/cpu.stat`));
  // User and system time are in ticks; per-CPU times are in ns.
  const times = parseTable(read(`${cpuacct}/cpuacct.stat`));
  const ticks = (key: string) => exactInt(BigInt(times[key] ?? 0) * TICK);
  const each = splitLines(read(`${cpuacct}/cpuacct.usage_all`))
    .slice(1)
    .map((line) => splitWords(line).map(parseCount));
  return {
    total: parseCount(read(`${cpuacct}/cpuacct.usage`)),
    user: ticks('user'),
    kernel: ticks('system'),
    each: {
      total: splitWords(read(`${cpuacct}/cpuacct.usage_percpu`)).map(parseCount),
      user: each.map((e) => e[1] ?? 0),
      kernel: each.map((e) => e[2] ?? 0),
    },
    throttling: {
      periods: throttling.nr_periods ?? 0,
      throttledPeriods: throttling.nr_throttled ?? 0,
      throttledTime: throttling.throttled_time ?? 0,
    },
  };
}

/** cpuset(7) */
export const cpusetFlags = [
  'cpu_exclusive',
  'mem_hardwall',
  'mem_exclusive',
  'memory_migrate',
  'memory_spread_page',
  'memory_spread_slab',
  'memory_pressure',
  'sched_load_balance',
  'sched_relax_domain_level',
] as const;

function cpusetStats(path: string, read: ReadFile): CpusetStats {
  return {
    cpus: parseNumbers(read(`${path}/cpuset.cpus`)),
    mems: parseNumbers(read(`${path}/cpuset.mems`)),
    flags: Object.fromEntries(cpusetFlags.map((flag) => [flag, parseCount(read(`${path}/cpuset.${flag}`))])),
  };
}

function memoryStats(path: string, read: ReadFile): MemoryStats {
  const entry = (infix: string): MemoryEntry => {
    const file = (name: string) => parseCount(read(`${path}/memory.${infix}${name}`));
    return {
      usage: file('usage_in_bytes'),
      max: file('max_usage_in_bytes'),
      limit: file('limit_in_bytes'),
      failures: file('failcnt'),
    };
  };
  const raw = parseTable(read(`${path}/memory.stat`));
  return {
    usage: entry(''),
    swap: entry('memsw.'),
    kernel: entry('kmem.'),
    kernelTcp: entry('kmem.tcp.'),
    cache: raw.cache ?? 0,
    raw,
    events: parseTable(read(`${path}/memory.oom_control`)),
  };
}

/**
 * The files of each table, with the prefix of the BFQ scheduler first, then CFQ (before 5.0), then the throttle files
 * of every disk.
 */
const files: readonly (readonly [table: IoTable, file: string])[] = [
  ['io_service_bytes', 'io_service_bytes_recursive'],
  ['io_serviced', 'io_serviced_recursive'],
  ['io_queued', 'io_queued_recursive'],
  ['io_service_time', 'io_service_time_recursive'],
  ['io_wait_time', 'io_wait_time_recursive'],
  ['io_merged', 'io_merged_recursive'],
  ['time', 'time_recursive'],
  ['sectors', 'sectors_recursive'],
];

function ioTables(path: string, read: ReadFile): IoStats['tables'] {
  const tables: { [T in IoTable]?: IoStats['tables'][T] } = {};
  for (const [name, file] of files) {
    for (const scheduler of ['bfq.', '', 'throttle.']) {
      const entries = parseIoEntries(read(`${path}/blkio.${scheduler}${file}`));
      if (entries.length === 0) continue;
      tables[name] = entries;
      break;
    }
  }
  return tables;
}

function hugepages(path: string, read: ReadFile): Record<string, HugepageStats> {
  const sizes = pageSizes(tryListDir(path) ?? []).map((size) => {
    const file = (name: string) => parseCount(read(`${path}/hugetlb.${size}.${name}`));
    return [
      size,
      { usage: file('usage_in_bytes'), max: file('max_usage_in_bytes'), failures: file('failcnt') },
    ] as const;
  });
  return Object.fromEntries(sizes);
}
