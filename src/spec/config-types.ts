/** Types of config.json (runtime-spec 1.3), and exports of linux-types.ts and document-types.ts. */
import type { Int } from './integer.js';
import type { IdMapping, Linux } from './linux-types.js';

export type * from './document-types.js';
export type * from './integer.js';
export type * from './linux-types.js';

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
  /** Mounts, in the order in which they are made. */
  mounts?: Mount[];
  /** Programs called at points of the lifecycle. */
  hooks?: Hooks;
  /** Arbitrary metadata. */
  annotations?: Record<string, string>;
  /** Settings for Linux only. */
  linux?: Linux;
}

export interface Root {
  /** The directory, absolute or relative to the bundle. */
  path: string;
  /** Read-only inside the container. */
  readonly?: boolean;
}

export interface Mount {
  /** Path inside the container; a relative one is below `/`. */
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
  /** User of the process. */
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

/** Capability names (`CAP_…`) of the five sets. An absent set is empty. */
export interface Capabilities {
  bounding?: string[];
  effective?: string[];
  inheritable?: string[];
  permitted?: string[];
  ambient?: string[];
}

interface Rlimit {
  /** `RLIMIT_…`. */
  type: string;
  /** Current limit; 2^64-1 is infinity. */
  soft: Int;
  /** Its ceiling; 2^64-1 is infinity. */
  hard: Int;
}

interface Scheduler {
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

interface IoPriority {
  class: 'IOPRIO_CLASS_RT' | 'IOPRIO_CLASS_BE' | 'IOPRIO_CLASS_IDLE';
  /** 0 (highest) to 7. */
  priority?: number;
}

interface CpuAffinity {
  /** CPU list while entering the container's cgroup. */
  initial?: string;
  /** CPU list after that. */
  final?: string;
}

/** Names of the six hook points, in lifecycle order. */
export type HookName = 'prestart' | 'createRuntime' | 'createContainer' | 'startContainer' | 'poststart' | 'poststop';
export type Hooks = { [N in HookName]?: Hook[] };

export interface Hook {
  /** Absolute path of the program. */
  path: string;
  /** argv, its first element included. */
  args?: string[];
  env?: string[];
  /** Seconds, above zero, after which it is killed. */
  timeout?: Int;
}
