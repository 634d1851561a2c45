/** What a container has used, from its cgroups: totals and peaks, which the kernel keeps after its last process. */
import type { CgroupFacts } from '../cgroup-facts.js';
import { tryRead } from './cgroup-stats.js';
import { parseCount, parseIoEntries, parseKeyed, parseTable } from './stats-text.js';
import type { ReadFile } from './stats-types.js';
import { v1Directory } from './stats-v1.js';

/** A member is absent where the kernel does not keep it, or the container has no cgroup for it. */
export interface Usage {
  /** The most memory that it had at once, in bytes; on v2 since Linux 5.19. */
  readonly memoryPeak?: number;
  /** CPU time in ns. */
  readonly cpuTotal?: number;
  readonly cpuUser?: number;
  readonly cpuKernel?: number;
  /** Bytes from and to block devices. */
  readonly ioRead?: number;
  readonly ioWritten?: number;
  /** The most processes and threads that it had at once; since Linux 6.1. */
  readonly pidsPeak?: number;
}

export interface FinalUsage {
  readonly usage: Usage;
  /** Whether the kernel has killed a process for memory in these cgroups. */
  readonly oom: boolean;
}

/** ns in a clock tick of user space (USER_HZ is 100 on every architecture that runt supports). */
const tick = 10_000_000;

/**
 * Reads the files that have totals or peaks: at most 5 on v2, 7 on v1 (kernel: admin-guide/cgroup-v1, cgroup-v2).
 * @throws RuntError ERR_IO for a file that exists and cannot be read
 */
export function readUsage(facts: CgroupFacts, cgroups: readonly string[], read: ReadFile = tryRead): FinalUsage {
  if (facts.layout === 'v2') return cgroups[0] === undefined ? { usage: {}, oom: false } : usageV2(cgroups[0], read);
  return usageV1((controller) => v1Directory(facts, cgroups, controller), read);
}

function usageV2(path: string, read: ReadFile): FinalUsage {
  const table = (name: string) => parseTable(read(`${path}/${name}`));
  const cpu = table('cpu.stat');
  const io = read(`${path}/io.stat`);
  const bytes = (key: string) => sum(parseKeyed(io).map(([, values]) => parseCount(values[key])));
  return {
    usage: known({
      memoryPeak: count(read(`${path}/memory.peak`)),
      cpuTotal: scaled(cpu.usage_usec, 1000),
      cpuUser: scaled(cpu.user_usec, 1000),
      cpuKernel: scaled(cpu.system_usec, 1000),
      ...(io !== undefined && { ioRead: bytes('rbytes'), ioWritten: bytes('wbytes') }),
      pidsPeak: count(read(`${path}/pids.peak`)),
    }),
    oom: Number(table('memory.events').oom_kill ?? 0) > 0,
  };
}

function usageV1(directory: (controller: string) => string | undefined, read: ReadFile): FinalUsage {
  const file = (controller: string, name: string): string | undefined => {
    const path = directory(controller);
    return path === undefined ? undefined : read(`${path}/${name}`);
  };
  const times = parseTable(file('cpuacct', 'cpuacct.stat'));
  // The policy that throttles counts every disk, whatever its scheduler.
  const io = file('blkio', 'blkio.throttle.io_service_bytes_recursive');
  const entries = parseIoEntries(io);
  const bytes = (operation: string) => sum(entries.filter((e) => e.operation === operation).map((e) => e.value));
  return {
    usage: known({
      memoryPeak: count(file('memory', 'memory.max_usage_in_bytes')),
      cpuTotal: count(file('cpuacct', 'cpuacct.usage')),
      cpuUser: scaled(times.user, tick),
      cpuKernel: scaled(times.system, tick),
      ...(io !== undefined && { ioRead: bytes('Read'), ioWritten: bytes('Write') }),
      pidsPeak: count(file('pids', 'pids.peak')),
    }),
    oom: Number(parseTable(file('memory', 'memory.oom_control')).oom_kill ?? 0) > 0,
  };
}

const count = (text: string | undefined): number | undefined =>
  text === undefined ? undefined : Number(parseCount(text));
const scaled = (value: number | bigint | undefined, factor: number): number | undefined =>
  value === undefined ? undefined : Number(value) * factor;
const sum = (values: readonly (number | bigint)[]): number => values.reduce<number>((a, b) => a + Number(b), 0);

/** Without the members that are undefined. */
const known = (usage: { readonly [K in keyof Usage]: number | undefined }): Usage =>
  Object.fromEntries(Object.entries(usage).filter(([, value]) => value !== undefined));
