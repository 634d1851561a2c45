/** The types of runtime-spec 1.3: config.json (Linux), state.json and the features document. Field docs are our words. */

/** An integer of the spec that may be wider than 53 bits: a bigint when it is beyond ±2^53, else a number. */
export type Int = number | bigint;

/** config.json. */
export interface Spec {
  /** Version of the runtime-spec that the bundle follows, as SemVer. */
  ociVersion: string;
  /** The container's root file system; required on Linux. */
  root?: Root;
  /** The program to run; optional until `start`. */
  process?: Process;
  /** Host name seen inside; needs a UTS namespace. */
  hostname?: string;
  /** NIS domain name seen inside; needs a UTS namespace. */
  domainname?: string;
  /** Mounts, done in this order. */
  mounts?: Mount[];
  /** Programs called at points of the lifecycle. */
  hooks?: Hooks;
  /** Free metadata. */
  annotations?: Record<string, string>;
  /** What is for Linux only. */
  linux?: Linux;
}

export interface Root {
  /** The directory, absolute or relative to the bundle. */
  path: string;
  /** Read-only inside the container. */
  readonly?: boolean;
}

export interface Mount {
  /** Path inside the container; a relative one counts from `/`. */
  destination: string;
  /** File system type; ignored for binds. */
  type?: string;
  /** Device, directory (absolute or relative to the bundle) or a dummy name. */
  source?: string;
  /** Options as in fstab. */
  options?: string[];
  /** User mappings of an id-mapped mount. */
  uidMappings?: IdMapping[];
  /** Group mappings of an id-mapped mount. */
  gidMappings?: IdMapping[];
}

export interface Process {
  /** Attach a pseudo terminal. */
  terminal?: boolean;
  /** Size of the terminal in characters. */
  consoleSize?: { height: number; width: number };
  /** Who runs it. */
  user: User;
  /** The program and its arguments; required for `start`. */
  args?: string[];
  /** Windows only; refused. */
  commandLine?: string;
  /** Environment as `NAME=value`. */
  env?: string[];
  /** Working directory, absolute. */
  cwd: string;
  /** Capability sets. */
  capabilities?: Capabilities;
  /** Resource limits. */
  rlimits?: Rlimit[];
  /** Set the no_new_privs bit. */
  noNewPrivileges?: boolean;
  /** AppArmor profile. */
  apparmorProfile?: string;
  /** oom_score_adj, -1000 to 1000. */
  oomScoreAdj?: number;
  /** Scheduling attributes (sched_setattr(2)). */
  scheduler?: Scheduler;
  /** SELinux label. */
  selinuxLabel?: string;
  /** I/O priority (ioprio_set(2)). */
  ioPriority?: IoPriority;
  /** CPU affinity of processes started by `exec`. */
  execCPUAffinity?: CpuAffinity;
}

export interface User {
  /** User id inside the container. */
  uid: number;
  /** Group id inside the container. */
  gid: number;
  /** File mode creation mask. */
  umask?: number;
  /** Supplementary groups inside the container. */
  additionalGids?: number[];
  /** Windows only; refused. */
  username?: string;
}

/** Capability names (`CAP_…`) of the five sets. A set that is absent is empty. */
export interface Capabilities {
  bounding?: string[];
  effective?: string[];
  inheritable?: string[];
  permitted?: string[];
  ambient?: string[];
}

export interface Rlimit {
  /** `RLIMIT_…`. */
  type: string;
  /** Limit in force; 2^64-1 is infinity. */
  soft: Int;
  /** Its ceiling; 2^64-1 is infinity. */
  hard: Int;
}

export interface Scheduler {
  /** `SCHED_…`. */
  policy: string;
  /** Nice value for SCHED_OTHER and SCHED_BATCH. */
  nice?: number;
  /** Static priority for SCHED_FIFO and SCHED_RR. */
  priority?: number;
  /** `SCHED_FLAG_…`. */
  flags?: string[];
  /** SCHED_DEADLINE: ns of running time in each period. */
  runtime?: Int;
  /** SCHED_DEADLINE: ns until it must be done. */
  deadline?: Int;
  /** SCHED_DEADLINE: ns of one period. */
  period?: Int;
}

