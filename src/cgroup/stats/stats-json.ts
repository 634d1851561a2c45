/** Statistics as `events` prints them: runc's object, key by key, without the zeros that runc leaves out. */
import type { Count, IoTable, MemoryEntry, Pressure, Stats } from './stats-types.js';
import { cpusetFlags } from './stats-v1.js';

/** The largest 64-bit value: runc's "no limit" on v2. */
const UNLIMITED = 18446744073709551615n;

/** Undefined for zero, so that the member is left out. */
const unlessZero = (value: Count | undefined): Count | undefined => (value ? value : undefined);
const unlessEmpty = <T>(values: readonly T[] | undefined): readonly T[] | undefined =>
  values?.length ? values : undefined;

const tables: readonly (readonly [IoTable, string])[] = [
  ['io_service_bytes', 'ioServiceBytesRecursive'],
  ['io_serviced', 'ioServicedRecursive'],
  ['io_queued', 'ioQueueRecursive'],
  ['io_service_time', 'ioServiceTimeRecursive'],
  ['io_wait_time', 'ioWaitTimeRecursive'],
  ['io_merged', 'ioMergedRecursive'],
  ['time', 'ioTimeRecursive'],
  ['sectors', 'sectorsRecursive'],
];

/** The member `data` of an event `stats`; counts beyond 2^53 are bigints (`spec/json/exact-json.ts` writes them). */
export function statsJson(s: Stats): unknown {
  const { cpu, cpuset, memory, pids, io, hugepages, rdma } = s;
  return {
    cpu: {
      usage: {
        total: unlessZero(cpu?.total),
        percpu: unlessEmpty(cpu?.each?.total),
        percpu_kernel: unlessEmpty(cpu?.each?.kernel),
        percpu_user: unlessEmpty(cpu?.each?.user),
        kernel: cpu?.kernel ?? 0,
        user: cpu?.user ?? 0,
      },
      throttling: {
        periods: unlessZero(cpu?.throttling.periods),
        throttledPeriods: unlessZero(cpu?.throttling.throttledPeriods),
        throttledTime: unlessZero(cpu?.throttling.throttledTime),
      },
      psi: psi(cpu?.pressure),
    },
    cpuset: {
      cpus: unlessEmpty(cpuset?.cpus),
      ...flags(cpuset?.flags, 0, 1),
      mems: unlessEmpty(cpuset?.mems),
      ...flags(cpuset?.flags, 1),
    },
    memory: {
      cache: unlessZero(memory?.cache),
      usage: entry(memory?.usage),
      swap: entry(memory?.swap),
      kernel: entry(memory?.kernel, 0),
      kernelTCP: entry(memory?.kernelTcp, 0),
      raw: memory && Object.keys(memory.raw).length > 0 ? sorted(memory.raw) : undefined,
      psi: psi(memory?.pressure),
    },
    pids: { current: unlessZero(pids?.current), limit: unlessZero(pids?.limit) },
    blkio: {
      ...Object.fromEntries(
        tables.map(([name, key]) => [
          key,
          unlessEmpty(
            io?.tables[name]?.map((e) => ({
              major: unlessZero(e.major),
              minor: unlessZero(e.minor),
              op: e.operation || undefined,
              value: unlessZero(e.value),
            })),
          ),
        ]),
      ),
      psi: psi(io?.pressure),
    },
    hugetlb: Object.fromEntries(
      Object.entries(hugepages ?? {}).map(([size, h]) => [
        size,
        { usage: unlessZero(h.usage), max: unlessZero(h.max), failcnt: h.failures },
      ]),
    ),
    // runc reads these and does not print them.
    rdma: rdma && Object.keys(rdma).length > 0 ? rdma : undefined,
    intel_rdt: {},
    network_interfaces: null,
  };
}

function flags(values: Readonly<Record<string, Count>> | undefined, from: number, to?: number): Record<string, Count> {
  return Object.fromEntries(cpusetFlags.slice(from, to).map((flag) => [flag, values?.[flag] ?? 0]));
}

/** `unlimited`: the number written for "no limit"; a missing controller has 0. */
function entry(e: MemoryEntry | undefined, unlimited: Count = UNLIMITED) {
  return {
    limit: e ? (e.limit ?? unlimited) : 0,
    usage: unlessZero(e?.usage),
    max: unlessZero(e?.max),
    failcnt: e?.failures ?? 0,
  };
}

const line0 = { avg10: 0, avg60: 0, avg300: 0, total: 0 };

function psi(p: Pressure | undefined) {
  return p && { some: p.some ?? line0, full: p.full ?? line0 };
}

function sorted(raw: Readonly<Record<string, Count>>): Record<string, Count> {
  return Object.fromEntries(Object.entries(raw).sort(([a], [b]) => (a < b ? -1 : 1)));
}
