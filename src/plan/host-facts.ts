/** Host facts for the compiler, and its options; `container/launch/read-host-facts.ts` reads the facts. */
import type { CgroupFacts } from '../cgroup/cgroup-facts.js';
import type { CgroupPaths } from '../cgroup/cgroup-paths.js';
import type { Address } from '../cgroup/systemd/bus-address.js';
import type { Spec } from '../spec/config-types.js';
import type { Op } from './plan-ops.js';

/** Differences of the plan if systemd manages the cgroup (plan/cgroup/systemd-scope.ts). */
export interface SystemdScope {
  /** Paths of the cgroup. @throws RuntError ERR_UNSUPPORTED, ERR_CGROUP_PATH, ERR_CGROUP_NOT_DELEGATED */
  readonly scopePaths: (spec: Spec, facts: HostFacts, id: string) => CgroupPaths;
  /** The operations that make the cgroup and write its values; a scope replaces the directory. */
  readonly scopeOps: (before: readonly Op[], spec: Spec, options: CompileOptions) => Op[];
  /** Whether paths and operations depend on systemd's version, which is still unknown. */
  readonly dependsOnVersion: (spec: Spec) => boolean;
  /** The same for a known version. */
  readonly ofVersion: (version: number) => SystemdScope;
  /** Address of the user's manager; absent for the system's. */
  readonly bus?: Address;
}

export interface HostFacts {
  readonly cgroup: CgroupFacts;
  readonly euid: number;
  readonly egid: number;
  /** No root on the host: started by an ordinary user, or in a user namespace (`--rootless`). */
  readonly rootless: boolean;
  /** Highest capability number of the kernel; read only for one that Linux 5.8 or a later version added. */
  readonly lastCapability: number;
  /** Whether a cgroup can be made at a path; called only if rootless. */
  readonly isCgroupWritable: (path: string) => boolean;
  /** Options of the host's mount of cgroup v2; called only for a cgroup mount with options that shows it. */
  readonly unifiedOptions: () => readonly string[];
  /** Whether the path is the runtime's own cgroup namespace; called only for a joined one. */
  readonly ownCgroupNamespace: (path: string) => boolean;
  /** `defaultParent` of cgroup/unified-tree.ts; called only with root, on v2, for a container without a cgroup path. */
  readonly cgroupParent: (mountPoint: string, own: string) => string;
  /**
   * A path of the host without symlinks and `..`; '' if it cannot be opened. Called only for the directories of
   * overlays and for paths with `..`.
   */
  readonly realPath: (path: string) => string;
  /**
   * Whether the runtime may clone mounts: root may, and root of a user namespace in a mount namespace that belongs to
   * it. Called only if rootless.
   */
  readonly mayClone: () => boolean;
  /**
   * Whether the mount namespace of the runtime has so many mounts that a copy of it costs more than all else, and the
   * kernel has one with a single mount, which may be copied instead. Called only if the config permits that.
   */
  readonly hasMountTemplate: () => boolean;
  /** Whether the kernel has /proc/kcore, the target of /dev/core. */
  readonly kcore: boolean;
  /** Absolute paths of newuidmap and newgidmap, '' if missing; searched only if rootless. */
  readonly newuidmap: string;
  readonly newgidmap: string;
  /** Mount point of the resctrl file system, '' if not mounted; called only with intelRdt. */
  readonly resctrl: () => string;
  /** open_tree(2) failed at a first attempt: only runt-init can bind, in the container's mount namespace. */
  readonly oldMounts?: boolean;
  /** Whether the security modules are enabled; called only with a profile or label. */
  readonly apparmor: () => boolean;
  readonly selinux: () => boolean;
}

/** Options of the runtime's caller. */
export interface CompileOptions {
  readonly id: string;
  /** Absolute path of the bundle. */
  readonly bundle: string;
  /** Absolute path of the container's state directory. */
  readonly stateDir: string;
  /** Name of the directories of fresh layers, unlike any before; the id if absent. */
  readonly layerName?: string;
  /** `create` waits for `start` on a socket; `run` does not. */
  readonly startSocket: boolean;
  /** No cgroup of its own (`--cgroup-manager disabled`). */
  readonly noCgroup?: boolean;
  /** The container manages cgroups of its own: plan/cgroup/writable-cgroup.ts. */
  readonly cgroupWritable?: boolean;
  /** systemd manages the cgroup (`--systemd-cgroup`): plan/cgroup/systemd-scope.ts, which is loaded only then. */
  readonly systemd?: SystemdScope;
  /** `--supervise`. */
  readonly supervise: boolean;
  /** The first process only reaps orphans and forwards signals to the program (`--init`). */
  readonly init?: boolean;
  /** `--no-pivot`. */
  readonly noPivot: boolean;
  /** `--no-new-keyring`. */
  readonly noNewKeyring: boolean;
  /**
   * Path of the socket that receives the terminal's master (`--console-socket`); without it the runtime keeps the
   * master.
   */
  readonly consoleSocket?: string;
  /** Number of descriptors from 3 on that the process inherits, those of `listen` included. */
  readonly preserveFds: number;
  /** Socket activation (sd_listen_fds(3)): how many of these descriptors, from 3 on, and their names. */
  readonly listen?: ListenFds;
  /** sd_notify(3): the process gets a socket, on which `run` or `start` waits for its readiness. */
  readonly notify?: boolean;
  /** The command waits for the end of the process, and then restores the owner of its stdio. */
  readonly foreground?: boolean;
  /** Path of the socket that receives a pidfd of the process (`--pidfd-socket`). */
  readonly pidfdSocket?: string;
}

/** LISTEN_FDS and LISTEN_FDNAMES. */
export interface ListenFds {
  readonly count: number;
  /** Names separated by colons; '' for none. */
  readonly names: string;
}
