/** Types of the documents that a runtime writes: state.json and features. */

/** state.json: the output of `state`, and stdin of hooks. */
export interface State {
  ociVersion: string;
  id: string;
  status: 'creating' | 'created' | 'running' | 'paused' | 'stopped';
  /** Pid of init on the host; absent or 0 without a process. */
  pid?: number;
  /** Absolute path. */
  bundle: string;
  annotations?: Record<string, string>;
}

interface Switch {
  enabled?: boolean;
}

/** Output of `features` (runtime-spec features.md). */
export interface Features {
  /** Oldest and newest accepted `ociVersion`. */
  ociVersionMin: string;
  ociVersionMax: string;
  hooks?: string[];
  mountOptions?: string[];
  linux?: FeaturesLinux;
  annotations?: Record<string, string>;
  /** Annotations that can change the runtime's behaviour; a name that ends in `.` is a prefix. */
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