export interface IoPriority {
  class: 'IOPRIO_CLASS_RT' | 'IOPRIO_CLASS_BE' | 'IOPRIO_CLASS_IDLE';
  /** 0 (highest) to 7. */
  priority?: number;
}

export interface CpuAffinity {
  /** CPU list while entering the container's cgroup. */
  initial?: string;
  /** CPU list after that. */
  final?: string;
}

/** Names of the six points at which hooks run, in the order of the lifecycle. */
export type HookName = 'prestart' | 'createRuntime' | 'createContainer' | 'startContainer' | 'poststart' | 'poststop';
export type Hooks = { [N in HookName]?: Hook[] };

export interface Hook {
  /** Absolute path of the program. */
  path: string;
  /** argv, its first element included. */
  args?: string[];
  env?: string[];
  /** Seconds, above zero, after which it is ended. */
  timeout?: Int;
}

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
  /** Join the namespace of this file; a new one when absent. */
  path?: string;
}

export interface IdMapping {
  /** First id inside. */
  containerID: number;
  /** First id outside. */
  hostID: number;
  /** How many. */
  size: number;
}

export interface TimeOffset {
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

export interface NetDevice {
  /** New name inside; the old one when absent. */
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
  /** cgroup v2 files and what is written to them. */
  unified?: Record<string, string>;
}

export interface DeviceRule {
  allow: boolean;
  /** All (also when absent), character, block. */
  type?: 'a' | 'c' | 'b';
  /** All when absent. */
  major?: Int;
  /** All when absent. */
  minor?: Int;
  /** Any of `r`, `w`, `m`. */
  access?: string;
}

/** Bytes; -1 is no limit. */
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
  /** Refuse a limit below what is in use. */
  checkBeforeUpdate?: boolean;
}

export interface Cpu {
  /** Relative weight. */
  shares?: Int;
  /** µs of CPU time in each period; negative is no limit. */
  quota?: Int;
  /** µs that may be used above the quota. */
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
  /** Most processes; 0 or negative is no limit. */
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

export interface WeightDevice {
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
  /** Name of the class; the container's id when absent. */
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

export interface Personality {
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

/** state.json: what `state` prints and hooks get on stdin. */
export interface State {
  ociVersion: string;
  id: string;
  status: 'creating' | 'created' | 'running' | 'paused' | 'stopped';
  /** Of init on the host; absent or 0 when there is no process. */
  pid?: number;
  /** Absolute path. */
  bundle: string;
  annotations?: Record<string, string>;
}

interface Switch {
  enabled?: boolean;
}

/** What `features` prints (runtime-spec features.md). */
export interface Features {
  /** Oldest and newest `ociVersion` that are accepted. */
  ociVersionMin: string;
  ociVersionMax: string;
  hooks?: string[];
  mountOptions?: string[];
  linux?: FeaturesLinux;
  annotations?: Record<string, string>;
  /** Annotations that may change how the runtime behaves; a name that ends in `.` is a prefix. */
  potentiallyUnsafeConfigAnnotations?: string[];
}

export interface FeaturesLinux {
  namespaces?: string[];
  capabilities?: string[];
  cgroup?: { v1?: boolean; v2?: boolean; systemd?: boolean; systemdUser?: boolean; rdma?: boolean };
  seccomp?: {
    enabled?: boolean;
    actions?: string[];
    operators?: string[];
    archs?: string[];
    knownFlags?: string[];
    supportedFlags?: string[];
  };
  apparmor?: Switch;
  selinux?: Switch;
  intelRdt?: Switch & { schemata?: boolean; monitoring?: boolean };
  memoryPolicy?: { modes?: string[]; flags?: string[] };
  mountExtensions?: { idmap?: Switch };
  netDevices?: Switch;
}
