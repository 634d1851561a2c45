/** Types of the section `linux` of config.json. */
import type { Int } from './integer.js';

export interface Linux {
  namespaces?: Namespace[];
  /** User mappings of a new user namespace. */
  uidMappings?: IdMapping[];
  /** Group mappings of a new user namespace. */
  gidMappings?: IdMapping[];
  /** Clock offsets of a new time namespace. */
  timeOffsets?: { [clock in 'boottime' | 'monotonic']?: TimeOffset };
  /** Device nodes besides the default ones. */
  devices?: Device[];
  /** Network interfaces of the host, by name, that are moved into the network namespace. */
  netDevices?: Record<string, NetDevice>;
  /** The container's cgroup. */
  cgroupsPath?: string;
  /** Limits of the cgroup. */
  resources?: Resources;
  /** Intel Resource Director Technology. */
  intelRdt?: IntelRdt;
  /** NUMA memory policy (set_mempolicy(2)). */
  memoryPolicy?: MemoryPolicy;
  /** Kernel parameters, by key with dots. */
  sysctl?: Record<string, string>;
  seccomp?: Seccomp;
  /** Propagation type of the root mount. */
  rootfsPropagation?: Propagation;
  /** Paths hidden inside the container. */
  maskedPaths?: string[];
  /** Paths read-only inside the container. */
  readonlyPaths?: string[];
  /** SELinux label of the mounts. */
  mountLabel?: string;
  /** Execution domain (personality(2)). */
  personality?: Personality;
}

export type Propagation =
  | 'shared'
  | 'slave'
  | 'private'
  | 'unbindable'
  | 'rshared'
  | 'rslave'
  | 'rprivate'
  | 'runbindable';

export type NamespaceType = 'pid' | 'network' | 'mount' | 'ipc' | 'uts' | 'user' | 'cgroup' | 'time';

export interface Namespace {
  type: NamespaceType;
  /** Join the namespace of this file; create a new one if absent. */
  path?: string;
}

export interface IdMapping {
  /** First id inside. */
  containerID: number;
  /** First id outside. */
  hostID: number;
  /** Number of ids. */
  size: number;
}

interface TimeOffset {
  /** Seconds. */
  secs?: Int;
  /** Nanoseconds, below 10^9. */
  nanosecs?: number;
}

export interface Device {
  /** Path inside the container. */
  path: string;
  /** Character, block, unbuffered character, or FIFO. */
  type: 'c' | 'b' | 'u' | 'p';
  /** Required unless the type is `p`. */
  major?: Int;
  /** Required unless the type is `p`. */
  minor?: Int;
  /** Permission bits. */
  fileMode?: number;
  /** Owner inside the container. */
  uid?: number;
  /** Group inside the container. */
  gid?: number;
}

interface NetDevice {
  /** New name inside; unchanged if absent. */
  name?: string;
}

export interface Resources {
  /** Device rules, applied in order. */
  devices?: DeviceRule[];
  memory?: Memory;
  cpu?: Cpu;
  pids?: Pids;
  blockIO?: BlockIO;
  hugepageLimits?: HugepageLimit[];
  network?: NetworkPriority;
  /** Limits for each RDMA device. */
  rdma?: Record<string, Rdma>;
  /** cgroup v2 files and their values. */
  unified?: Record<string, string>;
}

export interface DeviceRule {
  allow: boolean;
  /** All (also if absent), character, block. */
  type?: 'a' | 'c' | 'b';
  /** All when absent. */
  major?: Int;
  /** All when absent. */
  minor?: Int;
  /** Any of `r`, `w`, `m`. */
  access?: string;
}

/** Bytes; -1 means no limit. */
export interface Memory {
  limit?: Int;
  /** Soft limit. */
  reservation?: Int;
  /** Memory and swap together. */
  swap?: Int;
  /** Kernel memory; not recommended. */
  kernel?: Int;
  /** Kernel TCP buffers; not recommended. */
  kernelTCP?: Int;
  /** 0 to 100. */
  swappiness?: number;
  disableOOMKiller?: boolean;
  useHierarchy?: boolean;
  /** Refuse a limit below the current usage. */
  checkBeforeUpdate?: boolean;
}

export interface Cpu {
  /** Relative weight. */
  shares?: Int;
  /** µs of CPU time in each period; negative means no limit. */
  quota?: Int;
  /** µs by which usage may exceed the quota. */
  burst?: Int;
  /** µs. */
  period?: Int;
  /** µs of real-time in each real-time period. */
  realtimeRuntime?: Int;
  /** µs. */
  realtimePeriod?: Int;
  /** CPU list, `0-3,7`. */
  cpus?: string;
  /** Memory node list. */
  mems?: string;
  /** 1 for SCHED_IDLE of the whole cgroup. */
  idle?: number;
}

export interface Pids {
  /** Maximum number of processes; negative, and 0 before runtime-spec 1.3, for no limit. */
  limit?: Int;
}

export interface BlockIO {
  /** 10 to 1000. */
  weight?: number;
  leafWeight?: number;
  weightDevice?: WeightDevice[];
  throttleReadBpsDevice?: ThrottleDevice[];
  throttleWriteBpsDevice?: ThrottleDevice[];
  throttleReadIOPSDevice?: ThrottleDevice[];
  throttleWriteIOPSDevice?: ThrottleDevice[];
}

interface WeightDevice {
  major: Int;
  minor: Int;
  weight?: number;
  leafWeight?: number;
}

export interface ThrottleDevice {
  major: Int;
  minor: Int;
  /** Bytes or operations in a second. */
  rate: Int;
}

export interface HugepageLimit {
  /** `64KB`, `2MB`, `1GB`. */
  pageSize: string;
  /** Bytes. */
  limit: Int;
}

export interface NetworkPriority {
  /** net_cls.classid. */
  classID?: number;
  priorities?: { name: string; priority: number }[];
}

export interface Rdma {
  hcaHandles?: number;
  hcaObjects?: number;
}

export interface IntelRdt {
  /** Name of the class; the container's id if absent. */
  closID?: string;
  /** Lines for the `schemata` file. */
  schemata?: string[];
  l3CacheSchema?: string;
  memBwSchema?: string;
  /** Make a monitoring group for the container. */
  enableMonitoring?: boolean;
}

export interface MemoryPolicy {
  /** `MPOL_…`. */
  mode: string;
  /** Memory node list. */
  nodes?: string;
  /** `MPOL_F_…`. */
  flags?: string[];
}

interface Personality {
  domain: 'LINUX' | 'LINUX32';
  flags?: string[];
}

export interface Seccomp {
  /** `SCMP_ACT_…` of calls that no rule names. */
  defaultAction: string;
  /** errno for SCMP_ACT_ERRNO and SCMP_ACT_TRACE as default. */
  defaultErrnoRet?: number;
  /** `SCMP_ARCH_…` besides the native one. */
  architectures?: string[];
  /** `SECCOMP_FILTER_FLAG_…`. */
  flags?: string[];
  /** Socket of the agent that serves SCMP_ACT_NOTIFY. */
  listenerPath?: string;
  /** Opaque text for the agent. */
  listenerMetadata?: string;
  syscalls?: SeccompRule[];
}

export interface SeccompRule {
  names: string[];
  action: string;
  errnoRet?: number;
  args?: SeccompArg[];
}

export interface SeccompArg {
  /** 0 to 5. */
  index: number;
  value: Int;
  valueTwo?: Int;
  /** `SCMP_CMP_…`. */
  op: string;
}
