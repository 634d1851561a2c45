/** Resource usage of a container's cgroups: one shape for v1 and v2. */
import type { Int } from '../../spec/config-types.js';

/** A count; a bigint if a number would not be exact. */
export type Count = Int;

/** A part is absent when the host has no controller for it. Times are in ns, sizes in bytes. */
export interface Stats {
  readonly cpu?: CpuStats;
  readonly cpuset?: CpusetStats;
  readonly memory?: MemoryStats;
  readonly pids?: { readonly current: Count; readonly limit?: Count };
  readonly io?: IoStats;
  /** By page size as the kernel writes it: `2MB`. */
  readonly hugepages?: Readonly<Record<string, HugepageStats>>;
  /** By device. Without a limit, the limit is absent. */
  readonly rdma?: Readonly<Record<string, RdmaStats>>;
}

export interface CpuStats {
  readonly total: Count;
  readonly user: Count;
  readonly kernel: Count;
  /** v1: per CPU. */
  readonly each?: {
    readonly total: readonly Count[];
    readonly user: readonly Count[];
    readonly kernel: readonly Count[];
  };
  readonly throttling: { readonly periods: Count; readonly throttledPeriods: Count; readonly throttledTime: Count };
  /** v2, since Linux 5.15: periods in which the quota was exceeded by its burst, and by how much. */
  readonly bursts?: { readonly periods: Count; readonly time: Count };
  readonly pressure?: Pressure;
}

/** Effective CPUs and memory nodes; the flags are v1's. */
export interface CpusetStats {
  readonly cpus: readonly number[];
  readonly mems: readonly number[];
  /** By file: `cpu_exclusive`, `memory_pressure` … */
  readonly flags: Readonly<Record<string, Count>>;
}

export interface MemoryStats {
  readonly usage: MemoryEntry;
  /** Memory and swap together, on v2 too. */
  readonly swap: MemoryEntry;
  /** v2: swap without memory; absent without swap accounting. */
  readonly swapAlone?: Pick<MemoryEntry, 'usage' | 'max' | 'limit'>;
  /** v1. */
  readonly kernel?: MemoryEntry;
  /** v1. */
  readonly kernelTcp?: MemoryEntry;
  /** File pages. */
  readonly cache: Count;
  /** `memory.stat`, line by line. */
  readonly raw: Readonly<Record<string, Count>>;
  /** `memory.events` (v2) or `memory.oom_control` (v1), line by line. */
  readonly events: Readonly<Record<string, Count>>;
  readonly pressure?: Pressure;
}

export interface MemoryEntry {
  readonly usage: Count;
  /** Highest usage; absent if the kernel does not keep it (v2 before 5.19). */
  readonly max?: Count;
  /** Without a limit: absent on v2 and in the library, the kernel's largest value on v1. */
  readonly limit?: Count;
  /** How often usage reached the limit. */
  readonly failures: Count;
}

/** By device and operation, in tables with v1's names (`io_service_bytes`); v2 has the first two. */
export interface IoStats {
  readonly tables: Readonly<Partial<Record<IoTable, readonly IoEntry[]>>>;
  readonly pressure?: Pressure;
}

export type IoTable =
  | 'io_service_bytes'
  | 'io_serviced'
  | 'io_queued'
  | 'io_service_time'
  | 'io_wait_time'
  | 'io_merged'
  | 'time'
  | 'sectors';

export interface IoEntry {
  readonly major: number;
  readonly minor: number;
  /** `Read`, `Write`, `Sync`, `Async`, `Discard`, `Total`; '' in a table that does not distinguish operations. */
  readonly operation: string;
  readonly value: Count;
}

export interface HugepageStats {
  readonly usage: Count;
  /** v1: highest usage. */
  readonly max?: Count;
  /** v2: without a limit, absent. */
  readonly limit?: Count;
  readonly failures: Count;
}

export interface RdmaStats {
  readonly handles: { readonly current: Count; readonly limit?: Count };
  readonly objects: { readonly current: Count; readonly limit?: Count };
}

/** Pressure stall information (kernel: accounting/psi); v2 only. Averages are percentages. */
export interface Pressure {
  readonly some?: PressureLine;
  readonly full?: PressureLine;
}
export interface PressureLine {
  readonly avg10: number;
  readonly avg60: number;
  readonly avg300: number;
  /** µs. */
  readonly total: Count;
}

/** Reads a file of a directory; undefined if it does not exist or the kernel does not allow a read now. */
export type ReadFile = (path: string) => string | undefined;
