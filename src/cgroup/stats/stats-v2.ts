/** Statistics from the files of a v2 cgroup (kernel: admin-guide/cgroup-v2). */
import { tryListDir } from '../../sys/fs.js';
import {
  exactInt,
  pageSizes,
  parseCount,
  parseKeyed,
  parseLimit,
  parseNumbers,
  parsePressure,
  parseRdma,
  parseTable,
} from './stats-text.js';
import type { Count, HugepageStats, IoEntry, MemoryEntry, Pressure, ReadFile, Stats } from './stats-types.js';

export function statsV2(path: string, read: ReadFile): Stats {
  const psi = pressuresOf(path, read);
  const stats: { -readonly [K in keyof Stats]: Stats[K] } = {};
  const file = (name: string) => read(`${path}/${name}`);
  const cpu = file('cpu.stat');
  if (cpu !== undefined) {
    const values = parseTable(cpu);
    const ns = (key: string): Count => exactInt(BigInt(values[key] ?? 0) * 1000n);
    stats.cpu = {
      total: ns('usage_usec'),
      user: ns('user_usec'),
      kernel: ns('system_usec'),
      throttling: {
        periods: values.nr_periods ?? 0,
        throttledPeriods: values.nr_throttled ?? 0,
        throttledTime: ns('throttled_usec'),
      },
      ...(values.nr_bursts !== undefined && { bursts: { periods: values.nr_bursts, time: ns('burst_usec') } }),
      ...(psi.cpu && { pressure: psi.cpu }),
    };
  }
  const cpus = file('cpuset.cpus.effective');
  if (cpus !== undefined) {
    stats.cpuset = { cpus: parseNumbers(cpus), mems: parseNumbers(file('cpuset.mems.effective')), flags: {} };
  }
  const current = file('memory.current');
  if (current !== undefined) stats.memory = memory(current, file, psi.memory);
  const pids = file('pids.current');
  if (pids !== undefined) {
    const limit = parseLimit(file('pids.max'));
    stats.pids = { current: parseCount(pids), ...(limit !== undefined && { limit }) };
  }
  const io = file('io.stat');
  if (io !== undefined) stats.io = { tables: ioTables(io), ...(psi.io && { pressure: psi.io }) };
  const pages = hugepagesV2(path, read);
  if (Object.keys(pages).length > 0) stats.hugepages = pages;
  const devices = parseRdma(file('rdma.current'), file('rdma.max'));
  if (devices) stats.rdma = devices;
  return stats;
}

/** v2 counts swap alone; v1 and this function count it together with memory. */
function memory(current: string, file: (name: string) => string | undefined, psi: Pressure | undefined) {
  const raw = parseTable(file('memory.stat'));
  const events = parseTable(file('memory.events'));
  const sum = (a: Count, b: Count) => exactInt(BigInt(a) + BigInt(b));
  const maybe = (key: 'max' | 'limit', value: Count | undefined) => (value === undefined ? {} : { [key]: value });
  const [peak, limit] = [file('memory.peak'), parseLimit(file('memory.max') ?? 'max')];
  const usage: MemoryEntry = {
    usage: parseCount(current),
    ...maybe('max', peak === undefined ? undefined : parseCount(peak)),
    ...maybe('limit', limit),
    failures: events.max ?? 0,
  };
  const swapLimit = parseLimit(file('memory.swap.max') ?? 'max');
  const [swapCurrent, swapPeak] = [file('memory.swap.current'), file('memory.swap.peak')];
  const swap: MemoryEntry = {
    usage: sum(usage.usage, parseCount(swapCurrent)),
    ...maybe('limit', limit === undefined || swapLimit === undefined ? undefined : sum(limit, swapLimit)),
    failures: parseTable(file('memory.swap.events')).max ?? 0,
  };
  return {
    usage,
    swap,
    ...(swapCurrent !== undefined && {
      swapAlone: {
        usage: parseCount(swapCurrent),
        ...maybe('max', swapPeak === undefined ? undefined : parseCount(swapPeak)),
        ...maybe('limit', swapLimit),
      },
    }),
    cache: raw.file ?? 0,
    raw,
    events,
    ...(psi && { pressure: psi }),
  };
}

/** Keys of io.stat, and v1's names for them. */
const ioKeys = [
  ['rbytes', 'io_service_bytes', 'Read'],
  ['wbytes', 'io_service_bytes', 'Write'],
  ['dbytes', 'io_service_bytes', 'Discard'],
  ['rios', 'io_serviced', 'Read'],
  ['wios', 'io_serviced', 'Write'],
  ['dios', 'io_serviced', 'Discard'],
] as const;

function ioTables(text: string) {
  const tables: { io_service_bytes: IoEntry[]; io_serviced: IoEntry[] } = { io_service_bytes: [], io_serviced: [] };
  for (const [device, values] of parseKeyed(text)) {
    const [major, minor] = device.split(':').map(Number) as [number, number];
    for (const [key, name, operation] of ioKeys) {
      if (values[key] !== undefined) tables[name].push({ major, minor, operation, value: parseCount(values[key]) });
    }
  }
  return tables;
}

export function hugepagesV2(path: string, read: ReadFile): Record<string, HugepageStats> {
  const sizes = pageSizes(tryListDir(path) ?? []).map((size) => {
    const file = (name: string) => read(`${path}/hugetlb.${size}.${name}`);
    const limit = parseLimit(file('max'));
    const failures = parseTable(file('events')).max ?? 0;
    return [size, { usage: parseCount(file('current')), ...(limit !== undefined && { limit }), failures }] as const;
  });
  return Object.fromEntries(sizes);
}

/** Pressure of each kind; absent if PSI is off. On hybrid, the v2 cgroup beside the v1 ones has it. */
export function pressuresOf(path: string, read: ReadFile): { cpu?: Pressure; memory?: Pressure; io?: Pressure } {
  const found: { cpu?: Pressure; memory?: Pressure; io?: Pressure } = {};
  for (const kind of ['cpu', 'memory', 'io'] as const) {
    const value = parsePressure(read(`${path}/${kind}.pressure`));
    if (value) found[kind] = value;
  }
  return found;
}
