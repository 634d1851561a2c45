/** Types of the documents that a runtime writes: state.json and features. */

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
